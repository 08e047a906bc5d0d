/* The played enclave. Must not: be kinder to the client than a real one. */
#include "unit/client/world.h"
#include "attest/attestation.h"
#include "attest/statement.h"
#include "base/error.h"
#include "crypto/random.h"
#include "machine/sim/manage.h"
#include "state/context.h"
#include "unit/client/world_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONSTRAINT "C:1111111111111111111111111111111111111111111111111111111111111111 SEC:INSECURE"

/* --- the disk --- */

static struct cella_bytes keep_copy(struct cella_bytes bytes) {
    uint8_t *copy = malloc(bytes.size + 1);
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return CELLA_BYTES(copy, bytes.size);
}

static void drop(struct cella_bytes bytes) {
    free((void *)(uintptr_t)bytes.data);
}

static void free_entries(struct world_disk *disk) {
    for (size_t i = 0; i < disk->entry_count; i++) {
        drop(disk->entries[i].key);
        drop(disk->entries[i].value);
    }
    free(disk->entries);
    disk->entries = NULL;
    disk->entry_count = 0;
}

static void copy_into(struct world_disk *to, const struct world_disk *from) {
    *to = *from;
    to->entries = calloc(from->entry_count + 1, sizeof *to->entries);
    assert_non_null(to->entries);
    for (size_t i = 0; i < from->entry_count; i++)
        to->entries[i] = (struct world_entry){.key = keep_copy(from->entries[i].key),
                                              .value = keep_copy(from->entries[i].value)};
}

struct world_disk *world_disk_copy(const struct world_disk *disk) {
    struct world_disk *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    copy_into(copy, disk);
    return copy;
}

void world_disk_put(struct world *world, const struct world_disk *disk) {
    free_entries(&world->disk);
    copy_into(&world->disk, disk);
}

void world_disk_free(struct world_disk *disk) {
    free_entries(disk);
    free(disk);
}

