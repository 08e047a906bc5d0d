/* What a host does about its enclaves' vaults: where they lie, what is shown of them, which failures are not
 * tried again. */
#include "support/test.h"
#include "support/fake_instance.h"
#include "base/file.h"
#include "host/host_internal.h"
#include "machine/sim/manage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct bench {
    struct test_folder *folder;
    char machine[128], vaults[128];
    struct cella_host *host;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char events[4096]; /* of the log, one name after the other */
};

static struct bench bench;

static void on_log(void *context, const char *level, const char *enclave, const char *event,
                   const char *facts) {
    pthread_mutex_lock(&bench.lock);
    size_t size = strlen(bench.events);
    snprintf(bench.events + size, sizeof bench.events - size, "%s ", event);
    pthread_cond_broadcast(&bench.changed);
    pthread_mutex_unlock(&bench.lock);
}

static void await_event(const char *event) {
    pthread_mutex_lock(&bench.lock);
    while (strstr(bench.events, event) == NULL)
        pthread_cond_wait(&bench.changed, &bench.lock);
    pthread_mutex_unlock(&bench.lock);
}

static void make_host(const char *vaults, unsigned restarts) {
    struct cella_error error = {.message = ""};
    struct cella_host_options options = {
        .vaults_path = vaults, .restart_limit = restarts, .events = {.log = on_log}};
    assert_status(cella_host_new(&options, &bench.host, &error), CELLA_OK);
}

static int set_up(void **state) {
    if (test_folder_setup(state) != 0)
        return -1;
    bench = (struct bench){
        .folder = *state, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    snprintf(bench.machine, sizeof bench.machine, "%s/machine", bench.folder->path);
    snprintf(bench.vaults, sizeof bench.vaults, "%s/vaults", bench.folder->path);
    struct cella_sim_create_options create = {.folder = bench.machine,
                                              .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&create, NULL), CELLA_OK);
    return 0;
}

static int tear_down(void **state) {
    cella_host_free(bench.host);
    bench.host = NULL;
    assert_int_equal(cella_fake_alive(), 0);
    return test_folder_teardown(state);
}

static enum cella_status start(const char *name, const char *image, struct cella_error *error) {
    return cella_host_start(bench.host, name, image, bench.machine, NULL, error);
}

static struct cella_host_enclave_state state_of(const char *name) {
    struct cella_host_enclave_state state;
    cella_host_enclave_state(cella_host_find(bench.host, name), &state);
    return state;
}

