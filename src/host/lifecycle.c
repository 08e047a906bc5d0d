/* Start, end, restart and stop of the instance in one place of a host.
 * Must not: wait for anything inside a callback of the instance. */
#include "base/error.h"
#include "base/hex.h"
#include "host/host_internal.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESTART_PERIOD_S 3600

static void on_post(void *context, const uint8_t route[CELLA_ROUTE_SIZE], struct cella_bytes mail) {
    struct cella_host_enclave *enclave = context;
    const struct cella_host_events *events = &enclave->host->options.events;
    if (events->post != NULL && events->post(events->context, enclave, route, mail))
        return;
    size_t lost = cella_posts_add(&enclave->posts, route, mail);
    if (lost > 0)
        cella_host_log(enclave->host, "warning", enclave, "posts-dropped", "count=%zu reason=queue-limit",
                       lost);
}

struct cella_host_call {
    struct cella_host_enclave *enclave;
    uint64_t id;
};

static enum cella_status on_call(void *context, uint64_t call_id, struct cella_bytes request,
                                 uint8_t **ret_reply, size_t *ret_reply_size) {
    struct cella_host_call call = {.enclave = context, .id = call_id};
    const struct cella_host_events *events = &call.enclave->host->options.events;
    if (events->call == NULL)
        return CELLA_NO_HANDLER;
    return events->call(events->context, &call, request, ret_reply, ret_reply_size);
}

struct cella_host_enclave *cella_host_call_enclave(const struct cella_host_call *call) {
    return call->enclave;
}

void cella_host_call_nested(struct cella_host_call *call, struct cella_bytes request, cella_host_done *done,
                            void *context) {
    struct cella_instance *instance = cella_gate_enter(call->enclave);
    if (instance == NULL) {
        done(context, CELLA_NOT_RUNNING, "", CELLA_BYTES(NULL, 0));
        return;
    }
    cella_instance_call_nested(instance, call->id, request, done, context);
    cella_gate_leave(call->enclave);
}

static void on_log(void *context, const char *line) {
    struct cella_host_enclave *enclave = context;
    char text[CELLA_LOG_TEXT_SIZE];
    cella_host_log(enclave->host, "info", enclave, "enclave", "text=\"%s\"", cella_log_text(text, line));
}

static void on_ended(void *context, enum cella_status status, const char *reason) {
    struct cella_host_enclave *enclave = context;
    pthread_mutex_lock(&enclave->lock);
    bool by_itself = enclave->phase == CELLA_HOST_RUNNING;
    /* An instance that is cleared away after a failure says nothing new. */
    if (enclave->phase != CELLA_HOST_ENDED) {
        enclave->end_status = status;
        snprintf(enclave->end_reason, sizeof enclave->end_reason, "%s", reason);
    }
    if (enclave->phase == CELLA_HOST_STARTING)
        enclave->ended_early = true;
    if (by_itself) {
        enclave->phase = CELLA_HOST_ENDED;
        enclave->ends++;
    }
    pthread_mutex_unlock(&enclave->lock);
    if (by_itself) {
        char text[CELLA_LOG_TEXT_SIZE];
        const struct cella_host_events *events = &enclave->host->options.events;
        cella_host_log(enclave->host, "error", enclave, "ended", "status=%s reason=\"%s\"",
                       cella_status_name(status), cella_log_text(text, reason));
        if (events->ended != NULL)
            events->ended(events->context, enclave, status, reason);
    }
    if (by_itself)
        cella_enclave_reap(enclave);
}

void cella_enclave_reap(struct cella_host_enclave *enclave) {
    pthread_mutex_lock(&enclave->lock);
    bool submit = !enclave->reap_queued;
    enclave->reap_queued = true;
    pthread_mutex_unlock(&enclave->lock);
    if (submit)
        cella_worker_submit(&enclave->worker, &enclave->reap);
}

