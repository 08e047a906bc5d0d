/* RSA-3072, exponent 3, through libcrypto. Must not ask for a passphrase or accept any other key. */
#include "crypto/rsa.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/library.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 8 * CELLA_RSA_SIZE };

struct cella_rsa {
    EVP_PKEY *key;
    bool is_private;
    uint8_t modulus[CELLA_RSA_SIZE];
};

void cella_rsa_free(struct cella_rsa *key) {
    if (key == NULL)
        return;
    EVP_PKEY_free(key->key);
    free(key);
}

/* Takes over `key` in any case; it must be RSA-3072 with exponent 3. */
static enum cella_status wrap(EVP_PKEY *key, bool is_private, struct cella_rsa **ret_key,
                              struct cella_error *error) {
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    struct cella_rsa *result = calloc(1, sizeof *result);
    enum cella_status status = CELLA_OK;
    if (result == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for a key");
    else if (!EVP_PKEY_is_a(key, "RSA"))
        status = cella_fail(error, CELLA_SIGNING_KEY, "the key is no RSA key");
    else if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
             EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        status = cella_fail(error, CELLA_KEY_INVALID, "the key has no modulus or exponent");
    else if (BN_num_bits(n) != BITS || !BN_is_word(e, CELLA_RSA_EXPONENT))
        status = cella_fail(
            error, CELLA_SIGNING_KEY, "the key has %d bits%s, images are signed with %d bits and exponent %d",
            BN_num_bits(n), BN_is_word(e, CELLA_RSA_EXPONENT) ? "" : " and another exponent than 3", BITS,
            CELLA_RSA_EXPONENT);
    else if (!BN_is_odd(n) || BN_bn2lebinpad(n, result->modulus, CELLA_RSA_SIZE) != CELLA_RSA_SIZE)
        status = cella_fail(error, CELLA_KEY_INVALID, "the key's modulus is even");
    BN_free(n);
    BN_free(e);
    if (status != CELLA_OK) {
        EVP_PKEY_free(key);
        free(result);
        return status;
    }
    result->key = key;
    result->is_private = is_private;
    *ret_key = result;
    return CELLA_OK;
}

enum cella_status cella_rsa_generate(struct cella_rsa **ret_key) {
    EVP_PKEY *key = NULL;
    BIGNUM *exponent = BN_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(cella_crypto_library()->context, "RSA", NULL);
    bool good = exponent != NULL && context != NULL && BN_set_word(exponent, CELLA_RSA_EXPONENT) == 1 &&
                EVP_PKEY_keygen_init(context) > 0 && EVP_PKEY_CTX_set_rsa_keygen_bits(context, BITS) > 0 &&
                EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, exponent) > 0 &&
                EVP_PKEY_generate(context, &key) > 0;
    EVP_PKEY_CTX_free(context);
    BN_free(exponent);
    return good ? wrap(key, true, ret_key, NULL) : CELLA_CRYPTO;
}

static int no_passphrase(char *buffer, int size, int writing, void *context) {
    return -1;
}

static enum cella_status read_pem(struct cella_bytes pem, bool is_private, struct cella_rsa **ret_key,
                                  struct cella_error *error) {
    if (pem.size > CELLA_RSA_PEM_LIMIT)
        return cella_fail(error, CELLA_KEY_INVALID, "a key of %zu bytes is none", pem.size);
    BIO *bio = BIO_new_mem_buf(pem.size == 0 ? "" : (const char *)pem.data, (int)pem.size);
    if (bio == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a key");
    OSSL_LIB_CTX *context = cella_crypto_library()->context;
    EVP_PKEY *key = is_private ? PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL, context, NULL)
                               : PEM_read_bio_PUBKEY_ex(bio, NULL, no_passphrase, NULL, context, NULL);
    BIO_free(bio);
    if (key == NULL)
        return cella_fail(error, CELLA_KEY_INVALID,
                          is_private ? "there is no private key in PEM form without passphrase"
                                     : "there is no public key in PEM form (BEGIN PUBLIC KEY)");
    return wrap(key, is_private, ret_key, error);
}

enum cella_status cella_rsa_read_private_pem(struct cella_bytes pem, struct cella_rsa **ret_key,
                                             struct cella_error *error) {
    return read_pem(pem, true, ret_key, error);
}

enum cella_status cella_rsa_read_public_pem(struct cella_bytes pem, struct cella_rsa **ret_key,
                                            struct cella_error *error) {
    return read_pem(pem, false, ret_key, error);
}

enum cella_status cella_rsa_from_modulus(const uint8_t modulus[CELLA_RSA_SIZE], struct cella_rsa **ret_key) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = NULL;
    BIGNUM *n = BN_lebin2bn(modulus, CELLA_RSA_SIZE, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(cella_crypto_library()->context, "RSA", NULL);
    bool good = n != NULL && builder != NULL && context != NULL &&
                OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                OSSL_PARAM_BLD_push_uint(builder, OSSL_PKEY_PARAM_RSA_E, CELLA_RSA_EXPONENT) == 1 &&
                (parameters = OSSL_PARAM_BLD_to_param(builder)) != NULL &&
                EVP_PKEY_fromdata_init(context) > 0 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) > 0;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    if (!good || wrap(key, false, ret_key, NULL) != CELLA_OK)
        return CELLA_KEY_INVALID;
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

