/* Real instances with a vault while the machine's platform version, the image or the machine itself changes:
 * what opens and is sealed anew, what is refused, and that a refusal changes nothing. */
#include "attack/fixture.h"
#include "base/file.h"
#include "machine/sim/manage.h"
#include "machine/sim/tree.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 64, ROUNDS_MAX = 2000 };

static const char *machine_of(void **state) {
    return test_path(*state, "machine");
}

static const char *vault_of(void **state) {
    return test_path(*state, "vault");
}

static int setup(void **state) {
    struct cella_error error = {.message = ""};
    if (test_folder_setup(state) != 0)
        return -1;
    const struct cella_sim_create_options options = {.folder = machine_of(state),
                                                     .platform_version = CELLA_SIM_VERSION_NEW};
    return cella_sim_create(&options, &error) == CELLA_OK ? 0 : -1;
}

static void change_machine(void **state, const struct cella_sim_change *change) {
    struct cella_error error = {.message = ""};
    assert_status(cella_sim_change(machine_of(state), change, &error), CELLA_OK);
}

static void set_version(void **state, unsigned version) {
    change_machine(state, &(struct cella_sim_change){.platform_version = &version});
}

/* --- folders --- */

struct files {
    size_t count;
    char names[FILES_MAX][64];
    struct cella_bytes bytes[FILES_MAX];
};

static bool is_dot(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int by_name(const void *one, const void *other) {
    return strcmp(one, other);
}

static void read_files(const char *path, struct files *files) {
    struct cella_error error = {.message = ""};
    DIR *folder = opendir(path);
    assert_non_null(folder);
    files->count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (is_dot(entry->d_name))
            continue;
        assert_true(files->count < FILES_MAX && strlen(entry->d_name) < sizeof files->names[0]);
        (void)snprintf(files->names[files->count++], sizeof files->names[0], "%s", entry->d_name);
    }
    closedir(folder);
    qsort(files->names, files->count, sizeof files->names[0], by_name);
    for (size_t i = 0; i < files->count; i++) {
        char name[512];
        uint8_t *data = NULL;
        size_t size = 0;
        (void)snprintf(name, sizeof name, "%s/%s", path, files->names[i]);
        assert_status(cella_file_read(name, SIZE_MAX, &data, &size, &error), CELLA_OK);
        files->bytes[i] = test_copy(CELLA_BYTES(data, size));
        free(data);
    }
}

static void write_files(const char *path, const struct files *files) {
    for (size_t i = 0; i < files->count; i++) {
        char name[512];
        (void)snprintf(name, sizeof name, "%s/%s", path, files->names[i]);
        test_write_file(name, files->bytes[i]);
    }
}

static void assert_same_files(const struct files *got, const struct files *expected) {
    assert_int_equal(got->count, expected->count);
    for (size_t i = 0; i < got->count; i++) {
        assert_string_equal(got->names[i], expected->names[i]);
        assert_bytes(got->bytes[i], expected->bytes[i]);
    }
}

/* Numbers of the oldest and the newest journal segment, and how many snapshots there are. */
struct content {
    uint64_t oldest, newest;
    unsigned snapshots;
};

static struct content content_of(void **state) {
    struct content content = {.oldest = UINT64_MAX};
    DIR *folder = opendir(vault_of(state));
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct cella_store_file file;
        if (!cella_storage_parse_name(entry->d_name, &file))
            continue;
        if (file.kind == CELLA_STORE_SNAPSHOT)
            content.snapshots++;
        if (file.kind != CELLA_STORE_SEGMENT)
            continue;
        if (file.number < content.oldest)
            content.oldest = file.number;
        if (file.number > content.newest)
            content.newest = file.number;
    }
    closedir(folder);
    return content;
}

/* --- instances --- */

static const struct cella_vault_report *start(struct fixture *fixture, void **state, const char *image) {
    struct cella_error error = {.message = ""};
    enum cella_status status =
        fixture_start_vault(fixture, machine_of(state), vault_of(state), image, &error);
    if (status != CELLA_OK)
        print_message("%s\n", error.message);
    assert_status(status, CELLA_OK);
    return &cella_instance_info(fixture->instance)->vault;
}

static void stop(struct fixture *fixture) {
    cella_instance_stop(fixture->instance, 10000);
    assert_status(fixture_await_end(fixture), CELLA_OK);
    fixture_free(fixture);
}

