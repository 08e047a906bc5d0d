/* 100,000 transfers by four branches at once, while the instance and the host are killed under them. */
#include "base/error.h"
#include "cli/demo_ledger.h"
#include "machine/sim/tree.h"
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Answered transfers at which something happens. */
enum { COPY_AT = 20000, KILL_INSTANCE_AT = 40000, KILL_HOST_AT = 70000, LOOK_MS = 2, COPY_TRIES = 20 };

struct feeder;

/* What the branches' threads share. */
struct feeding {
    struct demo *demo;
    pthread_mutex_t lock; /* of the ledger's batches */
    atomic_uint_fast64_t answered;
    atomic_uint running;
    atomic_bool over; /* the story failed: no more batches */
    struct feeder {
        struct feeding *feeding;
        unsigned branch;
        pthread_t thread;
        enum cella_status status;
        struct cella_error error;
    } feeders[PLAIN_BRANCHES];
};

static bool keep_batch(struct demo_ledger *ledger, const struct demo_batch *batch) {
    if (ledger->batch_count == ledger->batch_capacity) {
        size_t capacity = ledger->batch_capacity == 0 ? 512 : 2 * ledger->batch_capacity;
        struct demo_batch *grown = realloc(ledger->batches, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        ledger->batches = grown;
        ledger->batch_capacity = capacity;
    }
    ledger->batches[ledger->batch_count++] = *batch;
    return true;
}

static bool take_answers(void *context, uint64_t first, const struct ledger_outcome *answers, size_t count) {
    struct feeder *feeder = context;
    struct feeding *feeding = feeder->feeding;
    struct demo_batch batch = {
        .branch = feeder->branch, .first = first, .count = count, .answers = calloc(count, sizeof *answers)};
    if (batch.answers == NULL)
        return false;
    memcpy(batch.answers, answers, count * sizeof *answers);
    pthread_mutex_lock(&feeding->lock);
    bool kept = keep_batch(feeding->demo->ledger, &batch);
    pthread_mutex_unlock(&feeding->lock);
    if (!kept)
        free(batch.answers);
    atomic_fetch_add(&feeding->answered, count);
    return kept && !atomic_load(&feeding->over);
}

static enum cella_status feed_branch(struct feeder *feeder, const char *text) {
    const struct demo *demo = feeder->feeding->demo;
    struct cella_client *client = NULL;
    struct demo_path progress =
        demo_path(demo, "%s.transfers.progress", demo_ledger_client_name(feeder->branch));
    enum cella_status status = demo_ledger_client(demo, feeder->branch, &client, &feeder->error);
    const struct branch_feed feed = {.client = client,
                                     .instructions = CELLA_BYTES(text, strlen(text)),
                                     .progress_path = progress.text,
                                     .batch = DEMO_LEDGER_BATCH,
                                     .answered = take_answers,
                                     .context = feeder};
    if (status == CELLA_OK)
        status = branch_send(&feed, &demo->ledger->progress[feeder->branch], &feeder->error);
    cella_client_free(client);
    return status;
}

static void *run_feeder(void *context) {
    struct feeder *feeder = context;
    char *text = plain_instructions_of(&feeder->feeding->demo->ledger->file, feeder->branch);
    feeder->status = text != NULL ? feed_branch(feeder, text)
                                  : cella_fail(&feeder->error, CELLA_NO_MEMORY, "no memory for a file");
    free(text);
    atomic_fetch_sub(&feeder->feeding->running, 1);
    return NULL;
}

static unsigned start_feeders(struct feeding *feeding) {
    unsigned started = 0;
    atomic_store(&feeding->running, PLAIN_BRANCHES);
    for (; started < PLAIN_BRANCHES; started++) {
        struct feeder *feeder = &feeding->feeders[started];
        *feeder = (struct feeder){.feeding = feeding, .branch = started};
        if (pthread_create(&feeder->thread, NULL, run_feeder, feeder) != 0)
            break;
    }
    atomic_fetch_sub(&feeding->running, PLAIN_BRANCHES - started);
    return started;
}

/* False: the branches ended before. */
static bool wait_until(struct feeding *feeding, uint64_t answered) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    while (atomic_load(&feeding->answered) < answered) {
        if (atomic_load(&feeding->running) == 0)
            return demo_check(&feeding->demo->story, false, "the branches ended after %" PRIu64 " transfers",
                              (uint64_t)atomic_load(&feeding->answered));
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* A disk may be copied while it is written to; a file that goes away meanwhile makes the copy begin anew. */
static bool copy_disk(struct feeding *feeding) {
    struct demo *demo = feeding->demo;
    struct cella_error error = {.message = ""};
    struct demo_path vault = demo_ledger_vault(demo),
                     copy = demo_path(demo, DEMO_LEDGER "/copy-before-restart");
    enum cella_status status = CELLA_IO;
    for (int i = 0; i < COPY_TRIES && status != CELLA_OK; i++)
        status = cella_sim_tree_copy(vault.text, copy.text, &error);
    demo->ledger->copied_at = atomic_load(&feeding->answered);
    demo_fact(&demo->story, "after %6" PRIu64 " transfers: the operator copies the vault's folder, for later",
              demo->ledger->copied_at);
    return demo_ok(&demo->story, status, &error, "the copy");
}

static bool kill_instance(struct feeding *feeding) {
    struct demo *demo = feeding->demo;
    json_t *status = demo_ledger_status(demo);
    pid_t process = (pid_t)json_integer_value(json_object_get(status, "instance_process"));
    json_decref(status);
    demo_fact(&demo->story,
              "after %6" PRIu64 " transfers: SIGKILL to the instance, process %d; the host "
              "starts it again",
              (uint64_t)atomic_load(&feeding->answered), (int)process);
    return status != NULL && (process > 0 && kill(process, SIGKILL) == 0
                                  ? true
                                  : demo_check(&demo->story, false, "the instance could not be killed"));
}

static bool kill_host(struct feeding *feeding) {
    struct demo *demo = feeding->demo;
    demo_fact(&demo->story,
              "after %6" PRIu64 " transfers: SIGKILL to the host, process %d; it is started again",
              (uint64_t)atomic_load(&feeding->answered), (int)demo->ledger->host);
    return demo_ledger_host_end(demo, SIGKILL) && demo_ledger_host_start(demo);
}

static bool check_feeders(struct feeding *feeding) {
    struct demo_story *story = &feeding->demo->story;
    const struct branch_progress *progress = feeding->demo->ledger->progress;
    uint64_t done = 0, refused[LEDGER_REFUSALS] = {0};
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++) {
        const struct feeder *feeder = &feeding->feeders[i];
        if (!demo_ok(story, feeder->status, &feeder->error, demo_ledger_client_name(i)))
            return false;
        done += progress[i].done;
        for (int k = 0; k < LEDGER_REFUSALS; k++)
            refused[k] += progress[i].refused[k];
    }
    return demo_check(story, done > 0 && refused[LEDGER_FUNDS] > 0,
                      "every instruction is answered: %" PRIu64 " done, and refused: funds %" PRIu64
                      ", same account %" PRIu64 ", unknown account %" PRIu64 ", not the owner %" PRIu64
                      ", amount %" PRIu64,
                      done, refused[LEDGER_FUNDS], refused[LEDGER_SAME_ACCOUNT],
                      refused[LEDGER_UNKNOWN_ACCOUNT], refused[LEDGER_NOT_OWNER], refused[LEDGER_AMOUNT]);
}

/* Whether the vault went through the three starts that were asked for, and counts them. */
static bool check_epochs(struct demo *demo) {
    json_t *status = demo_ledger_status(demo);
    json_int_t epoch = json_integer_value(json_object_get(json_object_get(status, "vault"), "epoch"));
    json_decref(status);
    return status != NULL && demo_check(&demo->story, epoch == 3,
                                        "the vault is in epoch %d: each start took the machine's counter "
                                        "one further",
                                        (int)epoch);
}

bool demo_ledger_feed(struct demo *demo) {
    struct feeding feeding = {.demo = demo};
    struct timespec before, after;
    demo_step(&demo->story, "100,000 transfers, and kills in the middle");
    pthread_mutex_init(&feeding.lock, NULL);
    clock_gettime(CLOCK_MONOTONIC, &before);
    unsigned started = start_feeders(&feeding);
    bool held = started == PLAIN_BRANCHES && wait_until(&feeding, COPY_AT) && copy_disk(&feeding) &&
                wait_until(&feeding, KILL_INSTANCE_AT) && kill_instance(&feeding) &&
                wait_until(&feeding, KILL_HOST_AT) && kill_host(&feeding);
    atomic_store(&feeding.over, !held);
    for (unsigned i = 0; i < started; i++)
        pthread_join(feeding.feeders[i].thread, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    pthread_mutex_destroy(&feeding.lock);
    double seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    held = held && check_feeders(&feeding) && check_epochs(demo);
    demo_fact(&demo->story,
              "%zu mails of up to %d transfers over HTTP in %.1f s, kills and restarts included",
              demo->ledger->batch_count, DEMO_LEDGER_BATCH, seconds);
    demo_end(&demo->story, "Each branch asked again under the same name until it was answered. What was done "
                           "before a kill was not done again, and what was not done then was done later.");
    return held;
}
