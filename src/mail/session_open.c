/* The client's end: opening replies and posts and checking their order. Must not change the session before a
 * mail is authentic, whole and in order. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/session.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

struct cella_mail_reader {
    struct cella_mail_session *session;
    struct cella_mail_opener opener;
    struct cella_noise_handshake handshake; /* of an accept (a copy) or of one-shot mail */
    struct cella_noise_cipher receive;
    struct cella_noise_keys keys; /* of an accept */
    const uint8_t *sender;        /* who must have sealed one-shot mail; NULL: an instance of the enclave */
    uint64_t serial;
    uint64_t life;
};

static const struct cella_session_slot *find_slot(const struct cella_mail_session *session,
                                                  const uint8_t id[CELLA_MAIL_SESSION_ID_SIZE]) {
    for (unsigned i = 0; i < session->slot_count; i++)
        if (memcmp(session->slots[i].id, id, CELLA_MAIL_SESSION_ID_SIZE) == 0)
            return &session->slots[i];
    return NULL;
}

static bool is_opening(const struct cella_mail_session *session, const uint8_t *id) {
    return session->phase == CELLA_MAIL_PHASE_OPENING &&
           memcmp(session->id, id, CELLA_MAIL_SESSION_ID_SIZE) == 0;
}

static enum cella_status find_accept(struct cella_mail_reader *reader, const struct cella_mail_header *header,
                                     struct cella_error *error) {
    struct cella_mail_session *session = reader->session;
    if (is_opening(session, header->session_id))
        return cella_noise_handshake_copy(&reader->handshake, &session->handshake);
    if (find_slot(session, header->session_id) != NULL)
        return cella_fail(error, CELLA_MAIL_REPLY_REPLAYED, "the session is open already");
    return cella_fail(error, CELLA_MAIL_UNEXPECTED, "no session of this id is being opened");
}

static enum cella_status find_session(struct cella_mail_reader *reader,
                                      const struct cella_mail_header *header, struct cella_error *error) {
    const struct cella_session_slot *slot = find_slot(reader->session, header->session_id);
    if (slot != NULL)
        return cella_noise_initialize_key(&reader->receive, slot->key);
    if (is_opening(reader->session, header->session_id))
        return cella_fail(error, CELLA_MAIL_NOT_OPEN, "the reply that opens the session has not been read");
    return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session is not or no longer known");
}

static enum cella_status find_key(void *context, const struct cella_mail_header *header,
                                  struct cella_error *error) {
    struct cella_mail_reader *reader = context;
    struct cella_mail_session *session = reader->session;
    if (header->role == CELLA_MAIL_REQUEST || header->kind == CELLA_MAIL_SESSION_OPEN)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "a request is for enclaves");
    if (header->kind == CELLA_MAIL_SESSION_ACCEPT)
        return find_accept(reader, header, error);
    if (header->kind == CELLA_MAIL_SESSION)
        return find_session(reader, header, error);
    if (header->generation != 0) {
        if (header->generation != session->mailbox_generation)
            return cella_fail(error, CELLA_MAIL_GENERATION, "generation %llu",
                              (unsigned long long)header->generation);
        reader->sender = session->mailbox_key;
    }
    return CELLA_OK;
}

/* The accept's handshake message ends its head; the packets already go under the session's keys. */
static enum cella_status read_accept(struct cella_mail_reader *reader, struct cella_bytes head) {
    uint8_t nothing[1];
    struct cella_bytes message =
        CELLA_BYTES(head.data + head.size - CELLA_MAIL_ACCEPT_SIZE, CELLA_MAIL_ACCEPT_SIZE);
    enum cella_status status = cella_noise_read_message(&reader->handshake, message, nothing);
    if (status == CELLA_OK)
        status = cella_noise_split_keys(&reader->handshake, &reader->keys);
    return status == CELLA_OK ? cella_noise_initialize_key(&reader->receive, reader->keys.responder) : status;
}

static bool is_sender(const struct cella_mail_reader *reader, const uint8_t key[CELLA_MAIL_KEY_SIZE]) {
    const struct cella_mail_session *session = reader->session;
    if (reader->sender != NULL)
        return memcmp(reader->sender, key, CELLA_MAIL_KEY_SIZE) == 0;
    bool found = memcmp(session->enclave_key, key, CELLA_MAIL_KEY_SIZE) == 0;
    for (unsigned i = 0; i < session->former_count; i++)
        found |= memcmp(session->former[i], key, CELLA_MAIL_KEY_SIZE) == 0;
    return found;
}

