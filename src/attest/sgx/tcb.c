/* TCB evaluation as Intel defines it. Must not use a document before its signature held, nor the quote's own
 * CPUSVN: the PCK certificate's components count. */
#include "attest/sgx/tcb.h"
#include "base/calendar.h"
#include "base/error.h"
#include "base/hex.h"
#include <string.h>

struct work {
    const struct cella_sgx_chain *chain;
    const struct cella_verify_options *options;
    struct cella_error *error;
    struct cella_sgx_tcb *tcb;
};

/* Order of levels: components first, then PCESVN. */
static int compare_levels(const struct cella_sgx_level *left, const struct cella_sgx_level *right) {
    int order = memcmp(left->component_svn, right->component_svn, CELLA_SGX_COMPONENTS);
    return order != 0 ? order : (int)left->svn - (int)right->svn;
}

static bool reaches(const struct cella_sgx_platform *platform, const struct cella_sgx_level *level) {
    for (size_t at = 0; at < CELLA_SGX_COMPONENTS; at++)
        if (platform->component_svn[at] < level->component_svn[at])
            return false;
    return platform->pce_svn >= level->svn;
}

enum cella_status cella_sgx_level_find(const struct cella_sgx_document *document,
                                       const struct cella_sgx_platform *platform,
                                       const struct cella_sgx_level **ret_level) {
    const struct cella_sgx_level *best = NULL;
    for (size_t at = 0; at < document->level_count; at++) {
        const struct cella_sgx_level *level = &document->levels[at];
        for (size_t before = 0; before < at; before++)
            if (compare_levels(level, &document->levels[before]) == 0)
                return CELLA_COLLATERAL_INVALID;
        if (reaches(platform, level) && (best == NULL || compare_levels(level, best) > 0))
            best = level;
    }
    *ret_level = best;
    return CELLA_OK;
}

/* The same for a QE identity, which has one number per level. */
static enum cella_status find_qe_level(const struct cella_sgx_document *document, uint16_t isv_svn,
                                       const struct cella_sgx_level **ret_level) {
    struct cella_sgx_platform platform = {.pce_svn = isv_svn};
    return cella_sgx_level_find(document, &platform, ret_level);
}

enum cella_tcb_status cella_sgx_status_converge(enum cella_tcb_status platform, enum cella_tcb_status qe) {
    if (platform == CELLA_TCB_REVOKED || qe == CELLA_TCB_REVOKED)
        return CELLA_TCB_REVOKED;
    if (qe != CELLA_TCB_OUT_OF_DATE)
        return platform;
    if (platform == CELLA_TCB_UP_TO_DATE || platform == CELLA_TCB_SW_HARDENING_NEEDED)
        return CELLA_TCB_OUT_OF_DATE;
    if (platform == CELLA_TCB_CONFIGURATION_NEEDED ||
        platform == CELLA_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED)
        return CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    return platform;
}

/* Signature first: an unsigned document is not even parsed. */
static enum cella_status open_envelope(struct work *work, struct cella_bytes bytes, const char *key,
                                       const char *name, struct cella_sgx_envelope *ret_envelope) {
    if (bytes.size == 0)
        return cella_fail(work->error, CELLA_COLLATERAL_MISSING, "%s is missing", name);
    if (cella_sgx_envelope_parse(bytes, key, ret_envelope) != CELLA_OK)
        return cella_fail(work->error, CELLA_COLLATERAL_INVALID, "%s does not have the vendor's form", name);
    if (cella_ecdsa_public_verify(work->chain->tcb_signing_key, ret_envelope->signed_bytes,
                                  ret_envelope->signature) != CELLA_OK)
        return cella_fail(work->error, CELLA_COLLATERAL_INVALID,
                          "%s is not signed by the TCB signing certificate", name);
    return CELLA_OK;
}

static enum cella_status explain_parse(struct work *work, enum cella_status status, const char *name) {
    if (status == CELLA_OK || status == CELLA_NO_MEMORY)
        return status;
    if (status == CELLA_COLLATERAL_MISMATCH)
        return cella_fail(work->error, status, "%s is signed, but made for another purpose than SGX", name);
    if (status == CELLA_LIMIT)
        return cella_fail(work->error, status, "%s has more levels or advisories than this release reads",
                          name);
    return cella_fail(work->error, CELLA_COLLATERAL_INVALID, "%s is signed, but cannot be understood", name);
}

