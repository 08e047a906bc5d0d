/* Where an instance's vault lies: finding the folder, or making one, before the instance starts; giving a new
 * one its name when it is ready. Must not: make anything anew where something is, or was. */
#include "base/error.h"
#include "host/instance_internal.h"
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void on_changed(void *context, enum cella_status status, const char *message) {
    struct cella_instance *instance = context;
    if (instance->events.storage != NULL)
        instance->events.storage(instance->events.context, status, message);
}

/* Only a folder that is not there at all is made. */
static enum cella_status open_or_make(struct cella_instance *instance, struct cella_error *error) {
    struct stat info;
    instance->vault_mode = instance->checks ? CELLA_VAULT_MODE_CHECK : CELLA_VAULT_MODE_OPEN;
    bool there = lstat(instance->vault_path, &info) == 0;
    if (!there && errno != ENOENT)
        return cella_fail(error, CELLA_STORAGE_IO, "cannot look at %.200s: %s", instance->vault_path,
                          strerror(errno));
    if (!there && !instance->checks)
        instance->vault_mode = CELLA_VAULT_MODE_CREATE;
    if (instance->vault_mode == CELLA_VAULT_MODE_CREATE)
        return cella_storage_make_new(instance->vault_path, &instance->vault_folder, error);
    return cella_disk_posix_open(instance->vault_path, CELLA_DISK_FOLDER_OPEN, &instance->vault_folder,
                                 error);
}

enum cella_status cella_instance_open_vault(struct cella_instance *instance, unsigned kind,
                                            struct cella_error *error) {
    if (kind == CELLA_VAULT_NONE)
        return instance->checks ? cella_fail(error, CELLA_NO_VAULT, "this image keeps no state") : CELLA_OK;
    if (instance->vault_path == NULL)
        return cella_fail(error, CELLA_VAULT_NEEDED,
                          "this image keeps its state in a vault, and no folder was named for it");
    enum cella_status status = open_or_make(instance, error);
    if (status != CELLA_OK)
        return status;
    struct cella_storage_options options = {.disk = cella_disk_posix_disk(instance->vault_folder),
                                            .read_only = instance->checks,
                                            .context = instance,
                                            .written = cella_instance_store_written,
                                            .changed = on_changed};
    status = cella_storage_open(&options, &instance->storage, error);
    if (status != CELLA_OK)
        return cella_fail_context(error, status, "the vault %.120s", instance->vault_path);
    return CELLA_OK;
}

enum cella_status cella_instance_settle_vault(struct cella_instance *instance, struct cella_error *error) {
    if (instance->vault_mode != CELLA_VAULT_MODE_CREATE)
        return CELLA_OK;
    return cella_disk_posix_move(instance->vault_folder, instance->vault_path, error);
}

void cella_instance_close_vault(struct cella_instance *instance) {
    cella_storage_close(instance->storage);
    cella_disk_posix_close(instance->vault_folder);
    free(instance->vault_path);
    instance->storage = NULL;
    instance->vault_folder = NULL;
    instance->vault_path = NULL;
}

void cella_instance_vault(struct cella_instance *instance, struct cella_instance_vault *ret_vault) {
    memset(ret_vault, 0, sizeof *ret_vault);
    if (instance->storage == NULL)
        return;
    ret_vault->version = __atomic_load_n(&instance->vault_version, __ATOMIC_RELAXED);
    ret_vault->snapshot_version = __atomic_load_n(&instance->vault_snapshot, __ATOMIC_RELAXED);
    ret_vault->evidence = __atomic_load_n(&instance->vault_evidence, __ATOMIC_RELAXED);
    cella_storage_count(instance->storage, &ret_vault->storage);
}
