/* The clear header, frames and padding, and the worked example of formats/mail.md. */
#include "unit/mail/office.h"
#include "base/writer.h"
#include "mail/packet.h"
#include <stdlib.h>
#include <string.h>

static const char example[] = "mail/example.txt";

static struct cella_mail_header good_header(void) {
    return (struct cella_mail_header){
        .kind = CELLA_MAIL_SESSION,
        .role = CELLA_MAIL_REPLY,
        .padding = CELLA_MAIL_PADDING_CLASS,
        .session_id = "0123456789abcde",
        .number = CELLA_MAIL_NUMBER_MAX,
        .answers = 3,
        .sequence = UINT64_MAX,
        .birth = 5,
        .topic = CELLA_BYTES("some-topic", 10),
        .context = CELLA_BYTES("context", 7),
        .envelope = CELLA_BYTES("envelope", 8),
    };
}

static struct cella_bytes written(const struct cella_mail_header *header) {
    static uint8_t out[CELLA_MAIL_HEADER_MAX];
    struct cella_writer writer;
    cella_writer_init(&writer, out, sizeof out);
    assert_status(cella_mail_header_write(&writer, header, NULL), CELLA_OK);
    assert_int_equal(writer.size, cella_mail_header_size(header));
    return test_copy(cella_writer_bytes(&writer));
}

static void a_header_is_read_as_it_was_written(void **state) {
    struct cella_mail_header header = good_header(), read;
    struct cella_bytes bytes = written(&header);
    size_t size = 0;
    assert_status(cella_mail_header_parse(bytes, &read, &size, NULL), CELLA_OK);
    assert_int_equal(size, bytes.size);
    assert_int_equal(read.kind, header.kind);
    assert_int_equal(read.role, header.role);
    assert_int_equal(read.padding, header.padding);
    assert_memory_equal(read.session_id, header.session_id, sizeof read.session_id);
    assert_int_equal(read.number, header.number);
    assert_int_equal(read.answers, header.answers);
    assert_int_equal(read.generation, header.generation);
    assert_int_equal(read.sequence, header.sequence);
    assert_int_equal(read.birth, header.birth);
    assert_bytes(read.topic, header.topic);
    assert_bytes(read.context, header.context);
    assert_bytes(read.envelope, header.envelope);
    assert_string_equal(cella_mail_kind_name(read.kind), "session");
    assert_string_equal(cella_mail_role_name(read.role), "reply");
}

static void the_largest_header_is_accepted_and_more_is_refused(void **state) {
    static uint8_t large[CELLA_MAIL_ENVELOPE_MAX + 1];
    static uint8_t out[CELLA_MAIL_HEADER_MAX + 1];
    struct cella_mail_header header = good_header(), read;
    struct cella_writer writer;
    size_t size = 0;
    memset(large, 'x', sizeof large);
    header.topic = CELLA_BYTES(large, 255);
    header.context = CELLA_BYTES(large, CELLA_MAIL_CONTEXT_MAX);
    header.envelope = CELLA_BYTES(large, 65536);
    struct cella_bytes bytes = written(&header);
    assert_int_equal(bytes.size, CELLA_MAIL_HEADER_MAX);
    assert_status(cella_mail_header_parse(bytes, &read, &size, NULL), CELLA_OK);
    struct cella_bytes *views[] = {&header.topic, &header.context, &header.envelope};
    static const enum cella_status expected[] = {CELLA_MAIL_TOPIC, CELLA_LIMIT, CELLA_LIMIT};
    for (size_t i = 0; i < 3; i++) {
        cella_writer_init(&writer, out, sizeof out);
        views[i]->size++;
        assert_status(cella_mail_header_write(&writer, &header, NULL), expected[i]);
        views[i]->size--;
    }
    cella_writer_init(&writer, out, CELLA_MAIL_HEADER_MAX - 1);
    assert_status(cella_mail_header_write(&writer, &header, NULL), CELLA_TOO_SMALL);
    /* Lengths over the maximum are refused before so many bytes are asked for. */
    uint8_t *length = (uint8_t *)(uintptr_t)bytes.data + 14;
    *length = 2;
    assert_status(cella_mail_header_parse(CELLA_BYTES(bytes.data, 72), &read, &size, NULL),
                  CELLA_MAIL_MALFORMED);
}

/* Changes one byte of a good header and expects a status. */
static void refused(const struct cella_mail_header *header, size_t at, uint8_t value,
                    enum cella_status expected) {
    struct cella_bytes bytes = written(header);
    struct cella_mail_header read;
    size_t size = 0;
    ((uint8_t *)(uintptr_t)bytes.data)[at] = value;
    assert_status(cella_mail_header_parse(bytes, &read, &size, NULL), expected);
}

