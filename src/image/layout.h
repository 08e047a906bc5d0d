/* Where everything lies in a loaded image: offsets from the image base (formats/measurement.md). Compiled for
 * both sides. */
#ifndef CELLA_IMAGE_LAYOUT_H
#define CELLA_IMAGE_LAYOUT_H

#include <cella/status.h>
#include <stdint.h>

#define CELLA_LAYOUT_SSA_FRAMES     2 /* NSSA; each frame is one page: SSAFRAMESIZE = 1 */
#define CELLA_LAYOUT_SSA_FRAME_SIZE 1
#define CELLA_LAYOUT_SIZE_LIMIT     ((uint64_t)1 << 36)

/* Positions of the u64 fields of a thread's TLS page ("thread data"). */
enum cella_thread_data {
    CELLA_THREAD_SELF = 0,
    CELLA_THREAD_INDEX = 8,
    CELLA_THREAD_STACK_TOP = 16,
    CELLA_THREAD_STACK_LOW = 24,
    CELLA_THREAD_EXCEPTION_STACK_TOP = 32,
    CELLA_THREAD_SETTINGS = 40,
    CELLA_THREAD_SSA = 48,
    CELLA_THREAD_TCS = 56,
    CELLA_THREAD_HEAP = 64,
    CELLA_THREAD_HEAP_SIZE = 72,
    CELLA_THREAD_COUNT = 80,
    CELLA_THREAD_SETTINGS_SIZE = 88,
};

/* All offsets and sizes are whole pages, except settings_size. */
struct cella_layout {
    uint64_t size;     /* of ELRANGE: a power of two */
    uint64_t elf_size; /* end of the ELF's pages */
    uint64_t settings_offset;
    uint64_t settings_size; /* bytes in use; the rest of its last page is zero */
    uint64_t heap_offset;
    uint64_t heap_size;
    uint64_t threads_offset; /* guard page of thread 0 */
    uint64_t thread_size;    /* from one thread's first guard page to the next one's */
    uint64_t stack_size;
    uint32_t thread_count;
    uint64_t end; /* end of the last TCS */
};

struct cella_layout_thread {
    uint64_t stack_low;
    uint64_t stack_top;
    uint64_t tls;
    uint64_t ssa;
    uint64_t tcs;
};

/* `elf_size` whole pages; settings_size, heap_size, stack_size and thread_count as in the settings.
 * CELLA_IMAGE_TOO_LARGE. */
enum cella_status cella_layout_init(struct cella_layout *ret_layout, uint64_t elf_size,
                                    uint64_t settings_size, uint64_t heap_size, uint64_t stack_size,
                                    uint32_t thread_count);

struct cella_layout_thread cella_layout_thread(const struct cella_layout *layout, uint32_t index);

#endif
