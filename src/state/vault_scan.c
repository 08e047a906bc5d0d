/* The first look at a vault's files: what there is, whose it is, what opens with this machine's keys, and
 * where a later segment cut an earlier one. Must not: change anything, or believe the store. */
#include "base/error.h"
#include "crypto/hash.h"
#include "base/secret.h"
#include "state/vault_load.h"
#include <stdlib.h>
#include <string.h>

/* Room for one more element; false: no memory, or more than any vault has. */
static bool grow(void **array, size_t count, size_t *capacity, size_t element) {
    if (count < *capacity)
        return true;
    if (count >= VAULT_FILES_MAX)
        return false;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*array, wanted * element);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static enum cella_status note_segment(struct cella_vault_load *load, const struct cella_store_entry *entry) {
    void *segments = load->segments;
    if (entry->file.number == 0 || entry->file.number > VAULT_SEGMENT_NUMBER_MAX)
        return CELLA_VAULT_DAMAGED;
    bool fits = grow(&segments, load->segment_count, &load->segment_capacity, sizeof *load->segments);
    load->segments = segments;
    if (!fits)
        return CELLA_NO_MEMORY;
    load->segments[load->segment_count++] =
        (struct cella_vault_found_segment){.number = entry->file.number, .size = entry->size};
    return CELLA_OK;
}

static enum cella_status note_snapshot(struct cella_vault_load *load, const struct cella_store_entry *entry) {
    void *snapshots = load->snapshots;
    if (entry->file.number == 0 || entry->file.number > CELLA_VERSION_MAX)
        return CELLA_VAULT_DAMAGED;
    bool fits = grow(&snapshots, load->snapshot_count, &load->snapshot_capacity, sizeof *load->snapshots);
    load->snapshots = snapshots;
    if (!fits)
        return CELLA_NO_MEMORY;
    load->snapshots[load->snapshot_count++] =
        (struct cella_vault_found_file){.number = entry->file.number, .size = entry->size};
    return CELLA_OK;
}

static enum cella_status note_single(struct cella_vault_load *load, const struct cella_store_entry *entry) {
    if (entry->file.number != 0)
        return CELLA_VAULT_DAMAGED;
    if (entry->file.kind == CELLA_STORE_GENESIS) {
        load->has_genesis = true;
        load->genesis_size = entry->size;
    } else if (entry->file.kind == CELLA_STORE_RESTORE) {
        load->has_restore = true;
        load->restore_size = entry->size;
    } else {
        load->history_size = entry->size;
    }
    return CELLA_OK;
}

static void visit(void *visitor, const struct cella_store_entry *entry) {
    struct cella_vault_load *load = visitor;
    const struct cella_store_file *file = &entry->file;
    if (load->list_status != CELLA_OK)
        return;
    bool ascends =
        file->kind > load->last.kind || (file->kind == load->last.kind && file->number > load->last.number);
    load->last = *file;
    switch (ascends ? (int)file->kind : 0) {
    case CELLA_STORE_GENESIS:
    case CELLA_STORE_HISTORY:
    case CELLA_STORE_RESTORE:
        load->list_status = note_single(load, entry);
        break;
    case CELLA_STORE_SEGMENT:
        load->list_status = note_segment(load, entry);
        break;
    case CELLA_STORE_SNAPSHOT:
        load->list_status = note_snapshot(load, entry);
        break;
    case CELLA_STORE_EVIDENCE:
        if (file->number < CELLA_VERSION_MAX)
            load->vault->evidence_number = file->number;
        break;
    default:
        load->list_status = CELLA_VAULT_DAMAGED;
    }
}

static enum cella_status list_files(struct cella_vault_load *load) {
    const struct cella_store *store = load->vault->options.store;
    enum cella_status status = store->list(store->context, visit, load, load->error);
    if (status != CELLA_OK)
        return status;
    if (load->list_status != CELLA_OK)
        return cella_fail(load->error, load->list_status, "the list of the vault's files makes no sense");
    if (!load->has_genesis)
        return cella_fail(load->error, CELLA_VAULT_MISSING, "there is no genesis");
    if (load->segment_count == 0)
        return cella_fail(load->error, CELLA_VAULT_MISSING, "there is no journal");
    return CELLA_OK;
}

