/* Fuzz target: the ledger's lines. What is accepted comes back as it was: each line has one spelling. */
#include "ledger.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct cella_bytes line, const char *again) {
    if (line.size != strlen(again) || memcmp(line.data, again, line.size) != 0)
        __builtin_trap();
}

static void check_instruction(struct cella_bytes line) {
    struct ledger_instruction read;
    char again[2 * LEDGER_LINE_MAX] = "";
    if (!ledger_parse(line, &read))
        return;
    switch (read.verb) {
    case LEDGER_OPEN:
        (void)snprintf(again, sizeof again, "open %s", read.account);
        break;
    case LEDGER_ISSUE:
        (void)snprintf(again, sizeof again, "issue %s %" PRIu64, read.account, read.amount);
        break;
    case LEDGER_TRANSFER:
        (void)snprintf(again, sizeof again, "transfer %s %s %" PRIu64, read.account, read.to, read.amount);
        break;
    }
    check(line, again);
}

static void check_outcome(struct cella_bytes line) {
    struct ledger_outcome read;
    char again[2 * LEDGER_LINE_MAX];
    if (!ledger_parse_outcome(line, &read) || read.opened)
        return;
    if (read.refusal != LEDGER_DONE)
        (void)snprintf(again, sizeof again, "refused %s", ledger_refusal_word(read.refusal));
    else
        (void)snprintf(again, sizeof again, "done %" PRIu64 " %" PRIu64, read.number, read.balance);
    check(line, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_bytes line;
    size_t position = 0;
    while (ledger_next_line(CELLA_BYTES(data, size), &position, &line)) {
        check_instruction(line);
        check_outcome(line);
    }
    return 0;
}
