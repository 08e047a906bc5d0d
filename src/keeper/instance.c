/* The instance process: loads, waits for the machine's consent, gives everything up, and enters the image. */
#include "base/error.h"
#include "enclave/exit.h"
#include "keeper/keeper.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Noreturn void keeper_end(struct keeper_shared *shared, enum cella_status status, uint64_t detail) {
    uint32_t none = 0;
    if (__atomic_compare_exchange_n(&shared->ended, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        shared->end_status = (uint32_t)status;
        shared->end_detail = detail;
        __atomic_store_n(&shared->ended, 2, __ATOMIC_SEQ_CST);
    }
    for (;;)
        __asm__ volatile("syscall" : : "a"((long)SYS_exit_group), "D"(0L) : "rcx", "r11", "memory");
}

static void set_stage(struct keeper_shared *shared, enum keeper_stage stage) {
    __atomic_store_n(&shared->stage, (uint32_t)stage, __ATOMIC_SEQ_CST);
    keeper_futex_wake(&shared->stage, 1);
}

static void await_stage(struct keeper_shared *shared, enum keeper_stage before) {
    while (__atomic_load_n(&shared->stage, __ATOMIC_SEQ_CST) == (uint32_t)before)
        keeper_futex_wait(&shared->stage, (uint32_t)before);
}

static _Noreturn void refuse(struct keeper_shared *shared, const struct cella_error *error) {
    shared->failed_status = (uint32_t)error->status;
    memcpy(shared->failed_message, error->message, sizeof shared->failed_message - 1);
    set_stage(shared, KEEPER_REFUSED);
    _exit(1);
}

/* The door's words may be waited on and woken; no other memory of ours. */
static uint32_t *door_word(const struct keeper_instance *instance, uint64_t address) {
    uint64_t start = (uint64_t)instance->door;
    if (address % 4 != 0 || address < start || address - start > sizeof *instance->door - 4)
        keeper_end(instance->shared, CELLA_DOOR_BROKEN, 2);
    return (uint32_t *)address;
}

static _Noreturn void sleep_forever(void) {
    uint32_t never = 0;
    for (;;)
        keeper_futex_wait(&never, 0);
}

/* Enters a TCS and serves its exits until the instance ends. */
static void run(struct keeper_thread *thread) {
    struct keeper_instance *instance = thread->instance;
    struct keeper_registers registers = {.rdi = (uint64_t)instance->door, .rsi = sizeof *instance->door};
    for (;;) {
        keeper_enter(thread, &registers);
        uint64_t reason = registers.rdi;
        registers.rdi = 0;
        switch (reason) {
        case CELLA_EXIT_WAIT:
            keeper_futex_wait(door_word(instance, registers.rsi), (uint32_t)registers.rdx);
            break;
        case CELLA_EXIT_WAKE:
            keeper_futex_wake(door_word(instance, registers.rsi), (uint32_t)registers.rdx);
            break;
        case CELLA_EXIT_THREADS:
            __atomic_store_n(&instance->threads_go, 1, __ATOMIC_SEQ_CST);
            keeper_futex_wake(&instance->threads_go, KEEPER_THREADS);
            break;
        case CELLA_EXIT_FINISHED:
            keeper_end(instance->shared, registers.rsi == 0 ? CELLA_OK : CELLA_FAILED, registers.rsi);
        case CELLA_EXIT_FAILED:
            keeper_end(instance->shared, (enum cella_status)registers.rsi, registers.rdx);
        case CELLA_EXIT_IDLE:
            sleep_forever();
        default:
            keeper_end(instance->shared, CELLA_DOOR_BROKEN, 3);
        }
    }
}

static void *thread_main(void *opaque) {
    struct keeper_thread *thread = opaque;
    if (keeper_signals_use_stack(thread) != CELLA_OK)
        keeper_end(thread->instance->shared, CELLA_KEEPER, 1);
    __atomic_fetch_add(&thread->instance->threads_ready, 1, __ATOMIC_SEQ_CST);
    keeper_futex_wake(&thread->instance->threads_ready, 1);
    while (__atomic_load_n(&thread->instance->threads_go, __ATOMIC_SEQ_CST) == 0)
        keeper_futex_wait(&thread->instance->threads_go, 0);
    run(thread);
    return NULL;
}

