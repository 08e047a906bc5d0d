/* The enclave's end of the door. Must not trust anything in the region: rings check positions, the table
 * checks types. */
#include "enclave/channel.h"
#include "base/error.h"
#include "base/writer.h"
#include "enclave/inside.h"
#include "enclave/log.h"
#include <pthread.h>
#include <string.h>

/* How long a thread looks for work before it sleeps: about 20 microseconds, less than a wake-up of another
 * core costs. */
enum { SPINS = 500 };
/* The same while the host's disk is at work for this instance: a flush takes about 100 microseconds, and the
 * answers that wait for it leave that much sooner. One thread at most. */
enum { PATIENT_SPINS = 4000 };
/* And before work that waits for more requests goes on without them. */
enum { GATHER_SPINS = 2500 };

static struct {
    bool ready;
    bool debug;
    uint32_t phase;
    uint32_t stopped;
    uint32_t active;     /* changed by receivers under receive_lock only */
    uint32_t expecting;  /* the host's disk is at work */
    uint32_t patient;    /* a thread looks longer for it */
    bool (*waits)(void); /* NULL: never */
    void (*idle)(void);
    pthread_mutex_t receive_lock; /* held from a message's first frame to its last */
    pthread_mutex_t send_lock;
    struct cella_ring requests;
    struct cella_ring replies;
    struct cella_ring own[CELLA_DOOR_THREADS];
    /* Held for less than a sleep and a wake-up cost: looking again for a while is cheaper. */
} channel = {.receive_lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP,
             .send_lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP};

void cella_channel_init(bool debug) {
    struct cella_door_region *door = cella_inside_door();
    cella_ring_init(&channel.requests, &door->requests, door->request_data, CELLA_DOOR_RING_SIZE,
                    &cella_inside_park);
    cella_ring_init(&channel.replies, &door->replies, door->reply_data, CELLA_DOOR_RING_SIZE,
                    &cella_inside_park);
    for (size_t i = 0; i < CELLA_DOOR_THREADS; i++)
        cella_ring_init(&channel.own[i], &door->threads[i], door->thread_data[i], CELLA_DOOR_REPLY_SIZE,
                        &cella_inside_park);
    channel.debug = debug;
    channel.phase = CELLA_PHASE_STARTING;
    channel.ready = true;
}

