/* Reads one file of the store from one end to the other, in large pieces. Must not: believe a size or a read
 * of the store's beyond what it fills. */
#include "base/error.h"
#include "state/vault_load.h"
#include <stdlib.h>
#include <string.h>

enum cella_status cella_vault_stream_open(struct cella_vault_stream *stream, const struct cella_store *store,
                                          struct cella_store_file file, uint64_t size) {
    *stream = (struct cella_vault_stream){.store = store, .file = file, .size = size};
    stream->capacity = size < VAULT_READ_PIECE ? (size_t)size + 1 : 2 * (size_t)VAULT_READ_PIECE;
    stream->window = malloc(stream->capacity);
    return stream->window == NULL ? CELLA_NO_MEMORY : CELLA_OK;
}

void cella_vault_stream_close(struct cella_vault_stream *stream) {
    free(stream->window);
    stream->window = NULL;
}

static enum cella_status make_room(struct cella_vault_stream *stream, uint64_t offset) {
    size_t passed = (size_t)(offset - stream->base);
    if (passed >= stream->filled) {
        stream->base = offset;
        stream->filled = 0;
    } else if (passed > 0) {
        memmove(stream->window, stream->window + passed, stream->filled - passed);
        stream->base = offset;
        stream->filled -= passed;
    }
    if (stream->capacity - stream->filled >= VAULT_READ_PIECE || stream->filled < stream->capacity / 2)
        return CELLA_OK;
    uint8_t *window = realloc(stream->window, 2 * stream->capacity);
    if (window == NULL)
        return CELLA_NO_MEMORY;
    stream->window = window;
    stream->capacity *= 2;
    return CELLA_OK;
}

static enum cella_status read_more(struct cella_vault_stream *stream, struct cella_error *error) {
    uint64_t at = stream->base + stream->filled;
    size_t room = stream->capacity - stream->filled;
    size_t wanted = room < VAULT_READ_PIECE ? room : VAULT_READ_PIECE;
    if (wanted > stream->size - at)
        wanted = (size_t)(stream->size - at);
    size_t got = 0;
    enum cella_status status = stream->store->read(stream->store->context, stream->file, at,
                                                   stream->window + stream->filled, wanted, &got);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the host cannot read a file of the vault");
    if (got == 0 || got > wanted)
        return cella_fail(error, CELLA_STORAGE_IO, "a file ends before byte %llu of %llu",
                          (unsigned long long)at, (unsigned long long)stream->size);
    stream->filled += got;
    return CELLA_OK;
}

enum cella_status cella_vault_stream_view(struct cella_vault_stream *stream, uint64_t offset, size_t wanted,
                                          struct cella_bytes *ret_view, struct cella_error *error) {
    uint64_t left = offset < stream->size ? stream->size - offset : 0;
    if (wanted > left)
        wanted = (size_t)left;
    if (wanted == 0) {
        *ret_view = (struct cella_bytes){0};
        return CELLA_OK;
    }
    while (offset < stream->base || stream->base + stream->filled < offset + wanted) {
        enum cella_status status = make_room(stream, offset);
        if (status == CELLA_OK)
            status = read_more(stream, error);
        if (status != CELLA_OK)
            return status;
    }
    *ret_view = CELLA_BYTES(stream->window + (size_t)(offset - stream->base), wanted);
    return CELLA_OK;
}
