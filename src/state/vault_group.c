/* Groups of transactions on their way to become records, and the moments that they end in. All under the
 * vault's lock. Must not: seal or write. */
#include "base/error.h"
#include "base/secret.h"
#include "state/vault_internal.h"
#include <stdlib.h>
#include <string.h>

struct cella_vault_moment *cella_vault_moment_hold(struct cella_vault_moment *moment) {
    moment->references++;
    return moment;
}

void cella_vault_moment_drop(struct cella_vault_moment *moment) {
    if (moment != NULL && --moment->references == 0)
        free(moment);
}

void cella_vault_queue_push(struct cella_vault_queue *queue, struct cella_vault_group *group) {
    group->next = NULL;
    if (queue->first == NULL)
        queue->first = group;
    else
        queue->last->next = group;
    queue->last = group;
}

struct cella_vault_group *cella_vault_queue_pop(struct cella_vault_queue *queue) {
    struct cella_vault_group *group = queue->first;
    if (group != NULL)
        queue->first = group->next;
    return group;
}

/* Room for this content and for sealing it in place. What was there stays. */
enum cella_status cella_vault_group_reserve(struct cella_vault_group *group, size_t content_size) {
    size_t needed = cella_record_size(content_size);
    if (needed <= group->capacity)
        return CELLA_OK;
    size_t capacity = group->capacity * 2 > needed ? group->capacity * 2 : needed;
    uint8_t *record = malloc(capacity);
    if (record == NULL)
        return CELLA_NO_MEMORY;
    if (group->content_size > 0)
        memcpy(record + CELLA_RECORD_CONTENT_OFFSET, group->record + CELLA_RECORD_CONTENT_OFFSET,
               group->content_size);
    cella_wipe_free(group->record, group->capacity);
    group->record = record;
    group->capacity = capacity;
    return CELLA_OK;
}

enum cella_status cella_vault_group_new(struct cella_vault *vault, struct cella_vault_group **ret_group) {
    struct cella_vault_group *group = vault->spare;
    struct cella_vault_moment *moment = calloc(1, sizeof *moment);
    if (moment == NULL)
        return CELLA_NO_MEMORY;
    if (group != NULL) {
        vault->spare = group->next;
        vault->spare_count--;
    } else {
        group = calloc(1, sizeof *group);
        if (group == NULL) {
            free(moment);
            return CELLA_NO_MEMORY;
        }
    }
    moment->references = 1;
    group->next = NULL;
    group->kind = CELLA_RECORD_CHANGES;
    group->moment = moment;
    *ret_group = group;
    return CELLA_OK;
}

void cella_vault_group_free(struct cella_vault *vault, struct cella_vault_group *group) {
    cella_map_view_release(group->view);
    cella_vault_moment_drop(group->moment);
    uint8_t *record = group->record;
    size_t capacity = group->capacity;
    if (capacity > VAULT_BUFFER_KEEP || vault->spare_count >= VAULT_SPARE_GROUPS) {
        cella_wipe_free(record, capacity);
        record = NULL;
        capacity = 0;
    }
    if (vault->spare_count >= VAULT_SPARE_GROUPS) {
        free(group);
        return;
    }
    *group = (struct cella_vault_group){.record = record, .capacity = capacity, .next = vault->spare};
    vault->spare = group;
    vault->spare_count++;
}

enum cella_status cella_vault_group_for(struct cella_vault *vault, size_t size,
                                        struct cella_vault_group **ret_group) {
    struct cella_vault_group *group = vault->queue.first == NULL ? NULL : vault->queue.last;
    if (group != NULL && group->kind == CELLA_RECORD_CHANGES && group->content_size < VAULT_GROUP_FULL &&
        group->content_size + size <= VAULT_GROUP_FULL) {
        enum cella_status status = cella_vault_group_reserve(group, group->content_size + size);
        if (status == CELLA_OK)
            *ret_group = group;
        return status;
    }
    enum cella_status status = cella_vault_group_new(vault, &group);
    if (status != CELLA_OK)
        return status;
    status = cella_vault_group_reserve(group, size);
    if (status != CELLA_OK) {
        cella_vault_group_free(vault, group);
        return status;
    }
    cella_vault_queue_push(&vault->queue, group);
    *ret_group = group;
    return CELLA_OK;
}

enum cella_status cella_vault_queue_record(struct cella_vault *vault, enum cella_record_kind kind,
                                           struct cella_bytes content) {
    struct cella_vault_group *group;
    enum cella_status status = cella_vault_group_new(vault, &group);
    if (status != CELLA_OK)
        return status;
    status = cella_vault_group_reserve(group, content.size);
    if (status != CELLA_OK) {
        cella_vault_group_free(vault, group);
        return status;
    }
    group->kind = kind;
    memcpy(group->record + CELLA_RECORD_CONTENT_OFFSET, content.data, content.size);
    group->content_size = content.size;
    cella_vault_queue_push(&vault->queue, group);
    return CELLA_OK;
}
