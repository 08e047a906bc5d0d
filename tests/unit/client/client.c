/* The client against a real mailbox and a real verifier, over a transport that loses, changes and repeats. */
#include "support/test.h"
#include "support/fake_instance.h"
#include "base/file.h"
#include "client/client_internal.h"
#include "host/host_internal.h"
#include "machine/sim/manage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CODE_11    "C:1111111111111111111111111111111111111111111111111111111111111111"
#define CONSTRAINT CODE_11 " SEC:INSECURE"

struct bench {
    struct test_folder *folder;
    char machine[128];
    char state_path[128];
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    struct cella_client *client;
    struct cella_client_transport host_transport;
    struct cella_client_transport transport;
    /* What the transport does to the next exchanges. */
    unsigned lose_mail;    /* mails that do not arrive */
    unsigned lose_replies; /* replies that do not come back */
    unsigned change_replies;
    enum cella_status lie; /* said once instead of delivering what came */
    unsigned mails, attestations, pauses;
    bool restart_on_pause;
    int64_t now;
};

static struct bench bench;

static enum cella_status carry_attestation(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                           uint8_t **ret_data, size_t *ret_size, struct cella_error *error) {
    bench.attestations++;
    return bench.host_transport.attestation(bench.host_transport.context, nonce, ret_data, ret_size, error);
}

static enum cella_status carry_mail(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                                    struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                                    struct cella_error *error) {
    bench.mails++;
    if (bench.lose_mail > 0) {
        bench.lose_mail--;
        return CELLA_UNAVAILABLE;
    }
    enum cella_status status = bench.host_transport.mail(bench.host_transport.context, route, mail, ret_reply,
                                                         ret_reply_size, error);
    if (status != CELLA_OK)
        return status;
    if (bench.lose_replies > 0 || bench.lie != CELLA_OK) {
        status = bench.lose_replies > 0 ? CELLA_UNAVAILABLE : bench.lie;
        bench.lose_replies -= bench.lose_replies > 0 ? 1 : 0;
        bench.lie = status == CELLA_UNAVAILABLE ? bench.lie : CELLA_OK;
        free(*ret_reply);
        *ret_reply = NULL;
        return status;
    }
    if (bench.change_replies > 0) {
        bench.change_replies--;
        (*ret_reply)[*ret_reply_size / 2] ^= 1;
    }
    return CELLA_OK;
}

static enum cella_status carry_poll(void *context, const struct cella_client_poll_request *request,
                                    uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error) {
    return bench.host_transport.poll(bench.host_transport.context, request, ret_mail, ret_mail_size, error);
}

static void restart_instance(void) {
    struct cella_error error = {.status = CELLA_OK};
    assert_status(cella_host_stop(bench.enclave, 0), CELLA_OK);
    assert_status(cella_host_start(bench.host, "mail", "mail", bench.machine, NULL, &error), CELLA_OK);
}

static int64_t fake_now(void *context) {
    return bench.now;
}

static void fake_pause(void *context, unsigned ms) {
    bench.pauses++;
    if (bench.restart_on_pause) {
        bench.restart_on_pause = false;
        restart_instance();
    }
}

static struct cella_client_options options_for(const char *state_path, const char *constraint) {
    return (struct cella_client_options){.state_path = state_path,
                                         .url = "http://x",
                                         .enclave = "mail",
                                         .constraint = constraint,
                                         .transport = &bench.transport,
                                         .now = fake_now,
                                         .pause = fake_pause};
}

static int set_up(void **state) {
    if (test_folder_setup(state) != 0)
        return -1;
    struct cella_error error = {.status = CELLA_OK};
    bench = (struct bench){.folder = *state, .now = (int64_t)time(NULL) + 1};
    snprintf(bench.machine, sizeof bench.machine, "%s/machine", bench.folder->path);
    snprintf(bench.state_path, sizeof bench.state_path, "%s/client", bench.folder->path);
    struct cella_sim_create_options create = {.folder = bench.machine,
                                              .platform_version = CELLA_SIM_VERSION_NEW};
    cella_fake_set_code(0x11);
    assert_status(cella_sim_create(&create, &error), CELLA_OK);
    assert_status(cella_host_new(NULL, &bench.host, &error), CELLA_OK);
    assert_status(cella_host_start(bench.host, "mail", "mail", bench.machine, &bench.enclave, &error),
                  CELLA_OK);
    bench.host_transport = cella_client_transport_host(bench.enclave);
    bench.transport = (struct cella_client_transport){
        .attestation = carry_attestation, .mail = carry_mail, .poll = carry_poll};
    struct cella_client_options options = options_for(bench.state_path, CONSTRAINT);
    assert_status(cella_client_new(&options, &bench.client, &error), CELLA_OK);
    return 0;
}

