/* Writes and reads small segments. */
#include "ledger.h"
#include <stdlib.h>
#include <string.h>

const uint8_t ledger_root_key[CELLA_ROOT_KEY_SIZE] = "a root key of the test's own.";

struct cella_segment ledger_segment(uint8_t vault, uint64_t epoch, uint64_t number, uint32_t seed) {
    struct cella_segment segment = {.lineage = 1, .epoch = epoch, .number = number};
    memset(segment.vault_id, vault, sizeof segment.vault_id);
    memcpy(segment.salt, test_pattern(sizeof segment.salt, seed).data, sizeof segment.salt);
    memcpy(segment.key_info.data, "info", 4);
    segment.key_info.size = 4;
    return segment;
}

void ledger_begin(struct ledger *ledger, const struct cella_segment *segment) {
    ledger->count = 0;
    ledger->size = ledger->at[0] = CELLA_SEGMENT_HEADER_SIZE;
    assert_status(cella_journal_begin(&ledger->journal, segment, ledger_root_key, ledger->bytes), CELLA_OK);
}

void ledger_add_kind(struct ledger *ledger, enum cella_record_kind kind, uint64_t epoch,
                     const char *content) {
    struct cella_bytes bytes = CELLA_BYTES(content, strlen(content));
    assert_true(ledger->count < LEDGER_RECORDS_MAX);
    assert_true(ledger->size + cella_record_size(bytes.size) <= sizeof ledger->bytes);
    assert_int_equal(ledger->journal.offset, ledger->size);
    assert_status(cella_journal_seal(&ledger->journal, kind, epoch, bytes, ledger->bytes + ledger->size),
                  CELLA_OK);
    ledger->size += cella_record_size(bytes.size);
    ledger->at[++ledger->count] = ledger->size;
}

void ledger_add(struct ledger *ledger, const char *content) {
    ledger_add_kind(ledger, CELLA_RECORD_CHANGES, ledger->journal.head.epoch, content);
}

void ledger_fill(struct ledger *ledger) {
    uint64_t before = ledger->journal.head.epoch;
    ledger_add_kind(ledger, CELLA_RECORD_INTENT, before, "");
    ledger_add_kind(ledger, CELLA_RECORD_EPOCH, before + 1, "");
    ledger_add(ledger, "first");
    ledger_add(ledger, "second");
    ledger_add(ledger, "third");
}

void ledger_end(struct ledger *ledger) {
    cella_journal_deinit(&ledger->journal);
}

static void check_content(unsigned index, struct cella_bytes content) {
    static const char *const contents[] = {"", "", "first", "second", "third"};
    assert_true(index < sizeof contents / sizeof *contents);
    assert_bytes(content, CELLA_BYTES(contents[index], strlen(contents[index])));
}

struct finding ledger_read(struct cella_bytes bytes, const struct ledger *expected) {
    struct finding finding = {.end = CELLA_OK};
    struct cella_journal journal;
    struct cella_record_header header;
    struct cella_bytes content;
    size_t front = bytes.size < CELLA_SEGMENT_HEADER_SIZE ? bytes.size : CELLA_SEGMENT_HEADER_SIZE;
    finding.load = cella_journal_load(&journal, CELLA_BYTES(bytes.data, front), ledger_root_key, NULL);
    if (finding.load != CELLA_OK)
        return finding;
    uint8_t *out = malloc(sizeof expected->bytes);
    assert_non_null(out);
    for (size_t at = front; finding.end == CELLA_OK; at = journal.offset) {
        struct cella_bytes rest = {bytes.data + at, bytes.size - at};
        finding.end = cella_journal_open(&journal, rest, out, &header, &content, NULL);
        if (finding.end != CELLA_OK)
            break;
        assert_int_equal(header.version, expected == NULL ? header.version : finding.opened + 1);
        if (expected != NULL)
            check_content(finding.opened, content);
        finding.opened++;
    }
    finding.head = journal.head;
    for (size_t at = journal.offset + CELLA_RECORD_ALIGNMENT; at < bytes.size; at += CELLA_RECORD_ALIGNMENT)
        finding.later |= cella_journal_probe(&journal, CELLA_BYTES(bytes.data + at, bytes.size - at), out);
    free(out);
    cella_journal_deinit(&journal);
    return finding;
}
