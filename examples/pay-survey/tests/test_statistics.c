/* Quantiles, counts and gaps; and the real data against numbers that were computed independently. */
#include "result.h"
#include "split.h"
#include "statistics.h"
#include "suppression.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t quantile_of(size_t count, const uint64_t *tenths, unsigned percent) {
    uint64_t amounts[16];
    for (size_t i = 0; i < count; i++)
        amounts[i] = tenths[i] * SURVEY_MICRO / 10;
    return survey_quantile(amounts, count, percent);
}

static void a_quantile_between_two_people_is_interpolated(void **state) {
    const uint64_t tenths[] = {10, 20, 30, 40};
    assert_int_equal(quantile_of(4, tenths, 25), 18); /* 17.5, half up */
    assert_int_equal(quantile_of(4, tenths, 50), 25);
    assert_int_equal(quantile_of(4, tenths, 75), 33); /* 32.5 */
    assert_int_equal(quantile_of(4, tenths, 90), 37);
}

static void a_quantile_that_falls_on_a_person_is_that_pay(void **state) {
    const uint64_t tenths[] = {10, 20, 30, 40, 1000};
    assert_int_equal(quantile_of(5, tenths, 25), 20);
    assert_int_equal(quantile_of(5, tenths, 50), 30);
    assert_int_equal(quantile_of(5, tenths, 75), 40);
    assert_int_equal(quantile_of(1, tenths, 90), 10);
}

static void a_quantile_is_rounded_half_up_to_a_tenth(void **state) {
    const uint64_t below = 17249999, half = 17250000;
    assert_int_equal(survey_quantile(&below, 1, 50), 172);
    assert_int_equal(survey_quantile(&half, 1, 50), 173);
}

static void a_gap_is_a_share_of_the_reference(void **state) {
    assert_int_equal(survey_gap(150, 200), -250);
    assert_int_equal(survey_gap(200, 150), 333);
    assert_int_equal(survey_gap(150, 150), 0);
    assert_int_equal(survey_gap(0, 150), -1000);
    assert_int_equal(survey_gap(1999, 2000), -1); /* half away from zero */
    assert_int_equal(survey_gap(2001, 2000), 1);
}

static void groups_and_numbers_match_one_to_one(void **state) {
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        assert_int_equal(survey_group_index(survey_group_at(i)), i);
    struct survey_group everybody = survey_group_at(SURVEY_GROUP_COUNT - 1);
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        assert_true(survey_group_takes_all(everybody, i));
}

static void bands_cover_the_ranges_without_overlap(void **state) {
    uint8_t band;
    assert_false(survey_education_band(5, &band));
    assert_true(survey_education_band(8, &band) && band == 0);
    assert_true(survey_education_band(9, &band) && band == 1);
    assert_true(survey_education_band(20, &band) && band == SURVEY_EDUCATION_COUNT - 1);
    assert_false(survey_education_band(21, &band));
    assert_false(survey_age_band(20, &band));
    assert_true(survey_age_band(29, &band) && band == 0);
    assert_true(survey_age_band(30, &band) && band == 1);
    assert_true(survey_age_band(64, &band) && band == SURVEY_AGE_COUNT - 1);
    assert_false(survey_age_band(65, &band));
}

/* --- the real data --- */

static struct survey_rows parties[SURVEY_PARTY_COUNT];

static int read_parties(void **state) {
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        struct survey_csv_report report;
        struct cella_bytes file = split_file(i);
        assert_status(survey_csv_parse(file, &parties[i], &report), CELLA_OK);
        free((void *)file.data);
    }
    return 0;
}

static int free_parties(void **state) {
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++)
        survey_rows_free(&parties[i]);
    return 0;
}

/* One line of tests/expected.csv. */
struct expected {
    char line[128]; /* split in place */
    const char *labels[SURVEY_DIMENSION_COUNT];
    uint32_t people[SURVEY_PARTY_COUNT];
    const char *figures[SURVEY_QUANTILE_COUNT];
};

static const char *next_field(char **at) {
    const char *field = strsep(at, ",\n");
    assert_non_null(field);
    return field;
}

static void read_expected(struct expected ret_expected[SURVEY_GROUP_COUNT]) {
    char header[128];
    FILE *file = fopen(PAY_SURVEY_FOLDER "/tests/expected.csv", "r");
    assert_non_null(file);
    assert_non_null(fgets(header, sizeof header, file));
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        struct expected *e = &ret_expected[i];
        char *at = fgets(e->line, sizeof e->line, file);
        for (size_t k = 0; k < SURVEY_DIMENSION_COUNT; k++)
            e->labels[k] = next_field(&at);
        for (size_t k = 0; k < SURVEY_PARTY_COUNT; k++)
            e->people[k] = (uint32_t)strtoul(next_field(&at), NULL, 10);
        for (size_t k = 0; k < SURVEY_QUANTILE_COUNT; k++)
            e->figures[k] = next_field(&at);
    }
    fclose(file);
}

