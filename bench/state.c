/* Vaults against the bare disk and against other stores, on one disk in one run. The peers' side is in
 * state_peers.h. */
#include "base/hex.h"
#include "fixture.h"
#include "host/http.h"
#include "http_load.h"
#include "state_peers.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 50, REQUEST_SIZE = 1 + PEER_KEY_SIZE + PEER_VALUE_SIZE, LOAD_STEP = 10000 };
static const uint64_t MILLION = 1000000;

struct store {
    struct fixture fixture;
    char vaults[96];
    struct cella_http *http;
    atomic_uint_fast64_t next; /* number of the next key that is put */
    uint64_t left;
    atomic_uint open;
    pthread_mutex_t mutex;
    pthread_cond_t all_done;
};

static void start_instance(struct store *store) {
    struct cella_error error = {0};
    bench_check(cella_host_start(store->fixture.host, "store", BENCH_STORE_IMAGE, store->fixture.machine,
                                 &store->fixture.enclave, &error),
                &error, "starting the store enclave");
}

static void store_init(struct store *store) {
    struct cella_error error = {0};
    memset(store, 0, sizeof *store);
    fixture_machine_init(&store->fixture);
    (void)snprintf(store->vaults, sizeof store->vaults, "%s/vaults", store->fixture.folder);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->all_done, NULL);
    const struct cella_host_options options = {.vaults_path = store->vaults};
    bench_check(cella_host_new(&options, &store->fixture.host, &error), &error, "making a host");
    start_instance(store);
}

static void store_deinit(struct store *store) {
    cella_http_free(store->http);
    fixture_deinit(&store->fixture);
}

static void make_put(struct store *store, uint8_t request[REQUEST_SIZE]) {
    uint64_t number = atomic_fetch_add(&store->next, 1);
    request[0] = 'P';
    peer_key(number, request + 1);
    peer_value(number, request + 1 + PEER_KEY_SIZE);
}

static uint64_t call(struct store *store, struct cella_bytes request) {
    uint8_t *reply = NULL;
    size_t size = 0;
    uint64_t result = 0;
    struct cella_error error = {0};
    bench_check(cella_host_call_wait(store->fixture.enclave, request, &reply, &size, &error), &error,
                "a call");
    if (size == sizeof result)
        memcpy(&result, reply, sizeof result);
    free(reply);
    return result;
}

/* Keys of the enclave's own, so that many need no door; until it holds `count`. */
static void load_to(struct store *store, uint64_t count) {
    const uint8_t ask = 'C';
    for (uint64_t have = call(store, CELLA_BYTES(&ask, 1)); have < count;) {
        uint8_t request[17] = {'L'};
        uint64_t step = count - have < LOAD_STEP ? count - have : LOAD_STEP;
        memcpy(request + 1, &have, 8);
        memcpy(request + 9, &step, 8);
        (void)call(store, CELLA_BYTES(request, sizeof request));
        have += step;
    }
}

/* Clients that are known and silent. */
static void add_idle(struct store *store, uint64_t count) {
    for (uint64_t added = 0; added < count; added += LOAD_STEP) {
        uint8_t request[9] = {'I'};
        uint64_t step = LOAD_STEP;
        memcpy(request + 1, &step, 8);
        (void)call(store, CELLA_BYTES(request, sizeof request));
    }
}

/* --- puts through host.h: as many under way as there are clients --- */

static void submit(struct store *store);

static void on_done(void *context, enum cella_status status, const char *message, struct cella_bytes reply) {
    struct cella_error error = {0};
    (void)snprintf(error.message, sizeof error.message, "%s", message);
    bench_check(status, &error, "a put");
    submit(context);
}

