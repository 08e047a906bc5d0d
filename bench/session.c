/* Mail in sessions with the echo enclave: 1 KiB request and reply, through host.h and through HTTP. */
#include "fixture.h"
#include "host/http.h"
#include "http_load.h"
#include "raw.h"
#include "base/hex.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_CLIENTS = 64, HOST_MAILS = 500, HTTP_CLIENTS = 50 };
static const double HTTP_SECONDS = 0.5;

/* --- host.h: mail is sealed before and opened after the measured time, so that what is measured is the way
 * to the enclave, the opening and sealing there, and the way back. --- */

struct host_client {
    struct fixture_client base;
    struct host_bench *bench;
    unsigned next;
    uint8_t *mails[HOST_MAILS];
    size_t mail_sizes[HOST_MAILS];
    uint8_t *replies[HOST_MAILS];
    size_t reply_sizes[HOST_MAILS];
};

struct host_bench {
    struct fixture *fixture;
    struct host_client clients[HOST_CLIENTS];
    atomic_uint open_clients;
    pthread_mutex_t mutex;
    pthread_cond_t all_done;
    struct raw_aead aead;
};

static void prepare(struct host_client *client) {
    for (unsigned i = 0; i < HOST_MAILS; i++) {
        (void)fixture_client_seal(&client->base);
        client->mails[i] = client->base.mail;
        client->mail_sizes[i] = client->base.mail_size;
        client->base.mail = NULL;
    }
    client->next = 0;
}

static void finish(struct host_client *client) {
    for (unsigned i = 0; i < HOST_MAILS; i++) {
        fixture_client_open(&client->base, CELLA_BYTES(client->replies[i], client->reply_sizes[i]));
        free(client->replies[i]);
        free(client->mails[i]);
    }
}

static void submit(struct host_client *client);

/* One mail of a client is under way at a time: the next one must not overtake it. */
static void on_reply(void *context, enum cella_status status, const char *message, struct cella_bytes reply) {
    struct host_client *client = context;
    bench_check(status, NULL, message);
    uint8_t *copy = malloc(reply.size);
    bench_require(copy != NULL, "memory");
    memcpy(copy, reply.data, reply.size);
    client->replies[client->next] = copy;
    client->reply_sizes[client->next++] = reply.size;
    submit(client);
}

static void submit(struct host_client *client) {
    struct host_bench *bench = client->bench;
    if (client->next < HOST_MAILS) {
        cella_host_mail(bench->fixture->enclave, client->base.route,
                        CELLA_BYTES(client->mails[client->next], client->mail_sizes[client->next]), on_reply,
                        client);
        return;
    }
    pthread_mutex_lock(&bench->mutex);
    if (atomic_fetch_sub(&bench->open_clients, 1) == 1)
        pthread_cond_signal(&bench->all_done);
    pthread_mutex_unlock(&bench->mutex);
}

static double through_host(void *context) {
    struct host_bench *bench = context;
    for (unsigned i = 0; i < HOST_CLIENTS; i++)
        prepare(&bench->clients[i]);
    atomic_store(&bench->open_clients, HOST_CLIENTS);
    double start = bench_now();
    for (unsigned i = 0; i < HOST_CLIENTS; i++)
        submit(&bench->clients[i]);
    pthread_mutex_lock(&bench->mutex);
    while (atomic_load(&bench->open_clients) > 0)
        pthread_cond_wait(&bench->all_done, &bench->mutex);
    pthread_mutex_unlock(&bench->mutex);
    double seconds = bench_now() - start;
    for (unsigned i = 0; i < HOST_CLIENTS; i++)
        finish(&bench->clients[i]);
    return HOST_CLIENTS * HOST_MAILS / seconds;
}

/* What the mail itself needs: opened once, sealed once, copied in and out. */
static void aead_and_copies(void *context, uint64_t count) {
    struct host_bench *bench = context;
    uint8_t plain[FIXTURE_BODY_SIZE] = {0};
    uint8_t sealed[FIXTURE_BODY_SIZE + 16];
    uint8_t copy[FIXTURE_BODY_SIZE + 16];
    for (uint64_t i = 0; i < count; i++) {
        raw_aead_seal(&bench->aead, plain, sizeof plain, sealed);
        memcpy(copy, sealed, sizeof copy);
        __asm__ volatile("" : : "r"(copy) : "memory");
        raw_aead_open(&bench->aead, copy, sizeof plain, plain);
        memcpy(copy, plain, sizeof plain);
        __asm__ volatile("" : : "r"(copy) : "memory");
    }
}

static double bare_mail(void *context) {
    return bench_rate(aead_and_copies, context);
}

