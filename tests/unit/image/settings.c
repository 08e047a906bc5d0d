/* The binary form of the settings. */
#include "image/settings.h"
#include "support/test.h"
#include <string.h>

static struct cella_bytes vector(void) {
    return test_vector_field("image/tiny.txt", "settings");
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_settings settings;
    return cella_settings_read(bytes, &settings, NULL) == CELLA_OK;
}

static struct cella_settings parsed(void) {
    struct cella_settings settings;
    assert_status(cella_settings_read(vector(), &settings, NULL), CELLA_OK);
    return settings;
}

static void the_vector_holds_what_its_script_wrote(void **state) {
    struct cella_settings settings = parsed();
    assert_string_equal(settings.name, "tiny");
    assert_int_equal(settings.product_id, 0x1234);
    assert_int_equal(settings.security_version, 5);
    assert_true(settings.debug);
    assert_int_equal(settings.heap_size, 1 << 20);
    assert_int_equal(settings.stack_size, 64 << 10);
    assert_int_equal(settings.thread_count, 2);
    assert_int_equal(settings.max_mail_size, 1 << 18);
    assert_int_equal(settings.max_senders, 1024);
    assert_int_equal(settings.max_topics, 64);
    assert_int_equal(settings.max_sessions, 1024);
    assert_int_equal(settings.max_call_depth, 8);
    assert_int_equal(settings.max_queued, 16);
    assert_int_equal(settings.max_key_size, 4096);
    assert_int_equal(settings.max_value_size, 1 << 20);
    assert_int_equal(settings.max_transaction_size, 64 << 20);
    assert_int_equal(settings.max_state_size, 0);
    assert_int_equal(settings.max_stored_reply, 64 << 10);
    assert_int_equal(settings.max_stored_bytes, 16 << 20);
    assert_int_equal(settings.max_outbox, 1 << 20);
    assert_int_equal(settings.vault_kind, 1);
    assert_int_equal(settings.key_policy, CELLA_VAULT_KEYS_SIGNER);
    assert_int_equal(settings.snapshot_after, 64 << 20);
    assert_int_equal(settings.owner_threshold, 2);
    assert_int_equal(settings.owner_count, 2);
    assert_int_equal(settings.owners[0][0], 0x3d);
    assert_int_equal(settings.owners[1][31], 0x1a);
    assert_string_equal(cella_settings_get(&settings, "greeting"), "hello; world");
    assert_string_equal(cella_settings_get(&settings, "survey.id"), "");
    assert_null(cella_settings_get(&settings, "survey"));
}

static void what_is_read_is_written_as_the_same_bytes(void **state) {
    struct cella_settings settings = parsed();
    uint8_t buffer[4096];
    size_t size = 0;
    assert_status(cella_settings_write(&settings, buffer, sizeof buffer, &size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(buffer, size), vector());
}

static void a_buffer_of_one_byte_less_is_too_small(void **state) {
    struct cella_settings settings = parsed();
    uint8_t buffer[4096];
    size_t size = 0;
    assert_status(cella_settings_write(&settings, buffer, vector().size, &size, NULL), CELLA_OK);
    assert_status(cella_settings_write(&settings, buffer, vector().size - 1, &size, NULL), CELLA_TOO_SMALL);
}

/* A prefix that ends between two application keys is well formed; the measurement is what protects the whole.
 */
static void every_truncation_but_those_between_application_keys_is_refused(void **state) {
    struct cella_bytes good = vector();
    size_t accepted = 0;
    for (size_t size = 0; size < good.size; size++)
        accepted += accepts(NULL, test_copy(CELLA_BYTES(good.data, size))) ? 1 : 0;
    assert_int_equal(accepted, 2);
    test_extension_refused(good, accepts, NULL);
}

static bool accepts_canonical(void *context, struct cella_bytes bytes) {
    struct cella_settings settings;
    uint8_t buffer[4096];
    size_t size = 0;
    if (cella_settings_read(bytes, &settings, NULL) != CELLA_OK)
        return false;
    assert_status(cella_settings_write(&settings, buffer, sizeof buffer, &size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(buffer, size), bytes);
    return true;
}

static void whatever_is_accepted_is_canonical(void **state) {
    assert_true(test_bit_flips(vector(), accepts_canonical, NULL) > 0);
}

static void a_later_version_and_a_later_field_say_so(void **state) {
    struct cella_bytes copy = test_copy(vector());
    struct cella_settings settings;
    ((uint8_t *)copy.data)[8] = 2;
    assert_status(cella_settings_read(copy, &settings, NULL), CELLA_NEWER_FORMAT);
    copy = test_copy(vector());
    ((uint8_t *)copy.data)[10] = 99; /* the number of the first field */
    assert_status(cella_settings_read(copy, &settings, NULL), CELLA_NEWER_FORMAT);
    ((uint8_t *)copy.data)[10] = 2; /* a known one in the wrong place */
    assert_status(cella_settings_read(copy, &settings, NULL), CELLA_DAMAGED);
}

static void values_outside_of_their_range_are_refused(void **state) {
    struct cella_error error;
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        struct cella_settings settings = parsed();
        if (rule->width == 8) {
            cella_settings_set_number(&settings, rule, rule->most + rule->multiple);
            assert_status(cella_settings_check(&settings, &error), CELLA_CONF_VALUE);
            assert_non_null(strstr(error.message, rule->key));
        }
        if (rule->least > 0) {
            cella_settings_set_number(&settings, rule, rule->least - 1);
            assert_status(cella_settings_check(&settings, &error), CELLA_CONF_VALUE);
            assert_non_null(strstr(error.message, rule->key));
        }
    }
}

static void a_heap_of_broken_pages_is_refused(void **state) {
    struct cella_settings settings = parsed();
    settings.heap_size += 1;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
}

static void a_mail_may_have_a_quarter_of_the_heap_and_no_more(void **state) {
    struct cella_settings settings = parsed();
    settings.max_mail_size = settings.heap_size / 4;
    assert_status(cella_settings_check(&settings, NULL), CELLA_OK);
    settings.max_mail_size++;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
}

static void owners_out_of_order_are_refused(void **state) {
    struct cella_settings settings = parsed();
    memcpy(settings.owners[0], settings.owners[1], sizeof settings.owners[0]);
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_DUPLICATE);
    settings.owners[0][0]++;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_DUPLICATE);
    settings.owners[0][0] -= 2;
    assert_status(cella_settings_check(&settings, NULL), CELLA_OK);
}

