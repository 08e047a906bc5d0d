/* Making .enclave files. Must not read a clock or anything else that differs between two builds. */
#include "image/build.h"
#include "base/error.h"
#include "base/writer.h"
#include "image/format.h"
#include <stdlib.h>
#include <string.h>

static uint64_t file_size(const struct cella_image *image) {
    return cella_image_elf_offset(image->settings_bytes.size) + image->elf_bytes.size;
}

static void write_file(const struct cella_image *image, uint8_t *file, size_t size) {
    uint8_t sigstruct[CELLA_SIGSTRUCT_SIZE];
    struct cella_writer writer;
    cella_writer_init(&writer, file, size);
    cella_write_bytes(&writer, CELLA_IMAGE_MAGIC, CELLA_IMAGE_MAGIC_SIZE);
    cella_write_u32(&writer, CELLA_IMAGE_VERSION);
    cella_write_u32(&writer, (uint32_t)image->settings_bytes.size);
    cella_write_u64(&writer, image->elf_bytes.size);
    cella_write_zeros(&writer, CELLA_IMAGE_HEADER_SIZE - writer.size);
    cella_sigstruct_write(&image->sigstruct, sigstruct);
    cella_write_bytes(&writer, sigstruct, sizeof sigstruct);
    cella_write_bytes(&writer, image->settings_bytes.data, image->settings_bytes.size);
    cella_write_zeros(&writer, cella_image_elf_offset(image->settings_bytes.size) - writer.size);
    cella_write_bytes(&writer, image->elf_bytes.data, image->elf_bytes.size);
    CELLA_ASSERT(!writer.failed && writer.size == size);
}

/* `image` has its ELF bytes, settings and settings bytes. */
static enum cella_status assemble(struct cella_image *image, uint32_t date, uint8_t **ret_file,
                                  size_t *ret_size, struct cella_error *error) {
    enum cella_status status = cella_elf_open(image->elf_bytes, &image->elf, error);
    if (status == CELLA_OK)
        status = cella_image_place(image, error);
    if (status != CELLA_OK)
        return status;
    image->entry = image->elf.entry;
    cella_image_expected_sigstruct(&image->settings, &image->sigstruct);
    image->sigstruct.date = date;
    cella_image_measure(image, image->sigstruct.enclave_hash);
    size_t size = (size_t)file_size(image);
    uint8_t *file = malloc(size);
    if (file == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for an image of %zu bytes", size);
    write_file(image, file, size);
    /* Nothing leaves that would not be accepted when it comes back. */
    struct cella_image check;
    status = cella_image_open(CELLA_BYTES(file, size), &check, error);
    if (status != CELLA_OK) {
        free(file);
        return status;
    }
    *ret_file = file;
    *ret_size = size;
    return CELLA_OK;
}

enum cella_status cella_image_build(struct cella_bytes elf, const struct cella_settings *settings,
                                    uint32_t date, uint8_t **ret_file, size_t *ret_size,
                                    struct cella_error *error) {
    struct cella_elf parsed;
    uint8_t *stripped = NULL;
    size_t stripped_size = 0;
    size_t settings_size = 0;
    enum cella_status status = cella_elf_open(elf, &parsed, error);
    uint8_t *settings_bytes = malloc(CELLA_SETTINGS_SIZE_LIMIT);
    if (settings_bytes == NULL && status == CELLA_OK)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for the settings");
    if (status == CELLA_OK)
        status =
            cella_settings_write(settings, settings_bytes, CELLA_SETTINGS_SIZE_LIMIT, &settings_size, error);
    if (status == CELLA_OK)
        status = cella_elf_strip(&parsed, &stripped, &stripped_size, error);
    if (status == CELLA_OK) {
        struct cella_image image = {.elf_bytes = CELLA_BYTES(stripped, stripped_size),
                                    .settings_bytes = CELLA_BYTES(settings_bytes, settings_size),
                                    .settings = *settings};
        status = assemble(&image, date, ret_file, ret_size, error);
    }
    free(stripped);
    free(settings_bytes);
    return status;
}

enum cella_status cella_image_set_sigstruct(uint8_t *file, size_t size,
                                            const struct cella_sigstruct *sigstruct,
                                            struct cella_error *error) {
    struct cella_image image;
    enum cella_status status = cella_image_open(CELLA_BYTES(file, size), &image, error);
    if (status != CELLA_OK)
        return status;
    uint8_t before[CELLA_SIGSTRUCT_SIZE];
    memcpy(before, image.sigstruct_bytes.data, sizeof before);
    cella_sigstruct_write(sigstruct, file + CELLA_IMAGE_HEADER_SIZE);
    status = cella_image_open(CELLA_BYTES(file, size), &image, error);
    if (status != CELLA_OK)
        memcpy(file + CELLA_IMAGE_HEADER_SIZE, before, sizeof before);
    return status;
}
