/* ENCLU leaves that need the machine's secrets, carried to the monitor and back through shared memory. */
#include "base/error.h"
#include "base/secret.h"
#include "enclave/thread_data.h"
#include "keeper/keeper.h"
#include <string.h>

uint32_t keeper_machine_call(struct keeper_shared *shared, uint32_t leaf, const void *input,
                             size_t input_size, void *output, size_t output_size) {
    CELLA_ASSERT(input_size <= sizeof shared->input && output_size <= sizeof shared->output);
    while (__atomic_exchange_n(&shared->lock, 1, __ATOMIC_ACQUIRE) != 0)
        __builtin_ia32_pause();
    shared->leaf = leaf;
    memcpy(shared->input, input, input_size);
    __atomic_store_n(&shared->request, KEEPER_ASKED, __ATOMIC_SEQ_CST);
    keeper_futex_wake(&shared->request, 1);
    while (__atomic_load_n(&shared->request, __ATOMIC_SEQ_CST) == KEEPER_ASKED)
        keeper_futex_wait(&shared->request, KEEPER_ASKED);
    uint32_t sgx_error = shared->sgx_error;
    memcpy(output, shared->output, output_size);
    explicit_bzero(shared->output, sizeof shared->output);
    __atomic_store_n(&shared->request, KEEPER_IDLE, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shared->lock, 0, __ATOMIC_RELEASE);
    return sgx_error;
}

/* Input: a struct keeper_counter_call. Output: of a read, the counter. */
static enum cella_status serve_counter(struct cella_machine *machine,
                                       const struct cella_machine_identity *identity, uint32_t leaf,
                                       const uint8_t *input, uint8_t *output) {
    struct cella_machine_counter counter = {.offset = CELLA_COUNTER_GONE};
    struct keeper_counter_call call;
    enum cella_status status;
    memcpy(&call, input, sizeof call);
    if (leaf == ENCLU_COUNTER_CREATE)
        status = cella_machine_counter_create(machine, identity, call.name, NULL);
    else if (leaf == ENCLU_COUNTER_READ)
        status = cella_machine_counter_read(machine, identity, call.name, &counter, NULL);
    else
        status = cella_machine_counter_increment(machine, identity, call.name, call.counter.value,
                                                 call.counter.mark, NULL);
    memcpy(output, &counter, sizeof counter);
    return status;
}

static void serve_one(struct keeper_shared *shared, struct cella_machine *machine,
                      const struct cella_machine_identity *identity) {
    uint8_t input[sizeof shared->input];
    uint8_t output[sizeof shared->output] = {0};
    memcpy(input, shared->input, sizeof input);
    uint32_t leaf = __atomic_load_n(&shared->leaf, __ATOMIC_RELAXED);
    enum cella_status status = CELLA_UNSUPPORTED;
    if (leaf >= ENCLU_COUNTER_CREATE && leaf <= ENCLU_COUNTER_INCREMENT) {
        shared->sgx_error = (uint32_t)serve_counter(machine, identity, leaf, input, output);
        memcpy(shared->output, output, sizeof output);
        return;
    }
    if (leaf == ENCLU_EREPORT)
        status = cella_machine_report(machine, identity, input, input + CELLA_TARGET_INFO_SIZE, output, NULL);
    else if (leaf == ENCLU_EGETKEY)
        status = cella_machine_key(machine, identity, input, output, NULL);
    uint32_t sgx_error = cella_machine_sgx_error(status);
    /* Statuses without a code of their own are a #GP on hardware. */
    shared->sgx_error = status != CELLA_OK && sgx_error == 0 ? UINT32_MAX : sgx_error;
    memcpy(shared->output, output, sizeof output);
    cella_wipe(output, sizeof output);
}

void keeper_machine_serve(struct keeper_shared *shared, struct cella_machine *machine,
                          const struct cella_machine_identity *identity) {
    for (;;) {
        uint32_t request = __atomic_load_n(&shared->request, __ATOMIC_SEQ_CST);
        if (request != KEEPER_ASKED) {
            keeper_futex_wait(&shared->request, request);
            continue;
        }
        serve_one(shared, machine, identity);
        __atomic_store_n(&shared->request, KEEPER_ANSWERED, __ATOMIC_SEQ_CST);
        keeper_futex_wake(&shared->request, 1);
    }
}
