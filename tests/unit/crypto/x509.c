/* Reading certificates, revocation lists, PEM and lists of values. */
#include "crypto/x509.h"
#include "base/writer.h"
#include "crypto/pem.h"
#include "crypto/x509_build.h"
#include "support/test.h"
#include <string.h>

#define FROM INT64_C(1600000000)
#define TO   INT64_C(1800000000)

static struct cella_ecdsa_key *key(void) {
    static struct cella_ecdsa_key *made;
    const uint8_t number[CELLA_ECDSA_PRIVATE_SIZE] = {1};
    if (made == NULL)
        assert_status(cella_ecdsa_key_import(number, &made), CELLA_OK);
    return made;
}

static struct cella_bytes issue(const struct cella_x509_extension *extensions, size_t count) {
    static uint8_t out[CELLA_CERTIFICATE_SIZE_MAX];
    struct cella_writer writer;
    struct cella_x509_template template = {.subject = {"Subject", "Test"},
                                           .issuer = {"Issuer", "Test"},
                                           .serial = {0x11, 0x22},
                                           .not_before = FROM,
                                           .not_after = TO,
                                           .public_key = cella_ecdsa_key_public(key()),
                                           .is_ca = true,
                                           .path_length = 0,
                                           .extensions = extensions,
                                           .extension_count = count};
    cella_writer_init(&writer, out, sizeof out);
    assert_status(cella_x509_issue(&template, key(), &writer), CELLA_OK);
    return cella_writer_bytes(&writer);
}

static bool accepts_certificate(void *context, struct cella_bytes bytes) {
    struct cella_certificate certificate;
    if (cella_certificate_parse(bytes, &certificate) != CELLA_OK)
        return false;
    cella_certificate_deinit(&certificate);
    return true;
}

static void a_certificate_gives_its_fields(void **state) {
    struct cella_certificate certificate;
    struct cella_ecdsa_public *public_key = NULL;
    assert_status(cella_certificate_parse(issue(NULL, 0), &certificate), CELLA_OK);
    assert_true(certificate.not_before == FROM && certificate.not_after == TO);
    assert_true(certificate.is_ca);
    assert_int_equal(certificate.key_usage & CELLA_KEY_USAGE_CERT, CELLA_KEY_USAGE_CERT);
    assert_memory_equal(certificate.public_key, cella_ecdsa_key_public(key()), CELLA_ECDSA_PUBLIC_SIZE);
    assert_int_equal(certificate.serial.data[0], 0x11);
    assert_status(cella_ecdsa_public_new(certificate.public_key, &public_key), CELLA_OK);
    assert_status(cella_certificate_verify(&certificate, public_key), CELLA_OK);
    certificate.signature[0] ^= 1;
    assert_status(cella_certificate_verify(&certificate, public_key), CELLA_AUTHENTICATION);
    cella_ecdsa_public_free(public_key);
    cella_certificate_deinit(&certificate);
    cella_certificate_deinit(&certificate);
}

static void truncated_and_longer_certificates_are_refused(void **state) {
    struct cella_bytes good = test_copy(issue(NULL, 0));
    test_truncations_refused(good, accepts_certificate, NULL);
    test_extension_refused(good, accepts_certificate, NULL);
}

static void unknown_extensions_are_read_unless_critical(void **state) {
    struct cella_x509_extension extension = {.oid = "1.2.3.4", .value = CELLA_BYTES("\x05\x00", 2)};
    struct cella_certificate certificate;
    assert_status(cella_certificate_parse(issue(&extension, 1), &certificate), CELLA_OK);
    assert_bytes(cella_certificate_extension(&certificate, CELLA_BYTES("\x2a\x03\x04", 3)),
                 CELLA_BYTES("\x05\x00", 2));
    assert_int_equal(cella_certificate_extension(&certificate, CELLA_BYTES("\x2a\x03\x05", 3)).size, 0);
    cella_certificate_deinit(&certificate);
    extension.critical = true;
    assert_false(accepts_certificate(NULL, issue(&extension, 1)));
}

