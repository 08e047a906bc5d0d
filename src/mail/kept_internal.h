/* What the files of kept.h share. */
#ifndef CELLA_MAIL_KEPT_INTERNAL_H
#define CELLA_MAIL_KEPT_INTERNAL_H

#include "mail/kept.h"

bool cella_kept_get(const struct cella_history *history, const struct cella_keep_key *key,
                    struct cella_bytes *ret_value);
enum cella_status cella_kept_put(const struct cella_history *history, const struct cella_keep_key *key,
                                 struct cella_bytes value);
/* CELLA_DAMAGED: there is no such entry. */
enum cella_status cella_kept_delete(const struct cella_history *history, const struct cella_keep_key *key);

/* The first entry of an order from place `from` on. CELLA_NOT_FOUND. */
enum cella_status cella_kept_order_next(const struct cella_history *history, enum cella_keep_order order,
                                        uint64_t from, uint64_t *ret_place, struct cella_bytes *ret_value);
/* The entry of a topic with this value goes: if it has a stored reply, that is counted no longer. */
enum cella_status cella_kept_reply_drop(struct cella_history *history, struct cella_bytes value);

#endif
