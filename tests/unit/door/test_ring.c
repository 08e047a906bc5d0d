/* Rings between two sides that do not trust each other. */
#include "door/door.h"
#include "support/test.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 262144 };

/* Both sides of one ring in one process; "sleeping" is a yield. */
struct pair {
    struct cella_ring_shared shared;
    uint8_t data[CAPACITY];
    struct cella_ring producer;
    struct cella_ring consumer;
};

static unsigned wakes;

static void no_wait(uint32_t *word, uint32_t seen) {
    sched_yield();
}

static void count_wake(uint32_t *word, uint32_t number) {
    wakes++;
}

static const struct cella_door_park park = {.wait = no_wait, .wake = count_wake};
static uint8_t buffer[CELLA_DOOR_FRAME_MAX];

static int set_up(void **state) {
    struct pair *pair = aligned_alloc(64, sizeof *pair);
    assert_non_null(pair);
    memset(pair, 0, sizeof *pair);
    cella_ring_init(&pair->producer, &pair->shared, pair->data, CAPACITY, &park);
    cella_ring_init(&pair->consumer, &pair->shared, pair->data, CAPACITY, &park);
    wakes = 0;
    *state = pair;
    return 0;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static enum cella_status put(struct pair *pair, uint64_t id, const void *data, size_t size) {
    struct cella_bytes part = CELLA_BYTES(data, size);
    struct cella_frame frame = {.size = (uint32_t)size, .type = CELLA_FRAME_MAIL, .id = id};
    return cella_ring_try_put(&pair->producer, frame, &part, 1);
}

static void a_frame_comes_out_as_it_went_in(void **state) {
    struct pair *pair = *state;
    struct cella_frame frame;
    assert_int_equal(put(pair, 7, "hello", 5), CELLA_OK);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
    assert_int_equal(frame.size, 5);
    assert_int_equal(frame.type, CELLA_FRAME_MAIL);
    assert_int_equal(frame.id, 7);
    assert_memory_equal(buffer, "hello", 5);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_UNAVAILABLE);
}

static void frames_of_every_size_survive_the_wrap(void **state) {
    struct pair *pair = *state;
    static uint8_t data[CELLA_DOOR_FRAME_MAX];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t size = 0; size <= sizeof data; size += 97) {
        struct cella_frame frame;
        assert_int_equal(put(pair, size, data, size), CELLA_OK);
        memset(buffer, 0, sizeof buffer);
        assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
        assert_int_equal(frame.size, size);
        assert_memory_equal(buffer, data, size);
    }
}

static void a_full_ring_refuses_and_goes_on_after_a_take(void **state) {
    struct pair *pair = *state;
    static const uint8_t data[CELLA_DOOR_FRAME_MAX];
    struct cella_frame frame;
    assert_int_equal(put(pair, 1, data, sizeof data), CELLA_OK);
    assert_int_equal(put(pair, 2, data, sizeof data), CELLA_UNAVAILABLE);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
    assert_int_equal(put(pair, 2, data, sizeof data), CELLA_OK);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
    assert_int_equal(frame.id, 2);
}

static void a_producer_position_beyond_the_ring_is_broken(void **state) {
    struct pair *pair = *state;
    struct cella_frame frame;
    static const uint64_t positions[] = {8, 17, CAPACITY + 16, UINT64_MAX, UINT64_MAX - 15};
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        pair->shared.produced = positions[i];
        assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_DOOR_BROKEN);
    }
}

static void a_frame_larger_than_what_was_produced_is_broken(void **state) {
    struct pair *pair = *state;
    struct cella_frame frame;
    assert_int_equal(put(pair, 1, "abc", 3), CELLA_OK);
    static const uint32_t sizes[] = {17, 4096, CELLA_DOOR_FRAME_MAX, CELLA_DOOR_FRAME_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memcpy(pair->data, &sizes[i], sizeof sizes[i]);
        assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_DOOR_BROKEN);
    }
}

static void a_consumer_position_ahead_of_the_producer_is_broken(void **state) {
    struct pair *pair = *state;
    static const uint8_t data[CELLA_DOOR_FRAME_MAX];
    assert_int_equal(put(pair, 1, data, sizeof data), CELLA_OK);
    pair->shared.consumed = 1u << 30;
    assert_int_equal(put(pair, 2, data, sizeof data), CELLA_DOOR_BROKEN);
}

