/* Bounded writer: the only way our formats leave. Little endian, into the caller's buffer, sticky overflow:
 * after the first write past the end nothing more is written and `failed` stays set. */
#ifndef CELLA_BASE_WRITER_H
#define CELLA_BASE_WRITER_H

#include <cella/bytes.h>
#include <stdbool.h>

/* Borrows the buffer; owns nothing. `size` is what was written so far. */
struct cella_writer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    bool failed;
};

void cella_writer_init(struct cella_writer *writer, uint8_t *buffer, size_t capacity);

void cella_write_u8(struct cella_writer *writer, uint8_t value);
void cella_write_u16(struct cella_writer *writer, uint16_t value);
void cella_write_u32(struct cella_writer *writer, uint32_t value);
void cella_write_u64(struct cella_writer *writer, uint64_t value);
void cella_write_bytes(struct cella_writer *writer, const void *data, size_t size);
void cella_write_zeros(struct cella_writer *writer, size_t size);
/* A u32 length, then the bytes. */
void cella_write_sized(struct cella_writer *writer, struct cella_bytes bytes);
/* Room for `size` bytes that the caller fills; NULL (and failure) if there is none. */
uint8_t *cella_write_space(struct cella_writer *writer, size_t size);

/* What was written, as a view of the buffer. */
struct cella_bytes cella_writer_bytes(const struct cella_writer *writer);

#endif
