/* Instances that hang: no report, no close, no room for a nested call. Whatever waits for one has an end, and
 * the others go on. */
#include "support/test.h"
#include "support/fake_instance.h"
#include "host/host_internal.h"
#include "machine/sim/manage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 6

struct bench {
    struct test_folder *folder;
    char machine[128];
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    _Atomic unsigned not_renewed; /* logged, for want of a report */
};

static struct bench bench;

/* The enclave calls the host, whose handler calls back into the enclave. */
static void nested_done(void *context, enum cella_status status, const char *message,
                        struct cella_bytes reply) {
    *(enum cella_status *)context = status;
}

static enum cella_status on_call(void *context, struct cella_host_call *call, struct cella_bytes request,
                                 uint8_t **ret_reply, size_t *ret_reply_size) {
    enum cella_status status = CELLA_OK;
    cella_host_call_nested(call, request, nested_done, &status);
    return status;
}

static void on_log(void *context, const char *level, const char *enclave, const char *event,
                   const char *facts) {
    if (strcmp(event, "attestation-not-renewed") == 0 && strstr(facts, "status=NO_REPORT") != NULL)
        atomic_fetch_add(&bench.not_renewed, 1);
}

static void make_host(struct cella_host_options options) {
    options.events = (struct cella_host_events){.call = on_call, .log = on_log};
    assert_status(cella_host_new(&options, &bench.host, NULL), CELLA_OK);
}

static void start_one(const char *image) {
    assert_status(cella_host_start(bench.host, "one", image, bench.machine, &bench.enclave, NULL), CELLA_OK);
}

static int set_up(void **state) {
    if (test_folder_setup(state) != 0)
        return -1;
    bench = (struct bench){.folder = *state};
    snprintf(bench.machine, sizeof bench.machine, "%s/machine", bench.folder->path);
    struct cella_sim_create_options create = {.folder = bench.machine,
                                              .platform_version = CELLA_SIM_VERSION_NEW};
    return cella_sim_create(&create, NULL) == CELLA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    cella_host_free(bench.host);
    assert_int_equal(cella_fake_alive(), 0);
    return test_folder_teardown(state);
}

static struct cella_host_enclave_state now(struct cella_host_enclave *enclave) {
    struct cella_host_enclave_state state;
    cella_host_enclave_state(enclave, &state);
    return state;
}

/* A start on a thread of its own. */
struct starting {
    pthread_t thread;
    char name[16];
    const char *image;
    enum cella_status status;
    struct cella_error error;
};

static void *start_main(void *argument) {
    struct starting *starting = argument;
    starting->status =
        cella_host_start(bench.host, starting->name, starting->image, bench.machine, NULL, &starting->error);
    return NULL;
}

static void begin_start(struct starting *starting, const char *name, const char *image) {
    *starting = (struct starting){.image = image};
    snprintf(starting->name, sizeof starting->name, "%s", name);
    assert_int_equal(pthread_create(&starting->thread, NULL, start_main, starting), 0);
}

static enum cella_status end_start(struct starting *starting) {
    pthread_join(starting->thread, NULL);
    return starting->status;
}

/* Returns when that many instances wait for their report. */
static void await_reports(unsigned count) {
    for (unsigned found = 0; found != count;) {
        found = 0;
        for (size_t i = 0; i < COUNT; i++) {
            char name[16];
            snprintf(name, sizeof name, "hung%zu", i);
            struct cella_host_enclave *enclave = cella_host_find(bench.host, name);
            if (enclave == NULL)
                continue;
            pthread_mutex_lock(&enclave->lock);
            found += enclave->report_count;
            pthread_mutex_unlock(&enclave->lock);
        }
    }
}

static void an_image_that_makes_no_report_does_not_start_and_says_why(void **state) {
    make_host((struct cella_host_options){.report_timeout_ms = 200});
    struct cella_error error = {.status = CELLA_OK};
    assert_status(cella_host_start(bench.host, "one", "mute", bench.machine, NULL, &error), CELLA_NO_REPORT);
    assert_non_null(strstr(error.message, "no report within 200 ms"));
    assert_int_equal(cella_fake_alive(), 0);
    struct cella_host_enclave_state state_of_one = now(cella_host_find(bench.host, "one"));
    assert_int_equal(state_of_one.phase, CELLA_HOST_ENDED);
    assert_status(state_of_one.end_status, CELLA_NO_REPORT);
    assert_non_null(strstr(state_of_one.end_reason, "no report"));
    start_one("raw");
}

static void a_start_that_hangs_holds_up_no_other(void **state) {
    struct starting hung[COUNT];
    make_host((struct cella_host_options){.report_timeout_ms = 30000});
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "hung%zu", i);
        begin_start(&hung[i], name, "mute");
    }
    await_reports(COUNT);
    start_one("raw");
    assert_status(cella_host_stop(bench.enclave, 1000), CELLA_OK);
    /* The same name again does not queue behind the first start. */
    assert_status(cella_host_start(bench.host, "hung0", "raw", bench.machine, NULL, NULL), CELLA_EXISTS);
    cella_host_close(bench.host);
    for (size_t i = 0; i < COUNT; i++)
        assert_status(end_start(&hung[i]), CELLA_INTERRUPTED);
}

