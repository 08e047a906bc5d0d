/* Mail from client to enclave: confidentiality, integrity, sizes and chunks. */
#include "unit/mail/office.h"
#include "base/writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {0,     1,     7,     8,     247,   248,   249,   1024,  32759,
                               32760, 32761, 32767, 32768, 32769, 65528, 65529, 65536, 100000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static struct cella_mail_request one_shot(const char *topic) {
    return (struct cella_mail_request){
        .topic = topic, .padding = CELLA_MAIL_PADDING_CLASS, .way = CELLA_MAIL_WAY_ONE_SHOT};
}

static void a_request_and_its_reply_travel_in_every_kind(void **state) {
    struct office *office = *state;
    office_round(office, "greetings", 0);
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_OPEN);
    office_round(office, "greetings", 1);
    office_round(office, "greetings", 2);
    office_round(office, "Other-Topic-9", 0);
    struct cella_bytes body = test_pattern(300, 1), reply = test_pattern(30, 2);
    enum cella_mail_way ways[] = {CELLA_MAIL_WAY_ONE_SHOT, CELLA_MAIL_WAY_MAILBOX};
    for (uint64_t i = 0; i < 2; i++) {
        struct cella_mail_request request = one_shot("greetings");
        request.way = ways[i];
        struct cella_bytes answer = office_answer(office, office_seal_as(office, &request, body), &reply);
        office_expect(office, answer, CELLA_MAIL_REPLY, "greetings", 3 + i, reply);
    }
}

static void a_handler_without_a_reply_is_answered_with_done(void **state) {
    struct office *office = *state;
    struct cella_bytes none = {0};
    for (uint64_t i = 0; i < 3; i++) {
        struct cella_bytes answer =
            office_answer(office, office_seal(office, "a", test_pattern(10, 1)), NULL);
        office_expect(office, answer, CELLA_MAIL_DONE, "a", i, none);
    }
    /* An empty reply is a reply. */
    struct cella_bytes answer = office_answer(office, office_seal(office, "a", test_pattern(10, 1)), &none);
    office_expect(office, answer, CELLA_MAIL_REPLY, "a", 3, none);
}

static void the_same_body_twice_gives_different_bytes(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(1000, 1);
    struct cella_mail_request request = one_shot("a");
    struct cella_bytes first = office_seal_as(office, &request, body);
    struct cella_bytes second = office_seal_as(office, &request, body);
    assert_int_equal(first.size, second.size);
    size_t header = 72 + 1 + 4, equal = 0;
    for (size_t i = header; i < first.size; i++)
        equal += first.data[i] == second.data[i];
    assert_true(equal < 30);
    office_connect(office);
    first = office_seal(office, "b", body);
    second = office_seal(office, "b", body);
    for (size_t i = header, same = 0; i < first.size; i++) {
        same += first.data[i] == second.data[i];
        assert_true(same < 30);
    }
}

static void the_header_is_read_without_a_key_and_the_body_is_not(void **state) {
    struct office *office = *state;
    struct cella_bytes envelope = CELLA_BYTES("for the clerk", 13), body = test_pattern(500, 1);
    assert_status(cella_mail_session_set_context(office->session, CELLA_BYTES("seen head", 9)), CELLA_OK);
    struct cella_mail_request request = office_request("open-header");
    request.envelope = envelope;
    struct cella_bytes mail = office_seal_as(office, &request, body);
    struct cella_mail_shape shape;
    assert_status(cella_mail_inspect(mail, &shape, &office->error), CELLA_OK);
    assert_int_equal(shape.header.kind, CELLA_MAIL_SESSION_OPEN);
    assert_int_equal(shape.header.role, CELLA_MAIL_REQUEST);
    assert_bytes(shape.header.topic, CELLA_BYTES("open-header", 11));
    assert_bytes(shape.header.envelope, envelope);
    assert_bytes(shape.header.context, CELLA_BYTES("seen head", 9));
    assert_int_equal(shape.header.sequence, 0);
    assert_int_equal(shape.packet_count, 1);
    assert_int_equal(shape.padded_size, cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, 500));
    assert_null(memmem(mail.data, mail.size, body.data, 16));
    assert_null(memmem(mail.data, mail.size, office->client.public_key, 16));
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    assert_status(office_begin(office, mail, 0, &opened, &verdict), CELLA_OK);
    assert_bytes(cella_mailbox_mail_view(opened)->envelope, envelope);
    assert_bytes(cella_mailbox_mail_view(opened)->body, body);
    cella_mailbox_mail_free(opened);
}

