/* Showing attestations, verdicts and constraints. Must name what was not verified as such. */
#include "cli/attest_print.h"
#include "attest/sgx/quote.h"
#include "attest/statement.h"
#include "base/calendar.h"
#include "base/hex.h"
#include "state/genesis.h"
#include <stdio.h>
#include <string.h>

#define HEX_MAX 64

/* A fact on its way out: to a person or into a JSON object. */
struct out {
    json_t *object; /* NULL: print */
};

static void put_text(const struct out *out, const char *key, const char *label, const char *text) {
    if (out->object != NULL)
        (void)json_object_set_new(out->object, key, json_string(text));
    else
        printf("  %-22s %s\n", label, text);
}

static void put_number(const struct out *out, const char *key, const char *label, uint64_t number) {
    if (out->object != NULL)
        (void)json_object_set_new(out->object, key, json_integer((json_int_t)number));
    else
        printf("  %-22s %llu\n", label, (unsigned long long)number);
}

static void put_bool(const struct out *out, const char *key, const char *label, bool value) {
    if (out->object != NULL)
        (void)json_object_set_new(out->object, key, json_boolean(value));
    else
        printf("  %-22s %s\n", label, value ? "yes" : "no");
}

static void put_hex(const struct out *out, const char *key, const char *label, const uint8_t *data,
                    size_t size) {
    char text[2 * HEX_MAX + 1] = "";
    cella_hex_encode(data, size <= HEX_MAX ? size : HEX_MAX, text);
    put_text(out, key, label, text);
}

static void put_time(const struct out *out, const char *key, const char *label, int64_t seconds) {
    char text[CELLA_CALENDAR_TEXT_SIZE];
    cella_calendar_print(seconds, text);
    put_text(out, key, label, text);
}

static void put_advisories(const struct out *out, const char *key, const char *label,
                           const struct cella_advisories *advisories) {
    json_t *list = out->object != NULL ? json_array() : NULL;
    if (list == NULL && advisories->count > 0)
        printf("  %-22s", label);
    for (size_t at = 0; at < advisories->count; at++) {
        if (list != NULL)
            (void)json_array_append_new(list, json_string(advisories->ids[at]));
        else
            printf(" %s", advisories->ids[at]);
    }
    if (list != NULL)
        (void)json_object_set_new(out->object, key, list);
    else if (advisories->count > 0)
        putchar('\n');
}

static void put_identity(const struct out *out, const struct cella_verdict *verdict) {
    const struct cella_identity *identity = &verdict->identity;
    put_text(out, "kind", "evidence", cella_kind_name(verdict->kind));
    put_text(out, "level", "security level", cella_level_name(identity->level));
    put_text(out, "reason", "because", cella_level_rule_sentence(verdict->rule));
    put_hex(out, "code_hash", "code hash", identity->code_hash.bytes, identity->code_hash.size);
    put_hex(out, "code_signer", "code signer", identity->code_signer.bytes, identity->code_signer.size);
    put_number(out, "product_id", "product id", identity->product_id);
    put_number(out, "security_version", "security version", identity->security_version);
    put_bool(out, "debug", "debug enclave", verdict->debug);
    put_bool(out, "simulated", "simulated machine", verdict->simulated);
}

static void put_platform(const struct out *out, const struct cella_verdict *verdict) {
    put_text(out, "tcb_status", "vendor's status", cella_tcb_status_name(verdict->tcb_status));
    put_text(out, "platform_status", "  of the platform", cella_tcb_status_name(verdict->platform_status));
    put_text(out, "qe_status", "  of the quoter", cella_tcb_status_name(verdict->qe_status));
    put_time(out, "tcb_date", "platform level of", verdict->tcb_date);
    put_advisories(out, "advisories", "advisories", &verdict->advisories);
    put_advisories(out, "qe_advisories", "advisories (quoter)", &verdict->qe_advisories);
    put_hex(out, "fmspc", "platform kind", verdict->fmspc, sizeof verdict->fmspc);
    put_bool(out, "pck_crl_missing", "PCK CRL missing", (verdict->missing & CELLA_MAY_MISS_PCK_CRL) != 0);
    put_bool(out, "root_crl_missing", "root CRL missing", (verdict->missing & CELLA_MAY_MISS_ROOT_CRL) != 0);
}

static void put_dates(const struct out *out, const struct cella_verdict *verdict) {
    put_time(out, "time", "attestation's time", verdict->identity.time);
    put_time(out, "time_claimed", "time the host claims", verdict->time_claimed);
    put_time(out, "collateral_issued", "collateral issued", verdict->seen.issued);
    put_time(out, "collateral_next_update", "collateral valid until", verdict->next_update);
    put_number(out, "tcb_evaluation_number", "evaluation number", verdict->seen.tcb_evaluation_number);
    put_number(out, "root_crl_number", "root CRL number", verdict->seen.root_crl_number);
    put_number(out, "pck_crl_number", "PCK CRL number", verdict->seen.pck_crl_number);
    put_bool(out, "nonce_checked", "your nonce is inside", verdict->nonce_checked);
}

static bool is_zero(const uint8_t id[32]) {
    static const uint8_t zeros[32];
    return memcmp(id, zeros, sizeof zeros) == 0;
}

