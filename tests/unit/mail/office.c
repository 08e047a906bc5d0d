/* Helpers of the mail tests. */
#include "unit/mail/office.h"
#include "support/memory.h"
#include <stdlib.h>
#include <string.h>

void office_open(struct office *office, const struct cella_mailbox_limits *limits) {
    *office = (struct office){.route = "route of client"};
    assert_status(cella_x25519_generate(&office->enclave), CELLA_OK);
    assert_status(cella_x25519_generate(&office->mailbox_key), CELLA_OK);
    struct cella_mailbox_options options = {.session_key = &office->enclave,
                                            .mailbox_key = &office->mailbox_key,
                                            .mailbox_generation = OFFICE_GENERATION,
                                            .limits = *limits};
    assert_status(cella_mailbox_new(&options, &office->mailbox, &office->error), CELLA_OK);
    office_client(office, &office->client, &office->session);
}

void office_client(const struct office *office, struct cella_x25519_key *ret_key,
                   struct cella_mail_session **ret_session) {
    assert_status(cella_x25519_generate(ret_key), CELLA_OK);
    assert_status(cella_mail_session_new(ret_key, office->enclave.public_key, ret_session), CELLA_OK);
    cella_mail_session_set_mailbox_key(*ret_session, office->mailbox_key.public_key, OFFICE_GENERATION);
}

void office_close(struct office *office) {
    cella_mail_session_free(office->session);
    cella_mailbox_free(office->mailbox);
    cella_x25519_deinit(&office->enclave);
    cella_x25519_deinit(&office->mailbox_key);
    cella_x25519_deinit(&office->client);
}

int office_setup(void **state) {
    struct office *office = malloc(sizeof *office);
    assert_non_null(office);
    office_open(office, &(struct cella_mailbox_limits){0});
    *state = office;
    return 0;
}

int office_teardown(void **state) {
    office_close(*state);
    free(*state);
    return 0;
}

/* Moves bytes from malloc to memory that lives until the program ends, exactly sized. */
static struct cella_bytes keep(uint8_t *data, size_t size) {
    struct cella_bytes copy = test_copy(CELLA_BYTES(data, size));
    free(data);
    return copy;
}

struct cella_mail_request office_request(const char *topic) {
    return (struct cella_mail_request){.topic = topic, .padding = CELLA_MAIL_PADDING_CLASS};
}

struct cella_bytes office_seal_as(struct office *office, const struct cella_mail_request *request,
                                  struct cella_bytes body) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_mail_session_seal(office->session, request, body, &data, &size, &office->error),
                  CELLA_OK);
    return keep(data, size);
}

struct cella_bytes office_seal(struct office *office, const char *topic, struct cella_bytes body) {
    struct cella_mail_request request = office_request(topic);
    return office_seal_as(office, &request, body);
}

struct cella_bytes office_hello(struct office *office) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_mail_session_hello(office->session, &data, &size, &office->error), CELLA_OK);
    return keep(data, size);
}

enum cella_status office_begin(struct office *office, struct cella_bytes mail, size_t chunk,
                               struct cella_mailbox_mail **ret_mail,
                               enum cella_mailbox_verdict *ret_verdict) {
    assert_status(cella_mailbox_mail_new(office->mailbox, office->route, ret_mail), CELLA_OK);
    enum cella_status status = CELLA_OK;
    chunk = chunk == 0 ? mail.size : chunk;
    for (size_t at = 0; at < mail.size && status == CELLA_OK; at += chunk) {
        /* A copy of exact size, gone after the call: the mailbox must not need it later. */
        size_t size = mail.size - at < chunk ? mail.size - at : chunk;
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, mail.data + at, size);
        status = cella_mailbox_mail_feed(*ret_mail, CELLA_BYTES(copy, size), &office->error);
        memset(copy, 0xee, size);
        free(copy);
    }
    return status == CELLA_OK ? cella_mailbox_mail_begin(*ret_mail, ret_verdict, &office->error) : status;
}

struct cella_bytes office_answer_sealed(struct office *office, struct cella_mailbox_mail *mail,
                                        const struct cella_bytes *reply) {
    size_t size = cella_mailbox_reply_size(mail, reply, 0);
    uint8_t *out = test_allocate(size);
    assert_status(cella_mailbox_reply_seal(mail, reply, (struct cella_bytes){0}, out, size, &office->error),
                  CELLA_OK);
    return CELLA_BYTES(out, size);
}

