/* Senders, topics, order. Must not run a request twice, nor one whose history may have been forgotten. */
#include "mail/history.h"
#include "base/error.h"
#include "base/secret.h"
#include <stdlib.h>
#include <string.h>

enum cella_status cella_history_init(struct cella_history *history,
                                     const struct cella_mailbox_limits *limits) {
    *history = (struct cella_history){.limits = *limits};
    return cella_table_init(&history->senders, limits->max_senders);
}

static void drop_reply(struct cella_history *history, struct cella_history_topic *topic,
                       enum cella_reply_state state) {
    if (topic->reply_state == CELLA_REPLY_STORED) {
        if (topic->newer_reply != NULL)
            topic->newer_reply->older_reply = topic->older_reply;
        else
            history->newest_reply = topic->older_reply;
        if (topic->older_reply != NULL)
            topic->older_reply->newer_reply = topic->newer_reply;
        else
            history->oldest_reply = topic->newer_reply;
        history->stored_bytes -= topic->reply_size;
        cella_wipe_free(topic->reply, topic->reply_size);
    }
    topic->reply = NULL;
    topic->reply_size = 0;
    topic->reply_state = state;
}

/* Drops the oldest replies until this one fits. Without memory it is not kept either. */
static void store_reply(struct cella_history *history, struct cella_history_topic *topic,
                        struct cella_bytes reply) {
    if (reply.size > history->limits.max_stored_reply || reply.size > history->limits.max_stored_bytes)
        return;
    while (history->stored_bytes + reply.size > history->limits.max_stored_bytes)
        drop_reply(history, history->oldest_reply, CELLA_REPLY_GONE);
    uint8_t *copy = malloc(reply.size + 1);
    if (copy == NULL)
        return;
    if (reply.size > 0)
        memcpy(copy, reply.data, reply.size);
    topic->reply = copy;
    topic->reply_size = reply.size;
    topic->reply_state = CELLA_REPLY_STORED;
    history->stored_bytes += reply.size;
    topic->newer_reply = NULL;
    topic->older_reply = history->newest_reply;
    if (history->newest_reply != NULL)
        history->newest_reply->newer_reply = topic;
    history->newest_reply = topic;
    if (history->oldest_reply == NULL)
        history->oldest_reply = topic;
}

static void free_attempts(struct cella_history_topic *topic) {
    while (topic->attempts != NULL) {
        struct cella_history_attempt *attempt = topic->attempts;
        topic->attempts = attempt->next;
        free(attempt);
    }
    topic->attempt_count = 0;
}

static void free_topic(struct cella_history *history, struct cella_history_topic *topic) {
    drop_reply(history, topic, CELLA_REPLY_NONE);
    free_attempts(topic);
    cella_wipe_free(topic, sizeof *topic);
}

static void free_topics(struct cella_history *history, struct cella_history_sender *sender) {
    while (sender->topics != NULL) {
        struct cella_history_topic *topic = sender->topics;
        sender->topics = topic->next;
        free_topic(history, topic);
    }
    sender->topic_count = 0;
}

static void remove_sender(struct cella_history *history, struct cella_history_sender *sender) {
    if (history->forget != NULL)
        history->forget(history->forget_context, sender);
    cella_table_remove(&history->senders, &sender->node);
    free_topics(history, sender);
    free(sender);
}

void cella_history_deinit(struct cella_history *history) {
    while (history->senders.oldest != NULL)
        remove_sender(history, CELLA_TABLE_ENTRY(history->senders.oldest, struct cella_history_sender, node));
    cella_table_deinit(&history->senders);
}

struct cella_history_sender *cella_history_find(struct cella_history *history,
                                                const uint8_t key[CELLA_MAIL_KEY_SIZE]) {
    uint64_t hash = cella_table_hash(&history->senders, CELLA_BYTES(key, CELLA_MAIL_KEY_SIZE));
    for (struct cella_table_node *node = cella_table_first(&history->senders, hash); node != NULL;
         node = cella_table_next(node)) {
        struct cella_history_sender *sender = CELLA_TABLE_ENTRY(node, struct cella_history_sender, node);
        if (memcmp(sender->key, key, CELLA_MAIL_KEY_SIZE) == 0)
            return sender;
    }
    return NULL;
}

/* Everything that a forgotten sender has sent names its birth; the floor goes above it, so that none of it
 * can come back as if it were new. */
