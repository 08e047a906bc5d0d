/* Noise: the public vectors byte for byte, as initiator and as responder, and what must be refused. */
#include "support/test.h"
#include "mail/fixed.h"
#include "mail/noise.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_LIMIT = 4096 };

static const char *const names[] = {
    [CELLA_NOISE_N] = "Noise_N_25519_AESGCM_SHA256",
    [CELLA_NOISE_X] = "Noise_X_25519_AESGCM_SHA256",
    [CELLA_NOISE_NK] = "Noise_NK_25519_AESGCM_SHA256",
    [CELLA_NOISE_IK] = "Noise_IK_25519_AESGCM_SHA256",
};
enum { PATTERN_COUNT = 4 };

/* One vector, and one side that runs it. */
struct side {
    struct cella_noise_handshake handshake;
    struct cella_x25519_key s;
    struct cella_noise_cipher c1, c2;
};

static json_t *load(void) {
    json_t *root = json_loads(test_vector_text("noise/noise-25519-aesgcm-sha256.json"), 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_array_size(json_object_get(root, "vectors")), PATTERN_COUNT);
    return root;
}

static json_t *vector_of(json_t *root, enum cella_noise_pattern pattern) {
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(root, "vectors"), i, vector) {
        if (strcmp(json_string_value(json_object_get(vector, "protocol_name")), names[pattern]) == 0)
            return vector;
    }
    fail();
    return NULL;
}

/* The field's bytes, or NULL data if the vector has none. */
static struct cella_bytes field(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? (struct cella_bytes){0} : test_hex(text);
}

static void side_open(struct side *side, const json_t *vector, enum cella_noise_pattern pattern,
                      bool initiator) {
    struct cella_bytes s = field(vector, initiator ? "init_static" : "resp_static");
    struct cella_bytes e = field(vector, initiator ? "init_ephemeral" : "resp_ephemeral");
    *side = (struct side){0};
    if (s.size > 0)
        assert_status(cella_x25519_from_private(&side->s, s.data), CELLA_OK);
    struct cella_noise_setup setup = {
        .pattern = pattern,
        .initiator = initiator,
        .prologue = {field(vector, initiator ? "init_prologue" : "resp_prologue")},
        .s = s.size > 0 ? &side->s : NULL,
        .rs = initiator ? field(vector, "init_remote_static").data : NULL,
    };
    assert_status(cella_noise_handshake_initialize(&side->handshake, &setup), CELLA_OK);
    assert_status(cella_noise_fix_ephemeral(&side->handshake, e.data), CELLA_OK);
}

static void side_close(struct side *side) {
    cella_noise_handshake_deinit(&side->handshake);
    cella_noise_cipher_deinit(&side->c1);
    cella_noise_cipher_deinit(&side->c2);
    cella_x25519_deinit(&side->s);
}

static bool one_way(enum cella_noise_pattern pattern) {
    return pattern == CELLA_NOISE_N || pattern == CELLA_NOISE_X;
}

static enum cella_status side_write(struct side *side, struct cella_bytes payload, bool from_initiator,
                                    uint8_t *out) {
    if (!cella_noise_complete(&side->handshake))
        return cella_noise_write_message(&side->handshake, payload, out);
    return cella_noise_encrypt_with_ad(from_initiator ? &side->c1 : &side->c2, (struct cella_bytes){0},
                                       payload, out);
}

static enum cella_status side_read(struct side *side, struct cella_bytes message, bool from_initiator,
                                   uint8_t *out) {
    if (!cella_noise_complete(&side->handshake))
        return cella_noise_read_message(&side->handshake, message, out);
    return cella_noise_decrypt_with_ad(from_initiator ? &side->c1 : &side->c2, (struct cella_bytes){0},
                                       message, out);
}

static void split_when_complete(struct side *side, enum cella_noise_pattern pattern) {
    if (cella_noise_complete(&side->handshake) && !side->c1.has_key)
        assert_status(cella_noise_split(&side->handshake, &side->c1, one_way(pattern) ? NULL : &side->c2),
                      CELLA_OK);
}

