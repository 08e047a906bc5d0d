/* A vault's life and identity: what it is made of, what it says of itself, and what readers get. Must not:
 * read or write the store. */
#include "state/vault_internal.h"
#include "base/error.h"
#include "base/secret.h"
#include <stdlib.h>
#include <string.h>

static uint64_t limit_of(uint64_t given, uint64_t usual, uint64_t most) {
    uint64_t value = given == 0 ? usual : given;
    return value < most ? value : most;
}

static void set_limits(struct cella_vault_limits *limits) {
    limits->max_key_size = (uint32_t)limit_of(limits->max_key_size, 4096, 4096);
    limits->max_value_size = limit_of(limits->max_value_size, UINT64_C(1) << 20, CELLA_MAP_VALUE_MAX);
    limits->max_transaction_size =
        limit_of(limits->max_transaction_size, UINT64_C(64) << 20, UINT64_C(128) << 20);
    limits->max_state_size = limit_of(limits->max_state_size, UINT64_MAX, UINT64_MAX);
    limits->snapshot_after = limit_of(limits->snapshot_after, UINT64_C(64) << 20, UINT64_MAX);
}

static void init_locks(struct cella_vault *vault) {
    pthread_mutex_init(&vault->place, NULL);
    pthread_mutex_init(&vault->lock, NULL);
    pthread_mutex_init(&vault->signing, NULL);
    pthread_mutex_init(&vault->fetching, NULL);
    pthread_mutex_init(&vault->news_lock, NULL);
}

enum cella_status cella_vault_new(const struct cella_vault_options *options, struct cella_vault **ret_vault) {
    struct cella_vault *vault = calloc(1, sizeof *vault);
    if (vault == NULL)
        return CELLA_NO_MEMORY;
    init_locks(vault);
    vault->options = *options;
    set_limits(&vault->options.limits);
    vault->restores = calloc(VAULT_RESTORES_MAX, sizeof *vault->restores);
    vault->issued = calloc(VAULT_ISSUED, sizeof *vault->issued);
    vault->durable = calloc(1, sizeof *vault->durable);
    if (vault->restores == NULL || vault->issued == NULL || vault->durable == NULL ||
        cella_map_new(&vault->map) != CELLA_OK) {
        cella_vault_free(vault);
        return CELLA_NO_MEMORY;
    }
    vault->durable->references = 1;
    *ret_vault = vault;
    return CELLA_OK;
}

enum cella_status cella_vault_settle(struct cella_vault *vault) {
    enum cella_status status = cella_map_view_new(vault->map, &vault->durable_view);
    if (status != CELLA_OK)
        return status;
    vault->sealed_view = cella_map_view_hold(vault->durable_view);
    vault->sealed_view_exact = true;
    struct cella_signed_head *head = &vault->durable->head;
    memcpy(head->vault_id, vault->id, sizeof head->vault_id);
    head->lineage = vault->lineage;
    head->head = vault->journal.head;
    memcpy(head->epoch_start, vault->epoch_start, sizeof head->epoch_start);
    cella_tree_root(vault->tree, head->root);
    vault->counts.head = vault->journal.head;
    return CELLA_OK;
}

static void free_groups(struct cella_vault *vault) {
    struct cella_vault_queue *queues[] = {&vault->queue, &vault->written, &vault->safe};
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++) {
        struct cella_vault_group *group;
        while ((group = cella_vault_queue_pop(queues[i])) != NULL)
            cella_vault_group_free(vault, group);
    }
    if (vault->flight != NULL)
        cella_vault_group_free(vault, vault->flight);
    vault->spare_count = VAULT_SPARE_GROUPS;
    while (vault->spare != NULL) {
        struct cella_vault_group *group = vault->spare;
        vault->spare = group->next;
        cella_vault_group_free(vault, group);
    }
}

