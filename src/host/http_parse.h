/* What a request line, its query and a JSON body mean: pure functions over bytes of a stranger.
 * Must not: allocate more than a bound, or accept what formats/http.md does not name. */
#ifndef CELLA_HOST_HTTP_PARSE_H
#define CELLA_HOST_HTTP_PARSE_H

#include <cella/host.h>

#define CELLA_HTTP_WAIT_LIMIT_MS   60000
#define CELLA_HTTP_PATH_LIMIT      4096
#define CELLA_HTTP_TARGET_LIMIT    1024
#define CELLA_HTTP_TOKEN_SIZE      32 /* bytes; written as twice as many hex digits */
#define CELLA_HTTP_START_LIMIT     16384
#define CELLA_HTTP_REQUEST_ID_SIZE 32

enum cella_http_resource {
    CELLA_HTTP_ENCLAVES,    /* /v1/enclaves */
    CELLA_HTTP_ENCLAVE,     /* /v1/enclaves/NAME */
    CELLA_HTTP_ATTESTATION, /* /v1/enclaves/NAME/attestation */
    CELLA_HTTP_MAIL,        /* /v1/enclaves/NAME/mail */
    CELLA_HTTP_CALL,        /* /v1/enclaves/NAME/call */
    CELLA_HTTP_STATUS,      /* /v1/status */
    CELLA_HTTP_METRICS,     /* /metrics */
};

enum cella_http_method { CELLA_HTTP_GET, CELLA_HTTP_POST, CELLA_HTTP_DELETE, CELLA_HTTP_OTHER };

/* A request target taken apart; `name` is "" where the resource has none. */
struct cella_http_target {
    enum cella_http_resource resource;
    char name[CELLA_HOST_NAME_LIMIT + 1];
    bool has_nonce, has_route, has_have, has_wait;
    uint8_t nonce[CELLA_HOST_NONCE_SIZE];
    uint8_t route[CELLA_HOST_ROUTE_SIZE];
    uint8_t have[CELLA_HOST_HAVE_SIZE];
    unsigned wait_ms;
};

/* Parses "/v1/…?key=value&…". No percent escapes, no empty segments, each parameter at most once and only
 * where it belongs. CELLA_HTTP_ROUTE, CELLA_HOST_NAME, CELLA_HTTP_QUERY. */
enum cella_status cella_http_target_parse(const char *text, struct cella_http_target *ret_target,
                                          struct cella_error *error);

enum cella_http_method cella_http_method_parse(const char *text);

/* May this method be used on the resource, with these parameters? CELLA_HTTP_METHOD, CELLA_HTTP_QUERY. */
enum cella_status cella_http_target_check(const struct cella_http_target *target,
                                          enum cella_http_method method, struct cella_error *error);

/* Is it one of the operator's? Then a token is needed. */
bool cella_http_is_operator(const struct cella_http_target *target, enum cella_http_method method);

/* Does the value of the header Authorization carry this token? Takes the same time for every wrong one of the
 * right form. `header` may be NULL. */
bool cella_http_token_check(const char *header, const uint8_t token[CELLA_HTTP_TOKEN_SIZE]);

/* The body of POST /v1/enclaves: {"name":…,"image":…,"machine":…}, nothing else; the paths are absolute. */
struct cella_http_start {
    char name[CELLA_HOST_NAME_LIMIT + 1];
    char image[CELLA_HTTP_PATH_LIMIT];
    char machine[CELLA_HTTP_PATH_LIMIT];
};
/* CELLA_HTTP_BODY, CELLA_HOST_NAME. */
enum cella_status cella_http_start_parse(struct cella_bytes body, struct cella_http_start *ret_start,
                                         struct cella_error *error);

/* "ADDRESS:PORT", "[ADDRESS]:PORT" with numbers only. CELLA_ARGUMENT. */
struct sockaddr_storage;
enum cella_status cella_http_listen_parse(const char *text, struct sockaddr_storage *ret_address,
                                          struct cella_error *error);

#endif
