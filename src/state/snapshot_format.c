/* Header, key and chunks of a snapshot. Must not know what lies in the chunks. */
#include "state/snapshot_format.h"
#include "base/error.h"
#include "base/secret.h"
#include <string.h>

#define MAGIC "CLSN"
#define LABEL "cella snapshot"

_Static_assert(CELLA_SNAPSHOT_HEADER_SIZE == CELLA_CLEAR_HEADER_SIZE, "one header for both kinds of files");

static struct cella_clear_header common_fields(const struct cella_snapshot_info *info) {
    struct cella_clear_header header = {.key_info = info->key_info};
    memcpy(header.vault_id, info->vault_id, sizeof header.vault_id);
    memcpy(header.salt, info->salt, sizeof header.salt);
    return header;
}

static enum cella_status derive(struct cella_snapshot_seal *seal, const struct cella_snapshot_info *info,
                                const uint8_t *root_key) {
    uint8_t bound[sizeof LABEL - 1 + CELLA_VAULT_ID_SIZE + 3 * sizeof(uint64_t)];
    struct cella_clear_header header = common_fields(info);
    struct cella_writer writer;
    cella_writer_init(&writer, bound, sizeof bound);
    cella_write_bytes(&writer, LABEL, sizeof LABEL - 1);
    cella_write_bytes(&writer, info->vault_id, sizeof info->vault_id);
    cella_write_u64(&writer, info->lineage);
    cella_write_u64(&writer, info->head.epoch);
    cella_write_u64(&writer, info->head.version);
    CELLA_ASSERT(!writer.failed);
    return cella_clear_header_key(&header, root_key, cella_writer_bytes(&writer), &seal->aead);
}

static void start(struct cella_snapshot_seal *seal, const uint8_t *header) {
    memcpy(seal->header_digest, cella_clear_header_digest(header), sizeof seal->header_digest);
    cella_sha256_init(&seal->digest);
    cella_sha256_update(&seal->digest, header, CELLA_SNAPSHOT_HEADER_SIZE);
    seal->size = CELLA_SNAPSHOT_HEADER_SIZE;
}

bool cella_snapshot_frontier_fits(const struct cella_snapshot_info *info) {
    unsigned roots = 0;
    for (uint64_t left = info->head.version; left > 0; left &= left - 1)
        roots++;
    return info->frontier_size == (size_t)roots * CELLA_DIGEST_SIZE &&
           info->frontier_size <= sizeof info->frontier;
}

enum cella_status cella_snapshot_seal_begin(struct cella_snapshot_seal *seal,
                                            const struct cella_snapshot_info *info, const uint8_t *root_key,
                                            uint8_t ret_header[CELLA_SNAPSHOT_HEADER_SIZE]) {
    struct cella_clear_header common = common_fields(info);
    struct cella_writer writer;
    enum cella_status status = derive(seal, info, root_key);
    if (status != CELLA_OK)
        return status;
    cella_writer_init(&writer, ret_header, CELLA_SNAPSHOT_HEADER_SIZE);
    cella_clear_header_write(&writer, MAGIC, &common);
    cella_write_u64(&writer, info->lineage);
    cella_write_u64(&writer, info->head.epoch);
    cella_write_u64(&writer, info->head.version);
    status = cella_clear_header_end(&writer, &seal->aead);
    if (status == CELLA_OK)
        start(seal, ret_header);
    return status;
}

enum cella_status cella_snapshot_header_parse(struct cella_bytes header, struct cella_snapshot_info *ret_info,
                                              struct cella_error *error) {
    struct cella_reader reader;
    struct cella_clear_header common;
    enum cella_status status = cella_clear_header_parse(header, MAGIC, &reader, &common, error);
    if (status != CELLA_OK)
        return status;
    struct cella_snapshot_info info = {.key_info = common.key_info};
    memcpy(info.vault_id, common.vault_id, sizeof info.vault_id);
    memcpy(info.salt, common.salt, sizeof info.salt);
    info.lineage = cella_read_u64(&reader);
    info.head.epoch = cella_read_u64(&reader);
    info.head.version = cella_read_u64(&reader);
    status = cella_clear_header_parse_end(&reader, error);
    if (status == CELLA_OK)
        *ret_info = info;
    return status;
}

enum cella_status cella_snapshot_seal_load(struct cella_snapshot_seal *seal, struct cella_bytes header,
                                           const uint8_t *root_key, struct cella_snapshot_info *ret_info,
                                           struct cella_error *error) {
    enum cella_status status = cella_snapshot_header_parse(header, ret_info, error);
    if (status == CELLA_OK)
        status = derive(seal, ret_info, root_key);
    if (status == CELLA_OK)
        status = cella_clear_header_verify(header.data, &seal->aead, error);
    if (status == CELLA_OK)
        start(seal, header.data);
    return status;
}

/* Counts a chunk as part of the file. */
static void count(struct cella_snapshot_seal *seal, const uint8_t *chunk, size_t size) {
    cella_sha256_update(&seal->digest, chunk, CELLA_SNAPSHOT_FRAME_SIZE);
    cella_sha256_update(&seal->digest, chunk + size - CELLA_AEAD_TAG_SIZE, CELLA_AEAD_TAG_SIZE);
    seal->size += size;
    seal->chunks++;
}

enum cella_status cella_snapshot_seal_chunk(struct cella_snapshot_seal *seal, uint8_t *chunk, size_t size,
                                            bool last) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    struct cella_writer writer;
    cella_writer_init(&writer, chunk, CELLA_SNAPSHOT_FRAME_SIZE);
    cella_write_u32(&writer, (uint32_t)size | (last ? CELLA_SNAPSHOT_FRAME_LAST : 0));
    cella_clear_header_nonce(seal->chunks + 1, nonce);
    const struct cella_bytes ad[2] = {CELLA_BYTES(seal->header_digest, sizeof seal->header_digest),
                                      CELLA_BYTES(chunk, CELLA_SNAPSHOT_FRAME_SIZE)};
    uint8_t *plain = chunk + CELLA_SNAPSHOT_FRAME_SIZE;
    enum cella_status status =
        cella_aead_seal_two(&seal->aead, nonce, ad, CELLA_BYTES(plain, size - CELLA_SNAPSHOT_AROUND), plain);
    if (status == CELLA_OK)
        count(seal, chunk, size);
    return status;
}

enum cella_status cella_snapshot_open_chunk(struct cella_snapshot_seal *seal, struct cella_bytes chunk,
                                            uint8_t *out) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    cella_clear_header_nonce(seal->chunks + 1, nonce);
    const struct cella_bytes ad[2] = {CELLA_BYTES(seal->header_digest, sizeof seal->header_digest),
                                      CELLA_BYTES(chunk.data, CELLA_SNAPSHOT_FRAME_SIZE)};
    struct cella_bytes sealed =
        CELLA_BYTES(chunk.data + CELLA_SNAPSHOT_FRAME_SIZE, chunk.size - CELLA_SNAPSHOT_FRAME_SIZE);
    enum cella_status status = cella_aead_open_two(&seal->aead, nonce, ad, sealed, out);
    if (status == CELLA_OK)
        count(seal, chunk.data, chunk.size);
    return status == CELLA_AUTHENTICATION ? CELLA_DAMAGED : status;
}

void cella_snapshot_seal_deinit(struct cella_snapshot_seal *seal) {
    cella_aead_deinit(&seal->aead);
    cella_wipe(seal, sizeof *seal);
}
