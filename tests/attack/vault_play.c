/* Instances and clients of a vault in memory. */
#include "vault_world.h"
#include <stdio.h>
#include <string.h>

enum { OWNERS = 3, THRESHOLD = 2 };

struct cella_ed25519_key world_owner(unsigned index) {
    struct cella_ed25519_key key;
    uint8_t seed[CELLA_ED25519_SEED_SIZE];
    memset(seed, 'a' + (int)index, sizeof seed);
    assert_status(cella_ed25519_from_seed(&key, seed), CELLA_OK);
    return key;
}

static struct cella_genesis wanted_genesis(void) {
    struct cella_genesis genesis = {
        .kind = CELLA_VAULT_MACHINE, .owner_count = OWNERS, .owner_threshold = THRESHOLD};
    for (unsigned i = 0; i < OWNERS; i++) {
        struct cella_ed25519_key key = world_owner(i);
        unsigned at = i;
        for (; at > 0 && memcmp(key.public_key, genesis.owners[at - 1], sizeof key.public_key) < 0; at--)
            memcpy(genesis.owners[at], genesis.owners[at - 1], sizeof key.public_key);
        memcpy(genesis.owners[at], key.public_key, sizeof key.public_key);
        cella_ed25519_deinit(&key);
    }
    return genesis;
}

void world_create(struct world_instance *instance, struct world_disk *disk, struct world_machine *machine,
                  uint64_t snapshot_after) {
    struct cella_genesis genesis = wanted_genesis();
    world_prepare(instance, disk, machine);
    instance->options.limits.snapshot_after = snapshot_after;
    assert_status(cella_vault_create(&instance->options, &genesis, &instance->vault, &instance->report,
                                     &instance->error),
                  CELLA_OK);
    world_settle(instance);
}

enum cella_status world_open_with(struct world_instance *instance, struct world_disk *disk,
                                  struct world_machine *machine, uint64_t snapshot_after) {
    world_prepare(instance, disk, machine);
    instance->options.limits.snapshot_after = snapshot_after;
    enum cella_status status =
        cella_vault_open(&instance->options, &instance->vault, &instance->report, &instance->error);
    if (status != CELLA_OK)
        instance->vault = NULL;
    else
        world_settle(instance);
    return status;
}

enum cella_status world_open(struct world_instance *instance, struct world_disk *disk,
                             struct world_machine *machine) {
    return world_open_with(instance, disk, machine, 0);
}

void world_kill(struct world_instance *instance) {
    cella_vault_free(instance->vault);
    instance->vault = NULL;
}

enum cella_status world_check(struct world_disk *disk, struct world_machine *machine,
                              struct cella_vault_report *ret_report) {
    static struct world_instance instance;
    world_prepare(&instance, disk, machine);
    enum cella_status status = cella_vault_check(&instance.options, &instance.report, &instance.error);
    if (ret_report != NULL)
        *ret_report = instance.report;
    return status;
}

void world_settle(struct world_instance *instance) {
    while (instance->told_count > 0) {
        uint64_t id = instance->told[0];
        memmove(instance->told, instance->told + 1, --instance->told_count * sizeof id);
        cella_vault_written(instance->vault, id, CELLA_OK);
    }
}

/* An answer, as the runtime of an image makes it. */
struct answer {
    struct cella_vault_waiter waiter; /* the first member */
    struct world_instance *instance;
    const struct cella_vault_claim *claim;
    uint8_t context[CELLA_CONTEXT_SIZE_MAX];
    size_t context_size;
    unsigned released;
    enum cella_status prepared, status;
};

static void prepare(struct cella_vault_waiter *waiter, struct cella_vault_moment *moment) {
    struct answer *answer = (struct answer *)waiter;
    assert_int_equal(answer->released, 0);
    answer->prepared = cella_vault_write_context(answer->instance->vault, moment, answer->claim,
                                                 answer->context, &answer->context_size);
}

static void release(struct cella_vault_waiter *waiter, enum cella_status status) {
    struct answer *answer = (struct answer *)waiter;
    answer->released++;
    answer->status = status;
}