static enum cella_status read_one_shot(struct cella_mail_reader *reader, const struct cella_bytes ad[2],
                                       struct cella_bytes sealed, uint8_t *out) {
    struct cella_noise_setup setup = {
        .pattern = CELLA_NOISE_X, .prologue = {ad[0], ad[1]}, .s = &reader->session->own};
    enum cella_status status = cella_noise_handshake_initialize(&reader->handshake, &setup);
    if (status == CELLA_OK)
        status = cella_noise_read_message(&reader->handshake, sealed, out);
    /* Anyone can seal to this client; only the enclave is listened to. */
    if (status == CELLA_OK && !is_sender(reader, reader->handshake.rs)) {
        cella_wipe(out, sealed.size - CELLA_MAIL_FIRST_OVERHEAD);
        status = CELLA_AUTHENTICATION;
    }
    return status;
}

static enum cella_status open_packet(void *context, uint64_t index, const struct cella_bytes ad[2],
                                     struct cella_bytes sealed, uint8_t *out) {
    struct cella_mail_reader *reader = context;
    const struct cella_mail_header *header = &reader->opener.header;
    enum cella_status status = CELLA_OK;
    if (header->kind == CELLA_MAIL_ONE_SHOT && index == 0)
        return read_one_shot(reader, ad, sealed, out);
    if (header->kind == CELLA_MAIL_ONE_SHOT && index == 1)
        status = cella_noise_split(&reader->handshake, &reader->receive, NULL);
    if (header->kind == CELLA_MAIL_SESSION_ACCEPT && index == 0)
        status = read_accept(reader, ad[0]);
    if (status != CELLA_OK)
        return status;
    return cella_noise_decrypt_at(&reader->receive, header->number * CELLA_MAIL_PACKET_COUNT_MAX + index, ad,
                                  sealed, out);
}

enum cella_status cella_mail_session_reader(struct cella_mail_session *session,
                                            struct cella_mail_reader **ret_reader) {
    struct cella_mail_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return CELLA_NO_MEMORY;
    reader->session = session;
    reader->serial = session->serial;
    reader->life = session->life;
    reader->opener.ends =
        (struct cella_mail_opener_ends){.context = reader, .header = find_key, .packet = open_packet};
    reader->opener.max_body = CELLA_MAIL_BODY_MAX;
    *ret_reader = reader;
    return CELLA_OK;
}

void cella_mail_reader_free(struct cella_mail_reader *reader) {
    if (reader == NULL)
        return;
    cella_mail_opener_deinit(&reader->opener);
    cella_noise_handshake_deinit(&reader->handshake);
    cella_noise_cipher_deinit(&reader->receive);
    cella_wipe_free(reader, sizeof *reader);
}

enum cella_status cella_mail_reader_feed(struct cella_mail_reader *reader, struct cella_bytes chunk,
                                         struct cella_error *error) {
    /* The keys that were found belong to a session that the caller has reset since. */
    if (reader->life != reader->session->life)
        return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session was reset while a mail was read");
    return cella_mail_opener_feed(&reader->opener, chunk, error);
}

/* Does this answer the last sealed form of the request? An answer to an earlier form may be to other bytes.
 */
static bool answers_attempt(const struct cella_session_topic *topic, const struct cella_mail_header *header) {
    static const enum cella_mail_kind asked[] = {
        [CELLA_MAIL_ONE_SHOT] = CELLA_MAIL_ONE_SHOT,
        [CELLA_MAIL_SESSION_ACCEPT] = CELLA_MAIL_SESSION_OPEN,
        [CELLA_MAIL_SESSION] = CELLA_MAIL_SESSION,
    };
    return topic->attempt_kind == asked[header->kind] && topic->attempt_number == header->answers &&
           memcmp(topic->attempt_id, header->session_id, CELLA_MAIL_SESSION_ID_SIZE) == 0;
}

