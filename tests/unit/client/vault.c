/* A client and a vault: exactly once over restarts, and every way in which the state can turn out to be
 * older, forked, unproven or restored. */
#include "unit/client/world.h"
#include "base/file.h"
#include "base/secret.h"
#include "client/head_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cella_status ask(struct world *world, const char *topic, const char *body) {
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status = world_ask(world, topic, body, &error);
    if (status != CELLA_OK)
        print_message("    [%s] %s\n", cella_status_name(status), error.message);
    return status;
}

static uint64_t known_version(const struct world *world) {
    return world->client->state.known.head.head.version;
}

/* The host puts back an older copy of the disk under a new instance. */
static void roll_back(struct world *world, struct world_disk *copy) {
    world_kill(world);
    world_disk_put(world, copy);
    world_disk_free(copy);
    world_start(world);
}

/* --- exactly once --- */

static void sequences_go_on_with_the_next_instance(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(ask(world, "b", "other"), CELLA_OK);
    for (int i = 0; i < 4; i++) {
        char body[] = {(char)('A' + i), '\0'};
        world_restart(world);
        assert_status(ask(world, "a", body), CELLA_OK);
        assert_int_equal(world_done(world, body), 1);
    }
    assert_status(ask(world, "b", "again"), CELLA_OK);
    assert_int_equal(world->attestations, 5);
    assert_int_equal(world->hellos, 4);
    assert_int_equal(world->disk.effect_count, 7);
}

static void a_request_under_which_the_instance_was_killed_is_done_once(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "zero"), CELLA_OK);
    world->script.kill_before = 1;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.kill_after = 1;
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_int_equal(world_done(world, "one"), 1);
    assert_int_equal(world_done(world, "two"), 1);
}

static void the_first_request_of_all_is_done_once_too(void **state) {
    struct world *world = *state;
    world->script.kill_after = 1;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_int_equal(world_done(world, "one"), 1);
}

static void many_kills_under_one_request_do_it_once(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "zero"), CELLA_OK);
    world->script.kill_after = 9;
    enum cella_status status = CELLA_UNAVAILABLE;
    for (int i = 0; i < 9 && status != CELLA_OK; i++)
        status = ask(world, "a", "one");
    assert_status(status, CELLA_OK);
    assert_int_equal(world_done(world, "one"), 1);
    assert_status(ask(world, "a", "two"), CELLA_OK);
}

static void client_and_instance_may_both_die_under_a_request(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "zero"), CELLA_OK);
    world->script.lose_replies = 5;
    assert_status(ask(world, "a", "one"), CELLA_UNAVAILABLE);
    world_restart(world);
    world_crash_client(world);
    assert_status(ask(world, "a", "two"), CELLA_CLIENT_PENDING);
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_int_equal(world_done(world, "one"), 1);
    assert_status(ask(world, "a", "two"), CELLA_OK);
}

static void a_request_that_was_given_up_makes_room_after_a_restart(void **state) {
    struct world *world = *state;
    for (unsigned done = 0; done < 2; done++) {
        world->script.lose_replies = done ? 5 : 0;
        world->script.lose_mail = done ? 0 : 5;
        assert_status(ask(world, "a", "given up"), CELLA_UNAVAILABLE);
        assert_status(cella_client_give_up(world->client, "a", NULL), CELLA_OK);
        world_restart(world);
        assert_status(ask(world, "a", "other"), CELLA_OK);
        assert_int_equal(world_done(world, "given up"), done);
        assert_int_equal(world_done(world, "other"), done + 1);
    }
}

static void a_refusal_holds_over_a_restart_and_leaves_the_name_free(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "refuse", "one"), CELLA_HANDLER_FAILED);
    world_restart(world);
    assert_status(ask(world, "refuse", "two"), CELLA_HANDLER_FAILED);
    assert_status(ask(world, "a", "one"), CELLA_OK);
}

