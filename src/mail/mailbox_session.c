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
    struct cella_mailbox_session **place = &session->sender->sessions;
    while (*place != session)
        place = &(*place)->next;
    *place = session->next;
    session->sender->session_count--;
    session->sender = NULL;
    cella_table_remove(&mailbox->sessions, &session->node);
    cella_mailbox_session_release(session);
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
