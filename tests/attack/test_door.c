/* A host that does not play by the door's rules: the instance refuses, or ends with a reason; it never
 * crashes, and never does what it was not asked. */
#include "attack/fixture.h"
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *machine;

static int set_up_all(void **state) {
    machine = strdup(fixture_machine());
    return 0;
}

static void start(struct fixture *probe) {
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(probe, machine, "probe", &error), CELLA_OK);
}

static void every_type_that_the_table_does_not_allow_ends_the_instance(void **state) {
    static const uint16_t types[] = {0, 1, 6, 32, 33, 34, 64, 66, 69, 70, 73, 100, 999, UINT16_MAX};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct fixture probe;
        start(&probe);
        fixture_put(&probe, (struct cella_frame){.type = types[i], .id = 5}, "x", 1);
        fixture_ends_as_broken(&probe, "a type that is not allowed");
    }
}

static void unknown_flags_end_the_instance(void **state) {
    struct fixture probe;
    start(&probe);
    fixture_put(&probe, (struct cella_frame){.type = CELLA_FRAME_CALL, .flags = 2}, "x", 1);
    fixture_ends_as_broken(&probe, "unknown flags");
}

static void a_report_request_of_another_size_ends_the_instance(void **state) {
    static const uint8_t payload[64] = {0};
    static const size_t sizes[] = {0, 1, 32, 34, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fixture probe;
        start(&probe);
        fixture_put(&probe, (struct cella_frame){.type = CELLA_FRAME_REPORT}, payload, sizes[i]);
        fixture_ends_as_broken(&probe, "a report request");
    }
}

static void a_mail_without_a_route_ends_the_instance(void **state) {
    struct fixture probe;
    start(&probe);
    fixture_put(&probe, (struct cella_frame){.type = CELLA_FRAME_MAIL}, "short", 5);
    fixture_ends_as_broken(&probe, "a mail without a route");
}

static void two_messages_that_mix_end_the_instance(void **state) {
    struct fixture probe;
    start(&probe);
    fixture_put(&probe, (struct cella_frame){.type = CELLA_FRAME_CALL, .flags = CELLA_FRAME_MORE, .id = 1},
                "a", 1);
    fixture_put(&probe, (struct cella_frame){.type = CELLA_FRAME_CALL, .id = 2}, "b", 1);
    fixture_ends_as_broken(&probe, "mixed messages");
}

static void impossible_positions_end_the_instance(void **state) {
    static const uint64_t jumps[] = {8, 2 * CELLA_DOOR_RING_SIZE, UINT64_MAX / 2, UINT64_MAX};
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        struct fixture probe;
        start(&probe);
        struct cella_ring_shared *shared = &probe.instance->door->requests;
        __atomic_store_n(&shared->produced, shared->produced + jumps[i], __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&shared->data_bell, 1, __ATOMIC_SEQ_CST);
        cella_instance_park.wake(&shared->data_bell, INT_MAX);
        fixture_ends_as_broken(&probe, "an impossible position");
    }
}

static void an_impossible_reply_position_ends_the_instance_when_it_answers(void **state) {
    struct fixture probe;
    start(&probe);
    __atomic_store_n(&probe.instance->door->replies.consumed, UINT64_MAX / 2, __ATOMIC_SEQ_CST);
    struct answer answer = fixture_call(&probe, "setting");
    /* The cached room lets small answers through; the first look at the position ends it. */
    for (int i = 0; i < 100000 && answer.status == CELLA_OK; i++) {
        __atomic_store_n(&probe.instance->door->replies.consumed, UINT64_MAX / 2, __ATOMIC_SEQ_CST);
        answer =
            fixture_call(&probe, "a request that is answered by itself, long enough to fill the ring soon");
    }
    assert_status(answer.status, CELLA_CLOSED);
    fixture_ends_as_broken(&probe, "an impossible reply position");
}

/* Changes the request ring's bytes without pause. */
struct scribbler {
    struct fixture *probe;
    pthread_t thread;
    uint32_t stop;
};

static void *scribble(void *opaque) {
    struct scribbler *scribbler = opaque;
    uint8_t *data = scribbler->probe->instance->door->request_data;
    uint32_t random = 12345;
    while (__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED) == 0) {
        random = random * 1664525 + 1013904223;
        ((volatile uint8_t *)data)[random % 8192] ^= (uint8_t)(random >> 24);
    }
    return NULL;
}

static void a_host_that_changes_bytes_while_they_are_read_gains_nothing(void **state) {
    for (int round = 0; round < 5; round++) {
        struct fixture probe;
        start(&probe);
        struct scribbler scribbler = {.probe = &probe};
        assert_int_equal(pthread_create(&scribbler.thread, NULL, scribble, &scribbler), 0);
        for (int i = 0; i < 300; i++) {
            struct answer answer = fixture_mail(&probe, test_pattern(200, (uint32_t)i));
            /* Never accepted: no client sealed this. */
            assert_int_not_equal(answer.status, CELLA_OK);
            if (answer.status == CELLA_CLOSED)
                break;
        }
        __atomic_store_n(&scribbler.stop, 1, __ATOMIC_RELAXED);
        pthread_join(scribbler.thread, NULL);
        pthread_mutex_lock(&probe.lock);
        bool ended = probe.ended;
        pthread_mutex_unlock(&probe.lock);
        if (ended)
            assert_int_not_equal(probe.end_status, CELLA_CRASHED);
        fixture_free(&probe);
    }
}

/* Rings every bell and changes every word that the host owns, at random. */
static void *ring_bells(void *opaque) {
    struct scribbler *scribbler = opaque;
    struct cella_door_region *door = scribbler->probe->instance->door;
    while (__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED) == 0)
        for (size_t i = 0; i < 4; i++) {
            __atomic_fetch_add(&door->park[i].word, 1, __ATOMIC_SEQ_CST);
            cella_instance_park.wake(&door->park[i].word, INT_MAX);
            __atomic_fetch_add(&door->requests.data_bell, 1, __ATOMIC_SEQ_CST);
            cella_instance_park.wake(&door->requests.data_bell, INT_MAX);
            __atomic_store_n(&door->requests.consumers_wait, (uint32_t)i, __ATOMIC_SEQ_CST);
        }
    return NULL;
}

static void a_host_that_wakes_threads_at_will_changes_nothing(void **state) {
    struct fixture probe;
    start(&probe);
    struct scribbler scribbler = {.probe = &probe};
    assert_int_equal(pthread_create(&scribbler.thread, NULL, ring_bells, &scribbler), 0);
    for (unsigned i = 1; i <= 300; i++) {
        char expected[16];
        (void)snprintf(expected, sizeof expected, "%u", i);
        assert_answer(fixture_call(&probe, "threads"), expected);
    }
    __atomic_store_n(&scribbler.stop, 1, __ATOMIC_RELAXED);
    pthread_join(scribbler.thread, NULL);
    fixture_free(&probe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_that_the_table_does_not_allow_ends_the_instance),
        cmocka_unit_test(unknown_flags_end_the_instance),
        cmocka_unit_test(a_report_request_of_another_size_ends_the_instance),
        cmocka_unit_test(a_mail_without_a_route_ends_the_instance),
        cmocka_unit_test(two_messages_that_mix_end_the_instance),
        cmocka_unit_test(impossible_positions_end_the_instance),
        cmocka_unit_test(an_impossible_reply_position_ends_the_instance_when_it_answers),
        cmocka_unit_test(a_host_that_changes_bytes_while_they_are_read_gains_nothing),
        cmocka_unit_test(a_host_that_wakes_threads_at_will_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
