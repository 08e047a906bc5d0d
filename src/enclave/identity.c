/* Who this instance is: fresh keys at each start, the statement that names them, and reports that bind it. */
#include "attest/label.h"
#include "base/secret.h"
#include "enclave/leaf.h"
#include "enclave/runtime.h"
#include <stdlib.h>
#include <string.h>

enum cella_status cella_runtime_make_identity(struct cella_error *error) {
    struct cella_runtime *runtime = &cella_runtime;
    enum cella_status status = cella_x25519_generate(&runtime->session_key);
    if (status == CELLA_OK)
        status = cella_ed25519_generate(&runtime->signing_key);
    if (status != CELLA_OK)
        return status;
    struct cella_statement statement = {.freshness = CELLA_FRESHNESS_NONE};
    memcpy(statement.session_key, runtime->session_key.public_key, sizeof statement.session_key);
    memcpy(statement.signing_key, runtime->signing_key.public_key, sizeof statement.signing_key);
    if (runtime->vault != NULL) {
        struct cella_bytes genesis = cella_vault_genesis(runtime->vault);
        statement.freshness = CELLA_FRESHNESS_MACHINE;
        memcpy(statement.vault_id, cella_vault_id(runtime->vault), sizeof statement.vault_id);
        memcpy(statement.genesis, genesis.data, genesis.size);
        statement.genesis_size = genesis.size;
    }
    return cella_statement_write(&statement, runtime->statement, sizeof runtime->statement,
                                 &runtime->statement_size, error);
}

size_t cella_runtime_report(const uint8_t *nonce, uint8_t *out) {
    struct cella_runtime *runtime = &cella_runtime;
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    cella_statement_report_data(CELLA_BYTES(runtime->statement, runtime->statement_size), nonce, report_data);
    cella_leaf_report(runtime->quoting_target, report_data, out);
    memcpy(out + CELLA_REPORT_SIZE, runtime->statement, runtime->statement_size);
    return CELLA_REPORT_SIZE + runtime->statement_size;
}

enum cella_status cella_sign(const char *label, struct cella_bytes message,
                             uint8_t ret_signature[CELLA_SIGNATURE_SIZE]) {
    uint8_t *framed = NULL;
    size_t size = 0;
    enum cella_status status = cella_label_frame(label, message, &framed, &size, NULL);
    if (status == CELLA_OK)
        status = cella_ed25519_sign(&cella_runtime.signing_key, CELLA_BYTES(framed, size), ret_signature);
    cella_wipe_free(framed, size);
    return status;
}

const char *cella_setting(const char *key) {
    return cella_settings_get(&cella_runtime.settings, key);
}
