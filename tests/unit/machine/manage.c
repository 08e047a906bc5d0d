/* Making and changing machines, their file, and rewinding disks. */
#include "fixture.h"
#include "attest/roots/sim_root.h"
#include "base/file.h"
#include "machine/sim/counter_file.h"
#include "machine/sim/state.h"
#include "machine/sim/tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cella_status try_open(const char *path) {
    struct cella_machine *machine = NULL;
    enum cella_status status = cella_machine_open(path, &machine, NULL);
    if (status != CELLA_OK)
        assert_null(machine);
    cella_machine_free(machine);
    return status;
}

static struct cella_sim_description describe(const char *path) {
    struct cella_sim_description description;
    assert_status(cella_sim_describe(path, &description, NULL), CELLA_OK);
    return description;
}

static void a_new_machine_is_simulated_insecure_and_private(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct stat info;
    char file[256];
    assert_string_equal(cella_machine_kind(machine), "simulated");
    assert_true(cella_machine_is_insecure(machine));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(file, sizeof file, "%s/machine", path);
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    cella_machine_free(machine);
}

static void a_machine_is_never_overwritten(void **state) {
    const char *path = fixture_create(*state, "m");
    const struct cella_sim_create_options again = {.folder = path, .platform_version = 3};
    struct cella_sim_description before = describe(path);
    assert_status(cella_sim_create(&again, NULL), CELLA_EXISTS);
    assert_memory_equal(describe(path).cpu_id, before.cpu_id, sizeof before.cpu_id);
    const char *other = test_path(*state, "other");
    assert_int_equal(mkdir(other, 0700), 0);
    test_write_file(test_path(*state, "other/notes"), CELLA_BYTES("x", 1));
    const struct cella_sim_create_options in_use = {.folder = other, .platform_version = 3};
    assert_status(cella_sim_create(&in_use, NULL), CELLA_EXISTS);
    assert_int_equal(test_folder_count(other), 1);
}

static void what_an_interrupted_creation_left_is_used_again(void **state) {
    const char *path = test_path(*state, "m");
    assert_int_equal(mkdir(path, 0700), 0);
    test_write_file(test_path(*state, "m/counters"), CELLA_BYTES("CELLACTS", 8));
    test_write_file(test_path(*state, "m/counters.new"), CELLA_BYTES(NULL, 0));
    assert_int_equal(chmod(test_path(*state, "m/counters"), 0600), 0);
    assert_status(try_open(path), CELLA_NOT_A_MACHINE);
    assert_string_equal(fixture_create(*state, "m"), path);
    assert_status(try_open(path), CELLA_OK);
}

static void a_folder_or_file_that_others_may_read_is_refused(void **state) {
    const char *path = fixture_create(*state, "m");
    assert_int_equal(chmod(path, 0750), 0);
    assert_status(try_open(path), CELLA_PERMISSION);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chmod(test_path(*state, "m/machine"), 0640), 0);
    assert_status(try_open(path), CELLA_PERMISSION);
    assert_int_equal(chmod(test_path(*state, "m/machine"), 0600), 0);
    assert_status(try_open(path), CELLA_OK);
}

static void what_is_no_machine_is_named_so(void **state) {
    assert_status(try_open(test_path(*state, "missing")), CELLA_NOT_A_MACHINE);
    test_write_file(test_path(*state, "file"), CELLA_BYTES("x", 1));
    assert_status(try_open(test_path(*state, "file")), CELLA_NOT_A_MACHINE);
    assert_status(try_open("/dev/null"), CELLA_UNSUPPORTED);
}

static bool parses(void *context, struct cella_bytes bytes) {
    struct cella_sim_state parsed;
    uint8_t *copy = malloc(bytes.size + 1);
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    if (cella_sim_state_parse(copy, bytes.size, &parsed, NULL) != CELLA_OK) {
        free(copy);
        return false;
    }
    cella_sim_state_deinit(&parsed);
    return true;
}

