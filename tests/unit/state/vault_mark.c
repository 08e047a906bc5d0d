/* Copies of a vault and starts that are killed: whose history the register's mark lets go on. */
#include "support/vault_case.h"
#include <stdio.h>
#include <string.h>

/* Where a start is killed, in the order of its steps. */
enum window {
    BEFORE_INTENT,
    INTENT_TORN,
    AFTER_INTENT,
    AFTER_ACQUIRE,
    EPOCH_TORN,
    AFTER_EPOCH,
    WINDOWS,
};

/* The header of the segment is the first write of a start, intent and EPOCH are the next. */
static const struct {
    unsigned write; /* 0: not in a write */
    enum test_fault fault;
    bool acquired;
} windows[WINDOWS] = {
    [BEFORE_INTENT] = {2, TEST_FAULT_CRASH, false},  [INTENT_TORN] = {2, TEST_FAULT_CRASH_TORN, false},
    [AFTER_INTENT] = {0, TEST_FAULT_NONE, false},    [AFTER_ACQUIRE] = {0, TEST_FAULT_NONE, true},
    [EPOCH_TORN] = {3, TEST_FAULT_CRASH_TORN, true}, [AFTER_EPOCH] = {3, TEST_FAULT_CRASH_DONE, true},
};

struct kill {
    enum window window;
    unsigned writes;
};

static enum test_fault kill_plan(void *context, uint64_t number, enum test_operation operation,
                                 const struct cella_store_write *write, enum cella_status *ret_status) {
    struct kill *kill = context;
    if (operation != TEST_WRITE_NOW)
        return TEST_FAULT_NONE;
    return ++kill->writes == windows[kill->window].write ? windows[kill->window].fault : TEST_FAULT_NONE;
}

/* The machine that a copy runs on is the one of the vault that it was copied from. */
static struct test_machine *machine_of(struct test_vault *vault) {
    return vault->machine.freshness.context;
}

static void start_and_kill(struct test_vault *vault, enum window window, uint64_t seed) {
    struct kill kill = {.window = window};
    struct test_machine *machine = machine_of(vault);
    if (windows[window].write == 0) {
        machine->acquire_fails = CELLA_IO;
        machine->acquire_done = windows[window].acquired;
    }
    test_store_plan(vault->store, kill_plan, &kill);
    assert_status(test_vault_open(vault), windows[window].write == 0 ? CELLA_IO : CELLA_STORAGE_IO);
    machine->acquire_fails = CELLA_OK;
    test_store_restart(vault->store, seed);
}

static void copy_of(struct test_vault *vault, struct test_vault *ret_copy) {
    *ret_copy = *vault;
    ret_copy->vault = NULL;
    ret_copy->store = test_store_copy(vault->store);
    ret_copy->machine.keys.context = &vault->machine;
    ret_copy->machine.freshness.context = &vault->machine;
}

static void forget_copy(struct test_vault *copy) {
    test_vault_close(copy);
    test_store_free(copy->store);
}

static void restart(struct test_vault *vault) {
    enum cella_status status = test_vault_open(vault);
    if (status != CELLA_OK)
        fail_msg("open: %s: %s", cella_status_name(status), vault->error.message);
}

static void put(struct test_vault *vault, const char *key) {
    struct test_answer answer;
    assert_status(test_vault_put(vault, key, "1", &answer), CELLA_OK);
    assert_int_equal(answer.released, 1);
    assert_status(answer.status, CELLA_OK);
}

static void assert_stale(struct test_vault *vault) {
    assert_status(test_vault_check(vault), CELLA_VAULT_STALE);
    assert_status(test_vault_open(vault), CELLA_VAULT_STALE);
}

/* Restarted in both orders, over and over. */
static void assert_only_opens(struct test_vault *original, struct test_vault *copy, bool copy_first) {
    for (unsigned i = 0; i < 2; i++) {
        if (copy_first)
            assert_stale(copy);
        restart(original);
        test_vault_close(original);
        assert_stale(copy);
    }
}

static void a_copy_that_was_killed_before_it_took_the_epoch_is_stale_for_ever(void **state) {
    struct test_vault *vault = *state, copy;
    copy_of(vault, &copy);
    test_vault_close(vault);
    start_and_kill(&copy, AFTER_INTENT, 0);
    for (unsigned i = 0; i < 5; i++) {
        restart(vault);
        put(vault, "served");
        test_vault_close(vault);
        /* Once per epoch; but for the mark the copy would hold the intent of the epoch after it each time. */
        assert_stale(&copy);
    }
    assert_int_equal(*test_machine_register(&vault->machine, copy.report.vault_id), 6);
    forget_copy(&copy);
}

