/* Making certificates and revocation lists (P-256, X.509 version 3): what a simulated vendor and tests need.
 * Must not parse or judge any. Output is DER through the caller's writer; on failure nothing was written. */
#ifndef CELLA_CRYPTO_X509_BUILD_H
#define CELLA_CRYPTO_X509_BUILD_H

#include "base/writer.h"
#include "crypto/ecdsa.h"
#include <stdbool.h>

#define CELLA_X509_SERIAL_SIZE   20
#define CELLA_X509_CERT_SIZE_MAX 4096

/* Both strings are UTF-8 and end with a zero byte. */
struct cella_x509_name {
    const char *common_name;
    const char *organization;
};

/* An extension as DER: `value` is what stands inside the OCTET STRING. */
struct cella_x509_extension {
    const char *oid;
    bool critical;
    struct cella_bytes value;
};

/* A certificate to be. Subject and authority key ids are the first 20 bytes of SHA-256 over the public point.
 * Times are seconds since 1970. Views are borrowed during the call. */
struct cella_x509_template {
    struct cella_x509_name subject;
    struct cella_x509_name issuer;
    uint8_t serial[CELLA_X509_SERIAL_SIZE]; /* unsigned, big endian, not zero */
    int64_t not_before;
    int64_t not_after;
    const uint8_t *public_key; /* X||Y of the subject */
    bool is_ca;
    int path_length;     /* of a CA; negative: no limit */
    const char *crl_url; /* NULL: none */
    const struct cella_x509_extension *extensions;
    size_t extension_count;
};

/* The key id that certificates made here carry for X||Y. */
void cella_x509_key_id(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE], uint8_t out[20]);

/* Issues with the issuer's key (the subject's own for a root). CELLA_ARGUMENT (a name, serial, OID or time
 * that X.509 cannot hold), CELLA_KEY_INVALID (the public key), CELLA_TOO_SMALL, CELLA_CRYPTO. */
enum cella_status cella_x509_issue(const struct cella_x509_template *template,
                                   const struct cella_ecdsa_key *issuer_key, struct cella_writer *writer);

/* A revocation list with number and authority key id. `revoked` are serials one after the other. */
struct cella_x509_crl_template {
    struct cella_x509_name issuer;
    uint64_t number;
    int64_t this_update;
    int64_t next_update;
    const uint8_t (*revoked)[CELLA_X509_SERIAL_SIZE];
    size_t revoked_count;
};
enum cella_status cella_x509_issue_crl(const struct cella_x509_crl_template *template,
                                       const struct cella_ecdsa_key *issuer_key, struct cella_writer *writer);

/* DER as PEM text, "-----BEGIN CERTIFICATE-----" to the newline after END. CELLA_TOO_SMALL, CELLA_CRYPTO. */
enum cella_status cella_x509_certificate_pem(struct cella_bytes der, struct cella_writer *writer);

/* One value of a list SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, value }, the shape of Intel's extension. */
enum cella_der_type {
    CELLA_DER_INTEGER,
    CELLA_DER_ENUMERATED,
    CELLA_DER_BOOLEAN,
    CELLA_DER_OCTETS,
    CELLA_DER_LIST
};
struct cella_der_pair {
    const char *oid;
    enum cella_der_type type;
    uint32_t number;          /* INTEGER, ENUMERATED, BOOLEAN */
    struct cella_bytes bytes; /* OCTETS: the content; LIST: DER made by an earlier call */
};
/* CELLA_ARGUMENT (no OID), CELLA_TOO_SMALL, CELLA_CRYPTO. */
enum cella_status cella_der_pairs(const struct cella_der_pair *pairs, size_t count,
                                  struct cella_writer *writer);

#endif
