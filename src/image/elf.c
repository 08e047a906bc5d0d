/* ELF64 headers, and the rules of loading. Must not read outside of the file or trust any number of it. */
#include "image/elf.h"
#include "base/error.h"
#include "base/reader.h"
#include <elf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_LIMIT 64 /* program headers */
#define DYNAMIC_LIMIT 1024

struct program_header {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t align;
};

struct header {
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t program_offset;
    uint64_t section_offset;
    uint16_t header_size;
    uint16_t program_entry_size;
    uint16_t program_count;
    uint16_t section_count;
    uint16_t section_names;
};

static uint64_t page_down(uint64_t value) {
    return value & ~(uint64_t)(CELLA_PAGE_SIZE - 1);
}

static uint64_t page_up(uint64_t value) {
    return page_down(value + CELLA_PAGE_SIZE - 1);
}

static void read_header_fields(struct cella_reader *reader, struct header *header) {
    header->type = cella_read_u16(reader);
    header->machine = cella_read_u16(reader);
    header->version = cella_read_u32(reader);
    header->entry = cella_read_u64(reader);
    header->program_offset = cella_read_u64(reader);
    header->section_offset = cella_read_u64(reader);
    (void)cella_read_u32(reader); /* e_flags: none are defined for this machine */
    header->header_size = cella_read_u16(reader);
    header->program_entry_size = cella_read_u16(reader);
    header->program_count = cella_read_u16(reader);
    (void)cella_read_u16(reader); /* e_shentsize */
    header->section_count = cella_read_u16(reader);
    header->section_names = cella_read_u16(reader);
}

static enum cella_status read_header(struct cella_bytes file, struct header *ret_header,
                                     struct cella_error *error) {
    struct cella_reader reader;
    struct header header = {0};
    cella_reader_init(&reader, file);
    const uint8_t *ident = cella_read_view(&reader, EI_NIDENT);
    read_header_fields(&reader, &header);
    if (reader.failed || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return cella_fail(error, CELLA_ELF_FORMAT, "this is not an ELF file");
    if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB || header.machine != EM_X86_64)
        return cella_fail(error, CELLA_ELF_FORMAT, "the ELF file is not for x86-64 (machine %u)",
                          header.machine);
    if (ident[EI_VERSION] != EV_CURRENT || header.version != EV_CURRENT)
        return cella_fail(error, CELLA_ELF_FORMAT, "the ELF file has version %" PRIu32, header.version);
    if (ident[EI_OSABI] != ELFOSABI_NONE && ident[EI_OSABI] != ELFOSABI_GNU)
        return cella_fail(error, CELLA_ELF_FORMAT, "the ELF file is for another operating system (ABI %u)",
                          ident[EI_OSABI]);
    if (header.type != ET_DYN)
        return cella_fail(
            error, CELLA_ELF_FORMAT,
            "the ELF file has type %u, only position-independent programs (type %u) can be loaded",
            header.type, ET_DYN);
    if (header.header_size != sizeof(Elf64_Ehdr) || header.program_entry_size != sizeof(Elf64_Phdr))
        return cella_fail(error, CELLA_ELF_FORMAT, "the ELF header has sizes that ELF64 does not have");
    if (header.program_count == 0 || header.program_count > HEADERS_LIMIT)
        return cella_fail(error, CELLA_ELF_FORMAT, "the ELF file has %u program headers, allowed is 1 to %d",
                          header.program_count, HEADERS_LIMIT);
    *ret_header = header;
    return CELLA_OK;
}

static bool in_file(struct cella_bytes file, uint64_t offset, uint64_t size) {
    return offset <= file.size && size <= file.size - offset;
}

