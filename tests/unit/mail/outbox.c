/* Posts of an enclave with a vault: kept until they are collected, in order, sent again to whoever comes
 * back.
 */
#include "unit/mail/kept_office.h"
#include "mail/mailbox_internal.h"
#include <stdlib.h>
#include <string.h>

static uint64_t number_of(struct cella_bytes post) {
    struct cella_mail_shape shape;
    assert_status(cella_mail_inspect(post, &shape, NULL), CELLA_OK);
    return shape.header.answers;
}

static enum cella_mail_kind kind_of(struct cella_bytes post) {
    struct cella_mail_shape shape;
    assert_status(cella_mail_inspect(post, &shape, NULL), CELLA_OK);
    return shape.header.kind;
}

static uint64_t waiting(struct kept_office *kept) {
    struct cella_keep_sender sender;
    struct cella_keep_key key;
    struct cella_bytes value;
    cella_keep_sender_key(&key, kept->office.client.public_key);
    shelf_begin(&kept->shelf);
    assert_true(kept->shelf.keep.get(&kept->shelf, CELLA_KEEP_BYTES(key), &value));
    assert_status(cella_keep_sender_parse(value, &sender), CELLA_OK);
    shelf_commit(&kept->shelf);
    return sender.waiting_bytes;
}

/* Posts by a handler; gives what leaves. */
static void ask_for_posts(struct kept_office *kept, unsigned count, struct kept_result *result) {
    struct kept_handling handling = {.posts = count, .post_topic = "p", .post_size = 20};
    struct cella_mail_letter letter = {.memory = NULL};
    assert_status(kept_deliver(kept, kept_seal(kept, "t", test_pattern(5, 1)), &handling, result), CELLA_OK);
    assert_status(office_open_mail(&kept->office, result->answer, 0, &letter), CELLA_OK);
    assert_bytes(letter.context, CELLA_BYTES("a head", 6));
    cella_mail_letter_deinit(&letter);
}

static void posts_carry_numbers_over_all_topics_and_the_vaults_context(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    const char *topics[] = {"a", "b", "a", "b"};
    kept_connect(kept, &result);
    for (uint64_t i = 0; i < 4; i++) {
        struct cella_bytes post;
        struct cella_mail_letter letter = {.memory = NULL};
        assert_status(kept_post(kept, topics[i], test_pattern(9, 1), &post), CELLA_OK);
        assert_int_equal(number_of(post), i + 1);
        assert_status(office_open_mail(&kept->office, post, 0, &letter), CELLA_OK);
        assert_int_equal(letter.sequence, i / 2);
        assert_bytes(letter.context, CELLA_BYTES("head", 4));
        cella_mail_letter_deinit(&letter);
    }
    assert_int_equal(cella_mail_session_collected(kept->office.session), 4);
}

static void a_post_goes_one_shot_until_the_client_uses_a_session(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes post;
    kept_connect(kept, &result);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_int_equal(kind_of(post), CELLA_MAIL_ONE_SHOT);
    kept_round(kept, "t", 0);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_int_equal(kind_of(post), CELLA_MAIL_SESSION);
}

static void posts_survive_a_restart_and_are_sent_again_until_they_are_collected(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result, again;
    kept_connect(kept, &result);
    ask_for_posts(kept, 3, &result);
    assert_int_equal(result.post_count, 3);
    for (unsigned i = 0; i < 2; i++) {
        /* What was sent is lost with the host. */
        kept_restart(kept);
        kept_connect(kept, &result);
        assert_int_equal(result.post_count, 3);
        assert_int_equal(kind_of(result.posts[0]), CELLA_MAIL_ONE_SHOT);
    }
    assert_true(waiting(kept) > 0);
    kept_read_posts(kept, &result, "p", 0, 3);
    assert_status(kept_deliver(kept, kept_ack(kept), NULL, &again), CELLA_OK);
    assert_int_equal(again.post_count, 0);
    assert_int_equal(waiting(kept), 0);
    kept_restart(kept);
    kept_connect(kept, &result);
    assert_int_equal(result.post_count, 0);
    struct cella_bytes post;
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_int_equal(number_of(post), 4);
}

