/* Keys and certificates of the simulated vendor. Must not issue a certificate without INSECURE in its name.
 */
#include "machine/sim/vendor.h"
#include "base/error.h"
#include "crypto/hash.h"
#include <stdio.h>
#include <string.h>

#define ROOT_CRL_URL "http://insecure-cella-simulation.invalid/root.der"
#define CA_CRL_URL   "http://insecure-cella-simulation.invalid/pck.der"

#define OID_SGX        "1.2.840.113741.1.13.1"
#define COMPONENTS     16
#define EXTENSION_SIZE 1024

static const char public_seed[] = "INSECURE Cella Simulated vendor, known to everyone";

const uint8_t cella_sim_fmspc[CELLA_SIM_FMSPC_SIZE] = {0x00, 0x53, 0x49, 0x4d, 0x00, 0x00};

/* How each of the vendor's own certificates differs from the others. */
struct role {
    const char *label;
    const char *name;
    bool is_ca;
    int path_length;
};

static const struct role roles[] = {
    [CELLA_SIM_KEY_ROOT] = {"vendor root key", CELLA_SIM_NAME_ROOT, true, 1},
    [CELLA_SIM_KEY_CA] = {"vendor pck ca key", CELLA_SIM_NAME_CA, true, 0},
    [CELLA_SIM_KEY_TCB_SIGNING] = {"vendor tcb signing key", CELLA_SIM_NAME_TCB_SIGNING, false, 0},
};

void cella_sim_vendor_public_seed(uint8_t out[CELLA_SIM_SECRET_SIZE]) {
    cella_sha256(public_seed, strlen(public_seed), out);
}

enum cella_status cella_sim_vendor_key(const uint8_t seed[CELLA_SIM_SECRET_SIZE],
                                       enum cella_sim_vendor_key which, struct cella_ecdsa_key **ret_key) {
    CELLA_ASSERT((size_t)which < sizeof roles / sizeof roles[0]);
    return cella_sim_derive_key(seed, roles[which].label, CELLA_BYTES(NULL, 0), ret_key);
}

static struct cella_x509_template blank(const char *subject, const char *issuer) {
    return (struct cella_x509_template){
        .subject = {subject, CELLA_SIM_ORGANIZATION},
        .issuer = {issuer, CELLA_SIM_ORGANIZATION},
        .not_before = CELLA_SIM_NOT_BEFORE,
        .not_after = CELLA_SIM_NOT_AFTER,
    };
}

enum cella_status cella_sim_vendor_certificate(const uint8_t seed[CELLA_SIM_SECRET_SIZE],
                                               enum cella_sim_vendor_key which, struct cella_writer *writer) {
    struct cella_ecdsa_key *root = NULL;
    struct cella_ecdsa_key *subject = NULL;
    enum cella_status status = cella_sim_vendor_key(seed, CELLA_SIM_KEY_ROOT, &root);
    if (status == CELLA_OK)
        status = cella_sim_vendor_key(seed, which, &subject);
    if (status == CELLA_OK) {
        struct cella_x509_template template = blank(roles[which].name, CELLA_SIM_NAME_ROOT);
        template.public_key = cella_ecdsa_key_public(subject);
        template.is_ca = roles[which].is_ca;
        template.path_length = roles[which].path_length;
        template.crl_url = ROOT_CRL_URL;
        cella_x509_key_id(template.public_key, template.serial);
        status = cella_x509_issue(&template, root, writer);
    }
    cella_ecdsa_key_free(subject);
    cella_ecdsa_key_free(root);
    return status;
}

/* .2 of the extension: sixteen component SVNs, the PCE's and the CPUSVN. */
static enum cella_status write_tcb(const struct cella_sim_platform *platform, struct cella_writer *writer) {
    struct cella_der_pair pairs[COMPONENTS + 2];
    char oids[COMPONENTS][sizeof OID_SGX ".2.16"];
    for (unsigned i = 0; i < COMPONENTS; i++) {
        int size = snprintf(oids[i], sizeof oids[i], OID_SGX ".2.%u", i + 1);
        CELLA_ASSERT(size > 0 && (size_t)size < sizeof oids[i]);
        pairs[i] = (struct cella_der_pair){
            .oid = oids[i], .type = CELLA_DER_INTEGER, .number = platform->component_svn[i]};
    }
    pairs[COMPONENTS] = (struct cella_der_pair){
        .oid = OID_SGX ".2.17", .type = CELLA_DER_INTEGER, .number = platform->pce_svn};
    pairs[COMPONENTS + 1] = (struct cella_der_pair){
        .oid = OID_SGX ".2.18", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(platform->component_svn, 16)};
    return cella_der_pairs(pairs, COMPONENTS + 2, writer);
}

