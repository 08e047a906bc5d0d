/* A vault with its store and machine, for tests: opens and closes it as a host would, and watches answers. */
#ifndef CELLA_TEST_VAULT_CASE_H
#define CELLA_TEST_VAULT_CASE_H

#include "crypto/ed25519.h"
#include "support/test.h"
#include "support/vault_machine.h"
#include "support/vault_store.h"

/* An answer that waits; zeroed before its first use. */
struct test_answer {
    struct cella_vault_waiter waiter;
    unsigned prepared, pending, released; /* calls */
    unsigned order;                       /* of its release among all */
    enum cella_status status;             /* of the last release */
    struct cella_vault *vault;            /* NULL: prepare asks for no head */
    struct cella_signed_head head;        /* of its moment */
};

struct test_vault {
    struct test_store *store;
    struct test_machine machine;
    struct cella_vault_limits limits;
    bool gathers;
    struct cella_vault *vault;
    struct cella_vault_report report;
    struct cella_error error;
    unsigned lost;
    enum cella_status lost_status;
    unsigned owner_count, owner_threshold;
    struct cella_ed25519_key owners[3];
};

/* cmocka fixtures: *state is a struct test_vault * with a new vault that is open and has 3 owners, of whom 2
 * can restore it. */
int test_vault_setup(void **state);
int test_vault_teardown(void **state);

/* The same by hand. */
void test_vault_init(struct test_vault *vault);
void test_vault_deinit(struct test_vault *vault);
enum cella_status test_vault_create(struct test_vault *vault);
enum cella_status test_vault_open(struct test_vault *vault);
enum cella_status test_vault_check(struct test_vault *vault);
/* Frees the instance; the store stays. NULL is allowed inside. */
void test_vault_close(struct test_vault *vault);
/* Closes, restarts the machine with nothing unflushed left, opens. */
void test_vault_reopen(struct test_vault *vault);

struct cella_bytes test_text(const char *text);
/* One transaction with one change; the answer may be NULL. */
enum cella_status test_vault_put(struct test_vault *vault, const char *key, const char *value,
                                 struct test_answer *answer);
enum cella_status test_vault_delete(struct test_vault *vault, const char *key, struct test_answer *answer);
/* Begins before and aborts after. */
bool test_vault_has(struct test_vault *vault, const char *key, const char *value);
/* Prepared for use as a waiter. */
struct cella_vault_waiter *test_answer_init(struct test_answer *answer, struct cella_vault *vault);
/* The signed head that a client would get now. */
struct cella_signed_head test_vault_head(struct test_vault *vault);
/* Owners' signatures on a restore of what `report` found; `signers` of the three sign. */
void test_vault_authorise(struct test_vault *vault, unsigned signers, struct cella_restore *ret_restore);
void test_vault_place_restore(struct test_vault *vault, const struct cella_restore *restore);

#endif
