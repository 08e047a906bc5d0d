/* Randomness: never twice the same, every byte written, from every thread and after a fork. */
#include "support/test.h"
#include "crypto/random.h"
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void two_draws_differ(void **state) {
    uint8_t draws[64][16];
    for (size_t i = 0; i < 64; i++)
        assert_status(cella_random(draws[i], sizeof draws[i]), CELLA_OK);
    for (size_t i = 0; i < 64; i++)
        for (size_t j = i + 1; j < 64; j++)
            assert_memory_not_equal(draws[i], draws[j], sizeof draws[i]);
}

static void every_byte_is_written_and_none_behind(void **state) {
    uint8_t seen[33] = {0};
    for (int round = 0; round < 64; round++) {
        uint8_t out[34] = {0};
        assert_status(cella_random(out + 1, 32), CELLA_OK);
        assert_int_equal(out[0] | out[33], 0);
        for (size_t i = 0; i < 33; i++)
            seen[i] |= out[i];
    }
    for (size_t i = 1; i < 33; i++)
        assert_int_not_equal(seen[i], 0);
}

static void no_bytes_may_be_asked_for(void **state) {
    assert_status(cella_random(NULL, 0), CELLA_OK);
}

static void *draw(void *out) {
    return cella_random(out, 16) == CELLA_OK ? out : NULL;
}

static void threads_draw_different_bytes(void **state) {
    enum { THREADS = 8 };
    static uint8_t draws[THREADS][16];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw, draws[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    for (size_t i = 0; i < THREADS; i++)
        for (size_t j = i + 1; j < THREADS; j++)
            assert_memory_not_equal(draws[i], draws[j], sizeof draws[i]);
}

static void a_forked_process_draws_other_bytes_than_its_parent(void **state) {
    uint8_t first[16];
    uint8_t mine[16];
    uint8_t of_child[16] = {0};
    int ends[2];
    assert_status(cella_random(first, sizeof first), CELLA_OK); /* the generator is seeded before the fork */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t out[16];
        bool good =
            cella_random(out, sizeof out) == CELLA_OK && write(ends[1], out, sizeof out) == sizeof out;
        _exit(good ? 0 : 1);
    }
    assert_status(cella_random(mine, sizeof mine), CELLA_OK);
    assert_int_equal(read(ends[0], of_child, sizeof of_child), (ssize_t)sizeof of_child);
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_memory_not_equal(mine, of_child, sizeof mine);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_draws_differ),
        cmocka_unit_test(every_byte_is_written_and_none_behind),
        cmocka_unit_test(no_bytes_may_be_asked_for),
        cmocka_unit_test(threads_draw_different_bytes),
        cmocka_unit_test(a_forked_process_draws_other_bytes_than_its_parent),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
