/* The map without memory: a call that gets none changes nothing, at whichever of its allocations; and what it
 * gives back holds no value any more. */
#include "unit/state/map_check.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The linker puts these in front of the C library's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

/* Allocations that still succeed, if below 0 without end. */
static int allowed = -1;
static unsigned refused;

static bool is_refused(void) {
    if (allowed < 0)
        return false;
    if (allowed > 0) {
        allowed--;
        return false;
    }
    refused++;
    return true;
}

void *__wrap_malloc(size_t size) {
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return is_refused() ? NULL : __real_realloc(memory, size);
}

#define SECRET "a value of the program"
static bool watches;
static unsigned secrets_freed;
static unsigned freed;

void __wrap_free(void *memory) {
    if (watches && memory != NULL) {
        freed++;
        secrets_freed += memmem(memory, malloc_usable_size(memory), SECRET, strlen(SECRET)) != NULL;
    }
    __real_free(memory);
}

/* The keys with an even number in [0, count), whose value is the number. */
static struct cella_map *even_map(unsigned count, bool in_order) {
    struct cella_map *map = NULL;
    char text[9];
    assert_status(cella_map_new(&map), CELLA_OK);
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < count; i += 2) {
        unsigned number = in_order ? i : (unsigned)(i * 7919ull % count) / 2 * 2;
        assert_status(cella_map_put(map, map_number(number, text), CELLA_BYTES(&number, sizeof number)),
                      CELLA_OK);
    }
    cella_map_commit(map);
    return map;
}

/* Holds what even_map made, and no other number below `count`. */
static void expect_even(const struct cella_map *map, unsigned count) {
    char text[9];
    struct cella_bytes value;
    map_check(map, NULL);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(cella_map_get(map, map_number(i, text), &value), i % 2 == 0);
        if (i % 2 == 0)
            assert_bytes(value, CELLA_BYTES(&i, sizeof i));
    }
}

typedef enum cella_status map_change(struct cella_map *map, struct cella_bytes key);

static enum cella_status put(struct cella_map *map, struct cella_bytes key) {
    return cella_map_put(map, key, map_text(SECRET));
}

/* The change without memory for the allocation after `tries`: as if it had not been asked for, also for what
 * follows in the same transaction. */
static enum cella_status try(struct cella_map *map, map_change *change, struct cella_bytes key, int tries) {
    struct cella_bytes before = {0};
    struct cella_bytes after = {0};
    bool was_there = cella_map_get(map, key, &before);
    uint64_t size = cella_map_size(map, NULL);
    assert_status(cella_map_begin(map), CELLA_OK);
    allowed = tries;
    refused = 0;
    enum cella_status status = change(map, key);
    allowed = -1;
    assert_status(status, refused > 0 ? CELLA_NO_MEMORY : CELLA_OK);
    if (status != CELLA_OK) {
        assert_int_equal(cella_map_get(map, key, &after), was_there);
        assert_ptr_equal(after.data, before.data);
        assert_int_equal(cella_map_size(map, NULL), size);
    }
    return status;
}

/* Tries with no allocation allowed, with one, and so on, until it succeeds; returns with how many. The failed
 * transactions are aborted or, at times, committed. */
static int try_until_it_succeeds(struct cella_map *map, map_change *change, unsigned number, unsigned count) {
    char text[9];
    struct cella_bytes key = map_number(number, text);
    int tries = 0;
    while (try(map, change, key, tries) != CELLA_OK) {
        number / 2 % 8 == 0 ? cella_map_commit(map) : cella_map_abort(map);
        if (count > 0 || number % 37 == 0)
            expect_even(map, count);
        tries++;
    }
    return tries;
}

static void puts_without_memory_change_nothing(void **state) {
    enum { COUNT = 6000 };
    for (unsigned in_order = 0; in_order <= 1; in_order++) {
        struct cella_map *map = even_map(COUNT, in_order == 1);
        int most = 0;
        for (unsigned i = 1; i < COUNT; i += 2) {
            int tries = try_until_it_succeeds(map, put, i, 0);
            cella_map_commit(map);
            most = tries > most ? tries : most;
        }
        /* The entry, the way, a new leaf with its separator, a new inner node, a new root. */
        assert_true(most >= 7);
        map_check(map, NULL);
        cella_map_free(map);
    }
}

static void replacing_without_memory_changes_nothing(void **state) {
    enum { COUNT = 2000 };
    struct cella_map *map = even_map(COUNT, true);
    for (unsigned i = 0; i < COUNT; i += 46) {
        assert_true(try_until_it_succeeds(map, put, i, COUNT) >= 3);
        cella_map_abort(map);
        expect_even(map, COUNT);
    }
    cella_map_free(map);
}

static void deletes_without_memory_change_nothing(void **state) {
    enum { COUNT = 12000 };
    for (unsigned in_order = 0; in_order <= 1; in_order++) {
        struct cella_map *map = even_map(COUNT, in_order == 1);
        int most = 0;
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned number = in_order ? i / 2 * 2 : (unsigned)(i * 104729ull % COUNT) / 2 * 2;
            struct cella_bytes value;
            char text[9];
            if (!cella_map_get(map, map_number(number, text), &value))
                continue;
            int tries = try_until_it_succeeds(map, cella_map_delete, number, 0);
            cella_map_commit(map);
            most = tries > most ? tries : most;
        }
        /* The way of three nodes, a neighbour, their new separator. */
        assert_true(most >= 5);
        map_check(map, NULL);
        cella_map_free(map);
    }
}

