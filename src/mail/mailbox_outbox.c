/* The enclave's end: posts that are kept until their client says that they arrived. Must not send anything
 * before its transaction is durable, nor two posts to one client in another order than that of their numbers.
 */
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "mail/kept_internal.h"
#include "mail/mailbox_internal.h"
#include <stdlib.h>
#include <string.h>

enum {
    COLLECTED_MAX = 256,  /* posts that one mail removes */
    AGAIN_COUNT_MAX = 64, /* posts that are sent again with one mail */
    AGAIN_BYTES_MAX = 1 << 20,
};

static uint64_t charge(size_t size) {
    return cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, size);
}

/* Up to where this instance has sent. What an earlier one has sent is lost with its host's memory. */
static uint64_t sent(const struct cella_mailbox *mailbox, const struct cella_keep_sender *kept) {
    return kept->sent_clock == mailbox->history.first_clock && kept->posts_sent > kept->posts_collected
               ? kept->posts_sent
               : kept->posts_collected;
}

static void set_sent(const struct cella_mailbox *mailbox, struct cella_keep_sender *kept, uint64_t number) {
    kept->posts_sent = number;
    kept->sent_clock = mailbox->history.first_clock;
}

void cella_mailbox_outbox_rewind(const struct cella_mailbox *mailbox, struct cella_history_sender *sender) {
    struct cella_keep_sender *kept = &sender->kept;
    if (mailbox->history.keep != NULL && kept->posts_made > kept->posts_collected)
        set_sent(mailbox, kept, kept->posts_collected);
}

static enum cella_status copy_post(struct cella_mailbox *mailbox, const uint8_t *recipient,
                                   const struct cella_keep_sender *kept, uint64_t number,
                                   const struct cella_keep_post *post,
                                   struct cella_mailbox_prepared **ret_prepared) {
    struct cella_mailbox_prepared *prepared = calloc(1, sizeof *prepared);
    uint8_t *body = malloc(post->body.size + 1);
    if (prepared == NULL || body == NULL) {
        free(prepared);
        free(body);
        return CELLA_NO_MEMORY;
    }
    if (post->body.size > 0)
        memcpy(body, post->body.data, post->body.size);
    prepared->mailbox = mailbox;
    prepared->stream = body;
    prepared->stream_size = post->body.size;
    prepared->body_size = post->body.size;
    memcpy(prepared->recipient, recipient, sizeof prepared->recipient);
    memcpy(prepared->route, kept->route, sizeof prepared->route);
    memcpy(prepared->topic_name, post->topic.data, post->topic.size);
    prepared->header = (struct cella_mail_header){
        .kind = CELLA_MAIL_ONE_SHOT,
        .role = CELLA_MAIL_POST,
        .padding = CELLA_MAIL_PADDING_CLASS,
        .answers = number,
        .sequence = post->sequence,
        .birth = post->life,
        .topic = CELLA_BYTES(prepared->topic_name, post->topic.size),
    };
    *ret_prepared = prepared;
    return CELLA_OK;
}

static enum cella_status put_post(const struct cella_history *history, const uint8_t *recipient,
                                  uint64_t number, const struct cella_keep_post *post) {
    struct cella_keep_key key;
    uint8_t *value = NULL;
    size_t size = 0;
    cella_keep_outbox_key(&key, recipient, number);
    enum cella_status status = cella_keep_post_write(post, &value, &size);
    if (status == CELLA_OK)
        status = cella_kept_put(history, &key, CELLA_BYTES(value, size));
    cella_wipe_free(value, size);
    return status;
}

/* The next sequence of posts of this topic. A topic that is new, also to requests, is counted; one whose
 * first request is being handled is already. */
static enum cella_status take_sequence(struct cella_history *history, const uint8_t *recipient,
                                       struct cella_bytes topic, struct cella_keep_sender *kept,
                                       uint64_t *ret_sequence) {
    struct cella_keep_key key;
    struct cella_bytes value;
    uint8_t out[CELLA_KEEP_POSTS_SIZE];
    uint64_t sequence = 0;
    enum cella_status status = CELLA_OK;
    cella_keep_topic_key(&key, recipient, CELLA_KEEP_POSTS, topic);
    if (cella_kept_get(history, &key, &value)) {
        status = cella_keep_posts_parse(value, &sequence);
    } else if (!cella_kept_topic_known(history, recipient, topic)) {
        const struct cella_history_sender *sender = cella_history_find(history, recipient);
        const struct cella_history_topic *busy =
            sender == NULL ? NULL : cella_history_topic_find(sender, topic);
        if (busy == NULL || !busy->busy) {
            if (kept->topic_count >= history->limits.max_topics)
                return CELLA_MAIL_TOPIC_LIMIT;
            kept->topic_count++;
        }
    }
    if (status != CELLA_OK)
        return status;
    cella_keep_posts_write(sequence + 1, out);
    *ret_sequence = sequence;
    return cella_kept_put(history, &key, CELLA_BYTES(out, sizeof out));
}

