/* The whole way on the simulated machine: report, quote, collateral, attestation, verdict. */
#include "attest/attestation.h"
#include "attest/roots/sim_root.h"
#include "attest/statement.h"
#include "attest/unconstrained.h"
#include "machine/machine.h"
#include "machine/sim/manage.h"
#include "support/memory.h"
#include "support/test.h"
#include "unit/attest/synthetic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1750000000)

/* One machine in a folder of its own. */
struct fixture {
    struct test_folder folder;
    const char *path;
    struct cella_machine *machine;
};

static void fixture_open(struct fixture *fixture, bool own_vendor) {
    test_folder_make(&fixture->folder);
    fixture->path = test_path(&fixture->folder, "machine");
    struct cella_sim_create_options options = {
        .folder = fixture->path, .own_vendor = own_vendor, .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&options, NULL), CELLA_OK);
    assert_status(cella_machine_open(fixture->path, &fixture->machine, NULL), CELLA_OK);
}

static void fixture_close(struct fixture *fixture) {
    cella_machine_free(fixture->machine);
    test_folder_remove(&fixture->folder);
}

/* Change a knob; the machine is opened again, as a restarted host does. */
static void fixture_change(struct fixture *fixture, const struct cella_sim_change *change) {
    cella_machine_free(fixture->machine);
    assert_status(cella_sim_change(fixture->path, change, NULL), CELLA_OK);
    assert_status(cella_machine_open(fixture->path, &fixture->machine, NULL), CELLA_OK);
}

static struct cella_bytes quote_of(struct cella_machine *machine, struct cella_bytes statement,
                                   const uint8_t *nonce, uint64_t flags) {
    uint8_t target[CELLA_TARGET_INFO_SIZE];
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    uint8_t report[CELLA_REPORT_SIZE];
    uint8_t *quote = NULL;
    size_t size = 0;
    struct cella_machine_identity identity = {.flags =
                                                  CELLA_ATTRIBUTE_INIT | CELLA_ATTRIBUTE_MODE64BIT | flags,
                                              .xfrm = 3,
                                              .isv_prod_id = 10,
                                              .isv_svn = 4};
    memset(identity.code_hash, 0xc0, sizeof identity.code_hash);
    memset(identity.code_signer, 0x51, sizeof identity.code_signer);
    cella_statement_report_data(statement, nonce, report_data);
    assert_status(cella_machine_target_info(machine, target, NULL), CELLA_OK);
    assert_status(cella_machine_report(machine, &identity, target, report_data, report, NULL), CELLA_OK);
    assert_status(cella_machine_quote(machine, report, &quote, &size, NULL), CELLA_OK);
    struct cella_bytes copy = test_copy(CELLA_BYTES(quote, size));
    free(quote);
    return copy;
}

static struct cella_bytes attest(struct cella_machine *machine, const uint8_t *nonce, uint64_t flags) {
    struct cella_statement statement = synthetic_statement();
    uint8_t statement_bytes[CELLA_STATEMENT_SIZE_MAX];
    uint8_t *out = test_allocate(CELLA_ATTESTATION_SIZE_MAX);
    size_t size = 0;
    struct cella_machine_collateral *collateral = NULL;
    assert_status(cella_statement_write(&statement, statement_bytes, sizeof statement_bytes, &size, NULL),
                  CELLA_OK);
    struct cella_attestation parts = {
        .kind = CELLA_KIND_SGX, .time = NOW, .nonce = nonce, .statement = CELLA_BYTES(statement_bytes, size)};
    parts.evidence = quote_of(machine, parts.statement, nonce, flags);
    assert_status(cella_machine_collateral(machine, NOW, &collateral, NULL), CELLA_OK);
    parts.collateral[CELLA_COLLATERAL_TCB_INFO] = collateral->tcb_info;
    parts.collateral[CELLA_COLLATERAL_QE_IDENTITY] = collateral->qe_identity;
    parts.collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = collateral->signing_chain;
    parts.collateral[CELLA_COLLATERAL_ROOT_CRL] = collateral->root_crl;
    parts.collateral[CELLA_COLLATERAL_PCK_CRL] = collateral->pck_crl;
    assert_status(cella_attestation_write(&parts, out, CELLA_ATTESTATION_SIZE_MAX, &size, NULL), CELLA_OK);
    cella_machine_collateral_free(collateral);
    return test_copy(CELLA_BYTES(out, size));
}

