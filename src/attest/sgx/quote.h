/* Layout of DCAP quotes, version 3 (formats/quote.md). Takes apart, judges nothing. */
#ifndef CELLA_ATTEST_SGX_QUOTE_H
#define CELLA_ATTEST_SGX_QUOTE_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_SGX_REPORT_SIZE     384
#define CELLA_SGX_ATTRIBUTE_DEBUG 0x02

/* The fields of an SGX report body that verification asks for; pointers into the quote. */
struct cella_sgx_report {
    struct cella_bytes bytes;
    const uint8_t *misc_select; /* 4 bytes */
    const uint8_t *attributes;  /* 16 bytes */
    const uint8_t *mr_enclave;  /* 32 bytes */
    const uint8_t *mr_signer;   /* 32 bytes */
    const uint8_t *report_data; /* 64 bytes */
    uint16_t isv_prod_id;
    uint16_t isv_svn;
};

/* A quote; views into the bytes it was parsed from. */
struct cella_sgx_quote {
    struct cella_bytes signed_bytes; /* header and body */
    struct cella_sgx_report body;
    const uint8_t *signature;       /* 64 bytes, over signed_bytes, by the attestation key */
    const uint8_t *attestation_key; /* 64 bytes */
    struct cella_sgx_report qe_report;
    const uint8_t *qe_report_signature; /* 64 bytes, by the PCK */
    struct cella_bytes authentication_data;
    struct cella_bytes certificates; /* PEM: PCK, its CA, root */
};

/* Reads a quote that fills `bytes` exactly. CELLA_DAMAGED; CELLA_EVIDENCE_UNSUPPORTED: another version, key
 * type, vendor or certification data than can be verified offline. */
enum cella_status cella_sgx_quote_parse(struct cella_bytes bytes, struct cella_sgx_quote *ret_quote,
                                        struct cella_error *error);

#endif
