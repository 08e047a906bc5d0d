/* Making backups. Everything is opened before anything is copied, so that what is taken away meanwhile stays
 * readable; segments come last and the newest one at the very end, so that the copy is a moment of the vault.
 */
#include "host/backup.h"
#include "base/error.h"
#include "base/hex.h"
#include "host/backup_tar.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20, TRIES = 100 };

struct source {
    struct cella_store_entry entry;
    struct cella_disk_file *file;
};

struct making {
    const struct cella_disk *disk;
    struct source *sources;
    size_t count, capacity;
    bool failed; /* for lack of memory */
    FILE *out;
    const char *path;
    uint8_t *piece;
    char *manifest;
    size_t manifest_size;
    struct cella_backup_facts facts;
};

/* The order in a backup. */
static int rank(enum cella_store_kind kind) {
    switch (kind) {
    case CELLA_STORE_GENESIS:
        return 0;
    case CELLA_STORE_HISTORY:
        return 1;
    case CELLA_STORE_SEGMENT:
        return 3;
    default:
        return 2;
    }
}

static int by_rank(const void *first, const void *second) {
    const struct cella_store_file *a = &((const struct source *)first)->entry.file;
    const struct cella_store_file *b = &((const struct source *)second)->entry.file;
    if (rank(a->kind) != rank(b->kind))
        return rank(a->kind) - rank(b->kind);
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static void note_name(void *visitor, const char *name, uint64_t size) {
    struct making *making = visitor;
    struct cella_store_file file;
    /* A restore that waits belongs to this place, not to the vault. */
    if (!cella_storage_parse_name(name, &file) || file.kind == CELLA_STORE_RESTORE || making->failed)
        return;
    if (making->count == making->capacity) {
        size_t capacity = making->capacity * 2 + 64;
        struct source *larger = realloc(making->sources, capacity * sizeof *larger);
        making->failed = larger == NULL;
        if (larger == NULL)
            return;
        making->sources = larger;
        making->capacity = capacity;
    }
    making->sources[making->count++] = (struct source){.entry = {.file = file, .size = size}};
}

static void close_sources(struct making *making) {
    for (size_t i = 0; i < making->count; i++)
        if (making->sources[i].file != NULL)
            making->disk->close(making->disk->context, making->sources[i].file);
    making->count = 0;
}

static enum cella_status list(struct making *making, struct cella_error *error) {
    enum cella_status status = making->disk->list(making->disk->context, note_name, making, error);
    if (status == CELLA_OK && making->failed)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for a backup");
    if (status == CELLA_OK && making->count > 0)
        qsort(making->sources, making->count, sizeof *making->sources, by_rank);
    return status;
}

/* CELLA_NOT_FOUND: one was taken away meanwhile. */
static enum cella_status open_all(struct making *making, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    for (size_t i = 0; i < making->count && status == CELLA_OK; i++) {
        char name[CELLA_STORAGE_NAME_MAX];
        cella_storage_name(making->sources[i].entry.file, name);
        status =
            making->disk->open(making->disk->context, name, CELLA_DISK_READ, &making->sources[i].file, error);
    }
    return status;
}

/* Did nothing come or go while the files were opened? */
static enum cella_status compare(struct making *making, struct cella_error *error) {
    struct making again = {.disk = making->disk};
    enum cella_status status = list(&again, error);
    bool same = status == CELLA_OK && again.count == making->count;
    for (size_t i = 0; i < again.count && same; i++)
        same = by_rank(&again.sources[i], &making->sources[i]) == 0;
    free(again.sources);
    return status != CELLA_OK ? status : same ? CELLA_OK : CELLA_NOT_FOUND;
}

static enum cella_status collect(struct making *making, const char *vault_path, struct cella_error *error) {
    enum cella_status status = CELLA_NOT_FOUND;
    for (int i = 0; i < TRIES && status == CELLA_NOT_FOUND; i++) {
        close_sources(making);
        status = list(making, error);
        if (status == CELLA_OK &&
            (making->count == 0 || making->sources[0].entry.file.kind != CELLA_STORE_GENESIS))
            return cella_fail(error, CELLA_VAULT_MISSING, "there is no vault in %.180s", vault_path);
        if (status == CELLA_OK)
            status = open_all(making, error);
        if (status == CELLA_OK)
            status = compare(making, error);
    }
    if (status == CELLA_NOT_FOUND)
        status = cella_fail(error, CELLA_INTERRUPTED,
                            "the vault's files changed faster than they could be opened");
    return status;
}

/* Where a segment's bytes end and its zeros begin: no record ends with 512 of them. */
static enum cella_status used_size(struct making *making, const struct source *source, uint64_t *ret_size,
                                   struct cella_error *error) {
    const struct cella_disk *disk = making->disk;
    uint64_t size = 0;
    enum cella_status status = disk->size(disk->context, source->file, &size, error);
    bool zeros = source->entry.file.kind == CELLA_STORE_SEGMENT;
    while (status == CELLA_OK && zeros && size > 0) {
        size_t count = size < PIECE ? (size_t)size : PIECE;
        struct cella_disk_span span = {.out = making->piece, .size = count};
        status = disk->read(disk->context, source->file, size - count, &span, error);
        size_t got = span.got;
        while (got > 0 && making->piece[got - 1] == 0)
            got--;
        zeros = got == 0;
        size = size - count + (got + CELLA_TAR_BLOCK - 1) / CELLA_TAR_BLOCK * CELLA_TAR_BLOCK;
    }
    *ret_size = size;
    return status;
}

static enum cella_status emit(struct making *making, const void *data, size_t size,
                              struct cella_error *error) {
    if (fwrite(data, 1, size, making->out) == size)
        return CELLA_OK;
    return cella_fail(error, CELLA_IO, "cannot write %.180s: %s", making->path, strerror(errno));
}

static enum cella_status emit_zeros(struct making *making, size_t size, struct cella_error *error) {
    static const uint8_t zeros[2 * CELLA_TAR_BLOCK];
    return emit(making, zeros, size, error);
}

static enum cella_status emit_header(struct making *making, const char *name, uint64_t size,
                                     struct cella_error *error) {
    uint8_t block[CELLA_TAR_BLOCK];
    cella_tar_header_write(name, size, block);
    return emit(making, block, sizeof block, error);
}

static enum cella_status note_hash(struct making *making, const char *name, struct cella_sha256 *hash,
                                   struct cella_error *error) {
    uint8_t digest[CELLA_SHA256_SIZE];
    char text[2 * CELLA_SHA256_SIZE + 1];
    cella_sha256_digest(hash, digest);
    cella_hex_encode(digest, sizeof digest, text);
    if (making->manifest_size == 0)
        memcpy(making->facts.vault_id, digest, sizeof digest);
    size_t room = sizeof text + CELLA_STORAGE_NAME_MAX + 4;
    char *larger = realloc(making->manifest, making->manifest_size + room);
    if (larger == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a backup");
    making->manifest = larger;
    making->manifest_size += (size_t)snprintf(larger + making->manifest_size, room, "%s  %s\n", text, name);
    return CELLA_OK;
}

/* A file that became shorter since its size was asked for had zeros at its end. */
static enum cella_status copy_content(struct making *making, const struct source *source, uint64_t size,
                                      struct cella_sha256 *hash, struct cella_error *error) {
    const struct cella_disk *disk = making->disk;
    enum cella_status status = CELLA_OK;
    for (uint64_t at = 0; at < size && status == CELLA_OK;) {
        size_t count = size - at < PIECE ? (size_t)(size - at) : PIECE;
        struct cella_disk_span span = {.out = making->piece, .size = count};
        status = disk->read(disk->context, source->file, at, &span, error);
        if (status != CELLA_OK)
            break;
        memset(making->piece + span.got, 0, count - span.got);
        cella_sha256_update(hash, making->piece, count);
        status = emit(making, making->piece, count, error);
        at += count;
    }
    return status;
}

static enum cella_status copy_one(struct making *making, const struct source *source, bool dry_run,
                                  struct cella_error *error) {
    struct cella_store_file file = source->entry.file;
    struct cella_sha256 hash;
    char name[CELLA_STORAGE_NAME_MAX];
    uint64_t size = 0;
    enum cella_status status = used_size(making, source, &size, error);
    cella_storage_name(file, name);
    making->facts.files++;
    making->facts.bytes += size;
    making->facts.segments += file.kind == CELLA_STORE_SEGMENT;
    if (file.kind == CELLA_STORE_SNAPSHOT && file.number > making->facts.snapshot)
        making->facts.snapshot = file.number;
    if (status != CELLA_OK || dry_run)
        return status;
    cella_sha256_init(&hash);
    status = emit_header(making, name, size, error);
    if (status == CELLA_OK)
        status = copy_content(making, source, size, &hash, error);
    if (status == CELLA_OK)
        status = emit_zeros(making, cella_tar_padding(size), error);
    if (status == CELLA_OK)
        status = note_hash(making, name, &hash, error);
    cella_sha256_deinit(&hash);
    return status;
}

static enum cella_status copy_all(struct making *making, bool dry_run, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    for (size_t i = 0; i < making->count && status == CELLA_OK; i++)
        status = copy_one(making, &making->sources[i], dry_run, error);
    if (status != CELLA_OK || dry_run)
        return status;
    status = emit_header(making, "manifest", making->manifest_size, error);
    if (status == CELLA_OK)
        status = emit(making, making->manifest, making->manifest_size, error);
    if (status == CELLA_OK)
        status = emit_zeros(making, cella_tar_padding(making->manifest_size), error);
    if (status == CELLA_OK)
        status = emit_zeros(making, 2 * CELLA_TAR_BLOCK, error);
    if (status == CELLA_OK && (fflush(making->out) != 0 || fsync(fileno(making->out)) != 0))
        status = cella_fail(error, CELLA_IO, "cannot write %.180s: %s", making->path, strerror(errno));
    return status;
}

/* Written beside, read back, and only then named. */
static enum cella_status write_file(struct making *making, const char *file, struct cella_error *error) {
    char *part = NULL;
    if (asprintf(&part, "%s.part", file) < 0)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a backup");
    enum cella_status status = CELLA_OK;
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    making->out = fd < 0 ? NULL : fdopen(fd, "w");
    making->path = part;
    if (making->out == NULL)
        status = cella_fail(error, errno == EEXIST ? CELLA_EXISTS : CELLA_IO, "cannot make %.180s: %s", part,
                            strerror(errno));
    if (status == CELLA_OK)
        status = copy_all(making, false, error);
    if (making->out != NULL && fclose(making->out) != 0 && status == CELLA_OK)
        status = cella_fail(error, CELLA_IO, "cannot write %.180s: %s", part, strerror(errno));
    if (status == CELLA_OK)
        status = cella_backup_check(part, NULL, error);
    if (status == CELLA_OK && link(part, file) != 0)
        status = cella_fail(error, errno == EEXIST ? CELLA_EXISTS : CELLA_IO, "cannot make %.180s: %s", file,
                            strerror(errno));
    if (fd >= 0)
        unlink(part);
    making->path = NULL;
    free(part);
    return status;
}

enum cella_status cella_backup_make(const char *vault_path, const char *file, bool dry_run,
                                    struct cella_backup_facts *ret_facts, struct cella_error *error) {
    struct making making = {.piece = malloc(PIECE)};
    struct cella_disk_posix *posix = NULL;
    struct stat info;
    if (making.piece == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a backup");
    enum cella_status status = cella_disk_posix_open(vault_path, CELLA_DISK_FOLDER_LOOK, &posix, error);
    if (status == CELLA_OK && lstat(file, &info) == 0)
        status = cella_fail(error, CELLA_EXISTS, "%.180s is there already", file);
    if (status == CELLA_OK) {
        making.disk = cella_disk_posix_disk(posix);
        status = collect(&making, vault_path, error);
    }
    if (status == CELLA_OK)
        status = dry_run ? copy_all(&making, true, error) : write_file(&making, file, error);
    if (status == CELLA_OK)
        *ret_facts = making.facts;
    if (making.disk != NULL)
        close_sources(&making);
    cella_disk_posix_close(posix);
    free(making.sources);
    free(making.manifest);
    free(making.piece);
    return status;
}
