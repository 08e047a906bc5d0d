/* A start: what was read is judged against the register, then the next epoch is taken with records of its
 * own. Must not: write anything before everything was verified, or make anything anew.
 *
 * The register holds the epoch c and the mark of whoever took it: the digest of an INTENT record, which was
 * durable before. The state was left by that owner, or by its crash, only if this very record is the last
 * intent of its history. Intents of which nothing came are no part of the history (vault_scan.c). Otherwise,
 * if k is the last intent's epoch, c >= k: a newer owner went on from another copy (stale); c < k: the
 * register was set back. Why at most one history can be accepted: docs/vault-owner.md. */
#include "base/error.h"
#include "base/secret.h"
#include "state/vault_load.h"
#include <stdlib.h>
#include <string.h>

void cella_vault_load_deinit(struct cella_vault_load *load) {
    free(load->segments);
    free(load->snapshots);
    cella_wipe_free(load->scratch, load->scratch_size);
    free(load->nodes);
}

/* The owners' word counts once: for the state it names, and only while the register has not moved since they
 * gave it, except by the very starts that carry it out. */
static enum cella_status judge_restore(const struct cella_vault_load *load, bool fresh) {
    const struct cella_restore *restore = &load->restore;
    if (!load->restore_fits)
        return cella_fail(load->error, CELLA_VAULT_RESTORE,
                          "the restore goes on from version %llu of lineage %llu, which is not where this "
                          "state ends",
                          (unsigned long long)restore->from.version,
                          (unsigned long long)(restore->lineage - 1));
    /* A later epoch is one that the owners did not know of, unless it was taken for this very restore. */
    bool begun = fresh && memcmp(load->intent_restore, load->restore_digest, CELLA_DIGEST_SIZE) == 0;
    if (restore->epoch < load->intent_there || (load->registered > restore->epoch && !begun))
        return cella_fail(load->error, CELLA_VAULT_RESTORE,
                          "the restore was authorised at epoch %llu, but the vault has been at epoch %llu",
                          (unsigned long long)restore->epoch,
                          (unsigned long long)(load->registered > load->intent_there ? load->registered
                                                                                     : load->intent_there));
    if (restore->epoch - load->registered > VAULT_EPOCHS_AHEAD_MAX && restore->epoch > load->registered)
        return cella_fail(load->error, CELLA_VAULT_RESTORE,
                          "the register is too far behind the restore's epoch %llu",
                          (unsigned long long)restore->epoch);
    return CELLA_OK;
}

static bool is_owners(const struct cella_vault_load *load) {
    return load->has_register && load->registered == load->intent &&
           memcmp(load->registered_mark, load->mark, sizeof load->mark) == 0;
}

/* The bytes were read after the register: another start may have taken it and gone on meanwhile. */
static enum cella_status judge_behind(const struct cella_vault_load *load) {
    const struct cella_freshness_source *freshness = load->vault->options.freshness;
    uint8_t mark[CELLA_MARK_SIZE];
    uint64_t epoch;
    enum cella_status status =
        freshness->read(freshness->context, load->vault->id, &epoch, mark, load->error);
    if (status != CELLA_OK)
        return status;
    if (epoch != load->registered)
        return cella_fail(load->error, CELLA_FENCED, "another start of this vault is going on");
    return cella_fail(load->error, CELLA_VAULT_REWOUND,
                      "the register is at epoch %llu, but epoch %llu was taken", (unsigned long long)epoch,
                      (unsigned long long)load->intent);
}

static enum cella_status judge_register(const struct cella_vault_load *load) {
    unsigned long long c = load->registered, k = load->intent;
    if (!load->has_register)
        return cella_fail(load->error, CELLA_VAULT_REWOUND,
                          "its keys are this machine's, but the machine no longer counts for it");
    if (c < k)
        return judge_behind(load);
    if (is_owners(load))
        return CELLA_OK;
    return cella_fail(
        load->error, CELLA_VAULT_STALE,
        "this copy ends at version %llu in epoch %llu; its newest owner took epoch %llu with %s",
        (unsigned long long)load->head.version, (unsigned long long)load->head.epoch, c,
        c == k ? "another copy" : "newer bytes, or with another copy");
}

static enum cella_status judge(struct cella_vault_load *load) {
    bool restoring = load->has_restore && !load->restore_done;
    if (restoring && cella_restore_verify(&load->restore, &load->vault->genesis, NULL) == CELLA_OK)
        return judge_restore(load, is_owners(load));
    enum cella_status status = judge_register(load);
    /* One that is not signed by enough owners yet stops no vault that needs none, and is not carried out. */
    if (restoring && (status != CELLA_OK || load->stopped))
        return cella_restore_verify(&load->restore, &load->vault->genesis, load->error);
    load->has_restore = load->has_restore && !restoring;
    if (status != CELLA_OK)
        return status;
    if (load->stopped)
        return cella_fail(load->error, CELLA_VAULT_STOPPED, "a client showed a head of another history");
    if (load->head.epoch == 0)
        return cella_fail(load->error, CELLA_VAULT_DAMAGED, "the vault was never finished");
    return CELLA_OK;
}

