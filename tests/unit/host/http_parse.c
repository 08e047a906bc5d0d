/* The parsers of the HTTP interface: what is accepted, and what is refused by which status. */
#include "support/test.h"
#include "host/http_parse.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define HEX32 "000102030405060708090a0b0c0d0e0f"
#define HEX64 HEX32 HEX32

static enum cella_status parse(const char *text, enum cella_http_method method,
                               struct cella_http_target *ret_target) {
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status = cella_http_target_parse(text, ret_target, &error);
    if (status == CELLA_OK)
        status = cella_http_target_check(ret_target, method, &error);
    if (status != CELLA_OK)
        assert_true(error.message[0] != '\0' && error.status == status);
    return status;
}

static const struct accepted {
    enum cella_http_method method;
    const char *target;
    enum cella_http_resource resource;
    bool operators;
} accepted[] = {
    {CELLA_HTTP_GET, "/v1/enclaves", CELLA_HTTP_ENCLAVES, false},
    {CELLA_HTTP_POST, "/v1/enclaves", CELLA_HTTP_ENCLAVES, true},
    {CELLA_HTTP_DELETE, "/v1/enclaves/a", CELLA_HTTP_ENCLAVE, true},
    {CELLA_HTTP_GET, "/v1/enclaves/a-b_C9/attestation", CELLA_HTTP_ATTESTATION, false},
    {CELLA_HTTP_GET, "/v1/enclaves/a/attestation?nonce=" HEX64, CELLA_HTTP_ATTESTATION, false},
    {CELLA_HTTP_POST, "/v1/enclaves/a/mail?route=" HEX32, CELLA_HTTP_MAIL, false},
    {CELLA_HTTP_GET, "/v1/enclaves/a/mail?route=" HEX32, CELLA_HTTP_MAIL, false},
    {CELLA_HTTP_GET, "/v1/enclaves/a/mail?wait_ms=60000&have=" HEX32 "&route=" HEX32, CELLA_HTTP_MAIL, false},
    {CELLA_HTTP_POST, "/v1/enclaves/a/call", CELLA_HTTP_CALL, true},
    {CELLA_HTTP_GET, "/v1/status", CELLA_HTTP_STATUS, true},
    {CELLA_HTTP_GET, "/metrics", CELLA_HTTP_METRICS, true},
};

static void every_documented_request_is_accepted(void **state) {
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        struct cella_http_target target;
        assert_status(parse(accepted[i].target, accepted[i].method, &target), CELLA_OK);
        assert_int_equal(target.resource, accepted[i].resource);
        assert_int_equal(cella_http_is_operator(&target, accepted[i].method), accepted[i].operators);
    }
}

