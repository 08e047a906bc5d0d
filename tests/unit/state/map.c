/* What each call of the map promises, accepted and refused. */
#include "unit/state/map_check.h"
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

static void a_put_is_found_and_a_delete_is_not(void **state) {
    struct cella_map *map = *state;
    map_expect(map, NULL, "a", NULL);
    map_put_alone(map, "a", "1");
    map_put_alone(map, "b", "");
    map_expect(map, NULL, "a", "1");
    map_expect(map, NULL, "b", "");
    map_put_alone(map, "a", "longer");
    map_expect(map, NULL, "a", "longer");
    assert_int_equal(cella_map_size(map, NULL), 8);
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_delete(map, map_text("a")), CELLA_OK);
    assert_status(cella_map_delete(map, map_text("a")), CELLA_NOT_FOUND);
    assert_status(cella_map_delete(map, OPEN), CELLA_NOT_FOUND);
    cella_map_commit(map);
    map_expect(map, NULL, "a", NULL);
    map_expect(map, NULL, "", NULL);
    assert_int_equal(cella_map_count(map, NULL, OPEN, OPEN), 1);
    assert_int_equal(cella_map_size(map, NULL), 1);
}

static void sizes_at_the_limits_are_accepted_and_above_refused(void **state) {
    struct cella_map *map = *state;
    struct cella_bytes key = test_pattern(CELLA_MAP_KEY_MAX + 1, 1);
    struct cella_bytes value = test_pattern(CELLA_MAP_VALUE_MAX + 1, 2);
    struct cella_bytes longest = CELLA_BYTES(key.data, CELLA_MAP_KEY_MAX);
    struct cella_bytes largest = CELLA_BYTES(value.data, CELLA_MAP_VALUE_MAX);
    struct cella_bytes got;
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, OPEN, OPEN), CELLA_ARGUMENT);
    assert_status(cella_map_append(map, OPEN, OPEN), CELLA_ARGUMENT);
    assert_status(cella_map_put(map, key, OPEN), CELLA_LIMIT);
    assert_status(cella_map_append(map, key, OPEN), CELLA_LIMIT);
    assert_status(cella_map_put(map, longest, value), CELLA_LIMIT);
    assert_status(cella_map_put(map, longest, largest), CELLA_OK);
    cella_map_commit(map);
    assert_true(cella_map_get(map, longest, &got));
    assert_bytes(got, largest);
    assert_false(cella_map_get(map, key, &got));
}

static void keys_are_in_the_order_of_their_bytes(void **state) {
    struct cella_map *map = *state;
    static const struct cella_bytes order[] = {
        {(const uint8_t *)"\0", 1},   {(const uint8_t *)"\0\0", 2},      {(const uint8_t *)"a", 1},
        {(const uint8_t *)"a\0", 2},  {(const uint8_t *)"a\0\0", 3},     {(const uint8_t *)"a\0b", 3},
        {(const uint8_t *)"aa", 2},   {(const uint8_t *)"aaaaaaaaa", 9}, {(const uint8_t *)"aaaaaaaab", 9},
        {(const uint8_t *)"\x7f", 1}, {(const uint8_t *)"\x80", 1},      {(const uint8_t *)"\xff", 1},
    };
    enum { COUNT = sizeof order / sizeof order[0] };
    assert_status(cella_map_begin(map), CELLA_OK);
    for (size_t i = 0; i < COUNT; i++)
        assert_status(cella_map_put(map, order[i * 7 % COUNT], order[i * 7 % COUNT]), CELLA_OK);
    cella_map_commit(map);
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status;
    cella_map_cursor_init(&cursor, map, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
        assert_bytes(key, order[i]);
        assert_bytes(value, order[i]);
        assert_int_equal(cella_map_count(map, NULL, OPEN, order[i]), i);
    }
    assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
    assert_status(status, CELLA_OK);
    cella_map_cursor_deinit(&cursor);
}

/* --- transactions --- */

