/* Offsets of a loaded image. */
#include "image/layout.h"
#include "support/test.h"

static void everything_follows_in_order_with_guards(void **state) {
    struct cella_layout layout;
    assert_status(cella_layout_init(&layout, 0x6000, 0x1001, 0x100000, 0x10000, 2), CELLA_OK);
    assert_int_equal(layout.settings_offset, 0x6000);
    assert_int_equal(layout.heap_offset, 0x8000);
    assert_int_equal(layout.threads_offset, 0x108000);
    struct cella_layout_thread first = cella_layout_thread(&layout, 0);
    assert_int_equal(first.stack_low, 0x109000);
    assert_int_equal(first.stack_top, 0x119000);
    assert_int_equal(first.tls, 0x11a000);
    assert_int_equal(first.ssa, 0x11b000);
    assert_int_equal(first.tcs, 0x11e000);
    struct cella_layout_thread second = cella_layout_thread(&layout, 1);
    assert_int_equal(second.stack_low, 0x120000);
    assert_int_equal(second.tcs, 0x135000);
    assert_int_equal(layout.end, 0x136000);
    assert_int_equal(layout.size, 0x200000);
}

static void the_range_is_the_next_power_of_two(void **state) {
    struct cella_layout layout;
    /* 1 page of settings; a thread has 7 pages and its stack. */
    assert_status(cella_layout_init(&layout, 0x1000, 1, 0x6000, 0x1000, 1), CELLA_OK);
    assert_int_equal(layout.end, 0x10000);
    assert_int_equal(layout.size, 0x10000);
    assert_status(cella_layout_init(&layout, 0x1000, 1, 0x7000, 0x1000, 1), CELLA_OK);
    assert_int_equal(layout.size, 0x20000);
}

static void what_does_not_fit_is_too_large(void **state) {
    struct cella_layout layout;
    assert_status(cella_layout_init(&layout, 0x1000, 1, CELLA_LAYOUT_SIZE_LIMIT / 2, 0x1000, 1), CELLA_OK);
    assert_status(cella_layout_init(&layout, 0x1000, 1, CELLA_LAYOUT_SIZE_LIMIT, 0x1000, 1),
                  CELLA_IMAGE_TOO_LARGE);
    assert_status(cella_layout_init(&layout, UINT64_MAX, 1, 0x1000, 0x1000, 1), CELLA_IMAGE_TOO_LARGE);
    assert_status(cella_layout_init(&layout, 0x1000, UINT64_MAX, 0x1000, 0x1000, 1), CELLA_IMAGE_TOO_LARGE);
    assert_status(cella_layout_init(&layout, 0x1000, 1, UINT64_MAX, 0x1000, 1), CELLA_IMAGE_TOO_LARGE);
    assert_status(cella_layout_init(&layout, 0x1000, 1, 0x1000, UINT64_MAX, 1), CELLA_IMAGE_TOO_LARGE);
    assert_status(cella_layout_init(&layout, 0x1000, 1, 0x1000, 0x1000, UINT32_MAX), CELLA_IMAGE_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_follows_in_order_with_guards),
        cmocka_unit_test(the_range_is_the_next_power_of_two),
        cmocka_unit_test(what_does_not_fit_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
