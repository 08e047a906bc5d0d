/* The HTTP server: options, TLS, start and end.
 * Must not: end while a request waits for an enclave. */
#include "host/http.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "host/http_internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TLS_FILE_LIMIT ((size_t)1 << 20)

/* Targets are taken as they are: an escape in one is no name and no hex digit, and is refused as such. */
static size_t no_unescape(void *context, struct MHD_Connection *connection, char *text) {
    return strlen(text);
}

static void on_library_log(void *context, const char *format, va_list arguments) {
    struct cella_http *http = context;
    char line[512];
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\r\n")] = '\0';
    char clean[CELLA_LOG_TEXT_SIZE];
    cella_host_log(http->host, "warning", NULL, "http", "text=\"%s\"", cella_log_text(clean, line));
}

static void take_options(struct cella_http_options *to, const struct cella_http_options *from) {
    *to = *from;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
#define DEFAULT(member, value) to->member = to->member == 0 ? (value) : to->member
    DEFAULT(body_limit, (size_t)65 << 20);
    DEFAULT(body_total_limit, (size_t)512 << 20);
    DEFAULT(reply_total_limit, (size_t)512 << 20);
    DEFAULT(connection_limit, 1024);
    DEFAULT(connection_limit_per_address, 256);
    DEFAULT(idle_timeout_s, 75);
    DEFAULT(body_timeout_s, 120);
    DEFAULT(thread_count, processors < 1 ? 1 : processors > 8 ? 8 : (unsigned)processors);
    DEFAULT(spin_us, processors > 1 ? 50 : 0);
#undef DEFAULT
}

static enum cella_status fail_listen(const struct sockaddr_storage *listen, int number,
                                     struct cella_error *error) {
    char address[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)listen;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)listen;
    bool is_v6 = listen->ss_family == AF_INET6;
    inet_ntop(listen->ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, address,
              sizeof address);
    return cella_fail(error, CELLA_HTTP_LISTEN, "cannot listen on %s%s%s:%u: %s", is_v6 ? "[" : "", address,
                      is_v6 ? "]" : "", ntohs(is_v6 ? v6->sin6_port : v4->sin_port), strerror(number));
}

enum cella_status cella_http_bind(const struct sockaddr_storage *listen, int *ret_listener,
                                  struct cella_error *error) {
    struct sockaddr_storage address = *listen;
    if (address.ss_family == AF_UNSPEC)
        cella_http_listen_parse("127.0.0.1:7700", &address, NULL);
    bool v6 = address.ss_family == AF_INET6;
    const int on = 1;
    int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool bound = listener >= 0 && setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                 (!v6 || setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
                 bind(listener, (const struct sockaddr *)&address,
                      v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)) == 0;
    if (!bound) {
        int number = errno;
        if (listener >= 0)
            close(listener);
        return fail_listen(&address, number, error);
    }
    *ret_listener = listener;
    return CELLA_OK;
}

/* The socket that the caller bound, or one of its own; listening, so that the library says nothing of it. */
static enum cella_status take_listener(struct cella_http *http, int *ret_listener,
                                       struct cella_error *error) {
    struct cella_http_options *options = &http->options;
    int listener = -1;
    enum cella_status status = CELLA_OK;
    if (options->listener != NULL) {
        listener = *options->listener;
        *options->listener = -1;
    } else {
        status = cella_http_bind(&options->listen, &listener, error);
    }
    if (status != CELLA_OK)
        return status;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    if (listen(listener, SOMAXCONN) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        int number = errno;
        close(listener);
        if (address.ss_family == AF_UNSPEC)
            address = options->listen;
        return fail_listen(&address, number, error);
    }
    http->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                     : ((struct sockaddr_in *)&address)->sin_port);
    options->listen = address;
    options->listener = NULL;
    *ret_listener = listener;
    return CELLA_OK;
}

struct pem {
    uint8_t *certificate, *key;
    size_t certificate_size, key_size;
};

