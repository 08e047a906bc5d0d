/* Group commit: what waits for what, what is told when, and what the store's failures mean. */
#include "support/vault_case.h"
#include <stdio.h>
#include <string.h>

static int delayed_setup(void **state) {
    int result = test_vault_setup(state);
    struct test_vault *vault = *state;
    test_store_delay(vault->store, true);
    return result;
}

static void an_answer_is_prepared_during_the_flush_and_leaves_after_it(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer;
    assert_status(test_vault_put(vault, "a", "1", &answer), CELLA_OK);
    assert_int_equal(answer.prepared, 1);
    assert_int_equal(answer.released, 0);
    assert_true(cella_vault_busy(vault->vault));
    test_store_work_all(vault->store);
    assert_int_equal(answer.prepared, 1);
    assert_int_equal(answer.released, 1);
    assert_status(answer.status, CELLA_OK);
    assert_false(cella_vault_busy(vault->vault));
}

static void commits_that_come_during_a_flush_share_the_next_record(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answers[5];
    struct cella_vault_counts counts;
    for (int i = 0; i < 5; i++)
        assert_status(test_vault_put(vault, "a", "1", &answers[i]), CELLA_OK);
    cella_vault_count(vault->vault, &counts);
    assert_int_equal(counts.records, 1);
    assert_int_equal(test_store_queued(vault->store), 1);
    assert_int_equal(answers[1].prepared, 0);
    test_store_work(vault->store, 1);
    assert_int_equal(answers[0].released, 1);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(answers[i].prepared, 1);
        assert_int_equal(answers[i].released, 0);
    }
    test_store_work(vault->store, 1);
    cella_vault_count(vault->vault, &counts);
    assert_int_equal(counts.records, 2);
    assert_int_equal(counts.commits, 5);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(answers[i].released, 1);
        assert_int_equal(answers[i].order, answers[0].order + (unsigned)i);
    }
}

static uint64_t records(struct test_vault *vault) {
    struct cella_vault_counts counts;
    cella_vault_count(vault->vault, &counts);
    return counts.records;
}

/* Two clients: one was answered while the other's record had to wait. */
static void start_gathering(struct test_vault *vault, struct test_answer answers[2]) {
    test_store_work_all(vault->store);
    test_vault_close(vault);
    vault->gathers = true;
    test_store_delay(vault->store, false);
    assert_status(test_vault_open(vault), CELLA_OK);
    test_store_delay(vault->store, true);
    assert_status(test_vault_put(vault, "a", "1", &answers[0]), CELLA_OK);
    assert_status(test_vault_put(vault, "b", "1", &answers[1]), CELLA_OK);
    test_store_work_all(vault->store);
    assert_int_equal(answers[0].released, 1);
    assert_int_equal(answers[1].released, 0);
    assert_true(cella_vault_is_gathering(vault->vault));
}

static void a_record_waits_for_those_who_were_just_answered(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answers[2], again;
    start_gathering(vault, answers);
    uint64_t before = records(vault);
    assert_status(test_vault_put(vault, "a", "2", &again), CELLA_OK);
    assert_false(cella_vault_is_gathering(vault->vault));
    assert_int_equal(records(vault), before + 1);
    test_store_work_all(vault->store);
    assert_int_equal(answers[1].released, 1);
    assert_int_equal(again.released, 1);
}

static void a_record_waits_no_longer_when_nothing_more_comes(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answers[2], third, fourth;
    start_gathering(vault, answers);
    uint64_t before = records(vault);
    cella_vault_gathered(vault->vault);
    assert_false(cella_vault_is_gathering(vault->vault));
    assert_int_equal(records(vault), before + 1);
    /* Waiting was in vain: the next one does not. */
    assert_status(test_vault_put(vault, "c", "1", &third), CELLA_OK);
    test_store_work(vault->store, 1);
    assert_int_equal(answers[1].released, 1);
    assert_int_equal(records(vault), before + 2);
    assert_status(test_vault_put(vault, "d", "1", &fourth), CELLA_OK);
    test_store_work_all(vault->store);
    assert_int_equal(third.released + fourth.released, 2);
    assert_false(cella_vault_is_gathering(vault->vault));
}

