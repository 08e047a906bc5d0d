/* The parts of the map among themselves: what entries and nodes are made of, the way from the root to a
 * place, and who frees what when. Must not be included outside src/state/map*.c.
 *
 * Nothing that a view may see is ever changed. Each object carries the number ("birth") of the transaction
 * level that made it. Objects of the current level are changed in place; others are copied first and the
 * original is retired. A level's abort frees what it created and forgets what it retired. */
#ifndef CELLA_STATE_MAP_INTERNAL_H
#define CELLA_STATE_MAP_INTERNAL_H

#include "base/error.h"
#include "state/map.h"
#include <endian.h>
#include <stdatomic.h>
#include <string.h>

enum {
    MAP_NODE_ENTRIES = 62, /* most entries of a node */
    MAP_NODE_LEAST = 15,   /* a node with no more gets some from its neighbour before one is taken away */
    MAP_NODE_MERGED = 46,  /* most entries of a node that two become */
    MAP_HEIGHT_MAX = 12,   /* nodes on a way; 2^32 keys need 9 at most */
    MAP_BAG_CHUNK = 62,    /* at least the objects that one change creates, and that it retires */
};

/* A key and its value in a leaf, or a separator (without a value) in an inner node. Fixed once made. */
struct cella_map_entry {
    union {
        uint64_t birth;
        struct cella_map_entry *next; /* of those that an abort took back and a caller may still look at */
    };
    uint32_t value_size;
    uint16_t key_size;
    uint8_t bytes[]; /* the key, then the value */
};

/* A leaf, and the beginning of an inner node. */
struct cella_map_node {
    uint64_t birth;
    uint16_t count;  /* of entries */
    uint16_t skip;   /* all keys in it agree in so many bytes at the start */
    uint16_t height; /* 0: a leaf */
    /* The 8 bytes of each key behind `skip`, as a number that compares as they do: most searches need no
     * entry but the one that they find. */
    uint64_t heads[MAP_NODE_ENTRIES];
    struct cella_map_entry *entries[MAP_NODE_ENTRIES];
};

/* Separator i is above all keys of child i and not above any of child i + 1. */
struct cella_map_inner {
    struct cella_map_node node;
    uint32_t counts[MAP_NODE_ENTRIES + 1]; /* keys below each child */
    struct cella_map_node *children[MAP_NODE_ENTRIES + 1];
};

struct cella_map_state {
    struct cella_map_node *root; /* never NULL */
    uint64_t count;
    uint64_t size;
};

/* A stack of objects that never needs memory to become smaller or to be poured into another. */
struct cella_map_chunk {
    struct cella_map_chunk *older;
    size_t count;
    uintptr_t objects[MAP_BAG_CHUNK]; /* the lowest bit is set for nodes */
};
struct cella_map_bag {
    struct cella_map_chunk *newest;
    struct cella_map_chunk *spare; /* empty */
    uint64_t total;
};

struct cella_map_view {
    struct cella_map_view *older; /* all views of the map, in order of `moment`; only the writer looks */
    struct cella_map_view *newer;
    struct cella_map_state state;
    uint64_t moment;           /* the last birth number that this state can contain */
    struct cella_map_bag dead; /* retired later, and needed by this view and older ones only */
    atomic_uint holders;       /* 0: the writer frees it some time */
};

struct cella_map_level {
    uint64_t birth;
    struct cella_map_state before;
    uint64_t created; /* what the bags held then */
    uint64_t retired;
};

struct cella_map {
    struct cella_map_state now;
    struct cella_map_state committed;
    uint64_t moment;  /* of `committed` */
    uint64_t birth;   /* the last one that was given to a level */
    uint64_t changes; /* moves whenever a place in `now` may have become another one */
    uint64_t memory;
    struct cella_map_level *levels;
    size_t depth;
    size_t level_capacity;
    struct cella_map_bag created; /* by the levels of now */
    struct cella_map_bag retired;
    struct cella_map_entry *taken_back; /* by nested aborts; freed with the outermost level */
    struct cella_map_view *newest_view;
};

/* The way from the root to a place. In inner nodes `index` is the child that was taken, in the leaf the place
 * of the key, or where it would be. */
struct cella_map_path {
    unsigned depth; /* the leaf's place in these: */
    struct cella_map_node *nodes[MAP_HEIGHT_MAX];
    unsigned index[MAP_HEIGHT_MAX];
    bool found;
};

static inline struct cella_map_inner *cella_map_inner(const struct cella_map_node *node) {
    return (struct cella_map_inner *)(uintptr_t)node;
}

static inline struct cella_bytes cella_map_entry_key(const struct cella_map_entry *entry) {
    return CELLA_BYTES(entry->bytes, entry->key_size);
}

static inline struct cella_bytes cella_map_entry_value(const struct cella_map_entry *entry) {
    return CELLA_BYTES(entry->bytes + entry->key_size, entry->value_size);
}

