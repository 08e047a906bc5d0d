/* Folders of vaults that are being made: beside their own name, with ".new" behind it. Must not: remove what
 * may be anybody's only copy. */
#include "base/error.h"
#include "host/storage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct leftover {
    const struct cella_disk *disk;
    enum cella_status status;
    struct cella_error *error;
};

static void remove_leftover(void *visitor, const char *name, uint64_t size) {
    struct leftover *leftover = visitor;
    if (leftover->status == CELLA_OK)
        leftover->status = leftover->disk->remove(leftover->disk->context, name, leftover->error);
}

static void note_stranger(void *visitor, const char *name, uint64_t size) {
    struct leftover *leftover = visitor;
    if (!cella_storage_owns(name) && leftover->status == CELLA_OK)
        leftover->status = cella_fail(leftover->error, CELLA_EXISTS,
                                      "it holds \"%.64s\", which is no file of a vault", name);
}

static enum cella_status remove_folder(const char *path, struct cella_error *error) {
    struct cella_disk_posix *posix = NULL;
    enum cella_status status = cella_disk_posix_open(path, CELLA_DISK_FOLDER_OPEN, &posix, error);
    if (status == CELLA_NOT_FOUND)
        return CELLA_OK;
    if (status != CELLA_OK)
        return status;
    struct leftover leftover = {.disk = cella_disk_posix_disk(posix), .error = error};
    status = leftover.disk->list(leftover.disk->context, note_stranger, &leftover, error);
    if (status == CELLA_OK && leftover.status == CELLA_OK)
        status = leftover.disk->list(leftover.disk->context, remove_leftover, &leftover, error);
    if (status == CELLA_OK)
        status = leftover.status;
    if (status == CELLA_OK && rmdir(path) != 0)
        status = cella_fail(error, CELLA_EXISTS, "it is not empty");
    cella_disk_posix_close(posix);
    return status == CELLA_OK
               ? CELLA_OK
               : cella_fail_context(error, status, "cannot remove the half-made vault %.120s", path);
}

static char *new_name(const char *path, struct cella_error *error) {
    char *name = NULL;
    if (asprintf(&name, "%s.new", path) >= 0)
        return name;
    (void)cella_fail(error, CELLA_NO_MEMORY, "no memory for a vault");
    return NULL;
}

enum cella_status cella_storage_remove_new(const char *path, struct cella_error *error) {
    char *name = new_name(path, error);
    if (name == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status = remove_folder(name, error);
    free(name);
    return status;
}

enum cella_status cella_storage_make_new(const char *path, struct cella_disk_posix **ret_posix,
                                         struct cella_error *error) {
    char *name = new_name(path, error);
    if (name == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status = remove_folder(name, error);
    if (status == CELLA_OK)
        status = cella_disk_posix_open(name, CELLA_DISK_FOLDER_MAKE, ret_posix, error);
    free(name);
    return status;
}
