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

#endif
