/* The client's judgement of an instance, before a word is said to it. Must not: keep anything of an instance
 * that did not pass. */
#include "base/error.h"
#include "client/client_internal.h"
#include "crypto/random.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status check_pins(struct cella_client *client, const struct cella_verdict *verdict,
                                    struct cella_error *error) {
    const struct cella_client_state *state = &client->state;
    const struct cella_statement *statement = &verdict->statement;
    if (!state->pinned)
        return CELLA_OK;
    if (memcmp(state->vault_id, statement->vault_id, sizeof state->vault_id) != 0)
        return cella_fail(error, CELLA_CLIENT_OTHER_VAULT,
                          "the instance has another vault than the one this client began with");
    if (memcmp(state->warden_group, statement->warden_group, sizeof state->warden_group) != 0)
        return cella_fail(error, CELLA_CLIENT_OTHER_VAULT,
                          "the instance has other wardens than the one this client began with");
    if (statement->warden_lineage < state->warden_lineage)
        return cella_fail(error, CELLA_CLIENT_OTHER_VAULT,
                          "the instance's wardens are of an older lineage than this client knows");
    return CELLA_OK;
}

static bool has_vault(const struct cella_statement *statement) {
    static const uint8_t zeros[CELLA_VAULT_ID_SIZE];
    return memcmp(statement->vault_id, zeros, sizeof zeros) != 0;
}

static uint64_t larger(uint64_t left, uint64_t right) {
    return left > right ? left : right;
}

/* What was seen once is the least that is accepted from now on. Simulated machines have floors of their own
 * each, and protect nothing: they raise none. */
static void remember(struct cella_client *client, const struct cella_verdict *verdict) {
    struct cella_client_state *state = &client->state;
    const struct cella_statement *statement = &verdict->statement;
    state->pinned = true;
    memcpy(state->vault_id, statement->vault_id, sizeof state->vault_id);
    if (has_vault(statement)) {
        memcpy(state->known.genesis, statement->genesis, statement->genesis_size);
        state->known.genesis_size = statement->genesis_size;
    }
    memcpy(state->warden_group, statement->warden_group, sizeof state->warden_group);
    state->warden_lineage = statement->warden_lineage;
    if (!verdict->simulated) {
        struct cella_verify_floors *floors = &state->floors;
        const struct cella_verify_floors *seen = &verdict->seen;
        if (seen->tcb_evaluation_number > floors->tcb_evaluation_number)
            floors->tcb_evaluation_number = seen->tcb_evaluation_number;
        floors->root_crl_number = larger(floors->root_crl_number, seen->root_crl_number);
        floors->pck_crl_number = larger(floors->pck_crl_number, seen->pck_crl_number);
        if (seen->issued > floors->issued)
            floors->issued = seen->issued;
    }
    client->dirty = true;
}

/* Makes the session fit the instance's session key. An instance of the same vault knows what former ones did;
 * one without a vault knows nothing. */
static enum cella_status take_keys(struct cella_client *client, const struct cella_statement *statement,
                                   struct cella_error *error) {
    if (client->session == NULL) {
        enum cella_status status =
            cella_mail_session_new(&client->key, statement->session_key, &client->session);
        if (status != CELLA_OK)
            return cella_fail(error, status, "cannot make a session");
        cella_mail_session_set_judge(client->session, cella_client_judge, client);
    } else if (memcmp(cella_mail_session_enclave_key(client->session), statement->session_key,
                      sizeof statement->session_key) != 0) {
        if (has_vault(statement)) {
            cella_mail_session_rekey(client->session, statement->session_key);
        } else {
            cella_mail_session_reset(client->session, statement->session_key);
            cella_client_pending_lose(&client->state);
        }
        client->state.met = false;
    }
    cella_mail_session_set_mailbox_key(client->session,
                                       statement->has_mailbox ? statement->mailbox_key : NULL,
                                       statement->has_mailbox ? statement->mailbox_generation : 0);
    return CELLA_OK;
}

static enum cella_status judge(struct cella_client *client, struct cella_bytes attestation,
                               const uint8_t *nonce, struct cella_error *error) {
    struct cella_verify_options options = {.constraint = &client->constraint,
                                           .at = client->now(client->time_context),
                                           .nonce = nonce,
                                           .floors = client->state.floors};
    struct cella_verdict verdict;
    enum cella_status status = cella_verify(attestation, &options, &verdict, error);
    if (status == CELLA_OK)
        status = check_pins(client, &verdict, error);
    if (status == CELLA_OK)
        status = take_keys(client, &verdict.statement, error);
    if (status != CELLA_OK)
        return status;
    remember(client, &verdict);
    cella_client_settings_proven(client);
    client->attested = true;
    client->attested_at = options.at;
    return CELLA_OK;
}

enum cella_status cella_client_attest(struct cella_client *client, struct cella_bytes *ret_attestation,
                                      struct cella_error *error) {
    if (!client->has_constraint)
        return cella_fail(error, CELLA_CONSTRAINT_INCOMPLETE, "this client was given no constraint yet");
    if (client->transport.attestation == NULL)
        return cella_fail(error, CELLA_CLIENT_URL, "this client was given no host's URL yet");
    uint8_t nonce[CELLA_NONCE_SIZE];
    uint8_t *attestation = NULL;
    size_t size = 0;
    enum cella_status status = cella_random(nonce, sizeof nonce);
    if (status != CELLA_OK)
        return cella_fail(error, status, "cannot make a nonce");
    client->attested = false;
    status = client->transport.attestation(client->transport.context, nonce, &attestation, &size, error);
    if (status != CELLA_OK)
        return status;
    status = judge(client, CELLA_BYTES(attestation, size), nonce, error);
    if (status != CELLA_OK) {
        free(attestation);
        return status;
    }
    free(client->attestation);
    client->attestation = attestation;
    client->attestation_size = size;
    if (ret_attestation != NULL)
        *ret_attestation = CELLA_BYTES(attestation, size);
    return CELLA_OK;
}

enum cella_status cella_client_ensure(struct cella_client *client, struct cella_error *error) {
    int64_t age = client->now(client->time_context) - client->attested_at;
    if (client->attested && age >= 0 && age < CELLA_CLIENT_ATTESTATION_AGE_S)
        return CELLA_OK;
    return cella_client_attest(client, NULL, error);
}