static struct cella_verify_options options_at(enum cella_level level) {
    static struct cella_constraint constraint;
    constraint = synthetic_constraint(level);
    return (struct cella_verify_options){.constraint = &constraint, .at = NOW};
}

static void the_simulated_machine_is_insecure_whatever_else_holds(void **state) {
    struct fixture fixture;
    fixture_open(&fixture, false);
    struct cella_bytes bytes = attest(fixture.machine, NULL, 0);
    struct cella_verdict verdict;
    struct cella_verify_options options = options_at(CELLA_LEVEL_INSECURE);
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_OK);
    assert_true(verdict.simulated);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_INSECURE);
    assert_int_equal(verdict.rule, CELLA_RULE_SIMULATED);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_UP_TO_DATE);
    assert_int_equal(verdict.identity.product_id, 10);
    options = options_at(CELLA_LEVEL_STALE);
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_REFUSED_LEVEL);
    options = options_at(CELLA_LEVEL_SECURE);
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_REFUSED_LEVEL);
    fixture_close(&fixture);
}

static void vouching_for_the_simulated_root_changes_nothing(void **state) {
    struct fixture fixture;
    fixture_open(&fixture, false);
    struct cella_verify_root root = {.certificate = CELLA_BYTES(cella_sim_root, CELLA_SIM_ROOT_SIZE),
                                     .vouched = true};
    struct cella_verify_options options = options_at(CELLA_LEVEL_SECURE);
    struct cella_verdict verdict;
    options.roots = &root;
    options.root_count = 1;
    assert_status(cella_verify(attest(fixture.machine, NULL, 0), &options, &verdict, NULL),
                  CELLA_REFUSED_LEVEL);
    fixture_close(&fixture);
}

static void a_root_of_the_caller_that_cannot_be_read_is_refused_even_when_it_is_not_needed(void **state) {
    struct fixture fixture;
    fixture_open(&fixture, false);
    struct cella_verify_root roots[2] = {{.certificate = CELLA_BYTES(cella_sim_root, CELLA_SIM_ROOT_SIZE)},
                                         {.certificate = CELLA_BYTES(cella_sim_root, CELLA_SIM_ROOT_SIZE)}};
    struct cella_bytes bytes = attest(fixture.machine, NULL, 0);
    struct cella_verify_options options = options_at(CELLA_LEVEL_INSECURE);
    struct cella_verdict verdict;
    options.roots = roots;
    options.root_count = 2;
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_OK);
    roots[1].certificate.size--;
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_CERTIFICATE_INVALID);
    roots[1].certificate = CELLA_BYTES("junk", 4);
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_CERTIFICATE_INVALID);
    roots[1].certificate = CELLA_BYTES(NULL, 0);
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_CERTIFICATE_INVALID);
    fixture_close(&fixture);
}

static void a_vendor_of_ones_own_is_untrusted_until_named_and_secure_when_vouched_for(void **state) {
    struct fixture fixture;
    fixture_open(&fixture, true);
    struct cella_sim_description description;
    assert_status(cella_sim_describe(fixture.path, &description, NULL), CELLA_OK);
    struct cella_verify_root root = {.certificate =
                                         CELLA_BYTES(description.root_pem, strlen(description.root_pem))};
    struct cella_bytes bytes = attest(fixture.machine, NULL, 0);
    struct cella_verify_options options = options_at(CELLA_LEVEL_SECURE);
    struct cella_verdict verdict;
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_UNTRUSTED_ROOT);
    options.roots = &root;
    options.root_count = 1;
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_REFUSED_LEVEL);
    root.vouched = true;
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_OK);
    assert_int_equal(verdict.identity.level, CELLA_LEVEL_SECURE);
    assert_false(verdict.simulated);
    options = options_at(CELLA_LEVEL_INSECURE);
    options.roots = &root;
    options.root_count = 1;
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_REFUSED_LEVEL);
    fixture_close(&fixture);
}

