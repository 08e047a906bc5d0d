/* AES-256-GCM through one libcrypto context per key. Must not release plaintext before its tag is checked. */
#include "crypto/aead.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/library.h"

/* libcrypto counts in int. */
enum { SIZE_LIMIT = 1 << 30 };

enum cella_status cella_aead_init(struct cella_aead *aead, const uint8_t key[CELLA_AEAD_KEY_SIZE]) {
    EVP_CIPHER_CTX *state = aead->state;
    const EVP_CIPHER *cipher = NULL;
    if (state == NULL) {
        state = EVP_CIPHER_CTX_new();
        if (state == NULL)
            return CELLA_NO_MEMORY;
        cipher = cella_crypto_library()->aes_256_gcm;
    }
    if (EVP_EncryptInit_ex2(state, cipher, key, NULL, NULL) != 1) {
        EVP_CIPHER_CTX_free(state);
        aead->state = NULL;
        return CELLA_CRYPTO;
    }
    aead->state = state;
    return CELLA_OK;
}

static bool start(EVP_CIPHER_CTX *state, int encrypt, const uint8_t *nonce, const struct cella_bytes ad[2]) {
    int written = 0;
    if (EVP_CipherInit_ex2(state, NULL, NULL, nonce, encrypt, NULL) != 1)
        return false;
    for (int i = 0; i < 2; i++)
        if (ad[i].size > 0 && EVP_CipherUpdate(state, NULL, &written, ad[i].data, (int)ad[i].size) != 1)
            return false;
    return true;
}

static bool crypt(EVP_CIPHER_CTX *state, const uint8_t *in, size_t size, uint8_t *out) {
    int written = 0;
    if (size == 0)
        return true;
    return EVP_CipherUpdate(state, out, &written, in, (int)size) == 1 && (size_t)written == size;
}

static bool sizes_allowed(const struct cella_bytes ad[2], size_t size) {
    return ad[0].size <= SIZE_LIMIT && ad[1].size <= SIZE_LIMIT && size <= SIZE_LIMIT;
}

enum cella_status cella_aead_seal_two(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                      const struct cella_bytes ad[2], struct cella_bytes plain,
                                      uint8_t *out) {
    EVP_CIPHER_CTX *state = aead->state;
    if (state == NULL || !sizes_allowed(ad, plain.size))
        return CELLA_ARGUMENT;
    uint8_t *tag = out + plain.size;
    int written = 0;
    if (start(state, 1, nonce, ad) && crypt(state, plain.data, plain.size, out) &&
        EVP_CipherFinal_ex(state, tag, &written) == 1 &&
        EVP_CIPHER_CTX_ctrl(state, EVP_CTRL_AEAD_GET_TAG, CELLA_AEAD_TAG_SIZE, tag) == 1)
        return CELLA_OK;
    cella_wipe(out, plain.size + CELLA_AEAD_TAG_SIZE);
    return CELLA_CRYPTO;
}

enum cella_status cella_aead_seal(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                  struct cella_bytes ad, struct cella_bytes plain, uint8_t *out) {
    return cella_aead_seal_two(aead, nonce, (const struct cella_bytes[2]){ad, {0}}, plain, out);
}

enum cella_status cella_aead_open_two(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                      const struct cella_bytes ad[2], struct cella_bytes sealed,
                                      uint8_t *out) {
    EVP_CIPHER_CTX *state = aead->state;
    if (state == NULL || !sizes_allowed(ad, sealed.size))
        return CELLA_ARGUMENT;
    if (sealed.size < CELLA_AEAD_TAG_SIZE)
        return CELLA_AUTHENTICATION;
    size_t size = sealed.size - CELLA_AEAD_TAG_SIZE;
    uint8_t end[CELLA_AEAD_TAG_SIZE];
    int written = 0;
    /* libcrypto takes the tag as not const and only reads it. */
    void *tag = (void *)(uintptr_t)(sealed.data + size);
    if (!start(state, 0, nonce, ad) || !crypt(state, sealed.data, size, out) ||
        EVP_CIPHER_CTX_ctrl(state, EVP_CTRL_AEAD_SET_TAG, CELLA_AEAD_TAG_SIZE, tag) != 1) {
        cella_wipe(out, size);
        return CELLA_CRYPTO;
    }
    if (EVP_CipherFinal_ex(state, end, &written) != 1) {
        cella_wipe(out, size);
        return CELLA_AUTHENTICATION;
    }
    return CELLA_OK;
}

enum cella_status cella_aead_open(struct cella_aead *aead, const uint8_t nonce[CELLA_AEAD_NONCE_SIZE],
                                  struct cella_bytes ad, struct cella_bytes sealed, uint8_t *out) {
    return cella_aead_open_two(aead, nonce, (const struct cella_bytes[2]){ad, {0}}, sealed, out);
}

void cella_aead_deinit(struct cella_aead *aead) {
    if (aead == NULL)
        return;
    /* libcrypto wipes the key schedule when it frees the context. */
    EVP_CIPHER_CTX_free(aead->state);
    aead->state = NULL;
}
