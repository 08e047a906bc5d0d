/* The client's end: order of replies and posts, loss, restarts, and its state as bytes. */
#include "unit/mail/office.h"
#include "base/error.h"
#include "base/secret.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status open_only(struct office *office, struct cella_bytes mail) {
    struct cella_mail_letter letter = {.memory = NULL};
    enum cella_status status = office_open_mail(office, mail, 0, &letter);
    cella_mail_letter_deinit(&letter);
    return status;
}

static struct cella_bytes ask(struct office *office, const char *topic, enum cella_mail_way way) {
    struct cella_mail_request request = office_request(topic);
    struct cella_bytes body = test_pattern(30, 1);
    request.way = way;
    return office_answer(office, office_seal_as(office, &request, body), &body);
}

static void a_replayed_reply_is_detected_and_named(void **state) {
    struct office *office = *state;
    enum cella_mail_way ways[] = {CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_ONE_SHOT};
    for (size_t i = 0; i < 3; i++) {
        struct cella_bytes reply = ask(office, "t", ways[i]);
        assert_status(open_only(office, reply), CELLA_OK);
        assert_status(open_only(office, reply), CELLA_MAIL_REPLY_REPLAYED);
        office_round(office, "t", 2 * i + 1);
        assert_status(open_only(office, reply), CELLA_MAIL_REPLY_REPLAYED);
    }
}

static void a_dropped_reply_is_detected_and_named(void **state) {
    struct office *office = *state;
    enum cella_mail_way ways[] = {CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_ONE_SHOT};
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t sequence = 99;
        office_round(office, "t", 3 * i);
        struct cella_bytes dropped = ask(office, "t", ways[i]);
        struct cella_bytes later = ask(office, "t", ways[i]);
        assert_status(open_only(office, later), CELLA_MAIL_REPLY_MISSING);
        assert_non_null(strstr(office->error.message, "topic t"));
        assert_non_null(strstr(office->error.message, i == 0 ? "one to 1 is not" : "one to 4 is not"));
        assert_status(cella_mail_session_outstanding(office->session, "t", &sequence), CELLA_OK);
        assert_int_equal(sequence, 3 * i + 1);
        if (i == 0) {
            /* It was only late. */
            assert_status(open_only(office, dropped), CELLA_OK);
        } else {
            assert_status(cella_mail_session_give_up_replies(office->session, "t", sequence + 1), CELLA_OK);
            assert_status(open_only(office, dropped), CELLA_MAIL_REPLY_REPLAYED);
        }
        assert_status(open_only(office, later), CELLA_OK);
        assert_status(cella_mail_session_outstanding(office->session, "t", &sequence), CELLA_NOT_FOUND);
    }
}

static void a_reply_that_was_held_back_while_the_topic_went_on_is_named(void **state) {
    struct office *office = *state;
    office_connect(office);
    struct cella_bytes first = ask(office, "t", CELLA_MAIL_WAY_SESSION);
    /* "done" counts as a reply, so that holding back cannot hide behind it. */
    struct cella_bytes second = office_answer(office, office_seal(office, "t", test_pattern(5, 1)), NULL);
    assert_status(open_only(office, second), CELLA_MAIL_REPLY_MISSING);
    assert_status(open_only(office, first), CELLA_OK);
    assert_status(open_only(office, second), CELLA_OK);
}

static void a_reply_to_another_topic_or_an_unasked_one_is_refused(void **state) {
    struct office *office = *state;
    struct office twin = *office;
    office_connect(office);
    /* A twin with the same key asks; its replies answer nothing that this client asked. */
    assert_status(cella_mail_session_new(&office->client, office->enclave.public_key, &twin.session),
                  CELLA_OK);
    struct cella_bytes stranger = ask(&twin, "t", CELLA_MAIL_WAY_ONE_SHOT);
    assert_status(open_only(office, stranger), CELLA_MAIL_UNEXPECTED);
    struct cella_bytes accept = ask(&twin, "u", CELLA_MAIL_WAY_SESSION);
    assert_status(open_only(office, accept), CELLA_MAIL_UNEXPECTED);
    assert_status(open_only(&twin, accept), CELLA_OK);
    assert_status(open_only(office, ask(&twin, "u", CELLA_MAIL_WAY_SESSION)), CELLA_MAIL_SESSION_UNKNOWN);
    cella_mail_session_free(twin.session);
}