static void a_message_is_cut_into_frames_and_marked(void **state) {
    struct pair *pair = *state;
    static uint8_t data[CELLA_DOOR_FRAME_MAX + 100];
    const struct cella_bytes parts[] = {CELLA_BYTES("front", 5), CELLA_BYTES(data, sizeof data)};
    struct cella_frame frame = {.type = CELLA_FRAME_CALL, .id = 3};
    assert_int_equal(cella_ring_put_message(&pair->producer, frame, parts, 2), CELLA_OK);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
    assert_int_equal(frame.size, CELLA_DOOR_FRAME_MAX);
    assert_int_equal(frame.flags, CELLA_FRAME_MORE);
    assert_memory_equal(buffer, "front", 5);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
    assert_int_equal(frame.size, 105);
    assert_int_equal(frame.flags, 0);
}

static void an_empty_message_is_one_empty_frame(void **state) {
    struct pair *pair = *state;
    struct cella_frame frame = {.type = CELLA_FRAME_CLOSE};
    assert_int_equal(cella_ring_put_message(&pair->producer, frame, NULL, 0), CELLA_OK);
    assert_int_equal(cella_ring_take(&pair->consumer, &frame, buffer), CELLA_OK);
    assert_int_equal(frame.size, 0);
}

static void a_bell_is_rung_only_for_a_sleeping_consumer(void **state) {
    struct pair *pair = *state;
    cella_ring_notify(&pair->producer);
    assert_int_equal(wakes, 0);
    pair->shared.consumers_wait = 1;
    pair->shared.consumers_poll = 1;
    cella_ring_notify(&pair->producer);
    assert_int_equal(wakes, 0);
    pair->shared.consumers_poll = 0;
    cella_ring_notify(&pair->producer);
    assert_int_equal(wakes, 1);
}

static void a_stopped_producer_does_not_wait_for_room(void **state) {
    struct pair *pair = *state;
    static const uint8_t data[2 * CAPACITY];
    uint32_t stop = 1;
    pair->producer.stop = &stop;
    struct cella_bytes part = CELLA_BYTES(data, sizeof data);
    struct cella_frame frame = {.type = CELLA_FRAME_MAIL};
    assert_int_equal(cella_ring_put_message(&pair->producer, frame, &part, 1), CELLA_CLOSED);
}

enum { MESSAGES = 20000 };

static void *produce(void *opaque) {
    struct pair *pair = opaque;
    static uint8_t data[3000];
    for (uint64_t i = 0; i < MESSAGES; i++) {
        size_t size = (size_t)(i * 37 % sizeof data);
        memset(data, (int)(i & 0xff), size);
        struct cella_bytes part = CELLA_BYTES(data, size);
        struct cella_frame frame = {.type = CELLA_FRAME_MAIL, .id = i};
        (void)cella_ring_put_message(&pair->producer, frame, &part, 1);
    }
    return NULL;
}

static void two_threads_pass_every_message_in_order(void **state) {
    struct pair *pair = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, pair), 0);
    for (uint64_t i = 0; i < MESSAGES;) {
        struct cella_frame frame;
        enum cella_status status = cella_ring_take(&pair->consumer, &frame, buffer);
        if (status == CELLA_UNAVAILABLE) {
            cella_ring_wait(&pair->consumer, pair->consumer.position, 10);
            continue;
        }
        assert_int_equal(status, CELLA_OK);
        assert_int_equal(frame.id, i);
        assert_int_equal(frame.size, i * 37 % 3000);
        if (frame.size > 0)
            assert_int_equal(buffer[frame.size - 1], i & 0xff);
        i++;
    }
    pthread_join(thread, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_comes_out_as_it_went_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_of_every_size_survive_the_wrap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_ring_refuses_and_goes_on_after_a_take, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_producer_position_beyond_the_ring_is_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_larger_than_what_was_produced_is_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_consumer_position_ahead_of_the_producer_is_broken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_message_is_cut_into_frames_and_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_message_is_one_empty_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bell_is_rung_only_for_a_sleeping_consumer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_producer_does_not_wait_for_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_threads_pass_every_message_in_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
