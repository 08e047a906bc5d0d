/* A branch that is interrupted, loses its program in the middle, or is given the wrong file. */
#include "branch.h"
#include "place.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char instructions[] = "open a\nopen b\nissue a 100\ntransfer a b 10\ntransfer a b 20\n"
                                   "transfer b a 5\ntransfer b a 500\ntransfer a b 1\n";

static enum cella_status send_text(const char *text, unsigned batch,
                                   bool (*answered)(void *, uint64_t, const struct ledger_outcome *, size_t),
                                   void *context, struct branch_progress *progress) {
    struct cella_error error = {.message = ""};
    const struct branch_feed feed = {.client = place.clients[PLACE_ISSUER],
                                     .instructions = CELLA_BYTES(text, strlen(text)),
                                     .progress_path = place_path("progress"),
                                     .batch = batch,
                                     .answered = answered,
                                     .context = context};
    return branch_send(&feed, progress, &error);
}

static void expect_books(void) {
    assert_answer(PLACE_ISSUER, "statement a 1", "account a 74 5\n5 to b 1 74\n");
    assert_answer(PLACE_ISSUER, "audit", "audit 2 accounts 100 sum 100 issued 5 entries\n");
}

static void expect_progress(const struct branch_progress *progress) {
    assert_int_equal(progress->answered, 8);
    assert_int_equal(progress->opened, 2);
    assert_int_equal(progress->done, 5);
    assert_int_equal(progress->refused[LEDGER_FUNDS], 1);
    assert_int_equal(progress->receipt.number, 5);
    assert_int_equal(progress->receipt.balance, 74);
    assert_string_equal(progress->receipt.instruction.to, "b");
}

static void a_file_is_sent_and_its_last_receipt_is_in_the_statement(void **state) {
    struct branch_progress progress;
    struct cella_error error;
    assert_status(send_text(instructions, 3, NULL, NULL, &progress), CELLA_OK);
    expect_progress(&progress);
    expect_books();
    assert_status(branch_check_receipt(place.clients[PLACE_ISSUER], &progress.receipt, &error), CELLA_OK);
    progress.receipt.balance++;
    assert_status(branch_check_receipt(place.clients[PLACE_ISSUER], &progress.receipt, &error),
                  CELLA_NOT_FOUND);
}

/* The worked example of formats/ledger.md. */
static void the_progress_is_that_of_the_format(void **state) {
    static const char expected[] = "cella-ledger-progress 1\n"
                                   "file 93e433da97ec3b81\n"
                                   "batch 3\n"
                                   "answered 8\n"
                                   "opened 2\n"
                                   "done 5\n"
                                   "amount 0\n"
                                   "unknown-account 0\n"
                                   "not-owner 0\n"
                                   "same-account 0\n"
                                   "funds 1\n"
                                   "exists 0\n"
                                   "receipt 5 a b 1 74\n";
    struct branch_progress progress;
    assert_status(send_text(instructions, 3, NULL, NULL, &progress), CELLA_OK);
    assert_bytes(place_read(place_path("progress")), CELLA_BYTES(expected, sizeof expected - 1));
}

static void a_file_that_was_sent_is_not_sent_again(void **state) {
    struct branch_progress progress;
    assert_status(send_text(instructions, 3, NULL, NULL, &progress), CELLA_OK);
    place_reopen(PLACE_ISSUER);
    assert_status(send_text(instructions, 3, NULL, NULL, &progress), CELLA_OK);
    expect_progress(&progress);
    expect_books();
}

static bool stop(void *context, uint64_t first, const struct ledger_outcome *answers, size_t count) {
    return false;
}

static void a_branch_goes_on_where_it_was_interrupted(void **state) {
    struct branch_progress progress;
    for (unsigned i = 1; i <= 4; i++) {
        /* The size of batches stays what it was with the first one. */
        assert_status(send_text(instructions, 2 + i - 1, stop, NULL, &progress), CELLA_INTERRUPTED);
        assert_int_equal(progress.answered, 2 * i);
        place_reopen(PLACE_ISSUER);
        place_kill();
    }
    assert_status(send_text(instructions, 2, NULL, NULL, &progress), CELLA_OK);
    expect_progress(&progress);
    expect_books();
}

/* What a crash between an answer and its note leaves: the client's file and the progress of that moment. */
struct crash {
    struct cella_bytes client, progress;
    unsigned at, batches;
};