static int tear_down(void **state) {
    cella_client_free(bench.client);
    cella_host_free(bench.host);
    return test_folder_teardown(state);
}

static void reopen(void) {
    struct cella_error error = {.status = CELLA_OK};
    struct cella_client_options options = options_for(bench.state_path, NULL);
    cella_client_free(bench.client);
    bench.client = NULL;
    assert_status(cella_client_open(&options, &bench.client, &error), CELLA_OK);
}

static enum cella_status ask(const char *topic, const char *body, struct cella_error *error) {
    bool replied = false;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request request = {.topic = topic, .body = CELLA_BYTES(body, strlen(body))};
    enum cella_status status = cella_client_request(bench.client, &request, &replied, &reply, error);
    if (status == CELLA_OK && replied) {
        assert_bytes(CELLA_BYTES(reply.body, reply.body_size), request.body);
        assert_string_equal(reply.topic, topic);
    }
    cella_client_mail_deinit(&reply);
    return status;
}

static void a_request_attests_and_gets_its_reply(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    assert_status(ask("a", "two", NULL), CELLA_OK);
    assert_status(ask("b", "three", NULL), CELLA_OK);
    assert_int_equal(bench.attestations, 1);
    assert_int_equal(bench.mails, 3);
}

static void nothing_is_sent_to_an_instance_that_the_constraint_refuses(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    struct cella_client *other = NULL;
    struct cella_client_options options = options_for(NULL, CODE_11 " SEC:SECURE");
    assert_status(cella_client_new(&options, &other, &error), CELLA_OK);
    struct cella_client_request request = {.body = CELLA_BYTES("x", 1)};
    assert_status(cella_client_request(other, &request, NULL, NULL, &error), CELLA_REFUSED_LEVEL);
    assert_non_null(strstr(error.message, "SEC"));
    assert_int_equal(bench.mails, 0);
    cella_client_free(other);
}

static void a_client_without_constraint_speaks_to_nobody(void **state) {
    struct cella_client *other = NULL;
    struct cella_client_options options = options_for(NULL, NULL);
    assert_status(cella_client_new(&options, &other, NULL), CELLA_OK);
    struct cella_client_request request = {.body = CELLA_BYTES("x", 1)};
    assert_status(cella_client_request(other, &request, NULL, NULL, NULL), CELLA_CONSTRAINT_INCOMPLETE);
    assert_int_equal(bench.attestations, 0);
    cella_client_free(other);
}

static void a_restart_is_attested_and_the_client_goes_on(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    restart_instance();
    assert_status(ask("a", "two", NULL), CELLA_OK);
    assert_status(ask("a", "three", NULL), CELLA_OK);
    assert_int_equal(bench.attestations, 2);
}

static void after_a_restart_with_other_code_the_broken_rule_is_named(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    assert_status(ask("a", "one", NULL), CELLA_OK);
    cella_fake_set_code(0x44);
    restart_instance();
    unsigned handled = cella_fake_handled();
    assert_status(ask("a", "two", &error), CELLA_REFUSED_CODE);
    assert_non_null(strstr(error.message, "C refuses"));
    assert_int_equal(cella_fake_handled(), handled);
    /* And goes on when the right code is back. */
    cella_fake_set_code(0x11);
    restart_instance();
    assert_status(ask("a", "two", NULL), CELLA_OK);
}

static void a_lost_reply_is_asked_for_again_and_nothing_is_done_twice(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    unsigned handled = cella_fake_handled();
    bench.lose_replies = 2;
    assert_status(ask("a", "two", NULL), CELLA_OK);
    assert_int_equal(cella_fake_handled(), handled + 1);
    assert_int_equal(bench.pauses, 2);
}

static void the_first_reply_may_be_lost_too(void **state) {
    unsigned handled = cella_fake_handled();
    bench.lose_replies = 1;
    assert_status(ask("a", "one", NULL), CELLA_OK);
    assert_int_equal(cella_fake_handled(), handled + 1);
}

