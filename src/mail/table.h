/* A hash table whose entries are also in order of use. Entries embed the node; the table owns none of them.
 * The hash is keyed, because clients choose the keys. Callers lock. */
#ifndef CELLA_MAIL_TABLE_H
#define CELLA_MAIL_TABLE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>

struct cella_table_node {
    struct cella_table_node *chain;
    struct cella_table_node *newer;
    struct cella_table_node *older;
    uint64_t hash;
};

struct cella_table {
    struct cella_table_node **buckets;
    uint64_t mask;
    struct cella_table_node *newest;
    struct cella_table_node *oldest;
    uint32_t count;
    uint64_t factor; /* both below 2^61 and secret */
    uint64_t addend;
};

/* For about `capacity` entries. CELLA_NO_MEMORY, CELLA_NO_RANDOM. */
enum cella_status cella_table_init(struct cella_table *table, uint32_t capacity);
void cella_table_deinit(struct cella_table *table);

/* Keys of 16 or 32 bytes. */
uint64_t cella_table_hash(const struct cella_table *table, struct cella_bytes key);
/* The first entry of this hash, and the one after `node`; the caller compares keys. NULL at the end. */
struct cella_table_node *cella_table_first(const struct cella_table *table, uint64_t hash);
struct cella_table_node *cella_table_next(const struct cella_table_node *node);

/* Adds as the newest. */
void cella_table_add(struct cella_table *table, struct cella_table_node *node, uint64_t hash);
void cella_table_remove(struct cella_table *table, struct cella_table_node *node);
/* Makes it the newest. */
void cella_table_touch(struct cella_table *table, struct cella_table_node *node);

/* The object that embeds `node` as its first member's place says. */
#define CELLA_TABLE_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
