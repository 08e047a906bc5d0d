/* The format of snapshots: the worked examples, and that a stream has one form only. */
#include "crypto/hash.h"
#include "picture.h"
#include "state/snapshot_format.h"
#include "support/memory.h"
#include <string.h>

static const struct cella_bytes none = {0};

/* A file with this as its stream, sealed with the right key. */
static enum cella_status status_of_stream(struct cella_bytes stream, size_t chunk_size, bool last) {
    struct cella_snapshot_seal seal = {.size = 0};
    struct cella_snapshot_info info = picture_info(1);
    info.head.version = 0; /* which has no frontier */
    uint8_t *file = test_allocate(CELLA_SNAPSHOT_HEADER_SIZE + 2 * CELLA_SNAPSHOT_CHUNK);
    uint8_t *chunk = file + CELLA_SNAPSHOT_HEADER_SIZE;
    memset(chunk, 0, CELLA_SNAPSHOT_CHUNK);
    memcpy(chunk + CELLA_SNAPSHOT_FRAME_SIZE, stream.data, stream.size);
    assert_status(cella_snapshot_seal_begin(&seal, &info, picture_root_key(), file), CELLA_OK);
    assert_status(cella_snapshot_seal_chunk(&seal, chunk, chunk_size, last), CELLA_OK);
    size_t size = CELLA_SNAPSHOT_HEADER_SIZE + chunk_size;
    if (!last) {
        memset(chunk + chunk_size, 0, 512);
        assert_status(cella_snapshot_seal_chunk(&seal, chunk + chunk_size, 512, true), CELLA_OK);
        size += 512;
    }
    cella_snapshot_seal_deinit(&seal);
    return picture_status(CELLA_BYTES(file, size));
}

struct stream {
    uint8_t bytes[480];
    struct cella_writer writer;
};

static void stream_begin(struct stream *stream) {
    cella_writer_init(&stream->writer, stream->bytes, sizeof stream->bytes);
    cella_write_zeros(&stream->writer, CELLA_DIGEST_SIZE);
    cella_write_u32(&stream->writer, 0);
}

static void stream_entry(struct stream *stream, const char *key, const char *value) {
    cella_write_u16(&stream->writer, (uint16_t)strlen(key));
    cella_write_u32(&stream->writer, (uint32_t)strlen(value));
    cella_write_bytes(&stream->writer, key, strlen(key));
    cella_write_bytes(&stream->writer, value, strlen(value));
}

static struct cella_bytes stream_end(struct stream *stream, uint64_t entries, uint64_t bytes) {
    cella_write_u16(&stream->writer, 0);
    cella_write_u64(&stream->writer, entries);
    cella_write_u64(&stream->writer, bytes);
    assert_false(stream->writer.failed);
    return cella_writer_bytes(&stream->writer);
}

static void a_stream_that_no_writer_makes_is_damaged_even_with_the_key(void **state) {
    struct stream stream;
    stream_begin(&stream);
    stream_entry(&stream, "a", "1");
    stream_entry(&stream, "b", "2");
    struct cella_bytes good = stream_end(&stream, 2, 4);
    assert_status(status_of_stream(good, 512, true), CELLA_OK);
    /* A larger class than needed, an end before the last chunk, no end. */
    assert_status(status_of_stream(good, 1024, true), CELLA_DAMAGED);
    assert_status(status_of_stream(good, CELLA_SNAPSHOT_CHUNK, false), CELLA_DAMAGED);
    assert_status(status_of_stream(CELLA_BYTES(good.data, good.size - 18), 512, true), CELLA_DAMAGED);
    /* Padding. */
    stream.bytes[sizeof stream.bytes - 1] = 1;
    memset(stream.bytes + good.size, 0, sizeof stream.bytes - 1 - good.size);
    assert_status(status_of_stream(CELLA_BYTES(stream.bytes, sizeof stream.bytes), 512, true), CELLA_DAMAGED);
    /* Wrong totals. */
    for (uint64_t i = 0; i < 2; i++) {
        stream_begin(&stream);
        stream_entry(&stream, "a", "1");
        assert_status(status_of_stream(stream_end(&stream, 1 + i, 3 - i), 512, true), CELLA_DAMAGED);
    }
    /* Keys that do not ascend, or twice the same. */
    for (size_t i = 0; i < 2; i++) {
        stream_begin(&stream);
        stream_entry(&stream, "b", "1");
        stream_entry(&stream, i == 0 ? "a" : "b", "2");
        assert_status(status_of_stream(stream_end(&stream, 2, 4), 512, true), CELLA_DAMAGED);
    }
}

