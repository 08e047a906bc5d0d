/* What the tree's two files share. */
#ifndef CELLA_STATE_TREE_INTERNAL_H
#define CELLA_STATE_TREE_INTERNAL_H

#include "state/tree.h"

/* Nodes of one level that are kept: those with an index from `first` to count - 1, in a ring.
 *
 * A level has half as many nodes as the one below, so its ring is half as large: CELLA_TREE_RECENT >> level,
 * and two more, so that the frontier of each of the newest CELLA_TREE_RECENT sizes is there whole. */
struct cella_tree_level {
    uint64_t first;
    uint32_t capacity;
    uint8_t (*ring)[CELLA_DIGEST_SIZE];
};

struct cella_tree {
    uint64_t size; /* leaves; a level has size >> level nodes */
    struct cella_tree_level levels[CELLA_TREE_LEVELS];
    uint8_t rings[][CELLA_DIGEST_SIZE];
};

/* NULL if it is not kept. */
const uint8_t *cella_tree_kept(const struct cella_tree *tree, struct cella_tree_node node);

/* `out` may be one of the two. */
void cella_tree_hash_leaf(const uint8_t record_digest[CELLA_DIGEST_SIZE], uint8_t out[CELLA_DIGEST_SIZE]);
void cella_tree_hash_children(const uint8_t left[CELLA_DIGEST_SIZE], const uint8_t right[CELLA_DIGEST_SIZE],
                              uint8_t out[CELLA_DIGEST_SIZE]);

#endif
