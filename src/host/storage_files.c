/* Steps that make a vault's file: opening or making it, writing into it, giving it its name. Must not: show a
 * file under its name before what makes it that file is durable. */
#include "base/error.h"
#include "host/storage_internal.h"
#include <stdio.h>

static enum cella_status make_part(struct cella_storage *storage, struct storage_file *file,
                                   struct cella_disk_file **ret_handle, struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    char name[CELLA_STORAGE_NAME_MAX];
    cella_storage_name(file->file, name);
    (void)snprintf(file->part, sizeof file->part, "%.26s.part", name);
    enum cella_status status = disk->open(disk->context, file->part, CELLA_DISK_CREATE, ret_handle, error);
    if (status != CELLA_EXISTS)
        return status;
    /* Half-made before, and could not be removed then. */
    status = disk->remove(disk->context, file->part, error);
    return status == CELLA_OK ? disk->open(disk->context, file->part, CELLA_DISK_CREATE, ret_handle, error)
                              : status;
}

static enum cella_status open_or_create(struct cella_storage *storage, struct storage_file *file,
                                        struct cella_disk_file **ret_handle, struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    char name[CELLA_STORAGE_NAME_MAX];
    cella_storage_name(file->file, name);
    enum cella_status status = disk->open(disk->context, name, CELLA_DISK_WRITE, ret_handle, error);
    if (status != CELLA_NOT_FOUND)
        return status;
    file->folder_dirty = true;
    return disk->open(disk->context, name, CELLA_DISK_CREATE, ret_handle, error);
}

enum cella_status cella_storage_make(struct cella_storage *storage, struct storage_file *file,
                                     struct cella_error *error) {
    struct storage_lane *lane = cella_storage_lane(storage, file->file.kind);
    struct cella_disk_file *handle = NULL;
    uint64_t prepared = 0;
    enum cella_status status = CELLA_OK;
    bool named = file->file.kind == CELLA_STORE_HISTORY;
    if (file->file.kind == CELLA_STORE_SEGMENT)
        handle = cella_storage_take_spare(storage, &prepared);
    if (handle != NULL)
        (void)snprintf(file->part, sizeof file->part, "%s", STORAGE_SPARE);
    else if (named)
        status = open_or_create(storage, file, &handle, error);
    else
        status = make_part(storage, file, &handle, error);
    if (status != CELLA_OK)
        return status;
    pthread_mutex_lock(&lane->lock);
    file->handle = handle;
    file->prepared = prepared;
    file->named = named;
    pthread_mutex_unlock(&lane->lock);
    return CELLA_OK;
}

uint64_t cella_storage_ahead(uint64_t end) {
    return end < STORAGE_AHEAD_LEAST  ? STORAGE_AHEAD_LEAST
           : end > STORAGE_AHEAD_MOST ? STORAGE_AHEAD_MOST
                                      : end;
}

enum cella_status cella_storage_put(struct cella_storage *storage, struct storage_file *file,
                                    const struct storage_pending *pending, bool durable,
                                    struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    struct storage_lane *lane = cella_storage_lane(storage, file->file.kind);
    uint64_t end = pending->offset + pending->size;
    pthread_mutex_lock(&lane->lock);
    /* Where zeros are being written this moment, bytes of ours would be lost under them. */
    while (file->preparing && end > file->prepared)
        pthread_cond_wait(&lane->changed, &lane->lock);
    if (end > file->prepared)
        file->prepared = end;
    if (end > file->written_end)
        file->written_end = end;
    bool low = file->file.kind == CELLA_STORE_SEGMENT && file->named &&
               file->prepared - file->written_end < cella_storage_ahead(file->written_end) / 2;
    pthread_mutex_unlock(&lane->lock);
    enum cella_status status = disk->write(disk->context, file->handle, pending->offset,
                                           CELLA_BYTES(pending->data, pending->size), durable, error);
    if (low && status == CELLA_OK)
        cella_storage_want_preparing(storage);
    return status;
}

enum cella_status cella_storage_settle(struct cella_storage *storage, struct storage_file *file, bool rename,
                                       struct cella_error *error) {
    const struct cella_disk *disk = storage->disk;
    struct storage_lane *lane = cella_storage_lane(storage, file->file.kind);
    enum cella_status status = CELLA_OK;
    if (rename && !file->named) {
        char name[CELLA_STORAGE_NAME_MAX];
        cella_storage_name(file->file, name);
        status = disk->rename(disk->context, file->part, name, error);
        if (status != CELLA_OK)
            return status;
        pthread_mutex_lock(&lane->lock);
        file->named = true;
        pthread_mutex_unlock(&lane->lock);
        file->folder_dirty = true;
        if (file->file.kind == CELLA_STORE_SEGMENT)
            cella_storage_want_preparing(storage);
    }
    if (file->folder_dirty)
        status = disk->flush_folder(disk->context, error);
    if (status == CELLA_OK)
        file->folder_dirty = false;
    return status;
}

void cella_storage_unmake(struct cella_storage *storage, struct storage_file *file) {
    const struct cella_disk *disk = storage->disk;
    if (file->handle == NULL)
        return;
    disk->close(disk->context, file->handle);
    if (file->filler != NULL)
        disk->close(disk->context, file->filler);
    file->handle = NULL;
    file->filler = NULL;
    if (!file->named)
        (void)disk->remove(disk->context, file->part, NULL);
}
