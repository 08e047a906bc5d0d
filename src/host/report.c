/* Reports that the host asks its instances for, from the question to the evidence made of the answer. Each
 * has a deadline. Must not: wait for an instance without one, or hold a lock over a callback. */
#include "base/error.h"
#include "host/host_internal.h"
#include "machine/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whoever takes it out of the enclave's list, the answer or the deadline, tells `done`. It is freed when the
 * instance has answered or ended, not before: the instance keeps its address. */
struct cella_host_report {
    struct cella_job job;
    struct cella_host_enclave *enclave;
    struct cella_host_report *next, **link; /* `link` NULL: not in the list */
    int64_t deadline_ms;
    char *machine_path;
    cella_evidence_done *done;
    void *context;
    bool has_nonce;
    uint8_t nonce[CELLA_HOST_NONCE_SIZE];
    size_t size;
    uint8_t data[CELLA_REPORT_SIZE + 4096];
};

/* The caller holds the enclave's lock. */
static void list_remove(struct cella_host_report *report) {
    *report->link = report->next;
    if (report->next != NULL)
        report->next->link = report->link;
    else
        report->enclave->reports_end = report->link;
    report->link = NULL;
}

static void report_free(struct cella_host_report *report) {
    free(report->machine_path);
    free(report);
}

/* False: the deadline has passed, nobody waits. */
static bool is_in_time(struct cella_host_report *report) {
    pthread_mutex_lock(&report->enclave->lock);
    bool in_time = report->link != NULL;
    if (in_time)
        list_remove(report);
    pthread_mutex_unlock(&report->enclave->lock);
    return in_time;
}

static void uncount(struct cella_host_enclave *enclave) {
    pthread_mutex_lock(&enclave->lock);
    enclave->report_count--;
    pthread_mutex_unlock(&enclave->lock);
}

static void report_end(struct cella_host_report *report, enum cella_status status, const char *message,
                       struct cella_host_evidence *evidence) {
    uncount(report->enclave);
    report->done(report->context, status, message, evidence);
    report_free(report);
}

/* On the evidence worker. */
static void quote(struct cella_job *job) {
    struct cella_host_report *report = (struct cella_host_report *)job;
    struct cella_host_evidence *evidence = NULL;
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status =
        cella_evidence_make(report->machine_path, CELLA_BYTES(report->data, report->size),
                            report->has_nonce ? report->nonce : NULL, &evidence, &error);
    report_end(report, status, error.message, evidence);
}

static void on_report(void *context, enum cella_status status, const char *message,
                      struct cella_bytes reply) {
    struct cella_host_report *report = context;
    if (!is_in_time(report)) {
        uncount(report->enclave);
        report_free(report);
    } else if (status != CELLA_OK) {
        report_end(report, status, message, NULL);
    } else if (reply.size > sizeof report->data) {
        report_end(report, CELLA_DAMAGED, "the instance's report is too large", NULL);
    } else {
        memcpy(report->data, reply.data, report->size = reply.size);
        cella_worker_submit(&report->enclave->host->evidence_worker, &report->job);
    }
}

static struct cella_host_report *report_new(struct cella_host_enclave *enclave, const uint8_t *nonce,
                                            cella_evidence_done *done, void *context) {
    struct cella_host_report *report = malloc(sizeof *report);
    if (report == NULL)
        return NULL;
    *report = (struct cella_host_report){.job = {.run = quote},
                                         .enclave = enclave,
                                         .machine_path = strdup(enclave->machine_path),
                                         .done = done,
                                         .context = context,
                                         .has_nonce = nonce != NULL};
    if (nonce != NULL)
        memcpy(report->nonce, nonce, sizeof report->nonce);
    if (report->machine_path != NULL)
        return report;
    free(report);
    return NULL;
}

/* The count includes reports whose deadline has passed: an instance that never answers fills its own limit
 * and no other's. */
static bool list_add(struct cella_host_enclave *enclave, struct cella_host_report *report) {
    const struct cella_host_options *options = &enclave->host->options;
    pthread_mutex_lock(&enclave->lock);
    bool room = enclave->report_count < options->attestation_limit;
    if (room) {
        enclave->report_count++;
        report->deadline_ms = cella_host_ticks_ms() + options->report_timeout_ms;
        report->link = enclave->reports_end;
        *report->link = report;
        enclave->reports_end = &report->next;
    }
    pthread_mutex_unlock(&enclave->lock);
    return room;
}

/* The instance stays during this call: its caller is inside the gate or is its starter. Unless this fails,
 * `done` is called once, within report_timeout_ms and the time of a quote. */
static enum cella_status ask(struct cella_host_enclave *enclave, struct cella_instance *instance,
                             const uint8_t *nonce, cella_evidence_done *done, void *context) {
    struct cella_host_report *report = report_new(enclave, nonce, done, context);
    if (report == NULL)
        return CELLA_NO_MEMORY;
    if (!list_add(enclave, report)) {
        report_free(report);
        return CELLA_LIMIT;
    }
    /* Armed at least once before the deadline of what was added, whoever wins the race for the timer. */
    cella_timer_arm(&enclave->host->timer, cella_host_ticks_ms() + enclave->host->options.report_timeout_ms);
    cella_instance_report(instance, nonce, on_report, report);
    return CELLA_OK;
}

static const char *refusal(enum cella_status status) {
    return status == CELLA_LIMIT ? "as many attestations as attestation_limit allows are being made" : "";
}

