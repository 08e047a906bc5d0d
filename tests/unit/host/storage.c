/* A vault's sealed bytes on a real folder and on a disk that fails, lies and forgets. */
#include "host/storage.h"
#include "support/fault_disk.h"
#include "support/test.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOLD = 4096 };

/* What the storage told, in order. */
struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
    struct {
        uint64_t id;
        enum cella_status status;
    } each[TOLD];
    unsigned troubles, recoveries;
};

static struct told told;
static struct fault_disk *faulty;
static struct cella_storage *storage;

static void on_written(void *context, struct cella_storage_ticket ticket, enum cella_status status) {
    pthread_mutex_lock(&told.lock);
    assert_true(told.count < TOLD);
    told.each[told.count].id = ticket.id;
    told.each[told.count++].status = status;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.lock);
}

static void on_changed(void *context, enum cella_status status, const char *message) {
    pthread_mutex_lock(&told.lock);
    told.troubles += status != CELLA_OK;
    told.recoveries += status == CELLA_OK;
    pthread_cond_broadcast(&told.changed);
    pthread_mutex_unlock(&told.lock);
}

/* Waits until `id` is told; returns the newest status of it. */
static enum cella_status await_told(uint64_t id, enum cella_status wanted) {
    pthread_mutex_lock(&told.lock);
    for (;;) {
        for (size_t i = 0; i < told.count; i++)
            if (told.each[i].id == id && told.each[i].status == wanted) {
                pthread_mutex_unlock(&told.lock);
                return wanted;
            }
        pthread_cond_wait(&told.changed, &told.lock);
    }
}

static void await_recoveries(unsigned count) {
    pthread_mutex_lock(&told.lock);
    while (told.recoveries < count)
        pthread_cond_wait(&told.changed, &told.lock);
    pthread_mutex_unlock(&told.lock);
}

static size_t count_told(uint64_t id) {
    size_t count = 0;
    pthread_mutex_lock(&told.lock);
    for (size_t i = 0; i < told.count; i++)
        count += told.each[i].id == id;
    pthread_mutex_unlock(&told.lock);
    return count;
}

static void open_on(const struct cella_disk *disk) {
    struct cella_error error = {.message = ""};
    struct cella_storage_options options = {
        .disk = disk, .written = on_written, .changed = on_changed, .retry_ms = 1};
    assert_status(cella_storage_open(&options, &storage, &error), CELLA_OK);
}

static int set_up(void **state) {
    memset(&told, 0, sizeof told);
    pthread_mutex_init(&told.lock, NULL);
    pthread_cond_init(&told.changed, NULL);
    faulty = fault_disk_new(7, 0);
    open_on(fault_disk_disk(faulty));
    return 0;
}

static int tear_down(void **state) {
    cella_storage_close(storage);
    storage = NULL;
    fault_disk_free(faulty);
    return 0;
}

static const struct cella_store_file genesis = {CELLA_STORE_GENESIS, 0};
static const struct cella_store_file history = {CELLA_STORE_HISTORY, 0};
static struct cella_store_file segment(uint64_t number) {
    return (struct cella_store_file){CELLA_STORE_SEGMENT, number};
}
static struct cella_store_file snapshot(uint64_t number) {
    return (struct cella_store_file){CELLA_STORE_SNAPSHOT, number};
}

struct piece {
    struct cella_store_file file;
    uint64_t offset;
    unsigned flags;
    uint64_t id; /* 0: nobody is told */
    struct cella_bytes bytes;
};
/* Beside the flags of the store. */
enum { HERE = 0x100, ONCE = 0x200 };

static enum cella_status put(struct piece piece) {
    struct cella_storage_write write = {.file = piece.file,
                                        .offset = piece.offset,
                                        .flags = piece.flags & ~(unsigned)(HERE | ONCE),
                                        .bytes = piece.bytes,
                                        .ticket = {.id = piece.id},
                                        .told = piece.id != 0,
                                        .once = (piece.flags & ONCE) != 0,
                                        .here = (piece.flags & HERE) != 0};
    struct cella_error error = {.message = ""};
    return cella_storage_write(storage, &write, &error);
}

static void put_well(struct piece piece) {
    assert_status(put(piece), CELLA_OK);
    assert_status(await_told(piece.id, CELLA_OK), CELLA_OK);
}

static struct cella_bytes get(struct cella_store_file file, uint64_t offset, size_t size) {
    static uint8_t buffer[CELLA_STORAGE_READ_MAX];
    struct cella_disk_span span = {.out = buffer, .size = size};
    struct cella_error error = {.message = ""};
    assert_status(cella_storage_read(storage, file, offset, &span, &error), CELLA_OK);
    return CELLA_BYTES(buffer, span.got);
}

static enum cella_status get_status(struct cella_store_file file) {
    uint8_t byte;
    struct cella_disk_span span = {.out = &byte, .size = 1};
    return cella_storage_read(storage, file, 0, &span, NULL);
}

struct listed {
    size_t count;
    struct cella_store_entry each[64];
};

static void note_entry(void *visitor, const struct cella_store_entry *entry) {
    struct listed *listed = visitor;
    listed->each[listed->count++] = *entry;
}

