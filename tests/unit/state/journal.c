/* Records of the journal: what was sealed comes back in its order, and nothing else does. */
#include "crypto/hash.h"
#include "ledger.h"
#include "support/memory.h"
#include "support/nonces.h"
#include <stdio.h>
#include <string.h>

static void segments_come_back_as_they_were_written(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    struct finding finding = ledger_read(CELLA_BYTES(ledger.bytes, ledger.size), &ledger);
    assert_status(finding.load, CELLA_OK);
    assert_status(finding.end, CELLA_NOT_FOUND);
    assert_int_equal(finding.opened, 5);
    assert_false(finding.later);
    assert_int_equal(finding.head.epoch, 1);
    assert_int_equal(finding.head.version, 5);
    assert_memory_equal(finding.head.digest, ledger.journal.head.digest, CELLA_DIGEST_SIZE);
    ledger_end(&ledger);
}

static void a_segment_says_in_the_clear_whose_it_is(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(9, 4, 7, 1), parsed;
    segment.after = (struct cella_head){.epoch = 3, .version = 40, .digest = {5}};
    ledger_begin(&ledger, &segment);
    assert_status(cella_segment_parse(CELLA_BYTES(ledger.bytes, CELLA_SEGMENT_HEADER_SIZE), &parsed, NULL),
                  CELLA_OK);
    assert_memory_equal(parsed.vault_id, segment.vault_id, sizeof segment.vault_id);
    assert_int_equal(parsed.lineage, 1);
    assert_int_equal(parsed.epoch, 4);
    assert_int_equal(parsed.number, 7);
    assert_memory_equal(&parsed.after, &segment.after, sizeof segment.after);
    assert_memory_equal(parsed.salt, segment.salt, sizeof segment.salt);
    assert_int_equal(parsed.key_info.size, 4);
    assert_memory_equal(parsed.key_info.data, "info", 4);
    ledger_end(&ledger);
}

/* What a changed byte at `at` must do to the whole segment. */
static void expect_damage(const struct ledger *ledger, size_t at, const struct finding *finding) {
    if (at < CELLA_SEGMENT_HEADER_SIZE) {
        if (finding->load != CELLA_DAMAGED)
            assert_true((at == 4 || at == 5) && finding->load == CELLA_NEWER_FORMAT);
        return;
    }
    unsigned hit = 0;
    while (ledger->at[hit + 1] <= at)
        hit++;
    size_t inside = at - ledger->at[hit];
    bool in_mark = inside < 4 || (inside >= 8 && inside < 24);
    assert_status(finding->load, CELLA_OK);
    assert_int_equal(finding->opened, hit);
    assert_status(finding->end, in_mark ? CELLA_NOT_FOUND : CELLA_DAMAGED);
    assert_int_equal(finding->later, hit + 1 < ledger->count);
}

static void every_flipped_bit_is_found_and_later_records_show_that_it_was_no_cut(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    for (size_t at = 0; at < ledger.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            ledger.bytes[at] ^= (uint8_t)(1u << bit);
            struct finding finding = ledger_read(CELLA_BYTES(ledger.bytes, ledger.size), &ledger);
            expect_damage(&ledger, at, &finding);
            ledger.bytes[at] ^= (uint8_t)(1u << bit);
        }
    ledger_end(&ledger);
}

static void a_cut_at_every_byte_leaves_the_whole_records_before_it(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    for (size_t size = 0; size < ledger.size; size++) {
        struct cella_bytes cut = test_copy(CELLA_BYTES(ledger.bytes, size));
        struct finding finding = ledger_read(cut, &ledger);
        assert_status(finding.load, size < CELLA_SEGMENT_HEADER_SIZE ? CELLA_DAMAGED : CELLA_OK);
        if (finding.load != CELLA_OK)
            continue;
        unsigned whole = 0;
        while (ledger.at[whole + 1] <= size)
            whole++;
        assert_int_equal(finding.opened, whole);
        assert_status(finding.end, size - ledger.at[whole] < 24 ? CELLA_NOT_FOUND : CELLA_DAMAGED);
        assert_false(finding.later);
    }
    ledger_end(&ledger);
}

static void zeros_and_old_bytes_of_another_segment_are_the_end_and_no_damage(void **state) {
    static struct ledger old, now;
    static uint8_t file[sizeof old.bytes];
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&old, &segment);
    ledger_fill(&old);
    segment = ledger_segment(1, 2, 2, 2);
    segment.after = old.journal.head;
    ledger_begin(&now, &segment);
    ledger_add_kind(&now, CELLA_RECORD_INTENT, 1, "");
    memcpy(file, now.bytes, now.size);
    assert_status(ledger_read(CELLA_BYTES(file, sizeof file), NULL).end, CELLA_NOT_FOUND);
    memcpy(file, old.bytes, old.size);
    memcpy(file, now.bytes, now.size);
    struct finding finding = ledger_read(CELLA_BYTES(file, sizeof file), NULL);
    assert_int_equal(finding.opened, 1);
    assert_status(finding.end, CELLA_NOT_FOUND);
    assert_false(finding.later);
    ledger_end(&old);
    ledger_end(&now);
}

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

