/* Searching in the map's tree. Must not: change anything; views are searched by many threads at once. */
#include "state/map_internal.h"

/* The first place whose head is not below; without branches that cannot be foretold. */
static unsigned first_head(const uint64_t *heads, unsigned count, uint64_t head) {
    unsigned base = 0;
    while (count > 1) {
        unsigned half = count / 2;
        base += -(unsigned)(heads[base + half - 1] < head) & half;
        count -= half;
    }
    return base + (heads[base] < head);
}

/* Below 0: `key` is below all keys that begin with the same `skip` bytes as `entry`; 0: it begins with them.
 */
static int compare_start(struct cella_bytes key, const struct cella_map_entry *entry, size_t skip) {
    size_t shorter = key.size < skip ? key.size : skip;
    int order = shorter > 0 ? memcmp(key.data, entry->bytes, shorter) : 0;
    return order == 0 && key.size < skip ? -1 : order;
}

/* The place of `key` in a node, or of the first entry above it. */
static unsigned find_place(const struct cella_map_node *node, struct cella_bytes key, bool *ret_found) {
    unsigned count = node->count;
    *ret_found = false;
    if (count == 0)
        return 0;
    uint64_t head = cella_map_head(key, node->skip);
    unsigned low = first_head(node->heads, count, head);
    if (node->skip > 0) {
        int order = compare_start(key, node->entries[low < count ? low : count - 1], node->skip);
        if (order != 0)
            return order < 0 ? 0 : count;
    }
    unsigned high = low;
    while (high < count && node->heads[high] == head)
        high++;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = cella_map_compare(key, cella_map_entry_key(node->entries[middle]));
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static unsigned find_child(const struct cella_map_node *node, struct cella_bytes key) {
    bool found;
    unsigned place = find_place(node, key, &found);
    return place + found;
}

/* All lines that a search may read, at once instead of one after the other. */
static void fetch(const struct cella_map_node *node) {
    const char *line = (const char *)node;
    for (size_t at = 0; at < sizeof *node; at += 64)
        __builtin_prefetch(line + at);
}

void cella_map_descend(struct cella_map_node *root, struct cella_bytes key, struct cella_map_path *ret_path) {
    struct cella_map_node *node = root;
    unsigned depth = 0;
    for (; node->height > 0; depth++) {
        ret_path->nodes[depth] = node;
        ret_path->index[depth] = find_child(node, key);
        node = cella_map_inner(node)->children[ret_path->index[depth]];
        fetch(node);
    }
    ret_path->nodes[depth] = node;
    ret_path->index[depth] = find_place(node, key, &ret_path->found);
    ret_path->depth = depth;
}

void cella_map_descend_last(struct cella_map_node *root, struct cella_map_path *ret_path) {
    struct cella_map_node *node = root;
    unsigned depth = 0;
    for (; node->height > 0; depth++) {
        ret_path->nodes[depth] = node;
        ret_path->index[depth] = node->count;
        node = cella_map_inner(node)->children[node->count];
    }
    ret_path->nodes[depth] = node;
    ret_path->index[depth] = node->count;
    ret_path->depth = depth;
    ret_path->found = false;
}

bool cella_map_find(const struct cella_map_node *root, struct cella_bytes key,
                    struct cella_bytes *ret_value) {
    const struct cella_map_node *node = root;
    while (node->height > 0) {
        node = cella_map_inner(node)->children[find_child(node, key)];
        fetch(node);
    }
    bool found;
    unsigned place = find_place(node, key, &found);
    if (found)
        *ret_value = cella_map_entry_value(node->entries[place]);
    return found;
}

uint64_t cella_map_rank(const struct cella_map_node *root, struct cella_bytes key) {
    const struct cella_map_node *node = root;
    uint64_t rank = 0;
    bool found;
    while (node->height > 0) {
        unsigned child = find_child(node, key);
        for (unsigned i = 0; i < child; i++)
            rank += cella_map_inner(node)->counts[i];
        node = cella_map_inner(node)->children[child];
    }
    return rank + find_place(node, key, &found);
}