static void every_contradiction_in_a_header_is_refused(void **state) {
    struct cella_mail_header header = good_header();
    refused(&header, 0, 'X', CELLA_MAIL_MALFORMED);
    refused(&header, 4, 2, CELLA_NEWER_FORMAT);
    refused(&header, 4, 0, CELLA_MAIL_MALFORMED);
    for (unsigned kind = 0; kind < 256; kind++)
        if (kind != CELLA_MAIL_SESSION)
            refused(&header, 6, (uint8_t)kind, CELLA_MAIL_MALFORMED);
    for (unsigned role = 0; role < 256; role++)
        if (role != CELLA_MAIL_REPLY && role != CELLA_MAIL_DONE && role != CELLA_MAIL_POST)
            refused(&header, 7, (uint8_t)role, CELLA_MAIL_MALFORMED);
    for (unsigned padding = 2; padding < 256; padding++)
        refused(&header, 8, (uint8_t)padding, CELLA_MAIL_MALFORMED);
    refused(&header, 9, 0, CELLA_MAIL_MALFORMED);        /* no topic */
    refused(&header, 48, 1, CELLA_MAIL_MALFORMED);       /* a generation in a session */
    refused(&header, 40, 0, CELLA_MAIL_MALFORMED);       /* answers nothing */
    refused(&header, 38, 0xff, CELLA_MAIL_MALFORMED);    /* number over the maximum */
    refused(&header, 72 + 4, '_', CELLA_MAIL_MALFORMED); /* topic */
    refused(&header, 72 + 4, '\0', CELLA_MAIL_MALFORMED);
    header = (struct cella_mail_header){.kind = CELLA_MAIL_SESSION_OPEN, .role = CELLA_MAIL_HELLO};
    refused(&header, 7, CELLA_MAIL_REQUEST, CELLA_MAIL_MALFORMED);
    refused(&header, 32, 1, CELLA_MAIL_MALFORMED); /* a number outside a session */
    refused(&header, 56, 1, CELLA_MAIL_MALFORMED); /* a hello with a sequence */
    refused(&header, 9, 1, CELLA_MAIL_MALFORMED);  /* a hello with a topic */
    refused(&header, 12, 1, CELLA_MAIL_MALFORMED); /* a hello with an envelope */
}

/* Written and read again. */
static void accepted(const struct cella_mail_header *header) {
    struct cella_bytes bytes = written(header);
    struct cella_mail_header read;
    size_t size = 0;
    assert_status(cella_mail_header_parse(bytes, &read, &size, NULL), CELLA_OK);
    assert_int_equal(read.role, header->role);
    assert_int_equal(read.answers, header->answers);
}

static void queries_and_acks_go_in_sessions_without_a_sequence(void **state) {
    struct cella_mail_header query = {
        .kind = CELLA_MAIL_SESSION, .role = CELLA_MAIL_QUERY, .number = 1, .topic = CELLA_BYTES("t", 1)};
    struct cella_mail_header ack = {.kind = CELLA_MAIL_SESSION, .role = CELLA_MAIL_ACK, .number = 2};
    accepted(&query);
    accepted(&ack);
    const struct cella_mail_header *headers[] = {&query, &ack};
    for (size_t i = 0; i < 2; i++) {
        for (unsigned kind = CELLA_MAIL_ONE_SHOT; kind < CELLA_MAIL_SESSION; kind++)
            refused(headers[i], 6, (uint8_t)kind, CELLA_MAIL_MALFORMED);
        refused(headers[i], 40, 1, CELLA_MAIL_MALFORMED); /* answers something */
        refused(headers[i], 56, 1, CELLA_MAIL_MALFORMED); /* a sequence */
    }
    refused(&query, 9, 0, CELLA_MAIL_MALFORMED); /* a query without a topic */
    refused(&ack, 9, 1, CELLA_MAIL_MALFORMED);   /* an ack with a topic */
    refused(&ack, 12, 1, CELLA_MAIL_MALFORMED);  /* an ack with an envelope */
}

