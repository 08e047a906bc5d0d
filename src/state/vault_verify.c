/* Holds every stored node of the history against the vault's own head. For checks only: a start needs none of
 * them, and a proof checks those that it uses. Must not: change anything. */
#include "base/error.h"
#include "state/tree_internal.h"
#include "state/vault_load.h"
#include <string.h>

/* The roots of the complete subtrees so far, largest first. */
struct walk {
    struct cella_vault_load *load;
    struct cella_vault_stream stream;
    uint64_t position; /* of the next node */
    size_t depth;
    uint8_t roots[CELLA_TREE_LEVELS + 1][CELLA_DIGEST_SIZE];
};

static enum cella_status fail_at(const struct walk *walk) {
    return cella_fail(walk->load->error, CELLA_HISTORY_DAMAGED,
                      "the history's file does not verify at node %llu (byte %llu)",
                      (unsigned long long)walk->position,
                      (unsigned long long)walk->position * CELLA_DIGEST_SIZE);
}

/* Nodes up to the base are the store's word; the later ones were computed from records. */
static enum cella_status next_node(struct walk *walk, uint8_t ret_hash[CELLA_DIGEST_SIZE]) {
    const struct cella_vault_load *load = walk->load;
    struct cella_bytes view;
    if (walk->position >= load->first_node) {
        size_t place = (size_t)(walk->position - load->first_node);
        memcpy(ret_hash, load->nodes + place * CELLA_DIGEST_SIZE, CELLA_DIGEST_SIZE);
        walk->position++;
        return CELLA_OK;
    }
    enum cella_status status = cella_vault_stream_view(&walk->stream, walk->position * CELLA_DIGEST_SIZE,
                                                       CELLA_DIGEST_SIZE, &view, load->error);
    if (status != CELLA_OK || view.size < CELLA_DIGEST_SIZE)
        return status != CELLA_OK && status != CELLA_NOT_FOUND ? status : fail_at(walk);
    memcpy(ret_hash, view.data, CELLA_DIGEST_SIZE);
    walk->position++;
    return CELLA_OK;
}

/* Leaf number `size` - 1, and the subtrees that it completes. */
static enum cella_status walk_leaf(struct walk *walk, uint64_t size) {
    uint8_t stored[CELLA_DIGEST_SIZE], *left, *right;
    enum cella_status status = next_node(walk, walk->roots[walk->depth]);
    if (status != CELLA_OK)
        return status;
    walk->depth++;
    for (uint64_t rest = size; (rest & 1) == 0; rest >>= 1) {
        left = walk->roots[walk->depth - 2];
        right = walk->roots[walk->depth - 1];
        cella_tree_hash_children(left, right, left);
        walk->depth--;
        status = next_node(walk, stored);
        if (status != CELLA_OK)
            return status;
        if (memcmp(stored, left, sizeof stored) != 0)
            return fail_at(walk);
    }
    return CELLA_OK;
}

static enum cella_status walk_all(struct walk *walk) {
    const struct cella_tree *tree = walk->load->vault->tree;
    uint8_t frontier[CELLA_TREE_LEVELS * CELLA_DIGEST_SIZE];
    uint64_t size = cella_tree_size(tree);
    enum cella_status status = CELLA_OK;
    for (uint64_t leaves = 1; leaves <= size && status == CELLA_OK; leaves++)
        status = walk_leaf(walk, leaves);
    if (status != CELLA_OK)
        return status;
    size_t count = cella_tree_frontier(tree, frontier);
    if (count != walk->depth || memcmp(frontier, walk->roots, count * CELLA_DIGEST_SIZE) != 0)
        return fail_at(walk);
    return CELLA_OK;
}

enum cella_status cella_vault_verify_history(struct cella_vault_load *load) {
    struct walk walk = {.load = load};
    if (load->history_size / CELLA_DIGEST_SIZE < load->first_node) {
        walk.position = load->history_size / CELLA_DIGEST_SIZE;
        return fail_at(&walk);
    }
    enum cella_status status =
        cella_vault_stream_open(&walk.stream, load->vault->options.store,
                                (struct cella_store_file){.kind = CELLA_STORE_HISTORY}, load->history_size);
    if (status == CELLA_OK)
        status = walk_all(&walk);
    cella_vault_stream_close(&walk.stream);
    return status;
}
