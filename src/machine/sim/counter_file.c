/* The file of counters. A value is shown to those who map the file only after its proof is durable, so
 * whatever anyone has read outlives a power cut. Must not start again from zero because something is missing.
 */
#include "machine/sim/counter_file.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "machine/sim/sim.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNTERS       "counters"
#define COUNTERS_NEW   "counters.new"
#define MAGIC_SIZE     8
#define FILE_MAGIC     "CELLACTS"
#define SLOT_MAGIC     "CELLACTR"
#define FORMAT_VERSION 1
#define PAGE           4096
#define RENEWALS       16 /* of the file while we wait for its lock: more is no accident */

_Static_assert(PAGE % CELLA_SIM_SLOT_SIZE == 0, "a slot lies in one page");

static enum cella_status failure(struct cella_error *error, const char *what, const char *path) {
    return cella_fail(error, errno == EACCES || errno == EPERM ? CELLA_PERMISSION : CELLA_IO,
                      "cannot %s %s: %s", what, path, strerror(errno));
}

static off_t slot_offset(uint32_t index) {
    return (off_t)index * CELLA_SIM_SLOT_SIZE;
}

static void encode_header(uint8_t out[CELLA_SIM_SLOT_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_SIM_SLOT_SIZE);
    cella_write_bytes(&writer, FILE_MAGIC, MAGIC_SIZE);
    cella_write_u32(&writer, FORMAT_VERSION);
    cella_write_u32(&writer, CELLA_SIM_SLOTS);
    cella_write_zeros(&writer, CELLA_SIM_SLOT_SIZE - writer.size);
    CELLA_ASSERT(!writer.failed);
}

static void write_entry(struct cella_writer *writer, const struct cella_sim_entry *entry) {
    cella_write_u64(writer, entry->value);
    cella_write_bytes(writer, entry->mark, sizeof entry->mark);
    cella_write_bytes(writer, entry->check, sizeof entry->check);
}

static void encode_slot(const struct cella_sim_slot *slot, uint8_t out[CELLA_SIM_SLOT_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_SIM_SLOT_SIZE);
    cella_write_bytes(&writer, SLOT_MAGIC, MAGIC_SIZE);
    cella_write_u64(&writer, slot->value);
    cella_write_bytes(&writer, slot->id, sizeof slot->id);
    cella_write_bytes(&writer, slot->owner, sizeof slot->owner);
    for (size_t i = 0; i < 2; i++)
        write_entry(&writer, &slot->entries[i]);
    cella_write_zeros(&writer, CELLA_SIM_SLOT_SIZE - writer.size);
    CELLA_ASSERT(!writer.failed);
}

static bool decode_slot(const uint8_t *bytes, struct cella_sim_slot *ret_slot) {
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(bytes, CELLA_SIM_SLOT_SIZE));
    const uint8_t *magic = cella_read_view(&reader, MAGIC_SIZE);
    ret_slot->value = cella_read_u64(&reader);
    cella_read_copy(&reader, ret_slot->id, sizeof ret_slot->id);
    cella_read_copy(&reader, ret_slot->owner, sizeof ret_slot->owner);
    for (size_t i = 0; i < 2; i++) {
        ret_slot->entries[i].value = cella_read_u64(&reader);
        cella_read_copy(&reader, ret_slot->entries[i].mark, CELLA_SIM_MARK_SIZE);
        cella_read_copy(&reader, ret_slot->entries[i].check, CELLA_SIM_CHECK_SIZE);
    }
    cella_read_zeros(&reader, cella_reader_left(&reader));
    return cella_reader_done(&reader) && memcmp(magic, SLOT_MAGIC, MAGIC_SIZE) == 0;
}

/* Opens the file as it is in the folder. */
static enum cella_status open_file(const char *folder, int flags, struct cella_sim_counters *counters,
                                   struct stat *ret_info, struct cella_error *error) {
    enum cella_status status = cella_sim_path(folder, COUNTERS, counters->path, error);
    if (status != CELLA_OK)
        return status;
    counters->fd = open(counters->path, flags | O_CLOEXEC | O_NOFOLLOW);
    if (counters->fd < 0 && errno == ENOENT)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "the file %s is missing", counters->path);
    if (counters->fd < 0)
        return failure(error, "open", counters->path);
    if (fstat(counters->fd, ret_info) != 0)
        status = failure(error, "look at", counters->path);
    else if ((ret_info->st_mode & 077) != 0)
        status = cella_fail(error, CELLA_PERMISSION, "others may read or write %s: give it mode 0600",
                            counters->path);
    else if (!S_ISREG(ret_info->st_mode) || (size_t)ret_info->st_size != CELLA_SIM_COUNTERS_SIZE)
        status = cella_fail(error, CELLA_MACHINE_DAMAGED, "the file %s has a wrong size", counters->path);
    if (status != CELLA_OK)
        cella_sim_counters_unlock(counters);
    return status;
}

