/* The attestation file's bytes. Judges nothing. */
#include "attest/attestation.h"
#include "attest/statement.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <string.h>

#define MAGIC   "CATT"
#define VERSION 1
/* Magic, version, kind, time, nonce flag; then lengths of statement, evidence and each collateral piece. */
#define FIXED_SIZE (4 + 2 + 2 + 8 + 1 + 4 * (2 + CELLA_COLLATERAL_COUNT))

static bool parts_fit(const struct cella_attestation *attestation) {
    if (attestation->statement.size > CELLA_STATEMENT_SIZE_MAX ||
        attestation->evidence.size > CELLA_EVIDENCE_SIZE_MAX)
        return false;
    for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
        if (attestation->collateral[at].size > CELLA_COLLATERAL_SIZE_MAX)
            return false;
    return true;
}

size_t cella_attestation_size(const struct cella_attestation *attestation) {
    size_t size = FIXED_SIZE + (attestation->nonce != NULL ? (size_t)CELLA_NONCE_SIZE : 0) +
                  attestation->statement.size + attestation->evidence.size;
    if (!parts_fit(attestation))
        return 0;
    for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
        size += attestation->collateral[at].size;
    return size <= CELLA_ATTESTATION_SIZE_MAX ? size : 0;
}

enum cella_status cella_attestation_write(const struct cella_attestation *attestation, uint8_t *out,
                                          size_t capacity, size_t *ret_size, struct cella_error *error) {
    struct cella_writer writer;
    if (cella_attestation_size(attestation) == 0)
        return cella_fail(error, CELLA_LIMIT,
                          "attestation: a part is larger than its limit (statement %d, evidence %d, "
                          "collateral piece %d, whole %d bytes)",
                          CELLA_STATEMENT_SIZE_MAX, CELLA_EVIDENCE_SIZE_MAX, CELLA_COLLATERAL_SIZE_MAX,
                          CELLA_ATTESTATION_SIZE_MAX);
    cella_writer_init(&writer, out, capacity);
    cella_write_bytes(&writer, MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    cella_write_u16(&writer, (uint16_t)attestation->kind);
    cella_write_u64(&writer, (uint64_t)attestation->time);
    cella_write_u8(&writer, attestation->nonce != NULL);
    if (attestation->nonce != NULL)
        cella_write_bytes(&writer, attestation->nonce, CELLA_NONCE_SIZE);
    cella_write_sized(&writer, attestation->statement);
    cella_write_sized(&writer, attestation->evidence);
    for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
        cella_write_sized(&writer, attestation->collateral[at]);
    if (writer.failed)
        return cella_fail(error, CELLA_TOO_SMALL, "attestation: %zu bytes are not enough", capacity);
    *ret_size = writer.size;
    return CELLA_OK;
}

static enum cella_status read_start(struct cella_reader *reader, uint16_t *ret_kind,
                                    struct cella_error *error) {
    const uint8_t *magic = cella_read_view(reader, 4);
    uint16_t version = cella_read_u16(reader);
    *ret_kind = cella_read_u16(reader);
    if (reader->failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "attestation: the bytes do not start as one");
    if (version == 0)
        return cella_fail(error, CELLA_DAMAGED, "attestation: version 0 does not exist");
    if (version > VERSION || *ret_kind != CELLA_KIND_SGX)
        return cella_fail(error, CELLA_NEWER_FORMAT, "attestation: version %u, evidence kind %u is not known",
                          (unsigned)version, (unsigned)*ret_kind);
    return CELLA_OK;
}

enum cella_status cella_attestation_parse(struct cella_bytes bytes, struct cella_attestation *ret_attestation,
                                          struct cella_error *error) {
    struct cella_attestation attestation = {0};
    struct cella_reader reader;
    uint16_t kind = 0;
    if (bytes.size > CELLA_ATTESTATION_SIZE_MAX)
        return cella_fail(error, CELLA_DAMAGED, "attestation: %zu bytes are more than %d", bytes.size,
                          CELLA_ATTESTATION_SIZE_MAX);
    cella_reader_init(&reader, bytes);
    enum cella_status status = read_start(&reader, &kind, error);
    if (status != CELLA_OK)
        return status;
    attestation.kind = (enum cella_kind)kind;
    uint64_t time = cella_read_u64(&reader);
    uint8_t has_nonce = cella_read_u8(&reader);
    if (time > INT64_MAX || has_nonce > 1)
        return cella_fail(error, CELLA_DAMAGED, "attestation: its time or its nonce flag is out of range");
    attestation.time = (int64_t)time;
    if (has_nonce == 1)
        attestation.nonce = cella_read_view(&reader, CELLA_NONCE_SIZE);
    attestation.statement = cella_read_sized(&reader, CELLA_STATEMENT_SIZE_MAX);
    attestation.evidence = cella_read_sized(&reader, CELLA_EVIDENCE_SIZE_MAX);
    for (size_t at = 0; at < CELLA_COLLATERAL_COUNT; at++)
        attestation.collateral[at] = cella_read_sized(&reader, CELLA_COLLATERAL_SIZE_MAX);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED, "attestation: its parts do not fill its %zu bytes exactly",
                          bytes.size);
    *ret_attestation = attestation;
    return CELLA_OK;
}
