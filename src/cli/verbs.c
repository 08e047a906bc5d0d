/* The table of verbs, made from verbs.def. */
#include "cli/verbs.h"
#include "base/nearest.h"
#include <string.h>

static const struct cli_verb verbs[] = {
#define CLI_VERB(verb_name, function, verb_summary)                                                          \
    {.name = verb_name, .summary = verb_summary, .run = function},
#include "cli/verbs.def"
#undef CLI_VERB
};

static const char *const names[] = {
#define CLI_VERB(verb_name, function, verb_summary) verb_name,
#include "cli/verbs.def"
#undef CLI_VERB
};

const struct cli_verb *cli_verb_find(const char *name) {
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

const char *cli_verb_nearest(const char *name) {
    return cella_nearest(name, names, sizeof names / sizeof names[0]);
}

void cli_overview(FILE *to) {
    fputs("usage: cella VERB [ARGUMENTS]\n\n", to);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        fprintf(to, "  %-12s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\ncella VERB --help explains a verb; cella help STATUS explains a status word such as STALE.\n",
          to);
}
