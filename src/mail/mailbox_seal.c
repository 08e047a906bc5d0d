/* The enclave's end: sealing replies. Must not seal twice under one mail number. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/mailbox_internal.h"
#include <stdlib.h>
#include <string.h>

static enum cella_mail_role reply_role(const struct cella_mailbox_mail *mail, bool with_reply) {
    if (mail->verdict == CELLA_MAILBOX_HELLO)
        return CELLA_MAIL_HELLO;
    return with_reply ? CELLA_MAIL_REPLY : CELLA_MAIL_DONE;
}

static struct cella_mail_header reply_header(const struct cella_mailbox_mail *mail, bool with_reply) {
    static const enum cella_mail_kind kinds[] = {
        [CELLA_MAIL_ONE_SHOT] = CELLA_MAIL_ONE_SHOT,
        [CELLA_MAIL_SESSION_OPEN] = CELLA_MAIL_SESSION_ACCEPT,
        [CELLA_MAIL_SESSION] = CELLA_MAIL_SESSION,
    };
    const struct cella_mail_header *asked = &mail->opener.header;
    struct cella_mail_header header = {
        .kind = kinds[asked->kind],
        .role = reply_role(mail, with_reply),
        .padding = asked->padding,
        .answers = asked->number,
        .generation = asked->generation,
        .sequence = asked->sequence,
        .topic = CELLA_BYTES(mail->topic, asked->topic.size),
    };
    memcpy(header.session_id, asked->session_id, sizeof header.session_id);
    return header;
}

/* What is sent: after a repeat the stored reply, after a hello nothing, else the handler's. */
static struct cella_bytes reply_body(const struct cella_mailbox_mail *mail, const struct cella_bytes *reply,
                                     bool *ret_with_reply) {
    if (mail->verdict == CELLA_MAILBOX_REPEAT) {
        *ret_with_reply = mail->has_stored;
        return CELLA_BYTES(mail->stored, mail->stored_size);
    }
    bool handled = mail->verdict == CELLA_MAILBOX_RUN || mail->verdict == CELLA_MAILBOX_QUERY;
    *ret_with_reply = handled && reply != NULL;
    return *ret_with_reply ? *reply : (struct cella_bytes){0};
}

uint64_t cella_mailbox_reply_size(const struct cella_mailbox_mail *mail, const struct cella_bytes *reply,
                                  size_t context_size) {
    bool with_reply = false;
    struct cella_bytes body = reply_body(mail, reply, &with_reply);
    struct cella_mail_header header = reply_header(mail, with_reply);
    header.context.size = context_size;
    return cella_mail_size(&header, body.size);
}

enum cella_status cella_mailbox_seal_in_session(struct cella_mailbox_session *session,
                                                struct cella_mail_header *header, struct cella_bytes body,
                                                uint8_t *out, struct cella_error *error) {
    struct cella_mail_sealer sealer = {.cipher = &session->send, .lock = &session->lock};
    enum cella_status status = cella_mailbox_session_next(session, &header->number);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the session has no mail numbers left");
    sealer.header = *header;
    status = cella_mail_sealer_whole(&sealer, body, out, error);
    cella_mail_sealer_deinit(&sealer);
    return status;
}

enum cella_status cella_mailbox_seal_one_shot(const struct cella_mailbox *mailbox,
                                              const struct cella_x25519_key *own,
                                              const uint8_t recipient[CELLA_MAIL_KEY_SIZE],
                                              const struct cella_mail_header *header, struct cella_bytes body,
                                              uint8_t *out) {
    struct cella_noise_handshake handshake = {0};
    struct cella_mail_sealer sealer = {
        .header = *header,
        .handshake = &handshake,
        .setup = {.pattern = CELLA_NOISE_X, .initiator = true, .s = own, .rs = recipient},
        .fixed_ephemeral = mailbox->fixed != NULL ? mailbox->fixed->ephemeral : NULL,
    };
    enum cella_status status = cella_mail_sealer_whole(&sealer, body, out, NULL);
    cella_mail_sealer_deinit(&sealer);
    cella_noise_handshake_deinit(&handshake);
    return status;
}

