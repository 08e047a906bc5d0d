/* Writes to a vault's files: the queue of each, what is done with it, and what when the disk fails. Must not:
 * tell that something is durable before the disk has said so, or lose what it could not write. */
#include "base/error.h"
#include "host/storage_internal.h"
#include <stdlib.h>
#include <string.h>

#define OFFSET_LIMIT ((uint64_t)1 << 44)

/* These are made anew as a whole when the disk can write again. */
static bool gives_up(enum cella_store_kind kind) {
    return kind == CELLA_STORE_SNAPSHOT;
}

static void tell(struct cella_storage *storage, struct cella_storage_ticket ticket,
                 enum cella_status status) {
    pthread_mutex_lock(&storage->state_lock);
    bool silent = storage->silent;
    pthread_mutex_unlock(&storage->state_lock);
    if (!silent)
        storage->options.written(storage->options.context, ticket, status);
}

/* Counts a file that begins or ceases to fail, and tells of the first and the last. */
static void note_failing(struct cella_storage *storage, enum cella_status status, const char *message) {
    pthread_mutex_lock(&storage->state_lock);
    bool change = status != CELLA_OK ? storage->failing++ == 0 : --storage->failing == 0;
    change = change && !storage->silent;
    if (change)
        storage->counts.status = status;
    pthread_mutex_unlock(&storage->state_lock);
    if (change && storage->options.changed != NULL)
        storage->options.changed(storage->options.context, status, message);
}

/* --- taking a write --- */

static enum cella_status refuse(const struct cella_storage_write *write, const char *why,
                                struct cella_error *error) {
    return cella_fail(error, CELLA_ARGUMENT, "a write of %zu bytes at %llu to file %d, %llu: %s",
                      write->bytes.size, (unsigned long long)write->offset, (int)write->file.kind,
                      (unsigned long long)write->file.number, why);
}

static enum cella_status check_write(const struct cella_storage *storage,
                                     const struct cella_storage_write *write, struct cella_error *error) {
    bool whole = (write->flags & CELLA_STORE_FINISH) != 0;
    enum cella_store_kind kind = write->file.kind;
    if (storage->options.read_only)
        return refuse(write, "the vault is only being looked at", error);
    if (kind != CELLA_STORE_GENESIS && kind != CELLA_STORE_SEGMENT && kind != CELLA_STORE_SNAPSHOT &&
        kind != CELLA_STORE_HISTORY && kind != CELLA_STORE_EVIDENCE)
        return refuse(write, "nothing writes a file of this kind", error);
    if ((kind == CELLA_STORE_GENESIS || kind == CELLA_STORE_HISTORY) != (write->file.number == 0) &&
        kind != CELLA_STORE_SNAPSHOT)
        return refuse(write, "the number does not fit", error);
    if ((write->flags & ~(unsigned)(CELLA_STORE_FLUSH | CELLA_STORE_FINISH)) != 0 ||
        (whole && (kind == CELLA_STORE_SEGMENT || kind == CELLA_STORE_HISTORY)))
        return refuse(write, "the flags do not fit", error);
    if (write->bytes.size > CELLA_STORAGE_READ_MAX || write->offset > OFFSET_LIMIT)
        return refuse(write, "it is too large", error);
    if (write->bytes.size == 0 && !whole)
        return refuse(write, "it is empty", error);
    return CELLA_OK;
}

static struct storage_pending *make_pending(const struct cella_storage_write *write) {
    struct storage_pending *pending = malloc(sizeof *pending + write->bytes.size);
    if (pending == NULL)
        return NULL;
    *pending = (struct storage_pending){.offset = write->offset,
                                        .flags = write->flags,
                                        .ticket = write->ticket,
                                        .told = write->told,
                                        .once = write->once,
                                        .size = write->bytes.size};
    if (write->bytes.size > 0)
        memcpy(pending->data, write->bytes.data, write->bytes.size);
    return pending;
}

/* Files that nothing will be done with any more give their places to new ones. The caller holds the lock. */
static void forget_old(struct storage_lane *lane, struct cella_store_file than) {
    for (size_t i = 0; i < lane->file_count;) {
        struct storage_file *file = lane->files[i];
        bool other = file->file.kind == than.kind && file->file.number != than.number;
        bool over = file->gave_up || (than.kind == CELLA_STORE_SEGMENT && file->file.number < than.number);
        if (other && over && file->first == NULL && !file->preparing && file != lane->running)
            cella_storage_forget(lane, file);
        else
            i++;
    }
}

/* A file that was given up is begun again. */
static void begin_again(struct storage_file *file) {
    *file = (struct storage_file){.file = file->file};
    file->last = &file->first;
}

