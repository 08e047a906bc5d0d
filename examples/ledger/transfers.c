/* Makes the file of transfers that tests and demo feed the ledger with: always the same one. Each line names
 * the branch that sends it, and what it sends; some of them must be refused. Must not: depend on anything but
 * this file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BRANCHES = 4, ACCOUNTS = 250, TRANSFERS = 100000 };

/* SplitMix64: small, and its numbers are the same everywhere. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned pick(uint64_t *state, unsigned count) {
    return (unsigned)(next_random(state) % count);
}

static void print_transfer(FILE *file, uint64_t *state) {
    unsigned branch = pick(state, BRANCHES);
    unsigned payer = branch;
    unsigned from = pick(state, ACCOUNTS);
    unsigned to_branch = pick(state, BRANCHES);
    unsigned to = pick(state, ACCOUNTS);
    /* Mostly small, now and then more than an account has. */
    unsigned amount = 1 + pick(state, pick(state, 10) == 0 ? 200000 : 5000);
    switch (pick(state, 200)) {
    case 0: /* another branch's account */
        payer = (branch + 1) % BRANCHES;
        break;
    case 1: /* an account that nobody has opened */
        to = ACCOUNTS + pick(state, ACCOUNTS);
        break;
    case 2:
        amount = 0;
        break;
    case 3:
        to_branch = payer;
        to = from;
        break;
    default:
        break;
    }
    (void)fprintf(file, "%u transfer b%u-%04u b%u-%04u %u\n", branch + 1, payer + 1, from + 1, to_branch + 1,
                  to + 1, amount);
}

int main(int argument_count, char **arguments) {
    uint64_t state = 20260314;
    FILE *file = argument_count == 2 ? fopen(arguments[1], "w") : NULL;
    if (file == NULL) {
        (void)fprintf(stderr, "usage: ledger-transfers FILE\n");
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < TRANSFERS; i++)
        print_transfer(file, &state);
    return fclose(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
