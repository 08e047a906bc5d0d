/* A party's side of the survey. */
#include "party.h"
#include <cella/constraint.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static enum party_outcome
say(struct cella_error *error, enum party_outcome outcome, const char *format, ...) {
    error->status = CELLA_FAILED;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return outcome;
}

enum party_outcome party_check_constraint(const char *constraint, struct cella_error *error) {
    struct cella_constraint parsed;
    if (cella_constraint_parse(CELLA_BYTES(constraint, strlen(constraint)), &parsed, error) != CELLA_OK)
        return PARTY_TROUBLE;
    if (parsed.code_count != 1 || parsed.signer_count != 0)
        return say(
            error, PARTY_CONSTRAINT,
            "the constraint names %zu code hashes and %zu signers; a survey needs exactly one code hash",
            parsed.code_count, parsed.signer_count);
    return PARTY_OK;
}

/* Sends and takes the reply's body as text. */
static enum party_outcome ask(struct cella_client *client, const char *topic, struct cella_bytes body,
                              char **ret_text, struct cella_error *error) {
    struct cella_client_request request = {.topic = topic, .body = body};
    struct cella_client_mail reply = {.topic = NULL};
    bool replied = false;
    if (cella_client_request(client, &request, &replied, &reply, error) != CELLA_OK)
        return PARTY_TROUBLE;
    char *text = replied ? strndup((const char *)reply.body, reply.body_size) : NULL;
    cella_client_mail_deinit(&reply);
    if (text == NULL) {
        say(error, PARTY_TROUBLE, "the enclave sent no reply on topic %s", topic);
        return PARTY_TROUBLE;
    }
    *ret_text = text;
    return PARTY_OK;
}

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* Quotes the first line in which the terms differ from the agreed ones. */
static enum party_outcome compare_terms(const char *terms, const char *agreed, struct cella_error *error) {
    if (strcmp(terms, agreed) == 0)
        return PARTY_OK;
    for (size_t line = 1;; line++) {
        size_t size = strcspn(terms, "\n"), agreed_size = strcspn(agreed, "\n");
        if (size != agreed_size || memcmp(terms, agreed, size) != 0)
            return say(error, PARTY_TERMS_DIFFER,
                       "line %zu of the survey's terms is \"%.*s\", but \"%.*s\" was agreed", line,
                       (int)(size < 150 ? size : 150), terms, (int)(agreed_size < 150 ? agreed_size : 150),
                       agreed);
        if (terms[size] == '\0' || agreed[size] == '\0')
            return say(error, PARTY_TERMS_DIFFER, "line %zu of the survey's terms ends in another way", line);
        terms += size + 1;
        agreed += size + 1;
    }
}

enum party_outcome party_check_terms(struct cella_client *client, const char *agreed,
                                     struct cella_error *error) {
    char *terms = NULL;
    enum party_outcome outcome = ask(client, "terms", CELLA_BYTES(NULL, 0), &terms, error);
    if (terms != NULL)
        outcome = compare_terms(terms, agreed, error);
    free(terms);
    return outcome;
}

/* The mark must be on disk before the file leaves. */
static enum party_outcome make_mark(const char *path, struct cella_error *error) {
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return say(error, PARTY_TROUBLE, "the path of the mark is too long");
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST)
        return say(error, PARTY_SENT_BEFORE,
                   "a file went out for this survey (%s); another needs a new survey", path);
    int parent = file < 0 ? -1 : open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool kept = parent >= 0 && fsync(file) == 0 && fsync(parent) == 0;
    if (parent >= 0)
        close(parent);
    if (file >= 0)
        close(file);
    return kept ? PARTY_OK : say(error, PARTY_TROUBLE, "the mark %s cannot be written: %m", path);
}

enum party_outcome party_send(struct cella_client *client, const char *agreed, const char *mark_path,
                              struct cella_bytes file, char **ret_words, struct cella_error *error) {
    char *words = NULL;
    enum party_outcome outcome = party_check_terms(client, agreed, error);
    if (outcome == PARTY_OK)
        outcome = make_mark(mark_path, error);
    if (outcome == PARTY_OK)
        outcome = ask(client, "file", file, &words, error);
    if (outcome != PARTY_OK)
        return outcome;
    if (starts_with(words, "accepted\n")) {
        *ret_words = words;
        return PARTY_OK;
    }
    /* The enclave said so in the session: nothing of the file counts. But "in already" means that one does.
     */
    if (strstr(words, "\nnothing of this file counts\n") == NULL) {
        say(error, PARTY_SENT_BEFORE, "%.400s", words);
        free(words);
        return PARTY_SENT_BEFORE;
    }
    *ret_words = words;
    if (unlink(mark_path) != 0)
        return say(error, PARTY_FILE_REFUSED, "refused; and the mark %s cannot be removed: %m", mark_path);
    return say(error, PARTY_FILE_REFUSED, "the enclave refused the file; nothing of it counts");
}

enum party_outcome party_result(struct cella_client *client, unsigned wait_ms, char **ret_result,
                                bool *ret_posted, struct cella_error *error) {
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    char *text = NULL;
    /* A post that was lost or cannot be read is no reason to go without the result. */
    enum cella_status status = cella_client_poll(client, wait_ms, &arrived, &mail, error);
    if (status == CELLA_OK && arrived && strcmp(mail.topic, "result") == 0)
        text = strndup((const char *)mail.body, mail.body_size);
    cella_client_mail_deinit(&mail);
    bool posted = text != NULL;
    enum party_outcome outcome =
        posted ? PARTY_OK : ask(client, "result", CELLA_BYTES(NULL, 0), &text, error);
    if (outcome == PARTY_OK && starts_with(text, "not-yet\n"))
        outcome = say(error, PARTY_NOT_YET, "the result is not there yet: %.*s",
                      (int)strcspn(text + strlen("not-yet\n"), "\n"), text + strlen("not-yet\n"));
    if (outcome != PARTY_OK) {
        free(text);
        return outcome;
    }
    *ret_result = text;
    if (ret_posted != NULL)
        *ret_posted = posted;
    return PARTY_OK;
}
