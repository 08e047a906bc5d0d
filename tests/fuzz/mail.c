/* Mail from outside, at both ends. The first byte chooses who reads (0 the enclave, 1 a client that opens a
 * session, 2 a client in a session, 3 a client's stored state), the second how large the chunks are. All keys
 * are those of the worked example, so that the corpus holds mail that opens.
 */
#include "base/error.h"
#include "crypto/hash.h"
#include "mail/fixed.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct cella_x25519_key enclave;
    struct cella_x25519_key client;
    struct cella_mail_fixed at_client;
    struct cella_mail_fixed at_enclave;
    struct cella_mailbox *mailbox;
    struct cella_mail_session *opening;
    struct cella_mail_session *open;
};

static struct world world;
static bool ready;

static void example_key(const char *name, uint8_t out[CELLA_SHA256_SIZE]) {
    static const char label[] = "cella mail example: ";
    struct cella_sha256 hash;
    cella_sha256_init(&hash);
    cella_sha256_update(&hash, label, sizeof label - 1);
    cella_sha256_update(&hash, name, strlen(name));
    cella_sha256_digest(&hash, out);
    cella_sha256_deinit(&hash);
}

/* The enclave reads `mail` and answers; the answer goes to `session` if there is one. */
static void deliver(uint8_t *mail, size_t size, struct cella_mail_session *session) {
    static const uint8_t route[CELLA_MAIL_ROUTE_SIZE];
    struct cella_mailbox_mail *opened = NULL;
    struct cella_mail_letter letter = {.memory = NULL};
    enum cella_mailbox_verdict verdict;
    uint8_t answer[1024];
    CELLA_ASSERT(cella_mailbox_mail_new(world.mailbox, route, &opened) == CELLA_OK);
    CELLA_ASSERT(cella_mailbox_mail_feed(opened, CELLA_BYTES(mail, size), NULL) == CELLA_OK);
    CELLA_ASSERT(cella_mailbox_mail_begin(opened, &verdict, NULL) == CELLA_OK);
    CELLA_ASSERT(cella_mailbox_mail_commit(opened, NULL) == CELLA_OK);
    size_t answer_size = cella_mailbox_reply_size(opened, NULL, 0);
    CELLA_ASSERT(answer_size <= sizeof answer);
    CELLA_ASSERT(cella_mailbox_reply_seal(opened, NULL, (struct cella_bytes){0}, answer, answer_size, NULL) ==
                 CELLA_OK);
    if (session != NULL)
        CELLA_ASSERT(cella_mail_session_open(session, CELLA_BYTES(answer, answer_size), &letter, NULL) ==
                     CELLA_OK);
    cella_mail_letter_deinit(&letter);
    cella_mailbox_mail_free(opened);
    free(mail);
}

static uint8_t *seal(struct cella_mail_session *session, enum cella_mail_way way, size_t *ret_size) {
    struct cella_mail_request request = {.topic = "survey", .padding = CELLA_MAIL_PADDING_CLASS, .way = way};
    uint8_t *mail = NULL;
    CELLA_ASSERT(cella_mail_session_seal(session, &request, CELLA_BYTES("body", 4), &mail, ret_size, NULL) ==
                 CELLA_OK);
    return mail;
}

static struct cella_mail_session *client(void) {
    struct cella_mail_session *session = NULL;
    CELLA_ASSERT(cella_mail_session_new(&world.client, world.enclave.public_key, &session) == CELLA_OK);
    cella_mail_session_fix(session, &world.at_client);
    return session;
}

/* As in the worked example: a one-shot mail, a session opened, one request in it under way. */
static void build(void) {
    uint8_t key[CELLA_SHA256_SIZE];
    size_t size = 0;
    example_key("enclave", key);
    CELLA_ASSERT(cella_x25519_from_private(&world.enclave, key) == CELLA_OK);
    example_key("client", key);
    CELLA_ASSERT(cella_x25519_from_private(&world.client, key) == CELLA_OK);
    example_key("client e", world.at_client.ephemeral);
    example_key("enclave e", world.at_enclave.ephemeral);
    example_key("session", key);
    memcpy(world.at_client.session_id, key, sizeof world.at_client.session_id);
    struct cella_mailbox_options options = {
        .session_key = &world.enclave,
        .limits = {.max_mail_size = 1 << 20, .max_senders = 4, .max_sessions = 4}};
    CELLA_ASSERT(cella_mailbox_new(&options, &world.mailbox, NULL) == CELLA_OK);
    cella_mailbox_fix(world.mailbox, &world.at_enclave);
    world.opening = client();
    world.open = client();
    uint8_t *mail = seal(world.open, CELLA_MAIL_WAY_ONE_SHOT, &size);
    deliver(mail, size, world.open);
    mail = seal(world.open, CELLA_MAIL_WAY_SESSION, &size);
    deliver(mail, size, world.open);
    free(seal(world.open, CELLA_MAIL_WAY_SESSION, &size));
    free(seal(world.opening, CELLA_MAIL_WAY_ONE_SHOT, &size));
    free(seal(world.opening, CELLA_MAIL_WAY_SESSION, &size));
    CELLA_ASSERT(cella_mail_session_give_up_replies(world.opening, "survey", 1) == CELLA_OK);
    ready = true;
}

