/* Whether the ledger's answers and books are those of plain computation. */
#include "cli/demo_ledger.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first number that a batch was given; 0: none of it was carried out. */
static uint64_t first_number(const struct demo_batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->answers[i].number > 0)
            return batch->answers[i].number;
    return 0;
}

static int by_number(const void *left, const void *right) {
    uint64_t a = first_number(left), b = first_number(right);
    return a < b ? -1 : a > b ? 1 : 0;
}

static void write_answer(const struct ledger_outcome *outcome, char out[PLAIN_ANSWER_SIZE]) {
    if (outcome->refusal != LEDGER_DONE)
        snprintf(out, PLAIN_ANSWER_SIZE, "refused %s", ledger_refusal_word(outcome->refusal));
    else
        snprintf(out, PLAIN_ANSWER_SIZE, "done %" PRIu64 " %" PRIu64, outcome->number, outcome->balance);
}

/* A branch's instructions among all: lines[i] is its i-th. From malloc; NULL: no memory. */
static const struct plain_transfer **lines_of(const struct plain_file *file, unsigned branch) {
    const struct plain_transfer **lines = calloc(file->count + 1, sizeof *lines);
    size_t count = 0;
    for (size_t i = 0; lines != NULL && i < file->count; i++)
        if (file->transfers[i].branch == branch)
            lines[count++] = &file->transfers[i];
    return lines;
}

static bool compare_batch(struct demo *demo, const struct demo_batch *batch,
                          const struct plain_transfer **lines) {
    char expected[PLAIN_ANSWER_SIZE], answer[PLAIN_ANSWER_SIZE];
    for (size_t i = 0; i < batch->count; i++) {
        plain_apply(&demo->ledger->books, lines[batch->first + i], expected);
        write_answer(&batch->answers[i], answer);
        if (strcmp(answer, expected) != 0)
            return demo_check(&demo->story, false, "instruction %zu of %s: \"%s\", but it must be \"%s\"",
                              (size_t)batch->first + i + 1, demo_ledger_client_name(batch->branch), answer,
                              expected);
    }
    return true;
}

/* A mail's instructions are one transaction, so whole batches follow each other; the numbers say how. */
bool demo_ledger_compare(struct demo *demo) {
    struct demo_ledger *ledger = demo->ledger;
    const struct plain_transfer **lines[PLAIN_BRANCHES];
    size_t answers = 0;
    bool held = true;
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++) {
        lines[i] = lines_of(&ledger->file, i);
        held = held && lines[i] != NULL;
    }
    qsort(ledger->batches, ledger->batch_count, sizeof *ledger->batches, by_number);
    for (size_t i = 0; held && i < ledger->batch_count; i++) {
        const struct demo_batch *batch = &ledger->batches[i];
        held = compare_batch(demo, batch, lines[batch->branch]);
        answers += batch->count;
    }
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++)
        free(lines[i]);
    return held && demo_check(&demo->story, answers == ledger->file.count,
                              "all %zu answers are those of a plain computation in the order of the entries",
                              answers);
}

void demo_ledger_audit_line(const struct demo_ledger *ledger, char *out, size_t capacity) {
    uint64_t sum = plain_sum(&ledger->books);
    snprintf(out, capacity, "audit %d accounts %" PRIu64 " sum %" PRIu64 " issued %" PRIu64 " entries",
             PLAIN_ACCOUNTS, sum, (uint64_t)PLAIN_ACCOUNTS * PLAIN_ISSUED_TO_EACH, ledger->books.entries);
}

/* The enclave's line in `out`; false when the story failed. */
static bool ask_audit(struct demo *demo, unsigned client, char *out, size_t capacity) {
    char *answer = demo_ledger_ask(demo, client, "audit");
    if (answer == NULL)
        return false;
    snprintf(out, capacity, "%.*s", (int)strcspn(answer, "\n"), answer);
    free(answer);
    return true;
}

bool demo_ledger_check_audit(struct demo *demo, unsigned client) {
    char expected[160], line[160];
    demo_ledger_audit_line(demo->ledger, expected, sizeof expected);
    return ask_audit(demo, client, line, sizeof line) &&
           demo_check(&demo->story, strcmp(line, expected) == 0,
                      "%s has the enclave walk all entries of all accounts: \"%s\"",
                      demo_ledger_client_name(client), line);
}

bool demo_ledger_check_audits(struct demo *demo) {
    char expected[160], line[160] = "";
    bool held = true;
    demo_ledger_audit_line(demo->ledger, expected, sizeof expected);
    for (unsigned i = 0; held && i < DEMO_LEDGER_CLIENTS; i++)
        held = ask_audit(demo, i, line, sizeof line) &&
               (strcmp(line, expected) == 0 ||
                demo_check(&demo->story, false, "%s: \"%s\"", demo_ledger_client_name(i), line));
    return held &&
           demo_check(&demo->story, true, "the issuer and all branches get the same audit: \"%s\"", line);
}

/* Every balance, from each branch's own statements. */
static bool check_balances(struct demo *demo, unsigned branch) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    bool held =
        demo_ok(&demo->story, demo_ledger_client(demo, branch, &client, &error), &error, "the client");
    for (unsigned i = 0; held && i < PLAIN_ACCOUNTS_OF_BRANCH; i++) {
        unsigned account = branch * PLAIN_ACCOUNTS_OF_BRANCH + i;
        char name[16], question[64], expected[64], *answer = NULL;
        plain_account_name(account, name);
        snprintf(question, sizeof question, "statement %s 0", name);
        snprintf(expected, sizeof expected, "account %s %" PRIu64 " ", name,
                 demo->ledger->books.balances[account]);
        held =
            demo_ok(&demo->story, branch_ask(client, question, &answer, &error), &error, name) &&
            (strncmp(answer, expected, strlen(expected)) == 0 ||
             demo_check(&demo->story, false, "\"%s\", but plain computation says \"%s\"", answer, expected));
        free(answer);
    }
    cella_client_free(client);
    return held;
}

static bool check_receipt(struct demo *demo, unsigned branch) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    const struct branch_receipt *receipt = &demo->ledger->progress[branch].receipt;
    enum cella_status status = demo_ledger_client(demo, branch, &client, &error);
    if (status == CELLA_OK)
        status = branch_check_receipt(client, receipt, &error);
    cella_client_free(client);
    return demo_ok(&demo->story, status, &error, demo_ledger_client_name(branch)) &&
           demo_check(&demo->story, true,
                      "%s: its last receipt (number %" PRIu64 ": %" PRIu64 ".%02" PRIu64
                      " from %s to %s) is in the account's statement",
                      demo_ledger_client_name(branch), receipt->number, receipt->instruction.amount / 100,
                      receipt->instruction.amount % 100, receipt->instruction.account,
                      receipt->instruction.to);
}

bool demo_ledger_audit(struct demo *demo) {
    demo_step(&demo->story, "The books are right");
    bool held = demo_ledger_compare(demo) && demo_ledger_check_audit(demo, DEMO_LEDGER_ISSUER);
    for (unsigned i = 0; held && i < PLAIN_BRANCHES; i++)
        held = check_balances(demo, i);
    held =
        held && demo_check(&demo->story, true,
                           "the balances of all %d accounts are those of plain computation", PLAIN_ACCOUNTS);
    for (unsigned i = 0; held && i < PLAIN_BRANCHES; i++)
        held = check_receipt(demo, i);
    demo_end(&demo->story,
             "Nothing that was acknowledged is lost, nothing was done twice, and no cent was made "
             "or lost, whatever was killed when.");
    return held;
}
