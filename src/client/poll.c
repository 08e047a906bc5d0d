/* Posts: mail that the enclave sends on its own, collected from the host. Must not: let one bad post stop
 * those behind it. */
#include "base/error.h"
#include "base/secret.h"
#include "client/client_internal.h"
#include "crypto/hash.h"
#include <stdlib.h>
#include <string.h>

#define SKIP_LIMIT   1024 /* posts that came before and that one poll passes over */
#define TELL_LIMIT   16   /* so many posts may have arrived without the enclave knowing */
#define MORE_WAIT_MS 1000 /* for what may come once they are told */
#define LOOK_AGAIN_S 60   /* a poll that stays empty looks so often whether it is another instance */

void cella_client_mail_deinit(struct cella_client_mail *mail) {
    cella_wipe_free(mail->body, mail->body_size);
    free(mail->envelope);
    free(mail->topic);
    *mail = (struct cella_client_mail){.topic = NULL};
}

static uint8_t *copy(struct cella_bytes bytes) {
    uint8_t *memory = malloc(bytes.size + 1);
    if (memory == NULL)
        return NULL;
    if (bytes.size > 0)
        memcpy(memory, bytes.data, bytes.size);
    memory[bytes.size] = 0;
    return memory;
}

enum cella_status cella_client_mail_take(const struct cella_mail_letter *letter,
                                         struct cella_client_mail *ret_mail, struct cella_error *error) {
    struct cella_client_mail mail = {.topic = strdup(letter->topic),
                                     .sequence = letter->sequence,
                                     .envelope = copy(letter->envelope),
                                     .envelope_size = letter->envelope.size,
                                     .body = copy(letter->body),
                                     .body_size = letter->body.size};
    if (mail.topic == NULL || mail.envelope == NULL || mail.body == NULL) {
        if (mail.body == NULL)
            mail.body_size = 0;
        cella_client_mail_deinit(&mail);
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a mail of %zu bytes", letter->body.size);
    }
    *ret_mail = mail;
    return CELLA_OK;
}

struct poll {
    struct cella_client *client;
    unsigned wait_ms;
    bool met_anew; /* this poll has said hello: the enclave sends again what did not come */
    bool skipped;  /* posts that came before one that is missing; they come again behind it */
    bool drained;  /* what the host had before the hello is gone: now nothing may be missing any more */
};

/* The host may forget this post: it was taken, or can never be, or comes again. What was taken must be on
 * disk first. */
static void confirm(struct cella_client *client, struct cella_bytes post, bool taken) {
    uint8_t digest[CELLA_SHA256_SIZE];
    cella_sha256(post.data, post.size, digest);
    memcpy(client->state.have, digest, sizeof client->state.have);
    client->state.has_have = true;
    client->dirty |= taken;
}

/* A later post came before an earlier one. Reported once; the next poll takes what there is. */
static void give_up_earlier(struct cella_client *client, struct cella_bytes post) {
    struct cella_mail_header header;
    size_t size = 0;
    char topic[CELLA_MAIL_TOPIC_MAX + 1];
    if (cella_mail_header_parse(post, &header, &size, NULL) != CELLA_OK || header.topic.size >= sizeof topic)
        return;
    memcpy(topic, header.topic.data, header.topic.size);
    topic[header.topic.size] = '\0';
    cella_mail_session_give_up_posts(client->session, topic, header.sequence, header.answers);
    client->dirty = true;
}

static enum cella_status open_post(struct cella_client *client, struct cella_bytes post,
                                   struct cella_client_mail *ret_mail, struct cella_error *error) {
    struct cella_mail_letter letter = {.memory = NULL};
    enum cella_status status = cella_client_open_letter(client, post, &letter, error);
    if (status != CELLA_OK)
        return status;
    if (letter.role == CELLA_MAIL_POST)
        status = cella_client_mail_take(&letter, ret_mail, error);
    else
        status = cella_fail(error, CELLA_MAIL_UNEXPECTED, "the host handed out a reply as a post");
    cella_mail_letter_deinit(&letter);
    return status;
}

