/* Snapshots: a state comes back whole, or not at all. */
#include "crypto/hash.h"
#include "picture.h"
#include "state/snapshot_format.h"
#include "support/memory.h"
#include "support/nonces.h"
#include <string.h>

static const struct cella_bytes none = {0};

/* Makes, reads and compares; returns the size of the file. */
static size_t round_trip(struct cella_map *map, size_t piece) {
    struct cella_snapshot_info info = picture_info(1);
    uint8_t digest[CELLA_DIGEST_SIZE];
    struct cella_bytes file = picture_make(map, &info, digest);
    struct picture picture = picture_read(file, piece);
    assert_status(picture.status, CELLA_OK);
    assert_memory_equal(picture.digest, digest, sizeof digest);
    assert_memory_equal(&picture.info, &info, sizeof info);
    assert_int_equal(cella_map_count(picture.map, NULL, none, none), cella_map_count(map, NULL, none, none));
    picture_equal(map, picture.map);
    cella_map_free(picture.map);
    return file.size;
}

static void states_of_every_size_come_back_as_they_were(void **state) {
    static const unsigned counts[] = {0, 1, 2, 100, 5000, 20000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct cella_map *map = picture_map("account/", counts[i], 100);
        (void)round_trip(map, SIZE_MAX);
        cella_map_free(map);
    }
}

static void a_stream_may_end_anywhere_in_a_chunk(void **state) {
    struct cella_map *map = NULL;
    size_t whole = CELLA_SNAPSHOT_CHUNK - CELLA_SNAPSHOT_AROUND;
    size_t around = CELLA_DIGEST_SIZE + 4 + 4 * CELLA_DIGEST_SIZE + CELLA_SNAPSHOT_ENTRY_SIZE + 1 +
                    CELLA_SNAPSHOT_END_SIZE;
    struct cella_bytes value = test_pattern(whole + 1, 2);
    assert_status(cella_map_new(&map), CELLA_OK);
    /* From "the end just fits" to "the end stands alone in the next chunk". */
    for (size_t over = 0; over <= CELLA_SNAPSHOT_END_SIZE + 1; over++) {
        picture_put(map, CELLA_BYTES("k", 1), CELLA_BYTES(value.data, whole - around + over));
        size_t size = round_trip(map, SIZE_MAX);
        assert_int_equal(size, CELLA_SNAPSHOT_HEADER_SIZE + CELLA_SNAPSHOT_CHUNK + (over > 0 ? 512 : 0));
    }
    cella_map_free(map);
}

static void the_largest_keys_and_values_come_back(void **state) {
    struct cella_map *map = picture_map("small/", 100, 50);
    picture_put(map, test_pattern(CELLA_MAP_KEY_MAX, 1), test_pattern(CELLA_MAP_VALUE_MAX, 2));
    picture_put(map, test_pattern(CELLA_MAP_KEY_MAX, 3), test_pattern(CELLA_MAP_VALUE_MAX, 4));
    picture_put(map, test_pattern(1, 5), none);
    (void)round_trip(map, SIZE_MAX);
    (void)round_trip(map, 1000000);
    cella_map_free(map);
}

static void pieces_of_any_size_give_the_same(void **state) {
    static const size_t pieces[] = {
        1, 3, 4, 511, 4096, CELLA_SNAPSHOT_CHUNK - 1, CELLA_SNAPSHOT_CHUNK, CELLA_SNAPSHOT_CHUNK + 1};
    struct cella_map *map = picture_map("account/", 12000, 100);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        assert_int_equal(round_trip(map, pieces[i]), round_trip(map, SIZE_MAX));
    cella_map_free(map);
}

static void a_snapshot_is_of_its_view_whatever_changes_meanwhile(void **state) {
    struct cella_map *map = picture_map("account/", 10000, 100);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_bytes expected = picture_make(map, &info, NULL), piece;
    struct cella_snapshot_writer *writer = NULL;
    struct cella_map_view *view = NULL;
    assert_status(cella_map_view_new(map, &view), CELLA_OK);
    assert_status(cella_snapshot_writer_new(&info, picture_root_key(), view, &writer), CELLA_OK);
    size_t at = 0;
    for (bool last = false; !last; at += piece.size) {
        picture_put(map, CELLA_BYTES("account/00009999", 16), CELLA_BYTES("changed", 7));
        picture_put(map, CELLA_BYTES("account/0", 9), CELLA_BYTES("new", 3));
        assert_status(cella_snapshot_writer_next(writer, &piece, &last), CELLA_OK);
        assert_true(at + piece.size <= expected.size);
        assert_memory_equal(piece.data, expected.data + at, piece.size);
    }
    assert_int_equal(at, expected.size);
    cella_snapshot_writer_free(writer);
    cella_map_free(map);
}

