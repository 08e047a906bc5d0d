/* Mail of the client's own: what opens a session, and what tells that posts arrived. Must not: let anything
 * leave before the state that it tells of is on disk. */
#include "base/error.h"
#include "client/client_internal.h"
#include <stdlib.h>

enum cella_status cella_client_carry(struct cella_client *client, struct cella_bytes mail,
                                     uint8_t **ret_reply, size_t *ret_size, struct cella_error *error) {
    enum cella_status status = cella_client_store(client, error);
    return status == CELLA_OK ? client->transport.mail(client->transport.context, client->state.route, mail,
                                                       ret_reply, ret_size, error)
                              : status;
}

/* Carries `mail`, which is freed, and expects a letter of this role and without a topic. */
static enum cella_status exchange_bare(struct cella_client *client, uint8_t *mail, size_t size,
                                       enum cella_mail_role role, struct cella_error *error) {
    uint8_t *reply = NULL;
    size_t reply_size = 0;
    struct cella_mail_letter letter = {.memory = NULL};
    client->dirty = true;
    enum cella_status status =
        cella_client_carry(client, CELLA_BYTES(mail, size), &reply, &reply_size, error);
    if (status == CELLA_OK)
        status = cella_client_open_letter(client, CELLA_BYTES(reply, reply_size), &letter, error);
    if (status == CELLA_OK && (letter.role != role || letter.topic[0] != '\0'))
        status =
            cella_fail(error, CELLA_MAIL_UNEXPECTED, "the host answered with mail that is not the answer");
    if (status != CELLA_OK)
        cella_mail_session_restart(client->session);
    cella_mail_letter_deinit(&letter);
    free(mail);
    free(reply);
    return status;
}

enum cella_status cella_client_say_hello(struct cella_client *client, struct cella_error *error) {
    uint8_t *mail = NULL;
    size_t size = 0;
    if (cella_mail_session_phase(client->session) != CELLA_MAIL_PHASE_NEW)
        cella_mail_session_restart(client->session);
    enum cella_status status = cella_client_prepare_context(client, error);
    if (status == CELLA_OK)
        status = cella_mail_session_hello(client->session, &mail, &size, error);
    return status == CELLA_OK ? exchange_bare(client, mail, size, CELLA_MAIL_HELLO, error) : status;
}

enum cella_status cella_client_tell_collected(struct cella_client *client, struct cella_error *error) {
    uint8_t *mail = NULL;
    size_t size = 0;
    if (cella_mail_session_phase(client->session) != CELLA_MAIL_PHASE_OPEN)
        return cella_client_say_hello(client, error);
    enum cella_status status = cella_client_prepare_context(client, error);
    if (status == CELLA_OK)
        status = cella_mail_session_ack(client->session, &mail, &size, error);
    return status == CELLA_OK ? exchange_bare(client, mail, size, CELLA_MAIL_DONE, error) : status;
}
