/* What the verbs of the `cella` command share. stdout is data, stderr is talk. */
#ifndef CELLA_CLI_H
#define CELLA_CLI_H

#include <cella/status.h>
#include <stdbool.h>
#include <stdio.h>

/* A verb: name as typed ("image"), one line for the overview, and its function, which gets argv from the verb
 * on (argv[0] is the verb) and returns the process's exit code. verbs.def lists them. */
struct cli_verb {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

/* The functions of all verbs. */
#define CLI_VERB(verb_name, function, verb_summary) int function(int argc, char **argv);
#include "cli/verbs.def"
#undef CLI_VERB

/* Prints "cella: error: MESSAGE  [WORD]", the status's own sentence where the message is empty, and
 * "cella: hint: …"; returns the exit code. `hint` NULL takes the status's remedy. */
int cli_fail(enum cella_status status, const struct cella_error *error, const char *hint);

/* Prints "cella: error: …  [USAGE]" and the verb's usage text to stderr; returns 2. */
int cli_usage(const char *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For what getopt_long answered with '?' or ':' : names the option that is not known or has no value, prints
 * the usage text; returns 2. (main() silences getopt's own message.) */
int cli_usage_option(const char *usage, char **argv);

struct option;
/* For a value that is wrong: names the long option of `code` and what it takes, prints the usage text;
 * returns 2. */
int cli_usage_value(const char *usage, const struct option *options, int code, const char *value,
                    const char *allowed);

/* Everything below that prints texts makes them safe for a terminal (cella_text_clean): much of it was
 * written by a host, or by whoever named a file. Only a verb's usage text keeps its line ends. */

/* One line, with its end added here. */
void cli_line(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line of talk on stderr, "cella: …". */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
