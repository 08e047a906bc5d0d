/* Fork evidence: bytes, and what proves something to whoever has only the file. */
#include "state/evidence.h"
#include "copy.h"
#include "support/test.h"
#include <string.h>

static const char vector[] = "state/example.txt";

static struct copy_vault vault, other_vault;
static struct copy one, other; /* fork after version 10: one at 20, the other at 30, in epochs 1 and 2 */

static int setup(void **state) {
    copy_vault_init(&vault, 1);
    copy_vault_init(&other_vault, 2);
    copy_create(&one, &vault);
    copy_append(&one, 18);
    other = one;
    copy_set_back(&other, 10);
    copy_restart(&other);
    copy_append(&other, 18);
    return 0;
}

static int teardown(void **state) {
    copy_vault_deinit(&vault);
    copy_vault_deinit(&other_vault);
    return 0;
}

static struct cella_fork_evidence of(const struct cella_signed_head *first,
                                     const struct cella_signed_head *second) {
    struct cella_fork_evidence evidence;
    cella_fork_evidence_init(&evidence, CELLA_BYTES(vault.genesis_bytes, vault.genesis_size), first, second);
    return evidence;
}

static struct cella_fork_evidence by_proof(void) {
    struct cella_signed_head first = copy_head(&one), second = copy_head(&other);
    struct cella_fork_evidence evidence = of(&second, &first);
    evidence.reason = CELLA_FORK_BY_PROOF;
    evidence.proof_count = copy_prove(&other, one.version, evidence.proof);
    return evidence;
}

static struct cella_fork_evidence by_heads(void) {
    struct copy later = one;
    copy_append(&later, 20);
    struct cella_signed_head first = copy_head(&other), second = copy_head(&later);
    return of(&first, &second);
}

static struct cella_fork_evidence by_testimony(void) {
    struct copy back = one;
    copy_set_back(&back, 5);
    struct cella_signed_head first = copy_head(&back), second = copy_head(&other);
    struct cella_fork_evidence evidence = of(&first, &second);
    assert_status(cella_fork_evidence_testify(&evidence, &vault.key), CELLA_OK);
    return evidence;
}

static struct cella_bytes written(const struct cella_fork_evidence *evidence) {
    uint8_t out[CELLA_FORK_EVIDENCE_SIZE_MAX];
    size_t size = cella_fork_evidence_write(evidence, out);
    return test_copy(CELLA_BYTES(out, size));
}

static bool parses(void *context, struct cella_bytes bytes) {
    struct cella_fork_evidence evidence;
    return cella_fork_evidence_parse(bytes, &evidence, NULL) == CELLA_OK;
}

static bool proves(void *context, struct cella_bytes bytes) {
    struct cella_fork_evidence evidence;
    return cella_fork_evidence_parse(bytes, &evidence, NULL) == CELLA_OK &&
           cella_fork_evidence_verify(&evidence, NULL, 0, NULL) == CELLA_OK;
}

static enum cella_status verify(const struct cella_fork_evidence *evidence) {
    struct cella_error error = {0};
    enum cella_status status = cella_fork_evidence_verify(evidence, NULL, 0, &error);
    assert_true(status == CELLA_OK || error.message[0] != '\0');
    return status;
}

static void the_worked_examples_prove_forks(void **state) {
    static const char *const names[] = {"evidence_by_heads", "evidence_by_proof", "evidence_by_testimony"};
    static const char *const words[] = {"contradict", "another state", "testifies"};
    for (unsigned i = 0; i < 3; i++) {
        struct cella_fork_evidence evidence;
        char text[256];
        struct cella_bytes bytes = test_vector_field(vector, names[i]);
        assert_status(cella_fork_evidence_parse(bytes, &evidence, NULL), CELLA_OK);
        assert_int_equal(evidence.reason, i + 1);
        assert_status(cella_fork_evidence_verify(&evidence, text, sizeof text, NULL), CELLA_OK);
        assert_non_null(strstr(text, words[i]));
        assert_bytes(written(&evidence), bytes);
    }
}

static void every_truncation_extension_and_flipped_bit_is_refused(void **state) {
    struct cella_fork_evidence all[] = {by_heads(), by_proof(), by_testimony()};
    for (unsigned i = 0; i < 3; i++) {
        struct cella_bytes bytes = written(&all[i]);
        test_truncations_refused(bytes, parses, NULL);
        test_extension_refused(bytes, parses, NULL);
        test_bit_flips_refused(bytes, proves, NULL);
    }
}

static void heads_in_either_order_become_ordered(void **state) {
    struct cella_signed_head first = copy_head(&one), second = copy_head(&other);
    struct cella_fork_evidence evidence = of(&second, &first);
    assert_true(evidence.first.head.version == 20 && evidence.second.head.version == 30);
    evidence = of(&first, &second);
    assert_true(evidence.first.head.version == 20 && evidence.second.head.version == 30);
}

static void heads_in_the_wrong_order_prove_nothing(void **state) {
    struct cella_fork_evidence all[] = {by_heads(), by_proof(), by_testimony()};
    for (unsigned i = 0; i < 3; i++) {
        struct cella_signed_head first = all[i].first;
        all[i].first = all[i].second;
        all[i].second = first;
        assert_status(verify(&all[i]), CELLA_EVIDENCE_PROVES_NOTHING);
    }
}

static void two_heads_of_one_history_prove_nothing(void **state) {
    struct copy later = one;
    copy_append(&later, 9);
    struct cella_signed_head first = copy_head(&one), second = copy_head(&later);
    struct cella_fork_evidence evidence = of(&first, &second);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
    evidence.reason = CELLA_FORK_BY_PROOF;
    evidence.proof_count = copy_prove(&later, one.version, evidence.proof);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
    evidence = of(&first, &first);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
}

