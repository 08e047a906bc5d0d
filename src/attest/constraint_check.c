/* Judging a verified identity by a constraint, for programs and for people. Must only ever be given verified
 * data. */
#include "attest/period.h"
#include "base/calendar.h"
#include "base/error.h"
#include "base/hex.h"
#include <cella/constraint.h>
#include <stdio.h>
#include <string.h>

/* Rules in the order in which they are checked. */
enum rule_id { RULE_CODE, RULE_PRODUCT, RULE_REVOKE, RULE_LEVEL, RULE_EXPIRE, RULE_COUNT };

static const enum cella_status refusals[RULE_COUNT] = {CELLA_REFUSED_CODE, CELLA_REFUSED_PRODUCT,
                                                       CELLA_REFUSED_REVOKED, CELLA_REFUSED_LEVEL,
                                                       CELLA_REFUSED_EXPIRED};

const char *cella_level_name(enum cella_level level) {
    switch (level) {
    case CELLA_LEVEL_INSECURE:
        return "INSECURE";
    case CELLA_LEVEL_STALE:
        return "STALE";
    case CELLA_LEVEL_SECURE:
        return "SECURE";
    }
    return "UNKNOWN";
}

/* A machine that has no such measurement (size 0) matches nothing. */
static bool listed(const struct cella_measurement *list, size_t count,
                   const struct cella_measurement *found) {
    for (size_t at = 0; at < count; at++)
        if (found->size > 0 && list[at].size == found->size &&
            memcmp(list[at].bytes, found->bytes, found->size) == 0)
            return true;
    return false;
}

static bool applies(const struct cella_constraint *constraint, enum rule_id rule) {
    switch (rule) {
    case RULE_PRODUCT:
        return constraint->has_product_id;
    case RULE_REVOKE:
        return constraint->has_revoke;
    case RULE_EXPIRE:
        return constraint->has_expire;
    default:
        return true;
    }
}

/* SEC:INSECURE is for test clients and accepts nothing else, so that none of them reaches production by
 * mistake. */
static bool level_accepted(enum cella_level demanded, enum cella_level found) {
    if (found < CELLA_LEVEL_INSECURE || found > CELLA_LEVEL_SECURE)
        return false;
    return demanded == CELLA_LEVEL_INSECURE ? found == CELLA_LEVEL_INSECURE : found >= demanded;
}

static bool holds(const struct cella_constraint *constraint, const struct cella_identity *identity,
                  int64_t now, enum rule_id rule) {
    switch (rule) {
    case RULE_CODE:
        return listed(constraint->codes, constraint->code_count, &identity->code_hash) ||
               listed(constraint->signers, constraint->signer_count, &identity->code_signer);
    case RULE_PRODUCT:
        return identity->product_id == constraint->product_id;
    case RULE_REVOKE:
        return (int64_t)identity->security_version - 1 >= (int64_t)constraint->revoke;
    case RULE_LEVEL:
        return level_accepted(constraint->level, identity->level);
    case RULE_EXPIRE:
        return cella_period_add(identity->time, &constraint->expire) >= now;
    default:
        return false;
    }
}

static const char *key_of(const struct cella_constraint *constraint, enum rule_id rule) {
    static const char *const keys[RULE_COUNT] = {"C or S", "PROD", "REVOKE", "SEC", "EXPIRE"};
    if (rule == RULE_CODE && constraint->signer_count == 0)
        return "C";
    if (rule == RULE_CODE && constraint->code_count == 0)
        return "S";
    return keys[rule];
}

static void describe_hash(const struct cella_measurement *hash,
                          char out[2 * CELLA_MEASUREMENT_SIZE_MAX + 1]) {
    (void)snprintf(out, 5, "none");
    if (hash->size > 0 && hash->size <= CELLA_MEASUREMENT_SIZE_MAX)
        cella_hex_encode(hash->bytes, hash->size, out);
}

static void expect_code(const struct cella_constraint *constraint, struct cella_rule *rule) {
    char digits[2 * CELLA_MEASUREMENT_SIZE_MAX + 1];
    if (constraint->code_count + constraint->signer_count == 1) {
        bool code = constraint->code_count == 1;
        describe_hash(code ? &constraint->codes[0] : &constraint->signers[0], digits);
        (void)snprintf(rule->expected, sizeof rule->expected, "%s %s", code ? "code hash" : "code signer",
                       digits);
        return;
    }
    (void)snprintf(rule->expected, sizeof rule->expected, "any of %zu code hashes and %zu code signers",
                   constraint->code_count, constraint->signer_count);
}

