/* What a PCK certificate says about its platform (Intel's extension 1.2.840.113741.1.13.1). */
#ifndef CELLA_ATTEST_SGX_PCK_H
#define CELLA_ATTEST_SGX_PCK_H

#include "crypto/x509.h"

#define CELLA_SGX_COMPONENTS 16

struct cella_sgx_platform {
    uint8_t component_svn[CELLA_SGX_COMPONENTS];
    uint16_t pce_svn;
    uint8_t pce_id[2];
    uint8_t fmspc[6];
};

/* CELLA_CERTIFICATE_INVALID: no such extension, or a member that is missing, doubled or out of range. */
enum cella_status cella_sgx_platform_read(const struct cella_certificate *pck,
                                          struct cella_sgx_platform *ret_platform, struct cella_error *error);

#endif
