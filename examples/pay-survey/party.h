/* A party's side of the survey: what its program does so that its file goes to the agreed survey, and once.
 * Must not: send a file before the terms were read from the enclave and found equal to the agreed ones, or
 * send a second one for the same survey id. */
#ifndef PAY_SURVEY_PARTY_H
#define PAY_SURVEY_PARTY_H

#include <cella/client.h>

enum party_outcome {
    PARTY_OK,
    PARTY_TROUBLE,      /* no answer, or the enclave is refused: `error` says what */
    PARTY_CONSTRAINT,   /* the constraint does not name exactly one code hash */
    PARTY_TERMS_DIFFER, /* the enclave runs another survey than the agreed one */
    PARTY_SENT_BEFORE,  /* a file went out for this survey id; another one needs a new survey */
    PARTY_FILE_REFUSED, /* the enclave's words name row and column; the file may be corrected and sent */
    PARTY_NOT_YET,      /* files of others are missing */
};

/* Terms are compared on one instance, and a file might go to the next one after a restart. A constraint with
 * one code hash and no signer makes both run the same code with the same measured terms. */
enum party_outcome party_check_constraint(const char *constraint, struct cella_error *error);

/* Asks for the terms and compares them with `agreed`, byte for byte; `error` quotes the first line that
 * differs. */
enum party_outcome party_check_terms(struct cella_client *client, const char *agreed,
                                     struct cella_error *error);

/* Checks the terms, notes in the new file `mark_path` that this survey's file leaves, and sends it. The mark
 * stays whatever happens then, unless the enclave itself says that the file does not count. `*ret_words` (the
 * enclave's words, with PARTY_OK and PARTY_FILE_REFUSED) is from malloc. */
enum party_outcome party_send(struct cella_client *client, const char *agreed, const char *mark_path,
                              struct cella_bytes file, char **ret_words, struct cella_error *error);

/* Waits up to `wait_ms` for the result to be posted, then asks for it; `*ret_posted` (may be NULL) says
 * which.
 * `*ret_result` (with PARTY_OK) is text from malloc. */
enum party_outcome party_result(struct cella_client *client, unsigned wait_ms, char **ret_result,
                                bool *ret_posted, struct cella_error *error);

#endif
