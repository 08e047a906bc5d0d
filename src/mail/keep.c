/* The form of what the mailbox keeps in a vault. Must not decide anything. */
#include "mail/keep.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/writer.h"
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    KEY_STATE = 0x01,
    KEY_FINGERPRINT = 0x02,
    KEY_SENDER = 0x20,
    FLAG_ROUTE = 1,
    FLAG_BIRTH = 2,
    FLAG_MAIL = 1,
};

/* Numbers in keys are big endian, so that their order is that of the bytes. */
static void add_number(struct cella_keep_key *key, uint64_t number) {
    for (unsigned i = 0; i < 8; i++)
        key->data[key->size++] = (uint8_t)(number >> (56 - 8 * i));
}

void cella_keep_state_key(struct cella_keep_key *key) {
    key->size = 1;
    key->data[0] = KEY_STATE;
}

void cella_keep_fingerprint_key(struct cella_keep_key *key) {
    key->size = 1;
    key->data[0] = KEY_FINGERPRINT;
}

void cella_keep_order_key(struct cella_keep_key *key, enum cella_keep_order order, uint64_t place) {
    key->size = 1;
    key->data[0] = (uint8_t)order;
    add_number(key, place);
}

void cella_keep_prefix(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE]) {
    key->size = 1 + CELLA_MAIL_KEY_SIZE;
    key->data[0] = KEY_SENDER;
    memcpy(key->data + 1, sender, CELLA_MAIL_KEY_SIZE);
}

static void add_part(struct cella_keep_key *key, const uint8_t *sender, enum cella_keep_part part) {
    cella_keep_prefix(key, sender);
    key->data[key->size++] = (uint8_t)part;
}

void cella_keep_sender_key(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE]) {
    add_part(key, sender, CELLA_KEEP_SENDER);
}

void cella_keep_topic_key(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE],
                          enum cella_keep_part part, struct cella_bytes topic) {
    CELLA_ASSERT(topic.size <= CELLA_MAIL_TOPIC_MAX);
    add_part(key, sender, part);
    if (topic.size > 0)
        memcpy(key->data + key->size, topic.data, topic.size);
    key->size += topic.size;
}

void cella_keep_outbox_key(struct cella_keep_key *key, const uint8_t sender[CELLA_MAIL_KEY_SIZE],
                           uint64_t number) {
    add_part(key, sender, CELLA_KEEP_OUTBOX);
    add_number(key, number);
}

/* What stands behind a sender's key and the part. */
static bool read_part(struct cella_reader *reader, struct cella_keep_name *name) {
    unsigned part = cella_read_u8(reader);
    size_t left = cella_reader_left(reader);
    if (reader->failed || part > CELLA_KEEP_OUTBOX)
        return false;
    name->part = part;
    if (name->part == CELLA_KEEP_OUTBOX)
        name->place = cella_read_u64_be(reader);
    if (name->part != CELLA_KEEP_TOPIC && name->part != CELLA_KEEP_POSTS)
        return true;
    name->topic = CELLA_BYTES(cella_read_view(reader, left), left);
    return cella_mail_topic_valid(name->topic);
}

enum cella_status cella_keep_key_parse(struct cella_bytes key, struct cella_keep_name *ret_name) {
    struct cella_reader reader;
    struct cella_keep_name name = {.is_sender = false};
    cella_reader_init(&reader, key);
    unsigned kind = cella_read_u8(&reader);
    bool valid = true;
    if (kind == CELLA_KEEP_HEARD || kind == CELLA_KEEP_REPLIES) {
        name.order = kind;
        name.place = cella_read_u64_be(&reader);
    } else if (kind == KEY_SENDER) {
        name.is_sender = true;
        cella_read_copy(&reader, name.sender, sizeof name.sender);
        valid = read_part(&reader, &name);
    } else {
        valid = false;
    }
    if (!valid || !cella_reader_done(&reader))
        return CELLA_DAMAGED;
    *ret_name = name;
    return CELLA_OK;
}

