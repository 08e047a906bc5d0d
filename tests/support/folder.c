/* Temporary folders and files of tests. */
#include "support/test.h"
#include "support/memory.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void test_folder_make(struct test_folder *folder) {
    static const char pattern[] = "/tmp/cella-test-XXXXXX";
    memcpy(folder->path, pattern, sizeof pattern);
    assert_non_null(mkdtemp(folder->path));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place) {
    return remove(path);
}

void test_folder_remove(const struct test_folder *folder) {
    assert_int_equal(nftw(folder->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int test_folder_setup(void **state) {
    struct test_folder *folder = malloc(sizeof *folder);
    if (folder == NULL)
        return -1;
    test_folder_make(folder);
    *state = folder;
    return 0;
}

int test_folder_teardown(void **state) {
    test_folder_remove(*state);
    free(*state);
    return 0;
}

const char *test_path(const struct test_folder *folder, const char *name) {
    size_t size = strlen(folder->path) + 1 + strlen(name) + 1;
    char *path = test_allocate(size);
    (void)snprintf(path, size, "%s/%s", folder->path, name);
    return path;
}

void test_write_file(const char *path, struct cella_bytes bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    size_t at = 0;
    while (at < bytes.size) {
        ssize_t count = write(fd, bytes.data + at, bytes.size - at);
        assert_true(count > 0);
        at += (size_t)count;
    }
    assert_int_equal(close(fd), 0);
}

size_t test_folder_count(const char *path) {
    DIR *folder = opendir(path);
    assert_non_null(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count++;
    closedir(folder);
    return count;
}
