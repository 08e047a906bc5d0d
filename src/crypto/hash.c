/* SHA-2 through libcrypto. */
#include "crypto/hash.h"
#include "base/error.h"
#include "crypto/library.h"

static void digest(const EVP_MD *algorithm, const void *data, size_t size, uint8_t *out) {
    unsigned written = 0;
    CELLA_ASSERT(EVP_Digest(size == 0 ? "" : data, size, out, &written, algorithm, NULL) == 1);
}

void cella_sha256(const void *data, size_t size, uint8_t out[CELLA_SHA256_SIZE]) {
    digest(cella_crypto_library()->sha256, data, size, out);
}

void cella_sha384(const void *data, size_t size, uint8_t out[CELLA_SHA384_SIZE]) {
    digest(cella_crypto_library()->sha384, data, size, out);
}

void cella_sha256_init(struct cella_sha256 *hash) {
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    CELLA_ASSERT(state != NULL);
    CELLA_ASSERT(EVP_DigestInit_ex2(state, cella_crypto_library()->sha256, NULL) == 1);
    hash->state = state;
}

void cella_sha256_update(struct cella_sha256 *hash, const void *data, size_t size) {
    if (size > 0)
        CELLA_ASSERT(EVP_DigestUpdate(hash->state, data, size) == 1);
}

void cella_sha256_digest(const struct cella_sha256 *hash, uint8_t out[CELLA_SHA256_SIZE]) {
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    CELLA_ASSERT(copy != NULL);
    CELLA_ASSERT(EVP_MD_CTX_copy_ex(copy, hash->state) == 1);
    CELLA_ASSERT(EVP_DigestFinal_ex(copy, out, NULL) == 1);
    EVP_MD_CTX_free(copy);
}

void cella_sha256_deinit(struct cella_sha256 *hash) {
    EVP_MD_CTX_free(hash->state);
    hash->state = NULL;
}
