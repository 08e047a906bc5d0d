/* Where mail meets the vault: what the mailbox keeps in it, and what clients say about it. Must not: look
 * into the program's space. */
#include "base/error.h"
#include "enclave/runtime.h"
#include "mail/keep.h"
#include "state/context.h"

static bool keep_get(void *context, struct cella_bytes key, struct cella_bytes *ret_value) {
    return cella_vault_get(cella_runtime.vault, CELLA_SPACE_MAIL, key, ret_value);
}

static enum cella_status keep_put(void *context, struct cella_bytes key, struct cella_bytes value) {
    return cella_vault_put(cella_runtime.vault, CELLA_SPACE_MAIL, key, value);
}

static enum cella_status keep_delete(void *context, struct cella_bytes key) {
    return cella_vault_delete(cella_runtime.vault, CELLA_SPACE_MAIL, key);
}

static enum cella_status keep_seek(void *context, struct cella_bytes from, struct cella_bytes *ret_key,
                                   struct cella_bytes *ret_value) {
    static const uint8_t end[] = {CELLA_SPACE_MAIL + 1};
    uint8_t buffer[CELLA_MAP_KEY_MAX];
    struct cella_map_cursor cursor;
    struct cella_bytes key;
    enum cella_status status = CELLA_OK;
    cella_map_cursor_init(&cursor, cella_vault_map(cella_runtime.vault), NULL);
    cursor.from = cella_vault_key(CELLA_SPACE_MAIL, from, buffer);
    cursor.to = CELLA_BYTES(end, sizeof end);
    /* What it gives belongs to the map, not to the cursor. */
    bool found = cella_map_cursor_next(&cursor, &key, ret_value, &status);
    cella_map_cursor_deinit(&cursor);
    if (!found)
        return status == CELLA_OK ? CELLA_NOT_FOUND : status;
    *ret_key = CELLA_BYTES(key.data + 1, key.size - 1);
    return CELLA_OK;
}

const struct cella_mail_keep cella_runtime_keep = {
    .get = keep_get, .put = keep_put, .delete = keep_delete, .seek = keep_seek};

enum cella_status cella_runtime_check_context(const struct cella_mailbox_mail *mail,
                                              struct cella_vault_claim *ret_claim, uint64_t *ret_collected,
                                              struct cella_error *error) {
    struct cella_bytes bytes = cella_mailbox_mail_context(mail);
    struct cella_client_context context;
    if (bytes.size == 0) {
        *ret_claim = (struct cella_vault_claim){.has_head = false};
        *ret_collected = 0;
        return CELLA_OK;
    }
    enum cella_status status = cella_client_context_parse(bytes, &context, error);
    if (status != CELLA_OK)
        return status == CELLA_NEWER_FORMAT ? CELLA_NEWER_FORMAT : CELLA_VAULT_CONTEXT;
    status = cella_vault_check_context(cella_runtime.vault, &context, ret_claim, error);
    if (status == CELLA_OK)
        *ret_collected = context.collected;
    return status;
}
