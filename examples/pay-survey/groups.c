/* Bands, names and numbering of groups. */
#include "groups.h"

#define LONGEST (SURVEY_EDUCATION_COUNT + 1)

static const struct {
    const char *name;
    uint8_t size;
    const char *classes[LONGEST];
} dimensions[SURVEY_DIMENSION_COUNT] = {
    {"education", SURVEY_EDUCATION_COUNT, {"6-8", "9-11", "12", "13-15", "16-17", "18-20", "all"}},
    {"gender", SURVEY_GENDER_COUNT, {"male", "female", "all"}},
    {"age", SURVEY_AGE_COUNT, {"21-29", "30-39", "40-49", "50-59", "60-64", "all"}},
};

/* First value of each band, then the first value past the last band. */
static const uint8_t education_starts[SURVEY_EDUCATION_COUNT + 1] = {6, 9, 12, 13, 16, 18, 21};
static const uint8_t age_starts[SURVEY_AGE_COUNT + 1] = {21, 30, 40, 50, 60, 65};

uint8_t survey_dimension_size(size_t dimension) {
    return dimensions[dimension].size;
}

size_t survey_group_index(struct survey_group group) {
    size_t index = 0;
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        index = index * (dimensions[i].size + 1u) + group.at[i];
    return index;
}

struct survey_group survey_group_at(size_t index) {
    struct survey_group group;
    for (size_t i = SURVEY_DIMENSION_COUNT; i-- > 0;) {
        group.at[i] = (uint8_t)(index % (dimensions[i].size + 1u));
        index /= dimensions[i].size + 1u;
    }
    return group;
}

bool survey_group_takes_all(struct survey_group group, size_t dimension) {
    return group.at[dimension] == dimensions[dimension].size;
}

const char *survey_dimension_name(size_t dimension) {
    return dimensions[dimension].name;
}

const char *survey_class_name(size_t dimension, uint8_t at) {
    return at <= dimensions[dimension].size ? dimensions[dimension].classes[at] : "?";
}

static bool band(const uint8_t *starts, uint8_t count, unsigned value, uint8_t *ret_band) {
    if (value < starts[0] || value >= starts[count])
        return false;
    uint8_t found = 0;
    while (value >= starts[found + 1])
        found++;
    *ret_band = found;
    return true;
}

bool survey_education_band(unsigned years, uint8_t *ret_band) {
    return band(education_starts, SURVEY_EDUCATION_COUNT, years, ret_band);
}

bool survey_age_band(unsigned years, uint8_t *ret_band) {
    return band(age_starts, SURVEY_AGE_COUNT, years, ret_band);
}
