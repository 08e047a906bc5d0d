/* The ledger's words: what its clients send and get, as lines of text (formats/ledger.md). Used by the
 * enclave and by its clients. Must not: know the state. */
#ifndef LEDGER_H
#define LEDGER_H

#include <cella/bytes.h>
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_TOPIC       "ledger"
#define LEDGER_ACCOUNT_MAX 32                           /* letters of an account's name */
#define LEDGER_AMOUNT_MAX  UINT64_C(1000000000000)      /* of one instruction, in cents */
#define LEDGER_TOTAL_MAX   UINT64_C(999999999999999999) /* of all that is ever issued: 18 digits */
#define LEDGER_LINE_MAX    128

enum {
    LEDGER_INSTRUCTIONS_MAX = 10000, /* of one mail */
    LEDGER_STATEMENT_MAX = 1000,     /* entries of one statement */
    LEDGER_WORDS_MAX = 6             /* of any line */
};

enum ledger_verb {
    LEDGER_OPEN,     /* open ACCOUNT */
    LEDGER_ISSUE,    /* issue ACCOUNT AMOUNT */
    LEDGER_TRANSFER, /* transfer FROM TO AMOUNT */
};

/* One instruction. Names are terminated. */
struct ledger_instruction {
    enum ledger_verb verb;
    char account[LEDGER_ACCOUNT_MAX + 1]; /* the one that pays, for a transfer */
    char to[LEDGER_ACCOUNT_MAX + 1];
    uint64_t amount; /* cents */
};

/* Why an instruction was not carried out. Several may hold; the first of this list is told. */
enum ledger_refusal {
    LEDGER_DONE,
    LEDGER_AMOUNT,          /* "amount": nothing, or more than LEDGER_AMOUNT_MAX, or than may be issued */
    LEDGER_UNKNOWN_ACCOUNT, /* "unknown-account" */
    LEDGER_NOT_OWNER,       /* "not-owner": the sender did not open that account, or is not the issuer */
    LEDGER_SAME_ACCOUNT,    /* "same-account" */
    LEDGER_FUNDS,           /* "funds": the balance is smaller */
    LEDGER_EXISTS,          /* "exists": there is such an account already */
    LEDGER_REFUSALS
};
const char *ledger_refusal_word(enum ledger_refusal refusal);

/* What came of one instruction, as the answer's line tells it. */
struct ledger_outcome {
    enum ledger_refusal refusal; /* then the rest is 0 */
    bool opened;                 /* then the rest is 0 */
    uint64_t number;             /* of the entry */
    uint64_t balance;            /* of the instruction's account after it */
};

/* The next line of `text` from `*position` on, without its end; false at the end. */
bool ledger_next_line(struct cella_bytes text, size_t *position, struct cella_bytes *ret_line);
/* Cuts a line into words, which are parted by one blank each. 0: an empty word, or more than
 * LEDGER_WORDS_MAX. */
size_t ledger_split(struct cella_bytes line, struct cella_bytes ret_words[LEDGER_WORDS_MAX]);
bool ledger_word_is(struct cella_bytes word, const char *text);

/* False: not an instruction. */
bool ledger_parse(struct cella_bytes line, struct ledger_instruction *ret_instruction);
/* False: not an answer to an instruction. */
bool ledger_parse_outcome(struct cella_bytes line, struct ledger_outcome *ret_outcome);
/* 1 to LEDGER_ACCOUNT_MAX of a-z, 0-9 and '-'. */
bool ledger_parse_account(struct cella_bytes word, char ret_account[LEDGER_ACCOUNT_MAX + 1]);
/* Digits only, at most 18 of them, no leading zeros. */
bool ledger_parse_number(struct cella_bytes word, uint64_t *ret_number);

#endif
