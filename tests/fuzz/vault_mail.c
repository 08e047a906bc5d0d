/* What is kept of mail in a vault: the first byte chooses the form; what a parser accepts is written again as
 * the same bytes. */
#include "base/error.h"
#include "mail/keep.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct cella_bytes left, struct cella_bytes right) {
    CELLA_ASSERT(left.size == right.size && memcmp(left.data, right.data, left.size) == 0);
}

static void read_state(struct cella_bytes bytes) {
    struct cella_keep_state state;
    uint8_t out[CELLA_KEEP_STATE_SIZE];
    if (cella_keep_state_parse(bytes, &state) != CELLA_OK)
        return;
    cella_keep_state_write(&state, out);
    same(CELLA_BYTES(out, sizeof out), bytes);
}

static void read_place(struct cella_bytes bytes, enum cella_keep_order order) {
    struct cella_bytes topic;
    uint8_t sender[CELLA_MAIL_KEY_SIZE], out[CELLA_KEEP_PLACE_MAX];
    if (cella_keep_place_parse(bytes, order, sender, &topic) == CELLA_OK)
        same(CELLA_BYTES(out, cella_keep_place_write(sender, topic, out)), bytes);
}

static void read_sender(struct cella_bytes bytes) {
    struct cella_keep_sender sender;
    uint8_t out[CELLA_KEEP_SENDER_SIZE];
    if (cella_keep_sender_parse(bytes, &sender) != CELLA_OK)
        return;
    cella_keep_sender_write(&sender, out);
    same(CELLA_BYTES(out, sizeof out), bytes);
}

static void read_topic(struct cella_bytes bytes) {
    struct cella_keep_topic topic;
    uint8_t *value = NULL;
    size_t size = 0;
    if (cella_keep_topic_parse(bytes, &topic) != CELLA_OK)
        return;
    CELLA_ASSERT(cella_keep_topic_write(&topic, &value, &size) == CELLA_OK);
    same(CELLA_BYTES(value, size), bytes);
    free(value);
}

static void read_post(struct cella_bytes bytes) {
    struct cella_keep_post post;
    uint8_t *value = NULL;
    size_t size = 0;
    if (cella_keep_post_parse(bytes, &post) != CELLA_OK)
        return;
    CELLA_ASSERT(cella_keep_post_write(&post, &value, &size) == CELLA_OK);
    same(CELLA_BYTES(value, size), bytes);
    free(value);
}

static void read_key(struct cella_bytes bytes) {
    struct cella_keep_name name;
    struct cella_keep_key key;
    if (cella_keep_key_parse(bytes, &name) != CELLA_OK)
        return;
    if (!name.is_sender)
        cella_keep_order_key(&key, name.order, name.place);
    else if (name.part == CELLA_KEEP_SENDER)
        cella_keep_sender_key(&key, name.sender);
    else if (name.part == CELLA_KEEP_OUTBOX)
        cella_keep_outbox_key(&key, name.sender, name.place);
    else
        cella_keep_topic_key(&key, name.sender, name.part, name.topic);
    same(CELLA_KEEP_BYTES(key), bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t fingerprint[CELLA_FINGERPRINT_KEY_SIZE];
    uint64_t sequence;
    if (size == 0)
        return 0;
    struct cella_bytes bytes = CELLA_BYTES(data + 1, size - 1);
    switch (data[0] % 9) {
    case 0:
        read_key(bytes);
        break;
    case 1:
        read_state(bytes);
        break;
    case 2:
        (void)cella_keep_fingerprint_parse(bytes, fingerprint);
        break;
    case 3:
        read_place(bytes, CELLA_KEEP_HEARD);
        break;
    case 4:
        read_place(bytes, CELLA_KEEP_REPLIES);
        break;
    case 5:
        read_sender(bytes);
        break;
    case 6:
        read_topic(bytes);
        break;
    case 7:
        (void)cella_keep_posts_parse(bytes, &sequence);
        break;
    default:
        read_post(bytes);
    }
    return 0;
}
