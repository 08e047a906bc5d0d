/* One byte ring with one producer side and one consumer side that do not trust each other. Must not read its
 * own position back from the shared region, nor look at a payload before it is copied. */
#include "base/error.h"
#include "door/door.h"
#include <string.h>

_Static_assert(sizeof(struct cella_frame) == CELLA_DOOR_HEADER, "the header is written as it lies in memory");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the door is little endian");

static size_t padded(size_t payload) {
    return (CELLA_DOOR_HEADER + payload + 15) & ~(size_t)15;
}

void cella_ring_init(struct cella_ring *ring, struct cella_ring_shared *shared, uint8_t *data,
                     size_t capacity, const struct cella_door_park *park) {
    *ring = (struct cella_ring){.shared = shared, .data = data, .capacity = capacity, .park = park};
}

static void copy_in(struct cella_ring *ring, uint64_t at, const void *from, size_t size) {
    size_t offset = (size_t)(at % ring->capacity);
    size_t first = size < ring->capacity - offset ? size : ring->capacity - offset;
    if (first > 0)
        memcpy(ring->data + offset, from, first);
    if (size > first)
        memcpy(ring->data, (const uint8_t *)from + first, size - first);
}

static void copy_out(const struct cella_ring *ring, uint64_t at, void *to, size_t size) {
    size_t offset = (size_t)(at % ring->capacity);
    size_t first = size < ring->capacity - offset ? size : ring->capacity - offset;
    if (first > 0)
        memcpy(to, ring->data + offset, first);
    if (size > first)
        memcpy((uint8_t *)to + first, ring->data, size - first);
}

/* Looks at the consumer's position again; false when it is impossible. */
static bool refresh_room(struct cella_ring *ring) {
    uint64_t consumed = __atomic_load_n(&ring->shared->consumed, __ATOMIC_ACQUIRE);
    if (ring->position - consumed > ring->capacity)
        return false;
    ring->limit = consumed + ring->capacity;
    return true;
}

size_t cella_ring_room(struct cella_ring *ring) {
    return refresh_room(ring) ? (size_t)(ring->limit - ring->position) : 0;
}