static enum cella_status check_document(struct work *work, const struct cella_sgx_document *document,
                                        const char *name) {
    const struct cella_verify_floors *floors = &work->options->floors;
    char from[CELLA_CALENDAR_TEXT_SIZE];
    char to[CELLA_CALENDAR_TEXT_SIZE];
    cella_calendar_print(document->issue_date, from);
    cella_calendar_print(document->next_update, to);
    if (work->options->at < document->issue_date || work->options->at > document->next_update)
        return cella_fail(work->error, CELLA_COLLATERAL_NOT_VALID_AT, "%s is valid from %s to %s only", name,
                          from, to);
    if (document->evaluation_number < floors->tcb_evaluation_number)
        return cella_fail(work->error, CELLA_COLLATERAL_BELOW_FLOOR,
                          "%s has evaluation number %u, the oldest accepted is %u", name,
                          (unsigned)document->evaluation_number, (unsigned)floors->tcb_evaluation_number);
    if (document->evaluation_number < work->tcb->evaluation_number)
        work->tcb->evaluation_number = document->evaluation_number;
    if (document->issue_date < work->tcb->issued)
        work->tcb->issued = document->issue_date;
    if (document->next_update < work->tcb->next_update)
        work->tcb->next_update = document->next_update;
    return CELLA_OK;
}

/* Takes status and advisories over from the level that was found. */
static enum cella_status use_level(struct work *work, enum cella_status found,
                                   const struct cella_sgx_level *level, const char *name,
                                   struct cella_advisories *ret_advisories) {
    if (found != CELLA_OK)
        return cella_fail(work->error, found, "%s has the same level twice", name);
    if (level == NULL)
        return cella_fail(work->error, CELLA_TCB_NOT_SUPPORTED, "no level of %s is low enough", name);
    enum cella_status status = cella_sgx_advisories_read(level->advisories, ret_advisories);
    if (status != CELLA_OK)
        return explain_parse(work, status, name);
    if (level->status == CELLA_TCB_REVOKED)
        return cella_fail(work->error, CELLA_TCB_IS_REVOKED, "%s revokes this version", name);
    return CELLA_OK;
}

static enum cella_status judge_platform(struct work *work, struct cella_sgx_tcb_info *info) {
    const struct cella_sgx_platform *platform = &work->chain->platform;
    const struct cella_sgx_level *level = NULL;
    const char *name = "the TCB info";
    if (memcmp(info->fmspc, platform->fmspc, sizeof platform->fmspc) != 0 ||
        memcmp(info->pce_id, platform->pce_id, sizeof platform->pce_id) != 0) {
        char wanted[13];
        char found[13];
        cella_hex_encode(platform->fmspc, sizeof platform->fmspc, wanted);
        cella_hex_encode(info->fmspc, sizeof info->fmspc, found);
        return cella_fail(work->error, CELLA_COLLATERAL_MISMATCH,
                          "%s is for platforms %s, this one is %s (or their PCE differs)", name, found,
                          wanted);
    }
    enum cella_status status = cella_sgx_level_find(&info->document, platform, &level);
    status = use_level(work, status, level, name, &work->tcb->advisories);
    if (status != CELLA_OK)
        return status;
    work->tcb->platform_status = level->status;
    work->tcb->date = level->date;
    return CELLA_OK;
}

static bool equal_under_mask(const uint8_t *found, const uint8_t *mask, const uint8_t *wanted, size_t size) {
    for (size_t at = 0; at < size; at++)
        if ((found[at] & mask[at]) != wanted[at])
            return false;
    return true;
}

