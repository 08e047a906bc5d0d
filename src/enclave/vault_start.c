/* The instance's vault: made, opened or only checked when the host says START, as the image's settings want
 * it. Must not: choose for the host between opening and making, or for the image what kind of vault it has.
 */
#include "base/error.h"
#include "base/writer.h"
#include "enclave/inside.h"
#include "enclave/log.h"
#include "enclave/machine_source.h"
#include "enclave/runtime.h"
#include "enclave/vault_store.h"
#include "state/report.h"
#include <string.h>

/* The vault is somebody else's now, or cannot be trusted to seal any more: nothing may leave. */
static void on_lost(void *context, enum cella_status status, const char *message) {
    cella_end(status, CELLA_DETAIL_VAULT);
}

static struct cella_vault_options make_options(void) {
    const struct cella_settings *settings = &cella_runtime.settings;
    return (struct cella_vault_options){
        .store = &cella_vault_store,
        .keys = &cella_machine_keys,
        .freshness = &cella_machine_freshness,
        .limits = {.max_key_size = settings->max_key_size,
                   .max_value_size = settings->max_value_size,
                   .max_transaction_size = settings->max_transaction_size,
                   .max_state_size = settings->max_state_size,
                   .snapshot_after = settings->snapshot_after},
        .gathers = !cella_runtime_is_parallel(),
        .lost = on_lost,
    };
}

static enum cella_status create(const struct cella_vault_options *options, struct cella_error *error) {
    const struct cella_settings *settings = &cella_runtime.settings;
    struct cella_genesis genesis = {.kind = (enum cella_vault_kind)settings->vault_kind,
                                    .owner_count = (unsigned)settings->owner_count,
                                    .owner_threshold = settings->owner_threshold};
    memcpy(genesis.owners, settings->owners, sizeof settings->owners);
    return cella_vault_create(options, &genesis, &cella_runtime.vault, &cella_runtime.vault_report, error);
}

/* Reads everything, tells the host what was found, and ends the instance. */
static _Noreturn void check(const struct cella_vault_options *options) {
    struct cella_error error = {.message = ""};
    struct cella_vault_report report = {0};
    uint8_t bytes[CELLA_VAULT_REPORT_SIZE];
    enum cella_status status = cella_vault_check(options, &report, &error);
    cella_vault_report_write(&report, bytes);
    uint8_t front[4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, (uint32_t)status);
    const struct cella_bytes parts[] = {cella_writer_bytes(&writer), CELLA_BYTES(bytes, sizeof bytes),
                                        CELLA_BYTES(error.message, strlen(error.message))};
    cella_channel_send(CELLA_FRAME_CHECKED, 0, parts, 3);
    for (;;)
        cella_exit(CELLA_EXIT_FINISHED, 0, 0);
}

enum cella_status cella_runtime_start_vault(enum cella_vault_mode mode, struct cella_error *error) {
    if (cella_runtime.settings.vault_kind == CELLA_VAULT_NONE)
        return mode == CELLA_VAULT_MODE_NONE
                   ? CELLA_OK
                   : cella_fail(error, CELLA_NO_VAULT, "the image's settings say kind = none");
    struct cella_vault_options options = make_options();
    cella_machine_source_init(&cella_runtime.settings);
    switch (mode) {
    case CELLA_VAULT_MODE_OPEN:
        return cella_vault_open(&options, &cella_runtime.vault, &cella_runtime.vault_report, error);
    case CELLA_VAULT_MODE_CREATE:
        return create(&options, error);
    case CELLA_VAULT_MODE_CHECK:
        check(&options);
    default:
        return cella_fail(error, CELLA_VAULT_NEEDED, "the host gave no folder for the vault");
    }
}
