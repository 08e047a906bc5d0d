/* Attacks that bring back or multiply whole states of a vault: who notices, and when. The names of these
 * tests are the rows of docs/vault-attacks.md. */
#include "state/journal.h"
#include "support/nonces.h"
#include "vault_world.h"
#include <string.h>

static struct world_machine machine, other_machine;
static struct world_disk disk, copy;
static struct world_instance instance, other;
static struct world_client alice, bob;

static int setup(void **state) {
    world_machine_init(&machine, 1);
    world_create(&instance, &disk, &machine, 0);
    world_client_init(&alice, &instance);
    world_client_init(&bob, &instance);
    return 0;
}

static int teardown(void **state) {
    world_kill(&instance);
    world_kill(&other);
    world_disk_free(&disk);
    world_disk_free(&copy);
    /* Whatever was copied, set back and started again: no nonce came twice under one key. */
    assert_int_equal(test_nonces_repeated(), 0);
    return 0;
}

static void request(struct world_client *client, const char *key, const char *value) {
    assert_status(world_request(client, &instance, key, value), CELLA_OK);
}

static void restart(void) {
    world_kill(&instance);
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
}

static void an_unchanged_folder_opens_with_everything_in_it(void **state) {
    request(&alice, "a", "1");
    request(&bob, "b", "2");
    restart();
    assert_string_equal(world_get(&instance, "a"), "1");
    assert_string_equal(world_get(&instance, "b"), "2");
    request(&alice, "a", "3");
    request(&bob, "b", "4");
    assert_int_equal(instance.report.torn_bytes, 0);
}

static void the_whole_folder_of_an_earlier_start_is_refused(void **state) {
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    restart();
    world_kill(&instance);
    assert_status(world_open(&other, &copy, &machine), CELLA_VAULT_STALE);
    /* The right one still opens: nothing was used up by the attempt. */
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
}

static void the_whole_folder_of_the_same_start_is_found_by_the_client_that_saw_more(void **state) {
    request(&alice, "a", "1");
    request(&bob, "b", "1");
    world_disk_copy(&copy, &disk);
    request(&alice, "a", "2");
    world_kill(&instance);
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    assert_false(instance.report.freshness_known);
    /* Nobody can know it before a client comes that saw more: bob did not. */
    request(&bob, "b", "2");
    assert_string_equal(world_get(&instance, "a"), "1");
    assert_status(world_request(&alice, &instance, "a", "3"), CELLA_VAULT_FORK);
    assert_true(world_evidence_proves(&copy));
}

static void a_vault_that_was_proven_to_be_set_back_serves_nobody_any_more(void **state) {
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    request(&alice, "a", "2");
    world_kill(&instance);
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    request(&bob, "b", "1");
    assert_status(world_request(&alice, &instance, "a", "3"), CELLA_VAULT_FORK);
    assert_status(world_request(&bob, &instance, "b", "2"), CELLA_VAULT_STOPPED);
    assert_status(world_put(&instance, "c", "1"), CELLA_VAULT_STOPPED);
    world_kill(&instance);
    assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_STOPPED);
}

static void a_stop_that_the_host_cuts_off_comes_again_with_the_same_client(void **state) {
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    request(&alice, "a", "2");
    world_kill(&instance);
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    struct world_file *journal = world_newest(&copy, CELLA_STORE_SEGMENT);
    size_t before = journal->size;
    for (unsigned again = 0; again < 2; again++) {
        assert_status(world_request(&alice, &instance, "a", "3"), CELLA_VAULT_FORK);
        world_kill(&instance);
        assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_STOPPED);
        journal = world_newest(&copy, CELLA_STORE_SEGMENT);
        assert_int_equal(journal->size, before + 512);
        world_cut_file(journal, before);
        assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
        before = world_newest(&copy, CELLA_STORE_SEGMENT)->size;
    }
}

static void a_state_that_went_on_past_what_a_client_saw_is_found_by_the_history(void **state) {
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    request(&alice, "a", "2");
    world_kill(&instance);
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    for (unsigned i = 0; i < 20; i++)
        request(&bob, "b", "1");
    assert_true(instance.report.now.version + 20 > alice.known.head.head.version);
    assert_status(world_request(&alice, &instance, "a", "3"), CELLA_VAULT_FORK);
    assert_true(world_evidence_proves(&copy));
}

