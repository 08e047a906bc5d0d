/* A branch's side of the ledger. */
#include "branch.h"
#include "branch_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a: tells files apart, proves nothing. */
static uint64_t fingerprint_of(struct cella_bytes text) {
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.size; i++)
        value = (value ^ text.data[i]) * UINT64_C(0x100000001b3);
    return value;
}

static enum cella_status check_lines(struct cella_bytes text, struct cella_error *error) {
    struct ledger_instruction instruction;
    struct cella_bytes line;
    size_t position = 0, number = 0;
    while (ledger_next_line(text, &position, &line)) {
        number++;
        if (!ledger_parse(line, &instruction))
            return branch_fail(error, CELLA_ARGUMENT, "line %zu is no instruction: \"%.*s\"", number,
                               line.size < 80 ? (int)line.size : 80, (const char *)line.data);
    }
    return CELLA_OK;
}

static enum cella_status begin(const struct branch_feed *feed, struct branch_progress *ret_progress,
                               struct cella_error *error) {
    uint64_t fingerprint = fingerprint_of(feed->instructions);
    if (feed->batch == 0 || feed->batch > LEDGER_INSTRUCTIONS_MAX)
        return branch_fail(error, CELLA_ARGUMENT, "a mail takes 1 to %d instructions",
                           LEDGER_INSTRUCTIONS_MAX);
    enum cella_status status = branch_progress_read(feed->progress_path, ret_progress, error);
    if (status == CELLA_OK && ret_progress->fingerprint != fingerprint)
        return branch_fail(error, CELLA_ARGUMENT, "%s is the progress of another file", feed->progress_path);
    if (status != CELLA_NOT_FOUND)
        return status;
    *ret_progress = (struct branch_progress){.fingerprint = fingerprint, .batch = feed->batch};
    return branch_progress_write(feed->progress_path, ret_progress, error);
}

/* One mail. */
struct batch {
    struct cella_bytes text;
    struct ledger_outcome *answers;
    size_t count;
};

/* The next lines of the file, from `*position` on. */
static void take_batch(struct cella_bytes text, size_t *position, uint64_t limit, struct batch *batch) {
    struct cella_bytes line;
    size_t start = *position;
    for (batch->count = 0; batch->count < limit && ledger_next_line(text, position, &line);)
        batch->count++;
    batch->text = CELLA_BYTES(text.data + start, *position - start);
}

static enum cella_status read_answers(struct batch *batch, struct cella_bytes reply,
                                      struct cella_error *error) {
    struct cella_bytes line;
    size_t position = 0, count = 0;
    while (ledger_next_line(reply, &position, &line)) {
        if (count == batch->count || !ledger_parse_outcome(line, &batch->answers[count]))
            return branch_fail(error, CELLA_DAMAGED, "answer %zu is not one that the ledger gives",
                               count + 1);
        count++;
    }
    return count == batch->count
               ? CELLA_OK
               : branch_fail(error, CELLA_DAMAGED, "%zu answers to %zu instructions", count, batch->count);
}

static enum cella_status exchange(struct cella_client *client, struct batch *batch,
                                  struct cella_error *error) {
    struct cella_client_request request = {.topic = LEDGER_TOPIC, .body = batch->text};
    struct cella_client_mail reply = {.topic = NULL};
    bool replied = false;
    enum cella_status status = cella_client_request(client, &request, &replied, &reply, error);
    if (status == CELLA_OK)
        status = read_answers(batch, CELLA_BYTES(reply.body, reply.body_size), error);
    cella_client_mail_deinit(&reply);
    return status;
}

static void count_answers(const struct batch *batch, struct branch_progress *progress) {
    struct cella_bytes line;
    size_t position = 0;
    for (size_t i = 0; i < batch->count && ledger_next_line(batch->text, &position, &line); i++) {
        const struct ledger_outcome *answer = &batch->answers[i];
        progress->answered++;
        if (answer->refusal != LEDGER_DONE) {
            progress->refused[answer->refusal]++;
        } else if (answer->opened) {
            progress->opened++;
        } else {
            progress->done++;
            progress->has_receipt = true;
            progress->receipt.number = answer->number;
            progress->receipt.balance = answer->balance;
            progress->receipt.instruction = (struct ledger_instruction){.verb = LEDGER_TRANSFER};
            (void)ledger_parse(line, &progress->receipt.instruction);
        }
    }
}

