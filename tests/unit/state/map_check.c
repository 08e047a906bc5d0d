/* The map's inner promises, checked; and small helpers. */
#include "unit/state/map_check.h"
#include <stdio.h>
#include <string.h>

struct walk {
    uint64_t count;
    uint64_t size;
    uint64_t memory;
};

/* As the allocator rounds. */
static uint64_t block(size_t size) {
    size_t rounded = (size + 8 + 15) / 16 * 16;
    return rounded < 32 ? 32 : rounded;
}

static uint64_t entry_block(const struct cella_map_entry *entry) {
    size_t size = offsetof(struct cella_map_entry, bytes) + entry->key_size + entry->value_size;
    return block(size < sizeof *entry ? sizeof *entry : size);
}

/* Keys of the node are in [low, high), of separators in (low, high); NULL is no bound. */
static void check_entries(const struct cella_map_node *node, const struct cella_bytes *low,
                          const struct cella_bytes *high) {
    for (unsigned i = 0; i < node->count; i++) {
        struct cella_bytes key = cella_map_entry_key(node->entries[i]);
        assert_true(key.size >= node->skip);
        assert_memory_equal(key.data, node->entries[0]->bytes, node->skip);
        assert_true(node->heads[i] == cella_map_head(key, node->skip));
        assert_true(low == NULL || cella_map_compare(key, *low) >= 0);
        assert_true(high == NULL || cella_map_compare(key, *high) < 0);
        if (i > 0)
            assert_true(cella_map_compare(cella_map_entry_key(node->entries[i - 1]), key) < 0);
    }
}

static void check_node(const struct cella_map_node *node, const struct cella_bytes *low,
                       const struct cella_bytes *high, bool is_last, struct walk *walk) {
    bool is_root = low == NULL && high == NULL;
    assert_true(node->count <= MAP_NODE_ENTRIES);
    assert_true(is_root || is_last || node->count >= MAP_NODE_LEAST);
    check_entries(node, low, high);
    walk->memory += block(node->height == 0 ? sizeof *node : sizeof(struct cella_map_inner));
    for (unsigned i = 0; i < node->count; i++) {
        const struct cella_map_entry *entry = node->entries[i];
        walk->memory += entry_block(entry);
        walk->count += node->height == 0;
        walk->size += node->height == 0 ? entry->key_size + entry->value_size : 0;
        assert_true(node->height == 0 || entry->value_size == 0);
    }
    if (node->height == 0)
        return;
    assert_true(!is_root || node->count > 0);
    for (unsigned i = 0; i <= node->count; i++) {
        const struct cella_map_inner *inner = cella_map_inner(node);
        struct cella_bytes first = i > 0 ? cella_map_entry_key(node->entries[i - 1]) : CELLA_BYTES(NULL, 0);
        struct cella_bytes end =
            i < node->count ? cella_map_entry_key(node->entries[i]) : CELLA_BYTES(NULL, 0);
        uint64_t before = walk->count;
        assert_int_equal(inner->children[i]->height, node->height - 1);
        check_node(inner->children[i], i > 0 ? &first : low, i < node->count ? &end : high,
                   is_last && i == node->count, walk);
        assert_int_equal(inner->counts[i], walk->count - before);
    }
}

uint64_t map_check(const struct cella_map *map, const struct cella_map_view *view) {
    const struct cella_map_state *state = view != NULL ? &view->state : &map->now;
    struct walk walk = {0};
    check_node(state->root, NULL, NULL, true, &walk);
    assert_int_equal(walk.count, state->count);
    assert_int_equal(walk.size, state->size);
    return walk.memory;
}

struct cella_bytes map_text(const char *text) {
    return CELLA_BYTES(text, strlen(text));
}

void map_expect(const struct cella_map *map, const struct cella_map_view *view, const char *key,
                const char *value) {
    struct cella_bytes got = {0};
    bool found = view != NULL ? cella_map_view_get(view, map_text(key), &got)
                              : cella_map_get(map, map_text(key), &got);
    assert_int_equal(found, value != NULL);
    if (value != NULL)
        assert_bytes(got, map_text(value));
}

void map_put_alone(struct cella_map *map, const char *key, const char *value) {
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, map_text(key), map_text(value)), CELLA_OK);
    cella_map_commit(map);
}

struct cella_bytes map_number(unsigned number, char *buffer) {
    (void)snprintf(buffer, 9, "%08u", number);
    return CELLA_BYTES(buffer, 8);
}

void map_fill(struct cella_map *map, unsigned from, unsigned to, size_t size) {
    struct cella_bytes value = test_pattern(size, 1);
    char key[9];
    for (unsigned i = from; i < to; i++)
        assert_status(cella_map_put(map, map_number(i, key), value), CELLA_OK);
}
