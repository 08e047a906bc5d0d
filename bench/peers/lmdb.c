/* LMDB: one writer, commits that are flushed with its defaults, reads from the mapped file. */
#include "peer.h"
#include <lmdb.h>
#include <stdlib.h>

struct store {
    MDB_env *environment;
    MDB_dbi database;
};

static void check(int result) {
    if (result != 0)
        bench_die(mdb_strerror(result));
}

static void *open_store(const char *folder, bool durable) {
    struct store *store = calloc(1, sizeof *store);
    MDB_txn *transaction;
    bench_require(store != NULL, "memory for LMDB");
    check(mdb_env_create(&store->environment));
    check(mdb_env_set_mapsize(store->environment, (size_t)8 << 30));
    check(mdb_env_open(store->environment, folder, durable ? 0 : MDB_NOSYNC, 0600));
    check(mdb_txn_begin(store->environment, NULL, 0, &transaction));
    check(mdb_dbi_open(transaction, NULL, 0, &store->database));
    check(mdb_txn_commit(transaction));
    return store;
}

static void put(void *context, uint64_t first, uint64_t count, unsigned batch) {
    const struct store *store = context;
    uint8_t key[PEER_KEY_SIZE];
    uint8_t value[PEER_VALUE_SIZE];
    MDB_txn *transaction = NULL;
    for (uint64_t i = 0; i < count; i++) {
        if (i % batch == 0)
            check(mdb_txn_begin(store->environment, NULL, 0, &transaction));
        peer_key(first + i, key);
        peer_value(first + i, value);
        MDB_val key_value = {.mv_size = sizeof key, .mv_data = key};
        MDB_val value_value = {.mv_size = sizeof value, .mv_data = value};
        check(mdb_put(transaction, store->database, &key_value, &value_value, 0));
        if ((i + 1) % batch == 0 || i + 1 == count)
            check(mdb_txn_commit(transaction));
    }
}

/* In one transaction: what costs least. */
static void get(void *context, uint64_t keys, uint64_t count, uint64_t seed) {
    const struct store *store = context;
    uint8_t key[PEER_KEY_SIZE];
    uint64_t sum = 0;
    MDB_txn *transaction;
    check(mdb_txn_begin(store->environment, NULL, MDB_RDONLY, &transaction));
    for (uint64_t i = 0; i < count; i++) {
        peer_key(peer_mix(seed + i) % keys, key);
        MDB_val key_value = {.mv_size = sizeof key, .mv_data = key};
        MDB_val value_value;
        check(mdb_get(transaction, store->database, &key_value, &value_value));
        bench_require(value_value.mv_size == PEER_VALUE_SIZE, "a get of LMDB");
        sum += *(const volatile uint8_t *)value_value.mv_data;
    }
    mdb_txn_abort(transaction);
    bench_require(sum > 0, "the values of LMDB");
}

static void close_store(void *context) {
    struct store *store = context;
    check(mdb_env_sync(store->environment, 1));
    mdb_env_close(store->environment);
    free(store);
}

extern const struct peer_module bench_peer_module;
const struct peer_module bench_peer_module = {
    .open = open_store, .put = put, .get = get, .close = close_store};
