/* Mail with a vault: what was done stays done over restarts, what failed leaves nothing, and it costs the
 * same however many senders are idle. */
#include "unit/mail/kept_office.h"
#include "mail/history.h"
#include "mail/mailbox_internal.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

/* A further client of the same enclave, and back. */
struct stranger {
    struct cella_x25519_key key;
    struct cella_mail_session *session;
};

static void swap_client(struct kept_office *kept, struct stranger *stranger) {
    struct stranger own = {.key = kept->office.client, .session = kept->office.session};
    kept->office.client = stranger->key;
    kept->office.session = stranger->session;
    *stranger = own;
}

static void stranger_init(const struct kept_office *kept, struct stranger *stranger) {
    office_client(&kept->office, &stranger->key, &stranger->session);
}

static void stranger_deinit(struct stranger *stranger) {
    cella_mail_session_free(stranger->session);
    cella_x25519_deinit(&stranger->key);
}

static void sequences_go_on_after_a_restart(void **state) {
    struct kept_office *kept = *state;
    for (uint64_t sequence = 0; sequence < 9; sequence++) {
        if (sequence % 3 == 0)
            kept_restart(kept);
        kept_round(kept, "one", sequence);
        kept_round(kept, "two", sequence);
    }
}

static void a_request_repeated_after_a_restart_gets_its_stored_reply(void **state) {
    struct kept_office *kept = *state;
    struct cella_bytes body = test_pattern(50, 1), reply = test_pattern(70, 2), none = {0};
    const struct cella_bytes *replies[] = {&reply, NULL, &none};
    struct kept_result result;
    for (uint64_t i = 0; i < 3; i++) {
        struct kept_handling handling = {.reply = replies[i]};
        assert_status(kept_deliver(kept, kept_seal(kept, "t", body), &handling, &result), CELLA_OK);
        assert_true(result.ran);
        for (unsigned round = 0; round < 2; round++) {
            kept_restart(kept);
            assert_status(kept_deliver(kept, kept_repeat(kept, "t", body), NULL, &result), CELLA_OK);
            assert_false(result.ran);
            assert_int_equal(result.verdict, CELLA_MAILBOX_REPEAT);
        }
        office_expect(&kept->office, result.answer, i == 1 ? CELLA_MAIL_DONE : CELLA_MAIL_REPLY, "t", i,
                      i == 0 ? reply : none);
    }
}

static void a_repeat_can_be_answered_before_the_first_answer_is(void **state) {
    struct kept_office *kept = *state;
    struct office *office = &kept->office;
    struct cella_bytes body = test_pattern(50, 1), reply = test_pattern(70, 2);
    struct cella_mailbox_mail *first = NULL;
    enum cella_mailbox_verdict verdict;
    struct kept_result result;
    shelf_begin(&kept->shelf);
    assert_status(office_begin(office, kept_seal(kept, "t", body), 0, &first, &verdict), CELLA_OK);
    assert_status(cella_mailbox_mail_commit(first, &reply), CELLA_OK);
    shelf_commit(&kept->shelf);
    cella_mail_session_restart(office->session);
    assert_status(kept_deliver(kept, kept_repeat(kept, "t", body), NULL, &result), CELLA_OK);
    assert_int_equal(result.verdict, CELLA_MAILBOX_REPEAT);
    office_expect(office, result.answer, CELLA_MAIL_REPLY, "t", 0, reply);
    kept_round(kept, "t", 1);
    (void)office_answer_sealed(office, first, &reply);
    cella_mailbox_mail_free(first);
    kept_round(kept, "t", 2);
}