static void lost_mail_is_sent_again(void **state) {
    bench.lose_mail = 3;
    assert_status(ask("a", "one", NULL), CELLA_OK);
}

static void after_all_attempts_the_same_request_may_be_repeated_and_another_not(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    unsigned handled = cella_fake_handled();
    bench.lose_replies = 5;
    assert_status(ask("a", "one", &error), CELLA_UNAVAILABLE);
    assert_status(ask("a", "other", &error), CELLA_CLIENT_PENDING);
    assert_status(ask("b", "free", &error), CELLA_OK);
    reopen();
    assert_status(ask("a", "other", &error), CELLA_CLIENT_PENDING);
    assert_status(ask("a", "one", &error), CELLA_OK);
    assert_int_equal(cella_fake_handled(), handled + 2);
    assert_status(ask("a", "other", &error), CELLA_OK);
}

static void a_request_that_was_given_up_makes_room_whether_it_was_done_or_not(void **state) {
    for (int done = 0; done < 2; done++) {
        bench.lose_replies = done ? 5 : 0;
        bench.lose_mail = done ? 0 : 5;
        assert_status(ask("a", "one", NULL), CELLA_UNAVAILABLE);
        assert_status(cella_client_give_up(bench.client, "a", NULL), CELLA_OK);
        assert_status(ask("a", "other", NULL), CELLA_OK);
        assert_status(ask("a", "next", NULL), CELLA_OK);
        assert_status(cella_client_give_up(bench.client, "a", NULL), CELLA_NOT_FOUND);
    }
}

static void a_refused_request_leaves_its_name_to_the_next(void **state) {
    assert_status(ask("refuse", "one", NULL), CELLA_HANDLER_FAILED);
    assert_status(ask("refuse", "two", NULL), CELLA_HANDLER_FAILED);
    reopen();
    assert_status(ask("refuse", "three", NULL), CELLA_HANDLER_FAILED);
    assert_status(ask("a", "one", NULL), CELLA_OK);
}

static void a_host_that_lies_about_a_refusal_is_found_out(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    assert_status(ask("a", "one", NULL), CELLA_OK);
    bench.lie = CELLA_HANDLER_FAILED;
    assert_status(ask("a", "two", &error), CELLA_HANDLER_FAILED);
    assert_status(ask("a", "three", &error), CELLA_MAIL_NAME_USED);
    assert_non_null(strstr(error.message, "restored or copied"));
    assert_non_null(strstr(error.message, "the host lied"));
    assert_status(ask("a", "three", &error), CELLA_OK);
}

static void an_instance_that_ends_under_a_request_leaves_an_unknown_outcome_once(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    bench.lose_replies = 1;
    bench.restart_on_pause = true;
    assert_status(ask("a", "two", NULL), CELLA_CLIENT_UNKNOWN_OUTCOME);
    assert_status(ask("a", "two", NULL), CELLA_OK);
}

static void an_instance_that_is_down_is_waited_for(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    assert_status(cella_host_stop(bench.enclave, 0), CELLA_OK);
    bench.restart_on_pause = true;
    assert_status(ask("a", "two", NULL), CELLA_OK);
}

static void a_request_that_was_refused_very_often_goes_on_in_a_session(void **state) {
    for (int i = 0; i < 12; i++) {
        /* A new process has no session, so that each attempt opens one. */
        reopen();
        assert_status(ask("refuse", "again", NULL), CELLA_HANDLER_FAILED);
    }
}

static void one_shot_mail_that_was_refused_very_often_is_to_go_in_a_session(void **state) {
    struct cella_client_request request = {.topic = "refuse", .body = CELLA_BYTES("again", 5)};
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status = CELLA_HANDLER_FAILED;
    for (int i = 0; i < 9; i++) {
        assert_status(status, CELLA_HANDLER_FAILED);
        status = cella_client_send(bench.client, CELLA_CLIENT_KEY_SESSION, &request, NULL, NULL, &error);
    }
    assert_status(status, CELLA_MAIL_ATTEMPTS_USED);
    assert_status(ask("refuse", "again", NULL), CELLA_HANDLER_FAILED);
}

static void a_changed_reply_is_refused_and_can_be_asked_for_again(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    bench.change_replies = 1;
    assert_int_not_equal(ask("a", "two", NULL), CELLA_OK);
    unsigned handled = cella_fake_handled();
    assert_status(ask("a", "two", NULL), CELLA_OK);
    assert_int_equal(cella_fake_handled(), handled);
}

