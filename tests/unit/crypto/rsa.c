/* RSA-3072 with exponent 3: keys, PEM, signatures. That signatures are the right ones is in the image's
 * vectors. */
#include "crypto/rsa.h"
#include "base/secret.h"
#include "support/test.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static struct cella_rsa *key;

static int make_key(void **state) {
    return cella_rsa_generate(&key) == CELLA_OK ? 0 : -1;
}

static int free_key(void **state) {
    cella_rsa_free(key);
    return 0;
}

static void a_new_key_signs_what_its_public_half_verifies(void **state) {
    uint8_t signature[CELLA_RSA_SIZE];
    uint8_t modulus[CELLA_RSA_SIZE];
    struct cella_rsa *public_key = NULL;
    struct cella_bytes message = CELLA_BYTES("message", 7);
    assert_true(cella_rsa_is_private(key));
    assert_status(cella_rsa_sign(key, message, signature), CELLA_OK);
    cella_rsa_modulus(key, modulus);
    assert_true((modulus[CELLA_RSA_SIZE - 1] & 0x80) != 0); /* little endian: the top byte is last */
    assert_status(cella_rsa_from_modulus(modulus, &public_key), CELLA_OK);
    assert_false(cella_rsa_is_private(public_key));
    assert_status(cella_rsa_verify(public_key, message, signature), CELLA_OK);
    assert_status(cella_rsa_verify(public_key, CELLA_BYTES("messagf", 7), signature), CELLA_AUTHENTICATION);
    assert_status(cella_rsa_sign(public_key, message, signature), CELLA_KEY_INVALID);
    signature[100] ^= 1;
    assert_status(cella_rsa_verify(public_key, message, signature), CELLA_AUTHENTICATION);
    cella_rsa_free(public_key);
}

static void both_halves_survive_pem(void **state) {
    char *pem = NULL;
    size_t size = 0;
    uint8_t before[CELLA_RSA_SIZE];
    uint8_t after[CELLA_RSA_SIZE];
    struct cella_rsa *again = NULL;
    cella_rsa_modulus(key, before);
    assert_status(cella_rsa_write_private_pem(key, &pem, &size), CELLA_OK);
    assert_int_equal(strncmp(pem, "-----BEGIN PRIVATE KEY-----", 27), 0);
    assert_status(cella_rsa_read_public_pem(CELLA_BYTES(pem, size), &again, NULL), CELLA_KEY_INVALID);
    assert_status(cella_rsa_read_private_pem(CELLA_BYTES(pem, size), &again, NULL), CELLA_OK);
    cella_rsa_modulus(again, after);
    assert_memory_equal(before, after, sizeof before);
    cella_rsa_free(again);
    cella_wipe_free(pem, size);
    assert_status(cella_rsa_write_public_pem(key, &pem, &size), CELLA_OK);
    assert_int_equal(strncmp(pem, "-----BEGIN PUBLIC KEY-----", 26), 0);
    assert_status(cella_rsa_read_private_pem(CELLA_BYTES(pem, size), &again, NULL), CELLA_KEY_INVALID);
    assert_status(cella_rsa_read_public_pem(CELLA_BYTES(pem, size), &again, NULL), CELLA_OK);
    assert_status(cella_rsa_write_private_pem(again, &pem, &size), CELLA_KEY_INVALID);
    cella_rsa_free(again);
    free(pem);
}

/* PEM of a private key of another kind. */
static struct cella_bytes other_key(const char *type, int bits, unsigned exponent) {
    EVP_PKEY *other = NULL;
    BIGNUM *e = BN_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    assert_true(BN_set_word(e, exponent) == 1 && EVP_PKEY_keygen_init(context) == 1);
    if (bits != 0)
        assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits) == 1 &&
                    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, e) == 1);
    assert_true(EVP_PKEY_generate(context, &other) == 1);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_true(PEM_write_bio_PKCS8PrivateKey(bio, other, NULL, NULL, 0, NULL, NULL) == 1);
    long size = BIO_get_mem_data(bio, &text);
    struct cella_bytes copy = test_copy(CELLA_BYTES(text, (size_t)size));
    BIO_free(bio);
    BN_free(e);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    return copy;
}