static void many_that_make_no_report_end_in_the_time_of_one(void **state) {
    struct starting hung[COUNT];
    make_host((struct cella_host_options){.report_timeout_ms = 50});
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "hung%zu", i);
        begin_start(&hung[i], name, "mute");
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_status(end_start(&hung[i]), CELLA_NO_REPORT);
    assert_int_equal(cella_fake_alive(), 0);
}

static void an_enclave_can_be_stopped_while_its_start_hangs(void **state) {
    struct starting hung;
    make_host((struct cella_host_options){.report_timeout_ms = 30000});
    begin_start(&hung, "hung0", "mute");
    await_reports(1);
    struct cella_host_enclave *enclave = cella_host_find(bench.host, "hung0");
    assert_status(cella_host_stop(enclave, 60000), CELLA_OK);
    assert_status(end_start(&hung), CELLA_INTERRUPTED);
    assert_non_null(strstr(hung.error.message, "was stopped while it started"));
    assert_int_equal(now(enclave).phase, CELLA_HOST_STOPPED);
    assert_int_equal(cella_fake_alive(), 0);
    assert_status(cella_host_start(bench.host, "hung0", "raw", bench.machine, NULL, NULL), CELLA_OK);
}

static void make_renewal_due(void) {
    pthread_mutex_lock(&bench.enclave->lock);
    bench.enclave->evidence->refresh_at = 0;
    pthread_mutex_unlock(&bench.enclave->lock);
    bench.host->refresh.run(&bench.host->refresh);
}

static void a_renewal_that_gets_no_report_blocks_nothing_and_is_tried_again(void **state) {
    make_host((struct cella_host_options){.report_timeout_ms = 30000});
    start_one("raw");
    struct cella_host_evidence *before = cella_evidence_get(bench.enclave);
    cella_fake_mute(cella_fake_newest(), true);
    make_renewal_due();
    assert_int_equal(cella_reports_expire(bench.enclave, INT64_MAX), INT64_MAX);
    assert_int_equal(bench.not_renewed, 1);
    /* It may be at long work: it goes on, with the evidence that it has. */
    assert_int_equal(now(bench.enclave).phase, CELLA_HOST_RUNNING);
    struct cella_host_evidence *after = cella_evidence_get(bench.enclave);
    assert_ptr_equal(before, after);
    cella_evidence_put(after);
    cella_fake_mute(cella_fake_newest(), false);
    do {
        make_renewal_due();
        cella_evidence_put(after = cella_evidence_get(bench.enclave));
    } while (after == before);
    cella_evidence_put(before);
}

static void an_enclave_can_be_stopped_while_a_renewal_waits(void **state) {
    make_host((struct cella_host_options){.report_timeout_ms = 30000});
    start_one("raw");
    cella_fake_mute(cella_fake_newest(), true);
    make_renewal_due();
    assert_status(cella_host_stop(bench.enclave, 1000), CELLA_OK);
    assert_int_equal(cella_fake_alive(), 0);
}

static void evidence_of_an_earlier_instance_is_not_taken_for_a_later_one(void **state) {
    make_host((struct cella_host_options){.report_timeout_ms = 30000});
    start_one("raw");
    struct cella_host_evidence *old = cella_evidence_get(bench.enclave);
    uint64_t generation = bench.enclave->generation;
    assert_status(cella_host_stop(bench.enclave, 1000), CELLA_OK);
    start_one("raw");
    cella_evidence_store(bench.enclave, generation, old);
    struct cella_host_evidence *kept = cella_evidence_get(bench.enclave);
    assert_ptr_not_equal(kept, old);
    cella_evidence_put(kept);
}

struct asked {
    _Atomic bool done;
    enum cella_status status;
};

static void asked_done(void *context, enum cella_status status, const char *message,
                       struct cella_bytes reply) {
    struct asked *asked = context;
    asked->status = status;
    atomic_store(&asked->done, true);
}

static void attest(struct cella_host_enclave *enclave, struct asked *asked) {
    static const uint8_t nonce[CELLA_HOST_NONCE_SIZE] = {1};
    *asked = (struct asked){.status = CELLA_FAILED};
    cella_host_attestation(enclave, nonce, asked_done, asked);
}

static enum cella_status await(const struct asked *asked) {
    while (!atomic_load(&asked->done))
        continue;
    return asked->status;
}

