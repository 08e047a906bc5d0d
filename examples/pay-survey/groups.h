/* The groups that the survey knows: bands of education and age, gender, and every combination of them with
 * "all". Must not: know parties, pay or files. */
#ifndef PAY_SURVEY_GROUPS_H
#define PAY_SURVEY_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SURVEY_PARTY_COUNT = 4,
    SURVEY_EDUCATION_COUNT = 6,
    SURVEY_GENDER_COUNT = 2,
    SURVEY_AGE_COUNT = 5,
    SURVEY_DIMENSION_COUNT = 3, /* education, gender, age: dimensions 0, 1, 2 */
    SURVEY_GROUP_COUNT = (SURVEY_EDUCATION_COUNT + 1) * (SURVEY_GENDER_COUNT + 1) * (SURVEY_AGE_COUNT + 1),
};
enum { SURVEY_MALE = 0, SURVEY_FEMALE = 1 };

/* One coordinate per dimension: 0 to survey_dimension_size - 1, or survey_dimension_size for "all". */
struct survey_group {
    uint8_t at[SURVEY_DIMENSION_COUNT];
};

/* Number of classes of a dimension, without "all". */
uint8_t survey_dimension_size(size_t dimension);

/* Groups are numbered 0 to SURVEY_GROUP_COUNT - 1; the last one is everybody. */
size_t survey_group_index(struct survey_group group);
struct survey_group survey_group_at(size_t index);

/* True if the group takes in all classes of the dimension. */
bool survey_group_takes_all(struct survey_group group, size_t dimension);

/* The dimension's column name, and the name of a class ("16-17", "female", "60-64", "all"). Never NULL. */
const char *survey_dimension_name(size_t dimension);
const char *survey_class_name(size_t dimension, uint8_t at);

/* The bands of 6 to 20 years of education and of 21 to 64 years of age; false outside. */
bool survey_education_band(unsigned years, uint8_t *ret_band);
bool survey_age_band(unsigned years, uint8_t *ret_band);

#endif
