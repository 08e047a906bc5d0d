/* Filling and framing a struct cella_error. */
#ifndef CELLA_BASE_ERROR_H
#define CELLA_BASE_ERROR_H

#include <cella/status.h>

/* Fills `error` (which may be NULL) and returns `status`, so that a failing check reads
 *   return cella_fail(error, CELLA_DAMAGED, "quote ends after %zu bytes", size);
 * The text is cut, never overrun. Never pass a secret. */
enum cella_status cella_fail(struct cella_error *error, enum cella_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts context in front of a message that a lower layer filled ("image hello.enclave: …"). Returns error's
 * status for tail use; with NULL returns `status`. */
enum cella_status cella_fail_context(struct cella_error *error, enum cella_status status, const char *format,
                                     ...) __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* Tells the analyzer, which sees one file at a time, what both return. */
#define cella_fail(error, status, ...)         (cella_fail(error, status, __VA_ARGS__), (status))
#define cella_fail_context(error, status, ...) (cella_fail_context(error, status, __VA_ARGS__), (status))
#endif

/* A broken promise of the programmer: stays on in release, ends the process. */
#define CELLA_ASSERT(condition)                                                                              \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            __builtin_trap();                                                                                \
    } while (0)

#endif
