/* pay-survey-party: the program that one party runs. stdout is data, stderr is talk. */
#include "party.h"
#include "terms.h"
#include <cella/status.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: pay-survey-party key --state FILE\n"
    "       pay-survey-party terms SURVEY NAME:KEY NAME:KEY NAME:KEY NAME:KEY > TERMS\n"
    "       pay-survey-party send --state FILE --url URL --enclave NAME --constraint LINE --terms TERMS "
    "--file CSV\n"
    "       pay-survey-party result --state FILE [--wait SECONDS] > CSV\n"
    "\n"
    "key      makes this party's key, unless the state file has one, and prints the public half\n"
    "terms    prints the terms that all parties agree to\n"
    "send     checks the enclave, compares its terms with TERMS and sends the file, once per survey\n"
    "result   waits for the result and prints it\n";

/* A code hash that nothing has. */
#define NO_CODE "0000000000000000000000000000000000000000000000000000000000000000"

enum { EXIT_USAGE = 2, EXIT_REFUSED = 4, EXIT_AGAIN = 7 };
enum { FILE_LIMIT = 12 << 20, WAIT_LIMIT_S = 86400, WAIT_STEP_MS = 20000 };

struct arguments {
    const char *state, *url, *enclave, *constraint, *terms, *file;
    unsigned wait_s;
};

static int fail(const struct cella_error *error) {
    bool filled = error->message[0] != '\0';
    fprintf(stderr, "pay-survey-party: error: %s  [%s]\n",
            filled ? error->message : cella_status_sentence(error->status), cella_status_name(error->status));
    return cella_status_exit_code(error->status);
}

static int wrong_usage(const char *what) {
    fprintf(stderr, "pay-survey-party: error: %s  [USAGE]\n%s", what, usage);
    return EXIT_USAGE;
}

/* The outcome's exit code, after saying why. */
static int end(enum party_outcome outcome, const struct cella_error *error) {
    if (outcome == PARTY_OK)
        return 0;
    if (outcome == PARTY_TROUBLE)
        return fail(error);
    fprintf(stderr, "pay-survey-party: error: %s\n", error->message);
    return outcome == PARTY_NOT_YET ? EXIT_AGAIN : EXIT_REFUSED;
}

/* A whole file as text with a terminator; NULL after saying why. */
static char *read_text(const char *path, size_t *ret_size) {
    FILE *file = fopen(path, "rb");
    char *text = malloc((size_t)FILE_LIMIT + 1);
    size_t size = file != NULL && text != NULL ? fread(text, 1, (size_t)FILE_LIMIT + 1, file) : 0;
    bool failed = file == NULL || text == NULL || ferror(file) != 0 || size > FILE_LIMIT;
    if (failed)
        fprintf(stderr, "pay-survey-party: error: %s: %s\n", path,
                size > FILE_LIMIT ? "larger than 12 MiB" : strerror(errno));
    if (file != NULL)
        fclose(file);
    if (failed) {
        free(text);
        return NULL;
    }
    text[size] = '\0';
    *ret_size = size;
    return text;
}

static int run_key(const struct arguments *arguments) {
    /* The key is needed before there is an image: until `send` says more, no code is acceptable. */
    struct cella_client_options opened = {.state_path = arguments->state};
    struct cella_client_options made = {.state_path = arguments->state,
                                        .url = "http://127.0.0.1:7700",
                                        .enclave = "pay-survey",
                                        .constraint = "C:" NO_CODE " SEC:SECURE"};
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    enum cella_status status = cella_client_open(&opened, &client, &error);
    if (status == CELLA_NOT_FOUND)
        status = cella_client_new(&made, &client, &error);
    if (status != CELLA_OK)
        return fail(&error);
    cella_client_public_key(client, key);
    cella_client_free(client);
    for (size_t i = 0; i < sizeof key; i++)
        printf("%02x", key[i]);
    printf("\n");
    return 0;
}

static int run_terms(int count, char **words) {
    struct survey_terms terms = {.id = ""};
    char buffer[SURVEY_TERMS_LIMIT];
    struct survey_text text;
    if (count != 1 + SURVEY_PARTY_COUNT || survey_terms_set_id(&terms, words[0]) != CELLA_OK)
        return wrong_usage("terms takes a survey id (letters, digits, -) and four of NAME:KEY");
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        char *key = words[1 + i];
        const char *name = strsep(&key, ":");
        if (survey_terms_set_party(&terms, i, name, key) != CELLA_OK)
            return wrong_usage("NAME is letters, digits and -, KEY is 64 hex digits");
    }
    if (survey_terms_check(&terms) != CELLA_OK)
        return wrong_usage("the four names and keys must differ");
    survey_text_init(&text, buffer, sizeof buffer);
    survey_terms_write(&terms, &text);
    fputs(buffer, stdout);
    return 0;
}

/* The survey's id as the terms name it, for the name of the mark. */
static bool id_of(const char *agreed, char out[SURVEY_ID_LIMIT + 1]) {
    static const char before[] = "cella-pay-survey-terms 1\nsurvey ";
    struct survey_terms terms = {.id = ""};
    char id[SURVEY_ID_LIMIT + 2];
    if (strncmp(agreed, before, sizeof before - 1) != 0)
        return false;
    agreed += sizeof before - 1;
    snprintf(id, sizeof id, "%.*s", (int)strcspn(agreed, "\n"), agreed);
    if (survey_terms_set_id(&terms, id) != CELLA_OK)
        return false;
    memcpy(out, terms.id, sizeof terms.id);
    return true;
}

