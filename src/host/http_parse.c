/* Parsers of the HTTP interface. Must not: guess what a malformed request may have meant. */
#include "host/http_parse.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/secret.h"
#include "host/host_internal.h"
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *at;
    size_t size;
};

static bool text_is(struct text text, const char *word) {
    return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

/* The part before `mark`, or all of it; `rest` becomes what follows the mark (NULL if there is none). */
static struct text take_until(struct text *rest, char mark) {
    const char *end = rest->size == 0 ? NULL : memchr(rest->at, mark, rest->size);
    struct text part = {.at = rest->at, .size = end == NULL ? rest->size : (size_t)(end - rest->at)};
    *rest = end == NULL ? (struct text){.at = NULL, .size = 0}
                        : (struct text){.at = end + 1, .size = rest->size - part.size - 1};
    return part;
}

static enum cella_status parse_hex(struct text key, struct text value, uint8_t *out, size_t size, bool *has,
                                   struct cella_error *error) {
    if (*has)
        return cella_fail(error, CELLA_HTTP_QUERY, "the parameter %.*s is given twice", (int)key.size,
                          key.at);
    if (cella_hex_decode(value.at, value.size, out, size) != CELLA_OK)
        return cella_fail(error, CELLA_HTTP_QUERY, "the parameter %.*s is not %zu hex digits", (int)key.size,
                          key.at, 2 * size);
    *has = true;
    return CELLA_OK;
}

static enum cella_status parse_wait(struct text value, struct cella_http_target *target,
                                    struct cella_error *error) {
    unsigned number = 0;
    if (target->has_wait)
        return cella_fail(error, CELLA_HTTP_QUERY, "the parameter wait_ms is given twice");
    if (value.size < 1 || value.size > 5)
        return cella_fail(error, CELLA_HTTP_QUERY, "wait_ms is not a number from 0 to %d",
                          CELLA_HTTP_WAIT_LIMIT_MS);
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return cella_fail(error, CELLA_HTTP_QUERY, "wait_ms is not a number");
        number = number * 10 + (unsigned)(value.at[i] - '0');
    }
    if (number > CELLA_HTTP_WAIT_LIMIT_MS)
        return cella_fail(error, CELLA_HTTP_QUERY, "wait_ms is %u, at most %d is allowed", number,
                          CELLA_HTTP_WAIT_LIMIT_MS);
    target->has_wait = true;
    target->wait_ms = number;
    return CELLA_OK;
}

static enum cella_status parse_parameter(struct text key, struct text value, struct cella_http_target *target,
                                         struct cella_error *error) {
    if (text_is(key, "nonce"))
        return parse_hex(key, value, target->nonce, sizeof target->nonce, &target->has_nonce, error);
    if (text_is(key, "route"))
        return parse_hex(key, value, target->route, sizeof target->route, &target->has_route, error);
    if (text_is(key, "have"))
        return parse_hex(key, value, target->have, sizeof target->have, &target->has_have, error);
    if (text_is(key, "wait_ms"))
        return parse_wait(value, target, error);
    return cella_fail(error, CELLA_HTTP_QUERY, "there is no parameter of this name");
}

static enum cella_status parse_query(struct text query, struct cella_http_target *target,
                                     struct cella_error *error) {
    while (query.at != NULL) {
        struct text value = take_until(&query, '&');
        struct text key = take_until(&value, '=');
        if (key.size == 0 || value.at == NULL)
            return cella_fail(error, CELLA_HTTP_QUERY, "the query has a part that is not NAME=VALUE");
        enum cella_status status = parse_parameter(key, value, target, error);
        if (status != CELLA_OK)
            return status;
    }
    return CELLA_OK;
}