static enum cella_status check_reply(const struct cella_session_topic *topic,
                                     const struct cella_mail_header *header, struct cella_error *error) {
    unsigned long long sequence = header->sequence;
    if (topic == NULL || header->sequence >= topic->next_sequence)
        return cella_fail(error, CELLA_MAIL_UNEXPECTED, "no request %llu of this topic was sent", sequence);
    if (header->sequence < topic->replied)
        return cella_fail(error, CELLA_MAIL_REPLY_REPLAYED, "topic %s, sequence %llu", topic->name, sequence);
    if (header->sequence > topic->replied)
        return cella_fail(error, CELLA_MAIL_REPLY_MISSING,
                          "topic %s: the reply to %llu is here, the one to %llu is not", topic->name,
                          sequence, (unsigned long long)topic->replied);
    if (header->sequence + 1 == topic->next_sequence && !answers_attempt(topic, header))
        return cella_fail(error, CELLA_MAIL_UNEXPECTED,
                          "topic %s, sequence %llu: answers a mail that was replaced by a later one",
                          topic->name, sequence);
    return CELLA_OK;
}

/* Outbox numbers count the posts of a client's life over all topics, and decide alone: sequences have gaps
 * where posts were given up. Without a vault there are only sequences. */
static enum cella_status check_post(const struct cella_mail_session *session,
                                    const struct cella_session_topic *topic,
                                    const struct cella_mail_header *header, struct cella_error *error) {
    bool numbered = header->answers > 0;
    uint64_t next = numbered ? session->collected + 1 : topic->next_post;
    uint64_t given = numbered ? header->answers : header->sequence;
    if (given < next)
        return cella_fail(error, CELLA_MAIL_POST_REPLAYED, "topic %s, post %llu", topic->name,
                          (unsigned long long)header->sequence);
    if (given > next)
        return cella_fail(error, CELLA_MAIL_POST_MISSING, "topic %s: %s %llu is here, post %llu is not",
                          topic->name, numbered ? "post number" : "post", (unsigned long long)given,
                          (unsigned long long)next);
    return CELLA_OK;
}

/* The session is open: its keys take the first place. */
static enum cella_status enter_session(struct cella_mail_reader *reader, struct cella_error *error) {
    struct cella_mail_session *session = reader->session;
    const struct cella_mail_header *header = &reader->opener.header;
    if (!is_opening(session, header->session_id) || reader->serial != session->serial)
        return cella_fail(error, CELLA_MAIL_UNEXPECTED, "the session was opened or given up meanwhile");
    enum cella_status status = cella_noise_initialize_key(&session->send, reader->keys.initiator);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the session's key");
    cella_noise_handshake_deinit(&session->handshake);
    session->send_number = 0;
    session->serial++;
    session->phase = CELLA_MAIL_PHASE_OPEN;
    memmove(session->slots + 1, session->slots, sizeof session->slots - sizeof session->slots[0]);
    memcpy(session->slots[0].id, header->session_id, sizeof session->slots[0].id);
    memcpy(session->slots[0].key, reader->keys.responder, sizeof session->slots[0].key);
    if (session->slot_count < CELLA_MAIL_SESSION_SLOTS)
        session->slot_count++;
    if (session->wants_birth)
        session->since = header->birth;
    if (!session->birth_used) {
        session->birth = header->birth;
        session->wants_birth = false;
    }
    return CELLA_OK;
}

/* What a letter owns. */
struct memory {
    uint8_t *head;
    uint8_t *body;
    uint64_t body_size;
};

static void fill_letter(struct cella_mail_reader *reader, struct memory *memory,
                        struct cella_mail_letter *ret_letter) {
    struct cella_mail_opener *opener = &reader->opener;
    const struct cella_mail_header *header = &opener->header;
    *ret_letter = (struct cella_mail_letter){
        .role = header->role,
        .sequence = header->sequence,
        .context = header->context,
        .envelope = header->envelope,
        .body = CELLA_BYTES(opener->body, opener->body_size),
        .memory = memory,
    };
    if (header->topic.size > 0)
        memcpy(ret_letter->topic, header->topic.data, header->topic.size);
    *memory = (struct memory){.head = opener->head, .body = opener->body, .body_size = opener->stream_size};
    opener->head = NULL;
    opener->body = NULL;
    opener->stream_size = 0;
    opener->failed = true; /* nothing more is read with it */
}

/* Every opening moves the enclave's clock, and each mail names the clock at which it was sealed, or the birth
 * of the life that it is of: so the clock of a life's first accept, which is its birth, divides its mail from
 * that of a former life under the same key. */
