/* A transport to an enclave of a host in the same program. Must not: copy what the host copies. */
#include <cella/client.h>
#include <cella/host.h>

static enum cella_status get_attestation(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                         uint8_t **ret_data, size_t *ret_size, struct cella_error *error) {
    return cella_host_attestation_wait(context, nonce, ret_data, ret_size, error);
}

static enum cella_status put_mail(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                                  struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                                  struct cella_error *error) {
    return cella_host_mail_wait(context, route, mail, ret_reply, ret_reply_size, error);
}

static enum cella_status get_post(void *context, const struct cella_client_poll_request *request,
                                  uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error) {
    const struct cella_host_poll_request what = {
        .route = request->route, .have = request->have, .wait_ms = request->wait_ms};
    enum cella_status status = cella_host_poll_wait(context, &what, ret_mail, ret_mail_size, error);
    if (status != CELLA_UNAVAILABLE)
        return status;
    *ret_mail = NULL;
    *ret_mail_size = 0;
    return CELLA_OK;
}

struct cella_client_transport cella_client_transport_host(struct cella_host_enclave *enclave) {
    return (struct cella_client_transport){
        .context = enclave, .attestation = get_attestation, .mail = put_mail, .poll = get_post};
}