static void a_cut_changed_or_longer_file_is_refused(void **state) {
    struct cella_bytes file = test_vector("sim-machine/machine.bin");
    assert_true(parses(NULL, file));
    for (size_t size = 0; size < file.size; size++)
        assert_false(parses(NULL, test_copy(CELLA_BYTES(file.data, size))));
    uint8_t *changed = malloc(file.size + 1);
    assert_non_null(changed);
    memcpy(changed, file.data, file.size);
    changed[file.size] = 0;
    assert_false(parses(NULL, CELLA_BYTES(changed, file.size + 1)));
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(parses(NULL, CELLA_BYTES(changed, file.size)));
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(changed);
}

static void a_file_of_a_newer_format_is_told_apart_from_damage(void **state) {
    struct cella_bytes file = test_vector("sim-machine/machine.bin");
    struct cella_sim_state parsed;
    uint8_t *changed = malloc(file.size);
    assert_non_null(changed);
    memcpy(changed, file.data, file.size);
    changed[8] = 2;
    assert_status(cella_sim_state_parse(changed, file.size, &parsed, NULL), CELLA_NEWER_FORMAT);
    free(changed);
}

/* The machine of the worked example, in a folder. */
static const char *open_example(void **state) {
    const char *path = test_path(*state, "example");
    assert_int_equal(mkdir(path, 0700), 0);
    test_write_file(test_path(*state, "example/machine"), test_vector("sim-machine/machine.bin"));
    assert_status(cella_sim_counters_renew(path, NULL), CELLA_OK);
    return path;
}

static void the_worked_example_gives_its_keys_and_counters(void **state) {
    static const char keys[] = "sim-machine/keys.txt";
    struct cella_machine *machine = fixture_open(open_example(state));
    struct cella_machine_identity identity = {.flags = 5, .xfrm = 7, .isv_prod_id = 7, .isv_svn = 3};
    uint8_t key[CELLA_MACHINE_KEY_SIZE];
    memset(identity.code_hash, 0x11, 32);
    memset(identity.code_signer, 0x22, 32);
    assert_status(
        cella_machine_key(machine, &identity, test_vector_field(keys, "seal_request").data, key, NULL),
        CELLA_OK);
    assert_bytes(CELLA_BYTES(key, sizeof key), test_vector_field(keys, "seal_key"));
    assert_status(
        cella_machine_key(machine, &identity, test_vector_field(keys, "report_request").data, key, NULL),
        CELLA_OK);
    assert_bytes(CELLA_BYTES(key, sizeof key), test_vector_field(keys, "report_key"));
    const uint8_t *name = test_vector_field(keys, "counter_name").data;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(cella_machine_counter_increment(machine, &identity, name, 0,
                                                  test_vector_field(keys, "counter_mark").data, NULL),
                  CELLA_OK);
    uint8_t *content = NULL;
    size_t size = 0;
    assert_status(cella_file_read(test_path(*state, "example/counters"), CELLA_SIM_COUNTERS_SIZE, &content,
                                  &size, NULL),
                  CELLA_OK);
    struct cella_bytes slot = CELLA_BYTES(content + CELLA_SIM_SLOT_SIZE, CELLA_SIM_SLOT_SIZE);
    assert_bytes(slot, test_vector_field(keys, "counter_slot"));
    assert_bytes(CELLA_BYTES(slot.data + 16, 32), test_vector_field(keys, "counter_id"));
    assert_bytes(CELLA_BYTES(slot.data + 48, 16), test_vector_field(keys, "counter_owner"));
    free(content);
    cella_machine_free(machine);
}

static void the_default_vendor_is_the_public_one(void **state) {
    struct cella_sim_description machine = describe(fixture_create(*state, "m"));
    assert_true(machine.has_public_vendor);
    assert_memory_equal(machine.root_key, cella_sim_root_key, sizeof machine.root_key);
    assert_non_null(strstr(machine.root_pem, "BEGIN CERTIFICATE"));
}

