/* How verdicts and attestations are shown: to a person and as JSON. */
#ifndef CELLA_CLI_ATTEST_PRINT_H
#define CELLA_CLI_ATTEST_PRINT_H

#include "attest/attestation.h"
#include <jansson.h>

/* A verdict as JSON; the caller owns the reference. */
json_t *cli_verdict_json(const struct cella_verdict *verdict);
/* The same to stdout, one fact a line. */
void cli_verdict_print(const struct cella_verdict *verdict);

/* What an attestation contains before anything is verified. */
json_t *cli_attestation_json(const struct cella_attestation *attestation);
void cli_attestation_print(const struct cella_attestation *attestation);

/* Rules of a constraint. `checked`: an identity was compared. */
json_t *cli_rules_json(const struct cella_rule *rules, size_t count, bool checked);
void cli_rules_print(const struct cella_rule *rules, size_t count, bool checked);

/* Prints the value as indented JSON and drops the reference. */
void cli_json_print(json_t *value);

#endif
