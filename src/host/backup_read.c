/* Reading backups: every byte is checked against the manifest at their end. Must not: give a name to anything
 * before the manifest was seen to fit. */
#include "base/error.h"
#include "base/hex.h"
#include "host/backup.h"
#include "host/backup_tar.h"
#include "state/genesis.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20, MANIFEST_MAX = 8 << 20 };
#define MANIFEST "manifest"

/* Where the files go; the members may be NULL. */
struct sink {
    void *context;
    enum cella_status (*begin)(void *context, const char *name, struct cella_error *error);
    enum cella_status (*take)(void *context, uint64_t offset, struct cella_bytes bytes,
                              struct cella_error *error);
    enum cella_status (*end)(void *context, struct cella_error *error);
};

struct reading {
    FILE *file;
    const char *path;
    uint8_t *piece;
    struct cella_backup_facts facts;
    char *manifest; /* as it must be */
    size_t manifest_size;
    struct cella_store_entry last;
};

static enum cella_status damaged(const struct reading *reading, const char *why, struct cella_error *error) {
    return cella_fail(error, CELLA_DAMAGED, "the backup %.180s %s", reading->path, why);
}

static enum cella_status read_exactly(struct reading *reading, uint8_t *out, size_t size,
                                      struct cella_error *error) {
    if (fread(out, 1, size, reading->file) == size)
        return CELLA_OK;
    if (ferror(reading->file) != 0)
        return cella_fail(error, CELLA_IO, "cannot read %.180s: %s", reading->path, strerror(errno));
    return damaged(reading, "is cut", error);
}

static enum cella_status read_zeros(struct reading *reading, size_t size, struct cella_error *error) {
    uint8_t block[2 * CELLA_TAR_BLOCK];
    enum cella_status status = read_exactly(reading, block, size, error);
    for (size_t i = 0; i < size && status == CELLA_OK; i++)
        if (block[i] != 0)
            status = damaged(reading, "has bytes where none belong", error);
    return status;
}

