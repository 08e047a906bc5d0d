/* Suppression against an attacker who knows all that is published and the rows of three parties. */
#include "audit.h"
#include "suppression.h"
#include "support/test.h"
#include <math.h>
#include <string.h>

enum { EVERYBODY = SURVEY_GROUP_COUNT - 1, TABLES_PER_KIND = 20 };

static uint32_t random_below(uint64_t *state, uint32_t limit) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % limit;
}

static size_t group(uint8_t education, uint8_t gender, uint8_t age) {
    return survey_group_index((struct survey_group){.at = {education, gender, age}});
}

/* Adds people of one party with given classes to every group that they belong to. */
static void add(struct survey_counts *counts, size_t party, struct survey_group cell, uint32_t people) {
    for (unsigned choice = 0; choice < 8; choice++) {
        struct survey_group outer = cell;
        for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
            if ((choice >> i & 1) != 0)
                outer.at[i] = survey_dimension_size(i);
        counts->people[party][survey_group_index(outer)] += people;
    }
}

typedef uint32_t cell_people(uint64_t *state, size_t party, struct survey_group cell);

static struct survey_counts table_of(cell_people *people, uint64_t seed) {
    struct survey_counts counts = {.people = {{0}}};
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        for (uint8_t e = 0; e < SURVEY_EDUCATION_COUNT; e++)
            for (uint8_t g = 0; g < SURVEY_GENDER_COUNT; g++)
                for (uint8_t a = 0; a < SURVEY_AGE_COUNT; a++) {
                    struct survey_group cell = {.at = {e, g, a}};
                    add(&counts, party, cell, people(&seed, party, cell));
                }
    return counts;
}

static uint32_t fifty(uint64_t *state, size_t party, struct survey_group cell) {
    return 50;
}

/* Mostly large groups, a few small ones: like real surveys. */
static uint32_t mostly_large(uint64_t *state, size_t party, struct survey_group cell) {
    return random_below(state, 12) == 0 ? random_below(state, 10) : 15 + random_below(state, 300);
}

static uint32_t mostly_small(uint64_t *state, size_t party, struct survey_group cell) {
    return random_below(state, 25);
}

static uint32_t mostly_empty(uint64_t *state, size_t party, struct survey_group cell) {
    return random_below(state, 4) == 0 ? 10 + random_below(state, 60) : 0;
}

/* One party has nobody in the upper half of education, another only men. */
static uint32_t lopsided(uint64_t *state, size_t party, struct survey_group cell) {
    if ((party == 0 && cell.at[0] > 2) || (party == 1 && cell.at[1] == SURVEY_FEMALE))
        return 0;
    return 5 + random_below(state, 100);
}

static uint32_t one_small_party(uint64_t *state, size_t party, struct survey_group cell) {
    return party == 3 ? random_below(state, 3) : 20 + random_below(state, 500);
}

/* The rules that every answer must keep, for one party's table as its three adversaries see it. */
static void check_party(const struct survey_counts *counts, size_t party, const bool *hidden) {
    struct audit *audit = audit_new(counts->people[party], hidden);
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        double low, high;
        if (!hidden[i])
            continue;
        assert_false(audit_is_sum_of_published(audit, i));
        audit_range(audit, i, &low, &high);
        assert_true(low <= counts->people[party][i] + 1e-6);
        assert_true(high >= counts->people[party][i] - 1e-6);
        if (high - low < survey_rules.protection - 1e-6)
            fail_msg("group %zu of party %zu lies between %.3f and %.3f", i, party, low, high);
    }
    audit_free(audit);
}

static void check_table(const struct survey_counts *counts, const bool *hidden) {
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        if (hidden[i])
            continue;
        assert_true(survey_people(counts, i) >= survey_rules.group_minimum);
        for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
            assert_true(counts->people[party][i] >= survey_rules.party_minimum);
    }
    for (size_t party = 0; party < SURVEY_PARTY_COUNT && !hidden[EVERYBODY]; party++)
        check_party(counts, party, hidden);
}

