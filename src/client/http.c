/* HTTP transport of a client, by libcurl. Must not: follow redirects, read the environment, or take more
 * bytes than its limit. */
#include "base/error.h"
#include "base/hex.h"
#include "base/secret.h"
#include "base/text.h"
#include "client/client_internal.h"
#include "client/http.h"
#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTESTATION_LIMIT ((size_t)CELLA_ATTESTATION_SIZE_MAX)
#define ERROR_LIMIT       ((size_t)65536)
#define WAIT_LIMIT_MS     60000u /* the host's own */

struct cella_client_http {
    CURL *curl; /* keeps its connection between exchanges */
    struct curl_slist *headers;
    char *base; /* "https://host:port/v1/enclaves/NAME" */
    char *ca_path;
    unsigned timeout_ms;
    size_t mail_limit;
    bool connected; /* the last exchange worked: its connection may be used again */
};

/* What one exchange receives. */
struct answer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;
    bool too_large;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_data(char *data, size_t unit, size_t count, void *context) {
    struct answer *answer = context;
    size_t size = unit * count;
    if (size > answer->limit - answer->size) {
        answer->too_large = true;
        return 0;
    }
    if (answer->size + size > answer->capacity) {
        size_t capacity = answer->capacity == 0 ? 4096 : answer->capacity;
        while (capacity < answer->size + size)
            capacity *= 2;
        uint8_t *grown = realloc(answer->data, capacity);
        if (grown == NULL)
            return 0;
        answer->data = grown;
        answer->capacity = capacity;
    }
    memcpy(answer->data + answer->size, data, size);
    answer->size += size;
    return size;
}

static bool part_is_absent(CURLU *url, CURLUPart part) {
    char *text = NULL;
    bool absent = curl_url_get(url, part, &text, 0) != CURLUE_OK;
    curl_free(text);
    return absent;
}

static bool part_is(CURLU *url, CURLUPart part, const char *one, const char *other) {
    char *text = NULL;
    bool equal = curl_url_get(url, part, &text, 0) == CURLUE_OK &&
                 (strcmp(text, one) == 0 || strcmp(text, other) == 0);
    curl_free(text);
    return equal;
}

enum cella_status cella_client_http_url_check(const char *text, struct cella_error *error) {
    CURLU *url = curl_url();
    if (url == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a URL");
    bool good = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                part_is(url, CURLUPART_SCHEME, "http", "https") && part_is(url, CURLUPART_PATH, "/", "") &&
                part_is_absent(url, CURLUPART_USER) && part_is_absent(url, CURLUPART_PASSWORD) &&
                part_is_absent(url, CURLUPART_QUERY) && part_is_absent(url, CURLUPART_FRAGMENT);
    curl_url_cleanup(url);
    if (good)
        return CELLA_OK;
    return cella_fail(error, CELLA_CLIENT_URL, "\"%.200s\" is not the URL of a host", text);
}

static bool name_valid(const char *name) {
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return size >= 1 && size <= CELLA_CLIENT_NAME_LIMIT && name[size] == '\0';
}

/* No "Expect: 100-continue": the host decides by the head anyway, and waiting for it costs a round trip. */
static bool make_headers(struct cella_client_http *http, const char *token) {
    char authorization[128];
    const char *const lines[] = {"Expect:", "Content-Type: application/octet-stream", authorization};
    size_t count = token == NULL ? 2 : 3;
    if (token != NULL)
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token);
    for (size_t i = 0; i < count; i++) {
        struct curl_slist *grown = curl_slist_append(http->headers, lines[i]);
        if (grown == NULL)
            return false;
        http->headers = grown;
    }
    cella_wipe(authorization, sizeof authorization);
    return true;
}

