/* A vault's history in memory, for tests of heads, contexts and evidence. */
#include "copy.h"
#include "crypto/hash.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

static int by_key(const void *left, const void *right) {
    return memcmp(left, right, CELLA_ED25519_PUBLIC_SIZE);
}

void copy_vault_init(struct copy_vault *vault, uint8_t seed) {
    uint8_t bytes[32];
    memset(vault, 0, sizeof *vault);
    memset(bytes, seed, sizeof bytes);
    assert_status(cella_ed25519_from_seed(&vault->key, bytes), CELLA_OK);
    struct cella_genesis *genesis = &vault->genesis;
    *genesis =
        (struct cella_genesis){.kind = CELLA_VAULT_MACHINE, .owner_count = COPY_OWNERS, .owner_threshold = 2};
    memset(genesis->random, seed, sizeof genesis->random);
    memcpy(genesis->signing_key, vault->key.public_key, sizeof genesis->signing_key);
    for (unsigned i = 0; i < COPY_OWNERS; i++) {
        bytes[0] = (uint8_t)(100 + i);
        assert_status(cella_ed25519_from_seed(&vault->owners[i], bytes), CELLA_OK);
        memcpy(genesis->owners[i], vault->owners[i].public_key, CELLA_ED25519_PUBLIC_SIZE);
    }
    qsort(genesis->owners, COPY_OWNERS, sizeof genesis->owners[0], by_key);
    assert_status(cella_genesis_write(genesis, vault->genesis_bytes, &vault->genesis_size, NULL), CELLA_OK);
    cella_genesis_vault_id(CELLA_BYTES(vault->genesis_bytes, vault->genesis_size), vault->id);
}

void copy_vault_deinit(struct copy_vault *vault) {
    cella_ed25519_deinit(&vault->key);
    for (unsigned i = 0; i < COPY_OWNERS; i++)
        cella_ed25519_deinit(&vault->owners[i]);
}

void copy_create(struct copy *copy, struct copy_vault *vault) {
    *copy = (struct copy){.vault = vault};
    copy_restart(copy);
}

void copy_append(struct copy *copy, unsigned records) {
    for (unsigned i = 0; i < records; i++) {
        uint64_t name[4] = {copy->name, copy->lineage, copy->epoch, copy->version};
        assert_true(copy->version < COPY_RECORDS_MAX);
        cella_sha256(name, sizeof name, copy->records[copy->version++]);
    }
}

void copy_restart(struct copy *copy) {
    copy_append(copy, 2);
    copy->epoch++;
    memcpy(copy->start, copy->records[copy->version - 2], sizeof copy->start);
}

void copy_set_back(struct copy *copy, uint64_t version) {
    assert_true(version <= copy->version);
    copy->version = version;
    copy->name++;
}

static struct cella_tree *tree_at(const struct copy *copy, uint64_t version) {
    struct cella_tree *tree = NULL;
    assert_status(cella_tree_new(&tree), CELLA_OK);
    for (uint64_t i = 0; i < version; i++)
        cella_tree_append(tree, copy->records[i]);
    return tree;
}

static void root_at(const struct copy *copy, uint64_t version, uint8_t ret_root[CELLA_DIGEST_SIZE]) {
    struct cella_tree *tree = tree_at(copy, version);
    cella_tree_root(tree, ret_root);
    cella_tree_free(tree);
}

void copy_restore_make(const struct copy *copy, uint64_t version, uint64_t lost_to, unsigned signatures,
                       struct cella_restore *ret_restore) {
    *ret_restore = (struct cella_restore){.lineage = copy->lineage + 1,
                                          .from = {.epoch = 1, .version = version},
                                          .lost_to = lost_to,
                                          .epoch = copy->epoch,
                                          .time = 1700000000,
                                          .reason = "the disk was lost"};
    memcpy(ret_restore->vault_id, copy->vault->id, sizeof ret_restore->vault_id);
    memcpy(ret_restore->from.digest, copy->records[version - 1], CELLA_DIGEST_SIZE);
    root_at(copy, version, ret_restore->from_root);
    for (unsigned i = 0; i < signatures; i++)
        assert_status(cella_restore_sign(ret_restore, &copy->vault->owners[i], NULL), CELLA_OK);
}

