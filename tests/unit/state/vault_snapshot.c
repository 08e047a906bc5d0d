/* Snapshots beside the commits: when they begin, what they replace, and what their failures mean. */
#include "support/vault_case.h"
#include <stdio.h>
#include <string.h>

static int small_setup(void **state) {
    int result = test_vault_setup(state);
    struct test_vault *vault = *state;
    vault->limits.snapshot_after = 64 << 10;
    test_vault_reopen(vault);
    return result;
}

static void put_number(struct test_vault *vault, unsigned number) {
    char key[24], value[200];
    snprintf(key, sizeof key, "key-%u", number % 40);
    snprintf(value, sizeof value, "%0150u", number);
    assert_status(test_vault_put(vault, key, value, NULL), CELLA_OK);
}

static void put_many(struct test_vault *vault, unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++)
        put_number(vault, i);
}

static bool has_number(struct test_vault *vault, unsigned number) {
    char key[24], value[200];
    snprintf(key, sizeof key, "key-%u", number % 40);
    snprintf(value, sizeof value, "%0150u", number);
    return test_vault_has(vault, key, value);
}

static struct cella_vault_counts counts_of(struct test_vault *vault) {
    struct cella_vault_counts counts;
    cella_vault_count(vault->vault, &counts);
    return counts;
}

static void a_snapshot_replaces_older_segments_and_snapshots(void **state) {
    struct test_vault *vault = *state;
    put_many(vault, 0, 1000);
    struct cella_vault_counts counts = counts_of(vault);
    assert_in_range(counts.snapshots, 3, 9);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SNAPSHOT), 1);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SEGMENT), 1);
    assert_true(counts.journal_since_snapshot < counts.journal_bytes);
    test_vault_reopen(vault);
    assert_true(vault->report.snapshot_version > 0);
    assert_true(vault->report.records < 200);
    assert_int_equal(vault->report.keys, 40);
    for (unsigned i = 960; i < 1000; i++)
        assert_true(has_number(vault, i));
}

static void no_snapshot_is_taken_before_the_journal_has_grown(void **state) {
    struct test_vault *vault = *state;
    put_many(vault, 0, 40);
    assert_int_equal(counts_of(vault).snapshots, 0);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SNAPSHOT), 0);
}

static void commits_go_on_while_a_snapshot_is_written(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer;
    unsigned number = 0;
    test_store_delay(vault->store, true);
    while (!counts_of(vault).snapshot_running) {
        put_number(vault, number++);
        test_store_work(vault->store, 1);
        assert_true(number < 1000);
    }
    while (counts_of(vault).snapshots == 0) {
        assert_status(test_vault_put(vault, "beside", "1", &answer), CELLA_OK);
        test_store_work(vault->store, 3);
        assert_true(answer.prepared == 1 && ++number < 2000);
    }
    test_store_work_all(vault->store);
    assert_int_equal(answer.released, 1);
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "beside", "1"));
}

static enum test_fault fail_snapshots(void *context, uint64_t number, enum test_operation operation,
                                      const struct cella_store_write *write, enum cella_status *ret_status) {
    *ret_status = CELLA_STORAGE_FULL;
    return write != NULL && write->file.kind == CELLA_STORE_SNAPSHOT ? TEST_FAULT_FAIL : TEST_FAULT_NONE;
}

static void a_snapshot_that_fails_is_tried_again_later(void **state) {
    struct test_vault *vault = *state;
    test_store_plan(vault->store, fail_snapshots, NULL);
    put_many(vault, 0, 400);
    assert_int_equal(counts_of(vault).snapshots, 0);
    assert_status(counts_of(vault).storage, CELLA_OK);
    assert_in_range(test_store_count(vault->store, CELLA_STORE_SEGMENT), 3, 60);
    test_store_plan(vault->store, NULL, NULL);
    put_many(vault, 400, 800);
    assert_true(counts_of(vault).snapshots > 0);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SEGMENT), 1);
    test_vault_reopen(vault);
    assert_true(has_number(vault, 799));
}

