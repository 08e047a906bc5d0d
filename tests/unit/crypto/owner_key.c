/* Owner keys in PEM form, with the example key of RFC 8410. */
#include "crypto/owner_key.h"
#include "base/secret.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

/* RFC 8410, section 10.3 and 10.1. */
static const char private_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                                  "-----END PRIVATE KEY-----\n";
static const char public_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                 "-----END PUBLIC KEY-----\n";
static const char x25519_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "MC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                                 "-----END PRIVATE KEY-----\n";

static struct cella_bytes text(const char *pem) {
    return CELLA_BYTES(pem, strlen(pem));
}

static void the_key_of_the_rfc_is_read(void **state) {
    struct cella_ed25519_key key = {.prepared = NULL};
    uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE];
    bool is_private = true;
    assert_status(cella_owner_key_read(text(private_pem), &key, NULL), CELLA_OK);
    struct cella_bytes expected =
        test_hex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
    assert_bytes(CELLA_BYTES(key.public_key, sizeof key.public_key), expected);
    assert_status(cella_owner_key_read_public(text(public_pem), public_key, &is_private, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(public_key, sizeof public_key), expected);
    assert_false(is_private);
    assert_status(cella_owner_key_read_public(text(private_pem), public_key, &is_private, NULL), CELLA_OK);
    assert_true(is_private);
    cella_ed25519_deinit(&key);
}

static void a_key_is_written_as_it_is_read(void **state) {
    struct cella_ed25519_key key = {.prepared = NULL};
    char *pem = NULL;
    size_t size = 0;
    assert_status(cella_owner_key_read(text(private_pem), &key, NULL), CELLA_OK);
    assert_status(cella_owner_key_write(&key, &pem, &size), CELLA_OK);
    assert_string_equal(pem, private_pem);
    cella_wipe_free(pem, size);
    assert_status(cella_owner_key_write_public(&key, &pem, &size), CELLA_OK);
    assert_string_equal(pem, public_pem);
    free(pem);
    cella_ed25519_deinit(&key);
}

static void other_keys_and_other_texts_are_refused(void **state) {
    static const char *const wrong[] = {"", "hello", "-----BEGIN PRIVATE KEY-----\n", x25519_pem};
    struct cella_ed25519_key key = {.prepared = NULL};
    uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE];
    bool is_private;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_status(cella_owner_key_read(text(wrong[i]), &key, NULL), CELLA_KEY_INVALID);
        assert_status(cella_owner_key_read_public(text(wrong[i]), public_key, &is_private, NULL),
                      CELLA_KEY_INVALID);
    }
    assert_status(cella_owner_key_read(text(public_pem), &key, NULL), CELLA_KEY_INVALID);
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_ed25519_key key = {.prepared = NULL};
    bool good = cella_owner_key_read(bytes, &key, NULL) == CELLA_OK;
    cella_ed25519_deinit(&key);
    return good;
}

static void a_key_that_is_cut_is_refused(void **state) {
    /* The line end behind the last line may be missing. */
    struct cella_bytes all = text(private_pem);
    test_truncations_refused(CELLA_BYTES(all.data, all.size - 1), accepts, NULL);
    (void)test_bit_flips(all, accepts, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_rfc_is_read),
        cmocka_unit_test(a_key_is_written_as_it_is_read),
        cmocka_unit_test(other_keys_and_other_texts_are_refused),
        cmocka_unit_test(a_key_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
