/* Decides which groups stay hidden, so that no small group, and no small part of a group that one party
 * contributed, can be found from what is published. Must not: see pay, or publish anything. */
#ifndef PAY_SURVEY_SUPPRESSION_H
#define PAY_SURVEY_SUPPRESSION_H

#include "statistics.h"

/* group_minimum: a group with fewer people is hidden. party_minimum: so is one to which a party contributes
 * fewer, because the other three could subtract their own people. protection: for every hidden group and
 * every party, what is published and the rows of the other three parties together leave at least protection
 * + 1 values open for that party's count in the group. */
struct survey_rules {
    uint32_t group_minimum;
    uint32_t party_minimum;
    uint32_t protection;
};

/* The rules that the survey promises to its parties. */
extern const struct survey_rules survey_rules; /* 10, 10, 10 */

/* Small groups first, then, for each hidden group that could be narrowed down, the cheapest further groups
 * that keep it open (complementary suppression). Every group inside a hidden one is hidden too. The same
 * counts always give the same answer. */
void survey_suppress(const struct survey_counts *counts, const struct survey_rules *rules,
                     bool ret_hidden[SURVEY_GROUP_COUNT]);

#endif