static void a_doubled_extension_is_refused(void **state) {
    const struct cella_x509_extension twice[] = {{.oid = "1.2.3.4", .value = CELLA_BYTES("\x05\x00", 2)},
                                                 {.oid = "1.2.3.4", .value = CELLA_BYTES("\x05\x00", 2)}};
    assert_false(accepts_certificate(NULL, issue(twice, 2)));
}

static struct cella_bytes issue_crl(void) {
    static uint8_t out[4096];
    static const uint8_t revoked[2][CELLA_X509_SERIAL_SIZE] = {{0x11, 0x22}, {0x33}};
    struct cella_writer writer;
    struct cella_x509_crl_template template = {.issuer = {"Issuer", "Test"},
                                               .number = 77,
                                               .this_update = FROM,
                                               .next_update = TO,
                                               .revoked = revoked,
                                               .revoked_count = 2};
    cella_writer_init(&writer, out, sizeof out);
    assert_status(cella_x509_issue_crl(&template, key(), &writer), CELLA_OK);
    return cella_writer_bytes(&writer);
}

static bool accepts_crl(void *context, struct cella_bytes bytes) {
    struct cella_crl crl;
    if (cella_crl_parse(bytes, &crl) != CELLA_OK)
        return false;
    cella_crl_deinit(&crl);
    return true;
}

static void a_revocation_list_names_serials(void **state) {
    struct cella_crl crl;
    struct cella_certificate certificate;
    uint8_t other[20] = {0x44};
    assert_status(cella_crl_parse(issue_crl(), &crl), CELLA_OK);
    assert_status(cella_certificate_parse(issue(NULL, 0), &certificate), CELLA_OK);
    assert_true(crl.number == 77 && crl.this_update == FROM && crl.next_update == TO);
    assert_true(cella_crl_lists(&crl, certificate.serial));
    assert_false(cella_crl_lists(&crl, CELLA_BYTES(other, sizeof other)));
    assert_bytes(crl.issuer, certificate.issuer);
    cella_crl_deinit(&crl);
    cella_certificate_deinit(&certificate);
}

static void truncated_and_longer_revocation_lists_are_refused(void **state) {
    struct cella_bytes good = test_copy(issue_crl());
    test_truncations_refused(good, accepts_crl, NULL);
    test_extension_refused(good, accepts_crl, NULL);
}

static void a_certificate_is_no_revocation_list_and_the_reverse(void **state) {
    assert_false(accepts_crl(NULL, test_copy(issue(NULL, 0))));
    assert_false(accepts_certificate(NULL, test_copy(issue_crl())));
}

static enum cella_status next(const char *text, size_t size) {
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX];
    size_t der_size = 0;
    struct cella_bytes rest = CELLA_BYTES(text, size);
    return cella_pem_next(&rest, der, &der_size);
}

#define PEM(body) "-----BEGIN CERTIFICATE-----\n" body "\n-----END CERTIFICATE-----\n"

static void pem_allows_white_space_around_and_zeros_behind_only(void **state) {
    static const struct {
        const char *text;
        size_t size;
        enum cella_status expected;
    } rows[] = {
        {"", 0, CELLA_NOT_FOUND},
        {" \n\0\0", 4, CELLA_NOT_FOUND},
        {PEM("QUJD"), sizeof PEM("QUJD") - 1, CELLA_OK},
        {" \r\n" PEM("QU\nJD"), sizeof PEM("QU\nJD") + 2, CELLA_OK},
        {"x" PEM("QUJD"), sizeof PEM("QUJD"), CELLA_DAMAGED},
        {"\0" PEM("QUJD"), sizeof PEM("QUJD"), CELLA_DAMAGED},
        {PEM("QUJ"), sizeof PEM("QUJ") - 1, CELLA_DAMAGED},
        {PEM("QU=D"), sizeof PEM("QU=D") - 1, CELLA_DAMAGED},
        {PEM("Q==="), sizeof PEM("Q===") - 1, CELLA_DAMAGED},
        {PEM("QUI=QUJD"), sizeof PEM("QUI=QUJD") - 1, CELLA_DAMAGED},
        {PEM("Proc-Type: 4"), sizeof PEM("Proc-Type: 4") - 1, CELLA_DAMAGED},
        {PEM(""), sizeof PEM("") - 1, CELLA_DAMAGED},
        {PEM("QUJD"), sizeof PEM("QUJD") - 3, CELLA_DAMAGED},
        {PEM("QUJD"), 20, CELLA_DAMAGED},
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++)
        assert_status(next(rows[at].text, rows[at].size), rows[at].expected);
}

