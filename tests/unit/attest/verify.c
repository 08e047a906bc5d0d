/* Verification of whole attestations, with one thing wrong at a time. */
#include "attest/label.h"
#include "attest/unconstrained.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "unit/attest/synthetic.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status verify(const struct synthetic_knobs *knobs, struct cella_verdict *ret_verdict) {
    struct synthetic made = synthetic_make(knobs);
    struct cella_verify_options options = synthetic_options(&made);
    return cella_verify_unconstrained(made.bytes, &options, ret_verdict, NULL);
}

#define assert_refused(expected, ...)                                                                        \
    do {                                                                                                     \
        struct cella_verdict verdict_;                                                                       \
        memset(&verdict_, 0x5a, sizeof verdict_);                                                            \
        struct cella_verdict before_ = verdict_;                                                             \
        assert_status(verify(&(struct synthetic_knobs){__VA_ARGS__}, &verdict_), (expected));                \
        assert_memory_equal(&verdict_, &before_, sizeof verdict_);                                           \
    } while (0)

static void a_current_platform_is_secure(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&made);
    struct cella_verdict verdict;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_OK);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_SECURE);
    assert_int_equal(verdict.rule, CELLA_RULE_CURRENT);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_UP_TO_DATE);
    assert_int_equal(verdict.advisories.count, 1);
    assert_string_equal(verdict.advisories.ids[0], "TEST-SA-1");
    assert_int_equal(verdict.identity.product_id, 10);
    assert_int_equal(verdict.identity.security_version, 4);
    assert_int_equal(verdict.seen.tcb_evaluation_number, 12);
    assert_true(verdict.seen.root_crl_number == 7 && verdict.seen.pck_crl_number == 7);
    assert_int_equal(verdict.statement.session_key[0], 0xa1);
}

static void statuses_converge_as_intel_defines_them(void **state) {
    static const struct {
        const char *platform;
        const char *qe;
        enum cella_tcb_status status;
        enum cella_level_rule rule;
    } rows[] = {
        {"UpToDate", "UpToDate", CELLA_TCB_UP_TO_DATE, CELLA_RULE_CURRENT},
        {"SWHardeningNeeded", "UpToDate", CELLA_TCB_SW_HARDENING_NEEDED, CELLA_RULE_PLATFORM},
        {"ConfigurationNeeded", "UpToDate", CELLA_TCB_CONFIGURATION_NEEDED, CELLA_RULE_PLATFORM},
        {"ConfigurationAndSWHardeningNeeded", "UpToDate", CELLA_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
         CELLA_RULE_PLATFORM},
        {"OutOfDate", "UpToDate", CELLA_TCB_OUT_OF_DATE, CELLA_RULE_PLATFORM},
        {"OutOfDateConfigurationNeeded", "UpToDate", CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
         CELLA_RULE_PLATFORM},
        {"UpToDate", "OutOfDate", CELLA_TCB_OUT_OF_DATE, CELLA_RULE_QUOTING_ENCLAVE},
        {"SWHardeningNeeded", "OutOfDate", CELLA_TCB_OUT_OF_DATE, CELLA_RULE_PLATFORM},
        {"ConfigurationNeeded", "OutOfDate", CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, CELLA_RULE_PLATFORM},
        {"ConfigurationAndSWHardeningNeeded", "OutOfDate", CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
         CELLA_RULE_PLATFORM},
        {"OutOfDate", "OutOfDate", CELLA_TCB_OUT_OF_DATE, CELLA_RULE_PLATFORM},
        {"OutOfDateConfigurationNeeded", "OutOfDate", CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
         CELLA_RULE_PLATFORM},
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++) {
        struct cella_verdict verdict;
        struct synthetic_knobs knobs = {.status = rows[at].platform, .qe_status = rows[at].qe};
        assert_status(verify(&knobs, &verdict), CELLA_OK);
        assert_string_equal(cella_tcb_status_name(verdict.tcb_status),
                            cella_tcb_status_name(rows[at].status));
        assert_int_equal(verdict.rule, rows[at].rule);
        assert_int_equal(verdict.identity.level,
                         rows[at].rule == CELLA_RULE_CURRENT ? CELLA_LEVEL_SECURE : CELLA_LEVEL_STALE);
    }
}

