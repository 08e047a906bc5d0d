/* The instance statement's bytes. Must not know where its keys come from. */
#include "attest/statement.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include <string.h>

#define MAGIC        "CIST"
#define VERSION      1
#define OPTIONAL_BIT 0x8000

/* Field numbers: once given, never reused. */
enum field {
    FIELD_SESSION_KEY = 1,
    FIELD_SIGNING_KEY = 2,
    FIELD_MAILBOX = 3,
    FIELD_GENESIS = 4,
    FIELD_WARDEN_GROUP = 5,
    FIELD_WARDEN_CONSTRAINT = 6,
    FIELD_FRESHNESS = 7,
};

static const uint8_t zeros[32];

static bool is_zero(const uint8_t id[32]) {
    return memcmp(id, zeros, sizeof zeros) == 0;
}

const char *cella_freshness_name(enum cella_freshness freshness) {
    switch (freshness) {
    case CELLA_FRESHNESS_NONE:
        return "none";
    case CELLA_FRESHNESS_MACHINE:
        return "machine";
    case CELLA_FRESHNESS_WARDENS:
        return "wardens";
    case CELLA_FRESHNESS_UNCONFIRMED:
        return "unconfirmed";
    case CELLA_FRESHNESS_UNKNOWN:
        return "unknown";
    }
    return "UNKNOWN";
}

static bool vault_id_fits(const struct cella_statement *statement) {
    uint8_t vault_id[CELLA_SHA256_SIZE];
    if (statement->genesis_size == 0)
        return is_zero(statement->vault_id);
    cella_sha256(statement->genesis, statement->genesis_size, vault_id);
    return memcmp(vault_id, statement->vault_id, sizeof vault_id) == 0;
}

/* The sentence that a statement's fields break, or NULL. A statement that contradicts itself could be read in
 * two ways, so it neither leaves nor enters. */
static const char *contradiction(const struct cella_statement *statement) {
    bool vault = statement->genesis_size > 0;
    bool wardens = !is_zero(statement->warden_group);
    bool guarded = statement->freshness == CELLA_FRESHNESS_WARDENS ||
                   statement->freshness == CELLA_FRESHNESS_UNCONFIRMED;
    if (is_zero(statement->session_key) || is_zero(statement->signing_key))
        return "the session key or the signing key is missing";
    if (statement->has_mailbox && is_zero(statement->mailbox_key))
        return "the mailbox key is zero";
    if (statement->genesis_size > sizeof statement->genesis)
        return "the vault's genesis is too large";
    if (!vault_id_fits(statement))
        return "the vault id is not that of the vault's genesis";
    if (wardens && !vault)
        return "a warden group without a vault";
    if (guarded != wardens && statement->freshness != CELLA_FRESHNESS_UNKNOWN)
        return "the freshness mode does not fit the warden group";
    if ((statement->freshness == CELLA_FRESHNESS_NONE) == vault)
        return "the freshness mode does not fit the vault";
    if (wardens &&
        (statement->warden_level < CELLA_LEVEL_INSECURE || statement->warden_level > CELLA_LEVEL_SECURE))
        return "the wardens' level is none of the known ones";
    return NULL;
}

static void write_field(struct cella_writer *writer, enum field number, const void *data, size_t size) {
    cella_write_u16(writer, (uint16_t)number);
    cella_write_u16(writer, (uint16_t)size);
    cella_write_bytes(writer, data, size);
}

static void write_wardens(struct cella_writer *writer, const struct cella_statement *statement) {
    cella_write_u16(writer, FIELD_WARDEN_GROUP);
    cella_write_u16(writer, sizeof statement->warden_group + sizeof statement->warden_lineage);
    cella_write_bytes(writer, statement->warden_group, sizeof statement->warden_group);
    cella_write_u64(writer, statement->warden_lineage);
    cella_write_u16(writer, FIELD_WARDEN_CONSTRAINT);
    cella_write_u16(writer, sizeof statement->warden_constraint + 1);
    cella_write_bytes(writer, statement->warden_constraint, sizeof statement->warden_constraint);
    cella_write_u8(writer, (uint8_t)statement->warden_level);
}

