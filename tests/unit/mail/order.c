/* Order in the enclave: replay, gap, wrong first number, exactly once, forgotten senders, sessions, threads.
 */
#include "unit/mail/office.h"
#include "mail/mailbox_internal.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct cella_mail_request way(enum cella_mail_way way) {
    return (struct cella_mail_request){.topic = "t", .padding = CELLA_MAIL_PADDING_CLASS, .way = way};
}

/* Seals one mail per sequence without delivering any. */
static void seal_many(struct office *office, enum cella_mail_way kind, struct cella_bytes *mails,
                      size_t count) {
    struct cella_mail_request request = way(kind);
    if (kind == CELLA_MAIL_WAY_SESSION)
        office_connect(office);
    for (size_t i = 0; i < count; i++)
        mails[i] = office_seal_as(office, &request, test_pattern(20, (uint32_t)i));
}

static void replay_gap_and_wrong_first_number_are_three_refusals(void **state) {
    struct office *office = *state;
    enum cella_mail_way kinds[] = {CELLA_MAIL_WAY_ONE_SHOT, CELLA_MAIL_WAY_SESSION};
    for (size_t i = 0; i < 2; i++) {
        struct cella_bytes mails[5];
        seal_many(office, kinds[i], mails, 5);
        assert_status(office_try(office, mails[1]), CELLA_MAIL_FIRST);
        assert_status(office_try(office, mails[4]), CELLA_MAIL_FIRST);
        assert_status(office_try(office, mails[0]), CELLA_OK);
        assert_status(office_try(office, mails[0]), CELLA_MAIL_REPLAY);
        assert_status(office_try(office, mails[3]), CELLA_MAIL_GAP);
        assert_status(office_try(office, mails[2]), CELLA_MAIL_GAP);
        /* A session mail that was refused is used up, one-shot mail may come again in its turn. */
        assert_status(office_try(office, mails[1]), i == 0 ? CELLA_OK : CELLA_MAIL_REPLAY);
        assert_status(office_try(office, mails[0]), CELLA_MAIL_REPLAY);
        cella_mail_session_free(office->session);
        cella_x25519_deinit(&office->client);
        office_client(office, &office->client, &office->session);
    }
}

static void sequences_count_per_sender_and_topic(void **state) {
    struct office *office = *state;
    struct office other = *office;
    office_client(office, &other.client, &other.session);
    for (uint64_t i = 0; i < 3; i++) {
        office_round(office, "one", i);
        office_round(&other, "one", i);
        office_round(office, "two", i);
    }
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
}

static void a_handler_that_fails_does_not_use_up_the_sequence(void **state) {
    struct office *office = *state;
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    struct cella_bytes mail = office_seal(office, "t", test_pattern(5, 1));
    assert_status(office_begin(office, mail, 0, &opened, &verdict), CELLA_OK);
    cella_mailbox_mail_abort(opened);
    assert_status(cella_mailbox_mail_commit(opened, NULL), CELLA_ARGUMENT);
    assert_status(cella_mailbox_reply_seal(opened, NULL, (struct cella_bytes){0}, NULL, 0, NULL),
                  CELLA_ARGUMENT);
    cella_mailbox_mail_free(opened);
    /* The host may not try the failed mail again; the client may, with other content. */
    assert_status(office_try(office, mail), CELLA_MAIL_REPLAY);
    cella_mail_session_restart(office->session);
    struct cella_mail_request request = office_request("t");
    request.repeat = true;
    assert_status(
        office_begin(office, office_seal_as(office, &request, test_pattern(5, 2)), 0, &opened, &verdict),
        CELLA_OK);
    assert_int_equal(verdict, CELLA_MAILBOX_RUN);
    /* Freed without an end: as if aborted. */
    cella_mailbox_mail_free(opened);
    cella_mail_session_restart(office->session);
    assert_status(office_try(office, office_seal_as(office, &request, test_pattern(5, 3))), CELLA_OK);
}

/* Seals under the topic's pending name (or, `first`, a new one) and lets the handler fail. */
static struct cella_bytes fail_once(struct office *office, enum cella_mail_way kind, bool first,
                                    uint32_t seed) {
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_HELLO;
    struct cella_mail_request request = way(kind);
    request.repeat = !first;
    struct cella_bytes mail = office_seal_as(office, &request, test_pattern(5, seed));
    assert_status(office_begin(office, mail, 0, &opened, &verdict), CELLA_OK);
    assert_int_equal(verdict, CELLA_MAILBOX_RUN);
    cella_mailbox_mail_free(opened);
    return mail;
}

