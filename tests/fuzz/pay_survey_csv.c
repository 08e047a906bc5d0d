/* Fuzz target: a party's file. What is accepted has values in range only; what is refused names a row. */
#include "csv.h"
#include "groups.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct survey_rows rows = {.rows = NULL};
    struct survey_csv_report report;
    enum cella_status status = survey_csv_parse(CELLA_BYTES(data, size), &rows, &report);
    if (status == CELLA_DAMAGED && (report.count == 0 || report.problems[0].row == 0 || rows.rows != NULL))
        __builtin_trap();
    if (rows.rows == NULL && rows.count > 0)
        __builtin_trap();
    for (size_t i = 0; i < rows.count; i++) {
        const struct survey_row *row = &rows.rows[i];
        if (row->pay == 0 || row->pay > (uint64_t)SURVEY_CSV_MAX_EARNINGS * SURVEY_MICRO ||
            row->education >= SURVEY_EDUCATION_COUNT || row->gender >= SURVEY_GENDER_COUNT ||
            row->age >= SURVEY_AGE_COUNT)
            __builtin_trap();
    }
    survey_rows_free(&rows);
    return 0;
}
