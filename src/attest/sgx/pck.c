/* Intel's certificate extension. Members are found by identifier, never by place. */
#include "attest/sgx/pck.h"
#include "base/error.h"
#include <string.h>

/* Content octets of 1.2.840.113741.1.13.1; its members append one or two octets. */
static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum member { MEMBER_TCB = 2, MEMBER_PCE_ID = 3, MEMBER_FMSPC = 4, TCB_MEMBER_PCE_SVN = 17 };

/* The member with this path of one or two numbers below the extension's identifier. */
static const struct cella_der_item *find(const struct cella_der_list *list, uint8_t first, uint8_t second) {
    uint8_t oid[sizeof sgx_oid + 2];
    memcpy(oid, sgx_oid, sizeof sgx_oid);
    oid[sizeof sgx_oid] = first;
    oid[sizeof sgx_oid + 1] = second;
    return cella_der_list_find(list, CELLA_BYTES(oid, sizeof sgx_oid + (second != 0 ? 2 : 1)));
}

static bool read_octets(const struct cella_der_list *list, uint8_t member, uint8_t *out, size_t size) {
    const struct cella_der_item *item = find(list, member, 0);
    if (item == NULL || item->tag != CELLA_DER_TAG_OCTETS || item->value.size != size)
        return false;
    memcpy(out, item->value.data, size);
    return true;
}

static bool read_number(const struct cella_der_list *list, uint8_t member, uint64_t limit,
                        uint64_t *ret_number) {
    const struct cella_der_item *item = find(list, MEMBER_TCB, member);
    if (item == NULL || item->tag != CELLA_DER_TAG_INTEGER || item->number > limit)
        return false;
    *ret_number = item->number;
    return true;
}

static bool read_tcb(struct cella_bytes der, struct cella_sgx_platform *platform) {
    struct cella_der_list tcb;
    uint64_t number = 0;
    if (cella_der_list_parse(der, &tcb) != CELLA_OK)
        return false;
    bool good = read_number(&tcb, TCB_MEMBER_PCE_SVN, UINT16_MAX, &number);
    platform->pce_svn = (uint16_t)number;
    for (uint8_t at = 0; good && at < CELLA_SGX_COMPONENTS; at++) {
        good = read_number(&tcb, (uint8_t)(at + 1), UINT8_MAX, &number);
        platform->component_svn[at] = (uint8_t)number;
    }
    cella_der_list_deinit(&tcb);
    return good;
}

enum cella_status cella_sgx_platform_read(const struct cella_certificate *pck,
                                          struct cella_sgx_platform *ret_platform,
                                          struct cella_error *error) {
    struct cella_sgx_platform platform = {0};
    struct cella_der_list members;
    struct cella_bytes extension = cella_certificate_extension(pck, CELLA_BYTES(sgx_oid, sizeof sgx_oid));
    if (extension.size == 0)
        return cella_fail(error, CELLA_CERTIFICATE_INVALID,
                          "PCK certificate: it has no extension about an SGX platform");
    if (cella_der_list_parse(extension, &members) != CELLA_OK)
        return cella_fail(error, CELLA_CERTIFICATE_INVALID, "PCK certificate: its SGX extension is damaged");
    const struct cella_der_item *tcb = find(&members, MEMBER_TCB, 0);
    bool good = tcb != NULL && tcb->tag == CELLA_DER_TAG_SEQUENCE && read_tcb(tcb->value, &platform) &&
                read_octets(&members, MEMBER_PCE_ID, platform.pce_id, sizeof platform.pce_id) &&
                read_octets(&members, MEMBER_FMSPC, platform.fmspc, sizeof platform.fmspc);
    cella_der_list_deinit(&members);
    if (!good)
        return cella_fail(
            error, CELLA_CERTIFICATE_INVALID,
            "PCK certificate: a member of its SGX extension is missing, doubled or out of range");
    *ret_platform = platform;
    return CELLA_OK;
}
