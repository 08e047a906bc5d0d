/* The client's state as bytes: the worked example, damage, limits. */
#include "support/test.h"
#include "base/secret.h"
#include "client/state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool accepts(void *context, struct cella_bytes bytes) {
    struct cella_client_state state;
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status = cella_client_state_parse(bytes, &state, &error);
    if (status == CELLA_OK)
        cella_client_state_deinit(&state);
    else
        assert_true(error.message[0] != '\0');
    return status == CELLA_OK;
}

static void the_worked_example_is_read(void **test) {
    struct cella_client_state state;
    assert_status(cella_client_state_parse(test_vector_field("client-state.txt", "state"), &state, NULL),
                  CELLA_OK);
    for (uint8_t i = 0; i < 32; i++)
        assert_int_equal(state.private_key[i], i + 1);
    assert_int_equal(state.route[15], 15);
    assert_string_equal(state.url, "https://host:7700");
    assert_string_equal(state.enclave, "echo");
    assert_int_equal(strlen(state.constraint), 2 + 64 + 13);
    assert_true(state.has_have && state.pinned);
    assert_int_equal(state.have[3], 0xaa);
    assert_int_equal(state.floors.tcb_evaluation_number, 7);
    assert_int_equal(state.floors.issued, 10);
    assert_bytes(CELLA_BYTES(state.known.genesis, state.known.genesis_size), CELLA_BYTES("GENESIS", 7));
    assert_true(state.known.has_head && state.met && state.forked);
    assert_int_equal(state.known.head.head.version, 41);
    assert_int_equal(state.known.doubt_count, 1);
    assert_int_equal(state.known.doubts[0].head.epoch, 2);
    assert_int_equal(state.told, 5);
    assert_int_equal(state.fork_number, 2);
    assert_int_equal(state.pending_count, 1);
    assert_string_equal(state.pending[0].topic, "a");
    assert_int_equal(state.pending[0].outcome, CELLA_CLIENT_IN_DOUBT);
    assert_bytes(CELLA_BYTES(state.session, state.session_size), CELLA_BYTES("SESSION", 7));
    cella_client_state_deinit(&state);
}

static void the_worked_example_is_written_byte_for_byte(void **test) {
    struct cella_client_state state;
    struct cella_bytes vector = test_vector_field("client-state.txt", "state");
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_client_state_parse(vector, &state, NULL), CELLA_OK);
    assert_status(cella_client_state_write(&state, &data, &size), CELLA_OK);
    assert_bytes(CELLA_BYTES(data, size), vector);
    cella_wipe_free(data, size);
    cella_client_state_deinit(&state);
}

static void every_damaged_form_is_refused(void **test) {
    struct cella_bytes vector = test_vector_field("client-state.txt", "state");
    test_truncations_refused(vector, accepts, NULL);
    test_extension_refused(vector, accepts, NULL);
    test_bit_flips_refused(vector, accepts, NULL);
}

/* The example with one field changed, written as a file. */
static bool accepts_changed(void (*change)(struct cella_client_state *state)) {
    struct cella_client_state state;
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_client_state_parse(test_vector_field("client-state.txt", "state"), &state, NULL),
                  CELLA_OK);
    change(&state);
    assert_status(cella_client_state_write(&state, &data, &size), CELLA_OK);
    bool accepted = accepts(NULL, CELLA_BYTES(data, size));
    cella_wipe_free(data, size);
    cella_client_state_deinit(&state);
    return accepted;
}

