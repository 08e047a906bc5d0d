/* cella help: the overview, the page of a status word, or a verb's own help. */
#include "cli/cli.h"
#include "cli/verbs.h"
#include "base/error.h"
#include "base/nearest.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cella help [--json] [STATUS | VERB]\n"
    "\n"
    "Without a word, lists the verbs. With a status word (the one in brackets at the end of\n"
    "an error, such as EXISTS), says what it means and what to do. With a verb, prints the\n"
    "verb's own help.\n"
    "\n"
    "  --json    print the status as JSON\n";

static const char *const status_names[] = {
#define CELLA_STATUS_ROW(name, number, exit_code, sentence, remedy) #name,
#include <cella/status.def>
#undef CELLA_STATUS_ROW
};

static const char *exit_code_meaning(int exit_code) {
    switch (exit_code) {
#define CELLA_EXIT_ROW(code, meaning)                                                                        \
    case (code):                                                                                             \
        return (meaning);
#include <cella/exit_codes.def>
#undef CELLA_EXIT_ROW
    default:
        return "unknown";
    }
}

static int print_json(enum cella_status status) {
    json_t *row = json_pack("{s:s, s:i, s:i, s:s, s:s}", "status", cella_status_name(status), "number",
                            (int)status, "exit_code", cella_status_exit_code(status), "sentence",
                            cella_status_sentence(status), "remedy", cella_status_remedy(status));
    if (row == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(row, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(row);
    return 0;
}

static int print_page(enum cella_status status) {
    int exit_code = cella_status_exit_code(status);
    printf("%s  (status %d, exit code %d: %s)\n\n", cella_status_name(status), (int)status, exit_code,
           exit_code_meaning(exit_code));
    printf("  What happened: %s.\n", cella_status_sentence(status));
    printf("  What to do:    %s.\n", cella_status_remedy(status));
    return 0;
}

static int explain(const char *word, bool json) {
    char name[64] = {0};
    for (size_t i = 0; i < sizeof name - 1 && word[i] != '\0'; i++)
        name[i] = (char)(word[i] >= 'a' && word[i] <= 'z' ? word[i] - 'a' + 'A' : word[i]);
    enum cella_status status;
    if (cella_status_from_name(name, &status) == CELLA_OK)
        return json ? print_json(status) : print_page(status);
    const struct cli_verb *verb = cli_verb_find(word);
    if (verb != NULL && !json) {
        char help[] = "--help";
        char *arguments[] = {(char *)verb->name, help, NULL};
        optind = 0;
        return verb->run(2, arguments);
    }
    struct cella_error error;
    const char *nearest = cella_nearest(word, status_names, sizeof status_names / sizeof status_names[0]);
    if (nearest != NULL)
        (void)cella_fail(&error, CELLA_NOT_FOUND, "there is no status or verb \"%s\"; did you mean %s?", word,
                         nearest);
    else
        (void)cella_fail(&error, CELLA_NOT_FOUND, "there is no status or verb \"%s\"", word);
    return cli_fail(CELLA_NOT_FOUND, &error, "cella help lists the verbs; docs/status.md lists the statuses");
}

int cli_verb_help(int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option != 'j')
            return cli_usage_option(usage, argv);
        json = true;
    }
    if (argc - optind > 1)
        return cli_usage(usage, "one word at most, not %d", argc - optind);
    if (argc > optind)
        return explain(argv[optind], json);
    if (json)
        return cli_usage(usage, "--json needs a status");
    cli_overview(stdout);
    return 0;
}
