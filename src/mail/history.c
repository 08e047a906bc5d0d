/* Senders: who is known, who is forgotten. Must not forget one that has mail in work, nor without raising the
 * floor. */
#include "mail/history.h"
#include "base/error.h"
#include "base/secret.h"
#include "mail/kept.h"
#include <stdlib.h>
#include <string.h>

enum cella_status cella_history_init(struct cella_history *history, const struct cella_mailbox_limits *limits,
                                     const struct cella_mail_keep *keep, uint64_t first_clock) {
    *history = (struct cella_history){
        .limits = *limits, .keep = keep, .first_clock = first_clock, .clock = first_clock};
    return cella_table_init(&history->senders, keep == NULL ? limits->max_senders : limits->max_sessions);
}

static void remove_sender(struct cella_history *history, struct cella_history_sender *sender) {
    sender->pins++;
    if (history->forget != NULL)
        history->forget(history->forget_context, sender);
    cella_table_remove(&history->senders, &sender->node);
    cella_history_topics_free(history, sender);
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

static enum cella_status find_or_make(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                      struct cella_history_sender **ret_sender, struct cella_error *error) {
    struct cella_history_sender *sender = cella_history_find(history, key);
    if (sender == NULL) {
        sender = calloc(1, sizeof *sender);
        if (sender == NULL)
            return cella_fail(error, CELLA_NO_MEMORY, "a sender");
        memcpy(sender->key, key, CELLA_MAIL_KEY_SIZE);
        cella_table_add(&history->senders, &sender->node,
                        cella_table_hash(&history->senders, CELLA_BYTES(key, CELLA_MAIL_KEY_SIZE)));
    }
    *ret_sender = sender;
    return CELLA_OK;
}

/* Forgotten for good: its sessions end. The floor keeps out what its attempts did, but not those of a life
 * that never came to be. */
static void end_sender(struct cella_history *history, struct cella_history_sender *sender) {
    sender->pins++;
    if (history->forget != NULL)
        history->forget(history->forget_context, sender);
    sender->pins--;
    cella_history_settle_below(history, sender, history->kept.floor);
}

/* Those that were forgotten in a transaction, if it holds. */
static enum cella_status drop_forgotten(struct cella_history *history) {
    struct cella_history_sender **place = &history->leaving;
    enum cella_status status = cella_kept_state_load(history);
    while (status == CELLA_OK && *place != NULL) {
        struct cella_history_sender *sender = *place;
        struct cella_keep_sender kept;
        if (sender->pins > 0) {
            place = &sender->leaving_next;
            continue;
        }
        enum cella_status found = cella_kept_sender_load(history, sender->key, &kept);
        if (found != CELLA_OK && found != CELLA_NOT_FOUND)
            return found;
        *place = sender->leaving_next;
        sender->is_leaving = false;
        if (found == CELLA_NOT_FOUND)
            end_sender(history, sender);
        cella_history_release(history, sender);
    }
    return status;
}

static enum cella_status open_kept(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                   struct cella_history_sender **ret_sender, struct cella_error *error) {
    struct cella_keep_sender kept;
    struct cella_history_sender *sender = NULL;
    enum cella_status status = cella_kept_state_load(history);
    if (status == CELLA_OK)
        status = cella_kept_sender_load(history, key, &kept);
    if (status == CELLA_NOT_FOUND) {
        *ret_sender = NULL;
        return CELLA_OK;
    }
    if (status != CELLA_OK)
        return cella_fail(error, status, "what is kept of a sender cannot be read");
    status = find_or_make(history, key, &sender, error);
    if (status != CELLA_OK)
        return status;
    sender->kept = kept;
    cella_keep_sender_write(&kept, sender->entry);
    *ret_sender = sender;
    return CELLA_OK;
}

enum cella_status cella_history_start(struct cella_history *history, struct cella_error *error) {
    if (history->keep == NULL || history->leaving == NULL)
        return CELLA_OK;
    enum cella_status status = drop_forgotten(history);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "a forgotten sender");
}

