/* The client's end: sealing requests, queries and what carries neither. Must not use a mail number twice
 * under one key. */
#include "base/error.h"
#include "crypto/random.h"
#include "mail/session.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status start_opening(struct cella_mail_session *session, struct cella_session_work *work) {
    struct cella_mail_header *header = &work->sealer.header;
    header->kind = CELLA_MAIL_SESSION_OPEN;
    work->sealer.handshake = &session->handshake;
    work->sealer.setup = (struct cella_noise_setup){
        .pattern = CELLA_NOISE_IK, .initiator = true, .s = &session->own, .rs = session->enclave_key};
    memcpy(session->id, header->session_id, sizeof session->id);
    session->phase = CELLA_MAIL_PHASE_OPENING;
    return CELLA_OK;
}

static enum cella_status start_one_shot(struct cella_mail_session *session, enum cella_mail_way way,
                                        struct cella_session_work *work, struct cella_error *error) {
    bool mailbox = way == CELLA_MAIL_WAY_MAILBOX;
    if (mailbox && session->mailbox_generation == 0)
        return cella_fail(error, CELLA_NOT_FOUND, "the enclave has no mailbox key");
    if (session->wants_birth)
        return cella_fail(error, CELLA_MAIL_NOT_OPEN, "a hello must fetch a birth first");
    work->sealer.header.kind = CELLA_MAIL_ONE_SHOT;
    work->sealer.header.generation = mailbox ? session->mailbox_generation : 0;
    work->sealer.handshake = &work->one_shot;
    work->sealer.setup =
        (struct cella_noise_setup){.pattern = CELLA_NOISE_X,
                                   .initiator = true,
                                   .s = &session->own,
                                   .rs = mailbox ? session->mailbox_key : session->enclave_key};
    return CELLA_OK;
}

static enum cella_status start_transport(struct cella_mail_session *session, struct cella_session_work *work,
                                         struct cella_error *error) {
    struct cella_mail_header *header = &work->sealer.header;
    if (session->send_number >= CELLA_MAIL_NUMBER_MAX)
        return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session has no mail numbers left");
    header->kind = CELLA_MAIL_SESSION;
    header->number = ++session->send_number;
    memcpy(header->session_id, session->id, sizeof header->session_id);
    work->sealer.cipher = &session->send;
    return CELLA_OK;
}

/* Chooses kind, keys and number. Changes the session only if it succeeds. */
static enum cella_status start(struct cella_mail_session *session, enum cella_mail_way way,
                               struct cella_session_work *work, struct cella_error *error) {
    struct cella_mail_header *header = &work->sealer.header;
    enum cella_status status = CELLA_OK;
    work->session = session;
    work->serial = session->serial;
    work->life = session->life;
    header->birth = session->birth;
    header->context = CELLA_BYTES(session->context, session->context_size);
    if (way == CELLA_MAIL_WAY_SESSION && session->phase == CELLA_MAIL_PHASE_OPEN)
        return start_transport(session, work, error);
    if (session->fixed != NULL) {
        memcpy(header->session_id, session->fixed->session_id, sizeof header->session_id);
        work->sealer.fixed_ephemeral = session->fixed->ephemeral;
    } else if ((status = cella_random(header->session_id, sizeof header->session_id)) != CELLA_OK) {
        return cella_fail(error, status, "the session's id");
    }
    if (way != CELLA_MAIL_WAY_SESSION)
        return start_one_shot(session, way, work, error);
    if (session->phase == CELLA_MAIL_PHASE_OPENING)
        return cella_fail(error, CELLA_MAIL_NOT_OPEN, "the session is being opened");
    if (session->wants_birth && header->role != CELLA_MAIL_HELLO)
        return cella_fail(error, CELLA_MAIL_NOT_OPEN, "a hello must fetch a birth first");
    return start_opening(session, work);
}

/* The topic of a mail in work, unless the session was reset meanwhile. */
static struct cella_session_topic *work_topic(const struct cella_session_work *work) {
    if (work->sealer.header.role != CELLA_MAIL_REQUEST || work->life != work->session->life)
        return NULL;
    return cella_session_topic_find(work->session, work->sealer.header.topic);
}

void cella_session_work_cancel(struct cella_session_work *work) {
    struct cella_mail_session *session = work->session;
    struct cella_session_topic *topic = work_topic(work);
    if (work->sealer.header.kind == CELLA_MAIL_SESSION_OPEN && session->serial == work->serial)
        cella_mail_session_restart(session);
    if (topic != NULL && !work->repeat && topic->next_sequence == work->sealer.header.sequence + 1)
        topic->next_sequence--;
}

void cella_session_work_finish(struct cella_session_work *work) {
    const struct cella_mail_header *header = &work->sealer.header;
    struct cella_session_topic *topic = work_topic(work);
    if (topic == NULL)
        return;
    work->session->birth_used = true;
    if (topic->next_sequence != header->sequence + 1)
        return;
    topic->attempt_kind = header->kind;
    topic->attempt_number = header->number;
    memcpy(topic->attempt_id, header->session_id, sizeof topic->attempt_id);
}

bool cella_session_work_current(const struct cella_session_work *work) {
    const struct cella_mail_session *session = work->session;
    bool one_shot = work->sealer.header.kind == CELLA_MAIL_ONE_SHOT;
    return work->life == session->life && (one_shot || work->serial == session->serial);
}

void cella_session_work_deinit(struct cella_session_work *work) {
    cella_mail_sealer_deinit(&work->sealer);
    cella_noise_handshake_deinit(&work->one_shot);
}

