/* What the low half of the runtime (under libc) offers to itself and to the upper half. These functions run
 * while a system call of libc is being served: they use no libc, no vector registers and no thread-local
 * storage. */
#ifndef CELLA_ENCLAVE_INSIDE_H
#define CELLA_ENCLAVE_INSIDE_H

#include "door/door.h"
#include "enclave/exception.h"
#include "enclave/exit.h"
#include "enclave/thread_data.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const uint8_t __ehdr_start[] __attribute__((visibility("hidden")));

/* The image's first byte; every measured offset counts from here. */
static inline const uint8_t *cella_image_base(void) {
    return __ehdr_start;
}

/* Leaves the enclave and comes back with the host's answer, which is not trusted. Does not return for
 * FINISHED, FAILED and IDLE. */
uint64_t cella_exit(uint64_t reason, uint64_t argument, uint64_t second);

/* Set once the settings are read: details of failures may leave. */
extern bool cella_inside_debug;

/* Ends the instance with a status; the detail goes to the host's log in debug images only. */
_Noreturn void cella_end(uint64_t status, uint64_t detail);

/* The door, checked at the first entry to lie outside the image. */
struct cella_door_region *cella_inside_door(void);
extern const struct cella_door_park cella_inside_park;

struct cella_spinlock {
    int held;
};
void cella_spin_lock(struct cella_spinlock *lock);
void cella_spin_unlock(struct cella_spinlock *lock);

/* 64 random bits of the CPU; ends the instance if RDRAND keeps failing. */
uint64_t cella_rdrand(void);
void cella_rdrand_fill(void *out, size_t size);

/* The measured heap, handed out in zeroed pages. Addresses, or a negative errno. */
int64_t cella_heap_break(uint64_t wanted);
int64_t cella_heap_map(uint64_t size);
int64_t cella_heap_unmap(uint64_t address, uint64_t size);
bool cella_heap_holds(uint64_t address, uint64_t size);

int64_t cella_futex_wait(uint32_t *word, uint32_t value);
int64_t cella_futex_wake(uint32_t *word, uint64_t count);

/* clone3: keeps the registers for the next free TCS. The new thread's number plus 1, or a negative errno. */
int64_t cella_thread_clone(const struct cella_registers *parent, uint64_t arguments, uint64_t size);

void cella_zero(void *memory, size_t size);

#endif