static void a_platform_below_the_required_version_is_out_of_date(void **state) {
    struct fixture fixture;
    struct cella_verdict verdict;
    unsigned required = CELLA_SIM_VERSION_NEW + 1;
    struct cella_verify_options options = options_at(CELLA_LEVEL_INSECURE);
    fixture_open(&fixture, false);
    fixture_change(&fixture, &(struct cella_sim_change){.required_version = &required});
    assert_status(cella_verify(attest(fixture.machine, NULL, 0), &options, &verdict, NULL), CELLA_OK);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_OUT_OF_DATE);
    fixture_close(&fixture);
}

static void expired_collateral_is_refused(void **state) {
    struct fixture fixture;
    struct cella_verdict verdict;
    int64_t long_ago = NOW - INT64_C(90) * 86400;
    struct cella_verify_options options = options_at(CELLA_LEVEL_INSECURE);
    fixture_open(&fixture, false);
    fixture_change(&fixture, &(struct cella_sim_change){.collateral_issued_at = &long_ago});
    assert_status(cella_verify(attest(fixture.machine, NULL, 0), &options, &verdict, NULL),
                  CELLA_COLLATERAL_NOT_VALID_AT);
    fixture_close(&fixture);
}

static void a_nonce_and_debug_are_seen(void **state) {
    struct fixture fixture;
    struct cella_verdict verdict;
    const uint8_t nonce[32] = {1, 2, 3};
    struct cella_verify_options options = options_at(CELLA_LEVEL_INSECURE);
    fixture_open(&fixture, false);
    options.nonce = nonce;
    assert_status(
        cella_verify(attest(fixture.machine, nonce, CELLA_ATTRIBUTE_DEBUG), &options, &verdict, NULL),
        CELLA_OK);
    assert_true(verdict.nonce_checked && verdict.debug);
    assert_int_equal(verdict.rule, CELLA_RULE_SIMULATED);
    fixture_close(&fixture);
}

/* Made once by an earlier build: formats and derivations must not change under stored attestations. */
static void a_stored_attestation_still_verifies(void **state) {
    uint8_t nonce[32];
    struct cella_verdict verdict;
    struct cella_verify_options options = options_at(CELLA_LEVEL_INSECURE);
    memset(nonce, 9, sizeof nonce);
    options.nonce = nonce;
    struct cella_bytes bytes = test_vector("attestation-simulated.bin");
    assert_status(cella_verify(bytes, &options, &verdict, NULL), CELLA_OK);
    assert_true(verdict.time_claimed == NOW);
    assert_true(verdict.nonce_checked && verdict.simulated && !verdict.debug);
    assert_int_equal(verdict.tcb_status, CELLA_TCB_UP_TO_DATE);
    assert_int_equal(verdict.identity.security_version, 4);
    assert_int_equal(verdict.statement.signing_key[31], 0xa2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_simulated_machine_is_insecure_whatever_else_holds),
        cmocka_unit_test(vouching_for_the_simulated_root_changes_nothing),
        cmocka_unit_test(a_root_of_the_caller_that_cannot_be_read_is_refused_even_when_it_is_not_needed),
        cmocka_unit_test(a_vendor_of_ones_own_is_untrusted_until_named_and_secure_when_vouched_for),
        cmocka_unit_test(a_platform_below_the_required_version_is_out_of_date),
        cmocka_unit_test(expired_collateral_is_refused),
        cmocka_unit_test(a_nonce_and_debug_are_seen),
        cmocka_unit_test(a_stored_attestation_still_verifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
