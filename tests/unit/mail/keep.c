/* The form of what is kept in a vault: the worked example of formats/vault-mail.md, and what parsers refuse.
 */
#include "support/test.h"
#include "mail/keep.h"
#include <stdlib.h>
#include <string.h>

static const char example[] = "vault-mail.txt";
static const struct cella_bytes survey = {.data = (const uint8_t *)"survey", .size = 6};
static const struct cella_bytes news = {.data = (const uint8_t *)"news", .size = 4};

static const uint8_t *sender_key(void) {
    static uint8_t key[CELLA_MAIL_KEY_SIZE];
    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    return key;
}

static void match_key(const char *field, const struct cella_keep_key *key) {
    assert_bytes(CELLA_KEEP_BYTES(*key), test_vector_field(example, field));
}

static void match_value(const char *field, const void *value, size_t size) {
    assert_bytes(CELLA_BYTES(value, size), test_vector_field(example, field));
}

static void the_keys_are_those_of_the_worked_example(void **state) {
    struct cella_keep_key key;
    struct cella_keep_name name;
    cella_keep_state_key(&key);
    match_key("state_key", &key);
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_DAMAGED);
    cella_keep_fingerprint_key(&key);
    match_key("fingerprint_key", &key);
    cella_keep_order_key(&key, CELLA_KEEP_HEARD, 9);
    match_key("heard_key", &key);
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_OK);
    assert_true(!name.is_sender && name.order == CELLA_KEEP_HEARD && name.place == 9);
    cella_keep_order_key(&key, CELLA_KEEP_REPLIES, 7);
    match_key("reply_key", &key);
    cella_keep_sender_key(&key, sender_key());
    match_key("sender_key", &key);
    cella_keep_topic_key(&key, sender_key(), CELLA_KEEP_TOPIC, survey);
    match_key("topic_key", &key);
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_OK);
    assert_true(name.is_sender && name.part == CELLA_KEEP_TOPIC);
    assert_memory_equal(name.sender, sender_key(), sizeof name.sender);
    assert_bytes(name.topic, survey);
    cella_keep_topic_key(&key, sender_key(), CELLA_KEEP_POSTS, news);
    match_key("posts_key", &key);
    cella_keep_outbox_key(&key, sender_key(), 3);
    match_key("post_key", &key);
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_OK);
    assert_true(name.part == CELLA_KEEP_OUTBOX && name.place == 3);
    (void)state;
}

static void keys_of_no_kind_are_damaged(void **state) {
    struct cella_keep_key key;
    struct cella_keep_name name;
    cella_keep_topic_key(&key, sender_key(), CELLA_KEEP_TOPIC, survey);
    key.data[0] = 0x21;
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_DAMAGED);
    key.data[0] = 0x20;
    key.data[33] = 4;
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_DAMAGED);
    key.data[33] = CELLA_KEEP_TOPIC;
    key.data[34] = '_';
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_DAMAGED);
    cella_keep_topic_key(&key, sender_key(), CELLA_KEEP_TOPIC, (struct cella_bytes){0});
    assert_status(cella_keep_key_parse(CELLA_KEEP_BYTES(key), &name), CELLA_DAMAGED);
    for (unsigned size = 8; size <= 10; size++) {
        cella_keep_order_key(&key, CELLA_KEEP_HEARD, 1);
        assert_status(cella_keep_key_parse(CELLA_BYTES(key.data, size), &name),
                      size == 9 ? CELLA_OK : CELLA_DAMAGED);
    }
    (void)state;
}

static const struct cella_keep_state good_state = {
    .floor = 4, .heard = 9, .replied = 7, .senders = 1, .replies = 1, .stored_bytes = 256, .forgotten = 8};

static struct cella_keep_sender good_sender(void) {
    return (struct cella_keep_sender){.has_route = true,
                                      .route = "route of client",
                                      .has_birth = true,
                                      .birth = 5,
                                      .place = 9,
                                      .topic_count = 2,
                                      .posts_made = 3,
                                      .posts_collected = 1,
                                      .posts_sent = 2,
                                      .sent_clock = UINT64_C(1) << 40,
                                      .waiting_bytes = 512};
}