static void no_attempt_that_failed_runs_later(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes attempts[CELLA_MAIL_ATTEMPTS];
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < CELLA_MAIL_ATTEMPTS; i++) {
            cella_mail_session_restart(office->session);
            attempts[i] =
                fail_once(office, i % 2 == 0 ? CELLA_MAIL_WAY_ONE_SHOT : CELLA_MAIL_WAY_SESSION, i == 0, i);
            for (uint32_t j = 0; j <= i; j++)
                assert_status(office_try(office, attempts[j]), CELLA_MAIL_REPLAY);
        }
        /* No more can be remembered; mail that a session protects needs no memory. */
        request.repeat = true;
        assert_status(office_try(office, office_seal_as(office, &request, test_pattern(5, 99))),
                      CELLA_MAIL_ATTEMPTS_USED);
        cella_mail_session_restart(office->session);
        request.way = CELLA_MAIL_WAY_SESSION;
        assert_status(office_try(office, office_seal_as(office, &request, test_pattern(5, 99))),
                      CELLA_MAIL_ATTEMPTS_USED);
        cella_mail_session_restart(office->session);
        office_connect(office);
        struct cella_bytes in_session = fail_once(office, CELLA_MAIL_WAY_SESSION, false, 98);
        assert_status(office_try(office, in_session), CELLA_MAIL_REPLAY);
        assert_status(office_try(office, office_seal_as(office, &request, test_pattern(5, 99))), CELLA_OK);
        for (uint32_t j = 0; j < CELLA_MAIL_ATTEMPTS; j++)
            assert_status(office_try(office, attempts[j]), CELLA_MAIL_NAME_USED);
        request.way = CELLA_MAIL_WAY_ONE_SHOT;
    }
}

/* Delivers by another route than the client's and gives the verdict. */
static enum cella_mailbox_verdict deliver_by(struct office *office, const char *route,
                                             struct cella_bytes mail, enum cella_status expected) {
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_RUN;
    struct office host = *office;
    memcpy(host.route, route, sizeof host.route);
    assert_status(office_begin(&host, mail, 0, &opened, &verdict), expected);
    if (expected == CELLA_OK && verdict == CELLA_MAILBOX_RUN)
        assert_status(cella_mailbox_mail_commit(opened, NULL), CELLA_OK);
    if (expected == CELLA_OK)
        (void)office_answer_sealed(&host, opened, NULL);
    cella_mailbox_mail_free(opened);
    return verdict;
}

#define OTHER_ROUTE "another route.."

static void mail_that_may_be_a_replay_does_not_change_where_posts_go(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes body = test_pattern(5, 1);
    struct cella_bytes hello = office_hello(office);
    assert_status(office_try(office, hello), CELLA_OK);
    cella_mail_session_restart(office->session);
    struct cella_bytes first = office_seal_as(office, &request, body);
    assert_status(office_try(office, first), CELLA_OK);
    deliver_by(office, OTHER_ROUTE, first, CELLA_MAIL_REPLAY);
    (void)office_post(office, "t", body);
    deliver_by(office, OTHER_ROUTE, hello, CELLA_MAIL_REPLAY);
    (void)office_post(office, "t", body);
    /* A hello whose session is closed opens another one, which proves nothing until it is used. */
    for (int i = 0; i < CELLA_MAIL_SENDER_SESSIONS; i++) {
        cella_mail_session_restart(office->session);
        office_connect(office);
    }
    assert_int_equal(deliver_by(office, OTHER_ROUTE, hello, CELLA_OK), CELLA_MAILBOX_HELLO);
    (void)office_post(office, "t", body);
    /* The first form of a request that was repeated since. */
    request.repeat = true;
    assert_status(office_try(office, office_seal_as(office, &request, body)), CELLA_OK);
    assert_int_equal(deliver_by(office, OTHER_ROUTE, first, CELLA_OK), CELLA_MAILBOX_REPEAT);
    (void)office_post(office, "t", body);
}

