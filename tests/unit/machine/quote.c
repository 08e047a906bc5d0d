/* Quotes and collateral: exact offsets, every signature checked by hand, and what is refused. */
#include "fixture.h"
#include "crypto/hash.h"
#include "crypto/pem.h"
#include "crypto/x509.h"
#include "attest/roots/sim_root.h"
#include "base/reader.h"
#include "machine/sim/collateral.h"
#include <stdlib.h>
#include <string.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};

struct setting {
    const char *path;
    struct cella_machine *machine;
    uint8_t report[CELLA_REPORT_SIZE];
    struct cella_bytes quote;
};

static void make_report(struct setting *setting) {
    uint8_t target_info[CELLA_TARGET_INFO_SIZE];
    struct cella_machine_identity identity = fixture_identity(setting->machine, &image);
    struct cella_bytes data = test_pattern(CELLA_REPORT_DATA_SIZE, 4);
    assert_status(cella_machine_target_info(setting->machine, target_info, NULL), CELLA_OK);
    assert_status(
        cella_machine_report(setting->machine, &identity, target_info, data.data, setting->report, NULL),
        CELLA_OK);
}

static enum cella_status make_quote(struct setting *setting) {
    uint8_t *quote = NULL;
    size_t size = 0;
    enum cella_status status = cella_machine_quote(setting->machine, setting->report, &quote, &size, NULL);
    if (status == CELLA_OK)
        setting->quote = test_copy(CELLA_BYTES(quote, size));
    else
        assert_null(quote);
    free(quote);
    return status;
}

static struct setting set_up(void **state) {
    struct setting setting = {.path = fixture_create(*state, "m")};
    setting.machine = fixture_open(setting.path);
    make_report(&setting);
    assert_status(make_quote(&setting), CELLA_OK);
    return setting;
}

/* The parts of a version 3 quote. */
struct parts {
    const uint8_t *header, *body, *signature, *attestation_key, *qe_report, *qe_signature, *auth;
    struct cella_bytes chain;
};

static struct parts take_apart(struct cella_bytes quote) {
    struct parts parts;
    struct cella_reader reader;
    cella_reader_init(&reader, quote);
    parts.header = cella_read_view(&reader, 48);
    parts.body = cella_read_view(&reader, 384);
    assert_int_equal(cella_read_u32(&reader), quote.size - 436);
    parts.signature = cella_read_view(&reader, 64);
    parts.attestation_key = cella_read_view(&reader, 64);
    parts.qe_report = cella_read_view(&reader, 384);
    parts.qe_signature = cella_read_view(&reader, 64);
    assert_int_equal(cella_read_u16(&reader), 32);
    parts.auth = cella_read_view(&reader, 32);
    assert_int_equal(cella_read_u16(&reader), 5);
    parts.chain = cella_read_sized(&reader, 16384);
    assert_true(cella_reader_done(&reader));
    return parts;
}

static void a_quote_has_the_layout_of_version_3(void **state) {
    struct setting setting = set_up(state);
    struct parts parts = take_apart(setting.quote);
    static const uint8_t zeros[32];
    assert_memory_equal(parts.header, "\x03\0\x02\0\0\0\0\0", 8);
    assert_memory_equal(parts.header + 8, "\x02\0\x0d\0", 4); /* QE SVN 2, PCE SVN 13 */
    assert_memory_equal(parts.header + 12, test_hex("939a7233f79c4ca9940a0db3957f0607").data, 16);
    assert_memory_equal(parts.header + 44, zeros, 4);
    assert_memory_equal(parts.body, setting.report, CELLA_REPORT_BODY_SIZE);
    assert_memory_equal(parts.qe_report + 48, "\x15\0\0\0\0\0\0\0\xe7\0\0\0\0\0\0\0", 16);
    assert_memory_equal(parts.qe_report + 256, "\x01\0\x02\0", 4);
    assert_memory_equal(parts.qe_report + 352, zeros, 32);
    cella_machine_free(setting.machine);
}