static void an_abort_takes_back_its_level_alone(void **state) {
    struct cella_map *map = *state;
    map_put_alone(map, "kept", "0");
    for (unsigned aborted = 1; aborted <= 4; aborted++) {
        for (unsigned level = 1; level <= 4; level++) {
            char name[] = {'l', (char)('0' + level), 0};
            assert_status(cella_map_begin(map), CELLA_OK);
            assert_int_equal(cella_map_depth(map), level);
            assert_status(cella_map_put(map, map_text(name), map_text("new")), CELLA_OK);
            assert_status(cella_map_put(map, map_text("kept"), map_text(name)), CELLA_OK);
        }
        for (unsigned level = 4; level >= 1; level--) {
            char name[] = {'l', (char)('0' + level), 0};
            char below[] = {'l', (char)('0' + level - 1), 0};
            bool is_gone = level == aborted;
            is_gone ? cella_map_abort(map) : cella_map_commit(map);
            if (level >= aborted)
                map_expect(map, NULL, name, is_gone ? NULL : "new");
            if (is_gone)
                map_expect(map, NULL, "kept", level > 1 ? below : "0");
        }
        assert_int_equal(cella_map_depth(map), 0);
        for (unsigned level = 1; level <= 4; level++) {
            char name[] = {'l', (char)('0' + level), 0};
            map_expect(map, NULL, name, level < aborted ? "new" : NULL);
        }
        assert_status(cella_map_begin(map), CELLA_OK);
        for (unsigned level = 1; level < aborted; level++) {
            char name[] = {'l', (char)('0' + level), 0};
            assert_status(cella_map_delete(map, map_text(name)), CELLA_OK);
        }
        assert_status(cella_map_put(map, map_text("kept"), map_text("0")), CELLA_OK);
        cella_map_commit(map);
        map_check(map, NULL);
    }
}

static void an_abort_brings_back_thousands_of_deleted_keys(void **state) {
    struct cella_map *map = *state;
    char key[9];
    assert_status(cella_map_begin(map), CELLA_OK);
    map_fill(map, 0, 10000, 10);
    cella_map_commit(map);
    uint64_t memory = map_check(map, NULL);
    uint64_t taken = cella_map_memory(map);
    for (unsigned nested = 0; nested <= 1; nested++) {
        assert_status(cella_map_begin(map), CELLA_OK);
        if (nested == 1)
            assert_status(cella_map_begin(map), CELLA_OK);
        for (unsigned i = 0; i < 10000; i++)
            assert_status(cella_map_delete(map, map_number(i, key)), CELLA_OK);
        assert_int_equal(cella_map_count(map, NULL, OPEN, OPEN), 0);
        map_fill(map, 5000, 20000, 20);
        map_check(map, NULL);
        cella_map_abort(map);
        assert_int_equal(map_check(map, NULL), memory);
        if (nested == 1)
            cella_map_commit(map);
        assert_int_equal(cella_map_count(map, NULL, OPEN, OPEN), 10000);
        /* Nothing but what later transactions use again. */
        assert_true(cella_map_memory(map) <= taken + 4096);
    }
}

static void values_stay_until_the_outermost_transaction_ends(void **state) {
    struct cella_map *map = *state;
    struct cella_bytes first, second, third;
    map_put_alone(map, "a", "first");
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_true(cella_map_get(map, map_text("a"), &first));
    assert_status(cella_map_put(map, map_text("a"), map_text("second")), CELLA_OK);
    assert_true(cella_map_get(map, map_text("a"), &second));
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, map_text("a"), map_text("third")), CELLA_OK);
    assert_true(cella_map_get(map, map_text("a"), &third));
    assert_status(cella_map_delete(map, map_text("a")), CELLA_OK);
    cella_map_abort(map);
    assert_status(cella_map_delete(map, map_text("a")), CELLA_OK);
    assert_bytes(first, map_text("first"));
    assert_bytes(second, map_text("second"));
    assert_bytes(third, map_text("third"));
    /* A value of the map itself may be put. */
    assert_status(cella_map_put(map, map_text("b"), second), CELLA_OK);
    assert_status(cella_map_put(map, map_text("b"), second), CELLA_OK);
    cella_map_commit(map);
    map_expect(map, NULL, "b", "second");
}

static void a_map_may_be_freed_in_the_middle_of_a_transaction(void **state) {
    struct cella_map *map = NULL;
    cella_map_free(NULL);
    assert_status(cella_map_new(&map), CELLA_OK);
    map_put_alone(map, "a", "1");
    assert_status(cella_map_begin(map), CELLA_OK);
    map_fill(map, 0, 1000, 10);
    assert_status(cella_map_begin(map), CELLA_OK);
    map_fill(map, 500, 2000, 20);
    cella_map_free(map);
}

