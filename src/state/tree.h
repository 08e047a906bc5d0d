/* The history tree (RFC 9162, section 2.1) over record digests: roots, consistency proofs, and their check.
 * An enclave keeps the frontier and the newest nodes; the host stores all of them and proves nothing by it.
 * Node numbers, hashes and file layout: formats/history.md. Must not: read a file. */
#ifndef CELLA_STATE_TREE_H
#define CELLA_STATE_TREE_H

#include "state/head.h"

#define CELLA_TREE_LEVELS      63   /* of a tree of CELLA_VERSION_MAX leaves */
#define CELLA_TREE_RECENT      1024 /* of so many newest leaves everything is kept, in about 70 KiB */
#define CELLA_TREE_PROOF_NODES 64   /* no proof has more */

/* Names one complete subtree: `level` 0 are leaves, `index` counts from the left. */
struct cella_tree_node {
    uint8_t level;
    uint64_t index;
};

struct cella_tree;

/* An empty tree, or one that goes on from a frontier (the roots of the complete subtrees of `size`, largest
 * first, one for each bit that is set in `size`). CELLA_NO_MEMORY; restore: CELLA_DAMAGED: the frontier is
 * not one for this size, or the size is above CELLA_VERSION_MAX. */
enum cella_status cella_tree_new(struct cella_tree **ret_tree);
enum cella_status cella_tree_restore(uint64_t size, struct cella_bytes frontier,
                                     struct cella_tree **ret_tree);
/* NULL is allowed. */
void cella_tree_free(struct cella_tree *tree);

uint64_t cella_tree_size(const struct cella_tree *tree);
/* SHA-256 of nothing for an empty tree, as the RFC says. */
void cella_tree_root(const struct cella_tree *tree, uint8_t ret_root[CELLA_DIGEST_SIZE]);
/* 32 bytes for each bit that is set in the size, largest subtree first. `out` has room for CELLA_TREE_LEVELS
 * of them. */
size_t cella_tree_frontier(const struct cella_tree *tree, uint8_t *out);

/* Appends a leaf that holds `record_digest`. Never needs memory: what it needs was taken at the start. */
void cella_tree_append(struct cella_tree *tree, const uint8_t record_digest[CELLA_DIGEST_SIZE]);

/* Where a node lies in the history file, counted in nodes: the order in which appending completes them. After
 * `size` leaves the file holds cella_tree_node_count(size) nodes. */
uint64_t cella_tree_position(struct cella_tree_node node);
uint64_t cella_tree_node_count(uint64_t size);
/* The hashes of the nodes from position `first` on that are still kept, at most `count`, to `out` (32 bytes
 * each); returns how many. What the host's file does not have yet is written with it. */
size_t cella_tree_nodes(const struct cella_tree *tree, uint64_t first, size_t count, uint8_t *out);
/* The oldest position from which cella_tree_nodes gives everything to the end. */
uint64_t cella_tree_oldest(const struct cella_tree *tree);

/* A node that the tree itself no longer keeps comes from `fetch` (the host's file; NULL: there is none).
 * CELLA_NOT_FOUND and others end the proof. */
struct cella_tree_fetcher {
    void *context;
    enum cella_status (*fetch)(void *context, struct cella_tree_node node,
                               uint8_t ret_hash[CELLA_DIGEST_SIZE]);
};

/* Two sizes of a tree, the older one first. */
struct cella_tree_range {
    uint64_t from, to;
};
/* The proof that the first `from` leaves of the tree began the tree of `to` leaves, 32 bytes for each node,
 * to `out` of 32 * CELLA_TREE_PROOF_NODES bytes: PROOF(from, D[to]) of the RFC, and where `from` is a power
 * of two (then PROOF lacks it) the root of those `from` leaves in front. With it a proof always says by
 * itself what the older root was. `from` from 0 to `to`, `to` up to the tree's size; 0 and `to` give an empty
 * proof.
 *
 * What has to be fetched is checked against the tree's own root: CELLA_HISTORY_DAMAGED. With `to` at most
 * CELLA_TREE_RECENT below the size, and `from` not much older, nothing is fetched. CELLA_ARGUMENT:
 * sizes that this tree never had. */
enum cella_status cella_tree_prove(const struct cella_tree *tree, struct cella_tree_range range,
                                   const struct cella_tree_fetcher *fetcher, uint8_t *out, size_t *ret_count,
                                   struct cella_error *error);
/* The root of the tree when it had `size` leaves, by the same way and with the same checks. */
enum cella_status cella_tree_root_at(const struct cella_tree *tree, uint64_t size,
                                     const struct cella_tree_fetcher *fetcher,
                                     uint8_t ret_root[CELLA_DIGEST_SIZE], struct cella_error *error);

/* RFC 9162, section 2.1.4.2, from its step 3 on: computes from `proof` both roots that it speaks of. Needs
 * 0 < from < to. CELLA_DAMAGED: the proof has not the length that these sizes give. The caller compares:
 * `ret_to` other than the newer head's root: a wrong proof, which says nothing. `ret_to` right and `ret_from`
 * other than the older head's root: the two heads are a fork, and the proof shows it to anyone. */
enum cella_status cella_tree_consistency(uint64_t from, uint64_t to, struct cella_bytes proof,
                                         uint8_t ret_from[CELLA_DIGEST_SIZE],
                                         uint8_t ret_to[CELLA_DIGEST_SIZE]);

#endif