static void a_copy_killed_anywhere_before_it_took_the_epoch_never_opens_again(void **state) {
    for (unsigned window = BEFORE_INTENT; window <= AFTER_INTENT; window++)
        for (unsigned order = 0; order < 4; order++) {
            struct test_vault vault, copy;
            test_vault_init(&vault);
            assert_status(test_vault_create(&vault), CELLA_OK);
            put(&vault, "before");
            copy_of(&vault, &copy);
            test_vault_close(&vault);
            /* The original starts before the copy's killed start, or after it. */
            if (order % 2 == 0)
                start_and_kill(&copy, window, order);
            restart(&vault);
            put(&vault, "after");
            test_vault_close(&vault);
            if (order % 2 == 1)
                assert_stale(&copy);
            assert_only_opens(&vault, &copy, order / 2 == 0);
            restart(&vault);
            assert_true(test_vault_has(&vault, "after", "1"));
            forget_copy(&copy);
            test_vault_deinit(&vault);
        }
}

static void an_old_copy_is_stale_wherever_the_original_is_killed(void **state) {
    for (unsigned window = 0; window < WINDOWS; window++)
        for (unsigned order = 0; order < 4; order++) {
            struct test_vault vault, copy;
            test_vault_init(&vault);
            assert_status(test_vault_create(&vault), CELLA_OK);
            copy_of(&vault, &copy);
            test_vault_close(&vault);
            if (order % 2 == 0)
                start_and_kill(&copy, AFTER_INTENT, order);
            restart(&vault);
            put(&vault, "kept");
            test_vault_close(&vault);
            start_and_kill(&vault, window, order);
            assert_only_opens(&vault, &copy, order / 2 == 0);
            restart(&vault);
            assert_true(test_vault_has(&vault, "kept", "1"));
            forget_copy(&copy);
            test_vault_deinit(&vault);
        }
}

static void whoever_took_the_epoch_goes_on_although_it_was_killed_right_after(void **state) {
    for (unsigned window = AFTER_ACQUIRE; window < WINDOWS; window++)
        for (unsigned order = 0; order < 2; order++) {
            struct test_vault vault, copy;
            test_vault_init(&vault);
            assert_status(test_vault_create(&vault), CELLA_OK);
            put(&vault, "both");
            copy_of(&vault, &copy);
            test_vault_close(&vault);
            start_and_kill(&copy, window, order);
            assert_only_opens(&copy, &vault, order == 0);
            restart(&copy);
            assert_true(test_vault_has(&copy, "both", "1"));
            forget_copy(&copy);
            test_vault_deinit(&vault);
        }
}

static void killed_starts_in_a_row_stand_in_nobodys_way(void **state) {
    struct test_vault *vault = *state;
    put(vault, "a");
    test_vault_close(vault);
    for (unsigned i = 0; i < 4 * WINDOWS; i++) {
        start_and_kill(vault, (i * 5 + i / WINDOWS) % WINDOWS, i);
        assert_status(test_vault_check(vault), CELLA_OK);
    }
    restart(vault);
    assert_true(test_vault_has(vault, "a", "1"));
    /* Each window from the acquire on took an epoch, in each of the four rounds. */
    assert_int_equal(cella_vault_epoch(vault->vault), 1 + 4 * (WINDOWS - AFTER_ACQUIRE) + 1);
}

static void an_intent_of_which_nothing_came_is_dropped_and_counted(void **state) {
    struct test_vault *vault = *state;
    put(vault, "a");
    struct cella_head head = test_vault_head(vault).head;
    test_vault_close(vault);
    start_and_kill(vault, AFTER_INTENT, 0);
    start_and_kill(vault, AFTER_INTENT, 0);
    restart(vault);
    assert_int_equal(vault->report.dropped_records, 2);
    assert_int_equal(vault->report.found.version, head.version);
    assert_memory_equal(vault->report.found.digest, head.digest, sizeof head.digest);
    assert_int_equal(cella_vault_epoch(vault->vault), 2);
}

static void an_intent_that_was_taken_is_part_of_the_history(void **state) {
    struct test_vault *vault = *state;
    struct cella_head head = test_vault_head(vault).head;
    test_vault_close(vault);
    start_and_kill(vault, AFTER_ACQUIRE, 0);
    restart(vault);
    assert_int_equal(vault->report.dropped_records, 0);
    assert_int_equal(vault->report.found.version, head.version + 1);
    assert_int_equal(cella_vault_epoch(vault->vault), 3);
    test_vault_reopen(vault);
    assert_int_equal(cella_vault_epoch(vault->vault), 4);
}

