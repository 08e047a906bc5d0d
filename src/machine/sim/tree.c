/* Whole folders. Must not leave a half-written copy under its final name. */
#include "machine/sim/tree.h"
#include "base/error.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX  32
#define COPY_BLOCK 65536

static enum cella_status failure(struct cella_error *error, const char *what, const char *path) {
    int code = errno;
    enum cella_status status = CELLA_IO;
    if (code == ENOENT)
        status = CELLA_NOT_FOUND;
    else if (code == EACCES || code == EPERM)
        status = CELLA_PERMISSION;
    return cella_fail(error, status, "cannot %s %s: %s", what, path, strerror(code));
}

/* What is done with every entry of a folder; `name` is relative to both. */
struct walk {
    enum cella_status (*entry)(int from, int to, const char *name, unsigned depth, struct cella_error *error);
};

static bool is_dot(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Calls for each entry of `from`, which stays open. */
static enum cella_status for_each(int from, int to, const struct walk *walk, unsigned depth,
                                  struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (depth > DEPTH_MAX)
        return cella_fail(error, CELLA_LIMIT, "folders are nested more than %d deep", DEPTH_MAX);
    int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = again >= 0 ? fdopendir(again) : NULL;
    if (stream == NULL) {
        status = failure(error, "read", "a folder");
        if (again >= 0)
            close(again);
        return status;
    }
    const struct dirent *entry;
    while (status == CELLA_OK && (entry = readdir(stream)) != NULL)
        if (!is_dot(entry->d_name))
            status = walk->entry(from, to, entry->d_name, depth, error);
    closedir(stream);
    return status;
}

static enum cella_status copy_content(int in, int out, const char *name, struct cella_error *error) {
    uint8_t *block = malloc(COPY_BLOCK);
    enum cella_status status = block != NULL ? CELLA_OK : CELLA_NO_MEMORY;
    while (status == CELLA_OK) {
        ssize_t count = read(in, block, COPY_BLOCK);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            status = failure(error, "read", name);
        if (count <= 0)
            break;
        for (ssize_t at = 0; status == CELLA_OK && at < count;) {
            ssize_t written = write(out, block + at, (size_t)(count - at));
            if (written < 0 && errno != EINTR)
                status = failure(error, "write", name);
            at += written > 0 ? written : 0;
        }
    }
    free(block);
    return status;
}

static enum cella_status copy_file(int from, int to, const char *name, mode_t mode,
                                   struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        status = failure(error, "copy", name);
    if (status == CELLA_OK)
        status = copy_content(in, out, name, error);
    if (status == CELLA_OK && (fchmod(out, mode & 0777) != 0 || fsync(out) != 0))
        status = failure(error, "flush", name);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return status;
}

static enum cella_status copy_entry(int from, int to, const char *name, unsigned depth,
                                    struct cella_error *error);
static const struct walk copying = {copy_entry};

static enum cella_status copy_folder(int from, int to, const char *name, mode_t mode, unsigned depth,
                                     struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (mkdirat(to, name, 0700) != 0)
        return failure(error, "create", name);
    int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || out < 0)
        status = failure(error, "open", name);
    if (status == CELLA_OK)
        status = for_each(in, out, &copying, depth + 1, error);
    if (status == CELLA_OK && (fchmod(out, mode & 0777) != 0 || fsync(out) != 0))
        status = failure(error, "flush", name);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return status;
}

static enum cella_status copy_entry(int from, int to, const char *name, unsigned depth,
                                    struct cella_error *error) {
    struct stat info;
    if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return failure(error, "read", name);
    if (S_ISREG(info.st_mode))
        return copy_file(from, to, name, info.st_mode, error);
    if (S_ISDIR(info.st_mode))
        return copy_folder(from, to, name, info.st_mode, depth, error);
    return cella_fail(error, CELLA_UNSUPPORTED, "%s is neither a file nor a folder", name);
}

static enum cella_status check_entry(int from, int to, const char *name, unsigned depth,
                                     struct cella_error *error);
static const struct walk checking = {check_entry};

