/* The instance statement: bytes, rules, report data. */
#include "attest/statement.h"
#include "crypto/hash.h"
#include "support/test.h"
#include <string.h>

static struct cella_statement full(void) {
    struct cella_statement statement = {.has_mailbox = true,
                                        .mailbox_generation = 3,
                                        .warden_lineage = 5,
                                        .warden_level = CELLA_LEVEL_STALE,
                                        .freshness = CELLA_FRESHNESS_WARDENS};
    memset(statement.session_key, 0x01, 32);
    memset(statement.signing_key, 0x02, 32);
    memset(statement.mailbox_key, 0x03, 32);
    memset(statement.genesis, 0x04, 96);
    statement.genesis_size = 96;
    cella_sha256(statement.genesis, 96, statement.vault_id);
    memset(statement.warden_group, 0x05, 32);
    memset(statement.warden_constraint, 0x06, 32);
    return statement;
}

static struct cella_bytes write(const struct cella_statement *statement) {
    uint8_t out[CELLA_STATEMENT_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_statement_write(statement, out, sizeof out, &size, NULL), CELLA_OK);
    return test_copy(CELLA_BYTES(out, size));
}

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_statement statement;
    return cella_statement_parse(bytes, &statement, NULL) == CELLA_OK;
}

static void write_and_parse_give_the_same(void **state) {
    struct cella_statement before = full();
    struct cella_statement after;
    memset(&after, 0, sizeof after);
    assert_status(cella_statement_parse(write(&before), &after, NULL), CELLA_OK);
    assert_bytes(write(&after), write(&before));
    assert_memory_equal(after.vault_id, before.vault_id, sizeof after.vault_id);
    assert_bytes(CELLA_BYTES(after.genesis, after.genesis_size),
                 CELLA_BYTES(before.genesis, before.genesis_size));
    assert_int_equal(after.mailbox_generation, 3);
    assert_true(after.warden_lineage == 5);
    assert_int_equal(after.warden_level, CELLA_LEVEL_STALE);
    assert_int_equal(after.freshness, CELLA_FRESHNESS_WARDENS);
}

static void the_worked_example_is_reproduced(void **state) {
    struct cella_statement statement = full();
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    uint8_t nonce[32];
    memset(nonce, 0x07, sizeof nonce);
    assert_bytes(write(&statement), test_vector_field("statement.txt", "statement"));
    cella_statement_report_data(write(&statement), nonce, report_data);
    assert_bytes(CELLA_BYTES(report_data, 64), test_vector_field("statement.txt", "report_data_with_nonce"));
    cella_statement_report_data(write(&statement), NULL, report_data);
    assert_bytes(CELLA_BYTES(report_data, 64), test_vector_field("statement.txt", "report_data"));
}

static void every_truncation_and_extension_is_refused(void **state) {
    struct cella_statement statement = full();
    test_truncations_refused(write(&statement), accepts, NULL);
    test_extension_refused(write(&statement), accepts, NULL);
}

static void a_flipped_bit_never_parses_to_the_same_statement(void **state) {
    struct cella_statement statement = full();
    struct cella_bytes good = write(&statement);
    for (size_t bit = 0; bit < good.size * 8; bit++) {
        struct cella_bytes copy = test_copy(good);
        struct cella_statement parsed;
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (cella_statement_parse(copy, &parsed, NULL) != CELLA_OK)
            continue;
        struct cella_bytes again = write(&parsed);
        assert_true(again.size != good.size || memcmp(again.data, good.data, good.size) != 0);
    }
}

/* The statement with one more field at its end. */
static struct cella_bytes with_field(uint16_t number, uint16_t size) {
    static uint8_t out[CELLA_STATEMENT_SIZE_MAX + 64];
    struct cella_statement statement = full();
    struct cella_bytes good = write(&statement);
    memcpy(out, good.data, good.size);
    uint8_t *at = out + good.size;
    *at++ = (uint8_t)number;
    *at++ = (uint8_t)(number >> 8);
    *at++ = (uint8_t)size;
    *at++ = (uint8_t)(size >> 8);
    memset(at, 0x55, size);
    return CELLA_BYTES(out, good.size + 4 + size);
}

static void an_unknown_optional_field_is_skipped_and_a_critical_one_refused(void **state) {
    struct cella_statement statement;
    assert_status(cella_statement_parse(with_field(0x8001, 7), &statement, NULL), CELLA_OK);
    assert_status(cella_statement_parse(with_field(8, 7), &statement, NULL), CELLA_NEWER_FORMAT);
    assert_status(cella_statement_parse(with_field(7, 1), &statement, NULL), CELLA_DAMAGED);
    assert_status(cella_statement_parse(with_field(1, 32), &statement, NULL), CELLA_DAMAGED);
}

