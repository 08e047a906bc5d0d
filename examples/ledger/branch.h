/* A branch's side of the ledger: sends a file of instructions in batches, each of them carried out once, and
 * keeps on its own disk how far it came and its last receipt, so that it can go on after anything. Must not:
 * send a batch in another form after it may have left. */
#ifndef LEDGER_BRANCH_H
#define LEDGER_BRANCH_H

#include "ledger.h"
#include <cella/client.h>

/* The enclave's word that a transfer or an issue was carried out. */
struct branch_receipt {
    struct ledger_instruction instruction;
    uint64_t number;
    uint64_t balance; /* of the instruction's account after it */
};

/* How far a file of instructions came; kept as a file of text. */
struct branch_progress {
    uint64_t fingerprint; /* of the whole file: another one must not go on where this one stopped */
    uint64_t batch;       /* instructions in each mail */
    uint64_t answered;    /* instructions */
    uint64_t opened, done;
    uint64_t refused[LEDGER_REFUSALS];
    bool has_receipt;
    struct branch_receipt receipt; /* the last one */
};

/* Reads it. CELLA_NOT_FOUND: there is none yet. CELLA_DAMAGED. */
enum cella_status branch_progress_read(const char *path, struct branch_progress *ret_progress,
                                       struct cella_error *error);

struct branch_feed {
    struct cella_client *client;
    struct cella_bytes instructions; /* the whole file */
    const char *progress_path;
    unsigned batch; /* instructions in each mail, if none has left yet; at most LEDGER_INSTRUCTIONS_MAX */
    /* Told of each batch, when its answers are noted on disk: answers[i] is to the i-th of its lines. `first`
     * counts instructions from 0. May be NULL; false ends the feed with CELLA_INTERRUPTED. */
    bool (*answered)(void *context, uint64_t first, const struct ledger_outcome *answers, size_t count);
    void *context;
};

/* Sends what the progress says is not answered yet, and keeps the progress. Call it again after any failure
 * and after a crash: a batch in doubt is asked for again in the same form, and is not done twice.
 * CELLA_ARGUMENT: a line is no instruction (nothing of the file was sent by this call), or the file is not
 * the one that the progress is of. CELLA_DAMAGED: an answer that the ledger does not give. What
 * cella_client_request says. CELLA_IO: an answer may have come that could not be noted: end without
 * cella_client_free and cella_client_save, which would let the client forget that it has to ask again. */
enum cella_status branch_send(const struct branch_feed *feed, struct branch_progress *ret_progress,
                              struct cella_error *error);

/* Asks; the answer is text from malloc. What cella_client_query says. */
enum cella_status branch_ask(struct cella_client *client, const char *question, char **ret_answer,
                             struct cella_error *error);

/* Whether the statement of the receipt's account has the entry that the receipt tells of, as one of its
 * newest LEDGER_STATEMENT_MAX. CELLA_OK; CELLA_NOT_FOUND: it has not. */
enum cella_status branch_check_receipt(struct cella_client *client, const struct branch_receipt *receipt,
                                       struct cella_error *error);

#endif