static void a_revoked_status_is_refused(void **state) {
    assert_refused(CELLA_TCB_IS_REVOKED, .status = "Revoked");
    assert_refused(CELLA_TCB_IS_REVOKED, .qe_status = "Revoked");
}

static void an_unknown_status_is_an_error(void **state) {
    assert_refused(CELLA_COLLATERAL_INVALID, .status = "AllGood");
    assert_refused(CELLA_COLLATERAL_INVALID, .status = "uptodate");
    assert_refused(CELLA_COLLATERAL_INVALID, .qe_status = "ConfigurationNeeded");
}

static void a_platform_below_every_level_is_not_supported(void **state) {
    assert_refused(CELLA_TCB_NOT_SUPPORTED, .component = 4);
    assert_refused(CELLA_TCB_NOT_SUPPORTED, .levels = " ");
}

#define COMPONENTS(first)                                                                                    \
    "\"sgxtcbcomponents\":[{\"svn\":" first                                                                  \
    "},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},"     \
    "{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0}]"
#define LEVEL(first, pcesvn, status)                                                                         \
    "{\"tcb\":{" COMPONENTS(first) ",\"pcesvn\":" pcesvn                                                     \
                                   "},\"tcbDate\":\"2023-08-09T00:00:00Z\",\"tcbStatus\":\"" status "\"}"

static void levels_in_any_order_give_the_greatest_that_is_reached(void **state) {
    struct cella_verdict verdict;
    struct synthetic_knobs knobs = {
        .levels = LEVEL("1", "1", "OutOfDate") "," LEVEL("6", "1", "UpToDate") "," LEVEL(
            "5", "10", "UpToDate") "," LEVEL("5", "9", "SWHardeningNeeded") "," LEVEL("5", "2", "OutOfDate")};
    assert_status(verify(&knobs, &verdict), CELLA_OK);
    assert_int_equal(verdict.platform_status, CELLA_TCB_SW_HARDENING_NEEDED);
    assert_int_equal(verdict.advisories.count, 0);
}

static void levels_that_are_wrong_are_refused(void **state) {
    assert_refused(CELLA_COLLATERAL_INVALID,
                   .levels = LEVEL("5", "9", "UpToDate") "," LEVEL("5", "9", "OutOfDate"));
    assert_refused(CELLA_COLLATERAL_INVALID, .levels = LEVEL("256", "9", "UpToDate"));
    assert_refused(CELLA_COLLATERAL_INVALID, .levels = LEVEL("-1", "9", "UpToDate"));
    assert_refused(CELLA_COLLATERAL_INVALID, .levels = LEVEL("5", "65536", "UpToDate"));
    assert_refused(CELLA_COLLATERAL_INVALID, .levels = LEVEL("5},{\"svn\":0", "9", "UpToDate"));
    assert_refused(CELLA_COLLATERAL_INVALID, .levels = "7");
}

static void a_document_for_another_purpose_is_a_mismatch(void **state) {
    assert_refused(CELLA_COLLATERAL_MISMATCH, .tcb_id = "TDX");
    assert_refused(CELLA_COLLATERAL_MISMATCH, .qe_id = "TD_QE");
    assert_refused(CELLA_COLLATERAL_MISMATCH, .qe_id = "QVE");
    assert_refused(CELLA_COLLATERAL_MISMATCH, .fmspc = "010203040507");
    assert_refused(CELLA_COLLATERAL_MISMATCH, .pce_id = "0001");
}

static void a_duplicate_key_is_refused(void **state) {
    assert_refused(CELLA_COLLATERAL_INVALID, .extra_key = "\"fmspc\":\"010203040506\",");
    assert_refused(CELLA_COLLATERAL_INVALID, .extra_key = "\"version\":2,");
}

static void a_quoting_enclave_that_is_not_the_vendors_is_refused(void **state) {
    assert_refused(CELLA_QE_NOT_GENUINE, .foreign_qe = true);
    assert_refused(CELLA_QE_NOT_GENUINE, .qe_product = 2);
    assert_refused(CELLA_QE_NOT_GENUINE, .qe_debug = true);
}

static void revoked_certificates_are_refused(void **state) {
    assert_refused(CELLA_CERTIFICATE_REVOKED, .revoke_pck = true);
    assert_refused(CELLA_CERTIFICATE_REVOKED, .revoke_ca = true);
    assert_refused(CELLA_CERTIFICATE_REVOKED, .revoke_tcb_signing = true);
}

