/* The host as programs embed it: names, starts, ends, restarts, calls in both directions, posts,
 * attestations. */
#include "support/test.h"
#include "support/fake_instance.h"
#include "attest/attestation.h"
#include "host/host_internal.h"
#include "machine/sim/manage.h"
#include <cella/verify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct test_folder *folder;
    char machine[128];
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    _Atomic unsigned posts, calls, ends;
    bool take_posts;
};

static struct bench bench;
static const uint8_t route[CELLA_HOST_ROUTE_SIZE] = {9};

static enum cella_status on_call(void *context, struct cella_host_call *call, struct cella_bytes request,
                                 uint8_t **ret_reply, size_t *ret_reply_size) {
    assert_ptr_equal(cella_host_call_enclave(call), bench.enclave);
    atomic_fetch_add(&bench.calls, 1);
    *ret_reply = malloc(request.size);
    memcpy(*ret_reply, request.data, request.size);
    *ret_reply_size = request.size;
    return CELLA_OK;
}

static bool on_post(void *context, const struct cella_host_enclave *enclave,
                    const uint8_t post_route[CELLA_HOST_ROUTE_SIZE], struct cella_bytes mail) {
    assert_memory_equal(post_route, route, sizeof route);
    atomic_fetch_add(&bench.posts, 1);
    return bench.take_posts;
}

static void on_ended(void *context, struct cella_host_enclave *enclave, enum cella_status status,
                     const char *reason) {
    atomic_fetch_add(&bench.ends, 1);
}

static void make_host(struct cella_host_options options) {
    struct cella_error error = {.status = CELLA_OK};
    options.events =
        (struct cella_host_events){.context = &bench, .call = on_call, .post = on_post, .ended = on_ended};
    assert_status(cella_host_new(&options, &bench.host, &error), CELLA_OK);
    assert_status(cella_host_start(bench.host, "one", "raw", bench.machine, &bench.enclave, &error),
                  CELLA_OK);
}

static int set_up(void **state) {
    if (test_folder_setup(state) != 0)
        return -1;
    bench = (struct bench){.folder = *state};
    snprintf(bench.machine, sizeof bench.machine, "%s/machine", bench.folder->path);
    cella_fake_set_code(0x11);
    struct cella_sim_create_options create = {.folder = bench.machine,
                                              .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&create, NULL), CELLA_OK);
    make_host((struct cella_host_options){.enclave_limit = 2});
    return 0;
}

static int tear_down(void **state) {
    cella_host_free(bench.host);
    assert_int_equal(cella_fake_alive(), 0);
    return test_folder_teardown(state);
}

static struct cella_host_enclave_state now(void) {
    struct cella_host_enclave_state state;
    cella_host_enclave_state(bench.enclave, &state);
    return state;
}

static enum cella_status mail(const char *text) {
    uint8_t *reply = NULL;
    size_t size = 0;
    enum cella_status status =
        cella_host_mail_wait(bench.enclave, route, CELLA_BYTES(text, strlen(text)), &reply, &size, NULL);
    if (status == CELLA_OK)
        assert_bytes(CELLA_BYTES(reply, size), CELLA_BYTES(text, strlen(text)));
    free(reply);
    return status;
}

static void names_are_checked(void **state) {
    char large[CELLA_HOST_NAME_LIMIT + 2];
    memset(large, 'a', sizeof large);
    large[CELLA_HOST_NAME_LIMIT + 1] = '\0';
    const char *wrong[] = {"", "-a", "_a", "a b", "a/b", "..", "a.b", "\xc3\xa4", large};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_status(cella_host_start(bench.host, wrong[i], "raw", bench.machine, NULL, NULL),
                      CELLA_HOST_NAME);
    large[CELLA_HOST_NAME_LIMIT] = '\0';
    assert_true(cella_host_name_valid(large));
    assert_true(cella_host_name_valid("A-b_9"));
}

static void a_name_that_runs_is_not_started_twice(void **state) {
    assert_status(cella_host_start(bench.host, "one", "raw", bench.machine, NULL, NULL), CELLA_EXISTS);
    assert_int_equal(cella_fake_alive(), 1);
}