static void an_answer_to_a_mail_that_was_replaced_is_refused(void **state) {
    struct office *office = *state;
    office_connect(office);
    struct cella_mail_request request = office_request("t");
    struct cella_bytes first = test_pattern(5, 1), second = test_pattern(5, 2);
    struct cella_bytes old = office_seal_as(office, &request, first);
    request.repeat = true;
    struct cella_bytes replaced = office_seal_as(office, &request, second);
    /* The host delivers the older form with other content and withholds the newer. */
    assert_status(open_only(office, office_answer(office, old, &first)), CELLA_MAIL_UNEXPECTED);
    assert_status(office_try(office, replaced), CELLA_MAIL_NAME_USED);
}

static void a_post_polled_after_later_replies_raises_no_alarm(void **state) {
    struct office *office = *state;
    office_round(office, "t", 0);
    struct cella_bytes early = office_post(office, "t", test_pattern(10, 1));
    for (uint64_t i = 1; i < 100; i++)
        office_round(office, "t", i);
    struct cella_bytes late = office_post(office, "t", test_pattern(10, 2));
    office_round(office, "t", 100);
    office_expect(office, early, CELLA_MAIL_POST, "t", 0, test_pattern(10, 1));
    office_expect(office, late, CELLA_MAIL_POST, "t", 1, test_pattern(10, 2));
    office_round(office, "t", 101);
}

static void dropped_and_replayed_posts_are_detected_and_named(void **state) {
    struct office *office = *state;
    office_round(office, "t", 0);
    struct cella_bytes posts[4];
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 2)
            office_round(office, "t", 1);
        posts[i] = office_post(office, "news", test_pattern(10, i));
    }
    struct cella_bytes other = office_post(office, "other", test_pattern(10, 9));
    assert_status(open_only(office, posts[1]), CELLA_MAIL_POST_MISSING);
    assert_status(open_only(office, posts[0]), CELLA_OK);
    assert_status(open_only(office, posts[0]), CELLA_MAIL_POST_REPLAYED);
    assert_status(open_only(office, other), CELLA_OK);
    assert_status(open_only(office, posts[3]), CELLA_MAIL_POST_MISSING);
    assert_non_null(strstr(office->error.message, "post 1 is not"));
    assert_status(cella_mail_session_give_up_posts(office->session, "news", 3, 0), CELLA_OK);
    assert_status(open_only(office, posts[1]), CELLA_MAIL_POST_REPLAYED);
    assert_status(open_only(office, posts[3]), CELLA_OK);
}

/* Export and import, as a process that ends and the next one do. */
static void sleep_and_wake(struct office *office) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_mail_session_export(office->session, &data, &size), CELLA_OK);
    cella_mail_session_free(office->session);
    assert_status(
        cella_mail_session_import(&office->client, CELLA_BYTES(data, size), &office->session, &office->error),
        CELLA_OK);
    cella_wipe_free(data, size);
}

static void posts_from_before_a_client_was_forgotten_are_refused(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(10, 1);
    (void)ask(office, "t", CELLA_MAIL_WAY_ONE_SHOT);
    struct cella_bytes read = office_post(office, "news", body);
    struct cella_bytes unread = office_post(office, "other", body);
    office_expect(office, read, CELLA_MAIL_POST, "news", 0, body);
    /* The host says that the sender is unknown, which may be a lie. */
    cella_mail_session_forget(office->session);
    assert_status(open_only(office, read), CELLA_MAIL_POST_REPLAYED);
    sleep_and_wake(office);
    assert_status(open_only(office, read), CELLA_MAIL_POST_REPLAYED);
    office_connect(office);
    assert_status(open_only(office, read), CELLA_MAIL_POST_REPLAYED);
    office_round(office, "t", 0);
    sleep_and_wake(office);
    assert_status(open_only(office, read), CELLA_MAIL_POST_REPLAYED);
    assert_status(open_only(office, unread), CELLA_MAIL_POST_REPLAYED);
    office_expect(office, office_post(office, "news", body), CELLA_MAIL_POST, "news", 0, body);
}

