/* A host in the foreground. Must not: leave an instance behind when it is told to stop. */
#include "cli/serve.h"
#include "cli/verb_image.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/serve_log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct cli_serve {
    struct cli_serve_options options;
    char state_path[PATH_MAX];
    struct cli_serve_log log;
    uint8_t token[CELLA_HTTP_TOKEN_SIZE];
    struct cella_host *host;
    struct cella_http *http;
    char url[128];
    int lock_fd;  /* of the state folder's lock */
    int listener; /* bound before anything is started; -1 once the server has it */
    sigset_t signals;
    pthread_mutex_t lock; /* the end below */
    bool ended;
    struct cella_error end;
};

bool cli_serve_log_option(struct cli_serve_options *options, const char *text) {
    options->log_json = strcmp(text, "json") == 0;
    return options->log_json || strcmp(text, "text") == 0;
}

bool cli_serve_level_option(struct cli_serve_options *options, const char *text) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            options->log_level = (enum cli_log_level)i;
            return true;
        }
    return false;
}

/* An instance ended by itself. */
static void on_ended(void *context, struct cella_host_enclave *enclave, enum cella_status status,
                     const char *reason) {
    struct cli_serve *serve = context;
    if (!serve->options.end_with_enclave)
        return;
    pthread_mutex_lock(&serve->lock);
    serve->ended = true;
    cella_fail(&serve->end, status == CELLA_OK ? CELLA_CLOSED : status, "the instance ended: %s", reason);
    pthread_mutex_unlock(&serve->lock);
    kill(getpid(), SIGUSR1);
}

static void on_log(void *context, const char *level, const char *enclave, const char *event,
                   const char *facts) {
    struct cli_serve *serve = context;
    cli_serve_log(&serve->log, level, enclave, event, facts);
}

/* One host at a time uses a state folder. */
static enum cella_status lock_state(struct cli_serve *serve, struct cella_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/lock", serve->state_path) >= (int)sizeof path)
        return cella_fail(error, CELLA_ARGUMENT, "the path of the state folder is too long");
    serve->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (serve->lock_fd < 0)
        return cella_fail(error, CELLA_PERMISSION, "cannot open %s: %s", path, strerror(errno));
    if (flock(serve->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return cella_fail(error, CELLA_HOST_BUSY, "another host uses the state folder %s", serve->state_path);
    return CELLA_OK;
}

enum cella_status cli_serve_new(const struct cli_serve_options *options, struct cli_serve **ret_serve,
                                struct cella_error *error) {
    struct cli_serve *serve = calloc(1, sizeof *serve);
    if (serve == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a host");
    serve->options = *options;
    serve->lock_fd = -1;
    serve->listener = -1;
    serve->log = (struct cli_serve_log){.json = options->log_json, .level = options->log_level};
    snprintf(serve->state_path, sizeof serve->state_path, "%s", options->state_path);
    pthread_mutex_init(&serve->lock, NULL);
    /* Every thread inherits the mask: signals arrive only in cli_serve_wait. */
    sigemptyset(&serve->signals);
    sigaddset(&serve->signals, SIGTERM);
    sigaddset(&serve->signals, SIGINT);
    sigaddset(&serve->signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &serve->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    enum cella_status status = lock_state(serve, error);
    if (status == CELLA_OK)
        status = cella_http_token_load(serve->state_path, true, serve->token, error);
    char vaults[PATH_MAX + 8];
    snprintf(vaults, sizeof vaults, "%s/vaults", serve->state_path);
    struct cella_host_options host = {.restart_limit = options->restart_limit,
                                      .vaults_path = vaults,
                                      .events = {.context = serve, .ended = on_ended, .log = on_log}};
    if (status == CELLA_OK)
        status = cella_http_bind(&serve->options.http.listen, &serve->listener, error);
    if (status == CELLA_OK)
        status = cella_host_new(&host, &serve->host, error);
    if (status != CELLA_OK) {
        cli_serve_free(serve);
        return status;
    }
    *ret_serve = serve;
    return CELLA_OK;
}

struct cella_host *cli_serve_host(struct cli_serve *serve) {
    return serve->host;
}

const char *cli_serve_url(const struct cli_serve *serve) {
    return serve->url;
}

static void format_url(struct cli_serve *serve) {
    const struct sockaddr_storage *listen = &serve->options.http.listen;
    char address[INET6_ADDRSTRLEN] = "127.0.0.1";
    bool v6 = listen->ss_family == AF_INET6;
    if (v6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)listen)->sin6_addr, address, sizeof address);
    else if (listen->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)listen)->sin_addr, address, sizeof address);
    /* Listening everywhere, this computer reaches it by its own address. */
    const char *name = address;
    if (strcmp(address, "0.0.0.0") == 0)
        name = "127.0.0.1";
    else if (strcmp(address, "::") == 0)
        name = "::1";
    snprintf(serve->url, sizeof serve->url, "%s://%s%s%s:%u",
             serve->options.http.key_path != NULL ? "https" : "http", v6 ? "[" : "", name, v6 ? "]" : "",
             cella_http_port(serve->http));
}

