/* One record of the journal: sealed, opened, recognised. Must not release content before its tag, its padding
 * and its place in the chain are checked. */
#include "base/error.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "state/clear_header.h"
#include <string.h>

#define MAGIC "CLVR"
#define LABEL "cella journal record"

/* The mark of its segment, so that a torn record is told from old bytes of another segment. */
enum { MAGIC_SIZE = 4, MARK_SIZE = 16, MARK_END = 24 };
/* Before the content stands its size, behind it padding and the tag. */
enum { CONTENT_SIZE = 8, AROUND = CELLA_RECORD_CONTENT_OFFSET + CELLA_AEAD_TAG_SIZE };

_Static_assert(CELLA_RECORD_CONTENT_OFFSET == CELLA_RECORD_HEADER_SIZE + CONTENT_SIZE, "layout");

size_t cella_size_class(size_t size) {
    size_t step = CELLA_RECORD_ALIGNMENT;
    while (step * 16 < size)
        step *= 2;
    return (size + step - 1) / step * step;
}

size_t cella_record_size(size_t content_size) {
    return cella_size_class(content_size + AROUND);
}

static bool kind_known(unsigned kind) {
    return kind >= CELLA_RECORD_CHANGES && kind <= CELLA_RECORD_STOPPED;
}

/* Only a new owner moves the epoch, and only forward. */
static bool epoch_follows(const struct cella_head *head, enum cella_record_kind kind, uint64_t epoch) {
    return kind == CELLA_RECORD_EPOCH ? epoch > head->epoch : epoch == head->epoch;
}

static void write_header(const struct cella_journal *journal, const struct cella_record_header *header,
                         uint8_t *out) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_RECORD_HEADER_SIZE);
    cella_write_bytes(&writer, MAGIC, MAGIC_SIZE);
    cella_write_u32(&writer, (uint32_t)header->size);
    cella_write_bytes(&writer, journal->header_digest, MARK_SIZE);
    cella_write_u8(&writer, (uint8_t)header->kind);
    cella_write_zeros(&writer, 7);
    cella_write_u64(&writer, header->epoch);
    cella_write_u64(&writer, header->version);
    cella_write_u64(&writer, header->offset);
    cella_write_bytes(&writer, header->previous, sizeof header->previous);
    cella_write_zeros(&writer, CELLA_RECORD_HEADER_SIZE - writer.size);
}

/* The head that the record at `bytes` makes. */
static struct cella_head head_of(const struct cella_record_header *header, const uint8_t *bytes) {
    struct cella_head head = {.epoch = header->epoch, .version = header->version};
    struct cella_sha256 hash;
    cella_sha256_init(&hash);
    cella_sha256_update(&hash, LABEL, sizeof LABEL - 1);
    cella_sha256_update(&hash, header->previous, sizeof header->previous);
    cella_sha256_update(&hash, bytes, header->size);
    cella_sha256_digest(&hash, head.digest);
    cella_sha256_deinit(&hash);
    return head;
}

enum cella_status cella_journal_seal(struct cella_journal *journal, enum cella_record_kind kind,
                                     uint64_t epoch, struct cella_bytes content, uint8_t *out) {
    if (content.size > CELLA_RECORD_MAX || !kind_known(kind) || !epoch_follows(&journal->head, kind, epoch) ||
        journal->head.version >= CELLA_VERSION_MAX)
        return CELLA_ARGUMENT;
    struct cella_record_header header = {.size = cella_record_size(content.size),
                                         .kind = kind,
                                         .epoch = epoch,
                                         .version = journal->head.version + 1,
                                         .offset = journal->offset};
    memcpy(header.previous, journal->head.digest, sizeof header.previous);
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    uint8_t *plain = out + CELLA_RECORD_HEADER_SIZE;
    uint8_t *body = out + CELLA_RECORD_CONTENT_OFFSET;
    size_t plain_size = header.size - CELLA_RECORD_HEADER_SIZE - CELLA_AEAD_TAG_SIZE;
    struct cella_writer writer;
    write_header(journal, &header, out);
    cella_writer_init(&writer, plain, CONTENT_SIZE);
    cella_write_u64(&writer, content.size);
    if (content.data != body && content.size > 0)
        memcpy(body, content.data, content.size);
    memset(body + content.size, 0, header.size - AROUND - content.size);
    cella_clear_header_nonce(header.version, nonce);
    const struct cella_bytes ad[2] = {CELLA_BYTES(journal->header_digest, sizeof journal->header_digest),
                                      CELLA_BYTES(out, CELLA_RECORD_HEADER_SIZE)};
    enum cella_status status =
        cella_aead_seal_two(&journal->aead, nonce, ad, CELLA_BYTES(plain, plain_size), plain);
    if (status != CELLA_OK) {
        cella_wipe(plain, plain_size);
        return status;
    }
    journal->head = head_of(&header, out);
    journal->offset += header.size;
    return CELLA_OK;
}

