/* One HTTP request: its head, its body, the wait for an enclave's reply.
 * Must not: block a server thread, or act on a request before all of it was checked. */
#include "base/error.h"
#include "host/http_internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A refused request with a body of up to this size is read to its end, so that the answer arrives. */
#define DRAIN_LIMIT ((size_t)1 << 20)

int64_t cella_http_ticks_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The first thing that is known of a request: its raw target, before anything unescapes it. */
void *cella_http_on_target(void *context, const char *uri, struct MHD_Connection *connection) {
    struct cella_http *http = context;
    struct cella_http_request *request = malloc(sizeof *request);
    if (request == NULL)
        return NULL;
    memset(request, 0, offsetof(struct cella_http_request, space));
    request->http = http;
    request->connection = connection;
    request->began_ns = cella_http_ticks_ns();
    request->body_capacity = sizeof request->space;
    request->number =
        http->request_base + atomic_fetch_add_explicit(&http->request_count, 1, memory_order_relaxed);
    request->status = cella_http_target_parse(uri, &request->target, &request->error);
    return request;
}

/* Gives the body's memory back as soon as nobody needs it. */
static void release_body(struct cella_http_request *request) {
    if (request->body == NULL)
        return;
    free(request->body);
    request->body = NULL;
    atomic_fetch_sub(&request->http->body_bytes, request->body_capacity);
    request->body_capacity = sizeof request->space;
    request->body_size = 0;
}

void cella_http_on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                             enum MHD_RequestTerminationCode code) {
    struct cella_http_request *request = *request_context;
    if (request == NULL)
        return;
    release_body(request);
    if (request->reply != NULL)
        atomic_fetch_sub(&request->http->reply_bytes, request->reply_size);
    free(request->reply);
    free(request->start);
    free(request);
    *request_context = NULL;
}

static bool from_loopback(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL)
        return false;
    if (info->client_addr->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)info->client_addr)->sin_addr.s_addr) >> 24) == 127;
    if (info->client_addr->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)info->client_addr)->sin6_addr);
    return false;
}

static enum cella_status check_operator(struct cella_http_request *request) {
    struct cella_http *http = request->http;
    if (!http->options.operator_remote && !from_loopback(request->connection))
        return cella_fail(
            &request->error, CELLA_HTTP_TOKEN,
            "operators' calls are taken from this computer only (--operator-remote changes that)");
    const char *header =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (!http->has_token || !cella_http_token_check(header, http->token))
        return cella_fail(&request->error, CELLA_HTTP_TOKEN, "%s",
                          header == NULL ? "the operator's token is missing"
                                         : "the operator's token is wrong");
    return CELLA_OK;
}

static size_t body_limit_of(const struct cella_http_request *request) {
    if (request->method != CELLA_HTTP_POST)
        return 0;
    return request->target.resource == CELLA_HTTP_ENCLAVES ? CELLA_HTTP_START_LIMIT
                                                           : request->http->options.body_limit;
}

static enum cella_status too_large(struct cella_http_request *request) {
    if (request->body_limit == 0)
        return cella_fail(&request->error, CELLA_HTTP_BODY, "this request takes no body");
    return cella_fail(&request->error, CELLA_HTTP_TOO_LARGE, "a body may have at most %zu bytes here",
                      request->body_limit);
}

/* The declared size of the body; SIZE_MAX if there is one of unknown size. */
static enum cella_status read_length(struct cella_http_request *request, size_t *ret_size) {
    const char *text =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (text == NULL) {
        *ret_size = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                MHD_HTTP_HEADER_TRANSFER_ENCODING) == NULL
                        ? 0
                        : SIZE_MAX;
        return CELLA_OK;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long size = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return cella_fail(&request->error, CELLA_HTTP_BODY, "Content-Length is not a number");
    *ret_size = size;
    return CELLA_OK;
}

