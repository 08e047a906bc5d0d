/* A load of HTTP requests on loopback: many connections, one request at a time on each, one thread. Speaks
 * only what this project's own server answers. Must not: cost more than the server that it measures. */
#ifndef CELLA_BENCH_HTTP_LOAD_H
#define CELLA_BENCH_HTTP_LOAD_H

#include <cella/bytes.h>
#include <stdint.h>

enum { HTTP_LOAD_BODY_LIMIT = 1 << 16 };

/* The traffic of one connection. */
struct http_load_client {
    void *context;
    /* The body of the next request, valid until its reply. */
    struct cella_bytes (*next)(void *context);
    /* The body of a 200 reply (empty for a 204), valid during the call. */
    void (*reply)(void *context, struct cella_bytes body);
    const char *header; /* NULL, or further lines of the request's head, each with its end */
    char target[256];   /* "/v1/enclaves/echo/mail?route=…" */
};

/* Sends requests on all connections for at least `seconds` and returns requests answered per second. Ends the
 * program on anything but a 200 or 204 reply. */
double http_load_run(uint16_t port, const struct http_load_client *clients, unsigned count, double seconds);

#endif
