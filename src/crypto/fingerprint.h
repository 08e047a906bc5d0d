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

/* The fingerprint of the parts in a row; where one ends and the next begins is the caller's to encode.
 * CELLA_NO_MEMORY, CELLA_CRYPTO. */
enum cella_status cella_fingerprint(const uint8_t key[CELLA_FINGERPRINT_KEY_SIZE],
                                    const struct cella_bytes *parts, size_t count,
                                    uint8_t ret_fingerprint[CELLA_FINGERPRINT_SIZE]);

#endif
