/* Backups: made while the vault writes, refused when damaged, unpacked as they were. */
#include "host/backup.h"
#include "host/backup_tar.h"
#include "base/file.h"
#include "support/test.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORDS = 40 };

struct bench {
    struct test_folder folder;
    const char *vault, *file;
    struct cella_disk_posix *posix;
    struct cella_storage *storage;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t told;
    _Atomic bool stop;
    _Atomic uint64_t rotations;
};

static struct bench bench;

static void on_written(void *context, struct cella_storage_ticket ticket, enum cella_status status) {
    assert_status(status, CELLA_OK);
    pthread_mutex_lock(&bench.lock);
    bench.told = ticket.id;
    pthread_cond_broadcast(&bench.changed);
    pthread_mutex_unlock(&bench.lock);
}

static void put(struct cella_store_file file, uint64_t offset, unsigned flags, struct cella_bytes bytes) {
    static uint64_t id;
    struct cella_storage_write write = {
        .file = file, .offset = offset, .flags = flags, .bytes = bytes, .ticket = {.id = ++id}, .told = true};
    assert_status(cella_storage_write(bench.storage, &write, NULL), CELLA_OK);
    pthread_mutex_lock(&bench.lock);
    while (bench.told != id)
        pthread_cond_wait(&bench.changed, &bench.lock);
    pthread_mutex_unlock(&bench.lock);
}

static struct cella_store_file file_of(enum cella_store_kind kind, uint64_t number) {
    return (struct cella_store_file){kind, number};
}

static void open_vault(enum cella_disk_folder how) {
    struct cella_storage_options options = {.written = on_written};
    assert_status(cella_disk_posix_open(bench.vault, how, &bench.posix, NULL), CELLA_OK);
    options.disk = cella_disk_posix_disk(bench.posix);
    assert_status(cella_storage_open(&options, &bench.storage, NULL), CELLA_OK);
}

static void close_vault(void) {
    cella_storage_close(bench.storage);
    cella_disk_posix_close(bench.posix);
    bench.storage = NULL;
    bench.posix = NULL;
}

static int set_up(void **state) {
    memset(&bench, 0, sizeof bench);
    pthread_mutex_init(&bench.lock, NULL);
    pthread_cond_init(&bench.changed, NULL);
    test_folder_make(&bench.folder);
    bench.vault = test_path(&bench.folder, "vault");
    bench.file = test_path(&bench.folder, "backup");
    open_vault(CELLA_DISK_FOLDER_MAKE);
    put(file_of(CELLA_STORE_GENESIS, 0), 0, CELLA_STORE_FINISH, test_pattern(140, 7));
    return 0;
}

static int tear_down(void **state) {
    close_vault();
    test_folder_remove(&bench.folder);
    return 0;
}

/* A segment's header and records, each of which says where it belongs. */
static void record_of(uint64_t segment, uint64_t index, uint8_t out[512]) {
    memset(out, (int)(segment % 251) + 1, 512);
    memcpy(out, &segment, sizeof segment);
    memcpy(out + 8, &index, sizeof index);
}

static void write_segment(uint64_t number) {
    uint8_t record[512];
    for (uint64_t i = 0; i < RECORDS; i++) {
        record_of(number, i, record);
        put(file_of(CELLA_STORE_SEGMENT, number), 512 * i, CELLA_STORE_FLUSH, CELLA_BYTES(record, 512));
    }
}

/* As a vault does: the next segment begins, the snapshot is written, what it replaces goes. */
static void *serve(void *ignored) {
    uint8_t record[512];
    for (uint64_t number = 2; !atomic_load(&bench.stop); number++) {
        record_of(number, 0, record);
        put(file_of(CELLA_STORE_SEGMENT, number), 0, CELLA_STORE_FLUSH, CELLA_BYTES(record, 512));
        put(file_of(CELLA_STORE_SNAPSHOT, number - 1), 0, CELLA_STORE_FINISH, test_pattern(3000, 1));
        for (uint64_t i = 1; i < RECORDS; i++) {
            record_of(number, i, record);
            put(file_of(CELLA_STORE_SEGMENT, number), 512 * i, CELLA_STORE_FLUSH, CELLA_BYTES(record, 512));
        }
        assert_status(cella_storage_remove(bench.storage, file_of(CELLA_STORE_SEGMENT, number - 1), NULL),
                      CELLA_OK);
        assert_status(cella_storage_remove(bench.storage, file_of(CELLA_STORE_SNAPSHOT, number - 1), NULL),
                      CELLA_OK);
        atomic_fetch_add(&bench.rotations, 1);
    }
    return NULL;
}

