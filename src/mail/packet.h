/* Mail as packets: sealing a stream of plaintext, and opening one as its bytes arrive. Shared by both ends;
 * knows Noise and the format, not who may send what. */
#ifndef CELLA_MAIL_PACKET_H
#define CELLA_MAIL_PACKET_H

#include "mail/format.h"
#include "mail/noise.h"
#include <pthread.h>

#define CELLA_MAIL_TRAILER_SIZE     8
#define CELLA_MAIL_ACCEPT_SIZE      48 /* e, ee, se and the tag of an empty payload */
#define CELLA_MAIL_FIRST_OVERHEAD   96 /* e, encrypted s, tag */
#define CELLA_MAIL_FRAME_LAST       (UINT32_C(1) << 31)
#define CELLA_MAIL_PACKET_COUNT_MAX (UINT64_C(1) << 20)

/* Bytes still missing until the header that begins with `start` is whole; its length fields are not judged.
 */
size_t cella_mail_header_missing(struct cella_bytes start);
/* The handshake message that stands between the header and the packets of an accept. */
size_t cella_mail_preamble_size(enum cella_mail_kind kind);
size_t cella_mail_packet_overhead(enum cella_mail_kind kind, uint64_t index);
uint32_t cella_mail_frame(size_t sealed_size, bool last);
bool cella_mail_frame_valid(enum cella_mail_kind kind, uint64_t index, uint32_t frame);

/* One mail being sealed. With `handshake` its first packet is the payload of that handshake's first message
 * (the setup's prologue is filled in here; one that was prepared needs no setup), and `cipher` must be NULL;
 * otherwise all packets go under `cipher`, inside `lock` if there is one. Borrows everything it is given. */
struct cella_mail_sealer {
    struct cella_mail_header header; /* its views must live as long */
    struct cella_noise_handshake *handshake;
    struct cella_noise_setup setup;
    const uint8_t *fixed_ephemeral; /* tests only */
    struct cella_noise_cipher *cipher;
    pthread_mutex_t *lock;
    uint8_t preamble[CELLA_MAIL_ACCEPT_SIZE];
    /* its own business */
    struct cella_noise_cipher own;
    uint64_t index;
};

/* Bytes that the next packet takes in the mail: its frame and its sealed form, and before the first the
 * header. */
size_t cella_mail_sealer_size(const struct cella_mail_sealer *sealer, size_t plain_size);
/* Writes exactly these bytes. Every packet but the last has CELLA_MAIL_PACKET_SIZE bytes.
 * CELLA_MAIL_NOT_OPEN: the first message of a session has one packet only. */
enum cella_status cella_mail_sealer_packet(struct cella_mail_sealer *sealer, struct cella_bytes plain,
                                           bool last, uint8_t *out, struct cella_error *error);
/* The whole mail at once; `out` has the size that cella_mail_size gives. */
enum cella_status cella_mail_sealer_whole(struct cella_mail_sealer *sealer, struct cella_bytes body,
                                          uint8_t *out, struct cella_error *error);
/* The end of the stream: `at` plaintext bytes of body and padding were written; fills `out` with what follows
 * up to the end or `room`; returns its size. */
size_t cella_mail_tail(enum cella_mail_padding padding, uint64_t body_size, uint64_t at, uint8_t *out,
                       size_t room);
/* The whole mail from its stream (body, padding and trailer, as cella_mail_tail makes them) in one piece.
 * Takes no memory; with a prepared handshake, or a cipher, it cannot fail. */
enum cella_status cella_mail_sealer_stream(struct cella_mail_sealer *sealer, struct cella_bytes stream,
                                           uint8_t *out, struct cella_error *error);
void cella_mail_sealer_deinit(struct cella_mail_sealer *sealer);

/* What the two ends do differently while a mail is opened. Statuses are handed through; CELLA_AUTHENTICATION
 * becomes CELLA_MAIL_REFUSED. */
struct cella_mail_opener_ends {
    void *context;
    /* The header is whole, not yet authenticated: find the keys. */
    enum cella_status (*header)(void *context, const struct cella_mail_header *header,
                                struct cella_error *error);
    /* Opens packet `index` into `out`. ad[0] is header and preamble for the first, empty for the others;
     * ad[1] is the frame. */
    enum cella_status (*packet)(void *context, uint64_t index, const struct cella_bytes ad[2],
                                struct cella_bytes sealed, uint8_t *out);
};

/* One mail being opened. Zeroed and then given `ends` and `max_body` by its holder. */
struct cella_mail_opener {
    struct cella_mail_opener_ends ends;
    uint64_t max_body;
    uint64_t expected_size; /* of the stream, if the caller has heard one; used after the first packet */
    uint64_t in_hand;       /* bytes of the chunk after the packet that is being opened */
    struct cella_mail_header header; /* views into `head`; NULL views until it is whole */
    uint8_t *head;                   /* header and preamble */
    size_t head_size;
    size_t head_filled;
    bool header_read;
    bool complete; /* the last packet is open and the body is checked */
    bool failed;
    uint64_t index;
    uint32_t frame;
    bool frame_read;
    uint8_t *hold; /* a packet or frame that came in pieces */
    size_t hold_size;
    size_t hold_capacity;
    uint8_t *body;
    uint64_t body_size; /* of the plaintext so far; of the true body when complete */
    uint64_t body_capacity;
    uint64_t stream_size; /* body, padding, trailer */
};

enum cella_status cella_mail_opener_feed(struct cella_mail_opener *opener, struct cella_bytes chunk,
                                         struct cella_error *error);
/* Wipes and frees what it holds; accepts a zeroed one. */
void cella_mail_opener_deinit(struct cella_mail_opener *opener);

#endif