static bool forget_oldest(struct cella_history *history) {
    for (struct cella_table_node *node = history->senders.oldest; node != NULL; node = node->newer) {
        struct cella_history_sender *sender = CELLA_TABLE_ENTRY(node, struct cella_history_sender, node);
        if (sender->pins > 0)
            continue;
        if (sender->has_birth && sender->birth >= history->floor)
            history->floor = sender->birth + 1;
        if (history->clock < history->floor)
            history->clock = history->floor;
        history->forgotten++;
        remove_sender(history, sender);
        return true;
    }
    return false;
}

enum cella_status cella_history_sender(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                       struct cella_history_sender **ret_sender, struct cella_error *error) {
    struct cella_history_sender *sender = cella_history_find(history, key);
    if (sender == NULL) {
        if (history->senders.count >= history->limits.max_senders && !forget_oldest(history))
            return cella_fail(error, CELLA_LIMIT, "all %u senders that max_senders allows have open requests",
                              history->limits.max_senders);
        sender = calloc(1, sizeof *sender);
        if (sender == NULL)
            return cella_fail(error, CELLA_NO_MEMORY, "a new sender");
        memcpy(sender->key, key, CELLA_MAIL_KEY_SIZE);
        history->clock++;
        cella_table_add(&history->senders, &sender->node,
                        cella_table_hash(&history->senders, CELLA_BYTES(key, CELLA_MAIL_KEY_SIZE)));
    }
    *ret_sender = sender;
    return CELLA_OK;
}

