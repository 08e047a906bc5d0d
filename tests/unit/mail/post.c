/* Posts in two steps: what preparing promises, finishing keeps, whatever happened between. */
#include "unit/mail/office.h"
#include "mail/mailbox_internal.h"
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Memory that can run out, for the mail (the linker puts these in front of the C library's) and for
 * libcrypto. */
static bool memory_is_short;
static unsigned refusals;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size) {
    refusals += memory_is_short;
    return memory_is_short ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    refusals += memory_is_short;
    return memory_is_short ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    refusals += memory_is_short;
    return memory_is_short ? NULL : __real_realloc(memory, size);
}

static void *crypto_malloc(size_t size, const char *file, int line) {
    return malloc(size);
}

static void *crypto_realloc(void *memory, size_t size, const char *file, int line) {
    return realloc(memory, size);
}

static void crypto_free(void *memory, const char *file, int line) {
    free(memory);
}

static struct cella_bytes finish(struct office *office, struct cella_mailbox_prepared *prepared) {
    struct cella_mailbox_post post;
    assert_status(cella_mailbox_post_seal(prepared, (struct cella_bytes){0}, &post), CELLA_OK);
    assert_memory_equal(post.route, office->route, sizeof post.route);
    struct cella_bytes copy = test_copy(post.bytes);
    free((void *)(uintptr_t)post.bytes.data);
    return copy;
}

static enum cella_mail_kind kind_of(struct cella_bytes mail) {
    struct cella_mail_shape shape;
    assert_status(cella_mail_inspect(mail, &shape, NULL), CELLA_OK);
    return shape.header.kind;
}

/* Another client writes, so that the least recently heard sender is forgotten. */
static void stranger(const struct office *office) {
    struct office other = *office;
    office_client(office, &other.client, &other.session);
    office_connect(&other);
    office_round(&other, "stranger", 0);
    cella_mail_session_free(other.session);
    cella_x25519_deinit(&other.client);
}

static void posts_of_every_size_travel_both_ways(void **state) {
    struct office *office = *state;
    static const size_t sizes[] = {0, 1, 247, 248, 249, 32759, 32760, 32761, 32768, 65528, 65529, 100000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    assert_status(office_try(office, office_hello(office)), CELLA_OK);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        if (i == COUNT) {
            cella_mail_session_restart(office->session);
            office_connect(office);
            office_round(office, "t", 0);
        }
        struct cella_bytes body = test_pattern(sizes[i % COUNT], (uint32_t)i);
        struct cella_bytes post = finish(office, office_prepare(office, "p", body));
        assert_int_equal(kind_of(post), i < COUNT ? CELLA_MAIL_ONE_SHOT : CELLA_MAIL_SESSION);
        office_expect(office, post, CELLA_MAIL_POST, "p", i, body);
    }
}

static void a_cancelled_post_leaves_no_gap(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(5, 1);
    office_round(office, "t", 0);
    for (uint64_t i = 0; i < 4; i++) {
        if (i == 2)
            office_round(office, "t", 1); /* the session may be used for posts from here on */
        struct cella_mailbox_prepared *first = office_prepare(office, "p", body);
        struct cella_mailbox_prepared *second = office_prepare(office, "p", body);
        cella_mailbox_post_cancel(first);
        office_expect(office, finish(office, second), CELLA_MAIL_POST, "p", i, body);
    }
    cella_mailbox_post_cancel(NULL);
}

static void sequences_follow_the_order_of_finishing(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(5, 1), other = test_pattern(6, 2);
    office_round(office, "t", 0);
    struct cella_mailbox_prepared *first = office_prepare(office, "p", body);
    struct cella_mailbox_prepared *second = office_prepare(office, "p", other);
    office_expect(office, finish(office, second), CELLA_MAIL_POST, "p", 0, other);
    office_expect(office, finish(office, first), CELLA_MAIL_POST, "p", 1, body);
}

static void a_cancelled_post_takes_no_place_among_the_topics(void **state) {
    struct office office;
    struct cella_mailbox_prepared *second = NULL;
    struct cella_bytes body = test_pattern(5, 1);
    office_open(&office, &(struct cella_mailbox_limits){.max_topics = 2});
    office_round(&office, "t", 0);
    for (int i = 0; i < 3; i++) {
        char topic[8];
        snprintf(topic, sizeof topic, "p%d", i);
        struct cella_mailbox_prepared *first = office_prepare(&office, topic, body);
        assert_status(cella_mailbox_post_prepare(office.mailbox, office.client.public_key, "q", body, &second,
                                                 &office.error),
                      CELLA_MAIL_TOPIC_LIMIT);
        cella_mailbox_post_cancel(first);
    }
    /* A topic with requests or posts stays. */
    cella_mailbox_post_cancel(office_prepare(&office, "t", body));
    office_round(&office, "t", 1);
    office_expect(&office, finish(&office, office_prepare(&office, "p", body)), CELLA_MAIL_POST, "p", 0,
                  body);
    cella_mailbox_post_cancel(office_prepare(&office, "p", body));
    office_expect(&office, finish(&office, office_prepare(&office, "p", body)), CELLA_MAIL_POST, "p", 1,
                  body);
    office_close(&office);
}

