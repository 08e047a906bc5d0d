/* Runs enclaves inside a program: starts instances, carries their mail and calls, keeps their attestations.
 * A host is not trusted by its clients: it sees mail only as bytes. Must not: open a socket (cella/client.h
 * and `cella host` do). */
#ifndef CELLA_HOST_H
#define CELLA_HOST_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_HOST_NAME_LIMIT  64 /* letters, digits, '-' and '_', the first one a letter or digit */
#define CELLA_HOST_ROUTE_SIZE  16 /* random bytes that a client chooses; who knows them collects its posts */
#define CELLA_HOST_NONCE_SIZE  32
#define CELLA_HOST_HAVE_SIZE   16 /* the first bytes of SHA-256 over a post that was received */
#define CELLA_HOST_REASON_SIZE 256

struct cella_host;
struct cella_host_enclave; /* one named place for an instance; lives as long as its host */
struct cella_host_call;    /* one call from an enclave that is being served; valid during it */

/* The end of one asynchronous request, called exactly once: from a thread of the host, or from the caller's
 * before the request function returns. `message` is "" or a sentence, `reply` is valid during the call only.
 * It may submit further requests; it must not block for long and must not stop or free anything. */
typedef void cella_host_done(void *context, enum cella_status status, const char *message,
                             struct cella_bytes reply);

/* What the host tells the program. Members may be NULL. Called from threads of the host, for different
 * enclaves at the same time. */
struct cella_host_events {
    void *context;
    /* An enclave calls the host: answer by memory from malloc that the host frees. Has a thread of its own
     * and may block. NULL: enclaves get CELLA_NO_HANDLER. */
    enum cella_status (*call)(void *context, struct cella_host_call *call, struct cella_bytes request,
                              uint8_t **ret_reply, size_t *ret_reply_size);
    /* Mail of the enclave's own for whoever owns `route`. true: taken; false: the host queues it for
     * cella_host_poll. NULL: all are queued. Must not block. */
    bool (*post)(void *context, const struct cella_host_enclave *enclave,
                 const uint8_t route[CELLA_HOST_ROUTE_SIZE], struct cella_bytes mail);
    /* An instance ended by itself. Must not block, stop or free anything. */
    void (*ended)(void *context, struct cella_host_enclave *enclave, enum cella_status status,
                  const char *reason);
    /* One event for a log: "key=value key=value", values quoted where they hold blanks. `enclave` may be
     * NULL. */
    void (*log)(void *context, const char *level, const char *enclave, const char *event, const char *facts);
};

/* Every 0 takes the default that is named beside it. */
struct cella_host_options {
    const char *keeper_path;  /* NULL: the installed one, or the one beside the running program */
    const char *vaults_path;  /* folder of the enclaves' vaults, each under its enclave's name; made if there
                                 is  none. NULL: images that keep state do not start */
    unsigned enclave_limit;   /* 64 */
    size_t route_count_limit; /* 65,536 routes with waiting posts per enclave */
    size_t route_mail_limit;  /* 256 posts that wait per route */
    size_t route_bytes_limit; /* 64 MiB that wait per route */
    size_t queue_bytes_limit; /* 256 MiB that wait per enclave */
    unsigned poll_limit;      /* 4,096 polls that wait at one time, per enclave */
    unsigned attestation_limit; /* 64 fresh attestations that are being made at one time, per enclave */
    unsigned report_timeout_ms; /* 30,000 for an instance to make a report */
    unsigned restart_limit;     /* restarts within one hour of an instance that ended by itself; 0: none */
    struct cella_host_events events;
};

/* Copies what it needs of the options; `ret_host` is freed by cella_host_free. */
enum cella_status cella_host_new(const struct cella_host_options *options, struct cella_host **ret_host,
                                 struct cella_error *error);

/* Stops every instance in an orderly way, all at one time (killing those that take longer than 10 s), ends
 * every waiting poll and frees; NULL is allowed. No other call may be running or follow. */
