/* Certificates and revocation lists over libcrypto. Must not judge: it signs what the caller says. */
#include "crypto/x509_build.h"
#include "crypto/ecdsa_pkey.h"
#include "crypto/hash.h"
#include "crypto/library.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define KEY_ID_SIZE 20

/* Writes the DER of a libcrypto object that `encode` was called on with NULL before: `data` is freed. */
static enum cella_status take_der(uint8_t *data, int size, struct cella_writer *writer) {
    enum cella_status status = size > 0 ? CELLA_OK : CELLA_CRYPTO;
    if (status == CELLA_OK) {
        cella_write_bytes(writer, data, (size_t)size);
        status = writer->failed ? CELLA_TOO_SMALL : CELLA_OK;
    }
    OPENSSL_free(data);
    ERR_clear_error();
    return status;
}

void cella_x509_key_id(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE], uint8_t out[20]) {
    uint8_t point[1 + CELLA_ECDSA_PUBLIC_SIZE] = {0x04};
    uint8_t digest[CELLA_SHA256_SIZE];
    memcpy(point + 1, public_key, CELLA_ECDSA_PUBLIC_SIZE);
    cella_sha256(point, sizeof point, digest);
    memcpy(out, digest, KEY_ID_SIZE);
}

static bool fill_name(X509_NAME *name, const struct cella_x509_name *from) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)from->common_name, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                      (const unsigned char *)from->organization, -1, -1, 0) == 1;
}

static ASN1_INTEGER *make_serial(const uint8_t serial[CELLA_X509_SERIAL_SIZE]) {
    BIGNUM *number = BN_bin2bn(serial, CELLA_X509_SERIAL_SIZE, NULL);
    ASN1_INTEGER *integer = number != NULL && !BN_is_zero(number) ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    BN_free(number);
    return integer;
}

static bool set_serial(X509 *certificate, const uint8_t serial[CELLA_X509_SERIAL_SIZE]) {
    ASN1_INTEGER *integer = make_serial(serial);
    bool good = integer != NULL && X509_set_serialNumber(certificate, integer) == 1;
    ASN1_INTEGER_free(integer);
    return good;
}

static ASN1_OCTET_STRING *make_octets(const uint8_t *data, size_t size) {
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    if (octets != NULL && ASN1_OCTET_STRING_set(octets, data, (int)size) != 1) {
        ASN1_OCTET_STRING_free(octets);
        octets = NULL;
    }
    return octets;
}

static AUTHORITY_KEYID *make_authority(const struct cella_ecdsa_key *issuer_key) {
    uint8_t id[KEY_ID_SIZE];
    cella_x509_key_id(cella_ecdsa_key_public(issuer_key), id);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    if (authority == NULL)
        return NULL;
    authority->keyid = make_octets(id, sizeof id);
    if (authority->keyid == NULL) {
        AUTHORITY_KEYID_free(authority);
        return NULL;
    }
    return authority;
}

static bool add_key_ids(X509 *certificate, const uint8_t *public_key,
                        const struct cella_ecdsa_key *issuer_key) {
    uint8_t id[KEY_ID_SIZE];
    cella_x509_key_id(public_key, id);
    ASN1_OCTET_STRING *subject = make_octets(id, sizeof id);
    AUTHORITY_KEYID *authority = make_authority(issuer_key);
    bool good = subject != NULL && authority != NULL &&
                X509_add1_ext_i2d(certificate, NID_authority_key_identifier, authority, 0, 0) == 1 &&
                X509_add1_ext_i2d(certificate, NID_subject_key_identifier, subject, 0, 0) == 1;
    ASN1_OCTET_STRING_free(subject);
    AUTHORITY_KEYID_free(authority);
    return good;
}

