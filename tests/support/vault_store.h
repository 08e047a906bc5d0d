/* A vault's store in memory, over a simulated disk with a volatile cache: what is written is visible at once
 * and durable when it is flushed; a crash keeps any subset of the sectors that were not. Writes are done at
 * once, or when the test says so; a plan makes chosen operations fail or crash.
 *
 * One thread at a time, as the engine promises. */
#ifndef CELLA_TEST_VAULT_STORE_H
#define CELLA_TEST_VAULT_STORE_H

#include "state/store.h"
#include "state/vault.h"

#define TEST_SECTOR 512

struct test_store;

struct test_store *test_store_new(void);
void test_store_free(struct test_store *store);
/* The same content, cache and all; no plan, no vault. */
struct test_store *test_store_copy(const struct test_store *store);
/* `store` becomes what `other` is: a restored backup. */
void test_store_assign(struct test_store *store, const struct test_store *other);

/* The interface for a vault. */
const struct cella_store *test_store_face(struct test_store *store);
/* Whom to tell of writes; NULL: nobody. */
void test_store_attach(struct test_store *store, struct cella_vault *vault);

/* --- when writes are done --- */

/* false (the beginning): each write is done and told inside the call. true: writes queue up. */
void test_store_delay(struct test_store *store, bool delay);
/* Does the oldest `count` queued writes and tells of them; returns how many there were. */
size_t test_store_work(struct test_store *store, size_t count);
/* Until nothing is queued, whatever is added meanwhile. */
void test_store_work_all(struct test_store *store);
/* Writes to files of this kind stay queued, and those behind them go on; 0: none are held. */
void test_store_hold(struct test_store *store, enum cella_store_kind kind);
/* Queued writes to different files are done in an order that the seed gives; 0: as they came. */
void test_store_shuffle(struct test_store *store, uint64_t seed);
size_t test_store_queued(const struct test_store *store);

/* --- what goes wrong --- */

enum test_operation { TEST_LIST, TEST_READ, TEST_WRITE, TEST_WRITE_NOW, TEST_REMOVE };

enum test_fault {
    TEST_FAULT_NONE,
    TEST_FAULT_FAIL,       /* the operation fails with the plan's status, once; a write stays "not yet" */
    TEST_FAULT_CRASH,      /* the machine stops before it */
    TEST_FAULT_CRASH_TORN, /* the machine stops in it: some of its sectors are there */
    TEST_FAULT_CRASH_DONE, /* the machine stops right after it is done */
    TEST_FAULT_LIE,        /* a flush is reported and not done */
    TEST_FAULT_SHORT,      /* a read gives less than there is */
    TEST_FAULT_TWICE,      /* a write is done once more after the next one */
};

/* Asked before each operation, with its number since the plan was set, from 0. */
typedef enum test_fault test_plan(void *context, uint64_t number, enum test_operation operation,
                                  const struct cella_store_write *write, enum cella_status *ret_status);
void test_store_plan(struct test_store *store, test_plan *plan, void *context);
/* Operations since the plan was set, or since the beginning. */
uint64_t test_store_operations(const struct test_store *store);

/* Every write from now on fails with `status` ("not yet"); CELLA_OK: those that wait are done and told. */
void test_store_fail(struct test_store *store, enum cella_status status);

bool test_store_crashed(const struct test_store *store);
/* The machine starts again: of what was not flushed each sector is there or not, as the seed says; 0: nothing
 * of it is there; UINT64_MAX: all of it. Files that were never whole or never flushed are gone. */
void test_store_restart(struct test_store *store, uint64_t seed);

/* --- what is stored --- */

/* Views until the file changes; size 0: it is not there. */
struct cella_bytes test_store_file(const struct test_store *store, enum cella_store_kind kind,
                                   uint64_t number);
/* Replaces or makes a file, durably. */
void test_store_put(struct test_store *store, enum cella_store_kind kind, uint64_t number,
                    struct cella_bytes bytes);
void test_store_delete(struct test_store *store, enum cella_store_kind kind, uint64_t number);
/* The largest number of a kind; 0: none. */
uint64_t test_store_newest(const struct test_store *store, enum cella_store_kind kind);
size_t test_store_count(const struct test_store *store, enum cella_store_kind kind);
/* Whether the bytes occur anywhere in any file. */
bool test_store_holds(const struct test_store *store, struct cella_bytes needle);

#endif
