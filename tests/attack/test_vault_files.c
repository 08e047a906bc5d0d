/* Attacks that change, mix, move or remove parts of a vault's files: what the next start says. The names of
 * these tests are the rows of docs/vault-attacks.md. */
#include "state/snapshot.h"
#include "support/nonces.h"
#include "vault_world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD = 512, HEADS_MAX = 256 };

static struct world_machine machine, other_machine;
static struct world_disk disk, copy, old;
static struct world_instance instance, other;
static struct world_client alice;
/* Heads of the honest history by version. */
static struct cella_head heads[HEADS_MAX];

static int setup(void **state) {
    world_machine_init(&machine, 1);
    memset(heads, 0, sizeof heads);
    return 0;
}

static int teardown(void **state) {
    world_kill(&instance);
    world_kill(&other);
    world_disk_free(&disk);
    world_disk_free(&copy);
    world_disk_free(&old);
    assert_int_equal(test_nonces_repeated(), 0);
    return 0;
}

static void remember_head(void) {
    struct cella_vault_counts counts;
    cella_vault_count(instance.vault, &counts);
    assert_true(counts.head.version < HEADS_MAX);
    heads[counts.head.version] = counts.head;
}

static void put(const char *key, const char *value) {
    assert_status(world_put(&instance, key, value), CELLA_OK);
    remember_head();
}

static void restart(void) {
    world_kill(&instance);
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
    remember_head();
}

/* Three starts, each with three changes; nothing runs any more. */
static void make_three_segments(void) {
    world_create(&instance, &disk, &machine, 0);
    remember_head();
    for (unsigned start = 0; start < 3; start++) {
        if (start > 0)
            restart();
        for (unsigned i = 0; i < 3; i++)
            put("account/alice", "one hundred");
    }
    world_kill(&instance);
}

static struct world_file *segment(struct world_disk *of, uint64_t number) {
    struct world_file *file = world_find(of, CELLA_STORE_SEGMENT, number);
    assert_non_null(file);
    return file;
}

static size_t record_at(unsigned index) {
    return CELLA_SEGMENT_HEADER_SIZE + index * RECORD;
}

/* What a start would say to a changed copy of the disk, which is then forgotten. */
static enum cella_status verdict(void) {
    enum cella_status status = world_check(&copy, &machine, NULL);
    struct world_machine here = machine;
    assert_status(world_open(&other, &copy, &here), status);
    world_kill(&other);
    world_disk_free(&copy);
    return status;
}

static struct world_disk *fresh_copy(void) {
    world_disk_free(&copy);
    world_disk_copy(&copy, &disk);
    return &copy;
}

static void an_older_form_of_one_segment_in_a_newer_folder_is_damage(void **state) {
    make_three_segments();
    for (uint64_t number = 1; number <= 2; number++)
        for (unsigned records = 0; record_at(records) < segment(&disk, number)->size; records++) {
            world_cut_file(segment(fresh_copy(), number), record_at(records));
            assert_status(verdict(), CELLA_VAULT_DAMAGED);
        }
    fresh_copy();
    assert_status(verdict(), CELLA_OK);
}

static void a_removed_segment_is_noticed_wherever_it_was(void **state) {
    make_three_segments();
    static const enum cella_status expected[] = {CELLA_VAULT_DAMAGED, CELLA_VAULT_DAMAGED, CELLA_VAULT_STALE};
    for (uint64_t number = 1; number <= 3; number++) {
        world_remove_file(fresh_copy(), CELLA_STORE_SEGMENT, number);
        assert_status(verdict(), expected[number - 1]);
    }
}

static void a_missing_genesis_or_journal_is_never_made_anew(void **state) {
    make_three_segments();
    world_remove_file(fresh_copy(), CELLA_STORE_GENESIS, 0);
    assert_status(verdict(), CELLA_VAULT_MISSING);
    for (uint64_t number = 1; number <= 3; number++)
        world_remove_file(number == 1 ? fresh_copy() : &copy, CELLA_STORE_SEGMENT, number);
    assert_status(verdict(), CELLA_VAULT_MISSING);
    /* Nor is a folder that holds anything taken for a new one. */
    struct cella_genesis genesis = {.kind = CELLA_VAULT_MACHINE};
    world_prepare(&other, &disk, &machine);
    assert_status(cella_vault_create(&other.options, &genesis, &other.vault, &other.report, NULL),
                  CELLA_EXISTS);
}

