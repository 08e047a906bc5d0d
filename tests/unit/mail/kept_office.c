/* The runtime of an instance with a vault, in small. */
#include "unit/mail/kept_office.h"
#include "base/reader.h"
#include "base/writer.h"
#include <stdlib.h>
#include <string.h>

static void start(struct kept_office *kept) {
    struct office *office = &kept->office;
    assert_status(cella_x25519_generate(&office->enclave), CELLA_OK);
    struct cella_mailbox_options options = {.session_key = &office->enclave,
                                            .limits = kept->limits,
                                            .keep = &kept->shelf.keep,
                                            .first_clock = ++kept->epoch << 40};
    shelf_begin(&kept->shelf);
    assert_status(cella_mailbox_new(&options, &office->mailbox, &office->error), CELLA_OK);
    shelf_commit(&kept->shelf);
}

void kept_open(struct kept_office *kept, const struct cella_mailbox_limits *limits) {
    *kept = (struct kept_office){.office = {.route = "route of client"}, .limits = *limits};
    shelf_init(&kept->shelf);
    start(kept);
    office_client(&kept->office, &kept->office.client, &kept->office.session);
}

void kept_close(struct kept_office *kept) {
    office_close(&kept->office);
    shelf_deinit(&kept->shelf);
}

int kept_setup(void **state) {
    struct kept_office *kept = malloc(sizeof *kept);
    assert_non_null(kept);
    kept_open(kept, &(struct cella_mailbox_limits){0});
    *state = kept;
    return 0;
}

int kept_teardown(void **state) {
    kept_close(*state);
    free(*state);
    return 0;
}

void kept_restart(struct kept_office *kept) {
    cella_mailbox_free(kept->office.mailbox);
    cella_x25519_deinit(&kept->office.enclave);
    start(kept);
    cella_mail_session_rekey(kept->office.session, kept->office.enclave.public_key);
}

struct posts {
    struct cella_mailbox_prepared *prepared[KEPT_POSTS_MAX];
    size_t count;
};

static void add(struct posts *posts, struct cella_mailbox_prepared *prepared) {
    if (prepared == NULL)
        return;
    assert_in_range(posts->count, 0, KEPT_POSTS_MAX - 1);
    posts->prepared[posts->count++] = prepared;
}

static enum cella_status run(struct kept_office *kept, struct cella_mailbox_mail *mail,
                             const struct kept_handling *handling, struct posts *posts) {
    const struct cella_mail *view = cella_mailbox_mail_view(mail);
    enum cella_status status = CELLA_OK;
    for (unsigned i = 0; i < handling->posts && status == CELLA_OK; i++) {
        struct cella_mailbox_prepared *prepared = NULL;
        status = cella_mailbox_post_prepare(kept->office.mailbox, view->sender, handling->post_topic,
                                            test_pattern(handling->post_size, handling->post_seed + i),
                                            &prepared, &kept->office.error);
        add(posts, prepared);
    }
    if (status != CELLA_OK)
        return status;
    return handling->handler_fails ? CELLA_HANDLER_FAILED : cella_mailbox_mail_commit(mail, handling->reply);
}

static enum cella_status collect(struct kept_office *kept, struct cella_mailbox_mail *mail) {
    struct cella_reader reader;
    cella_reader_init(&reader, cella_mailbox_mail_context(mail));
    uint64_t number = cella_read_u64(&reader);
    return reader.failed ? CELLA_OK : cella_mailbox_collected(mail, number, &kept->office.error);
}

/* All that happens in the transaction. */
static enum cella_status handle(struct kept_office *kept, struct cella_mailbox_mail *mail,
                                const struct kept_handling *handling, struct kept_result *result,
                                struct posts *posts) {
    struct office *office = &kept->office;
    enum cella_status status = cella_mailbox_mail_begin(mail, &result->verdict, &office->error);
    if (status == CELLA_OK)
        status = collect(kept, mail);
    if (status == CELLA_OK && result->verdict == CELLA_MAILBOX_RUN) {
        result->ran = true;
        status = run(kept, mail, handling, posts);
    }
    while (status == CELLA_OK) {
        struct cella_mailbox_prepared *prepared = NULL;
        status = cella_mailbox_again(mail, &prepared, &office->error);
        add(posts, prepared);
    }
    if (status != CELLA_NOT_FOUND)
        return status;
    return handling->commit_fails ? CELLA_STATE_SIZE : CELLA_OK;
}

