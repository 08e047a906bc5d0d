/* ledger-branch: the program that one branch, or the issuer, runs. stdout is data, stderr is talk. */
#include "branch.h"
#include <cella/status.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: ledger-branch key --state FILE\n"
    "       ledger-branch send --state FILE [WHERE] [--batch N] INSTRUCTIONS\n"
    "       ledger-branch statement --state FILE [WHERE] ACCOUNT [COUNT]\n"
    "       ledger-branch audit --state FILE [WHERE]\n"
    "       ledger-branch receipt --state FILE [WHERE] INSTRUCTIONS\n"
    "\n"
    "key        makes this client's key, unless the state file has one, and prints the public half\n"
    "send       sends a file of instructions, N (250) in each mail, and keeps beside the state file how\n"
    "           far it came: run it again after anything, and it goes on; nothing is done twice\n"
    "statement  prints an account's balance and its newest entries (20)\n"
    "audit      lets the enclave walk all books, and prints what they hold\n"
    "receipt    prints the last receipt of that file, and checks that the account's statement has it\n"
    "\n"
    "WHERE is --url URL --enclave NAME --constraint LINE; with the first mail all three, then only to "
    "change\n"
    "them.\n";

enum { EXIT_USAGE = 2, FILE_LIMIT = 64 << 20, BATCH = 250, ENTRIES = 20, ATTEMPTS = 8 };

struct arguments {
    struct cella_client_options client;
    uint64_t batch;
    char **words;
    int count;
};

static int fail(enum cella_status status, const struct cella_error *error) {
    (void)fprintf(stderr, "ledger-branch: error: %s  [%s]\nledger-branch: hint: %s\n",
                  error->message[0] != '\0' ? error->message : cella_status_sentence(status),
                  cella_status_name(status), cella_status_remedy(status));
    return cella_status_exit_code(status);
}

static int wrong_usage(const char *what) {
    (void)fprintf(stderr, "ledger-branch: error: %s  [USAGE]\n%s", what, usage);
    return EXIT_USAGE;
}

static int run_key(const struct arguments *arguments) {
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    enum cella_status status = cella_client_open(&arguments->client, &client, &error);
    if (status == CELLA_NOT_FOUND)
        status = cella_client_new(&arguments->client, &client, &error);
    if (status != CELLA_OK)
        return fail(status, &error);
    cella_client_public_key(client, key);
    cella_client_free(client);
    for (size_t i = 0; i < sizeof key; i++)
        printf("%02x", key[i]);
    printf("\n");
    return 0;
}

/* A whole file; NULL after saying why. */
static char *read_text(const char *path, size_t *ret_size) {
    FILE *file = fopen(path, "rbe");
    char *text = malloc(FILE_LIMIT + 1);
    size_t size = file != NULL && text != NULL ? fread(text, 1, FILE_LIMIT + 1, file) : 0;
    bool failed = file == NULL || text == NULL || ferror(file) != 0 || size > FILE_LIMIT;
    if (failed)
        (void)fprintf(stderr, "ledger-branch: error: %s: %s\n", path,
                      size > FILE_LIMIT ? "larger than 64 MiB" : strerror(errno));
    if (file != NULL)
        (void)fclose(file);
    if (failed) {
        free(text);
        return NULL;
    }
    *ret_size = size;
    return text;
}

/* Each file of instructions has a progress of its own. */
static bool progress_path(const struct arguments *arguments, char out[PATH_MAX]) {
    const char *file = arguments->words[0], *name = strrchr(file, '/');
    return snprintf(out, PATH_MAX, "%s.%s.progress", arguments->client.state_path,
                    name != NULL ? name + 1 : file) < PATH_MAX;
}

static void print_progress(const struct branch_progress *progress) {
    printf("answered %llu\nopened %llu\ndone %llu\n", (unsigned long long)progress->answered,
           (unsigned long long)progress->opened, (unsigned long long)progress->done);
    for (int i = LEDGER_DONE + 1; i < LEDGER_REFUSALS; i++)
        if (progress->refused[i] > 0)
            printf("refused %s %llu\n", ledger_refusal_word((enum ledger_refusal)i),
                   (unsigned long long)progress->refused[i]);
}

static void print_receipt(const struct branch_receipt *receipt) {
    const struct ledger_instruction *instruction = &receipt->instruction;
    printf("receipt %llu %s %s%s %llu %llu\n", (unsigned long long)receipt->number, instruction->account,
           instruction->verb == LEDGER_TRANSFER ? "to " : "issued", instruction->to,
           (unsigned long long)instruction->amount, (unsigned long long)receipt->balance);
}

static int run_send(const struct arguments *arguments, struct cella_client *client) {
    struct branch_progress progress = {.answered = 0};
    struct cella_error error = {.message = ""};
    char path[PATH_MAX];
    size_t size;
    if (arguments->count != 1 || !progress_path(arguments, path))
        return wrong_usage("send takes one file of instructions");
    char *text = read_text(arguments->words[0], &size);
    if (text == NULL)
        return 1;
    const struct branch_feed feed = {.client = client,
                                     .instructions = CELLA_BYTES(text, size),
                                     .progress_path = path,
                                     .batch = (unsigned)arguments->batch};
    enum cella_status status = branch_send(&feed, &progress, &error);
    free(text);
    if (progress.batch > 0)
        print_progress(&progress);
    if (progress.has_receipt)
        print_receipt(&progress.receipt);
    if (status == CELLA_OK) {
        cella_client_free(client);
        return 0;
    }
    /* The client must not be saved now: see branch_send. Its secrets end with this process. */
    return fail(status, &error);
}

