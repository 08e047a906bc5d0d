/* Messages in the one form that every verb uses. */
#include "cli/cli.h"
#include <stdarg.h>
#include <stdio.h>

int cli_fail(enum cella_status status, const struct cella_error *error, const char *hint) {
    bool filled = error != NULL && error->message[0] != '\0';
    fprintf(stderr, "cella: error: %s  [%s]\n", filled ? error->message : cella_status_sentence(status),
            cella_status_name(status));
    fprintf(stderr, "cella: hint: %s\n", hint != NULL ? hint : cella_status_remedy(status));
    return cella_status_exit_code(status);
}

int cli_usage(const char *usage, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cella: error: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "  [USAGE]\n%s", usage);
    return cella_status_exit_code(CELLA_USAGE);
}

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cella: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
