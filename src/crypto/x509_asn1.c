/* Small pieces of X.509 that certificates and revocation lists share. Must not leave errors in libcrypto's
 * queue, where they could change a later answer. */
#include "crypto/x509_asn1.h"
#include "base/calendar.h"
#include "crypto/library.h"
#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

#define EXTENSIONS_MAX 32

/* clang-format off */
ASN1_SEQUENCE(CELLA_SIGNED) = {
    ASN1_SIMPLE(CELLA_SIGNED, tbs, ASN1_SEQUENCE),
    ASN1_SIMPLE(CELLA_SIGNED, algorithm, X509_ALGOR),
    ASN1_SIMPLE(CELLA_SIGNED, signature, ASN1_BIT_STRING),
} ASN1_SEQUENCE_END(CELLA_SIGNED)
    /* clang-format on */

    ASN1_VALUE
    * cella_asn1_decode(struct cella_bytes bytes, const ASN1_ITEM *item) {
    const uint8_t *at = bytes.data;
    (void)cella_crypto_library();
    if (bytes.size == 0 || bytes.size > CELLA_CRL_SIZE_MAX)
        return NULL;
    ERR_set_mark();
    ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)bytes.size, item);
    ERR_pop_to_mark();
    if (value != NULL && at != bytes.data + bytes.size) {
        ASN1_item_free(value, item);
        return NULL;
    }
    return value;
}

struct cella_bytes cella_asn1_view(const ASN1_STRING *string) {
    return CELLA_BYTES(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

struct cella_bytes cella_asn1_oid(const ASN1_OBJECT *object) {
    return CELLA_BYTES(OBJ_get0_data(object), OBJ_length(object));
}

bool cella_asn1_oid_is(const ASN1_OBJECT *object, const char *content, size_t size) {
    struct cella_bytes oid = cella_asn1_oid(object);
    return oid.size == size && memcmp(oid.data, content, size) == 0;
}

bool cella_asn1_is_ecdsa_sha256(const X509_ALGOR *algorithm) {
    static const char ecdsa_with_sha256[] = "\x2a\x86\x48\xce\x3d\x04\x03\x02";
    const ASN1_OBJECT *object = NULL;
    int parameter_type = 0;
    X509_ALGOR_get0(&object, &parameter_type, NULL, algorithm);
    return parameter_type == V_ASN1_UNDEF &&
           cella_asn1_oid_is(object, ecdsa_with_sha256, sizeof ecdsa_with_sha256 - 1);
}

bool cella_asn1_signed(const CELLA_SIGNED *outer, struct cella_bytes *ret_tbs,
                       uint8_t ret_signature[CELLA_ECDSA_SIGNATURE_SIZE]) {
    bool whole_bytes = (outer->signature->flags & 0x07) == 0;
    if (!whole_bytes || !cella_asn1_is_ecdsa_sha256(outer->algorithm))
        return false;
    if (cella_ecdsa_signature_from_der(cella_asn1_view(outer->signature), ret_signature) != CELLA_OK)
        return false;
    *ret_tbs = cella_asn1_view(outer->tbs);
    return true;
}

bool cella_asn1_time(const ASN1_TIME *time, int64_t *ret_seconds) {
    struct tm parts;
    struct cella_bytes text = cella_asn1_view(time);
    size_t size = ASN1_STRING_type(time) == V_ASN1_UTCTIME ? 13 : 15;
    if (text.size != size || text.data[size - 1] != 'Z' || ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    struct cella_date date = {.year = parts.tm_year + 1900,
                              .month = parts.tm_mon + 1,
                              .day = parts.tm_mday,
                              .hour = parts.tm_hour,
                              .minute = parts.tm_min,
                              .second = parts.tm_sec};
    return cella_calendar_to_seconds(&date, ret_seconds) == CELLA_OK;
}

bool cella_asn1_serial(const ASN1_INTEGER *serial, struct cella_bytes *ret_serial) {
    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER)
        return false;
    *ret_serial = cella_asn1_view(serial);
    return ret_serial->size > 0 && ret_serial->size <= 20;
}

bool cella_asn1_extensions_unique(const STACK_OF(X509_EXTENSION) * extensions) {
    int count = sk_X509_EXTENSION_num(extensions);
    if (count > EXTENSIONS_MAX)
        return false;
    for (int left = 0; left < count; left++)
        for (int right = left + 1; right < count; right++)
            if (OBJ_cmp(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, left)),
                        X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, right))) == 0)
                return false;
    return true;
}