static enum cella_status load_pem(const struct cella_http_options *options, struct pem *pem,
                                  struct cella_error *error) {
    if (options->certificate_path == NULL && options->key_path == NULL)
        return CELLA_OK;
    if (options->certificate_path == NULL || options->key_path == NULL)
        return cella_fail(error, CELLA_HTTP_TLS, "TLS needs both a certificate and a key");
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return cella_fail(error, CELLA_UNSUPPORTED, "this libmicrohttpd was built without TLS");
    enum cella_status status = cella_file_read(options->certificate_path, TLS_FILE_LIMIT, &pem->certificate,
                                               &pem->certificate_size, error);
    if (status == CELLA_OK)
        status = cella_file_read_private(options->key_path, TLS_FILE_LIMIT, &pem->key, &pem->key_size, error);
    return status;
}

static enum cella_status start_daemon(struct cella_http *http, const struct pem *pem,
                                      struct cella_error *error) {
    const struct cella_http_options *options = &http->options;
    int listener = -1;
    enum cella_status status = take_listener(http, &listener, error);
    if (status != CELLA_OK)
        return status;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (options->listen.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0) |
                     (pem->key != NULL ? MHD_USE_TLS : 0);
    struct MHD_OptionItem more[5] = {{MHD_OPTION_END, 0, NULL}};
    size_t count = 0;
    if (options->thread_count > 1)
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, options->thread_count, NULL};
    if (pem->key != NULL) {
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, pem->certificate};
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, pem->key};
    }
    more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, cella_http_on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, http,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener, MHD_OPTION_URI_LOG_CALLBACK, cella_http_on_target,
        http, MHD_OPTION_NOTIFY_COMPLETED, cella_http_on_completed, http, MHD_OPTION_UNESCAPE_CALLBACK,
        no_unescape, NULL, MHD_OPTION_CONNECTION_LIMIT, options->connection_limit,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->connection_limit_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)32768, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (http->daemon != NULL)
        return CELLA_OK;
    int number = errno;
    close(listener);
    if (pem->key != NULL)
        return cella_fail(error, CELLA_HTTP_TLS, "the server does not start with this certificate and key");
    return fail_listen(&options->listen, number, error);
}

enum cella_status cella_http_new(struct cella_host *host, const struct cella_http_options *options,
                                 struct cella_http **ret_http, struct cella_error *error) {
    struct cella_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a server");
    http->host = host;
    take_options(&http->options, options);
    http->has_token = options->token != NULL;
    if (http->has_token)
        memcpy(http->token, options->token, sizeof http->token);
    http->options.token = NULL;
    http->started_at = cella_host_now();
    pthread_mutex_init(&http->lock, NULL);
    struct pem pem = {.key = NULL};
    enum cella_status status = cella_random(&http->request_base, sizeof http->request_base);
    if (status == CELLA_OK)
        status = load_pem(&http->options, &pem, error);
    if (status == CELLA_OK)
        status = start_daemon(http, &pem, error);
    free(pem.certificate);
    if (pem.key != NULL)
        cella_wipe_free(pem.key, pem.key_size);
    if (status != CELLA_OK) {
        cella_http_free(http);
        return status;
    }
    *ret_http = http;
    return CELLA_OK;
}

uint16_t cella_http_port(const struct cella_http *http) {
    return http->port;
}

void cella_http_free(struct cella_http *http) {
    if (http == NULL)
        return;
    atomic_store(&http->closing, true);
    if (http->daemon != NULL) {
        MHD_socket listener = MHD_quiesce_daemon(http->daemon);
        if (listener != MHD_INVALID_SOCKET)
            close(listener);
        cella_host_close(http->host);
    }
    /* Every request ends: its enclave is closed, its poll too. What is left is a callback's last
     * instructions. */
    while (atomic_load(&http->open_requests) > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    for (unsigned i = 0; i < atomic_load(&http->meter_count); i++)
        free(http->meters[i]);
    cella_wipe(http->token, sizeof http->token);
    pthread_mutex_destroy(&http->lock);
    free(http);
}
