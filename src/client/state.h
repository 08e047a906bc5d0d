/* What a client keeps on disk, as bytes (formats/client-state.md). Must not: touch a file. */
#ifndef CELLA_CLIENT_STATE_H
#define CELLA_CLIENT_STATE_H

#include <cella/client.h>
#include <cella/verify.h>
#include "mail/format.h"
#include "state/context.h"

#define CELLA_CLIENT_URL_LIMIT     1024
#define CELLA_CLIENT_NAME_LIMIT    64
#define CELLA_CLIENT_PENDING_LIMIT 64
#define CELLA_CLIENT_SESSION_LIMIT ((size_t)64 << 20)
#define CELLA_CLIENT_STATE_LIMIT   (CELLA_CLIENT_SESSION_LIMIT + ((size_t)1 << 20))
#define CELLA_CLIENT_HAVE_SIZE     16

/* What became of a topic's request that has no reply. The number is part of the format. */
enum cella_client_outcome {
    CELLA_CLIENT_IN_DOUBT = 1, /* it left; whether it arrived is not known */
    CELLA_CLIENT_DENIED = 2,   /* the host says that it was not done: its name is free for another */
    CELLA_CLIENT_GIVEN_UP = 3, /* the caller gave it up: the next one copes with both cases */
    CELLA_CLIENT_LOST = 4,     /* it went down with an instance, or by a restore: it will never be known */
};

struct cella_client_pending {
    enum cella_client_outcome outcome;
    char topic[CELLA_MAIL_TOPIC_MAX + 1];
    uint8_t digest[32]; /* of way, envelope and body */
};

/* Owns its strings and the session bytes. */
struct cella_client_state {
    uint8_t private_key[32]; /* secret */
    uint8_t route[CELLA_CLIENT_ROUTE_SIZE];
    char *url;
    char *enclave;
    char *constraint;
    bool has_have;
    uint8_t have[CELLA_CLIENT_HAVE_SIZE]; /* of the post that was received last */
    bool pinned;
    uint8_t vault_id[CELLA_VAULT_ID_SIZE]; /* zeros: the enclave has none */
    uint8_t warden_group[32];
    uint64_t warden_lineage;
    struct cella_verify_floors floors;
    struct cella_vault_known known; /* empty without a vault */
    uint64_t told;                  /* number up to which the enclave knows that posts arrived */
    bool met;                       /* this instance has shown that it goes on from `known` */
    bool forked;                    /* the vault showed two histories; nothing but a hello is said to it */
    uint32_t fork_number;           /* of the newest evidence file; 0: none was ever written */
    size_t pending_count;
    struct cella_client_pending pending[CELLA_CLIENT_PENDING_LIMIT];
    uint8_t *session; /* as exported by cella_mail_session_export; NULL before the first attestation */
    size_t session_size;
};

bool cella_client_state_has_vault(const struct cella_client_state *state);

/* Wipes and frees; accepts a zeroed one. */
void cella_client_state_deinit(struct cella_client_state *state);

/* The caller frees with cella_wipe_free(data, size). */
enum cella_status cella_client_state_write(const struct cella_client_state *state, uint8_t **ret_data,
                                           size_t *ret_size);
/* CELLA_CLIENT_STATE, CELLA_NEWER_FORMAT, CELLA_NO_MEMORY. */
enum cella_status cella_client_state_parse(struct cella_bytes data, struct cella_client_state *ret_state,
                                           struct cella_error *error);

struct cella_client_pending *cella_client_pending_find(struct cella_client_state *state, const char *topic);
/* Sets or adds. CELLA_LIMIT: too many topics with unanswered requests. */
enum cella_status cella_client_pending_set(struct cella_client_state *state, const char *topic,
                                           enum cella_client_outcome outcome, const uint8_t digest[32]);
void cella_client_pending_clear(struct cella_client_state *state, const char *topic);
/* What the instance knew is gone: what was in doubt is lost, the rest is forgotten. */
void cella_client_pending_lose(struct cella_client_state *state);

#endif
