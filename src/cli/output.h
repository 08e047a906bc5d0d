/* May a verb write this file? The one place that decides what an output option may replace. Must not: write.
 */
#ifndef CELLA_CLI_OUTPUT_H
#define CELLA_CLI_OUTPUT_H

#include <cella/status.h>
#include <stddef.h>

enum cli_output {
    CLI_OUTPUT_NEW,   /* nothing may lie there */
    CLI_OUTPUT_IMAGE, /* an image may be replaced, and nothing else */
};

#define CLI_OUTPUT_INPUTS 4

/* A path that an option named, and the files that the same command reads (NULL: none). */
struct cli_output_path {
    const char *path; /* NULL: nothing is written, which is allowed */
    enum cli_output kind;
    const char *inputs[CLI_OUTPUT_INPUTS];
};

/* CELLA_EXISTS: the path is one of the inputs, whatever its name, or holds what must not be replaced. */
enum cella_status cli_output_check(const struct cli_output_path *output, struct cella_error *error);

#endif