/* A small file, whole. */
static enum cella_status read_small(struct cella_vault_load *load, enum cella_store_kind kind, uint64_t size,
                                    uint8_t *out, size_t *ret_size) {
    struct cella_vault_stream stream;
    struct cella_bytes view;
    enum cella_status status = cella_vault_stream_open(&stream, load->vault->options.store,
                                                       (struct cella_store_file){.kind = kind}, size);
    if (status == CELLA_OK)
        status = cella_vault_stream_view(&stream, 0, (size_t)size, &view, load->error);
    if (status == CELLA_OK) {
        if (size > 0)
            memcpy(out, view.data, view.size);
        *ret_size = view.size;
    }
    cella_vault_stream_close(&stream);
    return status;
}

static enum cella_status read_genesis(struct cella_vault_load *load) {
    struct cella_vault *vault = load->vault;
    if (load->genesis_size > sizeof vault->genesis_bytes)
        return cella_fail(load->error, CELLA_VAULT_DAMAGED, "the genesis has %llu bytes",
                          (unsigned long long)load->genesis_size);
    enum cella_status status =
        read_small(load, CELLA_STORE_GENESIS, load->genesis_size, vault->genesis_bytes, &vault->genesis_size);
    if (status != CELLA_OK)
        return status;
    struct cella_bytes bytes = cella_vault_genesis(vault);
    status = cella_genesis_parse(bytes, &vault->genesis, load->error);
    if (status == CELLA_DAMAGED)
        return cella_fail(load->error, CELLA_VAULT_DAMAGED, "the genesis is damaged");
    if (status != CELLA_OK)
        return status;
    cella_genesis_vault_id(bytes, vault->id);
    memcpy(load->report->vault_id, vault->id, sizeof vault->id);
    return CELLA_OK;
}

static enum cella_status read_register(struct cella_vault_load *load) {
    const struct cella_freshness_source *freshness = load->vault->options.freshness;
    enum cella_status status = freshness->read(freshness->context, load->vault->id, &load->registered,
                                               load->registered_mark, load->error);
    load->has_register = status == CELLA_OK;
    if (status != CELLA_OK) {
        load->registered = 0;
        memset(load->registered_mark, 0, sizeof load->registered_mark);
    }
    load->report->register_epoch = load->registered;
    return status == CELLA_NO_COUNTER ? CELLA_OK : status;
}

static enum cella_status read_restore(struct cella_vault_load *load) {
    size_t size = 0;
    if (!load->has_restore)
        return CELLA_OK;
    if (load->restore_size > sizeof load->restore_bytes)
        return cella_fail(load->error, CELLA_VAULT_RESTORE, "the restore file is too large to be one");
    enum cella_status status =
        read_small(load, CELLA_STORE_RESTORE, load->restore_size, load->restore_bytes, &size);
    if (status != CELLA_OK)
        return status;
    load->restore_size = size;
    cella_sha256(load->restore_bytes, size, load->restore_digest);
    status = cella_restore_parse(CELLA_BYTES(load->restore_bytes, size), &load->restore, load->error);
    if (status == CELLA_DAMAGED)
        return cella_fail(load->error, CELLA_VAULT_RESTORE, "the restore file is damaged");
    return status;
}

