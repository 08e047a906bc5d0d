/* The pay survey's enclave: three topics by mail, nothing by call. */
#include "survey.h"
#include <cella/enclave.h>
#include <string.h>

static struct survey survey;

static enum cella_status reply_text(struct cella_transaction *transaction, const struct survey_text *text) {
    return text->failed ? CELLA_INTERNAL : cella_reply(transaction, CELLA_BYTES(text->data, text->size));
}

static enum cella_status answer_terms(struct cella_transaction *transaction) {
    char buffer[SURVEY_TERMS_LIMIT];
    struct survey_text text;
    survey_text_init(&text, buffer, sizeof buffer);
    survey_terms_write(&survey.terms, &text);
    return reply_text(transaction, &text);
}

/* A party that this instance does not know how to reach can still ask for the result. */
static enum cella_status post_result(struct cella_transaction *transaction, struct cella_bytes result) {
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        enum cella_status status = cella_post(transaction, survey.terms.parties[i].key, "result", result);
        if (status != CELLA_OK && status != CELLA_NOT_FOUND)
            return status;
    }
    return CELLA_OK;
}

static enum cella_status answer_file(struct cella_transaction *transaction, size_t party,
                                     struct cella_bytes file) {
    char buffer[SURVEY_REPLY_LIMIT];
    struct survey_text text;
    struct survey_change change = {.result = NULL};
    survey_text_init(&text, buffer, sizeof buffer);
    enum cella_status status = survey_prepare_file(&survey, party, file, &change, &text);
    /* A refusal is an answer to the party; anything else is a failure of the handler. */
    if (status == CELLA_DAMAGED || status == CELLA_EXISTS)
        return reply_text(transaction, &text);
    if (status == CELLA_OK && change.result != NULL)
        status = post_result(transaction, CELLA_BYTES(change.result, change.result_size));
    if (status == CELLA_OK)
        status = reply_text(transaction, &text);
    if (status == CELLA_OK)
        survey_commit(&survey, &change);
    survey_change_free(&change);
    return status;
}

static enum cella_status answer_result(struct cella_transaction *transaction) {
    char buffer[SURVEY_REPLY_LIMIT];
    struct survey_text text;
    struct cella_bytes result;
    survey_text_init(&text, buffer, sizeof buffer);
    if (survey_result(&survey, &result, &text) != CELLA_OK)
        return reply_text(transaction, &text);
    return cella_reply(transaction, result);
}

static enum cella_status start(struct cella_transaction *transaction) {
    return survey_init(&survey, cella_setting);
}

static void stop(void) {
    survey_deinit(&survey);
}

static enum cella_status on_mail(struct cella_transaction *transaction, const struct cella_mail *mail) {
    size_t party;
    /* The terms are no secret: whoever asks may read them, also a party that finds itself missing. */
    if (strcmp(mail->topic, "terms") == 0)
        return answer_terms(transaction);
    if (!survey_terms_find(&survey.terms, mail->sender, &party))
        return CELLA_HANDLER_FAILED;
    if (strcmp(mail->topic, "file") == 0)
        return answer_file(transaction, party, mail->body);
    return strcmp(mail->topic, "result") == 0 ? answer_result(transaction) : CELLA_HANDLER_FAILED;
}

/* The host gets nothing, neither before the result nor after it. */
static enum cella_status on_call(struct cella_transaction *transaction, struct cella_bytes request) {
    (void)transaction;
    (void)request;
    return CELLA_HANDLER_FAILED;
}

int main(void) {
    static const struct cella_enclave enclave = {
        .start = start, .stop = stop, .mail = on_mail, .call = on_call};
    return cella_enclave_run(&enclave);
}
