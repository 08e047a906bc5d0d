/* Verification of an attestation of the simulated machine, against the signature verifications in it. */
#include "attest/attestation.h"
#include "attest/statement.h"
#include "fixture.h"
#include "machine/machine.h"
#include "raw.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one attestation makes a verifier check: the quote, the quoting enclave's report, the certificates of
 * PCK, PCK CA and TCB signing, both revocation lists, TCB info and QE identity. */
enum { SIGNATURES = 9 };

struct attest_bench {
    uint8_t *attestation;
    size_t size;
    struct cella_constraint constraint;
    int64_t at;
    struct raw_ecdsa raw;
};

static void make_evidence(struct cella_machine *machine, const uint8_t *report_data, uint8_t **ret_quote,
                          size_t *ret_size) {
    const struct cella_machine_identity identity = {.flags = 5, .xfrm = 3, .isv_prod_id = 1, .isv_svn = 1};
    uint8_t target[CELLA_TARGET_INFO_SIZE];
    uint8_t report[CELLA_REPORT_SIZE];
    struct cella_error error = {0};
    bench_check(cella_machine_target_info(machine, target, &error), &error, "target info");
    bench_check(cella_machine_report(machine, &identity, target, report_data, report, &error), &error,
                "report");
    bench_check(cella_machine_quote(machine, report, ret_quote, ret_size, &error), &error, "quote");
}

static void put_together(struct attest_bench *bench, struct cella_machine *machine) {
    struct cella_statement statement = {.freshness = CELLA_FRESHNESS_NONE};
    memset(statement.session_key, 1, sizeof statement.session_key);
    memset(statement.signing_key, 2, sizeof statement.signing_key);
    uint8_t text[CELLA_STATEMENT_SIZE_MAX];
    size_t text_size = 0;
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    uint8_t *quote = NULL;
    size_t quote_size = 0;
    struct cella_machine_collateral *collateral = NULL;
    struct cella_error error = {0};
    bench_check(cella_statement_write(&statement, text, sizeof text, &text_size, &error), &error,
                "statement");
    cella_statement_report_data(CELLA_BYTES(text, text_size), NULL, report_data);
    make_evidence(machine, report_data, &quote, &quote_size);
    bench_check(cella_machine_collateral(machine, bench->at, &collateral, &error), &error, "collateral");
    const struct cella_attestation attestation = {
        .kind = CELLA_KIND_SGX,
        .time = bench->at,
        .statement = CELLA_BYTES(text, text_size),
        .evidence = CELLA_BYTES(quote, quote_size),
        .collateral = {[CELLA_COLLATERAL_TCB_INFO] = collateral->tcb_info,
                       [CELLA_COLLATERAL_QE_IDENTITY] = collateral->qe_identity,
                       [CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = collateral->signing_chain,
                       [CELLA_COLLATERAL_ROOT_CRL] = collateral->root_crl,
                       [CELLA_COLLATERAL_PCK_CRL] = collateral->pck_crl},
    };
    bench->size = cella_attestation_size(&attestation);
    bench->attestation = malloc(bench->size);
    bench_require(bench->size > 0 && bench->attestation != NULL, "memory");
    bench_check(cella_attestation_write(&attestation, bench->attestation, bench->size, &bench->size, &error),
                &error, "attestation");
    cella_machine_collateral_free(collateral);
    free(quote);
}

static void verify(void *context, uint64_t count) {
    struct attest_bench *bench = context;
    const struct cella_verify_options options = {.constraint = &bench->constraint, .at = bench->at};
    struct cella_verdict verdict;
    struct cella_error error = {0};
    for (uint64_t i = 0; i < count; i++)
        bench_check(cella_verify(CELLA_BYTES(bench->attestation, bench->size), &options, &verdict, &error),
                    &error, "verification");
}

static void verify_raw(void *context, uint64_t count) {
    struct attest_bench *bench = context;
    for (uint64_t i = 0; i < count * SIGNATURES; i++)
        raw_ecdsa_verify(&bench->raw);
}

static double attestations(void *context) {
    return bench_rate(verify, context);
}

static double raw_attestations(void *context) {
    return bench_rate(verify_raw, context);
}

void bench_attest(void) {
    if (!bench_wanted("attest/verify"))
        return;
    static const char line[] =
        "C:0000000000000000000000000000000000000000000000000000000000000000 SEC:INSECURE";
    struct fixture fixture;
    struct attest_bench bench = {.at = 1767225600}; /* 2026-01-01 */
    struct cella_machine *machine = NULL;
    struct cella_error error = {0};
    fixture_machine_init(&fixture);
    bench_check(cella_machine_open(fixture.machine, &machine, &error), &error, "opening the machine");
    bench_check(cella_constraint_parse(CELLA_BYTES(line, strlen(line)), &bench.constraint, &error), &error,
                "constraint");
    put_together(&bench, machine);
    raw_ecdsa_init(&bench.raw, 512);
    bench_compare(&(struct bench_pair){.name = "attest/verify",
                                       .unit = "1/s",
                                       .against = "the nine ECDSA P-256 verifications in one, bare",
                                       .aim = 0.8,
                                       .work = attestations,
                                       .base = raw_attestations,
                                       .context = &bench});
    raw_ecdsa_deinit(&bench.raw);
    free(bench.attestation);
    cella_machine_free(machine);
    fixture_deinit(&fixture);
}
