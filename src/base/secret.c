/* Wiping and constant-time comparison. */
#include "base/secret.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void cella_wipe(void *memory, size_t size) {
    if (size > 0)
        explicit_bzero(memory, size);
}

void cella_wipe_free(void *memory, size_t size) {
    if (memory != NULL)
        cella_wipe(memory, size);
    free(memory);
}

bool cella_equal_secret(const void *left, const void *right, size_t size) {
    const volatile uint8_t *a = left;
    const volatile uint8_t *b = right;
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++)
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    return difference == 0;
}