static void one_shot_mail_is_done_once_over_a_restart(void **state) {
    struct world *world = *state;
    struct cella_client_request request = {.topic = "shot", .body = CELLA_BYTES("bang", 4)};
    for (int i = 0; i < 3; i++) {
        bool replied = false;
        world->script.kill_after = i == 1;
        world->script.kill_before = i == 2;
        assert_status(
            cella_client_send(world->client, CELLA_CLIENT_KEY_SESSION, &request, &replied, NULL, NULL),
            CELLA_OK);
        assert_true(replied);
    }
    assert_int_equal(world_done(world, "bang"), 3);
}

static void a_commit_that_is_pending_is_asked_for_under_its_name(void **state) {
    struct world *world = *state;
    world->script.pending = 2;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_int_equal(world->pauses, 2);
    world->script.pending = 5;
    assert_status(ask(world, "a", "two"), CELLA_COMMIT_PENDING);
    assert_status(ask(world, "a", "three"), CELLA_CLIENT_PENDING);
    world_crash_client(world);
    assert_status(ask(world, "a", "three"), CELLA_CLIENT_PENDING);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_int_equal(world_done(world, "two"), 1);
    assert_status(ask(world, "a", "three"), CELLA_OK);
}

static void a_full_disk_is_waited_for_and_then_told(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "zero"), CELLA_OK);
    world->script.storage_full = 3;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.storage_full = 5;
    assert_status(ask(world, "a", "two"), CELLA_STORAGE_FULL);
    assert_int_equal(world_done(world, "two"), 0);
    /* It was not done, so another one may take its place. */
    assert_status(ask(world, "a", "three"), CELLA_OK);
    assert_int_equal(world_done(world, "three"), 1);
}

static void a_full_disk_does_not_settle_a_doubt(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "zero"), CELLA_OK);
    world->script.lose_replies = 5;
    assert_status(ask(world, "a", "one"), CELLA_UNAVAILABLE);
    world->script.storage_full = 5;
    assert_status(ask(world, "a", "one"), CELLA_STORAGE_FULL);
    assert_status(ask(world, "a", "two"), CELLA_CLIENT_PENDING);
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_int_equal(world_done(world, "one"), 1);
}

static void a_client_that_lost_its_memory_is_told_unknown_history(void **state) {
    struct world *world = *state;
    struct cella_error error = {.status = CELLA_OK};
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    /* Only the key is left. */
    struct cella_client_state *kept = &world->client->state;
    cella_mail_session_free(world->client->session);
    world->client->session = NULL;
    cella_wipe_free(kept->session, kept->session_size);
    kept->session = NULL;
    kept->session_size = 0;
    kept->pinned = kept->met = false;
    memset(kept->vault_id, 0, sizeof kept->vault_id);
    kept->known = (struct cella_vault_known){.genesis_size = 0};
    world->client->dirty = true;
    assert_status(cella_client_save(world->client, &error), CELLA_OK);
    world_crash_client(world);
    assert_status(ask(world, "a", "three"), CELLA_MAIL_UNKNOWN_HISTORY);
    assert_int_equal(world_done(world, "three"), 0);
    assert_status(ask(world, "a", "three"), CELLA_OK);
    world_restart(world);
    assert_status(ask(world, "a", "four"), CELLA_OK);
    assert_int_equal(world_done(world, "three"), 1);
}

static void an_old_copy_of_a_clients_file_is_no_attack_by_the_enclave(void **state) {
    struct world *world = *state;
    uint8_t *old = NULL;
    size_t size = 0;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(cella_client_save(world->client, NULL), CELLA_OK);
    assert_status(cella_file_read(world->state_path, 1 << 20, &old, &size, NULL), CELLA_OK);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_status(ask(world, "a", "three"), CELLA_OK);
    assert_status(cella_file_write(world->state_path, CELLA_BYTES(old, size), CELLA_FILE_PRIVATE, NULL),
                  CELLA_OK);
    world_crash_client(world);
    /* It would be the second request of this topic, which was done long ago. */
    assert_status(ask(world, "a", "late"), CELLA_MAIL_REPLAY);
    assert_int_equal(world_done(world, "late"), 0);
    free(old);
}

/* --- what is seen is not forgotten --- */