static void a_reply_from_before_a_client_was_forgotten_is_refused(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(30, 1);
    struct cella_bytes old = ask(office, "t", CELLA_MAIL_WAY_ONE_SHOT);
    assert_status(open_only(office, old), CELLA_OK);
    cella_mail_session_forget(office->session);
    assert_status(open_only(office, old), CELLA_MAIL_UNEXPECTED);
    office_connect(office);
    struct cella_bytes first = ask(office, "t", CELLA_MAIL_WAY_SESSION);
    struct cella_bytes second = ask(office, "t", CELLA_MAIL_WAY_SESSION);
    assert_status(open_only(office, old), CELLA_MAIL_REPLY_REPLAYED);
    office_expect(office, first, CELLA_MAIL_REPLY, "t", 0, body);
    office_expect(office, second, CELLA_MAIL_REPLY, "t", 1, body);
}

static void a_post_between_two_openings_is_no_replay(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(10, 1);
    for (uint64_t i = 0; i < 2; i++) {
        office_connect(office);
        struct cella_bytes post = office_post(office, "news", body);
        cella_mail_session_restart(office->session);
        office_connect(office);
        office_expect(office, post, CELLA_MAIL_POST, "news", 2 * i, body);
        office_round(office, "t", i);
        office_expect(office, office_post(office, "news", body), CELLA_MAIL_POST, "news", 2 * i + 1, body);
        cella_mail_session_restart(office->session);
    }
}

static void posts_use_the_session_once_the_client_has_used_it(void **state) {
    struct office *office = *state;
    struct cella_mail_shape shape;
    struct cella_bytes reply = test_pattern(5, 1);
    struct cella_bytes accept = office_answer(office, office_seal(office, "t", reply), &reply);
    struct cella_bytes first = office_post(office, "t", test_pattern(10, 1));
    assert_status(cella_mail_inspect(first, &shape, &office->error), CELLA_OK);
    assert_int_equal(shape.header.kind, CELLA_MAIL_ONE_SHOT);
    /* It can be read even though the accept has not come. */
    office_expect(office, first, CELLA_MAIL_POST, "t", 0, test_pattern(10, 1));
    office_expect(office, accept, CELLA_MAIL_REPLY, "t", 0, reply);
    office_round(office, "t", 1);
    struct cella_bytes second = office_post(office, "t", test_pattern(100000, 1));
    assert_status(cella_mail_inspect(second, &shape, &office->error), CELLA_OK);
    assert_int_equal(shape.header.kind, CELLA_MAIL_SESSION);
    /* Posts of the session before stay readable. */
    cella_mail_session_restart(office->session);
    office_round(office, "t", 2);
    office_expect(office, second, CELLA_MAIL_POST, "t", 1, test_pattern(100000, 1));
}

static void posts_go_one_shot_when_the_client_may_have_lost_the_session_that_it_used(void **state) {
    struct office *office = *state;
    struct cella_mail_shape shape;
    office_round(office, "t", 0);
    office_round(office, "t", 1);
    for (uint64_t i = 0; i < CELLA_MAIL_SESSION_SLOTS + 1; i++) {
        struct cella_bytes post = office_post(office, "t", test_pattern(10, 1));
        assert_status(cella_mail_inspect(post, &shape, &office->error), CELLA_OK);
        assert_int_equal(shape.header.kind,
                         i < CELLA_MAIL_SESSION_SLOTS ? CELLA_MAIL_SESSION : CELLA_MAIL_ONE_SHOT);
        office_expect(office, post, CELLA_MAIL_POST, "t", i, test_pattern(10, 1));
        cella_mail_session_restart(office->session);
        office_connect(office);
    }
}

static void a_stranger_cannot_be_posted_to(void **state) {
    struct office *office = *state;
    struct cella_mailbox_prepared *post = NULL;
    assert_false(cella_mailbox_knows(office->mailbox, office->client.public_key));
    assert_status(cella_mailbox_post_prepare(office->mailbox, office->client.public_key, "t",
                                             test_pattern(3, 1), &post, &office->error),
                  CELLA_NOT_FOUND);
    office_round(office, "t", 0);
    assert_true(cella_mailbox_knows(office->mailbox, office->client.public_key));
}