static enum cella_status check_header(const struct cella_sim_counters *counters, struct cella_error *error) {
    uint8_t found[CELLA_SIM_SLOT_SIZE], expected[CELLA_SIM_SLOT_SIZE];
    encode_header(expected);
    if (pread(counters->fd, found, sizeof found, 0) != (ssize_t)sizeof found)
        return failure(error, "read", counters->path);
    if (memcmp(found, expected, sizeof found) != 0)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "the file %s was changed", counters->path);
    return CELLA_OK;
}

void cella_sim_counters_unlock(struct cella_sim_counters *counters) {
    if (counters->fd >= 0)
        close(counters->fd);
    counters->fd = -1;
}

enum cella_status cella_sim_counters_lock(const char *folder, struct cella_sim_counters *ret_counters,
                                          struct cella_error *error) {
    struct stat locked, now;
    for (unsigned i = 0; i < RENEWALS; i++) {
        enum cella_status status = open_file(folder, O_RDWR, ret_counters, &locked, error);
        if (status != CELLA_OK)
            return status;
        int code;
        do
            code = flock(ret_counters->fd, LOCK_EX);
        while (code != 0 && errno == EINTR);
        if (code != 0) {
            status = failure(error, "lock", ret_counters->path);
            cella_sim_counters_unlock(ret_counters);
            return status;
        }
        /* Another CPU may have moved in while we waited. */
        if (stat(ret_counters->path, &now) == 0 && now.st_ino == locked.st_ino &&
            now.st_dev == locked.st_dev) {
            status = check_header(ret_counters, error);
            if (status != CELLA_OK)
                cella_sim_counters_unlock(ret_counters);
            return status;
        }
        cella_sim_counters_unlock(ret_counters);
    }
    return cella_fail(error, CELLA_IO, "%s is being replaced all the time", ret_counters->path);
}

/* Looks at one slot for the caller's walk. False: it is neither free nor a counter. */
static bool visit(const uint8_t *bytes, uint32_t index, const uint8_t *id, const uint8_t *owner,
                  struct cella_sim_find *find, struct cella_sim_slot *ret_slot) {
    static const uint8_t nothing[CELLA_SIM_SLOT_SIZE];
    struct cella_sim_slot slot;
    /* Without its magic a slot is free: the rest may be what an interrupted creation left. */
    if (memcmp(bytes, nothing, MAGIC_SIZE) == 0) {
        find->free = index;
        return true;
    }
    if (!decode_slot(bytes, &slot))
        return false;
    find->used++;
    if (owner != NULL && memcmp(slot.owner, owner, CELLA_SIM_OWNER_SIZE) == 0)
        find->owned++;
    if (id != NULL && find->index == 0 && memcmp(slot.id, id, CELLA_SIM_ID_SIZE) == 0) {
        find->index = index;
        *ret_slot = slot;
    }
    return true;
}

enum cella_status cella_sim_counters_find(const struct cella_sim_counters *counters, const uint8_t *id,
                                          const uint8_t *owner, struct cella_sim_find *ret_find,
                                          struct cella_sim_slot *ret_slot, struct cella_error *error) {
    uint8_t chunk[4 * PAGE];
    const uint32_t per_chunk = sizeof chunk / CELLA_SIM_SLOT_SIZE;
    struct cella_sim_find find = {0};
    /* Slots are taken in order and never given back, so the first free one is the end. */
    for (uint32_t first = 0; first < CELLA_SIM_SLOTS && find.free == 0; first += per_chunk) {
        if (pread(counters->fd, chunk, sizeof chunk, slot_offset(first)) != (ssize_t)sizeof chunk)
            return failure(error, "read", counters->path);
        for (uint32_t i = first == 0 ? 1 : 0; i < per_chunk && find.free == 0; i++)
            if (!visit(chunk + (size_t)i * CELLA_SIM_SLOT_SIZE, first + i, id, owner, &find, ret_slot))
                return cella_fail(error, CELLA_MACHINE_DAMAGED, "slot %u of %s was changed", first + i,
                                  counters->path);
    }
    *ret_find = find;
    return CELLA_OK;
}

static enum cella_status write_durably(const struct cella_sim_counters *counters, const void *bytes,
                                       size_t size, off_t offset, struct cella_error *error) {
    errno = EIO;
    if (pwrite(counters->fd, bytes, size, offset) != (ssize_t)size)
        return failure(error, "write", counters->path);
    if (fdatasync(counters->fd) != 0)
        return failure(error, "flush", counters->path);
    return CELLA_OK;
}

