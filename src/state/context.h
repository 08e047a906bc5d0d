/* What client and vault tell each other in the context of each mail: heads, proofs, restores, and which posts
 * arrived. Compiled for both. Format: formats/context.md. */
#ifndef CELLA_STATE_CONTEXT_H
#define CELLA_STATE_CONTEXT_H

#include "state/evidence.h"
#include "state/restore.h"

#define CELLA_CONTEXT_DOUBTS_MAX   2
#define CELLA_CONTEXT_RESTORES_MAX 2
#define CELLA_CLIENT_CONTEXT_SIZE_MAX                                                                        \
    (16 + (1 + CELLA_CONTEXT_DOUBTS_MAX) * CELLA_SIGNED_HEAD_SIZE) /* usually 240 */
#define CELLA_CONTEXT_SIZE_MAX                                                                               \
    (8 + CELLA_SIGNED_HEAD_SIZE + 16 + CELLA_DIGEST_SIZE + CELLA_TREE_PROOF_NODES * CELLA_DIGEST_SIZE +      \
     CELLA_CONTEXT_RESTORES_MAX * (4 + CELLA_RESTORE_SIZE_MAX)) /* of either, in bytes */

/* From a client. The vault answers only if every head in it is of its own history, or of a range that a
 * restore took away. */
struct cella_client_context {
    bool has_head;
    struct cella_signed_head head; /* the newest that the client has verified */
    /* Heads that the vault signed and that nothing has yet tied to `head`: of answers and posts that came
     * without a proof, out of order, from another instance. Only with a head. */
    unsigned doubt_count;
    struct cella_signed_head doubts[CELLA_CONTEXT_DOUBTS_MAX];
    uint64_t collected; /* number of the last of its posts up to which all have arrived */
};

/* From a vault, with each answer and post.
 *
 * What a vault puts in, for a client whose head has version v and lineage l:
 * - The vault's lineage is l: a proof from v, unless the instance itself signed the client's head: then there
 *   is nothing to show.
 * - A later lineage: its newest restore, and before it, if it is another, the restore since l with the
 *   smallest fork point; a proof from v if v is of the vault's history, else from the smallest fork point.
 * - No head of a client (a post, a first mail): neither.
 * - The client had doubts: their digest, since the instance has found them in its history. */
struct cella_vault_context {
    struct cella_signed_head head;
    bool has_proof;      /* as cella_tree_prove gives it, to head.version */
    uint64_t proof_from; /* a version: the client's, or the fork point of one of the restores */
    size_t proof_count;
    uint8_t proof[CELLA_TREE_PROOF_NODES * CELLA_DIGEST_SIZE];
    unsigned restore_count; /* ascending by lineage; the last one began the head's lineage */
    struct cella_restore restores[CELLA_CONTEXT_RESTORES_MAX];
    bool has_settled;
    uint8_t settled[CELLA_DIGEST_SIZE]; /* cella_client_context_doubts of the request that is answered */
};

/* `out` has CELLA_CLIENT_CONTEXT_SIZE_MAX bytes; returns how many are used. */
size_t cella_client_context_write(const struct cella_client_context *context, uint8_t *out);
/* CELLA_DAMAGED, CELLA_NEWER_FORMAT. Does not verify. */
enum cella_status cella_client_context_parse(struct cella_bytes bytes,
                                             struct cella_client_context *ret_context,
                                             struct cella_error *error);
/* Names the doubts of a context. False: there are none. */
bool cella_client_context_doubts(const struct cella_client_context *context,
                                 uint8_t ret_digest[CELLA_DIGEST_SIZE]);
/* `out` has CELLA_CONTEXT_SIZE_MAX bytes. CELLA_ARGUMENT: fields that contradict each other. */
enum cella_status cella_vault_context_write(const struct cella_vault_context *context, uint8_t *out,
                                            size_t *ret_size, struct cella_error *error);
enum cella_status cella_vault_context_parse(struct cella_bytes bytes, struct cella_vault_context *ret_context,
                                            struct cella_error *error);

/* What a client knows of a vault, and how a vault's context changes it. Starts as zeros with the genesis. */
struct cella_vault_known {
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX]; /* from the attestation; its hash is the pinned vault id */
    size_t genesis_size;
    bool has_head;
    struct cella_signed_head head;
    unsigned doubt_count;
    struct cella_signed_head doubts[CELLA_CONTEXT_DOUBTS_MAX];
};

/* The context that goes with the next request. Keep it until the answer was judged. */
void cella_vault_known_ask(const struct cella_vault_known *known, uint64_t collected,
                           struct cella_client_context *ret_context);

/* Judges `context`, which came in authenticated mail of an attested instance of this vault, against `known`
 * and changes known on CELLA_OK and CELLA_VAULT_RESTORED, and only then. `asked` is the client's context that
 * went with the request that is answered; NULL for a post.
 *
 * CELLA_OK: what was received may count. A context of an older head than known changes nothing if it is of
 * known's own instance; of another instance it becomes a doubt, which the next request puts to the vault.
 * CELLA_SIGNATURE_INVALID: not signed by the vault's key, or of another vault. CELLA_VAULT_FORK: the
 * histories contradict; `*ret_evidence` holds the proof, which verifies. CELLA_VAULT_PROOF: a proof is
 * missing or wrong, or there are too many doubts, so that continuity cannot be seen: what was received must
 * not count; asking again (the same request by its name) is right. CELLA_VAULT_RESTORED: the owners brought
 * the vault back to an older head; known was moved, the message names the lost range: what this client did
 * there is gone. A restore by which this client lost nothing is CELLA_OK. CELLA_VAULT_RESTORE: another
 * lineage without a restore that the owners signed. */
enum cella_status cella_vault_known_judge(struct cella_vault_known *known,
                                          const struct cella_client_context *asked,
                                          const struct cella_vault_context *context,
                                          struct cella_fork_evidence *ret_evidence,
                                          struct cella_error *error);

#endif