/* Everything that can be checked before the body. */
static enum cella_status check_head(struct cella_http_request *request, const char *method, size_t length) {
    request->method = cella_http_method_parse(method);
    if (request->status != CELLA_OK)
        return request->status;
    enum cella_status status = cella_http_target_check(&request->target, request->method, &request->error);
    if (status == CELLA_OK && cella_http_is_operator(&request->target, request->method))
        status = check_operator(request);
    request->body_limit = body_limit_of(request);
    if (status == CELLA_OK && length != SIZE_MAX && length > request->body_limit)
        status = too_large(request);
    if (status == CELLA_OK && request->target.name[0] != '\0') {
        request->enclave = cella_host_find(request->http->host, request->target.name);
        if (request->enclave == NULL)
            status = cella_fail(&request->error, CELLA_NOT_FOUND, "this host has no enclave \"%s\"",
                                request->target.name);
    }
    if (status == CELLA_OK && atomic_load_explicit(&request->http->closing, memory_order_relaxed))
        status = cella_fail(&request->error, CELLA_CLOSED, "the host is being stopped");
    return status;
}

static bool grow_body(struct cella_http_request *request, size_t needed) {
    size_t capacity = request->body_capacity;
    while (capacity < needed)
        capacity *= 2;
    size_t held = request->body == NULL ? 0 : request->body_capacity;
    _Atomic size_t *total = &request->http->body_bytes;
    if (atomic_fetch_add(total, capacity - held) + capacity - held >
        request->http->options.body_total_limit) {
        atomic_fetch_sub(total, capacity - held);
        request->status = cella_fail(&request->error, CELLA_HTTP_BUSY,
                                     "the host receives as many bytes as it can hold at one time");
        return false;
    }
    uint8_t *body = realloc(request->body, capacity);
    if (body == NULL) {
        atomic_fetch_sub(total, capacity - held);
        request->status = cella_fail(&request->error, CELLA_NO_MEMORY, "no memory for the body");
        return false;
    }
    if (request->body == NULL && request->body_size > 0)
        memcpy(body, request->space, request->body_size);
    request->body = body;
    request->body_capacity = capacity;
    return true;
}

/* A body that cannot be taken is read on and thrown away, within limits: the answer can leave only after it.
 */
static enum MHD_Result take_body(struct cella_http_request *request, const char *data, size_t size) {
    if (cella_host_ticks_ms() > request->body_deadline_ms)
        return MHD_NO;
    if (request->status == CELLA_OK && size > request->body_limit - request->body_size)
        request->status = too_large(request);
    if (request->status == CELLA_OK && request->body_size + size > request->body_capacity)
        grow_body(request, request->body_size + size);
    if (request->status != CELLA_OK) {
        release_body(request);
        request->discarded += size;
        return request->discarded > DRAIN_LIMIT + request->body_limit ? MHD_NO : MHD_YES;
    }
    uint8_t *to = request->body != NULL ? request->body : request->space;
    memcpy(to + request->body_size, data, size);
    request->body_size += size;
    return MHD_YES;
}

/* Room for a reply, small or within the limit of all together. A refusal does not mean that the request was
 * not handled, and is no HTTP_BUSY: the reply to mail, and a post, are there when they are asked for again.
 */
static enum cella_status take_reply(struct cella_http_request *request, struct cella_bytes reply) {
    struct cella_http *http = request->http;
    if (reply.size > sizeof request->space) {
        if (atomic_fetch_add(&http->reply_bytes, reply.size) + reply.size > http->options.reply_total_limit) {
            atomic_fetch_sub(&http->reply_bytes, reply.size);
            return cella_fail(&request->error, CELLA_LIMIT,
                              "with this reply of %zu bytes the host would hold more than reply_total_limit; "
                              "ask for it again",
                              reply.size);
        }
        request->reply = malloc(reply.size);
        if (request->reply == NULL) {
            atomic_fetch_sub(&http->reply_bytes, reply.size);
            return cella_fail(&request->error, CELLA_NO_MEMORY, "no memory for the reply");
        }
    }
    request->reply_size = reply.size;
    if (reply.size > 0)
        memcpy(request->reply != NULL ? request->reply : request->space, reply.data, reply.size);
    return CELLA_OK;
}