static struct cella_keep_topic good_topic(void) {
    struct cella_keep_topic topic = {.next_sequence = 3,
                                     .has_mail = true,
                                     .reply_state = CELLA_REPLY_STORED,
                                     .place = 7,
                                     .reply = CELLA_BYTES("the reply", 9)};
    memset(topic.fingerprint, 0xbb, sizeof topic.fingerprint);
    memset(topic.mail_id, 0xcc, sizeof topic.mail_id);
    return topic;
}

static void the_values_are_those_of_the_worked_example(void **state) {
    uint8_t out[CELLA_KEEP_PLACE_MAX], fingerprint[CELLA_FINGERPRINT_KEY_SIZE];
    uint8_t *value = NULL;
    size_t size = 0;
    cella_keep_state_write(&good_state, out);
    match_value("state_value", out, CELLA_KEEP_STATE_SIZE);
    memset(fingerprint, 0xaa, sizeof fingerprint);
    cella_keep_fingerprint_write(fingerprint, out);
    match_value("fingerprint_value", out, CELLA_KEEP_FINGERPRINT_SIZE);
    match_value("heard_value", out, cella_keep_place_write(sender_key(), (struct cella_bytes){0}, out));
    match_value("reply_value", out, cella_keep_place_write(sender_key(), survey, out));
    struct cella_keep_sender sender = good_sender();
    cella_keep_sender_write(&sender, out);
    match_value("sender_value", out, CELLA_KEEP_SENDER_SIZE);
    struct cella_keep_topic topic = good_topic();
    assert_status(cella_keep_topic_write(&topic, &value, &size), CELLA_OK);
    match_value("topic_value", value, size);
    free(value);
    topic = (struct cella_keep_topic){.next_sequence = 1, .reply_state = CELLA_REPLY_GONE};
    memset(topic.fingerprint, 0xdd, sizeof topic.fingerprint);
    assert_status(cella_keep_topic_write(&topic, &value, &size), CELLA_OK);
    match_value("topic_in_session_value", value, size);
    free(value);
    cella_keep_posts_write(3, out);
    match_value("posts_value", out, CELLA_KEEP_POSTS_SIZE);
    struct cella_keep_post post = {
        .sequence = 2, .life = (UINT64_C(1) << 40) + 6, .topic = news, .body = CELLA_BYTES("third post", 10)};
    assert_status(cella_keep_post_write(&post, &value, &size), CELLA_OK);
    match_value("post_value", value, size);
    free(value);
    (void)state;
}

/* Parsers of one form, that accept what comes back as the same bytes. */
static bool state_accepts(void *context, struct cella_bytes bytes) {
    struct cella_keep_state parsed;
    uint8_t out[CELLA_KEEP_STATE_SIZE];
    if (cella_keep_state_parse(bytes, &parsed) != CELLA_OK)
        return false;
    cella_keep_state_write(&parsed, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), bytes);
    return true;
}

static bool fingerprint_accepts(void *context, struct cella_bytes bytes) {
    uint8_t key[CELLA_FINGERPRINT_KEY_SIZE];
    return cella_keep_fingerprint_parse(bytes, key) == CELLA_OK;
}

static bool place_accepts(void *context, struct cella_bytes bytes) {
    uint8_t sender[CELLA_MAIL_KEY_SIZE], out[CELLA_KEEP_PLACE_MAX];
    struct cella_bytes topic;
    if (cella_keep_place_parse(bytes, *(const enum cella_keep_order *)context, sender, &topic) != CELLA_OK)
        return false;
    assert_bytes(CELLA_BYTES(out, cella_keep_place_write(sender, topic, out)), bytes);
    return true;
}

static bool sender_accepts(void *context, struct cella_bytes bytes) {
    struct cella_keep_sender parsed;
    uint8_t out[CELLA_KEEP_SENDER_SIZE];
    if (cella_keep_sender_parse(bytes, &parsed) != CELLA_OK)
        return false;
    cella_keep_sender_write(&parsed, out);
    assert_bytes(CELLA_BYTES(out, sizeof out), bytes);
    return true;
}

