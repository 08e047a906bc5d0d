/* Posts from a vault: kept until they are collected, sent again, taken once. */
#include "unit/client/world.h"
#include <stdio.h>
#include <string.h>

static enum cella_status ask(struct world *world, const char *topic, const char *body) {
    return world_ask(world, topic, body, NULL);
}

static void posts_that_the_host_lost_with_the_instance_come_again_in_order(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.lose_posts = 3;
    world_post(world, "first");
    world_post(world, "second");
    world_post(world, "third");
    world_expect_post(world, NULL);
    world_restart(world);
    world_crash_client(world);
    world_expect_post(world, "first");
    world_expect_post(world, "second");
    world_expect_post(world, "third");
    world_expect_post(world, NULL);
}

static void very_many_posts_come_again_in_parts(void **state) {
    struct world *world = *state;
    char body[16];
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.lose_posts = 150;
    for (int i = 0; i < 150; i++) {
        snprintf(body, sizeof body, "post %d", i);
        world_post(world, body);
    }
    world_restart(world);
    world_crash_client(world);
    for (int i = 0; i < 150; i++) {
        snprintf(body, sizeof body, "post %d", i);
        world_expect_post(world, body);
    }
    world_expect_post(world, NULL);
}

/* Between its hello and its first request a client that begins anew is still the former one to the enclave.
 */
static void posts_to_a_former_life_never_count_in_the_new_one(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    for (unsigned i = 0; i < 2; i++) {
        world->script.say = CELLA_MAIL_UNKNOWN_HISTORY;
        assert_status(ask(world, "a", "two"), CELLA_MAIL_UNKNOWN_HISTORY);
        if (i == 1)
            world_expect_post(world, NULL);
        assert_status(cella_client_say_hello(world->client, NULL), CELLA_OK);
        world_post(world, "former");
        if (i == 0)
            world_expect_post(world, NULL);
        assert_status(ask(world, "a", "two"), CELLA_OK);
        world_post(world, "new");
        world_expect_post(world, "new");
        world_post(world, "newer");
        world_expect_post(world, "newer");
        world_expect_post(world, NULL);
    }
}

static void a_poll_that_stays_empty_finds_a_new_instance(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.lose_posts = 1;
    world_post(world, "first");
    world_restart(world);
    world_expect_post(world, NULL);
    unsigned attestations = world->attestations;
    world_expect_post(world, NULL);
    assert_int_equal(world->attestations, attestations);
    world->now += 60;
    world_expect_post(world, "first");
    world_expect_post(world, NULL);
}

static void posts_that_come_twice_are_taken_once(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    world_post(world, "first");
    world_post(world, "second");
    world_expect_post(world, "first");
    for (int i = 0; i < 3; i++) {
        /* Each new instance sends again what was not collected, behind what the host still has. */
        world_restart(world);
        assert_status(ask(world, "a", "more"), CELLA_OK);
    }
    world_expect_post(world, "second");
    world_expect_post(world, NULL);
    world_post(world, "third");
    world_expect_post(world, "third");
    world_expect_post(world, NULL);
}

static void a_post_of_an_instance_that_was_not_met_is_taken_after_a_hello(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_restart(world);
    world_post(world, "from the new one");
    world_expect_post(world, "from the new one");
    world_expect_post(world, NULL);
    assert_int_equal(world->hellos, 1);
}

static void posts_of_instances_that_were_never_met_raise_no_alarm(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    for (int i = 0; i < 5; i++) {
        char body[] = {(char)('A' + i), '\0'};
        world_post(world, body);
        world_restart(world);
    }
    for (int i = 0; i < 5; i++) {
        char body[] = {(char)('A' + i), '\0'};
        world_expect_post(world, body);
    }
    world_expect_post(world, NULL);
}

/* What came from an instance before is tied to the history by the next answer, and only then forgotten. */
static void a_late_post_of_an_instance_before_is_a_doubt_until_the_vault_has_settled_it(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_post(world, "late");
    world_restart(world);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    world_expect_post(world, "late");
    assert_int_equal(world->client->state.known.doubt_count, 1);
    world_crash_client(world);
    assert_int_equal(world->client->state.known.doubt_count, 1);
    assert_status(ask(world, "b", "three"), CELLA_OK);
    assert_int_equal(world->client->state.known.doubt_count, 0);
}

static void a_late_post_of_a_state_that_was_rolled_back_is_found(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    world_post(world, "lost");
    world_kill(world);
    world_disk_put(world, copy);
    world_disk_free(copy);
    world_start(world);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    for (int i = 0; i < 3; i++)
        world_other_commit(world);
    assert_status(world_query(world, "how much?", NULL), CELLA_OK);
    /* The host hands out what the vault no longer knows: the next request puts it to the vault. */
    world_expect_post(world, "lost");
    world_crash_client(world);
    assert_status(ask(world, "b", "three"), CELLA_VAULT_FORK);
    assert_int_equal(world_done(world, "three"), 0);
}

static void a_post_that_is_missing_is_asked_for_without_an_alarm(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.lose_posts = 1;
    world_post(world, "first");
    world_post(world, "second");
    world_expect_post(world, "first");
    world_expect_post(world, "second");
    world_expect_post(world, NULL);
}

static void what_the_host_still_had_does_not_count_as_missing_posts(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.lose_posts = 2;
    world_post(world, "first");
    world_post(world, "second");
    world_post(world, "third");
    world_restart(world);
    world_crash_client(world);
    world_expect_post(world, "first");
    world_expect_post(world, "second");
    world_expect_post(world, "third");
    world_expect_post(world, NULL);
}