static void a_snapshot_is_not_finished_before_the_history_is_safe(void **state) {
    struct test_vault *vault = *state;
    unsigned number = 0;
    test_store_hold(vault->store, CELLA_STORE_HISTORY);
    while (!counts_of(vault).snapshot_running) {
        put_number(vault, number++);
        assert_true(number < 1000);
    }
    put_many(vault, number, number + 20);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SNAPSHOT), 0);
    assert_true(counts_of(vault).snapshot_running);
    test_store_hold(vault->store, 0);
    put_number(vault, number + 20);
    assert_int_equal(counts_of(vault).snapshots, 1);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SNAPSHOT), 1);
    test_vault_reopen(vault);
    assert_true(has_number(vault, number + 20));
}

static void keys_of_an_older_platform_are_replaced_by_a_snapshot(void **state) {
    struct test_vault *vault = *state;
    put_many(vault, 0, 5);
    vault->machine.version = 2;
    test_vault_reopen(vault);
    assert_true(vault->report.outdated_keys);
    put_number(vault, 5);
    assert_int_equal(counts_of(vault).snapshots, 1);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SEGMENT), 1);
    test_vault_reopen(vault);
    assert_false(vault->report.outdated_keys);
    assert_true(has_number(vault, 5));
    vault->machine.version = 1;
    test_vault_close(vault);
    assert_status(test_vault_open(vault), CELLA_KEY_CPU_SVN);
    assert_status(test_vault_check(vault), CELLA_KEY_CPU_SVN);
}

static void without_the_snapshot_what_it_replaced_is_missing(void **state) {
    struct test_vault *vault = *state;
    put_many(vault, 0, 400);
    test_vault_close(vault);
    test_store_delete(vault->store, CELLA_STORE_SNAPSHOT,
                      test_store_newest(vault->store, CELLA_STORE_SNAPSHOT));
    assert_status(test_vault_open(vault), CELLA_VAULT_DAMAGED);
}

static void a_damaged_snapshot_is_refused_wherever_it_is_damaged(void **state) {
    struct test_vault *vault = *state;
    put_many(vault, 0, 400);
    test_vault_close(vault);
    uint64_t number = test_store_newest(vault->store, CELLA_STORE_SNAPSHOT);
    struct cella_bytes good = test_copy(test_store_file(vault->store, CELLA_STORE_SNAPSHOT, number));
    for (size_t at = 0; at < good.size; at += 97) {
        struct cella_bytes bad = test_copy(good);
        ((uint8_t *)(uintptr_t)bad.data)[at] ^= 1;
        test_store_put(vault->store, CELLA_STORE_SNAPSHOT, number, bad);
        enum cella_status status = test_vault_check(vault);
        if (status != CELLA_NEWER_FORMAT && status != CELLA_VAULT_OTHER)
            assert_status(status, CELLA_VAULT_DAMAGED);
        test_store_put(vault->store, CELLA_STORE_SNAPSHOT, number, CELLA_BYTES(good.data, at));
        assert_status(test_vault_check(vault), CELLA_VAULT_DAMAGED);
    }
    test_store_put(vault->store, CELLA_STORE_SNAPSHOT, number, good);
    assert_status(test_vault_open(vault), CELLA_OK);
}

#define SMALL(test) cmocka_unit_test_setup_teardown(test, small_setup, test_vault_teardown)

static void restarts_leave_no_heap_of_segments(void **state) {
    struct test_vault *vault = *state;
    for (int i = 0; i < 150; i++) {
        assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
        test_vault_reopen(vault);
    }
    assert_in_range(test_store_count(vault->store, CELLA_STORE_SEGMENT), 1, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SMALL(a_snapshot_replaces_older_segments_and_snapshots),
        SMALL(no_snapshot_is_taken_before_the_journal_has_grown),
        SMALL(commits_go_on_while_a_snapshot_is_written),
        SMALL(a_snapshot_that_fails_is_tried_again_later),
        SMALL(restarts_leave_no_heap_of_segments),
        SMALL(a_snapshot_is_not_finished_before_the_history_is_safe),
        SMALL(keys_of_an_older_platform_are_replaced_by_a_snapshot),
        SMALL(without_the_snapshot_what_it_replaced_is_missing),
        SMALL(a_damaged_snapshot_is_refused_wherever_it_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
