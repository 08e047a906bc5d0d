/* What a client knows of a vault, and how what the vault tells changes it: the client's end of fork
 * detection. Must not: let anything count whose place in the history nothing shows.
 *
 * Why this is enough. Contexts come in authenticated mail of attested instances, so the host cannot write
 * one; it can keep, delay and repeat mail, and let instances run on old or copied bytes. An instance answers
 * a request only if all heads of the request's context are of its history. One instance's own history cannot
 * fork. So a head is settled if it is of the owner that signed known's head (by its order in that owner's
 * history), or a proof ties it to known's head, or an instance whose own head is settled has answered a
 * request that named it, and says so. Everything else is a doubt, which the next request names; and there are
 * few. */
#include "base/error.h"
#include "state/context.h"
#include <string.h>

struct judgement {
    struct cella_vault_known *known;
    const struct cella_client_context *asked; /* NULL: a post */
    const struct cella_vault_context *context;
    struct cella_genesis genesis;
    struct cella_fork_evidence *ret_evidence;
    struct cella_error *error;
};

static bool equal(const struct cella_signed_head *first, const struct cella_signed_head *second) {
    return cella_heads_compare(first, second) == CELLA_HEADS_EQUAL;
}

void cella_vault_known_ask(const struct cella_vault_known *known, uint64_t collected,
                           struct cella_client_context *ret_context) {
    *ret_context = (struct cella_client_context){
        .has_head = known->has_head,
        .head = known->head,
        .doubt_count = known->doubt_count,
        .collected = collected,
    };
    memcpy(ret_context->doubts, known->doubts, sizeof known->doubts);
}

/* --- heads that were judged before --- */

enum { SEEN_MAX = 2 + 2 * CELLA_CONTEXT_DOUBTS_MAX };

/* Every head that this client holds or held when it asked; their signatures were checked when they came. */
static unsigned list_seen(const struct judgement *judgement,
                          const struct cella_signed_head *ret_seen[SEEN_MAX]) {
    const struct cella_vault_known *known = judgement->known;
    const struct cella_client_context *asked = judgement->asked;
    unsigned count = 0;
    if (known->has_head)
        ret_seen[count++] = &known->head;
    for (unsigned i = 0; i < known->doubt_count; i++)
        ret_seen[count++] = &known->doubts[i];
    if (asked != NULL && asked->has_head)
        ret_seen[count++] = &asked->head;
    for (unsigned i = 0; asked != NULL && i < asked->doubt_count; i++)
        ret_seen[count++] = &asked->doubts[i];
    return count;
}

static enum cella_status check_signature(const struct judgement *judgement) {
    const struct cella_signed_head *seen[SEEN_MAX];
    const struct cella_signed_head *head = &judgement->context->head;
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    unsigned count = list_seen(judgement, seen);
    for (unsigned i = 0; i < count; i++)
        if (equal(seen[i], head))
            return CELLA_OK;
    cella_genesis_vault_id(CELLA_BYTES(judgement->known->genesis, judgement->known->genesis_size), vault_id);
    if (memcmp(head->vault_id, vault_id, sizeof vault_id) != 0)
        return cella_fail(judgement->error, CELLA_SIGNATURE_INVALID, "the head is of another vault");
    if (cella_signed_head_verify(head, judgement->genesis.signing_key) != CELLA_OK)
        return cella_fail(judgement->error, CELLA_SIGNATURE_INVALID, "the vault did not sign this head");
    return CELLA_OK;
}

static enum cella_status tell_fork(const struct judgement *judgement, const struct cella_signed_head *seen) {
    const struct cella_signed_head *head = &judgement->context->head;
    cella_fork_evidence_init(judgement->ret_evidence,
                             CELLA_BYTES(judgement->known->genesis, judgement->known->genesis_size), seen,
                             head);
    return cella_fail(judgement->error, CELLA_VAULT_FORK,
                      "this client has seen version %llu of epoch %llu; version %llu of epoch %llu is of "
                      "another history",
                      (unsigned long long)seen->head.version, (unsigned long long)seen->head.epoch,
                      (unsigned long long)head->head.version, (unsigned long long)head->head.epoch);
}