static void a_proof_that_does_not_lead_to_the_second_head_proves_nothing(void **state) {
    struct cella_fork_evidence evidence = by_proof();
    for (size_t node = 0; node < evidence.proof_count; node++) {
        evidence.proof[node * CELLA_DIGEST_SIZE] ^= 1;
        assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
        evidence.proof[node * CELLA_DIGEST_SIZE] ^= 1;
    }
    evidence.proof_count = copy_prove(&other, 19, evidence.proof);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
}

static void a_head_that_the_vault_did_not_sign_proves_nothing(void **state) {
    struct cella_fork_evidence evidence = by_proof();
    assert_status(cella_signed_head_sign(&evidence.first, &other_vault.key), CELLA_OK);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
    evidence = by_heads();
    evidence.second.root[0] ^= 1;
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
}

/* Anyone can make a genesis with a key of their own; it is the genesis of another vault then. */
static void heads_of_another_vault_than_the_genesis_prove_nothing(void **state) {
    struct cella_fork_evidence evidence = by_heads();
    memcpy(evidence.genesis, other_vault.genesis_bytes, other_vault.genesis_size);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
    evidence = by_heads();
    evidence.genesis_size = 0;
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
}

static void heads_on_both_sides_of_a_restore_prove_nothing(void **state) {
    struct copy restored = one;
    copy_restore(&restored, 8, 20);
    struct cella_signed_head first = copy_head(&one), second = copy_head(&restored);
    struct cella_fork_evidence evidence = of(&first, &second);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
    evidence.first = second;
    evidence.second = first;
    assert_status(cella_fork_evidence_testify(&evidence, &vault.key), CELLA_OK);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
}

/* Set back to before a restore: the heads are of two lineages, and the vault's own word counts. */
static void a_testimony_of_an_earlier_lineage_proves_a_fork(void **state) {
    struct copy restored = one;
    copy_restore(&restored, 8, 20);
    struct cella_signed_head first = copy_head(&one), second = copy_head(&restored);
    assert_true(second.head.version < first.head.version);
    for (unsigned i = 0; i < 2; i++) {
        struct cella_fork_evidence evidence = i == 0 ? of(&first, &second) : of(&second, &first);
        assert_true(evidence.first.lineage == 0);
        assert_status(cella_fork_evidence_testify(&evidence, &vault.key), CELLA_OK);
        assert_status(verify(&evidence), CELLA_OK);
    }
}

static void a_testimony_of_somebody_else_or_to_other_heads_proves_nothing(void **state) {
    struct cella_fork_evidence evidence = by_testimony(), further = by_testimony();
    assert_status(verify(&evidence), CELLA_OK);
    assert_status(cella_fork_evidence_testify(&evidence, &other_vault.key), CELLA_OK);
    assert_status(verify(&evidence), CELLA_EVIDENCE_PROVES_NOTHING);
    struct copy later = other;
    copy_append(&later, 1);
    further.second = copy_head(&later);
    assert_status(verify(&further), CELLA_EVIDENCE_PROVES_NOTHING);
}

static void a_proof_of_no_whole_nodes_is_refused(void **state) {
    uint8_t longer[CELLA_FORK_EVIDENCE_SIZE_MAX + 1] = {0};
    struct cella_fork_evidence evidence = by_proof();
    struct cella_bytes bytes = written(&evidence);
    memcpy(longer, bytes.data, bytes.size);
    size_t at = bytes.size - evidence.proof_count * CELLA_DIGEST_SIZE - 4;
    longer[at]++;
    assert_false(parses(NULL, CELLA_BYTES(longer, bytes.size + 1)));
    memset(longer + at, 0, 4);
    assert_false(parses(NULL, CELLA_BYTES(longer, at + 4)));
}

static void what_proves_nothing_gives_no_text(void **state) {
    char text[8] = "before";
    struct cella_fork_evidence evidence = by_heads();
    evidence.first.root[0] ^= 1;
    assert_status(cella_fork_evidence_verify(&evidence, text, sizeof text, NULL),
                  CELLA_EVIDENCE_PROVES_NOTHING);
    assert_string_equal(text, "before");
}

static void a_newer_format_is_told_from_damage(void **state) {
    struct cella_fork_evidence evidence = by_heads();
    struct cella_bytes bytes = written(&evidence);
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
    data[4] = 2;
    assert_status(cella_fork_evidence_parse(bytes, &evidence, NULL), CELLA_NEWER_FORMAT);
    data[4] = 1;
    data[6] = 4;
    assert_status(cella_fork_evidence_parse(bytes, &evidence, NULL), CELLA_DAMAGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_examples_prove_forks),
        cmocka_unit_test(every_truncation_extension_and_flipped_bit_is_refused),
        cmocka_unit_test(heads_in_either_order_become_ordered),
        cmocka_unit_test(heads_in_the_wrong_order_prove_nothing),
        cmocka_unit_test(two_heads_of_one_history_prove_nothing),
        cmocka_unit_test(a_proof_that_does_not_lead_to_the_second_head_proves_nothing),
        cmocka_unit_test(a_head_that_the_vault_did_not_sign_proves_nothing),
        cmocka_unit_test(heads_of_another_vault_than_the_genesis_prove_nothing),
        cmocka_unit_test(heads_on_both_sides_of_a_restore_prove_nothing),
        cmocka_unit_test(a_testimony_of_an_earlier_lineage_proves_a_fork),
        cmocka_unit_test(a_testimony_of_somebody_else_or_to_other_heads_proves_nothing),
        cmocka_unit_test(a_proof_of_no_whole_nodes_is_refused),
        cmocka_unit_test(what_proves_nothing_gives_no_text),
        cmocka_unit_test(a_newer_format_is_told_from_damage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
