/* EREPORT and EGETKEY of the simulated machine: the SDM's inputs and access rules, with HKDF in place of the
 * CPU's secret function. Must not give a key whose rules do not hold. */
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/writer.h"
#include "crypto/cmac.h"
#include "machine/sim/sim.h"
#include <string.h>

#define KEY_REQUEST_RESERVED 434
/* INIT and DEBUG always count, whatever the request masks. */
#define REQUIRED_SEALING_MASK UINT64_C(0x3)
#define KEY_POLICY_KNOWN      UINT16_C(0x3f)
#define KEY_POLICY_NEEDS_KSS  UINT16_C(0x3c)

/* The SDM's "key dependencies": everything that a key depends on. */
struct dependencies {
    uint16_t key_name;
    uint16_t key_policy;
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
    uint32_t misc_select;
    uint32_t misc_mask;
    uint64_t flags, xfrm;
    uint64_t flags_mask, xfrm_mask;
    uint8_t mr_enclave[32];
    uint8_t mr_signer[32];
    uint8_t key_id[32];
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
    uint8_t config_id[64];
};

static enum cella_status derive(const uint8_t fuse_secret[CELLA_SIM_SECRET_SIZE],
                                const struct dependencies *from, uint8_t ret_key[CELLA_MACHINE_KEY_SIZE]) {
    uint8_t buffer[256];
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, sizeof buffer);
    cella_write_u16(&writer, from->key_name);
    cella_write_u16(&writer, from->key_policy);
    cella_write_u16(&writer, from->isv_prod_id);
    cella_write_u16(&writer, from->isv_svn);
    cella_write_u16(&writer, from->config_svn);
    cella_write_u32(&writer, from->misc_select);
    cella_write_u32(&writer, from->misc_mask);
    cella_write_u64(&writer, from->flags);
    cella_write_u64(&writer, from->xfrm);
    cella_write_u64(&writer, from->flags_mask);
    cella_write_u64(&writer, from->xfrm_mask);
    cella_write_bytes(&writer, from->mr_enclave, sizeof from->mr_enclave);
    cella_write_bytes(&writer, from->mr_signer, sizeof from->mr_signer);
    cella_write_bytes(&writer, from->key_id, sizeof from->key_id);
    cella_write_bytes(&writer, from->cpu_svn, sizeof from->cpu_svn);
    cella_write_bytes(&writer, from->config_id, sizeof from->config_id);
    CELLA_ASSERT(!writer.failed);
    return cella_sim_derive(fuse_secret, "egetkey", cella_writer_bytes(&writer), ret_key,
                            CELLA_MACHINE_KEY_SIZE);
}

struct key_request {
    uint16_t key_name;
    uint16_t key_policy;
    uint16_t isv_svn;
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
    uint64_t flags_mask, xfrm_mask;
    uint8_t key_id[32];
    uint32_t misc_mask;
    uint16_t config_svn;
};

/* What would be #GP(0): reserved fields, and fields that exist only with key separation and sharing. */
static enum cella_status read_request(const uint8_t *bytes, const struct cella_machine_identity *identity,
                                      struct key_request *ret_request, struct cella_error *error) {
    struct key_request request;
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(bytes, CELLA_KEY_REQUEST_SIZE));
    request.key_name = cella_read_u16(&reader);
    request.key_policy = cella_read_u16(&reader);
    request.isv_svn = cella_read_u16(&reader);
    cella_read_zeros(&reader, 2);
    cella_read_copy(&reader, request.cpu_svn, sizeof request.cpu_svn);
    request.flags_mask = cella_read_u64(&reader);
    request.xfrm_mask = cella_read_u64(&reader);
    cella_read_copy(&reader, request.key_id, sizeof request.key_id);
    request.misc_mask = cella_read_u32(&reader);
    request.config_svn = cella_read_u16(&reader);
    cella_read_zeros(&reader, KEY_REQUEST_RESERVED);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_KEY_REQUEST, "reserved bytes of the key request are not zero");
    if ((request.key_policy & ~KEY_POLICY_KNOWN) != 0)
        return cella_fail(error, CELLA_KEY_REQUEST, "the key policy 0x%x has reserved bits",
                          (unsigned)request.key_policy);
    if ((request.key_policy & KEY_POLICY_NEEDS_KSS) != 0 || request.config_svn > identity->config_svn)
        return cella_fail(error, CELLA_KEY_REQUEST,
                          "the key request uses key separation, which the enclave has not");
    *ret_request = request;
    return CELLA_OK;
}