static void entries_over_the_limits_are_damage(void **state) {
    struct stream stream;
    stream_begin(&stream);
    cella_write_u16(&stream.writer, CELLA_MAP_KEY_MAX + 1);
    cella_write_u32(&stream.writer, 0);
    assert_status(status_of_stream(stream_end(&stream, 1, 1), CELLA_SNAPSHOT_CHUNK, false), CELLA_DAMAGED);
    stream_begin(&stream);
    cella_write_u16(&stream.writer, 1);
    cella_write_u32(&stream.writer, CELLA_MAP_VALUE_MAX + 1);
    assert_status(status_of_stream(stream_end(&stream, 1, 1), CELLA_SNAPSHOT_CHUNK, false), CELLA_DAMAGED);
    cella_writer_init(&stream.writer, stream.bytes, sizeof stream.bytes);
    cella_write_zeros(&stream.writer, CELLA_DIGEST_SIZE);
    cella_write_u32(&stream.writer, CELLA_TREE_LEVELS * CELLA_DIGEST_SIZE + 1);
    assert_status(status_of_stream(stream_end(&stream, 0, 0), CELLA_SNAPSHOT_CHUNK, false), CELLA_DAMAGED);
}

static struct cella_bytes field(const char *name) {
    return test_vector_field("state/snapshot.txt", name);
}

/* The info of the worked example. */
static struct cella_snapshot_info example_info(void) {
    struct cella_snapshot_info info = {.lineage = 1, .head = {.epoch = 3, .version = 43}};
    memcpy(info.vault_id, field("vault_id").data, sizeof info.vault_id);
    memcpy(info.salt, field("salt").data, sizeof info.salt);
    memcpy(info.head.digest, field("head_digest").data, CELLA_DIGEST_SIZE);
    info.frontier_size = field("frontier").size;
    memcpy(info.frontier, field("frontier").data, info.frontier_size);
    info.key_info.size = field("key_info").size;
    memcpy(info.key_info.data, field("key_info").data, info.key_info.size);
    return info;
}

static void the_worked_example_is_made_and_read_byte_for_byte(void **state) {
    struct cella_snapshot_info info = example_info();
    struct cella_map *map = NULL;
    uint8_t digest[CELLA_DIGEST_SIZE];
    assert_status(cella_map_new(&map), CELLA_OK);
    picture_put(map,
                CELLA_BYTES("\x02"
                            "account/alice",
                            14),
                CELLA_BYTES("100", 3));
    picture_put(map, CELLA_BYTES("\x00signing", 8), field("signing"));
    picture_put(map,
                CELLA_BYTES("\x02"
                            "empty",
                            6),
                none);
    assert_bytes(picture_make(map, &info, digest), field("file"));
    assert_bytes(CELLA_BYTES(digest, sizeof digest), field("digest"));
    struct picture picture = picture_read(field("file"), 100);
    assert_status(picture.status, CELLA_OK);
    picture_equal(map, picture.map);
    assert_memory_equal(&picture.info, &info, sizeof info);
    cella_map_free(picture.map);
    cella_map_free(map);
}

/* As the script of the vectors makes it: several chunks, a value over several of them. */
static struct cella_map *large_example(void) {
    struct cella_map *map = NULL;
    uint8_t *value = test_allocate(700000), key[5] = {2};
    assert_status(cella_map_new(&map), CELLA_OK);
    assert_status(cella_map_begin(map), CELLA_OK);
    for (unsigned i = 0; i < 3000; i++) {
        key[3] = (uint8_t)(i >> 8);
        key[4] = (uint8_t)i;
        for (unsigned j = 0; j < i % 500; j++)
            value[j] = (uint8_t)((i + j) % 251);
        assert_status(cella_map_put(map, CELLA_BYTES(key, 5), CELLA_BYTES(value, i % 500)), CELLA_OK);
    }
    for (unsigned i = 0; i < 700000; i++)
        value[i] = (uint8_t)(i % 251);
    assert_status(cella_map_put(map, CELLA_BYTES("\x02z", 2), CELLA_BYTES(value, 700000)), CELLA_OK);
    cella_map_commit(map);
    return map;
}

static void the_large_worked_example_is_the_same_file(void **state) {
    struct cella_snapshot_info info = example_info();
    struct cella_map *map = large_example();
    uint8_t digest[CELLA_DIGEST_SIZE], sha256[CELLA_SHA256_SIZE], size[8];
    struct cella_writer writer;
    struct cella_bytes file = picture_make(map, &info, digest);
    cella_sha256(file.data, file.size, sha256);
    cella_writer_init(&writer, size, sizeof size);
    cella_write_u64(&writer, file.size);
    assert_bytes(CELLA_BYTES(size, sizeof size), field("large_size"));
    assert_bytes(CELLA_BYTES(sha256, sizeof sha256), field("large_sha256"));
    assert_bytes(CELLA_BYTES(digest, sizeof digest), field("large_digest"));
    cella_map_free(map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_no_writer_makes_is_damaged_even_with_the_key),
        cmocka_unit_test(entries_over_the_limits_are_damage),
        cmocka_unit_test(the_worked_example_is_made_and_read_byte_for_byte),
        cmocka_unit_test(the_large_worked_example_is_the_same_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
