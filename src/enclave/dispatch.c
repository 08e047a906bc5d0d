/* One request of the host, from its first frame to its answer. Must answer every request exactly once,
 * whatever becomes of it, or end the instance. */
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "enclave/inside.h"
#include "enclave/runtime.h"
#include <stdlib.h>
#include <string.h>

static void answer_text(enum cella_frame_type type, uint64_t id, enum cella_status status, const char *text) {
    cella_channel_answer(type, id, status, CELLA_BYTES(text, strlen(text)));
}

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

/* The mailbox says BUSY while an earlier mail of the same topic is being handled by another thread: wait for
 * that. */
static enum cella_status begin_mail(struct cella_mailbox_mail *mail, enum cella_mailbox_verdict *ret_verdict,
                                    struct cella_error *error) {
    enum cella_status status = cella_mailbox_mail_begin(mail, ret_verdict, error);
    if (status != CELLA_MAIL_BUSY)
        return status;
    begin_waiting();
    while ((status = cella_mailbox_mail_begin(mail, ret_verdict, error)) == CELLA_MAIL_BUSY &&
           others_are_active())
        pthread_cond_wait(&cella_runtime.request_finished, &cella_runtime.waiters_lock);
    finish_waiting();
    return status;
}

static enum cella_status run_handler(struct cella_mailbox_mail *mail, struct cella_transaction *transaction) {
    const struct cella_enclave *program = cella_runtime.program;
    if (program->mail == NULL)
        return CELLA_NO_HANDLER;
    if (program->mail(transaction, cella_mailbox_mail_view(mail)) != CELLA_OK)
        return CELLA_HANDLER_FAILED;
    struct cella_bytes reply = cella_transaction_reply(transaction);
    return cella_mailbox_mail_commit(mail, transaction->has_reply ? &reply : NULL);
}

static enum cella_status run_query(const struct cella_mailbox_mail *mail,
                                   struct cella_transaction *transaction) {
    const struct cella_enclave *program = cella_runtime.program;
    if (program->query == NULL)
        return CELLA_NO_HANDLER;
    bool done = program->query(transaction, cella_mailbox_mail_view(mail)) == CELLA_OK;
    return done ? CELLA_OK : CELLA_HANDLER_FAILED;
}

static void answer_mail(uint64_t id, struct cella_mailbox_mail *mail,
                        const struct cella_transaction *transaction) {
    struct cella_bytes reply = cella_transaction_reply(transaction);
    const struct cella_bytes *given = transaction->has_reply ? &reply : NULL;
    uint8_t small[4096];
    uint64_t size = cella_mailbox_reply_size(mail, given, 0);
    uint8_t *out = size <= sizeof small ? small : malloc((size_t)size);
    struct cella_error error = {.message = ""};
    enum cella_status status = CELLA_NO_MEMORY;
    if (out != NULL)
        status = cella_mailbox_reply_seal(mail, given, (struct cella_bytes){0}, out, size, &error);
    if (status == CELLA_OK)
        cella_channel_answer(CELLA_FRAME_MAIL_DONE, id, status, CELLA_BYTES(out, (size_t)size));
    else
        answer_text(CELLA_FRAME_MAIL_DONE, id, status, error.message);
    if (out != small)
        free(out);
}

static void handle_opened(uint64_t id, struct cella_mailbox_mail *mail) {
    struct cella_error error = {.message = ""};
    struct cella_transaction transaction;
    cella_transaction_init(&transaction, NULL);
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_RUN;
    enum cella_status status = begin_mail(mail, &verdict, &error);
    if (status == CELLA_OK && verdict == CELLA_MAILBOX_RUN) {
        status = run_handler(mail, &transaction);
        if (status == CELLA_OK)
            cella_transaction_commit_posts(&transaction);
        else
            cella_mailbox_mail_abort(mail);
    } else if (status == CELLA_OK && verdict == CELLA_MAILBOX_QUERY) {
        status = run_query(mail, &transaction);
    }
    if (status == CELLA_OK)
        answer_mail(id, mail, &transaction);
    else
        answer_text(CELLA_FRAME_MAIL_DONE, id, status, error.message);
    cella_transaction_deinit(&transaction);
}

static void handle_mail(struct cella_incoming *incoming, uint8_t *buffer) {
    struct cella_error error = {.message = ""};
    struct cella_mailbox_mail *mail = NULL;
    uint64_t id = incoming->id;
    enum cella_status status = open_mail(incoming, buffer, &mail, &error);
    if (status == CELLA_OK)
        handle_opened(id, mail);
    else
        answer_text(CELLA_FRAME_MAIL_DONE, id, status, error.message);
    cella_mailbox_mail_free(mail);
}

static void handle_call(struct cella_incoming *incoming, uint8_t *buffer) {
    uint64_t id = incoming->id;
    size_t size = 0;
    uint8_t *data = NULL;
    enum cella_status status = cella_runtime_collect(incoming, buffer, cella_channel_next, &data, &size);
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

/* An orderly close: what is being handled is finished, then the stop hook runs, then the instance ends. */
static _Noreturn void handle_close(void) {
    struct cella_runtime *runtime = &cella_runtime;
    cella_channel_close();
    begin_waiting();
    while (others_are_active())
        pthread_cond_wait(&runtime->request_finished, &runtime->waiters_lock);
    finish_waiting();
    if (runtime->program->stop != NULL)
        runtime->program->stop();
    cella_mailbox_free(runtime->mailbox);
    cella_x25519_deinit(&runtime->session_key);
    cella_ed25519_deinit(&runtime->signing_key);
    cella_channel_send(CELLA_FRAME_CLOSED, 0, NULL, 0);
    for (;;)
        cella_exit(CELLA_EXIT_FINISHED, 0, 0);
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
    case CELLA_FRAME_CLOSE:
        handle_close();
    default:
        /* The table let nothing else through. */
        CELLA_ASSERT(false);
    }
    finish_request();
}
