/* ECDSA P-256: the example of RFC 6979, refusal of every change, keys in and out. */
#include "support/test.h"
#include "crypto/ecdsa.h"
#include <string.h>

/* RFC 6979, A.2.5, SHA-256, message "sample". */
static const char private_text[] = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
static const char public_text[] = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                                  "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
static const char signature_text[] = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                                     "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
static const char order_text[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

static struct cella_bytes sample(void) {
    return CELLA_BYTES("sample", 6);
}

static void the_example_of_the_rfc_verifies(void **state) {
    assert_status(cella_ecdsa_verify(test_hex(public_text).data, sample(), test_hex(signature_text).data),
                  CELLA_OK);
}

static void every_changed_bit_of_a_signature_is_refused(void **state) {
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE];
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        memcpy(signature, test_hex(signature_text).data, sizeof signature);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_status(cella_ecdsa_verify(test_hex(public_text).data, sample(), signature),
                      CELLA_AUTHENTICATION);
    }
}

static void another_message_is_refused(void **state) {
    assert_status(cella_ecdsa_verify(test_hex(public_text).data, CELLA_BYTES("samplE", 6),
                                     test_hex(signature_text).data),
                  CELLA_AUTHENTICATION);
}

static void numbers_out_of_range_are_refused(void **state) {
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE] = {0};
    assert_status(cella_ecdsa_verify(test_hex(public_text).data, sample(), signature), CELLA_AUTHENTICATION);
    memcpy(signature, test_hex(signature_text).data, sizeof signature);
    memset(signature + 32, 0, 32);
    assert_status(cella_ecdsa_verify(test_hex(public_text).data, sample(), signature), CELLA_AUTHENTICATION);
    memcpy(signature + 32, test_hex(order_text).data, 32);
    assert_status(cella_ecdsa_verify(test_hex(public_text).data, sample(), signature), CELLA_AUTHENTICATION);
    memset(signature, 0xff, sizeof signature);
    assert_status(cella_ecdsa_verify(test_hex(public_text).data, sample(), signature), CELLA_AUTHENTICATION);
}

static void a_point_outside_the_curve_is_no_key(void **state) {
    uint8_t point[CELLA_ECDSA_PUBLIC_SIZE];
    struct cella_ecdsa_public *prepared = NULL;
    memcpy(point, test_hex(public_text).data, sizeof point);
    point[63] ^= 1;
    assert_status(cella_ecdsa_verify(point, sample(), test_hex(signature_text).data), CELLA_KEY_INVALID);
    assert_status(cella_ecdsa_public_new(point, &prepared), CELLA_KEY_INVALID);
    assert_null(prepared);
    memset(point, 0, sizeof point);
    assert_status(cella_ecdsa_verify(point, sample(), test_hex(signature_text).data), CELLA_KEY_INVALID);
}

static void a_private_number_gives_its_public_key(void **state) {
    struct cella_ecdsa_key *key = NULL;
    uint8_t exported[CELLA_ECDSA_PRIVATE_SIZE];
    assert_status(cella_ecdsa_key_import(test_hex(private_text).data, &key), CELLA_OK);
    assert_bytes(CELLA_BYTES(cella_ecdsa_key_public(key), CELLA_ECDSA_PUBLIC_SIZE), test_hex(public_text));
    cella_ecdsa_key_export(key, exported);
    assert_bytes(CELLA_BYTES(exported, sizeof exported), test_hex(private_text));
    cella_ecdsa_key_free(key);
}

static void zero_and_the_order_are_no_private_numbers(void **state) {
    static const uint8_t zero[CELLA_ECDSA_PRIVATE_SIZE];
    struct cella_ecdsa_key *key = NULL;
    assert_status(cella_ecdsa_key_import(zero, &key), CELLA_KEY_INVALID);
    assert_status(cella_ecdsa_key_import(test_hex(order_text).data, &key), CELLA_KEY_INVALID);
    assert_null(key);
}

static void what_a_fresh_key_signs_verifies_with_it_alone(void **state) {
    struct cella_ecdsa_key *one = NULL, *other = NULL;
    struct cella_ecdsa_public *prepared = NULL;
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE];
    assert_status(cella_ecdsa_key_generate(&one), CELLA_OK);
    assert_status(cella_ecdsa_key_generate(&other), CELLA_OK);
    assert_memory_not_equal(cella_ecdsa_key_public(one), cella_ecdsa_key_public(other), 64);
    assert_status(cella_ecdsa_sign(one, sample(), signature), CELLA_OK);
    assert_status(cella_ecdsa_verify(cella_ecdsa_key_public(one), sample(), signature), CELLA_OK);
    assert_status(cella_ecdsa_verify(cella_ecdsa_key_public(other), sample(), signature),
                  CELLA_AUTHENTICATION);
    assert_status(cella_ecdsa_public_new(cella_ecdsa_key_public(one), &prepared), CELLA_OK);
    assert_status(cella_ecdsa_public_verify(prepared, sample(), signature), CELLA_OK);
    signature[5] ^= 0x10;
    assert_status(cella_ecdsa_public_verify(prepared, sample(), signature), CELLA_AUTHENTICATION);
    cella_ecdsa_public_free(prepared);
    cella_ecdsa_key_free(one);
    cella_ecdsa_key_free(other);
}

static void nothing_may_be_freed(void **state) {
    cella_ecdsa_key_free(NULL);
    cella_ecdsa_public_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc_verifies),
        cmocka_unit_test(every_changed_bit_of_a_signature_is_refused),
        cmocka_unit_test(another_message_is_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(a_point_outside_the_curve_is_no_key),
        cmocka_unit_test(a_private_number_gives_its_public_key),
        cmocka_unit_test(zero_and_the_order_are_no_private_numbers),
        cmocka_unit_test(what_a_fresh_key_signs_verifies_with_it_alone),
        cmocka_unit_test(nothing_may_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
