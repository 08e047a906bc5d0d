/* The played host and the way of one mail through the played instance. Must not: let anything out that is not
 * on the disk. */
#include "attest/attestation.h"
#include "attest/statement.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "state/context.h"
#include "unit/client/world_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- attestations --- */

static void write_statement(const struct world *world, uint8_t *out, size_t *ret_size) {
    struct cella_error error = {.status = CELLA_OK};
    struct cella_statement statement = {.freshness = CELLA_FRESHNESS_MACHINE,
                                        .genesis_size = world->genesis_size};
    memcpy(statement.genesis, world->genesis, world->genesis_size);
    memcpy(statement.vault_id, world->vault_id, sizeof statement.vault_id);
    memcpy(statement.session_key, world->session_key.public_key, sizeof statement.session_key);
    memset(statement.signing_key, 7, sizeof statement.signing_key);
    assert_status(cella_statement_write(&statement, out, CELLA_STATEMENT_SIZE_MAX, ret_size, &error),
                  CELLA_OK);
}

static void make_quote(struct world *world, struct cella_bytes statement, const uint8_t *nonce,
                       uint8_t **ret_quote, size_t *ret_size) {
    struct cella_machine_identity identity = {.flags = CELLA_ATTRIBUTE_INIT | CELLA_ATTRIBUTE_MODE64BIT,
                                              .xfrm = 3,
                                              .isv_prod_id = 10,
                                              .isv_svn = 2};
    uint8_t target[CELLA_TARGET_INFO_SIZE], data[CELLA_REPORT_DATA_SIZE], report[CELLA_REPORT_SIZE];
    struct cella_error error = {.status = CELLA_OK};
    memset(identity.code_hash, 0x11, sizeof identity.code_hash);
    memset(identity.code_signer, 0x22, sizeof identity.code_signer);
    cella_statement_report_data(statement, nonce, data);
    assert_status(cella_machine_target_info(world->machine, target, &error), CELLA_OK);
    assert_status(cella_machine_report(world->machine, &identity, target, data, report, &error), CELLA_OK);
    assert_status(cella_machine_quote(world->machine, report, ret_quote, ret_size, &error), CELLA_OK);
}