static enum cella_status judge_qe(struct work *work, const struct cella_sgx_report *report,
                                  struct cella_sgx_qe_identity *identity) {
    const struct cella_sgx_level *level = NULL;
    const char *name = "the QE identity";
    if (memcmp(report->mr_signer, identity->mr_signer, sizeof identity->mr_signer) != 0)
        return cella_fail(work->error, CELLA_QE_NOT_GENUINE, "the quoting enclave has another signer");
    if (report->isv_prod_id != identity->isv_prod_id)
        return cella_fail(work->error, CELLA_QE_NOT_GENUINE, "the quoting enclave has another product id");
    if (!equal_under_mask(report->misc_select, identity->misc_select_mask, identity->misc_select,
                          sizeof identity->misc_select) ||
        !equal_under_mask(report->attributes, identity->attributes_mask, identity->attributes,
                          sizeof identity->attributes))
        return cella_fail(work->error, CELLA_QE_NOT_GENUINE, "the quoting enclave has other attributes");
    enum cella_status status = find_qe_level(&identity->document, report->isv_svn, &level);
    status = use_level(work, status, level, name, &work->tcb->qe_advisories);
    if (status != CELLA_OK)
        return status;
    if (level->status != CELLA_TCB_UP_TO_DATE && level->status != CELLA_TCB_OUT_OF_DATE)
        return cella_fail(work->error, CELLA_COLLATERAL_INVALID, "%s has a status that it cannot have", name);
    work->tcb->qe_status = level->status;
    return CELLA_OK;
}

static enum cella_status use_tcb_info(struct work *work, struct cella_bytes bytes) {
    struct cella_sgx_envelope envelope;
    struct cella_sgx_tcb_info info;
    const char *name = "the TCB info";
    enum cella_status status = open_envelope(work, bytes, "tcbInfo", name, &envelope);
    if (status != CELLA_OK)
        return status;
    status = cella_sgx_tcb_info_parse(envelope.signed_bytes, &info);
    if (status != CELLA_OK)
        return explain_parse(work, status, name);
    status = check_document(work, &info.document, name);
    if (status == CELLA_OK)
        status = judge_platform(work, &info);
    cella_sgx_document_deinit(&info.document);
    return status;
}

static enum cella_status use_qe_identity(struct work *work, struct cella_bytes bytes,
                                         const struct cella_sgx_report *qe_report) {
    struct cella_sgx_envelope envelope;
    struct cella_sgx_qe_identity identity;
    const char *name = "the QE identity";
    enum cella_status status = open_envelope(work, bytes, "enclaveIdentity", name, &envelope);
    if (status != CELLA_OK)
        return status;
    status = cella_sgx_qe_identity_parse(envelope.signed_bytes, &identity);
    if (status != CELLA_OK)
        return explain_parse(work, status, name);
    status = check_document(work, &identity.document, name);
    if (status == CELLA_OK)
        status = judge_qe(work, qe_report, &identity);
    cella_sgx_document_deinit(&identity.document);
    return status;
}

enum cella_status cella_sgx_tcb_judge(const struct cella_sgx_chain *chain,
                                      const struct cella_sgx_report *qe_report,
                                      const struct cella_bytes collateral[CELLA_COLLATERAL_COUNT],
                                      const struct cella_verify_options *options,
                                      struct cella_sgx_tcb *ret_tcb, struct cella_error *error) {
    struct cella_sgx_tcb tcb = {
        .evaluation_number = UINT32_MAX, .issued = INT64_MAX, .next_update = INT64_MAX};
    struct work work = {.chain = chain, .options = options, .error = error, .tcb = &tcb};
    enum cella_status status = use_tcb_info(&work, collateral[CELLA_COLLATERAL_TCB_INFO]);
    if (status == CELLA_OK)
        status = use_qe_identity(&work, collateral[CELLA_COLLATERAL_QE_IDENTITY], qe_report);
    if (status != CELLA_OK)
        return status;
    if (tcb.issued < options->floors.issued) {
        char found[CELLA_CALENDAR_TEXT_SIZE];
        char floor[CELLA_CALENDAR_TEXT_SIZE];
        cella_calendar_print(tcb.issued, found);
        cella_calendar_print(options->floors.issued, floor);
        return cella_fail(error, CELLA_COLLATERAL_BELOW_FLOOR,
                          "the TCB info or the QE identity was issued at %s, the oldest accepted is %s",
                          found, floor);
    }
    tcb.status = cella_sgx_status_converge(tcb.platform_status, tcb.qe_status);
    *ret_tcb = tcb;
    return CELLA_OK;
}