static void submit(struct store *store) {
    uint64_t left = __atomic_load_n(&store->left, __ATOMIC_RELAXED);
    while (left > 0 && !__atomic_compare_exchange_n(&store->left, &left, left - 1, true, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED))
        continue;
    if (left > 0) {
        uint8_t request[REQUEST_SIZE];
        make_put(store, request);
        cella_host_call(store->fixture.enclave, CELLA_BYTES(request, sizeof request), on_done, store);
        return;
    }
    pthread_mutex_lock(&store->mutex);
    if (atomic_fetch_sub(&store->open, 1) == 1)
        pthread_cond_signal(&store->all_done);
    pthread_mutex_unlock(&store->mutex);
}

/* Puts per second. */
static double put_many(struct store *store, unsigned clients, uint64_t count) {
    store->left = count;
    atomic_store(&store->open, clients);
    double start = bench_now();
    for (unsigned i = 0; i < clients; i++)
        submit(store);
    pthread_mutex_lock(&store->mutex);
    while (atomic_load(&store->open) > 0)
        pthread_cond_wait(&store->all_done, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
    return (double)count / (bench_now() - start);
}

/* --- puts through HTTP --- */

struct http_client {
    struct store *store;
    uint8_t request[REQUEST_SIZE];
};

static struct cella_bytes next_put(void *context) {
    struct http_client *client = context;
    make_put(client->store, client->request);
    return CELLA_BYTES(client->request, sizeof client->request);
}

static void drop_reply(void *context, struct cella_bytes body) {
}

static void serve(struct store *store, char header[256]) {
    static uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    char text[2 * CELLA_HTTP_TOKEN_SIZE + 1];
    struct cella_http_options options = {.token = token};
    struct cella_error error = {0};
    bench_check(cella_http_token_load(store->fixture.folder, true, token, &error), &error, "the token");
    bench_check(cella_http_listen_parse("127.0.0.1:0", &options.listen, &error), &error, "address");
    bench_check(cella_http_new(store->fixture.host, &options, &store->http, &error), &error, "HTTP server");
    cella_hex_encode(token, sizeof token, text);
    (void)snprintf(header, 256, "Authorization: Bearer %s\r\n", text);
}

static double puts_http(void *context) {
    struct store *store = context;
    static struct http_client clients[CLIENTS];
    static struct http_load_client load[CLIENTS];
    static char header[256];
    if (store->http == NULL)
        serve(store, header);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].store = store;
        load[i] = (struct http_load_client){
            .context = &clients[i], .next = next_put, .reply = drop_reply, .header = header};
        (void)snprintf(load[i].target, sizeof load[i].target, "/v1/enclaves/store/call");
    }
    return http_load_run(cella_http_port(store->http), load, CLIENTS, 1.0);
}

/* --- rows --- */

static double puts_one(void *context) {
    return put_many(context, 1, 2000);
}

static double put_microseconds(void *context) {
    return 1e6 / put_many(context, 1, 2000);
}

static double puts_many(void *context) {
    return put_many(context, CLIENTS, 50000);
}

static double flush_microseconds(void *context) {
    const struct store *store = context;
    const struct peer_puts puts = {.folder = store->fixture.folder,
                                   .count = 2000,
                                   .batch = 1,
                                   .clients = 1,
                                   .write_size = PEER_KEY_SIZE + PEER_VALUE_SIZE};
    return 1e6 / peer_puts(PEER_FLUSH, &puts).per_second;
}

/* What a row of puts is measured against. */
struct peer_row {
    const char *name;
    const char *against;
    enum peer peer;
    unsigned batch, clients;
    uint64_t count;
    double aim;
    bench_run *work;
    struct store *store;
};

static double run_peer(void *context) {
    const struct peer_row *row = context;
    const struct peer_puts puts = {.folder = row->store->fixture.folder,
                                   .count = row->count,
                                   .batch = row->batch,
                                   .clients = row->clients};
    return peer_puts(row->peer, &puts).per_second;
}

static double run_own(void *context) {
    const struct peer_row *row = context;
    return row->work(row->store);
}