/* Whether a post can come to be right by a hello, after which the enclave of a vault sends what did not come
 * again: it is from an instance or a session that is not known, it does not fit what is known, or one before
 * it is missing. */
static bool hello_helps(const struct poll *poll, enum cella_status status) {
    bool may = status == CELLA_MAIL_REFUSED || status == CELLA_MAIL_SESSION_UNKNOWN ||
               status == CELLA_MAIL_NOT_OPEN || status == CELLA_MAIL_POST_MISSING ||
               status == CELLA_VAULT_PROOF;
    return may && !poll->met_anew && cella_client_state_has_vault(&poll->client->state);
}

/* Whether a post can be passed over because the enclave sends it once more: one of an instance that was never
 * met or of a session that is gone, or one that the host had in its queue before those that are missing. */
static bool comes_again(const struct poll *poll, enum cella_status status) {
    bool may = status == CELLA_MAIL_REFUSED || status == CELLA_MAIL_SESSION_UNKNOWN ||
               status == CELLA_MAIL_NOT_OPEN || (status == CELLA_MAIL_POST_MISSING && !poll->drained);
    return may && cella_client_state_has_vault(&poll->client->state);
}

/* Meets the instance that is there now. */
static enum cella_status meet(struct poll *poll, struct cella_error *error) {
    poll->met_anew = true;
    enum cella_status status = cella_client_attest(poll->client, NULL, error);
    return status == CELLA_OK ? cella_client_say_hello(poll->client, error) : status;
}

/* CELLA_MAIL_POST_REPLAYED asks for the next one. */
static enum cella_status take_post(struct poll *poll, struct cella_bytes post,
                                   struct cella_client_mail *ret_mail, struct cella_error *error) {
    struct cella_client *client = poll->client;
    enum cella_status status = open_post(client, post, ret_mail, error);
    if (hello_helps(poll, status)) {
        enum cella_status met = meet(poll, error);
        if (met != CELLA_OK)
            return met;
        status = open_post(client, post, ret_mail, error);
    }
    if (comes_again(poll, status)) {
        poll->skipped |= status == CELLA_MAIL_POST_MISSING;
        status = CELLA_MAIL_POST_REPLAYED;
    }
    if (status == CELLA_MAIL_POST_MISSING)
        give_up_earlier(client, post);
    else if (status != CELLA_VAULT_FORK && status != CELLA_VAULT_PROOF && status != CELLA_VAULT_RESTORED)
        confirm(client, post, status != CELLA_MAIL_POST_REPLAYED);
    return status;
}

/* Posts can be opened only by a client that has spoken to the instance; it has attested it then. With a vault
 * the instance may be another one since. */
static enum cella_status prepare(struct poll *poll, struct cella_error *error) {
    struct cella_client *client = poll->client;
    enum cella_status status = cella_client_may_speak(client, error);
    if (status == CELLA_OK && (client->session == NULL || cella_client_settings_on_trial(client) ||
                               cella_client_state_has_vault(&client->state)))
        status = cella_client_ensure(client, error);
    if (status == CELLA_OK && cella_client_must_meet(client)) {
        poll->met_anew = true;
        status = cella_client_say_hello(client, error);
    }
    return status;
}

static uint64_t untold(const struct cella_client *client) {
    uint64_t collected = client->session == NULL ? 0 : cella_mail_session_collected(client->session);
    return collected > client->state.told ? collected - client->state.told : 0;
}

/* That the news does not get through does no harm: it goes with the next mail. What the answer shows of the
 * vault is another matter. */
static enum cella_status tell(struct poll *poll, struct cella_error *error) {
    struct cella_client *client = poll->client;
    enum cella_status status = cella_client_tell_collected(client, error);
    if (cella_client_course_after(status) == CELLA_COURSE_ATTEST && !poll->met_anew)
        status = meet(poll, error);
    switch (status) {
    case CELLA_VAULT_FORK:
    case CELLA_VAULT_PROOF:
    case CELLA_VAULT_RESTORED:
    case CELLA_VAULT_RESTORE:
        return status;
    default:
        client->attested &= status == CELLA_OK;
        return CELLA_OK;
    }
}

