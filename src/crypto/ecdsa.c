/* ECDSA P-256 over libcrypto. Must not accept a point outside the curve or leave a private number behind. */
#include "crypto/ecdsa.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/ecdsa_pkey.h"
#include "crypto/hash.h"
#include "crypto/library.h"
#include "crypto/random.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CURVE       "prime256v1"
#define NUMBER_SIZE 32
/* A DER signature on P-256: SEQUENCE of two INTEGERs of at most 33 bytes. */
#define DER_SIZE_MAX 72

struct cella_ecdsa_public {
    EVP_PKEY *pkey;
};

struct cella_ecdsa_key {
    EVP_PKEY *pkey;
    uint8_t private_key[CELLA_ECDSA_PRIVATE_SIZE];
    uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE];
};

static EC_GROUP *group;
static pthread_once_t group_once = PTHREAD_ONCE_INIT;

static void make_group(void) {
    group = EC_GROUP_new_by_curve_name_ex(cella_crypto_library()->context, NULL, NID_X9_62_prime256v1);
    CELLA_ASSERT(group != NULL);
}

static const EC_GROUP *curve(void) {
    CELLA_ASSERT(pthread_once(&group_once, make_group) == 0);
    return group;
}

/* `private_number` may be NULL: a public key alone. */
static EVP_PKEY *pkey_from_numbers(const uint8_t point[1 + CELLA_ECDSA_PUBLIC_SIZE],
                                   const BIGNUM *private_number) {
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(cella_crypto_library()->context, "EC", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool good = context != NULL && builder != NULL &&
                OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) == 1 &&
                OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                 1 + CELLA_ECDSA_PUBLIC_SIZE) == 1;
    if (good && private_number != NULL)
        good = OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, private_number) == 1;
    if (good)
        parameters = OSSL_PARAM_BLD_to_param(builder);
    int selection = private_number != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    if (parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pkey, selection, parameters) != 1)
        pkey = NULL;
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *template;
static pthread_once_t template_once = PTHREAD_ONCE_INIT;

static void make_template(void) {
    char name[] = CURVE;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
                                     OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(cella_crypto_library()->context, "EC", NULL);
    CELLA_ASSERT(context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                 EVP_PKEY_fromdata(context, &template, EVP_PKEY_KEY_PARAMETERS, (OSSL_PARAM *)parameters) ==
                     1);
    EVP_PKEY_CTX_free(context);
}

/* A copy of a key that has the curve alone: four times as fast as naming the curve each time, whose tables
 * libcrypto would make anew. Setting the point checks that it lies on the curve. */
enum cella_status cella_ecdsa_public_pkey(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                          EVP_PKEY **ret_pkey) {
    uint8_t point[1 + CELLA_ECDSA_PUBLIC_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, public_key, CELLA_ECDSA_PUBLIC_SIZE);
    CELLA_ASSERT(pthread_once(&template_once, make_template) == 0);
    EVP_PKEY *pkey = EVP_PKEY_dup(template);
    if (pkey == NULL || EVP_PKEY_set1_encoded_public_key(pkey, point, sizeof point) != 1) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return CELLA_KEY_INVALID;
    }
    *ret_pkey = pkey;
    return CELLA_OK;
}

/* The DER form that libcrypto wants; 0 when r or s cannot be one. */
static size_t signature_to_der(const uint8_t raw[CELLA_ECDSA_SIGNATURE_SIZE], uint8_t der[DER_SIZE_MAX]) {
    size_t size = 0;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, NUMBER_SIZE, NULL);
    BIGNUM *s = BN_bin2bn(raw + NUMBER_SIZE, NUMBER_SIZE, NULL);
    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = NULL;
        s = NULL;
        uint8_t *end = der;
        int count = i2d_ECDSA_SIG(signature, NULL);
        if (count > 0 && count <= DER_SIZE_MAX && i2d_ECDSA_SIG(signature, &end) == count)
            size = (size_t)count;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return size;
}

enum cella_status cella_ecdsa_signature_from_der(struct cella_bytes der,
                                                 uint8_t ret_signature[CELLA_ECDSA_SIGNATURE_SIZE]) {
    uint8_t raw[CELLA_ECDSA_SIGNATURE_SIZE];
    uint8_t again[DER_SIZE_MAX];
    const uint8_t *at = der.data;
    if (der.size == 0 || der.size > DER_SIZE_MAX)
        return CELLA_DAMAGED;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der.size);
    bool good = signature != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, NUMBER_SIZE) == NUMBER_SIZE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + NUMBER_SIZE, NUMBER_SIZE) == NUMBER_SIZE;
    ECDSA_SIG_free(signature);
    /* Only the one shortest encoding: another one would be the same signature in other bytes. */
    good = good && signature_to_der(raw, again) == der.size && memcmp(again, der.data, der.size) == 0;
    if (!good) {
        ERR_clear_error();
        return CELLA_DAMAGED;
    }
    memcpy(ret_signature, raw, sizeof raw);
    return CELLA_OK;
}

static enum cella_status verify(EVP_PKEY *pkey, struct cella_bytes message,
                                const uint8_t raw[CELLA_ECDSA_SIGNATURE_SIZE]) {
    uint8_t digest[CELLA_SHA256_SIZE];
    uint8_t der[DER_SIZE_MAX];
    size_t der_size = signature_to_der(raw, der);
    if (der_size == 0)
        return CELLA_AUTHENTICATION;
    cella_sha256(message.data, message.size, digest);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(cella_crypto_library()->context, pkey, NULL);
    bool good = context != NULL && EVP_PKEY_verify_init(context) == 1 &&
                EVP_PKEY_verify(context, der, der_size, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(context);
    if (!good)
        ERR_clear_error();
    return good ? CELLA_OK : CELLA_AUTHENTICATION;
}

enum cella_status cella_ecdsa_verify(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                     struct cella_bytes message,
                                     const uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE]) {
    EVP_PKEY *pkey = NULL;
    enum cella_status status = cella_ecdsa_public_pkey(public_key, &pkey);
    if (status != CELLA_OK)
        return status;
    status = verify(pkey, message, signature);
    EVP_PKEY_free(pkey);
    return status;
}