static enum cella_status check_outbox(const struct cella_mailbox *mailbox,
                                      const struct cella_keep_sender *kept, size_t size,
                                      struct cella_error *error) {
    uint64_t most = mailbox->limits.max_outbox;
    if (size > CELLA_KEEP_POST_MAX)
        return cella_fail(error, CELLA_LIMIT, "a post that is kept has at most %zu bytes",
                          CELLA_KEEP_POST_MAX);
    if (kept->posts_made >= CELLA_MAIL_NUMBER_MAX)
        return cella_fail(error, CELLA_LIMIT, "this recipient has no numbers for posts left");
    if (kept->waiting_bytes + charge(size) > most)
        return cella_fail(error, CELLA_OUTBOX_LIMIT, "%llu of %llu bytes wait for this recipient",
                          (unsigned long long)kept->waiting_bytes, (unsigned long long)most);
    return CELLA_OK;
}

enum cella_status cella_mailbox_outbox_put(struct cella_mailbox *mailbox,
                                           const uint8_t recipient[CELLA_MAIL_KEY_SIZE],
                                           struct cella_bytes topic, struct cella_bytes body,
                                           struct cella_mailbox_prepared **ret_prepared,
                                           struct cella_error *error) {
    struct cella_history *history = &mailbox->history;
    struct cella_mailbox_prepared *prepared = NULL;
    struct cella_keep_sender kept;
    enum cella_status status = cella_kept_sender_load(history, recipient, &kept);
    if (status == CELLA_NOT_FOUND)
        return cella_fail(error, status, "the recipient has not written to this vault, or was forgotten");
    if (status == CELLA_OK)
        status = check_outbox(mailbox, &kept, body.size, error);
    if (status != CELLA_OK)
        return status;
    /* The client knows by it whether the post is of its life of now: numbers begin anew with each. */
    struct cella_keep_post post = {
        .life = kept.has_birth ? kept.birth : history->clock, .topic = topic, .body = body};
    status = take_sequence(history, recipient, topic, &kept, &post.sequence);
    bool at_once = sent(mailbox, &kept) == kept.posts_made;
    uint64_t number = ++kept.posts_made;
    kept.waiting_bytes += charge(body.size);
    if (at_once)
        set_sent(mailbox, &kept, number);
    if (status == CELLA_OK)
        status = put_post(history, recipient, number, &post);
    if (status == CELLA_OK)
        status = cella_kept_sender_put(history, recipient, &kept);
    if (status == CELLA_OK && at_once)
        status = copy_post(mailbox, recipient, &kept, number, &post, &prepared);
    if (status != CELLA_OK)
        return cella_fail(error, status, "a post cannot be kept");
    *ret_prepared = prepared;
    return CELLA_OK;
}

/* Loads a post of the outbox; its views are the keep's. */
static enum cella_status get_post(const struct cella_history *history, const uint8_t *recipient,
                                  uint64_t number, struct cella_keep_post *ret_post) {
    struct cella_keep_key key;
    struct cella_bytes value;
    cella_keep_outbox_key(&key, recipient, number);
    return cella_kept_get(history, &key, &value) ? cella_keep_post_parse(value, ret_post) : CELLA_DAMAGED;
}

static enum cella_status collect_one(const struct cella_history *history,
                                     struct cella_history_sender *sender) {
    struct cella_keep_key key;
    struct cella_keep_post post;
    struct cella_keep_sender *kept = &sender->kept;
    uint64_t number = kept->posts_collected + 1;
    enum cella_status status = get_post(history, sender->key, number, &post);
    if (status != CELLA_OK)
        return status;
    if (kept->waiting_bytes < charge(post.body.size))
        return CELLA_DAMAGED;
    kept->waiting_bytes -= charge(post.body.size);
    kept->posts_collected = number;
    cella_keep_outbox_key(&key, sender->key, number);
    return cella_kept_delete(history, &key);
}

/* Numbers begin anew with each life of the sender. A sender that has not named its birth yet has had no other
 * life that this vault remembers; of it only mail counts that cannot be of one that was forgotten. */
static bool is_of_this_life(const struct cella_mailbox_mail *mail, const struct cella_keep_sender *kept) {
    return kept->has_birth ? mail->opener.header.birth == kept->birth : mail->session != NULL;
}

static enum cella_status collect(struct cella_mailbox_mail *mail, uint64_t number,
                                 struct cella_error *error) {
    struct cella_history *history = &mail->mailbox->history;
    struct cella_history_sender *sender = NULL;
    enum cella_status status = cella_history_open(history, mail->view.sender, &sender, error);
    if (status != CELLA_OK || sender == NULL)
        return status;
    if (number <= sender->kept.posts_collected || number > sender->kept.posts_made ||
        !is_of_this_life(mail, &sender->kept))
        return CELLA_OK;
    for (unsigned i = 0; i < COLLECTED_MAX && sender->kept.posts_collected < number && status == CELLA_OK;
         i++)
        status = collect_one(history, sender);
    return status == CELLA_OK ? cella_history_store(history, sender, error)
                              : cella_fail(error, status, "posts that were collected cannot be removed");
}

