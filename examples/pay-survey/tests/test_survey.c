/* The survey's rules: who may send, no replacement, one result, and only with all four files. */
#include "result.h"
#include "support/test.h"
#include "survey.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_A "0100000000000000000000000000000000000000000000000000000000000000"
#define KEY_B "0200000000000000000000000000000000000000000000000000000000000000"
#define KEY_C "0300000000000000000000000000000000000000000000000000000000000000"
#define KEY_D "04000000000000000000000000000000000000000000000000000000000000fF"

struct setting {
    const char *key, *value;
};

static struct setting settings[9];

static const char *setting(const char *key) {
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].key, key) == 0)
            return settings[i].value;
    return NULL;
}

static int good_settings(void **state) {
    static const struct setting good[] = {
        {"survey.id", "spring-2026"}, {"party.1.name", "Northeast"}, {"party.1.key", KEY_A},
        {"party.2.name", "Midwest"},  {"party.2.key", KEY_B},        {"party.3.name", "South"},
        {"party.3.key", KEY_C},       {"party.4.name", "West"},      {"party.4.key", KEY_D},
    };
    memcpy(settings, good, sizeof settings);
    return 0;
}

static void the_terms_name_the_survey_the_parties_and_the_rules(void **state) {
    struct survey survey;
    char buffer[SURVEY_TERMS_LIMIT];
    struct survey_text text;
    assert_status(survey_init(&survey, setting), CELLA_OK);
    survey_text_init(&text, buffer, sizeof buffer);
    survey_terms_write(&survey.terms, &text);
    assert_false(text.failed);
    assert_string_equal(buffer,
                        "cella-pay-survey-terms 1\n"
                        "survey spring-2026\n"
                        "party 1 Northeast " KEY_A "\n"
                        "party 2 Midwest " KEY_B "\n"
                        "party 3 South " KEY_C "\n"
                        "party 4 West 04000000000000000000000000000000000000000000000000000000000000ff\n"
                        "columns earnings,gender,age,education\n"
                        "education 6-8 9-11 12 13-15 16-17 18-20\n"
                        "gender male female\n"
                        "age 21-29 30-39 40-49 50-59 60-64\n"
                        "quantiles 25 50 75 90\n"
                        "rounding 0.1\n"
                        "group-minimum 10\n"
                        "party-minimum 10\n"
                        "protection 10\n"
                        "files-per-party 1\n"
                        "results 1\n");
    survey_deinit(&survey);
}

static void the_longest_terms_fit(void **state) {
    char id[SURVEY_ID_LIMIT + 1], names[4][SURVEY_NAME_LIMIT + 1], buffer[SURVEY_TERMS_LIMIT];
    struct survey survey;
    struct survey_text text;
    memset(id, 'i', SURVEY_ID_LIMIT);
    id[SURVEY_ID_LIMIT] = '\0';
    settings[0].value = id;
    for (size_t i = 0; i < 4; i++) {
        memset(names[i], 'a' + (int)i, SURVEY_NAME_LIMIT);
        names[i][SURVEY_NAME_LIMIT] = '\0';
        settings[1 + 2 * i].value = names[i];
    }
    assert_status(survey_init(&survey, setting), CELLA_OK);
    survey_text_init(&text, buffer, sizeof buffer);
    survey_terms_write(&survey.terms, &text);
    assert_false(text.failed);
}

static void a_missing_setting_is_refused(void **state) {
    struct survey survey;
    for (size_t i = 0; i < 9; i++) {
        good_settings(NULL);
        settings[i].value = NULL;
        assert_status(survey_init(&survey, setting), CELLA_ARGUMENT);
    }
}

