/* What clients have seen against what the vault holds: contexts, forks, and that no client can invent one. */
#include "support/vault_case.h"
#include <string.h>

static void put_some(struct test_vault *vault, int count) {
    for (int i = 0; i < count; i++)
        assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
}

static struct cella_client_context context_of(const struct cella_signed_head *head) {
    return (struct cella_client_context){.has_head = true, .head = *head};
}

static enum cella_status show(struct test_vault *vault, const struct cella_signed_head *head,
                              struct cella_vault_claim *ret_claim) {
    const struct cella_client_context context = context_of(head);
    return cella_vault_check_context(vault->vault, &context, ret_claim, &vault->error);
}

static struct cella_vault_context answer(struct test_vault *vault, const struct cella_vault_claim *claim) {
    struct cella_vault_reading reading;
    struct cella_vault_context context;
    uint8_t bytes[CELLA_CONTEXT_SIZE_MAX];
    size_t size;
    assert_status(cella_vault_read(vault->vault, &reading), CELLA_OK);
    assert_status(cella_vault_write_context(vault->vault, reading.moment, claim, bytes, &size), CELLA_OK);
    cella_vault_reading_release(vault->vault, &reading);
    assert_status(cella_vault_context_parse(CELLA_BYTES(bytes, size), &context, &vault->error), CELLA_OK);
    return context;
}

static struct cella_vault_known known_of(struct test_vault *vault, const struct cella_signed_head *head) {
    struct cella_vault_known known = {.has_head = true, .head = *head};
    struct cella_bytes genesis = cella_vault_genesis(vault->vault);
    memcpy(known.genesis, genesis.data, genesis.size);
    known.genesis_size = genesis.size;
    return known;
}

/* The client's whole round: shows what it knows, judges the answer. */
static enum cella_status round_trip(struct test_vault *vault, struct cella_vault_known *known) {
    struct cella_client_context asked;
    struct cella_vault_claim claim;
    struct cella_fork_evidence evidence;
    cella_vault_known_ask(known, 0, &asked);
    enum cella_status status = cella_vault_check_context(vault->vault, &asked, &claim, &vault->error);
    if (status != CELLA_OK)
        return status;
    struct cella_vault_context context = answer(vault, &claim);
    return cella_vault_known_judge(known, &asked, &context, &evidence, &vault->error);
}

static struct cella_fork_evidence stored_evidence(struct test_vault *vault) {
    struct cella_fork_evidence evidence;
    struct cella_bytes bytes = test_store_file(vault->store, CELLA_STORE_EVIDENCE, 1);
    assert_true(bytes.size > 0);
    assert_status(cella_fork_evidence_parse(bytes, &evidence, &vault->error), CELLA_OK);
    return evidence;
}

static void a_client_without_a_head_is_welcome(void **state) {
    struct test_vault *vault = *state;
    const struct cella_client_context nothing = {.has_head = false};
    struct cella_vault_claim claim;
    assert_status(cella_vault_check_context(vault->vault, &nothing, &claim, NULL), CELLA_OK);
    assert_false(claim.has_head);
    struct cella_vault_context context = answer(vault, &claim);
    assert_false(context.has_proof);
    context = answer(vault, NULL);
    assert_false(context.has_proof);
}

static void a_client_follows_the_vault_over_many_restarts(void **state) {
    struct test_vault *vault = *state;
    struct cella_signed_head head = test_vault_head(vault);
    struct cella_vault_known known = known_of(vault, &head);
    for (int i = 0; i < 12; i++) {
        put_some(vault, i * i);
        test_vault_reopen(vault);
        assert_status(round_trip(vault, &known), CELLA_OK);
        struct cella_signed_head now = test_vault_head(vault);
        assert_memory_equal(&known.head, &now, sizeof now);
        assert_status(round_trip(vault, &known), CELLA_OK);
    }
}