/* The caller holds `lock`. */
static void claim(struct cella_host_enclave *enclave) {
    while (enclave->claimed)
        pthread_cond_wait(&enclave->changed, &enclave->lock);
    enclave->claimed = true;
}

enum cella_status cella_enclave_claim_for_start(struct cella_host_enclave *enclave,
                                                struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    pthread_mutex_lock(&enclave->lock);
    while (enclave->stops > 0 || (enclave->claimed && enclave->phase != CELLA_HOST_STARTING))
        pthread_cond_wait(&enclave->changed, &enclave->lock);
    if (atomic_load(&enclave->host->closing))
        status = cella_fail(error, CELLA_CLOSED, "the host is being stopped");
    else if (enclave->phase == CELLA_HOST_RUNNING)
        status = cella_fail(error, CELLA_EXISTS, "enclave \"%s\" runs already", enclave->name);
    else if (enclave->claimed)
        status = cella_fail(error, CELLA_EXISTS, "enclave \"%s\" is being started", enclave->name);
    else
        enclave->claimed = true;
    pthread_mutex_unlock(&enclave->lock);
    return status;
}

void cella_enclave_release(struct cella_host_enclave *enclave) {
    pthread_mutex_lock(&enclave->lock);
    enclave->claimed = false;
    pthread_cond_broadcast(&enclave->changed);
    pthread_mutex_unlock(&enclave->lock);
}

void cella_enclave_discard(struct cella_host_enclave *enclave) {
    cella_instance_free(cella_gate_take(enclave));
}

/* The caller holds `lock`. */
static void note_start(struct cella_host_enclave *enclave) {
    enclave->phase = CELLA_HOST_STARTING;
    enclave->generation++;
    enclave->ended_early = false;
    enclave->end_status = CELLA_OK;
    enclave->end_reason[0] = '\0';
    enclave->storage_message[0] = '\0';
}

/* Makes the phase what the start came to. */
static enum cella_status conclude(struct cella_host_enclave *enclave, enum cella_status status,
                                  struct cella_error *error) {
    pthread_mutex_lock(&enclave->lock);
    /* Why it ended says more than what its end made fail. */
    if (enclave->stops > 0)
        status = cella_fail(error, CELLA_INTERRUPTED, "enclave \"%s\" was stopped while it started",
                            enclave->name);
    else if (enclave->ended_early)
        status = cella_fail(error, enclave->end_status == CELLA_OK ? CELLA_CLOSED : enclave->end_status,
                            "enclave \"%s\" ended while it started: %s", enclave->name, enclave->end_reason);
    if (status == CELLA_OK) {
        enclave->phase = CELLA_HOST_RUNNING;
        enclave->started_at = cella_host_now();
        enclave->starts++;
        cella_gate_open(enclave);
    } else {
        enclave->phase = CELLA_HOST_ENDED;
        enclave->end_status = status;
        snprintf(enclave->end_reason, sizeof enclave->end_reason, "%.*s", CELLA_HOST_REASON_SIZE - 1,
                 error != NULL && error->message[0] != '\0' ? error->message : "it did not start");
    }
    pthread_mutex_unlock(&enclave->lock);
    return status;
}

/* From the keeper to the first evidence. */
static enum cella_status start_instance(struct cella_host_enclave *enclave, struct cella_error *error) {
    char *vault_path = cella_enclave_vault_path(enclave);
    struct cella_instance_options options = {.image_path = enclave->image_path,
                                             .machine_path = enclave->machine_path,
                                             .keeper_path = enclave->host->keeper_path,
                                             .vault_path = vault_path,
                                             .events = {.context = enclave,
                                                        .post = on_post,
                                                        .call = on_call,
                                                        .log = on_log,
                                                        .storage = cella_enclave_on_storage,
                                                        .ended = on_ended}};
    struct cella_instance *instance = NULL;
    enum cella_status status = cella_instance_start(&options, &instance, error);
    free(vault_path);
    if (status != CELLA_OK)
        return status;
    pthread_mutex_lock(&enclave->lock);
    enclave->info = *cella_instance_info(instance);
    enclave->instance = instance;
    bool stopped = enclave->stops > 0;
    pthread_mutex_unlock(&enclave->lock);
    return stopped ? CELLA_INTERRUPTED : cella_enclave_attest(enclave, error);
}