static void what_a_reply_showed_is_on_disk_before_the_caller_has_it(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    uint64_t seen = known_version(world);
    assert_int_equal(seen, world->disk.version);
    world_crash_client(world);
    assert_int_equal(known_version(world), seen);
    assert_status(world_query(world, "how much?", NULL), CELLA_OK);
    world_other_commit(world);
    assert_status(world_query(world, "how much?", NULL), CELLA_OK);
    seen = known_version(world);
    assert_int_equal(seen, world->disk.version);
    world_crash_client(world);
    assert_int_equal(known_version(world), seen);
}

static void without_room_for_what_a_reply_showed_there_is_no_reply(void **state) {
    struct world *world = *state;
    struct cella_error error = {.status = CELLA_OK};
    char lock[160];
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(cella_client_save(world->client, &error), CELLA_OK);
    /* A query stores nothing before it is sent, and its answer's head has nowhere to go. */
    world_other_commit(world);
    snprintf(lock, sizeof lock, "%s.away", world->state_path);
    assert_int_equal(rename(world->state_path, lock), 0);
    assert_int_equal(mkdir(world->state_path, 0700), 0);
    assert_int_not_equal(world_query(world, "how much?", &error), CELLA_OK);
    assert_int_equal(rmdir(world->state_path), 0);
    assert_int_equal(rename(lock, world->state_path), 0);
    assert_status(world_query(world, "how much?", &error), CELLA_OK);
}

static void a_rollback_of_what_only_a_crashed_client_saw_is_found(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    struct world_disk *newest = world_disk_copy(&world->disk);
    world_crash_client(world);
    roll_back(world, copy);
    /* The crash left it in doubt whether the caller has the reply. */
    assert_status(ask(world, "a", "two"), CELLA_CLIENT_PENDING);
    assert_status(ask(world, "a", "lost"), CELLA_VAULT_FORK);
    assert_int_equal(world_done(world, "lost"), 0);
    /* That was the host's word: the client keeps everything, and goes on when the right disk is back. */
    assert_status(ask(world, "b", "two"), CELLA_VAULT_FORK);
    roll_back(world, newest);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_int_equal(world_done(world, "lost"), 1);
    assert_int_equal(world_done(world, "two"), 1);
}

static void a_rollback_is_found_though_others_have_moved_on(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    roll_back(world, copy);
    for (int i = 0; i < 20; i++)
        world_other_commit(world);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_FORK);
    assert_int_equal(world_done(world, "two"), 0);
}

static void a_rollback_of_what_only_a_post_showed_is_found(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    world_post(world, "news");
    world_expect_post(world, "news");
    world_crash_client(world);
    roll_back(world, copy);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_FORK);
}

static void the_hosts_word_that_a_vault_stopped_changes_nothing(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    static const enum cella_status words[] = {CELLA_VAULT_STOPPED, CELLA_VAULT_FORK, CELLA_FENCED};
    for (size_t i = 0; i < 3; i++) {
        char body[] = {(char)('A' + i), '\0'};
        world->script.say_after = words[i];
        enum cella_status status = ask(world, "a", body);
        /* A fenced instance is followed by another one, so the client tries again by itself. */
        assert_status(status, words[i] == CELLA_FENCED ? CELLA_OK : words[i]);
        assert_status(ask(world, "a", status == CELLA_OK ? "more" : body), CELLA_OK);
        assert_int_equal(world_done(world, body), 1);
    }
    assert_false(world->client->state.forked);
}

/* --- the client's own judgement --- */

static void expect_evidence(struct world *world, unsigned number) {
    char path[160], text[256];
    uint8_t *data = NULL;
    size_t size = 0;
    static struct cella_fork_evidence evidence;
    struct cella_error error = {.status = CELLA_OK};
    struct cella_bytes in_memory = {.size = 0};
    snprintf(path, sizeof path, "%s.fork-%u", world->state_path, number);
    assert_status(cella_file_read(path, CELLA_FORK_EVIDENCE_SIZE_MAX, &data, &size, &error), CELLA_OK);
    assert_status(cella_fork_evidence_parse(CELLA_BYTES(data, size), &evidence, &error), CELLA_OK);
    assert_status(cella_fork_evidence_verify(&evidence, text, sizeof text, &error), CELLA_OK);
    assert_bytes(CELLA_BYTES(evidence.genesis, evidence.genesis_size),
                 CELLA_BYTES(world->genesis, world->genesis_size));
    if (cella_client_fork_evidence(world->client, &in_memory, &error) == CELLA_OK)
        assert_status(cella_fork_evidence_parse(in_memory, &evidence, &error), CELLA_OK);
    free(data);
}

