/* From the base to the newest head: every record of the adopted history is opened, checked against the one
 * before, and applied. Must not: forgive a gap; only the very end of the last segment may be torn. */
#include "base/error.h"
#include "base/secret.h"
#include "state/vault_load.h"
#include <stdlib.h>
#include <string.h>

/* What the history file may lack after a crash is gathered here and given to the store again. */
static enum cella_status gather_nodes(struct cella_vault_load *load) {
    const struct cella_tree *tree = load->vault->tree;
    uint64_t total = cella_tree_node_count(cella_tree_size(tree)) - load->first_node;
    if (total > load->node_capacity) {
        size_t capacity = 2 * (size_t)total;
        uint8_t *nodes = realloc(load->nodes, capacity * CELLA_DIGEST_SIZE);
        if (nodes == NULL)
            return CELLA_NO_MEMORY;
        load->nodes = nodes;
        load->node_capacity = capacity;
    }
    size_t missing = (size_t)total - load->node_count;
    if (missing > 0)
        load->node_count += cella_tree_nodes(tree, load->first_node + load->node_count, missing,
                                             load->nodes + load->node_count * CELLA_DIGEST_SIZE);
    return CELLA_OK;
}

static enum cella_status broken(struct cella_vault_load *load, const char *what) {
    return cella_fail(load->error, CELLA_VAULT_SPLICED, "the record of version %llu is genuine but %s",
                      (unsigned long long)load->head.version, what);
}

static enum cella_status on_intent(struct cella_vault_load *load, const struct cella_record_header *header,
                                   struct cella_bytes content) {
    uint64_t epoch;
    if (cella_vault_intent_parse(content, &epoch, load->intent_restore) != CELLA_OK ||
        epoch <= header->epoch || header->offset != CELLA_SEGMENT_HEADER_SIZE)
        return broken(load, "is no intent that can stand here");
    load->intent = epoch;
    memcpy(load->mark, load->head.digest, sizeof load->mark);
    return CELLA_OK;
}

static enum cella_status on_epoch(struct cella_vault_load *load, const struct cella_record_header *header,
                                  struct cella_bytes content) {
    uint64_t epoch;
    if (cella_vault_epoch_parse(content, &epoch) != CELLA_OK || epoch != header->epoch ||
        epoch != load->intent || !load->intent_just_now)
        return broken(load, "begins an epoch that nobody intended");
    return cella_vault_apply_epoch(load->vault->map, load->mark);
}

static enum cella_status on_snapshot(struct cella_vault_load *load, struct cella_bytes content) {
    struct cella_vault_snapshot_name name;
    if (cella_vault_snapshot_name_parse(content, &name) != CELLA_OK)
        return broken(load, "names no snapshot");
    if (name.version == load->base.version && load->base.version > 0 &&
        (name.size != load->base_size || memcmp(name.digest, load->base_digest, CELLA_DIGEST_SIZE) != 0))
        return broken(load, "names another snapshot than the one of that version that lies here");
    return CELLA_OK;
}

static enum cella_status on_restore(struct cella_vault_load *load, struct cella_bytes content) {
    struct cella_restore restore;
    enum cella_status status = cella_restore_parse(content, &restore, load->error);
    if (status == CELLA_OK)
        status = cella_restore_verify(&restore, &load->vault->genesis, load->error);
    if (status != CELLA_OK || restore.lineage != load->lineage + 1)
        return broken(load, "holds no restore that can stand here");
    load->lineage++;
    load->stopped = false;
    if (load->has_restore && content.size == load->restore_size &&
        memcmp(content.data, load->restore_bytes, content.size) == 0)
        load->restore_done = true;
    return cella_vault_apply_restore(load->vault->map, load->lineage, content);
}

static enum cella_status on_stopped(struct cella_vault_load *load, struct cella_bytes content) {
    struct cella_signed_head seen;
    if (cella_vault_stopped_parse(content, &seen, &load->report->evidence) != CELLA_OK)
        return broken(load, "is no stop that can stand here");
    load->stopped = true;
    return CELLA_OK;
}

static enum cella_status apply(struct cella_vault_load *load, const struct cella_record_header *header,
                               struct cella_bytes content) {
    enum cella_status status;
    switch (header->kind) {
    case CELLA_RECORD_CHANGES:
        status = cella_vault_apply(load->vault->map, content);
        return status == CELLA_DAMAGED ? broken(load, "holds changes that do not fit the state") : status;
    case CELLA_RECORD_INTENT:
        return on_intent(load, header, content);
    case CELLA_RECORD_EPOCH:
        return on_epoch(load, header, content);
    case CELLA_RECORD_SNAPSHOT:
        return on_snapshot(load, content);
    case CELLA_RECORD_RESTORE:
        return on_restore(load, content);
    case CELLA_RECORD_STOPPED:
        return on_stopped(load, content);
    default:
        return broken(load, "is of a kind that is not known");
    }
}