static void new_mail_says_where_posts_go(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(5, 1);
    enum cella_mail_way kinds[] = {CELLA_MAIL_WAY_ONE_SHOT, CELLA_MAIL_WAY_SESSION};
    office_connect(office);
    (void)office_post(office, "t", body);
    for (size_t i = 0; i < 2; i++) {
        struct cella_mail_request request = way(kinds[i]);
        office->route[0]++;
        assert_status(office_try(office, office_seal_as(office, &request, body)), CELLA_OK);
        (void)office_post(office, "t", body);
    }
    /* A repeat in a session is new mail too. */
    struct cella_mail_request request = way(CELLA_MAIL_WAY_SESSION);
    request.repeat = true;
    office->route[0]++;
    assert_status(office_try(office, office_seal_as(office, &request, body)), CELLA_OK);
    (void)office_post(office, "t", body);
}

static void the_same_place_cannot_be_begun_twice(void **state) {
    struct office *office = *state;
    struct cella_mailbox_mail *first = NULL, *second = NULL;
    enum cella_mailbox_verdict verdict;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes mail = office_seal_as(office, &request, test_pattern(5, 1));
    struct cella_bytes next = office_seal_as(office, &request, test_pattern(5, 2));
    struct cella_bytes after = office_seal_as(office, &request, test_pattern(5, 3));
    assert_status(office_begin(office, mail, 0, &first, &verdict), CELLA_OK);
    assert_status(office_try(office, mail), CELLA_MAIL_BUSY);
    assert_status(office_begin(office, next, 0, &second, &verdict), CELLA_MAIL_BUSY);
    assert_status(office_try(office, after), CELLA_MAIL_FIRST);
    assert_status(cella_mailbox_mail_commit(first, NULL), CELLA_OK);
    /* What was busy can be begun again without being sent again. */
    assert_status(cella_mailbox_mail_begin(second, &verdict, &office->error), CELLA_OK);
    assert_int_equal(verdict, CELLA_MAILBOX_RUN);
    assert_status(office_try(office, after), CELLA_MAIL_BUSY);
    assert_status(cella_mailbox_mail_commit(second, NULL), CELLA_OK);
    assert_status(office_try(office, after), CELLA_OK);
    cella_mailbox_mail_free(first);
    cella_mailbox_mail_free(second);
}

/* Delivers and says whether the handler was to run; the answer is opened by the client. */
static enum cella_mailbox_verdict repeat(struct office *office, enum cella_mail_way kind,
                                         struct cella_bytes body, struct cella_bytes expected) {
    struct cella_mail_request request = way(kind);
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    struct cella_mail_letter letter;
    request.repeat = true;
    assert_status(office_begin(office, office_seal_as(office, &request, body), 0, &opened, &verdict),
                  CELLA_OK);
    struct cella_bytes answer = office_answer_sealed(office, opened, NULL);
    cella_mailbox_mail_free(opened);
    assert_status(office_open_mail(office, answer, 0, &letter), CELLA_OK);
    assert_bytes(letter.body, expected);
    cella_mail_letter_deinit(&letter);
    return verdict;
}

static void a_repeated_request_gets_its_reply_again_and_runs_once(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(500, 1), reply = test_pattern(700, 2);
    enum cella_mail_way kinds[] = {CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_ONE_SHOT, CELLA_MAIL_WAY_MAILBOX};
    for (size_t i = 0; i < 9; i++) {
        struct cella_mail_request request = way(kinds[i / 3]);
        struct cella_bytes lost = office_answer(office, office_seal_as(office, &request, body), &reply);
        assert_true(lost.size > 0);
        if (i % 3 == 0)
            cella_mail_session_restart(office->session);
        enum cella_mail_way again = kinds[i % 3];
        if (again == CELLA_MAIL_WAY_SESSION && i % 2 == 1)
            again = CELLA_MAIL_WAY_ONE_SHOT;
        assert_int_equal(repeat(office, again, body, reply), CELLA_MAILBOX_REPEAT);
        /* The first answer is late now. */
        struct cella_mail_letter letter;
        assert_true(office_open_mail(office, lost, 0, &letter) != CELLA_OK);
    }
}

static void a_repeated_request_without_a_reply_is_done_again(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(5, 1), none = {0};
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    (void)office_answer(office, office_seal_as(office, &request, body), NULL);
    assert_int_equal(repeat(office, CELLA_MAIL_WAY_ONE_SHOT, body, none), CELLA_MAILBOX_REPEAT);
    (void)office_answer(office, office_seal_as(office, &request, body), &none);
    assert_int_equal(repeat(office, CELLA_MAIL_WAY_ONE_SHOT, body, none), CELLA_MAILBOX_REPEAT);
}

