/* Disk and machine in memory. */
#include "vault_world.h"
#include "crypto/hkdf.h"
#include <stdlib.h>
#include <string.h>

void world_disk_free(struct world_disk *disk) {
    for (size_t i = 0; i < disk->count; i++)
        free(disk->files[i].bytes);
    free(disk->files);
    *disk = (struct world_disk){0};
}

static bool before(const struct cella_store_file *left, const struct cella_store_file *right) {
    return left->kind < right->kind || (left->kind == right->kind && left->number < right->number);
}

struct world_file *world_find(struct world_disk *disk, enum cella_store_kind kind, uint64_t number) {
    for (size_t i = 0; i < disk->count; i++)
        if (disk->files[i].file.kind == kind && disk->files[i].file.number == number)
            return &disk->files[i];
    return NULL;
}

struct world_file *world_newest(struct world_disk *disk, enum cella_store_kind kind) {
    struct world_file *newest = NULL;
    for (size_t i = 0; i < disk->count; i++)
        if (disk->files[i].file.kind == kind)
            newest = &disk->files[i];
    return newest;
}

static struct world_file *find_or_add(struct world_disk *disk, struct cella_store_file file) {
    struct world_file *found = world_find(disk, file.kind, file.number);
    if (found != NULL)
        return found;
    disk->files = realloc(disk->files, (disk->count + 1) * sizeof *disk->files);
    assert_non_null(disk->files);
    size_t at = disk->count++;
    for (; at > 0 && before(&file, &disk->files[at - 1].file); at--)
        disk->files[at] = disk->files[at - 1];
    disk->files[at] = (struct world_file){.file = file};
    return &disk->files[at];
}

static void write_bytes(struct world_file *file, uint64_t offset, struct cella_bytes bytes) {
    size_t end = (size_t)offset + bytes.size;
    if (end > file->size) {
        file->bytes = realloc(file->bytes, end);
        assert_non_null(file->bytes);
        memset(file->bytes + file->size, 0, end - file->size);
        file->size = end;
    }
    if (bytes.size > 0)
        memcpy(file->bytes + offset, bytes.data, bytes.size);
}

void world_put_file(struct world_disk *disk, enum cella_store_kind kind, uint64_t number,
                    struct cella_bytes bytes) {
    world_remove_file(disk, kind, number);
    struct world_file *file = find_or_add(disk, (struct cella_store_file){.kind = kind, .number = number});
    file->finished = true;
    write_bytes(file, 0, bytes);
}

void world_take_file(struct world_disk *to, const struct world_disk *from, enum cella_store_kind kind,
                     uint64_t number, uint64_t new_number) {
    struct world_disk source = *from;
    struct world_file *file = world_find(&source, kind, number);
    assert_non_null(file);
    world_put_file(to, kind, new_number, CELLA_BYTES(file->bytes, file->size));
}

void world_remove_file(struct world_disk *disk, enum cella_store_kind kind, uint64_t number) {
    struct world_file *file = world_find(disk, kind, number);
    if (file == NULL)
        return;
    free(file->bytes);
    size_t at = (size_t)(file - disk->files);
    memmove(file, file + 1, (disk->count - at - 1) * sizeof *file);
    disk->count--;
}

void world_cut_file(struct world_file *file, size_t size) {
    assert_true(size <= file->size);
    file->size = size;
}

void world_disk_copy(struct world_disk *to, const struct world_disk *from) {
    *to = (struct world_disk){.keeps = from->keeps};
    for (size_t i = 0; i < from->count; i++) {
        struct world_file *file = find_or_add(to, from->files[i].file);
        file->finished = from->files[i].finished;
        write_bytes(file, 0, CELLA_BYTES(from->files[i].bytes, from->files[i].size));
    }
}

static enum cella_status disk_list(void *context,
                                   void (*visit)(void *visitor, const struct cella_store_entry *entry),
                                   void *visitor, struct cella_error *error) {
    const struct world_instance *instance = context;
    for (size_t i = 0; i < instance->disk->count; i++) {
        const struct world_file *file = &instance->disk->files[i];
        struct cella_store_entry entry = {.file = file->file, .size = file->size};
        if (file->finished)
            visit(visitor, &entry);
    }
    return CELLA_OK;
}

static enum cella_status disk_read(void *context, struct cella_store_file name, uint64_t offset, uint8_t *out,
                                   size_t size, size_t *ret_size) {
    struct world_instance *instance = context;
    struct world_disk *disk = instance->disk;
    if (instance->swap_after > 0 && ++instance->reads > instance->swap_after)
        disk = instance->swap;
    const struct world_file *file = world_find(disk, name.kind, name.number);
    if (file == NULL)
        return CELLA_NOT_FOUND;
    size_t left = offset < file->size ? file->size - (size_t)offset : 0;
    if (size > left)
        size = left;
    if (size > 0)
        memcpy(out, file->bytes + offset, size);
    *ret_size = size;
    return CELLA_OK;
}

static enum cella_status disk_write_now(void *context, const struct cella_store_write *write,
                                        struct cella_error *error) {
    const struct world_instance *instance = context;
    bool named = write->file.kind == CELLA_STORE_GENESIS || write->file.kind == CELLA_STORE_SNAPSHOT ||
                 write->file.kind == CELLA_STORE_EVIDENCE;
    struct world_file *file = find_or_add(instance->disk, write->file);
    uint64_t offset = write->offset;
    for (size_t i = 0; i < write->part_count; offset += write->parts[i++].size)
        write_bytes(file, offset, write->parts[i]);
    file->finished = file->finished || !named || (write->flags & CELLA_STORE_FINISH) != 0;
    return CELLA_OK;
}

