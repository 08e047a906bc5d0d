/* The binary form of the settings and the rules that both forms obey. Must not allocate: the runtime parses
 * its own settings before it has a heap. */
#include "image/settings.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define SETTINGS_VERSION 1
static const uint8_t magic[8] = {'C', 'E', 'L', 'L', 'A', 'S', 'E', 'T'};

enum {
    FIELD_NAME = 1,
    FIELD_OWNER = 204,
    FIELD_APPLICATION = 1000,
};

#define MEMBER(name)                                                                                         \
    .offset = offsetof(struct cella_settings, name), .width = sizeof((struct cella_settings *)0)->name

static const char *const boolean_words[] = {"false", "true"};
static const char *const kind_words[] = {"none", "machine"};
static const char *const policy_words[] = {"image", "signer"};

/* Ascending by field: the order of the binary form. */
const struct cella_settings_rule cella_settings_rules[CELLA_SETTINGS_RULES_COUNT] = {
    {"enclave", "product_id", 2, MEMBER(product_id), .required = true, .most = 65535, .multiple = 1},
    {"enclave", "security_version", 3, MEMBER(security_version), .required = true, .most = 65535,
     .multiple = 1},
    {"enclave", "debug", 4, MEMBER(debug), .is_boolean = true, .words = boolean_words, .most = 1,
     .multiple = 1},
    {"enclave", "heap_size", 5, MEMBER(heap_size), .is_size = true, .least = MIB, .most = 32 * GIB,
     .multiple = 4 * KIB, .default_value = 256 * MIB},
    {"enclave", "stack_size", 6, MEMBER(stack_size), .is_size = true, .least = 64 * KIB, .most = 64 * MIB,
     .multiple = 4 * KIB, .default_value = 256 * KIB},
    {"enclave", "threads", 7, MEMBER(thread_count), .least = 1, .most = CELLA_SETTINGS_THREADS_LIMIT,
     .multiple = 1, .default_value = 4},
    {"limits", "max_mail_size", 100, MEMBER(max_mail_size), .is_size = true, .least = 4 * KIB, .most = GIB,
     .multiple = 1, .default_value = 50 * MIB},
    {"limits", "max_senders", 101, MEMBER(max_senders), .least = 1, .most = 100000000, .multiple = 1,
     .default_value = 1024},
    {"limits", "max_topics", 102, MEMBER(max_topics), .least = 1, .most = 65536, .multiple = 1,
     .default_value = 64},
    {"limits", "max_sessions", 103, MEMBER(max_sessions), .least = 1, .most = 1000000, .multiple = 1,
     .default_value = 1024},
    {"limits", "max_call_depth", 104, MEMBER(max_call_depth), .least = 1, .most = 64, .multiple = 1,
     .default_value = 8},
    {"limits", "max_queued", 105, MEMBER(max_queued), .least = 1, .most = 4096, .multiple = 1,
     .default_value = 1024},
    {"limits", "max_key_size", 106, MEMBER(max_key_size), .is_size = true, .least = 1, .most = 4 * KIB,
     .multiple = 1, .default_value = 4 * KIB},
    {"limits", "max_value_size", 107, MEMBER(max_value_size), .is_size = true, .least = 1, .most = 16 * MIB,
     .multiple = 1, .default_value = MIB},
    {"limits", "max_transaction_size", 108, MEMBER(max_transaction_size), .is_size = true, .least = 4 * KIB,
     .most = 128 * MIB, .multiple = 1, .default_value = 64 * MIB},
    {"limits", "max_state_size", 109, MEMBER(max_state_size), .is_size = true, .most = 32 * GIB,
     .multiple = 1},
    {"limits", "max_stored_reply", 110, MEMBER(max_stored_reply), .is_size = true, .least = 1,
     .most = 8 * MIB, .multiple = 1, .default_value = 64 * KIB},
    {"limits", "max_stored_bytes", 111, MEMBER(max_stored_bytes), .is_size = true, .least = 1,
     .most = 32 * GIB, .multiple = 1, .default_value = 16 * MIB},
    {"limits", "max_outbox", 112, MEMBER(max_outbox), .is_size = true, .least = 1, .most = GIB, .multiple = 1,
     .default_value = MIB},
    {"vault", "kind", 200, MEMBER(vault_kind), .words = kind_words, .most = 1, .multiple = 1,
     .default_value = 1},
    {"vault", "key_policy", 201, MEMBER(key_policy), .words = policy_words, .least = CELLA_VAULT_KEYS_IMAGE,
     .most = CELLA_VAULT_KEYS_SIGNER, .multiple = 1, .default_value = CELLA_VAULT_KEYS_SIGNER},
    {"vault", "owner_threshold", 202, MEMBER(owner_threshold), .most = CELLA_SETTINGS_OWNERS_LIMIT,
     .multiple = 1},
    {"vault", "snapshot_after", 203, MEMBER(snapshot_after), .is_size = true, .least = 64 * KIB,
     .most = 64 * GIB, .multiple = 1, .default_value = 64 * MIB},
};