static void the_mark_is_the_start_of_the_epoch_in_signed_heads(void **state) {
    struct test_vault *vault = *state;
    uint8_t mark[CELLA_MARK_SIZE];
    uint64_t epoch;
    test_vault_reopen(vault);
    struct cella_signed_head head = test_vault_head(vault);
    assert_status(vault->machine.freshness.read(&vault->machine, head.vault_id, &epoch, mark, NULL),
                  CELLA_OK);
    assert_int_equal(epoch, 2);
    assert_memory_equal(mark, head.epoch_start, sizeof mark);
}

static void a_replay_finds_the_mark_like_all_else(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_counts counts;
    test_vault_reopen(vault);
    put(vault, "a");
    cella_vault_count(vault->vault, &counts);
    test_vault_close(vault);
    assert_status(test_vault_check(vault), CELLA_OK);
    assert_int_equal(vault->report.state_size, counts.state_size);
}

static void the_mark_outlives_the_segment_of_its_intent(void **state) {
    struct test_vault vault, copy;
    char key[16];
    test_vault_init(&vault);
    vault.limits.snapshot_after = 4096;
    assert_status(test_vault_create(&vault), CELLA_OK);
    copy_of(&vault, &copy);
    for (unsigned i = 0; test_store_file(vault.store, CELLA_STORE_SEGMENT, 1).size > 0; i++) {
        assert_true(i < 1000);
        (void)snprintf(key, sizeof key, "key-%u", i % 8);
        put(&vault, key);
    }
    test_vault_close(&vault);
    start_and_kill(&copy, AFTER_INTENT, 0);
    restart(&vault);
    assert_true(vault.report.snapshot_version > 0);
    test_vault_close(&vault);
    assert_only_opens(&vault, &copy, true);
    forget_copy(&copy);
    test_vault_deinit(&vault);
}

/* What happens in the moment before a start takes the epoch. */
struct moment {
    struct test_vault *vault;
    struct test_vault *other;
    enum cella_status status;
    bool killed; /* the other start, before it takes the epoch itself */
};

static void start_other(void *context) {
    struct moment *moment = context;
    struct test_machine *machine = machine_of(moment->vault);
    machine->before_acquire = NULL;
    if (moment->killed)
        machine->acquire_fails = CELLA_IO;
    moment->status = test_vault_open(moment->other);
    machine->acquire_fails = CELLA_OK;
}

static enum cella_status open_at(struct moment *moment, void (*what)(void *context)) {
    struct test_machine *machine = machine_of(moment->vault);
    machine->before_acquire = what;
    machine->acquire_context = moment;
    enum cella_status status = test_vault_open(moment->vault);
    machine->before_acquire = NULL;
    return status;
}

static void of_two_starts_on_two_copies_one_becomes_the_owner(void **state) {
    struct test_vault *vault = *state, copy;
    copy_of(vault, &copy);
    test_vault_close(vault);
    struct moment moment = {.vault = vault, .other = &copy};
    assert_status(open_at(&moment, start_other), CELLA_FENCED);
    assert_status(moment.status, CELLA_OK);
    put(&copy, "served");
    assert_stale(vault);
    test_vault_close(&copy);
    assert_only_opens(&copy, vault, true);
    forget_copy(&copy);
}

/* No host that means well does it. */
static void of_two_starts_on_one_disk_the_owner_loses_nothing(void **state) {
    for (unsigned killed = 0; killed < 2; killed++) {
        struct test_vault vault, beside;
        test_vault_init(&vault);
        assert_status(test_vault_create(&vault), CELLA_OK);
        put(&vault, "before");
        test_vault_close(&vault);
        beside = vault;
        beside.machine.keys.context = &vault.machine;
        beside.machine.freshness.context = &vault.machine;
        struct moment moment = {.vault = &vault, .other = &beside, .killed = killed != 0};
        struct test_vault *owner = killed ? &vault : &beside;
        assert_status(open_at(&moment, start_other), killed ? CELLA_OK : CELLA_FENCED);
        assert_status(moment.status, killed ? CELLA_IO : CELLA_OK);
        put(owner, "after");
        test_vault_close(owner);
        for (unsigned i = 0; i < 3; i++) {
            restart(&vault);
            assert_true(test_vault_has(&vault, "before", "1"));
            assert_true(test_vault_has(&vault, "after", "1"));
            test_vault_close(&vault);
        }
        test_vault_deinit(&vault);
    }
}

