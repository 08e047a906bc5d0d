/* Fuzzes the ELF rules: what is accepted can be stripped, and stripping is final. */
#include "image/elf.h"
#include "base/error.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_elf elf;
    struct cella_elf again;
    struct cella_error error;
    uint8_t *stripped = NULL;
    size_t stripped_size = 0;
    if (cella_elf_open(CELLA_BYTES(data, size), &elf, &error) != CELLA_OK)
        return 0;
    CELLA_ASSERT(cella_elf_strip(&elf, &stripped, &stripped_size, &error) == CELLA_OK);
    if (cella_elf_open(CELLA_BYTES(stripped, stripped_size), &again, &error) == CELLA_OK)
        CELLA_ASSERT(cella_elf_check_stripped(&again, &error) == CELLA_OK);
    free(stripped);
    return 0;
}