static struct cella_bytes answer(struct kept_office *kept, struct cella_mailbox_mail *mail,
                                 const struct cella_bytes *reply) {
    static const struct cella_bytes context = {.data = (const uint8_t *)"a head", .size = 6};
    size_t size = cella_mailbox_reply_size(mail, reply, context.size);
    uint8_t *out = malloc(size);
    assert_non_null(out);
    assert_status(cella_mailbox_reply_seal(mail, reply, context, out, size, &kept->office.error), CELLA_OK);
    struct cella_bytes sealed = test_copy(CELLA_BYTES(out, size));
    free(out);
    return sealed;
}

static struct cella_bytes seal_post(struct kept_office *kept, struct cella_mailbox_prepared *prepared) {
    struct cella_mailbox_post post;
    assert_status(cella_mailbox_post_seal(prepared, CELLA_BYTES("head", 4), &post), CELLA_OK);
    assert_memory_equal(post.route, kept->office.route, sizeof post.route);
    struct cella_bytes sealed = test_copy(post.bytes);
    free((void *)(uintptr_t)post.bytes.data);
    return sealed;
}

static enum cella_status handle_query(struct kept_office *kept, struct cella_mailbox_mail *mail,
                                      const struct kept_handling *handling, struct kept_result *result) {
    enum cella_status status = cella_mailbox_mail_begin(mail, &result->verdict, &kept->office.error);
    assert_status(status, CELLA_OK);
    assert_int_equal(result->verdict, CELLA_MAILBOX_QUERY);
    result->ran = true;
    result->answer = answer(kept, mail, handling->reply);
    return CELLA_OK;
}

static enum cella_status handle_change(struct kept_office *kept, struct cella_mailbox_mail *mail,
                                       const struct kept_handling *handling, struct kept_result *result) {
    struct posts posts = {.count = 0};
    shelf_begin(&kept->shelf);
    enum cella_status status = handle(kept, mail, handling, result, &posts);
    if (status == CELLA_OK) {
        shelf_commit(&kept->shelf);
        result->answer = answer(kept, mail, handling->reply);
        for (size_t i = 0; i < posts.count; i++)
            result->posts[result->post_count++] = seal_post(kept, posts.prepared[i]);
        return CELLA_OK;
    }
    shelf_abort(&kept->shelf);
    cella_mailbox_mail_abort(mail);
    for (size_t i = 0; i < posts.count; i++)
        cella_mailbox_post_cancel(posts.prepared[i]);
    return status;
}

enum cella_status kept_deliver(struct kept_office *kept, struct cella_bytes mail,
                               const struct kept_handling *handling, struct kept_result *ret_result) {
    struct office *office = &kept->office;
    struct cella_mailbox_mail *opened = NULL;
    static const struct kept_handling plain = {.reply = NULL};
    handling = handling == NULL ? &plain : handling;
    *ret_result = (struct kept_result){.verdict = CELLA_MAILBOX_RUN};
    assert_status(cella_mailbox_mail_new(office->mailbox, office->route, &opened), CELLA_OK);
    enum cella_status status = cella_mailbox_mail_feed(opened, mail, &office->error);
    if (status == CELLA_OK)
        status = cella_mailbox_mail_is_query(opened) ? handle_query(kept, opened, handling, ret_result)
                                                     : handle_change(kept, opened, handling, ret_result);
    cella_mailbox_mail_free(opened);
    return status;
}

void kept_expect(struct kept_office *kept, struct cella_bytes mail, const struct kept_handling *handling,
                 enum cella_status expected) {
    struct kept_result *result = malloc(sizeof *result);
    assert_non_null(result);
    assert_status(kept_deliver(kept, mail, handling, result), expected);
    free(result);
}

