/* Requests of a client: what is sent, what is asked again under the same name, what is known afterwards.
 * Must not: give a name to two requests unless the first is known not to have been done, or given up. */
#include "base/error.h"
#include "base/secret.h"
#include "client/client_internal.h"
#include "crypto/hash.h"
#include <stdlib.h>
#include <string.h>

/* One request on its way. */
struct work {
    struct cella_client *client;
    const char *topic;
    const struct cella_client_request *request;
    enum cella_mail_way way;
    uint8_t digest[32];
    bool repeat;    /* the topic's last name is used again */
    bool given_up;  /* that name belongs to a request that the caller gave up */
    bool in_doubt;  /* an earlier attempt under that name left and was not answered */
    bool restarted; /* a session with the same instance was dropped once for this request */
    bool replayed;  /* the host says that it knows a mail that was sent once */
    bool hello;     /* the request goes in a session that is open already */
    unsigned pauses;
    struct cella_mail_letter letter; /* the reply */
};

static void digest_request(struct work *work) {
    struct cella_sha256 hash;
    uint64_t parts[2] = {(uint64_t)work->way, work->request->envelope.size};
    cella_sha256_init(&hash);
    cella_sha256_update(&hash, parts, sizeof parts);
    cella_sha256_update(&hash, work->request->envelope.data, work->request->envelope.size);
    cella_sha256_update(&hash, work->request->body.data, work->request->body.size);
    cella_sha256_digest(&hash, work->digest);
    cella_sha256_deinit(&hash);
}

static enum cella_client_course course_after(const struct work *work, enum cella_status status) {
    enum cella_client_course course = cella_client_course_after(status);
    bool spent = (course == CELLA_COURSE_ATTEST && work->restarted) ||
                 (status == CELLA_MAIL_REPLAY && work->replayed) ||
                 (course == CELLA_COURSE_HELLO && (work->hello || work->way != CELLA_MAIL_WAY_SESSION)) ||
                 (course == CELLA_COURSE_GO_ON && !work->given_up);
    return spent ? CELLA_COURSE_END : course;
}

static enum cella_status open_session(struct work *work, struct cella_error *error) {
    struct cella_client *client = work->client;
    /* One-shot mail to the mailbox key is for an enclave that may be asleep. */
    if (work->way != CELLA_MAIL_WAY_MAILBOX && cella_client_must_meet(client))
        return cella_client_say_hello(client, error);
    if (work->way != CELLA_MAIL_WAY_SESSION)
        return CELLA_OK;
    /* Whoever opened it got no answer: nothing can be sealed in that session. */
    if (cella_mail_session_phase(client->session) == CELLA_MAIL_PHASE_OPENING)
        cella_mail_session_restart(client->session);
    if (cella_mail_session_phase(client->session) == CELLA_MAIL_PHASE_OPEN)
        return CELLA_OK;
    if (!client->empty_first_message && !work->hello &&
        !cella_mail_session_needs_hello(client->session, work->request->body.size))
        return CELLA_OK;
    return cella_client_say_hello(client, error);
}

static enum cella_status note(struct work *work, enum cella_client_outcome outcome,
                              struct cella_error *error) {
    work->client->dirty = true;
    if (cella_client_pending_set(&work->client->state, work->topic, outcome, work->digest) == CELLA_OK)
        return CELLA_OK;
    return cella_fail(error, CELLA_LIMIT,
                      "%d topics have requests without an answer, as many as a client keeps",
                      CELLA_CLIENT_PENDING_LIMIT);
}

/* A handler that refuses settles the doubt about earlier attempts: had one been done, its reply would have
 * come back. A refusal on the way to the handler tells of this attempt only. */
static void note_refusal(struct work *work, enum cella_status status) {
    bool settled = status == CELLA_HANDLER_FAILED || (cella_client_means_not_done(status) && !work->in_doubt);
    if (settled && !work->given_up)
        note(work, CELLA_CLIENT_DENIED, NULL);
    work->in_doubt = !settled;
}

