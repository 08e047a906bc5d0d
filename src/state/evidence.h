/* Proof of a fork that anyone can check: two heads that a vault signed and that no one history can hold.
 * Format: formats/fork-evidence.md. */
#ifndef CELLA_STATE_EVIDENCE_H
#define CELLA_STATE_EVIDENCE_H

#include "state/genesis.h"
#include "state/tree.h"

#define CELLA_FORK_EVIDENCE_SIZE_MAX                                                                         \
    (16 + CELLA_GENESIS_SIZE_MAX + 2 * CELLA_SIGNED_HEAD_SIZE + CELLA_TREE_PROOF_NODES * CELLA_DIGEST_SIZE)

/* Why the two heads cannot be of one history. Numbers are part of the format. */
enum cella_fork_reason {
    CELLA_FORK_BY_HEADS = 1, /* they contradict each other by themselves (cella_heads_compare) */
    CELLA_FORK_BY_PROOF =
        2, /* `proof` leads to the root of the second and to another root than the first's */
    /* The vault, standing at the first, was shown the second, which it does not hold although it alone can
     * have signed it, and was still the owner by its register: it was set back together with the register.
     * It signed that it saw this. */
    CELLA_FORK_BY_TESTIMONY = 3,
};

struct cella_fork_evidence {
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    enum cella_fork_reason reason;
    /* Not of a later lineage than the second; in the same one not of a larger version. */
    struct cella_signed_head first;
    struct cella_signed_head second;
    size_t proof_count;
    uint8_t proof[CELLA_TREE_PROOF_NODES * CELLA_DIGEST_SIZE]; /* from the first to the second */
    uint8_t testimony[CELLA_ED25519_SIGNATURE_SIZE];
};

/* Evidence of two heads, in any order, that contradict each other. It has no proof and no testimony yet; with
 * them the caller sets the reason. */
void cella_fork_evidence_init(struct cella_fork_evidence *ret_evidence, struct cella_bytes genesis,
                              const struct cella_signed_head *one, const struct cella_signed_head *other);
/* Makes it evidence by testimony, signed by the vault's key. Only for an instance that asked its register
 * after it saw the second head, and still is the owner: one that is not was fenced, which is no fork.
 * CELLA_CRYPTO. */
enum cella_status cella_fork_evidence_testify(struct cella_fork_evidence *evidence,
                                              const struct cella_ed25519_key *vault_key);

/* `out` has CELLA_FORK_EVIDENCE_SIZE_MAX bytes; returns how many are used. */
size_t cella_fork_evidence_write(const struct cella_fork_evidence *evidence, uint8_t *out);
/* CELLA_DAMAGED, CELLA_NEWER_FORMAT. Does not verify. */
enum cella_status cella_fork_evidence_parse(struct cella_bytes bytes,
                                            struct cella_fork_evidence *ret_evidence,
                                            struct cella_error *error);
/* CELLA_OK: this is a proof for the vault that the genesis names; `text` (may be NULL) gets one sentence that
 * says of what. CELLA_EVIDENCE_PROVES_NOTHING: it proves nothing; the message says why. */
enum cella_status cella_fork_evidence_verify(const struct cella_fork_evidence *evidence, char *text,
                                             size_t text_size, struct cella_error *error);

#endif
