/* Splits the real data into the four parties' files, for tests. */
#ifndef PAY_SURVEY_SPLIT_H
#define PAY_SURVEY_SPLIT_H

#include "groups.h"
#include <cella/bytes.h>

extern const char *const split_regions[SURVEY_PARTY_COUNT];

/* The file of one region, in memory that lives until the program ends. */
struct cella_bytes split_file(size_t party);

#endif
