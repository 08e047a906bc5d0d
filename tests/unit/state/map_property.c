/* A million random operations on the map, each compared with a model: an array with one place for each key
 * that can occur. One number, CELLA_TEST_SEED, makes the same run again. */
#include "unit/state/map_check.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPERATIONS = 1000000,
    KEYS = 6000,
    DEPTH = 4,
    VIEWS = 6,
    CURSORS = 2,
    VALUE_MAX = 300,
};

/* Which value each key has; 0: none. */
struct model {
    uint32_t values[KEYS];
    uint64_t count;
    uint64_t size;
};

struct run {
    uint64_t seed;
    uint64_t random;
    unsigned operation;
    unsigned puts; /* of 100 changes; moves, so that the map grows and becomes empty */
    struct cella_map *map;
    struct cella_bytes keys[KEYS]; /* ascending */
    struct model now;
    struct model before[DEPTH]; /* the begin of each level */
    struct {
        struct cella_map_view *view;
        struct model model;
    } views[VIEWS];
    struct {
        struct cella_map_cursor cursor;
        unsigned from, to; /* what it may still give */
    } cursors[CURSORS];
    uint32_t last_value;
    uint8_t pattern[VALUE_MAX + 256];
};

#define require(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail_msg("operation %u of seed %" PRIu64 " (CELLA_TEST_SEED): not %s", run->operation,           \
                     run->seed, #condition);                                                                 \
    } while (0)

