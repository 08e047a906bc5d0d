/* What a start refuses, and by which name; what it forgives after a crash. */
#include "support/vault_case.h"
#include "state/journal.h"
#include <stdlib.h>
#include <string.h>

static int used_setup(void **state) {
    int result = test_vault_setup(state);
    struct test_vault *vault = *state;
    assert_status(test_vault_put(vault, "a", "1", NULL), CELLA_OK);
    assert_status(test_vault_put(vault, "b", "1", NULL), CELLA_OK);
    return result;
}

/* Both ways of reading must say the same, and neither may change anything. */
#define assert_refused(vault, status)                                                                        \
    do {                                                                                                     \
        assert_status(test_vault_check(vault), status);                                                      \
        assert_status(test_vault_open(vault), status);                                                       \
    } while (0)

static void without_genesis_or_journal_the_vault_is_missing(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    struct test_store *good = test_store_copy(vault->store);
    test_store_delete(vault->store, CELLA_STORE_GENESIS, 0);
    assert_refused(vault, CELLA_VAULT_MISSING);
    test_store_assign(vault->store, good);
    test_store_delete(vault->store, CELLA_STORE_SEGMENT, 1);
    assert_refused(vault, CELLA_VAULT_MISSING);
    test_store_assign(vault->store, good);
    test_store_free(good);
    assert_status(test_vault_open(vault), CELLA_OK);
}

static void another_machine_cannot_open_it(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    struct test_machine first = vault->machine;
    test_machine_init(&vault->machine);
    vault->machine.fuse = 2;
    assert_refused(vault, CELLA_VAULT_OTHER_MACHINE);
    first.keys.context = &vault->machine;
    vault->machine.fuse = 1;
    vault->machine.register_count = first.register_count;
    memcpy(vault->machine.registers, first.registers, sizeof first.registers);
    assert_status(test_vault_open(vault), CELLA_OK);
}

static void a_vault_of_which_no_header_opens_is_damaged_where_the_machine_counts_for_it(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    vault->machine.fuse = 2;
    assert_refused(vault, CELLA_VAULT_DAMAGED);
}

static void a_newer_version_is_the_reason_only_where_the_machine_counts_for_it(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    vault->machine.version = 0;
    assert_refused(vault, CELLA_KEY_CPU_SVN);
    vault->machine.register_count = 0;
    assert_refused(vault, CELLA_VAULT_OTHER_MACHINE);
}

static void another_signer_cannot_open_it(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    vault->machine.signer = 2;
    assert_refused(vault, CELLA_VAULT_OTHER_SIGNER);
}

static void files_of_another_vault_are_named_so(void **state) {
    struct test_vault *vault = *state;
    struct test_vault other;
    test_vault_init(&other);
    assert_status(test_vault_create(&other), CELLA_OK);
    test_vault_close(vault);
    struct cella_bytes segment = test_copy(test_store_file(other.store, CELLA_STORE_SEGMENT, 1));
    struct cella_bytes genesis = test_copy(test_store_file(other.store, CELLA_STORE_GENESIS, 0));
    struct test_store *good = test_store_copy(vault->store);
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 2, segment);
    assert_refused(vault, CELLA_VAULT_OTHER);
    test_store_assign(vault->store, good);
    test_store_put(vault->store, CELLA_STORE_GENESIS, 0, genesis);
    assert_refused(vault, CELLA_VAULT_OTHER);
    test_store_free(good);
    test_vault_deinit(&other);
}

static void an_older_copy_is_stale_once_a_newer_owner_was_there(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    struct test_store *old = test_store_copy(vault->store);
    assert_status(test_vault_open(vault), CELLA_OK);
    test_vault_close(vault);
    test_store_assign(vault->store, old);
    test_store_free(old);
    assert_refused(vault, CELLA_VAULT_STALE);
    assert_int_equal(vault->report.register_epoch, 2);
    assert_int_equal(vault->report.found.epoch, 1);
}

static void a_cut_tail_is_stale_if_it_takes_the_last_intent(void **state) {
    struct test_vault *vault = *state;
    test_vault_reopen(vault);
    test_vault_close(vault);
    struct cella_bytes segment = test_copy(test_store_file(vault->store, CELLA_STORE_SEGMENT, 2));
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 2,
                   CELLA_BYTES(segment.data, CELLA_SEGMENT_HEADER_SIZE));
    assert_refused(vault, CELLA_VAULT_STALE);
    test_store_delete(vault->store, CELLA_STORE_SEGMENT, 2);
    assert_refused(vault, CELLA_VAULT_STALE);
}

