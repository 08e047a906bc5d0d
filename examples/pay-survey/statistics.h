/* Counts and quantiles of every group. Must not: decide what is published (suppression.h does). */
#ifndef PAY_SURVEY_STATISTICS_H
#define PAY_SURVEY_STATISTICS_H

#include "csv.h"
#include "groups.h"
#include <cella/status.h>
#include <stdbool.h>

/* People of each party in each group. */
struct survey_counts {
    uint32_t people[SURVEY_PARTY_COUNT][SURVEY_GROUP_COUNT];
};

void survey_count(const struct survey_rows parties[SURVEY_PARTY_COUNT], struct survey_counts *ret_counts);

/* People of all parties in a group. */
uint32_t survey_people(const struct survey_counts *counts, size_t group);

/* The published quantiles in percent, in the order of struct survey_figures. */
enum { SURVEY_QUANTILE_COUNT = 4, SURVEY_MEDIAN = 1 };
extern const unsigned survey_quantiles[SURVEY_QUANTILE_COUNT]; /* 25, 50, 75, 90 */

/* Quantiles of a group's pay, in tenths of a dollar an hour. */
struct survey_figures {
    uint32_t tenths[SURVEY_QUANTILE_COUNT];
};

/* The quantile `percent` of `count` >= 1 sorted amounts (millionths): with h = (count - 1) * percent / 100, i
 * its whole part and f its fraction, it is amounts[i] + f * (amounts[i + 1] - amounts[i]) (type 7 of Hyndman
 * and Fan, the usual one of R and NumPy), computed exactly and then rounded half up to a tenth of a dollar.
 */
uint32_t survey_quantile(const uint64_t *amounts, size_t count, unsigned percent);

/* Figures of all groups that are not hidden; those of hidden groups are zero. CELLA_NO_MEMORY. */
enum cella_status survey_figures_compute(const struct survey_rows parties[SURVEY_PARTY_COUNT],
                                         const bool hidden[SURVEY_GROUP_COUNT],
                                         struct survey_figures ret_figures[SURVEY_GROUP_COUNT]);

/* How far `value` lies above (or, negative, below) `reference`, in thousandths of `reference`, rounded half
 * away from zero. `reference` is not 0. */
int32_t survey_gap(uint32_t value, uint32_t reference);

#endif