static enum cella_status check_contradictions(const struct judgement *judgement) {
    const struct cella_signed_head *seen[SEEN_MAX];
    unsigned count = list_seen(judgement, seen);
    for (unsigned i = 0; i < count; i++)
        if (cella_heads_compare(seen[i], &judgement->context->head) == CELLA_HEADS_CONTRADICT)
            return tell_fork(judgement, seen[i]);
    return CELLA_OK;
}

/* --- the proof --- */

/* The root that the context's proof says the history had at its start. */
static enum cella_status read_proof(const struct judgement *judgement,
                                    uint8_t ret_from_root[CELLA_DIGEST_SIZE]) {
    const struct cella_vault_context *context = judgement->context;
    uint64_t from = context->proof_from;
    uint64_t to = context->head.head.version;
    uint8_t to_root[CELLA_DIGEST_SIZE];
    struct cella_bytes proof = CELLA_BYTES(context->proof, context->proof_count * CELLA_DIGEST_SIZE);
    if (!context->has_proof || from == 0 || from >= to)
        return cella_fail(judgement->error, CELLA_VAULT_PROOF, "version %llu came without a proof",
                          (unsigned long long)to);
    if (cella_tree_consistency(from, to, proof, ret_from_root, to_root) != CELLA_OK ||
        memcmp(to_root, context->head.root, sizeof to_root) != 0)
        return cella_fail(judgement->error, CELLA_VAULT_PROOF, "the proof does not lead to version %llu",
                          (unsigned long long)to);
    return CELLA_OK;
}

static enum cella_status check_proof_from(const struct judgement *judgement,
                                          const struct cella_signed_head *from) {
    const struct cella_vault_context *context = judgement->context;
    struct cella_fork_evidence *evidence = judgement->ret_evidence;
    uint8_t from_root[CELLA_DIGEST_SIZE];
    enum cella_status status = read_proof(judgement, from_root);
    if (status != CELLA_OK)
        return status;
    if (context->proof_from != from->head.version)
        return cella_fail(judgement->error, CELLA_VAULT_PROOF,
                          "the proof begins at version %llu, and version %llu was asked for",
                          (unsigned long long)context->proof_from, (unsigned long long)from->head.version);
    if (memcmp(from_root, from->root, sizeof from_root) == 0)
        return CELLA_OK;
    status = tell_fork(judgement, from);
    evidence->reason = CELLA_FORK_BY_PROOF;
    evidence->proof_count = context->proof_count;
    memcpy(evidence->proof, context->proof, context->proof_count * CELLA_DIGEST_SIZE);
    return status;
}

/* The answer must go on from the head that the request named. What an owner signs after its own head needs no
 * proof, for example where the host lost the nodes; a proof that is there must be right. */
static enum cella_status check_answer(const struct judgement *judgement) {
    const struct cella_client_context *asked = judgement->asked;
    const struct cella_signed_head *head = &judgement->context->head;
    if (asked == NULL || !asked->has_head)
        return CELLA_OK;
    switch (cella_heads_compare(&asked->head, head)) {
    case CELLA_HEADS_NEWER:
        return cella_fail(judgement->error, CELLA_VAULT_PROOF,
                          "the answer tells of version %llu, and the request of version %llu",
                          (unsigned long long)head->head.version,
                          (unsigned long long)asked->head.head.version);
    case CELLA_HEADS_OLDER:
        if (!judgement->context->has_proof && cella_heads_same_owner(&asked->head, head))
            return CELLA_OK;
        return check_proof_from(judgement, &asked->head);
    case CELLA_HEADS_CONTRADICT:
        return tell_fork(judgement, &asked->head);
    case CELLA_HEADS_INCOMPARABLE: /* known has moved to this lineage since */
    case CELLA_HEADS_EQUAL:
        break;
    }
    return CELLA_OK;
}

/* --- moving known --- */

static void remove_doubt(struct cella_vault_known *known, unsigned at) {
    known->doubt_count--;
    memmove(&known->doubts[at], &known->doubts[at + 1], (known->doubt_count - at) * sizeof known->doubts[0]);
}

/* The instance that answered has found the doubts of the request in its history. It names them, since a late
 * answer to another request would otherwise settle what its instance was never asked. */