void cella_channel_set_phase(enum cella_door_phase phase) {
    __atomic_store_n(&channel.phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
}

static _Noreturn void broken(uint64_t detail) {
    cella_end(CELLA_DOOR_BROKEN, CELLA_DETAIL_FRAME + detail);
}

void cella_channel_send(enum cella_frame_type type, uint64_t id, const struct cella_bytes *parts,
                        size_t part_count) {
    struct cella_frame frame = {.type = (uint16_t)type, .id = id};
    CELLA_ASSERT(cella_door_allows(CELLA_SIDE_ENCLAVE, frame.type, (enum cella_door_phase)channel.phase));
    pthread_mutex_lock(&channel.send_lock);
    enum cella_status status = cella_ring_put_message(&channel.replies, frame, parts, part_count);
    pthread_mutex_unlock(&channel.send_lock);
    if (status != CELLA_OK)
        broken(0);
    cella_ring_notify(&channel.replies);
}

void cella_channel_answer(enum cella_frame_type type, uint64_t id, enum cella_status status,
                          struct cella_bytes bytes) {
    uint8_t front[4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, (uint32_t)status);
    const struct cella_bytes parts[] = {CELLA_BYTES(front, sizeof front), bytes};
    cella_channel_send(type, id, parts, 2);
}

/* Takes one frame if there is one, checked against the table. */
static bool take(struct cella_ring *ring, enum cella_door_side sender, struct cella_incoming *ret_incoming,
                 uint8_t *buffer) {
    struct cella_frame frame;
    enum cella_status status = cella_ring_take(ring, &frame, buffer);
    if (status == CELLA_UNAVAILABLE)
        return false;
    uint32_t phase = __atomic_load_n(&channel.phase, __ATOMIC_SEQ_CST);
    if (status != CELLA_OK || (frame.flags & ~(unsigned)CELLA_FRAME_MORE) != 0)
        broken(1);
    if (!cella_door_allows(sender, frame.type, (enum cella_door_phase)phase))
        broken(0x100u + frame.type);
    *ret_incoming = (struct cella_incoming){.type = frame.type,
                                            .id = frame.id,
                                            .more = (frame.flags & CELLA_FRAME_MORE) != 0,
                                            .chunk = CELLA_BYTES(buffer, frame.size)};
    return true;
}

/* Another frame of the same message: it must continue it. */
static void take_next(struct cella_ring *ring, enum cella_door_side sender, struct cella_incoming *incoming,
                      uint8_t *buffer) {
    struct cella_incoming next;
    while (!take(ring, sender, &next, buffer))
        cella_ring_wait(ring, ring->position, SPINS);
    if (next.type != incoming->type || next.id != incoming->id)
        broken(2);
    *incoming = next;
}

void cella_channel_join(void) {
    __atomic_fetch_add(&channel.requests.shared->consumers, 1, __ATOMIC_SEQ_CST);
}

void cella_channel_when_idle(bool (*waits)(void), void (*idle)(void)) {
    channel.waits = waits;
    channel.idle = idle;
}

static void wait_for_request(struct cella_ring *ring, uint64_t position) {
    if (channel.waits != NULL && channel.waits()) {
        if (cella_ring_look(ring->shared, position, GATHER_SPINS))
            return;
        channel.idle();
    }
    bool patient = __atomic_load_n(&channel.expecting, __ATOMIC_RELAXED) != 0 &&
                   __atomic_exchange_n(&channel.patient, 1, __ATOMIC_ACQUIRE) == 0;
    cella_ring_wait(ring, position, patient ? PATIENT_SPINS : SPINS);
    if (patient)
        __atomic_store_n(&channel.patient, 0, __ATOMIC_RELEASE);
}

bool cella_channel_receive(struct cella_incoming *ret_incoming, uint8_t *buffer) {
    struct cella_ring *ring = &channel.requests;
    for (;;) {
        pthread_mutex_lock(&channel.receive_lock);
        if (channel.stopped != 0) {
            pthread_mutex_unlock(&channel.receive_lock);
            return false;
        }
        bool taken = take(ring, CELLA_SIDE_HOST, ret_incoming, buffer);
        uint64_t position = ring->position;
        bool more_waits = taken && cella_ring_has_data(ring);
        if (taken)
            __atomic_fetch_add(&channel.active, 1, __ATOMIC_SEQ_CST);
        if (!taken || !ret_incoming->more)
            pthread_mutex_unlock(&channel.receive_lock);
        if (taken) {
            /* The host rang for one thread, perhaps this one only: pass it on. */
            if (more_waits && !ret_incoming->more)
                cella_ring_notify(ring);
            return true;
        }
        wait_for_request(ring, position);
    }
}

void cella_channel_expect(bool expecting) {
    __atomic_store_n(&channel.expecting, expecting, __ATOMIC_RELAXED);
}

void cella_channel_finish(void) {
    __atomic_fetch_sub(&channel.active, 1, __ATOMIC_SEQ_CST);
}

unsigned cella_channel_active(void) {
    return __atomic_load_n(&channel.active, __ATOMIC_SEQ_CST);
}

void cella_channel_next(struct cella_incoming *incoming, uint8_t *buffer) {
    CELLA_ASSERT(incoming->more);
    take_next(&channel.requests, CELLA_SIDE_HOST, incoming, buffer);
    if (!incoming->more)
        pthread_mutex_unlock(&channel.receive_lock);
}

void cella_channel_close(void) {
    pthread_mutex_lock(&channel.receive_lock);
    cella_channel_set_phase(CELLA_PHASE_CLOSING);
    channel.stopped = 1;
    pthread_mutex_unlock(&channel.receive_lock);
}

void cella_channel_receive_own(struct cella_incoming *ret_incoming, uint8_t *buffer) {
    struct cella_ring *ring = &channel.own[cella_thread_data()->index];
    while (!take(ring, CELLA_SIDE_HOST_THREAD, ret_incoming, buffer))
        cella_ring_wait(ring, ring->position, SPINS);
}

void cella_channel_next_own(struct cella_incoming *incoming, uint8_t *buffer) {
    CELLA_ASSERT(incoming->more);
    take_next(&channel.own[cella_thread_data()->index], CELLA_SIDE_HOST_THREAD, incoming, buffer);
}

void cella_log_bytes(const char *text, size_t size) {
    if (!channel.ready || !channel.debug)
        return;
    while (size > 0 && text[size - 1] == '\n')
        size--;
    if (size > CELLA_DOOR_FRAME_MAX)
        size = CELLA_DOOR_FRAME_MAX;
    struct cella_bytes part = CELLA_BYTES(text, size);
    if (size > 0)
        cella_channel_send(CELLA_FRAME_LOG, 0, &part, 1);
}
