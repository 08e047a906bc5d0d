/* Opening and measuring .enclave files. Must not touch the file system. */
#include "image/image.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/reader.h"
#include "image/format.h"
#include <inttypes.h>
#include <string.h>

const uint8_t cella_development_signer[CELLA_SHA256_SIZE] = {
    0xcf, 0xf7, 0x23, 0x3e, 0x47, 0xf0, 0xf5, 0x37, 0xd5, 0x5d, 0xeb, 0x86, 0xf4, 0xd9, 0x5c, 0x45,
    0x09, 0x4c, 0x1b, 0x30, 0x4e, 0x21, 0x23, 0x32, 0x37, 0x67, 0xb2, 0x0c, 0xfe, 0x49, 0xbe, 0x4d};

/* Splits the file into its three parts; the layout of the file is in format.h. */
static enum cella_status split(struct cella_bytes file, struct cella_image *image,
                               struct cella_error *error) {
    struct cella_reader reader;
    cella_reader_init(&reader, file);
    const uint8_t *magic = cella_read_view(&reader, CELLA_IMAGE_MAGIC_SIZE);
    uint32_t version = cella_read_u32(&reader);
    uint32_t settings_size = cella_read_u32(&reader);
    uint64_t elf_size = cella_read_u64(&reader);
    if (reader.failed || memcmp(magic, CELLA_IMAGE_MAGIC, CELLA_IMAGE_MAGIC_SIZE) != 0)
        return cella_fail(error, CELLA_DAMAGED, "this is not an .enclave file");
    if (version > CELLA_IMAGE_VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "the image has format version %" PRIu32 ", known is %d",
                          version, CELLA_IMAGE_VERSION);
    if (version != CELLA_IMAGE_VERSION || settings_size > CELLA_SETTINGS_SIZE_LIMIT ||
        elf_size > CELLA_ELF_SIZE_LIMIT)
        return cella_fail(error, CELLA_DAMAGED, "the image's header has impossible sizes");
    cella_read_zeros(&reader, CELLA_IMAGE_HEADER_SIZE - reader.at);
    image->sigstruct_bytes =
        CELLA_BYTES(cella_read_view(&reader, CELLA_SIGSTRUCT_SIZE), CELLA_SIGSTRUCT_SIZE);
    image->settings_bytes = CELLA_BYTES(cella_read_view(&reader, settings_size), settings_size);
    image->elf_file_offset = cella_image_elf_offset(settings_size);
    cella_read_zeros(&reader, image->elf_file_offset - reader.at);
    image->elf_bytes = CELLA_BYTES(cella_read_view(&reader, elf_size), elf_size);
    if (reader.failed)
        return cella_fail(error, CELLA_DAMAGED,
                          "the image ends early, or has bytes where there should be none");
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED, "the image has %zu bytes behind its end",
                          cella_reader_left(&reader));
    return CELLA_OK;
}

/* What SIGSTRUCT must say about an image with these settings. */
static enum cella_status check_agreement(const struct cella_image *image, struct cella_error *error) {
    const struct cella_sigstruct *found = &image->sigstruct;
    struct cella_sigstruct expected;
    cella_image_expected_sigstruct(&image->settings, &expected);
    if (found->isv_prod_id != expected.isv_prod_id || found->isv_svn != expected.isv_svn)
        return cella_fail(
            error, CELLA_IMAGE_MISMATCH,
            "the settings say product %u and security version %u, the signature is for %u and %u",
            expected.isv_prod_id, expected.isv_svn, found->isv_prod_id, found->isv_svn);
    if (found->attributes.flags != expected.attributes.flags)
        return cella_fail(error, CELLA_IMAGE_MISMATCH,
                          "the settings ask for attributes 0x%" PRIx64 ", the signature is for 0x%" PRIx64,
                          expected.attributes.flags, found->attributes.flags);
    if (found->attributes.xfrm != expected.attributes.xfrm ||
        memcmp(&found->attribute_mask, &expected.attribute_mask, sizeof expected.attribute_mask) != 0 ||
        found->misc_select != expected.misc_select || found->misc_mask != expected.misc_mask ||
        memcmp(found->isv_family_id, expected.isv_family_id, sizeof expected.isv_family_id) != 0 ||
        memcmp(found->isv_ext_prod_id, expected.isv_ext_prod_id, sizeof expected.isv_ext_prod_id) != 0)
        return cella_fail(error, CELLA_IMAGE_MISMATCH,
                          "the signature's attributes are not those of an image of this format");
    return CELLA_OK;
}

