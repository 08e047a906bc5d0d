/* Turns an instance's report into an attestation file: quote by the machine, its collateral, the statement,
 * the time. Keeps the newest. Must not: hold a lock while it works, or judge what it packs. */
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

void cella_evidence_store(struct cella_host_enclave *enclave, uint64_t generation,
                          struct cella_host_evidence *evidence) {
    struct cella_host_evidence *unused = evidence;
    pthread_mutex_lock(&enclave->lock);
    if (enclave->generation == generation) {
        unused = enclave->evidence;
        enclave->evidence = evidence;
    }
    pthread_mutex_unlock(&enclave->lock);
    cella_evidence_put(unused);
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

enum cella_status cella_evidence_make(const char *machine_path, struct cella_bytes reply,
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
