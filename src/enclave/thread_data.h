/* The thread data at the start of each thread's TLS page: its first half is measured (formats/image layout),
 * the rest is the runtime's. Offsets are shared with entry.S. */
#ifndef CELLA_ENCLAVE_THREAD_DATA_H
#define CELLA_ENCLAVE_THREAD_DATA_H

#define TD_SELF            0   /* offset of this page from the image base (measured) */
#define TD_INDEX           8   /* thread number, 0 is the first (measured) */
#define TD_STACK_TOP       16  /* (measured) */
#define TD_STACK_LOW       24  /* (measured) */
#define TD_EXCEPTION_STACK 32  /* end of this page (measured) */
#define TD_SETTINGS        40  /* offset of the settings page (measured) */
#define TD_SSA             48  /* offset of SSA frame 0 (measured) */
#define TD_TCS             56  /* offset of the TCS (measured) */
#define TD_HEAP            64  /* (measured) */
#define TD_HEAP_SIZE       72  /* (measured) */
#define TD_THREADS         80  /* thread count (measured) */
#define TD_SETTINGS_SIZE   88  /* (measured) */
#define TD_EXIT_TO         128 /* where EEXIT goes: RCX of the last EENTER */
#define TD_EXIT_RSP        136 /* stack of the code that left; 0 when none did */
#define TD_EXIT_FS         144 /* FS base of the code that left */
#define TD_STARTED         152 /* 1 once this thread has run */
#define TD_AEX_TO          160 /* RCX of the EENTER that brought an exception */

#define TD_PAGE_SIZE     4096
#define CELLA_XSAVE_MASK 0xe7 /* x87, SSE, AVX, AVX-512: what code in an image may use */
#define CELLA_XSAVE_SIZE 2688 /* standard form of these, SDM volume 1, 13.4 */

/* ENCLU leaves, SDM volume 3D, table 39-2. */
#define ENCLU_EREPORT 0
#define ENCLU_EGETKEY 1
#define ENCLU_EEXIT   4
/* Leaves of our own, far above Intel's: the machine's monotonic counters. SGX has none and answers #GP, which
 * exception.c makes CELLA_UNSUPPORTED of. RBX: the counter's 32 bytes of name, aligned to 32; RCX: 8 bytes
 * aligned to 8, where a read puts the value and an increment expects the one to go on from; RDX: 32 bytes
 * aligned to 32, where a read puts the mark and an increment expects the new one, or 0: a read of the value
 * alone, which is quick. RAX comes back as a cella_status. */
#define ENCLU_COUNTER_CREATE    0x40000000
#define ENCLU_COUNTER_READ      0x40000001
#define ENCLU_COUNTER_INCREMENT 0x40000002

#ifndef __ASSEMBLER__
#include <stdint.h>

struct cella_thread_page {
    uint64_t self;
    uint64_t index;
    uint64_t stack_top;
    uint64_t stack_low;
    uint64_t exception_stack;
    uint64_t settings;
    uint64_t ssa;
    uint64_t tcs;
    uint64_t heap;
    uint64_t heap_size;
    uint64_t threads;
    uint64_t settings_size;
    uint64_t reserved[4];
    uint64_t exit_to;
    uint64_t exit_rsp;
    uint64_t exit_fs;
    uint64_t started;
    uint64_t aex_to;
};

/* This thread's data: GS base points to it while the thread is inside. */
static inline struct cella_thread_page *cella_thread_data(void) {
    struct cella_thread_page *data;
    __asm__("rdgsbase %0" : "=r"(data));
    return data;
}
#endif

#endif
