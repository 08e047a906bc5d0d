/* The demo's main line: machine, image, host, attestation, the fourth file and the result. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/demo.h"
#include "crypto/rsa.h"
#include "host/http.h"
#include "machine/sim/manage.h"
#include "pay-survey/party.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POST_WAIT_MS = 10000 };

bool demo_machine(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path folder = demo_path(demo, "machine");
    struct cella_sim_create_options options = {.folder = folder.text,
                                               .platform_version = CELLA_SIM_VERSION_NEW};
    demo_step(&demo->story, "A simulated machine");
    if (!demo_ok(&demo->story, cella_sim_create(&options, &error), &error, folder.text))
        return false;
    demo_fact(&demo->story, "INSECURE: it protects nothing from the owner of this computer");
    demo_end(
        &demo->story,
        "The folder \"machine\" plays a CPU with SGX: it measures what it runs, and signs quotes of the same "
        "form with the same rules.");
    return true;
}

static bool same_files(const char *left, const char *right) {
    uint8_t *a = NULL, *b = NULL;
    size_t a_size = 0, b_size = 0;
    bool same = cella_file_read(left, SIZE_MAX / 2, &a, &a_size, NULL) == CELLA_OK &&
                cella_file_read(right, SIZE_MAX / 2, &b, &b_size, NULL) == CELLA_OK && a_size == b_size &&
                memcmp(a, b, a_size) == 0;
    free(a);
    free(b);
    return same;
}

bool demo_image(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path image = demo_path(demo, "pay-survey.enclave"), again = demo_path(demo, "again.enclave");
    uint8_t second[32];
    char digits[65];
    demo_step(&demo->story, "An image: program, settings and signature");
    if (!demo_ok(&demo->story, cella_rsa_generate(&demo->signer), &error, "the signing key") ||
        !demo_ok(&demo->story,
                 demo_survey_make(demo, demo->keys, demo->signer, image.text, demo->code_hash, &error),
                 &error, "the image") ||
        !demo_ok(&demo->story, demo_survey_make(demo, demo->keys, demo->signer, again.text, second, &error),
                 &error, "the image"))
        return false;
    cella_hex_encode(demo->code_hash, sizeof demo->code_hash, digits);
    demo_constraint(demo->code_hash, demo->constraint, sizeof demo->constraint);
    demo_fact(&demo->story, "code hash %s", digits);
    bool held = demo_check(&demo->story, same_files(image.text, again.text),
                           "built twice, it is the same file, byte for byte");
    demo_end(
        &demo->story,
        "The survey id and the four keys are measured settings: they are part of the code hash, and every "
        "party can build the image and compute the hash itself.");
    return held;
}

bool demo_host(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path machine = demo_path(demo, "machine"), image = demo_path(demo, "pay-survey.enclave");
    struct cella_host_options options = {.enclave_limit = 0};
    struct cella_http_options http = {.token = NULL};
    struct sockaddr_in *address = (struct sockaddr_in *)&http.listen;
    struct timespec before, after;
    demo_step(&demo->story, "A host, which nobody trusts, runs it");
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!demo_ok(&demo->story, cella_host_new(&options, &demo->host, &error), &error, "the host") ||
        !demo_ok(&demo->story, cella_http_new(demo->host, &http, &demo->http, &error), &error, "the host"))
        return false;
    snprintf(demo->url, sizeof demo->url, "http://127.0.0.1:%u", (unsigned)cella_http_port(demo->http));
    clock_gettime(CLOCK_MONOTONIC, &before);
    enum cella_status status =
        cella_host_start(demo->host, DEMO_ENCLAVE, image.text, machine.text, &demo->enclave, &error);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (!demo_ok(&demo->story, status, &error, "the instance"))
        return false;
    demo_fact(&demo->story, "%s, on loopback; the instance serves %.0f ms after it was asked for", demo->url,
              (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6);
    demo_end(&demo->story, "The host starts the image in a sandbox, and carries bytes that it cannot read.");
    return true;
}

bool demo_attest(struct demo *demo) {
    struct cella_error error = {.message = ""};
    demo_step(&demo->story, "Each party checks what runs, before it says anything");
    demo_fact(&demo->story, "constraint C:%.16s... SEC:INSECURE", demo->constraint + strlen("C:"));
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++) {
        struct cella_client *client = NULL;
        struct cella_bytes attestation = {.size = 0};
        enum cella_status status = demo_party_open(demo, i, DEMO_ENCLAVE, NULL, &client, &error);
        if (status == CELLA_OK)
            status = cella_client_attest(client, &attestation, &error);
        bool held =
            demo_ok(&demo->story, status, &error, demo_party_names[i]) &&
            demo_check(&demo->story, true,
                       "%s accepts the quote, its chain and the instance's keys under a nonce of its own "
                       "(%zu bytes)",
                       demo_party_names[i], attestation.size);
        cella_client_free(client);
        if (!held)
            return false;
    }
    demo_end(&demo->story, "A quote for exactly this code hash, fresh, with the instance's own keys in it: "
                           "verified offline by the "
                           "client, not by the host.");
    return true;
}

/* The result as each of them gets it: posted by the enclave, without asking. */
static bool take_result(struct demo *demo, size_t party) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    bool posted = false;
    if (!demo_ok(&demo->story, demo_party_open(demo, party, DEMO_ENCLAVE, NULL, &client, &error), &error,
                 demo_party_names[party]))
        return false;
    enum party_outcome outcome = party_result(client, POST_WAIT_MS, &demo->results[party], &posted, &error);
    cella_client_free(client);
    if (outcome != PARTY_OK || !posted)
        return demo_check(&demo->story, false, "the result is posted to %s: %s", demo_party_names[party],
                          error.message);
    struct demo_path path = demo_path(demo, "%s/result.csv", demo_party_names[party]);
    struct cella_bytes text = CELLA_BYTES(demo->results[party], strlen(demo->results[party]));
    return demo_ok(&demo->story, cella_file_write(path.text, text, CELLA_FILE_PRIVATE, &error), &error,
                   path.text);
}