static enum cella_status set_up(struct cella_client_http *http,
                                const struct cella_client_http_options *options, struct cella_error *error) {
    size_t url_size = strlen(options->url);
    while (url_size > 0 && options->url[url_size - 1] == '/')
        url_size--;
    if (asprintf(&http->base, "%.*s%s%s", (int)url_size, options->url,
                 options->enclave != NULL ? "/v1/enclaves/" : "",
                 options->enclave != NULL ? options->enclave : "") < 0)
        http->base = NULL;
    http->ca_path = options->ca_path == NULL ? NULL : strdup(options->ca_path);
    http->curl = curl_easy_init();
    if (http->base == NULL || http->curl == NULL || !make_headers(http, options->token) ||
        (options->ca_path != NULL && http->ca_path == NULL))
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a connection");
    return CELLA_OK;
}

enum cella_status cella_client_http_new(const struct cella_client_http_options *options,
                                        struct cella_client_http **ret_http, struct cella_error *error) {
    pthread_once(&curl_once, init_curl);
    enum cella_status status = cella_client_http_url_check(options->url, error);
    if (status != CELLA_OK)
        return status;
    if (options->enclave != NULL && !name_valid(options->enclave))
        return cella_fail(error, CELLA_HOST_NAME, "\"%.80s\" is not a name for an enclave", options->enclave);
    struct cella_client_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a connection");
    http->timeout_ms = options->timeout_ms;
    http->mail_limit = options->mail_limit;
    status = set_up(http, options, error);
    if (status != CELLA_OK) {
        cella_client_http_free(http);
        return status;
    }
    *ret_http = http;
    return CELLA_OK;
}

void cella_client_http_free(struct cella_client_http *http) {
    if (http == NULL)
        return;
    curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    free(http->ca_path);
    free(http->base);
    free(http);
}

static enum cella_status judge_curl(struct cella_client_http *http, CURLcode code,
                                    const struct answer *answer, struct cella_error *error) {
    bool was_connected = http->connected;
    http->connected = code == CURLE_OK;
    switch (code) {
    case CURLE_OK:
        return CELLA_OK;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        /* A kept connection may have carried the request before it broke. */
        return cella_fail(error, was_connected ? CELLA_UNAVAILABLE : CELLA_HOST_UNREACHABLE, "%s: %s",
                          http->base, curl_easy_strerror(code));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ISSUER_ERROR:
        return cella_fail(error, CELLA_CLIENT_TLS, "%s: %s", http->base, curl_easy_strerror(code));
    case CURLE_WRITE_ERROR:
        if (answer->too_large)
            return cella_fail(error, CELLA_LIMIT, "the host's answer has more than %zu bytes (mail_limit)",
                              answer->limit);
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for the host's answer");
    case CURLE_OUT_OF_MEMORY:
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a connection");
    default:
        return cella_fail(error, CELLA_UNAVAILABLE, "%s: %s", http->base, curl_easy_strerror(code));
    }
}

enum cella_status cella_client_http_judge(long code, struct cella_bytes body, struct cella_error *error) {
    if (code == 200 || code == 204)
        return CELLA_OK;
    json_error_t problem;
    json_t *object = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &problem);
    const char *word = json_string_value(json_object_get(object, "status"));
    const char *message = json_string_value(json_object_get(object, "message"));
    enum cella_status status = CELLA_OK;
    if (word == NULL || cella_status_from_name(word, &status) != CELLA_OK || status == CELLA_OK)
        status = cella_fail(error, CELLA_HTTP_ANSWER, "the host answered with HTTP status %ld", code);
    else
        status = cella_fail(error, status, "%s", message != NULL ? message : "");
    /* The text is the host's own, and whoever gets it will print it. */
    if (error != NULL)
        cella_text_clean(error->message);
    json_decref(object);
    return status;
}

static void set_options(struct cella_client_http *http, const char *url, struct answer *answer,
                        unsigned timeout_ms) {
    CURL *curl = http->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_ms < 10000 ? timeout_ms : 10000));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (http->ca_path != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_path);
}