static bool accepted(void *context, struct cella_bytes mail) {
    struct office *office = context;
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    enum cella_status status = office_begin(office, mail, 0, &opened, &verdict);
    if (status == CELLA_OK && verdict == CELLA_MAILBOX_RUN)
        cella_mailbox_mail_abort(opened);
    cella_mailbox_mail_free(opened);
    return status == CELLA_OK;
}

/* The good form is accepted once only in a session, so it is sealed anew for the last check. */
static void damage(struct office *office, struct cella_bytes mail) {
    uint8_t *changed = malloc(mail.size);
    assert_non_null(changed);
    memcpy(changed, mail.data, mail.size);
    for (size_t at = 0; at < mail.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            changed[at] ^= (uint8_t)(1u << bit);
            if (accepted(office, CELLA_BYTES(changed, mail.size)))
                fail_msg("bit %u of byte %zu", bit, at);
            changed[at] ^= (uint8_t)(1u << bit);
        }
    free(changed);
    for (size_t size = 0; size < mail.size; size++)
        assert_false(accepted(office, test_copy(CELLA_BYTES(mail.data, size))));
    uint8_t *longer = calloc(1, mail.size + 1);
    assert_non_null(longer);
    memcpy(longer, mail.data, mail.size);
    assert_false(accepted(office, CELLA_BYTES(longer, mail.size + 1)));
    free(longer);
    assert_true(accepted(office, mail));
}

static void every_changed_bit_and_every_cut_is_refused_and_the_mailbox_keeps_working(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = office_request("damage");
    request.envelope = CELLA_BYTES("e", 1);
    struct cella_bytes body = test_pattern(40, 1);
    request.padding = CELLA_MAIL_PADDING_NONE;
    damage(office, office_seal_as(office, &request, body));
    cella_mail_session_restart(office->session);
    request.way = CELLA_MAIL_WAY_ONE_SHOT;
    request.repeat = true;
    damage(office, office_seal_as(office, &request, body));
    request.way = CELLA_MAIL_WAY_SESSION;
    office_connect(office);
    damage(office, office_seal_as(office, &request, body));
    /* The handler above never succeeded, so the sequence is still free. */
    struct cella_bytes answer = office_answer(office, office_seal_as(office, &request, body), &body);
    office_expect(office, answer, CELLA_MAIL_REPLY, "damage", 0, body);
}

static void packets_cannot_be_cut_moved_or_repeated(void **state) {
    struct office *office = *state;
    office_connect(office);
    struct cella_mail_request request = office_request("packets");
    request.padding = CELLA_MAIL_PADDING_NONE;
    struct cella_bytes mail = office_seal_as(office, &request, test_pattern(3 * 32768, 1));
    size_t head = 72 + 7, packet = 4 + 32768 + 16;
    assert_int_equal(mail.size, head + 3 * packet + 4 + 8 + 16);
    /* Cut after each packet. */
    for (size_t count = 0; count <= 3; count++)
        assert_false(accepted(office, CELLA_BYTES(mail.data, head + count * packet)));
    uint8_t *changed = malloc(mail.size + packet);
    assert_non_null(changed);
    /* The third packet said to be the last. */
    memcpy(changed, mail.data, mail.size);
    changed[head + 2 * packet + 3] |= 0x80;
    assert_false(accepted(office, CELLA_BYTES(changed, head + 3 * packet)));
    /* The second and third packet change places; one packet twice; one left out. */
    memcpy(changed, mail.data, mail.size);
    memcpy(changed + head + packet, mail.data + head + 2 * packet, packet);
    memcpy(changed + head + 2 * packet, mail.data + head + packet, packet);
    assert_false(accepted(office, CELLA_BYTES(changed, mail.size)));
    memcpy(changed, mail.data, head + packet);
    memcpy(changed + head + packet, mail.data + head, mail.size - head);
    assert_false(accepted(office, CELLA_BYTES(changed, mail.size + packet)));
    memcpy(changed, mail.data, head + packet);
    memcpy(changed + head + packet, mail.data + head + 2 * packet, mail.size - head - 2 * packet);
    assert_false(accepted(office, CELLA_BYTES(changed, mail.size - packet)));
    free(changed);
    assert_true(accepted(office, mail));
}