static void an_own_vendor_has_its_own_root_and_can_make_more_machines(void **state) {
    const char *own = test_path(*state, "own"), *joined = test_path(*state, "joined");
    const struct cella_sim_create_options first = {.folder = own, .own_vendor = true, .platform_version = 3};
    const struct cella_sim_create_options second = {
        .folder = joined, .vendor_folder = own, .platform_version = 3};
    assert_status(cella_sim_create(&first, NULL), CELLA_OK);
    assert_status(cella_sim_create(&second, NULL), CELLA_OK);
    struct cella_sim_description one = describe(own), two = describe(joined);
    assert_false(one.has_public_vendor);
    assert_memory_not_equal(one.root_key, cella_sim_root_key, 64);
    assert_string_equal(one.root_pem, two.root_pem);
    assert_memory_not_equal(one.cpu_id, two.cpu_id, sizeof one.cpu_id);
    struct cella_sim_create_options both = second;
    both.folder = test_path(*state, "both");
    both.own_vendor = true;
    assert_status(cella_sim_create(&both, NULL), CELLA_ARGUMENT);
    struct cella_sim_create_options nowhere = second;
    nowhere.folder = test_path(*state, "nowhere");
    nowhere.vendor_folder = test_path(*state, "missing");
    assert_status(cella_sim_create(&nowhere, NULL), CELLA_NOT_A_MACHINE);
    assert_int_not_equal(access(nowhere.folder, F_OK), 0);
}

static void versions_outside_the_vendors_are_refused(void **state) {
    const char *path = fixture_create(*state, "m");
    unsigned too_high = 13, zero = 0, highest = 12;
    const struct cella_sim_create_options create = {.folder = test_path(*state, "n"), .platform_version = 13};
    assert_status(cella_sim_create(&create, NULL), CELLA_ARGUMENT);
    assert_status(cella_sim_change(path, &(struct cella_sim_change){.platform_version = &too_high}, NULL),
                  CELLA_ARGUMENT);
    assert_status(cella_sim_change(path, &(struct cella_sim_change){.required_version = &zero}, NULL),
                  CELLA_ARGUMENT);
    assert_status(cella_sim_change(path, &(struct cella_sim_change){.required_version = &too_high}, NULL),
                  CELLA_ARGUMENT);
    assert_int_equal(describe(path).platform_version, 3);
    fixture_set_version(path, 0);
    assert_int_equal(describe(path).platform_version, 0);
    assert_status(cella_sim_change(path, &(struct cella_sim_change){.platform_version = &highest}, NULL),
                  CELLA_OK);
    assert_int_equal(describe(path).pce_svn, 22);
}

static void a_dry_run_changes_nothing(void **state) {
    const char *path = fixture_create(*state, "m");
    unsigned version = 5;
    struct cella_sim_description before = describe(path), after;
    const struct cella_sim_change change = {.platform_version = &version, .new_cpu = true, .dry_run = true};
    assert_status(cella_sim_change(path, &change, NULL), CELLA_OK);
    after = describe(path);
    assert_memory_equal(&before, &after, sizeof before);
    const struct cella_sim_create_options create = {
        .folder = test_path(*state, "n"), .platform_version = 3, .dry_run = true};
    assert_status(cella_sim_create(&create, NULL), CELLA_OK);
    assert_int_not_equal(access(create.folder, F_OK), 0);
}

static void a_swapped_cpu_is_another_cpu_of_the_same_vendor(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_sim_description before = describe(path);
    assert_status(cella_sim_change(path, &(struct cella_sim_change){.new_cpu = true}, NULL), CELLA_OK);
    struct cella_sim_description after = describe(path);
    assert_memory_not_equal(before.cpu_id, after.cpu_id, sizeof before.cpu_id);
    assert_string_equal(before.root_pem, after.root_pem);
    assert_int_equal(after.platform_version, 3);
}

static void make_storage(void **state) {
    assert_int_equal(mkdir(test_path(*state, "storage"), 0750), 0);
    assert_int_equal(mkdir(test_path(*state, "storage/vault"), 0700), 0);
    test_write_file(test_path(*state, "storage/vault/head"), CELLA_BYTES("old", 3));
}

