/* The attestation file and the label framing: bytes only. */
#include "attest/attestation.h"
#include "attest/label.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t example_nonce[32] = {7, 7, 7};

static struct cella_attestation example(bool has_nonce) {
    struct cella_attestation parts = {.kind = CELLA_KIND_SGX,
                                      .time = 1700000000,
                                      .nonce = has_nonce ? example_nonce : NULL,
                                      .statement = CELLA_BYTES("STATEMENT", 9),
                                      .evidence = CELLA_BYTES("QUOTE", 5)};
    parts.collateral[CELLA_COLLATERAL_TCB_INFO] = CELLA_BYTES("{T}", 3);
    parts.collateral[CELLA_COLLATERAL_QE_IDENTITY] = CELLA_BYTES("{Q}", 3);
    parts.collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = CELLA_BYTES("PEM", 3);
    parts.collateral[CELLA_COLLATERAL_PCK_CRL] = CELLA_BYTES("CRL", 3);
    return parts;
}

static struct cella_bytes write(const struct cella_attestation *parts) {
    uint8_t out[512];
    size_t size = 0;
    assert_status(cella_attestation_write(parts, out, sizeof out, &size, NULL), CELLA_OK);
    assert_int_equal(size, cella_attestation_size(parts));
    return test_copy(CELLA_BYTES(out, size));
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_attestation parts;
    return cella_attestation_parse(bytes, &parts, NULL) == CELLA_OK;
}

static void write_and_parse_give_the_same(void **state) {
    for (int has_nonce = 0; has_nonce < 2; has_nonce++) {
        struct cella_attestation before = example(has_nonce != 0);
        struct cella_attestation after;
        assert_status(cella_attestation_parse(write(&before), &after, NULL), CELLA_OK);
        assert_true(after.time == before.time);
        assert_int_equal(after.nonce != NULL, has_nonce);
        assert_bytes(after.statement, before.statement);
        assert_bytes(after.evidence, before.evidence);
        for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
            assert_bytes(after.collateral[at], before.collateral[at]);
        assert_bytes(write(&after), write(&before));
    }
}

static void the_worked_example_is_reproduced(void **state) {
    struct cella_attestation parts = example(true);
    assert_bytes(write(&parts), test_vector_field("attestation.txt", "attestation"));
}

static void every_truncation_and_extension_is_refused(void **state) {
    for (int has_nonce = 0; has_nonce < 2; has_nonce++) {
        struct cella_attestation parts = example(has_nonce != 0);
        test_truncations_refused(write(&parts), accepts, NULL);
        test_extension_refused(write(&parts), accepts, NULL);
    }
}

static enum cella_status parse_changed(size_t at, uint8_t value) {
    struct cella_attestation parts = example(true);
    struct cella_bytes copy = test_copy(write(&parts));
    ((uint8_t *)(uintptr_t)copy.data)[at] = value;
    return cella_attestation_parse(copy, &parts, NULL);
}

static void what_a_newer_release_made_is_named_as_such(void **state) {
    assert_status(parse_changed(4, 2), CELLA_NEWER_FORMAT);
    assert_status(parse_changed(6, 2), CELLA_NEWER_FORMAT);
    assert_status(parse_changed(4, 0), CELLA_DAMAGED);
    assert_status(parse_changed(0, 'X'), CELLA_DAMAGED);
    assert_status(parse_changed(15, 0x80), CELLA_DAMAGED);
    assert_status(parse_changed(16, 2), CELLA_DAMAGED);
}

static void parts_over_their_limit_are_neither_written_nor_read(void **state) {
    static uint8_t big[CELLA_ATTESTATION_SIZE_MAX + 1];
    struct cella_attestation parts = example(false);
    uint8_t out[512];
    size_t size = 0;
    parts.evidence = CELLA_BYTES(big, CELLA_EVIDENCE_SIZE_MAX + 1);
    assert_int_equal(cella_attestation_size(&parts), 0);
    assert_status(cella_attestation_write(&parts, out, sizeof out, &size, NULL), CELLA_LIMIT);
    parts = example(false);
    parts.collateral[CELLA_COLLATERAL_PCK_CRL] = CELLA_BYTES(big, CELLA_COLLATERAL_SIZE_MAX + 1);
    assert_status(cella_attestation_write(&parts, out, sizeof out, &size, NULL), CELLA_LIMIT);
    for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
        parts.collateral[at] = CELLA_BYTES(big, CELLA_COLLATERAL_SIZE_MAX);
    assert_status(cella_attestation_write(&parts, out, sizeof out, &size, NULL), CELLA_LIMIT);
    assert_false(accepts(NULL, CELLA_BYTES(big, sizeof big)));
    assert_status(parse_changed(51, 0xff), CELLA_DAMAGED);
}

static void labels_are_printable_and_short(void **state) {
    uint8_t *data = NULL;
    size_t size = 0;
    char label[CELLA_LABEL_SIZE_MAX + 2];
    memset(label, 'a', sizeof label);
    label[CELLA_LABEL_SIZE_MAX + 1] = '\0';
    assert_status(cella_label_frame(label, CELLA_BYTES("m", 1), &data, &size, NULL), CELLA_ARGUMENT);
    assert_status(cella_label_frame("", CELLA_BYTES("m", 1), &data, &size, NULL), CELLA_ARGUMENT);
    assert_status(cella_label_frame("a\n", CELLA_BYTES("m", 1), &data, &size, NULL), CELLA_ARGUMENT);
    assert_status(cella_label_frame("\xc3\xa4", CELLA_BYTES("m", 1), &data, &size, NULL), CELLA_ARGUMENT);
    label[CELLA_LABEL_SIZE_MAX] = '\0';
    assert_status(cella_label_frame(label, CELLA_BYTES(NULL, 0), &data, &size, NULL), CELLA_OK);
    assert_int_equal(size, 13 + CELLA_LABEL_SIZE_MAX + 1);
    free(data);
}

static void a_frame_is_domain_label_and_message_with_zeros_between(void **state) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_label_frame("pay", CELLA_BYTES("42", 2), &data, &size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(data, size), CELLA_BYTES("cella/sign/1\0pay\00042", 19));
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_parse_give_the_same),
        cmocka_unit_test(the_worked_example_is_reproduced),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(what_a_newer_release_made_is_named_as_such),
        cmocka_unit_test(parts_over_their_limit_are_neither_written_nor_read),
        cmocka_unit_test(labels_are_printable_and_short),
        cmocka_unit_test(a_frame_is_domain_label_and_message_with_zeros_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
