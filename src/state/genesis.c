/* The genesis: bytes, rules and the vault id that they give. Must not: know who makes vaults. */
#include "state/genesis.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include <string.h>

#define MAGIC   "CVGN"
#define VERSION 1

static const uint8_t zeros[32];

static bool is_zero(const uint8_t field[32]) {
    return memcmp(field, zeros, sizeof zeros) == 0;
}

static const char *owners_contradiction(const struct cella_genesis *genesis) {
    if (genesis->owner_count > CELLA_VAULT_OWNERS_MAX)
        return "more owners than a vault can have";
    if (genesis->owner_threshold > genesis->owner_count)
        return "a restore needs more signatures than there are owners";
    if ((genesis->owner_threshold == 0) != (genesis->owner_count == 0))
        return "there are owners, but a restore needs no signature";
    for (unsigned i = 0; i < genesis->owner_count; i++) {
        if (is_zero(genesis->owners[i]))
            return "an owner's key is zero";
        if (i > 0 && memcmp(genesis->owners[i - 1], genesis->owners[i], sizeof genesis->owners[i]) >= 0)
            return "the owners are not in ascending order, or one is there twice";
    }
    return NULL;
}

/* The sentence that a genesis breaks, or NULL. */
static const char *contradiction(const struct cella_genesis *genesis) {
    if (genesis->kind != CELLA_VAULT_MACHINE)
        return "no vault is of this kind";
    if (is_zero(genesis->random))
        return "the random bytes are missing";
    if (is_zero(genesis->signing_key))
        return "the signing key is missing";
    if (!is_zero(genesis->warden_group))
        return "a warden group for a vault that is bound to one machine";
    return owners_contradiction(genesis);
}

enum cella_status cella_genesis_write(const struct cella_genesis *genesis, uint8_t *out, size_t *ret_size,
                                      struct cella_error *error) {
    struct cella_writer writer;
    const char *wrong = contradiction(genesis);
    if (wrong != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "genesis: %s", wrong);
    cella_writer_init(&writer, out, CELLA_GENESIS_SIZE_MAX);
    cella_write_bytes(&writer, MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    cella_write_u8(&writer, (uint8_t)genesis->kind);
    cella_write_zeros(&writer, 1);
    cella_write_bytes(&writer, genesis->random, sizeof genesis->random);
    cella_write_bytes(&writer, genesis->signing_key, sizeof genesis->signing_key);
    cella_write_bytes(&writer, genesis->warden_group, sizeof genesis->warden_group);
    cella_write_bytes(&writer, genesis->policy_digest, sizeof genesis->policy_digest);
    cella_write_u8(&writer, (uint8_t)genesis->owner_count);
    cella_write_u8(&writer, (uint8_t)genesis->owner_threshold);
    cella_write_zeros(&writer, 2);
    for (unsigned i = 0; i < genesis->owner_count; i++)
        cella_write_bytes(&writer, genesis->owners[i], sizeof genesis->owners[i]);
    CELLA_ASSERT(!writer.failed);
    *ret_size = writer.size;
    return CELLA_OK;
}

enum cella_status cella_genesis_parse(struct cella_bytes bytes, struct cella_genesis *ret_genesis,
                                      struct cella_error *error) {
    struct cella_genesis genesis = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, 4);
    uint16_t version = cella_read_u16(&reader);
    if (reader.failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "genesis: it does not start as one");
    if (version != VERSION)
        return cella_fail(error, version > VERSION ? CELLA_NEWER_FORMAT : CELLA_DAMAGED,
                          "genesis: version %u is not known", (unsigned)version);
    unsigned kind = cella_read_u8(&reader);
    if (!reader.failed && kind > CELLA_VAULT_MACHINE)
        return cella_fail(error, CELLA_NEWER_FORMAT, "genesis: a vault of kind %u is not known", kind);
    genesis.kind = (enum cella_vault_kind)kind;
    cella_read_zeros(&reader, 1);
    cella_read_copy(&reader, genesis.random, sizeof genesis.random);
    cella_read_copy(&reader, genesis.signing_key, sizeof genesis.signing_key);
    cella_read_copy(&reader, genesis.warden_group, sizeof genesis.warden_group);
    cella_read_copy(&reader, genesis.policy_digest, sizeof genesis.policy_digest);
    genesis.owner_count = cella_read_u8(&reader);
    genesis.owner_threshold = cella_read_u8(&reader);
    cella_read_zeros(&reader, 2);
    for (unsigned i = 0; i < genesis.owner_count && i < CELLA_VAULT_OWNERS_MAX; i++)
        cella_read_copy(&reader, genesis.owners[i], sizeof genesis.owners[i]);
    const char *wrong = contradiction(&genesis);
    if (!cella_reader_done(&reader))
        wrong = "it is cut, or longer than its fields";
    if (wrong != NULL)
        return cella_fail(error, CELLA_DAMAGED, "genesis: %s", wrong);
    *ret_genesis = genesis;
    return CELLA_OK;
}

void cella_genesis_vault_id(struct cella_bytes bytes, uint8_t ret_vault_id[CELLA_VAULT_ID_SIZE]) {
    cella_sha256(bytes.data, bytes.size, ret_vault_id);
}