/* Every value begins with the version of its form. */
static enum cella_status start_reading(struct cella_reader *reader, struct cella_bytes value) {
    cella_reader_init(reader, value);
    unsigned version = cella_read_u8(reader);
    if (reader->failed || version == 0)
        return CELLA_DAMAGED;
    return version == VERSION ? CELLA_OK : CELLA_NEWER_FORMAT;
}

static void start_writing(struct cella_writer *writer, uint8_t *out, size_t size) {
    cella_writer_init(writer, out, size);
    cella_write_u8(writer, VERSION);
}

void cella_keep_state_write(const struct cella_keep_state *state, uint8_t out[CELLA_KEEP_STATE_SIZE]) {
    struct cella_writer writer;
    start_writing(&writer, out, CELLA_KEEP_STATE_SIZE);
    cella_write_u64(&writer, state->floor);
    cella_write_u64(&writer, state->heard);
    cella_write_u64(&writer, state->replied);
    cella_write_u64(&writer, state->senders);
    cella_write_u64(&writer, state->replies);
    cella_write_u64(&writer, state->stored_bytes);
    cella_write_u64(&writer, state->forgotten);
}

enum cella_status cella_keep_state_parse(struct cella_bytes value, struct cella_keep_state *ret_state) {
    struct cella_reader reader;
    enum cella_status status = start_reading(&reader, value);
    struct cella_keep_state state = {.floor = cella_read_u64(&reader)};
    state.heard = cella_read_u64(&reader);
    state.replied = cella_read_u64(&reader);
    state.senders = cella_read_u64(&reader);
    state.replies = cella_read_u64(&reader);
    state.stored_bytes = cella_read_u64(&reader);
    state.forgotten = cella_read_u64(&reader);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader) || state.senders > state.heard || state.replies > state.replied)
        return CELLA_DAMAGED;
    *ret_state = state;
    return CELLA_OK;
}

void cella_keep_fingerprint_write(const uint8_t key[CELLA_FINGERPRINT_KEY_SIZE],
                                  uint8_t out[CELLA_KEEP_FINGERPRINT_SIZE]) {
    struct cella_writer writer;
    start_writing(&writer, out, CELLA_KEEP_FINGERPRINT_SIZE);
    cella_write_bytes(&writer, key, CELLA_FINGERPRINT_KEY_SIZE);
}

enum cella_status cella_keep_fingerprint_parse(struct cella_bytes value,
                                               uint8_t ret_key[CELLA_FINGERPRINT_KEY_SIZE]) {
    struct cella_reader reader;
    enum cella_status status = start_reading(&reader, value);
    const uint8_t *key = cella_read_view(&reader, CELLA_FINGERPRINT_KEY_SIZE);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader))
        return CELLA_DAMAGED;
    memcpy(ret_key, key, CELLA_FINGERPRINT_KEY_SIZE);
    return CELLA_OK;
}

size_t cella_keep_place_write(const uint8_t sender[CELLA_MAIL_KEY_SIZE], struct cella_bytes topic,
                              uint8_t out[CELLA_KEEP_PLACE_MAX]) {
    struct cella_writer writer;
    start_writing(&writer, out, CELLA_KEEP_PLACE_MAX);
    cella_write_bytes(&writer, sender, CELLA_MAIL_KEY_SIZE);
    cella_write_bytes(&writer, topic.data, topic.size);
    return writer.size;
}

enum cella_status cella_keep_place_parse(struct cella_bytes value, enum cella_keep_order order,
                                         uint8_t ret_sender[CELLA_MAIL_KEY_SIZE],
                                         struct cella_bytes *ret_topic) {
    struct cella_reader reader;
    enum cella_status status = start_reading(&reader, value);
    const uint8_t *sender = cella_read_view(&reader, CELLA_MAIL_KEY_SIZE);
    size_t left = cella_reader_left(&reader);
    struct cella_bytes topic = CELLA_BYTES(cella_read_view(&reader, left), left);
    if (status != CELLA_OK)
        return status;
    bool fits = order == CELLA_KEEP_REPLIES ? cella_mail_topic_valid(topic) : topic.size == 0;
    if (!cella_reader_done(&reader) || !fits)
        return CELLA_DAMAGED;
    memcpy(ret_sender, sender, CELLA_MAIL_KEY_SIZE);
    *ret_topic = topic;
    return CELLA_OK;
}