static uint64_t next(struct run *run) {
    run->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = run->random;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static unsigned below(struct run *run, unsigned limit) {
    return (unsigned)(next(run) % limit);
}

/* --- the world --- */

static int compare_keys(const void *left, const void *right) {
    return cella_map_compare(*(const struct cella_bytes *)left, *(const struct cella_bytes *)right);
}

/* Of many shapes: short and binary, numbered behind common words, long, one the beginning of the other. */
static size_t make_key(struct run *run, uint8_t *key) {
    static const char *const words[] = {"account/", "account/000000", "a",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff"};
    size_t size = 0;
    switch (below(run, 5)) {
    case 0:
        for (size = 0; size < 1 + below(run, 3) || size == 0; size++)
            key[size] = (uint8_t)next(run);
        return size;
    case 1:
        memset(key, 0, 40);
        key[0] = (uint8_t)below(run, 4);
        return 1 + below(run, 40);
    case 2:
        memset(key, 'l', 200);
        key[below(run, 200)] = (uint8_t)next(run);
        return 150 + below(run, 50);
    default:
        return (size_t)snprintf((char *)key, 200, "%s%u", words[below(run, 4)], below(run, 100000));
    }
}

static void make_keys(struct run *run) {
    unsigned count = 0;
    uint8_t key[200];
    while (count < KEYS) {
        while (count < KEYS) {
            size_t size = make_key(run, key);
            run->keys[count++] = test_copy(CELLA_BYTES(key, size));
        }
        qsort(run->keys, count, sizeof run->keys[0], compare_keys);
        unsigned kept = 1;
        for (unsigned i = 1; i < count; i++)
            if (cella_map_compare(run->keys[kept - 1], run->keys[i]) != 0)
                run->keys[kept++] = run->keys[i];
        count = kept;
    }
    for (size_t i = 0; i < sizeof run->pattern; i++)
        run->pattern[i] = (uint8_t)next(run);
}

static struct cella_bytes value_of(const struct run *run, uint32_t value) {
    size_t size = value % 16 == 0 ? value / 16 % VALUE_MAX : value % 24;
    return CELLA_BYTES(run->pattern + value % 251, size);
}

static bool is_value(const struct run *run, uint32_t value, struct cella_bytes got) {
    struct cella_bytes expected = value_of(run, value);
    return got.size == expected.size && memcmp(got.data, expected.data, got.size) == 0;
}

static void set(struct run *run, unsigned key, uint32_t value) {
    struct model *model = &run->now;
    uint32_t old = model->values[key];
    if (old != 0) {
        model->count--;
        model->size -= run->keys[key].size + value_of(run, old).size;
    }
    if (value != 0) {
        model->count++;
        model->size += run->keys[key].size + value_of(run, value).size;
    }
    model->values[key] = value;
}

/* --- operations --- */

static void put(struct run *run) {
    unsigned key = below(run, KEYS);
    uint32_t value = ++run->last_value;
    require(cella_map_put(run->map, run->keys[key], value_of(run, value)) == CELLA_OK);
    set(run, key, value);
}

static void delete (struct run *run) {
    unsigned key = below(run, KEYS);
    /* Rather one that is there. */
    for (unsigned i = 0; i < 20 && run->now.values[key] == 0; i++)
        key = below(run, KEYS);
    bool is_there = run->now.values[key] != 0;
    require(cella_map_delete(run->map, run->keys[key]) == (is_there ? CELLA_OK : CELLA_NOT_FOUND));
    set(run, key, 0);
}

/* Keys behind the last one, which is where loading goes on. */
static void append(struct run *run) {
    unsigned key = KEYS;
    while (key > 0 && run->now.values[key - 1] == 0)
        key--;
    if (key > 0)
        require(cella_map_append(run->map, run->keys[below(run, key)], run->keys[0]) == CELLA_ARGUMENT);
    for (unsigned i = 0; i < 200 && (key += below(run, 8)) < KEYS; i++, key++) {
        uint32_t value = ++run->last_value;
        require(cella_map_append(run->map, run->keys[key], value_of(run, value)) == CELLA_OK);
        set(run, key, value);
    }
}

static void delete_range(struct run *run) {
    unsigned from = below(run, KEYS);
    unsigned to = from + below(run, 400);
    for (unsigned key = from; key < to && key < KEYS; key++) {
        if (run->now.values[key] != 0)
            require(cella_map_delete(run->map, run->keys[key]) == CELLA_OK);
        set(run, key, 0);
    }
}

static void get(struct run *run, const struct cella_map_view *view, const struct model *model) {
    unsigned key = below(run, KEYS);
    struct cella_bytes got;
    bool found = view != NULL ? cella_map_view_get(view, run->keys[key], &got)
                              : cella_map_get(run->map, run->keys[key], &got);
    require(found == (model->values[key] != 0));
    require(!found || is_value(run, model->values[key], got));
}

/* KEYS, or the place of a random key; as bound of a range: its key, or none. */
static unsigned random_bound(struct run *run, struct cella_bytes *ret_bound) {
    unsigned place = below(run, KEYS + KEYS / 8);
    *ret_bound = place < KEYS ? run->keys[place] : CELLA_BYTES(NULL, 0);
    return place < KEYS ? place : KEYS;
}

static void count(struct run *run, const struct cella_map_view *view, const struct model *model) {
    struct cella_bytes from, to;
    unsigned start = random_bound(run, &from);
    unsigned end = random_bound(run, &to);
    uint64_t expected = 0;
    for (unsigned key = start == KEYS ? 0 : start; key < end; key++)
        expected += model->values[key] != 0;
    require(cella_map_count(run->map, view, from, to) == expected);
    require(cella_map_count(run->map, view, CELLA_BYTES(NULL, 0), CELLA_BYTES(NULL, 0)) == model->count);
    require(cella_map_size(run->map, view) == model->size);
}

/* The next place in [*from, *to) that is there, which is then narrowed to what lies beyond. */
static unsigned next_place(const struct model *model, bool backwards, unsigned *from, unsigned *to) {
    while (*from < *to) {
        unsigned place = backwards ? --(*to) : (*from)++;
        if (model->values[place] != 0)
            return place;
    }
    return KEYS;
}

static bool scan_one(struct run *run, struct cella_map_cursor *cursor, const struct model *model,
                     unsigned *from, unsigned *to) {
    struct cella_bytes key, value;
    enum cella_status status;
    unsigned place = next_place(model, cursor->backwards, from, to);
    bool found = cella_map_cursor_next(cursor, &key, &value, &status);
    require(status == CELLA_OK);
    require(found == (place < KEYS));
    if (found) {
        require(cella_map_compare(key, run->keys[place]) == 0);
        require(is_value(run, model->values[place], value));
    }
    return found;
}

static void scan(struct run *run, const struct cella_map_view *view, const struct model *model,
                 unsigned most) {
    struct cella_map_cursor cursor;
    cella_map_cursor_init(&cursor, run->map, view);
    unsigned from = random_bound(run, &cursor.from);
    unsigned to = random_bound(run, &cursor.to);
    from = from == KEYS ? 0 : from;
    cursor.backwards = below(run, 2) == 1;
    for (unsigned i = 0; i < most && scan_one(run, &cursor, model, &from, &to); i++) {
    }
    cella_map_cursor_deinit(&cursor);
}

static void scan_prefix(struct run *run) {
    struct cella_map_cursor cursor;
    uint8_t buffer[8];
    struct cella_bytes prefix = run->keys[below(run, KEYS)];
    size_t size = 1 + below(run, 8);
    prefix.size = prefix.size < size ? prefix.size : size;
    cella_map_cursor_init(&cursor, run->map, NULL);
    cursor.from = prefix;
    cursor.to = cella_map_prefix_end(prefix, buffer);
    unsigned from = 0;
    while (cella_map_compare(run->keys[from], prefix) < 0)
        from++;
    unsigned to = from;
    while (to < KEYS && run->keys[to].size >= prefix.size &&
           memcmp(run->keys[to].data, prefix.data, prefix.size) == 0)
        to++;
    for (unsigned i = 0; i < 40 && scan_one(run, &cursor, &run->now, &from, &to); i++) {
    }
    cella_map_cursor_deinit(&cursor);
}

/* A cursor over the newest state that lives while it changes. */
static void step_cursor(struct run *run) {
    unsigned i = below(run, CURSORS);
    struct cella_map_cursor *cursor = &run->cursors[i].cursor;
    if (cursor->map == NULL || below(run, 50) == 0) {
        cella_map_cursor_deinit(cursor);
        cella_map_cursor_init(cursor, run->map, NULL);
        cursor->backwards = below(run, 2) == 1;
        run->cursors[i].from = random_bound(run, &cursor->from);
        run->cursors[i].to = random_bound(run, &cursor->to);
        if (run->cursors[i].from == KEYS)
            run->cursors[i].from = 0;
    }
    /* At its end it stands still behind the last key that it gave, not at the bound. */
    unsigned from = run->cursors[i].from;
    unsigned to = run->cursors[i].to;
    if (scan_one(run, cursor, &run->now, &from, &to)) {
        run->cursors[i].from = from;
        run->cursors[i].to = to;
    }
}

static void use_view(struct run *run) {
    unsigned i = below(run, VIEWS);
    struct cella_map_view *view = run->views[i].view;
    unsigned choice = below(run, 10);
    if (view == NULL) {
        require(cella_map_view_new(run->map, &run->views[i].view) == CELLA_OK);
        run->views[i].model = cella_map_depth(run->map) > 0 ? run->before[0] : run->now;
    } else if (choice == 0) {
        scan(run, view, &run->views[i].model, KEYS);
        cella_map_view_release(view);
        run->views[i].view = NULL;
    } else if (choice < 3) {
        count(run, view, &run->views[i].model);
    } else if (choice < 5) {
        scan(run, view, &run->views[i].model, 20);
    } else {
        get(run, view, &run->views[i].model);
    }
}

static void begin(struct run *run) {
    unsigned depth = cella_map_depth(run->map);
    if (depth == DEPTH)
        return;
    run->before[depth] = run->now;
    require(cella_map_begin(run->map) == CELLA_OK);
}

static void end(struct run *run) {
    unsigned depth = cella_map_depth(run->map);
    if (below(run, 4) > 0) {
        cella_map_commit(run->map);
    } else {
        cella_map_abort(run->map);
        run->now = run->before[depth - 1];
    }
    require(cella_map_depth(run->map) == depth - 1);
}

static void read_something(struct run *run) {
    unsigned choice = below(run, 100);
    if (choice < 40)
        get(run, NULL, &run->now);
    else if (choice < 70)
        step_cursor(run);
    else if (choice < 88)
        use_view(run);
    else if (choice < 92)
        count(run, NULL, &run->now);
    else if (choice < 97)
        scan(run, NULL, &run->now, 20);
    else
        scan_prefix(run);
}

static void change_something(struct run *run) {
    if (below(run, 2000) == 0)
        append(run);
    else if (below(run, 6000) == 0)
        delete_range(run);
    else if (below(run, 100) < run->puts)
        put(run);
    else
        delete (run);
}

static void operate(struct run *run) {
    static const unsigned char tendencies[] = {90, 50, 10, 95, 60, 0, 100, 99};
    if (run->operation % 40000 == 0)
        run->puts = tendencies[below(run, sizeof tendencies)];
    unsigned depth = cella_map_depth(run->map);
    unsigned choice = below(run, 100);
    if (depth == 0 ? choice < 50 : choice < 2)
        begin(run);
    else if (depth > 0 && choice < 6)
        end(run);
    else if (depth > 0 && choice < 60)
        change_something(run);
    else
        read_something(run);
    require(cella_map_size(run->map, NULL) == run->now.size);
    if (run->operation % 2000 == 0) {
        (void)map_check(run->map, NULL);
        scan(run, NULL, &run->now, KEYS);
    }
}

/* Nothing is left of any view or transaction. */
static void finish(struct run *run) {
    while (cella_map_depth(run->map) > 0)
        end(run);
    for (size_t i = 0; i < VIEWS; i++)
        cella_map_view_release(run->views[i].view);
    for (size_t i = 0; i < CURSORS; i++)
        cella_map_cursor_deinit(&run->cursors[i].cursor);
    for (unsigned i = 0; i < 10000; i++) {
        require(cella_map_begin(run->map) == CELLA_OK);
        cella_map_commit(run->map);
    }
    uint64_t live = map_check(run->map, NULL);
    require(cella_map_memory(run->map) <= live + 4096);
    cella_map_free(run->map);
}

static void a_million_operations_do_what_the_model_does(void **state) {
    struct run *run = calloc(1, sizeof *run);
    const char *seed = getenv("CELLA_TEST_SEED");
    assert_non_null(run);
    run->seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    run->random = run->seed;
    assert_status(cella_map_new(&run->map), CELLA_OK);
    make_keys(run);
    for (run->operation = 0; run->operation < OPERATIONS; run->operation++)
        operate(run);
    finish(run);
    free(run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_operations_do_what_the_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
