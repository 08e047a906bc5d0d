/* Plain computation of the ledger. */
#include "plain.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "bBRANCH-ACCOUNT" at `text`; NULL if it is none. */
static const char *read_account(const char *text, unsigned *ret_account) {
    char *rest;
    if (text[0] != 'b')
        return NULL;
    unsigned long branch = strtoul(text + 1, &rest, 10);
    if (rest != text + 2 || *rest != '-' || branch < 1 || branch > PLAIN_BRANCHES)
        return NULL;
    text = rest + 1;
    unsigned long account = strtoul(text, &rest, 10);
    if (rest != text + 4 || account < 1)
        return NULL;
    *ret_account = account > PLAIN_ACCOUNTS_OF_BRANCH
                       ? PLAIN_ACCOUNTS + (unsigned)((branch - 1) * 10000 + account)
                       : (unsigned)((branch - 1) * PLAIN_ACCOUNTS_OF_BRANCH + account - 1);
    return rest;
}

/* "BRANCH transfer FROM TO AMOUNT" up to its end of line; NULL if it is none. */
static const char *read_line(const char *text, struct plain_transfer *ret_transfer) {
    static const char word[] = " transfer ";
    char *rest;
    unsigned long branch = strtoul(text, &rest, 10);
    if (rest != text + 1 || branch < 1 || branch > PLAIN_BRANCHES ||
        strncmp(rest, word, sizeof word - 1) != 0)
        return NULL;
    ret_transfer->branch = (unsigned)branch - 1;
    text = read_account(rest + sizeof word - 1, &ret_transfer->from);
    if (text == NULL || *text != ' ')
        return NULL;
    text = read_account(text + 1, &ret_transfer->to);
    if (text == NULL || *text != ' ')
        return NULL;
    errno = 0;
    ret_transfer->amount = strtoull(text + 1, &rest, 10);
    return errno == 0 && rest != text + 1 && *rest == '\n' ? rest : NULL;
}

bool plain_file_parse(const char *text, size_t size, struct plain_file *ret_file) {
    struct plain_file file = {.count = 0};
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n' ? 1 : 0;
    file.transfers = calloc(lines + 1, sizeof *file.transfers);
    const char *at = text, *end = text + size;
    bool valid = file.transfers != NULL && size > 0 && end[-1] == '\n';
    while (valid && at < end) {
        at = read_line(at, &file.transfers[file.count]);
        valid = at != NULL;
        if (valid) {
            file.count++;
            at++;
        }
    }
    if (!valid) {
        plain_file_free(&file);
        return false;
    }
    *ret_file = file;
    return true;
}

void plain_file_free(struct plain_file *file) {
    free(file->transfers);
    *file = (struct plain_file){.count = 0};
}

void plain_account_name(unsigned account, char ret_name[16]) {
    unsigned branch = account / PLAIN_ACCOUNTS_OF_BRANCH, number = account % PLAIN_ACCOUNTS_OF_BRANCH + 1;
    if (account >= PLAIN_ACCOUNTS) {
        branch = (account - PLAIN_ACCOUNTS) / 10000;
        number = (account - PLAIN_ACCOUNTS) % 10000;
    }
    (void)snprintf(ret_name, 16, "b%u-%04u", (branch + 1) % 10, number % 10000);
}

static char *close_text(FILE *out, char **text) {
    bool failed = out == NULL || ferror(out) != 0;
    if (out != NULL && fclose(out) != 0)
        failed = true;
    if (!failed)
        return *text;
    free(*text);
    return NULL;
}

char *plain_instructions_of(const struct plain_file *file, unsigned branch) {
    char *text = NULL, from[16], to[16];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out != NULL && i < file->count; i++) {
        const struct plain_transfer *transfer = &file->transfers[i];
        if (transfer->branch != branch)
            continue;
        plain_account_name(transfer->from, from);
        plain_account_name(transfer->to, to);
        (void)fprintf(out, "transfer %s %s %llu\n", from, to, (unsigned long long)transfer->amount);
    }
    return close_text(out, &text);
}

char *plain_openings_of(unsigned branch) {
    char *text = NULL, name[16];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (unsigned i = 0; out != NULL && i < PLAIN_ACCOUNTS_OF_BRANCH; i++) {
        plain_account_name(branch * PLAIN_ACCOUNTS_OF_BRANCH + i, name);
        (void)fprintf(out, "open %s\n", name);
    }
    return close_text(out, &text);
}

char *plain_issues(void) {
    char *text = NULL, name[16];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (unsigned i = 0; out != NULL && i < PLAIN_ACCOUNTS; i++) {
        plain_account_name(i, name);
        (void)fprintf(out, "issue %s %d\n", name, PLAIN_ISSUED_TO_EACH);
    }
    return close_text(out, &text);
}

void plain_books_init(struct plain_books *books) {
    *books = (struct plain_books){.entries = PLAIN_ACCOUNTS};
    for (unsigned i = 0; i < PLAIN_ACCOUNTS; i++)
        books->balances[i] = PLAIN_ISSUED_TO_EACH;
}

void plain_apply(struct plain_books *books, const struct plain_transfer *transfer,
                 char ret_answer[PLAIN_ANSWER_SIZE]) {
    const char *reason = NULL;
    if (transfer->amount == 0) {
        reason = "amount";
        books->amount++;
    } else if (transfer->from >= PLAIN_ACCOUNTS || transfer->to >= PLAIN_ACCOUNTS) {
        reason = "unknown-account";
        books->unknown_account++;
    } else if (transfer->from / PLAIN_ACCOUNTS_OF_BRANCH != transfer->branch) {
        reason = "not-owner";
        books->not_owner++;
    } else if (transfer->from == transfer->to) {
        reason = "same-account";
        books->same_account++;
    } else if (books->balances[transfer->from] < transfer->amount) {
        reason = "funds";
        books->funds++;
    }
    if (reason != NULL) {
        (void)snprintf(ret_answer, PLAIN_ANSWER_SIZE, "refused %s", reason);
        return;
    }
    books->balances[transfer->from] -= transfer->amount;
    books->balances[transfer->to] += transfer->amount;
    books->entries++;
    books->done++;
    (void)snprintf(ret_answer, PLAIN_ANSWER_SIZE, "done %llu %llu", (unsigned long long)books->entries,
                   (unsigned long long)books->balances[transfer->from]);
}

uint64_t plain_sum(const struct plain_books *books) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < PLAIN_ACCOUNTS; i++)
        sum += books->balances[i];
    return sum;
}