static inline int cella_map_compare(struct cella_bytes left, struct cella_bytes right) {
    size_t shorter = left.size < right.size ? left.size : right.size;
    int order = shorter > 0 ? memcmp(left.data, right.data, shorter) : 0;
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static inline uint64_t cella_map_head(struct cella_bytes key, size_t skip) {
    uint64_t head = 0;
    if (key.size >= skip + sizeof head) {
        memcpy(&head, key.data + skip, sizeof head);
        return be64toh(head);
    }
    for (size_t i = skip; i < key.size; i++)
        head |= (uint64_t)key.data[i] << (56 - 8 * (i - skip));
    return head;
}

/* --- map_memory.c: every object is made and freed here, and counted --- */

void *cella_map_allocate(struct cella_map *map, size_t size);
/* Wipes. */
void cella_map_release(struct cella_map *map, void *memory, size_t size);
/* NULL: no memory. */
struct cella_map_entry *cella_map_entry_new(struct cella_map *map, struct cella_bytes key,
                                            struct cella_bytes value);
void cella_map_entry_free(struct cella_map *map, struct cella_map_entry *entry);
struct cella_map_node *cella_map_node_new(struct cella_map *map, unsigned height);
struct cella_map_node *cella_map_node_copy(struct cella_map *map, const struct cella_map_node *node);
void cella_map_node_free(struct cella_map *map, struct cella_map_node *node);
/* A whole state with all its entries; for the end of the map. */
void cella_map_tree_free(struct cella_map *map, struct cella_map_node *node);

/* Room for one change in both bags. CELLA_NO_MEMORY. */
enum cella_status cella_map_reserve(struct cella_map *map);
void cella_map_created_node(struct cella_map *map, struct cella_map_node *node);
void cella_map_created_entry(struct cella_map *map, struct cella_map_entry *entry);
void cella_map_retire_node(struct cella_map *map, struct cella_map_node *node);
void cella_map_retire_entry(struct cella_map *map, struct cella_map_entry *entry);
/* Takes back what was created and retired since `level` began. */
void cella_map_take_back(struct cella_map *map, const struct cella_map_level *level);
/* The outermost level ends: empties both bags. What no view needs is freed. */
void cella_map_settle(struct cella_map *map);
/* Goes on freeing what released views had kept: about `chunks` times MAP_BAG_CHUNK objects. */
void cella_map_reap(struct cella_map *map, unsigned chunks);
void cella_map_bag_deinit(struct cella_map *map, struct cella_map_bag *bag);

/* --- map_find.c --- */

void cella_map_descend(struct cella_map_node *root, struct cella_bytes key, struct cella_map_path *ret_path);
/* To the place behind the last key. */
void cella_map_descend_last(struct cella_map_node *root, struct cella_map_path *ret_path);
bool cella_map_find(const struct cella_map_node *root, struct cella_bytes key, struct cella_bytes *ret_value);
/* The number of keys below `key`. */
uint64_t cella_map_rank(const struct cella_map_node *root, struct cella_bytes key);

/* --- map_node.c: what is inside of nodes; all of them are of the current level --- */

void cella_map_node_insert(struct cella_map_node *node, unsigned at, struct cella_map_entry *entry);
void cella_map_node_remove(struct cella_map_node *node, unsigned at);
/* Adds the separator `at` and the child behind it. */
void cella_map_inner_insert(struct cella_map_node *node, unsigned at, struct cella_map_entry *separator,
                            struct cella_map_node *child);
/* Removes the separator `at` and the child behind it. */
void cella_map_inner_remove(struct cella_map_node *node, unsigned at);
/* Moves the entries from `at` on to `right`, which is empty; of an inner node the one at `at` to nobody. */
void cella_map_node_divide(struct cella_map_node *left, unsigned at, struct cella_map_node *right);
uint32_t cella_map_node_total(const struct cella_map_node *node);

/* The content of two neighbours in one row, to be dealt out anew. */
struct cella_map_row {
    unsigned count;
    uint32_t counts[2 * MAP_NODE_ENTRIES + 2];
    struct cella_map_entry *entries[2 * MAP_NODE_ENTRIES + 1];
    struct cella_map_node *children[2 * MAP_NODE_ENTRIES + 2];
};
/* `separator` stands between them if they are inner nodes. */
void cella_map_row_gather(struct cella_map_row *row, const struct cella_map_node *left,
                          struct cella_map_entry *separator, const struct cella_map_node *right);
/* Fills `node` with `count` entries of the row from `first` on, and the children around them. */
void cella_map_row_deal(const struct cella_map_row *row, unsigned first, unsigned count,
                        struct cella_map_node *node);

/* --- map_path.c: changes of the tree's shape. They keep the content as it is, also when they fail; all give
 * CELLA_NO_MEMORY. --- */

/* Makes every node of the way one of the current level. */
enum cella_status cella_map_path_own(struct cella_map *map, struct cella_map_path *path);
/* Makes room for `key` in the full leaf that the way leads to. */
enum cella_status cella_map_path_make_room(struct cella_map *map, struct cella_map_path *path,
                                           struct cella_bytes key);
/* Sees to it that one entry can be taken from the leaf. The first nodes of the way may then no longer be in
 * the tree: another one may be its root. */
enum cella_status cella_map_path_fill(struct cella_map *map, struct cella_map_path *path);

#endif
