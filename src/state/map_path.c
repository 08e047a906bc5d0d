/* The shape of the map's tree: makes nodes the transaction's own, splits full ones, fills up poor ones. Each
 * step gets its memory first and leaves the content as it was. Must not: add or remove a key. */
#include "state/map_internal.h"

static uint64_t birth_of_level(const struct cella_map *map) {
    return map->levels[map->depth - 1].birth;
}

/* Puts a node in the place of the one at `depth` of the way. */
static void link_node(struct cella_map *map, struct cella_map_path *path, unsigned depth,
                      struct cella_map_node *node) {
    if (depth == 0)
        map->now.root = node;
    else
        cella_map_inner(path->nodes[depth - 1])->children[path->index[depth - 1]] = node;
    path->nodes[depth] = node;
}

/* The node itself if it is of the current level, else a copy, for which it is retired. NULL: no memory. */
static struct cella_map_node *own(struct cella_map *map, struct cella_map_node *node) {
    if (node->birth >= birth_of_level(map))
        return node;
    struct cella_map_node *copy = cella_map_node_copy(map, node);
    if (copy == NULL)
        return NULL;
    cella_map_created_node(map, copy);
    cella_map_retire_node(map, node);
    return copy;
}

enum cella_status cella_map_path_own(struct cella_map *map, struct cella_map_path *path) {
    for (unsigned depth = 0; depth <= path->depth; depth++) {
        struct cella_map_node *node = own(map, path->nodes[depth]);
        if (node == NULL)
            return CELLA_NO_MEMORY;
        if (node != path->nodes[depth])
            link_node(map, path, depth, node);
    }
    return CELLA_OK;
}

/* The shortest key above `left` and not above `right`. */
static struct cella_map_entry *separator_new(struct cella_map *map, struct cella_bytes left,
                                             struct cella_bytes right) {
    size_t size = 0;
    while (size < left.size && left.data[size] == right.data[size])
        size++;
    return cella_map_entry_new(map, CELLA_BYTES(right.data, size + 1), CELLA_BYTES(NULL, 0));
}

/* A new root with the old one as its only child. */
static enum cella_status raise_root(struct cella_map *map, struct cella_map_path *path) {
    struct cella_map_node *old = map->now.root;
    struct cella_map_node *root = cella_map_node_new(map, old->height + 1u);
    if (root == NULL)
        return CELLA_NO_MEMORY;
    CELLA_ASSERT(path->depth + 1 < MAP_HEIGHT_MAX);
    cella_map_created_node(map, root);
    cella_map_inner(root)->children[0] = old;
    cella_map_inner(root)->counts[0] = (uint32_t)map->now.count;
    memmove(&path->nodes[1], &path->nodes[0], (path->depth + 1) * sizeof path->nodes[0]);
    memmove(&path->index[1], &path->index[0], (path->depth + 1) * sizeof path->index[0]);
    path->depth++;
    path->index[0] = 0;
    link_node(map, path, 0, root);
    return CELLA_OK;
}

/* A root that has lost its last separator gives its place to its only child. */
static void lower_root(struct cella_map *map) {
    while (map->now.root->height > 0 && map->now.root->count == 0) {
        struct cella_map_node *old = map->now.root;
        map->now.root = cella_map_inner(old)->children[0];
        cella_map_retire_node(map, old);
    }
}

/* Splits the node at `depth`, whose parent has room, before the entry `at`. */
static enum cella_status split(struct cella_map *map, struct cella_map_path *path, unsigned depth,
                               unsigned at, struct cella_bytes key) {
    struct cella_map_node *left = path->nodes[depth];
    struct cella_map_node *parent = path->nodes[depth - 1];
    struct cella_map_entry *separator;
    unsigned place = path->index[depth];
    unsigned child = path->index[depth - 1];
    struct cella_map_node *right = cella_map_node_new(map, left->height);
    if (right == NULL)
        return CELLA_NO_MEMORY;
    if (left->height > 0) {
        separator = left->entries[at];
    } else {
        separator = separator_new(map, cella_map_entry_key(left->entries[at - 1]),
                                  place == at ? key : cella_map_entry_key(left->entries[at]));
        if (separator == NULL) {
            cella_map_node_free(map, right);
            return CELLA_NO_MEMORY;
        }
        cella_map_created_entry(map, separator);
    }
    cella_map_created_node(map, right);
    cella_map_node_divide(left, at, right);
    cella_map_inner_insert(parent, child, separator, right);
    cella_map_inner(parent)->counts[child] = cella_map_node_total(left);
    cella_map_inner(parent)->counts[child + 1] = cella_map_node_total(right);
    unsigned first = left->height == 0 ? at : at + 1;
    if (place >= first) {
        path->nodes[depth] = right;
        path->index[depth] = place - first;
        path->index[depth - 1]++;
    }
    return CELLA_OK;
}

static bool is_full(const struct cella_map_node *node) {
    return node->count == MAP_NODE_ENTRIES;
}

/* Is the way behind the last key of all? */
static bool is_last(const struct cella_map_path *path) {
    for (unsigned depth = 0; depth <= path->depth; depth++)
        if (path->index[depth] < path->nodes[depth]->count)
            return false;
    return true;
}