static void what_was_done_before_a_restart_is_refused_after_it(void **state) {
    struct kept_office *kept = *state;
    struct cella_bytes body = test_pattern(50, 1), other = test_pattern(50, 9);
    struct cella_bytes first = kept_seal(kept, "t", body);
    kept_expect(kept, first, NULL, CELLA_OK);
    kept_expect(kept, first, NULL, CELLA_MAIL_REPLAY);
    kept_restart(kept);
    kept_expect(kept, first, NULL, CELLA_MAIL_REFUSED);
    kept_expect(kept, kept_repeat(kept, "t", other), NULL, CELLA_MAIL_NAME_USED);
    kept_restart(kept);
    /* The next sequence, and then one that the client of an older state would give again. */
    struct stranger twin = {.session = NULL};
    uint8_t *copy = NULL;
    size_t size = 0;
    assert_status(cella_x25519_copy(&twin.key, &kept->office.client), CELLA_OK);
    assert_status(cella_mail_session_export(kept->office.session, &copy, &size), CELLA_OK);
    assert_status(cella_mail_session_import(&twin.key, CELLA_BYTES(copy, size), &twin.session, NULL),
                  CELLA_OK);
    free(copy);
    for (unsigned i = 0; i < 2; i++) {
        kept_expect(kept, kept_seal(kept, "t", body), NULL, CELLA_OK);
        cella_mail_session_restart(kept->office.session);
    }
    swap_client(kept, &twin);
    kept_expect(kept, kept_seal(kept, "t", other), NULL, CELLA_MAIL_REPLAY);
    cella_mail_session_restart(kept->office.session);
    kept_expect(kept, kept_seal(kept, "t", other), NULL, CELLA_MAIL_NAME_USED);
    cella_mail_session_restart(kept->office.session);
    swap_client(kept, &twin);
    kept_expect(kept, kept_seal(kept, "t", other), NULL, CELLA_OK);
    stranger_deinit(&twin);
}

static void a_failed_request_leaves_nothing_and_never_runs_later(void **state) {
    struct kept_office *kept = *state;
    struct cella_bytes body = test_pattern(50, 1), reply = test_pattern(5, 2);
    struct kept_handling failing[] = {
        {.handler_fails = true, .posts = 3, .post_topic = "p"},
        {.commit_fails = true, .posts = 3, .post_topic = "p", .reply = &reply},
    };
    struct kept_result result;
    for (unsigned i = 0; i < 2; i++) {
        struct cella_bytes before = shelf_dump(&kept->shelf);
        struct cella_bytes attempts[3];
        for (unsigned j = 0; j < 3; j++) {
            attempts[j] = j == 0 && i == 0 ? kept_seal(kept, "t", body) : kept_repeat(kept, "t", body);
            assert_int_not_equal(kept_deliver(kept, attempts[j], &failing[i], &result), CELLA_OK);
            assert_true(result.ran);
            assert_bytes(shelf_dump(&kept->shelf), before);
            cella_mail_session_restart(kept->office.session);
            for (unsigned k = 0; k <= j; k++)
                kept_expect(kept, attempts[k], NULL, CELLA_MAIL_REPLAY);
        }
    }
    assert_status(kept_deliver(kept, kept_repeat(kept, "t", body), NULL, &result), CELLA_OK);
    assert_true(result.ran);
    struct cella_mailbox_counts counts;
    cella_mailbox_count(kept->office.mailbox, &counts);
    assert_int_equal(counts.senders, 1);
}

static void attempts_are_forgotten_when_their_request_is_done(void **state) {
    struct kept_office *kept = *state;
    struct cella_bytes body = test_pattern(50, 1);
    struct kept_handling failing = {.handler_fails = true};
    for (uint64_t i = 0; i < 5; i++) {
        struct cella_bytes attempt = kept_seal(kept, "t", test_pattern(50, 3));
        kept_expect(kept, attempt, &failing, CELLA_HANDLER_FAILED);
        cella_mail_session_restart(kept->office.session);
        assert_int_equal(kept->office.mailbox->history.attempts, 1);
        kept_expect(kept, kept_repeat(kept, "t", body), NULL, CELLA_OK);
        cella_mail_session_restart(kept->office.session);
        assert_int_equal(kept->office.mailbox->history.attempts, 0);
        kept_expect(kept, attempt, NULL, CELLA_MAIL_NAME_USED);
        kept_expect(kept, kept_repeat(kept, "t", test_pattern(50, 2)), NULL, CELLA_MAIL_NAME_USED);
        cella_mail_session_restart(kept->office.session);
    }
    /* Nothing of an idle sender is in memory but its sessions. */
    while (kept->office.mailbox->sessions.oldest != NULL)
        cella_mailbox_session_close(
            kept->office.mailbox,
            CELLA_TABLE_ENTRY(kept->office.mailbox->sessions.oldest, struct cella_mailbox_session, node));
    assert_int_equal(kept->office.mailbox->history.senders.count, 0);
}