static void a_register_that_was_set_back_is_noticed(void **state) {
    struct test_vault *vault = *state;
    test_vault_reopen(vault);
    test_vault_reopen(vault);
    uint64_t *epoch = test_machine_register(&vault->machine, cella_vault_id(vault->vault));
    test_vault_close(vault);
    *epoch = 1;
    assert_refused(vault, CELLA_VAULT_REWOUND);
    *epoch = 2;
    assert_refused(vault, CELLA_VAULT_REWOUND);
    *epoch = 3;
    assert_status(test_vault_open(vault), CELLA_OK);
}

static void a_register_that_is_gone_is_noticed(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    vault->machine.register_count = 0;
    assert_refused(vault, CELLA_VAULT_REWOUND);
}

static void each_bit_of_the_journal_counts(void **state) {
    struct test_vault *vault = *state;
    struct cella_head head = test_vault_head(vault).head;
    test_vault_close(vault);
    struct cella_bytes good = test_copy(test_store_file(vault->store, CELLA_STORE_SEGMENT, 1));
    size_t last = good.size - CELLA_RECORD_ALIGNMENT; /* where the last record begins */
    for (size_t at = 0; at < good.size; at += 3) {
        struct cella_bytes bad = test_copy(good);
        ((uint8_t *)(uintptr_t)bad.data)[at] ^= 0x10;
        test_store_put(vault->store, CELLA_STORE_SEGMENT, 1, bad);
        enum cella_status status = test_vault_check(vault);
        if (at < last) { /* a genuine record follows */
            assert_status(status, CELLA_VAULT_DAMAGED);
        } else { /* nothing tells it from a write that a crash cut short */
            assert_status(status, CELLA_OK);
            assert_int_equal(vault->report.found.version, head.version - 1);
            assert_true(vault->report.torn_bytes == 0 || vault->report.torn_bytes == CELLA_RECORD_ALIGNMENT);
        }
    }
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 1, good);
    assert_status(test_vault_open(vault), CELLA_OK);
}

static void each_bit_of_the_genesis_counts(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    struct cella_bytes good = test_copy(test_store_file(vault->store, CELLA_STORE_GENESIS, 0));
    for (size_t at = 0; at < good.size; at++) {
        struct cella_bytes bad = test_copy(good);
        ((uint8_t *)(uintptr_t)bad.data)[at] ^= 1;
        test_store_put(vault->store, CELLA_STORE_GENESIS, 0, bad);
        enum cella_status status = test_vault_check(vault);
        if (status != CELLA_VAULT_OTHER && status != CELLA_NEWER_FORMAT)
            assert_status(status, CELLA_VAULT_DAMAGED);
        test_store_put(vault->store, CELLA_STORE_GENESIS, 0, CELLA_BYTES(good.data, at));
        assert_status(test_vault_check(vault), CELLA_VAULT_DAMAGED);
    }
    test_store_put(vault->store, CELLA_STORE_GENESIS, 0, good);
    assert_status(test_vault_open(vault), CELLA_OK);
}

static void a_missing_segment_in_the_middle_is_damage(void **state) {
    struct test_vault *vault = *state;
    test_vault_reopen(vault);
    test_vault_reopen(vault);
    test_vault_close(vault);
    test_store_delete(vault->store, CELLA_STORE_SEGMENT, 2);
    assert_refused(vault, CELLA_VAULT_DAMAGED);
}

static void segments_under_other_numbers_are_spliced(void **state) {
    struct test_vault *vault = *state;
    test_vault_reopen(vault);
    test_vault_close(vault);
    struct cella_bytes segment = test_copy(test_store_file(vault->store, CELLA_STORE_SEGMENT, 2));
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 3, segment);
    assert_refused(vault, CELLA_VAULT_SPLICED);
}

