/* What the writer and the reader of snapshots share. For the files snapshot_*.c only. */
#ifndef CELLA_STATE_SNAPSHOT_FORMAT_H
#define CELLA_STATE_SNAPSHOT_FORMAT_H

#include "crypto/hash.h"
#include "state/clear_header.h"
#include "state/snapshot.h"

/* A chunk is a frame, then what is sealed, then its tag. */
#define CELLA_SNAPSHOT_FRAME_SIZE 4
#define CELLA_SNAPSHOT_FRAME_LAST UINT32_C(0x80000000) /* beside the chunk's size */
#define CELLA_SNAPSHOT_AROUND     (CELLA_SNAPSHOT_FRAME_SIZE + CELLA_AEAD_TAG_SIZE)

/* An entry is the sizes of key and value (u16, u32), key, value. A key size of zero ends them. */
#define CELLA_SNAPSHOT_ENTRY_SIZE 6
#define CELLA_SNAPSHOT_END_SIZE   18 /* a key size of zero, count and bytes of all entries */

/* Key, counter and digest of one file, at either end. */
struct cella_snapshot_seal {
    struct cella_aead aead;
    uint8_t header_digest[CELLA_DIGEST_SIZE];
    struct cella_sha256 digest;
    uint64_t size;   /* of the file so far */
    uint64_t chunks; /* sealed or opened so far; the next one's nonce is one more */
    uint64_t entries, bytes;
};

/* Whether the frontier has one root for each complete subtree of that version's history tree. */
bool cella_snapshot_frontier_fits(const struct cella_snapshot_info *info);
/* Writes the header of `info` and begins with its key. */
enum cella_status cella_snapshot_seal_begin(struct cella_snapshot_seal *seal,
                                            const struct cella_snapshot_info *info, const uint8_t *root_key,
                                            uint8_t ret_header[CELLA_SNAPSHOT_HEADER_SIZE]);
/* The same from a header that was read. */
enum cella_status cella_snapshot_seal_load(struct cella_snapshot_seal *seal, struct cella_bytes header,
                                           const uint8_t *root_key, struct cella_snapshot_info *ret_info,
                                           struct cella_error *error);
/* Seals in place the chunk of `size` bytes whose frame and tag are to be filled. */
enum cella_status cella_snapshot_seal_chunk(struct cella_snapshot_seal *seal, uint8_t *chunk, size_t size,
                                            bool last);
/* Opens the whole chunk to `out`. CELLA_DAMAGED. */
enum cella_status cella_snapshot_open_chunk(struct cella_snapshot_seal *seal, struct cella_bytes chunk,
                                            uint8_t *out);
void cella_snapshot_seal_deinit(struct cella_snapshot_seal *seal);

#endif