void cella_http_done(void *context, enum cella_status status, const char *message, struct cella_bytes reply) {
    struct cella_http_request *request = context;
    struct cella_http *http = request->http;
    struct MHD_Connection *connection = request->connection;
    if (status == CELLA_OK)
        status = take_reply(request, reply);
    else
        cella_fail(&request->error, status, "%s", message);
    request->status = status;
    /* From here on the request may be gone, unless its connection is suspended. */
    if (atomic_exchange(&request->wait, CELLA_HTTP_DONE) == CELLA_HTTP_SUSPENDED)
        MHD_resume_connection(connection);
    atomic_fetch_sub(&http->open_requests, 1);
}

static void parse_start(struct cella_http_request *request, struct cella_bytes body) {
    request->start = malloc(sizeof *request->start);
    if (request->start == NULL)
        request->status = cella_fail(&request->error, CELLA_NO_MEMORY, "no memory for the request");
    else
        request->status = cella_http_start_parse(body, request->start, &request->error);
}

/* Hands a complete request to whoever answers it through cella_http_done. */
static void submit(struct cella_http_request *request) {
    const struct cella_http_target *target = &request->target;
    struct cella_bytes body =
        CELLA_BYTES(request->body != NULL ? request->body : request->space, request->body_size);
    atomic_store_explicit(&request->wait, CELLA_HTTP_PENDING, memory_order_relaxed);
    atomic_fetch_add(&request->http->open_requests, 1);
    switch (target->resource) {
    case CELLA_HTTP_MAIL:
        if (request->method == CELLA_HTTP_POST)
            cella_host_mail(request->enclave, target->route, body, cella_http_done, request);
        else
            cella_host_poll(request->enclave, target->route, target->has_have ? target->have : NULL,
                            target->wait_ms, cella_http_done, request);
        break;
    case CELLA_HTTP_ATTESTATION:
        cella_host_attestation(request->enclave, target->has_nonce ? target->nonce : NULL, cella_http_done,
                               request);
        break;
    case CELLA_HTTP_CALL:
        cella_host_call(request->enclave, body, cella_http_done, request);
        break;
    default:
        cella_http_operate(request);
        break;
    }
}

static enum MHD_Result answer(struct cella_http_request *request) {
    const struct cella_http_target *target = &request->target;
    bool is_poll = target->resource == CELLA_HTTP_MAIL && request->method == CELLA_HTTP_GET;
    if (target->resource == CELLA_HTTP_MAIL && request->method == CELLA_HTTP_POST)
        cella_http_meter_mail(request, request->status, request->reply_size);
    if (is_poll && request->status == CELLA_UNAVAILABLE)
        return cella_http_answer_bytes(request);
    if (request->status != CELLA_OK)
        return cella_http_answer_error(request, request->status, &request->error);
    return cella_http_answer_bytes(request);
}

static bool done_within(struct cella_http_request *request, unsigned spin_us) {
    if (atomic_load_explicit(&request->wait, memory_order_acquire) == CELLA_HTTP_DONE)
        return true;
    if (spin_us == 0)
        return false;
    int64_t until = cella_http_ticks_ns() + (int64_t)spin_us * 1000;
    do {
        /* Whoever makes the reply may be waiting for this very processor. */
        sched_yield();
        if (atomic_load_explicit(&request->wait, memory_order_acquire) == CELLA_HTTP_DONE)
            return true;
    } while (cella_http_ticks_ns() < until);
    return false;
}

/* Alone, looking is cheaper than two wake-ups; among others it would take their processor. Whoever met others
 * a moment ago will meet them again. */
