/* Makes and reads whole snapshots. */
#include "picture.h"
#include "support/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t *picture_root_key(void) {
    static const uint8_t *key;
    if (key == NULL)
        key = test_vector_field("state/snapshot.txt", "root_key").data;
    return key;
}

struct cella_snapshot_info picture_info(uint32_t seed) {
    struct cella_snapshot_info info = {.lineage = 1,
                                       .head = {.epoch = 3, .version = 43, .digest = {4}},
                                       .frontier_size = 4 * CELLA_DIGEST_SIZE};
    memset(info.vault_id, 7, sizeof info.vault_id);
    memcpy(info.frontier, test_pattern(info.frontier_size, 5).data, info.frontier_size);
    memcpy(info.salt, test_pattern(sizeof info.salt, seed).data, sizeof info.salt);
    memcpy(info.key_info.data, "info", 4);
    info.key_info.size = 4;
    return info;
}

void picture_put(struct cella_map *map, struct cella_bytes key, struct cella_bytes value) {
    assert_status(cella_map_begin(map), CELLA_OK);
    assert_status(cella_map_put(map, key, value), CELLA_OK);
    cella_map_commit(map);
}

struct cella_map *picture_map(const char *prefix, unsigned count, size_t value_max) {
    struct cella_map *map = NULL;
    struct cella_bytes values = test_pattern(value_max + 251, 1);
    char key[64];
    assert_status(cella_map_new(&map), CELLA_OK);
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < count; i++) {
        int size = snprintf(key, sizeof key, "%s%08u", prefix, i * 7919 % count);
        struct cella_bytes value = {values.data + i % 251, i * 31 % (value_max + 1)};
        assert_status(cella_map_put(map, CELLA_BYTES(key, (size_t)size), value), CELLA_OK);
    }
    cella_map_commit(map);
    return map;
}

struct cella_bytes picture_make(struct cella_map *map, const struct cella_snapshot_info *info,
                                uint8_t ret_digest[CELLA_DIGEST_SIZE]) {
    size_t capacity = CELLA_SNAPSHOT_HEADER_SIZE + 2 * CELLA_SNAPSHOT_CHUNK, size = 0;
    capacity += cella_map_size(map, NULL) +
                8 * cella_map_count(map, NULL, (struct cella_bytes){0}, (struct cella_bytes){0});
    uint8_t *file = test_allocate(capacity + capacity / 1000);
    struct cella_snapshot_writer *writer = NULL;
    struct cella_map_view *view = NULL;
    uint8_t digest[CELLA_DIGEST_SIZE];
    uint64_t told_size = 0;
    assert_status(cella_map_view_new(map, &view), CELLA_OK);
    assert_status(cella_snapshot_writer_new(info, picture_root_key(), view, &writer), CELLA_OK);
    for (bool last = false; !last;) {
        struct cella_bytes piece;
        assert_status(cella_snapshot_writer_next(writer, &piece, &last), CELLA_OK);
        assert_true(size + piece.size <= capacity + capacity / 1000);
        memcpy(file + size, piece.data, piece.size);
        size += piece.size;
    }
    cella_snapshot_writer_digest(writer, digest, &told_size);
    assert_int_equal(told_size, size);
    if (ret_digest != NULL)
        memcpy(ret_digest, digest, sizeof digest);
    cella_snapshot_writer_free(writer);
    return CELLA_BYTES(file, size);
}

struct picture picture_read(struct cella_bytes file, size_t piece) {
    struct picture picture = {.status = CELLA_OK};
    struct cella_snapshot_reader *reader = NULL;
    size_t at = file.size < CELLA_SNAPSHOT_HEADER_SIZE ? file.size : CELLA_SNAPSHOT_HEADER_SIZE;
    assert_status(cella_map_new(&picture.map), CELLA_OK);
    assert_status(cella_map_begin(picture.map), CELLA_OK);
    picture.status =
        cella_snapshot_reader_new(CELLA_BYTES(file.data, at), picture_root_key(), picture.map, &reader, NULL);
    while (picture.status == CELLA_OK && at < file.size) {
        size_t size = file.size - at < piece ? file.size - at : piece;
        picture.status = cella_snapshot_reader_feed(reader, CELLA_BYTES(file.data + at, size), NULL);
        at += size;
    }
    if (reader != NULL) {
        enum cella_status status = cella_snapshot_reader_finish(reader, &picture.info, picture.digest, NULL);
        /* A failure stays. */
        if (picture.status == CELLA_OK)
            picture.status = status;
        else
            assert_status(status, picture.status);
    }
    cella_snapshot_reader_free(reader);
    if (picture.status == CELLA_OK) {
        cella_map_commit(picture.map);
        return picture;
    }
    cella_map_abort(picture.map);
    cella_map_free(picture.map);
    picture.map = NULL;
    return picture;
}

enum cella_status picture_status(struct cella_bytes file) {
    struct picture picture = picture_read(file, SIZE_MAX);
    cella_map_free(picture.map);
    return picture.status;
}

void picture_equal(struct cella_map *left, struct cella_map *right) {
    struct cella_map_cursor cursors[2];
    struct cella_bytes keys[2], values[2];
    enum cella_status status;
    cella_map_cursor_init(&cursors[0], left, NULL);
    cella_map_cursor_init(&cursors[1], right, NULL);
    for (;;) {
        bool more = cella_map_cursor_next(&cursors[0], &keys[0], &values[0], &status);
        assert_status(status, CELLA_OK);
        assert_int_equal(cella_map_cursor_next(&cursors[1], &keys[1], &values[1], &status), more);
        assert_status(status, CELLA_OK);
        if (!more)
            break;
        assert_bytes(keys[0], keys[1]);
        assert_bytes(values[0], values[1]);
    }
    cella_map_cursor_deinit(&cursors[0]);
    cella_map_cursor_deinit(&cursors[1]);
}
