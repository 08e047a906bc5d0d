/* Messages in the one form that every verb uses. Must not let a text from outside control the terminal. */
#include "cli/cli.h"
#include "base/text.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `front`, the text, `end`; only the text may be somebody else's. */
static void put(FILE *to, const char *front, const char *format, va_list arguments, const char *end) {
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        fprintf(to, "%s(no memory to print this)%s", front, end);
        return;
    }
    cella_text_clean(text);
    fprintf(to, "%s%s%s", front, text, end);
    free(text);
}

void cli_line(FILE *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    put(to, "", format, arguments, "\n");
    va_end(arguments);
}

int cli_fail(enum cella_status status, const struct cella_error *error, const char *hint) {
    bool filled = error != NULL && error->message[0] != '\0';
    cli_line(stderr, "cella: error: %s  [%s]", filled ? error->message : cella_status_sentence(status),
             cella_status_name(status));
    cli_line(stderr, "cella: hint: %s", hint != NULL ? hint : cella_status_remedy(status));
    return cella_status_exit_code(status);
}

int cli_usage(const char *usage, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    put(stderr, "cella: error: ", format, arguments, "  [USAGE]\n");
    va_end(arguments);
    fputs(usage, stderr);
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

int cli_usage_value(const char *usage, const struct option *options, int code, const char *value,
                    const char *allowed) {
    while (options->name != NULL && options->val != code)
        options++;
    return cli_usage(usage, "\"%s\" is not a value for --%s, which takes %s", value,
                     options->name != NULL ? options->name : "?", allowed);
}

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    put(stderr, "cella: ", format, arguments, "\n");
    va_end(arguments);
}
