/* The bounded reader: values, bounds and the sticky failure. */
#include "support/test.h"
#include "base/reader.h"
#include <string.h>

static struct cella_reader reader_of(struct cella_bytes bytes) {
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    return reader;
}

static void little_endian_fields_have_their_values(void **state) {
    struct cella_reader reader = reader_of(test_hex("01 0203 04050607 08090a0b0c0d0e0f"));
    assert_int_equal(cella_read_u8(&reader), 0x01);
    assert_int_equal(cella_read_u16(&reader), 0x0302);
    assert_int_equal(cella_read_u32(&reader), 0x07060504);
    assert_true(cella_read_u64(&reader) == 0x0f0e0d0c0b0a0908);
    assert_true(cella_reader_done(&reader));
}

static void big_endian_fields_have_their_values(void **state) {
    struct cella_reader reader = reader_of(test_hex("0203 04050607 08090a0b0c0d0e0f"));
    assert_int_equal(cella_read_u16_be(&reader), 0x0203);
    assert_int_equal(cella_read_u32_be(&reader), 0x04050607);
    assert_true(cella_read_u64_be(&reader) == 0x08090a0b0c0d0e0f);
    assert_true(cella_reader_done(&reader));
}

static void the_largest_values_are_read_whole(void **state) {
    struct cella_reader reader = reader_of(test_hex("ff ffff ffffffff ffffffffffffffff"));
    assert_int_equal(cella_read_u8(&reader), UINT8_MAX);
    assert_int_equal(cella_read_u16(&reader), UINT16_MAX);
    assert_true(cella_read_u32(&reader) == UINT32_MAX);
    assert_true(cella_read_u64(&reader) == UINT64_MAX);
}

static uint64_t as_u8(struct cella_reader *reader) {
    return cella_read_u8(reader);
}
static uint64_t as_u16(struct cella_reader *reader) {
    return cella_read_u16(reader);
}
static uint64_t as_u32(struct cella_reader *reader) {
    return cella_read_u32(reader);
}
static uint64_t as_u64(struct cella_reader *reader) {
    return cella_read_u64(reader);
}
static uint64_t as_u16_be(struct cella_reader *reader) {
    return cella_read_u16_be(reader);
}
static uint64_t as_u32_be(struct cella_reader *reader) {
    return cella_read_u32_be(reader);
}
static uint64_t as_u64_be(struct cella_reader *reader) {
    return cella_read_u64_be(reader);
}

static void every_integer_is_refused_at_every_truncation(void **state) {
    static const struct {
        uint64_t (*read)(struct cella_reader *reader);
        size_t size;
    } fields[] = {{as_u8, 1},     {as_u16, 2},    {as_u32, 4},   {as_u64, 8},
                  {as_u16_be, 2}, {as_u32_be, 4}, {as_u64_be, 8}};
    struct cella_bytes ones = test_hex("ffffffffffffffff");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        for (size_t size = 0; size < fields[i].size; size++) {
            struct cella_reader reader = reader_of(test_copy(CELLA_BYTES(ones.data, size)));
            assert_true(fields[i].read(&reader) == 0);
            assert_true(reader.failed);
            assert_false(cella_reader_done(&reader));
        }
        struct cella_reader reader = reader_of(test_copy(CELLA_BYTES(ones.data, fields[i].size)));
        assert_true(fields[i].read(&reader) != 0);
        assert_true(cella_reader_done(&reader));
    }
}

static void a_failure_is_sticky(void **state) {
    struct cella_reader reader = reader_of(test_hex("0102"));
    assert_int_equal(cella_read_u32(&reader), 0);
    assert_int_equal(cella_read_u8(&reader), 0);
    assert_null(cella_read_view(&reader, 0));
    assert_int_equal(cella_reader_left(&reader), 0);
    assert_false(cella_reader_done(&reader));
}

static void trailing_bytes_are_not_done(void **state) {
    struct cella_reader reader = reader_of(test_hex("010203"));
    (void)cella_read_u16(&reader);
    assert_false(cella_reader_done(&reader));
    assert_int_equal(cella_reader_left(&reader), 1);
    (void)cella_read_u8(&reader);
    assert_true(cella_reader_done(&reader));
}

static void a_view_points_into_the_bytes(void **state) {
    struct cella_bytes bytes = test_hex("00112233");
    struct cella_reader reader = reader_of(bytes);
    (void)cella_read_u8(&reader);
    assert_ptr_equal(cella_read_view(&reader, 3), bytes.data + 1);
    assert_true(cella_reader_done(&reader));
}

static void a_view_past_the_end_is_refused(void **state) {
    static const size_t sizes[] = {5, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cella_reader reader = reader_of(test_hex("00112233"));
        (void)cella_read_u8(&reader);
        assert_null(cella_read_view(&reader, sizes[i]));
        assert_true(reader.failed);
    }
}

