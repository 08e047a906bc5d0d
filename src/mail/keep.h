/* What the mailbox keeps in a vault so that mail is handled exactly once for as long as the vault lives:
 * senders, the order of their topics, their last replies, posts that were not collected. The interface to an
 * ordered map, and the form of its entries (formats/vault-mail.md). Must not: know vaults, or decide
 * anything. */
#ifndef CELLA_MAIL_KEEP_H
#define CELLA_MAIL_KEEP_H

#include "crypto/fingerprint.h"
#include "mail/format.h"

#define CELLA_MAIL_ID_SIZE 32

#define CELLA_KEEP_KEY_MAX   (2 + CELLA_MAIL_KEY_SIZE + CELLA_MAIL_TOPIC_MAX)
#define CELLA_KEEP_VALUE_MAX ((size_t)16 << 20)
#define CELLA_KEEP_REPLY_MAX (CELLA_KEEP_VALUE_MAX - 128)
#define CELLA_KEEP_POST_MAX  (CELLA_KEEP_VALUE_MAX - 18 - CELLA_MAIL_TOPIC_MAX)

/* A part of the vault's state: keys in the order of their bytes. All calls are made in the transaction, by
 * its thread, and what they change stands or falls with it; they are made under the mailbox's lock and must
 * not call the mailbox. What they give is valid until the next put or delete. The program's own limits for
 * keys and values do not hold for them. */
struct cella_mail_keep {
    void *context;
    bool (*get)(void *context, struct cella_bytes key, struct cella_bytes *ret_value);
    /* Adds or replaces. CELLA_NO_MEMORY, CELLA_STATE_SIZE, CELLA_TRANSACTION_SIZE. */
    enum cella_status (*put)(void *context, struct cella_bytes key, struct cella_bytes value);
    /* CELLA_NOT_FOUND, CELLA_NO_MEMORY. */
    enum cella_status (*delete)(void *context, struct cella_bytes key);
    /* The first entry whose key is not before `from`. CELLA_NOT_FOUND: there is none; CELLA_NO_MEMORY. */
    enum cella_status (*seek)(void *context, struct cella_bytes from, struct cella_bytes *ret_key,
                              struct cella_bytes *ret_value);
};

/* Keys. */
struct cella_keep_key {
    size_t size;
    uint8_t data[CELLA_KEEP_KEY_MAX];
};
#define CELLA_KEEP_BYTES(key) CELLA_BYTES((key).data, (key).size)

/* What an entry of a sender is about. */
enum cella_keep_part {
    CELLA_KEEP_SENDER = 0,
    CELLA_KEEP_TOPIC = 1,  /* of requests, by name */
    CELLA_KEEP_POSTS = 2,  /* of posts, by name */
    CELLA_KEEP_OUTBOX = 3, /* a post, by number */
};
/* Entries in an order of time. */
enum cella_keep_order {
    CELLA_KEEP_HEARD = 0x10,   /* senders, by when they were heard */
    CELLA_KEEP_REPLIES = 0x11, /* topics with a stored reply, by its age */
};

void cella_keep_state_key(struct cella_keep_key *key);
void cella_keep_fingerprint_key(struct cella_keep_key *key);
void cella_keep_order_key(struct cella_keep_key *key, enum cella_keep_order order, uint64_t place);
/* The sender's own entry, the part of a topic, a post of the outbox; and where the parts of a sender begin
 * (all keys that start with it are the sender's). */
void cella_keep_sender_key(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE]);
void cella_keep_topic_key(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE],
                          enum cella_keep_part part, struct cella_bytes topic);
void cella_keep_outbox_key(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE],
                           uint64_t number);
void cella_keep_prefix(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE]);

/* A key taken apart: what stands behind the first byte, or the first two and the sender. */
struct cella_keep_name {
    bool is_sender; /* else one of an order */
    enum cella_keep_order order;
    uint64_t place; /* in an order; number of a post */
    uint8_t sender[CELLA_MAIL_KEY_SIZE];
    enum cella_keep_part part;
    struct cella_bytes topic;
};
/* Keys of senders and of orders only. CELLA_DAMAGED. */
enum cella_status cella_keep_key_parse(struct cella_bytes key, struct cella_keep_name *ret_name);

/* Values. The parsers accept exactly what the writers write: CELLA_DAMAGED, CELLA_NEWER_FORMAT. Views borrow
 * from the value. The writers of fixed size fill `out`; the others give memory that the caller wipes and
 * frees: CELLA_NO_MEMORY. */

