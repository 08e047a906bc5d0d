/* Real quotes with their archived collateral, as the .expect files beside them describe. */
#ifndef CELLA_TEST_SGX_CASE_H
#define CELLA_TEST_SGX_CASE_H

#include "attest/attestation.h"
#include "attest/sgx/sgx.h"
#include "support/test.h"

struct sgx_case {
    const char *name;
    int number;
    const char *expect; /* text of the .expect file */
    bool has_pck_crl;
    struct cella_attestation parts;
    struct cella_verify_options options; /* at the case's time */
};

/* Every vector that is genuine and has collateral; ends with NULL. */
extern const char *const sgx_genuine[];

/* Loads case `number` (from 1) of a vector; false if it has no such case. */
bool sgx_case_load(const char *name, int number, struct sgx_case *ret_case);

/* Value of a key of the .expect file, NULL if it is not there; "caseN." is put in front for `sgx_case_value`.
 */
const char *sgx_expect_value(const char *expect, const char *key);
const char *sgx_case_value(const struct sgx_case *from, const char *key);

/* The PEM text of a DER certificate in tests/vectors. */
struct cella_bytes sgx_pem(const char *vector);

enum cella_status sgx_case_verify(const struct sgx_case *from, struct cella_verdict *ret_verdict);

#endif