static struct keeper_thread *new_thread(struct keeper_instance *instance, uint32_t index) {
    struct keeper_thread *thread = aligned_alloc(KEEPER_BLOCK, KEEPER_BLOCK);
    if (thread == NULL)
        return NULL;
    struct cella_layout_thread place = cella_layout_thread(&instance->image->layout, index);
    uint64_t base = (uint64_t)instance->base;
    *thread = (struct keeper_thread){.entry = base + instance->image->entry,
                                     .tcs = base + place.tcs,
                                     .tls = base + place.tls,
                                     .ssa = base + place.ssa,
                                     .instance = instance};
    return thread;
}

static enum cella_status start_threads(struct keeper_instance *instance, struct keeper_thread **ret_first,
                                       struct cella_error *error) {
    enum { HOST_STACK = 65536 };
    pthread_attr_t attributes;
    CELLA_ASSERT(instance->thread_count > 0);
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, HOST_STACK) != 0)
        return cella_fail(error, CELLA_KEEPER, "cannot set up threads");
    enum cella_status status = CELLA_OK;
    for (uint32_t i = 0; i < instance->thread_count && status == CELLA_OK; i++) {
        struct keeper_thread *thread = new_thread(instance, i);
        pthread_t ignored;
        if (thread == NULL || (i > 0 && pthread_create(&ignored, &attributes, thread_main, thread) != 0))
            status =
                cella_fail(error, CELLA_KEEPER, "cannot start thread %u of %u", i, instance->thread_count);
        else if (i == 0)
            *ret_first = thread;
    }
    pthread_attr_destroy(&attributes);
    /* libc's own start of a thread makes system calls that the filter is about to forbid. */
    uint32_t ready;
    while (status == CELLA_OK &&
           (ready = __atomic_load_n(&instance->threads_ready, __ATOMIC_SEQ_CST)) + 1 < instance->thread_count)
        keeper_futex_wait(&instance->threads_ready, ready);
    return status;
}

static enum cella_status prepare(struct keeper_instance *instance, struct cella_error *error) {
    void *door =
        mmap(NULL, sizeof *instance->door, PROT_READ | PROT_WRITE, MAP_SHARED, CELLA_KEEPER_DOOR_FD, 0);
    if (door == MAP_FAILED)
        return cella_fail(error, CELLA_KEEPER, "cannot map the door: %s", strerror(errno));
    instance->door = door;
    return keeper_load(instance, error);
}

_Noreturn void keeper_instance_main(const struct cella_image *image, struct keeper_shared *shared,
                                    struct cella_bytes counters, bool namespaces, int monitor_fd) {
    static struct keeper_instance instance;
    struct cella_error error = {.status = CELLA_OK};
    struct keeper_thread *first = NULL;
    await_stage(shared, KEEPER_NEW);
    bool own_user = (shared->sandbox & CELLA_SANDBOX_OWN_USER) != 0;
    instance = (struct keeper_instance){
        .image = image, .shared = shared, .thread_count = image->layout.thread_count, .counters = counters};
    if (keeper_sandbox_early(shared, namespaces, own_user, monitor_fd, &error) != CELLA_OK ||
        prepare(&instance, &error) != CELLA_OK || keeper_signals_install(&error) != CELLA_OK ||
        start_threads(&instance, &first, &error) != CELLA_OK)
        refuse(shared, &error);
    set_stage(shared, KEEPER_LOADED);
    await_stage(shared, KEEPER_LOADED);
    if (keeper_signals_use_stack(first) != CELLA_OK || keeper_sandbox_seal(&error) != CELLA_OK) {
        shared->failed_status = (uint32_t)CELLA_KEEPER;
        memcpy(shared->failed_message, error.message, sizeof shared->failed_message - 1);
        keeper_end(shared, CELLA_KEEPER, 0);
    }
    run(first);
    keeper_end(shared, CELLA_INTERNAL, 0);
}
