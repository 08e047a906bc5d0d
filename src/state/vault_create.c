/* The making of a new vault: genesis, register, first records. Must not: touch a store that holds anything.
 */
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "state/vault_load.h"
#include <stdlib.h>
#include <string.h>

static void count_file(void *visitor, const struct cella_store_entry *entry) {
    size_t *count = visitor;
    (*count)++;
}

static enum cella_status check_nothing_there(const struct cella_store *store, struct cella_error *error) {
    size_t count = 0;
    enum cella_status status = store->list(store->context, count_file, &count, error);
    if (status != CELLA_OK || count == 0)
        return status;
    return cella_fail(error, CELLA_EXISTS, "a new vault was to be made, but %zu files lie there", count);
}

static enum cella_status make_genesis(struct cella_vault *vault, const struct cella_genesis *wanted,
                                      struct cella_error *error) {
    vault->genesis = *wanted;
    enum cella_status status = cella_random(vault->genesis.random, sizeof vault->genesis.random);
    if (status == CELLA_OK)
        status = cella_ed25519_generate(&vault->signing_key);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the vault's first keys cannot be made");
    memcpy(vault->genesis.signing_key, vault->signing_key.public_key, CELLA_ED25519_PUBLIC_SIZE);
    status = cella_genesis_write(&vault->genesis, vault->genesis_bytes, &vault->genesis_size, error);
    if (status == CELLA_OK)
        cella_genesis_vault_id(cella_vault_genesis(vault), vault->id);
    return status;
}

static enum cella_status write_genesis(struct cella_vault *vault, struct cella_error *error) {
    const struct cella_store *store = vault->options.store;
    const struct cella_bytes part = cella_vault_genesis(vault);
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_GENESIS},
        .flags = CELLA_STORE_FLUSH | CELLA_STORE_FINISH,
        .parts = &part,
        .part_count = 1,
    };
    return store->write_now(store->context, &write, error);
}

/* The first change of each vault: the seed of the key that signs its heads. */
static enum cella_status keep_signing_key(struct cella_vault *vault, struct cella_error *error) {
    uint8_t content[128];
    struct cella_bytes name = cella_vault_signing_key_name();
    const struct cella_bytes seed = CELLA_BYTES(vault->signing_key.seed, CELLA_ED25519_SEED_SIZE);
    enum cella_status status = cella_map_begin(vault->map);
    if (status != CELLA_OK)
        return status;
    status = cella_map_put(vault->map, name, seed);
    if (status != CELLA_OK) {
        cella_map_abort(vault->map);
        return status;
    }
    cella_map_commit(vault->map);
    size_t size = cella_change_write(content, name, &seed);
    status =
        cella_vault_write_own(vault, CELLA_RECORD_CHANGES, vault->epoch, CELLA_BYTES(content, size), error);
    cella_wipe(content, sizeof content);
    return status;
}

static enum cella_status make(struct cella_vault *vault, const struct cella_genesis *wanted,
                              struct cella_error *error) {
    const struct cella_freshness_source *freshness = vault->options.freshness;
    const struct cella_vault_taking first = {.segment = 1, .epoch = 1};
    enum cella_status status = check_nothing_there(vault->options.store, error);
    if (status == CELLA_OK)
        status = make_genesis(vault, wanted, error);
    if (status == CELLA_OK)
        status = cella_tree_new(&vault->tree);
    if (status == CELLA_OK)
        status = write_genesis(vault, error);
    if (status == CELLA_OK)
        status = freshness->create(freshness->context, vault->id, error);
    if (status == CELLA_OK)
        status = cella_vault_take_epoch(vault, &first, error);
    if (status == CELLA_OK)
        status = keep_signing_key(vault, error);
    return status == CELLA_OK ? cella_vault_settle(vault) : status;
}

enum cella_status cella_vault_create(const struct cella_vault_options *options,
                                     const struct cella_genesis *genesis, struct cella_vault **ret_vault,
                                     struct cella_vault_report *ret_report, struct cella_error *error) {
    struct cella_vault *vault;
    enum cella_status status = cella_vault_new(options, &vault);
    if (status != CELLA_OK)
        return cella_fail(error, status, "no memory for a vault");
    status = make(vault, genesis, error);
    if (status != CELLA_OK) {
        cella_vault_free(vault);
        return status;
    }
    struct cella_vault_report report = {.freshness_known = options->freshness->guards_heads,
                                        .register_epoch = vault->epoch};
    memcpy(report.vault_id, vault->id, sizeof report.vault_id);
    report.now = vault->journal.head;
    cella_vault_fill_report(vault, &report);
    *ret_report = report;
    *ret_vault = vault;
    return CELLA_OK;
}