/* Seals and sends; the reply's bytes are the caller's to free. What left is on disk before it leaves. */
static enum cella_status seal_and_carry(struct work *work, uint64_t *ret_sequence, uint8_t **ret_reply,
                                        size_t *ret_size, struct cella_error *error) {
    struct cella_client *client = work->client;
    uint8_t *mail = NULL;
    size_t size = 0;
    struct cella_mail_request request = {.topic = work->topic,
                                         .envelope = work->request->envelope,
                                         .way = work->way,
                                         .padding = client->padding,
                                         .repeat = work->repeat,
                                         .ret_sequence = ret_sequence};
    enum cella_status status =
        note(work, work->given_up ? CELLA_CLIENT_GIVEN_UP : CELLA_CLIENT_IN_DOUBT, error);
    if (status != CELLA_OK)
        return status;
    status = cella_client_prepare_context(client, error);
    if (status == CELLA_OK)
        status = cella_mail_session_seal(client->session, &request, work->request->body, &mail, &size, error);
    if (status != CELLA_OK) {
        if (!work->repeat)
            cella_client_pending_clear(&client->state, work->topic);
        return status;
    }
    work->repeat = true;
    status = cella_client_carry(client, CELLA_BYTES(mail, size), ret_reply, ret_size, error);
    free(mail);
    if (status != CELLA_OK)
        note_refusal(work, status);
    return status;
}

static enum cella_status open_reply(struct work *work, uint64_t sequence, struct cella_bytes reply,
                                    struct cella_error *error) {
    struct cella_client *client = work->client;
    enum cella_status status = cella_client_open_letter(client, reply, &work->letter, error);
    if (status != CELLA_OK)
        return status;
    const struct cella_mail_letter *letter = &work->letter;
    bool fits = (letter->role == CELLA_MAIL_REPLY || letter->role == CELLA_MAIL_DONE) &&
                letter->sequence == sequence && strcmp(letter->topic, work->topic) == 0;
    client->dirty = true;
    if (!fits) {
        cella_mail_letter_deinit(&work->letter);
        return cella_fail(error, CELLA_MAIL_UNEXPECTED, "the host answered with mail that is not the reply");
    }
    cella_client_pending_clear(&client->state, work->topic);
    return CELLA_OK;
}

/* `*ret_answered` tells a status of the host's from one of opening its answer. */
static enum cella_status attempt(struct work *work, bool *ret_answered, struct cella_error *error) {
    uint8_t *reply = NULL;
    size_t size = 0;
    uint64_t sequence = 0;
    *ret_answered = false;
    enum cella_status status = open_session(work, error);
    if (status == CELLA_OK)
        status = seal_and_carry(work, &sequence, &reply, &size, error);
    if (status == CELLA_OK) {
        *ret_answered = true;
        status = size == 0 ? cella_fail(error, CELLA_HTTP_ANSWER, "the host gave no reply to a request")
                           : open_reply(work, sequence, CELLA_BYTES(reply, size), error);
    }
    free(reply);
    return status;
}

/* The instance lost the session: is it another one now? */
static enum cella_status attest_again(struct work *work, struct cella_error *error) {
    struct cella_client *client = work->client;
    uint8_t before[32];
    memcpy(before, cella_mail_session_enclave_key(client->session), sizeof before);
    enum cella_status status = cella_client_attest(client, NULL, error);
    if (status != CELLA_OK)
        return status;
    if (memcmp(before, cella_mail_session_enclave_key(client->session), sizeof before) == 0) {
        work->restarted = true;
        if (work->way == CELLA_MAIL_WAY_SESSION)
            cella_mail_session_restart(client->session);
        return CELLA_OK;
    }
    /* With a vault another instance knows what this one did: the same name again is right. */
    if (cella_client_state_has_vault(&client->state))
        return CELLA_OK;
    work->repeat = false;
    work->given_up = false;
    work->in_doubt = false;
    struct cella_client_pending *entry = cella_client_pending_find(&client->state, work->topic);
    if (entry == NULL || entry->outcome != CELLA_CLIENT_LOST)
        return CELLA_OK;
    cella_client_pending_clear(&client->state, work->topic);
    return cella_fail(error, CELLA_CLIENT_UNKNOWN_OUTCOME,
                      "the instance ended while the request on topic %s was under way", work->topic);
}

