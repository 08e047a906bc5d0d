/* What the figures of vaults are measured against: the disk alone, and stores of other projects from Debian
 * packages, each at its best with keys of 16 and values of 100 bytes. Must not: know Cella's state.
 *
 * Every call makes its files in a folder of its own below `folder` and removes it; `folder` decides which
 * disk is measured. A peer that fails ends the program. */
#ifndef CELLA_BENCH_STATE_PEERS_H
#define CELLA_BENCH_STATE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_KEY_SIZE = 16, PEER_VALUE_SIZE = 100 };

enum peer {
    PEER_FLUSH,     /* pwrite into a file that is there already, then fdatasync */
    PEER_SQLITE,    /* WAL, synchronous=FULL, a table of two blobs without row ids */
    PEER_SQLCIPHER, /* the same, encrypted, with a key that needs no derivation */
    PEER_LMDB,      /* its defaults: two flushes for each commit */
    PEER_ROCKSDB,   /* sync writes; for gets a block cache that holds everything */
    PEER_REDIS,     /* appendfsync always, over TCP on loopback, a request at a time for each client */
};

/* NULL when the peer is there; otherwise the Debian package that is missing. */
const char *peer_missing(enum peer peer);
const char *peer_name(enum peer peer);

/* Key and value number `number`: they look random, and are the same in every run. */
void peer_key(uint64_t number, uint8_t out[PEER_KEY_SIZE]);
void peer_value(uint64_t number, uint8_t out[PEER_VALUE_SIZE]);

struct peer_puts {
    const char *folder;
    uint64_t loaded;   /* keys that are there before */
    uint64_t count;    /* puts, of new keys, that are measured */
    unsigned batch;    /* puts for each commit; 1 for PEER_REDIS */
    unsigned clients;  /* threads or connections that put at once: 1 but for PEER_ROCKSDB and PEER_REDIS */
    size_t write_size; /* PEER_FLUSH only: bytes of each put */
};
struct peer_puts_figures {
    double per_second;
    double written; /* bytes that the disk was given for each put; others who write meanwhile count too. 0:
                       the kernel does not say */
};
/* Puts that are durable when they return. Files are made, and keys loaded, before the clock starts. */
struct peer_puts_figures peer_puts(enum peer peer, const struct peer_puts *puts);

/* A loaded store for random gets: PEER_SQLITE, PEER_SQLCIPHER, PEER_LMDB, PEER_ROCKSDB. */
struct peer_store;
struct peer_store *peer_store_new(enum peer peer, const char *folder, uint64_t keys);
/* `count` gets of random keys that are there. */
void peer_store_get(struct peer_store *store, uint64_t count);
/* Bytes of its files for each key, after it was loaded in random order. */
double peer_store_disk(const struct peer_store *store);
void peer_store_free(struct peer_store *store);

/* Files of Redis with `keys` keys: its log of commands, or what it rewrites that to. */
struct peer_redis;
struct peer_redis *peer_redis_new(const char *folder, uint64_t keys, bool preamble);
/* Milliseconds from the start of the program until it answers requests, all keys loaded. */
double peer_redis_load(struct peer_redis *redis);
/* Bytes of memory and of files for each key, after the last load. */
double peer_redis_memory(const struct peer_redis *redis);
double peer_redis_disk(const struct peer_redis *redis);
void peer_redis_free(struct peer_redis *redis);

#endif
