/* The queues of posts: order, confirmation, waiting, limits. */
#include "support/test.h"
#include "host/posts.h"
#include <stdlib.h>
#include <string.h>

struct seen {
    unsigned count;
    enum cella_status status;
    uint8_t data[64];
    size_t size;
};

static void on_done(void *context, enum cella_status status, const char *message, struct cella_bytes reply) {
    struct seen *seen = context;
    seen->count++;
    seen->status = status;
    seen->size = reply.size;
    if (reply.size > 0)
        memcpy(seen->data, reply.data, reply.size < 64 ? reply.size : 64);
}

static const uint8_t route_a[CELLA_HOST_ROUTE_SIZE] = {1};
static const uint8_t route_b[CELLA_HOST_ROUTE_SIZE] = {2};
static const struct cella_post_limits roomy = {
    .route_count = 4, .route_mails = 4, .route_bytes = 100, .total_bytes = 200, .polls = 2};

static int set_up(void **state) {
    struct cella_posts *posts = malloc(sizeof *posts);
    cella_posts_init(posts, &roomy);
    *state = posts;
    return 0;
}

static int tear_down(void **state) {
    struct cella_posts *posts = *state;
    cella_posts_close(posts);
    cella_posts_deinit(posts);
    free(posts);
    return 0;
}

static struct cella_bytes text(const char *word) {
    return CELLA_BYTES(word, strlen(word));
}

static struct seen poll_now(struct cella_posts *posts, const uint8_t *route, const uint8_t *have) {
    struct seen seen = {.count = 0};
    struct cella_post_poll poll = {.route = route, .have = have, .done = on_done, .context = &seen};
    assert_false(cella_posts_poll(posts, &poll));
    assert_int_equal(seen.count, 1);
    return seen;
}

static void a_post_stays_until_the_next_poll_confirms_it(void **state) {
    struct cella_posts *posts = *state;
    uint8_t have[CELLA_HOST_HAVE_SIZE];
    assert_int_equal(cella_posts_add(posts, route_a, text("one")), 0);
    assert_int_equal(cella_posts_add(posts, route_a, text("two")), 0);
    struct seen seen = poll_now(posts, route_a, NULL);
    assert_memory_equal(seen.data, "one", 3);
    seen = poll_now(posts, route_a, NULL);
    assert_memory_equal(seen.data, "one", 3);
    cella_host_have(text("one"), have);
    seen = poll_now(posts, route_a, have);
    assert_memory_equal(seen.data, "two", 3);
    /* An old confirmation confirms nothing else. */
    seen = poll_now(posts, route_a, have);
    assert_memory_equal(seen.data, "two", 3);
    cella_host_have(text("two"), have);
    assert_status(poll_now(posts, route_a, have).status, CELLA_UNAVAILABLE);
    struct cella_post_counts counts = cella_posts_counts(posts);
    assert_int_equal(counts.delivered, 2);
    assert_int_equal(counts.routes, 0);
    assert_int_equal(counts.bytes, 0);
}

static void routes_do_not_see_each_other(void **state) {
    struct cella_posts *posts = *state;
    cella_posts_add(posts, route_a, text("mine"));
    assert_status(poll_now(posts, route_b, NULL).status, CELLA_UNAVAILABLE);
    assert_status(poll_now(posts, route_a, NULL).status, CELLA_OK);
}

static void a_waiting_poll_gets_the_next_post(void **state) {
    struct cella_posts *posts = *state;
    static struct seen seen;
    seen.count = 0;
    assert_true(cella_posts_poll(
        posts,
        &(struct cella_post_poll){.route = route_a, .deadline_ms = 1000, .done = on_done, .context = &seen}));
    assert_int_equal(cella_posts_counts(posts).polls, 1);
    assert_int_equal(cella_posts_expire(posts, 999), 1000);
    assert_int_equal(seen.count, 0);
    cella_posts_add(posts, route_a, text("now"));
    assert_int_equal(seen.count, 1);
    assert_status(seen.status, CELLA_OK);
    assert_memory_equal(seen.data, "now", 3);
    assert_int_equal(cella_posts_counts(posts).polls, 0);
}

static void a_waiting_poll_ends_at_its_deadline(void **state) {
    struct cella_posts *posts = *state;
    static struct seen seen;
    cella_posts_poll(posts, &(struct cella_post_poll){
                                .route = route_a, .deadline_ms = 1000, .done = on_done, .context = &seen});
    assert_true(cella_posts_expire(posts, 1000) == INT64_MAX);
    assert_int_equal(seen.count, 1);
    assert_status(seen.status, CELLA_UNAVAILABLE);
    assert_int_equal(cella_posts_counts(posts).routes, 0);
}

static void a_newer_poll_of_a_route_ends_the_older(void **state) {
    struct cella_posts *posts = *state;
    static struct seen first, second;
    cella_posts_poll(posts, &(struct cella_post_poll){
                                .route = route_a, .deadline_ms = 1000, .done = on_done, .context = &first});
    assert_true(cella_posts_poll(
        posts, &(struct cella_post_poll){
                   .route = route_a, .deadline_ms = 2000, .done = on_done, .context = &second}));
    assert_int_equal(first.count, 1);
    assert_status(first.status, CELLA_UNAVAILABLE);
    assert_int_equal(second.count, 0);
    assert_int_equal(cella_posts_expire(posts, 1500), 2000);
}

