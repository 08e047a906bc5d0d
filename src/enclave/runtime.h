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
#include "state/vault.h"
#include <cella/enclave.h>
#include <pthread.h>

/* Work that follows a commit. */
struct cella_after;

/* One instance; there is one per image, made by cella_enclave_run. */
struct cella_runtime {
    const struct cella_enclave *program;
    struct cella_settings settings;
    struct cella_x25519_key session_key;
    struct cella_ed25519_key signing_key;
    struct cella_vault *vault; /* NULL: the image has none */
    struct cella_vault_report vault_report;
    struct cella_mailbox *mailbox;
    uint8_t quoting_target[CELLA_TARGET_INFO_SIZE];
    uint8_t statement[CELLA_STATEMENT_SIZE_MAX];
    size_t statement_size;

    pthread_mutex_t post_lock; /* without a vault: posts leave in the order in which they were sealed */
    /* Work that follows commits which are durable. */
    pthread_mutex_t after_lock;
    struct cella_after *first_after;
    struct cella_after **last_after;
    /* Threads that wait for another request to end. */
    unsigned waiters; /* changed without the lock */
    pthread_mutex_t waiters_lock;
    pthread_cond_t request_finished;
    /* An orderly close was asked for; then, one thread carries it out, when no other looks whether it should.
     * Changed without a lock. */
    unsigned closing;
    unsigned closer;
    unsigned lookers;
    bool serving; /* the host was told that the instance is ready; set before there is a second thread */
};

extern struct cella_runtime cella_runtime;

/* runtime.c: whether several threads serve. */
bool cella_runtime_is_parallel(void);

/* identity.c: keys, statement and reports. After the vault, which is part of the statement. */
enum cella_status cella_runtime_make_identity(struct cella_error *error);
/* REPORT, then statement, into `out` of CELLA_REPORT_SIZE + CELLA_STATEMENT_SIZE_MAX; returns the size. */
size_t cella_runtime_report(const uint8_t *nonce, uint8_t *out);

/* vault_start.c: fills vault and vault_report; in mode CHECK it ends the instance. */
enum cella_status cella_runtime_start_vault(enum cella_vault_mode mode, struct cella_error *error);
/* vault_mail.c: the part of the vault that the mailbox keeps. */
extern const struct cella_mail_keep cella_runtime_keep;
/* Before a mail is begun: what its context claims. CELLA_VAULT_CONTEXT, CELLA_NEWER_FORMAT, and what
 * cella_vault_check_context says.
 * `*ret_collected` is 0 without a context. */
enum cella_status cella_runtime_check_context(const struct cella_mailbox_mail *mail,
                                              struct cella_vault_claim *ret_claim, uint64_t *ret_collected,
                                              struct cella_error *error);

/* dispatch.c: one request, whose first frame is in `incoming`. */
void cella_runtime_dispatch(struct cella_incoming *incoming, uint8_t *buffer);

/* A post that a handler queued; everything that can fail has been done. */
struct cella_queued_post {
    struct cella_queued_post *next;
    struct cella_mailbox_prepared *prepared;
    struct cella_mailbox_post sealed; /* once it is */
};

/* Work that follows a commit. */
struct cella_after {
    struct cella_after *next;
    void (*work)(struct cella_transaction *after, struct cella_bytes data);
    size_t size;
    uint8_t data[];
};

/* Memory that lives as long as a transaction. */
struct cella_transaction_block {
    struct cella_transaction_block *next;
    size_t size;
    uint8_t data[];
};

enum cella_access {
    CELLA_ACCESS_NONE,  /* there is no vault */
    CELLA_ACCESS_WRITE, /* the vault's writer */
    CELLA_ACCESS_READ,  /* the last durable state, in `reading` */
};

struct cella_transaction {
    struct cella_transaction *parent; /* of a nested call */
    unsigned depth;
    bool read_only; /* of a query, of later work, or in a call nested in one */
    enum cella_access access;
    struct cella_vault_reading reading;
    struct cella_scan *scans;
    bool broken; /* a change failed half-way: it must not be committed */
    bool has_reply;
    uint8_t *reply;
    size_t reply_size;
    struct cella_queued_post *first_post;
    struct cella_queued_post **last_post;
    struct cella_after *first_after;
    struct cella_after **last_after;
    struct cella_transaction_block *blocks;
};

