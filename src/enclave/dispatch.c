/* One request of the host, from its first frame to its answer. Must answer every request exactly once,
 * whatever becomes of it, or end the instance. */
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "enclave/inside.h"
#include "enclave/runtime.h"
#include "enclave/vault_store.h"
#include <stdlib.h>
#include <string.h>

static void finish_request(void) {
    struct cella_runtime *runtime = &cella_runtime;
    cella_channel_finish();
    if (__atomic_load_n(&runtime->waiters, __ATOMIC_SEQ_CST) == 0)
        return;
    pthread_mutex_lock(&runtime->waiters_lock);
    pthread_cond_broadcast(&runtime->request_finished);
    pthread_mutex_unlock(&runtime->waiters_lock);
}

/* Between these two, no end of a request is missed by whoever checks first and then waits on
 * request_finished.
 */
static void begin_waiting(void) {
    __atomic_fetch_add(&cella_runtime.waiters, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&cella_runtime.waiters_lock);
}

static void finish_waiting(void) {
    pthread_mutex_unlock(&cella_runtime.waiters_lock);
    __atomic_fetch_sub(&cella_runtime.waiters, 1, __ATOMIC_SEQ_CST);
}

static bool closing(void) {
    return __atomic_load_n(&cella_runtime.closing, __ATOMIC_SEQ_CST) != 0;
}

static bool others_are_active(void) {
    return cella_channel_active() > 1;
}

/* Reads a mail's frames into the mailbox's opener, to the last one even when it was refused before. */
static enum cella_status open_mail(struct cella_incoming *incoming, uint8_t *buffer,
                                   struct cella_mailbox_mail **ret_mail, struct cella_error *error) {
    struct cella_reader reader;
    cella_reader_init(&reader, incoming->chunk);
    const uint8_t *route = cella_read_view(&reader, CELLA_MAIL_ROUTE_SIZE);
    uint64_t size = cella_read_u64(&reader);
    if (reader.failed)
        cella_end(CELLA_DOOR_BROKEN, 5);
    enum cella_status status = cella_mailbox_mail_new(cella_runtime.mailbox, route, ret_mail);
    /* Only a hint of how much memory to take at once: the host may say anything. */
    if (status == CELLA_OK)
        cella_mailbox_mail_expect(*ret_mail, size);
    size_t left = cella_reader_left(&reader);
    struct cella_bytes chunk = CELLA_BYTES(cella_read_view(&reader, left), left);
    for (;;) {
        if (status == CELLA_OK)
            status = cella_mailbox_mail_feed(*ret_mail, chunk, error);
        if (!incoming->more)
            return status;
        cella_channel_next(incoming, buffer);
        chunk = incoming->chunk;
    }
}

/* Without a vault the mailbox says BUSY while an earlier mail of the same topic is being handled by another
 * thread: wait for that. With one the writer's place keeps them apart. */
static enum cella_status begin_mail(struct cella_mailbox_mail *mail, enum cella_mailbox_verdict *ret_verdict,
                                    struct cella_error *error) {
    enum cella_status status = cella_mailbox_mail_begin(mail, ret_verdict, error);
    if (status != CELLA_MAIL_BUSY || cella_runtime.vault != NULL)
        return status;
    begin_waiting();
    while ((status = cella_mailbox_mail_begin(mail, ret_verdict, error)) == CELLA_MAIL_BUSY &&
           others_are_active())
        pthread_cond_wait(&cella_runtime.request_finished, &cella_runtime.waiters_lock);
    finish_waiting();
    return status;
}

static enum cella_status run_handler(struct cella_answer *answer) {
    const struct cella_enclave *program = cella_runtime.program;
    struct cella_transaction *transaction = &answer->transaction;
    if (program->mail == NULL)
        return CELLA_NO_HANDLER;
    if (program->mail(transaction, cella_mailbox_mail_view(answer->mail)) != CELLA_OK)
        return CELLA_HANDLER_FAILED;
    struct cella_bytes reply = cella_transaction_reply(transaction);
    return cella_mailbox_mail_commit(answer->mail, transaction->has_reply ? &reply : NULL);
}

/* Posts that the sender has not collected, and is to get again. */
static enum cella_status add_uncollected(struct cella_answer *answer, struct cella_error *error) {
    for (;;) {
        struct cella_mailbox_prepared *prepared = NULL;
        enum cella_status status = cella_mailbox_again(answer->mail, &prepared, error);
        if (status == CELLA_NOT_FOUND)
            return CELLA_OK;
        if (status == CELLA_OK)
            status = cella_transaction_add_post(&answer->transaction, prepared);
        if (status != CELLA_OK)
            return status;
    }
}

