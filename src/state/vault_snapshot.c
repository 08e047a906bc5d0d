/* Snapshots beside the commits: a new segment, the state at that moment written piece by piece, each piece
 * when the one before is done, then a record that names it, then the removal of what it replaces. Whatever
 * fails drops the snapshot; nothing but time is lost. Under the vault's lock, but for making a piece. */
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "state/vault_internal.h"
#include <string.h>

enum cella_status cella_vault_segment_make(struct cella_vault *vault, const struct cella_segment *wanted,
                                           struct cella_journal *journal,
                                           uint8_t ret_header[CELLA_SEGMENT_HEADER_SIZE],
                                           struct cella_error *error) {
    const struct cella_key_source *keys = vault->options.keys;
    uint8_t root_key[CELLA_ROOT_KEY_SIZE];
    struct cella_segment segment = *wanted;
    segment.lineage = vault->lineage;
    memcpy(segment.vault_id, vault->id, sizeof segment.vault_id);
    enum cella_status status = cella_random(segment.salt, sizeof segment.salt);
    if (status != CELLA_OK)
        return cella_fail(error, status, "no random bytes for a segment's salt");
    status = keys->make(keys->context, &segment.key_info, root_key, error);
    if (status != CELLA_OK)
        return status;
    status = cella_journal_begin(journal, &segment, root_key, ret_header);
    cella_wipe(root_key, sizeof root_key);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "a segment cannot be begun");
}

/* Tries again when the journal has grown by a part of what usually lies between two snapshots. */
static void postpone(struct cella_vault *vault) {
    vault->snapshot.after =
        vault->counts.journal_since_snapshot + vault->options.limits.snapshot_after / 4 + 1;
}

bool cella_vault_snapshot_due(const struct cella_vault *vault) {
    const struct cella_vault_snapshot *snapshot = &vault->snapshot;
    uint64_t grown = vault->counts.journal_since_snapshot;
    if (snapshot->phase != SNAPSHOT_IDLE || snapshot->working || vault->storage != CELLA_OK ||
        !vault->sealed_view_exact || grown < snapshot->after)
        return false;
    return snapshot->wanted || (grown >= vault->options.limits.snapshot_after &&
                                grown >= cella_map_size(vault->map, vault->sealed_view));
}

void cella_vault_snapshot_rotate(struct cella_vault *vault) {
    uint8_t header[CELLA_SEGMENT_HEADER_SIZE];
    const struct cella_segment wanted = {
        .number = vault->journal.segment.number + 1, .epoch = vault->epoch, .after = vault->journal.head};
    if (cella_vault_segment_make(vault, &wanted, &vault->next_journal, header, NULL) != CELLA_OK) {
        postpone(vault);
        return;
    }
    const struct cella_bytes part = CELLA_BYTES(header, sizeof header);
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_SEGMENT, .number = wanted.number},
        .flags = CELLA_STORE_FLUSH,
        .parts = &part,
        .part_count = 1,
    };
    vault->snapshot.phase = SNAPSHOT_ROTATING;
    vault->counts.journal_bytes += sizeof header;
    cella_vault_write(vault, SLOT_JOURNAL, &write);
}

static enum cella_status begin_file(struct cella_vault *vault) {
    const struct cella_key_source *keys = vault->options.keys;
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    struct cella_snapshot_info *info = &snapshot->info;
    uint8_t root_key[CELLA_ROOT_KEY_SIZE];
    *info = (struct cella_snapshot_info){.lineage = vault->lineage, .head = vault->journal.head};
    memcpy(info->vault_id, vault->id, sizeof info->vault_id);
    info->frontier_size = CELLA_DIGEST_SIZE * cella_tree_frontier(vault->tree, info->frontier);
    enum cella_status status = cella_random(info->salt, sizeof info->salt);
    if (status == CELLA_OK)
        status = keys->make(keys->context, &info->key_info, root_key, NULL);
    if (status != CELLA_OK)
        return status;
    status =
        cella_snapshot_writer_new(info, root_key, cella_map_view_hold(vault->sealed_view), &snapshot->writer);
    cella_wipe(root_key, sizeof root_key);
    return status;
}

void cella_vault_snapshot_rotated(struct cella_vault *vault) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    cella_journal_deinit(&vault->journal);
    vault->journal = vault->next_journal;
    vault->next_journal = (struct cella_journal){0};
    snapshot->phase = SNAPSHOT_IDLE;
    if (vault->ended != CELLA_OK)
        return;
    if (begin_file(vault) != CELLA_OK) {
        postpone(vault);
        return;
    }
    snapshot->phase = SNAPSHOT_PIECE;
    snapshot->segment = vault->journal.segment.number;
    snapshot->offset = 0;
    snapshot->last = false;
    snapshot->held = (struct cella_bytes){0};
    snapshot->grown = vault->counts.journal_since_snapshot;
    snapshot->history_safe = vault->history_broken;
    cella_vault_history_flush(vault, true);
}

