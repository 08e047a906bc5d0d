/* Cursors: step through the leaves, and find their place again when the newest state has changed below them.
 * Must not: change the map. */
#include "base/secret.h"
#include "state/map_internal.h"
#include <stdlib.h>

/* Where a cursor stands. */
struct position {
    enum {
        AT_START,
        AT_KEY, /* `path` leads to the key that was given last */
        AT_END,
    } where;
    uint64_t changes; /* of the map, when `path` was right */
    struct cella_map_path path;
    uint8_t *key; /* given last; of cursors over the newest state only */
    size_t key_size;
    size_t key_capacity;
};

void cella_map_cursor_init(struct cella_map_cursor *cursor, const struct cella_map *map,
                           const struct cella_map_view *view) {
    *cursor = (struct cella_map_cursor){.map = map, .view = view};
}

void cella_map_cursor_deinit(struct cella_map_cursor *cursor) {
    struct position *position = cursor->position;
    if (position != NULL)
        cella_wipe_free(position->key, position->key_capacity);
    free(position);
    cursor->position = NULL;
}

/* The entry at the place, or the first behind the leaf. False: there is none. */
static bool go_up(struct cella_map_path *path) {
    unsigned depth = path->depth;
    while (path->index[depth] == path->nodes[depth]->count) {
        if (depth == 0)
            return false;
        depth--;
    }
    if (depth == path->depth)
        return true;
    path->index[depth]++;
    for (; depth < path->depth; depth++) {
        path->nodes[depth + 1] = cella_map_inner(path->nodes[depth])->children[path->index[depth]];
        path->index[depth + 1] = 0;
    }
    return true;
}

/* The entry before the place. False: there is none. */
static bool go_down(struct cella_map_path *path) {
    unsigned depth = path->depth;
    while (path->index[depth] == 0) {
        if (depth == 0)
            return false;
        depth--;
    }
    path->index[depth]--;
    for (; depth < path->depth; depth++) {
        path->nodes[depth + 1] = cella_map_inner(path->nodes[depth])->children[path->index[depth]];
        /* In the leaf the last entry, above it the last child. */
        path->index[depth + 1] = path->nodes[depth + 1]->count - (depth + 1u == path->depth ? 1u : 0u);
    }
    return true;
}

/* To the first place that the cursor may give, or next to the key that it gave last. */
static bool seek(const struct cella_map_cursor *cursor, struct position *position) {
    struct cella_map_path *path = &position->path;
    struct cella_map_node *root = cursor->view != NULL ? cursor->view->state.root : cursor->map->now.root;
    bool goes_on = position->key_size > 0;
    struct cella_bytes start = cursor->backwards ? cursor->to : cursor->from;
    if (goes_on)
        start = CELLA_BYTES(position->key, position->key_size);
    if (start.size == 0 && cursor->backwards)
        cella_map_descend_last(root, path);
    else
        cella_map_descend(root, start, path);
    if (cursor->backwards)
        return go_down(path);
    path->index[path->depth] += goes_on && path->found;
    return go_up(path);
}

static bool step(const struct cella_map_cursor *cursor, struct position *position) {
    bool is_newest = cursor->view == NULL;
    if (position->where == AT_START || (is_newest && position->changes != cursor->map->changes))
        return seek(cursor, position);
    if (position->where == AT_END)
        return false;
    if (cursor->backwards)
        return go_down(&position->path);
    position->path.index[position->path.depth]++;
    return go_up(&position->path);
}

static bool is_inside(const struct cella_map_cursor *cursor, const struct cella_map_entry *entry) {
    struct cella_bytes key = cella_map_entry_key(entry);
    if (cursor->backwards)
        return cella_map_compare(key, cursor->from) >= 0;
    return cursor->to.size == 0 || cella_map_compare(key, cursor->to) < 0;
}

/* So that the cursor finds its place again. */
static bool remember(struct position *position, struct cella_bytes key) {
    if (key.size > position->key_capacity) {
        size_t capacity = key.size < 64 ? 64 : CELLA_MAP_KEY_MAX;
        uint8_t *buffer = malloc(capacity);
        if (buffer == NULL)
            return false;
        if (position->key_size > 0)
            memcpy(buffer, position->key, position->key_size);
        cella_wipe_free(position->key, position->key_capacity);
        position->key = buffer;
        position->key_capacity = capacity;
    }
    memcpy(position->key, key.data, key.size);
    position->key_size = key.size;
    return true;
}

/* Entries lie anywhere in memory: asks for one that a cursor will need soon. */
static void fetch_ahead(const struct cella_map_cursor *cursor, const struct cella_map_path *path) {
    enum { AHEAD = 6 };
    const struct cella_map_node *leaf = path->nodes[path->depth];
    unsigned at = path->index[path->depth];
    unsigned ahead = cursor->backwards ? at - AHEAD : at + AHEAD;
    if (ahead >= leaf->count)
        return;
    const char *entry = (const char *)leaf->entries[ahead];
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + 64);
}

bool cella_map_cursor_next(struct cella_map_cursor *cursor, struct cella_bytes *ret_key,
                           struct cella_bytes *ret_value, enum cella_status *ret_status) {
    if (cursor->position == NULL)
        cursor->position = calloc(1, sizeof(struct position));
    struct position *position = cursor->position;
    *ret_status = position != NULL ? CELLA_OK : CELLA_NO_MEMORY;
    if (position == NULL)
        return false;
    const struct cella_map_path *path = &position->path;
    const struct cella_map_entry *entry = NULL;
    if (step(cursor, position)) {
        entry = path->nodes[path->depth]->entries[path->index[path->depth]];
        if (!is_inside(cursor, entry))
            entry = NULL;
    }
    position->where = entry != NULL ? AT_KEY : AT_END;
    if (cursor->view == NULL) {
        position->changes = cursor->map->changes;
        if (entry != NULL && !remember(position, cella_map_entry_key(entry))) {
            position->where = AT_START; /* it seeks again from the key before */
            *ret_status = CELLA_NO_MEMORY;
            return false;
        }
    }
    if (entry == NULL)
        return false;
    fetch_ahead(cursor, path);
    *ret_key = cella_map_entry_key(entry);
    *ret_value = cella_map_entry_value(entry);
    return true;
}