static enum cella_status read_program_headers(struct cella_bytes file, const struct header *header,
                                              struct program_header headers[HEADERS_LIMIT],
                                              struct cella_error *error) {
    uint64_t size = (uint64_t)header->program_count * sizeof(Elf64_Phdr);
    if (!in_file(file, header->program_offset, size))
        return cella_fail(error, CELLA_ELF_FORMAT, "the ELF file ends before its program headers do");
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(file.data + header->program_offset, size));
    for (size_t i = 0; i < header->program_count; i++) {
        headers[i].type = cella_read_u32(&reader);
        headers[i].flags = cella_read_u32(&reader);
        headers[i].offset = cella_read_u64(&reader);
        headers[i].address = cella_read_u64(&reader);
        (void)cella_read_u64(&reader); /* p_paddr means nothing */
        headers[i].file_size = cella_read_u64(&reader);
        headers[i].memory_size = cella_read_u64(&reader);
        headers[i].align = cella_read_u64(&reader);
        if (!in_file(file, headers[i].offset, headers[i].file_size))
            return cella_fail(error, CELLA_ELF_FORMAT, "the ELF file ends inside of program header %zu", i);
    }
    return cella_reader_done(&reader) ? CELLA_OK
                                      : cella_fail(error, CELLA_ELF_FORMAT, "the program headers end early");
}

static enum cella_status check_dynamic(struct cella_bytes file, const struct program_header *header,
                                       struct cella_error *error) {
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(file.data + header->offset, header->file_size));
    for (size_t i = 0; i < DYNAMIC_LIMIT; i++) {
        uint64_t tag = cella_read_u64(&reader);
        uint64_t value = cella_read_u64(&reader);
        if (reader.failed)
            return cella_fail(error, CELLA_ELF_FORMAT, "the dynamic section has no end");
        if (tag == DT_NULL)
            return CELLA_OK;
        if (tag == DT_NEEDED)
            return cella_fail(error, CELLA_ELF_DYNAMIC, "the program needs a shared library (DT_NEEDED)");
        if (tag == DT_TEXTREL || (tag == DT_FLAGS && (value & DF_TEXTREL) != 0))
            return cella_fail(
                error, CELLA_ELF_PERMISSIONS,
                "the program's code must be changed at start (DT_TEXTREL): an object was compiled "
                "without -fPIE");
    }
    return cella_fail(error, CELLA_ELF_FORMAT, "the dynamic section has more than %d entries", DYNAMIC_LIMIT);
}

static enum cella_status check_other_headers(struct cella_bytes file, const struct header *header,
                                             const struct program_header headers[HEADERS_LIMIT],
                                             struct cella_error *error) {
    bool has_stack = false;
    for (size_t i = 0; i < header->program_count; i++) {
        enum cella_status status = CELLA_OK;
        if (headers[i].type == PT_INTERP)
            status =
                cella_fail(error, CELLA_ELF_DYNAMIC, "the program asks for a dynamic loader (PT_INTERP)");
        else if (headers[i].type == PT_DYNAMIC)
            status = check_dynamic(file, &headers[i], error);
        else if (headers[i].type == PT_GNU_STACK && (headers[i].flags & PF_X) != 0)
            status = cella_fail(error, CELLA_ELF_PERMISSIONS,
                                "the program asks for an executable stack (PT_GNU_STACK)");
        if (status != CELLA_OK)
            return status;
        has_stack = has_stack || headers[i].type == PT_GNU_STACK;
    }
    if (!has_stack)
        return cella_fail(error, CELLA_ELF_PERMISSIONS,
                          "the program does not say that its stack is not executable (no PT_GNU_STACK)");
    return CELLA_OK;
}

