/* One handle, many threads: quotes and collateral while another hand changes the machine. */
#include "fixture.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};

enum { WORKERS = 4, ROUNDS = 200, CHANGES = 20 };

struct worker {
    struct cella_machine *machine;
    uint8_t report[CELLA_REPORT_SIZE];
    atomic_uint *wrong;
};

static void *work(void *context) {
    struct worker *worker = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t *quote = NULL;
        size_t size = 0;
        struct cella_machine_collateral *collateral = NULL;
        enum cella_status status = cella_machine_quote(worker->machine, worker->report, &quote, &size, NULL);
        bool good = status == CELLA_MACHINE_CHANGED ||
                    (status == CELLA_OK && memcmp(quote + 48, worker->report, CELLA_REPORT_BODY_SIZE) == 0);
        good = good && cella_machine_collateral(worker->machine, TEST_NOW, &collateral, NULL) == CELLA_OK &&
               collateral->tcb_info.size > 0;
        cella_machine_collateral_free(collateral);
        free(quote);
        if (!good)
            atomic_fetch_add(worker->wrong, 1);
    }
    return NULL;
}

static void quotes_of_many_threads_are_right_while_the_machine_changes(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    atomic_uint wrong = 0;
    uint8_t target_info[CELLA_TARGET_INFO_SIZE];
    assert_status(cella_machine_target_info(machine, target_info, NULL), CELLA_OK);
    for (unsigned i = 0; i < WORKERS; i++) {
        struct cella_bytes data = test_pattern(CELLA_REPORT_DATA_SIZE, i);
        workers[i] = (struct worker){.machine = machine, .wrong = &wrong};
        assert_status(
            cella_machine_report(machine, &identity, target_info, data.data, workers[i].report, NULL),
            CELLA_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < CHANGES; i++)
        fixture_set_version(path, 2 + i % 2);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong, 0);
    cella_machine_free(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quotes_of_many_threads_are_right_while_the_machine_changes,
                                        test_folder_setup, test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
