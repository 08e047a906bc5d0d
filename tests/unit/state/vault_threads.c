/* Many threads on one vault: writers, readers, and a disk that tells of writes from a thread of its own. */
#include "support/vault_case.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 4, READERS = 2, COMMITS = 3000, WAITING_MAX = 32 };

/* The tests' store with a lock around it; a thread does the writes. */
struct shared {
    struct test_vault *vault;
    const struct cella_store *inner;
    struct cella_store face;
    pthread_mutex_t lock; /* of the inner store */
    atomic_bool over;
    struct queued_write *first, *last;
    atomic_uint left; /* writers at work */
};

/* What the vault gave; the disk's thread takes it. */
struct queued_write {
    struct queued_write *next;
    uint64_t id;
    struct cella_store_write write;
    struct cella_bytes part;
};

static void shared_write(void *context, uint64_t id, const struct cella_store_write *write) {
    struct shared *shared = context;
    size_t size = write->parts[0].size;
    struct queued_write *queued = malloc(sizeof *queued + size);
    assert_int_equal(write->part_count, 1);
    memcpy(queued + 1, write->parts[0].data, size);
    queued->next = NULL;
    queued->id = id;
    queued->write = *write;
    queued->part = CELLA_BYTES(queued + 1, size);
    queued->write.parts = &queued->part;
    pthread_mutex_lock(&shared->lock);
    if (shared->first == NULL)
        shared->first = queued;
    else
        shared->last->next = queued;
    shared->last = queued;
    pthread_mutex_unlock(&shared->lock);
}

static void shared_remove(void *context, struct cella_store_file file) {
    struct shared *shared = context;
    pthread_mutex_lock(&shared->lock);
    shared->inner->remove(shared->inner->context, file);
    pthread_mutex_unlock(&shared->lock);
}

static enum cella_status shared_read(void *context, struct cella_store_file file, uint64_t offset,
                                     uint8_t *out, size_t size, size_t *ret_size) {
    struct shared *shared = context;
    pthread_mutex_lock(&shared->lock);
    enum cella_status status = shared->inner->read(shared->inner->context, file, offset, out, size, ret_size);
    pthread_mutex_unlock(&shared->lock);
    return status;
}

static enum cella_status shared_list(void *context, void (*visit)(void *, const struct cella_store_entry *),
                                     void *visitor, struct cella_error *error) {
    struct shared *shared = context;
    return shared->inner->list(shared->inner->context, visit, visitor, error);
}

static enum cella_status shared_write_now(void *context, const struct cella_store_write *write,
                                          struct cella_error *error) {
    struct shared *shared = context;
    return shared->inner->write_now(shared->inner->context, write, error);
}

static void *disk(void *context) {
    struct shared *shared = context;
    for (;;) {
        pthread_mutex_lock(&shared->lock);
        struct queued_write *queued = shared->first;
        if (queued != NULL) {
            shared->first = queued->next;
            (void)shared->inner->write_now(shared->inner->context, &queued->write, NULL);
        }
        pthread_mutex_unlock(&shared->lock);
        if (queued == NULL && atomic_load(&shared->over))
            return NULL;
        if (queued != NULL) {
            cella_vault_written(shared->vault->vault, queued->id, CELLA_OK);
            free(queued);
        }
    }
}

struct writer {
    struct shared *shared;
    unsigned number;
    atomic_uint waiting;
    atomic_uint released;
};

struct answer {
    struct cella_vault_waiter waiter;
    struct writer *writer;
    struct cella_vault *vault;
    bool prepared;
};

static void prepare(struct cella_vault_waiter *waiter, struct cella_vault_moment *moment) {
    struct answer *answer = (struct answer *)waiter;
    uint8_t bytes[CELLA_CONTEXT_SIZE_MAX];
    size_t size;
    answer->prepared = cella_vault_write_context(answer->vault, moment, NULL, bytes, &size) == CELLA_OK;
}

static void release(struct cella_vault_waiter *waiter, enum cella_status status) {
    struct answer *answer = (struct answer *)waiter;
    if (status == CELLA_OK && answer->prepared)
        atomic_fetch_add(&answer->writer->released, 1);
    atomic_fetch_sub(&answer->writer->waiting, 1);
    free(answer);
}

static struct answer *new_answer(struct writer *writer) {
    struct answer *answer = calloc(1, sizeof *answer);
    answer->waiter.prepare = prepare;
    answer->waiter.release = release;
    answer->writer = writer;
    answer->vault = writer->shared->vault->vault;
    atomic_fetch_add(&writer->waiting, 1);
    return answer;
}

/* Each key counts how often it was put; the sum of all is also under one key of its own. */
static void add_one(struct cella_vault *vault, struct cella_bytes key) {
    struct cella_bytes value;
    uint64_t count = 0;
    if (cella_vault_get(vault, CELLA_SPACE_USER, key, &value))
        memcpy(&count, value.data, sizeof count);
    count++;
    (void)cella_vault_put(vault, CELLA_SPACE_USER, key, CELLA_BYTES(&count, sizeof count));
}