static enum cella_status check_segment(const struct program_header *header, size_t number,
                                       struct cella_error *error) {
    if (header->memory_size == 0)
        return cella_fail(error, CELLA_ELF_SEGMENTS, "segment %zu is empty", number);
    if (header->file_size > header->memory_size)
        return cella_fail(error, CELLA_ELF_SEGMENTS, "segment %zu has more bytes in the file than in memory",
                          number);
    if (header->address > CELLA_ELF_SIZE_LIMIT || header->memory_size > CELLA_ELF_SIZE_LIMIT ||
        header->address + header->memory_size > CELLA_ELF_SIZE_LIMIT)
        return cella_fail(error, CELLA_IMAGE_TOO_LARGE, "segment %zu ends above %" PRIu64 " bytes", number,
                          CELLA_ELF_SIZE_LIMIT);
    if (header->align < CELLA_PAGE_SIZE || (header->align & (header->align - 1)) != 0)
        return cella_fail(error, CELLA_ELF_SEGMENTS,
                          "segment %zu is not aligned to pages (p_align %" PRIu64 ")", number, header->align);
    if ((header->address - header->offset) % CELLA_PAGE_SIZE != 0)
        return cella_fail(error, CELLA_ELF_SEGMENTS,
                          "segment %zu has another position in its page than in the file", number);
    if ((header->flags & (PF_W | PF_X)) == (PF_W | PF_X))
        return cella_fail(error, CELLA_ELF_PERMISSIONS, "segment %zu is writable and executable", number);
    if ((header->flags & PF_R) == 0 || (header->flags & ~(uint32_t)(PF_R | PF_W | PF_X)) != 0)
        return cella_fail(error, CELLA_ELF_PERMISSIONS,
                          "segment %zu has permissions 0x%" PRIx32 ", allowed are R, RX and RW", number,
                          header->flags);
    return CELLA_OK;
}

static enum cella_status add_segment(struct cella_elf *elf, const struct program_header *header,
                                     struct cella_error *error) {
    size_t number = elf->segment_count;
    enum cella_status status = check_segment(header, number, error);
    if (status != CELLA_OK)
        return status;
    if (number == CELLA_ELF_SEGMENTS_LIMIT)
        return cella_fail(error, CELLA_ELF_SEGMENTS, "the program has more than %d segments",
                          CELLA_ELF_SEGMENTS_LIMIT);
    if (number == 0 && (header->address != 0 || header->offset != 0))
        return cella_fail(error, CELLA_ELF_SEGMENTS,
                          "the first segment does not begin at address 0 with the ELF header");
    if (number > 0 && page_down(header->address) < elf->memory_size)
        return cella_fail(error, CELLA_ELF_SEGMENTS,
                          "segment %zu shares a page with the one before it, overlaps it, or is out of order",
                          number);
    /* In the file too: a byte that is loaded twice could not be cleared by whoever wipes one of its copies.
     */
    if (number > 0 && header->file_size > 0 && header->offset < elf->file_end)
        return cella_fail(error, CELLA_ELF_SEGMENTS, "segment %zu overlaps another one in the file", number);
    uint32_t permissions = CELLA_PAGE_READ;
    permissions |= (header->flags & PF_W) != 0 ? CELLA_PAGE_WRITE : 0;
    permissions |= (header->flags & PF_X) != 0 ? CELLA_PAGE_EXECUTE : 0;
    elf->segments[elf->segment_count++] = (struct cella_elf_segment){.offset = header->address,
                                                                     .memory_size = header->memory_size,
                                                                     .file_offset = header->offset,
                                                                     .file_size = header->file_size,
                                                                     .permissions = permissions};
    elf->memory_size = page_up(header->address + header->memory_size);
    if (header->file_size > 0)
        elf->file_end = header->offset + header->file_size;
    return CELLA_OK;
}

static enum cella_status check_entry(const struct cella_elf *elf, struct cella_error *error) {
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct cella_elf_segment *segment = &elf->segments[i];
        if ((segment->permissions & CELLA_PAGE_EXECUTE) != 0 && elf->entry >= segment->offset &&
            elf->entry - segment->offset < segment->file_size)
            return CELLA_OK;
    }
    return cella_fail(error, CELLA_ELF_ENTRY,
                      "the entry point 0x%" PRIx64 " is not in executable bytes of the file", elf->entry);
}

