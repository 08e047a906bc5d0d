/* The HTTP transport: URLs, what answers mean, and a whole exchange over TLS and without. */
#include "support/test.h"
#include "support/fake_instance.h"
#include "base/file.h"
#include "client/http.h"
#include "host/host_internal.h"
#include "host/http.h"
#include "machine/sim/manage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void only_urls_of_a_host_are_taken(void **state) {
    static const char *const good[] = {"http://host", "http://host/", "https://host:7700",
                                       "http://127.0.0.1:1", "https://[::1]:7700"};
    static const char *const wrong[] = {"",
                                        "host",
                                        "ftp://host",
                                        "file:///etc/passwd",
                                        "http://host/path",
                                        "http://host/?q=1",
                                        "http://host/#f",
                                        "http://user@host",
                                        "http://user:pass@host",
                                        "http://ho st",
                                        "http://host:99999"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_status(cella_client_http_url_check(good[i], NULL), CELLA_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_status(cella_client_http_url_check(wrong[i], NULL), CELLA_CLIENT_URL);
}

static enum cella_status judge(long code, const char *body, struct cella_error *error) {
    return cella_client_http_judge(code, test_copy(CELLA_BYTES(body, strlen(body))), error);
}

static void an_answer_is_what_its_status_word_says(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    assert_status(judge(200, "", NULL), CELLA_OK);
    assert_status(judge(204, "", NULL), CELLA_OK);
    assert_status(judge(503, "{\"status\":\"HTTP_BUSY\",\"message\":\"later\"}", &error), CELLA_HTTP_BUSY);
    assert_string_equal(error.message, "later");
    assert_status(judge(503, "{\"status\":\"HTTP_BUSY\"}", NULL), CELLA_HTTP_BUSY);
}

static void what_the_host_says_cannot_control_a_terminal(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    assert_status(
        judge(503, "{\"status\":\"HTTP_BUSY\",\"message\":\"a\\u001b[2J\\u009bb\\r\\nc\\u202ed\"}", &error),
        CELLA_HTTP_BUSY);
    assert_string_equal(error.message, "a?[2J??b??c???d");
    /* The message is cut in the middle of a character. */
    char body[1024] = "{\"status\":\"HTTP_BUSY\",\"message\":\"";
    size_t size = strlen(body);
    for (; size < 900; size += 2)
        memcpy(body + size, "\xc3\xb6", 3);
    memcpy(body + size, "\"}", 3);
    assert_status(judge(503, body, &error), CELLA_HTTP_BUSY);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_int_equal(error.message[sizeof error.message - 2], '?');
    assert_int_equal(error.message[sizeof error.message - 3], '\xb6');
}

static void an_answer_of_something_else_is_no_answer(void **state) {
    static const char *const wrong[] = {"",
                                        "<html>",
                                        "[]",
                                        "{}",
                                        "{\"status\":1}",
                                        "{\"status\":\"OK\"}",
                                        "{\"status\":\"NO_SUCH_WORD\"}",
                                        "{\"status\":\"LIMIT\",\"status\":\"LIMIT\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_status(judge(500, wrong[i], NULL), CELLA_HTTP_ANSWER);
    assert_status(judge(301, "", NULL), CELLA_HTTP_ANSWER);
}

struct bench {
    struct test_folder *folder;
    struct cella_host *host;
    struct cella_http *http;
    char certificate[128], key[128], url[64];
};

static void write_text(const char *path, const char *vector, enum cella_file_mode mode) {
    const char *text = test_vector_text(vector);
    assert_status(cella_file_write(path, CELLA_BYTES(text, strlen(text)), mode, NULL), CELLA_OK);
}

static void start(struct bench *bench, bool tls) {
    char machine[128];
    struct cella_error error = {.status = CELLA_OK};
    struct cella_http_options options = {.thread_count = 1};
    snprintf(machine, sizeof machine, "%s/machine", bench->folder->path);
    snprintf(bench->certificate, sizeof bench->certificate, "%s/cert.pem", bench->folder->path);
    snprintf(bench->key, sizeof bench->key, "%s/key.pem", bench->folder->path);
    struct cella_sim_create_options create = {.folder = machine, .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&create, NULL), CELLA_OK);
    assert_status(cella_host_new(NULL, &bench->host, &error), CELLA_OK);
    assert_status(cella_host_start(bench->host, "raw", "raw", machine, NULL, &error), CELLA_OK);
    write_text(bench->certificate, "tls/certificate.pem", CELLA_FILE_PUBLIC);
    write_text(bench->key, "tls/key.pem", CELLA_FILE_PRIVATE);
    options.certificate_path = tls ? bench->certificate : NULL;
    options.key_path = tls ? bench->key : NULL;
    assert_status(cella_http_listen_parse("127.0.0.1:0", &options.listen, NULL), CELLA_OK);
    assert_status(cella_http_new(bench->host, &options, &bench->http, &error), CELLA_OK);
    snprintf(bench->url, sizeof bench->url, "%s://localhost:%u", tls ? "https" : "http",
             cella_http_port(bench->http));
}

static void stop(struct bench *bench) {
    cella_http_free(bench->http);
    cella_host_free(bench->host);
}

static enum cella_status send_one(const struct bench *bench, const char *ca_path, struct cella_error *error) {
    struct cella_client_http *http = NULL;
    struct cella_client_http_options options = {
        .url = bench->url, .enclave = "raw", .ca_path = ca_path, .timeout_ms = 20000, .mail_limit = 1 << 20};
    static const uint8_t route[CELLA_CLIENT_ROUTE_SIZE] = {1};
    struct cella_bytes body = test_pattern(100000, 3);
    uint8_t *reply = NULL;
    size_t size = 0;
    assert_status(cella_client_http_new(&options, &http, NULL), CELLA_OK);
    struct cella_client_transport transport = cella_client_http_transport(http);
    enum cella_status status = transport.mail(transport.context, route, body, &reply, &size, error);
    if (status == CELLA_OK)
        assert_bytes(CELLA_BYTES(reply, size), body);
    free(reply);
    cella_client_http_free(http);
    return status;
}

static void mail_goes_over_http(void **state) {
    struct bench bench = {.folder = *state};
    start(&bench, false);
    assert_status(send_one(&bench, NULL, NULL), CELLA_OK);
    stop(&bench);
    assert_status(send_one(&bench, NULL, NULL), CELLA_HOST_UNREACHABLE);
}

static void mail_goes_over_tls_to_the_right_host_only(void **state) {
    struct bench bench = {.folder = *state};
    start(&bench, true);
    assert_status(send_one(&bench, bench.certificate, NULL), CELLA_OK);
    assert_status(send_one(&bench, NULL, NULL), CELLA_CLIENT_TLS);
    stop(&bench);
}

static void tls_needs_a_certificate_and_a_private_key_that_fit(void **state) {
    struct bench bench = {.folder = *state};
    struct cella_http *second = NULL;
    struct cella_error error = {.status = CELLA_OK};
    start(&bench, false);
    struct cella_http_options options = {.thread_count = 1, .certificate_path = bench.certificate};
    assert_status(cella_http_listen_parse("127.0.0.1:0", &options.listen, NULL), CELLA_OK);
    assert_status(cella_http_new(bench.host, &options, &second, &error), CELLA_HTTP_TLS);
    stop(&bench);
    assert_status(cella_host_new(NULL, &bench.host, &error), CELLA_OK);
    options.key_path = bench.certificate;
    assert_status(cella_http_new(bench.host, &options, &second, &error), CELLA_PERMISSION);
    chmod(bench.certificate, 0600);
    assert_status(cella_http_new(bench.host, &options, &second, &error), CELLA_HTTP_TLS);
    options.key_path = "/no/key.pem";
    assert_status(cella_http_new(bench.host, &options, &second, &error), CELLA_NOT_FOUND);
    cella_host_free(bench.host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_folder_setup, test_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_urls_of_a_host_are_taken),
        cmocka_unit_test(an_answer_is_what_its_status_word_says),
        cmocka_unit_test(what_the_host_says_cannot_control_a_terminal),
        cmocka_unit_test(an_answer_of_something_else_is_no_answer),
        TEST(mail_goes_over_http),
        TEST(mail_goes_over_tls_to_the_right_host_only),
        TEST(tls_needs_a_certificate_and_a_private_key_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
