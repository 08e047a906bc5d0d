/* The upper half of the runtime: one instance's state, its dispatch and its transactions. */
#ifndef CELLA_ENCLAVE_RUNTIME_H
#define CELLA_ENCLAVE_RUNTIME_H

#include "attest/statement.h"
#include "crypto/ed25519.h"
#include "crypto/x25519.h"
#include "enclave/channel.h"
#include "image/settings.h"
#include "machine/machine.h"
#include "mail/mailbox.h"
#include <cella/enclave.h>
#include <pthread.h>

/* One instance; there is one per image, made by cella_enclave_run. */
struct cella_runtime {
    const struct cella_enclave *program;
    struct cella_settings settings;
    struct cella_x25519_key session_key;
    struct cella_ed25519_key signing_key;
    struct cella_mailbox *mailbox;
    uint8_t quoting_target[CELLA_TARGET_INFO_SIZE];
    uint8_t statement[CELLA_STATEMENT_SIZE_MAX];
    size_t statement_size;

    pthread_mutex_t post_lock; /* posts leave in the order in which they were sealed */
    /* Threads that wait for another request to end. */
    unsigned waiters; /* changed without the lock */
    pthread_mutex_t waiters_lock;
    pthread_cond_t request_finished;
};

extern struct cella_runtime cella_runtime;

/* identity.c: keys, statement and reports. */
enum cella_status cella_runtime_make_identity(struct cella_error *error);
/* REPORT, then statement, into `out` of CELLA_REPORT_SIZE + CELLA_STATEMENT_SIZE_MAX; returns the size. */
size_t cella_runtime_report(const uint8_t *nonce, uint8_t *out);

/* dispatch.c: one request, whose first frame is in `incoming`. */
void cella_runtime_dispatch(struct cella_incoming *incoming, uint8_t *buffer);

/* A post that a handler queued; everything that can fail has been done. */
struct cella_queued_post {
    struct cella_queued_post *next;
    struct cella_mailbox_prepared *prepared;
};

/* Memory that lives as long as a transaction. */
struct cella_transaction_block {
    struct cella_transaction_block *next;
    size_t size;
    uint8_t data[];
};

struct cella_transaction {
    struct cella_transaction *parent; /* of a nested call */
    unsigned depth;
    bool has_reply;
    uint8_t *reply;
    size_t reply_size;
    struct cella_queued_post *first_post;
    struct cella_queued_post **last_post;
    struct cella_transaction_block *blocks;
};

/* transaction.c */
void cella_transaction_init(struct cella_transaction *transaction, struct cella_transaction *parent);
/* Hands the posts to the parent, or seals and sends them when there is none. */
void cella_transaction_commit_posts(struct cella_transaction *transaction);
/* Wipes and frees everything that is left. */
void cella_transaction_deinit(struct cella_transaction *transaction);
/* Memory that the deinit frees; NULL if there is none. */
uint8_t *cella_transaction_allocate(struct cella_transaction *transaction, size_t size);
struct cella_bytes cella_transaction_reply(const struct cella_transaction *transaction);

/* host_call.c: the rest of a message whose first frame is in `incoming`, in memory that the caller wipes and
 * frees. A message over the limit is read to its end and dropped, so that the ring stays in step:
 * CELLA_LIMIT, CELLA_NO_MEMORY. */
enum cella_status cella_runtime_collect(struct cella_incoming *incoming, uint8_t *buffer,
                                        cella_channel_more *next, uint8_t **ret_data, size_t *ret_size);

/* host_call.c: runs the program's call handler on `request` and answers request `id`. */
void cella_runtime_run_call(struct cella_transaction *parent, uint64_t id, struct cella_bytes request);

#endif