static void a_crl_that_another_key_signed_is_refused(void **state) {
    assert_refused(CELLA_COLLATERAL_INVALID, .foreign_crl = true);
}

static void certificates_for_another_use_are_refused(void **state) {
    assert_refused(CELLA_CERTIFICATE_INVALID, .ca_is_leaf = true);
    assert_refused(CELLA_CERTIFICATE_INVALID, .pck_is_ca = true);
    assert_refused(CELLA_CERTIFICATE_INVALID, .pck_without_extension = true);
    assert_refused(CELLA_CERTIFICATE_INVALID, .double_member = true);
    assert_refused(CELLA_CERTIFICATE_INVALID, .unknown_critical = true);
}

static void links_inside_the_quote_are_checked(void **state) {
    assert_refused(CELLA_EVIDENCE_INVALID, .loose_qe = true);
    assert_refused(CELLA_EVIDENCE_INVALID, .wrong_body_key = true);
}

static void a_root_is_untrusted_unless_the_caller_names_it(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&made);
    struct cella_verdict verdict;
    struct cella_verify_root root = {.certificate = made.root};
    options.root_count = 0;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_UNTRUSTED_ROOT);
    options.roots = &root;
    options.root_count = 1;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_REFUSED_LEVEL);
    assert_status(cella_verify_unconstrained(made.bytes, &options, &verdict, NULL), CELLA_OK);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_INSECURE);
    assert_int_equal(verdict.rule, CELLA_RULE_CALLER_ROOT);
    root.certificate = CELLA_BYTES("junk", 4);
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_CERTIFICATE_INVALID);
}

static void a_debug_enclave_is_insecure(void **state) {
    struct cella_verdict verdict;
    assert_status(verify(&(struct synthetic_knobs){.debug = true}, &verdict), CELLA_OK);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_INSECURE);
    assert_int_equal(verdict.rule, CELLA_RULE_DEBUG);
}

static void floors_refuse_older_collateral(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&made);
    struct cella_verdict verdict;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_OK);
    options.floors = verdict.seen;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_OK);
    options.floors = (struct cella_verify_floors){.tcb_evaluation_number = 13};
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_COLLATERAL_BELOW_FLOOR);
    options.floors = (struct cella_verify_floors){.root_crl_number = 8};
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_COLLATERAL_BELOW_FLOOR);
    options.floors = (struct cella_verify_floors){.pck_crl_number = 8};
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_COLLATERAL_BELOW_FLOOR);
    options.floors = (struct cella_verify_floors){.issued = verdict.seen.issued + 1};
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_COLLATERAL_BELOW_FLOOR);
}

static void a_nonce_must_be_the_callers(void **state) {
    uint8_t nonce[32] = {1};
    uint8_t other[32] = {2};
    struct cella_verdict verdict;
    struct synthetic with = synthetic_make(&(struct synthetic_knobs){.nonce = nonce});
    struct synthetic without = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&with);
    assert_status(cella_verify(with.bytes, &options, &verdict, NULL), CELLA_OK);
    assert_false(verdict.nonce_checked);
    options.nonce = nonce;
    assert_status(cella_verify(with.bytes, &options, &verdict, NULL), CELLA_OK);
    assert_true(verdict.nonce_checked);
    assert_status(cella_verify(without.bytes, &options, &verdict, NULL), CELLA_NONCE_MISMATCH);
    options.nonce = other;
    assert_status(cella_verify(with.bytes, &options, &verdict, NULL), CELLA_NONCE_MISMATCH);
}

/* The parts again as a file, as a host could put them together. */
static struct cella_bytes assemble(const struct cella_attestation *parts) {
    static uint8_t out[CELLA_ATTESTATION_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_attestation_write(parts, out, sizeof out, &size, NULL), CELLA_OK);
    return CELLA_BYTES(out, size);
}