void copy_restore(struct copy *copy, uint64_t version, uint64_t lost_to) {
    copy_restore_make(copy, version, lost_to, 2, &copy->restores[copy->restore_count++]);
    copy_set_back(copy, version);
    copy->lineage++;
    copy_restart(copy);
}

struct cella_signed_head copy_head(const struct copy *copy) {
    struct cella_signed_head head = {.lineage = copy->lineage,
                                     .head = {.epoch = copy->epoch, .version = copy->version}};
    memcpy(head.vault_id, copy->vault->id, sizeof head.vault_id);
    memcpy(head.head.digest, copy->records[copy->version - 1], sizeof head.head.digest);
    memcpy(head.epoch_start, copy->start, sizeof head.epoch_start);
    root_at(copy, copy->version, head.root);
    assert_status(cella_signed_head_sign(&head, &copy->vault->key), CELLA_OK);
    return head;
}

size_t copy_prove(const struct copy *copy, uint64_t from, uint8_t *out) {
    size_t count = 0;
    struct cella_tree *tree = tree_at(copy, copy->version);
    assert_status(
        cella_tree_prove(tree, (struct cella_tree_range){from, copy->version}, NULL, out, &count, NULL),
        CELLA_OK);
    cella_tree_free(tree);
    return count;
}

bool copy_holds(const struct copy *copy, const struct cella_signed_head *head) {
    uint8_t root[CELLA_DIGEST_SIZE];
    if (head->head.version > copy->version)
        return false;
    root_at(copy, head->head.version, root);
    return memcmp(root, head->root, sizeof root) == 0;
}

/* The newest restore, and before it the one with the smallest fork point since the client's lineage. */
static void add_restores(const struct copy *copy, uint64_t lineage, struct cella_vault_context *context) {
    const struct cella_restore *newest = &copy->restores[copy->restore_count - 1];
    const struct cella_restore *smallest = newest;
    for (unsigned i = 0; i < copy->restore_count; i++)
        if (copy->restores[i].lineage > lineage && copy->restores[i].from.version < smallest->from.version)
            smallest = &copy->restores[i];
    if (smallest != newest)
        context->restores[context->restore_count++] = *smallest;
    context->restores[context->restore_count++] = *newest;
}

void copy_answer_blindly(const struct copy *copy, const struct cella_client_context *asked,
                         struct cella_vault_context *ret_context) {
    memset(ret_context, 0, sizeof *ret_context);
    ret_context->head = copy_head(copy);
    if (asked == NULL || !asked->has_head)
        return;
    uint64_t from = asked->head.head.version;
    if (asked->head.lineage < copy->lineage) {
        add_restores(copy, asked->head.lineage, ret_context);
        if (!copy_holds(copy, &asked->head))
            from = ret_context->restores[0].from.version;
    }
    ret_context->has_settled = cella_client_context_doubts(asked, ret_context->settled);
    if (from >= copy->version)
        return;
    ret_context->has_proof = true;
    ret_context->proof_from = from;
    ret_context->proof_count = copy_prove(copy, from, ret_context->proof);
}

static bool accepts(const struct copy *copy, const struct cella_signed_head *head) {
    return head->lineage < copy->lineage || (head->lineage == copy->lineage && copy_holds(copy, head));
}

void copy_answer(const struct copy *copy, const struct cella_client_context *asked,
                 struct cella_vault_context *ret_context) {
    if (asked != NULL && asked->has_head)
        assert_true(accepts(copy, &asked->head));
    for (unsigned i = 0; asked != NULL && i < asked->doubt_count; i++)
        assert_true(accepts(copy, &asked->doubts[i]));
    copy_answer_blindly(copy, asked, ret_context);
}
