/* Restores: bytes, rules, and the owners' signatures. */
#include "state/restore.h"
#include "copy.h"
#include "support/test.h"
#include <string.h>

static const char vector[] = "state/example.txt";

static struct copy_vault vault;
static struct copy copy;

static int setup(void **state) {
    copy_vault_init(&vault, 1);
    copy_create(&copy, &vault);
    copy_append(&copy, 10);
    return 0;
}

static int teardown(void **state) {
    copy_vault_deinit(&vault);
    return 0;
}

static struct cella_restore good(unsigned signatures) {
    struct cella_restore restore;
    copy_restore_make(&copy, 7, 12, signatures, &restore);
    return restore;
}

static struct cella_bytes written(const struct cella_restore *restore) {
    uint8_t out[CELLA_RESTORE_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_restore_write(restore, out, &size, NULL), CELLA_OK);
    return test_copy(CELLA_BYTES(out, size));
}

static bool parses(void *context, struct cella_bytes bytes) {
    struct cella_restore restore;
    return cella_restore_parse(bytes, &restore, NULL) == CELLA_OK;
}

static bool verifies(void *context, struct cella_bytes bytes) {
    struct cella_restore restore;
    return cella_restore_parse(bytes, &restore, NULL) == CELLA_OK &&
           cella_restore_verify(&restore, &vault.genesis, NULL) == CELLA_OK;
}

static void the_worked_example_verifies_and_is_written_again(void **state) {
    struct cella_genesis genesis;
    struct cella_restore restore;
    struct cella_bytes bytes = test_vector_field(vector, "restore");
    assert_status(cella_genesis_parse(test_vector_field(vector, "genesis"), &genesis, NULL), CELLA_OK);
    assert_status(cella_restore_parse(bytes, &restore, NULL), CELLA_OK);
    assert_status(cella_restore_verify(&restore, &genesis, NULL), CELLA_OK);
    assert_true(restore.lineage == 1 && restore.from.version == 4 && restore.lost_to == 7);
    assert_string_equal(restore.reason, "the disk was lost");
    assert_bytes(written(&restore), bytes);
}

static void signing_gives_the_worked_example_in_any_order_of_owners(void **state) {
    struct cella_restore restore;
    struct cella_ed25519_key owner = {0};
    assert_status(cella_restore_parse(test_vector_field(vector, "restore"), &restore, NULL), CELLA_OK);
    for (unsigned order = 0; order < 2; order++) {
        restore.signature_count = 0;
        memset(restore.signatures, 0, sizeof restore.signatures);
        for (unsigned i = 0; i < 2; i++) {
            uint8_t seed[32];
            memset(seed, 2 + (int)(i ^ order), sizeof seed);
            assert_status(cella_ed25519_from_seed(&owner, seed), CELLA_OK);
            assert_status(cella_restore_sign(&restore, &owner, NULL), CELLA_OK);
            assert_status(cella_restore_sign(&restore, &owner, NULL), CELLA_EXISTS);
            cella_ed25519_deinit(&owner);
        }
        assert_bytes(written(&restore), test_vector_field(vector, "restore"));
    }
}

static void every_truncation_extension_and_flipped_bit_is_refused(void **state) {
    struct cella_restore restore = good(2);
    struct cella_bytes bytes = written(&restore);
    test_truncations_refused(bytes, parses, NULL);
    test_extension_refused(bytes, parses, NULL);
    test_bit_flips_refused(bytes, verifies, NULL);
}

static void a_restore_with_too_few_signatures_can_be_passed_on_but_is_not_enough(void **state) {
    for (unsigned signatures = 0; signatures <= COPY_OWNERS; signatures++) {
        struct cella_restore restore = good(signatures);
        assert_true(parses(NULL, written(&restore)));
        assert_status(cella_restore_verify(&restore, &vault.genesis, NULL),
                      signatures >= 2 ? CELLA_OK : CELLA_VAULT_RESTORE);
    }
}

static void a_signature_of_somebody_else_or_a_wrong_one_spoils_it(void **state) {
    struct cella_restore restore = good(2);
    assert_status(cella_restore_sign(&restore, &vault.key, NULL), CELLA_OK);
    assert_status(cella_restore_verify(&restore, &vault.genesis, NULL), CELLA_VAULT_RESTORE);
    restore = good(3);
    restore.signatures[2].signature[0] ^= 1;
    assert_status(cella_restore_verify(&restore, &vault.genesis, NULL), CELLA_VAULT_RESTORE);
    restore = good(3);
    restore.epoch++;
    assert_status(cella_restore_verify(&restore, &vault.genesis, NULL), CELLA_VAULT_RESTORE);
}

static void a_restore_is_for_one_vault(void **state) {
    struct cella_restore restore = good(2);
    struct cella_genesis other = vault.genesis;
    other.random[0] ^= 1;
    assert_status(cella_restore_verify(&restore, &other, NULL), CELLA_VAULT_RESTORE);
}