static void the_recipient_of_a_prepared_post_is_not_forgotten(void **state) {
    struct office office;
    struct cella_bytes body = test_pattern(5, 1);
    office_open(&office, &(struct cella_mailbox_limits){.max_senders = 2, .max_sessions = 2});
    office_round(&office, "t", 0);
    office_round(&office, "t", 1);
    struct cella_mailbox_prepared *prepared = office_prepare(&office, "p", body);
    struct cella_mailbox_prepared *cancelled = office_prepare(&office, "p", body);
    for (int i = 0; i < 5; i++)
        stranger(&office);
    assert_true(cella_mailbox_knows(office.mailbox, office.client.public_key));
    cella_mailbox_post_cancel(cancelled);
    /* The session was closed meanwhile; the client still has its key. */
    struct cella_bytes post = finish(&office, prepared);
    assert_int_equal(kind_of(post), CELLA_MAIL_SESSION);
    office_expect(&office, post, CELLA_MAIL_POST, "p", 0, body);
    for (int i = 0; i < 5; i++)
        stranger(&office);
    assert_false(cella_mailbox_knows(office.mailbox, office.client.public_key));
    office_close(&office);
}

static void a_session_that_the_client_lost_meanwhile_is_not_used(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(70000, 1);
    office_round(office, "t", 0);
    office_round(office, "t", 1);
    struct cella_mailbox_prepared *prepared = office_prepare(office, "p", body);
    for (int i = 0; i < CELLA_MAIL_SESSION_SLOTS; i++) {
        cella_mail_session_restart(office->session);
        office_connect(office);
    }
    struct cella_bytes post = finish(office, prepared);
    assert_int_equal(kind_of(post), CELLA_MAIL_ONE_SHOT);
    office_expect(office, post, CELLA_MAIL_POST, "p", 0, body);
}

static void a_recipient_that_starts_anew_waits_for_prepared_posts(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(5, 1);
    office_round(office, "t", 0);
    struct cella_mailbox_prepared *prepared = office_prepare(office, "p", body);
    cella_mail_session_forget(office->session);
    office_connect(office);
    assert_status(office_try(office, office_seal(office, "t", body)), CELLA_MAIL_BUSY);
    cella_mailbox_post_cancel(prepared);
    struct cella_mail_request request = office_request("t");
    request.repeat = true;
    assert_status(office_try(office, office_seal_as(office, &request, body)), CELLA_OK);
    office_expect(office, finish(office, office_prepare(office, "p", body)), CELLA_MAIL_POST, "p", 0, body);
}

static void finishing_needs_no_memory(void **state) {
    struct office *office = *state;
    static const size_t sizes[] = {0, 200, 40000, 300000};
    assert_status(office_try(office, office_hello(office)), CELLA_OK);
    for (size_t i = 0; i < 8; i++) {
        if (i == 4) {
            cella_mail_session_restart(office->session);
            office_connect(office);
            office_round(office, "t", 0);
        }
        struct cella_bytes body = test_pattern(sizes[i % 4], 1);
        struct cella_mailbox_prepared *prepared = office_prepare(office, "p", body), *refused = NULL;
        struct cella_mailbox_post post;
        memory_is_short = true;
        enum cella_status status = cella_mailbox_post_prepare(office->mailbox, office->client.public_key, "p",
                                                              body, &refused, &office->error);
        unsigned before = refusals;
        assert_status(cella_mailbox_post_seal(prepared, (struct cella_bytes){0}, &post), CELLA_OK);
        memory_is_short = false;
        assert_status(status, CELLA_NO_MEMORY);
        assert_int_equal(refusals, before);
        struct cella_bytes mail = test_copy(post.bytes);
        free((void *)(uintptr_t)post.bytes.data);
        assert_int_equal(kind_of(mail), i < 4 ? CELLA_MAIL_ONE_SHOT : CELLA_MAIL_SESSION);
        office_expect(office, mail, CELLA_MAIL_POST, "p", i, body);
    }
}

static void a_post_over_the_limit_is_refused_without_telling_its_size(void **state) {
    struct office office;
    struct cella_mailbox_prepared *prepared = NULL;
    office_open(&office, &(struct cella_mailbox_limits){.max_mail_size = 1000});
    office_round(&office, "t", 0);
    assert_status(cella_mailbox_post_prepare(office.mailbox, office.client.public_key, "p",
                                             test_pattern(1001, 1), &prepared, &office.error),
                  CELLA_LIMIT);
    assert_non_null(strstr(office.error.message, "1000"));
    assert_null(strstr(office.error.message, "1001"));
    assert_null(prepared);
    cella_mailbox_post_cancel(office_prepare(&office, "p", test_pattern(1000, 1)));
    office_close(&office);
}

#define office_test(name) cmocka_unit_test_setup_teardown(name, office_setup, office_teardown)

int main(void) {
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        office_test(posts_of_every_size_travel_both_ways),
        office_test(a_cancelled_post_leaves_no_gap),
        office_test(sequences_follow_the_order_of_finishing),
        cmocka_unit_test(a_cancelled_post_takes_no_place_among_the_topics),
        cmocka_unit_test(the_recipient_of_a_prepared_post_is_not_forgotten),
        office_test(a_session_that_the_client_lost_meanwhile_is_not_used),
        office_test(a_recipient_that_starts_anew_waits_for_prepared_posts),
        office_test(finishing_needs_no_memory),
        cmocka_unit_test(a_post_over_the_limit_is_refused_without_telling_its_size),
    };
    return cmocka_run_group_tests_name("post", tests, NULL, NULL);
}