static void a_start_that_comes_to_nothing_beside_a_running_owner_takes_nothing_from_it(void **state) {
    struct test_vault *vault = *state, beside = *vault;
    beside.vault = NULL;
    beside.machine.keys.context = &vault->machine;
    beside.machine.freshness.context = &vault->machine;
    put(vault, "before");
    vault->machine.acquire_fails = CELLA_IO;
    assert_status(test_vault_open(&beside), CELLA_IO);
    vault->machine.acquire_fails = CELLA_OK;
    test_store_attach(vault->store, vault->vault);
    put(vault, "after");
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "after", "1"));
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "after", "1"));
}

static void copy_it(void *context) {
    struct moment *moment = context;
    copy_of(moment->vault, moment->other);
}

/* The one copy that the register cannot tell from its owner: it is the owner's state, before its first
 * change. That is a rollback within an epoch, which clients find. */
static void a_copy_made_between_intent_and_acquire_is_found_by_clients(void **state) {
    struct test_vault *vault = *state, copy;
    struct cella_vault_claim claim;
    struct moment moment = {.vault = vault, .other = &copy};
    test_vault_close(vault);
    assert_status(open_at(&moment, copy_it), CELLA_OK);
    put(vault, "seen");
    struct cella_client_context seen = {.has_head = true, .head = test_vault_head(vault)};
    restart(&copy);
    struct test_answer answer;
    assert_status(test_vault_put(vault, "fenced", "1", &answer), CELLA_OK);
    assert_status(answer.status, CELLA_FENCED);
    test_vault_close(vault);
    assert_stale(vault);
    assert_status(cella_vault_check_context(copy.vault, &seen, &claim, NULL), CELLA_VAULT_FORK);
    forget_copy(&copy);
}

/* While a start reads, the one before it takes the epoch and goes on, in a segment that was there already. */
struct overtaking {
    struct test_store *store;
    struct cella_bytes segment;
    uint64_t *epoch;
    unsigned reads;
};

static enum test_fault overtake(void *context, uint64_t number, enum test_operation operation,
                                const struct cella_store_write *write, enum cella_status *ret_status) {
    struct overtaking *overtaking = context;
    if (operation != TEST_READ || ++overtaking->reads != 2) /* the first is the genesis, then the register */
        return TEST_FAULT_NONE;
    test_store_put(overtaking->store, CELLA_STORE_SEGMENT, 2, overtaking->segment);
    *overtaking->epoch = 2;
    return TEST_FAULT_NONE;
}

static void a_start_that_is_overtaken_while_it_reads_does_not_blame_the_machine(void **state) {
    struct test_vault *vault = *state, copy;
    static uint8_t ahead[1 << 16], beside[1 << 16];
    struct moment moment = {.vault = vault, .other = &copy};
    test_vault_close(vault);
    assert_status(open_at(&moment, copy_it), CELLA_OK);
    struct cella_bytes intended = test_store_file(copy.store, CELLA_STORE_SEGMENT, 2);
    struct cella_bytes owned = test_store_file(vault->store, CELLA_STORE_SEGMENT, 2);
    assert_true(intended.size < owned.size && owned.size < sizeof ahead);
    /* The host writes zeros ahead of a segment. */
    memcpy(ahead, owned.data, owned.size);
    memcpy(beside, intended.data, intended.size);
    test_store_put(copy.store, CELLA_STORE_SEGMENT, 2, CELLA_BYTES(beside, sizeof beside));
    struct overtaking overtaking = {.store = copy.store,
                                    .segment = CELLA_BYTES(ahead, sizeof ahead),
                                    .epoch = test_machine_register(&vault->machine, vault->report.vault_id)};
    *overtaking.epoch = 1;
    test_store_plan(copy.store, overtake, &overtaking);
    assert_status(test_vault_open(&copy), CELLA_FENCED);
    test_store_plan(copy.store, NULL, NULL);
    /* What it would be without a second start. */
    *overtaking.epoch = 1;
    assert_status(test_vault_open(&copy), CELLA_VAULT_REWOUND);
    *overtaking.epoch = 2;
    forget_copy(&copy);
}

/* A machine that was copied, and both took the same epoch. */
static void the_same_epoch_with_another_mark_is_stale(void **state) {
    struct test_vault *vault = *state, copy;
    copy_of(vault, &copy);
    test_vault_close(vault);
    restart(vault);
    test_vault_close(vault);
    --*test_machine_register(&vault->machine, vault->report.vault_id);
    restart(&copy);
    test_vault_close(&copy);
    assert_int_equal(vault->report.now.epoch, copy.report.now.epoch);
    assert_stale(vault);
    assert_non_null(strstr(vault->error.message, "another copy"));
    forget_copy(&copy);
}

