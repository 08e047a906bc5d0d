/* The HTTP server on a socket, over fake instances: answers, limits, long polls, the operator, the end. */
#include "support/test.h"
#include "support/fake_instance.h"
#include "support/wire.h"
#include "base/hex.h"
#include "host/host_internal.h"
#include "host/http.h"
#include "machine/sim/manage.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUTE  "000102030405060708090a0b0c0d0e0f"
#define MAIL   "/v1/enclaves/raw/mail?route=" ROUTE
#define TOKEN  "Authorization: Bearer 0707070707070707070707070707070707070707070707070707070707070707\r\n"
#define NOBODY CELLA_BYTES(NULL, 0)

struct bench {
    struct test_folder *folder;
    char machine[128];
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    struct cella_http *http;
    uint16_t port;
};

static struct bench bench;
static const uint8_t route[CELLA_HOST_ROUTE_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void start_server(const struct cella_http_options *limits) {
    uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    struct cella_http_options options = *limits;
    struct cella_error error = {.status = CELLA_OK};
    memset(token, 7, sizeof token);
    options.token = token;
    assert_status(cella_http_listen_parse("127.0.0.1:0", &options.listen, NULL), CELLA_OK);
    struct cella_host_options host = {.poll_limit = 2};
    assert_status(cella_host_new(&host, &bench.host, &error), CELLA_OK);
    assert_status(cella_host_start(bench.host, "raw", "raw", bench.machine, &bench.enclave, &error),
                  CELLA_OK);
    assert_status(cella_http_new(bench.host, &options, &bench.http, &error), CELLA_OK);
    bench.port = cella_http_port(bench.http);
}

static void stop_server(void) {
    cella_http_free(bench.http);
    cella_host_free(bench.host);
    bench.http = NULL;
    bench.host = NULL;
}

static int set_up_machine(void **state) {
    if (test_folder_setup(state) != 0)
        return -1;
    bench.folder = *state;
    snprintf(bench.machine, sizeof bench.machine, "%s/machine", bench.folder->path);
    struct cella_sim_create_options create = {.folder = bench.machine,
                                              .platform_version = CELLA_SIM_VERSION_NEW};
    return cella_sim_create(&create, NULL) == CELLA_OK ? 0 : -1;
}

static int set_up(void **state) {
    start_server(&(struct cella_http_options){.body_limit = 10000});
    return 0;
}

static int tear_down(void **state) {
    stop_server();
    return cella_fake_alive() == 0 ? 0 : -1;
}

static struct test_answer answer;

static void ask(const char *method, const char *target, const char *headers, struct cella_bytes body) {
    test_wire_ask(bench.port, method, target, headers, body, &answer);
}

/* The answer is an error with this status word, as JSON. */
static void assert_refused(int code, enum cella_status status) {
    json_t *object = json_loadb(answer.body, answer.body_size, 0, NULL);
    const char *word = json_string_value(json_object_get(object, "status"));
    assert_non_null(word);
    assert_string_equal(word, cella_status_name(status));
    assert_int_equal(answer.code, code);
    assert_non_null(json_string_value(json_object_get(object, "message")));
    assert_int_equal(json_string_length(json_object_get(object, "request")), 16);
    json_decref(object);
}

static void mail_is_answered_by_the_reply(void **state) {
    struct cella_bytes body = test_pattern(1024, 1);
    ask("POST", MAIL, "", body);
    assert_int_equal(answer.code, 200);
    assert_bytes(CELLA_BYTES(answer.body, answer.body_size), body);
    assert_non_null(strstr(answer.head, "application/octet-stream"));
}

static void mail_of_every_size_around_the_inline_buffer_comes_back(void **state) {
    static const size_t sizes[] = {1, 4095, 4096, 4097, 8192, 9999, 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cella_bytes body = test_pattern(sizes[i], (uint32_t)i);
        ask("POST", MAIL, "", body);
        assert_int_equal(answer.code, 200);
        assert_bytes(CELLA_BYTES(answer.body, answer.body_size), body);
    }
}

static void no_reply_is_204(void **state) {
    ask("POST", MAIL, "", CELLA_BYTES("none", 4));
    assert_int_equal(answer.code, 204);
}

static void a_refusal_of_the_handler_is_named(void **state) {
    ask("POST", MAIL, "", CELLA_BYTES("fail", 4));
    assert_refused(422, CELLA_HANDLER_FAILED);
}

static void malformed_requests_are_refused_by_name(void **state) {
    ask("GET", "/", "", NOBODY);
    assert_refused(404, CELLA_HTTP_ROUTE);
    ask("GET", "/v1/enclaves/%72aw/attestation", "", NOBODY);
    assert_refused(400, CELLA_HOST_NAME);
    ask("POST", "/v1/enclaves/raw/mail?route=zz", "", CELLA_BYTES("x", 1));
    assert_refused(400, CELLA_HTTP_QUERY);
    ask("PUT", MAIL, "", CELLA_BYTES("x", 1));
    assert_refused(405, CELLA_HTTP_METHOD);
    assert_non_null(strstr(answer.head, "Allow: GET, POST"));
    ask("POST", MAIL, "", NOBODY);
    assert_refused(400, CELLA_HTTP_BODY);
    ask("GET", MAIL, "", CELLA_BYTES("x", 1));
    assert_refused(400, CELLA_HTTP_BODY);
    ask("GET", "/v1/enclaves/other/attestation", "", NOBODY);
    assert_refused(404, CELLA_NOT_FOUND);
}

static void an_oversized_body_is_refused_with_a_declared_and_with_an_unknown_length(void **state) {
    struct cella_bytes body = test_pattern(10001, 1);
    ask("POST", MAIL, "", body);
    assert_refused(413, CELLA_HTTP_TOO_LARGE);
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                   body.size);
    test_wire_send(fd, body.data, body.size);
    test_wire_text(fd, "\r\n0\r\n\r\n");
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_refused(413, CELLA_HTTP_TOO_LARGE);
    close(fd);
    fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_refused(413, CELLA_HTTP_TOO_LARGE);
    close(fd);
    assert_int_equal(bench.enclave->mails, 0);
}

