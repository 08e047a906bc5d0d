/* cella status: what a host runs, and its weak choices. Must not: change anything. */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "client/http.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: cella status [--state FOLDER] [--url URL] [--ca FILE] [--json]\n"
    "\n"
    "Shows what a host runs. Needs the operator's token in the host's state folder.\n"
    "\n"
    "  --state FOLDER  the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --url URL       the host (the URL in the state folder)\n"
    "  --ca FILE       certificates (PEM) that the host's TLS must chain to\n"
    "  --json          print what the host answers\n";

static const struct option options[] = {
    {"state", required_argument, NULL, 's'}, {"url", required_argument, NULL, 'u'},
    {"ca", required_argument, NULL, 'c'},    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};

static const char *text_of(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static long long number_of(json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void print_vault(json_t *vault) {
    cli_line(stdout, "  vault       %s", text_of(vault, "id"));
    cli_line(stdout, "              epoch %lld, version %lld, lineage %lld, snapshot at version %lld%s",
             number_of(vault, "epoch"), number_of(vault, "version"), number_of(vault, "lineage"),
             number_of(vault, "snapshot_version"),
             json_is_true(json_object_get(vault, "restored")) ? ", restored by its owners" : "");
    cli_line(stdout, "              opened with %lld records replayed, %lld dropped, %lld torn bytes",
             number_of(vault, "records_replayed"), number_of(vault, "records_dropped"),
             number_of(vault, "torn_bytes"));
    if (json_is_true(json_object_get(vault, "outdated_keys")))
        cli_line(stdout, "  keys        of an older platform or image version: being sealed anew");
    if (strcmp(text_of(vault, "storage"), "OK") != 0)
        cli_line(stdout, "  storage     %s: %s", text_of(vault, "storage"), text_of(vault, "storage_reason"));
    if (number_of(vault, "evidence") > 0)
        cli_line(stdout, "  evidence    %lld proofs of a fork were left: see cella vault explain",
                 number_of(vault, "evidence"));
}

static void print_enclave(json_t *enclave) {
    json_t *weak = json_object_get(enclave, "weak"), *choice;
    size_t index;
    cli_line(stdout, "%s: %s", text_of(enclave, "name"), text_of(enclave, "phase"));
    if (json_object_get(enclave, "end_status") != NULL) {
        cli_line(stdout, "  ended       %s: %s", text_of(enclave, "end_status"),
                 text_of(enclave, "end_reason"));
        cli_line(stdout, "  hint        %s", text_of(enclave, "end_hint"));
    }
    if (json_object_get(enclave, "code_hash") == NULL)
        return;
    cli_line(stdout, "  code hash   %s", text_of(enclave, "code_hash"));
    cli_line(stdout, "  signer      %s product %lld security version %lld", text_of(enclave, "code_signer"),
             number_of(enclave, "product_id"), number_of(enclave, "security_version"));
    json_array_foreach(weak, index, choice) cli_line(stdout, "  weak        %s", json_string_value(choice));
    if (json_object_get(enclave, "vault") != NULL)
        print_vault(json_object_get(enclave, "vault"));
    cli_line(stdout, "  process     %lld, %lld KiB; starts %lld, ends %lld", number_of(enclave, "process"),
             number_of(enclave, "resident_bytes") / 1024, number_of(enclave, "starts"),
             number_of(enclave, "ends"));
    cli_line(stdout, "  mail        %lld in, %lld calls", number_of(enclave, "mails"),
             number_of(enclave, "calls"));
    cli_line(stdout, "  posts       %lld made, %lld delivered, %lld dropped, %lld waiting",
             number_of(enclave, "posts"), number_of(enclave, "posts_delivered"),
             number_of(enclave, "posts_dropped"), number_of(enclave, "posts_waiting"));
}

static enum cella_status print_status(struct cella_bytes answer, bool json, struct cella_error *error) {
    json_error_t problem;
    json_t *object = json_loadb((const char *)answer.data, answer.size, JSON_REJECT_DUPLICATES, &problem);
    json_t *host = json_object_get(object, "host"), *enclaves = json_object_get(object, "enclaves"), *enclave;
    size_t index;
    if (!json_is_object(host) || !json_is_array(enclaves)) {
        json_decref(object);
        return cella_fail(error, CELLA_HTTP_ANSWER, "the host's status is not of this interface");
    }
    if (json) {
        /* Written anew, so that no byte of the host's comes here as it was sent. */
        json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        putchar('\n');
        json_decref(object);
        return CELLA_OK;
    }
    cli_line(stdout, "host: process %lld, %lld KiB, up %lld s, %lld connections", number_of(host, "process"),
             number_of(host, "resident_bytes") / 1024, (long long)time(NULL) - number_of(host, "started_at"),
             number_of(host, "connections"));
    if (!json_is_true(json_object_get(host, "tls")))
        cli_line(stdout, "  weak        no TLS: whoever carries the bytes sees who talks to which enclave");
    json_array_foreach(enclaves, index, enclave) print_enclave(enclave);
    json_decref(object);
    return CELLA_OK;
}

static int show(const struct cli_operator_options *who, bool json) {
    struct cella_client_http *http = NULL;
    struct cella_error error = {.status = CELLA_OK};
    uint8_t *answer = NULL;
    size_t size = 0;
    enum cella_status status = cli_operator_new(who, &http, &error);
    if (status == CELLA_OK)
        status = cella_client_http_exchange(
            http, &(struct cella_client_exchange){.target = "/v1/status", .limit = (size_t)1 << 22}, &answer,
            &size, &error);
    if (status == CELLA_OK)
        status = print_status(CELLA_BYTES(answer, size), json, &error);
    free(answer);
    cella_client_http_free(http);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}

int cli_verb_status(int argc, char **argv) {
    struct cli_operator_options who = {.state = NULL};
    bool json = false;
    int code;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (code) {
        case 's':
            who.state = optarg;
            break;
        case 'u':
            who.url = optarg;
            break;
        case 'c':
            who.ca_path = optarg;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            return cli_usage_option(usage, argv);
        }
    }
    if (optind < argc)
        return cli_usage(usage, "\"%s\" is one argument too many", argv[optind]);
    return show(&who, json);
}
