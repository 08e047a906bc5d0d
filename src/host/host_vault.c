/* What a host does about the vault of one enclave: its place, its state, and what is kept of its failures.
 * Must not: touch what is in it. */
#include "base/error.h"
#include "base/file.h"
#include "host/host_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *cella_enclave_vault_path(const struct cella_host_enclave *enclave) {
    char *path = NULL;
    if (enclave->host->vaults_path == NULL ||
        asprintf(&path, "%s/%s", enclave->host->vaults_path, enclave->name) < 0)
        return NULL;
    return path;
}

bool cella_vault_failure_stays(enum cella_status status) {
    switch (status) {
    case CELLA_VAULT_MISSING:
    case CELLA_VAULT_STALE:
    case CELLA_VAULT_OTHER:
    case CELLA_VAULT_OTHER_MACHINE:
    case CELLA_VAULT_OTHER_SIGNER:
    case CELLA_VAULT_DAMAGED:
    case CELLA_VAULT_SPLICED:
    case CELLA_VAULT_REWOUND:
    case CELLA_VAULT_STOPPED:
    case CELLA_VAULT_FORK:
    case CELLA_VAULT_RESTORE:
    case CELLA_VAULT_NEEDED:
    case CELLA_HISTORY_DAMAGED:
    case CELLA_KEY_CPU_SVN:
    case CELLA_KEY_ISV_SVN:
    case CELLA_NO_COUNTER:
    case CELLA_NEWER_FORMAT:
    /* Another instance owns the vault now: to take it back would stop that one. */
    case CELLA_FENCED:
        return true;
    default:
        return false;
    }
}

void cella_enclave_note_failure(const struct cella_host_enclave *enclave, enum cella_status status,
                                const char *reason) {
    char *vault = cella_enclave_vault_path(enclave);
    char *path = NULL;
    if (vault == NULL || asprintf(&path, "%s.failure", vault) < 0) {
        free(vault);
        return;
    }
    char text[CELLA_HOST_REASON_SIZE + 128];
    int size = snprintf(text, sizeof text, "%s %lld\n%s\n", cella_status_name(status),
                        (long long)cella_host_now(), reason);
    struct cella_error error = {.message = ""};
    if (status == CELLA_OK)
        (void)unlink(path);
    else if (cella_file_write(path, CELLA_BYTES(text, (size_t)size), CELLA_FILE_PRIVATE, &error) != CELLA_OK)
        cella_host_log(enclave->host, "warning", enclave, "failure-not-kept", "status=%s",
                       cella_status_name(error.status));
    free(path);
    free(vault);
}

void cella_enclave_on_storage(void *context, enum cella_status status, const char *message) {
    struct cella_host_enclave *enclave = context;
    char text[CELLA_LOG_TEXT_SIZE];
    pthread_mutex_lock(&enclave->lock);
    snprintf(enclave->storage_message, sizeof enclave->storage_message, "%.*s", CELLA_HOST_REASON_SIZE - 1,
             message);
    pthread_mutex_unlock(&enclave->lock);
    if (status == CELLA_OK)
        cella_host_log(enclave->host, "info", enclave, "storage-works-again", "status=OK");
    else
        cella_host_log(enclave->host, "error", enclave, "storage-failed", "status=%s reason=\"%s\"",
                       cella_status_name(status), cella_log_text(text, message));
}

static void take_report(struct cella_host_vault_state *state, const struct cella_vault_report *report) {
    state->present = true;
    memcpy(state->vault_id, report->vault_id, sizeof state->vault_id);
    state->lineage = report->lineage;
    state->epoch = report->now.epoch;
    state->version = report->now.version;
    state->snapshot_version = report->snapshot_version;
    state->keys = report->keys;
    state->state_size = report->state_size;
    state->records = report->records;
    state->dropped_records = report->dropped_records;
    state->torn_bytes = report->torn_bytes;
    state->freshness_known = report->freshness_known;
    state->restored = report->restored;
    state->outdated_keys = report->outdated_keys;
}

static void take_live(struct cella_host_vault_state *state, const struct cella_instance_vault *live) {
    if (live->version > state->version)
        state->version = live->version;
    if (live->snapshot_version > state->snapshot_version)
        state->snapshot_version = live->snapshot_version;
    /* Whatever is older than a snapshot of this instance is replaced by it. */
    if (live->snapshot_version > 0)
        state->outdated_keys = false;
    state->evidence = live->evidence;
    state->storage = live->storage.status;
    state->written_bytes = live->storage.bytes;
    state->flushes = live->storage.flushes;
    state->write_failures = live->storage.failures;
    state->queued_bytes = live->storage.queued_bytes;
}

void cella_enclave_vault_state(struct cella_host_enclave *enclave, struct cella_host_vault_state *ret_state) {
    struct cella_host_vault_state state = {.present = false};
    struct cella_instance_vault live = {.version = 0};
    struct cella_instance *instance = cella_gate_enter(enclave);
    if (instance != NULL) {
        cella_instance_vault(instance, &live);
        cella_gate_leave(enclave);
    }
    pthread_mutex_lock(&enclave->lock);
    if (enclave->info.has_vault)
        take_report(&state, &enclave->info.vault);
    memcpy(state.storage_message, enclave->storage_message, sizeof state.storage_message);
    pthread_mutex_unlock(&enclave->lock);
    take_live(&state, &live);
    if (state.storage == CELLA_OK)
        state.storage_message[0] = '\0';
    *ret_state = state;
}