static void base64_decodes_in_any_chunking(void **state) {
    char text[6000];
    uint8_t out[4096];
    size_t size = 0;
    for (size_t groups = 1; groups <= 1000; groups += 37) {
        for (size_t at = 0; at < groups; at++)
            memcpy(text + 4 * at, "QUJD", 4);
        memcpy(text + 4 * groups - 4, "QQ==", 4);
        assert_status(cella_base64_decode(CELLA_BYTES(text, 4 * groups), out, sizeof out, &size), CELLA_OK);
        assert_int_equal(size, 3 * groups - 2);
        assert_int_equal(out[size - 1], 'A');
        assert_status(cella_base64_decode(CELLA_BYTES(text, 4 * groups), out, 3 * groups - 3, &size),
                      CELLA_TOO_SMALL);
    }
}

static void value_lists_go_there_and_back(void **state) {
    static const uint8_t octets[] = {1, 2, 3};
    const struct cella_der_pair pairs[] = {
        {.oid = "1.2.3.1", .type = CELLA_DER_INTEGER, .number = 255},
        {.oid = "1.2.3.2", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(octets, 3)},
        {.oid = "1.2.3.3", .type = CELLA_DER_BOOLEAN, .number = 1},
        {.oid = "1.2.3.4", .type = CELLA_DER_ENUMERATED, .number = 2},
        {.oid = "1.2.3.4", .type = CELLA_DER_ENUMERATED, .number = 2},
    };
    uint8_t der[256];
    struct cella_writer writer;
    struct cella_der_list list;
    cella_writer_init(&writer, der, sizeof der);
    assert_status(cella_der_pairs(pairs, 5, &writer), CELLA_OK);
    assert_status(cella_der_list_parse(cella_writer_bytes(&writer), &list), CELLA_OK);
    assert_int_equal(list.count, 5);
    const struct cella_der_item *item = cella_der_list_find(&list, CELLA_BYTES("\x2a\x03\x01", 3));
    assert_true(item != NULL && item->tag == CELLA_DER_TAG_INTEGER && item->number == 255);
    item = cella_der_list_find(&list, CELLA_BYTES("\x2a\x03\x02", 3));
    assert_true(item != NULL && item->value.size == 3);
    item = cella_der_list_find(&list, CELLA_BYTES("\x2a\x03\x03", 3));
    assert_true(item != NULL && item->tag == CELLA_DER_TAG_BOOLEAN && item->number == 1);
    assert_null(cella_der_list_find(&list, CELLA_BYTES("\x2a\x03\x04", 3)));
    assert_null(cella_der_list_find(&list, CELLA_BYTES("\x2a\x03\x05", 3)));
    cella_der_list_deinit(&list);
    assert_status(cella_der_list_parse(CELLA_BYTES(der, writer.size - 1), &list), CELLA_DAMAGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_gives_its_fields),
        cmocka_unit_test(truncated_and_longer_certificates_are_refused),
        cmocka_unit_test(unknown_extensions_are_read_unless_critical),
        cmocka_unit_test(a_doubled_extension_is_refused),
        cmocka_unit_test(a_revocation_list_names_serials),
        cmocka_unit_test(truncated_and_longer_revocation_lists_are_refused),
        cmocka_unit_test(a_certificate_is_no_revocation_list_and_the_reverse),
        cmocka_unit_test(pem_allows_white_space_around_and_zeros_behind_only),
        cmocka_unit_test(base64_decodes_in_any_chunking),
        cmocka_unit_test(value_lists_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
