/* Mail through a real instance: sessions, transactions, posts, repeats, large bodies, many clients at once.
 */
#include "attack/fixture.h"
#include "attest/statement.h"
#include "mail/session.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct fixture probe;
static uint8_t enclave_key[32];

static int set_up_all(void **state) {
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&probe, fixture_machine(), "probe", &error), CELLA_OK);
    struct answer answer = fixture_report(&probe, NULL);
    struct cella_statement statement;
    assert_status(cella_statement_parse(CELLA_BYTES(answer.reply.data + CELLA_REPORT_SIZE,
                                                    answer.reply.size - CELLA_REPORT_SIZE),
                                        &statement, &error),
                  CELLA_OK);
    memcpy(enclave_key, statement.session_key, sizeof enclave_key);
    return 0;
}

static int tear_down_all(void **state) {
    fixture_free(&probe);
    return 0;
}

struct client {
    struct cella_x25519_key key;
    struct cella_mail_session *session;
};

static void client_start(struct client *client) {
    assert_status(cella_x25519_generate(&client->key), CELLA_OK);
    assert_status(cella_mail_session_new(&client->key, enclave_key, &client->session), CELLA_OK);
}

static void client_end(struct client *client) {
    cella_mail_session_free(client->session);
    cella_x25519_deinit(&client->key);
}

/* A sealed request, exactly sized. */
static struct cella_bytes seal(struct client *client, const char *topic, struct cella_bytes body,
                               bool repeat) {
    struct cella_error error = {.message = ""};
    if (cella_mail_session_needs_hello(client->session, body.size)) {
        uint8_t *hello = NULL;
        size_t hello_size = 0;
        assert_status(cella_mail_session_hello(client->session, &hello, &hello_size, &error), CELLA_OK);
        struct answer answer = fixture_mail(&probe, CELLA_BYTES(hello, hello_size));
        struct cella_mail_letter letter = {.memory = NULL};
        assert_status(answer.status, CELLA_OK);
        assert_status(cella_mail_session_open(client->session, answer.reply, &letter, &error), CELLA_OK);
        cella_mail_letter_deinit(&letter);
        free(hello);
    }
    const struct cella_mail_request request = {
        .topic = topic, .padding = CELLA_MAIL_PADDING_CLASS, .repeat = repeat};
    uint8_t *mail = NULL;
    size_t size = 0;
    assert_status(cella_mail_session_seal(client->session, &request, body, &mail, &size, &error), CELLA_OK);
    struct cella_bytes copy = test_copy(CELLA_BYTES(mail, size));
    free(mail);
    return copy;
}

/* Sends and opens the reply; the body is exactly sized. */
static struct cella_bytes ask(struct client *client, const char *topic, struct cella_bytes body) {
    struct cella_error error = {.message = ""};
    struct answer answer = fixture_mail(&probe, seal(client, topic, body, false));
    struct cella_mail_letter letter = {.memory = NULL};
    if (answer.status != CELLA_OK)
        fail_msg("%s: %s", cella_status_name(answer.status), answer.message);
    assert_status(cella_mail_session_open(client->session, answer.reply, &letter, &error), CELLA_OK);
    struct cella_bytes copy = test_copy(letter.body);
    cella_mail_letter_deinit(&letter);
    return copy;
}

static void a_request_is_answered_in_its_session(void **state) {
    struct client client;
    client_start(&client);
    for (uint32_t i = 0; i < 20; i++) {
        struct cella_bytes body = test_pattern(i * 37, i);
        assert_bytes(ask(&client, "echo", body), body);
    }
    client_end(&client);
}

static void bodies_from_nothing_to_fifty_mebibytes_come_back_exactly(void **state) {
    static const size_t sizes[] = {0, 1, 32767, 32768, 65536, 1000003, 50 << 20};
    struct client client;
    client_start(&client);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *data = malloc(sizes[i] + 1);
        assert_non_null(data);
        memset(data, (int)i + 1, sizes[i]);
        struct cella_bytes reply = ask(&client, "echo", CELLA_BYTES(data, sizes[i]));
        assert_int_equal(reply.size, sizes[i]);
        assert_int_equal(memcmp(reply.data, data, sizes[i]), 0);
        free(data);
    }
    client_end(&client);
}