static void a_fresh_attestation_ends_in_time_and_fills_no_limit_but_its_own(void **state) {
    struct cella_host_enclave *other = NULL;
    struct asked asked;
    make_host((struct cella_host_options){.report_timeout_ms = 30000, .attestation_limit = 1});
    start_one("raw");
    struct cella_instance *instance = cella_fake_newest();
    assert_status(cella_host_start(bench.host, "other", "raw", bench.machine, &other, NULL), CELLA_OK);
    cella_fake_mute(instance, true);
    attest(bench.enclave, &asked);
    assert_false(atomic_load(&asked.done));
    cella_reports_expire(bench.enclave, INT64_MAX);
    assert_status(await(&asked), CELLA_NO_REPORT);
    /* The instance still has the question. */
    attest(bench.enclave, &asked);
    assert_status(await(&asked), CELLA_LIMIT);
    do
        attest(other, &asked);
    while (await(&asked) == CELLA_LIMIT);
    assert_status(asked.status, CELLA_OK);
    /* Its late answer changes nothing, and makes room. */
    cella_fake_mute(instance, false);
    do
        attest(bench.enclave, &asked);
    while (await(&asked) == CELLA_LIMIT);
    assert_status(asked.status, CELLA_OK);
}

static void *call_main(void *argument) {
    uint8_t *reply = NULL;
    size_t size = 0;
    *(enum cella_status *)argument =
        cella_fake_call_host(cella_fake_newest(), CELLA_BYTES("x", 1), &reply, &size);
    return NULL;
}

static void a_stop_ends_a_nested_call_that_finds_no_room(void **state) {
    pthread_t thread;
    enum cella_status status = CELLA_OK;
    make_host((struct cella_host_options){.restart_limit = 0});
    start_one("stuck");
    assert_int_equal(pthread_create(&thread, NULL, call_main, &status), 0);
    while (atomic_load(&bench.enclave->gate) == 0)
        continue;
    assert_status(cella_host_stop(bench.enclave, 5), CELLA_OK);
    pthread_join(thread, NULL);
    assert_status(status, CELLA_CLOSED);
    assert_int_equal(cella_fake_alive(), 0);
}

static void *stop_main(void *argument) {
    cella_host_stop(bench.enclave, *(unsigned *)argument);
    return NULL;
}

static void a_stop_with_a_shorter_time_does_not_wait_for_one_with_a_longer(void **state) {
    pthread_t thread;
    unsigned timeout_ms = 3600000;
    make_host((struct cella_host_options){.restart_limit = 0});
    start_one("stuck");
    assert_int_equal(pthread_create(&thread, NULL, stop_main, &timeout_ms), 0);
    while (now(bench.enclave).phase != CELLA_HOST_STOPPED)
        continue;
    assert_status(cella_host_stop(bench.enclave, 0), CELLA_OK);
    pthread_join(thread, NULL);
    assert_int_equal(now(bench.enclave).ends, 1);
    start_one("raw");
}

static void the_end_of_the_host_closes_all_at_one_time(void **state) {
    make_host((struct cella_host_options){.restart_limit = 0});
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "hung%zu", i);
        assert_status(cella_host_start(bench.host, name, "stuck", bench.machine, NULL, NULL), CELLA_OK);
    }
    bench.host->close_timeout_ms = 100;
    cella_fake_closing_peak();
    cella_host_close(bench.host);
    assert_int_equal(cella_fake_alive(), 0);
    assert_true(cella_fake_closing_peak() > 1);
}

static void a_restart_that_hangs_holds_up_no_other(void **state) {
    make_host((struct cella_host_options){.restart_limit = 1, .report_timeout_ms = 30000});
    struct cella_host_enclave *hung = NULL;
    assert_status(cella_host_start(bench.host, "hung0", "raw", bench.machine, &hung, NULL), CELLA_OK);
    struct cella_instance *first = cella_fake_newest();
    start_one("raw");
    struct cella_instance *second = cella_fake_newest();
    /* The image that is restarted is another one by then. */
    free(hung->image_path);
    hung->image_path = strdup("mute");
    cella_fake_crash(first, "gone");
    await_reports(1);
    cella_fake_crash(second, "gone too");
    while (now(bench.enclave).starts < 2)
        continue;
    assert_int_equal(now(hung).phase, CELLA_HOST_STARTING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_image_that_makes_no_report_does_not_start_and_says_why),
        TEST(a_start_that_hangs_holds_up_no_other),
        TEST(many_that_make_no_report_end_in_the_time_of_one),
        TEST(an_enclave_can_be_stopped_while_its_start_hangs),
        TEST(a_renewal_that_gets_no_report_blocks_nothing_and_is_tried_again),
        TEST(an_enclave_can_be_stopped_while_a_renewal_waits),
        TEST(evidence_of_an_earlier_instance_is_not_taken_for_a_later_one),
        TEST(a_fresh_attestation_ends_in_time_and_fills_no_limit_but_its_own),
        TEST(a_stop_ends_a_nested_call_that_finds_no_room),
        TEST(a_stop_with_a_shorter_time_does_not_wait_for_one_with_a_longer),
        TEST(the_end_of_the_host_closes_all_at_one_time),
        TEST(a_restart_that_hangs_holds_up_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