static struct cella_certificate next_certificate(struct cella_bytes *rest, uint8_t *der) {
    struct cella_certificate certificate;
    size_t size = 0;
    assert_status(cella_pem_next(rest, der, &size), CELLA_OK);
    assert_status(cella_certificate_parse(CELLA_BYTES(der, size), &certificate), CELLA_OK);
    return certificate;
}

static void check_issued(const struct cella_certificate *certificate,
                         const struct cella_certificate *issuer) {
    struct cella_ecdsa_public *key = NULL;
    assert_status(cella_ecdsa_public_new(issuer->public_key, &key), CELLA_OK);
    assert_status(cella_certificate_verify(certificate, key), CELLA_OK);
    assert_bytes(certificate->issuer, issuer->subject);
    cella_ecdsa_public_free(key);
}

static void every_signature_of_a_quote_verifies_up_to_the_public_root(void **state) {
    struct setting setting = set_up(state);
    struct parts parts = take_apart(setting.quote);
    static uint8_t der[3][CELLA_CERTIFICATE_SIZE_MAX];
    struct cella_bytes rest = parts.chain;
    struct cella_certificate pck = next_certificate(&rest, der[0]);
    struct cella_certificate ca = next_certificate(&rest, der[1]);
    struct cella_certificate root = next_certificate(&rest, der[2]);
    size_t none;
    uint8_t nothing[CELLA_CERTIFICATE_SIZE_MAX];
    assert_status(cella_pem_next(&rest, nothing, &none), CELLA_NOT_FOUND);
    check_issued(&pck, &ca);
    check_issued(&ca, &root);
    check_issued(&root, &root);
    assert_memory_equal(der[2], cella_sim_root, CELLA_SIM_ROOT_SIZE);
    assert_memory_equal(root.public_key, cella_sim_root_key, 64);
    assert_status(cella_ecdsa_verify(pck.public_key, CELLA_BYTES(parts.qe_report, 384), parts.qe_signature),
                  CELLA_OK);
    uint8_t named[96], digest[CELLA_SHA256_SIZE];
    memcpy(named, parts.attestation_key, 64);
    memcpy(named + 64, parts.auth, 32);
    cella_sha256(named, sizeof named, digest);
    assert_memory_equal(parts.qe_report + 320, digest, sizeof digest);
    assert_status(
        cella_ecdsa_verify(parts.attestation_key, CELLA_BYTES(setting.quote.data, 432), parts.signature),
        CELLA_OK);
    cella_certificate_deinit(&pck);
    cella_certificate_deinit(&ca);
    cella_certificate_deinit(&root);
    cella_machine_free(setting.machine);
}

static const struct cella_der_item *find_item(const struct cella_der_list *list, const uint8_t *last,
                                              size_t size) {
    uint8_t oid[16];
    struct cella_bytes base = test_hex("2a864886f84d010d01");
    memcpy(oid, base.data, base.size);
    memcpy(oid + base.size, last, size);
    const struct cella_der_item *item = cella_der_list_find(list, CELLA_BYTES(oid, base.size + size));
    assert_non_null(item);
    return item;
}

