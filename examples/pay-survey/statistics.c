/* Counts and quantiles, in whole numbers throughout: the same rows give the same figures everywhere. */
#include "statistics.h"
#include <stdlib.h>
#include <string.h>

/* A tenth of a dollar in hundredths of a millionth, the unit of an interpolated quantile. */
#define TENTH (UINT64_C(100) * SURVEY_MICRO / 10)

const unsigned survey_quantiles[SURVEY_QUANTILE_COUNT] = {25, 50, 75, 90};

/* Every group that a person belongs to: each coordinate is the person's class or "all". */
enum { GROUPS_OF_ONE = 1 << SURVEY_DIMENSION_COUNT };

static size_t group_of(const struct survey_row *row, unsigned choice) {
    struct survey_group group = {.at = {row->education, row->gender, row->age}};
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if ((choice >> i & 1) != 0)
            group.at[i] = survey_dimension_size(i);
    return survey_group_index(group);
}

void survey_count(const struct survey_rows parties[SURVEY_PARTY_COUNT], struct survey_counts *ret_counts) {
    *ret_counts = (struct survey_counts){.people = {{0}}};
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        for (size_t i = 0; i < parties[party].count; i++)
            for (unsigned choice = 0; choice < GROUPS_OF_ONE; choice++)
                ret_counts->people[party][group_of(&parties[party].rows[i], choice)]++;
}

uint32_t survey_people(const struct survey_counts *counts, size_t group) {
    uint32_t people = 0;
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        people += counts->people[party][group];
    return people;
}

uint32_t survey_quantile(const uint64_t *amounts, size_t count, unsigned percent) {
    uint64_t position = (uint64_t)(count - 1) * percent;
    size_t below = (size_t)(position / 100);
    uint64_t fraction = position % 100;
    uint64_t value = amounts[below] * 100;
    if (fraction != 0)
        value += fraction * (amounts[below + 1] - amounts[below]);
    return (uint32_t)((value + TENTH / 2) / TENTH);
}

static int by_pay(const void *left, const void *right) {
    uint64_t a = ((const struct survey_row *)left)->pay, b = ((const struct survey_row *)right)->pay;
    return (a > b) - (a < b);
}

static bool contains(struct survey_group group, const struct survey_row *row) {
    const uint8_t at[SURVEY_DIMENSION_COUNT] = {row->education, row->gender, row->age};
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if (group.at[i] != at[i] && !survey_group_takes_all(group, i))
            return false;
    return true;
}

/* `sorted` holds everybody by pay, so each group's amounts come out sorted. */
static void figures_of(struct survey_group group, const struct survey_rows *sorted, uint64_t *amounts,
                       struct survey_figures *ret_figures) {
    size_t count = 0;
    for (size_t i = 0; i < sorted->count; i++)
        if (contains(group, &sorted->rows[i]))
            amounts[count++] = sorted->rows[i].pay;
    for (size_t i = 0; i < SURVEY_QUANTILE_COUNT && count > 0; i++)
        ret_figures->tenths[i] = survey_quantile(amounts, count, survey_quantiles[i]);
}

static enum cella_status gather(const struct survey_rows parties[SURVEY_PARTY_COUNT],
                                struct survey_rows *ret_sorted) {
    size_t count = 0;
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        count += parties[party].count;
    struct survey_rows all = {.rows = calloc(count + 1, sizeof *all.rows)};
    if (all.rows == NULL)
        return CELLA_NO_MEMORY;
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        for (size_t i = 0; i < parties[party].count; i++)
            all.rows[all.count++] = parties[party].rows[i];
    qsort(all.rows, all.count, sizeof *all.rows, by_pay);
    *ret_sorted = all;
    return CELLA_OK;
}

enum cella_status survey_figures_compute(const struct survey_rows parties[SURVEY_PARTY_COUNT],
                                         const bool hidden[SURVEY_GROUP_COUNT],
                                         struct survey_figures ret_figures[SURVEY_GROUP_COUNT]) {
    struct survey_rows sorted = {.rows = NULL};
    enum cella_status status = gather(parties, &sorted);
    if (status != CELLA_OK)
        return status;
    uint64_t *amounts = calloc(sorted.count + 1, sizeof *amounts);
    size_t size = (sorted.count + 1) * sizeof *amounts;
    if (amounts == NULL) {
        survey_rows_free(&sorted);
        return CELLA_NO_MEMORY;
    }
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        ret_figures[i] = (struct survey_figures){.tenths = {0}};
        if (!hidden[i])
            figures_of(survey_group_at(i), &sorted, amounts, &ret_figures[i]);
    }
    explicit_bzero(amounts, size);
    free(amounts);
    survey_rows_free(&sorted);
    return CELLA_OK;
}

int32_t survey_gap(uint32_t value, uint32_t reference) {
    int64_t difference = (int64_t)value - reference;
    int64_t doubled = 2000 * difference;
    int64_t half = doubled < 0 ? -(int64_t)reference : reference;
    return (int32_t)((doubled + half) / (2 * (int64_t)reference));
}