static void the_same_name_with_other_bytes_is_refused(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes body = test_pattern(50, 1);
    request.envelope = CELLA_BYTES("ab", 2);
    (void)office_answer(office, office_seal_as(office, &request, body), NULL);
    request.repeat = true;
    assert_status(office_try(office, office_seal_as(office, &request, test_pattern(50, 2))),
                  CELLA_MAIL_NAME_USED);
    assert_status(office_try(office, office_seal_as(office, &request, test_pattern(49, 1))),
                  CELLA_MAIL_NAME_USED);
    request.envelope = CELLA_BYTES("a", 1);
    assert_status(office_try(office, office_seal_as(office, &request, body)), CELLA_MAIL_NAME_USED);
    request.envelope = CELLA_BYTES("ab", 2);
    assert_status(office_try(office, office_seal_as(office, &request, body)), CELLA_OK);
}

static void a_stored_reply_is_kept_until_the_next_request_is_done(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes body = test_pattern(50, 1);
    struct cella_mailbox_counts counts;
    struct cella_bytes first = office_seal_as(office, &request, body);
    (void)office_answer(office, first, &body);
    request.repeat = true;
    struct cella_bytes again = office_seal_as(office, &request, body);
    struct cella_bytes third = office_seal_as(office, &request, body);
    request.repeat = false;
    struct cella_bytes next = office_seal_as(office, &request, body);
    assert_status(office_try(office, again), CELLA_OK);
    assert_status(office_try(office, again), CELLA_MAIL_REPLAY);
    cella_mailbox_count(office->mailbox, &counts);
    assert_int_equal(counts.stored_bytes, 50);
    assert_status(office_try(office, next), CELLA_OK);
    cella_mailbox_count(office->mailbox, &counts);
    assert_int_equal(counts.stored_bytes, 0);
    assert_status(office_try(office, third), CELLA_MAIL_REPLAY);
}

static void replies_over_the_limits_are_not_kept_and_this_is_said(void **state) {
    struct office office;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes body = test_pattern(5, 1), small = test_pattern(100, 1), large = test_pattern(101, 1);
    struct cella_mailbox_counts counts;
    office_open(&office, &(struct cella_mailbox_limits){.max_stored_reply = 100, .max_stored_bytes = 250});
    (void)office_answer(&office, office_seal_as(&office, &request, body), &large);
    request.repeat = true;
    assert_status(office_try(&office, office_seal_as(&office, &request, body)), CELLA_MAIL_REPLY_GONE);
    request.repeat = false;
    /* Three topics with 100 bytes each: the oldest makes room. */
    static const char *const topics[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        request.topic = topics[i];
        (void)office_answer(&office, office_seal_as(&office, &request, body), &small);
    }
    cella_mailbox_count(office.mailbox, &counts);
    assert_int_equal(counts.stored_bytes, 200);
    request.repeat = true;
    for (size_t i = 0; i < 3; i++) {
        request.topic = topics[i];
        assert_status(office_try(&office, office_seal_as(&office, &request, body)),
                      i == 0 ? CELLA_MAIL_REPLY_GONE : CELLA_OK);
    }
    office_close(&office);
}

static void a_sender_has_a_limited_number_of_topics(void **state) {
    struct office office;
    struct cella_mailbox_prepared *post = NULL;
    office_open(&office, &(struct cella_mailbox_limits){.max_topics = 2});
    office_round(&office, "a", 0);
    office_round(&office, "b", 0);
    assert_status(office_try(&office, office_seal(&office, "c", test_pattern(5, 1))), CELLA_MAIL_TOPIC_LIMIT);
    assert_non_null(strstr(office.error.message, "max_topics"));
    assert_status(cella_mailbox_post_prepare(office.mailbox, office.client.public_key, "c",
                                             test_pattern(5, 1), &post, &office.error),
                  CELLA_MAIL_TOPIC_LIMIT);
    office_round(&office, "a", 1);
    office_close(&office);
}

