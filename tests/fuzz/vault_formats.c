/* What a vault and its clients and owners hand each other: any bytes are refused, or mean something that is
 * written as the same bytes again. The first byte chooses the parser. */
#include "state/context.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 16384 };

static void assert_same(struct cella_bytes bytes, const uint8_t *out, size_t size) {
    if (size != bytes.size || memcmp(out, bytes.data, size) != 0)
        abort();
}

static void head(struct cella_bytes bytes) {
    uint8_t out[CELLA_SIGNED_HEAD_SIZE];
    struct cella_signed_head head;
    if (cella_signed_head_parse(bytes, &head, NULL) != CELLA_OK)
        return;
    cella_signed_head_write(&head, out);
    assert_same(bytes, out, sizeof out);
    if (cella_heads_compare(&head, &head) != CELLA_HEADS_EQUAL || !cella_heads_same_owner(&head, &head))
        abort();
}

static void genesis(struct cella_bytes bytes) {
    uint8_t out[CELLA_GENESIS_SIZE_MAX];
    struct cella_genesis genesis;
    size_t size = 0;
    if (cella_genesis_parse(bytes, &genesis, NULL) != CELLA_OK)
        return;
    if (cella_genesis_write(&genesis, out, &size, NULL) != CELLA_OK)
        abort();
    assert_same(bytes, out, size);
}

static void restore(struct cella_bytes bytes) {
    uint8_t out[CELLA_RESTORE_SIZE_MAX];
    struct cella_restore restore;
    size_t size = 0;
    if (cella_restore_parse(bytes, &restore, NULL) != CELLA_OK)
        return;
    if (cella_restore_write(&restore, out, &size, NULL) != CELLA_OK)
        abort();
    assert_same(bytes, out, size);
}

static void evidence(struct cella_bytes bytes) {
    uint8_t out[CELLA_FORK_EVIDENCE_SIZE_MAX];
    char text[256];
    struct cella_fork_evidence evidence;
    if (cella_fork_evidence_parse(bytes, &evidence, NULL) != CELLA_OK)
        return;
    assert_same(bytes, out, cella_fork_evidence_write(&evidence, out));
    (void)cella_fork_evidence_verify(&evidence, text, sizeof text, NULL);
}

static void client_context(struct cella_bytes bytes) {
    uint8_t out[CELLA_CLIENT_CONTEXT_SIZE_MAX];
    struct cella_client_context context;
    if (cella_client_context_parse(bytes, &context, NULL) == CELLA_OK)
        assert_same(bytes, out, cella_client_context_write(&context, out));
}

static void vault_context(struct cella_bytes bytes) {
    static uint8_t out[CELLA_CONTEXT_SIZE_MAX];
    static struct cella_vault_context context;
    size_t size = 0;
    if (cella_vault_context_parse(bytes, &context, NULL) != CELLA_OK)
        return;
    if (cella_vault_context_write(&context, out, &size, NULL) != CELLA_OK)
        abort();
    assert_same(bytes, out, size);
}

/* The heads and the context follow each other with two bytes of size; signatures never fit, so the heads are
 * put in as if they had been verified. */
static void judge(struct cella_bytes bytes) {
    static struct cella_vault_known known;
    static struct cella_vault_context context;
    static struct cella_fork_evidence found;
    struct cella_client_context asked;
    if (bytes.size < 2)
        return;
    size_t first = (size_t)(bytes.data[0] | bytes.data[1] << 8);
    if (first > bytes.size - 2 ||
        cella_client_context_parse(CELLA_BYTES(bytes.data + 2, first), &asked, NULL) != CELLA_OK ||
        cella_vault_context_parse(CELLA_BYTES(bytes.data + 2 + first, bytes.size - 2 - first), &context,
                                  NULL) != CELLA_OK)
        return;
    struct cella_genesis genesis = {.kind = CELLA_VAULT_MACHINE, .random = {1}, .signing_key = {1}};
    memset(&known, 0, sizeof known);
    if (cella_genesis_write(&genesis, known.genesis, &known.genesis_size, NULL) != CELLA_OK)
        abort();
    known.has_head = asked.has_head;
    known.head = asked.head;
    known.doubt_count = 1;
    known.doubts[0] = context.head;
    enum cella_status status = cella_vault_known_judge(&known, &asked, &context, &found, NULL);
    if (known.doubt_count > CELLA_CONTEXT_DOUBTS_MAX || (status == CELLA_OK && !known.has_head))
        abort();
}

static void consistency(struct cella_bytes bytes) {
    uint8_t from_root[CELLA_DIGEST_SIZE], to_root[CELLA_DIGEST_SIZE];
    uint64_t sizes[2];
    if (bytes.size < sizeof sizes)
        return;
    memcpy(sizes, bytes.data, sizeof sizes);
    if (sizes[0] == 0 || sizes[0] >= sizes[1])
        return;
    (void)cella_tree_consistency(sizes[0], sizes[1],
                                 CELLA_BYTES(bytes.data + sizeof sizes, bytes.size - sizeof sizes), from_root,
                                 to_root);
}

static void frontier(struct cella_bytes bytes) {
    uint8_t out[CELLA_TREE_LEVELS * CELLA_DIGEST_SIZE];
    struct cella_tree *tree = NULL;
    uint64_t size;
    if (bytes.size < sizeof size)
        return;
    memcpy(&size, bytes.data, sizeof size);
    struct cella_bytes nodes = CELLA_BYTES(bytes.data + sizeof size, bytes.size - sizeof size);
    if (cella_tree_restore(size, nodes, &tree) != CELLA_OK)
        return;
    assert_same(nodes, out, cella_tree_frontier(tree, out) * CELLA_DIGEST_SIZE);
    cella_tree_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const targets[])(struct cella_bytes) = {
        head, genesis, restore, evidence, client_context, vault_context, judge, consistency, frontier,
    };
    if (size == 0 || size > LARGEST)
        return 0;
    /* Exactly sized, so that a sanitizer sees every read past the end. */
    uint8_t *copy = malloc(size == 1 ? 1 : size - 1);
    if (copy == NULL)
        abort();
    memcpy(copy, data + 1, size - 1);
    targets[data[0] % (sizeof targets / sizeof targets[0])](CELLA_BYTES(copy, size - 1));
    free(copy);
    return 0;
}
