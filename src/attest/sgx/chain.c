/* The chain: an anchor's key, then every link below it. Must not accept a link because of a name. */
#include "attest/sgx/chain.h"
#include "base/calendar.h"
#include "base/error.h"
#include "crypto/pem.h"
#include <string.h>

/* What every check needs. */
struct work {
    struct cella_sgx_chain *chain;
    const struct cella_verify_options *options;
    struct cella_error *error;
};

static bool same(struct cella_bytes left, struct cella_bytes right) {
    return left.size == right.size && memcmp(left.data, right.data, left.size) == 0;
}

/* `failure` tells evidence from collateral. */
static enum cella_status read_certificate(struct work *work, struct cella_bytes *rest, const char *name,
                                          enum cella_status failure,
                                          struct cella_certificate *ret_certificate) {
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX];
    size_t size = 0;
    enum cella_status status = cella_pem_next(rest, der, &size);
    if (status == CELLA_NOT_FOUND)
        return cella_fail(work->error, failure, "%s is missing in its chain", name);
    if (status == CELLA_OK)
        status = cella_certificate_parse(CELLA_BYTES(der, size), ret_certificate);
    if (status == CELLA_NO_MEMORY)
        return cella_fail(work->error, status, "no memory for %s", name);
    if (status != CELLA_OK)
        return cella_fail(work->error, failure, "%s is not a well-formed P-256 certificate", name);
    return CELLA_OK;
}

/* The text without white space and zeros around it. */
static struct cella_bytes trimmed(struct cella_bytes text) {
    while (text.size > 0 && text.data[0] <= ' ') {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    return text;
}

static bool is_used_up(struct cella_bytes rest) {
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX];
    size_t size = 0;
    return cella_pem_next(&rest, der, &size) == CELLA_NOT_FOUND;
}

static enum cella_status read_evidence_chain(struct work *work, struct cella_bytes pem) {
    struct cella_sgx_chain *chain = work->chain;
    const enum cella_status failure = CELLA_CERTIFICATE_INVALID;
    enum cella_status status = read_certificate(work, &pem, "the PCK certificate", failure, &chain->pck);
    if (status == CELLA_OK)
        status = read_certificate(work, &pem, "the PCK CA certificate", failure, &chain->ca);
    chain->last_text = trimmed(pem);
    if (status == CELLA_OK)
        status = read_certificate(work, &pem, "the root certificate", failure, &chain->root);
    if (status == CELLA_OK && !is_used_up(pem))
        status = cella_fail(work->error, failure, "the quote's chain has more than three certificates");
    /* Most quotes have the root last, some in the middle. */
    if (status == CELLA_OK && same(chain->ca.issuer, chain->ca.subject)) {
        struct cella_certificate root = chain->ca;
        chain->ca = chain->root;
        chain->root = root;
        chain->last_text = CELLA_BYTES(NULL, 0);
    }
    if (status == CELLA_OK)
        status = cella_sgx_platform_read(&chain->pck, &chain->platform, work->error);
    if (status == CELLA_OK)
        status = cella_sgx_anchor_find(chain->root.public_key, work->options, &chain->anchor, work->error);
    return status;
}

/* The certificate that signs TCB info; a root may follow, and must then be the same one. */
static enum cella_status read_signing_chain(struct work *work, struct cella_bytes pem) {
    struct cella_certificate root = {0};
    const enum cella_status failure = CELLA_COLLATERAL_INVALID;
    if (pem.size == 0)
        return cella_fail(work->error, CELLA_COLLATERAL_MISSING, "the TCB signing certificate is missing");
    enum cella_status status =
        read_certificate(work, &pem, "the TCB signing certificate", failure, &work->chain->tcb_signing);
    /* The very text that was read as the root of the evidence needs no second reading. */
    if (status != CELLA_OK || is_used_up(pem) || same(trimmed(pem), work->chain->last_text))
        return status;
    status = read_certificate(work, &pem, "the root of the TCB signing chain", failure, &root);
    if (status == CELLA_OK && !is_used_up(pem))
        status = cella_fail(work->error, failure, "the TCB signing chain has more than two certificates");
    if (status == CELLA_OK &&
        memcmp(root.public_key, work->chain->root.public_key, sizeof root.public_key) != 0)
        status = cella_fail(work->error, CELLA_COLLATERAL_MISMATCH,
                            "the TCB signing chain leads to another root than the evidence");
    cella_certificate_deinit(&root);
    return status;
}

