/* The ledger's words. Must not accept a line in more than one spelling. */
#include "ledger.h"
#include <string.h>

const char *ledger_refusal_word(enum ledger_refusal refusal) {
    static const char *const words[LEDGER_REFUSALS] = {
        "done", "amount", "unknown-account", "not-owner", "same-account", "funds", "exists"};
    return words[refusal];
}

bool ledger_next_line(struct cella_bytes text, size_t *position, struct cella_bytes *ret_line) {
    if (*position >= text.size)
        return false;
    const uint8_t *start = text.data + *position;
    size_t left = text.size - *position;
    const uint8_t *end = memchr(start, '\n', left);
    size_t size = end != NULL ? (size_t)(end - start) : left;
    *ret_line = CELLA_BYTES(start, size);
    *position += size + (end != NULL ? 1 : 0);
    return true;
}

size_t ledger_split(struct cella_bytes line, struct cella_bytes ret_words[LEDGER_WORDS_MAX]) {
    size_t count = 0, start = 0;
    for (size_t i = 0; i <= line.size; i++) {
        if (i < line.size && line.data[i] != ' ')
            continue;
        if (i == start || count == LEDGER_WORDS_MAX)
            return 0;
        ret_words[count++] = CELLA_BYTES(line.data + start, i - start);
        start = i + 1;
    }
    return count;
}

bool ledger_word_is(struct cella_bytes word, const char *text) {
    return word.size == strlen(text) && memcmp(word.data, text, word.size) == 0;
}

bool ledger_parse_account(struct cella_bytes word, char ret_account[LEDGER_ACCOUNT_MAX + 1]) {
    if (word.size == 0 || word.size > LEDGER_ACCOUNT_MAX)
        return false;
    for (size_t i = 0; i < word.size; i++) {
        uint8_t c = word.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    memcpy(ret_account, word.data, word.size);
    ret_account[word.size] = '\0';
    return true;
}

bool ledger_parse_number(struct cella_bytes word, uint64_t *ret_number) {
    uint64_t number = 0;
    if (word.size == 0 || word.size > 18 || (word.data[0] == '0' && word.size > 1))
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(word.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

bool ledger_parse(struct cella_bytes line, struct ledger_instruction *ret_instruction) {
    struct ledger_instruction instruction = {.verb = LEDGER_OPEN};
    struct cella_bytes words[LEDGER_WORDS_MAX];
    size_t count = line.size <= LEDGER_LINE_MAX ? ledger_split(line, words) : 0;
    if (count < 2 || !ledger_parse_account(words[1], instruction.account))
        return false;
    bool valid = false;
    if (ledger_word_is(words[0], "open")) {
        valid = count == 2;
    } else if (ledger_word_is(words[0], "issue")) {
        instruction.verb = LEDGER_ISSUE;
        valid = count == 3 && ledger_parse_number(words[2], &instruction.amount);
    } else if (ledger_word_is(words[0], "transfer")) {
        instruction.verb = LEDGER_TRANSFER;
        valid = count == 4 && ledger_parse_account(words[2], instruction.to) &&
                ledger_parse_number(words[3], &instruction.amount);
    }
    if (valid)
        *ret_instruction = instruction;
    return valid;
}

static bool parse_refusal(struct cella_bytes word, enum ledger_refusal *ret_refusal) {
    for (int i = LEDGER_DONE + 1; i < LEDGER_REFUSALS; i++)
        if (ledger_word_is(word, ledger_refusal_word((enum ledger_refusal)i))) {
            *ret_refusal = (enum ledger_refusal)i;
            return true;
        }
    return false;
}

bool ledger_parse_outcome(struct cella_bytes line, struct ledger_outcome *ret_outcome) {
    struct ledger_outcome outcome = {.refusal = LEDGER_DONE};
    struct cella_bytes words[LEDGER_WORDS_MAX];
    size_t count = line.size <= LEDGER_LINE_MAX ? ledger_split(line, words) : 0;
    char account[LEDGER_ACCOUNT_MAX + 1];
    bool valid = false;
    if (count == 3 && ledger_word_is(words[0], "done")) {
        valid = ledger_parse_number(words[1], &outcome.number) && outcome.number > 0 &&
                ledger_parse_number(words[2], &outcome.balance);
    } else if (count == 2 && ledger_word_is(words[0], "opened")) {
        valid = outcome.opened = ledger_parse_account(words[1], account);
    } else if (count == 2 && ledger_word_is(words[0], "refused")) {
        valid = parse_refusal(words[1], &outcome.refusal);
    }
    if (valid)
        *ret_outcome = outcome;
    return valid;
}
