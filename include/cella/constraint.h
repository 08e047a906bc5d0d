/* The constraint: one line of text that says which instances are acceptable, for example
 *   S:<64 hex digits> PROD:10 REVOKE:2 SEC:SECURE EXPIRE:P6M
 * Knows no clock: the caller says what time it is. formats/constraint.md has the grammar. */
#ifndef CELLA_CONSTRAINT_H
#define CELLA_CONSTRAINT_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>

/* How far an instance can be trusted, worst first: larger is better. */
enum cella_level {
    CELLA_LEVEL_INSECURE =
        1,                  /* simulated, debug, or under a root that nobody vouched for: protects nothing */
    CELLA_LEVEL_STALE = 2,  /* genuine, but the platform lacks updates or settings that its vendor asks for */
    CELLA_LEVEL_SECURE = 3, /* genuine and current */
};

/* "INSECURE", "STALE", "SECURE"; "UNKNOWN" for any other number. */
const char *cella_level_name(enum cella_level level);

#define CELLA_MEASUREMENT_SIZE_MAX 64

/* A measurement or signer: 32 bytes for SGX, up to 64 for other machines; unused bytes are zero. Size 0: the
 * machine has none. */
struct cella_measurement {
    uint8_t size;
    uint8_t bytes[CELLA_MEASUREMENT_SIZE_MAX];
};

/* What a verification found, and what constraints are checked against. Fill one only from verified data. */
struct cella_identity {
    struct cella_measurement code_hash;
    struct cella_measurement code_signer;
    uint16_t product_id;
    uint16_t security_version;
    enum cella_level level;
    int64_t time; /* the attestation's time, Unix seconds */
};

/* An ISO 8601 period of years, months, weeks and days. */
struct cella_period {
    uint32_t years;
    uint32_t months;
    uint32_t weeks;
    uint32_t days;
};

#define CELLA_CONSTRAINT_HASHES_MAX 32
/* Longest line that is read, and room for any canonical text with its terminator. */
#define CELLA_CONSTRAINT_LINE_MAX 16384

/* A parsed constraint. A plain value: copy it, keep it, no clean-up. Hashes are sorted and without
 * duplicates, so that lines with the same meaning give the same constraint and the same canonical text. */
struct cella_constraint {
    size_t code_count;
    size_t signer_count;
    struct cella_measurement codes[CELLA_CONSTRAINT_HASHES_MAX];
    struct cella_measurement signers[CELLA_CONSTRAINT_HASHES_MAX];
    bool has_product_id;
    bool has_revoke;
    bool has_expire;
    uint16_t product_id;
    uint32_t revoke;
    struct cella_period expire;
    enum cella_level level; /* STALE unless SEC says otherwise */
};

/* Parses one line (no terminator needed).
 * CELLA_CONSTRAINT_SYNTAX: a token is wrong; the message names it. CELLA_CONSTRAINT_INCOMPLETE: the line
 * accepts nothing, or a signer without a product id, or the reverse. CELLA_LIMIT: the line is longer than
 * CELLA_CONSTRAINT_LINE_MAX or has more than CELLA_CONSTRAINT_HASHES_MAX codes or signers. */
enum cella_status cella_constraint_parse(struct cella_bytes line, struct cella_constraint *ret_constraint,
                                         struct cella_error *error);

/* Writes the canonical text with a terminator: C…, S…, PROD, REVOKE, EXPIRE, SEC. It parses to an equal
 * constraint. CELLA_TOO_SMALL; CELLA_CONSTRAINT_LINE_MAX bytes always suffice. */
enum cella_status cella_constraint_print(const struct cella_constraint *constraint, char *out,
                                         size_t capacity);

/* SHA-256 of the canonical text without its terminator: names a constraint in other formats. */
void cella_constraint_digest(const struct cella_constraint *constraint, uint8_t ret_digest[32]);

/* One rule of a constraint, for people: key as in the line, what it demands, what was found (empty without an
 * identity), whether it holds, and the status that a check returns when it does not. */
struct cella_rule {
    const char *key; /* "C", "S", "C or S", "PROD", "REVOKE", "SEC", "EXPIRE" */
    char expected[304];
    char found[304];
    bool holds;
    enum cella_status status;
};

#define CELLA_RULES_MAX 5

/* Fills one entry per rule of the constraint, in the order in which they are checked, and returns their
 * number. `identity` NULL: only what is expected. `now` is the time of the verification. */
size_t cella_constraint_explain(const struct cella_constraint *constraint,
                                const struct cella_identity *identity, int64_t now,
                                struct cella_rule ret_rules[CELLA_RULES_MAX]);

/* Checks a verified identity at the time `now`; the message names the rule, what it demands and what was
 * found. CELLA_OK, or the first rule that does not hold:
 * CELLA_REFUSED_CODE: neither a listed code hash nor a listed signer. CELLA_REFUSED_PRODUCT: another product
 * id. CELLA_REFUSED_REVOKED: security version revoked. CELLA_REFUSED_EXPIRED: the attestation is older than
 * EXPIRE. CELLA_REFUSED_LEVEL: SEC does not accept the level. */
enum cella_status cella_constraint_check(const struct cella_constraint *constraint,
                                         const struct cella_identity *identity, int64_t now,
                                         struct cella_error *error);

#endif