static void compare_puts(struct store *store) {
    struct peer_row rows[] = {
        {"state/put-1-sqlcipher", "SQLCipher, WAL, FULL, a put for each commit", PEER_SQLCIPHER, 1, 1, 2000,
         1, puts_one, store},
        {"state/put-1-sqlite", "SQLite, WAL, FULL, a put for each commit", PEER_SQLITE, 1, 1, 2000, 1,
         puts_one, store},
        {"state/puts-50-redis", "Redis, appendfsync always, 50 clients", PEER_REDIS, 1, CLIENTS, 50000, 1,
         puts_many, store},
        {"state/puts-50-sqlcipher", "SQLCipher, 100 puts for each commit", PEER_SQLCIPHER, 100, 1, 50000, 5,
         puts_many, store},
        {"state/puts-50-sqlite", "SQLite, 100 puts for each commit", PEER_SQLITE, 100, 1, 50000, 1, puts_many,
         store},
        {"state/puts-50-lmdb", "LMDB, 100 puts for each commit", PEER_LMDB, 100, 1, 50000, 1, puts_many,
         store},
        {"state/puts-50-rocksdb", "RocksDB, sync writes, 50 threads", PEER_ROCKSDB, 1, CLIENTS, 20000, 1,
         puts_many, store},
        {"state/puts-50-http-redis", "Redis, appendfsync always, 50 clients", PEER_REDIS, 1, CLIENTS, 50000,
         1, puts_http, store},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!bench_wanted(rows[i].name))
            continue;
        if (peer_missing(rows[i].peer) != NULL) {
            (void)fprintf(stderr, "bench: %s is left out: the package %s is missing\n", rows[i].name,
                          peer_missing(rows[i].peer));
            continue;
        }
        bench_compare(&(struct bench_pair){.name = rows[i].name,
                                           .unit = "puts/s",
                                           .against = rows[i].against,
                                           .aim = rows[i].aim,
                                           .work = run_own,
                                           .base = run_peer,
                                           .context = &rows[i]});
    }
}

struct gets {
    struct store *store;
    struct peer_store *peer;
    uint64_t seed;
};

/* All inside one call, so that the door does not count. */
static double own_gets(void *context) {
    struct gets *gets = context;
    uint8_t request[25] = {'G'};
    uint64_t count = 500000;
    gets->seed += count;
    memcpy(request + 1, &gets->seed, 8);
    memcpy(request + 9, &count, 8);
    memcpy(request + 17, &MILLION, 8);
    double start = bench_now();
    (void)call(gets->store, CELLA_BYTES(request, sizeof request));
    return (double)count / (bench_now() - start);
}

static double peer_gets(void *context) {
    struct gets *gets = context;
    const uint64_t count = 200000;
    double start = bench_now();
    peer_store_get(gets->peer, count);
    return (double)count / (bench_now() - start);
}

static void compare_gets(struct store *store, const char *name, const char *against, enum peer peer,
                         double aim) {
    if (!bench_wanted(name) || peer_missing(peer) != NULL)
        return;
    load_to(store, MILLION);
    struct gets gets = {.store = store, .peer = peer_store_new(peer, store->fixture.folder, MILLION)};
    bench_compare(&(struct bench_pair){.name = name,
                                       .unit = "gets/s",
                                       .against = against,
                                       .aim = aim,
                                       .work = own_gets,
                                       .base = peer_gets,
                                       .context = &gets});
    peer_store_free(gets.peer);
}

/* The cost of one put with `keys` keys in the vault, against one with a thousand. */
struct growth {
    struct store small, large;
};

static double large_put(void *context) {
    return put_microseconds(&((struct growth *)context)->large);
}

static double small_put(void *context) {
    return put_microseconds(&((struct growth *)context)->small);
}

static double large_group(void *context) {
    return 1e6 / puts_many(&((struct growth *)context)->large);
}

static double small_group(void *context) {
    return 1e6 / puts_many(&((struct growth *)context)->small);
}

