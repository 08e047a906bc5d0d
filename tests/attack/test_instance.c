/* One instance from start to end: what runs inside, what it may not do, how it ends. */
#include "attack/fixture.h"
#include "attest/statement.h"
#include "image/image.h"
#include "base/file.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *machine;
static struct fixture shared_probe;

static int set_up_all(void **state) {
    machine = strdup(fixture_machine());
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&shared_probe, machine, "probe", &error), CELLA_OK);
    return 0;
}

static int tear_down_all(void **state) {
    fixture_free(&shared_probe);
    return 0;
}

static void the_machine_measures_what_the_tools_measure(void **state) {
    uint8_t *file = NULL;
    size_t size = 0;
    struct cella_image image;
    struct cella_error error = {.message = ""};
    uint8_t code_hash[32];
    assert_status(cella_file_read(fixture_image("probe"), CELLA_IMAGE_SIZE_LIMIT, &file, &size, &error),
                  CELLA_OK);
    assert_status(cella_image_open(CELLA_BYTES(file, size), &image, &error), CELLA_OK);
    cella_image_measure(&image, code_hash);
    const struct cella_instance_info *info = cella_instance_info(shared_probe.instance);
    assert_memory_equal(info->code_hash, code_hash, 32);
    assert_int_equal(info->product_id, 7);
    assert_int_equal(info->security_version, 3);
    assert_true(info->debug);
    free(file);
}

static void the_start_hook_has_run_and_settings_are_read(void **state) {
    assert_answer(fixture_call(&shared_probe, "started"), "yes");
    assert_answer(fixture_call(&shared_probe, "setting"), "measured");
}

static void system_calls_are_served_inside_or_denied(void **state) {
    /* EACCES 13, ENOSYS 38, ENODEV 19: each from the handler inside the image. */
    struct answer answer = fixture_call(&shared_probe, "syscalls");
    assert_status(answer.status, CELLA_OK);
    assert_bytes(answer.reply,
                 CELLA_BYTES("open 13 socket 38 fork 38 exec 38 clock 38 mmap 19 peek 38",
                             strlen("open 13 socket 38 fork 38 exec 38 clock 38 mmap 19 peek 38")));
}

static void memory_comes_zeroed_from_the_measured_heap_and_returns_to_it(void **state) {
    assert_answer(fixture_call(&shared_probe, "memory"), "good");
}

struct caller {
    pthread_t thread;
    unsigned good;
};

static void *call_many(void *opaque) {
    struct caller *caller = opaque;
    for (int i = 0; i < 200; i++)
        caller->good += fixture_call(&shared_probe, "threads").status == CELLA_OK;
    return NULL;
}

static void handlers_run_on_several_threads_and_share_memory(void **state) {
    struct caller callers[8] = {{.good = 0}};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    unsigned good = 0;
    for (size_t i = 0; i < 8; i++) {
        pthread_join(callers[i].thread, NULL);
        good += callers[i].good;
    }
    assert_int_equal(good, 1600);
    assert_answer(fixture_call(&shared_probe, "threads"), "1601");
}

static void the_report_binds_the_statement_and_the_nonce(void **state) {
    uint8_t nonce[32] = {1, 2, 3};
    uint8_t expected[CELLA_REPORT_DATA_SIZE];
    for (int round = 0; round < 2; round++) {
        const uint8_t *given = round == 0 ? NULL : nonce;
        struct answer answer = fixture_report(&shared_probe, given);
        assert_status(answer.status, CELLA_OK);
        struct cella_bytes statement =
            CELLA_BYTES(answer.reply.data + CELLA_REPORT_SIZE, answer.reply.size - CELLA_REPORT_SIZE);
        struct cella_statement parsed;
        assert_status(cella_statement_parse(statement, &parsed, NULL), CELLA_OK);
        cella_statement_report_data(statement, given, expected);
        assert_memory_equal(answer.reply.data + 320, expected, sizeof expected);
        assert_memory_equal(answer.reply.data + 64, cella_instance_info(shared_probe.instance)->code_hash,
                            32);
    }
}

