/* Restores: bytes, owners' signatures and whether they are enough. Must not: decide whether a vault does it.
 */
#include "state/restore.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <string.h>

#define MAGIC      "CVRS"
#define VERSION    1
#define LABEL      "cella/vault/restore/1" /* signed with its terminator */
#define TEXT_MAX   (sizeof((struct cella_restore *)NULL)->reason - 1)
#define FIELDS_MAX (8 + 2 * CELLA_VAULT_ID_SIZE + CELLA_DIGEST_SIZE + 6 * 8 + 1 + TEXT_MAX)

static bool printable(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

/* The sentence that a restore breaks, or NULL. */
static const char *contradiction(const struct cella_restore *restore) {
    size_t text_size = strnlen(restore->reason, TEXT_MAX + 1);
    if (restore->lineage == 0)
        return "no restore leads to lineage 0";
    if (restore->from.version == 0 || restore->from.version > CELLA_VERSION_MAX ||
        restore->lost_to > CELLA_VERSION_MAX)
        return "a version that no head has";
    if (restore->lost_to < restore->from.version)
        return "the lost range ends before it begins";
    if (restore->epoch < restore->from.epoch)
        return "the greatest known epoch is smaller than that of the fork point";
    if (restore->time < 0)
        return "it was authorised before 1970";
    if (text_size > TEXT_MAX || !printable(restore->reason, text_size))
        return "the reason is not up to 255 printable characters";
    if (restore->signature_count > CELLA_VAULT_OWNERS_MAX)
        return "more signatures than a vault can have owners";
    for (unsigned i = 1; i < restore->signature_count; i++)
        if (memcmp(restore->signatures[i - 1].owner, restore->signatures[i].owner,
                   CELLA_ED25519_PUBLIC_SIZE) >= 0)
            return "the signatures are not in ascending order of owners, or one is there twice";
    return NULL;
}

static void write_fields(struct cella_writer *writer, const struct cella_restore *restore) {
    size_t text_size = strlen(restore->reason);
    cella_write_bytes(writer, MAGIC, 4);
    cella_write_u16(writer, VERSION);
    cella_write_zeros(writer, 2);
    cella_write_bytes(writer, restore->vault_id, sizeof restore->vault_id);
    cella_write_u64(writer, restore->lineage);
    cella_write_u64(writer, restore->from.epoch);
    cella_write_u64(writer, restore->from.version);
    cella_write_bytes(writer, restore->from.digest, sizeof restore->from.digest);
    cella_write_bytes(writer, restore->from_root, sizeof restore->from_root);
    cella_write_u64(writer, restore->lost_to);
    cella_write_u64(writer, restore->epoch);
    cella_write_u64(writer, (uint64_t)restore->time);
    cella_write_u8(writer, (uint8_t)text_size);
    cella_write_bytes(writer, restore->reason, text_size);
}

enum cella_status cella_restore_write(const struct cella_restore *restore, uint8_t *out, size_t *ret_size,
                                      struct cella_error *error) {
    struct cella_writer writer;
    const char *wrong = contradiction(restore);
    if (wrong != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "restore: %s", wrong);
    cella_writer_init(&writer, out, CELLA_RESTORE_SIZE_MAX);
    write_fields(&writer, restore);
    cella_write_u8(&writer, (uint8_t)restore->signature_count);
    for (unsigned i = 0; i < restore->signature_count; i++) {
        cella_write_bytes(&writer, restore->signatures[i].owner, CELLA_ED25519_PUBLIC_SIZE);
        cella_write_bytes(&writer, restore->signatures[i].signature, CELLA_ED25519_SIGNATURE_SIZE);
    }
    CELLA_ASSERT(!writer.failed);
    *ret_size = writer.size;
    return CELLA_OK;
}

static void read_fields(struct cella_reader *reader, struct cella_restore *restore) {
    cella_read_zeros(reader, 2);
    cella_read_copy(reader, restore->vault_id, sizeof restore->vault_id);
    restore->lineage = cella_read_u64(reader);
    restore->from.epoch = cella_read_u64(reader);
    restore->from.version = cella_read_u64(reader);
    cella_read_copy(reader, restore->from.digest, sizeof restore->from.digest);
    cella_read_copy(reader, restore->from_root, sizeof restore->from_root);
    restore->lost_to = cella_read_u64(reader);
    restore->epoch = cella_read_u64(reader);
    restore->time = (int64_t)cella_read_u64(reader);
    size_t text_size = cella_read_u8(reader);
    cella_read_copy(reader, (uint8_t *)restore->reason, text_size);
    /* A zero in it would end the text early and give other bytes when it is written again. */
    if (strlen(restore->reason) != text_size)
        reader->failed = true;
    restore->signature_count = cella_read_u8(reader);
    for (unsigned i = 0; i < restore->signature_count && i < CELLA_VAULT_OWNERS_MAX; i++) {
        cella_read_copy(reader, restore->signatures[i].owner, CELLA_ED25519_PUBLIC_SIZE);
        cella_read_copy(reader, restore->signatures[i].signature, CELLA_ED25519_SIGNATURE_SIZE);
    }
}

enum cella_status cella_restore_parse(struct cella_bytes bytes, struct cella_restore *ret_restore,
                                      struct cella_error *error) {
    struct cella_restore restore = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, 4);
    uint16_t version = cella_read_u16(&reader);
    if (reader.failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "restore: it does not start as one");
    if (version != VERSION)
        return cella_fail(error, version > VERSION ? CELLA_NEWER_FORMAT : CELLA_DAMAGED,
                          "restore: version %u is not known", (unsigned)version);
    read_fields(&reader, &restore);
    const char *wrong = contradiction(&restore);
    if (!cella_reader_done(&reader))
        wrong = "it is cut, or longer than its fields";
    if (wrong != NULL)
        return cella_fail(error, CELLA_DAMAGED, "restore: %s", wrong);
    *ret_restore = restore;
    return CELLA_OK;
}