/* One link: name, use, signature and dates of `certificate` under its issuer. */
static enum cella_status check_link(struct work *work, const struct cella_certificate *certificate,
                                    const char *name, struct cella_bytes issuer,
                                    const struct cella_ecdsa_public *issuer_key, bool must_be_ca) {
    const unsigned usage =
        must_be_ca ? CELLA_KEY_USAGE_CERT | CELLA_KEY_USAGE_CRL : (unsigned)CELLA_KEY_USAGE_SIGN;
    if (!same(certificate->issuer, issuer))
        return cella_fail(work->error, CELLA_CERTIFICATE_INVALID, "%s names another issuer", name);
    if (certificate->is_ca != must_be_ca || (certificate->key_usage & usage) != usage)
        return cella_fail(work->error, CELLA_CERTIFICATE_INVALID, "%s is not made for this use", name);
    if (cella_certificate_verify(certificate, issuer_key) != CELLA_OK)
        return cella_fail(work->error, CELLA_CERTIFICATE_INVALID, "%s is not signed by its issuer", name);
    if (work->options->at < certificate->not_before || work->options->at > certificate->not_after) {
        char from[CELLA_CALENDAR_TEXT_SIZE];
        char to[CELLA_CALENDAR_TEXT_SIZE];
        cella_calendar_print(certificate->not_before, from);
        cella_calendar_print(certificate->not_after, to);
        return cella_fail(work->error, CELLA_CERTIFICATE_NOT_VALID_AT, "%s is valid from %s to %s only", name,
                          from, to);
    }
    if (certificate->not_after < work->chain->next_update)
        work->chain->next_update = certificate->not_after;
    return CELLA_OK;
}

static enum cella_status prepare_key(struct work *work, const struct cella_certificate *certificate,
                                     const char *name, struct cella_ecdsa_public **ret_key) {
    enum cella_status status = cella_ecdsa_public_new(certificate->public_key, ret_key);
    if (status == CELLA_KEY_INVALID)
        return cella_fail(work->error, CELLA_CERTIFICATE_INVALID, "%s has a key outside the curve", name);
    return status == CELLA_OK ? CELLA_OK : cella_fail(work->error, status, "no use of the key of %s", name);
}

static enum cella_status check_links(struct work *work) {
    struct cella_sgx_chain *chain = work->chain;
    enum cella_status status =
        check_link(work, &chain->ca, "the PCK CA certificate", chain->root.subject, chain->anchor.key, true);
    if (status == CELLA_OK)
        status = prepare_key(work, &chain->ca, "the PCK CA certificate", &chain->ca_key);
    if (status == CELLA_OK)
        status =
            check_link(work, &chain->pck, "the PCK certificate", chain->ca.subject, chain->ca_key, false);
    if (status == CELLA_OK)
        status = prepare_key(work, &chain->pck, "the PCK certificate", &chain->pck_key);
    if (status == CELLA_OK)
        status = check_link(work, &chain->tcb_signing, "the TCB signing certificate", chain->root.subject,
                            chain->anchor.key, false);
    if (status == CELLA_OK)
        status =
            prepare_key(work, &chain->tcb_signing, "the TCB signing certificate", &chain->tcb_signing_key);
    return status;
}

/* Reads and judges one list; a missing one is *ret_present = false if the caller allowed just that. */
static enum cella_status check_crl(struct work *work, struct cella_bytes der, const char *name,
                                   enum cella_may_miss leave, struct cella_crl *crl, bool *ret_present) {
    *ret_present = der.size > 0;
    if (der.size == 0 && (work->options->may_miss & (unsigned)leave) == 0)
        return cella_fail(work->error, CELLA_COLLATERAL_MISSING, "%s is missing", name);
    if (der.size == 0) {
        work->chain->missing |= (unsigned)leave;
        return CELLA_OK;
    }
    bool of_root = leave == CELLA_MAY_MISS_ROOT_CRL;
    const struct cella_certificate *issuer = of_root ? &work->chain->root : &work->chain->ca;
    if (cella_crl_parse(der, crl) != CELLA_OK)
        return cella_fail(work->error, CELLA_COLLATERAL_INVALID,
                          "%s is not a well-formed, complete revocation list", name);
    if (!same(crl->issuer, issuer->subject))
        return cella_fail(work->error, CELLA_COLLATERAL_MISMATCH, "%s was issued by another CA", name);
    if (cella_crl_verify(crl, of_root ? work->chain->anchor.key : work->chain->ca_key) != CELLA_OK)
        return cella_fail(work->error, CELLA_COLLATERAL_INVALID, "%s is not signed by its CA", name);
    if (work->options->at < crl->this_update || work->options->at > crl->next_update) {
        char from[CELLA_CALENDAR_TEXT_SIZE];
        char to[CELLA_CALENDAR_TEXT_SIZE];
        cella_calendar_print(crl->this_update, from);
        cella_calendar_print(crl->next_update, to);
        return cella_fail(work->error, CELLA_COLLATERAL_NOT_VALID_AT, "%s is valid from %s to %s only", name,
                          from, to);
    }
    if (crl->next_update < work->chain->next_update)
        work->chain->next_update = crl->next_update;
    return CELLA_OK;
}

