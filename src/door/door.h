/* The door: the one boundary between host and enclave. One shared region with byte rings of fixed binary
 * frames, and the table of what each side may ask, by phase. Compiled for both sides; knows no system call:
 * waiting and waking are given by the side that uses it. Byte-level description: formats/door.md.
 *
 * Neither side trusts the region: each keeps its own position privately, checks the other's against it, and
 * copies a frame once before it looks at it. */
#ifndef CELLA_DOOR_DOOR_H
#define CELLA_DOOR_DOOR_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

/* Sizes are part of the format; no side reads them from the region. */
#define CELLA_DOOR_THREADS    64
#define CELLA_DOOR_RING_SIZE  ((size_t)1 << 20)
#define CELLA_DOOR_REPLY_SIZE ((size_t)1 << 18)
#define CELLA_DOOR_FRAME_MAX  ((size_t)1 << 17) /* largest payload of one frame, bytes */
#define CELLA_DOOR_HEADER     ((size_t)16)

/* A frame's header: the payload's size, what it is, and which request it belongs to. A message larger than
 * one frame is a run of frames with the same type and id, all but the last marked MORE; runs of different
 * messages never mix within one ring. */
struct cella_frame {
    uint32_t size;
    uint16_t type;
    uint16_t flags;
    uint64_t id;
};

enum { CELLA_FRAME_MORE = 1 };

enum cella_frame_type {
#define CELLA_DOOR_ROW(name, number, sender, phases) CELLA_FRAME_##name = (number),
#include "door/door.def"
#undef CELLA_DOOR_ROW
};

/* What START says about the vault. Numbers are part of the format. */
enum cella_vault_mode {
    CELLA_VAULT_MODE_NONE = 0,
    CELLA_VAULT_MODE_OPEN = 1,
    CELLA_VAULT_MODE_CREATE = 2, /* there is nothing at all: make one */
    CELLA_VAULT_MODE_CHECK = 3,  /* read and verify, change nothing, end */
};

/* Phases of an instance, as bits for the table. */
enum cella_door_phase { CELLA_PHASE_STARTING = 1, CELLA_PHASE_SERVING = 2, CELLA_PHASE_CLOSING = 4 };

enum cella_door_side { CELLA_SIDE_HOST, CELLA_SIDE_HOST_THREAD, CELLA_SIDE_ENCLAVE };

/* Whether `sender` may send this type in this phase. HOST frames go through the request ring, HOST_THREAD
 * frames through one thread's reply ring. */
bool cella_door_allows(enum cella_door_side sender, uint16_t type, enum cella_door_phase phase);

/* What both sides share of one ring. The producer writes the first line, the consumer the second; the third
 * says whether ringing is worth a system call. */
struct cella_ring_shared {
    _Alignas(64) uint64_t produced; /* bytes ever produced */
    uint32_t data_bell;             /* futex word: rung by the producer */
    uint32_t producer_waits;
    _Alignas(64) uint64_t consumed; /* bytes ever consumed */
    uint32_t space_bell;            /* futex word: rung by the consumer */
    /* Read for every frame and rarely written, thus apart from the position, which is written for every
     * frame. */
    _Alignas(64) uint32_t consumers_wait; /* how many consumers sleep on data_bell */
    uint32_t consumers_poll;              /* how many consumers look at the ring without sleeping */
    uint32_t wake_pending; /* a consumer was woken and has not run yet: no need to ring again */
    uint32_t consumers;    /* how many there are; the others are at work and will look again */
};

/* The region: control block, then the data of both rings, then the threads' reply rings. */
struct cella_door_region {
    struct cella_ring_shared requests; /* host to enclave */
    struct cella_ring_shared replies;  /* enclave to host */
    struct cella_ring_shared threads[CELLA_DOOR_THREADS];
    /* Words that enclave threads park on (in-image futexes need a word that the host may see). */
    struct {
        _Alignas(64) uint32_t word;
    } park[CELLA_DOOR_THREADS];
    _Alignas(4096) uint8_t request_data[CELLA_DOOR_RING_SIZE];
    uint8_t reply_data[CELLA_DOOR_RING_SIZE];
    uint8_t thread_data[CELLA_DOOR_THREADS][CELLA_DOOR_REPLY_SIZE];
};

/* How a side sleeps until `*word` is no longer `seen` (spurious returns are allowed), and wakes up to `count`
 * sleepers. */
struct cella_door_park {
    void (*wait)(uint32_t *word, uint32_t seen);
    void (*wake)(uint32_t *word, uint32_t count);
};

/* One side's private view of one ring. Not thread-safe: each side serialises its own producers and consumers.
 */
struct cella_ring {
    struct cella_ring_shared *shared;
    uint8_t *data;
    size_t capacity;
    uint64_t position; /* own: bytes ever produced or consumed by this side */
    uint64_t limit;    /* cached: how far position may go before the other side must be looked at again */
    const struct cella_door_park *park;
    const uint32_t
        *patient;         /* NULL, or: while not zero, consumers at work are not helped by waking another */
    const uint32_t *stop; /* NULL, or: no longer zero ends cella_ring_put with CELLA_CLOSED, and waits */
};

void cella_ring_init(struct cella_ring *ring, struct cella_ring_shared *shared, uint8_t *data,
                     size_t capacity, const struct cella_door_park *park);

/* Producer: puts one frame if there is room now. The payload is the parts one after another.
 * CELLA_UNAVAILABLE: no room now. CELLA_DOOR_BROKEN: the other side's position is impossible. */
enum cella_status cella_ring_try_put(struct cella_ring *ring, struct cella_frame frame,
                                     const struct cella_bytes *parts, size_t part_count);
/* The same, sleeping until there is room. CELLA_CLOSED: `stop` was set (whoever sets it rings space_bell). */
enum cella_status cella_ring_put(struct cella_ring *ring, struct cella_frame frame,
                                 const struct cella_bytes *parts, size_t part_count);
/* A message of any size in as many frames as it needs; frame.size and MORE are set by the call. While more
 * frames follow it rings by itself; the caller rings for the last one with cella_ring_notify, best when it
 * holds no lock. */
enum cella_status cella_ring_put_message(struct cella_ring *ring, struct cella_frame frame,
                                         const struct cella_bytes *parts, size_t part_count);
/* Rings for what was put: wakes a consumer if one sleeps and none polls. Needs no lock. */
void cella_ring_notify(struct cella_ring *ring);
/* Bytes that could be put now. */
size_t cella_ring_room(struct cella_ring *ring);

/* Consumer: takes one frame if there is one, copying the payload to `buffer` of CELLA_DOOR_FRAME_MAX bytes.
 * CELLA_UNAVAILABLE: none now. CELLA_DOOR_BROKEN: impossible position or size. */
enum cella_status cella_ring_take(struct cella_ring *ring, struct cella_frame *ret_frame, uint8_t *buffer);
bool cella_ring_has_data(struct cella_ring *ring);
/* Looks `spins` times whether there is data beyond `position`, without sleeping. */
bool cella_ring_look(struct cella_ring_shared *shared, uint64_t position, unsigned spins);
/* Sleeps until there may be data beyond `position`, or `stop` was set (whoever sets it rings data_bell);
 * `spins` rounds of looking come first. Several consumers may wait at once; call it without the consumers'
 * lock. */
void cella_ring_wait(const struct cella_ring *ring, uint64_t position, unsigned spins);

#endif
