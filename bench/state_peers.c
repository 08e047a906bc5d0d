/* Measures the peers: loads their modules, times them and counts what they write. Must not know how any of
 * them is used. */
#include "state_peers.h"
#include "peers/peer.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- who is there --- */

static const struct {
    const char *name;
    const char *package;
    const char *module; /* NULL: part of this program */
} PEERS[] = {
    [PEER_FLUSH] = {"bare flush", NULL, NULL},
    [PEER_SQLITE] = {"SQLite", "libsqlite3-dev", BENCH_MODULES "/peer-sqlite.so"},
    [PEER_SQLCIPHER] = {"SQLCipher", "libsqlcipher-dev", BENCH_MODULES "/peer-sqlcipher.so"},
    [PEER_LMDB] = {"LMDB", "liblmdb-dev", BENCH_MODULES "/peer-lmdb.so"},
    [PEER_ROCKSDB] = {"RocksDB", "librocksdb-dev", BENCH_MODULES "/peer-rocksdb.so"},
    [PEER_REDIS] = {"Redis", "redis-tools", NULL},
};

/* NULL: its library is not there. Stays until the program ends. */
static const struct peer_module *module_of(enum peer peer) {
    static const struct peer_module *modules[PEER_REDIS + 1];
    if (modules[peer] == NULL && PEERS[peer].module != NULL) {
        void *library = dlopen(PEERS[peer].module, RTLD_NOW | RTLD_LOCAL);
        modules[peer] = library != NULL ? dlsym(library, PEER_MODULE_SYMBOL) : NULL;
    }
    return modules[peer];
}

const char *peer_missing(enum peer peer) {
    bool is_there =
        peer == PEER_REDIS ? peer_redis_is_there() : peer == PEER_FLUSH || module_of(peer) != NULL;
    return is_there ? NULL : PEERS[peer].package;
}

const char *peer_name(enum peer peer) {
    return PEERS[peer].name;
}

/* --- keys and values --- */

uint64_t peer_mix(uint64_t number) {
    uint64_t mixed = number + UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

void peer_key(uint64_t number, uint8_t out[PEER_KEY_SIZE]) {
    /* The first half alone differs for every number. */
    uint64_t halves[2] = {peer_mix(number), peer_mix(~number)};
    memcpy(out, halves, sizeof halves);
}

void peer_value(uint64_t number, uint8_t out[PEER_VALUE_SIZE]) {
    uint64_t seed = peer_mix(number) | 1;
    for (size_t i = 0; i < PEER_VALUE_SIZE; i += 4) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy(out + i, &seed, 4);
    }
}

/* --- files --- */

char *peer_folder_new(const char *folder) {
    char *name = NULL;
    bench_require(asprintf(&name, "%s/peer-XXXXXX", folder) > 0 && mkdtemp(name) != NULL, folder);
    return name;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place) {
    return remove(path);
}

