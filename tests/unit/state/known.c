/* What a client makes of what a vault tells it: every outcome, and known is changed only by a good one. */
#include "copy.h"
#include "support/test.h"
#include <string.h>

static struct copy_vault vault, other_vault;

static int setup(void **state) {
    copy_vault_init(&vault, 1);
    copy_vault_init(&other_vault, 2);
    return 0;
}

static int teardown(void **state) {
    copy_vault_deinit(&vault);
    copy_vault_deinit(&other_vault);
    return 0;
}

/* A client, and the last thing that it was told. */
struct client {
    struct cella_vault_known known;
    struct cella_client_context asked;
    struct cella_vault_context context;
    struct cella_fork_evidence evidence;
    struct cella_error error;
};

static struct client client_of(struct copy_vault *of) {
    struct client client;
    memset(&client, 0, sizeof client);
    memcpy(client.known.genesis, of->genesis_bytes, of->genesis_size);
    client.known.genesis_size = of->genesis_size;
    return client;
}

/* Judges client->context; a verdict that is not good must leave known as it was. */
static enum cella_status judge(struct client *client, const struct cella_client_context *asked) {
    struct cella_vault_known before = client->known;
    enum cella_status status =
        cella_vault_known_judge(&client->known, asked, &client->context, &client->evidence, &client->error);
    if (status != CELLA_OK && status != CELLA_VAULT_RESTORED)
        assert_memory_equal(&before, &client->known, sizeof before);
    return status;
}

static void ask(struct client *client) {
    cella_vault_known_ask(&client->known, 0, &client->asked);
}

static enum cella_status answer(struct client *client, const struct copy *from) {
    copy_answer(from, &client->asked, &client->context);
    return judge(client, &client->asked);
}

/* One request and its answer. */
static enum cella_status round_trip(struct client *client, const struct copy *with) {
    ask(client);
    return answer(client, with);
}

static enum cella_status post(struct client *client, const struct copy *from) {
    copy_answer(from, NULL, &client->context);
    return judge(client, NULL);
}

static void assert_at(const struct client *client, const struct copy *copy) {
    struct cella_signed_head head = copy_head(copy);
    assert_true(client->known.has_head);
    assert_int_equal(cella_heads_compare(&client->known.head, &head), CELLA_HEADS_EQUAL);
}

static void assert_evidence(const struct client *client, enum cella_fork_reason reason) {
    uint8_t bytes[CELLA_FORK_EVIDENCE_SIZE_MAX];
    struct cella_fork_evidence read;
    char text[256] = "";
    size_t size = cella_fork_evidence_write(&client->evidence, bytes);
    assert_status(cella_fork_evidence_parse(test_copy(CELLA_BYTES(bytes, size)), &read, NULL), CELLA_OK);
    assert_int_equal(read.reason, reason);
    assert_status(cella_fork_evidence_verify(&read, text, sizeof text, NULL), CELLA_OK);
    assert_true(strlen(text) > 0);
}

/* A client that has seen version 12 of epoch 1. */
static struct client seasoned(struct copy *copy) {
    struct client client = client_of(&vault);
    copy_create(copy, &vault);
    copy_append(copy, 10);
    assert_status(round_trip(&client, copy), CELLA_OK);
    assert_at(&client, copy);
    return client;
}

/* --- the good way --- */

static void the_first_head_is_taken(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    assert_int_equal(client.known.doubt_count, 0);
    assert_false(client.context.has_proof);
}

static void a_proof_leads_to_the_next_head_in_every_epoch(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    for (unsigned i = 0; i < 40; i++) {
        if (i % 3 == 0)
            copy_restart(&copy);
        copy_append(&copy, i);
        if (copy.version > COPY_RECORDS_MAX - 60)
            break;
        assert_status(round_trip(&client, &copy), CELLA_OK);
        assert_at(&client, &copy);
        assert_int_equal(client.known.doubt_count, 0);
    }
}

