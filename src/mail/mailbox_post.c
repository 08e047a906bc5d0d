/* The enclave's end: posts. Must not fail once a transaction is committed: whatever can fail is done when a
 * post is prepared. */
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "mail/mailbox_internal.h"
#include <stdlib.h>
#include <string.h>

static struct cella_noise_setup one_shot_setup(const struct cella_mailbox_prepared *prepared) {
    return (struct cella_noise_setup){.pattern = CELLA_NOISE_X,
                                      .initiator = true,
                                      .s = &prepared->mailbox->session_key,
                                      .rs = prepared->sender->key};
}

static enum cella_status copy_body(struct cella_mailbox_prepared *prepared, struct cella_bytes body) {
    struct cella_mail_header *header = &prepared->header;
    uint64_t size = cella_mail_padded_size(header->padding, body.size);
    /* One-shot is the larger of the two ways. */
    prepared->out = malloc(cella_mail_size(header, body.size));
    prepared->stream = malloc(size);
    if (prepared->out == NULL || prepared->stream == NULL)
        return CELLA_NO_MEMORY;
    if (body.size > 0)
        memcpy(prepared->stream, body.data, body.size);
    prepared->stream_size = size;
    prepared->body_size = body.size;
    cella_mail_tail(header->padding, body.size, body.size, prepared->stream + body.size, size - body.size);
    return CELLA_OK;
}

static enum cella_status take_place(struct cella_mailbox_prepared *prepared, const uint8_t *recipient,
                                    struct cella_bytes name, struct cella_error *error) {
    struct cella_history *history = &prepared->mailbox->history;
    struct cella_history_topic *topic = NULL;
    struct cella_history_sender *sender = cella_history_find(history, recipient);
    if (sender == NULL)
        return cella_fail(error, CELLA_NOT_FOUND, "the recipient has not written to this instance");
    enum cella_status status = cella_history_topic(history, sender, name, &topic, error);
    if (status != CELLA_OK)
        return status;
    cella_history_pin(sender, topic);
    prepared->sender = sender;
    prepared->topic = topic;
    prepared->session = cella_mailbox_session_for_posts(sender);
    if (prepared->session != NULL)
        prepared->session->references++;
    return CELLA_OK;
}

/* Mail number, or the key of a one-shot mail. */
static enum cella_status take_keys(struct cella_mailbox_prepared *prepared) {
    struct cella_mail_header *header = &prepared->header;
    struct cella_noise_setup setup = one_shot_setup(prepared);
    const struct cella_mail_fixed *fixed = prepared->mailbox->fixed;
    if (prepared->session != NULL) {
        header->kind = CELLA_MAIL_SESSION;
        memcpy(header->session_id, prepared->session->id, sizeof header->session_id);
        return cella_mailbox_session_next(prepared->session, &header->number);
    }
    enum cella_status status = cella_random(header->session_id, sizeof header->session_id);
    if (status == CELLA_OK)
        status = cella_noise_handshake_initialize(&prepared->handshake, &setup);
    if (status == CELLA_OK && fixed != NULL)
        status = cella_noise_fix_ephemeral(&prepared->handshake, fixed->ephemeral);
    return status == CELLA_OK ? cella_noise_prepare(&prepared->handshake) : status;
}

enum cella_status cella_mailbox_post_prepare(struct cella_mailbox *mailbox,
                                             const uint8_t recipient[CELLA_MAIL_KEY_SIZE], const char *topic,
                                             struct cella_bytes body,
                                             struct cella_mailbox_prepared **ret_prepared,
                                             struct cella_error *error) {
    struct cella_bytes name = CELLA_BYTES(topic, strlen(topic));
    if (!cella_mail_topic_valid(name))
        return cella_fail(error, CELLA_MAIL_TOPIC, "topic of %zu bytes", name.size);
    if (body.size > mailbox->limits.max_mail_size)
        return cella_fail(error, CELLA_LIMIT, "the post is over max_mail_size of %llu bytes",
                          (unsigned long long)mailbox->limits.max_mail_size);
    if (mailbox->history.keep != NULL) {
        pthread_mutex_lock(&mailbox->lock);
        enum cella_status status =
            cella_mailbox_outbox_put(mailbox, recipient, name, body, ret_prepared, error);
        pthread_mutex_unlock(&mailbox->lock);
        return status;
    }
    struct cella_mailbox_prepared *prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a post");
    prepared->mailbox = mailbox;
    prepared->header = (struct cella_mail_header){.kind = CELLA_MAIL_ONE_SHOT,
                                                  .role = CELLA_MAIL_POST,
                                                  .padding = CELLA_MAIL_PADDING_CLASS,
                                                  .topic = name};
    enum cella_status status = copy_body(prepared, body);
    if (status != CELLA_OK) {
        cella_mailbox_post_cancel(prepared);
        return cella_fail(error, status, "a post");
    }
    pthread_mutex_lock(&mailbox->lock);
    status = take_place(prepared, recipient, name, error);
    pthread_mutex_unlock(&mailbox->lock);
    if (status == CELLA_OK) {
        prepared->header.topic = CELLA_BYTES(prepared->topic->name, name.size);
        status = take_keys(prepared);
        if (status != CELLA_OK)
            (void)cella_fail(error, status, "a post could not be prepared");
    }
    if (status != CELLA_OK) {
        cella_mailbox_post_cancel(prepared);
        return status;
    }
    *ret_prepared = prepared;
    return CELLA_OK;
}