static struct listed list(void) {
    struct listed listed = {.count = 0};
    struct cella_error error = {.message = ""};
    assert_status(cella_storage_list(storage, note_entry, &listed, &error), CELLA_OK);
    return listed;
}

static void restart(void) {
    fault_disk_crash(faulty);
    cella_storage_close(storage);
    storage = NULL;
    fault_disk_restart(faulty);
    open_on(fault_disk_disk(faulty));
}

/* --- names --- */

static void a_name_and_its_file_belong_together(void **state) {
    static const struct {
        struct cella_store_file file;
        const char *name;
    } rows[] = {{{CELLA_STORE_GENESIS, 0}, "genesis"},
                {{CELLA_STORE_SEGMENT, 1}, "segment-0000000000000001"},
                {{CELLA_STORE_SNAPSHOT, UINT64_MAX}, "snapshot-ffffffffffffffff"},
                {{CELLA_STORE_HISTORY, 0}, "history"},
                {{CELLA_STORE_EVIDENCE, 0x1b}, "evidence-000000000000001b"},
                {{CELLA_STORE_RESTORE, 0}, "restore"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[CELLA_STORAGE_NAME_MAX];
        struct cella_store_file file;
        cella_storage_name(rows[i].file, name);
        assert_string_equal(name, rows[i].name);
        assert_true(cella_storage_parse_name(name, &file));
        assert_int_equal(file.kind, rows[i].file.kind);
        assert_int_equal(file.number, rows[i].file.number);
    }
}

static void other_names_are_no_files_of_a_vault(void **state) {
    static const char *const names[] = {"",
                                        "genesis.part",
                                        "Genesis",
                                        "segment",
                                        "segment-",
                                        "segment-1",
                                        "segment-000000000000000G",
                                        "segment-000000000000000A",
                                        "segment-00000000000000010",
                                        "segment-0000000000000001.part",
                                        "spare",
                                        "history-0000000000000001"};
    struct cella_store_file file;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(cella_storage_parse_name(names[i], &file));
}

/* --- what is written is read, listed and durable --- */

static void a_flushed_write_outlives_a_crash(void **state) {
    struct cella_bytes head = test_pattern(1536, 1), more = test_pattern(512, 2);
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, head});
    put_well((struct piece){segment(1), 1536, CELLA_STORE_FLUSH, 2, more});
    restart();
    assert_bytes(get(segment(1), 0, 1536), head);
    assert_bytes(get(segment(1), 1536, 512), more);
}

static void a_write_in_the_callers_thread_is_told_before_it_returns(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH | HERE, 1, test_pattern(1024, 1)});
    assert_status(put((struct piece){segment(1), 1024, CELLA_STORE_FLUSH | HERE, 2, test_pattern(512, 2)}),
                  CELLA_OK);
    assert_int_equal(count_told(2), 1);
    restart();
    assert_bytes(get(segment(1), 1024, 512), test_pattern(512, 2));
}

static void a_flush_covers_the_pieces_before_it(void **state) {
    struct cella_bytes first = test_pattern(70000, 1), second = test_pattern(50000, 2);
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1024, 9)});
    assert_status(put((struct piece){segment(1), 1024, 0, 0, first}), CELLA_OK);
    put_well((struct piece){segment(1), 71024, CELLA_STORE_FLUSH, 2, second});
    restart();
    assert_bytes(get(segment(1), 1024, 70000), first);
    assert_bytes(get(segment(1), 71024, 50000), second);
}

static void what_is_queued_is_read_already(void **state) {
    fault_disk_fail_all(faulty, FAULT_IO);
    assert_status(put((struct piece){history, 64, 0, 1, test_pattern(64, 1)}), CELLA_OK);
    await_told(1, CELLA_STORAGE_IO);
    assert_bytes(get(history, 64, 64), test_pattern(64, 1));
    assert_bytes(get(history, 96, 1000), CELLA_BYTES(test_pattern(64, 1).data + 32, 32));
    fault_disk_fail_all(faulty, FAULT_NONE);
    await_told(1, CELLA_OK);
    assert_bytes(get(history, 64, 64), test_pattern(64, 1));
}

static void files_are_listed_in_order_and_parts_are_not(void **state) {
    put_well((struct piece){snapshot(9), 0, CELLA_STORE_FINISH, 1, test_pattern(100, 1)});
    put_well((struct piece){segment(2), 0, CELLA_STORE_FLUSH, 2, test_pattern(1024, 2)});
    put_well((struct piece){segment(300), 0, CELLA_STORE_FLUSH, 3, test_pattern(1024, 3)});
    put_well((struct piece){genesis, 0, CELLA_STORE_FINISH, 4, test_pattern(200, 4)});
    put_well((struct piece){snapshot(10), 0, 0, 5, test_pattern(100, 5)});
    struct listed listed = list();
    assert_int_equal(listed.count, 4);
    assert_int_equal(listed.each[0].file.kind, CELLA_STORE_GENESIS);
    assert_int_equal(listed.each[0].size, 200);
    assert_int_equal(listed.each[1].file.number, 2);
    assert_int_equal(listed.each[2].file.number, 300);
    assert_int_equal(listed.each[3].file.number, 9);
}