static void an_old_client_gets_its_proof_from_stored_nodes(void **state) {
    struct test_vault *vault = *state;
    vault->limits.snapshot_after = 100000;
    test_vault_reopen(vault);
    struct cella_signed_head head = test_vault_head(vault);
    struct cella_vault_known known = known_of(vault, &head);
    put_some(vault, 3000);
    test_vault_reopen(vault);
    assert_true(vault->report.snapshot_version > 1000);
    struct cella_vault_known other = known;
    assert_status(round_trip(vault, &known), CELLA_OK);
    assert_true(known.head.head.version > 3000);
    /* And again when much more was written, with what was fetched before. */
    put_some(vault, 3000);
    assert_status(round_trip(vault, &other), CELLA_OK);
    assert_status(round_trip(vault, &known), CELLA_OK);
}

static void nodes_that_do_not_verify_are_not_proven_with(void **state) {
    struct test_vault *vault = *state;
    vault->limits.snapshot_after = 100000;
    test_vault_reopen(vault);
    struct cella_signed_head head = test_vault_head(vault);
    struct cella_vault_claim claim;
    put_some(vault, 3000);
    test_vault_close(vault);
    struct cella_bytes nodes = test_copy(test_store_file(vault->store, CELLA_STORE_HISTORY, 0));
    struct cella_bytes zeros = test_copy(nodes);
    memset((uint8_t *)(uintptr_t)zeros.data, 0, zeros.size);
    assert_status(test_vault_check(vault), CELLA_OK);
    test_store_put(vault->store, CELLA_STORE_HISTORY, 0, CELLA_BYTES(nodes.data, 32 * 100));
    assert_status(test_vault_check(vault), CELLA_HISTORY_DAMAGED);
    struct cella_bytes flipped = test_copy(nodes);
    ((uint8_t *)(uintptr_t)flipped.data)[32 * 1000] ^= 1;
    test_store_put(vault->store, CELLA_STORE_HISTORY, 0, flipped);
    assert_status(test_vault_check(vault), CELLA_HISTORY_DAMAGED);
    test_store_put(vault->store, CELLA_STORE_HISTORY, 0, zeros);
    assert_status(test_vault_check(vault), CELLA_HISTORY_DAMAGED);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_status(show(vault, &head, &claim), CELLA_HISTORY_DAMAGED);
    test_store_delete(vault->store, CELLA_STORE_HISTORY, 0);
    assert_status(show(vault, &head, &claim), CELLA_HISTORY_DAMAGED);
    assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
    test_store_put(vault->store, CELLA_STORE_HISTORY, 0, nodes);
    assert_status(show(vault, &head, &claim), CELLA_OK);
}

static void no_client_can_stop_a_vault_with_an_invention(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_claim claim;
    put_some(vault, 5);
    struct cella_signed_head real = test_vault_head(vault);
    for (size_t at = 0; at < 8 * CELLA_SIGNED_HEAD_SIZE; at++) {
        uint8_t bytes[CELLA_SIGNED_HEAD_SIZE];
        struct cella_signed_head head;
        cella_signed_head_write(&real, bytes);
        bytes[at / 8] ^= (uint8_t)(1u << at % 8);
        if (cella_signed_head_parse(CELLA_BYTES(bytes, sizeof bytes), &head, NULL) != CELLA_OK)
            continue;
        assert_status(show(vault, &head, &claim), CELLA_VAULT_CONTEXT);
    }
    struct cella_ed25519_key key;
    struct cella_signed_head forged = real;
    assert_status(cella_ed25519_generate(&key), CELLA_OK);
    forged.head.version += 10;
    assert_status(cella_signed_head_sign(&forged, &key), CELLA_OK);
    assert_status(show(vault, &forged, &claim), CELLA_VAULT_CONTEXT);
    cella_ed25519_deinit(&key);
    assert_status(show(vault, &real, &claim), CELLA_OK);
    assert_status(test_vault_put(vault, "a", "2", NULL), CELLA_OK);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_EVIDENCE), 0);
}

