/* The constraint language, row by row of its table. */
#include "support/test.h"
#include <cella/constraint.h>
#include <stdio.h>
#include <string.h>

#define H1       "1111111111111111111111111111111111111111111111111111111111111111"
#define H2       "2222222222222222222222222222222222222222222222222222222222222222"
#define HA       "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
#define HA_UPPER "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789"

static enum cella_status parse(const char *line, struct cella_constraint *ret_constraint,
                               struct cella_error *error) {
    return cella_constraint_parse(CELLA_BYTES(line, strlen(line)), ret_constraint, error);
}

static struct cella_constraint good(const char *line) {
    struct cella_constraint constraint;
    assert_status(parse(line, &constraint, NULL), CELLA_OK);
    return constraint;
}

static void assert_canonical(const char *line, const char *expected) {
    char text[CELLA_CONSTRAINT_LINE_MAX];
    struct cella_constraint constraint = good(line);
    assert_status(cella_constraint_print(&constraint, text, sizeof text), CELLA_OK);
    assert_string_equal(text, expected);
    struct cella_constraint again = good(text);
    assert_memory_equal(&again, &constraint, sizeof again);
}

static void accepted_lines_have_a_canonical_form_that_parses_equal(void **state) {
    assert_canonical("C:" H1, "C:" H1 " SEC:STALE");
    assert_canonical("PROD:10 S:" H1, "S:" H1 " PROD:10 SEC:STALE");
    assert_canonical("PROD:3123 C:" H1 " S:" HA " C:" H2 " S:" H1,
                     "C:" H1 " C:" H2 " S:" H1 " S:" HA " PROD:3123 SEC:STALE");
    assert_canonical("S:" HA " C:" H2 " S:" H1 " C:" H1 " PROD:3123",
                     "C:" H1 " C:" H2 " S:" H1 " S:" HA " PROD:3123 SEC:STALE");
    assert_canonical("C:" H1 "  SEC:SECURE", "C:" H1 " SEC:SECURE");
    assert_canonical("  C:" H1 "  ", "C:" H1 " SEC:STALE");
    assert_canonical("SEC:INSECURE EXPIRE:P6M2W5D REVOKE:2 PROD:0 S:" H1,
                     "S:" H1 " PROD:0 REVOKE:2 EXPIRE:P6M2W5D SEC:INSECURE");
    assert_canonical("C:" H1 " EXPIRE:P1Y2M3W4D", "C:" H1 " EXPIRE:P1Y2M3W4D SEC:STALE");
    assert_canonical("C:" HA_UPPER, "C:" HA " SEC:STALE");
    assert_canonical("C:" H1 H2, "C:" H1 H2 " SEC:STALE");
    assert_canonical("C:" H1 " C:" H1, "C:" H1 " SEC:STALE");
    assert_canonical("PROD:65535 S:" H1 " REVOKE:4294967295",
                     "S:" H1 " PROD:65535 REVOKE:4294967295 SEC:STALE");
}

/* Refused with this status, and the message holds this text. */
static void assert_refused(const char *line, enum cella_status expected, const char *text) {
    struct cella_error error = {0};
    struct cella_constraint constraint;
    memset(&constraint, 0x5a, sizeof constraint);
    struct cella_constraint before = constraint;
    assert_status(parse(line, &constraint, &error), expected);
    if (strstr(error.message, text) == NULL)
        fail_msg("\"%s\" does not name \"%s\"", error.message, text);
    assert_memory_equal(&constraint, &before, sizeof before);
}

static void incomplete_lines_say_what_they_need(void **state) {
    assert_refused("", CELLA_CONSTRAINT_INCOMPLETE, "needs a code hash (C) or a code signer (S)");
    assert_refused("   ", CELLA_CONSTRAINT_INCOMPLETE, "needs a code hash");
    assert_refused("SEC:SECURE", CELLA_CONSTRAINT_INCOMPLETE, "needs a code hash");
    assert_refused("PROD:1", CELLA_CONSTRAINT_INCOMPLETE, "PROD:1 needs a signer");
    assert_refused("S:" H1, CELLA_CONSTRAINT_INCOMPLETE, "S:" H1 " needs a product id");
    assert_refused("S:" H1 " C:" H2, CELLA_CONSTRAINT_INCOMPLETE, "needs a product id");
    assert_refused("C:" H1 " PROD:9001", CELLA_CONSTRAINT_INCOMPLETE, "PROD:9001 needs a signer");
}