static void destroy(void) {
    cella_mail_session_free(world.opening);
    cella_mail_session_free(world.open);
    cella_mailbox_free(world.mailbox);
    cella_x25519_deinit(&world.enclave);
    cella_x25519_deinit(&world.client);
    memset(&world, 0, sizeof world);
    ready = false;
}

/* True if the mail was accepted, so that the world has changed. */
static bool enclave_reads(struct cella_bytes mail, size_t chunk) {
    static const uint8_t route[CELLA_MAIL_ROUTE_SIZE];
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_RUN;
    CELLA_ASSERT(cella_mailbox_mail_new(world.mailbox, route, &opened) == CELLA_OK);
    enum cella_status status = CELLA_OK;
    for (size_t at = 0; at < mail.size && status == CELLA_OK; at += chunk) {
        size_t size = mail.size - at < chunk ? mail.size - at : chunk;
        status = cella_mailbox_mail_feed(opened, CELLA_BYTES(mail.data + at, size), NULL);
    }
    bool changed = status == CELLA_OK;
    if (status == CELLA_OK)
        status = cella_mailbox_mail_begin(opened, &verdict, NULL);
    if (status == CELLA_OK && verdict == CELLA_MAILBOX_RUN) {
        CELLA_ASSERT(cella_mailbox_mail_view(opened)->body.size <= 1 << 20);
        CELLA_ASSERT(cella_mailbox_mail_commit(opened, NULL) == CELLA_OK);
    }
    cella_mailbox_mail_free(opened);
    return changed;
}

static bool client_reads(struct cella_mail_session *session, struct cella_bytes mail, size_t chunk) {
    struct cella_mail_reader *reader = NULL;
    struct cella_mail_letter letter = {.memory = NULL};
    CELLA_ASSERT(cella_mail_session_reader(session, &reader) == CELLA_OK);
    enum cella_status status = CELLA_OK;
    for (size_t at = 0; at < mail.size && status == CELLA_OK; at += chunk) {
        size_t size = mail.size - at < chunk ? mail.size - at : chunk;
        status = cella_mail_reader_feed(reader, CELLA_BYTES(mail.data + at, size), NULL);
    }
    if (status == CELLA_OK)
        status = cella_mail_reader_finish(reader, &letter, NULL);
    cella_mail_letter_deinit(&letter);
    cella_mail_reader_free(reader);
    return status == CELLA_OK;
}

/* A state that is accepted comes back in the same size, and from there as the same bytes. */
static void import(struct cella_bytes data) {
    struct cella_mail_session *session = NULL, *again = NULL;
    uint8_t *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    if (cella_mail_session_import(&world.client, data, &session, NULL) != CELLA_OK)
        return;
    CELLA_ASSERT(cella_mail_session_export(session, &first, &first_size) == CELLA_OK);
    CELLA_ASSERT(first_size == data.size);
    CELLA_ASSERT(cella_mail_session_import(&world.client, CELLA_BYTES(first, first_size), &again, NULL) ==
                 CELLA_OK);
    CELLA_ASSERT(cella_mail_session_export(again, &second, &second_size) == CELLA_OK);
    CELLA_ASSERT(second_size == first_size && memcmp(first, second, first_size) == 0);
    free(first);
    free(second);
    cella_mail_session_free(session);
    cella_mail_session_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_mail_shape shape;
    bool changed = false;
    if (size < 2)
        return 0;
    if (!ready)
        build();
    struct cella_bytes mail = CELLA_BYTES(data + 2, size - 2);
    size_t chunk = data[1] == 0 ? size : data[1];
    (void)cella_mail_inspect(mail, &shape, NULL);
    if (data[0] % 4 == 0)
        changed = enclave_reads(mail, chunk);
    else if (data[0] % 4 == 1)
        changed = client_reads(world.opening, mail, chunk);
    else if (data[0] % 4 == 2)
        changed = client_reads(world.open, mail, chunk);
    else
        import(mail);
    if (changed)
        destroy();
    return 0;
}
