/* Requests in and answers out through one instance's door. Must not trust what comes out: ids that name
 * nothing, frames that the table does not allow and impossible sizes end the instance. */
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "host/instance_internal.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char broken_position[] = "the enclave's ring position is impossible";

static void park_wait(uint32_t *word, uint32_t seen) {
    /* The word lies in shared memory, where a hostile instance may change it between a ring and our sleep;
     * whoever waits looks again after this time at the latest. */
    struct timespec limit = {.tv_sec = 1};
    (void)syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, NULL, 0);
}

static void park_wake(uint32_t *word, uint32_t count) {
    (void)syscall(SYS_futex, word, FUTEX_WAKE, count > INT_MAX ? INT_MAX : count, NULL, NULL, 0);
}

const struct cella_door_park cella_instance_park = {.wait = park_wait, .wake = park_wake};

void cella_instance_wire_init(struct cella_instance *instance) {
    struct cella_door_region *door = instance->door;
    cella_ring_init(&instance->request_ring, &door->requests, door->request_data, CELLA_DOOR_RING_SIZE,
                    &cella_instance_park);
    instance->request_ring.stop = &instance->ended;
    instance->request_ring.patient = &instance->reader_awake;
    cella_ring_init(&instance->reply_ring, &door->replies, door->reply_data, CELLA_DOOR_RING_SIZE,
                    &cella_instance_park);
    instance->reply_ring.stop = &instance->ended;
    for (size_t i = 0; i < CELLA_DOOR_THREADS; i++) {
        cella_ring_init(&instance->calls[i].ring, &door->threads[i], door->thread_data[i],
                        CELLA_DOOR_REPLY_SIZE, &cella_instance_park);
        instance->calls[i].ring.stop = &instance->ended;
        pthread_mutex_init(&instance->calls[i].ring_lock, NULL);
    }
    for (int i = 0; i < INSTANCE_REQUESTS; i++)
        instance->requests[i].next_free = i + 1 < INSTANCE_REQUESTS ? i + 1 : -1;
    instance->last_pending = &instance->first_pending;
}

/* Reserves a request; on refusal calls done at once. */
static bool open_request(struct cella_instance *instance, uint16_t answer, cella_instance_done *done,
                         void *context, uint64_t *ret_id) {
    pthread_mutex_lock(&instance->lock);
    enum cella_status status = CELLA_OK;
    int slot = instance->first_free;
    if (instance->state == INSTANCE_STARTING)
        status = CELLA_NOT_STARTED;
    else if (instance->state != INSTANCE_SERVING)
        status = CELLA_CLOSED;
    else if (slot < 0 || instance->open_requests >= instance->max_requests)
        status = CELLA_LIMIT;
    if (status == CELLA_OK) {
        struct instance_request *request = &instance->requests[slot];
        instance->first_free = request->next_free;
        request->done = done;
        request->context = context;
        request->answer = answer;
        request->id = ++instance->generation << 16 | (uint64_t)(slot + 1);
        __atomic_fetch_add(&instance->open_requests, 1, __ATOMIC_SEQ_CST);
        *ret_id = request->id;
    }
    pthread_mutex_unlock(&instance->lock);
    if (status != CELLA_OK)
        done(context, status,
             status == CELLA_LIMIT ? "more requests are under way than max_queued of enclave.conf allows"
                                   : cella_status_sentence(status),
             CELLA_BYTES(NULL, 0));
    return status == CELLA_OK;
}

/* Takes the request with this id and answer out of the table; its done is called by the caller. */
static bool close_request(struct cella_instance *instance, uint64_t id, uint16_t answer,
                          struct instance_request *ret_request) {
    size_t slot = (size_t)(id & 0xffff) - 1;
    bool found = false;
    pthread_mutex_lock(&instance->lock);
    if (slot < INSTANCE_REQUESTS) {
        struct instance_request *request = &instance->requests[slot];
        found = request->done != NULL && request->id == id && (answer == 0 || request->answer == answer);
        if (found) {
            *ret_request = *request;
            request->done = NULL;
            request->next_free = instance->first_free;
            instance->first_free = (int)slot;
            __atomic_fetch_sub(&instance->open_requests, 1, __ATOMIC_SEQ_CST);
        }
    }
    pthread_mutex_unlock(&instance->lock);
    return found;
}

