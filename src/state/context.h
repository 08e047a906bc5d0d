/* What client and vault tell each other in the context of each mail: heads, proofs, restores, and which posts
 * arrived. Compiled for both. Format: formats/context.md. */
#ifndef CELLA_STATE_CONTEXT_H
#define CELLA_STATE_CONTEXT_H

#include "state/evidence.h"
#include "state/restore.h"

#define CELLA_CONTEXT_SIZE_MAX     8192
#define CELLA_CONTEXT_RESTORES_MAX 4

/* From a client. */
struct cella_client_context {
    bool has_head;
    struct cella_signed_head head; /* the newest that the client has verified */
    uint64_t collected;            /* number of the last of its posts up to which all have arrived */
};

/* From a vault, with each answer and post. */
struct cella_vault_context {
    struct cella_signed_head head;
    bool has_proof;      /* from the client's head, if it sent one of this lineage, to this one */
    uint64_t proof_from; /* its version */
    size_t proof_count;
    uint8_t proof[CELLA_TREE_PROOF_NODES][CELLA_DIGEST_SIZE];
    unsigned restore_count; /* restores since the client's lineage, oldest first */
    struct cella_restore restores[CELLA_CONTEXT_RESTORES_MAX];
};

enum cella_status cella_client_context_write(const struct cella_client_context *context, uint8_t *out,
                                             size_t *ret_size, struct cella_error *error);
enum cella_status cella_client_context_parse(struct cella_bytes bytes,
                                             struct cella_client_context *ret_context,
                                             struct cella_error *error);
enum cella_status cella_vault_context_write(const struct cella_vault_context *context, uint8_t *out,
                                            size_t *ret_size, struct cella_error *error);
enum cella_status cella_vault_context_parse(struct cella_bytes bytes, struct cella_vault_context *ret_context,
                                            struct cella_error *error);

/* What a client knows of a vault, and how a vault's context changes it. */
struct cella_vault_known {
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX]; /* from the attestation; its hash is the pinned vault id */
    size_t genesis_size;
    bool has_head;
    struct cella_signed_head head;
};

/* Judges `context`, which an attested instance of this vault sent, against `known` and on success moves known
 * to it. `asked` is the client's context that went with the request (proofs go on from it); a context of an
 * older version than `known` that fits (answers may overtake each other) is accepted and changes nothing.
 * CELLA_SIGNATURE_INVALID: not signed by the vault's key. CELLA_VAULT_FORK: the histories contradict;
 * `*ret_evidence` holds the proof. CELLA_VAULT_PROOF: a proof is missing or wrong, so that continuity cannot
 * be seen. CELLA_VAULT_RESTORED: the owners brought the vault back to an older head; known was moved, the
 * message names the lost range: what this client did there is gone. CELLA_VAULT_RESTORE: a restore that the
 * owners did not sign. */
enum cella_status cella_vault_known_judge(struct cella_vault_known *known,
                                          const struct cella_client_context *asked,
                                          const struct cella_vault_context *context,
                                          struct cella_fork_evidence *ret_evidence,
                                          struct cella_error *error);

#endif
