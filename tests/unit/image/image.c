/* The .enclave file, its pages and its code hash, against what tests/vectors/image/generate.py made. */
#include "image/image.h"
#include "base/file.h"
#include "base/reader.h"
#include "image/build.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

static struct cella_bytes vector(void) {
    return test_vector("image/tiny.enclave");
}

static void the_vector_is_opened_and_verifies(void **state) {
    struct cella_image image;
    uint8_t hash[CELLA_SHA256_SIZE];
    assert_status(cella_image_open(vector(), &image, NULL), CELLA_OK);
    assert_string_equal(image.settings.name, "tiny");
    assert_int_equal(image.entry, 0x1008);
    assert_int_equal(image.elf_file_offset, 4096);
    assert_int_equal(image.layout.size, 0x200000);
    cella_image_measure(&image, hash);
    assert_bytes(CELLA_BYTES(hash, sizeof hash), test_vector_field("image/tiny.txt", "code_hash"));
    assert_status(cella_image_verify(&image, NULL), CELLA_OK);
}

static void building_and_signing_gives_the_scripts_file(void **state) {
    struct cella_image image;
    struct cella_error error = {0};
    struct cella_rsa *key = NULL;
    uint8_t *pem = NULL;
    uint8_t *file = NULL;
    size_t pem_size = 0;
    size_t size = 0;
    assert_status(cella_file_read("../cmake/INSECURE-development-signing-key.pem", CELLA_RSA_PEM_LIMIT, &pem,
                                  &pem_size, NULL),
                  CELLA_OK);
    assert_status(cella_rsa_read_private_pem(CELLA_BYTES(pem, pem_size), &key, NULL), CELLA_OK);
    assert_status(cella_image_open(vector(), &image, NULL), CELLA_OK);
    assert_status(cella_image_build(test_vector("image/tiny.elf"), &image.settings, CELLA_IMAGE_DEFAULT_DATE,
                                    &file, &size, &error),
                  CELLA_OK);
    assert_status(cella_image_open(CELLA_BYTES(file, size), &image, &error), CELLA_OK);
    assert_status(cella_image_verify(&image, &error), CELLA_IMAGE_UNSIGNED);
    struct cella_sigstruct sigstruct = image.sigstruct;
    assert_status(cella_sigstruct_sign(&sigstruct, key, &error), CELLA_OK);
    assert_status(cella_image_set_sigstruct(file, size, &sigstruct, &error), CELLA_OK);
    assert_bytes(CELLA_BYTES(file, size), vector());
    cella_rsa_free(key);
    free(pem);
    free(file);
}

static void a_sigstruct_of_another_image_is_not_put_in(void **state) {
    struct cella_image image;
    struct cella_error error = {0};
    struct cella_bytes file = test_copy(vector());
    assert_status(cella_image_open(file, &image, NULL), CELLA_OK);
    struct cella_sigstruct sigstruct = image.sigstruct;
    sigstruct.isv_svn++;
    assert_status(cella_image_set_sigstruct((uint8_t *)file.data, file.size, &sigstruct, &error),
                  CELLA_IMAGE_MISMATCH);
    assert_bytes(file, vector());
}

static bool verifies(void *context, struct cella_bytes bytes) {
    struct cella_image image;
    return cella_image_open(bytes, &image, NULL) == CELLA_OK && cella_image_verify(&image, NULL) == CELLA_OK;
}

static bool opens(void *context, struct cella_bytes bytes) {
    struct cella_image image;
    return cella_image_open(bytes, &image, NULL) == CELLA_OK;
}

static void every_truncation_and_extension_is_refused(void **state) {
    test_truncations_refused(vector(), opens, NULL);
    test_extension_refused(vector(), opens, NULL);
}

/* One bit of each byte, because each needs a measurement: all bits of the parts are flipped in their own
 * tests. */
static void no_byte_can_be_changed(void **state) {
    struct cella_bytes good = vector();
    assert_true(verifies(NULL, good));
    for (size_t at = 0; at < good.size; at++) {
        struct cella_bytes copy = test_copy(good);
        ((uint8_t *)copy.data)[at] ^= (uint8_t)(1 << at % 8);
        if (verifies(NULL, copy))
            fail_msg("a changed byte at %zu is accepted", at);
        free((void *)(uintptr_t)copy.data);
    }
}

/* Byte `at` of the settings that the vector holds, in the file. */
static enum cella_status open_with(size_t at, uint8_t value, struct cella_error *error) {
    struct cella_image image;
    struct cella_bytes file = test_copy(vector());
    ((uint8_t *)file.data)[at] = value;
    return cella_image_open(file, &image, error);
}

static void settings_and_signature_must_agree(void **state) {
    struct cella_error error = {0};
    const size_t settings = 48 + 1808;
    /* Behind the head (10) and the name (6 + 4), fields 2, 3 and 4 have heads of 6 bytes. */
    assert_status(open_with(settings + 26, 0x35, &error), CELLA_IMAGE_MISMATCH);
    assert_non_null(strstr(error.message, "product 4661"));
    assert_status(open_with(settings + 34, 6, &error), CELLA_IMAGE_MISMATCH);
    assert_non_null(strstr(error.message, "security version 6"));
    assert_status(open_with(settings + 42, 0, &error), CELLA_IMAGE_MISMATCH);
    assert_non_null(strstr(error.message, "attributes 0x4"));
    assert_status(open_with(48 + 944, 0xfd, &error), CELLA_IMAGE_MISMATCH); /* ATTRIBUTEMASK without DEBUG */
    assert_status(open_with(48 + 904, 0, &error), CELLA_IMAGE_MISMATCH);    /* MISCMASK */
    assert_status(open_with(48 + 1008, 1, &error), CELLA_IMAGE_MISMATCH);   /* ISVEXTPRODID */
}

