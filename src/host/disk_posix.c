/* A folder of the operating system as a disk. Must not: follow symbolic links, replace a file that is there,
 * or call bytes durable that the kernel has not said so of. */
#include "base/error.h"
#include "host/disk.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 20, LOCK_PAUSE_NS = 5000000 };

struct cella_disk_posix {
    struct cella_disk disk;
    int folder;
    char path[PATH_MAX];
    bool no_dsync; /* pwritev2 with RWF_DSYNC is refused here; also read and set without a lock */
};

struct cella_disk_file {
    int fd;
    char name[64];
};

static enum cella_status disk_status(int code) {
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return CELLA_NOT_FOUND;
    case EEXIST:
        return CELLA_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return CELLA_STORAGE_FULL;
    case EROFS:
    case EACCES:
    case EPERM:
        return CELLA_STORAGE_READ_ONLY;
    default:
        return CELLA_STORAGE_IO;
    }
}

static enum cella_status fail(const char *what, const char *name, struct cella_error *error) {
    int code = errno;
    return cella_fail(error, disk_status(code), "cannot %s %s: %s", what, name, strerror(code));
}

static enum cella_status open_file(void *context, const char *name, enum cella_disk_open how,
                                   struct cella_disk_file **ret_file, struct cella_error *error) {
    struct cella_disk_posix *posix = context;
    int flags = how == CELLA_DISK_READ    ? O_RDONLY
                : how == CELLA_DISK_WRITE ? O_RDWR
                                          : O_RDWR | O_CREAT | O_EXCL;
    struct cella_disk_file *file = malloc(sizeof *file);
    if (file == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to open %s", name);
    file->fd = openat(posix->folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    struct stat info;
    enum cella_status status = CELLA_OK;
    if (file->fd < 0)
        status = fail(how == CELLA_DISK_CREATE ? "create" : "open", name, error);
    else if (fstat(file->fd, &info) != 0 || !S_ISREG(info.st_mode))
        status = cella_fail(error, CELLA_STORAGE_IO, "%s is not a regular file", name);
    if (status == CELLA_OK) {
        *ret_file = file;
        return CELLA_OK;
    }
    if (file->fd >= 0)
        close(file->fd);
    free(file);
    return status;
}

static void close_file(void *context, struct cella_disk_file *file) {
    if (file == NULL)
        return;
    close(file->fd);
    free(file);
}

static enum cella_status file_size(void *context, struct cella_disk_file *file, uint64_t *ret_size,
                                   struct cella_error *error) {
    struct stat info;
    if (fstat(file->fd, &info) != 0 || info.st_size < 0)
        return fail("look at", file->name, error);
    *ret_size = (uint64_t)info.st_size;
    return CELLA_OK;
}

static enum cella_status read_file(void *context, struct cella_disk_file *file, uint64_t offset,
                                   struct cella_disk_span *span, struct cella_error *error) {
    size_t at = 0;
    while (at < span->size) {
        ssize_t count = pread(file->fd, span->out + at, span->size - at, (off_t)(offset + at));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail("read", file->name, error);
        if (count == 0)
            break;
        at += (size_t)count;
    }
    span->got = at;
    return CELLA_OK;
}

static enum cella_status flush_file(void *context, struct cella_disk_file *file, struct cella_error *error) {
    return fdatasync(file->fd) == 0 ? CELLA_OK : fail("flush", file->name, error);
}

/* One write with the flush in the same call where the kernel can do that. */
static ssize_t write_some(struct cella_disk_posix *posix, int fd, struct iovec part, off_t offset,
                          bool durable) {
    if (!durable || __atomic_load_n(&posix->no_dsync, __ATOMIC_RELAXED))
        return pwrite(fd, part.iov_base, part.iov_len, offset);
    ssize_t count = pwritev2(fd, &part, 1, offset, RWF_DSYNC);
    if (count < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
        __atomic_store_n(&posix->no_dsync, true, __ATOMIC_RELAXED);
        count = pwrite(fd, part.iov_base, part.iov_len, offset);
    }
    return count;
}

static enum cella_status write_file(void *context, struct cella_disk_file *file, uint64_t offset,
                                    struct cella_bytes bytes, bool durable, struct cella_error *error) {
    struct cella_disk_posix *posix = context;
    size_t at = 0;
    while (at < bytes.size) {
        struct iovec part = {.iov_base = (void *)(uintptr_t)(bytes.data + at), .iov_len = bytes.size - at};
        ssize_t count = write_some(posix, file->fd, part, (off_t)(offset + at), durable);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail("write", file->name, error);
        at += (size_t)count;
    }
    bool flushed = !__atomic_load_n(&posix->no_dsync, __ATOMIC_RELAXED) && bytes.size > 0;
    return durable && !flushed ? flush_file(posix, file, error) : CELLA_OK;
}

static enum cella_status truncate_file(void *context, struct cella_disk_file *file, uint64_t size,
                                       struct cella_error *error) {
    return ftruncate(file->fd, (off_t)size) == 0 ? CELLA_OK : fail("shorten", file->name, error);
}

static enum cella_status rename_file(void *context, const char *from, const char *to,
                                     struct cella_error *error) {
    struct cella_disk_posix *posix = context;
    if (renameat2(posix->folder, from, posix->folder, to, RENAME_NOREPLACE) == 0)
        return CELLA_OK;
    /* Some file systems cannot refuse to replace; the folder is locked, so nobody comes in between. */
    if (errno == EINVAL || errno == ENOSYS) {
        if (faccessat(posix->folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            errno = EEXIST;
        else if (renameat(posix->folder, from, posix->folder, to) == 0)
            return CELLA_OK;
    }
    return fail("rename to", to, error);
}

static enum cella_status remove_file(void *context, const char *name, struct cella_error *error) {
    struct cella_disk_posix *posix = context;
    return unlinkat(posix->folder, name, 0) == 0 ? CELLA_OK : fail("remove", name, error);
}

static enum cella_status flush_folder(void *context, struct cella_error *error) {
    struct cella_disk_posix *posix = context;
    return fsync(posix->folder) == 0 ? CELLA_OK : fail("flush", ".", error);
}

static enum cella_status list_files(void *context,
                                    void (*visit)(void *visitor, const char *name, uint64_t size),
                                    void *visitor, struct cella_error *error) {
    struct cella_disk_posix *posix = context;
    int fd = openat(posix->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        enum cella_status status = fail("list", ".", error);
        if (fd >= 0)
            close(fd);
        return status;
    }
    struct dirent *entry;
    struct stat info;
    errno = 0;
    while ((entry = readdir(folder)) != NULL) {
        if (fstatat(posix->folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
            visit(visitor, entry->d_name, (uint64_t)info.st_size);
        errno = 0;
    }
    enum cella_status status = errno == 0 ? CELLA_OK : fail("list", ".", error);
    closedir(folder);
    return status;
}

static const struct cella_disk operations = {.open = open_file,
                                             .close = close_file,
                                             .size = file_size,
                                             .read = read_file,
                                             .write = write_file,
                                             .flush = flush_file,
                                             .truncate = truncate_file,
                                             .rename = rename_file,
                                             .remove = remove_file,
                                             .flush_folder = flush_folder,
                                             .list = list_files};

/* A process that only looks whether it is locked, or one that was killed and is not gone yet, is waited for.
 */
static bool lock_folder(int fd) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK)
            return false;
        const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    errno = EWOULDBLOCK;
    return false;
}

/* The lock is on the folder itself: it needs no file, works on a read-only disk and goes with a rename. */
static enum cella_status open_folder(struct cella_disk_posix *posix, enum cella_disk_folder how,
                                     struct cella_error *error) {
    if (how == CELLA_DISK_FOLDER_MAKE && mkdir(posix->path, 0700) != 0)
        return cella_fail(error, disk_status(errno), "cannot make the folder %.180s: %s", posix->path,
                          strerror(errno));
    posix->folder = open(posix->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (posix->folder < 0)
        return cella_fail(error, errno == ELOOP ? CELLA_STORAGE_IO : disk_status(errno),
                          "cannot open the folder %.180s: %s", posix->path, strerror(errno));
    if (how != CELLA_DISK_FOLDER_LOOK && !lock_folder(posix->folder))
        return errno == EWOULDBLOCK
                   ? cella_fail(error, CELLA_VAULT_BUSY, "another process uses %.180s", posix->path)
                   : cella_fail(error, CELLA_STORAGE_IO, "cannot lock %.180s: %s", posix->path,
                                strerror(errno));
    return CELLA_OK;
}

enum cella_status cella_disk_posix_open(const char *path, enum cella_disk_folder how,
                                        struct cella_disk_posix **ret_posix, struct cella_error *error) {
    struct cella_disk_posix *posix = calloc(1, sizeof *posix);
    if (posix == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to open %.180s", path);
    posix->disk = operations;
    posix->disk.context = posix;
    posix->folder = -1;
    enum cella_status status = CELLA_OK;
    if (snprintf(posix->path, sizeof posix->path, "%s", path) >= (int)sizeof posix->path)
        status = cella_fail(error, CELLA_ARGUMENT, "the path %.80s… is too long", path);
    if (status == CELLA_OK)
        status = open_folder(posix, how, error);
    if (status != CELLA_OK) {
        cella_disk_posix_close(posix);
        return status;
    }
    *ret_posix = posix;
    return CELLA_OK;
}

const struct cella_disk *cella_disk_posix_disk(const struct cella_disk_posix *posix) {
    return &posix->disk;
}

static bool flush_folder_of(const char *path) {
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return false;
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* Is what the path leads to now the folder that is open? */
static bool still_there(const struct cella_disk_posix *posix) {
    struct stat open_one, named_one;
    return fstat(posix->folder, &open_one) == 0 && lstat(posix->path, &named_one) == 0 &&
           open_one.st_dev == named_one.st_dev && open_one.st_ino == named_one.st_ino;
}

enum cella_status cella_disk_posix_move(struct cella_disk_posix *posix, const char *to,
                                        struct cella_error *error) {
    if (strlen(to) >= sizeof posix->path)
        return cella_fail(error, CELLA_ARGUMENT, "the path %.80s… is too long", to);
    if (!still_there(posix))
        return cella_fail(error, CELLA_STORAGE_IO, "the folder %.180s was replaced by another one",
                          posix->path);
    int code = renameat2(AT_FDCWD, posix->path, AT_FDCWD, to, RENAME_NOREPLACE);
    if (code != 0 && (errno == EINVAL || errno == ENOSYS)) {
        errno = EEXIST;
        /* Replaces nothing but an empty folder. */
        code = faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -1 : rename(posix->path, to);
    }
    if (code != 0 || !flush_folder_of(to))
        return cella_fail(error, disk_status(errno), "cannot rename %.120s to %.120s: %s", posix->path, to,
                          strerror(errno));
    memcpy(posix->path, to, strlen(to) + 1);
    return CELLA_OK;
}

void cella_disk_posix_close(struct cella_disk_posix *posix) {
    if (posix == NULL)
        return;
    if (posix->folder >= 0)
        close(posix->folder);
    free(posix);
}