static int compare(struct cella_bytes left, struct cella_bytes right) {
    size_t common = left.size < right.size ? left.size : right.size;
    int order = common == 0 ? 0 : memcmp(left.data, right.data, common);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

/* The place of the first entry that is not before `key`. */
static size_t place_of(const struct world_disk *disk, struct cella_bytes key, bool *ret_found) {
    size_t at = 0;
    while (at < disk->entry_count && compare(disk->entries[at].key, key) < 0)
        at++;
    *ret_found = at < disk->entry_count && compare(disk->entries[at].key, key) == 0;
    return at;
}

static bool keep_get(void *context, struct cella_bytes key, struct cella_bytes *ret_value) {
    const struct world_disk *disk = context;
    bool found = false;
    size_t at = place_of(disk, key, &found);
    if (found)
        *ret_value = disk->entries[at].value;
    return found;
}

static enum cella_status keep_put(void *context, struct cella_bytes key, struct cella_bytes value) {
    struct world_disk *disk = context;
    struct world_entry entry = {.key = keep_copy(key), .value = keep_copy(value)};
    bool found = false;
    size_t at = place_of(disk, key, &found);
    if (found) {
        drop(disk->entries[at].key);
        drop(disk->entries[at].value);
    } else {
        disk->entries = realloc(disk->entries, (disk->entry_count + 2) * sizeof *disk->entries);
        assert_non_null(disk->entries);
        memmove(disk->entries + at + 1, disk->entries + at, (disk->entry_count - at) * sizeof *disk->entries);
        disk->entry_count++;
    }
    disk->entries[at] = entry;
    return CELLA_OK;
}

static enum cella_status keep_delete(void *context, struct cella_bytes key) {
    struct world_disk *disk = context;
    bool found = false;
    size_t at = place_of(disk, key, &found);
    if (!found)
        return CELLA_NOT_FOUND;
    drop(disk->entries[at].key);
    drop(disk->entries[at].value);
    disk->entry_count--;
    memmove(disk->entries + at, disk->entries + at + 1, (disk->entry_count - at) * sizeof *disk->entries);
    return CELLA_OK;
}

static enum cella_status keep_seek(void *context, struct cella_bytes from, struct cella_bytes *ret_key,
                                   struct cella_bytes *ret_value) {
    const struct world_disk *disk = context;
    bool found = false;
    size_t at = place_of(disk, from, &found);
    if (at == disk->entry_count)
        return CELLA_NOT_FOUND;
    *ret_key = disk->entries[at].key;
    *ret_value = disk->entries[at].value;
    return CELLA_OK;
}

void world_append(struct world *world) {
    struct world_disk *disk = &world->disk;
    assert_true(disk->version < WORLD_RECORDS_MAX);
    uint8_t *record = disk->records[disk->version++];
    assert_status(cella_random(record, CELLA_DIGEST_SIZE), CELLA_OK);
    cella_tree_append(world->tree, record);
    disk->epoch = world->epoch;
}

/* --- instances --- */

void world_kill(struct world *world) {
    if (!world->running)
        return;
    world->running = false;
    cella_mailbox_free(world->mailbox);
    cella_tree_free(world->tree);
    cella_x25519_deinit(&world->session_key);
    world->mailbox = NULL;
    world->tree = NULL;
}

void world_start(struct world *world) {
    static struct cella_mail_keep keep = {
        .get = keep_get, .put = keep_put, .delete = keep_delete, .seek = keep_seek};
    struct world_disk *disk = &world->disk;
    struct cella_error error = {.status = CELLA_OK};
    keep.context = disk;
    world->epoch = ++world->counter;
    assert_status(cella_x25519_generate(&world->session_key), CELLA_OK);
    assert_status(cella_tree_new(&world->tree), CELLA_OK);
    for (uint64_t i = 0; i < disk->version; i++)
        cella_tree_append(world->tree, disk->records[i]);
    world_append(world);
    memcpy(world->epoch_start, disk->records[disk->version - 1], CELLA_DIGEST_SIZE);
    struct cella_mailbox_options options = {
        .session_key = &world->session_key, .keep = &keep, .first_clock = world->epoch << 40};
    assert_status(cella_mailbox_new(&options, &world->mailbox, &error), CELLA_OK);
    world_append(world);
    world->running = true;
}

void world_restart(struct world *world) {
    world_kill(world);
    world_start(world);
}

void world_restore(struct world *world, uint64_t lost_to) {
    struct world_disk *disk = &world->disk;
    struct cella_restore *restore = &disk->restore;
    struct cella_error error = {.status = CELLA_OK};
    struct cella_tree *tree = NULL;
    *restore = (struct cella_restore){.lineage = disk->lineage + 1,
                                      .from = {.epoch = disk->epoch, .version = disk->version},
                                      .lost_to = lost_to,
                                      .epoch = world->counter,
                                      .time = 1700000000,
                                      .reason = "the disk broke"};
    memcpy(restore->vault_id, world->vault_id, sizeof restore->vault_id);
    memcpy(restore->from.digest, disk->records[disk->version - 1], CELLA_DIGEST_SIZE);
    assert_status(cella_tree_new(&tree), CELLA_OK);
    for (uint64_t i = 0; i < disk->version; i++)
        cella_tree_append(tree, disk->records[i]);
    cella_tree_root(tree, restore->from_root);
    cella_tree_free(tree);
    assert_status(cella_restore_sign(restore, &world->owner, &error), CELLA_OK);
    disk->lineage++;
    disk->has_restore = true;
}

/* --- the fixture --- */

static int64_t fake_now(void *context) {
    return ((struct world *)context)->now;
}

static void fake_pause(void *context, unsigned ms) {
    ((struct world *)context)->pauses++;
}

struct cella_client_options world_options(struct world *world, const char *state_path) {
    return (struct cella_client_options){.state_path = state_path,
                                         .url = "http://x",
                                         .enclave = "ledger",
                                         .constraint = CONSTRAINT,
                                         .transport = &world->transport,
                                         .now = fake_now,
                                         .pause = fake_pause,
                                         .time_context = world};
}

void world_crash_client(struct world *world) {
    struct cella_error error = {.status = CELLA_OK};
    struct cella_client_options options = world_options(world, world->state_path);
    world->client->dirty = false;
    cella_client_free(world->client);
    world->client = NULL;
    assert_status(cella_client_open(&options, &world->client, &error), CELLA_OK);
}

static void make_vault(struct world *world) {
    struct cella_genesis genesis = {
        .kind = CELLA_VAULT_MACHINE, .random = {1}, .owner_count = 1, .owner_threshold = 1};
    struct cella_error error = {.status = CELLA_OK};
    assert_status(cella_ed25519_generate(&world->vault_key), CELLA_OK);
    assert_status(cella_ed25519_generate(&world->owner), CELLA_OK);
    memcpy(genesis.signing_key, world->vault_key.public_key, sizeof genesis.signing_key);
    memcpy(genesis.owners[0], world->owner.public_key, sizeof genesis.owners[0]);
    assert_status(cella_genesis_write(&genesis, world->genesis, &world->genesis_size, &error), CELLA_OK);
    cella_genesis_vault_id(CELLA_BYTES(world->genesis, world->genesis_size), world->vault_id);
}

int world_setup(void **state) {
    struct world *world = calloc(1, sizeof *world);
    struct cella_error error = {.status = CELLA_OK};
    char machine[128];
    if (world == NULL)
        return -1;
    *state = world;
    test_folder_make(&world->folder);
    snprintf(machine, sizeof machine, "%s/machine", world->folder.path);
    snprintf(world->state_path, sizeof world->state_path, "%s/client", world->folder.path);
    struct cella_sim_create_options create = {.folder = machine, .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&create, &error), CELLA_OK);
    assert_status(cella_machine_open(machine, &world->machine, &error), CELLA_OK);
    world->now = (int64_t)time(NULL) + 1;
    world->transport = (struct cella_client_transport){.context = world,
                                                       .attestation = world_carry_attestation,
                                                       .mail = world_carry_mail,
                                                       .poll = world_carry_poll};
    make_vault(world);
    world_start(world);
    struct cella_client_options options = world_options(world, world->state_path);
    assert_status(cella_client_new(&options, &world->client, &error), CELLA_OK);
    return 0;
}