static void one_shot_mail_of_anyone_else_is_refused(void **state) {
    struct office *office = *state;
    struct office other;
    office_open(&other, &(struct cella_mailbox_limits){0});
    /* Another enclave knows this client too and posts to it. */
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
    assert_status(cella_x25519_copy(&other.client, &office->client), CELLA_OK);
    assert_status(cella_mail_session_new(&other.client, other.enclave.public_key, &other.session), CELLA_OK);
    struct cella_mail_request request = office_request("t");
    request.way = CELLA_MAIL_WAY_ONE_SHOT;
    assert_status(office_try(&other, office_seal_as(&other, &request, test_pattern(3, 1))), CELLA_OK);
    office_round(office, "t", 0);
    assert_status(open_only(office, office_post(&other, "t", test_pattern(10, 1))), CELLA_MAIL_REFUSED);
    assert_status(open_only(&other, office_post(office, "t", test_pattern(10, 1))), CELLA_MAIL_REFUSED);
    office_close(&other);
}

static bool opens(void *context, struct cella_bytes mail) {
    struct office *office = context;
    return open_only(office, mail) == CELLA_OK;
}

/* Every changed bit and every cut is refused and changes nothing: the good mail opens afterwards. */
static void damage(struct office *office, struct cella_bytes mail) {
    uint8_t *changed = malloc(mail.size);
    assert_non_null(changed);
    memcpy(changed, mail.data, mail.size);
    for (size_t at = 0; at < mail.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            changed[at] ^= (uint8_t)(1u << bit);
            if (opens(office, CELLA_BYTES(changed, mail.size)))
                fail_msg("bit %u of byte %zu", bit, at);
            changed[at] ^= (uint8_t)(1u << bit);
        }
    free(changed);
    for (size_t size = 0; size < mail.size; size++)
        assert_false(opens(office, test_copy(CELLA_BYTES(mail.data, size))));
    assert_true(opens(office, mail));
}

static void every_changed_bit_of_a_reply_or_post_is_refused_and_changes_nothing(void **state) {
    struct office *office = *state;
    damage(office, ask(office, "t", CELLA_MAIL_WAY_SESSION));
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_OPEN);
    damage(office, ask(office, "t", CELLA_MAIL_WAY_SESSION));
    damage(office, ask(office, "t", CELLA_MAIL_WAY_ONE_SHOT));
    damage(office, office_post(office, "t", test_pattern(5, 1)));
}

static void a_restarted_enclave_is_met_with_a_reset(void **state) {
    struct office *office = *state;
    struct office restarted;
    office_round(office, "t", 0);
    office_round(office, "t", 1);
    struct cella_bytes post = office_post(office, "t", test_pattern(5, 1));
    office_open(&restarted, &(struct cella_mailbox_limits){0});
    struct cella_bytes mail = office_seal(office, "t", test_pattern(5, 1));
    assert_status(office_try(&restarted, mail), CELLA_MAIL_SESSION_UNKNOWN);
    struct cella_mailbox *before = office->mailbox;
    cella_mail_session_reset(office->session, restarted.enclave.public_key);
    assert_memory_equal(cella_mail_session_enclave_key(office->session), restarted.enclave.public_key, 32);
    office->mailbox = restarted.mailbox;
    office_round(office, "t", 0);
    office_round(office, "t", 1);
    assert_status(open_only(office, post), CELLA_MAIL_SESSION_UNKNOWN);
    office->mailbox = before;
    office_close(&restarted);
}

/* A second instance under another session key takes the place of the first, whose memory it does not have. */
static void meet_another_instance(struct office *office, struct office *other) {
    office_open(other, &(struct cella_mailbox_limits){0});
    struct cella_mailbox *before = office->mailbox;
    cella_mail_session_rekey(office->session, other->enclave.public_key);
    office->mailbox = other->mailbox;
    other->mailbox = before;
}