static void a_snapshot_has_no_name_until_it_is_finished(void **state) {
    put_well((struct piece){snapshot(5), 0, 0, 1, test_pattern(4000, 1)});
    assert_status(get_status(snapshot(5)), CELLA_NOT_FOUND);
    put_well((struct piece){snapshot(5), 4000, CELLA_STORE_FINISH, 2, test_pattern(10, 2)});
    restart();
    assert_bytes(get(snapshot(5), 0, 4000), test_pattern(4000, 1));
    assert_bytes(get(snapshot(5), 4000, 100), test_pattern(10, 2));
}

static void half_made_files_are_gone_after_a_restart(void **state) {
    fault_disk_put(faulty, "snapshot-0000000000000005.part", test_pattern(10, 1));
    fault_disk_put(faulty, "spare", test_pattern(10, 1));
    fault_disk_put(faulty, "stranger.part", test_pattern(10, 1));
    restart();
    assert_null(fault_disk_get(faulty, "snapshot-0000000000000005.part").data);
    assert_null(fault_disk_get(faulty, "spare").data);
    assert_non_null(fault_disk_get(faulty, "stranger.part").data);
}

static void removals_take_what_they_name_and_what_is_older(void **state) {
    for (uint64_t i = 1; i <= 4; i++) {
        put_well((struct piece){segment(i), 0, CELLA_STORE_FLUSH, i, test_pattern(1024, 1)});
        put_well((struct piece){snapshot(i), 0, CELLA_STORE_FINISH, 10 + i, test_pattern(10, 1)});
    }
    fault_disk_put(faulty, "restore", test_pattern(10, 1));
    assert_status(cella_storage_remove(storage, segment(2), NULL), CELLA_OK);
    assert_status(cella_storage_remove(storage, snapshot(4), NULL), CELLA_OK);
    assert_status(cella_storage_remove(storage, (struct cella_store_file){CELLA_STORE_RESTORE, 0}, NULL),
                  CELLA_OK);
    cella_storage_close(storage);
    open_on(fault_disk_disk(faulty));
    struct listed listed = list();
    assert_int_equal(listed.count, 3);
    assert_int_equal(listed.each[0].file.number, 3);
    assert_int_equal(listed.each[1].file.number, 4);
    assert_int_equal(listed.each[2].file.kind, CELLA_STORE_SNAPSHOT);
    assert_int_equal(listed.each[2].file.number, 4);
}

static void the_segment_that_grows_is_never_removed(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1024, 1)});
    put_well((struct piece){segment(2), 0, CELLA_STORE_FLUSH, 2, test_pattern(1024, 2)});
    assert_status(cella_storage_remove(storage, segment(2), NULL), CELLA_OK);
    while (list().count > 1)
        sched_yield();
    assert_status(get_status(segment(1)), CELLA_NOT_FOUND);
    put_well((struct piece){segment(2), 1024, CELLA_STORE_FLUSH, 3, test_pattern(512, 3)});
    restart();
    assert_bytes(get(segment(2), 1024, 512), test_pattern(512, 3));
}

static void a_restart_keeps_the_history_that_was_flushed(void **state) {
    put_well((struct piece){history, 0, 0, 1, test_pattern(8192, 1)});
    put_well((struct piece){history, 8192, CELLA_STORE_FLUSH, 2, test_pattern(8192, 2)});
    put_well((struct piece){history, 16384, 0, 3, test_pattern(8192, 3)});
    restart();
    assert_int_equal(get(history, 0, 100000).size, 16384);
    put_well((struct piece){history, 8192, CELLA_STORE_FLUSH, 4, test_pattern(32, 4)});
    assert_bytes(get(history, 8192, 32), test_pattern(32, 4));
}

/* --- what nobody may write --- */