static void other_keys_or_nonces_than_in_the_evidence_are_refused(void **state) {
    uint8_t nonce[32] = {1};
    uint8_t other[32] = {2};
    struct cella_verdict verdict;
    struct cella_statement statement = synthetic_statement();
    statement.session_key[5] ^= 1;
    struct synthetic good = synthetic_make(&(struct synthetic_knobs){.nonce = nonce});
    struct synthetic swapped = synthetic_make(&(struct synthetic_knobs){.statement = &statement});
    struct cella_verify_options options = synthetic_options(&good);
    struct cella_attestation parts = good.parts;
    parts.statement = swapped.parts.statement;
    assert_status(cella_verify(assemble(&parts), &options, &verdict, NULL), CELLA_KEYS_NOT_ATTESTED);
    parts = good.parts;
    parts.nonce = other;
    options.nonce = other;
    assert_status(cella_verify(assemble(&parts), &options, &verdict, NULL), CELLA_KEYS_NOT_ATTESTED);
    parts.nonce = NULL;
    options.nonce = NULL;
    assert_status(cella_verify(assemble(&parts), &options, &verdict, NULL), CELLA_KEYS_NOT_ATTESTED);
}

static void missing_collateral_is_named(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&made);
    struct cella_verdict verdict;
    for (size_t piece = 0; piece < CELLA_COLLATERAL_COUNT; piece++) {
        struct cella_attestation parts = made.parts;
        parts.collateral[piece] = CELLA_BYTES(NULL, 0);
        options.may_miss = 0;
        assert_status(cella_verify(assemble(&parts), &options, &verdict, NULL), CELLA_COLLATERAL_MISSING);
        options.may_miss = CELLA_MAY_MISS_PCK_CRL | CELLA_MAY_MISS_ROOT_CRL;
        bool may_miss = piece == CELLA_COLLATERAL_PCK_CRL || piece == CELLA_COLLATERAL_ROOT_CRL;
        enum cella_status status = cella_verify_unconstrained(assemble(&parts), &options, &verdict, NULL);
        assert_status(status, may_miss ? CELLA_OK : CELLA_COLLATERAL_MISSING);
        if (may_miss)
            assert_int_equal(verdict.rule, CELLA_RULE_MISSING);
    }
}

static void an_attestation_from_the_future_is_refused(void **state) {
    struct cella_verdict verdict;
    assert_status(verify(&(struct synthetic_knobs){.time = SYNTHETIC_NOW + 300}, &verdict), CELLA_OK);
    assert_refused(CELLA_TIME_IN_FUTURE, .time = SYNTHETIC_NOW + 301);
}

static void the_host_can_only_make_it_look_older(void **state) {
    struct cella_verdict verdict;
    assert_status(verify(&(struct synthetic_knobs){.time = SYNTHETIC_NOW}, &verdict), CELLA_OK);
    assert_true(verdict.identity.time < SYNTHETIC_NOW);
    assert_true(verdict.identity.time == verdict.seen.issued);
    assert_status(verify(&(struct synthetic_knobs){.time = 86400}, &verdict), CELLA_OK);
    assert_true(verdict.identity.time == 86400);
}

static void an_attestation_of_1970_is_expired(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){.time = 1});
    struct cella_verify_options options = synthetic_options(&made);
    struct cella_constraint constraint = synthetic_constraint(CELLA_LEVEL_SECURE);
    struct cella_verdict verdict;
    struct cella_error error = {0};
    constraint.has_expire = true;
    constraint.expire.months = 6;
    options.constraint = &constraint;
    assert_status(cella_verify(made.bytes, &options, &verdict, &error), CELLA_REFUSED_EXPIRED);
    assert_non_null(strstr(error.message, "not older than P6M"));
}

static void a_vault_is_never_above_its_wardens(void **state) {
    struct cella_statement statement = synthetic_statement();
    struct cella_verdict verdict;
    memset(statement.genesis, 1, statement.genesis_size = 100);
    cella_sha256(statement.genesis, statement.genesis_size, statement.vault_id);
    memset(statement.warden_group, 2, sizeof statement.warden_group);
    statement.freshness = CELLA_FRESHNESS_WARDENS;
    for (int level = CELLA_LEVEL_INSECURE; level <= CELLA_LEVEL_SECURE; level++) {
        statement.warden_level = (enum cella_level)level;
        assert_status(verify(&(struct synthetic_knobs){.statement = &statement}, &verdict), CELLA_OK);
        assert_int_equal(verdict.identity.level, level);
        assert_int_equal(verdict.rule, level == CELLA_LEVEL_SECURE ? CELLA_RULE_CURRENT : CELLA_RULE_WARDENS);
    }
    statement.warden_level = CELLA_LEVEL_SECURE;
    assert_status(verify(&(struct synthetic_knobs){.statement = &statement, .debug = true}, &verdict),
                  CELLA_OK);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_INSECURE);
}

