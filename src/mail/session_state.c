/* The client's end: going on after a loss, and its state as bytes (formats/mail-state.md). Must not write a
 * sending key: a state may be older than what was sent since. */
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/writer.h"
#include "mail/session.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[4] = {'C', 'L', 'M', 'S'};
enum { VERSION = 1, FIXED_SIZE = 512, BIRTH_USED = 1, WANTS_BIRTH = 2 };

static struct cella_session_topic *find(const struct cella_mail_session *session, const char *topic) {
    return cella_session_topic_find(session, CELLA_BYTES(topic, strlen(topic)));
}

enum cella_status cella_mail_session_give_up_replies(struct cella_mail_session *session, const char *topic,
                                                     uint64_t sequence) {
    struct cella_session_topic *entry = find(session, topic);
    if (entry == NULL)
        return CELLA_NOT_FOUND;
    if (sequence < entry->replied || sequence > entry->next_sequence)
        return CELLA_ARGUMENT;
    entry->replied = sequence;
    return CELLA_OK;
}

enum cella_status cella_mail_session_give_up_posts(struct cella_mail_session *session, const char *topic,
                                                   uint64_t sequence, uint64_t number) {
    struct cella_session_topic *entry = find(session, topic);
    if (entry == NULL)
        return CELLA_NOT_FOUND;
    if (sequence < entry->next_post || (number > 0 && number <= session->collected))
        return CELLA_ARGUMENT;
    entry->next_post = sequence;
    if (number > 0)
        session->collected = number - 1;
    return CELLA_OK;
}

uint64_t cella_mail_session_collected(const struct cella_mail_session *session) {
    return session->collected;
}

enum cella_status cella_mail_session_outstanding(const struct cella_mail_session *session, const char *topic,
                                                 uint64_t *ret_sequence) {
    const struct cella_session_topic *entry = find(session, topic);
    if (entry == NULL || entry->replied == entry->next_sequence)
        return CELLA_NOT_FOUND;
    *ret_sequence = entry->replied;
    return CELLA_OK;
}

static void write_topic(struct cella_writer *writer, const struct cella_session_topic *topic) {
    cella_write_u8(writer, (uint8_t)strlen(topic->name));
    cella_write_bytes(writer, topic->name, strlen(topic->name));
    cella_write_u64(writer, topic->next_sequence);
    cella_write_u64(writer, topic->replied);
    cella_write_u64(writer, topic->next_post);
    cella_write_u8(writer, (uint8_t)topic->attempt_kind);
    cella_write_bytes(writer, topic->attempt_id, sizeof topic->attempt_id);
    cella_write_u64(writer, topic->attempt_number);
}

static void write_state(struct cella_writer *writer, const struct cella_mail_session *session) {
    cella_write_bytes(writer, magic, sizeof magic);
    cella_write_u16(writer, VERSION);
    cella_write_u8(
        writer, (uint8_t)((session->birth_used ? BIRTH_USED : 0) | (session->wants_birth ? WANTS_BIRTH : 0)));
    cella_write_u8(writer, (uint8_t)session->slot_count);
    cella_write_bytes(writer, session->own.public_key, sizeof session->own.public_key);
    cella_write_bytes(writer, session->enclave_key, sizeof session->enclave_key);
    cella_write_bytes(writer, session->mailbox_key, sizeof session->mailbox_key);
    cella_write_u64(writer, session->mailbox_generation);
    cella_write_u64(writer, session->birth);
    cella_write_u64(writer, session->since);
    cella_write_u64(writer, session->collected);
    cella_write_u8(writer, (uint8_t)session->former_count);
    for (unsigned i = 0; i < session->former_count; i++)
        cella_write_bytes(writer, session->former[i], sizeof session->former[i]);
    for (unsigned i = 0; i < session->slot_count; i++) {
        cella_write_bytes(writer, session->slots[i].id, sizeof session->slots[i].id);
        cella_write_bytes(writer, session->slots[i].key, sizeof session->slots[i].key);
    }
    cella_write_u32(writer, session->topic_count);
    for (const struct cella_session_topic *topic = session->topics; topic != NULL; topic = topic->next)
        write_topic(writer, topic);
}

enum cella_status cella_mail_session_export(const struct cella_mail_session *session, uint8_t **ret_data,
                                            size_t *ret_size) {
    size_t room = FIXED_SIZE;
    for (const struct cella_session_topic *topic = session->topics; topic != NULL; topic = topic->next)
        room += 64 + strlen(topic->name);
    uint8_t *data = malloc(room);
    if (data == NULL)
        return CELLA_NO_MEMORY;
    struct cella_writer writer;
    cella_writer_init(&writer, data, room);
    write_state(&writer, session);
    CELLA_ASSERT(!writer.failed);
    *ret_data = data;
    *ret_size = writer.size;
    return CELLA_OK;
}

