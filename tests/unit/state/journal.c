/* Changes, records and segments of the journal. */
#include "state/journal.h"
#include "state/map.h"
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_come_back_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