/* DistributionPoint with one URI, built by hand because libcrypto's text form would need a configuration. */
static bool add_crl_url(X509 *certificate, const char *url) {
    STACK_OF(DIST_POINT) *points = sk_DIST_POINT_new_null();
    DIST_POINT *point = DIST_POINT_new();
    DIST_POINT_NAME *where = DIST_POINT_NAME_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    bool good = points != NULL && point != NULL && where != NULL && names != NULL && name != NULL &&
                text != NULL && ASN1_STRING_set(text, url, -1) == 1;
    if (good) {
        GENERAL_NAME_set0_value(name, GEN_URI, text);
        text = NULL;
        good = sk_GENERAL_NAME_push(names, name) > 0;
    }
    if (good) {
        name = NULL;
        where->type = 0;
        where->name.fullname = names;
        names = NULL;
        point->distpoint = where;
        where = NULL;
        good = sk_DIST_POINT_push(points, point) > 0;
    }
    if (good) {
        point = NULL;
        good = X509_add1_ext_i2d(certificate, NID_crl_distribution_points, points, 0, 0) == 1;
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    DIST_POINT_NAME_free(where);
    DIST_POINT_free(point);
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    return good;
}

static bool add_usage(X509 *certificate, bool is_ca) {
    /* Bits of KeyUsage, first octet: digitalSignature 0x80, nonRepudiation 0x40, keyCertSign 0x04, cRLSign
     * 0x02. */
    static const uint8_t ca_bits = 0x04 | 0x02;
    static const uint8_t leaf_bits = 0x80 | 0x40;
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool good = usage != NULL && ASN1_BIT_STRING_set(usage, NULL, 0) == 1;
    for (int bit = 0; good && bit < 8; bit++)
        if (((is_ca ? ca_bits : leaf_bits) & (0x80 >> bit)) != 0)
            good = ASN1_BIT_STRING_set_bit(usage, bit, 1) == 1;
    good = good && X509_add1_ext_i2d(certificate, NID_key_usage, usage, 1, 0) == 1;
    ASN1_BIT_STRING_free(usage);
    return good;
}

static bool add_constraints(X509 *certificate, bool is_ca, int path_length) {
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    bool good = constraints != NULL;
    if (good)
        constraints->ca = is_ca ? 0xff : 0;
    if (good && is_ca && path_length >= 0) {
        constraints->pathlen = ASN1_INTEGER_new();
        good = constraints->pathlen != NULL && ASN1_INTEGER_set(constraints->pathlen, path_length) == 1;
    }
    good = good && X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) == 1;
    BASIC_CONSTRAINTS_free(constraints);
    return good;
}

static bool add_extension(X509 *certificate, const struct cella_x509_extension *from) {
    ASN1_OBJECT *object = OBJ_txt2obj(from->oid, 1);
    ASN1_OCTET_STRING *value = make_octets(from->value.data, from->value.size);
    X509_EXTENSION *extension = NULL;
    if (object != NULL && value != NULL)
        extension = X509_EXTENSION_create_by_OBJ(NULL, object, from->critical, value);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return good;
}

static bool fill_extensions(X509 *certificate, const struct cella_x509_template *template,
                            const struct cella_ecdsa_key *issuer_key) {
    bool good = add_key_ids(certificate, template->public_key, issuer_key) &&
                (template->crl_url == NULL || add_crl_url(certificate, template->crl_url)) &&
                add_usage(certificate, template->is_ca) &&
                add_constraints(certificate, template->is_ca, template->path_length);
    for (size_t i = 0; good && i < template->extension_count; i++)
        good = add_extension(certificate, &template->extensions[i]);
    return good;
}

static bool fill_body(X509 *certificate, const struct cella_x509_template *template) {
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate, template->serial) &&
           fill_name(X509_get_subject_name(certificate), &template->subject) &&
           fill_name(X509_get_issuer_name(certificate), &template->issuer) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t) template->not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t) template->not_after) != NULL;
}

enum cella_status cella_x509_issue(const struct cella_x509_template *template,
                                   const struct cella_ecdsa_key *issuer_key, struct cella_writer *writer) {
    const struct cella_crypto_library *library = cella_crypto_library();
    EVP_PKEY *subject_key = NULL;
    uint8_t *der = NULL;
    int size = 0;
    enum cella_status status = cella_ecdsa_public_pkey(template->public_key, &subject_key);
    if (status != CELLA_OK)
        return status;
    X509 *certificate = X509_new_ex(library->context, NULL);
    if (certificate == NULL || X509_set_pubkey(certificate, subject_key) != 1)
        status = CELLA_CRYPTO;
    else if (!fill_body(certificate, template) || !fill_extensions(certificate, template, issuer_key))
        status = CELLA_ARGUMENT;
    else if (X509_sign(certificate, cella_ecdsa_key_pkey(issuer_key), library->sha256) <= 0)
        status = CELLA_CRYPTO;
    else
        size = i2d_X509(certificate, &der);
    X509_free(certificate);
    EVP_PKEY_free(subject_key);
    if (status == CELLA_OK)
        return take_der(der, size, writer);
    ERR_clear_error();
    return status;
}

