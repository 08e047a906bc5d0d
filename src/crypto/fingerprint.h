/* A keyed fingerprint of bytes (Poly1305 with a secret key of the holder): tells whether two messages are
 * equal without keeping them, faster than a hash. Nobody without the key can make two messages with one
 * fingerprint (chance below 2^-80 for any message that mail allows). Fingerprints must never leave their
 * holder: the key is used more than once, which is sound only while no fingerprint is seen. */
#ifndef CELLA_CRYPTO_FINGERPRINT_H
#define CELLA_CRYPTO_FINGERPRINT_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_FINGERPRINT_KEY_SIZE 32
#define CELLA_FINGERPRINT_SIZE     16

/* A message in parts. Owns a libcrypto object from init until deinit; a zeroed one is valid for deinit. */
struct cella_fingerprint {
    void *state;
};

/* CELLA_NO_MEMORY, CELLA_CRYPTO. */
enum cella_status cella_fingerprint_init(struct cella_fingerprint *fingerprint,
                                         const uint8_t key[CELLA_FINGERPRINT_KEY_SIZE]);
/* The next part; where one ends and the next begins is the caller's to encode. CELLA_CRYPTO. */
enum cella_status cella_fingerprint_update(struct cella_fingerprint *fingerprint, struct cella_bytes part);
/* Ends it: only deinit may follow. CELLA_CRYPTO. */
enum cella_status cella_fingerprint_final(struct cella_fingerprint *fingerprint,
                                          uint8_t ret_fingerprint[CELLA_FINGERPRINT_SIZE]);
void cella_fingerprint_deinit(struct cella_fingerprint *fingerprint);

#endif
