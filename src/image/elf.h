/* The ELF file of an image: bounded parsing and the rules that make it loadable (formats/image.md). Must not:
 * relocate, execute or change anything. */
#ifndef CELLA_IMAGE_ELF_H
#define CELLA_IMAGE_ELF_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdint.h>

#define CELLA_PAGE_SIZE          4096u
#define CELLA_ELF_SEGMENTS_LIMIT 16
#define CELLA_ELF_SIZE_LIMIT     ((uint64_t)256 * 1024 * 1024) /* of the file, and of the loaded segments */

/* Permissions with the bits of SECINFO.FLAGS. */
#define CELLA_PAGE_READ    1u
#define CELLA_PAGE_WRITE   2u
#define CELLA_PAGE_EXECUTE 4u

/* One PT_LOAD. It fills the pages from `offset` rounded down to `offset + memory_size` rounded up; what of
 * them the file does not give is zero. */
struct cella_elf_segment {
    uint64_t offset; /* from the image base (p_vaddr) */
    uint64_t memory_size;
    uint64_t file_offset;
    uint64_t file_size;
    uint32_t permissions;
};

/* A file that obeys every rule. Borrows `file`. Segments ascend, share no page, and lie in
 * [0, memory_size). */
struct cella_elf {
    struct cella_bytes file;
    uint64_t entry;
    uint64_t memory_size; /* end of the last segment, whole pages */
    uint64_t file_end;    /* end of the last byte of the file that a segment loads */
    size_t segment_count;
    struct cella_elf_segment segments[CELLA_ELF_SEGMENTS_LIMIT];
};

/* Parses and checks. CELLA_ELF_FORMAT: not such a file, or damaged. CELLA_ELF_DYNAMIC: needs a loader or
 * shared libraries. CELLA_ELF_SEGMENTS: segments overlap, share pages, are out of order.
 * CELLA_ELF_PERMISSIONS: memory that is writable and executable. CELLA_ELF_ENTRY: starts outside of its code.
 * CELLA_IMAGE_TOO_LARGE. */
enum cella_status cella_elf_open(struct cella_bytes file, struct cella_elf *ret_elf,
                                 struct cella_error *error);

/* Makes the form that images hold: cuts everything behind the last loaded byte (sections, symbols, debug
 * information), clears the header's pointers to it and everything between segments. So the code hash does not
 * depend on debug information. `ret_data` is from malloc. */
enum cella_status cella_elf_strip(const struct cella_elf *elf, uint8_t **ret_data, size_t *ret_size,
                                  struct cella_error *error);

/* Refuses a file that cella_elf_strip would change. CELLA_ELF_FORMAT. */
enum cella_status cella_elf_check_stripped(const struct cella_elf *elf, struct cella_error *error);

#endif