static void what_was_collected_before_is_not_sent_again(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result, again;
    kept_connect(kept, &result);
    ask_for_posts(kept, 5, &result);
    result.post_count = 2;
    kept_read_posts(kept, &result, "p", 0, 2);
    kept_restart(kept);
    /* An opening request says what has arrived, too. */
    struct cella_bytes body = test_pattern(5, 1);
    assert_status(kept_deliver(kept, kept_seal(kept, "t", body), NULL, &again), CELLA_OK);
    kept_read_posts(kept, &again, "p", 2, 3);
}

static void an_opening_that_is_repeated_sends_again_too(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes body = test_pattern(5, 1);
    struct kept_handling handling = {.posts = 2, .post_topic = "p"};
    assert_status(kept_deliver(kept, kept_seal(kept, "t", body), &handling, &result), CELLA_OK);
    kept_restart(kept);
    assert_status(kept_deliver(kept, kept_repeat(kept, "t", body), NULL, &result), CELLA_OK);
    assert_int_equal(result.verdict, CELLA_MAILBOX_REPEAT);
    kept_read_posts(kept, &result, "p", 0, 2);
}

static void a_new_post_waits_for_those_that_a_restart_has_lost(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes post;
    kept_connect(kept, &result);
    ask_for_posts(kept, 2, &result);
    kept_restart(kept);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_null(post.data);
    kept_connect(kept, &result);
    kept_read_posts(kept, &result, "p", 0, 3);
    /* From now on they leave at once. */
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_int_equal(number_of(post), 4);
}

static void a_post_to_a_client_that_collected_all_leaves_at_once_after_a_restart(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes post;
    kept_connect(kept, &result);
    kept_restart(kept);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_int_equal(kind_of(post), CELLA_MAIL_ONE_SHOT);
    result.posts[0] = post;
    result.post_count = 1;
    kept_read_posts(kept, &result, "p", 0, 1);
}

static void many_posts_are_sent_again_as_they_are_collected(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    enum { MANY = 300 };
    kept_connect(kept, &result);
    ask_for_posts(kept, MANY, &result);
    kept_restart(kept);
    kept_connect(kept, &result);
    size_t read = 0;
    while (read < MANY) {
        assert_in_range(result.post_count, 1, 64);
        kept_read_posts(kept, &result, "p", read, result.post_count);
        read += result.post_count;
        assert_status(kept_deliver(kept, kept_ack(kept), NULL, &result), CELLA_OK);
    }
    assert_int_equal(read, MANY);
    assert_int_equal(result.post_count, 0);
    assert_int_equal(waiting(kept), 0);
}

static void large_posts_are_sent_again_a_few_at_a_time(void **state) {
    struct kept_office kept;
    struct kept_result result;
    struct kept_handling handling = {.posts = 6, .post_topic = "p", .post_size = 400000};
    kept_open(&kept, &(struct cella_mailbox_limits){.max_outbox = 8 << 20});
    kept_connect(&kept, &result);
    assert_status(kept_deliver(&kept, kept_seal(&kept, "t", test_pattern(5, 1)), &handling, &result),
                  CELLA_OK);
    kept_restart(&kept);
    kept_connect(&kept, &result);
    kept_read_posts(&kept, &result, "p", 0, 3);
    assert_status(kept_deliver(&kept, kept_ack(&kept), NULL, &result), CELLA_OK);
    kept_read_posts(&kept, &result, "p", 3, 3);
    kept_close(&kept);
    (void)state;
}

static void collecting_many_posts_takes_several_mails(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    enum { MANY = 400 };
    kept_connect(kept, &result);
    ask_for_posts(kept, MANY, &result);
    kept_read_posts(kept, &result, "p", 0, MANY);
    kept_expect(kept, kept_ack(kept), NULL, CELLA_OK);
    assert_in_range(waiting(kept), 1, MANY * 256 - 1);
    kept_expect(kept, kept_ack(kept), NULL, CELLA_OK);
    assert_int_equal(waiting(kept), 0);
}

