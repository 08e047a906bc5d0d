/* cella demo: the main job, step by step, on a simulated machine in a temporary folder. Must not: leave
 * anything behind unless asked to, or end well when any check did not hold. */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/demo.h"
#include "crypto/rsa.h"
#include "host/http.h"
#include "machine/sim/tree.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: cella demo [--keep] [--files FOLDER] [--json]\n"
    "\n"
    "Runs a pay survey of four parties that may not show each other their people's pay, then a\n"
    "ledger whose host is killed, and whose disk is put back, on a simulated machine in a\n"
    "temporary folder and on loopback, and shows what is refused. Ends with 0 when everything\n"
    "was as it must be.\n"
    "\n"
    "  --keep          keep the folder and print its name\n"
    "  --files FOLDER  where the folders pay-survey and ledger with their programs and data are\n"
    "  --json          print the protocol as JSON\n";

/* Relative to the folder of the running program, in the build tree and when installed. */
#define FILES_BESIDE "../libexec/cella"

static bool (*const steps[])(struct demo *demo) = {
    demo_agree,
    demo_machine,
    demo_image,
    demo_host,
    demo_attest,
    demo_refuse_tampered_image,
    demo_refuse_wrong_constraint,
    demo_refuse_false_party,
    demo_send_three,
    demo_refuse_early_result,
    demo_refuse_changed_mail,
    demo_refuse_bad_row,
    demo_send_fourth,
    demo_check_result,
    demo_refuse_second_file,
    demo_ledger_agree,
    demo_ledger_open,
    demo_ledger_feed,
    demo_ledger_audit,
    demo_ledger_refuse_stale,
    demo_ledger_notice,
    demo_ledger_restore,
};
enum { STEP_COUNT = sizeof steps / sizeof steps[0] };

/* Set by a signal: the demo ends after the step that runs, and cleans up. */
static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    interrupted = 1;
}

struct options {
    const char *files;
    bool keep;
    bool json;
};