static void after_a_rekey_sequences_go_on_and_what_the_former_instance_sealed_still_opens(void **state) {
    struct office *office = *state;
    struct office other;
    struct cella_bytes body = test_pattern(5, 1);
    office_round(office, "t", 0);
    office_round(office, "t", 1);
    struct cella_bytes in_session = office_post(office, "news", body);
    cella_mail_session_restart(office->session);
    struct cella_bytes reply = ask(office, "t", CELLA_MAIL_WAY_ONE_SHOT);
    meet_another_instance(office, &other);
    assert_memory_equal(cella_mail_session_enclave_key(office->session), other.enclave.public_key, 32);
    sleep_and_wake(office);
    office_expect(office, in_session, CELLA_MAIL_POST, "news", 0, body);
    office_expect(office, reply, CELLA_MAIL_REPLY, "t", 2, test_pattern(30, 1));
    struct cella_mail_shape shape;
    struct cella_bytes next = office_seal(office, "t", body);
    assert_status(cella_mail_inspect(next, &shape, &office->error), CELLA_OK);
    assert_int_equal(shape.header.kind, CELLA_MAIL_SESSION_OPEN);
    assert_int_equal(shape.header.sequence, 3);
    /* This one has no vault, and so refuses what it does not know. */
    assert_status(office_try(office, next), CELLA_MAIL_FIRST);
    office_close(&other);
}

static void instances_long_before_are_no_longer_listened_to(void **state) {
    struct office *office = *state;
    struct office others[CELLA_MAIL_SESSION_FORMER + 1];
    struct cella_bytes replies[2];
    for (unsigned i = 0; i < 2; i++) {
        char topic[] = {(char)('a' + i), '\0'};
        replies[i] = ask(office, topic, CELLA_MAIL_WAY_ONE_SHOT);
    }
    for (unsigned i = 0; i <= CELLA_MAIL_SESSION_FORMER; i++) {
        if (i == CELLA_MAIL_SESSION_FORMER)
            assert_status(open_only(office, replies[0]), CELLA_OK);
        meet_another_instance(office, &others[i]);
    }
    assert_status(open_only(office, replies[1]), CELLA_MAIL_REFUSED);
    for (unsigned i = 0; i <= CELLA_MAIL_SESSION_FORMER; i++)
        office_close(&others[i]);
}

struct judgement {
    enum cella_status status;
    unsigned asked;
    enum cella_mail_role role;
};

static enum cella_status judge(void *context, const struct cella_mail_header *header,
                               struct cella_error *error) {
    struct judgement *judgement = context;
    judgement->asked++;
    judgement->role = header->role;
    return judgement->status == CELLA_OK ? CELLA_OK : cella_fail(error, judgement->status, "judged");
}

static void what_is_judged_to_be_wrong_changes_nothing_and_may_come_again(void **state) {
    struct office *office = *state;
    struct judgement judgement = {.status = CELLA_VAULT_PROOF};
    struct cella_bytes body = test_pattern(30, 1), none = {0};
    cella_mail_session_set_judge(office->session, judge, &judgement);
    struct cella_bytes hello = office_answer(office, office_hello(office), NULL);
    assert_status(open_only(office, hello), CELLA_VAULT_PROOF);
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_OPENING);
    judgement.status = CELLA_OK;
    office_expect(office, hello, CELLA_MAIL_HELLO, "", 0, none);
    struct cella_bytes reply = ask(office, "t", CELLA_MAIL_WAY_SESSION);
    struct cella_bytes post = office_post(office, "news", body);
    judgement.status = CELLA_VAULT_FORK;
    assert_status(open_only(office, reply), CELLA_VAULT_FORK);
    assert_int_equal(judgement.role, CELLA_MAIL_REPLY);
    assert_status(open_only(office, post), CELLA_VAULT_FORK);
    assert_int_equal(judgement.role, CELLA_MAIL_POST);
    judgement = (struct judgement){.status = CELLA_OK};
    office_expect(office, reply, CELLA_MAIL_REPLY, "t", 0, body);
    office_expect(office, post, CELLA_MAIL_POST, "news", 0, body);
    assert_int_equal(judgement.asked, 2);
    /* What is not authentic or not in order is not even shown to the judge. */
    assert_status(open_only(office, post), CELLA_MAIL_POST_REPLAYED);
    assert_status(open_only(office, test_pattern(400, 1)), CELLA_MAIL_MALFORMED);
    assert_int_equal(judgement.asked, 2);
}

static struct cella_bytes query(struct office *office, const char *topic, struct cella_bytes body) {
    struct cella_mail_request request = office_request(topic);
    uint8_t *mail = NULL;
    size_t size = 0;
    assert_status(cella_mail_session_query(office->session, &request, body, &mail, &size, &office->error),
                  CELLA_OK);
    struct cella_bytes copy = test_copy(CELLA_BYTES(mail, size));
    free(mail);
    return copy;
}