/* One store, as those who map the file need it. */
static enum cella_status show(const struct cella_sim_counters *counters, uint32_t index, uint64_t value,
                              struct cella_error *error) {
    off_t at = slot_offset(index) + CELLA_SIM_SLOT_VALUE;
    uint8_t *page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, counters->fd, at & ~(off_t)(PAGE - 1));
    if (page == MAP_FAILED)
        return failure(error, "map", counters->path);
    __atomic_store_n((uint64_t *)(void *)(page + (at & (PAGE - 1))), value, __ATOMIC_SEQ_CST);
    munmap(page, PAGE);
    return CELLA_OK;
}

enum cella_status cella_sim_counters_add(const struct cella_sim_counters *counters, uint32_t index,
                                         const struct cella_sim_slot *slot, struct cella_error *error) {
    uint8_t bytes[CELLA_SIM_SLOT_SIZE];
    encode_slot(slot, bytes);
    /* The magic comes last: without it the slot is free, whatever a power cut leaves of the rest. */
    enum cella_status status = write_durably(counters, bytes + MAGIC_SIZE, sizeof bytes - MAGIC_SIZE,
                                             slot_offset(index) + MAGIC_SIZE, error);
    if (status == CELLA_OK)
        status = write_durably(counters, bytes, MAGIC_SIZE, slot_offset(index), error);
    return status;
}

enum cella_status cella_sim_counters_advance(const struct cella_sim_counters *counters, uint32_t index,
                                             const struct cella_sim_entry *entry, struct cella_error *error) {
    uint8_t bytes[8 + CELLA_SIM_MARK_SIZE + CELLA_SIM_CHECK_SIZE];
    struct cella_writer writer;
    off_t at = CELLA_SIM_SLOT_VALUE + 8 + CELLA_SIM_ID_SIZE + CELLA_SIM_OWNER_SIZE +
               (off_t)((entry->value & 1) * sizeof bytes);
    cella_writer_init(&writer, bytes, sizeof bytes);
    write_entry(&writer, entry);
    CELLA_ASSERT(!writer.failed && writer.size == sizeof bytes);
    enum cella_status status = write_durably(counters, bytes, sizeof bytes, slot_offset(index) + at, error);
    return status == CELLA_OK ? show(counters, index, entry->value, error) : status;
}

/* Tells those who have the file mapped that its counters are gone. */
static enum cella_status retire(const char *folder, struct cella_error *error) {
    struct cella_sim_counters counters = {.fd = -1};
    struct cella_sim_find find;
    struct cella_sim_slot unused;
    enum cella_status status = cella_sim_counters_lock(folder, &counters, error);
    /* Of a damaged file nothing is worth keeping. */
    if (status != CELLA_OK)
        return status == CELLA_MACHINE_DAMAGED ? CELLA_OK : status;
    status = cella_sim_counters_find(&counters, NULL, NULL, &find, &unused, error);
    for (uint32_t i = 1; status == CELLA_OK && i <= find.used; i++)
        status = show(&counters, i, CELLA_SIM_VALUE_GONE, error);
    cella_sim_counters_unlock(&counters);
    return status == CELLA_MACHINE_DAMAGED ? CELLA_OK : status;
}

enum cella_status cella_sim_counters_renew(const char *folder, struct cella_error *error) {
    uint8_t header[CELLA_SIM_SLOT_SIZE];
    char path[PATH_MAX], beside[PATH_MAX];
    enum cella_status status = cella_sim_path(folder, COUNTERS, path, error);
    if (status == CELLA_OK)
        status = cella_sim_path(folder, COUNTERS_NEW, beside, error);
    if (status == CELLA_OK && access(path, F_OK) == 0)
        status = retire(folder, error);
    if (status != CELLA_OK)
        return status;
    encode_header(header);
    int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || parent < 0 || pwrite(fd, header, sizeof header, 0) != (ssize_t)sizeof header ||
        ftruncate(fd, (off_t)CELLA_SIM_COUNTERS_SIZE) != 0 || fsync(fd) != 0 || rename(beside, path) != 0 ||
        fsync(parent) != 0)
        status = failure(error, "make", path);
    if (fd >= 0)
        close(fd);
    if (parent >= 0)
        close(parent);
    return status;
}

enum cella_status cella_sim_counters_map(const char *folder, struct cella_bytes *ret_memory,
                                         struct cella_error *error) {
    struct cella_sim_counters counters = {.fd = -1};
    struct stat info;
    enum cella_status status = open_file(folder, O_RDONLY, &counters, &info, error);
    if (status != CELLA_OK)
        return status;
    void *memory = mmap(NULL, CELLA_SIM_COUNTERS_SIZE, PROT_READ, MAP_SHARED, counters.fd, 0);
    if (memory == MAP_FAILED)
        status = failure(error, "map", counters.path);
    else
        *ret_memory = CELLA_BYTES(memory, CELLA_SIM_COUNTERS_SIZE);
    cella_sim_counters_unlock(&counters);
    return status;
}