/* The request that was given up had been done: its name is used, its reply will not be waited for. */
static enum cella_status go_on(struct work *work, struct cella_error *error) {
    struct cella_client *client = work->client;
    uint64_t sequence = 0;
    enum cella_status status = cella_mail_session_outstanding(client->session, work->topic, &sequence);
    if (status == CELLA_OK)
        status = cella_mail_session_give_up_replies(client->session, work->topic, sequence + 1);
    if (status != CELLA_OK)
        return cella_fail(error, status, "cannot go on after a request that was given up");
    cella_client_pending_clear(&client->state, work->topic);
    work->repeat = false;
    work->given_up = false;
    work->in_doubt = false;
    return CELLA_OK;
}

/* What an earlier request on this topic means for this one. */
static enum cella_status look_back(struct work *work, struct cella_error *error) {
    struct cella_client_state *state = &work->client->state;
    const struct cella_client_pending *entry = cella_client_pending_find(state, work->topic);
    if (entry == NULL)
        return CELLA_OK;
    switch (entry->outcome) {
    case CELLA_CLIENT_LOST:
        cella_client_pending_clear(state, work->topic);
        work->client->dirty = true;
        return cella_fail(
            error, CELLA_CLIENT_UNKNOWN_OUTCOME,
            "the instance ended, or its vault was restored, while an earlier request on topic %s "
            "was under way",
            work->topic);
    case CELLA_CLIENT_IN_DOUBT:
        if (!cella_equal_secret(entry->digest, work->digest, sizeof work->digest))
            return cella_fail(error, CELLA_CLIENT_PENDING,
                              "the last request on topic %s has no answer yet, and this is another one",
                              work->topic);
        work->in_doubt = true;
        break;
    case CELLA_CLIENT_GIVEN_UP:
        work->given_up = true;
        break;
    case CELLA_CLIENT_DENIED:
        break;
    }
    uint64_t sequence = 0;
    work->repeat = cella_mail_session_outstanding(work->client->session, work->topic, &sequence) == CELLA_OK;
    return CELLA_OK;
}

/* After a failure that ends the request. */
static enum cella_status conclude(struct work *work, enum cella_status status, bool answered,
                                  struct cella_error *error) {
    struct cella_client *client = work->client;
    bool used = status == CELLA_MAIL_NAME_USED || status == CELLA_MAIL_REPLAY;
    if (used && !answered && !cella_mail_session_has_heard(client->session))
        status = cella_fail(error, CELLA_MAIL_UNKNOWN_HISTORY,
                            "the enclave has mail of this key that this client knows nothing of");
    if (status == CELLA_MAIL_UNKNOWN_HISTORY && !answered) {
        cella_client_begin_anew(client);
        cella_client_pending_clear(&client->state, work->topic);
    }
    if (status == CELLA_MAIL_NAME_USED && !answered) {
        /* The next request copes with a name that is used. */
        note(work, CELLA_CLIENT_GIVEN_UP, NULL);
        cella_fail_context(
            error, status,
            "this client file was restored or copied, or the host lied that an earlier request "
            "was refused");
    }
    return status;
}

static enum cella_status take_course(struct work *work, enum cella_client_course course, bool last,
                                     struct cella_error *error) {
    switch (course) {
    case CELLA_COURSE_AGAIN:
        if (!last)
            cella_client_pause(work->client, work->pauses++);
        return CELLA_OK;
    case CELLA_COURSE_ATTEST:
        return attest_again(work, error);
    case CELLA_COURSE_GO_ON:
        return go_on(work, error);
    default:
        work->hello = true;
        return CELLA_OK;
    }
}

