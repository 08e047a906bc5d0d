/* The platform and the quoting enclave against the vendor's documents. */
#ifndef CELLA_ATTEST_SGX_TCB_H
#define CELLA_ATTEST_SGX_TCB_H

#include "attest/sgx/chain.h"
#include "attest/sgx/documents.h"
#include "attest/sgx/quote.h"

/* What the documents say; dates and numbers of the two documents together. */
struct cella_sgx_tcb {
    enum cella_tcb_status status; /* both together */
    enum cella_tcb_status platform_status;
    enum cella_tcb_status qe_status;
    int64_t date;
    struct cella_advisories advisories;
    struct cella_advisories qe_advisories;
    uint32_t evaluation_number; /* the smaller one */
    int64_t issued;             /* the earlier one */
    int64_t next_update;        /* the earlier one */
};

/* Verifies both documents (signature, dates, floors, platform), the quoting enclave's identity, and finds the
 * levels. Statuses as cella_verify() has them. */
enum cella_status cella_sgx_tcb_judge(const struct cella_sgx_chain *chain,
                                      const struct cella_sgx_report *qe_report,
                                      const struct cella_bytes collateral[CELLA_COLLATERAL_COUNT],
                                      const struct cella_verify_options *options,
                                      struct cella_sgx_tcb *ret_tcb, struct cella_error *error);

/* The platform's level: the greatest one that every component and the PCESVN reach. NULL: none.
 * CELLA_COLLATERAL_INVALID: two levels are the same. */
enum cella_status cella_sgx_level_find(const struct cella_sgx_document *document,
                                       const struct cella_sgx_platform *platform,
                                       const struct cella_sgx_level **ret_level);

/* The platform's status and the quoting enclave's together, as Intel converges them. */
enum cella_tcb_status cella_sgx_status_converge(enum cella_tcb_status platform, enum cella_tcb_status qe);

#endif
