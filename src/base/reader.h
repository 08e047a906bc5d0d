/* Bounded reader: the only way bytes from outside are taken apart. Little endian, fixed width, sticky
 * failure: after the first read past the end every read gives zero or NULL, so a parser may read all fields
 * and check once. */
#ifndef CELLA_BASE_READER_H
#define CELLA_BASE_READER_H

#include <cella/bytes.h>
#include <stdbool.h>

/* Borrows the bytes for its lifetime; owns nothing. */
struct cella_reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

void cella_reader_init(struct cella_reader *reader, struct cella_bytes bytes);

uint8_t cella_read_u8(struct cella_reader *reader);
uint16_t cella_read_u16(struct cella_reader *reader);
uint32_t cella_read_u32(struct cella_reader *reader);
uint64_t cella_read_u64(struct cella_reader *reader);
/* Big endian, for the few outside formats that use it (certificates, CBOR, TPM). */
uint16_t cella_read_u16_be(struct cella_reader *reader);
uint32_t cella_read_u32_be(struct cella_reader *reader);
uint64_t cella_read_u64_be(struct cella_reader *reader);

/* A view of the next `size` bytes, NULL (and failure) if they are not there. */
const uint8_t *cella_read_view(struct cella_reader *reader, size_t size);
/* Copies the next `size` bytes to `out`; fills it with zeros on failure. */
void cella_read_copy(struct cella_reader *reader, uint8_t *out, size_t size);
/* A u32 length of at most `limit`, then a view of so many bytes. A larger length is a failure. */
struct cella_bytes cella_read_sized(struct cella_reader *reader, size_t limit);
/* The next `size` bytes must all be zero (reserved fields). */
void cella_read_zeros(struct cella_reader *reader, size_t size);

size_t cella_reader_left(const struct cella_reader *reader);
/* True when nothing failed and every byte was used: trailing bytes are refused with it. */
bool cella_reader_done(const struct cella_reader *reader);

#endif