static bool add_revoked(X509_CRL *crl, const uint8_t serial[CELLA_X509_SERIAL_SIZE], ASN1_TIME *when) {
    ASN1_INTEGER *integer = make_serial(serial);
    X509_REVOKED *entry = X509_REVOKED_new();
    bool good = integer != NULL && entry != NULL && X509_REVOKED_set_serialNumber(entry, integer) == 1 &&
                X509_REVOKED_set_revocationDate(entry, when) == 1 && X509_CRL_add0_revoked(crl, entry) == 1;
    if (!good)
        X509_REVOKED_free(entry);
    ASN1_INTEGER_free(integer);
    return good;
}

static bool fill_crl_extensions(X509_CRL *crl, uint64_t number, const struct cella_ecdsa_key *issuer_key) {
    ASN1_INTEGER *crl_number = ASN1_INTEGER_new();
    AUTHORITY_KEYID *authority = make_authority(issuer_key);
    bool good = crl_number != NULL && authority != NULL && ASN1_INTEGER_set_uint64(crl_number, number) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, crl_number, 0, 0) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority, 0, 0) == 1;
    ASN1_INTEGER_free(crl_number);
    AUTHORITY_KEYID_free(authority);
    return good;
}

static bool fill_crl(X509_CRL *crl, const struct cella_x509_crl_template *template,
                     const struct cella_ecdsa_key *issuer_key) {
    X509_NAME *issuer = X509_NAME_new();
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, (time_t) template->this_update);
    ASN1_TIME *next_update = ASN1_TIME_set(NULL, (time_t) template->next_update);
    bool good = issuer != NULL && this_update != NULL && next_update != NULL &&
                X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 && fill_name(issuer, &template->issuer) &&
                X509_CRL_set_issuer_name(crl, issuer) == 1 &&
                X509_CRL_set1_lastUpdate(crl, this_update) == 1 &&
                X509_CRL_set1_nextUpdate(crl, next_update) == 1;
    for (size_t i = 0; good && i < template->revoked_count; i++)
        good = add_revoked(crl, template->revoked[i], this_update);
    good = good && X509_CRL_sort(crl) == 1 && fill_crl_extensions(crl, template->number, issuer_key);
    ASN1_TIME_free(next_update);
    ASN1_TIME_free(this_update);
    X509_NAME_free(issuer);
    return good;
}

enum cella_status cella_x509_issue_crl(const struct cella_x509_crl_template *template,
                                       const struct cella_ecdsa_key *issuer_key,
                                       struct cella_writer *writer) {
    const struct cella_crypto_library *library = cella_crypto_library();
    uint8_t *der = NULL;
    int size = 0;
    enum cella_status status = CELLA_OK;
    X509_CRL *crl = X509_CRL_new_ex(library->context, NULL);
    if (crl == NULL)
        status = CELLA_CRYPTO;
    else if (!fill_crl(crl, template, issuer_key))
        status = CELLA_ARGUMENT;
    else if (X509_CRL_sign(crl, cella_ecdsa_key_pkey(issuer_key), library->sha256) <= 0)
        status = CELLA_CRYPTO;
    else
        size = i2d_X509_CRL(crl, &der);
    X509_CRL_free(crl);
    if (status == CELLA_OK)
        return take_der(der, size, writer);
    ERR_clear_error();
    return status;
}

enum cella_status cella_x509_certificate_pem(struct cella_bytes der, struct cella_writer *writer) {
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    enum cella_status status = CELLA_CRYPTO;
    if (memory != NULL && der.size > 0 && der.size <= CELLA_X509_CERT_SIZE_MAX &&
        PEM_write_bio(memory, PEM_STRING_X509, "", der.data, (long)der.size) > 0) {
        long size = BIO_get_mem_data(memory, &text);
        cella_write_bytes(writer, text, (size_t)size);
        status = writer->failed ? CELLA_TOO_SMALL : CELLA_OK;
    }
    BIO_free(memory);
    ERR_clear_error();
    return status;
}
