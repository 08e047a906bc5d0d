/* Verification without the last step, for tools that explain. Programs use cella_verify(). */
#ifndef CELLA_ATTEST_UNCONSTRAINED_H
#define CELLA_ATTEST_UNCONSTRAINED_H

#include <cella/verify.h>

/* All that cella_verify() does but the constraint, which is not looked at: the verdict says which code runs,
 * not that anybody wants it. */
enum cella_status cella_verify_unconstrained(struct cella_bytes attestation,
                                             const struct cella_verify_options *options,
                                             struct cella_verdict *ret_verdict, struct cella_error *error);

#endif