static size_t total_size(const struct cella_bytes *parts, size_t part_count) {
    size_t size = 0;
    for (size_t i = 0; i < part_count; i++)
        size += parts[i].size;
    return size;
}

/* Room that the message needs in the ring, headers and padding included. */
static size_t room_for(size_t size) {
    size_t frames = size / CELLA_DOOR_FRAME_MAX + 1;
    return size + frames * (CELLA_DOOR_HEADER + 16);
}

static enum cella_status queue_message(struct cella_instance *instance, struct cella_frame frame,
                                       const struct cella_bytes *parts, size_t part_count) {
    size_t size = total_size(parts, part_count);
    /* What the host itself has to say is little, and must not be kept out by what clients send. */
    bool of_clients = frame.type == CELLA_FRAME_MAIL || frame.type == CELLA_FRAME_CALL;
    if (of_clients &&
        (instance->pending_count >= INSTANCE_PENDING || instance->pending_bytes > INSTANCE_PENDING_BYTES ||
         size > INSTANCE_PENDING_BYTES - instance->pending_bytes))
        return CELLA_LIMIT;
    struct instance_pending *pending = malloc(sizeof *pending + size);
    if (pending == NULL)
        return CELLA_NO_MEMORY;
    *pending = (struct instance_pending){.frame = frame, .size = size};
    uint8_t *at = pending->data;
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].size > 0)
            memcpy(at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    *instance->last_pending = pending;
    instance->last_pending = &pending->next;
    instance->pending_count++;
    instance->pending_bytes += size;
    if (!instance->has_writer)
        instance->has_writer =
            pthread_create(&instance->writer, NULL, cella_instance_writer_main, instance) == 0;
    pthread_cond_signal(&instance->send_changed);
    return instance->has_writer ? CELLA_OK : CELLA_NO_MEMORY;
}

enum cella_status cella_instance_send(struct cella_instance *instance, struct cella_frame frame,
                                      const struct cella_bytes *parts, size_t part_count) {
    pthread_mutex_lock(&instance->send_lock);
    enum cella_status status;
    bool direct = instance->first_pending == NULL && !instance->writer_busy &&
                  cella_ring_room(&instance->request_ring) >= room_for(total_size(parts, part_count));
    if (direct) {
        status = cella_ring_put_message(&instance->request_ring, frame, parts, part_count);
    } else {
        status = queue_message(instance, frame, parts, part_count);
    }
    pthread_mutex_unlock(&instance->send_lock);
    if (direct)
        cella_ring_notify(&instance->request_ring);
    return status;
}

/* Puts queued messages when there is room; ends with the instance. */
void *cella_instance_writer_main(void *opaque) {
    struct cella_instance *instance = opaque;
    pthread_mutex_lock(&instance->send_lock);
    while (__atomic_load_n(&instance->ended, __ATOMIC_SEQ_CST) == 0) {
        struct instance_pending *pending = instance->first_pending;
        if (pending == NULL) {
            pthread_cond_wait(&instance->send_changed, &instance->send_lock);
            continue;
        }
        instance->first_pending = pending->next;
        if (instance->first_pending == NULL)
            instance->last_pending = &instance->first_pending;
        instance->pending_count--;
        instance->pending_bytes -= pending->size;
        instance->writer_busy = true;
        pthread_mutex_unlock(&instance->send_lock);
        struct cella_bytes part = CELLA_BYTES(pending->data, pending->size);
        enum cella_status status = cella_ring_put_message(&instance->request_ring, pending->frame, &part, 1);
        if (status == CELLA_DOOR_BROKEN)
            cella_instance_set_ended(instance, status, broken_position);
        cella_ring_notify(&instance->request_ring);
        free(pending);
        pthread_mutex_lock(&instance->send_lock);
        instance->writer_busy = false;
    }
    pthread_mutex_unlock(&instance->send_lock);
    return NULL;
}

/* A request's frame type, the type of its answer, and who is told. */
struct submission {
    uint16_t type;
    uint16_t answer;
    cella_instance_done *done;
    void *context;
};