int64_t cella_reports_expire(struct cella_host_enclave *enclave, int64_t now_ms) {
    char message[96];
    snprintf(message, sizeof message, "the instance made no report within %u ms",
             enclave->host->options.report_timeout_ms);
    pthread_mutex_lock(&enclave->lock);
    struct cella_host_report *report = enclave->reports;
    while (report != NULL && report->deadline_ms <= now_ms) {
        cella_evidence_done *done = report->done;
        void *context = report->context;
        list_remove(report);
        pthread_mutex_unlock(&enclave->lock);
        done(context, CELLA_NO_REPORT, message, NULL);
        pthread_mutex_lock(&enclave->lock);
        report = enclave->reports;
    }
    int64_t next_ms = report == NULL ? INT64_MAX : report->deadline_ms;
    pthread_mutex_unlock(&enclave->lock);
    return next_ms;
}

struct attest_wait {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    enum cella_status status;
    struct cella_error *error;
    struct cella_host_evidence *evidence;
};

static void attest_done(void *context, enum cella_status status, const char *message,
                        struct cella_host_evidence *evidence) {
    struct attest_wait *wait = context;
    pthread_mutex_lock(&wait->lock);
    if (status != CELLA_OK)
        cella_fail(wait->error, status, "%s", message[0] != '\0' ? message : cella_status_sentence(status));
    wait->status = status;
    wait->evidence = evidence;
    wait->done = true;
    pthread_cond_signal(&wait->wake);
    pthread_mutex_unlock(&wait->lock);
}

enum cella_status cella_enclave_attest(struct cella_host_enclave *enclave, struct cella_error *error) {
    struct attest_wait wait = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .error = error};
    enum cella_status status = ask(enclave, enclave->instance, NULL, attest_done, &wait);
    if (status != CELLA_OK)
        return cella_fail(error, status, "%s", refusal(status));
    pthread_mutex_lock(&wait.lock);
    while (!wait.done)
        pthread_cond_wait(&wait.wake, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    if (wait.status == CELLA_OK)
        cella_evidence_store(enclave, enclave->generation, wait.evidence);
    return wait.status;
}

static void renew_done(void *context, enum cella_status status, const char *message,
                       struct cella_host_evidence *evidence) {
    struct cella_host_enclave *enclave = context;
    pthread_mutex_lock(&enclave->lock);
    uint64_t generation = enclave->renewal;
    enclave->renewal = 0;
    pthread_mutex_unlock(&enclave->lock);
    char text[CELLA_LOG_TEXT_SIZE];
    if (status == CELLA_OK)
        cella_evidence_store(enclave, generation, evidence);
    else
        cella_host_log(enclave->host, "error", enclave, "attestation-not-renewed", "status=%s reason=\"%s\"",
                       cella_status_name(status), cella_log_text(text, message));
}

void cella_enclave_renew(struct cella_host_enclave *enclave) {
    struct cella_instance *instance = cella_gate_enter(enclave);
    if (instance == NULL)
        return;
    pthread_mutex_lock(&enclave->lock);
    bool due = enclave->renewal == 0 && enclave->evidence != NULL &&
               enclave->evidence->refresh_at <= cella_host_now();
    if (due)
        enclave->renewal = enclave->generation;
    pthread_mutex_unlock(&enclave->lock);
    enum cella_status status = due ? ask(enclave, instance, NULL, renew_done, enclave) : CELLA_OK;
    cella_gate_leave(enclave);
    if (status != CELLA_OK)
        renew_done(enclave, status, refusal(status), NULL);
}

/* A client's question under its own nonce. */
struct fresh {
    cella_host_done *done;
    void *context;
};

static void fresh_done(void *context, enum cella_status status, const char *message,
                       struct cella_host_evidence *evidence) {
    struct fresh *fresh = context;
    fresh->done(fresh->context, status, message,
                evidence == NULL ? CELLA_BYTES(NULL, 0) : CELLA_BYTES(evidence->data, evidence->size));
    cella_evidence_put(evidence);
    free(fresh);
}

static enum cella_status attest_fresh(struct cella_host_enclave *enclave, struct cella_instance *instance,
                                      const uint8_t *nonce, cella_host_done *done, void *context) {
    struct fresh *fresh = malloc(sizeof *fresh);
    if (fresh == NULL)
        return CELLA_NO_MEMORY;
    *fresh = (struct fresh){.done = done, .context = context};
    enum cella_status status = ask(enclave, instance, nonce, fresh_done, fresh);
    if (status != CELLA_OK)
        free(fresh);
    return status;
}

void cella_host_attestation(struct cella_host_enclave *enclave, const uint8_t *nonce, cella_host_done *done,
                            void *context) {
    struct cella_instance *instance = cella_gate_enter(enclave);
    if (instance == NULL) {
        done(context, CELLA_NOT_RUNNING, "", CELLA_BYTES(NULL, 0));
        return;
    }
    atomic_fetch_add_explicit(&enclave->attestations, 1, memory_order_relaxed);
    struct cella_host_evidence *evidence = nonce == NULL ? cella_evidence_get(enclave) : NULL;
    enum cella_status status =
        nonce == NULL ? CELLA_OK : attest_fresh(enclave, instance, nonce, done, context);
    cella_gate_leave(enclave);
    if (status != CELLA_OK) {
        done(context, status, refusal(status), CELLA_BYTES(NULL, 0));
    } else if (evidence != NULL) {
        done(context, CELLA_OK, "", CELLA_BYTES(evidence->data, evidence->size));
        cella_evidence_put(evidence);
    } else if (nonce == NULL) {
        done(context, CELLA_NOT_RUNNING, "", CELLA_BYTES(NULL, 0));
    }
}
