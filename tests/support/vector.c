/* Reads the vector files of tests/vectors. */
#include "support/test.h"
#include "support/memory.h"
#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTOR_LIMIT = 256 << 20 };

static uint8_t *read_vector(const char *name, size_t *ret_size) {
    char path[4096];
    assert_in_range(snprintf(path, sizeof path, "%s/%s", CELLA_TEST_VECTORS, name), 1, sizeof path - 1);
    uint8_t *data = NULL;
    struct cella_error error = {0};
    enum cella_status status = cella_file_read(path, VECTOR_LIMIT, &data, ret_size, &error);
    if (status != CELLA_OK)
        print_error("%s\n", error.message);
    assert_status(status, CELLA_OK);
    return data;
}

struct cella_bytes test_vector(const char *name) {
    size_t size = 0;
    uint8_t *data = read_vector(name, &size);
    struct cella_bytes copy = test_copy(CELLA_BYTES(data, size));
    free(data);
    return copy;
}

const char *test_vector_text(const char *name) {
    size_t size = 0;
    uint8_t *data = read_vector(name, &size);
    char *text = test_allocate(size + 1);
    memcpy(text, data, size + 1);
    free(data);
    return text;
}

static const char *line_end(const char *line) {
    const char *end = strchr(line, '\n');
    return end == NULL ? line + strlen(line) : end;
}

/* The start of the value when `line` is "field = …", else NULL. */
static const char *value_of(const char *line, const char *field) {
    size_t size = strlen(field);
    if (strncmp(line, field, size) != 0)
        return NULL;
    const char *at = line + size;
    while (*at == ' ')
        at++;
    return *at == '=' ? at + 1 : NULL;
}

struct cella_bytes test_vector_field(const char *name, const char *field) {
    const char *line = test_vector_text(name);
    while (*line != '\0' && (*line == '#' || value_of(line, field) == NULL))
        line = *line_end(line) == '\0' ? line_end(line) : line_end(line) + 1;
    if (*line == '\0') {
        print_error("%s has no field %s\n", name, field);
        fail();
    }
    const char *value = value_of(line, field);
    const char *end = line_end(value);
    while (end[0] == '\n' && end[1] == ' ')
        end = line_end(end + 1);
    char *text = test_allocate((size_t)(end - value) + 1);
    memcpy(text, value, (size_t)(end - value));
    text[end - value] = '\0';
    return test_hex(text);
}
