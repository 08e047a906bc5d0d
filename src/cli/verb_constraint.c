/* cella constraint: checks a constraint line and explains its rules. */
#include "attest/unconstrained.h"
#include "cli/attest_input.h"
#include "cli/attest_print.h"
#include "cli/cli.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cella constraint check LINE [--json]\n"
    "       cella constraint explain LINE [--attestation FILE [--at TIME] [--root FILE]] [--json]\n"
    "\n"
    "check prints the line in its canonical form, or says which token is wrong.\n"
    "explain prints each rule: what is expected and, with an attestation, what was found.\n"
    "\n"
    "  --attestation FILE     compare with this attestation, after verifying it\n"
    "  --at TIME              judge as of this time (2026-02-05T09:00:00Z or seconds); default: now\n"
    "  --root FILE            accept this root too, as INSECURE\n"
    "  --json                 print as JSON\n";

enum option_code { OPTION_ATTESTATION = 256, OPTION_AT, OPTION_ROOT, OPTION_JSON, OPTION_HELP };

static const struct option options[] = {{"attestation", required_argument, NULL, OPTION_ATTESTATION},
                                        {"at", required_argument, NULL, OPTION_AT},
                                        {"root", required_argument, NULL, OPTION_ROOT},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

static enum cella_status take_option(int option, struct cli_verification *verification,
                                     struct cella_error *error) {
    switch (option) {
    case OPTION_ATTESTATION:
        return cli_read_attestation(optarg, verification, error);
    case OPTION_AT:
        return cli_read_at(optarg, verification, error);
    default:
        return cli_read_root(optarg, false, verification, error);
    }
}

static int check(const struct cli_verification *verification, bool json) {
    char text[CELLA_CONSTRAINT_LINE_MAX];
    enum cella_status status = cella_constraint_print(&verification->constraint, text, sizeof text);
    if (status != CELLA_OK)
        return cli_fail(status, NULL, NULL);
    if (json)
        cli_json_print(json_pack("{s:s}", "canonical", text));
    else
        puts(text);
    return 0;
}

/* Exit code as for a verification: 0 when all rules hold. */
static int explain(const struct cli_verification *verification, bool json) {
    struct cella_rule rules[CELLA_RULES_MAX];
    struct cella_verdict verdict;
    struct cella_error error = {0};
    bool checked = verification->attestation != NULL;
    enum cella_status status = CELLA_OK;
    if (checked)
        status =
            cella_verify_unconstrained(CELLA_BYTES(verification->attestation, verification->attestation_size),
                                       &verification->options, &verdict, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    size_t count = cella_constraint_explain(&verification->constraint, checked ? &verdict.identity : NULL,
                                            verification->options.at, rules);
    for (size_t at = 0; checked && status == CELLA_OK && at < count; at++)
        status = rules[at].holds ? CELLA_OK : rules[at].status;
    if (json)
        cli_json_print(json_pack("{s:b, s:s, s:o}", "checked", checked, "status", cella_status_name(status),
                                 "rules", cli_rules_json(rules, count, checked)));
    else
        cli_rules_print(rules, count, checked);
    return cella_status_exit_code(status);
}

static int run(int argc, char **argv, struct cli_verification *verification) {
    struct cella_error error = {0};
    bool json = false;
    verification->options.at = cli_now();
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (option == '?' || option == ':')
            return cli_usage_option(usage, argv);
        if (option == OPTION_JSON) {
            json = true;
            continue;
        }
        enum cella_status status = take_option(option, verification, &error);
        if (status != CELLA_OK)
            return cli_fail(status, &error, NULL);
    }
    if (argc - optind != 2)
        return cli_usage(usage, "constraint takes check or explain and one line in quotes");
    const char *verb = argv[optind];
    bool is_check = strcmp(verb, "check") == 0;
    if (!is_check && strcmp(verb, "explain") != 0)
        return cli_usage(usage, "\"%s\" is neither check nor explain", verb);
    enum cella_status status = cli_read_constraint(argv[optind + 1], verification, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    return is_check ? check(verification, json) : explain(verification, json);
}

int cli_verb_constraint(int argc, char **argv) {
    struct cli_verification verification = {0};
    int code = run(argc, argv, &verification);
    cli_verification_deinit(&verification);
    return code;
}