static void a_query_stands_outside_all_order(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(30, 1), other = test_pattern(70000, 2), none = {0};
    office_connect(office);
    struct cella_bytes first = query(office, "t", body);
    office_round(office, "t", 0);
    struct cella_bytes answer = office_answer(office, first, &other);
    office_round(office, "t", 1);
    office_expect(office, answer, CELLA_MAIL_REPLY, "t", 0, other);
    assert_status(open_only(office, answer), CELLA_MAIL_REPLY_REPLAYED);
    office_expect(office, office_answer(office, query(office, "never-used", body), NULL), CELLA_MAIL_DONE,
                  "never-used", 0, none);
    office_round(office, "t", 2);
    office_round(office, "never-used", 0);
}

static void a_later_query_or_ack_takes_the_place_of_an_earlier_one(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(30, 1), none = {0};
    uint8_t *ack = NULL;
    size_t size = 0;
    office_connect(office);
    struct cella_bytes early = office_answer(office, query(office, "t", body), &body);
    struct cella_bytes late = office_answer(office, query(office, "t", body), &body);
    assert_status(open_only(office, early), CELLA_MAIL_UNEXPECTED);
    assert_status(cella_mail_session_ack(office->session, &ack, &size, &office->error), CELLA_OK);
    assert_status(open_only(office, late), CELLA_MAIL_UNEXPECTED);
    struct cella_bytes done = office_answer(office, test_copy(CELLA_BYTES(ack, size)), NULL);
    office_expect(office, done, CELLA_MAIL_DONE, "", 0, none);
    assert_status(open_only(office, done), CELLA_MAIL_UNEXPECTED);
    free(ack);
}

static void queries_and_acks_go_in_an_open_session_only(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = office_request("t");
    struct cella_bytes body = test_pattern(30, 1);
    uint8_t *mail = NULL;
    size_t size = 0;
    for (int i = 0; i < 2; i++) {
        assert_status(cella_mail_session_query(office->session, &request, body, &mail, &size, &office->error),
                      CELLA_MAIL_NOT_OPEN);
        assert_status(cella_mail_session_ack(office->session, &mail, &size, &office->error),
                      CELLA_MAIL_NOT_OPEN);
        if (i == 0)
            (void)office_hello(office);
    }
    cella_mail_session_restart(office->session);
    office_connect(office);
    struct cella_bytes answer = office_answer(office, query(office, "t", body), &body);
    /* In another session its number means nothing. */
    cella_mail_session_restart(office->session);
    office_connect(office);
    (void)query(office, "t", body);
    assert_status(open_only(office, answer), CELLA_MAIL_UNEXPECTED);
    request.topic = "no topic";
    assert_status(cella_mail_session_query(office->session, &request, body, &mail, &size, &office->error),
                  CELLA_MAIL_TOPIC);
}

static void a_client_knows_whether_it_has_ever_heard_of_the_enclave(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(30, 1);
    assert_false(cella_mail_session_has_heard(office->session));
    struct cella_bytes reply = ask(office, "t", CELLA_MAIL_WAY_ONE_SHOT);
    assert_false(cella_mail_session_has_heard(office->session));
    office_expect(office, reply, CELLA_MAIL_REPLY, "t", 0, body);
    assert_true(cella_mail_session_has_heard(office->session));
    sleep_and_wake(office);
    assert_true(cella_mail_session_has_heard(office->session));
    cella_mail_session_forget(office->session);
    assert_false(cella_mail_session_has_heard(office->session));
    office_connect(office);
    assert_true(cella_mail_session_has_heard(office->session));
}

