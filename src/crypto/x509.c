/* Certificates: decoded by libcrypto, then reduced to what a verifier asks. Must not trust anything. */
#include "crypto/x509.h"
#include "crypto/x509_asn1.h"
#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_3 2

typedef struct {
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *key;
} CELLA_KEY_INFO;

typedef struct {
    ASN1_INTEGER *version;
    ASN1_INTEGER *serial;
    X509_ALGOR *algorithm;
    ASN1_STRING *issuer;
    X509_VAL *validity;
    ASN1_STRING *subject;
    CELLA_KEY_INFO *key_info;
    ASN1_BIT_STRING *issuer_id;
    ASN1_BIT_STRING *subject_id;
    STACK_OF(X509_EXTENSION) * extensions;
} CELLA_TBS_CERTIFICATE;

/* clang-format off */
ASN1_SEQUENCE(CELLA_KEY_INFO) = {
    ASN1_SIMPLE(CELLA_KEY_INFO, algorithm, X509_ALGOR),
    ASN1_SIMPLE(CELLA_KEY_INFO, key, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CELLA_KEY_INFO)

ASN1_SEQUENCE(CELLA_TBS_CERTIFICATE) = {
    ASN1_EXP(CELLA_TBS_CERTIFICATE, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(CELLA_TBS_CERTIFICATE, serial, ASN1_INTEGER),
    ASN1_SIMPLE(CELLA_TBS_CERTIFICATE, algorithm, X509_ALGOR),
    ASN1_SIMPLE(CELLA_TBS_CERTIFICATE, issuer, ASN1_SEQUENCE),
    ASN1_SIMPLE(CELLA_TBS_CERTIFICATE, validity, X509_VAL),
    ASN1_SIMPLE(CELLA_TBS_CERTIFICATE, subject, ASN1_SEQUENCE),
    ASN1_SIMPLE(CELLA_TBS_CERTIFICATE, key_info, CELLA_KEY_INFO),
    ASN1_IMP_OPT(CELLA_TBS_CERTIFICATE, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(CELLA_TBS_CERTIFICATE, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(CELLA_TBS_CERTIFICATE, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(CELLA_TBS_CERTIFICATE)
    /* clang-format on */

    struct decoded {
    CELLA_SIGNED *outer;
    CELLA_TBS_CERTIFICATE *tbs;
};

static void decoded_free(struct decoded *decoded) {
    if (decoded == NULL)
        return;
    ASN1_item_free((ASN1_VALUE *)decoded->outer, ASN1_ITEM_rptr(CELLA_SIGNED));
    ASN1_item_free((ASN1_VALUE *)decoded->tbs, ASN1_ITEM_rptr(CELLA_TBS_CERTIFICATE));
    free(decoded);
}

static struct decoded *decode(struct cella_bytes der) {
    struct decoded *decoded = calloc(1, sizeof *decoded);
    if (decoded == NULL)
        return NULL;
    decoded->outer = (CELLA_SIGNED *)cella_asn1_decode(der, ASN1_ITEM_rptr(CELLA_SIGNED));
    if (decoded->outer != NULL)
        decoded->tbs = (CELLA_TBS_CERTIFICATE *)cella_asn1_decode(cella_asn1_view(decoded->outer->tbs),
                                                                  ASN1_ITEM_rptr(CELLA_TBS_CERTIFICATE));
    return decoded;
}

/* Only the named curve P-256 and an uncompressed point; whether it is on the curve is checked where the key
 * is used. */
static bool read_key(const CELLA_KEY_INFO *info, uint8_t ret_key[CELLA_ECDSA_PUBLIC_SIZE]) {
    static const char ec_public_key[] = "\x2a\x86\x48\xce\x3d\x02\x01";
    static const char prime256v1[] = "\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const ASN1_OBJECT *object = NULL;
    const void *parameter = NULL;
    int type = 0;
    struct cella_bytes point = cella_asn1_view(info->key);
    X509_ALGOR_get0(&object, &type, &parameter, info->algorithm);
    if (!cella_asn1_oid_is(object, ec_public_key, sizeof ec_public_key - 1) || type != V_ASN1_OBJECT ||
        !cella_asn1_oid_is(parameter, prime256v1, sizeof prime256v1 - 1))
        return false;
    if (point.size != 1 + CELLA_ECDSA_PUBLIC_SIZE || point.data[0] != 0x04 || (info->key->flags & 0x07) != 0)
        return false;
    memcpy(ret_key, point.data + 1, CELLA_ECDSA_PUBLIC_SIZE);
    return true;
}

static bool read_basic_constraints(struct cella_bytes value, struct cella_certificate *certificate) {
    BASIC_CONSTRAINTS *constraints =
        (BASIC_CONSTRAINTS *)cella_asn1_decode(value, ASN1_ITEM_rptr(BASIC_CONSTRAINTS));
    if (constraints == NULL)
        return false;
    certificate->is_ca = constraints->ca != 0;
    BASIC_CONSTRAINTS_free(constraints);
    return true;
}

static bool read_key_usage(struct cella_bytes value, struct cella_certificate *certificate) {
    ASN1_BIT_STRING *usage = (ASN1_BIT_STRING *)cella_asn1_decode(value, ASN1_ITEM_rptr(ASN1_BIT_STRING));
    if (usage == NULL)
        return false;
    struct cella_bytes bits = cella_asn1_view(usage);
    certificate->key_usage = bits.size > 0 ? bits.data[0] : 0;
    ASN1_BIT_STRING_free(usage);
    return true;
}

static bool read_extension(X509_EXTENSION *extension, struct cella_certificate *certificate) {
    const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
    struct cella_bytes value = cella_asn1_view(X509_EXTENSION_get_data(extension));
    if (cella_asn1_oid_is(object, "\x55\x1d\x13", 3))
        return read_basic_constraints(value, certificate);
    if (cella_asn1_oid_is(object, "\x55\x1d\x0f", 3))
        return read_key_usage(value, certificate);
    return X509_EXTENSION_get_critical(extension) == 0;
}

static bool read_extensions(const STACK_OF(X509_EXTENSION) * extensions,
                            struct cella_certificate *certificate) {
    if (!cella_asn1_extensions_unique(extensions))
        return false;
    for (int at = 0; at < sk_X509_EXTENSION_num(extensions); at++)
        if (!read_extension(sk_X509_EXTENSION_value(extensions, at), certificate))
            return false;
    return true;
}

static bool read_tbs(const CELLA_TBS_CERTIFICATE *tbs, struct cella_certificate *certificate) {
    if (ASN1_INTEGER_get(tbs->version) != VERSION_3 || !cella_asn1_is_ecdsa_sha256(tbs->algorithm) ||
        !cella_asn1_serial(tbs->serial, &certificate->serial))
        return false;
    if (!cella_asn1_time(tbs->validity->notBefore, &certificate->not_before) ||
        !cella_asn1_time(tbs->validity->notAfter, &certificate->not_after))
        return false;
    certificate->issuer = cella_asn1_view(tbs->issuer);
    certificate->subject = cella_asn1_view(tbs->subject);
    return read_key(tbs->key_info, certificate->public_key) && read_extensions(tbs->extensions, certificate);
}

enum cella_status cella_certificate_parse(struct cella_bytes der, struct cella_certificate *ret_certificate) {
    struct cella_certificate certificate = {0};
    if (der.size > CELLA_CERTIFICATE_SIZE_MAX)
        return CELLA_DAMAGED;
    struct decoded *decoded = decode(der);
    if (decoded == NULL)
        return CELLA_NO_MEMORY;
    certificate.decoded = decoded;
    if (decoded->tbs == NULL || !cella_asn1_signed(decoded->outer, &certificate.tbs, certificate.signature) ||
        !read_tbs(decoded->tbs, &certificate)) {
        decoded_free(decoded);
        return CELLA_DAMAGED;
    }
    *ret_certificate = certificate;
    return CELLA_OK;
}

void cella_certificate_deinit(struct cella_certificate *certificate) {
    decoded_free(certificate->decoded);
    *certificate = (struct cella_certificate){0};
}

struct cella_bytes cella_certificate_extension(const struct cella_certificate *certificate,
                                               struct cella_bytes oid) {
    const struct decoded *decoded = certificate->decoded;
    for (int at = 0; at < sk_X509_EXTENSION_num(decoded->tbs->extensions); at++) {
        X509_EXTENSION *extension = sk_X509_EXTENSION_value(decoded->tbs->extensions, at);
        struct cella_bytes found = cella_asn1_oid(X509_EXTENSION_get_object(extension));
        if (found.size == oid.size && memcmp(found.data, oid.data, oid.size) == 0)
            return cella_asn1_view(X509_EXTENSION_get_data(extension));
    }
    return CELLA_BYTES(NULL, 0);
}

enum cella_status cella_certificate_verify(const struct cella_certificate *certificate,
                                           const struct cella_ecdsa_public *issuer_key) {
    return cella_ecdsa_public_verify(issuer_key, certificate->tbs, certificate->signature);
}