/* Copies record `from` of a segment of the honest disk to the place of record `to` in the copy. */
static void move_record(uint64_t number, unsigned from, unsigned to) {
    struct world_file *file = segment(&copy, number);
    assert_true(record_at(to) + RECORD <= file->size);
    memcpy(file->bytes + record_at(to), segment(&disk, number)->bytes + record_at(from), RECORD);
}

static void records_in_another_order_are_spliced(void **state) {
    make_three_segments();
    for (uint64_t number = 1; number <= 3; number++) {
        fresh_copy();
        move_record(number, 2, 3);
        move_record(number, 3, 2);
        assert_status(verdict(), CELLA_VAULT_SPLICED);
    }
}

static void a_record_left_out_is_spliced_also_at_the_very_end(void **state) {
    make_three_segments();
    for (uint64_t number = 1; number <= 3; number++)
        for (unsigned left_out = 0; record_at(left_out + 1) < segment(&disk, number)->size; left_out++) {
            fresh_copy();
            size_t size = segment(&copy, number)->size - RECORD;
            for (unsigned i = left_out; record_at(i) < size; i++)
                move_record(number, i + 1, i);
            world_cut_file(segment(&copy, number), size);
            /* Without the intent in front it is not a segment of any start. */
            enum cella_status status = verdict();
            if (status != CELLA_VAULT_SPLICED)
                assert_true(left_out == 0 && status == CELLA_VAULT_DAMAGED);
        }
}

static void a_record_twice_is_spliced(void **state) {
    make_three_segments();
    for (uint64_t number = 1; number <= 3; number++) {
        struct world_file *file = segment(fresh_copy(), number);
        struct cella_bytes twice = test_copy(CELLA_BYTES(file->bytes, file->size + 0));
        uint8_t *bytes = (uint8_t *)(uintptr_t)test_pattern(file->size + RECORD, 1).data;
        memcpy(bytes, twice.data, twice.size);
        memcpy(bytes + file->size, bytes + file->size - RECORD, RECORD);
        world_put_file(&copy, CELLA_STORE_SEGMENT, number, CELLA_BYTES(bytes, twice.size + RECORD));
        /* Behind an older segment nothing is read any more: what it must hold is known from the next one. */
        assert_status(verdict(), number == 3 ? CELLA_VAULT_SPLICED : CELLA_OK);
        fresh_copy();
        move_record(number, 2, 3);
        assert_status(verdict(), CELLA_VAULT_SPLICED);
    }
}

static void a_record_of_another_segment_is_damage(void **state) {
    make_three_segments();
    for (uint64_t number = 1; number <= 3; number++) {
        uint64_t source = number % 3 + 1;
        struct world_file *file = segment(fresh_copy(), number);
        memcpy(file->bytes + record_at(2), segment(&disk, source)->bytes + record_at(2), RECORD);
        assert_status(verdict(), CELLA_VAULT_DAMAGED);
        /* And with the mark of the segment that it was put into. */
        file = segment(fresh_copy(), number);
        memcpy(file->bytes + record_at(2), segment(&disk, source)->bytes + record_at(2), RECORD);
        memcpy(file->bytes + record_at(2) + 8, file->bytes + 992, 16);
        assert_status(verdict(), CELLA_VAULT_DAMAGED);
    }
}

static void segments_cannot_change_their_numbers(void **state) {
    make_three_segments();
    for (uint64_t number = 1; number <= 3; number++) {
        world_take_file(fresh_copy(), &disk, CELLA_STORE_SEGMENT, number, 4);
        assert_status(verdict(), CELLA_VAULT_SPLICED);
        world_take_file(fresh_copy(), &disk, CELLA_STORE_SEGMENT, number, number % 3 + 1);
        assert_status(verdict(), CELLA_VAULT_SPLICED);
    }
}

