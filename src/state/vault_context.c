/* Contexts of mail at the vault's end: what a client says it has seen is held against this history, and
 * answers show how this history goes on from there. Must not: let a client stop the vault with anything but
 * a head that the vault itself signed and that this history cannot hold. */
#include "base/error.h"
#include "state/vault_internal.h"
#include <stdlib.h>
#include <string.h>

/* The durable moment, held, and its head without the signature. */
static enum cella_status hold_durable(struct cella_vault *vault, struct cella_vault_moment **ret_moment,
                                      struct cella_signed_head *ret_head, struct cella_error *error) {
    cella_vault_enter(vault);
    enum cella_status status = vault->ended;
    if (status == CELLA_OK) {
        *ret_moment = cella_vault_moment_hold(vault->durable);
        *ret_head = vault->durable->head;
    }
    cella_vault_leave(vault);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "the vault answers no more");
}

static void drop_moment(struct cella_vault *vault, struct cella_vault_moment *moment) {
    cella_vault_enter(vault);
    cella_vault_moment_drop(moment);
    cella_vault_leave(vault);
}

/* Heads signed lately need no check of their signature. */
static bool is_issued(struct cella_vault *vault, const struct cella_signed_head *head) {
    cella_vault_enter(vault);
    const struct cella_signed_head *issued = &vault->issued[head->head.version % VAULT_ISSUED];
    bool same = cella_heads_same_owner(issued, head) &&
                cella_heads_compare(issued, head) == CELLA_HEADS_EQUAL &&
                memcmp(issued->signature, head->signature, sizeof head->signature) == 0;
    cella_vault_leave(vault);
    return same;
}

static enum cella_status check_signature(struct cella_vault *vault, const struct cella_signed_head *head,
                                         struct cella_error *error) {
    if (memcmp(head->vault_id, vault->id, CELLA_VAULT_ID_SIZE) != 0)
        return cella_fail(error, CELLA_VAULT_CONTEXT, "the head in the context is of another vault");
    if (is_issued(vault, head))
        return CELLA_OK;
    if (cella_signed_head_verify(head, vault->genesis.signing_key) != CELLA_OK)
        return cella_fail(error, CELLA_VAULT_CONTEXT, "the head in the context is not signed by this vault");
    return CELLA_OK;
}

/* Whether the client's head, of version 1 to that of `now`, lies in this history. */
static enum cella_status compare_root(struct cella_vault *vault, const struct cella_signed_head *head,
                                      const struct cella_signed_head *now,
                                      struct cella_fork_evidence *evidence, bool *ret_same,
                                      struct cella_error *error) {
    uint8_t from_root[CELLA_DIGEST_SIZE], to_root[CELLA_DIGEST_SIZE];
    uint64_t from = head->head.version, to = now->head.version;
    if (from == to) {
        *ret_same = memcmp(head->root, now->root, CELLA_DIGEST_SIZE) == 0;
        return CELLA_OK;
    }
    enum cella_status status =
        cella_vault_history_prove(vault, from, to, evidence->proof, &evidence->proof_count, error);
    if (status != CELLA_OK)
        return status;
    status = cella_tree_consistency(from, to,
                                    CELLA_BYTES(evidence->proof, evidence->proof_count * CELLA_DIGEST_SIZE),
                                    from_root, to_root);
    if (status != CELLA_OK || memcmp(to_root, now->root, sizeof to_root) != 0)
        return cella_fail(error, CELLA_HISTORY_DAMAGED, "the history does not lead to its own head");
    *ret_same = memcmp(head->root, from_root, sizeof from_root) == 0;
    return CELLA_OK;
}

/* A head that this history cannot hold. Before anything is said the register is asked once more: an instance
 * that was fenced sees heads of the owner after it, and that is no fork. */
static enum cella_status on_contradiction(struct cella_vault *vault, const struct cella_signed_head *head,
                                          struct cella_vault_moment *moment,
                                          struct cella_fork_evidence *evidence, struct cella_error *error) {
    const struct cella_freshness_source *freshness = vault->options.freshness;
    struct cella_signed_head now;
    enum cella_status status = cella_vault_moment_head(vault, moment, &now);
    if (status == CELLA_OK)
        status = freshness->advance(freshness->context, vault->id, &now.head, error);
    if (status == CELLA_FENCED) {
        cella_vault_enter(vault);
        cella_vault_end(vault, CELLA_FENCED, "another instance owns the vault now");
        cella_vault_leave(vault);
    }
    if (status != CELLA_OK)
        return status;
    bool by_proof = evidence->reason == CELLA_FORK_BY_PROOF;
    size_t proof_count = evidence->proof_count;
    uint8_t proof[sizeof evidence->proof];
    memcpy(proof, evidence->proof, sizeof proof);
    cella_fork_evidence_init(evidence, cella_vault_genesis(vault), &now, head);
    if (by_proof) {
        evidence->reason = CELLA_FORK_BY_PROOF;
        evidence->proof_count = proof_count;
        memcpy(evidence->proof, proof, sizeof proof);
    }
    cella_vault_stop(vault, head, evidence);
    return cella_fail(error, CELLA_VAULT_FORK,
                      "a client has seen version %llu of epoch %llu; this state is at version %llu of epoch "
                      "%llu and does not hold it",
                      (unsigned long long)head->head.version, (unsigned long long)head->head.epoch,
                      (unsigned long long)now.head.version, (unsigned long long)now.head.epoch);
}