static void the_threshold_is_between_one_and_the_number_of_owners(void **state) {
    struct cella_settings settings = parsed();
    settings.owner_threshold = 3;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
    settings.owner_threshold = 0;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
    settings.owner_count = 0;
    assert_status(cella_settings_check(&settings, NULL), CELLA_OK);
    settings.owner_threshold = 1;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
}

static void an_image_without_a_vault_has_no_owners(void **state) {
    struct cella_settings settings = parsed();
    settings.vault_kind = 0;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
    settings.owner_count = 0;
    settings.owner_threshold = 0;
    assert_status(cella_settings_check(&settings, NULL), CELLA_OK);
}

static void there_are_16_owners_at_most(void **state) {
    struct cella_settings settings = parsed();
    uint8_t buffer[4096];
    size_t size = 0;
    settings.owner_count = CELLA_SETTINGS_OWNERS_LIMIT;
    for (unsigned i = 0; i < CELLA_SETTINGS_OWNERS_LIMIT; i++)
        memset(settings.owners[i], (int)i, CELLA_SETTINGS_OWNER_SIZE);
    assert_status(cella_settings_write(&settings, buffer, sizeof buffer, &size, NULL), CELLA_OK);
    struct cella_bytes good = CELLA_BYTES(buffer, size);
    assert_true(accepts(NULL, good));
    /* Once more the last owner's field, of another key. */
    const size_t field = 6 + CELLA_SETTINGS_OWNER_SIZE;
    const uint8_t *first_application = memmem(buffer, size, "\xe8\x03", 2);
    size_t at = (size_t)(first_application - buffer);
    memmove(buffer + at + field, buffer + at, size - at);
    memcpy(buffer + at, buffer + at - field, field);
    memset(buffer + at + 6, 0xff, CELLA_SETTINGS_OWNER_SIZE);
    assert_false(accepts(NULL, CELLA_BYTES(buffer, size + field)));
    settings.owner_count++;
    assert_status(cella_settings_check(&settings, NULL), CELLA_LIMIT);
}

static void a_transaction_has_room_for_one_key_and_one_value(void **state) {
    struct cella_settings settings = parsed();
    settings.max_transaction_size = settings.max_key_size + settings.max_value_size;
    assert_status(cella_settings_check(&settings, NULL), CELLA_OK);
    settings.max_transaction_size--;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_VALUE);
}

static void application_keys_out_of_order_are_refused(void **state) {
    struct cella_settings settings = parsed();
    struct cella_application_setting first = settings.application[0];
    settings.application[0] = settings.application[1];
    settings.application[1] = first;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_DUPLICATE);
    settings.application[0] = first;
    assert_status(cella_settings_check(&settings, NULL), CELLA_CONF_DUPLICATE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_holds_what_its_script_wrote),
        cmocka_unit_test(what_is_read_is_written_as_the_same_bytes),
        cmocka_unit_test(a_buffer_of_one_byte_less_is_too_small),
        cmocka_unit_test(every_truncation_but_those_between_application_keys_is_refused),
        cmocka_unit_test(whatever_is_accepted_is_canonical),
        cmocka_unit_test(a_later_version_and_a_later_field_say_so),
        cmocka_unit_test(values_outside_of_their_range_are_refused),
        cmocka_unit_test(a_heap_of_broken_pages_is_refused),
        cmocka_unit_test(a_mail_may_have_a_quarter_of_the_heap_and_no_more),
        cmocka_unit_test(owners_out_of_order_are_refused),
        cmocka_unit_test(the_threshold_is_between_one_and_the_number_of_owners),
        cmocka_unit_test(an_image_without_a_vault_has_no_owners),
        cmocka_unit_test(there_are_16_owners_at_most),
        cmocka_unit_test(a_transaction_has_room_for_one_key_and_one_value),
        cmocka_unit_test(application_keys_out_of_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