/* One transaction; fills the answer. */
static enum cella_status commit(struct world_instance *instance, struct answer *answer, const char *key,
                                const char *value) {
    enum cella_status status = cella_vault_begin(instance->vault, NULL);
    if (status != CELLA_OK)
        return status;
    assert_status(cella_vault_put(instance->vault, CELLA_SPACE_USER, CELLA_BYTES(key, strlen(key)),
                                  CELLA_BYTES(value, strlen(value))),
                  CELLA_OK);
    answer->instance = instance;
    answer->waiter = (struct cella_vault_waiter){.prepare = prepare, .release = release};
    status = cella_vault_commit(instance->vault, &answer->waiter);
    if (status != CELLA_OK)
        return status;
    world_settle(instance);
    assert_int_equal(answer->released, 1);
    return answer->status == CELLA_OK ? answer->prepared : answer->status;
}

enum cella_status world_put(struct world_instance *instance, const char *key, const char *value) {
    static struct answer answer;
    answer = (struct answer){.claim = NULL};
    return commit(instance, &answer, key, value);
}

const char *world_get(struct world_instance *instance, const char *key) {
    static char text[4096];
    struct cella_vault_reading reading;
    uint8_t buffer[CELLA_MAP_KEY_MAX];
    struct cella_bytes value;
    assert_status(cella_vault_read(instance->vault, &reading), CELLA_OK);
    bool found = cella_map_view_get(
        reading.view, cella_vault_key(CELLA_SPACE_USER, CELLA_BYTES(key, strlen(key)), buffer), &value);
    if (found) {
        assert_true(value.size < sizeof text);
        memcpy(text, value.data, value.size);
        text[value.size] = '\0';
    }
    cella_vault_reading_release(instance->vault, &reading);
    return found ? text : NULL;
}

void world_snapshot(struct world_instance *instance) {
    struct cella_vault_counts counts;
    char key[32];
    cella_vault_count(instance->vault, &counts);
    uint64_t wanted = counts.snapshots + 1;
    for (unsigned i = 0; counts.snapshots < wanted; i++) {
        assert_true(i < 1000);
        (void)snprintf(key, sizeof key, "filler/%u", i % 4);
        assert_status(world_put(instance, key, "some bytes that fill the journal"), CELLA_OK);
        cella_vault_count(instance->vault, &counts);
    }
}

void world_client_init(struct world_client *client, const struct world_instance *instance) {
    struct cella_bytes genesis = cella_vault_genesis(instance->vault);
    *client = (struct world_client){.found_fork = false};
    memcpy(client->known.genesis, genesis.data, genesis.size);
    client->known.genesis_size = genesis.size;
}

enum cella_status world_request(struct world_client *client, struct world_instance *instance, const char *key,
                                const char *value) {
    static struct answer answer;
    struct cella_client_context asked;
    struct cella_vault_context context;
    struct cella_vault_claim claim;
    cella_vault_known_ask(&client->known, 0, &asked);
    enum cella_status status = cella_vault_check_context(instance->vault, &asked, &claim, &instance->error);
    world_settle(instance);
    if (status != CELLA_OK)
        return status;
    answer = (struct answer){.claim = &claim};
    status = commit(instance, &answer, key, value);
    if (status != CELLA_OK)
        return status;
    assert_status(cella_vault_context_parse(CELLA_BYTES(answer.context, answer.context_size), &context, NULL),
                  CELLA_OK);
    status = cella_vault_known_judge(&client->known, &asked, &context, &client->evidence, NULL);
    client->found_fork = client->found_fork || status == CELLA_VAULT_FORK;
    return status;
}

bool world_evidence_proves(struct world_disk *disk) {
    struct cella_fork_evidence evidence;
    const struct world_file *file = world_newest(disk, CELLA_STORE_EVIDENCE);
    return file != NULL && file->finished &&
           cella_fork_evidence_parse(CELLA_BYTES(file->bytes, file->size), &evidence, NULL) == CELLA_OK &&
           cella_fork_evidence_verify(&evidence, NULL, 0, NULL) == CELLA_OK;
}
