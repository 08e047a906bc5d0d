/* Who has sent what: order, replay and repetition per (sender, topic), and the last reply of each. The rules
 * are here; what they judge by is in memory, or (with `keep`) in a vault, and is then read anew by each call
 * and remembered by none, so that a transaction that is aborted leaves nothing to undo. Knows no keys and no
 * sessions. Callers lock.
 */
#ifndef CELLA_MAIL_HISTORY_H
#define CELLA_MAIL_HISTORY_H

#include "mail/keep.h"
#include "mail/mailbox.h"
#include "mail/table.h"

/* Attempts of one request outside sessions; each is remembered until the request is done. */
#define CELLA_MAIL_ATTEMPTS 8
/* With `keep`, of all requests: what is not kept must not grow with the number of senders. */
#define CELLA_MAIL_ATTEMPTS_OF_ALL 8192

/* A mail that was begun as the next request and may be sent again by the host: nothing but this tells. Never
 * kept: it was sealed to the session key, which ends with the instance. */
struct cella_history_attempt {
    struct cella_history_attempt *next;
    uint64_t birth;
    uint64_t sequence;
    uint8_t mail_id[CELLA_MAIL_ID_SIZE];
};

/* One topic of one sender. With `keep` it is here while a request of it is handled or an attempt is to be
 * remembered, and holds what its entry says only between begin and commit or abort. */
struct cella_history_topic {
    struct cella_history_topic *next;
    char name[CELLA_MAIL_TOPIC_MAX + 1];
    uint64_t next_sequence; /* of the next request */
    uint64_t post_sequence; /* of the next post */
    bool busy;              /* a request is being handled */
    uint32_t waiting_posts; /* prepared, neither finished nor cancelled */
    struct cella_history_attempt *attempts;
    bool has_last;
    uint8_t last_mail[CELLA_MAIL_ID_SIZE];            /* the last mail that was begun */
    uint8_t fingerprint[CELLA_FINGERPRINT_SIZE];      /* of the last request that was done */
    uint8_t next_fingerprint[CELLA_FINGERPRINT_SIZE]; /* of the one being handled */
    bool came_in_session;                             /* that one */
    enum cella_reply_state reply_state;
    uint8_t *reply; /* in memory only */
    size_t reply_size;
    struct cella_history_topic *newer_reply; /* among the topics with a stored reply */
    struct cella_history_topic *older_reply;
};

struct cella_mailbox_session;

/* In memory: a sender that is remembered. With `keep`: one that has sessions, mail in work or attempts;
 * `kept` is what its entry says, as of the call that read it. */
struct cella_history_sender {
    struct cella_table_node node;
    uint8_t key[CELLA_MAIL_KEY_SIZE];
    struct cella_keep_sender kept;
    uint8_t entry[CELLA_KEEP_SENDER_SIZE]; /* as that call read it; zeros: there is none */
    uint32_t pins;                         /* not forgotten while above 0 */
    struct cella_history_topic *topics;
    struct cella_mailbox_session *sessions; /* newest first; the mailbox's business */
    uint32_t session_count;
    uint64_t opened_sessions; /* ever */
    bool is_leaving;          /* forgotten by a transaction that may yet be aborted */
    struct cella_history_sender *leaving_next;
};

struct cella_history {
    struct cella_table senders;
    struct cella_mailbox_limits limits;
    const struct cella_mail_keep *keep; /* NULL: in memory */
    uint64_t first_clock;               /* with `keep` */
    uint64_t clock;                     /* gives births; grows with each session and each new sender */
    struct cella_keep_state kept;       /* of all; in memory without places and counts of entries */
    uint8_t entry[CELLA_KEEP_STATE_SIZE];
    uint64_t attempts; /* of all requests */
    struct cella_history_sender *leaving;
    struct cella_history_topic *newest_reply;
    struct cella_history_topic *oldest_reply;
    /* Called before a sender is freed. */
    void (*forget)(void *context, struct cella_history_sender *sender);
    void *forget_context;
};