/* A vault with a few keys, made by `image`. */
static void make_vault(void **state, const char *image) {
    struct fixture fixture;
    assert_false(start(&fixture, state, image)->outdated_keys);
    assert_answer(fixture_call(&fixture, "put name value"), "");
    assert_answer(fixture_call(&fixture, "put other 2"), "");
    stop(&fixture);
}

/* It opens, with nothing to be sealed anew, and has what was put. */
static void assert_opens(void **state, const char *image) {
    struct fixture fixture;
    assert_false(start(&fixture, state, image)->outdated_keys);
    assert_answer(fixture_call(&fixture, "get name"), "value");
    stop(&fixture);
}

static struct cella_instance_options options_of(void **state, const char *image) {
    return (struct cella_instance_options){.image_path = fixture_image(image),
                                           .machine_path = machine_of(state),
                                           .keeper_path = CELLA_TEST_KEEPER,
                                           .vault_path = vault_of(state)};
}

/* Neither a start nor a check opens it; both give this status, and no byte of it changes. */
static void assert_refused(void **state, const char *image, enum cella_status expected) {
    static struct files before, after;
    struct fixture fixture;
    struct cella_vault_report report;
    struct cella_error error = {.message = ""};
    read_files(vault_of(state), &before);
    enum cella_status status =
        fixture_start_vault(&fixture, machine_of(state), vault_of(state), image, &error);
    if (status != expected)
        print_message("%s\n", error.message);
    assert_status(status, expected);
    fixture_free(&fixture);
    const struct cella_instance_options options = options_of(state, image);
    assert_status(cella_instance_check(&options, &report, &error), expected);
    read_files(vault_of(state), &after);
    assert_same_files(&after, &before);
}

/* Opens it with keys that are outdated, and goes on until nothing is left that was there before. */
static void open_and_seal_anew(void **state, const char *image) {
    struct fixture fixture;
    struct content before = content_of(state), now;
    struct cella_vault_report report;
    struct cella_error error = {.message = ""};
    const struct cella_instance_options options = options_of(state, image);
    assert_status(cella_instance_check(&options, &report, &error), CELLA_OK);
    assert_true(report.outdated_keys);
    assert_true(start(&fixture, state, image)->outdated_keys);
    unsigned rounds = 0;
    do {
        assert_answer(fixture_call(&fixture, "get name"), "value");
        assert_answer(fixture_call(&fixture, "put other 3"), "");
        now = content_of(state);
    } while ((now.oldest <= before.newest || now.snapshots == 0) && ++rounds < ROUNDS_MAX);
    assert_true(now.oldest > before.newest);
    assert_true(now.snapshots > 0);
    stop(&fixture);
}

/* --- the platform's version --- */

static void a_raised_platform_seals_everything_anew_and_a_lowered_one_cannot_open_it(void **state) {
    make_vault(state, "variant-first");
    set_version(state, 4);
    open_and_seal_anew(state, "variant-first");
    assert_opens(state, "variant-first");
    set_version(state, 3);
    assert_refused(state, "variant-first", CELLA_KEY_CPU_SVN);
    set_version(state, 4);
    assert_opens(state, "variant-first");
}

static void one_start_on_a_raised_platform_is_enough_to_lock_out_a_lowered_one(void **state) {
    struct fixture fixture;
    make_vault(state, "variant-first");
    set_version(state, 4);
    (void)start(&fixture, state, "variant-first");
    fixture_free(&fixture); /* killed, whatever it had sealed anew by then */
    set_version(state, 3);
    assert_refused(state, "variant-first", CELLA_KEY_CPU_SVN);
    set_version(state, 5);
    open_and_seal_anew(state, "variant-first");
    assert_opens(state, "variant-first");
}

static void a_new_vault_on_a_raised_platform_is_out_of_reach_for_a_lowered_one(void **state) {
    set_version(state, 4);
    make_vault(state, "variant-first");
    assert_opens(state, "variant-first");
    set_version(state, 3);
    assert_refused(state, "variant-first", CELLA_KEY_CPU_SVN);
}

/* --- other images --- */

static void a_later_image_seals_everything_anew_and_the_earlier_one_cannot_open_it(void **state) {
    make_vault(state, "variant-first");
    open_and_seal_anew(state, "variant-later");
    assert_opens(state, "variant-later");
    assert_refused(state, "variant-first", CELLA_KEY_ISV_SVN);
    assert_opens(state, "variant-later");
}

