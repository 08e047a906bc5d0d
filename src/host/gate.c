/* The gate in front of an instance: many callers pass without a lock, and nobody is inside when it is freed.
 * Must not: be emptied by a caller that is inside, nor before the instance was made to end: callers may wait
 * for it. */
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
    /* The lock orders this signal after the wait of cella_gate_take has begun. */
    pthread_mutex_lock(&enclave->lock);
    pthread_cond_broadcast(&enclave->changed);
    pthread_mutex_unlock(&enclave->lock);
}

struct cella_instance *cella_gate_hold(struct cella_host_enclave *enclave) {
    pthread_mutex_lock(&enclave->lock);
    atomic_fetch_or_explicit(&enclave->gate, CELLA_GATE_SHUT, memory_order_acq_rel);
    struct cella_instance *instance = enclave->instance;
    if (instance != NULL)
        atomic_fetch_add_explicit(&enclave->gate, 1, memory_order_acquire);
    pthread_mutex_unlock(&enclave->lock);
    return instance;
}

struct cella_instance *cella_gate_take(struct cella_host_enclave *enclave) {
    pthread_mutex_lock(&enclave->lock);
    atomic_fetch_or_explicit(&enclave->gate, CELLA_GATE_SHUT, memory_order_acq_rel);
    while (atomic_load_explicit(&enclave->gate, memory_order_acquire) != CELLA_GATE_SHUT)
        pthread_cond_wait(&enclave->changed, &enclave->lock);
    struct cella_instance *instance = enclave->instance;
    enclave->instance = NULL;
    pthread_mutex_unlock(&enclave->lock);
    return instance;
}

void cella_gate_open(struct cella_host_enclave *enclave) {
    atomic_fetch_and_explicit(&enclave->gate, ~CELLA_GATE_SHUT, memory_order_release);
}