/* .7 of the extension. Nothing in the simulation depends on these three. */
static enum cella_status write_configuration(struct cella_writer *writer) {
    const struct cella_der_pair pairs[] = {
        {.oid = OID_SGX ".7.1", .type = CELLA_DER_BOOLEAN, .number = 0}, /* dynamic platform */
        {.oid = OID_SGX ".7.2", .type = CELLA_DER_BOOLEAN, .number = 0}, /* cached keys */
        {.oid = OID_SGX ".7.3", .type = CELLA_DER_BOOLEAN, .number = 0}, /* SMT enabled */
    };
    return cella_der_pairs(pairs, sizeof pairs / sizeof pairs[0], writer);
}

static enum cella_status write_extension(const struct cella_sim_platform *platform,
                                         struct cella_writer *writer) {
    static const uint8_t pce_id[2];
    uint8_t tcb_buffer[EXTENSION_SIZE];
    uint8_t configuration_buffer[128];
    struct cella_writer tcb, configuration;
    cella_writer_init(&tcb, tcb_buffer, sizeof tcb_buffer);
    cella_writer_init(&configuration, configuration_buffer, sizeof configuration_buffer);
    enum cella_status status = write_tcb(platform, &tcb);
    if (status == CELLA_OK)
        status = write_configuration(&configuration);
    if (status != CELLA_OK)
        return status;
    const struct cella_der_pair pairs[] = {
        {.oid = OID_SGX ".1", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(platform->ppid, 16)},
        {.oid = OID_SGX ".2", .type = CELLA_DER_LIST, .bytes = cella_writer_bytes(&tcb)},
        {.oid = OID_SGX ".3", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(pce_id, sizeof pce_id)},
        {.oid = OID_SGX ".4",
         .type = CELLA_DER_OCTETS,
         .bytes = CELLA_BYTES(cella_sim_fmspc, sizeof cella_sim_fmspc)},
        {.oid = OID_SGX ".5", .type = CELLA_DER_ENUMERATED, .number = 1}, /* scalable */
        {.oid = OID_SGX ".6", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(platform->instance_id, 16)},
        {.oid = OID_SGX ".7", .type = CELLA_DER_LIST, .bytes = cella_writer_bytes(&configuration)},
    };
    return cella_der_pairs(pairs, sizeof pairs / sizeof pairs[0], writer);
}

enum cella_status cella_sim_vendor_pck(const uint8_t seed[CELLA_SIM_SECRET_SIZE],
                                       const struct cella_sim_platform *platform,
                                       const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                       struct cella_writer *writer) {
    uint8_t buffer[EXTENSION_SIZE];
    struct cella_writer extension;
    struct cella_ecdsa_key *ca = NULL;
    cella_writer_init(&extension, buffer, sizeof buffer);
    enum cella_status status = write_extension(platform, &extension);
    if (status == CELLA_OK)
        status = cella_sim_vendor_key(seed, CELLA_SIM_KEY_CA, &ca);
    if (status == CELLA_OK) {
        const struct cella_x509_extension extensions[] = {
            {.oid = OID_SGX, .critical = false, .value = cella_writer_bytes(&extension)}};
        struct cella_x509_template template = blank(CELLA_SIM_NAME_PCK, CELLA_SIM_NAME_CA);
        template.public_key = public_key;
        template.crl_url = CA_CRL_URL;
        template.extensions = extensions;
        template.extension_count = 1;
        cella_x509_key_id(public_key, template.serial);
        status = cella_x509_issue(&template, ca, writer);
    }
    cella_ecdsa_key_free(ca);
    return status;
}