static void a_failing_handler_posts_nothing_and_does_not_use_up_the_sequence(void **state) {
    struct client client;
    client_start(&client);
    (void)ask(&client, "echo", CELLA_BYTES("hello", 5));
    unsigned before = probe.posts;
    struct answer answer = fixture_mail(&probe, seal(&client, "fail", CELLA_BYTES("x", 1), false));
    assert_status(answer.status, CELLA_HANDLER_FAILED);
    /* The same sequence again: it was not consumed, so the handler runs, and fails, again. */
    answer = fixture_mail(&probe, seal(&client, "fail", CELLA_BYTES("x", 1), true));
    assert_status(answer.status, CELLA_HANDLER_FAILED);
    assert_int_equal(probe.posts, before);
    assert_bytes(ask(&client, "echo", CELLA_BYTES("still", 5)), CELLA_BYTES("still", 5));
    client_end(&client);
}

static void a_post_leaves_before_the_reply_of_its_transaction(void **state) {
    struct client client;
    client_start(&client);
    unsigned before = probe.posts;
    (void)ask(&client, "post", CELLA_BYTES("news", 4));
    assert_int_equal(probe.posts, before + 1);
    client_end(&client);
}

static void the_same_mail_again_is_a_replay(void **state) {
    struct client client;
    client_start(&client);
    (void)ask(&client, "echo", CELLA_BYTES("first", 5));
    struct cella_bytes mail = seal(&client, "echo", CELLA_BYTES("second", 6), false);
    assert_status(fixture_mail(&probe, mail).status, CELLA_OK);
    assert_status(fixture_mail(&probe, mail).status, CELLA_MAIL_REPLAY);
    client_end(&client);
}

static void a_repeated_request_gets_the_stored_reply(void **state) {
    struct client client;
    struct cella_error error = {.message = ""};
    client_start(&client);
    (void)ask(&client, "echo", CELLA_BYTES("open", 4));
    unsigned before = probe.posts;
    struct answer lost = fixture_mail(&probe, seal(&client, "post", CELLA_BYTES("once", 4), false));
    assert_status(lost.status, CELLA_OK);
    struct answer again = fixture_mail(&probe, seal(&client, "post", CELLA_BYTES("once", 4), true));
    assert_status(again.status, CELLA_OK);
    struct cella_mail_letter letter = {.memory = NULL};
    assert_status(cella_mail_session_open(client.session, again.reply, &letter, &error), CELLA_OK);
    assert_bytes(letter.body, CELLA_BYTES("once", 4));
    cella_mail_letter_deinit(&letter);
    /* The handler ran once. */
    assert_int_equal(probe.posts, before + 1);
    client_end(&client);
}

static void every_changed_byte_is_refused_and_the_instance_goes_on(void **state) {
    struct client client;
    client_start(&client);
    (void)ask(&client, "echo", CELLA_BYTES("open", 4));
    struct cella_bytes mail = seal(&client, "echo", CELLA_BYTES("body", 4), false);
    for (size_t at = 0; at < mail.size; at++) {
        struct cella_bytes changed = test_copy(mail);
        ((uint8_t *)(uintptr_t)changed.data)[at] ^= 0x40;
        struct answer answer = fixture_mail(&probe, changed);
        assert_int_not_equal(answer.status, CELLA_OK);
        assert_int_not_equal(answer.status, CELLA_CLOSED);
    }
    for (size_t size = 0; size < mail.size; size++)
        assert_int_not_equal(fixture_mail(&probe, CELLA_BYTES(mail.data, size)).status, CELLA_OK);
    assert_status(fixture_mail(&probe, mail).status, CELLA_OK);
    client_end(&client);
}

enum { CLIENTS = 16, ROUNDS = 40 };

static void *correspond(void *opaque) {
    struct client client;
    client_start(&client);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct cella_bytes body = test_pattern(1024, i);
        assert_bytes(ask(&client, "echo", body), body);
    }
    client_end(&client);
    *(bool *)opaque = true;
    return NULL;
}

static void many_clients_correspond_at_once(void **state) {
    pthread_t threads[CLIENTS];
    bool done[CLIENTS] = {false};
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, correspond, &done[i]), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(done[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_in_its_session),
        cmocka_unit_test(bodies_from_nothing_to_fifty_mebibytes_come_back_exactly),
        cmocka_unit_test(a_failing_handler_posts_nothing_and_does_not_use_up_the_sequence),
        cmocka_unit_test(a_post_leaves_before_the_reply_of_its_transaction),
        cmocka_unit_test(the_same_mail_again_is_a_replay),
        cmocka_unit_test(a_repeated_request_gets_the_stored_reply),
        cmocka_unit_test(every_changed_byte_is_refused_and_the_instance_goes_on),
        cmocka_unit_test(many_clients_correspond_at_once),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
