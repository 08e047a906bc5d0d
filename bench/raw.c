/* libcrypto's primitives, bare. Uses the default library context, not ours. */
#include "raw.h"
#include "harness.h"
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string.h>

void raw_x25519_init(struct raw_x25519 *raw) {
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    raw->peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    bench_require(own != NULL && raw->peer != NULL, "X25519 keys");
    raw->own = own;
}

void raw_x25519_run(struct raw_x25519 *raw) {
    uint8_t secret[32];
    size_t size = sizeof secret;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(raw->own, NULL);
    bench_require(context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                      EVP_PKEY_derive_set_peer(context, raw->peer) == 1 &&
                      EVP_PKEY_derive(context, secret, &size) == 1,
                  "X25519");
    EVP_PKEY_CTX_free(context);
}

void raw_x25519_deinit(struct raw_x25519 *raw) {
    EVP_PKEY_free(raw->own);
    EVP_PKEY_free(raw->peer);
}

void raw_aead_init(struct raw_aead *raw) {
    static const uint8_t key[32] = {1};
    EVP_CIPHER_CTX *seal = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX *open = EVP_CIPHER_CTX_new();
    bench_require(seal != NULL && open != NULL &&
                      EVP_EncryptInit_ex2(seal, EVP_aes_256_gcm(), key, NULL, NULL) == 1 &&
                      EVP_DecryptInit_ex2(open, EVP_aes_256_gcm(), key, NULL, NULL) == 1,
                  "AES-256-GCM");
    *raw = (struct raw_aead){.seal = seal, .open = open};
}

static const uint8_t associated[16];

void raw_aead_seal(struct raw_aead *raw, const uint8_t *plain, size_t size, uint8_t *out) {
    uint8_t nonce[12] = {0};
    int count = 0;
    raw->nonce++;
    memcpy(nonce, &raw->nonce, sizeof raw->nonce);
    bench_require(EVP_EncryptInit_ex2(raw->seal, NULL, NULL, nonce, NULL) == 1 &&
                      EVP_EncryptUpdate(raw->seal, NULL, &count, associated, sizeof associated) == 1 &&
                      EVP_EncryptUpdate(raw->seal, out, &count, plain, (int)size) == 1 &&
                      EVP_EncryptFinal_ex(raw->seal, out + size, &count) == 1 &&
                      EVP_CIPHER_CTX_ctrl(raw->seal, EVP_CTRL_AEAD_GET_TAG, 16, out + size) == 1,
                  "AES-256-GCM encryption");
}

void raw_aead_open(struct raw_aead *raw, const uint8_t *sealed, size_t size, uint8_t *out) {
    uint8_t nonce[12] = {0};
    uint8_t tag[16];
    int count = 0;
    memcpy(nonce, &raw->nonce, sizeof raw->nonce);
    memcpy(tag, sealed + size, sizeof tag);
    bench_require(EVP_DecryptInit_ex2(raw->open, NULL, NULL, nonce, NULL) == 1 &&
                      EVP_DecryptUpdate(raw->open, NULL, &count, associated, sizeof associated) == 1 &&
                      EVP_DecryptUpdate(raw->open, out, &count, sealed, (int)size) == 1 &&
                      EVP_CIPHER_CTX_ctrl(raw->open, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
                      EVP_DecryptFinal_ex(raw->open, out + size, &count) == 1,
                  "AES-256-GCM decryption");
}

void raw_aead_deinit(struct raw_aead *raw) {
    EVP_CIPHER_CTX_free(raw->seal);
    EVP_CIPHER_CTX_free(raw->open);
}

void raw_ecdsa_init(struct raw_ecdsa *raw, size_t size) {
    bench_require(size <= sizeof raw->message, "size of the message");
    *raw = (struct raw_ecdsa){.size = size, .signature_size = sizeof raw->signature};
    raw->key = EVP_EC_gen("P-256");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bench_require(raw->key != NULL && context != NULL &&
                      EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, raw->key, NULL) == 1 &&
                      EVP_DigestSign(context, raw->signature, &raw->signature_size, raw->message, size) == 1,
                  "ECDSA signature");
    EVP_MD_CTX_free(context);
}

void raw_ecdsa_verify(struct raw_ecdsa *raw) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bench_require(
        context != NULL &&
            EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, raw->key, NULL) == 1 &&
            EVP_DigestVerify(context, raw->signature, raw->signature_size, raw->message, raw->size) == 1,
        "ECDSA verification");
    EVP_MD_CTX_free(context);
}

void raw_ecdsa_deinit(struct raw_ecdsa *raw) {
    EVP_PKEY_free(raw->key);
}
