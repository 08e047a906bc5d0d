/* Monotonic counters: durable, owned, never back. */
#include "fixture.h"
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};
static const uint8_t name[CELLA_COUNTER_NAME_SIZE] = "first";
static const uint8_t other_name[CELLA_COUNTER_NAME_SIZE] = "second";

static uint64_t read_counter(struct cella_machine *machine, const struct cella_machine_identity *identity) {
    uint64_t value = 0;
    assert_status(cella_machine_counter_read(machine, identity, name, &value, NULL), CELLA_OK);
    return value;
}

static uint64_t increment(struct cella_machine *machine, const struct cella_machine_identity *identity) {
    uint64_t value = 0;
    assert_status(cella_machine_counter_increment(machine, identity, name, &value, NULL), CELLA_OK);
    return value;
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
    uint64_t value = 99;
    assert_status(cella_machine_counter_read(machine, &identity, name, &value, NULL), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_increment(machine, &identity, name, &value, NULL), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(cella_machine_counter_increment(machine, &identity, other_name, &value, NULL),
                  CELLA_NO_COUNTER);
    assert_int_equal(value, 99);
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
        uint64_t value;
        assert_status(cella_machine_counter_read(machine, &other, name, &value, NULL), CELLA_NO_COUNTER);
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

/* The path of the only counter of the only owner. */
static void find_file(const char *machine_path, char out[512]) {
    char folder[512];
    snprintf(folder, sizeof folder, "%s/counters", machine_path);
    for (unsigned level = 0; level < 2; level++) {
        DIR *stream = opendir(folder);
        const struct dirent *entry;
        assert_non_null(stream);
        while ((entry = readdir(stream)) != NULL)
            if (strlen(entry->d_name) == 64)
                snprintf(out, 512, "%.200s/%s", folder, entry->d_name);
        closedir(stream);
        snprintf(folder, sizeof folder, "%s", out);
    }
}

static void a_torn_write_leaves_the_counter_as_it_was_and_is_cleaned_up(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    char file[512], torn[520];
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    increment(machine, &identity);
    find_file(path, file);
    snprintf(torn, sizeof torn, "%s.aB3dEf", file);
    test_write_file(torn, CELLA_BYTES("CELLAC", 6));
    assert_int_equal(read_counter(machine, &identity), 1);
    assert_int_equal(increment(machine, &identity), 2);
    assert_status(cella_machine_counter_create(machine, &identity, other_name, NULL), CELLA_OK);
    assert_int_not_equal(access(torn, F_OK), 0);
    assert_int_equal(read_counter(machine, &identity), 2);
    cella_machine_free(machine);
}

struct counter_file {
    struct cella_machine *machine;
    struct cella_machine_identity identity;
    char path[512];
};

static bool accepts(void *context, struct cella_bytes bytes) {
    struct counter_file *file = context;
    uint64_t value;
    test_write_file(file->path, bytes);
    return cella_machine_counter_read(file->machine, &file->identity, name, &value, NULL) == CELLA_OK;
}

static void a_damaged_counter_file_is_refused_and_not_started_again(void **state) {
    const char *path = fixture_create(*state, "m");
    struct counter_file file = {.machine = fixture_open(path)};
    uint64_t value = 0;
    file.identity = fixture_identity(file.machine, &image);
    assert_status(cella_machine_counter_create(file.machine, &file.identity, name, NULL), CELLA_OK);
    find_file(path, file.path);
    uint8_t content[40];
    FILE *stream = fopen(file.path, "rb");
    assert_non_null(stream);
    assert_int_equal(fread(content, 1, sizeof content, stream), sizeof content);
    fclose(stream);
    assert_true(accepts(&file, CELLA_BYTES(content, sizeof content)));
    for (size_t size = 0; size < sizeof content; size++)
        assert_false(accepts(&file, CELLA_BYTES(content, size)));
    for (size_t bit = 0; bit < 8 * sizeof content; bit++) {
        uint8_t changed[40];
        memcpy(changed, content, sizeof changed);
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(accepts(&file, CELLA_BYTES(changed, sizeof changed)));
    }
    uint8_t longer[41] = {0};
    memcpy(longer, content, sizeof content);
    assert_false(accepts(&file, CELLA_BYTES(longer, sizeof longer)));
    assert_status(cella_machine_counter_increment(file.machine, &file.identity, name, &value, NULL),
                  CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counter_create(file.machine, &file.identity, name, NULL), CELLA_EXISTS);
    cella_machine_free(file.machine);
}

static void one_counters_file_is_refused_in_the_place_of_another(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    char first[512], aside[520];
    uint64_t value;
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    find_file(path, first);
    snprintf(aside, sizeof aside, "%s-aside", first);
    assert_int_equal(rename(first, aside), 0);
    assert_status(cella_machine_counter_create(machine, &identity, other_name, NULL), CELLA_OK);
    char second[512];
    find_file(path, second);
    assert_int_equal(rename(second, first), 0);
    assert_status(cella_machine_counter_read(machine, &identity, name, &value, NULL), CELLA_MACHINE_DAMAGED);
    cella_machine_free(machine);
}

static void a_machine_without_its_folder_of_counters_is_damaged(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    char folder[512];
    uint64_t value;
    snprintf(folder, sizeof folder, "%s/counters", path);
    assert_int_equal(rmdir(folder), 0);
    assert_status(cella_machine_counter_read(machine, &identity, name, &value, NULL), CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counter_increment(machine, &identity, name, &value, NULL),
                  CELLA_MACHINE_DAMAGED);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_MACHINE_DAMAGED);
    cella_machine_free(machine);
}

static void a_product_has_at_most_64_counters(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    uint8_t each[CELLA_COUNTER_NAME_SIZE] = {0};
    for (each[0] = 0; each[0] < 64; each[0]++)
        assert_status(cella_machine_counter_create(machine, &identity, each, NULL), CELLA_OK);
    assert_status(cella_machine_counter_create(machine, &identity, each, NULL), CELLA_LIMIT);
    cella_machine_free(machine);
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
    uint64_t value, last = 0;
    if (machine == NULL && cella_machine_open(racer->path, &machine, NULL) != CELLA_OK)
        return racer;
    void *failed = NULL;
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (cella_machine_counter_increment(machine, &racer->identity, name, &value, NULL) != CELLA_OK ||
            value <= last)
            failed = racer;
        last = value;
    }
    if (racer->shared == NULL)
        cella_machine_free(machine);
    return failed;
}