static void submit(struct cella_instance *instance, struct submission what, const struct cella_bytes *parts,
                   size_t part_count) {
    uint64_t id;
    if (!open_request(instance, what.answer, what.done, what.context, &id))
        return;
    struct cella_frame frame = {.type = what.type, .id = id};
    enum cella_status status = cella_instance_send(instance, frame, parts, part_count);
    struct instance_request request;
    if (status != CELLA_OK && close_request(instance, id, what.answer, &request))
        what.done(what.context, status, status == CELLA_LIMIT ? "too much mail waits for this enclave" : "",
                  CELLA_BYTES(NULL, 0));
}

void cella_instance_mail(struct cella_instance *instance, const uint8_t route[CELLA_ROUTE_SIZE],
                         struct cella_bytes mail, cella_instance_done *done, void *context) {
    uint8_t front[CELLA_ROUTE_SIZE + 8];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_bytes(&writer, route, CELLA_ROUTE_SIZE);
    cella_write_u64(&writer, mail.size);
    const struct cella_bytes parts[] = {CELLA_BYTES(front, sizeof front), mail};
    submit(instance, (struct submission){CELLA_FRAME_MAIL, CELLA_FRAME_MAIL_DONE, done, context}, parts, 2);
}

void cella_instance_call(struct cella_instance *instance, struct cella_bytes request,
                         cella_instance_done *done, void *context) {
    submit(instance, (struct submission){CELLA_FRAME_CALL, CELLA_FRAME_CALL_DONE, done, context}, &request,
           1);
}

void cella_instance_report(struct cella_instance *instance, const uint8_t nonce[32],
                           cella_instance_done *done, void *context) {
    uint8_t payload[33] = {0};
    payload[0] = nonce != NULL;
    if (nonce != NULL)
        memcpy(payload + 1, nonce, 32);
    struct cella_bytes part = CELLA_BYTES(payload, sizeof payload);
    submit(instance, (struct submission){CELLA_FRAME_REPORT, CELLA_FRAME_REPORT_DONE, done, context}, &part,
           1);
}

void cella_instance_call_nested(struct cella_instance *instance, uint64_t call_id, struct cella_bytes request,
                                cella_instance_done *done, void *context) {
    size_t thread = (size_t)(call_id >> 56);
    uint64_t id;
    if (thread >= CELLA_DOOR_THREADS) {
        done(context, CELLA_ARGUMENT, "this call id names no call", CELLA_BYTES(NULL, 0));
        return;
    }
    struct instance_calls *calls = &instance->calls[thread];
    pthread_mutex_lock(&instance->call_lock);
    bool innermost = calls->depth > 0 && calls->active[calls->depth - 1] == call_id;
    pthread_mutex_unlock(&instance->call_lock);
    if (!innermost) {
        done(context, CELLA_ARGUMENT, "this call is not the one that its enclave thread waits in",
             CELLA_BYTES(NULL, 0));
        return;
    }
    if (!open_request(instance, CELLA_FRAME_CALL_DONE, done, context, &id))
        return;
    struct cella_frame frame = {.type = CELLA_FRAME_CALL_NESTED, .id = id};
    pthread_mutex_lock(&calls->ring_lock);
    enum cella_status status = cella_ring_put_message(&calls->ring, frame, &request, 1);
    pthread_mutex_unlock(&calls->ring_lock);
    if (status == CELLA_DOOR_BROKEN)
        cella_instance_set_ended(instance, status, broken_position);
    cella_ring_notify(&calls->ring);
}

static void finish_request(struct cella_instance *instance, uint16_t type, uint64_t id,
                           struct cella_bytes message) {
    struct cella_reader reader;
    struct instance_request request;
    cella_reader_init(&reader, message);
    enum cella_status status = (enum cella_status)cella_read_u32(&reader);
    if (reader.failed || !close_request(instance, id, type, &request)) {
        cella_instance_set_ended(instance, CELLA_DOOR_BROKEN,
                                 "the enclave answered a request that was not made");
        return;
    }
    size_t size = cella_reader_left(&reader);
    struct cella_bytes rest = CELLA_BYTES(cella_read_view(&reader, size), size);
    if (status == CELLA_OK) {
        request.done(request.context, status, "", rest);
        return;
    }
    char text[256];
    size_t text_size = rest.size < sizeof text ? rest.size : sizeof text - 1;
    if (text_size > 0)
        memcpy(text, rest.data, text_size);
    text[text_size] = '\0';
    request.done(request.context, status, text, CELLA_BYTES(NULL, 0));
}