/* Machine and disk were copied after the first start; `old` is the other copy, which goes its own way. */
static void make_fork(void) {
    world_create(&instance, &disk, &machine, 0);
    put("account/alice", "one hundred");
    world_kill(&instance);
    world_disk_copy(&old, &disk);
    other_machine = machine;
    for (unsigned start = 0; start < 2; start++) {
        restart();
        put("account/alice", "in this copy");
        world_kill(&instance);
        assert_status(world_open(&other, &old, &other_machine), CELLA_OK);
        assert_status(world_put(&other, "account/alice", "in that copy"), CELLA_OK);
        assert_status(world_put(&other, "account/alice", "in that copy"), CELLA_OK);
        world_kill(&other);
    }
}

static void segments_of_a_forked_copy_cannot_be_mixed_in(void **state) {
    make_fork();
    /* Segments: 1 is common, 2 and 3 are each copy's own. */
    world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, 3, 3);
    assert_status(verdict(), CELLA_VAULT_DAMAGED);
    world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, 2, 2);
    assert_status(verdict(), CELLA_VAULT_SPLICED);
    world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, 3, 4);
    assert_status(verdict(), CELLA_VAULT_SPLICED);
    /* All of it is that copy, which this machine's register does not know. */
    world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, 2, 2);
    world_take_file(&copy, &old, CELLA_STORE_SEGMENT, 3, 3);
    assert_status(world_check(&copy, &other_machine, NULL), CELLA_OK);
    assert_status(verdict(), CELLA_VAULT_STALE);
}

static void records_of_a_forked_copy_do_not_open_in_this_one(void **state) {
    make_fork();
    for (uint64_t number = 2; number <= 3; number++)
        for (unsigned i = 0; i < 3; i++) {
            struct world_file *file = segment(fresh_copy(), number);
            memcpy(file->bytes + record_at(i), segment(&old, number)->bytes + record_at(i), RECORD);
            enum cella_status status = verdict();
            /* At the very end it is a torn write; what is lost is found as any cut tail is. */
            assert_status(status, number == 3 && i == 2 ? CELLA_OK : CELLA_VAULT_DAMAGED);
        }
}

/* One more vault, on the machine `on`. */
static void make_other_vault(struct world_machine *on) {
    world_create(&other, &old, on, 0);
    assert_status(world_put(&other, "account/alice", "in another vault"), CELLA_OK);
    world_kill(&other);
    assert_status(world_open(&other, &old, on), CELLA_OK);
    world_kill(&other);
}

static void files_of_another_vault_on_the_same_machine_are_refused(void **state) {
    make_three_segments();
    make_other_vault(&machine);
    world_take_file(fresh_copy(), &old, CELLA_STORE_GENESIS, 0, 0);
    assert_status(verdict(), CELLA_VAULT_OTHER);
    for (uint64_t number = 1; number <= 2; number++) {
        world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, number, number);
        assert_status(verdict(), CELLA_VAULT_OTHER);
    }
    world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, 2, 4);
    assert_status(verdict(), CELLA_VAULT_OTHER);
}

static void files_of_another_deployment_are_refused(void **state) {
    make_three_segments();
    world_machine_init(&other_machine, 2);
    make_other_vault(&other_machine);
    world_disk_copy(&copy, &old);
    assert_status(verdict(), CELLA_VAULT_OTHER_MACHINE);
    /* The same vault's folder on another machine, and pieces of it here. */
    assert_status(world_check(&disk, &other_machine, NULL), CELLA_VAULT_OTHER_MACHINE);
    world_take_file(fresh_copy(), &old, CELLA_STORE_SEGMENT, 2, 3);
    assert_status(verdict(), CELLA_VAULT_OTHER);
}

/* Snapshots: the disk of now, and as `old` the disk at the first snapshot. */
static void make_snapshots(void) {
    world_create(&instance, &disk, &machine, 4096);
    world_snapshot(&instance);
    put("account/alice", "one hundred");
    world_disk_copy(&old, &disk);
    world_snapshot(&instance);
    remember_head();
    put("account/alice", "two hundred");
    world_kill(&instance);
    assert_true(world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number >
                world_newest(&old, CELLA_STORE_SNAPSHOT)->file.number);
}