static bool topic_accepts(void *context, struct cella_bytes bytes) {
    struct cella_keep_topic parsed;
    uint8_t *value = NULL;
    size_t size = 0;
    if (cella_keep_topic_parse(bytes, &parsed) != CELLA_OK)
        return false;
    assert_status(cella_keep_topic_write(&parsed, &value, &size), CELLA_OK);
    assert_bytes(CELLA_BYTES(value, size), bytes);
    free(value);
    return true;
}

static bool posts_accepts(void *context, struct cella_bytes bytes) {
    uint64_t sequence;
    return cella_keep_posts_parse(bytes, &sequence) == CELLA_OK;
}

static bool post_accepts(void *context, struct cella_bytes bytes) {
    struct cella_keep_post parsed;
    uint8_t *value = NULL;
    size_t size = 0;
    if (cella_keep_post_parse(bytes, &parsed) != CELLA_OK)
        return false;
    assert_status(cella_keep_post_write(&parsed, &value, &size), CELLA_OK);
    assert_bytes(CELLA_BYTES(value, size), bytes);
    free(value);
    return true;
}

static void values_of_one_size_are_refused_when_cut_or_extended(void **state) {
    enum cella_keep_order heard = CELLA_KEEP_HEARD;
    const struct {
        const char *field;
        test_accepts *accepts;
    } values[] = {{"state_value", state_accepts},
                  {"fingerprint_value", fingerprint_accepts},
                  {"heard_value", place_accepts},
                  {"sender_value", sender_accepts},
                  {"topic_in_session_value", topic_accepts},
                  {"posts_value", posts_accepts}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct cella_bytes value = test_vector_field(example, values[i].field);
        test_truncations_refused(value, values[i].accepts, &heard);
        test_extension_refused(value, values[i].accepts, &heard);
    }
    (void)state;
}

/* Those that end with bytes of any number: what is accepted is written again as it was. */
static void values_that_end_in_free_bytes_are_cut_down_to_their_fields_only(void **state) {
    enum cella_keep_order replies = CELLA_KEEP_REPLIES;
    const struct {
        const char *field;
        test_accepts *accepts;
        size_t least;
    } values[] = {{"reply_value", place_accepts, 1 + 32 + 1},
                  {"topic_value", topic_accepts, 3 + 8 + 16 + 8 + 32},
                  {"post_value", post_accepts, 1 + 8 + 8 + 1 + 4}};
    for (size_t i = 0; i < 3; i++) {
        struct cella_bytes value = test_vector_field(example, values[i].field);
        for (size_t size = 0; size <= value.size; size++)
            assert_int_equal(values[i].accepts(&replies, test_copy(CELLA_BYTES(value.data, size))),
                             size >= values[i].least);
    }
    (void)state;
}

static void every_flipped_bit_is_refused_or_means_something_else(void **state) {
    enum cella_keep_order orders[] = {CELLA_KEEP_HEARD, CELLA_KEEP_REPLIES};
    (void)test_bit_flips(test_vector_field(example, "state_value"), state_accepts, NULL);
    (void)test_bit_flips(test_vector_field(example, "heard_value"), place_accepts, &orders[0]);
    (void)test_bit_flips(test_vector_field(example, "reply_value"), place_accepts, &orders[1]);
    (void)test_bit_flips(test_vector_field(example, "sender_value"), sender_accepts, NULL);
    (void)test_bit_flips(test_vector_field(example, "topic_value"), topic_accepts, NULL);
    (void)test_bit_flips(test_vector_field(example, "topic_in_session_value"), topic_accepts, NULL);
    (void)test_bit_flips(test_vector_field(example, "post_value"), post_accepts, NULL);
    (void)state;
}

