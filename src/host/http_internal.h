/* What the files of the HTTP server share. */
#ifndef CELLA_HOST_HTTP_INTERNAL_H
#define CELLA_HOST_HTTP_INTERNAL_H

#include "host/host_internal.h"
#include "host/http.h"
#include <microhttpd.h>

#define CELLA_HTTP_INLINE_SIZE  4096
#define CELLA_HTTP_STATUS_COUNT 256
#define CELLA_HTTP_BUCKET_COUNT 16
#define CELLA_HTTP_METERS       256

/* What was answered about one enclave, or (with enclave NULL) about none. */
struct cella_http_meter {
    struct cella_host_enclave *enclave;
    _Atomic uint64_t by_status[CELLA_HTTP_STATUS_COUNT]; /* answers to mail, by cella_status */
    _Atomic uint64_t bytes_out;
    _Atomic uint64_t duration_ns;
    _Atomic uint64_t
        buckets[CELLA_HTTP_BUCKET_COUNT]; /* durations of mail up to 2^i * 32 us; the last: longer */
};

struct cella_http {
    struct cella_host *host;
    struct cella_http_options options;
    uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    bool has_token;
    uint16_t port; /* that it listens on */
    struct MHD_Daemon *daemon;
    int64_t started_at;
    uint64_t request_base;
    _Atomic uint64_t request_count;
    _Atomic uint64_t refused_requests;
    _Atomic size_t body_bytes;
    _Atomic size_t reply_bytes;
    _Atomic unsigned open_requests; /* that wait for an enclave */
    _Atomic unsigned crowd;         /* requests that are still to come alone before one counts as alone */
    _Atomic bool closing;
    pthread_mutex_t lock; /* meters are added under it, read without */
    _Atomic unsigned meter_count;
    struct cella_http_meter *meters[CELLA_HTTP_METERS];
};

enum cella_http_step { CELLA_HTTP_STEP_HEAD, CELLA_HTTP_STEP_BODY, CELLA_HTTP_STEP_WAITING };
enum cella_http_wait { CELLA_HTTP_PENDING, CELLA_HTTP_SUSPENDED, CELLA_HTTP_DONE };

/* One request from its first line to the end of its answer. Belongs to the server thread of its connection,
 * but for the members below `wait` while it waits for an enclave. */
struct cella_http_request {
    struct cella_http *http;
    struct MHD_Connection *connection;
    struct cella_http_target target;
    enum cella_http_method method;
    enum cella_http_step step;
    struct cella_host_enclave *enclave;
    struct cella_http_meter *meter;
    uint64_t number;
    int64_t began_ns;
    int64_t body_deadline_ms;
    size_t body_limit;
    uint8_t *body; /* NULL: `space` */
    size_t body_size;
    size_t body_capacity;
    size_t discarded;
    struct cella_http_start *start;

    _Atomic int wait;
    enum cella_status status;
    struct cella_error error;
    uint8_t *reply; /* NULL: `space` */
    size_t reply_size;

    uint8_t space[CELLA_HTTP_INLINE_SIZE]; /* body, then reply, when they are small */
};

/* Called by the library: at a request's first line, for each piece of it, at its end. */
void *cella_http_on_target(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result cella_http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *upload_data,
                                      size_t *upload_data_size, void **request_context);
void cella_http_on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                             enum MHD_RequestTerminationCode code);

/* Answers. Each queues one response and returns what the server thread returns. */
enum MHD_Result cella_http_answer_error(struct cella_http_request *request, enum cella_status status,
                                        const struct cella_error *error);
/* Takes `text` over (from malloc). */
enum MHD_Result cella_http_answer_text(struct cella_http_request *request, unsigned code, const char *type,
                                       char *text, size_t size);
enum MHD_Result cella_http_answer_bytes(struct cella_http_request *request);

/* The HTTP status code that carries a status. */
unsigned cella_http_code(enum cella_status status);

enum MHD_Result cella_http_show_enclaves(struct cella_http_request *request);
enum MHD_Result cella_http_show_status(struct cella_http_request *request);
enum MHD_Result cella_http_show_metrics(struct cella_http_request *request);

/* Has a start or a stop carried out by a thread of its own, which then ends the request's wait. */
void cella_http_operate(struct cella_http_request *request);
/* Ends a request's wait; a cella_host_done whose context is the request. */
void cella_http_done(void *context, enum cella_status status, const char *message, struct cella_bytes reply);

struct cella_http_meter *cella_http_meter(struct cella_http *http, struct cella_host_enclave *enclave);
void cella_http_meter_mail(struct cella_http_request *request, enum cella_status status, size_t bytes_out);

/* Resident memory of a process, bytes; 0 for process 0 and one that is gone. */
uint64_t cella_http_resident_bytes(int process_id);
/* Of an enclave's keeper and instance together. */
uint64_t cella_http_resident_of(const struct cella_host_enclave_state *state);
int64_t cella_http_ticks_ns(void);

#endif
