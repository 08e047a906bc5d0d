/* What is inside of the map's nodes. Must not: allocate, free, or touch nodes that a view may see. */
#include "state/map_internal.h"

static size_t shared_start(const struct cella_map_entry *left, const struct cella_map_entry *right) {
    size_t shorter = left->key_size < right->key_size ? left->key_size : right->key_size;
    size_t shared = 0;
    while (shared < shorter && left->bytes[shared] == right->bytes[shared])
        shared++;
    return shared;
}

static void set_skip(struct cella_map_node *node, size_t skip) {
    node->skip = (uint16_t)skip;
    for (unsigned i = 0; i < node->count; i++)
        __builtin_prefetch(node->entries[i]);
    for (unsigned i = 0; i < node->count; i++)
        node->heads[i] = cella_map_head(cella_map_entry_key(node->entries[i]), skip);
}

/* What the first and the last key share, all between them share too. */
static void measure_skip(struct cella_map_node *node) {
    if (node->count > 0)
        set_skip(node, shared_start(node->entries[0], node->entries[node->count - 1]));
}

/* Heads that have become alike are worth looking at every entry. */
static void sharpen(struct cella_map_node *node) {
    if (node->count > 1 && node->heads[0] >> 32 == node->heads[node->count - 1] >> 32)
        measure_skip(node);
}

void cella_map_node_insert(struct cella_map_node *node, unsigned at, struct cella_map_entry *entry) {
    CELLA_ASSERT(node->count < MAP_NODE_ENTRIES && at <= node->count);
    unsigned after = node->count - at;
    if (node->count == 0) {
        node->skip = entry->key_size;
    } else if (node->skip > 0) {
        size_t shared = shared_start(entry, node->entries[after > 0 ? at : at - 1]);
        if (shared < node->skip)
            set_skip(node, shared);
    }
    memmove(&node->heads[at + 1], &node->heads[at], after * sizeof node->heads[0]);
    memmove(&node->entries[at + 1], &node->entries[at], after * sizeof node->entries[0]);
    node->heads[at] = cella_map_head(cella_map_entry_key(entry), node->skip);
    node->entries[at] = entry;
    node->count++;
}

void cella_map_node_remove(struct cella_map_node *node, unsigned at) {
    CELLA_ASSERT(at < node->count);
    unsigned after = node->count - at - 1u;
    memmove(&node->heads[at], &node->heads[at + 1], after * sizeof node->heads[0]);
    memmove(&node->entries[at], &node->entries[at + 1], after * sizeof node->entries[0]);
    node->count--;
}

void cella_map_inner_insert(struct cella_map_node *node, unsigned at, struct cella_map_entry *separator,
                            struct cella_map_node *child) {
    struct cella_map_inner *inner = cella_map_inner(node);
    unsigned after = node->count - at;
    memmove(&inner->children[at + 2], &inner->children[at + 1], after * sizeof inner->children[0]);
    memmove(&inner->counts[at + 2], &inner->counts[at + 1], after * sizeof inner->counts[0]);
    inner->children[at + 1] = child;
    inner->counts[at + 1] = 0;
    cella_map_node_insert(node, at, separator);
}

void cella_map_inner_remove(struct cella_map_node *node, unsigned at) {
    struct cella_map_inner *inner = cella_map_inner(node);
    unsigned after = node->count - at - 1u;
    memmove(&inner->children[at + 1], &inner->children[at + 2], after * sizeof inner->children[0]);
    memmove(&inner->counts[at + 1], &inner->counts[at + 2], after * sizeof inner->counts[0]);
    cella_map_node_remove(node, at);
}

void cella_map_node_divide(struct cella_map_node *left, unsigned at, struct cella_map_node *right) {
    unsigned first = left->height == 0 ? at : at + 1;
    unsigned moved = left->count - first;
    right->skip = left->skip;
    right->count = (uint16_t)moved;
    memcpy(right->heads, &left->heads[first], moved * sizeof left->heads[0]);
    memcpy(right->entries, &left->entries[first], moved * sizeof left->entries[0]);
    if (left->height > 0) {
        const struct cella_map_inner *from = cella_map_inner(left);
        struct cella_map_inner *to = cella_map_inner(right);
        memcpy(to->children, &from->children[first], (moved + 1) * sizeof from->children[0]);
        memcpy(to->counts, &from->counts[first], (moved + 1) * sizeof from->counts[0]);
    }
    left->count = (uint16_t)at;
    sharpen(left);
    sharpen(right);
}

uint32_t cella_map_node_total(const struct cella_map_node *node) {
    uint32_t total = 0;
    if (node->height == 0)
        return node->count;
    for (unsigned i = 0; i <= node->count; i++)
        total += cella_map_inner(node)->counts[i];
    return total;
}

static void gather(struct cella_map_row *row, const struct cella_map_node *node) {
    memcpy(&row->entries[row->count], node->entries, node->count * sizeof node->entries[0]);
    if (node->height > 0) {
        const struct cella_map_inner *inner = cella_map_inner(node);
        memcpy(&row->children[row->count], inner->children, (node->count + 1u) * sizeof inner->children[0]);
        memcpy(&row->counts[row->count], inner->counts, (node->count + 1u) * sizeof inner->counts[0]);
    }
    row->count += node->count;
}

void cella_map_row_gather(struct cella_map_row *row, const struct cella_map_node *left,
                          struct cella_map_entry *separator, const struct cella_map_node *right) {
    row->count = 0;
    gather(row, left);
    if (left->height > 0)
        row->entries[row->count++] = separator;
    gather(row, right);
}

void cella_map_row_deal(const struct cella_map_row *row, unsigned first, unsigned count,
                        struct cella_map_node *node) {
    node->count = (uint16_t)count;
    memcpy(node->entries, &row->entries[first], count * sizeof node->entries[0]);
    if (node->height > 0) {
        struct cella_map_inner *inner = cella_map_inner(node);
        memcpy(inner->children, &row->children[first], (count + 1) * sizeof inner->children[0]);
        memcpy(inner->counts, &row->counts[first], (count + 1) * sizeof inner->counts[0]);
    }
    measure_skip(node);
}