enum cella_status cella_image_open(struct cella_bytes file, struct cella_image *ret_image,
                                   struct cella_error *error) {
    struct cella_image image = {0};
    enum cella_status status = split(file, &image, error);
    if (status == CELLA_OK)
        status = cella_settings_read(image.settings_bytes, &image.settings, error);
    if (status == CELLA_OK)
        status = cella_sigstruct_read(image.sigstruct_bytes, &image.sigstruct, error);
    if (status == CELLA_OK)
        status = check_agreement(&image, error);
    if (status == CELLA_OK)
        status = cella_elf_open(image.elf_bytes, &image.elf, error);
    if (status == CELLA_OK)
        status = cella_elf_check_stripped(&image.elf, error);
    if (status != CELLA_OK)
        return status;
    image.entry = image.elf.entry;
    status = cella_image_place(&image, error);
    if (status == CELLA_OK)
        *ret_image = image;
    return status;
}

enum cella_status cella_image_place(struct cella_image *image, struct cella_error *error) {
    const struct cella_settings *settings = &image->settings;
    enum cella_status status =
        cella_layout_init(&image->layout, image->elf.memory_size, image->settings_bytes.size,
                          settings->heap_size, settings->stack_size, settings->thread_count);
    if (status != CELLA_OK)
        return cella_fail(error, status, "program, heap, stacks and threads need more than %" PRIu64 " bytes",
                          CELLA_LAYOUT_SIZE_LIMIT);
    return CELLA_OK;
}

void cella_image_expected_sigstruct(const struct cella_settings *settings, struct cella_sigstruct *ret) {
    uint64_t flags = CELLA_ATTRIBUTE_MODE64BIT | (settings->debug ? CELLA_ATTRIBUTE_DEBUG : 0);
    *ret = (struct cella_sigstruct){
        .misc_mask = UINT32_MAX,
        .attributes = {.flags = flags, .xfrm = CELLA_XFRM_LEGACY},
        .attribute_mask = {.flags = UINT64_MAX, .xfrm = ~(uint64_t)CELLA_XFRM_FREE},
        .isv_prod_id = settings->product_id,
        .isv_svn = settings->security_version,
    };
}

void cella_image_measure(const struct cella_image *image, uint8_t ret_code_hash[CELLA_SHA256_SIZE]) {
    struct cella_measure measurement;
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    cella_measure_init(&measurement, image->layout.size, CELLA_LAYOUT_SSA_FRAME_SIZE);
    cella_page_iterator_init(&iterator, image);
    while (cella_page_iterator_next(&iterator, &pages)) {
        if (!pages.extended) {
            cella_measure_add_pages(&measurement, pages.offset, pages.count, pages.secinfo_flags);
            continue;
        }
        for (uint64_t i = 0; i < pages.count; i++) {
            uint64_t offset = pages.offset + i * CELLA_PAGE_SIZE;
            cella_measure_add_page(&measurement, offset, pages.secinfo_flags);
            cella_measure_extend_page(&measurement, offset, pages.data + i * pages.stride);
        }
    }
    cella_measure_digest(&measurement, ret_code_hash);
    cella_measure_deinit(&measurement);
}

enum cella_status cella_image_verify(const struct cella_image *image, struct cella_error *error) {
    uint8_t measured[CELLA_SHA256_SIZE];
    cella_image_measure(image, measured);
    if (memcmp(measured, image->sigstruct.enclave_hash, sizeof measured) != 0) {
        char found[2 * CELLA_SHA256_SIZE + 1];
        char expected[2 * CELLA_SHA256_SIZE + 1];
        cella_hex_encode(measured, sizeof measured, found);
        cella_hex_encode(image->sigstruct.enclave_hash, CELLA_SHA256_SIZE, expected);
        return cella_fail(error, CELLA_IMAGE_MISMATCH, "the pages' code hash is %s, the signature is for %s",
                          found, expected);
    }
    return cella_sigstruct_verify(&image->sigstruct, error);
}
