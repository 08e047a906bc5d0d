/* Reads arbitrary bytes with an arbitrary sequence of reader calls: nothing outside the bytes is touched, the
 * failure is sticky, and what was used plus what is left is the whole. */
#include "base/error.h"
#include "base/reader.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_view(const struct cella_reader *reader, struct cella_bytes view) {
    if (view.size == 0)
        return;
    CELLA_ASSERT(view.data >= reader->data && view.size <= reader->size);
    CELLA_ASSERT((size_t)(view.data - reader->data) <= reader->size - view.size);
}

static void step(struct cella_reader *reader, uint8_t operation) {
    uint8_t copy[256];
    size_t count = operation >> 4;
    switch (operation % 11) {
    case 0:
        (void)cella_read_u8(reader);
        break;
    case 1:
        (void)cella_read_u16(reader);
        break;
    case 2:
        (void)cella_read_u32(reader);
        break;
    case 3:
        (void)cella_read_u64(reader);
        break;
    case 4:
        (void)cella_read_u16_be(reader);
        break;
    case 5:
        (void)cella_read_u32_be(reader);
        break;
    case 6:
        (void)cella_read_u64_be(reader);
        break;
    case 7: {
        const uint8_t *view = cella_read_view(reader, count);
        check_view(reader, (struct cella_bytes){.data = view, .size = view == NULL ? 0 : count});
        break;
    }
    case 8:
        memset(copy, 0xff, sizeof copy);
        cella_read_copy(reader, copy, count);
        for (size_t i = 0; i < count && reader->failed; i++)
            CELLA_ASSERT(copy[i] == 0);
        break;
    case 9: {
        struct cella_bytes sized = cella_read_sized(reader, count * 16);
        CELLA_ASSERT(sized.size <= count * 16);
        check_view(reader, sized);
        break;
    }
    default:
        cella_read_zeros(reader, count);
        break;
    }
}

/* The first byte says how many bytes of operations follow; the rest is what they read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t operations = size == 0 ? 0 : data[0];
    if (size == 0 || operations > size - 1)
        return 0;
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(data + 1 + operations, size - 1 - operations));
    for (size_t i = 0; i < operations; i++) {
        bool failed = reader.failed;
        step(&reader, data[1 + i]);
        CELLA_ASSERT(!failed || reader.failed);
        CELLA_ASSERT(reader.at <= reader.size);
        CELLA_ASSERT(cella_reader_left(&reader) == (reader.failed ? 0 : reader.size - reader.at));
    }
    return 0;
}
