/* What the files of the demo's second part share: a ledger in a host process of its own. Must not: be
 * included outside of src/cli/demo_ledger*.c and verb_demo.c. */
#ifndef CELLA_CLI_DEMO_LEDGER_H
#define CELLA_CLI_DEMO_LEDGER_H

#include "cli/demo.h"
#include "ledger/branch.h"
#include "ledger/plain.h"
#include <stdatomic.h>
#include <sys/types.h>

#define DEMO_LEDGER "ledger"

enum { DEMO_LEDGER_ISSUER = PLAIN_BRANCHES, DEMO_LEDGER_CLIENTS, DEMO_LEDGER_BATCH = 250 };

/* The answers to one batch, in the order in which its branch got them. */
struct demo_batch {
    unsigned branch;
    uint64_t first; /* instruction of the branch */
    size_t count;
    struct ledger_outcome *answers;
};

struct demo_ledger {
    char keys[DEMO_LEDGER_CLIENTS][DEMO_KEY_TEXT];
    char constraint[256];
    struct plain_file file;
    struct plain_books books; /* what plain computation says after all answers */

    pid_t host; /* 0: none runs */
    char url[64];
    unsigned port;

    struct demo_batch *batches; /* of all branches, as they came */
    size_t batch_count, batch_capacity;
    struct branch_progress progress[DEMO_LEDGER_CLIENTS];
    uint64_t copied_at; /* transfers that were answered when the disk was copied */
    unsigned extra;     /* transfers that branch-1 made after those of the file */
};

/* --- clients (demo_ledger_agree.c) --- */

const char *demo_ledger_client_name(unsigned client);
enum cella_status demo_ledger_client(const struct demo *demo, unsigned client,
                                     struct cella_client **ret_client, struct cella_error *error);
/* Asks one question with a client of its own; fails the story unless it is answered. NULL then. */
char *demo_ledger_ask(struct demo *demo, unsigned client, const char *question);
/* The same, for the status alone. */
enum cella_status demo_ledger_try(struct demo *demo, unsigned client, const char *question,
                                  struct cella_error *error);

/* --- the host's process (demo_ledger_host.c); false when the story failed --- */

bool demo_ledger_host_start(struct demo *demo);
/* SIGTERM, or SIGKILL; waits for its end. */
bool demo_ledger_host_end(struct demo *demo, int signal_number);
/* What the host says of the enclave, for json_decref; NULL when the story failed. */
json_t *demo_ledger_status(struct demo *demo);
/* A folder of the ledger's host: "vaults/ledger". */
struct demo_path demo_ledger_vault(const struct demo *demo);
/* Runs `cella vault explain` on the vault and quotes those sentences that contain one of the texts (the list
 * ends with NULL); false if one of the texts is in none. */
bool demo_ledger_explain(struct demo *demo, const char *const *texts);

/* --- answers and books (demo_ledger_books.c) --- */

/* Compares all answers with plain computation, in the order that the entries' numbers tell, and leaves the
 * books as they must be. */
bool demo_ledger_compare(struct demo *demo);
/* The audit's line as it must be now. */
void demo_ledger_audit_line(const struct demo_ledger *ledger, char *out, size_t capacity);
/* Asks for the audit and checks it. */
bool demo_ledger_check_audit(struct demo *demo, unsigned client);
/* The same with every client, told in one line. */
bool demo_ledger_check_audits(struct demo *demo);

#endif