static void settle_asked(struct cella_vault_known *known, const struct cella_client_context *asked,
                         const struct cella_vault_context *context) {
    uint8_t digest[CELLA_DIGEST_SIZE];
    if (asked == NULL || !cella_client_context_doubts(asked, digest) || !context->has_settled ||
        memcmp(digest, context->settled, sizeof digest) != 0)
        return;
    for (unsigned i = 0; i < asked->doubt_count; i++)
        for (unsigned at = known->doubt_count; at-- > 0;)
            if (equal(&known->doubts[at], &asked->doubts[i]))
                remove_doubt(known, at);
}

static void move_to(struct cella_vault_known *known, const struct cella_signed_head *head) {
    known->has_head = true;
    known->head = *head;
    for (unsigned at = known->doubt_count; at-- > 0;) {
        const struct cella_signed_head *doubt = &known->doubts[at];
        if (doubt->lineage != head->lineage ||
            (cella_heads_same_owner(doubt, head) && doubt->head.version <= head->head.version))
            remove_doubt(known, at);
    }
}

/* Of one owner the newest is enough: whoever has it has those before. */
static enum cella_status add_doubt(const struct judgement *judgement) {
    struct cella_vault_known *known = judgement->known;
    const struct cella_signed_head *head = &judgement->context->head;
    for (unsigned i = 0; i < known->doubt_count; i++) {
        if (!cella_heads_same_owner(&known->doubts[i], head))
            continue;
        if (known->doubts[i].head.version < head->head.version)
            known->doubts[i] = *head;
        return CELLA_OK;
    }
    if (known->doubt_count == CELLA_CONTEXT_DOUBTS_MAX)
        return cella_fail(judgement->error, CELLA_VAULT_PROOF,
                          "nothing ties version %llu of epoch %llu to what this client has seen",
                          (unsigned long long)head->head.version, (unsigned long long)head->head.epoch);
    known->doubts[known->doubt_count++] = *head;
    return CELLA_OK;
}

static enum cella_status judge_same_lineage(const struct judgement *judgement) {
    struct cella_vault_known *known = judgement->known;
    const struct cella_client_context *asked = judgement->asked;
    const struct cella_signed_head *head = &judgement->context->head;
    enum cella_status status = check_contradictions(judgement);
    if (status == CELLA_OK)
        status = check_answer(judgement);
    if (status != CELLA_OK)
        return status;
    settle_asked(known, asked, judgement->context);
    bool own = cella_heads_same_owner(&known->head, head);
    bool newer = cella_heads_compare(&known->head, head) == CELLA_HEADS_OLDER;
    bool asked_head = asked != NULL && asked->has_head;
    if (newer && (own || (asked_head && equal(&asked->head, &known->head))))
        move_to(known, head);
    else if (!own && !(asked_head && equal(&asked->head, head)))
        return add_doubt(judgement); /* what was asked with, known has moved on from, so that is settled */
    return CELLA_OK;
}

/* --- a later lineage --- */

static enum cella_status check_restores(const struct judgement *judgement) {
    const struct cella_vault_context *context = judgement->context;
    unsigned count = context->restore_count;
    if (count == 0 || context->restores[count - 1].lineage != context->head.lineage)
        return cella_fail(judgement->error, CELLA_VAULT_RESTORE,
                          "lineage %llu came without the restore that began it",
                          (unsigned long long)context->head.lineage);
    for (unsigned i = 0; i < count; i++) {
        if (context->restores[i].lineage <= judgement->known->head.lineage)
            return cella_fail(judgement->error, CELLA_VAULT_RESTORE,
                              "a restore to lineage %llu explains nothing to a client in lineage %llu",
                              (unsigned long long)context->restores[i].lineage,
                              (unsigned long long)judgement->known->head.lineage);
        enum cella_status status =
            cella_restore_verify(&context->restores[i], &judgement->genesis, judgement->error);
        if (status != CELLA_OK)
            return status;
    }
    return CELLA_OK;
}

static enum cella_status tell_lost(const struct judgement *judgement, const struct cella_restore *restore,
                                   uint64_t seen) {
    uint64_t from = restore->from.version;
    uint64_t to = restore->lost_to;
    if (seen > from)
        return cella_fail(
            judgement->error, CELLA_VAULT_RESTORED,
            "the owners brought the vault back to version %llu: versions %llu to %llu are lost, "
            "and this client had seen version %llu (%s)",
            (unsigned long long)from, (unsigned long long)from + 1,
            (unsigned long long)(to > seen ? to : seen), (unsigned long long)seen, restore->reason);
    return cella_fail(
        judgement->error, CELLA_VAULT_RESTORED,
        "the owners chose the copy of the vault that had version %llu: version %llu, which this "
        "client had seen, was of another copy and is lost (%s)",
        (unsigned long long)from, (unsigned long long)seen, restore->reason);
}

