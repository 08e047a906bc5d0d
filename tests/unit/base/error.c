/* Filling and framing of errors. */
#include "support/test.h"
#include "base/error.h"
#include <string.h>

static void fail_fills_status_and_message(void **state) {
    struct cella_error error = {0};
    assert_status(cella_fail(&error, CELLA_DAMAGED, "quote ends after %d bytes", 7), CELLA_DAMAGED);
    assert_status(error.status, CELLA_DAMAGED);
    assert_string_equal(error.message, "quote ends after 7 bytes");
}

static void fail_without_an_error_returns_the_status(void **state) {
    assert_status(cella_fail(NULL, CELLA_LIMIT, "text"), CELLA_LIMIT);
    assert_status(cella_fail_context(NULL, CELLA_LIMIT, "text"), CELLA_LIMIT);
}

static void a_long_message_is_cut_and_terminated(void **state) {
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct cella_error error;
    memset(&error, 0x55, sizeof error);
    assert_status(cella_fail(&error, CELLA_IO, "%s", text), CELLA_IO);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void context_goes_in_front(void **state) {
    struct cella_error error;
    (void)cella_fail(&error, CELLA_DAMAGED, "bad magic");
    assert_status(cella_fail_context(&error, CELLA_DAMAGED, "image %s", "a.enclave"), CELLA_DAMAGED);
    assert_string_equal(error.message, "image a.enclave: bad magic");
    assert_status(error.status, CELLA_DAMAGED);
}

static void context_may_change_the_status(void **state) {
    struct cella_error error;
    (void)cella_fail(&error, CELLA_NOT_FOUND, "no file");
    assert_status(cella_fail_context(&error, CELLA_UNAVAILABLE, "host"), CELLA_UNAVAILABLE);
    assert_status(error.status, CELLA_UNAVAILABLE);
}

/* Every length of context around the size of the array: the text is cut, terminated and never overrun. */
static void context_of_every_length_is_cut_and_terminated(void **state) {
    for (int size = 480; size < 520; size++) {
        struct {
            struct cella_error error;
            unsigned char behind[64];
        } guarded;
        memset(guarded.behind, 0xa5, sizeof guarded.behind);
        (void)cella_fail(&guarded.error, CELLA_IO, "lower layer");
        (void)cella_fail_context(&guarded.error, CELLA_IO, "%*s", size, "context");
        size_t whole = (size_t)size + strlen(": lower layer");
        size_t room = sizeof guarded.error.message - 1;
        assert_int_equal(strlen(guarded.error.message), whole < room ? whole : room);
        for (size_t i = 0; i < sizeof guarded.behind; i++)
            assert_int_equal(guarded.behind[i], 0xa5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_status_and_message),
        cmocka_unit_test(fail_without_an_error_returns_the_status),
        cmocka_unit_test(a_long_message_is_cut_and_terminated),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(context_may_change_the_status),
        cmocka_unit_test(context_of_every_length_is_cut_and_terminated),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
