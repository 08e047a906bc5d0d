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

/* `lock` is held for a few instructions and never over a callback or over anything that waits for an
 * instance. The slow steps of a start, a stop and a reap are for whoever has claimed the enclave; what an
 * instance can hold up has an end of its own: a start in the keeper's and the report's time limits, or at
 * once when a stop comes. */
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

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the gate is empty, nobody has claimed it, no stop is under way */
    bool claimed;           /* somebody starts, stops or reaps */
    unsigned stops;         /* stops under way: nothing starts meanwhile, and what is starting gives up */
    uint64_t generation;    /* of the newest start */
    enum cella_host_phase phase;
    bool reap_queued;
    bool ended_early;                             /* the end came before cella_instance_start had returned */
    char storage_message[CELLA_HOST_REASON_SIZE]; /* what the disk under the vault says while it fails */
    struct cella_instance_info info;
    struct cella_host_evidence *evidence;
    uint64_t renewal; /* the generation whose evidence is being renewed, 0: none */
    struct cella_host_report *reports, **reports_end; /* that are waited for, by deadline */
    unsigned report_count; /* asked and neither refused nor made evidence of, waited for or not */
    int64_t started_at;
    enum cella_status end_status;
    char end_reason[CELLA_HOST_REASON_SIZE];
    uint64_t starts, ends;
    int64_t restarted_at[16]; /* the newest restarts, a ring */
    unsigned restart_count;
    bool restart_refused;       /* said in the log already */
    struct cella_worker worker; /* its own: a start that takes long holds up no other enclave */
    struct cella_job reap;      /* on the worker, after the instance ended by itself */

    struct cella_posts posts;
};

struct cella_host {
    struct cella_host_options options;
    char *keeper_path;
    char *vaults_path;
    pthread_mutex_t lock; /* the table below */
    struct cella_host_enclave **enclaves;
    size_t enclave_count;
    struct cella_worker evidence_worker; /* makes quotes */
    struct cella_worker supervisor;      /* renews attestations, sets restarts off */
    struct cella_timer timer;            /* ends polls and waits for reports, sets the supervisor off */
    unsigned close_timeout_ms;
    struct cella_job refresh;
    _Atomic bool refresh_queued;
    _Atomic bool closing;
};

#define CELLA_GATE_SHUT 0x80000000u

/* The running instance, or NULL; every non-NULL is given back by cella_gate_leave. */
struct cella_instance *cella_gate_enter(struct cella_host_enclave *enclave);
void cella_gate_leave(struct cella_host_enclave *enclave);
/* Shuts and goes inside, in whatever phase the instance is: for whoever makes it end. */
struct cella_instance *cella_gate_hold(struct cella_host_enclave *enclave);
/* Shuts, waits until nobody is inside and takes the instance out. The caller has claimed the enclave and the
 * instance has ended or never had callers: one that runs may keep a caller inside for ever. NULL: there is
 * none. */
struct cella_instance *cella_gate_take(struct cella_host_enclave *enclave);
void cella_gate_open(struct cella_host_enclave *enclave);

/* Ends every poll and stops every instance in an orderly way, all at one time; no later start succeeds. */
void cella_host_close(struct cella_host *host);

struct cella_host_enclave *cella_enclave_new(struct cella_host *host, const char *name);
void cella_enclave_free(struct cella_host_enclave *enclave);
/* For a start, waiting for stops and reaps to end. CELLA_EXISTS: it runs or is being started. CELLA_CLOSED:
 * the host is. */
enum cella_status cella_enclave_claim_for_start(struct cella_host_enclave *enclave,
                                                struct cella_error *error);
void cella_enclave_release(struct cella_host_enclave *enclave);
/* Removes an instance that has ended or was never offered to callers; the caller has claimed the enclave. */
void cella_enclave_discard(struct cella_host_enclave *enclave);
/* Starts an instance in this place; the caller has claimed it and no instance runs. */
enum cella_status cella_enclave_start(struct cella_host_enclave *enclave, struct cella_error *error);
/* Makes the worker free an instance that ended by itself, and start it again if that is wanted and not too
 * often. */
void cella_enclave_reap(struct cella_host_enclave *enclave);

/* host_vault.c: the vault of one place. */
/* Its folder, NULL if the host keeps none or there is no memory; the caller frees. */
char *cella_enclave_vault_path(const struct cella_host_enclave *enclave);
/* Would another start of the same image end in the same way? */
bool cella_vault_failure_stays(enum cella_status status);
/* Keeps why a start failed beside the vault, for whoever asks when no host runs; CELLA_OK removes it. */
void cella_enclave_note_failure(const struct cella_host_enclave *enclave, enum cella_status status,
                                const char *reason);
void cella_enclave_on_storage(void *enclave, enum cella_status status, const char *message);
void cella_enclave_vault_state(struct cella_host_enclave *enclave, struct cella_host_vault_state *ret_state);

/* Makes evidence without a nonce for the instance that starts and puts it in the cache. Blocks, as long as a
 * report may take. */
enum cella_status cella_enclave_attest(struct cella_host_enclave *enclave, struct cella_error *error);
/* Sets off that the cached evidence is made again, if its time has come. An instance that does not answer in
 * time may be at long work: it is not ended, its evidence stays as it is, and the next call asks again. */
void cella_enclave_renew(struct cella_host_enclave *enclave);
/* Ends waits for reports whose deadline has passed; returns the next deadline, INT64_MAX for none. */
int64_t cella_reports_expire(struct cella_host_enclave *enclave, int64_t now_ms);

/* Called once. `evidence` is NULL unless `status` is CELLA_OK, and then belongs to the function. */
typedef void cella_evidence_done(void *context, enum cella_status status, const char *message,
                                 struct cella_host_evidence *evidence);
/* From what cella_instance_report gave: the REPORT, then the statement. `nonce` may be NULL. */
enum cella_status cella_evidence_make(const char *machine_path, struct cella_bytes reply,
                                      const uint8_t *nonce, struct cella_host_evidence **ret_evidence,
                                      struct cella_error *error);
/* Takes `evidence` over: into the cache if it is of the newest start. */
void cella_evidence_store(struct cella_host_enclave *enclave, uint64_t generation,
                          struct cella_host_evidence *evidence);
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
