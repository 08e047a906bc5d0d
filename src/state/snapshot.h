/* Snapshots: a whole state, sealed in chunks whose number, order and end are authenticated. Must not: know
 * where they lie. Format: formats/snapshot.md. */
#ifndef CELLA_STATE_SNAPSHOT_H
#define CELLA_STATE_SNAPSHOT_H

#include "state/journal.h"
#include "state/map.h"
#include "state/tree.h"

#define CELLA_SNAPSHOT_HEADER_SIZE 1024
#define CELLA_SNAPSHOT_CHUNK                                                                                 \
    ((size_t)256 << 10) /* bytes of each chunk in the file; the last may be smaller */

/* What a snapshot is of. All but the digest and the frontier stand in the clear header. */
struct cella_snapshot_info {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;
    struct cella_head head;
    uint8_t frontier[CELLA_TREE_LEVELS * CELLA_DIGEST_SIZE];
    size_t frontier_size;                  /* bytes */
    uint8_t salt[CELLA_SEGMENT_SALT_SIZE]; /* random, fresh for each snapshot */
    struct cella_key_info key_info;
};

/* Makes the file piece by piece. Takes over the view: it is released by free, and at once if new fails.
 * CELLA_ARGUMENT: the frontier is not one of that version. CELLA_NO_MEMORY, CELLA_CRYPTO. */
struct cella_snapshot_writer;
enum cella_status cella_snapshot_writer_new(const struct cella_snapshot_info *info,
                                            const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                            struct cella_map_view *view,
                                            struct cella_snapshot_writer **ret_writer);
/* The next piece, at most CELLA_SNAPSHOT_HEADER_SIZE + CELLA_SNAPSHOT_CHUNK bytes; valid until the next call.
 * `*ret_last`: the file is whole with it, and there is no next one. CELLA_NO_MEMORY, CELLA_CRYPTO: the file
 * cannot be made any more. */
enum cella_status cella_snapshot_writer_next(struct cella_snapshot_writer *writer,
                                             struct cella_bytes *ret_piece, bool *ret_last);
/* After the last piece: by what a SNAPSHOT record names the file (SHA-256 over its header and each chunk's
 * frame and tag, which stand for every byte of it), and its size. */
void cella_snapshot_writer_digest(const struct cella_snapshot_writer *writer,
                                  uint8_t ret_digest[CELLA_DIGEST_SIZE], uint64_t *ret_size);
/* Releases the view; NULL is allowed. */
void cella_snapshot_writer_free(struct cella_snapshot_writer *writer);

/* Reads the clear header, of CELLA_SNAPSHOT_HEADER_SIZE bytes, without its key: whose, and which key. What it
 * says is unproven; digest and frontier are empty. CELLA_DAMAGED, CELLA_NEWER_FORMAT. */
enum cella_status cella_snapshot_header_parse(struct cella_bytes header, struct cella_snapshot_info *ret_info,
                                              struct cella_error *error);

/* Loads `map`, which is empty and between begin and commit; the caller aborts it if anything fails, or if the
 * file is not the one it looked for. As parse, and CELLA_AUTHENTICATION: the key is not the one that this
 * file was made with. CELLA_NO_MEMORY. */
struct cella_snapshot_reader;
enum cella_status cella_snapshot_reader_new(struct cella_bytes header,
                                            const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                            struct cella_map *map, struct cella_snapshot_reader **ret_reader,
                                            struct cella_error *error);
/* What follows the header, in pieces of any size (whole chunks are not copied). CELLA_DAMAGED: changed, cut,
 * reordered, or too long; CELLA_NO_MEMORY. After a failure it stays with it. */
enum cella_status cella_snapshot_reader_feed(struct cella_snapshot_reader *reader, struct cella_bytes piece,
                                             struct cella_error *error);
/* After the last byte: CELLA_DAMAGED if the file ended too early. Gives what it is of, and its digest. */
enum cella_status cella_snapshot_reader_finish(struct cella_snapshot_reader *reader,
                                               struct cella_snapshot_info *ret_info,
                                               uint8_t ret_digest[CELLA_DIGEST_SIZE],
                                               struct cella_error *error);
/* Wipes; NULL is allowed. */
void cella_snapshot_reader_free(struct cella_snapshot_reader *reader);

#endif
