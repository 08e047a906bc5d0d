/* X25519 (RFC 7748). */
#ifndef CELLA_CRYPTO_X25519_H
#define CELLA_CRYPTO_X25519_H

#include <cella/status.h>
#include <stdint.h>

#define CELLA_X25519_SIZE 32

/* A key pair, prepared for use. Safe to use from several threads at once. Owns a libcrypto object until
 * deinit; never copied with `=`. A zeroed object is valid for deinit only. */
struct cella_x25519_key {
    uint8_t private_key[CELLA_X25519_SIZE]; /* secret */
    uint8_t public_key[CELLA_X25519_SIZE];
    void *prepared;
};

/* A shared secret; the holder wipes it with cella_wipe. */
struct cella_x25519_secret {
    uint8_t bytes[CELLA_X25519_SIZE];
};

/* The object must be uninitialised or deinitialised before. CELLA_NO_RANDOM, CELLA_NO_MEMORY, CELLA_CRYPTO.
 */
enum cella_status cella_x25519_generate(struct cella_x25519_key *ret_key);
enum cella_status cella_x25519_from_private(struct cella_x25519_key *ret_key,
                                            const uint8_t private_key[CELLA_X25519_SIZE]);
enum cella_status cella_x25519_copy(struct cella_x25519_key *ret_key, const struct cella_x25519_key *key);

/* CELLA_KEY_INVALID: the peer's public key has small order, the secret would be all zeros. */
enum cella_status cella_x25519_shared(const struct cella_x25519_key *key,
                                      const uint8_t peer_public[CELLA_X25519_SIZE],
                                      struct cella_x25519_secret *ret_secret);

/* Wipes and frees; accepts a zeroed object and NULL. */
void cella_x25519_deinit(struct cella_x25519_key *key);

#endif
