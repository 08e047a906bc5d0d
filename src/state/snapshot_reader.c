/* Loads a map from the pieces of a snapshot. Must not take an entry from a chunk whose tag was not checked.
 */
#include "base/error.h"
#include "base/secret.h"
#include "state/snapshot_format.h"
#include <stdlib.h>
#include <string.h>

struct cella_snapshot_reader {
    struct cella_snapshot_seal seal;
    struct cella_snapshot_info info;
    struct cella_map *map;
    enum cella_status failed; /* once and for all */
    bool has_info;
    bool has_last; /* the last chunk was read */
    /* Of a chunk whose rest comes with the next piece. */
    uint8_t *chunk;
    size_t chunk_filled;
    /* The stream from the first entry on that is not whole yet. */
    uint8_t *plain;
    size_t plain_size, plain_capacity;
};

enum cella_status cella_snapshot_reader_new(struct cella_bytes header,
                                            const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                            struct cella_map *map, struct cella_snapshot_reader **ret_reader,
                                            struct cella_error *error) {
    struct cella_snapshot_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to read a snapshot");
    reader->map = map;
    reader->plain_capacity = 2 * CELLA_SNAPSHOT_CHUNK;
    reader->plain = malloc(reader->plain_capacity);
    reader->chunk = malloc(CELLA_SNAPSHOT_CHUNK);
    enum cella_status status = CELLA_OK;
    if (reader->plain == NULL || reader->chunk == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory to read a snapshot");
    if (status == CELLA_OK)
        status = cella_snapshot_seal_load(&reader->seal, header, root_key, &reader->info, error);
    if (status != CELLA_OK) {
        cella_snapshot_reader_free(reader);
        return status;
    }
    *ret_reader = reader;
    return CELLA_OK;
}

/* Room for one more chunk behind what is there. */
static enum cella_status reserve(struct cella_snapshot_reader *reader) {
    if (reader->plain_capacity - reader->plain_size >= CELLA_SNAPSHOT_CHUNK)
        return CELLA_OK;
    size_t capacity = 2 * reader->plain_capacity;
    uint8_t *plain = malloc(capacity);
    if (plain == NULL)
        return CELLA_NO_MEMORY;
    memcpy(plain, reader->plain, reader->plain_size);
    cella_wipe_free(reader->plain, reader->plain_capacity);
    reader->plain = plain;
    reader->plain_capacity = capacity;
    return CELLA_OK;
}

/* What one step made of the begin of the stream. */
enum step { STEP_TAKEN, STEP_INCOMPLETE, STEP_END, STEP_FAILED };

static enum step take_info(struct cella_snapshot_reader *reader, struct cella_reader *from) {
    struct cella_snapshot_info *info = &reader->info;
    cella_read_copy(from, info->head.digest, sizeof info->head.digest);
    struct cella_bytes frontier = cella_read_sized(from, sizeof info->frontier);
    /* The info is far smaller than a chunk, so all of it is there. */
    info->frontier_size = frontier.size;
    if (from->failed || !cella_snapshot_frontier_fits(info)) {
        reader->failed = CELLA_DAMAGED;
        return STEP_FAILED;
    }
    if (frontier.size > 0)
        memcpy(info->frontier, frontier.data, frontier.size);
    reader->has_info = true;
    return STEP_TAKEN;
}

/* The fields behind a key size of zero. */
static enum step take_end(struct cella_snapshot_reader *reader, struct cella_reader *from) {
    uint64_t entries = cella_read_u64(from);
    uint64_t bytes = cella_read_u64(from);
    if (from->failed)
        return STEP_INCOMPLETE;
    if (entries == reader->seal.entries && bytes == reader->seal.bytes && reader->has_last)
        return STEP_END;
    reader->failed = CELLA_DAMAGED;
    return STEP_FAILED;
}

static enum step take_entry(struct cella_snapshot_reader *reader, struct cella_reader *from) {
    size_t key_size = cella_read_u16(from);
    if (from->failed)
        return STEP_INCOMPLETE;
    if (key_size == 0)
        return take_end(reader, from);
    size_t value_size = cella_read_u32(from);
    if (key_size > CELLA_MAP_KEY_MAX || value_size > CELLA_MAP_VALUE_MAX) {
        reader->failed = CELLA_DAMAGED;
        return STEP_FAILED;
    }
    const uint8_t *key = cella_read_view(from, key_size);
    const uint8_t *value = cella_read_view(from, value_size);
    if (from->failed)
        return STEP_INCOMPLETE;
    enum cella_status status =
        cella_map_append(reader->map, CELLA_BYTES(key, key_size), CELLA_BYTES(value, value_size));
    if (status != CELLA_OK) {
        reader->failed = status == CELLA_ARGUMENT ? CELLA_DAMAGED : status;
        return STEP_FAILED;
    }
    reader->seal.entries++;
    reader->seal.bytes += key_size + value_size;
    return STEP_TAKEN;
}

/* Behind the end: zeros, and of these no more than the size class asks for. `before` bytes of the stream came
 * with earlier chunks. */
static bool end_is_right(struct cella_reader *from, size_t before) {
    size_t chunk_size = from->size - before + CELLA_SNAPSHOT_AROUND;
    size_t used = from->at;
    cella_read_zeros(from, cella_reader_left(from));
    return !from->failed && used > before &&
           cella_size_class(used - before + CELLA_SNAPSHOT_AROUND) == chunk_size;
}

/* Takes whole entries from the stream, whose last `added` bytes are new, and keeps the rest. */
static enum cella_status take(struct cella_snapshot_reader *reader, size_t added) {
    struct cella_reader from;
    enum step step = STEP_TAKEN;
    size_t taken = 0, before = reader->plain_size - added;
    cella_reader_init(&from, CELLA_BYTES(reader->plain, reader->plain_size));
    while (step == STEP_TAKEN) {
        taken = from.at;
        step = reader->has_info ? take_entry(reader, &from) : take_info(reader, &from);
    }
    if (step == STEP_FAILED)
        return reader->failed;
    if (reader->has_last)
        return step == STEP_END && end_is_right(&from, before) ? CELLA_OK : CELLA_DAMAGED;
    reader->plain_size -= taken;
    memmove(reader->plain, reader->plain + taken, reader->plain_size);
    return CELLA_OK;
}

static enum cella_status read_chunk(struct cella_snapshot_reader *reader, struct cella_bytes chunk,
                                    bool last) {
    enum cella_status status = reserve(reader);
    if (status == CELLA_OK)
        status = cella_snapshot_open_chunk(&reader->seal, chunk, reader->plain + reader->plain_size);
    if (status != CELLA_OK)
        return status;
    size_t added = chunk.size - CELLA_SNAPSHOT_AROUND;
    reader->plain_size += added;
    reader->has_last = last;
    return take(reader, added);
}

/* The size of the chunk with this frame; 0: no such chunk can be. */
static size_t chunk_size(const uint8_t *bytes, bool *ret_last) {
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(bytes, CELLA_SNAPSHOT_FRAME_SIZE));
    uint32_t frame = cella_read_u32(&reader);
    size_t size = frame & ~CELLA_SNAPSHOT_FRAME_LAST;
    *ret_last = (frame & CELLA_SNAPSHOT_FRAME_LAST) != 0;
    bool allowed = *ret_last ? size > 0 && size <= CELLA_SNAPSHOT_CHUNK && size == cella_size_class(size)
                             : size == CELLA_SNAPSHOT_CHUNK;
    return allowed ? size : 0;
}