static enum cella_status check_floor(struct work *work, const char *name, uint64_t number, uint64_t floor) {
    if (number >= floor)
        return CELLA_OK;
    return cella_fail(work->error, CELLA_COLLATERAL_BELOW_FLOOR,
                      "%s has number %llu, the oldest accepted is %llu", name, (unsigned long long)number,
                      (unsigned long long)floor);
}

static enum cella_status refuse_listed(struct work *work, const struct cella_crl *crl,
                                       const struct cella_certificate *certificate, const char *name) {
    if (!cella_crl_lists(crl, certificate->serial))
        return CELLA_OK;
    return cella_fail(work->error, CELLA_CERTIFICATE_REVOKED, "%s is on its issuer's revocation list", name);
}

static enum cella_status check_root_crl(struct work *work, struct cella_bytes der) {
    struct cella_sgx_chain *chain = work->chain;
    bool present = false;
    enum cella_status status = check_crl(work, der, "the root's revocation list", CELLA_MAY_MISS_ROOT_CRL,
                                         &chain->root_crl, &present);
    if (status != CELLA_OK || !present)
        return status;
    chain->seen.root_crl_number = chain->root_crl.number;
    status = check_floor(work, "the root's revocation list", chain->root_crl.number,
                         work->options->floors.root_crl_number);
    if (status == CELLA_OK)
        status = refuse_listed(work, &chain->root_crl, &chain->ca, "the PCK CA certificate");
    if (status == CELLA_OK)
        status = refuse_listed(work, &chain->root_crl, &chain->tcb_signing, "the TCB signing certificate");
    return status;
}

static enum cella_status check_pck_crl(struct work *work, struct cella_bytes der) {
    struct cella_sgx_chain *chain = work->chain;
    bool present = false;
    enum cella_status status = check_crl(work, der, "the PCK CA's revocation list", CELLA_MAY_MISS_PCK_CRL,
                                         &chain->pck_crl, &present);
    if (status != CELLA_OK || !present)
        return status;
    chain->seen.pck_crl_number = chain->pck_crl.number;
    chain->seen.issued = chain->pck_crl.this_update;
    status = check_floor(work, "the PCK CA's revocation list", chain->pck_crl.number,
                         work->options->floors.pck_crl_number);
    if (status == CELLA_OK && chain->pck_crl.this_update < work->options->floors.issued)
        status = cella_fail(work->error, CELLA_COLLATERAL_BELOW_FLOOR,
                            "the PCK CA's revocation list was issued before the oldest time accepted");
    if (status == CELLA_OK)
        status = refuse_listed(work, &chain->pck_crl, &chain->pck, "the PCK certificate");
    return status;
}

enum cella_status cella_sgx_chain_open(struct cella_sgx_chain *chain, struct cella_bytes certificates,
                                       const struct cella_bytes collateral[CELLA_COLLATERAL_COUNT],
                                       const struct cella_verify_options *options,
                                       struct cella_error *error) {
    struct work work = {.chain = chain, .options = options, .error = error};
    chain->next_update = INT64_MAX;
    chain->seen.issued = INT64_MAX;
    enum cella_status status = read_evidence_chain(&work, certificates);
    if (status == CELLA_OK)
        status = read_signing_chain(&work, collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN]);
    if (status == CELLA_OK)
        status = check_links(&work);
    if (status == CELLA_OK)
        status = check_root_crl(&work, collateral[CELLA_COLLATERAL_ROOT_CRL]);
    if (status == CELLA_OK)
        status = check_pck_crl(&work, collateral[CELLA_COLLATERAL_PCK_CRL]);
    return status;
}

void cella_sgx_chain_close(struct cella_sgx_chain *chain) {
    cella_ecdsa_public_free(chain->pck_key);
    cella_ecdsa_public_free(chain->ca_key);
    cella_ecdsa_public_free(chain->tcb_signing_key);
    cella_sgx_anchor_deinit(&chain->anchor);
    cella_certificate_deinit(&chain->pck);
    cella_certificate_deinit(&chain->ca);
    cella_certificate_deinit(&chain->root);
    cella_certificate_deinit(&chain->tcb_signing);
    cella_crl_deinit(&chain->root_crl);
    cella_crl_deinit(&chain->pck_crl);
    *chain = (struct cella_sgx_chain){0};
}
