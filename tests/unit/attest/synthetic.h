/* A vendor, a platform and its evidence made up for tests, with one thing wrong at a time. */
#ifndef CELLA_TEST_SYNTHETIC_H
#define CELLA_TEST_SYNTHETIC_H

#include "attest/attestation.h"
#include "attest/statement.h"
#include "support/test.h"

#define SYNTHETIC_NOW INT64_C(1700000000)

/* What deviates from a good attestation. All zero: UpToDate, no debug, everything valid at SYNTHETIC_NOW. */
struct synthetic_knobs {
    const char *status;    /* of the platform's level; NULL: UpToDate */
    const char *qe_status; /* of the quoting enclave's level */
    const char *levels;    /* JSON of all tcbLevels of the TCB info */
    const char *tcb_id;    /* "SGX" */
    const char *qe_id;     /* "QE" */
    const char *fmspc;     /* of the TCB info; the PCK says 010203040506 */
    const char *pce_id;    /* of the TCB info; the PCK says 0000 */
    const char *extra_key; /* text put into the TCB info, such as "\"version\":3," */
    bool debug;
    bool qe_debug;
    uint16_t qe_product;
    bool foreign_qe; /* the quoting enclave has another signer */
    bool revoke_pck;
    bool revoke_ca;
    bool revoke_tcb_signing;
    bool ca_is_leaf;
    bool pck_is_ca;
    bool pck_without_extension;
    bool double_member; /* FMSPC twice in the PCK's extension */
    bool unknown_critical;
    bool loose_qe;                     /* the QE report is about another attestation key */
    bool wrong_body_key;               /* another key signed the body */
    bool foreign_crl;                  /* the PCK CRL is signed by the root */
    uint32_t crl_number;               /* 7 */
    uint32_t evaluation;               /* 12 */
    uint8_t component;                 /* of the platform's first component; 0: 5, what the level asks */
    const uint8_t *nonce;              /* 32 bytes */
    struct cella_statement *statement; /* NULL: a plain one */
    int64_t time;                      /* the host's claim; 0: SYNTHETIC_NOW */
};

struct synthetic {
    struct cella_attestation parts;
    struct cella_bytes root;  /* DER */
    struct cella_bytes bytes; /* the attestation file */
};

struct synthetic synthetic_make(const struct synthetic_knobs *knobs);

/* A statement without vault. */
struct cella_statement synthetic_statement(void);

/* Options at SYNTHETIC_NOW that vouch for the synthetic root and accept the synthetic code; valid until the
 * next call. */
struct cella_verify_options synthetic_options(const struct synthetic *made);

/* Constraint that accepts the synthetic code at `level`. */
struct cella_constraint synthetic_constraint(enum cella_level level);

#endif
