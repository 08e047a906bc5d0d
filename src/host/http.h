/* The host's HTTP interface (formats/http.md): carries mail, polls, attestations and the operator's calls to
 * a cella_host. Must not: look into mail, or block one of its threads on an enclave. */
#ifndef CELLA_HOST_HTTP_H
#define CELLA_HOST_HTTP_H

#include <cella/host.h>
#include "host/http_parse.h"
#include <sys/socket.h>

struct cella_http;

/* Every 0 and NULL takes the default that is named beside it. */
struct cella_http_options {
    struct sockaddr_storage listen; /* 127.0.0.1:7700; port 0: any free one */
    int *listener; /* a socket of cella_http_bind, which the server takes (-1 is left); NULL: binds its own */
    const char *certificate_path; /* PEM; with a key the server speaks TLS only */
    const char *key_path;
    const uint8_t *token;      /* CELLA_HTTP_TOKEN_SIZE bytes; NULL: every call of an operator is refused */
    bool operator_remote;      /* operator's calls from other computers too */
    size_t body_limit;         /* 65 MiB: one body */
    size_t body_total_limit;   /* 512 MiB: bodies that are being received at one time */
    size_t reply_total_limit;  /* 512 MiB: replies of more than 4 KiB that are being sent at one time */
    unsigned connection_limit; /* 1,024 */
    unsigned connection_limit_per_address; /* 256 */
    unsigned idle_timeout_s;               /* 75: a connection on which nothing happens */
    unsigned body_timeout_s;               /* 120: from a request's head to the end of its body */
    unsigned thread_count;                 /* one per processor, at most 8 */
    unsigned spin_us; /* 50, on one processor 0: how long a thread looks for the reply to the only request */
    struct cella_bytes
        constant_reply; /* for benchmarks: answers every mail with these bytes, asks no enclave */
};

/* Takes the address (AF_UNSPEC: the default), so that it is known to be free before anything is started.
 * Nobody can connect yet. CELLA_HTTP_LISTEN names the address. */
enum cella_status cella_http_bind(const struct sockaddr_storage *listen, int *ret_listener,
                                  struct cella_error *error);

/* Listens and serves `host` until cella_http_free. CELLA_HTTP_LISTEN, CELLA_HTTP_TLS, CELLA_UNSUPPORTED (a
 * TLS that the library lacks). */
enum cella_status cella_http_new(struct cella_host *host, const struct cella_http_options *options,
                                 struct cella_http **ret_http, struct cella_error *error);

/* The port that it listens on. */
uint16_t cella_http_port(const struct cella_http *http);

/* Stops listening, closes the host's instances in an orderly way (open requests are answered), ends. NULL is
 * allowed. The host is freed by the caller, afterwards. */
void cella_http_free(struct cella_http *http);

/* Reads the operator's token in `folder`/token, made there with mode 0600 if there is none. CELLA_PERMISSION:
 * others may read it. CELLA_DAMAGED. */
enum cella_status cella_http_token_load(const char *folder, bool create,
                                        uint8_t ret_token[CELLA_HTTP_TOKEN_SIZE], struct cella_error *error);

#endif
