/* Real instances with a vault: what survives a kill, what leaves nothing behind, what is refused. */
#include "attack/fixture.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

static const char *machine;

static const char *new_vault(const char *name) {
    static struct test_folder folder;
    if (folder.path[0] == '\0')
        test_folder_make(&folder);
    return test_path(&folder, name);
}

static void start(struct fixture *fixture, const char *vault) {
    struct cella_error error = {.message = ""};
    enum cella_status status = fixture_start_vault(fixture, machine, vault, "vault-probe", &error);
    if (status != CELLA_OK)
        print_message("%s\n", error.message);
    assert_status(status, CELLA_OK);
}

static void what_was_put_is_there_after_a_kill(void **state) {
    struct fixture fixture;
    const char *vault = new_vault("kill");
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "put name value"), "");
    assert_answer(fixture_call(&fixture, "put gone value"), "");
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "get name"), "value");
    assert_answer(fixture_call(&fixture, "delete gone"), "");
    assert_answer(fixture_call(&fixture, "put name other"), "");
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "get name"), "other");
    assert_answer(fixture_call(&fixture, "get gone"), "none");
    assert_answer(fixture_call(&fixture, "get starts"), "3");
    fixture_free(&fixture);
}

static void an_orderly_close_keeps_everything(void **state) {
    struct fixture fixture;
    const char *vault = new_vault("close");
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "put name value"), "");
    cella_instance_stop(fixture.instance, 10000);
    assert_status(fixture_await_end(&fixture), CELLA_OK);
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "get name"), "value");
    fixture_free(&fixture);
}

enum { ADDERS = 6, CLOSES = 8 };

struct adder {
    struct fixture *fixture;
    unsigned number;
    unsigned done;
    enum cella_status end;
};

/* Adds one by one until the instance takes no more. */
static void *add_on(void *context) {
    struct adder *adder = context;
    char line[32];
    (void)snprintf(line, sizeof line, "add key-%u 1", adder->number);
    while ((adder->end = fixture_call(adder->fixture, line).status) == CELLA_OK)
        __atomic_fetch_add(&adder->done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void close_among(struct adder *adders, struct fixture *fixture, const char *vault, unsigned least) {
    pthread_t threads[ADDERS];
    start(fixture, vault);
    for (unsigned i = 0; i < ADDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_on, &adders[i]), 0);
    for (unsigned i = 0; i < ADDERS; i++)
        while (__atomic_load_n(&adders[i].done, __ATOMIC_SEQ_CST) < least)
            sched_yield();
    cella_instance_stop(fixture->instance, 10000);
    assert_status(fixture_await_end(fixture), CELLA_OK);
    for (unsigned i = 0; i < ADDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_status(adders[i].end, CELLA_CLOSED);
    }
    fixture_free(fixture);
}

static void a_close_among_many_requests_answers_each_as_it_is(void **state) {
    struct fixture fixture;
    struct adder adders[ADDERS] = {0};
    const char *vault = new_vault("close-among");
    for (unsigned i = 0; i < ADDERS; i++)
        adders[i] = (struct adder){.fixture = &fixture, .number = i};
    for (unsigned i = 1; i <= CLOSES; i++)
        close_among(adders, &fixture, vault, 20 * i);
    start(&fixture, vault);
    for (unsigned i = 0; i < ADDERS; i++) {
        char line[32], expected[32];
        (void)snprintf(line, sizeof line, "get key-%u", i);
        (void)snprintf(expected, sizeof expected, "%u", adders[i].done);
        assert_answer(fixture_call(&fixture, line), expected);
    }
    fixture_free(&fixture);
}

static void a_handler_that_fails_leaves_nothing(void **state) {
    struct fixture fixture;
    const char *vault = new_vault("fail");
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "put name value"), "");
    assert_status(fixture_call(&fixture, "fail name other").status, CELLA_HANDLER_FAILED);
    assert_answer(fixture_call(&fixture, "get name"), "value");
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "get name"), "value");
    fixture_free(&fixture);
}

static void a_value_over_the_limit_fails_that_call_alone(void **state) {
    struct fixture fixture;
    start(&fixture, new_vault("limit"));
    assert_answer(fixture_call(&fixture, "big large 2097153"), "VALUE_SIZE");
    assert_answer(fixture_call(&fixture, "get large"), "none");
    assert_answer(fixture_call(&fixture, "big large 2097152"), "OK");
    assert_answer(fixture_call(&fixture, "count"), "2");
    fixture_free(&fixture);
}

static void a_scan_sees_the_keys_of_its_prefix_in_order(void **state) {
    struct fixture fixture;
    start(&fixture, new_vault("scan"));
    assert_answer(fixture_call(&fixture, "put b/2 two"), "");
    assert_answer(fixture_call(&fixture, "put b/1 one"), "");
    assert_answer(fixture_call(&fixture, "put c three"), "");
    assert_answer(fixture_call(&fixture, "list b/"), "b/1=one b/2=two ");
    fixture_free(&fixture);
}

static void work_after_a_commit_may_call_the_host(void **state) {
    struct fixture fixture;
    start(&fixture, new_vault("after"));
    assert_answer(fixture_call(&fixture, "later name count"), "");
    pthread_mutex_lock(&fixture.lock);
    while (fixture.calls == 0)
        pthread_cond_wait(&fixture.changed, &fixture.lock);
    pthread_mutex_unlock(&fixture.lock);
    assert_answer(fixture_call(&fixture, "get name"), "count");
    fixture_free(&fixture);
}

