/* A machine for tests of vaults: keys and registers as real ones behave, in memory. What a host restores does
 * not set it back; a test may. */
#ifndef CELLA_TEST_VAULT_MACHINE_H
#define CELLA_TEST_VAULT_MACHINE_H

#include "state/source.h"

#define TEST_REGISTERS 64
#define TEST_MARKS     16

struct test_register {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint8_t signer;
    uint64_t epoch;
    uint8_t marks[TEST_MARKS]
                 [CELLA_MARK_SIZE]; /* of the newest epochs: a test may set back the epoch alone */
};

struct test_machine {
    uint8_t fuse;     /* which machine */
    uint8_t signer;   /* of the image that runs on it now */
    unsigned version; /* of the platform */
    struct test_register registers[TEST_REGISTERS];
    unsigned register_count;
    uint64_t keys_made;
    enum cella_status advance_fails;               /* CELLA_OK: advance says what is so */
    enum cella_status acquire_fails;               /* CELLA_OK: acquire does what is asked */
    bool acquire_done;                             /* it fails only after it was done */
    void (*before_acquire)(void *acquire_context); /* what happens in that moment; may be NULL */
    void *acquire_context;
    struct cella_key_source keys;
    struct cella_freshness_source freshness;
};

/* Machine 1, signer 1, version 1, no registers. */
void test_machine_init(struct test_machine *machine);
/* The epoch in the register of this vault for the signer of now; NULL: none. */
uint64_t *test_machine_register(struct test_machine *machine, const uint8_t vault_id[CELLA_VAULT_ID_SIZE]);

#endif