/* Everything about the vault but its id is the vault's own word from its beginning. */
static void put_vault(const struct out *out, const struct cella_statement *statement) {
    struct cella_genesis genesis;
    put_hex(out, "vault_id", "vault", statement->vault_id, 32);
    if (cella_genesis_parse(CELLA_BYTES(statement->genesis, statement->genesis_size), &genesis, NULL) !=
        CELLA_OK) {
        put_text(out, "vault_kind", "kind of vault", "not known to this release");
        return;
    }
    put_text(out, "vault_kind", "kind of vault",
             genesis.kind == CELLA_VAULT_MACHINE ? "bound to one machine" : "not known to this release");
    put_number(out, "vault_owners", "owners", genesis.owner_count);
    if (genesis.owner_count > 0)
        put_number(out, "vault_owner_threshold", "owners who must sign", genesis.owner_threshold);
}

static void put_statement(const struct out *out, const struct cella_statement *statement) {
    put_hex(out, "session_key", "session key", statement->session_key, 32);
    put_hex(out, "signing_key", "signing key", statement->signing_key, 32);
    if (statement->has_mailbox) {
        put_hex(out, "mailbox_key", "mailbox key", statement->mailbox_key, 32);
        put_number(out, "mailbox_generation", "mailbox generation", statement->mailbox_generation);
    }
    if (statement->genesis_size > 0)
        put_vault(out, statement);
    if (!is_zero(statement->warden_group)) {
        put_hex(out, "warden_group", "warden group", statement->warden_group, 32);
        put_number(out, "warden_lineage", "warden lineage", statement->warden_lineage);
        put_hex(out, "warden_constraint", "wardens' constraint", statement->warden_constraint, 32);
        put_text(out, "warden_level", "wardens' level", cella_level_name(statement->warden_level));
    }
    put_text(out, "freshness", "freshness of state", cella_freshness_name(statement->freshness));
}

static void put_verdict(const struct out *out, const struct cella_verdict *verdict) {
    put_identity(out, verdict);
    put_platform(out, verdict);
    put_dates(out, verdict);
    put_statement(out, &verdict->statement);
}

json_t *cli_verdict_json(const struct cella_verdict *verdict) {
    struct out out = {.object = json_object()};
    put_verdict(&out, verdict);
    return out.object;
}

void cli_verdict_print(const struct cella_verdict *verdict) {
    put_verdict(&(struct out){0}, verdict);
}

static void put_collateral(const struct out *out, const struct cella_attestation *attestation) {
    static const char *const keys[CELLA_COLLATERAL_COUNT] = {
        "tcb_info_size", "qe_identity_size", "tcb_signing_chain_size", "root_crl_size", "pck_crl_size"};
    static const char *const labels[CELLA_COLLATERAL_COUNT] = {
        "TCB info, bytes", "QE identity, bytes", "signing chain, bytes", "root CRL, bytes", "PCK CRL, bytes"};
    for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
        put_number(out, keys[at], labels[at], attestation->collateral[at].size);
}

static void put_attestation(const struct out *out, const struct cella_attestation *attestation) {
    struct cella_sgx_quote quote;
    struct cella_statement statement;
    put_text(out, "kind", "evidence", cella_kind_name(attestation->kind));
    put_number(out, "evidence_size", "evidence, bytes", attestation->evidence.size);
    put_collateral(out, attestation);
    put_time(out, "time_claimed", "time the host claims", attestation->time);
    if (attestation->nonce != NULL)
        put_hex(out, "nonce", "nonce", attestation->nonce, CELLA_NONCE_SIZE);
    if (cella_sgx_quote_parse(attestation->evidence, &quote, NULL) == CELLA_OK) {
        put_hex(out, "code_hash", "code hash", quote.body.mr_enclave, 32);
        put_hex(out, "code_signer", "code signer", quote.body.mr_signer, 32);
        put_number(out, "product_id", "product id", quote.body.isv_prod_id);
        put_number(out, "security_version", "security version", quote.body.isv_svn);
        put_bool(out, "debug", "debug enclave", (quote.body.attributes[0] & CELLA_SGX_ATTRIBUTE_DEBUG) != 0);
    }
    if (cella_statement_parse(attestation->statement, &statement, NULL) == CELLA_OK)
        put_statement(out, &statement);
}

json_t *cli_attestation_json(const struct cella_attestation *attestation) {
    struct out out = {.object = json_object()};
    put_attestation(&out, attestation);
    return out.object;
}

void cli_attestation_print(const struct cella_attestation *attestation) {
    put_attestation(&(struct out){0}, attestation);
}

json_t *cli_rules_json(const struct cella_rule *rules, size_t count, bool checked) {
    json_t *list = json_array();
    for (size_t at = 0; at < count; at++) {
        json_t *rule = json_pack("{s:s, s:s}", "rule", rules[at].key, "expected", rules[at].expected);
        if (checked) {
            (void)json_object_set_new(rule, "found", json_string(rules[at].found));
            (void)json_object_set_new(rule, "holds", json_boolean(rules[at].holds));
        }
        (void)json_array_append_new(list, rule);
    }
    return list;
}

void cli_rules_print(const struct cella_rule *rules, size_t count, bool checked) {
    for (size_t at = 0; at < count; at++) {
        printf("  %-7s expected %s\n", rules[at].key, rules[at].expected);
        if (checked)
            printf("  %-7s found    %s\n", rules[at].holds ? "holds" : "REFUSED", rules[at].found);
    }
}

void cli_json_print(json_t *value) {
    (void)json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}
