/* The bounded writer: what the reader reads back, bounds and the sticky overflow. */
#include "support/test.h"
#include "base/reader.h"
#include "base/writer.h"
#include <stdlib.h>
#include <string.h>

/* Writes one of everything: 1 + 2 + 4 + 8 + 3 + 2 + (4 + 3) + 1 bytes. */
enum { WHOLE = 28 };

static void write_everything(struct cella_writer *writer) {
    cella_write_u8(writer, 0x01);
    cella_write_u16(writer, 0x0302);
    cella_write_u32(writer, 0x07060504);
    cella_write_u64(writer, 0x0f0e0d0c0b0a0908);
    cella_write_bytes(writer, "abc", 3);
    cella_write_zeros(writer, 2);
    cella_write_sized(writer, CELLA_BYTES("xyz", 3));
    uint8_t *space = cella_write_space(writer, 1);
    if (space != NULL)
        *space = 0xee;
}

static void fields_are_little_endian_and_in_order(void **state) {
    uint8_t buffer[WHOLE];
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, sizeof buffer);
    write_everything(&writer);
    assert_false(writer.failed);
    assert_bytes(cella_writer_bytes(&writer),
                 test_hex("01 0203 04050607 08090a0b0c0d0e0f 616263 0000 03000000 78797a ee"));
}

static void every_smaller_buffer_overflows_and_nothing_is_written_behind_it(void **state) {
    for (size_t capacity = 0; capacity < WHOLE; capacity++) {
        uint8_t *buffer = malloc(capacity == 0 ? 1 : capacity); /* exactly sized for the sanitizer */
        assert_non_null(buffer);
        struct cella_writer writer;
        cella_writer_init(&writer, buffer, capacity);
        write_everything(&writer);
        assert_true(writer.failed);
        assert_in_range(writer.size, 0, capacity);
        free(buffer);
    }
}

static void an_overflow_is_sticky(void **state) {
    uint8_t buffer[4] = {0};
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, sizeof buffer);
    cella_write_u64(&writer, UINT64_MAX);
    cella_write_u8(&writer, 0xff);
    assert_true(writer.failed);
    assert_int_equal(writer.size, 0);
    assert_null(cella_write_space(&writer, 0));
    assert_bytes(CELLA_BYTES(buffer, sizeof buffer), test_hex("00000000"));
}

static void a_size_near_the_largest_does_not_wrap(void **state) {
    uint8_t buffer[4];
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, sizeof buffer);
    cella_write_u8(&writer, 1);
    assert_null(cella_write_space(&writer, SIZE_MAX));
    assert_true(writer.failed);
}

static void a_sized_field_over_32_bits_is_refused(void **state) {
    uint8_t buffer[16];
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, sizeof buffer);
    cella_write_sized(&writer, CELLA_BYTES(buffer, (size_t)UINT32_MAX + 1));
    assert_true(writer.failed);
    assert_int_equal(writer.size, 0);
}

static void writing_nothing_is_allowed(void **state) {
    struct cella_writer writer;
    cella_writer_init(&writer, NULL, 0);
    cella_write_bytes(&writer, NULL, 0);
    cella_write_zeros(&writer, 0);
    assert_false(writer.failed);
    assert_int_equal(cella_writer_bytes(&writer).size, 0);
    cella_write_u8(&writer, 1);
    assert_true(writer.failed);
}

static void the_reader_reads_what_the_writer_wrote(void **state) {
    uint8_t buffer[WHOLE];
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, sizeof buffer);
    write_everything(&writer);
    struct cella_reader reader;
    cella_reader_init(&reader, cella_writer_bytes(&writer));
    assert_int_equal(cella_read_u8(&reader), 0x01);
    assert_int_equal(cella_read_u16(&reader), 0x0302);
    assert_int_equal(cella_read_u32(&reader), 0x07060504);
    assert_true(cella_read_u64(&reader) == 0x0f0e0d0c0b0a0908);
    assert_memory_equal(cella_read_view(&reader, 3), "abc", 3);
    cella_read_zeros(&reader, 2);
    assert_bytes(cella_read_sized(&reader, 3), CELLA_BYTES("xyz", 3));
    assert_int_equal(cella_read_u8(&reader), 0xee);
    assert_true(cella_reader_done(&reader));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_little_endian_and_in_order),
        cmocka_unit_test(every_smaller_buffer_overflows_and_nothing_is_written_behind_it),
        cmocka_unit_test(an_overflow_is_sticky),
        cmocka_unit_test(a_size_near_the_largest_does_not_wrap),
        cmocka_unit_test(a_sized_field_over_32_bits_is_refused),
        cmocka_unit_test(writing_nothing_is_allowed),
        cmocka_unit_test(the_reader_reads_what_the_writer_wrote),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
