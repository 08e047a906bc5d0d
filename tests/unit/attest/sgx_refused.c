/* Real quotes that must be refused: damaged ones, and good ones with the wrong collateral or at the wrong
 * time.
 */
#include "base/calendar.h"
#include "unit/attest/sgx_case.h"
#include <string.h>

static struct sgx_case zkdcap(int number) {
    struct sgx_case one;
    assert_true(sgx_case_load("sgx-v3-zkdcap-00906ed5", number, &one));
    return one;
}

static enum cella_status verify(const struct sgx_case *one) {
    struct cella_verdict verdict;
    memset(&verdict, 0x5a, sizeof verdict);
    struct cella_verdict before = verdict;
    enum cella_status status = sgx_case_verify(one, &verdict);
    if (status != CELLA_OK)
        assert_memory_equal(&verdict, &before, sizeof verdict);
    return status;
}

static void replace(struct sgx_case *one, enum cella_collateral piece, const char *vector) {
    one->parts.collateral[piece] = test_vector(vector);
}

/* Negative vectors come without a case: the collateral of another vector of about that time serves. */
static enum cella_status verify_negative(const char *quote, const char *from, int number) {
    struct sgx_case one;
    assert_true(sgx_case_load(from, number, &one));
    one.parts.evidence = test_vector(quote);
    one.parts.collateral[CELLA_COLLATERAL_PCK_CRL] = CELLA_BYTES(NULL, 0);
    one.options.may_miss = CELLA_MAY_MISS_PCK_CRL;
    return verify(&one);
}

static void a_body_that_the_attestation_key_did_not_sign_is_refused(void **state) {
    assert_status(verify_negative("sgx/neg-sgx-v3-cmc-badsig.quote.bin", "sgx-v3-teepot-00706e47", 1),
                  CELLA_EVIDENCE_INVALID);
    assert_status(
        verify_negative("sgx/neg-sgx-v3-fortanix-badsig.quote.bin", "sgx-v3-fortanix-00906ea1-oldroot", 1),
        CELLA_EVIDENCE_INVALID);
}

static void an_altered_intermediate_is_refused(void **state) {
    assert_status(verify_negative("sgx/neg-sgx-v3-oe-badchain.quote.bin", "sgx-v3-oe-00906ed5", 1),
                  CELLA_CERTIFICATE_INVALID);
}

static void a_quote_without_its_chain_is_unsupported(void **state) {
    assert_status(verify_negative("sgx/neg-sgx-v3-oasis-certtype3.quote.bin", "sgx-v3-oe-00906ed5", 1),
                  CELLA_EVIDENCE_UNSUPPORTED);
    assert_status(verify_negative("sgx/intel-sample/quote.dat", "sgx-v3-oe-00906ed5", 1),
                  CELLA_EVIDENCE_UNSUPPORTED);
}

static void collateral_of_another_platform_is_a_mismatch(void **state) {
    struct sgx_case one = zkdcap(2);
    replace(&one, CELLA_COLLATERAL_TCB_INFO, "sgx/tcbinfo-sgx-v2-00606a000000-20250604-e17.json");
    assert_status(verify(&one), CELLA_COLLATERAL_MISMATCH);
}

static void collateral_for_tdx_is_a_mismatch(void **state) {
    struct sgx_case one = zkdcap(2);
    replace(&one, CELLA_COLLATERAL_TCB_INFO, "sgx/tcbinfo-tdx-v3-00806f050000-20250527-e17.json");
    assert_status(verify(&one), CELLA_COLLATERAL_MISMATCH);
    one = zkdcap(2);
    replace(&one, CELLA_COLLATERAL_QE_IDENTITY, "sgx/qeid-tdqe-20250527-e17.json");
    assert_status(verify(&one), CELLA_COLLATERAL_MISMATCH);
}

static void the_two_documents_cannot_be_exchanged(void **state) {
    struct sgx_case one = zkdcap(2);
    struct cella_bytes tcb_info = one.parts.collateral[CELLA_COLLATERAL_TCB_INFO];
    one.parts.collateral[CELLA_COLLATERAL_TCB_INFO] = one.parts.collateral[CELLA_COLLATERAL_QE_IDENTITY];
    one.parts.collateral[CELLA_COLLATERAL_QE_IDENTITY] = tcb_info;
    assert_status(verify(&one), CELLA_COLLATERAL_INVALID);
}

static void the_revocation_list_of_another_ca_is_a_mismatch(void **state) {
    struct sgx_case one = zkdcap(2);
    replace(&one, CELLA_COLLATERAL_PCK_CRL, "sgx/crl-platform-20250527.der");
    assert_status(verify(&one), CELLA_COLLATERAL_MISMATCH);
    one = zkdcap(2);
    one.parts.collateral[CELLA_COLLATERAL_PCK_CRL] = one.parts.collateral[CELLA_COLLATERAL_ROOT_CRL];
    assert_status(verify(&one), CELLA_COLLATERAL_MISMATCH);
    one = zkdcap(2);
    one.parts.collateral[CELLA_COLLATERAL_ROOT_CRL] = one.parts.collateral[CELLA_COLLATERAL_PCK_CRL];
    assert_status(verify(&one), CELLA_COLLATERAL_MISMATCH);
}