/* The client says with each mail what has arrived. */
static void set_context(struct kept_office *kept) {
    uint8_t context[8];
    struct cella_writer writer;
    cella_writer_init(&writer, context, sizeof context);
    cella_write_u64(&writer, cella_mail_session_collected(kept->office.session));
    assert_status(cella_mail_session_set_context(kept->office.session, cella_writer_bytes(&writer)),
                  CELLA_OK);
}

struct cella_bytes kept_seal(struct kept_office *kept, const char *topic, struct cella_bytes body) {
    set_context(kept);
    return office_seal(&kept->office, topic, body);
}

struct cella_bytes kept_hello(struct kept_office *kept) {
    set_context(kept);
    return office_hello(&kept->office);
}

static struct cella_bytes owned(uint8_t *data, size_t size) {
    struct cella_bytes copied = test_copy(CELLA_BYTES(data, size));
    free(data);
    return copied;
}

struct cella_bytes kept_ack(struct kept_office *kept) {
    uint8_t *data = NULL;
    size_t size = 0;
    set_context(kept);
    assert_status(cella_mail_session_ack(kept->office.session, &data, &size, &kept->office.error), CELLA_OK);
    return owned(data, size);
}

struct cella_bytes kept_query(struct kept_office *kept, const char *topic, struct cella_bytes body) {
    uint8_t *data = NULL;
    size_t size = 0;
    struct cella_mail_request request = office_request(topic);
    set_context(kept);
    assert_status(
        cella_mail_session_query(kept->office.session, &request, body, &data, &size, &kept->office.error),
        CELLA_OK);
    return owned(data, size);
}

struct cella_bytes kept_repeat(struct kept_office *kept, const char *topic, struct cella_bytes body) {
    struct cella_mail_request request = office_request(topic);
    request.repeat = true;
    set_context(kept);
    return office_seal_as(&kept->office, &request, body);
}

void kept_round(struct kept_office *kept, const char *topic, uint64_t sequence) {
    struct cella_bytes body = test_pattern(100 + sequence, 1), reply = test_pattern(60 + sequence, 2);
    struct kept_handling handling = {.reply = &reply};
    struct kept_result *result = malloc(sizeof *result);
    assert_non_null(result);
    assert_status(kept_deliver(kept, kept_seal(kept, topic, body), &handling, result), CELLA_OK);
    assert_true(result->ran);
    office_expect(&kept->office, result->answer, CELLA_MAIL_REPLY, topic, sequence, reply);
    free(result);
}

void kept_connect(struct kept_office *kept, struct kept_result *ret_result) {
    struct cella_bytes none = {0};
    assert_status(kept_deliver(kept, kept_hello(kept), NULL, ret_result), CELLA_OK);
    assert_int_equal(ret_result->verdict, CELLA_MAILBOX_HELLO);
    office_expect(&kept->office, ret_result->answer, CELLA_MAIL_HELLO, "", 0, none);
}

void kept_read_posts(struct kept_office *kept, const struct kept_result *result, const char *topic,
                     uint64_t first, size_t count) {
    assert_int_equal(result->post_count, count);
    for (size_t i = 0; i < count; i++) {
        struct cella_mail_letter letter = {.memory = NULL};
        assert_status(office_open_mail(&kept->office, result->posts[i], 0, &letter), CELLA_OK);
        assert_int_equal(letter.role, CELLA_MAIL_POST);
        assert_string_equal(letter.topic, topic);
        assert_int_equal(letter.sequence, first + i);
        cella_mail_letter_deinit(&letter);
    }
}

enum cella_status kept_post(struct kept_office *kept, const char *topic, struct cella_bytes body,
                            struct cella_bytes *ret_post) {
    struct cella_mailbox_prepared *prepared = NULL;
    shelf_begin(&kept->shelf);
    enum cella_status status = cella_mailbox_post_prepare(
        kept->office.mailbox, kept->office.client.public_key, topic, body, &prepared, &kept->office.error);
    if (status != CELLA_OK) {
        shelf_abort(&kept->shelf);
        return status;
    }
    shelf_commit(&kept->shelf);
    *ret_post = (struct cella_bytes){0};
    if (prepared != NULL)
        *ret_post = seal_post(kept, prepared);
    return CELLA_OK;
}
