/* The ledger's books: accounts, entries and totals in the enclave's state. Must not: know mail. */
#ifndef LEDGER_BOOK_H
#define LEDGER_BOOK_H

#include "ledger.h"
#include <cella/enclave.h>

/* What all accounts together hold. */
struct ledger_totals {
    uint64_t accounts;
    uint64_t issued;  /* cents */
    uint64_t entries; /* numbers given to issues and transfers so far */
};

/* Carries one instruction out for `sender`. A refusal changes nothing and is CELLA_OK. What the state's calls
 * say. */
enum cella_status book_apply(struct cella_transaction *transaction, const uint8_t sender[CELLA_KEY_SIZE],
                             bool is_issuer, const struct ledger_instruction *instruction,
                             struct ledger_outcome *ret_outcome);

struct ledger_account {
    uint8_t owner[CELLA_KEY_SIZE];
    uint64_t balance;
    uint64_t entries;
};
/* CELLA_NOT_FOUND. */
enum cella_status book_account(struct cella_transaction *transaction, const char *name,
                               struct ledger_account *ret_account);

/* One line of an account's statement. */
struct ledger_entry {
    uint64_t number;
    bool incoming;
    uint64_t amount;
    uint64_t balance;                   /* after it */
    char other[LEDGER_ACCOUNT_MAX + 1]; /* empty for an issue */
};
/* Entry `index` of an account, from 0. CELLA_NOT_FOUND. */
enum cella_status book_entry(struct cella_transaction *transaction, const char *name, uint64_t index,
                             struct ledger_entry *ret_entry);

enum cella_status book_totals(struct cella_transaction *transaction, struct ledger_totals *ret_totals);
/* Walks all accounts and all entries: each entry's balance must go on from the one before it, the last one be
 * the account's, all balances together what was issued, and the entries those that numbers were given to.
 * `*ret_sum` is what the walk found. CELLA_DAMAGED: the books do not agree. */
enum cella_status book_audit(struct cella_transaction *transaction, struct ledger_totals *ret_totals,
                             uint64_t *ret_sum);

#endif
