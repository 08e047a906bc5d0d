/* SIGSTRUCT: layout, signing and verifying. */
#include "image/sigstruct.h"
#include "base/file.h"
#include "image/image.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

#define DEVELOPMENT_KEY "../cmake/INSECURE-development-signing-key.pem"

/* The 1808 bytes that the script computed, inside tiny.enclave. */
static struct cella_bytes vector(void) {
    return test_copy(CELLA_BYTES(test_vector("image/tiny.enclave").data + 48, CELLA_SIGSTRUCT_SIZE));
}

static struct cella_sigstruct parsed(void) {
    struct cella_sigstruct sigstruct;
    assert_status(cella_sigstruct_read(vector(), &sigstruct, NULL), CELLA_OK);
    return sigstruct;
}

static struct cella_rsa *development_key(void) {
    uint8_t *pem = NULL;
    size_t size = 0;
    struct cella_rsa *key = NULL;
    assert_status(cella_file_read(DEVELOPMENT_KEY, CELLA_RSA_PEM_LIMIT, &pem, &size, NULL), CELLA_OK);
    assert_status(cella_rsa_read_private_pem(CELLA_BYTES(pem, size), &key, NULL), CELLA_OK);
    free(pem);
    return key;
}

static void the_vector_is_parsed_and_verifies(void **state) {
    struct cella_sigstruct sigstruct = parsed();
    uint8_t signer[CELLA_SHA256_SIZE];
    assert_true(sigstruct.is_signed);
    assert_int_equal(sigstruct.date, 0x19700101);
    assert_int_equal(sigstruct.isv_prod_id, 0x1234);
    assert_int_equal(sigstruct.isv_svn, 5);
    assert_int_equal(sigstruct.attributes.flags, CELLA_ATTRIBUTE_MODE64BIT | CELLA_ATTRIBUTE_DEBUG);
    assert_bytes(CELLA_BYTES(sigstruct.enclave_hash, 32), test_vector_field("image/tiny.txt", "code_hash"));
    cella_sigstruct_code_signer(&sigstruct, signer);
    assert_bytes(CELLA_BYTES(signer, 32), test_vector_field("image/tiny.txt", "code_signer"));
    assert_memory_equal(signer, cella_development_signer, sizeof signer);
    assert_status(cella_sigstruct_verify(&sigstruct, NULL), CELLA_OK);
}

static void writing_what_was_read_gives_the_same_bytes(void **state) {
    struct cella_sigstruct sigstruct = parsed();
    uint8_t bytes[CELLA_SIGSTRUCT_SIZE];
    cella_sigstruct_write(&sigstruct, bytes);
    assert_bytes(CELLA_BYTES(bytes, sizeof bytes), vector());
}

static void signing_gives_the_scripts_signature_and_quotients(void **state) {
    struct cella_sigstruct sigstruct = parsed();
    struct cella_rsa *key = development_key();
    uint8_t bytes[CELLA_SIGSTRUCT_SIZE];
    sigstruct.is_signed = false;
    memset(sigstruct.modulus, 0, sizeof sigstruct.modulus);
    memset(sigstruct.signature, 0, sizeof sigstruct.signature);
    memset(sigstruct.q1, 0, sizeof sigstruct.q1);
    memset(sigstruct.q2, 0, sizeof sigstruct.q2);
    assert_status(cella_sigstruct_verify(&sigstruct, NULL), CELLA_IMAGE_UNSIGNED);
    assert_status(cella_sigstruct_sign(&sigstruct, key, NULL), CELLA_OK);
    cella_sigstruct_write(&sigstruct, bytes);
    assert_bytes(CELLA_BYTES(bytes, sizeof bytes), vector());
    cella_rsa_free(key);
}

static void an_unsigned_one_comes_back_as_unsigned(void **state) {
    struct cella_sigstruct sigstruct = {.date = 0x20000229};
    struct cella_sigstruct again;
    uint8_t bytes[CELLA_SIGSTRUCT_SIZE];
    uint8_t signer[CELLA_SHA256_SIZE];
    static const uint8_t zeros[CELLA_SHA256_SIZE];
    cella_sigstruct_write(&sigstruct, bytes);
    assert_status(cella_sigstruct_read(CELLA_BYTES(bytes, sizeof bytes), &again, NULL), CELLA_OK);
    assert_false(again.is_signed);
    cella_sigstruct_code_signer(&again, signer);
    assert_memory_equal(signer, zeros, sizeof zeros);
    bytes[516] = 1; /* a signature without exponent */
    assert_status(cella_sigstruct_read(CELLA_BYTES(bytes, sizeof bytes), &again, NULL), CELLA_DAMAGED);
}

