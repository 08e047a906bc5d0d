/* The agreement of the four parties. */
#include "terms.h"
#include "csv.h"
#include "suppression.h"
#include <stdio.h>
#include <string.h>

/* Copies a name of letters, digits and '-' that fits. */
static enum cella_status copy_name(char *out, size_t limit, const char *name) {
    size_t size = strnlen(name, limit + 1);
    if (size == 0 || size > limit)
        return CELLA_ARGUMENT;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-')
            return CELLA_ARGUMENT;
    }
    memcpy(out, name, size + 1);
    return CELLA_OK;
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum cella_status read_key(const char *text, uint8_t out[SURVEY_KEY_SIZE]) {
    uint8_t key[SURVEY_KEY_SIZE];
    if (strnlen(text, 2 * SURVEY_KEY_SIZE + 1) != 2 * SURVEY_KEY_SIZE)
        return CELLA_ARGUMENT;
    for (size_t i = 0; i < SURVEY_KEY_SIZE; i++) {
        int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return CELLA_ARGUMENT;
        key[i] = (uint8_t)(high * 16 + low);
    }
    memcpy(out, key, sizeof key);
    return CELLA_OK;
}

enum cella_status survey_terms_set_id(struct survey_terms *terms, const char *id) {
    return id == NULL ? CELLA_ARGUMENT : copy_name(terms->id, SURVEY_ID_LIMIT, id);
}

enum cella_status survey_terms_set_party(struct survey_terms *terms, size_t party, const char *name,
                                         const char *key) {
    if (party >= SURVEY_PARTY_COUNT || name == NULL || key == NULL)
        return CELLA_ARGUMENT;
    enum cella_status status = copy_name(terms->parties[party].name, SURVEY_NAME_LIMIT, name);
    return status != CELLA_OK ? status : read_key(key, terms->parties[party].key);
}

enum cella_status survey_terms_check(const struct survey_terms *terms) {
    if (terms->id[0] == '\0')
        return CELLA_ARGUMENT;
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        if (terms->parties[i].name[0] == '\0')
            return CELLA_ARGUMENT;
        for (size_t k = 0; k < i; k++)
            if (strcmp(terms->parties[i].name, terms->parties[k].name) == 0 ||
                memcmp(terms->parties[i].key, terms->parties[k].key, SURVEY_KEY_SIZE) == 0)
                return CELLA_ARGUMENT;
    }
    return CELLA_OK;
}

enum cella_status survey_terms_from_settings(const char *(*setting)(const char *key),
                                             struct survey_terms *ret_terms) {
    struct survey_terms terms = {.id = ""};
    enum cella_status status = survey_terms_set_id(&terms, setting("survey.id"));
    for (size_t i = 0; i < SURVEY_PARTY_COUNT && status == CELLA_OK; i++) {
        char name[16], key[16];
        snprintf(name, sizeof name, "party.%zu.name", i + 1);
        snprintf(key, sizeof key, "party.%zu.key", i + 1);
        status = survey_terms_set_party(&terms, i, setting(name), setting(key));
    }
    if (status == CELLA_OK)
        status = survey_terms_check(&terms);
    if (status == CELLA_OK)
        *ret_terms = terms;
    return status;
}

static void write_bands(struct survey_text *text, size_t dimension) {
    survey_text_add(text, "%s", survey_dimension_name(dimension));
    for (uint8_t i = 0; i < survey_dimension_size(dimension); i++)
        survey_text_add(text, " %s", survey_class_name(dimension, i));
    survey_text_add(text, "\n");
}

void survey_terms_write(const struct survey_terms *terms, struct survey_text *text) {
    survey_text_add(text, "cella-pay-survey-terms 1\nsurvey %s\n", terms->id);
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        survey_text_add(text, "party %zu %s ", i + 1, terms->parties[i].name);
        for (size_t k = 0; k < SURVEY_KEY_SIZE; k++)
            survey_text_add(text, "%02x", terms->parties[i].key[k]);
        survey_text_add(text, "\n");
    }
    survey_text_add(text, "columns %s\n", SURVEY_CSV_HEADER);
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        write_bands(text, i);
    survey_text_add(text, "quantiles");
    for (size_t i = 0; i < SURVEY_QUANTILE_COUNT; i++)
        survey_text_add(text, " %u", survey_quantiles[i]);
    survey_text_add(text, "\nrounding 0.1\ngroup-minimum %u\nparty-minimum %u\nprotection %u\n",
                    survey_rules.group_minimum, survey_rules.party_minimum, survey_rules.protection);
    survey_text_add(text, "files-per-party 1\nresults 1\n");
}

bool survey_terms_find(const struct survey_terms *terms, const uint8_t key[SURVEY_KEY_SIZE],
                       size_t *ret_party) {
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        if (memcmp(terms->parties[i].key, key, SURVEY_KEY_SIZE) != 0)
            continue;
        *ret_party = i;
        return true;
    }
    return false;
}
