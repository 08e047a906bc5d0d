/* SQLite, and SQLCipher, which is used by the same calls: this file is compiled once for each. */
#include "peer.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store {
    sqlite3 *database;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *put;
    sqlite3_stmt *get;
};

static void execute(sqlite3 *database, const char *text) {
    bench_require(sqlite3_exec(database, text, NULL, NULL, NULL) == SQLITE_OK, text);
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *text) {
    sqlite3_stmt *statement = NULL;
    bench_require(sqlite3_prepare_v2(database, text, -1, &statement, NULL) == SQLITE_OK, text);
    return statement;
}

static void *open_store(const char *folder, bool durable) {
    struct store *store = calloc(1, sizeof *store);
    char path[4096];
    bench_require(store != NULL, "memory for SQLite");
    (void)snprintf(path, sizeof path, "%s/database", folder);
    bench_require(sqlite3_open(path, &store->database) == SQLITE_OK, path);
#ifdef BENCH_SQLCIPHER
    execute(store->database,
            "PRAGMA key = \"x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'\"");
#endif
    execute(store->database, "PRAGMA journal_mode = WAL");
    execute(store->database, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF");
    /* As much memory as the others have. */
    execute(store->database, "PRAGMA cache_size = -524288");
    execute(store->database,
            "CREATE TABLE IF NOT EXISTS state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
    store->begin = prepare(store->database, "BEGIN IMMEDIATE");
    store->commit = prepare(store->database, "COMMIT");
    store->put = prepare(store->database, "INSERT OR REPLACE INTO state VALUES (?1, ?2)");
    store->get = prepare(store->database, "SELECT value FROM state WHERE key = ?1");
    return store;
}

static void run(sqlite3_stmt *statement) {
    bench_require(sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK,
                  sqlite3_sql(statement));
}

static void put(void *context, uint64_t first, uint64_t count, unsigned batch) {
    const struct store *store = context;
    uint8_t key[PEER_KEY_SIZE];
    uint8_t value[PEER_VALUE_SIZE];
    for (uint64_t i = 0; i < count; i++) {
        if (batch > 1 && i % batch == 0)
            run(store->begin);
        peer_key(first + i, key);
        peer_value(first + i, value);
        sqlite3_bind_blob(store->put, 1, key, sizeof key, SQLITE_STATIC);
        sqlite3_bind_blob(store->put, 2, value, sizeof value, SQLITE_STATIC);
        run(store->put);
        if (batch > 1 && ((i + 1) % batch == 0 || i + 1 == count))
            run(store->commit);
    }
}

static void get(void *context, uint64_t keys, uint64_t count, uint64_t seed) {
    const struct store *store = context;
    uint8_t key[PEER_KEY_SIZE];
    run(store->begin);
    for (uint64_t i = 0; i < count; i++) {
        peer_key(peer_mix(seed + i) % keys, key);
        sqlite3_bind_blob(store->get, 1, key, sizeof key, SQLITE_STATIC);
        bench_require(sqlite3_step(store->get) == SQLITE_ROW &&
                          sqlite3_column_bytes(store->get, 0) == PEER_VALUE_SIZE &&
                          sqlite3_column_blob(store->get, 0) != NULL,
                      "a get of SQLite");
        sqlite3_reset(store->get);
    }
    run(store->commit);
}

static void close_store(void *context) {
    struct store *store = context;
    sqlite3_finalize(store->begin);
    sqlite3_finalize(store->commit);
    sqlite3_finalize(store->put);
    sqlite3_finalize(store->get);
    bench_require(sqlite3_close(store->database) == SQLITE_OK, "closing SQLite");
    free(store);
}

extern const struct peer_module bench_peer_module;
const struct peer_module bench_peer_module = {
    .open = open_store, .put = put, .get = get, .close = close_store};