static void a_head_of_another_vault_is_refused_alone(void **state) {
    struct test_vault *vault = *state;
    struct test_vault other;
    struct cella_vault_claim claim;
    test_vault_init(&other);
    assert_status(test_vault_create(&other), CELLA_OK);
    struct cella_signed_head head = test_vault_head(&other);
    assert_status(show(vault, &head, &claim), CELLA_VAULT_CONTEXT);
    test_vault_deinit(&other);
    assert_status(test_vault_put(vault, "a", "2", NULL), CELLA_OK);
}

static void assert_stopped(struct test_vault *vault) {
    struct cella_vault_reading reading;
    struct cella_vault_counts counts;
    const struct cella_client_context nothing = {.has_head = false};
    struct cella_vault_claim claim;
    struct test_answer waiting;
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_VAULT_STOPPED);
    assert_status(cella_vault_read(vault->vault, &reading), CELLA_VAULT_STOPPED);
    assert_status(cella_vault_check_context(vault->vault, &nothing, &claim, NULL), CELLA_VAULT_STOPPED);
    cella_vault_wait(vault->vault, test_answer_init(&waiting, NULL));
    assert_status(waiting.status, CELLA_VAULT_STOPPED);
    cella_vault_count(vault->vault, &counts);
    assert_true(counts.stopped);
    assert_false(cella_vault_busy(vault->vault));
    assert_int_equal(vault->lost, 0);
}

/* Within an epoch the register does not see it: the copy ends with the same intent. */
static void a_rollback_within_an_epoch_is_seen_by_a_client(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_claim claim;
    put_some(vault, 3);
    test_vault_close(vault);
    struct test_store *old = test_store_copy(vault->store);
    assert_status(test_vault_open(vault), CELLA_OK);
    test_store_assign(old, vault->store); /* with the new epoch's first records */
    put_some(vault, 5);
    struct cella_signed_head seen = test_vault_head(vault);
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_status(show(vault, &seen, &claim), CELLA_VAULT_FORK);
    assert_stopped(vault);
    struct cella_fork_evidence evidence = stored_evidence(vault);
    assert_int_equal(evidence.reason, CELLA_FORK_BY_HEADS);
    assert_status(cella_fork_evidence_verify(&evidence, NULL, 0, &vault->error), CELLA_OK);
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_VAULT_STOPPED);
    assert_true(vault->report.stopped);
    assert_int_equal(vault->report.evidence, 1);
}

/* The old copy has moved on with others, beyond the version that the client saw. */
static void a_fork_that_has_grown_longer_is_seen_by_its_roots(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_claim claim;
    put_some(vault, 3);
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_OK);
    struct test_store *old = test_store_copy(vault->store);
    put_some(vault, 5);
    struct cella_signed_head seen = test_vault_head(vault);
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_open(vault), CELLA_OK);
    put_some(vault, 100);
    assert_status(show(vault, &seen, &claim), CELLA_VAULT_FORK);
    assert_stopped(vault);
    struct cella_fork_evidence evidence = stored_evidence(vault);
    assert_int_equal(evidence.reason, CELLA_FORK_BY_PROOF);
    assert_status(cella_fork_evidence_verify(&evidence, NULL, 0, &vault->error), CELLA_OK);
}

static void a_doubt_of_another_history_stops_the_vault_too(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_claim claim;
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_OK);
    struct test_store *old = test_store_copy(vault->store);
    put_some(vault, 5);
    struct cella_signed_head seen = test_vault_head(vault);
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_open(vault), CELLA_OK);
    put_some(vault, 50);
    struct cella_signed_head good = test_vault_head(vault);
    struct cella_client_context context = context_of(&good);
    context.doubt_count = 1;
    context.doubts[0] = seen;
    assert_status(cella_vault_check_context(vault->vault, &context, &claim, NULL), CELLA_VAULT_FORK);
    assert_stopped(vault);
}

