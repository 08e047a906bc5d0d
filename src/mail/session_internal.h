/* What the files of the client's end share. */
#ifndef CELLA_MAIL_SESSION_INTERNAL_H
#define CELLA_MAIL_SESSION_INTERNAL_H

#include "mail/fixed.h"
#include "mail/packet.h"
#include "mail/session.h"

/* Topics of one client; bounds what an imported state can ask for. */
#define CELLA_MAIL_SESSION_TOPICS 65536

struct cella_session_topic {
    struct cella_session_topic *next;
    char name[CELLA_MAIL_TOPIC_MAX + 1];
    uint64_t next_sequence; /* of the next request */
    uint64_t replied;       /* all requests below are answered or given up */
    uint64_t next_post;
    /* The last sealed form of request next_sequence - 1: its answer must name it. */
    enum cella_mail_kind attempt_kind;
    uint8_t attempt_id[CELLA_MAIL_SESSION_ID_SIZE];
    uint64_t attempt_number;
};

/* A session's receiving key; newest first. */
struct cella_session_slot {
    uint8_t id[CELLA_MAIL_SESSION_ID_SIZE];
    uint8_t key[CELLA_AEAD_KEY_SIZE];
};

#define CELLA_MAIL_SESSION_FORMER 2 /* instances before this one whose one-shot mail still opens */

struct cella_mail_session {
    struct cella_x25519_key own;
    uint8_t enclave_key[CELLA_MAIL_KEY_SIZE];
    uint8_t former[CELLA_MAIL_SESSION_FORMER][CELLA_MAIL_KEY_SIZE]; /* newest first */
    unsigned former_count;
    uint8_t mailbox_key[CELLA_MAIL_KEY_SIZE];
    uint64_t mailbox_generation; /* 0: none */
    uint8_t context[CELLA_MAIL_CONTEXT_MAX];
    size_t context_size;
    cella_mail_judge *judge;
    void *judge_context;
    uint64_t birth;
    uint64_t since;     /* the enclave's clock when this life began; what it sealed before is of another */
    uint64_t collected; /* outbox number up to which all posts came; 0: none yet in this life */
    bool birth_used;    /* a request has named it, so it stays */
    bool wants_birth;   /* the next mail must be a hello */
    enum cella_mail_session_phase phase;
    struct cella_noise_handshake handshake; /* while OPENING */
    uint8_t id[CELLA_MAIL_SESSION_ID_SIZE]; /* while OPENING or OPEN */
    struct cella_noise_cipher send;
    uint64_t send_number;
    uint64_t unnamed_number; /* of the query or ack that waits for its answer in this session; 0: none */
    uint64_t serial; /* counts changes of the sending key, so that a writer never goes on under another */
    uint64_t life;   /* counts resets, so that a writer never touches the topics of another life */
    struct cella_session_slot slots[CELLA_MAIL_SESSION_SLOTS];
    unsigned slot_count;
    struct cella_session_topic *topics;
    uint32_t topic_count;
    const struct cella_mail_fixed *fixed;
};

/* NULL if there is none. */
struct cella_session_topic *cella_session_topic_find(const struct cella_mail_session *session,
                                                     struct cella_bytes name);
/* Finds or adds. CELLA_MAIL_TOPIC, CELLA_LIMIT, CELLA_NO_MEMORY. */
enum cella_status cella_session_topic_get(struct cella_mail_session *session, struct cella_bytes name,
                                          struct cella_session_topic **ret_topic, struct cella_error *error);

/* One mail that is being sealed: a whole one, or what a writer is at. */
struct cella_session_work {
    struct cella_mail_session *session;
    struct cella_mail_sealer sealer;
    struct cella_noise_handshake one_shot;
    bool repeat;
    uint64_t serial;
    uint64_t life;
};

/* Takes sequence, number and keys for a request; changes the session only if it succeeds. `work` is zeroed.
 */
enum cella_status cella_session_work_start(struct cella_mail_session *session,
                                           const struct cella_mail_request *request,
                                           struct cella_session_work *work, struct cella_error *error);
/* The mail was not completed: what it took is given back. */
void cella_session_work_cancel(struct cella_session_work *work);
/* The mail is complete: its answer will be expected. */
void cella_session_work_finish(struct cella_session_work *work);
/* False if the session's key or life has changed since start. */
bool cella_session_work_current(const struct cella_session_work *work);
void cella_session_work_deinit(struct cella_session_work *work);

#endif