static void an_instance_uses_the_counters_of_its_machine(void **state) {
    struct fixture other = {0};
    struct cella_error error = {.message = ""};
    assert_answer(fixture_call(&shared_probe, "counter read first"), "NO_COUNTER");
    assert_answer(fixture_call(&shared_probe, "counter increment 0 first"), "NO_COUNTER");
    assert_answer(fixture_call(&shared_probe, "counter create first"), "0");
    assert_answer(fixture_call(&shared_probe, "counter create first"), "EXISTS");
    assert_answer(fixture_call(&shared_probe, "counter read first"), "0");
    assert_answer(fixture_call(&shared_probe, "counter increment 0 first"), "0");
    assert_answer(fixture_call(&shared_probe, "counter read first"), "1");
    /* Another instance of the same image moves it; the first one sees that at once. */
    assert_status(fixture_start(&other, machine, "probe", &error), CELLA_OK);
    assert_answer(fixture_call(&other, "counter read first"), "1");
    assert_answer(fixture_call(&other, "counter increment 0 first"), "COUNTER_MOVED");
    assert_answer(fixture_call(&other, "counter increment 1 first"), "0");
    assert_answer(fixture_call(&shared_probe, "counter increment 1 first"), "COUNTER_MOVED");
    assert_answer(fixture_call(&shared_probe, "counter read first"), "2");
    assert_answer(fixture_call(&shared_probe, "counter mark first"),
                  "20101010101010101010101010101010101010101010101010101010101010101");
    fixture_free(&other);
    /* A release image of the same product has counters of its own. */
    assert_status(fixture_start(&other, machine, "probe-release", &error), CELLA_OK);
    assert_answer(fixture_call(&other, "counter read first"), "NO_COUNTER");
    fixture_free(&other);
}

static void more_counters_than_the_keeper_remembers_are_read_right(void **state) {
    char text[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 8; i++) {
            snprintf(text, sizeof text, round == 0 ? "counter create many-%d" : "counter increment 0 many-%d",
                     i);
            assert_answer(fixture_call(&shared_probe, text), "0");
            snprintf(text, sizeof text, "counter read many-%d", i);
            assert_answer(fixture_call(&shared_probe, text), round == 0 ? "0" : "1");
        }
}

static void a_counter_leaf_that_the_machine_does_not_take_is_unsupported_and_no_crash(void **state) {
    assert_answer(fixture_call(&shared_probe, "counter-misuse"), "UNSUPPORTED");
    assert_answer(fixture_call(&shared_probe, "setting"), "measured");
}

static void calls_nest_to_the_stated_depth_and_no_further(void **state) {
    assert_answer(fixture_call(&shared_probe, "nest 5"), "bottom");
    /* max_call_depth is 8: the ninth call out is refused, and everything above it unwinds. */
    struct answer answer = fixture_call(&shared_probe, "nest 20");
    assert_status(answer.status, CELLA_OK);
    assert_non_null(memmem(answer.reply.data, answer.reply.size, "CALL_DEPTH", 10));
    assert_answer(fixture_call(&shared_probe, "setting"), "measured");
}

static void a_failure_of_the_host_at_any_depth_comes_back_as_its_status(void **state) {
    shared_probe.refuse_nested = true;
    assert_answer(fixture_call(&shared_probe, "nest 3"), "PERMISSION at 3");
    shared_probe.refuse_nested = false;
}

static void a_handler_that_fails_is_told_without_text(void **state) {
    struct answer answer = fixture_call(&shared_probe, "fail");
    assert_status(answer.status, CELLA_HANDLER_FAILED);
    assert_string_equal(answer.message, "");
    assert_int_equal(answer.reply.size, 0);
}

static void large_requests_and_replies_pass_the_door(void **state) {
    enum { SIZE = 5 * 1024 * 1024 };
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    struct answer answer = fixture_call(&shared_probe, text);
    assert_status(answer.status, CELLA_OK);
    assert_bytes(answer.reply, CELLA_BYTES(text, SIZE));
    free(text);
}

