/* Futexes as raw system calls: usable in signal handlers and while the thread pointer is the image's. */
#include "keeper/keeper.h"
#include <linux/futex.h>
#include <sys/syscall.h>

static long call(uint32_t *word, long operation, long value) {
    long result;
    register long timeout __asm__("r10") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_futex), "D"(word), "S"(operation), "d"(value), "r"(timeout)
                     : "rcx", "r11", "memory");
    return result;
}

void keeper_futex_wait(uint32_t *word, uint32_t seen) {
    (void)call(word, FUTEX_WAIT, (long)seen);
}

void keeper_futex_wake(uint32_t *word, uint32_t count) {
    (void)call(word, FUTEX_WAKE, (long)(count > INT32_MAX ? INT32_MAX : count));
}
