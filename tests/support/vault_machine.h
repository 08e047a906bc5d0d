/* A machine for tests of vaults: keys and registers as real ones behave, in memory. What a host restores does
 * not set it back; a test may. */
#ifndef CELLA_TEST_VAULT_MACHINE_H
#define CELLA_TEST_VAULT_MACHINE_H

#include "state/source.h"

#define TEST_REGISTERS 64

struct test_machine {
    uint8_t fuse;     /* which machine */
    uint8_t signer;   /* of the image that runs on it now */
    unsigned version; /* of the platform */
    struct {
        uint8_t vault_id[CELLA_VAULT_ID_SIZE];
        uint8_t signer;
        uint64_t epoch;
    } registers[TEST_REGISTERS];
    unsigned register_count;
    uint64_t keys_made;
    enum cella_status advance_fails; /* CELLA_OK: advance says what is so */
    struct cella_key_source keys;
    struct cella_freshness_source freshness;
};

/* Machine 1, signer 1, version 1, no registers. */
void test_machine_init(struct test_machine *machine);
/* The register of this vault for the signer of now; NULL: none. */
uint64_t *test_machine_register(struct test_machine *machine, const uint8_t vault_id[CELLA_VAULT_ID_SIZE]);

#endif