/* Moves bytes of the piece behind those that wait, up to `size` of them. */
static void gather(struct cella_snapshot_reader *reader, struct cella_bytes *piece, size_t size) {
    size_t taken = size - reader->chunk_filled < piece->size ? size - reader->chunk_filled : piece->size;
    memcpy(reader->chunk + reader->chunk_filled, piece->data, taken);
    reader->chunk_filled += taken;
    *piece = CELLA_BYTES(piece->data + taken, piece->size - taken);
}

/* One chunk from the begin of the piece, or what is there of it. */
static enum cella_status feed_chunk(struct cella_snapshot_reader *reader, struct cella_bytes *piece) {
    bool waits = reader->chunk_filled > 0 || piece->size < CELLA_SNAPSHOT_FRAME_SIZE;
    bool last;
    if (waits && reader->chunk_filled < CELLA_SNAPSHOT_FRAME_SIZE) {
        gather(reader, piece, CELLA_SNAPSHOT_FRAME_SIZE);
        if (reader->chunk_filled < CELLA_SNAPSHOT_FRAME_SIZE)
            return CELLA_OK;
    }
    size_t size = chunk_size(waits ? reader->chunk : piece->data, &last);
    if (size == 0)
        return CELLA_DAMAGED;
    if (!waits && piece->size >= size) {
        struct cella_bytes chunk = CELLA_BYTES(piece->data, size);
        *piece = CELLA_BYTES(piece->data + size, piece->size - size);
        return read_chunk(reader, chunk, last);
    }
    gather(reader, piece, size);
    if (reader->chunk_filled < size)
        return CELLA_OK;
    reader->chunk_filled = 0;
    return read_chunk(reader, CELLA_BYTES(reader->chunk, size), last);
}

enum cella_status cella_snapshot_reader_feed(struct cella_snapshot_reader *reader, struct cella_bytes piece,
                                             struct cella_error *error) {
    enum cella_status status = reader->failed;
    while (status == CELLA_OK && piece.size > 0)
        status = reader->has_last ? CELLA_DAMAGED : feed_chunk(reader, &piece);
    reader->failed = status;
    if (status != CELLA_OK)
        return cella_fail(error, status, "the snapshot cannot be read behind byte %llu",
                          (unsigned long long)reader->seal.size);
    return CELLA_OK;
}

enum cella_status cella_snapshot_reader_finish(struct cella_snapshot_reader *reader,
                                               struct cella_snapshot_info *ret_info,
                                               uint8_t ret_digest[CELLA_DIGEST_SIZE],
                                               struct cella_error *error) {
    if (reader->failed != CELLA_OK)
        return cella_fail(error, reader->failed, "the snapshot cannot be read");
    if (!reader->has_last)
        return cella_fail(error, CELLA_DAMAGED, "the snapshot ends after byte %llu and is not whole",
                          (unsigned long long)reader->seal.size);
    *ret_info = reader->info;
    cella_sha256_digest(&reader->seal.digest, ret_digest);
    return CELLA_OK;
}

void cella_snapshot_reader_free(struct cella_snapshot_reader *reader) {
    if (reader == NULL)
        return;
    cella_wipe_free(reader->plain, reader->plain_capacity);
    free(reader->chunk);
    cella_snapshot_seal_deinit(&reader->seal);
    cella_wipe_free(reader, sizeof *reader);
}
