/* Runs, medians, table and JSON. Must not know what is measured. */
#include "harness.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double RUN_SECONDS = 0.25;

static json_t *rows;
static const char *only;

double bench_now(void) {
    struct timespec now;
    bench_require(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_die(const char *what) {
    fprintf(stderr, "bench: %s failed\n", what);
    exit(1);
}

void bench_check(enum cella_status status, const struct cella_error *error, const char *what) {
    if (status == CELLA_OK)
        return;
    bool filled = error != NULL && error->message[0] != '\0';
    fprintf(stderr, "bench: %s: %s  [%s]\n", what, filled ? error->message : cella_status_sentence(status),
            cella_status_name(status));
    exit(1);
}

double bench_rate(bench_operations *operations, void *context) {
    uint64_t count = 1;
    for (;;) {
        double start = bench_now();
        operations(context, count);
        double seconds = bench_now() - start;
        if (seconds >= RUN_SECONDS)
            return (double)count / seconds;
        /* Straight to the goal once the clock resolves it, by factors of ten before. */
        double factor = seconds > RUN_SECONDS / 100 ? 1.2 * RUN_SECONDS / seconds : 10;
        count = (uint64_t)((double)count * factor) + 1;
    }
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(const double runs[BENCH_RUNS]) {
    double sorted[BENCH_RUNS];
    memcpy(sorted, runs, sizeof sorted);
    qsort(sorted, BENCH_RUNS, sizeof sorted[0], compare);
    return sorted[BENCH_RUNS / 2];
}

/* Four significant digits, so that the file shows no noise as if it were knowledge. */
static double rounded(double value) {
    if (value == 0)
        return 0;
    double scale = pow(10, 3 - floor(log10(fabs(value))));
    return round(value * scale) / scale;
}

static void add(json_t *row) {
    bench_require(row != NULL && json_array_append_new(rows, row) == 0, "memory for a row");
}

static const char *figure(double value, char text[32]) {
    if (value >= 1e6)
        (void)snprintf(text, 32, "%.2f M", value / 1e6);
    else if (value >= 1e4)
        (void)snprintf(text, 32, "%.1f k", value / 1e3);
    else
        (void)snprintf(text, 32, "%.4g", value);
    return text;
}

void bench_compare(const struct bench_pair *pair) {
    if (!bench_wanted(pair->name))
        return;
    double work[BENCH_RUNS];
    double base[BENCH_RUNS];
    double ratio[BENCH_RUNS];
    for (size_t i = 0; i < BENCH_RUNS; i++) {
        base[i] = pair->base(pair->context);
        work[i] = pair->work(pair->context);
        ratio[i] = work[i] / base[i];
    }
    double found = median(ratio);
    bool met = pair->lower_is_better ? found <= pair->aim : found >= pair->aim;
    char value_text[32];
    char base_text[32];
    printf("%-24s %10s %-10s %10s %6.2f  %s %-4g %-4s %s\n", pair->name, figure(median(work), value_text),
           pair->unit, figure(median(base), base_text), found, pair->lower_is_better ? "<=" : ">=", pair->aim,
           met ? "yes" : "NO", pair->against);
    fflush(stdout);
    add(json_pack("{s:s, s:f, s:s, s:s, s:f, s:f, s:f, s:s, s:b}", "name", pair->name, "value",
                  rounded(median(work)), "unit", pair->unit, "against", pair->against, "against_value",
                  rounded(median(base)), "ratio", rounded(found), "aim", pair->aim, "better",
                  pair->lower_is_better ? "lower" : "higher", "met", met ? 1 : 0));
}

void bench_state(const char *name, double value, const char *unit) {
    if (!bench_wanted(name))
        return;
    char text[32];
    printf("%-24s %10s %-10s\n", name, figure(value, text), unit);
    fflush(stdout);
    add(json_pack("{s:s, s:f, s:s, s:n, s:n, s:n, s:n}", "name", name, "value", rounded(value), "unit", unit,
                  "against", "ratio", "aim", "met"));
}

/* "mail" and "mail/" ask for the group, "mail/one-shot-open" for one row. */
bool bench_wanted(const char *name) {
    if (only == NULL)
        return true;
    size_t size = strlen(only);
    bool prefix = strncmp(name, only, size) == 0;
    return prefix && (name[size] == '\0' || name[size] == '/' || (size > 0 && only[size - 1] == '/'));
}

/* With ONLY the other rows of an earlier run are kept. */
static void keep_earlier_rows(const char *path) {
    json_t *earlier = only == NULL ? NULL : json_load_file(path, 0, NULL);
    size_t index;
    json_t *row;
    json_array_foreach(earlier, index, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name != NULL && !bench_wanted(name))
            bench_require(json_array_append(rows, row) == 0, "memory for a row");
    }
    json_decref(earlier);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: cella-bench FILE.json [NAME]\n");
        return 2;
    }
    only = argc == 3 ? argv[2] : NULL;
    rows = json_array();
    bench_require(rows != NULL, "memory for the rows");
    printf("%-24s %10s %-10s %10s %6s  %-7s %-4s %s\n", "name", "value", "unit", "against", "ratio", "aim",
           "met", "against what");
#define BENCH_GROUP(function) function();
#include "groups.def"
#undef BENCH_GROUP
    if (json_array_size(rows) == 0) {
        fprintf(stderr, "bench: there is no figure named %s\n", only == NULL ? "at all" : only);
        return 1;
    }
    keep_earlier_rows(argv[1]);
    bench_require(json_dump_file(rows, argv[1], JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0, argv[1]);
    json_decref(rows);
    return 0;
}