static void one_start_of_a_later_image_is_enough_to_lock_out_the_earlier_one(void **state) {
    struct fixture fixture;
    make_vault(state, "variant-first");
    (void)start(&fixture, state, "variant-later");
    fixture_free(&fixture); /* killed, whatever it had sealed anew by then */
    assert_refused(state, "variant-first", CELLA_KEY_ISV_SVN);
    (void)start(&fixture, state, "variant-later");
    assert_answer(fixture_call(&fixture, "get name"), "value");
    stop(&fixture);
}

static void an_image_that_was_built_again_opens_it_under_the_signers_policy_only(void **state) {
    make_vault(state, "variant-first");
    assert_opens(state, "variant-rebuilt");
    assert_opens(state, "variant-first");
    assert_refused(state, "variant-own-keys", CELLA_VAULT_OTHER_SIGNER);
}

static void an_image_with_keys_of_its_own_shares_them_with_no_other(void **state) {
    make_vault(state, "variant-own-keys");
    assert_opens(state, "variant-own-keys");
    assert_refused(state, "variant-own-keys-rebuilt", CELLA_VAULT_OTHER_SIGNER);
    assert_refused(state, "variant-first", CELLA_VAULT_OTHER_SIGNER);
    assert_opens(state, "variant-own-keys");
}

static void images_of_others_cannot_open_it(void **state) {
    make_vault(state, "variant-first");
    assert_refused(state, "variant-signer", CELLA_VAULT_OTHER_SIGNER);
    assert_refused(state, "variant-product", CELLA_VAULT_OTHER_SIGNER);
    assert_opens(state, "variant-first");
}

static void a_debug_image_and_a_release_image_cannot_open_each_others_vaults(void **state) {
    make_vault(state, "variant-first");
    assert_refused(state, "variant-release", CELLA_VAULT_OTHER_SIGNER);
    assert_opens(state, "variant-first");
}

/* --- other machines --- */

static void another_cpu_in_the_same_machine_cannot_open_it(void **state) {
    make_vault(state, "variant-first");
    change_machine(state, &(struct cella_sim_change){.new_cpu = true});
    assert_refused(state, "variant-first", CELLA_VAULT_OTHER_MACHINE);
}

static void an_older_machine_that_never_had_it_is_another_machine_first_of_all(void **state) {
    unsigned version = 2;
    make_vault(state, "variant-first");
    change_machine(state, &(struct cella_sim_change){.new_cpu = true, .platform_version = &version});
    assert_refused(state, "variant-first", CELLA_VAULT_OTHER_MACHINE);
}

static void a_machine_that_was_set_back_is_found_out(void **state) {
    static struct files machine;
    make_vault(state, "variant-first");
    read_files(machine_of(state), &machine);
    assert_opens(state, "variant-first");
    write_files(machine_of(state), &machine);
    assert_refused(state, "variant-first", CELLA_VAULT_REWOUND);
}

/* A folder of the time before the platform was raised opens with nothing but that time's counter. */
static void a_copy_from_before_the_platform_was_raised_is_refused_there_too(void **state) {
    static struct files vault;
    make_vault(state, "variant-first");
    read_files(vault_of(state), &vault);
    set_version(state, 4);
    open_and_seal_anew(state, "variant-first");
    struct cella_error error = {.message = ""};
    assert_status(cella_sim_tree_remove(vault_of(state), &error), CELLA_OK);
    assert_int_equal(mkdir(vault_of(state), 0700), 0);
    write_files(vault_of(state), &vault);
    assert_refused(state, "variant-first", CELLA_VAULT_STALE);
    set_version(state, 3);
    assert_refused(state, "variant-first", CELLA_VAULT_STALE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, test_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_raised_platform_seals_everything_anew_and_a_lowered_one_cannot_open_it),
        TEST(one_start_on_a_raised_platform_is_enough_to_lock_out_a_lowered_one),
        TEST(a_new_vault_on_a_raised_platform_is_out_of_reach_for_a_lowered_one),
        TEST(a_later_image_seals_everything_anew_and_the_earlier_one_cannot_open_it),
        TEST(one_start_of_a_later_image_is_enough_to_lock_out_the_earlier_one),
        TEST(an_image_that_was_built_again_opens_it_under_the_signers_policy_only),
        TEST(an_image_with_keys_of_its_own_shares_them_with_no_other),
        TEST(images_of_others_cannot_open_it),
        TEST(a_debug_image_and_a_release_image_cannot_open_each_others_vaults),
        TEST(another_cpu_in_the_same_machine_cannot_open_it),
        TEST(an_older_machine_that_never_had_it_is_another_machine_first_of_all),
        TEST(a_machine_that_was_set_back_is_found_out),
        TEST(a_copy_from_before_the_platform_was_raised_is_refused_there_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