static void the_pck_certificate_has_intels_extension(void **state) {
    struct setting setting = set_up(state);
    struct parts parts = take_apart(setting.quote);
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX], cpu_svn[CELLA_CPU_SVN_SIZE];
    struct cella_bytes rest = parts.chain;
    struct cella_certificate pck = next_certificate(&rest, der);
    struct cella_der_list list, tcb;
    assert_status(
        cella_der_list_parse(cella_certificate_extension(&pck, test_hex("2a864886f84d010d01")), &list),
        CELLA_OK);
    assert_int_equal(list.count, 7);
    assert_int_equal(find_item(&list, (const uint8_t[]){1}, 1)->value.size, 16);
    assert_bytes(find_item(&list, (const uint8_t[]){3}, 1)->value, CELLA_BYTES("\0\0", 2));
    assert_bytes(find_item(&list, (const uint8_t[]){4}, 1)->value, test_hex("0053494d0000"));
    assert_int_equal(find_item(&list, (const uint8_t[]){5}, 1)->tag, CELLA_DER_TAG_ENUMERATED);
    assert_status(cella_der_list_parse(find_item(&list, (const uint8_t[]){2}, 1)->value, &tcb), CELLA_OK);
    assert_int_equal(tcb.count, 18);
    cella_machine_cpu_svn(setting.machine, cpu_svn);
    for (uint8_t i = 0; i < CELLA_CPU_SVN_SIZE; i++)
        assert_int_equal(find_item(&tcb, (const uint8_t[]){2, (uint8_t)(i + 1)}, 2)->number, cpu_svn[i]);
    assert_int_equal(find_item(&tcb, (const uint8_t[]){2, 17}, 2)->number, 13);
    assert_bytes(find_item(&tcb, (const uint8_t[]){2, 18}, 2)->value, CELLA_BYTES(cpu_svn, sizeof cpu_svn));
    cella_der_list_deinit(&tcb);
    cella_der_list_deinit(&list);
    cella_certificate_deinit(&pck);
    cella_machine_free(setting.machine);
}

static void a_report_with_any_changed_byte_is_refused(void **state) {
    struct setting setting = set_up(state);
    for (size_t i = 0; i < CELLA_REPORT_SIZE; i++) {
        setting.report[i] ^= 1;
        assert_status(make_quote(&setting),
                      i < CELLA_CPU_SVN_SIZE ? CELLA_MACHINE_CHANGED : CELLA_REPORT_MAC);
        setting.report[i] ^= 1;
    }
    assert_status(make_quote(&setting), CELLA_OK);
    cella_machine_free(setting.machine);
}

static void a_report_for_another_target_or_from_another_machine_is_refused(void **state) {
    struct setting setting = set_up(state);
    uint8_t target_info[CELLA_TARGET_INFO_SIZE];
    struct cella_machine_identity identity = fixture_identity(setting.machine, &image);
    assert_status(cella_machine_target_info(setting.machine, target_info, NULL), CELLA_OK);
    target_info[0] ^= 1;
    assert_status(cella_machine_report(setting.machine, &identity, target_info, setting.report + 320,
                                       setting.report, NULL),
                  CELLA_OK);
    assert_status(make_quote(&setting), CELLA_REPORT_MAC);
    struct cella_machine *elsewhere = fixture_open(fixture_create(*state, "elsewhere"));
    struct setting foreign = {.machine = elsewhere};
    make_report(&foreign);
    memcpy(setting.report, foreign.report, sizeof foreign.report);
    assert_status(make_quote(&setting), CELLA_REPORT_MAC);
    cella_machine_free(elsewhere);
    cella_machine_free(setting.machine);
}

static void an_open_machine_quotes_again_after_its_version_changed(void **state) {
    struct setting host = set_up(state);
    fixture_set_version(host.path, 2);
    assert_status(make_quote(&host), CELLA_MACHINE_CHANGED);
    struct setting keeper = {.machine = fixture_open(host.path)};
    make_report(&keeper);
    memcpy(host.report, keeper.report, sizeof host.report);
    assert_status(make_quote(&host), CELLA_OK);
    assert_int_equal(take_apart(host.quote).header[10], 12);
    cella_machine_free(keeper.machine);
    cella_machine_free(host.machine);
}

static void a_swapped_cpu_refuses_reports_of_the_old_one(void **state) {
    struct setting setting = set_up(state);
    const struct cella_sim_change swap = {.new_cpu = true};
    assert_status(cella_sim_change(setting.path, &swap, NULL), CELLA_OK);
    assert_status(make_quote(&setting), CELLA_REPORT_MAC);
    cella_machine_free(setting.machine);
}

static struct cella_machine_collateral *get_collateral(struct cella_machine *machine, int64_t now) {
    struct cella_machine_collateral *collateral = NULL;
    assert_status(cella_machine_collateral(machine, now, &collateral, NULL), CELLA_OK);
    return collateral;
}