static void assert_content(const char *path, const char *content) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(path, 100, &data, &size, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(data, size), CELLA_BYTES(content, strlen(content)));
    free(data);
}

static void a_rewound_disk_is_what_was_saved_and_nothing_else(void **state) {
    struct stat info;
    const char *storage = test_path(*state, "storage"), *copy = test_path(*state, "copy");
    make_storage(state);
    assert_status(cella_sim_tree_copy(test_path(*state, "storage/"), copy, NULL), CELLA_OK);
    test_write_file(test_path(*state, "storage/vault/head"), CELLA_BYTES("newer", 5));
    test_write_file(test_path(*state, "storage/vault/more"), CELLA_BYTES("x", 1));
    assert_status(cella_sim_tree_restore(copy, test_path(*state, "storage/"), NULL), CELLA_OK);
    assert_content(test_path(*state, "storage/vault/head"), "old");
    assert_int_equal(test_folder_count(test_path(*state, "storage/vault")), 1);
    assert_int_equal(stat(storage, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
    /* The copy is still there for the next time, and nothing was left beside them. */
    assert_content(test_path(*state, "copy/vault/head"), "old");
    assert_int_equal(test_folder_count(((struct test_folder *)*state)->path), 2);
}

static void a_copy_never_replaces_another_and_holds_no_machine(void **state) {
    const char *storage = test_path(*state, "storage"), *copy = test_path(*state, "copy");
    make_storage(state);
    assert_status(cella_sim_tree_copy(storage, copy, NULL), CELLA_OK);
    assert_status(cella_sim_tree_copy(storage, copy, NULL), CELLA_EXISTS);
    assert_status(cella_sim_tree_copy(test_path(*state, "missing"), copy, NULL), CELLA_NOT_FOUND);
    fixture_create(*state, "storage/machine-1");
    assert_status(cella_sim_tree_copy(storage, test_path(*state, "second"), NULL), CELLA_ARGUMENT);
    assert_status(cella_sim_tree_restore(copy, storage, NULL), CELLA_ARGUMENT);
    assert_status(try_open(test_path(*state, "storage/machine-1")), CELLA_OK);
}

static void links_are_neither_followed_nor_copied(void **state) {
    make_storage(state);
    assert_int_equal(symlink("/etc", test_path(*state, "storage/link")), 0);
    assert_status(cella_sim_tree_copy(test_path(*state, "storage"), test_path(*state, "copy"), NULL),
                  CELLA_UNSUPPORTED);
    assert_int_not_equal(access(test_path(*state, "copy"), F_OK), 0);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_new_machine_is_simulated_insecure_and_private),
        WITH_FOLDER(a_machine_is_never_overwritten),
        WITH_FOLDER(what_an_interrupted_creation_left_is_used_again),
        WITH_FOLDER(a_folder_or_file_that_others_may_read_is_refused),
        WITH_FOLDER(what_is_no_machine_is_named_so),
        cmocka_unit_test(a_cut_changed_or_longer_file_is_refused),
        cmocka_unit_test(a_file_of_a_newer_format_is_told_apart_from_damage),
        WITH_FOLDER(the_worked_example_gives_its_keys_and_counters),
        WITH_FOLDER(the_default_vendor_is_the_public_one),
        WITH_FOLDER(an_own_vendor_has_its_own_root_and_can_make_more_machines),
        WITH_FOLDER(versions_outside_the_vendors_are_refused),
        WITH_FOLDER(a_dry_run_changes_nothing),
        WITH_FOLDER(a_swapped_cpu_is_another_cpu_of_the_same_vendor),
        WITH_FOLDER(a_rewound_disk_is_what_was_saved_and_nothing_else),
        WITH_FOLDER(a_copy_never_replaces_another_and_holds_no_machine),
        WITH_FOLDER(links_are_neither_followed_nor_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
