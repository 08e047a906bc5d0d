/* ECDSA on P-256 with SHA-256 (FIPS 186-4), in the raw forms that quotes use: signatures r||s and public keys
 * X||Y, big endian, 32 bytes each. Must not know certificates. */
#ifndef CELLA_CRYPTO_ECDSA_H
#define CELLA_CRYPTO_ECDSA_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_ECDSA_PRIVATE_SIZE   32
#define CELLA_ECDSA_PUBLIC_SIZE    64
#define CELLA_ECDSA_SIGNATURE_SIZE 64

/* Checks `signature` over `message` with the key X||Y. Never wrong about a malformed key or signature:
 * CELLA_KEY_INVALID (not a point of the curve), CELLA_AUTHENTICATION (does not verify; r or s out of range).
 */
enum cella_status cella_ecdsa_verify(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                     struct cella_bytes message,
                                     const uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE]);

/* A public key made ready once, for many signatures; safe from several threads at once. Owned by the caller.
 * CELLA_KEY_INVALID, CELLA_CRYPTO. */
struct cella_ecdsa_public;
enum cella_status cella_ecdsa_public_new(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                         struct cella_ecdsa_public **ret_public);
enum cella_status cella_ecdsa_public_verify(const struct cella_ecdsa_public *public_key,
                                            struct cella_bytes message,
                                            const uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE]);
void cella_ecdsa_public_free(struct cella_ecdsa_public *public_key);

/* The raw form of a signature in DER, as certificates have it. CELLA_DAMAGED: not the shortest encoding of
 * two numbers of at most 32 bytes. */
enum cella_status cella_ecdsa_signature_from_der(struct cella_bytes der,
                                                 uint8_t ret_signature[CELLA_ECDSA_SIGNATURE_SIZE]);

/* A key pair. Owned by the caller, wiped by free; safe from several threads at once. */
struct cella_ecdsa_key;

/* A fresh one. CELLA_NO_RANDOM, CELLA_CRYPTO. */
enum cella_status cella_ecdsa_key_generate(struct cella_ecdsa_key **ret_key);

/* From the private number, 32 bytes big endian. CELLA_KEY_INVALID if it is zero or not below the order. */
enum cella_status cella_ecdsa_key_import(const uint8_t private_key[CELLA_ECDSA_PRIVATE_SIZE],
                                         struct cella_ecdsa_key **ret_key);

/* The private number: a secret, the caller wipes it. */
void cella_ecdsa_key_export(const struct cella_ecdsa_key *key, uint8_t out[CELLA_ECDSA_PRIVATE_SIZE]);
/* X||Y, valid as long as the key. */
const uint8_t *cella_ecdsa_key_public(const struct cella_ecdsa_key *key);

/* Signs `message`. CELLA_CRYPTO. */
enum cella_status cella_ecdsa_sign(const struct cella_ecdsa_key *key, struct cella_bytes message,
                                   uint8_t ret_signature[CELLA_ECDSA_SIGNATURE_SIZE]);

void cella_ecdsa_key_free(struct cella_ecdsa_key *key);

#endif