static void a_fork_is_kept_as_evidence_and_nothing_more_is_said_to_it(void **state) {
    struct world *world = *state;
    struct cella_error error = {.status = CELLA_OK};
    char second[160];
    snprintf(second, sizeof second, "%s.fork-2", world->state_path);
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    struct world_disk *newest = world_disk_copy(&world->disk);
    roll_back(world, copy);
    world->script.trusting = true;
    for (int i = 0; i < 5; i++)
        world_other_commit(world);
    for (int i = 0; i < 3; i++) {
        unsigned mails = world->mails;
        assert_status(world_ask(world, "a", "two", &error), CELLA_VAULT_FORK);
        assert_non_null(strstr(error.message, ".fork-1"));
        /* In the session of the instance that is gone once, then hellos alone. */
        assert_int_equal(world->mails, mails + (i == 0 ? 2 : 1));
        if (i == 1)
            world_crash_client(world);
    }
    assert_int_equal(world_done(world, "two"), 0);
    expect_evidence(world, 1);
    assert_int_not_equal(access(second, F_OK), 0);
    assert_status(world_query(world, "anyone?", &error), CELLA_VAULT_FORK);
    /* A restart of the fork changes nothing, the true vault does. */
    world_restart(world);
    assert_status(world_ask(world, "a", "two", &error), CELLA_VAULT_FORK);
    roll_back(world, newest);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_false(world->client->state.forked);
    assert_int_equal(world_done(world, "two"), 1);
}

static void a_second_fork_gets_evidence_of_its_own(void **state) {
    struct world *world = *state;
    for (unsigned i = 1; i <= 2; i++) {
        assert_status(ask(world, "a", "one"), CELLA_OK);
        struct world_disk *copy = world_disk_copy(&world->disk);
        assert_status(ask(world, "a", "lost"), CELLA_OK);
        struct world_disk *newest = world_disk_copy(&world->disk);
        roll_back(world, copy);
        world->script.trusting = true;
        for (int j = 0; j < 5; j++)
            world_other_commit(world);
        assert_status(ask(world, "a", "two"), CELLA_VAULT_FORK);
        expect_evidence(world, i);
        world->script.trusting = false;
        roll_back(world, newest);
    }
    assert_status(ask(world, "a", "two"), CELLA_OK);
}

static void a_machine_that_was_set_back_begins_an_epoch_twice_and_is_found(void **state) {
    struct world *world = *state;
    struct world_disk *copy = world_disk_copy(&world->disk);
    world_restart(world);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    world->counter--;
    world->script.trusting = true;
    roll_back(world, copy);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_FORK);
    expect_evidence(world, 1);
}

static void a_client_without_a_file_keeps_head_and_evidence_in_memory(void **state) {
    struct world *world = *state;
    struct cella_client_options options = world_options(world, NULL);
    struct cella_bytes evidence = {.size = 0};
    cella_client_free(world->client);
    assert_status(cella_client_new(&options, &world->client, NULL), CELLA_OK);
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(cella_client_fork_evidence(world->client, &evidence, NULL), CELLA_NOT_FOUND);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    roll_back(world, copy);
    world->script.trusting = true;
    for (int i = 0; i < 5; i++)
        world_other_commit(world);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_FORK);
    assert_status(cella_client_fork_evidence(world->client, &evidence, NULL), CELLA_OK);
    static struct cella_fork_evidence parsed;
    assert_status(cella_fork_evidence_parse(evidence, &parsed, NULL), CELLA_OK);
    assert_status(cella_fork_evidence_verify(&parsed, NULL, 0, NULL), CELLA_OK);
    assert_int_not_equal(access(world->state_path, R_OK), -1);
}

static void without_a_proof_a_new_instance_is_told_nothing(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world_restart(world);
    world->script.no_proof = 1;
    assert_status(ask(world, "a", "two"), CELLA_VAULT_PROOF);
    assert_int_equal(world_done(world, "two"), 0);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_int_equal(world_done(world, "two"), 1);
}

