/* The host's end of one instance: starts its keeper, carries requests over the door, learns of its end.
 * Must not: understand mail, or trust anything that comes out of the door. */
#ifndef CELLA_HOST_INSTANCE_H
#define CELLA_HOST_INSTANCE_H

#include "host/storage.h"
#include "state/report.h"

#define CELLA_ROUTE_SIZE 16

struct cella_instance;

/* Called once per request, from one of the instance's own threads or, on an immediate refusal, from the
 * caller's. `message` is "" or a sentence; `reply` is valid during the call only. Must not block for long and
 * must not call cella_instance_free; it may submit further requests. */
typedef void cella_instance_done(void *context, enum cella_status status, const char *message,
                                 struct cella_bytes reply);

/* What the instance does on its own. All are called from the instance's threads; members may be NULL. */
struct cella_instance_events {
    void *context;
    /* Mail that answers no open request, for the client that owns `route`. */
    void (*post)(void *context, const uint8_t route[CELLA_ROUTE_SIZE], struct cella_bytes mail);
    /* The enclave calls the host. `call_id` names this call for cella_instance_call_nested. The handler
     * appends its reply to memory from malloc that the instance frees. Runs on a thread of its own; it may
     * block. */
    enum cella_status (*call)(void *context, uint64_t call_id, struct cella_bytes request,
                              uint8_t **ret_reply, size_t *ret_reply_size);
    /* The enclave asks for its own attestation, as clients get it; memory from malloc that the instance
     * frees. Runs on a thread of its own. */
    enum cella_status (*attestation)(void *context, uint8_t **ret_data, size_t *ret_size);
    void (*log)(void *context, const char *line);
    /* The disk under the vault began to fail, and `message` is what it says, or works again (CELLA_OK). */
    void (*storage)(void *context, enum cella_status status, const char *message);
    /* The instance has ended (crash, kill, broken door rule, orderly close). Last event; called once. */
    void (*ended)(void *context, enum cella_status status, const char *reason);
};

struct cella_instance_options {
    const char *image_path;
    const char *machine_path; /* folder of the simulated machine */
    const char *keeper_path;  /* NULL: the installed one, or the one beside the running program */
    const char *vault_path;   /* folder of the vault, made if there is none; NULL: none */
    struct cella_instance_events events;
};

/* Starts a keeper and waits until the instance is ready or has failed to start. An image that keeps no state
 * leaves vault_path alone. CELLA_VAULT_NEEDED: it keeps state and there is no vault_path. CELLA_VAULT_BUSY:
 * another process uses that folder. A new vault is made in vault_path with ".new" behind it and takes its
 * name when the instance is ready, before anything is served; what an earlier try left there is removed. */
enum cella_status cella_instance_start(const struct cella_instance_options *options,
                                       struct cella_instance **ret_instance, struct cella_error *error);
/* Starts the image, lets it read and verify the vault at vault_path without changing anything, and ends it.
 * What is wrong with the vault is returned as a start would return it; `ret_report` is filled as far as the
 * image came, also on failure. CELLA_NOT_FOUND: there is no such folder. */
enum cella_status cella_instance_check(const struct cella_instance_options *options,
                                       struct cella_vault_report *ret_report, struct cella_error *error);

/* Identity as measured by the machine; valid until free. */
struct cella_instance_info {
    uint8_t code_hash[32];
    uint8_t code_signer[32];
    uint16_t product_id;
    uint16_t security_version;
    int debug;
    int process_id;          /* of the keeper */
    int instance_process_id; /* of the process that runs the image */
    unsigned sandbox;        /* bits of enum cella_sandbox_part: what the kernel granted beside the filter */
    unsigned vault_kind;     /* enum cella_vault_kind, from the settings; known once it has started */
    int has_vault;
    struct cella_vault_report vault; /* what opening it found; the enclave's word */
};
const struct cella_instance_info *cella_instance_info(const struct cella_instance *instance);

/* What the host sees of the vault while it serves; all zero without one. */
struct cella_instance_vault {
    uint64_t version;          /* of the newest record that was handed to the disk */
    uint64_t snapshot_version; /* of the newest snapshot that was handed to it as a whole */
    uint64_t evidence;         /* proofs of a fork that this instance left */
    struct cella_storage_counts storage;
};
void cella_instance_vault(struct cella_instance *instance, struct cella_instance_vault *ret_vault);

/* One mail in, at most one reply mail out (empty reply bytes: the handler sent none). The bytes are copied
 * before the call returns. `route` names where posts to this sender go. CELLA_LIMIT at once when too much is
 * queued. */
void cella_instance_mail(struct cella_instance *instance, const uint8_t route[CELLA_ROUTE_SIZE],
                         struct cella_bytes mail, cella_instance_done *done, void *context);

/* A call by the operator or the embedding program. */
void cella_instance_call(struct cella_instance *instance, struct cella_bytes request,
                         cella_instance_done *done, void *context);
/* The same from inside events.call, to run on the enclave thread that waits in that call. */
void cella_instance_call_nested(struct cella_instance *instance, uint64_t call_id, struct cella_bytes request,
                                cella_instance_done *done, void *context);

/* Asks for a report whose report data binds `nonce` (NULL: none, the second half is zero). The reply is the
 * 432 bytes of the REPORT for the machine's quoting enclave, then the instance statement. */
void cella_instance_report(struct cella_instance *instance, const uint8_t nonce[32],
                           cella_instance_done *done, void *context);

/* Orderly close: the stop hook runs, then the instance ends; waits for the end, at most `timeout_ms`, then
 * kills. */
void cella_instance_stop(struct cella_instance *instance, unsigned timeout_ms);

/* Kills if it still runs, waits for the end, frees; NULL is allowed. */
void cella_instance_free(struct cella_instance *instance);

#endif