enum cella_status cella_mailbox_collected(struct cella_mailbox_mail *mail, uint64_t number,
                                          struct cella_error *error) {
    struct cella_mailbox *mailbox = mail->mailbox;
    if (mailbox->history.keep == NULL || mail->sender == NULL)
        return CELLA_OK;
    pthread_mutex_lock(&mailbox->lock);
    enum cella_status status = collect(mail, number, error);
    pthread_mutex_unlock(&mailbox->lock);
    return status;
}

static enum cella_status take_again(struct cella_mailbox_mail *mail,
                                    struct cella_mailbox_prepared **ret_prepared, struct cella_error *error) {
    struct cella_mailbox *mailbox = mail->mailbox;
    struct cella_history_sender *sender = NULL;
    struct cella_keep_post post;
    enum cella_status status = cella_history_open(&mailbox->history, mail->view.sender, &sender, error);
    if (status != CELLA_OK)
        return status;
    if (sender == NULL || sent(mailbox, &sender->kept) == sender->kept.posts_made)
        return CELLA_NOT_FOUND;
    uint64_t number = sent(mailbox, &sender->kept) + 1;
    status = get_post(&mailbox->history, sender->key, number, &post);
    if (status == CELLA_OK)
        status = copy_post(mailbox, sender->key, &sender->kept, number, &post, ret_prepared);
    if (status != CELLA_OK)
        return cella_fail(error, status, "a post cannot be sent again");
    set_sent(mailbox, &sender->kept, number);
    mail->again_count++;
    mail->again_bytes += (*ret_prepared)->body_size;
    return cella_history_store(&mailbox->history, sender, error);
}

enum cella_status cella_mailbox_again(struct cella_mailbox_mail *mail,
                                      struct cella_mailbox_prepared **ret_prepared,
                                      struct cella_error *error) {
    struct cella_mailbox *mailbox = mail->mailbox;
    struct cella_mailbox_prepared *prepared = NULL;
    if (mailbox->history.keep == NULL || mail->sender == NULL || mail->again_count >= AGAIN_COUNT_MAX ||
        mail->again_bytes >= AGAIN_BYTES_MAX)
        return CELLA_NOT_FOUND;
    pthread_mutex_lock(&mailbox->lock);
    enum cella_status status = take_again(mail, &prepared, error);
    pthread_mutex_unlock(&mailbox->lock);
    if (status == CELLA_OK)
        *ret_prepared = prepared;
    else
        cella_mailbox_post_cancel(prepared);
    return status;
}

/* The last session that the recipient has used, held; NULL: one-shot. */
static struct cella_mailbox_session *hold_session(struct cella_mailbox_prepared *prepared) {
    struct cella_mailbox *mailbox = prepared->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    const struct cella_history_sender *sender = cella_history_find(&mailbox->history, prepared->recipient);
    struct cella_mailbox_session *session = sender == NULL ? NULL : cella_mailbox_session_for_posts(sender);
    if (session != NULL)
        session->references++;
    pthread_mutex_unlock(&mailbox->lock);
    return session;
}

enum cella_status cella_mailbox_outbox_seal(struct cella_mailbox_prepared *prepared,
                                            struct cella_bytes context, struct cella_mailbox_post *ret_post) {
    struct cella_mailbox *mailbox = prepared->mailbox;
    struct cella_mail_header header = prepared->header;
    struct cella_bytes body = CELLA_BYTES(prepared->stream, prepared->body_size);
    header.context = context;
    /* Released with `prepared`. */
    prepared->session = hold_session(prepared);
    enum cella_status status = CELLA_OK;
    if (prepared->session != NULL) {
        header.kind = CELLA_MAIL_SESSION;
        memcpy(header.session_id, prepared->session->id, sizeof header.session_id);
    } else {
        status = cella_random(header.session_id, sizeof header.session_id);
    }
    size_t size = cella_mail_size(&header, body.size);
    uint8_t *out = malloc(size);
    if (out == NULL)
        return CELLA_NO_MEMORY;
    if (status == CELLA_OK)
        status = prepared->session != NULL
                     ? cella_mailbox_seal_in_session(prepared->session, &header, body, out, NULL)
                     : cella_mailbox_seal_one_shot(mailbox, &mailbox->session_key, prepared->recipient,
                                                   &header, body, out);
    if (status != CELLA_OK) {
        free(out);
        return status;
    }
    memcpy(ret_post->route, prepared->route, sizeof ret_post->route);
    ret_post->bytes = CELLA_BYTES(out, size);
    return CELLA_OK;
}
