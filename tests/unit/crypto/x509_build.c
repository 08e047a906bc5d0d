/* Certificates and revocation lists that were made here, as the reading side sees them. */
#include "support/test.h"
#include "crypto/pem.h"
#include "crypto/x509.h"
#include "crypto/x509_build.h"
#include <string.h>

static struct cella_x509_template plain(const struct cella_ecdsa_key *subject) {
    return (struct cella_x509_template){.subject = {"INSECURE Subject", "Test"},
                                        .issuer = {"INSECURE Issuer", "Test"},
                                        .serial = {0x81, 2, 3},
                                        .not_before = 1700000000,
                                        .not_after = 1800000000,
                                        .public_key = cella_ecdsa_key_public(subject),
                                        .is_ca = true,
                                        .path_length = 0,
                                        .crl_url = "http://nowhere.invalid/"};
}

static struct cella_ecdsa_key *fresh_key(void) {
    struct cella_ecdsa_key *key = NULL;
    assert_status(cella_ecdsa_key_generate(&key), CELLA_OK);
    return key;
}

static void a_certificate_says_what_its_template_says(void **state) {
    uint8_t buffer[CELLA_X509_CERT_SIZE_MAX];
    struct cella_writer writer;
    struct cella_certificate certificate;
    struct cella_ecdsa_key *subject = fresh_key(), *issuer = fresh_key();
    struct cella_ecdsa_public *issuer_public = NULL, *subject_public = NULL;
    struct cella_x509_template template = plain(subject);
    cella_writer_init(&writer, buffer, sizeof buffer);
    assert_status(cella_x509_issue(&template, issuer, &writer), CELLA_OK);
    assert_status(cella_certificate_parse(cella_writer_bytes(&writer), &certificate), CELLA_OK);
    assert_bytes(CELLA_BYTES(certificate.public_key, 64), CELLA_BYTES(template.public_key, 64));
    assert_bytes(certificate.serial, CELLA_BYTES(template.serial, sizeof template.serial));
    assert_int_equal(certificate.not_before, template.not_before);
    assert_int_equal(certificate.not_after, template.not_after);
    assert_true(certificate.is_ca);
    assert_int_equal(certificate.key_usage, CELLA_KEY_USAGE_CERT | CELLA_KEY_USAGE_CRL);
    assert_status(cella_ecdsa_public_new(cella_ecdsa_key_public(issuer), &issuer_public), CELLA_OK);
    assert_status(cella_ecdsa_public_new(cella_ecdsa_key_public(subject), &subject_public), CELLA_OK);
    assert_status(cella_certificate_verify(&certificate, issuer_public), CELLA_OK);
    assert_status(cella_certificate_verify(&certificate, subject_public), CELLA_AUTHENTICATION);
    cella_certificate_deinit(&certificate);
    cella_ecdsa_public_free(issuer_public);
    cella_ecdsa_public_free(subject_public);
    cella_ecdsa_key_free(subject);
    cella_ecdsa_key_free(issuer);
}

static void an_extension_arrives_byte_for_byte(void **state) {
    static const uint8_t oid[] = {0x2a, 0x03, 0x04};
    uint8_t buffer[CELLA_X509_CERT_SIZE_MAX], list_buffer[256], inner_buffer[64];
    struct cella_writer writer, list, inner;
    struct cella_certificate certificate;
    struct cella_der_list parsed, nested;
    struct cella_ecdsa_key *key = fresh_key();
    struct cella_x509_template template = plain(key);
    const struct cella_der_pair deep[] = {{.oid = "1.2.3.9", .type = CELLA_DER_BOOLEAN, .number = 1}};
    cella_writer_init(&inner, inner_buffer, sizeof inner_buffer);
    assert_status(cella_der_pairs(deep, 1, &inner), CELLA_OK);
    const struct cella_der_pair pairs[] = {
        {.oid = "1.2.3.1", .type = CELLA_DER_INTEGER, .number = 255},
        {.oid = "1.2.3.2", .type = CELLA_DER_ENUMERATED, .number = 1},
        {.oid = "1.2.3.3", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES("abc", 3)},
        {.oid = "1.2.3.4", .type = CELLA_DER_LIST, .bytes = cella_writer_bytes(&inner)}};
    cella_writer_init(&list, list_buffer, sizeof list_buffer);
    assert_status(cella_der_pairs(pairs, 4, &list), CELLA_OK);
    const struct cella_x509_extension extension = {.oid = "1.2.3.4", .value = cella_writer_bytes(&list)};
    template.extensions = &extension;
    template.extension_count = 1;
    cella_writer_init(&writer, buffer, sizeof buffer);
    assert_status(cella_x509_issue(&template, key, &writer), CELLA_OK);
    assert_status(cella_certificate_parse(cella_writer_bytes(&writer), &certificate), CELLA_OK);
    struct cella_bytes value = cella_certificate_extension(&certificate, CELLA_BYTES(oid, sizeof oid));
    assert_bytes(value, cella_writer_bytes(&list));
    assert_status(cella_der_list_parse(value, &parsed), CELLA_OK);
    assert_int_equal(parsed.count, 4);
    assert_int_equal(parsed.items[0].tag, CELLA_DER_TAG_INTEGER);
    assert_int_equal(parsed.items[0].number, 255);
    assert_int_equal(parsed.items[1].tag, CELLA_DER_TAG_ENUMERATED);
    assert_bytes(parsed.items[2].value, CELLA_BYTES("abc", 3));
    assert_status(cella_der_list_parse(parsed.items[3].value, &nested), CELLA_OK);
    assert_int_equal(nested.items[0].tag, CELLA_DER_TAG_BOOLEAN);
    assert_int_equal(nested.items[0].number, 1);
    cella_der_list_deinit(&nested);
    cella_der_list_deinit(&parsed);
    cella_certificate_deinit(&certificate);
    cella_ecdsa_key_free(key);
}