enum cella_status cella_record_header_parse(const struct cella_journal *journal, struct cella_bytes bytes,
                                            struct cella_record_header *ret_header) {
    if (bytes.size < MARK_END || memcmp(bytes.data, MAGIC, MAGIC_SIZE) != 0 ||
        memcmp(bytes.data + MARK_END - MARK_SIZE, journal->header_digest, MARK_SIZE) != 0)
        return CELLA_NOT_FOUND;
    struct cella_record_header header;
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    (void)cella_read_view(&reader, MAGIC_SIZE);
    header.size = cella_read_u32(&reader);
    (void)cella_read_view(&reader, MARK_SIZE);
    uint8_t kind = cella_read_u8(&reader);
    header.kind = kind;
    cella_read_zeros(&reader, 7);
    header.epoch = cella_read_u64(&reader);
    header.version = cella_read_u64(&reader);
    header.offset = cella_read_u64(&reader);
    cella_read_copy(&reader, header.previous, sizeof header.previous);
    cella_read_zeros(&reader, CELLA_RECORD_HEADER_SIZE - reader.at);
    if (reader.failed || !kind_known(kind) || header.version == 0 || header.version > CELLA_VERSION_MAX ||
        header.size < CELLA_RECORD_ALIGNMENT || header.size > cella_record_size(CELLA_RECORD_MAX) ||
        header.size != cella_size_class(header.size))
        return CELLA_DAMAGED;
    *ret_header = header;
    return CELLA_OK;
}

/* Decrypts the record with this header to `out`, wherever it belongs. */
static enum cella_status decrypt(struct cella_journal *journal, const struct cella_record_header *header,
                                 const uint8_t *bytes, uint8_t *out, struct cella_bytes *ret_content) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    cella_clear_header_nonce(header->version, nonce);
    const struct cella_bytes ad[2] = {CELLA_BYTES(journal->header_digest, sizeof journal->header_digest),
                                      CELLA_BYTES(bytes, CELLA_RECORD_HEADER_SIZE)};
    struct cella_bytes sealed =
        CELLA_BYTES(bytes + CELLA_RECORD_HEADER_SIZE, header->size - CELLA_RECORD_HEADER_SIZE);
    enum cella_status status = cella_aead_open_two(&journal->aead, nonce, ad, sealed, out);
    if (status != CELLA_OK)
        return status == CELLA_AUTHENTICATION ? CELLA_DAMAGED : status;
    size_t plain_size = sealed.size - CELLA_AEAD_TAG_SIZE;
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(out, plain_size));
    uint64_t content_size = cella_read_u64(&reader);
    struct cella_bytes content = {out + CONTENT_SIZE, (size_t)content_size};
    if (content_size > plain_size - CONTENT_SIZE || cella_record_size(content.size) != header->size)
        reader.failed = true;
    else
        (void)cella_read_view(&reader, content.size);
    cella_read_zeros(&reader, cella_reader_left(&reader));
    if (reader.failed) {
        cella_wipe(out, plain_size);
        return CELLA_DAMAGED;
    }
    *ret_content = content;
    return CELLA_OK;
}

static const char *misplaced(const struct cella_journal *journal, const struct cella_record_header *header) {
    const struct cella_head *head = &journal->head;
    if (header->offset != journal->offset)
        return "belongs to another place in its segment";
    if (header->version != head->version + 1)
        return "does not have the next version";
    if (memcmp(header->previous, head->digest, sizeof head->digest) != 0)
        return "follows another head";
    if (!epoch_follows(head, header->kind, header->epoch))
        return "has an epoch that cannot follow";
    return NULL;
}

enum cella_status cella_journal_open(struct cella_journal *journal, struct cella_bytes bytes, uint8_t *out,
                                     struct cella_record_header *ret_header, struct cella_bytes *ret_content,
                                     struct cella_error *error) {
    struct cella_record_header header;
    struct cella_bytes content;
    unsigned long long at = journal->offset;
    enum cella_status status = cella_record_header_parse(journal, bytes, &header);
    if (status == CELLA_NOT_FOUND)
        return cella_fail(error, status, "no record begins at byte %llu", at);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the header of the record at byte %llu is damaged", at);
    if (header.size > bytes.size)
        return cella_fail(error, CELLA_DAMAGED, "the record at byte %llu is cut: %zu of %zu bytes", at,
                          bytes.size, header.size);
    status = decrypt(journal, &header, bytes.data, out, &content);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the record at byte %llu does not open", at);
    const char *reason = misplaced(journal, &header);
    if (reason != NULL) {
        cella_wipe(out, header.size - CELLA_RECORD_HEADER_SIZE);
        return cella_fail(error, CELLA_VAULT_SPLICED,
                          "the record of version %llu at byte %llu is genuine but %s",
                          (unsigned long long)header.version, at, reason);
    }
    journal->head = head_of(&header, bytes.data);
    journal->offset += header.size;
    *ret_header = header;
    *ret_content = content;
    return CELLA_OK;
}

bool cella_journal_probe(struct cella_journal *journal, struct cella_bytes bytes, uint8_t *scratch) {
    struct cella_record_header header;
    struct cella_bytes content;
    if (cella_record_header_parse(journal, bytes, &header) != CELLA_OK || header.size > bytes.size ||
        decrypt(journal, &header, bytes.data, scratch, &content) != CELLA_OK)
        return false;
    cella_wipe(scratch, header.size - CELLA_RECORD_HEADER_SIZE);
    return true;
}
