/* Hash table with order of use. Must not own its entries. */
#include "mail/table.h"
#include "base/reader.h"
#include "crypto/random.h"
#include <stdlib.h>

enum cella_status cella_table_init(struct cella_table *table, uint32_t capacity) {
    uint64_t size = 16;
    while (size < capacity)
        size *= 2;
    *table = (struct cella_table){.mask = size - 1};
    uint64_t seed[2];
    enum cella_status status = cella_random(seed, sizeof seed);
    if (status != CELLA_OK)
        return status;
    table->factor = (seed[0] >> 3) | 1;
    table->addend = seed[1] >> 3;
    table->buckets = calloc(size, sizeof(struct cella_table_node *));
    return table->buckets == NULL ? CELLA_NO_MEMORY : CELLA_OK;
}

void cella_table_deinit(struct cella_table *table) {
    free(table->buckets);
    *table = (struct cella_table){0};
}

/* Modulo 2^61-1, where 2^61 counts as 1. The result may be the prime itself, which is as good as 0. */
static uint64_t reduce(unsigned __int128 value) {
    const uint64_t prime = (UINT64_C(1) << 61) - 1;
    uint64_t sum = (uint64_t)(value & prime) + (uint64_t)(value >> 61);
    return (sum & prime) + (sum >> 61);
}

/* Multiply and add with secret numbers: two keys that a client chooses fall together by chance only. */
uint64_t cella_table_hash(const struct cella_table *table, struct cella_bytes key) {
    uint64_t hash = table->addend;
    struct cella_reader reader;
    cella_reader_init(&reader, key);
    while (cella_reader_left(&reader) >= 4)
        hash = reduce((unsigned __int128)(hash + cella_read_u32(&reader)) * table->factor);
    return hash;
}

struct cella_table_node *cella_table_next(const struct cella_table_node *node) {
    uint64_t hash = node->hash;
    struct cella_table_node *next = node->chain;
    while (next != NULL && next->hash != hash)
        next = next->chain;
    return next;
}

struct cella_table_node *cella_table_first(const struct cella_table *table, uint64_t hash) {
    struct cella_table_node *node = table->buckets[hash & table->mask];
    return node == NULL || node->hash == hash
               ? node
               : cella_table_next(&(struct cella_table_node){.chain = node, .hash = hash});
}

static void link_newest(struct cella_table *table, struct cella_table_node *node) {
    node->newer = NULL;
    node->older = table->newest;
    if (table->newest != NULL)
        table->newest->newer = node;
    table->newest = node;
    if (table->oldest == NULL)
        table->oldest = node;
}

static void unlink_order(struct cella_table *table, struct cella_table_node *node) {
    if (node->newer != NULL)
        node->newer->older = node->older;
    else
        table->newest = node->older;
    if (node->older != NULL)
        node->older->newer = node->newer;
    else
        table->oldest = node->newer;
}

void cella_table_add(struct cella_table *table, struct cella_table_node *node, uint64_t hash) {
    struct cella_table_node **bucket = &table->buckets[hash & table->mask];
    node->hash = hash;
    node->chain = *bucket;
    *bucket = node;
    link_newest(table, node);
    table->count++;
}

void cella_table_remove(struct cella_table *table, struct cella_table_node *node) {
    struct cella_table_node **place = &table->buckets[node->hash & table->mask];
    while (*place != node)
        place = &(*place)->chain;
    *place = node->chain;
    unlink_order(table, node);
    table->count--;
}

void cella_table_touch(struct cella_table *table, struct cella_table_node *node) {
    if (table->newest == node)
        return;
    unlink_order(table, node);
    link_newest(table, node);
}