static void a_revocation_list_names_what_it_was_given(void **state) {
    static const uint8_t revoked[2][CELLA_X509_SERIAL_SIZE] = {{9, 1}, {0x80, 2}};
    uint8_t buffer[2048];
    struct cella_writer writer;
    struct cella_crl crl;
    struct cella_ecdsa_key *key = fresh_key();
    struct cella_ecdsa_public *public_key = NULL;
    const struct cella_x509_crl_template template = {.issuer = {"INSECURE Issuer", "Test"},
                                                     .number = 77,
                                                     .this_update = 1700000000,
                                                     .next_update = 1702592000,
                                                     .revoked = revoked,
                                                     .revoked_count = 2};
    cella_writer_init(&writer, buffer, sizeof buffer);
    assert_status(cella_x509_issue_crl(&template, key, &writer), CELLA_OK);
    assert_status(cella_crl_parse(cella_writer_bytes(&writer), &crl), CELLA_OK);
    assert_int_equal(crl.number, 77);
    assert_int_equal(crl.this_update, template.this_update);
    assert_int_equal(crl.next_update, template.next_update);
    assert_true(cella_crl_lists(&crl, CELLA_BYTES(revoked[0], 20)));
    assert_true(cella_crl_lists(&crl, CELLA_BYTES(revoked[1], 20)));
    assert_false(cella_crl_lists(&crl, CELLA_BYTES("\x09\x02", 2)));
    assert_status(cella_ecdsa_public_new(cella_ecdsa_key_public(key), &public_key), CELLA_OK);
    assert_status(cella_crl_verify(&crl, public_key), CELLA_OK);
    cella_ecdsa_public_free(public_key);
    cella_crl_deinit(&crl);
    cella_ecdsa_key_free(key);
}

static void pem_text_decodes_to_the_same_certificate(void **state) {
    uint8_t buffer[CELLA_X509_CERT_SIZE_MAX], text[2 * CELLA_X509_CERT_SIZE_MAX];
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX];
    size_t size = 0;
    struct cella_writer writer, pem;
    struct cella_ecdsa_key *key = fresh_key();
    struct cella_x509_template template = plain(key);
    cella_writer_init(&writer, buffer, sizeof buffer);
    cella_writer_init(&pem, text, sizeof text);
    assert_status(cella_x509_issue(&template, key, &writer), CELLA_OK);
    assert_status(cella_x509_certificate_pem(cella_writer_bytes(&writer), &pem), CELLA_OK);
    struct cella_bytes rest = cella_writer_bytes(&pem);
    assert_status(cella_pem_next(&rest, der, &size), CELLA_OK);
    assert_bytes(CELLA_BYTES(der, size), cella_writer_bytes(&writer));
    cella_ecdsa_key_free(key);
}

static void what_does_not_fit_or_makes_no_sense_is_refused(void **state) {
    uint8_t small[100], buffer[CELLA_X509_CERT_SIZE_MAX];
    uint8_t wrong_point[CELLA_ECDSA_PUBLIC_SIZE] = {1};
    struct cella_writer writer;
    struct cella_ecdsa_key *key = fresh_key();
    struct cella_x509_template template = plain(key);
    cella_writer_init(&writer, small, sizeof small);
    assert_status(cella_x509_issue(&template, key, &writer), CELLA_TOO_SMALL);
    cella_writer_init(&writer, buffer, sizeof buffer);
    memset(template.serial, 0, sizeof template.serial);
    assert_status(cella_x509_issue(&template, key, &writer), CELLA_ARGUMENT);
    template = plain(key);
    template.public_key = wrong_point;
    assert_status(cella_x509_issue(&template, key, &writer), CELLA_KEY_INVALID);
    const struct cella_der_pair pair = {.oid = "not an identifier", .type = CELLA_DER_INTEGER};
    assert_status(cella_der_pairs(&pair, 1, &writer), CELLA_ARGUMENT);
    assert_int_equal(writer.size, 0);
    cella_ecdsa_key_free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_what_its_template_says),
        cmocka_unit_test(an_extension_arrives_byte_for_byte),
        cmocka_unit_test(a_revocation_list_names_what_it_was_given),
        cmocka_unit_test(pem_text_decodes_to_the_same_certificate),
        cmocka_unit_test(what_does_not_fit_or_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
