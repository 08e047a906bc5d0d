/* The host object: the table of its enclaves, requests to them, what is known about them.
 * Must not: understand mail. */
#include "base/error.h"
#include "host/host_internal.h"
#include "keeper/control.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REFRESH_PERIOD_MS 60000
#define REPORT_TIMEOUT_MS 30000
#define CLOSE_TIMEOUT_MS  10000

static bool letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool cella_host_name_valid(const char *name) {
    if (!letter_or_digit(name[0]))
        return false;
    size_t size = 1;
    while (letter_or_digit(name[size]) || name[size] == '-' || name[size] == '_')
        if (++size > CELLA_HOST_NAME_LIMIT)
            return false;
    return name[size] == '\0';
}

void cella_host_log(struct cella_host *host, const char *level, const struct cella_host_enclave *enclave,
                    const char *event, const char *facts, ...) {
    const struct cella_host_events *events = &host->options.events;
    if (events->log == NULL)
        return;
    char text[1024];
    va_list arguments;
    va_start(arguments, facts);
    vsnprintf(text, sizeof text, facts, arguments);
    va_end(arguments);
    events->log(events->context, level, enclave == NULL ? NULL : enclave->name, event, text);
}

const char *cella_log_text(char out[CELLA_LOG_TEXT_SIZE], const char *text) {
    size_t size = 0;
    for (; text[size] != '\0' && size + 1 < CELLA_LOG_TEXT_SIZE; size++) {
        unsigned char c = (unsigned char)text[size];
        out[size] = c == '"' || c == '\\' ? '\'' : c < ' ' || c > '~' ? '?' : (char)c;
    }
    out[size] = '\0';
    return out;
}

/* The enclaves as they are now; none is ever removed before the host is freed. */
static size_t snapshot(struct cella_host *host, struct cella_host_enclave ***ret_list) {
    pthread_mutex_lock(&host->lock);
    size_t count = host->enclave_count;
    struct cella_host_enclave **list = count == 0 ? NULL : malloc(count * sizeof *list);
    if (list == NULL)
        count = 0;
    else
        memcpy(list, host->enclaves, count * sizeof *list);
    pthread_mutex_unlock(&host->lock);
    *ret_list = list;
    return count;
}

/* On the supervisor. */
static void refresh(struct cella_job *job) {
    struct cella_host *host = (struct cella_host *)((char *)job - offsetof(struct cella_host, refresh));
    atomic_store(&host->refresh_queued, false);
    struct cella_host_enclave **list = NULL;
    size_t count = snapshot(host, &list);
    for (size_t i = 0; i < count && !atomic_load(&host->closing); i++) {
        struct cella_host_enclave *enclave = list[i];
        pthread_mutex_lock(&enclave->lock);
        bool down = enclave->phase == CELLA_HOST_ENDED;
        pthread_mutex_unlock(&enclave->lock);
        /* A restart that failed is tried again, as often as the limit allows. */
        if (down)
            cella_enclave_reap(enclave);
        else
            cella_enclave_renew(enclave);
    }
    free(list);
}

/* On the timer: ends polls and waits for reports; wakes the supervisor once a minute. */
static int64_t expire(void *context, int64_t now_ms) {
    struct cella_host *host = context;
    struct cella_host_enclave **list = NULL;
    size_t count = snapshot(host, &list);
    int64_t next_ms = now_ms + REFRESH_PERIOD_MS;
    for (size_t i = 0; i < count; i++) {
        int64_t at = cella_posts_expire(&list[i]->posts, now_ms);
        if (at < next_ms)
            next_ms = at;
        at = cella_reports_expire(list[i], now_ms);
        if (at < next_ms)
            next_ms = at;
    }
    free(list);
    if (!atomic_exchange(&host->refresh_queued, true))
        cella_worker_submit(&host->supervisor, &host->refresh);
    return next_ms;
}

static void take_options(struct cella_host_options *to, const struct cella_host_options *from) {
    if (from != NULL)
        *to = *from;
#define DEFAULT(member, value) to->member = to->member == 0 ? (value) : to->member
    DEFAULT(enclave_limit, 64);
    DEFAULT(route_count_limit, 65536);
    DEFAULT(route_mail_limit, 256);
    DEFAULT(route_bytes_limit, (size_t)64 << 20);
    DEFAULT(queue_bytes_limit, (size_t)256 << 20);
    DEFAULT(poll_limit, 4096);
    DEFAULT(attestation_limit, 64);
    DEFAULT(report_timeout_ms, REPORT_TIMEOUT_MS);
#undef DEFAULT
}