static const struct refused {
    enum cella_http_method method;
    enum cella_status status;
    const char *target;
} refused[] = {
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, ""},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "/"},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "/v1"},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "/v2/enclaves"},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "/v1/enclaves/a/secrets"},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "/v1/enclaves/a/mail/"},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "/v1/enclaves/a/"},
    {CELLA_HTTP_GET, CELLA_HTTP_ROUTE, "//v1/status"},
    {CELLA_HTTP_GET, CELLA_HOST_NAME, "/v1/enclaves/"},
    {CELLA_HTTP_GET, CELLA_HOST_NAME, "/v1/enclaves//mail"},
    {CELLA_HTTP_GET, CELLA_HOST_NAME, "/v1/enclaves/-a/mail"},
    {CELLA_HTTP_GET, CELLA_HOST_NAME, "/v1/enclaves/../mail"},
    {CELLA_HTTP_GET, CELLA_HOST_NAME, "/v1/enclaves/a%2e/mail"},
    {CELLA_HTTP_GET, CELLA_HOST_NAME, "/v1/enclaves/" HEX64 "f/mail"},
    {CELLA_HTTP_OTHER, CELLA_HTTP_METHOD, "/v1/enclaves"},
    {CELLA_HTTP_DELETE, CELLA_HTTP_METHOD, "/v1/enclaves"},
    {CELLA_HTTP_GET, CELLA_HTTP_METHOD, "/v1/enclaves/a"},
    {CELLA_HTTP_GET, CELLA_HTTP_METHOD, "/v1/enclaves/a/call"},
    {CELLA_HTTP_POST, CELLA_HTTP_METHOD, "/v1/enclaves/a/attestation"},
    {CELLA_HTTP_POST, CELLA_HTTP_METHOD, "/metrics"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves?"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves?x=1"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves?nonce=" HEX64},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/attestation?nonce=" HEX32},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/attestation?nonce=" HEX64 "&nonce=" HEX64},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/attestation?nonce"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/attestation?nonce=" HEX64 "&"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/attestation?=" HEX64},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail"},
    {CELLA_HTTP_POST, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail"},
    {CELLA_HTTP_POST, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "&wait_ms=1"},
    {CELLA_HTTP_POST, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "&have=" HEX32},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=0g0102030405060708090a0b0c0d0e0f"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=%30" HEX32},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "&wait_ms="},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "&wait_ms=-1"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "&wait_ms=60001"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "&wait_ms=1&wait_ms=1"},
    {CELLA_HTTP_GET, CELLA_HTTP_QUERY, "/v1/enclaves/a/mail?route=" HEX32 "#x"},
};

static void every_malformed_request_has_its_status(void **state) {
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct cella_http_target target = {.resource = CELLA_HTTP_ENCLAVES};
        enum cella_status got = parse(refused[i].target, refused[i].method, &target);
        if (got != refused[i].status)
            print_error("target \"%s\"\n", refused[i].target);
        assert_status(got, refused[i].status);
    }
}

static void a_long_target_is_refused(void **state) {
    char text[CELLA_HTTP_TARGET_LIMIT + 2];
    struct cella_http_target target;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_status(cella_http_target_parse(text, &target, NULL), CELLA_HTTP_ROUTE);
}

static void parameters_are_decoded(void **state) {
    struct cella_http_target target;
    assert_status(parse("/v1/enclaves/x/mail?have=" HEX32 "&route=ff"
                        "0102030405060708090a0b0c0d0e0F&wait_ms=007",
                        CELLA_HTTP_GET, &target),
                  CELLA_OK);
    assert_string_equal(target.name, "x");
    assert_int_equal(target.route[0], 0xff);
    assert_int_equal(target.route[15], 0x0f);
    assert_int_equal(target.have[1], 1);
    assert_int_equal(target.wait_ms, 7);
}

/* formats/http.md */
static void the_worked_example_asks_for_the_next_post(void **state) {
    struct cella_http_target target;
    uint8_t have[CELLA_HOST_HAVE_SIZE];
    assert_status(parse("/v1/enclaves/echo/mail?route=000102030405060708090a0b0c0d0e0f"
                        "&have=72231043bc1807e6f740b235eb7511ec&wait_ms=30000",
                        CELLA_HTTP_GET, &target),
                  CELLA_OK);
    cella_host_have(CELLA_BYTES("post", 4), have);
    assert_memory_equal(target.have, have, sizeof have);
    assert_int_equal(target.wait_ms, 30000);
}

static void a_token_is_accepted_only_whole_and_exact(void **state) {
    uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    memcpy(token, test_hex(HEX64).data, sizeof token);
    assert_true(cella_http_token_check("Bearer " HEX64, token));
    assert_true(cella_http_token_check("bearer " HEX64, token));
    const char *wrong[] = {NULL,
                           "",
                           "Bearer",
                           "Bearer ",
                           HEX64,
                           "Basic " HEX64,
                           "Bearer " HEX32,
                           "Bearer " HEX64 "0",
                           "Bearer  " HEX64,
                           "Bearer 1" HEX32 HEX32};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(cella_http_token_check(wrong[i], token));
    token[31] ^= 1;
    assert_false(cella_http_token_check("Bearer " HEX64, token));
}