static void nobody_restores_a_vault_without_owners(void **state) {
    struct cella_genesis genesis = vault.genesis;
    uint8_t bytes[CELLA_GENESIS_SIZE_MAX];
    size_t size = 0;
    genesis.owner_count = 0;
    genesis.owner_threshold = 0;
    struct cella_restore restore = good(0);
    assert_status(cella_genesis_write(&genesis, bytes, &size, NULL), CELLA_OK);
    cella_genesis_vault_id(CELLA_BYTES(bytes, size), restore.vault_id);
    assert_status(cella_restore_verify(&restore, &genesis, NULL), CELLA_VAULT_RESTORE);
}

/* Refused by the writer, the signer and the verifier; in bytes by the parser. */
static void assert_refused(const struct cella_restore *restore) {
    uint8_t out[CELLA_RESTORE_SIZE_MAX];
    size_t size = 0;
    struct cella_restore copied = *restore;
    assert_status(cella_restore_write(restore, out, &size, NULL), CELLA_ARGUMENT);
    assert_status(cella_restore_sign(&copied, &vault.owners[2], NULL), CELLA_ARGUMENT);
    assert_status(cella_restore_verify(restore, &vault.genesis, NULL), CELLA_VAULT_RESTORE);
}

static void fields_that_contradict_each_other_are_refused(void **state) {
    struct cella_restore restore = good(1);
    restore.lineage = 0;
    assert_refused(&restore);
    restore = good(1);
    restore.from.version = 0;
    assert_refused(&restore);
    restore = good(1);
    restore.from.version = restore.lost_to = CELLA_VERSION_MAX + 1;
    assert_refused(&restore);
    restore = good(1);
    restore.lost_to = 6;
    assert_refused(&restore);
    restore = good(1);
    restore.epoch = 0;
    assert_refused(&restore);
    restore = good(1);
    restore.time = -1;
    assert_refused(&restore);
    restore = good(1);
    restore.reason[3] = '\n';
    assert_refused(&restore);
    restore = good(1);
    memset(restore.reason, 'x', sizeof restore.reason);
    assert_refused(&restore);
    restore = good(2);
    restore.signatures[1] = restore.signatures[0];
    assert_refused(&restore);
    restore = good(1);
    restore.signature_count = CELLA_VAULT_OWNERS_MAX + 1;
    assert_refused(&restore);
}

static void the_edges_of_every_field_are_accepted(void **state) {
    struct cella_restore restore = good(0);
    restore.from.version = restore.lost_to = CELLA_VERSION_MAX;
    restore.from.epoch = restore.epoch;
    restore.time = 0;
    memcpy(restore.reason, " ~", 3);
    assert_true(parses(NULL, written(&restore)));
    restore.reason[0] = 0;
    restore.from.version = restore.lost_to = 1;
    assert_true(parses(NULL, written(&restore)));
    restore.reason[0] = 0x7f;
    assert_refused(&restore);
    restore.reason[0] = 0x1f;
    assert_refused(&restore);
}

static void a_zero_inside_the_reason_is_refused(void **state) {
    struct cella_restore restore = good(0);
    struct cella_bytes bytes = written(&restore);
    ((uint8_t *)(uintptr_t)bytes.data)[bytes.size - 5] = 0;
    assert_false(parses(NULL, bytes));
}

static void the_largest_restore_fits(void **state) {
    struct cella_restore restore = good(0), read;
    memset(restore.reason, 'x', sizeof restore.reason - 1);
    restore.signature_count = CELLA_VAULT_OWNERS_MAX;
    for (unsigned i = 0; i < CELLA_VAULT_OWNERS_MAX; i++)
        restore.signatures[i].owner[0] = (uint8_t)i;
    struct cella_bytes bytes = written(&restore);
    assert_status(cella_restore_parse(bytes, &read, NULL), CELLA_OK);
    assert_bytes(written(&read), bytes);
    assert_status(cella_restore_sign(&restore, &vault.owners[0], NULL), CELLA_LIMIT);
}

static void a_newer_format_is_told_from_damage(void **state) {
    struct cella_restore restore = good(0);
    struct cella_bytes bytes = written(&restore);
    ((uint8_t *)(uintptr_t)bytes.data)[5] = 1;
    assert_status(cella_restore_parse(bytes, &restore, NULL), CELLA_NEWER_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_verifies_and_is_written_again),
        cmocka_unit_test(signing_gives_the_worked_example_in_any_order_of_owners),
        cmocka_unit_test(every_truncation_extension_and_flipped_bit_is_refused),
        cmocka_unit_test(a_restore_with_too_few_signatures_can_be_passed_on_but_is_not_enough),
        cmocka_unit_test(a_signature_of_somebody_else_or_a_wrong_one_spoils_it),
        cmocka_unit_test(a_restore_is_for_one_vault),
        cmocka_unit_test(nobody_restores_a_vault_without_owners),
        cmocka_unit_test(fields_that_contradict_each_other_are_refused),
        cmocka_unit_test(the_edges_of_every_field_are_accepted),
        cmocka_unit_test(a_zero_inside_the_reason_is_refused),
        cmocka_unit_test(the_largest_restore_fits),
        cmocka_unit_test(a_newer_format_is_told_from_damage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
