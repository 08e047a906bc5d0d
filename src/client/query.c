/* Queries: questions that change nothing, have no name and are kept nowhere. Must not: be repeated as
 * anything else. */
#include "base/error.h"
#include "client/client_internal.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status ask(struct cella_client *client, const struct cella_mail_request *query,
                             struct cella_bytes body, struct cella_mail_letter *ret_answer,
                             struct cella_error *error) {
    uint8_t *mail = NULL, *reply = NULL;
    size_t size = 0, reply_size = 0;
    enum cella_status status = CELLA_OK;
    if (cella_mail_session_phase(client->session) != CELLA_MAIL_PHASE_OPEN)
        status = cella_client_say_hello(client, error);
    if (status == CELLA_OK)
        status = cella_client_prepare_context(client, error);
    if (status == CELLA_OK)
        status = cella_mail_session_query(client->session, query, body, &mail, &size, error);
    if (status == CELLA_OK)
        status = cella_client_carry(client, CELLA_BYTES(mail, size), &reply, &reply_size, error);
    if (status == CELLA_OK)
        status = cella_client_open_letter(client, CELLA_BYTES(reply, reply_size), ret_answer, error);
    if (status == CELLA_OK &&
        (strcmp(ret_answer->topic, query->topic) != 0 ||
         (ret_answer->role != CELLA_MAIL_REPLY && ret_answer->role != CELLA_MAIL_DONE))) {
        cella_mail_letter_deinit(ret_answer);
        status =
            cella_fail(error, CELLA_MAIL_UNEXPECTED, "the host answered with mail that is not the answer");
    }
    free(mail);
    free(reply);
    return status;
}

static enum cella_status work_through(struct cella_client *client, const struct cella_mail_request *query,
                                      struct cella_bytes body, struct cella_mail_letter *ret_answer,
                                      struct cella_error *error) {
    enum cella_status status = CELLA_UNAVAILABLE;
    unsigned pauses = 0;
    for (unsigned left = client->attempt_limit; left > 0; left--) {
        status = ask(client, query, body, ret_answer, error);
        enum cella_client_course course = cella_client_course_after(status);
        if (course == CELLA_COURSE_ATTEST) {
            enum cella_status attested = cella_client_attest(client, NULL, error);
            if (attested != CELLA_OK)
                return attested;
            cella_mail_session_restart(client->session);
        } else if (course != CELLA_COURSE_AGAIN) {
            return status;
        } else if (left > 1) {
            cella_client_pause(client, pauses++);
        }
    }
    return status;
}

enum cella_status cella_client_query(struct cella_client *client, const struct cella_client_request *request,
                                     bool *ret_replied, struct cella_client_mail *ret_reply,
                                     struct cella_error *error) {
    struct cella_mail_request query = {.topic = request->topic != NULL ? request->topic : "default",
                                       .envelope = request->envelope,
                                       .padding = client->padding};
    struct cella_mail_letter answer = {.memory = NULL};
    if (!cella_mail_topic_valid(CELLA_BYTES(query.topic, strlen(query.topic))))
        return cella_fail(error, CELLA_MAIL_TOPIC, "a topic is 1 to 255 letters, digits and '-'");
    enum cella_status status = cella_client_may_speak(client, error);
    if (status == CELLA_OK)
        status = cella_client_ensure(client, error);
    if (status == CELLA_OK)
        status = work_through(client, &query, request->body, &answer, error);
    if (status != CELLA_OK) {
        cella_client_store(client, NULL);
        return cella_client_remember_fork(client, status, error);
    }
    bool replied = answer.role == CELLA_MAIL_REPLY;
    if (replied && ret_reply != NULL)
        status = cella_client_mail_take(&answer, ret_reply, error);
    if (status == CELLA_OK && ret_replied != NULL)
        *ret_replied = replied;
    cella_mail_letter_deinit(&answer);
    return status;
}
