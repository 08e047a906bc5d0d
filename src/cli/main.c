/* The `cella` command: finds the verb and runs it. */
#include "cli/cli.h"
#include "cli/verbs.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: cella VERB [ARGUMENTS]; cella --help lists the verbs\n";

static int unknown_verb(const char *name) {
    const char *nearest = cli_verb_nearest(name);
    if (nearest != NULL)
        return cli_usage(usage, "there is no verb \"%s\"; did you mean \"%s\"?", name, nearest);
    return cli_usage(usage, "there is no verb \"%s\"", name);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        cli_overview(stderr);
        return cella_status_exit_code(CELLA_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0) {
        cli_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("cella " CELLA_VERSION);
        return 0;
    }
    opterr = 0;
    const struct cli_verb *verb = cli_verb_find(argv[1]);
    return verb == NULL ? unknown_verb(argv[1]) : verb->run(argc - 1, argv + 1);
}
