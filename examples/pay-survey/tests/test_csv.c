/* The parser of a party's file: what it takes, and that every refusal names row and column. */
#include "csv.h"
#include "groups.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER SURVEY_CSV_HEADER "\n"

static struct cella_bytes text_bytes(const char *text) {
    return test_copy(CELLA_BYTES(text, strlen(text)));
}

static void accepts_rows_and_reads_their_values(void **state) {
    struct survey_rows rows;
    struct survey_csv_report report;
    assert_status(
        survey_csv_parse(text_bytes(HEADER "20.67307663,male,31,14\n7,female,64,6\n"), &rows, &report),
        CELLA_OK);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.rows[0].pay, 20673077);
    assert_int_equal(rows.rows[0].gender, SURVEY_MALE);
    assert_string_equal(survey_class_name(2, rows.rows[0].age), "30-39");
    assert_string_equal(survey_class_name(0, rows.rows[0].education), "13-15");
    assert_int_equal(rows.rows[1].pay, 7000000);
    assert_int_equal(rows.rows[1].gender, SURVEY_FEMALE);
    assert_string_equal(survey_class_name(2, rows.rows[1].age), "60-64");
    assert_string_equal(survey_class_name(0, rows.rows[1].education), "6-8");
    survey_rows_free(&rows);
}

static void accepts_other_line_ends(void **state) {
    static const char *const files[] = {
        SURVEY_CSV_HEADER "\r\n9.5,male,40,12\r\n",
        HEADER "9.5,male,40,12",
        SURVEY_CSV_HEADER "\r\n9.5,male,40,12",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct survey_rows rows;
        struct survey_csv_report report;
        assert_status(survey_csv_parse(text_bytes(files[i]), &rows, &report), CELLA_OK);
        assert_int_equal(rows.count, 1);
        assert_int_equal(rows.rows[0].pay, 9500000);
        survey_rows_free(&rows);
    }
}

static void rounds_amounts_half_up_to_a_millionth(void **state) {
    static const struct {
        const char *text;
        uint64_t micro;
    } amounts[] = {
        {"0.000001", 1},           {"0.0000005", 1},       {"1.0000004999999999", 1000000},
        {"1.9999995", 2000000},    {"10000", 10000000000}, {"35.714286800000004", 35714287},
        {"9.6153850000", 9615385}, {"007.50", 7500000},
    };
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        char file[128];
        struct survey_rows rows;
        struct survey_csv_report report;
        snprintf(file, sizeof file, HEADER "%s,male,40,12\n", amounts[i].text);
        assert_status(survey_csv_parse(text_bytes(file), &rows, &report), CELLA_OK);
        assert_int_equal(rows.rows[0].pay, amounts[i].micro);
        survey_rows_free(&rows);
    }
}

/* Expects one problem at that row and column, whose message contains `words`. */
static void refuses(struct cella_bytes file, size_t row, const char *column, const char *words) {
    struct survey_rows rows = {.rows = NULL};
    struct survey_csv_report report;
    assert_status(survey_csv_parse(file, &rows, &report), CELLA_DAMAGED);
    assert_null(rows.rows);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.problems[0].row, row);
    assert_string_equal(report.problems[0].column, column);
    if (strstr(report.problems[0].message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", report.problems[0].message, words);
}

/* A bad row as the third of four rows: row 3 of the file. */
static void refuses_row(const char *bad, const char *column, const char *words) {
    char file[512];
    snprintf(file, sizeof file, HEADER "9.5,male,40,12\n%s\n8,female,41,16\n", bad);
    refuses(text_bytes(file), 3, column, words);
}

static void names_row_and_column_of_a_bad_amount(void **state) {
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      "0",
                                      "0.0",
                                      "0.0000004",
                                      "1e3",
                                      "1.",
                                      ".5",
                                      "1.2.3",
                                      " 9.5",
                                      "9.5 ",
                                      "\"9.5\"",
                                      "NaN",
                                      "inf",
                                      "0x1",
                                      "10001",
                                      "10000.1",
                                      "99999999999999999999",
                                      "1.0000000000000000000",
                                      "12\xc2\xbd"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char row[64];
        snprintf(row, sizeof row, "%s,male,40,12", bad[i]);
        refuses_row(row, "earnings", "is not an amount");
    }
}

static void names_row_and_column_of_a_bad_gender(void **state) {
    static const char *const bad[] = {"", "Male", "m", "males", "femal", " male", "other"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char row[64];
        snprintf(row, sizeof row, "9.5,%s,40,12", bad[i]);
        refuses_row(row, "gender", "neither male nor female");
    }
}

static void names_row_and_column_of_a_bad_age(void **state) {
    static const char *const bad[] = {"", "20", "65", "-30", "4x", "40.0", "0040", "4294967336", " 40"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char row[64];
        snprintf(row, sizeof row, "9.5,male,%s,12", bad[i]);
        refuses_row(row, "age", "from 21 to 64");
    }
}

static void names_row_and_column_of_bad_education(void **state) {
    static const char *const bad[] = {"", "5", "21", "twelve", "12\t", "-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char row[64];
        snprintf(row, sizeof row, "9.5,male,40,%s", bad[i]);
        refuses_row(row, "education", "from 6 to 20");
    }
}

