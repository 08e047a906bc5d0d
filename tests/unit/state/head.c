/* Signed heads: bytes, signature, and what two of them say about each other. */
#include "state/head.h"
#include "base/reader.h"
#include "support/test.h"
#include <string.h>

static const char vector[] = "state/example.txt";

static struct cella_ed25519_key key;

static int setup(void **state) {
    uint8_t seed[32];
    memset(seed, 1, sizeof seed);
    return cella_ed25519_from_seed(&key, seed) != CELLA_OK;
}

static int teardown(void **state) {
    cella_ed25519_deinit(&key);
    return 0;
}

static struct cella_signed_head head_of(uint64_t lineage, uint64_t epoch, uint64_t version, uint8_t fill) {
    struct cella_signed_head head = {.lineage = lineage, .head = {.epoch = epoch, .version = version}};
    memset(head.vault_id, 9, sizeof head.vault_id);
    memset(head.head.digest, fill, sizeof head.head.digest);
    memset(head.root, fill, sizeof head.root);
    memset(head.epoch_start, (int)epoch + 1, sizeof head.epoch_start);
    return head;
}

static bool parses(void *context, struct cella_bytes bytes) {
    struct cella_signed_head head;
    return cella_signed_head_parse(bytes, &head, NULL) == CELLA_OK;
}

static bool verifies(void *context, struct cella_bytes bytes) {
    struct cella_signed_head head;
    return cella_signed_head_parse(bytes, &head, NULL) == CELLA_OK &&
           cella_signed_head_verify(&head, key.public_key) == CELLA_OK;
}

static void the_worked_example_parses_verifies_and_is_written_again(void **state) {
    uint8_t out[CELLA_SIGNED_HEAD_SIZE];
    struct cella_signed_head head;
    struct cella_bytes good = test_vector_field(vector, "head_7");
    assert_status(cella_signed_head_parse(good, &head, NULL), CELLA_OK);
    assert_status(cella_signed_head_verify(&head, key.public_key), CELLA_OK);
    assert_true(head.head.version == 7 && head.head.epoch == 2 && head.lineage == 0);
    assert_bytes(CELLA_BYTES(head.vault_id, 32), test_vector_field(vector, "vault_id"));
    assert_bytes(CELLA_BYTES(head.root, 32), test_vector_field(vector, "root_7"));
    cella_signed_head_write(&head, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), good);
    memset(head.signature, 0, sizeof head.signature);
    assert_status(cella_signed_head_sign(&head, &key), CELLA_OK);
    cella_signed_head_write(&head, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), good);
}

static void every_truncation_extension_and_flipped_bit_is_refused(void **state) {
    struct cella_bytes good = test_vector_field(vector, "head_3");
    test_truncations_refused(good, parses, NULL);
    test_extension_refused(good, parses, NULL);
    test_bit_flips_refused(good, verifies, NULL);
}

static void a_newer_format_is_told_from_damage(void **state) {
    struct cella_signed_head head;
    struct cella_bytes bytes = test_copy(test_vector_field(vector, "head_3"));
    ((uint8_t *)(uintptr_t)bytes.data)[4] = 2;
    assert_status(cella_signed_head_parse(bytes, &head, NULL), CELLA_NEWER_FORMAT);
    ((uint8_t *)(uintptr_t)bytes.data)[4] = 0;
    assert_status(cella_signed_head_parse(bytes, &head, NULL), CELLA_DAMAGED);
}

static void a_version_or_start_that_no_head_has_is_neither_signed_nor_accepted(void **state) {
    uint8_t out[CELLA_SIGNED_HEAD_SIZE];
    struct cella_signed_head heads[] = {head_of(0, 1, 0, 1), head_of(0, 1, CELLA_VERSION_MAX + 1, 1),
                                        head_of(0, 1, 1, 1)},
                             read;
    memset(heads[2].epoch_start, 0, 32);
    for (size_t i = 0; i < 3; i++) {
        assert_status(cella_signed_head_sign(&heads[i], &key), CELLA_ARGUMENT);
        cella_signed_head_write(&heads[i], out);
        assert_status(cella_signed_head_parse(CELLA_BYTES(out, sizeof out), &read, NULL), CELLA_DAMAGED);
    }
    struct cella_signed_head largest = head_of(UINT64_MAX, UINT64_MAX, CELLA_VERSION_MAX, 1);
    memset(largest.epoch_start, 1, 32);
    assert_status(cella_signed_head_sign(&largest, &key), CELLA_OK);
    assert_status(cella_signed_head_verify(&largest, key.public_key), CELLA_OK);
}

static void only_the_vaults_key_signs(void **state) {
    struct cella_ed25519_key other = {0};
    struct cella_signed_head head = head_of(0, 1, 5, 1);
    assert_status(cella_ed25519_generate(&other), CELLA_OK);
    assert_status(cella_signed_head_sign(&head, &other), CELLA_OK);
    assert_status(cella_signed_head_verify(&head, key.public_key), CELLA_SIGNATURE_INVALID);
    assert_status(cella_signed_head_verify(&head, other.public_key), CELLA_OK);
    cella_ed25519_deinit(&other);
}

