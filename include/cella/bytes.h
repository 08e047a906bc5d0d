/* Byte views: a pointer and a size that travel together. A view owns nothing. */
#ifndef CELLA_BYTES_H
#define CELLA_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* `size` bytes at `data`, readable for as long as the owner says. `data` may be NULL when size is 0. */
struct cella_bytes {
    const uint8_t *data;
    size_t size;
};

#define CELLA_BYTES(pointer, count)                                                                          \
    ((struct cella_bytes){.data = (const uint8_t *)(pointer), .size = (count)})

#endif