/* From its place in order to its commit, all in one transaction. */
static enum cella_status carry_out(struct cella_answer *answer, uint64_t collected,
                                   struct cella_error *error) {
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_RUN;
    enum cella_status status = cella_transaction_begin(&answer->transaction, error);
    if (status == CELLA_OK)
        status = begin_mail(answer->mail, &verdict, error);
    if (status == CELLA_OK && collected > 0)
        status = cella_mailbox_collected(answer->mail, collected, error);
    if (status == CELLA_OK && verdict == CELLA_MAILBOX_RUN)
        status = run_handler(answer);
    if (status == CELLA_OK)
        status = add_uncollected(answer, error);
    if (status == CELLA_OK)
        status = cella_answer_commit(answer);
    return status;
}

static void handle_request(struct cella_answer *answer, uint64_t collected) {
    struct cella_error error = {.message = ""};
    uint64_t id = answer->id;
    enum cella_status status = carry_out(answer, collected, &error);
    if (status == CELLA_OK)
        return;
    cella_transaction_abort(&answer->transaction);
    cella_mailbox_mail_abort(answer->mail);
    cella_answer_refuse(CELLA_FRAME_MAIL_DONE, id, status, error.message);
    cella_answer_free(answer);
}

static void handle_query(struct cella_answer *answer) {
    const struct cella_enclave *program = cella_runtime.program;
    struct cella_transaction *transaction = &answer->transaction;
    struct cella_error error = {.message = ""};
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_QUERY;
    enum cella_status status = cella_transaction_begin_reading(transaction);
    if (status == CELLA_OK)
        status = cella_mailbox_mail_begin(answer->mail, &verdict, &error);
    if (status == CELLA_OK && program->query == NULL)
        status = CELLA_NO_HANDLER;
    if (status == CELLA_OK && program->query(transaction, cella_mailbox_mail_view(answer->mail)) != CELLA_OK)
        status = CELLA_HANDLER_FAILED;
    if (status == CELLA_OK)
        cella_answer_query(answer, transaction->reading.moment);
    else
        cella_answer_refuse(CELLA_FRAME_MAIL_DONE, answer->id, status, error.message);
    cella_answer_free(answer);
}

static void handle_mail(struct cella_incoming *incoming, uint8_t *buffer) {
    struct cella_error error = {.message = ""};
    struct cella_mailbox_mail *mail = NULL;
    struct cella_answer *answer = NULL;
    struct cella_vault_claim claim = {0};
    uint64_t id = incoming->id;
    uint64_t collected = 0;
    enum cella_status status = open_mail(incoming, buffer, &mail, &error);
    if (status == CELLA_OK && closing())
        status = CELLA_CLOSED;
    if (status == CELLA_OK && cella_runtime.vault != NULL)
        status = cella_runtime_check_context(mail, &claim, &collected, &error);
    if (status == CELLA_OK && (answer = cella_answer_new(CELLA_FRAME_MAIL_DONE, id, mail)) == NULL)
        status = CELLA_NO_MEMORY;
    if (status != CELLA_OK) {
        cella_answer_refuse(CELLA_FRAME_MAIL_DONE, id, status, error.message);
        cella_mailbox_mail_free(mail);
        return;
    }
    answer->has_claim = cella_runtime.vault != NULL;
    answer->claim = claim;
    if (cella_mailbox_mail_is_query(mail))
        handle_query(answer);
    else
        handle_request(answer, collected);
}

static void handle_call(struct cella_incoming *incoming, uint8_t *buffer) {
    uint64_t id = incoming->id;
    size_t size = 0;
    uint8_t *data = NULL;
    enum cella_status status = cella_runtime_collect(incoming, buffer, cella_channel_next, &data, &size);
    if (status == CELLA_OK && closing())
        status = CELLA_CLOSED;
    if (status == CELLA_OK)
        cella_runtime_run_call(NULL, id, CELLA_BYTES(data, size));
    else
        cella_channel_answer(CELLA_FRAME_CALL_DONE, id, status, CELLA_BYTES(NULL, 0));
    cella_wipe_free(data, size);
}