static void a_chunked_body_is_taken(void **state) {
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_int_equal(answer.code, 200);
    assert_memory_equal(answer.body, "abcdefg", 7);
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state) {
    int fd = test_wire_connect(bench.port);
    for (int i = 0; i < 5; i++)
        test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nmail%d", i);
    test_wire_text(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        char expected[8];
        snprintf(expected, sizeof expected, "mail%d", i);
        assert_int_equal(test_wire_read(fd, &answer), 1);
        assert_string_equal(answer.body, expected);
    }
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_refused(404, CELLA_HTTP_ROUTE);
    close(fd);
}

static void a_client_that_sends_byte_by_byte_is_served(void **state) {
    static const char text[] = "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nslow";
    int fd = test_wire_connect(bench.port);
    for (size_t i = 0; i + 1 < sizeof text; i++)
        test_wire_send(fd, text + i, 1);
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_string_equal(answer.body, "slow");
    close(fd);
}

static void a_request_that_stops_in_the_middle_changes_nothing(void **state) {
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    close(fd);
    ask("POST", MAIL, "", CELLA_BYTES("whole", 5));
    assert_int_equal(answer.code, 200);
    assert_int_equal(bench.enclave->mails, 1);
}

static void a_head_that_is_too_large_is_refused(void **state) {
    static char large[40000];
    memset(large, 'a', sizeof large - 1);
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "GET /v1/enclaves HTTP/1.1\r\nHost: x\r\nX-Large: ");
    test_wire_send(fd, large, sizeof large - 1);
    test_wire_text(fd, "\r\n\r\n");
    if (test_wire_read(fd, &answer) == 1)
        assert_in_range(answer.code, 400, 499);
    close(fd);
    ask("GET", "/v1/enclaves", "", NOBODY);
    assert_int_equal(answer.code, 200);
}

static void bytes_that_are_no_http_are_refused(void **state) {
    int fd = test_wire_connect(bench.port);
    struct cella_bytes noise = test_pattern(4000, 9);
    test_wire_send(fd, noise.data, noise.size);
    test_wire_text(fd, "\r\n\r\n");
    if (test_wire_read(fd, &answer) == 1)
        assert_in_range(answer.code, 400, 599);
    close(fd);
    ask("GET", "/v1/enclaves", "", NOBODY);
    assert_int_equal(answer.code, 200);
}