enum cella_status cella_elf_open(struct cella_bytes file, struct cella_elf *ret_elf,
                                 struct cella_error *error) {
    if (file.size > CELLA_ELF_SIZE_LIMIT)
        return cella_fail(error, CELLA_IMAGE_TOO_LARGE, "the ELF file has %zu bytes, at most %" PRIu64,
                          file.size, CELLA_ELF_SIZE_LIMIT);
    struct header header = {0};
    struct program_header headers[HEADERS_LIMIT];
    struct cella_elf elf = {.file = file};
    enum cella_status status = read_header(file, &header, error);
    if (status == CELLA_OK)
        status = read_program_headers(file, &header, headers, error);
    if (status == CELLA_OK)
        status = check_other_headers(file, &header, headers, error);
    for (size_t i = 0; i < header.program_count && status == CELLA_OK; i++)
        if (headers[i].type == PT_LOAD)
            status = add_segment(&elf, &headers[i], error);
    if (status != CELLA_OK)
        return status;
    if (elf.segment_count == 0)
        return cella_fail(error, CELLA_ELF_SEGMENTS, "the program has no segment to load");
    /* The runtime finds the program headers in memory. */
    if (header.program_offset + (uint64_t)header.program_count * sizeof(Elf64_Phdr) >
        elf.segments[0].file_size)
        return cella_fail(error, CELLA_ELF_SEGMENTS, "the program headers are not in the first segment");
    elf.entry = header.entry;
    status = check_entry(&elf, error);
    if (status == CELLA_OK)
        *ret_elf = elf;
    return status;
}

/* The positions in the header that say where sections are: e_shoff, e_shentsize, e_shnum, e_shstrndx. */
static const struct {
    size_t offset;
    size_t size;
} section_fields[] = {{offsetof(Elf64_Ehdr, e_shoff), 8},
                      {offsetof(Elf64_Ehdr, e_shentsize), 2},
                      {offsetof(Elf64_Ehdr, e_shnum), 2},
                      {offsetof(Elf64_Ehdr, e_shstrndx), 2}};
#define SECTION_FIELDS_COUNT (sizeof section_fields / sizeof section_fields[0])

enum cella_status cella_elf_strip(const struct cella_elf *elf, uint8_t **ret_data, size_t *ret_size,
                                  struct cella_error *error) {
    size_t size = (size_t)elf->file_end;
    uint8_t *data = calloc(1, size);
    if (data == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for %zu bytes of the program", size);
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct cella_elf_segment *segment = &elf->segments[i];
        memcpy(data + segment->file_offset, elf->file.data + segment->file_offset, segment->file_size);
    }
    for (size_t i = 0; i < SECTION_FIELDS_COUNT; i++)
        memset(data + section_fields[i].offset, 0, section_fields[i].size);
    *ret_data = data;
    *ret_size = size;
    return CELLA_OK;
}

static bool all_zero(const uint8_t *data, uint64_t size) {
    uint8_t any = 0;
    for (uint64_t i = 0; i < size; i++)
        any = (uint8_t)(any | data[i]);
    return any == 0;
}

enum cella_status cella_elf_check_stripped(const struct cella_elf *elf, struct cella_error *error) {
    if (elf->file.size != elf->file_end)
        return cella_fail(error, CELLA_ELF_FORMAT, "the program has bytes behind its last segment");
    for (size_t i = 0; i < SECTION_FIELDS_COUNT; i++)
        if (!all_zero(elf->file.data + section_fields[i].offset, section_fields[i].size))
            return cella_fail(error, CELLA_ELF_FORMAT, "the program's header points to sections");
    uint64_t end = 0;
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct cella_elf_segment *segment = &elf->segments[i];
        if (segment->file_size == 0)
            continue;
        if (!all_zero(elf->file.data + end, segment->file_offset - end))
            return cella_fail(error, CELLA_ELF_FORMAT, "the program has bytes between its segments");
        end = segment->file_offset + segment->file_size;
    }
    return CELLA_OK;
}