void cella_vault_free(struct cella_vault *vault) {
    if (vault == NULL)
        return;
    free_groups(vault);
    cella_snapshot_writer_free(vault->snapshot.writer);
    cella_map_view_release(vault->durable_view);
    cella_map_view_release(vault->sealed_view);
    cella_map_free(vault->map);
    cella_vault_moment_drop(vault->durable);
    cella_journal_deinit(&vault->journal);
    cella_journal_deinit(&vault->next_journal);
    cella_ed25519_deinit(&vault->signing_key);
    cella_tree_free(vault->tree);
    cella_wipe_free(vault->log.data, vault->log.capacity);
    free(vault->restores);
    free(vault->issued);
    free(vault->pages);
    pthread_mutex_destroy(&vault->place);
    pthread_mutex_destroy(&vault->lock);
    pthread_mutex_destroy(&vault->signing);
    pthread_mutex_destroy(&vault->fetching);
    pthread_mutex_destroy(&vault->news_lock);
    cella_wipe_free(vault, sizeof *vault);
}

struct cella_bytes cella_vault_genesis(const struct cella_vault *vault) {
    return CELLA_BYTES(vault->genesis_bytes, vault->genesis_size);
}

const uint8_t *cella_vault_id(const struct cella_vault *vault) {
    return vault->id;
}

uint64_t cella_vault_epoch(const struct cella_vault *vault) {
    return vault->epoch;
}

uint64_t cella_vault_lineage(const struct cella_vault *vault) {
    return vault->lineage;
}

bool cella_vault_guards_heads(const struct cella_vault *vault) {
    return vault->options.freshness->guards_heads;
}

struct cella_bytes cella_vault_key(enum cella_vault_space space, struct cella_bytes key, uint8_t *buffer) {
    size_t size = key.size < CELLA_MAP_KEY_MAX ? key.size : CELLA_MAP_KEY_MAX - 1;
    buffer[0] = (uint8_t)space;
    if (size > 0)
        memcpy(buffer + 1, key.data, size);
    return CELLA_BYTES(buffer, size + 1);
}

enum cella_status cella_vault_read(struct cella_vault *vault, struct cella_vault_reading *ret_reading) {
    cella_vault_enter(vault);
    enum cella_status status = vault->ended;
    if (status == CELLA_OK) {
        ret_reading->view = cella_map_view_hold(vault->durable_view);
        ret_reading->moment = cella_vault_moment_hold(vault->durable);
    }
    cella_vault_leave(vault);
    return status;
}

void cella_vault_reading_release(struct cella_vault *vault, struct cella_vault_reading *reading) {
    cella_map_view_release(reading->view);
    cella_vault_enter(vault);
    cella_vault_moment_drop(reading->moment);
    cella_vault_leave(vault);
    *reading = (struct cella_vault_reading){0};
}

static uint64_t program_keys(const struct cella_map *map, const struct cella_map_view *view) {
    const uint8_t from = CELLA_SPACE_USER, to = CELLA_SPACE_USER + 1;
    return cella_map_count(map, view, CELLA_BYTES(&from, 1), CELLA_BYTES(&to, 1));
}

void cella_vault_fill_report(struct cella_vault *vault, struct cella_vault_report *report) {
    report->keys = program_keys(vault->map, NULL);
    report->state_size = cella_map_size(vault->map, NULL);
}

void cella_vault_count(struct cella_vault *vault, struct cella_vault_counts *ret_counts) {
    cella_vault_enter(vault);
    *ret_counts = vault->counts;
    ret_counts->storage = vault->storage;
    ret_counts->stopped = vault->ended == CELLA_VAULT_STOPPED;
    ret_counts->snapshot_running = vault->snapshot.phase != SNAPSHOT_IDLE;
    ret_counts->memory = cella_map_memory(vault->map) + vault->log.capacity;
    ret_counts->keys = program_keys(vault->map, vault->durable_view);
    ret_counts->state_size = cella_map_size(vault->map, vault->durable_view);
    cella_vault_leave(vault);
}

bool cella_vault_busy(const struct cella_vault *vault) {
    struct cella_vault *inner = (struct cella_vault *)(uintptr_t)vault;
    cella_vault_enter(inner);
    bool busy = cella_vault_waiting(inner) || vault->answering;
    if (vault->ended == CELLA_OK)
        busy = busy || vault->queue.first != NULL || vault->flight != NULL || vault->written.first != NULL;
    else if (vault->ended == CELLA_VAULT_STOPPED)
        busy = busy || vault->queue.first != NULL || vault->flight != NULL;
    cella_vault_leave(inner);
    return busy;
}
