/* The constraint line: text to struct and back. The grammar is in formats/constraint.md. */
#include "attest/period.h"
#include "base/error.h"
#include "base/hex.h"
#include "crypto/hash.h"
#include <cella/constraint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCT_ID_MAX UINT16_MAX

/* One token as messages show it: cut, and harmless on a terminal. */
struct shown {
    char text[64];
};

static struct shown show(struct cella_bytes token) {
    struct shown shown = {{0}};
    size_t at = 0;
    for (; at < token.size && at < sizeof shown.text - 4; at++)
        shown.text[at] = token.data[at] >= 0x20 && token.data[at] < 0x7f ? (char)token.data[at] : '?';
    if (at < token.size)
        memcpy(shown.text + at, "...", 4);
    return shown;
}

static bool text_is(struct cella_bytes text, const char *word) {
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* What is read so far, and which tokens were seen. */
struct parse {
    struct cella_constraint *constraint;
    struct cella_error *error;
    bool has_level;
};

static enum cella_status syntax(struct parse *parse, struct cella_bytes token, const char *why) {
    return cella_fail(parse->error, CELLA_CONSTRAINT_SYNTAX, "constraint: \"%s\" %s", show(token).text, why);
}

static int compare_measurements(const void *left, const void *right) {
    return memcmp(left, right, sizeof(struct cella_measurement));
}

static enum cella_status parse_hash(struct parse *parse, struct cella_bytes token, struct cella_bytes value,
                                    struct cella_measurement *list, size_t *count) {
    struct cella_measurement hash = {0};
    if (value.size != 64 && value.size != 128)
        return cella_fail(
            parse->error, CELLA_CONSTRAINT_SYNTAX,
            "constraint: \"%s\" has %zu characters after the colon where 64 (or 128) hex digits "
            "are needed",
            show(token).text, value.size);
    hash.size = (uint8_t)(value.size / 2);
    if (cella_hex_decode((const char *)value.data, value.size, hash.bytes, hash.size) != CELLA_OK)
        return syntax(parse, token, "has a character that is no hex digit");
    for (size_t at = 0; at < *count; at++)
        if (compare_measurements(&list[at], &hash) == 0)
            return CELLA_OK;
    if (*count == CELLA_CONSTRAINT_HASHES_MAX)
        return cella_fail(parse->error, CELLA_LIMIT, "constraint: \"%s\" is one more than the %d allowed",
                          show(token).text, CELLA_CONSTRAINT_HASHES_MAX);
    list[(*count)++] = hash;
    return CELLA_OK;
}

static bool parse_decimal(struct cella_bytes value, uint64_t limit, uint64_t *ret_number) {
    uint64_t number = 0;
    for (size_t at = 0; at < value.size; at++) {
        if (value.data[at] < '0' || value.data[at] > '9')
            return false;
        number = number * 10 + (uint64_t)(value.data[at] - '0');
        if (number > limit)
            return false;
    }
    *ret_number = number;
    return value.size > 0;
}

static enum cella_status parse_product(struct parse *parse, struct cella_bytes token,
                                       struct cella_bytes value) {
    uint64_t number = 0;
    if (parse->constraint->has_product_id)
        return syntax(parse, token, "is a second PROD; only one is allowed");
    if (!parse_decimal(value, PRODUCT_ID_MAX, &number))
        return syntax(parse, token, "is not a product id: a number from 0 to 65535");
    parse->constraint->has_product_id = true;
    parse->constraint->product_id = (uint16_t)number;
    return CELLA_OK;
}

static enum cella_status parse_revoke(struct parse *parse, struct cella_bytes token,
                                      struct cella_bytes value) {
    uint64_t number = 0;
    if (parse->constraint->has_revoke)
        return syntax(parse, token, "is a second REVOKE; only one is allowed");
    if (!parse_decimal(value, UINT32_MAX, &number))
        return syntax(parse, token, "is not a revocation level: a number from 0 to 4294967295");
    parse->constraint->has_revoke = true;
    parse->constraint->revoke = (uint32_t)number;
    return CELLA_OK;
}

static enum cella_status parse_level(struct parse *parse, struct cella_bytes token,
                                     struct cella_bytes value) {
    if (parse->has_level)
        return syntax(parse, token, "is a second SEC; only one is allowed");
    for (int level = CELLA_LEVEL_INSECURE; level <= CELLA_LEVEL_SECURE; level++)
        if (text_is(value, cella_level_name((enum cella_level)level))) {
            parse->has_level = true;
            parse->constraint->level = (enum cella_level)level;
            return CELLA_OK;
        }
    return syntax(parse, token, "names no level: INSECURE, STALE or SECURE, in capitals");
}

static enum cella_status parse_expire(struct parse *parse, struct cella_bytes token,
                                      struct cella_bytes value) {
    if (parse->constraint->has_expire)
        return syntax(parse, token, "is a second EXPIRE; only one is allowed");
    if (cella_period_parse(value, &parse->constraint->expire) != CELLA_OK)
        return syntax(parse, token, "is not a period of years, months, weeks and days such as P6M2W5D");
    parse->constraint->has_expire = true;
    return CELLA_OK;
}

static enum cella_status parse_token(struct parse *parse, struct cella_bytes token) {
    struct cella_constraint *constraint = parse->constraint;
    const uint8_t *colon = memchr(token.data, ':', token.size);
    if (colon == NULL)
        return syntax(parse, token, "has no colon; a token is KEY:VALUE");
    struct cella_bytes key = CELLA_BYTES(token.data, (size_t)(colon - token.data));
    struct cella_bytes value = CELLA_BYTES(colon + 1, token.size - key.size - 1);
    if (memchr(value.data, ':', value.size) != NULL)
        return syntax(parse, token, "has more than one colon; a token is KEY:VALUE");
    if (text_is(key, "C"))
        return parse_hash(parse, token, value, constraint->codes, &constraint->code_count);
    if (text_is(key, "S"))
        return parse_hash(parse, token, value, constraint->signers, &constraint->signer_count);
    if (text_is(key, "PROD"))
        return parse_product(parse, token, value);
    if (text_is(key, "REVOKE"))
        return parse_revoke(parse, token, value);
    if (text_is(key, "SEC"))
        return parse_level(parse, token, value);
    if (text_is(key, "EXPIRE"))
        return parse_expire(parse, token, value);
    return syntax(parse, token, "has an unknown key; known are C, S, PROD, REVOKE, SEC and EXPIRE");
}

static enum cella_status check_complete(const struct cella_constraint *constraint,
                                        struct cella_error *error) {
    if (constraint->code_count == 0 && constraint->signer_count == 0 && constraint->has_product_id)
        return cella_fail(error, CELLA_CONSTRAINT_INCOMPLETE,
                          "constraint: PROD:%u needs a signer: add S with a code signer",
                          (unsigned)constraint->product_id);
    if (constraint->code_count == 0 && constraint->signer_count == 0)
        return cella_fail(error, CELLA_CONSTRAINT_INCOMPLETE,
                          "constraint: it needs a code hash (C) or a code signer (S)");
    if (constraint->signer_count > 0 && !constraint->has_product_id) {
        char digits[2 * CELLA_MEASUREMENT_SIZE_MAX + 1];
        cella_hex_encode(constraint->signers[0].bytes, constraint->signers[0].size, digits);
        return cella_fail(error, CELLA_CONSTRAINT_INCOMPLETE,
                          "constraint: S:%s needs a product id: add PROD, the signer may sign other products",
                          digits);
    }
    if (constraint->signer_count == 0 && constraint->has_product_id)
        return cella_fail(error, CELLA_CONSTRAINT_INCOMPLETE,
                          "constraint: PROD:%u needs a signer: add S, or drop PROD, the code hash says all",
                          (unsigned)constraint->product_id);
    return CELLA_OK;
}

enum cella_status cella_constraint_parse(struct cella_bytes line, struct cella_constraint *ret_constraint,
                                         struct cella_error *error) {
    struct cella_constraint constraint = {.level = CELLA_LEVEL_STALE};
    struct parse parse = {.constraint = &constraint, .error = error};
    enum cella_status status = CELLA_OK;
    if (line.size > CELLA_CONSTRAINT_LINE_MAX)
        return cella_fail(error, CELLA_LIMIT, "constraint: the line has %zu characters, more than %d",
                          line.size, CELLA_CONSTRAINT_LINE_MAX);
    for (size_t at = 0; at < line.size && status == CELLA_OK;) {
        size_t start = at;
        while (at < line.size && line.data[at] != ' ')
            at++;
        if (at > start)
            status = parse_token(&parse, CELLA_BYTES(line.data + start, at - start));
        else
            at++;
    }
    if (status == CELLA_OK)
        status = check_complete(&constraint, error);
    if (status != CELLA_OK)
        return status;
    qsort(constraint.codes, constraint.code_count, sizeof constraint.codes[0], compare_measurements);
    qsort(constraint.signers, constraint.signer_count, sizeof constraint.signers[0], compare_measurements);
    *ret_constraint = constraint;
    return CELLA_OK;
}

/* Text that grows in a fixed buffer; `failed` once it is full. */
struct text {
    char *out;
    size_t capacity;
    size_t size;
    bool failed;
};

static void add(struct text *text, const char *key, const char *value) {
    int written = snprintf(text->out + text->size, text->capacity - text->size, "%s%s%s",
                           text->size > 0 ? " " : "", key, value);
    if (written < 0 || (size_t)written >= text->capacity - text->size)
        text->failed = true;
    else
        text->size += (size_t)written;
}

static void add_number(struct text *text, const char *key, uint32_t number) {
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%u", (unsigned)number);
    add(text, key, digits);
}

static void add_hashes(struct text *text, const char *key, const struct cella_measurement *list,
                       size_t count) {
    for (size_t at = 0; at < count && !text->failed; at++) {
        char digits[2 * CELLA_MEASUREMENT_SIZE_MAX + 1];
        cella_hex_encode(list[at].bytes, list[at].size, digits);
        add(text, key, digits);
    }
}

enum cella_status cella_constraint_print(const struct cella_constraint *constraint, char *out,
                                         size_t capacity) {
    struct text text = {.out = out, .capacity = capacity};
    char period[CELLA_PERIOD_TEXT_SIZE];
    if (capacity == 0)
        return CELLA_TOO_SMALL;
    add_hashes(&text, "C:", constraint->codes, constraint->code_count);
    add_hashes(&text, "S:", constraint->signers, constraint->signer_count);
    if (constraint->has_product_id && !text.failed)
        add_number(&text, "PROD:", constraint->product_id);
    if (constraint->has_revoke && !text.failed)
        add_number(&text, "REVOKE:", constraint->revoke);
    if (constraint->has_expire && !text.failed) {
        cella_period_print(&constraint->expire, period);
        add(&text, "EXPIRE:", period);
    }
    if (!text.failed)
        add(&text, "SEC:", cella_level_name(constraint->level));
    return text.failed ? CELLA_TOO_SMALL : CELLA_OK;
}

void cella_constraint_digest(const struct cella_constraint *constraint, uint8_t ret_digest[32]) {
    char text[CELLA_CONSTRAINT_LINE_MAX];
    CELLA_ASSERT(cella_constraint_print(constraint, text, sizeof text) == CELLA_OK);
    cella_sha256(text, strlen(text), ret_digest);
}
