/* enclave.conf to settings, through inih. Must not ignore anything: a line that has no effect is an error. */
#include "image/conf.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/nearest.h"
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT = 8192 };

struct conf {
    const char *file_name;
    const char *rest; /* of the text */
    int line;
    int name_line;
    int rule_lines[CELLA_SETTINGS_RULES_COUNT];
    int owner_line;
    struct cella_settings settings;
    size_t storage_used;
    enum cella_status status;
    struct cella_error *error;
};

/* Keeps the first failure; returns what inih takes for "stop caring". */
__attribute__((format(printf, 3, 4))) static int fail(struct conf *conf, enum cella_status status,
                                                      const char *format, ...) {
    if (conf->status != CELLA_OK)
        return 0;
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    conf->status = cella_fail(conf->error, status, "%s:%d: %s", conf->file_name, conf->line, text);
    return 0;
}

/* fgets over the text, counting lines. */
static char *next_line(char *buffer, int size, void *context) {
    struct conf *conf = context;
    if (*conf->rest == '\0' || conf->status != CELLA_OK)
        return NULL;
    conf->line++;
    size_t length = strcspn(conf->rest, "\n");
    size_t with_end = length + (conf->rest[length] == '\n' ? 1 : 0);
    if (size <= 0 || with_end >= (size_t)size) {
        (void)fail(conf, CELLA_CONF_SYNTAX, "the line has %zu characters, at most %d are allowed", length,
                   size - 2);
        return NULL;
    }
    memcpy(buffer, conf->rest, with_end);
    buffer[with_end] = '\0';
    conf->rest += with_end;
    return buffer;
}

static int unknown_key(struct conf *conf, const char *section, const char *key) {
    const char *words[CELLA_SETTINGS_RULES_COUNT + 2] = {"name", "owner"};
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++)
        words[i + 2] = cella_settings_rules[i].key;
    const char *nearest = cella_nearest(key, words, CELLA_SETTINGS_RULES_COUNT + 2);
    const char *nearest_section = nearest == words[1] ? "vault" : "enclave";
    if (nearest == NULL)
        return fail(conf, CELLA_CONF_UNKNOWN_KEY, "unknown key \"%.63s\" in [%.49s]", key, section);
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++)
        if (cella_settings_rules[i].key == nearest)
            nearest_section = cella_settings_rules[i].section;
    return fail(conf, CELLA_CONF_UNKNOWN_KEY,
                "unknown key \"%.63s\" in [%.49s]; the nearest known key is %s in [%s]", key, section,
                nearest, nearest_section);
}

static int unknown_section(struct conf *conf, const char *section) {
    static const char *const sections[] = {"enclave", "vault", "limits", "application"};
    if (section[0] == '\0')
        return fail(conf, CELLA_CONF_SYNTAX, "the key stands before the first [section]");
    const char *nearest = cella_nearest(section, sections, sizeof sections / sizeof sections[0]);
    return fail(conf, CELLA_CONF_UNKNOWN_KEY, "unknown section [%.49s]%s%s%s", section,
                nearest != NULL ? "; the nearest known section is [" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "]" : "");
}

/* "64K" for 65536. */
static const char *size_text(uint64_t value, char text[24]) {
    static const char suffixes[] = {0, 'K', 'M', 'G'};
    size_t suffix = 0;
    while (suffix < 3 && value != 0 && value % 1024 == 0) {
        value /= 1024;
        suffix++;
    }
    (void)snprintf(text, 24, "%llu%.*s", (unsigned long long)value, suffix > 0 ? 1 : 0, &suffixes[suffix]);
    return text;
}

static bool parse_number(const char *text, bool is_size, uint64_t *ret_value) {
    uint64_t value = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    unsigned shift = 0;
    if (is_size && *text != '\0') {
        shift = *text == 'K' ? 10 : *text == 'M' ? 20 : *text == 'G' ? 30 : 0;
        text += shift > 0 ? 1 : 0;
    }
    if (*text != '\0' || value > UINT64_MAX >> shift)
        return false;
    *ret_value = value << shift;
    return true;
}

