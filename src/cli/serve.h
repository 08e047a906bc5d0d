/* A host in the foreground, for the verbs host and run: log, state folder, server, signals. */
#ifndef CELLA_CLI_SERVE_H
#define CELLA_CLI_SERVE_H

#include <cella/host.h>
#include "host/http.h"
#include <limits.h>

enum cli_log_level { CLI_LOG_DEBUG, CLI_LOG_INFO, CLI_LOG_WARNING, CLI_LOG_ERROR };

struct cli_serve_options {
    const char *state_path; /* a folder that exists */
    unsigned restart_limit;
    bool log_json;
    enum cli_log_level log_level;
    bool end_with_enclave; /* ends when an instance ended by itself and is not restarted */
    struct cella_http_options http;
};

struct cli_serve;

/* What a start would find out, without one: the image is whole and signed; TLS loads and the address is free.
 */
enum cella_status cli_serve_check_image(const char *path, struct cella_error *error);
enum cella_status cli_serve_check_listen(const struct cli_serve_options *options, struct cella_error *error);

/* Takes the signals, makes the host and its token. Before any other thread is started. */
enum cella_status cli_serve_new(const struct cli_serve_options *options, struct cli_serve **ret_serve,
                                struct cella_error *error);
struct cella_host *cli_serve_host(struct cli_serve *serve);
/* Listens, and writes the URL to the state folder. */
enum cella_status cli_serve_listen(struct cli_serve *serve, struct cella_error *error);
const char *cli_serve_url(const struct cli_serve *serve);
/* Until SIGTERM or SIGINT. The status of an instance's end with end_with_enclave. */
enum cella_status cli_serve_wait(struct cli_serve *serve, struct cella_error *error);
/* Orderly; a second signal kills. NULL is allowed. */
void cli_serve_free(struct cli_serve *serve);

/* Options that host and run share; returns false for a value that is wrong. */
bool cli_serve_log_option(struct cli_serve_options *options, const char *text);
bool cli_serve_level_option(struct cli_serve_options *options, const char *text);

#endif
