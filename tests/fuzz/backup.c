/* Fuzzes backups of vaults: whatever is accepted is whole, and every accepted one begins with a genesis. */
#include "host/backup.h"
#include "base/error.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_backup_facts facts;
    struct cella_error error;
    char path[64];
    int fd = memfd_create("backup", MFD_CLOEXEC);
    CELLA_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (cella_backup_check(path, &facts, &error) == CELLA_OK)
        CELLA_ASSERT(facts.files > 0 && facts.bytes <= size && facts.segments < facts.files);
    close(fd);
    return 0;
}