void cella_keep_sender_write(const struct cella_keep_sender *sender, uint8_t out[CELLA_KEEP_SENDER_SIZE]) {
    struct cella_writer writer;
    start_writing(&writer, out, CELLA_KEEP_SENDER_SIZE);
    cella_write_u8(&writer,
                   (uint8_t)((sender->has_route ? FLAG_ROUTE : 0) | (sender->has_birth ? FLAG_BIRTH : 0)));
    cella_write_u64(&writer, sender->birth);
    cella_write_bytes(&writer, sender->route, sizeof sender->route);
    cella_write_u64(&writer, sender->place);
    cella_write_u32(&writer, sender->topic_count);
    cella_write_u64(&writer, sender->posts_made);
    cella_write_u64(&writer, sender->posts_collected);
    cella_write_u64(&writer, sender->posts_sent);
    cella_write_u64(&writer, sender->sent_clock);
    cella_write_u64(&writer, sender->waiting_bytes);
}

static bool sender_valid(const struct cella_keep_sender *sender) {
    static const uint8_t no_route[CELLA_MAIL_ROUTE_SIZE];
    return sender->place > 0 && (sender->has_birth || sender->birth == 0) &&
           (sender->has_route || memcmp(sender->route, no_route, sizeof no_route) == 0) &&
           sender->posts_made <= CELLA_MAIL_NUMBER_MAX && sender->posts_collected <= sender->posts_made &&
           sender->posts_sent <= sender->posts_made &&
           (sender->posts_collected == sender->posts_made) == (sender->waiting_bytes == 0);
}

enum cella_status cella_keep_sender_parse(struct cella_bytes value, struct cella_keep_sender *ret_sender) {
    struct cella_reader reader;
    struct cella_keep_sender sender = {.has_route = false};
    enum cella_status status = start_reading(&reader, value);
    unsigned flags = cella_read_u8(&reader);
    sender.has_route = (flags & FLAG_ROUTE) != 0;
    sender.has_birth = (flags & FLAG_BIRTH) != 0;
    sender.birth = cella_read_u64(&reader);
    cella_read_copy(&reader, sender.route, sizeof sender.route);
    sender.place = cella_read_u64(&reader);
    sender.topic_count = cella_read_u32(&reader);
    sender.posts_made = cella_read_u64(&reader);
    sender.posts_collected = cella_read_u64(&reader);
    sender.posts_sent = cella_read_u64(&reader);
    sender.sent_clock = cella_read_u64(&reader);
    sender.waiting_bytes = cella_read_u64(&reader);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader) || flags > (FLAG_ROUTE | FLAG_BIRTH) || !sender_valid(&sender))
        return CELLA_DAMAGED;
    *ret_sender = sender;
    return CELLA_OK;
}

/* Gives what was written to the caller. */
static enum cella_status hand_over(const struct cella_writer *writer, uint8_t **ret_value, size_t *ret_size) {
    CELLA_ASSERT(!writer->failed);
    *ret_value = writer->data;
    *ret_size = writer->size;
    return CELLA_OK;
}

enum cella_status cella_keep_topic_write(const struct cella_keep_topic *topic, uint8_t **ret_value,
                                         size_t *ret_size) {
    struct cella_writer writer;
    size_t size = 3 + 8 + CELLA_FINGERPRINT_SIZE + 8 + CELLA_MAIL_ID_SIZE + topic->reply.size;
    uint8_t *out = malloc(size);
    if (out == NULL)
        return CELLA_NO_MEMORY;
    start_writing(&writer, out, size);
    cella_write_u8(&writer, topic->has_mail ? FLAG_MAIL : 0);
    cella_write_u8(&writer, (uint8_t)topic->reply_state);
    cella_write_u64(&writer, topic->next_sequence);
    cella_write_bytes(&writer, topic->fingerprint, sizeof topic->fingerprint);
    cella_write_u64(&writer, topic->place);
    if (topic->has_mail)
        cella_write_bytes(&writer, topic->mail_id, sizeof topic->mail_id);
    cella_write_bytes(&writer, topic->reply.data, topic->reply.size);
    return hand_over(&writer, ret_value, ret_size);
}

