/* Revocation lists: decoded by libcrypto. Must not accept a list that covers only a part. */
#include "crypto/x509.h"
#include "crypto/x509_asn1.h"
#include <openssl/asn1t.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_2 1

/* Extensions of an entry (its reason) change nothing: a listed serial is revoked. */
typedef struct {
    ASN1_INTEGER *serial;
    ASN1_TIME *date;
    ASN1_STRING *extensions;
} CELLA_REVOKED;

DEFINE_STACK_OF(CELLA_REVOKED)

typedef struct {
    ASN1_INTEGER *version;
    X509_ALGOR *algorithm;
    ASN1_STRING *issuer;
    ASN1_TIME *this_update;
    ASN1_TIME *next_update;
    STACK_OF(CELLA_REVOKED) * revoked;
    STACK_OF(X509_EXTENSION) * extensions;
} CELLA_TBS_CRL;

/* clang-format off */
ASN1_SEQUENCE(CELLA_REVOKED) = {
    ASN1_SIMPLE(CELLA_REVOKED, serial, ASN1_INTEGER),
    ASN1_SIMPLE(CELLA_REVOKED, date, ASN1_TIME),
    ASN1_OPT(CELLA_REVOKED, extensions, ASN1_SEQUENCE),
} static_ASN1_SEQUENCE_END(CELLA_REVOKED)

ASN1_SEQUENCE(CELLA_TBS_CRL) = {
    ASN1_SIMPLE(CELLA_TBS_CRL, version, ASN1_INTEGER),
    ASN1_SIMPLE(CELLA_TBS_CRL, algorithm, X509_ALGOR),
    ASN1_SIMPLE(CELLA_TBS_CRL, issuer, ASN1_SEQUENCE),
    ASN1_SIMPLE(CELLA_TBS_CRL, this_update, ASN1_TIME),
    ASN1_SIMPLE(CELLA_TBS_CRL, next_update, ASN1_TIME),
    ASN1_SEQUENCE_OF_OPT(CELLA_TBS_CRL, revoked, CELLA_REVOKED),
    ASN1_EXP_SEQUENCE_OF_OPT(CELLA_TBS_CRL, extensions, X509_EXTENSION, 0),
} static_ASN1_SEQUENCE_END(CELLA_TBS_CRL)
    /* clang-format on */

    struct decoded {
    CELLA_SIGNED *outer;
    CELLA_TBS_CRL *tbs;
};

static void decoded_free(struct decoded *decoded) {
    if (decoded == NULL)
        return;
    ASN1_item_free((ASN1_VALUE *)decoded->outer, ASN1_ITEM_rptr(CELLA_SIGNED));
    ASN1_item_free((ASN1_VALUE *)decoded->tbs, ASN1_ITEM_rptr(CELLA_TBS_CRL));
    free(decoded);
}

static bool read_number(struct cella_bytes value, uint64_t *ret_number) {
    ASN1_INTEGER *number = (ASN1_INTEGER *)cella_asn1_decode(value, ASN1_ITEM_rptr(ASN1_INTEGER));
    bool good = number != NULL && ASN1_INTEGER_get_uint64(ret_number, number) == 1;
    ASN1_INTEGER_free(number);
    return good;
}

/* Critical extensions of lists (delta lists, issuing distribution points) all narrow what the list covers. */
static bool read_extensions(const STACK_OF(X509_EXTENSION) * extensions, uint64_t *ret_number) {
    bool has_number = false;
    if (!cella_asn1_extensions_unique(extensions))
        return false;
    for (int at = 0; at < sk_X509_EXTENSION_num(extensions); at++) {
        X509_EXTENSION *extension = sk_X509_EXTENSION_value(extensions, at);
        if (X509_EXTENSION_get_critical(extension) != 0)
            return false;
        if (!cella_asn1_oid_is(X509_EXTENSION_get_object(extension), "\x55\x1d\x14", 3))
            continue;
        has_number = read_number(cella_asn1_view(X509_EXTENSION_get_data(extension)), ret_number);
        if (!has_number)
            return false;
    }
    return has_number;
}

static bool read_tbs(const CELLA_TBS_CRL *tbs, struct cella_crl *crl) {
    if (ASN1_INTEGER_get(tbs->version) != VERSION_2 || !cella_asn1_is_ecdsa_sha256(tbs->algorithm) ||
        !cella_asn1_time(tbs->this_update, &crl->this_update) ||
        !cella_asn1_time(tbs->next_update, &crl->next_update))
        return false;
    crl->issuer = cella_asn1_view(tbs->issuer);
    return read_extensions(tbs->extensions, &crl->number);
}

enum cella_status cella_crl_parse(struct cella_bytes der, struct cella_crl *ret_crl) {
    struct cella_crl crl = {0};
    struct decoded *decoded = calloc(1, sizeof *decoded);
    if (decoded == NULL)
        return CELLA_NO_MEMORY;
    crl.decoded = decoded;
    decoded->outer = (CELLA_SIGNED *)cella_asn1_decode(der, ASN1_ITEM_rptr(CELLA_SIGNED));
    if (decoded->outer != NULL)
        decoded->tbs = (CELLA_TBS_CRL *)cella_asn1_decode(cella_asn1_view(decoded->outer->tbs),
                                                          ASN1_ITEM_rptr(CELLA_TBS_CRL));
    if (decoded->tbs == NULL || !cella_asn1_signed(decoded->outer, &crl.tbs, crl.signature) ||
        !read_tbs(decoded->tbs, &crl)) {
        decoded_free(decoded);
        return CELLA_DAMAGED;
    }
    *ret_crl = crl;
    return CELLA_OK;
}

void cella_crl_deinit(struct cella_crl *crl) {
    decoded_free(crl->decoded);
    *crl = (struct cella_crl){0};
}

enum cella_status cella_crl_verify(const struct cella_crl *crl, const struct cella_ecdsa_public *issuer_key) {
    return cella_ecdsa_public_verify(issuer_key, crl->tbs, crl->signature);
}

bool cella_crl_lists(const struct cella_crl *crl, struct cella_bytes serial) {
    const struct decoded *decoded = crl->decoded;
    for (int at = 0; at < sk_CELLA_REVOKED_num(decoded->tbs->revoked); at++) {
        struct cella_bytes listed =
            cella_asn1_view(sk_CELLA_REVOKED_value(decoded->tbs->revoked, at)->serial);
        if (listed.size == serial.size && memcmp(listed.data, serial.data, serial.size) == 0)
            return true;
    }
    return false;
}
