/* Every byte of a real quote and of its collateral, changed in turn: refused, or known not to be signed. */
#include "unit/attest/sgx_case.h"
#include <stdlib.h>
#include <string.h>

#define VECTOR "sgx-v3-zkdcap-00906ed5"

static struct sgx_case load(void) {
    struct sgx_case one;
    assert_true(sgx_case_load(VECTOR, 2, &one));
    return one;
}

/* Start and size of the root's PEM block: the last certificate. Its key is compared with the pinned one; its
 * other bytes prove nothing and are not looked at beyond their form. */
static struct cella_bytes root_block(struct cella_bytes quote) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const uint8_t *last = NULL;
    for (const uint8_t *at = quote.data; at + sizeof begin <= quote.data + quote.size; at++)
        if (memcmp(at, begin, sizeof begin - 1) == 0)
            last = at;
    assert_non_null(last);
    return CELLA_BYTES(last, (size_t)(quote.data + quote.size - last));
}

/* Changes each byte of `part` inside the case; returns how many changes were accepted outside
 * `unsigned_part`.
 */
static size_t accepted_changes(struct sgx_case *one, struct cella_bytes *part,
                               struct cella_bytes unsigned_part, size_t *ret_inside) {
    struct cella_bytes original = *part;
    uint8_t *copy = (uint8_t *)(uintptr_t)test_copy(original).data;
    struct cella_verdict verdict;
    size_t outside = 0;
    *part = CELLA_BYTES(copy, original.size);
    for (size_t at = 0; at < original.size; at++) {
        copy[at] ^= 0x01;
        bool inside = unsigned_part.size > 0 && original.data + at >= unsigned_part.data &&
                      original.data + at < unsigned_part.data + unsigned_part.size;
        if (sgx_case_verify(one, &verdict) == CELLA_OK) {
            outside += !inside;
            *ret_inside += inside;
        }
        copy[at] ^= 0x01;
    }
    assert_status(sgx_case_verify(one, &verdict), CELLA_OK);
    *part = original;
    return outside;
}

static void every_byte_of_a_quote_but_its_root_certificate_counts(void **state) {
    struct sgx_case one = load();
    size_t inside = 0;
    assert_int_equal(accepted_changes(&one, &one.parts.evidence, root_block(one.parts.evidence), &inside), 0);
    assert_true(inside > 0);
}

static void every_byte_of_each_piece_of_collateral_counts(void **state) {
    for (size_t piece = 0; piece < CELLA_COLLATERAL_COUNT; piece++) {
        struct sgx_case one = load();
        size_t inside = 0;
        assert_int_equal(accepted_changes(&one, &one.parts.collateral[piece], CELLA_BYTES(NULL, 0), &inside),
                         0);
    }
}

/* No unsigned byte changes what the verdict says. */
static void unsigned_bytes_change_nothing_in_the_verdict(void **state) {
    struct sgx_case one = load();
    struct cella_verdict expected;
    struct cella_verdict found;
    struct cella_bytes root = root_block(one.parts.evidence);
    uint8_t *copy = (uint8_t *)(uintptr_t)test_copy(one.parts.evidence).data;
    size_t start = (size_t)(root.data - one.parts.evidence.data);
    assert_status(sgx_case_verify(&one, &expected), CELLA_OK);
    one.parts.evidence.data = copy;
    for (size_t at = start; at < one.parts.evidence.size; at++) {
        copy[at] ^= 0x01;
        if (sgx_case_verify(&one, &found) == CELLA_OK)
            assert_memory_equal(&found, &expected, sizeof found);
        copy[at] ^= 0x01;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_a_quote_but_its_root_certificate_counts),
        cmocka_unit_test(every_byte_of_each_piece_of_collateral_counts),
        cmocka_unit_test(unsigned_bytes_change_nothing_in_the_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