static void writes_that_no_vault_makes_are_refused(void **state) {
    struct cella_bytes bytes = test_pattern(1024, 1);
    put_well((struct piece){segment(3), 0, CELLA_STORE_FLUSH, 1, bytes});
    put_well((struct piece){genesis, 0, CELLA_STORE_FINISH, 2, bytes});
    const struct piece bad[] = {
        {segment(3), 1536, CELLA_STORE_FLUSH, 9, bytes}, /* a gap */
        {segment(3), 0, CELLA_STORE_FLUSH, 9, bytes},    /* once more */
        {segment(2), 0, CELLA_STORE_FLUSH, 9, bytes},    /* an older one */
        {segment(4), 512, CELLA_STORE_FLUSH, 9, bytes},  /* not from its beginning */
        {segment(4), 0, CELLA_STORE_FINISH, 9, bytes},
        {segment(0), 0, CELLA_STORE_FLUSH, 9, bytes},
        {snapshot(4), 10, 0, 9, bytes},
        {snapshot(4), 0, 8, 9, bytes},
        {history, 0, CELLA_STORE_FINISH, 9, bytes},
        {history, UINT64_MAX - 5, 0, 9, bytes},
        {{CELLA_STORE_HISTORY, 1}, 0, 0, 9, bytes},
        {{CELLA_STORE_GENESIS, 1}, 0, CELLA_STORE_FINISH, 9, bytes},
        {{CELLA_STORE_EVIDENCE, 0}, 0, CELLA_STORE_FINISH, 9, bytes},
        {{CELLA_STORE_RESTORE, 0}, 0, CELLA_STORE_FINISH, 9, bytes},
        {{(enum cella_store_kind)0, 0}, 0, 0, 9, bytes},
        {{(enum cella_store_kind)7, 0}, 0, 0, 9, bytes},
        {history, 0, 0, 9, CELLA_BYTES(bytes.data, CELLA_STORAGE_READ_MAX + 1)},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_status(put(bad[i]), CELLA_ARGUMENT);
    assert_int_equal(count_told(9), 0);
}

static void a_genesis_is_never_overwritten(void **state) {
    put_well((struct piece){genesis, 0, CELLA_STORE_FINISH, 1, test_pattern(100, 1)});
    restart();
    assert_status(put((struct piece){genesis, 0, CELLA_STORE_FINISH | ONCE, 2, test_pattern(100, 2)}),
                  CELLA_OK);
    await_told(2, CELLA_EXISTS);
    assert_bytes(get(genesis, 0, 100), test_pattern(100, 1));
}

static void only_some_kinds_are_removed(void **state) {
    static const enum cella_store_kind kinds[] = {CELLA_STORE_GENESIS, CELLA_STORE_HISTORY,
                                                  CELLA_STORE_EVIDENCE, (enum cella_store_kind)9};
    for (size_t i = 0; i < 4; i++)
        assert_status(cella_storage_remove(storage, (struct cella_store_file){kinds[i], 1}, NULL),
                      CELLA_ARGUMENT);
}

static void a_storage_that_only_looks_writes_nothing(void **state) {
    fault_disk_put(faulty, "spare", test_pattern(10, 1));
    fault_disk_put(faulty, "genesis", test_pattern(10, 1));
    cella_storage_close(storage);
    struct cella_storage_options options = {
        .disk = fault_disk_disk(faulty), .written = on_written, .read_only = true};
    uint64_t before = fault_disk_points(faulty);
    assert_status(cella_storage_open(&options, &storage, NULL), CELLA_OK);
    assert_status(put((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 9, test_pattern(1024, 1)}),
                  CELLA_ARGUMENT);
    assert_status(cella_storage_remove(storage, segment(1), NULL), CELLA_ARGUMENT);
    assert_int_equal(fault_disk_points(faulty), before);
    assert_bytes(get(genesis, 0, 10), test_pattern(10, 1));
}

/* --- a disk that fails --- */

static void each_failure_has_its_status(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1024, 1)});
    fault_disk_fail_all(faulty, FAULT_IO);
    assert_status(put((struct piece){segment(1), 1024, CELLA_STORE_FLUSH, 2, test_pattern(512, 2)}),
                  CELLA_OK);
    await_told(2, CELLA_STORAGE_IO);
    fault_disk_fail_all(faulty, FAULT_NONE);
    await_recoveries(1);
    fault_disk_set_read_only(faulty, true);
    assert_status(put((struct piece){segment(1), 1536, CELLA_STORE_FLUSH, 3, test_pattern(512, 3)}),
                  CELLA_OK);
    await_told(3, CELLA_STORAGE_READ_ONLY);
    fault_disk_set_read_only(faulty, false);
    await_recoveries(2);
    fault_disk_fail_all(faulty, FAULT_FULL);
    struct cella_bytes large = test_pattern(CELLA_STORAGE_READ_MAX, 4);
    assert_status(put((struct piece){segment(1), 2048, CELLA_STORE_FLUSH, 4, large}), CELLA_OK);
    await_told(4, CELLA_STORAGE_FULL);
    struct cella_storage_counts counts;
    cella_storage_count(storage, &counts);
    assert_status(counts.status, CELLA_STORAGE_FULL);
    fault_disk_fail_all(faulty, FAULT_NONE);
    await_recoveries(3);
    restart();
    assert_bytes(get(segment(1), 1024, 512), test_pattern(512, 2));
    assert_bytes(get(segment(1), 1536, 512), test_pattern(512, 3));
    assert_bytes(get(segment(1), 2048, large.size), large);
    assert_int_equal(told.troubles, 3);
    assert_int_equal(told.recoveries, 3);
}

static void a_failed_flush_rewrites_everything_since_the_last(void **state) {
    put_well((struct piece){history, 0, CELLA_STORE_FLUSH, 1, test_pattern(64, 1)});
    for (uint64_t i = 1; i < 20; i++)
        put_well((struct piece){history, 64 * i, 0, 100 + i, test_pattern(64, 100 + (uint32_t)i)});
    /* The write succeeds and its flush fails, by which the disk forgets all twenty. */
    fault_disk_strike(faulty, fault_disk_points(faulty) + 2, FAULT_IO);
    assert_status(put((struct piece){history, 64 * 20, CELLA_STORE_FLUSH, 2, test_pattern(64, 120)}),
                  CELLA_OK);
    await_told(2, CELLA_OK);
    assert_int_equal(count_told(2), 2);
    restart();
    for (uint64_t i = 1; i <= 20; i++)
        assert_bytes(get(history, 64 * i, 64), test_pattern(64, 100 + (uint32_t)i));
}