static int send_file(struct cella_client *client, const struct arguments *arguments, const char *agreed) {
    struct cella_error error = {.message = ""};
    char id[SURVEY_ID_LIMIT + 1], mark[PATH_MAX], *words = NULL;
    size_t size;
    if (!id_of(agreed, id))
        return wrong_usage("the file of terms is not one that `pay-survey-party terms` made");
    if (snprintf(mark, sizeof mark, "%s.%s.sent", arguments->state, id) >= (int)sizeof mark)
        return wrong_usage("the path of the state file is too long");
    char *file = read_text(arguments->file, &size);
    if (file == NULL)
        return 1;
    enum party_outcome outcome = party_send(client, agreed, mark, CELLA_BYTES(file, size), &words, &error);
    explicit_bzero(file, size);
    free(file);
    if (words != NULL)
        fputs(words, stdout);
    free(words);
    return end(outcome, &error);
}

static int run_send(const struct arguments *arguments) {
    struct cella_client_options options = {.state_path = arguments->state,
                                           .url = arguments->url,
                                           .enclave = arguments->enclave,
                                           .constraint = arguments->constraint};
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    size_t size;
    enum party_outcome outcome = party_check_constraint(arguments->constraint, &error);
    if (outcome != PARTY_OK)
        return end(outcome, &error);
    char *agreed = read_text(arguments->terms, &size);
    if (agreed == NULL)
        return 1;
    int code = cella_client_open(&options, &client, &error) == CELLA_OK ? send_file(client, arguments, agreed)
                                                                        : fail(&error);
    cella_client_free(client);
    free(agreed);
    return code;
}

static int run_result(const struct arguments *arguments) {
    struct cella_client_options options = {.state_path = arguments->state};
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    char *result = NULL;
    if (cella_client_open(&options, &client, &error) != CELLA_OK)
        return fail(&error);
    enum party_outcome outcome = PARTY_NOT_YET;
    uint64_t left_ms = (uint64_t)arguments->wait_s * 1000;
    do {
        unsigned step = left_ms < WAIT_STEP_MS ? (unsigned)left_ms : WAIT_STEP_MS;
        outcome = party_result(client, step, &result, NULL, &error);
        left_ms -= step;
    } while (outcome == PARTY_NOT_YET && left_ms > 0);
    cella_client_free(client);
    if (result != NULL)
        fputs(result, stdout);
    free(result);
    return end(outcome, &error);
}

static bool read_seconds(const char *text, unsigned *ret_seconds) {
    char *rest;
    errno = 0;
    unsigned long value = strtoul(text, &rest, 10);
    if (errno != 0 || rest == text || *rest != '\0' || *text == '-' || value > WAIT_LIMIT_S)
        return false;
    *ret_seconds = (unsigned)value;
    return true;
}

/* 0, or an exit code after saying why. */
static int read_arguments(int count, char **words, struct arguments *arguments) {
    static const struct option options[] = {
        {"state", required_argument, NULL, 's'},   {"url", required_argument, NULL, 'u'},
        {"enclave", required_argument, NULL, 'e'}, {"constraint", required_argument, NULL, 'c'},
        {"terms", required_argument, NULL, 't'},   {"file", required_argument, NULL, 'f'},
        {"wait", required_argument, NULL, 'w'},    {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        const char **text = option == 's'   ? &arguments->state
                            : option == 'u' ? &arguments->url
                            : option == 'e' ? &arguments->enclave
                            : option == 'c' ? &arguments->constraint
                            : option == 't' ? &arguments->terms
                            : option == 'f' ? &arguments->file
                                            : NULL;
        if (text != NULL)
            *text = optarg;
        else if (option != 'w')
            return wrong_usage("an option is not known or has no value");
        else if (!read_seconds(optarg, &arguments->wait_s))
            return wrong_usage("--wait takes seconds, up to a day");
    }
    return 0;
}

int main(int count, char **words) {
    struct arguments arguments = {.state = NULL};
    if (count >= 2 && strcmp(words[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (count >= 2 && strcmp(words[1], "terms") == 0)
        return run_terms(count - 2, words + 2);
    if (count < 2)
        return wrong_usage("what shall it do?");
    int code = read_arguments(count - 1, words + 1, &arguments);
    if (code != 0)
        return code;
    if (arguments.state == NULL)
        return wrong_usage("--state names the file with this party's key");
    if (strcmp(words[1], "key") == 0)
        return run_key(&arguments);
    if (strcmp(words[1], "result") == 0)
        return run_result(&arguments);
    if (strcmp(words[1], "send") != 0)
        return wrong_usage("there are key, terms, send and result");
    if (arguments.url == NULL || arguments.enclave == NULL || arguments.constraint == NULL ||
        arguments.terms == NULL || arguments.file == NULL)
        return wrong_usage("send needs --url, --enclave, --constraint, --terms and --file");
    return run_send(&arguments);
}
