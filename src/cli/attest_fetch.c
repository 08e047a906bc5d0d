/* cella attest fetch: gets an attestation from a host and stores it. Must not call it verified: whoever has
 * the file judges it with cella attest verify, offline. */
#include "attest/attestation.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/attest_input.h"
#include "cli/attest_print.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "client/http.h"
#include "crypto/random.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 30000

static const char usage[] =
    "usage: cella attest fetch --url URL --enclave NAME --out FILE [OPTIONS]\n"
    "\n"
    "Gets an attestation of an enclave from a host and stores it, unverified: cella attest verify\n"
    "judges it, on any computer.\n"
    "\n"
    "  --url URL        the host, for example https://host:7700\n"
    "  --enclave NAME   the enclave's name at that host\n"
    "  --out FILE       a new file for the attestation\n"
    "  --nonce HEX      ask for these 32 bytes in the evidence; \"random\" chooses and prints them\n"
    "  --ca FILE        certificates (PEM) that the host's TLS must chain to\n"
    "  --json           print the result as JSON\n";

struct fetch {
    const char *url;
    const char *enclave;
    const char *out;
    const char *nonce_text;
    const char *ca;
    bool json;
    uint8_t nonce[CELLA_NONCE_SIZE];
    char nonce_digits[2 * CELLA_NONCE_SIZE + 1]; /* empty: none is asked */
};

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct fetch *fetch) {
    static const struct option table[] = {
        {"url", required_argument, NULL, 'u'}, {"enclave", required_argument, NULL, 'e'},
        {"out", required_argument, NULL, 'o'}, {"nonce", required_argument, NULL, 'n'},
        {"ca", required_argument, NULL, 'c'},  {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (option == 'u')
            fetch->url = optarg;
        else if (option == 'e')
            fetch->enclave = optarg;
        else if (option == 'o')
            fetch->out = optarg;
        else if (option == 'n')
            fetch->nonce_text = optarg;
        else if (option == 'c')
            fetch->ca = optarg;
        else if (option == 'j')
            fetch->json = true;
        else if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        } else
            return cli_usage_option(usage, argv);
    }
    if (argc != optind)
        return cli_usage(usage, "fetch takes options only, not \"%s\"", argv[optind]);
    if (fetch->url == NULL || fetch->enclave == NULL || fetch->out == NULL)
        return cli_usage(usage, "fetch needs --url, --enclave and --out");
    return -1;
}

static enum cella_status choose_nonce(struct fetch *fetch, struct cella_error *error) {
    if (fetch->nonce_text == NULL)
        return CELLA_OK;
    if (strcmp(fetch->nonce_text, "random") == 0) {
        enum cella_status status = cella_random(fetch->nonce, sizeof fetch->nonce);
        if (status != CELLA_OK)
            return cella_fail(error, status, "cannot make a nonce");
    } else if (cella_hex_decode(fetch->nonce_text, strlen(fetch->nonce_text), fetch->nonce,
                                sizeof fetch->nonce) != CELLA_OK)
        return cella_fail(error, CELLA_USAGE, "a nonce is 64 hex digits, or the word random");
    cella_hex_encode(fetch->nonce, sizeof fetch->nonce, fetch->nonce_digits);
    return CELLA_OK;
}

static enum cella_status ask(const struct fetch *fetch, uint8_t **ret_data, size_t *ret_size,
                             struct cella_error *error) {
    const struct cella_client_http_options options = {
        .url = fetch->url, .enclave = fetch->enclave, .ca_path = fetch->ca, .timeout_ms = TIMEOUT_MS};
    char target[32 + sizeof fetch->nonce_digits];
    struct cella_client_http *http = NULL;
    struct cella_attestation parts;
    uint8_t *data = NULL;
    size_t size = 0;
    (void)snprintf(target, sizeof target, "/attestation%s%s", fetch->nonce_digits[0] != '\0' ? "?nonce=" : "",
                   fetch->nonce_digits);
    enum cella_status status = cella_client_http_new(&options, &http, error);
    if (status != CELLA_OK)
        return status;
    const struct cella_client_exchange what = {.target = target, .limit = CELLA_ATTESTATION_SIZE_MAX};
    status = cella_client_http_exchange(http, &what, &data, &size, error);
    cella_client_http_free(http);
    /* Something else than an attestation is not worth a file. */
    if (status == CELLA_OK) {
        status = cella_attestation_parse(CELLA_BYTES(data, size), &parts, error);
        if (status != CELLA_OK)
            status = cella_fail_context(error, status, "the answer of %.200s", fetch->url);
    }
    if (status != CELLA_OK) {
        free(data);
        return status;
    }
    *ret_data = data;
    *ret_size = size;
    return CELLA_OK;
}

static void print(const struct fetch *fetch, size_t size) {
    const char *nonce = fetch->nonce_digits[0] != '\0' ? fetch->nonce_digits : NULL;
    if (fetch->json) {
        /* A path need not be UTF-8; JSON must be. */
        json_t *file = json_string(fetch->out);
        cli_json_print(json_pack("{s:o, s:s, s:s, s:I, s:s?, s:b}", "file", file != NULL ? file : json_null(),
                                 "url", fetch->url, "enclave", fetch->enclave, "size", (json_int_t)size,
                                 "nonce", nonce, "verified", 0));
        return;
    }
    if (nonce != NULL)
        cli_line(stdout, "nonce %s", nonce);
    cli_say("stored in %s, not verified yet: cella attest verify %s%s%s --constraint LINE", fetch->out,
            fetch->out, nonce != NULL ? " --nonce " : "", nonce != NULL ? nonce : "");
}

int cli_attest_fetch(int argc, char **argv) {
    struct fetch fetch = {0};
    int code = parse_options(argc, argv, &fetch);
    if (code >= 0)
        return code;
    struct cella_error error = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    const struct cli_output_path out = {fetch.out, CLI_OUTPUT_NEW, {fetch.ca}};
    enum cella_status status = cli_output_check(&out, &error);
    if (status == CELLA_OK)
        status = choose_nonce(&fetch, &error);
    if (status == CELLA_OK)
        status = ask(&fetch, &data, &size, &error);
    if (status == CELLA_OK)
        status = cella_file_create(fetch.out, CELLA_BYTES(data, size), CELLA_FILE_PUBLIC, &error);
    free(data);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    print(&fetch, size);
    return 0;
}