static void only_the_done_of_an_ack_lacks_a_topic(void **state) {
    struct cella_mail_header header = {
        .kind = CELLA_MAIL_SESSION, .role = CELLA_MAIL_DONE, .number = 1, .answers = 2};
    accepted(&header);
    refused(&header, 7, CELLA_MAIL_REPLY, CELLA_MAIL_MALFORMED);
    refused(&header, 7, CELLA_MAIL_POST, CELLA_MAIL_MALFORMED);
    refused(&header, 56, 1, CELLA_MAIL_MALFORMED); /* a sequence */
    header = (struct cella_mail_header){
        .kind = CELLA_MAIL_ONE_SHOT, .role = CELLA_MAIL_DONE, .topic = CELLA_BYTES("t", 1)};
    accepted(&header);
    refused(&header, 9, 0, CELLA_MAIL_MALFORMED);
}

static void a_post_may_have_an_outbox_number_in_and_outside_sessions(void **state) {
    struct cella_mail_header header = {
        .kind = CELLA_MAIL_ONE_SHOT, .role = CELLA_MAIL_POST, .topic = CELLA_BYTES("t", 1)};
    accepted(&header);
    header.answers = CELLA_MAIL_NUMBER_MAX;
    accepted(&header);
    refused(&header, 40, 0xff, CELLA_MAIL_MALFORMED); /* over the maximum */
    header.kind = CELLA_MAIL_SESSION;
    header.number = 1;
    accepted(&header);
}

static bool parses(void *context, struct cella_bytes bytes) {
    struct cella_mail_header header;
    size_t size = 0;
    enum cella_status status = cella_mail_header_parse(bytes, &header, &size, NULL);
    if (status != CELLA_OK && bytes.size < *(size_t *)context)
        assert_status(status, CELLA_TOO_SMALL);
    return status == CELLA_OK;
}

static void a_cut_header_asks_for_more(void **state) {
    struct cella_mail_header header = good_header();
    struct cella_bytes bytes = written(&header);
    size_t whole = bytes.size;
    test_truncations_refused(bytes, parses, &whole);
    whole = 0;
    (void)test_bit_flips(bytes, parses, &whole);
    for (size_t size = 0; size < bytes.size; size++) {
        size_t missing = cella_mail_header_missing(CELLA_BYTES(bytes.data, size));
        assert_int_equal(missing, size < 72 ? 72 - size : bytes.size - size);
    }
}

static void padding_hides_sizes_and_costs_at_most_an_eighth(void **state) {
    assert_int_equal(cella_mail_padded_size(CELLA_MAIL_PADDING_NONE, 1000), 1008);
    assert_int_equal(cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 0), 256);
    assert_int_equal(cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 248), 256);
    assert_int_equal(cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 249), 272);
    assert_int_equal(cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 1024), 1088);
    assert_int_equal(cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 1 << 20), (1 << 20) + (1 << 15));
    uint64_t before = 0;
    unsigned classes = 0;
    for (uint64_t size = 0; size < 1 << 20; size++) {
        uint64_t padded = cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, size);
        assert_true(padded >= size + 8 && padded >= before);
        if (size > 256)
            assert_true(8 * (padded - size - 8) <= size + 8);
        classes += padded != before;
        before = padded;
    }
    assert_true(classes < 300);
    assert_true(cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, CELLA_MAIL_BODY_MAX) > CELLA_MAIL_BODY_MAX);
}

static void bodies_of_one_class_have_mails_of_one_size(void **state) {
    struct office *office = *state;
    office_connect(office);
    size_t size = office_seal(office, "t", test_pattern(0, 1)).size;
    for (size_t body = 0; body <= 248; body += 31)
        assert_int_equal(office_seal(office, "t", test_pattern(body, 1)).size, size);
    assert_true(office_seal(office, "t", test_pattern(249, 1)).size > size);
}

static bool inspects(void *context, struct cella_bytes mail) {
    struct cella_mail_shape shape;
    return cella_mail_inspect(mail, &shape, NULL) == CELLA_OK;
}

static void the_shape_of_a_whole_mail_is_seen_without_a_key(void **state) {
    struct office *office = *state;
    struct cella_mail_shape shape;
    struct cella_bytes reply = test_pattern(70000, 1);
    office_connect(office);
    struct cella_bytes mail = office_seal(office, "t", reply);
    assert_status(cella_mail_inspect(mail, &shape, NULL), CELLA_OK);
    assert_int_equal(shape.packet_count, 3);
    assert_int_equal(shape.padded_size, cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 70000));
    assert_int_equal(shape.header_size, 73);
    mail = office_seal(office, "t", test_pattern(3, 1));
    test_truncations_refused(mail, inspects, NULL);
    test_extension_refused(mail, inspects, NULL);
    (void)test_bit_flips(mail, inspects, NULL);
    cella_mail_session_restart(office->session);
    struct cella_bytes accept = office_answer(office, office_hello(office), NULL);
    assert_status(cella_mail_inspect(accept, &shape, NULL), CELLA_OK);
    assert_int_equal(shape.header.role, CELLA_MAIL_HELLO);
    test_truncations_refused(accept, inspects, NULL);
}

