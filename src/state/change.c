/* The changes of a group of transactions as a record's content. Must not know what a key means. */
#include "base/reader.h"
#include "base/writer.h"
#include "state/journal.h"
#include "state/map.h"

enum { PUT = 1, DELETE = 2 };

/* A change is its kind, the sizes and the bytes. */
enum { PUT_FIXED = 1 + 2 + 4, DELETE_FIXED = 1 + 2 };

size_t cella_change_size(struct cella_bytes key, const struct cella_bytes *value) {
    return value == NULL ? DELETE_FIXED + key.size : PUT_FIXED + key.size + value->size;
}

size_t cella_change_write(uint8_t *out, struct cella_bytes key, const struct cella_bytes *value) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, cella_change_size(key, value));
    cella_write_u8(&writer, value == NULL ? DELETE : PUT);
    cella_write_u16(&writer, (uint16_t)key.size);
    if (value != NULL)
        cella_write_u32(&writer, (uint32_t)value->size);
    cella_write_bytes(&writer, key.data, key.size);
    if (value != NULL)
        cella_write_bytes(&writer, value->data, value->size);
    return writer.size;
}

bool cella_change_next(struct cella_bytes content, size_t *position, struct cella_change *ret_change,
                       enum cella_status *ret_status) {
    *ret_status = CELLA_OK;
    if (*position == content.size)
        return false;
    *ret_status = CELLA_DAMAGED;
    if (*position > content.size)
        return false;
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(content.data + *position, content.size - *position));
    uint8_t kind = cella_read_u8(&reader);
    size_t key_size = cella_read_u16(&reader);
    size_t value_size = kind == PUT ? cella_read_u32(&reader) : 0;
    if ((kind != PUT && kind != DELETE) || key_size == 0 || key_size > CELLA_MAP_KEY_MAX ||
        value_size > CELLA_MAP_VALUE_MAX)
        return false;
    struct cella_change change = {.is_delete = kind == DELETE};
    change.key = CELLA_BYTES(cella_read_view(&reader, key_size), key_size);
    if (kind == PUT)
        change.value = CELLA_BYTES(cella_read_view(&reader, value_size), value_size);
    if (reader.failed)
        return false;
    *position += reader.at;
    *ret_change = change;
    *ret_status = CELLA_OK;
    return true;
}
