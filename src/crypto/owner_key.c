/* Owner keys in PEM form through libcrypto. Must not: leave a copy of a private key in memory that it frees.
 */
#include "crypto/owner_key.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/library.h"
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static int no_passphrase(char *buffer, int size, int writing, void *context) {
    return -1;
}

/* A key of this kind, or NULL. */
static EVP_PKEY *read_pem(struct cella_bytes pem, bool is_private) {
    if (pem.size == 0 || pem.size > CELLA_OWNER_PEM_LIMIT)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL)
        return NULL;
    OSSL_LIB_CTX *context = cella_crypto_library()->context;
    EVP_PKEY *key = is_private ? PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL, context, NULL)
                               : PEM_read_bio_PUBKEY_ex(bio, NULL, no_passphrase, NULL, context, NULL);
    BIO_free(bio);
    if (key != NULL && EVP_PKEY_is_a(key, "ED25519") != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

enum cella_status cella_owner_key_read(struct cella_bytes pem, struct cella_ed25519_key *ret_key,
                                       struct cella_error *error) {
    uint8_t seed[CELLA_ED25519_SEED_SIZE];
    size_t size = sizeof seed;
    EVP_PKEY *key = read_pem(pem, true);
    enum cella_status status = CELLA_KEY_INVALID;
    if (key != NULL && EVP_PKEY_get_raw_private_key(key, seed, &size) == 1 && size == sizeof seed)
        status = cella_ed25519_from_seed(ret_key, seed);
    EVP_PKEY_free(key);
    cella_wipe(seed, sizeof seed);
    return status == CELLA_OK
               ? CELLA_OK
               : cella_fail(error, status, "there is no private Ed25519 key in PEM form without passphrase");
}

enum cella_status cella_owner_key_read_public(struct cella_bytes pem,
                                              uint8_t ret_public[CELLA_ED25519_PUBLIC_SIZE],
                                              bool *ret_is_private, struct cella_error *error) {
    uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE];
    size_t size = sizeof public_key;
    EVP_PKEY *key = read_pem(pem, true);
    bool is_private = key != NULL;
    if (!is_private)
        key = read_pem(pem, false);
    bool good =
        key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1 && size == sizeof public_key;
    EVP_PKEY_free(key);
    if (!good)
        return cella_fail(error, CELLA_KEY_INVALID, "there is no Ed25519 key in PEM form");
    memcpy(ret_public, public_key, sizeof public_key);
    *ret_is_private = is_private;
    return CELLA_OK;
}

/* Copies what `bio` holds, with a terminator, and wipes the original. */
static enum cella_status take_text(BIO *bio, char **ret_text, size_t *ret_size) {
    BUF_MEM *memory = NULL;
    BIO_get_mem_ptr(bio, &memory);
    char *text = malloc(memory->length + 1);
    if (text == NULL)
        return CELLA_NO_MEMORY;
    memcpy(text, memory->data, memory->length);
    text[memory->length] = '\0';
    *ret_size = memory->length;
    *ret_text = text;
    cella_wipe(memory->data, memory->length);
    return CELLA_OK;
}

static enum cella_status write_pem(const struct cella_ed25519_key *key, bool is_private, char **ret_pem,
                                   size_t *ret_size) {
    OSSL_LIB_CTX *context = cella_crypto_library()->context;
    EVP_PKEY *object =
        is_private ? EVP_PKEY_new_raw_private_key_ex(context, "ED25519", NULL, key->seed, sizeof key->seed)
                   : EVP_PKEY_new_raw_public_key_ex(context, "ED25519", NULL, key->public_key,
                                                    sizeof key->public_key);
    BIO *bio = BIO_new(BIO_s_mem());
    enum cella_status status = CELLA_CRYPTO;
    if (object != NULL && bio != NULL &&
        (is_private ? PEM_write_bio_PKCS8PrivateKey(bio, object, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_bio_PUBKEY(bio, object)) == 1)
        status = take_text(bio, ret_pem, ret_size);
    BIO_free(bio);
    EVP_PKEY_free(object);
    return status;
}

enum cella_status cella_owner_key_write(const struct cella_ed25519_key *key, char **ret_pem,
                                        size_t *ret_size) {
    return write_pem(key, true, ret_pem, ret_size);
}

enum cella_status cella_owner_key_write_public(const struct cella_ed25519_key *key, char **ret_pem,
                                               size_t *ret_size) {
    return write_pem(key, false, ret_pem, ret_size);
}
