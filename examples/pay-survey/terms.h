/* What all parties agree to before anyone sends: survey id, the four parties and their keys, and the rules.
 * In the enclave it comes from the measured settings; a client compares it with its own copy byte for byte.
 * Must not: take anything from the host. */
#ifndef PAY_SURVEY_TERMS_H
#define PAY_SURVEY_TERMS_H

#include "groups.h"
#include "text.h"
#include <cella/status.h>

enum {
    SURVEY_KEY_SIZE = 32,
    SURVEY_ID_LIMIT = 64,
    SURVEY_NAME_LIMIT = 32,
    SURVEY_TERMS_LIMIT = 2048, /* room for the text of any terms, with its terminator */
};

struct survey_party {
    char name[SURVEY_NAME_LIMIT + 1];
    uint8_t key[SURVEY_KEY_SIZE]; /* static X25519 public key */
};

/* A plain value. */
struct survey_terms {
    char id[SURVEY_ID_LIMIT + 1];
    struct survey_party parties[SURVEY_PARTY_COUNT];
};

/* Sets id and one party; names and ids are letters, digits and '-', a key is 64 hex digits. CELLA_ARGUMENT.
 */
enum cella_status survey_terms_set_id(struct survey_terms *terms, const char *id);
enum cella_status survey_terms_set_party(struct survey_terms *terms, size_t party, const char *name,
                                         const char *key);

/* Names and keys must be four different ones. CELLA_ARGUMENT. */
enum cella_status survey_terms_check(const struct survey_terms *terms);

/* Reads survey.id, party.1.name, party.1.key … party.4.key through `setting`, which returns NULL for what is
 * missing, and checks them. CELLA_ARGUMENT: one is missing or wrong. */
enum cella_status survey_terms_from_settings(const char *(*setting)(const char *key),
                                             struct survey_terms *ret_terms);

/* The text that clients compare (formats/pay-survey.md). SURVEY_TERMS_LIMIT bytes always suffice. */
void survey_terms_write(const struct survey_terms *terms, struct survey_text *text);

/* The party that has this key; false if none has. */
bool survey_terms_find(const struct survey_terms *terms, const uint8_t key[SURVEY_KEY_SIZE],
                       size_t *ret_party);

#endif
