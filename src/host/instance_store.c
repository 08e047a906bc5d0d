/* What the enclave asks of its store, and the storage's answers. Must not: believe that it asks what a vault
 * would, or say that something is durable before the disk has said so. */
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "host/instance_internal.h"
#include "state/journal.h"
#include <stdlib.h>
#include <string.h>

/* Who is told of a write, instead of a thread; formats/door.md. */
static const uint32_t by_frame = UINT32_MAX;
static const uint32_t nobody = UINT32_MAX - 1;

enum { ENTRY_SIZE = 17, ENTRIES_MAX = 1 << 20 };

static void break_door(struct cella_instance *instance, const char *why) {
    cella_instance_set_ended(instance, CELLA_DOOR_BROKEN, why);
}

static void answer_thread(struct cella_instance *instance, uint32_t thread, uint64_t id,
                          enum cella_status status, struct cella_bytes bytes) {
    struct instance_calls *calls = &instance->calls[thread];
    uint8_t front[4];
    struct cella_writer writer;
    cella_writer_init(&writer, front, sizeof front);
    cella_write_u32(&writer, (uint32_t)status);
    const struct cella_bytes parts[] = {CELLA_BYTES(front, sizeof front), bytes};
    struct cella_frame frame = {.type = CELLA_FRAME_STORE_DONE, .id = id};
    pthread_mutex_lock(&calls->ring_lock);
    enum cella_status put = cella_ring_put_message(&calls->ring, frame, parts, 2);
    pthread_mutex_unlock(&calls->ring_lock);
    if (put == CELLA_DOOR_BROKEN)
        break_door(instance, "the enclave's ring position is impossible");
    cella_ring_notify(&calls->ring);
}

void cella_instance_store_written(void *context, struct cella_storage_ticket ticket,
                                  enum cella_status status) {
    struct cella_instance *instance = context;
    if (ticket.where != by_frame) {
        answer_thread(instance, ticket.where, ticket.id, status, CELLA_BYTES(NULL, 0));
        return;
    }
    uint8_t payload[4];
    struct cella_writer writer;
    cella_writer_init(&writer, payload, sizeof payload);
    cella_write_u32(&writer, (uint32_t)status);
    struct cella_bytes part = cella_writer_bytes(&writer);
    struct cella_frame frame = {.type = CELLA_FRAME_STORE_WRITTEN, .id = ticket.id};
    if (cella_instance_send(instance, frame, &part, 1) != CELLA_OK)
        break_door(instance, "the enclave does not take what its store tells");
}

/* A file that may be named; its number is checked by the storage. */
static struct cella_store_file read_file(struct cella_reader *reader, size_t zeros) {
    struct cella_store_file file;
    file.kind = (enum cella_store_kind)cella_read_u8(reader);
    cella_read_zeros(reader, zeros);
    file.number = cella_read_u64(reader);
    if (file.kind < CELLA_STORE_GENESIS || file.kind > CELLA_STORE_RESTORE)
        reader->failed = true;
    return file;
}

/* What may be told of the vault in status: the clear parts of what is written. */
static void note_write(struct cella_instance *instance, const struct cella_storage_write *write) {
    struct cella_record_header header;
    bool whole = (write->flags & CELLA_STORE_FINISH) != 0;
    if (write->file.kind == CELLA_STORE_SNAPSHOT && whole)
        __atomic_store_n(&instance->vault_snapshot, write->file.number, __ATOMIC_RELAXED);
    if (write->file.kind == CELLA_STORE_EVIDENCE && whole)
        __atomic_fetch_add(&instance->vault_evidence, 1, __ATOMIC_RELAXED);
    if (write->file.kind != CELLA_STORE_SEGMENT)
        return;
    struct cella_bytes record = write->bytes;
    if (write->offset == 0 && record.size >= CELLA_SEGMENT_HEADER_SIZE) {
        /* The header ends with its own digest, and each record of the segment bears its mark. */
        record =
            CELLA_BYTES(record.data + CELLA_SEGMENT_HEADER_SIZE, record.size - CELLA_SEGMENT_HEADER_SIZE);
        memcpy(instance->vault_segment.header_digest, record.data - CELLA_DIGEST_SIZE, CELLA_DIGEST_SIZE);
    }
    if (cella_record_header_parse(&instance->vault_segment, record, &header) == CELLA_OK &&
        header.version > __atomic_load_n(&instance->vault_version, __ATOMIC_RELAXED))
        __atomic_store_n(&instance->vault_version, header.version, __ATOMIC_RELAXED);
}