static void the_same_head_again_needs_no_proof(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    assert_false(client.context.has_proof);
    assert_at(&client, &copy);
}

static void the_same_owner_goes_on_without_a_proof(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_append(&copy, 5);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    client.context.has_proof = false;
    assert_status(judge(&client, &client.asked), CELLA_OK);
    assert_at(&client, &copy);
    copy_append(&copy, 5);
    assert_status(post(&client, &copy), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 0);
}

static void answers_of_one_owner_may_overtake_each_other(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    ask(&client);
    copy_append(&copy, 5);
    struct copy before = copy;
    copy_append(&copy, 5);
    assert_status(answer(&client, &copy), CELLA_OK);
    assert_status(answer(&client, &before), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 0);
}

static void a_late_answer_with_the_head_that_was_asked_with_is_settled(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy before = copy;
    ask(&client);
    copy_restart(&copy);
    assert_status(answer(&client, &copy), CELLA_OK);
    assert_status(answer(&client, &before), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 0);
}

/* --- signatures --- */

static void a_head_that_the_vault_did_not_sign_is_refused(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_append(&copy, 1);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    client.context.head.signature[3] ^= 1;
    assert_status(judge(&client, &client.asked), CELLA_SIGNATURE_INVALID);
    client.context.head.signature[3] ^= 1;
    client.context.head.root[3] ^= 1;
    assert_status(judge(&client, &client.asked), CELLA_SIGNATURE_INVALID);
    client = client_of(&vault);
    client.context.head = copy_head(&copy);
    client.context.head.head.version++;
    assert_status(judge(&client, &client.asked), CELLA_SIGNATURE_INVALID);
}

static void a_head_of_another_vault_is_refused(void **state) {
    struct copy copy, other;
    struct client client = seasoned(&copy);
    copy_create(&other, &other_vault);
    copy_append(&other, 20);
    ask(&client);
    copy_answer_blindly(&other, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_SIGNATURE_INVALID);
    client = client_of(&vault);
    assert_status(judge(&client, &client.asked), CELLA_SIGNATURE_INVALID);
    /* Signed by this vault's key for another id. */
    client.context.head = copy_head(&copy);
    client.context.head.vault_id[0] ^= 1;
    assert_status(cella_signed_head_sign(&client.context.head, &vault.key), CELLA_OK);
    assert_status(judge(&client, &client.asked), CELLA_SIGNATURE_INVALID);
}

/* --- proofs --- */

static void another_owner_needs_a_proof(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restart(&copy);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    client.context.has_proof = false;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
}

static void a_wrong_proof_is_refused_at_every_node(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restart(&copy);
    copy_append(&copy, 29);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    for (size_t node = 0; node < client.context.proof_count; node++) {
        client.context.proof[node * CELLA_DIGEST_SIZE] ^= 1;
        assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
        client.context.proof[node * CELLA_DIGEST_SIZE] ^= 1;
    }
    client.context.proof_count--;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
    client.context.proof_count++;
    assert_status(judge(&client, &client.asked), CELLA_OK);
}

static void a_proof_from_no_earlier_version_is_refused(void **state) {
    static const uint64_t wrong[] = {0, 14, 15, UINT64_MAX};
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restart(&copy);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        client.context.proof_from = wrong[i];
        assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
    }
}

static void a_proof_from_another_version_is_refused(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restart(&copy);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    client.context.proof_from = 5;
    client.context.proof_count = copy_prove(&copy, 5, client.context.proof);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
}

