/* SHA-2 through libcrypto's direct calls: the fetched form would make every program that only hashes, such as
 * a keeper that measures an image, wait for the provider to list all that it can do. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"
#include "base/error.h"
#include "base/secret.h"
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) == sizeof(((struct cella_sha256 *)NULL)->state),
               "room for libcrypto's state");

void cella_sha256(const void *data, size_t size, uint8_t out[CELLA_SHA256_SIZE]) {
    SHA256_CTX state;
    CELLA_ASSERT(SHA256_Init(&state) == 1 && (size == 0 || SHA256_Update(&state, data, size) == 1) &&
                 SHA256_Final(out, &state) == 1);
}

void cella_sha384(const void *data, size_t size, uint8_t out[CELLA_SHA384_SIZE]) {
    SHA512_CTX state;
    CELLA_ASSERT(SHA384_Init(&state) == 1 && (size == 0 || SHA384_Update(&state, data, size) == 1) &&
                 SHA384_Final(out, &state) == 1);
}

void cella_sha256_init(struct cella_sha256 *hash) {
    SHA256_CTX state;
    CELLA_ASSERT(SHA256_Init(&state) == 1);
    memcpy(hash->state, &state, sizeof state);
}

void cella_sha256_update(struct cella_sha256 *hash, const void *data, size_t size) {
    SHA256_CTX state;
    memcpy(&state, hash->state, sizeof state);
    CELLA_ASSERT(size == 0 || SHA256_Update(&state, data, size) == 1);
    memcpy(hash->state, &state, sizeof state);
}

void cella_sha256_digest(const struct cella_sha256 *hash, uint8_t out[CELLA_SHA256_SIZE]) {
    SHA256_CTX copy;
    memcpy(&copy, hash->state, sizeof copy);
    CELLA_ASSERT(SHA256_Final(out, &copy) == 1);
}

void cella_sha256_deinit(struct cella_sha256 *hash) {
    cella_wipe(hash->state, sizeof hash->state);
}