/* The machine was set back with the disk: the register agrees, the heads do not contradict each other. */
static void a_newer_head_after_a_machine_was_set_back_is_testified_to(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_claim claim;
    put_some(vault, 3);
    test_vault_close(vault);
    struct test_store *old = test_store_copy(vault->store);
    assert_status(test_vault_open(vault), CELLA_OK);
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_OK);
    put_some(vault, 50);
    struct cella_signed_head seen = test_vault_head(vault);
    *test_machine_register(&vault->machine, cella_vault_id(vault->vault)) = 1;
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_status(show(vault, &seen, &claim), CELLA_VAULT_FORK);
    assert_stopped(vault);
    struct cella_fork_evidence evidence = stored_evidence(vault);
    assert_int_equal(evidence.reason, CELLA_FORK_BY_TESTIMONY);
    assert_status(cella_fork_evidence_verify(&evidence, NULL, 0, &vault->error), CELLA_OK);
}

static void a_fenced_instance_takes_a_newer_head_for_no_fork(void **state) {
    struct test_vault *vault = *state;
    struct test_vault second = *vault;
    struct cella_vault_claim claim;
    second.store = test_store_copy(vault->store);
    assert_status(test_vault_open(&second), CELLA_OK);
    put_some(&second, 3);
    struct cella_signed_head seen = test_vault_head(&second);
    /* Both copies of the machine share one register. */
    memcpy(vault->machine.registers, second.machine.registers, sizeof second.machine.registers);
    *test_machine_register(&vault->machine, cella_vault_id(vault->vault)) = 2;
    assert_status(show(vault, &seen, &claim), CELLA_FENCED);
    assert_int_equal(vault->lost, 1);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_EVIDENCE), 0);
    test_vault_close(&second);
    test_store_free(second.store);
}

static void answers_under_way_do_not_leave_when_the_vault_stops(void **state) {
    struct test_vault *vault = *state;
    struct test_answer flying, queued;
    struct cella_vault_claim claim;
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_OK);
    struct test_store *old = test_store_copy(vault->store);
    put_some(vault, 5);
    struct cella_signed_head seen = test_vault_head(vault);
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_open(vault), CELLA_OK);
    test_store_delay(vault->store, true);
    assert_status(test_vault_put(vault, "b", "1", &flying), CELLA_OK);
    assert_status(test_vault_put(vault, "c", "1", &queued), CELLA_OK);
    assert_status(show(vault, &seen, &claim), CELLA_VAULT_FORK);
    assert_status(flying.status, CELLA_VAULT_STOPPED);
    assert_status(queued.status, CELLA_VAULT_STOPPED);
    assert_int_equal(flying.released, 1);
    assert_int_equal(queued.released, 1);
    test_store_work_all(vault->store);
    assert_stopped(vault);
    test_vault_close(vault);
    test_store_delay(vault->store, false);
    test_store_restart(vault->store, 0);
    assert_status(test_vault_open(vault), CELLA_VAULT_STOPPED);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, test_vault_setup, test_vault_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_client_without_a_head_is_welcome),
        CASE(a_client_follows_the_vault_over_many_restarts),
        CASE(an_old_client_gets_its_proof_from_stored_nodes),
        CASE(nodes_that_do_not_verify_are_not_proven_with),
        CASE(no_client_can_stop_a_vault_with_an_invention),
        CASE(a_head_of_another_vault_is_refused_alone),
        CASE(a_rollback_within_an_epoch_is_seen_by_a_client),
        CASE(a_fork_that_has_grown_longer_is_seen_by_its_roots),
        CASE(a_doubt_of_another_history_stops_the_vault_too),
        CASE(a_newer_head_after_a_machine_was_set_back_is_testified_to),
        CASE(a_fenced_instance_takes_a_newer_head_for_no_fork),
        CASE(answers_under_way_do_not_leave_when_the_vault_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
