/* SHA-2 through libcrypto's direct calls: the fetched form would make every program that only hashes, such as
 * a keeper that measures an image, wait for the provider to list all that it can do. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"
#include "base/error.h"
#include <openssl/sha.h>
#include <stdlib.h>

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
    hash->state = malloc(sizeof(SHA256_CTX));
    CELLA_ASSERT(hash->state != NULL && SHA256_Init(hash->state) == 1);
}

void cella_sha256_update(struct cella_sha256 *hash, const void *data, size_t size) {
    if (size > 0)
        CELLA_ASSERT(SHA256_Update(hash->state, data, size) == 1);
}

void cella_sha256_digest(const struct cella_sha256 *hash, uint8_t out[CELLA_SHA256_SIZE]) {
    SHA256_CTX copy = *(const SHA256_CTX *)hash->state;
    CELLA_ASSERT(SHA256_Final(out, &copy) == 1);
}

void cella_sha256_deinit(struct cella_sha256 *hash) {
    free(hash->state);
    hash->state = NULL;
}
