/* Hexadecimal text, the word guesser, and text from outside made safe to print. */
#include "support/test.h"
#include "base/hex.h"
#include "base/nearest.h"
#include "base/text.h"
#include <string.h>

static void encode_gives_lower_case_digits(void **state) {
    char text[9];
    cella_hex_encode((const uint8_t[]){0x00, 0x0f, 0xa5, 0xff}, 4, text);
    assert_string_equal(text, "000fa5ff");
    cella_hex_encode(NULL, 0, text);
    assert_string_equal(text, "");
}

static void decode_reads_both_cases(void **state) {
    uint8_t out[4];
    assert_status(cella_hex_decode("000FaAff", 8, out, 4), CELLA_OK);
    assert_bytes(CELLA_BYTES(out, 4), CELLA_BYTES("\x00\x0f\xaa\xff", 4));
}

static void decode_of_every_byte_is_its_encoding(void **state) {
    for (unsigned value = 0; value < 256; value++) {
        uint8_t byte = (uint8_t)value;
        uint8_t out = 0;
        char text[3];
        cella_hex_encode(&byte, 1, text);
        assert_status(cella_hex_decode(text, 2, &out, 1), CELLA_OK);
        assert_int_equal(out, value);
    }
}

static void decode_refuses_another_number_of_digits(void **state) {
    uint8_t out[4];
    assert_status(cella_hex_decode("0011223", 7, out, 4), CELLA_DAMAGED);
    assert_status(cella_hex_decode("001122334", 9, out, 4), CELLA_DAMAGED);
    assert_status(cella_hex_decode("", 0, out, 4), CELLA_DAMAGED);
    assert_status(cella_hex_decode("", 0, out, 0), CELLA_OK);
}

static void decode_refuses_every_character_that_is_no_digit(void **state) {
    for (int c = -128; c < 128; c++) {
        char text[2] = {(char)c, '0'};
        uint8_t out = 0;
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        assert_status(cella_hex_decode(text, 2, &out, 1), digit ? CELLA_OK : CELLA_DAMAGED);
        char swapped[2] = {'0', (char)c};
        assert_status(cella_hex_decode(swapped, 2, &out, 1), digit ? CELLA_OK : CELLA_DAMAGED);
    }
}

static const char *const words[] = {"heap_size", "stack_size", "thread_count", "debug", "STALE"};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

static void a_mistyped_word_finds_its_own(void **state) {
    static const char *const cases[][2] = {
        {"heapsize", "heap_size"},        {"haep_size", "heap_size"}, {"stack_sise", "stack_size"},
        {"treads_count", "thread_count"}, {"debgu", "debug"},         {"stale", "STALE"},
        {"heap_size", "heap_size"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = cella_nearest(cases[i][0], words, WORD_COUNT);
        assert_non_null(found);
        assert_string_equal(found, cases[i][1]);
    }
}

static void a_word_like_none_finds_none(void **state) {
    char endless[300];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    static const char *const cases[] = {"", "x", "frobnicate", "product"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_null(cella_nearest(cases[i], words, WORD_COUNT));
    assert_null(cella_nearest(endless, words, WORD_COUNT));
    const char *const long_words[] = {endless};
    assert_null(cella_nearest("xxx", long_words, 1));
    assert_null(cella_nearest("debug", words, 0));
}

static void assert_cleaned(const char *text, const char *expected) {
    char copy[128];
    assert_true(strlen(text) < sizeof copy);
    memcpy(copy, text, strlen(text) + 1);
    cella_text_clean(copy);
    assert_string_equal(copy, expected);
}

static void visible_text_is_left_as_it_is(void **state) {
    static const char *const good[] = {"",
                                       "a b~!",
                                       "gr\xc3\xb6\xc3\x9f"
                                       "er",
                                       "\xe2\x82\xac 5",
                                       "\xed\x9f\xbf",
                                       "\xf0\x9f\x8c\xb3",
                                       "\xc2\xa0",
                                       "\xf4\x8f\xbf\xbd"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_cleaned(good[i], good[i]);
}

static void control_characters_become_question_marks(void **state) {
    assert_cleaned("\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?");
    assert_cleaned("one\r\ncella: error\ttwo\x7f", "one??cella: error?two?");
    /* C1: the eight-bit CSI. */
    assert_cleaned("\xc2\x9b"
                   "31m",
                   "??31m");
    assert_cleaned("\xc2\x80\xc2\x9f\xc2\xa1", "????\xc2\xa1");
    /* Direction, joining, line separators. */
    assert_cleaned("\xe2\x80\xae|\xe2\x81\xa6|\xe2\x80\xa8|\xe2\x80\x8b|\xd8\x9c|\xef\xbb\xbf",
                   "???|???|???|???|??|???");
    for (char c = 1; c < 0x20; c++)
        assert_cleaned((const char[]){'a', c, 'b', 0}, "a?b");
}

static void what_is_not_utf_8_becomes_question_marks(void **state) {
    assert_cleaned("a\x80"
                   "b\xff",
                   "a?b?");
    assert_cleaned("\x9b"
                   "31m",
                   "?31m");
    assert_cleaned("\xc0\xaf", "??");           /* overlong */
    assert_cleaned("\xe0\x80\x9b", "???");      /* overlong */
    assert_cleaned("\xed\xa0\x80", "???");      /* surrogate */
    assert_cleaned("\xf4\x90\x80\x80", "????"); /* beyond the last character */
    assert_cleaned("\xf8\x88\x80\x80\x80", "?????");
    /* Cut at the end, and cut by another character. */
    assert_cleaned("x\xe2\x82", "x??");
    assert_cleaned("\xf0", "?");
    assert_cleaned("\xe2\x82\x1b[m", "???[m");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible_text_is_left_as_it_is),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(what_is_not_utf_8_becomes_question_marks),
        cmocka_unit_test(encode_gives_lower_case_digits),
        cmocka_unit_test(decode_reads_both_cases),
        cmocka_unit_test(decode_of_every_byte_is_its_encoding),
        cmocka_unit_test(decode_refuses_another_number_of_digits),
        cmocka_unit_test(decode_refuses_every_character_that_is_no_digit),
        cmocka_unit_test(a_mistyped_word_finds_its_own),
        cmocka_unit_test(a_word_like_none_finds_none),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
