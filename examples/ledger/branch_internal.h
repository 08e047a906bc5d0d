/* What the files of a branch share. Must not be included by others. */
#ifndef LEDGER_BRANCH_INTERNAL_H
#define LEDGER_BRANCH_INTERNAL_H

#include "branch.h"

/* Fills `error` (may be NULL) and returns `status`. */
enum cella_status branch_fail(struct cella_error *error, enum cella_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Durable when it returns CELLA_OK. */
enum cella_status branch_progress_write(const char *path, const struct branch_progress *progress,
                                        struct cella_error *error);

#endif
