/* cella call: the operator's call to an enclave. Must not: be mistaken for mail: what it carries is in the
 * clear. */
#include "base/error.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "client/http.h"
#include <cella/host.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella call NAME [--data FILE] [--json] [--dry-run] [--state FOLDER] [--url URL] [--ca FILE]\n"
    "\n"
    "Calls the enclave's call handler as the host's operator and prints its reply. The bytes are in\n"
    "the clear: the enclave does not trust them. Needs the operator's token in the host's state folder.\n"
    "\n"
    "  --data FILE     the request's bytes; \"-\" is standard input (empty)\n"
    "  --state FOLDER  the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --url URL       the host (the URL in the state folder)\n"
    "  --ca FILE       certificates (PEM) that the host's TLS must chain to\n"
    "  --json          print as JSON; the reply's bytes are hex digits\n"
    "  --dry-run       check data, URL and token; call nothing\n";

#define BODY_LIMIT ((size_t)64 << 20)

static const struct option options[] = {
    {"data", required_argument, NULL, 'd'}, {"state", required_argument, NULL, 's'},
    {"url", required_argument, NULL, 'u'},  {"ca", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},       {"dry-run", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};

struct request {
    struct cli_operator_options who;
    const char *name;
    const char *data; /* NULL: empty */
    bool json;
    bool dry_run;
};

static enum cella_status print_reply(struct cella_bytes reply, bool json, struct cella_error *error) {
    if (!json)
        return cli_write_body(reply, error);
    char *digits = malloc(2 * reply.size + 1);
    if (digits == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to print a reply of %zu bytes", reply.size);
    cella_hex_encode(reply.data, reply.size, digits);
    printf("{\"reply\":\"%s\"}\n", digits);
    free(digits);
    return CELLA_OK;
}

static int call(const struct request *request) {
    char target[CELLA_HOST_NAME_LIMIT + 32];
    struct cella_client_http *http = NULL;
    struct cella_error error = {.status = CELLA_OK};
    uint8_t *body = NULL, *reply = NULL;
    size_t size = 0, reply_size = 0;
    snprintf(target, sizeof target, "/v1/enclaves/%s/call", request->name);
    enum cella_status status =
        request->data == NULL ? CELLA_OK : cli_read_body(request->data, BODY_LIMIT, &body, &size, &error);
    if (status == CELLA_OK)
        status = cli_operator_new(&request->who, &http, &error);
    if (status == CELLA_OK && request->dry_run)
        cli_say("would call %s with %zu bytes; nothing was called", request->name, size);
    else if (status == CELLA_OK)
        status = cella_client_http_exchange(http,
                                            &(struct cella_client_exchange){.method = CELLA_CLIENT_POST,
                                                                            .target = target,
                                                                            .body = CELLA_BYTES(body, size),
                                                                            .limit = BODY_LIMIT},
                                            &reply, &reply_size, &error);
    if (status == CELLA_OK && !request->dry_run)
        status = print_reply(CELLA_BYTES(reply, reply_size), request->json, &error);
    free(body);
    free(reply);
    cella_client_http_free(http);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}

int cli_verb_call(int argc, char **argv) {
    struct request request = {.data = NULL};
    int code;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (code) {
        case 'd':
            request.data = optarg;
            break;
        case 's':
            request.who.state = optarg;
            break;
        case 'u':
            request.who.url = optarg;
            break;
        case 'c':
            request.who.ca_path = optarg;
            break;
        case 'j':
            request.json = true;
            break;
        case 'n':
            request.dry_run = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            return cli_usage_option(usage, argv);
        }
    }
    if (argc - optind != 1)
        return cli_usage(usage, "one enclave's name is needed");
    if (!cella_host_name_valid(argv[optind]))
        return cli_usage(usage, "\"%s\" is not a name for an enclave", argv[optind]);
    request.name = argv[optind];
    return call(&request);
}
