/* The map's memory: makes and frees entries and nodes, and remembers what a transaction created and retired
 * until its fate and that of the views is known. Must not: know the order of keys. */
#include "base/secret.h"
#include "state/map_internal.h"
#include <stdlib.h>

/* What the allocator takes for it. */
static size_t block_size(size_t size) {
    size_t block = (size + 8 + 15) & ~(size_t)15;
    return block < 32 ? 32 : block;
}

void *cella_map_allocate(struct cella_map *map, size_t size) {
    void *memory = malloc(size);
    if (memory != NULL)
        map->memory += block_size(size);
    return memory;
}

void cella_map_release(struct cella_map *map, void *memory, size_t size) {
    if (memory == NULL)
        return;
    map->memory -= block_size(size);
    cella_wipe_free(memory, size);
}

static size_t entry_size(size_t key_size, size_t value_size) {
    return offsetof(struct cella_map_entry, bytes) + key_size + value_size;
}

struct cella_map_entry *cella_map_entry_new(struct cella_map *map, struct cella_bytes key,
                                            struct cella_bytes value) {
    /* Never less than the struct itself, of which the compiler may write all. */
    size_t size = entry_size(key.size, value.size);
    struct cella_map_entry *entry = cella_map_allocate(map, size < sizeof *entry ? sizeof *entry : size);
    if (entry == NULL)
        return NULL;
    entry->birth = map->birth;
    entry->key_size = (uint16_t)key.size;
    entry->value_size = (uint32_t)value.size;
    memcpy(entry->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(entry->bytes + key.size, value.data, value.size);
    return entry;
}

void cella_map_entry_free(struct cella_map *map, struct cella_map_entry *entry) {
    size_t size = entry_size(entry->key_size, entry->value_size);
    cella_map_release(map, entry, size < sizeof *entry ? sizeof *entry : size);
}

static size_t node_size(unsigned height) {
    return height == 0 ? sizeof(struct cella_map_node) : sizeof(struct cella_map_inner);
}

struct cella_map_node *cella_map_node_new(struct cella_map *map, unsigned height) {
    struct cella_map_node *node = cella_map_allocate(map, node_size(height));
    if (node == NULL)
        return NULL;
    node->birth = map->birth;
    node->count = 0;
    node->skip = 0;
    node->height = (uint16_t)height;
    return node;
}

struct cella_map_node *cella_map_node_copy(struct cella_map *map, const struct cella_map_node *node) {
    struct cella_map_node *copy = cella_map_node_new(map, node->height);
    if (copy == NULL)
        return NULL;
    unsigned count = node->count;
    copy->count = node->count;
    copy->skip = node->skip;
    memcpy(copy->heads, node->heads, count * sizeof node->heads[0]);
    memcpy(copy->entries, node->entries, count * sizeof node->entries[0]);
    if (node->height == 0)
        return copy;
    const struct cella_map_inner *from = cella_map_inner(node);
    struct cella_map_inner *to = cella_map_inner(copy);
    memcpy(to->counts, from->counts, (count + 1) * sizeof from->counts[0]);
    memcpy(to->children, from->children, (count + 1) * sizeof from->children[0]);
    return copy;
}

void cella_map_node_free(struct cella_map *map, struct cella_map_node *node) {
    cella_map_release(map, node, node_size(node->height));
}

void cella_map_tree_free(struct cella_map *map, struct cella_map_node *node) {
    for (unsigned i = 0; i < node->count; i++)
        cella_map_entry_free(map, node->entries[i]);
    for (unsigned i = 0; node->height > 0 && i <= node->count; i++)
        cella_map_tree_free(map, cella_map_inner(node)->children[i]);
    cella_map_node_free(map, node);
}

/* --- bags --- */

static enum cella_status bag_reserve(struct cella_map *map, struct cella_map_bag *bag) {
    if (bag->spare == NULL) {
        bag->spare = cella_map_allocate(map, sizeof *bag->spare);
        if (bag->spare == NULL)
            return CELLA_NO_MEMORY;
        bag->spare->count = 0;
    }
    return CELLA_OK;
}

static void bag_put_chunk(struct cella_map_bag *bag, struct cella_map_chunk *chunk) {
    chunk->older = bag->newest;
    bag->newest = chunk;
}

static void bag_put(struct cella_map_bag *bag, uintptr_t object) {
    if (bag->newest == NULL || bag->newest->count == MAP_BAG_CHUNK) {
        CELLA_ASSERT(bag->spare != NULL);
        bag_put_chunk(bag, bag->spare);
        bag->spare = NULL;
    }
    bag->newest->objects[bag->newest->count++] = object;
    bag->total++;
}

/* Keeps an empty chunk if the bag has no spare one. */
static void bag_recycle(struct cella_map *map, struct cella_map_bag *bag, struct cella_map_chunk *chunk) {
    chunk->count = 0;
    if (bag->spare == NULL)
        bag->spare = chunk;
    else
        cella_map_release(map, chunk, sizeof *chunk);
}

static struct cella_map_chunk *bag_take_chunk(struct cella_map_bag *bag) {
    struct cella_map_chunk *chunk = bag->newest;
    if (chunk != NULL) {
        bag->newest = chunk->older;
        bag->total -= chunk->count;
    }
    return chunk;
}

static uintptr_t bag_take(struct cella_map *map, struct cella_map_bag *bag) {
    struct cella_map_chunk *chunk = bag->newest;
    uintptr_t object = chunk->objects[--chunk->count];
    bag->total--;
    if (chunk->count == 0) {
        bag->newest = chunk->older;
        bag_recycle(map, bag, chunk);
    }
    return object;
}

void cella_map_bag_deinit(struct cella_map *map, struct cella_map_bag *bag) {
    CELLA_ASSERT(bag->newest == NULL);
    cella_map_release(map, bag->spare, sizeof *bag->spare);
    bag->spare = NULL;
}

/* --- what a transaction created and retired --- */

static bool is_node(uintptr_t object) {
    return (object & 1) != 0;
}

static struct cella_map_node *node_of(uintptr_t object) {
    return (struct cella_map_node *)(object - 1);
}

static struct cella_map_entry *entry_of(uintptr_t object) {
    return (struct cella_map_entry *)object;
}

static void free_object(struct cella_map *map, uintptr_t object) {
    if (is_node(object))
        cella_map_node_free(map, node_of(object));
    else
        cella_map_entry_free(map, entry_of(object));
}

static uint64_t birth_of(uintptr_t object) {
    return is_node(object) ? node_of(object)->birth : entry_of(object)->birth;
}

enum cella_status cella_map_reserve(struct cella_map *map) {
    enum cella_status status = bag_reserve(map, &map->created);
    return status == CELLA_OK ? bag_reserve(map, &map->retired) : status;
}

void cella_map_created_node(struct cella_map *map, struct cella_map_node *node) {
    bag_put(&map->created, (uintptr_t)node + 1);
}

void cella_map_created_entry(struct cella_map *map, struct cella_map_entry *entry) {
    bag_put(&map->created, (uintptr_t)entry);
}

void cella_map_retire_node(struct cella_map *map, struct cella_map_node *node) {
    bag_put(&map->retired, (uintptr_t)node + 1);
}

void cella_map_retire_entry(struct cella_map *map, struct cella_map_entry *entry) {
    bag_put(&map->retired, (uintptr_t)entry);
}

static void free_taken_back(struct cella_map *map) {
    while (map->taken_back != NULL) {
        struct cella_map_entry *entry = map->taken_back;
        map->taken_back = entry->next;
        cella_map_entry_free(map, entry);
    }
}

void cella_map_take_back(struct cella_map *map, const struct cella_map_level *level) {
    while (map->created.total > level->created) {
        uintptr_t object = bag_take(map, &map->created);
        if (is_node(object)) {
            cella_map_node_free(map, node_of(object));
        } else {
            entry_of(object)->next = map->taken_back;
            map->taken_back = entry_of(object);
        }
    }
    while (map->retired.total > level->retired)
        (void)bag_take(map, &map->retired);
    if (map->depth == 1)
        free_taken_back(map);
}

/* --- what views still need --- */

static bool is_held(struct cella_map_view *view) {
    return atomic_load_explicit(&view->holders, memory_order_acquire) > 0;
}

/* `view` or the next older one that somebody holds. */
static struct cella_map_view *held_from(struct cella_map_view *view) {
    while (view != NULL && !is_held(view))
        view = view->older;
    return view;
}

/* Frees the retired objects that `view` and all older ones cannot see, and gives it the others. */
static void sift(struct cella_map *map, struct cella_map_chunk *chunk, struct cella_map_view *view) {
    size_t kept = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if (view != NULL && birth_of(chunk->objects[i]) <= view->moment)
            chunk->objects[kept++] = chunk->objects[i];
        else
            free_object(map, chunk->objects[i]);
    }
    while (kept > 0 && view->dead.newest != NULL && view->dead.newest->count < MAP_BAG_CHUNK)
        bag_put(&view->dead, chunk->objects[--kept]);
    chunk->count = kept;
    if (kept == 0) {
        bag_recycle(map, &map->retired, chunk);
        return;
    }
    view->dead.total += kept;
    bag_put_chunk(&view->dead, chunk);
}

void cella_map_reap(struct cella_map *map, unsigned chunks) {
    struct cella_map_view *older;
    for (struct cella_map_view *view = map->newest_view; view != NULL; view = older) {
        older = view->older;
        if (is_held(view))
            continue;
        struct cella_map_view *heir = held_from(older);
        for (; view->dead.newest != NULL && chunks > 0; chunks--)
            sift(map, bag_take_chunk(&view->dead), heir);
        if (view->dead.newest != NULL)
            continue;
        if (older != NULL)
            older->newer = view->newer;
        if (view->newer != NULL)
            view->newer->older = older;
        else
            map->newest_view = older;
        cella_map_release(map, view, sizeof *view);
    }
}

void cella_map_settle(struct cella_map *map) {
    struct cella_map_chunk *chunk;
    struct cella_map_view *view = held_from(map->newest_view);
    while ((chunk = bag_take_chunk(&map->created)) != NULL)
        bag_recycle(map, &map->created, chunk);
    while ((chunk = bag_take_chunk(&map->retired)) != NULL)
        sift(map, chunk, view);
    free_taken_back(map);
}
