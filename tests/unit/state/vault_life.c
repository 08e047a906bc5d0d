/* A vault is made, used, closed and opened again; what it says of itself. */
#include "support/vault_case.h"
#include <stdio.h>
#include <string.h>

static void a_new_vault_serves_in_epoch_1(void **state) {
    struct test_vault *vault = *state;
    assert_int_equal(cella_vault_epoch(vault->vault), 1);
    assert_int_equal(cella_vault_lineage(vault->vault), 0);
    assert_int_equal(vault->report.now.version, 3);
    assert_int_equal(*test_machine_register(&vault->machine, cella_vault_id(vault->vault)), 1);
    assert_false(cella_vault_busy(vault->vault));
}

static void a_store_that_holds_anything_is_not_made_a_vault(void **state) {
    struct test_vault *vault = *state;
    struct cella_vault *first = vault->vault;
    assert_status(test_vault_create(vault), CELLA_EXISTS);
    assert_ptr_equal(vault->vault, first);
}

static void what_was_acknowledged_is_there_after_a_restart(void **state) {
    struct test_vault *vault = *state;
    struct test_answer answer;
    assert_status(test_vault_put(vault, "a", "1", &answer), CELLA_OK);
    assert_int_equal(answer.released, 1);
    assert_status(answer.status, CELLA_OK);
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "a", "1"));
    assert_int_equal(cella_vault_epoch(vault->vault), 2);
    assert_status(test_vault_put(vault, "a", "2", NULL), CELLA_OK);
    assert_status(test_vault_put(vault, "b", "1", NULL), CELLA_OK);
    assert_status(test_vault_delete(vault, "b", &answer), CELLA_OK);
    assert_int_equal(answer.released, 1);
    test_vault_reopen(vault);
    assert_true(test_vault_has(vault, "a", "2"));
    assert_true(test_vault_has(vault, "b", NULL));
    assert_int_equal(vault->report.keys, 1);
}

static void many_restarts_in_a_row_lose_nothing(void **state) {
    struct test_vault *vault = *state;
    char key[16];
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_status(test_vault_put(vault, key, "x", NULL), CELLA_OK);
        test_vault_reopen(vault);
    }
    assert_int_equal(vault->report.keys, 50);
    assert_int_equal(cella_vault_epoch(vault->vault), 51);
    assert_int_equal(vault->report.found.version + 2, vault->report.now.version);
}

static void an_aborted_transaction_leaves_nothing(void **state) {
    struct test_vault *vault = *state;
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    assert_status(cella_vault_put(vault->vault, CELLA_SPACE_USER, test_text("a"), test_text("1")), CELLA_OK);
    cella_vault_abort(vault->vault);
    assert_true(test_vault_has(vault, "a", NULL));
    struct cella_vault_counts counts;
    cella_vault_count(vault->vault, &counts);
    assert_int_equal(counts.records, 0);
}

static void spaces_do_not_see_each_other(void **state) {
    struct test_vault *vault = *state;
    struct cella_bytes value;
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    assert_status(cella_vault_put(vault->vault, CELLA_SPACE_MAIL, test_text("a"), test_text("mail")),
                  CELLA_OK);
    assert_status(cella_vault_put(vault->vault, CELLA_SPACE_USER, test_text("a"), test_text("user")),
                  CELLA_OK);
    assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
    test_vault_reopen(vault);
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    assert_true(cella_vault_get(vault->vault, CELLA_SPACE_MAIL, test_text("a"), &value));
    assert_bytes(value, test_text("mail"));
    assert_true(cella_vault_get(vault->vault, CELLA_SPACE_USER, test_text("a"), &value));
    assert_bytes(value, test_text("user"));
    assert_false(cella_vault_get(vault->vault, CELLA_SPACE_SYSTEM, test_text("a"), &value));
    cella_vault_abort(vault->vault);
    assert_int_equal(vault->report.keys, 1);
}

static void check_changes_nothing(void **state) {
    struct test_vault *vault = *state;
    assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
    struct cella_head head = test_vault_head(vault).head;
    test_vault_close(vault);
    struct test_store *before = test_store_copy(vault->store);
    assert_status(test_vault_check(vault), CELLA_OK);
    assert_memory_equal(&vault->report.found, &head, sizeof head);
    assert_int_equal(vault->report.register_epoch, 1);
    assert_int_equal(test_store_count(vault->store, CELLA_STORE_SEGMENT), 1);
    assert_bytes(test_store_file(vault->store, CELLA_STORE_SEGMENT, 1),
                 test_store_file(before, CELLA_STORE_SEGMENT, 1));
    test_store_free(before);
    assert_status(test_vault_open(vault), CELLA_OK);
}

static void nothing_of_keys_and_values_can_be_read_in_the_store(void **state) {
    struct test_vault *vault = *state;
    assert_status(test_vault_put(vault, "the-very-secret-key", "the-very-secret-value", NULL), CELLA_OK);
    assert_false(test_store_holds(vault->store, test_text("very-secret")));
    assert_true(test_store_holds(vault->store, CELLA_BYTES(cella_vault_id(vault->vault), 32)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_vault_serves_in_epoch_1, test_vault_setup, test_vault_teardown),
        cmocka_unit_test_setup_teardown(a_store_that_holds_anything_is_not_made_a_vault, test_vault_setup,
                                        test_vault_teardown),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_after_a_restart, test_vault_setup,
                                        test_vault_teardown),
        cmocka_unit_test_setup_teardown(many_restarts_in_a_row_lose_nothing, test_vault_setup,
                                        test_vault_teardown),
        cmocka_unit_test_setup_teardown(an_aborted_transaction_leaves_nothing, test_vault_setup,
                                        test_vault_teardown),
        cmocka_unit_test_setup_teardown(spaces_do_not_see_each_other, test_vault_setup, test_vault_teardown),
        cmocka_unit_test_setup_teardown(check_changes_nothing, test_vault_setup, test_vault_teardown),
        cmocka_unit_test_setup_teardown(nothing_of_keys_and_values_can_be_read_in_the_store, test_vault_setup,
                                        test_vault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
