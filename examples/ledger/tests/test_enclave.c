/* The ledger as it runs: the image on a simulated machine, through an embedded host and kills, compared with
 * plain computation. */
#include "ledger.h"
#include "place.h"
#include "plain.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 250, KILLS = 6 };

static void an_account_is_opened_once_and_empty(void **state) {
    assert_reply(0, "open a\nopen b\n", "opened a\nopened b\n");
    assert_reply(0, "open a\n", "refused exists\n");
    assert_reply(1, "open a\nopen c", "refused exists\nopened c\n");
    assert_answer(0, "statement a 10", "account a 0 0\n");
    assert_answer(0, "audit", "audit 3 accounts 0 sum 0 issued 0 entries\n");
}

static void only_the_issuer_issues(void **state) {
    assert_reply(0, "open a\n", "opened a\n");
    assert_reply(0, "issue a 100\n", "refused not-owner\n");
    assert_reply(PLACE_ISSUER, "issue a 100\nissue nobody 5\nissue a 0\nissue a 1000000000001\n",
                 "done 1 100\nrefused unknown-account\nrefused amount\nrefused amount\n");
    assert_answer(1, "audit", "audit 1 accounts 100 sum 100 issued 1 entries\n");
}

static void a_transfer_moves_money_once_or_says_why_not(void **state) {
    assert_reply(0, "open a\nopen b\n", "opened a\nopened b\n");
    assert_reply(1, "open c\n", "opened c\n");
    assert_reply(PLACE_ISSUER, "issue a 100\n", "done 1 100\n");
    assert_reply(0,
                 "transfer a c 60\ntransfer a c 41\ntransfer a b 0\ntransfer c a 1\ntransfer a a 1\n"
                 "transfer a nobody 1\ntransfer nobody a 1\ntransfer a c 1000000000001\ntransfer a c 40\n",
                 "done 2 40\nrefused funds\nrefused amount\nrefused not-owner\nrefused same-account\n"
                 "refused unknown-account\nrefused unknown-account\nrefused amount\ndone 3 0\n");
    assert_answer(0, "statement a 10", "account a 0 3\n3 to c 40 0\n2 to c 60 40\n1 issued 100 100\n");
    assert_answer(1, "statement c 1", "account c 100 2\n3 from a 40 100\n");
    assert_answer(1, "statement c 0", "account c 100 2\n");
    assert_answer(1, "audit", "audit 3 accounts 100 sum 100 issued 3 entries\n");
}

static void the_worked_example_of_the_format_is_what_the_enclave_does(void **state) {
    assert_reply(0, "open a\n", "opened a\n");
    assert_reply(1, "open c\n", "opened c\n");
    assert_reply(PLACE_ISSUER, "issue a 100\n", "done 1 100\n");
    assert_reply(0, "transfer a c 60\n", "done 2 40\n");
    assert_reply(0, "transfer a c 41\n", "refused funds\n");
    assert_reply(0, "transfer c a 1\n", "refused not-owner\n");
    assert_reply(0, "transfer a c 40\n", "done 3 0\n");
    assert_answer(0, "statement a 10", "account a 0 3\n3 to c 40 0\n2 to c 60 40\n1 issued 100 100\n");
    assert_answer(1, "statement c 1", "account c 100 2\n3 from a 40 100\n");
    assert_answer(1, "audit", "audit 2 accounts 100 sum 100 issued 3 entries\n");
}

static void a_line_that_is_no_instruction_fails_the_whole_mail(void **state) {
    const char *reply;
    assert_reply(0, "open a\n", "opened a\n");
    assert_status(place_send(0, "open b\nopen c \n", &reply), CELLA_HANDLER_FAILED);
    assert_status(place_send(0, "open b\n\n", &reply), CELLA_HANDLER_FAILED);
    assert_answer(0, "audit", "audit 1 accounts 0 sum 0 issued 0 entries\n");
    assert_reply(0, "open b\n", "opened b\n");
}