static void the_next_record_is_on_its_way_before_answers_leave(void **state) {
    struct test_vault *vault = *state;
    struct test_answer first, second;
    assert_status(test_vault_put(vault, "a", "1", &first), CELLA_OK);
    assert_status(test_vault_put(vault, "b", "1", &second), CELLA_OK);
    test_store_work(vault->store, 1);
    assert_int_equal(first.released, 1);
    assert_int_equal(second.prepared, 1);
    assert_int_equal(test_store_queued(vault->store), 1);
    test_store_work_all(vault->store);
    assert_int_equal(second.released, 1);
}

static void an_answer_without_changes_leaves_at_once_when_nothing_is_on_its_way(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer;
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    assert_status(cella_vault_commit(vault->vault, test_answer_init(&answer, vault->vault)), CELLA_OK);
    assert_int_equal(answer.released, 1);
    assert_int_equal(answer.head.head.version, 3);
    cella_vault_wait(vault->vault, test_answer_init(&answer, vault->vault));
    assert_int_equal(answer.released, 1);
}

static void an_answer_without_changes_waits_for_what_it_may_have_seen(void **state) {
    struct test_vault *vault = *state;
    struct test_answer change, seen, waited;
    assert_status(test_vault_put(vault, "a", "1", &change), CELLA_OK);
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    assert_status(cella_vault_commit(vault->vault, test_answer_init(&seen, vault->vault)), CELLA_OK);
    assert_int_equal(seen.released, 0);
    assert_status(test_vault_put(vault, "b", "1", NULL), CELLA_OK);
    cella_vault_wait(vault->vault, test_answer_init(&waited, vault->vault));
    test_store_work(vault->store, 1);
    assert_int_equal(seen.released, 1);
    assert_int_equal(seen.head.head.version, 4);
    assert_int_equal(waited.released, 0);
    test_store_work(vault->store, 1);
    assert_int_equal(waited.released, 1);
    assert_int_equal(waited.head.head.version, 5);
}

static void readers_see_only_what_is_durable(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault_reading before, after;
    struct cella_bytes value;
    uint8_t buffer[CELLA_MAP_KEY_MAX];
    struct cella_bytes key = cella_vault_key(CELLA_SPACE_USER, test_text("a"), buffer);
    assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
    assert_status(cella_vault_read(vault->vault, &before), CELLA_OK);
    assert_false(cella_map_view_get(before.view, key, &value));
    test_store_work_all(vault->store);
    assert_status(cella_vault_read(vault->vault, &after), CELLA_OK);
    assert_false(cella_map_view_get(before.view, key, &value));
    assert_true(cella_map_view_get(after.view, key, &value));
    assert_bytes(value, test_text("1"));
    cella_vault_reading_release(vault->vault, &before);
    cella_vault_reading_release(vault->vault, &after);
}

static void a_full_disk_refuses_new_work_and_loses_nothing(void **state) {
    struct test_vault *vault = *state;
    struct test_answer first, second, late;
    assert_status(test_vault_put(vault, "a", "1", &first), CELLA_OK);
    assert_status(test_vault_put(vault, "b", "1", &second), CELLA_OK);
    test_store_fail(vault->store, CELLA_STORAGE_FULL);
    test_store_work(vault->store, 1);
    assert_int_equal(first.pending, 1);
    assert_int_equal(second.pending, 1);
    assert_int_equal(first.released, 0);
    assert_status(test_vault_put(vault, "c", "1", NULL), CELLA_STORAGE_FULL);
    cella_vault_wait(vault->vault, test_answer_init(&late, vault->vault));
    assert_int_equal(late.pending, 1);
    struct cella_vault_counts counts;
    cella_vault_count(vault->vault, &counts);
    assert_status(counts.storage, CELLA_STORAGE_FULL);
    test_store_fail(vault->store, CELLA_OK);
    test_store_work_all(vault->store);
    assert_int_equal(first.released, 1);
    assert_status(first.status, CELLA_OK);
    assert_int_equal(second.released, 1);
    assert_int_equal(late.released, 1);
    assert_int_equal(first.pending, 1);
    assert_int_equal(first.prepared, 1);
    assert_status(test_vault_put(vault, "c", "1", NULL), CELLA_OK);
    test_store_work_all(vault->store);
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "a", "1"));
    assert_true(test_vault_has(vault, "b", "1"));
    assert_true(test_vault_has(vault, "c", "1"));
}