enum cella_status cella_session_work_start(struct cella_mail_session *session,
                                           const struct cella_mail_request *request,
                                           struct cella_session_work *work, struct cella_error *error) {
    struct cella_session_topic *topic = NULL;
    struct cella_bytes name = CELLA_BYTES(request->topic, strlen(request->topic));
    enum cella_status status = cella_session_topic_get(session, name, &topic, error);
    if (status != CELLA_OK)
        return status;
    if (request->repeat && topic->replied == topic->next_sequence)
        return cella_fail(error, CELLA_NOT_FOUND, "no request of topic %s waits for a reply", topic->name);
    if (request->envelope.size > CELLA_MAIL_ENVELOPE_MAX)
        return cella_fail(error, CELLA_LIMIT, "the envelope has %zu bytes, at most 65536 are allowed",
                          request->envelope.size);
    work->sealer.header = (struct cella_mail_header){.role = CELLA_MAIL_REQUEST,
                                                     .padding = request->padding,
                                                     .topic = CELLA_BYTES(topic->name, name.size),
                                                     .envelope = request->envelope,
                                                     .sequence = topic->next_sequence - request->repeat};
    status = start(session, request->way, work, error);
    if (status != CELLA_OK)
        return status;
    work->repeat = request->repeat;
    if (!request->repeat)
        topic->next_sequence++;
    return CELLA_OK;
}

static enum cella_status seal_work(struct cella_session_work *work, struct cella_bytes body,
                                   uint8_t **ret_mail, size_t *ret_size, struct cella_error *error) {
    uint64_t size = cella_mail_size(&work->sealer.header, body.size);
    uint8_t *out = malloc(size);
    enum cella_status status = out == NULL
                                   ? cella_fail(error, CELLA_NO_MEMORY, "a mail of %zu bytes", body.size)
                                   : cella_mail_sealer_whole(&work->sealer, body, out, error);
    if (status == CELLA_OK) {
        cella_session_work_finish(work);
        *ret_mail = out;
        *ret_size = size;
    } else {
        cella_session_work_cancel(work);
        free(out);
    }
    cella_session_work_deinit(work);
    return status;
}

enum cella_status cella_mail_session_hello(struct cella_mail_session *session, uint8_t **ret_mail,
                                           size_t *ret_size, struct cella_error *error) {
    struct cella_session_work work = {
        .sealer.header = {.role = CELLA_MAIL_HELLO, .padding = CELLA_MAIL_PADDING_CLASS}};
    if (session->phase != CELLA_MAIL_PHASE_NEW)
        return cella_fail(error, CELLA_MAIL_NOT_OPEN, "the session is open or being opened already");
    enum cella_status status = start(session, CELLA_MAIL_WAY_SESSION, &work, error);
    return status == CELLA_OK ? seal_work(&work, (struct cella_bytes){0}, ret_mail, ret_size, error) : status;
}

enum cella_status cella_mail_session_seal(struct cella_mail_session *session,
                                          const struct cella_mail_request *request, struct cella_bytes body,
                                          uint8_t **ret_mail, size_t *ret_size, struct cella_error *error) {
    struct cella_session_work work = {0};
    if (body.size > CELLA_MAIL_BODY_MAX)
        return cella_fail(error, CELLA_LIMIT, "a body has at most %llu bytes",
                          (unsigned long long)CELLA_MAIL_BODY_MAX);
    enum cella_status status = cella_session_work_start(session, request, &work, error);
    if (status != CELLA_OK)
        return status;
    uint64_t sequence = work.sealer.header.sequence;
    status = seal_work(&work, body, ret_mail, ret_size, error);
    if (status == CELLA_OK && request->ret_sequence != NULL)
        *request->ret_sequence = sequence;
    return status;
}

/* A session mail without a sequence; one at a time waits for its answer. */
static enum cella_status seal_unnamed(struct cella_mail_session *session, struct cella_session_work *work,
                                      struct cella_bytes body, uint8_t **ret_mail, size_t *ret_size,
                                      struct cella_error *error) {
    if (session->phase != CELLA_MAIL_PHASE_OPEN)
        return cella_fail(error, CELLA_MAIL_NOT_OPEN, "this goes in a session only: say hello first");
    enum cella_status status = start(session, CELLA_MAIL_WAY_SESSION, work, error);
    uint64_t number = work->sealer.header.number;
    if (status == CELLA_OK)
        status = seal_work(work, body, ret_mail, ret_size, error);
    if (status == CELLA_OK)
        session->unnamed_number = number;
    return status;
}

enum cella_status cella_mail_session_query(struct cella_mail_session *session,
                                           const struct cella_mail_request *request, struct cella_bytes body,
                                           uint8_t **ret_mail, size_t *ret_size, struct cella_error *error) {
    struct cella_bytes topic = CELLA_BYTES(request->topic, strlen(request->topic));
    struct cella_session_work work = {.sealer.header = {.role = CELLA_MAIL_QUERY,
                                                        .padding = request->padding,
                                                        .topic = topic,
                                                        .envelope = request->envelope}};
    if (!cella_mail_topic_valid(topic))
        return cella_fail(error, CELLA_MAIL_TOPIC, "topic of %zu bytes", topic.size);
    if (request->envelope.size > CELLA_MAIL_ENVELOPE_MAX || body.size > CELLA_MAIL_BODY_MAX)
        return cella_fail(error, CELLA_LIMIT, "the envelope or the body is too large");
    return seal_unnamed(session, &work, body, ret_mail, ret_size, error);
}

enum cella_status cella_mail_session_ack(struct cella_mail_session *session, uint8_t **ret_mail,
                                         size_t *ret_size, struct cella_error *error) {
    struct cella_session_work work = {
        .sealer.header = {.role = CELLA_MAIL_ACK, .padding = CELLA_MAIL_PADDING_CLASS}};
    return seal_unnamed(session, &work, (struct cella_bytes){0}, ret_mail, ret_size, error);
}
