/* What an instance says at the end of its start: that it is ready, that it failed, or what it found when it
 * was to check its vault. Must not: serve anything from a vault that has no name yet. */
#include "base/error.h"
#include "base/reader.h"
#include "host/instance_internal.h"
#include <string.h>

enum { STATEMENT_MAX = 64 * 1024 };

/* Text of the enclave, printable and cut. */
static void read_text(struct cella_reader *reader, char *out, size_t capacity) {
    size_t left = cella_reader_left(reader);
    size_t size = left < capacity ? left : capacity - 1;
    const uint8_t *text = cella_read_view(reader, size);
    for (size_t i = 0; i < size; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : ' ';
    out[size] = '\0';
}

/* REPORT (432), size of the statement (u32), statement, report of the vault. */
static enum cella_status read_ready(struct cella_instance *instance, struct cella_bytes message,
                                    struct cella_error *error) {
    struct cella_reader reader;
    cella_reader_init(&reader, message);
    (void)cella_read_view(&reader, CELLA_REPORT_SIZE);
    (void)cella_read_sized(&reader, STATEMENT_MAX);
    size_t left = cella_reader_left(&reader);
    struct cella_bytes vault = CELLA_BYTES(cella_read_view(&reader, left), left);
    bool has_vault = instance->storage != NULL;
    if (reader.failed || has_vault != (vault.size > 0))
        return cella_fail(error, CELLA_DOOR_BROKEN, "the enclave's word that it is ready is not well formed");
    instance->info.has_vault = has_vault;
    return has_vault ? cella_vault_report_parse(vault, &instance->info.vault, error) : CELLA_OK;
}

void cella_instance_handle_ready(struct cella_instance *instance, struct cella_bytes message) {
    struct cella_error error = {.message = ""};
    enum cella_status status = read_ready(instance, message, &error);
    if (status == CELLA_OK)
        status = cella_instance_settle_vault(instance, &error);
    if (status != CELLA_OK) {
        cella_instance_set_ended(instance, status, error.message);
        return;
    }
    pthread_mutex_lock(&instance->lock);
    /* An end that came first stays the end. */
    if (instance->state == INSTANCE_STARTING)
        instance->state = INSTANCE_SERVING;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
}

void cella_instance_handle_failed(struct cella_instance *instance, struct cella_bytes message) {
    struct cella_reader reader;
    char text[256];
    cella_reader_init(&reader, message);
    enum cella_status status = (enum cella_status)cella_read_u32(&reader);
    read_text(&reader, text, sizeof text);
    if (reader.failed || status == CELLA_OK)
        status = CELLA_DOOR_BROKEN;
    cella_instance_set_ended(instance, status, text);
}

/* Status (u32), report of the vault, one sentence. */
void cella_instance_handle_checked(struct cella_instance *instance, struct cella_bytes message) {
    struct cella_reader reader;
    struct cella_error error = {.message = ""};
    cella_reader_init(&reader, message);
    enum cella_status status = (enum cella_status)cella_read_u32(&reader);
    struct cella_bytes report =
        CELLA_BYTES(cella_read_view(&reader, CELLA_VAULT_REPORT_SIZE), CELLA_VAULT_REPORT_SIZE);
    if (!instance->checks || instance->checked || reader.failed ||
        cella_vault_report_parse(report, &instance->check_report, &error) != CELLA_OK) {
        cella_instance_set_ended(instance, CELLA_DOOR_BROKEN,
                                 "the enclave's check of its vault is not well formed");
        return;
    }
    pthread_mutex_lock(&instance->lock);
    instance->check_status = status;
    read_text(&reader, instance->check_text, sizeof instance->check_text);
    instance->checked = true;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
}
