/* What a replay begins with: the newest snapshot that the journal goes on from, or the beginning. Must not:
 * take a snapshot whose version no segment continues. */
#include "base/error.h"
#include "base/secret.h"
#include "state/vault_load.h"
#include <string.h>

/* The first segment that begins at this version, if the history that was adopted in the end runs through
 * there: no later owner went another way before it. */
static bool find_continuation(const struct cella_vault_load *load, uint64_t version, size_t *ret_index) {
    size_t index = load->segment_count;
    for (size_t i = 0; i < load->segment_count; i++) {
        const struct cella_vault_found_segment *found = &load->segments[i];
        if (found->state < SEGMENT_EMPTY)
            continue;
        if (index == load->segment_count && found->segment.after.version == version)
            index = i;
        else if (found->state == SEGMENT_GENUINE && found->segment.after.version < version)
            index = load->segment_count;
    }
    *ret_index = index;
    return index < load->segment_count;
}

static enum cella_status open_snapshot(struct cella_vault_load *load, struct cella_bytes header,
                                       const struct cella_vault_found_file *file,
                                       struct cella_snapshot_reader **ret_reader) {
    const struct cella_key_source *keys = load->vault->options.keys;
    unsigned long long number = file->number;
    uint8_t root_key[CELLA_ROOT_KEY_SIZE];
    struct cella_snapshot_info info;
    bool outdated = false;
    enum cella_status status = header.size < CELLA_SNAPSHOT_HEADER_SIZE
                                   ? CELLA_DAMAGED
                                   : cella_snapshot_header_parse(header, &info, load->error);
    if (status != CELLA_OK)
        return status;
    if (memcmp(info.vault_id, load->vault->id, CELLA_VAULT_ID_SIZE) != 0)
        return cella_fail(load->error, CELLA_VAULT_OTHER, "snapshot %llu belongs to another vault", number);
    status = keys->open(keys->context, CELLA_BYTES(info.key_info.data, info.key_info.size), root_key,
                        &outdated, load->error);
    if (status == CELLA_OK)
        status = cella_snapshot_reader_new(header, root_key, load->vault->map, ret_reader, load->error);
    cella_wipe(root_key, sizeof root_key);
    if (status == CELLA_OK)
        load->outdated = load->outdated || outdated;
    return status;
}

static enum cella_status feed_snapshot(struct cella_vault_load *load, struct cella_vault_stream *stream,
                                       struct cella_snapshot_reader *reader) {
    enum cella_status status = CELLA_OK;
    struct cella_bytes view;
    for (uint64_t offset = CELLA_SNAPSHOT_HEADER_SIZE; status == CELLA_OK && offset < stream->size;
         offset += view.size) {
        status = cella_vault_stream_view(stream, offset, VAULT_READ_PIECE, &view, load->error);
        if (status == CELLA_OK)
            status = cella_snapshot_reader_feed(reader, view, load->error);
    }
    return status;
}

static enum cella_status adopt_snapshot(struct cella_vault_load *load,
                                        const struct cella_vault_found_file *file,
                                        struct cella_snapshot_reader *reader,
                                        const struct cella_segment *next) {
    struct cella_snapshot_info info;
    enum cella_status status = cella_snapshot_reader_finish(reader, &info, load->base_digest, load->error);
    if (status != CELLA_OK)
        return status;
    if (info.head.version != file->number ||
        memcmp(info.head.digest, next->after.digest, CELLA_DIGEST_SIZE) != 0 || info.lineage != next->lineage)
        return cella_fail(load->error, CELLA_VAULT_SPLICED,
                          "snapshot %llu is genuine but of another state than the journal goes on from",
                          (unsigned long long)file->number);
    status = cella_tree_restore(info.head.version, CELLA_BYTES(info.frontier, info.frontier_size),
                                &load->vault->tree);
    if (status != CELLA_OK)
        return status;
    load->base = info.head;
    load->base_size = file->size;
    load->lineage = info.lineage;
    load->report->snapshot_version = info.head.version;
    return CELLA_OK;
}

static enum cella_status load_snapshot(struct cella_vault_load *load,
                                       const struct cella_vault_found_file *file,
                                       const struct cella_segment *next) {
    struct cella_snapshot_reader *reader = NULL;
    struct cella_vault_stream stream;
    struct cella_bytes header;
    enum cella_status status = cella_vault_stream_open(
        &stream, load->vault->options.store,
        (struct cella_store_file){.kind = CELLA_STORE_SNAPSHOT, .number = file->number}, file->size);
    if (status == CELLA_OK)
        status = cella_vault_stream_view(&stream, 0, CELLA_SNAPSHOT_HEADER_SIZE, &header, load->error);
    if (status == CELLA_OK)
        status = open_snapshot(load, header, file, &reader);
    if (status == CELLA_OK)
        status = feed_snapshot(load, &stream, reader);
    if (status == CELLA_OK)
        status = adopt_snapshot(load, file, reader, next);
    cella_snapshot_reader_free(reader);
    cella_vault_stream_close(&stream);
    return status;
}

static bool is_damage(enum cella_status status) {
    return status == CELLA_DAMAGED || status == CELLA_AUTHENTICATION;
}

static enum cella_status begin_empty(struct cella_vault_load *load) {
    load->base = (struct cella_head){0};
    load->lineage = 0;
    return cella_tree_new(&load->vault->tree);
}

/* An older snapshot, or the whole journal, may still be there when the newest one is damaged. */
enum cella_status cella_vault_load_base(struct cella_vault_load *load, size_t *ret_first) {
    enum cella_status failed = CELLA_OK;
    size_t first;
    for (size_t i = load->snapshot_count; i-- > 0;) {
        const struct cella_vault_found_file *file = &load->snapshots[i];
        if (!find_continuation(load, file->number, &first))
            continue;
        enum cella_status status = cella_map_begin(load->vault->map);
        if (status != CELLA_OK)
            return status;
        status = load_snapshot(load, file, &load->segments[first].segment);
        if (status == CELLA_OK) {
            *ret_first = first;
            return CELLA_OK;
        }
        cella_map_abort(load->vault->map);
        if (!is_damage(status))
            return status;
        failed = status;
    }
    if (find_continuation(load, 0, ret_first)) {
        enum cella_status status = begin_empty(load);
        return status == CELLA_OK ? cella_map_begin(load->vault->map) : status;
    }
    if (failed == CELLA_OK)
        return cella_fail(load->error, CELLA_VAULT_DAMAGED,
                          "the journal does not begin at the beginning, and no snapshot leads there");
    return cella_fail_context(load->error, CELLA_VAULT_DAMAGED, "the newest snapshot is damaged");
}
