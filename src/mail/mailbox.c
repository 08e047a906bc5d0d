/* The enclave's end: the mailbox itself, and opening what clients send. Must not run handlers. */
#include "mail/mailbox.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/writer.h"
#include "crypto/random.h"
#include "mail/kept.h"
#include "mail/mailbox_internal.h"
#include <stdlib.h>
#include <string.h>

static void forget(void *context, struct cella_history_sender *sender) {
    while (sender->sessions != NULL)
        cella_mailbox_session_close(context, sender->sessions);
}

static uint64_t or_default(uint64_t value, uint64_t fallback) {
    return value == 0 ? fallback : value;
}

static struct cella_mailbox_limits fill_limits(const struct cella_mailbox_limits *limits) {
    return (struct cella_mailbox_limits){
        .max_mail_size = or_default(limits->max_mail_size, UINT64_C(64) << 20),
        .max_senders = (uint32_t)or_default(limits->max_senders, 1024),
        .max_sessions = (uint32_t)or_default(limits->max_sessions, 1024),
        .max_topics = (uint32_t)or_default(limits->max_topics, 64),
        .max_stored_reply = or_default(limits->max_stored_reply, 64 << 10),
        .max_stored_bytes = or_default(limits->max_stored_bytes, 16 << 20),
        .max_outbox = or_default(limits->max_outbox, 1 << 20),
    };
}

static enum cella_status fill(struct cella_mailbox *mailbox, const struct cella_mailbox_options *options) {
    mailbox->limits = fill_limits(&options->limits);
    if (options->keep != NULL && mailbox->limits.max_stored_reply > CELLA_KEEP_REPLY_MAX)
        mailbox->limits.max_stored_reply = CELLA_KEEP_REPLY_MAX;
    enum cella_status status = cella_x25519_copy(&mailbox->session_key, options->session_key);
    if (status == CELLA_OK && options->mailbox_key != NULL) {
        status = cella_x25519_copy(&mailbox->mailbox_key, options->mailbox_key);
        mailbox->mailbox_generation = options->mailbox_generation;
    }
    if (status == CELLA_OK)
        status = cella_history_init(&mailbox->history, &mailbox->limits, options->keep, options->first_clock);
    if (status == CELLA_OK)
        status = cella_table_init(&mailbox->sessions, mailbox->limits.max_sessions);
    mailbox->history.forget = forget;
    mailbox->history.forget_context = mailbox;
    if (status != CELLA_OK)
        return status;
    return options->keep != NULL ? cella_kept_start(&mailbox->history, mailbox->fingerprint_key)
                                 : cella_random(mailbox->fingerprint_key, sizeof mailbox->fingerprint_key);
}

enum cella_status cella_mailbox_new(const struct cella_mailbox_options *options,
                                    struct cella_mailbox **ret_mailbox, struct cella_error *error) {
    if (options->session_key == NULL || (options->mailbox_key != NULL) != (options->mailbox_generation != 0))
        return cella_fail(error, CELLA_ARGUMENT, "a mailbox key and its generation belong together");
    /* The mailbox key outlives an instance; attempts that failed are remembered by the instance only. */
    if (options->keep != NULL && options->mailbox_key != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "a mailbox key with kept state");
    if (options->limits.max_mail_size > CELLA_MAIL_BODY_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "max_mail_size is over %llu",
                          (unsigned long long)CELLA_MAIL_BODY_MAX);
    struct cella_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a mailbox");
    pthread_mutex_init(&mailbox->lock, NULL);
    enum cella_status status = fill(mailbox, options);
    if (status != CELLA_OK) {
        cella_mailbox_free(mailbox);
        return cella_fail(error, status, "a mailbox could not be made");
    }
    *ret_mailbox = mailbox;
    return CELLA_OK;
}