static void enclaves_beyond_the_limit_are_refused(void **state) {
    assert_status(cella_host_start(bench.host, "two", "raw", bench.machine, NULL, NULL), CELLA_OK);
    assert_status(cella_host_start(bench.host, "three", "raw", bench.machine, NULL, NULL), CELLA_LIMIT);
}

static void an_image_that_does_not_start_is_reported_and_the_name_can_be_used_again(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    struct cella_host_enclave_state two;
    assert_status(cella_host_start(bench.host, "two", "broken", bench.machine, NULL, &error), CELLA_KEEPER);
    cella_host_enclave_state(cella_host_find(bench.host, "two"), &two);
    assert_int_equal(two.phase, CELLA_HOST_ENDED);
    assert_status(two.end_status, CELLA_KEEPER);
    assert_status(cella_host_start(bench.host, "two", "early", bench.machine, NULL, &error), CELLA_CRASHED);
    assert_status(cella_host_start(bench.host, "two", "raw", "/no/machine", NULL, &error),
                  CELLA_NOT_A_MACHINE);
    assert_status(cella_host_start(bench.host, "two", "raw", bench.machine, NULL, &error), CELLA_OK);
}

static void mail_is_carried_and_counted(void **state) {
    assert_status(mail("hello"), CELLA_OK);
    assert_status(mail("fail"), CELLA_HANDLER_FAILED);
    assert_int_equal(now().mails, 2);
    assert_int_equal(now().mail_bytes, 9);
}

static void a_stopped_enclave_takes_nothing_and_starts_again(void **state) {
    assert_status(cella_host_stop(bench.enclave, 1000), CELLA_OK);
    assert_int_equal(now().phase, CELLA_HOST_STOPPED);
    assert_int_equal(cella_fake_alive(), 0);
    assert_status(mail("x"), CELLA_NOT_RUNNING);
    uint8_t *reply = NULL;
    size_t size = 0;
    assert_status(cella_host_call_wait(bench.enclave, CELLA_BYTES("x", 1), &reply, &size, NULL),
                  CELLA_NOT_RUNNING);
    assert_status(cella_host_attestation_wait(bench.enclave, NULL, &reply, &size, NULL), CELLA_NOT_RUNNING);
    assert_status(cella_host_stop(bench.enclave, 1000), CELLA_OK);
    assert_status(cella_host_start(bench.host, "one", "raw", bench.machine, NULL, NULL), CELLA_OK);
    assert_status(mail("y"), CELLA_OK);
    assert_int_equal(now().starts, 2);
}

static void a_crash_is_reported_with_its_reason_and_not_restarted_unless_asked(void **state) {
    cella_fake_crash(cella_fake_newest(), "fault at 0x10");
    assert_int_equal(now().phase, CELLA_HOST_ENDED);
    assert_string_equal(now().end_reason, "fault at 0x10");
    assert_int_equal(bench.ends, 1);
    while (cella_fake_alive() > 0)
        continue;
    assert_status(mail("x"), CELLA_NOT_RUNNING);
}

static void a_crash_is_restarted_as_often_as_the_limit_allows(void **state) {
    cella_host_free(bench.host);
    make_host((struct cella_host_options){.restart_limit = 2});
    for (unsigned i = 1; i <= 3; i++) {
        while (now().starts < i || now().phase != CELLA_HOST_RUNNING)
            continue;
        cella_fake_crash(cella_fake_newest(), "again");
    }
    while (cella_fake_alive() > 0)
        continue;
    assert_int_equal(now().starts, 3);
    assert_int_equal(now().ends, 3);
}

static void an_enclave_calls_the_host(void **state) {
    uint8_t *reply = NULL;
    size_t size = 0;
    assert_status(cella_fake_call_host(cella_fake_newest(), CELLA_BYTES("ask", 3), &reply, &size), CELLA_OK);
    assert_bytes(CELLA_BYTES(reply, size), CELLA_BYTES("ask", 3));
    assert_int_equal(bench.calls, 1);
    free(reply);
}