static void attempts_of_all_senders_together_are_limited(void **state) {
    struct kept_office *kept = *state;
    struct kept_handling failing = {.handler_fails = true};
    struct cella_bytes body = test_pattern(5, 1);
    kept_expect(kept, kept_seal(kept, "t", body), &failing, CELLA_HANDLER_FAILED);
    cella_mail_session_restart(kept->office.session);
    kept->office.mailbox->history.attempts += CELLA_MAIL_ATTEMPTS_OF_ALL - 1;
    kept_expect(kept, kept_repeat(kept, "t", body), &failing, CELLA_MAIL_ATTEMPTS_USED);
    /* In a session nothing needs to be remembered. */
    struct kept_result result;
    cella_mail_session_restart(kept->office.session);
    kept_connect(kept, &result);
    kept_expect(kept, kept_repeat(kept, "t", body), NULL, CELLA_OK);
    kept->office.mailbox->history.attempts -= CELLA_MAIL_ATTEMPTS_OF_ALL - 1;
}

static void mail_of_a_forgotten_sender_is_never_run_again(void **state) {
    struct kept_office kept;
    struct stranger others[2];
    struct kept_result result;
    kept_open(&kept, &(struct cella_mailbox_limits){.max_senders = 2});
    kept_connect(&kept, &result);
    kept_round(&kept, "t", 0);
    cella_mail_session_restart(kept.office.session);
    struct cella_bytes held_back = kept_seal(&kept, "t", test_pattern(5, 1));
    for (unsigned i = 0; i < 2; i++) {
        stranger_init(&kept, &others[i]);
        swap_client(&kept, &others[i]);
        kept_connect(&kept, &result);
        kept_round(&kept, "t", 0);
        swap_client(&kept, &others[i]);
    }
    kept_expect(&kept, held_back, NULL, CELLA_MAIL_UNKNOWN_HISTORY);
    kept_restart(&kept);
    kept_expect(&kept, kept_repeat(&kept, "t", test_pattern(5, 1)), NULL, CELLA_MAIL_UNKNOWN_HISTORY);
    struct cella_mailbox_counts counts;
    cella_mailbox_count(kept.office.mailbox, &counts);
    assert_int_equal(counts.senders, 2);
    assert_int_equal(counts.forgotten_senders, 1);
    /* It may start anew. */
    cella_mail_session_forget(kept.office.session);
    kept_connect(&kept, &result);
    kept_round(&kept, "t", 0);
    for (unsigned i = 0; i < 2; i++)
        stranger_deinit(&others[i]);
    kept_close(&kept);
    (void)state;
}

static void a_sender_that_is_heard_is_not_forgotten(void **state) {
    enum { MOST = 8, OTHERS = 40 };
    struct kept_office kept;
    struct stranger others[OTHERS];
    struct kept_result result;
    kept_open(&kept, &(struct cella_mailbox_limits){.max_senders = MOST});
    kept_connect(&kept, &result);
    for (unsigned i = 0; i < OTHERS; i++) {
        kept_round(&kept, "t", i);
        stranger_init(&kept, &others[i]);
        swap_client(&kept, &others[i]);
        kept_connect(&kept, &result);
        swap_client(&kept, &others[i]);
    }
    struct cella_mailbox_counts counts;
    cella_mailbox_count(kept.office.mailbox, &counts);
    assert_int_equal(counts.senders, MOST);
    assert_int_equal(counts.forgotten_senders, OTHERS + 1 - MOST);
    kept_round(&kept, "t", OTHERS);
    for (unsigned i = 0; i < OTHERS; i++)
        stranger_deinit(&others[i]);
    kept_close(&kept);
    (void)state;
}

