/* Monotonic counters: durable, owned, never back. */
#include "fixture.h"
#include "machine/sim/counter_file.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};
static const uint8_t name[CELLA_COUNTER_NAME_SIZE] = "first";
static const uint8_t other_name[CELLA_COUNTER_NAME_SIZE] = "second";

/* Whoever takes the value `n` leaves a mark of bytes n. */
static bool is_mark_of(const uint8_t *mark, uint64_t value) {
    for (size_t i = 0; i < CELLA_COUNTER_MARK_SIZE; i++)
        if (mark[i] != (uint8_t)value)
            return false;
    return true;
}

static enum cella_status increment_from(struct cella_machine *machine,
                                        const struct cella_machine_identity *identity, const uint8_t *counter,
                                        uint64_t value) {
    uint8_t mark[CELLA_COUNTER_MARK_SIZE];
    memset(mark, (int)(uint8_t)(value + 1), sizeof mark);
    return cella_machine_counter_increment(machine, identity, counter, value, mark, NULL);
}

static uint64_t read_counter(struct cella_machine *machine, const struct cella_machine_identity *identity) {
    struct cella_machine_counter counter;
    assert_status(cella_machine_counter_read(machine, identity, name, &counter, NULL), CELLA_OK);
    assert_true(is_mark_of(counter.mark, counter.value));
    return counter.value;
}

static uint64_t increment(struct cella_machine *machine, const struct cella_machine_identity *identity) {
    assert_status(increment_from(machine, identity, name, read_counter(machine, identity)), CELLA_OK);
    return read_counter(machine, identity);
}

static void a_counter_starts_at_zero_and_keeps_its_value_when_reopened(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_int_equal(read_counter(machine, &identity), 0);
    assert_int_equal(increment(machine, &identity), 1);
    assert_int_equal(increment(machine, &identity), 2);
    cella_machine_free(machine);
    machine = fixture_open(path);
    assert_int_equal(read_counter(machine, &identity), 2);
    assert_int_equal(increment(machine, &identity), 3);
    cella_machine_free(machine);
}

static void an_increment_goes_on_from_the_value_that_was_seen(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(increment_from(machine, &identity, name, 1), CELLA_COUNTER_MOVED);
    assert_status(increment_from(machine, &identity, name, 0), CELLA_OK);
    assert_status(increment_from(machine, &identity, name, 0), CELLA_COUNTER_MOVED);
    assert_int_equal(read_counter(machine, &identity), 1);
    cella_machine_free(machine);
}

static void a_counter_is_created_once(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_EXISTS);
    assert_int_equal(read_counter(machine, &identity), 1);
    cella_machine_free(machine);
}

static void what_was_not_created_is_not_there(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_machine_counter counter = {.value = 99};
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_NO_COUNTER);
    assert_status(increment_from(machine, &identity, name, 0), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(increment_from(machine, &identity, other_name, 0), CELLA_NO_COUNTER);
    assert_int_equal(counter.value, 99);
    cella_machine_free(machine);
}

static void other_signers_products_and_debug_images_do_not_see_a_counter(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct fixture_image others[] = {image, image, image};
    others[0].signer = SIGNER_TWO;
    others[1].isv_prod_id = 8;
    others[2].extra_flags = CELLA_ATTRIBUTE_DEBUG;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct cella_machine_identity other = fixture_identity(machine, &others[i]);
        struct cella_machine_counter counter;
        assert_status(cella_machine_counter_read(machine, &other, name, &counter, NULL), CELLA_NO_COUNTER);
        assert_status(cella_machine_counter_create(machine, &other, name, NULL), CELLA_OK);
        assert_int_equal(increment(machine, &other), 1);
    }
    assert_int_equal(read_counter(machine, &identity), 0);
    cella_machine_free(machine);
}

static void a_newer_image_of_the_product_sees_the_counter(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct fixture_image newer = {.signer = SIGNER_ONE, .code = 2, .isv_prod_id = 7, .isv_svn = 4};
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_machine_identity newer_identity = fixture_identity(machine, &newer);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    assert_int_equal(increment(machine, &newer_identity), 2);
    cella_machine_free(machine);
}

/* The bytes of the file from `offset` on. */
static void read_file(const char *machine_path, size_t offset, uint8_t *out, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/counters", machine_path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, out, size, (off_t)offset), size);
    close(fd);
}

static void write_file(const char *machine_path, size_t offset, const void *bytes, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/counters", machine_path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
    close(fd);
}

enum { SLOT = CELLA_SIM_SLOT_SIZE, VALUE = 8, EVEN = 64, ODD = 120, ENTRY = 56 };

