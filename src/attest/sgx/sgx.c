/* SGX evidence from its bytes to a verdict. Must not let a claim out before every step held. */
#include "attest/sgx/sgx.h"
#include "attest/sgx/quote.h"
#include "attest/sgx/tcb.h"
#include "base/calendar.h"
#include "base/error.h"
#include "crypto/hash.h"
#include <string.h>

#define AUTHENTICATION_SIZE_MAX 1024

/* The PCK vouches for the quoting enclave's report, the report for the attestation key, the key for the body.
 */
static enum cella_status check_signatures(const struct cella_sgx_quote *quote,
                                          const struct cella_sgx_chain *chain, struct cella_error *error) {
    struct cella_sha256 hash;
    uint8_t expected[64] = {0};
    if (cella_ecdsa_public_verify(chain->pck_key, quote->qe_report.bytes, quote->qe_report_signature) !=
        CELLA_OK)
        return cella_fail(error, CELLA_EVIDENCE_INVALID,
                          "quote: the PCK did not sign the quoting enclave's report");
    if (quote->authentication_data.size > AUTHENTICATION_SIZE_MAX)
        return cella_fail(error, CELLA_EVIDENCE_INVALID, "quote: too much authentication data");
    cella_sha256_init(&hash);
    cella_sha256_update(&hash, quote->attestation_key, CELLA_ECDSA_PUBLIC_SIZE);
    cella_sha256_update(&hash, quote->authentication_data.data, quote->authentication_data.size);
    cella_sha256_digest(&hash, expected);
    cella_sha256_deinit(&hash);
    if (memcmp(quote->qe_report.report_data, expected, sizeof expected) != 0)
        return cella_fail(error, CELLA_EVIDENCE_INVALID,
                          "quote: the quoting enclave's report is not about this attestation key");
    if (cella_ecdsa_verify(quote->attestation_key, quote->signed_bytes, quote->signature) != CELLA_OK)
        return cella_fail(error, CELLA_EVIDENCE_INVALID,
                          "quote: the attestation key did not sign the report");
    return CELLA_OK;
}

static void set_measurement(struct cella_measurement *measurement, const uint8_t hash[32]) {
    *measurement = (struct cella_measurement){.size = 32};
    memcpy(measurement->bytes, hash, 32);
}

/* The worst finding decides, and is named. */
static void decide_level(const struct cella_sgx_chain *chain, struct cella_verdict *verdict) {
    enum cella_level level = CELLA_LEVEL_INSECURE;
    if (chain->anchor.rule != CELLA_RULE_CURRENT) {
        verdict->rule = chain->anchor.rule;
    } else if (verdict->debug) {
        verdict->rule = CELLA_RULE_DEBUG;
    } else if (verdict->tcb_status != CELLA_TCB_UP_TO_DATE) {
        level = CELLA_LEVEL_STALE;
        verdict->rule = verdict->platform_status != CELLA_TCB_UP_TO_DATE ? CELLA_RULE_PLATFORM
                                                                         : CELLA_RULE_QUOTING_ENCLAVE;
    } else if (verdict->missing != 0) {
        level = CELLA_LEVEL_STALE;
        verdict->rule = CELLA_RULE_MISSING;
    } else {
        level = CELLA_LEVEL_SECURE;
        verdict->rule = CELLA_RULE_CURRENT;
    }
    verdict->identity.level = level;
}

static void fill_dates(const struct cella_sgx_chain *chain, const struct cella_sgx_tcb *tcb,
                       struct cella_verdict *verdict) {
    verdict->tcb_date = tcb->date;
    verdict->seen = chain->seen;
    verdict->seen.tcb_evaluation_number = tcb->evaluation_number;
    if (tcb->issued < verdict->seen.issued)
        verdict->seen.issued = tcb->issued;
    verdict->identity.time = verdict->seen.issued;
    verdict->next_update = tcb->next_update < chain->next_update ? tcb->next_update : chain->next_update;
}

static void fill_verdict(const struct cella_sgx_quote *quote, const struct cella_sgx_chain *chain,
                         const struct cella_sgx_tcb *tcb, struct cella_verdict *verdict) {
    *verdict = (struct cella_verdict){.kind = CELLA_KIND_SGX};
    set_measurement(&verdict->identity.code_hash, quote->body.mr_enclave);
    set_measurement(&verdict->identity.code_signer, quote->body.mr_signer);
    verdict->identity.product_id = quote->body.isv_prod_id;
    verdict->identity.security_version = quote->body.isv_svn;
    verdict->debug = (quote->body.attributes[0] & CELLA_SGX_ATTRIBUTE_DEBUG) != 0;
    verdict->simulated = chain->anchor.rule == CELLA_RULE_SIMULATED;
    verdict->missing = chain->missing;
    verdict->tcb_status = tcb->status;
    verdict->platform_status = tcb->platform_status;
    verdict->qe_status = tcb->qe_status;
    verdict->advisories = tcb->advisories;
    verdict->qe_advisories = tcb->qe_advisories;
    memcpy(verdict->fmspc, chain->platform.fmspc, sizeof verdict->fmspc);
    fill_dates(chain, tcb, verdict);
    decide_level(chain, verdict);
}

enum cella_status cella_sgx_verify(const struct cella_attestation *parts,
                                   const struct cella_verify_options *options,
                                   struct cella_verdict *ret_verdict,
                                   uint8_t ret_report_data[CELLA_REPORT_DATA_SIZE],
                                   struct cella_error *error) {
    struct cella_sgx_quote quote;
    struct cella_sgx_chain chain = {0};
    struct cella_sgx_tcb tcb;
    enum cella_status status = cella_sgx_quote_parse(parts->evidence, &quote, error);
    if (status == CELLA_OK)
        status = cella_sgx_chain_open(&chain, quote.certificates, parts->collateral, options, error);
    if (status == CELLA_OK)
        status = check_signatures(&quote, &chain, error);
    if (status == CELLA_OK)
        status = cella_sgx_tcb_judge(&chain, &quote.qe_report, parts->collateral, options, &tcb, error);
    if (status == CELLA_OK) {
        fill_verdict(&quote, &chain, &tcb, ret_verdict);
        memcpy(ret_report_data, quote.body.report_data, CELLA_REPORT_DATA_SIZE);
    }
    cella_sgx_chain_close(&chain);
    return status;
}
