/* Whole-file reads and writes that never leave half a file. */
#include "support/test.h"
#include "base/file.h"
#include "base/secret.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cella_bytes text(const char *string) {
    return CELLA_BYTES(string, strlen(string));
}

static void assert_content(const char *path, const char *expected) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(path, 1 << 20, &data, &size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(data, size), text(expected));
    assert_int_equal(data[size], 0);
    free(data);
}

static unsigned mode_of(const char *path) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return (unsigned)(info.st_mode & 07777);
}

static void a_written_file_reads_back(void **state) {
    const char *path = test_path(*state, "file");
    assert_status(cella_file_write(path, text("one"), CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    assert_content(path, "one");
    assert_status(cella_file_write(path, CELLA_BYTES(NULL, 0), CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    assert_content(path, "");
}

static void modes_are_exact_whatever_the_umask(void **state) {
    static const mode_t masks[] = {0, 022, 077, 0777};
    const struct test_folder *folder = *state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t old = umask(masks[i]);
        enum cella_status first =
            cella_file_write(test_path(folder, "public"), text("x"), CELLA_FILE_PUBLIC, NULL);
        enum cella_status second =
            cella_file_write(test_path(folder, "private"), text("x"), CELLA_FILE_PRIVATE, NULL);
        umask(old);
        assert_status(first, CELLA_OK);
        assert_status(second, CELLA_OK);
        assert_int_equal(mode_of(test_path(folder, "public")), 0644);
        assert_int_equal(mode_of(test_path(folder, "private")), 0600);
    }
}

static void writing_replaces_the_whole_file_and_leaves_nothing_beside_it(void **state) {
    const struct test_folder *folder = *state;
    const char *path = test_path(folder, "file");
    assert_status(cella_file_write(path, text("a long old content"), CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    assert_status(cella_file_write(path, text("new"), CELLA_FILE_PRIVATE, NULL), CELLA_OK);
    assert_content(path, "new");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(test_folder_count(folder->path), 1);
}

/* Whoever had the old file open keeps reading the old bytes. */
static void a_replaced_file_is_another_file(void **state) {
    const char *path = test_path(*state, "file");
    const char *link_path = test_path(*state, "old");
    assert_status(cella_file_write(path, text("old"), CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    assert_int_equal(link(path, link_path), 0);
    assert_status(cella_file_write(path, text("new"), CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    assert_content(path, "new");
    assert_content(link_path, "old");
}

static void writing_through_a_symbolic_link_replaces_the_link_only(void **state) {
    const char *target = test_path(*state, "target");
    const char *path = test_path(*state, "link");
    test_write_file(target, text("target"));
    assert_int_equal(symlink(target, path), 0);
    assert_status(cella_file_write(path, text("new"), CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    assert_content(target, "target");
    assert_content(path, "new");
}

static void create_refuses_an_existing_file_and_leaves_it(void **state) {
    const struct test_folder *folder = *state;
    const char *path = test_path(folder, "key");
    struct cella_error error = {0};
    assert_status(cella_file_create(path, text("first"), CELLA_FILE_PRIVATE, &error), CELLA_OK);
    assert_status(cella_file_create(path, text("second"), CELLA_FILE_PRIVATE, &error), CELLA_EXISTS);
    assert_non_null(strstr(error.message, path));
    assert_content(path, "first");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(test_folder_count(folder->path), 1);
}

static void create_refuses_a_dangling_link(void **state) {
    const char *path = test_path(*state, "key");
    assert_int_equal(symlink(test_path(*state, "nowhere"), path), 0);
    assert_status(cella_file_create(path, text("x"), CELLA_FILE_PRIVATE, NULL), CELLA_EXISTS);
    assert_int_equal(access(test_path(*state, "nowhere"), F_OK), -1);
}

static void a_missing_file_or_folder_is_not_found(void **state) {
    struct cella_error error = {0};
    uint8_t *data = (uint8_t *)"untouched";
    size_t size = 77;
    assert_status(cella_file_read(test_path(*state, "none"), 10, &data, &size, &error), CELLA_NOT_FOUND);
    assert_non_null(strstr(error.message, "none"));
    assert_string_equal((char *)data, "untouched");
    assert_int_equal(size, 77);
    assert_status(cella_file_read(test_path(*state, "none/file"), 10, &data, &size, NULL), CELLA_NOT_FOUND);
    assert_status(cella_file_write(test_path(*state, "none/file"), text("x"), CELLA_FILE_PUBLIC, NULL),
                  CELLA_NOT_FOUND);
    assert_status(cella_file_create(test_path(*state, "none/file"), text("x"), CELLA_FILE_PUBLIC, NULL),
                  CELLA_NOT_FOUND);
}

static void the_limit_is_the_largest_accepted_size(void **state) {
    const char *path = test_path(*state, "file");
    test_write_file(path, text("12345"));
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(path, 5, &data, &size, NULL), CELLA_OK);
    free(data);
    data = NULL;
    struct cella_error error = {0};
    assert_status(cella_file_read(path, 4, &data, &size, &error), CELLA_LIMIT);
    assert_null(data);
    assert_non_null(strstr(error.message, "at most 4"));
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state) {
    const char *pipe_path = test_path(*state, "pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(pipe_path, 10, &data, &size, NULL), CELLA_IO);
    assert_status(cella_file_read(((struct test_folder *)*state)->path, 10, &data, &size, NULL), CELLA_IO);
    assert_status(cella_file_read("/dev/zero", 10, &data, &size, NULL), CELLA_IO);
}

static void a_private_read_refuses_a_file_open_to_others(void **state) {
    const char *path = test_path(*state, "key");
    test_write_file(path, text("secret"));
    static const mode_t open_modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0644, 0660};
    uint8_t *data = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        struct cella_error error = {0};
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_status(cella_file_read_private(path, 10, &data, &size, &error), CELLA_PERMISSION);
        assert_non_null(strstr(error.message, "chmod 600"));
    }
    static const mode_t private_modes[] = {0600, 0400};
    for (size_t i = 0; i < sizeof private_modes / sizeof private_modes[0]; i++) {
        assert_int_equal(chmod(path, private_modes[i]), 0);
        assert_status(cella_file_read_private(path, 10, &data, &size, NULL), CELLA_OK);
        cella_wipe_free(data, size);
    }
}

static void a_path_of_the_largest_length_is_refused_clearly(void **state) {
    static char path[PATH_MAX + 100];
    memset(path, 'a', sizeof path - 1);
    uint8_t *data = NULL;
    size_t size = 0;
    struct cella_error error = {0};
    assert_status(cella_file_write(path, text("x"), CELLA_FILE_PUBLIC, &error), CELLA_ARGUMENT);
    assert_true(strlen(error.message) > 0);
    assert_status(cella_file_create(path, text("x"), CELLA_FILE_PUBLIC, &error), CELLA_ARGUMENT);
    assert_status(cella_file_read(path, 10, &data, &size, &error), CELLA_IO);
}

static void a_name_longer_than_the_file_system_takes_is_refused(void **state) {
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const struct test_folder *folder = *state;
    assert_status(cella_file_write(test_path(folder, name), text("x"), CELLA_FILE_PUBLIC, NULL), CELLA_IO);
    assert_int_equal(test_folder_count(folder->path), 0);
}

static void a_path_without_a_folder_is_in_the_working_folder(void **state) {
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(((struct test_folder *)*state)->path), 0);
    enum cella_status status = cella_file_write("plain", text("x"), CELLA_FILE_PUBLIC, NULL);
    assert_int_equal(chdir(before), 0);
    assert_status(status, CELLA_OK);
    assert_content(test_path(*state, "plain"), "x");
}

static void a_large_file_comes_back_exactly(void **state) {
    const char *path = test_path(*state, "large");
    struct cella_bytes large = test_pattern(3000001, 5);
    assert_status(cella_file_write(path, large, CELLA_FILE_PUBLIC, NULL), CELLA_OK);
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(path, large.size, &data, &size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(data, size), large);
    free(data);
}

#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_written_file_reads_back),
        FOLDER_TEST(modes_are_exact_whatever_the_umask),
        FOLDER_TEST(writing_replaces_the_whole_file_and_leaves_nothing_beside_it),
        FOLDER_TEST(a_replaced_file_is_another_file),
        FOLDER_TEST(writing_through_a_symbolic_link_replaces_the_link_only),
        FOLDER_TEST(create_refuses_an_existing_file_and_leaves_it),
        FOLDER_TEST(create_refuses_a_dangling_link),
        FOLDER_TEST(a_missing_file_or_folder_is_not_found),
        FOLDER_TEST(the_limit_is_the_largest_accepted_size),
        FOLDER_TEST(what_is_no_regular_file_is_refused_without_waiting),
        FOLDER_TEST(a_private_read_refuses_a_file_open_to_others),
        FOLDER_TEST(a_path_of_the_largest_length_is_refused_clearly),
        FOLDER_TEST(a_name_longer_than_the_file_system_takes_is_refused),
        FOLDER_TEST(a_path_without_a_folder_is_in_the_working_folder),
        FOLDER_TEST(a_large_file_comes_back_exactly),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
