/* What an enclave asks of its store, as the host's end hears it: good questions are answered, and every other
 * one ends the instance. No enclave runs: the test puts frames where the reader would take them from, and
 * reads the rings. */
#include "base/writer.h"
#include "host/instance_internal.h"
#include "support/fault_disk.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREAD = 3, BY_FRAME = -1, NOBODY = -2 };

struct bench {
    struct cella_instance *instance;
    struct fault_disk *disk;
    struct cella_ring requests, thread; /* the enclave's ends */
    uint8_t frame[CELLA_DOOR_FRAME_MAX];
    uint8_t message[4096];
    size_t message_size;
};

static struct bench bench;

static void open_storage(bool read_only) {
    struct cella_storage_options options = {.disk = fault_disk_disk(bench.disk),
                                            .read_only = read_only,
                                            .context = bench.instance,
                                            .written = cella_instance_store_written,
                                            .retry_ms = 1};
    assert_status(cella_storage_open(&options, &bench.instance->storage, NULL), CELLA_OK);
}

static int set_up(void **state) {
    struct cella_instance *instance = calloc(1, sizeof *instance);
    bench = (struct bench){.instance = instance, .disk = fault_disk_new(1, 0)};
    instance->control_fd = -1;
    pthread_mutex_init(&instance->lock, NULL);
    pthread_cond_init(&instance->changed, NULL);
    pthread_mutex_init(&instance->send_lock, NULL);
    pthread_cond_init(&instance->send_changed, NULL);
    pthread_mutex_init(&instance->call_lock, NULL);
    instance->door = aligned_alloc(4096, sizeof *instance->door);
    memset(instance->door, 0, sizeof *instance->door);
    instance->state = INSTANCE_SERVING;
    cella_instance_wire_init(instance);
    cella_ring_init(&bench.requests, &instance->door->requests, instance->door->request_data,
                    CELLA_DOOR_RING_SIZE, &cella_instance_park);
    cella_ring_init(&bench.thread, &instance->door->threads[THREAD], instance->door->thread_data[THREAD],
                    CELLA_DOOR_REPLY_SIZE, &cella_instance_park);
    open_storage(false);
    return 0;
}

static int tear_down(void **state) {
    cella_storage_close(bench.instance->storage);
    fault_disk_free(bench.disk);
    free(bench.instance->door);
    free(bench.instance);
    return 0;
}

/* Waits for a frame; returns its payload. */
static struct cella_bytes take(struct cella_ring *ring, uint16_t type, uint64_t id) {
    struct cella_frame frame;
    enum cella_status status;
    while ((status = cella_ring_take(ring, &frame, bench.frame)) == CELLA_UNAVAILABLE)
        cella_ring_wait(ring, ring->position, 0);
    assert_status(status, CELLA_OK);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.id, id);
    return CELLA_BYTES(bench.frame, frame.size);
}

static enum cella_status status_of(struct cella_bytes payload) {
    assert_true(payload.size >= 4);
    return (enum cella_status)(payload.data[0] | payload.data[1] << 8);
}

static bool ended_broken(void) {
    return bench.instance->state == INSTANCE_ENDED && bench.instance->end_status == CELLA_DOOR_BROKEN;
}

static void hear(uint16_t type, uint64_t id, struct cella_bytes message) {
    cella_instance_handle_store(bench.instance, type, id, message);
}

struct write {
    int told; /* a thread, BY_FRAME, NOBODY */
    unsigned kind, flags, waiting;
    uint64_t number, offset;
    struct cella_bytes bytes;
};

static void hear_write(uint64_t id, struct write write) {
    struct cella_writer writer;
    cella_writer_init(&writer, bench.message, sizeof bench.message);
    cella_write_u32(&writer, (uint32_t)write.told);
    cella_write_u8(&writer, (uint8_t)write.kind);
    cella_write_u8(&writer, (uint8_t)write.flags);
    cella_write_u16(&writer, (uint16_t)write.waiting);
    cella_write_u64(&writer, write.number);
    cella_write_u64(&writer, write.offset);
    cella_write_bytes(&writer, write.bytes.data, write.bytes.size);
    assert_false(writer.failed);
    hear(CELLA_FRAME_STORE_WRITE, id, cella_writer_bytes(&writer));
}

