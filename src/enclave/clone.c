/* Threads of libc on the image's measured TCSs: clone keeps the new thread's registers until its TCS is
 * entered. */
#include "enclave/inside.h"
#include <errno.h>
#include <linux/sched.h>

/* The flags with which libc makes a thread; anything else is a process, which an enclave has not. */
#define THREAD_FLAGS                                                                                         \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |       \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static struct cella_spinlock lock;
static struct pending {
    struct cella_registers registers;
    uint64_t tls;
    bool full;
} pending[CELLA_DOOR_THREADS];
static uint64_t given = 1; /* threads 1 to given - 1 were asked for */

int64_t cella_thread_clone(const struct cella_registers *parent, uint64_t arguments, uint64_t size) {
    const struct clone_args *args = (const struct clone_args *)arguments;
    if (size < CLONE_ARGS_SIZE_VER0 || args->flags != THREAD_FLAGS || args->exit_signal != 0)
        return -EPERM;
    cella_spin_lock(&lock);
    uint64_t index = given;
    if (index >= cella_thread_data()->threads || index >= CELLA_DOOR_THREADS) {
        cella_spin_unlock(&lock);
        return -EAGAIN;
    }
    given++;
    struct pending *thread = &pending[index];
    thread->registers = *parent;
    thread->registers.rax = 0;
    thread->registers.rsp = args->stack + args->stack_size;
    thread->tls = args->tls;
    *(uint32_t *)args->parent_tid = (uint32_t)index + 1;
    __atomic_store_n(&thread->full, true, __ATOMIC_RELEASE);
    cella_spin_unlock(&lock);
    return (int64_t)index + 1;
}

struct cella_registers *cella_thread_take(uint64_t index) {
    if (index >= CELLA_DOOR_THREADS || !__atomic_load_n(&pending[index].full, __ATOMIC_ACQUIRE))
        return NULL;
    __asm__ volatile("wrfsbase %0" : : "r"(pending[index].tls));
    return &pending[index].registers;
}
