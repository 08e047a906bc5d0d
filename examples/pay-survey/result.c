/* From the four parties' rows to the text of the result. */
#include "result.h"
#include "suppression.h"
#include <stdlib.h>

struct table {
    struct survey_counts counts;
    bool hidden[SURVEY_GROUP_COUNT];
    struct survey_figures figures[SURVEY_GROUP_COUNT];
};

static uint32_t median_of(const struct table *table, size_t group) {
    return table->figures[group].tenths[SURVEY_MEDIAN];
}

/* A gap in percent with one decimal; empty if one of the groups is hidden or its median rounds to 0. */
static void write_gap(const struct table *table, size_t group, size_t reference, struct survey_text *text) {
    survey_text_add(text, ",");
    if (table->hidden[group] || table->hidden[reference] || median_of(table, reference) == 0)
        return;
    int32_t gap = survey_gap(median_of(table, group), median_of(table, reference));
    int32_t size = gap < 0 ? -gap : gap;
    survey_text_add(text, "%s%d.%d", gap < 0 ? "-" : "", size / 10, size % 10);
}

static void write_group(const struct table *table, const char *id, size_t index, struct survey_text *text) {
    struct survey_group group = survey_group_at(index);
    survey_text_add(text, "%s", id);
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        survey_text_add(text, ",%s", survey_class_name(i, group.at[i]));
    if (table->hidden[index]) {
        survey_text_add(text, ",hidden,,,,,,\n");
        return;
    }
    survey_text_add(text, ",%u", survey_people(&table->counts, index));
    for (size_t i = 0; i < SURVEY_QUANTILE_COUNT; i++) {
        uint32_t tenths = table->figures[index].tenths[i];
        survey_text_add(text, ",%u.%u", tenths / 10, tenths % 10);
    }
    write_gap(table, index, SURVEY_GROUP_COUNT - 1, text);
    if (survey_group_takes_all(group, 1)) {
        struct survey_group women = group, men = group;
        women.at[1] = SURVEY_FEMALE;
        men.at[1] = SURVEY_MALE;
        write_gap(table, survey_group_index(women), survey_group_index(men), text);
    } else {
        survey_text_add(text, ",");
    }
    survey_text_add(text, "\n");
}

enum cella_status survey_result_write(const char *id, const struct survey_rows parties[SURVEY_PARTY_COUNT],
                                      struct survey_text *text) {
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return CELLA_NO_MEMORY;
    survey_count(parties, &table->counts);
    survey_suppress(&table->counts, &survey_rules, table->hidden);
    enum cella_status status = survey_figures_compute(parties, table->hidden, table->figures);
    if (status == CELLA_OK) {
        survey_text_add(text, "%s\n", SURVEY_RESULT_HEADER);
        for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
            write_group(table, id, i, text);
    }
    free(table);
    return status;
}