static void a_snapshot_and_the_journal_behind_it_open(void **state) {
    make_snapshots();
    assert_null(world_find(&disk, CELLA_STORE_SEGMENT, 1));
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
    assert_int_equal(instance.report.snapshot_version,
                     world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number);
    assert_string_equal(world_get(&instance, "account/alice"), "two hundred");
}

static void an_old_snapshot_with_a_newer_journal_is_refused(void **state) {
    make_snapshots();
    uint64_t now = world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number;
    uint64_t then = world_newest(&old, CELLA_STORE_SNAPSHOT)->file.number;
    world_remove_file(fresh_copy(), CELLA_STORE_SNAPSHOT, now);
    world_take_file(&copy, &old, CELLA_STORE_SNAPSHOT, then, then);
    assert_status(verdict(), CELLA_VAULT_DAMAGED);
    world_take_file(fresh_copy(), &old, CELLA_STORE_SNAPSHOT, then, now);
    assert_status(verdict(), CELLA_VAULT_SPLICED);
    /* Beside the right one it does nothing. */
    world_take_file(fresh_copy(), &old, CELLA_STORE_SNAPSHOT, then, then);
    assert_status(verdict(), CELLA_OK);
}

static void a_newer_snapshot_with_an_old_journal_is_refused(void **state) {
    make_snapshots();
    uint64_t now = world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number;
    uint64_t then = world_newest(&old, CELLA_STORE_SNAPSHOT)->file.number;
    struct cella_vault_report report;
    world_disk_copy(&copy, &old);
    world_take_file(&copy, &disk, CELLA_STORE_SNAPSHOT, now, now);
    /* Nothing goes on from it: what opens is the old folder, in one piece, as if nothing were added. */
    assert_status(world_check(&copy, &machine, &report), CELLA_OK);
    assert_int_equal(report.snapshot_version, then);
    world_remove_file(&copy, CELLA_STORE_SNAPSHOT, then);
    assert_status(verdict(), CELLA_VAULT_DAMAGED);
    world_disk_copy(&copy, &old);
    world_take_file(&copy, &disk, CELLA_STORE_SNAPSHOT, now, then);
    assert_status(verdict(), CELLA_VAULT_SPLICED);
}

static void a_missing_or_cut_snapshot_is_damage(void **state) {
    make_snapshots();
    uint64_t now = world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number;
    world_remove_file(fresh_copy(), CELLA_STORE_SNAPSHOT, now);
    assert_status(verdict(), CELLA_VAULT_DAMAGED);
    size_t size = world_newest(&disk, CELLA_STORE_SNAPSHOT)->size;
    for (size_t cut = 0; cut < size; cut += cut < size - 16 ? 13 : 1) {
        world_cut_file(world_newest(fresh_copy(), CELLA_STORE_SNAPSHOT), cut);
        assert_status(verdict(), CELLA_VAULT_DAMAGED);
    }
}

/* Both copies take a snapshot of the same version after the fork. */
static void a_snapshot_of_a_forked_copy_is_spliced(void **state) {
    world_create(&instance, &disk, &machine, 0);
    world_kill(&instance);
    world_disk_copy(&old, &disk);
    other_machine = machine;
    assert_status(world_open_with(&instance, &disk, &machine, 2048), CELLA_OK);
    world_snapshot(&instance);
    world_kill(&instance);
    assert_status(world_open_with(&other, &old, &other_machine, 2048), CELLA_OK);
    world_snapshot(&other);
    world_kill(&other);
    fresh_copy();
    assert_status(verdict(), CELLA_OK);
    uint64_t now = world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number;
    world_take_file(fresh_copy(), &old, CELLA_STORE_SNAPSHOT, now, now);
    assert_status(verdict(), CELLA_VAULT_SPLICED);
}

static void a_snapshot_of_another_vault_is_refused(void **state) {
    make_snapshots();
    uint64_t now = world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number;
    struct world_disk theirs = {0};
    world_create(&other, &theirs, &machine, 4096);
    world_snapshot(&other);
    world_kill(&other);
    world_take_file(fresh_copy(), &theirs, CELLA_STORE_SNAPSHOT,
                    world_newest(&theirs, CELLA_STORE_SNAPSHOT)->file.number, now);
    assert_status(verdict(), CELLA_VAULT_OTHER);
    world_disk_free(&theirs);
}

