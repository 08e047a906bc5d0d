/* Contexts of mail: their bytes. What a client makes of them is tested in known.c. */
#include "state/context.h"
#include "support/test.h"
#include <string.h>

static const char vector[] = "state/example.txt";

static struct cella_bytes client_written(const struct cella_client_context *context) {
    uint8_t out[CELLA_CLIENT_CONTEXT_SIZE_MAX];
    size_t size = cella_client_context_write(context, out);
    return test_copy(CELLA_BYTES(out, size));
}

static struct cella_bytes vault_written(const struct cella_vault_context *context) {
    static uint8_t out[CELLA_CONTEXT_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_vault_context_write(context, out, &size, NULL), CELLA_OK);
    return test_copy(CELLA_BYTES(out, size));
}

static bool client_parses(void *context, struct cella_bytes bytes) {
    struct cella_client_context read;
    return cella_client_context_parse(bytes, &read, NULL) == CELLA_OK;
}

static bool vault_parses(void *context, struct cella_bytes bytes) {
    struct cella_vault_context read;
    return cella_vault_context_parse(bytes, &read, NULL) == CELLA_OK;
}

static void the_clients_worked_examples_are_read_and_written_again(void **state) {
    static const char *const names[] = {"client_context_first", "client_context", "client_context_doubt"};
    for (unsigned heads = 0; heads < 3; heads++) {
        struct cella_client_context context;
        struct cella_bytes bytes = test_vector_field(vector, names[heads]);
        assert_status(cella_client_context_parse(bytes, &context, NULL), CELLA_OK);
        assert_int_equal(context.has_head, heads > 0);
        assert_int_equal(context.doubt_count, heads > 1 ? 1 : 0);
        assert_true(context.collected == (heads == 1 ? 12 : 0));
        assert_bytes(client_written(&context), bytes);
        test_truncations_refused(bytes, client_parses, NULL);
        test_extension_refused(bytes, client_parses, NULL);
    }
}

static void the_vaults_worked_examples_are_read_and_written_again(void **state) {
    static const char *const names[] = {"vault_context_post", "vault_context", "vault_context_restored",
                                        "vault_context_settled"};
    for (unsigned i = 0; i < 4; i++) {
        struct cella_vault_context context;
        struct cella_bytes bytes = test_vector_field(vector, names[i]);
        assert_status(cella_vault_context_parse(bytes, &context, NULL), CELLA_OK);
        assert_int_equal(context.has_proof, i == 1 || i == 2);
        assert_int_equal(context.has_settled, i == 3);
        assert_int_equal(context.restore_count, i == 2 ? 1 : 0);
        assert_bytes(vault_written(&context), bytes);
        test_truncations_refused(bytes, vault_parses, NULL);
        test_extension_refused(bytes, vault_parses, NULL);
    }
}

/* Whatever is accepted is written again as the same bytes. */
static void every_accepted_form_is_the_canonical_one(void **state) {
    struct cella_bytes client = test_vector_field(vector, "client_context_doubt");
    struct cella_bytes vault = test_vector_field(vector, "vault_context_restored");
    for (size_t bit = 0; bit < client.size * 8; bit++) {
        struct cella_client_context context;
        struct cella_bytes copy = test_copy(client);
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (cella_client_context_parse(copy, &context, NULL) == CELLA_OK)
            assert_bytes(client_written(&context), copy);
    }
    for (size_t bit = 0; bit < vault.size * 8; bit++) {
        struct cella_vault_context context;
        struct cella_bytes copy = test_copy(vault);
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (cella_vault_context_parse(copy, &context, NULL) == CELLA_OK)
            assert_bytes(vault_written(&context), copy);
    }
}

static void doubts_are_named_as_the_worked_example_does(void **state) {
    uint8_t digest[CELLA_DIGEST_SIZE];
    struct cella_client_context context;
    struct cella_vault_context answer;
    assert_status(
        cella_client_context_parse(test_vector_field(vector, "client_context_doubt"), &context, NULL),
        CELLA_OK);
    assert_status(
        cella_vault_context_parse(test_vector_field(vector, "vault_context_settled"), &answer, NULL),
        CELLA_OK);
    assert_true(cella_client_context_doubts(&context, digest));
    assert_memory_equal(digest, answer.settled, sizeof digest);
    context.doubt_count = 0;
    assert_false(cella_client_context_doubts(&context, digest));
}

static struct cella_vault_context example(const char *name) {
    struct cella_vault_context context;
    assert_status(cella_vault_context_parse(test_vector_field(vector, name), &context, NULL), CELLA_OK);
    return context;
}

static void assert_refused(const struct cella_vault_context *context) {
    static uint8_t out[CELLA_CONTEXT_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_vault_context_write(context, out, &size, NULL), CELLA_ARGUMENT);
}

