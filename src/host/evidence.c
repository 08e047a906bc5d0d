/* Turns an instance's report into an attestation file: quote by the machine, its collateral, the statement,
 * the time. Must not: hold a lock while it works, or judge what it packs. */
#include "attest/attestation.h"
#include "base/error.h"
#include "base/writer.h"
#include "host/host_internal.h"
#include "machine/machine.h"
#include <stdlib.h>
#include <string.h>

#define AGE_LIMIT_S    (24 * 3600) /* a cached attestation is made again after a day */
#define REFRESH_LEAD_S (6 * 3600)  /* and this long before its collateral ends */

struct cella_host_evidence *cella_evidence_get(struct cella_host_enclave *enclave) {
    pthread_mutex_lock(&enclave->lock);
    struct cella_host_evidence *evidence = enclave->evidence;
    if (evidence != NULL)
        atomic_fetch_add(&evidence->references, 1);
    pthread_mutex_unlock(&enclave->lock);
    return evidence;
}

void cella_evidence_put(struct cella_host_evidence *evidence) {
    if (evidence != NULL && atomic_fetch_sub(&evidence->references, 1) == 1)
        free(evidence);
}

static int64_t refresh_time(int64_t now, int64_t next_update) {
    int64_t at = now + AGE_LIMIT_S;
    if (next_update - REFRESH_LEAD_S < at)
        at = next_update - REFRESH_LEAD_S;
    /* Collateral that the machine cannot renew must not make the host spin. */
    return at < now + 60 ? now + 60 : at;
}