static void nothing_else_begins_without_memory(void **state) {
    struct cella_map *map = NULL;
    for (allowed = 0; allowed < 2;) {
        int before = allowed;
        assert_status(cella_map_new(&map), CELLA_NO_MEMORY);
        allowed = before + 1;
    }
    assert_status(cella_map_new(&map), CELLA_OK);
    allowed = 0;
    assert_status(cella_map_begin(map), CELLA_NO_MEMORY);
    assert_int_equal(cella_map_depth(map), 0);
    allowed = -1;
    map_put_alone(map, "a", "1");
    struct cella_map_view *view = NULL;
    allowed = 0;
    assert_status(cella_map_view_new(map, &view), CELLA_NO_MEMORY);
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status;
    cella_map_cursor_init(&cursor, map, NULL);
    for (allowed = 0; allowed < 2;) {
        int before = allowed;
        assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
        assert_status(status, CELLA_NO_MEMORY);
        cella_map_cursor_deinit(&cursor);
        allowed = before + 1;
    }
    allowed = -1;
    assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
    cella_map_cursor_deinit(&cursor);
    cella_map_free(map);
}

static void a_cursor_without_memory_goes_on_when_there_is_some(void **state) {
    struct cella_map *map = NULL;
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status;
    struct cella_bytes longest = test_pattern(CELLA_MAP_KEY_MAX, 3);
    ((uint8_t *)(uintptr_t)longest.data)[0] = 'b';
    assert_status(cella_map_new(&map), CELLA_OK);
    map_put_alone(map, "a", "1");
    map_put_alone(map, "c", "3");
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, longest, map_text("2")), CELLA_OK);
    cella_map_commit(map);
    cella_map_cursor_init(&cursor, map, NULL);
    assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
    allowed = 0;
    assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
    assert_status(status, CELLA_NO_MEMORY);
    allowed = -1;
    assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
    assert_bytes(key, longest);
    assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
    assert_bytes(key, map_text("c"));
    cella_map_cursor_deinit(&cursor);
    cella_map_free(map);
}

/* Commits and aborts cannot fail: they need nothing. */
static void transactions_end_without_memory(void **state) {
    struct cella_map *map = even_map(5000, false);
    struct cella_map_view *views[5] = {0};
    for (unsigned round = 0; round < 10; round++) {
        char text[9];
        assert_status(cella_map_begin(map), CELLA_OK);
        assert_status(cella_map_begin(map), CELLA_OK);
        map_fill(map, round * 300, round * 300 + 1000, round);
        for (unsigned i = 0; i < 5000; i += 3)
            (void)cella_map_delete(map, map_number(i, text));
        allowed = 0;
        refused = 0;
        round % 2 == 0 ? cella_map_commit(map) : cella_map_abort(map);
        cella_map_view_release(views[round % 5]);
        round % 3 == 0 ? cella_map_abort(map) : cella_map_commit(map);
        assert_int_equal(refused, 0);
        allowed = -1;
        assert_status(cella_map_view_new(map, &views[round % 5]), CELLA_OK);
        map_check(map, NULL);
        map_check(map, views[round % 5]);
    }
    for (size_t i = 0; i < 5; i++)
        cella_map_view_release(views[i]);
    allowed = 0;
    cella_map_free(map);
    allowed = -1;
}

static void values_are_wiped_before_they_are_freed(void **state) {
    struct cella_map *map = NULL;
    struct cella_map_view *view = NULL;
    char text[9];
    assert_status(cella_map_new(&map), CELLA_OK);
    watches = true;
    for (unsigned round = 0; round < 6; round++) {
        assert_status(cella_map_begin(map), CELLA_OK);
        for (unsigned i = 0; i < 300; i++)
            assert_status(cella_map_put(map, map_number(i * (round + 1), text), map_text(SECRET)), CELLA_OK);
        for (unsigned i = 0; i < 300; i += 4)
            assert_status(cella_map_delete(map, map_number(i * (round + 1), text)), CELLA_OK);
        round % 3 == 0 ? cella_map_abort(map) : cella_map_commit(map);
        cella_map_view_release(view);
        assert_status(cella_map_view_new(map, &view), CELLA_OK);
    }
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, map_text(SECRET), map_text(SECRET)), CELLA_OK);
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status;
    cella_map_cursor_init(&cursor, map, NULL);
    while (cella_map_cursor_next(&cursor, &key, &value, &status)) {
    }
    cella_map_cursor_deinit(&cursor);
    cella_map_commit(map);
    cella_map_view_release(view);
    cella_map_free(map);
    watches = false;
    assert_true(freed > 1000);
    assert_int_equal(secrets_freed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_without_memory_change_nothing),
        cmocka_unit_test(replacing_without_memory_changes_nothing),
        cmocka_unit_test(deletes_without_memory_change_nothing),
        cmocka_unit_test(nothing_else_begins_without_memory),
        cmocka_unit_test(a_cursor_without_memory_goes_on_when_there_is_some),
        cmocka_unit_test(transactions_end_without_memory),
        cmocka_unit_test(values_are_wiped_before_they_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
