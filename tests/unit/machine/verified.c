/* From a report to a verdict: the verifier, which knows nothing of simulations but a root, judges what the
 * machine makes, and each knob moves the verdict as it should. */
#include "fixture.h"
#include "attest/attestation.h"
#include "attest/statement.h"
#include "base/hex.h"
#include "machine/sim/collateral.h"
#include <cella/verify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};
static const uint8_t nonce[CELLA_NONCE_SIZE] = "nonce";

/* An attestation of an instance that runs on the machine at `path`. */
static struct cella_bytes attest(const char *path) {
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    const struct cella_statement statement = {
        .session_key = {1}, .signing_key = {2}, .freshness = CELLA_FRESHNESS_NONE};
    uint8_t statement_bytes[CELLA_STATEMENT_SIZE_MAX], report_data[CELLA_REPORT_DATA_SIZE];
    uint8_t target_info[CELLA_TARGET_INFO_SIZE], report[CELLA_REPORT_SIZE];
    uint8_t *quote = NULL;
    size_t statement_size = 0, quote_size = 0, size = 0;
    struct cella_machine_collateral *collateral = NULL;
    assert_status(
        cella_statement_write(&statement, statement_bytes, sizeof statement_bytes, &statement_size, NULL),
        CELLA_OK);
    cella_statement_report_data(CELLA_BYTES(statement_bytes, statement_size), nonce, report_data);
    assert_status(cella_machine_target_info(machine, target_info, NULL), CELLA_OK);
    assert_status(cella_machine_report(machine, &identity, target_info, report_data, report, NULL), CELLA_OK);
    assert_status(cella_machine_quote(machine, report, &quote, &quote_size, NULL), CELLA_OK);
    assert_status(cella_machine_collateral(machine, TEST_NOW, &collateral, NULL), CELLA_OK);
    const struct cella_attestation parts = {
        .kind = CELLA_KIND_SGX,
        .time = TEST_NOW,
        .nonce = nonce,
        .statement = CELLA_BYTES(statement_bytes, statement_size),
        .evidence = CELLA_BYTES(quote, quote_size),
        .collateral = {[CELLA_COLLATERAL_TCB_INFO] = collateral->tcb_info,
                       [CELLA_COLLATERAL_QE_IDENTITY] = collateral->qe_identity,
                       [CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = collateral->signing_chain,
                       [CELLA_COLLATERAL_ROOT_CRL] = collateral->root_crl,
                       [CELLA_COLLATERAL_PCK_CRL] = collateral->pck_crl}};
    uint8_t *bytes = malloc(CELLA_ATTESTATION_SIZE_MAX);
    assert_non_null(bytes);
    assert_status(cella_attestation_write(&parts, bytes, CELLA_ATTESTATION_SIZE_MAX, &size, NULL), CELLA_OK);
    struct cella_bytes attestation = test_copy(CELLA_BYTES(bytes, size));
    free(bytes);
    free(quote);
    cella_machine_collateral_free(collateral);
    cella_machine_free(machine);
    return attestation;
}

/* Accepts the image on any machine, whatever its level. */
static struct cella_constraint constraint_for(const char *path, const char *security) {
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_constraint constraint;
    char signer[65], line[128];
    cella_machine_free(machine);
    cella_hex_encode(identity.code_signer, sizeof identity.code_signer, signer);
    int size = snprintf(line, sizeof line, "S:%s PROD:7 SEC:%s", signer, security);
    assert_in_range(size, 1, sizeof line - 1);
    assert_status(cella_constraint_parse(CELLA_BYTES(line, (size_t)size), &constraint, NULL), CELLA_OK);
    return constraint;
}

static enum cella_status verify(const char *path, const char *security, struct cella_verdict *ret_verdict) {
    struct cella_constraint constraint = constraint_for(path, security);
    struct cella_error error = {0};
    const struct cella_verify_options options = {.constraint = &constraint, .at = TEST_NOW, .nonce = nonce};
    return cella_verify(attest(path), &options, ret_verdict, &error);
}

static void a_simulated_instance_is_accepted_only_as_insecure(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_verdict verdict;
    assert_status(verify(path, "INSECURE", &verdict), CELLA_OK);
    assert_true(verdict.simulated);
    assert_false(verdict.debug);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_INSECURE);
    assert_int_equal(verdict.rule, CELLA_RULE_SIMULATED);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_UP_TO_DATE);
    assert_int_equal(verdict.identity.product_id, 7);
    assert_int_equal(verdict.identity.security_version, 3);
    assert_status(verify(path, "STALE", &verdict), CELLA_REFUSED_LEVEL);
    assert_status(verify(path, "SECURE", &verdict), CELLA_REFUSED_LEVEL);
}