enum cella_status cella_vault_next_record(struct cella_vault_load *load, struct cella_vault_stream *stream,
                                          struct cella_journal *journal,
                                          struct cella_record_header *ret_header,
                                          struct cella_bytes *ret_content) {
    struct cella_bytes view;
    struct cella_record_header header;
    enum cella_status status =
        cella_vault_stream_view(stream, journal->offset, CELLA_RECORD_HEADER_SIZE, &view, load->error);
    if (status != CELLA_OK)
        return status;
    status = cella_record_header_parse(journal, view, &header);
    if (status == CELLA_OK && header.size <= stream->size - journal->offset)
        status = cella_vault_stream_view(stream, journal->offset, header.size, &view, load->error);
    if (status != CELLA_OK)
        return status;
    if (load->scratch_size < view.size) {
        cella_wipe_free(load->scratch, load->scratch_size);
        load->scratch_size = view.size < VAULT_READ_PIECE ? VAULT_READ_PIECE : view.size;
        load->scratch = malloc(load->scratch_size);
        if (load->scratch == NULL) {
            load->scratch_size = 0;
            return cella_fail(load->error, CELLA_NO_MEMORY, "no memory for a record");
        }
    }
    return cella_journal_open(journal, view, load->scratch, ret_header, ret_content, load->error);
}

static bool is_same_segment(const struct cella_segment *one, const struct cella_segment *other) {
    return one->lineage == other->lineage && one->epoch == other->epoch && one->number == other->number &&
           one->after.epoch == other->after.epoch && one->after.version == other->after.version &&
           memcmp(one->after.digest, other->after.digest, CELLA_DIGEST_SIZE) == 0 &&
           memcmp(one->vault_id, other->vault_id, CELLA_VAULT_ID_SIZE) == 0 &&
           memcmp(one->salt, other->salt, CELLA_SEGMENT_SALT_SIZE) == 0;
}

enum cella_status cella_vault_open_segment(struct cella_vault_load *load,
                                           struct cella_vault_found_segment *found,
                                           struct cella_vault_stream *stream, struct cella_journal *journal) {
    const struct cella_key_source *keys = load->vault->options.keys;
    const struct cella_key_info *info = &found->segment.key_info;
    uint8_t root_key[CELLA_ROOT_KEY_SIZE];
    struct cella_bytes header;
    enum cella_status status = keys->open(keys->context, CELLA_BYTES(info->data, info->size), root_key,
                                          &found->outdated, load->error);
    if (status != CELLA_OK)
        return status == CELLA_DAMAGED ? CELLA_AUTHENTICATION : status;
    status = cella_vault_stream_open(
        stream, load->vault->options.store,
        (struct cella_store_file){.kind = CELLA_STORE_SEGMENT, .number = found->number}, found->size);
    if (status == CELLA_OK)
        status = cella_vault_stream_view(stream, 0, CELLA_SEGMENT_HEADER_SIZE, &header, load->error);
    if (status == CELLA_OK)
        status = cella_journal_load(journal, header, root_key, load->error);
    cella_wipe(root_key, sizeof root_key);
    /* What was decided from the header when it was first read must hold for the records that follow now. */
    if (status == CELLA_OK && !is_same_segment(&journal->segment, &found->segment)) {
        cella_journal_deinit(journal);
        status = cella_fail(load->error, CELLA_STORAGE_IO, "segment %llu changed while it was read",
                            (unsigned long long)found->number);
    }
    if (status != CELLA_OK)
        cella_vault_stream_close(stream);
    return status == CELLA_DAMAGED ? CELLA_AUTHENTICATION : status;
}

/* Headers are durable before a record follows, so a segment without one holds nothing. */
static enum cella_status check_unreadable(struct cella_vault_load *load,
                                          struct cella_vault_found_segment *found,
                                          struct cella_vault_stream *stream) {
    struct cella_bytes view;
    enum cella_status status = cella_vault_stream_view(stream, CELLA_SEGMENT_HEADER_SIZE,
                                                       CELLA_RECORD_ALIGNMENT, &view, load->error);
    if (status != CELLA_OK)
        return status;
    for (size_t i = 0; i < view.size; i++)
        if (view.data[i] != 0)
            return cella_fail(load->error, CELLA_VAULT_DAMAGED,
                              "segment %llu has records and no header that can be read",
                              (unsigned long long)found->number);
    load->report->torn_bytes +=
        found->size < CELLA_SEGMENT_HEADER_SIZE ? found->size : CELLA_SEGMENT_HEADER_SIZE;
    return CELLA_OK;
}