static void a_sender_with_mail_in_work_is_not_forgotten(void **state) {
    struct kept_office kept;
    struct stranger other;
    struct cella_mailbox_mail *open = NULL;
    enum cella_mailbox_verdict verdict;
    kept_open(&kept, &(struct cella_mailbox_limits){.max_senders = 1});
    shelf_begin(&kept.shelf);
    assert_status(office_begin(&kept.office, kept_seal(&kept, "t", test_pattern(5, 1)), 0, &open, &verdict),
                  CELLA_OK);
    assert_status(cella_mailbox_mail_commit(open, NULL), CELLA_OK);
    shelf_commit(&kept.shelf);
    stranger_init(&kept, &other);
    swap_client(&kept, &other);
    struct cella_bytes mail = kept_hello(&kept);
    kept_expect(&kept, mail, NULL, CELLA_LIMIT);
    cella_mailbox_mail_free(open);
    kept_expect(&kept, mail, NULL, CELLA_OK);
    swap_client(&kept, &other);
    cella_mail_session_restart(kept.office.session);
    kept_expect(&kept, kept_seal(&kept, "t", test_pattern(5, 1)), NULL, CELLA_MAIL_UNKNOWN_HISTORY);
    stranger_deinit(&other);
    kept_close(&kept);

    (void)state;
}

/* Forgetting in a transaction that is aborted must not open the way for what the forgotten one had failed. */
static void an_aborted_forgetting_forgets_no_attempts(void **state) {
    struct kept_office kept;
    struct stranger other;
    struct kept_handling failing = {.handler_fails = true, .commit_fails = true};
    struct cella_bytes body = test_pattern(5, 1);
    kept_open(&kept, &(struct cella_mailbox_limits){.max_senders = 1});
    kept_expect(&kept, kept_seal(&kept, "t", body), NULL, CELLA_OK);
    cella_mail_session_restart(kept.office.session);
    struct cella_bytes attempt = kept_seal(&kept, "t", body);
    kept_expect(&kept, attempt, &failing, CELLA_HANDLER_FAILED);
    cella_mail_session_restart(kept.office.session);
    stranger_init(&kept, &other);
    swap_client(&kept, &other);
    kept_expect(&kept, kept_hello(&kept), &failing, CELLA_STATE_SIZE);
    swap_client(&kept, &other);
    kept_expect(&kept, attempt, NULL, CELLA_MAIL_REPLAY);
    kept_expect(&kept, kept_repeat(&kept, "t", body), NULL, CELLA_OK);
    stranger_deinit(&other);
    kept_close(&kept);
    (void)state;
}

/* The floor rises above the birth that is kept, not above that of a life whose first request failed. */
static void forgetting_forgets_no_attempts_of_a_life_that_never_came_to_be(void **state) {
    struct kept_office kept;
    struct stranger other;
    struct kept_result result;
    struct kept_handling failing = {.handler_fails = true};
    kept_open(&kept, &(struct cella_mailbox_limits){.max_senders = 1});
    kept_connect(&kept, &result);
    kept_round(&kept, "t", 0);
    cella_mail_session_forget(kept.office.session);
    kept_connect(&kept, &result);
    cella_mail_session_restart(kept.office.session);
    struct cella_bytes attempt = kept_seal(&kept, "t", test_pattern(5, 1));
    kept_expect(&kept, attempt, &failing, CELLA_HANDLER_FAILED);
    stranger_init(&kept, &other);
    swap_client(&kept, &other);
    kept_connect(&kept, &result);
    cella_mail_session_restart(kept.office.session);
    kept_connect(&kept, &result);
    swap_client(&kept, &other);
    kept_expect(&kept, attempt, NULL, CELLA_MAIL_REPLAY);
    stranger_deinit(&other);
    kept_close(&kept);
    (void)state;
}