static void a_full_outbox_refuses_posts_until_it_is_collected(void **state) {
    struct kept_office kept;
    struct kept_result result;
    struct cella_bytes post, body = test_pattern(100, 1);
    kept_open(&kept, &(struct cella_mailbox_limits){.max_outbox = 3 * 256});
    kept_connect(&kept, &result);
    result.post_count = 0;
    for (unsigned i = 0; i < 3; i++) {
        assert_status(kept_post(&kept, "p", body, &post), CELLA_OK);
        result.posts[result.post_count++] = post;
    }
    struct cella_bytes before = shelf_dump(&kept.shelf);
    assert_status(kept_post(&kept, "p", body, &post), CELLA_OUTBOX_LIMIT);
    assert_bytes(shelf_dump(&kept.shelf), before);
    kept_read_posts(&kept, &result, "p", 0, 3);
    kept_expect(&kept, kept_ack(&kept), NULL, CELLA_OK);
    assert_status(kept_post(&kept, "p", body, &post), CELLA_OK);
    assert_int_equal(number_of(post), 4);
    kept_close(&kept);
    (void)state;
}

static void a_client_that_says_it_has_what_was_never_posted_is_not_believed(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes post;
    uint8_t context[8] = {2};
    kept_connect(kept, &result);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    uint64_t before = waiting(kept);
    assert_status(cella_mail_session_set_context(kept->office.session, CELLA_BYTES(context, 8)), CELLA_OK);
    kept_expect(kept, office_seal(&kept->office, "t", test_pattern(5, 1)), NULL, CELLA_OK);
    assert_int_equal(waiting(kept), before);
    context[0] = 1;
    assert_status(cella_mail_session_set_context(kept->office.session, CELLA_BYTES(context, 8)), CELLA_OK);
    kept_expect(kept, office_seal(&kept->office, "t", test_pattern(5, 1)), NULL, CELLA_OK);
    assert_int_equal(waiting(kept), 0);
}

/* The host can send an old hello again; its context speaks of posts of a life that is over. */
static void what_a_former_life_collected_says_nothing_of_this_one(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    kept_connect(kept, &result);
    kept_round(kept, "t", 0);
    struct kept_handling handling = {.posts = 2, .post_topic = "p"};
    assert_status(kept_deliver(kept, kept_seal(kept, "t", test_pattern(5, 1)), &handling, &result), CELLA_OK);
    kept_read_posts(kept, &result, "p", 0, 2);
    cella_mail_session_restart(kept->office.session);
    struct cella_bytes old = kept_hello(kept);
    cella_mail_session_forget(kept->office.session);
    kept_connect(kept, &result);
    assert_status(kept_deliver(kept, kept_seal(kept, "t", test_pattern(5, 1)), &handling, &result), CELLA_OK);
    kept_expect(kept, old, NULL, CELLA_OK);
    assert_int_equal(waiting(kept), 2 * 256);
    assert_int_equal(number_of(result.posts[0]), 1);
    kept_read_posts(kept, &result, "p", 0, 2);
    kept_expect(kept, kept_ack(kept), NULL, CELLA_OK);
    assert_int_equal(waiting(kept), 0);
}

static void posts_of_a_nested_transaction_go_with_it(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_mailbox_prepared *outer = NULL, *inner = NULL, *last = NULL;
    const uint8_t *client = kept->office.client.public_key;
    struct cella_bytes body = test_pattern(9, 1);
    kept_connect(kept, &result);
    shelf_begin(&kept->shelf);
    assert_status(cella_mailbox_post_prepare(kept->office.mailbox, client, "p", body, &outer, NULL),
                  CELLA_OK);
    shelf_begin(&kept->shelf);
    assert_status(cella_mailbox_post_prepare(kept->office.mailbox, client, "p", body, &inner, NULL),
                  CELLA_OK);
    shelf_abort(&kept->shelf);
    cella_mailbox_post_cancel(inner);
    assert_status(cella_mailbox_post_prepare(kept->office.mailbox, client, "p", body, &last, NULL), CELLA_OK);
    shelf_commit(&kept->shelf);
    struct cella_mailbox_prepared *both[] = {outer, last};
    for (uint64_t i = 0; i < 2; i++) {
        struct cella_mailbox_post post;
        assert_status(cella_mailbox_post_seal(both[i], (struct cella_bytes){0}, &post), CELLA_OK);
        assert_int_equal(number_of(post.bytes), i + 1);
        office_expect(&kept->office, post.bytes, CELLA_MAIL_POST, "p", i, body);
        free((void *)(uintptr_t)post.bytes.data);
    }
}

