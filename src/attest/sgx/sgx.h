/* Evidence of Intel SGX (and of the simulated machine): a DCAP quote version 3 with its collateral. */
#ifndef CELLA_ATTEST_SGX_SGX_H
#define CELLA_ATTEST_SGX_SGX_H

#include "attest/attestation.h"
#include "attest/statement.h"

/* Verifies `parts->evidence` with `parts->collateral` under `options` (constraint and nonce are not looked
 * at) and fills every member of the verdict that comes from evidence; identity.time is the earliest issue
 * time that the vendor signed. The report data is the caller's to judge. Statuses as cella_verify() has them.
 */
enum cella_status cella_sgx_verify(const struct cella_attestation *parts,
                                   const struct cella_verify_options *options,
                                   struct cella_verdict *ret_verdict,
                                   uint8_t ret_report_data[CELLA_REPORT_DATA_SIZE],
                                   struct cella_error *error);

#endif