static void machine_and_folder_set_back_together_are_found_by_the_client_that_saw_more(void **state) {
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    struct world_machine before = machine;
    restart();
    request(&alice, "a", "2");
    world_kill(&instance);
    machine = before;
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    request(&bob, "b", "1");
    assert_status(world_request(&alice, &instance, "a", "3"), CELLA_VAULT_FORK);
    assert_true(world_evidence_proves(&copy));
}

static void a_machine_set_back_alone_is_found_at_the_start(void **state) {
    struct world_machine before = machine;
    restart();
    restart();
    world_kill(&instance);
    machine = before;
    assert_status(world_open(&instance, &disk, &machine), CELLA_VAULT_REWOUND);
    machine.register_count = 0;
    assert_status(world_open(&instance, &disk, &machine), CELLA_VAULT_REWOUND);
}

static void a_copy_beside_a_running_instance_fences_it(void **state) {
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    assert_status(world_open(&other, &copy, &machine), CELLA_OK);
    /* The first one notices before its answer leaves. */
    assert_status(world_request(&alice, &instance, "a", "2"), CELLA_FENCED);
    assert_status(instance.lost, CELLA_FENCED);
    assert_status(world_put(&instance, "a", "3"), CELLA_FENCED);
    assert_status(world_request(&alice, &other, "a", "2"), CELLA_OK);
    /* Its folder has the later records and still is the old one. */
    world_kill(&instance);
    assert_status(world_open(&instance, &disk, &machine), CELLA_VAULT_STALE);
}

static void a_start_that_was_cut_short_and_hidden_takes_nobodys_place_later(void **state) {
    request(&alice, "a", "1");
    world_kill(&instance);
    /* It wrote its intent and ended before it became the owner; the host puts its segment aside. */
    machine.fails = true;
    assert_status(world_open(&instance, &disk, &machine), CELLA_IO);
    machine.fails = false;
    world_disk_copy(&copy, &disk);
    world_remove_file(&disk, CELLA_STORE_SEGMENT, 2);
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
    request(&alice, "a", "2");
    world_kill(&instance);
    /* Number and epoch are those of the owner, but the register knows whose intent it was. */
    assert_status(world_check(&copy, &machine, NULL), CELLA_VAULT_STALE);
    assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_STALE);
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
    request(&alice, "a", "3");
}

/* Two copies of folder and machine run side by side, alice at one, bob at the other. */
static void fork_everything(void) {
    request(&alice, "a", "1");
    request(&bob, "b", "1");
    world_kill(&instance);
    world_disk_copy(&copy, &disk);
    other_machine = machine;
    assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
    assert_status(world_open(&other, &copy, &other_machine), CELLA_OK);
    for (unsigned i = 0; i < 5; i++) {
        request(&alice, "a", "2");
        assert_status(world_request(&bob, &other, "b", "2"), CELLA_OK);
    }
}

static void forked_copies_with_disjoint_clients_are_proven_by_any_two_of_their_heads(void **state) {
    struct cella_fork_evidence evidence;
    char text[256];
    fork_everything();
    assert_int_equal(cella_heads_compare(&alice.known.head, &bob.known.head), CELLA_HEADS_CONTRADICT);
    cella_fork_evidence_init(&evidence, cella_vault_genesis(instance.vault), &alice.known.head,
                             &bob.known.head);
    assert_status(cella_fork_evidence_verify(&evidence, text, sizeof text, NULL), CELLA_OK);
}

static void forked_copies_are_found_when_a_client_comes_to_the_other_one(void **state) {
    fork_everything();
    assert_status(world_request(&alice, &other, "a", "3"), CELLA_VAULT_FORK);
    assert_true(world_evidence_proves(&copy));
    assert_status(world_request(&bob, &other, "b", "3"), CELLA_VAULT_STOPPED);
    /* The copy that no such client has come to goes on until one does. */
    request(&alice, "a", "3");
    assert_status(world_request(&bob, &instance, "b", "3"), CELLA_VAULT_FORK);
}

