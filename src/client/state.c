/* The client's state as bytes. Must not: accept a state that was changed or cut by accident. */
#include "client/state.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[8] = {'C', 'E', 'L', 'L', 'A', 'C', 'L', 'I'};

enum {
    FORMAT_VERSION = 1,
    FLAG_HAVE = 1,
    FLAG_PINNED = 2,
    FLAG_SESSION = 4,
    FLAG_MET = 8,
    FLAG_FORKED = 16,
    FLAGS_KNOWN = 31
};

bool cella_client_state_has_vault(const struct cella_client_state *state) {
    static const uint8_t zeros[CELLA_VAULT_ID_SIZE];
    return state->pinned && memcmp(state->vault_id, zeros, sizeof zeros) != 0;
}

void cella_client_state_deinit(struct cella_client_state *state) {
    free(state->url);
    free(state->enclave);
    free(state->constraint);
    cella_wipe_free(state->session, state->session_size);
    cella_wipe(state, sizeof *state);
}

static size_t size_of(const struct cella_client_state *state) {
    return 4096 + strlen(state->url) + strlen(state->enclave) + strlen(state->constraint) +
           state->pending_count * sizeof state->pending[0] + state->session_size;
}

static void write_text(struct cella_writer *writer, const char *text) {
    cella_write_sized(writer, CELLA_BYTES(text, strlen(text)));
}

static unsigned flags_of(const struct cella_client_state *state) {
    return (state->has_have ? FLAG_HAVE : 0u) | (state->pinned ? FLAG_PINNED : 0u) |
           (state->session != NULL ? FLAG_SESSION : 0u) | (state->met ? FLAG_MET : 0u) |
           (state->forked ? FLAG_FORKED : 0u);
}

static void write_head(struct cella_writer *writer, const struct cella_signed_head *head) {
    uint8_t bytes[CELLA_SIGNED_HEAD_SIZE];
    cella_signed_head_write(head, bytes);
    cella_write_bytes(writer, bytes, sizeof bytes);
}

static void write_known(struct cella_writer *writer, const struct cella_client_state *state) {
    const struct cella_vault_known *known = &state->known;
    cella_write_sized(writer, CELLA_BYTES(known->genesis, known->genesis_size));
    cella_write_u8(writer, (uint8_t)(known->has_head ? 1 + known->doubt_count : 0));
    if (known->has_head)
        write_head(writer, &known->head);
    for (unsigned i = 0; known->has_head && i < known->doubt_count; i++)
        write_head(writer, &known->doubts[i]);
    cella_write_u64(writer, state->told);
    cella_write_u32(writer, state->fork_number);
}

static void write_pending(struct cella_writer *writer, const struct cella_client_state *state) {
    cella_write_u16(writer, (uint16_t)state->pending_count);
    for (size_t i = 0; i < state->pending_count; i++) {
        const struct cella_client_pending *entry = &state->pending[i];
        size_t size = strlen(entry->topic);
        cella_write_u8(writer, (uint8_t)entry->outcome);
        cella_write_u8(writer, (uint8_t)size);
        cella_write_bytes(writer, entry->topic, size);
        cella_write_bytes(writer, entry->digest, sizeof entry->digest);
    }
}

enum cella_status cella_client_state_write(const struct cella_client_state *state, uint8_t **ret_data,
                                           size_t *ret_size) {
    size_t capacity = size_of(state);
    uint8_t *data = malloc(capacity);
    if (data == NULL)
        return CELLA_NO_MEMORY;
    struct cella_writer writer;
    cella_writer_init(&writer, data, capacity);
    cella_write_bytes(&writer, magic, sizeof magic);
    cella_write_u16(&writer, FORMAT_VERSION);
    cella_write_u16(&writer, (uint16_t)flags_of(state));
    cella_write_bytes(&writer, state->private_key, sizeof state->private_key);
    cella_write_bytes(&writer, state->route, sizeof state->route);
    write_text(&writer, state->url);
    write_text(&writer, state->enclave);
    write_text(&writer, state->constraint);
    cella_write_bytes(&writer, state->have, sizeof state->have);
    cella_write_bytes(&writer, state->vault_id, sizeof state->vault_id);
    cella_write_bytes(&writer, state->warden_group, sizeof state->warden_group);
    cella_write_u64(&writer, state->warden_lineage);
    cella_write_u32(&writer, state->floors.tcb_evaluation_number);
    cella_write_u64(&writer, state->floors.root_crl_number);
    cella_write_u64(&writer, state->floors.pck_crl_number);
    cella_write_u64(&writer, (uint64_t)state->floors.issued);
    write_known(&writer, state);
    write_pending(&writer, state);
    cella_write_sized(&writer, CELLA_BYTES(state->session, state->session_size));
    uint8_t digest[CELLA_SHA256_SIZE];
    cella_sha256(data, writer.size, digest);
    cella_write_bytes(&writer, digest, sizeof digest);
    CELLA_ASSERT(!writer.failed);
    *ret_data = data;
    *ret_size = writer.size;
    return CELLA_OK;
}