static void packets_of_two_mails_cannot_be_mixed(void **state) {
    struct office *office = *state;
    office_connect(office);
    struct cella_mail_request request = office_request("packets");
    struct cella_bytes first = office_seal_as(office, &request, test_pattern(60000, 1));
    request.repeat = true;
    struct cella_bytes second = office_seal_as(office, &request, test_pattern(60000, 2));
    size_t start = 72 + 7 + 4 + 32768 + 16;
    uint8_t *mixed = malloc(first.size);
    assert_non_null(mixed);
    memcpy(mixed, first.data, start);
    memcpy(mixed + start, second.data + start, second.size - start);
    assert_false(accepted(office, CELLA_BYTES(mixed, first.size)));
    free(mixed);
    assert_true(accepted(office, second));
}

static void mail_for_another_enclave_and_changed_mail_are_refused_alike(void **state) {
    struct office *office = *state;
    struct office other;
    struct cella_bytes body = test_pattern(10, 1);
    office_open(&other, &(struct cella_mailbox_limits){0});
    enum cella_mail_way ways[] = {CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_ONE_SHOT, CELLA_MAIL_WAY_MAILBOX};
    for (size_t i = 0; i < 3; i++) {
        struct cella_mail_request request = office_request("a");
        request.way = ways[i];
        struct cella_bytes mail = test_copy(office_seal_as(office, &request, body));
        struct cella_error wrong_key, changed;
        assert_status(office_try(&other, mail), CELLA_MAIL_REFUSED);
        wrong_key = other.error;
        ((uint8_t *)(uintptr_t)mail.data)[mail.size - 1] ^= 1;
        assert_status(office_try(office, mail), CELLA_MAIL_REFUSED);
        changed = office->error;
        assert_string_equal(wrong_key.message, changed.message);
        struct cella_bytes cut = CELLA_BYTES(mail.data, mail.size - 1);
        assert_status(office_try(office, cut), CELLA_MAIL_REFUSED);
        assert_string_equal(office->error.message, changed.message);
    }
    office_close(&other);
}

static void mail_to_a_mailbox_key_that_is_not_held_is_named(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = office_request("a");
    request.way = CELLA_MAIL_WAY_MAILBOX;
    cella_mail_session_set_mailbox_key(office->session, office->mailbox_key.public_key,
                                       OFFICE_GENERATION + 1);
    assert_status(office_try(office, office_seal_as(office, &request, test_pattern(5, 1))),
                  CELLA_MAIL_GENERATION);
    cella_mail_session_set_mailbox_key(office->session, NULL, 0);
    uint8_t *mail = NULL;
    size_t size = 0;
    assert_status(
        cella_mail_session_seal(office->session, &request, test_pattern(5, 1), &mail, &size, &office->error),
        CELLA_NOT_FOUND);
}

struct sink {
    uint8_t *data;
    size_t size, capacity;
};

static enum cella_status collect(void *context, struct cella_bytes bytes) {
    struct sink *sink = context;
    if (bytes.size > sink->capacity - sink->size)
        return CELLA_TOO_SMALL;
    memcpy(sink->data + sink->size, bytes.data, bytes.size);
    sink->size += bytes.size;
    return CELLA_OK;
}

/* Writes a body in pieces of `piece` bytes. */
static struct cella_bytes write_in_pieces(struct office *office, const char *topic, struct cella_bytes body,
                                          size_t piece, struct sink *sink) {
    struct cella_mail_request request = office_request(topic);
    struct cella_mail_writer *writer = NULL;
    sink->size = 0;
    assert_status(
        cella_mail_session_writer(office->session, &request, collect, sink, &writer, &office->error),
        CELLA_OK);
    for (size_t at = 0; at < body.size; at += piece) {
        size_t size = body.size - at < piece ? body.size - at : piece;
        assert_status(cella_mail_writer_write(writer, CELLA_BYTES(body.data + at, size), &office->error),
                      CELLA_OK);
    }
    assert_status(cella_mail_writer_finish(writer, &office->error), CELLA_OK);
    cella_mail_writer_free(writer);
    return CELLA_BYTES(sink->data, sink->size);
}