static void the_state_goes_on_where_it_was_without_the_sending_key(void **state) {
    struct office *office = *state;
    uint8_t *data = NULL;
    size_t size = 0;
    office_round(office, "t", 0);
    office_round(office, "t", 1);
    office_round(office, "other", 0);
    struct cella_bytes body = test_pattern(50, 1);
    struct cella_bytes post = office_post(office, "t", test_pattern(5, 1));
    (void)office_answer(office, office_seal(office, "t", body), &body);
    assert_status(cella_mail_session_export(office->session, &data, &size), CELLA_OK);
    assert_null(memmem(data, size, office->client.private_key, 16));
    cella_mail_session_free(office->session);
    assert_status(
        cella_mail_session_import(&office->client, CELLA_BYTES(data, size), &office->session, &office->error),
        CELLA_OK);
    cella_wipe_free(data, size);
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_NEW);
    office_expect(office, post, CELLA_MAIL_POST, "t", 0, test_pattern(5, 1));
    uint64_t sequence = 0;
    assert_status(cella_mail_session_outstanding(office->session, "t", &sequence), CELLA_OK);
    assert_int_equal(sequence, 2);
    struct cella_mail_request request = office_request("t");
    request.repeat = true;
    struct cella_bytes mail = office_seal_as(office, &request, body);
    struct cella_mail_shape shape;
    assert_status(cella_mail_inspect(mail, &shape, &office->error), CELLA_OK);
    assert_int_equal(shape.header.kind, CELLA_MAIL_SESSION_OPEN);
    office_expect(office, office_answer(office, mail, NULL), CELLA_MAIL_REPLY, "t", 2, body);
    office_round(office, "t", 3);
    office_round(office, "other", 1);
}

static void a_reply_to_one_shot_mail_opens_after_an_import(void **state) {
    struct office *office = *state;
    uint8_t *data = NULL;
    size_t size = 0;
    struct cella_bytes reply = ask(office, "t", CELLA_MAIL_WAY_MAILBOX);
    assert_status(cella_mail_session_export(office->session, &data, &size), CELLA_OK);
    cella_mail_session_free(office->session);
    assert_status(
        cella_mail_session_import(&office->client, CELLA_BYTES(data, size), &office->session, &office->error),
        CELLA_OK);
    cella_wipe_free(data, size);
    office_expect(office, reply, CELLA_MAIL_REPLY, "t", 0, test_pattern(30, 1));
}

static bool imports(void *context, struct cella_bytes data) {
    struct office *office = context;
    struct cella_mail_session *session = NULL;
    enum cella_status status = cella_mail_session_import(&office->client, data, &session, &office->error);
    cella_mail_session_free(session);
    return status == CELLA_OK;
}

static void a_damaged_state_is_refused(void **state) {
    struct office *office = *state;
    struct cella_mail_session *session = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    office_round(office, "t", 0);
    office_round(office, "u", 0);
    assert_status(cella_mail_session_export(office->session, &data, &size), CELLA_OK);
    struct cella_bytes good = test_copy(CELLA_BYTES(data, size));
    cella_wipe_free(data, size);
    test_truncations_refused(good, imports, office);
    test_extension_refused(good, imports, office);
    (void)test_bit_flips(good, imports, office);
    struct cella_bytes changed = test_copy(good);
    uint8_t *byte = (uint8_t *)(uintptr_t)changed.data;
    byte[4] = 3;
    assert_status(cella_mail_session_import(&office->client, changed, &session, &office->error),
                  CELLA_NEWER_FORMAT);
    assert_status(cella_mail_session_import(&office->enclave, good, &session, &office->error),
                  CELLA_KEY_INVALID);
    byte[4] = 2;
    byte[0] ^= 1;
    assert_status(cella_mail_session_import(&office->client, changed, &session, &office->error),
                  CELLA_DAMAGED);
}

static void a_second_opening_waits_for_the_first(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = office_request("u");
    uint8_t *mail = NULL;
    size_t size = 0;
    struct cella_bytes body = test_pattern(5, 1);
    struct cella_bytes opening = office_seal(office, "t", body);
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_OPENING);
    assert_status(cella_mail_session_seal(office->session, &request, body, &mail, &size, &office->error),
                  CELLA_MAIL_NOT_OPEN);
    assert_status(cella_mail_session_hello(office->session, &mail, &size, &office->error),
                  CELLA_MAIL_NOT_OPEN);
    office_expect(office, office_answer(office, opening, &body), CELLA_MAIL_REPLY, "t", 0, body);
    office_round(office, "u", 0);
    assert_status(cella_mail_session_hello(office->session, &mail, &size, &office->error),
                  CELLA_MAIL_NOT_OPEN);
}