static bool is_beyond(const uint8_t *asked, const uint8_t *own) {
    bool beyond = false;
    for (size_t i = 0; i < CELLA_CPU_SVN_SIZE; i++)
        beyond = beyond || asked[i] > own[i];
    return beyond;
}

static enum cella_status seal_key(const struct cella_sim *sim, const struct cella_machine_identity *identity,
                                  const struct key_request *request, uint8_t *ret_key,
                                  struct cella_error *error) {
    if (is_beyond(request->cpu_svn, sim->cpu_svn))
        return cella_fail(error, CELLA_KEY_CPU_SVN,
                          "the key belongs to a newer platform version than this machine's");
    if (request->isv_svn > identity->isv_svn)
        return cella_fail(error, CELLA_KEY_ISV_SVN,
                          "the key belongs to security version %u, this image has %u",
                          (unsigned)request->isv_svn, (unsigned)identity->isv_svn);
    struct dependencies from = {
        .key_name = CELLA_KEY_NAME_SEAL,
        .key_policy = request->key_policy,
        .isv_prod_id = identity->isv_prod_id,
        .isv_svn = request->isv_svn,
        .config_svn = request->config_svn,
        .misc_select = identity->misc_select & request->misc_mask,
        .misc_mask = ~request->misc_mask,
        .flags = identity->flags & (request->flags_mask | REQUIRED_SEALING_MASK),
        .xfrm = identity->xfrm & request->xfrm_mask,
        .flags_mask = request->flags_mask,
        .xfrm_mask = request->xfrm_mask,
    };
    if ((request->key_policy & CELLA_KEY_POLICY_MRENCLAVE) != 0)
        memcpy(from.mr_enclave, identity->code_hash, sizeof from.mr_enclave);
    if ((request->key_policy & CELLA_KEY_POLICY_MRSIGNER) != 0)
        memcpy(from.mr_signer, identity->code_signer, sizeof from.mr_signer);
    memcpy(from.key_id, request->key_id, sizeof from.key_id);
    memcpy(from.cpu_svn, request->cpu_svn, sizeof from.cpu_svn);
    return derive(sim->state.fuse_secret, &from, ret_key);
}

void cella_sim_target_info(const struct cella_machine_identity *identity,
                           uint8_t ret_target_info[CELLA_TARGET_INFO_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, ret_target_info, CELLA_TARGET_INFO_SIZE);
    cella_write_bytes(&writer, identity->code_hash, sizeof identity->code_hash);
    cella_write_u64(&writer, identity->flags);
    cella_write_u64(&writer, identity->xfrm);
    cella_write_zeros(&writer, 2); /* CET attributes, reserved */
    cella_write_u16(&writer, identity->config_svn);
    cella_write_u32(&writer, identity->misc_select);
    cella_write_zeros(&writer, 8);
    cella_write_bytes(&writer, identity->config_id, sizeof identity->config_id);
    cella_write_zeros(&writer, CELLA_TARGET_INFO_SIZE - writer.size);
    CELLA_ASSERT(!writer.failed);
}

enum cella_status cella_sim_report_key(const struct cella_sim_state *state, const uint8_t *target_info,
                                       const uint8_t key_id[32], uint8_t ret_key[CELLA_MACHINE_KEY_SIZE]) {
    struct dependencies from = {.key_name = CELLA_KEY_NAME_REPORT};
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(target_info, CELLA_TARGET_INFO_SIZE));
    cella_read_copy(&reader, from.mr_enclave, sizeof from.mr_enclave);
    from.flags = cella_read_u64(&reader);
    from.xfrm = cella_read_u64(&reader);
    cella_read_zeros(&reader, 2);
    from.config_svn = cella_read_u16(&reader);
    from.misc_select = cella_read_u32(&reader);
    cella_read_zeros(&reader, 8);
    cella_read_copy(&reader, from.config_id, sizeof from.config_id);
    cella_read_zeros(&reader, cella_reader_left(&reader));
    if (!cella_reader_done(&reader))
        return CELLA_ARGUMENT;
    memcpy(from.key_id, key_id, sizeof from.key_id);
    cella_sim_component_svns(state->platform_version, from.cpu_svn);
    return derive(state->fuse_secret, &from, ret_key);
}