static struct cella_bytes field(const char *name) {
    return test_vector_field(example, name);
}

/* The office of the worked example: all keys known. */
static void example_open(struct office *office, struct cella_mail_fixed *at_client,
                         struct cella_mail_fixed *at_enclave) {
    *office = (struct office){.mailbox = NULL};
    assert_status(cella_x25519_from_private(&office->enclave, field("enclave_private").data), CELLA_OK);
    assert_status(cella_x25519_from_private(&office->client, field("client_private").data), CELLA_OK);
    struct cella_mailbox_options options = {.session_key = &office->enclave};
    assert_status(cella_mailbox_new(&options, &office->mailbox, &office->error), CELLA_OK);
    assert_status(cella_mail_session_new(&office->client, office->enclave.public_key, &office->session),
                  CELLA_OK);
    memcpy(at_client->session_id, field("session_id").data, sizeof at_client->session_id);
    memcpy(at_client->ephemeral, field("client_ephemeral").data, sizeof at_client->ephemeral);
    memcpy(at_enclave->ephemeral, field("enclave_ephemeral").data, sizeof at_enclave->ephemeral);
    cella_mail_session_fix(office->session, at_client);
    cella_mailbox_fix(office->mailbox, at_enclave);
    assert_status(cella_mail_session_set_context(office->session, field("context")), CELLA_OK);
}

static void the_worked_example_is_made_byte_for_byte_and_opened(void **state) {
    struct office office;
    struct cella_mail_fixed at_client = {.ephemeral = {0}}, at_enclave = {.ephemeral = {0}};
    struct cella_mail_request request = office_request("survey");
    example_open(&office, &at_client, &at_enclave);
    request.way = CELLA_MAIL_WAY_ONE_SHOT;
    request.envelope = field("envelope");
    struct cella_bytes mail = office_seal_as(&office, &request, field("one_shot_body"));
    assert_bytes(mail, field("one_shot"));
    office_expect(&office, office_answer(&office, mail, NULL), CELLA_MAIL_DONE, "survey", 0,
                  (struct cella_bytes){0});
    mail = office_seal(&office, "survey", field("open_body"));
    assert_bytes(mail, field("open"));
    struct cella_bytes body = field("accept_body");
    struct cella_bytes answer = office_answer(&office, mail, &body);
    assert_bytes(answer, field("accept"));
    office_expect(&office, answer, CELLA_MAIL_REPLY, "survey", 1, body);
    mail = office_seal(&office, "survey", field("request_body"));
    assert_bytes(mail, field("request"));
    body = field("reply_body");
    answer = office_answer(&office, mail, &body);
    assert_bytes(answer, field("reply"));
    office_expect(&office, answer, CELLA_MAIL_REPLY, "survey", 2, body);
    struct cella_mailbox_post post;
    assert_status(cella_mailbox_post_seal(office_prepare(&office, "news", field("post_body")),
                                          (struct cella_bytes){0}, &post),
                  CELLA_OK);
    assert_bytes(post.bytes, field("post"));
    office_expect(&office, post.bytes, CELLA_MAIL_POST, "news", 0, field("post_body"));
    free((void *)(uintptr_t)post.bytes.data);
    office_close(&office);
}

#define office_test(name) cmocka_unit_test_setup_teardown(name, office_setup, office_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read_as_it_was_written),
        cmocka_unit_test(the_largest_header_is_accepted_and_more_is_refused),
        cmocka_unit_test(every_contradiction_in_a_header_is_refused),
        cmocka_unit_test(queries_and_acks_go_in_sessions_without_a_sequence),
        cmocka_unit_test(only_the_done_of_an_ack_lacks_a_topic),
        cmocka_unit_test(a_post_may_have_an_outbox_number_in_and_outside_sessions),
        cmocka_unit_test(a_cut_header_asks_for_more),
        cmocka_unit_test(padding_hides_sizes_and_costs_at_most_an_eighth),
        office_test(bodies_of_one_class_have_mails_of_one_size),
        office_test(the_shape_of_a_whole_mail_is_seen_without_a_key),
        cmocka_unit_test(the_worked_example_is_made_byte_for_byte_and_opened),
    };
    return cmocka_run_group_tests_name("mail_format", tests, NULL, NULL);
}
