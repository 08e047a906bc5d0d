/* Real instances with a vault that are killed at each step of their start, while the host keeps copies of the
 * folder: who opens afterwards. The names of these tests are rows of docs/vault-attacks.md. */
#include "attack/fixture.h"
#include "machine/sim/manage.h"
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the host kills a start: by the write to the new segment (1 its header, 2 INTENT, 3 EPOCH; the
 * machine's counter is moved between 2 and 3), which is done or not, and of which the enclave does not hear.
 */
struct strike {
    unsigned write; /* 0: no start is killed */
    bool done;
    bool acquired; /* the counter has moved by then */
};
static const struct strike strikes[] = {
    {1, true, false}, {2, false, false}, {2, true, false}, {3, false, true}, {3, true, true}};
enum { STRIKES = sizeof strikes / sizeof *strikes };
static const struct strike after_intent = {2, true, false};

static struct strike now;
static unsigned seen;

/* In place of the host's storage. */
enum cella_status __real_cella_storage_write(struct cella_storage *storage,
                                             const struct cella_storage_write *write,
                                             struct cella_error *error);
enum cella_status __wrap_cella_storage_write(struct cella_storage *storage,
                                             const struct cella_storage_write *write,
                                             struct cella_error *error);
enum cella_status __wrap_cella_storage_write(struct cella_storage *storage,
                                             const struct cella_storage_write *write,
                                             struct cella_error *error) {
    if (write->file.kind != CELLA_STORE_SEGMENT || now.write == 0 || ++seen != now.write)
        return __real_cella_storage_write(storage, write, error);
    struct cella_storage_write silent = *write;
    silent.told = false;
    silent.once = false;
    if (now.done)
        assert_status(__real_cella_storage_write(storage, &silent, error), CELLA_OK);
    /* This makes the host end the instance before it hears of anything. */
    return CELLA_STORAGE_IO;
}

static const char *original(void **state) {
    return test_path(*state, "vault");
}

static const char *copy(void **state) {
    return test_path(*state, "copy");
}

static enum cella_status try_start(void **state, const char *vault, struct fixture *fixture) {
    struct cella_error error = {.message = ""};
    return fixture_start_vault(fixture, test_path(*state, "machine"), vault, "vault-probe", &error);
}

static void start_and_kill(void **state, const char *vault, struct strike strike) {
    struct fixture fixture;
    now = strike;
    seen = 0;
    assert_status(try_start(state, vault, &fixture), CELLA_STORAGE_IO);
    assert_int_equal(seen, strike.write);
    now.write = 0;
    fixture_free(&fixture);
}

/* One that serves: it changes `key`, and has what was changed under `expected`. */
static void serve(void **state, const char *vault, const char *key, const char *expected) {
    struct fixture fixture;
    char line[64];
    assert_status(try_start(state, vault, &fixture), CELLA_OK);
    (void)snprintf(line, sizeof line, "get %s", expected);
    if (expected[0] != '\0')
        assert_answer(fixture_call(&fixture, line), "value");
    (void)snprintf(line, sizeof line, "put %s value", key);
    assert_answer(fixture_call(&fixture, line), "");
    fixture_free(&fixture);
}

static void assert_stale(void **state, const char *vault) {
    struct fixture fixture;
    assert_status(try_start(state, vault, &fixture), CELLA_VAULT_STALE);
    fixture_free(&fixture);
}

static void copy_folder(const char *from, const char *to) {
    pid_t process;
    int result = -1;
    char *const arguments[] = {(char *)(uintptr_t) "cp", (char *)(uintptr_t) "-a", (char *)(uintptr_t)from,
                               (char *)(uintptr_t)to, NULL};
    assert_int_equal(posix_spawnp(&process, "cp", NULL, NULL, arguments, environ), 0);
    assert_true(waitpid(process, &result, 0) == process);
    assert_int_equal(result, 0);
}

/* Under the name `original` a vault of one start, and its copy. */
static void make(void **state) {
    struct test_folder *folder = *state;
    test_folder_remove(folder);
    test_folder_make(folder);
    const struct cella_sim_create_options machine = {.folder = test_path(folder, "machine"),
                                                     .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&machine, NULL), CELLA_OK);
    serve(state, original(state), "first", "");
    copy_folder(original(state), copy(state));
}

static void a_copy_that_was_killed_between_intent_and_counter_stays_stale(void **state) {
    make(state);
    start_and_kill(state, copy(state), after_intent);
    serve(state, original(state), "second", "first");
    /* By its number alone the counter would fit the copy's intent now. */
    for (unsigned i = 0; i < 3; i++) {
        assert_stale(state, copy(state));
        serve(state, original(state), "second", "second");
    }
}

static void a_copy_killed_at_any_step_is_the_owner_or_stale(void **state) {
    for (unsigned i = 0; i < STRIKES; i++) {
        make(state);
        start_and_kill(state, copy(state), strikes[i]);
        /* Both are the same state; whoever moved the counter first goes on with it. */
        const char *owner = strikes[i].acquired ? copy(state) : original(state);
        const char *other = strikes[i].acquired ? original(state) : copy(state);
        if (strikes[i].acquired)
            assert_stale(state, other);
        serve(state, owner, "second", "first");
        assert_stale(state, other);
        serve(state, owner, "third", "second");
        assert_stale(state, other);
    }
}

static void an_old_copy_is_stale_at_whatever_step_the_owner_is_killed(void **state) {
    for (unsigned i = 0; i < 2 * STRIKES; i++) {
        struct strike strike = strikes[i / 2];
        make(state);
        start_and_kill(state, copy(state), after_intent);
        serve(state, original(state), "second", "first");
        start_and_kill(state, original(state), strike);
        if (i % 2 == 0)
            assert_stale(state, copy(state));
        serve(state, original(state), "third", "second");
        assert_stale(state, copy(state));
        serve(state, original(state), "fourth", "third");
    }
}

static void an_owner_killed_at_every_step_in_turn_loses_nothing(void **state) {
    make(state);
    for (unsigned i = 0; i < 2 * STRIKES; i++)
        start_and_kill(state, original(state), strikes[i * 3 % STRIKES]);
    serve(state, original(state), "second", "first");
    for (unsigned i = 0; i < STRIKES; i++) {
        start_and_kill(state, original(state), strikes[i]);
        serve(state, original(state), "second", "second");
    }
    assert_stale(state, copy(state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_folder_setup, test_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_copy_that_was_killed_between_intent_and_counter_stays_stale),
        TEST(a_copy_killed_at_any_step_is_the_owner_or_stale),
        TEST(an_old_copy_is_stale_at_whatever_step_the_owner_is_killed),
        TEST(an_owner_killed_at_every_step_in_turn_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