static void a_header_that_another_key_made_is_told_from_a_damaged_one(void **state) {
    static struct ledger ledger;
    struct cella_journal journal;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    uint8_t other_key[CELLA_ROOT_KEY_SIZE] = {1};
    ledger_begin(&ledger, &segment);
    struct cella_bytes header = CELLA_BYTES(ledger.bytes, CELLA_SEGMENT_HEADER_SIZE);
    assert_status(cella_journal_load(&journal, header, other_key, NULL), CELLA_AUTHENTICATION);
    /* Anybody can compute the checksum, nobody without the key the tag. */
    ledger.bytes[8] ^= 1;
    assert_status(cella_journal_load(&journal, header, ledger_root_key, NULL), CELLA_DAMAGED);
    cella_sha256(ledger.bytes, 992, ledger.bytes + 992);
    assert_status(cella_journal_load(&journal, header, ledger_root_key, NULL), CELLA_AUTHENTICATION);
    ledger_end(&ledger);
}

static void sizes_within_one_class_cannot_be_told_apart(void **state) {
    assert_int_equal(cella_record_size(0), 512);
    assert_int_equal(cella_record_size(392), 512);
    assert_int_equal(cella_record_size(393), 1024);
    for (size_t size = 1; size < 300000; size++) {
        size_t class = cella_size_class(size);
        assert_true(class >= size && class % CELLA_RECORD_ALIGNMENT == 0);
        assert_true(class - size < CELLA_RECORD_ALIGNMENT || class - size <= size / 8);
        assert_int_equal(cella_size_class(class), class);
    }
    assert_int_equal(cella_size_class(8193), 9216);
    assert_int_equal(cella_size_class((1 << 20) + 1), (1 << 20) + (1 << 17));
}

static void content_of_the_largest_size_is_sealed_and_a_larger_one_is_not(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    struct cella_record_header header;
    struct cella_bytes content = {test_allocate(CELLA_RECORD_MAX), CELLA_RECORD_MAX + 1}, opened;
    uint8_t *out = test_allocate(cella_record_size(CELLA_RECORD_MAX));
    ledger_begin(&ledger, &segment);
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_CHANGES, 0, content, out), CELLA_ARGUMENT);
    content.size--;
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_CHANGES, 0, content, out), CELLA_OK);
    struct cella_journal journal;
    assert_status(cella_journal_load(&journal, CELLA_BYTES(ledger.bytes, CELLA_SEGMENT_HEADER_SIZE),
                                     ledger_root_key, NULL),
                  CELLA_OK);
    uint8_t *plain = test_allocate(cella_record_size(CELLA_RECORD_MAX));
    assert_status(cella_journal_open(&journal, CELLA_BYTES(out, cella_record_size(CELLA_RECORD_MAX)), plain,
                                     &header, &opened, NULL),
                  CELLA_OK);
    assert_int_equal(opened.size, CELLA_RECORD_MAX);
    assert_memory_equal(opened.data, content.data, CELLA_RECORD_MAX);
    cella_journal_deinit(&journal);
    ledger_end(&ledger);
}

static void content_that_stands_in_its_place_is_sealed_there(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    struct cella_bytes content = test_pattern(1000, 3);
    uint8_t apart[2048], in_place[2048];
    ledger_begin(&ledger, &segment);
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_CHANGES, 0, content, apart), CELLA_OK);
    ledger_end(&ledger);
    ledger_begin(&ledger, &segment);
    memset(in_place, 0xaa, sizeof in_place);
    memcpy(in_place + CELLA_RECORD_CONTENT_OFFSET, content.data, content.size);
    content.data = in_place + CELLA_RECORD_CONTENT_OFFSET;
    assert_status(cella_journal_seal(&ledger.journal, CELLA_RECORD_CHANGES, 0, content, in_place), CELLA_OK);
    assert_memory_equal(apart, in_place, cella_record_size(content.size));
    ledger_end(&ledger);
}

static void a_seal_that_fails_moves_nothing_and_leaves_no_content(void **state) {
    struct cella_journal journal = {.offset = CELLA_SEGMENT_HEADER_SIZE};
    uint8_t out[512];
    memset(out, 0, sizeof out);
    assert_status(cella_journal_seal(&journal, CELLA_RECORD_CHANGES, 0, CELLA_BYTES("secret", 6), out),
                  CELLA_ARGUMENT);
    assert_null(memmem(out, sizeof out, "secret", 6));
    assert_int_equal(journal.offset, CELLA_SEGMENT_HEADER_SIZE);
    assert_int_equal(journal.head.version, 0);
}

