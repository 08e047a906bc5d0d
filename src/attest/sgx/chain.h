/* Certificates and revocation lists of one verification: from the quote's PCK and the TCB signing certificate
 * up to one anchor. */
#ifndef CELLA_ATTEST_SGX_CHAIN_H
#define CELLA_ATTEST_SGX_CHAIN_H

#include "attest/attestation.h"
#include "attest/sgx/anchor.h"
#include "attest/sgx/pck.h"

/* Zero it before open; owns its parts until close, also after a failed open. */
struct cella_sgx_chain {
    struct cella_certificate pck;
    struct cella_certificate ca;
    struct cella_certificate root;
    struct cella_certificate tcb_signing;
    struct cella_crl root_crl;
    struct cella_crl pck_crl;
    struct cella_sgx_anchor anchor;
    struct cella_sgx_platform platform; /* what the PCK certificate says */
    struct cella_bytes last_text;       /* PEM of the root in the evidence, if it stands last there */
    struct cella_ecdsa_public *pck_key;
    struct cella_ecdsa_public *ca_key;
    struct cella_ecdsa_public *tcb_signing_key;
    unsigned missing;                /* enum cella_may_miss */
    int64_t next_update;             /* the earliest end of all of these */
    struct cella_verify_floors seen; /* numbers of the lists, issue time of the PCK CRL */
};

/* Parses and checks all of it: anchor, links, uses, signatures (each once), dates, revocation, floors.
 * `certificates` is the quote's PEM chain. Statuses as cella_verify() has them. */
enum cella_status cella_sgx_chain_open(struct cella_sgx_chain *chain, struct cella_bytes certificates,
                                       const struct cella_bytes collateral[CELLA_COLLATERAL_COUNT],
                                       const struct cella_verify_options *options, struct cella_error *error);
void cella_sgx_chain_close(struct cella_sgx_chain *chain);

#endif
