/* What the files of the client share. Must not: be seen outside src/client and its tests. */
#ifndef CELLA_CLIENT_INTERNAL_H
#define CELLA_CLIENT_INTERNAL_H

#include <cella/client.h>
#include <cella/verify.h>
#include "client/http.h"
#include "client/state.h"
#include "crypto/x25519.h"
#include "mail/session.h"

#define CELLA_CLIENT_ATTESTATION_AGE_S (24 * 3600) /* a client that runs longer than this attests again */

/* What a caller may replace. */
struct cella_client_settings {
    char *url, *enclave, *constraint;
};

struct cella_client {
    struct cella_client_transport transport;
    struct cella_client_http *http; /* NULL with a transport of the caller's */
    char *state_path;
    int lock; /* descriptor of the lock file, -1 without a state_path */
    unsigned attempt_limit;
    bool empty_first_message;
    enum cella_mail_padding padding;
    int64_t (*now)(void *context);
    void (*pause)(void *context, unsigned ms);
    void *time_context;

    struct cella_x25519_key key;
    bool has_constraint;
    struct cella_constraint constraint;
    struct cella_client_state state;
    struct cella_mail_session *session; /* NULL before the first attestation */
    bool dirty;                         /* memory knows more than the state file */
    bool look_only;                     /* the state file is not written */
    struct cella_client_settings
        kept;      /* what the file goes on saying until state's are proven; NULL: the same */
    bool attested; /* by this process */
    int64_t attested_at;
    uint8_t *attestation;
    size_t attestation_size;
    struct cella_client_context asked; /* what went with the mail that was sealed last */
    bool unstored_head;                /* known has changed since the file was written */
    bool has_fork;                     /* `fork` is a fork that was found just now */
    struct cella_fork_evidence fork;
    uint8_t *evidence; /* of the newest fork that this process found */
    size_t evidence_size;
};

/* Brings the file up to date if there is one and anything changed. */
enum cella_status cella_client_store(struct cella_client *client, struct cella_error *error);

/* An instance was attested under the settings in memory: the file may say them too. */
void cella_client_settings_proven(struct cella_client *client);
/* Is there a setting that no instance was attested under? */
bool cella_client_settings_on_trial(const struct cella_client *client);
/* CELLA_ARGUMENT for a client that was opened to look only. */
enum cella_status cella_client_may_speak(const struct cella_client *client, struct cella_error *error);

/* Attests if this process has not, or not for a day. */
enum cella_status cella_client_ensure(struct cella_client *client, struct cella_error *error);

/* Copies an opened letter for the caller. */
enum cella_status cella_client_mail_take(const struct cella_mail_letter *letter,
                                         struct cella_client_mail *ret_mail, struct cella_error *error);

/* Gives what is known of the vault to the session, as the context of the mail that is sealed next. */
enum cella_status cella_client_prepare_context(struct cella_client *client, struct cella_error *error);
/* The session's judge; `context` is the client. Stores what a mail shows of the vault before the mail counts,
 * if the caller is going to see it. */
enum cella_status cella_client_judge(void *context, const struct cella_mail_header *header,
                                     struct cella_error *error);
/* cella_mail_session_open, and what follows from its status: evidence of a fork is kept, after a restore this
 * client begins anew. */
enum cella_status cella_client_open_letter(struct cella_client *client, struct cella_bytes mail,
                                           struct cella_mail_letter *ret_letter, struct cella_error *error);
/* Must a hello show first that this instance goes on from what the client knows? */
bool cella_client_must_meet(const struct cella_client *client);
/* Puts in front of a failure that the vault has shown a fork before, if it has. Returns `status`. */
enum cella_status cella_client_remember_fork(const struct cella_client *client, enum cella_status status,
                                             struct cella_error *error);
/* The enclave does not know what this client did (any more): topics from 0 on, under a new birth. */
void cella_client_begin_anew(struct cella_client *client);

/* Stores if needed, and hands `mail` to the transport. */
enum cella_status cella_client_carry(struct cella_client *client, struct cella_bytes mail,
                                     uint8_t **ret_reply, size_t *ret_size, struct cella_error *error);
/* Opens a session by an empty message, in place of the one there is. */
enum cella_status cella_client_say_hello(struct cella_client *client, struct cella_error *error);
/* Tells the enclave which posts arrived, by the cheapest mail. */
enum cella_status cella_client_tell_collected(struct cella_client *client, struct cella_error *error);

/* What helps after a failure that the host reports. */
enum cella_client_course {
    CELLA_COURSE_END,    /* nothing: report the status */
    CELLA_COURSE_AGAIN,  /* time */
    CELLA_COURSE_ATTEST, /* the instance may be another one */
    CELLA_COURSE_GO_ON,  /* the next name, if this one was given up */
    CELLA_COURSE_HELLO,  /* a session, if there is none yet */
};
enum cella_client_course cella_client_course_after(enum cella_status status);
/* Does the host's word mean that the request was not done? Otherwise it is in doubt. */
bool cella_client_means_not_done(enum cella_status status);
/* The pause before an attempt, longer with the number of those before. */
void cella_client_pause(struct cella_client *client, unsigned pauses);

#endif