static void a_head_inside_a_larger_format_is_read_and_a_cut_one_is_refused(void **state) {
    struct cella_signed_head head;
    struct cella_bytes good = test_vector_field(vector, "head_3");
    struct cella_reader reader;
    cella_reader_init(&reader, good);
    assert_status(cella_signed_head_read(&reader, &head, NULL), CELLA_OK);
    assert_true(cella_reader_done(&reader));
    good.size--;
    cella_reader_init(&reader, good);
    assert_status(cella_signed_head_read(&reader, &head, NULL), CELLA_DAMAGED);
    assert_true(reader.failed);
}

/* Both ways: OLDER mirrors NEWER, the others themselves. */
static void assert_relation(struct cella_signed_head first, struct cella_signed_head second,
                            enum cella_head_relation expected) {
    enum cella_head_relation mirrored = expected == CELLA_HEADS_OLDER ? CELLA_HEADS_NEWER : expected;
    assert_int_equal(cella_heads_compare(&first, &second), expected);
    assert_int_equal(cella_heads_compare(&second, &first), mirrored);
}

static void heads_of_one_history_are_ordered_by_version(void **state) {
    assert_relation(head_of(0, 1, 5, 1), head_of(0, 1, 5, 1), CELLA_HEADS_EQUAL);
    assert_relation(head_of(0, 1, 5, 1), head_of(0, 1, 6, 2), CELLA_HEADS_OLDER);
    assert_relation(head_of(0, 1, 5, 1), head_of(0, 2, 6, 2), CELLA_HEADS_OLDER);
    struct cella_signed_head signed_twice = head_of(0, 1, 5, 1);
    signed_twice.signature[0] = 1;
    assert_relation(signed_twice, head_of(0, 1, 5, 1), CELLA_HEADS_EQUAL);
}

static void one_version_has_one_root_one_digest_and_one_epoch(void **state) {
    struct cella_signed_head other = head_of(0, 1, 5, 1);
    other.root[31] ^= 1;
    assert_relation(head_of(0, 1, 5, 1), other, CELLA_HEADS_CONTRADICT);
    other = head_of(0, 1, 5, 1);
    other.head.digest[0] ^= 1;
    assert_relation(head_of(0, 1, 5, 1), other, CELLA_HEADS_CONTRADICT);
    assert_relation(head_of(0, 1, 5, 1), head_of(0, 2, 5, 1), CELLA_HEADS_CONTRADICT);
}

static void a_larger_version_never_has_a_smaller_epoch(void **state) {
    assert_relation(head_of(0, 3, 5, 1), head_of(0, 2, 6, 2), CELLA_HEADS_CONTRADICT);
}

static void an_epoch_never_begins_twice(void **state) {
    struct cella_signed_head other = head_of(0, 1, 9, 2);
    other.epoch_start[7] ^= 1;
    assert_relation(head_of(0, 1, 5, 1), other, CELLA_HEADS_CONTRADICT);
    other.head.epoch = 2;
    assert_relation(head_of(0, 1, 5, 1), other, CELLA_HEADS_OLDER);
}

static void other_vaults_and_lineages_say_nothing(void **state) {
    struct cella_signed_head other = head_of(0, 1, 5, 2);
    other.vault_id[0] ^= 1;
    assert_relation(head_of(0, 1, 5, 1), other, CELLA_HEADS_INCOMPARABLE);
    assert_relation(head_of(0, 1, 5, 1), head_of(1, 1, 5, 2), CELLA_HEADS_INCOMPARABLE);
}

static void one_owner_is_one_epoch_with_one_start_in_one_lineage(void **state) {
    struct cella_signed_head head = head_of(0, 1, 5, 1), later = head_of(0, 1, 9, 2);
    assert_true(cella_heads_same_owner(&head, &later));
    later.epoch_start[0] ^= 1;
    assert_false(cella_heads_same_owner(&head, &later));
    later = head_of(0, 2, 9, 2);
    assert_false(cella_heads_same_owner(&head, &later));
    later = head_of(1, 1, 9, 2);
    assert_false(cella_heads_same_owner(&head, &later));
    later = head_of(0, 1, 9, 2);
    later.vault_id[0] ^= 1;
    assert_false(cella_heads_same_owner(&head, &later));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_parses_verifies_and_is_written_again),
        cmocka_unit_test(every_truncation_extension_and_flipped_bit_is_refused),
        cmocka_unit_test(a_newer_format_is_told_from_damage),
        cmocka_unit_test(a_version_or_start_that_no_head_has_is_neither_signed_nor_accepted),
        cmocka_unit_test(only_the_vaults_key_signs),
        cmocka_unit_test(a_head_inside_a_larger_format_is_read_and_a_cut_one_is_refused),
        cmocka_unit_test(heads_of_one_history_are_ordered_by_version),
        cmocka_unit_test(one_version_has_one_root_one_digest_and_one_epoch),
        cmocka_unit_test(a_larger_version_never_has_a_smaller_epoch),
        cmocka_unit_test(an_epoch_never_begins_twice),
        cmocka_unit_test(other_vaults_and_lineages_say_nothing),
        cmocka_unit_test(one_owner_is_one_epoch_with_one_start_in_one_lineage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