bool demo_send_fourth(struct demo *demo) {
    demo_step(&demo->story, "The fourth file, and the result for all");
    if (!demo_party_send(demo, 3, "files 4 of 4"))
        return false;
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++)
        if (!take_result(demo, i))
            return false;
    bool same = true;
    for (size_t i = 1; i < DEMO_PARTY_COUNT; i++)
        same = same && strcmp(demo->results[0], demo->results[i]) == 0;
    bool held = demo_check(&demo->story, same, "all four hold the same result of %zu bytes",
                           strlen(demo->results[0]));
    demo_end(&demo->story,
             "There is a result when all four files are in, and not before; the enclave posts it to the four "
             "keys and to nobody else.");
    return held;
}

/* A few rows for people. */
static void show_rows(struct demo *demo) {
    static const char *const groups[] = {"all,all,all",   "all,male,all",  "all,female,all",
                                         "12,all,all",    "16-17,all,all", "18-20,all,all",
                                         "all,all,21-29", "all,all,60-64", "6-8,female,60-64"};
    demo_fact(&demo->story, "%-18s %7s %7s %7s %7s %7s  %s", "group", "people", "25 %", "median", "75 %",
              "90 %", "women to men");
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        char start[64], line[256], *at = line, *fields[8];
        int size = snprintf(start, sizeof start, "\n%s,%s,", DEMO_SURVEY, groups[i]);
        const char *row = strstr(demo->results[0], start);
        if (row == NULL)
            continue;
        row += size;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(row, "\n"), row);
        for (size_t k = 0; k < 7; k++)
            fields[k] = strsep(&at, ",");
        demo_fact(&demo->story, "%-18s %7s %7s %7s %7s %7s  %s%s", groups[i], fields[0], fields[1], fields[2],
                  fields[3], fields[4], fields[6], *fields[6] != '\0' ? " %" : "");
    }
}

bool demo_check_result(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_comparison comparison = {.shown = 0};
    demo_step(&demo->story, "The result is right");
    show_rows(demo);
    enum cella_status status = demo_compare(demo->results[0], &demo->people, &comparison, &error);
    bool held = demo_ok(&demo->story, status, &error, "the result");
    if (held)
        demo_check(&demo->story, true,
                   "%zu figures of %zu groups are those of a plain computation over the whole file",
                   comparison.figures, comparison.shown);
    held =
        held &&
        demo_check(
            &demo->story, comparison.small > 0 && comparison.hidden > comparison.small,
            "%zu groups are hidden: %zu have fewer than ten people of some party, %zu keep these from being "
            "found by subtraction",
            comparison.hidden, comparison.small, comparison.hidden - comparison.small);
    demo_end(&demo->story, "The four have the joint statistics, and none of them has a row of another.");
    return held;
}