/* Which code runs, and what is weak about it, is in the log. */
static void log_start(struct cella_host_enclave *enclave) {
    struct cella_host_enclave_state state;
    char code[2 * sizeof state.code_hash + 1], signer[2 * sizeof state.code_signer + 1];
    cella_host_enclave_state(enclave, &state);
    cella_hex_encode(state.code_hash, sizeof state.code_hash, code);
    cella_hex_encode(state.code_signer, sizeof state.code_signer, signer);
    cella_host_log(enclave->host, "info", enclave, "started",
                   "process=%d starts=%llu code_hash=%s signer=%s product=%u security_version=%u machine=%s "
                   "debug=%s",
                   enclave->info.process_id, (unsigned long long)enclave->starts, code, signer,
                   state.product_id, state.security_version, state.simulated ? "SIMULATED" : "real",
                   state.debug ? "yes" : "no");
}

enum cella_status cella_enclave_start(struct cella_host_enclave *enclave, struct cella_error *error) {
    struct cella_error local = {.status = CELLA_OK};
    error = error != NULL ? error : &local;
    cella_enclave_discard(enclave);
    pthread_mutex_lock(&enclave->lock);
    note_start(enclave);
    bool stopped = enclave->stops > 0;
    pthread_mutex_unlock(&enclave->lock);
    enum cella_status status = stopped ? CELLA_INTERRUPTED : start_instance(enclave, error);
    status = conclude(enclave, status, error);
    if (status == CELLA_OK || cella_vault_failure_stays(status))
        cella_enclave_note_failure(enclave, status, error->message);
    if (status == CELLA_OK)
        log_start(enclave);
    else
        cella_enclave_discard(enclave);
    return status;
}

enum cella_status cella_host_stop(struct cella_host_enclave *enclave, unsigned timeout_ms) {
    pthread_mutex_lock(&enclave->lock);
    enclave->stops++;
    bool was_running = enclave->phase == CELLA_HOST_RUNNING;
    /* One that is starting has served nobody: nothing is lost, and its starter waits for it. */
    bool starting = enclave->phase == CELLA_HOST_STARTING;
    if (!starting)
        enclave->phase = CELLA_HOST_STOPPED;
    if (was_running)
        enclave->ends++;
    pthread_mutex_unlock(&enclave->lock);
    /* The end comes first, then the wait: whoever is inside the gate or has claimed the enclave may wait for
     * this instance. */
    struct cella_instance *instance = cella_gate_hold(enclave);
    if (instance != NULL) {
        cella_instance_stop(instance, starting ? 0 : timeout_ms);
        cella_gate_leave(enclave);
    }
    pthread_mutex_lock(&enclave->lock);
    claim(enclave);
    enclave->phase = CELLA_HOST_STOPPED;
    pthread_mutex_unlock(&enclave->lock);
    cella_enclave_discard(enclave);
    if (was_running)
        cella_host_log(enclave->host, "info", enclave, "stopped", "timeout_ms=%u", timeout_ms);
    pthread_mutex_lock(&enclave->lock);
    enclave->stops--;
    pthread_mutex_unlock(&enclave->lock);
    cella_enclave_release(enclave);
    return CELLA_OK;
}

/* May it be started once more? Counts the restart if so; the caller holds `lock`. */
static bool may_restart(struct cella_host_enclave *enclave, unsigned limit) {
    int64_t now = cella_host_now();
    size_t ring = sizeof enclave->restarted_at / sizeof enclave->restarted_at[0];
    if (limit > ring)
        limit = (unsigned)ring;
    if (limit == 0)
        return false;
    if (enclave->restart_count >= limit &&
        now - enclave->restarted_at[(enclave->restart_count - limit) % ring] < RESTART_PERIOD_S)
        return false;
    enclave->restarted_at[enclave->restart_count++ % ring] = now;
    return true;
}

