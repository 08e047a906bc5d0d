/* The map: transactions, and changes of single keys. Must not: know how nodes look inside. */
#include "base/secret.h"
#include "state/map_internal.h"
#include <stdlib.h>

enum cella_status cella_map_new(struct cella_map **ret_map) {
    struct cella_map *map = calloc(1, sizeof *map);
    if (map == NULL)
        return CELLA_NO_MEMORY;
    map->memory = sizeof *map;
    map->now.root = cella_map_node_new(map, 0);
    if (map->now.root == NULL) {
        free(map);
        return CELLA_NO_MEMORY;
    }
    map->committed = map->now;
    *ret_map = map;
    return CELLA_OK;
}

void cella_map_free(struct cella_map *map) {
    if (map == NULL)
        return;
    while (map->depth > 0)
        cella_map_abort(map);
    cella_map_reap(map, UINT32_MAX);
    CELLA_ASSERT(map->newest_view == NULL);
    cella_map_tree_free(map, map->now.root);
    cella_map_bag_deinit(map, &map->created);
    cella_map_bag_deinit(map, &map->retired);
    free(map->levels);
    free(map);
}

enum cella_status cella_map_begin(struct cella_map *map) {
    if (map->depth == map->level_capacity) {
        size_t capacity = map->level_capacity + 8;
        struct cella_map_level *levels = realloc(map->levels, capacity * sizeof *levels);
        if (levels == NULL)
            return CELLA_NO_MEMORY;
        map->memory += (capacity - map->level_capacity) * sizeof *levels;
        map->levels = levels;
        map->level_capacity = capacity;
    }
    map->levels[map->depth++] = (struct cella_map_level){.birth = ++map->birth,
                                                         .before = map->now,
                                                         .created = map->created.total,
                                                         .retired = map->retired.total};
    return CELLA_OK;
}

void cella_map_commit(struct cella_map *map) {
    enum { CHUNKS_AT_ONCE = 4 };
    CELLA_ASSERT(map->depth > 0);
    if (--map->depth > 0)
        return;
    cella_map_settle(map);
    cella_map_reap(map, CHUNKS_AT_ONCE);
    map->committed = map->now;
    map->moment = map->birth;
}

void cella_map_abort(struct cella_map *map) {
    CELLA_ASSERT(map->depth > 0);
    const struct cella_map_level *level = &map->levels[map->depth - 1];
    map->now = level->before;
    map->changes++;
    cella_map_take_back(map, level);
    map->depth--;
}

unsigned cella_map_depth(const struct cella_map *map) {
    return (unsigned)map->depth;
}

/* --- keys --- */

static enum cella_status check_sizes(const struct cella_map *map, struct cella_bytes key,
                                     struct cella_bytes value) {
    CELLA_ASSERT(map->depth > 0);
    if (key.size == 0)
        return CELLA_ARGUMENT;
    bool good = key.size <= CELLA_MAP_KEY_MAX && value.size <= CELLA_MAP_VALUE_MAX;
    return good ? CELLA_OK : CELLA_LIMIT;
}

static void add_to_counts(const struct cella_map_path *path, uint32_t change) {
    for (unsigned depth = 0; depth < path->depth; depth++)
        cella_map_inner(path->nodes[depth])->counts[path->index[depth]] += change;
}

static enum cella_status replace(struct cella_map *map, struct cella_map_path *path,
                                 struct cella_map_entry *entry) {
    enum cella_status status = cella_map_path_own(map, path);
    if (status != CELLA_OK)
        return status;
    struct cella_map_entry **place = &path->nodes[path->depth]->entries[path->index[path->depth]];
    map->now.size += entry->value_size;
    map->now.size -= (*place)->value_size;
    cella_map_retire_entry(map, *place);
    *place = entry;
    return CELLA_OK;
}

static enum cella_status insert(struct cella_map *map, struct cella_map_path *path,
                                struct cella_map_entry *entry) {
    if (map->now.count == UINT32_MAX)
        return CELLA_LIMIT;
    enum cella_status status = cella_map_path_own(map, path);
    if (status == CELLA_OK && path->nodes[path->depth]->count == MAP_NODE_ENTRIES)
        status = cella_map_path_make_room(map, path, cella_map_entry_key(entry));
    if (status != CELLA_OK)
        return status;
    cella_map_node_insert(path->nodes[path->depth], path->index[path->depth], entry);
    add_to_counts(path, 1);
    map->now.count++;
    map->now.size += entry->key_size + entry->value_size;
    return CELLA_OK;
}

