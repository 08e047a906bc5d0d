/* Looks into a map as its own code may not: that every promise which its parts rely on holds. */
#ifndef CELLA_TEST_STATE_MAP_CHECK_H
#define CELLA_TEST_STATE_MAP_CHECK_H

#include "support/test.h"
#include "state/map_internal.h"

/* Fails the test if a node of the newest state (or of `view`) is out of order, wrongly counted, too poor, or
 * has a head that is not its key's. Returns the memory of all its nodes and entries. */
uint64_t map_check(const struct cella_map *map, const struct cella_map_view *view);

/* Text as bytes. */
struct cella_bytes map_text(const char *text);
/* The value of `key` is this text; NULL: there is none. */
void map_expect(const struct cella_map *map, const struct cella_map_view *view, const char *key,
                const char *value);
/* One transaction with one put. */
void map_put_alone(struct cella_map *map, const char *key, const char *value);
/* A key of 8 decimal digits in `buffer` of 9 bytes. */
struct cella_bytes map_number(unsigned number, char *buffer);
/* Puts the keys [from, to) with `size` bytes of value each, in the current transaction. */
void map_fill(struct cella_map *map, unsigned from, unsigned to, size_t size);

#endif