static void an_answer_that_is_older_than_its_request_is_refused(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy before = copy;
    before.version -= 2;
    copy_restart(&copy);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    ask(&client);
    copy_answer_blindly(&before, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
}

/* --- forks --- */

/* A client at a version of one copy is answered by another that is further, for older versions of all kinds,
 * powers of two among them. */
static void a_fork_is_found_and_proven_wherever_the_client_is(void **state) {
    for (unsigned more = 0; more < 24; more++) {
        struct copy copy;
        struct client client = seasoned(&copy);
        struct copy forked = copy;
        copy_append(&copy, 1 + more);
        assert_status(round_trip(&client, &copy), CELLA_OK);
        copy_set_back(&forked, 11);
        copy_restart(&forked);
        copy_append(&forked, more + 7);
        ask(&client);
        copy_answer_blindly(&forked, &client.asked, &client.context);
        assert_status(judge(&client, &client.asked), CELLA_VAULT_FORK);
        assert_evidence(&client, CELLA_FORK_BY_PROOF);
    }
}

static void a_version_of_two_roots_is_a_fork(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy forked = copy;
    copy_append(&copy, 10);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    copy_restart(&forked);
    copy_append(&forked, 8);
    assert_true(copy.version == forked.version);
    assert_status(post(&client, &forked), CELLA_VAULT_FORK);
    assert_evidence(&client, CELLA_FORK_BY_HEADS);
}

static void a_larger_version_of_a_smaller_epoch_is_a_fork(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy forked = copy;
    copy_append(&forked, 1);
    copy_restart(&forked);
    copy_append(&copy, 30);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    assert_status(post(&client, &forked), CELLA_VAULT_FORK);
    assert_evidence(&client, CELLA_FORK_BY_HEADS);
}

static void an_epoch_that_began_twice_is_a_fork_at_any_versions(void **state) {
    for (unsigned i = 0; i < 2; i++) {
        struct copy copy;
        struct client client = seasoned(&copy);
        struct copy forked = copy;
        copy_restart(&copy);
        copy_append(&copy, 10);
        assert_status(round_trip(&client, &copy), CELLA_OK);
        copy_set_back(&forked, 9);
        copy_restart(&forked);
        copy_append(&forked, i * 30);
        assert_status(post(&client, &forked), CELLA_VAULT_FORK);
        assert_evidence(&client, CELLA_FORK_BY_HEADS);
    }
}

/* --- doubts --- */

static void a_late_answer_of_an_earlier_owner_is_a_doubt_until_the_vault_is_asked(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    ask(&client);
    copy_append(&copy, 3);
    struct copy before = copy;
    copy_restart(&copy);
    copy_append(&copy, 3);
    assert_status(answer(&client, &copy), CELLA_OK);
    assert_status(answer(&client, &before), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 1);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    assert_int_equal(client.asked.doubt_count, 1);
    assert_int_equal(client.known.doubt_count, 0);
}

/* Two requests at once, one to each copy: the next request tells one of the copies. */
static void requests_to_two_copies_at_once_leave_a_doubt_that_no_copy_can_settle(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy forked = copy;
    ask(&client);
    copy_append(&copy, 3);
    copy_restart(&forked);
    copy_append(&forked, 4);
    assert_status(answer(&client, &forked), CELLA_OK);
    assert_status(answer(&client, &copy), CELLA_OK);
    ask(&client);
    assert_true(copy_holds(&forked, &client.asked.head) && !copy_holds(&forked, &client.asked.doubts[0]));
    assert_true(!copy_holds(&copy, &client.asked.head) && copy_holds(&copy, &client.asked.doubts[0]));
}

static void a_post_of_a_later_owner_is_a_doubt_until_the_vault_is_asked(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy before = copy;
    copy_restart(&copy);
    assert_status(post(&client, &copy), CELLA_OK);
    assert_at(&client, &before);
    assert_int_equal(client.known.doubt_count, 1);
    copy_append(&copy, 3);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 0);
}

static void a_head_that_contradicts_a_doubt_is_a_fork(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy forked = copy;
    copy_set_back(&forked, copy.version);
    copy_restart(&forked);
    assert_status(post(&client, &forked), CELLA_OK);
    assert_int_equal(client.known.doubt_count, 1);
    copy_append(&copy, 7);
    copy_restart(&copy);
    ask(&client);
    copy_answer_blindly(&copy, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_FORK);
    assert_evidence(&client, CELLA_FORK_BY_HEADS);
}

