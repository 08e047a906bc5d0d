/* Wiping and comparing secrets. */
#ifndef CELLA_BASE_SECRET_H
#define CELLA_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrites with zeros in a way the compiler may not remove. `memory` may be NULL when size is 0. */
void cella_wipe(void *memory, size_t size);

/* Wipes and then frees; NULL is allowed. */
void cella_wipe_free(void *memory, size_t size);

/* Equality in time that depends on `size` only. */
bool cella_equal_secret(const void *left, const void *right, size_t size);

#endif