/* The second message of the handshake makes the session; its mail goes under the session's key already. */
static enum cella_status seal_accept(struct cella_mailbox_mail *mail, const struct cella_mail_header *header,
                                     struct cella_bytes body, uint8_t *out,
                                     struct cella_mailbox_session *session) {
    struct cella_mail_sealer sealer = {.header = *header, .cipher = &session->send};
    enum cella_status status = CELLA_OK;
    if (mail->mailbox->fixed != NULL)
        status = cella_noise_fix_ephemeral(&mail->handshake, mail->mailbox->fixed->ephemeral);
    if (status == CELLA_OK)
        status = cella_noise_write_message(&mail->handshake, (struct cella_bytes){0}, sealer.preamble);
    if (status == CELLA_OK)
        status = cella_noise_split(&mail->handshake, &session->receive, &session->send);
    if (status == CELLA_OK)
        status = cella_mail_sealer_whole(&sealer, body, out, NULL);
    cella_mail_sealer_deinit(&sealer);
    memcpy(session->id, header->session_id, sizeof session->id);
    return status;
}

/* Adds the session unless its id was taken while the handler ran. */
static enum cella_status install(struct cella_mailbox_mail *mail, struct cella_mailbox_session *session,
                                 struct cella_error *error) {
    struct cella_mailbox *mailbox = mail->mailbox;
    if (cella_mailbox_session_find(mailbox, session->id) != NULL)
        return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session id is taken, choose another");
    cella_mailbox_session_add(mailbox, mail->sender, session);
    return CELLA_OK;
}

static enum cella_status accept_session(struct cella_mailbox_mail *mail, struct cella_mail_header *header,
                                        struct cella_bytes body, uint8_t *out, struct cella_error *error) {
    struct cella_mailbox *mailbox = mail->mailbox;
    struct cella_mailbox_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a session");
    pthread_mutex_init(&session->lock, NULL);
    session->references = 1;
    /* Each session gets a birth of its own, later than all before it. */
    pthread_mutex_lock(&mailbox->lock);
    header->birth = ++mailbox->history.clock;
    pthread_mutex_unlock(&mailbox->lock);
    enum cella_status status = seal_accept(mail, header, body, out, session);
    if (status != CELLA_OK)
        (void)cella_fail(error, status, "the session's accept could not be sealed");
    pthread_mutex_lock(&mailbox->lock);
    if (status == CELLA_OK)
        status = install(mail, session, error);
    if (status != CELLA_OK)
        cella_mailbox_session_release(session);
    pthread_mutex_unlock(&mailbox->lock);
    return status;
}

enum cella_status cella_mailbox_reply_seal(struct cella_mailbox_mail *mail, const struct cella_bytes *reply,
                                           struct cella_bytes context, uint8_t *out, uint64_t out_size,
                                           struct cella_error *error) {
    struct cella_mailbox *mailbox = mail->mailbox;
    bool with_reply = false;
    struct cella_bytes body = reply_body(mail, reply, &with_reply);
    if (mail->state != CELLA_MAIL_ANSWERABLE ||
        out_size != cella_mailbox_reply_size(mail, reply, context.size))
        return cella_fail(error, CELLA_ARGUMENT, "the mail has no answer to seal, or one of another size");
    if (body.size > mailbox->limits.max_mail_size)
        return cella_fail(error, CELLA_LIMIT, "the reply is over max_mail_size of %llu bytes",
                          (unsigned long long)mailbox->limits.max_mail_size);
    mail->state = CELLA_MAIL_ENDED;
    struct cella_mail_header header = reply_header(mail, with_reply);
    header.context = context;
    if (header.kind == CELLA_MAIL_SESSION_ACCEPT)
        return accept_session(mail, &header, body, out, error);
    pthread_mutex_lock(&mailbox->lock);
    header.birth = mailbox->history.clock;
    pthread_mutex_unlock(&mailbox->lock);
    if (header.kind == CELLA_MAIL_SESSION)
        return cella_mailbox_seal_in_session(mail->session, &header, body, out, error);
    enum cella_status status =
        cella_mailbox_seal_one_shot(mailbox, mail->key, mail->view.sender, &header, body, out);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "the reply could not be sealed");
}