static void of_one_owner_the_newest_doubt_is_kept(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restart(&copy);
    struct copy first = copy;
    copy_append(&copy, 3);
    assert_status(post(&client, &first), CELLA_OK);
    assert_status(post(&client, &copy), CELLA_OK);
    assert_status(post(&client, &first), CELLA_OK);
    struct cella_signed_head head = copy_head(&copy);
    assert_int_equal(client.known.doubt_count, 1);
    assert_int_equal(cella_heads_compare(&client.known.doubts[0], &head), CELLA_HEADS_EQUAL);
}

/* A doubt of an earlier owner is not settled by a later head of the owner that known has, unless that answers
 * a request that named it; and a doubt that becomes known's own head is none any more. */
static void a_doubt_stays_until_it_is_answered_or_known_reaches_it(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    ask(&client);
    copy_append(&copy, 3);
    struct copy before = copy;
    copy_restart(&copy);
    assert_status(answer(&client, &copy), CELLA_OK);
    assert_status(post(&client, &before), CELLA_OK);
    copy_append(&copy, 3);
    assert_status(post(&client, &copy), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 1);
    ask(&client);
    client.asked.doubt_count = 0;
    copy_restart(&copy);
    assert_status(post(&client, &copy), CELLA_OK);
    assert_int_equal(client.known.doubt_count, 2);
    assert_status(answer(&client, &copy), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 1);
    assert_true(client.known.doubts[0].head.version == before.version);
}

/* Two requests under way, a doubt comes in between, and the answer to the first is given for the second. */
static void a_late_answer_settles_no_doubt_that_its_request_did_not_name(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    ask(&client);
    struct cella_vault_context late;
    copy_answer(&copy, &client.asked, &late);
    struct copy forked = copy;
    copy_set_back(&forked, copy.version);
    copy_restart(&forked);
    assert_status(post(&client, &forked), CELLA_OK);
    ask(&client);
    assert_int_equal(client.asked.doubt_count, 1);
    client.context = late;
    assert_status(judge(&client, &client.asked), CELLA_OK);
    assert_int_equal(client.known.doubt_count, 1);
    late.has_settled = true;
    memset(late.settled, 1, sizeof late.settled);
    client.context = late;
    assert_status(judge(&client, &client.asked), CELLA_OK);
    assert_int_equal(client.known.doubt_count, 1);
    copy_answer(&forked, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_OK);
    assert_int_equal(client.known.doubt_count, 0);
}

static void more_doubts_than_there_is_room_for_do_not_count(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    for (unsigned i = 0; i < CELLA_CONTEXT_DOUBTS_MAX; i++) {
        copy_restart(&copy);
        assert_status(post(&client, &copy), CELLA_OK);
    }
    assert_int_equal(client.known.doubt_count, CELLA_CONTEXT_DOUBTS_MAX);
    copy_restart(&copy);
    assert_status(post(&client, &copy), CELLA_VAULT_PROOF);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    assert_int_equal(client.known.doubt_count, 0);
    assert_at(&client, &copy);
}

static void a_first_answer_that_is_late_is_a_doubt(void **state) {
    struct copy copy;
    struct client client = client_of(&vault);
    copy_create(&copy, &vault);
    struct copy before = copy;
    copy_restart(&copy);
    ask(&client);
    assert_status(answer(&client, &copy), CELLA_OK);
    assert_status(answer(&client, &before), CELLA_OK);
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 1);
}

/* --- restores --- */

static void a_restore_that_took_this_clients_range_is_told(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restore(&copy, 7, 15);
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
    assert_non_null(strstr(client.error.message, "versions 8 to 15 are lost"));
    assert_non_null(strstr(client.error.message, "version 12"));
    assert_non_null(strstr(client.error.message, "the disk was lost"));
    assert_at(&client, &copy);
    copy_append(&copy, 3);
    assert_status(round_trip(&client, &copy), CELLA_OK);
}

