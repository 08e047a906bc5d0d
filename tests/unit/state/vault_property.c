/* A million random operations on a vault, with restarts now and then, against a table. */
#include "support/vault_case.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 3000, OPERATIONS = 1000000, RESTART_EVERY = 40000 };

/* What is under each key: 0 is nothing, else the number of the operation that put it. */
struct model {
    uint32_t now[KEYS];
    uint32_t outer[KEYS]; /* before the nested level */
    uint32_t committed[KEYS];
};

static uint64_t draw(uint64_t *state) {
    uint64_t value = (*state += UINT64_C(0x9e3779b97f4a7c15));
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Keys of many sizes, some the beginnings of others. */
static struct cella_bytes key_of(unsigned index, char *buffer) {
    int size = snprintf(buffer, 64, "%0*u", 1 + (int)(index % 40), index);
    return CELLA_BYTES(buffer, (size_t)size);
}

static struct cella_bytes value_of(uint32_t number, uint8_t *buffer) {
    size_t size = number % 97 == 0 ? 3000 : number % 120;
    memset(buffer, (int)(number & 0xff), size);
    if (size >= sizeof number)
        memcpy(buffer, &number, sizeof number);
    return CELLA_BYTES(buffer, size);
}

static void assert_entry(struct cella_vault *vault, unsigned index, uint32_t number) {
    char key[64];
    uint8_t value[4096];
    struct cella_bytes got;
    bool found = cella_vault_get(vault, CELLA_SPACE_USER, key_of(index, key), &got);
    assert_int_equal(found, number != 0);
    if (found)
        assert_bytes(got, value_of(number, value));
}

static uint64_t count_of(const uint32_t *table) {
    uint64_t count = 0;
    for (unsigned i = 0; i < KEYS; i++)
        count += table[i] != 0;
    return count;
}

static uint64_t scan(struct cella_vault *vault, bool backwards) {
    const uint8_t from = CELLA_SPACE_USER, to = CELLA_SPACE_USER + 1;
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status;
    uint64_t count = 0;
    cella_map_cursor_init(&cursor, cella_vault_map(vault), NULL);
    cursor.backwards = backwards;
    cursor.from = CELLA_BYTES(&from, 1);
    cursor.to = CELLA_BYTES(&to, 1);
    while (cella_map_cursor_next(&cursor, &key, &value, &status))
        count++;
    assert_status(status, CELLA_OK);
    cella_map_cursor_deinit(&cursor);
    return count;
}

static void compare_all(struct test_vault *vault, const uint32_t *table) {
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    for (unsigned i = 0; i < KEYS; i++)
        assert_entry(vault->vault, i, table[i]);
    assert_int_equal(scan(vault->vault, false), count_of(table));
    assert_int_equal(scan(vault->vault, true), count_of(table));
    cella_vault_abort(vault->vault);
}

static void change(struct cella_vault *vault, struct model *model, uint32_t number, uint64_t random) {
    unsigned index = (unsigned)(random % KEYS);
    char key[64];
    uint8_t value[4096];
    if (random >> 32 & 3) {
        assert_status(cella_vault_put(vault, CELLA_SPACE_USER, key_of(index, key), value_of(number, value)),
                      CELLA_OK);
        model->now[index] = number;
    } else {
        enum cella_status status = cella_vault_delete(vault, CELLA_SPACE_USER, key_of(index, key));
        assert_status(status, model->now[index] != 0 ? CELLA_OK : CELLA_NOT_FOUND);
        model->now[index] = 0;
    }
    assert_entry(vault, (unsigned)(random >> 40) % KEYS, model->now[(unsigned)(random >> 40) % KEYS]);
}

/* Some changes in a nested level, which half of the time is taken back. */
static uint32_t nested(struct cella_vault *vault, struct model *model, uint32_t number, uint64_t *random) {
    memcpy(model->outer, model->now, sizeof model->outer);
    assert_status(cella_vault_begin(vault, NULL), CELLA_OK);
    for (uint64_t left = draw(random) % 10; left > 0; left--)
        change(vault, model, number++, draw(random));
    if (draw(random) & 1) {
        cella_vault_abort(vault);
        memcpy(model->now, model->outer, sizeof model->now);
    } else {
        assert_status(cella_vault_commit(vault, NULL), CELLA_OK);
    }
    return number;
}

static uint32_t transaction(struct test_vault *vault, struct model *model, uint32_t number,
                            uint64_t *random) {
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    memcpy(model->now, model->committed, sizeof model->now);
    for (uint64_t left = draw(random) % 200; left > 0; left--) {
        uint64_t choice = draw(random);
        if (choice % 50 == 0)
            number = nested(vault->vault, model, number, random);
        else
            change(vault->vault, model, number++, choice >> 6);
    }
    if (draw(random) % 8 == 0) {
        cella_vault_abort(vault->vault);
        return number;
    }
    assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
    memcpy(model->committed, model->now, sizeof model->committed);
    return number;
}

static void a_vault_is_what_a_table_is_over_restarts(void **state) {
    struct test_vault *vault = *state;
    struct model *model = calloc(1, sizeof *model);
    uint64_t random = 42;
    unsigned restarts = 0;
    vault->limits.snapshot_after = 1 << 20;
    for (uint32_t number = 1; number < OPERATIONS;) {
        number = transaction(vault, model, number, &random);
        if (number / RESTART_EVERY == restarts)
            continue;
        restarts++;
        test_vault_reopen(vault);
        assert_int_equal(vault->report.keys, count_of(model->committed));
        compare_all(vault, model->committed);
    }
    assert_true(restarts >= OPERATIONS / RESTART_EVERY);
    free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_vault_is_what_a_table_is_over_restarts, test_vault_setup,
                                        test_vault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
