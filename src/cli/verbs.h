/* The table of verbs. */
#ifndef CELLA_CLI_VERBS_H
#define CELLA_CLI_VERBS_H

#include "cli/cli.h"
#include <stdio.h>

/* The verb with this name, or NULL. */
const struct cli_verb *cli_verb_find(const char *name);

/* The name of the verb that a mistyped one was probably meant to be, or NULL. */
const char *cli_verb_nearest(const char *name);

/* All verbs, one line each. */
void cli_overview(FILE *to);

#endif