/* Two copies live side by side, as only a host that copies can do; the register lets one of them go on. */
static void records_of_a_fenced_owner_are_dropped_and_counted(void **state) {
    struct test_vault *vault = *state;
    struct test_vault second = *vault;
    struct test_answer answer;
    second.store = test_store_copy(vault->store);
    second.machine.keys.context = &vault->machine;
    second.machine.freshness.context = &vault->machine;
    assert_status(test_vault_open(&second), CELLA_OK);
    assert_status(test_vault_put(vault, "fenced", "1", &answer), CELLA_OK);
    assert_status(answer.status, CELLA_FENCED);
    assert_int_equal(vault->lost, 1);
    assert_status(test_vault_put(&second, "kept", "1", &answer), CELLA_OK);
    assert_status(answer.status, CELLA_OK);
    test_vault_close(&second);
    test_vault_close(vault);
    struct cella_bytes newer = test_copy(test_store_file(second.store, CELLA_STORE_SEGMENT, 2));
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 2, newer);
    test_store_free(second.store);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_int_equal(vault->report.dropped_records, 1);
    assert_true(test_vault_has(vault, "kept", "1"));
    assert_true(test_vault_has(vault, "fenced", NULL));
}

/* It would tell of a state that another owner may have changed. */
static void an_answer_that_changes_nothing_does_not_leave_a_fenced_instance(void **state) {
    struct test_vault *vault = *state;
    struct test_vault second = *vault;
    struct test_answer answer;
    second.store = test_store_copy(vault->store);
    second.machine.keys.context = &vault->machine;
    second.machine.freshness.context = &vault->machine;
    test_answer_init(&answer, vault->vault);
    cella_vault_wait(vault->vault, &answer.waiter);
    assert_status(answer.status, CELLA_OK);
    assert_status(cella_vault_confirm(vault->vault), CELLA_OK);
    assert_status(test_vault_open(&second), CELLA_OK);
    test_answer_init(&answer, vault->vault);
    cella_vault_wait(vault->vault, &answer.waiter);
    assert_status(answer.status, CELLA_FENCED);
    assert_int_equal(vault->lost, 1);
    assert_status(cella_vault_confirm(vault->vault), CELLA_FENCED);
    test_vault_close(&second);
    test_store_free(second.store);
}

static void a_reader_finds_out_that_it_is_fenced(void **state) {
    struct test_vault *vault = *state;
    struct test_vault second = *vault;
    second.store = test_store_copy(vault->store);
    second.machine.keys.context = &vault->machine;
    second.machine.freshness.context = &vault->machine;
    assert_status(test_vault_open(&second), CELLA_OK);
    assert_status(cella_vault_confirm(vault->vault), CELLA_FENCED);
    assert_int_equal(vault->lost, 1);
    assert_status(cella_vault_begin(vault->vault, NULL), CELLA_FENCED);
    test_vault_close(&second);
    test_store_free(second.store);
}

static void a_segment_whose_making_was_cut_short_is_passed_over(void **state) {
    struct test_vault *vault = *state;
    static const uint8_t zeros[4096];
    test_vault_close(vault);
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 2, CELLA_BYTES(zeros, 100));
    assert_status(test_vault_check(vault), CELLA_OK);
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 2, CELLA_BYTES(zeros, sizeof zeros));
    assert_status(test_vault_open(vault), CELLA_OK);
    test_vault_reopen(vault);
    assert_int_equal(test_store_newest(vault->store, CELLA_STORE_SEGMENT), 4);
    assert_true(test_vault_has(vault, "a", "1"));
}

static void zeros_behind_the_journal_are_its_end(void **state) {
    struct test_vault *vault = *state;
    static uint8_t long_file[1 << 21];
    test_vault_close(vault);
    struct cella_bytes segment = test_store_file(vault->store, CELLA_STORE_SEGMENT, 1);
    memcpy(long_file, segment.data, segment.size);
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 1, CELLA_BYTES(long_file, sizeof long_file));
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_int_equal(vault->report.torn_bytes, 0);
    assert_true(test_vault_has(vault, "b", "1"));
}

static void a_record_that_is_repeated_at_the_end_is_spliced(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    struct cella_bytes segment = test_copy(test_store_file(vault->store, CELLA_STORE_SEGMENT, 1));
    uint8_t *longer = malloc(segment.size + CELLA_RECORD_ALIGNMENT);
    memcpy(longer, segment.data, segment.size);
    memcpy(longer + segment.size, segment.data + segment.size - CELLA_RECORD_ALIGNMENT,
           CELLA_RECORD_ALIGNMENT);
    test_store_put(vault->store, CELLA_STORE_SEGMENT, 1,
                   CELLA_BYTES(longer, segment.size + CELLA_RECORD_ALIGNMENT));
    free(longer);
    assert_refused(vault, CELLA_VAULT_SPLICED);
}

