/* The enclave's end of the door: whole messages in and out, with the table of allowed frames enforced. Safe
 * to use from all threads. What breaks a rule ends the instance here; callers never see it. */
#ifndef CELLA_ENCLAVE_CHANNEL_H
#define CELLA_ENCLAVE_CHANNEL_H

#include "door/door.h"
#include <cella/status.h>

/* Takes over the door; `debug` lets log lines out. Once, before anything else. */
void cella_channel_init(bool debug);
void cella_channel_set_phase(enum cella_door_phase phase);

/* Sends one message as frames that no other message interrupts. */
void cella_channel_send(enum cella_frame_type type, uint64_t id, const struct cella_bytes *parts,
                        size_t part_count);
/* The same with a status in front: how every answer begins. */
void cella_channel_answer(enum cella_frame_type type, uint64_t id, enum cella_status status,
                          struct cella_bytes bytes);

/* A message that is being received. The payload of the newest frame is private memory. */
struct cella_incoming {
    uint16_t type;
    uint64_t id;
    bool more;                /* further frames follow */
    struct cella_bytes chunk; /* this frame's payload */
};

/* Tells the host that one more thread serves requests. */
void cella_channel_join(void);

/* For work that waits for more requests: `waits` says whether there is any, and then `idle` is called when
 * none came for about 100 microseconds, longer than it takes to wake whoever sends them. Before threads are
 * started. */
void cella_channel_when_idle(bool (*waits)(void), void (*idle)(void));

/* Waits for the next request and takes its first frame. While `more`, this thread alone may go on with
 * cella_channel_next, and it must, until the message is complete. `buffer` has CELLA_DOOR_FRAME_MAX bytes.
 * False: the channel was stopped. */
bool cella_channel_receive(struct cella_incoming *ret_incoming, uint8_t *buffer);
void cella_channel_next(struct cella_incoming *incoming, uint8_t *buffer);
/* The shape of it and of cella_channel_next_own. */
typedef void cella_channel_more(struct cella_incoming *incoming, uint8_t *buffer);
/* Whether the host's disk is at work for this instance: one thread that waits for requests then sleeps less
 * soon. */
void cella_channel_expect(bool expecting);
/* The request that cella_channel_receive gave is answered. */
void cella_channel_finish(void);
/* Requests that were received and are not finished; counted from the moment that they leave the ring. */
unsigned cella_channel_active(void);
/* From here on no request is received any more, by any thread; those in the ring stay there. */
void cella_channel_close(void);

/* The same for the calling thread's own reply ring. */
void cella_channel_receive_own(struct cella_incoming *ret_incoming, uint8_t *buffer);
void cella_channel_next_own(struct cella_incoming *incoming, uint8_t *buffer);

#endif