static void a_reply_in_a_session_whose_opening_reply_is_missing_waits(void **state) {
    struct office *office = *state;
    struct office twin = *office;
    struct cella_mail_fixed fixed = {.session_id = "twins", .ephemeral = {3}};
    struct cella_bytes body = test_pattern(5, 1), none = {0};
    cella_mail_session_fix(office->session, &fixed);
    struct cella_bytes accept = office_answer(office, office_hello(office), NULL);
    /* A twin with the same randomness plays the client further on. */
    assert_status(cella_mail_session_new(&office->client, office->enclave.public_key, &twin.session),
                  CELLA_OK);
    cella_mail_session_fix(twin.session, &fixed);
    (void)office_hello(&twin);
    office_expect(&twin, accept, CELLA_MAIL_HELLO, "", 0, none);
    assert_status(office_try(&twin, office_seal(&twin, "t", body)), CELLA_OK);
    struct cella_bytes post = office_post(office, "t", body);
    assert_status(open_only(office, post), CELLA_MAIL_NOT_OPEN);
    office_expect(office, accept, CELLA_MAIL_HELLO, "", 0, none);
    office_expect(office, post, CELLA_MAIL_POST, "t", 0, body);
    cella_mail_session_free(twin.session);
}

static void nothing_to_repeat_or_give_up_is_said(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = office_request("t");
    uint8_t *mail = NULL;
    size_t size = 0;
    request.repeat = true;
    assert_status(
        cella_mail_session_seal(office->session, &request, test_pattern(5, 1), &mail, &size, &office->error),
        CELLA_NOT_FOUND);
    assert_status(cella_mail_session_give_up_replies(office->session, "never-used", 0), CELLA_NOT_FOUND);
    office_round(office, "t", 0);
    assert_status(
        cella_mail_session_seal(office->session, &request, test_pattern(5, 1), &mail, &size, &office->error),
        CELLA_NOT_FOUND);
    assert_status(cella_mail_session_give_up_replies(office->session, "t", 2), CELLA_ARGUMENT);
    assert_status(
        cella_mail_session_set_context(office->session, test_pattern(CELLA_MAIL_CONTEXT_MAX + 1, 1)),
        CELLA_LIMIT);
}

#define office_test(name) cmocka_unit_test_setup_teardown(name, office_setup, office_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        office_test(a_replayed_reply_is_detected_and_named),
        office_test(a_dropped_reply_is_detected_and_named),
        office_test(a_reply_that_was_held_back_while_the_topic_went_on_is_named),
        office_test(a_reply_to_another_topic_or_an_unasked_one_is_refused),
        office_test(an_answer_to_a_mail_that_was_replaced_is_refused),
        office_test(a_post_polled_after_later_replies_raises_no_alarm),
        office_test(dropped_and_replayed_posts_are_detected_and_named),
        office_test(posts_from_before_a_client_was_forgotten_are_refused),
        office_test(a_reply_from_before_a_client_was_forgotten_is_refused),
        office_test(a_post_between_two_openings_is_no_replay),
        office_test(posts_use_the_session_once_the_client_has_used_it),
        office_test(posts_go_one_shot_when_the_client_may_have_lost_the_session_that_it_used),
        office_test(a_stranger_cannot_be_posted_to),
        office_test(one_shot_mail_of_anyone_else_is_refused),
        office_test(every_changed_bit_of_a_reply_or_post_is_refused_and_changes_nothing),
        office_test(a_restarted_enclave_is_met_with_a_reset),
        office_test(after_a_rekey_sequences_go_on_and_what_the_former_instance_sealed_still_opens),
        office_test(instances_long_before_are_no_longer_listened_to),
        office_test(what_is_judged_to_be_wrong_changes_nothing_and_may_come_again),
        office_test(a_query_stands_outside_all_order),
        office_test(a_later_query_or_ack_takes_the_place_of_an_earlier_one),
        office_test(queries_and_acks_go_in_an_open_session_only),
        office_test(a_client_knows_whether_it_has_ever_heard_of_the_enclave),
        office_test(the_state_goes_on_where_it_was_without_the_sending_key),
        office_test(a_reply_to_one_shot_mail_opens_after_an_import),
        office_test(a_damaged_state_is_refused),
        office_test(a_second_opening_waits_for_the_first),
        office_test(a_reply_in_a_session_whose_opening_reply_is_missing_waits),
        office_test(nothing_to_repeat_or_give_up_is_said),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