static void a_newer_version_is_named_as_such(void **state) {
    struct cella_statement statement = full();
    struct cella_bytes copy = test_copy(write(&statement));
    ((uint8_t *)(uintptr_t)copy.data)[4] = 2;
    assert_status(cella_statement_parse(copy, &statement, NULL), CELLA_NEWER_FORMAT);
    ((uint8_t *)(uintptr_t)copy.data)[4] = 0;
    assert_status(cella_statement_parse(copy, &statement, NULL), CELLA_DAMAGED);
}

static void assert_contradiction(const struct cella_statement *statement) {
    uint8_t out[CELLA_STATEMENT_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_statement_write(statement, out, sizeof out, &size, NULL), CELLA_ARGUMENT);
}

static void contradictions_are_never_written(void **state) {
    struct cella_statement statement = full();
    memset(statement.session_key, 0, 32);
    assert_contradiction(&statement);
    statement = full();
    memset(statement.signing_key, 0, 32);
    assert_contradiction(&statement);
    statement = full();
    memset(statement.mailbox_key, 0, 32);
    assert_contradiction(&statement);
    statement = full();
    memset(statement.vault_id, 0, 32);
    assert_contradiction(&statement);
    statement = full();
    statement.genesis[0] ^= 1;
    assert_contradiction(&statement);
    statement = full();
    statement.genesis_size = 0;
    assert_contradiction(&statement);
    statement = full();
    statement.genesis_size = CELLA_GENESIS_SIZE_MAX + 1;
    assert_contradiction(&statement);
    statement = full();
    memset(statement.warden_group, 0, 32);
    assert_contradiction(&statement);
    statement = full();
    statement.freshness = CELLA_FRESHNESS_NONE;
    assert_contradiction(&statement);
    statement.freshness = CELLA_FRESHNESS_MACHINE;
    assert_contradiction(&statement);
    statement = full();
    statement.warden_level = (enum cella_level)0;
    assert_contradiction(&statement);
}

static void a_vault_bound_to_one_machine_needs_no_wardens(void **state) {
    struct cella_statement statement = full(), parsed;
    memset(statement.warden_group, 0, 32);
    statement.freshness = CELLA_FRESHNESS_MACHINE;
    assert_status(cella_statement_parse(write(&statement), &parsed, NULL), CELLA_OK);
    assert_int_equal(parsed.freshness, CELLA_FRESHNESS_MACHINE);
    statement.freshness = CELLA_FRESHNESS_NONE;
    assert_contradiction(&statement);
    statement.genesis_size = 0;
    memset(statement.vault_id, 0, 32);
    assert_true(accepts(NULL, write(&statement)));
    statement.freshness = CELLA_FRESHNESS_MACHINE;
    assert_contradiction(&statement);
}

static void the_largest_genesis_fits_and_a_larger_one_is_refused(void **state) {
    struct cella_statement statement = full();
    uint8_t out[CELLA_STATEMENT_SIZE_MAX];
    statement.genesis_size = CELLA_GENESIS_SIZE_MAX;
    cella_sha256(statement.genesis, statement.genesis_size, statement.vault_id);
    struct cella_bytes good = write(&statement);
    assert_true(accepts(NULL, good));
    /* One byte more, in the same place: behind two keys and a mailbox key. */
    enum { GENESIS = 6 + 36 + 36 + 40 };
    memcpy(out, good.data, GENESIS + 4);
    assert_int_equal(out[GENESIS], 4);
    out[GENESIS + 2]++;
    out[GENESIS + 4] = 0;
    memcpy(out + GENESIS + 5, good.data + GENESIS + 4, good.size - GENESIS - 4);
    assert_false(accepts(NULL, CELLA_BYTES(out, good.size + 1)));
    /* And none. */
    memcpy(out, good.data, GENESIS + 4);
    out[GENESIS + 2] = out[GENESIS + 3] = 0;
    size_t behind = GENESIS + 4 + CELLA_GENESIS_SIZE_MAX;
    memcpy(out + GENESIS + 4, good.data + behind, good.size - behind);
    assert_false(accepts(NULL, CELLA_BYTES(out, good.size - CELLA_GENESIS_SIZE_MAX)));
}

static void small_buffers_are_refused(void **state) {
    struct cella_statement statement = full();
    size_t needed = write(&statement).size;
    uint8_t out[CELLA_STATEMENT_SIZE_MAX];
    size_t size = 0;
    for (size_t capacity = 0; capacity < needed; capacity++)
        assert_status(cella_statement_write(&statement, out, capacity, &size, NULL), CELLA_TOO_SMALL);
    assert_int_equal(size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_parse_give_the_same),
        cmocka_unit_test(the_worked_example_is_reproduced),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(a_flipped_bit_never_parses_to_the_same_statement),
        cmocka_unit_test(an_unknown_optional_field_is_skipped_and_a_critical_one_refused),
        cmocka_unit_test(a_newer_version_is_named_as_such),
        cmocka_unit_test(contradictions_are_never_written),
        cmocka_unit_test(a_vault_bound_to_one_machine_needs_no_wardens),
        cmocka_unit_test(the_largest_genesis_fits_and_a_larger_one_is_refused),
        cmocka_unit_test(small_buffers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