static void check_body(struct office *office, struct cella_bytes mail, size_t chunk,
                       struct cella_bytes body) {
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    assert_status(office_begin(office, mail, chunk, &opened, &verdict), CELLA_OK);
    assert_bytes(cella_mailbox_mail_view(opened)->body, body);
    assert_status(cella_mailbox_mail_commit(opened, NULL), CELLA_OK);
    cella_mailbox_mail_free(opened);
}

static void bodies_come_back_whatever_the_chunks_they_are_written_and_read_in(void **state) {
    struct office *office = *state;
    static const size_t pieces[] = {1, 3, 64, 1000, 32768, 40000};
    static uint8_t memory[1 << 20];
    struct sink sink = {.data = memory, .capacity = sizeof memory};
    office_connect(office);
    for (size_t i = 0; i < SIZE_COUNT; i++)
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
            struct cella_bytes body = test_pattern(sizes[i], (uint32_t)(i + j));
            check_body(office, write_in_pieces(office, "pieces", body, pieces[j], &sink), 0, body);
            check_body(office, office_seal(office, "pieces", body), pieces[j], body);
            if (j == 4)
                check_body(office, write_in_pieces(office, "pieces", body, 7777, &sink), 4096, body);
        }
}

static void replies_come_back_whatever_their_size_and_chunks(void **state) {
    struct office *office = *state;
    static const size_t chunks[] = {0, 1, 1000, 32788};
    enum cella_mail_way ways[] = {CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_ONE_SHOT};
    for (size_t i = 0; i < SIZE_COUNT; i++)
        for (size_t j = 0; j < 8; j++) {
            struct cella_bytes reply = test_pattern(sizes[i], (uint32_t)(i + j));
            struct cella_mail_request request = office_request("sizes");
            struct cella_mail_letter letter = {.memory = NULL};
            request.way = ways[j / 4];
            if (j == 1)
                cella_mail_session_restart(office->session);
            struct cella_bytes answer =
                office_answer(office, office_seal_as(office, &request, test_pattern(3, 1)), &reply);
            assert_status(office_open_mail(office, answer, chunks[j % 4], &letter), CELLA_OK);
            assert_bytes(letter.body, reply);
            cella_mail_letter_deinit(&letter);
        }
}

static void fifty_mebibytes_travel_both_ways_in_every_kind(void **state) {
    struct office *office = *state;
    struct cella_bytes body = test_pattern(50 << 20, 1);
    struct cella_mail_request request = office_request("large");
    enum cella_mail_way ways[] = {CELLA_MAIL_WAY_SESSION, CELLA_MAIL_WAY_ONE_SHOT};
    office_connect(office);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *mail = NULL;
        size_t size = 0;
        struct cella_mailbox_mail *opened = NULL;
        enum cella_mailbox_verdict verdict;
        uint64_t sequence = 0;
        request.way = ways[i];
        request.ret_sequence = &sequence;
        assert_status(cella_mail_session_seal(office->session, &request, body, &mail, &size, &office->error),
                      CELLA_OK);
        assert_status(office_begin(office, CELLA_BYTES(mail, size), 65536, &opened, &verdict), CELLA_OK);
        free(mail);
        assert_bytes(cella_mailbox_mail_view(opened)->body, body);
        assert_status(cella_mailbox_mail_commit(opened, &body), CELLA_OK);
        size = cella_mailbox_reply_size(opened, &body, 0);
        mail = malloc(size);
        assert_non_null(mail);
        assert_status(
            cella_mailbox_reply_seal(opened, &body, (struct cella_bytes){0}, mail, size, &office->error),
            CELLA_OK);
        cella_mailbox_mail_free(opened);
        office_expect(office, CELLA_BYTES(mail, size), CELLA_MAIL_REPLY, "large", sequence, body);
        free(mail);
    }
}

