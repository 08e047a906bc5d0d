/* The frame of the .enclave file, shared by image.c and build.c (formats/image.md). */
#ifndef CELLA_IMAGE_FORMAT_H
#define CELLA_IMAGE_FORMAT_H

#include "image/image.h"

#define CELLA_IMAGE_MAGIC       "CELLAIMG"
#define CELLA_IMAGE_MAGIC_SIZE  8
#define CELLA_IMAGE_VERSION     1
#define CELLA_IMAGE_HEADER_SIZE 48

/* The ELF begins on a page of the file, so that it can be mapped. */
static inline uint64_t cella_image_elf_offset(uint64_t settings_size) {
    uint64_t end = CELLA_IMAGE_HEADER_SIZE + CELLA_SIGSTRUCT_SIZE + settings_size;
    return (end + CELLA_PAGE_SIZE - 1) / CELLA_PAGE_SIZE * CELLA_PAGE_SIZE;
}

/* Computes the layout from ELF and settings. CELLA_IMAGE_TOO_LARGE. */
enum cella_status cella_image_place(struct cella_image *image, struct cella_error *error);

/* The fields of SIGSTRUCT that follow from the settings; all others are zero. */
void cella_image_expected_sigstruct(const struct cella_settings *settings, struct cella_sigstruct *ret);

#endif