static void a_range_is_named_to_what_the_client_itself_has_seen(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restore(&copy, 7, 9);
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
    assert_non_null(strstr(client.error.message, "versions 8 to 12 are lost"));
}

static void a_restore_that_took_nothing_of_this_client_is_silent(void **state) {
    for (unsigned more = 0; more < 2; more++) {
        struct copy copy;
        struct client client = seasoned(&copy);
        uint64_t from = copy.version + more;
        copy_append(&copy, 10);
        copy_restore(&copy, from, copy.version);
        assert_status(round_trip(&client, &copy), CELLA_OK);
        assert_at(&client, &copy);
    }
}

/* With the fork point behind the client's version and right at it. */
static void owners_may_choose_the_other_copy_of_a_fork(void **state) {
    for (unsigned more = 0; more < 3; more++) {
        struct copy copy;
        struct client client = seasoned(&copy);
        struct copy forked = copy;
        copy_append(&copy, 2);
        assert_status(round_trip(&client, &copy), CELLA_OK);
        copy_set_back(&forked, 12);
        copy_restart(&forked);
        copy_append(&forked, more);
        copy_restore(&forked, forked.version, 20);
        assert_status(round_trip(&client, &forked), CELLA_VAULT_RESTORED);
        assert_non_null(strstr(client.error.message, "of another copy"));
        assert_at(&client, &forked);
    }
}

static void after_several_restores_the_smallest_fork_point_counts(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy), early = client_of(&vault), between;
    struct copy start = copy;
    start.version = 4;
    assert_status(round_trip(&early, &start), CELLA_OK);
    copy_restore(&copy, 6, 12);
    between = client_of(&vault);
    assert_status(round_trip(&between, &copy), CELLA_OK);
    for (unsigned i = 0; i < 5; i++) {
        copy_append(&copy, 10);
        copy_restore(&copy, copy.version - 1, copy.version);
    }
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
    assert_int_equal(client.context.restore_count, 2);
    assert_non_null(strstr(client.error.message, "versions 7 to 12 are lost"));
    assert_status(round_trip(&early, &copy), CELLA_OK);
    assert_status(round_trip(&between, &copy), CELLA_OK);
}

static void another_lineage_needs_a_restore_by_enough_owners(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy before = copy;
    copy_restore(&copy, 7, 12);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    struct cella_vault_context good = client.context;
    client.context.restore_count = 0;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORE);
    copy_restore_make(&before, 7, 12, 1, &client.context.restores[0]);
    client.context.restore_count = 1;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORE);
    client.context = good;
    client.context.restores[0].lost_to++;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORE);
    client.context = good;
    client.context.restores[0].lineage++;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORE);
    client.context = good;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORED);
}

static void a_restore_of_an_earlier_lineage_explains_nothing(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restore(&copy, 7, 12);
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
    struct cella_restore old = copy.restores[0];
    copy_restore(&copy, 9, 12);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    client.context.restores[1] = client.context.restores[0];
    client.context.restores[0] = old;
    client.context.restore_count = 2;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORE);
    assert_status(round_trip(&client, &copy), CELLA_OK);
}

static void after_a_restore_a_proof_is_needed_too(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restore(&copy, 7, 12);
    ask(&client);
    copy_answer(&copy, &client.asked, &client.context);
    struct cella_vault_context good = client.context;
    client.context.has_proof = false;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
    client.context = good;
    client.context.proof[0] ^= 1;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
    client.context = good;
    client.context.proof_from = 6;
    client.context.proof_count = copy_prove(&copy, 6, client.context.proof);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
    client.context = good;
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORED);
}

/* The owners' word from an earlier time, kept by the host for later, explains no loss of what came after it.
 */
