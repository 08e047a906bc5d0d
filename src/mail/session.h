/* The client's end of mail to one enclave: sequences, the session's keys, one-shot mail, replies and posts.
 * One thread at a time. Must not: know sockets, files or a clock; the client library moves and stores the
 * bytes.
 */
#ifndef CELLA_MAIL_SESSION_H
#define CELLA_MAIL_SESSION_H

#include "crypto/x25519.h"
#include "mail/format.h"

struct cella_mail_session;

/* `own` is copied; `enclave_key` is the session key from a verified attestation. No bytes are exchanged yet.
 */
enum cella_status cella_mail_session_new(const struct cella_x25519_key *own,
                                         const uint8_t enclave_key[CELLA_MAIL_KEY_SIZE],
                                         struct cella_mail_session **ret_session);
/* Wipes; NULL is allowed. Readers and writers of the session must have been freed. */
void cella_mail_session_free(struct cella_mail_session *session);

/* The enclave's mailbox key from a verified attestation; generation 0 and key NULL: it has none. */
void cella_mail_session_set_mailbox_key(struct cella_mail_session *session,
                                        const uint8_t key[CELLA_MAIL_KEY_SIZE], uint64_t generation);

/* The client context sent in the clear with every mail from now on; copied, not part of the exported state.
 * CELLA_LIMIT: over CELLA_MAIL_CONTEXT_MAX. */
enum cella_status cella_mail_session_set_context(struct cella_mail_session *session,
                                                 struct cella_bytes context);

/* The enclave was restarted without a vault: a new session key, sequences count from 0 again, open requests
 * are forgotten. */
void cella_mail_session_reset(struct cella_mail_session *session,
                              const uint8_t enclave_key[CELLA_MAIL_KEY_SIZE]);

/* A new instance of the same vault: mail goes to its session key from now on, in a session of its own.
 * Topics, sequences, open requests, birth and what arrived stay. What former instances sealed still opens. */
void cella_mail_session_rekey(struct cella_mail_session *session,
                              const uint8_t enclave_key[CELLA_MAIL_KEY_SIZE]);

/* Judges a mail from the enclave that is authentic, whole and in order, before it changes anything here: a
 * failure refuses it, as if it had not come. For the context in it, which this module does not read. */
typedef enum cella_status cella_mail_judge(void *context, const struct cella_mail_header *header,
                                           struct cella_error *error);
/* NULL: everything passes. */
void cella_mail_session_set_judge(struct cella_mail_session *session, cella_mail_judge *judge, void *context);

/* Whether anything of the enclave has ever been opened in this life. One that has heard nothing, and is told
 * that its first request is a replay, has lost its memory. */
bool cella_mail_session_has_heard(const struct cella_mail_session *session);

/* Drops the session's sending key, so that the next mail handshakes again; sequences go on. For
 * CELLA_MAIL_SESSION_UNKNOWN, and when a reply to the first mail never came. */
void cella_mail_session_restart(struct cella_mail_session *session);

/* For CELLA_MAIL_UNKNOWN_HISTORY: the enclave has forgotten this sender. As reset with the same key, and the
 * next mail is a hello that fetches a new birth. What was in flight may or may not have been done. Posts and
 * replies that were sealed before are refused from now on, also those that were never read. */
void cella_mail_session_forget(struct cella_mail_session *session);

/* What the next request needs first. */
enum cella_mail_session_phase {
    CELLA_MAIL_PHASE_NEW,     /* no session: a request that fits opens one, or seal a hello */
    CELLA_MAIL_PHASE_OPENING, /* a hello or first request is under way: give its reply to …_open first */
    CELLA_MAIL_PHASE_OPEN,    /* anything goes */
};
enum cella_mail_session_phase cella_mail_session_phase(const struct cella_mail_session *session);

/* True if a request with a body of this size must be preceded by a hello: it would not fit the first message,
 * or a birth is to be fetched. Never true in phase OPEN. */
bool cella_mail_session_needs_hello(const struct cella_mail_session *session, uint64_t body_size);

/* A mail that only opens a session; its reply goes to …_open. Also the choice of clients that want no request
 * under the weaker secrecy of a first message. The caller frees with free(). CELLA_MAIL_NOT_OPEN: a session
 * is being opened already. */
enum cella_status cella_mail_session_hello(struct cella_mail_session *session, uint8_t **ret_mail,
                                           size_t *ret_size, struct cella_error *error);

enum cella_mail_way {
    CELLA_MAIL_WAY_SESSION,  /* the default */
    CELLA_MAIL_WAY_ONE_SHOT, /* Noise X to the session key; needs no session and leaves it alone */
    CELLA_MAIL_WAY_MAILBOX,  /* Noise X to the mailbox key */
};

struct cella_mail_request {
    const char *topic;
    struct cella_bytes envelope;
    enum cella_mail_way way;
    enum cella_mail_padding padding; /* zero is NONE: set CELLA_MAIL_PADDING_CLASS unless the user says no */
    /* Seals the topic's last request again, under the same sequence: its reply did not come. Envelope, body
     * and padding must be the same, else the enclave answers CELLA_MAIL_NAME_USED if it did the first one. */
    bool repeat;
    uint64_t *ret_sequence; /* gets the sequence that was sealed; NULL: nobody asks. Not for writers */
};

/* Seals a whole request. The caller frees with free(). Store the exported state before the bytes are sent.
 * CELLA_MAIL_NOT_OPEN: say hello first, or wait for the reply that opens the session. CELLA_MAIL_TOPIC,
 * CELLA_LIMIT, CELLA_NOT_FOUND (repeat without a request, or no mailbox key). */
