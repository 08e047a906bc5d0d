/* Keyed fingerprints through libcrypto's Poly1305. */
#include "crypto/fingerprint.h"
#include "base/error.h"
#include "crypto/library.h"
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static EVP_MAC *poly1305;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void) {
    poly1305 = EVP_MAC_fetch(cella_crypto_library()->context, "POLY1305", NULL);
    CELLA_ASSERT(poly1305 != NULL);
}

static bool update(EVP_MAC_CTX *state, struct cella_bytes bytes) {
    return bytes.size == 0 || EVP_MAC_update(state, bytes.data, bytes.size) == 1;
}

enum cella_status cella_fingerprint(const uint8_t key[CELLA_FINGERPRINT_KEY_SIZE],
                                    const struct cella_bytes *parts, size_t count,
                                    uint8_t ret_fingerprint[CELLA_FINGERPRINT_SIZE]) {
    CELLA_ASSERT(pthread_once(&once, fetch) == 0);
    EVP_MAC_CTX *state = EVP_MAC_CTX_new(poly1305);
    if (state == NULL)
        return CELLA_NO_MEMORY;
    uint8_t fingerprint[CELLA_FINGERPRINT_SIZE];
    size_t size = 0;
    bool done = EVP_MAC_init(state, key, CELLA_FINGERPRINT_KEY_SIZE, NULL) == 1;
    for (size_t i = 0; i < count; i++)
        done = done && update(state, parts[i]);
    done = done && EVP_MAC_final(state, fingerprint, &size, sizeof fingerprint) == 1 &&
           size == sizeof fingerprint;
    if (done)
        memcpy(ret_fingerprint, fingerprint, sizeof fingerprint);
    EVP_MAC_CTX_free(state);
    return done ? CELLA_OK : CELLA_CRYPTO;
}
