/* Snapshots: a whole state, sealed in chunks, each of which depends on all before it. Must not: know where
 * they lie. Format: formats/snapshot.md. */
#ifndef CELLA_STATE_SNAPSHOT_H
#define CELLA_STATE_SNAPSHOT_H

#include "state/journal.h"
#include "state/map.h"
#include "state/tree.h"

#define CELLA_SNAPSHOT_HEADER_SIZE 1024
#define CELLA_SNAPSHOT_CHUNK                                                                                 \
    ((size_t)256 << 10) /* content bytes of a chunk, but for a larger entry, which has one of its own */

/* What a snapshot is of. Vault, key and salt stand in the clear header, the rest inside. */
struct cella_snapshot_info {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;
    struct cella_head head;
    uint8_t frontier[CELLA_TREE_LEVELS * CELLA_DIGEST_SIZE];
    size_t frontier_size;
    uint8_t salt[CELLA_SEGMENT_SALT_SIZE];
    struct cella_key_info key_info;
};

/* Makes the file piece by piece. */
struct cella_snapshot_writer;
enum cella_status cella_snapshot_writer_new(const struct cella_snapshot_info *info,
                                            const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                            struct cella_map_view *view,
                                            struct cella_snapshot_writer **ret_writer);
/* The next piece; valid until the next call. `*ret_last`: the file is whole with it. */
enum cella_status cella_snapshot_writer_next(struct cella_snapshot_writer *writer,
                                             struct cella_bytes *ret_piece, bool *ret_last);
/* After the last piece: SHA-256 of all of them, by which a SNAPSHOT record names the file; and its size. */
void cella_snapshot_writer_digest(const struct cella_snapshot_writer *writer,
                                  uint8_t ret_digest[CELLA_DIGEST_SIZE], uint64_t *ret_size);
/* Releases the view; NULL is allowed. */
void cella_snapshot_writer_free(struct cella_snapshot_writer *writer);

/* Takes the file in pieces of any size and loads `map`, which is empty and between begin and commit. */
struct cella_snapshot_reader;
/* The clear header, of CELLA_SNAPSHOT_HEADER_SIZE bytes: whose, and which key. CELLA_DAMAGED,
 * CELLA_NEWER_FORMAT. */
enum cella_status cella_snapshot_header_parse(struct cella_bytes header, struct cella_snapshot_info *ret_info,
                                              struct cella_error *error);
enum cella_status cella_snapshot_reader_new(struct cella_bytes header,
                                            const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                            struct cella_map *map, struct cella_snapshot_reader **ret_reader,
                                            struct cella_error *error);
/* CELLA_DAMAGED: changed, cut or reordered. */
enum cella_status cella_snapshot_reader_feed(struct cella_snapshot_reader *reader, struct cella_bytes piece,
                                             struct cella_error *error);
/* After the last byte: the whole file was there. Gives what stood inside. */
enum cella_status cella_snapshot_reader_finish(struct cella_snapshot_reader *reader,
                                               struct cella_snapshot_info *ret_info,
                                               uint8_t ret_digest[CELLA_DIGEST_SIZE],
                                               struct cella_error *error);
void cella_snapshot_reader_free(struct cella_snapshot_reader *reader);

#endif