static void each_expired_or_future_piece_is_refused(void **state) {
    const struct sgx_case old = zkdcap(1);
    for (size_t piece = 0; piece < CELLA_COLLATERAL_COUNT; piece++) {
        if (piece == CELLA_COLLATERAL_TCB_SIGNING_CHAIN || piece == CELLA_COLLATERAL_ROOT_CRL)
            continue;
        struct sgx_case one = zkdcap(2);
        struct cella_bytes newer = one.parts.collateral[piece];
        one.parts.collateral[piece] = old.parts.collateral[piece];
        assert_status(verify(&one), CELLA_COLLATERAL_NOT_VALID_AT);
        one = old;
        one.parts.collateral[piece] = newer;
        assert_status(verify(&one), CELLA_COLLATERAL_NOT_VALID_AT);
    }
}

static void an_expired_signing_certificate_is_refused(void **state) {
    struct sgx_case one = zkdcap(2);
    one.parts.collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = sgx_pem("sgx/intel-sgx-tcb-signing-2018.der");
    assert_status(verify(&one), CELLA_CERTIFICATE_NOT_VALID_AT);
    one = zkdcap(1);
    one.parts.collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = sgx_pem("sgx/intel-sgx-tcb-signing-2025.der");
    assert_status(verify(&one), CELLA_CERTIFICATE_NOT_VALID_AT);
}

static void a_ca_cannot_sign_tcb_info(void **state) {
    struct sgx_case one = zkdcap(2);
    one.parts.collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = sgx_pem("sgx/intel-sgx-root-ca-2049.der");
    assert_status(verify(&one), CELLA_CERTIFICATE_INVALID);
}

static void a_platform_before_its_certificate_is_refused(void **state) {
    struct sgx_case one = zkdcap(1);
    one.options.at = INT64_C(1737000000); /* before the PCK certificate's first second */
    assert_status(verify(&one), CELLA_CERTIFICATE_NOT_VALID_AT);
}

static void reformatted_json_is_refused(void **state) {
    struct sgx_case one = zkdcap(2);
    struct cella_bytes info = one.parts.collateral[CELLA_COLLATERAL_TCB_INFO];
    uint8_t spaced[16384];
    memcpy(spaced, info.data, 12);
    spaced[12] = ' ';
    memcpy(spaced + 13, info.data + 12, info.size - 12);
    one.parts.collateral[CELLA_COLLATERAL_TCB_INFO] = CELLA_BYTES(spaced, info.size + 1);
    assert_status(verify(&one), CELLA_COLLATERAL_INVALID);
}

static void an_end_of_line_after_a_document_is_accepted(void **state) {
    struct sgx_case one = zkdcap(2);
    struct cella_bytes info = one.parts.collateral[CELLA_COLLATERAL_TCB_INFO];
    uint8_t longer[16384];
    memcpy(longer, info.data, info.size);
    longer[info.size] = '\n';
    one.parts.collateral[CELLA_COLLATERAL_TCB_INFO] = CELLA_BYTES(longer, info.size + 1);
    assert_status(verify(&one), CELLA_OK);
}

static void bytes_after_the_quote_are_refused(void **state) {
    struct sgx_case one = zkdcap(2);
    uint8_t longer[8192] = {0};
    memcpy(longer, one.parts.evidence.data, one.parts.evidence.size);
    one.parts.evidence.data = longer;
    one.parts.evidence.size++;
    assert_status(verify(&one), CELLA_DAMAGED);
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct sgx_case one = *(struct sgx_case *)context;
    one.parts.evidence = bytes;
    return verify(&one) == CELLA_OK;
}

static void every_truncation_of_a_quote_is_refused(void **state) {
    struct sgx_case one = zkdcap(2);
    struct cella_bytes quote = one.parts.evidence;
    /* The last byte is a zero after the certificates, inside a length that covers it. */
    test_truncations_refused(quote, accepts, &one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_the_attestation_key_did_not_sign_is_refused),
        cmocka_unit_test(an_altered_intermediate_is_refused),
        cmocka_unit_test(a_quote_without_its_chain_is_unsupported),
        cmocka_unit_test(collateral_of_another_platform_is_a_mismatch),
        cmocka_unit_test(collateral_for_tdx_is_a_mismatch),
        cmocka_unit_test(the_two_documents_cannot_be_exchanged),
        cmocka_unit_test(the_revocation_list_of_another_ca_is_a_mismatch),
        cmocka_unit_test(each_expired_or_future_piece_is_refused),
        cmocka_unit_test(an_expired_signing_certificate_is_refused),
        cmocka_unit_test(a_ca_cannot_sign_tcb_info),
        cmocka_unit_test(a_platform_before_its_certificate_is_refused),
        cmocka_unit_test(reformatted_json_is_refused),
        cmocka_unit_test(an_end_of_line_after_a_document_is_accepted),
        cmocka_unit_test(bytes_after_the_quote_are_refused),
        cmocka_unit_test(every_truncation_of_a_quote_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
