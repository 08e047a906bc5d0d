/* enclave.conf: what is accepted, and that every error says where and what. */
#include "image/conf.h"
#include "support/test.h"
#include <stdio.h>
#include <string.h>

#define HEAD "[enclave]\nname = hello\nproduct_id = 1\nsecurity_version = 2\n"

static struct cella_settings settings;
static struct cella_error error;

static enum cella_status parse(const char *text) {
    memset(&error, 0, sizeof error);
    struct cella_settings fresh = {0};
    enum cella_status status =
        cella_conf_parse("enclave.conf", test_copy(CELLA_BYTES(text, strlen(text))), &fresh, &error);
    if (status == CELLA_OK) {
        cella_settings_deinit(&settings);
        settings = fresh;
    }
    return status;
}

#define refused(text, status, ...)                                                                           \
    do {                                                                                                     \
        const char *const parts[] = {__VA_ARGS__};                                                           \
        assert_status(parse(text), (status));                                                                \
        for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++)                                 \
            if (strstr(error.message, parts[part]) == NULL)                                                  \
                fail_msg("\"%s\" does not say \"%s\"", error.message, parts[part]);                          \
    } while (0)

static void three_keys_are_enough(void **state) {
    assert_status(parse(HEAD), CELLA_OK);
    assert_string_equal(settings.name, "hello");
    assert_int_equal(settings.product_id, 1);
    assert_int_equal(settings.security_version, 2);
    assert_false(settings.debug);
    assert_int_equal(settings.heap_size, 256 << 20);
    assert_int_equal(settings.thread_count, 4);
    assert_int_equal(settings.max_mail_size, 50 << 20);
    assert_int_equal(settings.application_count, 0);
}

static void each_required_key_is_required(void **state) {
    refused("[enclave]\nproduct_id = 1\nsecurity_version = 2\n", CELLA_CONF_MISSING, "enclave.conf", "name");
    refused("[enclave]\nname = a\nsecurity_version = 2\n", CELLA_CONF_MISSING, "product_id");
    refused("[enclave]\nname = a\nproduct_id = 1\n", CELLA_CONF_MISSING, "security_version");
    refused("", CELLA_CONF_MISSING, "name");
}

static void sizes_take_suffixes(void **state) {
    assert_status(parse(HEAD "heap_size = 1G\nstack_size = 128K\n[limits]\nmax_mail_size = 3M\n"), CELLA_OK);
    assert_int_equal(settings.heap_size, 1 << 30);
    assert_int_equal(settings.stack_size, 128 << 10);
    assert_int_equal(settings.max_mail_size, 3 << 20);
    assert_status(parse(HEAD "heap_size = 1048576\n"), CELLA_OK);
    refused(HEAD "heap_size = 1T\n", CELLA_CONF_VALUE, "enclave.conf:5", "heap_size = 1T", "1M to 32G",
            "steps of 4K");
    refused(HEAD "heap_size = 1m\n", CELLA_CONF_VALUE, "heap_size");
    refused(HEAD "heap_size = 1 M\n", CELLA_CONF_VALUE, "heap_size");
    refused(HEAD "heap_size = 99999999999999999999\n", CELLA_CONF_VALUE, "heap_size");
    refused(HEAD "heap_size = 18446744073709551615G\n", CELLA_CONF_VALUE, "heap_size");
    refused(HEAD "heap_size = 1048577\n", CELLA_CONF_VALUE, "heap_size");
    refused(HEAD "threads = 1K\n", CELLA_CONF_VALUE, "threads");
}

static void a_small_heap_lowers_the_default_of_mail(void **state) {
    assert_status(parse(HEAD "heap_size = 8M\n"), CELLA_OK);
    assert_int_equal(settings.max_mail_size, 2 << 20);
    refused(HEAD "heap_size = 8M\n[limits]\nmax_mail_size = 3M\n", CELLA_CONF_VALUE, "enclave.conf:7",
            "max_mail_size", "quarter of heap_size", "2097152");
}