static int set_word(struct conf *conf, const struct cella_settings_rule *rule, const char *text) {
    char allowed[100] = "";
    for (uint64_t i = rule->most - rule->least + 1; i-- > 0;) {
        const char *word = rule->words[i];
        if (strcmp(text, word) == 0) {
            cella_settings_set_number(&conf->settings, rule, rule->least + i);
            return 1;
        }
        size_t used = strlen(allowed);
        (void)snprintf(allowed + used, sizeof allowed - used, "%s%s", used > 0 ? " or " : "", word);
    }
    return fail(conf, CELLA_CONF_VALUE, "%s = %.63s: allowed is %s", rule->key, text, allowed);
}

static int set_number(struct conf *conf, const struct cella_settings_rule *rule, const char *text) {
    uint64_t value = 0;
    if (rule->words != NULL)
        return set_word(conf, rule, text);
    bool good = parse_number(text, rule->is_size, &value) && value >= rule->least && value <= rule->most &&
                value % rule->multiple == 0;
    if (!good) {
        char least[24];
        char most[24];
        char step[24];
        if (rule->is_size)
            return fail(conf, CELLA_CONF_VALUE, "%s = %.63s: allowed is %s to %s%s%s", rule->key, text,
                        size_text(rule->least, least), size_text(rule->most, most),
                        rule->multiple > 1 ? " in steps of " : "",
                        rule->multiple > 1 ? size_text(rule->multiple, step) : "");
        return fail(conf, CELLA_CONF_VALUE, "%s = %.63s: allowed is a number from %llu to %llu", rule->key,
                    text, (unsigned long long)rule->least, (unsigned long long)rule->most);
    }
    cella_settings_set_number(&conf->settings, rule, value);
    return 1;
}

static const char *store(struct conf *conf, const char *text) {
    size_t size = strlen(text) + 1;
    char *stored = conf->settings.storage + conf->storage_used;
    memcpy(stored, text, size);
    conf->storage_used += size;
    return stored;
}

static int add_application(struct conf *conf, const char *key, const char *value) {
    struct cella_settings *settings = &conf->settings;
    size_t at = 0;
    while (at < settings->application_count && strcmp(settings->application[at].key, key) < 0)
        at++;
    if (at < settings->application_count && strcmp(settings->application[at].key, key) == 0)
        return fail(conf, CELLA_CONF_DUPLICATE, "the key \"%.63s\" is in [application] twice", key);
    if (settings->application_count == CELLA_SETTINGS_KEYS_LIMIT)
        return fail(conf, CELLA_LIMIT, "[application] has more than %d keys", CELLA_SETTINGS_KEYS_LIMIT);
    if (strlen(key) > CELLA_SETTINGS_NAME_LIMIT || key[0] == '\0' ||
        strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(key))
        return fail(conf, CELLA_CONF_VALUE,
                    "the application key \"%.64s\" is not made of 1 to %d of a-z 0-9 . _ -", key,
                    CELLA_SETTINGS_NAME_LIMIT);
    if (strlen(value) > CELLA_SETTINGS_VALUE_LIMIT)
        return fail(conf, CELLA_CONF_VALUE, "%s has %zu bytes: allowed is %d at most", key, strlen(value),
                    CELLA_SETTINGS_VALUE_LIMIT);
    memmove(&settings->application[at + 1], &settings->application[at],
            (settings->application_count - at) * sizeof settings->application[0]);
    settings->application[at].key = store(conf, key);
    settings->application[at].value = store(conf, value);
    settings->application_count++;
    return 1;
}