uint64_t cella_settings_number(const struct cella_settings *settings,
                               const struct cella_settings_rule *rule) {
    const char *member = (const char *)settings + rule->offset;
    uint64_t value = 0;
    switch (rule->width) {
    case 1:
        value = rule->is_boolean ? *(const bool *)member : *(const uint8_t *)member;
        break;
    case 2:
        value = *(const uint16_t *)member;
        break;
    case 4:
        value = *(const uint32_t *)member;
        break;
    default:
        value = *(const uint64_t *)member;
    }
    return value;
}

void cella_settings_set_number(struct cella_settings *settings, const struct cella_settings_rule *rule,
                               uint64_t value) {
    char *member = (char *)settings + rule->offset;
    switch (rule->width) {
    case 1:
        if (rule->is_boolean)
            *(bool *)member = value != 0;
        else
            *(uint8_t *)member = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)member = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)member = (uint32_t)value;
        break;
    default:
        *(uint64_t *)member = value;
    }
}

static bool text_is(const char *text, size_t least, size_t most, const char *first, const char *allowed) {
    size_t size = strlen(text);
    return size >= least && size <= most && strchr(first, text[0]) != NULL && strspn(text, allowed) == size;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

static enum cella_status check_numbers(const struct cella_settings *settings, struct cella_error *error) {
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        uint64_t value = cella_settings_number(settings, rule);
        if (value < rule->least || value > rule->most)
            return cella_fail(error, CELLA_CONF_VALUE, "%s is %llu, allowed is %llu to %llu", rule->key,
                              (unsigned long long)value, (unsigned long long)rule->least,
                              (unsigned long long)rule->most);
        if (value % rule->multiple != 0)
            return cella_fail(error, CELLA_CONF_VALUE, "%s is %llu, it must be a multiple of %llu", rule->key,
                              (unsigned long long)value, (unsigned long long)rule->multiple);
    }
    /* A mail is in memory as it came and opened at the same time. */
    if (settings->max_mail_size > settings->heap_size / 4)
        return cella_fail(error, CELLA_CONF_VALUE,
                          "max_mail_size is %llu, allowed is a quarter of heap_size at most, which is %llu",
                          (unsigned long long)settings->max_mail_size,
                          (unsigned long long)(settings->heap_size / 4));
    return CELLA_OK;
}