struct found {
    struct cella_disk_posix *posix;
    uint64_t snapshot, first, last, segments;
};

static void note(void *visitor, const char *name, uint64_t size) {
    struct found *found = visitor;
    struct cella_store_file file;
    assert_true(cella_storage_parse_name(name, &file));
    if (file.kind == CELLA_STORE_SNAPSHOT && file.number > found->snapshot)
        found->snapshot = file.number;
    if (file.kind != CELLA_STORE_SEGMENT)
        return;
    if (found->segments++ == 0 || file.number < found->first)
        found->first = file.number;
    if (file.number > found->last)
        found->last = file.number;
    /* Whole records from the beginning on, of this segment. */
    const struct cella_disk *disk = cella_disk_posix_disk(found->posix);
    struct cella_disk_file *opened = NULL;
    assert_status(disk->open(disk->context, name, CELLA_DISK_READ, &opened, NULL), CELLA_OK);
    assert_true(size > 0 && size % 512 == 0);
    for (uint64_t i = 0; i < size / 512; i++) {
        uint8_t bytes[512], expected[512];
        struct cella_disk_span span = {.out = bytes, .size = sizeof bytes};
        record_of(file.number, i, expected);
        assert_status(disk->read(disk->context, opened, 512 * i, &span, NULL), CELLA_OK);
        assert_memory_equal(bytes, expected, 512);
    }
    disk->close(disk->context, opened);
}

/* A snapshot and all segments behind it, or all segments. */
static void check_whole(const char *path) {
    struct found found = {.snapshot = 0};
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_LOOK, &found.posix, NULL), CELLA_OK);
    const struct cella_disk *disk = cella_disk_posix_disk(found.posix);
    assert_status(disk->list(disk->context, note, &found, NULL), CELLA_OK);
    cella_disk_posix_close(found.posix);
    assert_int_equal(found.last - found.first + 1, found.segments);
    assert_true(found.first <= found.snapshot + 1);
    assert_true(found.last > found.snapshot);
}

static void a_backup_of_a_vault_that_serves_is_a_moment_of_it(void **state) {
    struct cella_backup_facts facts;
    struct cella_error error = {.message = ""};
    pthread_t thread;
    write_segment(1);
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    for (int i = 0; i < 40; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "copy%d", i);
        const char *copy = test_path(&bench.folder, name);
        enum cella_status status = cella_backup_make(bench.vault, bench.file, false, &facts, &error);
        assert_status(status, CELLA_OK);
        assert_status(cella_backup_unpack(bench.file, copy, &error), CELLA_OK);
        check_whole(copy);
        unlink(bench.file);
    }
    while (atomic_load(&bench.rotations) < 2)
        sched_yield();
    atomic_store(&bench.stop, true);
    pthread_join(thread, NULL);
}

static void a_backup_holds_what_was_there_and_not_the_zeros(void **state) {
    struct cella_backup_facts facts, again;
    struct cella_error error = {.message = ""};
    uint8_t id[CELLA_SHA256_SIZE];
    write_segment(1);
    put(file_of(CELLA_STORE_HISTORY, 0), 0, CELLA_STORE_FLUSH, test_pattern(6400, 3));
    put(file_of(CELLA_STORE_EVIDENCE, 1), 0, CELLA_STORE_FINISH, test_pattern(700, 4));
    test_write_file(test_path(&bench.folder, "vault/restore"), test_pattern(100, 5));
    assert_status(cella_backup_make(bench.vault, bench.file, false, &facts, &error), CELLA_OK);
    cella_sha256(test_pattern(140, 7).data, 140, id);
    assert_memory_equal(facts.vault_id, id, sizeof id);
    assert_int_equal(facts.files, 4);
    assert_int_equal(facts.segments, 1);
    assert_int_equal(facts.bytes, 140 + 512 * RECORDS + 6400 + 700);
    assert_status(cella_backup_check(bench.file, &again, &error), CELLA_OK);
    assert_memory_equal(&facts, &again, sizeof facts);
    const char *copy = test_path(&bench.folder, "copy");
    assert_status(cella_backup_unpack(bench.file, copy, &error), CELLA_OK);
    assert_int_equal(test_folder_count(copy), 4);
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(test_path(&bench.folder, "copy/history"), 10000, &data, &size, &error),
                  CELLA_OK);
    assert_bytes(CELLA_BYTES(data, size), test_pattern(6400, 3));
    free(data);
}

