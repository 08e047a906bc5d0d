/* The torture test: a vault on a disk that tears, loses, reorders and repeats writes, fails and lies, and
 * stops at every operation. Each case is one number; the same seed and number give the same course.
 *
 *   torture [--seed N] [--seeds COUNT] [--pairs COUNT] [--case M] [--list]
 *
 * For each seed: every single fault at every operation of the workload, then `pairs` drawn pairs of faults.
 * Must not: need anything but this process. */
#include "world.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MAX = 8192, CASES_MAX = 1 << 20, PAIRS_FROM = 1000000, REQUESTS = 16 };

struct cases {
    struct plan *plans;
    size_t count;
    struct operation *trace;
    size_t operations;
    uint64_t seed;
};

static void add_case(struct cases *cases, uint64_t survivors, struct fault first,
                     const struct fault *second) {
    struct plan plan = {.seed = cases->seed, .survivors = survivors, .requests = REQUESTS};
    plan.faults[plan.fault_count++] = first;
    if (second != NULL)
        plan.faults[plan.fault_count++] = *second;
    if (cases->count == CASES_MAX)
        abort();
    cases->plans[cases->count++] = plan;
}

static struct fault fault_at(uint64_t at, enum test_fault kind) {
    return (struct fault){.at = at, .kind = kind, .status = CELLA_STORAGE_IO};
}

static void add_failures(struct cases *cases, uint64_t at) {
    static const enum cella_status statuses[] = {CELLA_STORAGE_FULL, CELLA_STORAGE_IO,
                                                 CELLA_STORAGE_READ_ONLY};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned times = 1; times <= 9; times += 8)
            add_case(cases, 0,
                     (struct fault){.at = at, .kind = TEST_FAULT_FAIL, .status = statuses[i], .times = times},
                     NULL);
}

/* A lie shows only when the machine stops before anything else makes the bytes durable. */
static void add_lies(struct cases *cases, uint64_t at) {
    static const unsigned later[] = {1, 2, 4, 9, 25, 60};
    for (unsigned i = 0; i < sizeof later / sizeof *later; i++) {
        struct fault crash = fault_at(at + later[i], TEST_FAULT_CRASH);
        add_case(cases, 0, fault_at(at, TEST_FAULT_LIE), &crash);
        add_case(cases, at * 8 + i + 1, fault_at(at, TEST_FAULT_LIE), &crash);
    }
}

static void add_writes(struct cases *cases, uint64_t at, const struct operation *operation) {
    static const enum test_fault stops[] = {TEST_FAULT_CRASH, TEST_FAULT_CRASH_TORN, TEST_FAULT_CRASH_DONE};
    for (unsigned i = 0; i < 3; i++) {
        add_case(cases, 0, fault_at(at, stops[i]), NULL);
        add_case(cases, 2 * at + 1, fault_at(at, stops[i]), NULL);
        add_case(cases, UINT64_MAX, fault_at(at, stops[i]), NULL);
    }
    add_failures(cases, at);
    add_case(cases, 0, fault_at(at, TEST_FAULT_TWICE), NULL);
    if (operation->flags != 0)
        add_lies(cases, at);
}

static void add_reads(struct cases *cases, uint64_t at) {
    add_case(cases, 3 * at + 1, fault_at(at, TEST_FAULT_CRASH), NULL);
    add_case(cases, 0, fault_at(at, TEST_FAULT_FAIL), NULL);
    add_case(cases, 0, fault_at(at, TEST_FAULT_SHORT), NULL);
}

static void add_removes(struct cases *cases, uint64_t at) {
    add_case(cases, 0, fault_at(at, TEST_FAULT_CRASH), NULL);
    add_case(cases, 0, fault_at(at, TEST_FAULT_CRASH_DONE), NULL);
    add_case(cases, UINT64_MAX, fault_at(at, TEST_FAULT_CRASH_DONE), NULL);
    add_case(cases, 0, fault_at(at, TEST_FAULT_FAIL), NULL);
}

static void list_cases(struct cases *cases) {
    cases->count = 0;
    for (uint64_t at = 0; at < cases->operations; at++) {
        const struct operation *operation = &cases->trace[at];
        if (operation->operation == TEST_WRITE || operation->operation == TEST_WRITE_NOW)
            add_writes(cases, at, operation);
        else if (operation->operation == TEST_REMOVE)
            add_removes(cases, at);
        else
            add_reads(cases, at);
    }
}

