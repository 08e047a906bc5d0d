/* Turns a view of the map into the pieces of a snapshot. Must not hold more than one chunk of it. */
#include "base/error.h"
#include "base/secret.h"
#include "state/snapshot_format.h"
#include <stdlib.h>
#include <string.h>

enum { INFO_MAX = CELLA_DIGEST_SIZE + 4 + CELLA_TREE_LEVELS * CELLA_DIGEST_SIZE, PARTS = 3 };

struct cella_snapshot_writer {
    struct cella_snapshot_seal seal;
    struct cella_map_view *view;
    struct cella_map_cursor cursor;
    bool ended; /* everything was put into `parts` */
    /* What comes next in the stream: the info, an entry, or the end. */
    uint8_t fixed[INFO_MAX];
    struct cella_bytes parts[PARTS];
    unsigned part;
    uint8_t buffer[CELLA_SNAPSHOT_HEADER_SIZE + CELLA_SNAPSHOT_CHUNK];
};

static void set_parts(struct cella_snapshot_writer *writer, const struct cella_writer *fixed,
                      struct cella_bytes key, struct cella_bytes value) {
    CELLA_ASSERT(!fixed->failed);
    writer->parts[0] = cella_writer_bytes(fixed);
    writer->parts[1] = key;
    writer->parts[2] = value;
    writer->part = 0;
}

static void put_info(struct cella_snapshot_writer *writer, const struct cella_snapshot_info *info) {
    struct cella_writer fixed;
    cella_writer_init(&fixed, writer->fixed, sizeof writer->fixed);
    cella_write_bytes(&fixed, info->head.digest, sizeof info->head.digest);
    cella_write_sized(&fixed, CELLA_BYTES(info->frontier, info->frontier_size));
    set_parts(writer, &fixed, (struct cella_bytes){0}, (struct cella_bytes){0});
}

/* The next entry, or after the last one the end. */
static enum cella_status put_next(struct cella_snapshot_writer *writer) {
    struct cella_snapshot_seal *seal = &writer->seal;
    struct cella_bytes key = {0}, value = {0};
    enum cella_status status = CELLA_OK;
    struct cella_writer fixed;
    cella_writer_init(&fixed, writer->fixed, sizeof writer->fixed);
    if (cella_map_cursor_next(&writer->cursor, &key, &value, &status)) {
        cella_write_u16(&fixed, (uint16_t)key.size);
        cella_write_u32(&fixed, (uint32_t)value.size);
        seal->entries++;
        seal->bytes += key.size + value.size;
    } else {
        if (status != CELLA_OK)
            return status;
        cella_write_u16(&fixed, 0);
        cella_write_u64(&fixed, seal->entries);
        cella_write_u64(&fixed, seal->bytes);
        key = value = (struct cella_bytes){0};
        writer->ended = true;
    }
    set_parts(writer, &fixed, key, value);
    return CELLA_OK;
}

/* Takes from the stream what goes into `size` bytes. */
static enum cella_status fill(struct cella_snapshot_writer *writer, uint8_t *out, size_t size,
                              size_t *ret_filled) {
    size_t filled = 0;
    for (;;) {
        for (; writer->part < PARTS; writer->part++) {
            struct cella_bytes *part = &writer->parts[writer->part];
            size_t taken = part->size < size - filled ? part->size : size - filled;
            if (taken > 0)
                memcpy(out + filled, part->data, taken);
            filled += taken;
            if (taken < part->size) {
                *part = CELLA_BYTES(part->data + taken, part->size - taken);
                *ret_filled = filled;
                return CELLA_OK;
            }
        }
        if (writer->ended) {
            *ret_filled = filled;
            return CELLA_OK;
        }
        enum cella_status status = put_next(writer);
        if (status != CELLA_OK)
            return status;
    }
}

enum cella_status cella_snapshot_writer_new(const struct cella_snapshot_info *info,
                                            const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                            struct cella_map_view *view,
                                            struct cella_snapshot_writer **ret_writer) {
    struct cella_snapshot_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL || !cella_snapshot_frontier_fits(info)) {
        free(writer);
        cella_map_view_release(view);
        return writer == NULL ? CELLA_NO_MEMORY : CELLA_ARGUMENT;
    }
    writer->view = view;
    cella_map_cursor_init(&writer->cursor, NULL, view);
    put_info(writer, info);
    enum cella_status status = cella_snapshot_seal_begin(&writer->seal, info, root_key, writer->buffer);
    if (status != CELLA_OK) {
        cella_snapshot_writer_free(writer);
        return status;
    }
    *ret_writer = writer;
    return CELLA_OK;
}

enum cella_status cella_snapshot_writer_next(struct cella_snapshot_writer *writer,
                                             struct cella_bytes *ret_piece, bool *ret_last) {
    /* The header goes with the first chunk. */
    size_t front = writer->seal.chunks == 0 ? CELLA_SNAPSHOT_HEADER_SIZE : 0;
    uint8_t *chunk = writer->buffer + CELLA_SNAPSHOT_HEADER_SIZE;
    uint8_t *plain = chunk + CELLA_SNAPSHOT_FRAME_SIZE;
    size_t filled = 0;
    enum cella_status status = fill(writer, plain, CELLA_SNAPSHOT_CHUNK - CELLA_SNAPSHOT_AROUND, &filled);
    bool last = writer->ended && writer->part == PARTS;
    size_t size = last ? cella_size_class(filled + CELLA_SNAPSHOT_AROUND) : CELLA_SNAPSHOT_CHUNK;
    if (status == CELLA_OK) {
        memset(plain + filled, 0, size - CELLA_SNAPSHOT_AROUND - filled);
        status = cella_snapshot_seal_chunk(&writer->seal, chunk, size, last);
    }
    if (status != CELLA_OK) {
        cella_wipe(chunk, CELLA_SNAPSHOT_CHUNK);
        return status;
    }
    *ret_piece = CELLA_BYTES(chunk - front, front + size);
    *ret_last = last;
    return CELLA_OK;
}

void cella_snapshot_writer_digest(const struct cella_snapshot_writer *writer,
                                  uint8_t ret_digest[CELLA_DIGEST_SIZE], uint64_t *ret_size) {
    cella_sha256_digest(&writer->seal.digest, ret_digest);
    *ret_size = writer->seal.size;
}

void cella_snapshot_writer_free(struct cella_snapshot_writer *writer) {
    if (writer == NULL)
        return;
    cella_map_cursor_deinit(&writer->cursor);
    cella_map_view_release(writer->view);
    cella_snapshot_seal_deinit(&writer->seal);
    cella_wipe_free(writer, sizeof *writer);
}
