/* Topics and stored replies as a vault keeps them. Must not judge order. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/kept_internal.h"
#include <string.h>

/* Replies that are dropped at most to make room for one: as many of the smallest as one of the largest. */
enum { DROPS_MAX = 512 };

/* Replies are charged by class, so that the sum seldom changes when one takes the place of another. */
static uint64_t charge(size_t size) {
    return cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, size);
}

static void topic_key(struct cella_keep_key *key, const struct cella_history_sender *sender,
                      const struct cella_history_topic *topic) {
    cella_keep_topic_key(key, sender->key, CELLA_KEEP_TOPIC, CELLA_BYTES(topic->name, strlen(topic->name)));
}

bool cella_kept_topic_known(const struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                            struct cella_bytes name) {
    struct cella_keep_key entry;
    struct cella_bytes value;
    cella_keep_topic_key(&entry, key, CELLA_KEEP_TOPIC, name);
    if (cella_kept_get(history, &entry, &value))
        return true;
    cella_keep_topic_key(&entry, key, CELLA_KEEP_POSTS, name);
    return cella_kept_get(history, &entry, &value);
}

enum cella_status cella_kept_topic_load(const struct cella_history *history,
                                        struct cella_history_sender *sender,
                                        struct cella_history_topic *topic, struct cella_error *error) {
    struct cella_keep_key key;
    struct cella_bytes value, name = CELLA_BYTES(topic->name, strlen(topic->name));
    struct cella_keep_topic kept = {.next_sequence = 0};
    topic_key(&key, sender, topic);
    if (cella_kept_get(history, &key, &value)) {
        enum cella_status status = cella_keep_topic_parse(value, &kept);
        if (status != CELLA_OK)
            return cella_fail(error, status, "what is kept of a topic cannot be read");
    } else if (!cella_kept_topic_known(history, sender->key, name)) {
        if (sender->kept.topic_count >= history->limits.max_topics)
            return cella_fail(error, CELLA_MAIL_TOPIC_LIMIT, "max_topics is %u", history->limits.max_topics);
        sender->kept.topic_count++;
    }
    topic->next_sequence = kept.next_sequence;
    topic->reply_state = kept.reply_state;
    topic->has_last = kept.has_mail;
    memcpy(topic->last_mail, kept.mail_id, sizeof topic->last_mail);
    memcpy(topic->fingerprint, kept.fingerprint, sizeof topic->fingerprint);
    return CELLA_OK;
}

enum cella_status cella_kept_topic_reply(const struct cella_history *history,
                                         const struct cella_history_sender *sender,
                                         const struct cella_history_topic *topic,
                                         struct cella_bytes *ret_reply) {
    struct cella_keep_key key;
    struct cella_bytes value;
    struct cella_keep_topic kept;
    topic_key(&key, sender, topic);
    if (!cella_kept_get(history, &key, &value))
        return CELLA_DAMAGED;
    enum cella_status status = cella_keep_topic_parse(value, &kept);
    if (status == CELLA_OK)
        *ret_reply = kept.reply;
    return status;
}

/* A stored reply of this size leaves its place. */
static enum cella_status leave_place(struct cella_history *history, uint64_t place, size_t size) {
    struct cella_keep_key key;
    struct cella_keep_state *state = &history->kept;
    if (state->replies == 0 || state->stored_bytes < charge(size))
        return CELLA_DAMAGED;
    state->replies--;
    state->stored_bytes -= charge(size);
    cella_keep_order_key(&key, CELLA_KEEP_REPLIES, place);
    return cella_kept_delete(history, &key);
}

enum cella_status cella_kept_reply_drop(struct cella_history *history, struct cella_bytes value) {
    struct cella_keep_topic topic;
    enum cella_status status = cella_keep_topic_parse(value, &topic);
    if (status != CELLA_OK || topic.reply_state != CELLA_REPLY_STORED)
        return status;
    return leave_place(history, topic.place, topic.reply.size);
}

static enum cella_status put_topic(const struct cella_history *history, const struct cella_keep_key *key,
                                   const struct cella_keep_topic *topic) {
    uint8_t *value = NULL;
    size_t size = 0;
    enum cella_status status = cella_keep_topic_write(topic, &value, &size);
    if (status == CELLA_OK)
        status = cella_kept_put(history, key, CELLA_BYTES(value, size));
    cella_wipe_free(value, size);
    return status;
}

/* Drops the oldest reply but the one at `own`. CELLA_NOT_FOUND: there is none. */
static enum cella_status drop_oldest(struct cella_history *history, uint64_t own) {
    struct cella_keep_key key;
    struct cella_keep_topic topic;
    struct cella_bytes value, name;
    uint8_t sender[CELLA_MAIL_KEY_SIZE];
    uint64_t place = 0;
    enum cella_status status = cella_kept_order_next(history, CELLA_KEEP_REPLIES, 0, &place, &value);
    if (status == CELLA_OK && place == own)
        status = cella_kept_order_next(history, CELLA_KEEP_REPLIES, own + 1, &place, &value);
    if (status == CELLA_OK)
        status = cella_keep_place_parse(value, CELLA_KEEP_REPLIES, sender, &name);
    if (status != CELLA_OK)
        return status;
    cella_keep_topic_key(&key, sender, CELLA_KEEP_TOPIC, name);
    if (!cella_kept_get(history, &key, &value))
        return CELLA_DAMAGED;
    status = cella_keep_topic_parse(value, &topic);
    if (status == CELLA_OK && topic.place != place)
        return CELLA_DAMAGED;
    if (status == CELLA_OK)
        status = leave_place(history, place, topic.reply.size);
    if (status != CELLA_OK)
        return status;
    topic.reply_state = CELLA_REPLY_GONE;
    topic.place = 0;
    topic.reply = (struct cella_bytes){0};
    return put_topic(history, &key, &topic);
}

