/* What the demo shows to be refused: images, constraints, parties, questions and mail that are not what was
 * agreed. */
#include "base/error.h"
#include "base/secret.h"
#include "cli/demo.h"
#include "crypto/rsa.h"
#include "pay-survey/party.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FALSE_ENCLAVE   "false-party"
#define PATCHED_ENCLAVE "patched"

/* Starts an image under a name of its own, as a dishonest operator may. */
static bool start(struct demo *demo, const char *name, const char *image) {
    struct cella_error error = {.message = ""};
    struct demo_path machine = demo_path(demo, "machine");
    return demo_ok(&demo->story, cella_host_start(demo->host, name, image, machine.text, NULL, &error),
                   &error, image);
}

/* A party looks at an enclave of the host, under its own constraint. */
static enum cella_status look(struct demo *demo, size_t party, const char *enclave,
                              struct cella_error *error) {
    struct cella_client *client = NULL;
    *error = (struct cella_error){.message = ""};
    enum cella_status status = demo_party_open(demo, party, enclave, NULL, &client, error);
    if (status == CELLA_OK)
        status = cella_client_attest(client, NULL, error);
    cella_client_free(client);
    return status;
}

/* A client without a state file and with a new key: whoever it is, it is not one of the four. */
static enum cella_status open_stranger(struct demo *demo, const char *enclave, const char *constraint,
                                       struct cella_client **ret_client, struct cella_error *error) {
    struct cella_client_options options = {.url = demo->url, .enclave = enclave, .constraint = constraint};
    return cella_client_new(&options, ret_client, error);
}

bool demo_refuse_tampered_image(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path image = demo_path(demo, "pay-survey.enclave"), machine = demo_path(demo, "machine");
    struct demo_path changed = demo_path(demo, "changed.enclave"),
                     patched = demo_path(demo, "patched.enclave");
    struct cella_rsa *other = NULL;
    demo_step(&demo->story, "Refused: a tampered image");
    demo_fact(&demo->story, "the rules in the program are set to 0: it would publish groups of one person");
    if (!demo_ok(&demo->story, demo_image_tamper(image.text, NULL, changed.text, &error), &error,
                 "the changed image"))
        return false;
    enum cella_status status =
        cella_host_start(demo->host, "changed", changed.text, machine.text, NULL, &error);
    if (!demo_expect(&demo->story, status, CELLA_LAUNCH_MEASUREMENT, &error, "the machine does not start it"))
        return false;
    error = (struct cella_error){.message = ""};
    status = cella_rsa_generate(&other);
    if (status == CELLA_OK)
        status = demo_image_tamper(image.text, other, patched.text, &error);
    cella_rsa_free(other);
    if (!demo_ok(&demo->story, status, &error, "the patched image") ||
        !start(demo, PATCHED_ENCLAVE, patched.text))
        return false;
    demo_fact(&demo->story, "signed again with a key of the operator's own, it starts");
    if (!demo_expect(&demo->story, look(demo, 0, PATCHED_ENCLAVE, &error), CELLA_REFUSED_CODE, &error,
                     "but the parties refuse it"))
        return false;
    demo_end(&demo->story,
             "Whoever changes one byte of the program changes its code hash, and nobody talks to it.");
    return true;
}

/* Checks that a client with this constraint refuses the true enclave. */
static bool refuse_constraint(struct demo *demo, const char *constraint, enum cella_status expected,
                              const char *sentence) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    enum cella_status status = open_stranger(demo, DEMO_ENCLAVE, constraint, &client, &error);
    if (status == CELLA_OK)
        status = cella_client_attest(client, NULL, &error);
    cella_client_free(client);
    return demo_expect(&demo->story, status, expected, &error, sentence);
}