static void a_restore_that_was_authorised_before_what_is_lost_explains_nothing(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy used = copy;
    copy_restore(&used, 12, 12);
    copy_append(&copy, 2);
    copy_restart(&copy);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    ask(&client);
    copy_answer(&used, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORE);
    assert_non_null(strstr(client.error.message, "epoch 2"));
    copy_restore(&used, 13, 16);
    used.restores[1].epoch = 2;
    used.restores[1].signature_count = 0;
    for (unsigned i = 0; i < 2; i++)
        assert_status(cella_restore_sign(&used.restores[1], &vault.owners[i], NULL), CELLA_OK);
    assert_status(round_trip(&client, &used), CELLA_VAULT_RESTORED);
}

/* A restore for the vault's owners' copy does not speak for a fork of before its fork point. */
static void a_restore_does_not_fit_a_copy_that_lacks_its_fork_point(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy forked = copy;
    copy_restore(&copy, 10, 12);
    copy_set_back(&forked, 5);
    copy_append(&forked, 10);
    forked.lineage++;
    forked.restores[forked.restore_count++] = copy.restores[0];
    ask(&client);
    copy_answer_blindly(&forked, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
}

static void a_post_of_another_lineage_does_not_count_yet(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy before = copy;
    copy_restore(&copy, 7, 12);
    assert_status(post(&client, &copy), CELLA_VAULT_PROOF);
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
    assert_status(post(&client, &before), CELLA_VAULT_PROOF);
    assert_at(&client, &copy);
}

/* Between request and answer known moved on in the old lineage: what is lost of that, this answer does not
 * say.
 */
static void a_restore_is_judged_only_from_what_is_known_now(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    ask(&client);
    struct cella_client_context earlier = client.asked;
    copy_append(&copy, 3);
    assert_status(round_trip(&client, &copy), CELLA_OK);
    copy_restore(&copy, 13, 15);
    copy_answer(&copy, &earlier, &client.context);
    assert_status(judge(&client, &earlier), CELLA_VAULT_PROOF);
    cella_vault_known_ask(&client.known, 0, &earlier);
    earlier.has_head = false;
    assert_status(judge(&client, &earlier), CELLA_VAULT_PROOF);
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
}

static void lineages_do_not_wrap(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    struct copy wrapped = copy;
    client = client_of(&vault);
    copy.lineage = UINT64_MAX;
    assert_status(round_trip(&client, &copy), CELLA_OK);
    copy_append(&wrapped, 5);
    ask(&client);
    copy_answer_blindly(&wrapped, &client.asked, &client.context);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_PROOF);
}

static void a_doubt_that_a_restore_may_have_taken_is_told(void **state) {
    struct copy copy;
    struct client client = seasoned(&copy);
    copy_restart(&copy);
    copy_append(&copy, 5);
    assert_status(post(&client, &copy), CELLA_OK);
    copy_restore(&copy, 12, 19);
    assert_status(round_trip(&client, &copy), CELLA_VAULT_RESTORED);
    assert_non_null(strstr(client.error.message, "version 19"));
    assert_at(&client, &copy);
    assert_int_equal(client.known.doubt_count, 0);
}

