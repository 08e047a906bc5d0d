/* SHA-256 and SHA-384 (FIPS 180-4). */
#ifndef CELLA_CRYPTO_HASH_H
#define CELLA_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#define CELLA_SHA256_SIZE 32
#define CELLA_SHA384_SIZE 48

/* One message, one call. Cannot fail: libcrypto that refuses SHA-2 is broken and traps. */
void cella_sha256(const void *data, size_t size, uint8_t out[CELLA_SHA256_SIZE]);
void cella_sha384(const void *data, size_t size, uint8_t out[CELLA_SHA384_SIZE]);

/* A message in parts, between init and deinit. Takes no memory and cannot fail either. */
struct cella_sha256 {
    uint64_t state[14]; /* a SHA256_CTX */
};

void cella_sha256_init(struct cella_sha256 *hash);
void cella_sha256_update(struct cella_sha256 *hash, const void *data, size_t size);
/* The digest of all parts so far; more parts may follow. */
void cella_sha256_digest(const struct cella_sha256 *hash, uint8_t out[CELLA_SHA256_SIZE]);
/* Wipes; accepts a zeroed object. */
void cella_sha256_deinit(struct cella_sha256 *hash);

#endif