/* `keep` may be NULL. */
enum cella_status cella_history_init(struct cella_history *history, const struct cella_mailbox_limits *limits,
                                     const struct cella_mail_keep *keep, uint64_t first_clock);
void cella_history_deinit(struct cella_history *history);

/* The sender's object if there is one. With `keep` that says nothing about whether it is known. */
struct cella_history_sender *cella_history_find(struct cella_history *history,
                                                const uint8_t key[CELLA_MAIL_KEY_SIZE]);
/* With `keep`: a transaction begins that handles a mail; what the one before did stands, or was aborted. */
enum cella_status cella_history_start(struct cella_history *history, struct cella_error *error);
/* Starts a call: a known sender, what is kept of it read anew, or NULL. The caller ends with store, if it
 * changed anything, and with release. */
enum cella_status cella_history_open(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                     struct cella_history_sender **ret_sender, struct cella_error *error);
/* With `keep`: writes what has changed of the sender and of the whole. */
enum cella_status cella_history_store(struct cella_history *history, struct cella_history_sender *sender,
                                      struct cella_error *error);
/* With `keep`: frees what needs not be in memory; the sender may be gone after it. NULL is allowed. */
void cella_history_release(struct cella_history *history, struct cella_history_sender *sender);

/* Whether a request of an unknown sender may be taken for its first: its birth is neither before senders that
 * were forgotten nor in the future. CELLA_MAIL_UNKNOWN_HISTORY. */
enum cella_status cella_history_check_new(const struct cella_history *history, uint64_t birth,
                                          struct cella_error *error);
/* Adds a sender that open did not find, forgetting the least recently heard one when there are too many.
 * CELLA_LIMIT, CELLA_NO_MEMORY. */
enum cella_status cella_history_add(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                    struct cella_history_sender **ret_sender, struct cella_error *error);
/* Finds or adds. CELLA_MAIL_TOPIC_LIMIT, CELLA_NO_MEMORY. */
enum cella_status cella_history_topic(struct cella_history *history, struct cella_history_sender *sender,
                                      struct cella_bytes name, struct cella_history_topic **ret_topic,
                                      struct cella_error *error);

/* In memory only. A post to this topic is prepared: sender and topic stay until unpin. */
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

/* CELLA_MAILBOX_RUN makes the topic busy; CELLA_MAILBOX_REPEAT changes nothing, and gives a copy of the reply
 * if one is stored, which the caller wipes and frees. Statuses as cella_mailbox_mail_begin. */
struct cella_history_answer {
    enum cella_mailbox_verdict verdict;
    struct cella_history_topic *topic; /* after RUN */
    uint8_t *reply;
    size_t reply_size;
};
enum cella_status cella_history_begin(struct cella_history *history, struct cella_history_sender *sender,
                                      const struct cella_history_request *request,
                                      struct cella_history_answer *ret_answer, struct cella_error *error);
/* In memory it cannot fail. With `keep` the attempts stay until settle. */
enum cella_status cella_history_commit(struct cella_history *history, struct cella_history_sender *sender,
                                       struct cella_history_topic *topic, const struct cella_bytes *reply);
void cella_history_abort(struct cella_history_topic *topic);
/* With `keep`: a commit stands; attempts of this request, and all of earlier lives, are settled. */
void cella_history_settle(struct cella_history *history, struct cella_history_sender *sender,
                          struct cella_bytes topic, uint64_t birth, uint64_t sequence);
/* All attempts of births below `birth` are settled. */
void cella_history_settle_below(struct cella_history *history, struct cella_history_sender *sender,
                                uint64_t birth);

/* history_topic.c: topics, attempts and replies in memory. */
void cella_history_attempts_free(struct cella_history *history, struct cella_history_topic *topic);
void cella_history_topic_free(struct cella_history *history, struct cella_history_topic *topic);
void cella_history_topics_free(struct cella_history *history, struct cella_history_sender *sender);
struct cella_history_topic *cella_history_topic_find(const struct cella_history_sender *sender,
                                                     struct cella_bytes name);
void cella_history_reply_set(struct cella_history *history, struct cella_history_topic *topic,
                             const struct cella_bytes *reply);

#endif