static void fields_that_contradict_each_other_are_refused(void **state) {
    struct cella_vault_context context = example("vault_context");
    context.proof_from = 0;
    assert_refused(&context);
    context.proof_from = 7;
    assert_refused(&context);
    context = example("vault_context");
    context.proof_count = 0;
    assert_refused(&context);
    context.proof_count = CELLA_TREE_PROOF_NODES + 1;
    assert_refused(&context);
    context = example("vault_context_restored");
    context.head.lineage = 2;
    assert_refused(&context);
    context = example("vault_context_restored");
    context.restores[1] = context.restores[0];
    context.restore_count = 2;
    assert_refused(&context);
    context.restore_count = CELLA_CONTEXT_RESTORES_MAX + 1;
    assert_refused(&context);
    context = example("vault_context_restored");
    context.restores[0].lineage = 0;
    assert_refused(&context);
}

static void the_largest_contexts_fit(void **state) {
    struct cella_vault_context vault = example("vault_context_restored"), vault_read;
    struct cella_client_context client, client_read;
    assert_status(
        cella_client_context_parse(test_vector_field(vector, "client_context_doubt"), &client, NULL),
        CELLA_OK);
    client.doubt_count = CELLA_CONTEXT_DOUBTS_MAX;
    for (unsigned i = 0; i < CELLA_CONTEXT_DOUBTS_MAX; i++)
        client.doubts[i] = client.head;
    client.collected = UINT64_MAX;
    struct cella_bytes bytes = client_written(&client);
    assert_int_equal(bytes.size, CELLA_CLIENT_CONTEXT_SIZE_MAX);
    assert_status(cella_client_context_parse(bytes, &client_read, NULL), CELLA_OK);
    vault.proof_count = CELLA_TREE_PROOF_NODES;
    memset(vault.restores[0].reason, 'x', sizeof vault.restores[0].reason - 1);
    vault.restores[0].signature_count = CELLA_VAULT_OWNERS_MAX;
    for (unsigned i = 0; i < CELLA_VAULT_OWNERS_MAX; i++)
        vault.restores[0].signatures[i].owner[0] = (uint8_t)i;
    for (unsigned i = 0; i < CELLA_VAULT_OWNERS_MAX; i++)
        memset(vault.restores[0].signatures[i].owner + 1, 0, 31);
    vault.restore_count = CELLA_CONTEXT_RESTORES_MAX;
    for (unsigned i = 1; i < CELLA_CONTEXT_RESTORES_MAX; i++)
        vault.restores[i] = vault.restores[0];
    for (unsigned i = 0; i < CELLA_CONTEXT_RESTORES_MAX; i++)
        vault.restores[i].lineage = vault.head.lineage + i;
    vault.head.lineage += CELLA_CONTEXT_RESTORES_MAX - 1;
    vault.has_settled = true;
    assert_status(cella_vault_context_parse(vault_written(&vault), &vault_read, NULL), CELLA_OK);
    assert_bytes(vault_written(&vault_read), vault_written(&vault));
}

static void more_heads_or_restores_than_allowed_are_refused(void **state) {
    struct cella_bytes bytes = test_copy(test_vector_field(vector, "client_context"));
    ((uint8_t *)(uintptr_t)bytes.data)[6] = CELLA_CONTEXT_DOUBTS_MAX + 2;
    assert_false(client_parses(NULL, bytes));
    bytes = test_copy(test_vector_field(vector, "vault_context"));
    ((uint8_t *)(uintptr_t)bytes.data)[7] = CELLA_CONTEXT_RESTORES_MAX + 1;
    assert_false(vault_parses(NULL, bytes));
}

static void newer_formats_are_told_from_damage(void **state) {
    struct cella_client_context client;
    struct cella_vault_context vault;
    struct cella_bytes bytes = test_copy(test_vector_field(vector, "client_context"));
    ((uint8_t *)(uintptr_t)bytes.data)[4] = 2;
    assert_status(cella_client_context_parse(bytes, &client, NULL), CELLA_NEWER_FORMAT);
    bytes = test_copy(test_vector_field(vector, "vault_context"));
    ((uint8_t *)(uintptr_t)bytes.data)[4] = 2;
    assert_status(cella_vault_context_parse(bytes, &vault, NULL), CELLA_NEWER_FORMAT);
    ((uint8_t *)(uintptr_t)bytes.data)[4] = 0;
    assert_status(cella_vault_context_parse(bytes, &vault, NULL), CELLA_DAMAGED);
    assert_status(cella_vault_context_parse(test_vector_field(vector, "client_context"), &vault, NULL),
                  CELLA_DAMAGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clients_worked_examples_are_read_and_written_again),
        cmocka_unit_test(the_vaults_worked_examples_are_read_and_written_again),
        cmocka_unit_test(doubts_are_named_as_the_worked_example_does),
        cmocka_unit_test(every_accepted_form_is_the_canonical_one),
        cmocka_unit_test(fields_that_contradict_each_other_are_refused),
        cmocka_unit_test(the_largest_contexts_fit),
        cmocka_unit_test(more_heads_or_restores_than_allowed_are_refused),
        cmocka_unit_test(newer_formats_are_told_from_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
