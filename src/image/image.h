/* The .enclave file: ELF, settings and SIGSTRUCT in one (formats/image.md), and the pages it loads as. Must
 * not: touch the file system, execute anything, or judge whether a signer is acceptable. */
#ifndef CELLA_IMAGE_IMAGE_H
#define CELLA_IMAGE_IMAGE_H

#include "image/elf.h"
#include "image/layout.h"
#include "image/measure.h"
#include "image/settings.h"
#include "image/sigstruct.h"

#define CELLA_IMAGE_SIZE_LIMIT ((size_t)CELLA_ELF_SIZE_LIMIT + 1024 * 1024)

/* An image that was parsed fully and agrees with itself. Everything borrows the bytes it was opened from,
 * which must stay unchanged; it owns nothing and needs no clean-up. */
struct cella_image {
    struct cella_bytes elf_bytes;
    struct cella_bytes settings_bytes;
    struct cella_bytes sigstruct_bytes;
    uint64_t elf_file_offset; /* of the ELF in the file: a multiple of the page size */
    struct cella_elf elf;
    struct cella_settings settings;
    struct cella_sigstruct sigstruct;
    struct cella_layout layout;
    uint64_t entry; /* OENTRY of every TCS */
};

/* Parses the file and checks that its parts agree (product id, security version, debug, attributes). It does
 * not measure and does not verify the signature: that is cella_image_verify, or the machine that starts it.
 * CELLA_DAMAGED, CELLA_NEWER_FORMAT, CELLA_IMAGE_MISMATCH, and the statuses of elf.h and settings.h. */
enum cella_status cella_image_open(struct cella_bytes file, struct cella_image *ret_image,
                                   struct cella_error *error);

/* Measures all pages. */
void cella_image_measure(const struct cella_image *image, uint8_t ret_code_hash[CELLA_SHA256_SIZE]);

/* Measures and compares with SIGSTRUCT, then verifies the signature. CELLA_IMAGE_MISMATCH,
 * CELLA_IMAGE_UNSIGNED, CELLA_IMAGE_SIGNATURE. */
enum cella_status cella_image_verify(const struct cella_image *image, struct cella_error *error);

/* Code signer of cmake/INSECURE-development-signing-key.pem, which everyone has: such images are anybody's.
 */
extern const uint8_t cella_development_signer[CELLA_SHA256_SIZE];

enum cella_page_part {
    CELLA_PART_SEGMENT,
    CELLA_PART_SETTINGS,
    CELLA_PART_HEAP,
    CELLA_PART_STACK,
    CELLA_PART_TLS,
    CELLA_PART_SSA,
    CELLA_PART_TCS,
};

/* "segment", "settings", …; never NULL. */
const char *cella_page_part_name(enum cella_page_part part);

/* `count` pages in a row, from `offset` on, that are added alike: for each page one EADD with
 * `secinfo_flags`, followed by its 16 EEXTENDs if `extended`. Page i holds the 4096 bytes at data + i *
 * stride; stride is CELLA_PAGE_SIZE or 0. `is_zero`: every page is zero (data points to a page of zeros all
 * the same). Bytes that are not in the file live in the iterator until the next call. */
struct cella_pages {
    uint64_t offset;
    uint64_t count;
    uint64_t secinfo_flags;
    const uint8_t *data;
    size_t stride;
    enum cella_page_part part;
    bool extended;
    bool is_zero;
};

/* Walks through the pages in load order, which is ascending order of offsets; guard pages do not appear. */
struct cella_page_iterator {
    const struct cella_image *image;
    uint64_t at; /* offset that comes next */
    size_t segment;
    uint32_t thread;
    uint8_t step;
    uint8_t page[CELLA_PAGE_SIZE];
};

void cella_page_iterator_init(struct cella_page_iterator *iterator, const struct cella_image *image);
/* False at the end. */
bool cella_page_iterator_next(struct cella_page_iterator *iterator, struct cella_pages *ret_pages);

#endif
