/* The code hash: MRENCLAVE as the CPU computes it with ECREATE, EADD and EEXTEND (Intel SDM volume 3D;
 * formats/measurement.md). Fed with operations, so that whoever loads an image measures the bytes it really
 * loaded. */
#ifndef CELLA_IMAGE_MEASURE_H
#define CELLA_IMAGE_MEASURE_H

#include "crypto/hash.h"
#include "image/elf.h"

/* SECINFO.FLAGS: permissions in bits 0 to 2, page type in bits 8 to 15. */
#define CELLA_PAGE_TYPE_TCS 0x100u
#define CELLA_PAGE_TYPE_REG 0x200u

/* Owns a hash from init until deinit. */
struct cella_measure {
    struct cella_sha256 hash;
};

/* ECREATE: `size` of ELRANGE in bytes, SSAFRAMESIZE in pages. */
void cella_measure_init(struct cella_measure *measurement, uint64_t size, uint32_t ssa_frame_size);
/* EADD of the page at `offset`. */
void cella_measure_add_page(struct cella_measure *measurement, uint64_t offset, uint64_t secinfo_flags);
/* The same for `count` pages in a row, without EEXTEND between them. */
void cella_measure_add_pages(struct cella_measure *measurement, uint64_t offset, uint64_t count,
                             uint64_t secinfo_flags);
/* EEXTEND of the 16 chunks of the page at `offset`. */
void cella_measure_extend_page(struct cella_measure *measurement, uint64_t offset,
                               const uint8_t bytes[CELLA_PAGE_SIZE]);
/* MRENCLAVE of all operations so far. */
void cella_measure_digest(const struct cella_measure *measurement, uint8_t out[CELLA_SHA256_SIZE]);
/* Accepts a zeroed object. */
void cella_measure_deinit(struct cella_measure *measurement);

#endif