static enum cella_status parse_start(const char *body) {
    struct cella_http_start start;
    struct cella_bytes bytes = test_copy(CELLA_BYTES(body, strlen(body)));
    return cella_http_start_parse(bytes, &start, NULL);
}

static void a_start_takes_exactly_its_three_members(void **state) {
    assert_status(parse_start("{\"name\":\"a\",\"image\":\"/i\",\"machine\":\"/m\"}"), CELLA_OK);
    assert_status(parse_start(""), CELLA_HTTP_BODY);
    assert_status(parse_start("[]"), CELLA_HTTP_BODY);
    assert_status(parse_start("{"), CELLA_HTTP_BODY);
    assert_status(parse_start("{\"name\":\"a\",\"image\":\"/i\"}"), CELLA_HTTP_BODY);
    assert_status(parse_start("{\"name\":\"a\",\"image\":\"/i\",\"machine\":\"/m\",\"x\":1}"),
                  CELLA_HTTP_BODY);
    assert_status(parse_start("{\"name\":\"a\",\"name\":\"b\",\"image\":\"/i\",\"machine\":\"/m\"}"),
                  CELLA_HTTP_BODY);
    assert_status(parse_start("{\"name\":1,\"image\":\"/i\",\"machine\":\"/m\"}"), CELLA_HTTP_BODY);
    assert_status(parse_start("{\"name\":\"a b\",\"image\":\"/i\",\"machine\":\"/m\"}"), CELLA_HOST_NAME);
    assert_status(parse_start("{\"name\":\"a\",\"image\":\"i\",\"machine\":\"/m\"}"), CELLA_HTTP_BODY);
    assert_status(parse_start("{\"name\":\"a\",\"image\":\"/i\",\"machine\":\"/m\"} "), CELLA_OK);
    assert_status(parse_start("{\"name\":\"a\",\"image\":\"/i\",\"machine\":\"/m\"}x"), CELLA_HTTP_BODY);
}

static void a_start_is_bounded(void **state) {
    static char body[CELLA_HTTP_START_LIMIT + 100];
    memset(body, ' ', sizeof body - 1);
    assert_status(parse_start(body), CELLA_HTTP_BODY);
    char long_path[CELLA_HTTP_PATH_LIMIT + 1];
    memset(long_path, 'i', CELLA_HTTP_PATH_LIMIT);
    long_path[CELLA_HTTP_PATH_LIMIT] = '\0';
    snprintf(body, sizeof body, "{\"name\":\"a\",\"machine\":\"/m\",\"image\":\"/%s\"}", long_path);
    assert_status(parse_start(body), CELLA_HTTP_BODY);
}

static void an_address_to_listen_on_is_numbers(void **state) {
    struct sockaddr_storage address;
    assert_status(cella_http_listen_parse("127.0.0.1:7700", &address, NULL), CELLA_OK);
    assert_int_equal(address.ss_family, AF_INET);
    assert_int_equal(ntohs(((struct sockaddr_in *)&address)->sin_port), 7700);
    assert_status(cella_http_listen_parse("[::1]:0", &address, NULL), CELLA_OK);
    assert_int_equal(address.ss_family, AF_INET6);
    const char *wrong[] = {"",
                           ":",
                           "7700",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "localhost:1",
                           "::1:80",
                           "[::1]",
                           "[::1:80",
                           "127.0.0.1:80x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_status(cella_http_listen_parse(wrong[i], &address, NULL), CELLA_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_request_is_accepted),
        cmocka_unit_test(every_malformed_request_has_its_status),
        cmocka_unit_test(a_long_target_is_refused),
        cmocka_unit_test(parameters_are_decoded),
        cmocka_unit_test(the_worked_example_asks_for_the_next_post),
        cmocka_unit_test(a_token_is_accepted_only_whole_and_exact),
        cmocka_unit_test(a_start_takes_exactly_its_three_members),
        cmocka_unit_test(a_start_is_bounded),
        cmocka_unit_test(an_address_to_listen_on_is_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
