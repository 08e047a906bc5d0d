/* Messages in the one form that every verb uses. */
#include "cli/cli.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

int cli_usage_option(const char *usage, char **argv) {
    /* getopt has moved past the word; a short option may sit in the middle of one and is named by optopt. */
    const char *word = optind > 0 ? argv[optind - 1] : "";
    if (strncmp(word, "--", 2) != 0)
        return cli_usage(usage, "the option \"-%c\" is not known or has no value", optopt);
    return optopt == 0
               ? cli_usage(usage, "there is no option \"%s\"", word)
               : cli_usage(usage, "the option \"%s\" is used wrongly (a value is missing or not allowed)",
                           word);
}

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cella: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
