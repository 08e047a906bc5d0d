/* What all benchmarks share: five interleaved runs of a work and of what it is compared with, medians, the
 * table and the JSON file. Must not: assert a figure. A benchmark that cannot run ends the program instead of
 * printing something else. */
#ifndef CELLA_BENCH_HARNESS_H
#define CELLA_BENCH_HARNESS_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

enum { BENCH_RUNS = 5 };

/* One run; returns its figure in the pair's unit. */
typedef double bench_run(void *context);
/* `count` operations, one after the other. */
typedef void bench_operations(void *context, uint64_t count);

/* Operations per second: repeats until a run takes about a quarter of a second. */
double bench_rate(bench_operations *operations, void *context);

/* Seconds of a clock that only goes forward. */
double bench_now(void);

/* A work and what it is measured against. The ratio is work / base in each run. */
struct bench_pair {
    const char *name; /* "mail/one-shot-open" */
    const char *unit; /* of work and base: "mails/s" */
    const char *against;
    double aim; /* of the ratio */
    bool lower_is_better;
    bench_run *work;
    bench_run *base;
    void *context;
};

/* Runs the pair BENCH_RUNS times, work and base in turn, and adds the row: medians of both and of the ratios.
 */
void bench_compare(const struct bench_pair *pair);

/* Adds a row without a comparison, for example resident memory. */
void bench_state(const char *name, double value, const char *unit);

/* True when `name` was asked for; a benchmark skips its preparation otherwise. */
bool bench_wanted(const char *name);

/* Ends the program with the status's text when it is not CELLA_OK. `error` may be NULL. */
void bench_check(enum cella_status status, const struct cella_error *error, const char *what);
/* The same for a plain condition. */
#define bench_require(condition, what)                                                                       \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            bench_die(what);                                                                                 \
    } while (0)
_Noreturn void bench_die(const char *what);

/* The groups; each skips the rows that are not wanted. */
#define BENCH_GROUP(function) void function(void);
#include "groups.def"
#undef BENCH_GROUP

#endif