enum cella_status cella_statement_write(const struct cella_statement *statement, uint8_t *out,
                                        size_t capacity, size_t *ret_size, struct cella_error *error) {
    struct cella_writer writer;
    const char *wrong = contradiction(statement);
    if (wrong != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "instance statement: %s", wrong);
    cella_writer_init(&writer, out, capacity);
    cella_write_bytes(&writer, MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    write_field(&writer, FIELD_SESSION_KEY, statement->session_key, sizeof statement->session_key);
    write_field(&writer, FIELD_SIGNING_KEY, statement->signing_key, sizeof statement->signing_key);
    if (statement->has_mailbox) {
        cella_write_u16(&writer, FIELD_MAILBOX);
        cella_write_u16(&writer, 4 + sizeof statement->mailbox_key);
        cella_write_u32(&writer, statement->mailbox_generation);
        cella_write_bytes(&writer, statement->mailbox_key, sizeof statement->mailbox_key);
    }
    if (statement->genesis_size > 0)
        write_field(&writer, FIELD_GENESIS, statement->genesis, statement->genesis_size);
    if (!is_zero(statement->warden_group))
        write_wardens(&writer, statement);
    cella_write_u16(&writer, FIELD_FRESHNESS);
    cella_write_u16(&writer, 1);
    cella_write_u8(&writer, (uint8_t)statement->freshness);
    if (writer.failed)
        return cella_fail(error, CELLA_TOO_SMALL, "instance statement: %zu bytes are not enough", capacity);
    *ret_size = writer.size;
    return CELLA_OK;
}

/* Reads one known field; the caller checks that `reader` was used up exactly. */
static enum cella_status read_field(struct cella_reader *reader, uint16_t number,
                                    struct cella_statement *statement, struct cella_error *error) {
    switch (number) {
    case FIELD_SESSION_KEY:
        cella_read_copy(reader, statement->session_key, sizeof statement->session_key);
        return CELLA_OK;
    case FIELD_SIGNING_KEY:
        cella_read_copy(reader, statement->signing_key, sizeof statement->signing_key);
        return CELLA_OK;
    case FIELD_MAILBOX:
        statement->has_mailbox = true;
        statement->mailbox_generation = cella_read_u32(reader);
        cella_read_copy(reader, statement->mailbox_key, sizeof statement->mailbox_key);
        return CELLA_OK;
    case FIELD_GENESIS:
        statement->genesis_size = cella_reader_left(reader);
        if (statement->genesis_size == 0 || statement->genesis_size > sizeof statement->genesis)
            return cella_fail(error, CELLA_DAMAGED, "instance statement: the vault's genesis has %zu bytes",
                              statement->genesis_size);
        cella_read_copy(reader, statement->genesis, statement->genesis_size);
        cella_sha256(statement->genesis, statement->genesis_size, statement->vault_id);
        return CELLA_OK;
    case FIELD_WARDEN_GROUP:
        cella_read_copy(reader, statement->warden_group, sizeof statement->warden_group);
        statement->warden_lineage = cella_read_u64(reader);
        return is_zero(statement->warden_group)
                   ? cella_fail(error, CELLA_DAMAGED, "instance statement: the warden group is zero")
                   : CELLA_OK;
    case FIELD_WARDEN_CONSTRAINT:
        cella_read_copy(reader, statement->warden_constraint, sizeof statement->warden_constraint);
        statement->warden_level = (enum cella_level)cella_read_u8(reader);
        return CELLA_OK;
    case FIELD_FRESHNESS:
        statement->freshness = (enum cella_freshness)cella_read_u8(reader);
        if (statement->freshness > CELLA_FRESHNESS_UNKNOWN)
            return cella_fail(error, CELLA_NEWER_FORMAT, "instance statement: unknown freshness mode %u",
                              (unsigned)statement->freshness);
        return CELLA_OK;
    default:
        if ((number & OPTIONAL_BIT) == 0)
            return cella_fail(error, CELLA_NEWER_FORMAT,
                              "instance statement: field %u must be understood and is not known",
                              (unsigned)number);
        (void)cella_read_view(reader, cella_reader_left(reader));
        return CELLA_OK;
    }
}

static enum cella_status read_fields(struct cella_reader *reader, struct cella_statement *statement,
                                     uint32_t *ret_seen, struct cella_error *error) {
    uint16_t last = 0;
    uint32_t seen = 0;
    while (cella_reader_left(reader) > 0) {
        uint16_t number = cella_read_u16(reader);
        uint16_t size = cella_read_u16(reader);
        const uint8_t *data = cella_read_view(reader, size);
        if (reader->failed || number <= last)
            return cella_fail(error, CELLA_DAMAGED, "instance statement: field %u is cut or out of order",
                              (unsigned)number);
        struct cella_reader field;
        cella_reader_init(&field, CELLA_BYTES(data, size));
        enum cella_status status = read_field(&field, number, statement, error);
        if (status != CELLA_OK)
            return status;
        if (!cella_reader_done(&field))
            return cella_fail(error, CELLA_DAMAGED, "instance statement: field %u has a wrong size",
                              (unsigned)number);
        if (number <= FIELD_FRESHNESS)
            seen |= UINT32_C(1) << number;
        last = number;
    }
    *ret_seen = seen;
    return CELLA_OK;
}

/* The fields that stand for more than one member must be there together. */
static bool fields_complete(uint32_t seen) {
    const uint32_t needed = 1U << FIELD_SESSION_KEY | 1U << FIELD_SIGNING_KEY | 1U << FIELD_FRESHNESS;
    bool group = (seen & 1U << FIELD_WARDEN_GROUP) != 0;
    bool constraint = (seen & 1U << FIELD_WARDEN_CONSTRAINT) != 0;
    return (seen & needed) == needed && group == constraint;
}

enum cella_status cella_statement_parse(struct cella_bytes bytes, struct cella_statement *ret_statement,
                                        struct cella_error *error) {
    struct cella_statement statement = {0};
    struct cella_reader reader;
    uint32_t seen = 0;
    if (bytes.size > CELLA_STATEMENT_SIZE_MAX)
        return cella_fail(error, CELLA_DAMAGED, "instance statement: %zu bytes are more than %d", bytes.size,
                          CELLA_STATEMENT_SIZE_MAX);
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, 4);
    uint16_t version = cella_read_u16(&reader);
    if (reader.failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "instance statement: it does not start as one");
    if (version != VERSION)
        return cella_fail(error, version > VERSION ? CELLA_NEWER_FORMAT : CELLA_DAMAGED,
                          "instance statement: version %u is not known", (unsigned)version);
    enum cella_status status = read_fields(&reader, &statement, &seen, error);
    if (status != CELLA_OK)
        return status;
    if (!fields_complete(seen))
        return cella_fail(error, CELLA_DAMAGED, "instance statement: a field is missing");
    const char *wrong = contradiction(&statement);
    if (wrong != NULL)
        return cella_fail(error, CELLA_DAMAGED, "instance statement: %s", wrong);
    *ret_statement = statement;
    return CELLA_OK;
}

void cella_statement_report_data(struct cella_bytes statement, const uint8_t nonce[CELLA_NONCE_SIZE],
                                 uint8_t ret_report_data[CELLA_REPORT_DATA_SIZE]) {
    cella_sha256(statement.data, statement.size, ret_report_data);
    memset(ret_report_data + CELLA_SHA256_SIZE, 0, CELLA_REPORT_DATA_SIZE - CELLA_SHA256_SIZE);
    if (nonce != NULL)
        cella_sha256(nonce, CELLA_NONCE_SIZE, ret_report_data + CELLA_SHA256_SIZE);
}