static void connections_from_one_address_are_limited(void **state) {
    stop_server();
    start_server(&(struct cella_http_options){.connection_limit_per_address = 2, .thread_count = 1});
    int fds[2] = {test_wire_connect(bench.port), test_wire_connect(bench.port)};
    for (int i = 0; i < 2; i++) {
        test_wire_text(fds[i], "GET /v1/enclaves HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(test_wire_read(fds[i], &answer), 1);
    }
    int third = test_wire_connect(bench.port);
    test_wire_text(third, "GET /v1/enclaves HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(test_wire_read(third, &answer), 0);
    close(third);
    close(fds[0]);
    close(fds[1]);
}

static void bodies_that_are_received_at_one_time_are_limited(void **state) {
    stop_server();
    start_server(&(struct cella_http_options){.body_limit = 100000, .body_total_limit = 40000});
    struct cella_bytes body = test_pattern(50000, 1);
    ask("POST", MAIL, "", body);
    assert_refused(503, CELLA_HTTP_BUSY);
    ask("POST", MAIL, "", test_pattern(20000, 1));
    assert_int_equal(answer.code, 200);
}

static void replies_that_are_sent_at_one_time_are_limited(void **state) {
    static const size_t large = (size_t)16 << 20; /* more than the sockets take */
    stop_server();
    start_server(&(struct cella_http_options){.reply_total_limit = large + 5000});
    struct cella_bytes body = test_pattern(large, 1);
    char first;
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", large);
    test_wire_send(fd, body.data, body.size);
    assert_int_equal(recv(fd, &first, 1, MSG_PEEK), 1);
    /* It does not read on. A post that is refused stays. */
    cella_fake_post(cella_fake_newest(), route, test_pattern(5001, 2));
    ask("GET", MAIL, "", NOBODY);
    assert_refused(503, CELLA_LIMIT);
    ask("POST", MAIL, "", test_pattern(4096, 3));
    assert_int_equal(answer.code, 200);
    ask("POST", MAIL, "", test_pattern(5000, 3));
    assert_int_equal(answer.code, 200);
    close(fd);
    do
        ask("GET", MAIL, "", NOBODY);
    while (answer.code == 503);
    assert_int_equal(answer.body_size, 5001);
    ask("POST", MAIL, "", test_pattern(large + 5001, 3));
    assert_refused(503, CELLA_LIMIT);
}

static void the_attestation_is_cached_without_and_fresh_with_a_nonce(void **state) {
    static char first[65536];
    ask("GET", "/v1/enclaves/raw/attestation", "", NOBODY);
    assert_int_equal(answer.code, 200);
    size_t size = answer.body_size;
    memcpy(first, answer.body, size);
    ask("GET", "/v1/enclaves/raw/attestation", "", NOBODY);
    assert_int_equal(answer.body_size, size);
    assert_memory_equal(answer.body, first, size);
    ask("GET", "/v1/enclaves/raw/attestation?nonce=" ROUTE ROUTE, "", NOBODY);
    assert_int_equal(answer.code, 200);
    assert_int_equal(answer.body_size > size, 1);
}

static void a_poll_gets_a_post_until_it_is_confirmed(void **state) {
    char target[256], have[2 * CELLA_HOST_HAVE_SIZE + 1];
    uint8_t digest[CELLA_HOST_HAVE_SIZE];
    cella_fake_post(cella_fake_newest(), route, CELLA_BYTES("post", 4));
    ask("GET", MAIL, "", NOBODY);
    assert_string_equal(answer.body, "post");
    ask("GET", MAIL, "", NOBODY);
    assert_string_equal(answer.body, "post");
    cella_host_have(CELLA_BYTES("post", 4), digest);
    cella_hex_encode(digest, sizeof digest, have);
    snprintf(target, sizeof target, MAIL "&have=%s", have);
    ask("GET", target, "", NOBODY);
    assert_int_equal(answer.code, 204);
}

static void wait_for_polls(unsigned count) {
    struct cella_host_enclave_state now;
    do
        cella_host_enclave_state(bench.enclave, &now);
    while (now.polls != count);
}

static void a_long_poll_is_answered_by_the_post_that_comes(void **state) {
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "GET " MAIL "&wait_ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for_polls(1);
    /* Meanwhile the server serves others. */
    ask("POST", MAIL, "", CELLA_BYTES("other", 5));
    assert_int_equal(answer.code, 200);
    cella_fake_post(cella_fake_newest(), route, CELLA_BYTES("late", 4));
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_string_equal(answer.body, "late");
    close(fd);
}

static void a_long_poll_ends_by_itself(void **state) {
    ask("GET", MAIL "&wait_ms=1", "", NOBODY);
    assert_int_equal(answer.code, 204);
}

static void polls_beyond_the_limit_are_refused(void **state) {
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = test_wire_connect(bench.port);
        test_wire_text(fds[i],
                       "GET /v1/enclaves/raw/mail?wait_ms=60000&route=%030d0%d HTTP/1.1\r\nHost: x\r\n\r\n",
                       0, i + 1);
    }
    wait_for_polls(2);
    ask("GET", MAIL "&wait_ms=1", "", NOBODY);
    assert_refused(503, CELLA_LIMIT);
    close(fds[0]);
    close(fds[1]);
}

static void a_client_that_left_during_a_poll_does_no_harm(void **state) {
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "GET " MAIL "&wait_ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for_polls(1);
    close(fd);
    cella_fake_post(cella_fake_newest(), route, CELLA_BYTES("kept", 4));
    ask("GET", MAIL, "", NOBODY);
    assert_string_equal(answer.body, "kept");
}

static void the_operator_needs_the_token(void **state) {
    static const struct {
        const char *method, *target;
        const char *body;
    } calls[] = {{"GET", "/v1/status", ""},
                 {"GET", "/metrics", ""},
                 {"POST", "/v1/enclaves/raw/call", "x"},
                 {"POST", "/v1/enclaves", "x"},
                 {"DELETE", "/v1/enclaves/raw", ""}};
    static const char *const wrong[] = {
        "", "Authorization: Bearer 07\r\n",
        "Authorization: Bearer 0707070707070707070707070707070707070707070707070707070707070706\r\n"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (size_t j = 0; j < 3; j++) {
            ask(calls[i].method, calls[i].target, wrong[j],
                CELLA_BYTES(calls[i].body, strlen(calls[i].body)));
            assert_refused(401, CELLA_HTTP_TOKEN);
            assert_non_null(strstr(answer.head, "WWW-Authenticate: Bearer"));
        }
    ask("POST", MAIL, "", CELLA_BYTES("still", 5));
    assert_int_equal(answer.code, 200);
}

static void the_operator_calls_an_enclave(void **state) {
    ask("POST", "/v1/enclaves/raw/call", TOKEN, CELLA_BYTES("question", 8));
    assert_int_equal(answer.code, 200);
    assert_memory_equal(answer.body, "question", 8);
}

static void the_operator_starts_and_stops_enclaves(void **state) {
    char body[512];
    int size = snprintf(body, sizeof body, "{\"name\":\"two\",\"image\":\"/raw\",\"machine\":\"%s\"}",
                        bench.machine);
    ask("POST", "/v1/enclaves", TOKEN, CELLA_BYTES(body, (size_t)size));
    assert_int_equal(answer.code, 204);
    ask("POST", "/v1/enclaves", TOKEN, CELLA_BYTES(body, (size_t)size));
    assert_refused(409, CELLA_EXISTS);
    ask("POST", "/v1/enclaves/two/mail?route=" ROUTE, "", CELLA_BYTES("hello", 5));
    assert_int_equal(answer.code, 200);
    ask("DELETE", "/v1/enclaves/two", TOKEN, NOBODY);
    assert_int_equal(answer.code, 204);
    ask("POST", "/v1/enclaves/two/mail?route=" ROUTE, "", CELLA_BYTES("hello", 5));
    assert_refused(503, CELLA_NOT_RUNNING);
    size = snprintf(body, sizeof body, "{\"name\":\"bad\",\"image\":\"/broken\",\"machine\":\"%s\"}",
                    bench.machine);
    ask("POST", "/v1/enclaves", TOKEN, CELLA_BYTES(body, (size_t)size));
    assert_refused(500, CELLA_KEEPER);
}

static int begin_start(const char *name, const char *image) {
    char body[512];
    int size = snprintf(body, sizeof body, "{\"name\":\"%s\",\"image\":\"/%s\",\"machine\":\"%s\"}", name,
                        image, bench.machine);
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST /v1/enclaves HTTP/1.1\r\nHost: x\r\n" TOKEN "Content-Length: %d\r\n\r\n%s", size,
                   body);
    return fd;
}

static void a_start_that_hangs_holds_up_no_operation_and_can_be_stopped(void **state) {
    int hung = begin_start("hung", "mute");
    while (cella_fake_alive() < 2)
        continue;
    int other = begin_start("two", "raw");
    assert_int_equal(test_wire_read(other, &answer), 1);
    assert_int_equal(answer.code, 204);
    close(other);
    int again = begin_start("hung", "raw");
    assert_int_equal(test_wire_read(again, &answer), 1);
    assert_refused(409, CELLA_EXISTS);
    close(again);
    ask("DELETE", "/v1/enclaves/hung", TOKEN, NOBODY);
    assert_int_equal(answer.code, 204);
    assert_int_equal(test_wire_read(hung, &answer), 1);
    assert_refused(503, CELLA_INTERRUPTED);
    close(hung);
}

static void the_end_comes_although_a_start_hangs(void **state) {
    int hung = begin_start("hung", "mute");
    while (cella_fake_alive() < 2)
        continue;
    stop_server();
    assert_int_equal(cella_fake_alive(), 0);
    close(hung);
}

static void status_names_every_weak_choice_and_the_reason_of_an_end(void **state) {
    ask("GET", "/v1/status", TOKEN, NOBODY);
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(answer.body, "SIMULATED machine (INSECURE)"));
    assert_non_null(strstr(answer.body, "no vault"));
    /* The false instance was granted nothing. */
    assert_non_null(strstr(answer.body, "no namespaces: only the system call filter confines it"));
    cella_fake_crash(cella_fake_newest(), "it \"broke\"");
    ask("GET", "/v1/status", TOKEN, NOBODY);
    json_t *object = json_loadb(answer.body, answer.body_size, 0, NULL);
    json_t *enclave = json_array_get(json_object_get(object, "enclaves"), 0);
    assert_string_equal(json_string_value(json_object_get(enclave, "phase")), "ended");
    assert_string_equal(json_string_value(json_object_get(enclave, "end_status")), "CRASHED");
    assert_string_equal(json_string_value(json_object_get(enclave, "end_reason")), "it \"broke\"");
    json_decref(object);
    ask("GET", "/v1/enclaves", "", NOBODY);
    assert_null(strstr(answer.body, "process"));
}

