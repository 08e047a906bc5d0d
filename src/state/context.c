/* Contexts of mail between client and vault: their bytes. Must not: judge what they say (known.c does). */
#include "state/context.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include <string.h>

#define CLIENT_MAGIC "CVCC"
#define VAULT_MAGIC  "CVVC"
#define VERSION      1

enum { FLAG_PROOF = 1, FLAG_SETTLED = 2 };

static enum cella_status read_start(struct cella_reader *reader, const char *magic_expected,
                                    struct cella_error *error) {
    const uint8_t *magic = cella_read_view(reader, 4);
    uint16_t version = cella_read_u16(reader);
    if (reader->failed || memcmp(magic, magic_expected, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "context: it does not start as one");
    if (version != VERSION)
        return cella_fail(error, version > VERSION ? CELLA_NEWER_FORMAT : CELLA_DAMAGED,
                          "context: version %u is not known", (unsigned)version);
    return CELLA_OK;
}

size_t cella_client_context_write(const struct cella_client_context *context, uint8_t *out) {
    struct cella_writer writer;
    CELLA_ASSERT(context->doubt_count <= CELLA_CONTEXT_DOUBTS_MAX &&
                 (context->has_head || context->doubt_count == 0));
    cella_writer_init(&writer, out, CELLA_CLIENT_CONTEXT_SIZE_MAX);
    cella_write_bytes(&writer, CLIENT_MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    cella_write_u8(&writer, (uint8_t)(context->has_head ? 1 + context->doubt_count : 0));
    cella_write_zeros(&writer, 1);
    cella_write_u64(&writer, context->collected);
    if (context->has_head)
        cella_signed_head_append(&writer, &context->head);
    for (unsigned i = 0; i < context->doubt_count; i++)
        cella_signed_head_append(&writer, &context->doubts[i]);
    return writer.size;
}

enum cella_status cella_client_context_parse(struct cella_bytes bytes,
                                             struct cella_client_context *ret_context,
                                             struct cella_error *error) {
    struct cella_client_context context = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    enum cella_status status = read_start(&reader, CLIENT_MAGIC, error);
    if (status != CELLA_OK)
        return status;
    unsigned heads = cella_read_u8(&reader);
    cella_read_zeros(&reader, 1);
    context.collected = cella_read_u64(&reader);
    if (heads > 1 + CELLA_CONTEXT_DOUBTS_MAX)
        return cella_fail(error, CELLA_DAMAGED, "context: %u heads", heads);
    context.has_head = heads > 0;
    if (context.has_head)
        status = cella_signed_head_read(&reader, &context.head, error);
    for (unsigned i = 1; i < heads && status == CELLA_OK; i++)
        status = cella_signed_head_read(&reader, &context.doubts[context.doubt_count++], error);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED, "context: it is cut, or longer than its fields");
    *ret_context = context;
    return CELLA_OK;
}

bool cella_client_context_doubts(const struct cella_client_context *context,
                                 uint8_t ret_digest[CELLA_DIGEST_SIZE]) {
    uint8_t heads[CELLA_CONTEXT_DOUBTS_MAX * CELLA_SIGNED_HEAD_SIZE];
    if (context->doubt_count == 0)
        return false;
    for (unsigned i = 0; i < context->doubt_count; i++)
        cella_signed_head_write(&context->doubts[i], heads + (size_t)i * CELLA_SIGNED_HEAD_SIZE);
    cella_sha256(heads, (size_t)context->doubt_count * CELLA_SIGNED_HEAD_SIZE, ret_digest);
    return true;
}

/* The sentence that a vault's context breaks, or NULL. */
static const char *contradiction(const struct cella_vault_context *context) {
    if (context->has_proof && (context->proof_from == 0 || context->proof_from >= context->head.head.version))
        return "a proof from no earlier version";
    if (context->has_proof && (context->proof_count == 0 || context->proof_count > CELLA_TREE_PROOF_NODES))
        return "a proof with no nodes, or with too many";
    if (context->restore_count > CELLA_CONTEXT_RESTORES_MAX)
        return "too many restores";
    for (unsigned i = 0; i < context->restore_count; i++) {
        uint64_t lineage = context->restores[i].lineage;
        bool last = i + 1 == context->restore_count;
        if (last ? lineage != context->head.lineage : lineage >= context->restores[i + 1].lineage)
            return "restores that do not lead to the head's lineage";
    }
    return NULL;
}

enum cella_status cella_vault_context_write(const struct cella_vault_context *context, uint8_t *out,
                                            size_t *ret_size, struct cella_error *error) {
    struct cella_writer writer;
    uint8_t restore[CELLA_RESTORE_SIZE_MAX];
    const char *wrong = contradiction(context);
    if (wrong != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "context: %s", wrong);
    cella_writer_init(&writer, out, CELLA_CONTEXT_SIZE_MAX);
    cella_write_bytes(&writer, VAULT_MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    cella_write_u8(&writer, (uint8_t)((context->has_proof ? FLAG_PROOF : 0) |
                                      (context->has_settled ? FLAG_SETTLED : 0)));
    cella_write_u8(&writer, (uint8_t)context->restore_count);
    cella_signed_head_append(&writer, &context->head);
    if (context->has_proof) {
        cella_write_u64(&writer, context->proof_from);
        cella_write_sized(&writer, CELLA_BYTES(context->proof, context->proof_count * CELLA_DIGEST_SIZE));
    }
    for (unsigned i = 0; i < context->restore_count; i++) {
        size_t size = 0;
        enum cella_status status = cella_restore_write(&context->restores[i], restore, &size, error);
        if (status != CELLA_OK)
            return status;
        cella_write_sized(&writer, CELLA_BYTES(restore, size));
    }
    if (context->has_settled)
        cella_write_bytes(&writer, context->settled, sizeof context->settled);
    CELLA_ASSERT(!writer.failed);
    *ret_size = writer.size;
    return CELLA_OK;
}

static void read_proof(struct cella_reader *reader, struct cella_vault_context *context) {
    context->proof_from = cella_read_u64(reader);
    struct cella_bytes proof = cella_read_sized(reader, sizeof context->proof);
    if (proof.size % CELLA_DIGEST_SIZE != 0)
        reader->failed = true;
    context->proof_count = proof.size / CELLA_DIGEST_SIZE;
    if (!reader->failed && proof.size > 0)
        memcpy(context->proof, proof.data, proof.size);
}

enum cella_status cella_vault_context_parse(struct cella_bytes bytes, struct cella_vault_context *ret_context,
                                            struct cella_error *error) {
    struct cella_vault_context context = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    enum cella_status status = read_start(&reader, VAULT_MAGIC, error);
    if (status != CELLA_OK)
        return status;
    unsigned flags = cella_read_u8(&reader);
    context.restore_count = cella_read_u8(&reader);
    if (flags > (FLAG_PROOF | FLAG_SETTLED) || context.restore_count > CELLA_CONTEXT_RESTORES_MAX)
        return cella_fail(error, CELLA_DAMAGED, "context: flags or number of restores are not known");
    context.has_proof = (flags & FLAG_PROOF) != 0;
    context.has_settled = (flags & FLAG_SETTLED) != 0;
    status = cella_signed_head_read(&reader, &context.head, error);
    if (status == CELLA_OK && context.has_proof)
        read_proof(&reader, &context);
    for (unsigned i = 0; i < context.restore_count && status == CELLA_OK; i++)
        status = cella_restore_parse(cella_read_sized(&reader, CELLA_RESTORE_SIZE_MAX), &context.restores[i],
                                     error);
    if (status != CELLA_OK)
        return status;
    if (context.has_settled)
        cella_read_copy(&reader, context.settled, sizeof context.settled);
    const char *wrong = contradiction(&context);
    if (!cella_reader_done(&reader))
        wrong = "it is cut, or longer than its fields";
    if (wrong != NULL)
        return cella_fail(error, CELLA_DAMAGED, "context: %s", wrong);
    *ret_context = context;
    return CELLA_OK;
}