/* --- ranges --- */

static void counts_and_scans_agree_on_every_range(void **state) {
    enum { KEYS = 4000, STEP = 397 };
    struct cella_map *map = *state;
    char from_key[9], to_key[9], expected[9];
    assert_status(cella_map_begin(map), CELLA_OK);
    map_fill(map, 0, KEYS, 3);
    cella_map_commit(map);
    for (unsigned from = 0; from <= KEYS; from += STEP) {
        for (unsigned to = 0; to <= KEYS + STEP; to += STEP) {
            struct cella_map_cursor cursor;
            struct cella_bytes key, value;
            enum cella_status status;
            unsigned end = to < KEYS ? to : KEYS;
            unsigned count = end > from ? end - from : 0;
            cella_map_cursor_init(&cursor, map, NULL);
            cursor.from = map_number(from, from_key);
            cursor.to = map_number(to, to_key);
            assert_int_equal(cella_map_count(map, NULL, cursor.from, cursor.to), count);
            for (unsigned i = from; i < end; i++) {
                assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
                assert_bytes(key, map_number(i, expected));
            }
            assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
            assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
            cella_map_cursor_deinit(&cursor);
            cursor.backwards = true;
            for (unsigned i = end; i > from; i--) {
                assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
                assert_bytes(key, map_number(i - 1, expected));
            }
            assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
            assert_status(status, CELLA_OK);
            cella_map_cursor_deinit(&cursor);
        }
    }
}

static void a_prefix_ends_where_the_next_begins(void **state) {
    uint8_t buffer[8];
    assert_bytes(cella_map_prefix_end(map_text("ab"), buffer), map_text("ac"));
    assert_bytes(cella_map_prefix_end(map_text("a\xff\xff"), buffer), map_text("b"));
    assert_int_equal(cella_map_prefix_end(map_text("\xff\xff"), buffer).size, 0);
    assert_int_equal(cella_map_prefix_end(OPEN, buffer).size, 0);
    struct cella_map *map = *state;
    static const char *const keys[] = {"a", "a\xff", "ab", "abc", "ab\xff", "ac", "b"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        map_put_alone(map, keys[i], "");
    assert_int_equal(cella_map_count(map, NULL, map_text("ab"), cella_map_prefix_end(map_text("ab"), buffer)),
                     3);
    assert_int_equal(cella_map_count(map, NULL, map_text("a"), cella_map_prefix_end(map_text("a"), buffer)),
                     6);
}

static void a_cursor_goes_on_where_it_was_when_keys_change(void **state) {
    struct cella_map *map = *state;
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status;
    char text[9];
    for (unsigned backwards = 0; backwards <= 1; backwards++) {
        assert_status(cella_map_begin(map), CELLA_OK);
        map_fill(map, 0, 1000, 3);
        cella_map_cursor_init(&cursor, map, NULL);
        cursor.backwards = backwards == 1;
        /* Each key is deleted when it is met, and so is its neighbour ahead. */
        for (unsigned i = 0; i < 1000; i += 2) {
            unsigned met = backwards ? 999 - i : i;
            unsigned ahead = backwards ? met - 1 : met + 1;
            assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
            assert_bytes(key, map_number(met, text));
            assert_status(cella_map_delete(map, key), CELLA_OK);
            assert_status(cella_map_delete(map, map_number(ahead, text)), CELLA_OK);
        }
        assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
        assert_int_equal(cella_map_count(map, NULL, OPEN, OPEN), 0);
        /* What comes later ahead of it, it still meets; what comes behind it, never. */
        struct cella_bytes later = backwards ? map_text("!") : map_text("a");
        assert_status(cella_map_put(map, later, OPEN), CELLA_OK);
        assert_true(cella_map_cursor_next(&cursor, &key, &value, &status));
        assert_bytes(key, later);
        assert_status(cella_map_put(map, map_number(500, text), OPEN), CELLA_OK);
        assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
        cella_map_abort(map);
        assert_false(cella_map_cursor_next(&cursor, &key, &value, &status));
        assert_status(status, CELLA_OK);
        cella_map_cursor_deinit(&cursor);
        cella_map_cursor_deinit(&cursor);
    }
}

/* --- loading --- */

static void appended_keys_fill_their_nodes_and_can_be_changed(void **state) {
    enum { KEYS = 50000 };
    struct cella_map *map = *state;
    struct cella_bytes value = test_pattern(100, 1);
    char key[9];
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < KEYS; i++)
        assert_status(cella_map_append(map, map_number(2 * i, key), value), CELLA_OK);
    assert_status(cella_map_append(map, map_number(2 * KEYS - 2, key), value), CELLA_ARGUMENT);
    assert_status(cella_map_append(map, map_number(1, key), value), CELLA_ARGUMENT);
    cella_map_commit(map);
    map_check(map, NULL);
    /* 8 + 100 bytes, what the allocator adds to them, and little more. */
    assert_true(cella_map_memory(map) < (uint64_t)KEYS * 164);
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < KEYS; i++)
        assert_status(cella_map_put(map, map_number(2 * (i * 7919 % KEYS) + 1, key), value), CELLA_OK);
    map_check(map, NULL);
    for (unsigned i = 0; i < KEYS; i++)
        assert_status(cella_map_delete(map, map_number(2 * (i * 7919 % KEYS), key)), CELLA_OK);
    cella_map_commit(map);
    map_check(map, NULL);
    assert_int_equal(cella_map_count(map, NULL, OPEN, OPEN), KEYS);
    assert_int_equal(cella_map_size(map, NULL), (uint64_t)KEYS * 108);
}