static void change_genesis(struct cella_client_state *state) {
    state->known.genesis[0] ^= 1;
}
static void drop_genesis(struct cella_client_state *state) {
    state->known.genesis_size = 0;
}
static void change_vault(struct cella_client_state *state) {
    state->vault_id[0] ^= 1;
}
static void change_head(struct cella_client_state *state) {
    state->known.head.vault_id[0] ^= 1;
}
static void change_doubt(struct cella_client_state *state) {
    state->known.doubts[0].vault_id[0] ^= 1;
}
static void forget_pin(struct cella_client_state *state) {
    state->pinned = false;
}
static void forget_heads(struct cella_client_state *state) {
    state->known.has_head = false;
}
/* Also valid: a client of an enclave without a vault. */
static void forget_vault(struct cella_client_state *state) {
    memset(state->vault_id, 0, sizeof state->vault_id);
    state->known = (struct cella_vault_known){.genesis_size = 0};
    state->forked = false;
}
static void forget_vault_but_not_the_fork(struct cella_client_state *state) {
    forget_vault(state);
    state->forked = true;
}

static void what_is_known_of_a_vault_must_be_of_that_vault(void **test) {
    assert_true(accepts_changed(forget_heads));
    assert_true(accepts_changed(forget_vault));
    assert_false(accepts_changed(change_genesis));
    assert_false(accepts_changed(drop_genesis));
    assert_false(accepts_changed(change_vault));
    assert_false(accepts_changed(change_head));
    assert_false(accepts_changed(change_doubt));
    assert_false(accepts_changed(forget_pin));
    assert_false(accepts_changed(forget_vault_but_not_the_fork));
}

static void what_is_pending_is_kept_by_topic(void **test) {
    struct cella_client_state state = {.pending_count = 0};
    uint8_t digest[32] = {1};
    assert_status(cella_client_pending_set(&state, "a", CELLA_CLIENT_IN_DOUBT, digest), CELLA_OK);
    assert_status(cella_client_pending_set(&state, "b", CELLA_CLIENT_DENIED, digest), CELLA_OK);
    assert_status(cella_client_pending_set(&state, "a", CELLA_CLIENT_GIVEN_UP, digest), CELLA_OK);
    assert_int_equal(state.pending_count, 2);
    assert_int_equal(cella_client_pending_find(&state, "a")->outcome, CELLA_CLIENT_GIVEN_UP);
    cella_client_pending_clear(&state, "a");
    assert_null(cella_client_pending_find(&state, "a"));
    assert_non_null(cella_client_pending_find(&state, "b"));
}

static void with_its_instance_only_what_was_in_doubt_is_lost(void **test) {
    struct cella_client_state state = {.pending_count = 0};
    uint8_t digest[32] = {1};
    cella_client_pending_set(&state, "denied", CELLA_CLIENT_DENIED, digest);
    cella_client_pending_set(&state, "doubt", CELLA_CLIENT_IN_DOUBT, digest);
    cella_client_pending_set(&state, "given", CELLA_CLIENT_GIVEN_UP, digest);
    cella_client_pending_lose(&state);
    assert_int_equal(state.pending_count, 1);
    assert_int_equal(cella_client_pending_find(&state, "doubt")->outcome, CELLA_CLIENT_LOST);
}

static void topics_with_unanswered_requests_are_limited(void **test) {
    struct cella_client_state state = {.pending_count = 0};
    uint8_t digest[32] = {1};
    char topic[8];
    for (int i = 0; i < CELLA_CLIENT_PENDING_LIMIT; i++) {
        snprintf(topic, sizeof topic, "t%d", i);
        assert_status(cella_client_pending_set(&state, topic, CELLA_CLIENT_IN_DOUBT, digest), CELLA_OK);
    }
    assert_status(cella_client_pending_set(&state, "more", CELLA_CLIENT_IN_DOUBT, digest), CELLA_LIMIT);
    assert_status(cella_client_pending_set(&state, "t0", CELLA_CLIENT_DENIED, digest), CELLA_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_is_read),
        cmocka_unit_test(the_worked_example_is_written_byte_for_byte),
        cmocka_unit_test(every_damaged_form_is_refused),
        cmocka_unit_test(what_is_known_of_a_vault_must_be_of_that_vault),
        cmocka_unit_test(what_is_pending_is_kept_by_topic),
        cmocka_unit_test(with_its_instance_only_what_was_in_doubt_is_lost),
        cmocka_unit_test(topics_with_unanswered_requests_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
