/* The client's end: the life of a session and its topics. Must not keep what another instance or life has
 * made invalid. */
#include "mail/session.h"
#include "base/error.h"
#include "base/secret.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

enum cella_status cella_mail_session_new(const struct cella_x25519_key *own,
                                         const uint8_t enclave_key[CELLA_MAIL_KEY_SIZE],
                                         struct cella_mail_session **ret_session) {
    struct cella_mail_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status = cella_x25519_copy(&session->own, own);
    if (status != CELLA_OK) {
        free(session);
        return status;
    }
    memcpy(session->enclave_key, enclave_key, CELLA_MAIL_KEY_SIZE);
    *ret_session = session;
    return CELLA_OK;
}

static void free_topics(struct cella_mail_session *session) {
    while (session->topics != NULL) {
        struct cella_session_topic *topic = session->topics;
        session->topics = topic->next;
        free(topic);
    }
    session->topic_count = 0;
}

void cella_mail_session_restart(struct cella_mail_session *session) {
    cella_noise_handshake_deinit(&session->handshake);
    cella_noise_cipher_deinit(&session->send);
    session->send_number = 0;
    session->unnamed_number = 0;
    session->serial++;
    session->phase = CELLA_MAIL_PHASE_NEW;
}

void cella_mail_session_reset(struct cella_mail_session *session,
                              const uint8_t enclave_key[CELLA_MAIL_KEY_SIZE]) {
    cella_mail_session_restart(session);
    session->life++;
    free_topics(session);
    cella_wipe(session->slots, sizeof session->slots);
    session->slot_count = 0;
    session->former_count = 0;
    session->birth = 0;
    session->since = 0;
    session->collected = 0;
    session->birth_used = false;
    session->wants_birth = false;
    memmove(session->enclave_key, enclave_key, CELLA_MAIL_KEY_SIZE);
}

void cella_mail_session_rekey(struct cella_mail_session *session,
                              const uint8_t enclave_key[CELLA_MAIL_KEY_SIZE]) {
    cella_mail_session_restart(session);
    memmove(session->former + 1, session->former, sizeof session->former - sizeof session->former[0]);
    memcpy(session->former[0], session->enclave_key, sizeof session->former[0]);
    if (session->former_count < CELLA_MAIL_SESSION_FORMER)
        session->former_count++;
    memmove(session->enclave_key, enclave_key, CELLA_MAIL_KEY_SIZE);
}

void cella_mail_session_forget(struct cella_mail_session *session) {
    unsigned former_count = session->former_count;
    cella_mail_session_reset(session, session->enclave_key);
    session->former_count = former_count;
    session->wants_birth = true;
}

void cella_mail_session_free(struct cella_mail_session *session) {
    if (session == NULL)
        return;
    cella_mail_session_restart(session);
    free_topics(session);
    cella_x25519_deinit(&session->own);
    cella_wipe_free(session, sizeof *session);
}

void cella_mail_session_set_mailbox_key(struct cella_mail_session *session,
                                        const uint8_t key[CELLA_MAIL_KEY_SIZE], uint64_t generation) {
    memset(session->mailbox_key, 0, sizeof session->mailbox_key);
    session->mailbox_generation = key == NULL ? 0 : generation;
    if (key != NULL)
        memcpy(session->mailbox_key, key, CELLA_MAIL_KEY_SIZE);
}

enum cella_status cella_mail_session_set_context(struct cella_mail_session *session,
                                                 struct cella_bytes context) {
    if (context.size > CELLA_MAIL_CONTEXT_MAX)
        return CELLA_LIMIT;
    if (context.size > 0)
        memcpy(session->context, context.data, context.size);
    session->context_size = context.size;
    return CELLA_OK;
}

void cella_mail_session_set_judge(struct cella_mail_session *session, cella_mail_judge *judge,
                                  void *context) {
    session->judge = judge;
    session->judge_context = context;
}

bool cella_mail_session_has_heard(const struct cella_mail_session *session) {
    bool heard = session->slot_count > 0;
    for (const struct cella_session_topic *topic = session->topics; topic != NULL && !heard;
         topic = topic->next)
        heard = topic->replied > 0 || topic->next_post > 0;
    return heard;
}

void cella_mail_session_fix(struct cella_mail_session *session, const struct cella_mail_fixed *fixed) {
    session->fixed = fixed;
}

enum cella_mail_session_phase cella_mail_session_phase(const struct cella_mail_session *session) {
    return session->phase;
}

const uint8_t *cella_mail_session_enclave_key(const struct cella_mail_session *session) {
    return session->enclave_key;
}

bool cella_mail_session_needs_hello(const struct cella_mail_session *session, uint64_t body_size) {
    if (session->phase == CELLA_MAIL_PHASE_OPEN)
        return false;
    return session->wants_birth || body_size > CELLA_MAIL_PACKET_SIZE ||
           cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, body_size) > CELLA_MAIL_PACKET_SIZE;
}

struct cella_session_topic *cella_session_topic_find(const struct cella_mail_session *session,
                                                     struct cella_bytes name) {
    for (struct cella_session_topic *topic = session->topics; topic != NULL; topic = topic->next)
        if (strlen(topic->name) == name.size && memcmp(topic->name, name.data, name.size) == 0)
            return topic;
    return NULL;
}

enum cella_status cella_session_topic_get(struct cella_mail_session *session, struct cella_bytes name,
                                          struct cella_session_topic **ret_topic, struct cella_error *error) {
    if (!cella_mail_topic_valid(name))
        return cella_fail(error, CELLA_MAIL_TOPIC, "topic of %zu bytes", name.size);
    struct cella_session_topic *topic = cella_session_topic_find(session, name);
    if (topic == NULL) {
        if (session->topic_count >= CELLA_MAIL_SESSION_TOPICS)
            return cella_fail(error, CELLA_LIMIT, "a client has at most %u topics",
                              CELLA_MAIL_SESSION_TOPICS);
        topic = calloc(1, sizeof *topic);
        if (topic == NULL)
            return cella_fail(error, CELLA_NO_MEMORY, "a new topic");
        memcpy(topic->name, name.data, name.size);
        topic->next = session->topics;
        session->topics = topic;
        session->topic_count++;
    }
    *ret_topic = topic;
    return CELLA_OK;
}
