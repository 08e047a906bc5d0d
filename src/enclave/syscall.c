/* The one handler of libc's system calls. It serves a short table and denies the rest; nothing but futexes,
 * log lines and the end reach the host. Compiled without vector registers and stack protector: it runs before
 * libc has set up thread-local storage. */
#include "enclave/inside.h"
#include "enclave/log.h"
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

enum { MADVISE_DONTNEED = 4, RLIMIT_STACK_NUMBER = 3, UTS_FIELD = 65, SIGNAL_ABORT = 6 };

static int64_t serve_mmap(const struct cella_registers *frame) {
    /* Only private anonymous memory anywhere: files do not exist here. */
    enum { PRIVATE = 2, FIXED = 16, ANONYMOUS = 32 };
    if ((frame->r10 & (PRIVATE | FIXED | ANONYMOUS)) != (PRIVATE | ANONYMOUS))
        return -ENODEV;
    return cella_heap_map(frame->rsi);
}

static int64_t serve_madvise(const struct cella_registers *frame) {
    if (frame->rdx != MADVISE_DONTNEED)
        return 0;
    if (!cella_heap_holds(frame->rdi, frame->rsi))
        return -EINVAL;
    cella_zero((void *)frame->rdi, frame->rsi);
    return 0;
}

static int64_t serve_futex(const struct cella_registers *frame) {
    uint32_t *word = (uint32_t *)frame->rdi;
    switch ((int)frame->rsi & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        /* There is no trusted clock, so a wait with a limit cannot be kept. */
        if (frame->r10 != 0)
            return -ENOSYS;
        return cella_futex_wait(word, (uint32_t)frame->rdx);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return cella_futex_wake(word, frame->rdx);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        /* Waking all instead of moving them is allowed to be spurious. */
        return cella_futex_wake(word, UINT32_MAX);
    default:
        return -ENOSYS;
    }
}

static int64_t serve_arch_prctl(const struct cella_registers *frame) {
    if (frame->rdi != ARCH_SET_FS)
        return -EINVAL;
    __asm__ volatile("wrfsbase %0" : : "r"(frame->rsi));
    return 0;
}

static int64_t serve_uname(const struct cella_registers *frame) {
    static const char system[] = "Cella";
    static const char release[] = "6.1.0";
    char *out = (char *)frame->rdi;
    cella_zero(out, 6 * UTS_FIELD);
    for (unsigned i = 0; i < sizeof system; i++)
        out[i] = system[i];
    for (unsigned i = 0; i < sizeof release; i++)
        out[2 * UTS_FIELD + i] = release[i];
    return 0;
}

static int64_t serve_prlimit(const struct cella_registers *frame) {
    if (frame->rsi != RLIMIT_STACK_NUMBER || frame->rdx != 0 || frame->r10 == 0)
        return -EPERM;
    const struct cella_thread_page *thread = cella_thread_data();
    uint64_t *out = (uint64_t *)frame->r10;
    out[0] = thread->stack_top - thread->stack_low;
    out[1] = out[0];
    return 0;
}

static int64_t serve_write(const struct cella_registers *frame) {
    if (frame->rdi != 1 && frame->rdi != 2)
        return -EBADF;
    cella_log_bytes((const char *)frame->rsi, frame->rdx);
    return (int64_t)frame->rdx;
}

static int64_t serve_writev(const struct cella_registers *frame) {
    struct part {
        const char *data;
        uint64_t size;
    };
    const struct part *parts = (const struct part *)frame->rsi;
    if (frame->rdi != 1 && frame->rdi != 2)
        return -EBADF;
    int64_t total = 0;
    for (uint64_t i = 0; i < frame->rdx; i++) {
        cella_log_bytes(parts[i].data, parts[i].size);
        total += (int64_t)parts[i].size;
    }
    return total;
}

static int64_t serve_signal(const struct cella_registers *frame, uint64_t number) {
    uint64_t signal_number = number == SYS_tgkill ? frame->rdx : frame->rsi;
    cella_end(CELLA_CRASHED, signal_number == SIGNAL_ABORT ? CELLA_DETAIL_ABORT : CELLA_DETAIL_SIGNAL);
}

static int64_t serve(const struct cella_registers *frame) {
    switch (frame->rax) {
    case SYS_brk:
        return cella_heap_break(frame->rdi);
    case SYS_mmap:
        return serve_mmap(frame);
    case SYS_munmap:
        return cella_heap_unmap(frame->rdi, frame->rsi);
    case SYS_madvise:
        return serve_madvise(frame);
    case SYS_mprotect:
        /* Page permissions are measured and cannot change; libc asks for less access after relocation. */
        return 0;
    case SYS_futex:
        return serve_futex(frame);
    case SYS_arch_prctl:
        return serve_arch_prctl(frame);
    case SYS_getrandom:
        cella_rdrand_fill((void *)frame->rdi, frame->rsi);
        return (int64_t)frame->rsi;
    case SYS_clone3:
        return cella_thread_clone(frame, frame->rdi, frame->rsi);
    case SYS_set_tid_address:
    case SYS_gettid:
        return (int64_t)cella_thread_data()->index + 1;
    case SYS_getpid:
        return 1;
    case SYS_sched_yield:
    case SYS_set_robust_list:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigaction:
        return 0;
    case SYS_prlimit64:
        return serve_prlimit(frame);
    case SYS_uname:
        return serve_uname(frame);
    case SYS_write:
        return serve_write(frame);
    case SYS_writev:
        return serve_writev(frame);
    case SYS_kill:
    case SYS_tgkill:
        return serve_signal(frame, frame->rax);
    case SYS_exit:
        for (;;)
            cella_exit(CELLA_EXIT_IDLE, 0, 0);
    case SYS_exit_group:
        for (;;)
            cella_exit(CELLA_EXIT_FINISHED, frame->rdi & 0xff, 0);
    case SYS_readlink:
    case SYS_readlinkat:
        return -ENOENT;
    case SYS_open:
    case SYS_openat:
        return -EACCES;
    case SYS_fstat:
    case SYS_newfstatat:
    case SYS_close:
    case SYS_read:
    case SYS_lseek:
    case SYS_ioctl:
        return -EBADF;
    default:
        /* Clocks, files, sockets, processes: an enclave has none. */
        return -ENOSYS;
    }
}

void cella_syscall_serve(struct cella_registers *frame) {
    frame->rax = (uint64_t)serve(frame);
}
