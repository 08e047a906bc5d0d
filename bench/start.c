/* From the request to start an instance to its first reply, and the memory that it takes. */
#include "base/file.h"
#include "fixture.h"
#include "image/image.h"
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct start_bench {
    struct fixture fixture;
    uint8_t *file;
    size_t file_size;
    struct cella_image image;
};

/* Milliseconds; the stop is not counted. */
static double first_reply(void *context) {
    struct start_bench *bench = context;
    struct fixture *fixture = &bench->fixture;
    struct fixture_client client;
    struct cella_error error = {0};
    double start = bench_now();
    bench_check(cella_host_start(fixture->host, "start", fixture_image(), fixture->machine, &fixture->enclave,
                                 &error),
                &error, "starting");
    fixture_session_key(fixture->enclave, fixture->session_key);
    fixture_client_init(&client, fixture);
    double seconds = bench_now() - start;
    fixture_client_deinit(&client);
    bench_check(cella_host_stop(fixture->enclave, 10000), NULL, "stopping");
    return seconds * 1000;
}

static void hash_pages(const struct cella_image *image) {
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    struct cella_sha256 hash;
    uint8_t digest[CELLA_SHA256_SIZE];
    cella_sha256_init(&hash);
    cella_page_iterator_init(&iterator, image);
    while (cella_page_iterator_next(&iterator, &pages))
        for (uint64_t i = 0; pages.extended && i < pages.count; i++)
            cella_sha256_update(&hash, pages.data + i * pages.stride, CELLA_PAGE_SIZE);
    cella_sha256_digest(&hash, digest);
    cella_sha256_deinit(&hash);
}

static void run_empty_program(void) {
    static char path[] = BENCH_EMPTY_PROGRAM;
    char *const arguments[] = {path, NULL};
    pid_t process;
    int result = -1;
    bench_require(posix_spawn(&process, path, NULL, NULL, arguments, environ) == 0, "posix_spawn");
    bench_require(waitpid(process, &result, 0) == process && result == 0, "the empty program");
}

static double least_work(void *context) {
    struct start_bench *bench = context;
    double start = bench_now();
    hash_pages(&bench->image);
    run_empty_program();
    return (bench_now() - start) * 1000;
}

/* MiB that are resident and not shared with a file that others use as well. */
static double resident(int process) {
    char path[64];
    char line[256];
    double kib = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", process);
    FILE *file = fopen(path, "re");
    bench_require(file != NULL, path);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Rss:", 4) == 0)
            kib = strtod(line + 4, NULL);
    (void)fclose(file);
    bench_require(kib >= 0, path);
    return kib / 1024;
}

static void measure_keeper(struct start_bench *bench) {
    struct fixture *fixture = &bench->fixture;
    struct fixture_client client;
    struct cella_host_enclave_state state;
    struct cella_error error = {0};
    bench_check(cella_host_start(fixture->host, "memory", fixture_image(), fixture->machine,
                                 &fixture->enclave, &error),
                &error, "starting");
    fixture_session_key(fixture->enclave, fixture->session_key);
    fixture_client_init(&client, fixture);
    cella_host_enclave_state(fixture->enclave, &state);
    bench_state("start/keeper-resident", resident(state.process_id), "MiB");
    bench_state("start/instance-resident", resident(state.instance_process_id), "MiB");
    fixture_client_deinit(&client);
    bench_check(cella_host_stop(fixture->enclave, 10000), NULL, "stopping");
}

/* An idle `cella host` without enclaves, as a process of its own. */
static void measure_idle_host(const struct fixture *fixture) {
    int ends[2];
    bench_require(pipe(ends) == 0, "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    static char path[] = BENCH_CELLA;
    char state[96];
    (void)snprintf(state, sizeof state, "%s/host", fixture->folder);
    char *const arguments[] = {
        path, (char *)"host", (char *)"--listen", (char *)"127.0.0.1:0", (char *)"--state", state, NULL};
    pid_t process;
    bench_require(posix_spawn(&process, path, &actions, NULL, arguments, environ) == 0, "posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    /* It says where it listens once it is ready. */
    FILE *output = fdopen(ends[0], "r");
    char line[1024] = "";
    bench_require(output != NULL, "fdopen");
    while (strstr(line, "http://") == NULL && fgets(line, sizeof line, output) != NULL) {
    }
    bool ready = strstr(line, "http://") != NULL;
    if (ready)
        bench_state("start/idle-host-resident", resident(process), "MiB");
    kill(process, SIGTERM);
    bench_require(waitpid(process, NULL, 0) == process, "waitpid");
    (void)fclose(output);
    bench_require(ready, "cella host");
}

void bench_start(void) {
    if (!bench_wanted("start/first-reply") && !bench_wanted("start/keeper-resident") &&
        !bench_wanted("start/idle-host-resident"))
        return;
    struct start_bench bench = {0};
    struct cella_error error = {0};
    fixture_machine_init(&bench.fixture);
    bench_check(cella_host_new(&(struct cella_host_options){0}, &bench.fixture.host, &error), &error,
                "making a host");
    bench_check(
        cella_file_read(fixture_image(), CELLA_IMAGE_SIZE_LIMIT, &bench.file, &bench.file_size, &error),
        &error, "the image");
    bench_check(cella_image_open(CELLA_BYTES(bench.file, bench.file_size), &bench.image, &error), &error,
                "the image");
    bench_compare(&(struct bench_pair){
        .name = "start/first-reply",
        .unit = "ms",
        .against = "hashing its pages once and running an empty static program of its size",
        .aim = 2,
        .lower_is_better = true,
        .work = first_reply,
        .base = least_work,
        .context = &bench});
    if (bench_wanted("start/keeper-resident"))
        measure_keeper(&bench);
    if (bench_wanted("start/idle-host-resident"))
        measure_idle_host(&bench.fixture);
    fixture_deinit(&bench.fixture);
    free(bench.file);
}