static enum cella_status read_header(struct cella_vault_load *load, struct cella_vault_found_segment *found) {
    struct cella_vault_stream stream;
    struct cella_bytes view = {0};
    enum cella_status status = cella_vault_stream_open(
        &stream, load->vault->options.store,
        (struct cella_store_file){.kind = CELLA_STORE_SEGMENT, .number = found->number}, found->size);
    if (status == CELLA_OK)
        status = cella_vault_stream_view(&stream, 0, CELLA_SEGMENT_HEADER_SIZE + CELLA_RECORD_ALIGNMENT,
                                         &view, load->error);
    if (status == CELLA_OK && view.size >= CELLA_SEGMENT_HEADER_SIZE)
        status = cella_segment_parse(CELLA_BYTES(view.data, CELLA_SEGMENT_HEADER_SIZE), &found->segment,
                                     load->error);
    else if (status == CELLA_OK)
        status = CELLA_DAMAGED;
    if (status == CELLA_OK)
        found->state = SEGMENT_FOREIGN; /* until it is proven to be ours */
    else if (status == CELLA_DAMAGED)
        status = check_unreadable(load, found, &stream);
    cella_vault_stream_close(&stream);
    return status;
}

static enum cella_status check_header(struct cella_vault_load *load,
                                      const struct cella_vault_found_segment *found) {
    unsigned long long number = found->number;
    if (memcmp(found->segment.vault_id, load->vault->id, CELLA_VAULT_ID_SIZE) != 0)
        return cella_fail(load->error, CELLA_VAULT_OTHER, "segment %llu belongs to another vault", number);
    if (found->segment.number != found->number)
        return cella_fail(load->error, CELLA_VAULT_SPLICED, "segment %llu was segment %llu", number,
                          (unsigned long long)found->segment.number);
    return CELLA_OK;
}

static bool is_no_record(enum cella_status status) {
    return status == CELLA_NOT_FOUND || status == CELLA_DAMAGED;
}

/* An owner writes its EPOCH record right behind its intent; without it, it has said nothing to anybody. */
static enum cella_status look_behind_intent(struct cella_vault_load *load,
                                            struct cella_vault_found_segment *found,
                                            struct cella_vault_stream *stream, struct cella_journal *journal,
                                            struct cella_bytes content) {
    struct cella_record_header header;
    uint8_t restore[CELLA_DIGEST_SIZE];
    if (cella_vault_intent_parse(content, &found->intended, restore) != CELLA_OK)
        return CELLA_OK;
    found->intent = journal->head;
    enum cella_status status = cella_vault_next_record(load, stream, journal, &header, &content);
    found->intent_alone = is_no_record(status);
    return found->intent_alone || status == CELLA_VAULT_SPLICED ? CELLA_OK : status;
}

static enum cella_status try_first_record(struct cella_vault_load *load,
                                          struct cella_vault_found_segment *found) {
    struct cella_vault_stream stream = {0};
    struct cella_journal journal = {0};
    struct cella_record_header header;
    struct cella_bytes content;
    enum cella_status status = cella_vault_open_segment(load, found, &stream, &journal);
    if (status == CELLA_AUTHENTICATION)
        return CELLA_OK;
    /* An update is no remedy where the vault was not made. */
    if (status == CELLA_KEY_CPU_SVN && !load->has_register)
        return cella_fail(
            load->error, CELLA_VAULT_OTHER_MACHINE,
            "it was sealed at a newer platform version than this machine's, and the machine does "
            "not count for it");
    if (status != CELLA_OK)
        return status;
    found->state = SEGMENT_EMPTY;
    status = cella_vault_next_record(load, &stream, &journal, &header, &content);
    if (status == CELLA_OK) {
        found->state = SEGMENT_GENUINE;
        if (header.kind == CELLA_RECORD_INTENT)
            status = look_behind_intent(load, found, &stream, &journal, content);
    } else if (is_no_record(status)) {
        status = CELLA_OK;
    }
    cella_journal_deinit(&journal);
    cella_vault_stream_close(&stream);
    return status;
}