/* One line of the manifest as it must be. */
static enum cella_status note_hash(struct reading *reading, const char *name,
                                   const uint8_t hash[CELLA_SHA256_SIZE], struct cella_error *error) {
    char text[2 * CELLA_SHA256_SIZE + 1];
    size_t room = sizeof text + CELLA_TAR_NAME_MAX + 4;
    char *larger = realloc(reading->manifest, reading->manifest_size + room);
    if (larger == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to read a backup");
    reading->manifest = larger;
    cella_hex_encode(hash, CELLA_SHA256_SIZE, text);
    int size = snprintf(larger + reading->manifest_size, room, "%s  %s\n", text, name);
    reading->manifest_size += (size_t)size;
    return CELLA_OK;
}

static enum cella_status note_file(struct reading *reading, const char *name, uint64_t size,
                                   struct cella_error *error) {
    struct cella_store_file file;
    if (!cella_storage_parse_name(name, &file) || file.kind == CELLA_STORE_RESTORE)
        return damaged(reading, "holds a file that is none of a vault", error);
    if ((reading->facts.files == 0) != (file.kind == CELLA_STORE_GENESIS))
        return damaged(reading, "does not begin with a genesis", error);
    if (file.kind == CELLA_STORE_GENESIS && size > CELLA_GENESIS_SIZE_MAX)
        return damaged(reading, "has a genesis that is too large", error);
    reading->facts.files++;
    reading->facts.bytes += size;
    reading->facts.segments += file.kind == CELLA_STORE_SEGMENT;
    if (file.kind == CELLA_STORE_SNAPSHOT && file.number > reading->facts.snapshot)
        reading->facts.snapshot = file.number;
    return CELLA_OK;
}

static enum cella_status read_file(struct reading *reading, const char *name, uint64_t size,
                                   const struct sink *sink, struct cella_error *error) {
    struct cella_sha256 hash;
    uint8_t digest[CELLA_SHA256_SIZE];
    enum cella_status status = note_file(reading, name, size, error);
    if (status == CELLA_OK && sink->begin != NULL)
        status = sink->begin(sink->context, name, error);
    cella_sha256_init(&hash);
    for (uint64_t at = 0; at < size && status == CELLA_OK;) {
        size_t count = size - at < PIECE ? (size_t)(size - at) : PIECE;
        status = read_exactly(reading, reading->piece, count, error);
        if (status == CELLA_OK && sink->take != NULL)
            status = sink->take(sink->context, at, CELLA_BYTES(reading->piece, count), error);
        if (status == CELLA_OK)
            cella_sha256_update(&hash, reading->piece, count);
        at += count;
    }
    cella_sha256_digest(&hash, digest);
    cella_sha256_deinit(&hash);
    if (reading->facts.files == 1)
        memcpy(reading->facts.vault_id, digest, sizeof digest);
    if (status == CELLA_OK)
        status = read_zeros(reading, cella_tar_padding(size), error);
    if (status == CELLA_OK)
        status = note_hash(reading, name, digest, error);
    if (sink->end != NULL && status == CELLA_OK)
        status = sink->end(sink->context, error);
    return status;
}

static enum cella_status read_manifest(struct reading *reading, uint64_t size, struct cella_error *error) {
    if (reading->facts.files == 0 || size != reading->manifest_size || size > MANIFEST_MAX)
        return damaged(reading, "does not hold what its manifest names", error);
    char *text = malloc((size_t)size);
    if (text == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to read a backup");
    enum cella_status status = read_exactly(reading, (uint8_t *)text, (size_t)size, error);
    if (status == CELLA_OK && memcmp(text, reading->manifest, (size_t)size) != 0)
        status = damaged(reading, "was changed after it was made", error);
    free(text);
    if (status == CELLA_OK)
        status = read_zeros(reading, cella_tar_padding(size), error);
    if (status == CELLA_OK)
        status = read_zeros(reading, 2 * CELLA_TAR_BLOCK, error);
    if (status == CELLA_OK && fgetc(reading->file) != EOF)
        status = damaged(reading, "goes on behind its end", error);
    return status;
}

static enum cella_status read_all(struct reading *reading, const struct sink *sink,
                                  struct cella_error *error) {
    for (;;) {
        uint8_t block[CELLA_TAR_BLOCK];
        char name[CELLA_TAR_NAME_MAX];
        uint64_t size = 0;
        enum cella_status status = read_exactly(reading, block, sizeof block, error);
        if (status == CELLA_OK && !cella_tar_header_read(block, name, &size))
            status = damaged(reading, "is none, or was changed after it was made", error);
        if (status != CELLA_OK)
            return status;
        if (strcmp(name, MANIFEST) == 0)
            return read_manifest(reading, size, error);
        status = read_file(reading, name, size, sink, error);
        if (status != CELLA_OK)
            return status;
    }
}

static enum cella_status read_backup(const char *path, const struct sink *sink,
                                     struct cella_backup_facts *ret_facts, struct cella_error *error) {
    struct reading reading = {.path = path, .file = fopen(path, "re"), .piece = malloc(PIECE)};
    enum cella_status status = CELLA_OK;
    if (reading.file == NULL)
        status = cella_fail(error, errno == ENOENT ? CELLA_NOT_FOUND : CELLA_IO, "cannot read %.180s: %s",
                            path, strerror(errno));
    else if (reading.piece == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory to read a backup");
    if (status == CELLA_OK)
        status = read_all(&reading, sink, error);
    if (reading.file != NULL)
        fclose(reading.file);
    free(reading.piece);
    free(reading.manifest);
    if (status == CELLA_OK && ret_facts != NULL)
        *ret_facts = reading.facts;
    return status;
}

enum cella_status cella_backup_check(const char *file, struct cella_backup_facts *ret_facts,
                                     struct cella_error *error) {
    const struct sink sink = {.context = NULL};
    return read_backup(file, &sink, ret_facts, error);
}

/* A folder that is being filled. */
struct unpacking {
    const struct cella_disk *disk;
    struct cella_disk_file *file;
};

static enum cella_status begin_file(void *context, const char *name, struct cella_error *error) {
    struct unpacking *unpacking = context;
    const struct cella_disk *disk = unpacking->disk;
    enum cella_status status = disk->open(disk->context, name, CELLA_DISK_CREATE, &unpacking->file, error);
    return status == CELLA_EXISTS ? cella_fail(error, CELLA_DAMAGED, "the backup holds %s twice", name)
                                  : status;
}

static enum cella_status take_piece(void *context, uint64_t offset, struct cella_bytes bytes,
                                    struct cella_error *error) {
    struct unpacking *unpacking = context;
    return unpacking->disk->write(unpacking->disk->context, unpacking->file, offset, bytes, false, error);
}

static enum cella_status end_file(void *context, struct cella_error *error) {
    struct unpacking *unpacking = context;
    const struct cella_disk *disk = unpacking->disk;
    enum cella_status status = disk->flush(disk->context, unpacking->file, error);
    disk->close(disk->context, unpacking->file);
    unpacking->file = NULL;
    return status;
}

enum cella_status cella_backup_unpack(const char *file, const char *path, struct cella_error *error) {
    struct cella_disk_posix *posix = NULL;
    struct unpacking unpacking = {.file = NULL};
    const struct sink sink = {
        .context = &unpacking, .begin = begin_file, .take = take_piece, .end = end_file};
    struct stat info;
    if (lstat(path, &info) == 0)
        return cella_fail(error, CELLA_EXISTS, "%.180s is there already", path);
    enum cella_status status = cella_storage_make_new(path, &posix, error);
    if (status != CELLA_OK)
        return status;
    unpacking.disk = cella_disk_posix_disk(posix);
    status = read_backup(file, &sink, NULL, error);
    if (unpacking.file != NULL)
        unpacking.disk->close(unpacking.disk->context, unpacking.file);
    if (status == CELLA_OK)
        status = unpacking.disk->flush_folder(unpacking.disk->context, error);
    if (status == CELLA_OK)
        status = cella_disk_posix_move(posix, path, error);
    cella_disk_posix_close(posix);
    if (status != CELLA_OK)
        (void)cella_storage_remove_new(path, NULL);
    return status;
}
