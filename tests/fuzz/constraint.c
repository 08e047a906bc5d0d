/* Constraint lines: what is accepted prints, and the print parses to the same. */
#include "base/error.h"
#include <cella/constraint.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_constraint constraint;
    struct cella_constraint again;
    struct cella_error error;
    struct cella_rule rules[CELLA_RULES_MAX];
    char text[CELLA_CONSTRAINT_LINE_MAX];
    memset(&constraint, 0, sizeof constraint);
    memset(&again, 0, sizeof again);
    if (cella_constraint_parse(CELLA_BYTES(data, size), &constraint, &error) != CELLA_OK)
        return 0;
    CELLA_ASSERT(cella_constraint_print(&constraint, text, sizeof text) == CELLA_OK);
    CELLA_ASSERT(cella_constraint_parse(CELLA_BYTES(text, strlen(text)), &again, &error) == CELLA_OK);
    CELLA_ASSERT(again.code_count == constraint.code_count && again.level == constraint.level);
    CELLA_ASSERT(memcmp(again.codes, constraint.codes, sizeof again.codes) == 0);
    CELLA_ASSERT(memcmp(again.signers, constraint.signers, sizeof again.signers) == 0);
    struct cella_identity identity = {.code_hash = constraint.codes[0], .level = CELLA_LEVEL_STALE};
    size_t count = cella_constraint_explain(&constraint, &identity, INT64_MAX, rules);
    CELLA_ASSERT(count >= 2 && count <= CELLA_RULES_MAX);
    return 0;
}
