/* Writes docs/status.md to stdout from the tables of statuses and exit codes.
 * Must not hold any text of a status itself. */
#include <cella/status.h>
#include <stdio.h>

static void exit_codes(void) {
    puts("| exit code | meaning |");
    puts("|---|---|");
#define CELLA_EXIT_ROW(code, meaning) printf("| %d | %s |\n", (code), (meaning));
#include <cella/exit_codes.def>
#undef CELLA_EXIT_ROW
}

static void statuses(void) {
#define CELLA_STATUS_ROW(name, number, exit_code, sentence, remedy)                                          \
    printf("\n## %s\n\n%s (status %d, exit code %d)\n\nWhat to do: %s.\n", #name, (sentence), (number),      \
           (exit_code), (remedy));
#include <cella/status.def>
#undef CELLA_STATUS_ROW
}

int main(void) {
    puts("# Statuses\n");
    puts("Every failing call and command names one of these words; a command prints it in brackets at the");
    puts("end of its first line and ends with the exit code. `cella help WORD` prints the same text.");
    puts("This page is made from `include/cella/status.def` by `make docs`.\n");
    exit_codes();
    statuses();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