static void hear_read(uint64_t id, uint32_t thread, unsigned kind, uint64_t offset, uint32_t size) {
    struct cella_writer writer;
    cella_writer_init(&writer, bench.message, sizeof bench.message);
    cella_write_u32(&writer, thread);
    cella_write_u8(&writer, (uint8_t)kind);
    cella_write_zeros(&writer, 3);
    cella_write_u64(&writer, kind == CELLA_STORE_SEGMENT);
    cella_write_u64(&writer, offset);
    cella_write_u32(&writer, size);
    hear(CELLA_FRAME_STORE_READ, id, cella_writer_bytes(&writer));
}

static void hear_remove(unsigned kind, uint64_t number) {
    struct cella_writer writer;
    cella_writer_init(&writer, bench.message, sizeof bench.message);
    cella_write_u8(&writer, (uint8_t)kind);
    cella_write_zeros(&writer, 7);
    cella_write_u64(&writer, number);
    hear(CELLA_FRAME_STORE_REMOVE, 0, cella_writer_bytes(&writer));
}

static const struct write first = {
    .told = BY_FRAME, .kind = CELLA_STORE_SEGMENT, .flags = CELLA_STORE_FLUSH, .number = 1};

static struct write with(struct write write, struct cella_bytes bytes) {
    write.bytes = bytes;
    return write;
}

static void a_write_is_told_to_whom_it_says(void **state) {
    hear_write(7, with(first, test_pattern(1024, 1)));
    assert_status(status_of(take(&bench.requests, CELLA_FRAME_STORE_WRITTEN, 7)), CELLA_OK);
    struct write next = with(first, test_pattern(512, 2));
    next.offset = 1024;
    next.told = THREAD;
    hear_write(8, next);
    assert_status(status_of(take(&bench.thread, CELLA_FRAME_STORE_DONE, 8)), CELLA_OK);
    next.offset = 1536;
    next.told = NOBODY;
    hear_write(0, next);
    next.offset = 2048;
    next.told = BY_FRAME;
    hear_write(9, next);
    /* The next that is told is the one after the one that is not. */
    assert_status(status_of(take(&bench.requests, CELLA_FRAME_STORE_WRITTEN, 9)), CELLA_OK);
    assert_false(cella_ring_has_data(&bench.thread));
}

static void a_write_that_alone_is_waited_for_is_done_at_once(void **state) {
    bench.instance->open_requests = 2;
    struct write write = with(first, test_pattern(1024, 1));
    write.waiting = 2;
    hear_write(7, write);
    /* Without any other thread. */
    assert_true(cella_ring_has_data(&bench.requests));
    bench.instance->open_requests = 0;
}

static void a_disk_that_fails_is_told_and_told_again(void **state) {
    fault_disk_fail_all(bench.disk, FAULT_FULL);
    hear_write(7, with(first, test_pattern(1024, 1)));
    assert_status(status_of(take(&bench.requests, CELLA_FRAME_STORE_WRITTEN, 7)), CELLA_STORAGE_FULL);
    fault_disk_fail_all(bench.disk, FAULT_NONE);
    assert_status(status_of(take(&bench.requests, CELLA_FRAME_STORE_WRITTEN, 7)), CELLA_OK);
    assert_int_equal(bench.instance->state, INSTANCE_SERVING);
}

