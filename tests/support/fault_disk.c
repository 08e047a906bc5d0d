/* A disk in memory that fails, lies and forgets. Must not: lose a byte that was flushed and not lied about,
 * or be kinder than the worst that a real disk may do. */
#include "support/fault_disk.h"
#include "base/error.h"
#include "support/memory.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 4096, NAMES = 256, VERSIONS = 64, STRIKES = 4, RECENT = 16, SECTOR = 512 };

struct blob {
    uint8_t *data;
    size_t size, capacity;
};

/* A write that is not durable, or was one of the last. */
struct change {
    struct change *next;
    uint64_t offset;
    bool truncate; /* to `offset` */
    size_t size;
    uint8_t data[];
};

struct inode {
    struct blob cache;   /* what reads give */
    struct blob durable; /* what is safe */
    struct change *changes, **changes_end;
    struct change *recent[RECENT]; /* of this file, that are durable */
    unsigned recent_count;
};

struct name {
    char text[64];
    struct inode *inode;
};

struct folder {
    size_t count;
    struct name names[NAMES];
};

struct cella_disk_file {
    struct inode *inode;
    uint64_t life; /* of the disk when it was opened */
};

struct fault_disk {
    struct cella_disk disk;
    pthread_mutex_t lock;
    uint64_t random;
    unsigned crash;
    struct inode *inodes[FILES];
    size_t inode_count;
    struct folder cache;
    struct folder *versions[VERSIONS]; /* the folder after each change that is not durable; [0] is */
    size_t version_count;
    uint64_t points;
    struct {
        uint64_t point;
        enum fault_disk_fault fault;
    } strikes[STRIKES];
    enum fault_disk_fault fail_all;
    bool read_only, lying, off;
    uint64_t life;
};

