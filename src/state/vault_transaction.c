/* Transactions: the writer's place, changes and their limits, and how they join the next record. Must not:
 * seal or write, or call anyone while the place is held. */
#include "base/error.h"
#include "base/secret.h"
#include "state/vault_internal.h"
#include <stdlib.h>
#include <string.h>

static uintptr_t self(void) {
    return (uintptr_t)pthread_self();
}

bool cella_vault_is_writer(struct cella_vault *vault) {
    return atomic_load_explicit(&vault->writer, memory_order_relaxed) == self();
}

static enum cella_status refusal(const struct cella_vault *vault) {
    return vault->ended != CELLA_OK ? vault->ended : vault->storage;
}

/* Asked before and after the wait for the place: the wait may be long, and much can happen in it. */
static enum cella_status admission(struct cella_vault *vault, struct cella_error *error) {
    cella_vault_enter(vault);
    enum cella_status status = refusal(vault);
    cella_vault_leave(vault);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "the vault takes no changes now");
}

static void free_place(struct cella_vault *vault) {
    atomic_store_explicit(&vault->writer, 0, memory_order_relaxed);
    pthread_mutex_unlock(&vault->place);
}

/* Gives the place back, and catches up on what was not done while this thread had it. */
static void leave_place(struct cella_vault *vault) {
    free_place(vault);
    cella_vault_enter(vault);
    cella_vault_leave(vault);
}

static enum cella_status take_place(struct cella_vault *vault, struct cella_error *error) {
    enum cella_status status = admission(vault, error);
    if (status != CELLA_OK)
        return status;
    pthread_mutex_lock(&vault->place);
    atomic_store_explicit(&vault->writer, self(), memory_order_relaxed);
    status = admission(vault, error);
    if (status != CELLA_OK)
        leave_place(vault);
    return status;
}

enum cella_status cella_vault_begin(struct cella_vault *vault, struct cella_error *error) {
    bool outermost = !cella_vault_is_writer(vault);
    if (outermost) {
        enum cella_status status = take_place(vault, error);
        if (status != CELLA_OK)
            return status;
    }
    if (vault->depth == VAULT_DEPTH_MAX)
        return cella_fail(error, CELLA_CALL_DEPTH, "%u transactions are nested", vault->depth);
    enum cella_status status = cella_map_begin(vault->map);
    if (status != CELLA_OK) {
        if (outermost)
            leave_place(vault);
        return cella_fail(error, status, "no memory for a transaction");
    }
    vault->marks[vault->depth].size = vault->log.size;
    vault->marks[vault->depth].user_bytes = vault->log.user_bytes;
    vault->depth++;
    return CELLA_OK;
}

static enum cella_status reserve_log(struct cella_vault_log *log, size_t size) {
    size_t needed = log->size + size;
    if (needed <= log->capacity)
        return CELLA_OK;
    size_t capacity = log->capacity * 2 > needed ? log->capacity * 2 : needed;
    if (capacity < 4096)
        capacity = 4096;
    uint8_t *data = malloc(capacity);
    if (data == NULL)
        return CELLA_NO_MEMORY;
    if (log->size > 0)
        memcpy(data, log->data, log->size);
    cella_wipe_free(log->data, log->capacity);
    log->data = data;
    log->capacity = capacity;
    return CELLA_OK;
}

static enum cella_status check_key(const struct cella_vault *vault, enum cella_vault_space space,
                                   struct cella_bytes key) {
    if (key.size == 0)
        return CELLA_ARGUMENT;
    size_t most = space == CELLA_SPACE_USER ? vault->options.limits.max_key_size : CELLA_MAP_KEY_MAX - 1;
    return key.size <= most ? CELLA_OK : CELLA_KEY_SIZE;
}

/* The program's limits are the program's alone: what the mail keeps of a request must always find room, or a
 * program at its limit could not even delete. All together must fit in a record. */
static enum cella_status check_transaction(const struct cella_vault *vault, enum cella_vault_space space,
                                           size_t size) {
    uint64_t most = vault->options.limits.max_transaction_size;
    bool fits = vault->log.size + size <= most + VAULT_LOG_SLACK;
    if (space == CELLA_SPACE_USER)
        fits = fits && vault->log.user_bytes + size <= most;
    return fits ? CELLA_OK : CELLA_TRANSACTION_SIZE;
}

static enum cella_status check_state(const struct cella_vault *vault, struct cella_bytes key,
                                     struct cella_bytes value) {
    uint64_t most = vault->options.limits.max_state_size;
    struct cella_bytes old;
    if (most == UINT64_MAX)
        return CELLA_OK;
    uint64_t size = cella_map_size(vault->map, NULL) + key.size + value.size;
    if (size > most && cella_map_get(vault->map, key, &old))
        size -= key.size + old.size;
    return size <= most ? CELLA_OK : CELLA_STATE_SIZE;
}

static void append_log(struct cella_vault *vault, enum cella_vault_space space, struct cella_bytes key,
                       const struct cella_bytes *value) {
    size_t size = cella_change_write(vault->log.data + vault->log.size, key, value);
    vault->log.size += size;
    if (space == CELLA_SPACE_USER)
        vault->log.user_bytes += size;
}