/* Runs messages up to `count` on both sides, checking every byte. */
static void run(json_t *vector, enum cella_noise_pattern pattern, struct side sides[2], size_t count) {
    json_t *messages = json_object_get(vector, "messages");
    side_open(&sides[0], vector, pattern, true);
    side_open(&sides[1], vector, pattern, false);
    for (size_t i = 0; i < count; i++) {
        const json_t *message = json_array_get(messages, i);
        struct cella_bytes payload = field(message, "payload"), ciphertext = field(message, "ciphertext");
        bool from_initiator = one_way(pattern) || i % 2 == 0;
        struct side *writer = &sides[from_initiator ? 0 : 1], *reader = &sides[from_initiator ? 1 : 0];
        uint8_t out[MESSAGE_LIMIT];
        assert_status(side_write(writer, payload, from_initiator, out), CELLA_OK);
        assert_bytes(CELLA_BYTES(out, ciphertext.size), ciphertext);
        assert_status(side_read(reader, ciphertext, from_initiator, out), CELLA_OK);
        assert_bytes(CELLA_BYTES(out, payload.size), payload);
        split_when_complete(writer, pattern);
        split_when_complete(reader, pattern);
    }
}

static void every_vector_is_reproduced_byte_for_byte_and_opened(void **state) {
    json_t *root = load();
    for (int pattern = 0; pattern < PATTERN_COUNT; pattern++) {
        json_t *vector = vector_of(root, pattern);
        struct side sides[2];
        size_t count = json_array_size(json_object_get(vector, "messages"));
        assert_true(count >= 2);
        run(vector, pattern, sides, count);
        if (pattern == CELLA_NOISE_X || pattern == CELLA_NOISE_IK)
            assert_memory_equal(sides[1].handshake.rs, sides[0].s.public_key, CELLA_NOISE_DH_SIZE);
        side_close(&sides[0]);
        side_close(&sides[1]);
    }
    json_decref(root);
}

/* A reader that stands before message `index` of a vector. */
struct reading {
    json_t *vector;
    enum cella_noise_pattern pattern;
    size_t index;
};

static bool reads(void *context, struct cella_bytes bytes) {
    struct reading *reading = context;
    struct side sides[2];
    uint8_t out[MESSAGE_LIMIT];
    run(reading->vector, reading->pattern, sides, reading->index);
    bool from_initiator = one_way(reading->pattern) || reading->index % 2 == 0;
    struct side *reader = &sides[from_initiator ? 1 : 0];
    enum cella_status status = side_read(reader, bytes, from_initiator, out);
    if (status != CELLA_OK)
        assert_status(status, CELLA_AUTHENTICATION);
    side_close(&sides[0]);
    side_close(&sides[1]);
    return status == CELLA_OK;
}

static void every_changed_bit_and_every_cut_is_refused(void **state) {
    json_t *root = load();
    for (int pattern = 0; pattern < PATTERN_COUNT; pattern++) {
        json_t *vector = vector_of(root, pattern);
        json_t *messages = json_object_get(vector, "messages");
        for (size_t i = 0; i < json_array_size(messages) && i < 3; i++) {
            struct reading reading = {vector, pattern, i};
            struct cella_bytes ciphertext = field(json_array_get(messages, i), "ciphertext");
            /* The top bit of a public key does not change the point, but it does change the hash. */
            test_bit_flips_refused(ciphertext, reads, &reading);
            test_truncations_refused(ciphertext, reads, &reading);
            test_extension_refused(ciphertext, reads, &reading);
        }
    }
    json_decref(root);
}

static void another_prologue_or_static_key_is_refused(void **state) {
    json_t *root = load();
    for (int pattern = 0; pattern < PATTERN_COUNT; pattern++) {
        json_t *vector = vector_of(root, pattern);
        struct cella_bytes first =
            field(json_array_get(json_object_get(vector, "messages"), 0), "ciphertext");
        struct cella_x25519_key other;
        uint8_t out[MESSAGE_LIMIT];
        struct side side;
        side_open(&side, vector, pattern, false);
        assert_status(cella_x25519_generate(&other), CELLA_OK);
        struct cella_noise_setup setup = {.pattern = pattern, .prologue = {test_pattern(3, 1)}, .s = &side.s};
        struct cella_noise_handshake handshake;
        assert_status(cella_noise_handshake_initialize(&handshake, &setup), CELLA_OK);
        assert_status(cella_noise_read_message(&handshake, first, out), CELLA_AUTHENTICATION);
        /* After a failure nothing works any more. */
        assert_status(cella_noise_read_message(&handshake, first, out), CELLA_ARGUMENT);
        cella_noise_handshake_deinit(&handshake);
        setup.prologue[0] = field(vector, "resp_prologue");
        setup.s = &other;
        assert_status(cella_noise_handshake_initialize(&handshake, &setup), CELLA_OK);
        assert_status(cella_noise_read_message(&handshake, first, out), CELLA_AUTHENTICATION);
        cella_noise_handshake_deinit(&handshake);
        cella_x25519_deinit(&other);
        side_close(&side);
    }
    json_decref(root);
}

