/* Bounded reader with a sticky failure. Must not allocate. */
#include "base/reader.h"
#include <string.h>

void cella_reader_init(struct cella_reader *reader, struct cella_bytes bytes) {
    *reader = (struct cella_reader){.data = bytes.data, .size = bytes.size};
}

const uint8_t *cella_read_view(struct cella_reader *reader, size_t size) {
    if (reader->failed || size > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    if (size == 0)
        return reader->data; /* which may be NULL: no arithmetic on it */
    const uint8_t *view = reader->data + reader->at;
    reader->at += size;
    return view;
}

static uint64_t little(struct cella_reader *reader, size_t size) {
    const uint8_t *view = cella_read_view(reader, size);
    uint64_t value = 0;
    if (view != NULL)
        for (size_t i = size; i-- > 0;)
            value = value << 8 | view[i];
    return value;
}

static uint64_t big(struct cella_reader *reader, size_t size) {
    const uint8_t *view = cella_read_view(reader, size);
    uint64_t value = 0;
    if (view != NULL)
        for (size_t i = 0; i < size; i++)
            value = value << 8 | view[i];
    return value;
}

uint8_t cella_read_u8(struct cella_reader *reader) {
    return (uint8_t)little(reader, 1);
}

uint16_t cella_read_u16(struct cella_reader *reader) {
    return (uint16_t)little(reader, 2);
}

uint32_t cella_read_u32(struct cella_reader *reader) {
    return (uint32_t)little(reader, 4);
}

uint64_t cella_read_u64(struct cella_reader *reader) {
    return little(reader, 8);
}

uint16_t cella_read_u16_be(struct cella_reader *reader) {
    return (uint16_t)big(reader, 2);
}

uint32_t cella_read_u32_be(struct cella_reader *reader) {
    return (uint32_t)big(reader, 4);
}

uint64_t cella_read_u64_be(struct cella_reader *reader) {
    return big(reader, 8);
}

void cella_read_copy(struct cella_reader *reader, uint8_t *out, size_t size) {
    const uint8_t *view = cella_read_view(reader, size);
    if (size == 0)
        return;
    if (view != NULL)
        memcpy(out, view, size);
    else
        memset(out, 0, size);
}

struct cella_bytes cella_read_sized(struct cella_reader *reader, size_t limit) {
    size_t size = cella_read_u32(reader);
    if (size > limit)
        reader->failed = true;
    const uint8_t *view = cella_read_view(reader, size);
    return (struct cella_bytes){.data = view, .size = view == NULL ? 0 : size};
}

void cella_read_zeros(struct cella_reader *reader, size_t size) {
    const uint8_t *view = cella_read_view(reader, size);
    if (view != NULL)
        for (size_t i = 0; i < size; i++)
            if (view[i] != 0)
                reader->failed = true;
}

size_t cella_reader_left(const struct cella_reader *reader) {
    return reader->failed ? 0 : reader->size - reader->at;
}

bool cella_reader_done(const struct cella_reader *reader) {
    return !reader->failed && reader->at == reader->size;
}