enum cella_status cella_ecdsa_public_new(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                         struct cella_ecdsa_public **ret_public) {
    struct cella_ecdsa_public *prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status = cella_ecdsa_public_pkey(public_key, &prepared->pkey);
    if (status != CELLA_OK) {
        free(prepared);
        return status;
    }
    *ret_public = prepared;
    return CELLA_OK;
}

enum cella_status cella_ecdsa_public_verify(const struct cella_ecdsa_public *public_key,
                                            struct cella_bytes message,
                                            const uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE]) {
    return verify(public_key->pkey, message, signature);
}

void cella_ecdsa_public_free(struct cella_ecdsa_public *public_key) {
    if (public_key == NULL)
        return;
    EVP_PKEY_free(public_key->pkey);
    free(public_key);
}

/* The public point of `number`, uncompressed. */
static bool multiply_base(const BIGNUM *number, uint8_t point[1 + CELLA_ECDSA_PUBLIC_SIZE]) {
    EC_POINT *product = EC_POINT_new(curve());
    BN_CTX *scratch = BN_CTX_secure_new_ex(cella_crypto_library()->context);
    bool good = product != NULL && scratch != NULL &&
                EC_POINT_mul(curve(), product, number, NULL, NULL, scratch) == 1 &&
                EC_POINT_point2oct(curve(), product, POINT_CONVERSION_UNCOMPRESSED, point,
                                   1 + CELLA_ECDSA_PUBLIC_SIZE, scratch) == 1 + CELLA_ECDSA_PUBLIC_SIZE;
    EC_POINT_free(product);
    BN_CTX_free(scratch);
    return good;
}

enum cella_status cella_ecdsa_key_import(const uint8_t private_key[CELLA_ECDSA_PRIVATE_SIZE],
                                         struct cella_ecdsa_key **ret_key) {
    enum cella_status status = CELLA_OK;
    uint8_t point[1 + CELLA_ECDSA_PUBLIC_SIZE];
    struct cella_ecdsa_key *key = calloc(1, sizeof *key);
    BIGNUM *number = BN_secure_new();
    if (key == NULL || number == NULL)
        status = CELLA_NO_MEMORY;
    else if (BN_bin2bn(private_key, CELLA_ECDSA_PRIVATE_SIZE, number) == NULL)
        status = CELLA_CRYPTO;
    else if (BN_is_zero(number) || BN_cmp(number, EC_GROUP_get0_order(curve())) >= 0)
        status = CELLA_KEY_INVALID;
    if (status == CELLA_OK) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
        if (multiply_base(number, point))
            key->pkey = pkey_from_numbers(point, number);
        if (key->pkey == NULL)
            status = CELLA_CRYPTO;
    }
    BN_clear_free(number);
    if (status != CELLA_OK) {
        cella_ecdsa_key_free(key);
        return status;
    }
    memcpy(key->private_key, private_key, sizeof key->private_key);
    memcpy(key->public_key, point + 1, sizeof key->public_key);
    *ret_key = key;
    return CELLA_OK;
}

enum cella_status cella_ecdsa_key_generate(struct cella_ecdsa_key **ret_key) {
    uint8_t number[CELLA_ECDSA_PRIVATE_SIZE];
    enum cella_status status = CELLA_KEY_INVALID;
    /* A random number is out of range about once in 2^32: then the next one is taken. */
    while (status == CELLA_KEY_INVALID) {
        status = cella_random(number, sizeof number);
        if (status == CELLA_OK)
            status = cella_ecdsa_key_import(number, ret_key);
    }
    cella_wipe(number, sizeof number);
    return status;
}

void cella_ecdsa_key_export(const struct cella_ecdsa_key *key, uint8_t out[CELLA_ECDSA_PRIVATE_SIZE]) {
    memcpy(out, key->private_key, CELLA_ECDSA_PRIVATE_SIZE);
}

const uint8_t *cella_ecdsa_key_public(const struct cella_ecdsa_key *key) {
    return key->public_key;
}

EVP_PKEY *cella_ecdsa_key_pkey(const struct cella_ecdsa_key *key) {
    return key->pkey;
}

enum cella_status cella_ecdsa_sign(const struct cella_ecdsa_key *key, struct cella_bytes message,
                                   uint8_t ret_signature[CELLA_ECDSA_SIGNATURE_SIZE]) {
    uint8_t digest[CELLA_SHA256_SIZE];
    uint8_t der[DER_SIZE_MAX];
    uint8_t raw[CELLA_ECDSA_SIGNATURE_SIZE];
    size_t der_size = sizeof der;
    cella_sha256(message.data, message.size, digest);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(cella_crypto_library()->context, key->pkey, NULL);
    bool good = context != NULL && EVP_PKEY_sign_init(context) == 1 &&
                EVP_PKEY_sign(context, der, &der_size, digest, sizeof digest) == 1 &&
                cella_ecdsa_signature_from_der(CELLA_BYTES(der, der_size), raw) == CELLA_OK;
    EVP_PKEY_CTX_free(context);
    if (!good) {
        ERR_clear_error();
        return CELLA_CRYPTO;
    }
    memcpy(ret_signature, raw, sizeof raw);
    return CELLA_OK;
}

void cella_ecdsa_key_free(struct cella_ecdsa_key *key) {
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    cella_wipe_free(key, sizeof *key);
}
