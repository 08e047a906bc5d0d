/* Restores: the owners' word brings an older state back, once, for the state that it names. */
#include "state/journal.h"
#include "support/vault_case.h"
#include <string.h>

static void put(struct test_vault *vault, const char *key) {
    assert_status(test_vault_put(vault, key, "1", NULL), CELLA_OK);
}

/* An older copy lies in the store, and the register is past it; closed. */
static void make_stale(struct test_vault *vault) {
    put(vault, "kept");
    test_vault_close(vault);
    struct test_store *old = test_store_copy(vault->store);
    assert_status(test_vault_open(vault), CELLA_OK);
    put(vault, "lost");
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_check(vault), CELLA_VAULT_STALE);
}

static void the_owners_bring_a_stale_copy_back(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_check(vault), CELLA_OK);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_true(vault->report.restored);
    assert_int_equal(cella_vault_lineage(vault->vault), 1);
    assert_int_equal(cella_vault_epoch(vault->vault), 3);
    assert_true(test_vault_has(vault, "kept", "1"));
    assert_true(test_vault_has(vault, "lost", NULL));
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_RESTORE), 0);
    put(vault, "new");
    test_vault_reopen(vault);
    assert_false(vault->report.restored);
    assert_int_equal(vault->report.lineage, 1);
    assert_true(test_vault_has(vault, "new", "1"));
}

static void too_few_owners_restore_nothing(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    test_vault_authorise(vault, 1, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_check(vault), CELLA_VAULT_RESTORE);
    assert_status(test_vault_open(vault), CELLA_VAULT_RESTORE);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_RESTORE), 1);
}

/* Nobody has authorised anything yet: what is fine by itself goes on, and the file waits. */
static void a_half_signed_restore_stops_no_vault_that_needs_none(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    test_vault_close(vault);
    assert_status(test_vault_check(vault), CELLA_OK);
    test_vault_authorise(vault, 1, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_check(vault), CELLA_OK);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_false(vault->report.restored);
    assert_int_equal(cella_vault_lineage(vault->vault), 0);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_RESTORE), 1);
}

/* The second owner's image must find where the state ends, although one signature is too few. */
static void a_check_finds_the_state_beside_a_half_signed_restore(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    uint64_t found = vault->report.found.version;
    test_vault_authorise(vault, 1, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_check(vault), CELLA_VAULT_RESTORE);
    assert_int_equal(vault->report.found.version, found);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_true(vault->report.restored);
}

static void a_damaged_restore_is_refused(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    struct cella_bytes good = test_copy(test_store_file(vault->store, CELLA_STORE_RESTORE, 0));
    for (size_t at = 0; at < good.size; at++) {
        struct cella_bytes bad = test_copy(good);
        ((uint8_t *)(uintptr_t)bad.data)[at] ^= 1;
        test_store_put(vault->store, CELLA_STORE_RESTORE, 0, bad);
        enum cella_status status = test_vault_check(vault);
        if (status != CELLA_NEWER_FORMAT)
            assert_status(status, CELLA_VAULT_RESTORE);
        test_store_put(vault->store, CELLA_STORE_RESTORE, 0, CELLA_BYTES(good.data, at));
        assert_status(test_vault_check(vault), CELLA_VAULT_RESTORE);
    }
}

static void a_restore_is_for_one_state_alone(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    test_vault_close(vault);
    assert_status(test_vault_check(vault), CELLA_OK);
    test_vault_authorise(vault, 2, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    put(vault, "more");
    test_vault_close(vault);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_open(vault), CELLA_VAULT_RESTORE);
}

/* The same older copy with the same restore, after it was carried out: the register has moved on. */
static void a_restore_counts_once(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    struct test_store *before = test_store_copy(vault->store);
    assert_status(test_vault_open(vault), CELLA_OK);
    put(vault, "new");
    test_vault_close(vault);
    test_store_assign(vault->store, before);
    test_store_free(before);
    assert_status(test_vault_open(vault), CELLA_VAULT_RESTORE);
    test_store_delete(vault->store, CELLA_STORE_RESTORE, 0);
    assert_status(test_vault_open(vault), CELLA_VAULT_STALE);
}