/* The same for a sender that starts anew. */
static void an_aborted_new_life_forgets_no_attempts(void **state) {
    struct kept_office *kept = *state;
    struct kept_handling failing = {.handler_fails = true};
    struct cella_bytes body = test_pattern(5, 1);
    struct kept_result result;
    kept_round(kept, "t", 0);
    cella_mail_session_restart(kept->office.session);
    struct cella_bytes attempt = kept_seal(kept, "t", body);
    kept_expect(kept, attempt, &failing, CELLA_HANDLER_FAILED);
    cella_mail_session_forget(kept->office.session);
    kept_connect(kept, &result);
    struct cella_bytes before = shelf_dump(&kept->shelf);
    kept_expect(kept, kept_seal(kept, "t", body), &failing, CELLA_HANDLER_FAILED);
    assert_bytes(shelf_dump(&kept->shelf), before);
    kept_expect(kept, attempt, NULL, CELLA_MAIL_REPLAY);
    kept_expect(kept, kept_repeat(kept, "t", body), NULL, CELLA_OK);
    kept_expect(kept, attempt, NULL, CELLA_MAIL_UNKNOWN_HISTORY);
    assert_int_equal(kept->office.mailbox->history.attempts, 0);
}

static void a_life_begun_anew_takes_the_old_one_away(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes post;
    kept_round(kept, "one", 0);
    kept_round(kept, "two", 0);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    size_t entries = kept->shelf.count;
    cella_mail_session_forget(kept->office.session);
    kept_connect(kept, &result);
    kept_round(kept, "three", 0);
    /* Two topics with their replies' places, the posts of one and the post: all but what "three" has. */
    assert_int_equal(kept->shelf.count, entries - 4);
    kept_restart(kept);
    kept_round(kept, "three", 1);
    kept_round(kept, "one", 0);
    struct cella_mailbox_counts counts;
    cella_mailbox_count(kept->office.mailbox, &counts);
    assert_int_equal(counts.stored_bytes, 2 * 256);
}

static void queries_touch_nothing_that_is_kept(void **state) {
    struct kept_office *kept = *state;
    struct cella_bytes body = test_pattern(50, 1), reply = test_pattern(70, 2), none = {0};
    struct kept_handling handling = {.reply = &reply};
    struct kept_result result;
    kept_connect(kept, &result);
    kept_round(kept, "t", 0);
    shelf_reset_counts(&kept->shelf);
    struct cella_bytes query = kept_query(kept, "t", body);
    assert_status(kept_deliver(kept, query, &handling, &result), CELLA_OK);
    assert_int_equal(result.verdict, CELLA_MAILBOX_QUERY);
    office_expect(&kept->office, result.answer, CELLA_MAIL_REPLY, "t", 0, reply);
    assert_status(kept_deliver(kept, kept_query(kept, "u", body), NULL, &result), CELLA_OK);
    office_expect(&kept->office, result.answer, CELLA_MAIL_DONE, "u", 0, none);
    assert_int_equal(shelf_calls(&kept->shelf), 0);
    kept_expect(kept, query, NULL, CELLA_MAIL_REPLAY);
    kept_round(kept, "t", 1);
}

static void an_ack_is_answered_by_a_done_without_a_topic(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes none = {0};
    kept_connect(kept, &result);
    assert_status(kept_deliver(kept, kept_ack(kept), NULL, &result), CELLA_OK);
    assert_int_equal(result.verdict, CELLA_MAILBOX_ACK);
    office_expect(&kept->office, result.answer, CELLA_MAIL_DONE, "", 0, none);
}

static void the_oldest_replies_make_room_for_new_ones(void **state) {
    struct kept_office kept;
    struct cella_bytes body = test_pattern(5, 1), reply = test_pattern(300, 2);
    struct kept_handling handling = {.reply = &reply};
    char topic[] = "a";
    uint64_t each = cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, reply.size);
    kept_open(&kept, &(struct cella_mailbox_limits){.max_stored_bytes = 4 * each});
    for (topic[0] = 'a'; topic[0] < 'g'; topic[0]++) {
        kept_expect(&kept, kept_seal(&kept, topic, body), &handling, CELLA_OK);
        cella_mail_session_restart(kept.office.session);
    }
    struct cella_mailbox_counts counts;
    cella_mailbox_count(kept.office.mailbox, &counts);
    assert_int_equal(counts.stored_bytes, 4 * each);
    for (topic[0] = 'a'; topic[0] < 'g'; topic[0]++) {
        kept_expect(&kept, kept_repeat(&kept, topic, body), NULL,
                    topic[0] < 'c' ? CELLA_MAIL_REPLY_GONE : CELLA_OK);
        cella_mail_session_restart(kept.office.session);
    }
    /* One that is written again is no longer old. */
    for (char again = 'c'; again < 'f'; again++) {
        topic[0] = again;
        kept_expect(&kept, kept_seal(&kept, topic, body), &handling, CELLA_OK);
        cella_mail_session_restart(kept.office.session);
    }
    topic[0] = 'h';
    kept_expect(&kept, kept_seal(&kept, topic, body), &handling, CELLA_OK);
    cella_mail_session_restart(kept.office.session);
    topic[0] = 'f';
    kept_expect(&kept, kept_repeat(&kept, topic, body), NULL, CELLA_MAIL_REPLY_GONE);
    kept_close(&kept);
    (void)state;
}