/* A copy with a terminator; NULL if it holds a zero or there is no memory. */
static char *read_text(struct cella_reader *reader, size_t limit) {
    struct cella_bytes bytes = cella_read_sized(reader, limit);
    if (reader->failed || (bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != NULL))
        return NULL;
    return bytes.size == 0 ? strdup("") : strndup((const char *)bytes.data, bytes.size);
}

static bool read_head(struct cella_reader *reader, const struct cella_client_state *state,
                      struct cella_signed_head *ret_head) {
    const uint8_t *bytes = cella_read_view(reader, CELLA_SIGNED_HEAD_SIZE);
    return bytes != NULL &&
           cella_signed_head_parse(CELLA_BYTES(bytes, CELLA_SIGNED_HEAD_SIZE), ret_head, NULL) == CELLA_OK &&
           memcmp(ret_head->vault_id, state->vault_id, sizeof state->vault_id) == 0;
}

/* A vault has its genesis, and only a vault has one. */
static bool read_known(struct cella_reader *reader, struct cella_client_state *state) {
    struct cella_vault_known *known = &state->known;
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    struct cella_bytes genesis = cella_read_sized(reader, sizeof known->genesis);
    unsigned heads = cella_read_u8(reader);
    bool has_vault = cella_client_state_has_vault(state);
    if (reader->failed || has_vault != (genesis.size > 0) || (!has_vault && (heads > 0 || state->forked)) ||
        heads > 1 + CELLA_CONTEXT_DOUBTS_MAX)
        return false;
    if (has_vault) {
        cella_genesis_vault_id(genesis, vault_id);
        if (memcmp(vault_id, state->vault_id, sizeof vault_id) != 0)
            return false;
        memcpy(known->genesis, genesis.data, genesis.size);
        known->genesis_size = genesis.size;
    }
    known->has_head = heads > 0;
    known->doubt_count = heads > 0 ? heads - 1 : 0;
    if (known->has_head && !read_head(reader, state, &known->head))
        return false;
    for (unsigned i = 0; i < known->doubt_count; i++)
        if (!read_head(reader, state, &known->doubts[i]))
            return false;
    state->told = cella_read_u64(reader);
    state->fork_number = cella_read_u32(reader);
    return !reader->failed;
}

static bool read_pending(struct cella_reader *reader, struct cella_client_state *state) {
    size_t count = cella_read_u16(reader);
    if (count > CELLA_CLIENT_PENDING_LIMIT)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct cella_client_pending *entry = &state->pending[i];
        unsigned outcome = cella_read_u8(reader);
        size_t size = cella_read_u8(reader);
        const uint8_t *topic = cella_read_view(reader, size);
        if (topic == NULL || outcome < CELLA_CLIENT_IN_DOUBT || outcome > CELLA_CLIENT_LOST ||
            !cella_mail_topic_valid(CELLA_BYTES(topic, size)))
            return false;
        entry->outcome = (enum cella_client_outcome)outcome;
        memcpy(entry->topic, topic, size);
        entry->topic[size] = '\0';
        cella_read_copy(reader, entry->digest, sizeof entry->digest);
    }
    state->pending_count = count;
    return !reader->failed;
}

static bool read_session(struct cella_reader *reader, struct cella_client_state *state, bool expected) {
    struct cella_bytes session = cella_read_sized(reader, CELLA_CLIENT_SESSION_LIMIT);
    if (!cella_reader_done(reader) || (session.size > 0) != expected)
        return false;
    if (!expected)
        return true;
    state->session = malloc(session.size);
    if (state->session == NULL)
        return false;
    memcpy(state->session, session.data, session.size);
    state->session_size = session.size;
    return true;
}

