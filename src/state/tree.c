/* The history tree as it grows: appending, the nodes that are kept, and their order in the history file. Must
 * not: take anything from the host. */
#include "base/error.h"
#include "crypto/hash.h"
#include "state/tree_internal.h"
#include <stdlib.h>
#include <string.h>

enum { LEAF_PREFIX = 0, NODE_PREFIX = 1 }; /* RFC 9162, section 2.1.1 */

void cella_tree_hash_leaf(const uint8_t record_digest[CELLA_DIGEST_SIZE], uint8_t out[CELLA_DIGEST_SIZE]) {
    uint8_t bytes[1 + CELLA_DIGEST_SIZE] = {LEAF_PREFIX};
    memcpy(bytes + 1, record_digest, CELLA_DIGEST_SIZE);
    cella_sha256(bytes, sizeof bytes, out);
}

void cella_tree_hash_children(const uint8_t left[CELLA_DIGEST_SIZE], const uint8_t right[CELLA_DIGEST_SIZE],
                              uint8_t out[CELLA_DIGEST_SIZE]) {
    uint8_t bytes[1 + 2 * CELLA_DIGEST_SIZE] = {NODE_PREFIX};
    memcpy(bytes + 1, left, CELLA_DIGEST_SIZE);
    memcpy(bytes + 1 + CELLA_DIGEST_SIZE, right, CELLA_DIGEST_SIZE);
    cella_sha256(bytes, sizeof bytes, out);
}

static uint32_t ring_capacity(unsigned level) {
    return (level < 32 ? (uint32_t)CELLA_TREE_RECENT >> level : 0) + 2;
}

enum cella_status cella_tree_new(struct cella_tree **ret_tree) {
    size_t nodes = 0;
    for (unsigned level = 0; level < CELLA_TREE_LEVELS; level++)
        nodes += ring_capacity(level);
    struct cella_tree *tree = calloc(1, sizeof *tree + nodes * CELLA_DIGEST_SIZE);
    if (tree == NULL)
        return CELLA_NO_MEMORY;
    uint8_t(*ring)[CELLA_DIGEST_SIZE] = tree->rings;
    for (unsigned level = 0; level < CELLA_TREE_LEVELS; level++) {
        tree->levels[level].capacity = ring_capacity(level);
        tree->levels[level].ring = ring;
        ring += ring_capacity(level);
    }
    *ret_tree = tree;
    return CELLA_OK;
}

static uint8_t *place(struct cella_tree *tree, unsigned level, uint64_t index) {
    struct cella_tree_level *of = &tree->levels[level];
    return of->ring[index % of->capacity];
}

enum cella_status cella_tree_restore(uint64_t size, struct cella_bytes frontier,
                                     struct cella_tree **ret_tree) {
    if (size > CELLA_VERSION_MAX || frontier.size != (size_t)__builtin_popcountll(size) * CELLA_DIGEST_SIZE)
        return CELLA_DAMAGED;
    struct cella_tree *tree;
    enum cella_status status = cella_tree_new(&tree);
    if (status != CELLA_OK)
        return status;
    const uint8_t *next = frontier.data;
    for (unsigned level = CELLA_TREE_LEVELS; level-- > 0;) {
        uint64_t count = size >> level;
        tree->levels[level].first = count;
        if ((count & 1) == 0)
            continue;
        tree->levels[level].first--;
        memcpy(place(tree, level, count - 1), next, CELLA_DIGEST_SIZE);
        next += CELLA_DIGEST_SIZE;
    }
    tree->size = size;
    *ret_tree = tree;
    return CELLA_OK;
}

void cella_tree_free(struct cella_tree *tree) {
    free(tree);
}

uint64_t cella_tree_size(const struct cella_tree *tree) {
    return tree->size;
}

const uint8_t *cella_tree_kept(const struct cella_tree *tree, struct cella_tree_node node) {
    const struct cella_tree_level *of = &tree->levels[node.level];
    if (node.index < of->first || node.index >= tree->size >> node.level)
        return NULL;
    return of->ring[node.index % of->capacity];
}

size_t cella_tree_frontier(const struct cella_tree *tree, uint8_t *out) {
    size_t count = 0;
    for (unsigned level = CELLA_TREE_LEVELS; level-- > 0;) {
        uint64_t nodes = tree->size >> level;
        if ((nodes & 1) == 0)
            continue;
        struct cella_tree_node node = {.level = (uint8_t)level, .index = nodes - 1};
        memcpy(out + count++ * CELLA_DIGEST_SIZE, cella_tree_kept(tree, node), CELLA_DIGEST_SIZE);
    }
    return count;
}

static void keep(struct cella_tree *tree, unsigned level, uint64_t index,
                 const uint8_t hash[CELLA_DIGEST_SIZE]) {
    struct cella_tree_level *of = &tree->levels[level];
    if (index - of->first == of->capacity)
        of->first++;
    memcpy(place(tree, level, index), hash, CELLA_DIGEST_SIZE);
}

void cella_tree_append(struct cella_tree *tree, const uint8_t record_digest[CELLA_DIGEST_SIZE]) {
    uint8_t hash[CELLA_DIGEST_SIZE];
    uint64_t index = tree->size;
    unsigned level = 0;
    CELLA_ASSERT(tree->size < CELLA_VERSION_MAX);
    cella_tree_hash_leaf(record_digest, hash);
    keep(tree, 0, index, hash);
    while ((index & 1) == 1) {
        cella_tree_hash_children(place(tree, level, index - 1), hash, hash);
        index >>= 1;
        level++;
        keep(tree, level, index, hash);
    }
    tree->size++;
}

uint64_t cella_tree_node_count(uint64_t size) {
    return 2 * size - (uint64_t)__builtin_popcountll(size);
}

/* A node is complete when its last leaf is, after those below it. */
uint64_t cella_tree_position(struct cella_tree_node node) {
    uint64_t last_leaf = ((node.index + 1) << node.level) - 1;
    return cella_tree_node_count(last_leaf) + node.level;
}

/* The leaf whose appending completed the node at `position`: the last one with node_count(leaf) <= position.
 */
static uint64_t leaf_of(uint64_t position) {
    uint64_t low = position / 2; /* node_count(n) is from n to 2n */
    uint64_t high = position;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (cella_tree_node_count(middle) <= position)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

size_t cella_tree_nodes(const struct cella_tree *tree, uint64_t first, size_t count, uint8_t *out) {
    size_t found = 0;
    if (first >= cella_tree_node_count(tree->size))
        return 0;
    uint64_t leaf = leaf_of(first);
    unsigned level = (unsigned)(first - cella_tree_node_count(leaf));
    while (found < count && leaf < tree->size) {
        struct cella_tree_node node = {.level = (uint8_t)level, .index = leaf >> level};
        const uint8_t *hash = cella_tree_kept(tree, node);
        if (hash == NULL)
            break;
        memcpy(out + found++ * CELLA_DIGEST_SIZE, hash, CELLA_DIGEST_SIZE);
        if ((leaf >> level & 1) == 1) {
            level++;
        } else {
            leaf++;
            level = 0;
        }
    }
    return found;
}

uint64_t cella_tree_oldest(const struct cella_tree *tree) {
    uint64_t oldest = 0;
    for (unsigned level = 0; level < CELLA_TREE_LEVELS; level++) {
        uint64_t first = tree->levels[level].first;
        if (first == 0)
            continue;
        struct cella_tree_node last_missing = {.level = (uint8_t)level, .index = first - 1};
        uint64_t after = cella_tree_position(last_missing) + 1;
        if (after > oldest)
            oldest = after;
    }
    return oldest;
}