static enum cella_status check_vault(const struct cella_settings *settings, struct cella_error *error) {
    size_t count = settings->owner_count;
    if (settings->max_key_size + settings->max_value_size > settings->max_transaction_size)
        return cella_fail(error, CELLA_CONF_VALUE,
                          "max_transaction_size is %llu, less than one key and value may have, which is %llu",
                          (unsigned long long)settings->max_transaction_size,
                          (unsigned long long)(settings->max_key_size + settings->max_value_size));
    if (count > CELLA_SETTINGS_OWNERS_LIMIT)
        return cella_fail(error, CELLA_LIMIT, "[vault] has %zu owners, at most %d are allowed", count,
                          CELLA_SETTINGS_OWNERS_LIMIT);
    if (count > 0 && settings->vault_kind == 0)
        return cella_fail(error, CELLA_CONF_VALUE, "owner is set, but with kind = none there is no vault");
    if (settings->owner_threshold > count || (count > 0 && settings->owner_threshold == 0))
        return cella_fail(error, CELLA_CONF_VALUE, "owner_threshold is %u, allowed is %d to %zu",
                          settings->owner_threshold, count > 0, count);
    for (size_t i = 1; i < count; i++)
        if (memcmp(settings->owners[i - 1], settings->owners[i], CELLA_SETTINGS_OWNER_SIZE) >= 0)
            return cella_fail(error, CELLA_CONF_DUPLICATE, "the owners are not in order at number %zu", i);
    return CELLA_OK;
}

static enum cella_status check_application(const struct cella_settings *settings, struct cella_error *error) {
    if (settings->application_count > CELLA_SETTINGS_KEYS_LIMIT)
        return cella_fail(error, CELLA_LIMIT, "[application] has %zu keys, at most %d are allowed",
                          settings->application_count, CELLA_SETTINGS_KEYS_LIMIT);
    for (size_t i = 0; i < settings->application_count; i++) {
        const struct cella_application_setting *setting = &settings->application[i];
        if (!text_is(setting->key, 1, CELLA_SETTINGS_NAME_LIMIT, LETTERS DIGITS "._-", LETTERS DIGITS "._-"))
            return cella_fail(error, CELLA_CONF_VALUE,
                              "the application key \"%.64s\" is not made of 1 to %d of a-z 0-9 . _ -",
                              setting->key, CELLA_SETTINGS_NAME_LIMIT);
        if (strlen(setting->value) > CELLA_SETTINGS_VALUE_LIMIT)
            return cella_fail(error, CELLA_CONF_VALUE, "%s has %zu bytes, allowed is %d at most",
                              setting->key, strlen(setting->value), CELLA_SETTINGS_VALUE_LIMIT);
        if (i > 0 && strcmp(settings->application[i - 1].key, setting->key) >= 0)
            return cella_fail(error, CELLA_CONF_DUPLICATE, "application keys are not in order at \"%s\"",
                              setting->key);
    }
    return CELLA_OK;
}

enum cella_status cella_settings_check(const struct cella_settings *settings, struct cella_error *error) {
    if (!text_is(settings->name, 1, CELLA_SETTINGS_NAME_LIMIT, LETTERS, LETTERS DIGITS "-"))
        return cella_fail(error, CELLA_CONF_VALUE,
                          "name is \"%s\", allowed is a letter and then a-z 0-9 -, %d at most",
                          settings->name, CELLA_SETTINGS_NAME_LIMIT);
    enum cella_status status = check_numbers(settings, error);
    if (status == CELLA_OK)
        status = check_vault(settings, error);
    return status == CELLA_OK ? check_application(settings, error) : status;
}

const char *cella_settings_get(const struct cella_settings *settings, const char *key) {
    for (size_t i = 0; i < settings->application_count; i++)
        if (strcmp(settings->application[i].key, key) == 0)
            return settings->application[i].value;
    return NULL;
}

void cella_settings_deinit(struct cella_settings *settings) {
    if (settings == NULL)
        return;
    free(settings->storage);
    settings->storage = NULL;
    settings->application_count = 0;
}

static void write_number(struct cella_writer *writer, uint64_t value, size_t width) {
    if (width == 1)
        cella_write_u8(writer, (uint8_t)value);
    else if (width == 2)
        cella_write_u16(writer, (uint16_t)value);
    else if (width == 4)
        cella_write_u32(writer, (uint32_t)value);
    else
        cella_write_u64(writer, value);
}

static void write_field_head(struct cella_writer *writer, uint16_t number, size_t size) {
    cella_write_u16(writer, number);
    cella_write_u32(writer, (uint32_t)size);
}

