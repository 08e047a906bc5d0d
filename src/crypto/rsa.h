/* RSA-3072 with exponent 3 and PKCS#1 v1.5 over SHA-256: the only form that image signatures have. Nothing
 * else may use it. */
#ifndef CELLA_CRYPTO_RSA_H
#define CELLA_CRYPTO_RSA_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_RSA_SIZE      384
#define CELLA_RSA_EXPONENT  3
#define CELLA_RSA_PEM_LIMIT 16384

/* A key pair or a public key alone; opaque, freed by cella_rsa_free. */
struct cella_rsa;

/* A new key pair. CELLA_CRYPTO. */
enum cella_status cella_rsa_generate(struct cella_rsa **ret_key);

/* Reads PEM text: PKCS#8 (or traditional) private key without passphrase, or SubjectPublicKeyInfo.
 * CELLA_KEY_INVALID: no such key. CELLA_SIGNING_KEY: a key, but not RSA-3072 with exponent 3. */
enum cella_status cella_rsa_read_private_pem(struct cella_bytes pem, struct cella_rsa **ret_key,
                                             struct cella_error *error);
enum cella_status cella_rsa_read_public_pem(struct cella_bytes pem, struct cella_rsa **ret_key,
                                            struct cella_error *error);
/* A public key from its modulus, little endian. CELLA_KEY_INVALID. */
enum cella_status cella_rsa_from_modulus(const uint8_t modulus[CELLA_RSA_SIZE], struct cella_rsa **ret_key);

/* PEM text in memory from malloc, terminated; free the private one with cella_wipe_free. */
enum cella_status cella_rsa_write_private_pem(const struct cella_rsa *key, char **ret_pem, size_t *ret_size);
enum cella_status cella_rsa_write_public_pem(const struct cella_rsa *key, char **ret_pem, size_t *ret_size);

bool cella_rsa_is_private(const struct cella_rsa *key);
/* Little endian, as SIGSTRUCT has it. */
void cella_rsa_modulus(const struct cella_rsa *key, uint8_t out[CELLA_RSA_SIZE]);

/* Signature of a message, big endian (RFC 8017). CELLA_KEY_INVALID without a private key; CELLA_CRYPTO. */
enum cella_status cella_rsa_sign(const struct cella_rsa *key, struct cella_bytes message,
                                 uint8_t ret_signature[CELLA_RSA_SIZE]);
/* CELLA_AUTHENTICATION if the signature does not fit. */
enum cella_status cella_rsa_verify(const struct cella_rsa *key, struct cella_bytes message,
                                   const uint8_t signature[CELLA_RSA_SIZE]);

/* Helpers of the CPU's verification: q1 = floor(s^2 / m), q2 = floor((s^3 - q1 * s * m) / m). All little
 * endian. CELLA_CRYPTO if a result does not fit (s >= m). */
enum cella_status cella_rsa_quotients(const uint8_t signature[CELLA_RSA_SIZE],
                                      const uint8_t modulus[CELLA_RSA_SIZE], uint8_t ret_q1[CELLA_RSA_SIZE],
                                      uint8_t ret_q2[CELLA_RSA_SIZE]);

void cella_rsa_free(struct cella_rsa *key);

#endif