static void another_topic_is_refused(void **state) {
    struct cella_client_request request = {.topic = "other", .body = CELLA_BYTES("open a\n", 7)};
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_error error;
    bool replied = false;
    assert_status(cella_client_request(place.clients[0], &request, &replied, &reply, &error),
                  CELLA_HANDLER_FAILED);
    assert_answer(0, "audit", "audit 0 accounts 0 sum 0 issued 0 entries\n");
}

static void a_statement_is_for_who_opened_the_account(void **state) {
    const char *answer;
    assert_reply(0, "open a\n", "opened a\n");
    assert_answer(0, "statement a 1000", "account a 0 0\n");
    assert_status(place_ask(1, "statement a 10", &answer), CELLA_HANDLER_FAILED);
    assert_status(place_ask(PLACE_ISSUER, "statement a 10", &answer), CELLA_HANDLER_FAILED);
    assert_status(place_ask(0, "statement nobody 10", &answer), CELLA_HANDLER_FAILED);
}

static void what_is_no_question_is_refused(void **state) {
    static const char *const questions[] = {
        "",       "audit ",           "audit a",         "statement a",
        "open b", "statement a 1001", "statement a  10", "statement a 10 ",
        "Audit",  "statement A 1",    "statement a -1"};
    const char *answer;
    assert_reply(0, "open a\n", "opened a\n");
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        assert_status(place_ask(0, questions[i], &answer), CELLA_HANDLER_FAILED);
    assert_answer(0, "audit", "audit 1 accounts 0 sum 0 issued 0 entries\n");
}

static void a_mail_takes_ten_thousand_instructions(void **state) {
    char *text = NULL;
    const char *reply;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < LEDGER_INSTRUCTIONS_MAX; i++)
        (void)fprintf(out, "transfer %032d b 1\n", i);
    (void)fflush(out);
    assert_status(place_send(0, text, &reply), CELLA_OK);
    assert_int_equal(strlen(reply), LEDGER_INSTRUCTIONS_MAX * strlen("refused unknown-account\n"));
    (void)fprintf(out, "open a\n");
    (void)fclose(out);
    assert_status(place_send(0, text, &reply), CELLA_HANDLER_FAILED);
    assert_answer(0, "audit", "audit 0 accounts 0 sum 0 issued 0 entries\n");
    free(text);
}

static void everything_is_there_after_kills(void **state) {
    assert_reply(0, "open a\nopen b\n", "opened a\nopened b\n");
    place_kill();
    assert_reply(PLACE_ISSUER, "issue a 7\n", "done 1 7\n");
    place_kill();
    assert_reply(0, "transfer a b 3\n", "done 2 4\n");
    place_kill();
    assert_answer(0, "statement a 10", "account a 4 2\n2 to b 3 4\n1 issued 7 7\n");
    assert_answer(0, "audit", "audit 2 accounts 7 sum 7 issued 2 entries\n");
}

/* --- all transfers --- */

/* Kills the instance again and again while mails arrive. */
struct killer {
    pthread_t thread;
    atomic_bool over;
    unsigned kills;
};

static void *kill_now_and_then(void *context) {
    struct killer *killer = context;
    while (killer->kills < KILLS && !atomic_load(&killer->over)) {
        struct cella_host_enclave_state now;
        cella_host_enclave_state(place.enclave, &now);
        if (now.mails < (killer->kills + 1) * (PLAIN_BRANCHES * 100 / (KILLS + 1))) {
            (void)usleep(300);
            continue;
        }
        place_kill();
        killer->kills++;
    }
    return NULL;
}

/* A branch's place in the file. */
struct cursor {
    size_t line; /* the next line of the file that may be this branch's */
};