static struct cella_bytes signed_part(const struct cella_restore *restore,
                                      uint8_t out[sizeof LABEL + FIELDS_MAX]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, sizeof LABEL + FIELDS_MAX);
    cella_write_bytes(&writer, LABEL, sizeof LABEL);
    write_fields(&writer, restore);
    CELLA_ASSERT(!writer.failed);
    return cella_writer_bytes(&writer);
}

enum cella_status cella_restore_sign(struct cella_restore *restore, const struct cella_ed25519_key *owner,
                                     struct cella_error *error) {
    uint8_t message[sizeof LABEL + FIELDS_MAX];
    uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE];
    unsigned at = 0;
    const char *wrong = contradiction(restore);
    if (wrong != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "restore: %s", wrong);
    if (restore->signature_count == CELLA_VAULT_OWNERS_MAX)
        return cella_fail(error, CELLA_LIMIT, "restore: it has %d signatures already",
                          CELLA_VAULT_OWNERS_MAX);
    while (at < restore->signature_count &&
           memcmp(restore->signatures[at].owner, owner->public_key, CELLA_ED25519_PUBLIC_SIZE) < 0)
        at++;
    if (at < restore->signature_count &&
        memcmp(restore->signatures[at].owner, owner->public_key, CELLA_ED25519_PUBLIC_SIZE) == 0)
        return cella_fail(error, CELLA_EXISTS, "restore: this owner has signed it already");
    if (cella_ed25519_sign(owner, signed_part(restore, message), signature) != CELLA_OK)
        return cella_fail(error, CELLA_CRYPTO, "restore: signing failed");
    memmove(&restore->signatures[at + 1], &restore->signatures[at],
            (restore->signature_count - at) * sizeof restore->signatures[0]);
    memcpy(restore->signatures[at].owner, owner->public_key, CELLA_ED25519_PUBLIC_SIZE);
    memcpy(restore->signatures[at].signature, signature, sizeof signature);
    restore->signature_count++;
    return CELLA_OK;
}

static bool is_owner(const struct cella_genesis *genesis, const uint8_t key[CELLA_ED25519_PUBLIC_SIZE]) {
    for (unsigned i = 0; i < genesis->owner_count; i++)
        if (memcmp(genesis->owners[i], key, CELLA_ED25519_PUBLIC_SIZE) == 0)
            return true;
    return false;
}

enum cella_status cella_restore_verify(const struct cella_restore *restore,
                                       const struct cella_genesis *genesis, struct cella_error *error) {
    uint8_t message[sizeof LABEL + FIELDS_MAX];
    uint8_t genesis_bytes[CELLA_GENESIS_SIZE_MAX];
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    size_t size = 0;
    const char *wrong = contradiction(restore);
    if (wrong != NULL || cella_genesis_write(genesis, genesis_bytes, &size, error) != CELLA_OK)
        return cella_fail(error, CELLA_VAULT_RESTORE, "restore: %s", wrong != NULL ? wrong : "no genesis");
    cella_genesis_vault_id(CELLA_BYTES(genesis_bytes, size), vault_id);
    if (memcmp(vault_id, restore->vault_id, sizeof vault_id) != 0)
        return cella_fail(error, CELLA_VAULT_RESTORE, "it is for another vault");
    if (genesis->owner_count == 0)
        return cella_fail(error, CELLA_VAULT_RESTORE,
                          "this vault was made without owners, so nobody can authorise a restore");
    struct cella_bytes signed_bytes = signed_part(restore, message);
    for (unsigned i = 0; i < restore->signature_count; i++) {
        if (!is_owner(genesis, restore->signatures[i].owner))
            return cella_fail(error, CELLA_VAULT_RESTORE, "signature %u is not of an owner of this vault",
                              i + 1);
        if (cella_ed25519_verify(restore->signatures[i].owner, signed_bytes,
                                 restore->signatures[i].signature) != CELLA_OK)
            return cella_fail(error, CELLA_VAULT_RESTORE, "signature %u does not fit what it signs", i + 1);
    }
    if (restore->signature_count < genesis->owner_threshold)
        return cella_fail(error, CELLA_VAULT_RESTORE, "it has %u of the %u signatures that are needed",
                          restore->signature_count, genesis->owner_threshold);
    return CELLA_OK;
}
