/* Real quotes: the complete expected answer at each pinned time. */
#include "attest/sgx/quote.h"
#include "base/calendar.h"
#include "unit/attest/sgx_case.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs `check` on every case of every genuine vector and fails if there are suspiciously few. */
static void each_case(void (*check)(const struct sgx_case *one), int expected_count) {
    int count = 0;
    for (const char *const *name = sgx_genuine; *name != NULL; name++) {
        struct sgx_case one;
        for (int number = 1; sgx_case_load(*name, number, &one); number++, count++)
            check(&one);
    }
    assert_int_equal(count, expected_count);
}

static struct sgx_case with_leave(const struct sgx_case *one) {
    struct sgx_case changed = *one;
    if (!one->has_pck_crl)
        changed.options.may_miss = CELLA_MAY_MISS_PCK_CRL;
    return changed;
}

static void assert_hex(const uint8_t *data, size_t size, const char *expected) {
    assert_non_null(expected);
    assert_bytes(CELLA_BYTES(data, size), test_hex(expected));
}

static int number(const char *text) {
    return (int)strtol(text, NULL, 10);
}

static void assert_quote_matches(const struct sgx_case *one) {
    struct cella_sgx_quote quote;
    assert_status(cella_sgx_quote_parse(one->parts.evidence, &quote, NULL), CELLA_OK);
    assert_hex(quote.body.mr_enclave, 32, sgx_expect_value(one->expect, "mrenclave"));
    assert_hex(quote.body.mr_signer, 32, sgx_expect_value(one->expect, "mrsigner"));
    assert_hex(quote.body.attributes, 16, sgx_expect_value(one->expect, "attributes"));
    assert_hex(quote.body.report_data, 64, sgx_expect_value(one->expect, "report_data"));
    assert_hex(quote.qe_report.mr_signer, 32, sgx_expect_value(one->expect, "qe_mrsigner"));
    assert_int_equal(quote.qe_report.isv_prod_id, number(sgx_expect_value(one->expect, "qe_isvprodid")));
    assert_int_equal(quote.qe_report.isv_svn, number(sgx_expect_value(one->expect, "qe_isvsvn")));
    assert_int_equal((int)quote.authentication_data.size,
                     number(sgx_expect_value(one->expect, "qe_auth_data_len")));
}

static void quote_fields_are_read(void **state) {
    each_case(assert_quote_matches, 22);
}

static void assert_identity_matches(const struct sgx_case *one) {
    struct sgx_case changed = with_leave(one);
    struct cella_verdict verdict;
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    assert_int_equal(verdict.identity.code_hash.size, 32);
    assert_hex(verdict.identity.code_hash.bytes, 32, sgx_expect_value(one->expect, "mrenclave"));
    assert_hex(verdict.identity.code_signer.bytes, 32, sgx_expect_value(one->expect, "mrsigner"));
    assert_int_equal(verdict.identity.product_id, number(sgx_expect_value(one->expect, "isvprodid")));
    assert_int_equal(verdict.identity.security_version, number(sgx_expect_value(one->expect, "isvsvn")));
    assert_int_equal(verdict.debug, number(sgx_expect_value(one->expect, "debug")));
    assert_hex(verdict.fmspc, 6, sgx_expect_value(one->expect, "pck_fmspc"));
    assert_false(verdict.simulated);
}

static void identities_are_as_expected(void **state) {
    each_case(assert_identity_matches, 22);
}