static void a_copy_has_the_bytes_or_zeros(void **state) {
    struct cella_reader reader = reader_of(test_hex("a1a2a3"));
    uint8_t out[2] = {9, 9};
    cella_read_copy(&reader, out, sizeof out);
    assert_int_equal(out[0], 0xa1);
    assert_int_equal(out[1], 0xa2);
    cella_read_copy(&reader, out, sizeof out);
    assert_true(reader.failed);
    assert_int_equal(out[0] | out[1], 0);
}

static void a_sized_field_is_a_view_of_its_length(void **state) {
    struct cella_reader reader = reader_of(test_hex("03000000 a1a2a3 00000000"));
    struct cella_bytes field = cella_read_sized(&reader, 3);
    assert_bytes(field, test_hex("a1a2a3"));
    assert_int_equal(cella_read_sized(&reader, 0).size, 0);
    assert_true(cella_reader_done(&reader));
}

static void a_sized_field_over_its_limit_is_refused(void **state) {
    struct cella_reader reader = reader_of(test_hex("03000000 a1a2a3"));
    struct cella_bytes field = cella_read_sized(&reader, 2);
    assert_null(field.data);
    assert_int_equal(field.size, 0);
    assert_true(reader.failed);
}

static void a_sized_field_is_refused_at_every_truncation(void **state) {
    struct cella_bytes whole = test_hex("03000000 a1a2a3");
    for (size_t size = 0; size < whole.size; size++) {
        struct cella_reader reader = reader_of(test_copy(CELLA_BYTES(whole.data, size)));
        assert_int_equal(cella_read_sized(&reader, 1 << 20).size, 0);
        assert_true(reader.failed);
    }
}

static void a_length_of_all_ones_is_refused(void **state) {
    struct cella_reader reader = reader_of(test_hex("ffffffff a1a2a3"));
    assert_int_equal(cella_read_sized(&reader, SIZE_MAX).size, 0);
    assert_true(reader.failed);
}

static void reserved_zeros_are_skipped(void **state) {
    struct cella_reader reader = reader_of(test_hex("000000 07"));
    cella_read_zeros(&reader, 3);
    assert_int_equal(cella_read_u8(&reader), 7);
    assert_true(cella_reader_done(&reader));
}

static void a_reserved_byte_that_is_not_zero_is_refused(void **state) {
    for (size_t at = 0; at < 3; at++) {
        uint8_t bytes[3] = {0};
        bytes[at] = 0x80;
        struct cella_reader reader = reader_of(test_copy(CELLA_BYTES(bytes, sizeof bytes)));
        cella_read_zeros(&reader, 3);
        assert_true(reader.failed);
        assert_false(cella_reader_done(&reader));
    }
}

static void missing_reserved_bytes_are_refused(void **state) {
    struct cella_reader reader = reader_of(test_hex("0000"));
    cella_read_zeros(&reader, 3);
    assert_true(reader.failed);
}

static void no_bytes_at_all_are_done_and_give_nothing(void **state) {
    struct cella_reader reader = reader_of(CELLA_BYTES(NULL, 0));
    assert_true(cella_reader_done(&reader));
    (void)cella_read_view(&reader, 0);
    cella_read_copy(&reader, NULL, 0);
    cella_read_zeros(&reader, 0);
    assert_true(cella_reader_done(&reader));
    assert_int_equal(cella_read_u8(&reader), 0);
    assert_true(reader.failed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian_fields_have_their_values),
        cmocka_unit_test(big_endian_fields_have_their_values),
        cmocka_unit_test(the_largest_values_are_read_whole),
        cmocka_unit_test(every_integer_is_refused_at_every_truncation),
        cmocka_unit_test(a_failure_is_sticky),
        cmocka_unit_test(trailing_bytes_are_not_done),
        cmocka_unit_test(a_view_points_into_the_bytes),
        cmocka_unit_test(a_view_past_the_end_is_refused),
        cmocka_unit_test(a_copy_has_the_bytes_or_zeros),
        cmocka_unit_test(a_sized_field_is_a_view_of_its_length),
        cmocka_unit_test(a_sized_field_over_its_limit_is_refused),
        cmocka_unit_test(a_sized_field_is_refused_at_every_truncation),
        cmocka_unit_test(a_length_of_all_ones_is_refused),
        cmocka_unit_test(reserved_zeros_are_skipped),
        cmocka_unit_test(a_reserved_byte_that_is_not_zero_is_refused),
        cmocka_unit_test(missing_reserved_bytes_are_refused),
        cmocka_unit_test(no_bytes_at_all_are_done_and_give_nothing),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
