/* Who has sent what: order, replay and repetition per (sender, topic), and the last reply of each. In memory;
 * the calls are drawn so that a vault can keep the same tables. Knows no keys and no sessions. Callers lock.
 */
#ifndef CELLA_MAIL_HISTORY_H
#define CELLA_MAIL_HISTORY_H

#include "crypto/fingerprint.h"
#include "mail/mailbox.h"
#include "mail/table.h"

#define CELLA_MAIL_ID_SIZE 32
/* Attempts of one request outside sessions; each is remembered until the request is done. */
#define CELLA_MAIL_ATTEMPTS 8

enum cella_reply_state {
    CELLA_REPLY_NONE,   /* the handler succeeded without one */
    CELLA_REPLY_STORED, /* in `reply` */
    CELLA_REPLY_GONE,   /* too large, or dropped for room */
};

/* A mail that was begun as the next request and may be sent again by the host: nothing but this tells. */
struct cella_history_attempt {
    struct cella_history_attempt *next;
    uint8_t mail_id[CELLA_MAIL_ID_SIZE];
};

/* One topic of one sender. */
struct cella_history_topic {
    struct cella_history_topic *next;
    char name[CELLA_MAIL_TOPIC_MAX + 1];
    uint64_t next_sequence;                 /* of the next request */
    uint64_t post_sequence;                 /* of the next post */
    bool busy;                              /* a request is being handled */
    uint32_t waiting_posts;                 /* prepared, neither finished nor cancelled */
    struct cella_history_attempt *attempts; /* of the next request; at most CELLA_MAIL_ATTEMPTS */
    uint32_t attempt_count;
    bool has_last;
    uint8_t last_mail[CELLA_MAIL_ID_SIZE];            /* the last mail that was begun */
    uint8_t fingerprint[CELLA_FINGERPRINT_SIZE];      /* of the last request that was done */
    uint8_t next_fingerprint[CELLA_FINGERPRINT_SIZE]; /* of the one being handled */
    enum cella_reply_state reply_state;
    uint8_t *reply;
    size_t reply_size;
    struct cella_history_topic *newer_reply; /* among the topics with a stored reply */
    struct cella_history_topic *older_reply;
};

struct cella_mailbox_session;

struct cella_history_sender {
    struct cella_table_node node;
    uint8_t key[CELLA_MAIL_KEY_SIZE];
    bool has_route;
    uint8_t route[CELLA_MAIL_ROUTE_SIZE]; /* the host's word */
    bool has_birth;
    uint64_t birth;
    uint32_t topic_count;
    uint32_t pins; /* not forgotten while above 0 */
    struct cella_history_topic *topics;
    struct cella_mailbox_session *sessions; /* newest first; the mailbox's business */
    uint32_t session_count;
    uint64_t opened_sessions; /* ever */
};

struct cella_history {
    struct cella_table senders;
    struct cella_mailbox_limits limits;
    uint64_t clock; /* gives births; grows with each session and each new sender */
    uint64_t floor; /* births below belong to senders that may have been forgotten */
    uint64_t stored_bytes;
    struct cella_history_topic *newest_reply;
    struct cella_history_topic *oldest_reply;
    uint64_t forgotten;
    /* Called before a sender is freed. */
    void (*forget)(void *context, struct cella_history_sender *sender);
    void *forget_context;
};

enum cella_status cella_history_init(struct cella_history *history,
                                     const struct cella_mailbox_limits *limits);
void cella_history_deinit(struct cella_history *history);

/* NULL if not known. */
struct cella_history_sender *cella_history_find(struct cella_history *history,
                                                const uint8_t key[CELLA_MAIL_KEY_SIZE]);
/* Whether a request of an unknown sender may be taken for its first: its birth is neither before senders that
 * were forgotten nor in the future. CELLA_MAIL_UNKNOWN_HISTORY. */
enum cella_status cella_history_check_new(const struct cella_history *history, uint64_t birth,
                                          struct cella_error *error);
/* Finds or adds, forgetting the least recently heard sender when there are too many. CELLA_LIMIT,
 * CELLA_NO_MEMORY. */
enum cella_status cella_history_sender(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                       struct cella_history_sender **ret_sender, struct cella_error *error);
/* Finds or adds. CELLA_MAIL_TOPIC_LIMIT, CELLA_NO_MEMORY. */
enum cella_status cella_history_topic(struct cella_history *history, struct cella_history_sender *sender,
                                      struct cella_bytes name, struct cella_history_topic **ret_topic,
                                      struct cella_error *error);

/* A post to this topic is prepared: sender and topic stay until unpin. */
void cella_history_pin(struct cella_history_sender *sender, struct cella_history_topic *topic);
/* A topic that nothing has come of is removed again. */
void cella_history_unpin(struct cella_history *history, struct cella_history_sender *sender,
                         struct cella_history_topic *topic);

/* A request that is to be judged. */
struct cella_history_request {
    struct cella_bytes topic;
    uint64_t sequence;
    uint64_t birth;
    bool in_session; /* its number has shown that it came once */
    uint8_t mail_id[CELLA_MAIL_ID_SIZE];
    uint8_t fingerprint[CELLA_FINGERPRINT_SIZE];
};

/* CELLA_MAILBOX_RUN pins the sender and makes the topic busy; CELLA_MAILBOX_REPEAT changes nothing. Statuses
 * as cella_mailbox_mail_begin. */
enum cella_status cella_history_begin(struct cella_history *history, struct cella_history_sender *sender,
                                      const struct cella_history_request *request,
                                      struct cella_history_topic **ret_topic,
                                      enum cella_mailbox_verdict *ret_verdict, struct cella_error *error);
void cella_history_commit(struct cella_history *history, struct cella_history_sender *sender,
                          struct cella_history_topic *topic, const struct cella_bytes *reply);
void cella_history_abort(struct cella_history_sender *sender, struct cella_history_topic *topic);

#endif