enum cella_status cella_settings_write(const struct cella_settings *settings, uint8_t *buffer,
                                       size_t buffer_size, size_t *ret_size, struct cella_error *error) {
    enum cella_status status = cella_settings_check(settings, error);
    if (status != CELLA_OK)
        return status;
    struct cella_writer writer;
    cella_writer_init(&writer, buffer, buffer_size);
    cella_write_bytes(&writer, magic, sizeof magic);
    cella_write_u16(&writer, SETTINGS_VERSION);
    size_t size = strlen(settings->name);
    write_field_head(&writer, FIELD_NAME, size);
    cella_write_bytes(&writer, settings->name, size);
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        write_field_head(&writer, rule->field, rule->width);
        write_number(&writer, cella_settings_number(settings, rule), rule->width);
    }
    for (size_t i = 0; i < settings->owner_count; i++) {
        write_field_head(&writer, FIELD_OWNER, CELLA_SETTINGS_OWNER_SIZE);
        cella_write_bytes(&writer, settings->owners[i], CELLA_SETTINGS_OWNER_SIZE);
    }
    for (size_t i = 0; i < settings->application_count; i++) {
        const struct cella_application_setting *setting = &settings->application[i];
        size_t key_size = strlen(setting->key) + 1;
        size_t value_size = strlen(setting->value) + 1;
        write_field_head(&writer, FIELD_APPLICATION, key_size + value_size);
        cella_write_bytes(&writer, setting->key, key_size);
        cella_write_bytes(&writer, setting->value, value_size);
    }
    if (writer.failed)
        return cella_fail(error, CELLA_TOO_SMALL, "the settings need more than %zu bytes", buffer_size);
    if (writer.size > CELLA_SETTINGS_SIZE_LIMIT)
        return cella_fail(error, CELLA_LIMIT, "the settings need %zu bytes, at most %d are allowed",
                          writer.size, CELLA_SETTINGS_SIZE_LIMIT);
    *ret_size = writer.size;
    return CELLA_OK;
}

/* The view of the next field, whose number must be `number`. */
static enum cella_status read_field(struct cella_reader *reader, uint16_t number,
                                    struct cella_bytes *ret_field, struct cella_error *error) {
    uint16_t found = cella_read_u16(reader);
    struct cella_bytes field = cella_read_sized(reader, CELLA_SETTINGS_SIZE_LIMIT);
    if (reader->failed)
        return cella_fail(error, CELLA_DAMAGED, "the settings end inside field %u", number);
    if (found != number) {
        bool known = found == FIELD_NAME || found == FIELD_OWNER || found == FIELD_APPLICATION;
        for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++)
            known = known || cella_settings_rules[i].field == found;
        return cella_fail(error, known ? CELLA_DAMAGED : CELLA_NEWER_FORMAT,
                          "the settings have field %u where field %u is expected", found, number);
    }
    *ret_field = field;
    return CELLA_OK;
}

static enum cella_status read_name(struct cella_reader *reader, struct cella_settings *settings,
                                   struct cella_error *error) {
    struct cella_bytes field = {0};
    enum cella_status status = read_field(reader, FIELD_NAME, &field, error);
    if (status != CELLA_OK)
        return status;
    if (field.size == 0 || field.size > CELLA_SETTINGS_NAME_LIMIT ||
        memchr(field.data, 0, field.size) != NULL)
        return cella_fail(error, CELLA_DAMAGED, "the settings have a malformed name");
    memcpy(settings->name, field.data, field.size);
    settings->name[field.size] = '\0';
    return CELLA_OK;
}