void cella_mailbox_free(struct cella_mailbox *mailbox) {
    if (mailbox == NULL)
        return;
    cella_history_deinit(&mailbox->history);
    cella_table_deinit(&mailbox->sessions);
    cella_x25519_deinit(&mailbox->session_key);
    cella_x25519_deinit(&mailbox->mailbox_key);
    pthread_mutex_destroy(&mailbox->lock);
    cella_wipe_free(mailbox, sizeof *mailbox);
}

void cella_mailbox_fix(struct cella_mailbox *mailbox, const struct cella_mail_fixed *fixed) {
    mailbox->fixed = fixed;
}

/* The clear header is whole: which key, if any, could open this mail? */
static enum cella_status find_key(void *context, const struct cella_mail_header *header,
                                  struct cella_error *error) {
    struct cella_mailbox_mail *mail = context;
    struct cella_mailbox *mailbox = mail->mailbox;
    if (header->role == CELLA_MAIL_REPLY || header->role == CELLA_MAIL_DONE ||
        header->role == CELLA_MAIL_POST)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "mail of role %s is for clients",
                          cella_mail_role_name(header->role));
    mail->key = &mailbox->session_key;
    if (header->kind == CELLA_MAIL_ONE_SHOT && header->generation != 0) {
        if (header->generation != mailbox->mailbox_generation)
            return cella_fail(error, CELLA_MAIL_GENERATION, "generation %llu",
                              (unsigned long long)header->generation);
        mail->key = &mailbox->mailbox_key;
    }
    if (header->kind != CELLA_MAIL_SESSION)
        return header->kind == CELLA_MAIL_SESSION_ACCEPT
                   ? cella_fail(error, CELLA_MAIL_MALFORMED, "a session's accept is for clients")
                   : CELLA_OK;
    pthread_mutex_lock(&mailbox->lock);
    mail->session = cella_mailbox_session_find(mailbox, header->session_id);
    if (mail->session != NULL)
        mail->session->references++;
    pthread_mutex_unlock(&mailbox->lock);
    return mail->session != NULL
               ? CELLA_OK
               : cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN, "the session is not or no longer known");
}

static enum cella_status open_handshake(struct cella_mailbox_mail *mail, const struct cella_bytes ad[2],
                                        struct cella_bytes sealed, uint8_t *out) {
    struct cella_noise_setup setup = {
        .pattern = mail->opener.header.kind == CELLA_MAIL_ONE_SHOT ? CELLA_NOISE_X : CELLA_NOISE_IK,
        .prologue = {ad[0], ad[1]},
        .s = mail->key,
    };
    enum cella_status status = cella_noise_handshake_initialize(&mail->handshake, &setup);
    if (status == CELLA_OK)
        status = cella_noise_read_message(&mail->handshake, sealed, out);
    if (status == CELLA_OK) {
        memcpy(mail->id, mail->handshake.symmetric.h, sizeof mail->id);
        memcpy(mail->view.sender, mail->handshake.rs, sizeof mail->view.sender);
    }
    return status;
}

static enum cella_status open_transport(struct cella_mailbox_mail *mail, uint64_t index,
                                        const struct cella_bytes ad[2], struct cella_bytes sealed,
                                        uint8_t *out) {
    struct cella_mailbox_session *session = mail->session;
    uint64_t n = mail->opener.header.number * CELLA_MAIL_PACKET_COUNT_MAX + index;
    enum cella_status status = CELLA_OK;
    if (session != NULL) {
        pthread_mutex_lock(&session->lock);
        status = cella_noise_decrypt_at(&session->receive, n, ad, sealed, out);
        pthread_mutex_unlock(&session->lock);
        return status;
    }
    if (index == 1)
        status = cella_noise_split(&mail->handshake, &mail->receive, NULL);
    return status == CELLA_OK ? cella_noise_decrypt_at(&mail->receive, n, ad, sealed, out) : status;
}

/* The fingerprint begins with the envelope and its size, filled up to whole blocks of 16 bytes: the packets
 * that follow are then taken at full speed. */