static void bytes_that_are_no_mail_are_refused_and_nothing_else_happens(void **state) {
    for (size_t size = 0; size < 600; size += 13) {
        struct answer answer = fixture_mail(&shared_probe, test_pattern(size, (uint32_t)size));
        assert_int_not_equal(answer.status, CELLA_OK);
        assert_int_not_equal(answer.status, CELLA_CLOSED);
    }
    assert_answer(fixture_call(&shared_probe, "setting"), "measured");
}

static void seal_keys_differ_by_policy_and_machine_and_stay_over_restarts(void **state) {
    struct answer code = fixture_call(&shared_probe, "key-code");
    struct answer signer = fixture_call(&shared_probe, "key-signer");
    assert_int_equal(code.reply.size, 32);
    assert_int_equal(signer.reply.size, 32);
    assert_memory_not_equal(code.reply.data, signer.reply.data, 32);
    struct fixture release;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&release, machine, "probe", &error), CELLA_OK);
    struct answer again = fixture_call(&release, "key-code");
    assert_bytes(again.reply, code.reply);
    fixture_free(&release);
}

static void debug_images_log_and_release_images_do_not(void **state) {
    assert_true(fixture_logged(&shared_probe, "a line that the program prints"));
    assert_true(fixture_logged(&shared_probe, "probe started"));
    struct fixture release;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&release, machine, "probe-release", &error), CELLA_OK);
    assert_answer(fixture_call(&release, "started"), "yes");
    assert_int_equal(release.line_count, 0);
    fixture_free(&release);
}

static void a_crash_of_a_release_image_does_not_say_where(void **state) {
    struct fixture release;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&release, machine, "probe-release", &error), CELLA_OK);
    (void)fixture_call(&release, "crash null");
    assert_status(fixture_await_end(&release), CELLA_CRASHED);
    assert_null(strstr(release.end_reason, "0x"));
    fixture_free(&release);
}

static void an_instance_starts_whatever_descriptors_are_free(void **state) {
    /* The two that the keeper gets have numbers from 3 on in every start. */
    int taken[24];
    for (size_t i = 0; i < 24; i++) {
        struct fixture probe;
        struct cella_error error = {.message = ""};
        taken[i] = dup(0);
        assert_true(taken[i] >= 0);
        assert_status(fixture_start(&probe, machine, "probe", &error), CELLA_OK);
        fixture_free(&probe);
    }
    for (size_t i = 0; i < 24; i++)
        close(taken[i]);
}

static void a_failing_start_hook_ends_the_start(void **state) {
    struct fixture failing;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&failing, machine, "probe-failing", &error), CELLA_HANDLER_FAILED);
}

static void an_orderly_close_runs_the_stop_hook_and_later_calls_are_refused(void **state) {
    struct fixture probe;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&probe, machine, "probe", &error), CELLA_OK);
    cella_instance_stop(probe.instance, 10000);
    assert_status(fixture_await_end(&probe), CELLA_OK);
    assert_true(fixture_logged(&probe, "probe stopped"));
    assert_status(fixture_call(&probe, "started").status, CELLA_CLOSED);
    fixture_free(&probe);
}

/* Each crash, the status of its end, and a word of its reason. */
static const struct crash {
    const char *request;
    enum cella_status status;
    const char *word;
} crashes[] = {
    {"crash null", CELLA_CRASHED, "memory fault at offset"},
    {"crash abort", CELLA_CRASHED, "abort"},
    {"crash stack", CELLA_CRASHED, "memory fault"},
    {"crash code", CELLA_CRASHED, "memory fault at offset"},
    {"crash data", CELLA_CRASHED, "memory fault at offset"},
    {"crash ud2", CELLA_CRASHED, "invalid instruction at offset"},
    {"crash enclu", CELLA_CRASHED, "protection fault at offset"},
    {"crash keeper", CELLA_CRASHED, "signal 31"},
    {"crash exit", CELLA_FAILED, "failed"},
    {"lie position", CELLA_DOOR_BROKEN, "position"},
    {"lie type", CELLA_DOOR_BROKEN, "not allowed"},
    {"lie phase", CELLA_DOOR_BROKEN, "not allowed"},
    {"lie size", CELLA_DOOR_BROKEN, "position"},
    {"lie flags", CELLA_DOOR_BROKEN, "flags"},
    {"lie route", CELLA_DOOR_BROKEN, "route"},
    {"lie call", CELLA_DOOR_BROKEN, "well formed"},
    {"lie answer", CELLA_DOOR_BROKEN, "not made"},
};

