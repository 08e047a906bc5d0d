/* What the command prints of texts that others wrote. */
#include "support/test.h"
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTACK                                                                                               \
    "\x1b[2J\x9b"                                                                                            \
    "1m\rcella: accepted\n"

static struct {
    FILE *file;
    int kept; /* the true stderr */
} capture;

static void start(void) {
    fflush(stderr);
    capture.file = tmpfile();
    assert_non_null(capture.file);
    capture.kept = dup(STDERR_FILENO);
    assert_true(capture.kept >= 0);
    assert_true(dup2(fileno(capture.file), STDERR_FILENO) >= 0);
}

/* What was printed since; valid until the next call. */
static const char *stop(void) {
    static char text[8192];
    fflush(stderr);
    assert_true(dup2(capture.kept, STDERR_FILENO) >= 0);
    close(capture.kept);
    rewind(capture.file);
    text[fread(text, 1, sizeof text - 1, capture.file)] = '\0';
    fclose(capture.file);
    return text;
}

static void a_failure_is_one_line_whatever_its_message_holds(void **state) {
    struct cella_error error = {.status = CELLA_LIMIT, .message = "host: " ATTACK};
    start();
    int code = cli_fail(CELLA_LIMIT, &error, "hint" ATTACK);
    const char *text = stop();
    assert_int_equal(code, cella_status_exit_code(CELLA_LIMIT));
    assert_string_equal(text, "cella: error: host: ?[2J?1m?cella: accepted?  [LIMIT]\n"
                              "cella: hint: hint?[2J?1m?cella: accepted?\n");
}

static void a_line_of_talk_is_one_line(void **state) {
    start();
    cli_say("%s and %d", "file" ATTACK, 5);
    assert_string_equal(stop(), "cella: file?[2J?1m?cella: accepted? and 5\n");
}

static void a_usage_failure_shows_the_argument_and_keeps_the_usage_text(void **state) {
    start();
    int code = cli_usage("usage: line one\n  line two\n", "no \"%s\"", "verb" ATTACK);
    const char *text = stop();
    assert_int_equal(code, 2);
    assert_string_equal(text, "cella: error: no \"verb?[2J?1m?cella: accepted?\"  [USAGE]\n"
                              "usage: line one\n  line two\n");
}

static void a_long_line_is_not_cut(void **state) {
    char word[3000];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    start();
    cli_line(stderr, "%s", word);
    const char *text = stop();
    assert_int_equal(strlen(text), sizeof word);
    assert_memory_equal(text, word, sizeof word - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_one_line_whatever_its_message_holds),
        cmocka_unit_test(a_line_of_talk_is_one_line),
        cmocka_unit_test(a_usage_failure_shows_the_argument_and_keeps_the_usage_text),
        cmocka_unit_test(a_long_line_is_not_cut),
    };
    return cmocka_run_group_tests_name("cli_talk", tests, NULL, NULL);
}