/* -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *options) {
    static const struct option table[] = {{"keep", no_argument, NULL, 'k'},
                                          {"files", required_argument, NULL, 'f'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        switch (option) {
        case 'k':
            options->keep = true;
            break;
        case 'f':
            options->files = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            return cli_usage_option(usage, argv);
        }
    }
    return optind < argc ? cli_usage(usage, "demo takes no \"%s\"", argv[optind]) : -1;
}

static enum cella_status find_files(struct demo *demo, const char *given, struct cella_error *error) {
    char program[PATH_MAX], folder[PATH_MAX], *found = NULL;
    if (given != NULL) {
        snprintf(folder, sizeof folder, "%s", given);
    } else {
        ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
        if (size <= 0)
            return cella_fail(error, CELLA_IO, "the program's own folder cannot be found: %s",
                              strerror(errno));
        program[size] = '\0';
        *strrchr(program, '/') = '\0';
        if (snprintf(folder, sizeof folder, "%s/%s", program, FILES_BESIDE) >= (int)sizeof folder)
            return cella_fail(error, CELLA_LIMIT, "the path of the program is too long");
    }
    found = realpath(folder, NULL);
    if (found == NULL || strlen(found) >= sizeof demo->files) {
        free(found);
        return cella_fail(error, CELLA_NOT_FOUND, "the files of the demo are not in %s", folder);
    }
    memcpy(demo->files, found, strlen(found) + 1);
    free(found);
    return CELLA_OK;
}

static enum cella_status make_folder(struct demo *demo, struct cella_error *error) {
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || *parent == '\0')
        parent = "/tmp";
    if (snprintf(demo->folder, sizeof demo->folder, "%s/cella-demo-XXXXXX", parent) >=
        (int)sizeof demo->folder)
        return cella_fail(error, CELLA_LIMIT, "the path of the temporary folder is too long");
    if (mkdtemp(demo->folder) == NULL) {
        demo->folder[0] = '\0';
        return cella_fail(error, CELLA_IO, "no temporary folder in %s: %s", parent, strerror(errno));
    }
    return CELLA_OK;
}

static void introduce(const struct demo *demo) {
    if (demo->story.json)
        return;
    printf("%sCella demo: a pay survey of four parties, and a ledger that survives%s\n",
           demo->story.colour ? "\033[1m" : "", demo->story.colour ? "\033[0m" : "");
    printf(
        "Four employers may not show each other their people's pay. Each sends its file, encrypted, to an\n"
        "enclave that none of them operates; each gets the joint statistics, and never another's rows.\n"
        "Then four branches keep their accounts in an enclave whose host is killed, and brings old copies "
        "back.\n"
        "INSECURE: all of this runs on a simulated machine.\n");
}

static void conclude(const struct demo *demo, bool kept, double seconds) {
    const struct demo_story *story = &demo->story;
    size_t checks = 0, index;
    json_t *step;
    json_array_foreach(story->steps, index, step) {
        checks += json_array_size(json_object_get(step, "checks"));
    }
    if (story->json) {
        json_t *protocol = json_pack("{s:b, s:f, s:I, s:O}", "ok", !story->failed, "seconds", seconds,
                                     "checks", (json_int_t)checks, "steps", story->steps);
        if (kept)
            json_object_set_new(protocol, "folder", json_string(demo->folder));
        json_dumpf(protocol, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(protocol);
        return;
    }
    const char *colour = !story->colour ? "" : story->failed ? "\033[1;31m" : "\033[1;32m";
    printf("\n%s%s%s  %zu of %d steps, %zu checks, %.1f s\n", colour,
           interrupted != 0 ? "INTERRUPTED"
           : story->failed  ? "FAILED"
                            : "all as it must be",
           story->colour ? "\033[0m" : "", json_array_size(story->steps), STEP_COUNT, checks, seconds);
    if (kept)
        printf("kept: %s\n", demo->folder);
}

static void clean_up(struct demo *demo, bool keep) {
    demo_ledger_end(demo);
    cella_http_free(demo->http);
    cella_host_free(demo->host);
    cella_rsa_free(demo->signer);
    demo_people_free(&demo->people);
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++)
        free(demo->results[i]);
    if (demo->folder[0] != '\0' && !keep)
        cella_sim_tree_remove(demo->folder, NULL);
}

static void run_steps(struct demo *demo) {
    for (size_t i = 0; i < STEP_COUNT && !demo->story.failed; i++) {
        bool held = interrupted == 0 && steps[i](demo);
        if (held && !demo->story.failed)
            continue;
        demo->story.failed = true;
        if (demo->story.step != NULL)
            demo_end(&demo->story, "this was to be shown, and was not");
    }
}

int cli_verb_demo(int argc, char **argv) {
    struct options options = {.files = NULL};
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    struct cella_error error = {.message = ""};
    struct timespec before, after;
    struct demo *demo = calloc(1, sizeof *demo);
    if (demo == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    demo->story = (struct demo_story){
        .json = options.json, .colour = isatty(STDOUT_FILENO) != 0, .steps = json_array()};
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    clock_gettime(CLOCK_MONOTONIC, &before);
    enum cella_status status = find_files(demo, options.files, &error);
    if (status == CELLA_OK)
        status = make_folder(demo, &error);
    if (status == CELLA_OK) {
        introduce(demo);
        run_steps(demo);
        clock_gettime(CLOCK_MONOTONIC, &after);
        conclude(demo, options.keep,
                 (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9);
        code = interrupted != 0     ? cella_status_exit_code(CELLA_INTERRUPTED)
               : demo->story.failed ? cella_status_exit_code(CELLA_FAILED)
                                    : 0;
    } else {
        code = cli_fail(status, &error, NULL);
    }
    clean_up(demo, options.keep);
    json_decref(demo->story.steps);
    free(demo);
    return code;
}