static void a_session_that_was_closed_has_its_own_status_and_a_new_one_goes_on(void **state) {
    struct office office;
    struct cella_mailbox_counts counts;
    struct cella_bytes reply = test_pattern(3, 1);
    office_open(&office, &(struct cella_mailbox_limits){.max_sessions = 2});
    office_round(&office, "a", 0);
    struct office others[2];
    for (size_t i = 0; i < 2; i++) {
        others[i] = office;
        office_client(&office, &others[i].client, &others[i].session);
        office_round(&others[i], "a", 0);
    }
    cella_mailbox_count(office.mailbox, &counts);
    assert_int_equal(counts.sessions, 2);
    struct cella_bytes mail = office_seal(&office, "a", reply);
    assert_status(office_try(&office, mail), CELLA_MAIL_SESSION_UNKNOWN);
    cella_mail_session_restart(office.session);
    struct cella_mail_request request = office_request("a");
    request.repeat = true;
    struct cella_bytes answer = office_answer(&office, office_seal_as(&office, &request, reply), &reply);
    office_expect(&office, answer, CELLA_MAIL_REPLY, "a", 1, reply);
    for (size_t i = 0; i < 2; i++) {
        cella_mail_session_free(others[i].session);
        cella_x25519_deinit(&others[i].client);
    }
    office_close(&office);
}

static void one_sender_cannot_close_the_sessions_of_others(void **state) {
    struct office office;
    struct cella_mailbox_counts counts;
    office_open(&office, &(struct cella_mailbox_limits){.max_sessions = 64});
    office_round(&office, "a", 0);
    struct office other = office;
    office_client(&office, &other.client, &other.session);
    for (int i = 0; i < 100; i++) {
        cella_mail_session_restart(other.session);
        office_connect(&other);
    }
    cella_mailbox_count(office.mailbox, &counts);
    assert_int_equal(counts.sessions, 1 + CELLA_MAIL_SENDER_SESSIONS);
    office_round(&office, "a", 1);
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
    office_close(&office);
}

static void a_replayed_opening_changes_nothing(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(9, 1), none = {0};
    struct cella_bytes opening = office_seal(office, "a", body);
    struct cella_bytes answer = office_answer(office, opening, &body);
    assert_status(office_try(office, opening), CELLA_MAIL_REPLAY);
    office_expect(office, answer, CELLA_MAIL_REPLY, "a", 0, body);
    office_round(office, "a", 1);
    assert_status(office_try(office, opening), CELLA_MAIL_REPLAY);
    cella_mail_session_restart(office->session);
    struct cella_bytes hello = office_hello(office);
    answer = office_answer(office, hello, NULL);
    assert_status(office_try(office, hello), CELLA_MAIL_REPLAY);
    office_expect(office, answer, CELLA_MAIL_HELLO, "", 0, none);
    office_round(office, "a", 2);
}

static void a_session_id_of_another_client_is_refused(void **state) {
    struct office *office = *state;
    struct office other = *office;
    struct cella_mail_fixed fixed = {.session_id = "the same id", .ephemeral = {1}};
    office_client(office, &other.client, &other.session);
    cella_mail_session_fix(office->session, &fixed);
    cella_mail_session_fix(other.session, &fixed);
    office_round(office, "a", 0);
    assert_status(office_try(&other, office_hello(&other)), CELLA_MAIL_SESSION_UNKNOWN);
    office_round(office, "a", 1);
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
}

/* Sends from a stranger, so that older senders are forgotten. */
static void stranger(const struct office *office) {
    struct office other = *office;
    office_client(office, &other.client, &other.session);
    office_connect(&other);
    office_round(&other, "stranger", 0);
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
}

static void mail_of_a_forgotten_sender_is_never_run_again(void **state) {
    struct office office;
    struct cella_mailbox_counts counts;
    office_open(&office, &(struct cella_mailbox_limits){.max_senders = 3});
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes old[3], body = test_pattern(9, 1);
    for (size_t i = 0; i < 2; i++) {
        old[i] = office_seal_as(&office, &request, body);
        struct cella_bytes answer = office_answer(&office, old[i], &body);
        office_expect(&office, answer, CELLA_MAIL_REPLY, "t", i, body);
    }
    old[2] = office_seal(&office, "another-topic", body);
    struct cella_bytes answer = office_answer(&office, old[2], &body);
    office_expect(&office, answer, CELLA_MAIL_REPLY, "another-topic", 0, body);
    for (int i = 0; i < 5; i++)
        stranger(&office);
    cella_mailbox_count(office.mailbox, &counts);
    assert_int_equal(counts.senders, 3);
    assert_int_equal(counts.forgotten_senders, 3);
    assert_false(cella_mailbox_knows(office.mailbox, office.client.public_key));
    for (size_t i = 0; i < 3; i++)
        assert_status(office_try(&office, old[i]), CELLA_MAIL_UNKNOWN_HISTORY);
    /* The client asks for a new birth and starts again; the old mail stays dead. */
    assert_status(office_try(&office, office_seal_as(&office, &request, body)), CELLA_MAIL_UNKNOWN_HISTORY);
    cella_mail_session_forget(office.session);
    assert_true(cella_mail_session_needs_hello(office.session, 0));
    office_connect(&office);
    office_round(&office, "t", 0);
    for (size_t i = 0; i < 3; i++)
        assert_status(office_try(&office, old[i]), CELLA_MAIL_UNKNOWN_HISTORY);
    office_round(&office, "t", 1);
    cella_mailbox_count(office.mailbox, &counts);
    assert_int_equal(counts.forgotten_senders, 4);
    office_close(&office);
}

