/* Where the verbs of a running host find each other: the state folder with token and URL; and how they read a
 * body. */
#ifndef CELLA_CLI_PLACE_H
#define CELLA_CLI_PLACE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <limits.h>
#include <stdbool.h>

/* The state folder: `given`, else $XDG_STATE_HOME/cella, else $HOME/.local/state/cella. With `make` it is
 * made, mode 0700. CELLA_ARGUMENT: none of them is set or it is too long. */
enum cella_status cli_state_folder(const char *given, bool make, char ret_folder[PATH_MAX],
                                   struct cella_error *error);

/* Reads FILE, or standard input for "-" and NULL, up to `limit` bytes; the caller frees. */
enum cella_status cli_read_body(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size,
                                struct cella_error *error);

/* Writes all of it to standard output. */
enum cella_status cli_write_body(struct cella_bytes bytes, struct cella_error *error);

/* A whole number from `low` to `high`; 0 digits, signs and blanks are no number. */
bool cli_read_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_number);

/* An operator's connection: the URL and token of the host whose state folder it is. Strings may be NULL. */
struct cli_operator_options {
    const char *state;
    const char *url;
    const char *ca_path;
};
struct cella_client_http;
enum cella_status cli_operator_new(const struct cli_operator_options *options,
                                   struct cella_client_http **ret_http, struct cella_error *error);

#endif
