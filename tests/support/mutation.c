/* Damages well-formed bytes in every simple way and watches that the parser refuses. */
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

/* Freed after each form, so that the copies of a large format do not add up. */
static bool accepts_copy(struct cella_bytes bytes, test_accepts *accepts, void *context) {
    uint8_t *copy = malloc(bytes.size == 0 ? 1 : bytes.size);
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    bool accepted = accepts(context, CELLA_BYTES(copy, bytes.size));
    free(copy);
    return accepted;
}

void test_truncations_refused(struct cella_bytes good, test_accepts *accepts, void *context) {
    assert_true(accepts_copy(good, accepts, context));
    for (size_t size = 0; size < good.size; size++)
        if (accepts_copy(CELLA_BYTES(good.data, size), accepts, context)) {
            print_error("accepted after %zu of %zu bytes\n", size, good.size);
            fail();
        }
}

void test_extension_refused(struct cella_bytes good, test_accepts *accepts, void *context) {
    assert_true(accepts_copy(good, accepts, context));
    uint8_t *longer = calloc(1, good.size + 1);
    assert_non_null(longer);
    if (good.size > 0)
        memcpy(longer, good.data, good.size);
    bool accepted = accepts_copy(CELLA_BYTES(longer, good.size + 1), accepts, context);
    free(longer);
    assert_false(accepted);
}

/* Returns the number of accepted forms; `first` gets the position of the first one. */
static size_t flip_all(struct cella_bytes good, test_accepts *accepts, void *context, size_t *first) {
    uint8_t *changed = malloc(good.size == 0 ? 1 : good.size);
    assert_non_null(changed);
    if (good.size > 0)
        memcpy(changed, good.data, good.size);
    size_t accepted = 0;
    for (size_t at = 0; at < good.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            changed[at] ^= (uint8_t)(1u << bit);
            if (accepts_copy(CELLA_BYTES(changed, good.size), accepts, context) && accepted++ == 0)
                *first = at;
            changed[at] ^= (uint8_t)(1u << bit);
        }
    free(changed);
    return accepted;
}

void test_bit_flips_refused(struct cella_bytes good, test_accepts *accepts, void *context) {
    assert_true(accepts_copy(good, accepts, context));
    size_t first = 0;
    size_t accepted = flip_all(good, accepts, context, &first);
    if (accepted > 0) {
        print_error("%zu flipped bits were accepted, the first in byte %zu\n", accepted, first);
        fail();
    }
}

size_t test_bit_flips(struct cella_bytes good, test_accepts *accepts, void *context) {
    assert_true(accepts_copy(good, accepts, context));
    size_t first = 0;
    return flip_all(good, accepts, context, &first);
}
