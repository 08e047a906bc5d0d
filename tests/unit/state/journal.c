/* Records of the journal: what was sealed comes back in its order, and nothing else does. */
#include "crypto/hash.h"
#include "ledger.h"
#include "support/memory.h"
#include "support/nonces.h"
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

static void seal_over_forks(void) {
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

static void forked_copies_never_share_a_key_and_a_nonce_and_the_watch_would_see_it(void **state) {
    static struct ledger ledger;
    size_t used = test_nonces_used(), repeated = test_nonces_repeated();
    seal_over_forks();
    assert_int_equal(test_nonces_used(), used + 5 * 6);
    assert_int_equal(test_nonces_repeated(), repeated);
    struct cella_segment segment = ledger_segment(7, 5, 9, 100);
    ledger_begin(&ledger, &segment);
    ledger_add_kind(&ledger, CELLA_RECORD_INTENT, 0, "");
    ledger_end(&ledger);
    assert_int_equal(test_nonces_repeated(), repeated + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_come_back_as_they_were_written),
        cmocka_unit_test(a_segment_says_in_the_clear_whose_it_is),
        cmocka_unit_test(every_flipped_bit_is_found_and_later_records_show_that_it_was_no_cut),
        cmocka_unit_test(a_cut_at_every_byte_leaves_the_whole_records_before_it),
        cmocka_unit_test(zeros_and_old_bytes_of_another_segment_are_the_end_and_no_damage),
        cmocka_unit_test(a_header_that_another_key_made_is_told_from_a_damaged_one),
        cmocka_unit_test(sizes_within_one_class_cannot_be_told_apart),
        cmocka_unit_test(content_of_the_largest_size_is_sealed_and_a_larger_one_is_not),
        cmocka_unit_test(content_that_stands_in_its_place_is_sealed_there),
        cmocka_unit_test(a_seal_that_fails_moves_nothing_and_leaves_no_content),
        cmocka_unit_test(no_content_is_left_of_a_record_that_is_not_accepted),
        cmocka_unit_test(sealed_bytes_hold_nothing_of_the_content),
        cmocka_unit_test(forked_copies_never_share_a_key_and_a_nonce_and_the_watch_would_see_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