static enum cella_status parse_enclave_path(struct text path, struct cella_http_target *target,
                                            struct cella_error *error) {
    struct text name = take_until(&path, '/');
    if (name.size > CELLA_HOST_NAME_LIMIT)
        return cella_fail(error, CELLA_HOST_NAME, "the name has %zu characters, at most %d are allowed",
                          name.size, CELLA_HOST_NAME_LIMIT);
    memcpy(target->name, name.at, name.size);
    target->name[name.size] = '\0';
    if (!cella_host_name_valid(target->name))
        return cella_fail(error, CELLA_HOST_NAME, "the address has a name that no enclave can have");
    if (path.at == NULL)
        target->resource = CELLA_HTTP_ENCLAVE;
    else if (text_is(path, "attestation"))
        target->resource = CELLA_HTTP_ATTESTATION;
    else if (text_is(path, "mail"))
        target->resource = CELLA_HTTP_MAIL;
    else if (text_is(path, "call"))
        target->resource = CELLA_HTTP_CALL;
    else
        return cella_fail(error, CELLA_HTTP_ROUTE, "an enclave has attestation, mail and call, nothing else");
    return CELLA_OK;
}

static enum cella_status parse_path(struct text path, struct cella_http_target *target,
                                    struct cella_error *error) {
    static const char prefix[] = "/v1/enclaves/";
    if (text_is(path, "/v1/enclaves"))
        target->resource = CELLA_HTTP_ENCLAVES;
    else if (text_is(path, "/v1/status"))
        target->resource = CELLA_HTTP_STATUS;
    else if (text_is(path, "/metrics"))
        target->resource = CELLA_HTTP_METRICS;
    else if (path.size >= sizeof prefix - 1 && memcmp(path.at, prefix, sizeof prefix - 1) == 0)
        return parse_enclave_path(
            (struct text){.at = path.at + sizeof prefix - 1, .size = path.size - (sizeof prefix - 1)}, target,
            error);
    else
        return cella_fail(error, CELLA_HTTP_ROUTE, "there is nothing at this address");
    return CELLA_OK;
}

enum cella_status cella_http_target_parse(const char *text, struct cella_http_target *ret_target,
                                          struct cella_error *error) {
    struct text rest = {.at = text, .size = strnlen(text, CELLA_HTTP_TARGET_LIMIT + 1)};
    if (rest.size > CELLA_HTTP_TARGET_LIMIT)
        return cella_fail(error, CELLA_HTTP_ROUTE, "the address is longer than %d characters",
                          CELLA_HTTP_TARGET_LIMIT);
    struct cella_http_target target = {.resource = CELLA_HTTP_ENCLAVES};
    struct text path = take_until(&rest, '?');
    enum cella_status status = parse_path(path, &target, error);
    if (status == CELLA_OK)
        status = parse_query(rest, &target, error);
    if (status == CELLA_OK)
        *ret_target = target;
    return status;
}

enum cella_http_method cella_http_method_parse(const char *text) {
    if (strcmp(text, "GET") == 0)
        return CELLA_HTTP_GET;
    if (strcmp(text, "POST") == 0)
        return CELLA_HTTP_POST;
    return strcmp(text, "DELETE") == 0 ? CELLA_HTTP_DELETE : CELLA_HTTP_OTHER;
}

/* What may be asked of what. A parameter that is not named in a row is an error there. */
static const struct rule {
    enum cella_http_resource resource;
    enum cella_http_method method;
    bool needs_token, nonce, route, have, wait;
} rules[] = {
    {CELLA_HTTP_ENCLAVES, CELLA_HTTP_GET, .needs_token = false},
    {CELLA_HTTP_ENCLAVES, CELLA_HTTP_POST, .needs_token = true},
    {CELLA_HTTP_ENCLAVE, CELLA_HTTP_DELETE, .needs_token = true},
    {CELLA_HTTP_ATTESTATION, CELLA_HTTP_GET, .nonce = true},
    {CELLA_HTTP_MAIL, CELLA_HTTP_POST, .route = true},
    {CELLA_HTTP_MAIL, CELLA_HTTP_GET, .route = true, .have = true, .wait = true},
    {CELLA_HTTP_CALL, CELLA_HTTP_POST, .needs_token = true},
    {CELLA_HTTP_STATUS, CELLA_HTTP_GET, .needs_token = true},
    {CELLA_HTTP_METRICS, CELLA_HTTP_GET, .needs_token = true},
};

static const struct rule *find_rule(const struct cella_http_target *target, enum cella_http_method method) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].resource == target->resource && rules[i].method == method)
            return &rules[i];
    return NULL;
}