/* As if clients' mail waited for room in the door already. */
static void mail_that_waits_does_not_keep_out_what_the_host_tells(void **state) {
    struct cella_instance *instance = bench.instance;
    struct cella_bytes part = test_pattern(4, 1);
    instance->writer_busy = true;
    instance->has_writer = true;
    instance->pending_count = INSTANCE_PENDING;
    instance->pending_bytes = INSTANCE_PENDING_BYTES;
    struct cella_frame mail = {.type = CELLA_FRAME_MAIL, .id = 1};
    struct cella_frame close = {.type = CELLA_FRAME_CLOSE};
    assert_status(cella_instance_send(instance, mail, &part, 1), CELLA_LIMIT);
    assert_null(instance->first_pending);
    cella_instance_store_written(instance, (struct cella_storage_ticket){.id = 7, .where = UINT32_MAX},
                                 CELLA_OK);
    assert_int_equal(instance->state, INSTANCE_SERVING);
    assert_status(cella_instance_send(instance, close, NULL, 0), CELLA_OK);
    struct instance_pending *written = instance->first_pending;
    assert_non_null(written);
    assert_int_equal(written->frame.type, CELLA_FRAME_STORE_WRITTEN);
    assert_int_equal(written->frame.id, 7);
    assert_non_null(written->next);
    assert_int_equal(written->next->frame.type, CELLA_FRAME_CLOSE);
    free(written->next);
    free(written);
}

static void reads_and_lists_are_answered_on_the_threads_ring(void **state) {
    struct cella_bytes bytes = test_pattern(1024, 1);
    hear_write(1, with(first, bytes));
    (void)take(&bench.requests, CELLA_FRAME_STORE_WRITTEN, 1);
    hear_read(2, THREAD, CELLA_STORE_SEGMENT, 24, 1000);
    struct cella_bytes answer = take(&bench.thread, CELLA_FRAME_STORE_DONE, 2);
    assert_status(status_of(answer), CELLA_OK);
    assert_bytes(CELLA_BYTES(answer.data + 4, answer.size - 4), CELLA_BYTES(bytes.data + 24, 1000));
    hear_read(3, THREAD, CELLA_STORE_GENESIS, 0, 10);
    assert_status(status_of(take(&bench.thread, CELLA_FRAME_STORE_DONE, 3)), CELLA_NOT_FOUND);
    uint8_t thread[4] = {THREAD};
    hear(CELLA_FRAME_STORE_LIST, 4, CELLA_BYTES(thread, 4));
    answer = take(&bench.thread, CELLA_FRAME_STORE_DONE, 4);
    assert_status(status_of(answer), CELLA_OK);
    assert_int_equal(answer.size, 4 + 17);
    assert_int_equal(answer.data[4], CELLA_STORE_SEGMENT);
    assert_int_equal(answer.data[5], 1);
}

static void a_restore_is_removed_on_request(void **state) {
    fault_disk_put(bench.disk, "restore", test_pattern(10, 1));
    hear_remove(CELLA_STORE_RESTORE, 0);
    cella_storage_close(bench.instance->storage);
    bench.instance->storage = NULL;
    assert_null(fault_disk_get(bench.disk, "restore").data);
    assert_int_equal(bench.instance->state, INSTANCE_SERVING);
}

