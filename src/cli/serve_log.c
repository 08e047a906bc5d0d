/* Log lines of a host. Must not: lose the order of lines, or write half a line. */
#include "cli/serve_log.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum cli_log_level level_of(const char *name) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum cli_log_level)i;
    return CLI_LOG_ERROR;
}

static void write_time(char out[40]) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + size, 40 - size, ".%03ldZ", now.tv_nsec / 1000000);
}

/* "key=value key=\"quoted value\"" into members. */
static void add_facts(json_t *object, const char *facts) {
    while (*facts != '\0') {
        size_t key_size = strcspn(facts, "= ");
        if (facts[key_size] != '=')
            return;
        const char *value = facts + key_size + 1;
        bool quoted = *value == '"';
        value += quoted ? 1 : 0;
        size_t size = strcspn(value, quoted ? "\"" : " ");
        char *key = strndup(facts, key_size);
        if (key != NULL)
            json_object_set_new(object, key, json_stringn(value, size));
        free(key);
        facts = value + size + (quoted && value[size] == '"' ? 1 : 0);
        facts += strspn(facts, " ");
    }
}

static void log_json(const char *time, const char *level, const char *enclave, const char *event,
                     const char *facts) {
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s}", "time", time, "level", level, "component", "host", "event", event);
    if (object == NULL)
        return;
    if (enclave != NULL)
        json_object_set_new(object, "enclave", json_string(enclave));
    add_facts(object, facts);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text != NULL)
        fprintf(stderr, "%s\n", text);
    free(text);
}

void cli_serve_log(void *context, const char *level, const char *enclave, const char *event,
                   const char *facts) {
    const struct cli_serve_log *log = context;
    char time[40];
    if (level_of(level) < log->level)
        return;
    write_time(time);
    if (log->json)
        log_json(time, level, enclave, event, facts);
    else
        fprintf(stderr, "%s %s host %s%s%s%s%s\n", time, level, event, enclave != NULL ? " enclave=" : "",
                enclave != NULL ? enclave : "", facts[0] != '\0' ? " " : "", facts);
}