static void work_after_a_start_runs_when_the_instance_is_ready(void **state) {
    struct fixture fixture;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start_vault(&fixture, machine, new_vault("calls"), "variant-calls", &error),
                  CELLA_OK);
    pthread_mutex_lock(&fixture.lock);
    while (fixture.calls == 0)
        pthread_cond_wait(&fixture.changed, &fixture.lock);
    pthread_mutex_unlock(&fixture.lock);
    assert_answer(fixture_call(&fixture, "get called"), "NOT_STARTED");
    fixture_free(&fixture);
}

static void a_nested_call_changes_in_its_handlers_transaction(void **state) {
    struct fixture fixture;
    start(&fixture, new_vault("nested"));
    assert_answer(fixture_call(&fixture, "nest count"), "1");
    fixture_free(&fixture);
}

static void words_about_writes_that_never_were_change_nothing(void **state) {
    struct fixture fixture;
    static const uint32_t words[] = {CELLA_OK, CELLA_STORAGE_FULL, CELLA_NOT_FOUND, 99999};
    const char *vault = new_vault("words");
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "put name value"), "");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (uint64_t id = 0; id < 256; id++)
            fixture_put(&fixture, (struct cella_frame){.type = CELLA_FRAME_STORE_WRITTEN, .id = id},
                        &words[i], sizeof words[i]);
        fixture_put(&fixture, (struct cella_frame){.type = CELLA_FRAME_STORE_WRITTEN, .id = UINT64_MAX},
                    &words[i], sizeof words[i]);
        assert_answer(fixture_call(&fixture, "put other value"), "");
    }
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "get other"), "value");
    fixture_free(&fixture);
}

static void a_word_about_a_write_in_another_form_ends_the_instance(void **state) {
    const struct cella_frame frame = {.type = CELLA_FRAME_STORE_WRITTEN, .id = 5};
    for (size_t size = 0; size <= 8; size++) {
        struct fixture fixture;
        if (size == sizeof(uint32_t))
            continue;
        start(&fixture, new_vault("form"));
        fixture_put(&fixture, frame, "12345678", size);
        fixture_ends_as_broken(&fixture, "a word about a write");
    }
}

static void an_answer_of_the_store_that_nobody_asked_for_ends_the_instance(void **state) {
    struct fixture fixture;
    const struct cella_bytes nothing = CELLA_BYTES("\0\0\0\0", 4);
    start(&fixture, new_vault("unasked"));
    for (size_t i = 0; i < CELLA_DOOR_THREADS; i++) {
        struct cella_ring *ring = &fixture.instance->calls[i].ring;
        (void)cella_ring_put(ring, (struct cella_frame){.type = CELLA_FRAME_STORE_DONE, .id = 1, .size = 4},
                             &nothing, 1);
    }
    (void)fixture_call(&fixture, "nest count");
    fixture_ends_as_broken(&fixture, "an answer that nobody asked for");
}

static void many_keys_survive_snapshots(void **state) {
    struct fixture fixture;
    const char *vault = new_vault("snapshots");
    start(&fixture, vault);
    char line[64];
    for (int i = 0; i < 400; i++) {
        (void)snprintf(line, sizeof line, "big key-%d 20000", i % 100);
        assert_answer(fixture_call(&fixture, line), "OK");
    }
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "count"), "101");
    const struct cella_instance_info *info = cella_instance_info(fixture.instance);
    assert_true(info->has_vault);
    assert_true(info->vault.snapshot_version > 0);
    fixture_free(&fixture);
}

static void an_image_that_keeps_state_needs_a_folder(void **state) {
    struct fixture fixture;
    struct cella_error error = {.message = ""};
    assert_status(fixture_start(&fixture, machine, "vault-probe", &error), CELLA_VAULT_NEEDED);
    fixture_free(&fixture);
}

static void another_machine_cannot_open_it(void **state) {
    struct fixture fixture;
    struct cella_error error = {.message = ""};
    const char *vault = new_vault("other-machine");
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "put name value"), "");
    fixture_free(&fixture);
    assert_status(fixture_start_vault(&fixture, fixture_machine(), vault, "vault-probe", &error),
                  CELLA_VAULT_OTHER_MACHINE);
    fixture_free(&fixture);
    start(&fixture, vault);
    assert_answer(fixture_call(&fixture, "get name"), "value");
    fixture_free(&fixture);
}

int main(void) {
    machine = fixture_machine();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_there_after_a_kill),
        cmocka_unit_test(an_orderly_close_keeps_everything),
        cmocka_unit_test(a_close_among_many_requests_answers_each_as_it_is),
        cmocka_unit_test(a_handler_that_fails_leaves_nothing),
        cmocka_unit_test(a_value_over_the_limit_fails_that_call_alone),
        cmocka_unit_test(a_scan_sees_the_keys_of_its_prefix_in_order),
        cmocka_unit_test(work_after_a_commit_may_call_the_host),
        cmocka_unit_test(work_after_a_start_runs_when_the_instance_is_ready),
        cmocka_unit_test(a_nested_call_changes_in_its_handlers_transaction),
        cmocka_unit_test(words_about_writes_that_never_were_change_nothing),
        cmocka_unit_test(a_word_about_a_write_in_another_form_ends_the_instance),
        cmocka_unit_test(an_answer_of_the_store_that_nobody_asked_for_ends_the_instance),
        cmocka_unit_test(many_keys_survive_snapshots),
        cmocka_unit_test(an_image_that_keeps_state_needs_a_folder),
        cmocka_unit_test(another_machine_cannot_open_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
