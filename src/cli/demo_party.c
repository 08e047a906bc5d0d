/* The demo's four parties: their keys, files and clients. Each acts through the same code as the program
 * pay-survey-party. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "cli/demo.h"
#include "pay-survey/party.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 12 << 20 };

/* A constraint that no image satisfies: the key is needed before the image exists. */
#define ACCEPTS_NOTHING "C:0000000000000000000000000000000000000000000000000000000000000000 SEC:INSECURE"

static struct demo_path state_path(const struct demo *demo, size_t party) {
    return demo_path(demo, "%s/client", demo_party_names[party]);
}

static struct demo_path file_path(const struct demo *demo, size_t party) {
    return demo_path(demo, "%s/people.csv", demo_party_names[party]);
}

static enum cella_status make_key(struct demo *demo, size_t party, struct cella_error *error) {
    struct demo_path path = state_path(demo, party);
    struct cella_client_options options = {.state_path = path.text,
                                           .url = "http://127.0.0.1",
                                           .enclave = DEMO_ENCLAVE,
                                           .constraint = ACCEPTS_NOTHING};
    struct cella_client *client = NULL;
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    enum cella_status status = cella_client_new(&options, &client, error);
    if (status != CELLA_OK)
        return status;
    cella_client_public_key(client, key);
    cella_client_free(client);
    cella_hex_encode(key, sizeof key, demo->keys[party]);
    return CELLA_OK;
}

/* The text of the terms (formats/pay-survey.md), written here once more: what the parties agree on must not
 * come from the program that they are about to check. */
static void write_terms(struct demo *demo) {
    size_t size = (size_t)snprintf(demo->terms, sizeof demo->terms, "cella-pay-survey-terms 1\nsurvey %s\n",
                                   DEMO_SURVEY);
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++)
        size += (size_t)snprintf(demo->terms + size, sizeof demo->terms - size, "party %zu %s %s\n", i + 1,
                                 demo_party_names[i], demo->keys[i]);
    snprintf(demo->terms + size, sizeof demo->terms - size,
             "columns earnings,gender,age,education\n"
             "education 6-8 9-11 12 13-15 16-17 18-20\n"
             "gender male female\n"
             "age 21-29 30-39 40-49 50-59 60-64\n"
             "quantiles 25 50 75 90\n"
             "rounding 0.1\n"
             "group-minimum 10\n"
             "party-minimum 10\n"
             "protection 10\n"
             "files-per-party 1\n"
             "results 1\n");
}

static bool make_party(struct demo *demo, size_t party, const char *data) {
    struct cella_error error = {.message = ""};
    struct demo_path folder = demo_path(demo, "%s", demo_party_names[party]), file = file_path(demo, party);
    if (mkdir(folder.text, 0700) != 0)
        return demo_check(&demo->story, false, "%s cannot be made: %m", folder.text);
    if (!demo_ok(&demo->story, demo_people_write_party(data, party, file.text, &error), &error, file.text) ||
        !demo_ok(&demo->story, make_key(demo, party, &error), &error, "the key"))
        return false;
    demo_fact(&demo->story, "%-9s  %6zu people in %s/people.csv, public key %.16s...",
              demo_party_names[party], demo->people.party_count[party], demo_party_names[party],
              demo->keys[party]);
    return true;
}

bool demo_agree(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path terms = demo_path(demo, "terms.txt");
    struct demo_path file = demo_file(demo, DEMO_ENCLAVE, "cps-earnings.csv");
    const char *data = file.text;
    demo_step(&demo->story, "Four parties agree on a survey");
    if (!demo_ok(&demo->story, demo_people_read(data, &demo->people, &error), &error, data))
        return false;
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++)
        if (!make_party(demo, i, data))
            return false;
    write_terms(demo);
    struct cella_bytes text = CELLA_BYTES(demo->terms, strlen(demo->terms));
    if (!demo_ok(&demo->story, cella_file_write(terms.text, text, CELLA_FILE_PUBLIC, &error), &error,
                 terms.text))
        return false;
    demo_fact(&demo->story, "terms.txt names the survey \"%s\", the four public keys and the rules",
              DEMO_SURVEY);
    bool held = demo_check(&demo->story, demo->people.count == 61395,
                           "all %zu people of the file belong to exactly one party", demo->people.count);
    demo_end(&demo->story,
             "Each party has a private key, a private file, and the same short text that says who takes "
             "part and by which rules.");
    return held;
}

enum cella_status demo_party_open(const struct demo *demo, size_t party, const char *enclave,
                                  const struct cella_client_transport *transport,
                                  struct cella_client **ret_client, struct cella_error *error) {
    struct demo_path path = state_path(demo, party);
    struct cella_client_options options = {.state_path = path.text,
                                           .url = demo->url,
                                           .enclave = enclave,
                                           .constraint = demo->constraint,
                                           .transport = transport};
    return cella_client_open(&options, ret_client, error);
}

enum cella_status demo_party_file(const struct demo *demo, size_t party, uint8_t **ret_data, size_t *ret_size,
                                  struct cella_error *error) {
    struct demo_path path = file_path(demo, party);
    return cella_file_read_private(path.text, FILE_LIMIT, ret_data, ret_size, error);
}

bool demo_party_send(struct demo *demo, size_t party, const char *expected_end) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    struct demo_path mark = demo_path(demo, "%s/%s.sent", demo_party_names[party], DEMO_SURVEY);
    uint8_t *file = NULL;
    size_t size = 0;
    char *words = NULL;
    bool held =
        demo_ok(&demo->story, demo_party_file(demo, party, &file, &size, &error), &error, "the file") &&
        demo_ok(&demo->story, demo_party_open(demo, party, DEMO_ENCLAVE, NULL, &client, &error), &error,
                "the client");
    if (held) {
        enum party_outcome outcome =
            party_send(client, demo->terms, mark.text, CELLA_BYTES(file, size), &words, &error);
        held =
            demo_check(&demo->story, outcome == PARTY_OK && strstr(words, expected_end) != NULL,
                       "%s reads the enclave's terms, finds them equal to terms.txt and sends %zu bytes: %s",
                       demo_party_names[party], size, outcome == PARTY_OK ? expected_end : error.message);
    }
    free(words);
    cella_client_free(client);
    cella_wipe_free(file, size);
    return held;
}

bool demo_send_three(struct demo *demo) {
    demo_step(&demo->story, "Three parties send their files");
    if (!demo_party_send(demo, 0, "files 1 of 4") || !demo_party_send(demo, 1, "files 2 of 4") ||
        !demo_party_send(demo, 2, "files 3 of 4"))
        return false;
    demo_end(&demo->story,
             "A file leaves a party only after the running code, its settings and the terms are the agreed "
             "ones, and only encrypted to a key that lives in that enclave.");
    return true;
}
