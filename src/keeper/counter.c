/* The counter leaves in the instance process. A read that is not the first is a load from the machine's
 * memory of counters, mapped before the sandbox was closed. Runs in signal handlers: no thread-local storage,
 * no stack protector. */
#include "enclave/thread_data.h"
#include "keeper/keeper.h"
#include <string.h>

static bool read_known(struct keeper_instance *instance, const uint8_t *name, uint64_t *ret_value) {
    for (size_t i = 0; i < KEEPER_COUNTERS; i++) {
        const struct keeper_counter *counter = &instance->known_counters[i];
        if (__atomic_load_n(&counter->ready, __ATOMIC_ACQUIRE) == 0 ||
            memcmp(counter->name, name, sizeof counter->name) != 0)
            continue;
        uint64_t value = cella_machine_counter_load(instance->counters, counter->offset);
        if (value == CELLA_COUNTER_GONE)
            return false;
        *ret_value = value;
        return true;
    }
    return false;
}

/* Keeps where the counter lies, if there is room. The memory must agree with what the machine just said: it
 * may be of a file that has been replaced since. */
static void remember(struct keeper_instance *instance, const uint8_t *name, uint64_t value, uint64_t offset) {
    uint64_t seen = cella_machine_counter_load(instance->counters, offset);
    if (seen == CELLA_COUNTER_GONE || seen < value)
        return;
    for (size_t i = 0; i < KEEPER_COUNTERS; i++) {
        struct keeper_counter *counter = &instance->known_counters[i];
        if (__atomic_exchange_n(&counter->taken, 1, __ATOMIC_ACQ_REL) != 0)
            continue;
        memcpy(counter->name, name, sizeof counter->name);
        counter->offset = offset;
        __atomic_store_n(&counter->ready, 1, __ATOMIC_RELEASE);
        return;
    }
}

enum cella_status keeper_counter_call(struct keeper_instance *instance, uint32_t leaf,
                                      const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t *value) {
    uint8_t input[CELLA_COUNTER_NAME_SIZE + sizeof *value];
    uint64_t words[2];
    if (leaf == ENCLU_COUNTER_READ && read_known(instance, name, value))
        return CELLA_OK;
    memcpy(input, name, CELLA_COUNTER_NAME_SIZE);
    memcpy(input + CELLA_COUNTER_NAME_SIZE, value, sizeof *value);
    enum cella_status status = (enum cella_status)keeper_machine_call(instance->shared, leaf, input,
                                                                      sizeof input, words, sizeof words);
    if (status == CELLA_OK && leaf == ENCLU_COUNTER_READ) {
        remember(instance, name, words[0], words[1]);
        *value = words[0];
    }
    return status;
}
