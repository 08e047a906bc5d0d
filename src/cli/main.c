/* The `cella` command: finds the verb and runs it. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

#define CLI_VERB(verb_name, function, verb_summary) int function(int argc, char **argv);
#include "cli/verbs.def"
#undef CLI_VERB

static const struct cli_verb verbs[] = {
#define CLI_VERB(verb_name, function, verb_summary)                                                          \
    {.name = verb_name, .summary = verb_summary, .run = function},
#include "cli/verbs.def"
#undef CLI_VERB
    {.name = NULL}};

static void overview(FILE *to) {
    fputs("usage: cella VERB [ARGUMENTS]\n\n", to);
    for (const struct cli_verb *verb = verbs; verb->name != NULL; verb++)
        fprintf(to, "  %-12s %s\n", verb->name, verb->summary);
    fputs("\ncella VERB --help explains a verb; cella help STATUS explains a status word such as STALE.\n",
          to);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        overview(stderr);
        return cella_status_exit_code(CELLA_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || (strcmp(argv[1], "help") == 0 && argc == 2)) {
        overview(stdout);
        return 0;
    }
    for (const struct cli_verb *verb = verbs; verb->name != NULL; verb++)
        if (strcmp(verb->name, argv[1]) == 0)
            return verb->run(argc - 1, argv + 1);
    return cli_usage("usage: cella VERB [ARGUMENTS]; cella --help lists the verbs\n",
                     "there is no verb \"%s\"", argv[1]);
}
