/* Counter leaves in the instance process: when a read is a load, and when the machine must be asked. */
#include "enclave/thread_data.h"
#include "keeper/keeper.h"
#include "support/test.h"
#include <string.h>

enum { MARK = 0x77 };

static uint64_t memory[4];
static struct keeper_instance instance;
static unsigned asked;
static struct keeper_counter_call asked_for;
static enum cella_status answer;
static uint64_t answer_value;
static uint64_t answer_offset;

/* In place of the monitor. */
uint32_t keeper_machine_call(struct keeper_shared *shared, uint32_t leaf, const void *input,
                             size_t input_size, void *output, size_t output_size) {
    struct cella_machine_counter counter = {.value = answer_value, .offset = answer_offset};
    assert_int_equal(input_size, sizeof asked_for);
    memcpy(&asked_for, input, sizeof asked_for);
    memset(counter.mark, MARK, sizeof counter.mark);
    assert_int_equal(output_size, sizeof counter);
    memcpy(output, &counter, sizeof counter);
    asked++;
    return (uint32_t)answer;
}

static int set_up(void **state) {
    memset(memory, 0, sizeof memory);
    instance = (struct keeper_instance){.counters = CELLA_BYTES(memory, sizeof memory)};
    asked = 0;
    answer = CELLA_OK;
    return 0;
}

/* A read of the counter whose name is one letter. */
static uint64_t read_counter(char letter) {
    uint8_t name[CELLA_COUNTER_NAME_SIZE] = {(uint8_t)letter};
    uint64_t value = 0;
    assert_status(keeper_counter_call(&instance, ENCLU_COUNTER_READ, name, &value, NULL), CELLA_OK);
    return value;
}

static void the_second_read_asks_nobody(void **state) {
    memory[1] = answer_value = 5;
    answer_offset = 8;
    assert_int_equal(read_counter('a'), 5);
    assert_int_equal(asked, 1);
    memory[1] = 6;
    assert_int_equal(read_counter('a'), 6);
    assert_int_equal(asked, 1);
}

static void another_name_is_asked_for(void **state) {
    memory[1] = answer_value = 5;
    answer_offset = 8;
    read_counter('a');
    memory[2] = answer_value = 9;
    answer_offset = 16;
    assert_int_equal(read_counter('b'), 9);
    assert_int_equal(asked, 2);
    assert_int_equal(read_counter('a'), 5);
    assert_int_equal(read_counter('b'), 9);
    assert_int_equal(asked, 2);
}

static void a_read_with_the_mark_always_asks(void **state) {
    uint8_t name[CELLA_COUNTER_NAME_SIZE] = {'a'};
    uint8_t mark[CELLA_COUNTER_MARK_SIZE] = {0};
    uint64_t value = 0;
    memory[1] = answer_value = 5;
    answer_offset = 8;
    for (unsigned i = 1; i < 2 * KEEPER_COUNTERS; i++) {
        mark[31] = 0;
        assert_status(keeper_counter_call(&instance, ENCLU_COUNTER_READ, name, &value, mark), CELLA_OK);
        assert_int_equal(value, 5);
        assert_int_equal(mark[0], MARK);
        assert_int_equal(mark[31], MARK);
        assert_int_equal(asked, i);
    }
    /* The value alone is known from then on, and its place is remembered once. */
    read_counter('a');
    assert_int_equal(asked, 2 * KEEPER_COUNTERS - 1);
    read_counter('b');
    read_counter('b');
    assert_int_equal(asked, 2 * KEEPER_COUNTERS);
}

static void create_and_increment_always_ask(void **state) {
    uint8_t name[CELLA_COUNTER_NAME_SIZE] = {'a'};
    uint8_t mark[CELLA_COUNTER_MARK_SIZE] = {[31] = 3};
    uint64_t value = 0;
    memory[1] = answer_value = 5;
    answer_offset = 8;
    read_counter('a');
    value = 5;
    assert_status(keeper_counter_call(&instance, ENCLU_COUNTER_INCREMENT, name, &value, mark), CELLA_OK);
    assert_int_equal(asked_for.counter.value, 5);
    assert_memory_equal(asked_for.counter.mark, mark, sizeof mark);
    assert_int_equal(mark[31], 3);
    assert_status(keeper_counter_call(&instance, ENCLU_COUNTER_CREATE, name, &value, NULL), CELLA_OK);
    assert_int_equal(asked, 3);
}

static void a_counter_that_is_gone_is_asked_for_again(void **state) {
    uint8_t name[CELLA_COUNTER_NAME_SIZE] = {'a'};
    uint64_t value = 77;
    memory[1] = answer_value = 5;
    answer_offset = 8;
    read_counter('a');
    memory[1] = CELLA_COUNTER_GONE;
    answer = CELLA_NO_COUNTER;
    assert_status(keeper_counter_call(&instance, ENCLU_COUNTER_READ, name, &value, NULL), CELLA_NO_COUNTER);
    assert_int_equal(value, 77);
    assert_int_equal(asked, 2);
}

static void memory_that_contradicts_the_machine_is_not_used(void **state) {
    memory[1] = 4;
    answer_value = 5;
    answer_offset = 8;
    assert_int_equal(read_counter('a'), 5);
    assert_int_equal(read_counter('a'), 5);
    assert_int_equal(asked, 2);
}

static void without_the_memory_every_read_asks(void **state) {
    instance.counters = CELLA_BYTES(NULL, 0);
    answer_value = 5;
    answer_offset = 8;
    assert_int_equal(read_counter('a'), 5);
    assert_int_equal(read_counter('a'), 5);
    assert_int_equal(asked, 2);
}

static void what_is_not_remembered_is_still_read_right(void **state) {
    for (char letter = 'a'; letter < 'a' + 2 * KEEPER_COUNTERS; letter++) {
        memory[1] = answer_value = (uint64_t)letter;
        answer_offset = 8;
        assert_int_equal(read_counter(letter), letter);
    }
    assert_int_equal(asked, 2 * KEEPER_COUNTERS);
    assert_int_equal(read_counter('a' + KEEPER_COUNTERS - 1), memory[1]);
    assert_int_equal(asked, 2 * KEEPER_COUNTERS);
    assert_int_equal(read_counter('a' + KEEPER_COUNTERS), answer_value);
    assert_int_equal(asked, 2 * KEEPER_COUNTERS + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_second_read_asks_nobody, set_up),
        cmocka_unit_test_setup(another_name_is_asked_for, set_up),
        cmocka_unit_test_setup(a_read_with_the_mark_always_asks, set_up),
        cmocka_unit_test_setup(create_and_increment_always_ask, set_up),
        cmocka_unit_test_setup(a_counter_that_is_gone_is_asked_for_again, set_up),
        cmocka_unit_test_setup(memory_that_contradicts_the_machine_is_not_used, set_up),
        cmocka_unit_test_setup(without_the_memory_every_read_asks, set_up),
        cmocka_unit_test_setup(what_is_not_remembered_is_still_read_right, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
