/* Calls that the enclave makes to its host: each runs on a thread of its own and is answered on the asking
 * enclave thread's ring. */
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "host/instance_internal.h"
#include <stdlib.h>
#include <string.h>

struct call {
    struct cella_instance *instance;
    uint16_t type;
    uint64_t id;      /* as the enclave named it */
    uint64_t call_id; /* as the host names it: enclave thread << 56 | id */
    size_t size;
    uint8_t request[];
};

static bool push_call(struct cella_instance *instance, const struct call *call) {
    struct instance_calls *calls = &instance->calls[call->call_id >> 56];
    pthread_mutex_lock(&instance->call_lock);
    bool good = calls->depth < INSTANCE_CALL_DEPTH && instance->call_threads < INSTANCE_CALL_THREADS;
    if (good) {
        calls->active[calls->depth++] = call->call_id;
        instance->call_threads++;
    }
    pthread_mutex_unlock(&instance->call_lock);
    return good;
}

static void pop_call(struct cella_instance *instance, const struct call *call) {
    struct instance_calls *calls = &instance->calls[call->call_id >> 56];
    pthread_mutex_lock(&instance->call_lock);
    if (calls->depth > 0 && calls->active[calls->depth - 1] == call->call_id)
        calls->depth--;
    pthread_mutex_unlock(&instance->call_lock);
}

static void answer(const struct call *call, uint16_t type, enum cella_status status,
                   struct cella_bytes reply) {
    struct cella_instance *instance = call->instance;
    struct instance_calls *calls = &instance->calls[call->call_id >> 56];
    uint8_t front[4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, (uint32_t)status);
    const struct cella_bytes parts[] = {CELLA_BYTES(front, sizeof front), reply};
    struct cella_frame frame = {.type = type, .id = call->id};
    /* The innermost call is over before its answer can start the next one. */
    pop_call(instance, call);
    pthread_mutex_lock(&calls->ring_lock);
    (void)cella_ring_put_message(&calls->ring, frame, parts, 2);
    pthread_mutex_unlock(&calls->ring_lock);
    cella_ring_notify(&calls->ring);
}

static void finish_call(struct call *call) {
    struct cella_instance *instance = call->instance;
    free(call);
    /* The instance may be freed as soon as the last lock is released. */
    pthread_mutex_lock(&instance->lock);
    pthread_mutex_lock(&instance->call_lock);
    instance->call_threads--;
    pthread_mutex_unlock(&instance->call_lock);
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
}

static void *call_main(void *opaque) {
    struct call *call = opaque;
    struct cella_instance *instance = call->instance;
    const struct cella_instance_events *events = &instance->events;
    uint8_t *reply = NULL;
    size_t size = 0;
    enum cella_status status = CELLA_NO_HANDLER;
    uint16_t answer_type = CELLA_FRAME_HOST_CALL_DONE;
    if (call->type == CELLA_FRAME_ATTESTATION) {
        answer_type = CELLA_FRAME_ATTESTATION_DONE;
        if (events->attestation != NULL)
            status = events->attestation(events->context, &reply, &size);
    } else if (events->call != NULL) {
        status = events->call(events->context, call->call_id, CELLA_BYTES(call->request, call->size), &reply,
                              &size);
    }
    if (status != CELLA_OK)
        size = 0;
    answer(call, answer_type, status, CELLA_BYTES(reply, size));
    free(reply);
    finish_call(call);
    return NULL;
}

enum cella_status cella_instance_start_call(struct cella_instance *instance, uint16_t type, uint64_t id,
                                            struct cella_bytes message) {
    struct cella_reader reader;
    cella_reader_init(&reader, message);
    uint32_t thread = cella_read_u32(&reader);
    size_t size = cella_reader_left(&reader);
    if (reader.failed || thread >= CELLA_DOOR_THREADS || id >> 56 != 0)
        return CELLA_DAMAGED;
    struct call *call = malloc(sizeof *call + size);
    if (call == NULL)
        return CELLA_NO_MEMORY;
    *call = (struct call){
        .instance = instance, .type = type, .id = id, .call_id = (uint64_t)thread << 56 | id, .size = size};
    cella_read_copy(&reader, call->request, size);
    if (!push_call(instance, call)) {
        free(call);
        return CELLA_LIMIT;
    }
    pthread_attr_t attributes;
    pthread_t ignored;
    bool good = pthread_attr_init(&attributes) == 0;
    if (good) {
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        good = pthread_create(&ignored, &attributes, call_main, call) == 0;
        pthread_attr_destroy(&attributes);
    }
    if (!good) {
        pop_call(instance, call);
        finish_call(call);
    }
    return good ? CELLA_OK : CELLA_LIMIT;
}
