/* Idle clients for the benchmarks of commits: senders that have each made one request, written as the mailbox
 * keeps them (formats/vault-mail.md), because a million handshakes would take minutes. Must not: be in any
 * real enclave. */
#include "idle.h"
#include "enclave/runtime.h"
#include "mail/keep.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status put(struct cella_keep_key key, struct cella_bytes value) {
    return cella_vault_put(cella_runtime.vault, CELLA_SPACE_MAIL, CELLA_KEEP_BYTES(key), value);
}

static enum cella_status add_topic(const uint8_t *sender) {
    const struct cella_keep_topic topic = {.next_sequence = 1, .reply_state = CELLA_REPLY_NONE};
    struct cella_keep_key key;
    uint8_t *value = NULL;
    size_t size = 0;
    enum cella_status status = cella_keep_topic_write(&topic, &value, &size);
    if (status != CELLA_OK)
        return status;
    cella_keep_topic_key(&key, sender, CELLA_KEEP_TOPIC, CELLA_BYTES("bench", 5));
    status = put(key, CELLA_BYTES(value, size));
    free(value);
    return status;
}

static enum cella_status add_sender(uint64_t place) {
    uint8_t sender[CELLA_MAIL_KEY_SIZE];
    uint8_t out[CELLA_KEEP_PLACE_MAX];
    struct cella_keep_key key;
    enum cella_status status = cella_random(sender, sizeof sender);
    if (status != CELLA_OK)
        return status;
    const struct cella_keep_sender entry = {
        .has_route = true, .has_birth = true, .place = place, .topic_count = 1};
    cella_keep_sender_write(&entry, out);
    cella_keep_sender_key(&key, sender);
    status = put(key, CELLA_BYTES(out, CELLA_KEEP_SENDER_SIZE));
    if (status != CELLA_OK)
        return status;
    size_t size = cella_keep_place_write(sender, CELLA_BYTES(NULL, 0), out);
    cella_keep_order_key(&key, CELLA_KEEP_HEARD, place);
    status = put(key, CELLA_BYTES(out, size));
    return status == CELLA_OK ? add_topic(sender) : status;
}

enum cella_status idle_add(uint64_t count) {
    struct cella_keep_state state;
    struct cella_keep_key key;
    struct cella_bytes value;
    uint8_t out[CELLA_KEEP_STATE_SIZE];
    cella_keep_state_key(&key);
    if (!cella_vault_get(cella_runtime.vault, CELLA_SPACE_MAIL, CELLA_KEEP_BYTES(key), &value))
        return CELLA_NOT_FOUND;
    enum cella_status status = cella_keep_state_parse(value, &state);
    for (uint64_t i = 0; i < count && status == CELLA_OK; i++)
        status = add_sender(state.heard + 1 + i);
    if (status != CELLA_OK)
        return status;
    state.heard += count;
    state.senders += count;
    cella_keep_state_write(&state, out);
    return put(key, CELLA_BYTES(out, sizeof out));
}
