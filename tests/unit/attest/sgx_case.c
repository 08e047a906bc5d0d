/* Loading of real quotes and their collateral. */
#include "unit/attest/sgx_case.h"
#include "base/calendar.h"
#include "base/writer.h"
#include "crypto/x509_build.h"
#include "support/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sgx_genuine[] = {"sgx-v3-automata-00606a",
                                   "sgx-v3-cmc-c0806f",
                                   "sgx-v3-conclave-00606a",
                                   "sgx-v3-conclave-00906ed5-oldroot",
                                   "sgx-v3-fortanix-00906ea1-oldroot",
                                   "sgx-v3-integritee-00606a",
                                   "sgx-v3-integritee-00906ea1",
                                   "sgx-v3-oasis-00606a",
                                   "sgx-v3-oasis-node-00606a",
                                   "sgx-v3-oe-00906ed5",
                                   "sgx-v3-phala-00a06711",
                                   "sgx-v3-raiko-00606a",
                                   "sgx-v3-teepot-00606a",
                                   "sgx-v3-teepot-00706e47",
                                   "sgx-v3-zkdcap-00906ed5",
                                   NULL};

static const char *path_of(const char *name, const char *ending) {
    char *path = test_allocate(200);
    (void)snprintf(path, 200, "sgx/%s%s", name, ending);
    return path;
}

const char *sgx_expect_value(const char *expect, const char *key) {
    size_t size = strlen(key);
    for (const char *line = expect; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) != 0 || strncmp(line + size, " = ", 3) != 0)
            continue;
        const char *value = line + size + 3;
        size_t value_size = strcspn(value, "\n");
        char *copy = test_allocate(value_size + 1);
        memcpy(copy, value, value_size);
        copy[value_size] = '\0';
        return copy;
    }
    return NULL;
}

const char *sgx_case_value(const struct sgx_case *from, const char *key) {
    char name[80];
    (void)snprintf(name, sizeof name, "case%d.%s", from->number, key);
    return sgx_expect_value(from->expect, name);
}

struct cella_bytes sgx_pem(const char *vector) {
    struct cella_writer writer;
    uint8_t *buffer = test_allocate(8192);
    cella_writer_init(&writer, buffer, 8192);
    assert_status(cella_x509_certificate_pem(test_vector(vector), &writer), CELLA_OK);
    return test_copy(cella_writer_bytes(&writer));
}

bool sgx_case_load(const char *name, int number, struct sgx_case *ret_case) {
    struct sgx_case loaded = {.name = name, .number = number};
    loaded.expect = test_vector_text(path_of(name, ".expect"));
    const char *time = sgx_case_value(&loaded, "time");
    if (time == NULL)
        return false;
    struct cella_bytes *collateral = loaded.parts.collateral;
    const char *pck_crl = sgx_case_value(&loaded, "pck_crl");
    loaded.parts.kind = CELLA_KIND_SGX;
    loaded.parts.evidence = test_vector(path_of(name, ".quote.bin"));
    collateral[CELLA_COLLATERAL_TCB_INFO] = test_vector(path_of(sgx_case_value(&loaded, "tcb_info"), ""));
    collateral[CELLA_COLLATERAL_QE_IDENTITY] =
        test_vector(path_of(sgx_case_value(&loaded, "qe_identity"), ""));
    collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] =
        sgx_pem(path_of(sgx_case_value(&loaded, "tcb_signing_cert"), ""));
    collateral[CELLA_COLLATERAL_ROOT_CRL] = test_vector(path_of(sgx_case_value(&loaded, "root_crl"), ""));
    loaded.has_pck_crl = strcmp(pck_crl, "none-available") != 0;
    if (loaded.has_pck_crl)
        collateral[CELLA_COLLATERAL_PCK_CRL] = test_vector(path_of(pck_crl, ""));
    loaded.options.at = strtoll(time, NULL, 10);
    *ret_case = loaded;
    return true;
}

enum cella_status sgx_case_verify(const struct sgx_case *from, struct cella_verdict *ret_verdict) {
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    return cella_sgx_verify(&from->parts, &from->options, ret_verdict, report_data, NULL);
}