/* Nothing came: time for what else there is to do. `*ret_again`: something may come now. */
static enum cella_status use_silence(struct poll *poll, bool *ret_again, struct cella_error *error) {
    struct cella_client *client = poll->client;
    *ret_again = false;
    if (!cella_client_state_has_vault(&client->state))
        return CELLA_OK;
    if (untold(client) > 0) {
        enum cella_status status = tell(poll, error);
        /* The enclave sends a few at a time, and goes on when it hears that they arrived. */
        *ret_again = untold(client) == 0;
        poll->wait_ms = poll->wait_ms < MORE_WAIT_MS ? poll->wait_ms : MORE_WAIT_MS;
        return status;
    }
    if (client->now(client->time_context) - client->attested_at < LOOK_AGAIN_S || poll->met_anew)
        return CELLA_OK;
    enum cella_status status = cella_client_attest(client, NULL, error);
    if (status == CELLA_OK && cella_client_must_meet(client)) {
        poll->met_anew = true;
        *ret_again = true;
        status = cella_client_say_hello(client, error);
    }
    return status;
}

static enum cella_status fetch(struct poll *poll, uint8_t **ret_post, size_t *ret_size,
                               struct cella_error *error) {
    struct cella_client *client = poll->client;
    const struct cella_client_poll_request request = {.route = client->state.route,
                                                      .have =
                                                          client->state.has_have ? client->state.have : NULL,
                                                      .wait_ms = poll->wait_ms};
    /* What is confirmed to the host must be on disk. */
    enum cella_status status = cella_client_store(client, error);
    if (status != CELLA_OK)
        return status;
    status = client->transport.poll(client->transport.context, &request, ret_post, ret_size, error);
    /* The next poll looks who is there. */
    if (cella_client_state_has_vault(&client->state))
        client->attested &= status == CELLA_OK;
    return status;
}

/* `*ret_arrived` false without a failure: none came. CELLA_MAIL_POST_REPLAYED asks for the next one. */
static enum cella_status next_post(struct poll *poll, bool *ret_arrived, struct cella_client_mail *ret_mail,
                                   struct cella_error *error) {
    uint8_t *post = NULL;
    size_t size = 0;
    bool again = false;
    enum cella_status status = fetch(poll, &post, &size, error);
    if (status != CELLA_OK)
        return status;
    if (size > 0) {
        status = take_post(poll, CELLA_BYTES(post, size), ret_mail, error);
        *ret_arrived = status == CELLA_OK;
        free(post);
        return status;
    }
    if (poll->skipped && !poll->drained) {
        poll->drained = true;
        status = cella_client_say_hello(poll->client, error);
        return status == CELLA_OK ? CELLA_MAIL_POST_REPLAYED : status;
    }
    status = use_silence(poll, &again, error);
    return status == CELLA_OK && again ? CELLA_MAIL_POST_REPLAYED : status;
}

enum cella_status cella_client_poll(struct cella_client *client, unsigned wait_ms, bool *ret_arrived,
                                    struct cella_client_mail *ret_mail, struct cella_error *error) {
    struct poll poll = {.client = client, .wait_ms = wait_ms};
    bool arrived = false;
    enum cella_status status = prepare(&poll, error);
    if (status == CELLA_OK && untold(client) >= TELL_LIMIT)
        status = tell(&poll, error);
    if (status != CELLA_OK)
        return cella_client_remember_fork(client, status, error);
    status = CELLA_MAIL_POST_REPLAYED;
    for (unsigned i = 0; status == CELLA_MAIL_POST_REPLAYED && i < SKIP_LIMIT; i++)
        status = next_post(&poll, &arrived, ret_mail, error);
    if (status == CELLA_MAIL_POST_REPLAYED)
        return cella_fail(error, status, "the host hands out old posts again and again");
    if (status == CELLA_OK)
        *ret_arrived = arrived;
    return cella_client_remember_fork(client, status, error);
}
