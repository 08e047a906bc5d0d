/* The vendor's two JSON documents: TCB info (versions 2 and 3) and QE identity (version 2). Reads what was
 * signed, byte for byte; judges nothing. */
#ifndef CELLA_ATTEST_SGX_DOCUMENTS_H
#define CELLA_ATTEST_SGX_DOCUMENTS_H

#include "attest/sgx/pck.h"
#include <cella/verify.h>

#define CELLA_SGX_LEVELS_MAX 96

/* A document as served: {"NAME":{…},"signature":"128 hex digits"}; white space may follow. */
struct cella_sgx_envelope {
    struct cella_bytes signed_bytes; /* the inner object, from brace to brace */
    uint8_t signature[64];
};

/* Splits it without reading the inner object, so that the signature can be checked first. CELLA_DAMAGED. */
enum cella_status cella_sgx_envelope_parse(struct cella_bytes bytes, const char *name,
                                           struct cella_sgx_envelope *ret_envelope);

struct cella_sgx_level {
    uint8_t component_svn[CELLA_SGX_COMPONENTS]; /* TCB info only */
    uint16_t svn;                                /* pcesvn of a TCB info, isvsvn of a QE identity */
    enum cella_tcb_status status;
    int64_t date;
    const void *advisories; /* for cella_sgx_advisories_read() */
};

/* What both have in common. Owns what `advisories` point to until deinit; a zeroed one is valid for that. */
struct cella_sgx_document {
    int64_t issue_date;
    int64_t next_update;
    uint32_t evaluation_number;
    size_t level_count;
    struct cella_sgx_level levels[CELLA_SGX_LEVELS_MAX]; /* as listed */
    void *json;
};

struct cella_sgx_tcb_info {
    struct cella_sgx_document document;
    uint8_t fmspc[6];
    uint8_t pce_id[2];
};

struct cella_sgx_qe_identity {
    struct cella_sgx_document document;
    uint8_t misc_select[4]; /* in the byte order of the report */
    uint8_t misc_select_mask[4];
    uint8_t attributes[16];
    uint8_t attributes_mask[16];
    uint8_t mr_signer[32];
    uint16_t isv_prod_id;
};

/* The inner objects. CELLA_DAMAGED: not such a document, a duplicate key, a value out of range or an unknown
 * status; CELLA_COLLATERAL_MISMATCH: one for another purpose (TDX, another enclave, another TCB type);
 * CELLA_LIMIT: more than CELLA_SGX_LEVELS_MAX levels; CELLA_NO_MEMORY. */
enum cella_status cella_sgx_tcb_info_parse(struct cella_bytes inner, struct cella_sgx_tcb_info *ret_tcb_info);
enum cella_status cella_sgx_qe_identity_parse(struct cella_bytes inner,
                                              struct cella_sgx_qe_identity *ret_qe_identity);
void cella_sgx_document_deinit(struct cella_sgx_document *document);

/* CELLA_DAMAGED: an id is no text of fewer than CELLA_ADVISORY_SIZE_MAX printable characters; CELLA_LIMIT. */
enum cella_status cella_sgx_advisories_read(const void *advisories, struct cella_advisories *ret_advisories);

#endif
