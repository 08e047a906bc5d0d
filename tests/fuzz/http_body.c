/* Everything of the HTTP interface that takes apart a stranger's bytes: targets, tokens, bodies, answers, a
 * client's state. The first byte chooses which. */
#include "base/error.h"
#include "client/http.h"
#include "client/state.h"
#include "host/http_parse.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_target(const char *text) {
    struct cella_http_target target;
    struct cella_error error = {.status = CELLA_OK};
    if (cella_http_target_parse(text, &target, &error) != CELLA_OK) {
        CELLA_ASSERT(error.status != CELLA_OK && error.message[0] != '\0');
        return;
    }
    CELLA_ASSERT(target.name[0] == '\0' || cella_host_name_valid(target.name));
    CELLA_ASSERT(target.wait_ms <= CELLA_HTTP_WAIT_LIMIT_MS);
    for (enum cella_http_method method = CELLA_HTTP_GET; method <= CELLA_HTTP_OTHER; method++) {
        enum cella_status status = cella_http_target_check(&target, method, &error);
        CELLA_ASSERT(status == CELLA_OK || status == CELLA_HTTP_METHOD || status == CELLA_HTTP_QUERY);
        (void)cella_http_is_operator(&target, method);
    }
}

static void parse_start(struct cella_bytes body) {
    struct cella_http_start start;
    if (cella_http_start_parse(body, &start, NULL) == CELLA_OK)
        CELLA_ASSERT(cella_host_name_valid(start.name) && start.image[0] == '/' && start.machine[0] == '/');
}

static void parse_state(struct cella_bytes bytes) {
    struct cella_client_state state;
    uint8_t *data = NULL;
    size_t size = 0;
    if (cella_client_state_parse(bytes, &state, NULL) != CELLA_OK)
        return;
    CELLA_ASSERT(cella_client_state_write(&state, &data, &size) == CELLA_OK);
    CELLA_ASSERT(size == bytes.size && memcmp(data, bytes.data, size) == 0);
    free(data);
    cella_client_state_deinit(&state);
}

static void parse_text(uint8_t choice, const char *text) {
    static const uint8_t token[CELLA_HTTP_TOKEN_SIZE] = {1};
    struct sockaddr_storage address;
    if (choice == 0)
        parse_target(text);
    else if (choice == 1)
        (void)cella_http_token_check(text, token);
    else if (choice == 2)
        (void)cella_http_listen_parse(text, &address, NULL);
    else
        (void)cella_client_http_url_check(text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    uint8_t choice = data[0] % 7;
    struct cella_bytes rest = CELLA_BYTES(data + 1, size - 1);
    if (choice == 4) {
        parse_start(rest);
    } else if (choice == 5) {
        (void)cella_client_http_judge(500, rest, NULL);
    } else if (choice == 6) {
        parse_state(rest);
    } else {
        char *text = strndup((const char *)rest.data, rest.size);
        if (text != NULL)
            parse_text(choice, text);
        free(text);
    }
    return 0;
}
