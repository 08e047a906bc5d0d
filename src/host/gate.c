/* The gate in front of an instance: many callers pass without a lock, and nobody is inside when it is freed.
 * Must not: be shut by a caller that is inside. */
#include "host/host_internal.h"

struct cella_instance *cella_gate_enter(struct cella_host_enclave *enclave) {
    uint32_t before = atomic_fetch_add_explicit(&enclave->gate, 1, memory_order_acquire);
    if ((before & CELLA_GATE_SHUT) == 0)
        return enclave->instance;
    cella_gate_leave(enclave);
    return NULL;
}

void cella_gate_leave(struct cella_host_enclave *enclave) {
    uint32_t before = atomic_fetch_sub_explicit(&enclave->gate, 1, memory_order_acq_rel);
    if (before != (CELLA_GATE_SHUT | 1))
        return;
    /* The lock orders this signal after the wait of cella_gate_shut has begun. */
    pthread_mutex_lock(&enclave->lock);
    pthread_cond_broadcast(&enclave->gate_empty);
    pthread_mutex_unlock(&enclave->lock);
}

void cella_gate_shut(struct cella_host_enclave *enclave) {
    atomic_fetch_or_explicit(&enclave->gate, CELLA_GATE_SHUT, memory_order_acq_rel);
    pthread_mutex_lock(&enclave->lock);
    while (atomic_load_explicit(&enclave->gate, memory_order_acquire) != CELLA_GATE_SHUT)
        pthread_cond_wait(&enclave->gate_empty, &enclave->lock);
    pthread_mutex_unlock(&enclave->lock);
}

void cella_gate_open(struct cella_host_enclave *enclave) {
    atomic_fetch_and_explicit(&enclave->gate, ~CELLA_GATE_SHUT, memory_order_release);
}
