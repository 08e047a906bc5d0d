/* AES-256-GCM with a prepared key (SP 800-38D). One object serves one thread at a time.
 * The caller owns the promise that no nonce is used twice under one key. */
#ifndef CELLA_CRYPTO_AEAD_H
#define CELLA_CRYPTO_AEAD_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_AEAD_KEY_SIZE   32
#define CELLA_AEAD_NONCE_SIZE 12
#define CELLA_AEAD_TAG_SIZE   16

/* A key that is ready for use: the key schedule is computed once, each call only sets a nonce. Owns a
 * libcrypto object from init until deinit; a zeroed object is valid and has no key. */
struct cella_aead {
    void *state;
};

/* Sets the key. On an object that has one already it is replaced without allocating. CELLA_NO_MEMORY,
 * CELLA_CRYPTO. */
enum cella_status cella_aead_init(struct cella_aead *aead, const uint8_t key[CELLA_AEAD_KEY_SIZE]);

/* Writes plain.size + CELLA_AEAD_TAG_SIZE bytes to `out`: ciphertext, then tag. `out` may be plain.data
 * itself; any other overlap is not allowed. On failure `out` holds zeros. CELLA_ARGUMENT: no key, or more
 * than 1 GiB. */
enum cella_status cella_aead_seal(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                  struct cella_bytes ad, struct cella_bytes plain, uint8_t *out);

/* The same for an `ad` in two parts (head, then tail), as if they were one. */
enum cella_status cella_aead_seal_two(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                      const struct cella_bytes ad[2], struct cella_bytes plain, uint8_t *out);

/* Writes sealed.size - CELLA_AEAD_TAG_SIZE bytes to `out`, which may be sealed.data itself. `out` holds the
 * plaintext only if the result is CELLA_OK; otherwise it was wiped. CELLA_AUTHENTICATION: changed, other key,
 * other nonce or other ad; also when `sealed` is shorter than a tag. */
enum cella_status cella_aead_open(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                  struct cella_bytes ad, struct cella_bytes sealed, uint8_t *out);
enum cella_status cella_aead_open_two(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                      const struct cella_bytes ad[2], struct cella_bytes sealed,
                                      uint8_t *out);

/* Wipes and frees; accepts a zeroed object. */
void cella_aead_deinit(struct cella_aead *aead);

#endif