/* transaction.c */
void cella_transaction_init(struct cella_transaction *transaction, struct cella_transaction *parent);
/* Begins it in the vault, if there is one: as the vault's writer, or a level deeper under a parent that
 * writes. Statuses of cella_vault_begin. */
enum cella_status cella_transaction_begin(struct cella_transaction *transaction, struct cella_error *error);
/* The same as a reader of the last durable state; also without a vault nothing can be queued. */
enum cella_status cella_transaction_begin_reading(struct cella_transaction *transaction);
/* Ends it in the vault, if it is the vault's writer: a nested one gives its changes to its parent.
 * CELLA_FAILED: it is broken; as abort. What cella_vault_commit says. Not for the outermost of a vault. */
enum cella_status cella_transaction_join(struct cella_transaction *transaction);
/* Takes back what it changed, if it is the vault's writer. */
void cella_transaction_abort(struct cella_transaction *transaction);
/* Wipes and frees everything that is left; posts are cancelled. The vault's own transaction has ended before.
 */
void cella_transaction_deinit(struct cella_transaction *transaction);
/* Adds a post behind the others. CELLA_NO_MEMORY: it is cancelled. */
enum cella_status cella_transaction_add_post(struct cella_transaction *transaction,
                                             struct cella_mailbox_prepared *prepared);
/* Memory that the deinit frees; NULL if there is none. */
uint8_t *cella_transaction_allocate(struct cella_transaction *transaction, size_t size);
struct cella_bytes cella_transaction_reply(const struct cella_transaction *transaction);

/* answer.c: what leaves when a handler has succeeded. */
struct cella_answer {
    struct cella_vault_waiter waiter;
    enum cella_frame_type type; /* MAIL_DONE or CALL_DONE */
    uint64_t id;
    struct cella_mailbox_mail *mail; /* owned; NULL for a call */
    bool has_claim;
    struct cella_vault_claim claim;
    struct cella_transaction transaction; /* its reply, posts and later work */
    bool prepared;
    bool told; /* the host has an answer: that the commit is pending */
    enum cella_status status;
    char message[128];
    uint8_t *sealed;
    size_t sealed_size;
};
/* NULL if there is no memory. Takes over `mail` only on success. */
struct cella_answer *cella_answer_new(enum cella_frame_type type, uint64_t id,
                                      struct cella_mailbox_mail *mail);
/* The handler succeeded: commits its transaction, and the answer leaves when that is durable; without a vault
 * at once. On success the answer is no longer the caller's. A failure is as an abort of the vault's
 * transaction; what the answer is depends on the caller, who frees it. */
enum cella_status cella_answer_commit(struct cella_answer *answer);
/* The answer to a query, told by what `reading` sees. */
void cella_answer_query(struct cella_answer *answer, struct cella_vault_moment *moment);
void cella_answer_free(struct cella_answer *answer);
/* Answers with a status and a sentence. */
void cella_answer_refuse(enum cella_frame_type type, uint64_t id, enum cella_status status, const char *text);
/* The transaction is durable: what is to follow it waits for a thread. */
void cella_runtime_add_after(struct cella_transaction *transaction);
/* Runs what is to follow commits, unless the instance is not ready yet. By a thread that holds no lock and no
 * transaction. */
void cella_runtime_run_after(void);

/* host_call.c: the rest of a message whose first frame is in `incoming`, in memory that the caller wipes and
 * frees. A message over the limit is read to its end and dropped, so that the ring stays in step:
 * CELLA_LIMIT, CELLA_NO_MEMORY. */
enum cella_status cella_runtime_collect(struct cella_incoming *incoming, uint8_t *buffer,
                                        cella_channel_more *next, uint8_t **ret_data, size_t *ret_size);

/* host_call.c: runs the program's call handler on `request` and answers request `id`. */
void cella_runtime_run_call(struct cella_transaction *parent, uint64_t id, struct cella_bytes request);

#endif
