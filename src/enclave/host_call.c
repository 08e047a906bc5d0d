/* Calls between the program and its host: out, in, and nested in each other. Bytes leave and come at once;
 * nothing here is part of a transaction but the posts and the reply of a call's handler. */
#include "base/reader.h"
#include "base/secret.h"
#include "base/writer.h"
#include "enclave/inside.h"
#include "enclave/runtime.h"
#include <stdlib.h>
#include <string.h>

/* Largest reply of the host, and largest request of a call, bytes. */
static size_t message_limit(void) {
    return (size_t)cella_runtime.settings.max_mail_size + 64;
}

static enum cella_status run_handler(struct cella_transaction *transaction, struct cella_bytes request) {
    const struct cella_enclave *program = cella_runtime.program;
    if (program->call == NULL)
        return CELLA_NO_HANDLER;
    return program->call(transaction, request) == CELLA_OK ? CELLA_OK : CELLA_HANDLER_FAILED;
}

/* Within a handler's own call: the bytes of the reply leave at once like those of that call, the changes are
 * its handler's. */
static void run_nested(struct cella_transaction *parent, uint64_t id, struct cella_bytes request) {
    struct cella_transaction transaction;
    cella_transaction_init(&transaction, parent);
    enum cella_status status = cella_transaction_begin(&transaction, NULL);
    if (status == CELLA_OK) {
        status = run_handler(&transaction, request);
        if (status == CELLA_OK)
            status = cella_transaction_join(&transaction);
        else
            cella_transaction_abort(&transaction);
    }
    cella_channel_answer(CELLA_FRAME_CALL_DONE, id, status,
                         status == CELLA_OK ? cella_transaction_reply(&transaction) : CELLA_BYTES(NULL, 0));
    cella_transaction_deinit(&transaction);
}

static void run_outermost(uint64_t id, struct cella_bytes request) {
    struct cella_error error = {.message = ""};
    struct cella_answer *answer = cella_answer_new(CELLA_FRAME_CALL_DONE, id, NULL);
    enum cella_status status =
        answer != NULL ? cella_transaction_begin(&answer->transaction, &error) : CELLA_NO_MEMORY;
    if (status == CELLA_OK)
        status = run_handler(&answer->transaction, request);
    if (status == CELLA_OK)
        status = cella_answer_commit(answer);
    if (status == CELLA_OK)
        return;
    cella_answer_refuse(CELLA_FRAME_CALL_DONE, id, status, error.message);
    if (answer != NULL)
        cella_transaction_abort(&answer->transaction);
    cella_answer_free(answer);
}

void cella_runtime_run_call(struct cella_transaction *parent, uint64_t id, struct cella_bytes request) {
    if (parent != NULL)
        run_nested(parent, id, request);
    else
        run_outermost(id, request);
}

enum cella_status cella_runtime_collect(struct cella_incoming *incoming, uint8_t *buffer,
                                        cella_channel_more *next, uint8_t **ret_data, size_t *ret_size) {
    size_t size = 0;
    uint8_t *data = NULL;
    enum cella_status status = CELLA_OK;
    for (;;) {
        if (incoming->chunk.size > message_limit() - size)
            status = CELLA_LIMIT;
        uint8_t *larger = status == CELLA_OK ? realloc(data, size + incoming->chunk.size + 1) : NULL;
        if (larger != NULL) {
            data = larger;
            memcpy(data + size, incoming->chunk.data, incoming->chunk.size);
            size += incoming->chunk.size;
        } else if (status == CELLA_OK) {
            status = CELLA_NO_MEMORY;
        }
        if (!incoming->more)
            break;
        next(incoming, buffer);
    }
    if (status != CELLA_OK) {
        cella_wipe_free(data, size);
        return status;
    }
    *ret_data = data;
    *ret_size = size;
    return CELLA_OK;
}

/* A message of this thread's own ring, in the transaction's memory. */
static enum cella_status collect(struct cella_transaction *transaction, struct cella_incoming *incoming,
                                 uint8_t *buffer, struct cella_bytes *ret_bytes) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = cella_runtime_collect(incoming, buffer, cella_channel_next_own, &data, &size);
    if (status != CELLA_OK)
        return status;
    uint8_t *kept = cella_transaction_allocate(transaction, size + 1);
    if (kept != NULL) {
        memcpy(kept, data, size);
        *ret_bytes = CELLA_BYTES(kept, size);
    }
    cella_wipe_free(data, size);
    return kept != NULL ? CELLA_OK : CELLA_NO_MEMORY;
}

