/* HMAC-SHA-256 (RFC 4231) and HKDF (RFC 5869), and keyed fingerprints (RFC 8439). */
#include "support/test.h"
#include "crypto/fingerprint.h"
#include "crypto/hkdf.h"
#include <string.h>

static void macs_are_those_of_rfc_4231(void **state) {
    uint8_t out[CELLA_HMAC_SIZE];
    assert_status(cella_hmac_sha256(test_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                                    CELLA_BYTES("Hi There", 8), out),
                  CELLA_OK);
    assert_bytes(CELLA_BYTES(out, sizeof out),
                 test_hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    assert_status(
        cella_hmac_sha256(CELLA_BYTES("Jefe", 4), CELLA_BYTES("what do ya want for nothing?", 28), out),
        CELLA_OK);
    assert_bytes(CELLA_BYTES(out, sizeof out),
                 test_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

static void an_hmac_object_takes_a_new_key_each_time(void **state) {
    struct cella_hmac hmac = {0};
    uint8_t out[CELLA_HMAC_SIZE], again[CELLA_HMAC_SIZE];
    assert_status(cella_hmac_init(&hmac), CELLA_OK);
    for (uint32_t i = 0; i < 4; i++) {
        struct cella_bytes key = test_pattern(i * 40, i), message = test_pattern(100, 9);
        assert_status(cella_hmac_sha256(key, message, again), CELLA_OK);
        assert_status(cella_hmac_compute(&hmac, key, CELLA_BYTES(message.data, 30),
                                         CELLA_BYTES(message.data + 30, 70), out),
                      CELLA_OK);
        assert_memory_equal(out, again, sizeof out);
    }
    cella_hmac_deinit(&hmac);
    cella_hmac_deinit(&hmac);
    assert_status(
        cella_hmac_compute(&hmac, test_pattern(1, 1), test_pattern(1, 1), (struct cella_bytes){0}, out),
        CELLA_CRYPTO);
}

static const struct {
    const char *salt, *secret, *info, *key, *output;
} examples[] = {
    {"000102030405060708090a0b0c", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "f0f1f2f3f4f5f6f7f8f9",
     "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
     "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
     "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
     "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "",
     "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static void derived_keys_are_those_of_rfc_5869(void **state) {
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct cella_bytes salt = test_hex(examples[i].salt), secret = test_hex(examples[i].secret),
                           info = test_hex(examples[i].info), expected = test_hex(examples[i].output);
        uint8_t key[CELLA_HMAC_SIZE], out[128];
        assert_status(cella_hkdf_extract(salt, secret, key), CELLA_OK);
        assert_bytes(CELLA_BYTES(key, sizeof key), test_hex(examples[i].key));
        assert_status(cella_hkdf_expand(key, info, out, expected.size), CELLA_OK);
        assert_bytes(CELLA_BYTES(out, expected.size), expected);
        assert_status(cella_hkdf(salt, secret, info, out, expected.size), CELLA_OK);
        assert_bytes(CELLA_BYTES(out, expected.size), expected);
    }
}

static void expanding_stops_at_the_limits_of_the_rfc(void **state) {
    static uint8_t out[CELLA_HKDF_OUTPUT_MAX + 1];
    struct cella_bytes key = test_pattern(CELLA_HMAC_SIZE, 1);
    assert_status(cella_hkdf_expand(key.data, test_pattern(1023, 2), out, CELLA_HKDF_OUTPUT_MAX), CELLA_OK);
    assert_status(cella_hkdf_expand(key.data, test_pattern(4, 2), out, sizeof out), CELLA_ARGUMENT);
    assert_status(cella_hkdf_expand(key.data, test_pattern(1024, 2), out, 32), CELLA_ARGUMENT);
}

static void a_fingerprint_is_poly1305_of_the_parts_in_a_row(void **state) {
    struct cella_bytes key = test_hex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
    const char *text = "Cryptographic Forum Research Group";
    uint8_t out[CELLA_FINGERPRINT_SIZE];
    for (size_t at = 0; at <= strlen(text); at++) {
        struct cella_fingerprint fingerprint = {0};
        assert_status(cella_fingerprint_init(&fingerprint, key.data), CELLA_OK);
        assert_status(cella_fingerprint_update(&fingerprint, CELLA_BYTES(text, at)), CELLA_OK);
        assert_status(cella_fingerprint_update(&fingerprint, CELLA_BYTES(text + at, strlen(text) - at)),
                      CELLA_OK);
        assert_status(cella_fingerprint_final(&fingerprint, out), CELLA_OK);
        assert_bytes(CELLA_BYTES(out, sizeof out), test_hex("a8061dc1305136c6c22b8baf0c0127a9"));
        cella_fingerprint_deinit(&fingerprint);
        cella_fingerprint_deinit(&fingerprint);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(macs_are_those_of_rfc_4231),
        cmocka_unit_test(an_hmac_object_takes_a_new_key_each_time),
        cmocka_unit_test(derived_keys_are_those_of_rfc_5869),
        cmocka_unit_test(expanding_stops_at_the_limits_of_the_rfc),
        cmocka_unit_test(a_fingerprint_is_poly1305_of_the_parts_in_a_row),
    };
    return cmocka_run_group_tests_name("hkdf", tests, NULL, NULL);
}