static void a_writer_may_be_left_before_its_end(void **state) {
    struct cella_map *map = picture_map("account/", 10000, 100);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_snapshot_writer *writer = NULL;
    struct cella_map_view *view = NULL;
    struct cella_bytes piece;
    bool last = true;
    assert_status(cella_map_view_new(map, &view), CELLA_OK);
    assert_status(cella_snapshot_writer_new(&info, picture_root_key(), view, &writer), CELLA_OK);
    assert_status(cella_snapshot_writer_next(writer, &piece, &last), CELLA_OK);
    assert_false(last);
    cella_snapshot_writer_free(writer);
    cella_map_free(map);
    cella_snapshot_writer_free(NULL);
    cella_snapshot_reader_free(NULL);
}

static void a_frontier_of_another_version_is_never_written(void **state) {
    struct cella_map *map = picture_map("a", 3, 8);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_snapshot_writer *writer = NULL;
    struct cella_map_view *view = NULL;
    info.frontier_size /= CELLA_DIGEST_SIZE;
    assert_status(cella_map_view_new(map, &view), CELLA_OK);
    assert_status(cella_snapshot_writer_new(&info, picture_root_key(), view, &writer), CELLA_ARGUMENT);
    cella_map_free(map);
}

static bool accepted(void *context, struct cella_bytes file) {
    return picture_status(file) == CELLA_OK;
}

