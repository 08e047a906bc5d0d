/* A segment of the journal: its header and its key. Must not know what lies in it. */
#include "base/error.h"
#include "base/secret.h"
#include "state/clear_header.h"
#include <string.h>

#define MAGIC "CLVS"
#define LABEL "cella journal segment"

_Static_assert(CELLA_SEGMENT_HEADER_SIZE == CELLA_CLEAR_HEADER_SIZE, "one header for both kinds of files");

static struct cella_clear_header common_fields(const struct cella_segment *segment) {
    struct cella_clear_header header = {.key_info = segment->key_info};
    memcpy(header.vault_id, segment->vault_id, sizeof header.vault_id);
    memcpy(header.salt, segment->salt, sizeof header.salt);
    return header;
}

static enum cella_status derive(struct cella_journal *journal, const struct cella_segment *segment,
                                const uint8_t *root_key) {
    uint8_t info[sizeof LABEL - 1 + CELLA_VAULT_ID_SIZE + 2 * sizeof(uint64_t)];
    struct cella_clear_header header = common_fields(segment);
    struct cella_writer writer;
    cella_writer_init(&writer, info, sizeof info);
    cella_write_bytes(&writer, LABEL, sizeof LABEL - 1);
    cella_write_bytes(&writer, segment->vault_id, sizeof segment->vault_id);
    cella_write_u64(&writer, segment->epoch);
    cella_write_u64(&writer, segment->number);
    CELLA_ASSERT(!writer.failed);
    return cella_clear_header_key(&header, root_key, cella_writer_bytes(&writer), &journal->aead);
}

/* With a key that fits: at the first record. */
static void start(struct cella_journal *journal, const struct cella_segment *segment, const uint8_t *header) {
    journal->segment = *segment;
    memcpy(journal->header_digest, cella_clear_header_digest(header), sizeof journal->header_digest);
    journal->head = segment->after;
    journal->offset = CELLA_SEGMENT_HEADER_SIZE;
}

enum cella_status cella_journal_begin(struct cella_journal *journal, const struct cella_segment *segment,
                                      const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                      uint8_t ret_header[CELLA_SEGMENT_HEADER_SIZE]) {
    uint8_t header[CELLA_SEGMENT_HEADER_SIZE];
    struct cella_clear_header common = common_fields(segment);
    struct cella_writer writer;
    *journal = (struct cella_journal){.offset = 0};
    enum cella_status status = derive(journal, segment, root_key);
    if (status != CELLA_OK)
        return status;
    cella_writer_init(&writer, header, sizeof header);
    cella_clear_header_write(&writer, MAGIC, &common);
    cella_write_u64(&writer, segment->lineage);
    cella_write_u64(&writer, segment->epoch);
    cella_write_u64(&writer, segment->number);
    cella_write_u64(&writer, segment->after.epoch);
    cella_write_u64(&writer, segment->after.version);
    cella_write_bytes(&writer, segment->after.digest, sizeof segment->after.digest);
    status = cella_clear_header_end(&writer, &journal->aead);
    if (status != CELLA_OK) {
        cella_journal_deinit(journal);
        return status;
    }
    start(journal, segment, header);
    memcpy(ret_header, header, sizeof header);
    return CELLA_OK;
}

enum cella_status cella_segment_parse(struct cella_bytes header, struct cella_segment *ret_segment,
                                      struct cella_error *error) {
    struct cella_reader reader;
    struct cella_clear_header common;
    enum cella_status status = cella_clear_header_parse(header, MAGIC, &reader, &common, error);
    if (status != CELLA_OK)
        return status;
    struct cella_segment segment = {.key_info = common.key_info};
    memcpy(segment.vault_id, common.vault_id, sizeof segment.vault_id);
    memcpy(segment.salt, common.salt, sizeof segment.salt);
    segment.lineage = cella_read_u64(&reader);
    segment.epoch = cella_read_u64(&reader);
    segment.number = cella_read_u64(&reader);
    segment.after.epoch = cella_read_u64(&reader);
    segment.after.version = cella_read_u64(&reader);
    cella_read_copy(&reader, segment.after.digest, sizeof segment.after.digest);
    status = cella_clear_header_parse_end(&reader, error);
    if (status != CELLA_OK)
        return status;
    *ret_segment = segment;
    return CELLA_OK;
}

enum cella_status cella_journal_load(struct cella_journal *journal, struct cella_bytes header,
                                     const uint8_t root_key[CELLA_ROOT_KEY_SIZE], struct cella_error *error) {
    struct cella_segment segment;
    *journal = (struct cella_journal){.offset = 0};
    enum cella_status status = cella_segment_parse(header, &segment, error);
    if (status != CELLA_OK)
        return status;
    status = derive(journal, &segment, root_key);
    if (status == CELLA_OK)
        status = cella_clear_header_verify(header.data, &journal->aead, error);
    if (status == CELLA_OK)
        start(journal, &segment, header.data);
    else
        cella_journal_deinit(journal);
    return status;
}

void cella_journal_deinit(struct cella_journal *journal) {
    cella_aead_deinit(&journal->aead);
    cella_wipe(journal, sizeof *journal);
}
