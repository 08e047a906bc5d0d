/* The format of the journal: the worked example, and that each record has one form only. */
#include "state/journal.h"
#include "support/test.h"
#include <stdio.h>
#include <string.h>

static struct cella_bytes field(const char *format, unsigned index) {
    char name[32];
    (void)snprintf(name, sizeof name, format, index);
    return test_vector_field("state/journal.txt", name);
}

static void the_worked_example_is_made_and_read_byte_for_byte(void **state) {
    static const struct {
        enum cella_record_kind kind;
        uint64_t epoch;
    } records[] = {{CELLA_RECORD_INTENT, 2},
                   {CELLA_RECORD_EPOCH, 3},
                   {CELLA_RECORD_CHANGES, 3},
                   {CELLA_RECORD_CHANGES, 3}};
    struct cella_segment segment = {.lineage = 1, .epoch = 3, .number = 7};
    struct cella_journal writer, reader;
    uint8_t header[CELLA_SEGMENT_HEADER_SIZE], out[10240];
    struct cella_record_header opened;
    struct cella_bytes content;
    memcpy(segment.vault_id, field("vault_id", 0).data, sizeof segment.vault_id);
    memcpy(segment.salt, field("salt", 0).data, sizeof segment.salt);
    segment.key_info.size = field("key_info", 0).size;
    memcpy(segment.key_info.data, field("key_info", 0).data, segment.key_info.size);
    segment.after = (struct cella_head){.epoch = 2, .version = 40};
    memcpy(segment.after.digest, field("after_digest", 0).data, CELLA_DIGEST_SIZE);
    const uint8_t *root_key = field("root_key", 0).data;
    assert_status(cella_journal_begin(&writer, &segment, root_key, header), CELLA_OK);
    assert_bytes(CELLA_BYTES(header, sizeof header), field("header", 0));
    assert_status(cella_journal_load(&reader, field("header", 0), root_key, NULL), CELLA_OK);
    for (unsigned i = 0; i < sizeof records / sizeof *records; i++) {
        struct cella_bytes expected = field("content_%u", i + 1), record = field("record_%u", i + 1);
        assert_status(cella_journal_seal(&writer, records[i].kind, records[i].epoch, expected, out),
                      CELLA_OK);
        assert_bytes(CELLA_BYTES(out, cella_record_size(expected.size)), record);
        assert_status(cella_journal_open(&reader, record, out, &opened, &content, NULL), CELLA_OK);
        assert_bytes(content, expected);
        assert_int_equal(opened.kind, records[i].kind);
        assert_int_equal(opened.version, 41 + i);
        assert_bytes(CELLA_BYTES(reader.head.digest, CELLA_DIGEST_SIZE), field("digest_%u", i + 1));
        assert_memory_equal(&reader.head, &writer.head, sizeof reader.head);
    }
    cella_journal_deinit(&writer);
    cella_journal_deinit(&reader);
}

/* Seals `plain` by hand under the key of the worked example as its first record. */
static enum cella_status open_by_hand(struct cella_bytes plain) {
    struct cella_journal journal;
    struct cella_aead aead = {0};
    struct cella_record_header header;
    struct cella_bytes content, example = field("record_1", 0);
    uint8_t record[1024], out[1024], nonce[CELLA_AEAD_NONCE_SIZE] = {41};
    memcpy(record, example.data, CELLA_RECORD_HEADER_SIZE);
    record[4] = 0;
    record[5] = (uint8_t)((CELLA_RECORD_HEADER_SIZE + plain.size + CELLA_AEAD_TAG_SIZE) / 256);
    assert_status(cella_journal_load(&journal, field("header", 0), field("root_key", 0).data, NULL),
                  CELLA_OK);
    assert_status(cella_aead_init(&aead, field("segment_key", 0).data), CELLA_OK);
    const struct cella_bytes ad[2] = {CELLA_BYTES(journal.header_digest, CELLA_DIGEST_SIZE),
                                      CELLA_BYTES(record, CELLA_RECORD_HEADER_SIZE)};
    assert_status(cella_aead_seal_two(&aead, nonce, ad, plain, record + CELLA_RECORD_HEADER_SIZE), CELLA_OK);
    enum cella_status status =
        cella_journal_open(&journal, CELLA_BYTES(record, sizeof record), out, &header, &content, NULL);
    cella_aead_deinit(&aead);
    cella_journal_deinit(&journal);
    return status;
}

static void a_record_has_one_form_only(void **state) {
    uint8_t plain[1024 - 112] = {8, [8] = 3};
    assert_status(open_by_hand(CELLA_BYTES(plain, 400)), CELLA_OK);
    /* A larger class than the content asks for. */
    assert_status(open_by_hand(CELLA_BYTES(plain, sizeof plain)), CELLA_DAMAGED);
    /* Padding that is not zero. */
    plain[399] = 1;
    assert_status(open_by_hand(CELLA_BYTES(plain, 400)), CELLA_DAMAGED);
    plain[399] = 0;
    /* More content than there are bytes. */
    plain[1] = 1;
    plain[0] = 0x88;
    assert_status(open_by_hand(CELLA_BYTES(plain, 400)), CELLA_OK);
    plain[0] = 0x89;
    assert_status(open_by_hand(CELLA_BYTES(plain, 400)), CELLA_DAMAGED);
    memset(plain, 0xff, 8);
    assert_status(open_by_hand(CELLA_BYTES(plain, 400)), CELLA_DAMAGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_is_made_and_read_byte_for_byte),
        cmocka_unit_test(a_record_has_one_form_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
