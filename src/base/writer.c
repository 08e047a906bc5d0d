/* Bounded writer with a sticky overflow. Must not allocate. */
#include "base/writer.h"
#include <string.h>

void cella_writer_init(struct cella_writer *writer, uint8_t *buffer, size_t capacity) {
    *writer = (struct cella_writer){.data = buffer, .capacity = capacity};
}

uint8_t *cella_write_space(struct cella_writer *writer, size_t size) {
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return NULL;
    }
    if (size == 0)
        return writer->data; /* which may be NULL: no arithmetic on it */
    uint8_t *space = writer->data + writer->size;
    writer->size += size;
    return space;
}

static void little(struct cella_writer *writer, uint64_t value, size_t size) {
    uint8_t *space = cella_write_space(writer, size);
    if (space != NULL)
        for (size_t i = 0; i < size; i++)
            space[i] = (uint8_t)(value >> (8 * i));
}

void cella_write_u8(struct cella_writer *writer, uint8_t value) {
    little(writer, value, 1);
}

void cella_write_u16(struct cella_writer *writer, uint16_t value) {
    little(writer, value, 2);
}

void cella_write_u32(struct cella_writer *writer, uint32_t value) {
    little(writer, value, 4);
}

void cella_write_u64(struct cella_writer *writer, uint64_t value) {
    little(writer, value, 8);
}

void cella_write_bytes(struct cella_writer *writer, const void *data, size_t size) {
    uint8_t *space = cella_write_space(writer, size);
    if (space != NULL && size > 0)
        memcpy(space, data, size);
}

void cella_write_zeros(struct cella_writer *writer, size_t size) {
    uint8_t *space = cella_write_space(writer, size);
    if (space != NULL && size > 0)
        memset(space, 0, size);
}

void cella_write_sized(struct cella_writer *writer, struct cella_bytes bytes) {
    if (bytes.size > UINT32_MAX)
        writer->failed = true;
    cella_write_u32(writer, (uint32_t)bytes.size);
    cella_write_bytes(writer, bytes.data, bytes.size);
}

struct cella_bytes cella_writer_bytes(const struct cella_writer *writer) {
    return (struct cella_bytes){.data = writer->data, .size = writer->size};
}