static enum cella_status read_number(struct cella_reader *reader, const struct cella_settings_rule *rule,
                                     struct cella_settings *settings, struct cella_error *error) {
    struct cella_bytes field = {0};
    enum cella_status status = read_field(reader, rule->field, &field, error);
    if (status != CELLA_OK)
        return status;
    uint64_t value = 0;
    if (field.size != rule->width)
        return cella_fail(error, CELLA_DAMAGED, "%s has %zu bytes instead of %u in the settings", rule->key,
                          field.size, rule->width);
    for (size_t i = field.size; i-- > 0;)
        value = value << 8 | field.data[i];
    /* A narrow member cannot hold what it is given, so the range must be checked before. */
    if (value > rule->most)
        return cella_fail(error, CELLA_DAMAGED, "%s has the value %llu in the settings", rule->key,
                          (unsigned long long)value);
    cella_settings_set_number(settings, rule, value);
    return CELLA_OK;
}

/* The number of the next field; 0 at the end. */
static uint16_t peek_field(const struct cella_reader *reader) {
    struct cella_reader ahead = *reader;
    return cella_reader_left(&ahead) > 0 ? cella_read_u16(&ahead) : 0;
}

static enum cella_status read_owner(struct cella_reader *reader, struct cella_settings *settings,
                                    struct cella_error *error) {
    struct cella_bytes field = {0};
    enum cella_status status = read_field(reader, FIELD_OWNER, &field, error);
    if (status != CELLA_OK)
        return status;
    if (field.size != CELLA_SETTINGS_OWNER_SIZE || settings->owner_count == CELLA_SETTINGS_OWNERS_LIMIT)
        return cella_fail(error, CELLA_DAMAGED, "the settings have a malformed owner or too many");
    memcpy(settings->owners[settings->owner_count++], field.data, field.size);
    return CELLA_OK;
}

static enum cella_status read_application(struct cella_reader *reader, struct cella_settings *settings,
                                          struct cella_error *error) {
    struct cella_bytes field = {0};
    enum cella_status status = read_field(reader, FIELD_APPLICATION, &field, error);
    if (status != CELLA_OK)
        return status;
    const uint8_t *key_end = field.size == 0 ? NULL : memchr(field.data, 0, field.size);
    size_t key_size = key_end == NULL ? 0 : (size_t)(key_end - field.data) + 1;
    const uint8_t *value_end =
        key_size == field.size ? NULL : memchr(field.data + key_size, 0, field.size - key_size);
    if (key_end == NULL || value_end == NULL || value_end + 1 != field.data + field.size ||
        settings->application_count == CELLA_SETTINGS_KEYS_LIMIT)
        return cella_fail(error, CELLA_DAMAGED, "the settings have a malformed application key");
    settings->application[settings->application_count++] = (struct cella_application_setting){
        .key = (const char *)field.data, .value = (const char *)field.data + key_size};
    return CELLA_OK;
}

enum cella_status cella_settings_read(struct cella_bytes bytes, struct cella_settings *ret_settings,
                                      struct cella_error *error) {
    struct cella_settings settings = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *found = cella_read_view(&reader, sizeof magic);
    uint16_t version = cella_read_u16(&reader);
    if (reader.failed || bytes.size > CELLA_SETTINGS_SIZE_LIMIT || memcmp(found, magic, sizeof magic) != 0)
        return cella_fail(error, CELLA_DAMAGED, "these bytes are not settings of an image");
    if (version > SETTINGS_VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "the settings have format version %u, known is %u",
                          version, SETTINGS_VERSION);
    if (version != SETTINGS_VERSION)
        return cella_fail(error, CELLA_DAMAGED, "the settings have format version %u", version);
    enum cella_status status = read_name(&reader, &settings, error);
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT && status == CELLA_OK; i++)
        status = read_number(&reader, &cella_settings_rules[i], &settings, error);
    while (status == CELLA_OK && peek_field(&reader) == FIELD_OWNER)
        status = read_owner(&reader, &settings, error);
    while (status == CELLA_OK && cella_reader_left(&reader) > 0)
        status = read_application(&reader, &settings, error);
    if (status == CELLA_OK && cella_settings_check(&settings, error) != CELLA_OK)
        status = cella_fail_context(error, CELLA_DAMAGED, "the settings break a rule");
    if (status == CELLA_OK)
        *ret_settings = settings;
    return status;
}