static void seal_in_session(struct cella_mailbox_prepared *prepared) {
    struct cella_mailbox_session *session = prepared->session;
    struct cella_mail_sealer sealer = {
        .header = prepared->header, .cipher = &session->send, .lock = &session->lock};
    struct cella_bytes stream = CELLA_BYTES(prepared->stream, prepared->stream_size);
    CELLA_ASSERT(cella_mail_sealer_stream(&sealer, stream, prepared->out, NULL) == CELLA_OK);
    cella_mail_sealer_deinit(&sealer);
}

static enum cella_status seal_one_shot(struct cella_mailbox_prepared *prepared,
                                       const struct cella_mail_header *header) {
    struct cella_mail_sealer sealer = {
        .header = *header, .handshake = &prepared->handshake, .setup = one_shot_setup(prepared)};
    struct cella_bytes stream = CELLA_BYTES(prepared->stream, prepared->stream_size);
    enum cella_status status = cella_mail_sealer_stream(&sealer, stream, prepared->out, NULL);
    cella_mail_sealer_deinit(&sealer);
    return status;
}

/* The client has opened so many sessions since that it has forgotten this one's key. Without memory for
 * another way the post goes as it was prepared, and the client reports a post that it cannot open. */
static bool seal_one_shot_late(struct cella_mailbox_prepared *prepared) {
    struct cella_mail_header header = prepared->header;
    header.kind = CELLA_MAIL_ONE_SHOT;
    header.number = 0;
    if (cella_random(header.session_id, sizeof header.session_id) != CELLA_OK ||
        seal_one_shot(prepared, &header) != CELLA_OK)
        return false;
    prepared->header = header;
    return true;
}

/* Gives back place and keys, and frees. */
static void end(struct cella_mailbox_prepared *prepared) {
    struct cella_mailbox *mailbox = prepared->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    if (prepared->session != NULL)
        cella_mailbox_session_release(prepared->session);
    if (prepared->sender != NULL)
        cella_history_unpin(&mailbox->history, prepared->sender, prepared->topic);
    pthread_mutex_unlock(&mailbox->lock);
    cella_noise_handshake_deinit(&prepared->handshake);
    cella_wipe_free(prepared->stream, prepared->stream_size);
    free(prepared->out);
    cella_wipe_free(prepared, sizeof *prepared);
}

/* The context is known only now. */
static enum cella_status take_context(struct cella_mailbox_prepared *prepared, struct cella_bytes context) {
    if (context.size == 0)
        return CELLA_OK;
    if (context.size > CELLA_MAIL_CONTEXT_MAX)
        return CELLA_LIMIT;
    struct cella_mail_header header = prepared->header;
    header.kind = CELLA_MAIL_ONE_SHOT;
    header.context = context;
    uint8_t *out = malloc(cella_mail_size(&header, prepared->body_size));
    if (out == NULL)
        return CELLA_NO_MEMORY;
    free(prepared->out);
    prepared->out = out;
    prepared->header.context = context;
    return CELLA_OK;
}

static void seal(struct cella_mailbox_prepared *prepared, struct cella_mailbox_post *ret_post) {
    struct cella_mailbox *mailbox = prepared->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    prepared->header.sequence = prepared->topic->post_sequence++;
    prepared->header.birth = mailbox->history.clock;
    memcpy(ret_post->route, prepared->sender->kept.route, sizeof ret_post->route);
    bool in_session =
        prepared->session != NULL && cella_mailbox_session_takes_posts(prepared->session, prepared->sender);
    pthread_mutex_unlock(&mailbox->lock);
    if (prepared->session == NULL)
        CELLA_ASSERT(seal_one_shot(prepared, &prepared->header) == CELLA_OK);
    else if (in_session || !seal_one_shot_late(prepared))
        seal_in_session(prepared);
    ret_post->bytes = CELLA_BYTES(prepared->out, cella_mail_size(&prepared->header, prepared->body_size));
    prepared->out = NULL;
}

enum cella_status cella_mailbox_post_seal(struct cella_mailbox_prepared *prepared, struct cella_bytes context,
                                          struct cella_mailbox_post *ret_post) {
    bool is_kept = prepared->mailbox->history.keep != NULL;
    enum cella_status status =
        is_kept ? cella_mailbox_outbox_seal(prepared, context, ret_post) : take_context(prepared, context);
    if (status == CELLA_OK && !is_kept)
        seal(prepared, ret_post);
    end(prepared);
    return status;
}

void cella_mailbox_post_cancel(struct cella_mailbox_prepared *prepared) {
    if (prepared != NULL)
        end(prepared);
}