static void a_reply_over_its_limit_is_not_kept(void **state) {
    struct kept_office kept;
    struct cella_bytes body = test_pattern(5, 1), small = test_pattern(100, 2), large = test_pattern(101, 2);
    const struct cella_bytes *replies[] = {&small, &large, &small, NULL, &large};
    kept_open(&kept, &(struct cella_mailbox_limits){.max_stored_reply = 100});
    for (unsigned i = 0; i < 5; i++) {
        struct kept_handling handling = {.reply = replies[i]};
        kept_expect(&kept, kept_seal(&kept, "t", body), &handling, CELLA_OK);
        cella_mail_session_restart(kept.office.session);
        kept_expect(&kept, kept_repeat(&kept, "t", body), NULL,
                    replies[i] == &large ? CELLA_MAIL_REPLY_GONE : CELLA_OK);
        cella_mail_session_restart(kept.office.session);
        struct cella_mailbox_counts counts;
        cella_mailbox_count(kept.office.mailbox, &counts);
        assert_int_equal(counts.stored_bytes, replies[i] == &small ? 256 : 0);
    }
    kept_close(&kept);
    (void)state;
}

static void topics_of_requests_and_posts_are_limited_together(void **state) {
    struct kept_office kept;
    struct cella_bytes body = test_pattern(5, 1), post;
    struct kept_handling posting = {.posts = 1, .post_topic = "a"};
    struct kept_result result;
    kept_open(&kept, &(struct cella_mailbox_limits){.max_topics = 2});
    kept_connect(&kept, &result);
    /* Its first request is being handled while it is posted to. */
    kept_expect(&kept, kept_seal(&kept, "a", body), &posting, CELLA_OK);
    assert_status(kept_post(&kept, "b", body, &post), CELLA_OK);
    assert_status(kept_post(&kept, "c", body, &post), CELLA_MAIL_TOPIC_LIMIT);
    kept_expect(&kept, kept_seal(&kept, "c", body), NULL, CELLA_MAIL_TOPIC_LIMIT);
    kept_expect(&kept, kept_seal(&kept, "b", body), NULL, CELLA_OK);
    assert_status(kept_post(&kept, "a", body, &post), CELLA_OK);
    kept_close(&kept);
    (void)state;
}

static void a_request_usually_writes_one_entry(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    kept_connect(kept, &result);
    kept_round(kept, "t", 0);
    for (uint64_t sequence = 1; sequence < 50; sequence++) {
        shelf_reset_counts(&kept->shelf);
        kept_round(kept, "t", sequence);
        assert_int_equal(kept->shelf.puts, 1);
        assert_int_equal(kept->shelf.deletes, 0);
    }
}

/* Calls of the keep that a conversation makes beside so many idle senders. */
static void count_calls(uint64_t idle, const struct cella_mailbox_limits *limits, unsigned *calls,
                        size_t count) {
    struct kept_office kept = {.office = {.route = "route of client"}, .limits = *limits};
    struct kept_result result;
    shelf_init(&kept.shelf);
    shelf_fill_idle(&kept.shelf, idle);
    shelf_begin(&kept.shelf);
    assert_status(cella_x25519_generate(&kept.office.enclave), CELLA_OK);
    struct cella_mailbox_options options = {.session_key = &kept.office.enclave,
                                            .limits = *limits,
                                            .keep = &kept.shelf.keep,
                                            .first_clock = UINT64_C(1) << 40};
    assert_status(cella_mailbox_new(&options, &kept.office.mailbox, NULL), CELLA_OK);
    shelf_commit(&kept.shelf);
    office_client(&kept.office, &kept.office.client, &kept.office.session);
    for (size_t i = 0; i < count; i++) {
        shelf_reset_counts(&kept.shelf);
        if (i == 0)
            kept_connect(&kept, &result);
        else
            kept_round(&kept, i % 2 == 0 ? "t" : "u", (i - 1) / 2);
        calls[i] = shelf_calls(&kept.shelf);
    }
    kept_close(&kept);
}

