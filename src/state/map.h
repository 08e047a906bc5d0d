/* An ordered map from bytes to bytes in memory: one writer, whose transactions nest and can be taken back,
 * and any number of readers on states that were committed before. A B+ tree whose nodes are copied when they
 * change. Must not: know what keys mean, or write anything anywhere. */
#ifndef CELLA_STATE_MAP_H
#define CELLA_STATE_MAP_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>

#define CELLA_MAP_KEY_MAX   ((size_t)4096 + 64)
#define CELLA_MAP_VALUE_MAX ((size_t)16 << 20)

struct cella_map;
/* A state that no longer changes. */
struct cella_map_view;

enum cella_status cella_map_new(struct cella_map **ret_map);
/* All views must have been released. Wipes every value. NULL is allowed. */
void cella_map_free(struct cella_map *map);

/* The writer: one thread at a time, callers lock. begin may nest (CELLA_NO_MEMORY); commit gives the changes
 * to the level above, the outermost one makes them the committed state; abort takes back everything since its
 * begin. An outermost commit also frees some of what views kept that were released. */
enum cella_status cella_map_begin(struct cella_map *map);
void cella_map_commit(struct cella_map *map);
void cella_map_abort(struct cella_map *map);
unsigned cella_map_depth(const struct cella_map *map);

/* Only between begin and commit or abort. Keys and values are copied; a key has 1 to CELLA_MAP_KEY_MAX bytes.
 * put: CELLA_ARGUMENT (empty key), CELLA_LIMIT (a size, or 2^32 - 1 keys), CELLA_NO_MEMORY. delete:
 * CELLA_NOT_FOUND, CELLA_NO_MEMORY. A call that fails has changed nothing, and the transaction may go on. */
enum cella_status cella_map_put(struct cella_map *map, struct cella_bytes key, struct cella_bytes value);
enum cella_status cella_map_delete(struct cella_map *map, struct cella_bytes key);

/* The newest state, uncommitted changes included. The value is valid until its key is next changed, and at
 * least until the outermost transaction of now ends. */
bool cella_map_get(const struct cella_map *map, struct cella_bytes key, struct cella_bytes *ret_value);

/* The state of the last outermost commit. Taken by the writer or under its lock; used and released by any
 * thread. Everything it gives is valid until it is released. CELLA_NO_MEMORY. */
enum cella_status cella_map_view_new(struct cella_map *map, struct cella_map_view **ret_view);
/* Another holder of the same view; released apart. */
struct cella_map_view *cella_map_view_hold(struct cella_map_view *view);
/* NULL is allowed. */
void cella_map_view_release(struct cella_map_view *view);
bool cella_map_view_get(const struct cella_map_view *view, struct cella_bytes key,
                        struct cella_bytes *ret_value);

/* Keys in [from, to); an empty `to` is no end. In O(log n), for a view or (view NULL) the newest state. */
uint64_t cella_map_count(const struct cella_map *map, const struct cella_map_view *view,
                         struct cella_bytes from, struct cella_bytes to);
/* Bytes of all keys and values in that state. */
uint64_t cella_map_size(const struct cella_map *map, const struct cella_map_view *view);
/* Bytes of memory that the map has taken, with what views keep and the allocator adds. For the writer. */
uint64_t cella_map_memory(const struct cella_map *map);

/* The key above all keys that begin with `prefix`, for ranges [prefix, end): in `buffer` of the prefix's
 * size. Empty if there is none: no end. */
struct cella_bytes cella_map_prefix_end(struct cella_bytes prefix, uint8_t *buffer);

/* Walks a state in the order of keys (bytes, unsigned; a prefix comes first), or backwards. Over the newest
 * state it survives changes: it goes on from the key it gave last. A cursor owns its copy of that key; deinit
 * frees. */
struct cella_map_cursor {
    const struct cella_map *map; /* one of these */
    const struct cella_map_view *view;
    bool backwards;
    struct cella_bytes from, to; /* [from, to), borrowed; an empty `to` is no end */
    void *position;
};
void cella_map_cursor_init(struct cella_map_cursor *cursor, const struct cella_map *map,
                           const struct cella_map_view *view);
/* False: no more (CELLA_OK in *ret_status) or no memory. Views are valid until the next call, and as `get`
 * says. */
bool cella_map_cursor_next(struct cella_map_cursor *cursor, struct cella_bytes *ret_key,
                           struct cella_bytes *ret_value, enum cella_status *ret_status);
void cella_map_cursor_deinit(struct cella_map_cursor *cursor);

/* Puts a key behind the last one (CELLA_ARGUMENT: it is not above it), otherwise as put. For loading: it need
 * not search. Keys that come in order, also by put, leave full nodes behind them. */
enum cella_status cella_map_append(struct cella_map *map, struct cella_bytes key, struct cella_bytes value);

#endif
