/* The measured pages of an image in load order (formats/measurement.md). Must not skip, merge or reorder
 * anything: keeper, machine and tools all load and measure what this says. */
#include "base/writer.h"
#include "image/image.h"
#include <string.h>

#define PAGE ((uint64_t)CELLA_PAGE_SIZE)

enum step {
    STEP_SEGMENTS,
    STEP_SETTINGS,
    STEP_HEAP,
    STEP_STACK,
    STEP_TLS,
    STEP_SSA,
    STEP_TCS,
    STEP_END,
};

static const uint8_t zero_page[CELLA_PAGE_SIZE];

const char *cella_page_part_name(enum cella_page_part part) {
    static const char *const names[] = {
        [CELLA_PART_SEGMENT] = "segment", [CELLA_PART_SETTINGS] = "settings", [CELLA_PART_HEAP] = "heap",
        [CELLA_PART_STACK] = "stack",     [CELLA_PART_TLS] = "tls",           [CELLA_PART_SSA] = "ssa",
        [CELLA_PART_TCS] = "tcs",
    };
    return (size_t)part < sizeof names / sizeof names[0] ? names[part] : "unknown";
}

void cella_page_iterator_init(struct cella_page_iterator *iterator, const struct cella_image *image) {
    iterator->image = image;
    iterator->at = 0;
    iterator->segment = 0;
    iterator->thread = 0;
    iterator->step = STEP_SEGMENTS;
}

static struct cella_pages zeros(uint64_t offset, uint64_t count, uint64_t flags, bool extended) {
    return (struct cella_pages){.offset = offset,
                                .count = count,
                                .secinfo_flags = flags,
                                .data = zero_page,
                                .stride = 0,
                                .extended = extended,
                                .is_zero = true};
}

/* One page that is put together from the part of [begin, begin + bytes.size) that lies in it, and zeros. */
static struct cella_pages composed(struct cella_page_iterator *iterator, uint64_t offset, uint64_t flags,
                                   uint64_t begin, struct cella_bytes bytes) {
    uint64_t low = begin > offset ? begin : offset;
    uint64_t end = begin + bytes.size < offset + PAGE ? begin + bytes.size : offset + PAGE;
    memset(iterator->page, 0, sizeof iterator->page);
    memcpy(iterator->page + (low - offset), bytes.data + (low - begin), end - low);
    return (struct cella_pages){.offset = offset,
                                .count = 1,
                                .secinfo_flags = flags,
                                .data = iterator->page,
                                .stride = CELLA_PAGE_SIZE,
                                .extended = true};
}

/* The next run of pages of [offset, end) whose content is `bytes` from `begin` on and zeros elsewhere. */
static struct cella_pages content(struct cella_page_iterator *iterator, uint64_t offset, uint64_t end,
                                  uint64_t flags, uint64_t begin, struct cella_bytes bytes) {
    uint64_t bytes_end = begin + bytes.size;
    if (bytes.size == 0 || offset >= bytes_end)
        return zeros(offset, (end - offset) / PAGE, flags, true);
    if (offset < begin || offset + PAGE > bytes_end)
        return composed(iterator, offset, flags, begin, bytes);
    return (struct cella_pages){.offset = offset,
                                .count = (bytes_end - offset) / PAGE,
                                .secinfo_flags = flags,
                                .data = bytes.data + (offset - begin),
                                .stride = CELLA_PAGE_SIZE,
                                .extended = true};
}

static struct cella_pages next_segment_pages(struct cella_page_iterator *iterator) {
    const struct cella_elf *elf = &iterator->image->elf;
    const struct cella_elf_segment *segment = &elf->segments[iterator->segment];
    uint64_t low = segment->offset / PAGE * PAGE;
    uint64_t end = (segment->offset + segment->memory_size + PAGE - 1) / PAGE * PAGE;
    if (iterator->at < low)
        iterator->at = low;
    struct cella_pages pages =
        content(iterator, iterator->at, end, segment->permissions | CELLA_PAGE_TYPE_REG, segment->offset,
                CELLA_BYTES(elf->file.data + segment->file_offset, segment->file_size));
    pages.part = CELLA_PART_SEGMENT;
    iterator->at += pages.count * PAGE;
    if (iterator->at >= end && ++iterator->segment == elf->segment_count)
        iterator->step = STEP_SETTINGS;
    return pages;
}

static struct cella_pages next_settings_pages(struct cella_page_iterator *iterator) {
    const struct cella_layout *layout = &iterator->image->layout;
    if (iterator->at < layout->settings_offset)
        iterator->at = layout->settings_offset;
    struct cella_pages pages =
        content(iterator, iterator->at, layout->heap_offset, CELLA_PAGE_READ | CELLA_PAGE_TYPE_REG,
                layout->settings_offset, iterator->image->settings_bytes);
    pages.part = CELLA_PART_SETTINGS;
    iterator->at += pages.count * PAGE;
    if (iterator->at >= layout->heap_offset)
        iterator->step = STEP_HEAP;
    return pages;
}