static void a_body_over_max_mail_size_is_refused_and_names_the_limit(void **state) {
    struct office office;
    office_open(&office, &(struct cella_mailbox_limits){.max_mail_size = 100000});
    office_connect(&office);
    assert_status(office_try(&office, office_seal(&office, "a", test_pattern(100000, 1))), CELLA_OK);
    static const size_t over[] = {100001, 110000, 400000};
    for (size_t i = 0; i < 3; i++) {
        struct cella_mail_request request = office_request("a");
        request.repeat = i > 0;
        assert_status(office_try(&office, office_seal_as(&office, &request, test_pattern(over[i], 1))),
                      CELLA_MAIL_TOO_LARGE);
        assert_non_null(strstr(office.error.message, "max_mail_size"));
        /* The host reads this; the padding is there to hide the size from it. */
        char size[24];
        snprintf(size, sizeof size, "%zu", over[i]);
        assert_null(strstr(office.error.message, size));
    }
    struct cella_mailbox_mail *opened = NULL;
    enum cella_mailbox_verdict verdict;
    struct cella_mail_request request = office_request("a");
    request.repeat = true;
    struct cella_bytes reply = test_pattern(100001, 1);
    assert_status(
        office_begin(&office, office_seal_as(&office, &request, test_pattern(9, 1)), 0, &opened, &verdict),
        CELLA_OK);
    assert_status(cella_mailbox_mail_commit(opened, &reply), CELLA_OK);
    static uint8_t out[200000];
    assert_status(cella_mailbox_reply_seal(opened, &reply, (struct cella_bytes){0}, out,
                                           cella_mailbox_reply_size(opened, &reply, 0), &office.error),
                  CELLA_LIMIT);
    /* The same mail can still be answered, for example without a reply. */
    (void)office_answer_sealed(&office, opened, NULL);
    cella_mailbox_mail_free(opened);
    office_close(&office);
}

static void topics_are_letters_digits_and_dashes(void **state) {
    struct office *office = *state;
    char longest[257];
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    const char *const good[] = {"a", "Z", "0", "-", "pay-survey-2026", longest};
    for (size_t i = 0; i < 6; i++)
        office_round(office, good[i], 0);
    longest[255] = 'x';
    longest[256] = '\0';
    const char *const bad[] = {"", " ", "a b", "a_b", "a.b", "\xc3\xa4", "a/b", "a\n", longest};
    for (size_t i = 0; i < 9; i++) {
        struct cella_mail_request request = office_request(bad[i]);
        struct cella_mailbox_prepared *post = NULL;
        uint8_t *mail = NULL;
        size_t size = 0;
        assert_status(cella_mail_session_seal(office->session, &request, test_pattern(5, 1), &mail, &size,
                                              &office->error),
                      CELLA_MAIL_TOPIC);
        assert_status(cella_mailbox_post_prepare(office->mailbox, office->client.public_key, bad[i],
                                                 test_pattern(5, 1), &post, &office->error),
                      CELLA_MAIL_TOPIC);
    }
}

static void the_first_message_holds_what_fits_one_packet(void **state) {
    struct office *office = *state;
    struct cella_mail_request request = office_request("first");
    uint8_t *mail = NULL;
    size_t size = 0;
    assert_false(cella_mail_session_needs_hello(office->session, 32760));
    assert_true(cella_mail_session_needs_hello(office->session, 32761));
    assert_true(cella_mail_session_needs_hello(office->session, UINT64_MAX));
    assert_status(cella_mail_session_seal(office->session, &request, test_pattern(32761, 1), &mail, &size,
                                          &office->error),
                  CELLA_MAIL_NOT_OPEN);
    assert_int_equal(cella_mail_session_phase(office->session), CELLA_MAIL_PHASE_NEW);
    struct cella_bytes body = test_pattern(32760, 1);
    struct cella_bytes answer = office_answer(office, office_seal(office, "first", body), &body);
    office_expect(office, answer, CELLA_MAIL_REPLY, "first", 0, body);
    assert_false(cella_mail_session_needs_hello(office->session, 50 << 20));
}