static void a_newer_format_says_so(void **state) {
    assert_status(open_with(8, 2, NULL), CELLA_NEWER_FORMAT);
    assert_status(open_with(8, 0, NULL), CELLA_DAMAGED);
    assert_status(open_with(0, 'X', NULL), CELLA_DAMAGED);
    assert_status(open_with(47, 1, NULL), CELLA_DAMAGED); /* reserved */
}

static void pages_come_in_ascending_order_with_the_documented_content(void **state) {
    struct cella_image image;
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    uint64_t next = 0;
    uint64_t counts[7] = {0};
    assert_status(cella_image_open(vector(), &image, NULL), CELLA_OK);
    cella_page_iterator_init(&iterator, &image);
    while (cella_page_iterator_next(&iterator, &pages)) {
        assert_true(pages.offset >= next && pages.count > 0);
        next = pages.offset + pages.count * CELLA_PAGE_SIZE;
        counts[pages.part] += pages.count;
        bool is_memory = pages.part == CELLA_PART_HEAP || pages.part == CELLA_PART_STACK;
        assert_int_equal(pages.extended, !is_memory);
        if (pages.offset == 0x2000) { /* zeros, then the first bytes of the data segment at 0xf00 */
            for (size_t i = 0; i < 0xf00; i++)
                assert_int_equal(pages.data[i], 0);
            assert_int_equal(pages.data[0xf00], 30);
            assert_int_equal(pages.secinfo_flags, 0x203);
        }
        if (pages.part == CELLA_PART_TCS)
            assert_int_equal(pages.secinfo_flags, 0x100);
    }
    assert_int_equal(next, image.layout.end);
    assert_int_equal(counts[CELLA_PART_SEGMENT], 6);
    assert_int_equal(counts[CELLA_PART_SETTINGS], 1);
    assert_int_equal(counts[CELLA_PART_HEAP], 256);
    assert_int_equal(counts[CELLA_PART_STACK], 32);
    assert_int_equal(counts[CELLA_PART_TLS], 2);
    assert_int_equal(counts[CELLA_PART_SSA], 4);
    assert_int_equal(counts[CELLA_PART_TCS], 2);
}

static void the_thread_data_names_everything_of_its_thread(void **state) {
    struct cella_image image;
    struct cella_page_iterator iterator;
    struct cella_pages pages = {0};
    assert_status(cella_image_open(vector(), &image, NULL), CELLA_OK);
    cella_page_iterator_init(&iterator, &image);
    do
        assert_true(cella_page_iterator_next(&iterator, &pages));
    while (pages.part != CELLA_PART_TLS);
    struct cella_layout_thread thread = cella_layout_thread(&image.layout, 0);
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(pages.data, CELLA_PAGE_SIZE));
    assert_int_equal(cella_read_u64(&reader), thread.tls);
    assert_int_equal(cella_read_u64(&reader), 0);
    assert_int_equal(cella_read_u64(&reader), thread.stack_top);
    assert_int_equal(cella_read_u64(&reader), thread.stack_low);
    assert_int_equal(cella_read_u64(&reader), thread.tls + CELLA_PAGE_SIZE);
    assert_int_equal(cella_read_u64(&reader), image.layout.settings_offset);
    assert_int_equal(cella_read_u64(&reader), thread.ssa);
    assert_int_equal(cella_read_u64(&reader), thread.tcs);
    assert_int_equal(cella_read_u64(&reader), image.layout.heap_offset);
    assert_int_equal(cella_read_u64(&reader), 1 << 20);
    assert_int_equal(cella_read_u64(&reader), 2);
    assert_int_equal(cella_read_u64(&reader), image.settings_bytes.size);
    cella_read_zeros(&reader, CELLA_PAGE_SIZE - 96);
    assert_true(cella_reader_done(&reader));
}

static void adding_many_pages_measures_like_adding_each(void **state) {
    struct cella_measure many;
    struct cella_measure each;
    uint8_t a[CELLA_SHA256_SIZE];
    uint8_t b[CELLA_SHA256_SIZE];
    cella_measure_init(&many, 1 << 20, 1);
    cella_measure_init(&each, 1 << 20, 1);
    cella_measure_add_pages(&many, 4096, 130, 0x203);
    for (uint64_t i = 0; i < 130; i++)
        cella_measure_add_page(&each, 4096 * (i + 1), 0x203);
    cella_measure_digest(&many, a);
    cella_measure_digest(&each, b);
    assert_memory_equal(a, b, sizeof a);
    cella_measure_deinit(&many);
    cella_measure_deinit(&each);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_is_opened_and_verifies),
        cmocka_unit_test(building_and_signing_gives_the_scripts_file),
        cmocka_unit_test(a_sigstruct_of_another_image_is_not_put_in),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(no_byte_can_be_changed),
        cmocka_unit_test(settings_and_signature_must_agree),
        cmocka_unit_test(a_newer_format_says_so),
        cmocka_unit_test(pages_come_in_ascending_order_with_the_documented_content),
        cmocka_unit_test(the_thread_data_names_everything_of_its_thread),
        cmocka_unit_test(adding_many_pages_measures_like_adding_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