static enum cella_status read_topic(struct cella_reader *reader, struct cella_mail_session *session) {
    struct cella_session_topic *topic = NULL;
    size_t size = cella_read_u8(reader);
    struct cella_bytes name = {.data = cella_read_view(reader, size), .size = size};
    if (reader->failed || !cella_mail_topic_valid(name) || cella_session_topic_find(session, name) != NULL)
        return CELLA_DAMAGED;
    enum cella_status status = cella_session_topic_get(session, name, &topic, NULL);
    if (status != CELLA_OK)
        return status;
    topic->next_sequence = cella_read_u64(reader);
    topic->replied = cella_read_u64(reader);
    topic->next_post = cella_read_u64(reader);
    topic->attempt_kind = cella_read_u8(reader);
    cella_read_copy(reader, topic->attempt_id, sizeof topic->attempt_id);
    topic->attempt_number = cella_read_u64(reader);
    bool valid = !reader->failed && topic->replied <= topic->next_sequence &&
                 topic->attempt_kind <= CELLA_MAIL_SESSION && topic->next_sequence < UINT64_MAX;
    return valid ? CELLA_OK : CELLA_DAMAGED;
}

static enum cella_status read_state(struct cella_reader *reader, struct cella_mail_session *session,
                                    unsigned flags) {
    cella_read_copy(reader, session->enclave_key, sizeof session->enclave_key);
    cella_read_copy(reader, session->mailbox_key, sizeof session->mailbox_key);
    session->mailbox_generation = cella_read_u64(reader);
    session->birth = cella_read_u64(reader);
    session->since = cella_read_u64(reader);
    session->collected = cella_read_u64(reader);
    session->birth_used = (flags & BIRTH_USED) != 0;
    session->wants_birth = (flags & WANTS_BIRTH) != 0;
    session->former_count = cella_read_u8(reader);
    if (session->former_count > CELLA_MAIL_SESSION_FORMER)
        return CELLA_DAMAGED;
    for (unsigned i = 0; i < session->former_count; i++)
        cella_read_copy(reader, session->former[i], sizeof session->former[i]);
    for (unsigned i = 0; i < session->slot_count; i++) {
        cella_read_copy(reader, session->slots[i].id, sizeof session->slots[i].id);
        cella_read_copy(reader, session->slots[i].key, sizeof session->slots[i].key);
    }
    uint32_t count = cella_read_u32(reader);
    if (count > CELLA_MAIL_SESSION_TOPICS)
        return CELLA_DAMAGED;
    enum cella_status status = CELLA_OK;
    for (uint32_t i = 0; i < count && status == CELLA_OK; i++)
        status = read_topic(reader, session);
    return status == CELLA_OK && !cella_reader_done(reader) ? CELLA_DAMAGED : status;
}

enum cella_status cella_mail_session_import(const struct cella_x25519_key *own, struct cella_bytes data,
                                            struct cella_mail_session **ret_session,
                                            struct cella_error *error) {
    struct cella_reader reader;
    struct cella_mail_session *session = NULL;
    uint8_t public_key[CELLA_MAIL_KEY_SIZE];
    cella_reader_init(&reader, data);
    const uint8_t *start = cella_read_view(&reader, sizeof magic);
    unsigned version = cella_read_u16(&reader);
    unsigned flags = cella_read_u8(&reader);
    unsigned slot_count = cella_read_u8(&reader);
    cella_read_copy(&reader, public_key, sizeof public_key);
    if (reader.failed || memcmp(start, magic, sizeof magic) != 0 || version == 0)
        return cella_fail(error, CELLA_DAMAGED, "these bytes are no mail state");
    if (version > VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "mail state of format version %u", version);
    if (flags > (BIRTH_USED | WANTS_BIRTH) || slot_count > CELLA_MAIL_SESSION_SLOTS)
        return cella_fail(error, CELLA_DAMAGED, "the mail state is not well formed");
    if (memcmp(public_key, own->public_key, sizeof public_key) != 0)
        return cella_fail(error, CELLA_KEY_INVALID, "the mail state belongs to another key");
    enum cella_status status = cella_mail_session_new(own, public_key, &session);
    if (status != CELLA_OK)
        return cella_fail(error, status, "a session");
    session->slot_count = slot_count;
    status = read_state(&reader, session, flags);
    if (status != CELLA_OK) {
        cella_mail_session_free(session);
        return cella_fail(error, status, "the mail state is not well formed");
    }
    *ret_session = session;
    return CELLA_OK;
}