static int add_owner(struct conf *conf, const char *text) {
    struct cella_settings *settings = &conf->settings;
    uint8_t key[CELLA_SETTINGS_OWNER_SIZE];
    size_t at = 0;
    if (cella_hex_decode(text, strlen(text), key, sizeof key) != CELLA_OK)
        return fail(conf, CELLA_CONF_VALUE,
                    "owner = %.64s: allowed is an Ed25519 public key, 64 hexadecimal digits", text);
    while (at < settings->owner_count && memcmp(settings->owners[at], key, sizeof key) < 0)
        at++;
    if (at < settings->owner_count && memcmp(settings->owners[at], key, sizeof key) == 0)
        return fail(conf, CELLA_CONF_DUPLICATE, "the owner %.64s is named twice", text);
    if (settings->owner_count == CELLA_SETTINGS_OWNERS_LIMIT)
        return fail(conf, CELLA_LIMIT, "[vault] has more than %d owners", CELLA_SETTINGS_OWNERS_LIMIT);
    memmove(settings->owners[at + 1], settings->owners[at], (settings->owner_count - at) * sizeof key);
    memcpy(settings->owners[at], key, sizeof key);
    settings->owner_count++;
    conf->owner_line = conf->line;
    return 1;
}

static int set_name(struct conf *conf, const char *value) {
    size_t size = strlen(value);
    if (size == 0 || size > CELLA_SETTINGS_NAME_LIMIT || value[0] < 'a' || value[0] > 'z' ||
        strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") != size)
        return fail(conf, CELLA_CONF_VALUE,
                    "name = %.64s: allowed is a letter and then a-z 0-9 -, %d at most", value,
                    CELLA_SETTINGS_NAME_LIMIT);
    memcpy(conf->settings.name, value, size + 1);
    return 1;
}

/* Notes the line of a key; false if it was there before. */
static bool first_time(struct conf *conf, int *line, const char *key) {
    if (*line != 0) {
        (void)fail(conf, CELLA_CONF_DUPLICATE, "%s was already set in line %d", key, *line);
        return false;
    }
    *line = conf->line;
    return true;
}

static int handle(void *context, const char *section, const char *key, const char *value) {
    struct conf *conf = context;
    if (value == NULL)
        value = "";
    if (strcmp(section, "application") == 0)
        return add_application(conf, key, value);
    if (strcmp(section, "enclave") != 0 && strcmp(section, "vault") != 0 && strcmp(section, "limits") != 0)
        return unknown_section(conf, section);
    if (strcmp(section, "enclave") == 0 && strcmp(key, "name") == 0)
        return first_time(conf, &conf->name_line, "name") ? set_name(conf, value) : 0;
    if (strcmp(section, "vault") == 0 && strcmp(key, "owner") == 0)
        return add_owner(conf, value);
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        if (strcmp(rule->section, section) == 0 && strcmp(rule->key, key) == 0)
            return first_time(conf, &conf->rule_lines[i], key) ? set_number(conf, rule, value) : 0;
    }
    return unknown_key(conf, section, key);
}

static void parse_lines(struct conf *conf) {
    /* inih's defaults would cut values at " ;", join indented lines and split long ones. */
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_LIMIT;
    ini_max_line = LINE_LIMIT;
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
    int bad_line = ini_parse_stream(next_line, conf, handle, conf);
    if (conf->status == CELLA_OK && bad_line > 0) {
        conf->line = bad_line;
        (void)fail(conf, CELLA_CONF_SYNTAX, "this is neither [section], key = value nor a comment");
    } else if (conf->status == CELLA_OK && bad_line < 0)
        conf->status = cella_fail(conf->error, CELLA_NO_MEMORY, "%s: no memory to read it", conf->file_name);
}

static void set_defaults(struct cella_settings *settings) {
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++)
        cella_settings_set_number(settings, &cella_settings_rules[i], cella_settings_rules[i].default_value);
}

/* Line of the key, 0 if it is not there. */
static int line_of(const struct conf *conf, const char *key) {
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++)
        if (strcmp(cella_settings_rules[i].key, key) == 0)
            return conf->rule_lines[i];
    return 0;
}