static enum test_fault short_reads(void *context, uint64_t number, enum test_operation operation,
                                   const struct cella_store_write *write, enum cella_status *ret_status) {
    return TEST_FAULT_SHORT;
}

static void short_reads_lose_nothing(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    test_store_plan(vault->store, short_reads, NULL);
    assert_status(test_vault_open(vault), CELLA_OK);
    assert_true(test_vault_has(vault, "b", "1"));
}

struct lying_list {
    const struct cella_store *honest;
    int lie;
};

static enum cella_status list_lies(void *context, void (*visit)(void *, const struct cella_store_entry *),
                                   void *visitor, struct cella_error *error) {
    const struct lying_list *list = context;
    struct cella_store_entry entry = {.file = {.kind = CELLA_STORE_SEGMENT, .number = 1}, .size = 100000};
    enum cella_status status = list->honest->list(list->honest->context, visit, visitor, error);
    if (list->lie == 0)
        visit(visitor, &entry); /* again, out of order */
    if (list->lie == 1)
        for (entry.file.kind = CELLA_STORE_SNAPSHOT; entry.file.number < 100000; entry.file.number++)
            visit(visitor, &entry);
    entry.file.kind = (enum cella_store_kind)77;
    if (list->lie == 2)
        visit(visitor, &entry);
    entry.file = (struct cella_store_file){.kind = CELLA_STORE_SEGMENT, .number = UINT64_MAX};
    if (list->lie == 3)
        visit(visitor, &entry);
    entry.file.number = 9;
    entry.size = UINT64_MAX;
    if (list->lie == 4)
        visit(visitor, &entry);
    return status;
}

static enum cella_status read_on(void *context, struct cella_store_file file, uint64_t offset, uint8_t *out,
                                 size_t size, size_t *ret_size) {
    const struct lying_list *list = context;
    return list->honest->read(list->honest->context, file, offset, out, size, ret_size);
}

static void a_list_that_lies_is_refused(void **state) {
    struct test_vault *vault = *state;
    test_vault_close(vault);
    for (int lie = 0; lie < 5; lie++) {
        struct lying_list list = {.honest = test_store_face(vault->store), .lie = lie};
        const struct cella_store store = {.context = &list, .list = list_lies, .read = read_on};
        const struct cella_vault_options options = {
            .store = &store, .keys = &vault->machine.keys, .freshness = &vault->machine.freshness};
        assert_true(cella_vault_check(&options, &vault->report, &vault->error) != CELLA_OK);
    }
}

#define USED(test) cmocka_unit_test_setup_teardown(test, used_setup, test_vault_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        USED(without_genesis_or_journal_the_vault_is_missing),
        USED(another_machine_cannot_open_it),
        USED(a_vault_of_which_no_header_opens_is_damaged_where_the_machine_counts_for_it),
        USED(a_newer_version_is_the_reason_only_where_the_machine_counts_for_it),
        USED(another_signer_cannot_open_it),
        USED(files_of_another_vault_are_named_so),
        USED(an_older_copy_is_stale_once_a_newer_owner_was_there),
        USED(a_cut_tail_is_stale_if_it_takes_the_last_intent),
        USED(a_register_that_was_set_back_is_noticed),
        USED(a_register_that_is_gone_is_noticed),
        USED(each_bit_of_the_journal_counts),
        USED(each_bit_of_the_genesis_counts),
        USED(a_missing_segment_in_the_middle_is_damage),
        USED(segments_under_other_numbers_are_spliced),
        USED(records_of_a_fenced_owner_are_dropped_and_counted),
        USED(an_answer_that_changes_nothing_does_not_leave_a_fenced_instance),
        USED(a_reader_finds_out_that_it_is_fenced),
        USED(a_segment_whose_making_was_cut_short_is_passed_over),
        USED(zeros_behind_the_journal_are_its_end),
        USED(a_record_that_is_repeated_at_the_end_is_spliced),
        USED(short_reads_lose_nothing),
        USED(a_list_that_lies_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