static void check_kind(cell_people *people) {
    for (uint64_t seed = 1; seed <= TABLES_PER_KIND; seed++) {
        struct survey_counts counts = table_of(people, seed);
        bool hidden[SURVEY_GROUP_COUNT], again[SURVEY_GROUP_COUNT];
        survey_suppress(&counts, &survey_rules, hidden);
        check_table(&counts, hidden);
        survey_suppress(&counts, &survey_rules, again);
        assert_memory_equal(hidden, again, sizeof hidden);
    }
}

static void no_hidden_group_can_be_narrowed_down_in_tables_of_mostly_large_groups(void **state) {
    check_kind(mostly_large);
}

static void no_hidden_group_can_be_narrowed_down_in_tables_of_mostly_small_groups(void **state) {
    check_kind(mostly_small);
}

static void no_hidden_group_can_be_narrowed_down_in_tables_with_many_empty_groups(void **state) {
    check_kind(mostly_empty);
}

static void no_hidden_group_can_be_narrowed_down_when_parties_lack_whole_classes(void **state) {
    check_kind(lopsided);
}

static void no_hidden_group_can_be_narrowed_down_when_one_party_is_small(void **state) {
    check_kind(one_small_party);
}

static size_t count_hidden(const bool *hidden) {
    size_t count = 0;
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        count += hidden[i] ? 1 : 0;
    return count;
}

static void a_table_of_large_groups_is_published_whole(void **state) {
    struct survey_counts counts = table_of(fifty, 1);
    bool hidden[SURVEY_GROUP_COUNT];
    survey_suppress(&counts, &survey_rules, hidden);
    assert_int_equal(count_hidden(hidden), 0);
}

/* 50 people of each party everywhere, but for one cell of one party. */
static struct survey_counts one_small_cell(uint32_t people) {
    struct survey_counts counts = table_of(fifty, 1);
    struct survey_group cell = {.at = {5, SURVEY_FEMALE, 4}};
    add(&counts, 2, cell, people - 50); /* wraps: subtracts */
    return counts;
}

static void a_group_with_ten_people_of_each_party_is_published(void **state) {
    struct survey_counts counts = one_small_cell(10);
    bool hidden[SURVEY_GROUP_COUNT];
    survey_suppress(&counts, &survey_rules, hidden);
    assert_int_equal(count_hidden(hidden), 0);
}

static void a_group_with_nine_people_of_one_party_is_hidden_with_company(void **state) {
    struct survey_counts counts = one_small_cell(9);
    bool hidden[SURVEY_GROUP_COUNT];
    survey_suppress(&counts, &survey_rules, hidden);
    assert_true(hidden[group(5, SURVEY_FEMALE, 4)]);
    /* Three other cells of the same three pairs of margins, in a cube: eight groups, no margin. */
    assert_int_equal(count_hidden(hidden), 8);
    assert_false(hidden[group(5, SURVEY_GENDER_COUNT, 4)]);
    check_table(&counts, hidden);
}

static void a_group_under_ten_is_hidden_when_parties_need_contribute_nothing(void **state) {
    struct survey_rules rules = survey_rules;
    struct survey_counts counts = one_small_cell(50);
    bool hidden[SURVEY_GROUP_COUNT];
    rules.party_minimum = 0;
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        add(&counts, party, (struct survey_group){.at = {0, 0, 0}}, (party == 0 ? 9u : 0u) - 50u);
    survey_suppress(&counts, &rules, hidden);
    assert_true(hidden[group(0, 0, 0)]);
    add(&counts, 0, (struct survey_group){.at = {0, 0, 0}}, 1);
    survey_suppress(&counts, &rules, hidden);
    assert_false(hidden[group(0, 0, 0)]);
}

