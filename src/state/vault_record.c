/* What the vault's own records hold, and what lies in the vault's own space of keys. Format:
 * formats/journal.md. Must not: seal, write, or decide. */
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "state/vault_internal.h"
#include <string.h>

void cella_vault_epoch_write(uint64_t epoch, uint8_t out[VAULT_EPOCH_CONTENT]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, VAULT_EPOCH_CONTENT);
    cella_write_u64(&writer, epoch);
}

enum cella_status cella_vault_epoch_parse(struct cella_bytes content, uint64_t *ret_epoch) {
    struct cella_reader reader;
    cella_reader_init(&reader, content);
    uint64_t epoch = cella_read_u64(&reader);
    if (!cella_reader_done(&reader) || epoch == 0)
        return CELLA_DAMAGED;
    *ret_epoch = epoch;
    return CELLA_OK;
}

static const uint8_t no_restore[CELLA_DIGEST_SIZE];

size_t cella_vault_intent_write(uint64_t epoch, const uint8_t restore[CELLA_DIGEST_SIZE],
                                uint8_t out[VAULT_INTENT_CONTENT_MAX]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, VAULT_INTENT_CONTENT_MAX);
    cella_write_u64(&writer, epoch);
    if (memcmp(restore, no_restore, sizeof no_restore) != 0)
        cella_write_bytes(&writer, restore, CELLA_DIGEST_SIZE);
    return writer.size;
}

enum cella_status cella_vault_intent_parse(struct cella_bytes content, uint64_t *ret_epoch,
                                           uint8_t ret_restore[CELLA_DIGEST_SIZE]) {
    uint8_t restore[CELLA_DIGEST_SIZE] = {0};
    if (content.size == VAULT_INTENT_CONTENT_MAX) {
        memcpy(restore, content.data + VAULT_EPOCH_CONTENT, sizeof restore);
        if (memcmp(restore, no_restore, sizeof restore) == 0)
            return CELLA_DAMAGED;
        content.size = VAULT_EPOCH_CONTENT;
    }
    enum cella_status status = cella_vault_epoch_parse(content, ret_epoch);
    if (status == CELLA_OK)
        memcpy(ret_restore, restore, sizeof restore);
    return status;
}

void cella_vault_snapshot_name_write(const struct cella_vault_snapshot_name *name,
                                     uint8_t out[VAULT_SNAPSHOT_CONTENT]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, VAULT_SNAPSHOT_CONTENT);
    cella_write_u64(&writer, name->version);
    cella_write_u64(&writer, name->size);
    cella_write_bytes(&writer, name->digest, sizeof name->digest);
}

enum cella_status cella_vault_snapshot_name_parse(struct cella_bytes content,
                                                  struct cella_vault_snapshot_name *ret_name) {
    struct cella_vault_snapshot_name name;
    struct cella_reader reader;
    cella_reader_init(&reader, content);
    name.version = cella_read_u64(&reader);
    name.size = cella_read_u64(&reader);
    cella_read_copy(&reader, name.digest, sizeof name.digest);
    if (!cella_reader_done(&reader))
        return CELLA_DAMAGED;
    *ret_name = name;
    return CELLA_OK;
}

void cella_vault_stopped_write(const struct cella_signed_head *seen, uint64_t evidence,
                               uint8_t out[VAULT_STOPPED_CONTENT]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, VAULT_STOPPED_CONTENT);
    cella_write_u64(&writer, evidence);
    cella_signed_head_write(seen, cella_write_space(&writer, CELLA_SIGNED_HEAD_SIZE));
}

enum cella_status cella_vault_stopped_parse(struct cella_bytes content, struct cella_signed_head *ret_seen,
                                            uint64_t *ret_evidence) {
    struct cella_reader reader;
    cella_reader_init(&reader, content);
    uint64_t evidence = cella_read_u64(&reader);
    const uint8_t *head = cella_read_view(&reader, CELLA_SIGNED_HEAD_SIZE);
    if (!cella_reader_done(&reader))
        return CELLA_DAMAGED;
    enum cella_status status =
        cella_signed_head_parse(CELLA_BYTES(head, CELLA_SIGNED_HEAD_SIZE), ret_seen, NULL);
    if (status == CELLA_OK)
        *ret_evidence = evidence;
    return status;
}

/* In the space: 'k' the seed of the signing key; 'm' the mark of the epoch's owner; 'r' and the lineage, big
 * endian: the restore that began it. */