static void idle_senders_cost_nothing(void **state) {
    enum { COUNT = 20 };
    const uint64_t idle[] = {1000, 1000000};
    unsigned calls[2][COUNT];
    for (unsigned full = 0; full < 2; full++) {
        for (unsigned i = 0; i < 2; i++) {
            /* With room for all, and with none: a sender is forgotten and replies are dropped. */
            struct cella_mailbox_limits limits = {.max_senders = (uint32_t)idle[i] + !full,
                                                  .max_stored_bytes = (idle[i] + (full ? 0 : 2)) * 256};
            count_calls(idle[i], &limits, calls[i], COUNT);
        }
        assert_memory_equal(calls[0], calls[1], sizeof calls[0]);
        for (unsigned i = 0; i < COUNT; i++)
            assert_in_range(calls[0][i], 1, 40);
        assert_in_range(calls[0][COUNT - 1], 1, 10); /* both topics are known */
    }
    (void)state;
}

static void a_keep_that_fails_leaves_nothing_and_works_again(void **state) {
    struct kept_office kept;
    struct stranger other;
    struct kept_result result;
    struct cella_bytes body = test_pattern(5, 1), reply = test_pattern(300, 2);
    struct kept_handling handling = {.reply = &reply, .posts = 2, .post_topic = "p"};
    /* Forgets a sender, drops a reply, posts: as many changes as there can be. */
    kept_open(&kept, &(struct cella_mailbox_limits){.max_senders = 1, .max_stored_bytes = 400});
    kept_round(&kept, "t", 0);
    stranger_init(&kept, &other);
    swap_client(&kept, &other);
    kept.office.session->birth = kept.office.mailbox->history.clock;
    unsigned failures = 0;
    for (enum cella_status status = CELLA_NO_MEMORY; status != CELLA_OK; failures++) {
        struct cella_bytes before = shelf_dump(&kept.shelf);
        kept.shelf.fail_after = failures + 1;
        struct cella_bytes mail = failures == 0 ? kept_seal(&kept, "t", body) : kept_repeat(&kept, "t", body);
        status = kept_deliver(&kept, mail, &handling, &result);
        if (status != CELLA_OK) {
            assert_status(status, CELLA_NO_MEMORY);
            assert_bytes(shelf_dump(&kept.shelf), before);
            cella_mail_session_restart(kept.office.session);
        }
        kept.office.mailbox->history.attempts = 0; /* as many attempts as it takes */
        for (struct cella_table_node *node = kept.office.mailbox->history.senders.newest; node != NULL;
             node = node->older) {
            struct cella_history_sender *sender = CELLA_TABLE_ENTRY(node, struct cella_history_sender, node);
            if (sender->topics != NULL) {
                free(sender->topics->attempts);
                sender->topics->attempts = NULL;
            }
        }
    }
    kept.shelf.fail_after = 0;
    assert_in_range(failures, 12, 40);
    kept_read_posts(&kept, &result, "p", 0, 2);
    stranger_deinit(&other);
    kept_close(&kept);
    (void)state;
}

static void change_version(struct shelf *shelf, size_t entry, uint8_t version) {
    struct cella_bytes key = test_copy(shelf->entries[entry].key);
    struct cella_bytes value = test_copy(shelf->entries[entry].value);
    *(uint8_t *)(uintptr_t)value.data = version;
    shelf_begin(shelf);
    assert_status(shelf->keep.put(shelf, key, value), CELLA_OK);
    shelf_commit(shelf);
}

