/* Keyed fingerprints through libcrypto's Poly1305. */
#include "crypto/fingerprint.h"
#include "base/error.h"
#include "crypto/library.h"
#include <pthread.h>
#include <string.h>

static EVP_MAC *poly1305;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void) {
    poly1305 = EVP_MAC_fetch(cella_crypto_library()->context, "POLY1305", NULL);
    CELLA_ASSERT(poly1305 != NULL);
}

enum cella_status cella_fingerprint_init(struct cella_fingerprint *fingerprint,
                                         const uint8_t key[CELLA_FINGERPRINT_KEY_SIZE]) {
    CELLA_ASSERT(pthread_once(&once, fetch) == 0);
    EVP_MAC_CTX *state = EVP_MAC_CTX_new(poly1305);
    if (state == NULL)
        return CELLA_NO_MEMORY;
    if (EVP_MAC_init(state, key, CELLA_FINGERPRINT_KEY_SIZE, NULL) != 1) {
        EVP_MAC_CTX_free(state);
        return CELLA_CRYPTO;
    }
    fingerprint->state = state;
    return CELLA_OK;
}

enum cella_status cella_fingerprint_update(struct cella_fingerprint *fingerprint, struct cella_bytes part) {
    if (part.size == 0)
        return CELLA_OK;
    return EVP_MAC_update(fingerprint->state, part.data, part.size) == 1 ? CELLA_OK : CELLA_CRYPTO;
}

enum cella_status cella_fingerprint_final(struct cella_fingerprint *fingerprint,
                                          uint8_t ret_fingerprint[CELLA_FINGERPRINT_SIZE]) {
    uint8_t out[CELLA_FINGERPRINT_SIZE];
    size_t size = 0;
    if (EVP_MAC_final(fingerprint->state, out, &size, sizeof out) != 1 || size != sizeof out)
        return CELLA_CRYPTO;
    memcpy(ret_fingerprint, out, sizeof out);
    return CELLA_OK;
}

void cella_fingerprint_deinit(struct cella_fingerprint *fingerprint) {
    EVP_MAC_CTX_free(fingerprint->state);
    fingerprint->state = NULL;
}
