/* Puts the measured pages where they belong and measures the bytes that lie there. Must not execute or
 * interpret any of them: the ELF is only a source of pages. */
#include "base/error.h"
#include "keeper/keeper.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* SGX wants ELRANGE aligned to its size. */
static uint8_t *reserve(uint64_t size) {
    uint8_t *range = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED)
        return NULL;
    uint8_t *base = (uint8_t *)(((uintptr_t)range + size - 1) & ~(uintptr_t)(size - 1));
    size_t before = (size_t)(base - range);
    if (before > 0)
        munmap(range, before);
    munmap(base + size, (size_t)size - before);
    return base;
}

static int protection_of(uint64_t secinfo_flags) {
    /* A TCS is never accessible to software; everything else has the permissions that were measured. */
    if ((secinfo_flags & CELLA_PAGE_TYPE_TCS) != 0)
        return PROT_NONE;
    return ((secinfo_flags & CELLA_PAGE_READ) != 0 ? PROT_READ : 0) |
           ((secinfo_flags & CELLA_PAGE_WRITE) != 0 ? PROT_WRITE : 0) |
           ((secinfo_flags & CELLA_PAGE_EXECUTE) != 0 ? PROT_EXEC : 0);
}

/* The image's pages are copied while everything up to the heap's end is one writable mapping, so that the
 * kernel can use large pages; each run gets its own protection afterwards. */
static bool copy_pages(const struct keeper_instance *instance) {
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    cella_page_iterator_init(&iterator, instance->image);
    while (cella_page_iterator_next(&iterator, &pages)) {
        uint8_t *at = instance->base + pages.offset;
        if (mprotect(at, (size_t)pages.count * CELLA_PAGE_SIZE, PROT_READ | PROT_WRITE) != 0)
            return false;
        for (uint64_t i = 0; i < pages.count && !pages.is_zero; i++)
            memcpy(at + i * CELLA_PAGE_SIZE, pages.data + i * pages.stride, CELLA_PAGE_SIZE);
    }
    return true;
}

static bool protect_pages(const struct keeper_instance *instance) {
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    cella_page_iterator_init(&iterator, instance->image);
    while (cella_page_iterator_next(&iterator, &pages))
        if (mprotect(instance->base + pages.offset, (size_t)pages.count * CELLA_PAGE_SIZE,
                     protection_of(pages.secinfo_flags)) != 0)
            return false;
    return true;
}

enum cella_status keeper_load(struct keeper_instance *instance, struct cella_error *error) {
    const struct cella_layout *layout = &instance->image->layout;
    instance->elrange_size = layout->size;
    instance->base = reserve(layout->size);
    if (instance->base == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no room for an address range of %llu bytes",
                          (unsigned long long)layout->size);
    size_t front = (size_t)(layout->heap_offset + layout->heap_size);
    (void)madvise(instance->base, front, MADV_HUGEPAGE);
    if (mprotect(instance->base, front, PROT_READ | PROT_WRITE) != 0 || !copy_pages(instance) ||
        !protect_pages(instance))
        return cella_fail(error, CELLA_NO_MEMORY, "cannot map the image's pages: %s", strerror(errno));
    return CELLA_OK;
}
