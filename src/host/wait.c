/* Blocking forms of the host's requests. Must not: be used on the host's own threads. */
#include "base/error.h"
#include "host/host_internal.h"
#include <stdlib.h>
#include <string.h>

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    enum cella_status status;
    struct cella_error *error;
    uint8_t *data;
    size_t size;
};

static void wait_done(void *context, enum cella_status status, const char *message,
                      struct cella_bytes reply) {
    struct wait *wait = context;
    pthread_mutex_lock(&wait->lock);
    if (status == CELLA_OK && reply.size > 0) {
        wait->data = malloc(reply.size);
        if (wait->data == NULL) {
            status = CELLA_NO_MEMORY;
            message = "no memory for the reply";
        } else {
            memcpy(wait->data, reply.data, wait->size = reply.size);
        }
    }
    if (status != CELLA_OK)
        cella_fail(wait->error, status, "%s", message);
    wait->status = status;
    wait->done = true;
    pthread_cond_signal(&wait->wake);
    pthread_mutex_unlock(&wait->lock);
}

static enum cella_status wait_for(struct wait *wait, uint8_t **ret_reply, size_t *ret_reply_size) {
    pthread_mutex_lock(&wait->lock);
    while (!wait->done)
        pthread_cond_wait(&wait->wake, &wait->lock);
    pthread_mutex_unlock(&wait->lock);
    if (wait->status == CELLA_OK) {
        *ret_reply = wait->data;
        *ret_reply_size = wait->size;
    }
    return wait->status;
}

#define WAIT_INIT(error_)                                                                                    \
    { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .error = (error_) }

enum cella_status cella_host_mail_wait(struct cella_host_enclave *enclave,
                                       const uint8_t route[CELLA_HOST_ROUTE_SIZE], struct cella_bytes mail,
                                       uint8_t **ret_reply, size_t *ret_reply_size,
                                       struct cella_error *error) {
    struct wait wait = WAIT_INIT(error);
    cella_host_mail(enclave, route, mail, wait_done, &wait);
    return wait_for(&wait, ret_reply, ret_reply_size);
}

enum cella_status cella_host_call_wait(struct cella_host_enclave *enclave, struct cella_bytes request,
                                       uint8_t **ret_reply, size_t *ret_reply_size,
                                       struct cella_error *error) {
    struct wait wait = WAIT_INIT(error);
    cella_host_call(enclave, request, wait_done, &wait);
    return wait_for(&wait, ret_reply, ret_reply_size);
}

enum cella_status cella_host_attestation_wait(struct cella_host_enclave *enclave, const uint8_t *nonce,
                                              uint8_t **ret_reply, size_t *ret_reply_size,
                                              struct cella_error *error) {
    struct wait wait = WAIT_INIT(error);
    cella_host_attestation(enclave, nonce, wait_done, &wait);
    return wait_for(&wait, ret_reply, ret_reply_size);
}

enum cella_status cella_host_poll_wait(struct cella_host_enclave *enclave,
                                       const struct cella_host_poll_request *request, uint8_t **ret_mail,
                                       size_t *ret_mail_size, struct cella_error *error) {
    struct wait wait = WAIT_INIT(error);
    cella_host_poll(enclave, request->route, request->have, request->wait_ms, wait_done, &wait);
    return wait_for(&wait, ret_mail, ret_mail_size);
}