/* Text of the enclave is printable before anyone sees it. */
static void tell_log(struct cella_instance *instance, struct cella_bytes message) {
    char line[1024];
    size_t size = message.size < sizeof line ? message.size : sizeof line - 1;
    for (size_t i = 0; i < size; i++)
        line[i] = message.data[i] >= 0x20 && message.data[i] < 0x7f ? (char)message.data[i] : ' ';
    line[size] = '\0';
    if (instance->events.log != NULL)
        instance->events.log(instance->events.context, line);
}

static void handle(struct cella_instance *instance, uint16_t type, uint64_t id, struct cella_bytes message) {
    switch (type) {
    case CELLA_FRAME_READY:
        cella_instance_handle_ready(instance, message);
        break;
    case CELLA_FRAME_START_FAILED:
        cella_instance_handle_failed(instance, message);
        break;
    case CELLA_FRAME_CHECKED:
        cella_instance_handle_checked(instance, message);
        break;
    case CELLA_FRAME_STORE_WRITE:
    case CELLA_FRAME_STORE_READ:
    case CELLA_FRAME_STORE_LIST:
    case CELLA_FRAME_STORE_REMOVE:
        cella_instance_handle_store(instance, type, id, message);
        break;
    case CELLA_FRAME_MAIL_DONE:
    case CELLA_FRAME_CALL_DONE:
    case CELLA_FRAME_REPORT_DONE:
        finish_request(instance, type, id, message);
        break;
    case CELLA_FRAME_POST:
        if (message.size < CELLA_ROUTE_SIZE)
            cella_instance_set_ended(instance, CELLA_DOOR_BROKEN, "a post has no route");
        else if (instance->events.post != NULL)
            instance->events.post(
                instance->events.context, message.data,
                CELLA_BYTES(message.data + CELLA_ROUTE_SIZE, message.size - CELLA_ROUTE_SIZE));
        break;
    case CELLA_FRAME_HOST_CALL:
    case CELLA_FRAME_ATTESTATION:
        if (cella_instance_start_call(instance, type, id, message) != CELLA_OK)
            cella_instance_set_ended(instance, CELLA_DOOR_BROKEN,
                                     "a call of the enclave is not well formed, or is one too many");
        break;
    case CELLA_FRAME_LOG:
        tell_log(instance, message);
        break;
    default:
        break;
    }
}

/* Adds a frame to the message that is being collected; false when it is too large. */
static bool collect(struct cella_instance *instance, const uint8_t *payload, size_t size) {
    size_t need = instance->message_size + size;
    if (need > instance->message_limit)
        return false;
    if (need > instance->message_capacity) {
        size_t capacity = need * 2 < instance->message_limit ? need * 2 : instance->message_limit;
        uint8_t *larger = realloc(instance->message, capacity);
        if (larger == NULL)
            return false;
        instance->message = larger;
        instance->message_capacity = capacity;
    }
    memcpy(instance->message + instance->message_size, payload, size);
    instance->message_size += size;
    return true;
}

/* A large reply is not kept in memory for ever. */
static void release_message(struct cella_instance *instance) {
    enum { KEEP = 1 << 21 };
    instance->message_size = 0;
    if (instance->message_capacity > KEEP) {
        free(instance->message);
        instance->message = NULL;
        instance->message_capacity = 0;
    }
}

struct collecting {
    bool active;
    uint16_t type;
    uint64_t id;
};

static enum cella_door_phase phase_of(struct cella_instance *instance) {
    pthread_mutex_lock(&instance->lock);
    enum instance_state state = instance->state;
    pthread_mutex_unlock(&instance->lock);
    return state == INSTANCE_STARTING  ? CELLA_PHASE_STARTING
           : state == INSTANCE_SERVING ? CELLA_PHASE_SERVING
                                       : CELLA_PHASE_CLOSING;
}