/* Whether `size` bytes more fit, after the oldest replies were dropped for them. */
static enum cella_status make_room(struct cella_history *history, uint64_t size, uint64_t own,
                                   bool *ret_fits) {
    enum cella_status status = CELLA_OK;
    uint64_t most = history->limits.max_stored_bytes;
    for (unsigned i = 0; i < DROPS_MAX && history->kept.stored_bytes + size > most && status == CELLA_OK; i++)
        status = drop_oldest(history, own);
    *ret_fits = history->kept.stored_bytes + size <= most;
    return status == CELLA_NOT_FOUND ? CELLA_OK : status;
}

/* Replies move only when there is little room and they are far behind: else age does not matter yet. */
static bool may_stay(const struct cella_history *history, uint64_t place) {
    const struct cella_keep_state *state = &history->kept;
    return state->stored_bytes <= history->limits.max_stored_bytes / 2 ||
           state->replied - place <= state->replies / 2;
}

static enum cella_status take_place(struct cella_history *history, const struct cella_history_sender *sender,
                                    const struct cella_history_topic *topic, uint64_t place) {
    struct cella_keep_key key;
    uint8_t value[CELLA_KEEP_PLACE_MAX];
    size_t size = cella_keep_place_write(sender->key, CELLA_BYTES(topic->name, strlen(topic->name)), value);
    cella_keep_order_key(&key, CELLA_KEEP_REPLIES, place);
    return cella_kept_put(history, &key, CELLA_BYTES(value, size));
}

/* Gives the new reply its state and place. `old_place` and `old_size`: of the one before, if it is stored. */
static enum cella_status place_reply(struct cella_history *history, const struct cella_history_sender *sender,
                                     const struct cella_history_topic *topic, uint64_t old_place,
                                     size_t old_size, struct cella_keep_topic *kept) {
    struct cella_keep_state *state = &history->kept;
    const struct cella_mailbox_limits *limits = &history->limits;
    bool fits = kept->reply_state == CELLA_REPLY_STORED && kept->reply.size <= limits->max_stored_reply;
    uint64_t size = charge(kept->reply.size), before = old_place > 0 ? charge(old_size) : 0;
    enum cella_status status = CELLA_OK;
    if (fits && size > before)
        status = make_room(history, size - before, old_place, &fits);
    if (status != CELLA_OK)
        return status;
    if (fits && old_place > 0 && may_stay(history, old_place)) {
        if (state->stored_bytes < before)
            return CELLA_DAMAGED;
        state->stored_bytes += size - before;
        kept->place = old_place;
        return CELLA_OK;
    }
    if (old_place > 0)
        status = leave_place(history, old_place, old_size);
    if (status != CELLA_OK)
        return status;
    if (!fits) {
        kept->reply_state = kept->reply_state == CELLA_REPLY_STORED ? CELLA_REPLY_GONE : CELLA_REPLY_NONE;
        kept->reply = (struct cella_bytes){0};
        return CELLA_OK;
    }
    state->replies++;
    state->stored_bytes += size;
    kept->place = ++state->replied;
    return take_place(history, sender, topic, kept->place);
}

enum cella_status cella_kept_topic_done(struct cella_history *history,
                                        const struct cella_history_sender *sender,
                                        const struct cella_history_topic *topic,
                                        const struct cella_bytes *reply) {
    struct cella_keep_key key;
    struct cella_bytes value;
    struct cella_keep_topic before = {.place = 0};
    struct cella_keep_topic now = {.next_sequence = topic->next_sequence + 1,
                                   .has_mail = !topic->came_in_session,
                                   .reply_state = reply == NULL ? CELLA_REPLY_NONE : CELLA_REPLY_STORED,
                                   .reply = reply == NULL ? (struct cella_bytes){0} : *reply};
    memcpy(now.fingerprint, topic->next_fingerprint, sizeof now.fingerprint);
    memcpy(now.mail_id, topic->last_mail, sizeof now.mail_id);
    topic_key(&key, sender, topic);
    enum cella_status status = cella_kept_state_load(history);
    if (status == CELLA_OK && cella_kept_get(history, &key, &value))
        status = cella_keep_topic_parse(value, &before);
    if (status == CELLA_OK)
        status = place_reply(history, sender, topic, before.place, before.reply.size, &now);
    if (status == CELLA_OK)
        status = put_topic(history, &key, &now);
    return status == CELLA_OK ? cella_kept_state_store(history) : status;
}