enum cella_status cella_client_http_exchange(struct cella_client_http *http,
                                             const struct cella_client_exchange *what, uint8_t **ret_data,
                                             size_t *ret_size, struct cella_error *error) {
    long code = 0;
    char url[CELLA_CLIENT_URL_LIMIT + 512];
    struct answer answer = {.limit = what->limit < ERROR_LIMIT ? ERROR_LIMIT : what->limit};
    if (snprintf(url, sizeof url, "%s%s", http->base, what->target) >= (int)sizeof url)
        return cella_fail(error, CELLA_CLIENT_URL, "the URL is too long");
    set_options(http, url, &answer, http->timeout_ms + what->wait_ms);
    if (what->method == CELLA_CLIENT_POST) {
        curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS,
                         what->body.size > 0 ? (const char *)what->body.data : "");
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->body.size);
    } else if (what->method == CELLA_CLIENT_DELETE) {
        curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, "DELETE");
    }
    enum cella_status status = judge_curl(http, curl_easy_perform(http->curl), &answer, error);
    if (status == CELLA_OK) {
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
        status = cella_client_http_judge(code, CELLA_BYTES(answer.data, answer.size), error);
    }
    if (status != CELLA_OK) {
        free(answer.data);
        return status;
    }
    *ret_data = answer.data;
    *ret_size = answer.size;
    return CELLA_OK;
}

static enum cella_status get_attestation(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                         uint8_t **ret_data, size_t *ret_size, struct cella_error *error) {
    char digits[2 * CELLA_CLIENT_NONCE_SIZE + 1], target[128];
    cella_hex_encode(nonce, CELLA_CLIENT_NONCE_SIZE, digits);
    snprintf(target, sizeof target, "/attestation?nonce=%s", digits);
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = cella_client_http_exchange(
        context, &(struct cella_client_exchange){.target = target, .limit = ATTESTATION_LIMIT}, &data, &size,
        error);
    if (status != CELLA_OK)
        return status;
    if (size == 0) {
        free(data);
        return cella_fail(error, CELLA_HTTP_ANSWER, "the host answered with an empty attestation");
    }
    *ret_data = data;
    *ret_size = size;
    return CELLA_OK;
}

static enum cella_status post_mail(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                                   struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                                   struct cella_error *error) {
    struct cella_client_http *http = context;
    char digits[2 * CELLA_CLIENT_ROUTE_SIZE + 1], target[128];
    cella_hex_encode(route, CELLA_CLIENT_ROUTE_SIZE, digits);
    snprintf(target, sizeof target, "/mail?route=%s", digits);
    struct cella_client_exchange what = {
        .method = CELLA_CLIENT_POST, .target = target, .body = mail, .limit = http->mail_limit};
    return cella_client_http_exchange(http, &what, ret_reply, ret_reply_size, error);
}

static enum cella_status get_post(void *context, const struct cella_client_poll_request *request,
                                  uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error) {
    struct cella_client_http *http = context;
    char digits[2 * CELLA_CLIENT_ROUTE_SIZE + 1], known[2 * CELLA_CLIENT_HAVE_SIZE + 1] = "", target[192];
    unsigned wait = request->wait_ms > WAIT_LIMIT_MS ? WAIT_LIMIT_MS : request->wait_ms;
    cella_hex_encode(request->route, CELLA_CLIENT_ROUTE_SIZE, digits);
    if (request->have != NULL)
        cella_hex_encode(request->have, CELLA_CLIENT_HAVE_SIZE, known);
    snprintf(target, sizeof target, "/mail?route=%s&wait_ms=%u%s%s", digits, wait,
             request->have != NULL ? "&have=" : "", known);
    struct cella_client_exchange what = {.target = target, .limit = http->mail_limit, .wait_ms = wait};
    return cella_client_http_exchange(http, &what, ret_mail, ret_mail_size, error);
}

struct cella_client_transport cella_client_http_transport(struct cella_client_http *http) {
    return (struct cella_client_transport){
        .context = http, .attestation = get_attestation, .mail = post_mail, .poll = get_post};
}