static void every_flipped_bit_and_every_cut_is_damage(void **state) {
    struct cella_map *map = picture_map("a", 3, 8);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_bytes file = test_copy(picture_make(map, &info, NULL));
    uint8_t *bytes = (uint8_t *)(uintptr_t)file.data;
    assert_int_equal(file.size, CELLA_SNAPSHOT_HEADER_SIZE + 512);
    for (size_t at = 0; at < file.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            enum cella_status status = picture_status(file);
            if (status != CELLA_DAMAGED)
                assert_true((at == 4 || at == 5) && status == CELLA_NEWER_FORMAT);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    for (size_t size = 0; size < file.size; size++)
        assert_status(picture_status(test_copy(CELLA_BYTES(bytes, size))), CELLA_DAMAGED);
    test_extension_refused(file, accepted, NULL);
    cella_map_free(map);
}

/* Puts the chunks of `file` (all of full size but the last) together in another order; 255 ends it. */
static enum cella_status reordered(struct cella_bytes file, const uint8_t *order) {
    uint8_t *other = test_allocate(2 * file.size);
    size_t size = CELLA_SNAPSHOT_HEADER_SIZE;
    memcpy(other, file.data, size);
    for (; *order != 255; order++) {
        size_t at = CELLA_SNAPSHOT_HEADER_SIZE + *order * CELLA_SNAPSHOT_CHUNK;
        size_t part = file.size - at < CELLA_SNAPSHOT_CHUNK ? file.size - at : CELLA_SNAPSHOT_CHUNK;
        memcpy(other + size, file.data + at, part);
        size += part;
    }
    return picture_status(CELLA_BYTES(other, size));
}

static void chunks_cannot_be_moved_repeated_or_left_out(void **state) {
    struct cella_map *map = picture_map("account/", 14000, 100);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_bytes file = picture_make(map, &info, NULL);
    assert_in_range(file.size, CELLA_SNAPSHOT_HEADER_SIZE + 3 * CELLA_SNAPSHOT_CHUNK + 1,
                    CELLA_SNAPSHOT_HEADER_SIZE + 4 * CELLA_SNAPSHOT_CHUNK - 1);
    static const uint8_t orders[][7] = {{0, 2, 1, 3, 255},
                                        {1, 0, 2, 3, 255},
                                        {0, 1, 3, 2, 255},
                                        {0, 1, 3, 255},
                                        {1, 2, 3, 255},
                                        {3, 255},
                                        {0, 1, 2, 255},
                                        {0, 255},
                                        {255},
                                        {0, 0, 1, 2, 3, 255},
                                        {0, 1, 2, 2, 3, 255},
                                        {0, 1, 2, 3, 3, 255}};
    assert_status(reordered(file, (const uint8_t[]){0, 1, 2, 3, 255}), CELLA_OK);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        assert_status(reordered(file, orders[i]), CELLA_DAMAGED);
    cella_map_free(map);
}

static void chunks_of_two_snapshots_cannot_be_mixed(void **state) {
    struct cella_map *map = picture_map("account/", 10000, 100);
    struct cella_snapshot_info infos[4] = {picture_info(1), picture_info(2), picture_info(1),
                                           picture_info(1)};
    infos[2].head.version = 45;
    infos[3].vault_id[0]++;
    struct cella_bytes files[4];
    for (size_t i = 0; i < 4; i++)
        files[i] = picture_make(map, &infos[i], NULL);
    for (size_t i = 1; i < 4; i++) {
        assert_status(picture_status(files[i]), CELLA_OK);
        assert_int_equal(files[i].size, files[0].size);
        uint8_t *mixed = (uint8_t *)(uintptr_t)test_copy(files[0]).data;
        memcpy(mixed + CELLA_SNAPSHOT_HEADER_SIZE, files[i].data + CELLA_SNAPSHOT_HEADER_SIZE,
               CELLA_SNAPSHOT_CHUNK);
        assert_status(picture_status(CELLA_BYTES(mixed, files[0].size)), CELLA_DAMAGED);
    }
    cella_map_free(map);
}

static void a_snapshot_of_another_key_is_told_from_a_damaged_one(void **state) {
    struct cella_map *map = picture_map("a", 3, 8);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_bytes file = picture_make(map, &info, NULL);
    struct cella_snapshot_reader *reader = NULL;
    uint8_t other_key[CELLA_ROOT_KEY_SIZE] = {1};
    struct cella_bytes header = {file.data, CELLA_SNAPSHOT_HEADER_SIZE};
    assert_status(cella_snapshot_reader_new(header, other_key, map, &reader, NULL), CELLA_AUTHENTICATION);
    uint8_t *forged = (uint8_t *)(uintptr_t)file.data;
    forged[336] ^= 1;
    assert_status(picture_status(file), CELLA_DAMAGED);
    cella_sha256(forged, 992, forged + 992);
    assert_status(picture_status(file), CELLA_AUTHENTICATION);
    cella_map_free(map);
}

static void a_header_says_whose_the_snapshot_is_and_nothing_of_what_is_in_it(void **state) {
    struct cella_map *map = picture_map("a", 3, 8);
    struct cella_snapshot_info info = picture_info(1), parsed;
    struct cella_bytes file = picture_make(map, &info, NULL);
    assert_status(
        cella_snapshot_header_parse(CELLA_BYTES(file.data, CELLA_SNAPSHOT_HEADER_SIZE), &parsed, NULL),
        CELLA_OK);
    memset(info.head.digest, 0, sizeof info.head.digest);
    memset(info.frontier, 0, sizeof info.frontier);
    info.frontier_size = 0;
    assert_memory_equal(&parsed, &info, sizeof info);
    cella_map_free(map);
}

static void sealed_bytes_hold_nothing_of_keys_and_values(void **state) {
    struct cella_map *map = picture_map("account/alice/", 6000, 100);
    struct cella_snapshot_info info = picture_info(1);
    struct cella_bytes file = picture_make(map, &info, NULL);
    assert_null(memmem(file.data, file.size, "account", 7));
    struct cella_bytes value;
    assert_true(cella_map_get(map, CELLA_BYTES("account/alice/00000099", 22), &value) && value.size >= 8);
    assert_null(memmem(file.data, file.size, value.data, 8));
    assert_null(memmem(file.data, file.size, info.frontier, 8));
    cella_map_free(map);
}

static void sizes_tell_no_more_than_their_class(void **state) {
    struct cella_map *map = NULL;
    struct cella_snapshot_info info = picture_info(1);
    size_t sizes[4] = {1, 100, 100000, 106000}, files[4];
    for (size_t i = 0; i < 4; i++) {
        assert_status(cella_map_new(&map), CELLA_OK);
        picture_put(map, CELLA_BYTES("k", 1), test_pattern(sizes[i], 1));
        files[i] = picture_make(map, &info, NULL).size;
        cella_map_free(map);
    }
    assert_int_equal(files[0], files[1]);
    assert_int_equal(files[2], files[3]);
    assert_true(files[1] < files[2]);
}

static void no_nonce_is_used_twice_over_forked_copies(void **state) {
    struct cella_map *map = picture_map("account/", 8000, 100);
    struct cella_snapshot_info infos[4] = {picture_info(11), picture_info(12), picture_info(11),
                                           picture_info(11)};
    /* Where even the salt repeats, another version or epoch separates the keys. */
    infos[2].head.version = 45;
    infos[3].head.epoch++;
    size_t used = test_nonces_used(), repeated = test_nonces_repeated();
    for (size_t i = 0; i < 4; i++)
        (void)picture_make(map, &infos[i], NULL);
    assert_true(test_nonces_used() >= used + 4 * 3);
    assert_int_equal(test_nonces_repeated(), repeated);
    (void)picture_make(map, &infos[0], NULL);
    assert_true(test_nonces_repeated() > repeated);
    cella_map_free(map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_of_every_size_come_back_as_they_were),
        cmocka_unit_test(a_stream_may_end_anywhere_in_a_chunk),
        cmocka_unit_test(the_largest_keys_and_values_come_back),
        cmocka_unit_test(pieces_of_any_size_give_the_same),
        cmocka_unit_test(a_snapshot_is_of_its_view_whatever_changes_meanwhile),
        cmocka_unit_test(a_writer_may_be_left_before_its_end),
        cmocka_unit_test(a_frontier_of_another_version_is_never_written),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_damage),
        cmocka_unit_test(chunks_cannot_be_moved_repeated_or_left_out),
        cmocka_unit_test(chunks_of_two_snapshots_cannot_be_mixed),
        cmocka_unit_test(a_snapshot_of_another_key_is_told_from_a_damaged_one),
        cmocka_unit_test(a_header_says_whose_the_snapshot_is_and_nothing_of_what_is_in_it),
        cmocka_unit_test(sealed_bytes_hold_nothing_of_keys_and_values),
        cmocka_unit_test(sizes_tell_no_more_than_their_class),
        cmocka_unit_test(no_nonce_is_used_twice_over_forked_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
