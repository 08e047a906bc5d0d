/* A snapshot from the host's disk. The first byte says how large the pieces are in which it comes, its top
 * bit that the rest is a stream, which is sealed with the right key before it is read: so the parser behind
 * the tag is reached, too. */
#include "base/error.h"
#include "state/snapshot_format.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* SHA-256 of "cella state example: root key". */
static const uint8_t root_key[CELLA_ROOT_KEY_SIZE] = {
    0x9f, 0x62, 0xdf, 0x68, 0xab, 0x2d, 0xd6, 0x93, 0xec, 0x67, 0x4d, 0x8f, 0x0b, 0xeb, 0x1c, 0x4a,
    0x40, 0x8b, 0x89, 0xf0, 0x45, 0x5a, 0x91, 0xb8, 0x7f, 0xf5, 0x15, 0x75, 0xfd, 0x61, 0xd7, 0x20};

/* Writes the loaded map again: it has one form only. */
static void write_again(struct cella_map *map, const struct cella_snapshot_info *info,
                        struct cella_bytes file) {
    struct cella_map_view *view = NULL;
    struct cella_snapshot_writer *writer = NULL;
    struct cella_bytes piece;
    size_t at = 0;
    CELLA_ASSERT(cella_map_view_new(map, &view) == CELLA_OK);
    CELLA_ASSERT(cella_snapshot_writer_new(info, root_key, view, &writer) == CELLA_OK);
    for (bool last = false; !last; at += piece.size) {
        CELLA_ASSERT(cella_snapshot_writer_next(writer, &piece, &last) == CELLA_OK);
        CELLA_ASSERT(piece.size <= file.size - at && memcmp(piece.data, file.data + at, piece.size) == 0);
    }
    CELLA_ASSERT(at == file.size);
    cella_snapshot_writer_free(writer);
}

static void read_file(struct cella_bytes file, size_t piece) {
    struct cella_map *map = NULL;
    struct cella_snapshot_reader *reader = NULL;
    struct cella_snapshot_info info;
    uint8_t digest[CELLA_DIGEST_SIZE];
    size_t at = file.size < CELLA_SNAPSHOT_HEADER_SIZE ? file.size : CELLA_SNAPSHOT_HEADER_SIZE;
    CELLA_ASSERT(cella_map_new(&map) == CELLA_OK && cella_map_begin(map) == CELLA_OK);
    enum cella_status status =
        cella_snapshot_reader_new(CELLA_BYTES(file.data, at), root_key, map, &reader, NULL);
    while (status == CELLA_OK && at < file.size) {
        size_t size = file.size - at < piece ? file.size - at : piece;
        status = cella_snapshot_reader_feed(reader, CELLA_BYTES(file.data + at, size), NULL);
        at += size;
    }
    if (status == CELLA_OK)
        status = cella_snapshot_reader_finish(reader, &info, digest, NULL);
    cella_snapshot_reader_free(reader);
    if (status == CELLA_OK) {
        cella_map_commit(map);
        write_again(map, &info, file);
    } else {
        cella_map_abort(map);
    }
    cella_map_free(map);
}

/* Cuts the stream into chunks as a writer does. */
static void seal_and_read(struct cella_bytes stream, size_t piece) {
    struct cella_snapshot_seal seal = {.size = 0};
    struct cella_snapshot_info info = {.lineage = 1, .head = {.epoch = 1, .version = 1}};
    const size_t room = CELLA_SNAPSHOT_CHUNK - CELLA_SNAPSHOT_AROUND;
    uint8_t *file = calloc(1, CELLA_SNAPSHOT_HEADER_SIZE + (stream.size / room + 1) * CELLA_SNAPSHOT_CHUNK);
    CELLA_ASSERT(file != NULL && cella_snapshot_seal_begin(&seal, &info, root_key, file) == CELLA_OK);
    size_t size = CELLA_SNAPSHOT_HEADER_SIZE;
    do {
        size_t part = stream.size < room ? stream.size : room;
        size_t chunk = cella_size_class(part + CELLA_SNAPSHOT_AROUND);
        if (part > 0)
            memcpy(file + size + CELLA_SNAPSHOT_FRAME_SIZE, stream.data, part);
        CELLA_ASSERT(cella_snapshot_seal_chunk(&seal, file + size, chunk, part == stream.size) == CELLA_OK);
        size += chunk;
        stream = CELLA_BYTES(stream.data + part, stream.size - part);
    } while (stream.size > 0);
    cella_snapshot_seal_deinit(&seal);
    read_file(CELLA_BYTES(file, size), piece);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    size_t piece = (data[0] & 0x7f) == 0 ? SIZE_MAX : (size_t)(data[0] & 0x7f) * 16;
    struct cella_bytes rest = {data + 1, size - 1};
    if ((data[0] & 0x80) != 0)
        seal_and_read(rest, piece);
    else
        read_file(rest, piece);
    return 0;
}
