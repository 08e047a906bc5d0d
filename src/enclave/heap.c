/* The measured heap in pages: libc's break grows from the bottom, mappings come from the top. Pages are
 * zeroed before they are handed out, because heap pages are not measured by content. Must not use libc. */
#include "enclave/inside.h"
#include <errno.h>

static struct cella_spinlock lock;
/* One bit per page (1 = mapped), at the start of the heap itself. */
static uint64_t *bitmap;
static uint64_t heap_base;
static uint64_t page_count;
static uint64_t reserved_pages; /* the bitmap's own */
static uint64_t break_now;      /* address */
static uint64_t search_hint;    /* no free page at or above this number */

static uint64_t pages_for(uint64_t size) {
    return (size + TD_PAGE_SIZE - 1) / TD_PAGE_SIZE;
}

static bool is_mapped(uint64_t page) {
    return (bitmap[page / 64] >> (page % 64) & 1) != 0;
}

static void mark(uint64_t page, uint64_t count, bool mapped) {
    for (uint64_t i = page; i < page + count; i++) {
        if (mapped)
            bitmap[i / 64] |= (uint64_t)1 << (i % 64);
        else
            bitmap[i / 64] &= ~((uint64_t)1 << (i % 64));
    }
}

static void start(void) {
    if (bitmap != NULL)
        return;
    const struct cella_thread_page *thread = cella_thread_data();
    heap_base = (uint64_t)cella_image_base() + thread->heap;
    page_count = thread->heap_size / TD_PAGE_SIZE;
    reserved_pages = pages_for((page_count + 63) / 64 * 8);
    cella_zero((void *)heap_base, reserved_pages * TD_PAGE_SIZE);
    bitmap = (uint64_t *)heap_base;
    break_now = heap_base + reserved_pages * TD_PAGE_SIZE;
    search_hint = page_count;
}

static uint64_t break_page(void) {
    return pages_for(break_now - heap_base);
}

int64_t cella_heap_break(uint64_t wanted) {
    cella_spin_lock(&lock);
    start();
    uint64_t first = heap_base + reserved_pages * TD_PAGE_SIZE;
    bool good = wanted >= first && wanted <= heap_base + page_count * TD_PAGE_SIZE;
    if (good && wanted > break_now)
        for (uint64_t page = break_page(); good && page < pages_for(wanted - heap_base); page++)
            good = !is_mapped(page);
    if (good) {
        if (wanted > break_now)
            cella_zero((void *)break_now, wanted - break_now);
        break_now = wanted;
    }
    int64_t result = (int64_t)break_now;
    cella_spin_unlock(&lock);
    return result;
}

/* The highest run of `count` free pages above the break, or 0. */
static uint64_t find_run(uint64_t count) {
    uint64_t run = 0;
    uint64_t lowest = break_page();
    for (uint64_t page = search_hint; page-- > lowest;) {
        if (page % 64 == 63 && page >= lowest + 64 && bitmap[page / 64] == UINT64_MAX) {
            run = 0;
            page -= 63;
            continue;
        }
        run = is_mapped(page) ? 0 : run + 1;
        if (run == count)
            return page;
    }
    return 0;
}

int64_t cella_heap_map(uint64_t size) {
    uint64_t count = pages_for(size);
    if (size == 0 || size > UINT64_MAX - TD_PAGE_SIZE)
        return -EINVAL;
    cella_spin_lock(&lock);
    start();
    uint64_t page = count <= page_count ? find_run(count) : 0;
    if (page != 0) {
        mark(page, count, true);
        if (page + count == search_hint)
            search_hint = page;
    }
    cella_spin_unlock(&lock);
    if (page == 0)
        return -ENOMEM;
    uint8_t *memory = (uint8_t *)heap_base + page * TD_PAGE_SIZE;
    cella_zero(memory, count * TD_PAGE_SIZE);
    return (int64_t)(uint64_t)memory;
}

bool cella_heap_holds(uint64_t address, uint64_t size) {
    return address >= heap_base && size <= page_count * TD_PAGE_SIZE &&
           address - heap_base <= page_count * TD_PAGE_SIZE - size;
}

int64_t cella_heap_unmap(uint64_t address, uint64_t size) {
    if (address % TD_PAGE_SIZE != 0 || size == 0 || !cella_heap_holds(address, size))
        return -EINVAL;
    uint64_t page = (address - heap_base) / TD_PAGE_SIZE;
    uint64_t count = pages_for(size);
    cella_spin_lock(&lock);
    int64_t result = 0;
    for (uint64_t i = page; i < page + count; i++)
        if (!is_mapped(i))
            result = -EINVAL;
    if (result == 0) {
        mark(page, count, false);
        if (page + count > search_hint)
            search_hint = page + count;
    }
    cella_spin_unlock(&lock);
    return result;
}