static void out_of_turn_and_missing_keys_are_refused(void **state) {
    struct cella_x25519_key key;
    struct cella_noise_handshake handshake;
    struct cella_noise_cipher cipher = {0};
    uint8_t out[256];
    assert_status(cella_x25519_generate(&key), CELLA_OK);
    struct cella_noise_setup setup = {.pattern = CELLA_NOISE_IK, .initiator = true, .s = &key};
    assert_status(cella_noise_handshake_initialize(&handshake, &setup), CELLA_ARGUMENT);
    setup = (struct cella_noise_setup){.pattern = CELLA_NOISE_X, .initiator = true, .rs = key.public_key};
    assert_status(cella_noise_handshake_initialize(&handshake, &setup), CELLA_ARGUMENT);
    setup.s = &key;
    assert_status(cella_noise_handshake_initialize(&handshake, &setup), CELLA_OK);
    assert_status(cella_noise_read_message(&handshake, test_pattern(100, 1), out), CELLA_ARGUMENT);
    assert_status(cella_noise_split(&handshake, &cipher, NULL), CELLA_ARGUMENT);
    assert_int_equal(cella_noise_overhead(&handshake), 96);
    assert_status(cella_noise_write_message(&handshake, test_pattern(100, 1), out), CELLA_OK);
    assert_status(cella_noise_write_message(&handshake, test_pattern(100, 1), out), CELLA_ARGUMENT);
    cella_noise_handshake_deinit(&handshake);
    static uint8_t large[CELLA_NOISE_MESSAGE_MAX];
    assert_status(cella_noise_handshake_initialize(&handshake, &setup), CELLA_OK);
    assert_status(cella_noise_write_message(&handshake, test_pattern(CELLA_NOISE_MESSAGE_MAX - 95, 1), large),
                  CELLA_ARGUMENT);
    assert_status(cella_noise_write_message(&handshake, test_pattern(CELLA_NOISE_MESSAGE_MAX - 96, 1), large),
                  CELLA_OK);
    cella_noise_handshake_deinit(&handshake);
    cella_x25519_deinit(&key);
}

static void the_last_nonce_is_never_used(void **state) {
    struct cella_noise_cipher cipher = {0};
    struct cella_bytes none[2] = {{0}};
    uint8_t out[32];
    assert_status(cella_noise_encrypt_at(&cipher, 0, none, test_pattern(4, 1), out), CELLA_ARGUMENT);
    assert_status(cella_noise_initialize_key(&cipher, test_pattern(32, 1).data), CELLA_OK);
    cipher.n = UINT64_MAX - 1;
    assert_status(cella_noise_encrypt_with_ad(&cipher, none[0], test_pattern(4, 1), out), CELLA_OK);
    assert_status(cella_noise_encrypt_with_ad(&cipher, none[0], test_pattern(4, 1), out), CELLA_LIMIT);
    assert_status(cella_noise_encrypt_at(&cipher, UINT64_MAX, none, test_pattern(4, 1), out), CELLA_LIMIT);
    assert_status(cella_noise_decrypt_at(&cipher, UINT64_MAX, none, test_pattern(20, 1), out), CELLA_LIMIT);
    cella_noise_cipher_deinit(&cipher);
}

static void a_copy_tries_a_message_without_ending_the_handshake(void **state) {
    json_t *root = load();
    json_t *vector = vector_of(root, CELLA_NOISE_IK);
    struct cella_bytes second = field(json_array_get(json_object_get(vector, "messages"), 1), "ciphertext");
    struct side sides[2];
    uint8_t out[MESSAGE_LIMIT];
    run(vector, CELLA_NOISE_IK, sides, 1);
    for (int i = 0; i < 2; i++) {
        struct cella_noise_handshake copy;
        struct cella_bytes tried = i == 0 ? test_pattern(second.size, 1) : second;
        assert_status(cella_noise_handshake_copy(&copy, &sides[0].handshake), CELLA_OK);
        assert_status(cella_noise_read_message(&copy, tried, out), i == 0 ? CELLA_AUTHENTICATION : CELLA_OK);
        cella_noise_handshake_deinit(&copy);
    }
    side_close(&sides[0]);
    side_close(&sides[1]);
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_reproduced_byte_for_byte_and_opened),
        cmocka_unit_test(every_changed_bit_and_every_cut_is_refused),
        cmocka_unit_test(another_prologue_or_static_key_is_refused),
        cmocka_unit_test(out_of_turn_and_missing_keys_are_refused),
        cmocka_unit_test(the_last_nonce_is_never_used),
        cmocka_unit_test(a_copy_tries_a_message_without_ending_the_handshake),
    };
    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