static bool is_of_former_life(const struct cella_mail_session *session,
                              const struct cella_mail_header *header) {
    return session->wants_birth || header->birth < session->since;
}

/* The answer to the query or ack that waits for one: it names its number and is in no order. */
static bool answers_unnamed(const struct cella_mail_reader *reader) {
    const struct cella_mail_session *session = reader->session;
    const struct cella_mail_header *header = &reader->opener.header;
    return header->kind == CELLA_MAIL_SESSION && header->role != CELLA_MAIL_POST &&
           session->unnamed_number > 0 && header->answers == session->unnamed_number &&
           memcmp(header->session_id, session->id, CELLA_MAIL_SESSION_ID_SIZE) == 0;
}

static enum cella_status check_order(struct cella_mail_reader *reader, struct cella_session_topic **ret_topic,
                                     struct cella_error *error) {
    const struct cella_mail_header *header = &reader->opener.header;
    if (header->role == CELLA_MAIL_HELLO || answers_unnamed(reader))
        return CELLA_OK;
    struct cella_session_topic *topic = cella_session_topic_find(reader->session, header->topic);
    enum cella_status status = CELLA_OK;
    bool is_post = header->role == CELLA_MAIL_POST;
    if (is_of_former_life(reader->session, header) && (is_post || topic != NULL))
        return cella_fail(error, is_post ? CELLA_MAIL_POST_REPLAYED : CELLA_MAIL_REPLY_REPLAYED,
                          "it was sealed before this client was forgotten");
    if (is_post) {
        status =
            topic == NULL ? cella_session_topic_get(reader->session, header->topic, &topic, error) : status;
        if (status == CELLA_OK)
            status = check_post(reader->session, topic, header, error);
    } else {
        status = check_reply(topic, header, error);
    }
    *ret_topic = topic;
    return status;
}

/* What a mail that passed every check changes. */
static void take(struct cella_mail_reader *reader, struct cella_session_topic *topic) {
    struct cella_mail_session *session = reader->session;
    const struct cella_mail_header *header = &reader->opener.header;
    if (header->role == CELLA_MAIL_POST) {
        CELLA_ASSERT(topic != NULL);
        topic->next_post = header->sequence + 1;
        if (header->answers > 0)
            session->collected = header->answers;
    } else if (topic != NULL) {
        topic->replied++;
    } else if (header->role != CELLA_MAIL_HELLO) {
        session->unnamed_number = 0;
    }
}

enum cella_status cella_mail_reader_finish(struct cella_mail_reader *reader,
                                           struct cella_mail_letter *ret_letter, struct cella_error *error) {
    const struct cella_mail_header *header = &reader->opener.header;
    struct cella_session_topic *topic = NULL;
    if (!reader->opener.complete || reader->opener.failed)
        return cella_fail(error, CELLA_MAIL_REFUSED, "the mail does not open");
    if (reader->life != reader->session->life)
        return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session was reset while a mail was read");
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a letter");
    enum cella_status status = check_order(reader, &topic, error);
    if (status == CELLA_OK && reader->session->judge != NULL)
        status = reader->session->judge(reader->session->judge_context, header, error);
    if (status == CELLA_OK && header->kind == CELLA_MAIL_SESSION_ACCEPT)
        status = enter_session(reader, error);
    if (status != CELLA_OK) {
        free(memory);
        return status;
    }
    take(reader, topic);
    fill_letter(reader, memory, ret_letter);
    return CELLA_OK;
}

void cella_mail_letter_deinit(struct cella_mail_letter *letter) {
    struct memory *memory = letter->memory;
    if (memory != NULL) {
        free(memory->head);
        cella_wipe_free(memory->body, memory->body_size);
        free(memory);
    }
    *letter = (struct cella_mail_letter){0};
}

enum cella_status cella_mail_session_open(struct cella_mail_session *session, struct cella_bytes mail,
                                          struct cella_mail_letter *ret_letter, struct cella_error *error) {
    struct cella_mail_reader *reader = NULL;
    enum cella_status status = cella_mail_session_reader(session, &reader);
    if (status != CELLA_OK)
        return cella_fail(error, status, "a reader");
    reader->opener.expected_size = mail.size;
    status = cella_mail_reader_feed(reader, mail, error);
    if (status == CELLA_OK)
        status = cella_mail_reader_finish(reader, ret_letter, error);
    cella_mail_reader_free(reader);
    return status;
}
