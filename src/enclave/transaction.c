/* What a handler queues, and what becomes of it: all of it or nothing. */
#include "base/error.h"
#include "base/secret.h"
#include "enclave/runtime.h"
#include <stdlib.h>
#include <string.h>

void cella_transaction_init(struct cella_transaction *transaction, struct cella_transaction *parent) {
    *transaction =
        (struct cella_transaction){.parent = parent, .depth = parent == NULL ? 0 : parent->depth + 1};
    transaction->last_post = &transaction->first_post;
}

static void cancel_posts(struct cella_queued_post *post) {
    while (post != NULL) {
        struct cella_queued_post *next = post->next;
        cella_mailbox_post_cancel(post->prepared);
        free(post);
        post = next;
    }
}

void cella_transaction_deinit(struct cella_transaction *transaction) {
    cella_wipe_free(transaction->reply, transaction->reply_size);
    cancel_posts(transaction->first_post);
    for (struct cella_transaction_block *block = transaction->blocks; block != NULL;) {
        struct cella_transaction_block *next = block->next;
        cella_wipe_free(block, sizeof *block + block->size);
        block = next;
    }
    cella_transaction_init(transaction, NULL);
}

uint8_t *cella_transaction_allocate(struct cella_transaction *transaction, size_t size) {
    struct cella_transaction_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block->next = transaction->blocks;
    transaction->blocks = block;
    return block->data;
}

struct cella_bytes cella_transaction_reply(const struct cella_transaction *transaction) {
    return CELLA_BYTES(transaction->reply, transaction->reply_size);
}

enum cella_status cella_reply(struct cella_transaction *transaction, struct cella_bytes body) {
    if (transaction->has_reply)
        return CELLA_ARGUMENT;
    if (body.size > cella_runtime.settings.max_mail_size)
        return CELLA_LIMIT;
    uint8_t *copy = malloc(body.size == 0 ? 1 : body.size);
    if (copy == NULL)
        return CELLA_NO_MEMORY;
    if (body.size > 0)
        memcpy(copy, body.data, body.size);
    transaction->reply = copy;
    transaction->reply_size = body.size;
    transaction->has_reply = true;
    return CELLA_OK;
}

enum cella_status cella_post(struct cella_transaction *transaction, const uint8_t recipient[CELLA_KEY_SIZE],
                             const char *topic, struct cella_bytes body) {
    struct cella_queued_post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status =
        cella_mailbox_post_prepare(cella_runtime.mailbox, recipient, topic, body, &post->prepared, NULL);
    if (status != CELLA_OK) {
        free(post);
        return status;
    }
    *transaction->last_post = post;
    transaction->last_post = &post->next;
    return CELLA_OK;
}

static void send_post(struct cella_queued_post *post) {
    struct cella_mailbox_post sealed;
    CELLA_ASSERT(cella_mailbox_post_seal(post->prepared, (struct cella_bytes){0}, &sealed) == CELLA_OK);
    post->prepared = NULL;
    const struct cella_bytes parts[] = {CELLA_BYTES(sealed.route, sizeof sealed.route), sealed.bytes};
    cella_channel_send(CELLA_FRAME_POST, 0, parts, 2);
    free((void *)(uintptr_t)sealed.bytes.data);
}

void cella_transaction_commit_posts(struct cella_transaction *transaction) {
    if (transaction->first_post == NULL)
        return;
    if (transaction->parent != NULL) {
        *transaction->parent->last_post = transaction->first_post;
        transaction->parent->last_post = transaction->last_post;
        transaction->first_post = NULL;
        transaction->last_post = &transaction->first_post;
        return;
    }
    pthread_mutex_lock(&cella_runtime.post_lock);
    for (struct cella_queued_post *post = transaction->first_post; post != NULL; post = post->next)
        send_post(post);
    pthread_mutex_unlock(&cella_runtime.post_lock);
}
