/* A client's life: new, open, store, attest, free. Must not: speak to an instance that was not verified, or
 * overwrite a state that it did not read. */
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "client/client_internal.h"
#include "crypto/random.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int64_t system_now(void *context) {
    return (int64_t)time(NULL);
}

static void system_pause(void *context, unsigned ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* One process at a time uses a state file. The lock is a file beside it, because the state itself is replaced
 * by every write. */
static enum cella_status lock_state(struct cella_client *client, struct cella_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s.lock", client->state_path) >= (int)sizeof path)
        return cella_fail(error, CELLA_ARGUMENT, "the path of the state file is too long");
    client->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (client->lock < 0)
        return cella_fail(error, errno == ENOENT ? CELLA_NOT_FOUND : CELLA_PERMISSION, "cannot open %s: %s",
                          path, strerror(errno));
    if (flock(client->lock, LOCK_EX | LOCK_NB) != 0)
        return cella_fail(error, CELLA_CLIENT_BUSY, "%s is in use by another process", client->state_path);
    return CELLA_OK;
}

static enum cella_status begin(const struct cella_client_options *options, struct cella_client **ret_client,
                               struct cella_error *error) {
    struct cella_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a client");
    client->lock = -1;
    client->attempt_limit = options->attempt_limit == 0 ? 5 : options->attempt_limit;
    client->empty_first_message = options->empty_first_message;
    client->look_only = options->look_only;
    client->padding = options->no_padding ? CELLA_MAIL_PADDING_NONE : CELLA_MAIL_PADDING_CLASS;
    client->now = options->now != NULL ? options->now : system_now;
    client->pause = options->pause != NULL ? options->pause : system_pause;
    client->time_context = options->time_context;
    enum cella_status status = CELLA_OK;
    if (options->state_path != NULL) {
        client->state_path = strdup(options->state_path);
        if (client->state_path == NULL)
            status = cella_fail(error, CELLA_NO_MEMORY, "no memory for a client");
        else if (!client->look_only)
            status = lock_state(client, error);
    }
    if (status != CELLA_OK) {
        cella_client_free(client);
        return status;
    }
    *ret_client = client;
    return CELLA_OK;
}

/* Replaces a text of the state if one is given; `kept` (NULL for a new client) takes the one before. */
static enum cella_status take_text(char **text, char **kept, const char *given, size_t limit,
                                   const char *what, struct cella_error *error) {
    if (given == NULL && *text != NULL)
        return CELLA_OK;
    if (given != NULL && strlen(given) > limit)
        return cella_fail(error, CELLA_LIMIT, "the %s has more than %zu characters", what, limit);
    if (given != NULL && *text != NULL && strcmp(given, *text) == 0)
        return CELLA_OK;
    char *copy = strdup(given == NULL ? "" : given);
    if (copy == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a client");
    if (*text != NULL)
        *kept = *text;
    *text = copy;
    return CELLA_OK;
}

static void drop_settings(struct cella_client_settings *settings) {
    free(settings->url);
    free(settings->enclave);
    free(settings->constraint);
    *settings = (struct cella_client_settings){.url = NULL};
}

bool cella_client_settings_on_trial(const struct cella_client *client) {
    return client->kept.url != NULL || client->kept.enclave != NULL || client->kept.constraint != NULL;
}

void cella_client_settings_proven(struct cella_client *client) {
    client->dirty |= cella_client_settings_on_trial(client);
    drop_settings(&client->kept);
}

enum cella_status cella_client_may_speak(const struct cella_client *client, struct cella_error *error) {
    return client->look_only
               ? cella_fail(error, CELLA_ARGUMENT, "this client was opened to look only: it keeps nothing")
               : CELLA_OK;
}

static enum cella_status connect_transport(struct cella_client *client,
                                           const struct cella_client_options *options,
                                           struct cella_error *error) {
    if (options->transport != NULL) {
        client->transport = *options->transport;
        return CELLA_OK;
    }
    if (client->state.url[0] == '\0' && client->state.enclave[0] == '\0')
        return CELLA_OK;
    struct cella_client_http_options http = {
        .url = client->state.url,
        .enclave = client->state.enclave,
        .ca_path = options->ca_path,
        .timeout_ms = options->timeout_ms == 0 ? 30000 : options->timeout_ms,
        .mail_limit = options->mail_limit == 0 ? (size_t)64 << 20 : options->mail_limit};
    enum cella_status status = cella_client_http_new(&http, &client->http, error);
    if (status == CELLA_OK)
        client->transport = cella_client_http_transport(client->http);
    return status;
}

static enum cella_status take_options(struct cella_client *client, const struct cella_client_options *options,
                                      struct cella_error *error) {
    struct cella_client_state *state = &client->state;
    enum cella_status status =
        take_text(&state->url, &client->kept.url, options->url, CELLA_CLIENT_URL_LIMIT, "URL", error);
    if (status == CELLA_OK)
        status = take_text(&state->enclave, &client->kept.enclave, options->enclave, CELLA_CLIENT_NAME_LIMIT,
                           "enclave's name", error);
    if (status == CELLA_OK)
        status = take_text(&state->constraint, &client->kept.constraint, options->constraint,
                           CELLA_CONSTRAINT_LINE_MAX, "constraint", error);
    client->has_constraint = status == CELLA_OK && state->constraint[0] != '\0';
    if (client->has_constraint)
        status = cella_constraint_parse(CELLA_BYTES(state->constraint, strlen(state->constraint)),
                                        &client->constraint, error);
    return status == CELLA_OK ? connect_transport(client, options, error) : status;
}

static enum cella_status make_key(struct cella_client *client, struct cella_error *error) {
    enum cella_status status = cella_x25519_generate(&client->key);
    if (status == CELLA_OK)
        status = cella_random(client->state.route, sizeof client->state.route);
    if (status != CELLA_OK)
        return cella_fail(error, status, "cannot make a key");
    memcpy(client->state.private_key, client->key.private_key, sizeof client->state.private_key);
    client->dirty = true;
    return CELLA_OK;
}

static void swap(char **left, char **right) {
    char *held = *left;
    if (*right != NULL) {
        *left = *right;
        *right = held;
    }
}

/* Between the settings in memory and the ones that the file goes on saying. */
static void swap_settings(struct cella_client *client) {
    swap(&client->state.url, &client->kept.url);
    swap(&client->state.enclave, &client->kept.enclave);
    swap(&client->state.constraint, &client->kept.constraint);
}

static enum cella_status write_file(struct cella_client *client, bool create, struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    swap_settings(client);
    enum cella_status status = cella_client_state_write(&client->state, &data, &size);
    swap_settings(client);
    if (status != CELLA_OK)
        return cella_fail(error, status, "cannot write the client's state");
    status = create
                 ? cella_file_create(client->state_path, CELLA_BYTES(data, size), CELLA_FILE_PRIVATE, error)
                 : cella_file_write(client->state_path, CELLA_BYTES(data, size), CELLA_FILE_PRIVATE, error);
    cella_wipe_free(data, size);
    return status;
}

enum cella_status cella_client_new(const struct cella_client_options *options,
                                   struct cella_client **ret_client, struct cella_error *error) {
    struct cella_client *client = NULL;
    enum cella_status status = begin(options, &client, error);
    if (status != CELLA_OK)
        return status;
    status = take_options(client, options, error);
    if (status == CELLA_OK)
        status = make_key(client, error);
    if (status == CELLA_OK && client->state_path != NULL)
        status = write_file(client, true, error);
    if (status != CELLA_OK) {
        client->dirty = false;
        cella_client_free(client);
        return status;
    }
    client->dirty = false;
    *ret_client = client;
    return CELLA_OK;
}

static enum cella_status read_state(struct cella_client *client, struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status =
        cella_file_read_private(client->state_path, CELLA_CLIENT_STATE_LIMIT, &data, &size, error);
    if (status != CELLA_OK)
        return status;
    status = cella_client_state_parse(CELLA_BYTES(data, size), &client->state, error);
    cella_wipe_free(data, size);
    if (status != CELLA_OK)
        return cella_fail_context(error, status, "%s", client->state_path);
    status = cella_x25519_from_private(&client->key, client->state.private_key);
    if (status != CELLA_OK)
        return cella_fail(error, status, "cannot use the key in %s", client->state_path);
    if (client->state.session == NULL)
        return CELLA_OK;
    status = cella_mail_session_import(&client->key,
                                       CELLA_BYTES(client->state.session, client->state.session_size),
                                       &client->session, error);
    if (status == CELLA_OK)
        cella_mail_session_set_judge(client->session, cella_client_judge, client);
    return status == CELLA_DAMAGED
               ? cella_fail(error, CELLA_CLIENT_STATE, "%s: the session in it is damaged", client->state_path)
               : status;
}

enum cella_status cella_client_open(const struct cella_client_options *options,
                                    struct cella_client **ret_client, struct cella_error *error) {
    if (options->state_path == NULL)
        return cella_fail(error, CELLA_ARGUMENT, "a client is opened from a state_path");
    if (access(options->state_path, F_OK) != 0 && errno == ENOENT)
        return cella_fail(error, CELLA_NOT_FOUND, "there is no client %s", options->state_path);
    struct cella_client *client = NULL;
    enum cella_status status = begin(options, &client, error);
    if (status != CELLA_OK)
        return status;
    status = read_state(client, error);
    if (status == CELLA_OK)
        status = take_options(client, options, error);
    if (status != CELLA_OK) {
        client->dirty = false;
        cella_client_free(client);
        return status;
    }
    *ret_client = client;
    return CELLA_OK;
}

enum cella_status cella_client_store(struct cella_client *client, struct cella_error *error) {
    if (client->state_path == NULL || client->look_only || !client->dirty)
        return CELLA_OK;
    if (client->session != NULL) {
        uint8_t *session = NULL;
        size_t size = 0;
        enum cella_status status = cella_mail_session_export(client->session, &session, &size);
        if (status != CELLA_OK)
            return cella_fail(error, status, "cannot write the session");
        cella_wipe_free(client->state.session, client->state.session_size);
        client->state.session = session;
        client->state.session_size = size;
    }
    enum cella_status status = write_file(client, false, error);
    if (status == CELLA_OK) {
        client->dirty = false;
        client->unstored_head = false;
    }
    return status;
}

enum cella_status cella_client_save(struct cella_client *client, struct cella_error *error) {
    return cella_client_store(client, error);
}

void cella_client_free(struct cella_client *client) {
    if (client == NULL)
        return;
    cella_client_store(client, NULL);
    cella_mail_session_free(client->session);
    cella_client_state_deinit(&client->state);
    drop_settings(&client->kept);
    cella_x25519_deinit(&client->key);
    cella_client_http_free(client->http);
    if (client->lock >= 0)
        close(client->lock);
    free(client->attestation);
    free(client->evidence);
    free(client->state_path);
    free(client);
}

void cella_client_public_key(const struct cella_client *client, uint8_t ret_key[CELLA_CLIENT_KEY_SIZE]) {
    memcpy(ret_key, client->key.public_key, CELLA_CLIENT_KEY_SIZE);
}