static uint64_t next_random(struct fault_disk *disk) {
    disk->random += 0x9e3779b97f4a7c15u;
    uint64_t z = disk->random;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t choose(struct fault_disk *disk, uint64_t below) {
    return below == 0 ? 0 : next_random(disk) % below;
}

/* --- bytes --- */

static void blob_resize(struct blob *blob, size_t size) {
    if (size > blob->capacity) {
        size_t capacity = size * 2;
        blob->data = realloc(blob->data, capacity);
        CELLA_ASSERT(blob->data != NULL);
        blob->capacity = capacity;
    }
    if (size > blob->size)
        memset(blob->data + blob->size, 0, size - blob->size);
    blob->size = size;
}

static void blob_write(struct blob *blob, uint64_t offset, const uint8_t *data, size_t size) {
    if (offset + size > blob->size)
        blob_resize(blob, (size_t)offset + size);
    if (size > 0)
        memcpy(blob->data + offset, data, size);
}

static void blob_copy(struct blob *to, const struct blob *from) {
    blob_resize(to, from->size);
    if (from->size > 0)
        memcpy(to->data, from->data, from->size);
}

static struct inode *new_inode(struct fault_disk *disk) {
    CELLA_ASSERT(disk->inode_count < FILES);
    struct inode *inode = calloc(1, sizeof *inode);
    CELLA_ASSERT(inode != NULL);
    inode->changes_end = &inode->changes;
    disk->inodes[disk->inode_count++] = inode;
    return inode;
}

static void drop_changes(struct inode *inode) {
    while (inode->changes != NULL) {
        struct change *next = inode->changes->next;
        free(inode->changes);
        inode->changes = next;
    }
    inode->changes_end = &inode->changes;
}

static void log_change(struct inode *inode, bool truncate, uint64_t offset, struct cella_bytes bytes) {
    struct change *change = malloc(sizeof *change + bytes.size);
    CELLA_ASSERT(change != NULL);
    *change = (struct change){.offset = offset, .truncate = truncate, .size = bytes.size};
    if (bytes.size > 0)
        memcpy(change->data, bytes.data, bytes.size);
    *inode->changes_end = change;
    inode->changes_end = &change->next;
}

static void apply(struct blob *blob, const struct change *change) {
    if (change->truncate)
        blob_resize(blob, (size_t)change->offset);
    else
        blob_write(blob, change->offset, change->data, change->size);
}

static void remember(struct inode *inode, struct change *change) {
    struct change **place = &inode->recent[inode->recent_count++ % RECENT];
    free(*place);
    *place = change;
}

static void make_durable(struct inode *inode) {
    while (inode->changes != NULL) {
        struct change *change = inode->changes;
        inode->changes = change->next;
        apply(&inode->durable, change);
        remember(inode, change);
    }
    inode->changes_end = &inode->changes;
}

/* --- names --- */

static struct name *find(struct folder *folder, const char *text) {
    for (size_t i = 0; i < folder->count; i++)
        if (strcmp(folder->names[i].text, text) == 0)
            return &folder->names[i];
    return NULL;
}

static void add_name(struct folder *folder, const char *text, struct inode *inode) {
    CELLA_ASSERT(folder->count < NAMES && strlen(text) < sizeof folder->names[0].text);
    struct name *name = &folder->names[folder->count++];
    memset(name, 0, sizeof *name);
    memcpy(name->text, text, strlen(text));
    name->inode = inode;
}

static void drop_name(struct folder *folder, struct name *name) {
    *name = folder->names[--folder->count];
}

static struct folder *copy_folder(const struct folder *folder) {
    struct folder *copy = malloc(sizeof *copy);
    CELLA_ASSERT(copy != NULL);
    *copy = *folder;
    return copy;
}

/* The folder has changed and may be found so after a crash. */
static void folder_changed(struct fault_disk *disk) {
    if (disk->version_count == VERSIONS) {
        free(disk->versions[1]);
        memmove(&disk->versions[1], &disk->versions[2], (VERSIONS - 2) * sizeof disk->versions[0]);
        disk->version_count--;
    }
    disk->versions[disk->version_count++] = copy_folder(&disk->cache);
}

static void keep_version(struct fault_disk *disk, size_t which) {
    struct folder *kept = disk->versions[which];
    for (size_t i = 0; i < disk->version_count; i++)
        if (i != which)
            free(disk->versions[i]);
    disk->versions[0] = kept;
    disk->version_count = 1;
}

/* --- faults --- */

static enum fault_disk_fault strike(struct fault_disk *disk, bool writes) {
    disk->points++;
    enum fault_disk_fault fault = writes ? disk->fail_all : FAULT_NONE;
    for (size_t i = 0; i < STRIKES; i++)
        if (disk->strikes[i].point == disk->points)
            fault = disk->strikes[i].fault;
    return fault;
}

static enum cella_status io_error(struct cella_error *error, const char *what) {
    return cella_fail(error, CELLA_STORAGE_IO, "the disk failed to %s", what);
}

/* What comes before every operation that writes. CELLA_OK: it goes on, with `*ret_fault`. */
static enum cella_status begin(struct fault_disk *disk, const struct cella_disk_file *file, const char *what,
                               enum fault_disk_fault *ret_fault, struct cella_error *error) {
    if (disk->off || (file != NULL && file->life != disk->life))
        return io_error(error, "answer: the power is off");
    enum fault_disk_fault fault = strike(disk, true);
    if (fault == FAULT_CRASH)
        disk->off = true;
    if (fault == FAULT_CRASH || fault == FAULT_IO)
        return io_error(error, what);
    if (disk->read_only)
        return cella_fail(error, CELLA_STORAGE_READ_ONLY, "the disk is read-only");
    *ret_fault = fault;
    return CELLA_OK;
}

static enum cella_status end(struct fault_disk *disk, enum fault_disk_fault fault, const char *what,
                             struct cella_error *error) {
    if (fault != FAULT_CRASH_HALF && fault != FAULT_CRASH_DONE)
        return CELLA_OK;
    disk->off = true;
    return io_error(error, what);
}

static void keep_some_sectors(struct fault_disk *disk, struct blob *blob, const struct change *change) {
    for (size_t at = 0; at < change->size; at += SECTOR) {
        size_t size = change->size - at < SECTOR ? change->size - at : SECTOR;
        if (choose(disk, 2) == 0)
            blob_write(blob, change->offset + at, change->data + at, size);
    }
}

/* A write comes a second time only as long as nothing newer has the same place. */
static bool may_come_again(const struct inode *inode, unsigned age) {
    const struct change *change =
        age > inode->recent_count ? NULL : inode->recent[(inode->recent_count - age) % RECENT];
    if (change == NULL || change->truncate)
        return false;
    for (unsigned newer = 1; newer < age; newer++) {
        const struct change *other = inode->recent[(inode->recent_count - newer) % RECENT];
        if (other->truncate ||
            (other->offset < change->offset + change->size && change->offset < other->offset + other->size))
            return false;
    }
    return true;
}

static void crash_file(struct fault_disk *disk, struct inode *inode) {
    struct change *list[256];
    size_t count = 0;
    for (struct change *change = inode->changes; change != NULL && count < 256; change = change->next)
        list[count++] = change;
    if ((disk->crash & FAULT_REORDER) != 0)
        for (size_t i = count; i > 1; i--) {
            size_t other = (size_t)choose(disk, i);
            struct change *swapped = list[i - 1];
            list[i - 1] = list[other];
            list[other] = swapped;
        }
    size_t kept = (disk->crash & FAULT_KEEP) != 0 ? (size_t)choose(disk, count + 1) : 0;
    for (size_t i = 0; i < count; i++) {
        if (i < kept)
            apply(&inode->durable, list[i]);
        else if ((disk->crash & FAULT_TEAR) != 0 && !list[i]->truncate)
            keep_some_sectors(disk, &inode->durable, list[i]);
    }
    for (unsigned age = 1; age <= RECENT && (disk->crash & FAULT_DUPLICATE) != 0; age++)
        if (may_come_again(inode, age) && choose(disk, 4) == 0)
            apply(&inode->durable, inode->recent[(inode->recent_count - age) % RECENT]);
    drop_changes(inode);
    blob_copy(&inode->cache, &inode->durable);
}

/* --- the operations --- */

static enum cella_status disk_open(void *context, const char *text, enum cella_disk_open how,
                                   struct cella_disk_file **ret_file, struct cella_error *error) {
    struct fault_disk *disk = context;
    enum cella_status status = CELLA_OK;
    struct inode *inode = NULL;
    pthread_mutex_lock(&disk->lock);
    struct name *name = find(&disk->cache, text);
    if (how == CELLA_DISK_CREATE && !disk->off) {
        enum fault_disk_fault fault = FAULT_NONE;
        status = begin(disk, NULL, "create a file", &fault, error);
        if (status == CELLA_OK && fault == FAULT_FULL)
            status = cella_fail(error, CELLA_STORAGE_FULL, "the disk is full");
        if (status == CELLA_OK && name != NULL)
            status = cella_fail(error, CELLA_EXISTS, "%s exists", text);
        if (status == CELLA_OK) {
            inode = new_inode(disk);
            add_name(&disk->cache, text, inode);
            folder_changed(disk);
            status = end(disk, fault, "create a file", error);
        }
    } else if (disk->off) {
        status = io_error(error, "open: the power is off");
    } else if (name == NULL) {
        status = cella_fail(error, CELLA_NOT_FOUND, "%s is not there", text);
    } else {
        inode = name->inode;
    }
    if (status == CELLA_OK) {
        struct cella_disk_file *file = malloc(sizeof *file);
        CELLA_ASSERT(file != NULL);
        *file = (struct cella_disk_file){.inode = inode, .life = disk->life};
        *ret_file = file;
    }
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static void disk_close(void *context, struct cella_disk_file *file) {
    free(file);
}

static enum cella_status disk_size(void *context, struct cella_disk_file *file, uint64_t *ret_size,
                                   struct cella_error *error) {
    struct fault_disk *disk = context;
    pthread_mutex_lock(&disk->lock);
    *ret_size = file->inode->cache.size;
    pthread_mutex_unlock(&disk->lock);
    return CELLA_OK;
}

static enum cella_status disk_read(void *context, struct cella_disk_file *file, uint64_t offset,
                                   struct cella_disk_span *span, struct cella_error *error) {
    struct fault_disk *disk = context;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = CELLA_OK;
    if (disk->off || file->life != disk->life)
        status = io_error(error, "read: the power is off");
    enum fault_disk_fault fault = status == CELLA_OK ? strike(disk, false) : FAULT_NONE;
    if (fault == FAULT_CRASH || fault == FAULT_CRASH_HALF || fault == FAULT_CRASH_DONE)
        disk->off = true;
    if (disk->off || fault == FAULT_IO)
        status = io_error(error, "read");
    if (status == CELLA_OK) {
        size_t all = file->inode->cache.size;
        size_t there = offset >= all ? 0 : all - (size_t)offset;
        size_t count = there < span->size ? there : span->size;
        if (fault == FAULT_SHORT)
            count = (size_t)choose(disk, count);
        if (count > 0)
            memcpy(span->out, file->inode->cache.data + offset, count);
        span->got = count;
    }
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status write_locked(struct fault_disk *disk, struct cella_disk_file *file, uint64_t offset,
                                      struct cella_bytes bytes, bool durable, struct cella_error *error) {
    struct inode *inode = file->inode;
    enum fault_disk_fault fault = FAULT_NONE;
    enum cella_status status = begin(disk, file, "write", &fault, error);
    if (status != CELLA_OK)
        return status;
    bool grows = offset + bytes.size > inode->cache.size;
    bool full = fault == FAULT_FULL && grows;
    if (full || fault == FAULT_CRASH_HALF)
        bytes.size = (size_t)choose(disk, bytes.size / SECTOR + 1) * SECTOR;
    blob_write(&inode->cache, offset, bytes.data, bytes.size);
    struct change *before = inode->changes;
    log_change(inode, false, offset, bytes);
    if (full)
        return cella_fail(error, CELLA_STORAGE_FULL, "the disk is full");
    status = end(disk, fault, "write", error);
    bool lies = fault == FAULT_LIE || disk->lying;
    if (durable && !lies && fault != FAULT_CRASH_HALF) {
        /* This write alone is durable; what came before it stays where it is. */
        struct change **place = &inode->changes;
        while ((*place)->next != NULL)
            place = &(*place)->next;
        struct change *own = *place;
        *place = NULL;
        inode->changes_end = before == NULL ? &inode->changes : place;
        apply(&inode->durable, own);
        remember(inode, own);
    }
    return status;
}

static enum cella_status disk_write(void *context, struct cella_disk_file *file, uint64_t offset,
                                    struct cella_bytes bytes, bool durable, struct cella_error *error) {
    struct fault_disk *disk = context;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = write_locked(disk, file, offset, bytes, durable, error);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status disk_flush(void *context, struct cella_disk_file *file, struct cella_error *error) {
    struct fault_disk *disk = context;
    enum fault_disk_fault fault = FAULT_NONE;
    pthread_mutex_lock(&disk->lock);
    bool power = !disk->off;
    enum cella_status status = begin(disk, file, "flush", &fault, error);
    /* As kernels do: what could not be written back is taken for clean from then on. */
    if (status != CELLA_OK && power && !disk->off)
        drop_changes(file->inode);
    bool grows = file->inode->changes != NULL && file->inode->cache.size > file->inode->durable.size;
    if (status == CELLA_OK && fault == FAULT_FULL && grows) {
        drop_changes(file->inode);
        status = cella_fail(error, CELLA_STORAGE_FULL, "the disk is full");
    }
    if (status == CELLA_OK && fault != FAULT_LIE && !disk->lying && fault != FAULT_CRASH_HALF)
        make_durable(file->inode);
    if (status == CELLA_OK)
        status = end(disk, fault, "flush", error);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status disk_truncate(void *context, struct cella_disk_file *file, uint64_t size,
                                       struct cella_error *error) {
    struct fault_disk *disk = context;
    enum fault_disk_fault fault = FAULT_NONE;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = begin(disk, file, "shorten a file", &fault, error);
    if (status == CELLA_OK) {
        blob_resize(&file->inode->cache, (size_t)size);
        log_change(file->inode, true, size, CELLA_BYTES(NULL, 0));
        status = end(disk, fault, "shorten a file", error);
    }
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status disk_rename(void *context, const char *from, const char *to,
                                     struct cella_error *error) {
    struct fault_disk *disk = context;
    enum fault_disk_fault fault = FAULT_NONE;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = begin(disk, NULL, "rename a file", &fault, error);
    struct name *name = find(&disk->cache, from);
    if (status == CELLA_OK && find(&disk->cache, to) != NULL)
        status = cella_fail(error, CELLA_EXISTS, "%s exists", to);
    else if (status == CELLA_OK && name == NULL)
        status = cella_fail(error, CELLA_NOT_FOUND, "%s is not there", from);
    if (status == CELLA_OK) {
        struct inode *inode = name->inode;
        drop_name(&disk->cache, name);
        add_name(&disk->cache, to, inode);
        folder_changed(disk);
        status = end(disk, fault, "rename a file", error);
    }
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status disk_remove(void *context, const char *text, struct cella_error *error) {
    struct fault_disk *disk = context;
    enum fault_disk_fault fault = FAULT_NONE;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = begin(disk, NULL, "remove a file", &fault, error);
    struct name *name = find(&disk->cache, text);
    if (status == CELLA_OK && name == NULL)
        status = cella_fail(error, CELLA_NOT_FOUND, "%s is not there", text);
    if (status == CELLA_OK) {
        drop_name(&disk->cache, name);
        folder_changed(disk);
        status = end(disk, fault, "remove a file", error);
    }
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status disk_flush_folder(void *context, struct cella_error *error) {
    struct fault_disk *disk = context;
    enum fault_disk_fault fault = FAULT_NONE;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = begin(disk, NULL, "flush the folder", &fault, error);
    if (status == CELLA_OK && fault != FAULT_LIE && !disk->lying && fault != FAULT_CRASH_HALF)
        keep_version(disk, disk->version_count - 1);
    if (status == CELLA_OK)
        status = end(disk, fault, "flush the folder", error);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static enum cella_status disk_list(void *context,
                                   void (*visit)(void *visitor, const char *name, uint64_t size),
                                   void *visitor, struct cella_error *error) {
    struct fault_disk *disk = context;
    pthread_mutex_lock(&disk->lock);
    enum cella_status status = disk->off ? io_error(error, "list: the power is off") : CELLA_OK;
    for (size_t i = 0; i < disk->cache.count && status == CELLA_OK; i++)
        visit(visitor, disk->cache.names[i].text, disk->cache.names[i].inode->cache.size);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

/* --- for the test --- */

struct fault_disk *fault_disk_new(uint64_t seed, unsigned crash) {
    struct fault_disk *disk = calloc(1, sizeof *disk);
    CELLA_ASSERT(disk != NULL);
    disk->disk = (struct cella_disk){.context = disk,
                                     .open = disk_open,
                                     .close = disk_close,
                                     .size = disk_size,
                                     .read = disk_read,
                                     .write = disk_write,
                                     .flush = disk_flush,
                                     .truncate = disk_truncate,
                                     .rename = disk_rename,
                                     .remove = disk_remove,
                                     .flush_folder = disk_flush_folder,
                                     .list = disk_list};
    pthread_mutex_init(&disk->lock, NULL);
    disk->random = seed;
    disk->crash = crash;
    folder_changed(disk);
    return disk;
}

void fault_disk_free(struct fault_disk *disk) {
    if (disk == NULL)
        return;
    for (size_t i = 0; i < disk->inode_count; i++) {
        drop_changes(disk->inodes[i]);
        for (size_t recent = 0; recent < RECENT; recent++)
            free(disk->inodes[i]->recent[recent]);
        free(disk->inodes[i]->cache.data);
        free(disk->inodes[i]->durable.data);
        free(disk->inodes[i]);
    }
    for (size_t i = 0; i < disk->version_count; i++)
        free(disk->versions[i]);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

const struct cella_disk *fault_disk_disk(struct fault_disk *disk) {
    return &disk->disk;
}

struct fault_disk *fault_disk_copy(struct fault_disk *disk, uint64_t seed) {
    struct fault_disk *copy = fault_disk_new(seed, disk->crash);
    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0; i < disk->cache.count; i++) {
        struct inode *inode = new_inode(copy);
        struct inode *from = disk->cache.names[i].inode;
        blob_copy(&inode->cache, &from->cache);
        blob_copy(&inode->durable, &from->durable);
        for (const struct change *change = from->changes; change != NULL; change = change->next)
            log_change(inode, change->truncate, change->offset, CELLA_BYTES(change->data, change->size));
        add_name(&copy->cache, disk->cache.names[i].text, inode);
    }
    pthread_mutex_unlock(&disk->lock);
    folder_changed(copy);
    keep_version(copy, copy->version_count - 1);
    return copy;
}

uint64_t fault_disk_points(struct fault_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    uint64_t points = disk->points;
    pthread_mutex_unlock(&disk->lock);
    return points;
}

void fault_disk_strike(struct fault_disk *disk, uint64_t point, enum fault_disk_fault fault) {
    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0, done = 0; i < STRIKES; i++) {
        if (point == 0)
            disk->strikes[i].point = 0;
        else if (disk->strikes[i].point <= disk->points && done++ == 0) {
            disk->strikes[i].point = point;
            disk->strikes[i].fault = fault;
        }
    }
    pthread_mutex_unlock(&disk->lock);
}

void fault_disk_fail_all(struct fault_disk *disk, enum fault_disk_fault fault) {
    pthread_mutex_lock(&disk->lock);
    disk->fail_all = fault;
    pthread_mutex_unlock(&disk->lock);
}

void fault_disk_set_read_only(struct fault_disk *disk, bool read_only) {
    pthread_mutex_lock(&disk->lock);
    disk->read_only = read_only;
    pthread_mutex_unlock(&disk->lock);
}

void fault_disk_set_lying(struct fault_disk *disk, bool lying) {
    pthread_mutex_lock(&disk->lock);
    disk->lying = lying;
    pthread_mutex_unlock(&disk->lock);
}

void fault_disk_crash(struct fault_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    disk->off = true;
    pthread_mutex_unlock(&disk->lock);
}

bool fault_disk_crashed(struct fault_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    bool off = disk->off;
    pthread_mutex_unlock(&disk->lock);
    return off;
}

void fault_disk_restart(struct fault_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0; i < disk->inode_count; i++)
        crash_file(disk, disk->inodes[i]);
    /* File systems keep the order of changes to names, and lose the last ones. */
    size_t kept = disk->crash == 0 ? 0 : (size_t)choose(disk, disk->version_count);
    keep_version(disk, kept);
    disk->cache = *disk->versions[0];
    memset(disk->strikes, 0, sizeof disk->strikes);
    disk->off = false;
    disk->life++;
    pthread_mutex_unlock(&disk->lock);
}

struct cella_bytes fault_disk_get(struct fault_disk *disk, const char *text) {
    struct cella_bytes bytes = CELLA_BYTES(NULL, 0);
    pthread_mutex_lock(&disk->lock);
    struct name *name = find(&disk->cache, text);
    if (name != NULL) {
        size_t size = name->inode->cache.size;
        uint8_t *data = test_allocate(size + 1);
        if (size > 0)
            memcpy(data, name->inode->cache.data, size);
        bytes = CELLA_BYTES(data, size);
    }
    pthread_mutex_unlock(&disk->lock);
    return bytes;
}

void fault_disk_drop(struct fault_disk *disk, const char *text) {
    pthread_mutex_lock(&disk->lock);
    struct name *name = find(&disk->cache, text);
    if (name != NULL) {
        drop_name(&disk->cache, name);
        folder_changed(disk);
        keep_version(disk, disk->version_count - 1);
    }
    pthread_mutex_unlock(&disk->lock);
}

void fault_disk_put(struct fault_disk *disk, const char *text, struct cella_bytes bytes) {
    fault_disk_drop(disk, text);
    pthread_mutex_lock(&disk->lock);
    struct inode *inode = new_inode(disk);
    blob_write(&inode->cache, 0, bytes.data, bytes.size);
    blob_write(&inode->durable, 0, bytes.data, bytes.size);
    add_name(&disk->cache, text, inode);
    folder_changed(disk);
    keep_version(disk, disk->version_count - 1);
    pthread_mutex_unlock(&disk->lock);
}

static int by_text(const void *first, const void *second) {
    return strcmp(first, second);
}

size_t fault_disk_names(struct fault_disk *disk, char names[][64], size_t limit) {
    pthread_mutex_lock(&disk->lock);
    size_t count = disk->cache.count;
    for (size_t i = 0; i < count && i < limit; i++)
        memcpy(names[i], disk->cache.names[i].text, 64);
    pthread_mutex_unlock(&disk->lock);
    qsort(names, count < limit ? count : limit, 64, by_text);
    return count;
}
