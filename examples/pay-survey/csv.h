/* Reads one party's file: strict CSV of one schema. Names row and column of what is wrong.
 * Must not: accept a file in part, or guess what a value may have meant. */
#ifndef PAY_SURVEY_CSV_H
#define PAY_SURVEY_CSV_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdint.h>

#define SURVEY_CSV_HEADER        "earnings,gender,age,education"
#define SURVEY_CSV_PROBLEM_COUNT 10
#define SURVEY_CSV_MAX_ROWS      250000u
#define SURVEY_CSV_MAX_EARNINGS  10000u /* dollars an hour */
#define SURVEY_MICRO             1000000u

/* One person. Pay is in millionths of a dollar an hour, above 0. Bands as in groups.h. */
struct survey_row {
    uint64_t pay;
    uint8_t education, gender, age;
};

/* Rows in memory from malloc; survey_rows_free wipes and frees them. */
struct survey_rows {
    struct survey_row *rows;
    size_t count;
};

/* What is wrong with one value. Rows count as in a spreadsheet: the header is row 1. `column` is "" where
 * the whole row is wrong. The text quotes at most 24 printable characters of the value. */
struct survey_csv_problem {
    size_t row;
    const char *column;
    char message[112];
};

/* The first problems of a file, and how many there are in all. */
struct survey_csv_report {
    struct survey_csv_problem problems[SURVEY_CSV_PROBLEM_COUNT];
    size_t count;
};

/* Parses a whole file: the header line SURVEY_CSV_HEADER, then one line per person, lines ended by LF or
 * CR LF, the last end optional, no quotes, no blanks, no empty line. earnings: digits, at most one point, at
 * most 20 characters, above 0 and at most SURVEY_CSV_MAX_EARNINGS, rounded half up to a millionth; gender:
 * male or female; age: 21 to 64; education: 6 to 20 years.
 * CELLA_DAMAGED: `ret_report` says where and why, and there are no rows. CELLA_NO_MEMORY. */
enum cella_status survey_csv_parse(struct cella_bytes text, struct survey_rows *ret_rows,
                                   struct survey_csv_report *ret_report);

void survey_rows_free(struct survey_rows *rows);

#endif
