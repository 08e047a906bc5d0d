/* What the vault asks of its store becomes frames, and the host's answers its results. Must not believe them:
 * sizes and ids are checked here, bytes by the vault. */
#include "enclave/vault_store.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "enclave/channel.h"
#include "enclave/inside.h"
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_MAX = 1 << 20, /* bytes of a file in one message */
    PARTS_MAX = 8,
    FRONT_SIZE = 24,
    ENTRY_SIZE = 17,
};
/* Who is told of a write, instead of a thread. */
static const uint32_t by_frame = UINT32_MAX;
static const uint32_t nobody = UINT32_MAX - 1;

static uint64_t next_id(void) {
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

/* The host's word on its disk; whatever it may not say here is an I/O error. */
enum cella_status cella_vault_store_status(uint32_t status) {
    switch (status) {
    case CELLA_OK:
    case CELLA_STORAGE_FULL:
    case CELLA_STORAGE_READ_ONLY:
        return (enum cella_status)status;
    default:
        return CELLA_STORAGE_IO;
    }
}

/* For the answer to a question; before it is asked, because an answer that cannot be taken blocks the ring.
 */
static uint8_t *new_buffer(void) {
    return malloc(CELLA_DOOR_FRAME_MAX);
}

/* Waits for the answer to `id` on this thread's own ring and returns its status, as the host says it; what
 * follows goes to `out`. Frees the buffer. */
static uint32_t await(uint64_t id, uint8_t *buffer, uint8_t *out, size_t capacity, size_t *ret_size) {
    struct cella_incoming incoming;
    cella_channel_receive_own(&incoming, buffer);
    if (incoming.type != CELLA_FRAME_STORE_DONE || incoming.id != id || incoming.chunk.size < 4)
        cella_end(CELLA_DOOR_BROKEN, 8);
    struct cella_reader reader;
    cella_reader_init(&reader, incoming.chunk);
    uint32_t status = cella_read_u32(&reader);
    size_t size = 0;
    size_t left = cella_reader_left(&reader);
    struct cella_bytes chunk = CELLA_BYTES(cella_read_view(&reader, left), left);
    for (;;) {
        if (chunk.size > capacity - size)
            cella_end(CELLA_DOOR_BROKEN, 9);
        if (chunk.size > 0)
            memcpy(out + size, chunk.data, chunk.size);
        size += chunk.size;
        if (!incoming.more)
            break;
        cella_channel_next_own(&incoming, buffer);
        chunk = incoming.chunk;
    }
    free(buffer);
    if (ret_size != NULL)
        *ret_size = size;
    return status;
}

static uint32_t this_thread(void) {
    return (uint32_t)cella_thread_data()->index;
}

static enum cella_status list(void *context,
                              void (*visit)(void *visitor, const struct cella_store_entry *entry),
                              void *visitor, struct cella_error *error) {
    uint8_t front[4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, this_thread());
    struct cella_bytes part = cella_writer_bytes(&writer);
    uint8_t *entries = malloc(MESSAGE_MAX);
    uint8_t *buffer = new_buffer();
    if (entries == NULL || buffer == NULL) {
        free(entries);
        free(buffer);
        return cella_fail(error, CELLA_NO_MEMORY, "the list of the vault's files");
    }
    uint64_t id = next_id();
    cella_channel_send(CELLA_FRAME_STORE_LIST, id, &part, 1);
    size_t size = 0;
    enum cella_status status = cella_vault_store_status(await(id, buffer, entries, MESSAGE_MAX, &size));
    if (size % ENTRY_SIZE != 0)
        cella_end(CELLA_DOOR_BROKEN, 12);
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(entries, size));
    while (status == CELLA_OK && cella_reader_left(&reader) > 0) {
        struct cella_store_entry entry;
        entry.file.kind = (enum cella_store_kind)cella_read_u8(&reader);
        entry.file.number = cella_read_u64(&reader);
        entry.size = cella_read_u64(&reader);
        visit(visitor, &entry);
    }
    free(entries);
    return status == CELLA_OK ? CELLA_OK
                              : cella_fail(error, status, "the host cannot list the vault's files");
}

