/* What a client knows of its enclave's vault: what it tells the enclave, how it judges every answer, and what
 * it does when the histories contradict each other. Must not: give anything to the caller before what it
 * shows of the vault is on disk. */
#include "base/error.h"
#include "base/file.h"
#include "client/client_internal.h"
#include "client/head_file.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORK_FILES_MAX 1000

enum cella_status cella_client_prepare_context(struct cella_client *client, struct cella_error *error) {
    uint8_t bytes[CELLA_CLIENT_CONTEXT_SIZE_MAX];
    size_t size = 0;
    if (cella_client_state_has_vault(&client->state)) {
        cella_vault_known_ask(&client->state.known, cella_mail_session_collected(client->session),
                              &client->asked);
        size = cella_client_context_write(&client->asked, bytes);
    }
    enum cella_status status = cella_mail_session_set_context(client->session, CELLA_BYTES(bytes, size));
    return status == CELLA_OK ? status : cella_fail(error, status, "the client's context");
}

static bool known_changed(const struct cella_vault_known *before, const struct cella_vault_known *after) {
    if (before->has_head != after->has_head || before->doubt_count != after->doubt_count)
        return true;
    return (after->has_head && memcmp(&before->head, &after->head, sizeof after->head) != 0) ||
           memcmp(before->doubts, after->doubts, after->doubt_count * sizeof after->doubts[0]) != 0;
}

static enum cella_status judge_context(struct cella_client *client, const struct cella_mail_header *header,
                                       struct cella_error *error) {
    struct cella_vault_context context;
    const struct cella_client_context *asked = header->role == CELLA_MAIL_POST ? NULL : &client->asked;
    if (header->context.size == 0)
        return cella_fail(error, CELLA_VAULT_PROOF, "the enclave has a vault, and its mail does not show it");
    enum cella_status status = cella_vault_context_parse(header->context, &context, error);
    if (status != CELLA_OK)
        return cella_fail_context(error, CELLA_VAULT_PROOF, "what the mail says of the vault");
    status = cella_vault_known_judge(&client->state.known, asked, &context, &client->fork, error);
    client->has_fork |= status == CELLA_VAULT_FORK;
    return status == CELLA_SIGNATURE_INVALID
               ? cella_fail_context(error, CELLA_VAULT_PROOF, "what the mail says of the vault")
               : status;
}

enum cella_status cella_client_judge(void *context, const struct cella_mail_header *header,
                                     struct cella_error *error) {
    struct cella_client *client = context;
    if (!cella_client_state_has_vault(&client->state))
        return CELLA_OK;
    struct cella_vault_known before = client->state.known;
    enum cella_status status = judge_context(client, header, error);
    if (known_changed(&before, &client->state.known)) {
        client->dirty = true;
        client->unstored_head = true;
    }
    /* The caller is going to see this mail. A client that comes back after a crash must know of it. */
    if (status == CELLA_OK && header->role != CELLA_MAIL_HELLO && client->unstored_head)
        status = cella_client_store(client, error);
    return status;
}

/* The first name beside the state that no evidence has yet. */
static enum cella_status write_evidence(struct cella_client *client, struct cella_bytes evidence,
                                        struct cella_error *error) {
    struct cella_error failure = {.status = CELLA_OK};
    enum cella_status status = CELLA_EXISTS;
    for (uint32_t i = 1; i <= FORK_FILES_MAX && status == CELLA_EXISTS; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s.fork-%u", client->state_path, i) >= (int)sizeof path)
            return cella_fail(error, CELLA_ARGUMENT, "the path of the state file is too long");
        status = cella_file_create(path, evidence, CELLA_FILE_PUBLIC, &failure);
        if (status == CELLA_OK)
            client->state.fork_number = i;
    }
    return status == CELLA_OK ? status : cella_fail(error, status, "%s", failure.message);
}

static void name_evidence(const struct cella_client *client, enum cella_status status,
                          struct cella_error *error) {
    if (client->state_path != NULL && client->state.fork_number > 0)
        cella_fail_context(error, status, "the vault has shown two histories, evidence in %s.fork-%u",
                           client->state_path, client->state.fork_number);
    else
        cella_fail_context(error, status, "the vault has shown two histories");
}