static void authorise_and_place(struct test_vault *vault) {
    struct cella_restore restore;
    test_vault_authorise(vault, 2, &restore);
    test_vault_place_restore(vault, &restore);
}

/* The register is far behind, so that it takes many steps to bring it past all epochs. */
static void a_restore_that_is_killed_between_two_steps_of_the_register_goes_on(void **state) {
    struct test_vault *vault = *state, copy;
    for (unsigned i = 0; i < 5; i++)
        test_vault_reopen(vault);
    copy_of(vault, &copy);
    test_vault_close(vault);
    uint64_t *epoch = test_machine_register(&vault->machine, vault->report.vault_id);
    *epoch = 2;
    assert_status(test_vault_check(vault), CELLA_VAULT_REWOUND);
    authorise_and_place(vault);
    start_and_kill(vault, AFTER_ACQUIRE, 0);
    assert_int_equal(*epoch, 3);
    /* Without the owners' word nobody opens at such a step. */
    assert_status(test_vault_check(&copy), CELLA_VAULT_REWOUND);
    start_and_kill(vault, AFTER_ACQUIRE, 0);
    assert_int_equal(*epoch, 4);
    restart(vault);
    assert_true(vault->report.restored);
    assert_int_equal(*epoch, 7);
    assert_int_equal(cella_vault_epoch(vault->vault), 7);
    test_vault_close(vault);
    assert_only_opens(vault, &copy, true);
    forget_copy(&copy);
}

static void two_copies_with_one_restore_do_not_both_carry_it_out(void **state) {
    for (unsigned window = 0; window < WINDOWS; window++) {
        struct test_vault vault, copy;
        test_vault_init(&vault);
        assert_status(test_vault_create(&vault), CELLA_OK);
        test_vault_close(&vault);
        assert_status(test_vault_check(&vault), CELLA_OK);
        authorise_and_place(&vault);
        copy_of(&vault, &copy);
        start_and_kill(&copy, window, 0);
        struct test_vault *first = windows[window].acquired ? &copy : &vault;
        struct test_vault *second = windows[window].acquired ? &vault : &copy;
        restart(first);
        assert_true(first->report.restored);
        put(first, "restored");
        assert_status(test_vault_open(second), CELLA_VAULT_RESTORE);
        test_vault_close(first);
        assert_status(test_vault_open(second), CELLA_VAULT_RESTORE);
        restart(first);
        assert_true(test_vault_has(first, "restored", "1"));
        forget_copy(&copy);
        test_vault_deinit(&vault);
    }
}

int main(void) {
#define WITH_VAULT(test) cmocka_unit_test_setup_teardown(test, test_vault_setup, test_vault_teardown)
    const struct CMUnitTest tests[] = {
        WITH_VAULT(a_copy_that_was_killed_before_it_took_the_epoch_is_stale_for_ever),
        cmocka_unit_test(a_copy_killed_anywhere_before_it_took_the_epoch_never_opens_again),
        cmocka_unit_test(an_old_copy_is_stale_wherever_the_original_is_killed),
        cmocka_unit_test(whoever_took_the_epoch_goes_on_although_it_was_killed_right_after),
        WITH_VAULT(killed_starts_in_a_row_stand_in_nobodys_way),
        WITH_VAULT(an_intent_of_which_nothing_came_is_dropped_and_counted),
        WITH_VAULT(an_intent_that_was_taken_is_part_of_the_history),
        WITH_VAULT(the_mark_is_the_start_of_the_epoch_in_signed_heads),
        WITH_VAULT(a_replay_finds_the_mark_like_all_else),
        cmocka_unit_test(the_mark_outlives_the_segment_of_its_intent),
        WITH_VAULT(of_two_starts_on_two_copies_one_becomes_the_owner),
        cmocka_unit_test(of_two_starts_on_one_disk_the_owner_loses_nothing),
        WITH_VAULT(a_start_that_comes_to_nothing_beside_a_running_owner_takes_nothing_from_it),
        WITH_VAULT(a_copy_made_between_intent_and_acquire_is_found_by_clients),
        WITH_VAULT(a_start_that_is_overtaken_while_it_reads_does_not_blame_the_machine),
        WITH_VAULT(the_same_epoch_with_another_mark_is_stale),
        WITH_VAULT(a_restore_that_is_killed_between_two_steps_of_the_register_goes_on),
        cmocka_unit_test(two_copies_with_one_restore_do_not_both_carry_it_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