static void no_reply_is_told_from_a_lost_one(void **state) {
    bool replied = true;
    struct cella_client_request request = {.topic = "quiet", .body = CELLA_BYTES("x", 1)};
    assert_status(cella_client_request(bench.client, &request, &replied, NULL, NULL), CELLA_OK);
    assert_false(replied);
}

static void one_shot_mail_is_answered(void **state) {
    bool replied = false;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request request = {.topic = "shot", .body = CELLA_BYTES("bang", 4)};
    for (int i = 0; i < 2; i++) {
        assert_status(
            cella_client_send(bench.client, CELLA_CLIENT_KEY_SESSION, &request, &replied, &reply, NULL),
            CELLA_OK);
        assert_true(replied);
        assert_memory_equal(reply.body, "bang", 4);
        cella_client_mail_deinit(&reply);
    }
    assert_status(cella_client_send(bench.client, CELLA_CLIENT_KEY_MAILBOX, &request, &replied, &reply, NULL),
                  CELLA_NOT_FOUND);
    assert_status(ask("shot", "session", NULL), CELLA_OK);
}

static void an_empty_first_message_comes_before_the_request_if_asked_for(void **state) {
    struct cella_client *careful = NULL;
    struct cella_client_options options = options_for(NULL, CONSTRAINT);
    options.empty_first_message = true;
    assert_status(cella_client_new(&options, &careful, NULL), CELLA_OK);
    struct cella_client_request request = {.body = CELLA_BYTES("x", 1)};
    assert_status(cella_client_request(careful, &request, NULL, NULL, NULL), CELLA_OK);
    assert_int_equal(bench.mails, 2);
    assert_status(cella_client_request(careful, &request, NULL, NULL, NULL), CELLA_OK);
    assert_int_equal(bench.mails, 3);
    cella_client_free(careful);
}

static void posts_come_in_order_and_once(void **state) {
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    assert_status(cella_client_poll(bench.client, 0, &arrived, &mail, NULL), CELLA_OK);
    assert_false(arrived);
    assert_status(ask("post", "first", NULL), CELLA_OK);
    assert_status(ask("post", "second", NULL), CELLA_OK);
    static const char *const expected[] = {"first", "second"};
    for (int i = 0; i < 2; i++) {
        assert_status(cella_client_poll(bench.client, 0, &arrived, &mail, NULL), CELLA_OK);
        assert_true(arrived);
        assert_string_equal(mail.topic, "posts");
        assert_int_equal(mail.sequence, i);
        assert_string_equal((const char *)mail.body, expected[i]);
        cella_client_mail_deinit(&mail);
        if (i == 0)
            reopen();
    }
    assert_status(cella_client_poll(bench.client, 0, &arrived, &mail, NULL), CELLA_OK);
    assert_false(arrived);
}

static void a_foreign_post_is_reported_once_and_passed_over(void **state) {
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    assert_status(ask("a", "one", NULL), CELLA_OK);
    cella_fake_post(cella_fake_newest(), bench.client->state.route, test_pattern(300, 4));
    assert_status(ask("post", "real", NULL), CELLA_OK);
    assert_int_not_equal(cella_client_poll(bench.client, 0, &arrived, &mail, NULL), CELLA_OK);
    assert_status(cella_client_poll(bench.client, 0, &arrived, &mail, NULL), CELLA_OK);
    assert_true(arrived);
    assert_string_equal((const char *)mail.body, "real");
    cella_client_mail_deinit(&mail);
}

static void state_survives_and_the_key_stays(void **state) {
    uint8_t before[CELLA_CLIENT_KEY_SIZE], after[CELLA_CLIENT_KEY_SIZE];
    cella_client_public_key(bench.client, before);
    assert_status(ask("a", "one", NULL), CELLA_OK);
    reopen();
    cella_client_public_key(bench.client, after);
    assert_memory_equal(before, after, sizeof before);
    assert_status(ask("a", "two", NULL), CELLA_OK);
    restart_instance();
    reopen();
    assert_status(ask("a", "three", NULL), CELLA_OK);
}