static void a_reply_without_a_context_is_not_accepted_and_comes_again(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    world->script.no_context = 1;
    assert_status(ask(world, "a", "two"), CELLA_VAULT_PROOF);
    assert_status(ask(world, "a", "three"), CELLA_CLIENT_PENDING);
    world_crash_client(world);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_int_equal(world_done(world, "two"), 1);
    world->script.no_context = 1;
    assert_status(world_query(world, "how much?", NULL), CELLA_VAULT_PROOF);
    assert_status(world_query(world, "how much?", NULL), CELLA_OK);
}

/* --- restores --- */

static void a_restore_is_told_once_and_the_client_begins_anew(void **state) {
    struct world *world = *state;
    struct cella_error error = {.status = CELLA_OK};
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    world->script.lose_replies = 5;
    assert_status(ask(world, "b", "in doubt"), CELLA_UNAVAILABLE);
    uint64_t lost_to = world->disk.version;
    world_kill(world);
    world_disk_put(world, copy);
    world_restore(world, lost_to);
    world_start(world);
    assert_status(world_ask(world, "a", "two", &error), CELLA_VAULT_RESTORED);
    assert_non_null(strstr(error.message, "lost"));
    assert_int_equal(world_done(world, "two"), 0);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_status(ask(world, "b", "in doubt"), CELLA_CLIENT_UNKNOWN_OUTCOME);
    assert_status(ask(world, "b", "in doubt"), CELLA_OK);
    world_restart(world);
    world_crash_client(world);
    assert_status(ask(world, "a", "three"), CELLA_OK);
    assert_int_equal(world_done(world, "two"), 1);
    assert_int_equal(world_done(world, "lost"), 0);
    world_disk_free(copy);
}

static void a_restore_that_crashed_on_the_way_to_the_caller_is_told_again(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    assert_status(cella_client_save(world->client, NULL), CELLA_OK);
    uint8_t *before = NULL;
    size_t size = 0;
    assert_status(cella_file_read(world->state_path, 1 << 20, &before, &size, NULL), CELLA_OK);
    world_kill(world);
    world_disk_put(world, copy);
    world_restore(world, copy->version + 1);
    world_start(world);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_RESTORED);
    assert_status(cella_file_write(world->state_path, CELLA_BYTES(before, size), CELLA_FILE_PRIVATE, NULL),
                  CELLA_OK);
    world_crash_client(world);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_RESTORED);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    world_disk_free(copy);
    free(before);
}

static void a_restore_that_took_nothing_from_this_client_is_passed_over(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    world_other_commit(world);
    uint64_t lost_to = world->disk.version;
    world_kill(world);
    world_disk_put(world, copy);
    world_restore(world, lost_to);
    world_start(world);
    assert_status(ask(world, "a", "two"), CELLA_OK);
    assert_int_equal(world->client->state.known.head.lineage, 1);
    world_disk_free(copy);
}

static void a_restore_that_the_owners_did_not_sign_is_refused(void **state) {
    struct world *world = *state;
    assert_status(ask(world, "a", "one"), CELLA_OK);
    struct world_disk *copy = world_disk_copy(&world->disk);
    assert_status(ask(world, "a", "lost"), CELLA_OK);
    world_kill(world);
    world_disk_put(world, copy);
    world_restore(world, copy->version + 1);
    world->disk.restore.signatures[0].signature[5] ^= 1;
    world_start(world);
    assert_status(ask(world, "a", "two"), CELLA_VAULT_RESTORE);
    assert_int_equal(world_done(world, "two"), 0);
    assert_int_equal(world->client->state.known.head.lineage, 0);
    world_disk_free(copy);
}

/* --- queries --- */

