/* The ledger enclave: accounts, transfers, statements and an audit, all of it in the enclave's state. Who
 * opened an account owns it; the issuer's key stands in enclave.conf. The host sees none of it, cannot lose
 * an acknowledged transfer, and cannot bring an old balance back without being seen. Must not reply before
 * book and totals agree. */
#include "book.h"
#include <cella/enclave.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ISSUER_DIGITS = 2 * CELLA_KEY_SIZE };

static char issuer[ISSUER_DIGITS + 1];

static enum cella_status on_start(struct cella_transaction *transaction) {
    const char *setting = cella_setting("issuer");
    if (setting == NULL || strlen(setting) != ISSUER_DIGITS)
        return CELLA_ARGUMENT;
    memcpy(issuer, setting, ISSUER_DIGITS);
    struct ledger_totals totals;
    return book_totals(transaction, &totals);
}

static bool is_issuer(const uint8_t sender[CELLA_KEY_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < CELLA_KEY_SIZE; i++)
        if (issuer[2 * i] != digits[sender[i] >> 4] || issuer[2 * i + 1] != digits[sender[i] & 15])
            return false;
    return true;
}

/* A reply that grows. */
struct text {
    char *data;
    size_t size;
    size_t capacity;
};

__attribute__((format(printf, 2, 3))) static enum cella_status add(struct text *text, const char *format,
                                                                   ...) {
    if (text->capacity - text->size < LEDGER_LINE_MAX) {
        size_t capacity = text->capacity == 0 ? 4096 : 2 * text->capacity;
        char *larger = realloc(text->data, capacity);
        if (larger == NULL)
            return CELLA_NO_MEMORY;
        text->data = larger;
        text->capacity = capacity;
    }
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text->data + text->size, LEDGER_LINE_MAX, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= LEDGER_LINE_MAX)
        return CELLA_INTERNAL;
    text->size += (size_t)size;
    return CELLA_OK;
}

static enum cella_status send_text(struct cella_transaction *transaction, enum cella_status status,
                                   struct text *text) {
    if (status == CELLA_OK)
        status = cella_reply(transaction, CELLA_BYTES(text->data, text->size));
    free(text->data);
    return status;
}

static enum cella_status add_outcome(struct text *text, const struct ledger_instruction *instruction,
                                     const struct ledger_outcome *outcome) {
    if (outcome->refusal != LEDGER_DONE)
        return add(text, "refused %s\n", ledger_refusal_word(outcome->refusal));
    if (outcome->opened)
        return add(text, "opened %s\n", instruction->account);
    return add(text, "done %llu %llu\n", (unsigned long long)outcome->number,
               (unsigned long long)outcome->balance);
}

/* One instruction a line, one answer a line. A line that is none fails the whole mail: nothing of it happens.
 */
static enum cella_status on_mail(struct cella_transaction *transaction, const struct cella_mail *mail) {
    struct text text = {.data = NULL};
    struct cella_bytes line;
    size_t position = 0, lines = 0;
    bool issues = is_issuer(mail->sender);
    enum cella_status status = strcmp(mail->topic, LEDGER_TOPIC) == 0 ? CELLA_OK : CELLA_ARGUMENT;
    while (status == CELLA_OK && ledger_next_line(mail->body, &position, &line)) {
        struct ledger_instruction instruction;
        struct ledger_outcome outcome;
        if (++lines > LEDGER_INSTRUCTIONS_MAX || !ledger_parse(line, &instruction))
            status = CELLA_ARGUMENT;
        if (status == CELLA_OK)
            status = book_apply(transaction, mail->sender, issues, &instruction, &outcome);
        if (status == CELLA_OK)
            status = add_outcome(&text, &instruction, &outcome);
    }
    return send_text(transaction, status, &text);
}

/* Of the sender's own accounts only. */
static enum cella_status find_own(struct cella_transaction *transaction, const struct cella_mail *mail,
                                  struct cella_bytes word, char name[LEDGER_ACCOUNT_MAX + 1],
                                  struct ledger_account *ret_account) {
    if (!ledger_parse_account(word, name))
        return CELLA_ARGUMENT;
    enum cella_status status = book_account(transaction, name, ret_account);
    if (status == CELLA_OK && memcmp(ret_account->owner, mail->sender, CELLA_KEY_SIZE) != 0)
        status = CELLA_NOT_FOUND;
    return status;
}

static enum cella_status tell_entry(const struct ledger_entry *entry, struct text *text) {
    bool issued = entry->other[0] == '\0';
    return add(text, "%llu %s%s %llu %llu\n", (unsigned long long)entry->number,
               issued            ? "issued"
               : entry->incoming ? "from "
                                 : "to ",
               entry->other, (unsigned long long)entry->amount, (unsigned long long)entry->balance);
}

static enum cella_status tell_statement(struct cella_transaction *transaction, const char *name,
                                        const struct ledger_account *account, uint64_t count,
                                        struct text *text) {
    enum cella_status status = add(text, "account %s %llu %llu\n", name, (unsigned long long)account->balance,
                                   (unsigned long long)account->entries);
    for (uint64_t i = 0; status == CELLA_OK && i < count && i < account->entries; i++) {
        struct ledger_entry entry;
        status = book_entry(transaction, name, account->entries - 1 - i, &entry);
        if (status == CELLA_OK)
            status = tell_entry(&entry, text);
    }
    return status;
}

static enum cella_status tell_audit(struct cella_transaction *transaction, struct text *text) {
    struct ledger_totals totals;
    uint64_t sum = 0;
    enum cella_status status = book_audit(transaction, &totals, &sum);
    if (status == CELLA_OK)
        status = add(text, "audit %llu accounts %llu sum %llu issued %llu entries\n",
                     (unsigned long long)totals.accounts, (unsigned long long)sum,
                     (unsigned long long)totals.issued, (unsigned long long)totals.entries);
    return status;
}

static enum cella_status on_query(struct cella_transaction *transaction, const struct cella_mail *mail) {
    struct text text = {.data = NULL};
    struct cella_bytes words[LEDGER_WORDS_MAX];
    char name[LEDGER_ACCOUNT_MAX + 1];
    struct ledger_account account;
    uint64_t limit = 0;
    size_t count = ledger_split(mail->body, words);
    enum cella_status status = CELLA_ARGUMENT;
    if (count == 1 && ledger_word_is(words[0], "audit"))
        return send_text(transaction, tell_audit(transaction, &text), &text);
    if (count == 3 && ledger_word_is(words[0], "statement") && ledger_parse_number(words[2], &limit) &&
        limit <= LEDGER_STATEMENT_MAX)
        status = find_own(transaction, mail, words[1], name, &account);
    if (status == CELLA_OK)
        status = tell_statement(transaction, name, &account, limit, &text);
    return send_text(transaction, status, &text);
}

int main(void) {
    static const struct cella_enclave ledger = {
        .start = on_start, .mail = on_mail, .query = on_query, .thread_safe = true};
    return cella_enclave_run(&ledger);
}
