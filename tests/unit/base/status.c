/* The status table: its promises to users and to formats. */
#include "support/test.h"
#include <ctype.h>
#include <string.h>

struct row {
    const char *name;
    int number;
    int exit_code;
    const char *sentence;
    const char *remedy;
};

static const struct row rows[] = {
#define CELLA_STATUS_ROW(name, number, exit_code, sentence, remedy)                                          \
    {#name, number, exit_code, sentence, remedy},
#include <cella/status.def>
#undef CELLA_STATUS_ROW
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void numbers_and_names_are_unique(void **state) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        for (size_t j = i + 1; j < ROW_COUNT; j++) {
            if (rows[i].number == rows[j].number)
                fail_msg("%s and %s share the number %d", rows[i].name, rows[j].name, rows[i].number);
            assert_string_not_equal(rows[i].name, rows[j].name);
        }
}

static void statuses_that_read_the_same_do_not_exist(void **state) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        for (size_t j = i + 1; j < ROW_COUNT; j++)
            assert_string_not_equal(rows[i].sentence, rows[j].sentence);
}

static void every_name_is_a_searchable_word(void **state) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        for (const char *c = rows[i].name; *c != '\0'; c++)
            assert_true(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
}

/* A sentence goes after "cella: error: " and a remedy after "cella: hint: ": no capital, no full stop. */
static void check_text(const char *name, const char *text) {
    size_t size = strlen(text);
    if (size < 4 || size > 160)
        fail_msg("%s: \"%s\" has %zu characters", name, text, size);
    if (text[size - 1] == '.' || text[size - 1] == ' ' || text[0] == ' ')
        fail_msg("%s: \"%s\" begins or ends badly", name, text);
    if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
        fail_msg("%s: \"%s\" begins with a capital", name, text);
    for (const char *c = text; *c != '\0'; c++)
        assert_true(isprint((unsigned char)*c));
}

static void every_status_says_what_happened_and_what_to_do(void **state) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        check_text(rows[i].name, rows[i].sentence);
        check_text(rows[i].name, rows[i].remedy);
    }
}

static void no_remedy_suggests_deletion(void **state) {
    static const char *const words[] = {"delete", "remove the", "rm ", "wipe", "erase"};
    for (size_t i = 0; i < ROW_COUNT; i++)
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++)
            if (strstr(rows[i].remedy, words[j]) != NULL)
                fail_msg("%s: \"%s\"", rows[i].name, rows[i].remedy);
}

static void every_exit_code_is_one_of_the_documented(void **state) {
    static const int allowed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 70};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        bool found = rows[i].number == 0 && rows[i].exit_code == 0;
        for (size_t j = 0; j < sizeof allowed / sizeof allowed[0] && rows[i].number != 0; j++)
            found = found || rows[i].exit_code == allowed[j];
        if (!found)
            fail_msg("%s ends a command with %d", rows[i].name, rows[i].exit_code);
    }
}

static void numbers_fit_the_u16_of_formats(void **state) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        assert_in_range(rows[i].number, 0, UINT16_MAX);
}

static void lookups_return_the_row(void **state) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        enum cella_status status = (enum cella_status)rows[i].number;
        assert_string_equal(cella_status_name(status), rows[i].name);
        assert_string_equal(cella_status_sentence(status), rows[i].sentence);
        assert_string_equal(cella_status_remedy(status), rows[i].remedy);
        assert_int_equal(cella_status_exit_code(status), rows[i].exit_code);
        enum cella_status found = CELLA_INTERNAL;
        assert_status(cella_status_from_name(rows[i].name, &found), CELLA_OK);
        assert_status(found, status);
    }
}

static void an_unknown_number_gives_texts_and_70(void **state) {
    enum cella_status unknown = (enum cella_status)0x7fff;
    assert_string_equal(cella_status_name(unknown), "UNKNOWN");
    assert_true(strlen(cella_status_sentence(unknown)) > 0);
    assert_true(strlen(cella_status_remedy(unknown)) > 0);
    assert_int_equal(cella_status_exit_code(unknown), 70);
}

static void an_unknown_name_is_not_found_and_sets_nothing(void **state) {
    enum cella_status status = CELLA_EXISTS;
    assert_status(cella_status_from_name("NO_SUCH_STATUS", &status), CELLA_NOT_FOUND);
    assert_status(cella_status_from_name("", &status), CELLA_NOT_FOUND);
    assert_status(cella_status_from_name("ok", &status), CELLA_NOT_FOUND);
    assert_status(status, CELLA_EXISTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_unique),
        cmocka_unit_test(statuses_that_read_the_same_do_not_exist),
        cmocka_unit_test(every_name_is_a_searchable_word),
        cmocka_unit_test(every_status_says_what_happened_and_what_to_do),
        cmocka_unit_test(no_remedy_suggests_deletion),
        cmocka_unit_test(every_exit_code_is_one_of_the_documented),
        cmocka_unit_test(numbers_fit_the_u16_of_formats),
        cmocka_unit_test(lookups_return_the_row),
        cmocka_unit_test(an_unknown_number_gives_texts_and_70),
        cmocka_unit_test(an_unknown_name_is_not_found_and_sets_nothing),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
