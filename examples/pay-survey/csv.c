/* Strict parser of one party's file. Every byte is either part of a valid value or part of a named problem.
 */
#include "csv.h"
#include "groups.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_COUNT 4
#define QUOTED_SIZE  25

struct field {
    const char *data;
    size_t size;
};

struct parser {
    const char *at, *end;
    size_t row; /* of the line last taken */
    struct survey_csv_report *report;
};

__attribute__((format(printf, 3, 4))) static void problem(struct parser *parser, const char *column,
                                                          const char *format, ...) {
    struct survey_csv_report *report = parser->report;
    if (report->count++ >= SURVEY_CSV_PROBLEM_COUNT)
        return;
    struct survey_csv_problem *entry = &report->problems[report->count - 1];
    entry->row = parser->row;
    entry->column = column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(entry->message, sizeof entry->message, format, arguments);
    va_end(arguments);
}

/* A short printable picture of a value, for a message. */
static const char *quoted(struct field field, char out[QUOTED_SIZE]) {
    size_t size = field.size < QUOTED_SIZE - 1 ? field.size : QUOTED_SIZE - 1;
    for (size_t i = 0; i < size; i++)
        out[i] = field.data[i] >= ' ' && field.data[i] <= '~' ? field.data[i] : '?';
    out[size] = '\0';
    return out;
}

/* The next line without its end; false at the end of the text. */
static bool next_line(struct parser *parser, struct field *ret_line) {
    if (parser->at == parser->end)
        return false;
    size_t left = (size_t)(parser->end - parser->at);
    const char *newline = memchr(parser->at, '\n', left);
    size_t size = newline != NULL ? (size_t)(newline - parser->at) : left;
    *ret_line = (struct field){.data = parser->at, .size = size};
    parser->at += newline != NULL ? size + 1 : size;
    if (newline != NULL && size > 0 && ret_line->data[size - 1] == '\r')
        ret_line->size--;
    parser->row++;
    return true;
}

