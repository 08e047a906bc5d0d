/* The history as a vault keeps it: loads and stores what its rules judge by, and keeps the entries that
 * belong together in step. Each call reads what it needs; nothing is remembered. Must not judge order. */
#ifndef CELLA_MAIL_KEPT_H
#define CELLA_MAIL_KEPT_H

#include "mail/history.h"

/* All return what the keep says, and CELLA_DAMAGED or CELLA_NEWER_FORMAT for entries that are not well
 * formed, or not there though others name them. After a failure the transaction is to be aborted. */

/* Of a new mailbox: finds the state and the fingerprint key, or makes them. CELLA_NO_RANDOM. */
enum cella_status cella_kept_start(struct cella_history *history,
                                   uint8_t fingerprint_key[CELLA_FINGERPRINT_KEY_SIZE]);
/* history->kept; written only if it has changed since. */
enum cella_status cella_kept_state_load(struct cella_history *history);
enum cella_status cella_kept_state_store(struct cella_history *history);

/* CELLA_NOT_FOUND. */
enum cella_status cella_kept_sender_load(const struct cella_history *history,
                                         const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                         struct cella_keep_sender *ret_sender);
enum cella_status cella_kept_sender_put(const struct cella_history *history,
                                        const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                        const struct cella_keep_sender *sender);
/* sender->kept, unless it is what sender->entry says. */
enum cella_status cella_kept_sender_store(const struct cella_history *history,
                                          struct cella_history_sender *sender);
/* Gives it the newest place, or moves it there if it is far behind. */
enum cella_status cella_kept_sender_place(struct cella_history *history, struct cella_history_sender *sender);
/* The one that was heard longest ago and is not pinned. CELLA_LIMIT: there is none. */
enum cella_status cella_kept_oldest(struct cella_history *history, uint8_t ret_key[CELLA_MAIL_KEY_SIZE],
                                    struct cella_keep_sender *ret_sender);
/* Removes the sender with all that is its. */
enum cella_status cella_kept_remove(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                    struct cella_keep_sender *sender);
/* Removes its topics and posts; the numbers of its posts begin anew. */
enum cella_status cella_kept_clear(struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                                   struct cella_keep_sender *sender);

/* Whether there are entries for requests or posts of this name, which count as one topic. */
bool cella_kept_topic_known(const struct cella_history *history, const uint8_t key[CELLA_MAIL_KEY_SIZE],
                            struct cella_bytes name);
/* Fills the topic from its entry; a new one is counted. CELLA_MAIL_TOPIC_LIMIT. */
enum cella_status cella_kept_topic_load(const struct cella_history *history,
                                        struct cella_history_sender *sender,
                                        struct cella_history_topic *topic, struct cella_error *error);
/* The reply that is stored, in the keep's memory. */
enum cella_status cella_kept_topic_reply(const struct cella_history *history,
                                         const struct cella_history_sender *sender,
                                         const struct cella_history_topic *topic,
                                         struct cella_bytes *ret_reply);
/* The topic's next request is done: writes its entry and the state. */
enum cella_status cella_kept_topic_done(struct cella_history *history,
                                        const struct cella_history_sender *sender,
                                        const struct cella_history_topic *topic,
                                        const struct cella_bytes *reply);

#endif