static enum cella_status read_piece(struct cella_store_file file, uint64_t offset, uint8_t *out, size_t size,
                                    size_t *ret_size) {
    uint8_t front[FRONT_SIZE + 4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, this_thread());
    cella_write_u8(&writer, (uint8_t)file.kind);
    cella_write_zeros(&writer, 3);
    cella_write_u64(&writer, file.number);
    cella_write_u64(&writer, offset);
    cella_write_u32(&writer, (uint32_t)size);
    CELLA_ASSERT(!writer.failed && writer.size == sizeof front);
    struct cella_bytes part = cella_writer_bytes(&writer);
    uint8_t *buffer = new_buffer();
    if (buffer == NULL)
        return CELLA_NO_MEMORY;
    uint64_t id = next_id();
    cella_channel_send(CELLA_FRAME_STORE_READ, id, &part, 1);
    uint32_t status = await(id, buffer, out, size, ret_size);
    return status == CELLA_NOT_FOUND ? CELLA_NOT_FOUND : cella_vault_store_status(status);
}

static enum cella_status read_file(void *context, struct cella_store_file file, uint64_t offset, uint8_t *out,
                                   size_t size, size_t *ret_size) {
    size_t done = 0;
    while (done < size) {
        size_t step = size - done < MESSAGE_MAX ? size - done : MESSAGE_MAX;
        size_t got = 0;
        enum cella_status status = read_piece(file, offset + done, out + done, step, &got);
        if (status != CELLA_OK)
            return status;
        done += got;
        if (got < step)
            break;
    }
    *ret_size = done;
    return CELLA_OK;
}

/* Bytes `at` to `at + size` of the parts, as parts; returns how many. */
static size_t slice(const struct cella_store_write *write, size_t at, size_t size, struct cella_bytes *out) {
    size_t count = 0;
    for (size_t i = 0; i < write->part_count && size > 0; i++) {
        struct cella_bytes part = write->parts[i];
        if (at >= part.size) {
            at -= part.size;
            continue;
        }
        size_t take = part.size - at < size ? part.size - at : size;
        out[count++] = CELLA_BYTES(part.data + at, take);
        size -= take;
        at = 0;
    }
    return count;
}

/* In as many messages as it needs; only the last is flushed and told. */
static void send_write(uint64_t id, uint32_t told, const struct cella_store_write *write) {
    CELLA_ASSERT(write->part_count <= PARTS_MAX);
    size_t total = 0;
    for (size_t i = 0; i < write->part_count; i++)
        total += write->parts[i].size;
    size_t at = 0;
    do {
        size_t size = total - at < MESSAGE_MAX ? total - at : MESSAGE_MAX;
        bool last = at + size == total;
        uint8_t front[FRONT_SIZE];
        struct cella_bytes parts[PARTS_MAX + 1];
        struct cella_writer writer;
        cella_writer_init(&writer, front, sizeof front);
        cella_write_u32(&writer, last ? told : nobody);
        cella_write_u8(&writer, (uint8_t)write->file.kind);
        cella_write_u8(&writer, last ? (uint8_t)write->flags : 0);
        cella_write_u16(&writer, write->waiting > UINT16_MAX ? UINT16_MAX : (uint16_t)write->waiting);
        cella_write_u64(&writer, write->file.number);
        cella_write_u64(&writer, write->offset + at);
        CELLA_ASSERT(!writer.failed && writer.size == sizeof front);
        parts[0] = cella_writer_bytes(&writer);
        size_t count = 1 + slice(write, at, size, parts + 1);
        cella_channel_send(CELLA_FRAME_STORE_WRITE, last ? id : 0, parts, count);
        at += size;
    } while (at < total);
}

static enum cella_status write_now(void *context, const struct cella_store_write *write,
                                   struct cella_error *error) {
    uint64_t id = next_id();
    uint8_t none;
    uint8_t *buffer = new_buffer();
    if (buffer == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a write to the vault");
    send_write(id, this_thread(), write);
    enum cella_status status = cella_vault_store_status(await(id, buffer, &none, 0, NULL));
    return status == CELLA_OK ? CELLA_OK
                              : cella_fail(error, status, "the host cannot write a file of the vault");
}

static void write_later(void *context, uint64_t id, const struct cella_store_write *write) {
    if (id != 0)
        cella_channel_expect(true);
    send_write(id, id == 0 ? nobody : by_frame, write);
}

static void remove_file(void *context, struct cella_store_file file) {
    uint8_t front[16];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u8(&writer, (uint8_t)file.kind);
    cella_write_zeros(&writer, 7);
    cella_write_u64(&writer, file.number);
    struct cella_bytes part = cella_writer_bytes(&writer);
    cella_channel_send(CELLA_FRAME_STORE_REMOVE, 0, &part, 1);
}

const struct cella_store cella_vault_store = {
    .list = list, .read = read_file, .write_now = write_now, .write = write_later, .remove = remove_file};
