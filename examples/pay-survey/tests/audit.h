/* The attacker's side of suppression, for tests: what can three parties compute of the fourth one's hidden
 * groups from everything that is published? Shares no idea with suppression.c: exact elimination and linear
 * programming over the finest groups. */
#ifndef PAY_SURVEY_AUDIT_H
#define PAY_SURVEY_AUDIT_H

#include "groups.h"

enum { AUDIT_CELL_COUNT = SURVEY_EDUCATION_COUNT * SURVEY_GENDER_COUNT * SURVEY_AGE_COUNT };

/* One party's table as an attacker sees it: all sums that are published. */
struct audit;

/* `people` are the party's true counts; those of hidden groups are not looked at. */
struct audit *audit_new(const uint32_t people[SURVEY_GROUP_COUNT], const bool hidden[SURVEY_GROUP_COUNT]);
void audit_free(struct audit *audit);

/* True if adding and subtracting published groups gives the group, whatever the counts are. */
bool audit_is_sum_of_published(const struct audit *audit, size_t group);

/* The least and the largest count of the group in any table of counts >= 0 with all published sums; up to a
 * rounding error of 1e-6. `*ret_high` is infinite where nothing bounds it. */
void audit_range(struct audit *audit, size_t group, double *ret_low, double *ret_high);

#endif
