/* Answers: made ready while their record is being written, sent when it is durable. Must not: let anything
 * leave that tells of a state which is not. */
#include "base/error.h"
#include "base/secret.h"
#include "enclave/runtime.h"
#include "state/context.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cella_answer_refuse(enum cella_frame_type type, uint64_t id, enum cella_status status,
                         const char *text) {
    cella_channel_answer(type, id, status, CELLA_BYTES(text, strlen(text)));
}

static void note(struct cella_answer *answer, enum cella_status status, const struct cella_error *error) {
    answer->status = status;
    (void)snprintf(answer->message, sizeof answer->message, "%.*s", (int)sizeof answer->message - 1,
                   error->message);
}

static void seal_reply(struct cella_answer *answer, struct cella_bytes context) {
    struct cella_bytes reply = cella_transaction_reply(&answer->transaction);
    const struct cella_bytes *given = answer->transaction.has_reply ? &reply : NULL;
    struct cella_error error = {.message = ""};
    uint64_t size = cella_mailbox_reply_size(answer->mail, given, context.size);
    answer->sealed = malloc((size_t)size);
    if (answer->sealed == NULL) {
        note(answer, CELLA_NO_MEMORY, &error);
        return;
    }
    answer->sealed_size = (size_t)size;
    enum cella_status status =
        cella_mailbox_reply_seal(answer->mail, given, context, answer->sealed, size, &error);
    if (status != CELLA_OK)
        note(answer, status, &error);
}

/* A post that cannot be sealed stays in the outbox: its recipient gets it with its next session. */
static void seal_posts(struct cella_answer *answer, struct cella_bytes context) {
    for (struct cella_queued_post *post = answer->transaction.first_post; post != NULL; post = post->next) {
        struct cella_mailbox_prepared *prepared = post->prepared;
        post->prepared = NULL;
        if (cella_mailbox_post_seal(prepared, context, &post->sealed) != CELLA_OK)
            post->sealed.bytes = CELLA_BYTES(NULL, 0);
    }
}

static void prepare_at(struct cella_answer *answer, struct cella_vault_moment *moment) {
    uint8_t context[CELLA_CONTEXT_SIZE_MAX];
    size_t size = 0;
    struct cella_error error = {.message = ""};
    enum cella_status status = CELLA_OK;
    if (answer->prepared)
        return;
    answer->prepared = true;
    /* Whoever was told that the commit is pending asks again. */
    bool answers = answer->mail != NULL && !answer->told;
    if (moment != NULL && answers)
        status = cella_vault_write_context(cella_runtime.vault, moment,
                                           answer->has_claim ? &answer->claim : NULL, context, &size);
    if (status != CELLA_OK)
        note(answer, status, &error);
    else if (answers)
        seal_reply(answer, CELLA_BYTES(context, size));
    if (answer->transaction.first_post == NULL)
        return;
    size = 0;
    if (moment != NULL &&
        cella_vault_write_context(cella_runtime.vault, moment, NULL, context, &size) != CELLA_OK)
        size = 0;
    seal_posts(answer, CELLA_BYTES(context, size));
}

static void send_posts(struct cella_answer *answer) {
    for (struct cella_queued_post *post = answer->transaction.first_post; post != NULL; post = post->next) {
        if (post->sealed.bytes.data == NULL)
            continue;
        const struct cella_bytes parts[] = {CELLA_BYTES(post->sealed.route, sizeof post->sealed.route),
                                            post->sealed.bytes};
        cella_channel_send(CELLA_FRAME_POST, 0, parts, 2);
    }
}

static void send_answer(struct cella_answer *answer) {
    if (answer->told)
        return;
    if (answer->status != CELLA_OK)
        cella_answer_refuse(answer->type, answer->id, answer->status, answer->message);
    else if (answer->mail != NULL)
        cella_channel_answer(answer->type, answer->id, CELLA_OK,
                             CELLA_BYTES(answer->sealed, answer->sealed_size));
    else
        cella_channel_answer(answer->type, answer->id, CELLA_OK,
                             cella_transaction_reply(&answer->transaction));
}

/* It must not run here, under the vault's order of answers. */
void cella_runtime_add_after(struct cella_transaction *transaction) {
    struct cella_runtime *runtime = &cella_runtime;
    if (transaction->first_after == NULL)
        return;
    pthread_mutex_lock(&runtime->after_lock);
    if (runtime->first_after == NULL)
        runtime->last_after = &runtime->first_after;
    *runtime->last_after = transaction->first_after;
    runtime->last_after = transaction->last_after;
    pthread_mutex_unlock(&runtime->after_lock);
    transaction->first_after = NULL;
    transaction->last_after = &transaction->first_after;
}

