/* Responses of the HTTP server. Must not: change anything. */
#include "base/hex.h"
#include "host/http_internal.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned cella_http_code(enum cella_status status) {
    switch (status) {
    case CELLA_OK:
        return MHD_HTTP_OK;
    case CELLA_HTTP_TOKEN:
        return MHD_HTTP_UNAUTHORIZED;
    case CELLA_HTTP_METHOD:
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    case CELLA_HTTP_TOO_LARGE:
    case CELLA_MAIL_TOO_LARGE:
        return MHD_HTTP_CONTENT_TOO_LARGE;
    case CELLA_EXISTS:
        return MHD_HTTP_CONFLICT;
    case CELLA_HANDLER_FAILED:
    case CELLA_NO_HANDLER:
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    default:
        break;
    }
    switch (cella_status_exit_code(status)) {
    case 2:
        return MHD_HTTP_BAD_REQUEST;
    case 3:
        return MHD_HTTP_NOT_FOUND;
    case 4:
        return MHD_HTTP_FORBIDDEN;
    case 5:
    case 6:
        return MHD_HTTP_CONFLICT;
    case 7:
    case 8:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case 9:
        return MHD_HTTP_UNPROCESSABLE_CONTENT;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

static enum MHD_Result queue(struct cella_http_request *request, unsigned code,
                             struct MHD_Response *response) {
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Cache-Control", "no-store");
    enum MHD_Result result = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result cella_http_answer_text(struct cella_http_request *request, unsigned code, const char *type,
                                       char *text, size_t size) {
    if (text == NULL)
        return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return queue(request, code, response);
}

static const char *allowed_methods(enum cella_http_resource resource) {
    switch (resource) {
    case CELLA_HTTP_ENCLAVES:
    case CELLA_HTTP_MAIL:
        return "GET, POST";
    case CELLA_HTTP_ENCLAVE:
        return "DELETE";
    case CELLA_HTTP_CALL:
        return "POST";
    default:
        return "GET";
    }
}

enum MHD_Result cella_http_answer_error(struct cella_http_request *request, enum cella_status status,
                                        const struct cella_error *error) {
    char id[17];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)request->number);
    const char *message = error->message[0] != '\0' ? error->message : cella_status_sentence(status);
    json_t *object =
        json_pack("{s:s, s:s, s:s}", "status", cella_status_name(status), "message", message, "request", id);
    if (object == NULL) /* the message is no UTF-8 */
        object = json_pack("{s:s, s:s, s:s}", "status", cella_status_name(status), "message",
                           cella_status_sentence(status), "request", id);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return MHD_NO;
    atomic_fetch_add_explicit(&request->http->refused_requests, 1, memory_order_relaxed);
    cella_host_log(request->http->host, "debug", request->enclave, "refused", "request=%s status=%s", id,
                   cella_status_name(status));
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    unsigned code = cella_http_code(status);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (code == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed_methods(request->target.resource));
    return queue(request, code, response);
}

enum MHD_Result cella_http_answer_bytes(struct cella_http_request *request) {
    uint8_t *data = request->reply != NULL ? request->reply : request->space;
    if (request->reply_size == 0)
        return queue(request, MHD_HTTP_NO_CONTENT,
                     MHD_create_response_from_buffer(0, request->space, MHD_RESPMEM_PERSISTENT));
    /* The bytes are the request's, which outlives the response. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(request->reply_size, data, MHD_RESPMEM_PERSISTENT);
    if (response != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream");
    return queue(request, MHD_HTTP_OK, response);
}