enum cella_status cella_client_remember_fork(const struct cella_client *client, enum cella_status status,
                                             struct cella_error *error) {
    if (client->state.forked && status != CELLA_OK && status != CELLA_VAULT_FORK)
        name_evidence(client, status, error);
    return status;
}

static enum cella_status fill_evidence(struct cella_client *client, struct cella_error *error) {
    free(client->evidence);
    client->evidence_size = 0;
    client->evidence = malloc(CELLA_FORK_EVIDENCE_SIZE_MAX);
    if (client->evidence == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for the evidence");
    client->evidence_size = cella_fork_evidence_write(&client->fork, client->evidence);
    return CELLA_OK;
}

/* The evidence outlives the message, which says where it lies. One file for one fork, however often the host
 * shows it. */
static void keep_fork(struct cella_client *client, struct cella_error *error) {
    struct cella_client_state *state = &client->state;
    struct cella_error failure = {.status = CELLA_OK};
    bool in_a_file = state->forked && state->fork_number > 0;
    enum cella_status status = fill_evidence(client, &failure);
    if (status == CELLA_OK && client->state_path != NULL && !client->look_only && !in_a_file)
        status = write_evidence(client, CELLA_BYTES(client->evidence, client->evidence_size), &failure);
    state->forked = true;
    client->has_fork = false;
    if (status == CELLA_OK)
        name_evidence(client, CELLA_VAULT_FORK, error);
    else
        cella_fail_context(error, CELLA_VAULT_FORK, "the evidence could not be written (%s)",
                           failure.message);
}

void cella_client_begin_anew(struct cella_client *client) {
    cella_mail_session_forget(client->session);
    cella_client_pending_lose(&client->state);
    client->state.told = 0;
    client->dirty = true;
}

enum cella_status cella_client_open_letter(struct cella_client *client, struct cella_bytes mail,
                                           struct cella_mail_letter *ret_letter, struct cella_error *error) {
    struct cella_client_state *state = &client->state;
    enum cella_status status = cella_mail_session_open(client->session, mail, ret_letter, error);
    if (status == CELLA_VAULT_FORK || status == CELLA_VAULT_PROOF || status == CELLA_VAULT_RESTORE) {
        /* Before anything else is said to it, a hello must show that it goes on from what is known. */
        cella_mail_session_restart(client->session);
        state->met = false;
        client->dirty = true;
    }
    if (status == CELLA_VAULT_FORK && client->has_fork)
        keep_fork(client, error);
    if (status == CELLA_VAULT_RESTORED) {
        cella_client_begin_anew(client);
        state->met = true;
        state->forked = false;
    }
    if (status != CELLA_OK || !cella_client_state_has_vault(state) || ret_letter->role == CELLA_MAIL_POST)
        return status;
    client->dirty |= !state->met || state->forked || state->told != client->asked.collected;
    state->met = true;
    state->forked = false;
    state->told = client->asked.collected;
    return CELLA_OK;
}

bool cella_client_must_meet(const struct cella_client *client) {
    const struct cella_client_state *state = &client->state;
    return cella_client_state_has_vault(state) && !state->met && state->known.has_head;
}

enum cella_status cella_client_head(const struct cella_client *client, uint8_t **ret_data, size_t *ret_size,
                                    struct cella_error *error) {
    const struct cella_vault_known *known = &client->state.known;
    if (!cella_client_state_has_vault(&client->state))
        return cella_fail(error, CELLA_NO_VAULT,
                          "the enclave of this client has no vault, as far as it knows");
    if (!known->has_head)
        return cella_fail(error, CELLA_NOT_FOUND, "this client has not seen any state of the vault yet");
    uint8_t *data = malloc(CELLA_HEAD_FILE_SIZE_MAX);
    if (data == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a head");
    struct cella_head_file file = {.genesis_size = known->genesis_size, .head = known->head};
    memcpy(file.genesis, known->genesis, known->genesis_size);
    *ret_size = cella_head_file_write(&file, data);
    *ret_data = data;
    return CELLA_OK;
}

enum cella_status cella_client_fork_evidence(const struct cella_client *client,
                                             struct cella_bytes *ret_evidence, struct cella_error *error) {
    if (client->evidence_size == 0)
        return cella_fail(error, CELLA_NOT_FOUND, "this client has found no fork since it was opened");
    *ret_evidence = CELLA_BYTES(client->evidence, client->evidence_size);
    return CELLA_OK;
}
