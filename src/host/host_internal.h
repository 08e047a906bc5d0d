/* What the files of the host share: the host, its enclaves, the gate that guards an instance's lifetime.
 * Must not: be seen outside src/host and its tests. */
#ifndef CELLA_HOST_INTERNAL_H
#define CELLA_HOST_INTERNAL_H

#include <cella/host.h>
#include "host/instance.h"
#include "host/posts.h"
#include "host/worker.h"
#include <pthread.h>
#include <stdatomic.h>

_Static_assert(CELLA_HOST_ROUTE_SIZE == CELLA_ROUTE_SIZE, "one size of routes");

/* One attestation file in memory, shared by callers that read it while a newer one takes its place. */
struct cella_host_evidence {
    _Atomic unsigned references;
    int64_t made_at;    /* seconds of Unix time */
    int64_t refresh_at; /* when a new one should be made */
    bool simulated;
    size_t size;
    uint8_t data[];
};

/* Lock order: lifecycle, then lock. `lifecycle` is held over the slow steps of a start or a stop and never by
 * a callback; `lock` for a few instructions and never over a callback. */
struct cella_host_enclave {
    struct cella_host *host;
    char name[CELLA_HOST_NAME_LIMIT + 1];
    char *image_path;
    char *machine_path;

    /* The gate: callers inside cella_instance_* right now, and one bit that keeps new ones out. `instance`
     * may be freed only when the gate is shut and empty. */
    _Atomic uint32_t gate;
    struct cella_instance *instance;

    _Atomic uint64_t mails, mail_bytes, calls, attestations;

    pthread_mutex_t lifecycle;
    pthread_mutex_t lock;
    pthread_cond_t gate_empty;
    enum cella_host_phase phase;
    bool reap_queued;
    bool ended_early; /* the end came before cella_instance_start had returned */
    struct cella_instance_info info;
    struct cella_host_evidence *evidence;
    int64_t started_at;
    enum cella_status end_status;
    char end_reason[CELLA_HOST_REASON_SIZE];
    uint64_t starts, ends;
    int64_t restarted_at[16]; /* the newest restarts, a ring */
    unsigned restart_count;
    bool restart_refused;  /* said in the log already */
    struct cella_job reap; /* runs on the supervisor after the instance ended by itself */

    struct cella_posts posts;
};

struct cella_host {
    struct cella_host_options options;
    char *keeper_path;
    pthread_mutex_t lock; /* the table below */
    struct cella_host_enclave **enclaves;
    size_t enclave_count;
    _Atomic unsigned attestations_open;
    struct cella_worker evidence_worker; /* makes quotes */
    struct cella_worker supervisor;      /* reaps, restarts, refreshes */
    struct cella_timer timer;            /* ends polls, sets the supervisor off */
    struct cella_job refresh;
    _Atomic bool refresh_queued;
    _Atomic bool closing;
};

#define CELLA_GATE_SHUT 0x80000000u

/* The running instance, or NULL; every non-NULL is given back by cella_gate_leave. */
struct cella_instance *cella_gate_enter(struct cella_host_enclave *enclave);
void cella_gate_leave(struct cella_host_enclave *enclave);
/* Shuts and waits until nobody is inside; the caller holds `lifecycle`. */
void cella_gate_shut(struct cella_host_enclave *enclave);
void cella_gate_open(struct cella_host_enclave *enclave);

/* Ends every poll and stops every instance in an orderly way; no later start succeeds. */
void cella_host_close(struct cella_host *host);

struct cella_host_enclave *cella_enclave_new(struct cella_host *host, const char *name);
void cella_enclave_free(struct cella_host_enclave *enclave);
/* Removes an instance that has ended or is of no use; the caller holds `lifecycle`. */
void cella_enclave_discard(struct cella_host_enclave *enclave);
/* Starts an instance in this place; the caller holds `lifecycle` and the phase is not RUNNING. */
enum cella_status cella_enclave_start(struct cella_host_enclave *enclave, struct cella_error *error);

/* Starts an instance again that ended by itself, if that is wanted and not too often; holds `lifecycle`. */
void cella_enclave_restart(struct cella_host_enclave *enclave);

/* Makes evidence without a nonce for the running instance and puts it in the cache. Blocks. */
enum cella_status cella_enclave_attest(struct cella_host_enclave *enclave, struct cella_error *error);
/* The cached evidence with one more reference, or NULL. */
struct cella_host_evidence *cella_evidence_get(struct cella_host_enclave *enclave);
void cella_evidence_put(struct cella_host_evidence *evidence);

/* One line of log for the program; the facts are formatted as printf does. */
void cella_host_log(struct cella_host *host, const char *level, const struct cella_host_enclave *enclave,
                    const char *event, const char *facts, ...) __attribute__((format(printf, 5, 6)));

/* Text of others made fit for a quoted fact: no quotes, no control characters, cut. Returns `out`. */
#define CELLA_LOG_TEXT_SIZE 512
const char *cella_log_text(char out[CELLA_LOG_TEXT_SIZE], const char *text);

/* Seconds of Unix time, and milliseconds of a clock that never jumps. */
int64_t cella_host_now(void);
int64_t cella_host_ticks_ms(void);

#endif