enum cella_status cella_keep_topic_parse(struct cella_bytes value, struct cella_keep_topic *ret_topic) {
    struct cella_reader reader;
    struct cella_keep_topic topic = {.next_sequence = 0};
    enum cella_status status = start_reading(&reader, value);
    unsigned flags = cella_read_u8(&reader), state = cella_read_u8(&reader);
    topic.has_mail = flags == FLAG_MAIL;
    topic.next_sequence = cella_read_u64(&reader);
    cella_read_copy(&reader, topic.fingerprint, sizeof topic.fingerprint);
    topic.place = cella_read_u64(&reader);
    if (topic.has_mail)
        cella_read_copy(&reader, topic.mail_id, sizeof topic.mail_id);
    size_t left = cella_reader_left(&reader);
    topic.reply = CELLA_BYTES(cella_read_view(&reader, left), left);
    if (status != CELLA_OK)
        return status;
    bool stored = state == CELLA_REPLY_STORED;
    if (!cella_reader_done(&reader) || flags > FLAG_MAIL || state > CELLA_REPLY_GONE ||
        topic.next_sequence == 0 || stored != (topic.place > 0) || (!stored && topic.reply.size > 0))
        return CELLA_DAMAGED;
    topic.reply_state = state;
    *ret_topic = topic;
    return CELLA_OK;
}

void cella_keep_posts_write(uint64_t next_sequence, uint8_t out[CELLA_KEEP_POSTS_SIZE]) {
    struct cella_writer writer;
    start_writing(&writer, out, CELLA_KEEP_POSTS_SIZE);
    cella_write_u64(&writer, next_sequence);
}

enum cella_status cella_keep_posts_parse(struct cella_bytes value, uint64_t *ret_next_sequence) {
    struct cella_reader reader;
    enum cella_status status = start_reading(&reader, value);
    uint64_t next_sequence = cella_read_u64(&reader);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader) || next_sequence == 0)
        return CELLA_DAMAGED;
    *ret_next_sequence = next_sequence;
    return CELLA_OK;
}

enum cella_status cella_keep_post_write(const struct cella_keep_post *post, uint8_t **ret_value,
                                        size_t *ret_size) {
    struct cella_writer writer;
    size_t size = 1 + 8 + 8 + 1 + post->topic.size + post->body.size;
    CELLA_ASSERT(post->topic.size <= CELLA_MAIL_TOPIC_MAX);
    uint8_t *out = malloc(size);
    if (out == NULL)
        return CELLA_NO_MEMORY;
    start_writing(&writer, out, size);
    cella_write_u64(&writer, post->sequence);
    cella_write_u64(&writer, post->life);
    cella_write_u8(&writer, (uint8_t)post->topic.size);
    cella_write_bytes(&writer, post->topic.data, post->topic.size);
    cella_write_bytes(&writer, post->body.data, post->body.size);
    return hand_over(&writer, ret_value, ret_size);
}

enum cella_status cella_keep_post_parse(struct cella_bytes value, struct cella_keep_post *ret_post) {
    struct cella_reader reader;
    struct cella_keep_post post = {.sequence = 0};
    enum cella_status status = start_reading(&reader, value);
    post.sequence = cella_read_u64(&reader);
    post.life = cella_read_u64(&reader);
    size_t size = cella_read_u8(&reader);
    post.topic = CELLA_BYTES(cella_read_view(&reader, size), size);
    size = cella_reader_left(&reader);
    post.body = CELLA_BYTES(cella_read_view(&reader, size), size);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader) || !cella_mail_topic_valid(post.topic))
        return CELLA_DAMAGED;
    *ret_post = post;
    return CELLA_OK;
}