static bool verifies(void *context, struct cella_bytes bytes) {
    struct cella_sigstruct sigstruct;
    return cella_sigstruct_read(bytes, &sigstruct, NULL) == CELLA_OK &&
           cella_sigstruct_verify(&sigstruct, NULL) == CELLA_OK;
}

static void no_bit_can_be_flipped_and_no_byte_be_missing(void **state) {
    test_bit_flips_refused(vector(), verifies, NULL);
    test_truncations_refused(vector(), verifies, NULL);
    test_extension_refused(vector(), verifies, NULL);
}

static void a_foreign_signature_is_refused_and_changes_nothing(void **state) {
    struct cella_sigstruct sigstruct = parsed();
    struct cella_sigstruct before = sigstruct;
    struct cella_rsa *key = development_key();
    struct cella_rsa *other = NULL;
    uint8_t message[CELLA_SIGSTRUCT_SIGNED_SIZE];
    uint8_t signature[CELLA_RSA_SIZE];
    assert_status(cella_rsa_generate(&other), CELLA_OK);
    cella_sigstruct_signed_bytes(&sigstruct, message);
    assert_status(cella_rsa_sign(other, CELLA_BYTES(message, sizeof message), signature), CELLA_OK);
    assert_status(cella_sigstruct_set_signature(&sigstruct, key, signature, NULL), CELLA_IMAGE_SIGNATURE);
    assert_memory_equal(&sigstruct, &before, sizeof before);
    assert_status(cella_sigstruct_set_signature(&sigstruct, other, signature, NULL), CELLA_OK);
    assert_status(cella_sigstruct_verify(&sigstruct, NULL), CELLA_OK);
    cella_rsa_free(key);
    cella_rsa_free(other);
}

static void a_public_key_cannot_sign(void **state) {
    struct cella_sigstruct sigstruct = parsed();
    struct cella_rsa *key = NULL;
    assert_status(cella_rsa_from_modulus(sigstruct.modulus, &key), CELLA_OK);
    assert_status(cella_sigstruct_sign(&sigstruct, key, NULL), CELLA_SIGNING_KEY);
    cella_rsa_free(key);
}

static void dates_are_bcd(void **state) {
    uint32_t date = 0;
    assert_status(cella_sigstruct_date(0, &date), CELLA_OK);
    assert_int_equal(date, 0x19700101);
    assert_status(cella_sigstruct_date(951782400, &date), CELLA_OK);
    assert_int_equal(date, 0x20000229);
    assert_status(cella_sigstruct_date(253402300799, &date), CELLA_OK);
    assert_int_equal(date, 0x99991231);
    assert_status(cella_sigstruct_date(253402300800, &date), CELLA_ARGUMENT);
}

static void a_date_that_is_none_is_refused(void **state) {
    static const uint32_t wrong[] = {0, 0x20260001, 0x20261301, 0x20260100, 0x20260132, 0x2026010a};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cella_sigstruct sigstruct = {.date = wrong[i]};
        uint8_t bytes[CELLA_SIGSTRUCT_SIZE];
        cella_sigstruct_write(&sigstruct, bytes);
        assert_status(cella_sigstruct_read(CELLA_BYTES(bytes, sizeof bytes), &sigstruct, NULL),
                      CELLA_DAMAGED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_is_parsed_and_verifies),
        cmocka_unit_test(writing_what_was_read_gives_the_same_bytes),
        cmocka_unit_test(signing_gives_the_scripts_signature_and_quotients),
        cmocka_unit_test(an_unsigned_one_comes_back_as_unsigned),
        cmocka_unit_test(no_bit_can_be_flipped_and_no_byte_be_missing),
        cmocka_unit_test(a_foreign_signature_is_refused_and_changes_nothing),
        cmocka_unit_test(a_public_key_cannot_sign),
        cmocka_unit_test(dates_are_bcd),
        cmocka_unit_test(a_date_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
