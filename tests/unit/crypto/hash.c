/* SHA-256 and SHA-384: the examples of FIPS 180-4 and hashing in parts. */
#include "support/test.h"
#include "crypto/hash.h"
#include <string.h>

static const struct {
    const char *message;
    const char *sha256;
    const char *sha384;
} examples[] = {
    {"", "e3b0c442 98fc1c14 9afbf4c8 996fb924 27ae41e4 649b934c a495991b 7852b855",
     "38b060a7 51ac9638 4cd9327e b1b1e36a 21fdb711 14be0743 4c0cc7bf 63f6e1da"
     "274edebf e76f65fb d51ad2f1 4898b95b"},
    {"abc", "ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad",
     "cb00753f 45a35e8b b5a03d69 9ac65007 272c32ab 0eded163 1a8b605a 43ff5bed"
     "8086072b a1e7cc23 58baeca1 34c825a7"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61 d20638b8 e5c02693 0c3e6039 a33ce459 64ff2167 f6ecedd4 19db06c1",
     "3391fddd fc8dc739 3707a65b 1b470939 7cf8b1d1 62af05ab fe8f450d e5f36bc6"
     "b0455a85 20bc4e6f 5fe95b1f e3c8452b"},
};
enum { EXAMPLE_COUNT = sizeof examples / sizeof examples[0] };

static void digests_are_those_of_the_standard(void **state) {
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        uint8_t out[CELLA_SHA384_SIZE];
        cella_sha256(examples[i].message, strlen(examples[i].message), out);
        assert_bytes(CELLA_BYTES(out, CELLA_SHA256_SIZE), test_hex(examples[i].sha256));
        cella_sha384(examples[i].message, strlen(examples[i].message), out);
        assert_bytes(CELLA_BYTES(out, CELLA_SHA384_SIZE), test_hex(examples[i].sha384));
    }
}

static void no_bytes_may_be_given_as_null(void **state) {
    uint8_t out[CELLA_SHA256_SIZE];
    cella_sha256(NULL, 0, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), test_hex(examples[0].sha256));
}

static void parts_of_any_size_hash_as_the_whole(void **state) {
    struct cella_bytes message = test_pattern(300, 3);
    uint8_t whole[CELLA_SHA256_SIZE];
    cella_sha256(message.data, message.size, whole);
    for (size_t part = 1; part <= message.size; part++) {
        struct cella_sha256 hash;
        cella_sha256_init(&hash);
        for (size_t at = 0; at < message.size; at += part)
            cella_sha256_update(&hash, message.data + at,
                                message.size - at < part ? message.size - at : part);
        uint8_t out[CELLA_SHA256_SIZE];
        cella_sha256_digest(&hash, out);
        cella_sha256_deinit(&hash);
        assert_memory_equal(out, whole, sizeof out);
    }
}

static void a_digest_of_the_parts_so_far_does_not_end_the_hash(void **state) {
    struct cella_sha256 hash;
    uint8_t out[CELLA_SHA256_SIZE];
    cella_sha256_init(&hash);
    cella_sha256_digest(&hash, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), test_hex(examples[0].sha256));
    cella_sha256_update(&hash, "ab", 2);
    cella_sha256_digest(&hash, out);
    cella_sha256_update(&hash, NULL, 0);
    cella_sha256_update(&hash, "c", 1);
    cella_sha256_digest(&hash, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), test_hex(examples[1].sha256));
    cella_sha256_deinit(&hash);
    cella_sha256_deinit(&hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(no_bytes_may_be_given_as_null),
        cmocka_unit_test(parts_of_any_size_hash_as_the_whole),
        cmocka_unit_test(a_digest_of_the_parts_so_far_does_not_end_the_hash),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