static enum cella_status pack(const struct cella_attestation *parts, int64_t refresh_at, bool simulated,
                              struct cella_host_evidence **ret_evidence, struct cella_error *error) {
    size_t size = cella_attestation_size(parts);
    if (size == 0)
        return cella_fail(error, CELLA_LIMIT, "a part of the attestation is larger than its limit");
    struct cella_host_evidence *evidence = malloc(sizeof *evidence + size);
    if (evidence == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for an attestation of %zu bytes", size);
    enum cella_status status = cella_attestation_write(parts, evidence->data, size, &evidence->size, error);
    if (status != CELLA_OK) {
        free(evidence);
        return status;
    }
    atomic_init(&evidence->references, 1);
    evidence->made_at = parts->time;
    evidence->refresh_at = refresh_at;
    evidence->simulated = simulated;
    *ret_evidence = evidence;
    return CELLA_OK;
}

static enum cella_status quote_and_pack(struct cella_machine *machine, const uint8_t *report,
                                        struct cella_bytes statement, const uint8_t *nonce,
                                        struct cella_host_evidence **ret_evidence,
                                        struct cella_error *error) {
    int64_t now = cella_host_now();
    struct cella_machine_collateral *collateral = NULL;
    uint8_t *quote = NULL;
    size_t quote_size = 0;
    enum cella_status status = cella_machine_quote(machine, report, &quote, &quote_size, error);
    if (status == CELLA_OK)
        status = cella_machine_collateral(machine, now, &collateral, error);
    if (status == CELLA_OK) {
        struct cella_attestation parts = {
            .kind = CELLA_KIND_SGX,
            .time = now,
            .nonce = nonce,
            .statement = statement,
            .evidence = CELLA_BYTES(quote, quote_size),
            .collateral = {[CELLA_COLLATERAL_TCB_INFO] = collateral->tcb_info,
                           [CELLA_COLLATERAL_QE_IDENTITY] = collateral->qe_identity,
                           [CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = collateral->signing_chain,
                           [CELLA_COLLATERAL_ROOT_CRL] = collateral->root_crl,
                           [CELLA_COLLATERAL_PCK_CRL] = collateral->pck_crl}};
        status = pack(&parts, refresh_time(now, collateral->next_update), cella_machine_is_insecure(machine),
                      ret_evidence, error);
    }
    cella_machine_collateral_free(collateral);
    free(quote);
    return status;
}

/* `reply` is what cella_instance_report gave: the REPORT, then the statement. */
static enum cella_status make_evidence(const char *machine_path, struct cella_bytes reply,
                                       const uint8_t *nonce, struct cella_host_evidence **ret_evidence,
                                       struct cella_error *error) {
    if (reply.size <= CELLA_REPORT_SIZE)
        return cella_fail(error, CELLA_DAMAGED, "the instance's report has %zu bytes", reply.size);
    struct cella_machine *machine = NULL;
    enum cella_status status = cella_machine_open(machine_path, &machine, error);
    if (status == CELLA_OK)
        status = quote_and_pack(machine, reply.data,
                                CELLA_BYTES(reply.data + CELLA_REPORT_SIZE, reply.size - CELLA_REPORT_SIZE),
                                nonce, ret_evidence, error);
    cella_machine_free(machine);
    return status;
}

struct report_wait {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    enum cella_status status;
    struct cella_error *error;
    size_t size;
    uint8_t data[CELLA_REPORT_SIZE + 4096];
};

static void report_done(void *context, enum cella_status status, const char *message,
                        struct cella_bytes reply) {
    struct report_wait *wait = context;
    pthread_mutex_lock(&wait->lock);
    if (status == CELLA_OK && reply.size > sizeof wait->data)
        status = cella_fail(wait->error, CELLA_DAMAGED, "the instance's report has %zu bytes", reply.size);
    else if (status == CELLA_OK)
        memcpy(wait->data, reply.data, wait->size = reply.size);
    else
        cella_fail(wait->error, status, "the instance made no report: %s", message);
    wait->status = status;
    wait->done = true;
    pthread_cond_signal(&wait->wake);
    pthread_mutex_unlock(&wait->lock);
}

enum cella_status cella_enclave_attest(struct cella_host_enclave *enclave, struct cella_error *error) {
    struct report_wait wait = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .error = error};
    cella_instance_report(enclave->instance, NULL, report_done, &wait);
    pthread_mutex_lock(&wait.lock);
    while (!wait.done)
        pthread_cond_wait(&wait.wake, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    struct cella_host_evidence *evidence = NULL;
    enum cella_status status = wait.status;
    if (status == CELLA_OK)
        status =
            make_evidence(enclave->machine_path, CELLA_BYTES(wait.data, wait.size), NULL, &evidence, error);
    if (status != CELLA_OK)
        return status;
    pthread_mutex_lock(&enclave->lock);
    struct cella_host_evidence *before = enclave->evidence;
    enclave->evidence = evidence;
    pthread_mutex_unlock(&enclave->lock);
    cella_evidence_put(before);
    return CELLA_OK;
}

/* One fresh attestation on its way: report by the instance, then quote on the evidence worker. */
struct fresh {
    struct cella_job job;
    struct cella_host *host;
    char *machine_path;
    cella_host_done *done;
    void *context;
    uint8_t nonce[CELLA_HOST_NONCE_SIZE];
    size_t size;
    uint8_t data[CELLA_REPORT_SIZE + 4096];
};

static void fresh_end(struct fresh *fresh, enum cella_status status, const char *message,
                      struct cella_bytes reply) {
    fresh->done(fresh->context, status, message, reply);
    atomic_fetch_sub(&fresh->host->attestations_open, 1);
    free(fresh->machine_path);
    free(fresh);
}

static void fresh_quote(struct cella_job *job) {
    struct fresh *fresh = (struct fresh *)job;
    struct cella_host_evidence *evidence = NULL;
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status = make_evidence(fresh->machine_path, CELLA_BYTES(fresh->data, fresh->size),
                                             fresh->nonce, &evidence, &error);
    if (status != CELLA_OK)
        fresh_end(fresh, status, error.message, CELLA_BYTES(NULL, 0));
    else
        fresh_end(fresh, CELLA_OK, "", CELLA_BYTES(evidence->data, evidence->size));
    cella_evidence_put(evidence);
}

static void fresh_report(void *context, enum cella_status status, const char *message,
                         struct cella_bytes reply) {
    struct fresh *fresh = context;
    if (status != CELLA_OK) {
        fresh_end(fresh, status, message, CELLA_BYTES(NULL, 0));
    } else if (reply.size > sizeof fresh->data) {
        fresh_end(fresh, CELLA_DAMAGED, "the instance's report is too large", CELLA_BYTES(NULL, 0));
    } else {
        memcpy(fresh->data, reply.data, fresh->size = reply.size);
        cella_worker_submit(&fresh->host->evidence_worker, &fresh->job);
    }
}

static struct fresh *fresh_new(struct cella_host_enclave *enclave, const uint8_t *nonce,
                               cella_host_done *done, void *context) {
    struct fresh *fresh = malloc(sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    *fresh = (struct fresh){.job = {.run = fresh_quote},
                            .host = enclave->host,
                            .machine_path = strdup(enclave->machine_path),
                            .done = done,
                            .context = context};
    memcpy(fresh->nonce, nonce, sizeof fresh->nonce);
    if (fresh->machine_path != NULL)
        return fresh;
    free(fresh);
    return NULL;
}

/* Inside the gate: the instance stays, and so does the path of its machine. */
static enum cella_status attest_fresh(struct cella_host_enclave *enclave, struct cella_instance *instance,
                                      const uint8_t *nonce, cella_host_done *done, void *context) {
    struct cella_host *host = enclave->host;
    enum cella_status status = CELLA_LIMIT;
    struct fresh *fresh = NULL;
    if (atomic_fetch_add(&host->attestations_open, 1) < host->options.attestation_limit) {
        fresh = fresh_new(enclave, nonce, done, context);
        status = fresh == NULL ? CELLA_NO_MEMORY : CELLA_OK;
    }
    if (status == CELLA_OK)
        cella_instance_report(instance, nonce, fresh_report, fresh);
    else
        atomic_fetch_sub(&host->attestations_open, 1);
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
        done(context, status,
             status == CELLA_LIMIT ? "as many attestations as attestation_limit allows are being made" : "",
             CELLA_BYTES(NULL, 0));
    } else if (evidence != NULL) {
        done(context, CELLA_OK, "", CELLA_BYTES(evidence->data, evidence->size));
        cella_evidence_put(evidence);
    } else if (nonce == NULL) {
        done(context, CELLA_NOT_RUNNING, "", CELLA_BYTES(NULL, 0));
    }
}