static void keys_of_other_kinds_are_refused(void **state) {
    struct cella_rsa *read = NULL;
    struct cella_error error = {0};
    assert_status(cella_rsa_read_private_pem(other_key("RSA", 3072, 65537), &read, &error),
                  CELLA_SIGNING_KEY);
    assert_non_null(strstr(error.message, "another exponent"));
    assert_status(cella_rsa_read_private_pem(other_key("RSA", 2048, 3), &read, &error), CELLA_SIGNING_KEY);
    assert_non_null(strstr(error.message, "2048 bits"));
    assert_status(cella_rsa_read_private_pem(other_key("ED25519", 0, 3), &read, &error), CELLA_SIGNING_KEY);
    assert_non_null(strstr(error.message, "no RSA key"));
}

static void text_that_is_no_key_is_refused(void **state) {
    struct cella_rsa *read = NULL;
    static const char wrong[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_status(cella_rsa_read_private_pem(CELLA_BYTES("", 0), &read, NULL), CELLA_KEY_INVALID);
    assert_status(cella_rsa_read_private_pem(CELLA_BYTES(wrong, sizeof wrong - 1), &read, NULL),
                  CELLA_KEY_INVALID);
    assert_status(cella_rsa_read_private_pem(test_pattern(CELLA_RSA_PEM_LIMIT + 1, 1), &read, NULL),
                  CELLA_KEY_INVALID);
    assert_null(read);
}

static void a_modulus_that_is_none_is_refused(void **state) {
    struct cella_rsa *read = NULL;
    uint8_t modulus[CELLA_RSA_SIZE] = {0};
    assert_status(cella_rsa_from_modulus(modulus, &read), CELLA_KEY_INVALID);
    cella_rsa_modulus(key, modulus);
    modulus[0] &= 0xfe; /* even */
    assert_status(cella_rsa_from_modulus(modulus, &read), CELLA_KEY_INVALID);
    cella_rsa_modulus(key, modulus);
    modulus[CELLA_RSA_SIZE - 1] = 0; /* too short */
    assert_status(cella_rsa_from_modulus(modulus, &read), CELLA_KEY_INVALID);
}

static void quotients_need_a_signature_below_the_modulus(void **state) {
    uint8_t modulus[CELLA_RSA_SIZE];
    uint8_t q1[CELLA_RSA_SIZE];
    uint8_t q2[CELLA_RSA_SIZE];
    uint8_t one[CELLA_RSA_SIZE] = {1};
    static const uint8_t zeros[CELLA_RSA_SIZE];
    cella_rsa_modulus(key, modulus);
    assert_status(cella_rsa_quotients(modulus, modulus, q1, q2), CELLA_CRYPTO);
    assert_status(cella_rsa_quotients(one, zeros, q1, q2), CELLA_CRYPTO);
    assert_status(cella_rsa_quotients(one, modulus, q1, q2), CELLA_OK);
    assert_memory_equal(q1, zeros, sizeof zeros);
    assert_memory_equal(q2, zeros, sizeof zeros);
    /* (m - 1)^2 / m = m - 2, rest 1; (m - 1) * 1 / m = 0. */
    uint8_t largest[CELLA_RSA_SIZE];
    memcpy(largest, modulus, sizeof largest);
    largest[0] -= 1; /* the modulus is odd */
    assert_status(cella_rsa_quotients(largest, modulus, q1, q2), CELLA_OK);
    assert_int_equal(q1[0], (uint8_t)(modulus[0] - 2));
    assert_memory_equal(q2, zeros, sizeof zeros);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_key_signs_what_its_public_half_verifies),
        cmocka_unit_test(both_halves_survive_pem),
        cmocka_unit_test(keys_of_other_kinds_are_refused),
        cmocka_unit_test(text_that_is_no_key_is_refused),
        cmocka_unit_test(a_modulus_that_is_none_is_refused),
        cmocka_unit_test(quotients_need_a_signature_below_the_modulus),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