/* Whether the state now ends where the restore goes on from. Attempts to carry it out leave an intent and an
 * epoch behind it, which do not matter. */
static void match_restore(struct cella_vault_load *load, enum cella_record_kind kind) {
    const struct cella_head *from = &load->restore.from;
    uint8_t root[CELLA_DIGEST_SIZE];
    if (!load->has_restore)
        return;
    if (kind != CELLA_RECORD_INTENT && kind != CELLA_RECORD_EPOCH)
        load->restore_fits = false;
    if (load->head.version != from->version || load->head.epoch != from->epoch ||
        memcmp(load->head.digest, from->digest, CELLA_DIGEST_SIZE) != 0 ||
        load->restore.lineage != load->lineage + 1)
        return;
    cella_tree_root(load->vault->tree, root);
    load->restore_fits = memcmp(root, load->restore.from_root, sizeof root) == 0;
    load->intent_there = load->intent;
}

static enum cella_status take_record(struct cella_vault_load *load, const struct cella_record_header *header,
                                     struct cella_bytes content, const struct cella_head *head) {
    load->head = *head;
    enum cella_status status = apply(load, header, content);
    if (status != CELLA_OK)
        return status;
    cella_tree_append(load->vault->tree, head->digest);
    load->intent_just_now = header->kind == CELLA_RECORD_INTENT;
    load->replayed_bytes += header->size;
    load->report->records++;
    match_restore(load, header->kind);
    return load->report->records % (CELLA_TREE_RECENT / 2) == 0 ? gather_nodes(load) : CELLA_OK;
}

/* Behind the end of a journal nothing genuine may follow. */
static enum cella_status check_tail(struct cella_vault_load *load, struct cella_vault_stream *stream,
                                    struct cella_journal *journal, bool torn) {
    uint64_t probed = 0;
    struct cella_bytes view;
    struct cella_record_header header;
    for (uint64_t offset = journal->offset + (torn ? CELLA_RECORD_ALIGNMENT : 0); offset < stream->size;
         offset += CELLA_RECORD_ALIGNMENT) {
        enum cella_status status =
            cella_vault_stream_view(stream, offset, CELLA_RECORD_HEADER_SIZE, &view, load->error);
        if (status != CELLA_OK)
            return status;
        if (cella_record_header_parse(journal, view, &header) != CELLA_OK ||
            header.size > stream->size - offset || probed > VAULT_PROBED_MAX)
            continue;
        probed += header.size;
        status = cella_vault_stream_view(stream, offset, header.size, &view, load->error);
        if (status != CELLA_OK)
            return status;
        uint8_t *scratch = malloc(header.size);
        if (scratch == NULL)
            return CELLA_NO_MEMORY;
        bool genuine = cella_journal_probe(journal, view, scratch);
        free(scratch);
        if (genuine)
            return cella_fail(load->error, CELLA_VAULT_DAMAGED,
                              "segment %llu is damaged at byte %llu: a genuine record follows at byte %llu",
                              (unsigned long long)journal->segment.number,
                              (unsigned long long)journal->offset, (unsigned long long)offset);
    }
    return CELLA_OK;
}

static void count_torn(struct cella_vault_load *load, const struct cella_vault_stream *stream,
                       const struct cella_journal *journal) {
    load->report->torn_bytes += stream->size - journal->offset;
}

/* Records of an earlier owner that nobody adopted; counted, never applied. */
static void count_dropped(struct cella_vault_load *load, struct cella_vault_stream *stream,
                          struct cella_journal *journal) {
    struct cella_record_header header;
    struct cella_bytes content;
    while (cella_vault_next_record(load, stream, journal, &header, &content) == CELLA_OK)
        load->report->dropped_records++;
}

static enum cella_status replay_records(struct cella_vault_load *load,
                                        const struct cella_vault_found_segment *found,
                                        struct cella_vault_stream *stream, struct cella_journal *journal) {
    struct cella_record_header header;
    struct cella_bytes content;
    enum cella_status status = CELLA_OK;
    while (load->head.version < found->end) {
        status = cella_vault_next_record(load, stream, journal, &header, &content);
        if (status != CELLA_OK)
            break;
        status = take_record(load, &header, content, &journal->head);
        if (status != CELLA_OK)
            return status;
    }
    if (found->end != UINT64_MAX) {
        if (load->head.version == found->end) {
            count_dropped(load, stream, journal);
            return CELLA_OK;
        }
        if (status != CELLA_NOT_FOUND && status != CELLA_DAMAGED)
            return status;
        return cella_fail(load->error, CELLA_VAULT_DAMAGED,
                          "segment %llu ends at version %llu, but %llu is known to follow",
                          (unsigned long long)found->number, (unsigned long long)load->head.version,
                          (unsigned long long)found->end);
    }
    if (status != CELLA_NOT_FOUND && status != CELLA_DAMAGED)
        return status;
    if (status == CELLA_DAMAGED)
        count_torn(load, stream, journal);
    return check_tail(load, stream, journal, status == CELLA_DAMAGED);
}

