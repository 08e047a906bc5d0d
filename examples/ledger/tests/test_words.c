/* The ledger's words: each line has one meaning and one spelling. */
#include "ledger.h"
#include "support/test.h"
#include <stdio.h>
#include <string.h>

static struct cella_bytes exact(const char *text) {
    return test_copy(CELLA_BYTES(text, strlen(text)));
}

static void instructions_are_read(void **state) {
    struct ledger_instruction instruction;
    assert_true(ledger_parse(exact("open b1-0001"), &instruction));
    assert_int_equal(instruction.verb, LEDGER_OPEN);
    assert_string_equal(instruction.account, "b1-0001");
    assert_true(ledger_parse(exact("issue a 999999999999999999"), &instruction));
    assert_int_equal(instruction.verb, LEDGER_ISSUE);
    assert_true(instruction.amount == 999999999999999999);
    assert_true(ledger_parse(exact("transfer from to 0"), &instruction));
    assert_int_equal(instruction.verb, LEDGER_TRANSFER);
    assert_string_equal(instruction.account, "from");
    assert_string_equal(instruction.to, "to");
    assert_true(instruction.amount == 0);
}

static void other_spellings_are_refused(void **state) {
    static const char *const lines[] = {"",
                                        "open",
                                        "open ",
                                        " open a",
                                        "open a ",
                                        "open  a",
                                        "open A",
                                        "open a b",
                                        "Open a",
                                        "open a\r",
                                        "open a_b",
                                        "open a23456789012345678901234567890123",
                                        "issue a",
                                        "issue a 01",
                                        "issue a +1",
                                        "issue a -1",
                                        "issue a 1.0",
                                        "issue a 1000000000000000000",
                                        "issue a 1 ",
                                        "transfer a b",
                                        "transfer a b c",
                                        "transfer a b 1 2",
                                        "transfer a  1",
                                        "close a"};
    struct ledger_instruction instruction;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (ledger_parse(exact(lines[i]), &instruction))
            fail_msg("\"%s\" was taken", lines[i]);
    struct cella_bytes with_nul = test_copy(CELLA_BYTES("open a\0b", 8));
    assert_false(ledger_parse(with_nul, &instruction));
}

static void outcomes_are_read(void **state) {
    struct ledger_outcome outcome;
    char line[64];
    assert_true(ledger_parse_outcome(exact("done 7 0"), &outcome));
    assert_int_equal(outcome.refusal, LEDGER_DONE);
    assert_int_equal(outcome.number, 7);
    assert_true(ledger_parse_outcome(exact("opened b1-0001"), &outcome));
    assert_true(outcome.opened);
    for (int i = LEDGER_DONE + 1; i < LEDGER_REFUSALS; i++) {
        (void)snprintf(line, sizeof line, "refused %s", ledger_refusal_word((enum ledger_refusal)i));
        assert_true(ledger_parse_outcome(exact(line), &outcome));
        assert_int_equal(outcome.refusal, i);
        assert_false(outcome.opened);
    }
}

static void what_is_no_outcome_is_refused(void **state) {
    static const char *const lines[] = {"",          "done",       "done 1",       "done 0 1",
                                        "done 1 01", "done 1 2 3", "done 1 2 ",    "opened",
                                        "opened A",  "refused",    "refused done", "refused x"};
    struct ledger_outcome outcome;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (ledger_parse_outcome(exact(lines[i]), &outcome))
            fail_msg("\"%s\" was taken", lines[i]);
}

static void lines_end_with_lf_or_with_the_text(void **state) {
    struct cella_bytes text = exact("one\n\ntwo"), line;
    size_t position = 0;
    assert_true(ledger_next_line(text, &position, &line));
    assert_true(ledger_word_is(line, "one"));
    assert_true(ledger_next_line(text, &position, &line));
    assert_int_equal(line.size, 0);
    assert_true(ledger_next_line(text, &position, &line));
    assert_true(ledger_word_is(line, "two"));
    assert_false(ledger_next_line(text, &position, &line));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_are_read),
        cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(outcomes_are_read),
        cmocka_unit_test(what_is_no_outcome_is_refused),
        cmocka_unit_test(lines_end_with_lf_or_with_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
