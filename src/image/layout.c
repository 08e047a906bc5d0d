/* Offsets of everything in a loaded image. Must not overflow, whatever the sizes. */
#include "image/layout.h"
#include "image/elf.h"

#define PAGE ((uint64_t)CELLA_PAGE_SIZE)

enum cella_status cella_layout_init(struct cella_layout *ret_layout, uint64_t elf_size,
                                    uint64_t settings_size, uint64_t heap_size, uint64_t stack_size,
                                    uint32_t thread_count) {
    const uint64_t limit = CELLA_LAYOUT_SIZE_LIMIT;
    if (elf_size > limit || settings_size > limit || heap_size > limit || stack_size > limit ||
        thread_count > limit / PAGE)
        return CELLA_IMAGE_TOO_LARGE;
    struct cella_layout layout = {.elf_size = elf_size,
                                  .settings_offset = elf_size,
                                  .settings_size = settings_size,
                                  .heap_size = heap_size,
                                  .stack_size = stack_size,
                                  .thread_count = thread_count};
    layout.heap_offset = layout.settings_offset + (settings_size + PAGE - 1) / PAGE * PAGE;
    layout.threads_offset = layout.heap_offset + heap_size;
    /* guard, stack, guard, TLS, SSA frames, guard, TCS */
    layout.thread_size = PAGE + stack_size + PAGE + PAGE + CELLA_LAYOUT_SSA_FRAMES * PAGE + PAGE + PAGE;
    if (thread_count > limit / layout.thread_size)
        return CELLA_IMAGE_TOO_LARGE;
    layout.end = layout.threads_offset + thread_count * layout.thread_size;
    layout.size = 2 * PAGE;
    while (layout.size < layout.end)
        layout.size *= 2;
    if (layout.size > limit)
        return CELLA_IMAGE_TOO_LARGE;
    *ret_layout = layout;
    return CELLA_OK;
}

struct cella_layout_thread cella_layout_thread(const struct cella_layout *layout, uint32_t index) {
    struct cella_layout_thread thread;
    thread.stack_low = layout->threads_offset + index * layout->thread_size + PAGE;
    thread.stack_top = thread.stack_low + layout->stack_size;
    thread.tls = thread.stack_top + PAGE;
    thread.ssa = thread.tls + PAGE;
    thread.tcs = thread.ssa + CELLA_LAYOUT_SSA_FRAMES * PAGE + PAGE;
    return thread;
}
