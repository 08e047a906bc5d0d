/* The ledger's second opinion: plain computation over the file of transfers, with balances in an array, to
 * compare the enclave's answers with. Must not: use any code of the enclave. */
#ifndef LEDGER_PLAIN_H
#define LEDGER_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAIN_BRANCHES = 4,
    PLAIN_ACCOUNTS_OF_BRANCH = 250,
    PLAIN_ACCOUNTS = PLAIN_BRANCHES * PLAIN_ACCOUNTS_OF_BRANCH,
    PLAIN_ISSUED_TO_EACH = 100000, /* cents, to each account before the first transfer */
    PLAIN_ANSWER_SIZE = 64
};

/* One line of the file. Accounts count from 0 over all branches; one that nobody opened is
 * PLAIN_ACCOUNTS. */
struct plain_transfer {
    unsigned branch; /* that sends it, from 0 */
    unsigned from, to;
    uint64_t amount;
};

/* All lines, in the order of the file; text[i] is the instruction alone. */
struct plain_file {
    struct plain_transfer *transfers;
    size_t count;
};
/* False: not such a file, or no memory. */
bool plain_file_parse(const char *text, size_t size, struct plain_file *ret_file);
void plain_file_free(struct plain_file *file);

/* What one branch sends: the instructions in its order, from malloc; NULL: no memory. */
char *plain_instructions_of(const struct plain_file *file, unsigned branch);
/* What opens a branch's accounts, and what the issuer gives to all. */
char *plain_openings_of(unsigned branch);
char *plain_issues(void);

/* Books with all accounts open and the issues made. */
struct plain_books {
    uint64_t balances[PLAIN_ACCOUNTS];
    uint64_t entries; /* numbers given */
    uint64_t done;
    uint64_t not_owner, unknown_account, amount, same_account, funds; /* refused */
};
void plain_books_init(struct plain_books *books);
/* The answer that the ledger must give, without the end of its line. */
void plain_apply(struct plain_books *books, const struct plain_transfer *transfer,
                 char ret_answer[PLAIN_ANSWER_SIZE]);
uint64_t plain_sum(const struct plain_books *books);
void plain_account_name(unsigned account, char ret_name[16]);

#endif
