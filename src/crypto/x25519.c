/* X25519 through libcrypto. A prepared key is made once, because making one computes its public key, which
 * costs as much as a shared secret. */
#include "crypto/x25519.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/library.h"
#include "crypto/random.h"
#include <string.h>

enum cella_status cella_x25519_from_private(struct cella_x25519_key *ret_key,
                                            const uint8_t private_key[CELLA_X25519_SIZE]) {
    OSSL_LIB_CTX *context = cella_crypto_library()->context;
    EVP_PKEY *prepared =
        EVP_PKEY_new_raw_private_key_ex(context, "X25519", NULL, private_key, CELLA_X25519_SIZE);
    if (prepared == NULL)
        return CELLA_CRYPTO;
    struct cella_x25519_key key = {.prepared = prepared};
    size_t size = sizeof key.public_key;
    enum cella_status status = CELLA_CRYPTO;
    if (EVP_PKEY_get_raw_public_key(prepared, key.public_key, &size) == 1 && size == CELLA_X25519_SIZE) {
        memcpy(key.private_key, private_key, CELLA_X25519_SIZE);
        *ret_key = key;
        status = CELLA_OK;
    } else {
        EVP_PKEY_free(prepared);
    }
    cella_wipe(&key, sizeof key);
    return status;
}

enum cella_status cella_x25519_generate(struct cella_x25519_key *ret_key) {
    uint8_t private_key[CELLA_X25519_SIZE];
    enum cella_status status = cella_random(private_key, sizeof private_key);
    if (status == CELLA_OK)
        status = cella_x25519_from_private(ret_key, private_key);
    cella_wipe(private_key, sizeof private_key);
    return status;
}

enum cella_status cella_x25519_copy(struct cella_x25519_key *ret_key, const struct cella_x25519_key *key) {
    if (key->prepared == NULL)
        return CELLA_ARGUMENT;
    if (EVP_PKEY_up_ref(key->prepared) != 1)
        return CELLA_CRYPTO;
    *ret_key = *key;
    return CELLA_OK;
}

enum cella_status cella_x25519_shared(const struct cella_x25519_key *key,
                                      const uint8_t peer_public[CELLA_X25519_SIZE],
                                      struct cella_x25519_secret *ret_secret) {
    static const uint8_t zeros[CELLA_X25519_SIZE];
    if (key->prepared == NULL)
        return CELLA_ARGUMENT;
    OSSL_LIB_CTX *context = cella_crypto_library()->context;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(context, "X25519", NULL, peer_public, CELLA_X25519_SIZE);
    EVP_PKEY_CTX *exchange = EVP_PKEY_CTX_new_from_pkey(context, key->prepared, NULL);
    struct cella_x25519_secret secret;
    size_t size = sizeof secret.bytes;
    enum cella_status status = CELLA_CRYPTO;
    /* No validation of the peer: for this curve it only repeats the size check. */
    if (peer != NULL && exchange != NULL && EVP_PKEY_derive_init(exchange) == 1 &&
        EVP_PKEY_derive_set_peer_ex(exchange, peer, 0) == 1) {
        /* From here libcrypto fails only when the secret is all zeros; it is checked again all the same. */
        bool made = EVP_PKEY_derive(exchange, secret.bytes, &size) == 1 && size == sizeof secret.bytes;
        status =
            made && !cella_equal_secret(secret.bytes, zeros, sizeof zeros) ? CELLA_OK : CELLA_KEY_INVALID;
    }
    if (status == CELLA_OK)
        *ret_secret = secret;
    cella_wipe(&secret, sizeof secret);
    EVP_PKEY_CTX_free(exchange);
    EVP_PKEY_free(peer);
    return status;
}

void cella_x25519_deinit(struct cella_x25519_key *key) {
    if (key == NULL)
        return;
    EVP_PKEY_free(key->prepared);
    cella_wipe(key, sizeof *key);
}