/* The host keeps the owners' word, lets the vault go on without it, and cuts away what was done since. */
static void a_restore_that_was_held_back_takes_no_later_epoch_away(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    test_vault_close(vault);
    assert_status(test_vault_check(vault), CELLA_OK);
    test_vault_authorise(vault, 2, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    put(vault, "acknowledged");
    test_vault_close(vault);
    struct cella_bytes segment = test_copy(test_store_file(vault->store, CELLA_STORE_SEGMENT, 2));
    for (size_t size = CELLA_SEGMENT_HEADER_SIZE + 512; size <= CELLA_SEGMENT_HEADER_SIZE + 1024;
         size += 512) {
        test_store_put(vault->store, CELLA_STORE_SEGMENT, 2, CELLA_BYTES(segment.data, size));
        test_vault_place_restore(vault, &restore);
        assert_status(test_vault_check(vault), CELLA_VAULT_RESTORE);
        assert_status(test_vault_open(vault), CELLA_VAULT_RESTORE);
    }
    test_store_delete(vault->store, CELLA_STORE_RESTORE, 0);
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 2, segment);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_true(test_vault_has(vault, "acknowledged", "1"));
}

static void a_leftover_of_a_restore_is_removed_and_not_done_again(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    put(vault, "new");
    test_vault_place_restore(vault, &restore);
    test_vault_reopen(vault);
    assert_false(vault->report.restored);
    assert_int_equal(cella_vault_lineage(vault->vault), 1);
    assert_true(test_vault_has(vault, "new", "1"));
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_RESTORE), 0);
}

static void a_register_that_was_set_back_is_brought_past_all_epochs(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    for (int i = 0; i < 5; i++)
        test_vault_reopen(vault);
    uint64_t *epoch = test_machine_register(&vault->machine, cella_vault_id(vault->vault));
    test_vault_close(vault);
    *epoch = 2;
    assert_status(test_vault_check(vault), CELLA_VAULT_REWOUND);
    test_vault_authorise(vault, 3, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_int_equal(cella_vault_epoch(vault->vault), 7);
    assert_int_equal(*epoch, 7);
}

static void a_register_that_is_gone_is_made_anew(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    test_vault_close(vault);
    vault->machine.register_count = 0;
    assert_status(test_vault_check(vault), CELLA_VAULT_REWOUND);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_int_equal(cella_vault_epoch(vault->vault), 2);
}

/* Every operation of the start is where the machine stops; then a start must go through. */
struct crash_at {
    uint64_t number;
    enum test_fault fault;
};

static enum test_fault crash_plan(void *context, uint64_t number, enum test_operation operation,
                                  const struct cella_store_write *write, enum cella_status *ret_status) {
    const struct crash_at *at = context;
    return number == at->number ? at->fault : TEST_FAULT_NONE;
}

static void a_restore_goes_through_wherever_its_start_is_cut_short(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    make_stale(vault);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    struct test_store *before = test_store_copy(vault->store);
    struct test_machine machine = vault->machine;
    static const enum test_fault faults[] = {TEST_FAULT_CRASH, TEST_FAULT_CRASH_TORN, TEST_FAULT_CRASH_DONE};
    for (unsigned fault = 0; fault < 3; fault++) {
        for (uint64_t number = 0;; number++) {
            struct crash_at at = {.number = number, .fault = faults[fault]};
            test_store_assign(vault->store, before);
            vault->machine = machine;
            test_store_plan(vault->store, crash_plan, &at);
            (void)test_vault_open(vault);
            bool crashed = test_store_crashed(vault->store);
            test_vault_close(vault);
            test_store_restart(vault->store, number + 1);
            assert_status(test_vault_open(vault), CELLA_OK);
            assert_int_equal(cella_vault_lineage(vault->vault), 1);
            assert_true(test_vault_has(vault, "kept", "1"));
            test_vault_close(vault);
            if (!crashed)
                break;
        }
    }
    test_store_free(before);
}

static void a_stopped_vault_goes_on_after_a_restore_and_clients_are_told(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    struct cella_vault_claim claim;
    struct cella_vault_context context;
    struct cella_fork_evidence evidence;
    struct cella_vault_reading reading;
    uint8_t bytes[CELLA_CONTEXT_SIZE_MAX];
    size_t size;
    put(vault, "kept");
    test_vault_reopen(vault);
    struct test_store *old = test_store_copy(vault->store);
    put(vault, "lost");
    struct cella_vault_known known = {.has_head = true, .head = test_vault_head(vault)};
    struct cella_bytes genesis = cella_vault_genesis(vault->vault);
    memcpy(known.genesis, genesis.data, genesis.size);
    known.genesis_size = genesis.size;
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_status(test_vault_open(vault), CELLA_OK);
    struct cella_client_context asked = {.has_head = true, .head = known.head};
    assert_status(cella_vault_check_context(vault->vault, &asked, &claim, NULL), CELLA_VAULT_FORK);
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_VAULT_STOPPED);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_false(vault->report.stopped);
    put(vault, "new");
    cella_vault_known_ask(&known, 0, &asked);
    assert_status(cella_vault_check_context(vault->vault, &asked, &claim, NULL), CELLA_OK);
    assert_false(claim.in_history);
    assert_status(cella_vault_read(vault->vault, &reading), CELLA_OK);
    assert_status(cella_vault_write_context(vault->vault, reading.moment, &claim, bytes, &size), CELLA_OK);
    cella_vault_reading_release(vault->vault, &reading);
    assert_status(cella_vault_context_parse(CELLA_BYTES(bytes, size), &context, NULL), CELLA_OK);
    assert_status(cella_vault_known_judge(&known, &asked, &context, &evidence, &vault->error),
                  CELLA_VAULT_RESTORED);
    assert_int_equal(known.head.lineage, 1);
}

