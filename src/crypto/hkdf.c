/* HMAC-SHA-256 and HKDF. HKDF's steps are those of RFC 5869 over libcrypto's HMAC. */
#include "crypto/hkdf.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/library.h"
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

/* A context that knows its digest already: looking it up by name is dearer than the MAC of a short message.
 */
static EVP_MAC_CTX *template;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_template(void) {
    char name[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    template = EVP_MAC_CTX_new(cella_crypto_library()->hmac);
    CELLA_ASSERT(template != NULL && EVP_MAC_CTX_set_params(template, parameters) == 1);
}

enum cella_status cella_hmac_init(struct cella_hmac *hmac) {
    CELLA_ASSERT(pthread_once(&once, make_template) == 0);
    hmac->state = EVP_MAC_CTX_dup(template);
    return hmac->state == NULL ? CELLA_NO_MEMORY : CELLA_OK;
}

static bool update(EVP_MAC_CTX *state, struct cella_bytes bytes) {
    return bytes.size == 0 || EVP_MAC_update(state, bytes.data, bytes.size) == 1;
}

enum cella_status cella_hmac_compute(struct cella_hmac *hmac, struct cella_bytes key,
                                     struct cella_bytes first, struct cella_bytes second,
                                     uint8_t out[CELLA_HMAC_SIZE]) {
    EVP_MAC_CTX *state = hmac->state;
    size_t written = 0;
    /* A NULL key means "the key before" to libcrypto, so an empty one must not be NULL. */
    const uint8_t *key_data = key.size == 0 ? (const uint8_t *)"" : key.data;
    if (state != NULL && EVP_MAC_init(state, key_data, key.size, NULL) == 1 && update(state, first) &&
        update(state, second) && EVP_MAC_final(state, out, &written, CELLA_HMAC_SIZE) == 1 &&
        written == CELLA_HMAC_SIZE)
        return CELLA_OK;
    cella_wipe(out, CELLA_HMAC_SIZE);
    return CELLA_CRYPTO;
}

void cella_hmac_deinit(struct cella_hmac *hmac) {
    if (hmac == NULL)
        return;
    EVP_MAC_CTX_free(hmac->state);
    hmac->state = NULL;
}

enum cella_status cella_hmac_sha256(struct cella_bytes key, struct cella_bytes message,
                                    uint8_t ret_mac[CELLA_HMAC_SIZE]) {
    struct cella_hmac hmac = {0};
    enum cella_status status = cella_hmac_init(&hmac);
    if (status == CELLA_OK)
        status = cella_hmac_compute(&hmac, key, message, (struct cella_bytes){0}, ret_mac);
    cella_hmac_deinit(&hmac);
    return status;
}

enum cella_status cella_hkdf_extract(struct cella_bytes salt, struct cella_bytes secret,
                                     uint8_t ret_key[CELLA_HMAC_SIZE]) {
    /* HMAC pads a short key with zeros, so no salt and a salt of 32 zeros are the same key. */
    return cella_hmac_sha256(salt, secret, ret_key);
}

static enum cella_status expand(struct cella_hmac *hmac, struct cella_bytes key, struct cella_bytes info,
                                uint8_t *out, size_t size) {
    /* Each block is the MAC of the block before it, info and a counter; info and counter are put together
     * once. */
    uint8_t tail[1024];
    uint8_t block[CELLA_HMAC_SIZE];
    struct cella_bytes before = {0};
    enum cella_status status = CELLA_OK;
    if (info.size > sizeof tail - 1)
        return CELLA_ARGUMENT;
    if (info.size > 0)
        memcpy(tail, info.data, info.size);
    tail[info.size] = 0;
    for (size_t at = 0; at < size && status == CELLA_OK;) {
        tail[info.size]++;
        status = cella_hmac_compute(hmac, key, before, CELLA_BYTES(tail, info.size + 1), block);
        size_t part = size - at < sizeof block ? size - at : sizeof block;
        memcpy(out + at, block, part);
        at += part;
        before = CELLA_BYTES(block, sizeof block);
    }
    cella_wipe(block, sizeof block);
    return status;
}

enum cella_status cella_hkdf_expand(const uint8_t key[CELLA_HMAC_SIZE], struct cella_bytes info, uint8_t *out,
                                    size_t size) {
    if (size > CELLA_HKDF_OUTPUT_MAX)
        return CELLA_ARGUMENT;
    struct cella_hmac hmac = {0};
    enum cella_status status = cella_hmac_init(&hmac);
    if (status == CELLA_OK)
        status = expand(&hmac, CELLA_BYTES(key, CELLA_HMAC_SIZE), info, out, size);
    if (status != CELLA_OK)
        cella_wipe(out, size);
    cella_hmac_deinit(&hmac);
    return status;
}

enum cella_status cella_hkdf(struct cella_bytes salt, struct cella_bytes secret, struct cella_bytes info,
                             uint8_t *out, size_t size) {
    uint8_t key[CELLA_HMAC_SIZE];
    enum cella_status status = cella_hkdf_extract(salt, secret, key);
    if (status == CELLA_OK)
        status = cella_hkdf_expand(key, info, out, size);
    cella_wipe(key, sizeof key);
    return status;
}
