/* The order of a sender's requests. Must not run a request twice, nor one whose history may have been
 * forgotten. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/kept.h"
#include <stdlib.h>
#include <string.h>

static bool any_busy(const struct cella_history_sender *sender) {
    for (const struct cella_history_topic *topic = sender->topics; topic != NULL; topic = topic->next)
        if (topic->busy || topic->waiting_posts > 0)
            return true;
    return false;
}

enum cella_status cella_history_check_new(const struct cella_history *history, uint64_t birth,
                                          struct cella_error *error) {
    if (birth >= history->kept.floor && birth <= history->clock)
        return CELLA_OK;
    return cella_fail(error, CELLA_MAIL_UNKNOWN_HISTORY, "birth %llu is not between %llu and %llu",
                      (unsigned long long)birth, (unsigned long long)history->kept.floor,
                      (unsigned long long)history->clock);
}

/* A sender's mail names its birth. One that was forgotten, or that has forgotten itself, is never taken for
 * one whose order is known. */
static enum cella_status check_birth(struct cella_history *history, struct cella_history_sender *sender,
                                     const struct cella_history_request *request, struct cella_error *error) {
    if (sender->kept.has_birth && request->birth == sender->kept.birth)
        return CELLA_OK;
    if (cella_history_check_new(history, request->birth, error) != CELLA_OK)
        return CELLA_MAIL_UNKNOWN_HISTORY;
    if (sender->kept.has_birth && (request->birth < sender->kept.birth || request->sequence != 0))
        return cella_fail(error, CELLA_MAIL_UNKNOWN_HISTORY,
                          "this sender's birth is %llu, the mail says %llu",
                          (unsigned long long)sender->kept.birth, (unsigned long long)request->birth);
    if (sender->kept.has_birth && any_busy(sender))
        return cella_fail(error, CELLA_MAIL_BUSY,
                          "the sender starts anew while a request of it or a post to it is handled");
    if (sender->kept.has_birth && history->keep == NULL)
        cella_history_topics_free(history, sender);
    if (sender->kept.has_birth && history->keep != NULL) {
        enum cella_status status = cella_kept_clear(history, sender->key, &sender->kept);
        if (status != CELLA_OK)
            return cella_fail(error, status, "the sender's former life cannot be removed");
    }
    sender->kept.has_birth = true;
    sender->kept.birth = request->birth;
    return CELLA_OK;
}

/* The request before the next one: done already. */
static enum cella_status check_repeat(const struct cella_history_topic *topic,
                                      const struct cella_history_request *request,
                                      struct cella_error *error) {
    if (topic->has_last && memcmp(topic->last_mail, request->mail_id, CELLA_MAIL_ID_SIZE) == 0)
        return cella_fail(error, CELLA_MAIL_REPLAY, "topic %s, sequence %llu", topic->name,
                          (unsigned long long)request->sequence);
    if (!cella_equal_secret(topic->fingerprint, request->fingerprint, CELLA_FINGERPRINT_SIZE))
        return cella_fail(error, CELLA_MAIL_NAME_USED, "topic %s, sequence %llu", topic->name,
                          (unsigned long long)request->sequence);
    if (topic->reply_state == CELLA_REPLY_GONE)
        return cella_fail(error, CELLA_MAIL_REPLY_GONE, "topic %s, sequence %llu", topic->name,
                          (unsigned long long)request->sequence);
    return CELLA_OK;
}

/* The next request. The same bytes again after a handler failed: the client did not send them twice. */
static enum cella_status check_attempt(const struct cella_history *history,
                                       const struct cella_history_topic *topic,
                                       const struct cella_history_request *request,
                                       struct cella_error *error) {
    unsigned count = 0;
    for (const struct cella_history_attempt *attempt = topic->attempts; attempt != NULL;
         attempt = attempt->next) {
        if (memcmp(attempt->mail_id, request->mail_id, CELLA_MAIL_ID_SIZE) == 0)
            return cella_fail(error, CELLA_MAIL_REPLAY, "topic %s, sequence %llu", topic->name,
                              (unsigned long long)request->sequence);
        count += attempt->birth == request->birth && attempt->sequence == request->sequence;
    }
    if (request->in_session)
        return CELLA_OK;
    if (count >= CELLA_MAIL_ATTEMPTS)
        return cella_fail(error, CELLA_MAIL_ATTEMPTS_USED, "topic %s, sequence %llu: %u attempts failed",
                          topic->name, (unsigned long long)request->sequence, count);
    if (history->keep != NULL && history->attempts >= CELLA_MAIL_ATTEMPTS_OF_ALL)
        return cella_fail(error, CELLA_MAIL_ATTEMPTS_USED, "%llu attempts of all senders failed",
                          (unsigned long long)history->attempts);
    return CELLA_OK;
}

static enum cella_status add_attempt(struct cella_history *history, struct cella_history_topic *topic,
                                     const struct cella_history_request *request, struct cella_error *error) {
    if (request->in_session)
        return CELLA_OK;
    struct cella_history_attempt *attempt = malloc(sizeof *attempt);
    if (attempt == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "an attempt");
    attempt->birth = request->birth;
    attempt->sequence = request->sequence;
    memcpy(attempt->mail_id, request->mail_id, sizeof attempt->mail_id);
    attempt->next = topic->attempts;
    topic->attempts = attempt;
    history->attempts++;
    return CELLA_OK;
}