enum cella_status cella_mail_session_seal(struct cella_mail_session *session,
                                          const struct cella_mail_request *request, struct cella_bytes body,
                                          uint8_t **ret_mail, size_t *ret_size, struct cella_error *error);

/* A query: changes nothing, has no sequence, its answer goes to …_open and has role REPLY or DONE. `request`
 * gives topic, envelope and padding. In an open session only: CELLA_MAIL_NOT_OPEN. A later query or ack takes
 * its place: the answer to it is then CELLA_MAIL_UNEXPECTED. */
enum cella_status cella_mail_session_query(struct cella_mail_session *session,
                                           const struct cella_mail_request *request, struct cella_bytes body,
                                           uint8_t **ret_mail, size_t *ret_size, struct cella_error *error);
/* Carries nothing but the client's context; its answer is a DONE without a topic. Otherwise as a query. */
enum cella_status cella_mail_session_ack(struct cella_mail_session *session, uint8_t **ret_mail,
                                         size_t *ret_size, struct cella_error *error);

/* The same as …_seal for a body written in pieces. Bytes go to `output` as packets fill. In phase NEW only a
 * body that fits one packet can be written (CELLA_MAIL_NOT_OPEN by the write that goes over it): hello first
 * when in doubt. */
struct cella_mail_writer;
enum cella_status cella_mail_session_writer(struct cella_mail_session *session,
                                            const struct cella_mail_request *request,
                                            cella_mail_output *output, void *output_context,
                                            struct cella_mail_writer **ret_writer, struct cella_error *error);
uint64_t cella_mail_writer_sequence(const struct cella_mail_writer *writer);
enum cella_status cella_mail_writer_write(struct cella_mail_writer *writer, struct cella_bytes piece,
                                          struct cella_error *error);
/* Writes padding and the last packet. */
enum cella_status cella_mail_writer_finish(struct cella_mail_writer *writer, struct cella_error *error);
/* Without a finish the mail is incomplete, and the enclave refuses it. NULL is allowed. */
void cella_mail_writer_free(struct cella_mail_writer *writer);

/* An opened reply or post. */
struct cella_mail_letter {
    enum cella_mail_role role; /* HELLO, REPLY, DONE or POST */
    char topic[CELLA_MAIL_TOPIC_MAX + 1];
    uint64_t sequence;
    struct cella_bytes context; /* from the enclave */
    struct cella_bytes envelope;
    struct cella_bytes body;
    void *memory; /* owner of the views */
};
/* Wipes and frees what the letter owns; accepts a zeroed one. */
void cella_mail_letter_deinit(struct cella_mail_letter *letter);

/* Opens a reply (the answer to a mail) or a post (polled) and checks its order. On failure nothing is
 * advanced, the same or another mail may be given again. CELLA_MAIL_REFUSED: changed, cut or not from this
 * enclave. CELLA_MAIL_REPLY_REPLAYED, CELLA_MAIL_REPLY_MISSING (an earlier reply of the topic was held back;
 * the message names it), CELLA_MAIL_POST_REPLAYED, CELLA_MAIL_POST_MISSING. CELLA_MAIL_UNEXPECTED: answers
 * nothing that was asked. CELLA_MAIL_SESSION_UNKNOWN: belongs to a session that this client no longer has. */
enum cella_status cella_mail_session_open(struct cella_mail_session *session, struct cella_bytes mail,
                                          struct cella_mail_letter *ret_letter, struct cella_error *error);

/* The same for a mail that arrives in chunks of any size. */
struct cella_mail_reader;
enum cella_status cella_mail_session_reader(struct cella_mail_session *session,
                                            struct cella_mail_reader **ret_reader);
enum cella_status cella_mail_reader_feed(struct cella_mail_reader *reader, struct cella_bytes chunk,
                                         struct cella_error *error);
enum cella_status cella_mail_reader_finish(struct cella_mail_reader *reader,
                                           struct cella_mail_letter *ret_letter, struct cella_error *error);
/* NULL is allowed. */
void cella_mail_reader_free(struct cella_mail_reader *reader);

/* Going on after a loss that was reported: replies (or posts) of the topic that did not come up to `sequence`
 * are given up, the next one expected is `sequence`. `number` is the outbox number of that post (its header's
 * `answers`), 0 without a vault: of other topics too, what did not come below it is given up. */
enum cella_status cella_mail_session_give_up_replies(struct cella_mail_session *session, const char *topic,
                                                     uint64_t sequence);
enum cella_status cella_mail_session_give_up_posts(struct cella_mail_session *session, const char *topic,
                                                   uint64_t sequence, uint64_t number);
/* The outbox number up to which every post of this life has come or was given up: what the client's context
 * tells the enclave. 0: none. */
uint64_t cella_mail_session_collected(const struct cella_mail_session *session);

/* The oldest request of the topic without a reply; CELLA_NOT_FOUND if all are answered. */
enum cella_status cella_mail_session_outstanding(const struct cella_mail_session *session, const char *topic,
                                                 uint64_t *ret_sequence);

/* The state as bytes, for a private file: it contains receiving keys (not the static key, never a sending
 * key: a client that comes back opens a new session, so that no nonce can repeat however old the file is).
 * The caller frees with cella_wipe_free(data, size). */
enum cella_status cella_mail_session_export(const struct cella_mail_session *session, uint8_t **ret_data,
                                            size_t *ret_size);
/* CELLA_DAMAGED, CELLA_NEWER_FORMAT, CELLA_KEY_INVALID: the state belongs to another static key. */
enum cella_status cella_mail_session_import(const struct cella_x25519_key *own, struct cella_bytes data,
                                            struct cella_mail_session **ret_session,
                                            struct cella_error *error);
/* The enclave session key that the state is for. */
const uint8_t *cella_mail_session_enclave_key(const struct cella_mail_session *session);

#endif