static void a_later_version_is_told_from_damage(void **state) {
    static const char *const fields[] = {"state_value", "fingerprint_value", "heard_value", "sender_value",
                                         "topic_value", "posts_value",       "post_value"};
    for (size_t i = 0; i < 7; i++) {
        union {
            struct cella_keep_state state;
            struct cella_keep_sender sender;
            struct cella_keep_topic topic;
            struct cella_keep_post post;
            uint8_t key[CELLA_MAIL_KEY_SIZE];
            uint64_t sequence;
        } out;
        struct cella_bytes value = test_copy(test_vector_field(example, fields[i])), topic;
        for (uint8_t version = 0; version <= 2; version += 2) {
            *(uint8_t *)(uintptr_t)value.data = version;
            enum cella_status status = i == 0   ? cella_keep_state_parse(value, &out.state)
                                       : i == 1 ? cella_keep_fingerprint_parse(value, out.key)
                                       : i == 2
                                           ? cella_keep_place_parse(value, CELLA_KEEP_HEARD, out.key, &topic)
                                       : i == 3 ? cella_keep_sender_parse(value, &out.sender)
                                       : i == 4 ? cella_keep_topic_parse(value, &out.topic)
                                       : i == 5 ? cella_keep_posts_parse(value, &out.sequence)
                                                : cella_keep_post_parse(value, &out.post);
            assert_status(status, version == 0 ? CELLA_DAMAGED : CELLA_NEWER_FORMAT);
        }
    }
    (void)state;
}

static void refuse_sender(const struct cella_keep_sender *sender) {
    uint8_t out[CELLA_KEEP_SENDER_SIZE];
    struct cella_keep_sender parsed;
    cella_keep_sender_write(sender, out);
    assert_status(cella_keep_sender_parse(CELLA_BYTES(out, sizeof out), &parsed), CELLA_DAMAGED);
}

static void contradictions_are_damaged(void **state) {
    struct cella_keep_sender sender = good_sender();
    sender.has_birth = false; /* but there is one */
    refuse_sender(&sender);
    sender = good_sender();
    sender.has_route = false;
    refuse_sender(&sender);
    sender = good_sender();
    sender.place = 0;
    refuse_sender(&sender);
    sender = good_sender();
    sender.posts_collected = 4;
    refuse_sender(&sender);
    sender = good_sender();
    sender.posts_sent = 4;
    refuse_sender(&sender);
    sender = good_sender();
    sender.waiting_bytes = 0;
    refuse_sender(&sender);
    sender.posts_collected = 3;
    sender.waiting_bytes = 1;
    refuse_sender(&sender);
    struct cella_keep_state all = good_state;
    uint8_t out[CELLA_KEEP_STATE_SIZE];
    all.senders = all.heard + 1;
    cella_keep_state_write(&all, out);
    assert_status(cella_keep_state_parse(CELLA_BYTES(out, sizeof out), &all), CELLA_DAMAGED);
    all = good_state;
    all.replies = all.replied + 1;
    cella_keep_state_write(&all, out);
    assert_status(cella_keep_state_parse(CELLA_BYTES(out, sizeof out), &all), CELLA_DAMAGED);
    struct cella_keep_topic topics[3] = {good_topic(), good_topic(), good_topic()};
    topics[0].next_sequence = 0;
    topics[1].place = 0;
    topics[2].reply_state = CELLA_REPLY_GONE;
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *value = NULL;
        size_t size = 0;
        assert_status(cella_keep_topic_write(&topics[i], &value, &size), CELLA_OK);
        assert_false(topic_accepts(NULL, CELLA_BYTES(value, size)));
        free(value);
    }
    uint8_t posts[CELLA_KEEP_POSTS_SIZE];
    cella_keep_posts_write(0, posts);
    assert_false(posts_accepts(NULL, CELLA_BYTES(posts, sizeof posts)));
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_those_of_the_worked_example),
        cmocka_unit_test(keys_of_no_kind_are_damaged),
        cmocka_unit_test(the_values_are_those_of_the_worked_example),
        cmocka_unit_test(values_of_one_size_are_refused_when_cut_or_extended),
        cmocka_unit_test(values_that_end_in_free_bytes_are_cut_down_to_their_fields_only),
        cmocka_unit_test(every_flipped_bit_is_refused_or_means_something_else),
        cmocka_unit_test(a_later_version_is_told_from_damage),
        cmocka_unit_test(contradictions_are_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