enum cella_status cella_http_target_check(const struct cella_http_target *target,
                                          enum cella_http_method method, struct cella_error *error) {
    const struct rule *rule = find_rule(target, method);
    if (rule == NULL)
        return cella_fail(error, CELLA_HTTP_METHOD, "this address does not take this method");
    if ((target->has_nonce && !rule->nonce) || (target->has_route && !rule->route) ||
        (target->has_have && !rule->have) || (target->has_wait && !rule->wait))
        return cella_fail(error, CELLA_HTTP_QUERY, "a parameter does not belong to this address");
    if (rule->route && !target->has_route)
        return cella_fail(error, CELLA_HTTP_QUERY, "the parameter route is missing");
    return CELLA_OK;
}

bool cella_http_is_operator(const struct cella_http_target *target, enum cella_http_method method) {
    const struct rule *rule = find_rule(target, method);
    return rule == NULL || rule->needs_token;
}

bool cella_http_token_check(const char *header, const uint8_t token[CELLA_HTTP_TOKEN_SIZE]) {
    static const char scheme[] = "Bearer ";
    uint8_t given[CELLA_HTTP_TOKEN_SIZE];
    if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *digits = header + sizeof scheme - 1;
    bool good =
        cella_hex_decode(digits, strnlen(digits, 2 * sizeof given + 1), given, sizeof given) == CELLA_OK;
    good = good && cella_equal_secret(given, token, sizeof given);
    cella_wipe(given, sizeof given);
    return good;
}

static enum cella_status take_string(json_t *object, const char *key, char *out, size_t capacity,
                                     struct cella_error *error) {
    json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return cella_fail(error, CELLA_HTTP_BODY, "the body has no text \"%s\"", key);
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    if (size >= capacity || strlen(text) != size)
        return cella_fail(error, CELLA_HTTP_BODY, "\"%s\" has %zu bytes, at most %zu and no zero are allowed",
                          key, size, capacity - 1);
    memcpy(out, text, size + 1);
    return CELLA_OK;
}

enum cella_status cella_http_start_parse(struct cella_bytes body, struct cella_http_start *ret_start,
                                         struct cella_error *error) {
    if (body.size > CELLA_HTTP_START_LIMIT)
        return cella_fail(error, CELLA_HTTP_BODY, "the body has %zu bytes, at most %d are accepted",
                          body.size, CELLA_HTTP_START_LIMIT);
    json_error_t problem;
    json_t *object = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(object) || json_object_size(object) != 3) {
        json_decref(object);
        return cella_fail(error, CELLA_HTTP_BODY,
                          "the body is not a JSON object with name, image and machine and nothing else");
    }
    struct cella_http_start start;
    enum cella_status status = take_string(object, "name", start.name, sizeof start.name, error);
    if (status == CELLA_OK)
        status = take_string(object, "image", start.image, sizeof start.image, error);
    if (status == CELLA_OK)
        status = take_string(object, "machine", start.machine, sizeof start.machine, error);
    json_decref(object);
    if (status != CELLA_OK)
        return status;
    if (!cella_host_name_valid(start.name))
        return cella_fail(error, CELLA_HOST_NAME, "\"name\" is not a name for an enclave");
    if (start.image[0] != '/' || start.machine[0] != '/')
        return cella_fail(error, CELLA_HTTP_BODY, "\"image\" and \"machine\" are absolute paths");
    *ret_start = start;
    return CELLA_OK;
}

static bool parse_port(const char *text, uint16_t *ret_port) {
    unsigned port = 0;
    size_t size = strlen(text);
    if (size < 1 || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port <= 65535;
}

enum cella_status cella_http_listen_parse(const char *text, struct sockaddr_storage *ret_address,
                                          struct cella_error *error) {
    char host[64];
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    const char *colon = strrchr(text, ':');
    uint16_t port = 0;
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || !parse_port(colon + 1, &port))
        return cella_fail(error, CELLA_ARGUMENT, "\"%.80s\" is not ADDRESS:PORT", text);
    size_t size = (size_t)(colon - text);
    memcpy(host, text, size);
    host[size] = '\0';
    if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1) {
            *ret_address = address;
            return CELLA_OK;
        }
    } else if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *ret_address = address;
        return CELLA_OK;
    }
    return cella_fail(error, CELLA_ARGUMENT, "\"%.80s\" is not an address in numbers", host);
}