bool demo_refuse_wrong_constraint(struct demo *demo) {
    char other[sizeof demo->constraint], strict[sizeof demo->constraint];
    demo_step(&demo->story, "Refused: a wrong constraint");
    snprintf(other, sizeof other, "%s", demo->constraint);
    char *digit = other + strlen("C:");
    *digit = *digit == '0' ? '1' : '0';
    snprintf(strict, sizeof strict, "%.*s SEC:SECURE", 66, demo->constraint);
    if (!refuse_constraint(demo, other, CELLA_REFUSED_CODE, "with one digit of the hash changed") ||
        !refuse_constraint(demo, strict, CELLA_REFUSED_LEVEL, "with SEC:SECURE"))
        return false;
    demo_end(&demo->story, "The constraint decides, and it says which rule does not hold. A simulated "
                           "machine never passes for a "
                           "real one.");
    return true;
}

/* A party that was given the false image's hash by the operator still reads the terms. */
static bool refuse_false_terms(struct demo *demo, const uint8_t code_hash[32]) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    char constraint[256];
    demo_constraint(code_hash, constraint, sizeof constraint);
    if (!demo_ok(&demo->story, open_stranger(demo, FALSE_ENCLAVE, constraint, &client, &error), &error,
                 "the client"))
        return false;
    enum party_outcome outcome = party_check_terms(client, demo->terms, &error);
    cella_client_free(client);
    return demo_check(&demo->story, outcome == PARTY_TERMS_DIFFER,
                      "a party that was talked into the false hash refuses by the terms: %s", error.message);
}

bool demo_refuse_false_party(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path image = demo_path(demo, "%s.enclave", FALSE_ENCLAVE);
    struct cella_client *impostor = NULL;
    char keys[DEMO_PARTY_COUNT][DEMO_KEY_TEXT];
    uint8_t key[CELLA_CLIENT_KEY_SIZE], code_hash[32];
    demo_step(&demo->story, "Refused: a false fourth party");
    if (!demo_ok(&demo->story, open_stranger(demo, FALSE_ENCLAVE, demo->constraint, &impostor, &error),
                 &error, "the false party"))
        return false;
    cella_client_public_key(impostor, key);
    cella_client_free(impostor);
    memcpy(keys, demo->keys, sizeof keys);
    for (size_t i = 0; i < sizeof key; i++)
        snprintf(keys[3] + 2 * i, 3, "%02x", key[i]);
    demo_fact(&demo->story, "the host runs the same program with its own key %.16s... in the place of %s",
              keys[3], demo_party_names[3]);
    enum cella_status status = demo_survey_make(demo, keys, demo->signer, image.text, code_hash, &error);
    if (!demo_ok(&demo->story, status, &error, "the false image") || !start(demo, FALSE_ENCLAVE, image.text))
        return false;
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++) {
        char sentence[64];
        snprintf(sentence, sizeof sentence, "%s refuses it", demo_party_names[i]);
        if (!demo_expect(&demo->story, look(demo, i, FALSE_ENCLAVE, &error), CELLA_REFUSED_CODE, &error,
                         sentence))
            return false;
    }
    if (!refuse_false_terms(demo, code_hash))
        return false;
    demo_end(&demo->story, "With another key among the four it is another image, even under the true "
                           "signer's signature; and what "
                           "a hash does not tell a person, the terms do.");
    return true;
}

/* Asks for the result with some client and expects a refusal by the handler. */
static bool stranger_asks(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request request = {.topic = "result"};
    bool replied = false;
    enum cella_status status = open_stranger(demo, DEMO_ENCLAVE, demo->constraint, &client, &error);
    if (status == CELLA_OK)
        status = cella_client_request(client, &request, &replied, &reply, &error);
    cella_client_mail_deinit(&reply);
    cella_client_free(client);
    return demo_expect(&demo->story, status, CELLA_HANDLER_FAILED, &error,
                       "the host asks by mail, with a key of its own");
}