static void posts_go_to_the_program_or_into_the_queue(void **state) {
    uint8_t *post = NULL;
    size_t size = 0;
    bench.take_posts = true;
    cella_fake_post(cella_fake_newest(), route, CELLA_BYTES("mine", 4));
    assert_status(cella_host_poll_wait(bench.enclave, &(struct cella_host_poll_request){.route = route},
                                       &post, &size, NULL),
                  CELLA_UNAVAILABLE);
    bench.take_posts = false;
    cella_fake_post(cella_fake_newest(), route, CELLA_BYTES("yours", 5));
    assert_status(cella_host_poll_wait(bench.enclave, &(struct cella_host_poll_request){.route = route},
                                       &post, &size, NULL),
                  CELLA_OK);
    assert_bytes(CELLA_BYTES(post, size), CELLA_BYTES("yours", 5));
    free(post);
}

static void a_waiting_poll_ends_in_time(void **state) {
    uint8_t *post = NULL;
    size_t size = 0;
    struct cella_host_poll_request request = {.route = route, .wait_ms = 5};
    assert_status(cella_host_poll_wait(bench.enclave, &request, &post, &size, NULL), CELLA_UNAVAILABLE);
}

static enum cella_status verify(struct cella_bytes attestation, const uint8_t *nonce) {
    struct cella_constraint constraint;
    struct cella_verdict verdict;
    static const char line[] =
        "C:1111111111111111111111111111111111111111111111111111111111111111 SEC:INSECURE";
    assert_status(cella_constraint_parse(CELLA_BYTES(line, sizeof line - 1), &constraint, NULL), CELLA_OK);
    struct cella_verify_options options = {
        .constraint = &constraint, .at = (int64_t)time(NULL) + 1, .nonce = nonce};
    return cella_verify(attestation, &options, &verdict, NULL);
}

static void the_attestation_verifies_and_binds_the_nonce(void **state) {
    uint8_t nonce[CELLA_HOST_NONCE_SIZE] = {5}, other[CELLA_HOST_NONCE_SIZE] = {6};
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_host_attestation_wait(bench.enclave, NULL, &data, &size, NULL), CELLA_OK);
    assert_status(verify(CELLA_BYTES(data, size), NULL), CELLA_OK);
    assert_status(verify(CELLA_BYTES(data, size), nonce), CELLA_NONCE_MISMATCH);
    free(data);
    assert_status(cella_host_attestation_wait(bench.enclave, nonce, &data, &size, NULL), CELLA_OK);
    assert_status(verify(CELLA_BYTES(data, size), nonce), CELLA_OK);
    assert_status(verify(CELLA_BYTES(data, size), other), CELLA_NONCE_MISMATCH);
    free(data);
}

static void an_attestation_whose_time_has_come_is_made_again(void **state) {
    struct cella_host_evidence *before = cella_evidence_get(bench.enclave), *after = before;
    bench.enclave->evidence->refresh_at = 0;
    bench.host->refresh.run(&bench.host->refresh);
    while (after == before) {
        after = cella_evidence_get(bench.enclave);
        if (after == before)
            cella_evidence_put(after);
    }
    assert_true(after->refresh_at > cella_host_now());
    cella_evidence_put(before);
    cella_evidence_put(after);
}

static void log_text_cannot_forge_a_line(void **state) {
    char out[CELLA_LOG_TEXT_SIZE];
    assert_string_equal(cella_log_text(out, "a\"b\\c\nd\x1b\xff"), "a'b'c?d??");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(names_are_checked),
        TEST(a_name_that_runs_is_not_started_twice),
        TEST(enclaves_beyond_the_limit_are_refused),
        TEST(an_image_that_does_not_start_is_reported_and_the_name_can_be_used_again),
        TEST(mail_is_carried_and_counted),
        TEST(a_stopped_enclave_takes_nothing_and_starts_again),
        TEST(a_crash_is_reported_with_its_reason_and_not_restarted_unless_asked),
        TEST(a_crash_is_restarted_as_often_as_the_limit_allows),
        TEST(an_enclave_calls_the_host),
        TEST(posts_go_to_the_program_or_into_the_queue),
        TEST(a_waiting_poll_ends_in_time),
        TEST(the_attestation_verifies_and_binds_the_nonce),
        TEST(an_attestation_whose_time_has_come_is_made_again),
        TEST(log_text_cannot_forge_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