enum cella_status cella_map_path_make_room(struct cella_map *map, struct cella_map_path *path,
                                           struct cella_bytes key) {
    enum cella_status status = CELLA_OK;
    bool in_order = is_last(path);
    unsigned top = path->depth;
    while (top > 0 && is_full(path->nodes[top - 1]))
        top--;
    if (top == 0) {
        status = raise_root(map, path);
        top = 1;
    }
    for (unsigned depth = top; status == CELLA_OK && depth <= path->depth; depth++) {
        /* Keys that come in order leave full nodes behind. */
        unsigned last = MAP_NODE_ENTRIES - (path->nodes[depth]->height > 0);
        status = split(map, path, depth, in_order ? last : MAP_NODE_ENTRIES / 2, key);
    }
    if (status != CELLA_OK)
        lower_root(map);
    return status;
}

/* --- filling up --- */

/* A node of the way and the neighbour that has something for it. */
struct pair {
    struct cella_map_node *parent;
    unsigned depth;     /* of both */
    unsigned separator; /* between them, in the parent */
    bool is_right;      /* the node on the way is */
    unsigned place;     /* of the way, in the row of both */
};

/* Both become one: the node on the way. */
static void merge(struct cella_map *map, struct cella_map_path *path, const struct pair *pair,
                  const struct cella_map_row *row) {
    struct cella_map_inner *parent = cella_map_inner(pair->parent);
    struct cella_map_node *node = path->nodes[pair->depth];
    unsigned left = pair->separator;
    cella_map_retire_node(map, parent->children[pair->is_right ? left : left + 1]);
    if (node->height == 0)
        cella_map_retire_entry(map, pair->parent->entries[left]);
    cella_map_row_deal(row, 0, row->count, node);
    parent->counts[left] += parent->counts[left + 1];
    parent->children[left] = node;
    cella_map_inner_remove(pair->parent, left);
    path->index[pair->depth - 1] = left;
    path->index[pair->depth] = pair->place;
}

/* Both get half. */
static enum cella_status share(struct cella_map *map, struct cella_map_path *path, const struct pair *pair,
                               const struct cella_map_row *row) {
    struct cella_map_inner *parent = cella_map_inner(pair->parent);
    unsigned at = row->count / 2;
    unsigned first = path->nodes[pair->depth]->height == 0 ? at : at + 1;
    unsigned other = pair->is_right ? pair->separator : pair->separator + 1;
    struct cella_map_entry *separator = row->entries[at];
    struct cella_map_node *sibling = own(map, parent->children[other]);
    if (sibling == NULL)
        return CELLA_NO_MEMORY;
    parent->children[other] = sibling;
    if (sibling->height == 0) {
        separator = separator_new(map, cella_map_entry_key(row->entries[at - 1]),
                                  cella_map_entry_key(row->entries[at]));
        if (separator == NULL)
            return CELLA_NO_MEMORY;
        cella_map_created_entry(map, separator);
        cella_map_retire_entry(map, pair->parent->entries[pair->separator]);
    }
    struct cella_map_node *left = parent->children[pair->separator];
    struct cella_map_node *right = parent->children[pair->separator + 1];
    cella_map_row_deal(row, 0, at, left);
    cella_map_row_deal(row, first, row->count - first, right);
    parent->counts[pair->separator] = cella_map_node_total(left);
    parent->counts[pair->separator + 1] = cella_map_node_total(right);
    cella_map_node_remove(pair->parent, pair->separator);
    cella_map_node_insert(pair->parent, pair->separator, separator);
    bool goes_right = pair->place >= first;
    path->nodes[pair->depth] = goes_right ? right : left;
    path->index[pair->depth] = goes_right ? pair->place - first : pair->place;
    path->index[pair->depth - 1] = pair->separator + goes_right;
    return CELLA_OK;
}

static enum cella_status fill(struct cella_map *map, struct cella_map_path *path, unsigned depth) {
    struct cella_map_node *node = path->nodes[depth];
    unsigned child = path->index[depth - 1];
    struct pair pair = {.parent = path->nodes[depth - 1],
                        .depth = depth,
                        .is_right = child > 0,
                        .separator = child > 0 ? child - 1 : child,
                        .place = path->index[depth]};
    const struct cella_map_inner *parent = cella_map_inner(pair.parent);
    const struct cella_map_node *left = parent->children[pair.separator];
    struct cella_map_row row;
    CELLA_ASSERT(pair.parent->count > 0);
    cella_map_row_gather(&row, left, pair.parent->entries[pair.separator],
                         parent->children[pair.separator + 1]);
    if (pair.is_right)
        pair.place += left->count + (node->height > 0 ? 1u : 0u);
    if (row.count > MAP_NODE_MERGED)
        return share(map, path, &pair, &row);
    merge(map, path, &pair, &row);
    return CELLA_OK;
}

static bool is_poor(const struct cella_map_node *node) {
    return node->count <= MAP_NODE_LEAST;
}

enum cella_status cella_map_path_fill(struct cella_map *map, struct cella_map_path *path) {
    enum cella_status status = CELLA_OK;
    unsigned top = path->depth + 1;
    while (top > 1 && is_poor(path->nodes[top - 1]))
        top--;
    for (unsigned depth = top; status == CELLA_OK && depth <= path->depth; depth++)
        status = fill(map, path, depth);
    lower_root(map);
    return status;
}