static void a_lowered_version_is_out_of_date_with_its_advisories(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_verdict verdict;
    fixture_set_version(path, 2);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_OK);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_OUT_OF_DATE);
    assert_int_equal(verdict.advisories.count, 1);
    assert_string_equal(verdict.advisories.ids[0], "INSECURE-SIM-SA-00003");
    fixture_set_version(path, 12);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_OK);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_UP_TO_DATE);
    fixture_set_version(path, 0);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_TCB_NOT_SUPPORTED);
}

static void a_vendor_that_requires_more_makes_the_same_platform_out_of_date(void **state) {
    const char *path = fixture_create(*state, "m");
    unsigned required = 4;
    struct cella_verdict verdict;
    assert_status(cella_sim_change(path, &(struct cella_sim_change){.required_version = &required}, NULL),
                  CELLA_OK);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_OK);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_OUT_OF_DATE);
    assert_int_equal(verdict.seen.tcb_evaluation_number, 4);
}

static void expired_collateral_is_refused_until_it_is_renewed(void **state) {
    const char *path = fixture_create(*state, "m");
    int64_t issued = TEST_NOW - 2 * CELLA_SIM_COLLATERAL_LIFE, thawed = 0;
    struct cella_verdict verdict;
    struct cella_sim_change change = {.collateral_issued_at = &issued};
    assert_status(cella_sim_change(path, &change, NULL), CELLA_OK);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_COLLATERAL_NOT_VALID_AT);
    change.collateral_issued_at = &thawed;
    assert_status(cella_sim_change(path, &change, NULL), CELLA_OK);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_OK);
}

static void an_own_vendor_is_untrusted_unless_the_caller_names_its_root(void **state) {
    const char *path = test_path(*state, "own");
    const struct cella_sim_create_options own = {.folder = path, .own_vendor = true, .platform_version = 3};
    struct cella_sim_description machine;
    struct cella_verdict verdict;
    assert_status(cella_sim_create(&own, NULL), CELLA_OK);
    assert_status(verify(path, "INSECURE", &verdict), CELLA_UNTRUSTED_ROOT);
    assert_status(cella_sim_describe(path, &machine, NULL), CELLA_OK);
    const struct cella_verify_root root = {.certificate =
                                               CELLA_BYTES(machine.root_pem, strlen(machine.root_pem))};
    struct cella_constraint constraint = constraint_for(path, "INSECURE");
    const struct cella_verify_options options = {
        .constraint = &constraint, .at = TEST_NOW, .nonce = nonce, .roots = &root, .root_count = 1};
    assert_status(cella_verify(attest(path), &options, &verdict, NULL), CELLA_OK);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_INSECURE);
}

static void a_debug_image_is_marked_as_such(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct fixture_image debug_image = image;
    debug_image.extra_flags = CELLA_ATTRIBUTE_DEBUG;
    struct cella_machine_identity identity = fixture_identity(machine, &debug_image);
    uint8_t target_info[CELLA_TARGET_INFO_SIZE], report[CELLA_REPORT_SIZE];
    uint8_t *quote = NULL;
    size_t size = 0;
    struct cella_bytes data = test_pattern(CELLA_REPORT_DATA_SIZE, 4);
    assert_status(cella_machine_target_info(machine, target_info, NULL), CELLA_OK);
    assert_status(cella_machine_report(machine, &identity, target_info, data.data, report, NULL), CELLA_OK);
    assert_status(cella_machine_quote(machine, report, &quote, &size, NULL), CELLA_OK);
    assert_int_equal(quote[48 + 48],
                     CELLA_ATTRIBUTE_INIT | CELLA_ATTRIBUTE_DEBUG | CELLA_ATTRIBUTE_MODE64BIT);
    free(quote);
    cella_machine_free(machine);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_simulated_instance_is_accepted_only_as_insecure),
        WITH_FOLDER(a_lowered_version_is_out_of_date_with_its_advisories),
        WITH_FOLDER(a_vendor_that_requires_more_makes_the_same_platform_out_of_date),
        WITH_FOLDER(expired_collateral_is_refused_until_it_is_renewed),
        WITH_FOLDER(an_own_vendor_is_untrusted_unless_the_caller_names_its_root),
        WITH_FOLDER(a_debug_image_is_marked_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
