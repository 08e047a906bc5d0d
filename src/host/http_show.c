/* What the host tells about itself and its enclaves as JSON. Must not: hide a weak choice. */
#include "base/hex.h"
#include "host/http_internal.h"
#include <jansson.h>
#include <string.h>
#include <unistd.h>

static const char *phase_name(enum cella_host_phase phase) {
    static const char *const names[] = {"starting", "running", "stopped", "ended"};
    return names[phase];
}

/* Weak choices carry it in their name and are shown in every status. */
static json_t *weak_choices(const struct cella_host_enclave_state *state) {
    json_t *list = json_array();
    if (state->simulated)
        json_array_append_new(list, json_string("SIMULATED machine (INSECURE)"));
    if (state->debug)
        json_array_append_new(list, json_string("debug image"));
    if (state->phase == CELLA_HOST_RUNNING && !state->confined)
        json_array_append_new(list, json_string("no namespaces: only the system call filter confines it"));
    if (state->starts > 0 && !state->vault.present)
        json_array_append_new(list, json_string("no vault: it keeps nothing beyond its own end"));
    if (state->vault.present && !state->vault.freshness_known)
        json_array_append_new(list,
                              json_string("vault bound to one machine (machine counter): rollback within "
                                          "an epoch is detected by clients only"));
    return list;
}

static void add_hex(json_t *object, const char *key, const uint8_t *data, size_t size) {
    char text[65];
    cella_hex_encode(data, size, text);
    json_object_set_new(object, key, json_string(text));
}

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

/* What anybody may know, and clients need. */
static json_t *show_public(const struct cella_host_enclave_state *state) {
    json_t *object = json_pack("{s:s, s:s}", "name", state->name, "phase", phase_name(state->phase));
    if (object == NULL || state->starts == 0)
        return object;
    add_hex(object, "code_hash", state->code_hash, sizeof state->code_hash);
    add_hex(object, "code_signer", state->code_signer, sizeof state->code_signer);
    json_object_set_new(object, "product_id", json_integer(state->product_id));
    json_object_set_new(object, "security_version", json_integer(state->security_version));
    json_object_set_new(object, "weak", weak_choices(state));
    return object;
}

static void add_text(json_t *object, const char *key, const char *text) {
    json_t *value = json_string(text);
    json_object_set_new(object, key, value != NULL ? value : json_string("(not readable)"));
}

static json_t *show_vault(const struct cella_host_vault_state *vault) {
    json_t *object = json_object();
    add_hex(object, "id", vault->vault_id, sizeof vault->vault_id);
    json_object_set_new(object, "lineage", number(vault->lineage));
    json_object_set_new(object, "epoch", number(vault->epoch));
    json_object_set_new(object, "version", number(vault->version));
    json_object_set_new(object, "snapshot_version", number(vault->snapshot_version));
    json_object_set_new(object, "keys_at_start", number(vault->keys));
    json_object_set_new(object, "state_bytes_at_start", number(vault->state_size));
    json_object_set_new(object, "records_replayed", number(vault->records));
    json_object_set_new(object, "records_dropped", number(vault->dropped_records));
    json_object_set_new(object, "torn_bytes", number(vault->torn_bytes));
    json_object_set_new(object, "freshness_known", json_boolean(vault->freshness_known));
    json_object_set_new(object, "restored", json_boolean(vault->restored));
    json_object_set_new(object, "outdated_keys", json_boolean(vault->outdated_keys));
    json_object_set_new(object, "evidence", number(vault->evidence));
    json_object_set_new(object, "storage", json_string(cella_status_name(vault->storage)));
    if (vault->storage != CELLA_OK)
        add_text(object, "storage_reason", vault->storage_message);
    json_object_set_new(object, "written_bytes", number(vault->written_bytes));
    json_object_set_new(object, "flushes", number(vault->flushes));
    json_object_set_new(object, "write_failures", number(vault->write_failures));
    json_object_set_new(object, "queued_bytes", number(vault->queued_bytes));
    return object;
}

static json_t *show_operator(const struct cella_host_enclave_state *state) {
    json_t *object = show_public(state);
    if (object == NULL)
        return NULL;
    json_object_set_new(object, "process", json_integer(state->process_id));
    json_object_set_new(object, "instance_process", json_integer(state->instance_process_id));
    json_object_set_new(object, "resident_bytes", number(cella_http_resident_of(state)));
    json_object_set_new(object, "started_at", json_integer(state->started_at));
    json_object_set_new(object, "attested_at", json_integer(state->attested_at));
    json_object_set_new(object, "starts", number(state->starts));
    json_object_set_new(object, "ends", number(state->ends));
    json_object_set_new(object, "mails", number(state->mails));
    json_object_set_new(object, "mail_bytes", number(state->mail_bytes));
    json_object_set_new(object, "calls", number(state->calls));
    json_object_set_new(object, "posts", number(state->posts));
    json_object_set_new(object, "posts_delivered", number(state->posts_delivered));
    json_object_set_new(object, "posts_dropped", number(state->posts_dropped));
    json_object_set_new(object, "posts_waiting", number(state->queue_mails));
    json_object_set_new(object, "posts_waiting_bytes", number(state->queue_bytes));
    json_object_set_new(object, "polls_waiting", json_integer(state->polls));
    if (state->phase == CELLA_HOST_ENDED) {
        json_object_set_new(object, "end_status", json_string(cella_status_name(state->end_status)));
        add_text(object, "end_reason", state->end_reason);
        json_object_set_new(object, "end_hint", json_string(cella_status_remedy(state->end_status)));
    }
    if (state->vault.present)
        json_object_set_new(object, "vault", show_vault(&state->vault));
    return object;
}

struct list {
    json_t *array;
    json_t *(*show)(const struct cella_host_enclave_state *state);
};

static void add_enclave(void *context, struct cella_host_enclave *enclave) {
    struct list *list = context;
    struct cella_host_enclave_state state;
    cella_host_enclave_state(enclave, &state);
    json_array_append_new(list->array, list->show(&state));
}

static enum MHD_Result answer_json(struct cella_http_request *request, json_t *object) {
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return cella_http_answer_text(request, MHD_HTTP_OK, "application/json", text,
                                  text == NULL ? 0 : strlen(text));
}

enum MHD_Result cella_http_show_enclaves(struct cella_http_request *request) {
    struct list list = {.array = json_array(), .show = show_public};
    cella_host_each(request->http->host, add_enclave, &list);
    return answer_json(request, json_pack("{s:o}", "enclaves", list.array));
}

enum MHD_Result cella_http_show_status(struct cella_http_request *request) {
    struct cella_http *http = request->http;
    struct list list = {.array = json_array(), .show = show_operator};
    cella_host_each(http->host, add_enclave, &list);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    json_t *host = json_pack(
        "{s:i, s:I, s:I, s:i, s:b, s:b}", "process", (int)getpid(), "started_at",
        (json_int_t)http->started_at, "resident_bytes", (json_int_t)cella_http_resident_bytes(getpid()),
        "connections", info == NULL ? 0 : (int)info->num_connections, "tls", http->options.key_path != NULL,
        "operator_remote", (int)http->options.operator_remote);
    return answer_json(request, json_pack("{s:o, s:o}", "host", host, "enclaves", list.array));
}