/* Every line is a comment or "name{labels} number", every family has its type before its samples. */
static void metrics_have_the_prometheus_form(void **state) {
    ask("POST", MAIL, "", CELLA_BYTES("x", 1));
    ask("POST", MAIL, "", CELLA_BYTES("fail", 4));
    ask("GET", "/metrics", TOKEN, NOBODY);
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(answer.head, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer.body, "cella_mail_answers_total{enclave=\"raw\",status=\"OK\"} 1\n"));
    assert_non_null(
        strstr(answer.body, "cella_mail_answers_total{enclave=\"raw\",status=\"HANDLER_FAILED\"} 1\n"));
    assert_non_null(strstr(answer.body, "cella_mail_duration_seconds_count{enclave=\"raw\"} 2\n"));
    char *save = NULL, type[128] = "";
    for (char *line = strtok_r(answer.body, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            snprintf(type, sizeof type, "%s", line + 7);
            type[strcspn(type, " ")] = '\0';
        }
        if (line[0] == '#')
            continue;
        assert_memory_equal(line, type, strlen(type));
        char *value = strrchr(line, ' ');
        assert_non_null(value);
        char *end = NULL;
        strtod(value + 1, &end);
        assert_true(end != value + 1 && *end == '\0');
    }
}

static void a_crash_answers_what_is_open_and_refuses_what_follows(void **state) {
    int fd = test_wire_connect(bench.port);
    test_wire_text(fd, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsilent");
    while (atomic_load(&bench.enclave->mails) == 0)
        continue;
    cella_fake_crash(cella_fake_newest(), "gone");
    assert_int_equal(test_wire_read(fd, &answer), 1);
    assert_refused(503, CELLA_CLOSED);
    close(fd);
    ask("POST", MAIL, "", CELLA_BYTES("x", 1));
    assert_int_equal(answer.code, 503);
}

static void *stop_thread(void *argument) {
    stop_server();
    return NULL;
}

static void the_end_answers_open_polls_and_mail(void **state) {
    pthread_t thread;
    int poll = test_wire_connect(bench.port), mail = test_wire_connect(bench.port);
    test_wire_text(poll, "GET " MAIL "&wait_ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    test_wire_text(mail, "POST " MAIL " HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsilent");
    wait_for_polls(1);
    while (atomic_load(&bench.enclave->mails) == 0)
        continue;
    assert_int_equal(pthread_create(&thread, NULL, stop_thread, NULL), 0);
    pthread_join(thread, NULL);
    /* Whatever was answered before the connection closed is an error of its own kind; nothing hangs. */
    if (test_wire_read(mail, &answer) == 1)
        assert_refused(503, CELLA_CLOSED);
    if (test_wire_read(poll, &answer) == 1)
        assert_refused(503, CELLA_CLOSED);
    close(poll);
    close(mail);
}

static void a_port_that_is_in_use_is_refused(void **state) {
    struct cella_http_options options = {.thread_count = 1};
    struct cella_http *second = NULL;
    struct cella_error error = {.status = CELLA_OK};
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", bench.port);
    assert_status(cella_http_listen_parse(text, &options.listen, NULL), CELLA_OK);
    assert_status(cella_http_new(bench.host, &options, &second, &error), CELLA_HTTP_LISTEN);
    assert_status(cella_host_stop(bench.enclave, 0), CELLA_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(mail_is_answered_by_the_reply),
        TEST(mail_of_every_size_around_the_inline_buffer_comes_back),
        TEST(no_reply_is_204),
        TEST(a_refusal_of_the_handler_is_named),
        TEST(malformed_requests_are_refused_by_name),
        TEST(an_oversized_body_is_refused_with_a_declared_and_with_an_unknown_length),
        TEST(a_chunked_body_is_taken),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_client_that_sends_byte_by_byte_is_served),
        TEST(a_request_that_stops_in_the_middle_changes_nothing),
        TEST(a_head_that_is_too_large_is_refused),
        TEST(bytes_that_are_no_http_are_refused),
        TEST(connections_from_one_address_are_limited),
        TEST(bodies_that_are_received_at_one_time_are_limited),
        TEST(replies_that_are_sent_at_one_time_are_limited),
        TEST(the_attestation_is_cached_without_and_fresh_with_a_nonce),
        TEST(a_poll_gets_a_post_until_it_is_confirmed),
        TEST(a_long_poll_is_answered_by_the_post_that_comes),
        TEST(a_long_poll_ends_by_itself),
        TEST(polls_beyond_the_limit_are_refused),
        TEST(a_client_that_left_during_a_poll_does_no_harm),
        TEST(the_operator_needs_the_token),
        TEST(the_operator_calls_an_enclave),
        TEST(the_operator_starts_and_stops_enclaves),
        TEST(a_start_that_hangs_holds_up_no_operation_and_can_be_stopped),
        TEST(the_end_comes_although_a_start_hangs),
        TEST(status_names_every_weak_choice_and_the_reason_of_an_end),
        TEST(metrics_have_the_prometheus_form),
        TEST(a_crash_answers_what_is_open_and_refuses_what_follows),
        TEST(the_end_answers_open_polls_and_mail),
        TEST(a_port_that_is_in_use_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up_machine, test_folder_teardown);
}