enum cella_status world_carry_attestation(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                          uint8_t **ret_data, size_t *ret_size, struct cella_error *error) {
    struct world *world = context;
    struct cella_machine_collateral *collateral = NULL;
    uint8_t statement[CELLA_STATEMENT_SIZE_MAX], *quote = NULL;
    size_t statement_size = 0, quote_size = 0;
    if (!world->running)
        return CELLA_NOT_RUNNING;
    world->attestations++;
    write_statement(world, statement, &statement_size);
    make_quote(world, CELLA_BYTES(statement, statement_size), nonce, &quote, &quote_size);
    assert_status(cella_machine_collateral(world->machine, world->now - 1, &collateral, error), CELLA_OK);
    struct cella_attestation parts = {
        .kind = CELLA_KIND_SGX,
        .time = world->now - 1,
        .nonce = nonce,
        .statement = CELLA_BYTES(statement, statement_size),
        .evidence = CELLA_BYTES(quote, quote_size),
        .collateral = {[CELLA_COLLATERAL_TCB_INFO] = collateral->tcb_info,
                       [CELLA_COLLATERAL_QE_IDENTITY] = collateral->qe_identity,
                       [CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = collateral->signing_chain,
                       [CELLA_COLLATERAL_ROOT_CRL] = collateral->root_crl,
                       [CELLA_COLLATERAL_PCK_CRL] = collateral->pck_crl}};
    size_t size = cella_attestation_size(&parts);
    *ret_data = malloc(size);
    assert_non_null(*ret_data);
    assert_status(cella_attestation_write(&parts, *ret_data, size, ret_size, error), CELLA_OK);
    cella_machine_collateral_free(collateral);
    free(quote);
    return CELLA_OK;
}

/* --- contexts --- */

/* Is the head of this instance's history, or of what a restore took away? */
static bool holds(const struct world *world, const struct cella_signed_head *head) {
    uint8_t root[CELLA_DIGEST_SIZE];
    assert_status(cella_signed_head_verify(head, world->vault_key.public_key), CELLA_OK);
    if (head->lineage < world->disk.lineage)
        return true;
    if (head->lineage > world->disk.lineage || head->head.version > world->disk.version ||
        (head->head.epoch == world->epoch &&
         memcmp(head->epoch_start, world->epoch_start, sizeof world->epoch_start) != 0))
        return false;
    assert_status(cella_tree_root_at(world->tree, head->head.version, NULL, root, NULL), CELLA_OK);
    return memcmp(root, head->root, sizeof root) == 0;
}

static enum cella_status check_context(const struct world *world, struct cella_bytes bytes,
                                       struct cella_client_context *ret_context, struct cella_error *error) {
    enum cella_status status = cella_client_context_parse(bytes, ret_context, error);
    if (status != CELLA_OK || world->script.trusting)
        return status;
    bool fits = !ret_context->has_head || holds(world, &ret_context->head);
    for (unsigned i = 0; i < ret_context->doubt_count; i++)
        fits = fits && holds(world, &ret_context->doubts[i]);
    return fits ? CELLA_OK : cella_fail(error, CELLA_VAULT_FORK, "the client has seen another history");
}

static void sign_head(const struct world *world, struct cella_signed_head *ret_head) {
    const struct world_disk *disk = &world->disk;
    *ret_head = (struct cella_signed_head){.lineage = disk->lineage,
                                           .head = {.epoch = world->epoch, .version = disk->version}};
    memcpy(ret_head->vault_id, world->vault_id, sizeof ret_head->vault_id);
    memcpy(ret_head->head.digest, disk->records[disk->version - 1], CELLA_DIGEST_SIZE);
    memcpy(ret_head->epoch_start, world->epoch_start, CELLA_DIGEST_SIZE);
    cella_tree_root(world->tree, ret_head->root);
    assert_status(cella_signed_head_sign(ret_head, &world->vault_key), CELLA_OK);
}

/* Where the proof for a client at `head` begins. */
static uint64_t proof_start(const struct world *world, const struct cella_signed_head *head) {
    const struct world_disk *disk = &world->disk;
    uint8_t root[CELLA_DIGEST_SIZE];
    uint64_t version = head->head.version;
    if (head->lineage == disk->lineage)
        return version;
    if (version <= disk->version && cella_tree_root_at(world->tree, version, NULL, root, NULL) == CELLA_OK &&
        memcmp(root, head->root, sizeof root) == 0)
        return version;
    return disk->restore.from.version;
}

/* For a client with this head; NULL for posts. */
static size_t write_context(struct world *world, const struct cella_client_context *claim, uint8_t *out) {
    static struct cella_vault_context context;
    struct cella_error error = {.status = CELLA_OK};
    size_t size = 0;
    context = (struct cella_vault_context){.has_proof = false};
    sign_head(world, &context.head);
    bool asked = claim != NULL && claim->has_head;
    if (asked && claim->head.lineage < world->disk.lineage) {
        context.restores[0] = world->disk.restore;
        context.restore_count = 1;
    }
    if (asked)
        context.has_settled = cella_client_context_doubts(claim, context.settled);
    uint64_t from = asked ? proof_start(world, &claim->head) : 0;
    bool withheld = claim != NULL && world->script.no_proof > 0;
    world->script.no_proof -= withheld;
    if (asked && !withheld && from < world->disk.version) {
        context.has_proof = true;
        context.proof_from = from;
        assert_status(cella_tree_prove(world->tree, (struct cella_tree_range){from, world->disk.version},
                                       NULL, context.proof, &context.proof_count, &error),
                      CELLA_OK);
    }
    assert_status(cella_vault_context_write(&context, out, &size, &error), CELLA_OK);
    return size;
}

/* --- posts --- */

void world_drop_post(struct world *world) {
    free((void *)(uintptr_t)world->posts[world->first_post].bytes.data);
    world->first_post++;
    world->post_count--;
    if (world->post_count == 0)
        world->first_post = 0;
}

static bool is_held_back(const struct world *world, struct cella_bytes post) {
    struct cella_mail_header header;
    size_t size = 0;
    assert_status(cella_mail_header_parse(post, &header, &size, NULL), CELLA_OK);
    return header.answers == world->script.hold_back;
}

static void seal_post(struct world *world, struct cella_mailbox_prepared *prepared) {
    uint8_t context[CELLA_CONTEXT_SIZE_MAX];
    struct cella_mailbox_post post;
    if (prepared == NULL)
        return;
    size_t size = write_context(world, NULL, context);
    assert_status(cella_mailbox_post_seal(prepared, CELLA_BYTES(context, size), &post), CELLA_OK);
    bool lost = world->script.lose_posts > 0;
    world->script.lose_posts -= lost;
    if (lost || is_held_back(world, post.bytes)) {
        free((void *)(uintptr_t)post.bytes.data);
        return;
    }
    assert_true(world->first_post + world->post_count < WORLD_POSTS_MAX);
    world->posts[world->first_post + world->post_count++].bytes = post.bytes;
}

void world_post(struct world *world, const char *body) {
    struct cella_mailbox_prepared *prepared = NULL;
    struct cella_error error = {.status = CELLA_OK};
    assert_status(cella_mailbox_post_prepare(world->mailbox, world->client->key.public_key, "news",
                                             CELLA_BYTES(body, strlen(body)), &prepared, &error),
                  CELLA_OK);
    world_append(world);
    seal_post(world, prepared);
}

enum cella_status world_carry_poll(void *context, const struct cella_client_poll_request *request,
                                   uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error) {
    struct world *world = context;
    uint8_t digest[CELLA_SHA256_SIZE];
    world->polls++;
    if (world->post_count > 0 && request->have != NULL) {
        struct cella_bytes first = world->posts[world->first_post].bytes;
        cella_sha256(first.data, first.size, digest);
        if (memcmp(digest, request->have, CELLA_CLIENT_HAVE_SIZE) == 0)
            world_drop_post(world);
    }
    *ret_mail_size = 0;
    if (world->post_count == 0)
        return CELLA_OK;
    struct cella_bytes post = world->posts[world->first_post].bytes;
    *ret_mail = malloc(post.size);
    assert_non_null(*ret_mail);
    memcpy(*ret_mail, post.data, post.size);
    *ret_mail_size = post.size;
    return CELLA_OK;
}

/* --- mail --- */

#define AGAIN_MAX 64

/* One mail on its way through the instance. */
struct passage {
    struct world *world;
    struct cella_mailbox_mail *mail;
    struct cella_client_context claim;
    enum cella_mailbox_verdict verdict;
    bool replies;
    struct cella_mailbox_prepared *posts[AGAIN_MAX];
    unsigned post_count;
};

static enum cella_status handle(struct passage *passage, struct cella_error *error) {
    struct world *world = passage->world;
    struct world_disk *disk = &world->disk;
    const struct cella_mail *view = cella_mailbox_mail_view(passage->mail);
    if (strcmp(view->topic, "refuse") == 0)
        return cella_fail(error, CELLA_HANDLER_FAILED, "refused");
    passage->replies = strcmp(view->topic, "quiet") != 0;
    assert_true(disk->effect_count < WORLD_EFFECTS_MAX && view->body.size < sizeof disk->effects[0]);
    char *effect = disk->effects[disk->effect_count++];
    memcpy(effect, view->body.data, view->body.size);
    effect[view->body.size] = '\0';
    if (strcmp(view->topic, "post") == 0)
        assert_status(cella_mailbox_post_prepare(world->mailbox, view->sender, "posts", view->body,
                                                 &passage->posts[passage->post_count++], error),
                      CELLA_OK);
    return cella_mailbox_mail_commit(passage->mail, passage->replies ? &view->body : NULL);
}

static enum cella_status transact(struct passage *passage, struct cella_error *error) {
    enum cella_status status = cella_mailbox_mail_begin(passage->mail, &passage->verdict, error);
    if (status == CELLA_OK)
        status = cella_mailbox_collected(passage->mail, passage->claim.collected, error);
    if (status == CELLA_OK && passage->verdict == CELLA_MAILBOX_RUN)
        status = handle(passage, error);
    while (status == CELLA_OK && passage->post_count < AGAIN_MAX) {
        enum cella_status again =
            cella_mailbox_again(passage->mail, &passage->posts[passage->post_count], error);
        if (again == CELLA_NOT_FOUND)
            break;
        assert_status(again, CELLA_OK);
        passage->post_count++;
    }
    return status;
}

/* As a vault does: all of it, or nothing. */
static enum cella_status run(struct passage *passage, struct cella_error *error) {
    struct world *world = passage->world;
    struct world_disk *before = world_disk_copy(&world->disk);
    enum cella_status status = transact(passage, error);
    if (status == CELLA_OK) {
        world_append(world);
    } else {
        cella_mailbox_mail_abort(passage->mail);
        for (unsigned i = 0; i < passage->post_count; i++)
            cella_mailbox_post_cancel(passage->posts[i]);
        passage->post_count = 0;
        world_disk_put(world, before);
    }
    world_disk_free(before);
    return status;
}

static void seal_answer(struct passage *passage, uint8_t **ret_reply, size_t *ret_size) {
    struct world *world = passage->world;
    uint8_t context[CELLA_CONTEXT_SIZE_MAX];
    struct cella_error error = {.status = CELLA_OK};
    bool runs = passage->verdict == CELLA_MAILBOX_RUN || passage->verdict == CELLA_MAILBOX_QUERY;
    const struct cella_bytes *reply = NULL;
    if (runs && passage->replies)
        reply = &cella_mailbox_mail_view(passage->mail)->body;
    size_t context_size = write_context(world, &passage->claim, context);
    if (world->script.no_context > 0) {
        world->script.no_context--;
        context_size = 0;
    }
    *ret_size = cella_mailbox_reply_size(passage->mail, reply, context_size);
    *ret_reply = malloc(*ret_size);
    assert_non_null(*ret_reply);
    assert_status(cella_mailbox_reply_seal(passage->mail, reply, CELLA_BYTES(context, context_size),
                                           *ret_reply, *ret_size, &error),
                  CELLA_OK);
}

static enum cella_status answer(struct passage *passage, uint8_t **ret_reply, size_t *ret_size,
                                struct cella_error *error) {
    struct world *world = passage->world;
    enum cella_status status =
        check_context(world, cella_mailbox_mail_context(passage->mail), &passage->claim, error);
    if (status != CELLA_OK)
        return status;
    if (cella_mailbox_mail_is_query(passage->mail)) {
        world->queries++;
        passage->replies = true;
        status = cella_mailbox_mail_begin(passage->mail, &passage->verdict, error);
    } else {
        status = run(passage, error);
    }
    if (status != CELLA_OK)
        return status;
    world->hellos += passage->verdict == CELLA_MAILBOX_HELLO;
    world->acks += passage->verdict == CELLA_MAILBOX_ACK;
    bool killed = world->script.kill_after > 0, pending = world->script.pending > 0;
    world->script.kill_after -= killed;
    world->script.pending -= pending;
    for (unsigned i = 0; i < passage->post_count; i++)
        if (killed)
            cella_mailbox_post_cancel(passage->posts[i]);
        else
            seal_post(world, passage->posts[i]);
    if (killed)
        return CELLA_UNAVAILABLE;
    if (pending)
        return cella_fail(error, CELLA_COMMIT_PENDING, "the disk does not write");
    seal_answer(passage, ret_reply, ret_size);
    return CELLA_OK;
}

static enum cella_status deliver(struct world *world, const uint8_t *route, struct cella_bytes mail,
                                 uint8_t **ret_reply, size_t *ret_size, struct cella_error *error) {
    struct passage passage = {.world = world};
    bool dies = world->script.kill_after > 0;
    if (world->script.storage_full > 0) {
        world->script.storage_full--;
        return cella_fail(error, CELLA_STORAGE_FULL, "the disk is full");
    }
    assert_status(cella_mailbox_mail_new(world->mailbox, route, &passage.mail), CELLA_OK);
    enum cella_status status = cella_mailbox_mail_feed(passage.mail, mail, error);
    if (status == CELLA_OK)
        status = answer(&passage, ret_reply, ret_size, error);
    cella_mailbox_mail_free(passage.mail);
    if (dies && world->script.kill_after == 0)
        world_restart(world);
    return status;
}

/* Counts down what happens once. */
static bool happens(unsigned *count) {
    bool now = *count > 0;
    *count -= now;
    return now;
}

enum cella_status world_carry_mail(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                                   struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                                   struct cella_error *error) {
    struct world *world = context;
    struct world_script *script = &world->script;
    world->mails++;
    if (!world->running)
        return CELLA_NOT_RUNNING;
    if (happens(&script->kill_before)) {
        world_restart(world);
        return CELLA_UNAVAILABLE;
    }
    enum cella_status say = script->say;
    script->say = CELLA_OK;
    if (say != CELLA_OK || happens(&script->lose_mail))
        return say != CELLA_OK ? say : CELLA_UNAVAILABLE;
    enum cella_status status = deliver(world, route, mail, ret_reply, ret_reply_size, error);
    say = script->say_after;
    script->say_after = CELLA_OK;
    if (status == CELLA_OK && (say != CELLA_OK || happens(&script->lose_replies))) {
        free(*ret_reply);
        *ret_reply = NULL;
        return say != CELLA_OK ? say : CELLA_UNAVAILABLE;
    }
    return status;
}