/* Splits at commas; returns the number of fields, also beyond COLUMN_COUNT. */
static size_t split(struct field line, struct field fields[COLUMN_COUNT]) {
    size_t count = 0, start = 0;
    for (size_t i = 0; i <= line.size; i++) {
        if (i < line.size && line.data[i] != ',')
            continue;
        if (count < COLUMN_COUNT)
            fields[count] = (struct field){.data = line.data + start, .size = i - start};
        count++;
        start = i + 1;
    }
    return count;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* At most three digits and nothing else. */
static bool small_number(struct field field, unsigned *ret_value) {
    if (field.size < 1 || field.size > 3)
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < field.size; i++) {
        if (!is_digit(field.data[i]))
            return false;
        value = value * 10 + (unsigned)(field.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

/* Digits with at most one point, to millionths. Twenty characters cannot overflow: whole digits stop at the
 * largest amount, fraction digits beyond the seventh are dropped. */
static bool amount(struct field field, uint64_t *ret_micro) {
    if (field.size < 1 || field.size > 20 || !is_digit(field.data[0]) ||
        !is_digit(field.data[field.size - 1]))
        return false;
    size_t i = 0;
    uint64_t value = 0;
    for (; i < field.size && is_digit(field.data[i]); i++) {
        value = value * 10 + (uint64_t)(field.data[i] - '0');
        if (value > SURVEY_CSV_MAX_EARNINGS)
            return false;
    }
    unsigned digits = 0;
    bool round_up = false;
    if (i < field.size && field.data[i++] != '.')
        return false;
    for (; i < field.size; i++) {
        if (!is_digit(field.data[i]))
            return false;
        if (digits < 6)
            value = value * 10 + (uint64_t)(field.data[i] - '0');
        else if (digits == 6)
            round_up = field.data[i] >= '5';
        digits++;
    }
    for (; digits < 6; digits++)
        value *= 10;
    value += round_up ? 1 : 0;
    if (value == 0 || value > (uint64_t)SURVEY_CSV_MAX_EARNINGS * SURVEY_MICRO)
        return false;
    *ret_micro = value;
    return true;
}

static bool equals(struct field field, const char *text) {
    return field.size == strlen(text) && memcmp(field.data, text, field.size) == 0;
}

/* Checks one value; each bad one is a problem of its own. */
static void parse_value(struct parser *parser, size_t column, struct field field, struct survey_row *row) {
    char shown[QUOTED_SIZE];
    unsigned years = 0;
    switch (column) {
    case 0:
        if (!amount(field, &row->pay))
            problem(parser, "earnings", "\"%s\" is not an amount above 0 and up to %u, such as 17.25",
                    quoted(field, shown), SURVEY_CSV_MAX_EARNINGS);
        break;
    case 1:
        if (equals(field, "male"))
            row->gender = SURVEY_MALE;
        else if (equals(field, "female"))
            row->gender = SURVEY_FEMALE;
        else
            problem(parser, "gender", "\"%s\" is neither male nor female", quoted(field, shown));
        break;
    case 2:
        if (!small_number(field, &years) || !survey_age_band(years, &row->age))
            problem(parser, "age", "\"%s\" is not a whole number from 21 to 64", quoted(field, shown));
        break;
    default:
        if (!small_number(field, &years) || !survey_education_band(years, &row->education))
            problem(parser, "education", "\"%s\" is not a whole number from 6 to 20", quoted(field, shown));
        break;
    }
}

static void parse_row(struct parser *parser, struct field line, struct survey_row *row) {
    struct field fields[COLUMN_COUNT];
    *row = (struct survey_row){0};
    if (line.size == 0) {
        problem(parser, "", "the row is empty");
        return;
    }
    size_t count = split(line, fields);
    if (count != COLUMN_COUNT) {
        problem(parser, "", "%zu values where the header names %d", count, COLUMN_COUNT);
        return;
    }
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        parse_value(parser, i, fields[i], row);
}

static size_t count_lines(struct cella_bytes text) {
    size_t count = text.size > 0 && text.data[text.size - 1] != '\n' ? 1 : 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n' ? 1 : 0;
    return count;
}

enum cella_status survey_csv_parse(struct cella_bytes text, struct survey_rows *ret_rows,
                                   struct survey_csv_report *ret_report) {
    *ret_report = (struct survey_csv_report){.count = 0};
    const char *start = text.size > 0 ? (const char *)text.data : "";
    struct parser parser = {.at = start, .end = start + text.size, .report = ret_report};
    struct field line;
    size_t lines = count_lines(text);
    if (!next_line(&parser, &line) || !equals(line, SURVEY_CSV_HEADER)) {
        parser.row = 1;
        problem(&parser, "", "the header must be %s", SURVEY_CSV_HEADER);
        return CELLA_DAMAGED;
    }
    if (lines < 2 || lines - 1 > SURVEY_CSV_MAX_ROWS) {
        parser.row = lines;
        problem(&parser, "", "the file has %zu people; 1 to %u are allowed", lines - 1, SURVEY_CSV_MAX_ROWS);
        return CELLA_DAMAGED;
    }
    struct survey_rows rows = {.rows = calloc(lines - 1, sizeof *rows.rows)};
    if (rows.rows == NULL)
        return CELLA_NO_MEMORY;
    while (next_line(&parser, &line))
        parse_row(&parser, line, &rows.rows[rows.count++]);
    if (ret_report->count > 0) {
        survey_rows_free(&rows);
        return CELLA_DAMAGED;
    }
    *ret_rows = rows;
    return CELLA_OK;
}

void survey_rows_free(struct survey_rows *rows) {
    if (rows == NULL)
        return;
    if (rows->rows != NULL)
        explicit_bzero(rows->rows, rows->count * sizeof *rows->rows);
    free(rows->rows);
    *rows = (struct survey_rows){.rows = NULL};
}