static void queries_leave_nothing_behind_and_are_never_in_doubt(void **state) {
    struct world *world = *state;
    assert_status(world_query(world, "first of all", NULL), CELLA_OK);
    assert_status(ask(world, "q", "one"), CELLA_OK);
    uint64_t version = world->disk.version;
    for (int i = 0; i < 5; i++)
        assert_status(world_query(world, "again", NULL), CELLA_OK);
    assert_int_equal(world->disk.version, version);
    world->script.lose_replies = 5;
    assert_status(world_query(world, "lost", NULL), CELLA_UNAVAILABLE);
    assert_status(ask(world, "q", "two"), CELLA_OK);
    world->script.lose_replies = 2;
    assert_status(world_query(world, "lost", NULL), CELLA_OK);
    world_restart(world);
    assert_status(world_query(world, "there?", NULL), CELLA_OK);
    assert_status(ask(world, "q", "three"), CELLA_OK);
    assert_int_equal(world->disk.effect_count, 3);
}

/* --- the head for others --- */

static bool is_head_file(void *context, struct cella_bytes bytes) {
    struct cella_head_file file;
    return cella_head_file_parse(bytes, &file, NULL) == CELLA_OK;
}

static void the_head_can_be_shown_to_anyone(void **state) {
    struct world *world = *state;
    struct cella_head_file file;
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_client_head(world->client, &data, &size, NULL), CELLA_NO_VAULT);
    assert_status(cella_client_attest(world->client, NULL, NULL), CELLA_OK);
    assert_status(cella_client_head(world->client, &data, &size, NULL), CELLA_NOT_FOUND);
    assert_status(ask(world, "a", "one"), CELLA_OK);
    assert_status(cella_client_head(world->client, &data, &size, NULL), CELLA_OK);
    assert_status(cella_head_file_parse(CELLA_BYTES(data, size), &file, NULL), CELLA_OK);
    assert_int_equal(file.head.head.version, world->disk.version);
    struct cella_bytes good = test_copy(CELLA_BYTES(data, size));
    test_truncations_refused(good, is_head_file, NULL);
    test_extension_refused(good, is_head_file, NULL);
    test_bit_flips_refused(good, is_head_file, NULL);
    free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sequences_go_on_with_the_next_instance),
        TEST(a_request_under_which_the_instance_was_killed_is_done_once),
        TEST(the_first_request_of_all_is_done_once_too),
        TEST(many_kills_under_one_request_do_it_once),
        TEST(client_and_instance_may_both_die_under_a_request),
        TEST(a_request_that_was_given_up_makes_room_after_a_restart),
        TEST(a_refusal_holds_over_a_restart_and_leaves_the_name_free),
        TEST(one_shot_mail_is_done_once_over_a_restart),
        TEST(a_commit_that_is_pending_is_asked_for_under_its_name),
        TEST(a_full_disk_is_waited_for_and_then_told),
        TEST(a_full_disk_does_not_settle_a_doubt),
        TEST(a_client_that_lost_its_memory_is_told_unknown_history),
        TEST(an_old_copy_of_a_clients_file_is_no_attack_by_the_enclave),
        TEST(what_a_reply_showed_is_on_disk_before_the_caller_has_it),
        TEST(without_room_for_what_a_reply_showed_there_is_no_reply),
        TEST(a_rollback_of_what_only_a_crashed_client_saw_is_found),
        TEST(a_rollback_is_found_though_others_have_moved_on),
        TEST(a_rollback_of_what_only_a_post_showed_is_found),
        TEST(the_hosts_word_that_a_vault_stopped_changes_nothing),
        TEST(a_fork_is_kept_as_evidence_and_nothing_more_is_said_to_it),
        TEST(a_second_fork_gets_evidence_of_its_own),
        TEST(a_machine_that_was_set_back_begins_an_epoch_twice_and_is_found),
        TEST(a_client_without_a_file_keeps_head_and_evidence_in_memory),
        TEST(without_a_proof_a_new_instance_is_told_nothing),
        TEST(a_reply_without_a_context_is_not_accepted_and_comes_again),
        TEST(a_restore_is_told_once_and_the_client_begins_anew),
        TEST(a_restore_that_crashed_on_the_way_to_the_caller_is_told_again),
        TEST(a_restore_that_took_nothing_from_this_client_is_passed_over),
        TEST(a_restore_that_the_owners_did_not_sign_is_refused),
        TEST(queries_leave_nothing_behind_and_are_never_in_doubt),
        TEST(the_head_can_be_shown_to_anyone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
