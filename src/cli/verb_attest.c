/* cella attest: shows and verifies attestations, offline. Must not call anything verified that was not. */
#include "attest/unconstrained.h"
#include "base/error.h"
#include "cli/attest_input.h"
#include "cli/attest_print.h"
#include "cli/cli.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cella attest show FILE [OPTIONS]\n"
    "       cella attest verify FILE --constraint LINE [OPTIONS]\n"
    "       cella attest fetch --url URL --enclave NAME --out FILE [--nonce HEX|random] [--ca FILE]\n"
    "\n"
    "An attestation is a file that says which code runs on which machine and which keys are its own.\n"
    "show explains one, and whether it holds; verify also demands that a constraint accepts it.\n"
    "fetch gets one from a host and stores it (it has its own --help).\n"
    "\n"
    "  --constraint LINE      what is acceptable, for example \"S:<hash> PROD:1 SEC:SECURE\"\n"
    "  --at TIME              judge as of this time (2026-02-05T09:00:00Z or seconds); default: now\n"
    "  --nonce HEX            these 32 bytes must be in the evidence\n"
    "  --root FILE            accept this root too, as INSECURE (DER or PEM; up to 8)\n"
    "  --vouched-root FILE    accept this root like a vendor's\n"
    "  --floor NAME=VALUE     oldest collateral: tcb=N, root-crl=N, pck-crl=N, issued=TIME\n"
    "  --may-miss WHAT        pck-crl or root-crl may be missing; the level is STALE at best then\n"
    "  --json                 print as JSON\n";

enum option_code {
    OPTION_CONSTRAINT = 256,
    OPTION_AT,
    OPTION_NONCE,
    OPTION_ROOT,
    OPTION_VOUCHED_ROOT,
    OPTION_FLOOR,
    OPTION_MAY_MISS,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option options[] = {{"constraint", required_argument, NULL, OPTION_CONSTRAINT},
                                        {"at", required_argument, NULL, OPTION_AT},
                                        {"nonce", required_argument, NULL, OPTION_NONCE},
                                        {"root", required_argument, NULL, OPTION_ROOT},
                                        {"vouched-root", required_argument, NULL, OPTION_VOUCHED_ROOT},
                                        {"floor", required_argument, NULL, OPTION_FLOOR},
                                        {"may-miss", required_argument, NULL, OPTION_MAY_MISS},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

static enum cella_status take_option(int option, struct cli_verification *verification,
                                     struct cella_error *error) {
    switch (option) {
    case OPTION_CONSTRAINT:
        return cli_read_constraint(optarg, verification, error);
    case OPTION_AT:
        return cli_read_at(optarg, verification, error);
    case OPTION_NONCE:
        return cli_read_nonce(optarg, verification, error);
    case OPTION_ROOT:
        return cli_read_root(optarg, false, verification, error);
    case OPTION_VOUCHED_ROOT:
        return cli_read_root(optarg, true, verification, error);
    case OPTION_FLOOR:
        return cli_read_floor(optarg, verification, error);
    default:
        return cli_read_may_miss(optarg, verification, error);
    }
}

static struct cella_bytes attestation_of(const struct cli_verification *verification) {
    return CELLA_BYTES(verification->attestation, verification->attestation_size);
}

static int show(const struct cli_verification *verification, const char *path, bool json) {
    struct cella_attestation parts;
    struct cella_verdict verdict;
    struct cella_error error = {0};
    enum cella_status status = cella_attestation_parse(attestation_of(verification), &parts, &error);
    if (status != CELLA_OK)
        return cli_fail(cella_fail_context(&error, status, "%s", path), &error, NULL);
    status =
        cella_verify_unconstrained(attestation_of(verification), &verification->options, &verdict, &error);
    if (json) {
        json_t *shown = json_object();
        (void)json_object_set_new(shown, "verified", json_boolean(status == CELLA_OK));
        (void)json_object_set_new(shown, "status", json_string(cella_status_name(status)));
        (void)json_object_set_new(shown, "message", json_string(error.message));
        (void)json_object_set_new(shown, status == CELLA_OK ? "verdict" : "unverified",
                                  status == CELLA_OK ? cli_verdict_json(&verdict)
                                                     : cli_attestation_json(&parts));
        cli_json_print(shown);
        return 0;
    }
    if (status == CELLA_OK) {
        puts("verified: machine, certificates, revocation and keys (no constraint was asked)");
        cli_verdict_print(&verdict);
    } else {
        printf("NOT VERIFIED [%s]: %s\n%s\nwhat it claims, none of it proven:\n", cella_status_name(status),
               error.message, cella_status_remedy(status));
        cli_attestation_print(&parts);
    }
    return 0;
}

static int verify(const struct cli_verification *verification, const char *path, bool json) {
    struct cella_verdict verdict;
    struct cella_error error = {0};
    if (verification->options.constraint == NULL)
        return cli_usage(usage, "verify needs --constraint");
    enum cella_status status =
        cella_verify(attestation_of(verification), &verification->options, &verdict, &error);
    if (status != CELLA_OK)
        return cli_fail(cella_fail_context(&error, status, "%s", path), &error, NULL);
    if (json) {
        cli_json_print(cli_verdict_json(&verdict));
        return 0;
    }
    puts("accepted: every check and the constraint hold");
    cli_verdict_print(&verdict);
    return 0;
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
        return cli_usage(usage, "attest takes show or verify and one file, or fetch");
    const char *verb = argv[optind];
    bool is_show = strcmp(verb, "show") == 0;
    if (!is_show && strcmp(verb, "verify") != 0)
        return cli_usage(usage, "\"%s\" is none of show, verify, fetch", verb);
    enum cella_status status = cli_read_attestation(argv[optind + 1], verification, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    return is_show ? show(verification, argv[optind + 1], json)
                   : verify(verification, argv[optind + 1], json);
}

int cli_verb_attest(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "fetch") == 0)
        return cli_attest_fetch(argc - 1, argv + 1);
    struct cli_verification verification = {0};
    int code = run(argc, argv, &verification);
    cli_verification_deinit(&verification);
    return code;
}