static void a_new_sender_without_a_birth_asks_for_one_when_others_were_forgotten(void **state) {
    struct office office;
    office_open(&office, &(struct cella_mailbox_limits){.max_senders = 2});
    struct office first = office;
    office_client(&office, &first.client, &first.session);
    office_round(&first, "a", 0);
    stranger(&office);
    stranger(&office);
    assert_status(office_try(&office, office_seal(&office, "a", test_pattern(5, 1))),
                  CELLA_MAIL_UNKNOWN_HISTORY);
    cella_mail_session_forget(office.session);
    office_connect(&office);
    office_round(&office, "a", 0);
    cella_mail_session_free(first.session);
    cella_x25519_deinit(&first.client);
    office_close(&office);
}

static void a_client_that_lost_its_memory_starts_anew_and_its_old_mail_is_dead(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = way(CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes old = office_seal_as(office, &request, test_pattern(5, 1));
    assert_status(office_try(office, old), CELLA_OK);
    cella_mail_session_free(office->session);
    assert_status(cella_mail_session_new(&office->client, office->enclave.public_key, &office->session),
                  CELLA_OK);
    cella_mail_session_forget(office->session);
    office_connect(office);
    office_round(office, "t", 0);
    assert_status(office_try(office, old), CELLA_MAIL_UNKNOWN_HISTORY);
    office_round(office, "t", 1);
}

static void a_birth_in_the_future_is_refused(void **state) {
    struct office *office = *state;
    struct cella_mail_header header = {
        .kind = CELLA_MAIL_ONE_SHOT, .role = CELLA_MAIL_REQUEST, .birth = 1000, .topic = CELLA_BYTES("t", 1)};
    struct cella_noise_handshake handshake = {.failed = false};
    struct cella_mail_sealer sealer = {.header = header,
                                       .handshake = &handshake,
                                       .setup = {.pattern = CELLA_NOISE_X,
                                                 .initiator = true,
                                                 .s = &office->client,
                                                 .rs = office->enclave.public_key}};
    uint8_t mail[256];
    size_t size = cella_mail_size(&header, 5);
    assert_true(size <= sizeof mail);
    assert_status(cella_mail_sealer_whole(&sealer, test_pattern(5, 1), mail, &office->error), CELLA_OK);
    cella_mail_sealer_deinit(&sealer);
    cella_noise_handshake_deinit(&handshake);
    assert_status(office_try(office, CELLA_BYTES(mail, size)), CELLA_MAIL_UNKNOWN_HISTORY);
}

static void busy_senders_are_not_forgotten(void **state) {
    struct office office;
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    office_open(&office, &(struct cella_mailbox_limits){.max_senders = 1});
    assert_status(office_begin(&office, office_seal(&office, "a", test_pattern(5, 1)), 0, &opened, &verdict),
                  CELLA_OK);
    struct office other = office;
    office_client(&office, &other.client, &other.session);
    assert_status(office_try(&other, office_seal(&other, "a", test_pattern(5, 1))), CELLA_LIMIT);
    assert_non_null(strstr(other.error.message, "max_senders"));
    assert_status(cella_mailbox_mail_commit(opened, NULL), CELLA_OK);
    cella_mailbox_mail_free(opened);
    cella_mail_session_forget(other.session);
    office_connect(&other);
    office_round(&other, "a", 0);
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
    office_close(&office);
}

static void mail_numbers_may_overtake_each_other_within_a_window(void **state) {
    struct cella_mailbox_session session = {.highest = 0};
    const uint64_t window = CELLA_MAIL_WINDOW_SIZE;
    assert_status(cella_mailbox_session_number(&session, 1), CELLA_OK);
    assert_status(cella_mailbox_session_number(&session, 1), CELLA_MAIL_REPLAY);
    assert_status(cella_mailbox_session_number(&session, 900), CELLA_OK);
    assert_status(cella_mailbox_session_number(&session, 2), CELLA_OK);
    assert_status(cella_mailbox_session_number(&session, 2), CELLA_MAIL_REPLAY);
    assert_status(cella_mailbox_session_number(&session, 900 + window), CELLA_OK);
    assert_status(cella_mailbox_session_number(&session, 900), CELLA_MAIL_REPLAY);
    assert_status(cella_mailbox_session_number(&session, 899), CELLA_MAIL_REPLAY);
    assert_status(cella_mailbox_session_number(&session, 3), CELLA_MAIL_REPLAY);
    assert_status(cella_mailbox_session_number(&session, CELLA_MAIL_NUMBER_MAX), CELLA_OK);
    assert_status(cella_mailbox_session_number(&session, CELLA_MAIL_NUMBER_MAX), CELLA_MAIL_REPLAY);
    assert_status(cella_mailbox_session_number(&session, CELLA_MAIL_NUMBER_MAX - 1), CELLA_OK);
    for (uint64_t i = 0; i < 3 * window; i++) {
        struct cella_mailbox_session other = {.highest = 0};
        assert_status(cella_mailbox_session_number(&other, i + 1), CELLA_OK);
        assert_status(cella_mailbox_session_number(&other, i + 2), CELLA_OK);
        assert_status(cella_mailbox_session_number(&other, i + 1), CELLA_MAIL_REPLAY);
    }
}

enum { THREAD_COUNT = 4, THREAD_ROUNDS = 200 };

static void *many_rounds(void *context) {
    struct office *office = context;
    for (uint64_t i = 0; i < THREAD_ROUNDS; i++) {
        struct cella_mail_request request = office_request("threads");
        struct cella_bytes body = CELLA_BYTES("some bytes of a request", 23);
        uint8_t *mail = NULL;
        size_t size = 0;
        struct cella_mailbox_mail *opened = NULL;
        struct cella_mailbox_prepared *prepared = NULL;
        struct cella_mailbox_post post;
        struct cella_mail_letter letter;
        enum cella_mailbox_verdict verdict;
        if (i % 50 == 49)
            cella_mail_session_restart(office->session);
        if (cella_mail_session_seal(office->session, &request, body, &mail, &size, NULL) != CELLA_OK ||
            cella_mailbox_mail_new(office->mailbox, (const uint8_t[CELLA_MAIL_ROUTE_SIZE]){0}, &opened) !=
                CELLA_OK ||
            cella_mailbox_mail_feed(opened, CELLA_BYTES(mail, size), NULL) != CELLA_OK ||
            cella_mailbox_mail_begin(opened, &verdict, NULL) != CELLA_OK || verdict != CELLA_MAILBOX_RUN ||
            cella_mailbox_mail_commit(opened, &body) != CELLA_OK)
            return "a request failed";
        free(mail);
        size = cella_mailbox_reply_size(opened, &body, 0);
        mail = malloc(size);
        if (mail == NULL ||
            cella_mailbox_reply_seal(opened, &body, (struct cella_bytes){0}, mail, size, NULL) != CELLA_OK ||
            cella_mail_session_open(office->session, CELLA_BYTES(mail, size), &letter, NULL) != CELLA_OK)
            return "a reply failed";
        cella_mailbox_mail_free(opened);
        cella_mail_letter_deinit(&letter);
        free(mail);
        if (cella_mailbox_post_prepare(office->mailbox, office->client.public_key, "post", body, &prepared,
                                       NULL) != CELLA_OK)
            return "a post could not be prepared";
        assert_status(cella_mailbox_post_seal(prepared, (struct cella_bytes){0}, &post), CELLA_OK);
        if (cella_mail_session_open(office->session, post.bytes, &letter, NULL) != CELLA_OK)
            return "a post failed";
        cella_mail_letter_deinit(&letter);
        free((void *)(uintptr_t)post.bytes.data);
    }
    return NULL;
}

static void threads_write_to_one_mailbox_at_once(void **state) {
    struct office *office = *state;
    struct office clients[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        clients[i] = *office;
        office_client(office, &clients[i].client, &clients[i].session);
        assert_int_equal(pthread_create(&threads[i], NULL, many_rounds, &clients[i]), 0);
    }
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        void *problem = NULL;
        assert_int_equal(pthread_join(threads[i], &problem), 0);
        if (problem != NULL)
            fail_msg("%s", (const char *)problem);
        cella_mail_session_free(clients[i].session);
        cella_x25519_deinit(&clients[i].client);
    }
}