/* Makes a place for the file that `write` begins. The caller holds the lock. */
static enum cella_status begin(struct storage_lane *lane, const struct cella_storage_write *write,
                               struct storage_file **ret_file, struct cella_error *error) {
    struct cella_storage *storage = lane->storage;
    bool is_segment = write->file.kind == CELLA_STORE_SEGMENT;
    if (is_segment && write->file.number <= storage->last_segment)
        return refuse(write, "a segment's number is never used again", error);
    forget_old(lane, write->file);
    if (lane->file_count == STORAGE_FILES)
        return refuse(write, "too many files are being written", error);
    struct storage_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a file of the vault");
    file->file = write->file;
    file->last = &file->first;
    if (is_segment)
        storage->last_segment = write->file.number;
    lane->files[lane->file_count++] = file;
    *ret_file = file;
    return CELLA_OK;
}

/* The file that `write` goes to. The caller holds the lock. */
static enum cella_status find_or_begin(struct storage_lane *lane, const struct cella_storage_write *write,
                                       struct storage_file **ret_file, struct cella_error *error) {
    enum cella_store_kind kind = write->file.kind;
    struct storage_file *file = cella_storage_find(lane, write->file);
    if (file != NULL && gives_up(kind) && file->gave_up && file->first == NULL && write->offset == 0)
        begin_again(file);
    bool follows = kind == CELLA_STORE_HISTORY || write->offset == (file == NULL ? 0 : file->end);
    if (!follows || (file != NULL && file->finished))
        return refuse(write, "it does not go on where the file ends", error);
    if (file == NULL)
        return begin(lane, write, ret_file, error);
    *ret_file = file;
    return CELLA_OK;
}

static void append(struct storage_lane *lane, struct storage_file *file, struct storage_pending *pending) {
    *file->last = pending;
    file->last = &pending->next;
    if (pending->offset + pending->size > file->end)
        file->end = pending->offset + pending->size;
    if ((pending->flags & CELLA_STORE_FINISH) != 0)
        file->finished = true;
    lane->queued_bytes += pending->size + CELLA_STORAGE_WRITE_COST;
}