/* What a start says when one byte of the vault was changed. */
static void expect_byte_noticed(const struct world_file *file, size_t at, uint64_t newest) {
    struct cella_vault_report report;
    enum cella_status status = world_check(&copy, &machine, &report);
    if (file->file.kind == CELLA_STORE_HISTORY) {
        /* A start does not need it: what it proves is verified when it is used, or by a check. */
        if (status != CELLA_HISTORY_DAMAGED)
            assert_status(status, CELLA_OK);
        assert_int_equal(report.found.version, newest);
        return;
    }
    switch (status) {
    case CELLA_OK:
        /* Only the last record can be taken for a torn write, and then exactly it is gone. */
        assert_int_equal(file->file.number, world_newest(&copy, CELLA_STORE_SEGMENT)->file.number);
        assert_true(at + RECORD >= file->size);
        assert_int_equal(report.found.version, newest - 1);
        assert_memory_equal(&report.found, &heads[newest - 1], sizeof report.found);
        break;
    case CELLA_NEWER_FORMAT:
        /* The format, and of a genesis the kind of vault. */
        assert_true(at == 4 || at == 5 || (at == 6 && file->file.kind == CELLA_STORE_GENESIS));
        break;
    case CELLA_VAULT_OTHER:
        assert_int_equal(file->file.kind, CELLA_STORE_GENESIS);
        break;
    default:
        assert_status(status, CELLA_VAULT_DAMAGED);
    }
}

static void flip_everything(uint64_t newest) {
    for (size_t i = 0; i < disk.count; i++)
        for (size_t at = 0; at < disk.files[i].size; at++) {
            fresh_copy();
            copy.files[i].bytes[at] ^= (uint8_t)(1u << (at % 8));
            expect_byte_noticed(&copy.files[i], at, newest);
        }
}

static void a_changed_byte_in_any_file_is_found_at_the_start(void **state) {
    make_three_segments();
    struct cella_vault_report report;
    assert_status(world_check(&disk, &machine, &report), CELLA_OK);
    flip_everything(report.found.version);
}

static void a_changed_byte_in_a_snapshot_or_behind_it_is_found_at_the_start(void **state) {
    make_snapshots();
    struct cella_vault_report report;
    assert_status(world_check(&disk, &machine, &report), CELLA_OK);
    assert_true(report.snapshot_version > 0);
    flip_everything(report.found.version);
}

static bool holds(const struct world_disk *of, const char *text) {
    for (size_t i = 0; i < of->count; i++)
        if (memmem(of->files[i].bytes, of->files[i].size, text, strlen(text)) != NULL)
            return true;
    return false;
}

static void no_file_holds_keys_or_values_in_the_clear(void **state) {
    make_snapshots();
    static const char *const texts[] = {"account", "alice", "hundred", "filler", "some bytes"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(holds(&disk, texts[i]));
        assert_false(holds(&old, texts[i]));
    }
    /* What is searched for is found where it is. */
    world_put_file(&disk, CELLA_STORE_EVIDENCE, 1, CELLA_BYTES("an account", 10));
    assert_true(holds(&disk, "account"));
}

static void damaged_history_nodes_refuse_the_mail_that_needs_them_and_nothing_else(void **state) {
    struct world_client bob;
    world_create(&instance, &disk, &machine, 0);
    world_client_init(&alice, &instance);
    world_client_init(&bob, &instance);
    assert_status(world_request(&alice, &instance, "a", "1"), CELLA_OK);
    for (unsigned i = 0; i < 3 * CELLA_TREE_RECENT; i++)
        assert_status(world_put(&instance, "b", "1"), CELLA_OK);
    world_kill(&instance);
    world_disk_copy(&copy, &disk);
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
    struct world_file *history = world_newest(&disk, CELLA_STORE_HISTORY);
    memset(history->bytes, 0x55, 100 * CELLA_DIGEST_SIZE);
    assert_status(world_request(&alice, &instance, "a", "2"), CELLA_HISTORY_DAMAGED);
    assert_status(world_request(&bob, &instance, "b", "2"), CELLA_OK);
    assert_status(world_request(&alice, &instance, "a", "2"), CELLA_HISTORY_DAMAGED);
    /* With the right bytes back the same client goes on. */
    const struct world_file *right = world_newest(&copy, CELLA_STORE_HISTORY);
    memcpy(history->bytes, right->bytes, 100 * CELLA_DIGEST_SIZE);
    assert_status(world_request(&alice, &instance, "a", "2"), CELLA_OK);
    assert_null(world_newest(&disk, CELLA_STORE_EVIDENCE));
}