static bool contains(struct cella_bytes text, const char *part) {
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* The signature over the text of the inner object, taken from {"NAME":BODY,"signature":"…"}. */
static void check_signed(struct cella_bytes text, const char *name, const uint8_t *key) {
    size_t start = strlen(name) + 4, tail = strlen(",\"signature\":\"\"}") + 128;
    char digits[129] = {0};
    assert_true(text.size > start + tail);
    assert_memory_equal(text.data + 2, name, strlen(name));
    memcpy(digits, text.data + text.size - 130, 128);
    assert_status(cella_ecdsa_verify(key, CELLA_BYTES(text.data + start, text.size - start - tail),
                                     test_hex(digits).data),
                  CELLA_OK);
}

static void collateral_is_signed_by_the_vendor_and_current(void **state) {
    struct setting setting = set_up(state);
    struct cella_machine_collateral *collateral = get_collateral(setting.machine, TEST_NOW);
    uint8_t der[2][CELLA_CERTIFICATE_SIZE_MAX];
    struct cella_bytes rest = collateral->signing_chain;
    struct cella_certificate signing = next_certificate(&rest, der[0]);
    struct cella_certificate root = next_certificate(&rest, der[1]);
    check_issued(&signing, &root);
    assert_false(signing.is_ca);
    check_signed(collateral->tcb_info, "tcbInfo", signing.public_key);
    check_signed(collateral->qe_identity, "enclaveIdentity", signing.public_key);
    assert_true(contains(collateral->tcb_info, "\"issueDate\":\"2026-06-15T11:00:00Z\""));
    assert_true(contains(collateral->tcb_info, "\"nextUpdate\":\"2026-07-15T11:00:00Z\""));
    assert_true(contains(collateral->tcb_info, "\"fmspc\":\"0053494D0000\""));
    assert_true(contains(collateral->tcb_info, "INSECURE-SIM-SA-00003"));
    assert_true(contains(collateral->qe_identity, "\"id\":\"QE\""));
    assert_in_range(TEST_NOW - collateral->issue_date, 0, 2 * 3600);
    assert_int_equal(collateral->next_update - collateral->issue_date, CELLA_SIM_COLLATERAL_LIFE);
    cella_certificate_deinit(&signing);
    cella_certificate_deinit(&root);
    cella_machine_collateral_free(collateral);
    cella_machine_free(setting.machine);
}

static void check_crl(struct cella_bytes der, const struct cella_certificate *issuer, int64_t issued) {
    struct cella_crl crl;
    struct cella_ecdsa_public *key = NULL;
    assert_status(cella_crl_parse(der, &crl), CELLA_OK);
    assert_status(cella_ecdsa_public_new(issuer->public_key, &key), CELLA_OK);
    assert_status(cella_crl_verify(&crl, key), CELLA_OK);
    assert_bytes(crl.issuer, issuer->subject);
    assert_int_equal(crl.this_update, issued);
    cella_ecdsa_public_free(key);
    cella_crl_deinit(&crl);
}

static void revocation_lists_are_of_root_and_pck_ca(void **state) {
    struct setting setting = set_up(state);
    struct cella_machine_collateral *collateral = get_collateral(setting.machine, TEST_NOW);
    static uint8_t der[3][CELLA_CERTIFICATE_SIZE_MAX];
    struct cella_bytes rest = take_apart(setting.quote).chain;
    struct cella_certificate pck = next_certificate(&rest, der[0]);
    struct cella_certificate ca = next_certificate(&rest, der[1]);
    struct cella_certificate root = next_certificate(&rest, der[2]);
    check_crl(collateral->root_crl, &root, collateral->issue_date);
    check_crl(collateral->pck_crl, &ca, collateral->issue_date);
    cella_certificate_deinit(&pck);
    cella_certificate_deinit(&ca);
    cella_certificate_deinit(&root);
    cella_machine_collateral_free(collateral);
    cella_machine_free(setting.machine);
}

static void collateral_is_issued_again_as_time_goes_on_unless_it_is_frozen(void **state) {
    struct setting setting = set_up(state);
    int64_t frozen = TEST_NOW - 2 * CELLA_SIM_COLLATERAL_LIFE, thawed = 0;
    struct cella_machine_collateral *first = get_collateral(setting.machine, TEST_NOW);
    struct cella_machine_collateral *same = get_collateral(setting.machine, TEST_NOW + 60);
    struct cella_machine_collateral *later = get_collateral(setting.machine, TEST_NOW + 40 * 86400);
    assert_bytes(same->tcb_info, first->tcb_info);
    assert_int_equal(later->issue_date, first->issue_date + 40 * 86400);
    struct cella_sim_change change = {.collateral_issued_at = &frozen};
    assert_status(cella_sim_change(setting.path, &change, NULL), CELLA_OK);
    struct cella_machine_collateral *expired = get_collateral(setting.machine, TEST_NOW);
    assert_true(expired->next_update < TEST_NOW);
    change.collateral_issued_at = &thawed;
    assert_status(cella_sim_change(setting.path, &change, NULL), CELLA_OK);
    struct cella_machine_collateral *again = get_collateral(setting.machine, TEST_NOW);
    assert_int_equal(again->issue_date, first->issue_date);
    cella_machine_collateral_free(first);
    cella_machine_collateral_free(same);
    cella_machine_collateral_free(later);
    cella_machine_collateral_free(expired);
    cella_machine_collateral_free(again);
    cella_machine_free(setting.machine);
}

static void a_time_before_the_vendor_existed_has_no_collateral(void **state) {
    struct setting setting = set_up(state);
    struct cella_machine_collateral *collateral = NULL;
    assert_status(cella_machine_collateral(setting.machine, 1000000000, &collateral, NULL), CELLA_ARGUMENT);
    assert_status(cella_machine_collateral(setting.machine, INT64_MAX, &collateral, NULL), CELLA_ARGUMENT);
    assert_status(cella_machine_collateral(setting.machine, INT64_MIN + 1, &collateral, NULL),
                  CELLA_ARGUMENT);
    assert_null(collateral);
    cella_machine_free(setting.machine);
}

static void the_vendor_may_require_more_than_the_platform_has(void **state) {
    struct setting setting = set_up(state);
    unsigned required = 5;
    const struct cella_sim_change change = {.required_version = &required};
    assert_status(cella_sim_change(setting.path, &change, NULL), CELLA_OK);
    struct cella_machine_collateral *collateral = get_collateral(setting.machine, TEST_NOW);
    assert_true(contains(collateral->tcb_info, "\"tcbEvaluationDataNumber\":5"));
    assert_true(contains(collateral->tcb_info,
                         "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INSECURE-SIM-SA-00004\","
                         "\"INSECURE-SIM-SA-00005\"]"));
    assert_status(make_quote(&setting), CELLA_OK); /* the platform itself is the same */
    cella_machine_collateral_free(collateral);
    cella_machine_free(setting.machine);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_quote_has_the_layout_of_version_3),
        WITH_FOLDER(every_signature_of_a_quote_verifies_up_to_the_public_root),
        WITH_FOLDER(the_pck_certificate_has_intels_extension),
        WITH_FOLDER(a_report_with_any_changed_byte_is_refused),
        WITH_FOLDER(a_report_for_another_target_or_from_another_machine_is_refused),
        WITH_FOLDER(an_open_machine_quotes_again_after_its_version_changed),
        WITH_FOLDER(a_swapped_cpu_refuses_reports_of_the_old_one),
        WITH_FOLDER(collateral_is_signed_by_the_vendor_and_current),
        WITH_FOLDER(revocation_lists_are_of_root_and_pck_ca),
        WITH_FOLDER(collateral_is_issued_again_as_time_goes_on_unless_it_is_frozen),
        WITH_FOLDER(a_time_before_the_vendor_existed_has_no_collateral),
        WITH_FOLDER(the_vendor_may_require_more_than_the_platform_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