static void describe_expected(const struct cella_constraint *constraint, enum rule_id id,
                              struct cella_rule *rule) {
    char period[CELLA_PERIOD_TEXT_SIZE];
    const char *level = cella_level_name(constraint->level);
    switch (id) {
    case RULE_CODE:
        expect_code(constraint, rule);
        break;
    case RULE_PRODUCT:
        (void)snprintf(rule->expected, sizeof rule->expected, "product id %u",
                       (unsigned)constraint->product_id);
        break;
    case RULE_REVOKE:
        (void)snprintf(rule->expected, sizeof rule->expected, "security version of at least %llu",
                       (unsigned long long)constraint->revoke + 1);
        break;
    case RULE_LEVEL:
        (void)snprintf(rule->expected, sizeof rule->expected, "level %s%s", level,
                       constraint->level == CELLA_LEVEL_STALE      ? " or SECURE"
                       : constraint->level == CELLA_LEVEL_INSECURE ? " and no other"
                                                                   : "");
        break;
    default:
        cella_period_print(&constraint->expire, period);
        (void)snprintf(rule->expected, sizeof rule->expected, "not older than %s", period);
        break;
    }
}

static void describe_found(const struct cella_identity *identity, int64_t now, enum rule_id id,
                           struct cella_rule *rule) {
    char code[2 * CELLA_MEASUREMENT_SIZE_MAX + 1];
    char signer[2 * CELLA_MEASUREMENT_SIZE_MAX + 1];
    char made[CELLA_CALENDAR_TEXT_SIZE];
    char checked[CELLA_CALENDAR_TEXT_SIZE];
    switch (id) {
    case RULE_CODE:
        describe_hash(&identity->code_hash, code);
        describe_hash(&identity->code_signer, signer);
        (void)snprintf(rule->found, sizeof rule->found, "code hash %s, code signer %s", code, signer);
        break;
    case RULE_PRODUCT:
        (void)snprintf(rule->found, sizeof rule->found, "product id %u", (unsigned)identity->product_id);
        break;
    case RULE_REVOKE:
        (void)snprintf(rule->found, sizeof rule->found, "security version %u",
                       (unsigned)identity->security_version);
        break;
    case RULE_LEVEL:
        (void)snprintf(rule->found, sizeof rule->found, "level %s", cella_level_name(identity->level));
        break;
    default:
        cella_calendar_print(identity->time, made);
        cella_calendar_print(now, checked);
        (void)snprintf(rule->found, sizeof rule->found, "of %s, checked at %s", made, checked);
        break;
    }
}

static void explain(const struct cella_constraint *constraint, const struct cella_identity *identity,
                    int64_t now, enum rule_id id, struct cella_rule *ret_rule) {
    *ret_rule = (struct cella_rule){.key = key_of(constraint, id), .status = refusals[id]};
    describe_expected(constraint, id, ret_rule);
    if (identity != NULL) {
        ret_rule->holds = holds(constraint, identity, now, id);
        describe_found(identity, now, id, ret_rule);
    }
}

size_t cella_constraint_explain(const struct cella_constraint *constraint,
                                const struct cella_identity *identity, int64_t now,
                                struct cella_rule ret_rules[CELLA_RULES_MAX]) {
    size_t count = 0;
    for (int id = 0; id < RULE_COUNT; id++)
        if (applies(constraint, (enum rule_id)id))
            explain(constraint, identity, now, (enum rule_id)id, &ret_rules[count++]);
    return count;
}

enum cella_status cella_constraint_check(const struct cella_constraint *constraint,
                                         const struct cella_identity *identity, int64_t now,
                                         struct cella_error *error) {
    for (int id = 0; id < RULE_COUNT; id++) {
        enum rule_id rule_id = (enum rule_id)id;
        if (!applies(constraint, rule_id) || holds(constraint, identity, now, rule_id))
            continue;
        struct cella_rule rule;
        explain(constraint, identity, now, rule_id, &rule);
        return cella_fail(error, refusals[id], "%s refuses the instance: expected %s; found %s", rule.key,
                          rule.expected, rule.found);
    }
    return CELLA_OK;
}