static enum cella_status check_order(const struct cella_history *history,
                                     const struct cella_history_topic *topic,
                                     const struct cella_history_request *request, struct cella_error *error) {
    uint64_t next = topic->next_sequence;
    unsigned long long sequence = request->sequence;
    if (topic->busy && (sequence == next || sequence == next + 1))
        return cella_fail(error, CELLA_MAIL_BUSY, "topic %s, sequence %llu is being handled", topic->name,
                          (unsigned long long)next);
    if (sequence > next && next == 0)
        return cella_fail(error, CELLA_MAIL_FIRST, "topic %s begins with sequence %llu", topic->name,
                          sequence);
    if (sequence > next)
        return cella_fail(error, CELLA_MAIL_GAP, "topic %s has sequence %llu, expected %llu", topic->name,
                          sequence, (unsigned long long)next);
    if (sequence + 1 < next)
        return cella_fail(error, CELLA_MAIL_REPLAY, "topic %s has sequence %llu, expected %llu", topic->name,
                          sequence, (unsigned long long)next);
    return sequence == next ? check_attempt(history, topic, request, error) : CELLA_OK;
}

/* A copy of the reply that is stored, if one is. */
static enum cella_status copy_reply(struct cella_history *history, const struct cella_history_sender *sender,
                                    const struct cella_history_topic *topic,
                                    struct cella_history_answer *answer, struct cella_error *error) {
    struct cella_bytes reply = CELLA_BYTES(topic->reply, topic->reply_size);
    if (topic->reply_state != CELLA_REPLY_STORED)
        return CELLA_OK;
    enum cella_status status = CELLA_OK;
    if (history->keep != NULL)
        status = cella_kept_topic_reply(history, sender, topic, &reply);
    if (status != CELLA_OK)
        return cella_fail(error, status, "a reply that was kept cannot be read");
    answer->reply = malloc(reply.size + 1);
    if (answer->reply == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a reply that was kept");
    memcpy(answer->reply, reply.data, reply.size);
    answer->reply_size = reply.size;
    return CELLA_OK;
}

/* The sender is heard: it will not be forgotten soon. */
static enum cella_status hear(struct cella_history *history, struct cella_history_sender *sender,
                              struct cella_error *error) {
    cella_table_touch(&history->senders, &sender->node);
    if (history->keep == NULL)
        return CELLA_OK;
    enum cella_status status = cella_kept_sender_place(history, sender);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "a sender cannot be kept");
}

enum cella_status cella_history_begin(struct cella_history *history, struct cella_history_sender *sender,
                                      const struct cella_history_request *request,
                                      struct cella_history_answer *ret_answer, struct cella_error *error) {
    struct cella_history_answer answer = {.verdict = CELLA_MAILBOX_RUN};
    struct cella_history_topic *topic = NULL;
    enum cella_status status = check_birth(history, sender, request, error);
    if (status == CELLA_OK)
        status = cella_history_topic(history, sender, request->topic, &topic, error);
    if (status == CELLA_OK)
        status = check_order(history, topic, request, error);
    if (status != CELLA_OK)
        return status;
    if (request->sequence != topic->next_sequence)
        answer.verdict = CELLA_MAILBOX_REPEAT;
    if (answer.verdict == CELLA_MAILBOX_REPEAT)
        status = check_repeat(topic, request, error);
    if (status == CELLA_OK)
        status = hear(history, sender, error);
    if (status == CELLA_OK)
        status = answer.verdict == CELLA_MAILBOX_REPEAT ? copy_reply(history, sender, topic, &answer, error)
                                                        : add_attempt(history, topic, request, error);
    if (status != CELLA_OK)
        return status;
    memcpy(topic->last_mail, request->mail_id, sizeof topic->last_mail);
    topic->has_last = true;
    if (answer.verdict == CELLA_MAILBOX_RUN) {
        memcpy(topic->next_fingerprint, request->fingerprint, sizeof topic->next_fingerprint);
        topic->came_in_session = request->in_session;
        topic->busy = true;
        answer.topic = topic;
    }
    *ret_answer = answer;
    return CELLA_OK;
}

enum cella_status cella_history_commit(struct cella_history *history, struct cella_history_sender *sender,
                                       struct cella_history_topic *topic, const struct cella_bytes *reply) {
    CELLA_ASSERT(topic->busy);
    if (history->keep != NULL) {
        enum cella_status status = cella_kept_topic_done(history, sender, topic, reply);
        topic->busy = status != CELLA_OK;
        return status;
    }
    cella_history_reply_set(history, topic, reply);
    memcpy(topic->fingerprint, topic->next_fingerprint, sizeof topic->fingerprint);
    /* From now on the sequence tells what comes too late. */
    cella_history_attempts_free(history, topic);
    topic->next_sequence++;
    topic->busy = false;
    return CELLA_OK;
}

void cella_history_abort(struct cella_history_topic *topic) {
    CELLA_ASSERT(topic->busy);
    topic->busy = false;
}