static void entries_that_are_damaged_are_reported_and_nothing_runs(void **state) {
    struct kept_office *kept = *state;
    struct kept_handling handling = {.posts = 1, .post_topic = "p"};
    struct cella_bytes body = test_pattern(5, 1);
    kept_expect(kept, kept_seal(kept, "t", body), &handling, CELLA_OK);
    cella_mail_session_restart(kept->office.session);
    for (size_t i = 0; i < kept->shelf.count; i++) {
        struct kept_result result;
        change_version(&kept->shelf, i, 0x81);
        enum cella_status status = kept_deliver(kept, kept_repeat(kept, "t", body), &handling, &result);
        assert_true(status == CELLA_OK || status == CELLA_NEWER_FORMAT);
        assert_false(result.ran);
        cella_mail_session_restart(kept->office.session);
        change_version(&kept->shelf, i, 1);
    }
}

static void kept_mail_and_a_mailbox_key_exclude_each_other(void **state) {
    struct kept_office *kept = *state;
    struct cella_mailbox *mailbox = NULL;
    struct cella_mailbox_options options = {.session_key = &kept->office.enclave,
                                            .mailbox_key = &kept->office.enclave,
                                            .mailbox_generation = 1,
                                            .keep = &kept->shelf.keep};
    assert_status(cella_mailbox_new(&options, &mailbox, NULL), CELLA_ARGUMENT);
}

static void a_state_without_its_fingerprint_key_is_damaged(void **state) {
    struct kept_office *kept = *state;
    struct cella_mailbox *mailbox = NULL;
    struct cella_keep_key keys[2];
    struct cella_mailbox_options options = {.session_key = &kept->office.enclave, .keep = &kept->shelf.keep};
    cella_keep_state_key(&keys[0]);
    cella_keep_fingerprint_key(&keys[1]);
    for (unsigned i = 0; i < 2; i++) {
        shelf_begin(&kept->shelf);
        assert_status(kept->shelf.keep.delete(&kept->shelf, CELLA_KEEP_BYTES(keys[i])), CELLA_OK);
        assert_status(cella_mailbox_new(&options, &mailbox, NULL), CELLA_DAMAGED);
        shelf_abort(&kept->shelf);
    }
}

#define KEPT(test) cmocka_unit_test_setup_teardown(test, kept_setup, kept_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        KEPT(sequences_go_on_after_a_restart),
        KEPT(a_request_repeated_after_a_restart_gets_its_stored_reply),
        KEPT(a_repeat_can_be_answered_before_the_first_answer_is),
        KEPT(what_was_done_before_a_restart_is_refused_after_it),
        KEPT(a_failed_request_leaves_nothing_and_never_runs_later),
        KEPT(attempts_are_forgotten_when_their_request_is_done),
        KEPT(attempts_of_all_senders_together_are_limited),
        cmocka_unit_test(mail_of_a_forgotten_sender_is_never_run_again),
        cmocka_unit_test(a_sender_that_is_heard_is_not_forgotten),
        cmocka_unit_test(a_sender_with_mail_in_work_is_not_forgotten),
        cmocka_unit_test(an_aborted_forgetting_forgets_no_attempts),
        cmocka_unit_test(forgetting_forgets_no_attempts_of_a_life_that_never_came_to_be),
        KEPT(an_aborted_new_life_forgets_no_attempts),
        KEPT(a_life_begun_anew_takes_the_old_one_away),
        KEPT(queries_touch_nothing_that_is_kept),
        KEPT(an_ack_is_answered_by_a_done_without_a_topic),
        cmocka_unit_test(the_oldest_replies_make_room_for_new_ones),
        cmocka_unit_test(a_reply_over_its_limit_is_not_kept),
        cmocka_unit_test(topics_of_requests_and_posts_are_limited_together),
        KEPT(a_request_usually_writes_one_entry),
        cmocka_unit_test(idle_senders_cost_nothing),
        cmocka_unit_test(a_keep_that_fails_leaves_nothing_and_works_again),
        KEPT(entries_that_are_damaged_are_reported_and_nothing_runs),
        KEPT(kept_mail_and_a_mailbox_key_exclude_each_other),
        KEPT(a_state_without_its_fingerprint_key_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