static void an_increment_that_was_stopped_before_it_was_visible_is_finished(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t before[SLOT], after[SLOT];
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_int_equal(increment(machine, &identity), 1);
    read_file(path, SLOT, before, sizeof before);
    assert_int_equal(increment(machine, &identity), 2);
    write_file(path, SLOT + VALUE, before + VALUE, 8);
    assert_int_equal(read_counter(machine, &identity), 2);
    read_file(path, SLOT, after, sizeof after);
    assert_int_equal(after[VALUE], 2);
    write_file(path, SLOT + VALUE, before + VALUE, 8);
    assert_int_equal(increment(machine, &identity), 3);
    cella_machine_free(machine);
}

static void a_torn_write_of_the_next_value_leaves_the_counter_as_it_was(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t before[SLOT], after[SLOT];
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_int_equal(increment(machine, &identity), 1);
    read_file(path, SLOT, before, sizeof before);
    assert_int_equal(increment(machine, &identity), 2);
    read_file(path, SLOT, after, sizeof after);
    for (size_t size = 0; size < ENTRY; size++) {
        uint8_t torn[SLOT];
        memcpy(torn, before, sizeof torn);
        memcpy(torn + EVEN, after + EVEN, size);
        write_file(path, SLOT, torn, sizeof torn);
        assert_int_equal(read_counter(machine, &identity), 1);
    }
    assert_int_equal(increment(machine, &identity), 2);
    cella_machine_free(machine);
}

static void what_an_interrupted_creation_left_is_a_free_slot(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t slot[SLOT];
    struct cella_machine_counter counter;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    read_file(path, SLOT, slot, sizeof slot);
    memset(slot, 0, 8);
    write_file(path, SLOT, slot, sizeof slot);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_int_equal(read_counter(machine, &identity), 0);
    cella_machine_free(machine);
}

static void a_changed_slot_is_refused_or_has_its_value(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t good[SLOT];
    unsigned accepted = 0;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    read_file(path, SLOT, good, sizeof good);
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        uint8_t changed[SLOT];
        struct cella_machine_counter counter = {.value = 99};
        memcpy(changed, good, sizeof changed);
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        write_file(path, SLOT, changed, sizeof changed);
        enum cella_status status = cella_machine_counter_read(machine, &identity, name, &counter, NULL);
        /* A changed name is another counter's. */
        bool in_id = bit / 8 >= 16 && bit / 8 < 48;
        assert_int_equal(counter.value, status == CELLA_OK ? 1 : 99);
        assert_true(is_mark_of(counter.mark, status == CELLA_OK ? 1 : 0));
        if (status != CELLA_OK)
            assert_status(status, in_id ? CELLA_NO_COUNTER : CELLA_MACHINE_DAMAGED);
        accepted += status == CELLA_OK;
    }
    /* The entry that is not in force, and the bit that makes of the value the one before it. */
    assert_int_equal(accepted, 8 * ENTRY + 1);
    cella_machine_free(machine);
}

static void a_damaged_counter_is_not_started_again(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t wrong = 2;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    write_file(path, SLOT + VALUE, &wrong, 1);
    assert_status(increment_from(machine, &identity, name, 0), CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_EXISTS);
    wrong = 'X';
    write_file(path, SLOT, &wrong, 1);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_MACHINE_DAMAGED);
    cella_machine_free(machine);
}

static void a_changed_header_or_size_is_refused(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t good[SLOT];
    struct cella_machine_counter counter;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    read_file(path, 0, good, sizeof good);
    for (size_t i = 0; i < sizeof good; i++) {
        uint8_t wrong = good[i] ^ 1;
        write_file(path, i, &wrong, 1);
        assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL),
                      CELLA_MACHINE_DAMAGED);
        write_file(path, i, &good[i], 1);
    }
    assert_int_equal(read_counter(machine, &identity), 0);
    const char *file = test_path(*state, "m/counters");
    assert_int_equal(truncate(file, CELLA_SIM_COUNTERS_SIZE - 1), 0);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL),
                  CELLA_MACHINE_DAMAGED);
    assert_int_equal(truncate(file, CELLA_SIM_COUNTERS_SIZE + 1), 0);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL),
                  CELLA_MACHINE_DAMAGED);
    cella_machine_free(machine);
}

