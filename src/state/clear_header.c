/* The clear header of segments and snapshots. Must not believe anything in it. */
#include "state/clear_header.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"
#include <string.h>

enum { FORMAT = 1, TAG = 960, CHECKSUM = 992 };

_Static_assert(CHECKSUM + CELLA_SHA256_SIZE == CELLA_CLEAR_HEADER_SIZE, "the checksum ends the header");

void cella_clear_header_nonce(uint64_t number, uint8_t ret_nonce[CELLA_AEAD_NONCE_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, ret_nonce, CELLA_AEAD_NONCE_SIZE);
    cella_write_u64(&writer, number);
    cella_write_zeros(&writer, CELLA_AEAD_NONCE_SIZE - sizeof number);
}

enum cella_status cella_clear_header_key(const struct cella_clear_header *header,
                                         const uint8_t root_key[CELLA_ROOT_KEY_SIZE], struct cella_bytes info,
                                         struct cella_aead *aead) {
    uint8_t key[CELLA_AEAD_KEY_SIZE];
    enum cella_status status = cella_hkdf(CELLA_BYTES(header->salt, sizeof header->salt),
                                          CELLA_BYTES(root_key, CELLA_ROOT_KEY_SIZE), info, key, sizeof key);
    if (status == CELLA_OK)
        status = cella_aead_init(aead, key);
    cella_wipe(key, sizeof key);
    return status;
}

void cella_clear_header_write(struct cella_writer *writer, const char *magic,
                              const struct cella_clear_header *header) {
    const struct cella_key_info *info = &header->key_info;
    CELLA_ASSERT(writer->capacity == CELLA_CLEAR_HEADER_SIZE && info->size <= sizeof info->data);
    cella_write_bytes(writer, magic, CELLA_CLEAR_HEADER_MAGIC);
    cella_write_u16(writer, FORMAT);
    cella_write_zeros(writer, 2);
    cella_write_bytes(writer, header->vault_id, sizeof header->vault_id);
    cella_write_bytes(writer, header->salt, sizeof header->salt);
    cella_write_u32(writer, (uint32_t)info->size);
    cella_write_zeros(writer, 4);
    cella_write_bytes(writer, info->data, info->size);
    cella_write_zeros(writer, sizeof info->data - info->size);
}

enum cella_status cella_clear_header_end(struct cella_writer *writer, struct cella_aead *aead) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    cella_write_zeros(writer, TAG - writer->size);
    struct cella_bytes fields = cella_writer_bytes(writer);
    uint8_t *tag = cella_write_space(writer, CELLA_AEAD_TAG_SIZE);
    cella_clear_header_nonce(0, nonce);
    enum cella_status status = cella_aead_seal(aead, nonce, fields, (struct cella_bytes){0}, tag);
    if (status != CELLA_OK)
        return status;
    cella_write_zeros(writer, CHECKSUM - writer->size);
    cella_sha256(writer->data, CHECKSUM, cella_write_space(writer, CELLA_SHA256_SIZE));
    CELLA_ASSERT(!writer->failed && writer->size == CELLA_CLEAR_HEADER_SIZE);
    return CELLA_OK;
}

enum cella_status cella_clear_header_parse(struct cella_bytes bytes, const char *magic,
                                           struct cella_reader *reader, struct cella_clear_header *ret_header,
                                           struct cella_error *error) {
    uint8_t checksum[CELLA_SHA256_SIZE];
    struct cella_clear_header header = {0};
    if (bytes.size != CELLA_CLEAR_HEADER_SIZE)
        return cella_fail(error, CELLA_DAMAGED, "the header has %zu bytes instead of %d", bytes.size,
                          CELLA_CLEAR_HEADER_SIZE);
    cella_reader_init(reader, CELLA_BYTES(bytes.data, TAG));
    if (memcmp(cella_read_view(reader, CELLA_CLEAR_HEADER_MAGIC), magic, CELLA_CLEAR_HEADER_MAGIC) != 0)
        return cella_fail(error, CELLA_DAMAGED, "the header does not begin with %.4s", magic);
    uint16_t format = cella_read_u16(reader);
    /* Before the checksum, which belongs to the format, too. */
    if (format > FORMAT)
        return cella_fail(error, CELLA_NEWER_FORMAT, "the header has format %u", format);
    cella_sha256(bytes.data, CHECKSUM, checksum);
    if (format != FORMAT || memcmp(checksum, bytes.data + CHECKSUM, sizeof checksum) != 0)
        return cella_fail(error, CELLA_DAMAGED, "the header's checksum is wrong");
    cella_read_zeros(reader, 2);
    cella_read_copy(reader, header.vault_id, sizeof header.vault_id);
    cella_read_copy(reader, header.salt, sizeof header.salt);
    uint32_t size = cella_read_u32(reader);
    cella_read_zeros(reader, 4);
    if (size > sizeof header.key_info.data)
        return cella_fail(error, CELLA_DAMAGED, "the header's key info has %u bytes", size);
    header.key_info.size = size;
    cella_read_copy(reader, header.key_info.data, size);
    cella_read_zeros(reader, sizeof header.key_info.data - size);
    if (reader->failed)
        return cella_fail(error, CELLA_DAMAGED, "a reserved field of the header is not zero");
    *ret_header = header;
    return CELLA_OK;
}

enum cella_status cella_clear_header_parse_end(struct cella_reader *reader, struct cella_error *error) {
    cella_read_zeros(reader, cella_reader_left(reader));
    if (reader->failed)
        return cella_fail(error, CELLA_DAMAGED, "a reserved field of the header is not zero");
    return CELLA_OK;
}

enum cella_status cella_clear_header_verify(const uint8_t header[CELLA_CLEAR_HEADER_SIZE],
                                            struct cella_aead *aead, struct cella_error *error) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE], nothing;
    cella_clear_header_nonce(0, nonce);
    enum cella_status status = cella_aead_open(aead, nonce, CELLA_BYTES(header, TAG),
                                               CELLA_BYTES(header + TAG, CELLA_AEAD_TAG_SIZE), &nothing);
    if (status == CELLA_AUTHENTICATION)
        return cella_fail(error, status, "the header was not made with this key");
    return status;
}

const uint8_t *cella_clear_header_digest(const uint8_t header[CELLA_CLEAR_HEADER_SIZE]) {
    return header + CHECKSUM;
}
