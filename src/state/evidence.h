/* Proof of a fork that anyone can check: two heads that a vault signed and that no one history can hold.
 * Format: formats/fork-evidence.md. */
#ifndef CELLA_STATE_EVIDENCE_H
#define CELLA_STATE_EVIDENCE_H

#include "state/genesis.h"
#include "state/tree.h"

#define CELLA_FORK_EVIDENCE_SIZE_MAX 8192

struct cella_fork_evidence {
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    struct cella_signed_head first; /* the one of the smaller version */
    struct cella_signed_head second;
    size_t proof_count; /* 0 where the two heads contradict each other by themselves */
    uint8_t proof[CELLA_TREE_PROOF_NODES][CELLA_DIGEST_SIZE];
};

enum cella_status cella_fork_evidence_write(const struct cella_fork_evidence *evidence, uint8_t *out,
                                            size_t *ret_size, struct cella_error *error);
enum cella_status cella_fork_evidence_parse(struct cella_bytes bytes,
                                            struct cella_fork_evidence *ret_evidence,
                                            struct cella_error *error);
/* CELLA_OK: this is a proof; `text` (may be NULL) gets one sentence that says of what.
 * CELLA_EVIDENCE_PROVES_NOTHING: it proves nothing; the message says why. */
enum cella_status cella_fork_evidence_verify(const struct cella_fork_evidence *evidence, char *text,
                                             size_t text_size, struct cella_error *error);

#endif