static void a_writer_that_is_given_up_takes_nothing(void **state) {
    struct office *office = *state;
    static uint8_t memory[1 << 17];
    struct sink sink = {.data = memory, .capacity = sizeof memory};
    struct cella_mail_request request = office_request("given-up");
    struct cella_mail_writer *writer = NULL;
    assert_status(
        cella_mail_session_writer(office->session, &request, collect, &sink, &writer, &office->error),
        CELLA_OK);
    assert_status(cella_mail_writer_write(writer, test_pattern(40000, 1), &office->error),
                  CELLA_MAIL_NOT_OPEN);
    assert_status(cella_mail_writer_finish(writer, &office->error), CELLA_ARGUMENT);
    cella_mail_writer_free(writer);
    office_round(office, "given-up", 0);
    assert_status(
        cella_mail_session_writer(office->session, &request, collect, &sink, &writer, &office->error),
        CELLA_OK);
    assert_status(cella_mail_writer_write(writer, test_pattern(40000, 1), &office->error), CELLA_OK);
    cella_mail_writer_free(writer);
    assert_true(sink.size > 0);
    assert_status(office_try(office, CELLA_BYTES(memory, sink.size)), CELLA_MAIL_REFUSED);
    office_round(office, "given-up", 1);
}

static void a_writer_does_not_go_on_under_another_key(void **state) {
    struct office *office = *state;
    static uint8_t memory[1 << 17];
    struct sink sink = {.data = memory, .capacity = sizeof memory};
    struct cella_mail_request request = office_request("stale");
    struct cella_mail_writer *writer = NULL;
    office_connect(office);
    assert_status(
        cella_mail_session_writer(office->session, &request, collect, &sink, &writer, &office->error),
        CELLA_OK);
    assert_status(cella_mail_writer_write(writer, test_pattern(40000, 1), &office->error), CELLA_OK);
    cella_mail_session_restart(office->session);
    office_connect(office);
    assert_status(cella_mail_writer_finish(writer, &office->error), CELLA_MAIL_SESSION_UNKNOWN);
    cella_mail_writer_free(writer);
    assert_status(
        cella_mail_session_writer(office->session, &request, collect, &sink, &writer, &office->error),
        CELLA_OK);
    cella_mail_session_reset(office->session, office->enclave.public_key);
    assert_status(cella_mail_writer_finish(writer, &office->error), CELLA_MAIL_SESSION_UNKNOWN);
    cella_mail_writer_free(writer);
}

static void mail_that_only_clients_read_is_malformed_for_an_enclave(void **state) {
    struct office *office = *state;
    struct cella_bytes reply = test_pattern(5, 1);
    struct cella_bytes accept = office_answer(office, office_seal(office, "a", reply), &reply);
    assert_status(office_try(office, accept), CELLA_MAIL_MALFORMED);
    office_expect(office, accept, CELLA_MAIL_REPLY, "a", 0, reply);
    struct cella_bytes answer = office_answer(office, office_seal(office, "a", reply), &reply);
    assert_status(office_try(office, answer), CELLA_MAIL_MALFORMED);
    assert_status(office_try(office, office_post(office, "p", reply)), CELLA_MAIL_MALFORMED);
    struct cella_mail_letter letter;
    assert_status(office_open_mail(office, office_seal(office, "b", reply), 0, &letter),
                  CELLA_MAIL_MALFORMED);
}

#define office_test(name) cmocka_unit_test_setup_teardown(name, office_setup, office_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        office_test(a_request_and_its_reply_travel_in_every_kind),
        office_test(a_handler_without_a_reply_is_answered_with_done),
        office_test(the_same_body_twice_gives_different_bytes),
        office_test(the_header_is_read_without_a_key_and_the_body_is_not),
        office_test(every_changed_bit_and_every_cut_is_refused_and_the_mailbox_keeps_working),
        office_test(packets_cannot_be_cut_moved_or_repeated),
        office_test(packets_of_two_mails_cannot_be_mixed),
        office_test(mail_for_another_enclave_and_changed_mail_are_refused_alike),
        office_test(mail_to_a_mailbox_key_that_is_not_held_is_named),
        office_test(bodies_come_back_whatever_the_chunks_they_are_written_and_read_in),
        office_test(replies_come_back_whatever_their_size_and_chunks),
        office_test(fifty_mebibytes_travel_both_ways_in_every_kind),
        cmocka_unit_test(a_body_over_max_mail_size_is_refused_and_names_the_limit),
        office_test(topics_are_letters_digits_and_dashes),
        office_test(the_first_message_holds_what_fits_one_packet),
        office_test(a_writer_that_is_given_up_takes_nothing),
        office_test(a_writer_does_not_go_on_under_another_key),
        office_test(mail_that_only_clients_read_is_malformed_for_an_enclave),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
