/* The loading rules, each broken once in a program that obeys all of them. */
#include "image/elf.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

/* Positions in tests/vectors/image/tiny.elf: the header, then five program headers. */
enum {
    TYPE = 16,
    MACHINE = 18,
    ENTRY = 24,
    PROGRAM_OFFSET = 32,
    SECTION_OFFSET = 40,
    PROGRAM_COUNT = 56,
    READ_SEGMENT = 64,
    CODE_SEGMENT = 64 + 56,
    DATA_SEGMENT = 64 + 2 * 56,
    DYNAMIC = 64 + 3 * 56,
    STACK = 64 + 4 * 56,
    P_TYPE = 0,
    P_FLAGS = 4,
    P_OFFSET = 8,
    P_ADDRESS = 16,
    P_FILE_SIZE = 32,
    P_MEMORY_SIZE = 40,
    P_ALIGN = 48,
    DYNAMIC_BYTES = 0x1f00,
};

static struct cella_error error;

static uint8_t *fresh(size_t *ret_size) {
    struct cella_bytes copy = test_copy(test_vector("image/tiny.elf"));
    *ret_size = copy.size;
    return (uint8_t *)copy.data;
}

/* The program with the `size` bytes at `at` replaced. */
static enum cella_status open_with(size_t at, uint64_t value, size_t size, const char *says) {
    size_t file_size = 0;
    struct cella_elf elf;
    uint8_t *file = fresh(&file_size);
    for (size_t i = 0; i < size; i++)
        file[at + i] = (uint8_t)(value >> (8 * i));
    memset(&error, 0, sizeof error);
    enum cella_status status = cella_elf_open(CELLA_BYTES(file, file_size), &elf, &error);
    if (says != NULL && strstr(error.message, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, says);
    return status;
}

static void a_program_that_obeys_is_parsed(void **state) {
    struct cella_elf elf;
    assert_status(cella_elf_open(test_vector("image/tiny.elf"), &elf, NULL), CELLA_OK);
    assert_int_equal(elf.entry, 0x1008);
    assert_int_equal(elf.segment_count, 3);
    assert_int_equal(elf.memory_size, 0x6000);
    assert_int_equal(elf.file_end, 0x2080);
    assert_int_equal(elf.segments[0].permissions, CELLA_PAGE_READ);
    assert_int_equal(elf.segments[1].permissions, CELLA_PAGE_READ | CELLA_PAGE_EXECUTE);
    assert_int_equal(elf.segments[2].permissions, CELLA_PAGE_READ | CELLA_PAGE_WRITE);
    assert_int_equal(elf.segments[2].offset, 0x2f00);
    assert_int_equal(elf.segments[2].file_size, 0x180);
    assert_int_equal(elf.segments[2].memory_size, 0x2200);
}

static void other_files_are_no_program(void **state) {
    assert_status(open_with(0, 0x7e, 1, "not an ELF file"), CELLA_ELF_FORMAT);
    assert_status(open_with(4, 1, 1, "not for x86-64"), CELLA_ELF_FORMAT);
    assert_status(open_with(5, 2, 1, "not for x86-64"), CELLA_ELF_FORMAT);
    assert_status(open_with(6, 2, 1, "version"), CELLA_ELF_FORMAT);
    assert_status(open_with(7, 9, 1, "another operating system"), CELLA_ELF_FORMAT);
    assert_status(open_with(MACHINE, 183, 2, "not for x86-64"), CELLA_ELF_FORMAT);
    assert_status(open_with(TYPE, 2, 2, "position-independent"), CELLA_ELF_FORMAT);
    assert_status(open_with(54, 57, 2, "sizes"), CELLA_ELF_FORMAT);
    assert_status(open_with(PROGRAM_COUNT, 0, 2, "program headers"), CELLA_ELF_FORMAT);
    assert_status(open_with(PROGRAM_COUNT, 65, 2, "program headers"), CELLA_ELF_FORMAT);
    assert_status(open_with(PROGRAM_OFFSET, UINT64_MAX, 8, "program headers"), CELLA_ELF_FORMAT);
}

static void a_program_that_needs_a_loader_is_refused(void **state) {
    assert_status(open_with(DYNAMIC + P_TYPE, 3, 4, "PT_INTERP"), CELLA_ELF_DYNAMIC);
    assert_status(open_with(DYNAMIC_BYTES, 1, 8, "DT_NEEDED"), CELLA_ELF_DYNAMIC);
}

static void text_relocations_are_refused(void **state) {
    assert_status(open_with(DYNAMIC_BYTES, 22, 8, "DT_TEXTREL"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(DYNAMIC_BYTES + 8, 4, 8, "DT_TEXTREL"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(DYNAMIC + P_FILE_SIZE, 0x10, 8, "no end"), CELLA_ELF_FORMAT);
}

static void an_executable_or_unspoken_stack_is_refused(void **state) {
    assert_status(open_with(STACK + P_FLAGS, 7, 4, "executable stack"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(STACK + P_TYPE, 4, 4, "no PT_GNU_STACK"), CELLA_ELF_PERMISSIONS);
}

static void memory_that_is_writable_and_executable_is_refused(void **state) {
    assert_status(open_with(CODE_SEGMENT + P_FLAGS, 7, 4, "writable and executable"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(DATA_SEGMENT + P_FLAGS, 3, 4, "writable and executable"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(CODE_SEGMENT + P_FLAGS, 1, 4, "permissions"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(CODE_SEGMENT + P_FLAGS, 0, 4, "permissions"), CELLA_ELF_PERMISSIONS);
    assert_status(open_with(CODE_SEGMENT + P_FLAGS, 0x105, 4, "permissions"), CELLA_ELF_PERMISSIONS);
}

static void segments_that_share_a_page_are_refused(void **state) {
    /* The code ends in the page in which the data begins. */
    assert_status(open_with(CODE_SEGMENT + P_MEMORY_SIZE, 0x1001, 8, "shares a page"), CELLA_ELF_SEGMENTS);
    assert_status(open_with(CODE_SEGMENT + P_MEMORY_SIZE, 0x1000, 8, NULL), CELLA_OK);
}

static void segments_out_of_order_are_refused(void **state) {
    assert_status(open_with(DATA_SEGMENT + P_ADDRESS, 0xf00, 8, "out of order"), CELLA_ELF_SEGMENTS);
    assert_status(open_with(READ_SEGMENT + P_ADDRESS, 0x1000, 8, "address 0"), CELLA_ELF_SEGMENTS);
}

static void segments_that_overlap_in_the_file_are_refused(void **state) {
    assert_status(open_with(DATA_SEGMENT + P_OFFSET, 0xf00, 8, "overlaps another one in the file"),
                  CELLA_ELF_SEGMENTS);
}

static void segments_that_are_not_aligned_alike_are_refused(void **state) {
    assert_status(open_with(CODE_SEGMENT + P_ALIGN, 0x800, 8, "aligned to pages"), CELLA_ELF_SEGMENTS);
    assert_status(open_with(CODE_SEGMENT + P_ALIGN, 0x1800, 8, "aligned to pages"), CELLA_ELF_SEGMENTS);
    assert_status(open_with(DATA_SEGMENT + P_ADDRESS, 0x2f08, 8, "position in its page"), CELLA_ELF_SEGMENTS);
}

static void segments_with_impossible_sizes_are_refused(void **state) {
    assert_status(open_with(CODE_SEGMENT + P_MEMORY_SIZE, 0, 8, "empty"), CELLA_ELF_SEGMENTS);
    assert_status(open_with(CODE_SEGMENT + P_MEMORY_SIZE, 0x1f, 8, "more bytes in the file"),
                  CELLA_ELF_SEGMENTS);
    assert_status(open_with(CODE_SEGMENT + P_FILE_SIZE, UINT64_MAX, 8, "ends inside"), CELLA_ELF_FORMAT);
    assert_status(open_with(CODE_SEGMENT + P_OFFSET, UINT64_MAX, 8, "ends inside"), CELLA_ELF_FORMAT);
    assert_status(open_with(DATA_SEGMENT + P_MEMORY_SIZE, UINT64_MAX, 8, NULL), CELLA_IMAGE_TOO_LARGE);
    assert_status(open_with(DATA_SEGMENT + P_MEMORY_SIZE, CELLA_ELF_SIZE_LIMIT, 8, NULL),
                  CELLA_IMAGE_TOO_LARGE);
    assert_status(open_with(DATA_SEGMENT + P_ADDRESS, UINT64_MAX - 0xff, 8, NULL), CELLA_IMAGE_TOO_LARGE);
}

static void the_program_headers_must_be_loaded(void **state) {
    assert_status(open_with(READ_SEGMENT + P_FILE_SIZE, 0x100, 8, "first segment"), CELLA_ELF_SEGMENTS);
}

static void a_program_without_segments_is_refused(void **state) {
    size_t size = 0;
    struct cella_elf elf;
    uint8_t *file = fresh(&size);
    file[READ_SEGMENT] = file[CODE_SEGMENT] = file[DATA_SEGMENT] = 0; /* PT_NULL */
    assert_status(cella_elf_open(CELLA_BYTES(file, size), &elf, NULL), CELLA_ELF_SEGMENTS);
}

static void the_entry_must_be_code_of_the_file(void **state) {
    assert_status(open_with(ENTRY, 0x1000, 8, NULL), CELLA_OK);
    assert_status(open_with(ENTRY, 0x101f, 8, NULL), CELLA_OK);
    assert_status(open_with(ENTRY, 0x1020, 8, "entry point"), CELLA_ELF_ENTRY);
    assert_status(open_with(ENTRY, 0xfff, 8, "entry point"), CELLA_ELF_ENTRY);
    assert_status(open_with(ENTRY, 0x2f08, 8, "entry point"), CELLA_ELF_ENTRY);
    assert_status(open_with(ENTRY, 0, 8, "entry point"), CELLA_ELF_ENTRY);
}

static void stripping_cuts_what_is_not_loaded_and_is_final(void **state) {
    struct cella_elf elf;
    struct cella_elf again;
    uint8_t *stripped = NULL;
    size_t size = 0;
    assert_status(cella_elf_open(test_vector("image/tiny.elf"), &elf, NULL), CELLA_OK);
    assert_status(cella_elf_check_stripped(&elf, NULL), CELLA_ELF_FORMAT);
    assert_status(cella_elf_strip(&elf, &stripped, &size, NULL), CELLA_OK);
    assert_int_equal(size, 0x2080);
    assert_int_equal(stripped[SECTION_OFFSET], 0);
    assert_status(cella_elf_open(CELLA_BYTES(stripped, size), &again, NULL), CELLA_OK);
    assert_status(cella_elf_check_stripped(&again, NULL), CELLA_OK);
    stripped[0x1800] = 1; /* between two segments */
    assert_status(cella_elf_check_stripped(&again, &error), CELLA_ELF_FORMAT);
    assert_non_null(strstr(error.message, "between"));
    stripped[0x1800] = 0;
    stripped[SECTION_OFFSET] = 1;
    assert_status(cella_elf_check_stripped(&again, &error), CELLA_ELF_FORMAT);
    free(stripped);
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_elf elf;
    return cella_elf_open(bytes, &elf, NULL) == CELLA_OK;
}

static void every_truncation_of_what_is_loaded_is_refused(void **state) {
    struct cella_bytes whole = test_vector("image/tiny.elf");
    struct cella_bytes loaded = test_copy(CELLA_BYTES(whole.data, 0x2080));
    test_truncations_refused(loaded, accepts, NULL);
}

static void no_flipped_bit_of_the_headers_is_harmful(void **state) {
    struct cella_bytes whole = test_vector("image/tiny.elf");
    for (size_t bit = 0; bit < 8 * 0x180; bit++) {
        struct cella_bytes copy = test_copy(whole);
        ((uint8_t *)copy.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        (void)accepts(NULL, copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_obeys_is_parsed),
        cmocka_unit_test(other_files_are_no_program),
        cmocka_unit_test(a_program_that_needs_a_loader_is_refused),
        cmocka_unit_test(text_relocations_are_refused),
        cmocka_unit_test(an_executable_or_unspoken_stack_is_refused),
        cmocka_unit_test(memory_that_is_writable_and_executable_is_refused),
        cmocka_unit_test(segments_that_share_a_page_are_refused),
        cmocka_unit_test(segments_out_of_order_are_refused),
        cmocka_unit_test(segments_that_overlap_in_the_file_are_refused),
        cmocka_unit_test(segments_that_are_not_aligned_alike_are_refused),
        cmocka_unit_test(segments_with_impossible_sizes_are_refused),
        cmocka_unit_test(the_program_headers_must_be_loaded),
        cmocka_unit_test(a_program_without_segments_is_refused),
        cmocka_unit_test(the_entry_must_be_code_of_the_file),
        cmocka_unit_test(stripping_cuts_what_is_not_loaded_and_is_final),
        cmocka_unit_test(every_truncation_of_what_is_loaded_is_refused),
        cmocka_unit_test(no_flipped_bit_of_the_headers_is_harmful),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