static void a_constraint_is_needed_and_decides(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&made);
    struct cella_constraint other = synthetic_constraint(CELLA_LEVEL_SECURE);
    struct cella_verdict verdict;
    other.codes[0].bytes[0] ^= 1;
    options.constraint = NULL;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_ARGUMENT);
    options.constraint = &other;
    assert_status(cella_verify(made.bytes, &options, &verdict, NULL), CELLA_REFUSED_CODE);
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_verdict verdict;
    return cella_verify_unconstrained(bytes, context, &verdict, NULL) == CELLA_OK;
}

static void every_truncation_is_refused(void **state) {
    struct synthetic made = synthetic_make(&(struct synthetic_knobs){0});
    struct cella_verify_options options = synthetic_options(&made);
    test_truncations_refused(made.bytes, accepts, &options);
    test_extension_refused(made.bytes, accepts, &options);
}

static void signatures_under_the_attested_key_are_verified(void **state) {
    struct cella_ed25519_key signing_key;
    uint8_t seed[32] = {7};
    uint8_t signature[64];
    uint8_t *framed = NULL;
    size_t size = 0;
    struct cella_verdict verdict = {0};
    struct cella_bytes message = CELLA_BYTES("text", 4);
    assert_status(cella_ed25519_from_seed(&signing_key, seed), CELLA_OK);
    memcpy(verdict.statement.signing_key, signing_key.public_key, 32);
    assert_status(cella_label_frame("survey", message, &framed, &size, NULL), CELLA_OK);
    assert_status(cella_ed25519_sign(&signing_key, CELLA_BYTES(framed, size), signature), CELLA_OK);
    free(framed);
    cella_ed25519_deinit(&signing_key);
    assert_status(cella_verify_signature(&verdict, "survey", message, signature, NULL), CELLA_OK);
    assert_status(cella_verify_signature(&verdict, "surveys", message, signature, NULL),
                  CELLA_SIGNATURE_INVALID);
    assert_status(cella_verify_signature(&verdict, "survey", CELLA_BYTES("texT", 4), signature, NULL),
                  CELLA_SIGNATURE_INVALID);
    signature[0] ^= 1;
    assert_status(cella_verify_signature(&verdict, "survey", message, signature, NULL),
                  CELLA_SIGNATURE_INVALID);
    assert_status(cella_verify_signature(&verdict, "", message, signature, NULL), CELLA_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_current_platform_is_secure),
        cmocka_unit_test(statuses_converge_as_intel_defines_them),
        cmocka_unit_test(a_revoked_status_is_refused),
        cmocka_unit_test(an_unknown_status_is_an_error),
        cmocka_unit_test(a_platform_below_every_level_is_not_supported),
        cmocka_unit_test(levels_in_any_order_give_the_greatest_that_is_reached),
        cmocka_unit_test(levels_that_are_wrong_are_refused),
        cmocka_unit_test(a_document_for_another_purpose_is_a_mismatch),
        cmocka_unit_test(a_duplicate_key_is_refused),
        cmocka_unit_test(a_quoting_enclave_that_is_not_the_vendors_is_refused),
        cmocka_unit_test(revoked_certificates_are_refused),
        cmocka_unit_test(a_crl_that_another_key_signed_is_refused),
        cmocka_unit_test(certificates_for_another_use_are_refused),
        cmocka_unit_test(links_inside_the_quote_are_checked),
        cmocka_unit_test(a_root_is_untrusted_unless_the_caller_names_it),
        cmocka_unit_test(a_debug_enclave_is_insecure),
        cmocka_unit_test(floors_refuse_older_collateral),
        cmocka_unit_test(a_nonce_must_be_the_callers),
        cmocka_unit_test(other_keys_or_nonces_than_in_the_evidence_are_refused),
        cmocka_unit_test(missing_collateral_is_named),
        cmocka_unit_test(an_attestation_from_the_future_is_refused),
        cmocka_unit_test(the_host_can_only_make_it_look_older),
        cmocka_unit_test(an_attestation_of_1970_is_expired),
        cmocka_unit_test(a_vault_is_never_above_its_wardens),
        cmocka_unit_test(a_constraint_is_needed_and_decides),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(signatures_under_the_attested_key_are_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
