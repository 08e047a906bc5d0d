/* An enclave whose state tests change and look at: commands in mail, calls and queries, as words in a line.
 */
#include <cella/enclave.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 4, TEXT_MAX = 256 };

struct command {
    struct cella_transaction *transaction;
    const uint8_t *sender; /* NULL for a call */
    char text[TEXT_MAX];
    char *word[WORDS];
    unsigned count;
};

static struct cella_bytes text_of(const char *text) {
    return CELLA_BYTES(text, strlen(text));
}

static enum cella_status say(struct command *command, const char *text) {
    return cella_reply(command->transaction, text_of(text));
}

static enum cella_status put(struct command *command) {
    return cella_put(command->transaction, text_of(command->word[1]), text_of(command->word[2]));
}

static enum cella_status get(struct command *command) {
    struct cella_bytes value;
    enum cella_status status = cella_get(command->transaction, text_of(command->word[1]), &value);
    return status == CELLA_OK ? cella_reply(command->transaction, value) : say(command, "none");
}

static enum cella_status delete (struct command *command) {
    return cella_delete(command->transaction, text_of(command->word[1]));
}

/* What must not happen twice. */
static enum cella_status add(struct command *command) {
    char number[32] = "0";
    struct cella_bytes value;
    if (cella_get(command->transaction, text_of(command->word[1]), &value) == CELLA_OK &&
        value.size < sizeof number) {
        memcpy(number, value.data, value.size);
        number[value.size] = '\0';
    }
    (void)snprintf(number, sizeof number, "%ld",
                   strtol(number, NULL, 10) + strtol(command->word[2], NULL, 10));
    enum cella_status status = cella_put(command->transaction, text_of(command->word[1]), text_of(number));
    return status == CELLA_OK ? say(command, number) : status;
}

/* A number in front of a value of the size that the command names: one more, each time. */
static enum cella_status count_up(struct command *command) {
    size_t size = strtoul(command->word[2], NULL, 10);
    struct cella_bytes value;
    char number[32] = "0";
    if (size < sizeof number)
        return CELLA_ARGUMENT;
    if (cella_get(command->transaction, text_of(command->word[1]), &value) == CELLA_OK)
        memcpy(number, value.data, sizeof number - 1);
    char *next = calloc(1, size);
    if (next == NULL)
        return CELLA_NO_MEMORY;
    (void)snprintf(next, size, "%ld", strtol(number, NULL, 10) + 1);
    enum cella_status status =
        cella_put(command->transaction, text_of(command->word[1]), CELLA_BYTES(next, size));
    if (status == CELLA_OK)
        status = say(command, next);
    free(next);
    return status;
}

static enum cella_status count(struct command *command) {
    char number[32];
    uint64_t count = 0;
    enum cella_status status =
        cella_count(command->transaction, &(struct cella_range){.backwards = false}, &count);
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)count);
    return status == CELLA_OK ? say(command, number) : status;
}

static enum cella_status list(struct command *command) {
    char text[4096] = "";
    size_t size = 0;
    struct cella_scan *scan = NULL;
    struct cella_bytes key, value;
    enum cella_status status = cella_scan_prefix(command->transaction, text_of(command->word[1]), &scan);
    while (status == CELLA_OK && cella_scan_next(scan, &key, &value) &&
           sizeof text - size > key.size + value.size + 3)
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s=%.*s ", (int)key.size,
                                 (const char *)key.data, (int)value.size, (const char *)value.data);
    if (status == CELLA_OK)
        status = cella_scan_free(scan);
    return status == CELLA_OK ? say(command, text) : status;
}

/* A value of the size that the command names, to meet limits and to fill journals. */
static enum cella_status big(struct command *command) {
    size_t size = strtoul(command->word[2], NULL, 10);
    uint8_t *value = calloc(1, size + 1);
    if (value == NULL)
        return CELLA_NO_MEMORY;
    memset(value, 'b', size);
    enum cella_status status =
        cella_put(command->transaction, text_of(command->word[1]), CELLA_BYTES(value, size));
    free(value);
    return say(command, cella_status_name(status));
}

