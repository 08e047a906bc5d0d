/* The operator's slow requests, each on a thread of its own, and the operator's token.
 * Must not: run on a server thread. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "host/http_internal.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define STOP_TIMEOUT_MS 10000

/* A thread for each: a start that takes long holds up neither another one nor the stop that shall end it.
 * There are at most as many as connections; starts of one name do not queue. */
static void *operate_main(void *argument) {
    struct cella_http_request *request = argument;
    struct cella_host *host = request->http->host;
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status;
    if (request->method == CELLA_HTTP_DELETE)
        status = cella_host_stop(request->enclave, STOP_TIMEOUT_MS);
    else
        status = cella_host_start(host, request->start->name, request->start->image, request->start->machine,
                                  NULL, &error);
    cella_http_done(request, status, error.message, CELLA_BYTES(NULL, 0));
    return NULL;
}

void cella_http_operate(struct cella_http_request *request) {
    pthread_t thread;
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code == 0) {
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        code = pthread_create(&thread, &attributes, operate_main, request);
        pthread_attr_destroy(&attributes);
    }
    if (code != 0)
        cella_http_done(request, CELLA_NO_MEMORY, "cannot start a thread", CELLA_BYTES(NULL, 0));
}

static enum cella_status create_token(const char *path, struct cella_error *error) {
    uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    char text[2 * CELLA_HTTP_TOKEN_SIZE + 2];
    enum cella_status status = cella_random(token, sizeof token);
    if (status != CELLA_OK)
        return cella_fail(error, status, "cannot make a token");
    cella_hex_encode(token, sizeof token, text);
    text[2 * sizeof token] = '\n';
    status = cella_file_create(path, CELLA_BYTES(text, 2 * sizeof token + 1), CELLA_FILE_PRIVATE, error);
    cella_wipe(token, sizeof token);
    cella_wipe(text, sizeof text);
    return status == CELLA_EXISTS ? CELLA_OK : status;
}

static enum cella_status read_token(const char *path, uint8_t *ret_token, struct cella_error *error) {
    uint8_t *text = NULL;
    uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    size_t size = 0;
    enum cella_status status = cella_file_read_private(path, 4096, &text, &size, error);
    if (status != CELLA_OK)
        return status;
    size_t digits = size > 0 && text[size - 1] == '\n' ? size - 1 : size;
    status = cella_hex_decode((const char *)text, digits, token, sizeof token);
    cella_wipe_free(text, size);
    if (status == CELLA_OK)
        memcpy(ret_token, token, sizeof token);
    else
        status =
            cella_fail(error, CELLA_DAMAGED, "%s is not a token of %zu hex digits", path, 2 * sizeof token);
    cella_wipe(token, sizeof token);
    return status;
}

enum cella_status cella_http_token_load(const char *folder, bool create,
                                        uint8_t ret_token[CELLA_HTTP_TOKEN_SIZE], struct cella_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/token", folder) >= (int)sizeof path)
        return cella_fail(error, CELLA_ARGUMENT, "the path of the state folder is too long");
    enum cella_status status = read_token(path, ret_token, error);
    if (status != CELLA_NOT_FOUND || !create)
        return status;
    status = create_token(path, error);
    return status == CELLA_OK ? read_token(path, ret_token, error) : status;
}