static void writes_behind_a_failed_one_stay_in_order(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1024, 1)});
    fault_disk_fail_all(faulty, FAULT_IO);
    for (uint64_t i = 0; i < 5; i++)
        assert_status(put((struct piece){segment(1), 1024 + 512 * i, CELLA_STORE_FLUSH, 10 + i,
                                         test_pattern(512, 10 + (uint32_t)i)}),
                      CELLA_OK);
    for (uint64_t i = 0; i < 5; i++)
        await_told(10 + i, CELLA_STORAGE_IO);
    fault_disk_fail_all(faulty, FAULT_NONE);
    await_told(14, CELLA_OK);
    uint64_t next = 10;
    for (size_t i = 0; i < told.count; i++)
        if (told.each[i].id >= 10 && told.each[i].status == CELLA_OK)
            assert_int_equal(told.each[i].id, next++);
    assert_int_equal(next, 15);
    restart();
    for (uint32_t i = 0; i < 5; i++)
        assert_bytes(get(segment(1), 1024 + 512 * i, 512), test_pattern(512, 10 + i));
}

static void the_next_segment_waits_for_the_one_before(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1024, 1)});
    fault_disk_fail_all(faulty, FAULT_IO);
    assert_status(put((struct piece){segment(1), 1024, CELLA_STORE_FLUSH, 2, test_pattern(512, 2)}),
                  CELLA_OK);
    await_told(2, CELLA_STORAGE_IO);
    assert_status(put((struct piece){segment(2), 0, CELLA_STORE_FLUSH, 3, test_pattern(1024, 3)}), CELLA_OK);
    fault_disk_fail_all(faulty, FAULT_NONE);
    await_told(3, CELLA_OK);
    size_t first = TOLD, second = TOLD;
    for (size_t i = 0; i < told.count; i++) {
        if (told.each[i].id == 2 && told.each[i].status == CELLA_OK)
            first = i;
        if (told.each[i].id == 3)
            second = second == TOLD ? i : second;
    }
    assert_true(first < second);
}

static void a_write_before_serving_fails_once_and_for_all(void **state) {
    fault_disk_fail_all(faulty, FAULT_IO);
    struct cella_bytes bytes = test_pattern(1024, 1);
    assert_status(put((struct piece){segment(1), 0, 0, 0, bytes}), CELLA_OK);
    assert_status(put((struct piece){segment(1), 1024, CELLA_STORE_FLUSH | ONCE, 2, bytes}), CELLA_OK);
    await_told(2, CELLA_STORAGE_IO);
    fault_disk_fail_all(faulty, FAULT_NONE);
    assert_status(put((struct piece){history, 0, CELLA_STORE_FLUSH, 3, bytes}), CELLA_OK);
    await_told(3, CELLA_OK);
    assert_int_equal(count_told(2), 1);
    assert_int_equal(list().count, 1);
    struct cella_storage_counts counts;
    cella_storage_count(storage, &counts);
    assert_status(counts.status, CELLA_OK);
    assert_int_equal(counts.queued_bytes, 0);
}

static void a_snapshot_that_fails_is_given_up_and_may_begin_again(void **state) {
    struct cella_bytes bytes = test_pattern(4096, 1);
    put_well((struct piece){snapshot(8), 0, 0, 1, bytes});
    fault_disk_fail_all(faulty, FAULT_FULL);
    assert_status(put((struct piece){snapshot(8), 4096, 0, 2, bytes}), CELLA_OK);
    await_told(2, CELLA_STORAGE_FULL);
    assert_null(fault_disk_get(faulty, "snapshot-0000000000000008.part").data);
    fault_disk_fail_all(faulty, FAULT_NONE);
    /* Pieces that were under way. */
    assert_status(put((struct piece){snapshot(8), 8192, CELLA_STORE_FINISH, 3, bytes}), CELLA_OK);
    await_told(3, CELLA_STORAGE_FULL);
    put_well((struct piece){snapshot(8), 0, CELLA_STORE_FINISH, 4, bytes});
    restart();
    assert_bytes(get(snapshot(8), 0, 4096), bytes);
}

static void evidence_is_kept_until_the_disk_takes_it(void **state) {
    struct cella_store_file evidence = {CELLA_STORE_EVIDENCE, 1};
    struct cella_bytes bytes = test_pattern(600, 1);
    fault_disk_fail_all(faulty, FAULT_FULL);
    assert_status(put((struct piece){evidence, 0, CELLA_STORE_FINISH, 1, bytes}), CELLA_OK);
    await_told(1, CELLA_STORAGE_FULL);
    fault_disk_fail_all(faulty, FAULT_NONE);
    await_told(1, CELLA_OK);
    restart();
    assert_bytes(get(evidence, 0, 600), bytes);
}

static void a_write_of_nothing_is_refused(void **state) {
    assert_status(put((struct piece){history, 0, 0, 1, CELLA_BYTES(NULL, 0)}), CELLA_ARGUMENT);
    assert_status(put((struct piece){history, 0, CELLA_STORE_FLUSH, 1, CELLA_BYTES(NULL, 0)}),
                  CELLA_ARGUMENT);
}

