/* Whom this verifier trusts: roots by their key, and what their word is worth. */
#ifndef CELLA_ATTEST_SGX_ANCHOR_H
#define CELLA_ATTEST_SGX_ANCHOR_H

#include "crypto/ecdsa.h"
#include <cella/verify.h>

struct cella_sgx_anchor {
    enum cella_level_rule rule; /* CURRENT: the vendor, or vouched for; SIMULATED; CALLER_ROOT */
    const struct cella_ecdsa_public *key;
    struct cella_ecdsa_public *own_key; /* NULL for the built-in ones; freed by deinit */
};

/* Takes a caller's root: exactly one certificate with a P-256 key, DER or PEM. CELLA_DAMAGED,
 * CELLA_NO_MEMORY.
 */
enum cella_status cella_sgx_root_read(struct cella_bytes certificate,
                                      uint8_t ret_key[CELLA_ECDSA_PUBLIC_SIZE]);

/* Finds the root with the public key X||Y: Intel's, the simulated one, or one that the caller named.
 * CELLA_UNTRUSTED_ROOT; CELLA_CERTIFICATE_INVALID: a root of the caller cannot be read,
 * whether it is needed or not. */
enum cella_status cella_sgx_anchor_find(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                        const struct cella_verify_options *options,
                                        struct cella_sgx_anchor *ret_anchor, struct cella_error *error);
/* Accepts a zeroed one. */
void cella_sgx_anchor_deinit(struct cella_sgx_anchor *anchor);

#endif
