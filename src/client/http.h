/* HTTP exchanges with a host, by libcurl: the transport of clients, and the operator's calls.
 * Must not: follow redirects, read the environment, or take more bytes than its limit. */
#ifndef CELLA_CLIENT_HTTP_H
#define CELLA_CLIENT_HTTP_H

#include <cella/client.h>

struct cella_client_http;

struct cella_client_http_options {
    const char *url;     /* of the host */
    const char *enclave; /* NULL: targets begin at the host, else at the enclave */
    const char *token;   /* the operator's, as hex digits; NULL: none */
    const char *ca_path; /* NULL: the system's certificates */
    unsigned timeout_ms; /* of one exchange */
    size_t mail_limit;   /* of one reply or post */
};

/* Copies the options; connects at the first exchange. CELLA_CLIENT_URL, CELLA_HOST_NAME. */
enum cella_status cella_client_http_new(const struct cella_client_http_options *options,
                                        struct cella_client_http **ret_http, struct cella_error *error);
/* NULL is allowed. */
void cella_client_http_free(struct cella_client_http *http);

struct cella_client_transport cella_client_http_transport(struct cella_client_http *http);

enum cella_client_method { CELLA_CLIENT_GET, CELLA_CLIENT_POST, CELLA_CLIENT_DELETE };

struct cella_client_exchange {
    enum cella_client_method method;
    const char *target; /* "/v1/status" */
    struct cella_bytes body;
    size_t limit;     /* of the answer's bytes */
    unsigned wait_ms; /* more than the time-out */
};
/* One exchange; `*ret_data` is the answer's body, from malloc, NULL if it is empty. What the host refuses is
 * the status that it names. CELLA_HOST_UNREACHABLE: nothing was sent; CELLA_UNAVAILABLE: it may have arrived;
 * CELLA_CLIENT_TLS, CELLA_LIMIT, CELLA_HTTP_ANSWER. */
enum cella_status cella_client_http_exchange(struct cella_client_http *http,
                                             const struct cella_client_exchange *what, uint8_t **ret_data,
                                             size_t *ret_size, struct cella_error *error);

/* What a host's answer means: CELLA_OK for 200 and 204, else the status and message of its JSON.
 * CELLA_HTTP_ANSWER: no answer of this interface. */
enum cella_status cella_client_http_judge(long code, struct cella_bytes body, struct cella_error *error);

/* Is this the URL of a host? CELLA_CLIENT_URL. */
enum cella_status cella_client_http_url_check(const char *url, struct cella_error *error);

#endif
