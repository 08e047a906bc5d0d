/* DCAP quotes, version 3. Must not look at a field that it has not bounded. */
#include "attest/sgx/quote.h"
#include "base/error.h"
#include "base/reader.h"
#include <string.h>

#define HEADER_SIZE             48
#define VERSION                 3
#define KEY_TYPE_ECDSA_P256     2
#define CERTIFICATION_PEM_CHAIN 5

static const uint8_t intel_vendor_id[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                            0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static void read_report(struct cella_reader *from, struct cella_sgx_report *report) {
    struct cella_reader reader;
    const uint8_t *bytes = cella_read_view(from, CELLA_SGX_REPORT_SIZE);
    if (bytes == NULL)
        return;
    report->bytes = CELLA_BYTES(bytes, CELLA_SGX_REPORT_SIZE);
    cella_reader_init(&reader, report->bytes);
    (void)cella_read_view(&reader, 16); /* CPUSVN: the PCK certificate's word counts */
    report->misc_select = cella_read_view(&reader, 4);
    (void)cella_read_view(&reader, 28);
    report->attributes = cella_read_view(&reader, 16);
    report->mr_enclave = cella_read_view(&reader, 32);
    (void)cella_read_view(&reader, 32);
    report->mr_signer = cella_read_view(&reader, 32);
    (void)cella_read_view(&reader, 96);
    report->isv_prod_id = cella_read_u16(&reader);
    report->isv_svn = cella_read_u16(&reader);
    (void)cella_read_view(&reader, 60);
    report->report_data = cella_read_view(&reader, 64);
}

static enum cella_status read_header(struct cella_reader *reader, struct cella_error *error) {
    uint16_t version = cella_read_u16(reader);
    uint16_t key_type = cella_read_u16(reader);
    uint32_t reserved = cella_read_u32(reader);
    (void)cella_read_view(reader, 4); /* SVNs of QE and PCE, for information */
    const uint8_t *vendor = cella_read_view(reader, sizeof intel_vendor_id);
    (void)cella_read_view(reader, 20); /* user data: the QE's id */
    if (reader->failed)
        return cella_fail(error, CELLA_DAMAGED, "quote: it ends within its header");
    if (version != VERSION)
        return cella_fail(error, CELLA_EVIDENCE_UNSUPPORTED, "quote: version %u, only version 3 is verified",
                          (unsigned)version);
    if (key_type != KEY_TYPE_ECDSA_P256)
        return cella_fail(error, CELLA_EVIDENCE_UNSUPPORTED,
                          "quote: attestation key type %u, only ECDSA P-256 (2) is verified",
                          (unsigned)key_type);
    if (reserved != 0)
        return cella_fail(error, CELLA_DAMAGED, "quote: a reserved field of its header is not zero");
    if (memcmp(vendor, intel_vendor_id, sizeof intel_vendor_id) != 0)
        return cella_fail(error, CELLA_EVIDENCE_UNSUPPORTED, "quote: unknown vendor of the quoting enclave");
    return CELLA_OK;
}

static enum cella_status read_signature_data(struct cella_bytes bytes, struct cella_sgx_quote *quote,
                                             struct cella_error *error) {
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    quote->signature = cella_read_view(&reader, 64);
    quote->attestation_key = cella_read_view(&reader, 64);
    read_report(&reader, &quote->qe_report);
    quote->qe_report_signature = cella_read_view(&reader, 64);
    uint16_t authentication_size = cella_read_u16(&reader);
    const uint8_t *authentication = cella_read_view(&reader, authentication_size);
    quote->authentication_data = CELLA_BYTES(authentication, authentication_size);
    uint16_t certification_type = cella_read_u16(&reader);
    quote->certificates = cella_read_sized(&reader, bytes.size);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED,
                          "quote: the parts of its signature data do not fill it exactly");
    if (certification_type != CERTIFICATION_PEM_CHAIN)
        return cella_fail(
            error, CELLA_EVIDENCE_UNSUPPORTED,
            "quote: certification data of type %u; only a certificate chain (5) can be verified "
            "offline",
            (unsigned)certification_type);
    return CELLA_OK;
}

enum cella_status cella_sgx_quote_parse(struct cella_bytes bytes, struct cella_sgx_quote *ret_quote,
                                        struct cella_error *error) {
    struct cella_sgx_quote quote = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    enum cella_status status = read_header(&reader, error);
    if (status != CELLA_OK)
        return status;
    read_report(&reader, &quote.body);
    struct cella_bytes signature_data = cella_read_sized(&reader, bytes.size);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED,
                          "quote: its %zu bytes are not header, report and signature data", bytes.size);
    quote.signed_bytes = CELLA_BYTES(bytes.data, HEADER_SIZE + CELLA_SGX_REPORT_SIZE);
    status = read_signature_data(signature_data, &quote, error);
    if (status == CELLA_OK)
        *ret_quote = quote;
    return status;
}