static enum cella_status post(struct command *command) {
    if (command->sender == NULL)
        return CELLA_ARGUMENT;
    return cella_post(command->transaction, command->sender, command->word[1], text_of(command->word[2]));
}

static enum cella_status put_and_fail(struct command *command) {
    enum cella_status status = put(command);
    if (command->sender != NULL)
        (void)cella_post(command->transaction, command->sender, "news", text_of("never"));
    return status == CELLA_OK ? CELLA_FAILED : CELLA_OK;
}

static void call_later(struct cella_transaction *after, struct cella_bytes data) {
    struct cella_bytes reply;
    (void)cella_call_host(after, data, &reply);
}

static enum cella_status later(struct command *command) {
    enum cella_status status = put(command);
    return status == CELLA_OK
               ? cella_after_commit(command->transaction, call_later, text_of(command->word[2]))
               : status;
}

/* What a change says where none is allowed. */
static enum cella_status try_put(struct command *command) {
    return say(command, cella_status_name(put(command)));
}

static enum cella_status nest(struct command *command) {
    struct cella_bytes reply;
    enum cella_status status = cella_call_host(command->transaction, text_of(command->word[1]), &reply);
    return status == CELLA_OK ? cella_reply(command->transaction, reply) : status;
}

static const struct {
    const char *name;
    unsigned words;
    enum cella_status (*run)(struct command *command);
} commands[] = {
    {"put", 3, put},           {"get", 2, get},   {"delete", 2, delete},     {"add", 3, add},
    {"count", 1, count},       {"list", 2, list}, {"big", 3, big},           {"post", 3, post},
    {"later", 3, later},       {"nest", 2, nest}, {"fail", 3, put_and_fail}, {"try-put", 3, try_put},
    {"count-up", 3, count_up},
};

static enum cella_status run(struct cella_transaction *transaction, const uint8_t *sender,
                             struct cella_bytes text) {
    struct command command = {.transaction = transaction, .sender = sender};
    if (text.size >= sizeof command.text)
        return CELLA_ARGUMENT;
    memcpy(command.text, text.data, text.size);
    char *rest = NULL;
    for (char *word = strtok_r(command.text, " ", &rest); word != NULL && command.count < WORDS;
         word = strtok_r(NULL, " ", &rest))
        command.word[command.count++] = word;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (command.count == commands[i].words && strcmp(command.word[0], commands[i].name) == 0)
            return commands[i].run(&command);
    return CELLA_ARGUMENT;
}

static enum cella_status on_mail(struct cella_transaction *transaction, const struct cella_mail *mail) {
    return run(transaction, mail->sender, mail->body);
}

static enum cella_status on_call(struct cella_transaction *transaction, struct cella_bytes request) {
    return run(transaction, NULL, request);
}

/* What the host may be asked at the start, and what only later. */
static enum cella_status call_at_start(struct cella_transaction *transaction) {
    struct cella_bytes reply;
    enum cella_status status = cella_call_host(transaction, text_of("count"), &reply);
    status = cella_put(transaction, text_of("called"), text_of(cella_status_name(status)));
    return status == CELLA_OK ? cella_after_commit(transaction, call_later, text_of("count")) : status;
}

/* How often this vault was started, in its own state. */
static enum cella_status on_start(struct cella_transaction *transaction) {
    struct command command = {.transaction = transaction, .word = {NULL, (char *)"starts", (char *)"1"}};
    const char *calls = cella_setting("probe.calls-at-start");
    (void)add(&command); /* its reply goes nowhere */
    return calls != NULL && strcmp(calls, "yes") == 0 ? call_at_start(transaction) : CELLA_OK;
}

int main(void) {
    static const struct cella_enclave program = {
        .start = on_start, .mail = on_mail, .query = on_mail, .call = on_call, .thread_safe = true};
    return cella_enclave_run(&program);
}
