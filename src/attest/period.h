/* ISO 8601 periods of years, months, weeks and days, and their calendar arithmetic. */
#ifndef CELLA_ATTEST_PERIOD_H
#define CELLA_ATTEST_PERIOD_H

#include <cella/constraint.h>

/* Reads "P6M2W5D": each unit at most once, in this order, at least one, each number at most 99999.
 * CELLA_DAMAGED. */
enum cella_status cella_period_parse(struct cella_bytes text, struct cella_period *ret_period);

#define CELLA_PERIOD_TEXT_SIZE 32
/* The units that are not zero, "P0D" for none, with a terminator. */
void cella_period_print(const struct cella_period *period, char out[CELLA_PERIOD_TEXT_SIZE]);

/* `seconds` later by the period: years and months first (31 January and one month is the last day of
 * February), then weeks and days. Ends at the calendar's last second. */
int64_t cella_period_add(int64_t seconds, const struct cella_period *period);

#endif
