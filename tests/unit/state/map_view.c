/* Views: each sees its state and no other, from any thread, and costs no more memory than it must. */
#include "unit/state/map_check.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct cella_bytes OPEN = {.data = NULL, .size = 0};

static int setup(void **state) {
    struct cella_map *map = NULL;
    assert_status(cella_map_new(&map), CELLA_OK);
    *state = map;
    return 0;
}

static int teardown(void **state) {
    cella_map_free(*state);
    return 0;
}

static struct cella_map_view *view_of(struct cella_map *map) {
    struct cella_map_view *view = NULL;
    assert_status(cella_map_view_new(map, &view), CELLA_OK);
    return view;
}

static void a_view_sees_what_was_committed_before_it_and_nothing_else(void **state) {
    struct cella_map *map = *state;
    struct cella_map_view *empty = view_of(map);
    map_put_alone(map, "a", "1");
    struct cella_map_view *one = view_of(map);
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, map_text("a"), map_text("2")), CELLA_OK);
    assert_status(cella_map_put(map, map_text("b"), map_text("2")), CELLA_OK);
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_delete(map, map_text("a")), CELLA_OK);
    cella_map_commit(map);
    /* Taken in the middle of a transaction: the state before it. */
    struct cella_map_view *still_one = view_of(map);
    cella_map_commit(map);
    struct cella_map_view *two = view_of(map);
    map_expect(map, empty, "a", NULL);
    map_expect(map, one, "a", "1");
    map_expect(map, one, "b", NULL);
    map_expect(map, still_one, "a", "1");
    map_expect(map, still_one, "b", NULL);
    map_expect(map, two, "a", NULL);
    map_expect(map, two, "b", "2");
    assert_int_equal(cella_map_count(map, empty, OPEN, OPEN), 0);
    assert_int_equal(cella_map_count(map, one, OPEN, OPEN), 1);
    assert_int_equal(cella_map_size(map, one), 2);
    assert_int_equal(cella_map_size(map, two), 2);
    cella_map_view_release(NULL);
    cella_map_view_release(one);
    map_expect(map, still_one, "a", "1");
    cella_map_view_release(empty);
    cella_map_view_release(still_one);
    cella_map_view_release(two);
}

static void every_holder_releases_a_view_apart(void **state) {
    struct cella_map *map = *state;
    map_put_alone(map, "a", "1");
    struct cella_map_view *view = view_of(map);
    struct cella_map_view *same = cella_map_view_hold(view);
    cella_map_view_release(view);
    map_put_alone(map, "a", "2");
    map_put_alone(map, "a", "3");
    map_expect(map, same, "a", "1");
    cella_map_view_release(same);
    /* A state whose last view was released can be viewed again. */
    view = view_of(map);
    cella_map_view_release(view);
    view = view_of(map);
    map_expect(map, view, "a", "3");
    map_put_alone(map, "a", "4");
    map_expect(map, view, "a", "3");
    cella_map_view_release(view);
}

static void a_view_survives_any_number_of_changes(void **state) {
    struct cella_map *map = *state;
    char text[9];
    assert_status(cella_map_begin(map), CELLA_OK);
    map_fill(map, 0, 3000, 30);
    cella_map_commit(map);
    struct cella_map_view *view = view_of(map);
    for (unsigned round = 0; round < 20; round++) {
        assert_status(cella_map_begin(map), CELLA_OK);
        for (unsigned i = 0; i < 3000; i++)
            if ((i + round) % 3 == 0)
                (void)cella_map_delete(map, map_number(i, text));
        map_fill(map, round * 100, round * 100 + 200, round);
        round % 4 == 3 ? cella_map_abort(map) : cella_map_commit(map);
        map_check(map, view);
        assert_int_equal(cella_map_count(map, view, OPEN, OPEN), 3000);
        assert_int_equal(cella_map_size(map, view), 3000 * 38);
    }
    cella_map_view_release(view);
}