static enum cella_status work_through(struct work *work, struct cella_error *error) {
    enum cella_status status = CELLA_UNAVAILABLE;
    for (unsigned left = work->client->attempt_limit; left > 0; left--) {
        bool answered = false;
        status = attempt(work, &answered, error);
        enum cella_client_course course =
            status == CELLA_OK || answered ? CELLA_COURSE_END : course_after(work, status);
        if (course == CELLA_COURSE_END)
            return status == CELLA_OK ? status : conclude(work, status, answered, error);
        work->replayed |= status == CELLA_MAIL_REPLAY;
        enum cella_status step = take_course(work, course, left == 1, error);
        if (step != CELLA_OK)
            return step;
    }
    return status;
}

static enum cella_status exchange(struct cella_client *client, const struct cella_client_request *request,
                                  enum cella_mail_way way, bool *ret_replied,
                                  struct cella_client_mail *ret_reply, struct cella_error *error) {
    struct work work = {.client = client,
                        .topic = request->topic != NULL ? request->topic : "default",
                        .request = request,
                        .way = way};
    if (!cella_mail_topic_valid(CELLA_BYTES(work.topic, strlen(work.topic))))
        return cella_fail(error, CELLA_MAIL_TOPIC, "a topic is 1 to 255 letters, digits and '-'");
    digest_request(&work);
    enum cella_status status = cella_client_may_speak(client, error);
    if (status == CELLA_OK)
        status = cella_client_ensure(client, error);
    if (status == CELLA_OK)
        status = look_back(&work, error);
    if (status == CELLA_OK)
        status = work_through(&work, error);
    if (status != CELLA_OK) {
        cella_client_store(client, NULL);
        return cella_client_remember_fork(client, status, error);
    }
    bool replied = work.letter.role == CELLA_MAIL_REPLY;
    if (replied && ret_reply != NULL)
        status = cella_client_mail_take(&work.letter, ret_reply, error);
    if (status == CELLA_OK && ret_replied != NULL)
        *ret_replied = replied;
    cella_mail_letter_deinit(&work.letter);
    return status;
}

enum cella_status cella_client_request(struct cella_client *client,
                                       const struct cella_client_request *request, bool *ret_replied,
                                       struct cella_client_mail *ret_reply, struct cella_error *error) {
    return exchange(client, request, CELLA_MAIL_WAY_SESSION, ret_replied, ret_reply, error);
}

enum cella_status cella_client_send(struct cella_client *client, enum cella_client_key key,
                                    const struct cella_client_request *request, bool *ret_replied,
                                    struct cella_client_mail *ret_reply, struct cella_error *error) {
    enum cella_mail_way way =
        key == CELLA_CLIENT_KEY_MAILBOX ? CELLA_MAIL_WAY_MAILBOX : CELLA_MAIL_WAY_ONE_SHOT;
    return exchange(client, request, way, ret_replied, ret_reply, error);
}

enum cella_status cella_client_give_up(struct cella_client *client, const char *topic,
                                       struct cella_error *error) {
    topic = topic != NULL ? topic : "default";
    enum cella_status status = cella_client_may_speak(client, error);
    if (status != CELLA_OK)
        return status;
    struct cella_client_pending *entry = cella_client_pending_find(&client->state, topic);
    if (entry == NULL)
        return cella_fail(error, CELLA_NOT_FOUND, "every request on topic %s is answered", topic);
    if (entry->outcome == CELLA_CLIENT_LOST)
        cella_client_pending_clear(&client->state, entry->topic);
    else
        entry->outcome = CELLA_CLIENT_GIVEN_UP;
    client->dirty = true;
    return cella_client_store(client, error);
}
