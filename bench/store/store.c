/* The enclave of the state benchmarks: puts one key, loads many, reads many, as its host's calls say. */
#include "idle.h"
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 16, VALUE_SIZE = 100 };

static uint64_t read_u64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct cella_bytes key_of(uint64_t number, char out[KEY_SIZE + 1]) {
    (void)snprintf(out, KEY_SIZE + 1, "%016llx", (unsigned long long)mix(number + 1));
    return CELLA_BYTES(out, KEY_SIZE);
}

/* Keys `first` to `first + count`, each with a value of its own. */
static enum cella_status load(struct cella_transaction *transaction, uint64_t first, uint64_t count) {
    enum cella_status status = CELLA_OK;
    for (uint64_t i = first; i < first + count && status == CELLA_OK; i++) {
        char key[KEY_SIZE + 1];
        uint8_t value[VALUE_SIZE];
        memset(value, (int)(i & 0xff), sizeof value);
        memcpy(value, &i, sizeof i);
        status = cella_put(transaction, key_of(i, key), CELLA_BYTES(value, sizeof value));
    }
    return status;
}

/* `count` random reads among the first `range` keys; fails unless all are there. */
static enum cella_status read_many(struct cella_transaction *transaction, uint64_t seed, uint64_t count,
                                   uint64_t range) {
    for (uint64_t i = 0; i < count; i++) {
        char key[KEY_SIZE + 1];
        struct cella_bytes value;
        uint64_t number = mix(seed + i) % range;
        enum cella_status status = cella_get(transaction, key_of(number, key), &value);
        if (status != CELLA_OK || value.size != VALUE_SIZE || read_u64(value.data) != number)
            return CELLA_FAILED;
    }
    return CELLA_OK;
}

static enum cella_status on_call(struct cella_transaction *transaction, struct cella_bytes request) {
    const uint8_t *data = request.data;
    uint64_t count = 0;
    enum cella_status status = CELLA_ARGUMENT;
    if (request.size == 1 + KEY_SIZE + VALUE_SIZE && data[0] == 'P')
        return cella_put(transaction, CELLA_BYTES(data + 1, KEY_SIZE),
                         CELLA_BYTES(data + 1 + KEY_SIZE, VALUE_SIZE));
    if (request.size == 17 && data[0] == 'L')
        return load(transaction, read_u64(data + 1), read_u64(data + 9));
    if (request.size == 25 && data[0] == 'G')
        return read_many(transaction, read_u64(data + 1), read_u64(data + 9), read_u64(data + 17));
    if (request.size == 9 && data[0] == 'I')
        return idle_add(read_u64(data + 1));
    if (request.size == 1 && data[0] == 'C')
        status = cella_count(transaction, &(struct cella_range){.backwards = false}, &count);
    return status == CELLA_OK ? cella_reply(transaction, CELLA_BYTES(&count, sizeof count)) : status;
}

/* A put as mail: the body is what the call has behind its first byte. */
static enum cella_status on_mail(struct cella_transaction *transaction, const struct cella_mail *mail) {
    if (mail->body.size != KEY_SIZE + VALUE_SIZE)
        return CELLA_ARGUMENT;
    return cella_put(transaction, CELLA_BYTES(mail->body.data, KEY_SIZE),
                     CELLA_BYTES(mail->body.data + KEY_SIZE, VALUE_SIZE));
}

int main(void) {
    static const struct cella_enclave store = {.mail = on_mail, .call = on_call};
    return cella_enclave_run(&store);
}