void peer_folder_remove(char *folder) {
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

static uint64_t total_size;

static int add_size(const char *path, const struct stat *info, int kind, struct FTW *place) {
    if (kind == FTW_F)
        total_size += (uint64_t)info->st_blocks * 512;
    return 0;
}

uint64_t peer_folder_size(const char *folder) {
    total_size = 0;
    bench_require(nftw(folder, add_size, 16, FTW_PHYS) == 0, folder);
    return total_size;
}

/* Bytes that went to the disk of `folder`, whoever wrote them; 0 if the kernel does not say. */
static uint64_t written(const char *folder) {
    struct stat info;
    char path[64];
    char line[256] = "";
    uint64_t sectors = 0;
    bench_require(stat(folder, &info) == 0, folder);
    (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(info.st_dev), minor(info.st_dev));
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bench_require(fgets(line, sizeof line, file) != NULL, path);
    (void)fclose(file);
    /* The seventh number: sectors of 512 bytes that were written. */
    char *at = line;
    for (unsigned i = 0; i < 7; i++)
        sectors = strtoull(at, &at, 10);
    return sectors * 512;
}

/* What was written before does not go to the disk later. */
static void settle(const char *folder) {
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bench_require(file >= 0 && syncfs(file) == 0, folder);
    close(file);
}

/* --- puts --- */

struct peer_clock peer_clock_start(const char *folder) {
    settle(folder);
    return (struct peer_clock){.folder = folder, .written = written(folder), .start = bench_now()};
}

struct peer_puts_figures peer_clock_stop(const struct peer_clock *clock, uint64_t puts) {
    double seconds = bench_now() - clock->start;
    return (struct peer_puts_figures){.per_second = (double)puts / seconds,
                                      .written =
                                          (double)(written(clock->folder) - clock->written) / (double)puts};
}

/* The file is as long as it gets, so that a flush need not write where it lies. */
static struct peer_puts_figures flush_puts(const struct peer_puts *puts) {
    enum { FILE_SIZE = 64 << 20 };
    static const uint8_t zeros[1 << 20];
    uint8_t *bytes = malloc(puts->write_size);
    char *folder = peer_folder_new(puts->folder);
    char path[4096];
    bench_require(bytes != NULL && puts->write_size <= FILE_SIZE, "size of the writes");
    (void)snprintf(path, sizeof path, "%s/file", folder);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_require(file >= 0, path);
    for (off_t at = 0; at < FILE_SIZE; at += (off_t)sizeof zeros)
        bench_require(pwrite(file, zeros, sizeof zeros, at) == (ssize_t)sizeof zeros, path);
    bench_require(fsync(file) == 0, path);
    struct peer_clock clock = peer_clock_start(folder);
    off_t at = 0;
    for (uint64_t i = 0; i < puts->count; i++) {
        memset(bytes, (int)i, puts->write_size);
        if (at + (off_t)puts->write_size > FILE_SIZE)
            at = 0;
        bench_require(pwrite(file, bytes, puts->write_size, at) == (ssize_t)puts->write_size, path);
        bench_require(fdatasync(file) == 0, path);
        at += (off_t)puts->write_size;
    }
    struct peer_puts_figures result = peer_clock_stop(&clock, puts->count);
    close(file);
    free(bytes);
    peer_folder_remove(folder);
    return result;
}

struct put_thread {
    const struct peer_module *module;
    void *store;
    const struct peer_puts *puts;
    uint64_t first;
    uint64_t count;
    pthread_t thread;
};

static void *put_some(void *context) {
    const struct put_thread *own = context;
    own->module->put(own->store, own->first, own->count, own->puts->batch);
    return NULL;
}

static void put_by_threads(const struct peer_module *module, void *store, const struct peer_puts *puts) {
    struct put_thread *threads = calloc(puts->clients, sizeof *threads);
    uint64_t first = puts->loaded;
    bench_require(threads != NULL, "memory for threads");
    for (unsigned i = 0; i < puts->clients; i++) {
        uint64_t end = puts->loaded + puts->count * (i + 1) / puts->clients;
        threads[i] = (struct put_thread){
            .module = module, .store = store, .puts = puts, .first = first, .count = end - first};
        first = end;
        bench_require(pthread_create(&threads[i].thread, NULL, put_some, &threads[i]) == 0, "a thread");
    }
    for (unsigned i = 0; i < puts->clients; i++)
        (void)pthread_join(threads[i].thread, NULL);
    free(threads);
}

/* In random order, without flushes. */
static void load(const struct peer_module *module, const char *folder, uint64_t keys) {
    enum { LOAD_BATCH = 10000 };
    if (keys == 0)
        return;
    void *store = module->open(folder, false);
    module->put(store, 0, keys, LOAD_BATCH);
    module->close(store);
}

struct peer_puts_figures peer_puts(enum peer peer, const struct peer_puts *puts) {
    if (peer == PEER_FLUSH)
        return flush_puts(puts);
    if (peer == PEER_REDIS)
        return peer_redis_puts(puts);
    const struct peer_module *module = module_of(peer);
    bench_require(module != NULL && puts->clients >= 1, peer_name(peer));
    char *folder = peer_folder_new(puts->folder);
    load(module, folder, puts->loaded);
    void *store = module->open(folder, true);
    struct peer_clock clock = peer_clock_start(folder);
    if (puts->clients == 1)
        module->put(store, puts->loaded, puts->count, puts->batch);
    else
        put_by_threads(module, store, puts);
    struct peer_puts_figures result = peer_clock_stop(&clock, puts->count);
    module->close(store);
    peer_folder_remove(folder);
    return result;
}

/* --- gets --- */

struct peer_store {
    const struct peer_module *module;
    void *store;
    char *folder;
    uint64_t keys;
    uint64_t calls;
    double disk;
};

struct peer_store *peer_store_new(enum peer peer, const char *folder, uint64_t keys) {
    struct peer_store *store = calloc(1, sizeof *store);
    bench_require(store != NULL, "memory for a store");
    *store = (struct peer_store){.module = module_of(peer), .keys = keys, .folder = peer_folder_new(folder)};
    bench_require(store->module != NULL, peer_name(peer));
    load(store->module, store->folder, keys);
    store->disk = (double)peer_folder_size(store->folder) / (double)keys;
    store->store = store->module->open(store->folder, true);
    return store;
}

void peer_store_get(struct peer_store *store, uint64_t count) {
    store->module->get(store->store, store->keys, count, peer_mix(++store->calls));
}

double peer_store_disk(const struct peer_store *store) {
    return store->disk;
}

void peer_store_free(struct peer_store *store) {
    if (store == NULL)
        return;
    store->module->close(store->store);
    peer_folder_remove(store->folder);
    free(store);
}
