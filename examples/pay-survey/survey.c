/* The survey's rules on who may do what, and when. */
#include "survey.h"
#include "result.h"
#include "suppression.h"
#include <stdlib.h>
#include <string.h>

enum cella_status survey_init(struct survey *survey, const char *(*setting)(const char *key)) {
    *survey = (struct survey){.result = NULL};
    return survey_terms_from_settings(setting, &survey->terms);
}

static void forget_files(struct survey *survey) {
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++)
        survey_rows_free(&survey->files[i]);
}

size_t survey_file_count(const struct survey *survey) {
    size_t count = 0;
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++)
        count += survey->received[i] ? 1 : 0;
    return count;
}

static void describe(const struct survey_csv_report *report, struct survey_text *reply) {
    size_t shown = report->count < SURVEY_CSV_PROBLEM_COUNT ? report->count : SURVEY_CSV_PROBLEM_COUNT;
    survey_text_add(reply, "refused\n");
    for (size_t i = 0; i < shown; i++) {
        const struct survey_csv_problem *problem = &report->problems[i];
        survey_text_add(reply, "row %zu", problem->row);
        if (problem->column[0] != '\0')
            survey_text_add(reply, ", column %s", problem->column);
        survey_text_add(reply, ": %s\n", problem->message);
    }
    if (report->count > shown)
        survey_text_add(reply, "and %zu more\n", report->count - shown);
    survey_text_add(reply, "nothing of this file counts\n");
}

/* The result of the files that are in and the one of `change`. */
static enum cella_status make_result(const struct survey *survey, struct survey_change *change) {
    struct survey_rows files[SURVEY_PARTY_COUNT];
    memcpy(files, survey->files, sizeof files);
    files[change->party] = change->rows;
    char *result = malloc(SURVEY_RESULT_LIMIT);
    if (result == NULL)
        return CELLA_NO_MEMORY;
    struct survey_text text;
    survey_text_init(&text, result, SURVEY_RESULT_LIMIT);
    enum cella_status status = survey_result_write(survey->terms.id, files, &text);
    if (status == CELLA_OK && text.failed)
        status = CELLA_INTERNAL;
    if (status != CELLA_OK) {
        free(result);
        return status;
    }
    change->result = result;
    change->result_size = text.size;
    return CELLA_OK;
}

static enum cella_status read_file(struct cella_bytes file, struct survey_rows *ret_rows,
                                   struct survey_text *reply) {
    struct survey_csv_report report;
    enum cella_status status = survey_csv_parse(file, ret_rows, &report);
    if (status == CELLA_DAMAGED)
        describe(&report, reply);
    if (status != CELLA_OK || ret_rows->count >= survey_rules.party_minimum)
        return status;
    survey_text_add(reply,
                    "refused\nthe file has %zu people; %u are the least\nnothing of this file counts\n",
                    ret_rows->count, survey_rules.party_minimum);
    survey_rows_free(ret_rows);
    return CELLA_DAMAGED;
}

enum cella_status survey_prepare_file(const struct survey *survey, size_t party, struct cella_bytes file,
                                      struct survey_change *ret_change, struct survey_text *reply) {
    if (survey->received[party]) {
        survey_text_add(reply, "refused\na file of %s is in already; a file cannot be replaced\n",
                        survey->terms.parties[party].name);
        return CELLA_EXISTS;
    }
    struct survey_change change = {.party = party};
    size_t files = survey_file_count(survey) + 1;
    enum cella_status status = read_file(file, &change.rows, reply);
    if (status == CELLA_OK && files == SURVEY_PARTY_COUNT)
        status = make_result(survey, &change);
    if (status != CELLA_OK) {
        survey_change_free(&change);
        return status;
    }
    survey_text_add(reply, "accepted\npeople %zu\nfiles %zu of %d\n", change.rows.count, files,
                    SURVEY_PARTY_COUNT);
    *ret_change = change;
    return CELLA_OK;
}

void survey_commit(struct survey *survey, struct survey_change *change) {
    survey->received[change->party] = true;
    survey->files[change->party] = change->rows;
    if (change->result != NULL) {
        survey->result = change->result;
        survey->result_size = change->result_size;
        forget_files(survey);
    }
    *change = (struct survey_change){.result = NULL};
}

static void free_result(char *result, size_t size) {
    if (result != NULL)
        explicit_bzero(result, size);
    free(result);
}

void survey_change_free(struct survey_change *change) {
    survey_rows_free(&change->rows);
    free_result(change->result, change->result_size);
    *change = (struct survey_change){.result = NULL};
}

void survey_deinit(struct survey *survey) {
    forget_files(survey);
    free_result(survey->result, survey->result_size);
    *survey = (struct survey){.result = NULL};
}

enum cella_status survey_result(const struct survey *survey, struct cella_bytes *ret_result,
                                struct survey_text *reply) {
    if (survey->result == NULL) {
        survey_text_add(reply, "not-yet\nfiles %zu of %d\n", survey_file_count(survey), SURVEY_PARTY_COUNT);
        return CELLA_NOT_STARTED;
    }
    *ret_result = CELLA_BYTES(survey->result, survey->result_size);
    return CELLA_OK;
}