static void a_post_that_cannot_be_sealed_stays_in_the_outbox(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_mailbox_prepared *prepared = NULL;
    struct cella_mailbox_post post;
    static const uint8_t large[CELLA_MAIL_CONTEXT_MAX + 1];
    kept_connect(kept, &result);
    shelf_begin(&kept->shelf);
    assert_status(cella_mailbox_post_prepare(kept->office.mailbox, kept->office.client.public_key, "p",
                                             test_pattern(9, 1), &prepared, NULL),
                  CELLA_OK);
    shelf_commit(&kept->shelf);
    assert_status(cella_mailbox_post_seal(prepared, CELLA_BYTES(large, sizeof large), &post), CELLA_LIMIT);
    cella_mail_session_restart(kept->office.session);
    kept_connect(kept, &result);
    kept_read_posts(kept, &result, "p", 0, 1);
}

static void only_known_clients_get_posts_in_whatever_instance(void **state) {
    struct kept_office *kept = *state;
    struct kept_result result;
    struct cella_bytes post;
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_NOT_FOUND);
    shelf_begin(&kept->shelf);
    assert_false(cella_mailbox_knows(kept->office.mailbox, kept->office.client.public_key));
    shelf_commit(&kept->shelf);
    kept_connect(kept, &result);
    kept_restart(kept);
    shelf_begin(&kept->shelf);
    assert_true(cella_mailbox_knows(kept->office.mailbox, kept->office.client.public_key));
    shelf_commit(&kept->shelf);
    assert_status(kept_post(kept, "p", test_pattern(9, 1), &post), CELLA_OK);
    assert_status(kept_post(kept, "p_", test_pattern(9, 1), &post), CELLA_MAIL_TOPIC);
}

static void a_post_larger_than_a_value_is_refused(void **state) {
    struct kept_office kept;
    struct kept_result result;
    struct cella_bytes post, body = test_pattern(CELLA_KEEP_POST_MAX + 1, 1);
    kept_open(&kept, &(struct cella_mailbox_limits){.max_outbox = 64 << 20});
    kept_connect(&kept, &result);
    assert_status(kept_post(&kept, "p", body, &post), CELLA_LIMIT);
    body.size--;
    assert_status(kept_post(&kept, "p", body, &post), CELLA_OK);
    kept_close(&kept);
    (void)state;
}

#define KEPT(test) cmocka_unit_test_setup_teardown(test, kept_setup, kept_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        KEPT(posts_carry_numbers_over_all_topics_and_the_vaults_context),
        KEPT(a_post_goes_one_shot_until_the_client_uses_a_session),
        KEPT(posts_survive_a_restart_and_are_sent_again_until_they_are_collected),
        KEPT(what_was_collected_before_is_not_sent_again),
        KEPT(an_opening_that_is_repeated_sends_again_too),
        KEPT(a_new_post_waits_for_those_that_a_restart_has_lost),
        KEPT(a_post_to_a_client_that_collected_all_leaves_at_once_after_a_restart),
        KEPT(many_posts_are_sent_again_as_they_are_collected),
        cmocka_unit_test(large_posts_are_sent_again_a_few_at_a_time),
        KEPT(collecting_many_posts_takes_several_mails),
        cmocka_unit_test(a_full_outbox_refuses_posts_until_it_is_collected),
        KEPT(a_client_that_says_it_has_what_was_never_posted_is_not_believed),
        KEPT(what_a_former_life_collected_says_nothing_of_this_one),
        KEPT(posts_of_a_nested_transaction_go_with_it),
        KEPT(a_post_that_cannot_be_sealed_stays_in_the_outbox),
        KEPT(only_known_clients_get_posts_in_whatever_instance),
        cmocka_unit_test(a_post_larger_than_a_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