static void numbers_outside_of_their_range_name_it(void **state) {
    assert_status(parse(HEAD "threads = 64\n"), CELLA_OK);
    refused(HEAD "threads = 65\n", CELLA_CONF_VALUE, "enclave.conf:5", "threads = 65", "1 to 64");
    refused(HEAD "threads = 0\n", CELLA_CONF_VALUE, "1 to 64");
    refused(HEAD "threads = -1\n", CELLA_CONF_VALUE, "threads");
    refused(HEAD "threads = 0x10\n", CELLA_CONF_VALUE, "threads");
    refused(HEAD "threads =\n", CELLA_CONF_VALUE, "threads");
    refused(HEAD "threads = 4 ; four\n", CELLA_CONF_VALUE, "threads");
    refused("[enclave]\nproduct_id = 65536\n", CELLA_CONF_VALUE, "enclave.conf:2", "0 to 65535");
}

static void debug_is_true_or_false(void **state) {
    assert_status(parse(HEAD "debug = true\n"), CELLA_OK);
    assert_true(settings.debug);
    assert_status(parse(HEAD "debug = false\n"), CELLA_OK);
    assert_false(settings.debug);
    refused(HEAD "debug = 1\n", CELLA_CONF_VALUE, "true or false");
    refused(HEAD "debug = True\n", CELLA_CONF_VALUE, "true or false");
}

#define OWNER_A "owner = d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n"
#define OWNER_B "owner = 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\n"

static void a_vault_bound_to_one_machine_is_the_default(void **state) {
    assert_status(parse(HEAD), CELLA_OK);
    assert_int_equal(settings.vault_kind, 1);
    assert_int_equal(settings.key_policy, CELLA_VAULT_KEYS_SIGNER);
    assert_int_equal(settings.owner_count, 0);
    assert_int_equal(settings.owner_threshold, 0);
    assert_int_equal(settings.max_value_size, 1 << 20);
    assert_int_equal(settings.max_transaction_size, 64 << 20);
    assert_int_equal(settings.max_state_size, 0);
    assert_int_equal(settings.snapshot_after, 64 << 20);
    assert_status(parse(HEAD "[vault]\nkind = machine\nkey_policy = image\n"), CELLA_OK);
    assert_int_equal(settings.key_policy, CELLA_VAULT_KEYS_IMAGE);
    refused(HEAD "[vault]\nkind = maschine\n", CELLA_CONF_VALUE, "enclave.conf:6", "machine or none");
    refused(HEAD "[vault]\nkey_policy = 1\n", CELLA_CONF_VALUE, "signer or image");
    refused(HEAD "[vault]\nowners = 1\n", CELLA_CONF_UNKNOWN_KEY, "owner in [vault]");
}

static void without_a_vault_no_line_speaks_of_one(void **state) {
    assert_status(parse(HEAD "[vault]\nkind = none\n"), CELLA_OK);
    assert_int_equal(settings.vault_kind, 0);
    refused(HEAD "[vault]\nkind = none\nkey_policy = signer\n", CELLA_CONF_VALUE, "enclave.conf:7",
            "key_policy", "kind = none");
    refused(HEAD "[vault]\n" OWNER_A "kind = none\n", CELLA_CONF_VALUE, "enclave.conf:6", "owner");
    refused(HEAD "[vault]\nkind = none\nsnapshot_after = 1M\n", CELLA_CONF_VALUE, "snapshot_after");
}

static void owners_are_sorted_and_one_alone_needs_no_threshold(void **state) {
    assert_status(parse(HEAD "[vault]\n" OWNER_A), CELLA_OK);
    assert_int_equal(settings.owner_threshold, 1);
    assert_status(parse(HEAD "[vault]\n" OWNER_A OWNER_B "owner_threshold = 2\n"), CELLA_OK);
    assert_int_equal(settings.owner_count, 2);
    assert_int_equal(settings.owners[0][0], 0x3d);
    assert_int_equal(settings.owners[1][0], 0xd7);
    assert_int_equal(settings.owner_threshold, 2);
    refused(HEAD "[vault]\n" OWNER_A OWNER_B, CELLA_CONF_MISSING, "enclave.conf:7", "owner_threshold");
    refused(HEAD "[vault]\n" OWNER_A OWNER_A, CELLA_CONF_DUPLICATE, "enclave.conf:7", "twice");
    refused(HEAD "[vault]\nowner = d75a98\n", CELLA_CONF_VALUE, "enclave.conf:6", "64 hexadecimal");
    refused(HEAD "[limits]\n" OWNER_A, CELLA_CONF_UNKNOWN_KEY, "owner in [vault]");
}

