/* The first stack: what libc's start code expects from a kernel, made by ourselves, with nothing from the
 * host in it. Runs before relocation: must not use pointers from data, libc, or thread-local storage. */
#include "enclave/inside.h"
#include <elf.h>
#include <stdint.h>

void *cella_first_stack(uint64_t door, uint64_t door_size, const uint8_t *base, uint64_t *top);

static struct cella_door_region *door_region;
bool cella_inside_debug;

struct cella_door_region *cella_inside_door(void) {
    return door_region;
}

_Noreturn void cella_end(uint64_t status, uint64_t detail) {
    for (;;)
        cella_exit(CELLA_EXIT_FAILED, status, cella_inside_debug ? detail : 0);
}

void cella_zero(void *memory, size_t size) {
    __asm__ volatile("rep stosb" : "+D"(memory), "+c"(size) : "a"(0) : "memory");
}

void cella_spin_lock(struct cella_spinlock *lock) {
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0)
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0)
            __builtin_ia32_pause();
}

void cella_spin_unlock(struct cella_spinlock *lock) {
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

uint64_t cella_rdrand(void) {
    /* Ten tries is what Intel's guide asks for; after that the generator is broken. A generator that repeats
     * itself is broken too: there are processors whose RDRAND gives all ones and calls it a success. */
    static uint64_t last;
    for (int i = 0; i < 10; i++) {
        uint64_t value;
        uint8_t good;
        __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good) : : "cc");
        if (good != 0 && __atomic_exchange_n(&last, value, __ATOMIC_RELAXED) != value)
            return value;
    }
    cella_end(CELLA_NO_RANDOM, 0);
}

void cella_rdrand_fill(void *out, size_t size) {
    uint8_t *bytes = out;
    while (size > 0) {
        uint64_t value = cella_rdrand();
        for (int i = 0; i < 8 && size > 0; i++, size--)
            *bytes++ = (uint8_t)(value >> (8 * i));
    }
}

/* ELRANGE, from the measured layout: the threads' blocks end the image, and the first one shows their size.
 */
static uint64_t elrange_size(const struct cella_thread_page *thread) {
    uint64_t threads_start = thread->heap + thread->heap_size;
    uint64_t thread_size = thread->tcs + TD_PAGE_SIZE - threads_start;
    uint64_t end = threads_start + thread->threads * thread_size;
    uint64_t size = TD_PAGE_SIZE;
    while (size < end)
        size *= 2;
    return size;
}

/* The door must not overlap the image, or the host could make us write our own memory "to the host". */
static bool outside(const uint8_t *base, uint64_t size, uint64_t door, uint64_t door_size) {
    uint64_t start = (uint64_t)base;
    return door_size == sizeof(struct cella_door_region) && door % 4096 == 0 &&
           door <= UINT64_MAX - door_size && (door + door_size <= start || door >= start + size);
}

void *cella_first_stack(uint64_t door, uint64_t door_size, const uint8_t *base, uint64_t *top) {
    const struct cella_thread_page *thread = cella_thread_data();
    if (!outside(base, elrange_size(thread), door, door_size))
        cella_end(CELLA_DOOR_BROKEN, 1);
    door_region = (struct cella_door_region *)door;
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)base;
    uint64_t *random = top - 2;
    random[0] = cella_rdrand();
    random[1] = cella_rdrand();
    const uint64_t vector[] = {
        0, /* argc */
        0, /* end of argv */
        0, /* end of the environment */
        AT_PHDR,   (uint64_t)base + header->e_phoff,
        AT_PHENT,  header->e_phentsize,
        AT_PHNUM,  header->e_phnum,
        AT_PAGESZ, TD_PAGE_SIZE,
        AT_RANDOM, (uint64_t)random,
        AT_SECURE, 1,
        AT_ENTRY,  (uint64_t)base + header->e_entry,
        AT_NULL,   0,
    };
    enum { WORDS = sizeof vector / sizeof vector[0] };
    uint64_t *stack = (uint64_t *)(((uint64_t)(random - WORDS)) & ~(uint64_t)15);
    for (int i = 0; i < WORDS; i++)
        ((volatile uint64_t *)stack)[i] = vector[i];
    return stack;
}
