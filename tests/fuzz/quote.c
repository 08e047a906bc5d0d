/* Quotes and the certificates inside them. */
#include "attest/sgx/pck.h"
#include "attest/sgx/quote.h"
#include "crypto/pem.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_sgx_quote quote;
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX];
    size_t der_size = 0;
    if (cella_sgx_quote_parse(CELLA_BYTES(data, size), &quote, NULL) != CELLA_OK)
        return 0;
    while (cella_pem_next(&quote.certificates, der, &der_size) == CELLA_OK) {
        struct cella_certificate certificate;
        struct cella_sgx_platform platform;
        if (cella_certificate_parse(CELLA_BYTES(der, der_size), &certificate) != CELLA_OK)
            continue;
        (void)cella_sgx_platform_read(&certificate, &platform, NULL);
        cella_certificate_deinit(&certificate);
    }
    return 0;
}