static bool is_alone(struct cella_http *http) {
    enum { MOMENT = 64 }; /* requests */
    if (atomic_load_explicit(&http->open_requests, memory_order_relaxed) > 1) {
        atomic_store_explicit(&http->crowd, MOMENT, memory_order_relaxed);
        return false;
    }
    unsigned crowd = atomic_load_explicit(&http->crowd, memory_order_relaxed);
    if (crowd > 0)
        atomic_store_explicit(&http->crowd, crowd - 1, memory_order_relaxed);
    return crowd == 0;
}

static enum MHD_Result wait_for_answer(struct cella_http_request *request) {
    request->step = CELLA_HTTP_STEP_WAITING;
    submit(request);
    /* The host has copied it. Only this thread knows the body. */
    release_body(request);
    bool mail = request->target.resource == CELLA_HTTP_MAIL && request->method == CELLA_HTTP_POST;
    if (done_within(request, mail && is_alone(request->http) ? request->http->options.spin_us : 0))
        return answer(request);
    MHD_suspend_connection(request->connection);
    int expected = CELLA_HTTP_PENDING;
    if (!atomic_compare_exchange_strong(&request->wait, &expected, CELLA_HTTP_SUSPENDED))
        MHD_resume_connection(request->connection);
    return MHD_YES;
}

static enum MHD_Result constant_answer(struct cella_http_request *request) {
    request->reply_size = request->http->options.constant_reply.size;
    if (request->reply_size > sizeof request->space)
        return MHD_NO;
    memcpy(request->space, request->http->options.constant_reply.data, request->reply_size);
    return answer(request);
}

/* The request is complete. */
static enum MHD_Result dispatch(struct cella_http_request *request) {
    struct cella_bytes body =
        CELLA_BYTES(request->body != NULL ? request->body : request->space, request->body_size);
    enum cella_http_resource resource = request->target.resource;
    if (request->status == CELLA_OK && resource == CELLA_HTTP_ENCLAVES && request->method == CELLA_HTTP_POST)
        parse_start(request, body);
    if (request->status == CELLA_OK && resource == CELLA_HTTP_MAIL && request->method == CELLA_HTTP_POST &&
        body.size == 0)
        request->status =
            cella_fail(&request->error, CELLA_HTTP_BODY, "the body is empty: it holds one mail");
    if (request->status != CELLA_OK)
        return cella_http_answer_error(request, request->status, &request->error);
    if (resource == CELLA_HTTP_STATUS)
        return cella_http_show_status(request);
    if (resource == CELLA_HTTP_METRICS)
        return cella_http_show_metrics(request);
    if (resource == CELLA_HTTP_ENCLAVES && request->method == CELLA_HTTP_GET)
        return cella_http_show_enclaves(request);
    if (request->http->options.constant_reply.size > 0 && resource == CELLA_HTTP_MAIL)
        return constant_answer(request);
    return wait_for_answer(request);
}

static enum MHD_Result begin(struct cella_http_request *request, const char *method) {
    size_t length = 0;
    request->step = CELLA_HTTP_STEP_BODY;
    request->body_deadline_ms =
        request->began_ns / 1000000 + (int64_t)request->http->options.body_timeout_s * 1000;
    enum cella_status status = read_length(request, &length);
    if (status == CELLA_OK)
        status = check_head(request, method, length);
    request->status = status;
    if (status != CELLA_OK && length != SIZE_MAX && length > DRAIN_LIMIT)
        return cella_http_answer_error(request, status, &request->error);
    return MHD_YES;
}

enum MHD_Result cella_http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *upload_data,
                                      size_t *upload_data_size, void **request_context) {
    struct cella_http_request *request = *request_context;
    if (request == NULL)
        return MHD_NO;
    switch (request->step) {
    case CELLA_HTTP_STEP_HEAD:
        return begin(request, method);
    case CELLA_HTTP_STEP_BODY:
        if (*upload_data_size > 0) {
            enum MHD_Result result = take_body(request, upload_data, *upload_data_size);
            *upload_data_size = 0;
            return result;
        }
        return dispatch(request);
    case CELLA_HTTP_STEP_WAITING:
        break;
    }
    return answer(request);
}
