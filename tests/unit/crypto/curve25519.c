/* X25519 (RFC 7748) and Ed25519 (RFC 8032). */
#include "support/test.h"
#include "crypto/ed25519.h"
#include "crypto/x25519.h"
#include <string.h>

static void shared(const uint8_t *scalar, const uint8_t *point, uint8_t *out) {
    struct cella_x25519_key key;
    struct cella_x25519_secret secret;
    assert_status(cella_x25519_from_private(&key, scalar), CELLA_OK);
    assert_status(cella_x25519_shared(&key, point, &secret), CELLA_OK);
    memcpy(out, secret.bytes, sizeof secret.bytes);
    cella_x25519_deinit(&key);
}

static void shared_secrets_are_those_of_rfc_7748(void **state) {
    static const char *const examples[][3] = {
        {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
         "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
        {"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
         "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
         "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
    };
    for (size_t i = 0; i < 2; i++) {
        uint8_t out[CELLA_X25519_SIZE];
        shared(test_hex(examples[i][0]).data, test_hex(examples[i][1]).data, out);
        assert_bytes(CELLA_BYTES(out, sizeof out), test_hex(examples[i][2]));
    }
}

static void a_thousand_rounds_give_the_value_of_rfc_7748(void **state) {
    uint8_t scalar[CELLA_X25519_SIZE] = {9}, point[CELLA_X25519_SIZE] = {9}, out[CELLA_X25519_SIZE];
    for (int i = 1; i <= 1000; i++) {
        shared(scalar, point, out);
        memcpy(point, scalar, sizeof point);
        memcpy(scalar, out, sizeof scalar);
        if (i == 1)
            assert_bytes(CELLA_BYTES(out, sizeof out),
                         test_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
    }
    assert_bytes(CELLA_BYTES(out, sizeof out),
                 test_hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

static void both_sides_get_the_same_secret(void **state) {
    struct cella_x25519_key one, other, copy;
    struct cella_x25519_secret left, right;
    assert_status(cella_x25519_generate(&one), CELLA_OK);
    assert_status(cella_x25519_generate(&other), CELLA_OK);
    assert_memory_not_equal(one.private_key, other.private_key, CELLA_X25519_SIZE);
    assert_status(cella_x25519_copy(&copy, &one), CELLA_OK);
    cella_x25519_deinit(&one);
    assert_status(cella_x25519_shared(&copy, other.public_key, &left), CELLA_OK);
    assert_status(cella_x25519_shared(&other, copy.public_key, &right), CELLA_OK);
    assert_memory_equal(left.bytes, right.bytes, sizeof left.bytes);
    assert_status(cella_x25519_shared(&one, other.public_key, &left), CELLA_ARGUMENT);
    cella_x25519_deinit(&copy);
    cella_x25519_deinit(&other);
    cella_x25519_deinit(NULL);
}

static void a_public_key_of_small_order_is_refused(void **state) {
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct cella_x25519_key key;
    struct cella_x25519_secret secret = {{0xaa}};
    assert_status(cella_x25519_generate(&key), CELLA_OK);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
        assert_status(cella_x25519_shared(&key, test_hex(points[i]).data, &secret), CELLA_KEY_INVALID);
    assert_int_equal(secret.bytes[0], 0xaa);
    cella_x25519_deinit(&key);
}

static const struct {
    const char *seed, *public_key, *message, *signature;
} signatures[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
     "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
};

static void signatures_are_those_of_rfc_8032(void **state) {
    for (size_t i = 0; i < 2; i++) {
        struct cella_ed25519_key key;
        uint8_t out[CELLA_ED25519_SIGNATURE_SIZE];
        struct cella_bytes message = test_hex(signatures[i].message);
        assert_status(cella_ed25519_from_seed(&key, test_hex(signatures[i].seed).data), CELLA_OK);
        assert_bytes(CELLA_BYTES(key.public_key, sizeof key.public_key), test_hex(signatures[i].public_key));
        assert_status(cella_ed25519_sign(&key, message, out), CELLA_OK);
        assert_bytes(CELLA_BYTES(out, sizeof out), test_hex(signatures[i].signature));
        assert_status(cella_ed25519_verify(key.public_key, message, out), CELLA_OK);
        cella_ed25519_deinit(&key);
    }
}

struct signed_message {
    struct cella_ed25519_key key;
    struct cella_bytes message;
};

static bool verifies(void *context, struct cella_bytes signature) {
    struct signed_message *checked = context;
    return signature.size == CELLA_ED25519_SIGNATURE_SIZE &&
           cella_ed25519_verify(checked->key.public_key, checked->message, signature.data) == CELLA_OK;
}

static void a_changed_signature_message_or_key_is_refused(void **state) {
    struct signed_message checked = {.message = test_pattern(33, 1)};
    uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE];
    assert_status(cella_ed25519_generate(&checked.key), CELLA_OK);
    assert_status(cella_ed25519_sign(&checked.key, checked.message, signature), CELLA_OK);
    test_bit_flips_refused(CELLA_BYTES(signature, sizeof signature), verifies, &checked);
    assert_status(cella_ed25519_verify(checked.key.public_key, test_pattern(33, 2), signature),
                  CELLA_AUTHENTICATION);
    checked.key.public_key[3] ^= 1;
    assert_false(verifies(&checked, CELLA_BYTES(signature, sizeof signature)));
    cella_ed25519_deinit(&checked.key);
    cella_ed25519_deinit(&checked.key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_secrets_are_those_of_rfc_7748),
        cmocka_unit_test(a_thousand_rounds_give_the_value_of_rfc_7748),
        cmocka_unit_test(both_sides_get_the_same_secret),
        cmocka_unit_test(a_public_key_of_small_order_is_refused),
        cmocka_unit_test(signatures_are_those_of_rfc_8032),
        cmocka_unit_test(a_changed_signature_message_or_key_is_refused),
    };
    return cmocka_run_group_tests_name("curve25519", tests, NULL, NULL);
}
