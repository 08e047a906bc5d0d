/* A ring whose shared part and data are whatever the other side likes: takes must end in a status, never in a
 * read outside of the ring, and must make progress. */
#include "door/door.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_wait(uint32_t *word, uint32_t seen) {
}

static void no_wake(uint32_t *word, uint32_t count) {
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { CAPACITY = 4096 };
    static const struct cella_door_park park = {.wait = no_wait, .wake = no_wake};
    static uint8_t buffer[CELLA_DOOR_FRAME_MAX];
    struct cella_ring_shared shared = {0};
    /* Exactly sized, so that a sanitizer sees every access outside. */
    uint8_t *ring_data = calloc(1, CAPACITY);
    if (ring_data == NULL)
        return 0;
    if (size >= 8)
        memcpy(&shared.produced, data, 8);
    if (size > 8)
        memcpy(ring_data, data + 8, size - 8 < CAPACITY ? size - 8 : CAPACITY);
    struct cella_ring ring;
    cella_ring_init(&ring, &shared, ring_data, CAPACITY, &park);
    struct cella_frame frame;
    uint64_t before = 0;
    while (cella_ring_take(&ring, &frame, buffer) == CELLA_OK) {
        CELLA_ASSERT(ring.position > before && ring.position <= shared.produced);
        CELLA_ASSERT(frame.size <= CELLA_DOOR_FRAME_MAX);
        before = ring.position;
    }
    free(ring_data);
    return 0;
}
