/* Attacks that mix files of several forms of one vault, also while they are read: whatever opens is a state
 * that was there once, whole. The names of these tests are rows of docs/vault-attacks.md. */
#include "support/nonces.h"
#include "vault_world.h"
#include <stdio.h>
#include <string.h>

enum { STATES_MAX = 256 };

static struct world_machine machine, other_machine;
static struct world_disk disk, copy, old;
static struct world_instance instance, other;

static int setup(void **state) {
    world_machine_init(&machine, 1);
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

static struct world_disk *fresh_copy(void) {
    world_disk_free(&copy);
    world_disk_copy(&copy, &disk);
    return &copy;
}

/* States that were there once, by their head: every start must end with one of these, whole. */
struct known_state {
    struct cella_head head;
    uint64_t keys, state_size;
};
static struct known_state known_states[STATES_MAX];
static unsigned known_count;

static void know(struct world_instance *of) {
    struct cella_vault_counts counts;
    cella_vault_count(of->vault, &counts);
    assert_true(known_count < STATES_MAX);
    known_states[known_count++] =
        (struct known_state){.head = counts.head, .keys = counts.keys, .state_size = counts.state_size};
}

/* Each change is a key of its own, so that no two states have the same number and size. */
static void put_more(struct world_instance *of, unsigned changes) {
    char key[32];
    for (unsigned i = 0; i < changes; i++) {
        (void)snprintf(key, sizeof key, "%s%*u", of == &other ? "theirs" : "mine", 10, known_count);
        assert_status(world_put(of, key, "value"), CELLA_OK);
        know(of);
    }
}

static void expect_known(const struct cella_vault_report *report) {
    for (unsigned i = 0; i < known_count; i++)
        if (memcmp(&known_states[i].head, &report->found, sizeof report->found) == 0) {
            assert_int_equal(report->keys, known_states[i].keys);
            assert_int_equal(report->state_size, known_states[i].state_size);
            return;
        }
    fail_msg("a state was accepted that never was, at version %llu",
             (unsigned long long)report->found.version);
}

/* Two copies of one vault, started twice each, the second one with more changes. */
static void make_long_fork(void) {
    known_count = 0;
    world_create(&instance, &disk, &machine, 0);
    know(&instance);
    put_more(&instance, 3);
    world_kill(&instance);
    world_disk_copy(&old, &disk);
    other_machine = machine;
    for (unsigned start = 0; start < 2; start++) {
        assert_status(world_open(&instance, &disk, &machine), CELLA_OK);
        know(&instance);
        put_more(&instance, 2);
        world_kill(&instance);
        assert_status(world_open(&other, &old, &other_machine), CELLA_OK);
        know(&other);
        put_more(&other, 4);
        world_kill(&other);
    }
}

/* Reads come from `first`, which belongs to the machine `on`, and after each possible number of them from
 * `second`. */
static unsigned change_minds(struct world_disk *first, const struct world_machine *on,
                             struct world_disk *second) {
    unsigned opened = 0;
    for (unsigned after = 1;; after++) {
        struct world_disk scratch;
        struct world_machine here = *on;
        world_disk_copy(&scratch, first);
        world_prepare(&other, &scratch, &here);
        other.swap = second;
        other.swap_after = after;
        enum cella_status status =
            cella_vault_open(&other.options, &other.vault, &other.report, &other.error);
        world_kill(&other);
        world_disk_free(&scratch);
        if (status == CELLA_OK) {
            opened++;
            expect_known(&other.report);
        }
        if (other.reads < after)
            return opened;
    }
}

static void a_host_that_changes_files_while_they_are_read_mixes_no_states(void **state) {
    make_long_fork();
    assert_true(change_minds(&disk, &machine, &old) > 0);
    assert_true(change_minds(&old, &other_machine, &disk) > 0);
    /* Against an older form of itself, too. */
    world_disk_copy(&copy, &disk);
    world_remove_file(&copy, CELLA_STORE_SEGMENT, 3);
    assert_true(change_minds(&disk, &machine, &copy) > 0);
    (void)change_minds(&copy, &machine, &disk);
}

static void snapshot_more(struct world_instance *of) {
    struct cella_vault_counts counts;
    cella_vault_count(of->vault, &counts);
    for (uint64_t before = counts.snapshots; counts.snapshots == before;) {
        put_more(of, 1);
        cella_vault_count(of->vault, &counts);
    }
    know(of);
    put_more(of, 2);
}

static void a_host_that_changes_snapshots_while_they_are_read_mixes_no_states(void **state) {
    known_count = 0;
    world_create(&instance, &disk, &machine, 2048);
    snapshot_more(&instance);
    world_disk_copy(&old, &disk);
    snapshot_more(&instance);
    world_kill(&instance);
    assert_true(change_minds(&disk, &machine, &old) > 0);
    assert_true(change_minds(&old, &machine, &disk) > 0);
    uint64_t now = world_newest(&disk, CELLA_STORE_SNAPSHOT)->file.number;
    uint64_t then = world_newest(&old, CELLA_STORE_SNAPSHOT)->file.number;
    world_take_file(fresh_copy(), &old, CELLA_STORE_SNAPSHOT, then, now);
    assert_true(change_minds(&disk, &machine, &copy) > 0);
    (void)change_minds(&copy, &machine, &disk);
}

static void remove_snapshots(struct world_disk *of) {
    for (struct world_file *file; (file = world_newest(of, CELLA_STORE_SNAPSHOT)) != NULL;)
        world_remove_file(of, CELLA_STORE_SNAPSHOT, file->file.number);
}

/* A segment that was begun for a snapshot has no intent of its own, which the register could know; without
 * the snapshot, but with all that it replaced, the journal is whole all the same. */
static void a_host_that_changes_segments_without_an_intent_mixes_no_states(void **state) {
    known_count = 0;
    disk.keeps = true;
    world_create(&instance, &disk, &machine, 0);
    put_more(&instance, 1);
    world_kill(&instance);
    world_disk_copy(&old, &disk);
    other_machine = machine;
    assert_status(world_open_with(&instance, &disk, &machine, 4096), CELLA_OK);
    snapshot_more(&instance);
    world_kill(&instance);
    assert_status(world_open_with(&other, &old, &other_machine, 4096), CELLA_OK);
    snapshot_more(&other);
    world_kill(&other);
    remove_snapshots(&disk);
    remove_snapshots(&old);
    assert_non_null(world_find(&disk, CELLA_STORE_SEGMENT, 1));
    assert_int_equal(world_newest(&disk, CELLA_STORE_SEGMENT)->file.number, 3);
    assert_int_equal(world_newest(&old, CELLA_STORE_SEGMENT)->file.number, 3);
    assert_true(change_minds(&disk, &machine, &old) > 0);
    assert_true(change_minds(&old, &other_machine, &disk) > 0);
}

/* How many of the ways to take each segment from one copy or the other, or to leave it out, open. */
static unsigned mix_segments(struct world_machine *on) {
    unsigned opened = 0;
    for (unsigned mixture = 0; mixture < 27; mixture++) {
        fresh_copy();
        unsigned left = mixture;
        for (uint64_t number = 1; number <= 3; number++, left /= 3) {
            if (left % 3 == 0)
                world_remove_file(&copy, CELLA_STORE_SEGMENT, number);
            else if (left % 3 == 1)
                world_take_file(&copy, &old, CELLA_STORE_SEGMENT, number, number);
        }
        struct cella_vault_report report;
        if (world_check(&copy, on, &report) == CELLA_OK) {
            opened++;
            expect_known(&report);
        }
    }
    return opened;
}

static void no_mixture_of_two_copies_opens_but_one_that_was_there(void **state) {
    make_long_fork();
    /* Segment 1 is common; each machine knows which copy went on from it there. */
    assert_int_equal(mix_segments(&machine), 2);
    assert_int_equal(mix_segments(&other_machine), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(no_mixture_of_two_copies_opens_but_one_that_was_there),
        TEST(a_host_that_changes_files_while_they_are_read_mixes_no_states),
        TEST(a_host_that_changes_snapshots_while_they_are_read_mixes_no_states),
        TEST(a_host_that_changes_segments_without_an_intent_mixes_no_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