static void the_threshold_counts_owners_that_are_there(void **state) {
    refused(HEAD "[vault]\n" OWNER_A "owner_threshold = 2\n", CELLA_CONF_VALUE, "enclave.conf:7", "1 to 1");
    refused(HEAD "[vault]\nowner_threshold = 0\n" OWNER_A, CELLA_CONF_VALUE, "enclave.conf:6", "1 to 1");
    refused(HEAD "[vault]\nowner_threshold = 1\n", CELLA_CONF_VALUE, "enclave.conf:6", "no owner");
}

static void there_are_16_owners_at_most(void **state) {
    static char text[4096];
    size_t at = (size_t)snprintf(text, sizeof text, HEAD "[vault]\nowner_threshold = 9\n");
    for (unsigned i = 0; i < 16; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "owner = %064x\n", i);
    assert_status(parse(text), CELLA_OK);
    assert_int_equal(settings.owner_count, 16);
    (void)snprintf(text + at, sizeof text - at, "owner = %064x\n", 16);
    refused(text, CELLA_LIMIT, "16");
}

static void a_value_that_no_transaction_could_hold_is_refused(void **state) {
    refused(HEAD "[limits]\nmax_transaction_size = 1M\n", CELLA_CONF_VALUE, "enclave.conf:6",
            "max_transaction_size");
    assert_status(parse(HEAD "[limits]\nmax_transaction_size = 1M\nmax_value_size = 64K\n"), CELLA_OK);
    refused(HEAD "[limits]\nmax_value_size = 17M\n", CELLA_CONF_VALUE, "1 to 16M");
    refused(HEAD "[limits]\nmax_key_size = 8K\n", CELLA_CONF_VALUE, "1 to 4K");
}

static void an_unknown_key_names_its_line_and_the_nearest_known_one(void **state) {
    refused(HEAD "heapsize = 1M\n", CELLA_CONF_UNKNOWN_KEY, "enclave.conf:5", "\"heapsize\"",
            "heap_size in [enclave]");
    refused(HEAD "[limits]\nthreads = 1\n", CELLA_CONF_UNKNOWN_KEY, "enclave.conf:6", "threads in [enclave]");
    refused(HEAD "max_sender = 1\n", CELLA_CONF_UNKNOWN_KEY, "max_senders in [limits]");
    refused(HEAD "zzzzzzzzzzzz = 1\n", CELLA_CONF_UNKNOWN_KEY, "\"zzzzzzzzzzzz\" in [enclave]");
    refused("[enclav]\nname = a\n", CELLA_CONF_UNKNOWN_KEY, "[enclav]", "[enclave]");
    refused("name = a\n", CELLA_CONF_SYNTAX, "enclave.conf:1", "before the first");
}

static void a_key_named_twice_is_refused_wherever_it_stands(void **state) {
    refused(HEAD "threads = 1\nthreads = 1\n", CELLA_CONF_DUPLICATE, "enclave.conf:6", "line 5");
    refused(HEAD "[limits]\n[enclave]\nname = b\n", CELLA_CONF_DUPLICATE, "name", "line 2");
    refused(HEAD "[application]\na = 1\nb = 2\na = 1\n", CELLA_CONF_DUPLICATE, "\"a\"", "enclave.conf:8");
}

static void lines_that_are_no_setting_are_refused(void **state) {
    refused(HEAD "heap_size\n", CELLA_CONF_SYNTAX, "enclave.conf:5");
    refused(HEAD "[limits\nmax_senders = 1\n", CELLA_CONF_SYNTAX, "enclave.conf:5");
    static const char zero[] = HEAD "threads = 1\0\n";
    assert_status(cella_conf_parse("enclave.conf", CELLA_BYTES(zero, sizeof zero - 1), &settings, &error),
                  CELLA_CONF_SYNTAX);
}

static void an_indented_line_is_a_setting_of_its_own(void **state) {
    assert_status(parse(HEAD "   threads = 3\n\tdebug = true\n"), CELLA_OK);
    assert_int_equal(settings.thread_count, 3);
    refused(HEAD "[application]\na = 1\n  b\n", CELLA_CONF_SYNTAX, "enclave.conf:7");
}