static void fill_found(struct cella_vault_load *load) {
    struct cella_vault_report *report = load->report;
    report->lineage = load->lineage;
    report->found = load->head;
    report->now = load->head;
    report->outdated_keys = load->outdated;
    report->stopped = load->stopped;
    report->freshness_known = load->vault->options.freshness->guards_heads;
    cella_tree_root(load->vault->tree, report->found_root);
    cella_vault_fill_report(load->vault, report);
}

enum cella_status cella_vault_load_all(struct cella_vault_load *load) {
    struct cella_vault *vault = load->vault;
    enum cella_status status = cella_vault_scan(load);
    if (status == CELLA_OK)
        status = cella_vault_replay(load);
    if (status != CELLA_OK)
        return status;
    fill_found(load);
    status = judge(load);
    if (status == CELLA_OK)
        status = cella_vault_load_system(vault, load->error);
    vault->lineage = load->lineage;
    return status;
}

enum cella_status cella_vault_write_own(struct cella_vault *vault, enum cella_record_kind kind,
                                        uint64_t epoch, struct cella_bytes content,
                                        struct cella_error *error) {
    const struct cella_store *store = vault->options.store;
    size_t size = cella_record_size(content.size);
    uint64_t offset = vault->journal.offset;
    uint8_t *record = malloc(size);
    if (record == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a record");
    enum cella_status status = cella_journal_seal(&vault->journal, kind, epoch, content, record);
    if (status == CELLA_OK) {
        const struct cella_bytes part = CELLA_BYTES(record, size);
        const struct cella_store_write write = {
            .file = {.kind = CELLA_STORE_SEGMENT, .number = vault->journal.segment.number},
            .offset = offset,
            .flags = CELLA_STORE_FLUSH,
            .parts = &part,
            .part_count = 1,
        };
        cella_tree_append(vault->tree, vault->journal.head.digest);
        status = store->write_now(store->context, &write, error);
    }
    free(record);
    return status;
}

static enum cella_status write_header(struct cella_vault *vault, uint64_t segment, uint64_t epoch,
                                      const struct cella_head *after, struct cella_error *error) {
    const struct cella_store *store = vault->options.store;
    uint8_t header[CELLA_SEGMENT_HEADER_SIZE];
    const struct cella_segment wanted = {.number = segment, .epoch = epoch, .after = *after};
    enum cella_status status = cella_vault_segment_make(vault, &wanted, &vault->journal, header, error);
    if (status != CELLA_OK)
        return status;
    const struct cella_bytes part = CELLA_BYTES(header, sizeof header);
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_SEGMENT, .number = segment},
        .flags = CELLA_STORE_FLUSH,
        .parts = &part,
        .part_count = 1,
    };
    return store->write_now(store->context, &write, error);
}

/* As a replay of the EPOCH record does it. */
static enum cella_status keep_mark(struct cella_vault *vault) {
    enum cella_status status = cella_map_begin(vault->map);
    if (status != CELLA_OK)
        return status;
    status = cella_vault_apply_epoch(vault->map, vault->epoch_start);
    if (status == CELLA_OK)
        cella_map_commit(vault->map);
    else
        cella_map_abort(vault->map);
    return status;
}

enum cella_status cella_vault_take_epoch(struct cella_vault *vault, const struct cella_vault_taking *taking,
                                         struct cella_error *error) {
    const struct cella_freshness_source *freshness = vault->options.freshness;
    uint8_t intent[VAULT_INTENT_CONTENT_MAX], taken[VAULT_EPOCH_CONTENT];
    size_t size = cella_vault_intent_write(taking->epoch, taking->restore, intent);
    cella_vault_epoch_write(taking->epoch, taken);
    enum cella_status status = write_header(vault, taking->segment, taking->epoch, &taking->after, error);
    if (status == CELLA_OK)
        status = cella_vault_write_own(vault, CELLA_RECORD_INTENT, taking->after.epoch,
                                       CELLA_BYTES(intent, size), error);
    memcpy(vault->epoch_start, vault->journal.head.digest, sizeof vault->epoch_start);
    for (uint64_t next = taking->registered + 1; status == CELLA_OK && next <= taking->epoch; next++)
        status = freshness->acquire(freshness->context, vault->id, next, vault->epoch_start, error);
    if (status == CELLA_OK)
        status = cella_vault_write_own(vault, CELLA_RECORD_EPOCH, taking->epoch,
                                       CELLA_BYTES(taken, sizeof taken), error);
    if (status != CELLA_OK)
        return status;
    vault->epoch = taking->epoch;
    return keep_mark(vault);
}

static uint64_t next_segment(const struct cella_vault_load *load) {
    return load->segments[load->segment_count - 1].number + 1;
}