void cella_vault_snapshot_drop(struct cella_vault *vault) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    if (snapshot->phase == SNAPSHOT_IDLE || snapshot->phase == SNAPSHOT_ROTATING)
        return;
    postpone(vault);
    snapshot->phase = SNAPSHOT_IDLE;
    if (snapshot->working) {
        snapshot->cancelled = true;
        return;
    }
    cella_snapshot_writer_free(snapshot->writer);
    snapshot->writer = NULL;
}

static void write_piece(struct cella_vault *vault, struct cella_bytes piece) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_SNAPSHOT, .number = snapshot->info.head.version},
        .offset = snapshot->offset,
        .flags = snapshot->last ? CELLA_STORE_FINISH | CELLA_STORE_FLUSH : 0,
        .parts = &piece,
        .part_count = 1,
    };
    snapshot->held = (struct cella_bytes){0};
    snapshot->phase = SNAPSHOT_WRITING;
    snapshot->offset += piece.size;
    vault->counts.snapshot_bytes += piece.size;
    cella_vault_write(vault, SLOT_SNAPSHOT, &write);
}

/* Without any lock; nobody else touches writer, held and last while this thread is `working`. */
void cella_vault_snapshot_work(struct cella_vault *vault) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    if (cella_snapshot_writer_next(snapshot->writer, &snapshot->held, &snapshot->last) != CELLA_OK)
        snapshot->held = (struct cella_bytes){0};
}

/* The last piece makes the file a snapshot; until then the nodes that only older files can give again must be
 * safe in the history. */
void cella_vault_snapshot_worked(struct cella_vault *vault) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    if (snapshot->cancelled) {
        snapshot->cancelled = false;
        cella_snapshot_writer_free(snapshot->writer);
        snapshot->writer = NULL;
    } else if (snapshot->held.size == 0) {
        cella_vault_snapshot_drop(vault);
    } else if (snapshot->last && !snapshot->history_safe) {
        snapshot->phase = SNAPSHOT_WRITING;
    } else {
        write_piece(vault, snapshot->held);
    }
}

void cella_vault_snapshot_history_told(struct cella_vault *vault, enum cella_status status) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    if (status != CELLA_OK)
        return;
    snapshot->history_safe = true;
    if (snapshot->phase == SNAPSHOT_WRITING && snapshot->held.size > 0)
        write_piece(vault, snapshot->held);
}

static enum cella_status name_it(struct cella_vault *vault) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    struct cella_vault_snapshot_name name = {.version = snapshot->info.head.version};
    uint8_t content[VAULT_SNAPSHOT_CONTENT];
    cella_snapshot_writer_digest(snapshot->writer, name.digest, &name.size);
    cella_snapshot_writer_free(snapshot->writer);
    snapshot->writer = NULL;
    cella_vault_snapshot_name_write(&name, content);
    return cella_vault_queue_record(vault, CELLA_RECORD_SNAPSHOT, CELLA_BYTES(content, sizeof content));
}

void cella_vault_snapshot_told(struct cella_vault *vault, enum cella_status status) {
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    if (snapshot->phase != SNAPSHOT_WRITING || snapshot->held.size > 0)
        return;
    if (status != CELLA_OK) {
        cella_vault_snapshot_drop(vault);
    } else if (!snapshot->last) {
        snapshot->phase = SNAPSHOT_PIECE;
    } else {
        snapshot->phase = SNAPSHOT_RECORD;
        if (name_it(vault) != CELLA_OK)
            cella_vault_snapshot_drop(vault);
    }
}

/* The record that names it is durable and this owner's: what it replaces may go. */
void cella_vault_snapshot_safe(struct cella_vault *vault) {
    const struct cella_store *store = vault->options.store;
    struct cella_vault_snapshot *snapshot = &vault->snapshot;
    store->remove(store->context,
                  (struct cella_store_file){.kind = CELLA_STORE_SEGMENT, .number = snapshot->segment - 1});
    store->remove(store->context, (struct cella_store_file){.kind = CELLA_STORE_SNAPSHOT,
                                                            .number = snapshot->info.head.version});
    vault->counts.snapshots++;
    vault->counts.journal_since_snapshot -= snapshot->grown;
    snapshot->after = 0;
    snapshot->wanted = false;
    snapshot->phase = SNAPSHOT_IDLE;
}