/* The restore whose fork point the proof begins at, or NULL. */
static const struct cella_restore *proven_restore(const struct cella_vault_context *context,
                                                  const uint8_t from_root[CELLA_DIGEST_SIZE]) {
    for (unsigned i = 0; i < context->restore_count; i++)
        if (context->restores[i].from.version == context->proof_from &&
            memcmp(context->restores[i].from_root, from_root, CELLA_DIGEST_SIZE) == 0)
            return &context->restores[i];
    return NULL;
}

/* The owners' signatures let another lineage follow. Either the client's head is in its history, then nothing
 * of this client is lost; or the proof begins where the owners said that the vault goes on from. */
static enum cella_status judge_later_lineage(const struct judgement *judgement) {
    struct cella_vault_known *known = judgement->known;
    const struct cella_client_context *asked = judgement->asked;
    const struct cella_vault_context *context = judgement->context;
    struct cella_signed_head old = known->head;
    uint8_t from_root[CELLA_DIGEST_SIZE];
    if (asked == NULL || !asked->has_head || !equal(&asked->head, &known->head))
        return cella_fail(judgement->error, CELLA_VAULT_PROOF,
                          "the vault was restored, and nothing shows yet what of this client's is left");
    enum cella_status status = check_restores(judgement);
    if (status == CELLA_OK)
        status = read_proof(judgement, from_root);
    if (status != CELLA_OK)
        return status;
    bool kept = context->proof_from == old.head.version && memcmp(from_root, old.root, sizeof from_root) == 0;
    const struct cella_restore *restore = proven_restore(context, from_root);
    if (!kept && restore == NULL)
        return cella_fail(judgement->error, CELLA_VAULT_PROOF,
                          "the proof begins neither where this client was nor where a restore did");
    uint64_t known_epoch = context->restores[context->restore_count - 1].epoch;
    if (!kept && old.head.epoch > known_epoch)
        return cella_fail(judgement->error, CELLA_VAULT_RESTORE,
                          "it was authorised when epoch %llu was the greatest that its owners knew, and this "
                          "client has seen epoch %llu",
                          (unsigned long long)known_epoch, (unsigned long long)old.head.epoch);
    /* What came as a doubt of the old lineage may be lost even if the head is not. */
    bool doubt_left = known->doubt_count > 0;
    uint64_t doubt = doubt_left ? known->doubts[0].head.version : 0;
    move_to(known, &context->head);
    if (!kept)
        return tell_lost(judgement, restore, old.head.version);
    if (doubt_left)
        return cella_fail(
            judgement->error, CELLA_VAULT_RESTORED,
            "the owners brought the vault back; version %llu, of which this client had an answer "
            "without a proof, may be lost",
            (unsigned long long)doubt);
    return CELLA_OK;
}

enum cella_status cella_vault_known_judge(struct cella_vault_known *known,
                                          const struct cella_client_context *asked,
                                          const struct cella_vault_context *context,
                                          struct cella_fork_evidence *ret_evidence,
                                          struct cella_error *error) {
    struct judgement judgement = {
        .known = known, .asked = asked, .context = context, .ret_evidence = ret_evidence, .error = error};
    enum cella_status status =
        cella_genesis_parse(CELLA_BYTES(known->genesis, known->genesis_size), &judgement.genesis, error);
    if (status == CELLA_OK)
        status = check_signature(&judgement);
    if (status != CELLA_OK)
        return status;
    if (!known->has_head) {
        move_to(known, &context->head);
        return CELLA_OK;
    }
    if (context->head.lineage < known->head.lineage)
        return cella_fail(error, CELLA_VAULT_PROOF, "lineage %llu is from before the restore to lineage %llu",
                          (unsigned long long)context->head.lineage, (unsigned long long)known->head.lineage);
    return context->head.lineage == known->head.lineage ? judge_same_lineage(&judgement)
                                                        : judge_later_lineage(&judgement);
}
