/* Plain computation over the whole file: filter, sort, interpolate, in floating point. */
#include "cli/demo_plain.h"
#include "base/error.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT    ((size_t)64 << 20)
#define SOURCE_HEADER "rownames,earnings,gender,age,region,education"
#define PARTY_HEADER  "earnings,gender,age,education\n"

enum { SOURCE_COLUMNS = 6, RESULT_COLUMNS = 11, LEAST_PEOPLE = 10 };
enum { COLUMN_EARNINGS = 1, COLUMN_GENDER, COLUMN_AGE, COLUMN_REGION, COLUMN_EDUCATION };

const char *const demo_party_names[DEMO_PARTY_COUNT] = {"Northeast", "Midwest", "South", "West"};

/* Splits a line at commas; false unless it has exactly so many fields. */
static bool split(char *line, char **fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fields[i] = strsep(&line, ",");
        if (fields[i] == NULL)
            return false;
    }
    return line == NULL;
}

static bool read_person(char *line, struct demo_person *ret_person) {
    char *fields[SOURCE_COLUMNS];
    if (!split(line, fields, SOURCE_COLUMNS))
        return false;
    size_t party = 0;
    while (party < DEMO_PARTY_COUNT && strcmp(fields[COLUMN_REGION], demo_party_names[party]) != 0)
        party++;
    *ret_person = (struct demo_person){
        .earnings = strtod(fields[COLUMN_EARNINGS], NULL),
        .female = strcmp(fields[COLUMN_GENDER], "female") == 0,
        .age = strtol(fields[COLUMN_AGE], NULL, 10),
        .education = strtol(fields[COLUMN_EDUCATION], NULL, 10),
        .party = party,
    };
    return party < DEMO_PARTY_COUNT;
}

static size_t count_lines(const char *text) {
    size_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == '\n' ? 1 : 0;
    return count;
}

static enum cella_status read_lines(char *text, struct demo_people *people, struct cella_error *error) {
    char *at = text;
    const char *header = strsep(&at, "\n");
    if (strcmp(header, SOURCE_HEADER) != 0)
        return cella_fail(error, CELLA_DAMAGED, "the file of people does not begin with %s", SOURCE_HEADER);
    for (char *line = strsep(&at, "\n"); line != NULL && *line != '\0'; line = strsep(&at, "\n")) {
        struct demo_person *person = &people->people[people->count];
        if (!read_person(line, person))
            return cella_fail(error, CELLA_DAMAGED, "line %zu of the file of people is damaged",
                              people->count + 2);
        people->count++;
        people->party_count[person->party]++;
    }
    return CELLA_OK;
}