/* What `large` has and `small` has not: keys or idle clients. */
static void compare_growth(const char *name, uint64_t keys, uint64_t idle, bool grouped) {
    if (!bench_wanted(name))
        return;
    struct growth *growth = calloc(1, sizeof *growth);
    bench_require(growth != NULL, "memory");
    store_init(&growth->small);
    store_init(&growth->large);
    load_to(&growth->small, 1000);
    load_to(&growth->large, keys);
    add_idle(&growth->large, idle);
    bench_compare(&(struct bench_pair){.name = name,
                                       .unit = "us",
                                       .against = "the same with 1,000 keys and no idle client",
                                       .aim = 1.2,
                                       .lower_is_better = true,
                                       .work = grouped ? large_group : large_put,
                                       .base = grouped ? small_group : small_put,
                                       .context = growth});
    store_deinit(&growth->small);
    store_deinit(&growth->large);
    free(growth);
}

struct restart {
    struct store *store;
    struct peer_redis *redis;
};

/* From the request to start it until it has answered a call; all keys are loaded then. */
static double own_restart(void *context) {
    struct restart *restart = context;
    const uint8_t ask = 'C';
    bench_check(cella_host_stop(restart->store->fixture.enclave, 60000), NULL, "stopping");
    double start = bench_now();
    start_instance(restart->store);
    bench_require(call(restart->store, CELLA_BYTES(&ask, 1)) >= MILLION, "the keys after a restart");
    return (bench_now() - start) * 1000;
}

static double redis_restart(void *context) {
    return peer_redis_load(((struct restart *)context)->redis);
}

static void compare_restart(struct store *store, const char *name, const char *against, bool preamble) {
    if (!bench_wanted(name) || peer_missing(PEER_REDIS) != NULL)
        return;
    load_to(store, MILLION);
    struct restart restart = {.store = store,
                              .redis = peer_redis_new(store->fixture.folder, MILLION, preamble)};
    bench_compare(&(struct bench_pair){.name = name,
                                       .unit = "ms",
                                       .against = against,
                                       .aim = 1,
                                       .lower_is_better = true,
                                       .work = own_restart,
                                       .base = redis_restart,
                                       .context = &restart});
    if (!preamble) {
        bench_state("state/memory-redis", peer_redis_memory(restart.redis), "B/key");
        bench_state("state/disk-redis", peer_redis_disk(restart.redis), "B/key");
    }
    peer_redis_free(restart.redis);
}

static void bench_large(void) {
    if (!bench_wanted("state/get-rocksdb") && !bench_wanted("state/get-lmdb") &&
        !bench_wanted("state/restart-redis-aof") && !bench_wanted("state/restart-redis-rdb"))
        return;
    struct store store;
    store_init(&store);
    compare_gets(&store, "state/get-rocksdb", "RocksDB, random gets out of a million keys", PEER_ROCKSDB, 1);
    compare_gets(&store, "state/get-lmdb", "LMDB, random gets out of a million keys", PEER_LMDB, 1);
    compare_restart(&store, "state/restart-redis-aof", "Redis loading its log of a million keys", false);
    compare_restart(&store, "state/restart-redis-rdb", "Redis loading its log with an RDB preamble", true);
    store_deinit(&store);
}

void bench_vault(void) {
    struct store store;
    store_init(&store);
    bench_compare(&(struct bench_pair){.name = "state/put-1",
                                       .unit = "us",
                                       .against = "pwrite into a preallocated file and fdatasync",
                                       .aim = 1.2,
                                       .lower_is_better = true,
                                       .work = put_microseconds,
                                       .base = flush_microseconds,
                                       .context = &store});
    compare_puts(&store);
    store_deinit(&store);
    bench_large();
    compare_growth("state/commit-100k-keys", 100000, 0, false);
    compare_growth("state/commit-1M-keys", MILLION, 0, false);
    compare_growth("state/commit-1M-idle", 1000, MILLION, false);
    compare_growth("state/group-1M-keys", MILLION, 0, true);
    compare_growth("state/group-1M-idle", 1000, MILLION, true);
}