enum cella_status cella_ring_try_put(struct cella_ring *ring, struct cella_frame frame,
                                     const struct cella_bytes *parts, size_t part_count) {
    CELLA_ASSERT(frame.size <= CELLA_DOOR_FRAME_MAX);
    size_t need = padded(frame.size);
    if (ring->limit - ring->position < need) {
        if (!refresh_room(ring))
            return CELLA_DOOR_BROKEN;
        if (ring->limit - ring->position < need)
            return CELLA_UNAVAILABLE;
    }
    copy_in(ring, ring->position, &frame, sizeof frame);
    uint64_t at = ring->position + sizeof frame;
    for (size_t i = 0; i < part_count; i++) {
        copy_in(ring, at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    CELLA_ASSERT(at - ring->position - sizeof frame == frame.size);
    ring->position += need;
    __atomic_store_n(&ring->shared->produced, ring->position, __ATOMIC_RELEASE);
    return CELLA_OK;
}

/* Rings the consumers' bell if one sleeps. A frame inside a long message belongs to the consumer that took
 * the first one, who may sleep among others that have nothing to do with it: then all are woken. */
static void notify(struct cella_ring *ring, bool all) {
    struct cella_ring_shared *shared = ring->shared;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t waiting = __atomic_load_n(&shared->consumers_wait, __ATOMIC_RELAXED);
    if (waiting == 0)
        return;
    /* One that looks at the ring without sleeping will find a single frame by itself; one at work will soon.
     */
    if (!all && __atomic_load_n(&shared->consumers_poll, __ATOMIC_RELAXED) != 0)
        return;
    if (!all && ring->patient != NULL && __atomic_load_n(ring->patient, __ATOMIC_SEQ_CST) != 0 &&
        __atomic_load_n(&shared->consumers, __ATOMIC_RELAXED) > waiting)
        return;
    if (__atomic_exchange_n(&shared->wake_pending, 1, __ATOMIC_SEQ_CST) != 0 && !all)
        return;
    __atomic_fetch_add(&shared->data_bell, 1, __ATOMIC_SEQ_CST);
    ring->park->wake(&shared->data_bell, all ? INT32_MAX : 1);
}

void cella_ring_notify(struct cella_ring *ring) {
    notify(ring, false);
}

enum cella_status cella_ring_put(struct cella_ring *ring, struct cella_frame frame,
                                 const struct cella_bytes *parts, size_t part_count) {
    for (;;) {
        enum cella_status status = cella_ring_try_put(ring, frame, parts, part_count);
        if (status != CELLA_UNAVAILABLE)
            return status;
        if (ring->stop != NULL && __atomic_load_n(ring->stop, __ATOMIC_SEQ_CST) != 0)
            return CELLA_CLOSED;
        notify(ring, true);
        uint32_t seen = __atomic_load_n(&ring->shared->space_bell, __ATOMIC_SEQ_CST);
        __atomic_store_n(&ring->shared->producer_waits, 1, __ATOMIC_SEQ_CST);
        bool stopped = ring->stop != NULL && __atomic_load_n(ring->stop, __ATOMIC_SEQ_CST) != 0;
        if (!stopped && cella_ring_room(ring) < padded(frame.size))
            ring->park->wait(&ring->shared->space_bell, seen);
        __atomic_store_n(&ring->shared->producer_waits, 0, __ATOMIC_SEQ_CST);
    }
}

/* The next `size` bytes of a list of parts as a list of at most `part_count` parts. */
struct cut {
    const struct cella_bytes *parts;
    size_t part_count;
    size_t part;
    size_t offset;
};

enum { CUT_PARTS = 4 };

static size_t cut_next(struct cut *cut, size_t size, struct cella_bytes out[CUT_PARTS]) {
    size_t count = 0;
    while (size > 0) {
        const struct cella_bytes *part = &cut->parts[cut->part];
        size_t take = part->size - cut->offset < size ? part->size - cut->offset : size;
        if (take > 0)
            out[count++] = CELLA_BYTES(part->data + cut->offset, take);
        size -= take;
        cut->offset += take;
        if (cut->offset == part->size) {
            cut->part++;
            cut->offset = 0;
        }
    }
    return count;
}

enum cella_status cella_ring_put_message(struct cella_ring *ring, struct cella_frame frame,
                                         const struct cella_bytes *parts, size_t part_count) {
    CELLA_ASSERT(part_count <= CUT_PARTS);
    size_t left = 0;
    for (size_t i = 0; i < part_count; i++)
        left += parts[i].size;
    struct cut cut = {.parts = parts, .part_count = part_count};
    size_t frames = 0;
    do {
        size_t size = left < CELLA_DOOR_FRAME_MAX ? left : CELLA_DOOR_FRAME_MAX;
        struct cella_bytes pieces[CUT_PARTS] = {{.size = 0}};
        size_t count = cut_next(&cut, size, pieces);
        left -= size;
        frame.size = (uint32_t)size;
        frame.flags = left > 0 ? CELLA_FRAME_MORE : 0;
        enum cella_status status = cella_ring_put(ring, frame, pieces, count);
        if (status != CELLA_OK)
            return status;
        if (frame.flags != 0 || frames > 0)
            notify(ring, true);
        frames++;
    } while (left > 0);
    return CELLA_OK;
}

bool cella_ring_has_data(struct cella_ring *ring) {
    return __atomic_load_n(&ring->shared->produced, __ATOMIC_ACQUIRE) != ring->position;
}

static void give_room(struct cella_ring *ring) {
    struct cella_ring_shared *shared = ring->shared;
    __atomic_store_n(&shared->consumed, ring->position, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&shared->producer_waits, __ATOMIC_SEQ_CST) == 0)
        return;
    /* Wake only when a good part is free, so that a long message does not cost a wake per frame. */
    if (ring->limit - ring->position > ring->capacity / 2)
        return;
    __atomic_fetch_add(&shared->space_bell, 1, __ATOMIC_SEQ_CST);
    ring->park->wake(&shared->space_bell, 1);
}

enum cella_status cella_ring_take(struct cella_ring *ring, struct cella_frame *ret_frame, uint8_t *buffer) {
    uint64_t produced = __atomic_load_n(&ring->shared->produced, __ATOMIC_ACQUIRE);
    uint64_t available = produced - ring->position;
    if (available == 0)
        return CELLA_UNAVAILABLE;
    if (available > ring->capacity || available < CELLA_DOOR_HEADER || available % 16 != 0)
        return CELLA_DOOR_BROKEN;
    struct cella_frame frame;
    copy_out(ring, ring->position, &frame, sizeof frame);
    if (frame.size > CELLA_DOOR_FRAME_MAX || padded(frame.size) > available)
        return CELLA_DOOR_BROKEN;
    copy_out(ring, ring->position + sizeof frame, buffer, frame.size);
    ring->position += padded(frame.size);
    ring->limit = produced;
    give_room(ring);
    *ret_frame = frame;
    return CELLA_OK;
}

bool cella_ring_look(struct cella_ring_shared *shared, uint64_t position, unsigned spins) {
    __atomic_fetch_add(&shared->consumers_poll, 1, __ATOMIC_SEQ_CST);
    bool found = false;
    for (unsigned i = 0; i < spins && !found; i++) {
        found = __atomic_load_n(&shared->produced, __ATOMIC_ACQUIRE) != position;
        __builtin_ia32_pause();
    }
    __atomic_fetch_sub(&shared->consumers_poll, 1, __ATOMIC_SEQ_CST);
    return found;
}

static bool is_stopped(const struct cella_ring *ring) {
    return ring->stop != NULL && __atomic_load_n(ring->stop, __ATOMIC_SEQ_CST) != 0;
}

void cella_ring_wait(const struct cella_ring *ring, uint64_t position, unsigned spins) {
    struct cella_ring_shared *shared = ring->shared;
    if (spins > 0 && cella_ring_look(shared, position, spins))
        return;
    uint32_t seen = __atomic_load_n(&shared->data_bell, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&shared->consumers_wait, 1, __ATOMIC_SEQ_CST);
    /* A producer may have rung for a consumer that was just leaving: the flag would then keep others from
     * ringing for us. Whoever sets it after this line also changes the bell after we have read it. The same
     * goes for `stop`. */
    __atomic_store_n(&shared->wake_pending, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&shared->produced, __ATOMIC_SEQ_CST) == position && !is_stopped(ring))
        ring->park->wait(&shared->data_bell, seen);
    __atomic_fetch_sub(&shared->consumers_wait, 1, __ATOMIC_SEQ_CST);
    /* From here on this consumer looks at the ring again, so that a producer who saw the flag has lost
     * nothing. */
    __atomic_store_n(&shared->wake_pending, 0, __ATOMIC_SEQ_CST);
}