static enum cella_status check_entry(int from, int to, const char *name, unsigned depth,
                                     struct cella_error *error) {
    struct stat info;
    if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return failure(error, "read", name);
    if (S_ISREG(info.st_mode)) {
        struct stat counters;
        if (strcmp(name, "machine") == 0 && fstatat(from, "counters", &counters, AT_SYMLINK_NOFOLLOW) == 0)
            return cella_fail(error, CELLA_ARGUMENT,
                              "a simulated machine is inside: its counters are hardware, no disk can rewind "
                              "them");
        return CELLA_OK;
    }
    if (!S_ISDIR(info.st_mode))
        return cella_fail(error, CELLA_UNSUPPORTED, "%s is neither a file nor a folder", name);
    int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return failure(error, "open", name);
    enum cella_status status = for_each(in, to, &checking, depth + 1, error);
    close(in);
    return status;
}

enum cella_status cella_sim_tree_check(const char *from, struct cella_error *error) {
    int in = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in < 0)
        return failure(error, "open the folder", from);
    enum cella_status status = for_each(in, -1, &checking, 0, error);
    close(in);
    return status;
}

static enum cella_status remove_entry(int from, int to, const char *name, unsigned depth,
                                      struct cella_error *error);
static const struct walk removing = {remove_entry};

static enum cella_status remove_entry(int from, int to, const char *name, unsigned depth,
                                      struct cella_error *error) {
    if (unlinkat(from, name, 0) == 0)
        return CELLA_OK;
    if (errno != EISDIR && errno != EPERM)
        return failure(error, "remove", name);
    int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return failure(error, "remove", name);
    enum cella_status status = for_each(in, to, &removing, depth + 1, error);
    close(in);
    if (status == CELLA_OK && unlinkat(from, name, AT_REMOVEDIR) != 0)
        status = failure(error, "remove", name);
    return status;
}

enum cella_status cella_sim_tree_remove(const char *path, struct cella_error *error) {
    return remove_entry(AT_FDCWD, -1, path, 0, error);
}

static bool flush_parent(const char *path) {
    char parent[PATH_MAX];
    int size = snprintf(parent, sizeof parent, "%s/..", path);
    if (size < 0 || (size_t)size >= sizeof parent)
        return false;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* A complete, flushed copy under a fresh name beside `to`. */
static enum cella_status copy_beside(const char *from, const char *to, char beside[PATH_MAX],
                                     struct cella_error *error) {
    struct stat info;
    enum cella_status status = cella_sim_tree_check(from, error);
    if (status != CELLA_OK)
        return status;
    size_t length = strlen(to);
    while (length > 1 && to[length - 1] == '/')
        length--;
    int size = snprintf(beside, PATH_MAX, "%.*s.XXXXXX", (int)length, to);
    if (size < 0 || size >= PATH_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "the path %.80s… is too long", to);
    int in = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in < 0 || fstat(in, &info) != 0 || mkdtemp(beside) == NULL) {
        status = failure(error, "copy", from);
        if (in >= 0)
            close(in);
        return status;
    }
    int out = open(beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out < 0)
        status = failure(error, "open", beside);
    if (status == CELLA_OK)
        status = for_each(in, out, &copying, 0, error);
    if (status == CELLA_OK && (fchmod(out, info.st_mode & 0777) != 0 || fsync(out) != 0))
        status = failure(error, "flush", beside);
    close(in);
    if (out >= 0)
        close(out);
    if (status != CELLA_OK)
        cella_sim_tree_remove(beside, NULL);
    return status;
}

enum cella_status cella_sim_tree_copy(const char *from, const char *to, struct cella_error *error) {
    char beside[PATH_MAX];
    enum cella_status status = copy_beside(from, to, beside, error);
    if (status != CELLA_OK)
        return status;
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
        status = errno == EEXIST ? cella_fail(error, CELLA_EXISTS, "%s exists and was left as it is", to)
                                 : failure(error, "create", to);
    if (status != CELLA_OK)
        cella_sim_tree_remove(beside, NULL);
    else if (!flush_parent(to))
        status = failure(error, "flush the folder of", to);
    return status;
}

enum cella_status cella_sim_tree_restore(const char *from, const char *to, struct cella_error *error) {
    char beside[PATH_MAX];
    enum cella_status status = cella_sim_tree_check(to, error);
    if (status == CELLA_OK)
        status = copy_beside(from, to, beside, error);
    if (status != CELLA_OK)
        return status;
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, to, RENAME_EXCHANGE) != 0)
        status = failure(error, "replace", to);
    else if (!flush_parent(to))
        status = failure(error, "flush the folder of", to);
    /* Either the copy that was not used or what stood there before. */
    enum cella_status removed = cella_sim_tree_remove(beside, error);
    return status != CELLA_OK ? status : removed;
}
