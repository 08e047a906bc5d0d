/* Ed25519 signatures (RFC 8032). What is signed starts with a label that names the purpose; callers see to
 * that. */
#ifndef CELLA_CRYPTO_ED25519_H
#define CELLA_CRYPTO_ED25519_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_ED25519_SEED_SIZE      32
#define CELLA_ED25519_PUBLIC_SIZE    32
#define CELLA_ED25519_SIGNATURE_SIZE 64

/* A signing key, prepared for use. Safe to use from several threads at once. Owns a libcrypto object until
 * deinit; never copied with `=`. A zeroed object is valid for deinit only. */
struct cella_ed25519_key {
    uint8_t seed[CELLA_ED25519_SEED_SIZE]; /* secret */
    uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE];
    void *prepared;
};

/* The object must be uninitialised or deinitialised before. CELLA_NO_RANDOM, CELLA_NO_MEMORY, CELLA_CRYPTO.
 */
enum cella_status cella_ed25519_generate(struct cella_ed25519_key *ret_key);
enum cella_status cella_ed25519_from_seed(struct cella_ed25519_key *ret_key,
                                          const uint8_t seed[CELLA_ED25519_SEED_SIZE]);

enum cella_status cella_ed25519_sign(const struct cella_ed25519_key *key, struct cella_bytes message,
                                     uint8_t ret_signature[CELLA_ED25519_SIGNATURE_SIZE]);

/* CELLA_AUTHENTICATION: not this key's signature of this message. */
enum cella_status cella_ed25519_verify(const uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE],
                                       struct cella_bytes message,
                                       const uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE]);

/* Wipes and frees; accepts a zeroed object and NULL. */
void cella_ed25519_deinit(struct cella_ed25519_key *key);

#endif
