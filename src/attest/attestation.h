/* The attestation file: evidence, collateral, instance statement, time and nonce in one self-contained piece.
 * Bytes as in formats/attestation.md. Only takes apart and puts together: judges nothing. */
#ifndef CELLA_ATTEST_ATTESTATION_H
#define CELLA_ATTEST_ATTESTATION_H

#include <cella/verify.h>

/* Collateral pieces; the number is their field in the file. All as the vendor's service hands them out. */
enum cella_collateral {
    CELLA_COLLATERAL_TCB_INFO = 0,    /* JSON {"tcbInfo":…,"signature":…} */
    CELLA_COLLATERAL_QE_IDENTITY = 1, /* JSON {"enclaveIdentity":…,"signature":…} */
    CELLA_COLLATERAL_TCB_SIGNING_CHAIN =
        2,                         /* PEM, TCB signing certificate first; a root after it is ignored */
    CELLA_COLLATERAL_ROOT_CRL = 3, /* DER */
    CELLA_COLLATERAL_PCK_CRL = 4,  /* DER */
    CELLA_COLLATERAL_COUNT = 5,
};

#define CELLA_EVIDENCE_SIZE_MAX   32768
#define CELLA_COLLATERAL_SIZE_MAX 65536

/* Views of the parts; owns nothing. A collateral piece of size 0 is absent. */
struct cella_attestation {
    enum cella_kind kind;
    int64_t time;         /* Unix seconds, the host's word */
    const uint8_t *nonce; /* 32 bytes, or NULL */
    struct cella_bytes statement;
    struct cella_bytes evidence;
    struct cella_bytes collateral[CELLA_COLLATERAL_COUNT];
};

/* Bytes that cella_attestation_write() will need; 0 if a part is larger than its limit. */
size_t cella_attestation_size(const struct cella_attestation *attestation);

/* Puts an attestation together. CELLA_LIMIT: a part is larger than its limit; CELLA_TOO_SMALL. */
enum cella_status cella_attestation_write(const struct cella_attestation *attestation, uint8_t *out,
                                          size_t capacity, size_t *ret_size, struct cella_error *error);

/* Takes one apart; the views are valid as long as `bytes`. CELLA_DAMAGED, CELLA_NEWER_FORMAT. */
enum cella_status cella_attestation_parse(struct cella_bytes bytes, struct cella_attestation *ret_attestation,
                                          struct cella_error *error);

#endif
