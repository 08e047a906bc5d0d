/* Reading certificates and revocation lists (P-256 with SHA-256 only). libcrypto takes the DER apart; each
 * signature is checked when the caller asks, once. Must not decide whom to trust or what time it is. */
#ifndef CELLA_CRYPTO_X509_H
#define CELLA_CRYPTO_X509_H

#include "crypto/ecdsa.h"
#include <stdbool.h>

#define CELLA_CERTIFICATE_SIZE_MAX 4096
#define CELLA_CRL_SIZE_MAX         65536

/* Bits of cella_certificate.key_usage. */
#define CELLA_KEY_USAGE_SIGN 0x80
#define CELLA_KEY_USAGE_CERT 0x04
#define CELLA_KEY_USAGE_CRL  0x02

/* One certificate, version 3. Owns what its views point to until deinit; a zeroed one is valid for deinit. */
struct cella_certificate {
    struct cella_bytes tbs; /* the signed bytes */
    struct cella_bytes issuer;
    struct cella_bytes subject; /* names as DER */
    struct cella_bytes serial;  /* unsigned, big endian, no leading zero */
    uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE];
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE];
    int64_t not_before;
    int64_t not_after;
    bool is_ca;
    unsigned key_usage; /* 0 when the certificate does not say */
    void *decoded;
};

/* Takes a certificate in DER apart. CELLA_DAMAGED: not one certificate, another version or algorithm, a
 * duplicate extension, or a critical one that is not understood. CELLA_NO_MEMORY. */
enum cella_status cella_certificate_parse(struct cella_bytes der, struct cella_certificate *ret_certificate);
void cella_certificate_deinit(struct cella_certificate *certificate);

/* The content of the extension with this object identifier (its DER content octets); size 0: there is none.
 */
struct cella_bytes cella_certificate_extension(const struct cella_certificate *certificate,
                                               struct cella_bytes oid);

/* Checks that the holder of `issuer_key` signed the certificate. CELLA_AUTHENTICATION. */
enum cella_status cella_certificate_verify(const struct cella_certificate *certificate,
                                           const struct cella_ecdsa_public *issuer_key);

/* One complete revocation list, version 2, with a number and an end. Ownership as above. */
struct cella_crl {
    struct cella_bytes tbs;
    struct cella_bytes issuer;
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE];
    int64_t this_update;
    int64_t next_update;
    uint64_t number;
    void *decoded;
};

/* CELLA_DAMAGED: not one list, no number, no end, or a critical extension (a partial list). */
enum cella_status cella_crl_parse(struct cella_bytes der, struct cella_crl *ret_crl);
void cella_crl_deinit(struct cella_crl *crl);
enum cella_status cella_crl_verify(const struct cella_crl *crl, const struct cella_ecdsa_public *issuer_key);
/* True when the list names this serial, whatever the reason. */
bool cella_crl_lists(const struct cella_crl *crl, struct cella_bytes serial);

/* Universal tags of the values below. */
enum cella_der_tag {
    CELLA_DER_TAG_BOOLEAN = 1,
    CELLA_DER_TAG_INTEGER = 2,
    CELLA_DER_TAG_OCTETS = 4,
    CELLA_DER_TAG_ENUMERATED = 10,
    CELLA_DER_TAG_SEQUENCE = 16,
};

#define CELLA_DER_ITEMS_MAX 32

/* SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, value }, the shape of Intel's extension. */
struct cella_der_item {
    struct cella_bytes oid; /* content octets */
    enum cella_der_tag tag;
    uint64_t number;          /* BOOLEAN, INTEGER, ENUMERATED */
    struct cella_bytes value; /* OCTET STRING: content; SEQUENCE: its whole DER, for another call */
};
struct cella_der_list {
    size_t count;
    struct cella_der_item items[CELLA_DER_ITEMS_MAX];
    void *decoded;
};

/* CELLA_DAMAGED: another shape, a negative number, or more than CELLA_DER_ITEMS_MAX items. Ownership as
 * above.
 */
enum cella_status cella_der_list_parse(struct cella_bytes der, struct cella_der_list *ret_list);
void cella_der_list_deinit(struct cella_der_list *list);
/* The only item with this identifier; NULL if there is none or more than one. */
const struct cella_der_item *cella_der_list_find(const struct cella_der_list *list, struct cella_bytes oid);

#endif