static void forked_copies_of_one_start_and_the_same_requests_share_no_key_and_nonce(void **state) {
    size_t used = test_nonces_used();
    fork_everything();
    /* Two requests before, then for each copy a header, two records of the start and five requests. */
    assert_int_equal(test_nonces_used(), used + 2 + 2 * 8);
    assert_int_equal(test_nonces_repeated(), 0);
    const struct world_file *mine = world_newest(&disk, CELLA_STORE_SEGMENT);
    const struct world_file *theirs = world_newest(&copy, CELLA_STORE_SEGMENT);
    assert_int_equal(mine->file.number, theirs->file.number);
    assert_int_equal(mine->size, theirs->size);
    /* Salts differ, and with them everything that is sealed. */
    assert_memory_not_equal(mine->bytes + 40, theirs->bytes + 40, 32);
}

static void a_tail_cut_at_any_byte_loses_whole_records_and_the_client_that_saw_them_finds_it(void **state) {
    restart();
    uint64_t first = instance.report.now.version;
    for (unsigned i = 0; i < 3; i++)
        request(&alice, "a", "1");
    uint64_t last = alice.known.head.head.version;
    struct world_client seen = alice;
    world_kill(&instance);
    const struct world_file *file = world_newest(&disk, CELLA_STORE_SEGMENT);
    unsigned served = 0;
    for (size_t size = 0; size < file->size; size++) {
        struct cella_vault_report report;
        struct world_machine here = machine;
        world_disk_copy(&copy, &disk);
        world_cut_file(world_newest(&copy, CELLA_STORE_SEGMENT), size);
        size_t whole = size < CELLA_SEGMENT_HEADER_SIZE ? 0 : (size - CELLA_SEGMENT_HEADER_SIZE) / 512;
        enum cella_status status = world_check(&copy, &here, &report);
        /* The intent of this start is the first record: without it the register knows of a later start. */
        assert_status(status, whole == 0 ? CELLA_VAULT_STALE : CELLA_OK);
        assert_status(world_open(&other, &copy, &here), status);
        if (status == CELLA_OK) {
            served++;
            alice = seen;
            assert_int_equal(report.found.version, first - 2 + whole);
            assert_true(report.found.version < last);
            assert_status(world_request(&alice, &other, "a", "2"), CELLA_VAULT_FORK);
        }
        world_kill(&other);
        world_disk_free(&copy);
    }
    assert_true(served > 4 * 512 - 10);
}

static void the_whole_folder_of_another_vault_is_found_by_every_client_of_this_one(void **state) {
    request(&alice, "a", "1");
    world_create(&other, &copy, &machine, 0);
    assert_status(world_request(&alice, &other, "a", "2"), CELLA_VAULT_CONTEXT);
    /* Bob has seen no head, and knows which vault he means. */
    assert_status(world_request(&bob, &other, "b", "2"), CELLA_SIGNATURE_INVALID);
    assert_false(bob.known.has_head);
    assert_status(world_request(&bob, &instance, "b", "2"), CELLA_OK);
}

static void an_invented_context_refuses_one_mail_and_stops_nothing(void **state) {
    request(&alice, "a", "1");
    struct world_client liar = alice;
    liar.known.head.head.version += 100;
    assert_status(world_request(&liar, &instance, "x", "1"), CELLA_VAULT_CONTEXT);
    /* Signed, but by the liar. */
    struct cella_ed25519_key key = world_owner(0);
    assert_status(cella_signed_head_sign(&liar.known.head, &key), CELLA_OK);
    cella_ed25519_deinit(&key);
    assert_status(world_request(&liar, &instance, "x", "1"), CELLA_VAULT_CONTEXT);
    liar.known.head.vault_id[0] ^= 1;
    assert_status(world_request(&liar, &instance, "x", "1"), CELLA_VAULT_CONTEXT);
    request(&alice, "a", "2");
    assert_null(world_get(&instance, "x"));
}

/* What the owners would have to sign so that the copy goes on. */
static struct cella_restore restore_of(const struct cella_vault_report *found, uint64_t epoch) {
    struct cella_restore restore = {.lineage = found->lineage + 1,
                                    .from = found->found,
                                    .lost_to = found->found.version + 10,
                                    .epoch = epoch,
                                    .reason = "test"};
    memcpy(restore.vault_id, found->vault_id, sizeof restore.vault_id);
    memcpy(restore.from_root, found->found_root, sizeof restore.from_root);
    return restore;
}

