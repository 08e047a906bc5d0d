/* HMAC-SHA-256 (RFC 2104) and HKDF over it (RFC 5869). Every key is derived with a label that names its one
 * purpose; callers pass it as `info`. */
#ifndef CELLA_CRYPTO_HKDF_H
#define CELLA_CRYPTO_HKDF_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_HMAC_SIZE       32
#define CELLA_HKDF_OUTPUT_MAX 8160 /* 255 blocks of 32 bytes */

/* Reusable HMAC for one thread at a time; owns a libcrypto object from init until deinit. */
struct cella_hmac {
    void *state;
};

enum cella_status cella_hmac_init(struct cella_hmac *hmac);
/* The MAC of first || second under `key`, which is used for this call only. `out` may be where the inputs
 * are. */
enum cella_status cella_hmac_compute(struct cella_hmac *hmac, struct cella_bytes key,
                                     struct cella_bytes first, struct cella_bytes second,
                                     uint8_t out[CELLA_HMAC_SIZE]);
/* Wipes and frees; accepts a zeroed object. */
void cella_hmac_deinit(struct cella_hmac *hmac);

/* One call for one message. */
enum cella_status cella_hmac_sha256(struct cella_bytes key, struct cella_bytes message,
                                    uint8_t ret_mac[CELLA_HMAC_SIZE]);

/* HKDF-Extract. An empty salt is a salt of zeros, as the RFC says. */
enum cella_status cella_hkdf_extract(struct cella_bytes salt, struct cella_bytes secret,
                                     uint8_t ret_key[CELLA_HMAC_SIZE]);
/* HKDF-Expand to `size` bytes, at most CELLA_HKDF_OUTPUT_MAX, with `info` of at most 1023 (CELLA_ARGUMENT).
 * `out` is wiped on failure. */
enum cella_status cella_hkdf_expand(const uint8_t key[CELLA_HMAC_SIZE], struct cella_bytes info, uint8_t *out,
                                    size_t size);
/* Both steps. */
enum cella_status cella_hkdf(struct cella_bytes salt, struct cella_bytes secret, struct cella_bytes info,
                             uint8_t *out, size_t size);

#endif
