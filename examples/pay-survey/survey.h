/* One survey: who may send, what was sent, and the one result. Lives as long as the instance.
 * Must not: replace a file, give a result before all four files are in, or give a second one. */
#ifndef PAY_SURVEY_SURVEY_H
#define PAY_SURVEY_SURVEY_H

#include "csv.h"
#include "terms.h"
#include <cella/bytes.h>

/* Room for any reply, with its terminator. */
enum { SURVEY_REPLY_LIMIT = 2048 };

struct survey {
    struct survey_terms terms;
    bool received[SURVEY_PARTY_COUNT];
    struct survey_rows files[SURVEY_PARTY_COUNT]; /* wiped once there is a result */
    char *result;                                 /* NULL until all files are in */
    size_t result_size;
};

/* Reads the terms from the measured settings. CELLA_ARGUMENT: they are incomplete or wrong. */
enum cella_status survey_init(struct survey *survey, const char *(*setting)(const char *key));

/* Wipes and frees; accepts a zeroed one. */
void survey_deinit(struct survey *survey);

/* What accepting one file would change. Zeroed, or filled by survey_prepare_file. */
struct survey_change {
    size_t party;
    struct survey_rows rows;
    char *result; /* with the fourth file */
    size_t result_size;
};

/* Checks a party's file and changes nothing yet, so that a reply that cannot be sent leaves the survey as it
 * was. `reply` tells the party in words, also when the file is refused. CELLA_OK: commit or free
 * `ret_change`. CELLA_EXISTS: a file of this party is in already. CELLA_DAMAGED: rows are wrong, the reply
 * names row and column. CELLA_NO_MEMORY. */
enum cella_status survey_prepare_file(const struct survey *survey, size_t party, struct cella_bytes file,
                                      struct survey_change *ret_change, struct survey_text *reply);

/* Makes the change; it cannot fail. Empties `change`. */
void survey_commit(struct survey *survey, struct survey_change *change);

/* Wipes and frees what was not committed; accepts an empty one. */
void survey_change_free(struct survey_change *change);

size_t survey_file_count(const struct survey *survey);

/* The result's text; CELLA_NOT_STARTED (and words in `reply`) while files are missing. */
enum cella_status survey_result(const struct survey *survey, struct cella_bytes *ret_result,
                                struct survey_text *reply);

#endif