bool demo_refuse_early_result(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    uint8_t *reply = NULL;
    size_t size = 0;
    char *result = NULL;
    demo_step(&demo->story, "Refused: a host that asks for an early result");
    enum cella_status status =
        cella_host_call_wait(demo->enclave, CELLA_BYTES("result", strlen("result")), &reply, &size, &error);
    free(reply);
    if (!demo_expect(&demo->story, status, CELLA_HANDLER_FAILED, &error, "the host calls the enclave") ||
        !stranger_asks(demo))
        return false;
    error = (struct cella_error){.message = ""};
    if (!demo_ok(&demo->story, demo_party_open(demo, 0, DEMO_ENCLAVE, NULL, &client, &error), &error,
                 "the client"))
        return false;
    enum party_outcome outcome = party_result(client, 0, &result, NULL, &error);
    cella_client_free(client);
    free(result);
    if (!demo_check(&demo->story, outcome == PARTY_NOT_YET, "%s asks too early: \"%s\"", demo_party_names[0],
                    error.message))
        return false;
    demo_end(
        &demo->story,
        "Three files give nothing to anybody. The host has no topic, no key and no call that gives a result, "
        "early or late.");
    return true;
}

/* A way to the enclave on which one bit of every mail flips. */
struct flipping {
    struct cella_client_transport inner;
    size_t flipped;
};

static enum cella_status flip_attestation(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                          uint8_t **ret_data, size_t *ret_size, struct cella_error *error) {
    struct flipping *flipping = context;
    return flipping->inner.attestation(flipping->inner.context, nonce, ret_data, ret_size, error);
}

static enum cella_status flip_mail(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                                   struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                                   struct cella_error *error) {
    struct flipping *flipping = context;
    uint8_t *changed = malloc(mail.size);
    if (changed == NULL || mail.size == 0) {
        free(changed);
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a mail");
    }
    memcpy(changed, mail.data, mail.size);
    changed[mail.size / 2] ^= 0x10;
    flipping->flipped++;
    enum cella_status status = flipping->inner.mail(
        flipping->inner.context, route, CELLA_BYTES(changed, mail.size), ret_reply, ret_reply_size, error);
    free(changed);
    return status;
}

static enum cella_status flip_poll(void *context, const struct cella_client_poll_request *request,
                                   uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error) {
    struct flipping *flipping = context;
    return flipping->inner.poll(flipping->inner.context, request, ret_mail, ret_mail_size, error);
}

/* Sends a body on topic `file` without the care of party_send: what the enclave makes of it is the point. */
static enum cella_status send_raw(struct demo *demo, size_t party,
                                  const struct cella_client_transport *transport, struct cella_bytes body,
                                  struct cella_client_mail *ret_reply, struct cella_error *error) {
    struct cella_client *client = NULL;
    struct cella_client_request request = {.topic = "file", .body = body};
    bool replied = false;
    enum cella_status status = demo_party_open(demo, party, DEMO_ENCLAVE, transport, &client, error);
    if (status == CELLA_OK)
        status = cella_client_request(client, &request, &replied, ret_reply, error);
    if (status == CELLA_OK && !replied)
        status = cella_fail(error, CELLA_FAILED, "the enclave sent no reply");
    cella_client_free(client);
    return status;
}

/* How many files the enclave says are in. */
static bool still_three(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    char *result = NULL;
    if (!demo_ok(&demo->story, demo_party_open(demo, 0, DEMO_ENCLAVE, NULL, &client, &error), &error,
                 "the client"))
        return false;
    enum party_outcome outcome = party_result(client, 0, &result, NULL, &error);
    cella_client_free(client);
    free(result);
    return demo_check(&demo->story, outcome == PARTY_NOT_YET && strstr(error.message, "files 3 of 4") != NULL,
                      "the enclave goes on, with three files");
}