static void a_transaction_that_was_under_way_when_the_disk_failed_is_told_so(void **state) {
    struct test_vault *vault = *state;
    struct test_answer first, second;
    assert_status(test_vault_put(vault, "a", "1", &first), CELLA_OK);
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    test_store_fail(vault->store, CELLA_STORAGE_IO);
    test_store_work(vault->store, 1);
    assert_int_equal(first.pending, 0); /* not under the writer's place */
    assert_status(cella_vault_put(vault->vault, CELLA_SPACE_USER, test_text("b"), test_text("1")), CELLA_OK);
    assert_status(cella_vault_commit(vault->vault, test_answer_init(&second, vault->vault)), CELLA_OK);
    assert_int_equal(first.pending, 1);
    assert_int_equal(second.pending, 1);
    test_store_fail(vault->store, CELLA_OK);
    test_store_work_all(vault->store);
    assert_int_equal(first.released, 1);
    assert_int_equal(second.released, 1);
}

static void false_news_of_writes_change_nothing(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer;
    assert_status(test_vault_put(vault, "a", "1", &answer), CELLA_OK);
    for (uint64_t id = 0; id < 16; id++)
        if (id != 5) /* the id of the record that is on its way */
            cella_vault_written(vault->vault, id, CELLA_OK);
    cella_vault_written(vault->vault, UINT64_MAX, CELLA_OK);
    assert_int_equal(answer.released, 0);
    test_store_work_all(vault->store);
    assert_int_equal(answer.released, 1);
    for (uint64_t id = 0; id < 16; id++)
        cella_vault_written(vault->vault, id, CELLA_STORAGE_IO);
    assert_status(test_vault_put(vault, "b", "1", &answer), CELLA_OK);
}

static void nothing_leaves_when_another_owner_has_come(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer, later;
    assert_status(test_vault_put(vault, "a", "1", &answer), CELLA_OK);
    assert_status(test_vault_put(vault, "b", "1", &later), CELLA_OK);
    ++*test_machine_register(&vault->machine, cella_vault_id(vault->vault));
    test_store_work(vault->store, 1);
    assert_int_equal(vault->lost, 1);
    assert_status(vault->lost_status, CELLA_FENCED);
    assert_int_equal(answer.released, 1);
    assert_status(answer.status, CELLA_FENCED);
    assert_status(later.status, CELLA_FENCED);
    assert_status(test_vault_put(vault, "c", "1", NULL), CELLA_FENCED);
    struct cella_vault_reading reading;
    assert_status(cella_vault_read(vault->vault, &reading), CELLA_FENCED);
    assert_false(cella_vault_busy(vault->vault));
}

static void nothing_leaves_when_the_register_does_not_answer(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer;
    vault->machine.advance_fails = CELLA_MACHINE_DAMAGED;
    assert_status(test_vault_put(vault, "a", "1", &answer), CELLA_OK);
    test_store_work_all(vault->store);
    assert_status(vault->lost_status, CELLA_MACHINE_DAMAGED);
    assert_status(answer.status, CELLA_MACHINE_DAMAGED);
}

static void nested_levels_are_taken_back_one_by_one(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault *inner = vault->vault;
    struct cella_bytes value;
    assert_status(cella_vault_begin(inner, NULL), CELLA_OK);
    assert_status(cella_vault_put(inner, CELLA_SPACE_USER, test_text("a"), test_text("1")), CELLA_OK);
    assert_status(cella_vault_begin(inner, NULL), CELLA_OK);
    assert_status(cella_vault_put(inner, CELLA_SPACE_USER, test_text("a"), test_text("2")), CELLA_OK);
    assert_status(cella_vault_put(inner, CELLA_SPACE_USER, test_text("b"), test_text("1")), CELLA_OK);
    cella_vault_abort(inner);
    assert_true(cella_vault_get(inner, CELLA_SPACE_USER, test_text("a"), &value));
    assert_bytes(value, test_text("1"));
    assert_status(cella_vault_begin(inner, NULL), CELLA_OK);
    assert_status(cella_vault_put(inner, CELLA_SPACE_USER, test_text("c"), test_text("1")), CELLA_OK);
    assert_status(cella_vault_commit(inner, NULL), CELLA_OK);
    assert_status(cella_vault_commit(inner, NULL), CELLA_OK);
    test_store_work_all(vault->store);
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "a", "1"));
    assert_true(test_vault_has(vault, "b", NULL));
    assert_true(test_vault_has(vault, "c", "1"));
}