static enum cella_status send_batch(const struct branch_feed *feed, struct batch *batch,
                                    struct branch_progress *progress, struct cella_error *error) {
    enum cella_status status = exchange(feed->client, batch, error);
    if (status != CELLA_OK)
        return status;
    uint64_t first = progress->answered;
    struct branch_progress next = *progress;
    count_answers(batch, &next);
    status = branch_progress_write(feed->progress_path, &next, error);
    if (status != CELLA_OK)
        return status;
    *progress = next;
    if (feed->answered != NULL && !feed->answered(feed->context, first, batch->answers, batch->count))
        return branch_fail(error, CELLA_INTERRUPTED, "the caller ended it");
    return CELLA_OK;
}

enum cella_status branch_send(const struct branch_feed *feed, struct branch_progress *ret_progress,
                              struct cella_error *error) {
    struct batch batch = {.count = 0};
    size_t position = 0;
    enum cella_status status = check_lines(feed->instructions, error);
    if (status == CELLA_OK)
        status = begin(feed, ret_progress, error);
    if (status != CELLA_OK)
        return status;
    batch.answers = calloc(ret_progress->batch, sizeof *batch.answers);
    if (batch.answers == NULL)
        return branch_fail(error, CELLA_NO_MEMORY, "no memory for answers");
    take_batch(feed->instructions, &position, ret_progress->answered, &batch);
    while (status == CELLA_OK && position < feed->instructions.size) {
        take_batch(feed->instructions, &position, ret_progress->batch, &batch);
        status = send_batch(feed, &batch, ret_progress, error);
    }
    free(batch.answers);
    return status;
}

enum cella_status branch_ask(struct cella_client *client, const char *question, char **ret_answer,
                             struct cella_error *error) {
    struct cella_client_request request = {.topic = LEDGER_TOPIC,
                                           .body = CELLA_BYTES(question, strlen(question))};
    struct cella_client_mail reply = {.topic = NULL};
    bool replied = false;
    enum cella_status status = cella_client_query(client, &request, &replied, &reply, error);
    if (status != CELLA_OK)
        return status;
    char *answer = replied ? strndup((const char *)reply.body, reply.body_size) : NULL;
    cella_client_mail_deinit(&reply);
    if (answer == NULL)
        return branch_fail(error, CELLA_NO_MEMORY, "no answer, or no memory for it");
    *ret_answer = answer;
    return CELLA_OK;
}

enum cella_status branch_check_receipt(struct cella_client *client, const struct branch_receipt *receipt,
                                       struct cella_error *error) {
    const struct ledger_instruction *instruction = &receipt->instruction;
    char question[LEDGER_LINE_MAX], entry[LEDGER_LINE_MAX], *statement = NULL;
    bool transfer = instruction->verb == LEDGER_TRANSFER;
    (void)snprintf(question, sizeof question, "statement %s %d", instruction->account, LEDGER_STATEMENT_MAX);
    (void)snprintf(entry, sizeof entry, "\n%llu %s%s %llu %llu\n", (unsigned long long)receipt->number,
                   transfer ? "to " : "issued", transfer ? instruction->to : "",
                   (unsigned long long)instruction->amount, (unsigned long long)receipt->balance);
    enum cella_status status = branch_ask(client, question, &statement, error);
    if (status == CELLA_OK && (statement == NULL || strstr(statement, entry) == NULL))
        status = branch_fail(error, CELLA_NOT_FOUND, "the statement of %s has no entry \"%.*s\"",
                             instruction->account, (int)strlen(entry) - 2, entry + 1);
    free(statement);
    return status;
}