static void a_queue_that_grows_too_large_is_refused(void **state) {
    cella_storage_close(storage);
    struct cella_storage_options options = {.disk = fault_disk_disk(faulty),
                                            .written = on_written,
                                            .retry_ms = 1,
                                            .queue_limit = 4096 + 2 * CELLA_STORAGE_WRITE_COST};
    assert_status(cella_storage_open(&options, &storage, NULL), CELLA_OK);
    fault_disk_fail_all(faulty, FAULT_IO);
    assert_status(put((struct piece){history, 0, 0, 1, test_pattern(4000, 1)}), CELLA_OK);
    assert_status(put((struct piece){history, 4000, 0, 2, test_pattern(97, 1)}), CELLA_LIMIT);
    assert_status(put((struct piece){history, 4000, 0, 3, test_pattern(96, 1)}), CELLA_OK);
}

/* --- zeros ahead --- */

static void await_size(struct cella_store_file file, uint64_t size) {
    for (;;) {
        struct listed listed = list();
        for (size_t i = 0; i < listed.count; i++)
            if (listed.each[i].file.number == file.number && listed.each[i].size >= size)
                return;
        sched_yield();
    }
}

static void zeros_lie_ahead_of_a_segment_and_go_with_its_end(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1536, 1)});
    await_size(segment(1), 1536 + (256 << 10));
    struct cella_bytes ahead = get(segment(1), 1536, 256 << 10);
    for (size_t i = 0; i < ahead.size; i++)
        assert_int_equal(ahead.data[i], 0);
    put_well((struct piece){segment(1), 1536, CELLA_STORE_FLUSH, 2, test_pattern(512, 2)});
    cella_storage_close(storage);
    open_on(fault_disk_disk(faulty));
    assert_int_equal(list().each[0].size, 2048);
}

static void prepared_zeros_never_cover_what_was_written(void **state) {
    uint64_t offset = 1024;
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1024, 1)});
    for (uint32_t i = 0; i < 400; i++) {
        size_t size = 512 * (1 + i % 37 * (i % 5));
        put_well((struct piece){segment(1), offset, CELLA_STORE_FLUSH | (i % 2 == 0 ? HERE : 0), 10 + i,
                                test_pattern(size, i)});
        offset += size;
    }
    restart();
    offset = 1024;
    for (uint32_t i = 0; i < 400; i++) {
        size_t size = 512 * (1 + i % 37 * (i % 5));
        assert_bytes(get(segment(1), offset, size), test_pattern(size, i));
        offset += size;
    }
}

static void the_next_segment_is_made_ready_before_it_is_asked_for(void **state) {
    struct cella_bytes large = test_pattern(CELLA_STORAGE_READ_MAX, 1);
    uint64_t number = 0, id = 0, size = 0;
    /* Between the file's being whole and the storage's knowing it there is a moment. */
    while (size < 4 << 20) {
        put_well((struct piece){segment(++number), 0, CELLA_STORE_FLUSH, ++id, large});
        put_well((struct piece){segment(number), large.size, CELLA_STORE_FLUSH, ++id, large});
        while (fault_disk_get(faulty, "spare").size < 4 << 20)
            sched_yield();
        put_well((struct piece){segment(++number), 0, CELLA_STORE_FLUSH, ++id, test_pattern(1024, 3)});
        struct listed listed = list();
        size = listed.each[listed.count - 1].size;
        assert_true(number < 20);
    }
    restart();
    assert_bytes(get(segment(number), 0, 1024), test_pattern(1024, 3));
}

static void a_full_disk_under_the_zeros_stops_nothing(void **state) {
    put_well((struct piece){segment(1), 0, CELLA_STORE_FLUSH, 1, test_pattern(1536, 1)});
    await_size(segment(1), 1536 + (256 << 10));
    fault_disk_fail_all(faulty, FAULT_FULL);
    /* What is prepared can be written still. */
    for (uint32_t i = 0; i < 500; i++)
        put_well((struct piece){segment(1), 1536 + 512 * i, CELLA_STORE_FLUSH, 10 + i, test_pattern(512, i)});
    assert_int_equal(told.troubles, 0);
}

/* --- crashes at every operation --- */

/* A small life of a vault; returns how many of its writes were told as done. */
static uint64_t live(void) {
    static const struct cella_bytes none = {NULL, 0};
    struct cella_bytes bytes = test_pattern(1024, 1);
    const struct piece pieces[] = {
        {genesis, 0, CELLA_STORE_FINISH | ONCE, 1, bytes},
        {segment(1), 0, CELLA_STORE_FLUSH | ONCE, 2, bytes},
        {segment(1), 1024, CELLA_STORE_FLUSH | HERE, 3, bytes},
        {segment(1), 2048, CELLA_STORE_FLUSH, 4, bytes},
        {history, 0, CELLA_STORE_FLUSH, 5, bytes},
        {segment(2), 0, CELLA_STORE_FLUSH | HERE, 6, bytes},
        {snapshot(3), 0, 0, 7, bytes},
        {snapshot(3), 1024, CELLA_STORE_FINISH, 8, none},
        {segment(2), 1024, CELLA_STORE_FLUSH, 9, bytes},
    };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (put(pieces[i]) != CELLA_OK)
            return pieces[i].id - 1;
        pthread_mutex_lock(&told.lock);
        while (told.count == 0 || told.each[told.count - 1].id != pieces[i].id)
            pthread_cond_wait(&told.changed, &told.lock);
        bool good = told.each[told.count - 1].status == CELLA_OK;
        pthread_mutex_unlock(&told.lock);
        if (!good)
            return pieces[i].id - 1;
    }
    (void)cella_storage_remove(storage, segment(1), NULL);
    return 9;
}