static void nothing_is_overwritten(void **state) {
    struct cella_backup_facts facts;
    struct cella_error error = {.message = ""};
    write_segment(1);
    test_write_file(bench.file, test_pattern(10, 1));
    assert_status(cella_backup_make(bench.vault, bench.file, false, &facts, &error), CELLA_EXISTS);
    unlink(bench.file);
    assert_status(cella_backup_make(bench.vault, bench.file, true, &facts, &error), CELLA_OK);
    assert_int_equal(access(bench.file, F_OK), -1);
    assert_status(cella_backup_make(bench.vault, bench.file, false, &facts, &error), CELLA_OK);
    assert_status(cella_backup_unpack(bench.file, bench.vault, &error), CELLA_EXISTS);
    const char *empty = test_path(&bench.folder, "empty");
    struct cella_disk_posix *posix = NULL;
    assert_status(cella_disk_posix_open(empty, CELLA_DISK_FOLDER_MAKE, &posix, NULL), CELLA_OK);
    cella_disk_posix_close(posix);
    assert_status(cella_backup_make(empty, test_path(&bench.folder, "other"), false, &facts, &error),
                  CELLA_VAULT_MISSING);
    assert_status(cella_backup_make("/no/folder", test_path(&bench.folder, "other"), false, &facts, &error),
                  CELLA_NOT_FOUND);
}

static bool accepts(void *context, struct cella_bytes bytes) {
    const char *path = test_path(&bench.folder, "changed");
    struct cella_error error = {.message = ""};
    unlink(path);
    test_write_file(path, bytes);
    return cella_backup_check(path, NULL, &error) == CELLA_OK;
}

static void a_damaged_backup_is_refused_and_leaves_nothing(void **state) {
    struct cella_backup_facts facts;
    struct cella_error error = {.message = ""};
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_backup_make(bench.vault, bench.file, false, &facts, &error), CELLA_OK);
    assert_status(cella_file_read(bench.file, 1 << 20, &data, &size, &error), CELLA_OK);
    struct cella_bytes good = CELLA_BYTES(data, size);
    test_truncations_refused(good, accepts, NULL);
    test_extension_refused(good, accepts, NULL);
    test_bit_flips_refused(good, accepts, NULL);
    data[600] ^= 1;
    test_write_file(test_path(&bench.folder, "bad"), good);
    assert_status(
        cella_backup_unpack(test_path(&bench.folder, "bad"), test_path(&bench.folder, "copy"), &error),
        CELLA_DAMAGED);
    assert_int_equal(access(test_path(&bench.folder, "copy"), F_OK), -1);
    assert_int_equal(access(test_path(&bench.folder, "copy.new"), F_OK), -1);
    free(data);
}

static void sizes_of_every_magnitude_have_one_header(void **state) {
    static const uint64_t sizes[] = {0, 1, 511, 512, 07777, (1ull << 33) - 1, 1ull << 33, 1ull << 50};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t block[CELLA_TAR_BLOCK];
        char name[CELLA_TAR_NAME_MAX];
        uint64_t size = 0;
        cella_tar_header_write("segment-0000000000000001", sizes[i], block);
        assert_true(cella_tar_header_read(block, name, &size));
        assert_int_equal(size, sizes[i]);
        assert_string_equal(name, "segment-0000000000000001");
    }
    assert_int_equal(cella_tar_padding(0), 0);
    assert_int_equal(cella_tar_padding(1), 511);
    assert_int_equal(cella_tar_padding(512), 0);
}

/* tests/vectors/backup.tar is made by tests/vectors/backup.py with Python's own tar. */
static void the_worked_example_is_read(void **state) {
    struct cella_backup_facts facts;
    struct cella_error error = {.message = ""};
    test_write_file(bench.file, test_vector("backup.tar"));
    assert_status(cella_backup_check(bench.file, &facts, &error), CELLA_OK);
    assert_int_equal(facts.files, 4);
    assert_int_equal(facts.segments, 1);
    assert_int_equal(facts.snapshot, 0x1811);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_backup_of_a_vault_that_serves_is_a_moment_of_it),
        TEST(a_backup_holds_what_was_there_and_not_the_zeros),
        TEST(nothing_is_overwritten),
        TEST(a_damaged_backup_is_refused_and_leaves_nothing),
        TEST(sizes_of_every_magnitude_have_one_header),
        TEST(the_worked_example_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
