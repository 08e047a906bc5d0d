/* Head files. Must not: accept a head that the vault of the genesis did not sign. */
#include "client/head_file.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <string.h>

#define MAGIC   "CVHF"
#define VERSION 1

size_t cella_head_file_write(const struct cella_head_file *file, uint8_t *out) {
    struct cella_writer writer;
    uint8_t head[CELLA_SIGNED_HEAD_SIZE];
    cella_writer_init(&writer, out, CELLA_HEAD_FILE_SIZE_MAX);
    cella_write_bytes(&writer, MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    cella_write_zeros(&writer, 2);
    cella_write_sized(&writer, CELLA_BYTES(file->genesis, file->genesis_size));
    cella_signed_head_write(&file->head, head);
    cella_write_bytes(&writer, head, sizeof head);
    CELLA_ASSERT(!writer.failed);
    return writer.size;
}

static enum cella_status check(const struct cella_head_file *file, struct cella_error *error) {
    struct cella_genesis genesis;
    struct cella_bytes bytes = CELLA_BYTES(file->genesis, file->genesis_size);
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    enum cella_status status = cella_genesis_parse(bytes, &genesis, error);
    if (status != CELLA_OK)
        return status;
    cella_genesis_vault_id(bytes, vault_id);
    if (memcmp(vault_id, file->head.vault_id, sizeof vault_id) != 0)
        return cella_fail(error, CELLA_DAMAGED, "head file: genesis and head are of two vaults");
    if (cella_signed_head_verify(&file->head, genesis.signing_key) != CELLA_OK)
        return cella_fail(error, CELLA_SIGNATURE_INVALID, "head file: the vault did not sign this head");
    return CELLA_OK;
}

enum cella_status cella_head_file_parse(struct cella_bytes bytes, struct cella_head_file *ret_file,
                                        struct cella_error *error) {
    struct cella_head_file file;
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, 4);
    unsigned version = cella_read_u16(&reader);
    if (reader.failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "this is not a head file");
    if (version > VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "head file: format version %u", version);
    cella_read_zeros(&reader, 2);
    struct cella_bytes genesis = cella_read_sized(&reader, sizeof file.genesis);
    const uint8_t *head = cella_read_view(&reader, CELLA_SIGNED_HEAD_SIZE);
    if (!cella_reader_done(&reader) || version != VERSION)
        return cella_fail(error, CELLA_DAMAGED, "head file: it is not well formed");
    enum cella_status status =
        cella_signed_head_parse(CELLA_BYTES(head, CELLA_SIGNED_HEAD_SIZE), &file.head, error);
    if (status != CELLA_OK)
        return status;
    if (genesis.size > 0)
        memcpy(file.genesis, genesis.data, genesis.size);
    file.genesis_size = genesis.size;
    status = check(&file, error);
    if (status == CELLA_OK)
        *ret_file = file;
    return status;
}