static void polls_beyond_the_limit_are_refused(void **state) {
    struct cella_posts *posts = *state;
    static struct seen seen[3];
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t route[CELLA_HOST_ROUTE_SIZE] = {i};
        cella_posts_poll(posts,
                         &(struct cella_post_poll){
                             .route = route, .deadline_ms = 1000, .done = on_done, .context = &seen[i]});
    }
    assert_int_equal(seen[0].count + seen[1].count, 0);
    assert_int_equal(seen[2].count, 1);
    assert_status(seen[2].status, CELLA_LIMIT);
}

static void a_full_route_drops_the_newest_and_counts_it(void **state) {
    struct cella_posts *posts = *state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(cella_posts_add(posts, route_a, text("12345")), 0);
    assert_int_equal(cella_posts_add(posts, route_a, text("newest")), 1);
    assert_int_equal(cella_posts_counts(posts).dropped, 1);
    assert_int_equal(cella_posts_counts(posts).mails, 4);
}

static void a_route_has_a_limit_of_bytes(void **state) {
    struct cella_posts *posts = *state;
    uint8_t large[101] = {0};
    assert_int_equal(cella_posts_add(posts, route_a, CELLA_BYTES(large, 100)), 0);
    assert_int_equal(cella_posts_add(posts, route_a, CELLA_BYTES(large, 1)), 1);
    assert_int_equal(cella_posts_add(posts, route_b, CELLA_BYTES(large, 101)), 1);
    assert_int_equal(cella_posts_counts(posts).routes, 1);
}

static void a_full_queue_gives_up_the_route_that_was_used_least_recently(void **state) {
    struct cella_posts *posts = *state;
    uint8_t large[100] = {0};
    uint8_t route_c[CELLA_HOST_ROUTE_SIZE] = {3};
    cella_posts_add(posts, route_a, CELLA_BYTES(large, 100));
    cella_posts_add(posts, route_b, CELLA_BYTES(large, 100));
    poll_now(posts, route_a, NULL);
    assert_int_equal(cella_posts_add(posts, route_c, CELLA_BYTES(large, 50)), 1);
    assert_status(poll_now(posts, route_a, NULL).status, CELLA_OK);
    assert_status(poll_now(posts, route_b, NULL).status, CELLA_UNAVAILABLE);
    assert_status(poll_now(posts, route_c, NULL).status, CELLA_OK);
    assert_int_equal(cella_posts_counts(posts).bytes, 150);
}

static void routes_beyond_the_limit_give_up_the_oldest(void **state) {
    struct cella_posts *posts = *state;
    for (uint8_t i = 1; i <= 5; i++) {
        uint8_t route[CELLA_HOST_ROUTE_SIZE] = {i};
        assert_int_equal(cella_posts_add(posts, route, text("x")), i == 5 ? 1 : 0);
    }
    assert_int_equal(cella_posts_counts(posts).routes, 4);
    assert_status(poll_now(posts, route_a, NULL).status, CELLA_UNAVAILABLE);
}

static void a_closed_queue_ends_every_poll_and_takes_no_post(void **state) {
    struct cella_posts *posts = *state;
    static struct seen seen;
    cella_posts_poll(posts, &(struct cella_post_poll){
                                .route = route_a, .deadline_ms = 1000, .done = on_done, .context = &seen});
    cella_posts_close(posts);
    assert_status(seen.status, CELLA_CLOSED);
    assert_status(poll_now(posts, route_a, NULL).status, CELLA_CLOSED);
    assert_int_equal(cella_posts_add(posts, route_a, text("late")), 1);
}

static void an_empty_post_is_a_post(void **state) {
    struct cella_posts *posts = *state;
    uint8_t have[CELLA_HOST_HAVE_SIZE];
    cella_posts_add(posts, route_a, CELLA_BYTES(NULL, 0));
    assert_status(poll_now(posts, route_a, NULL).status, CELLA_OK);
    cella_host_have(CELLA_BYTES(NULL, 0), have);
    assert_status(poll_now(posts, route_a, have).status, CELLA_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_post_stays_until_the_next_poll_confirms_it),
        TEST(routes_do_not_see_each_other),
        TEST(a_waiting_poll_gets_the_next_post),
        TEST(a_waiting_poll_ends_at_its_deadline),
        TEST(a_newer_poll_of_a_route_ends_the_older),
        TEST(polls_beyond_the_limit_are_refused),
        TEST(a_full_route_drops_the_newest_and_counts_it),
        TEST(a_route_has_a_limit_of_bytes),
        TEST(a_full_queue_gives_up_the_route_that_was_used_least_recently),
        TEST(routes_beyond_the_limit_give_up_the_oldest),
        TEST(a_closed_queue_ends_every_poll_and_takes_no_post),
        TEST(an_empty_post_is_a_post),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
