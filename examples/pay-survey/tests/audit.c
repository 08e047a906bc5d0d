/* Elimination and a simplex method with Bland's rule, small enough to be read. */
#include "audit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TINY 1e-7

enum { COLUMNS = 2 * AUDIT_CELL_COUNT + 1 }; /* cells, artificial variables, right side */

struct audit {
    double row[AUDIT_CELL_COUNT][COLUMNS];
    size_t basic[AUDIT_CELL_COUNT];
    size_t rows;
    double echelon[AUDIT_CELL_COUNT][AUDIT_CELL_COUNT]; /* the span of what is published */
    size_t lead[AUDIT_CELL_COUNT];
};

static bool inside(struct survey_group cell, struct survey_group group) {
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if (cell.at[i] != group.at[i] && group.at[i] != survey_dimension_size(i))
            return false;
    return true;
}

/* The group as a sum of cells. */
static void indicator(size_t group, double out[AUDIT_CELL_COUNT]) {
    size_t cell = 0;
    for (uint8_t e = 0; e < SURVEY_EDUCATION_COUNT; e++)
        for (uint8_t g = 0; g < SURVEY_GENDER_COUNT; g++)
            for (uint8_t a = 0; a < SURVEY_AGE_COUNT; a++)
                out[cell++] = inside((struct survey_group){.at = {e, g, a}}, survey_group_at(group)) ? 1 : 0;
}

/* Subtracts the span; returns the first column that is left, or AUDIT_CELL_COUNT. */
static size_t reduce(const struct audit *audit, double vector[AUDIT_CELL_COUNT]) {
    for (size_t i = 0; i < audit->rows; i++) {
        double factor = vector[audit->lead[i]];
        for (size_t k = 0; k < AUDIT_CELL_COUNT && factor != 0; k++)
            vector[k] -= factor * audit->echelon[i][k];
    }
    size_t column = 0;
    while (column < AUDIT_CELL_COUNT && fabs(vector[column]) < TINY)
        column++;
    return column;
}

static void pivot(struct audit *audit, size_t row, size_t column) {
    double scale = audit->row[row][column];
    for (size_t k = 0; k < COLUMNS; k++)
        audit->row[row][k] /= scale;
    for (size_t i = 0; i < audit->rows; i++) {
        double factor = audit->row[i][column];
        if (i == row || factor == 0)
            continue;
        for (size_t k = 0; k < COLUMNS; k++)
            audit->row[i][k] -= factor * audit->row[row][k];
        audit->row[i][column] = 0;
    }
    audit->basic[row] = column;
}

/* Maximises; `columns` says how many variables may enter. Returns the maximum. */
static double maximise(struct audit *audit, const double *objective, size_t columns) {
    for (;;) {
        size_t enter = 0, leave = SIZE_MAX;
        for (; enter < columns; enter++) {
            double gain = objective[enter];
            for (size_t i = 0; i < audit->rows; i++)
                gain -= objective[audit->basic[i]] * audit->row[i][enter];
            if (gain > TINY)
                break;
        }
        if (enter == columns)
            break;
        double least = INFINITY;
        for (size_t i = 0; i < audit->rows; i++) {
            if (audit->row[i][enter] < TINY)
                continue;
            double ratio = audit->row[i][COLUMNS - 1] / audit->row[i][enter];
            if (ratio < least - TINY || (ratio < least + TINY && audit->basic[i] < audit->basic[leave])) {
                least = ratio < least ? ratio : least;
                leave = i;
            }
        }
        if (leave == SIZE_MAX)
            return INFINITY;
        pivot(audit, leave, enter);
    }
    double value = 0;
    for (size_t i = 0; i < audit->rows; i++)
        value += objective[audit->basic[i]] * audit->row[i][COLUMNS - 1];
    return value;
}

static void add_published(struct audit *audit, size_t group, uint32_t people) {
    double vector[AUDIT_CELL_COUNT];
    indicator(group, vector);
    size_t lead = reduce(audit, vector);
    if (lead == AUDIT_CELL_COUNT)
        return;
    size_t row = audit->rows++;
    for (size_t k = 0; k < AUDIT_CELL_COUNT; k++)
        audit->echelon[row][k] = vector[k] / vector[lead];
    audit->lead[row] = lead;
    indicator(group, audit->row[row]);
    audit->row[row][AUDIT_CELL_COUNT + row] = 1;
    audit->row[row][COLUMNS - 1] = people;
    audit->basic[row] = AUDIT_CELL_COUNT + row;
}

struct audit *audit_new(const uint32_t people[SURVEY_GROUP_COUNT], const bool hidden[SURVEY_GROUP_COUNT]) {
    struct audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL)
        abort();
    for (size_t i = SURVEY_GROUP_COUNT; i-- > 0;)
        if (!hidden[i])
            add_published(audit, i, people[i]);
    double objective[COLUMNS] = {0};
    for (size_t i = 0; i < audit->rows; i++)
        objective[AUDIT_CELL_COUNT + i] = -1;
    if (maximise(audit, objective, AUDIT_CELL_COUNT) < -1e-6)
        abort(); /* the true table is a solution */
    for (size_t i = 0; i < audit->rows; i++)
        for (size_t k = 0; k < AUDIT_CELL_COUNT && audit->basic[i] >= AUDIT_CELL_COUNT; k++)
            if (fabs(audit->row[i][k]) > TINY)
                pivot(audit, i, k);
    return audit;
}

void audit_free(struct audit *audit) {
    free(audit);
}

bool audit_is_sum_of_published(const struct audit *audit, size_t group) {
    double vector[AUDIT_CELL_COUNT];
    indicator(group, vector);
    return reduce(audit, vector) == AUDIT_CELL_COUNT;
}

void audit_range(struct audit *audit, size_t group, double *ret_low, double *ret_high) {
    double objective[COLUMNS] = {0};
    indicator(group, objective);
    *ret_high = maximise(audit, objective, AUDIT_CELL_COUNT);
    for (size_t i = 0; i < AUDIT_CELL_COUNT; i++)
        objective[i] = -objective[i];
    *ret_low = -maximise(audit, objective, AUDIT_CELL_COUNT);
}