void cella_host_free(struct cella_host *host);

/* Starts `image_path` on the machine at `machine_path` under `name` and waits until it serves and its
 * attestation is made. A name whose instance has ended is used again; `ret_enclave` (may be NULL) stays valid
 * until the host is freed. CELLA_EXISTS: that name runs or is being started. CELLA_HOST_NAME: not a name.
 * CELLA_LIMIT: enclave_limit. CELLA_NO_REPORT: it made no report in time and was killed. CELLA_INTERRUPTED:
 * it was stopped meanwhile. CELLA_VAULT_…, CELLA_KEY_…, CELLA_STORAGE_…: its vault cannot be opened; nothing
 * was changed in it. Otherwise what the keeper, the image or the machine reported. A place whose start failed
 * says why in its state. */
enum cella_status cella_host_start(struct cella_host *host, const char *name, const char *image_path,
                                   const char *machine_path, struct cella_host_enclave **ret_enclave,
                                   struct cella_error *error);

/* Orderly close of one instance; waits for its end at most `timeout_ms`, then kills. One that is being
 * started is killed as soon as its keeper has it ready, and its start fails. CELLA_OK also when it had ended
 * already. Not from a callback. */
enum cella_status cella_host_stop(struct cella_host_enclave *enclave, unsigned timeout_ms);

/* Is this 1 to 64 letters, digits, '-' and '_', the first one a letter or digit? */
bool cella_host_name_valid(const char *name);

/* The place with that name, or NULL. */
struct cella_host_enclave *cella_host_find(struct cella_host *host, const char *name);
const char *cella_host_enclave_name(const struct cella_host_enclave *enclave);

/* One mail in, at most one reply out (empty: the handler sent none). The bytes are copied before this
 * returns. Posts to the sender go to `route`. CELLA_NOT_RUNNING: no instance runs; CELLA_LIMIT: too much is
 * waiting. */
void cella_host_mail(struct cella_host_enclave *enclave, const uint8_t route[CELLA_HOST_ROUTE_SIZE],
                     struct cella_bytes mail, cella_host_done *done, void *context);

/* A call to the enclave's call handler. */
void cella_host_call(struct cella_host_enclave *enclave, struct cella_bytes request, cella_host_done *done,
                     void *context);
/* The same from inside events.call, on the enclave's thread that waits in it. */
void cella_host_call_nested(struct cella_host_call *call, struct cella_bytes request, cella_host_done *done,
                            void *context);
struct cella_host_enclave *cella_host_call_enclave(const struct cella_host_call *call);

/* The instance's attestation file. `nonce` NULL: the cached one; else a fresh one that binds the nonce.
 * CELLA_LIMIT: attestation_limit. CELLA_NO_REPORT: report_timeout_ms; the instance may be at long work. */
void cella_host_attestation(struct cella_host_enclave *enclave, const uint8_t *nonce, cella_host_done *done,
                            void *context);

/* The oldest post that waits for `route`; waits up to `wait_ms` for one. `have` (may be NULL) names the post
 * that the caller received last: if it is still the oldest it is dropped first. So a post stays until the
 * next poll says that it arrived. CELLA_UNAVAILABLE: none came in time, or a newer poll of the same route
 * took over. CELLA_LIMIT: poll_limit. */
void cella_host_poll(struct cella_host_enclave *enclave, const uint8_t route[CELLA_HOST_ROUTE_SIZE],
                     const uint8_t *have, unsigned wait_ms, cella_host_done *done, void *context);

/* The value that `have` takes for a post. */
void cella_host_have(struct cella_bytes post, uint8_t ret_have[CELLA_HOST_HAVE_SIZE]);

/* Blocking forms of the above, not from a callback. `*ret_reply` comes from malloc; NULL and 0 where the
 * reply is empty. */
enum cella_status cella_host_mail_wait(struct cella_host_enclave *enclave,
                                       const uint8_t route[CELLA_HOST_ROUTE_SIZE], struct cella_bytes mail,
                                       uint8_t **ret_reply, size_t *ret_reply_size,
                                       struct cella_error *error);
