/* Genuine records at the wrong place, and records that only look genuine: none is taken. */
#include "ledger.h"
#include <string.h>

static void a_genuine_record_at_another_place_is_spliced(void **state) {
    static struct ledger ledger;
    static uint8_t file[sizeof ledger.bytes];
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    const size_t *at = ledger.at;
    struct finding finding;
    /* Two records in the other order. */
    memcpy(file, ledger.bytes, ledger.size);
    memcpy(file + at[2], ledger.bytes + at[3], at[4] - at[3]);
    memcpy(file + at[3], ledger.bytes + at[2], at[3] - at[2]);
    finding = ledger_read(CELLA_BYTES(file, ledger.size), &ledger);
    assert_int_equal(finding.opened, 2);
    assert_status(finding.end, CELLA_VAULT_SPLICED);
    /* One left out, the last one in its place: no crash does that, so it is no torn write. */
    memcpy(file, ledger.bytes, ledger.size);
    memcpy(file + at[3], ledger.bytes + at[4], at[5] - at[4]);
    finding = ledger_read(CELLA_BYTES(file, at[4]), &ledger);
    assert_int_equal(finding.opened, 3);
    assert_status(finding.end, CELLA_VAULT_SPLICED);
    /* One twice. */
    memcpy(file, ledger.bytes, ledger.size);
    memcpy(file + at[5], ledger.bytes + at[4], at[5] - at[4]);
    finding = ledger_read(CELLA_BYTES(file, at[5] + at[5] - at[4]), &ledger);
    assert_int_equal(finding.opened, 5);
    assert_status(finding.end, CELLA_VAULT_SPLICED);
    ledger_end(&ledger);
}

/* Seals one more record as if the head were another one, and says what reading makes of it. */
static enum cella_status end_after(struct cella_head head, enum cella_record_kind kind, uint64_t epoch) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    if (head.version == 0)
        head = ledger.journal.head;
    ledger.journal.head = head;
    ledger_add_kind(&ledger, kind, epoch, "forged");
    ledger_end(&ledger);
    struct finding finding = ledger_read(CELLA_BYTES(ledger.bytes, ledger.size), NULL);
    return finding.opened == 6 ? CELLA_OK : finding.end;
}

static void a_record_that_follows_another_head_is_spliced(void **state) {
    struct cella_head now = {0};
    assert_status(end_after(now, CELLA_RECORD_CHANGES, 1), CELLA_OK);
    assert_status(end_after(now, CELLA_RECORD_EPOCH, 2), CELLA_OK);
    struct cella_head other = {.epoch = 1, .version = 5, .digest = {1}};
    assert_status(end_after(other, CELLA_RECORD_CHANGES, 1), CELLA_VAULT_SPLICED);
    other = (struct cella_head){.epoch = 1, .version = 6};
    assert_status(end_after(other, CELLA_RECORD_CHANGES, 1), CELLA_VAULT_SPLICED);
}

static void only_an_epoch_record_moves_the_epoch_and_only_forward(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    uint8_t out[1024];
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    struct cella_head head = ledger.journal.head;
    struct cella_bytes nothing = {0};
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_CHANGES, 2, nothing, out), CELLA_ARGUMENT);
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_INTENT, 0, nothing, out), CELLA_ARGUMENT);
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_EPOCH, 1, nothing, out), CELLA_ARGUMENT);
    assert_memory_equal(&head, &ledger.journal.head, sizeof head);
    /* One that says otherwise all the same is not taken. */
    ledger.journal.head.epoch = 2;
    ledger_add(&ledger, "forged");
    ledger_end(&ledger);
    struct finding finding = ledger_read(CELLA_BYTES(ledger.bytes, ledger.size), NULL);
    assert_int_equal(finding.opened, 5);
    assert_status(finding.end, CELLA_VAULT_SPLICED);
}

/* A header of a segment whose records are put into another one's file. */
static void expect_foreign(const struct ledger *ledger, struct cella_segment segment) {
    static struct ledger other;
    static uint8_t file[sizeof other.bytes];
    ledger_begin(&other, &segment);
    memcpy(file, other.bytes, CELLA_SEGMENT_HEADER_SIZE);
    memcpy(file + CELLA_SEGMENT_HEADER_SIZE, ledger->bytes + CELLA_SEGMENT_HEADER_SIZE,
           ledger->size - CELLA_SEGMENT_HEADER_SIZE);
    struct finding finding = ledger_read(CELLA_BYTES(file, ledger->size), NULL);
    assert_status(finding.load, CELLA_OK);
    assert_int_equal(finding.opened, 0);
    assert_status(finding.end, CELLA_NOT_FOUND);
    assert_false(finding.later);
    /* With the mark of the other segment they are taken for records, and do not open. */
    for (unsigned i = 0; i < ledger->count; i++)
        memcpy(file + ledger->at[i] + 8, other.journal.header_digest, 16);
    finding = ledger_read(CELLA_BYTES(file, ledger->size), NULL);
    assert_int_equal(finding.opened, 0);
    assert_status(finding.end, CELLA_DAMAGED);
    assert_false(finding.later);
    ledger_end(&other);
}

static void records_of_another_vault_lineage_epoch_segment_or_copy_do_not_open(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    expect_foreign(&ledger, ledger_segment(2, 1, 1, 1));
    expect_foreign(&ledger, ledger_segment(1, 2, 1, 1));
    expect_foreign(&ledger, ledger_segment(1, 1, 2, 1));
    expect_foreign(&ledger, ledger_segment(1, 1, 1, 2));
    segment.lineage = 2;
    expect_foreign(&ledger, segment);
    segment = ledger_segment(1, 1, 1, 1);
    segment.after.version = 1;
    expect_foreign(&ledger, segment);
    ledger_end(&ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_genuine_record_at_another_place_is_spliced),
        cmocka_unit_test(a_record_that_follows_another_head_is_spliced),
        cmocka_unit_test(only_an_epoch_record_moves_the_epoch_and_only_forward),
        cmocka_unit_test(records_of_another_vault_lineage_epoch_segment_or_copy_do_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