/* Puts it at the end of the way. */
static enum cella_status put_at(struct cella_map *map, struct cella_map_path *path, struct cella_bytes key,
                                struct cella_bytes value) {
    enum cella_status status = cella_map_reserve(map);
    if (status != CELLA_OK)
        return status;
    struct cella_map_entry *entry = cella_map_entry_new(map, key, value);
    if (entry == NULL)
        return CELLA_NO_MEMORY;
    map->changes++;
    status = path->found ? replace(map, path, entry) : insert(map, path, entry);
    if (status == CELLA_OK)
        cella_map_created_entry(map, entry);
    else
        cella_map_entry_free(map, entry);
    return status;
}

enum cella_status cella_map_put(struct cella_map *map, struct cella_bytes key, struct cella_bytes value) {
    enum cella_status status = check_sizes(map, key, value);
    if (status != CELLA_OK)
        return status;
    struct cella_map_path path;
    cella_map_descend(map->now.root, key, &path);
    return put_at(map, &path, key, value);
}

enum cella_status cella_map_append(struct cella_map *map, struct cella_bytes key, struct cella_bytes value) {
    enum cella_status status = check_sizes(map, key, value);
    if (status != CELLA_OK)
        return status;
    struct cella_map_path path;
    cella_map_descend_last(map->now.root, &path);
    const struct cella_map_node *leaf = path.nodes[path.depth];
    if (leaf->count > 0 && cella_map_compare(key, cella_map_entry_key(leaf->entries[leaf->count - 1])) <= 0)
        return CELLA_ARGUMENT;
    return put_at(map, &path, key, value);
}

enum cella_status cella_map_delete(struct cella_map *map, struct cella_bytes key) {
    CELLA_ASSERT(map->depth > 0);
    struct cella_map_path path;
    cella_map_descend(map->now.root, key, &path);
    if (!path.found)
        return CELLA_NOT_FOUND;
    enum cella_status status = cella_map_reserve(map);
    if (status != CELLA_OK)
        return status;
    map->changes++;
    status = cella_map_path_own(map, &path);
    if (status == CELLA_OK)
        status = cella_map_path_fill(map, &path);
    if (status != CELLA_OK)
        return status;
    struct cella_map_node *leaf = path.nodes[path.depth];
    struct cella_map_entry *entry = leaf->entries[path.index[path.depth]];
    cella_map_node_remove(leaf, path.index[path.depth]);
    cella_map_retire_entry(map, entry);
    add_to_counts(&path, UINT32_MAX);
    map->now.count--;
    map->now.size -= entry->key_size + entry->value_size;
    return CELLA_OK;
}

bool cella_map_get(const struct cella_map *map, struct cella_bytes key, struct cella_bytes *ret_value) {
    return cella_map_find(map->now.root, key, ret_value);
}

/* --- figures --- */

static const struct cella_map_state *state_of(const struct cella_map *map,
                                              const struct cella_map_view *view) {
    return view != NULL ? &view->state : &map->now;
}

uint64_t cella_map_count(const struct cella_map *map, const struct cella_map_view *view,
                         struct cella_bytes from, struct cella_bytes to) {
    const struct cella_map_state *state = state_of(map, view);
    uint64_t end = to.size > 0 ? cella_map_rank(state->root, to) : state->count;
    uint64_t start = from.size > 0 ? cella_map_rank(state->root, from) : 0;
    return end > start ? end - start : 0;
}

uint64_t cella_map_size(const struct cella_map *map, const struct cella_map_view *view) {
    return state_of(map, view)->size;
}

uint64_t cella_map_memory(const struct cella_map *map) {
    return map->memory;
}

struct cella_bytes cella_map_prefix_end(struct cella_bytes prefix, uint8_t *buffer) {
    size_t size = prefix.size;
    while (size > 0 && prefix.data[size - 1] == UINT8_MAX)
        size--;
    if (size > 0) {
        memcpy(buffer, prefix.data, size);
        buffer[size - 1]++;
    }
    return CELLA_BYTES(buffer, size);
}