/* A snapshot's view is old; readers' views come and go after it. Only what one of them sees is kept. */
static void an_old_view_does_not_keep_what_only_newer_ones_saw(void **state) {
    struct cella_map *map = *state;
    char text[9];
    assert_status(cella_map_begin(map), CELLA_OK);
    map_fill(map, 0, 1000, 100);
    cella_map_commit(map);
    uint64_t alone = cella_map_memory(map);
    struct cella_map_view *old = view_of(map);
    struct cella_map_view *newest = NULL;
    for (unsigned i = 0; i < 20000; i++) {
        assert_status(cella_map_begin(map), CELLA_OK);
        assert_status(cella_map_put(map, map_number(i * 7 % 1000, text), test_pattern(100, 1)), CELLA_OK);
        cella_map_commit(map);
        struct cella_map_view *next = view_of(map);
        cella_map_view_release(newest);
        newest = next;
        assert_true(cella_map_memory(map) < 2 * alone + 16384);
    }
    cella_map_view_release(newest);
    cella_map_view_release(old);
    for (unsigned i = 0; i < 100; i++)
        map_put_alone(map, "a", "1");
    assert_true(cella_map_memory(map) < alone + 16384);
}

/* --- many threads --- */

enum { READERS = 3, CHECKS = 200, KEYS = 2000 };

struct shared {
    struct cella_map *map;
    pthread_mutex_t lock;
    struct cella_map_view *view; /* under the lock, with what it must hold: */
    uint64_t sum;
    uint64_t count;
    atomic_uint running;
    atomic_uint wrong;
};

static uint64_t hash(struct cella_bytes key, struct cella_bytes value) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < value.size; i++)
        hash = (hash ^ value.data[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

static void *read_views(void *context) {
    struct shared *shared = context;
    for (unsigned i = 0; i < CHECKS; i++) {
        pthread_mutex_lock(&shared->lock);
        struct cella_map_view *view = cella_map_view_hold(shared->view);
        uint64_t sum = shared->sum;
        uint64_t count = shared->count;
        pthread_mutex_unlock(&shared->lock);
        struct cella_map_cursor cursor;
        struct cella_bytes key, value, got;
        enum cella_status status;
        cella_map_cursor_init(&cursor, shared->map, view);
        cursor.backwards = i % 2 == 1;
        while (cella_map_cursor_next(&cursor, &key, &value, &status)) {
            sum -= hash(key, value);
            count--;
            shared->wrong += !cella_map_view_get(view, key, &got) || got.data != value.data;
        }
        cella_map_cursor_deinit(&cursor);
        shared->wrong += sum != 0 || count != 0 || status != CELLA_OK;
        cella_map_view_release(view);
    }
    shared->running--;
    return NULL;
}

/* One transaction of a few changes; keeps sum and count of what it leaves. */
static void change(struct shared *shared, unsigned round, uint64_t *sum, uint64_t *count) {
    struct cella_map *map = shared->map;
    uint64_t old_sum = *sum;
    uint64_t old_count = *count;
    char text[9];
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < 5; i++) {
        uint32_t number = round * 2654435761u + i * 40503u;
        struct cella_bytes key = map_number(number % KEYS, text);
        struct cella_bytes value = CELLA_BYTES(&number, sizeof number);
        struct cella_bytes old;
        if (cella_map_get(map, key, &old)) {
            *sum -= hash(key, old);
            (*count)--;
        }
        if (number >> 16 & 1) {
            (void)cella_map_delete(map, key);
            continue;
        }
        assert_status(cella_map_put(map, key, value), CELLA_OK);
        *sum += hash(key, value);
        (*count)++;
    }
    if (round % 5 != 0) {
        cella_map_commit(map);
        return;
    }
    cella_map_abort(map);
    *sum = old_sum;
    *count = old_count;
}

static void readers_in_other_threads_see_whole_states(void **state) {
    struct shared shared = {.map = *state, .lock = PTHREAD_MUTEX_INITIALIZER, .running = READERS};
    pthread_t readers[READERS];
    uint64_t sum = 0;
    uint64_t count = 0;
    shared.view = view_of(shared.map);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_views, &shared), 0);
    for (unsigned round = 0; shared.running > 0; round++) {
        change(&shared, round, &sum, &count);
        struct cella_map_view *view = view_of(shared.map);
        struct cella_map_view *old = shared.view;
        pthread_mutex_lock(&shared.lock);
        shared.view = view;
        shared.sum = sum;
        shared.count = count;
        pthread_mutex_unlock(&shared.lock);
        cella_map_view_release(old);
    }
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(shared.wrong, 0);
    map_check(shared.map, shared.view);
    cella_map_view_release(shared.view);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_view_sees_what_was_committed_before_it_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_holder_releases_a_view_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_survives_any_number_of_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_view_does_not_keep_what_only_newer_ones_saw, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_in_other_threads_see_whole_states, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
