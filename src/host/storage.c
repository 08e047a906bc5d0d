/* A vault's files as a whole: open, close, list, read, and their names. Must not: interpret what is stored.
 */
#include "base/error.h"
#include "base/hex.h"
#include "host/storage_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const kind_names[] = {
    [CELLA_STORE_GENESIS] = "genesis",   [CELLA_STORE_SEGMENT] = "segment",
    [CELLA_STORE_SNAPSHOT] = "snapshot", [CELLA_STORE_HISTORY] = "history",
    [CELLA_STORE_EVIDENCE] = "evidence", [CELLA_STORE_RESTORE] = "restore",
};
#define KINDS (sizeof kind_names / sizeof kind_names[0])
enum { DIGITS = 16 };

static bool has_number(enum cella_store_kind kind) {
    return kind == CELLA_STORE_SEGMENT || kind == CELLA_STORE_SNAPSHOT || kind == CELLA_STORE_EVIDENCE;
}

void cella_storage_name(struct cella_store_file file, char ret_name[CELLA_STORAGE_NAME_MAX]) {
    CELLA_ASSERT((size_t)file.kind - 1 < KINDS - 1);
    if (has_number(file.kind))
        (void)snprintf(ret_name, CELLA_STORAGE_NAME_MAX, "%s-%016llx", kind_names[file.kind],
                       (unsigned long long)file.number);
    else
        (void)snprintf(ret_name, CELLA_STORAGE_NAME_MAX, "%s", kind_names[file.kind]);
}

bool cella_storage_parse_name(const char *name, struct cella_store_file *ret_file) {
    for (size_t kind = 1; kind < KINDS; kind++) {
        struct cella_store_file file = {.kind = (enum cella_store_kind)kind};
        size_t size = strlen(kind_names[kind]);
        if (strncmp(name, kind_names[kind], size) != 0)
            continue;
        uint8_t number[DIGITS / 2] = {0};
        if (has_number(file.kind) &&
            (name[size] != '-' || strlen(name) != size + 1 + DIGITS ||
             cella_hex_decode(name + size + 1, DIGITS, number, sizeof number) != CELLA_OK))
            continue;
        for (size_t i = 0; i < sizeof number; i++)
            file.number = file.number << 8 | number[i];
        /* Only the one spelling that is ever written. */
        char again[CELLA_STORAGE_NAME_MAX];
        cella_storage_name(file, again);
        if (strcmp(again, name) != 0)
            continue;
        *ret_file = file;
        return true;
    }
    return false;
}

int64_t cella_storage_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct storage_lane *cella_storage_lane(struct cella_storage *storage, enum cella_store_kind kind) {
    bool journal = kind == CELLA_STORE_GENESIS || kind == CELLA_STORE_SEGMENT;
    return journal ? &storage->journal : &storage->background;
}

struct storage_file *cella_storage_find(struct storage_lane *lane, struct cella_store_file file) {
    for (size_t i = 0; i < lane->file_count; i++)
        if (lane->files[i]->file.kind == file.kind && lane->files[i]->file.number == file.number)
            return lane->files[i];
    return NULL;
}

/* Sleeps until something changes, at most until `until` (INT64_MAX: for ever). */
static void lane_wait(struct storage_lane *lane, int64_t until) {
    if (until == INT64_MAX) {
        pthread_cond_wait(&lane->changed, &lane->lock);
        return;
    }
    struct timespec limit = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    (void)pthread_cond_timedwait(&lane->changed, &lane->lock, &limit);
}

/* Background work that nobody waits for, one piece at a time between two writes; false: there was none now.
 * The caller holds the lock. */
