/* The ASN.1 shapes that x509.c and crl.c read, as templates for libcrypto's decoder. libcrypto's own X509
 * type is not used: it looks up and decodes every public key while it parses, which costs more than checking
 * a signature does. For these files only. */
#ifndef CELLA_CRYPTO_X509_ASN1_H
#define CELLA_CRYPTO_X509_ASN1_H

#include "crypto/x509.h"
#include <openssl/x509.h>

/* Certificate and CertificateList alike: what is signed stays as it came. */
typedef struct {
    ASN1_STRING *tbs;
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *signature;
} CELLA_SIGNED;

DECLARE_ASN1_ITEM(CELLA_SIGNED)

/* Decodes exactly `bytes`; NULL if something else or more is there. */
ASN1_VALUE *cella_asn1_decode(struct cella_bytes bytes, const ASN1_ITEM *item);

struct cella_bytes cella_asn1_view(const ASN1_STRING *string);

/* The outer shape: fills tbs and the raw signature; the algorithm must be ecdsa-with-SHA256. */
bool cella_asn1_signed(const CELLA_SIGNED *outer, struct cella_bytes *ret_tbs,
                       uint8_t ret_signature[CELLA_ECDSA_SIGNATURE_SIZE]);
bool cella_asn1_is_ecdsa_sha256(const X509_ALGOR *algorithm);

/* A time as X.509 allows it: seconds and Z. */
bool cella_asn1_time(const ASN1_TIME *time, int64_t *ret_seconds);

struct cella_bytes cella_asn1_oid(const ASN1_OBJECT *object);
bool cella_asn1_oid_is(const ASN1_OBJECT *object, const char *content, size_t size);

/* Positive, as magnitude. */
bool cella_asn1_serial(const ASN1_INTEGER *serial, struct cella_bytes *ret_serial);

/* True when no object identifier occurs twice and there are few enough. */
bool cella_asn1_extensions_unique(const STACK_OF(X509_EXTENSION) * extensions);

#endif
