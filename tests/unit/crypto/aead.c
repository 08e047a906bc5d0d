/* AES-256-GCM: the examples of the GCM specification, and what must never be released. */
#include "support/test.h"
#include "crypto/aead.h"
#include <string.h>

static const struct {
    const char *key, *nonce, *ad, *plain, *sealed;
} examples[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b"},
};
enum { EXAMPLE_COUNT = sizeof examples / sizeof examples[0] };

static void sealing_gives_the_examples_of_the_specification(void **state) {
    struct cella_aead aead = {0};
    uint8_t out[128];
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct cella_bytes plain = test_hex(examples[i].plain);
        assert_status(cella_aead_init(&aead, test_hex(examples[i].key).data), CELLA_OK);
        assert_status(
            cella_aead_seal(&aead, test_hex(examples[i].nonce).data, test_hex(examples[i].ad), plain, out),
            CELLA_OK);
        assert_bytes(CELLA_BYTES(out, plain.size + CELLA_AEAD_TAG_SIZE), test_hex(examples[i].sealed));
    }
    cella_aead_deinit(&aead);
}

static void opening_gives_the_plaintext_back(void **state) {
    struct cella_aead aead = {0};
    uint8_t out[128];
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct cella_bytes sealed = test_hex(examples[i].sealed);
        assert_status(cella_aead_init(&aead, test_hex(examples[i].key).data), CELLA_OK);
        assert_status(
            cella_aead_open(&aead, test_hex(examples[i].nonce).data, test_hex(examples[i].ad), sealed, out),
            CELLA_OK);
        assert_bytes(CELLA_BYTES(out, sealed.size - CELLA_AEAD_TAG_SIZE), test_hex(examples[i].plain));
    }
    cella_aead_deinit(&aead);
}

static void both_directions_work_in_place_and_alternate(void **state) {
    struct cella_aead aead = {0};
    const uint8_t nonce[CELLA_AEAD_NONCE_SIZE] = {7};
    struct cella_bytes plain = test_pattern(1000, 1), ad = test_pattern(20, 2);
    uint8_t buffer[1016];
    assert_status(cella_aead_init(&aead, test_pattern(32, 3).data), CELLA_OK);
    for (int round = 0; round < 3; round++) {
        memcpy(buffer, plain.data, plain.size);
        assert_status(cella_aead_seal(&aead, nonce, ad, CELLA_BYTES(buffer, plain.size), buffer), CELLA_OK);
        assert_memory_not_equal(buffer, plain.data, plain.size);
        assert_status(cella_aead_open(&aead, nonce, ad, CELLA_BYTES(buffer, sizeof buffer), buffer),
                      CELLA_OK);
        assert_memory_equal(buffer, plain.data, plain.size);
    }
    cella_aead_deinit(&aead);
}

static void an_ad_in_two_parts_is_the_ad_in_one(void **state) {
    struct cella_aead aead = {0};
    const uint8_t nonce[CELLA_AEAD_NONCE_SIZE] = {7};
    struct cella_bytes plain = test_pattern(50, 1), ad = test_pattern(40, 2);
    uint8_t one[66], two[66];
    assert_status(cella_aead_init(&aead, test_pattern(32, 3).data), CELLA_OK);
    assert_status(cella_aead_seal(&aead, nonce, ad, plain, one), CELLA_OK);
    for (size_t at = 0; at <= ad.size; at++) {
        const struct cella_bytes parts[2] = {CELLA_BYTES(ad.data, at),
                                             CELLA_BYTES(ad.data + at, ad.size - at)};
        assert_status(cella_aead_seal_two(&aead, nonce, parts, plain, two), CELLA_OK);
        assert_memory_equal(one, two, sizeof one);
    }
    cella_aead_deinit(&aead);
}

struct opening {
    struct cella_aead aead;
    struct cella_bytes ad;
};

static bool opens(void *context, struct cella_bytes sealed) {
    struct opening *opening = context;
    const uint8_t nonce[CELLA_AEAD_NONCE_SIZE] = {7};
    uint8_t out[64];
    memset(out, 0xaa, sizeof out);
    enum cella_status status = cella_aead_open(&opening->aead, nonce, opening->ad, sealed, out);
    if (status == CELLA_OK)
        return true;
    assert_status(status, CELLA_AUTHENTICATION);
    /* Nothing of the plaintext stays in the caller's buffer. */
    for (size_t i = 0; sealed.size >= CELLA_AEAD_TAG_SIZE && i < sealed.size - CELLA_AEAD_TAG_SIZE; i++)
        assert_int_equal(out[i], 0);
    return false;
}

static void changed_or_cut_bytes_are_refused_and_wiped(void **state) {
    struct opening opening = {.ad = test_pattern(8, 1)};
    const uint8_t nonce[CELLA_AEAD_NONCE_SIZE] = {7};
    uint8_t sealed[56];
    assert_status(cella_aead_init(&opening.aead, test_pattern(32, 3).data), CELLA_OK);
    assert_status(cella_aead_seal(&opening.aead, nonce, opening.ad, test_pattern(40, 4), sealed), CELLA_OK);
    test_bit_flips_refused(CELLA_BYTES(sealed, sizeof sealed), opens, &opening);
    test_truncations_refused(CELLA_BYTES(sealed, sizeof sealed), opens, &opening);
    opening.ad = test_pattern(8, 2);
    assert_false(opens(&opening, CELLA_BYTES(sealed, sizeof sealed)));
    opening.ad = test_pattern(8, 1);
    assert_status(cella_aead_init(&opening.aead, test_pattern(32, 5).data), CELLA_OK);
    assert_false(opens(&opening, CELLA_BYTES(sealed, sizeof sealed)));
    cella_aead_deinit(&opening.aead);
}

static void an_object_without_a_key_refuses(void **state) {
    struct cella_aead aead = {0};
    uint8_t out[32];
    assert_status(
        cella_aead_seal(&aead, (const uint8_t[12]){0}, (struct cella_bytes){0}, test_pattern(4, 1), out),
        CELLA_ARGUMENT);
    assert_status(
        cella_aead_open(&aead, (const uint8_t[12]){0}, (struct cella_bytes){0}, test_pattern(20, 1), out),
        CELLA_ARGUMENT);
    cella_aead_deinit(&aead);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_gives_the_examples_of_the_specification),
        cmocka_unit_test(opening_gives_the_plaintext_back),
        cmocka_unit_test(both_directions_work_in_place_and_alternate),
        cmocka_unit_test(an_ad_in_two_parts_is_the_ad_in_one),
        cmocka_unit_test(changed_or_cut_bytes_are_refused_and_wiped),
        cmocka_unit_test(an_object_without_a_key_refuses),
    };
    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
