/* What a storage does while nobody waits: zeros where the next records will lie, the next segment's file, and
 * removals. Zeros are written, not only reserved: a write into reserved space costs the file system a
 * transaction of its own. Must not: touch a byte that somebody wrote. */
#include "base/error.h"
#include "host/storage_internal.h"
#include <stdlib.h>

enum { PAUSE_MS = 1000 };

static const uint8_t zeros[STORAGE_STEP];

void cella_storage_want_preparing(struct cella_storage *storage) {
    struct storage_lane *lane = &storage->background;
    pthread_mutex_lock(&lane->lock);
    bool wake = !storage->prepare_wanted;
    storage->prepare_wanted = true;
    if (wake)
        pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
}

struct cella_disk_file *cella_storage_take_spare(struct cella_storage *storage, uint64_t *ret_size) {
    pthread_mutex_lock(&storage->spare_lock);
    struct cella_disk_file *spare = storage->spare;
    storage->spare = NULL;
    if (spare != NULL)
        *ret_size = storage->spare_size;
    pthread_mutex_unlock(&storage->spare_lock);
    return spare;
}

void cella_storage_drop_spare(struct cella_storage *storage) {
    uint64_t size;
    struct cella_disk_file *spare = cella_storage_take_spare(storage, &size);
    if (spare == NULL)
        return;
    storage->disk->close(storage->disk->context, spare);
    (void)storage->disk->remove(storage->disk->context, STORAGE_SPARE, NULL);
}

static enum cella_status make_spare(struct cella_storage *storage) {
    const struct cella_disk *disk = storage->disk;
    struct cella_disk_file *file = NULL;
    enum cella_status status = disk->open(disk->context, STORAGE_SPARE, CELLA_DISK_CREATE, &file, NULL);
    if (status != CELLA_OK)
        return status;
    uint64_t size = 0;
    while (status == CELLA_OK && size < STORAGE_AHEAD_MOST) {
        status = disk->write(disk->context, file, size, CELLA_BYTES(zeros, sizeof zeros), false, NULL);
        size += sizeof zeros;
    }
    if (status == CELLA_OK)
        status = disk->flush(disk->context, file, NULL);
    if (status == CELLA_OK) {
        pthread_mutex_lock(&storage->spare_lock);
        storage->spare = file;
        storage->spare_size = size;
        pthread_mutex_unlock(&storage->spare_lock);
        return CELLA_OK;
    }
    disk->close(disk->context, file);
    (void)disk->remove(disk->context, STORAGE_SPARE, NULL);
    return status;
}

/* A stretch of a segment to fill; `file` stays while `preparing` is set. */
struct stretch {
    struct storage_file *file;
    uint64_t from;
    size_t size;
    bool spare; /* the segment is large enough to be followed soon */
};

static struct stretch find_stretch(struct cella_storage *storage) {
    struct storage_lane *lane = &storage->journal;
    struct stretch stretch = {.file = NULL};
    pthread_mutex_lock(&lane->lock);
    struct storage_file *file = NULL;
    for (size_t i = 0; i < lane->file_count; i++)
        if (lane->files[i]->file.kind == CELLA_STORE_SEGMENT)
            file = lane->files[i];
    /* The newest one without a name may be in what was the spare. */
    if (file != NULL && file->named && file->failed == CELLA_OK) {
        uint64_t to = file->written_end + cella_storage_ahead(file->written_end);
        stretch.spare = file->written_end >= STORAGE_SPARE_FROM;
        stretch.file = file;
        stretch.from = file->prepared;
        if (to > file->prepared)
            stretch.size = to - file->prepared < sizeof zeros ? (size_t)(to - file->prepared) : sizeof zeros;
        file->preparing = stretch.size > 0;
    }
    pthread_mutex_unlock(&lane->lock);
    return stretch;
}

static enum cella_status fill(struct cella_storage *storage, const struct stretch *stretch) {
    const struct cella_disk *disk = storage->disk;
    struct storage_lane *lane = &storage->journal;
    struct storage_file *file = stretch->file;
    enum cella_status status = CELLA_OK;
    if (file->filler == NULL) {
        char name[CELLA_STORAGE_NAME_MAX];
        cella_storage_name(file->file, name);
        status = disk->open(disk->context, name, CELLA_DISK_WRITE, &file->filler, NULL);
    }
    if (status == CELLA_OK)
        status = disk->write(disk->context, file->filler, stretch->from, CELLA_BYTES(zeros, stretch->size),
                             false, NULL);
    if (status == CELLA_OK)
        status = disk->flush(disk->context, file->filler, NULL);
    pthread_mutex_lock(&lane->lock);
    file->preparing = false;
    if (status == CELLA_OK)
        file->prepared = stretch->from + stretch->size;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    return status;
}

bool cella_storage_prepare(struct cella_storage *storage) {
    struct stretch stretch = find_stretch(storage);
    if (stretch.file == NULL)
        return false;
    enum cella_status status = CELLA_OK;
    if (stretch.size > 0)
        status = fill(storage, &stretch);
    pthread_mutex_lock(&storage->spare_lock);
    bool make = stretch.spare && storage->spare == NULL && stretch.size == 0;
    pthread_mutex_unlock(&storage->spare_lock);
    if (make)
        status = make_spare(storage);
    /* A disk that is full is not asked again at once; commits do without. */
    if (status != CELLA_OK)
        storage->prepare_at = cella_storage_now_ms() + PAUSE_MS;
    return status != CELLA_OK || stretch.size > 0;
}

struct removing {
    struct cella_storage *storage;
    struct cella_store_file file;
};

static void remove_older(void *visitor, const struct cella_store_entry *entry) {
    const struct removing *removing = visitor;
    struct cella_storage *storage = removing->storage;
    struct cella_store_file than = removing->file;
    if (entry->file.kind != than.kind || entry->file.number > than.number ||
        (than.kind == CELLA_STORE_SNAPSHOT && entry->file.number == than.number))
        return;
    struct storage_lane *lane = cella_storage_lane(storage, entry->file.kind);
    pthread_mutex_lock(&lane->lock);
    bool open = cella_storage_find(lane, entry->file) != NULL;
    pthread_mutex_unlock(&lane->lock);
    char name[CELLA_STORAGE_NAME_MAX];
    cella_storage_name(entry->file, name);
    if (!open)
        (void)storage->disk->remove(storage->disk->context, name, NULL);
}

bool cella_storage_remove_one(struct cella_storage *storage) {
    struct storage_lane *lane = &storage->background;
    pthread_mutex_lock(&lane->lock);
    struct storage_removal *removal = storage->removals;
    if (removal != NULL)
        storage->removals = removal->next;
    if (storage->removals == NULL)
        storage->removals_end = &storage->removals;
    pthread_mutex_unlock(&lane->lock);
    if (removal == NULL)
        return false;
    struct removing removing = {.storage = storage, .file = removal->file};
    cella_storage_stop_reading(storage);
    (void)cella_storage_list(storage, remove_older, &removing, NULL);
    (void)storage->disk->flush_folder(storage->disk->context, NULL);
    free(removal);
    return true;
}