enum cella_status cella_storage_write(struct cella_storage *storage, const struct cella_storage_write *write,
                                      struct cella_error *error) {
    struct storage_lane *lane = cella_storage_lane(storage, write->file.kind);
    enum cella_status status = check_write(storage, write, error);
    if (status != CELLA_OK)
        return status;
    struct storage_pending *pending = make_pending(write);
    if (pending == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a write to the vault");
    int64_t retry_at = INT64_MAX;
    struct storage_file *file = NULL;
    pthread_mutex_lock(&lane->lock);
    if (write->bytes.size + CELLA_STORAGE_WRITE_COST > storage->options.queue_limit - lane->queued_bytes)
        status = cella_fail(error, CELLA_LIMIT, "too many bytes wait for the disk under the vault");
    bool idle = write->here && lane->running == NULL && cella_storage_runnable(lane, &retry_at) == NULL &&
                retry_at == INT64_MAX;
    if (status == CELLA_OK)
        status = find_or_begin(lane, write, &file, error);
    if (status == CELLA_OK) {
        append(lane, file, pending);
        if (idle)
            lane->running = file;
        else
            pthread_cond_broadcast(&lane->changed);
    }
    pthread_mutex_unlock(&lane->lock);
    if (status != CELLA_OK)
        free(pending);
    if (status != CELLA_OK || !idle)
        return status;
    cella_storage_run(lane, file);
    pthread_mutex_lock(&lane->lock);
    lane->running = NULL;
    if (lane->closing || cella_storage_runnable(lane, &retry_at) != NULL || retry_at != INT64_MAX)
        pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    return CELLA_OK;
}

/* --- doing what is queued --- */

static struct storage_pending *next_unwritten(const struct storage_file *file) {
    struct storage_pending *pending = file->first;
    while (pending != NULL && pending->written)
        pending = pending->next;
    return pending;
}

static struct storage_pending *next_failure(const struct storage_file *file) {
    struct storage_pending *pending = file->first;
    while (pending != NULL && (!pending->told || pending->failure_told))
        pending = pending->next;
    return pending;
}

struct storage_file *cella_storage_runnable(struct storage_lane *lane, int64_t *ret_retry_at) {
    for (size_t i = 0; i < lane->file_count; i++) {
        struct storage_file *file = lane->files[i];
        if (next_unwritten(file) == NULL)
            continue;
        if (file->failed == CELLA_OK || file->gave_up || next_failure(file) != NULL ||
            cella_storage_now_ms() >= file->retry_at)
            return file;
        if (file->retry_at < *ret_retry_at)
            *ret_retry_at = file->retry_at;
        /* What a commit waits for is done in order, whatever the file. */
        if (!lane->background)
            return NULL;
    }
    return NULL;
}

/* Takes the pieces from the front that are done with: those that are written, or (`all`) all. */
static struct storage_pending *take(struct storage_lane *lane, struct storage_file *file, bool all) {
    struct storage_pending *taken = NULL, **end = &taken;
    pthread_mutex_lock(&lane->lock);
    while (file->first != NULL && (all || file->first->written)) {
        *end = file->first;
        end = &file->first->next;
        lane->queued_bytes -= file->first->size + CELLA_STORAGE_WRITE_COST;
        file->first = file->first->next;
    }
    *end = NULL;
    if (file->first == NULL)
        file->last = &file->first;
    pthread_mutex_unlock(&lane->lock);
    return taken;
}

static void tell_and_free(struct cella_storage *storage, struct storage_pending *taken,
                          enum cella_status status) {
    while (taken != NULL) {
        struct storage_pending *next = taken->next;
        if (taken->told)
            tell(storage, taken->ticket, status);
        free(taken);
        taken = next;
    }
}

/* Writes `pending`; on success `*ret_flushed` says whether all up to it is durable. */
static enum cella_status advance(struct cella_storage *storage, struct storage_file *file,
                                 struct storage_pending *pending, bool *ret_flushed,
                                 struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    bool whole = (pending->flags & CELLA_STORE_FINISH) != 0;
    /* A segment has its name from the moment on that its header is durable. */
    bool names = whole || (file->file.kind == CELLA_STORE_SEGMENT && !file->named);
    bool durable = names || (pending->flags & CELLA_STORE_FLUSH) != 0;
    bool alone = file->unflushed == 0 && pending->size > 0;
    enum cella_status status = CELLA_OK;
    if (file->handle == NULL)
        status = cella_storage_make(storage, file, error);
    if (status == CELLA_OK && pending->size > 0)
        status = cella_storage_put(storage, file, pending, durable && alone, error);
    if (status != CELLA_OK)
        return status;
    if (!durable || !alone)
        file->unflushed += pending->size;
    bool flush = (durable && !alone) || file->unflushed > STORAGE_UNFLUSHED;
    if (flush)
        status = disk->flush(disk->context, file->handle, error);
    if (status == CELLA_OK && flush)
        file->unflushed = 0;
    if (status == CELLA_OK && durable)
        status = cella_storage_settle(storage, file, names, error);
    *ret_flushed = durable || flush;
    return status;
}

static void give_up(struct storage_lane *lane, struct storage_file *file) {
    pthread_mutex_lock(&lane->lock);
    while (file->preparing)
        pthread_cond_wait(&lane->changed, &lane->lock);
    cella_storage_unmake(lane->storage, file);
    pthread_mutex_unlock(&lane->lock);
}

/* After a failure. Whatever was written since the last flush may be lost with it and is written again. */
static void fail_file(struct storage_lane *lane, struct storage_file *file, enum cella_status status,
                      const char *message) {
    struct cella_storage *storage = lane->storage;
    pthread_mutex_lock(&lane->lock);
    bool first = file->failed == CELLA_OK;
    bool final = gives_up(file->file.kind);
    for (struct storage_pending *pending = file->first; pending != NULL; pending = pending->next) {
        pending->written = false;
        final = final || pending->once;
    }
    file->failed = status;
    file->gave_up = final;
    file->unflushed = 0;
    file->retry_at = cella_storage_now_ms() + storage->options.retry_ms;
    pthread_mutex_unlock(&lane->lock);
    pthread_mutex_lock(&storage->state_lock);
    storage->counts.failures++;
    pthread_mutex_unlock(&storage->state_lock);
    if (final)
        give_up(lane, file);
    if (final && !first)
        note_failing(storage, CELLA_OK, "");
    if (!final && first)
        note_failing(storage, status, message);
}

/* Somebody who would rather know than wait has come. */
static bool wants_no_retry(struct storage_lane *lane, const struct storage_file *file) {
    bool found = false;
    pthread_mutex_lock(&lane->lock);
    for (const struct storage_pending *pending = file->first; pending != NULL; pending = pending->next)
        found = found || pending->once;
    pthread_mutex_unlock(&lane->lock);
    return found;
}

/* Tells those who wait for a file that fails. */
static void tell_failures(struct storage_lane *lane, struct storage_file *file) {
    for (;;) {
        pthread_mutex_lock(&lane->lock);
        struct storage_pending *pending = next_failure(file);
        struct cella_storage_ticket ticket = {.id = 0};
        if (pending != NULL) {
            pending->failure_told = true;
            ticket = pending->ticket;
        }
        pthread_mutex_unlock(&lane->lock);
        if (pending == NULL)
            return;
        tell(lane->storage, ticket, file->failed);
    }
}

static void count_write(struct cella_storage *storage, size_t size, bool flushed) {
    pthread_mutex_lock(&storage->state_lock);
    storage->counts.writes++;
    storage->counts.bytes += size;
    storage->counts.flushes += flushed;
    pthread_mutex_unlock(&storage->state_lock);
}

/* One piece is written: whoever waited for it and those before it is told. */
static void step_done(struct storage_lane *lane, struct storage_file *file, struct storage_pending *pending,
                      bool flushed) {
    struct cella_storage *storage = lane->storage;
    count_write(storage, pending->size, flushed);
    pthread_mutex_lock(&lane->lock);
    pending->written = true;
    /* What needs no flush is told when it is written, and kept until the next flush. */
    bool now = pending->told && (pending->flags & (CELLA_STORE_FLUSH | CELLA_STORE_FINISH)) == 0;
    struct cella_storage_ticket ticket = pending->ticket;
    if (now)
        pending->told = false;
    pthread_mutex_unlock(&lane->lock);
    if (now)
        tell(storage, ticket, CELLA_OK);
    if (flushed)
        tell_and_free(storage, take(lane, file, false), CELLA_OK);
}

void cella_storage_run(struct storage_lane *lane, struct storage_file *file) {
    struct cella_storage *storage = lane->storage;
    struct cella_error error = {.message = ""};
    enum cella_status status = CELLA_OK;
    if (file->failed != CELLA_OK && !file->gave_up && wants_no_retry(lane, file))
        fail_file(lane, file, file->failed, "");
    bool wait = file->failed != CELLA_OK && cella_storage_now_ms() < file->retry_at;
    while (!wait && !file->gave_up && status == CELLA_OK) {
        pthread_mutex_lock(&lane->lock);
        struct storage_pending *pending = next_unwritten(file);
        bool recovered = pending == NULL && file->failed != CELLA_OK;
        if (recovered)
            file->failed = CELLA_OK;
        pthread_mutex_unlock(&lane->lock);
        if (recovered)
            note_failing(storage, CELLA_OK, "");
        if (pending == NULL)
            break;
        bool flushed = false;
        status = advance(storage, file, pending, &flushed, &error);
        if (status == CELLA_OK)
            step_done(lane, file, pending, flushed);
    }
    if (status != CELLA_OK)
        fail_file(lane, file, status, error.message);
    if (file->gave_up)
        tell_and_free(storage, take(lane, file, true), file->failed);
    else if (file->failed != CELLA_OK)
        tell_failures(lane, file);
    pthread_mutex_lock(&lane->lock);
    forget_old(lane, file->file);
    if (file->finished && file->first == NULL && !file->gave_up)
        cella_storage_forget(lane, file);
    pthread_mutex_unlock(&lane->lock);
}

void cella_storage_forget(struct storage_lane *lane, struct storage_file *file) {
    struct cella_storage *storage = lane->storage;
    size_t at = 0;
    while (lane->files[at] != file)
        at++;
    memmove(&lane->files[at], &lane->files[at + 1], (--lane->file_count - at) * sizeof lane->files[0]);
    if (file->handle != NULL && file->file.kind == CELLA_STORE_SEGMENT && file->named)
        /* The zeros behind the end are of no more use. */
        (void)storage->disk->truncate(storage->disk->context, file->handle, file->written_end, NULL);
    cella_storage_unmake(storage, file);
    while (file->first != NULL) {
        struct storage_pending *next = file->first->next;
        lane->queued_bytes -= file->first->size + CELLA_STORAGE_WRITE_COST;
        free(file->first);
        file->first = next;
    }
    if (file->failed != CELLA_OK && !file->gave_up) {
        pthread_mutex_lock(&storage->state_lock);
        storage->failing--;
        pthread_mutex_unlock(&storage->state_lock);
    }
    free(file);
}

enum cella_status cella_storage_remove(struct cella_storage *storage, struct cella_store_file file,
                                       struct cella_error *error) {
    if (storage->options.read_only || (file.kind != CELLA_STORE_SEGMENT &&
                                       file.kind != CELLA_STORE_SNAPSHOT && file.kind != CELLA_STORE_RESTORE))
        return cella_fail(error, CELLA_ARGUMENT, "nothing removes a file of kind %d", (int)file.kind);
    struct storage_removal *removal = malloc(sizeof *removal);
    if (removal == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to remove a file of the vault");
    *removal = (struct storage_removal){.file = file};
    struct storage_lane *lane = &storage->background;
    pthread_mutex_lock(&lane->lock);
    /* The later one says all that the earlier one says. */
    struct storage_removal *other = storage->removals;
    while (other != NULL && other->file.kind != file.kind)
        other = other->next;
    if (other == NULL) {
        *storage->removals_end = removal;
        storage->removals_end = &removal->next;
        removal = NULL;
    } else if (file.number > other->file.number) {
        other->file.number = file.number;
    }
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    free(removal);
    return CELLA_OK;
}
