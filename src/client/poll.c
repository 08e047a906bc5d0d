/* Posts: mail that the enclave sends on its own, collected from the host. Must not: let one bad post stop
 * those behind it. */
#include "base/error.h"
#include "base/secret.h"
#include "client/client_internal.h"
#include "crypto/hash.h"
#include <stdlib.h>
#include <string.h>

#define SKIP_LIMIT 64 /* replayed posts that one poll passes over */

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

/* The host may forget this post: it was read, or can never be read. */
static void confirm(struct cella_client *client, struct cella_bytes post) {
    uint8_t digest[CELLA_SHA256_SIZE];
    cella_sha256(post.data, post.size, digest);
    memcpy(client->state.have, digest, sizeof client->state.have);
    client->state.has_have = true;
    client->dirty = true;
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

/* CELLA_MAIL_POST_REPLAYED asks for the next one. */
static enum cella_status take_post(struct cella_client *client, struct cella_bytes post,
                                   struct cella_client_mail *ret_mail, struct cella_error *error) {
    struct cella_mail_letter letter = {.memory = NULL};
    enum cella_status status = cella_mail_session_open(client->session, post, &letter, error);
    if (status == CELLA_MAIL_POST_MISSING) {
        give_up_earlier(client, post);
        return status;
    }
    confirm(client, post);
    if (status != CELLA_OK)
        return status;
    if (letter.role == CELLA_MAIL_POST)
        status = cella_client_mail_take(&letter, ret_mail, error);
    else
        status = cella_fail(error, CELLA_MAIL_UNEXPECTED, "the host handed out a reply as a post");
    cella_mail_letter_deinit(&letter);
    return status;
}

enum cella_status cella_client_poll(struct cella_client *client, unsigned wait_ms, bool *ret_arrived,
                                    struct cella_client_mail *ret_mail, struct cella_error *error) {
    /* Posts can be opened only by a client that has spoken to the instance; it has attested it then. */
    enum cella_status status = cella_client_may_speak(client, error);
    if (status == CELLA_OK && (client->session == NULL || cella_client_settings_on_trial(client)))
        status = cella_client_ensure(client, error);
    for (unsigned i = 0; status == CELLA_OK && i < SKIP_LIMIT; i++) {
        uint8_t *post = NULL;
        size_t size = 0;
        const struct cella_client_poll_request request = {.route = client->state.route,
                                                          .have = client->state.has_have ? client->state.have
                                                                                         : NULL,
                                                          .wait_ms = wait_ms};
        /* What is confirmed to the host must be on disk. */
        status = cella_client_store(client, error);
        if (status == CELLA_OK)
            status = client->transport.poll(client->transport.context, &request, &post, &size, error);
        if (status != CELLA_OK)
            break;
        if (size == 0) {
            *ret_arrived = false;
            return CELLA_OK;
        }
        status = take_post(client, CELLA_BYTES(post, size), ret_mail, error);
        free(post);
        if (status == CELLA_OK) {
            *ret_arrived = true;
            return CELLA_OK;
        }
        if (status == CELLA_MAIL_POST_REPLAYED)
            status = CELLA_OK;
    }
    return status != CELLA_OK
               ? status
               : cella_fail(error, CELLA_MAIL_POST_REPLAYED, "the host hands out old posts again and again");
}