static void no_increment_is_lost_among_threads_and_handles(void **state) {
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
    uint64_t value;
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    assert_status(cella_sim_change(path, &swap, NULL), CELLA_OK);
    assert_status(cella_machine_counter_read(machine, &identity, name, &value, NULL), CELLA_NO_COUNTER);
    cella_machine_free(machine);
    machine = fixture_open(path);
    assert_status(cella_machine_counter_read(machine, &identity, name, &value, NULL), CELLA_NO_COUNTER);
    assert_status(cella_machine_counter_create(machine, &identity, name, NULL), CELLA_OK);
    cella_machine_free(machine);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_counter_starts_at_zero_and_keeps_its_value_when_reopened),
        WITH_FOLDER(a_counter_is_created_once),
        WITH_FOLDER(what_was_not_created_is_not_there),
        WITH_FOLDER(other_signers_products_and_debug_images_do_not_see_a_counter),
        WITH_FOLDER(a_newer_image_of_the_product_sees_the_counter),
        WITH_FOLDER(a_torn_write_leaves_the_counter_as_it_was_and_is_cleaned_up),
        WITH_FOLDER(a_damaged_counter_file_is_refused_and_not_started_again),
        WITH_FOLDER(one_counters_file_is_refused_in_the_place_of_another),
        WITH_FOLDER(a_machine_without_its_folder_of_counters_is_damaged),
        WITH_FOLDER(a_product_has_at_most_64_counters),
        WITH_FOLDER(no_increment_is_lost_among_threads_and_handles),
        WITH_FOLDER(another_cpu_in_the_folder_has_none_of_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
