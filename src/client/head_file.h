/* The newest head that a client has seen, as a file that anyone can check: the vault's genesis and the signed
 * head. Format: formats/head-file.md. */
#ifndef CELLA_CLIENT_HEAD_FILE_H
#define CELLA_CLIENT_HEAD_FILE_H

#include "state/genesis.h"

#define CELLA_HEAD_FILE_SIZE_MAX (8 + 4 + CELLA_GENESIS_SIZE_MAX + CELLA_SIGNED_HEAD_SIZE)

struct cella_head_file {
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    struct cella_signed_head head;
};

/* `out` has CELLA_HEAD_FILE_SIZE_MAX bytes; returns how many are used. */
size_t cella_head_file_write(const struct cella_head_file *file, uint8_t *out);
/* Reads and checks: the head is of the genesis' vault and signed by its key. CELLA_DAMAGED,
 * CELLA_NEWER_FORMAT, CELLA_SIGNATURE_INVALID. */
enum cella_status cella_head_file_parse(struct cella_bytes bytes, struct cella_head_file *ret_file,
                                        struct cella_error *error);

#endif
