/* Fuzzes .enclave files: opening and walking through all pages. */
#include "image/image.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_image image;
    struct cella_error error;
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    uint64_t next = 0;
    volatile uint8_t sum = 0;
    if (cella_image_open(CELLA_BYTES(data, size), &image, &error) != CELLA_OK)
        return 0;
    cella_page_iterator_init(&iterator, &image);
    while (cella_page_iterator_next(&iterator, &pages)) {
        CELLA_ASSERT(pages.offset >= next && pages.count > 0);
        next = pages.offset + pages.count * CELLA_PAGE_SIZE;
        CELLA_ASSERT(next <= image.layout.size);
        const uint8_t *last = pages.data + (pages.stride == 0 ? 0 : (pages.count - 1) * pages.stride);
        sum = (uint8_t)(sum + pages.data[0] + last[CELLA_PAGE_SIZE - 1]);
    }
    CELLA_ASSERT(next == image.layout.end);
    return 0;
}