static bool note_files(void *context, uint64_t first, const struct ledger_outcome *answers, size_t count) {
    struct crash *crash = context;
    if (crash->batches++ == crash->at)
        crash->client = place_read(place_path("client-4"));
    else
        crash->progress = place_read(place_path("progress"));
    return crash->batches <= crash->at;
}

static void a_crash_between_an_answer_and_its_note_does_nothing_twice(void **state) {
    struct branch_progress progress;
    for (unsigned at = 1; at < 4; at++) {
        struct crash crash = {.at = at};
        (void)place_setup(NULL);
        assert_status(send_text(instructions, 2, note_files, &crash, &progress), CELLA_INTERRUPTED);
        cella_client_free(place.clients[PLACE_ISSUER]);
        place.clients[PLACE_ISSUER] = NULL;
        test_write_file(place_path("client-4"), crash.client);
        test_write_file(place_path("progress"), crash.progress);
        place_reopen(PLACE_ISSUER);
        assert_status(send_text(instructions, 2, NULL, NULL, &progress), CELLA_OK);
        expect_progress(&progress);
        expect_books();
        (void)place_teardown(NULL);
    }
}

static void a_line_that_is_no_instruction_is_found_before_anything_leaves(void **state) {
    struct branch_progress progress;
    assert_status(send_text("open a\nopen b\nopen C\n", 1, NULL, NULL, &progress), CELLA_ARGUMENT);
    assert_answer(PLACE_ISSUER, "audit", "audit 0 accounts 0 sum 0 issued 0 entries\n");
    assert_int_not_equal(access(place_path("progress"), F_OK), 0);
}

static void another_file_does_not_go_on_where_this_one_stopped(void **state) {
    struct branch_progress progress;
    assert_status(send_text("open a\nopen b\n", 1, stop, NULL, &progress), CELLA_INTERRUPTED);
    assert_status(send_text("open a\nopen c\n", 1, NULL, NULL, &progress), CELLA_ARGUMENT);
    assert_answer(PLACE_ISSUER, "audit", "audit 1 accounts 0 sum 0 issued 0 entries\n");
}

static void a_batch_has_at_least_one_and_at_most_ten_thousand_instructions(void **state) {
    struct branch_progress progress;
    assert_status(send_text(instructions, 0, NULL, NULL, &progress), CELLA_ARGUMENT);
    assert_status(send_text(instructions, 10001, NULL, NULL, &progress), CELLA_ARGUMENT);
}

static bool progress_accepts(void *context, struct cella_bytes bytes) {
    struct branch_progress progress;
    test_write_file(place_path("other"), bytes);
    return branch_progress_read(place_path("other"), &progress, NULL) == CELLA_OK;
}

static void a_progress_that_was_cut_is_refused(void **state) {
    struct branch_progress progress;
    assert_status(send_text("open a\n", 3, NULL, NULL, &progress), CELLA_OK);
    struct cella_bytes text = place_read(place_path("progress"));
    test_truncations_refused(text, progress_accepts, NULL);
    test_extension_refused(text, progress_accepts, NULL);
    (void)unlink(place_path("progress"));
    assert_status(branch_progress_read(place_path("progress"), &progress, NULL), CELLA_NOT_FOUND);
    assert_status(send_text("issue a 5\ntransfer a a 5\n", 3, NULL, NULL, &progress), CELLA_OK);
    text = place_read(place_path("progress"));
    test_truncations_refused(text, progress_accepts, NULL);
    test_extension_refused(text, progress_accepts, NULL);
}

int main(void) {
#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        WITH_LEDGER(a_file_is_sent_and_its_last_receipt_is_in_the_statement),
        WITH_LEDGER(the_progress_is_that_of_the_format),
        WITH_LEDGER(a_file_that_was_sent_is_not_sent_again),
        WITH_LEDGER(a_branch_goes_on_where_it_was_interrupted),
        cmocka_unit_test(a_crash_between_an_answer_and_its_note_does_nothing_twice),
        WITH_LEDGER(a_line_that_is_no_instruction_is_found_before_anything_leaves),
        WITH_LEDGER(another_file_does_not_go_on_where_this_one_stopped),
        WITH_LEDGER(a_batch_has_at_least_one_and_at_most_ten_thousand_instructions),
        WITH_LEDGER(a_progress_that_was_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
