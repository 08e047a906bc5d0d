/* SIGSTRUCT, the signature of an image, exactly as the Intel SDM lays it out (volume 3D, "Enclave Signature
 * Structure"; formats/image.md). Names are the manual's. */
#ifndef CELLA_IMAGE_SIGSTRUCT_H
#define CELLA_IMAGE_SIGSTRUCT_H

#include "crypto/hash.h"
#include "crypto/rsa.h"
#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_SIGSTRUCT_SIZE        1808
#define CELLA_SIGSTRUCT_SIGNED_SIZE 256 /* what the signature covers: bytes 0 to 127 and 900 to 1027 */

/* ATTRIBUTES.FLAGS */
#define CELLA_ATTRIBUTE_INIT           0x01u
#define CELLA_ATTRIBUTE_DEBUG          0x02u
#define CELLA_ATTRIBUTE_MODE64BIT      0x04u
#define CELLA_ATTRIBUTE_PROVISIONKEY   0x10u
#define CELLA_ATTRIBUTE_EINITTOKEN_KEY 0x20u

/* x87 and SSE; an image may also be started with AVX and AVX-512 enabled (XFRM bits 2, 5, 6, 7). */
#define CELLA_XFRM_LEGACY 0x03u
#define CELLA_XFRM_FREE   0xe4u

struct cella_attributes {
    uint64_t flags;
    uint64_t xfrm;
};

/* Numbers of RSA are little endian. `is_signed` false: modulus, exponent, signature, q1 and q2 are zero. */
struct cella_sigstruct {
    bool is_signed;
    uint32_t date; /* BCD: 0x20260131 */
    uint32_t sw_defined;
    uint8_t modulus[CELLA_RSA_SIZE];
    uint8_t signature[CELLA_RSA_SIZE];
    uint32_t misc_select;
    uint32_t misc_mask;
    uint8_t isv_family_id[16];
    struct cella_attributes attributes;
    struct cella_attributes attribute_mask;
    uint8_t enclave_hash[CELLA_SHA256_SIZE];
    uint8_t isv_ext_prod_id[16];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint8_t q1[CELLA_RSA_SIZE];
    uint8_t q2[CELLA_RSA_SIZE];
};

/* Parses 1808 bytes: headers, vendor, reserved fields and the date are checked, the signature is not.
 * CELLA_DAMAGED. */
enum cella_status cella_sigstruct_read(struct cella_bytes bytes, struct cella_sigstruct *ret_sigstruct,
                                       struct cella_error *error);
void cella_sigstruct_write(const struct cella_sigstruct *sigstruct, uint8_t out[CELLA_SIGSTRUCT_SIZE]);

/* The bytes that are signed, for an offline key. */
void cella_sigstruct_signed_bytes(const struct cella_sigstruct *sigstruct,
                                  uint8_t out[CELLA_SIGSTRUCT_SIGNED_SIZE]);

/* Signs with an RSA-3072 private key of exponent 3 (RSASSA-PKCS1-v1_5, SHA-256). CELLA_SIGNING_KEY. */
enum cella_status cella_sigstruct_sign(struct cella_sigstruct *sigstruct, const struct cella_rsa *key,
                                       struct cella_error *error);

/* Takes a signature that was made elsewhere (big endian, as every tool writes it) and verifies it first.
 * CELLA_SIGNING_KEY, CELLA_IMAGE_SIGNATURE; on failure nothing changes. */
enum cella_status cella_sigstruct_set_signature(struct cella_sigstruct *sigstruct,
                                                const struct cella_rsa *public_key,
                                                const uint8_t signature[CELLA_RSA_SIZE],
                                                struct cella_error *error);

/* What EINIT verifies: exponent, signature, Q1 and Q2. CELLA_IMAGE_UNSIGNED, CELLA_IMAGE_SIGNATURE. */
enum cella_status cella_sigstruct_verify(const struct cella_sigstruct *sigstruct, struct cella_error *error);

/* MRSIGNER: SHA-256 of the little-endian modulus. Zeros for an unsigned structure. */
void cella_sigstruct_code_signer(const struct cella_sigstruct *sigstruct, uint8_t out[CELLA_SHA256_SIZE]);

/* BCD date of a UTC time in seconds since 1970, for times up to the year 9999. CELLA_ARGUMENT. */
enum cella_status cella_sigstruct_date(uint64_t seconds, uint32_t *ret_date);

#endif
