/* Statuses: what every fallible call returns, and the fixed-size error that may carry details.
 * Must not: allocate, print, or hold secrets. */
#ifndef CELLA_STATUS_H
#define CELLA_STATUS_H

#include <stddef.h>

enum cella_status {
#define CELLA_STATUS_ROW(name, number, exit_code, sentence, remedy) CELLA_##name = (number),
#include <cella/status.def>
#undef CELLA_STATUS_ROW
};

/* Details of one failure. Owned by the caller, never allocated; `message` is one sentence without the
 * status's own, always terminated. Contains no secrets. A call that returns CELLA_OK leaves it as it was. */
struct cella_error {
    enum cella_status status;
    char message[504];
};

/* The status's word, for example "STALE". Never NULL: an unknown number gives "UNKNOWN". */
const char *cella_status_name(enum cella_status status);

/* One sentence that says what happened, and one that says what to do. Never NULL. */
const char *cella_status_sentence(enum cella_status status);
const char *cella_status_remedy(enum cella_status status);

/* Exit code of a command that ends with this status. An unknown number gives 70. */
int cella_status_exit_code(enum cella_status status);

/* The status with this word ("STALE"), or CELLA_NOT_FOUND if there is none. */
enum cella_status cella_status_from_name(const char *name, enum cella_status *ret_status);

#endif
