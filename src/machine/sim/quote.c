/* The simulated quoting enclave: a REPORT becomes a DCAP version 3 quote. Must not sign a report whose code
 * does not verify, nor sign without saying INSECURE in the chain. */
#include "base/error.h"
#include "base/secret.h"
#include "crypto/cmac.h"
#include "crypto/hash.h"
#include "machine/sim/sim.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUOTE_HEADER_SIZE   48
#define QUOTE_VERSION       3
#define ATTESTATION_KEY     2 /* ECDSA P-256 */
#define CERTIFICATION_CHAIN 5 /* PEM: PCK, CA, root */
#define AUTH_SIZE           32
#define CHAIN_SIZE_MAX      16384
#define KEY_ID_OFFSET       CELLA_REPORT_BODY_SIZE

static const uint8_t qe_vendor_id[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
/* The QE's authentication data; real ones send the same bytes. */
static const uint8_t auth[AUTH_SIZE] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

void cella_sim_qe_identity(struct cella_machine_identity *ret_identity) {
    static const char code[] = "INSECURE Cella Simulated quoting enclave";
    static const char signer[] = "INSECURE Cella Simulated quoting enclave signer";
    struct cella_machine_identity identity = {.flags = CELLA_ATTRIBUTE_INIT | CELLA_ATTRIBUTE_MODE64BIT |
                                                       CELLA_ATTRIBUTE_PROVISIONKEY,
                                              .xfrm = 0xe7,
                                              .isv_prod_id = CELLA_SIM_QE_ISV_PROD_ID,
                                              .isv_svn = CELLA_SIM_QE_ISV_SVN};
    cella_sha256(code, strlen(code), identity.code_hash);
    cella_sha256(signer, strlen(signer), identity.code_signer);
    *ret_identity = identity;
}

void cella_sim_quoting_free(struct cella_sim_quoting *quoting) {
    if (quoting == NULL)
        return;
    cella_ecdsa_key_free(quoting->attestation_key);
    cella_sim_state_deinit(&quoting->state);
    cella_machine_collateral_free(quoting->collateral);
    free(quoting->chain);
    cella_wipe_free(quoting, sizeof *quoting);
}

/* What the PCE does for the QE: the PCK key signs the QE's report, which names the attestation key. */
static enum cella_status certify(struct cella_sim_quoting *quoting) {
    struct cella_machine_identity qe;
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
    uint8_t report_data[CELLA_REPORT_DATA_SIZE] = {0};
    uint8_t named[CELLA_ECDSA_PUBLIC_SIZE + AUTH_SIZE];
    struct cella_ecdsa_key *pck = NULL;
    memcpy(named, cella_ecdsa_key_public(quoting->attestation_key), CELLA_ECDSA_PUBLIC_SIZE);
    memcpy(named + CELLA_ECDSA_PUBLIC_SIZE, auth, AUTH_SIZE);
    cella_sha256(named, sizeof named, report_data);
    cella_sim_qe_identity(&qe);
    cella_sim_component_svns(quoting->state.platform_version, cpu_svn);
    cella_sim_report_body(&qe, cpu_svn, report_data, quoting->qe_report_body);
    enum cella_status status = cella_sim_state_pck_key(&quoting->state, &pck);
    if (status == CELLA_OK)
        status = cella_ecdsa_sign(pck, CELLA_BYTES(quoting->qe_report_body, sizeof quoting->qe_report_body),
                                  quoting->qe_signature);
    cella_ecdsa_key_free(pck);
    return status;
}

static enum cella_status make_chain(struct cella_sim_quoting *quoting) {
    struct cella_writer writer;
    quoting->chain = malloc(CHAIN_SIZE_MAX);
    if (quoting->chain == NULL)
        return CELLA_NO_MEMORY;
    cella_writer_init(&writer, quoting->chain, CHAIN_SIZE_MAX);
    enum cella_status status = cella_x509_certificate_pem(quoting->state.pck, &writer);
    if (status == CELLA_OK)
        status = cella_x509_certificate_pem(quoting->state.ca, &writer);
    if (status == CELLA_OK)
        status = cella_x509_certificate_pem(quoting->state.root, &writer);
    quoting->chain_size = writer.size;
    return status;
}

/* Reads the state under the folder's lock, so that stamp and content belong together. */
static enum cella_status load_state(const char *folder, struct cella_sim_quoting *quoting,
                                    struct cella_error *error) {
    int lock = -1;
    enum cella_status status = cella_sim_lock(folder, &lock, error);
    if (status != CELLA_OK)
        return status;
    status = cella_sim_stamp(folder, &quoting->stamp, error);
    if (status == CELLA_OK)
        status = cella_sim_state_read(folder, &quoting->state, error);
    close(lock);
    return status;
}

static enum cella_status load(struct cella_sim *sim, struct cella_error *error) {
    struct cella_sim_quoting *quoting = calloc(1, sizeof *quoting);
    if (quoting == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for quoting");
    enum cella_status status = load_state(sim->folder, quoting, error);
    if (status == CELLA_OK)
        status = cella_sim_derive_key(quoting->state.fuse_secret, "attestation key", CELLA_BYTES(NULL, 0),
                                      &quoting->attestation_key);
    if (status == CELLA_OK)
        status = cella_sim_derive(quoting->state.fuse_secret, "qe id", CELLA_BYTES(NULL, 0), quoting->qe_id,
                                  sizeof quoting->qe_id);
    if (status == CELLA_OK)
        status = certify(quoting);
    if (status == CELLA_OK)
        status = make_chain(quoting);
    if (status != CELLA_OK) {
        cella_sim_quoting_free(quoting);
        return status;
    }
    cella_sim_quoting_free(sim->quoting);
    sim->quoting = quoting;
    return CELLA_OK;
}

/* The machine's file may have changed since the last quote: a new version has a new PCK certificate. */
enum cella_status cella_sim_refresh(struct cella_sim *sim, struct cella_error *error) {
    struct cella_sim_stamp stamp;
    enum cella_status status = cella_sim_stamp(sim->folder, &stamp, error);
    if (status != CELLA_OK)
        return status;
    if (sim->quoting != NULL && cella_sim_stamp_equal(&stamp, &sim->quoting->stamp))
        return CELLA_OK;
    return load(sim, error);
}

static enum cella_status check_report(const struct cella_sim_quoting *quoting, const uint8_t *report,
                                      struct cella_error *error) {
    struct cella_machine_identity qe;
    uint8_t target[CELLA_TARGET_INFO_SIZE], cpu_svn[CELLA_CPU_SVN_SIZE];
    uint8_t key[CELLA_MACHINE_KEY_SIZE], code[CELLA_CMAC_SIZE];
    cella_sim_component_svns(quoting->state.platform_version, cpu_svn);
    if (memcmp(report, cpu_svn, sizeof cpu_svn) != 0)
        return cella_fail(error, CELLA_MACHINE_CHANGED,
                          "the report was made at another platform version of the machine");
    cella_sim_qe_identity(&qe);
    cella_sim_target_info(&qe, target);
    enum cella_status status = cella_sim_report_key(&quoting->state, target, report + KEY_ID_OFFSET, key);
    if (status != CELLA_OK)
        return status;
    cella_cmac(key, CELLA_BYTES(report, CELLA_REPORT_BODY_SIZE), code);
    bool same = cella_equal_secret(code, report + CELLA_REPORT_SIZE - CELLA_CMAC_SIZE, sizeof code);
    cella_wipe(key, sizeof key);
    cella_wipe(code, sizeof code);
    return same ? CELLA_OK
                : cella_fail(error, CELLA_REPORT_MAC,
                             "the report's code does not verify with the quoting enclave's report key");
}

static void write_header(const struct cella_sim_quoting *quoting, struct cella_writer *writer) {
    cella_write_u16(writer, QUOTE_VERSION);
    cella_write_u16(writer, ATTESTATION_KEY);
    cella_write_u32(writer, 0);
    cella_write_u16(writer, CELLA_SIM_QE_ISV_SVN);
    cella_write_u16(writer, cella_sim_pce_svn(quoting->state.platform_version));
    cella_write_bytes(writer, qe_vendor_id, sizeof qe_vendor_id);
    cella_write_bytes(writer, quoting->qe_id, sizeof quoting->qe_id);
    cella_write_zeros(writer, 4);
}

static enum cella_status write_quote(const struct cella_sim_quoting *quoting, const uint8_t *report,
                                     struct cella_writer *writer) {
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE];
    write_header(quoting, writer);
    cella_write_bytes(writer, report, CELLA_REPORT_BODY_SIZE);
    enum cella_status status =
        cella_ecdsa_sign(quoting->attestation_key, cella_writer_bytes(writer), signature);
    if (status != CELLA_OK)
        return status;
    size_t after = sizeof signature + CELLA_ECDSA_PUBLIC_SIZE + CELLA_REPORT_BODY_SIZE +
                   CELLA_ECDSA_SIGNATURE_SIZE + 2 + AUTH_SIZE + 2 + 4 + quoting->chain_size;
    cella_write_u32(writer, (uint32_t)after);
    cella_write_bytes(writer, signature, sizeof signature);
    cella_write_bytes(writer, cella_ecdsa_key_public(quoting->attestation_key), CELLA_ECDSA_PUBLIC_SIZE);
    cella_write_bytes(writer, quoting->qe_report_body, sizeof quoting->qe_report_body);
    cella_write_bytes(writer, quoting->qe_signature, sizeof quoting->qe_signature);
    cella_write_u16(writer, AUTH_SIZE);
    cella_write_bytes(writer, auth, sizeof auth);
    cella_write_u16(writer, CERTIFICATION_CHAIN);
    cella_write_sized(writer, CELLA_BYTES(quoting->chain, quoting->chain_size));
    return writer->failed ? CELLA_INTERNAL : CELLA_OK;
}

static enum cella_status make_quote(const struct cella_sim_quoting *quoting, const uint8_t *report,
                                    uint8_t **ret_quote, size_t *ret_size, struct cella_error *error) {
    struct cella_writer writer;
    enum cella_status status = check_report(quoting, report, error);
    if (status != CELLA_OK)
        return status;
    size_t capacity = QUOTE_HEADER_SIZE + 2 * CELLA_REPORT_BODY_SIZE + 512 + quoting->chain_size;
    uint8_t *quote = malloc(capacity);
    if (quote == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a quote");
    cella_writer_init(&writer, quote, capacity);
    status = write_quote(quoting, report, &writer);
    if (status != CELLA_OK) {
        free(quote);
        return status;
    }
    *ret_quote = quote;
    *ret_size = writer.size;
    return CELLA_OK;
}

enum cella_status cella_sim_quote(struct cella_machine *machine, const uint8_t *report, uint8_t **ret_quote,
                                  size_t *ret_size, struct cella_error *error) {
    struct cella_sim *sim = (struct cella_sim *)machine;
    pthread_mutex_lock(&sim->mutex);
    enum cella_status status = cella_sim_refresh(sim, error);
    if (status == CELLA_OK)
        status = make_quote(sim->quoting, report, ret_quote, ret_size, error);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}
