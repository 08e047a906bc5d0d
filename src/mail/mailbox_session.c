/* The enclave's table of live sessions. Must not free one that a mail still uses. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/mailbox_internal.h"
#include <stdlib.h>
#include <string.h>

struct cella_mailbox_session *cella_mailbox_session_find(struct cella_mailbox *mailbox,
                                                         const uint8_t id[CELLA_MAIL_SESSION_ID_SIZE]) {
    uint64_t hash = cella_table_hash(&mailbox->sessions, CELLA_BYTES(id, CELLA_MAIL_SESSION_ID_SIZE));
    for (struct cella_table_node *node = cella_table_first(&mailbox->sessions, hash); node != NULL;
         node = cella_table_next(node)) {
        struct cella_mailbox_session *session = CELLA_TABLE_ENTRY(node, struct cella_mailbox_session, node);
        if (memcmp(session->id, id, CELLA_MAIL_SESSION_ID_SIZE) == 0)
            return session;
    }
    return NULL;
}

void cella_mailbox_session_release(struct cella_mailbox_session *session) {
    CELLA_ASSERT(session->references > 0);
    if (--session->references > 0)
        return;
    cella_noise_cipher_deinit(&session->receive);
    cella_noise_cipher_deinit(&session->send);
    pthread_mutex_destroy(&session->lock);
    cella_wipe_free(session, sizeof *session);
}

void cella_mailbox_session_close(struct cella_mailbox *mailbox, struct cella_mailbox_session *session) {
    struct cella_history_sender *sender = session->sender;
    struct cella_mailbox_session **place = &sender->sessions;
    while (*place != session)
        place = &(*place)->next;
    *place = session->next;
    sender->session_count--;
    session->sender = NULL;
    cella_table_remove(&mailbox->sessions, &session->node);
    cella_mailbox_session_release(session);
    cella_history_release(&mailbox->history, sender);
}

void cella_mailbox_session_add(struct cella_mailbox *mailbox, struct cella_history_sender *sender,
                               struct cella_mailbox_session *session) {
    if (sender->session_count >= CELLA_MAIL_SENDER_SESSIONS) {
        struct cella_mailbox_session *last = sender->sessions;
        while (last->next != NULL)
            last = last->next;
        cella_mailbox_session_close(mailbox, last);
    }
    if (mailbox->sessions.count >= mailbox->limits.max_sessions)
        cella_mailbox_session_close(
            mailbox, CELLA_TABLE_ENTRY(mailbox->sessions.oldest, struct cella_mailbox_session, node));
    memcpy(session->sender_key, sender->key, sizeof session->sender_key);
    session->sender = sender;
    session->ordinal = ++sender->opened_sessions;
    session->next = sender->sessions;
    sender->sessions = session;
    sender->session_count++;
    session->references = 1;
    cella_table_add(&mailbox->sessions, &session->node,
                    cella_table_hash(&mailbox->sessions, CELLA_BYTES(session->id, sizeof session->id)));
}

void cella_mailbox_session_used(struct cella_mailbox *mailbox, struct cella_mailbox_session *session) {
    if (session->sender == NULL)
        return;
    session->confirmed = true;
    cella_table_touch(&mailbox->sessions, &session->node);
    struct cella_mailbox_session **place = &session->sender->sessions;
    while (*place != session)
        place = &(*place)->next;
    *place = session->next;
    session->next = session->sender->sessions;
    session->sender->sessions = session;
}

struct cella_mailbox_session *cella_mailbox_session_for_posts(const struct cella_history_sender *sender) {
    struct cella_mailbox_session *session = sender->sessions;
    while (session != NULL && !cella_mailbox_session_takes_posts(session, sender))
        session = session->next;
    return session;
}

bool cella_mailbox_session_takes_posts(const struct cella_mailbox_session *session,
                                       const struct cella_history_sender *sender) {
    return session->confirmed && sender->opened_sessions - session->ordinal < CELLA_MAIL_SESSION_SLOTS;
}

enum cella_status cella_mailbox_session_number(struct cella_mailbox_session *session, uint64_t number) {
    const uint64_t words = CELLA_MAIL_WINDOW_SIZE / 64;
    if (number > session->highest) {
        /* Words that come into the window anew are cleared; the window is a ring of words. */
        uint64_t from = session->highest / 64, to = number / 64;
        for (uint64_t word = from + 1; word <= to && word <= from + words; word++)
            session->seen[word % words] = 0;
        session->highest = number;
    } else if (number / 64 + words <= session->highest / 64) {
        return CELLA_MAIL_REPLAY;
    }
    uint64_t bit = UINT64_C(1) << number % 64;
    uint64_t *word = &session->seen[number / 64 % words];
    if ((*word & bit) != 0)
        return CELLA_MAIL_REPLAY;
    *word |= bit;
    return CELLA_OK;
}

enum cella_status cella_mailbox_session_next(struct cella_mailbox_session *session, uint64_t *ret_number) {
    enum cella_status status = CELLA_OK;
    pthread_mutex_lock(&session->lock);
    if (session->send_number >= CELLA_MAIL_NUMBER_MAX)
        status = CELLA_LIMIT;
    else
        *ret_number = ++session->send_number;
    pthread_mutex_unlock(&session->lock);
    return status;
}
