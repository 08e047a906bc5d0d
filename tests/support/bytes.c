/* Comparing, decoding and making bytes for tests, and the memory that helpers hand out. */
#include "support/test.h"
#include "support/memory.h"
#include "base/hex.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    void *memory;
};

/* Keeps every block reachable, so that a leak checker reports only leaks of the code under test. Threads of a
 * test add to it at the same time. */
static struct block *blocks;
static pthread_mutex_t blocks_mutex = PTHREAD_MUTEX_INITIALIZER;

void *test_allocate(size_t size) {
    struct block *block = malloc(sizeof *block);
    void *memory = malloc(size);
    if (block == NULL || (memory == NULL && size > 0))
        abort();
    pthread_mutex_lock(&blocks_mutex);
    *block = (struct block){.next = blocks, .memory = memory};
    blocks = block;
    pthread_mutex_unlock(&blocks_mutex);
    return memory;
}

void test_assert_status(enum cella_status got, enum cella_status expected, const char *call, const char *file,
                        int line) {
    if (got == expected)
        return;
    print_error("%s\n  got %s, expected %s\n", call, cella_status_name(got), cella_status_name(expected));
    _fail(file, line);
}

void test_assert_bytes(struct cella_bytes got, struct cella_bytes expected, const char *file, int line) {
    size_t common = got.size < expected.size ? got.size : expected.size;
    for (size_t i = 0; i < common; i++)
        if (got.data[i] != expected.data[i]) {
            print_error("byte %zu is %02x, expected %02x\n", i, got.data[i], expected.data[i]);
            _fail(file, line);
        }
    if (got.size != expected.size) {
        print_error("%zu bytes, expected %zu\n", got.size, expected.size);
        _fail(file, line);
    }
}

struct cella_bytes test_hex(const char *text) {
    char *digits = malloc(strlen(text) + 1);
    assert_non_null(digits);
    size_t count = 0;
    for (const char *c = text; *c != '\0'; c++)
        if (strchr(" \t\r\n", *c) == NULL)
            digits[count++] = *c;
    uint8_t *out = test_allocate(count / 2);
    enum cella_status status = cella_hex_decode(digits, count, out, count / 2);
    free(digits);
    assert_status(status, CELLA_OK);
    return CELLA_BYTES(out, count / 2);
}

struct cella_bytes test_copy(struct cella_bytes bytes) {
    uint8_t *copy = test_allocate(bytes.size);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return CELLA_BYTES(copy, bytes.size);
}

struct cella_bytes test_pattern(size_t size, uint32_t seed) {
    uint8_t *out = test_allocate(size);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = (uint8_t)(state >> 24);
    }
    return CELLA_BYTES(out, size);
}
