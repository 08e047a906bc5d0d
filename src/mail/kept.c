/* Senders as a vault keeps them. Must not judge order, nor touch what no transaction can take back. */
#include "mail/kept.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "mail/kept_internal.h"
#include <string.h>

enum cella_status cella_kept_put(const struct cella_history *history, const struct cella_keep_key *key,
                                 struct cella_bytes value) {
    return history->keep->put(history->keep->context, CELLA_KEEP_BYTES(*key), value);
}

bool cella_kept_get(const struct cella_history *history, const struct cella_keep_key *key,
                    struct cella_bytes *ret_value) {
    return history->keep->get(history->keep->context, CELLA_KEEP_BYTES(*key), ret_value);
}

enum cella_status cella_kept_delete(const struct cella_history *history, const struct cella_keep_key *key) {
    enum cella_status status = history->keep->delete (history->keep->context, CELLA_KEEP_BYTES(*key));
    return status == CELLA_NOT_FOUND ? CELLA_DAMAGED : status;
}

enum cella_status cella_kept_state_load(struct cella_history *history) {
    struct cella_keep_key key;
    struct cella_bytes value;
    cella_keep_state_key(&key);
    if (!cella_kept_get(history, &key, &value))
        return CELLA_DAMAGED;
    enum cella_status status = cella_keep_state_parse(value, &history->kept);
    if (status == CELLA_OK)
        memcpy(history->entry, value.data, value.size);
    /* The clock that was given begins above all that was given before; if not, nobody may notice. */
    if (status == CELLA_OK && history->clock < history->kept.floor)
        history->clock = history->kept.floor;
    return status;
}

enum cella_status cella_kept_state_store(struct cella_history *history) {
    struct cella_keep_key key;
    uint8_t value[CELLA_KEEP_STATE_SIZE];
    cella_keep_state_write(&history->kept, value);
    if (memcmp(value, history->entry, sizeof value) == 0)
        return CELLA_OK;
    memcpy(history->entry, value, sizeof value);
    cella_keep_state_key(&key);
    return cella_kept_put(history, &key, CELLA_BYTES(value, sizeof value));
}

enum cella_status cella_kept_start(struct cella_history *history,
                                   uint8_t fingerprint_key[CELLA_FINGERPRINT_KEY_SIZE]) {
    struct cella_keep_key state, key;
    struct cella_bytes value;
    uint8_t out[CELLA_KEEP_FINGERPRINT_SIZE];
    cella_keep_state_key(&state);
    cella_keep_fingerprint_key(&key);
    bool found = cella_kept_get(history, &key, &value);
    if (found != cella_kept_get(history, &state, &(struct cella_bytes){0}))
        return CELLA_DAMAGED;
    if (found) {
        enum cella_status status = cella_keep_fingerprint_parse(value, fingerprint_key);
        return status == CELLA_OK ? cella_kept_state_load(history) : status;
    }
    enum cella_status status = cella_random(fingerprint_key, CELLA_FINGERPRINT_KEY_SIZE);
    if (status != CELLA_OK)
        return status;
    cella_keep_fingerprint_write(fingerprint_key, out);
    status = cella_kept_put(history, &key, CELLA_BYTES(out, sizeof out));
    cella_wipe(out, sizeof out);
    return status == CELLA_OK ? cella_kept_state_store(history) : status;
}

enum cella_status cella_kept_sender_load(const struct cella_history *history,
                                         const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                         struct cella_keep_sender *ret_sender) {
    struct cella_keep_key entry;
    struct cella_bytes value;
    cella_keep_sender_key(&entry, key);
    return cella_kept_get(history, &entry, &value) ? cella_keep_sender_parse(value, ret_sender)
                                                   : CELLA_NOT_FOUND;
}

enum cella_status cella_kept_sender_put(const struct cella_history *history,
                                        const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                        const struct cella_keep_sender *sender) {
    struct cella_keep_key entry;
    uint8_t value[CELLA_KEEP_SENDER_SIZE];
    cella_keep_sender_key(&entry, key);
    cella_keep_sender_write(sender, value);
    return cella_kept_put(history, &entry, CELLA_BYTES(value, sizeof value));
}

enum cella_status cella_kept_sender_store(const struct cella_history *history,
                                          struct cella_history_sender *sender) {
    uint8_t value[CELLA_KEEP_SENDER_SIZE];
    cella_keep_sender_write(&sender->kept, value);
    if (memcmp(value, sender->entry, sizeof value) == 0)
        return CELLA_OK;
    memcpy(sender->entry, value, sizeof value);
    return cella_kept_sender_put(history, sender->key, &sender->kept);
}

/* Half of the limit is far behind: so a sender that has lately written is never the oldest when there are as
 * many as may be, and one that writes often is seldom moved. */