static void no_content_is_left_of_a_record_that_is_not_accepted(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    struct cella_journal journal;
    struct cella_record_header header;
    struct cella_bytes content;
    uint8_t out[512];
    memset(out, 0, sizeof out);
    ledger_begin(&ledger, &segment);
    ledger_fill(&ledger);
    assert_status(cella_journal_load(&journal, CELLA_BYTES(ledger.bytes, CELLA_SEGMENT_HEADER_SIZE),
                                     ledger_root_key, NULL),
                  CELLA_OK);
    uint8_t *third = ledger.bytes + ledger.at[4];
    assert_status(cella_journal_open(&journal, CELLA_BYTES(third, 512), out, &header, &content, NULL),
                  CELLA_VAULT_SPLICED);
    assert_null(memmem(out, sizeof out, "third", 5));
    assert_true(cella_journal_probe(&journal, CELLA_BYTES(third, 512), out));
    assert_null(memmem(out, sizeof out, "third", 5));
    third[511] ^= 1;
    assert_status(cella_journal_open(&journal, CELLA_BYTES(third, 512), out, &header, &content, NULL),
                  CELLA_DAMAGED);
    assert_null(memmem(out, sizeof out, "third", 5));
    assert_false(cella_journal_probe(&journal, CELLA_BYTES(third, 512), out));
    cella_journal_deinit(&journal);
    ledger_end(&ledger);
}

static void sealed_bytes_hold_nothing_of_the_content(void **state) {
    static struct ledger ledger;
    struct cella_segment segment = ledger_segment(1, 1, 1, 1);
    ledger_begin(&ledger, &segment);
    ledger_add(&ledger, "account/alice = 100");
    for (size_t at = 0; at + 4 <= ledger.size; at++)
        assert_null(memmem("account/alice = 100", 19, ledger.bytes + at, 4));
    ledger_end(&ledger);
}

static void forked_copies_never_share_a_key_and_a_nonce(void **state) {
    static struct ledger forks[2];
    /* Both own the same epoch, number and head, as copies on two disks do; only the salt is fresh. */
    for (uint32_t fork = 0; fork < 2; fork++) {
        struct cella_segment segment = ledger_segment(7, 5, 9, 100 + fork);
        ledger_begin(&forks[fork], &segment);
        ledger_fill(&forks[fork]);
    }
    for (unsigned i = 0; i < forks[0].count; i++)
        assert_memory_not_equal(forks[0].bytes + forks[0].at[i] + CELLA_RECORD_HEADER_SIZE,
                                forks[1].bytes + forks[1].at[i] + CELLA_RECORD_HEADER_SIZE, 400);
    ledger_end(&forks[0]);
    ledger_end(&forks[1]);
    /* And where even the salt repeats, vault, epoch and number separate the keys. */
    static const struct {
        uint8_t vault;
        uint64_t epoch, number;
    } others[] = {{8, 5, 9}, {7, 6, 9}, {7, 5, 10}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct cella_segment segment =
            ledger_segment(others[i].vault, others[i].epoch, others[i].number, 100);
        ledger_begin(&forks[0], &segment);
        ledger_fill(&forks[0]);
        ledger_end(&forks[0]);
    }
}

/* Runs alone, with nothing sealed before. */
static void no_nonce_is_used_twice_and_the_watch_would_see_it(void **state) {
    static struct ledger ledger;
    assert_int_equal(test_nonces_used(), 0);
    forked_copies_never_share_a_key_and_a_nonce(state);
    assert_int_equal(test_nonces_used(), 5 * 6);
    assert_int_equal(test_nonces_repeated(), 0);
    struct cella_segment segment = ledger_segment(7, 5, 9, 100);
    ledger_begin(&ledger, &segment);
    ledger_add_kind(&ledger, CELLA_RECORD_INTENT, 0, "");
    ledger_end(&ledger);
    assert_int_equal(test_nonces_repeated(), 2);
}

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
        cmocka_unit_test(no_nonce_is_used_twice_and_the_watch_would_see_it),
        cmocka_unit_test(segments_come_back_as_they_were_written),
        cmocka_unit_test(a_segment_says_in_the_clear_whose_it_is),
        cmocka_unit_test(every_flipped_bit_is_found_and_later_records_show_that_it_was_no_cut),
        cmocka_unit_test(a_cut_at_every_byte_leaves_the_whole_records_before_it),
        cmocka_unit_test(zeros_and_old_bytes_of_another_segment_are_the_end_and_no_damage),
        cmocka_unit_test(a_genuine_record_at_another_place_is_spliced),
        cmocka_unit_test(a_record_that_follows_another_head_is_spliced),
        cmocka_unit_test(only_an_epoch_record_moves_the_epoch_and_only_forward),
        cmocka_unit_test(records_of_another_vault_lineage_epoch_segment_or_copy_do_not_open),
        cmocka_unit_test(a_header_that_another_key_made_is_told_from_a_damaged_one),
        cmocka_unit_test(sizes_within_one_class_cannot_be_told_apart),
        cmocka_unit_test(content_of_the_largest_size_is_sealed_and_a_larger_one_is_not),
        cmocka_unit_test(content_that_stands_in_its_place_is_sealed_there),
        cmocka_unit_test(a_seal_that_fails_moves_nothing_and_leaves_no_content),
        cmocka_unit_test(no_content_is_left_of_a_record_that_is_not_accepted),
        cmocka_unit_test(sealed_bytes_hold_nothing_of_the_content),
        cmocka_unit_test(forked_copies_never_share_a_key_and_a_nonce),
        cmocka_unit_test(the_worked_example_is_made_and_read_byte_for_byte),
        cmocka_unit_test(a_record_has_one_form_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