static void transactions_nest_to_a_limit(void **state) {
    struct test_vault *vault = *state;
    unsigned depth = 0;
    while (cella_vault_begin(vault->vault, NULL) == CELLA_OK)
        depth++;
    assert_int_equal(depth, 64);
    while (depth-- > 0)
        cella_vault_abort(vault->vault);
    assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
    test_store_work_all(vault->store);
}

/* A release that commits again, as long as its count lasts. */
struct repeating {
    struct cella_vault_waiter waiter;
    struct test_vault *vault;
    unsigned left;
};

static void release_and_repeat(struct cella_vault_waiter *waiter, enum cella_status status) {
    struct repeating *repeating = (struct repeating *)waiter;
    assert_status(status, CELLA_OK);
    if (repeating->left-- == 0)
        return;
    struct cella_vault *vault = repeating->vault->vault;
    assert_status(cella_vault_begin(vault, NULL), CELLA_OK);
    assert_status(cella_vault_put(vault, CELLA_SPACE_USER, test_text("a"), test_text("1")), CELLA_OK);
    assert_status(cella_vault_commit(vault, waiter), CELLA_OK);
}

static void a_release_may_commit_again_without_end(void **state) {
    struct test_vault *vault = *state;
    struct repeating repeating = {.waiter.release = release_and_repeat, .vault = vault, .left = 100000};
    test_store_delay(vault->store, false);
    cella_vault_wait(vault->vault, &repeating.waiter);
    struct cella_vault_counts counts;
    cella_vault_count(vault->vault, &counts);
    assert_int_equal(counts.commits, 100000);
}

static void large_groups_are_split(void **state) {
    struct test_vault *vault = *state;
    static uint8_t value[1 << 20];
    struct cella_vault_counts counts;
    assert_status(test_vault_put(vault, "first", "1", NULL), CELLA_OK);
    for (int i = 0; i < 12; i++) {
        uint8_t key = (uint8_t)i;
        memset(value, i, sizeof value);
        assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
        assert_status(cella_vault_put(vault->vault, CELLA_SPACE_USER, CELLA_BYTES(&key, 1),
                                      CELLA_BYTES(value, sizeof value)),
                      CELLA_OK);
        assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
    }
    test_store_work_all(vault->store);
    cella_vault_count(vault->vault, &counts);
    assert_int_equal(counts.records, 5);
    test_vault_reopen(vault);
    assert_int_equal(vault->report.keys, 13);
}

#define DELAYED(test) cmocka_unit_test_setup_teardown(test, delayed_setup, test_vault_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DELAYED(an_answer_is_prepared_during_the_flush_and_leaves_after_it),
        DELAYED(commits_that_come_during_a_flush_share_the_next_record),
        DELAYED(a_record_waits_for_those_who_were_just_answered),
        DELAYED(a_record_waits_no_longer_when_nothing_more_comes),
        DELAYED(the_next_record_is_on_its_way_before_answers_leave),
        DELAYED(an_answer_without_changes_leaves_at_once_when_nothing_is_on_its_way),
        DELAYED(an_answer_without_changes_waits_for_what_it_may_have_seen),
        DELAYED(readers_see_only_what_is_durable),
        DELAYED(a_full_disk_refuses_new_work_and_loses_nothing),
        DELAYED(a_transaction_that_was_under_way_when_the_disk_failed_is_told_so),
        DELAYED(false_news_of_writes_change_nothing),
        DELAYED(nothing_leaves_when_another_owner_has_come),
        DELAYED(nothing_leaves_when_the_register_does_not_answer),
        DELAYED(nested_levels_are_taken_back_one_by_one),
        DELAYED(transactions_nest_to_a_limit),
        DELAYED(a_release_may_commit_again_without_end),
        DELAYED(large_groups_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