static void assert_advisories(const struct cella_advisories *found, const char *expected) {
    char text[CELLA_ADVISORIES_MAX * CELLA_ADVISORY_SIZE_MAX] = "";
    size_t size = 0;
    for (size_t at = 0; at < found->count; at++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", at == 0 ? "" : ",", found->ids[at]);
    assert_string_equal(found->count == 0 ? "-" : text, expected);
}

static void assert_tcb_matches(const struct sgx_case *one) {
    struct sgx_case changed = with_leave(one);
    struct cella_verdict verdict;
    char date[CELLA_CALENDAR_TEXT_SIZE];
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    assert_string_equal(cella_tcb_status_name(verdict.tcb_status), sgx_case_value(one, "status"));
    assert_string_equal(cella_tcb_status_name(verdict.platform_status),
                        sgx_case_value(one, "tcb_level_status"));
    assert_string_equal(cella_tcb_status_name(verdict.qe_status), sgx_case_value(one, "qe_status"));
    cella_calendar_print(verdict.tcb_date, date);
    assert_string_equal(date, sgx_case_value(one, "tcb_level_date"));
    assert_advisories(&verdict.advisories, sgx_case_value(one, "advisories"));
}

static void tcb_statuses_dates_and_advisories_are_as_expected(void **state) {
    each_case(assert_tcb_matches, 22);
}

static void assert_level_follows(const struct sgx_case *one) {
    struct sgx_case changed = with_leave(one);
    struct cella_verdict verdict;
    bool current = strcmp(sgx_case_value(one, "status"), "UpToDate") == 0 && one->has_pck_crl;
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    enum cella_level expected = verdict.debug ? CELLA_LEVEL_INSECURE
                                : current     ? CELLA_LEVEL_SECURE
                                              : CELLA_LEVEL_STALE;
    assert_string_equal(cella_level_name(verdict.identity.level), cella_level_name(expected));
    if (verdict.debug)
        assert_int_equal(verdict.rule, CELLA_RULE_DEBUG);
}

static void levels_follow_from_debug_and_status(void **state) {
    each_case(assert_level_follows, 22);
}

static int64_t parse_time(const char *text) {
    int64_t seconds = 0;
    assert_status(cella_calendar_parse(CELLA_BYTES(text, strlen(text)), &seconds), CELLA_OK);
    return seconds;
}

/* The window in the .expect file excludes what a case does not have, so only its inside is promised then. */
static void assert_window(const struct sgx_case *one) {
    struct sgx_case changed = with_leave(one);
    struct cella_verdict verdict;
    int64_t from = parse_time(sgx_case_value(one, "window_from"));
    int64_t to = parse_time(sgx_case_value(one, "window_to"));
    changed.options.at = from;
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    changed.options.at = to;
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    assert_true(verdict.next_update == to);
    changed.options.at = from - 1;
    assert_int_not_equal(sgx_case_verify(&changed, &verdict), CELLA_OK);
    changed.options.at = to + 1;
    assert_int_not_equal(sgx_case_verify(&changed, &verdict), CELLA_OK);
}

static void each_case_holds_from_the_first_to_the_last_second_of_its_window(void **state) {
    each_case(assert_window, 22);
}

static void assert_missing_crl_refused(const struct sgx_case *one) {
    struct sgx_case changed = *one;
    struct cella_verdict verdict;
    changed.parts.collateral[CELLA_COLLATERAL_PCK_CRL] = CELLA_BYTES(NULL, 0);
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_COLLATERAL_MISSING);
    changed.options.may_miss = CELLA_MAY_MISS_PCK_CRL;
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    assert_int_equal(verdict.missing, CELLA_MAY_MISS_PCK_CRL);
    assert_true(verdict.identity.level <= CELLA_LEVEL_STALE);
}

static void a_missing_pck_crl_is_refused_unless_the_caller_allows_it(void **state) {
    each_case(assert_missing_crl_refused, 22);
}

static void assert_missing_root_crl_refused(const struct sgx_case *one) {
    struct sgx_case changed = with_leave(one);
    struct cella_verdict verdict;
    changed.parts.collateral[CELLA_COLLATERAL_ROOT_CRL] = CELLA_BYTES(NULL, 0);
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_COLLATERAL_MISSING);
    changed.options.may_miss |= CELLA_MAY_MISS_ROOT_CRL;
    assert_status(sgx_case_verify(&changed, &verdict), CELLA_OK);
    assert_true((verdict.missing & CELLA_MAY_MISS_ROOT_CRL) != 0);
}

static void a_missing_root_crl_is_refused_unless_the_caller_allows_it(void **state) {
    each_case(assert_missing_root_crl_refused, 22);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quote_fields_are_read),
        cmocka_unit_test(identities_are_as_expected),
        cmocka_unit_test(tcb_statuses_dates_and_advisories_are_as_expected),
        cmocka_unit_test(levels_follow_from_debug_and_status),
        cmocka_unit_test(each_case_holds_from_the_first_to_the_last_second_of_its_window),
        cmocka_unit_test(a_missing_pck_crl_is_refused_unless_the_caller_allows_it),
        cmocka_unit_test(a_missing_root_crl_is_refused_unless_the_caller_allows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
