/* The enclave's end: judging a mail that is whole. Must not run handlers, nor let anything that may be a
 * replay change where posts go. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/history.h"
#include "mail/mailbox_internal.h"
#include <string.h>

/* An opening that names a live session: the same client's is a replay, another's an accident or worse. */
static enum cella_status check_session_id(struct cella_mailbox_mail *mail, struct cella_error *error) {
    if (mail->opener.header.kind != CELLA_MAIL_SESSION_OPEN)
        return CELLA_OK;
    struct cella_mailbox_session *session =
        cella_mailbox_session_find(mail->mailbox, mail->opener.header.session_id);
    if (session == NULL)
        return CELLA_OK;
    if (memcmp(session->sender_key, mail->view.sender, CELLA_MAIL_KEY_SIZE) == 0)
        return cella_fail(error, CELLA_MAIL_REPLAY, "this session was opened before");
    return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session id is taken, choose another");
}

static enum cella_status begin_request(struct cella_mailbox_mail *mail, struct cella_history_request *request,
                                       struct cella_history_sender *sender, struct cella_error *error) {
    struct cella_history_answer answer;
    enum cella_status status = cella_history_begin(&mail->mailbox->history, sender, request, &answer, error);
    if (status != CELLA_OK)
        return status;
    mail->verdict = answer.verdict;
    mail->topic_entry = answer.topic;
    mail->has_stored = answer.reply != NULL;
    mail->stored = answer.reply;
    mail->stored_size = answer.reply_size;
    mail->state = answer.verdict == CELLA_MAILBOX_RUN ? CELLA_MAIL_RUNNING : CELLA_MAIL_ANSWERABLE;
    cella_mailbox_take_route(mail, sender, mail->session != NULL || mail->verdict == CELLA_MAILBOX_RUN);
    return CELLA_OK;
}

void cella_mailbox_take_route(const struct cella_mailbox_mail *mail, struct cella_history_sender *sender,
                              bool is_new) {
    if (sender->kept.has_route && !is_new)
        return;
    memcpy(sender->kept.route, mail->route, sizeof sender->kept.route);
    sender->kept.has_route = true;
}

/* Who wrote it: known, or new and acceptable. */
static enum cella_status find_sender(struct cella_mailbox_mail *mail,
                                     const struct cella_history_request *request,
                                     struct cella_history_sender **ret_sender, struct cella_error *error) {
    struct cella_history *history = &mail->mailbox->history;
    if (history->keep == NULL && mail->session != NULL && mail->session->sender != NULL) {
        *ret_sender = mail->session->sender;
        return CELLA_OK;
    }
    enum cella_status status = cella_history_open(history, mail->view.sender, ret_sender, error);
    if (status != CELLA_OK || *ret_sender != NULL)
        return status;
    /* Before the sender gets a place: old mail must not push out those who are remembered. */
    if (mail->opener.header.role == CELLA_MAIL_REQUEST)
        status = cella_history_check_new(history, request->birth, error);
    return status == CELLA_OK ? cella_history_add(history, mail->view.sender, ret_sender, error) : status;
}

static enum cella_status begin_known(struct cella_mailbox_mail *mail, struct cella_history_request *request,
                                     struct cella_history_sender *sender, struct cella_error *error) {
    const struct cella_mail_header *header = &mail->opener.header;
    cella_mailbox_take_route(mail, sender, false);
    if (mail->session != NULL)
        cella_mailbox_session_used(mail->mailbox, mail->session);
    if (header->kind == CELLA_MAIL_SESSION_OPEN)
        cella_mailbox_outbox_rewind(mail->mailbox, sender);
    if (header->role == CELLA_MAIL_REQUEST)
        return begin_request(mail, request, sender, error);
    mail->verdict = header->role == CELLA_MAIL_HELLO ? CELLA_MAILBOX_HELLO : CELLA_MAILBOX_ACK;
    mail->state = CELLA_MAIL_ANSWERABLE;
    return CELLA_OK;
}

static enum cella_status begin_locked(struct cella_mailbox_mail *mail, struct cella_history_request *request,
                                      struct cella_error *error) {
    struct cella_history *history = &mail->mailbox->history;
    struct cella_history_sender *sender = NULL;
    enum cella_status status = check_session_id(mail, error);
    if (status == CELLA_OK)
        status = cella_history_start(history, error);
    if (status == CELLA_OK)
        status = find_sender(mail, request, &sender, error);
    if (status == CELLA_OK)
        status = begin_known(mail, request, sender, error);
    if (status == CELLA_OK)
        status = cella_history_store(history, sender, error);
    if (status != CELLA_OK) {
        if (mail->topic_entry != NULL)
            cella_history_abort(mail->topic_entry);
        mail->topic_entry = NULL;
        mail->state = CELLA_MAIL_ARRIVING;
        cella_wipe_free(mail->stored, mail->stored_size);
        mail->stored = NULL;
        cella_history_release(history, sender);
        return status;
    }
    sender->pins++;
    mail->sender = sender;
    return CELLA_OK;
}

/* A query is in no order with anything. */
static enum cella_status begin_query(struct cella_mailbox_mail *mail) {
    cella_mailbox_session_used(mail->mailbox, mail->session);
    mail->verdict = CELLA_MAILBOX_QUERY;
    mail->state = CELLA_MAIL_ANSWERABLE;
    return CELLA_OK;
}

enum cella_status cella_mailbox_mail_begin(struct cella_mailbox_mail *mail,
                                           enum cella_mailbox_verdict *ret_verdict,
                                           struct cella_error *error) {
    const struct cella_mail_header *header = &mail->opener.header;
    if (mail->state != CELLA_MAIL_ARRIVING)
        return cella_fail(error, CELLA_ARGUMENT, "the mail was begun already");
    if (!mail->opener.complete || mail->opener.failed)
        return cella_fail(error, CELLA_MAIL_REFUSED, "the mail does not open");
    bool bare = header->role == CELLA_MAIL_HELLO || header->role == CELLA_MAIL_ACK;
    if (bare && mail->opener.body_size > 0)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "a %s with a body",
                          cella_mail_role_name(header->role));
    if (header->topic.size > 0)
        memcpy(mail->topic, header->topic.data, header->topic.size);
    mail->view.topic = mail->topic;
    mail->view.sequence = header->sequence;
    mail->view.envelope = header->envelope;
    mail->view.body = CELLA_BYTES(mail->opener.body, mail->opener.body_size);
    struct cella_history_request request = {.topic = header->topic,
                                            .sequence = header->sequence,
                                            .birth = header->birth,
                                            .in_session = mail->session != NULL};
    memcpy(request.mail_id, mail->id, sizeof request.mail_id);
    memcpy(request.fingerprint, mail->request_fingerprint, sizeof request.fingerprint);
    pthread_mutex_lock(&mail->mailbox->lock);
    enum cella_status status =
        header->role == CELLA_MAIL_QUERY ? begin_query(mail) : begin_locked(mail, &request, error);
    pthread_mutex_unlock(&mail->mailbox->lock);
    if (status == CELLA_OK)
        *ret_verdict = mail->verdict;
    return status;
}

bool cella_mailbox_mail_is_query(const struct cella_mailbox_mail *mail) {
    return mail->opener.complete && mail->opener.header.role == CELLA_MAIL_QUERY;
}

struct cella_bytes cella_mailbox_mail_context(const struct cella_mailbox_mail *mail) {
    return mail->opener.complete ? mail->opener.header.context : (struct cella_bytes){0};
}

const struct cella_mail *cella_mailbox_mail_view(const struct cella_mailbox_mail *mail) {
    return &mail->view;
}
