/* The changes of a record: they come back as they were written, and nothing else is taken for one. */
#include "state/journal.h"
#include "state/map.h"
#include "support/memory.h"
#include "support/test.h"
#include <string.h>

static struct cella_bytes text(const char *string) {
    return CELLA_BYTES(string, strlen(string));
}

static void changes_come_back_as_they_were_written(void **state) {
    uint8_t content[64];
    struct cella_bytes value = text("value"), nothing = {0};
    size_t size = cella_change_write(content, text("key"), &value);
    size += cella_change_write(content + size, text("gone"), NULL);
    size += cella_change_write(content + size, text("empty"), &nothing);
    assert_int_equal(size, cella_change_size(text("key"), &value) + cella_change_size(text("gone"), NULL) +
                               cella_change_size(text("empty"), &nothing));
    struct cella_change change;
    enum cella_status status;
    size_t position = 0;
    assert_true(cella_change_next(CELLA_BYTES(content, size), &position, &change, &status));
    assert_false(change.is_delete);
    assert_bytes(change.key, text("key"));
    assert_bytes(change.value, value);
    assert_true(cella_change_next(CELLA_BYTES(content, size), &position, &change, &status));
    assert_true(change.is_delete);
    assert_bytes(change.key, text("gone"));
    assert_true(cella_change_next(CELLA_BYTES(content, size), &position, &change, &status));
    assert_false(change.is_delete);
    assert_bytes(change.key, text("empty"));
    assert_int_equal(change.value.size, 0);
    assert_false(cella_change_next(CELLA_BYTES(content, size), &position, &change, &status));
    assert_status(status, CELLA_OK);
}

/* True when the whole content is well formed and holds `context` changes. */
static bool holds(void *context, struct cella_bytes content) {
    const size_t *expected = context;
    struct cella_change change;
    enum cella_status status;
    size_t position = 0, count = 0;
    while (cella_change_next(content, &position, &change, &status))
        count++;
    return status == CELLA_OK && count == *expected;
}

static void cut_changes_are_damaged(void **state) {
    uint8_t content[64];
    struct cella_bytes value = text("value");
    size_t one = 1, size = cella_change_write(content, text("key"), &value);
    test_truncations_refused(CELLA_BYTES(content, size), holds, &one);
    test_extension_refused(CELLA_BYTES(content, size), holds, &one);
    size = cella_change_write(content, text("key"), NULL);
    test_truncations_refused(CELLA_BYTES(content, size), holds, &one);
}

static void the_largest_key_and_value_are_accepted_and_larger_ones_are_not(void **state) {
    size_t one = 1;
    struct cella_bytes key = test_pattern(CELLA_MAP_KEY_MAX + 1, 1);
    struct cella_bytes value = test_pattern(CELLA_MAP_VALUE_MAX + 1, 2);
    struct cella_bytes long_key = key, long_value = value;
    key.size--;
    value.size--;
    uint8_t *content = test_allocate(cella_change_size(long_key, &long_value));
    assert_true(holds(&one, CELLA_BYTES(content, cella_change_write(content, key, &value))));
    assert_false(holds(&one, CELLA_BYTES(content, cella_change_write(content, long_key, &value))));
    assert_false(holds(&one, CELLA_BYTES(content, cella_change_write(content, key, &long_value))));
    assert_false(holds(&one, CELLA_BYTES(content, cella_change_write(content, long_key, NULL))));
}

static void an_empty_key_and_an_unknown_kind_are_damaged(void **state) {
    size_t one = 1;
    struct cella_bytes value = text("value");
    uint8_t content[64];
    size_t size = cella_change_write(content, (struct cella_bytes){0}, &value);
    assert_false(holds(&one, CELLA_BYTES(content, size)));
    for (unsigned kind = 0; kind < 256; kind++) {
        size = cella_change_write(content, text("key"), NULL);
        content[0] = (uint8_t)kind;
        assert_int_equal(holds(&one, CELLA_BYTES(content, size)), kind == 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_come_back_as_they_were_written),
        cmocka_unit_test(cut_changes_are_damaged),
        cmocka_unit_test(the_largest_key_and_value_are_accepted_and_larger_ones_are_not),
        cmocka_unit_test(an_empty_key_and_an_unknown_kind_are_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
