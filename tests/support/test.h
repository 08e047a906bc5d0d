/* What every unit test includes: cmocka with the headers it needs, statuses compared by word, and helpers for
 * bytes, folders, vectors and mutations. Helpers fail the running test; memory that they return lives until
 * the program ends. */
#ifndef CELLA_TEST_H
#define CELLA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>

/* Compares a status by word, so that a failure reads "got DAMAGED, expected OK". */
#define assert_status(call, expected) test_assert_status((call), (expected), #call, __FILE__, __LINE__)
void test_assert_status(enum cella_status got, enum cella_status expected, const char *call, const char *file,
                        int line);

/* Equal size and content; a failure names the first byte that differs. */
#define assert_bytes(got, expected) test_assert_bytes((got), (expected), __FILE__, __LINE__)
void test_assert_bytes(struct cella_bytes got, struct cella_bytes expected, const char *file, int line);

/* Decodes hexadecimal text; spaces and line ends are allowed between bytes. The result is allocated with its
 * exact size, so that a sanitizer sees every read past its end. */
struct cella_bytes test_hex(const char *text);

/* An exactly-sized copy. */
struct cella_bytes test_copy(struct cella_bytes bytes);

/* `size` bytes that look random but are the same in every run and differ by `seed`. */
struct cella_bytes test_pattern(size_t size, uint32_t seed);

/* --- vectors: files in tests/vectors --- */

/* The whole file tests/vectors/NAME, exactly sized, and one as text with a terminator. */
struct cella_bytes test_vector(const char *name);
const char *test_vector_text(const char *name);

/* The field FIELD of a vector file of lines "FIELD = HEX" ("#" starts a comment; a line that begins with a
 * space continues the one before). Fails the test if it is not there. */
struct cella_bytes test_vector_field(const char *name, const char *field);

/* --- mutations: a parser must refuse every damaged form of what it accepts --- */

/* True when the parser accepts. The bytes are an exactly-sized copy. */
typedef bool test_accepts(void *context, struct cella_bytes bytes);

/* `good` itself is accepted and every shorter prefix is refused. */
void test_truncations_refused(struct cella_bytes good, test_accepts *accepts, void *context);
/* One byte more is refused too. */
void test_extension_refused(struct cella_bytes good, test_accepts *accepts, void *context);
/* Every single flipped bit is refused: for formats under a signature or tag. */
void test_bit_flips_refused(struct cella_bytes good, test_accepts *accepts, void *context);
/* Flips every bit and returns how many of those forms were accepted: for formats without integrity of their
 * own, where what matters is that nothing crashes. */
size_t test_bit_flips(struct cella_bytes good, test_accepts *accepts, void *context);

/* --- folders --- */

/* A private temporary folder. */
struct test_folder {
    char path[64];
};

/* cmocka fixtures: *state is a struct test_folder *; the teardown removes the folder with all in it. */
int test_folder_setup(void **state);
int test_folder_teardown(void **state);
/* The same by hand. */
void test_folder_make(struct test_folder *folder);
void test_folder_remove(const struct test_folder *folder);

/* PATH-OF-FOLDER/NAME. */
const char *test_path(const struct test_folder *folder, const char *name);
/* Writes a file with mode 0600. */
void test_write_file(const char *path, struct cella_bytes bytes);
/* The number of entries in a folder: finds temporary files that were left behind. */
size_t test_folder_count(const char *path);

#endif