static void an_aborted_load_leaves_an_empty_map(void **state) {
    struct cella_map *map = *state;
    char key[9];
    for (unsigned round = 0; round < 2; round++) {
        assert_status(cella_map_begin(map), CELLA_OK);
        for (unsigned i = 0; i < 5000; i++)
            assert_status(cella_map_append(map, map_number(i, key), map_text("value")), CELLA_OK);
        cella_map_abort(map);
        assert_int_equal(cella_map_count(map, NULL, OPEN, OPEN), 0);
        assert_true(cella_map_memory(map) < 8192);
    }
}

static void keys_that_share_long_beginnings_are_told_apart(void **state) {
    struct cella_map *map = *state;
    uint8_t key[600];
    struct cella_bytes got;
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < 3000; i++) {
        memset(key, 'k', sizeof key);
        key[100 + i % 450] = (uint8_t)('a' + i % 26);
        key[20] = (uint8_t)('a' + i / 450);
        assert_status(cella_map_put(map, CELLA_BYTES(key, 560 + i % 40), CELLA_BYTES(&i, sizeof i)),
                      CELLA_OK);
    }
    cella_map_commit(map);
    map_check(map, NULL);
    for (unsigned i = 0; i < 3000; i++) {
        memset(key, 'k', sizeof key);
        key[100 + i % 450] = (uint8_t)('a' + i % 26);
        key[20] = (uint8_t)('a' + i / 450);
        assert_true(cella_map_get(map, CELLA_BYTES(key, 560 + i % 40), &got));
        /* A later one may have had the same key. */
        assert_int_equal(got.size, sizeof i);
        key[599] = key[0] = 'j';
        assert_false(cella_map_get(map, CELLA_BYTES(key, 560 + i % 40), &got));
        assert_false(cella_map_get(map, CELLA_BYTES(key, 10), &got));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_put_is_found_and_a_delete_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_at_the_limits_are_accepted_and_above_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_in_the_order_of_their_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_abort_takes_back_its_level_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(an_abort_brings_back_thousands_of_deleted_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(values_stay_until_the_outermost_transaction_ends, setup, teardown),
        cmocka_unit_test(a_map_may_be_freed_in_the_middle_of_a_transaction),
        cmocka_unit_test_setup_teardown(counts_and_scans_agree_on_every_range, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prefix_ends_where_the_next_begins, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cursor_goes_on_where_it_was_when_keys_change, setup, teardown),
        cmocka_unit_test_setup_teardown(appended_keys_fill_their_nodes_and_can_be_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_aborted_load_leaves_an_empty_map, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_that_share_long_beginnings_are_told_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