static void handle_write(struct cella_instance *instance, uint64_t id, struct cella_bytes message) {
    struct cella_reader reader;
    struct cella_storage_write write = {.ticket.id = id};
    struct cella_error error = {.message = ""};
    cella_reader_init(&reader, message);
    uint32_t told = cella_read_u32(&reader);
    write.file.kind = (enum cella_store_kind)cella_read_u8(&reader);
    write.flags = cella_read_u8(&reader);
    unsigned waiting = cella_read_u16(&reader);
    write.file.number = cella_read_u64(&reader);
    write.offset = cella_read_u64(&reader);
    size_t size = cella_reader_left(&reader);
    write.bytes = CELLA_BYTES(cella_read_view(&reader, size), size);
    if (reader.failed || (told >= CELLA_DOOR_THREADS && told != by_frame && told != nobody)) {
        break_door(instance, "a write to the vault is not well formed");
        return;
    }
    write.ticket.where = told;
    write.told = told != nobody;
    write.once = write.told && told != by_frame;
    /* If nobody else could be served meanwhile, two wake-ups are saved by doing it here. */
    write.here = write.once || (told == by_frame && (write.flags & CELLA_STORE_FLUSH) != 0 &&
                                waiting >= __atomic_load_n(&instance->open_requests, __ATOMIC_RELAXED));
    note_write(instance, &write);
    enum cella_status status = cella_storage_write(instance->storage, &write, &error);
    if (status != CELLA_OK)
        cella_instance_set_ended(instance, status == CELLA_ARGUMENT ? CELLA_DOOR_BROKEN : status,
                                 error.message);
    instance->spins = write.here && write.told ? INSTANCE_SPINS_WRITTEN : INSTANCE_SPINS;
}

static void handle_read(struct cella_instance *instance, uint64_t id, struct cella_bytes message) {
    struct cella_reader reader;
    cella_reader_init(&reader, message);
    uint32_t thread = cella_read_u32(&reader);
    struct cella_store_file file = read_file(&reader, 3);
    uint64_t offset = cella_read_u64(&reader);
    uint32_t size = cella_read_u32(&reader);
    if (!cella_reader_done(&reader) || thread >= CELLA_DOOR_THREADS || size > CELLA_STORAGE_READ_MAX) {
        break_door(instance, "a read of the vault is not well formed");
        return;
    }
    uint8_t *out = malloc(size + 1);
    struct cella_disk_span span = {.out = out, .size = size};
    enum cella_status status = CELLA_NO_MEMORY;
    if (out != NULL)
        status = cella_storage_read(instance->storage, file, offset, &span, NULL);
    answer_thread(instance, thread, id, status, CELLA_BYTES(out, status == CELLA_OK ? span.got : 0));
    free(out);
    __atomic_fetch_add(&instance->store_steps, 1, __ATOMIC_RELAXED);
}

static void write_entry(void *visitor, const struct cella_store_entry *entry) {
    struct cella_writer *writer = visitor;
    cella_write_u8(writer, (uint8_t)entry->file.kind);
    cella_write_u64(writer, entry->file.number);
    cella_write_u64(writer, entry->size);
}

static void handle_list(struct cella_instance *instance, uint64_t id, struct cella_bytes message) {
    struct cella_reader reader;
    cella_reader_init(&reader, message);
    uint32_t thread = cella_read_u32(&reader);
    if (!cella_reader_done(&reader) || thread >= CELLA_DOOR_THREADS) {
        break_door(instance, "a listing of the vault is not well formed");
        return;
    }
    struct cella_writer writer;
    uint8_t *out = malloc(ENTRIES_MAX);
    enum cella_status status = CELLA_NO_MEMORY;
    cella_writer_init(&writer, out, out == NULL ? 0 : ENTRIES_MAX);
    if (out != NULL)
        status = cella_storage_list(instance->storage, write_entry, &writer, NULL);
    if (writer.failed)
        status = CELLA_LIMIT;
    answer_thread(instance, thread, id, status, CELLA_BYTES(out, status == CELLA_OK ? writer.size : 0));
    free(out);
}

static void handle_remove(struct cella_instance *instance, struct cella_bytes message) {
    struct cella_reader reader;
    struct cella_error error = {.message = ""};
    cella_reader_init(&reader, message);
    struct cella_store_file file = read_file(&reader, 7);
    enum cella_status status = CELLA_ARGUMENT;
    if (cella_reader_done(&reader))
        status = cella_storage_remove(instance->storage, file, &error);
    if (status != CELLA_OK)
        break_door(instance, "a removal from the vault is not well formed");
}

void cella_instance_handle_store(struct cella_instance *instance, uint16_t type, uint64_t id,
                                 struct cella_bytes message) {
    if (instance->storage == NULL) {
        break_door(instance, "the enclave asks for a vault that it does not have");
        return;
    }
    switch (type) {
    case CELLA_FRAME_STORE_WRITE:
        handle_write(instance, id, message);
        break;
    case CELLA_FRAME_STORE_READ:
        handle_read(instance, id, message);
        break;
    case CELLA_FRAME_STORE_LIST:
        handle_list(instance, id, message);
        break;
    default:
        handle_remove(instance, message);
    }
}