static void handle_report(const struct cella_incoming *incoming) {
    struct cella_reader reader;
    cella_reader_init(&reader, incoming->chunk);
    uint8_t has_nonce = cella_read_u8(&reader);
    const uint8_t *nonce = cella_read_view(&reader, CELLA_NONCE_SIZE);
    if (!cella_reader_done(&reader) || incoming->more || has_nonce > 1)
        cella_end(CELLA_DOOR_BROKEN, 6);
    uint8_t out[CELLA_REPORT_SIZE + CELLA_STATEMENT_SIZE_MAX];
    size_t size = cella_runtime_report(has_nonce == 1 ? nonce : NULL, out);
    cella_channel_answer(CELLA_FRAME_REPORT_DONE, incoming->id, CELLA_OK, CELLA_BYTES(out, size));
}

/* What the host says about a write. */
static void handle_written(const struct cella_incoming *incoming) {
    struct cella_reader reader;
    cella_reader_init(&reader, incoming->chunk);
    uint32_t status = cella_read_u32(&reader);
    if (!cella_reader_done(&reader) || incoming->more || cella_runtime.vault == NULL)
        cella_end(CELLA_DOOR_BROKEN, 10);
    cella_channel_expect(false);
    cella_vault_written(cella_runtime.vault, incoming->id, cella_vault_store_status(status));
}

/* The end of an orderly close: nothing is being handled, everything committed is durable or given up by the
 * host. The stop hook runs, then the instance ends. */
static _Noreturn void finish_close(void) {
    struct cella_runtime *runtime = &cella_runtime;
    cella_channel_close();
    begin_waiting();
    /* What was received before that is refused by other threads now. */
    while (cella_channel_active() > 0)
        pthread_cond_wait(&runtime->request_finished, &runtime->waiters_lock);
    finish_waiting();
    while (__atomic_load_n(&runtime->lookers, __ATOMIC_SEQ_CST) > 1)
        __builtin_ia32_pause();
    if (runtime->program->stop != NULL)
        runtime->program->stop();
    cella_mailbox_free(runtime->mailbox);
    cella_vault_free(runtime->vault);
    cella_x25519_deinit(&runtime->session_key);
    cella_ed25519_deinit(&runtime->signing_key);
    cella_channel_send(CELLA_FRAME_CLOSED, 0, NULL, 0);
    for (;;)
        cella_exit(CELLA_EXIT_FINISHED, 0, 0);
}

/* After each request: is an orderly close asked for, and is this the last that it waits for? */
static void close_if_quiet(void) {
    if (!closing() || cella_channel_active() > 0 ||
        (cella_runtime.vault != NULL && cella_vault_busy(cella_runtime.vault)))
        return;
    if (__atomic_exchange_n(&cella_runtime.closer, 1, __ATOMIC_SEQ_CST) == 0)
        finish_close();
}

/* A request that has ended keeps nothing from closing, but its thread looks at the vault once more. */
static void end_request(void) {
    __atomic_fetch_add(&cella_runtime.lookers, 1, __ATOMIC_SEQ_CST);
    finish_request();
    close_if_quiet();
    __atomic_fetch_sub(&cella_runtime.lookers, 1, __ATOMIC_SEQ_CST);
}

/* A record that waits for more answers must not wait for ever while other requests keep coming. One thread
 * only. */
static void limit_gathering(void) {
    enum { REQUESTS = 128 };
    static unsigned requests;
    if (cella_runtime.vault == NULL || !cella_vault_is_gathering(cella_runtime.vault))
        requests = 0;
    else if (++requests == REQUESTS)
        cella_vault_gathered(cella_runtime.vault);
}

void cella_runtime_dispatch(struct cella_incoming *incoming, uint8_t *buffer) {
    switch (incoming->type) {
    case CELLA_FRAME_MAIL:
        handle_mail(incoming, buffer);
        break;
    case CELLA_FRAME_CALL:
        handle_call(incoming, buffer);
        break;
    case CELLA_FRAME_REPORT:
        handle_report(incoming);
        break;
    case CELLA_FRAME_STORE_WRITTEN:
        handle_written(incoming);
        break;
    case CELLA_FRAME_CLOSE:
        __atomic_store_n(&cella_runtime.closing, 1, __ATOMIC_SEQ_CST);
        break;
    default:
        /* The table let nothing else through. */
        CELLA_ASSERT(false);
    }
    cella_runtime_run_after();
    limit_gathering();
    end_request();
}