static enum cella_status write_pem(const struct cella_rsa *key, bool is_private, char **ret_pem,
                                   size_t *ret_size) {
    if (is_private && !key->is_private)
        return CELLA_KEY_INVALID;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return CELLA_NO_MEMORY;
    int written = is_private ? PEM_write_bio_PKCS8PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL)
                             : PEM_write_bio_PUBKEY(bio, key->key);
    enum cella_status status = written == 1 ? take_text(bio, ret_pem, ret_size) : CELLA_CRYPTO;
    BIO_free(bio);
    return status;
}

enum cella_status cella_rsa_write_private_pem(const struct cella_rsa *key, char **ret_pem, size_t *ret_size) {
    return write_pem(key, true, ret_pem, ret_size);
}

enum cella_status cella_rsa_write_public_pem(const struct cella_rsa *key, char **ret_pem, size_t *ret_size) {
    return write_pem(key, false, ret_pem, ret_size);
}

bool cella_rsa_is_private(const struct cella_rsa *key) {
    return key->is_private;
}

void cella_rsa_modulus(const struct cella_rsa *key, uint8_t out[CELLA_RSA_SIZE]) {
    memcpy(out, key->modulus, CELLA_RSA_SIZE);
}

static EVP_MD_CTX *new_digest(void) {
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    CELLA_ASSERT(digest != NULL);
    return digest;
}

static bool use_pkcs1(EVP_PKEY_CTX *context) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
}

enum cella_status cella_rsa_sign(const struct cella_rsa *key, struct cella_bytes message,
                                 uint8_t ret_signature[CELLA_RSA_SIZE]) {
    if (!key->is_private)
        return CELLA_KEY_INVALID;
    uint8_t signature[CELLA_RSA_SIZE];
    size_t size = sizeof signature;
    EVP_PKEY_CTX *context = NULL;
    EVP_MD_CTX *digest = new_digest();
    bool good = EVP_DigestSignInit_ex(digest, &context, "SHA2-256", cella_crypto_library()->context, NULL,
                                      key->key, NULL) == 1 &&
                use_pkcs1(context) &&
                EVP_DigestSign(digest, signature, &size, message.data, message.size) == 1 &&
                size == sizeof signature;
    EVP_MD_CTX_free(digest);
    if (!good)
        return CELLA_CRYPTO;
    memcpy(ret_signature, signature, sizeof signature);
    return CELLA_OK;
}

enum cella_status cella_rsa_verify(const struct cella_rsa *key, struct cella_bytes message,
                                   const uint8_t signature[CELLA_RSA_SIZE]) {
    EVP_PKEY_CTX *context = NULL;
    EVP_MD_CTX *digest = new_digest();
    bool good = EVP_DigestVerifyInit_ex(digest, &context, "SHA2-256", cella_crypto_library()->context, NULL,
                                        key->key, NULL) == 1 &&
                use_pkcs1(context) &&
                EVP_DigestVerify(digest, signature, CELLA_RSA_SIZE, message.data, message.size) == 1;
    EVP_MD_CTX_free(digest);
    return good ? CELLA_OK : CELLA_AUTHENTICATION;
}

enum cella_status cella_rsa_quotients(const uint8_t signature[CELLA_RSA_SIZE],
                                      const uint8_t modulus[CELLA_RSA_SIZE], uint8_t ret_q1[CELLA_RSA_SIZE],
                                      uint8_t ret_q2[CELLA_RSA_SIZE]) {
    BN_CTX *context = BN_CTX_new_ex(cella_crypto_library()->context);
    BIGNUM *s = BN_lebin2bn(signature, CELLA_RSA_SIZE, NULL);
    BIGNUM *m = BN_lebin2bn(modulus, CELLA_RSA_SIZE, NULL);
    BIGNUM *product = BN_new();
    BIGNUM *rest = BN_new();
    BIGNUM *q1 = BN_new();
    BIGNUM *q2 = BN_new();
    /* s^3 - q1 * s * m is s * (s^2 mod m). */
    bool good = context != NULL && s != NULL && m != NULL && product != NULL && rest != NULL && q1 != NULL &&
                q2 != NULL && BN_cmp(s, m) < 0 && BN_sqr(product, s, context) == 1 &&
                BN_div(q1, rest, product, m, context) == 1 && BN_mul(product, s, rest, context) == 1 &&
                BN_div(q2, NULL, product, m, context) == 1 && BN_num_bytes(q1) <= CELLA_RSA_SIZE &&
                BN_num_bytes(q2) <= CELLA_RSA_SIZE;
    if (good) {
        CELLA_ASSERT(BN_bn2lebinpad(q1, ret_q1, CELLA_RSA_SIZE) == CELLA_RSA_SIZE);
        CELLA_ASSERT(BN_bn2lebinpad(q2, ret_q2, CELLA_RSA_SIZE) == CELLA_RSA_SIZE);
    }
    BN_free(s);
    BN_free(m);
    BN_free(product);
    BN_free(rest);
    BN_free(q1);
    BN_free(q2);
    BN_CTX_free(context);
    return good ? CELLA_OK : CELLA_CRYPTO;
}
