/* Trust anchors. A root is its key: names, dates and signatures of root certificates prove nothing. */
#include "attest/sgx/anchor.h"
#include "attest/roots/intel_root.h"
#include "attest/roots/sim_root.h"
#include "base/error.h"
#include "crypto/pem.h"
#include "crypto/x509.h"
#include <pthread.h>
#include <string.h>

static struct {
    struct cella_ecdsa_public *intel;
    struct cella_ecdsa_public *simulated;
} built_in;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Constants of the program, prepared once per process. */
static void prepare(void) {
    CELLA_ASSERT(cella_ecdsa_public_new(cella_intel_root_key, &built_in.intel) == CELLA_OK);
    CELLA_ASSERT(cella_ecdsa_public_new(cella_sim_root_key, &built_in.simulated) == CELLA_OK);
}

enum cella_status cella_sgx_root_read(struct cella_bytes certificate,
                                      uint8_t ret_key[CELLA_ECDSA_PUBLIC_SIZE]) {
    struct cella_certificate root;
    struct cella_bytes rest = certificate;
    uint8_t der[CELLA_CERTIFICATE_SIZE_MAX];
    size_t size = 0;
    if (cella_pem_next(&rest, der, &size) == CELLA_OK) {
        size_t second_size = 0;
        /* Which of several is meant nobody can know. Where there is no second one, `der` stays as it is. */
        if (cella_pem_next(&rest, der, &second_size) != CELLA_NOT_FOUND)
            return CELLA_DAMAGED;
        certificate = CELLA_BYTES(der, size);
    }
    enum cella_status status = cella_certificate_parse(certificate, &root);
    if (status != CELLA_OK)
        return status;
    memcpy(ret_key, root.public_key, CELLA_ECDSA_PUBLIC_SIZE);
    cella_certificate_deinit(&root);
    return CELLA_OK;
}

/* All of them, also when the evidence needs none: a root that cannot be read is a mistake that the caller
 * must learn of on the first day, not on the day when it counts. */
static enum cella_status check_caller_roots(const struct cella_verify_options *options,
                                            struct cella_error *error) {
    uint8_t key[CELLA_ECDSA_PUBLIC_SIZE];
    for (size_t at = 0; at < options->root_count; at++) {
        enum cella_status status = cella_sgx_root_read(options->roots[at].certificate, key);
        if (status == CELLA_NO_MEMORY)
            return cella_fail(error, status, "no memory for root %zu of the caller", at + 1);
        if (status != CELLA_OK)
            return cella_fail(error, CELLA_CERTIFICATE_INVALID,
                              "root %zu of the caller is not one certificate with a P-256 key", at + 1);
    }
    return CELLA_OK;
}

static enum cella_status find_caller_root(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                          const struct cella_verify_options *options,
                                          struct cella_sgx_anchor *ret_anchor, struct cella_error *error) {
    for (size_t at = 0; at < options->root_count; at++) {
        uint8_t key[CELLA_ECDSA_PUBLIC_SIZE];
        struct cella_sgx_anchor anchor = {.rule = options->roots[at].vouched ? CELLA_RULE_CURRENT
                                                                             : CELLA_RULE_CALLER_ROOT};
        if (cella_sgx_root_read(options->roots[at].certificate, key) != CELLA_OK)
            return cella_fail(error, CELLA_CERTIFICATE_INVALID,
                              "root %zu of the caller is no certificate with a P-256 key", at + 1);
        if (memcmp(key, public_key, sizeof key) != 0)
            continue;
        enum cella_status status = cella_ecdsa_public_new(key, &anchor.own_key);
        if (status != CELLA_OK)
            return cella_fail(error, status, "root %zu of the caller has an unusable key", at + 1);
        anchor.key = anchor.own_key;
        *ret_anchor = anchor;
        return CELLA_OK;
    }
    return cella_fail(error, CELLA_UNTRUSTED_ROOT, "the evidence's root has a key that is not trusted here");
}

enum cella_status cella_sgx_anchor_find(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                        const struct cella_verify_options *options,
                                        struct cella_sgx_anchor *ret_anchor, struct cella_error *error) {
    CELLA_ASSERT(pthread_once(&once, prepare) == 0);
    enum cella_status status = check_caller_roots(options, error);
    if (status != CELLA_OK)
        return status;
    if (memcmp(public_key, cella_intel_root_key, CELLA_ECDSA_PUBLIC_SIZE) == 0) {
        *ret_anchor = (struct cella_sgx_anchor){.rule = CELLA_RULE_CURRENT, .key = built_in.intel};
        return CELLA_OK;
    }
    /* Before the caller's roots: nobody can vouch for a key that everyone can derive. */
    if (memcmp(public_key, cella_sim_root_key, CELLA_ECDSA_PUBLIC_SIZE) == 0) {
        *ret_anchor = (struct cella_sgx_anchor){.rule = CELLA_RULE_SIMULATED, .key = built_in.simulated};
        return CELLA_OK;
    }
    return find_caller_root(public_key, options, ret_anchor, error);
}

void cella_sgx_anchor_deinit(struct cella_sgx_anchor *anchor) {
    cella_ecdsa_public_free(anchor->own_key);
    *anchor = (struct cella_sgx_anchor){0};
}