static void the_worked_examples_are_judged(void **state) {
    static const char vector[] = "state/example.txt";
    struct client client;
    memset(&client, 0, sizeof client);
    struct cella_bytes genesis = test_vector_field(vector, "genesis");
    memcpy(client.known.genesis, genesis.data, genesis.size);
    client.known.genesis_size = genesis.size;
    assert_status(cella_signed_head_parse(test_vector_field(vector, "head_3"), &client.context.head, NULL),
                  CELLA_OK);
    assert_status(judge(&client, NULL), CELLA_OK);
    ask(&client);
    assert_status(
        cella_vault_context_parse(test_vector_field(vector, "vault_context"), &client.context, NULL),
        CELLA_OK);
    assert_status(judge(&client, &client.asked), CELLA_OK);
    ask(&client);
    assert_status(
        cella_vault_context_parse(test_vector_field(vector, "vault_context_restored"), &client.context, NULL),
        CELLA_OK);
    assert_status(judge(&client, &client.asked), CELLA_VAULT_RESTORED);
    assert_non_null(strstr(client.error.message, "versions 5 to 7 are lost"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_head_is_taken),
        cmocka_unit_test(a_proof_leads_to_the_next_head_in_every_epoch),
        cmocka_unit_test(the_same_head_again_needs_no_proof),
        cmocka_unit_test(the_same_owner_goes_on_without_a_proof),
        cmocka_unit_test(answers_of_one_owner_may_overtake_each_other),
        cmocka_unit_test(a_late_answer_with_the_head_that_was_asked_with_is_settled),
        cmocka_unit_test(a_head_that_the_vault_did_not_sign_is_refused),
        cmocka_unit_test(a_head_of_another_vault_is_refused),
        cmocka_unit_test(another_owner_needs_a_proof),
        cmocka_unit_test(a_wrong_proof_is_refused_at_every_node),
        cmocka_unit_test(a_proof_from_no_earlier_version_is_refused),
        cmocka_unit_test(a_proof_from_another_version_is_refused),
        cmocka_unit_test(an_answer_that_is_older_than_its_request_is_refused),
        cmocka_unit_test(a_fork_is_found_and_proven_wherever_the_client_is),
        cmocka_unit_test(a_version_of_two_roots_is_a_fork),
        cmocka_unit_test(a_larger_version_of_a_smaller_epoch_is_a_fork),
        cmocka_unit_test(an_epoch_that_began_twice_is_a_fork_at_any_versions),
        cmocka_unit_test(a_late_answer_of_an_earlier_owner_is_a_doubt_until_the_vault_is_asked),
        cmocka_unit_test(requests_to_two_copies_at_once_leave_a_doubt_that_no_copy_can_settle),
        cmocka_unit_test(a_post_of_a_later_owner_is_a_doubt_until_the_vault_is_asked),
        cmocka_unit_test(a_head_that_contradicts_a_doubt_is_a_fork),
        cmocka_unit_test(of_one_owner_the_newest_doubt_is_kept),
        cmocka_unit_test(a_late_answer_settles_no_doubt_that_its_request_did_not_name),
        cmocka_unit_test(a_doubt_stays_until_it_is_answered_or_known_reaches_it),
        cmocka_unit_test(more_doubts_than_there_is_room_for_do_not_count),
        cmocka_unit_test(a_first_answer_that_is_late_is_a_doubt),
        cmocka_unit_test(a_restore_that_took_this_clients_range_is_told),
        cmocka_unit_test(a_range_is_named_to_what_the_client_itself_has_seen),
        cmocka_unit_test(a_restore_that_took_nothing_of_this_client_is_silent),
        cmocka_unit_test(owners_may_choose_the_other_copy_of_a_fork),
        cmocka_unit_test(after_several_restores_the_smallest_fork_point_counts),
        cmocka_unit_test(another_lineage_needs_a_restore_by_enough_owners),
        cmocka_unit_test(a_restore_of_an_earlier_lineage_explains_nothing),
        cmocka_unit_test(after_a_restore_a_proof_is_needed_too),
        cmocka_unit_test(a_restore_that_was_authorised_before_what_is_lost_explains_nothing),
        cmocka_unit_test(a_restore_does_not_fit_a_copy_that_lacks_its_fork_point),
        cmocka_unit_test(a_post_of_another_lineage_does_not_count_yet),
        cmocka_unit_test(a_restore_is_judged_only_from_what_is_known_now),
        cmocka_unit_test(lineages_do_not_wrap),
        cmocka_unit_test(a_doubt_that_a_restore_may_have_taken_is_told),
        cmocka_unit_test(the_worked_examples_are_judged),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