enum cella_status cella_history_open(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                     struct cella_history_sender **ret_sender, struct cella_error *error) {
    if (history->keep != NULL)
        return open_kept(history, key, ret_sender, error);
    *ret_sender = cella_history_find(history, key);
    return CELLA_OK;
}

enum cella_status cella_history_store(struct cella_history *history, struct cella_history_sender *sender,
                                      struct cella_error *error) {
    if (history->keep == NULL)
        return CELLA_OK;
    enum cella_status status = cella_kept_sender_store(history, sender);
    if (status == CELLA_OK)
        status = cella_kept_state_store(history);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "a sender cannot be kept");
}

void cella_history_release(struct cella_history *history, struct cella_history_sender *sender) {
    if (history->keep == NULL || sender == NULL)
        return;
    for (struct cella_history_topic **place = &sender->topics; *place != NULL;) {
        struct cella_history_topic *topic = *place;
        if (topic->busy || topic->attempts != NULL) {
            place = &topic->next;
            continue;
        }
        *place = topic->next;
        cella_history_topic_free(history, topic);
    }
    if (sender->pins == 0 && sender->sessions == NULL && sender->topics == NULL && !sender->is_leaving)
        remove_sender(history, sender);
}

/* Everything that a forgotten sender has sent names its birth; the floor goes above it, so that none of it
 * can come back as if it were new. */
static void raise_floor(struct cella_history *history, const struct cella_keep_sender *kept) {
    if (kept->has_birth && kept->birth >= history->kept.floor)
        history->kept.floor = kept->birth + 1;
    if (history->clock < history->kept.floor)
        history->clock = history->kept.floor;
    history->kept.forgotten++;
}

static enum cella_status forget_oldest(struct cella_history *history) {
    for (struct cella_table_node *node = history->senders.oldest; node != NULL; node = node->newer) {
        struct cella_history_sender *sender = CELLA_TABLE_ENTRY(node, struct cella_history_sender, node);
        if (sender->pins > 0)
            continue;
        raise_floor(history, &sender->kept);
        remove_sender(history, sender);
        return CELLA_OK;
    }
    return CELLA_LIMIT;
}

static enum cella_status forget_kept(struct cella_history *history) {
    uint8_t key[CELLA_MAIL_KEY_SIZE];
    struct cella_keep_sender kept;
    enum cella_status status = cella_kept_oldest(history, key, &kept);
    if (status == CELLA_OK)
        status = cella_kept_remove(history, key, &kept);
    if (status != CELLA_OK)
        return status;
    raise_floor(history, &kept);
    struct cella_history_sender *sender = cella_history_find(history, key);
    if (sender != NULL && !sender->is_leaving) {
        sender->is_leaving = true;
        sender->leaving_next = history->leaving;
        history->leaving = sender;
    }
    return CELLA_OK;
}

/* Room for one more. A limit that was lowered is reached step by step. */
static enum cella_status make_room(struct cella_history *history, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (history->keep == NULL) {
        if (history->senders.count >= history->limits.max_senders)
            status = forget_oldest(history);
    } else {
        for (unsigned i = 0; i < 2 && status == CELLA_OK; i++)
            if (history->kept.senders >= history->limits.max_senders)
                status = forget_kept(history);
    }
    if (status == CELLA_LIMIT)
        return cella_fail(error, status, "all %u senders that max_senders allows have open requests",
                          history->limits.max_senders);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "a sender cannot be forgotten");
}

enum cella_status cella_history_add(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                    struct cella_history_sender **ret_sender, struct cella_error *error) {
    struct cella_history_sender *sender = NULL;
    enum cella_status status = make_room(history, error);
    if (status == CELLA_OK)
        status = find_or_make(history, key, &sender, error);
    if (status != CELLA_OK)
        return status;
    if (history->keep != NULL) {
        sender->kept = (struct cella_keep_sender){.has_route = false};
        memset(sender->entry, 0, sizeof sender->entry);
        history->kept.senders++;
        status = cella_kept_sender_place(history, sender);
    }
    if (status != CELLA_OK) {
        cella_history_release(history, sender);
        return cella_fail(error, status, "a sender cannot be kept");
    }
    history->clock++;
    *ret_sender = sender;
    return CELLA_OK;
}