struct cella_bytes cella_vault_signing_key_name(void) {
    static const uint8_t name[] = {CELLA_SPACE_SYSTEM, 'k'};
    return CELLA_BYTES(name, sizeof name);
}

struct cella_bytes cella_vault_mark_name(void) {
    static const uint8_t name[] = {CELLA_SPACE_SYSTEM, 'm'};
    return CELLA_BYTES(name, sizeof name);
}

struct cella_bytes cella_vault_restore_name(uint64_t lineage, uint8_t buffer[16]) {
    buffer[0] = CELLA_SPACE_SYSTEM;
    buffer[1] = 'r';
    for (unsigned i = 0; i < 8; i++)
        buffer[2 + i] = (uint8_t)(lineage >> (56 - 8 * i));
    return CELLA_BYTES(buffer, 10);
}

enum cella_status cella_vault_apply(struct cella_map *map, struct cella_bytes changes) {
    struct cella_change change;
    enum cella_status status = CELLA_OK;
    for (size_t position = 0; cella_change_next(changes, &position, &change, &status);) {
        if (change.key.size < 2 || change.key.data[0] > CELLA_SPACE_USER)
            return CELLA_DAMAGED;
        status = change.is_delete ? cella_map_delete(map, change.key)
                                  : cella_map_put(map, change.key, change.value);
        if (status != CELLA_OK)
            return status == CELLA_NO_MEMORY ? status : CELLA_DAMAGED;
    }
    return status;
}

enum cella_status cella_vault_apply_epoch(struct cella_map *map, const uint8_t mark[CELLA_MARK_SIZE]) {
    return cella_map_put(map, cella_vault_mark_name(), CELLA_BYTES(mark, CELLA_MARK_SIZE));
}

/* Keeps the newest VAULT_RESTORES_MAX of them. */
enum cella_status cella_vault_apply_restore(struct cella_map *map, uint64_t lineage,
                                            struct cella_bytes restore) {
    uint8_t buffer[16];
    enum cella_status status = cella_map_put(map, cella_vault_restore_name(lineage, buffer), restore);
    if (status != CELLA_OK || lineage <= VAULT_RESTORES_MAX)
        return status;
    status = cella_map_delete(map, cella_vault_restore_name(lineage - VAULT_RESTORES_MAX, buffer));
    return status == CELLA_NOT_FOUND ? CELLA_OK : status;
}

static enum cella_status load_signing_key(struct cella_vault *vault, struct cella_error *error) {
    struct cella_bytes seed;
    if (!cella_map_get(vault->map, cella_vault_signing_key_name(), &seed) ||
        seed.size != CELLA_ED25519_SEED_SIZE)
        return cella_fail(error, CELLA_VAULT_DAMAGED, "the journal holds no signing key");
    cella_ed25519_deinit(&vault->signing_key);
    enum cella_status status = cella_ed25519_from_seed(&vault->signing_key, seed.data);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the signing key cannot be prepared");
    if (memcmp(vault->signing_key.public_key, vault->genesis.signing_key, CELLA_ED25519_PUBLIC_SIZE) != 0)
        return cella_fail(error, CELLA_VAULT_OTHER, "the genesis names another signing key");
    return CELLA_OK;
}

static enum cella_status load_restores(struct cella_vault *vault, struct cella_error *error) {
    uint8_t from[16], to[2] = {CELLA_SPACE_SYSTEM, 'r' + 1};
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status status = CELLA_OK;
    cella_map_cursor_init(&cursor, vault->map, NULL);
    cursor.from = cella_vault_restore_name(0, from);
    cursor.to = CELLA_BYTES(to, sizeof to);
    vault->restore_count = 0;
    while (status == CELLA_OK && cella_map_cursor_next(&cursor, &key, &value, &status)) {
        if (vault->restore_count == VAULT_RESTORES_MAX)
            status = CELLA_DAMAGED;
        else
            status = cella_restore_parse(value, &vault->restores[vault->restore_count], error);
        if (status == CELLA_OK)
            vault->restore_count++;
    }
    cella_map_cursor_deinit(&cursor);
    if (status == CELLA_OK || status == CELLA_NO_MEMORY)
        return status;
    return cella_fail(error, CELLA_VAULT_DAMAGED, "a restore in the vault is not well formed");
}

enum cella_status cella_vault_load_system(struct cella_vault *vault, struct cella_error *error) {
    enum cella_status status = load_signing_key(vault, error);
    return status == CELLA_OK ? load_restores(vault, error) : status;
}