static bool read_all(struct cella_reader *reader, struct cella_client_state *state) {
    unsigned flags = cella_read_u16(reader);
    if ((flags & ~(unsigned)FLAGS_KNOWN) != 0)
        return false;
    state->has_have = (flags & FLAG_HAVE) != 0;
    state->pinned = (flags & FLAG_PINNED) != 0;
    state->met = (flags & FLAG_MET) != 0;
    state->forked = (flags & FLAG_FORKED) != 0;
    cella_read_copy(reader, state->private_key, sizeof state->private_key);
    cella_read_copy(reader, state->route, sizeof state->route);
    state->url = read_text(reader, CELLA_CLIENT_URL_LIMIT);
    state->enclave = read_text(reader, CELLA_CLIENT_NAME_LIMIT);
    state->constraint = read_text(reader, CELLA_CONSTRAINT_LINE_MAX);
    if (state->url == NULL || state->enclave == NULL || state->constraint == NULL)
        return false;
    cella_read_copy(reader, state->have, sizeof state->have);
    cella_read_copy(reader, state->vault_id, sizeof state->vault_id);
    cella_read_copy(reader, state->warden_group, sizeof state->warden_group);
    state->warden_lineage = cella_read_u64(reader);
    state->floors.tcb_evaluation_number = cella_read_u32(reader);
    state->floors.root_crl_number = cella_read_u64(reader);
    state->floors.pck_crl_number = cella_read_u64(reader);
    state->floors.issued = (int64_t)cella_read_u64(reader);
    return read_known(reader, state) && read_pending(reader, state) &&
           read_session(reader, state, (flags & FLAG_SESSION) != 0);
}

enum cella_status cella_client_state_parse(struct cella_bytes data, struct cella_client_state *ret_state,
                                           struct cella_error *error) {
    struct cella_client_state state = {.has_have = false};
    uint8_t digest[CELLA_SHA256_SIZE];
    if (data.size < sizeof magic + 2 + sizeof digest || memcmp(data.data, magic, sizeof magic) != 0)
        return cella_fail(error, CELLA_CLIENT_STATE, "the file is not a client's state");
    size_t size = data.size - sizeof digest;
    cella_sha256(data.data, size, digest);
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(data.data, size));
    cella_read_view(&reader, sizeof magic);
    unsigned version = cella_read_u16(&reader);
    if (memcmp(digest, data.data + size, sizeof digest) != 0)
        return cella_fail(error, CELLA_CLIENT_STATE, "the checksum of the state does not fit");
    if (version > FORMAT_VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "the state has format version %u", version);
    if (version != FORMAT_VERSION || !read_all(&reader, &state)) {
        cella_client_state_deinit(&state);
        return cella_fail(error, CELLA_CLIENT_STATE, "the state is not well formed");
    }
    *ret_state = state;
    return CELLA_OK;
}

struct cella_client_pending *cella_client_pending_find(struct cella_client_state *state, const char *topic) {
    for (size_t i = 0; i < state->pending_count; i++)
        if (strcmp(state->pending[i].topic, topic) == 0)
            return &state->pending[i];
    return NULL;
}

enum cella_status cella_client_pending_set(struct cella_client_state *state, const char *topic,
                                           enum cella_client_outcome outcome, const uint8_t digest[32]) {
    struct cella_client_pending *entry = cella_client_pending_find(state, topic);
    if (entry == NULL && state->pending_count == CELLA_CLIENT_PENDING_LIMIT)
        return CELLA_LIMIT;
    if (entry == NULL)
        entry = &state->pending[state->pending_count++];
    size_t size = strlen(topic);
    CELLA_ASSERT(size < sizeof entry->topic);
    memmove(entry->topic, topic, size + 1);
    entry->outcome = outcome;
    if (digest != entry->digest)
        memcpy(entry->digest, digest, sizeof entry->digest);
    return CELLA_OK;
}

void cella_client_pending_clear(struct cella_client_state *state, const char *topic) {
    struct cella_client_pending *entry = cella_client_pending_find(state, topic);
    if (entry != NULL)
        *entry = state->pending[--state->pending_count];
}

void cella_client_pending_lose(struct cella_client_state *state) {
    size_t kept = 0;
    for (size_t i = 0; i < state->pending_count; i++) {
        enum cella_client_outcome outcome = state->pending[i].outcome;
        if (outcome != CELLA_CLIENT_IN_DOUBT && outcome != CELLA_CLIENT_LOST)
            continue;
        state->pending[kept] = state->pending[i];
        state->pending[kept++].outcome = CELLA_CLIENT_LOST;
    }
    state->pending_count = kept;
}