static void put_restore(struct world_disk *to, struct cella_restore restore, const unsigned *owners) {
    uint8_t bytes[CELLA_RESTORE_SIZE_MAX];
    size_t size = 0;
    for (; *owners != 99; owners++) {
        struct cella_ed25519_key key = world_owner(*owners);
        assert_status(cella_restore_sign(&restore, &key, NULL), CELLA_OK);
        cella_ed25519_deinit(&key);
    }
    assert_status(cella_restore_write(&restore, bytes, &size, NULL), CELLA_OK);
    world_put_file(to, CELLA_STORE_RESTORE, 0, CELLA_BYTES(bytes, size));
}

static void an_old_folder_goes_on_only_with_the_word_of_enough_owners(void **state) {
    struct cella_vault_report found;
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    restart();
    request(&alice, "a", "2");
    world_kill(&instance);
    assert_status(world_check(&copy, &machine, &found), CELLA_VAULT_STALE);
    struct cella_restore restore = restore_of(&found, 2);
    /* One owner, a stranger, another state, another vault: no. */
    put_restore(&copy, restore, (const unsigned[]){0, 99});
    assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_RESTORE);
    put_restore(&copy, restore, (const unsigned[]){0, 7, 99});
    assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_RESTORE);
    restore.from.version--;
    put_restore(&copy, restore, (const unsigned[]){0, 1, 99});
    assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_RESTORE);
    restore.from.version++;
    restore.vault_id[0] ^= 1;
    put_restore(&copy, restore, (const unsigned[]){0, 1, 99});
    assert_status(world_open(&instance, &copy, &machine), CELLA_VAULT_RESTORE);
    restore.vault_id[0] ^= 1;
    put_restore(&copy, restore, (const unsigned[]){0, 1, 99});
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    assert_true(instance.report.restored);
    /* Everyone is told, and it is no fork. */
    assert_status(world_request(&alice, &instance, "a", "3"), CELLA_VAULT_RESTORED);
    request(&alice, "a", "4");
}

static void the_word_of_the_owners_counts_once(void **state) {
    struct cella_vault_report found;
    request(&alice, "a", "1");
    world_disk_copy(&copy, &disk);
    restart();
    world_kill(&instance);
    assert_status(world_check(&copy, &machine, &found), CELLA_VAULT_STALE);
    put_restore(&copy, restore_of(&found, 2), (const unsigned[]){0, 1, 99});
    /* The host keeps the old folder with the restore in it, and uses it again later. */
    world_disk_free(&disk);
    world_disk_copy(&disk, &copy);
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
    request(&bob, "b", "1");
    world_kill(&instance);
    assert_status(world_open(&instance, &disk, &machine), CELLA_VAULT_RESTORE);
    assert_status(world_open(&instance, &copy, &machine), CELLA_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_unchanged_folder_opens_with_everything_in_it),
        TEST(the_whole_folder_of_an_earlier_start_is_refused),
        TEST(the_whole_folder_of_the_same_start_is_found_by_the_client_that_saw_more),
        TEST(a_vault_that_was_proven_to_be_set_back_serves_nobody_any_more),
        TEST(a_stop_that_the_host_cuts_off_comes_again_with_the_same_client),
        TEST(a_state_that_went_on_past_what_a_client_saw_is_found_by_the_history),
        TEST(machine_and_folder_set_back_together_are_found_by_the_client_that_saw_more),
        TEST(a_machine_set_back_alone_is_found_at_the_start),
        TEST(a_copy_beside_a_running_instance_fences_it),
        TEST(a_start_that_was_cut_short_and_hidden_takes_nobodys_place_later),
        TEST(forked_copies_with_disjoint_clients_are_proven_by_any_two_of_their_heads),
        TEST(forked_copies_are_found_when_a_client_comes_to_the_other_one),
        TEST(forked_copies_of_one_start_and_the_same_requests_share_no_key_and_nonce),
        TEST(a_tail_cut_at_any_byte_loses_whole_records_and_the_client_that_saw_them_finds_it),
        TEST(the_whole_folder_of_another_vault_is_found_by_every_client_of_this_one),
        TEST(an_invented_context_refuses_one_mail_and_stops_nothing),
        TEST(an_old_folder_goes_on_only_with_the_word_of_enough_owners),
        TEST(the_word_of_the_owners_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