static void a_state_that_exists_is_never_overwritten(void **state) {
    struct cella_client *second = NULL;
    struct cella_client_options options = options_for(bench.state_path, CONSTRAINT);
    assert_status(cella_client_new(&options, &second, NULL), CELLA_CLIENT_BUSY);
    cella_client_free(bench.client);
    bench.client = NULL;
    assert_status(cella_client_new(&options, &second, NULL), CELLA_EXISTS);
    reopen();
}

static void a_setting_is_kept_once_an_instance_passed_under_it(void **state) {
    const char *const wrong =
        "C:2222222222222222222222222222222222222222222222222222222222222222 SEC:INSECURE";
    const char *const better =
        CODE_11 " C:2222222222222222222222222222222222222222222222222222222222222222 SEC:INSECURE";
    struct cella_client_options options = options_for(bench.state_path, wrong);
    assert_status(ask("a", "one", NULL), CELLA_OK);
    cella_client_free(bench.client);
    assert_status(cella_client_open(&options, &bench.client, NULL), CELLA_OK);
    assert_status(ask("a", "two", NULL), CELLA_REFUSED_CODE);
    assert_string_equal(bench.client->state.constraint, wrong);
    reopen();
    assert_string_equal(bench.client->state.constraint, CONSTRAINT);
    assert_status(ask("a", "three", NULL), CELLA_OK);
    cella_client_free(bench.client);
    options.constraint = better;
    assert_status(cella_client_open(&options, &bench.client, NULL), CELLA_OK);
    assert_status(cella_client_attest(bench.client, NULL, NULL), CELLA_OK);
    reopen();
    assert_string_equal(bench.client->state.constraint, better);
}

static void a_client_that_only_looks_attests_and_says_nothing(void **state) {
    struct cella_client *looker = NULL;
    bool arrived = false;
    struct cella_client_mail mail = {.topic = NULL};
    struct cella_client_options options = options_for(bench.state_path, NULL);
    options.look_only = true;
    assert_status(cella_client_open(&options, &looker, NULL), CELLA_OK);
    assert_status(cella_client_attest(looker, NULL, NULL), CELLA_OK);
    struct cella_client_request request = {.topic = "a"};
    assert_status(cella_client_request(looker, &request, NULL, &mail, NULL), CELLA_ARGUMENT);
    assert_status(cella_client_poll(looker, 0, &arrived, &mail, NULL), CELLA_ARGUMENT);
    assert_status(cella_client_give_up(looker, "a", NULL), CELLA_ARGUMENT);
    cella_client_free(looker);
    assert_int_equal(bench.mails, 0);
    reopen();
    assert_false(bench.client->state.pinned);
}

