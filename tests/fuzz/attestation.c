/* Whole attestations, verified at the time of the corpus; and each piece of collateral as if its signature
 * had held, which fuzzing would hardly ever reach otherwise. */
#include "attest/attestation.h"
#include "attest/sgx/documents.h"
#include "attest/unconstrained.h"
#include "crypto/x509.h"
#include <stdint.h>

#define CORPUS_TIME INT64_C(1750000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_documents(const struct cella_attestation *parts) {
    struct cella_sgx_envelope envelope;
    struct cella_sgx_tcb_info info;
    struct cella_sgx_qe_identity identity;
    struct cella_advisories advisories;
    if (cella_sgx_envelope_parse(parts->collateral[CELLA_COLLATERAL_TCB_INFO], "tcbInfo", &envelope) ==
            CELLA_OK &&
        cella_sgx_tcb_info_parse(envelope.signed_bytes, &info) == CELLA_OK) {
        for (size_t at = 0; at < info.document.level_count; at++)
            (void)cella_sgx_advisories_read(info.document.levels[at].advisories, &advisories);
        cella_sgx_document_deinit(&info.document);
    }
    if (cella_sgx_envelope_parse(parts->collateral[CELLA_COLLATERAL_QE_IDENTITY], "enclaveIdentity",
                                 &envelope) == CELLA_OK &&
        cella_sgx_qe_identity_parse(envelope.signed_bytes, &identity) == CELLA_OK)
        cella_sgx_document_deinit(&identity.document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_attestation parts;
    struct cella_crl crl;
    struct cella_verdict verdict;
    const struct cella_verify_options options = {.at = CORPUS_TIME};
    if (cella_attestation_parse(CELLA_BYTES(data, size), &parts, NULL) != CELLA_OK)
        return 0;
    read_documents(&parts);
    for (size_t at = CELLA_COLLATERAL_ROOT_CRL; at <= CELLA_COLLATERAL_PCK_CRL; at++)
        if (cella_crl_parse(parts.collateral[at], &crl) == CELLA_OK)
            cella_crl_deinit(&crl);
    (void)cella_verify_unconstrained(CELLA_BYTES(data, size), &options, &verdict, NULL);
    return 0;
}