static enum cella_status make_vaults(struct cella_host *host, struct cella_error *error) {
    host->vaults_path = strdup(host->options.vaults_path);
    host->options.vaults_path = host->vaults_path;
    if (host->vaults_path == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a host");
    if (mkdir(host->vaults_path, 0700) != 0 && errno != EEXIST)
        return cella_fail(error, CELLA_PERMISSION, "cannot make the folder of the vaults %s: %s",
                          host->vaults_path, strerror(errno));
    return CELLA_OK;
}

enum cella_status cella_host_new(const struct cella_host_options *options, struct cella_host **ret_host,
                                 struct cella_error *error) {
    struct cella_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a host");
    take_options(&host->options, options);
    pthread_mutex_init(&host->lock, NULL);
    host->refresh.run = refresh;
    host->close_timeout_ms = CLOSE_TIMEOUT_MS;
    enum cella_status status = CELLA_OK;
    host->enclaves = calloc(host->options.enclave_limit, sizeof *host->enclaves);
    if (host->options.keeper_path != NULL)
        host->keeper_path = strdup(host->options.keeper_path);
    if (host->enclaves == NULL || (host->options.keeper_path != NULL && host->keeper_path == NULL))
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for a host");
    host->options.keeper_path = host->keeper_path;
    if (status == CELLA_OK && host->options.vaults_path != NULL)
        status = make_vaults(host, error);
    if (status == CELLA_OK)
        status = cella_worker_init(&host->evidence_worker, error);
    if (status == CELLA_OK)
        status = cella_worker_init(&host->supervisor, error);
    if (status == CELLA_OK)
        status = cella_timer_init(&host->timer, expire, host, error);
    if (status != CELLA_OK) {
        cella_host_free(host);
        return status;
    }
    cella_timer_arm(&host->timer, cella_host_ticks_ms() + REFRESH_PERIOD_MS);
    *ret_host = host;
    return CELLA_OK;
}

static void *close_one(void *enclave) {
    cella_host_stop(enclave, ((struct cella_host_enclave *)enclave)->host->close_timeout_ms);
    return NULL;
}

void cella_host_close(struct cella_host *host) {
    atomic_store(&host->closing, true);
    struct cella_host_enclave **list = NULL;
    size_t count = snapshot(host, &list);
    for (size_t i = 0; i < count; i++)
        cella_posts_close(&list[i]->posts);
    /* All at one time: those that take their whole timeout shall not add up. */
    pthread_t *threads = count == 0 ? NULL : calloc(count, sizeof *threads);
    size_t started = 0;
    while (threads != NULL && started < count &&
           pthread_create(&threads[started], NULL, close_one, list[started]) == 0)
        started++;
    for (size_t i = started; i < count; i++)
        close_one(list[i]);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    free(list);
}

void cella_host_free(struct cella_host *host) {
    if (host == NULL)
        return;
    cella_host_close(host);
    cella_timer_deinit(&host->timer);
    cella_worker_deinit(&host->evidence_worker);
    cella_worker_deinit(&host->supervisor);
    for (size_t i = 0; i < host->enclave_count; i++)
        cella_enclave_free(host->enclaves[i]);
    free(host->enclaves);
    free(host->vaults_path);
    free(host->keeper_path);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

static struct cella_host_enclave *find_locked(struct cella_host *host, const char *name) {
    for (size_t i = 0; i < host->enclave_count; i++)
        if (strcmp(host->enclaves[i]->name, name) == 0)
            return host->enclaves[i];
    return NULL;
}

struct cella_host_enclave *cella_host_find(struct cella_host *host, const char *name) {
    pthread_mutex_lock(&host->lock);
    struct cella_host_enclave *enclave = find_locked(host, name);
    pthread_mutex_unlock(&host->lock);
    return enclave;
}

static enum cella_status find_or_make(struct cella_host *host, const char *name,
                                      struct cella_host_enclave **ret_enclave, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    pthread_mutex_lock(&host->lock);
    struct cella_host_enclave *enclave = find_locked(host, name);
    if (enclave == NULL && host->enclave_count >= host->options.enclave_limit)
        status = cella_fail(error, CELLA_LIMIT, "the host has %u enclaves, as many as enclave_limit allows",
                            host->options.enclave_limit);
    else if (enclave == NULL && (enclave = cella_enclave_new(host, name)) == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for one more enclave");
    else if (find_locked(host, name) == NULL)
        host->enclaves[host->enclave_count++] = enclave;
    pthread_mutex_unlock(&host->lock);
    if (status == CELLA_OK)
        *ret_enclave = enclave;
    return status;
}

/* The caller has claimed it. */
static enum cella_status start_in_place(struct cella_host_enclave *enclave, const char *image_path,
                                        const char *machine_path, struct cella_error *error) {
    char *image = strdup(image_path), *machine = strdup(machine_path);
    if (image == NULL || machine == NULL) {
        free(image);
        free(machine);
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for one more enclave");
    }
    cella_enclave_discard(enclave);
    free(enclave->image_path);
    free(enclave->machine_path);
    enclave->image_path = image;
    enclave->machine_path = machine;
    return cella_enclave_start(enclave, error);
}

enum cella_status cella_host_start(struct cella_host *host, const char *name, const char *image_path,
                                   const char *machine_path, struct cella_host_enclave **ret_enclave,
                                   struct cella_error *error) {
    if (!cella_host_name_valid(name))
        return cella_fail(error, CELLA_HOST_NAME, "\"%.80s\" is not a name for an enclave", name);
    struct cella_host_enclave *enclave = NULL;
    enum cella_status status = find_or_make(host, name, &enclave, error);
    if (status != CELLA_OK)
        return status;
    status = cella_enclave_claim_for_start(enclave, error);
    if (status != CELLA_OK)
        return status;
    status = start_in_place(enclave, image_path, machine_path, error);
    cella_enclave_release(enclave);
    if (status == CELLA_OK && ret_enclave != NULL)
        *ret_enclave = enclave;
    return status;
}

const char *cella_host_enclave_name(const struct cella_host_enclave *enclave) {
    return enclave->name;
}

void cella_host_mail(struct cella_host_enclave *enclave, const uint8_t route[CELLA_HOST_ROUTE_SIZE],
                     struct cella_bytes mail, cella_host_done *done, void *context) {
    struct cella_instance *instance = cella_gate_enter(enclave);
    if (instance == NULL) {
        done(context, CELLA_NOT_RUNNING, "", CELLA_BYTES(NULL, 0));
        return;
    }
    atomic_fetch_add_explicit(&enclave->mails, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&enclave->mail_bytes, mail.size, memory_order_relaxed);
    cella_instance_mail(instance, route, mail, done, context);
    cella_gate_leave(enclave);
}

void cella_host_call(struct cella_host_enclave *enclave, struct cella_bytes request, cella_host_done *done,
                     void *context) {
    struct cella_instance *instance = cella_gate_enter(enclave);
    if (instance == NULL) {
        done(context, CELLA_NOT_RUNNING, "", CELLA_BYTES(NULL, 0));
        return;
    }
    atomic_fetch_add_explicit(&enclave->calls, 1, memory_order_relaxed);
    cella_instance_call(instance, request, done, context);
    cella_gate_leave(enclave);
}

void cella_host_poll(struct cella_host_enclave *enclave, const uint8_t route[CELLA_HOST_ROUTE_SIZE],
                     const uint8_t *have, unsigned wait_ms, cella_host_done *done, void *context) {
    int64_t deadline_ms = wait_ms == 0 ? 0 : cella_host_ticks_ms() + wait_ms;
    struct cella_post_poll poll = {
        .route = route, .have = have, .deadline_ms = deadline_ms, .done = done, .context = context};
    if (cella_posts_poll(&enclave->posts, &poll))
        cella_timer_arm(&enclave->host->timer, deadline_ms);
}

void cella_host_enclave_state(struct cella_host_enclave *enclave,
                              struct cella_host_enclave_state *ret_state) {
    struct cella_host_enclave_state state = {.phase = CELLA_HOST_STOPPED};
    struct cella_post_counts posts = cella_posts_counts(&enclave->posts);
    memcpy(state.name, enclave->name, sizeof state.name);
    pthread_mutex_lock(&enclave->lock);
    state.phase = enclave->phase;
    memcpy(state.code_hash, enclave->info.code_hash, sizeof state.code_hash);
    memcpy(state.code_signer, enclave->info.code_signer, sizeof state.code_signer);
    state.product_id = enclave->info.product_id;
    state.security_version = enclave->info.security_version;
    state.debug = enclave->info.debug != 0;
    state.process_id = enclave->phase == CELLA_HOST_RUNNING ? enclave->info.process_id : 0;
    state.instance_process_id = enclave->phase == CELLA_HOST_RUNNING ? enclave->info.instance_process_id : 0;
    const unsigned all = CELLA_SANDBOX_NAMESPACES | CELLA_SANDBOX_EMPTY_ROOT;
    state.confined = enclave->phase == CELLA_HOST_RUNNING && (enclave->info.sandbox & all) == all;
    state.started_at = enclave->started_at;
    if (enclave->evidence != NULL) {
        state.attested_at = enclave->evidence->made_at;
        state.simulated = enclave->evidence->simulated;
    }
    state.end_status = enclave->end_status;
    memcpy(state.end_reason, enclave->end_reason, sizeof state.end_reason);
    state.starts = enclave->starts;
    state.ends = enclave->ends;
    pthread_mutex_unlock(&enclave->lock);
    state.mails = atomic_load_explicit(&enclave->mails, memory_order_relaxed);
    state.mail_bytes = atomic_load_explicit(&enclave->mail_bytes, memory_order_relaxed);
    state.calls = atomic_load_explicit(&enclave->calls, memory_order_relaxed);
    state.attestations = atomic_load_explicit(&enclave->attestations, memory_order_relaxed);
    state.posts = posts.posts;
    state.posts_delivered = posts.delivered;
    state.posts_dropped = posts.dropped;
    state.queue_routes = posts.routes;
    state.queue_mails = posts.mails;
    state.queue_bytes = posts.bytes;
    state.polls = posts.polls;
    cella_enclave_vault_state(enclave, &state.vault);
    *ret_state = state;
}

void cella_host_each(struct cella_host *host,
                     void (*visit)(void *context, struct cella_host_enclave *enclave), void *context) {
    struct cella_host_enclave **list = NULL;
    size_t count = snapshot(host, &list);
    for (size_t i = 0; i < count; i++)
        visit(context, list[i]);
    free(list);
}