/* The branch's next batch, and what the ledger must answer to it. */
static size_t next_batch(const struct plain_file *file, unsigned branch, struct cursor *cursor,
                         struct plain_books *books, char **ret_text, char **ret_expected) {
    size_t size = 0, expected_size = 0, count = 0;
    char from[16], to[16], answer[PLAIN_ANSWER_SIZE];
    FILE *text = open_memstream(ret_text, &size), *expected = open_memstream(ret_expected, &expected_size);
    for (; cursor->line < file->count && count < BATCH; cursor->line++) {
        const struct plain_transfer *transfer = &file->transfers[cursor->line];
        if (transfer->branch != branch)
            continue;
        plain_account_name(transfer->from, from);
        plain_account_name(transfer->to, to);
        (void)fprintf(text, "transfer %s %s %llu\n", from, to, (unsigned long long)transfer->amount);
        plain_apply(books, transfer, answer);
        (void)fprintf(expected, "%s\n", answer);
        count++;
    }
    (void)fclose(text);
    (void)fclose(expected);
    return count;
}

static void open_all(void) {
    const char *reply;
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++) {
        char *openings = plain_openings_of(i);
        assert_status(place_send(i, openings, &reply), CELLA_OK);
        assert_null(strstr(reply, "refused"));
        free(openings);
    }
    char *issues = plain_issues();
    assert_status(place_send(PLACE_ISSUER, issues, &reply), CELLA_OK);
    assert_null(strstr(reply, "refused"));
    free(issues);
}

static void send_all(const struct plain_file *file, struct plain_books *books) {
    struct cursor cursors[PLAIN_BRANCHES] = {0};
    for (bool any = true; any;) {
        any = false;
        for (unsigned i = 0; i < PLAIN_BRANCHES; i++) {
            char *text, *expected;
            if (next_batch(file, i, &cursors[i], books, &text, &expected) > 0) {
                any = true;
                assert_reply(i, text, expected);
            }
            free(text);
            free(expected);
        }
    }
}

static void every_answer_and_balance_is_that_of_plain_computation_through_kills(void **state) {
    struct killer killer = {.kills = 0};
    struct plain_books books;
    struct plain_file file;
    struct cella_bytes text = place_read(LEDGER_TRANSFERS);
    char question[64], expected[128], name[16];
    const char *answer;
    assert_true(plain_file_parse((const char *)text.data, text.size, &file));
    plain_books_init(&books);
    open_all();
    assert_int_equal(pthread_create(&killer.thread, NULL, kill_now_and_then, &killer), 0);
    send_all(&file, &books);
    atomic_store(&killer.over, true);
    pthread_join(killer.thread, NULL);
    assert_int_equal(killer.kills, KILLS);
    for (unsigned i = 0; i < PLAIN_ACCOUNTS; i++) {
        plain_account_name(i, name);
        (void)snprintf(question, sizeof question, "statement %s 0", name);
        (void)snprintf(expected, sizeof expected, "account %s %llu ", name,
                       (unsigned long long)books.balances[i]);
        assert_status(place_ask(i / PLAIN_ACCOUNTS_OF_BRANCH, question, &answer), CELLA_OK);
        assert_memory_equal(answer, expected, strlen(expected));
    }
    uint64_t sum = plain_sum(&books);
    assert_true(sum == (uint64_t)PLAIN_ACCOUNTS * PLAIN_ISSUED_TO_EACH);
    (void)snprintf(expected, sizeof expected, "audit %d accounts %llu sum %llu issued %llu entries\n",
                   PLAIN_ACCOUNTS, (unsigned long long)sum, (unsigned long long)sum,
                   (unsigned long long)books.entries);
    assert_answer(0, "audit", expected);
    plain_file_free(&file);
}

int main(void) {
#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        WITH_LEDGER(an_account_is_opened_once_and_empty),
        WITH_LEDGER(only_the_issuer_issues),
        WITH_LEDGER(a_transfer_moves_money_once_or_says_why_not),
        WITH_LEDGER(the_worked_example_of_the_format_is_what_the_enclave_does),
        WITH_LEDGER(a_line_that_is_no_instruction_fails_the_whole_mail),
        WITH_LEDGER(another_topic_is_refused),
        WITH_LEDGER(a_statement_is_for_who_opened_the_account),
        WITH_LEDGER(what_is_no_question_is_refused),
        WITH_LEDGER(a_mail_takes_ten_thousand_instructions),
        WITH_LEDGER(everything_is_there_after_kills),
        WITH_LEDGER(every_answer_and_balance_is_that_of_plain_computation_through_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
