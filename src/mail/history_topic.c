/* Topics of senders in memory: their attempts and replies. Must not judge order. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/kept.h"
#include <stdlib.h>
#include <string.h>

static void drop_reply(struct cella_history *history, struct cella_history_topic *topic,
                       enum cella_reply_state state) {
    if (topic->reply != NULL) {
        if (topic->newer_reply != NULL)
            topic->newer_reply->older_reply = topic->older_reply;
        else
            history->newest_reply = topic->older_reply;
        if (topic->older_reply != NULL)
            topic->older_reply->newer_reply = topic->newer_reply;
        else
            history->oldest_reply = topic->newer_reply;
        history->kept.stored_bytes -= topic->reply_size;
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
    while (history->kept.stored_bytes + reply.size > history->limits.max_stored_bytes)
        drop_reply(history, history->oldest_reply, CELLA_REPLY_GONE);
    uint8_t *copy = malloc(reply.size + 1);
    if (copy == NULL)
        return;
    if (reply.size > 0)
        memcpy(copy, reply.data, reply.size);
    topic->reply = copy;
    topic->reply_size = reply.size;
    topic->reply_state = CELLA_REPLY_STORED;
    history->kept.stored_bytes += reply.size;
    topic->newer_reply = NULL;
    topic->older_reply = history->newest_reply;
    if (history->newest_reply != NULL)
        history->newest_reply->newer_reply = topic;
    history->newest_reply = topic;
    if (history->oldest_reply == NULL)
        history->oldest_reply = topic;
}

void cella_history_reply_set(struct cella_history *history, struct cella_history_topic *topic,
                             const struct cella_bytes *reply) {
    drop_reply(history, topic, reply == NULL ? CELLA_REPLY_NONE : CELLA_REPLY_GONE);
    if (reply != NULL)
        store_reply(history, topic, *reply);
}

void cella_history_attempts_free(struct cella_history *history, struct cella_history_topic *topic) {
    while (topic->attempts != NULL) {
        struct cella_history_attempt *attempt = topic->attempts;
        topic->attempts = attempt->next;
        history->attempts--;
        free(attempt);
    }
}

void cella_history_topic_free(struct cella_history *history, struct cella_history_topic *topic) {
    drop_reply(history, topic, CELLA_REPLY_NONE);
    cella_history_attempts_free(history, topic);
    cella_wipe_free(topic, sizeof *topic);
}

void cella_history_topics_free(struct cella_history *history, struct cella_history_sender *sender) {
    while (sender->topics != NULL) {
        struct cella_history_topic *topic = sender->topics;
        sender->topics = topic->next;
        cella_history_topic_free(history, topic);
    }
    sender->kept.topic_count = 0;
}

struct cella_history_topic *cella_history_topic_find(const struct cella_history_sender *sender,
                                                     struct cella_bytes name) {
    for (struct cella_history_topic *topic = sender->topics; topic != NULL; topic = topic->next)
        if (strlen(topic->name) == name.size && memcmp(topic->name, name.data, name.size) == 0)
            return topic;
    return NULL;
}

enum cella_status cella_history_topic(struct cella_history *history, struct cella_history_sender *sender,
                                      struct cella_bytes name, struct cella_history_topic **ret_topic,
                                      struct cella_error *error) {
    CELLA_ASSERT(name.size <= CELLA_MAIL_TOPIC_MAX);
    struct cella_history_topic *topic = cella_history_topic_find(sender, name);
    if (topic == NULL) {
        if (history->keep == NULL && sender->kept.topic_count >= history->limits.max_topics)
            return cella_fail(error, CELLA_MAIL_TOPIC_LIMIT, "max_topics is %u", history->limits.max_topics);
        topic = calloc(1, sizeof *topic);
        if (topic == NULL)
            return cella_fail(error, CELLA_NO_MEMORY, "a new topic");
        memcpy(topic->name, name.data, name.size);
        topic->next = sender->topics;
        sender->topics = topic;
        sender->kept.topic_count += history->keep == NULL;
    }
    *ret_topic = topic;
    return history->keep == NULL || topic->busy ? CELLA_OK
                                                : cella_kept_topic_load(history, sender, topic, error);
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
    sender->kept.topic_count--;
    cella_history_topic_free(history, topic);
}

/* Forgets the attempts of births below `birth`, and in `topic` (may be NULL) those of `birth` up to
 * `sequence`.
 */
static void settle(struct cella_history *history, struct cella_history_sender *sender,
                   const struct cella_history_topic *topic, uint64_t birth, uint64_t sequence) {
    for (struct cella_history_topic *each = sender->topics; each != NULL; each = each->next)
        for (struct cella_history_attempt **place = &each->attempts; *place != NULL;) {
            struct cella_history_attempt *attempt = *place;
            bool done = each == topic && attempt->birth == birth && attempt->sequence <= sequence;
            if (attempt->birth >= birth && !done) {
                place = &attempt->next;
                continue;
            }
            *place = attempt->next;
            history->attempts--;
            free(attempt);
        }
}

void cella_history_settle(struct cella_history *history, struct cella_history_sender *sender,
                          struct cella_bytes topic, uint64_t birth, uint64_t sequence) {
    settle(history, sender, cella_history_topic_find(sender, topic), birth, sequence);
}

void cella_history_settle_below(struct cella_history *history, struct cella_history_sender *sender,
                                uint64_t birth) {
    settle(history, sender, NULL, birth, 0);
}
