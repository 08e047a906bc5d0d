/* State folder, bodies and operator's connections of the verbs. Must not: print. */
#include "cli/place.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "client/http.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPERATOR_TIMEOUT_MS 60000
#define SMALL_FILE_LIMIT    4096

/* Makes each missing folder on the way, for its owner only. */
static enum cella_status make_folders(const char *folder, struct cella_error *error) {
    char path[PATH_MAX];
    size_t size = strlen(folder);
    memcpy(path, folder, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char before = path[i];
        path[i] = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return cella_fail(error, CELLA_IO, "cannot make the folder %s: %s", path, strerror(errno));
        path[i] = before;
    }
    return CELLA_OK;
}

enum cella_status cli_state_folder(const char *given, bool make, char ret_folder[PATH_MAX],
                                   struct cella_error *error) {
    const char *state_home = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int size = -1;
    if (given != NULL)
        size = snprintf(ret_folder, PATH_MAX, "%s", given);
    else if (state_home != NULL && state_home[0] == '/')
        size = snprintf(ret_folder, PATH_MAX, "%s/cella", state_home);
    else if (home != NULL && home[0] == '/')
        size = snprintf(ret_folder, PATH_MAX, "%s/.local/state/cella", home);
    if (size <= 0 || size >= PATH_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "name the state folder with --state");
    return make ? make_folders(ret_folder, error) : CELLA_OK;
}

static enum cella_status read_stream(FILE *in, size_t limit, uint8_t **ret_data, size_t *ret_size,
                                     struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (size == capacity) {
            capacity = capacity == 0 ? 65536 : 2 * capacity;
            uint8_t *grown = realloc(data, capacity);
            if (grown == NULL) {
                free(data);
                return cella_fail(error, CELLA_NO_MEMORY, "no memory for standard input");
            }
            data = grown;
        }
        size_t count = fread(data + size, 1, capacity - size, in);
        size += count;
        if (count == 0 || size > limit)
            break;
    }
    if (size > limit || ferror(in)) {
        free(data);
        return size > limit ? cella_fail(error, CELLA_LIMIT, "standard input has more than %zu bytes", limit)
                            : cella_fail(error, CELLA_IO, "cannot read standard input");
    }
    *ret_data = data;
    *ret_size = size;
    return CELLA_OK;
}

enum cella_status cli_read_body(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size,
                                struct cella_error *error) {
    if (path == NULL || strcmp(path, "-") == 0)
        return read_stream(stdin, limit, ret_data, ret_size, error);
    return cella_file_read(path, limit, ret_data, ret_size, error);
}

enum cella_status cli_write_body(struct cella_bytes bytes, struct cella_error *error) {
    bool good = bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size;
    if (!good || fflush(stdout) != 0)
        return cella_fail(error, CELLA_IO, "cannot write to standard output: %s", strerror(errno));
    return CELLA_OK;
}

bool cli_read_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_number) {
    if (text[0] < '0' || text[0] > '9')
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < low || value > high)
        return false;
    *ret_number = value;
    return true;
}

/* One line of a small file in the state folder, without its end. */
static enum cella_status read_line(const char *folder, const char *name, bool secret, char **ret_line,
                                   struct cella_error *error) {
    char path[PATH_MAX];
    uint8_t *data = NULL;
    size_t size = 0;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return cella_fail(error, CELLA_ARGUMENT, "the path of the state folder is too long");
    enum cella_status status = secret ? cella_file_read_private(path, SMALL_FILE_LIMIT, &data, &size, error)
                                      : cella_file_read(path, SMALL_FILE_LIMIT, &data, &size, error);
    if (status != CELLA_OK)
        return status;
    data[strcspn((const char *)data, "\r\n")] = '\0';
    *ret_line = (char *)data;
    return CELLA_OK;
}

enum cella_status cli_operator_new(const struct cli_operator_options *options,
                                   struct cella_client_http **ret_http, struct cella_error *error) {
    char folder[PATH_MAX];
    char *token = NULL, *url = NULL;
    enum cella_status status = cli_state_folder(options->state, false, folder, error);
    if (status == CELLA_OK)
        status = read_line(folder, "token", true, &token, error);
    if (status == CELLA_OK && options->url == NULL)
        status = read_line(folder, "url", false, &url, error);
    if (status == CELLA_OK)
        status = cella_client_http_new(
            &(struct cella_client_http_options){.url = options->url != NULL ? options->url : url,
                                                .token = token,
                                                .ca_path = options->ca_path,
                                                .timeout_ms = OPERATOR_TIMEOUT_MS},
            ret_http, error);
    if (token != NULL)
        cella_wipe_free(token, strlen(token));
    free(url);
    return status;
}
