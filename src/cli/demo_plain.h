/* The demo's second opinion: the pay survey's figures by plain sorting over the whole file of people, to
 * compare the enclave's result with. Must not: use any code of the enclave. */
#ifndef CELLA_CLI_DEMO_PLAIN_H
#define CELLA_CLI_DEMO_PLAIN_H

#include <cella/status.h>
#include <stdbool.h>
#include <stddef.h>

enum { DEMO_PARTY_COUNT = 4, DEMO_GROUP_COUNT = 126 };

extern const char *const demo_party_names[DEMO_PARTY_COUNT]; /* the regions */

struct demo_person {
    double earnings;
    bool female;
    long age, education;
    size_t party;
};

/* Everybody in the file. `people` from malloc, freed by demo_people_free. */
struct demo_people {
    struct demo_person *people;
    size_t count;
    size_t party_count[DEMO_PARTY_COUNT];
    size_t bytes; /* of the file */
};

/* Reads cps-earnings.csv. CELLA_DAMAGED if a line is not as the file's source has it. */
enum cella_status demo_people_read(const char *path, struct demo_people *ret_people,
                                   struct cella_error *error);
void demo_people_free(struct demo_people *people);

/* Writes one party's private file, with the columns that the survey takes and no others. */
enum cella_status demo_people_write_party(const char *from, size_t party, const char *to,
                                          struct cella_error *error);

/* What a comparison looked at. */
struct demo_comparison {
    size_t shown;   /* groups whose count, four quantiles and gaps are right */
    size_t hidden;  /* groups without figures */
    size_t small;   /* of them: groups to which some party contributes fewer than ten people */
    size_t figures; /* numbers compared */
};

/* Compares the enclave's result with plain computation: every shown figure is right, every small group is
 * hidden, every group appears once. CELLA_FAILED: the message names the first figure that is not as it must
 * be. */
enum cella_status demo_compare(const char *result, const struct demo_people *people,
                               struct demo_comparison *ret_comparison, struct cella_error *error);

#endif