static enum cella_status start_fingerprint(struct cella_mailbox_mail *mail) {
    static const uint8_t zeros[16];
    struct cella_bytes envelope = mail->opener.header.envelope;
    uint8_t size[16];
    struct cella_writer writer;
    cella_writer_init(&writer, size, sizeof size);
    cella_write_u64(&writer, envelope.size);
    cella_write_u64(&writer, 0);
    enum cella_status status = cella_fingerprint_init(&mail->fingerprint, mail->mailbox->fingerprint_key);
    if (status == CELLA_OK)
        status = cella_fingerprint_update(&mail->fingerprint, CELLA_BYTES(size, sizeof size));
    if (status == CELLA_OK)
        status = cella_fingerprint_update(&mail->fingerprint, envelope);
    if (status == CELLA_OK)
        status =
            cella_fingerprint_update(&mail->fingerprint, CELLA_BYTES(zeros, (16 - envelope.size % 16) % 16));
    return status;
}

/* The fingerprint is taken packet by packet, while the bytes are in the cache. */
static enum cella_status open_packet(void *context, uint64_t index, const struct cella_bytes ad[2],
                                     struct cella_bytes sealed, uint8_t *out) {
    struct cella_mailbox_mail *mail = context;
    enum cella_mail_kind kind = mail->opener.header.kind;
    enum cella_status status = index == 0 && mail->session == NULL
                                   ? open_handshake(mail, ad, sealed, out)
                                   : open_transport(mail, index, ad, sealed, out);
    if (status == CELLA_OK && index == 0)
        status = start_fingerprint(mail);
    if (status == CELLA_OK)
        status = cella_fingerprint_update(
            &mail->fingerprint, CELLA_BYTES(out, sealed.size - cella_mail_packet_overhead(kind, index)));
    return status;
}

enum cella_status cella_mailbox_mail_new(struct cella_mailbox *mailbox,
                                         const uint8_t route[CELLA_MAIL_ROUTE_SIZE],
                                         struct cella_mailbox_mail **ret_mail) {
    struct cella_mailbox_mail *mail = calloc(1, sizeof *mail);
    if (mail == NULL)
        return CELLA_NO_MEMORY;
    mail->mailbox = mailbox;
    mail->opener.ends =
        (struct cella_mail_opener_ends){.context = mail, .header = find_key, .packet = open_packet};
    mail->opener.max_body = mailbox->limits.max_mail_size;
    memcpy(mail->route, route, sizeof mail->route);
    *ret_mail = mail;
    return CELLA_OK;
}

void cella_mailbox_mail_expect(struct cella_mailbox_mail *mail, uint64_t size) {
    mail->opener.expected_size = size;
}

/* A session mail is whole and authentic: its number is used up, whatever becomes of it. */
static enum cella_status use_number(struct cella_mailbox_mail *mail, struct cella_error *error) {
    struct cella_mailbox_session *session = mail->session;
    uint64_t number = mail->opener.header.number;
    struct cella_writer writer;
    cella_writer_init(&writer, mail->id, sizeof mail->id);
    cella_write_bytes(&writer, session->id, sizeof session->id);
    cella_write_u64(&writer, number);
    memcpy(mail->view.sender, session->sender_key, sizeof mail->view.sender);
    pthread_mutex_lock(&session->lock);
    enum cella_status status = cella_mailbox_session_number(session, number);
    pthread_mutex_unlock(&session->lock);
    return status == CELLA_OK ? CELLA_OK
                              : cella_fail(error, status, "mail number %llu", (unsigned long long)number);
}

enum cella_status cella_mailbox_mail_feed(struct cella_mailbox_mail *mail, struct cella_bytes chunk,
                                          struct cella_error *error) {
    bool before = mail->opener.complete;
    if (mail->state != CELLA_MAIL_ARRIVING)
        return cella_fail(error, CELLA_ARGUMENT, "the mail was begun already");
    enum cella_status status = cella_mail_opener_feed(&mail->opener, chunk, error);
    if (status == CELLA_OK && mail->opener.complete && !before) {
        status = cella_fingerprint_final(&mail->fingerprint, mail->request_fingerprint);
        if (status == CELLA_OK && mail->session != NULL)
            status = use_number(mail, error);
    }
    mail->opener.failed = status != CELLA_OK;
    return status;
}