enum cella_status cella_vault_put(struct cella_vault *vault, enum cella_vault_space space,
                                  struct cella_bytes key, struct cella_bytes value) {
    CELLA_ASSERT(cella_vault_is_writer(vault) && vault->depth > 0);
    uint8_t buffer[CELLA_MAP_KEY_MAX];
    enum cella_status status = check_key(vault, space, key);
    if (status != CELLA_OK)
        return status;
    if (value.size > (space == CELLA_SPACE_USER ? vault->options.limits.max_value_size : CELLA_MAP_VALUE_MAX))
        return CELLA_VALUE_SIZE;
    struct cella_bytes name = cella_vault_key(space, key, buffer);
    size_t size = cella_change_size(name, &value);
    status = check_transaction(vault, space, size);
    if (status == CELLA_OK && space == CELLA_SPACE_USER)
        status = check_state(vault, name, value);
    if (status == CELLA_OK)
        status = reserve_log(&vault->log, size);
    if (status == CELLA_OK)
        status = cella_map_put(vault->map, name, value);
    if (status == CELLA_OK)
        append_log(vault, space, name, &value);
    return status;
}

enum cella_status cella_vault_delete(struct cella_vault *vault, enum cella_vault_space space,
                                     struct cella_bytes key) {
    CELLA_ASSERT(cella_vault_is_writer(vault) && vault->depth > 0);
    uint8_t buffer[CELLA_MAP_KEY_MAX];
    enum cella_status status = check_key(vault, space, key);
    if (status != CELLA_OK)
        return status;
    struct cella_bytes name = cella_vault_key(space, key, buffer);
    size_t size = cella_change_size(name, NULL);
    status = check_transaction(vault, space, size);
    if (status == CELLA_OK)
        status = reserve_log(&vault->log, size);
    if (status == CELLA_OK)
        status = cella_map_delete(vault->map, name);
    if (status == CELLA_OK)
        append_log(vault, space, name, NULL);
    return status;
}

bool cella_vault_get(struct cella_vault *vault, enum cella_vault_space space, struct cella_bytes key,
                     struct cella_bytes *ret_value) {
    uint8_t buffer[CELLA_MAP_KEY_MAX];
    CELLA_ASSERT(cella_vault_is_writer(vault));
    return key.size < CELLA_MAP_KEY_MAX &&
           cella_map_get(vault->map, cella_vault_key(space, key, buffer), ret_value);
}

struct cella_map *cella_vault_map(struct cella_vault *vault) {
    return vault->map;
}

static void empty_log(struct cella_vault_log *log) {
    cella_wipe(log->data, log->size);
    log->size = 0;
    log->user_bytes = 0;
    if (log->capacity > VAULT_BUFFER_KEEP) {
        cella_wipe_free(log->data, log->capacity);
        log->data = NULL;
        log->capacity = 0;
    }
}

void cella_vault_abort(struct cella_vault *vault) {
    CELLA_ASSERT(cella_vault_is_writer(vault) && vault->depth > 0);
    vault->depth--;
    cella_map_abort(vault->map);
    if (vault->depth > 0) {
        size_t kept = vault->marks[vault->depth].size;
        cella_wipe(vault->log.data + kept, vault->log.size - kept);
        vault->log.size = kept;
        vault->log.user_bytes = vault->marks[vault->depth].user_bytes;
        return;
    }
    empty_log(&vault->log);
    leave_place(vault);
}

/* Under `lock`: the changes stand from here on. */
static enum cella_status join_record(struct cella_vault *vault) {
    if (vault->ended != CELLA_OK)
        return vault->ended;
    struct cella_vault_group *group;
    enum cella_status status = cella_vault_group_for(vault, vault->log.size, &group);
    if (status != CELLA_OK)
        return status;
    memcpy(group->record + CELLA_RECORD_CONTENT_OFFSET + group->content_size, vault->log.data,
           vault->log.size);
    group->content_size += vault->log.size;
    group->commits++;
    vault->counts.commits++;
    cella_map_commit(vault->map);
    /* Without memory for a view, readers stay with the one before until the next commit. */
    cella_map_view_release(group->view);
    if (cella_map_view_new(vault->map, &group->view) != CELLA_OK)
        group->view = NULL;
    return CELLA_OK;
}

static enum cella_status commit_outermost(struct cella_vault *vault, struct cella_vault_waiter *waiter) {
    cella_vault_enter(vault);
    if (vault->log.size > 0) {
        enum cella_status status = join_record(vault);
        if (status != CELLA_OK) {
            cella_vault_leave(vault);
            cella_vault_abort(vault);
            return status;
        }
    } else {
        cella_map_commit(vault->map);
    }
    vault->depth = 0;
    empty_log(&vault->log);
    if (waiter != NULL)
        cella_vault_join(vault, waiter);
    free_place(vault);
    cella_vault_leave(vault);
    return CELLA_OK;
}

enum cella_status cella_vault_commit(struct cella_vault *vault, struct cella_vault_waiter *waiter) {
    CELLA_ASSERT(cella_vault_is_writer(vault) && vault->depth > 0);
    if (vault->depth == 1)
        return commit_outermost(vault, waiter);
    CELLA_ASSERT(waiter == NULL);
    vault->depth--;
    cella_map_commit(vault->map);
    return CELLA_OK;
}

void cella_vault_wait(struct cella_vault *vault, struct cella_vault_waiter *waiter) {
    cella_vault_enter(vault);
    cella_vault_join(vault, waiter);
    cella_vault_leave(vault);
}