static uint64_t draw(uint64_t *state) {
    uint64_t value = (*state += UINT64_C(0x9e3779b97f4a7c15));
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Two or three faults anywhere, the later ones counted from the earlier one on. */
static struct plan draw_pair(const struct cases *cases, uint64_t number) {
    static const enum test_fault kinds[] = {TEST_FAULT_FAIL,       TEST_FAULT_CRASH, TEST_FAULT_CRASH_TORN,
                                            TEST_FAULT_CRASH_DONE, TEST_FAULT_LIE,   TEST_FAULT_SHORT,
                                            TEST_FAULT_TWICE};
    static const enum cella_status statuses[] = {CELLA_STORAGE_FULL, CELLA_STORAGE_IO,
                                                 CELLA_STORAGE_READ_ONLY};
    uint64_t state = cases->seed * UINT64_C(1000003) + number;
    struct plan plan = {.seed = cases->seed, .survivors = draw(&state), .requests = REQUESTS};
    uint64_t at = draw(&state) % cases->operations;
    plan.fault_count = 2 + (unsigned)(draw(&state) % 4 == 0);
    for (unsigned i = 0; i < plan.fault_count; i++) {
        plan.faults[i] = (struct fault){.at = at,
                                        .kind = kinds[draw(&state) % 7],
                                        .status = statuses[draw(&state) % 3],
                                        .times = 1 + (unsigned)(draw(&state) % 4)};
        at += 1 + draw(&state) % (draw(&state) % 2 == 0 ? 6 : 60);
    }
    if (draw(&state) % 4 == 0)
        plan.survivors = draw(&state) % 2 == 0 ? 0 : UINT64_MAX;
    return plan;
}

struct totals {
    uint64_t cases, done, detected, wrong, crashes, restarts;
};

static bool run_case(const struct plan *plan, uint64_t number, bool say, struct totals *totals) {
    struct outcome outcome;
    world_run(plan, NULL, 0, &outcome);
    totals->cases++;
    totals->crashes += outcome.crashes;
    totals->restarts += outcome.restarts;
    if (outcome.verdict == VERDICT_DONE)
        totals->done++;
    else if (outcome.verdict == VERDICT_DETECTED)
        totals->detected++;
    else
        totals->wrong++;
    if (say || outcome.verdict == VERDICT_WRONG) {
        static const char *const verdicts[] = {"done", "detected", "WRONG"};
        printf("torture --seed %" PRIu64 " --case %" PRIu64 ": %s %s\n", plan->seed, number,
               verdicts[outcome.verdict], outcome.message);
        for (unsigned i = 0; i < plan->fault_count && say; i++)
            printf("  fault %d at operation %" PRIu64 " (%s, %u times), survivors %" PRIu64 "\n",
                   (int)plan->faults[i].kind, plan->faults[i].at, cella_status_name(plan->faults[i].status),
                   plan->faults[i].times, plan->survivors);
    }
    return outcome.verdict != VERDICT_WRONG;
}

/* The course without faults: what can go wrong is counted from it. */
static bool prepare_seed(struct cases *cases, uint64_t seed) {
    const struct plan quiet = {.seed = seed, .requests = REQUESTS};
    struct outcome outcome;
    cases->seed = seed;
    world_run(&quiet, cases->trace, OPERATIONS_MAX, &outcome);
    if (outcome.verdict != VERDICT_DONE || outcome.operations > OPERATIONS_MAX) {
        printf("torture --seed %" PRIu64 ": without any fault: %s\n", seed, outcome.message);
        return false;
    }
    cases->operations = (size_t)outcome.operations;
    list_cases(cases);
    return true;
}

static bool run_seed(struct cases *cases, uint64_t seed, uint64_t pairs, struct totals *totals) {
    if (!prepare_seed(cases, seed))
        return false;
    bool good = true;
    for (size_t i = 0; i < cases->count; i++)
        good = run_case(&cases->plans[i], i, false, totals) && good;
    for (uint64_t i = 0; i < pairs; i++) {
        const struct plan plan = draw_pair(cases, i);
        good = run_case(&plan, PAIRS_FROM + i, false, totals) && good;
    }
    return good;
}

static bool run_one(struct cases *cases, uint64_t seed, uint64_t number) {
    struct totals totals = {0};
    if (!prepare_seed(cases, seed))
        return false;
    if (number >= PAIRS_FROM) {
        const struct plan plan = draw_pair(cases, number - PAIRS_FROM);
        return run_case(&plan, number, true, &totals);
    }
    if (number >= cases->count) {
        printf("seed %" PRIu64 " has %zu cases of one fault\n", seed, cases->count);
        return false;
    }
    return run_case(&cases->plans[number], number, true, &totals);
}

struct options {
    uint64_t seed, seeds, pairs, number;
    bool one;
};

static bool parse(int argc, char **argv, struct options *ret_options) {
    *ret_options = (struct options){.seed = 1, .seeds = 1, .pairs = 500};
    for (int i = 1; i + 1 < argc; i += 2) {
        char *end;
        uint64_t value = strtoull(argv[i + 1], &end, 10);
        if (*end != '\0')
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            ret_options->seed = value;
        else if (strcmp(argv[i], "--seeds") == 0)
            ret_options->seeds = value;
        else if (strcmp(argv[i], "--pairs") == 0)
            ret_options->pairs = value;
        else if (strcmp(argv[i], "--case") == 0)
            ret_options->number = value;
        else
            return false;
        ret_options->one = ret_options->one || strcmp(argv[i], "--case") == 0;
    }
    return argc % 2 == 1;
}

int main(int argc, char **argv) {
    struct options options;
    struct totals totals = {0};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: torture [--seed N] [--seeds COUNT] [--pairs COUNT] [--case M]\n");
        return 2;
    }
    struct cases cases = {.plans = calloc(CASES_MAX, sizeof(struct plan)),
                          .trace = calloc(OPERATIONS_MAX, sizeof(struct operation))};
    if (cases.plans == NULL || cases.trace == NULL)
        abort();
    bool good = true;
    if (options.one)
        good = run_one(&cases, options.seed, options.number);
    for (uint64_t i = 0; i < options.seeds && !options.one; i++)
        good = run_seed(&cases, options.seed + i, options.pairs, &totals) && good;
    free(cases.plans);
    free(cases.trace);
    if (!options.one)
        printf("%" PRIu64 " cases, %" PRIu64 " seeds: %" PRIu64 " done, %" PRIu64 " lies detected, %" PRIu64
               " wrong; %" PRIu64 " crashes, %" PRIu64 " starts\n",
               totals.cases, options.seeds, totals.done, totals.detected, totals.wrong, totals.crashes,
               totals.restarts);
    return good ? 0 : 1;
}
