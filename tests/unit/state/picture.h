/* Snapshots in memory for tests: made from a map, read into another one. */
#ifndef CELLA_TEST_PICTURE_H
#define CELLA_TEST_PICTURE_H

#include "state/snapshot.h"
#include "support/test.h"

/* The root key of the worked example, for all of them. */
const uint8_t *picture_root_key(void);

/* Of version 43 in epoch 3; the salt comes from `seed`. */
struct cella_snapshot_info picture_info(uint32_t seed);
/* A map with `count` entries whose keys begin with `prefix` and whose values have 0 to `value_max` bytes. */
struct cella_map *picture_map(const char *prefix, unsigned count, size_t value_max);
void picture_put(struct cella_map *map, struct cella_bytes key, struct cella_bytes value);
/* The whole file of a map's committed state. Its memory lives until the program ends. */
struct cella_bytes picture_make(struct cella_map *map, const struct cella_snapshot_info *info,
                                uint8_t ret_digest[CELLA_DIGEST_SIZE]);

/* What reading the file in pieces of `piece` bytes gives. */
struct picture {
    enum cella_status status; /* of what failed first */
    struct cella_map *map;    /* with CELLA_OK */
    struct cella_snapshot_info info;
    uint8_t digest[CELLA_DIGEST_SIZE];
};
struct picture picture_read(struct cella_bytes file, size_t piece);
/* The same without keeping the map. */
enum cella_status picture_status(struct cella_bytes file);
/* Both hold the same entries. */
void picture_equal(struct cella_map *left, struct cella_map *right);

#endif
