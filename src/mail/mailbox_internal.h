/* What the files of the enclave's end share: the mailbox, its sessions, one mail in work. */
#ifndef CELLA_MAIL_MAILBOX_INTERNAL_H
#define CELLA_MAIL_MAILBOX_INTERNAL_H

#include "mail/fixed.h"
#include "mail/history.h"
#include "mail/packet.h"

#define CELLA_MAIL_WINDOW_SIZE     1024 /* mail numbers of a session that may arrive out of order */
#define CELLA_MAIL_SENDER_SESSIONS 8    /* live sessions of one sender */

/* A live session. `lock` guards the ciphers, the window and the numbers; everything else is guarded by the
 * mailbox's lock, which is never taken while `lock` is held. The table holds one reference. */
struct cella_mailbox_session {
    struct cella_table_node node;
    uint8_t id[CELLA_MAIL_SESSION_ID_SIZE];
    uint8_t sender_key[CELLA_MAIL_KEY_SIZE];
    struct cella_history_sender *sender; /* NULL once it is closed */
    struct cella_mailbox_session *next;  /* of the same sender */
    uint32_t references;
    uint64_t ordinal; /* among its sender's sessions, from 1 */
    bool confirmed;   /* the client has used it, so it can open posts */
    pthread_mutex_t lock;
    struct cella_noise_cipher receive;
    struct cella_noise_cipher send;
    uint64_t send_number;
    uint64_t highest; /* mail number seen */
    uint64_t seen[CELLA_MAIL_WINDOW_SIZE / 64];
};

struct cella_mailbox {
    pthread_mutex_t lock; /* guards history and sessions */
    struct cella_x25519_key session_key;
    struct cella_x25519_key mailbox_key;
    uint64_t mailbox_generation; /* 0: no mailbox key */
    struct cella_mailbox_limits limits;
    uint8_t fingerprint_key[CELLA_FINGERPRINT_KEY_SIZE];
    struct cella_history history;
    struct cella_table sessions;
    const struct cella_mail_fixed *fixed;
};

enum cella_mail_state {
    CELLA_MAIL_ARRIVING,
    CELLA_MAIL_RUNNING,    /* begun, to be committed or aborted */
    CELLA_MAIL_ANSWERABLE, /* the answer may be sealed */
    CELLA_MAIL_ENDED,
};

struct cella_mailbox_mail {
    struct cella_mailbox *mailbox;
    struct cella_mail_opener opener;
    struct cella_noise_handshake handshake;
    struct cella_noise_cipher receive;    /* packets of one-shot mail after the first */
    struct cella_fingerprint fingerprint; /* of a request's envelope, body and padding */
    uint8_t request_fingerprint[CELLA_FINGERPRINT_SIZE];
    const struct cella_x25519_key *key;
    struct cella_mailbox_session *session;
    enum cella_mail_state state;
    enum cella_mailbox_verdict verdict;
    uint8_t route[CELLA_MAIL_ROUTE_SIZE];
    uint8_t id[CELLA_MAIL_ID_SIZE];
    struct cella_history_sender *sender;     /* pinned from begin on, but for a query */
    struct cella_history_topic *topic_entry; /* while RUNNING */
    bool committed;                          /* with `keep` */
    unsigned again_count;                    /* posts that were sent again with this mail */
    uint64_t again_bytes;
    bool has_stored; /* REPEAT: the reply to send again, NULL for "done" */
    uint8_t *stored;
    size_t stored_size;
    struct cella_mail view;
    char topic[CELLA_MAIL_TOPIC_MAX + 1];
};

/* A post, sealed later. In memory everything that can fail has been done; one that is kept is in the outbox,
 * and has but copies here. */