/* The version from which on lineages after `lineage` went another way. */
static uint64_t smallest_fork(const struct cella_vault *vault, uint64_t lineage,
                              const struct cella_restore **ret_restore) {
    uint64_t smallest = UINT64_MAX;
    for (unsigned i = 0; i < vault->restore_count; i++) {
        const struct cella_restore *restore = &vault->restores[i];
        if (restore->lineage <= lineage || restore->from.version >= smallest)
            continue;
        smallest = restore->from.version;
        if (ret_restore != NULL)
            *ret_restore = restore;
    }
    return smallest;
}

struct check {
    struct cella_vault *vault;
    struct cella_vault_moment *moment;
    struct cella_signed_head now; /* of the moment; unsigned */
    struct cella_fork_evidence evidence;
    struct cella_error *error;
};

static enum cella_status check_own_lineage(struct check *check, const struct cella_signed_head *head) {
    bool same = false;
    check->evidence.reason = CELLA_FORK_BY_HEADS;
    switch (cella_heads_compare(head, &check->now)) {
    case CELLA_HEADS_EQUAL:
        return CELLA_OK;
    case CELLA_HEADS_OLDER:
        break;
    case CELLA_HEADS_NEWER:
    case CELLA_HEADS_CONTRADICT:
    case CELLA_HEADS_INCOMPARABLE:
        return on_contradiction(check->vault, head, check->moment, &check->evidence, check->error);
    }
    if (cella_heads_same_owner(head, &check->now))
        return CELLA_OK;
    enum cella_status status =
        compare_root(check->vault, head, &check->now, &check->evidence, &same, check->error);
    if (status != CELLA_OK || same)
        return status;
    check->evidence.reason = CELLA_FORK_BY_PROOF;
    return on_contradiction(check->vault, head, check->moment, &check->evidence, check->error);
}

/* A later lineage than this one: the owners ended this one elsewhere. */
static enum cella_status check_head(struct check *check, const struct cella_signed_head *head,
                                    bool *ret_in_history) {
    struct cella_vault *vault = check->vault;
    enum cella_status status = check_signature(vault, head, check->error);
    *ret_in_history = true;
    if (status != CELLA_OK)
        return status;
    if (head->lineage == vault->lineage)
        return check_own_lineage(check, head);
    if (head->lineage > vault->lineage) {
        check->evidence.reason = CELLA_FORK_BY_HEADS;
        return on_contradiction(vault, head, check->moment, &check->evidence, check->error);
    }
    if (head->head.version > smallest_fork(vault, head->lineage, NULL)) {
        *ret_in_history = false;
        return CELLA_OK;
    }
    return compare_root(vault, head, &check->now, &check->evidence, ret_in_history, check->error);
}

enum cella_status cella_vault_check_context(struct cella_vault *vault,
                                            const struct cella_client_context *context,
                                            struct cella_vault_claim *ret_claim, struct cella_error *error) {
    bool in_history = true, doubt_in_history;
    struct check check = {.vault = vault, .error = error};
    enum cella_status status = hold_durable(vault, &check.moment, &check.now, error);
    if (status != CELLA_OK)
        return status;
    if (!context->has_head) {
        drop_moment(vault, check.moment);
        *ret_claim = (struct cella_vault_claim){.has_head = false};
        return CELLA_OK;
    }
    status = check_head(&check, &context->head, &in_history);
    for (unsigned i = 0; i < context->doubt_count && status == CELLA_OK; i++)
        status = check_head(&check, &context->doubts[i], &doubt_in_history);
    bool own = cella_heads_same_owner(&context->head, &check.now);
    drop_moment(vault, check.moment);
    if (status != CELLA_OK)
        return status;
    *ret_claim = (struct cella_vault_claim){.has_head = true,
                                            .version = context->head.head.version,
                                            .lineage = context->head.lineage,
                                            .own = own,
                                            .has_doubts = context->doubt_count > 0,
                                            .in_history = in_history};
    (void)cella_client_context_doubts(context, ret_claim->doubts);
    return CELLA_OK;
}

/* A client of an earlier lineage is told which restore began this one, and where what it knew was left. */
static uint64_t add_restores(const struct cella_vault *vault, const struct cella_vault_claim *claim,
                             struct cella_vault_context *context) {
    const struct cella_restore *fork = NULL;
    uint64_t smallest = smallest_fork(vault, claim->lineage, &fork);
    if (vault->restore_count == 0)
        return 0;
    const struct cella_restore *newest = &vault->restores[vault->restore_count - 1];
    if (fork != NULL && fork != newest)
        context->restores[context->restore_count++] = *fork;
    context->restores[context->restore_count++] = *newest;
    return claim->in_history ? claim->version : smallest;
}

enum cella_status cella_vault_write_context(struct cella_vault *vault, struct cella_vault_moment *moment,
                                            const struct cella_vault_claim *claim, uint8_t *out,
                                            size_t *ret_size) {
    struct cella_vault_context context = {0};
    enum cella_status status = cella_vault_moment_head(vault, moment, &context.head);
    if (status != CELLA_OK)
        return status;
    uint64_t from = 0;
    if (claim != NULL && claim->has_head && claim->lineage < vault->lineage)
        from = add_restores(vault, claim, &context);
    else if (claim != NULL && claim->has_head && !claim->own)
        from = claim->version;
    if (claim != NULL && claim->has_doubts) {
        context.has_settled = true;
        memcpy(context.settled, claim->doubts, sizeof context.settled);
    }
    uint64_t to = context.head.head.version;
    if (from > 0 && from < to) {
        context.has_proof =
            cella_vault_history_prove(vault, from, to, context.proof, &context.proof_count, NULL) == CELLA_OK;
        context.proof_from = context.has_proof ? from : 0;
    }
    return cella_vault_context_write(&context, out, ret_size, NULL);
}