static void a_client_that_lost_nothing_by_restores_goes_on(void **state) {
    struct test_vault *vault = *state;
    struct cella_fork_evidence evidence;
    struct cella_vault_reading reading;
    struct cella_client_context asked;
    struct cella_vault_context context;
    struct cella_vault_claim claim;
    uint8_t bytes[CELLA_CONTEXT_SIZE_MAX];
    size_t size;
    struct cella_vault_known known = {.has_head = true, .head = test_vault_head(vault)};
    struct cella_bytes genesis = cella_vault_genesis(vault->vault);
    memcpy(known.genesis, genesis.data, genesis.size);
    known.genesis_size = genesis.size;
    for (int i = 0; i < 3; i++) {
        struct cella_restore restore;
        make_stale(vault);
        test_vault_authorise(vault, 2, &restore);
        test_vault_place_restore(vault, &restore);
        assert_status(test_vault_open(vault), CELLA_OK);
    }
    assert_int_equal(cella_vault_lineage(vault->vault), 3);
    cella_vault_known_ask(&known, 0, &asked);
    assert_status(cella_vault_check_context(vault->vault, &asked, &claim, NULL), CELLA_OK);
    assert_true(claim.in_history);
    assert_status(cella_vault_read(vault->vault, &reading), CELLA_OK);
    assert_status(cella_vault_write_context(vault->vault, reading.moment, &claim, bytes, &size), CELLA_OK);
    cella_vault_reading_release(vault->vault, &reading);
    assert_status(cella_vault_context_parse(CELLA_BYTES(bytes, size), &context, NULL), CELLA_OK);
    assert_status(cella_vault_known_judge(&known, &asked, &context, &evidence, &vault->error), CELLA_OK);
    assert_int_equal(known.head.lineage, 3);
}

static void a_head_of_a_later_lineage_stops_an_older_copy(void **state) {
    struct test_vault *vault = *state;
    struct cella_restore restore;
    struct cella_vault_claim claim;
    make_stale(vault);
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
    struct test_store *before = test_store_copy(vault->store);
    struct test_machine machine = vault->machine;
    assert_status(test_vault_open(vault), CELLA_OK);
    put(vault, "new");
    struct cella_client_context asked = {.has_head = true, .head = test_vault_head(vault)};
    test_vault_close(vault);
    test_store_assign(vault->store, before); /* with the machine */
    test_store_free(before);
    vault->machine = machine;
    *test_machine_register(&vault->machine, asked.head.vault_id) = 1;
    test_store_delete(vault->store, CELLA_STORE_RESTORE, 0);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_status(cella_vault_check_context(vault->vault, &asked, &claim, NULL), CELLA_VAULT_FORK);
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_VAULT_STOPPED);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_EVIDENCE), 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, test_vault_setup, test_vault_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(the_owners_bring_a_stale_copy_back),
        CASE(too_few_owners_restore_nothing),
        CASE(a_half_signed_restore_stops_no_vault_that_needs_none),
        CASE(a_check_finds_the_state_beside_a_half_signed_restore),
        CASE(a_damaged_restore_is_refused),
        CASE(a_restore_is_for_one_state_alone),
        CASE(a_restore_counts_once),
        CASE(a_restore_that_was_held_back_takes_no_later_epoch_away),
        CASE(a_leftover_of_a_restore_is_removed_and_not_done_again),
        CASE(a_register_that_was_set_back_is_brought_past_all_epochs),
        CASE(a_register_that_is_gone_is_made_anew),
        CASE(a_restore_goes_through_wherever_its_start_is_cut_short),
        CASE(a_stopped_vault_goes_on_after_a_restore_and_clients_are_told),
        CASE(a_client_that_lost_nothing_by_restores_goes_on),
        CASE(a_head_of_a_later_lineage_stops_an_older_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
