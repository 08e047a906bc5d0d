/* MRENCLAVE. Must not know what a page is for: it hashes operations as the CPU does. */
#include "image/measure.h"
#include "base/writer.h"
#include <string.h>

enum {
    BLOCK = 64,
    CHUNK = 256,
    CHUNKS = CELLA_PAGE_SIZE / CHUNK,
    PAGE_STREAM = CHUNKS * (BLOCK + CHUNK),
    ADDS_AT_ONCE = 64,
};

void cella_measure_init(struct cella_measure *measurement, uint64_t size, uint32_t ssa_frame_size) {
    uint8_t block[BLOCK];
    struct cella_writer writer;
    cella_writer_init(&writer, block, sizeof block);
    cella_write_bytes(&writer, "ECREATE", 8);
    cella_write_u32(&writer, ssa_frame_size);
    cella_write_u64(&writer, size);
    cella_write_zeros(&writer, BLOCK - writer.size);
    cella_sha256_init(&measurement->hash);
    cella_sha256_update(&measurement->hash, block, sizeof block);
}

static void write_add(struct cella_writer *writer, uint64_t offset, uint64_t secinfo_flags) {
    cella_write_bytes(writer, "EADD\0\0\0", 8);
    cella_write_u64(writer, offset);
    cella_write_u64(writer, secinfo_flags);
    cella_write_zeros(writer, 40); /* the rest of the 48 bytes of SECINFO that count */
}

void cella_measure_add_pages(struct cella_measure *measurement, uint64_t offset, uint64_t count,
                             uint64_t secinfo_flags) {
    uint8_t stream[ADDS_AT_ONCE * BLOCK];
    while (count > 0) {
        struct cella_writer writer;
        cella_writer_init(&writer, stream, sizeof stream);
        for (size_t i = 0; i < ADDS_AT_ONCE && count > 0; i++, count--, offset += CELLA_PAGE_SIZE)
            write_add(&writer, offset, secinfo_flags);
        cella_sha256_update(&measurement->hash, stream, writer.size);
    }
}

void cella_measure_add_page(struct cella_measure *measurement, uint64_t offset, uint64_t secinfo_flags) {
    cella_measure_add_pages(measurement, offset, 1, secinfo_flags);
}

void cella_measure_extend_page(struct cella_measure *measurement, uint64_t offset,
                               const uint8_t bytes[CELLA_PAGE_SIZE]) {
    uint8_t stream[PAGE_STREAM];
    struct cella_writer writer;
    cella_writer_init(&writer, stream, sizeof stream);
    for (size_t i = 0; i < CHUNKS; i++) {
        cella_write_bytes(&writer, "EEXTEND", 8);
        cella_write_u64(&writer, offset + i * CHUNK);
        cella_write_zeros(&writer, 48);
        cella_write_bytes(&writer, bytes + i * CHUNK, CHUNK);
    }
    cella_sha256_update(&measurement->hash, stream, writer.size);
}

void cella_measure_digest(const struct cella_measure *measurement, uint8_t out[CELLA_SHA256_SIZE]) {
    cella_sha256_digest(&measurement->hash, out);
}

void cella_measure_deinit(struct cella_measure *measurement) {
    if (measurement != NULL)
        cella_sha256_deinit(&measurement->hash);
}
