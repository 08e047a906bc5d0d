/* What the verbs attest and constraint share: reading their options and attestation files. */
#ifndef CELLA_CLI_ATTEST_INPUT_H
#define CELLA_CLI_ATTEST_INPUT_H

#include <cella/verify.h>

#define CLI_ROOTS_MAX 8

/* Everything that verification is told on the command line. Owns the roots and the attestation's bytes. */
struct cli_verification {
    struct cella_verify_options options;
    struct cella_constraint constraint;
    struct cella_verify_root roots[CLI_ROOTS_MAX];
    uint8_t nonce[CELLA_NONCE_SIZE];
    uint8_t *attestation;
    size_t attestation_size;
};

void cli_verification_deinit(struct cli_verification *verification);

/* Each takes one option's value; on failure `error` says what is wrong with it. */
enum cella_status cli_read_constraint(const char *text, struct cli_verification *verification,
                                      struct cella_error *error);
enum cella_status cli_read_at(const char *text, struct cli_verification *verification,
                              struct cella_error *error);
enum cella_status cli_read_nonce(const char *text, struct cli_verification *verification,
                                 struct cella_error *error);
enum cella_status cli_read_floor(const char *text, struct cli_verification *verification,
                                 struct cella_error *error);
enum cella_status cli_read_may_miss(const char *text, struct cli_verification *verification,
                                    struct cella_error *error);
enum cella_status cli_read_root(const char *path, bool vouched, struct cli_verification *verification,
                                struct cella_error *error);

/* Reads an attestation file, binary or base64 text. */
enum cella_status cli_read_attestation(const char *path, struct cli_verification *verification,
                                       struct cella_error *error);

/* The part `cella attest fetch`: argv[0] is its name. */
int cli_attest_fetch(int argc, char **argv);

/* The time now, for verifications that name none. */
int64_t cli_now(void);

#endif