static struct cella_pages thread_data_page(struct cella_page_iterator *iterator,
                                           const struct cella_layout_thread *thread) {
    const struct cella_layout *layout = &iterator->image->layout;
    struct cella_writer writer;
    cella_writer_init(&writer, iterator->page, sizeof iterator->page);
    cella_write_u64(&writer, thread->tls);
    cella_write_u64(&writer, iterator->thread);
    cella_write_u64(&writer, thread->stack_top);
    cella_write_u64(&writer, thread->stack_low);
    cella_write_u64(&writer, thread->tls + PAGE);
    cella_write_u64(&writer, layout->settings_offset);
    cella_write_u64(&writer, thread->ssa);
    cella_write_u64(&writer, thread->tcs);
    cella_write_u64(&writer, layout->heap_offset);
    cella_write_u64(&writer, layout->heap_size);
    cella_write_u64(&writer, layout->thread_count);
    cella_write_u64(&writer, layout->settings_size);
    cella_write_zeros(&writer, sizeof iterator->page - writer.size);
    return (struct cella_pages){.offset = thread->tls,
                                .count = 1,
                                .secinfo_flags = CELLA_PAGE_READ | CELLA_PAGE_WRITE | CELLA_PAGE_TYPE_REG,
                                .data = iterator->page,
                                .stride = CELLA_PAGE_SIZE,
                                .part = CELLA_PART_TLS,
                                .extended = true};
}

/* TCS as the SDM lays it out. STATE, CSSA and AEP are the CPU's. */
static struct cella_pages tcs_page(struct cella_page_iterator *iterator,
                                   const struct cella_layout_thread *thread) {
    struct cella_writer writer;
    cella_writer_init(&writer, iterator->page, sizeof iterator->page);
    cella_write_u64(&writer, 0); /* STATE */
    cella_write_u64(&writer, 0); /* FLAGS */
    cella_write_u64(&writer, thread->ssa);
    cella_write_u32(&writer, 0); /* CSSA */
    cella_write_u32(&writer, CELLA_LAYOUT_SSA_FRAMES);
    cella_write_u64(&writer, iterator->image->entry);
    cella_write_u64(&writer, 0);           /* AEP */
    cella_write_u64(&writer, thread->tls); /* OFSBASE */
    cella_write_u64(&writer, thread->tls); /* OGSBASE */
    cella_write_u32(&writer, 0xffffffff);  /* FSLIMIT */
    cella_write_u32(&writer, 0xffffffff);  /* GSLIMIT */
    cella_write_zeros(&writer, sizeof iterator->page - writer.size);
    return (struct cella_pages){.offset = thread->tcs,
                                .count = 1,
                                .secinfo_flags = CELLA_PAGE_TYPE_TCS,
                                .data = iterator->page,
                                .stride = CELLA_PAGE_SIZE,
                                .part = CELLA_PART_TCS,
                                .extended = true};
}

static struct cella_pages next_thread_pages(struct cella_page_iterator *iterator) {
    const struct cella_layout *layout = &iterator->image->layout;
    const uint64_t read_write = CELLA_PAGE_READ | CELLA_PAGE_WRITE | CELLA_PAGE_TYPE_REG;
    struct cella_layout_thread thread = cella_layout_thread(layout, iterator->thread);
    struct cella_pages pages;
    switch (iterator->step) {
    case STEP_STACK:
        pages = zeros(thread.stack_low, layout->stack_size / PAGE, read_write, false);
        pages.part = CELLA_PART_STACK;
        break;
    case STEP_TLS:
        pages = thread_data_page(iterator, &thread);
        break;
    case STEP_SSA:
        pages = zeros(thread.ssa, CELLA_LAYOUT_SSA_FRAMES, read_write, true);
        pages.part = CELLA_PART_SSA;
        break;
    default:
        pages = tcs_page(iterator, &thread);
        iterator->thread++;
    }
    iterator->step++;
    if (iterator->step == STEP_END && iterator->thread < layout->thread_count)
        iterator->step = STEP_STACK;
    return pages;
}

bool cella_page_iterator_next(struct cella_page_iterator *iterator, struct cella_pages *ret_pages) {
    const struct cella_layout *layout = &iterator->image->layout;
    switch (iterator->step) {
    case STEP_SEGMENTS:
        *ret_pages = next_segment_pages(iterator);
        return true;
    case STEP_SETTINGS:
        *ret_pages = next_settings_pages(iterator);
        return true;
    case STEP_HEAP:
        *ret_pages = zeros(layout->heap_offset, layout->heap_size / PAGE,
                           CELLA_PAGE_READ | CELLA_PAGE_WRITE | CELLA_PAGE_TYPE_REG, false);
        ret_pages->part = CELLA_PART_HEAP;
        iterator->step = STEP_STACK;
        return true;
    case STEP_END:
        return false;
    default:
        *ret_pages = next_thread_pages(iterator);
        return true;
    }
}