static struct cella_answer *answer_of(struct cella_vault_waiter *waiter) {
    return (struct cella_answer *)(void *)((uint8_t *)waiter - offsetof(struct cella_answer, waiter));
}

static void on_prepare(struct cella_vault_waiter *waiter, struct cella_vault_moment *moment) {
    prepare_at(answer_of(waiter), moment);
}

static void on_release(struct cella_vault_waiter *waiter, enum cella_status status) {
    struct cella_answer *answer = answer_of(waiter);
    if (status == CELLA_COMMIT_PENDING) {
        if (!answer->told)
            cella_answer_refuse(answer->type, answer->id, status, "");
        answer->told = true;
        return;
    }
    if (status == CELLA_OK) {
        send_posts(answer);
        send_answer(answer);
        cella_runtime_add_after(&answer->transaction);
    } else if (!answer->told) {
        cella_answer_refuse(answer->type, answer->id, status, "");
    }
    cella_answer_free(answer);
}

struct cella_answer *cella_answer_new(enum cella_frame_type type, uint64_t id,
                                      struct cella_mailbox_mail *mail) {
    struct cella_answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL)
        return NULL;
    answer->waiter = (struct cella_vault_waiter){.prepare = on_prepare, .release = on_release};
    answer->type = type;
    answer->id = id;
    answer->mail = mail;
    cella_transaction_init(&answer->transaction, NULL);
    return answer;
}

void cella_answer_free(struct cella_answer *answer) {
    if (answer == NULL)
        return;
    cella_transaction_deinit(&answer->transaction);
    cella_mailbox_mail_free(answer->mail);
    free(answer->sealed);
    cella_wipe_free(answer, sizeof *answer);
}

/* Without a vault: what was queued leaves at once. */
static void send_now(struct cella_answer *answer) {
    bool posts = answer->transaction.first_post != NULL;
    if (posts)
        pthread_mutex_lock(&cella_runtime.post_lock);
    prepare_at(answer, NULL);
    send_posts(answer);
    if (posts)
        pthread_mutex_unlock(&cella_runtime.post_lock);
    send_answer(answer);
    cella_runtime_add_after(&answer->transaction);
    cella_answer_free(answer);
}

enum cella_status cella_answer_commit(struct cella_answer *answer) {
    struct cella_transaction *transaction = &answer->transaction;
    if (transaction->broken)
        return CELLA_FAILED;
    if (transaction->access != CELLA_ACCESS_WRITE) {
        send_now(answer);
        return CELLA_OK;
    }
    /* Scans look into the state that the commit ends. */
    while (transaction->scans != NULL)
        (void)cella_scan_free(transaction->scans);
    transaction->access = CELLA_ACCESS_NONE;
    return cella_vault_commit(cella_runtime.vault, &answer->waiter);
}

void cella_answer_query(struct cella_answer *answer, struct cella_vault_moment *moment) {
    prepare_at(answer, moment);
    if (moment != NULL && answer->status == CELLA_OK)
        answer->status = cella_vault_confirm(cella_runtime.vault);
    send_answer(answer);
}

static struct cella_after *take_after(void) {
    struct cella_runtime *runtime = &cella_runtime;
    pthread_mutex_lock(&runtime->after_lock);
    struct cella_after *after = runtime->first_after;
    if (after != NULL)
        runtime->first_after = after->next;
    pthread_mutex_unlock(&runtime->after_lock);
    return after;
}

void cella_runtime_run_after(void) {
    /* Looked at without the lock first: mostly there is none. Whoever added one looks after that itself. */
    while (cella_runtime.serving && __atomic_load_n(&cella_runtime.first_after, __ATOMIC_ACQUIRE) != NULL) {
        struct cella_after *after = take_after();
        if (after == NULL)
            return;
        struct cella_transaction transaction;
        cella_transaction_init(&transaction, NULL);
        transaction.has_reply = true; /* nobody waits for one */
        if (cella_transaction_begin_reading(&transaction) == CELLA_OK)
            after->work(&transaction, CELLA_BYTES(after->data, after->size));
        cella_transaction_deinit(&transaction);
        cella_wipe_free(after, sizeof *after + after->size);
    }
}
