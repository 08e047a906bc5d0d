/* Limits: each fails the call that breaks it, alone, with its own status. */
#include "support/vault_case.h"
#include <string.h>

static int limited_setup(void **state) {
    int result = test_vault_setup(state);
    struct test_vault *vault = *state;
    vault->limits = (struct cella_vault_limits){
        .max_key_size = 8, .max_value_size = 100, .max_transaction_size = 1000, .max_state_size = 3000};
    test_vault_reopen(vault);
    return result;
}

static enum cella_status put(struct test_vault *vault, enum cella_vault_space space, const char *key,
                             size_t size) {
    static uint8_t value[5000];
    return cella_vault_put(vault->vault, space, test_text(key), CELLA_BYTES(value, size));
}

static void an_empty_key_is_no_key(void **state) {
    struct test_vault *vault = *state;
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "", 1), CELLA_ARGUMENT);
    assert_status(cella_vault_delete(vault->vault, CELLA_SPACE_USER, test_text("")), CELLA_ARGUMENT);
    assert_status(put(vault, CELLA_SPACE_USER, "1", 0), CELLA_OK);
    cella_vault_abort(vault->vault);
}

static void keys_and_values_have_their_limits(void **state) {
    struct test_vault *vault = *state;
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "12345678", 1), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "123456789", 1), CELLA_KEY_SIZE);
    assert_status(put(vault, CELLA_SPACE_USER, "a", 100), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "a", 101), CELLA_VALUE_SIZE);
    assert_status(put(vault, CELLA_SPACE_MAIL, "123456789", 101), CELLA_OK);
    assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
}

static void a_transaction_has_its_limit_and_goes_on_without_the_change(void **state) {
    struct test_vault *vault = *state;
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    for (int i = 0; i < 9; i++)
        assert_status(put(vault, CELLA_SPACE_USER, "a", 100), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "a", 100), CELLA_TRANSACTION_SIZE);
    assert_status(put(vault, CELLA_SPACE_MAIL, "reply", 2000), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "b", 0), CELLA_OK);
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "c", 0), CELLA_OK);
    cella_vault_abort(vault->vault);
    assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
}

static void mail_and_the_program_together_fit_in_a_record(void **state) {
    struct test_vault *vault = *state;
    static uint8_t value[16 << 20];
    struct cella_bytes most = CELLA_BYTES(value, sizeof value);
    vault->limits =
        (struct cella_vault_limits){.max_transaction_size = UINT64_MAX, .max_value_size = UINT64_MAX};
    test_vault_reopen(vault);
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    for (int i = 0; i < 5; i++)
        assert_status(cella_vault_put(vault->vault, CELLA_SPACE_MAIL, test_text("post"), most), CELLA_OK);
    enum cella_status status = CELLA_OK;
    unsigned count = 0;
    for (; status == CELLA_OK; count++)
        status = cella_vault_put(vault->vault, CELLA_SPACE_USER, test_text("a"), most);
    assert_status(status, CELLA_TRANSACTION_SIZE);
    assert_int_equal(count, 5);
    assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
    test_vault_reopen(vault);
    assert_int_equal(vault->report.keys, 1);
}

static void the_state_has_its_limit_and_mail_still_finds_room(void **state) {
    struct test_vault *vault = *state;
    char key[2] = "a";
    enum cella_status status = CELLA_OK;
    int count = 0;
    for (; status == CELLA_OK; key[0]++, count++) {
        assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
        status = put(vault, CELLA_SPACE_USER, key, 100);
        assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
    }
    assert_status(status, CELLA_STATE_SIZE);
    assert_in_range(count, 26, 31);
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "a", 100), CELLA_OK); /* in place of what was there */
    assert_status(put(vault, CELLA_SPACE_MAIL, "reply", 1000), CELLA_OK);
    assert_status(put(vault, CELLA_SPACE_USER, "a", 100), CELLA_STATE_SIZE);
    assert_status(cella_vault_delete(vault->vault, CELLA_SPACE_USER, test_text("a")), CELLA_OK);
    assert_status(cella_vault_commit(vault->vault, NULL), CELLA_OK);
}

static void what_is_not_there_cannot_be_deleted(void **state) {
    struct test_vault *vault = *state;
    assert_status(test_vault_delete(vault, "a", NULL), CELLA_NOT_FOUND);
    assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
    assert_status(test_vault_delete(vault, "a", NULL), CELLA_OK);
    assert_status(test_vault_delete(vault, "a", NULL), CELLA_NOT_FOUND);
}

#define LIMITED(test) cmocka_unit_test_setup_teardown(test, limited_setup, test_vault_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIMITED(an_empty_key_is_no_key),
        LIMITED(keys_and_values_have_their_limits),
        LIMITED(a_transaction_has_its_limit_and_goes_on_without_the_change),
        LIMITED(mail_and_the_program_together_fit_in_a_record),
        LIMITED(the_state_has_its_limit_and_mail_still_finds_room),
        LIMITED(what_is_not_there_cannot_be_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
