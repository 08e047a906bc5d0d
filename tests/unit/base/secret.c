/* Wiping and constant-time comparison. */
#include "support/test.h"
#include "base/secret.h"
#include <stdlib.h>
#include <string.h>

static void wipe_overwrites_every_byte_and_no_other(void **state) {
    uint8_t bytes[34];
    memset(bytes, 0xaa, sizeof bytes);
    cella_wipe(bytes + 1, 32);
    assert_int_equal(bytes[0], 0xaa);
    assert_int_equal(bytes[33], 0xaa);
    for (size_t i = 1; i <= 32; i++)
        assert_int_equal(bytes[i], 0);
}

static void wipe_and_free_accept_nothing(void **state) {
    cella_wipe(NULL, 0);
    cella_wipe_free(NULL, 0);
    cella_wipe_free(NULL, 16);
    cella_wipe_free(malloc(16), 16);
}

static void equal_bytes_are_equal(void **state) {
    struct cella_bytes bytes = test_pattern(64, 1);
    struct cella_bytes copy = test_copy(bytes);
    for (size_t size = 0; size <= 64; size++)
        assert_true(cella_equal_secret(bytes.data, copy.data, size));
}

static void every_single_changed_bit_is_seen(void **state) {
    struct cella_bytes bytes = test_pattern(32, 2);
    uint8_t changed[32];
    for (size_t bit = 0; bit < 8 * sizeof changed; bit++) {
        memcpy(changed, bytes.data, sizeof changed);
        changed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(cella_equal_secret(bytes.data, changed, sizeof changed));
    }
}

static void only_the_named_bytes_are_compared(void **state) {
    assert_true(cella_equal_secret("abcX", "abcY", 3));
    assert_false(cella_equal_secret("abcX", "abcY", 4));
    assert_true(cella_equal_secret("a", "b", 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wipe_overwrites_every_byte_and_no_other),
        cmocka_unit_test(wipe_and_free_accept_nothing),
        cmocka_unit_test(equal_bytes_are_equal),
        cmocka_unit_test(every_single_changed_bit_is_seen),
        cmocka_unit_test(only_the_named_bytes_are_compared),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
