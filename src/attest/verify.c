/* Verification of attestations: evidence, then the keys' binding to it, then the constraint. Must not fill
 * the caller's verdict before all held. */
#include "attest/attestation.h"
#include "attest/label.h"
#include "attest/sgx/sgx.h"
#include "attest/statement.h"
#include "attest/unconstrained.h"
#include "base/calendar.h"
#include "base/error.h"
#include "crypto/ed25519.h"
#include <stdlib.h>
#include <string.h>

/* Clocks of hosts and clients differ a little. */
#define CLOCK_SKEW_SECONDS 300

/* Host and enclave made the report data of exactly these keys and, if there is one, this nonce. */
static enum cella_status check_binding(const struct cella_attestation *parts,
                                       const uint8_t report_data[CELLA_REPORT_DATA_SIZE],
                                       struct cella_error *error) {
    uint8_t expected[CELLA_REPORT_DATA_SIZE];
    cella_statement_report_data(parts->statement, parts->nonce, expected);
    if (memcmp(expected, report_data, sizeof expected) == 0)
        return CELLA_OK;
    bool keys_match = memcmp(expected, report_data, sizeof expected / 2) == 0;
    return cella_fail(error, CELLA_KEYS_NOT_ATTESTED, "the evidence's report data is not the hash of %s",
                      keys_match ? "the attestation's nonce" : "the instance's statement");
}

static enum cella_status check_nonce(const struct cella_attestation *parts, const uint8_t *nonce,
                                     struct cella_error *error) {
    if (nonce == NULL)
        return CELLA_OK;
    if (parts->nonce == NULL)
        return cella_fail(error, CELLA_NONCE_MISMATCH, "the evidence was made without a nonce");
    if (memcmp(parts->nonce, nonce, CELLA_NONCE_SIZE) != 0)
        return cella_fail(error, CELLA_NONCE_MISMATCH, "the evidence was made for another nonce");
    return CELLA_OK;
}

static enum cella_status check_time(const struct cella_attestation *parts, int64_t at,
                                    struct cella_error *error) {
    char made[CELLA_CALENDAR_TEXT_SIZE];
    char now[CELLA_CALENDAR_TEXT_SIZE];
    if (parts->time <= at || parts->time - at <= CLOCK_SKEW_SECONDS)
        return CELLA_OK;
    cella_calendar_print(parts->time, made);
    cella_calendar_print(at, now);
    return cella_fail(error, CELLA_TIME_IN_FUTURE, "the attestation is of %s, verified at %s", made, now);
}

/* What the host and the wardens add: either can only lower what the evidence gave. */
static void lower(const struct cella_attestation *parts, struct cella_verdict *verdict) {
    const struct cella_statement *statement = &verdict->statement;
    static const uint8_t none[32];
    verdict->time_claimed = parts->time;
    if (parts->time < verdict->identity.time)
        verdict->identity.time = parts->time;
    bool has_wardens = memcmp(statement->warden_group, none, sizeof none) != 0;
    if (has_wardens && statement->warden_level < verdict->identity.level) {
        verdict->identity.level = statement->warden_level;
        verdict->rule = CELLA_RULE_WARDENS;
    }
}

static enum cella_status verify_evidence(const struct cella_attestation *parts,
                                         const struct cella_verify_options *options,
                                         struct cella_verdict *ret_verdict,
                                         uint8_t ret_report_data[CELLA_REPORT_DATA_SIZE],
                                         struct cella_error *error) {
    switch (parts->kind) {
    case CELLA_KIND_SGX:
        return cella_sgx_verify(parts, options, ret_verdict, ret_report_data, error);
    }
    return cella_fail(error, CELLA_EVIDENCE_UNSUPPORTED, "evidence kind %u is not known",
                      (unsigned)parts->kind);
}

enum cella_status cella_verify_unconstrained(struct cella_bytes attestation,
                                             const struct cella_verify_options *options,
                                             struct cella_verdict *ret_verdict, struct cella_error *error) {
    struct cella_attestation parts;
    struct cella_statement statement;
    struct cella_verdict verdict;
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    enum cella_status status = cella_attestation_parse(attestation, &parts, error);
    if (status == CELLA_OK)
        status = cella_statement_parse(parts.statement, &statement, error);
    if (status == CELLA_OK)
        status = verify_evidence(&parts, options, &verdict, report_data, error);
    if (status == CELLA_OK)
        status = check_binding(&parts, report_data, error);
    if (status == CELLA_OK)
        status = check_nonce(&parts, options->nonce, error);
    if (status == CELLA_OK)
        status = check_time(&parts, options->at, error);
    if (status != CELLA_OK)
        return status;
    verdict.statement = statement;
    verdict.nonce_checked = options->nonce != NULL;
    lower(&parts, &verdict);
    *ret_verdict = verdict;
    return CELLA_OK;
}

enum cella_status cella_verify(struct cella_bytes attestation, const struct cella_verify_options *options,
                               struct cella_verdict *ret_verdict, struct cella_error *error) {
    struct cella_verdict verdict;
    if (options->constraint == NULL)
        return cella_fail(error, CELLA_ARGUMENT, "verification without a constraint accepts nothing");
    enum cella_status status = cella_verify_unconstrained(attestation, options, &verdict, error);
    if (status == CELLA_OK)
        status = cella_constraint_check(options->constraint, &verdict.identity, options->at, error);
    if (status == CELLA_OK)
        *ret_verdict = verdict;
    return status;
}

enum cella_status cella_verify_signature(const struct cella_verdict *verdict, const char *label,
                                         struct cella_bytes message, const uint8_t signature[64],
                                         struct cella_error *error) {
    uint8_t *framed = NULL;
    size_t size = 0;
    enum cella_status status = cella_label_frame(label, message, &framed, &size, error);
    if (status != CELLA_OK)
        return status;
    status = cella_ed25519_verify(verdict->statement.signing_key, CELLA_BYTES(framed, size), signature);
    free(framed);
    if (status == CELLA_OK)
        return CELLA_OK;
    return cella_fail(error, CELLA_SIGNATURE_INVALID,
                      "the instance's signing key did not sign these %zu bytes under the label \"%s\"",
                      message.size, label);
}