static void a_malformed_setting_is_refused(void **state) {
    static const struct {
        size_t index;
        const char *value;
    } bad[] = {
        {0, ""},
        {0, "spring 2026"},
        {0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, /* 65 */
        {1, "North\neast"},
        {1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, /* 33 */
        {2, "01"},
        {2, KEY_A "00"},
        {4, "0200000000000000000000000000000000000000000000000000000000000g00"},
    };
    struct survey survey;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        good_settings(NULL);
        settings[bad[i].index].value = bad[i].value;
        assert_status(survey_init(&survey, setting), CELLA_ARGUMENT);
    }
}

static void two_parties_with_one_name_or_key_are_refused(void **state) {
    struct survey survey;
    settings[7].value = "South";
    assert_status(survey_init(&survey, setting), CELLA_ARGUMENT);
    good_settings(NULL);
    settings[8].value = KEY_B;
    assert_status(survey_init(&survey, setting), CELLA_ARGUMENT);
}

static void only_the_four_keys_are_parties(void **state) {
    struct survey survey;
    uint8_t key[SURVEY_KEY_SIZE] = {3};
    size_t party;
    assert_status(survey_init(&survey, setting), CELLA_OK);
    assert_true(survey_terms_find(&survey.terms, key, &party));
    assert_int_equal(party, 2);
    key[31] = 1;
    assert_false(survey_terms_find(&survey.terms, key, &party));
}

/* --- files --- */

/* `people` rows that differ by `seed`. */
static struct cella_bytes file_of(size_t people, unsigned seed) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fputs(SURVEY_CSV_HEADER "\n", file);
    for (size_t i = 0; i < people; i++)
        fprintf(file, "%zu.%02u,%s,%zu,%zu\n", 5 + i % 40, seed % 100, i % 2 == 0 ? "male" : "female",
                21 + i % 44, 6 + i % 15);
    fclose(file);
    struct cella_bytes copy = test_copy(CELLA_BYTES(text, size));
    free(text);
    return copy;
}

/* Sends a file as the enclave does; the words of the reply go to `words`. */
static enum cella_status take(struct survey *survey, size_t party, struct cella_bytes file,
                              char words[SURVEY_REPLY_LIMIT]) {
    struct survey_text reply;
    struct survey_change change = {.result = NULL};
    survey_text_init(&reply, words, SURVEY_REPLY_LIMIT);
    enum cella_status status = survey_prepare_file(survey, party, file, &change, &reply);
    assert_false(reply.failed);
    if (status == CELLA_OK)
        survey_commit(survey, &change);
    survey_change_free(&change);
    return status;
}

static void there_is_no_result_before_the_fourth_file(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    assert_status(survey_init(&survey, setting), CELLA_OK);
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++) {
        struct cella_bytes result = {.data = NULL};
        struct survey_text reply;
        char expected[32];
        survey_text_init(&reply, words, sizeof words);
        assert_status(survey_result(&survey, &result, &reply), CELLA_NOT_STARTED);
        assert_null(result.data);
        snprintf(expected, sizeof expected, "not-yet\nfiles %zu of 4\n", party);
        assert_string_equal(words, expected);
        assert_status(take(&survey, party, file_of(500, (unsigned)party), words), CELLA_OK);
    }
    assert_string_equal(words, "accepted\npeople 500\nfiles 4 of 4\n");
    struct cella_bytes result;
    struct survey_text reply;
    survey_text_init(&reply, words, sizeof words);
    assert_status(survey_result(&survey, &result, &reply), CELLA_OK);
    assert_memory_equal(result.data, SURVEY_RESULT_HEADER, sizeof SURVEY_RESULT_HEADER - 1);
    survey_deinit(&survey);
}

static void rows_are_gone_once_there_is_a_result(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    assert_status(survey_init(&survey, setting), CELLA_OK);
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        assert_status(take(&survey, party, file_of(500, 1), words), CELLA_OK);
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        assert_null(survey.files[party].rows);
    survey_deinit(&survey);
}

static void a_file_cannot_be_replaced(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    assert_status(survey_init(&survey, setting), CELLA_OK);
    assert_status(take(&survey, 1, file_of(500, 1), words), CELLA_OK);
    assert_status(take(&survey, 1, file_of(700, 2), words), CELLA_EXISTS);
    assert_string_equal(words, "refused\na file of Midwest is in already; a file cannot be replaced\n");
    assert_int_equal(survey.files[1].count, 500);
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        if (party != 1)
            assert_status(take(&survey, party, file_of(500, 1), words), CELLA_OK);
    assert_status(take(&survey, 1, file_of(700, 2), words), CELLA_EXISTS);
    survey_deinit(&survey);
}

static void a_second_result_is_the_first_one(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    assert_status(survey_init(&survey, setting), CELLA_OK);
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        assert_status(take(&survey, party, file_of(500, 1), words), CELLA_OK);
    struct cella_bytes first, second;
    struct survey_text reply;
    survey_text_init(&reply, words, sizeof words);
    assert_status(survey_result(&survey, &first, &reply), CELLA_OK);
    assert_status(take(&survey, 0, file_of(900, 3), words), CELLA_EXISTS);
    assert_status(survey_result(&survey, &second, &reply), CELLA_OK);
    assert_ptr_equal(first.data, second.data);
    survey_deinit(&survey);
}