/* What the lines of [vault] say to each other. */
static enum cella_status finish_vault(struct conf *conf) {
    struct cella_settings *settings = &conf->settings;
    int threshold_line = line_of(conf, "owner_threshold");
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT && settings->vault_kind == 0; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        conf->line = conf->rule_lines[i];
        if (conf->line != 0 && strcmp(rule->section, "vault") == 0 && strcmp(rule->key, "kind") != 0)
            (void)fail(conf, CELLA_CONF_VALUE, "%s is set, but with kind = none there is no vault",
                       rule->key);
    }
    conf->line = conf->owner_line;
    if (settings->owner_count > 0 && settings->vault_kind == 0)
        (void)fail(conf, CELLA_CONF_VALUE, "owner is set, but with kind = none there is no vault");
    else if (settings->owner_count > 1 && threshold_line == 0)
        (void)fail(conf, CELLA_CONF_MISSING,
                   "there are %zu owners: say with owner_threshold how many must sign a restore",
                   settings->owner_count);
    if (threshold_line == 0 && settings->owner_count == 1)
        settings->owner_threshold = 1;
    conf->line = threshold_line;
    if (threshold_line != 0 && settings->owner_count == 0)
        (void)fail(conf, CELLA_CONF_VALUE, "owner_threshold is set, but there is no owner");
    else if (threshold_line != 0 &&
             (settings->owner_threshold == 0 || settings->owner_threshold > settings->owner_count))
        (void)fail(conf, CELLA_CONF_VALUE, "owner_threshold = %u: allowed is 1 to %zu, the number of owners",
                   settings->owner_threshold, settings->owner_count);
    return conf->status;
}

static enum cella_status finish(struct conf *conf) {
    struct cella_settings *settings = &conf->settings;
    int mail_line = line_of(conf, "max_mail_size");
    if (conf->name_line == 0)
        return cella_fail(conf->error, CELLA_CONF_MISSING, "%s: name is missing in [enclave]",
                          conf->file_name);
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        if (rule->required && conf->rule_lines[i] == 0)
            return cella_fail(conf->error, CELLA_CONF_MISSING, "%s: %s is missing in [%s]", conf->file_name,
                              rule->key, rule->section);
    }
    /* A small heap lowers the default, so that it alone is enough to write. */
    if (mail_line == 0 && settings->max_mail_size > settings->heap_size / 4)
        settings->max_mail_size = settings->heap_size / 4;
    enum cella_status status = finish_vault(conf);
    if (status != CELLA_OK)
        return status;
    int line =
        settings->max_mail_size > settings->heap_size / 4 ? mail_line : line_of(conf, "max_transaction_size");
    status = cella_settings_check(settings, conf->error);
    if (status != CELLA_OK)
        status = line != 0 ? cella_fail_context(conf->error, status, "%s:%d", conf->file_name, line)
                           : cella_fail_context(conf->error, status, "%s", conf->file_name);
    return status;
}

enum cella_status cella_conf_parse(const char *file_name, struct cella_bytes text,
                                   struct cella_settings *ret_settings, struct cella_error *error) {
    if (text.size > CELLA_CONF_SIZE_LIMIT)
        return cella_fail(error, CELLA_LIMIT, "%s has %zu bytes, at most %d are accepted", file_name,
                          text.size, CELLA_CONF_SIZE_LIMIT);
    if (text.size > 0 && memchr(text.data, 0, text.size) != NULL)
        return cella_fail(error, CELLA_CONF_SYNTAX, "%s holds a zero byte: it is no text", file_name);
    char *copy = malloc(text.size + 1);
    struct conf conf = {.file_name = file_name, .rest = copy, .error = error};
    /* A line "k=v" and its end are as long as both texts with their terminators; the last line has no end. */
    conf.settings.storage = malloc(text.size + 2);
    if (copy == NULL || conf.settings.storage == NULL) {
        conf.status = cella_fail(error, CELLA_NO_MEMORY, "%s: no memory to read it", file_name);
    } else {
        if (text.size > 0)
            memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
        set_defaults(&conf.settings);
        parse_lines(&conf);
    }
    if (conf.status == CELLA_OK)
        conf.status = finish(&conf);
    free(copy);
    if (conf.status == CELLA_OK)
        *ret_settings = conf.settings;
    else
        cella_settings_deinit(&conf.settings);
    return conf.status;
}