static void a_slot_is_refused_in_the_place_of_another(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t first[SLOT], second[SLOT], mixed[SLOT];
    struct cella_machine_counter counter;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(cella_machine_counter_create(machine, &identity, other_name, NULL), CELLA_OK);
    increment(machine, &identity);
    read_file(path, SLOT, first, sizeof first);
    read_file(path, 2 * SLOT, second, sizeof second);
    write_file(path, SLOT, second, sizeof second);
    write_file(path, 2 * SLOT, first, sizeof first);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL),
                  CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counter_read(machine, &identity, other_name, &counter, NULL),
                  CELLA_MACHINE_DAMAGED);
    /* The value of one under the name of the other. */
    memcpy(mixed, first, sizeof mixed);
    memcpy(mixed + VALUE, second + VALUE, 8);
    memcpy(mixed + EVEN, second + EVEN, 2 * ENTRY);
    write_file(path, SLOT, mixed, sizeof mixed);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL),
                  CELLA_MACHINE_DAMAGED);
    cella_machine_free(machine);
}

static void a_machine_without_its_file_of_counters_is_damaged(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_bytes memory;
    struct cella_machine_counter counter;
    assert_int_equal(unlink(test_path(*state, "m/counters")), 0);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL),
                  CELLA_MACHINE_DAMAGED);
    assert_status(increment_from(machine, &identity, name, 0), CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counters_map(path, &memory, NULL), CELLA_MACHINE_DAMAGED);
    cella_machine_free(machine);
}

static void counters_that_others_may_read_are_refused(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    assert_int_equal(chmod(test_path(*state, "m/counters"), 0640), 0);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_PERMISSION);
    cella_machine_free(machine);
}

/* Copies of the first slot under other names, so many that `count` slots are taken. */
static void fill(const char *path, uint32_t count) {
    uint8_t slot[SLOT];
    read_file(path, SLOT, slot, sizeof slot);
    uint8_t *slots = malloc((size_t)count * SLOT);
    assert_non_null(slots);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            memcpy(slot + 16, &i, sizeof i);
        memcpy(slots + (size_t)i * SLOT, slot, SLOT);
    }
    write_file(path, SLOT, slots, (size_t)count * SLOT);
    free(slots);
}

static void a_product_has_at_most_4096_counters(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct fixture_image other = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 8, .isv_svn = 3};
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_machine_identity other_identity = fixture_identity(machine, &other);
    const uint8_t third_name[CELLA_COUNTER_NAME_SIZE] = "third";
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    fill(path, 4095);
    assert_status(cella_machine_counter_create(machine, &identity, other_name, NULL), CELLA_OK);
    assert_status(cella_machine_counter_create(machine, &identity, third_name, NULL), CELLA_LIMIT);
    assert_status(cella_machine_counter_create(machine, &other_identity, name, NULL), CELLA_OK);
    assert_int_equal(read_counter(machine, &identity), 0);
    cella_machine_free(machine);
}

static void a_machine_has_at_most_65535_counters(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct fixture_image other = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 8, .isv_svn = 3};
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_machine_identity other_identity = fixture_identity(machine, &other);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    fill(path, 65534);
    assert_status(cella_machine_counter_create(machine, &other_identity, name, NULL), CELLA_OK);
    assert_status(cella_machine_counter_create(machine, &other_identity, other_name, NULL), CELLA_LIMIT);
    assert_int_equal(increment(machine, &other_identity), 1);
    cella_machine_free(machine);
}

static void a_value_that_is_read_often_costs_a_load(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine *other = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_bytes memory;
    struct cella_machine_counter counter;
    assert_status(cella_machine_counters_map(path, &memory, NULL), CELLA_OK);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_OK);
    assert_int_equal(counter.value, 0);
    assert_int_equal(cella_machine_counter_load(memory, counter.offset), 0);
    assert_int_equal(increment(other, &identity), 1);
    assert_int_equal(cella_machine_counter_load(memory, counter.offset), 1);
    cella_machine_free(machine);
    assert_int_equal(increment(other, &identity), 2);
    assert_int_equal(cella_machine_counter_load(memory, counter.offset), 2);
    cella_machine_free(other);
    cella_machine_counters_unmap(memory);
}

static void a_place_outside_of_the_memory_has_no_value(void **state) {
    uint64_t words[2] = {5, 6};
    struct cella_bytes memory = CELLA_BYTES(words, sizeof words);
    assert_int_equal(cella_machine_counter_load(memory, 8), 6);
    assert_true(cella_machine_counter_load(memory, 16) == CELLA_COUNTER_GONE);
    assert_true(cella_machine_counter_load(memory, 4) == CELLA_COUNTER_GONE);
    assert_true(cella_machine_counter_load(memory, UINT64_MAX - 7) == CELLA_COUNTER_GONE);
    assert_true(cella_machine_counter_load(CELLA_BYTES(NULL, 0), 0) == CELLA_COUNTER_GONE);
}