/* Each of these alone ends the instance. */
static void hear_wrong(unsigned which) {
    struct cella_bytes bytes = test_pattern(512, 1);
    uint8_t thread[5] = {THREAD};
    struct write write = with(first, bytes);
    switch (which) {
    case 0:
        write.told = CELLA_DOOR_THREADS;
        hear_write(1, write);
        break;
    case 1:
        write.told = -3;
        hear_write(1, write);
        break;
    case 2:
        write.kind = 0;
        hear_write(1, write);
        break;
    case 3:
        write.kind = CELLA_STORE_RESTORE;
        hear_write(1, write);
        break;
    case 4:
        write.flags = 4;
        hear_write(1, write);
        break;
    case 5:
        write.offset = 512;
        hear_write(1, write);
        break;
    case 6:
        hear(CELLA_FRAME_STORE_WRITE, 1, CELLA_BYTES(bytes.data, 23));
        break;
    case 7:
        hear_read(1, CELLA_DOOR_THREADS, CELLA_STORE_SEGMENT, 0, 1);
        break;
    case 8:
        hear_read(1, THREAD, 9, 0, 1);
        break;
    case 9:
        hear_read(1, THREAD, CELLA_STORE_SEGMENT, 0, CELLA_STORAGE_READ_MAX + 1);
        break;
    case 10:
        hear(CELLA_FRAME_STORE_READ, 1, CELLA_BYTES(bytes.data, 5));
        break;
    case 11:
        hear(CELLA_FRAME_STORE_LIST, 1, CELLA_BYTES(thread, 5));
        break;
    case 12:
        hear_remove(CELLA_STORE_GENESIS, 0);
        break;
    case 13:
        hear(CELLA_FRAME_STORE_REMOVE, 0, CELLA_BYTES(bytes.data, 16));
        break;
    default:
        hear(CELLA_FRAME_STORE_REMOVE, 0, CELLA_BYTES(NULL, 0));
    }
}

static void questions_that_no_vault_asks_end_the_instance(void **state) {
    for (unsigned which = 0; which < 15; which++) {
        hear_wrong(which);
        if (!ended_broken())
            fail_msg("question %u was taken", which);
        tear_down(state);
        set_up(state);
    }
}

static void an_enclave_without_a_vault_or_one_that_checks_it_writes_nothing(void **state) {
    cella_storage_close(bench.instance->storage);
    open_storage(true);
    hear_write(1, with(first, test_pattern(1024, 1)));
    assert_true(ended_broken());
    tear_down(state);
    set_up(state);
    cella_storage_close(bench.instance->storage);
    bench.instance->storage = NULL;
    hear_read(1, THREAD, CELLA_STORE_GENESIS, 0, 1);
    assert_true(ended_broken());
}

static void the_version_is_read_from_what_is_written(void **state) {
    uint8_t segment[CELLA_SEGMENT_HEADER_SIZE + 512] = {0};
    struct cella_writer writer;
    struct cella_instance_vault seen;
    /* Of the formats: the header ends with its digest; a record bears its first 16 bytes and, at 40, its
     * version. */
    memset(segment + CELLA_SEGMENT_HEADER_SIZE - CELLA_DIGEST_SIZE, 0xab, CELLA_DIGEST_SIZE);
    cella_writer_init(&writer, segment + CELLA_SEGMENT_HEADER_SIZE, 512);
    cella_write_bytes(&writer, "CLVR", 4);
    cella_write_u32(&writer, 512);
    memset(cella_write_space(&writer, 16), 0xab, 16);
    cella_write_u8(&writer, CELLA_RECORD_CHANGES);
    cella_write_zeros(&writer, 7);
    cella_write_u64(&writer, 4);
    cella_write_u64(&writer, 1897);
    cella_write_u64(&writer, CELLA_SEGMENT_HEADER_SIZE);
    hear_write(1, with(first, CELLA_BYTES(segment, sizeof segment)));
    (void)take(&bench.requests, CELLA_FRAME_STORE_WRITTEN, 1);
    cella_instance_vault(bench.instance, &seen);
    assert_int_equal(seen.version, 1897);
    assert_int_equal(seen.storage.bytes, sizeof segment);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_told_to_whom_it_says),
        TEST(a_write_that_alone_is_waited_for_is_done_at_once),
        TEST(a_disk_that_fails_is_told_and_told_again),
        TEST(mail_that_waits_does_not_keep_out_what_the_host_tells),
        TEST(reads_and_lists_are_answered_on_the_threads_ring),
        TEST(a_restore_is_removed_on_request),
        TEST(questions_that_no_vault_asks_end_the_instance),
        TEST(an_enclave_without_a_vault_or_one_that_checks_it_writes_nothing),
        TEST(the_version_is_read_from_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
