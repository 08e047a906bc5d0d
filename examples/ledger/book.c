/* The ledger's books in the enclave's state. Three kinds of keys: "a/NAME" an account, "e/NAME/" and a number
 * of 8 bytes (most significant first, so that they sort) an entry of it, "totals". Must not change a book by
 * half: every call either returns a failure, which ends the whole transaction, or has kept the sums. */
#include "book.h"
#include <stdio.h>
#include <string.h>

enum {
    ACCOUNT_SIZE = CELLA_KEY_SIZE + 16,
    TOTALS_SIZE = 24,
    ENTRY_FIXED = 25,
    KEY_MAX = LEDGER_ACCOUNT_MAX + 16
};

static void write_u64(uint8_t *out, uint64_t value) {
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t read_u64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static struct cella_bytes account_key(const char *name, uint8_t out[KEY_MAX]) {
    int size = snprintf((char *)out, KEY_MAX, "a/%s", name);
    return CELLA_BYTES(out, (size_t)size);
}

static struct cella_bytes entry_key(const char *name, uint64_t index, uint8_t out[KEY_MAX]) {
    int size = snprintf((char *)out, KEY_MAX, "e/%s/", name);
    write_u64(out + size, index);
    return CELLA_BYTES(out, (size_t)size + 8);
}

static const struct cella_bytes totals_key = {.data = (const uint8_t *)"totals", .size = 6};

enum cella_status book_totals(struct cella_transaction *transaction, struct ledger_totals *ret_totals) {
    struct cella_bytes value;
    enum cella_status status = cella_get(transaction, totals_key, &value);
    if (status == CELLA_NOT_FOUND) {
        *ret_totals = (struct ledger_totals){.accounts = 0};
        return CELLA_OK;
    }
    if (status != CELLA_OK)
        return status;
    if (value.size != TOTALS_SIZE)
        return CELLA_DAMAGED;
    *ret_totals = (struct ledger_totals){.accounts = read_u64(value.data),
                                         .issued = read_u64(value.data + 8),
                                         .entries = read_u64(value.data + 16)};
    return CELLA_OK;
}

static enum cella_status put_totals(struct cella_transaction *transaction,
                                    const struct ledger_totals *totals) {
    uint8_t value[TOTALS_SIZE];
    write_u64(value, totals->accounts);
    write_u64(value + 8, totals->issued);
    write_u64(value + 16, totals->entries);
    return cella_put(transaction, totals_key, CELLA_BYTES(value, sizeof value));
}

static enum cella_status parse_account(struct cella_bytes value, struct ledger_account *ret_account) {
    if (value.size != ACCOUNT_SIZE)
        return CELLA_DAMAGED;
    memcpy(ret_account->owner, value.data, CELLA_KEY_SIZE);
    ret_account->balance = read_u64(value.data + CELLA_KEY_SIZE);
    ret_account->entries = read_u64(value.data + CELLA_KEY_SIZE + 8);
    return CELLA_OK;
}

enum cella_status book_account(struct cella_transaction *transaction, const char *name,
                               struct ledger_account *ret_account) {
    uint8_t key[KEY_MAX];
    struct cella_bytes value;
    enum cella_status status = cella_get(transaction, account_key(name, key), &value);
    return status == CELLA_OK ? parse_account(value, ret_account) : status;
}

static enum cella_status put_account(struct cella_transaction *transaction, const char *name,
                                     const struct ledger_account *account) {
    uint8_t key[KEY_MAX];
    uint8_t value[ACCOUNT_SIZE];
    memcpy(value, account->owner, CELLA_KEY_SIZE);
    write_u64(value + CELLA_KEY_SIZE, account->balance);
    write_u64(value + CELLA_KEY_SIZE + 8, account->entries);
    return cella_put(transaction, account_key(name, key), CELLA_BYTES(value, sizeof value));
}

static enum cella_status parse_entry(struct cella_bytes value, struct ledger_entry *ret_entry) {
    if (value.size < ENTRY_FIXED || value.size - ENTRY_FIXED > LEDGER_ACCOUNT_MAX)
        return CELLA_DAMAGED;
    ret_entry->number = read_u64(value.data);
    ret_entry->amount = read_u64(value.data + 8);
    ret_entry->balance = read_u64(value.data + 16);
    ret_entry->incoming = value.data[24] != 0;
    memcpy(ret_entry->other, value.data + ENTRY_FIXED, value.size - ENTRY_FIXED);
    ret_entry->other[value.size - ENTRY_FIXED] = '\0';
    return CELLA_OK;
}

enum cella_status book_entry(struct cella_transaction *transaction, const char *name, uint64_t index,
                             struct ledger_entry *ret_entry) {
    uint8_t key[KEY_MAX];
    struct cella_bytes value;
    enum cella_status status = cella_get(transaction, entry_key(name, index, key), &value);
    return status == CELLA_OK ? parse_entry(value, ret_entry) : status;
}

/* Writes an account with a further entry. */
static enum cella_status book_one(struct cella_transaction *transaction, const char *name,
                                  struct ledger_account *account, const struct ledger_entry *entry) {
    uint8_t key[KEY_MAX];
    uint8_t value[ENTRY_FIXED + LEDGER_ACCOUNT_MAX];
    size_t other = strlen(entry->other);
    write_u64(value, entry->number);
    write_u64(value + 8, entry->amount);
    write_u64(value + 16, account->balance);
    value[24] = entry->incoming;
    memcpy(value + ENTRY_FIXED, entry->other, other);
    enum cella_status status = cella_put(transaction, entry_key(name, account->entries, key),
                                         CELLA_BYTES(value, ENTRY_FIXED + other));
    if (status != CELLA_OK)
        return status;
    account->entries++;
    return put_account(transaction, name, account);
}

static enum cella_status apply_open(struct cella_transaction *transaction,
                                    const uint8_t sender[CELLA_KEY_SIZE], const char *name,
                                    struct ledger_outcome *outcome) {
    struct ledger_account account = {.balance = 0};
    struct ledger_totals totals;
    enum cella_status status = book_account(transaction, name, &account);
    if (status == CELLA_OK) {
        *outcome = (struct ledger_outcome){.refusal = LEDGER_EXISTS};
        return CELLA_OK;
    }
    if (status == CELLA_NOT_FOUND)
        status = book_totals(transaction, &totals);
    if (status != CELLA_OK)
        return status;
    memcpy(account.owner, sender, CELLA_KEY_SIZE);
    totals.accounts++;
    outcome->opened = true;
    status = put_account(transaction, name, &account);
    return status == CELLA_OK ? put_totals(transaction, &totals) : status;
}

static enum cella_status apply_issue(struct cella_transaction *transaction, bool is_issuer,
                                     const struct ledger_instruction *instruction,
                                     struct ledger_outcome *outcome) {
    struct ledger_account account;
    struct ledger_totals totals;
    enum cella_status status = book_account(transaction, instruction->account, &account);
    if (status != CELLA_OK && status != CELLA_NOT_FOUND)
        return status;
    if (!is_issuer || status == CELLA_NOT_FOUND) {
        outcome->refusal = status == CELLA_NOT_FOUND ? LEDGER_UNKNOWN_ACCOUNT : LEDGER_NOT_OWNER;
        return CELLA_OK;
    }
    status = book_totals(transaction, &totals);
    if (status != CELLA_OK)
        return status;
    if (instruction->amount > LEDGER_TOTAL_MAX - totals.issued) {
        outcome->refusal = LEDGER_AMOUNT;
        return CELLA_OK;
    }
    totals.issued += instruction->amount;
    totals.entries++;
    account.balance += instruction->amount;
    const struct ledger_entry entry = {
        .number = totals.entries, .incoming = true, .amount = instruction->amount};
    *outcome = (struct ledger_outcome){.number = totals.entries, .balance = account.balance};
    status = book_one(transaction, instruction->account, &account, &entry);
    return status == CELLA_OK ? put_totals(transaction, &totals) : status;
}

/* Why a transfer cannot be, or LEDGER_DONE with both accounts. */
static enum cella_status judge(struct cella_transaction *transaction, const uint8_t sender[CELLA_KEY_SIZE],
                               const struct ledger_instruction *instruction,
                               struct ledger_account accounts[2], enum ledger_refusal *ret_refusal) {
    enum cella_status from = book_account(transaction, instruction->account, &accounts[0]);
    enum cella_status to = book_account(transaction, instruction->to, &accounts[1]);
    if (from != CELLA_OK && from != CELLA_NOT_FOUND)
        return from;
    if (to != CELLA_OK && to != CELLA_NOT_FOUND)
        return to;
    *ret_refusal = LEDGER_DONE;
    if (from == CELLA_NOT_FOUND || to == CELLA_NOT_FOUND)
        *ret_refusal = LEDGER_UNKNOWN_ACCOUNT;
    else if (memcmp(accounts[0].owner, sender, CELLA_KEY_SIZE) != 0)
        *ret_refusal = LEDGER_NOT_OWNER;
    else if (strcmp(instruction->account, instruction->to) == 0)
        *ret_refusal = LEDGER_SAME_ACCOUNT;
    else if (accounts[0].balance < instruction->amount)
        *ret_refusal = LEDGER_FUNDS;
    return CELLA_OK;
}

static enum cella_status apply_transfer(struct cella_transaction *transaction,
                                        const uint8_t sender[CELLA_KEY_SIZE],
                                        const struct ledger_instruction *instruction,
                                        struct ledger_outcome *outcome) {
    struct ledger_account accounts[2];
    struct ledger_totals totals;
    enum cella_status status = judge(transaction, sender, instruction, accounts, &outcome->refusal);
    if (status != CELLA_OK || outcome->refusal != LEDGER_DONE)
        return status;
    status = book_totals(transaction, &totals);
    if (status != CELLA_OK)
        return status;
    totals.entries++;
    accounts[0].balance -= instruction->amount;
    accounts[1].balance += instruction->amount;
    struct ledger_entry entry = {.number = totals.entries, .amount = instruction->amount};
    *outcome = (struct ledger_outcome){.number = totals.entries, .balance = accounts[0].balance};
    memcpy(entry.other, instruction->to, sizeof entry.other);
    status = book_one(transaction, instruction->account, &accounts[0], &entry);
    if (status != CELLA_OK)
        return status;
    entry.incoming = true;
    memcpy(entry.other, instruction->account, sizeof entry.other);
    status = book_one(transaction, instruction->to, &accounts[1], &entry);
    return status == CELLA_OK ? put_totals(transaction, &totals) : status;
}

enum cella_status book_apply(struct cella_transaction *transaction, const uint8_t sender[CELLA_KEY_SIZE],
                             bool is_issuer, const struct ledger_instruction *instruction,
                             struct ledger_outcome *ret_outcome) {
    *ret_outcome = (struct ledger_outcome){.refusal = LEDGER_DONE};
    if (instruction->verb == LEDGER_OPEN)
        return apply_open(transaction, sender, instruction->account, ret_outcome);
    if (instruction->amount == 0 || instruction->amount > LEDGER_AMOUNT_MAX) {
        ret_outcome->refusal = LEDGER_AMOUNT;
        return CELLA_OK;
    }
    return instruction->verb == LEDGER_ISSUE ? apply_issue(transaction, is_issuer, instruction, ret_outcome)
                                             : apply_transfer(transaction, sender, instruction, ret_outcome);
}

/* What a walk over the books has found so far. */
struct walk {
    uint64_t accounts, sum;
    uint64_t outgoing, incoming; /* entries */
    uint64_t issues;
};

static enum cella_status walk_entry(struct walk *walk, const struct ledger_entry *entry,
                                    const struct ledger_totals *totals, uint64_t *balance) {
    if (entry->number == 0 || entry->number > totals->entries || entry->amount > LEDGER_AMOUNT_MAX)
        return CELLA_DAMAGED;
    walk->incoming += entry->incoming ? 1 : 0;
    walk->outgoing += entry->incoming ? 0 : 1;
    walk->issues += entry->other[0] == '\0' ? 1 : 0;
    *balance += entry->incoming ? entry->amount : 0 - entry->amount;
    return *balance == entry->balance ? CELLA_OK : CELLA_DAMAGED;
}

/* All entries of an account, from its opening to its balance. */
static enum cella_status walk_account(struct cella_transaction *transaction, struct cella_bytes account_key,
                                      const struct ledger_account *account,
                                      const struct ledger_totals *totals, struct walk *walk) {
    uint8_t prefix[KEY_MAX];
    struct cella_scan *scan = NULL;
    struct cella_bytes key, value;
    uint64_t balance = 0, count = 0;
    if (account_key.size < 3 || account_key.size > 2 + LEDGER_ACCOUNT_MAX)
        return CELLA_DAMAGED;
    size_t size = account_key.size;
    memcpy(prefix, account_key.data, size);
    prefix[0] = 'e';
    prefix[size++] = '/';
    enum cella_status status = cella_scan_prefix(transaction, CELLA_BYTES(prefix, size), &scan);
    while (status == CELLA_OK && cella_scan_next(scan, &key, &value)) {
        struct ledger_entry entry;
        status = key.size == size + 8 && read_u64(key.data + size) == count++ ? parse_entry(value, &entry)
                                                                              : CELLA_DAMAGED;
        if (status == CELLA_OK)
            status = walk_entry(walk, &entry, totals, &balance);
    }
    enum cella_status walked = cella_scan_free(scan);
    if (status == CELLA_OK)
        status = walked;
    if (status == CELLA_OK && (count != account->entries || balance != account->balance))
        status = CELLA_DAMAGED;
    return status;
}

/* Each number was given to an issue, or to the two sides of a transfer. */
static bool agree(const struct walk *walk, const struct ledger_totals *totals) {
    return walk->accounts == totals->accounts && walk->sum == totals->issued &&
           walk->incoming == totals->entries && walk->outgoing + walk->issues == totals->entries;
}

enum cella_status book_audit(struct cella_transaction *transaction, struct ledger_totals *ret_totals,
                             uint64_t *ret_sum) {
    struct walk walk = {.accounts = 0};
    struct cella_scan *scan = NULL;
    struct cella_bytes key, value;
    enum cella_status status = book_totals(transaction, ret_totals);
    if (status == CELLA_OK)
        status = cella_scan_prefix(transaction, CELLA_BYTES("a/", 2), &scan);
    while (status == CELLA_OK && cella_scan_next(scan, &key, &value)) {
        struct ledger_account account = {.balance = 0};
        status = parse_account(value, &account);
        if (status == CELLA_OK)
            status = walk_account(transaction, key, &account, ret_totals, &walk);
        walk.sum += account.balance;
        walk.accounts++;
    }
    enum cella_status walked = cella_scan_free(scan);
    if (status == CELLA_OK)
        status = walked;
    *ret_sum = walk.sum;
    return status == CELLA_OK && !agree(&walk, ret_totals) ? CELLA_DAMAGED : status;
}