static void counts_of_the_real_data_are_those_computed_independently(void **state) {
    static struct survey_counts counts;
    static struct expected expected[SURVEY_GROUP_COUNT];
    read_expected(expected);
    survey_count(parties, &counts);
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
            assert_int_equal(counts.people[party][i], expected[i].people[party]);
    assert_int_equal(survey_people(&counts, SURVEY_GROUP_COUNT - 1), 61395);
}

static void quantiles_of_the_real_data_are_those_computed_independently(void **state) {
    static const bool hidden[SURVEY_GROUP_COUNT];
    static struct survey_figures figures[SURVEY_GROUP_COUNT];
    static struct expected expected[SURVEY_GROUP_COUNT];
    read_expected(expected);
    assert_status(survey_figures_compute(parties, hidden, figures), CELLA_OK);
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        for (size_t q = 0; q < SURVEY_QUANTILE_COUNT; q++) {
            char figure[16];
            snprintf(figure, sizeof figure, "%u.%u", figures[i].tenths[q] / 10, figures[i].tenths[q] % 10);
            assert_string_equal(figure, expected[i].figures[q]);
        }
}

/* Small groups of one party and their company; nothing else. */
static void the_result_hides_small_groups_and_shows_the_others(void **state) {
    static struct expected expected[SURVEY_GROUP_COUNT];
    static char buffer[SURVEY_RESULT_LIMIT];
    struct survey_text text;
    size_t hidden = 0, small = 0;
    read_expected(expected);
    survey_text_init(&text, buffer, sizeof buffer);
    assert_status(survey_result_write("spring", parties, &text), CELLA_OK);
    assert_false(text.failed);
    char *at = buffer;
    assert_string_equal(strsep(&at, "\n"), SURVEY_RESULT_HEADER);
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        const struct expected *e = &expected[i];
        const char *line = strsep(&at, "\n");
        char shown[128], gone[128];
        bool is_small = false;
        for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
            is_small = is_small || e->people[party] < 10;
        snprintf(gone, sizeof gone, "spring,%s,%s,%s,hidden,,,,,,", e->labels[0], e->labels[1], e->labels[2]);
        snprintf(shown, sizeof shown, "spring,%s,%s,%s,%u,%s,%s,%s,%s,", e->labels[0], e->labels[1],
                 e->labels[2], e->people[0] + e->people[1] + e->people[2] + e->people[3], e->figures[0],
                 e->figures[1], e->figures[2], e->figures[3]);
        bool is_hidden = strcmp(line, gone) == 0;
        assert_true(is_hidden || strncmp(line, shown, strlen(shown)) == 0);
        assert_true(is_hidden || !is_small);
        hidden += is_hidden ? 1 : 0;
        small += is_small ? 1 : 0;
    }
    assert_string_equal(at, "");
    assert_int_equal(small, 5);
    assert_in_range(hidden, 6, 24);
}

static void the_result_names_the_gaps_of_everybody_and_of_women(void **state) {
    static char buffer[SURVEY_RESULT_LIMIT];
    struct survey_text text;
    survey_text_init(&text, buffer, sizeof buffer);
    assert_status(survey_result_write("spring", parties, &text), CELLA_OK);
    /* Medians in expected.csv: women 14.4, men 17.9. */
    assert_non_null(strstr(buffer, "\nspring,all,all,all,61395,11.1,16.3,23.6,32.7,0.0,-19.6\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantile_between_two_people_is_interpolated),
        cmocka_unit_test(a_quantile_that_falls_on_a_person_is_that_pay),
        cmocka_unit_test(a_quantile_is_rounded_half_up_to_a_tenth),
        cmocka_unit_test(a_gap_is_a_share_of_the_reference),
        cmocka_unit_test(groups_and_numbers_match_one_to_one),
        cmocka_unit_test(bands_cover_the_ranges_without_overlap),
        cmocka_unit_test(counts_of_the_real_data_are_those_computed_independently),
        cmocka_unit_test(quantiles_of_the_real_data_are_those_computed_independently),
        cmocka_unit_test(the_result_hides_small_groups_and_shows_the_others),
        cmocka_unit_test(the_result_names_the_gaps_of_everybody_and_of_women),
    };
    return cmocka_run_group_tests(tests, read_parties, free_parties);
}