/* Nothing opens, though the source of keys did not call it another image's: then it is another machine's, or
 * headers were changed (see docs/vault.md). */
static enum cella_status nothing_opens(struct cella_vault_load *load) {
    for (size_t i = 0; i < load->segment_count; i++)
        if (load->segments[i].state == SEGMENT_FOREIGN)
            return load->has_register
                       ? cella_fail(load->error, CELLA_VAULT_DAMAGED,
                                    "this machine counts for the vault, but no segment's header opens with "
                                    "its keys")
                       : cella_fail(load->error, CELLA_VAULT_OTHER_MACHINE,
                                    "nothing in it opens with this machine's keys, and the machine does not "
                                    "count for it");
    return cella_fail(load->error, CELLA_VAULT_DAMAGED, "no segment has a header that can be read");
}

/* Whether nothing came of a start: the register does not hold its intent, and the segment that was adopted
 * after it does not go on from there. */
static bool is_void(const struct cella_vault_load *load, const struct cella_vault_found_segment *found,
                    const struct cella_vault_found_segment *next) {
    bool continued = next != NULL && next->segment.after.version == found->intent.version &&
                     memcmp(next->segment.after.digest, found->intent.digest, CELLA_DIGEST_SIZE) == 0;
    bool taken = found->intended == load->registered &&
                 memcmp(found->intent.digest, load->registered_mark, CELLA_MARK_SIZE) == 0;
    return found->intent_alone && !continued && !taken;
}

/* Only segments with a genuine record cut others, and only those of owners: neither a header nor an intent
 * acknowledges anything. Epochs grow with the numbers, whatever copies there were. */
static enum cella_status find_cuts(struct cella_vault_load *load) {
    const struct cella_vault_found_segment *next = NULL;
    uint64_t end = UINT64_MAX, epoch = UINT64_MAX;
    bool any = false;
    for (size_t i = load->segment_count; i-- > 0;) {
        struct cella_vault_found_segment *found = &load->segments[i];
        found->end = end;
        any = any || found->state >= SEGMENT_EMPTY;
        if (found->state == SEGMENT_GENUINE && is_void(load, found, next))
            found->state = SEGMENT_VOID;
        if (found->state != SEGMENT_GENUINE)
            continue;
        next = found;
        if (found->segment.epoch > epoch)
            return cella_fail(load->error, CELLA_VAULT_SPLICED,
                              "segment %llu is of a later owner than those after it",
                              (unsigned long long)found->number);
        epoch = found->segment.epoch;
        if (found->segment.after.version < end)
            end = found->segment.after.version;
    }
    return any ? CELLA_OK : nothing_opens(load);
}

static enum cella_status scan_segments(struct cella_vault_load *load) {
    for (size_t i = 0; i < load->segment_count; i++) {
        struct cella_vault_found_segment *found = &load->segments[i];
        enum cella_status status = read_header(load, found);
        if (status == CELLA_OK && found->state != SEGMENT_UNREADABLE)
            status = check_header(load, found);
        if (status == CELLA_OK && found->state != SEGMENT_UNREADABLE)
            status = try_first_record(load, found);
        if (status != CELLA_OK)
            return status;
    }
    return find_cuts(load);
}

enum cella_status cella_vault_scan(struct cella_vault_load *load) {
    enum cella_status status = list_files(load);
    if (status == CELLA_OK)
        status = read_genesis(load);
    if (status == CELLA_OK)
        status = read_register(load);
    if (status == CELLA_OK)
        status = read_restore(load);
    return status == CELLA_OK ? scan_segments(load) : status;
}
