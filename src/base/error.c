/* Filling a struct cella_error. Must not allocate or print. */
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef cella_fail
#undef cella_fail_context

enum cella_status cella_fail(struct cella_error *error, enum cella_status status, const char *format, ...) {
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    /* The result is cut to the array by vsnprintf; how much was cut does not matter to the caller. */
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

/* Puts `text` at `at` of a terminated text, cut to the array. */
static void join(char *out, size_t capacity, size_t at, const char *text) {
    size_t size = strlen(text);
    if (size > capacity - 1 - at)
        size = capacity - 1 - at;
    memcpy(out + at, text, size);
    out[at + size] = '\0';
}

enum cella_status cella_fail_context(struct cella_error *error, enum cella_status status, const char *format,
                                     ...) {
    if (error == NULL)
        return status;
    char front[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    int front_size = vsnprintf(front, sizeof front, format, arguments);
    va_end(arguments);
    if (front_size > 0) {
        size_t at = (size_t)front_size < sizeof front ? (size_t)front_size : sizeof front - 1;
        join(front, sizeof front, at, ": ");
        join(front, sizeof front, strlen(front), error->message);
        memcpy(error->message, front, sizeof error->message);
    }
    error->status = status;
    return status;
}