static bool is_there(struct cella_store_file file, uint64_t offset) {
    uint8_t buffer[1024];
    struct cella_disk_span span = {.out = buffer, .size = sizeof buffer};
    return cella_storage_read(storage, file, offset, &span, NULL) == CELLA_OK && span.got == sizeof buffer &&
           memcmp(buffer, test_pattern(1024, 1).data, 1024) == 0;
}

/* Whatever was told is there; whatever has a name is whole. */
static void check_life(uint64_t told_count) {
    struct listed listed = list();
    for (size_t i = 0; i < listed.count; i++)
        if (listed.each[i].file.kind != CELLA_STORE_HISTORY)
            assert_true(is_there(listed.each[i].file, 0));
    if (told_count >= 1)
        assert_true(is_there(genesis, 0));
    /* The last thing that happens is the removal of the first segment. */
    if (told_count >= 2 && told_count < 9)
        assert_true(is_there(segment(1), 0));
    if (told_count >= 3 && told_count < 9)
        assert_true(is_there(segment(1), 1024));
    if (told_count >= 4 && told_count < 9)
        assert_true(is_there(segment(1), 2048));
    if (told_count >= 5)
        assert_true(is_there(history, 0));
    if (told_count >= 6)
        assert_true(is_there(segment(2), 0));
    if (told_count >= 8)
        assert_true(is_there(snapshot(3), 0));
    if (told_count >= 9)
        assert_true(is_there(segment(2), 1024));
}

static void nothing_that_was_told_is_lost_in_a_crash_at_any_point(void **state) {
    static const enum fault_disk_fault cuts[] = {FAULT_CRASH, FAULT_CRASH_HALF, FAULT_CRASH_DONE};
    unsigned cases = 0;
    for (uint64_t point = 1; point <= 48; point++)
        for (size_t cut = 0; cut < 3; cut++)
            for (unsigned crash = 0; crash < 16; crash += 5) {
                cella_storage_close(storage);
                fault_disk_free(faulty);
                faulty = fault_disk_new(point * 100 + crash, crash);
                told.count = 0;
                open_on(fault_disk_disk(faulty));
                fault_disk_strike(faulty, point, cuts[cut]);
                uint64_t count = live();
                restart();
                check_life(count);
                cases++;
            }
    assert_int_equal(cases, 48 * 3 * 4);
}

static void one_failing_operation_delays_but_loses_nothing(void **state) {
    static const enum fault_disk_fault faults[] = {FAULT_IO, FAULT_FULL};
    for (uint64_t point = 1; point <= 48; point++)
        for (size_t fault = 0; fault < 2; fault++) {
            cella_storage_close(storage);
            fault_disk_free(faulty);
            faulty = fault_disk_new(point, 0);
            told.count = 0;
            open_on(fault_disk_disk(faulty));
            fault_disk_strike(faulty, point, faults[fault]);
            uint64_t count = live();
            restart();
            check_life(count);
        }
}

/* --- a real folder --- */

static void a_real_folder_holds_it_all(void **state) {
    struct test_folder folder;
    test_folder_make(&folder);
    struct cella_disk_posix *posix = NULL;
    struct cella_error error = {.message = ""};
    cella_storage_close(storage);
    assert_status(cella_disk_posix_open(test_path(&folder, "vault"), CELLA_DISK_FOLDER_MAKE, &posix, &error),
                  CELLA_OK);
    open_on(cella_disk_posix_disk(posix));
    assert_int_equal(live(), 9);
    cella_storage_close(storage);
    storage = NULL;
    cella_disk_posix_close(posix);
    struct stat info;
    assert_int_equal(stat(test_path(&folder, "vault"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(test_path(&folder, "vault/segment-0000000000000002"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 2048);
    assert_int_equal(test_folder_count(test_path(&folder, "vault")), 4);
    assert_status(cella_disk_posix_open(test_path(&folder, "vault"), CELLA_DISK_FOLDER_OPEN, &posix, &error),
                  CELLA_OK);
    open_on(cella_disk_posix_disk(posix));
    check_life(9);
    cella_storage_close(storage);
    storage = NULL;
    cella_disk_posix_close(posix);
    test_folder_remove(&folder);
}

static void a_folder_has_one_owner_and_any_number_of_lookers(void **state) {
    struct test_folder folder;
    test_folder_make(&folder);
    const char *path = test_path(&folder, "vault");
    struct cella_disk_posix *first = NULL, *second = NULL;
    struct cella_error error = {.message = ""};
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_OPEN, &first, &error), CELLA_NOT_FOUND);
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_MAKE, &first, &error), CELLA_OK);
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_MAKE, &second, &error), CELLA_EXISTS);
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_OPEN, &second, &error), CELLA_VAULT_BUSY);
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_LOOK, &second, &error), CELLA_OK);
    cella_disk_posix_close(second);
    cella_disk_posix_close(first);
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_OPEN, &first, &error), CELLA_OK);
    /* The lock goes with the folder. */
    assert_status(cella_disk_posix_move(first, test_path(&folder, "moved"), &error), CELLA_OK);
    assert_status(cella_disk_posix_open(test_path(&folder, "moved"), CELLA_DISK_FOLDER_OPEN, &second, &error),
                  CELLA_VAULT_BUSY);
    cella_disk_posix_close(first);
    test_folder_remove(&folder);
}