enum cella_status cella_sim_key(struct cella_machine *machine, const struct cella_machine_identity *identity,
                                const uint8_t *key_request, uint8_t *ret_key, struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct key_request request;
    enum cella_status status = read_request(key_request, identity, &request, error);
    if (status != CELLA_OK)
        return status;
    uint8_t own_target[CELLA_TARGET_INFO_SIZE];
    switch (request.key_name) {
    case CELLA_KEY_NAME_SEAL:
        return seal_key(sim, identity, &request, ret_key, error);
    case CELLA_KEY_NAME_REPORT:
        cella_sim_target_info(identity, own_target);
        return cella_sim_report_key(&sim->state, own_target, request.key_id, ret_key);
    case CELLA_KEY_NAME_EINITTOKEN:
    case CELLA_KEY_NAME_PROVISION:
    case CELLA_KEY_NAME_PROVISION_SEAL:
        /* launch gives no enclave the attributes that these need. */
        return cella_fail(error, CELLA_KEY_ATTRIBUTE, "the enclave may not have the key with name %u",
                          (unsigned)request.key_name);
    default:
        return cella_fail(error, CELLA_KEY_NAME, "there is no key with name %u", (unsigned)request.key_name);
    }
}

void cella_sim_report_body(const struct cella_machine_identity *identity, const uint8_t *cpu_svn,
                           const uint8_t *report_data, uint8_t ret_body[CELLA_REPORT_BODY_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, ret_body, CELLA_REPORT_BODY_SIZE);
    cella_write_bytes(&writer, cpu_svn, CELLA_CPU_SVN_SIZE);
    cella_write_u32(&writer, identity->misc_select);
    cella_write_zeros(&writer, 12 + 16); /* CET attributes and reserved, ISVEXTPRODID */
    cella_write_u64(&writer, identity->flags);
    cella_write_u64(&writer, identity->xfrm);
    cella_write_bytes(&writer, identity->code_hash, sizeof identity->code_hash);
    cella_write_zeros(&writer, 32);
    cella_write_bytes(&writer, identity->code_signer, sizeof identity->code_signer);
    cella_write_zeros(&writer, 32);
    cella_write_bytes(&writer, identity->config_id, sizeof identity->config_id);
    cella_write_u16(&writer, identity->isv_prod_id);
    cella_write_u16(&writer, identity->isv_svn);
    cella_write_u16(&writer, identity->config_svn);
    cella_write_zeros(&writer, 42 + 16); /* reserved, ISVFAMILYID */
    cella_write_bytes(&writer, report_data, CELLA_REPORT_DATA_SIZE);
    CELLA_ASSERT(!writer.failed && writer.size == CELLA_REPORT_BODY_SIZE);
}

enum cella_status cella_sim_report(struct cella_machine *machine,
                                   const struct cella_machine_identity *identity, const uint8_t *target_info,
                                   const uint8_t *report_data, uint8_t *ret_report,
                                   struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    uint8_t key[CELLA_MACHINE_KEY_SIZE];
    uint8_t body[CELLA_REPORT_BODY_SIZE];
    enum cella_status status = cella_sim_report_key(&sim->state, target_info, sim->report_key_id, key);
    if (status == CELLA_ARGUMENT)
        return cella_fail(error, status, "reserved bytes of the target info are not zero");
    if (status != CELLA_OK)
        return status;
    cella_sim_report_body(identity, sim->cpu_svn, report_data, body);
    memcpy(ret_report, body, sizeof body);
    memcpy(ret_report + CELLA_REPORT_BODY_SIZE, sim->report_key_id, sizeof sim->report_key_id);
    cella_cmac(key, CELLA_BYTES(body, sizeof body), ret_report + CELLA_REPORT_SIZE - CELLA_CMAC_SIZE);
    cella_wipe(key, sizeof key);
    return CELLA_OK;
}
