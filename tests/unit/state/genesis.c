/* The genesis: bytes, rules, vault id. */
#include "state/genesis.h"
#include "support/test.h"
#include <string.h>

static const char vector[] = "state/example.txt";

static struct cella_genesis good(unsigned owners) {
    struct cella_genesis genesis = {
        .kind = CELLA_VAULT_MACHINE, .owner_count = owners, .owner_threshold = owners > 0 ? 1 : 0};
    memset(genesis.random, 1, sizeof genesis.random);
    memset(genesis.signing_key, 2, sizeof genesis.signing_key);
    for (unsigned i = 0; i < owners; i++)
        genesis.owners[i][0] = (uint8_t)(i + 1);
    return genesis;
}

static struct cella_bytes written(const struct cella_genesis *genesis) {
    uint8_t out[CELLA_GENESIS_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_genesis_write(genesis, out, &size, NULL), CELLA_OK);
    return test_copy(CELLA_BYTES(out, size));
}

static bool parses(void *context, struct cella_bytes bytes) {
    struct cella_genesis genesis;
    return cella_genesis_parse(bytes, &genesis, NULL) == CELLA_OK;
}

static void what_is_written_is_read_with_any_number_of_owners(void **state) {
    for (unsigned owners = 0; owners <= CELLA_VAULT_OWNERS_MAX; owners++) {
        struct cella_genesis before = good(owners), after;
        struct cella_bytes bytes = written(&before);
        assert_status(cella_genesis_parse(bytes, &after, NULL), CELLA_OK);
        assert_int_equal(after.owner_count, owners);
        assert_bytes(written(&after), bytes);
        test_truncations_refused(bytes, parses, NULL);
        test_extension_refused(bytes, parses, NULL);
    }
}

static void the_worked_example_gives_its_vault_id(void **state) {
    struct cella_genesis genesis;
    uint8_t id[CELLA_VAULT_ID_SIZE];
    struct cella_bytes bytes = test_vector_field(vector, "genesis");
    assert_status(cella_genesis_parse(bytes, &genesis, NULL), CELLA_OK);
    assert_int_equal(genesis.owner_count, 2);
    assert_int_equal(genesis.owner_threshold, 2);
    assert_int_equal(genesis.policy_digest[31], 0x22);
    assert_bytes(written(&genesis), bytes);
    cella_genesis_vault_id(bytes, id);
    assert_bytes(CELLA_BYTES(id, sizeof id), test_vector_field(vector, "vault_id"));
}

/* Whatever is accepted is written again as the same bytes, so a vault has one genesis and one id. */
static void every_accepted_form_is_the_canonical_one(void **state) {
    struct cella_genesis genesis = good(3);
    struct cella_bytes bytes = written(&genesis);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        struct cella_bytes copy = test_copy(bytes);
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (cella_genesis_parse(copy, &genesis, NULL) == CELLA_OK)
            assert_bytes(written(&genesis), copy);
    }
}

static void assert_refused(const struct cella_genesis *genesis) {
    uint8_t out[CELLA_GENESIS_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_genesis_write(genesis, out, &size, NULL), CELLA_ARGUMENT);
}

static void fields_that_contradict_each_other_are_refused(void **state) {
    struct cella_genesis genesis = good(3);
    genesis.kind = CELLA_VAULT_NONE;
    assert_refused(&genesis);
    genesis = good(3);
    memset(genesis.random, 0, sizeof genesis.random);
    assert_refused(&genesis);
    genesis = good(3);
    memset(genesis.signing_key, 0, sizeof genesis.signing_key);
    assert_refused(&genesis);
    genesis = good(3);
    genesis.warden_group[0] = 1;
    assert_refused(&genesis);
    genesis = good(3);
    genesis.owner_threshold = 4;
    assert_refused(&genesis);
    genesis.owner_threshold = 0;
    assert_refused(&genesis);
    genesis = good(0);
    genesis.owner_threshold = 1;
    assert_refused(&genesis);
    genesis = good(3);
    genesis.owners[0][0] = 2;
    assert_refused(&genesis);
    genesis.owners[0][0] = 9;
    assert_refused(&genesis);
    genesis.owners[0][0] = 0;
    assert_refused(&genesis);
    genesis = good(3);
    genesis.owner_count = CELLA_VAULT_OWNERS_MAX + 1;
    assert_refused(&genesis);
}

static void a_newer_format_or_kind_is_told_from_damage(void **state) {
    struct cella_genesis genesis = good(1);
    struct cella_bytes bytes = written(&genesis);
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
    data[4] = 2;
    assert_status(cella_genesis_parse(bytes, &genesis, NULL), CELLA_NEWER_FORMAT);
    data[4] = 1;
    data[6] = 2;
    assert_status(cella_genesis_parse(bytes, &genesis, NULL), CELLA_NEWER_FORMAT);
    data[6] = 0;
    assert_status(cella_genesis_parse(bytes, &genesis, NULL), CELLA_DAMAGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_with_any_number_of_owners),
        cmocka_unit_test(the_worked_example_gives_its_vault_id),
        cmocka_unit_test(every_accepted_form_is_the_canonical_one),
        cmocka_unit_test(fields_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_newer_format_or_kind_is_told_from_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