static void *write_much(void *context) {
    struct writer *writer = context;
    struct cella_vault *vault = writer->shared->vault->vault;
    for (unsigned i = 0; i < COMMITS; i++) {
        char key[32];
        int size = snprintf(key, sizeof key, "writer-%u-%u", writer->number, i % 100);
        while (atomic_load(&writer->waiting) > WAITING_MAX)
            sched_yield();
        if (i % 10 == 9) {
            cella_vault_wait(vault, &new_answer(writer)->waiter);
            continue;
        }
        if (cella_vault_begin(vault, NULL) != CELLA_OK)
            break;
        add_one(vault, CELLA_BYTES(key, (size_t)size));
        add_one(vault, test_text("all"));
        if (i % 10 == 5)
            cella_vault_abort(vault);
        else
            (void)cella_vault_commit(vault, &new_answer(writer)->waiter);
    }
    while (atomic_load(&writer->waiting) > 0)
        sched_yield();
    atomic_fetch_sub(&writer->shared->left, 1);
    return NULL;
}

/* In every state that a reader sees, the sum is the sum. */
static void *read_much(void *context) {
    struct shared *shared = context;
    struct cella_vault *vault = shared->vault->vault;
    uint8_t all[16] = {CELLA_SPACE_USER, 'a', 'l', 'l'};
    static const uint8_t from[] = {CELLA_SPACE_USER, 'w'}, to[] = {CELLA_SPACE_USER, 'x'};
    bool wrong = false;
    while (atomic_load(&shared->left) > 0 && !wrong) {
        struct cella_vault_reading reading;
        struct cella_map_cursor cursor;
        struct cella_bytes key, value;
        struct cella_signed_head head;
        enum cella_status status;
        uint64_t sum = 0, expected = 0, count;
        if (cella_vault_read(vault, &reading) != CELLA_OK)
            return context;
        if (cella_map_view_get(reading.view, CELLA_BYTES(all, 4), &value))
            memcpy(&expected, value.data, sizeof expected);
        cella_map_cursor_init(&cursor, NULL, reading.view);
        cursor.from = CELLA_BYTES(from, sizeof from);
        cursor.to = CELLA_BYTES(to, sizeof to);
        while (cella_map_cursor_next(&cursor, &key, &value, &status)) {
            memcpy(&count, value.data, sizeof count);
            sum += count;
        }
        cella_map_cursor_deinit(&cursor);
        wrong = sum != expected || cella_vault_moment_head(vault, reading.moment, &head) != CELLA_OK;
        cella_vault_reading_release(vault, &reading);
    }
    return wrong ? context : NULL;
}

static void share(struct shared *shared, struct test_vault *vault) {
    *shared = (struct shared){.vault = vault, .inner = test_store_face(vault->store)};
    shared->face = (struct cella_store){.context = shared,
                                        .list = shared_list,
                                        .read = shared_read,
                                        .write_now = shared_write_now,
                                        .write = shared_write,
                                        .remove = shared_remove};
    pthread_mutex_init(&shared->lock, NULL);
    atomic_store(&shared->left, WRITERS);
    test_vault_close(vault);
    const struct cella_vault_options options = {.store = &shared->face,
                                                .keys = &vault->machine.keys,
                                                .freshness = &vault->machine.freshness,
                                                .limits.snapshot_after = 256 << 10};
    assert_status(cella_vault_open(&options, &vault->vault, &vault->report, &vault->error), CELLA_OK);
}

static void writers_readers_and_a_disk_work_at_one_time(void **state) {
    struct test_vault *vault = *state;
    struct shared shared;
    struct writer writers[WRITERS] = {0};
    pthread_t threads[WRITERS + READERS + 1];
    struct cella_vault_counts counts;
    share(&shared, vault);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].shared = &shared;
        writers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_much, &writers[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[WRITERS + i], NULL, read_much, &shared), 0);
    assert_int_equal(pthread_create(&threads[WRITERS + READERS], NULL, disk, &shared), 0);
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    atomic_store(&shared.over, true);
    pthread_join(threads[WRITERS + READERS], NULL);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(atomic_load(&writers[i].released), COMMITS / 10 * 9);
    assert_false(cella_vault_busy(vault->vault));
    cella_vault_count(vault->vault, &counts);
    assert_int_equal(counts.commits, WRITERS * COMMITS / 10 * 8);
    assert_true(counts.snapshots > 0);
    test_vault_close(vault);
    test_store_restart(vault->store, 0);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_int_equal(vault->report.keys, WRITERS * 80 + 1);
    pthread_mutex_destroy(&shared.lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writers_readers_and_a_disk_work_at_one_time, test_vault_setup,
                                        test_vault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