static void wrong_tokens_are_named_each_with_its_own_sentence(void **state) {
    static const struct {
        const char *line;
        const char *token;
        const char *why;
    } rows[] = {
        {"C", "\"C\"", "no colon"},
        {"C:a:b", "\"C:a:b\"", "more than one colon"},
        {"X:1", "\"X:1\"", "unknown key"},
        {"c:" H1, "\"c:", "unknown key"},
        {":" H1, "\":1", "unknown key"},
        {"PROD:1 PROD:2 S:" H1, "\"PROD:2\"", "second PROD"},
        {"REVOKE:1 REVOKE:1 C:" H1, "\"REVOKE:1\"", "second REVOKE"},
        {"SEC:STALE SEC:STALE C:" H1, "\"SEC:STALE\"", "second SEC"},
        {"EXPIRE:P1D EXPIRE:P1D C:" H1, "\"EXPIRE:P1D\"", "second EXPIRE"},
        {"C:abc", "\"C:abc\"", "3 characters"},
        {"C:", "\"C:\"", "0 characters"},
        {"S:" H1 "00", "\"S:1", "66 characters"},
        {"C:g" H1, "\"C:g", "65 characters"},
        {"C:z111111111111111111111111111111111111111111111111111111111111111", "\"C:z", "no hex digit"},
        {"SEC:stale", "\"SEC:stale\"", "names no level"},
        {"SEC:", "\"SEC:\"", "names no level"},
        {"PROD:x", "\"PROD:x\"", "not a product id"},
        {"PROD:", "\"PROD:\"", "not a product id"},
        {"PROD:-1", "\"PROD:-1\"", "not a product id"},
        {"PROD:+1", "\"PROD:+1\"", "not a product id"},
        {"PROD:65536", "\"PROD:65536\"", "not a product id"},
        {"PROD:99999999999999999999999", "\"PROD:9", "not a product id"},
        {"REVOKE:-1", "\"REVOKE:-1\"", "not a revocation level"},
        {"REVOKE:4294967296", "\"REVOKE:4294967296\"", "not a revocation level"},
        {"EXPIRE:PT24H", "\"EXPIRE:PT24H\"", "not a period"},
        {"EXPIRE:P", "\"EXPIRE:P\"", "not a period"},
        {"EXPIRE:6M", "\"EXPIRE:6M\"", "not a period"},
        {"EXPIRE:P5D6M", "\"EXPIRE:P5D6M\"", "not a period"},
        {"EXPIRE:P6M6M", "\"EXPIRE:P6M6M\"", "not a period"},
        {"EXPIRE:P6", "\"EXPIRE:P6\"", "not a period"},
        {"EXPIRE:PM", "\"EXPIRE:PM\"", "not a period"},
        {"EXPIRE:P-6M", "\"EXPIRE:P-6M\"", "not a period"},
        {"EXPIRE:P6m", "\"EXPIRE:P6m\"", "not a period"},
        {"EXPIRE:P100000D", "\"EXPIRE:P100000D\"", "not a period"},
        {"C:" H1 "\tSEC:SECURE", "\"C:1", "more than one colon"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++) {
        assert_refused(rows[at].line, CELLA_CONSTRAINT_SYNTAX, rows[at].token);
        assert_refused(rows[at].line, CELLA_CONSTRAINT_SYNTAX, rows[at].why);
    }
}

static void a_message_shows_no_control_characters(void **state) {
    struct cella_error error = {0};
    struct cella_constraint constraint;
    assert_status(parse("X\x1b[2J:1", &constraint, &error), CELLA_CONSTRAINT_SYNTAX);
    assert_null(strchr(error.message, 0x1b));
}

static void too_much_is_a_limit(void **state) {
    static char line[CELLA_CONSTRAINT_LINE_MAX + 2];
    struct cella_constraint constraint;
    memset(line, ' ', CELLA_CONSTRAINT_LINE_MAX + 1);
    assert_status(parse(line, &constraint, NULL), CELLA_LIMIT);
    char *at = line;
    for (int number = 0; number <= CELLA_CONSTRAINT_HASHES_MAX; number++)
        at += snprintf(at, (size_t)(line + sizeof line - at), "C:%064d ", number);
    assert_refused(line, CELLA_LIMIT, "32");
    at[-67] = '\0';
    assert_status(parse(line, &constraint, NULL), CELLA_OK);
    assert_int_equal(constraint.code_count, CELLA_CONSTRAINT_HASHES_MAX);
}

static void the_largest_constraint_prints_into_the_documented_room(void **state) {
    struct cella_constraint largest = good("C:" H1 " S:" H1 " PROD:1 REVOKE:1 EXPIRE:P1Y1M1W1D");
    char text[CELLA_CONSTRAINT_LINE_MAX];
    largest.code_count = largest.signer_count = CELLA_CONSTRAINT_HASHES_MAX;
    for (size_t at = 0; at < CELLA_CONSTRAINT_HASHES_MAX; at++) {
        largest.codes[at].size = largest.signers[at].size = 64;
        largest.codes[at].bytes[0] = largest.signers[at].bytes[0] = (uint8_t)at;
    }
    assert_status(cella_constraint_print(&largest, text, sizeof text), CELLA_OK);
    struct cella_constraint again = good(text);
    assert_int_equal(again.code_count, CELLA_CONSTRAINT_HASHES_MAX);
    size_t needed = strlen(text) + 1;
    assert_status(cella_constraint_print(&largest, text, needed), CELLA_OK);
    for (size_t capacity = 0; capacity < needed; capacity++)
        assert_status(cella_constraint_print(&largest, text, capacity), CELLA_TOO_SMALL);
}

static void digests_name_the_meaning_not_the_spelling(void **state) {
    uint8_t left[32];
    uint8_t right[32];
    struct cella_constraint one = good("PROD:10 S:" HA_UPPER);
    struct cella_constraint same = good("S:" HA "   SEC:STALE PROD:010");
    struct cella_constraint other = good("S:" HA " SEC:SECURE PROD:10");
    cella_constraint_digest(&one, left);
    cella_constraint_digest(&same, right);
    assert_memory_equal(left, right, 32);
    cella_constraint_digest(&other, right);
    assert_memory_not_equal(left, right, 32);
}

static struct cella_identity identity(void) {
    struct cella_identity found = {.code_hash = {.size = 32},
                                   .code_signer = {.size = 32},
                                   .product_id = 10,
                                   .security_version = 3,
                                   .level = CELLA_LEVEL_SECURE,
                                   .time = 1700000000};
    memset(found.code_hash.bytes, 0x11, 32);
    memset(found.code_signer.bytes, 0x22, 32);
    return found;
}

static enum cella_status check(const char *line, const struct cella_identity *found, int64_t now) {
    struct cella_constraint constraint = good(line);
    return cella_constraint_check(&constraint, found, now, NULL);
}

static void any_listed_code_or_signer_is_enough(void **state) {
    struct cella_identity found = identity();
    int64_t now = found.time;
    assert_status(check("C:" H1, &found, now), CELLA_OK);
    assert_status(check("C:" H2 " C:" H1, &found, now), CELLA_OK);
    assert_status(check("S:" H2 " PROD:10", &found, now), CELLA_OK);
    assert_status(check("C:" HA " S:" H2 " PROD:10", &found, now), CELLA_OK);
    assert_status(check("C:" H2, &found, now), CELLA_REFUSED_CODE);
    assert_status(check("S:" H1 " PROD:10", &found, now), CELLA_REFUSED_CODE);
    assert_status(check("C:" HA " S:" HA " PROD:10", &found, now), CELLA_REFUSED_CODE);
    assert_status(
        check("C:" H1 "1111111111111111111111111111111111111111111111111111111111111111", &found, now),
        CELLA_REFUSED_CODE);
}

static void product_must_be_equal_also_for_a_listed_code(void **state) {
    struct cella_identity found = identity();
    assert_status(check("S:" H2 " PROD:11", &found, found.time), CELLA_REFUSED_PRODUCT);
    assert_status(check("C:" H1 " S:" HA " PROD:11", &found, found.time), CELLA_REFUSED_PRODUCT);
}

static void revoke_compares_with_the_security_version_less_one(void **state) {
    struct cella_identity found = identity();
    assert_status(check("C:" H1 " REVOKE:0", &found, found.time), CELLA_OK);
    assert_status(check("C:" H1 " REVOKE:2", &found, found.time), CELLA_OK);
    assert_status(check("C:" H1 " REVOKE:3", &found, found.time), CELLA_REFUSED_REVOKED);
    found.security_version = 0;
    assert_status(check("C:" H1 " REVOKE:0", &found, found.time), CELLA_REFUSED_REVOKED);
    assert_status(check("C:" H1, &found, found.time), CELLA_OK);
}

static void levels_are_accepted_as_the_table_says(void **state) {
    static const char *const lines[] = {"C:" H1 " SEC:INSECURE", "C:" H1 " SEC:STALE", "C:" H1 " SEC:SECURE"};
    static const bool passes[3][3] = {/* found INSECURE, STALE, SECURE */
                                      {true, false, false},
                                      {false, true, true},
                                      {false, false, true}};
    struct cella_identity found = identity();
    for (int line = 0; line < 3; line++)
        for (int level = 0; level < 3; level++) {
            found.level = (enum cella_level)(CELLA_LEVEL_INSECURE + level);
            assert_status(check(lines[line], &found, found.time),
                          passes[line][level] ? CELLA_OK : CELLA_REFUSED_LEVEL);
        }
    found.level = (enum cella_level)0;
    assert_status(check("C:" H1 " SEC:INSECURE", &found, found.time), CELLA_REFUSED_LEVEL);
    found.level = (enum cella_level)9;
    assert_status(check("C:" H1 " SEC:SECURE", &found, found.time), CELLA_REFUSED_LEVEL);
}

static void an_attestation_expires_with_the_second_after_the_period(void **state) {
    struct cella_identity found = identity();
    found.time = 0; /* 1970 */
    assert_status(check("C:" H1 " EXPIRE:P6M", &found, 1700000000), CELLA_REFUSED_EXPIRED);
    assert_status(check("C:" H1 " EXPIRE:P1D", &found, 86400), CELLA_OK);
    assert_status(check("C:" H1 " EXPIRE:P1D", &found, 86401), CELLA_REFUSED_EXPIRED);
    assert_status(check("C:" H1 " EXPIRE:P0D", &found, 0), CELLA_OK);
    assert_status(check("C:" H1 " EXPIRE:P0D", &found, 1), CELLA_REFUSED_EXPIRED);
    assert_status(check("C:" H1, &found, 1700000000), CELLA_OK);
}

static void a_refusal_names_rule_expectation_and_finding(void **state) {
    struct cella_identity found = identity();
    struct cella_constraint constraint = good("S:" H2 " PROD:11");
    struct cella_error error = {0};
    assert_status(cella_constraint_check(&constraint, &found, found.time, &error), CELLA_REFUSED_PRODUCT);
    assert_string_equal(error.message,
                        "PROD refuses the instance: expected product id 11; found product id 10");
}

static void explain_lists_every_rule_with_its_result(void **state) {
    struct cella_identity found = identity();
    struct cella_constraint constraint = good("S:" H2 " PROD:10 REVOKE:5 SEC:SECURE EXPIRE:P1M");
    struct cella_rule rules[CELLA_RULES_MAX];
    assert_int_equal(cella_constraint_explain(&constraint, &found, found.time, rules), 5);
    static const char *const keys[] = {"S", "PROD", "REVOKE", "SEC", "EXPIRE"};
    static const bool results[] = {true, true, false, true, true};
    for (size_t at = 0; at < 5; at++) {
        assert_string_equal(rules[at].key, keys[at]);
        assert_int_equal(rules[at].holds, results[at]);
        assert_true(rules[at].expected[0] != '\0' && rules[at].found[0] != '\0');
    }
    assert_string_equal(rules[2].expected, "security version of at least 6");
    assert_string_equal(rules[2].found, "security version 3");
    assert_int_equal(cella_constraint_explain(&constraint, NULL, 0, rules), 5);
    assert_true(rules[0].found[0] == '\0' && !rules[0].holds);
    constraint = good("C:" H1);
    assert_int_equal(cella_constraint_explain(&constraint, &found, 0, rules), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_lines_have_a_canonical_form_that_parses_equal),
        cmocka_unit_test(incomplete_lines_say_what_they_need),
        cmocka_unit_test(wrong_tokens_are_named_each_with_its_own_sentence),
        cmocka_unit_test(a_message_shows_no_control_characters),
        cmocka_unit_test(too_much_is_a_limit),
        cmocka_unit_test(the_largest_constraint_prints_into_the_documented_room),
        cmocka_unit_test(digests_name_the_meaning_not_the_spelling),
        cmocka_unit_test(any_listed_code_or_signer_is_enough),
        cmocka_unit_test(product_must_be_equal_also_for_a_listed_code),
        cmocka_unit_test(revoke_compares_with_the_security_version_less_one),
        cmocka_unit_test(levels_are_accepted_as_the_table_says),
        cmocka_unit_test(an_attestation_expires_with_the_second_after_the_period),
        cmocka_unit_test(a_refusal_names_rule_expectation_and_finding),
        cmocka_unit_test(explain_lists_every_rule_with_its_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
