/* Between state_peers.c and the peers: stores that are libraries, each in a module of its own, so that one
 * that is not installed is only missing, and two that have the same function names do not meet. */
#ifndef CELLA_BENCH_PEER_H
#define CELLA_BENCH_PEER_H

#include "harness.h"
#include "state_peers.h"

/* What a module has under the name PEER_MODULE_SYMBOL. Calls end the program when they fail. */
struct peer_module {
    /* Opens or makes a store in `folder`. Without `durable` commits need not be flushed. */
    void *(*open)(const char *folder, bool durable);
    /* Puts the keys from number `first` on. Several threads may call it if the peer allows that. */
    void (*put)(void *store, uint64_t first, uint64_t count, unsigned batch);
    /* Gets keys with random numbers below `keys`; `seed` decides which. */
    void (*get)(void *store, uint64_t keys, uint64_t count, uint64_t seed);
    /* Flushes, and brings the files into the form in which they are read best. */
    void (*close)(void *store);
};

#define PEER_MODULE_SYMBOL "bench_peer_module"

/* A number that looks random. */
uint64_t peer_mix(uint64_t number);
/* A new folder below `folder`, in memory that the caller frees. */
char *peer_folder_new(const char *folder);
/* Removes it with everything in it, and frees the name. */
void peer_folder_remove(char *folder);
uint64_t peer_folder_size(const char *folder);

/* Time, and bytes that the disk of a folder is given meanwhile, whoever writes them. */
struct peer_clock {
    const char *folder;
    uint64_t written;
    double start;
};
struct peer_clock peer_clock_start(const char *folder);
struct peer_puts_figures peer_clock_stop(const struct peer_clock *clock, uint64_t puts);

struct peer_puts_figures peer_redis_puts(const struct peer_puts *puts);
bool peer_redis_is_there(void);

#endif