enum cella_status cella_mailbox_mail_commit(struct cella_mailbox_mail *mail,
                                            const struct cella_bytes *reply) {
    struct cella_mailbox *mailbox = mail->mailbox;
    if (mail->state != CELLA_MAIL_RUNNING)
        return CELLA_ARGUMENT;
    pthread_mutex_lock(&mailbox->lock);
    enum cella_status status =
        cella_history_commit(&mailbox->history, mail->sender, mail->topic_entry, reply);
    pthread_mutex_unlock(&mailbox->lock);
    if (status != CELLA_OK)
        return status;
    mail->topic_entry = NULL;
    mail->committed = mailbox->history.keep != NULL;
    mail->state = CELLA_MAIL_ANSWERABLE;
    return CELLA_OK;
}

void cella_mailbox_mail_abort(struct cella_mailbox_mail *mail) {
    bool kept = mail->mailbox->history.keep != NULL;
    if (mail->state != CELLA_MAIL_RUNNING && !(kept && mail->state == CELLA_MAIL_ANSWERABLE))
        return;
    if (mail->topic_entry != NULL) {
        pthread_mutex_lock(&mail->mailbox->lock);
        cella_history_abort(mail->topic_entry);
        pthread_mutex_unlock(&mail->mailbox->lock);
    }
    mail->topic_entry = NULL;
    mail->committed = false;
    mail->state = CELLA_MAIL_ENDED;
}

/* Gives back what the mail has of the mailbox. */
static void leave(struct cella_mailbox_mail *mail) {
    struct cella_mailbox *mailbox = mail->mailbox;
    struct cella_history_sender *sender = mail->sender;
    const struct cella_mail_header *header = &mail->opener.header;
    if (mail->session == NULL && sender == NULL)
        return;
    pthread_mutex_lock(&mailbox->lock);
    if (mail->session != NULL)
        cella_mailbox_session_release(mail->session);
    if (sender != NULL) {
        if (mail->committed)
            cella_history_settle(&mailbox->history, sender, header->topic, header->birth, header->sequence);
        sender->pins--;
        cella_history_release(&mailbox->history, sender);
    }
    pthread_mutex_unlock(&mailbox->lock);
}

void cella_mailbox_mail_free(struct cella_mailbox_mail *mail) {
    if (mail == NULL)
        return;
    if (mail->state == CELLA_MAIL_RUNNING)
        cella_mailbox_mail_abort(mail);
    leave(mail);
    cella_mail_opener_deinit(&mail->opener);
    cella_noise_handshake_deinit(&mail->handshake);
    cella_noise_cipher_deinit(&mail->receive);
    cella_fingerprint_deinit(&mail->fingerprint);
    cella_wipe_free(mail->stored, mail->stored_size);
    cella_wipe_free(mail, sizeof *mail);
}

bool cella_mailbox_knows(struct cella_mailbox *mailbox, const uint8_t recipient[CELLA_MAIL_KEY_SIZE]) {
    struct cella_history *history = &mailbox->history;
    struct cella_keep_sender kept;
    pthread_mutex_lock(&mailbox->lock);
    bool known = history->keep != NULL ? cella_kept_sender_load(history, recipient, &kept) == CELLA_OK
                                       : cella_history_find(history, recipient) != NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return known;
}

void cella_mailbox_count(struct cella_mailbox *mailbox, struct cella_mailbox_counts *ret_counts) {
    const struct cella_history *history = &mailbox->history;
    pthread_mutex_lock(&mailbox->lock);
    *ret_counts = (struct cella_mailbox_counts){
        .senders = history->keep != NULL ? (uint32_t)history->kept.senders : history->senders.count,
        .sessions = mailbox->sessions.count,
        .stored_bytes = history->kept.stored_bytes,
        .forgotten_senders = history->kept.forgotten,
    };
    pthread_mutex_unlock(&mailbox->lock);
}
