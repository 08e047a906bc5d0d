/* The survey's result as CSV text. Must not: print a figure of a hidden group. */
#ifndef PAY_SURVEY_RESULT_H
#define PAY_SURVEY_RESULT_H

#include "statistics.h"
#include "text.h"

#define SURVEY_RESULT_HEADER                                                                                 \
    "survey,education,gender,age,people,quartile_1,median,quartile_3,percentile_90,gap_to_all,"              \
    "gap_women_to_men"
/* Room for any result, with its terminator. */
#define SURVEY_RESULT_LIMIT 32768u

/* Counts, hides and computes, then writes one line per group (formats/pay-survey.md). CELLA_NO_MEMORY. */
enum cella_status survey_result_write(const char *id, const struct survey_rows parties[SURVEY_PARTY_COUNT],
                                      struct survey_text *text);

#endif