enum cella_status cella_history_topic(struct cella_history *history, struct cella_history_sender *sender,
                                      struct cella_bytes name, struct cella_history_topic **ret_topic,
                                      struct cella_error *error) {
    CELLA_ASSERT(name.size <= CELLA_MAIL_TOPIC_MAX);
    for (struct cella_history_topic *topic = sender->topics; topic != NULL; topic = topic->next)
        if (strlen(topic->name) == name.size && memcmp(topic->name, name.data, name.size) == 0) {
            *ret_topic = topic;
            return CELLA_OK;
        }
    if (sender->topic_count >= history->limits.max_topics)
        return cella_fail(error, CELLA_MAIL_TOPIC_LIMIT, "max_topics is %u", history->limits.max_topics);
    struct cella_history_topic *topic = calloc(1, sizeof *topic);
    if (topic == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a new topic");
    memcpy(topic->name, name.data, name.size);
    topic->next = sender->topics;
    sender->topics = topic;
    sender->topic_count++;
    *ret_topic = topic;
    return CELLA_OK;
}

void cella_history_pin(struct cella_history_sender *sender, struct cella_history_topic *topic) {
    sender->pins++;
    topic->waiting_posts++;
}

void cella_history_unpin(struct cella_history *history, struct cella_history_sender *sender,
                         struct cella_history_topic *topic) {
    CELLA_ASSERT(topic->waiting_posts > 0 && sender->pins > 0);
    sender->pins--;
    topic->waiting_posts--;
    if (topic->waiting_posts > 0 || topic->busy || topic->has_last || topic->post_sequence > 0)
        return;
    struct cella_history_topic **place = &sender->topics;
    while (*place != topic)
        place = &(*place)->next;
    *place = topic->next;
    sender->topic_count--;
    free_topic(history, topic);
}

static bool any_busy(const struct cella_history_sender *sender) {
    for (const struct cella_history_topic *topic = sender->topics; topic != NULL; topic = topic->next)
        if (topic->busy || topic->waiting_posts > 0)
            return true;
    return false;
}

enum cella_status cella_history_check_new(const struct cella_history *history, uint64_t birth,
                                          struct cella_error *error) {
    if (birth >= history->floor && birth <= history->clock)
        return CELLA_OK;
    return cella_fail(error, CELLA_MAIL_UNKNOWN_HISTORY, "birth %llu is not between %llu and %llu",
                      (unsigned long long)birth, (unsigned long long)history->floor,
                      (unsigned long long)history->clock);
}

/* A sender's mail names its birth. One that was forgotten, or that has forgotten itself, is never taken for
 * one whose order is known. */
static enum cella_status check_birth(struct cella_history *history, struct cella_history_sender *sender,
                                     const struct cella_history_request *request, struct cella_error *error) {
    if (sender->has_birth && request->birth == sender->birth)
        return CELLA_OK;
    if (cella_history_check_new(history, request->birth, error) != CELLA_OK)
        return CELLA_MAIL_UNKNOWN_HISTORY;
    if (sender->has_birth && (request->birth < sender->birth || request->sequence != 0))
        return cella_fail(error, CELLA_MAIL_UNKNOWN_HISTORY,
                          "this sender's birth is %llu, the mail says %llu",
                          (unsigned long long)sender->birth, (unsigned long long)request->birth);
    if (sender->has_birth && any_busy(sender))
        return cella_fail(error, CELLA_MAIL_BUSY,
                          "the sender starts anew while a request of it or a post to it is handled");
    if (sender->has_birth)
        free_topics(history, sender);
    sender->has_birth = true;
    sender->birth = request->birth;
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
static enum cella_status check_attempt(const struct cella_history_topic *topic,
                                       const struct cella_history_request *request,
                                       struct cella_error *error) {
    for (const struct cella_history_attempt *attempt = topic->attempts; attempt != NULL;
         attempt = attempt->next)
        if (memcmp(attempt->mail_id, request->mail_id, CELLA_MAIL_ID_SIZE) == 0)
            return cella_fail(error, CELLA_MAIL_REPLAY, "topic %s, sequence %llu", topic->name,
                              (unsigned long long)request->sequence);
    if (!request->in_session && topic->attempt_count >= CELLA_MAIL_ATTEMPTS)
        return cella_fail(error, CELLA_MAIL_ATTEMPTS_USED, "topic %s, sequence %llu: %u attempts failed",
                          topic->name, (unsigned long long)request->sequence, topic->attempt_count);
    return CELLA_OK;
}

static enum cella_status add_attempt(struct cella_history_topic *topic,
                                     const struct cella_history_request *request, struct cella_error *error) {
    if (request->in_session)
        return CELLA_OK;
    struct cella_history_attempt *attempt = malloc(sizeof *attempt);
    if (attempt == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "an attempt");
    memcpy(attempt->mail_id, request->mail_id, sizeof attempt->mail_id);
    attempt->next = topic->attempts;
    topic->attempts = attempt;
    topic->attempt_count++;
    return CELLA_OK;
}

static enum cella_status check_order(const struct cella_history_topic *topic,
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
    return sequence == next ? check_attempt(topic, request, error) : CELLA_OK;
}

enum cella_status cella_history_begin(struct cella_history *history, struct cella_history_sender *sender,
                                      const struct cella_history_request *request,
                                      struct cella_history_topic **ret_topic,
                                      enum cella_mailbox_verdict *ret_verdict, struct cella_error *error) {
    struct cella_history_topic *topic = NULL;
    enum cella_status status = check_birth(history, sender, request, error);
    if (status == CELLA_OK)
        status = cella_history_topic(history, sender, request->topic, &topic, error);
    if (status == CELLA_OK)
        status = check_order(topic, request, error);
    if (status != CELLA_OK)
        return status;
    bool repeat = request->sequence != topic->next_sequence;
    status = repeat ? check_repeat(topic, request, error) : add_attempt(topic, request, error);
    if (status != CELLA_OK)
        return status;
    cella_table_touch(&history->senders, &sender->node);
    memcpy(topic->last_mail, request->mail_id, sizeof topic->last_mail);
    topic->has_last = true;
    if (!repeat) {
        memcpy(topic->next_fingerprint, request->fingerprint, sizeof topic->next_fingerprint);
        topic->busy = true;
        sender->pins++;
    }
    *ret_topic = topic;
    *ret_verdict = repeat ? CELLA_MAILBOX_REPEAT : CELLA_MAILBOX_RUN;
    return CELLA_OK;
}

void cella_history_commit(struct cella_history *history, struct cella_history_sender *sender,
                          struct cella_history_topic *topic, const struct cella_bytes *reply) {
    CELLA_ASSERT(topic->busy && sender->pins > 0);
    drop_reply(history, topic, reply == NULL ? CELLA_REPLY_NONE : CELLA_REPLY_GONE);
    if (reply != NULL)
        store_reply(history, topic, *reply);
    memcpy(topic->fingerprint, topic->next_fingerprint, sizeof topic->fingerprint);
    /* From now on the sequence tells what comes too late. */
    free_attempts(topic);
    topic->next_sequence++;
    topic->busy = false;
    sender->pins--;
}

void cella_history_abort(struct cella_history_sender *sender, struct cella_history_topic *topic) {
    CELLA_ASSERT(topic->busy && sender->pins > 0);
    topic->busy = false;
    sender->pins--;
}