enum cella_status demo_people_read(const char *path, struct demo_people *ret_people,
                                   struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = cella_file_read(path, FILE_LIMIT, &data, &size, error);
    if (status != CELLA_OK)
        return status;
    struct demo_people people = {.bytes = size};
    people.people = calloc(count_lines((const char *)data), sizeof *people.people);
    if (people.people == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for the people");
    else
        status = read_lines((char *)data, &people, error);
    free(data);
    if (status == CELLA_OK)
        *ret_people = people;
    else
        demo_people_free(&people);
    return status;
}

void demo_people_free(struct demo_people *people) {
    free(people->people);
    *people = (struct demo_people){.people = NULL};
}

static void write_party_lines(char *text, size_t party, FILE *to) {
    char *fields[SOURCE_COLUMNS], *at = text;
    fputs(PARTY_HEADER, to);
    for (char *line = strsep(&at, "\n"); line != NULL; line = strsep(&at, "\n"))
        if (split(line, fields, SOURCE_COLUMNS) &&
            strcmp(fields[COLUMN_REGION], demo_party_names[party]) == 0)
            fprintf(to, "%s,%s,%s,%s\n", fields[COLUMN_EARNINGS], fields[COLUMN_GENDER], fields[COLUMN_AGE],
                    fields[COLUMN_EDUCATION]);
}

enum cella_status demo_people_write_party(const char *from, size_t party, const char *to,
                                          struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    char *text = NULL;
    size_t text_size = 0;
    enum cella_status status = cella_file_read(from, FILE_LIMIT, &data, &size, error);
    if (status != CELLA_OK)
        return status;
    FILE *stream = open_memstream(&text, &text_size);
    if (stream != NULL) {
        write_party_lines((char *)data, party, stream);
        if (fclose(stream) != 0)
            text_size = 0;
    }
    free(data);
    if (text_size == 0)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for a party's file");
    else
        status = cella_file_write(to, CELLA_BYTES(text, text_size), CELLA_FILE_PRIVATE, error);
    free(text);
    return status;
}

/* --- comparison --- */

/* "all", one number, or LOW-HIGH. */
static bool in_band(const char *band, long value) {
    if (strcmp(band, "all") == 0)
        return true;
    char *end;
    long low = strtol(band, &end, 10);
    long high = *end == '-' ? strtol(end + 1, NULL, 10) : low;
    return value >= low && value <= high;
}

static bool in_group(const struct demo_person *person, char **labels) {
    const char *gender = person->female ? "female" : "male";
    return in_band(labels[0], person->education) && in_band(labels[2], person->age) &&
           (strcmp(labels[1], "all") == 0 || strcmp(labels[1], gender) == 0);
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t count, double share) {
    double position = (double)(count - 1) * share;
    size_t below = (size_t)floor(position);
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (position - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* A figure printed with one decimal stands for everything within half of it; the rest is for amounts that are
 * read to a millionth. */
static bool prints_as(double value, const char *figure) {
    return fabs(value - strtod(figure, NULL)) <= 0.05 + 2e-6;
}

/* The rows of the result while they are compared. */
struct result {
    char *text; /* split in place */
    char *rows[DEMO_GROUP_COUNT][RESULT_COLUMNS];
    size_t count;
};

enum { LABELS = 1, PEOPLE = 4, QUARTILE_1, MEDIAN, QUARTILE_3, PERCENTILE_90, GAP_TO_ALL, GAP_WOMEN };

/* The median that the result shows for a group; NULL if it is hidden. */
static const char *shown_median(const struct result *result, const char *education, const char *gender,
                                const char *age) {
    for (size_t i = 0; i < result->count; i++) {
        char *const *row = result->rows[i];
        if (strcmp(row[LABELS], education) == 0 && strcmp(row[LABELS + 1], gender) == 0 &&
            strcmp(row[LABELS + 2], age) == 0)
            return strcmp(row[PEOPLE], "hidden") == 0 ? NULL : row[MEDIAN];
    }
    return NULL;
}

/* A gap is that of the two printed medians, or empty where one is hidden. */
static bool gap_is_right(const char *gap, const char *median, const char *reference) {
    if (median == NULL || reference == NULL || strtod(reference, NULL) <= 0)
        return *gap == '\0';
    double base = strtod(reference, NULL);
    return *gap != '\0' && prints_as((strtod(median, NULL) - base) / base * 100, gap);
}

static bool gaps_are_right(const struct result *result, char **row) {
    const char *education = row[LABELS], *age = row[LABELS + 2];
    if (!gap_is_right(row[GAP_TO_ALL], row[MEDIAN], shown_median(result, "all", "all", "all")))
        return false;
    if (strcmp(row[LABELS + 1], "all") != 0)
        return *row[GAP_WOMEN] == '\0';
    return gap_is_right(row[GAP_WOMEN], shown_median(result, education, "female", age),
                        shown_median(result, education, "male", age));
}

static enum cella_status wrong(char **row, const char *what, struct cella_error *error) {
    return cella_fail(error, CELLA_FAILED, "the result's %s of education %s, gender %s, age %s is wrong",
                      what, row[LABELS], row[LABELS + 1], row[LABELS + 2]);
}

static enum cella_status compare_shown(const struct result *result, char **row, double *values, size_t count,
                                       struct cella_error *error) {
    static const struct {
        size_t column;
        double share;
        const char *name;
    } quantiles[] = {{QUARTILE_1, 0.25, "first quartile"},
                     {MEDIAN, 0.5, "median"},
                     {QUARTILE_3, 0.75, "third quartile"},
                     {PERCENTILE_90, 0.9, "90th percentile"}};
    if (strtoul(row[PEOPLE], NULL, 10) != count)
        return wrong(row, "number of people", error);
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        if (!prints_as(quantile(values, count, quantiles[i].share), row[quantiles[i].column]))
            return wrong(row, quantiles[i].name, error);
    return gaps_are_right(result, row) ? CELLA_OK : wrong(row, "pay gap", error);
}

static bool has_figures(char **row) {
    for (size_t i = PEOPLE + 1; i < RESULT_COLUMNS; i++)
        if (*row[i] != '\0')
            return true;
    return false;
}

static enum cella_status compare_group(const struct result *result, char **row,
                                       const struct demo_people *people, double *values,
                                       struct demo_comparison *comparison, struct cella_error *error) {
    size_t count = 0, by_party[DEMO_PARTY_COUNT] = {0};
    for (size_t i = 0; i < people->count; i++) {
        const struct demo_person *person = &people->people[i];
        if (!in_group(person, row + LABELS))
            continue;
        values[count++] = person->earnings;
        by_party[person->party]++;
    }
    bool small = false;
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++)
        small = small || by_party[i] < LEAST_PEOPLE;
    comparison->small += small ? 1 : 0;
    if (strcmp(row[PEOPLE], "hidden") == 0) {
        comparison->hidden++;
        return has_figures(row) ? wrong(row, "hidden figure", error) : CELLA_OK;
    }
    if (small)
        return wrong(row, "small group", error);
    comparison->shown++;
    comparison->figures += 5u + (*row[GAP_TO_ALL] != '\0' ? 1 : 0) + (*row[GAP_WOMEN] != '\0' ? 1 : 0);
    return compare_shown(result, row, values, count, error);
}

static enum cella_status read_result(struct result *result, struct cella_error *error) {
    char *at = result->text;
    strsep(&at, "\n");
    for (char *line = strsep(&at, "\n"); line != NULL && *line != '\0'; line = strsep(&at, "\n")) {
        if (result->count == DEMO_GROUP_COUNT || !split(line, result->rows[result->count], RESULT_COLUMNS))
            return cella_fail(error, CELLA_FAILED, "line %zu of the result is not one", result->count + 2);
        char **row = result->rows[result->count++];
        for (size_t i = 0; i + 1 < result->count; i++)
            if (strcmp(result->rows[i][1], row[1]) == 0 && strcmp(result->rows[i][2], row[2]) == 0 &&
                strcmp(result->rows[i][3], row[3]) == 0)
                return wrong(row, "second row", error);
    }
    if (result->count != DEMO_GROUP_COUNT)
        return cella_fail(error, CELLA_FAILED, "the result has %zu groups, not %d", result->count,
                          DEMO_GROUP_COUNT);
    return CELLA_OK;
}

enum cella_status demo_compare(const char *text, const struct demo_people *people,
                               struct demo_comparison *ret_comparison, struct cella_error *error) {
    struct demo_comparison comparison = {.shown = 0};
    struct result *result = calloc(1, sizeof *result);
    double *values = calloc(people->count + 1, sizeof *values);
    char *copy = strdup(text);
    enum cella_status status = CELLA_OK;
    if (result == NULL || values == NULL || copy == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for the comparison");
    if (status == CELLA_OK) {
        result->text = copy;
        status = read_result(result, error);
    }
    for (size_t i = 0; status == CELLA_OK && i < result->count; i++)
        status = compare_group(result, result->rows[i], people, values, &comparison, error);
    if (status == CELLA_OK)
        *ret_comparison = comparison;
    free(copy);
    free(values);
    free(result);
    return status;
}
