/* The file of transfers, and the plain computation that demo and tests compare the enclave with. */
#include "base/file.h"
#include "base/hex.h"
#include "crypto/hash.h"
#include "plain.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

static void read_file(char **ret_text, size_t *ret_size) {
    uint8_t *data = NULL;
    assert_status(cella_file_read(LEDGER_TRANSFERS, (size_t)64 << 20, &data, ret_size, NULL), CELLA_OK);
    *ret_text = (char *)data;
}

static void the_file_is_always_the_same_one(void **state) {
    char *text, digits[65];
    size_t size;
    uint8_t digest[32];
    read_file(&text, &size);
    cella_sha256(text, size, digest);
    cella_hex_encode(digest, sizeof digest, digits);
    free(text);
    assert_string_equal(digits, "8306ea85029bb7fe587ddb274b5d5640dc52bc2c109eb45c19bc5a5a82a954f2");
}

static void every_line_of_the_file_comes_back_as_it_was(void **state) {
    struct plain_file file;
    char *text, *again[PLAIN_BRANCHES];
    const char *next[PLAIN_BRANCHES];
    size_t size;
    read_file(&text, &size);
    assert_true(plain_file_parse(text, size, &file));
    assert_int_equal(file.count, 100000);
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++)
        next[i] = again[i] = plain_instructions_of(&file, i);
    const char *line = text;
    for (size_t i = 0; i < file.count; i++) {
        const char **at = &next[file.transfers[i].branch];
        size_t length = strcspn(line, "\n") + 1;
        assert_memory_equal(line + 2, *at, length - 2);
        *at += length - 2;
        line += length;
    }
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++) {
        assert_int_equal(*next[i], '\0');
        free(again[i]);
    }
    plain_file_free(&file);
    free(text);
}

static void some_of_each_kind_must_be_refused_and_no_cent_is_lost(void **state) {
    struct plain_books books;
    struct plain_file file;
    char *text, answer[PLAIN_ANSWER_SIZE];
    size_t size;
    read_file(&text, &size);
    assert_true(plain_file_parse(text, size, &file));
    plain_books_init(&books);
    for (size_t i = 0; i < file.count; i++)
        plain_apply(&books, &file.transfers[i], answer);
    assert_true(plain_sum(&books) == (uint64_t)PLAIN_ACCOUNTS * PLAIN_ISSUED_TO_EACH);
    assert_true(books.amount > 100 && books.unknown_account > 100 && books.not_owner > 100 &&
                books.same_account > 100 && books.funds > 100);
    assert_int_equal(books.done + books.amount + books.unknown_account + books.not_owner +
                         books.same_account + books.funds,
                     file.count);
    plain_file_free(&file);
    free(text);
}

static void answers_are_those_of_the_format(void **state) {
    static const struct plain_transfer transfers[] = {
        {0, 0, 1, 100}, {0, 0, 1, 0},      {0, 0, PLAIN_ACCOUNTS, 5}, {1, 0, 1, 5},
        {0, 0, 0, 5},   {0, 0, 1, 100000}, {3, 750, 0, 100000}};
    static const char *const expected[] = {
        "done 1001 99900",   "refused amount",       "refused unknown-account",
        "refused not-owner", "refused same-account", "refused funds",
        "done 1002 0"};
    struct plain_books books;
    char answer[PLAIN_ANSWER_SIZE];
    plain_books_init(&books);
    for (size_t i = 0; i < sizeof transfers / sizeof transfers[0]; i++) {
        plain_apply(&books, &transfers[i], answer);
        assert_string_equal(answer, expected[i]);
    }
    assert_int_equal(books.balances[0], 199900);
}

static void other_files_are_refused(void **state) {
    static const char *const texts[] = {"",
                                        "1 transfer b1-0001 b1-0002 5",
                                        "5 transfer b1-0001 b1-0002 5\n",
                                        "1 transfer b1-001 b1-0002 5\n",
                                        "1 transfer b1-0001 b5-0002 5\n",
                                        "1 transfer b1-0001 b1-0002\n",
                                        "1 transfer b1-0001 b1-0002 5 6\n",
                                        "1 open b1-0001\n"};
    struct plain_file file;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(plain_file_parse(texts[i], strlen(texts[i]), &file));
    assert_true(plain_file_parse("1 transfer b1-0001 b1-0002 5\n", 29, &file));
    plain_file_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_always_the_same_one),
        cmocka_unit_test(every_line_of_the_file_comes_back_as_it_was),
        cmocka_unit_test(some_of_each_kind_must_be_refused_and_no_cent_is_lost),
        cmocka_unit_test(answers_are_those_of_the_format),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
