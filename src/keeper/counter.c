/* The counter leaves in the instance process. A read that is not the first is a load from the machine's
 * memory of counters, mapped before the sandbox was closed. Runs in signal handlers: no thread-local storage,
 * no stack protector. */
#include "enclave/thread_data.h"
#include "keeper/keeper.h"
#include <string.h>

static const struct keeper_counter *find_known(const struct keeper_instance *instance, const uint8_t *name) {
    for (size_t i = 0; i < KEEPER_COUNTERS; i++) {
        const struct keeper_counter *counter = &instance->known_counters[i];
        if (__atomic_load_n(&counter->ready, __ATOMIC_ACQUIRE) != 0 &&
            memcmp(counter->name, name, sizeof counter->name) == 0)
            return counter;
    }
    return NULL;
}

static bool read_known(const struct keeper_instance *instance, const uint8_t *name, uint64_t *ret_value) {
    const struct keeper_counter *counter = find_known(instance, name);
    uint64_t value = counter == NULL ? CELLA_COUNTER_GONE
                                     : cella_machine_counter_load(instance->counters, counter->offset);
    if (value == CELLA_COUNTER_GONE)
        return false;
    *ret_value = value;
    return true;
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
                                      const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t *value,
                                      uint8_t *mark) {
    struct keeper_counter_call call = {.counter.value = *value};
    struct cella_machine_counter answer;
    if (leaf == ENCLU_COUNTER_READ && mark == NULL && read_known(instance, name, value))
        return CELLA_OK;
    memcpy(call.name, name, sizeof call.name);
    if (mark != NULL)
        memcpy(call.counter.mark, mark, sizeof call.counter.mark);
    enum cella_status status = (enum cella_status)keeper_machine_call(instance->shared, leaf, &call,
                                                                      sizeof call, &answer, sizeof answer);
    if (status != CELLA_OK || leaf != ENCLU_COUNTER_READ)
        return status;
    if (find_known(instance, name) == NULL)
        remember(instance, name, answer.value, answer.offset);
    *value = answer.value;
    if (mark != NULL)
        memcpy(mark, answer.mark, sizeof answer.mark);
    return CELLA_OK;
}