static bool background_work(struct storage_lane *lane, int64_t *ret_retry_at) {
    struct cella_storage *storage = lane->storage;
    if (!lane->background)
        return false;
    bool prepare = storage->prepare_wanted && cella_storage_now_ms() >= storage->prepare_at;
    if (storage->prepare_wanted && !prepare)
        *ret_retry_at = storage->prepare_at;
    if (storage->removals == NULL && !prepare)
        return false;
    storage->prepare_wanted = storage->prepare_wanted && !prepare;
    pthread_mutex_unlock(&lane->lock);
    (void)cella_storage_remove_one(storage);
    bool more = prepare && cella_storage_prepare(storage);
    pthread_mutex_lock(&lane->lock);
    storage->prepare_wanted = storage->prepare_wanted || more;
    return true;
}

static void *lane_main(void *opaque) {
    struct storage_lane *lane = opaque;
    pthread_mutex_lock(&lane->lock);
    while (!lane->closing) {
        int64_t retry_at = INT64_MAX;
        bool worked = background_work(lane, &retry_at);
        struct storage_file *file = lane->running != NULL ? NULL : cella_storage_runnable(lane, &retry_at);
        if (file != NULL) {
            lane->running = file;
            pthread_mutex_unlock(&lane->lock);
            cella_storage_run(lane, file);
            pthread_mutex_lock(&lane->lock);
            lane->running = NULL;
        } else if (!worked && !lane->closing) {
            lane_wait(lane, retry_at);
        }
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

static enum cella_status lane_init(struct storage_lane *lane, struct cella_storage *storage,
                                   bool background) {
    lane->storage = storage;
    lane->background = background;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lane->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (storage->options.read_only)
        return CELLA_OK;
    lane->has_thread = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
    return lane->has_thread ? CELLA_OK : CELLA_NO_MEMORY;
}

static void lane_stop(struct storage_lane *lane) {
    pthread_mutex_lock(&lane->lock);
    lane->closing = true;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    if (lane->has_thread)
        pthread_join(lane->thread, NULL);
}

/* What is still queued gets one more try, in this thread. */
static void lane_deinit(struct storage_lane *lane) {
    while (lane->file_count > 0) {
        struct storage_file *file = lane->files[0];
        if (file->first != NULL && file->failed == CELLA_OK)
            cella_storage_run(lane, file);
        pthread_mutex_lock(&lane->lock);
        if (lane->file_count > 0 && lane->files[0] == file)
            cella_storage_forget(lane, file);
        pthread_mutex_unlock(&lane->lock);
    }
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->lock);
}

static bool is_half_made(const char *name) {
    static const char suffix[] = ".part";
    char whole[CELLA_STORAGE_NAME_MAX];
    struct cella_store_file file;
    size_t length = strlen(name);
    size_t tail = sizeof suffix - 1;
    if (strcmp(name, STORAGE_SPARE) == 0)
        return true;
    if (length <= tail || length >= sizeof whole || strcmp(name + length - tail, suffix) != 0)
        return false;
    (void)snprintf(whole, sizeof whole, "%.*s", (int)(length - tail), name);
    return cella_storage_parse_name(whole, &file);
}

bool cella_storage_owns(const char *name) {
    struct cella_store_file file;
    return is_half_made(name) || cella_storage_parse_name(name, &file);
}

struct scan {
    struct cella_storage *storage;
    char leftover[64][CELLA_STORAGE_NAME_MAX];
    size_t leftovers;
};

/* What an earlier end left half-made means nothing. */
static void scan_name(void *visitor, const char *name, uint64_t size) {
    struct scan *scan = visitor;
    struct cella_store_file file;
    if (cella_storage_parse_name(name, &file)) {
        if (file.kind == CELLA_STORE_SEGMENT && file.number > scan->storage->last_segment)
            scan->storage->last_segment = file.number;
        return;
    }
    if (is_half_made(name) && scan->leftovers < 64)
        (void)snprintf(scan->leftover[scan->leftovers++], CELLA_STORAGE_NAME_MAX, "%s", name);
}

static enum cella_status scan_folder(struct cella_storage *storage, struct cella_error *error) {
    struct scan scan;
    enum cella_status status;
    do {
        scan = (struct scan){.storage = storage};
        status = storage->disk->list(storage->disk->context, scan_name, &scan, error);
        bool removed = status == CELLA_OK && scan.leftovers > 0 && !storage->options.read_only;
        /* A disk that cannot be written now may be written later; what stays is in nobody's way till then. */
        for (size_t i = 0; i < scan.leftovers && removed; i++)
            removed = storage->disk->remove(storage->disk->context, scan.leftover[i], NULL) == CELLA_OK;
        if (!removed)
            break;
    } while (scan.leftovers == 64);
    return status;
}

enum cella_status cella_storage_open(const struct cella_storage_options *options,
                                     struct cella_storage **ret_storage, struct cella_error *error) {
    struct cella_storage *storage = calloc(1, sizeof *storage);
    if (storage == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for the vault's storage");
    storage->options = *options;
    storage->disk = options->disk;
    if (storage->options.retry_ms == 0)
        storage->options.retry_ms = STORAGE_RETRY_MS;
    if (storage->options.queue_limit == 0)
        storage->options.queue_limit = STORAGE_QUEUE_LIMIT;
    storage->removals_end = &storage->removals;
    pthread_mutex_init(&storage->spare_lock, NULL);
    pthread_mutex_init(&storage->read_lock, NULL);
    pthread_mutex_init(&storage->state_lock, NULL);
    enum cella_status status = scan_folder(storage, error);
    enum cella_status journal = lane_init(&storage->journal, storage, false);
    enum cella_status background = lane_init(&storage->background, storage, true);
    if (status == CELLA_OK && (journal != CELLA_OK || background != CELLA_OK))
        status = cella_fail(error, CELLA_NO_MEMORY, "no threads for the vault's storage");
    if (status != CELLA_OK) {
        cella_storage_close(storage);
        return status;
    }
    *ret_storage = storage;
    return CELLA_OK;
}

static void close_reading(struct cella_storage *storage) {
    if (storage->reading != NULL)
        storage->disk->close(storage->disk->context, storage->reading);
    storage->reading = NULL;
}

void cella_storage_stop_reading(struct cella_storage *storage) {
    pthread_mutex_lock(&storage->read_lock);
    close_reading(storage);
    pthread_mutex_unlock(&storage->read_lock);
}

void cella_storage_close(struct cella_storage *storage) {
    if (storage == NULL)
        return;
    pthread_mutex_lock(&storage->state_lock);
    storage->silent = true;
    pthread_mutex_unlock(&storage->state_lock);
    /* Both threads first: what one does may need the other. */
    lane_stop(&storage->journal);
    lane_stop(&storage->background);
    while (cella_storage_remove_one(storage)) {
    }
    lane_deinit(&storage->journal);
    lane_deinit(&storage->background);
    close_reading(storage);
    cella_storage_drop_spare(storage);
    pthread_mutex_destroy(&storage->spare_lock);
    pthread_mutex_destroy(&storage->read_lock);
    pthread_mutex_destroy(&storage->state_lock);
    free(storage);
}

/* A file that is not being written stays open for the next read. */
static enum cella_status read_closed(struct cella_storage *storage, struct cella_store_file file,
                                     uint64_t offset, struct cella_disk_span *span,
                                     struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    enum cella_status status = CELLA_OK;
    pthread_mutex_lock(&storage->read_lock);
    if (storage->reading != NULL &&
        (storage->reading_file.kind != file.kind || storage->reading_file.number != file.number))
        close_reading(storage);
    if (storage->reading == NULL) {
        char name[CELLA_STORAGE_NAME_MAX];
        cella_storage_name(file, name);
        storage->reading_file = file;
        status = disk->open(disk->context, name, CELLA_DISK_READ, &storage->reading, error);
    }
    if (status == CELLA_OK)
        status = disk->read(disk->context, storage->reading, offset, span, error);
    pthread_mutex_unlock(&storage->read_lock);
    return status;
}

/* Puts what is not written yet over what the disk gave. */
static void overlay(struct cella_disk_span *span, uint64_t offset, const struct storage_pending *pending) {
    uint64_t end = pending->offset + pending->size;
    if (end <= offset || pending->offset >= offset + span->size)
        return;
    size_t skip = pending->offset < offset ? (size_t)(offset - pending->offset) : 0;
    size_t at = pending->offset > offset ? (size_t)(pending->offset - offset) : 0;
    size_t size = pending->size - skip < span->size - at ? pending->size - skip : span->size - at;
    if (at > span->got)
        memset(span->out + span->got, 0, at - span->got);
    memcpy(span->out + at, pending->data + skip, size);
    if (at + size > span->got)
        span->got = at + size;
}

enum cella_status cella_storage_read(struct cella_storage *storage, struct cella_store_file file,
                                     uint64_t offset, struct cella_disk_span *span,
                                     struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    struct storage_lane *lane = cella_storage_lane(storage, file.kind);
    enum cella_status status = CELLA_OK;
    span->got = 0;
    pthread_mutex_lock(&lane->lock);
    struct storage_file *open = cella_storage_find(lane, file);
    /* What has no name yet is not there for anyone; but a segment and the history are there at once. */
    bool queued = open != NULL && !open->gave_up &&
                  (open->named || file.kind == CELLA_STORE_SEGMENT || file.kind == CELLA_STORE_HISTORY);
    if (queued && open->handle != NULL)
        status = disk->read(disk->context, open->handle, offset, span, error);
    else
        status = read_closed(storage, file, offset, span, error);
    if (queued && status == CELLA_NOT_FOUND)
        status = CELLA_OK;
    for (const struct storage_pending *pending = queued ? open->first : NULL;
         pending != NULL && status == CELLA_OK; pending = pending->next)
        overlay(span, offset, pending);
    pthread_mutex_unlock(&lane->lock);
    return status;
}

struct listing {
    struct cella_store_entry *entries;
    size_t count, capacity;
    bool failed;
};

static void list_name(void *visitor, const char *name, uint64_t size) {
    struct listing *listing = visitor;
    struct cella_store_file file;
    if (listing->failed || !cella_storage_parse_name(name, &file))
        return;
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity * 2 + 32;
        struct cella_store_entry *larger = realloc(listing->entries, capacity * sizeof *larger);
        listing->failed = larger == NULL;
        if (larger == NULL)
            return;
        listing->entries = larger;
        listing->capacity = capacity;
    }
    listing->entries[listing->count++] = (struct cella_store_entry){.file = file, .size = size};
}

static int by_kind_and_number(const void *first, const void *second) {
    const struct cella_store_file *a = &((const struct cella_store_entry *)first)->file;
    const struct cella_store_file *b = &((const struct cella_store_entry *)second)->file;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

enum cella_status cella_storage_list(struct cella_storage *storage,
                                     void (*visit)(void *visitor, const struct cella_store_entry *entry),
                                     void *visitor, struct cella_error *error) {
    struct listing listing = {.entries = NULL};
    enum cella_status status = storage->disk->list(storage->disk->context, list_name, &listing, error);
    if (status == CELLA_OK && listing.failed)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory to list the vault's files");
    if (status == CELLA_OK && listing.count > 0) {
        qsort(listing.entries, listing.count, sizeof *listing.entries, by_kind_and_number);
        for (size_t i = 0; i < listing.count; i++)
            visit(visitor, &listing.entries[i]);
    }
    free(listing.entries);
    return status;
}

void cella_storage_count(struct cella_storage *storage, struct cella_storage_counts *ret_counts) {
    pthread_mutex_lock(&storage->state_lock);
    *ret_counts = storage->counts;
    pthread_mutex_unlock(&storage->state_lock);
    struct storage_lane *lanes[] = {&storage->journal, &storage->background};
    for (size_t i = 0; i < 2; i++) {
        pthread_mutex_lock(&lanes[i]->lock);
        ret_counts->queued_bytes += lanes[i]->queued_bytes;
        pthread_mutex_unlock(&lanes[i]->lock);
    }
}
