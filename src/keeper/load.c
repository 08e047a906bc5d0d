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

static bool add_pages(struct keeper_instance *instance, const struct cella_pages *pages,
                      struct cella_measure *measurement) {
    uint8_t *at = instance->base + pages->offset;
    size_t size = (size_t)pages->count * CELLA_PAGE_SIZE;
    int populate = pages->is_zero ? 0 : MAP_POPULATE;
    if (mmap(at, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE | populate, -1, 0) == MAP_FAILED)
        return false;
    if (!pages->is_zero)
        for (uint64_t i = 0; i < pages->count; i++)
            memcpy(at + i * CELLA_PAGE_SIZE, pages->data + i * pages->stride, CELLA_PAGE_SIZE);
    if (!pages->extended)
        cella_measure_add_pages(measurement, pages->offset, pages->count, pages->secinfo_flags);
    for (uint64_t i = 0; pages->extended && i < pages->count; i++) {
        uint64_t offset = pages->offset + i * CELLA_PAGE_SIZE;
        cella_measure_add_page(measurement, offset, pages->secinfo_flags);
        cella_measure_extend_page(measurement, offset, at + i * CELLA_PAGE_SIZE);
    }
    return mprotect(at, size, protection_of(pages->secinfo_flags)) == 0;
}

enum cella_status keeper_load(struct keeper_instance *instance, uint8_t ret_code_hash[32],
                              struct cella_error *error) {
    const struct cella_layout *layout = &instance->image->layout;
    instance->elrange_size = layout->size;
    instance->base = reserve(layout->size);
    if (instance->base == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no room for an address range of %llu bytes",
                          (unsigned long long)layout->size);
    struct cella_measure measurement;
    cella_measure_init(&measurement, layout->size, CELLA_LAYOUT_SSA_FRAME_SIZE);
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    bool good = true;
    cella_page_iterator_init(&iterator, instance->image);
    while (good && cella_page_iterator_next(&iterator, &pages))
        good = add_pages(instance, &pages, &measurement);
    if (good)
        cella_measure_digest(&measurement, ret_code_hash);
    cella_measure_deinit(&measurement);
    return good ? CELLA_OK
                : cella_fail(error, CELLA_NO_MEMORY, "cannot map the image's pages: %s", strerror(errno));
}