static void symbolic_links_are_not_followed(void **state) {
    struct test_folder folder;
    test_folder_make(&folder);
    const char *path = test_path(&folder, "vault");
    struct cella_disk_posix *posix = NULL;
    struct cella_error error = {.message = ""};
    struct cella_disk_file *file = NULL;
    assert_status(cella_disk_posix_open(path, CELLA_DISK_FOLDER_MAKE, &posix, &error), CELLA_OK);
    test_write_file(test_path(&folder, "secret"), test_pattern(10, 1));
    assert_int_equal(symlink("../secret", test_path(&folder, "vault/genesis")), 0);
    const struct cella_disk *disk = cella_disk_posix_disk(posix);
    assert_status(disk->open(disk->context, "genesis", CELLA_DISK_READ, &file, &error), CELLA_STORAGE_IO);
    assert_status(disk->open(disk->context, "genesis", CELLA_DISK_CREATE, &file, &error), CELLA_EXISTS);
    cella_disk_posix_close(posix);
    assert_int_equal(symlink("vault", test_path(&folder, "link")), 0);
    assert_int_not_equal(
        cella_disk_posix_open(test_path(&folder, "link"), CELLA_DISK_FOLDER_OPEN, &posix, &error), CELLA_OK);
    test_folder_remove(&folder);
}

static void nothing_is_renamed_over_what_is_there(void **state) {
    struct test_folder folder;
    test_folder_make(&folder);
    struct cella_disk_posix *posix = NULL;
    struct cella_error error = {.message = ""};
    assert_status(cella_disk_posix_open(test_path(&folder, "vault"), CELLA_DISK_FOLDER_MAKE, &posix, &error),
                  CELLA_OK);
    test_write_file(test_path(&folder, "vault/a"), test_pattern(10, 1));
    test_write_file(test_path(&folder, "vault/b"), test_pattern(10, 2));
    const struct cella_disk *disk = cella_disk_posix_disk(posix);
    assert_status(disk->rename(disk->context, "a", "b", &error), CELLA_EXISTS);
    assert_status(disk->rename(disk->context, "a", "c", &error), CELLA_OK);
    assert_status(cella_disk_posix_move(posix, test_path(&folder, "vault"), &error), CELLA_EXISTS);
    cella_disk_posix_close(posix);
    test_folder_remove(&folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_and_its_file_belong_together),
        TEST(other_names_are_no_files_of_a_vault),
        TEST(a_flushed_write_outlives_a_crash),
        TEST(a_write_in_the_callers_thread_is_told_before_it_returns),
        TEST(a_flush_covers_the_pieces_before_it),
        TEST(what_is_queued_is_read_already),
        TEST(files_are_listed_in_order_and_parts_are_not),
        TEST(a_snapshot_has_no_name_until_it_is_finished),
        TEST(half_made_files_are_gone_after_a_restart),
        TEST(removals_take_what_they_name_and_what_is_older),
        TEST(the_segment_that_grows_is_never_removed),
        TEST(a_restart_keeps_the_history_that_was_flushed),
        TEST(writes_that_no_vault_makes_are_refused),
        TEST(a_genesis_is_never_overwritten),
        TEST(only_some_kinds_are_removed),
        TEST(a_storage_that_only_looks_writes_nothing),
        TEST(each_failure_has_its_status),
        TEST(a_failed_flush_rewrites_everything_since_the_last),
        TEST(writes_behind_a_failed_one_stay_in_order),
        TEST(the_next_segment_waits_for_the_one_before),
        TEST(a_write_before_serving_fails_once_and_for_all),
        TEST(a_snapshot_that_fails_is_given_up_and_may_begin_again),
        TEST(evidence_is_kept_until_the_disk_takes_it),
        TEST(a_write_of_nothing_is_refused),
        TEST(a_queue_that_grows_too_large_is_refused),
        TEST(zeros_lie_ahead_of_a_segment_and_go_with_its_end),
        TEST(prepared_zeros_never_cover_what_was_written),
        TEST(the_next_segment_is_made_ready_before_it_is_asked_for),
        TEST(a_full_disk_under_the_zeros_stops_nothing),
        TEST(nothing_that_was_told_is_lost_in_a_crash_at_any_point),
        TEST(one_failing_operation_delays_but_loses_nothing),
        TEST(a_real_folder_holds_it_all),
        TEST(a_folder_has_one_owner_and_any_number_of_lookers),
        TEST(symbolic_links_are_not_followed),
        TEST(nothing_is_renamed_over_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