int world_teardown(void **state) {
    struct world *world = *state;
    cella_client_free(world->client);
    world_kill(world);
    free_entries(&world->disk);
    while (world->post_count > 0)
        world_drop_post(world);
    cella_machine_free(world->machine);
    cella_ed25519_deinit(&world->vault_key);
    cella_ed25519_deinit(&world->owner);
    test_folder_remove(&world->folder);
    free(world);
    return 0;
}

unsigned world_done(const struct world *world, const char *body) {
    unsigned count = 0;
    for (unsigned i = 0; i < world->disk.effect_count; i++)
        count += strcmp(world->disk.effects[i], body) == 0;
    return count;
}

void world_other_commit(struct world *world) {
    world_append(world);
}

enum cella_status world_ask(struct world *world, const char *topic, const char *body,
                            struct cella_error *error) {
    bool replied = false;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request request = {.topic = topic, .body = CELLA_BYTES(body, strlen(body))};
    enum cella_status status = cella_client_request(world->client, &request, &replied, &reply, error);
    if (status == CELLA_OK && replied)
        assert_bytes(CELLA_BYTES(reply.body, reply.body_size), request.body);
    cella_client_mail_deinit(&reply);
    return status;
}

enum cella_status world_query(struct world *world, const char *body, struct cella_error *error) {
    bool replied = false;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request request = {.topic = "q", .body = CELLA_BYTES(body, strlen(body))};
    enum cella_status status = cella_client_query(world->client, &request, &replied, &reply, error);
    if (status == CELLA_OK) {
        assert_true(replied);
        assert_bytes(CELLA_BYTES(reply.body, reply.body_size), request.body);
    }
    cella_client_mail_deinit(&reply);
    return status;
}

void world_expect_post(struct world *world, const char *body) {
    struct cella_error error = {.status = CELLA_OK};
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = true;
    enum cella_status status = cella_client_poll(world->client, 0, &arrived, &mail, &error);
    if (status != CELLA_OK)
        print_message("%s\n", error.message);
    assert_status(status, CELLA_OK);
    assert_int_equal(arrived, body != NULL);
    if (body != NULL)
        assert_string_equal((const char *)mail.body, body);
    cella_client_mail_deinit(&mail);
}