/* The audit itself must be able to fail. */
static void the_audit_computes_a_group_that_is_hidden_alone(void **state) {
    struct survey_counts counts = one_small_cell(9);
    bool hidden[SURVEY_GROUP_COUNT] = {false};
    size_t alone = group(5, SURVEY_FEMALE, 4);
    double low, high;
    hidden[alone] = true;
    struct audit *audit = audit_new(counts.people[2], hidden);
    assert_true(audit_is_sum_of_published(audit, alone));
    audit_range(audit, alone, &low, &high);
    assert_true(fabs(low - 9) < 1e-6 && fabs(high - 9) < 1e-6);
    audit_free(audit);
}

static void the_audit_narrows_groups_whose_company_is_too_small(void **state) {
    struct survey_counts counts = one_small_cell(9);
    bool hidden[SURVEY_GROUP_COUNT] = {false};
    double low, high;
    /* The other corners of one cube; two of them, one of each parity, have 2 people only. */
    for (uint8_t corner = 0; corner < 8; corner++) {
        struct survey_group cell = {.at = {(uint8_t)(corner & 1 ? 0 : 5), (uint8_t)(corner & 2 ? 0 : 1),
                                           (uint8_t)(corner & 4 ? 0 : 4)}};
        hidden[survey_group_index(cell)] = true;
        if (corner == 1 || corner == 3)
            add(&counts, 2, cell, 2u - 50u);
    }
    struct audit *audit = audit_new(counts.people[2], hidden);
    assert_false(audit_is_sum_of_published(audit, group(5, 1, 4)));
    audit_range(audit, group(5, 1, 4), &low, &high);
    assert_true(fabs(low - 7) < 1e-6 && fabs(high - 11) < 1e-6);
    audit_free(audit);
}

static void a_survey_with_a_party_of_nine_people_publishes_nothing(void **state) {
    struct survey_counts counts = {.people = {{0}}};
    bool hidden[SURVEY_GROUP_COUNT];
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        add(&counts, party, (struct survey_group){.at = {1, 1, 1}}, party == 1 ? 9 : 1000);
    survey_suppress(&counts, &survey_rules, hidden);
    assert_int_equal(count_hidden(hidden), SURVEY_GROUP_COUNT);
}

static void people_of_one_kind_only_are_published_as_everybody(void **state) {
    struct survey_counts counts = {.people = {{0}}};
    bool hidden[SURVEY_GROUP_COUNT];
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        add(&counts, party, (struct survey_group){.at = {1, 1, 1}}, 1000);
    survey_suppress(&counts, &survey_rules, hidden);
    assert_false(hidden[EVERYBODY]);
    check_table(&counts, hidden);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_large_groups_is_published_whole),
        cmocka_unit_test(a_group_with_ten_people_of_each_party_is_published),
        cmocka_unit_test(a_group_with_nine_people_of_one_party_is_hidden_with_company),
        cmocka_unit_test(a_group_under_ten_is_hidden_when_parties_need_contribute_nothing),
        cmocka_unit_test(no_hidden_group_can_be_narrowed_down_in_tables_of_mostly_large_groups),
        cmocka_unit_test(no_hidden_group_can_be_narrowed_down_in_tables_of_mostly_small_groups),
        cmocka_unit_test(no_hidden_group_can_be_narrowed_down_in_tables_with_many_empty_groups),
        cmocka_unit_test(no_hidden_group_can_be_narrowed_down_when_parties_lack_whole_classes),
        cmocka_unit_test(no_hidden_group_can_be_narrowed_down_when_one_party_is_small),
        cmocka_unit_test(the_audit_computes_a_group_that_is_hidden_alone),
        cmocka_unit_test(the_audit_narrows_groups_whose_company_is_too_small),
        cmocka_unit_test(a_survey_with_a_party_of_nine_people_publishes_nothing),
        cmocka_unit_test(people_of_one_kind_only_are_published_as_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