static void nothing_of_a_file_with_a_bad_row_counts(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    struct cella_bytes bad = file_of(500, 1);
    assert_status(survey_init(&survey, setting), CELLA_OK);
    memcpy((char *)bad.data + bad.size - 4, ",99\n", 4);
    assert_status(take(&survey, 0, bad, words), CELLA_DAMAGED);
    assert_string_equal(words, "refused\n"
                               "row 501, column education: \"99\" is not a whole number from 6 to 20\n"
                               "nothing of this file counts\n");
    assert_int_equal(survey_file_count(&survey), 0);
    assert_null(survey.files[0].rows);
    assert_status(take(&survey, 0, file_of(500, 1), words), CELLA_OK);
    survey_deinit(&survey);
}

static void a_file_of_bad_rows_gets_a_short_list(void **state) {
    struct survey survey;
    static const char row[] = "1000000000000000000000000000000000000,wxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyz,"
                              "1111111111111111111111111111,1\n";
    char words[SURVEY_REPLY_LIMIT], *file = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&file, &size);
    assert_non_null(to);
    fputs(SURVEY_CSV_HEADER "\n", to);
    for (size_t i = 0; i < 30; i++)
        fputs(row, to);
    fclose(to);
    assert_status(survey_init(&survey, setting), CELLA_OK);
    assert_status(take(&survey, 0, CELLA_BYTES(file, size), words), CELLA_DAMAGED);
    free(file);
    assert_non_null(strstr(words, "and 110 more\nnothing of this file counts\n"));
    survey_deinit(&survey);
}

static void a_file_with_too_few_people_is_refused(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    assert_status(survey_init(&survey, setting), CELLA_OK);
    assert_status(take(&survey, 0, file_of(9, 1), words), CELLA_DAMAGED);
    assert_string_equal(words,
                        "refused\nthe file has 9 people; 10 are the least\nnothing of this file counts\n");
    assert_status(take(&survey, 0, file_of(10, 1), words), CELLA_OK);
    survey_deinit(&survey);
}

static void a_change_that_is_not_committed_leaves_nothing(void **state) {
    struct survey survey;
    char words[SURVEY_REPLY_LIMIT];
    struct survey_text reply;
    struct survey_change change;
    assert_status(survey_init(&survey, setting), CELLA_OK);
    for (size_t party = 0; party < 3; party++)
        assert_status(take(&survey, party, file_of(500, 1), words), CELLA_OK);
    survey_text_init(&reply, words, sizeof words);
    assert_status(survey_prepare_file(&survey, 3, file_of(500, 1), &change, &reply), CELLA_OK);
    assert_non_null(change.result);
    survey_change_free(&change);
    assert_int_equal(survey_file_count(&survey), 3);
    assert_null(survey.result);
    assert_status(take(&survey, 3, file_of(500, 1), words), CELLA_OK);
    assert_non_null(survey.result);
    survey_deinit(&survey);
}

int main(void) {
#define WITH_SETTINGS(test) cmocka_unit_test_setup(test, good_settings)
    const struct CMUnitTest tests[] = {
        WITH_SETTINGS(the_terms_name_the_survey_the_parties_and_the_rules),
        WITH_SETTINGS(the_longest_terms_fit),
        WITH_SETTINGS(a_missing_setting_is_refused),
        WITH_SETTINGS(a_malformed_setting_is_refused),
        WITH_SETTINGS(two_parties_with_one_name_or_key_are_refused),
        WITH_SETTINGS(only_the_four_keys_are_parties),
        WITH_SETTINGS(there_is_no_result_before_the_fourth_file),
        WITH_SETTINGS(rows_are_gone_once_there_is_a_result),
        WITH_SETTINGS(a_file_cannot_be_replaced),
        WITH_SETTINGS(a_second_result_is_the_first_one),
        WITH_SETTINGS(nothing_of_a_file_with_a_bad_row_counts),
        WITH_SETTINGS(a_file_of_bad_rows_gets_a_short_list),
        WITH_SETTINGS(a_file_with_too_few_people_is_refused),
        WITH_SETTINGS(a_change_that_is_not_committed_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
