/* A place where mail is kept, for tests: an ordered map in a sorted array, with transactions that nest and
 * can be taken back, counts of calls, puts that fail, and, if asked, any number of idle senders that cost no
 * memory. What it hands out dies with the next change, so that a sanitizer sees whoever uses it later. */
#ifndef CELLA_TEST_SHELF_H
#define CELLA_TEST_SHELF_H

#include "mail/keep.h"
#include "state/map.h"

struct shelf_entry {
    struct cella_bytes key;
    struct cella_bytes value; /* data NULL: an idle sender's entry that was deleted */
};

struct shelf_change {
    struct shelf_entry before;
    bool was_there;
};

struct shelf {
    struct cella_mail_keep keep;
    struct shelf_entry *entries;
    size_t count, capacity;
    struct shelf_change *changes;
    size_t change_count, change_capacity;
    size_t marks[8];
    unsigned depth;
    uint8_t **lent;
    size_t lent_count, lent_capacity;
    struct cella_map *map; /* NULL with idle senders */
    uint64_t idle;
    unsigned gets, puts, deletes, seeks; /* since shelf_reset_counts */
    unsigned fail_after; /* changes that work before one fails with NO_MEMORY; 0: none fails */
};

void shelf_init(struct shelf *shelf);
void shelf_deinit(struct shelf *shelf);

void shelf_begin(struct shelf *shelf);
void shelf_commit(struct shelf *shelf);
void shelf_abort(struct shelf *shelf);

void shelf_reset_counts(struct shelf *shelf);
unsigned shelf_calls(const struct shelf *shelf);

/* Outside a transaction: everything as one string of bytes, to compare. */
struct cella_bytes shelf_dump(const struct shelf *shelf);

/* An empty shelf gets a state and this many senders that wrote once, each with one topic "t" and a stored
 * reply of 8 bytes, and were not heard since. */
void shelf_fill_idle(struct shelf *shelf, uint64_t count);
void shelf_idle_key(uint64_t number, uint8_t out[CELLA_MAIL_KEY_SIZE]);

#endif