enum cella_status cella_host_call_wait(struct cella_host_enclave *enclave, struct cella_bytes request,
                                       uint8_t **ret_reply, size_t *ret_reply_size,
                                       struct cella_error *error);
enum cella_status cella_host_attestation_wait(struct cella_host_enclave *enclave, const uint8_t *nonce,
                                              uint8_t **ret_reply, size_t *ret_reply_size,
                                              struct cella_error *error);

/* What cella_host_poll takes, as one value. */
struct cella_host_poll_request {
    const uint8_t *route; /* CELLA_HOST_ROUTE_SIZE bytes */
    const uint8_t *have;  /* CELLA_HOST_HAVE_SIZE bytes, or NULL */
    unsigned wait_ms;
};
enum cella_status cella_host_poll_wait(struct cella_host_enclave *enclave,
                                       const struct cella_host_poll_request *request, uint8_t **ret_mail,
                                       size_t *ret_mail_size, struct cella_error *error);

enum cella_host_phase {
    CELLA_HOST_STARTING,
    CELLA_HOST_RUNNING,
    CELLA_HOST_STOPPED, /* by cella_host_stop */
    CELLA_HOST_ENDED,   /* by itself: `end_status` and `end_reason` say why */
};

/* What is known about an enclave's vault: what its newest instance found when it opened it (its word), and
 * what the host sees since. */
struct cella_host_vault_state {
    bool present;
    uint8_t vault_id[32];
    uint64_t lineage, epoch;
    uint64_t version;          /* of the newest record */
    uint64_t snapshot_version; /* 0: none */
    uint64_t keys, state_size; /* when it was opened */
    uint64_t records;          /* that were replayed then */
    uint64_t dropped_records;  /* of an owner before, that it never acknowledged */
    uint64_t torn_bytes;       /* of a write that a crash had cut short */
    bool freshness_known; /* else only the epoch is guarded: rollback within it is seen by clients only */
    bool restored;        /* the newest start carried out a restore */
    bool outdated_keys;   /* files are of an older platform or image version, and are being sealed anew */
    uint64_t evidence;    /* proofs of a fork that the newest instance left */
    enum cella_status storage; /* CELLA_OK, or why the disk cannot be written now */
    char storage_message[CELLA_HOST_REASON_SIZE];
    uint64_t written_bytes, flushes, write_failures; /* by the newest instance */
    uint64_t queued_bytes;
};

/* What is known about one enclave at one moment; counters count since the host began. */
struct cella_host_enclave_state {
    char name[CELLA_HOST_NAME_LIMIT + 1];
    enum cella_host_phase phase;
    uint8_t code_hash[32];
    uint8_t code_signer[32];
    uint16_t product_id;
    uint16_t security_version;
    bool debug;
    bool simulated;
    int process_id;          /* of the keeper, 0 when none runs */
    int instance_process_id; /* of the process that runs the image, 0 when none runs */
    bool confined;           /* namespaces and an empty root, besides the system call filter */
    int64_t started_at;      /* seconds of Unix time, 0: never */
    int64_t attested_at;
    enum cella_status end_status;
    char end_reason[CELLA_HOST_REASON_SIZE];
    uint64_t starts, ends;
    uint64_t mails, mail_bytes; /* handed to instances; what became of each, its caller knows */
    uint64_t calls, attestations;
    uint64_t posts, posts_delivered, posts_dropped; /* dropped: by a limit of the queues */
    size_t queue_routes, queue_mails, queue_bytes;
    unsigned polls; /* that wait now */
    struct cella_host_vault_state vault;
};

void cella_host_enclave_state(struct cella_host_enclave *enclave, struct cella_host_enclave_state *ret_state);

/* Calls `visit` for each enclave in the order of their first start. */
void cella_host_each(struct cella_host *host,
                     void (*visit)(void *context, struct cella_host_enclave *enclave), void *context);

#endif