/* Asks and prints. */
static int print_answer(struct cella_client *client, const char *question) {
    struct cella_error error = {.message = ""};
    char *answer = NULL;
    enum cella_status status = branch_ask(client, question, &answer, &error);
    cella_client_free(client);
    if (status != CELLA_OK)
        return fail(status, &error);
    (void)fputs(answer, stdout);
    free(answer);
    return 0;
}

static int run_statement(const struct arguments *arguments, struct cella_client *client) {
    char question[LEDGER_LINE_MAX], account[LEDGER_ACCOUNT_MAX + 1];
    uint64_t count = ENTRIES;
    bool valid =
        (arguments->count == 1 || arguments->count == 2) &&
        ledger_parse_account(CELLA_BYTES(arguments->words[0], strlen(arguments->words[0])), account) &&
        (arguments->count == 1 ||
         ledger_parse_number(CELLA_BYTES(arguments->words[1], strlen(arguments->words[1])), &count)) &&
        count <= LEDGER_STATEMENT_MAX;
    if (!valid) {
        cella_client_free(client);
        return wrong_usage("statement takes an account and how many entries, at most 1000");
    }
    (void)snprintf(question, sizeof question, "statement %s %llu", account, (unsigned long long)count);
    return print_answer(client, question);
}

static int run_receipt(const struct arguments *arguments, struct cella_client *client) {
    struct branch_progress progress = {.answered = 0};
    struct cella_error error = {.message = ""};
    char path[PATH_MAX];
    enum cella_status status = CELLA_ARGUMENT;
    if (arguments->count == 1 && progress_path(arguments, path))
        status = branch_progress_read(path, &progress, &error);
    if (status == CELLA_OK && !progress.has_receipt)
        status = CELLA_NOT_FOUND;
    if (status == CELLA_OK)
        status = branch_check_receipt(client, &progress.receipt, &error);
    cella_client_free(client);
    if (arguments->count != 1)
        return wrong_usage("receipt takes the file of instructions that was sent");
    if (status != CELLA_OK)
        return fail(status, &error);
    print_receipt(&progress.receipt);
    return 0;
}

static int run_with_client(const char *verb, const struct arguments *arguments) {
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    enum cella_status status = cella_client_open(&arguments->client, &client, &error);
    if (status != CELLA_OK)
        return fail(status, &error);
    if (strcmp(verb, "send") == 0)
        return run_send(arguments, client);
    if (strcmp(verb, "statement") == 0)
        return run_statement(arguments, client);
    if (strcmp(verb, "receipt") == 0)
        return run_receipt(arguments, client);
    return print_answer(client, "audit");
}

/* 0, or an exit code after saying why. */
static int read_arguments(int count, char **words, struct arguments *arguments) {
    static const struct option options[] = {
        {"state", required_argument, NULL, 's'},   {"url", required_argument, NULL, 'u'},
        {"enclave", required_argument, NULL, 'e'}, {"constraint", required_argument, NULL, 'c'},
        {"batch", required_argument, NULL, 'b'},   {NULL, 0, NULL, 0},
    };
    struct cella_client_options *client = &arguments->client;
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        const char **text = option == 's'   ? &client->state_path
                            : option == 'u' ? &client->url
                            : option == 'e' ? &client->enclave
                            : option == 'c' ? &client->constraint
                                            : NULL;
        if (text != NULL)
            *text = optarg;
        else if (option != 'b')
            return wrong_usage("an option is not known or has no value");
        else if (!ledger_parse_number(CELLA_BYTES(optarg, strlen(optarg)), &arguments->batch) ||
                 arguments->batch == 0 || arguments->batch > LEDGER_INSTRUCTIONS_MAX)
            return wrong_usage("--batch takes 1 to 10000");
    }
    arguments->words = words + optind;
    arguments->count = count - optind;
    return 0;
}

int main(int count, char **words) {
    static const char *const verbs[] = {"key", "send", "statement", "audit", "receipt"};
    struct arguments arguments = {.client = {.attempt_limit = ATTEMPTS}, .batch = BATCH};
    if (count >= 2 && strcmp(words[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    bool known = false;
    for (size_t i = 0; count >= 2 && i < sizeof verbs / sizeof verbs[0]; i++)
        known = known || strcmp(words[1], verbs[i]) == 0;
    if (!known)
        return wrong_usage("there are key, send, statement, audit and receipt");
    int code = read_arguments(count - 1, words + 1, &arguments);
    if (code != 0)
        return code;
    if (arguments.client.state_path == NULL)
        return wrong_usage("--state names the file with this client's key");
    return strcmp(words[1], "key") == 0 ? run_key(&arguments) : run_with_client(words[1], &arguments);
}
