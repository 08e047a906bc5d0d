/* Ed25519 through libcrypto. */
#include "crypto/ed25519.h"
#include "base/secret.h"
#include "crypto/library.h"
#include "crypto/random.h"
#include <string.h>

enum cella_status cella_ed25519_from_seed(struct cella_ed25519_key *ret_key,
                                          const uint8_t seed[CELLA_ED25519_SEED_SIZE]) {
    EVP_PKEY *prepared = EVP_PKEY_new_raw_private_key_ex(cella_crypto_library()->context, "ED25519", NULL,
                                                         seed, CELLA_ED25519_SEED_SIZE);
    if (prepared == NULL)
        return CELLA_CRYPTO;
    struct cella_ed25519_key key = {.prepared = prepared};
    size_t size = sizeof key.public_key;
    enum cella_status status = CELLA_CRYPTO;
    if (EVP_PKEY_get_raw_public_key(prepared, key.public_key, &size) == 1 && size == sizeof key.public_key) {
        memcpy(key.seed, seed, CELLA_ED25519_SEED_SIZE);
        *ret_key = key;
        status = CELLA_OK;
    } else {
        EVP_PKEY_free(prepared);
    }
    cella_wipe(&key, sizeof key);
    return status;
}

enum cella_status cella_ed25519_generate(struct cella_ed25519_key *ret_key) {
    uint8_t seed[CELLA_ED25519_SEED_SIZE];
    enum cella_status status = cella_random(seed, sizeof seed);
    if (status == CELLA_OK)
        status = cella_ed25519_from_seed(ret_key, seed);
    cella_wipe(seed, sizeof seed);
    return status;
}

/* libcrypto wants a message pointer even for no bytes. */
static const uint8_t *message_data(struct cella_bytes message) {
    return message.size == 0 ? (const uint8_t *)"" : message.data;
}

enum cella_status cella_ed25519_sign(const struct cella_ed25519_key *key, struct cella_bytes message,
                                     uint8_t ret_signature[CELLA_ED25519_SIGNATURE_SIZE]) {
    if (key->prepared == NULL)
        return CELLA_ARGUMENT;
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (state == NULL)
        return CELLA_NO_MEMORY;
    uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE];
    size_t size = sizeof signature;
    enum cella_status status = CELLA_CRYPTO;
    if (EVP_DigestSignInit_ex(state, NULL, NULL, cella_crypto_library()->context, NULL, key->prepared,
                              NULL) == 1 &&
        EVP_DigestSign(state, signature, &size, message_data(message), message.size) == 1 &&
        size == sizeof signature) {
        memcpy(ret_signature, signature, sizeof signature);
        status = CELLA_OK;
    }
    EVP_MD_CTX_free(state);
    return status;
}

enum cella_status cella_ed25519_verify(const uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE],
                                       struct cella_bytes message,
                                       const uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE]) {
    OSSL_LIB_CTX *context = cella_crypto_library()->context;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key_ex(context, "ED25519", NULL, public_key, CELLA_ED25519_PUBLIC_SIZE);
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    enum cella_status status = CELLA_CRYPTO;
    if (key != NULL && state != NULL &&
        EVP_DigestVerifyInit_ex(state, NULL, NULL, context, NULL, key, NULL) == 1)
        /* A public key that is no point of the curve shows only here; no signature of it is valid. */
        status = EVP_DigestVerify(state, signature, CELLA_ED25519_SIGNATURE_SIZE, message_data(message),
                                  message.size) == 1
                     ? CELLA_OK
                     : CELLA_AUTHENTICATION;
    EVP_MD_CTX_free(state);
    EVP_PKEY_free(key);
    return status;
}

void cella_ed25519_deinit(struct cella_ed25519_key *key) {
    if (key == NULL)
        return;
    EVP_PKEY_free(key->prepared);
    cella_wipe(key, sizeof *key);
}