static void whoever_has_a_counter_mapped_sees_that_its_cpu_is_gone(void **state) {
    const char *path = fixture_create(*state, "m");
    const struct cella_sim_change swap = {.new_cpu = true};
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_bytes memory;
    struct cella_machine_counter counter;
    assert_status(cella_machine_counters_map(path, &memory, NULL), CELLA_OK);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_OK);
    assert_status(cella_sim_change(path, &swap, NULL), CELLA_OK);
    assert_true(cella_machine_counter_load(memory, counter.offset) == CELLA_COUNTER_GONE);
    cella_machine_free(machine);
    cella_machine_counters_unmap(memory);
}

struct racer {
    const char *path;
    struct cella_machine *shared;
    struct cella_machine_identity identity;
};

enum { RACERS = 4, ROUNDS = 25 };

static void *race(void *context) {
    struct racer *racer = context;
    /* Half of them through a handle of their own, as another process would. */
    struct cella_machine *machine = racer->shared;
    struct cella_machine_counter counter;
    uint64_t last = 0;
    if (machine == NULL && cella_machine_open(racer->path, &machine, NULL) != CELLA_OK)
        return racer;
    void *failed = NULL;
    for (unsigned i = 0; i < ROUNDS;) {
        enum cella_status status =
            cella_machine_counter_read(machine, &racer->identity, name, &counter, NULL);
        if (status == CELLA_OK && (counter.value < last || !is_mark_of(counter.mark, counter.value)))
            status = CELLA_FAILED;
        if (status == CELLA_OK)
            status = increment_from(machine, &racer->identity, name, counter.value);
        if (status == CELLA_OK) {
            last = counter.value + 1;
            i++;
        } else if (status != CELLA_COUNTER_MOVED) {
            failed = racer;
            break;
        }
    }
    if (racer->shared == NULL)
        cella_machine_free(machine);
    return failed;
}

static void of_those_who_increment_at_one_time_one_succeeds(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){path, i % 2 == 0 ? machine : NULL, identity};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(read_counter(machine, &identity), RACERS * ROUNDS);
    cella_machine_free(machine);
}

static void another_cpu_in_the_folder_has_none_of_the_counters(void **state) {
    const char *path = fixture_create(*state, "m");
    const struct cella_sim_change swap = {.new_cpu = true};
    struct cella_machine_counter counter;
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(cella_sim_change(path, &swap, NULL), CELLA_OK);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_NO_COUNTER);
    cella_machine_free(machine);
    machine = fixture_open(path);
    assert_status(cella_machine_counter_read(machine, &identity, name, &counter, NULL), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    cella_machine_free(machine);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_counter_starts_at_zero_and_keeps_its_value_when_reopened),
        WITH_FOLDER(an_increment_goes_on_from_the_value_that_was_seen),
        WITH_FOLDER(a_counter_is_created_once),
        WITH_FOLDER(what_was_not_created_is_not_there),
        WITH_FOLDER(other_signers_products_and_debug_images_do_not_see_a_counter),
        WITH_FOLDER(a_newer_image_of_the_product_sees_the_counter),
        WITH_FOLDER(an_increment_that_was_stopped_before_it_was_visible_is_finished),
        WITH_FOLDER(a_torn_write_of_the_next_value_leaves_the_counter_as_it_was),
        WITH_FOLDER(what_an_interrupted_creation_left_is_a_free_slot),
        WITH_FOLDER(a_changed_slot_is_refused_or_has_its_value),
        WITH_FOLDER(a_damaged_counter_is_not_started_again),
        WITH_FOLDER(a_changed_header_or_size_is_refused),
        WITH_FOLDER(a_slot_is_refused_in_the_place_of_another),
        WITH_FOLDER(a_machine_without_its_file_of_counters_is_damaged),
        WITH_FOLDER(counters_that_others_may_read_are_refused),
        WITH_FOLDER(a_product_has_at_most_4096_counters),
        WITH_FOLDER(a_machine_has_at_most_65535_counters),
        WITH_FOLDER(a_value_that_is_read_often_costs_a_load),
        cmocka_unit_test(a_place_outside_of_the_memory_has_no_value),
        WITH_FOLDER(whoever_has_a_counter_mapped_sees_that_its_cpu_is_gone),
        WITH_FOLDER(of_those_who_increment_at_one_time_one_succeeds),
        WITH_FOLDER(another_cpu_in_the_folder_has_none_of_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