static void records_past_a_head_that_was_adopted_never_come_back(void **state) {
    struct cella_vault_report report;
    world_create(&instance, &disk, &machine, 0);
    put("account/alice", "one hundred");
    world_disk_copy(&old, &disk);
    put("account/alice", "two hundred");
    put("account/bob", "one hundred");
    world_kill(&instance);
    /* A start from the older form takes the next epoch; then the longer segment is put back under it. */
    assert_status(world_open(&other, &old, &machine), CELLA_OK);
    assert_status(world_put(&other, "account/alice", "fifty"), CELLA_OK);
    world_kill(&other);
    world_take_file(&old, &disk, CELLA_STORE_SEGMENT, 1, 1);
    assert_status(world_check(&old, &machine, &report), CELLA_OK);
    assert_int_equal(report.dropped_records, 2);
    assert_status(world_open(&other, &old, &machine), CELLA_OK);
    assert_string_equal(world_get(&other, "account/alice"), "fifty");
    assert_null(world_get(&other, "account/bob"));
}

static void segments_that_a_snapshot_replaced_change_nothing_when_they_come_back(void **state) {
    make_snapshots();
    fresh_copy();
    for (uint64_t number = 1; number < world_newest(&disk, CELLA_STORE_SEGMENT)->file.number; number++)
        if (world_find(&old, CELLA_STORE_SEGMENT, number) != NULL)
            world_take_file(&copy, &old, CELLA_STORE_SEGMENT, number, number);
    assert_true(copy.count > disk.count);
    struct cella_vault_report now, then;
    assert_status(world_check(&disk, &machine, &now), CELLA_OK);
    assert_status(world_check(&copy, &machine, &then), CELLA_OK);
    assert_memory_equal(&now.found, &then.found, sizeof now.found);
    assert_int_equal(now.state_size, then.state_size);
    assert_status(verdict(), CELLA_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_older_form_of_one_segment_in_a_newer_folder_is_damage),
        TEST(a_removed_segment_is_noticed_wherever_it_was),
        TEST(a_missing_genesis_or_journal_is_never_made_anew),
        TEST(records_in_another_order_are_spliced),
        TEST(a_record_left_out_is_spliced_also_at_the_very_end),
        TEST(a_record_twice_is_spliced),
        TEST(a_record_of_another_segment_is_damage),
        TEST(segments_cannot_change_their_numbers),
        TEST(segments_of_a_forked_copy_cannot_be_mixed_in),
        TEST(records_of_a_forked_copy_do_not_open_in_this_one),
        TEST(files_of_another_vault_on_the_same_machine_are_refused),
        TEST(files_of_another_deployment_are_refused),
        TEST(a_snapshot_and_the_journal_behind_it_open),
        TEST(an_old_snapshot_with_a_newer_journal_is_refused),
        TEST(a_newer_snapshot_with_an_old_journal_is_refused),
        TEST(a_missing_or_cut_snapshot_is_damage),
        TEST(a_snapshot_of_a_forked_copy_is_spliced),
        TEST(a_snapshot_of_another_vault_is_refused),
        TEST(records_past_a_head_that_was_adopted_never_come_back),
        TEST(segments_that_a_snapshot_replaced_change_nothing_when_they_come_back),
        TEST(a_changed_byte_in_any_file_is_found_at_the_start),
        TEST(a_changed_byte_in_a_snapshot_or_behind_it_is_found_at_the_start),
        TEST(no_file_holds_keys_or_values_in_the_clear),
        TEST(damaged_history_nodes_refuse_the_mail_that_needs_them_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
