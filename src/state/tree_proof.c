/* Roots and consistency proofs of the history tree, and their check. What the host's file gives is used only
 * after it was found to lead to the tree's own root. */
#include "base/error.h"
#include "crypto/hash.h"
#include "state/tree_internal.h"
#include <string.h>

/* Where nodes come from, and whether any of them has to be checked. */
struct nodes {
    const struct cella_tree *tree;
    const struct cella_tree_fetcher *fetcher;
    bool fetched;
};

/* Leaves [from, from + size) of a tree; `from` is a multiple of the largest power of two up to `size`. */
struct range {
    uint64_t from;
    uint64_t size;
};

/* The largest power of two that is smaller than `size`, as the RFC splits; needs size > 1. */
static uint64_t split(uint64_t size) {
    return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

static enum cella_status get_node(struct nodes *nodes, unsigned level, uint64_t index,
                                  uint8_t out[CELLA_DIGEST_SIZE]) {
    struct cella_tree_node node = {.level = (uint8_t)level, .index = index};
    const uint8_t *kept = cella_tree_kept(nodes->tree, node);
    if (kept != NULL) {
        memcpy(out, kept, CELLA_DIGEST_SIZE);
        return CELLA_OK;
    }
    if (nodes->fetcher == NULL)
        return CELLA_NOT_FOUND;
    nodes->fetched = true;
    return nodes->fetcher->fetch(nodes->fetcher->context, node, out);
}

/* MTH of a range: its complete subtrees, from the right, each hashed on the left of what is there. */
static enum cella_status range_root(struct nodes *nodes, struct range range, uint8_t out[CELLA_DIGEST_SIZE]) {
    uint8_t left[CELLA_DIGEST_SIZE];
    bool any = false;
    for (uint64_t rest = range.size; rest != 0; rest &= rest - 1) {
        unsigned level = (unsigned)__builtin_ctzll(rest);
        uint64_t start = range.from + (rest & (rest - 1));
        enum cella_status status = get_node(nodes, level, start >> level, any ? left : out);
        if (status != CELLA_OK)
            return status;
        if (any)
            cella_tree_hash_children(left, out, out);
        any = true;
    }
    return CELLA_OK;
}

/* The nodes of the proof, unchecked. The RFC's SUBPROOF goes down to the range that the old tree ends in and
 * lists siblings from there upwards. */
static enum cella_status gather(struct nodes *nodes, uint64_t from, uint64_t to, uint8_t *out,
                                size_t *ret_count) {
    struct range siblings[CELLA_TREE_PROOF_NODES];
    struct range at = {.from = 0, .size = to};
    size_t count = 0;
    while (at.from + at.size != from) {
        uint64_t half = split(at.size);
        struct range left = {.from = at.from, .size = half};
        struct range right = {.from = at.from + half, .size = at.size - half};
        bool goes_left = from <= right.from;
        CELLA_ASSERT(count < CELLA_TREE_PROOF_NODES - 1);
        siblings[count++] = goes_left ? right : left;
        at = goes_left ? left : right;
    }
    enum cella_status status = range_root(nodes, at, out);
    for (size_t i = 0; i < count && status == CELLA_OK; i++)
        status = range_root(nodes, siblings[count - 1 - i], out + (i + 1) * CELLA_DIGEST_SIZE);
    *ret_count = count + 1;
    return status;
}

/* RFC 9162, section 2.1.4.2, steps 3 to 6; the names are its own. */
enum cella_status cella_tree_consistency(uint64_t from, uint64_t to, struct cella_bytes proof,
                                         uint8_t ret_from[CELLA_DIGEST_SIZE],
                                         uint8_t ret_to[CELLA_DIGEST_SIZE]) {
    uint8_t fr[CELLA_DIGEST_SIZE];
    uint8_t sr[CELLA_DIGEST_SIZE];
    CELLA_ASSERT(from > 0 && from < to);
    if (proof.size == 0 || proof.size % CELLA_DIGEST_SIZE != 0)
        return CELLA_DAMAGED;
    uint64_t fn = from - 1;
    uint64_t sn = to - 1;
    while ((fn & 1) == 1) {
        fn >>= 1;
        sn >>= 1;
    }
    memcpy(fr, proof.data, CELLA_DIGEST_SIZE);
    memcpy(sr, proof.data, CELLA_DIGEST_SIZE);
    for (size_t at = CELLA_DIGEST_SIZE; at < proof.size; at += CELLA_DIGEST_SIZE) {
        const uint8_t *c = proof.data + at;
        if (sn == 0)
            return CELLA_DAMAGED;
        if ((fn & 1) == 1 || fn == sn) {
            cella_tree_hash_children(c, fr, fr);
            cella_tree_hash_children(c, sr, sr);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            cella_tree_hash_children(sr, c, sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return CELLA_DAMAGED;
    memcpy(ret_from, fr, CELLA_DIGEST_SIZE);
    memcpy(ret_to, sr, CELLA_DIGEST_SIZE);
    return CELLA_OK;
}

/* Checks a gathered proof against `to_root` and gives the older root that it speaks of. */
static enum cella_status check(uint64_t from, uint64_t to, struct cella_bytes proof,
                               const uint8_t to_root[CELLA_DIGEST_SIZE],
                               uint8_t ret_from_root[CELLA_DIGEST_SIZE], struct cella_error *error) {
    uint8_t root[CELLA_DIGEST_SIZE];
    if (cella_tree_consistency(from, to, proof, ret_from_root, root) != CELLA_OK ||
        memcmp(root, to_root, CELLA_DIGEST_SIZE) != 0)
        return cella_fail(error, CELLA_HISTORY_DAMAGED,
                          "the stored nodes between versions %llu and %llu do not lead to the vault's root",
                          (unsigned long long)from, (unsigned long long)to);
    return CELLA_OK;
}

static enum cella_status missing(struct cella_error *error, enum cella_status status, uint64_t version) {
    return cella_fail(error, status, "a node of the history at version %llu is not there",
                      (unsigned long long)version);
}

void cella_tree_root(const struct cella_tree *tree, uint8_t ret_root[CELLA_DIGEST_SIZE]) {
    struct nodes nodes = {.tree = tree};
    if (tree->size == 0)
        cella_sha256(NULL, 0, ret_root);
    else
        CELLA_ASSERT(range_root(&nodes, (struct range){.size = tree->size}, ret_root) == CELLA_OK);
}

enum cella_status cella_tree_root_at(const struct cella_tree *tree, uint64_t size,
                                     const struct cella_tree_fetcher *fetcher,
                                     uint8_t ret_root[CELLA_DIGEST_SIZE], struct cella_error *error) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * CELLA_DIGEST_SIZE];
    uint8_t now[CELLA_DIGEST_SIZE];
    uint8_t root[CELLA_DIGEST_SIZE];
    struct nodes nodes = {.tree = tree, .fetcher = fetcher};
    size_t count;
    if (size > tree->size)
        return cella_fail(error, CELLA_ARGUMENT, "version %llu is not in this history",
                          (unsigned long long)size);
    if (size == 0) {
        cella_sha256(NULL, 0, ret_root);
        return CELLA_OK;
    }
    enum cella_status status = range_root(&nodes, (struct range){.size = size}, root);
    if (status == CELLA_OK && nodes.fetched)
        status = gather(&nodes, size, tree->size, proof, &count);
    if (status != CELLA_OK)
        return missing(error, status, size);
    if (nodes.fetched) {
        cella_tree_root(tree, now);
        status = check(size, tree->size, CELLA_BYTES(proof, count * CELLA_DIGEST_SIZE), now, root, error);
        if (status != CELLA_OK)
            return status;
    }
    memcpy(ret_root, root, CELLA_DIGEST_SIZE);
    return CELLA_OK;
}

enum cella_status cella_tree_prove(const struct cella_tree *tree, struct cella_tree_range range,
                                   const struct cella_tree_fetcher *fetcher, uint8_t *out, size_t *ret_count,
                                   struct cella_error *error) {
    uint8_t to_root[CELLA_DIGEST_SIZE];
    uint8_t from_root[CELLA_DIGEST_SIZE];
    struct nodes nodes = {.tree = tree, .fetcher = fetcher};
    size_t count = 0;
    uint64_t from = range.from, to = range.to;
    if (from > to || to > tree->size)
        return cella_fail(error, CELLA_ARGUMENT, "no history goes from version %llu to %llu here",
                          (unsigned long long)from, (unsigned long long)to);
    if (from > 0 && from < to) {
        enum cella_status status = gather(&nodes, from, to, out, &count);
        if (status != CELLA_OK)
            return missing(error, status, from);
        if (nodes.fetched) {
            status = cella_tree_root_at(tree, to, fetcher, to_root, error);
            if (status == CELLA_OK)
                status =
                    check(from, to, CELLA_BYTES(out, count * CELLA_DIGEST_SIZE), to_root, from_root, error);
            if (status != CELLA_OK)
                return status;
        }
    }
    *ret_count = count;
    return CELLA_OK;
}
