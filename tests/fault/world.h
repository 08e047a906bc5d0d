/* A small world around one vault: a disk and a machine that fail as planned, a host that starts it again, and
 * clients whose requests are counters. Everything follows from the seed and the plan.
 *
 * What must hold: each acknowledged request is there, none is there twice, none is there in part; and where
 * the disk lied about a flush, that is detected when the vault opens or by the clients that lost something.
 */
#ifndef CELLA_TORTURE_WORLD_H
#define CELLA_TORTURE_WORLD_H

#include "support/vault_machine.h"
#include "support/vault_store.h"

enum { WORLD_CLIENTS = 4, WORLD_FAULTS = 3 };

/* What goes wrong, and at which operation of the store. */
struct fault {
    uint64_t at;
    enum test_fault kind;
    enum cella_status status; /* of a failure */
    unsigned times;           /* operations in a row that fail */
};

struct plan {
    uint64_t seed;      /* of the workload */
    uint64_t survivors; /* which unflushed sectors outlive a crash, see test_store_restart */
    struct fault faults[WORLD_FAULTS];
    unsigned fault_count;
    unsigned requests; /* of each client */
};

/* One operation of a run, as a run without faults shows it. */
struct operation {
    enum test_operation operation;
    enum cella_store_kind kind; /* 0: no file */
    unsigned flags;
};

enum verdict {
    VERDICT_DONE,     /* everything was done, exactly once */
    VERDICT_DETECTED, /* the disk had lied, and opening the vault or a client said so */
    VERDICT_WRONG     /* the message says what */
};

struct outcome {
    enum verdict verdict;
    char message[256];
    uint64_t operations;
    unsigned crashes, restarts;
};

/* `trace` (may be NULL) gets up to `capacity` operations. */
void world_run(const struct plan *plan, struct operation *trace, size_t capacity,
               struct outcome *ret_outcome);

#endif
