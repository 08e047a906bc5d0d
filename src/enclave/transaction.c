/* What a handler does and queues, from its begin to its end: all of it or nothing. */
#include "base/secret.h"
#include "enclave/runtime.h"
#include <stdlib.h>
#include <string.h>

void cella_transaction_init(struct cella_transaction *transaction, struct cella_transaction *parent) {
    *transaction =
        (struct cella_transaction){.parent = parent, .depth = parent == NULL ? 0 : parent->depth + 1};
    transaction->last_post = &transaction->first_post;
    transaction->last_after = &transaction->first_after;
}

enum cella_status cella_transaction_begin(struct cella_transaction *transaction, struct cella_error *error) {
    const struct cella_transaction *parent = transaction->parent;
    transaction->read_only = parent != NULL && parent->read_only;
    if (cella_runtime.vault == NULL)
        return CELLA_OK;
    if (transaction->read_only) {
        transaction->access = CELLA_ACCESS_READ;
        transaction->reading = parent->reading;
        return CELLA_OK;
    }
    enum cella_status status = cella_vault_begin(cella_runtime.vault, error);
    if (status == CELLA_OK)
        transaction->access = CELLA_ACCESS_WRITE;
    return status;
}

enum cella_status cella_transaction_begin_reading(struct cella_transaction *transaction) {
    transaction->read_only = true;
    if (cella_runtime.vault == NULL)
        return CELLA_OK;
    enum cella_status status = cella_vault_read(cella_runtime.vault, &transaction->reading);
    if (status == CELLA_OK)
        transaction->access = CELLA_ACCESS_READ;
    return status;
}

void cella_transaction_abort(struct cella_transaction *transaction) {
    if (transaction->access == CELLA_ACCESS_WRITE)
        cella_vault_abort(cella_runtime.vault);
    transaction->access = CELLA_ACCESS_NONE;
}

enum cella_status cella_transaction_join(struct cella_transaction *transaction) {
    struct cella_transaction *parent = transaction->parent;
    enum cella_status status = transaction->broken ? CELLA_FAILED : CELLA_OK;
    if (status == CELLA_OK && transaction->access == CELLA_ACCESS_WRITE)
        status = cella_vault_commit(cella_runtime.vault, NULL);
    else if (status != CELLA_OK)
        cella_transaction_abort(transaction);
    if (status != CELLA_OK)
        return status;
    if (transaction->first_post != NULL) {
        *parent->last_post = transaction->first_post;
        parent->last_post = transaction->last_post;
        transaction->first_post = NULL;
        transaction->last_post = &transaction->first_post;
    }
    if (transaction->first_after != NULL) {
        *parent->last_after = transaction->first_after;
        parent->last_after = transaction->last_after;
        transaction->first_after = NULL;
        transaction->last_after = &transaction->first_after;
    }
    return CELLA_OK;
}

static void free_posts(struct cella_queued_post *post) {
    while (post != NULL) {
        struct cella_queued_post *next = post->next;
        cella_mailbox_post_cancel(post->prepared);
        free((void *)(uintptr_t)post->sealed.bytes.data);
        free(post);
        post = next;
    }
}

void cella_transaction_deinit(struct cella_transaction *transaction) {
    while (transaction->scans != NULL)
        (void)cella_scan_free(transaction->scans);
    if (transaction->access == CELLA_ACCESS_READ && transaction->parent == NULL)
        cella_vault_reading_release(cella_runtime.vault, &transaction->reading);
    cella_wipe_free(transaction->reply, transaction->reply_size);
    free_posts(transaction->first_post);
    for (struct cella_after *after = transaction->first_after; after != NULL;) {
        struct cella_after *next = after->next;
        cella_wipe_free(after, sizeof *after + after->size);
        after = next;
    }
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

enum cella_status cella_transaction_add_post(struct cella_transaction *transaction,
                                             struct cella_mailbox_prepared *prepared) {
    struct cella_queued_post *post = calloc(1, sizeof *post);
    if (post == NULL) {
        cella_mailbox_post_cancel(prepared);
        return CELLA_NO_MEMORY;
    }
    post->prepared = prepared;
    *transaction->last_post = post;
    transaction->last_post = &post->next;
    return CELLA_OK;
}

/* A refusal that left everything as it was. */
static bool is_clean(enum cella_status status) {
    return status == CELLA_NOT_FOUND || status == CELLA_MAIL_TOPIC || status == CELLA_MAIL_TOPIC_LIMIT ||
           status == CELLA_LIMIT || status == CELLA_OUTBOX_LIMIT;
}

enum cella_status cella_post(struct cella_transaction *transaction, const uint8_t recipient[CELLA_KEY_SIZE],
                             const char *topic, struct cella_bytes body) {
    struct cella_mailbox_prepared *prepared = NULL;
    if (transaction->read_only)
        return CELLA_READ_ONLY;
    enum cella_status status =
        cella_mailbox_post_prepare(cella_runtime.mailbox, recipient, topic, body, &prepared, NULL);
    /* A post that follows earlier ones which are not sent yet lies in the outbox alone. */
    if (status == CELLA_OK && prepared != NULL)
        status = cella_transaction_add_post(transaction, prepared);
    if (transaction->access == CELLA_ACCESS_WRITE && status != CELLA_OK && !is_clean(status))
        transaction->broken = true;
    return status;
}