static const char *accept_frame(struct cella_instance *instance, struct collecting *collecting,
                                const struct cella_frame *frame, const uint8_t *payload) {
    bool more = (frame->flags & CELLA_FRAME_MORE) != 0;
    if ((frame->flags & ~(unsigned)CELLA_FRAME_MORE) != 0)
        return "a frame of the enclave has unknown flags";
    if (!cella_door_allows(CELLA_SIDE_ENCLAVE, frame->type, phase_of(instance)))
        return "the enclave sent a frame that is not allowed now";
    if (collecting->active && (frame->type != collecting->type || frame->id != collecting->id))
        return "the enclave mixed two messages";
    if (!collecting->active && !more) {
        handle(instance, frame->type, frame->id, CELLA_BYTES(payload, frame->size));
        return NULL;
    }
    *collecting = (struct collecting){.active = more, .type = frame->type, .id = frame->id};
    if (!collect(instance, payload, frame->size))
        return "the enclave sent a message over the limit";
    if (!more) {
        handle(instance, frame->type, frame->id, CELLA_BYTES(instance->message, instance->message_size));
        release_message(instance);
    }
    return NULL;
}

/* After the last frame: whoever still waits learns why there will be no answer. */
static void fail_all(struct cella_instance *instance) {
    for (size_t slot = 0; slot < INSTANCE_REQUESTS; slot++) {
        struct instance_request request;
        pthread_mutex_lock(&instance->lock);
        uint64_t id = instance->requests[slot].done != NULL ? instance->requests[slot].id : 0;
        pthread_mutex_unlock(&instance->lock);
        if (id != 0 && close_request(instance, id, 0, &request))
            request.done(request.context, CELLA_CLOSED, instance->end_reason, CELLA_BYTES(NULL, 0));
    }
}

/* Sleeps until there may be replies. While requests are under way it looks for a while first; then a request
 * that waits although enclave threads sleep needs another thread: the ones at work are at something long. */
static void await_replies(struct cella_instance *instance) {
    const struct cella_ring *ring = &instance->reply_ring;
    unsigned open = __atomic_load_n(&instance->open_requests, __ATOMIC_RELAXED);
    unsigned spins = instance->spins;
    instance->spins = INSTANCE_SPINS;
    if (open > 0 && cella_ring_look(ring->shared, ring->position, spins))
        return;
    __atomic_store_n(&instance->reader_awake, 0, __ATOMIC_SEQ_CST);
    const struct cella_ring_shared *requests = &instance->door->requests;
    if (__atomic_load_n(&requests->produced, __ATOMIC_SEQ_CST) !=
        __atomic_load_n(&requests->consumed, __ATOMIC_SEQ_CST)) {
        cella_ring_notify(&instance->request_ring);
    }
    cella_ring_wait(ring, ring->position, 0);
    __atomic_store_n(&instance->reader_awake, 1, __ATOMIC_SEQ_CST);
}

void *cella_instance_reader_main(void *opaque) {
    struct cella_instance *instance = opaque;
    static const char no_memory[] = "the host has no memory";
    uint8_t *buffer = malloc(CELLA_DOOR_FRAME_MAX);
    struct collecting collecting = {.active = false};
    if (buffer == NULL)
        cella_instance_set_ended(instance, CELLA_NO_MEMORY, no_memory);
    for (;;) {
        struct cella_frame frame;
        bool ended = __atomic_load_n(&instance->ended, __ATOMIC_SEQ_CST) != 0;
        enum cella_status status =
            buffer == NULL ? CELLA_UNAVAILABLE : cella_ring_take(&instance->reply_ring, &frame, buffer);
        if (status == CELLA_UNAVAILABLE && ended)
            break;
        if (status == CELLA_UNAVAILABLE) {
            await_replies(instance);
            continue;
        }
        const char *broken = broken_position;
        if (status == CELLA_OK)
            broken = accept_frame(instance, &collecting, &frame, buffer);
        if (broken != NULL) {
            cella_instance_set_ended(instance, CELLA_DOOR_BROKEN, broken);
            break;
        }
    }
    free(buffer);
    fail_all(instance);
    pthread_mutex_lock(&instance->lock);
    void (*tell_ended)(void *, enum cella_status, const char *) = instance->events.ended;
    pthread_mutex_unlock(&instance->lock);
    if (tell_ended != NULL)
        tell_ended(instance->events.context, instance->end_status, instance->end_reason);
    pthread_mutex_lock(&instance->lock);
    instance->reader_done = true;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
    return NULL;
}
