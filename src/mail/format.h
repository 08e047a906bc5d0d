/* The mail format's header, packet frames and padding (formats/mail.md). Knows no keys: what it reads is not
 * yet authenticated. */
#ifndef CELLA_MAIL_FORMAT_H
#define CELLA_MAIL_FORMAT_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>

#define CELLA_MAIL_SESSION_ID_SIZE 16
/* Sessions whose posts a client can still open: the current one and those before it. */
#define CELLA_MAIL_SESSION_SLOTS 3
#define CELLA_MAIL_ROUTE_SIZE    16
#define CELLA_MAIL_KEY_SIZE      32
#define CELLA_MAIL_TOPIC_MAX     255
#define CELLA_MAIL_CONTEXT_MAX   8192
#define CELLA_MAIL_ENVELOPE_MAX  65536
#define CELLA_MAIL_HEADER_FIXED  72
#define CELLA_MAIL_HEADER_MAX                                                                                \
    (CELLA_MAIL_HEADER_FIXED + CELLA_MAIL_TOPIC_MAX + CELLA_MAIL_CONTEXT_MAX + CELLA_MAIL_ENVELOPE_MAX)
#define CELLA_MAIL_FRAME_SIZE  4     /* in front of each packet */
#define CELLA_MAIL_PACKET_SIZE 32768 /* plaintext of every packet but the last */
#define CELLA_MAIL_SEALED_MAX  (96 + CELLA_MAIL_PACKET_SIZE)
#define CELLA_MAIL_NUMBER_MAX  ((UINT64_C(1) << 44) - 2)
/* The largest body that the format allows; limits of an image are at most this. */
#define CELLA_MAIL_BODY_MAX (UINT64_C(1) << 32)

enum cella_mail_kind {
    CELLA_MAIL_ONE_SHOT = 1,       /* Noise X */
    CELLA_MAIL_SESSION_OPEN = 2,   /* first message of Noise IK, client to enclave */
    CELLA_MAIL_SESSION_ACCEPT = 3, /* second message of Noise IK, enclave to client */
    CELLA_MAIL_SESSION = 4,        /* transport message of that session, either way */
};

enum cella_mail_role {
    CELLA_MAIL_HELLO = 0,   /* only opens or accepts a session; no topic, no body */
    CELLA_MAIL_REQUEST = 1, /* client to enclave */
    CELLA_MAIL_REPLY = 2,   /* answers the request with this topic and sequence, or the query `answers` */
    CELLA_MAIL_DONE = 3,    /* the same, without a reply, and answers an ack (no topic); empty body */
    CELLA_MAIL_POST = 4,    /* enclave to client, unasked; sequences of its own */
    CELLA_MAIL_QUERY = 5,   /* client to enclave, in a session: changes nothing, has no sequence */
    CELLA_MAIL_ACK = 6,     /* the same, only for its context: what arrived; no topic, no body */
};

enum cella_mail_padding {
    CELLA_MAIL_PADDING_NONE = 0,
    CELLA_MAIL_PADDING_CLASS = 1, /* the default: sizes are rounded up to a class, at most 12 % more */
};

/* A header. The views borrow from the bytes that were parsed, or from whoever fills it for sealing. */
struct cella_mail_header {
    enum cella_mail_kind kind;
    enum cella_mail_role role;
    enum cella_mail_padding padding;
    uint8_t session_id[CELLA_MAIL_SESSION_ID_SIZE];
    uint64_t number;  /* of this mail in its session and direction; 0 in the other kinds */
    uint64_t answers; /* number of the mail that a reply answers; of a post its outbox number, or 0 */
    uint64_t
        generation; /* 0: sealed to (or, in replies, by) the session key; else the mailbox key's generation */
    uint64_t sequence; /* per sender and topic */
    uint64_t birth;    /* of the sender; from an enclave: its clock now */
    struct cella_bytes topic;
    struct cella_bytes context;
    struct cella_bytes envelope;
};

/* Reads the header at the start of `mail` without any key. Trailing bytes (the packets) are not looked at.
 * CELLA_MAIL_MALFORMED; CELLA_NEWER_FORMAT; CELLA_TOO_SMALL: `mail` ends inside the header. */
enum cella_status cella_mail_header_parse(struct cella_bytes mail, struct cella_mail_header *ret_header,
                                          size_t *ret_size, struct cella_error *error);

/* What can be seen of a whole mail without a key. */
struct cella_mail_shape {
    struct cella_mail_header header;
    size_t header_size;
    size_t packet_count;
    uint64_t padded_size; /* plaintext bytes in all packets: body, padding and its length */
};

/* Header and packet frames of a complete mail, for the host's checks and for people. What it says is not
 * authenticated. CELLA_MAIL_MALFORMED (also: cut or with trailing bytes), CELLA_NEWER_FORMAT. */
enum cella_status cella_mail_inspect(struct cella_bytes mail, struct cella_mail_shape *ret_shape,
                                     struct cella_error *error);

/* Appends the header. CELLA_MAIL_TOPIC: not 1 to 255 letters, digits and '-'; CELLA_ARGUMENT: a field is over
 * its maximum or fields contradict each other; CELLA_TOO_SMALL. */
struct cella_writer;
enum cella_status cella_mail_header_write(struct cella_writer *writer, const struct cella_mail_header *header,
                                          struct cella_error *error);
size_t cella_mail_header_size(const struct cella_mail_header *header);

bool cella_mail_topic_valid(struct cella_bytes topic);

/* Plaintext bytes in all packets for a body of this size: body, padding, 8 bytes of length. */
uint64_t cella_mail_padded_size(enum cella_mail_padding padding, uint64_t body_size);
/* Bytes of the whole mail with this header and body size. */
uint64_t cella_mail_size(const struct cella_mail_header *header, uint64_t body_size);

/* Names for people: "one-shot", "request"… */
const char *cella_mail_kind_name(enum cella_mail_kind kind);
const char *cella_mail_role_name(enum cella_mail_role role);

/* Takes the bytes of a mail as they are made, in order. A status other than CELLA_OK stops the sealing and is
 * handed through. The bytes are valid during the call only. */
typedef enum cella_status cella_mail_output(void *context, struct cella_bytes bytes);

#endif
