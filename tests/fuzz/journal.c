/* A segment from the host's disk. The key is that of the worked example, so that the corpus holds records
 * that open, and their changes are read, too. */
#include "base/error.h"
#include "state/journal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* SHA-256 of "cella state example: root key". */
static const uint8_t root_key[CELLA_ROOT_KEY_SIZE] = {
    0x9f, 0x62, 0xdf, 0x68, 0xab, 0x2d, 0xd6, 0x93, 0xec, 0x67, 0x4d, 0x8f, 0x0b, 0xeb, 0x1c, 0x4a,
    0x40, 0x8b, 0x89, 0xf0, 0x45, 0x5a, 0x91, 0xb8, 0x7f, 0xf5, 0x15, 0x75, 0xfd, 0x61, 0xd7, 0x20};

static void read_changes(struct cella_bytes content) {
    struct cella_change change;
    enum cella_status status;
    size_t position = 0, size = 0;
    while (cella_change_next(content, &position, &change, &status))
        size += cella_change_size(change.key, change.is_delete ? NULL : &change.value);
    CELLA_ASSERT(status != CELLA_OK || size == content.size);
}

/* The input as a segment, from its header on. */
static void read_segment(struct cella_bytes bytes) {
    struct cella_journal journal;
    struct cella_record_header header;
    struct cella_bytes content;
    size_t at = bytes.size < CELLA_SEGMENT_HEADER_SIZE ? bytes.size : CELLA_SEGMENT_HEADER_SIZE;
    if (cella_journal_load(&journal, CELLA_BYTES(bytes.data, at), root_key, NULL) != CELLA_OK)
        return;
    uint8_t *out = malloc(bytes.size + 1);
    CELLA_ASSERT(out != NULL);
    while (cella_journal_open(&journal, CELLA_BYTES(bytes.data + at, bytes.size - at), out, &header, &content,
                              NULL) == CELLA_OK) {
        CELLA_ASSERT(header.size == cella_record_size(content.size));
        read_changes(content);
        at += header.size;
        CELLA_ASSERT(journal.offset == at && journal.head.version == header.version);
    }
    for (; at + CELLA_RECORD_ALIGNMENT <= bytes.size; at += CELLA_RECORD_ALIGNMENT)
        (void)cella_journal_probe(&journal, CELLA_BYTES(bytes.data + at, bytes.size - at), out);
    free(out);
    cella_journal_deinit(&journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_segment(CELLA_BYTES(data, size));
    read_changes(CELLA_BYTES(data, size));
    return 0;
}