static void each_enclave_has_its_vault_under_its_name(void **state) {
    struct cella_error error = {.message = ""};
    struct stat info;
    make_host(bench.vaults, 0);
    assert_int_equal(stat(bench.vaults, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_status(start("first", "kept", &error), CELLA_OK);
    assert_status(start("second", "kept", &error), CELLA_OK);
    assert_int_equal(stat(test_path(bench.folder, "vaults/first"), &info), 0);
    assert_int_equal(stat(test_path(bench.folder, "vaults/second"), &info), 0);
}

static void a_host_without_a_folder_for_vaults_starts_no_image_that_needs_one(void **state) {
    struct cella_error error = {.message = ""};
    make_host(NULL, 0);
    assert_status(start("one", "kept", &error), CELLA_VAULT_NEEDED);
    assert_status(start("two", "raw", &error), CELLA_OK);
    assert_false(state_of("two").vault.present);
}

static void what_is_known_of_a_vault_is_shown(void **state) {
    struct cella_error error = {.message = ""};
    make_host(bench.vaults, 0);
    assert_status(start("one", "kept", &error), CELLA_OK);
    struct cella_host_vault_state vault = state_of("one").vault;
    assert_true(vault.present);
    assert_int_equal(vault.vault_id[31], 0x5a);
    assert_int_equal(vault.epoch, 4);
    assert_int_equal(vault.version, 1900); /* newer than at the start */
    assert_int_equal(vault.snapshot_version, 1800);
    assert_int_equal(vault.keys, 12);
    assert_false(vault.freshness_known);
    assert_status(vault.storage, CELLA_OK);
}

static void a_failing_disk_is_shown_until_it_works_again(void **state) {
    struct cella_error error = {.message = ""};
    make_host(bench.vaults, 0);
    assert_status(start("one", "kept", &error), CELLA_OK);
    cella_fake_storage(cella_fake_newest(), CELLA_STORAGE_FULL, "cannot write segment: no \"space\"");
    struct cella_host_vault_state vault = state_of("one").vault;
    assert_status(vault.storage, CELLA_STORAGE_FULL);
    assert_string_equal(vault.storage_message, "cannot write segment: no \"space\"");
    assert_non_null(strstr(bench.events, "storage-failed"));
    cella_fake_storage(cella_fake_newest(), CELLA_OK, "");
    vault = state_of("one").vault;
    assert_status(vault.storage, CELLA_OK);
    assert_string_equal(vault.storage_message, "");
    assert_non_null(strstr(bench.events, "storage-works-again"));
}

static void a_vault_that_stays_unopenable_is_not_tried_again(void **state) {
    struct cella_error error = {.message = ""};
    make_host(bench.vaults, 5);
    assert_status(start("one", "stale", &error), CELLA_VAULT_STALE);
    /* As the supervisor does once a minute. */
    cella_enclave_reap(cella_host_find(bench.host, "one"));
    await_event("restart-useless");
    struct cella_host_enclave_state shown = state_of("one");
    assert_int_equal(shown.phase, CELLA_HOST_ENDED);
    assert_status(shown.end_status, CELLA_VAULT_STALE);
    assert_string_equal(shown.end_reason, "this copy: epoch 3; newest: epoch 4");
    assert_int_equal(shown.starts, 0);
}

static void other_ends_are_restarted_with_the_vault(void **state) {
    struct cella_error error = {.message = ""};
    make_host(bench.vaults, 5);
    assert_status(start("one", "kept", &error), CELLA_OK);
    cella_fake_crash(cella_fake_newest(), "boom");
    while (state_of("one").starts < 2)
        sched_yield();
    assert_true(state_of("one").vault.present);
}

static void every_failure_of_a_vault_is_sorted(void **state) {
    static const enum cella_status stay[] = {
        CELLA_VAULT_MISSING,      CELLA_VAULT_STALE,   CELLA_VAULT_OTHER,   CELLA_VAULT_OTHER_MACHINE,
        CELLA_VAULT_OTHER_SIGNER, CELLA_VAULT_DAMAGED, CELLA_VAULT_SPLICED, CELLA_VAULT_REWOUND,
        CELLA_VAULT_STOPPED,      CELLA_VAULT_RESTORE, CELLA_VAULT_NEEDED,  CELLA_KEY_CPU_SVN,
        CELLA_KEY_ISV_SVN,        CELLA_NEWER_FORMAT,  CELLA_FENCED,        CELLA_NO_COUNTER};
    static const enum cella_status pass[] = {
        CELLA_OK,          CELLA_CRASHED,         CELLA_STORAGE_FULL,
        CELLA_STORAGE_IO,  CELLA_VAULT_BUSY,      CELLA_STORAGE_READ_ONLY,
        CELLA_INTERRUPTED, CELLA_MACHINE_CHANGED, CELLA_NO_MEMORY};
    for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
        assert_true(cella_vault_failure_stays(stay[i]));
    for (size_t i = 0; i < sizeof pass / sizeof pass[0]; i++)
        assert_false(cella_vault_failure_stays(pass[i]));
}

static void the_last_failure_is_kept_until_a_start_succeeds(void **state) {
    struct cella_error error = {.message = ""};
    uint8_t *text = NULL;
    size_t size = 0;
    make_host(bench.vaults, 0);
    assert_status(start("one", "stale", &error), CELLA_VAULT_STALE);
    const char *path = test_path(bench.folder, "vaults/one.failure");
    assert_status(cella_file_read(path, 1024, &text, &size, &error), CELLA_OK);
    assert_int_equal(strncmp((const char *)text, "VAULT_STALE ", 12), 0);
    assert_non_null(strstr((const char *)text, "\nthis copy: epoch 3; newest: epoch 4\n"));
    free(text);
    assert_status(start("one", "kept", &error), CELLA_OK);
    assert_status(cella_file_read(path, 1024, &text, &size, &error), CELLA_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_enclave_has_its_vault_under_its_name),
        TEST(a_host_without_a_folder_for_vaults_starts_no_image_that_needs_one),
        TEST(what_is_known_of_a_vault_is_shown),
        TEST(a_failing_disk_is_shown_until_it_works_again),
        TEST(a_vault_that_stays_unopenable_is_not_tried_again),
        TEST(other_ends_are_restarted_with_the_vault),
        TEST(every_failure_of_a_vault_is_sorted),
        TEST(the_last_failure_is_kept_until_a_start_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