static void a_state_that_is_missing_is_not_made_by_open(void **state) {
    struct cella_client *second = NULL;
    char path[160];
    snprintf(path, sizeof path, "%s/none", bench.folder->path);
    struct cella_client_options options = options_for(path, CONSTRAINT);
    assert_status(cella_client_open(&options, &second, NULL), CELLA_NOT_FOUND);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_state_that_others_can_read_is_refused(void **state) {
    struct cella_client *second = NULL;
    struct cella_client_options options = options_for(bench.state_path, NULL);
    struct stat info;
    assert_int_equal(stat(bench.state_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    cella_client_free(bench.client);
    bench.client = NULL;
    chmod(bench.state_path, 0640);
    assert_status(cella_client_open(&options, &second, NULL), CELLA_PERMISSION);
    chmod(bench.state_path, 0600);
    assert_status(cella_client_open(&options, &bench.client, NULL), CELLA_OK);
}

static void a_damaged_state_is_refused_and_kept(void **state) {
    uint8_t *data = NULL, *kept = NULL;
    size_t size = 0, kept_size = 0;
    struct cella_client *second = NULL;
    struct cella_client_options options = options_for(bench.state_path, CONSTRAINT);
    assert_status(ask("a", "one", NULL), CELLA_OK);
    cella_client_free(bench.client);
    bench.client = NULL;
    assert_status(cella_file_read(bench.state_path, 1 << 20, &data, &size, NULL), CELLA_OK);
    data[size / 2] ^= 1;
    assert_status(cella_file_write(bench.state_path, CELLA_BYTES(data, size), CELLA_FILE_PRIVATE, NULL),
                  CELLA_OK);
    assert_status(cella_client_open(&options, &second, NULL), CELLA_CLIENT_STATE);
    assert_status(cella_file_read(bench.state_path, 1 << 20, &kept, &kept_size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(kept, kept_size), CELLA_BYTES(data, size));
    free(data);
    free(kept);
}

static void a_request_is_on_disk_before_it_leaves(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    struct stat folder;
    char away[160];
    snprintf(away, sizeof away, "%s/away", bench.folder->path);
    /* A state that cannot be written keeps the request here. */
    assert_int_equal(rename(bench.state_path, away), 0);
    assert_int_equal(mkdir(bench.state_path, 0700), 0);
    unsigned mails = bench.mails;
    assert_int_not_equal(ask("a", "two", NULL), CELLA_OK);
    assert_int_equal(bench.mails, mails);
    assert_int_equal(rmdir(bench.state_path), 0);
    assert_int_equal(rename(away, bench.state_path), 0);
    assert_status(ask("a", "two", NULL), CELLA_OK);
    assert_int_equal(stat(bench.state_path, &folder), 0);
}

static void another_vault_is_refused(void **state) {
    struct cella_error error = {.status = CELLA_OK};
    assert_status(ask("a", "one", NULL), CELLA_OK);
    bench.client->state.vault_id[0] ^= 1;
    assert_status(cella_client_attest(bench.client, NULL, &error), CELLA_CLIENT_OTHER_VAULT);
    assert_status(ask("a", "two", &error), CELLA_CLIENT_OTHER_VAULT);
}

static void a_client_that_runs_for_days_attests_again(void **state) {
    assert_status(ask("a", "one", NULL), CELLA_OK);
    bench.now += CELLA_CLIENT_ATTESTATION_AGE_S - 1;
    assert_status(ask("a", "two", NULL), CELLA_OK);
    assert_int_equal(bench.attestations, 1);
    bench.now += 1;
    assert_status(ask("a", "three", NULL), CELLA_OK);
    assert_int_equal(bench.attestations, 2);
}

static void topics_are_checked_before_anything_is_sent(void **state) {
    static char large[258];
    memset(large, 'a', 256);
    static const char *const wrong[] = {"", "a b", "ä", "a/b", large};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_status(ask(wrong[i], "x", NULL), CELLA_MAIL_TOPIC);
    assert_int_equal(bench.attestations, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_attests_and_gets_its_reply),
        TEST(nothing_is_sent_to_an_instance_that_the_constraint_refuses),
        TEST(a_client_without_constraint_speaks_to_nobody),
        TEST(a_restart_is_attested_and_the_client_goes_on),
        TEST(after_a_restart_with_other_code_the_broken_rule_is_named),
        TEST(a_lost_reply_is_asked_for_again_and_nothing_is_done_twice),
        TEST(the_first_reply_may_be_lost_too),
        TEST(lost_mail_is_sent_again),
        TEST(after_all_attempts_the_same_request_may_be_repeated_and_another_not),
        TEST(a_request_that_was_given_up_makes_room_whether_it_was_done_or_not),
        TEST(a_refused_request_leaves_its_name_to_the_next),
        TEST(a_host_that_lies_about_a_refusal_is_found_out),
        TEST(an_instance_that_ends_under_a_request_leaves_an_unknown_outcome_once),
        TEST(an_instance_that_is_down_is_waited_for),
        TEST(a_request_that_was_refused_very_often_goes_on_in_a_session),
        TEST(one_shot_mail_that_was_refused_very_often_is_to_go_in_a_session),
        TEST(a_changed_reply_is_refused_and_can_be_asked_for_again),
        TEST(no_reply_is_told_from_a_lost_one),
        TEST(one_shot_mail_is_answered),
        TEST(an_empty_first_message_comes_before_the_request_if_asked_for),
        TEST(posts_come_in_order_and_once),
        TEST(a_foreign_post_is_reported_once_and_passed_over),
        TEST(state_survives_and_the_key_stays),
        TEST(a_state_that_exists_is_never_overwritten),
        TEST(a_setting_is_kept_once_an_instance_passed_under_it),
        TEST(a_client_that_only_looks_attests_and_says_nothing),
        TEST(a_state_that_is_missing_is_not_made_by_open),
        TEST(a_state_that_others_can_read_is_refused),
        TEST(a_damaged_state_is_refused_and_kept),
        TEST(a_request_is_on_disk_before_it_leaves),
        TEST(another_vault_is_refused),
        TEST(a_client_that_runs_for_days_attests_again),
        TEST(topics_are_checked_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
