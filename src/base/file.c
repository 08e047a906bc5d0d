/* Whole-file reads and atomic writes. Must not follow a half-written state: a file is the old one or the new
 * one. */
#include "base/file.h"
#include "base/error.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cella_status io_failure(struct cella_error *error, const char *what, const char *path) {
    int code = errno;
    enum cella_status status = CELLA_IO;
    if (code == ENOENT || code == ENOTDIR)
        status = CELLA_NOT_FOUND;
    else if (code == EACCES || code == EPERM || code == EROFS)
        status = CELLA_PERMISSION;
    return cella_fail(error, status, "cannot %s %s: %s", what, path, strerror(code));
}

static enum cella_status check_file(int fd, const char *path, size_t limit, bool private_file,
                                    size_t *ret_size, struct cella_error *error) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return io_failure(error, "read", path);
    if (!S_ISREG(info.st_mode))
        return cella_fail(error, CELLA_IO, "%s is not a regular file", path);
    if (private_file && (info.st_mode & 077) != 0)
        return cella_fail(
            error, CELLA_PERMISSION,
            "%s holds a secret and has mode %04o: group and others must have no access (chmod 600)", path,
            (unsigned)(info.st_mode & 07777));
    if (info.st_size < 0 || (uintmax_t)info.st_size > limit)
        return cella_fail(error, CELLA_LIMIT, "%s has %jd bytes, at most %zu are accepted", path,
                          (intmax_t)info.st_size, limit);
    *ret_size = (size_t)info.st_size;
    return CELLA_OK;
}

/* Large files go into large pages where the kernel has them: a page fault costs more than copying its 4 KiB.
 */
static uint8_t *allocate(size_t size) {
    enum { LARGE_PAGE = 2 * 1024 * 1024 };
    if (size < LARGE_PAGE)
        return malloc(size);
    size_t rounded = (size + LARGE_PAGE - 1) & ~(size_t)(LARGE_PAGE - 1);
    uint8_t *data = aligned_alloc(LARGE_PAGE, rounded);
    if (data != NULL)
        (void)madvise(data, rounded, MADV_HUGEPAGE);
    return data;
}

static enum cella_status read_open_file(int fd, const char *path, size_t size, uint8_t **ret_data,
                                        size_t *ret_size, struct cella_error *error) {
    uint8_t *data = allocate(size + 1);
    if (data == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for the %zu bytes of %s", size, path);
    size_t at = 0;
    while (at < size) {
        ssize_t count = read(fd, data + at, size - at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            enum cella_status status = io_failure(error, "read", path);
            cella_wipe_free(data, size);
            return status;
        }
        if (count == 0)
            break;
        at += (size_t)count;
    }
    data[at] = 0;
    *ret_data = data;
    *ret_size = at;
    return CELLA_OK;
}

static enum cella_status read_file(const char *path, size_t limit, bool private_file, uint8_t **ret_data,
                                   size_t *ret_size, struct cella_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return io_failure(error, "read", path);
    size_t size = 0;
    enum cella_status status = check_file(fd, path, limit, private_file, &size, error);
    if (status == CELLA_OK)
        status = read_open_file(fd, path, size, ret_data, ret_size, error);
    close(fd);
    return status;
}

enum cella_status cella_file_read(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size,
                                  struct cella_error *error) {
    return read_file(path, limit, false, ret_data, ret_size, error);
}

enum cella_status cella_file_read_private(const char *path, size_t limit, uint8_t **ret_data,
                                          size_t *ret_size, struct cella_error *error) {
    return read_file(path, limit, true, ret_data, ret_size, error);
}

static bool write_all(int fd, struct cella_bytes bytes) {
    size_t at = 0;
    while (at < bytes.size) {
        ssize_t count = write(fd, bytes.data + at, bytes.size - at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        at += (size_t)count;
    }
    return fsync(fd) == 0;
}

static bool flush_folder_of(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);
    if (size >= sizeof folder)
        return false;
    memcpy(folder, path, size);
    folder[size] = '\0';
    int fd = open(slash == NULL ? "." : size == 0 ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

static enum cella_status write_beside(const char *path, struct cella_bytes bytes, enum cella_file_mode mode,
                                      char temporary[PATH_MAX], struct cella_error *error) {
    if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "the path %.80s… is too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return io_failure(error, "create", path);
    enum cella_status status = CELLA_OK;
    if (fchmod(fd, (mode_t)mode) != 0 || !write_all(fd, bytes))
        status = io_failure(error, "write", path);
    if (close(fd) != 0 && status == CELLA_OK)
        status = io_failure(error, "write", path);
    if (status != CELLA_OK)
        unlink(temporary);
    return status;
}

enum cella_status cella_file_write(const char *path, struct cella_bytes bytes, enum cella_file_mode mode,
                                   struct cella_error *error) {
    char temporary[PATH_MAX];
    enum cella_status status = write_beside(path, bytes, mode, temporary, error);
    if (status != CELLA_OK)
        return status;
    if (rename(temporary, path) != 0) {
        status = io_failure(error, "replace", path);
        unlink(temporary);
        return status;
    }
    return flush_folder_of(path) ? CELLA_OK : io_failure(error, "flush the folder of", path);
}

enum cella_status cella_file_create(const char *path, struct cella_bytes bytes, enum cella_file_mode mode,
                                    struct cella_error *error) {
    char temporary[PATH_MAX];
    enum cella_status status = write_beside(path, bytes, mode, temporary, error);
    if (status != CELLA_OK)
        return status;
    /* link() is the atomic "only if it is not there". */
    if (link(temporary, path) != 0)
        status = errno == EEXIST ? cella_fail(error, CELLA_EXISTS, "%s exists and was left as it is", path)
                                 : io_failure(error, "create", path);
    unlink(temporary);
    if (status == CELLA_OK && !flush_folder_of(path))
        status = io_failure(error, "flush the folder of", path);
    return status;
}