static uint64_t greatest(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static enum cella_status carry_out_restore(struct cella_vault_load *load) {
    struct cella_vault *vault = load->vault;
    struct cella_bytes content = CELLA_BYTES(load->restore_bytes, load->restore_size);
    enum cella_status status =
        cella_vault_write_own(vault, CELLA_RECORD_RESTORE, vault->epoch, content, load->error);
    if (status != CELLA_OK)
        return status;
    vault->lineage++;
    status = cella_map_begin(vault->map);
    if (status != CELLA_OK)
        return status;
    status = cella_vault_apply_restore(vault->map, vault->lineage, content);
    if (status != CELLA_OK) {
        cella_map_abort(vault->map);
        return status;
    }
    cella_map_commit(vault->map);
    load->report->restored = true;
    load->report->stopped = false;
    return cella_vault_load_system(vault, load->error);
}

static enum cella_status take_over(struct cella_vault_load *load) {
    struct cella_vault *vault = load->vault;
    const struct cella_freshness_source *freshness = vault->options.freshness;
    bool restoring = load->has_restore && !load->restore_done;
    struct cella_vault_taking taking = {.segment = next_segment(load),
                                        .after = load->head,
                                        .registered = load->registered,
                                        .epoch = load->registered + 1};
    enum cella_status status = CELLA_OK;
    if (restoring) {
        memcpy(taking.restore, load->restore_digest, sizeof taking.restore);
        taking.epoch = greatest(greatest(load->registered, load->intent), load->restore.epoch) + 1;
        if (!load->has_register)
            status = freshness->create(freshness->context, vault->id, load->error);
    }
    if (status == CELLA_OK)
        status = cella_vault_take_epoch(vault, &taking, load->error);
    if (status == CELLA_OK && restoring)
        status = carry_out_restore(load);
    if (status == CELLA_OK && load->has_restore)
        vault->options.store->remove(vault->options.store->context,
                                     (struct cella_store_file){.kind = CELLA_STORE_RESTORE});
    return status;
}

/* The nodes of everything that was replayed, once more: what a crash took from the file is there again. */
static enum cella_status write_history(struct cella_vault_load *load) {
    struct cella_vault *vault = load->vault;
    const struct cella_store *store = vault->options.store;
    vault->history_nodes = load->first_node + load->node_count;
    if (load->history_size / CELLA_DIGEST_SIZE < load->first_node) {
        vault->history_broken = true;
        return CELLA_OK;
    }
    size_t size = load->node_count * CELLA_DIGEST_SIZE;
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < VAULT_READ_PIECE ? size - done : VAULT_READ_PIECE;
        const struct cella_bytes part = CELLA_BYTES(load->nodes + done, piece);
        const struct cella_store_write write = {.file = {.kind = CELLA_STORE_HISTORY},
                                                .offset = load->first_node * CELLA_DIGEST_SIZE + done,
                                                .parts = &part,
                                                .part_count = 1};
        enum cella_status status = store->write_now(store->context, &write, load->error);
        if (status != CELLA_OK)
            return status;
        done += piece;
    }
    return CELLA_OK;
}

static enum cella_status load_and_take_over(struct cella_vault_load *load) {
    struct cella_vault *vault = load->vault;
    enum cella_status status = cella_vault_load_all(load);
    if (status == CELLA_OK)
        status = take_over(load);
    if (status == CELLA_OK)
        status = write_history(load);
    if (status == CELLA_OK)
        status = cella_vault_settle(vault);
    if (status != CELLA_OK)
        return status;
    vault->counts.journal_since_snapshot = load->replayed_bytes;
    /* Each start begins a segment, and only a snapshot takes them away. */
    vault->snapshot.wanted = load->outdated || load->segment_count > VAULT_SEGMENTS_SOON;
    load->report->now = vault->journal.head;
    load->report->lineage = vault->lineage;
    return CELLA_OK;
}

static enum cella_status run(const struct cella_vault_options *options, struct cella_vault **ret_vault,
                             struct cella_vault_report *ret_report, struct cella_error *error,
                             enum cella_status (*work)(struct cella_vault_load *)) {
    struct cella_vault *vault;
    *ret_report = (struct cella_vault_report){0};
    enum cella_status status = cella_vault_new(options, &vault);
    if (status != CELLA_OK)
        return cella_fail(error, status, "no memory for a vault");
    struct cella_vault_load load = {.vault = vault, .report = ret_report, .error = error};
    status = work(&load);
    cella_vault_load_deinit(&load);
    if (status == CELLA_OK && ret_vault != NULL)
        *ret_vault = vault;
    else
        cella_vault_free(vault);
    return status;
}

static enum cella_status load_and_verify(struct cella_vault_load *load) {
    enum cella_status status = cella_vault_load_all(load);
    return status == CELLA_OK ? cella_vault_verify_history(load) : status;
}

enum cella_status cella_vault_open(const struct cella_vault_options *options, struct cella_vault **ret_vault,
                                   struct cella_vault_report *ret_report, struct cella_error *error) {
    return run(options, ret_vault, ret_report, error, load_and_take_over);
}

enum cella_status cella_vault_check(const struct cella_vault_options *options,
                                    struct cella_vault_report *ret_report, struct cella_error *error) {
    return run(options, NULL, ret_report, error, load_and_verify);
}