/* All threads deliver the same mail; exactly one may run it. */
struct race {
    struct office *office;
    struct cella_bytes mail;
    pthread_barrier_t barrier;
    unsigned runs;
    pthread_mutex_t lock;
};

static void *deliver_once(void *context) {
    struct race *race = context;
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_HELLO;
    pthread_barrier_wait(&race->barrier);
    if (cella_mailbox_mail_new(race->office->mailbox, (const uint8_t[CELLA_MAIL_ROUTE_SIZE]){0}, &opened) ==
            CELLA_OK &&
        cella_mailbox_mail_feed(opened, race->mail, NULL) == CELLA_OK &&
        cella_mailbox_mail_begin(opened, &verdict, NULL) == CELLA_OK && verdict == CELLA_MAILBOX_RUN) {
        pthread_mutex_lock(&race->lock);
        race->runs++;
        pthread_mutex_unlock(&race->lock);
        (void)cella_mailbox_mail_commit(opened, NULL);
    }
    cella_mailbox_mail_free(opened);
    return NULL;
}

static void of_many_copies_that_arrive_at_once_one_runs(void **state) {
    struct office *office = *state;
    struct race race = {.office = office, .lock = PTHREAD_MUTEX_INITIALIZER};
    enum cella_mail_way kinds[] = {CELLA_MAIL_WAY_ONE_SHOT, CELLA_MAIL_WAY_SESSION};
    for (size_t i = 0; i < 40; i++) {
        struct cella_mail_request request = way(kinds[i % 2]);
        pthread_t threads[THREAD_COUNT];
        if (i == 1)
            office_connect(office);
        race.runs = 0;
        race.mail = office_seal_as(office, &request, test_pattern(100, 1));
        pthread_barrier_init(&race.barrier, NULL, THREAD_COUNT);
        for (size_t j = 0; j < THREAD_COUNT; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, deliver_once, &race), 0);
        for (size_t j = 0; j < THREAD_COUNT; j++)
            assert_int_equal(pthread_join(threads[j], NULL), 0);
        pthread_barrier_destroy(&race.barrier);
        assert_int_equal(race.runs, 1);
    }
}