/* The host's word on its own handler. Numbers that mean nothing, and statuses by which this side reports its
 * own limits, are not for the host to give. */
static enum cella_status host_status(enum cella_status status) {
    bool own = status == CELLA_CALL_DEPTH || status == CELLA_LIMIT || status == CELLA_NO_MEMORY;
    return own || strcmp(cella_status_name(status), "UNKNOWN") == 0 ? CELLA_FAILED : status;
}

/* Waits for the answer `type` to call `id`, serving the host's nested calls meanwhile. */
static enum cella_status await_answer(struct cella_transaction *transaction, uint16_t type, uint64_t id,
                                      uint8_t *buffer, struct cella_bytes *ret_bytes) {
    for (;;) {
        struct cella_incoming incoming;
        struct cella_bytes message;
        cella_channel_receive_own(&incoming, buffer);
        uint16_t got_type = incoming.type;
        uint64_t got_id = incoming.id;
        enum cella_status status = collect(transaction, &incoming, buffer, &message);
        if (got_type == CELLA_FRAME_CALL_NESTED) {
            if (status == CELLA_OK)
                cella_runtime_run_call(transaction, got_id, message);
            else
                cella_channel_answer(CELLA_FRAME_CALL_DONE, got_id, status, CELLA_BYTES(NULL, 0));
            continue;
        }
        if (got_type != type || got_id != id)
            cella_end(CELLA_DOOR_BROKEN, 3);
        if (status != CELLA_OK)
            return status;
        struct cella_reader reader;
        cella_reader_init(&reader, message);
        enum cella_status answer = (enum cella_status)cella_read_u32(&reader);
        size_t size = cella_reader_left(&reader);
        if (reader.failed)
            cella_end(CELLA_DOOR_BROKEN, 4);
        *ret_bytes = CELLA_BYTES(cella_read_view(&reader, size), size);
        return host_status(answer);
    }
}

static enum cella_status ask_host(struct cella_transaction *transaction, enum cella_frame_type ask,
                                  uint16_t answer, struct cella_bytes request,
                                  struct cella_bytes *ret_reply) {
    static uint64_t next_id = 1;
    if (!cella_runtime.serving)
        return CELLA_NOT_STARTED;
    if (transaction->depth >= cella_runtime.settings.max_call_depth)
        return CELLA_CALL_DEPTH;
    if (request.size > message_limit())
        return CELLA_LIMIT;
    /* Before anything is asked: an answer that cannot be taken blocks the ring. */
    uint8_t *buffer = malloc(CELLA_DOOR_FRAME_MAX);
    if (buffer == NULL)
        return CELLA_NO_MEMORY;
    uint64_t id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
    uint8_t front[4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, (uint32_t)cella_thread_data()->index);
    const struct cella_bytes parts[] = {CELLA_BYTES(front, sizeof front), request};
    cella_channel_send(ask, id, parts, 2);
    if (cella_runtime.vault != NULL && !cella_runtime_is_parallel())
        cella_vault_gathered(cella_runtime.vault);
    enum cella_status status = await_answer(transaction, answer, id, buffer, ret_reply);
    free(buffer);
    return status;
}

enum cella_status cella_call_host(struct cella_transaction *transaction, struct cella_bytes request,
                                  struct cella_bytes *ret_reply) {
    return ask_host(transaction, CELLA_FRAME_HOST_CALL, CELLA_FRAME_HOST_CALL_DONE, request, ret_reply);
}

enum cella_status cella_attestation(struct cella_transaction *transaction, uint8_t **ret_data,
                                    size_t *ret_size) {
    struct cella_bytes reply = {0};
    enum cella_status status = ask_host(transaction, CELLA_FRAME_ATTESTATION, CELLA_FRAME_ATTESTATION_DONE,
                                        CELLA_BYTES(NULL, 0), &reply);
    if (status != CELLA_OK)
        return CELLA_UNAVAILABLE;
    uint8_t *copy = malloc(reply.size + 1);
    if (copy == NULL)
        return CELLA_NO_MEMORY;
    memcpy(copy, reply.data, reply.size);
    *ret_data = copy;
    *ret_size = reply.size;
    return CELLA_OK;
}