/* One for the whole mailbox. */
struct cella_keep_state {
    uint64_t floor;        /* births below belong to senders that may have been forgotten */
    uint64_t heard;        /* the newest place among the senders */
    uint64_t replied;      /* the newest place among the replies */
    uint64_t senders;      /* how many are kept */
    uint64_t replies;      /* stored */
    uint64_t stored_bytes; /* of replies, as they are charged */
    uint64_t forgotten;    /* senders, ever */
};
#define CELLA_KEEP_STATE_SIZE (1 + 7 * 8)
void cella_keep_state_write(const struct cella_keep_state *state, uint8_t out[CELLA_KEEP_STATE_SIZE]);
enum cella_status cella_keep_state_parse(struct cella_bytes value, struct cella_keep_state *ret_state);

#define CELLA_KEEP_FINGERPRINT_SIZE (1 + CELLA_FINGERPRINT_KEY_SIZE)
void cella_keep_fingerprint_write(const uint8_t key[CELLA_FINGERPRINT_KEY_SIZE],
                                  uint8_t out[CELLA_KEEP_FINGERPRINT_SIZE]);
enum cella_status cella_keep_fingerprint_parse(struct cella_bytes value,
                                               uint8_t ret_key[CELLA_FINGERPRINT_KEY_SIZE]);

/* Of an order: who stands there; the topic for replies only. */
#define CELLA_KEEP_PLACE_MAX (1 + CELLA_MAIL_KEY_SIZE + CELLA_MAIL_TOPIC_MAX)
size_t cella_keep_place_write(const uint8_t sender[CELLA_MAIL_KEY_SIZE], struct cella_bytes topic,
                              uint8_t out[CELLA_KEEP_PLACE_MAX]);
enum cella_status cella_keep_place_parse(struct cella_bytes value, enum cella_keep_order order,
                                         uint8_t ret_sender[CELLA_MAIL_KEY_SIZE],
                                         struct cella_bytes *ret_topic);

struct cella_keep_sender {
    bool has_route;
    uint8_t route[CELLA_MAIL_ROUTE_SIZE]; /* the host's word */
    bool has_birth;
    uint64_t birth;
    uint64_t place; /* among the senders */
    uint32_t topic_count;
    uint64_t posts_made;      /* number of the last post */
    uint64_t posts_collected; /* number of the last that is no longer in the outbox */
    uint64_t posts_sent; /* by the instance whose clock began at `sent_clock`, in order, up to this one */
    uint64_t sent_clock;
    uint64_t waiting_bytes; /* in the outbox, as they are charged */
};
#define CELLA_KEEP_SENDER_SIZE (2 + 8 + CELLA_MAIL_ROUTE_SIZE + 8 + 4 + 5 * 8)
void cella_keep_sender_write(const struct cella_keep_sender *sender, uint8_t out[CELLA_KEEP_SENDER_SIZE]);
enum cella_status cella_keep_sender_parse(struct cella_bytes value, struct cella_keep_sender *ret_sender);

enum cella_reply_state {
    CELLA_REPLY_NONE = 0,   /* the handler succeeded without one */
    CELLA_REPLY_STORED = 1, /* it is kept */
    CELLA_REPLY_GONE = 2,   /* too large, or dropped for room */
};

/* The requests of a topic. */
struct cella_keep_topic {
    uint64_t next_sequence;                      /* at least 1 */
    uint8_t fingerprint[CELLA_FINGERPRINT_SIZE]; /* of the last request that was done */
    bool has_mail;                               /* it came outside a session */
    uint8_t mail_id[CELLA_MAIL_ID_SIZE];
    enum cella_reply_state reply_state;
    uint64_t place; /* of the stored reply among the replies, at least 1; else 0 */
    struct cella_bytes reply;
};
enum cella_status cella_keep_topic_write(const struct cella_keep_topic *topic, uint8_t **ret_value,
                                         size_t *ret_size);
enum cella_status cella_keep_topic_parse(struct cella_bytes value, struct cella_keep_topic *ret_topic);

/* The posts of a topic: the sequence of the next one, at least 1. */
#define CELLA_KEEP_POSTS_SIZE (1 + 8)
void cella_keep_posts_write(uint64_t next_sequence, uint8_t out[CELLA_KEEP_POSTS_SIZE]);
enum cella_status cella_keep_posts_parse(struct cella_bytes value, uint64_t *ret_next_sequence);

/* A post in the outbox. */
struct cella_keep_post {
    uint64_t sequence; /* in its topic */
    uint64_t life;     /* birth of the recipient's life that it is of; the clock, before that has one */
    struct cella_bytes topic;
    struct cella_bytes body;
};
enum cella_status cella_keep_post_write(const struct cella_keep_post *post, uint8_t **ret_value,
                                        size_t *ret_size);
enum cella_status cella_keep_post_parse(struct cella_bytes value, struct cella_keep_post *ret_post);

#endif