/* Starts an instance again that ended by itself, if that is wanted and not too often. */
static void restart(struct cella_host_enclave *enclave) {
    struct cella_host *host = enclave->host;
    if (host->options.restart_limit == 0 || atomic_load(&host->closing))
        return;
    pthread_mutex_lock(&enclave->lock);
    bool stays = cella_vault_failure_stays(enclave->end_status);
    bool allowed = !stays && may_restart(enclave, host->options.restart_limit);
    pthread_mutex_unlock(&enclave->lock);
    struct cella_error error = {.status = CELLA_OK};
    if (!allowed) {
        if (stays && !enclave->restart_refused)
            cella_host_log(host, "error", enclave, "restart-useless", "status=%s hint=\"%s\"",
                           cella_status_name(enclave->end_status), cella_status_remedy(enclave->end_status));
        else if (!enclave->restart_refused)
            cella_host_log(host, "error", enclave, "restart-refused", "status=%s limit=%u",
                           cella_status_name(CELLA_RESTART_LIMIT), host->options.restart_limit);
        enclave->restart_refused = true;
        return;
    }
    enclave->restart_refused = false;
    char text[CELLA_LOG_TEXT_SIZE];
    if (cella_enclave_start(enclave, &error) != CELLA_OK)
        cella_host_log(host, "error", enclave, "restart-failed", "status=%s reason=\"%s\"",
                       cella_status_name(error.status), cella_log_text(text, error.message));
}

/* On the enclave's worker, after its instance ended by itself or a restart failed. */
static void reap(struct cella_job *job) {
    struct cella_host_enclave *enclave =
        (struct cella_host_enclave *)((char *)job - offsetof(struct cella_host_enclave, reap));
    pthread_mutex_lock(&enclave->lock);
    claim(enclave);
    enclave->reap_queued = false;
    bool ended = enclave->phase == CELLA_HOST_ENDED;
    pthread_mutex_unlock(&enclave->lock);
    if (ended) {
        cella_enclave_discard(enclave);
        restart(enclave);
    }
    cella_enclave_release(enclave);
}

struct cella_host_enclave *cella_enclave_new(struct cella_host *host, const char *name) {
    struct cella_host_enclave *enclave = calloc(1, sizeof *enclave);
    if (enclave == NULL)
        return NULL;
    enclave->host = host;
    snprintf(enclave->name, sizeof enclave->name, "%s", name);
    atomic_init(&enclave->gate, CELLA_GATE_SHUT);
    enclave->phase = CELLA_HOST_STOPPED;
    pthread_mutex_init(&enclave->lock, NULL);
    pthread_cond_init(&enclave->changed, NULL);
    enclave->reap.run = reap;
    enclave->reports_end = &enclave->reports;
    cella_posts_init(&enclave->posts,
                     &(struct cella_post_limits){.route_count = host->options.route_count_limit,
                                                 .route_mails = host->options.route_mail_limit,
                                                 .route_bytes = host->options.route_bytes_limit,
                                                 .total_bytes = host->options.queue_bytes_limit,
                                                 .polls = host->options.poll_limit});
    if (cella_worker_init(&enclave->worker, NULL) == CELLA_OK)
        return enclave;
    cella_enclave_free(enclave);
    return NULL;
}

void cella_enclave_free(struct cella_host_enclave *enclave) {
    if (enclave == NULL)
        return;
    CELLA_ASSERT(enclave->instance == NULL);
    cella_worker_deinit(&enclave->worker);
    cella_posts_deinit(&enclave->posts);
    cella_evidence_put(enclave->evidence);
    pthread_cond_destroy(&enclave->changed);
    pthread_mutex_destroy(&enclave->lock);
    free(enclave->image_path);
    free(enclave->machine_path);
    free(enclave);
}