enum cella_status cella_kept_sender_place(struct cella_history *history,
                                          struct cella_history_sender *sender) {
    struct cella_keep_key key;
    uint8_t value[CELLA_KEEP_PLACE_MAX];
    struct cella_keep_state *state = &history->kept;
    uint64_t place = sender->kept.place;
    if (place > 0) {
        if (place > state->heard)
            return CELLA_DAMAGED;
        if (state->heard - place <= history->limits.max_senders / 2)
            return CELLA_OK;
        cella_keep_order_key(&key, CELLA_KEEP_HEARD, place);
        enum cella_status status = cella_kept_delete(history, &key);
        if (status != CELLA_OK)
            return status;
    }
    sender->kept.place = ++state->heard;
    cella_keep_order_key(&key, CELLA_KEEP_HEARD, state->heard);
    size_t size = cella_keep_place_write(sender->key, (struct cella_bytes){0}, value);
    return cella_kept_put(history, &key, CELLA_BYTES(value, size));
}

enum cella_status cella_kept_order_next(const struct cella_history *history, enum cella_keep_order order,
                                        uint64_t from, uint64_t *ret_place, struct cella_bytes *ret_value) {
    struct cella_keep_key start;
    struct cella_keep_name name;
    struct cella_bytes key;
    cella_keep_order_key(&start, order, from);
    enum cella_status status =
        history->keep->seek(history->keep->context, CELLA_KEEP_BYTES(start), &key, ret_value);
    if (status != CELLA_OK)
        return status;
    /* Behind the last of an order begins something else. */
    if (key.size == 0 || key.data[0] != order)
        return CELLA_NOT_FOUND;
    status = cella_keep_key_parse(key, &name);
    if (status == CELLA_OK)
        *ret_place = name.place;
    return status;
}

enum cella_status cella_kept_oldest(struct cella_history *history, uint8_t ret_key[CELLA_MAIL_KEY_SIZE],
                                    struct cella_keep_sender *ret_sender) {
    struct cella_bytes value, topic;
    for (uint64_t place = 0;; place++) {
        enum cella_status status = cella_kept_order_next(history, CELLA_KEEP_HEARD, place, &place, &value);
        if (status == CELLA_NOT_FOUND)
            return CELLA_LIMIT;
        if (status == CELLA_OK)
            status = cella_keep_place_parse(value, CELLA_KEEP_HEARD, ret_key, &topic);
        if (status != CELLA_OK)
            return status;
        /* Those with mail in work are few, and were heard a moment ago. */
        const struct cella_history_sender *sender = cella_history_find(history, ret_key);
        if (sender != NULL && sender->pins > 0)
            continue;
        status = cella_kept_sender_load(history, ret_key, ret_sender);
        if (status == CELLA_NOT_FOUND || (status == CELLA_OK && ret_sender->place != place))
            return CELLA_DAMAGED;
        return status;
    }
}

/* Removes the first entry of a sender that is not before `from`, the sender's own one excepted. */
static enum cella_status clear_next(struct cella_history *history, const struct cella_keep_key *from) {
    struct cella_keep_key key;
    struct cella_keep_name name;
    struct cella_bytes found, value;
    enum cella_status status =
        history->keep->seek(history->keep->context, CELLA_KEEP_BYTES(*from), &found, &value);
    size_t prefix = 1 + CELLA_MAIL_KEY_SIZE;
    if (status != CELLA_OK)
        return status;
    if (found.size < prefix || memcmp(found.data, from->data, prefix) != 0)
        return CELLA_NOT_FOUND;
    status = cella_keep_key_parse(found, &name);
    if (status != CELLA_OK)
        return status;
    key.size = found.size;
    memcpy(key.data, found.data, found.size);
    if (name.part == CELLA_KEEP_TOPIC)
        status = cella_kept_reply_drop(history, value);
    return status == CELLA_OK ? cella_kept_delete(history, &key) : status;
}

enum cella_status cella_kept_clear(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                   struct cella_keep_sender *sender) {
    struct cella_keep_key from;
    enum cella_status status = CELLA_OK;
    cella_keep_topic_key(&from, key, CELLA_KEEP_TOPIC, (struct cella_bytes){0});
    while (status == CELLA_OK)
        status = clear_next(history, &from);
    if (status != CELLA_NOT_FOUND)
        return status;
    sender->topic_count = 0;
    sender->posts_made = 0;
    sender->posts_collected = 0;
    sender->posts_sent = 0;
    sender->waiting_bytes = 0;
    return CELLA_OK;
}

enum cella_status cella_kept_remove(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                    struct cella_keep_sender *sender) {
    struct cella_keep_key entry;
    enum cella_status status = cella_kept_clear(history, key, sender);
    if (status == CELLA_OK) {
        cella_keep_order_key(&entry, CELLA_KEEP_HEARD, sender->place);
        status = cella_kept_delete(history, &entry);
    }
    if (status == CELLA_OK) {
        cella_keep_sender_key(&entry, key);
        status = cella_kept_delete(history, &entry);
    }
    if (status != CELLA_OK)
        return status;
    if (history->kept.senders == 0)
        return CELLA_DAMAGED;
    history->kept.senders--;
    return CELLA_OK;
}