static void measure_host(struct fixture *fixture) {
    struct host_bench *bench = calloc(1, sizeof *bench);
    bench_require(bench != NULL, "memory");
    *bench = (struct host_bench){
        .fixture = fixture, .mutex = PTHREAD_MUTEX_INITIALIZER, .all_done = PTHREAD_COND_INITIALIZER};
    raw_aead_init(&bench->aead);
    for (unsigned i = 0; i < HOST_CLIENTS; i++) {
        fixture_client_init(&bench->clients[i].base, fixture);
        bench->clients[i].bench = bench;
    }
    bench_compare(&(struct bench_pair){.name = "mail/session-host",
                                       .unit = "mails/s",
                                       .against = "two AES-256-GCM of 1 KiB and two copies, one thread",
                                       .aim = 0.5,
                                       .work = through_host,
                                       .base = bare_mail,
                                       .context = bench});
    for (unsigned i = 0; i < HOST_CLIENTS; i++)
        fixture_client_deinit(&bench->clients[i].base);
    raw_aead_deinit(&bench->aead);
    free(bench);
}

/* --- HTTP: the clients seal and open as clients do; the constant server gets the same bytes. --- */

struct http_bench {
    unsigned count;
    uint16_t port;
    uint16_t constant_port;
    struct fixture_client clients[HTTP_CLIENTS];
    struct http_load_client load[HTTP_CLIENTS];
    struct http_load_client constant_load[HTTP_CLIENTS];
};

static struct cella_bytes next_mail(void *context) {
    return fixture_client_seal(context);
}

static void take_reply(void *context, struct cella_bytes reply) {
    fixture_client_open(context, reply);
}

static struct cella_bytes same_mail(void *context) {
    const struct fixture_client *client = context;
    return CELLA_BYTES(client->mail, client->mail_size);
}

static void drop_reply(void *context, struct cella_bytes reply) {
    bench_require(reply.size == FIXTURE_BODY_SIZE, "the constant reply");
}

static double through_http(void *context) {
    struct http_bench *bench = context;
    return http_load_run(bench->port, bench->load, bench->count, HTTP_SECONDS);
}

static double constant_http(void *context) {
    struct http_bench *bench = context;
    return http_load_run(bench->constant_port, bench->constant_load, bench->count, HTTP_SECONDS);
}

static void prepare_client(struct http_bench *bench, unsigned i, const struct fixture *fixture) {
    char route[2 * CELLA_HOST_ROUTE_SIZE + 1];
    fixture_client_init(&bench->clients[i], fixture);
    cella_hex_encode(bench->clients[i].route, CELLA_HOST_ROUTE_SIZE, route);
    bench->load[i] =
        (struct http_load_client){.context = &bench->clients[i], .next = next_mail, .reply = take_reply};
    (void)snprintf(bench->load[i].target, sizeof bench->load[i].target, "/v1/enclaves/echo/mail?route=%s",
                   route);
    bench->constant_load[i] = bench->load[i];
    bench->constant_load[i].next = same_mail;
    bench->constant_load[i].reply = drop_reply;
}

static struct cella_http *serve(struct cella_host *host, struct cella_bytes constant_reply) {
    struct cella_http_options options = {.constant_reply = constant_reply};
    struct cella_http *http = NULL;
    struct cella_error error = {0};
    bench_check(cella_http_listen_parse("127.0.0.1:0", &options.listen, &error), &error, "address");
    bench_check(cella_http_new(host, &options, &http, &error), &error, "HTTP server");
    return http;
}

static void measure_http(struct fixture *fixture) {
    static uint8_t constant[FIXTURE_BODY_SIZE];
    struct http_bench *bench = calloc(1, sizeof *bench);
    bench_require(bench != NULL, "memory");
    struct cella_http *constant_http_server = serve(fixture->host, CELLA_BYTES(constant, sizeof constant));
    struct cella_http *http = serve(fixture->host, CELLA_BYTES(NULL, 0));
    bench->port = cella_http_port(http);
    bench->constant_port = cella_http_port(constant_http_server);
    for (unsigned i = 0; i < HTTP_CLIENTS; i++)
        prepare_client(bench, i, fixture);
    static const struct {
        const char *name;
        unsigned count;
    } rows[] = {{"mail/session-http-1", 1}, {"mail/session-http-50", HTTP_CLIENTS}};
    for (size_t i = 0; i < 2; i++) {
        bench->count = rows[i].count;
        bench_compare(&(struct bench_pair){.name = rows[i].name,
                                           .unit = "mails/s",
                                           .against = "the same HTTP server with a constant reply of 1 KiB",
                                           .aim = 0.5,
                                           .work = through_http,
                                           .base = constant_http,
                                           .context = bench});
    }
    for (unsigned i = 0; i < HTTP_CLIENTS; i++)
        fixture_client_deinit(&bench->clients[i]);
    cella_http_free(http);
    cella_http_free(constant_http_server);
    free(bench);
}

void bench_session(void) {
    bool host = bench_wanted("mail/session-host");
    bool http = bench_wanted("mail/session-http-1") || bench_wanted("mail/session-http-50");
    if (!host && !http)
        return;
    struct fixture fixture;
    fixture_init(&fixture);
    if (host)
        measure_host(&fixture);
    if (http)
        measure_http(&fixture);
    fixture_deinit(&fixture);
}