static void names_the_row_whose_number_of_values_is_wrong(void **state) {
    refuses_row("9.5,male,40", "", "3 values where the header names 4");
    refuses_row("9.5,male,40,12,South", "", "5 values where the header names 4");
    refuses_row("", "", "empty");
    refuses_row("9;5", "", "1 values");
}

static void refuses_a_blank_line_at_the_end(void **state) {
    refuses(text_bytes(HEADER "9.5,male,40,12\n\n"), 3, "", "empty");
}

static void refuses_a_file_without_the_right_header(void **state) {
    refuses(text_bytes(""), 1, "", SURVEY_CSV_HEADER);
    refuses(text_bytes("9.5,male,40,12\n"), 1, "", SURVEY_CSV_HEADER);
    refuses(text_bytes("earnings,gender,age,education,name\n9.5,male,40,12,Jo\n"), 1, "", SURVEY_CSV_HEADER);
    refuses(text_bytes("\xef\xbb\xbf" HEADER "9.5,male,40,12\n"), 1, "", SURVEY_CSV_HEADER);
    refuses(text_bytes("\n" HEADER "9.5,male,40,12\n"), 1, "", SURVEY_CSV_HEADER);
}

static void refuses_a_file_without_people(void **state) {
    refuses(text_bytes(HEADER), 1, "", "0 people");
    refuses(text_bytes(SURVEY_CSV_HEADER), 1, "", "0 people");
}

static void refuses_a_zero_byte_inside_a_value(void **state) {
    static const char file[] = HEADER "9.5,male\0,40,12\n";
    refuses(test_copy(CELLA_BYTES(file, sizeof file - 1)), 2, "gender", "\"male?\"");
}

static void quotes_no_more_than_a_few_printable_characters(void **state) {
    refuses_row("9.5,\x1b[31mmale\x07,40,12", "gender", "\"?[31mmale?\"");
    refuses_row(
        "9.5,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,40,12",
        "gender", "\"aaaaaaaaaaaaaaaaaaaaaaaa\" is");
}

static void lists_every_bad_value_of_a_row_and_counts_those_it_does_not_list(void **state) {
    static const char file[] = HEADER "x,x,x,x\nx,x,x,x\nx,x,x,x\nx,x,x,x\n";
    struct survey_rows rows = {.rows = NULL};
    struct survey_csv_report report;
    assert_status(survey_csv_parse(text_bytes(file), &rows, &report), CELLA_DAMAGED);
    assert_int_equal(report.count, 16);
    assert_int_equal(report.problems[0].row, 2);
    assert_string_equal(report.problems[3].column, "education");
    assert_int_equal(report.problems[4].row, 3);
    assert_int_equal(report.problems[SURVEY_CSV_PROBLEM_COUNT - 1].row, 4);
}

static struct cella_bytes file_of(size_t people) {
    static const char row[] = "9.5,male,40,12\n";
    size_t size = sizeof HEADER - 1 + people * (sizeof row - 1);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    memcpy(data, HEADER, sizeof HEADER - 1);
    for (size_t i = 0; i < people; i++)
        memcpy(data + sizeof HEADER - 1 + i * (sizeof row - 1), row, sizeof row - 1);
    return CELLA_BYTES(data, size);
}

static void takes_as_many_people_as_allowed_and_not_one_more(void **state) {
    struct survey_rows rows;
    struct survey_csv_report report;
    struct cella_bytes most = file_of(SURVEY_CSV_MAX_ROWS), more = file_of(SURVEY_CSV_MAX_ROWS + 1);
    assert_status(survey_csv_parse(most, &rows, &report), CELLA_OK);
    assert_int_equal(rows.count, SURVEY_CSV_MAX_ROWS);
    survey_rows_free(&rows);
    refuses(more, SURVEY_CSV_MAX_ROWS + 2, "", "250001 people");
    free((void *)most.data);
    free((void *)more.data);
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct survey_rows rows = {.rows = NULL};
    struct survey_csv_report report;
    enum cella_status status = survey_csv_parse(bytes, &rows, &report);
    survey_rows_free(&rows);
    return status == CELLA_OK;
}

static void survives_every_flipped_bit(void **state) {
    test_bit_flips(text_bytes(HEADER "20.67307663,male,31,14\n7,female,64,6\n"), accepts, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_rows_and_reads_their_values),
        cmocka_unit_test(accepts_other_line_ends),
        cmocka_unit_test(rounds_amounts_half_up_to_a_millionth),
        cmocka_unit_test(names_row_and_column_of_a_bad_amount),
        cmocka_unit_test(names_row_and_column_of_a_bad_gender),
        cmocka_unit_test(names_row_and_column_of_a_bad_age),
        cmocka_unit_test(names_row_and_column_of_bad_education),
        cmocka_unit_test(names_the_row_whose_number_of_values_is_wrong),
        cmocka_unit_test(refuses_a_blank_line_at_the_end),
        cmocka_unit_test(refuses_a_file_without_the_right_header),
        cmocka_unit_test(refuses_a_file_without_people),
        cmocka_unit_test(refuses_a_zero_byte_inside_a_value),
        cmocka_unit_test(quotes_no_more_than_a_few_printable_characters),
        cmocka_unit_test(lists_every_bad_value_of_a_row_and_counts_those_it_does_not_list),
        cmocka_unit_test(takes_as_many_people_as_allowed_and_not_one_more),
        cmocka_unit_test(survives_every_flipped_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