static enum cella_status check_start(struct cella_vault_load *load,
                                     const struct cella_vault_found_segment *found) {
    const struct cella_head *after = &found->segment.after;
    unsigned long long number = found->number;
    if (after->version > load->head.version)
        return cella_fail(load->error, CELLA_VAULT_DAMAGED,
                          "segment %llu follows version %llu, but what is there ends at %llu", number,
                          (unsigned long long)after->version, (unsigned long long)load->head.version);
    if (after->version == load->head.version &&
        (after->epoch != load->head.epoch ||
         memcmp(after->digest, load->head.digest, CELLA_DIGEST_SIZE) != 0 ||
         found->segment.lineage != load->lineage))
        return cella_fail(load->error, CELLA_VAULT_SPLICED,
                          "segment %llu is genuine but follows another state of version %llu", number,
                          (unsigned long long)after->version);
    return CELLA_OK;
}

static enum cella_status replay_segment(struct cella_vault_load *load,
                                        struct cella_vault_found_segment *found) {
    struct cella_vault_stream stream = {0};
    struct cella_journal journal = {0};
    enum cella_status status = cella_vault_open_segment(load, found, &stream, &journal);
    if (status != CELLA_OK)
        return status == CELLA_AUTHENTICATION ? CELLA_STORAGE_IO : status;
    if (found->segment.after.version >= found->end)
        count_dropped(load, &stream, &journal);
    else
        status = check_start(load, found);
    if (status == CELLA_OK && found->segment.after.version < found->end) {
        load->intent_just_now = false;
        load->replayed_bytes += CELLA_SEGMENT_HEADER_SIZE;
        status = replay_records(load, found, &stream, &journal);
    }
    cella_journal_deinit(&journal);
    cella_vault_stream_close(&stream);
    return status;
}

/* A genuine header that no record follows: it shows what had been written before it, and its first record may
 * be torn, but not missing before later ones. */
static enum cella_status check_empty(struct cella_vault_load *load, struct cella_vault_found_segment *found) {
    struct cella_vault_stream stream = {0};
    struct cella_journal journal = {0};
    struct cella_record_header header;
    struct cella_bytes content;
    enum cella_status status = check_start(load, found);
    if (status == CELLA_OK)
        status = cella_vault_open_segment(load, found, &stream, &journal);
    if (status != CELLA_OK)
        return status == CELLA_AUTHENTICATION ? CELLA_STORAGE_IO : status;
    status = cella_vault_next_record(load, &stream, &journal, &header, &content);
    if (status == CELLA_OK)
        status = CELLA_STORAGE_IO; /* it was not there a moment ago */
    if (status == CELLA_DAMAGED)
        count_torn(load, &stream, &journal);
    if (status == CELLA_DAMAGED || status == CELLA_NOT_FOUND)
        status = check_tail(load, &stream, &journal, status == CELLA_DAMAGED);
    cella_journal_deinit(&journal);
    cella_vault_stream_close(&stream);
    return status;
}

/* An intent of which nothing came. Like a bare header it shows what had been written before it. */
static enum cella_status check_void(struct cella_vault_load *load,
                                    const struct cella_vault_found_segment *found) {
    load->report->dropped_records++;
    return check_start(load, found);
}

/* Who owned the base; nobody at the beginning. */
static enum cella_status load_mark(struct cella_vault_load *load) {
    struct cella_bytes mark;
    load->intent = load->base.epoch;
    if (load->base.epoch == 0)
        return CELLA_OK;
    if (!cella_map_get(load->vault->map, cella_vault_mark_name(), &mark) || mark.size != sizeof load->mark)
        return cella_fail(load->error, CELLA_VAULT_DAMAGED, "the snapshot does not say who owned its epoch");
    memcpy(load->mark, mark.data, sizeof load->mark);
    return CELLA_OK;
}

enum cella_status cella_vault_replay(struct cella_vault_load *load) {
    size_t first;
    enum cella_status status = cella_vault_load_base(load, &first);
    if (status != CELLA_OK)
        return status;
    load->head = load->base;
    load->first_node = cella_tree_node_count(load->base.version);
    status = load_mark(load);
    match_restore(load, CELLA_RECORD_INTENT);
    for (size_t i = first; i < load->segment_count && status == CELLA_OK; i++) {
        struct cella_vault_found_segment *found = &load->segments[i];
        load->outdated = load->outdated || found->outdated;
        if (found->state == SEGMENT_GENUINE)
            status = replay_segment(load, found);
        else if (found->state == SEGMENT_EMPTY)
            status = check_empty(load, found);
        else if (found->state == SEGMENT_VOID)
            status = check_void(load, found);
    }
    if (status == CELLA_OK)
        status = gather_nodes(load);
    if (status != CELLA_OK) {
        cella_map_abort(load->vault->map);
        return status;
    }
    cella_map_commit(load->vault->map);
    return CELLA_OK;
}
