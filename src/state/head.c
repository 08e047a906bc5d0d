/* Signed heads: their bytes, their signature, and what two of them say about each other. Must not: know where
 * heads come from. */
#include "state/head.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <string.h>

#define MAGIC       "CVHD"
#define VERSION     1
#define LABEL       "cella/vault/head/1" /* signed with its terminator */
#define FIELDS_SIZE (CELLA_SIGNED_HEAD_SIZE - CELLA_ED25519_SIGNATURE_SIZE)

static const uint8_t zeros[CELLA_DIGEST_SIZE];

/* The sentence that a head breaks, or NULL. */
static const char *contradiction(const struct cella_signed_head *head) {
    if (head->head.version == 0 || head->head.version > CELLA_VERSION_MAX)
        return "a version that no signed head has";
    if (memcmp(head->epoch_start, zeros, sizeof zeros) == 0)
        return "it does not say how its epoch began";
    return NULL;
}

static void write_fields(struct cella_writer *writer, const struct cella_signed_head *head) {
    cella_write_bytes(writer, MAGIC, 4);
    cella_write_u16(writer, VERSION);
    cella_write_zeros(writer, 2);
    cella_write_bytes(writer, head->vault_id, sizeof head->vault_id);
    cella_write_u64(writer, head->lineage);
    cella_write_u64(writer, head->head.epoch);
    cella_write_u64(writer, head->head.version);
    cella_write_bytes(writer, head->head.digest, sizeof head->head.digest);
    cella_write_bytes(writer, head->epoch_start, sizeof head->epoch_start);
    cella_write_bytes(writer, head->root, sizeof head->root);
}

/* The bytes that are signed: label, then the encoded form up to the signature. */
static struct cella_bytes signed_part(const struct cella_signed_head *head,
                                      uint8_t out[sizeof LABEL + FIELDS_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, sizeof LABEL + FIELDS_SIZE);
    cella_write_bytes(&writer, LABEL, sizeof LABEL);
    write_fields(&writer, head);
    CELLA_ASSERT(!writer.failed && writer.size == sizeof LABEL + FIELDS_SIZE);
    return cella_writer_bytes(&writer);
}

enum cella_status cella_signed_head_sign(struct cella_signed_head *head,
                                         const struct cella_ed25519_key *key) {
    uint8_t message[sizeof LABEL + FIELDS_SIZE];
    if (contradiction(head) != NULL)
        return CELLA_ARGUMENT;
    return cella_ed25519_sign(key, signed_part(head, message), head->signature);
}

enum cella_status cella_signed_head_verify(const struct cella_signed_head *head,
                                           const uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE]) {
    uint8_t message[sizeof LABEL + FIELDS_SIZE];
    if (contradiction(head) != NULL ||
        cella_ed25519_verify(public_key, signed_part(head, message), head->signature) != CELLA_OK)
        return CELLA_SIGNATURE_INVALID;
    return CELLA_OK;
}

void cella_signed_head_write(const struct cella_signed_head *head, uint8_t out[CELLA_SIGNED_HEAD_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_SIGNED_HEAD_SIZE);
    write_fields(&writer, head);
    cella_write_bytes(&writer, head->signature, sizeof head->signature);
    CELLA_ASSERT(!writer.failed && writer.size == CELLA_SIGNED_HEAD_SIZE);
}

enum cella_status cella_signed_head_parse(struct cella_bytes bytes, struct cella_signed_head *ret_head,
                                          struct cella_error *error) {
    struct cella_signed_head head;
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, 4);
    uint16_t version = cella_read_u16(&reader);
    if (reader.failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "signed head: it does not start as one");
    if (version != VERSION)
        return cella_fail(error, version > VERSION ? CELLA_NEWER_FORMAT : CELLA_DAMAGED,
                          "signed head: version %u is not known", (unsigned)version);
    cella_read_zeros(&reader, 2);
    cella_read_copy(&reader, head.vault_id, sizeof head.vault_id);
    head.lineage = cella_read_u64(&reader);
    head.head.epoch = cella_read_u64(&reader);
    head.head.version = cella_read_u64(&reader);
    cella_read_copy(&reader, head.head.digest, sizeof head.head.digest);
    cella_read_copy(&reader, head.epoch_start, sizeof head.epoch_start);
    cella_read_copy(&reader, head.root, sizeof head.root);
    cella_read_copy(&reader, head.signature, sizeof head.signature);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED, "signed head: %zu bytes where %d are right", bytes.size,
                          CELLA_SIGNED_HEAD_SIZE);
    const char *wrong = contradiction(&head);
    if (wrong != NULL)
        return cella_fail(error, CELLA_DAMAGED, "signed head: %s", wrong);
    *ret_head = head;
    return CELLA_OK;
}

void cella_signed_head_append(struct cella_writer *writer, const struct cella_signed_head *head) {
    uint8_t *space = cella_write_space(writer, CELLA_SIGNED_HEAD_SIZE);
    CELLA_ASSERT(space != NULL);
    cella_signed_head_write(head, space);
}

enum cella_status cella_signed_head_read(struct cella_reader *reader, struct cella_signed_head *ret_head,
                                         struct cella_error *error) {
    const uint8_t *bytes = cella_read_view(reader, CELLA_SIGNED_HEAD_SIZE);
    return cella_signed_head_parse(CELLA_BYTES(bytes, bytes == NULL ? 0 : CELLA_SIGNED_HEAD_SIZE), ret_head,
                                   error);
}

static bool same_digest(const uint8_t first[CELLA_DIGEST_SIZE], const uint8_t second[CELLA_DIGEST_SIZE]) {
    return memcmp(first, second, CELLA_DIGEST_SIZE) == 0;
}

enum cella_head_relation cella_heads_compare(const struct cella_signed_head *first,
                                             const struct cella_signed_head *second) {
    if (memcmp(first->vault_id, second->vault_id, CELLA_VAULT_ID_SIZE) != 0 ||
        first->lineage != second->lineage)
        return CELLA_HEADS_INCOMPARABLE;
    if (first->head.epoch == second->head.epoch && !same_digest(first->epoch_start, second->epoch_start))
        return CELLA_HEADS_CONTRADICT;
    if (first->head.version == second->head.version) {
        bool same = first->head.epoch == second->head.epoch &&
                    same_digest(first->head.digest, second->head.digest) &&
                    same_digest(first->root, second->root);
        return same ? CELLA_HEADS_EQUAL : CELLA_HEADS_CONTRADICT;
    }
    bool older = first->head.version < second->head.version;
    uint64_t older_epoch = older ? first->head.epoch : second->head.epoch;
    uint64_t newer_epoch = older ? second->head.epoch : first->head.epoch;
    if (older_epoch > newer_epoch)
        return CELLA_HEADS_CONTRADICT;
    return older ? CELLA_HEADS_OLDER : CELLA_HEADS_NEWER;
}

bool cella_heads_same_owner(const struct cella_signed_head *first, const struct cella_signed_head *second) {
    return memcmp(first->vault_id, second->vault_id, CELLA_VAULT_ID_SIZE) == 0 &&
           first->lineage == second->lineage && first->head.epoch == second->head.epoch &&
           same_digest(first->epoch_start, second->epoch_start);
}