static void comments_and_line_ends_of_other_systems_are_fine(void **state) {
    assert_status(parse("# comment\r\n; comment\r\n\r\n[enclave]\r\nname = hello\r\nproduct_id = 1\r\n"
                        "security_version = 2"),
                  CELLA_OK);
}

static void application_values_are_kept_whole_and_sorted(void **state) {
    assert_status(parse(HEAD "[application]\nz = 1 ; not a comment\na.b-c_9 = x=y:z\nempty =\n"), CELLA_OK);
    assert_int_equal(settings.application_count, 3);
    assert_string_equal(settings.application[0].key, "a.b-c_9");
    assert_string_equal(settings.application[0].value, "x=y:z");
    assert_string_equal(cella_settings_get(&settings, "z"), "1 ; not a comment");
    assert_string_equal(cella_settings_get(&settings, "empty"), "");
    refused(HEAD "[application]\nUpper = 1\n", CELLA_CONF_VALUE, "\"Upper\"");
}

/* HEAD, then "[application]" and a value of `size` letters. */
static const char *with_value(size_t size) {
    static char text[16384];
    size_t at = (size_t)snprintf(text, sizeof text, HEAD "[application]\nvalue = ");
    memset(text + at, 'x', size);
    text[at + size] = '\n';
    text[at + size + 1] = '\0';
    return text;
}

static void an_application_value_has_4096_bytes_at_most(void **state) {
    assert_status(parse(with_value(4096)), CELLA_OK);
    assert_int_equal(strlen(cella_settings_get(&settings, "value")), 4096);
    refused(with_value(4097), CELLA_CONF_VALUE, "value has 4097 bytes", "4096");
    refused(with_value(9000), CELLA_CONF_SYNTAX, "enclave.conf:6", "9008 characters");
}

static void there_are_128_application_keys_at_most(void **state) {
    static char text[8192];
    size_t at = (size_t)snprintf(text, sizeof text, HEAD "[application]\n");
    for (unsigned i = 0; i < 128; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "k%u = %u\n", i, i);
    assert_status(parse(text), CELLA_OK);
    assert_int_equal(settings.application_count, 128);
    (void)snprintf(text + at, sizeof text - at, "one-more = 1\n");
    refused(text, CELLA_LIMIT, "128");
}

static void a_name_is_a_word(void **state) {
    refused("[enclave]\nname = Hello\n", CELLA_CONF_VALUE, "enclave.conf:2", "name = Hello");
    refused("[enclave]\nname = 1st\n", CELLA_CONF_VALUE, "name");
    refused("[enclave]\nname =\n", CELLA_CONF_VALUE, "name");
    refused("[enclave]\nname = a b\n", CELLA_CONF_VALUE, "name");
}

static int end(void **state) {
    cella_settings_deinit(&settings);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_keys_are_enough),
        cmocka_unit_test(each_required_key_is_required),
        cmocka_unit_test(sizes_take_suffixes),
        cmocka_unit_test(a_small_heap_lowers_the_default_of_mail),
        cmocka_unit_test(numbers_outside_of_their_range_name_it),
        cmocka_unit_test(debug_is_true_or_false),
        cmocka_unit_test(a_vault_bound_to_one_machine_is_the_default),
        cmocka_unit_test(without_a_vault_no_line_speaks_of_one),
        cmocka_unit_test(owners_are_sorted_and_one_alone_needs_no_threshold),
        cmocka_unit_test(the_threshold_counts_owners_that_are_there),
        cmocka_unit_test(there_are_16_owners_at_most),
        cmocka_unit_test(a_value_that_no_transaction_could_hold_is_refused),
        cmocka_unit_test(an_unknown_key_names_its_line_and_the_nearest_known_one),
        cmocka_unit_test(a_key_named_twice_is_refused_wherever_it_stands),
        cmocka_unit_test(lines_that_are_no_setting_are_refused),
        cmocka_unit_test(an_indented_line_is_a_setting_of_its_own),
        cmocka_unit_test(comments_and_line_ends_of_other_systems_are_fine),
        cmocka_unit_test(application_values_are_kept_whole_and_sorted),
        cmocka_unit_test(an_application_value_has_4096_bytes_at_most),
        cmocka_unit_test(there_are_128_application_keys_at_most),
        cmocka_unit_test(a_name_is_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