#define office_test(name) cmocka_unit_test_setup_teardown(name, office_setup, office_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sequences_count_per_sender_and_topic, office_setup, office_teardown),
        office_test(replay_gap_and_wrong_first_number_are_three_refusals),
        office_test(a_handler_that_fails_does_not_use_up_the_sequence),
        office_test(no_attempt_that_failed_runs_later),
        office_test(mail_that_may_be_a_replay_does_not_change_where_posts_go),
        office_test(new_mail_says_where_posts_go),
        office_test(the_same_place_cannot_be_begun_twice),
        office_test(a_repeated_request_gets_its_reply_again_and_runs_once),
        office_test(a_repeated_request_without_a_reply_is_done_again),
        office_test(the_same_name_with_other_bytes_is_refused),
        office_test(a_stored_reply_is_kept_until_the_next_request_is_done),
        cmocka_unit_test(replies_over_the_limits_are_not_kept_and_this_is_said),
        cmocka_unit_test(a_sender_has_a_limited_number_of_topics),
        cmocka_unit_test(a_session_that_was_closed_has_its_own_status_and_a_new_one_goes_on),
        cmocka_unit_test(one_sender_cannot_close_the_sessions_of_others),
        office_test(a_replayed_opening_changes_nothing),
        office_test(a_session_id_of_another_client_is_refused),
        cmocka_unit_test(mail_of_a_forgotten_sender_is_never_run_again),
        cmocka_unit_test(a_new_sender_without_a_birth_asks_for_one_when_others_were_forgotten),
        office_test(a_client_that_lost_its_memory_starts_anew_and_its_old_mail_is_dead),
        office_test(a_birth_in_the_future_is_refused),
        cmocka_unit_test(busy_senders_are_not_forgotten),
        cmocka_unit_test(mail_numbers_may_overtake_each_other_within_a_window),
        office_test(threads_write_to_one_mailbox_at_once),
        office_test(of_many_copies_that_arrive_at_once_one_runs),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