static void disk_write(void *context, uint64_t id, const struct cella_store_write *write) {
    struct world_instance *instance = context;
    assert_status(disk_write_now(context, write, NULL), CELLA_OK);
    if (id == 0)
        return;
    assert_true(instance->told_count < sizeof instance->told / sizeof *instance->told);
    instance->told[instance->told_count++] = id;
}

static void disk_remove(void *context, struct cella_store_file name) {
    struct world_disk *disk = ((struct world_instance *)context)->disk;
    for (size_t i = disk->keeps ? 0 : disk->count; i-- > 0;) {
        struct cella_store_file file = disk->files[i].file;
        bool gone = file.kind == CELLA_STORE_SEGMENT    ? file.number <= name.number
                    : file.kind == CELLA_STORE_SNAPSHOT ? file.number < name.number
                                                        : file.number == name.number;
        if (file.kind == name.kind && gone)
            world_remove_file(disk, file.kind, file.number);
    }
}

void world_machine_init(struct world_machine *machine, uint8_t name) {
    *machine = (struct world_machine){.register_count = 0};
    memset(machine->secret, name, sizeof machine->secret);
}

static enum cella_status machine_key_open(void *context, struct cella_bytes info, uint8_t *ret_key,
                                          bool *ret_outdated, struct cella_error *error) {
    const struct world_instance *instance = context;
    *ret_outdated = false;
    if (info.size != 16)
        return CELLA_DAMAGED;
    return cella_hkdf(info, CELLA_BYTES(instance->machine->secret, sizeof instance->machine->secret),
                      CELLA_BYTES("test machine", 12), ret_key, CELLA_ROOT_KEY_SIZE);
}

/* The same key each time: the worst that a source may do. */
static enum cella_status machine_key_make(void *context, struct cella_key_info *ret_info, uint8_t *ret_key,
                                          struct cella_error *error) {
    bool outdated;
    ret_info->size = 16;
    memset(ret_info->data, 'i', ret_info->size);
    return machine_key_open(context, CELLA_BYTES(ret_info->data, ret_info->size), ret_key, &outdated, error);
}

static struct world_register *find_register(void *context, const uint8_t *vault_id) {
    struct world_machine *machine = ((struct world_instance *)context)->machine;
    for (unsigned i = 0; i < machine->register_count; i++)
        if (memcmp(machine->registers[i].vault_id, vault_id, CELLA_VAULT_ID_SIZE) == 0)
            return &machine->registers[i];
    return NULL;
}

static enum cella_status register_create(void *context, const uint8_t *vault_id, struct cella_error *error) {
    struct world_machine *machine = ((struct world_instance *)context)->machine;
    assert_true(machine->register_count < WORLD_REGISTERS && find_register(context, vault_id) == NULL);
    struct world_register *made = &machine->registers[machine->register_count++];
    *made = (struct world_register){.epoch = 0};
    memcpy(made->vault_id, vault_id, CELLA_VAULT_ID_SIZE);
    return CELLA_OK;
}

static enum cella_status register_read(void *context, const uint8_t *vault_id, uint64_t *ret_epoch,
                                       uint8_t *ret_mark, struct cella_error *error) {
    const struct world_register *held = find_register(context, vault_id);
    if (held == NULL)
        return CELLA_NO_COUNTER;
    *ret_epoch = held->epoch;
    memcpy(ret_mark, held->mark, sizeof held->mark);
    return CELLA_OK;
}

static enum cella_status register_acquire(void *context, const uint8_t *vault_id, uint64_t epoch,
                                          const uint8_t *mark, struct cella_error *error) {
    struct world_register *held = find_register(context, vault_id);
    if (held == NULL)
        return CELLA_NO_COUNTER;
    if (((struct world_instance *)context)->machine->fails)
        return CELLA_IO;
    if (held->epoch + 1 != epoch)
        return CELLA_FENCED;
    held->epoch = epoch;
    memcpy(held->mark, mark, sizeof held->mark);
    return CELLA_OK;
}

static enum cella_status register_advance(void *context, const uint8_t *vault_id,
                                          const struct cella_head *head, struct cella_error *error) {
    const struct world_register *held = find_register(context, vault_id);
    return held != NULL && held->epoch == head->epoch ? CELLA_OK : CELLA_FENCED;
}

static void on_lost(void *context, enum cella_status status, const char *message) {
    struct world_instance *instance = context;
    assert_status(instance->lost, CELLA_OK);
    instance->lost = status;
}

void world_prepare(struct world_instance *instance, struct world_disk *disk, struct world_machine *machine) {
    *instance = (struct world_instance){.disk = disk, .machine = machine};
    instance->store = (struct cella_store){.context = instance,
                                           .list = disk_list,
                                           .read = disk_read,
                                           .write_now = disk_write_now,
                                           .write = disk_write,
                                           .remove = disk_remove};
    instance->keys = (struct cella_key_source){
        .context = instance, .name = "test machine", .make = machine_key_make, .open = machine_key_open};
    instance->freshness = (struct cella_freshness_source){.context = instance,
                                                          .name = "test machine",
                                                          .create = register_create,
                                                          .read = register_read,
                                                          .acquire = register_acquire,
                                                          .advance = register_advance};
    instance->options = (struct cella_vault_options){.store = &instance->store,
                                                     .keys = &instance->keys,
                                                     .freshness = &instance->freshness,
                                                     .lost = on_lost,
                                                     .lost_context = instance};
}
