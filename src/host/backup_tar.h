/* The little of the tar format (POSIX ustar) that backups use. Must not: accept what it does not write. */
#ifndef CELLA_HOST_BACKUP_TAR_H
#define CELLA_HOST_BACKUP_TAR_H

#include <cella/bytes.h>
#include <stdbool.h>

enum { CELLA_TAR_BLOCK = 512, CELLA_TAR_NAME_MAX = 64 };

/* The header of one regular file. `name` has less than CELLA_TAR_NAME_MAX characters. */
void cella_tar_header_write(const char *name, uint64_t size, uint8_t ret_block[CELLA_TAR_BLOCK]);
/* False: it is not a header that the above writes. */
bool cella_tar_header_read(const uint8_t block[CELLA_TAR_BLOCK], char ret_name[CELLA_TAR_NAME_MAX],
                           uint64_t *ret_size);
/* Zeros that follow a file of this size. */
size_t cella_tar_padding(uint64_t size);

#endif