enum cella_status cli_serve_listen(struct cli_serve *serve, struct cella_error *error) {
    char path[PATH_MAX], line[sizeof serve->url + 1], facts[256];
    struct cella_http_options http = serve->options.http;
    http.token = serve->token;
    http.listener = &serve->listener;
    enum cella_status status = cella_http_new(serve->host, &http, &serve->http, error);
    if (status != CELLA_OK)
        return status;
    format_url(serve);
    int size = snprintf(line, sizeof line, "%s\n", serve->url);
    if (snprintf(path, sizeof path, "%s/url", serve->state_path) >= (int)sizeof path)
        return cella_fail(error, CELLA_ARGUMENT, "the path of the state folder is too long");
    status = cella_file_write(path, CELLA_BYTES(line, (size_t)size), CELLA_FILE_PUBLIC, error);
    snprintf(facts, sizeof facts, "version=" CELLA_VERSION " url=%s process=%d", serve->url, getpid());
    cli_serve_log(&serve->log, "info", NULL, "listening", facts);
    return status;
}

enum cella_status cli_serve_wait(struct cli_serve *serve, struct cella_error *error) {
    int number = 0;
    for (;;) {
        if (sigwait(&serve->signals, &number) != 0)
            return cella_fail(error, CELLA_INTERNAL, "cannot wait for signals");
        if (number != SIGUSR1)
            break;
        pthread_mutex_lock(&serve->lock);
        bool ended = serve->ended;
        if (ended && error != NULL)
            *error = serve->end;
        pthread_mutex_unlock(&serve->lock);
        if (ended)
            return serve->end.status;
    }
    cli_serve_log(&serve->log, "info", NULL, "stopping", number == SIGINT ? "signal=INT" : "signal=TERM");
    return CELLA_OK;
}

void cli_serve_free(struct cli_serve *serve) {
    if (serve == NULL)
        return;
    /* From here on a further signal kills. */
    sigset_t mortal = serve->signals;
    sigdelset(&mortal, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &mortal, NULL);
    cella_http_free(serve->http);
    cella_host_free(serve->host);
    if (serve->listener >= 0)
        close(serve->listener);
    if (serve->lock_fd >= 0)
        close(serve->lock_fd);
    cella_wipe(serve->token, sizeof serve->token);
    pthread_mutex_destroy(&serve->lock);
    free(serve);
}

enum cella_status cli_serve_check_image(const char *path, struct cella_error *error) {
    struct cli_image loaded = {0};
    enum cella_status status = cli_image_load(path, &loaded, error);
    if (status == CELLA_OK)
        status = cella_image_verify(&loaded.image, error);
    cli_image_unload(&loaded);
    return status == CELLA_OK ? CELLA_OK : cella_fail_context(error, status, "%s", path);
}

enum cella_status cli_serve_check_listen(const struct cli_serve_options *options, struct cella_error *error) {
    struct cella_host *host = NULL;
    struct cella_http *http = NULL;
    enum cella_status status = cella_host_new(NULL, &host, error);
    if (status == CELLA_OK)
        status = cella_http_new(host, &options->http, &http, error);
    cella_http_free(http);
    cella_host_free(host);
    return status;
}