struct cella_mailbox_prepared {
    struct cella_mailbox *mailbox;
    struct cella_mail_header header; /* in memory all but sequence and birth */
    size_t body_size;
    uint8_t *stream; /* body, padding, trailer; of one that is kept only the body */
    size_t stream_size;
    /* in memory */
    struct cella_history_sender *sender; /* pinned, as is the topic */
    struct cella_history_topic *topic;
    struct cella_mailbox_session *session;  /* referenced; NULL: one-shot */
    struct cella_noise_handshake handshake; /* of one-shot mail, prepared */
    uint8_t *out;                           /* room for either way */
    /* kept */
    uint8_t recipient[CELLA_MAIL_KEY_SIZE];
    uint8_t route[CELLA_MAIL_ROUTE_SIZE];
    char topic_name[CELLA_MAIL_TOPIC_MAX + 1];
};

/* mailbox_outbox.c: posts that are kept. The first two need the mailbox's lock. */
enum cella_status cella_mailbox_outbox_put(struct cella_mailbox *mailbox,
                                           const uint8_t recipient[CELLA_MAIL_KEY_SIZE],
                                           struct cella_bytes topic, struct cella_bytes body,
                                           struct cella_mailbox_prepared **ret_prepared,
                                           struct cella_error *error);
/* The sender has a new session: what it has not collected is to be sent again. */
void cella_mailbox_outbox_rewind(const struct cella_mailbox *mailbox, struct cella_history_sender *sender);
enum cella_status cella_mailbox_outbox_seal(struct cella_mailbox_prepared *prepared,
                                            struct cella_bytes context, struct cella_mailbox_post *ret_post);

/* mailbox_seal.c: `out` has the size that cella_mail_size gives. The first takes the session's next number.
 */
enum cella_status cella_mailbox_seal_in_session(struct cella_mailbox_session *session,
                                                struct cella_mail_header *header, struct cella_bytes body,
                                                uint8_t *out, struct cella_error *error);
enum cella_status cella_mailbox_seal_one_shot(const struct cella_mailbox *mailbox,
                                              const struct cella_x25519_key *own,
                                              const uint8_t recipient[CELLA_MAIL_KEY_SIZE],
                                              const struct cella_mail_header *header, struct cella_bytes body,
                                              uint8_t *out);

/* All need the mailbox's lock. */

/* Posts go where the last mail came from that is surely new: one-shot mail and openings that repeat a name,
 * and hellos, may be the host's replays. A sender's first mail counts in any case. */
void cella_mailbox_take_route(const struct cella_mailbox_mail *mail, struct cella_history_sender *sender,
                              bool is_new);
struct cella_mailbox_session *cella_mailbox_session_find(struct cella_mailbox *mailbox,
                                                         const uint8_t id[CELLA_MAIL_SESSION_ID_SIZE]);
void cella_mailbox_session_release(struct cella_mailbox_session *session);
/* Out of the table; freed when nobody uses it any more. */
void cella_mailbox_session_close(struct cella_mailbox *mailbox, struct cella_mailbox_session *session);
/* Takes over `session`; closes older ones where limits ask for it. */
void cella_mailbox_session_add(struct cella_mailbox *mailbox, struct cella_history_sender *sender,
                               struct cella_mailbox_session *session);
/* The client has used it: posts may go through it, and it is the last to be closed. */
void cella_mailbox_session_used(struct cella_mailbox *mailbox, struct cella_mailbox_session *session);

/* The last used session in which the client can open posts, or NULL. It keeps the keys of its newest sessions
 * only. */
struct cella_mailbox_session *cella_mailbox_session_for_posts(const struct cella_history_sender *sender);
/* Also for one that was closed, whose sender is still known. */
bool cella_mailbox_session_takes_posts(const struct cella_mailbox_session *session,
                                       const struct cella_history_sender *sender);

/* Takes the next number of mail to the client, and the session's lock for that. One that is not used leaves a
 * gap, which is allowed. CELLA_LIMIT: there are no more. */
enum cella_status cella_mailbox_session_next(struct cella_mailbox_session *session, uint64_t *ret_number);

/* Needs the session's lock. CELLA_MAIL_REPLAY: seen before, or older than the window; else marks it as seen.
 */
enum cella_status cella_mailbox_session_number(struct cella_mailbox_session *session, uint64_t number);

#endif