static void a_post_that_stays_missing_is_reported_and_given_up(void **state) {
    struct world *world = *state;
    struct cella_error error = {.status = CELLA_OK};
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.hold_back = 2;
    world_post(world, "first");
    world_post(world, "held back");
    world_post(world, "third");
    world_expect_post(world, "first");
    assert_status(cella_client_poll(world->client, 0, &arrived, &mail, &error), CELLA_MAIL_POST_MISSING);
    world_expect_post(world, "third");
    world_expect_post(world, NULL);
    assert_int_equal(cella_mail_session_collected(world->client->session), 3);
    world->script.hold_back = 0;
    world_post(world, "fourth");
    world_expect_post(world, "fourth");
    world_restart(world);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    world_expect_post(world, NULL);
}

static void posts_survive_a_crash_of_the_client_before_it_polls_again(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_post(world, "first");
    world_post(world, "second");
    world_expect_post(world, "first");
    /* Nothing says yet that the caller is done with it. */
    world_crash_client(world);
    world_expect_post(world, "first");
    world_expect_post(world, "second");
    assert_status(cella_client_save(world->client, NULL), CELLA_OK);
    world_crash_client(world);
    world_expect_post(world, NULL);
}

static void arrivals_are_told_when_nothing_else_tells_them(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_post(world, "first");
    world_expect_post(world, "first");
    assert_int_equal(world->acks, 0);
    world_expect_post(world, NULL);
    assert_int_equal(world->acks, 1);
    world_expect_post(world, NULL);
    assert_int_equal(world->acks, 1);
    /* A request tells it too. */
    world_post(world, "second");
    world_expect_post(world, "second");
    assert_status(ask(world, "a", "two"), CELLA_OK);
    world_expect_post(world, NULL);
    assert_int_equal(world->acks, 1);
    assert_int_equal(world->client->state.told, 2);
}

static void many_arrivals_are_told_in_between(void **state) {
    struct world *world = *state;
    char body[16];
    assert_status(ask(world, "a", "one"), CELLA_OK);
    for (int i = 0; i < 40; i++) {
        snprintf(body, sizeof body, "post %d", i);
        world_post(world, body);
    }
    for (int i = 0; i < 40; i++) {
        snprintf(body, sizeof body, "post %d", i);
        world_expect_post(world, body);
    }
    assert_int_equal(world->acks, 2);
    world_expect_post(world, NULL);
    assert_int_equal(world->acks, 3);
}

static void a_telling_that_does_not_get_through_is_no_failure(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_post(world, "first");
    world_expect_post(world, "first");
    world->script.lose_mail = 1;
    world_expect_post(world, NULL);
    world_expect_post(world, NULL);
    assert_int_equal(world->client->state.told, 1);
}

static void a_client_without_a_session_tells_arrivals_by_a_hello(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_post(world, "first");
    world_expect_post(world, "first");
    assert_status(cella_client_save(world->client, NULL), CELLA_OK);
    world_crash_client(world);
    world_expect_post(world, NULL);
    assert_int_equal(world->hellos, 1);
    assert_int_equal(world->acks, 0);
    assert_status(cella_client_save(world->client, NULL), CELLA_OK);
    world_crash_client(world);
    world_expect_post(world, NULL);
    assert_int_equal(world->hellos, 1);
}

static void after_a_restore_posts_begin_anew(void **state) {
    struct world *world = *state;
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_post(world, "kept");
    world_expect_post(world, "kept");
    struct world_disk *copy = world_disk_copy(&world->disk);
    world_post(world, "lost");
    world_expect_post(world, "lost");
    world_kill(world);
    world_disk_put(world, copy);
    world_restore(world, copy->version + 1);
    world_start(world);
    world_crash_client(world);
    assert_status(cella_client_poll(world->client, 0, &arrived, &mail, NULL), CELLA_VAULT_RESTORED);
    world_expect_post(world, NULL);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    world_post(world, "new");
    world_post(world, "newer");
    world_expect_post(world, "new");
    world_expect_post(world, "newer");
    world_expect_post(world, NULL);
    world_disk_free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(posts_that_the_host_lost_with_the_instance_come_again_in_order),
        TEST(very_many_posts_come_again_in_parts),
        TEST(posts_to_a_former_life_never_count_in_the_new_one),
        TEST(a_poll_that_stays_empty_finds_a_new_instance),
        TEST(posts_that_come_twice_are_taken_once),
        TEST(a_post_of_an_instance_that_was_not_met_is_taken_after_a_hello),
        TEST(posts_of_instances_that_were_never_met_raise_no_alarm),
        TEST(a_late_post_of_an_instance_before_is_a_doubt_until_the_vault_has_settled_it),
        TEST(a_late_post_of_a_state_that_was_rolled_back_is_found),
        TEST(a_post_that_is_missing_is_asked_for_without_an_alarm),
        TEST(what_the_host_still_had_does_not_count_as_missing_posts),
        TEST(a_post_that_stays_missing_is_reported_and_given_up),
        TEST(posts_survive_a_crash_of_the_client_before_it_polls_again),
        TEST(arrivals_are_told_when_nothing_else_tells_them),
        TEST(many_arrivals_are_told_in_between),
        TEST(a_telling_that_does_not_get_through_is_no_failure),
        TEST(a_client_without_a_session_tells_arrivals_by_a_hello),
        TEST(after_a_restore_posts_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