enum cella_status office_deliver(struct office *office, struct cella_bytes mail,
                                 const struct cella_bytes *reply, struct cella_bytes *ret_answer) {
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_RUN;
    enum cella_status status = office_begin(office, mail, 0, &opened, &verdict);
    if (status == CELLA_OK && verdict == CELLA_MAILBOX_RUN)
        status = cella_mailbox_mail_commit(opened, reply);
    if (status == CELLA_OK)
        *ret_answer = office_answer_sealed(office, opened, reply);
    cella_mailbox_mail_free(opened);
    return status;
}

struct cella_bytes office_answer(struct office *office, struct cella_bytes mail,
                                 const struct cella_bytes *reply) {
    struct cella_bytes answer = {0};
    assert_status(office_deliver(office, mail, reply, &answer), CELLA_OK);
    return answer;
}

enum cella_status office_try(struct office *office, struct cella_bytes mail) {
    struct cella_bytes answer = {0};
    return office_deliver(office, mail, NULL, &answer);
}

struct cella_mailbox_prepared *office_prepare(struct office *office, const char *topic,
                                              struct cella_bytes body) {
    struct cella_mailbox_prepared *prepared = NULL;
    assert_status(cella_mailbox_post_prepare(office->mailbox, office->client.public_key, topic, body,
                                             &prepared, &office->error),
                  CELLA_OK);
    return prepared;
}

struct cella_bytes office_post(struct office *office, const char *topic, struct cella_bytes body) {
    struct cella_mailbox_post post = {0};
    assert_status(
        cella_mailbox_post_seal(office_prepare(office, topic, body), (struct cella_bytes){0}, &post),
        CELLA_OK);
    assert_memory_equal(post.route, office->route, sizeof post.route);
    struct cella_bytes copy = test_copy(post.bytes);
    free((void *)(uintptr_t)post.bytes.data);
    return copy;
}

enum cella_status office_open_mail(struct office *office, struct cella_bytes mail, size_t chunk,
                                   struct cella_mail_letter *ret_letter) {
    struct cella_mail_reader *reader = NULL;
    if (chunk == 0)
        return cella_mail_session_open(office->session, mail, ret_letter, &office->error);
    assert_status(cella_mail_session_reader(office->session, &reader), CELLA_OK);
    enum cella_status status = CELLA_OK;
    for (size_t at = 0; at < mail.size && status == CELLA_OK; at += chunk) {
        size_t size = mail.size - at < chunk ? mail.size - at : chunk;
        status = cella_mail_reader_feed(reader, CELLA_BYTES(mail.data + at, size), &office->error);
    }
    if (status == CELLA_OK)
        status = cella_mail_reader_finish(reader, ret_letter, &office->error);
    cella_mail_reader_free(reader);
    return status;
}

void office_expect(struct office *office, struct cella_bytes mail, enum cella_mail_role role,
                   const char *topic, uint64_t sequence, struct cella_bytes body) {
    struct cella_mail_letter letter = {.memory = NULL};
    assert_status(office_open_mail(office, mail, 0, &letter), CELLA_OK);
    assert_int_equal(letter.role, role);
    assert_string_equal(letter.topic, topic);
    assert_int_equal(letter.sequence, sequence);
    assert_bytes(letter.body, body);
    cella_mail_letter_deinit(&letter);
}

void office_round(struct office *office, const char *topic, uint64_t sequence) {
    struct cella_bytes body = test_pattern(100 + sequence, 1), reply = test_pattern(60 + sequence, 2);
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_HELLO;
    assert_status(office_begin(office, office_seal(office, topic, body), 0, &opened, &verdict), CELLA_OK);
    assert_int_equal(verdict, CELLA_MAILBOX_RUN);
    const struct cella_mail *mail = cella_mailbox_mail_view(opened);
    assert_memory_equal(mail->sender, office->client.public_key, sizeof mail->sender);
    assert_string_equal(mail->topic, topic);
    assert_int_equal(mail->sequence, sequence);
    assert_bytes(mail->body, body);
    assert_status(cella_mailbox_mail_commit(opened, &reply), CELLA_OK);
    struct cella_bytes answer = office_answer_sealed(office, opened, &reply);
    cella_mailbox_mail_free(opened);
    office_expect(office, answer, CELLA_MAIL_REPLY, topic, sequence, reply);
}

void office_connect(struct office *office) {
    struct cella_bytes none = {0};
    office_expect(office, office_answer(office, office_hello(office), NULL), CELLA_MAIL_HELLO, "", 0, none);
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_OPEN);
}
