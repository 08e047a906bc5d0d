/* Making and signing .enclave files. Host side only. Must not: touch the file system or read a clock. */
#ifndef CELLA_IMAGE_BUILD_H
#define CELLA_IMAGE_BUILD_H

#include "image/image.h"

/* DATE of SIGSTRUCT when nobody names one: a fixed day, so that builds are byte-identical. */
#define CELLA_IMAGE_DEFAULT_DATE 0x19700101u

/* Puts an ELF file and settings together: strips, measures, fills SIGSTRUCT but for the signature. `date` is
 * BCD. The file is from malloc; the same input gives the same bytes. Statuses of elf.h and settings.h. */
enum cella_status cella_image_build(struct cella_bytes elf, const struct cella_settings *settings,
                                    uint32_t date, uint8_t **ret_file, size_t *ret_size,
                                    struct cella_error *error);

/* Replaces the SIGSTRUCT in the bytes of an image file, which must be one. */
enum cella_status cella_image_set_sigstruct(uint8_t *file, size_t size,
                                            const struct cella_sigstruct *sigstruct,
                                            struct cella_error *error);

#endif