bool demo_refuse_changed_mail(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct flipping flipping = {.inner = cella_client_transport_host(demo->enclave)};
    struct cella_client_transport transport = {
        .context = &flipping, .attestation = flip_attestation, .mail = flip_mail, .poll = flip_poll};
    struct cella_client_mail reply = {.topic = NULL};
    uint8_t *file = NULL;
    size_t size = 0;
    demo_step(&demo->story, "Refused: a changed mail");
    if (!demo_ok(&demo->story, demo_party_file(demo, 3, &file, &size, &error), &error, "the file"))
        return false;
    demo_fact(&demo->story, "on its way, one bit of the mail with %s's file flips", demo_party_names[3]);
    enum cella_status status = send_raw(demo, 3, &transport, CELLA_BYTES(file, size), &reply, &error);
    cella_client_mail_deinit(&reply);
    cella_wipe_free(file, size);
    if (!demo_check(&demo->story, flipping.flipped > 0, "the mail was changed") ||
        !demo_expect(&demo->story, status, CELLA_MAIL_REFUSED, &error, "the enclave does not open it") ||
        !still_three(demo))
        return false;
    demo_end(&demo->story, "A mail is opened whole and unchanged, or not at all.");
    return true;
}

bool demo_refuse_bad_row(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    struct demo_path mark = demo_path(demo, "%s/%s.sent", demo_party_names[3], DEMO_SURVEY);
    uint8_t *file = NULL;
    size_t size = 0;
    char *words = NULL;
    demo_step(&demo->story, "Refused: a file with a bad row");
    if (!demo_ok(&demo->story, demo_party_file(demo, 3, &file, &size, &error), &error, "the file"))
        return false;
    uint8_t *gender = memmem(file + size / 2, size - size / 2, ",male,", strlen(",male,"));
    bool held = demo_check(&demo->story, gender != NULL, "somewhere in %s's file \"male\" becomes \"mole\"",
                           demo_party_names[3]);
    if (gender != NULL)
        gender[2] = 'o';
    held = held && demo_ok(&demo->story, demo_party_open(demo, 3, DEMO_ENCLAVE, NULL, &client, &error),
                           &error, "the client");
    if (held) {
        enum party_outcome outcome =
            party_send(client, demo->terms, mark.text, CELLA_BYTES(file, size), &words, &error);
        const char *row = words != NULL ? strstr(words, "row ") : NULL;
        held = demo_check(&demo->story, outcome == PARTY_FILE_REFUSED && row != NULL,
                          "the enclave's reply: %.*s", row != NULL ? (int)strcspn(row, "\n") : 0,
                          row != NULL ? row : "");
    }
    cella_client_free(client);
    cella_wipe_free(file, size);
    free(words);
    held = held && still_three(demo);
    demo_end(&demo->story,
             "The reply names row and column, and nothing of that file counts; the party may correct it.");
    return held;
}

bool demo_refuse_second_file(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    struct cella_client_mail reply = {.topic = NULL};
    struct demo_path mark = demo_path(demo, "%s/%s.sent", demo_party_names[0], DEMO_SURVEY);
    uint8_t *file = NULL;
    size_t size = 0;
    char *words = NULL;
    demo_step(&demo->story, "Refused: a second file");
    if (!demo_ok(&demo->story, demo_party_file(demo, 0, &file, &size, &error), &error, "the file") ||
        !demo_ok(&demo->story, demo_party_open(demo, 0, DEMO_ENCLAVE, NULL, &client, &error), &error,
                 "the client"))
        return false;
    enum party_outcome outcome =
        party_send(client, demo->terms, mark.text, CELLA_BYTES(file, size), &words, &error);
    cella_client_free(client);
    free(words);
    bool held = demo_check(&demo->story, outcome == PARTY_SENT_BEFORE,
                           "%s's own program does not send again for this survey id", demo_party_names[0]);
    enum cella_status status = send_raw(demo, 0, NULL, CELLA_BYTES(file, size), &reply, &error);
    held = held && demo_ok(&demo->story, status, &error, "the second file") &&
           demo_check(
               &demo->story,
               reply.body != NULL && memmem(reply.body, reply.body_size, "cannot be replaced", 18) != NULL,
               "nor does the enclave take it: \"a file of %s is in already; a file cannot be replaced\"",
               demo_party_names[0]);
    cella_client_mail_deinit(&reply);
    cella_wipe_free(file, size);
    demo_end(&demo->story, "One file each and one result: nobody can change rows and look again. A second "
                           "run needs a new survey "
                           "id, thus a new image that all agree to.");
    return held;
}
