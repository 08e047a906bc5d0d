/* RocksDB with its default options, but for a block cache that holds everything. Writes of several threads
 * share flushes. */
#include "peer.h"
#include <rocksdb/c.h>
#include <stdlib.h>

struct store {
    rocksdb_t *database;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *writes;
    rocksdb_readoptions_t *reads;
    bool durable;
};

static void check(const char *error) {
    if (error != NULL)
        bench_die(error);
}

static void *open_store(const char *folder, bool durable) {
    struct store *store = calloc(1, sizeof *store);
    char *error = NULL;
    bench_require(store != NULL, "memory for RocksDB");
    store->durable = durable;
    store->options = rocksdb_options_create();
    store->table = rocksdb_block_based_options_create();
    store->cache = rocksdb_cache_create_lru((size_t)1 << 30);
    rocksdb_block_based_options_set_block_cache(store->table, store->cache);
    rocksdb_options_set_block_based_table_factory(store->options, store->table);
    rocksdb_options_set_create_if_missing(store->options, 1);
    store->database = rocksdb_open(store->options, folder, &error);
    check(error);
    store->writes = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(store->writes, durable);
    store->reads = rocksdb_readoptions_create();
    return store;
}

static void put(void *context, uint64_t first, uint64_t count, unsigned batch) {
    const struct store *store = context;
    uint8_t key[PEER_KEY_SIZE];
    uint8_t value[PEER_VALUE_SIZE];
    char *error = NULL;
    rocksdb_writebatch_t *writes = rocksdb_writebatch_create();
    for (uint64_t i = 0; i < count; i++) {
        peer_key(first + i, key);
        peer_value(first + i, value);
        rocksdb_writebatch_put(writes, (const char *)key, sizeof key, (const char *)value, sizeof value);
        if ((i + 1) % batch != 0 && i + 1 < count)
            continue;
        rocksdb_write(store->database, store->writes, writes, &error);
        check(error);
        rocksdb_writebatch_clear(writes);
    }
    rocksdb_writebatch_destroy(writes);
}

static void get(void *context, uint64_t keys, uint64_t count, uint64_t seed) {
    const struct store *store = context;
    uint8_t key[PEER_KEY_SIZE];
    char *error = NULL;
    for (uint64_t i = 0; i < count; i++) {
        size_t size = 0;
        peer_key(peer_mix(seed + i) % keys, key);
        rocksdb_pinnableslice_t *slice =
            rocksdb_get_pinned(store->database, store->reads, (const char *)key, sizeof key, &error);
        check(error);
        bench_require(slice != NULL && rocksdb_pinnableslice_value(slice, &size) != NULL &&
                          size == PEER_VALUE_SIZE,
                      "a get of RocksDB");
        rocksdb_pinnableslice_destroy(slice);
    }
}

static void close_store(void *context) {
    struct store *store = context;
    char *error = NULL;
    if (!store->durable)
        rocksdb_compact_range(store->database, NULL, 0, NULL, 0);
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_flush(store->database, flush, &error);
    check(error);
    rocksdb_flushoptions_destroy(flush);
    rocksdb_close(store->database);
    rocksdb_readoptions_destroy(store->reads);
    rocksdb_writeoptions_destroy(store->writes);
    rocksdb_options_destroy(store->options);
    rocksdb_block_based_options_destroy(store->table);
    rocksdb_cache_destroy(store->cache);
    free(store);
}

extern const struct peer_module bench_peer_module;
const struct peer_module bench_peer_module = {
    .open = open_store, .put = put, .get = get, .close = close_store};
