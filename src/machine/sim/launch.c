/* EINIT of the simulated machine (SDM 3D, "EINIT"). Must not take anything but the measured hash for what
 * runs.
 */
#include "base/error.h"
#include "machine/sim/sim.h"
#include <string.h>

/* What the simulated CPU can do: x87, SSE, AVX, AVX-512; no MISC features. Provisioning and launch keys are
 * for the machine's own enclaves; key separation and sharing needs config ids, which this release has not. */
#define FLAGS_ALLOWED  ((uint64_t)(CELLA_ATTRIBUTE_DEBUG | CELLA_ATTRIBUTE_MODE64BIT))
#define XFRM_ALLOWED   UINT64_C(0xe7)
#define XFRM_REQUIRED  UINT64_C(0x03)
#define FLAGS_REQUIRED ((uint64_t)CELLA_ATTRIBUTE_MODE64BIT)

/* ECREATE's rules for SECS. */
static enum cella_status check_secs(const struct cella_machine_launch *launch, struct cella_error *error) {
    if ((launch->flags & ~FLAGS_ALLOWED) != 0)
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES,
                          "the machine does not allow the attribute flags 0x%llx",
                          (unsigned long long)(launch->flags & ~FLAGS_ALLOWED));
    if ((launch->flags & FLAGS_REQUIRED) != FLAGS_REQUIRED)
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES, "the machine runs 64-bit images only");
    if ((launch->xfrm & ~XFRM_ALLOWED) != 0 || (launch->xfrm & XFRM_REQUIRED) != XFRM_REQUIRED)
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES, "the machine does not allow XFRM 0x%llx",
                          (unsigned long long)launch->xfrm);
    if (launch->misc_select != 0)
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES, "the machine does not allow MISCSELECT 0x%x",
                          (unsigned)launch->misc_select);
    return CELLA_OK;
}

static bool differ_under(uint64_t left, uint64_t right, uint64_t mask) {
    return (left & mask) != (right & mask);
}

static enum cella_status check_signed(const struct cella_machine_launch *launch,
                                      const struct cella_sigstruct *signature, struct cella_error *error) {
    if (memcmp(signature->enclave_hash, launch->code_hash, sizeof launch->code_hash) != 0)
        return cella_fail(error, CELLA_LAUNCH_MEASUREMENT,
                          "the code hash of the loaded pages is not the one in the signature");
    if (differ_under(launch->flags, signature->attributes.flags,
                     signature->attribute_mask.flags & ~(uint64_t)CELLA_ATTRIBUTE_INIT))
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES,
                          "the attribute flags 0x%llx are not the signed ones, 0x%llx",
                          (unsigned long long)launch->flags, (unsigned long long)signature->attributes.flags);
    if (differ_under(launch->xfrm, signature->attributes.xfrm, signature->attribute_mask.xfrm))
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES, "XFRM 0x%llx is not the signed one, 0x%llx",
                          (unsigned long long)launch->xfrm, (unsigned long long)signature->attributes.xfrm);
    if (differ_under(launch->misc_select, signature->misc_select, signature->misc_mask))
        return cella_fail(error, CELLA_LAUNCH_ATTRIBUTES, "MISCSELECT 0x%x is not the signed one, 0x%x",
                          (unsigned)launch->misc_select, (unsigned)signature->misc_select);
    return CELLA_OK;
}

enum cella_status cella_sim_launch(struct cella_machine *machine, const struct cella_machine_launch *launch,
                                   struct cella_machine_identity *ret_identity, struct cella_error *error) {
    struct cella_sigstruct signature;
    enum cella_status status = check_secs(launch, error);
    if (status == CELLA_OK)
        status =
            cella_sigstruct_read(CELLA_BYTES(launch->sigstruct, CELLA_SIGSTRUCT_SIZE), &signature, error);
    if (status == CELLA_OK)
        status = cella_sigstruct_verify(&signature, error);
    if (status == CELLA_OK)
        status = check_signed(launch, &signature, error);
    if (status != CELLA_OK)
        return status;
    struct cella_machine_identity identity = {.flags = launch->flags | CELLA_ATTRIBUTE_INIT,
                                              .xfrm = launch->xfrm,
                                              .misc_select = launch->misc_select,
                                              .isv_prod_id = signature.isv_prod_id,
                                              .isv_svn = signature.isv_svn};
    memcpy(identity.code_hash, launch->code_hash, sizeof identity.code_hash);
    cella_sigstruct_code_signer(&signature, identity.code_signer);
    *ret_identity = identity;
    return CELLA_OK;
}