static void every_crash_and_every_lie_ends_the_instance_with_its_reason(void **state) {
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        struct fixture probe;
        struct cella_error error = {.message = ""};
        assert_status(fixture_start(&probe, machine, "probe", &error), CELLA_OK);
        struct answer answer = fixture_call(&probe, crashes[i].request);
        enum cella_status end = fixture_await_end(&probe);
        if (end != crashes[i].status || strstr(probe.end_reason, crashes[i].word) == NULL)
            fail_msg("%s ended with %s: %s", crashes[i].request, cella_status_name(end), probe.end_reason);
        assert_status(answer.status, CELLA_CLOSED);
        fixture_free(&probe);
    }
}

/* True while a process with this id exists and is no zombie. */
static bool runs(int process_id) {
    char path[64];
    char text[512] = {0};
    (void)snprintf(path, sizeof path, "/proc/%d/stat", process_id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    return size > 0 && strstr(text, ") Z ") == NULL;
}

static int child_of(int process_id) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", process_id, process_id);
    FILE *file = fopen(path, "r");
    int child = 0;
    char text[64] = {0};
    if (file != NULL) {
        if (fgets(text, sizeof text, file) != NULL)
            child = (int)strtol(text, NULL, 10);
        fclose(file);
    }
    return child;
}

static void a_killed_instance_and_a_killed_keeper_are_noticed_and_leave_no_process(void **state) {
    for (int round = 0; round < 2; round++) {
        struct fixture probe;
        struct cella_error error = {.message = ""};
        assert_status(fixture_start(&probe, machine, "probe", &error), CELLA_OK);
        int keeper = cella_instance_info(probe.instance)->process_id;
        int child = child_of(keeper);
        assert_true(child > 0);
        assert_int_equal(kill(round == 0 ? child : keeper, SIGKILL), 0);
        assert_status(fixture_await_end(&probe), CELLA_INTERRUPTED);
        fixture_free(&probe);
        while (runs(child))
            usleep(1000);
        assert_false(runs(keeper));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_measures_what_the_tools_measure),
        cmocka_unit_test(the_start_hook_has_run_and_settings_are_read),
        cmocka_unit_test(system_calls_are_served_inside_or_denied),
        cmocka_unit_test(memory_comes_zeroed_from_the_measured_heap_and_returns_to_it),
        cmocka_unit_test(handlers_run_on_several_threads_and_share_memory),
        cmocka_unit_test(the_report_binds_the_statement_and_the_nonce),
        cmocka_unit_test(an_instance_uses_the_counters_of_its_machine),
        cmocka_unit_test(more_counters_than_the_keeper_remembers_are_read_right),
        cmocka_unit_test(a_counter_leaf_that_the_machine_does_not_take_is_unsupported_and_no_crash),
        cmocka_unit_test(calls_nest_to_the_stated_depth_and_no_further),
        cmocka_unit_test(a_failure_of_the_host_at_any_depth_comes_back_as_its_status),
        cmocka_unit_test(a_handler_that_fails_is_told_without_text),
        cmocka_unit_test(large_requests_and_replies_pass_the_door),
        cmocka_unit_test(bytes_that_are_no_mail_are_refused_and_nothing_else_happens),
        cmocka_unit_test(seal_keys_differ_by_policy_and_machine_and_stay_over_restarts),
        cmocka_unit_test(debug_images_log_and_release_images_do_not),
        cmocka_unit_test(a_crash_of_a_release_image_does_not_say_where),
        cmocka_unit_test(an_instance_starts_whatever_descriptors_are_free),
        cmocka_unit_test(a_failing_start_hook_ends_the_start),
        cmocka_unit_test(an_orderly_close_runs_the_stop_hook_and_later_calls_are_refused),
        cmocka_unit_test(every_crash_and_every_lie_ends_the_instance_with_its_reason),
        cmocka_unit_test(a_killed_instance_and_a_killed_keeper_are_noticed_and_leave_no_process),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
