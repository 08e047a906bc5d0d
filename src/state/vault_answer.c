/* Answers: who waits for what, in which order they are prepared and released, and moments with their signed
 * heads. Must not: release what is not durable and this owner's. */
#include "base/error.h"
#include "state/vault_internal.h"
#include <string.h>

/* The newest group that is not done with; an answer that joins now may tell of all of them. */
static struct cella_vault_group *newest_group(struct cella_vault *vault) {
    if (vault->queue.first != NULL)
        return vault->queue.last;
    if (vault->flight != NULL)
        return vault->flight;
    if (vault->written.first != NULL)
        return vault->written.last;
    return vault->safe.first != NULL ? vault->safe.last : &vault->calm;
}

void cella_vault_join(struct cella_vault *vault, struct cella_vault_waiter *waiter) {
    struct cella_vault_group *group = newest_group(vault);
    waiter->next = NULL;
    if (group->first == NULL)
        group->first = waiter;
    else
        group->last->next = waiter;
    group->last = waiter;
    if (group->unprepared == NULL)
        group->unprepared = waiter;
    if (group->untold == NULL)
        group->untold = waiter;
    group->waiting++;
}

static struct cella_vault_waiter *pop_waiter(struct cella_vault_group *group) {
    struct cella_vault_waiter *waiter = group->first;
    group->first = waiter->next;
    if (group->unprepared == waiter)
        group->unprepared = waiter->next;
    if (group->untold == waiter)
        group->untold = waiter->next;
    group->waiting--;
    return waiter;
}

static struct cella_vault_task release_first(struct cella_vault_group *group, enum cella_status status) {
    return (struct cella_vault_task){.work = WORK_RELEASE, .waiter = pop_waiter(group), .status = status};
}

static struct cella_vault_task prepare_next(struct cella_vault_group *group,
                                            struct cella_vault_moment *moment) {
    struct cella_vault_task task = {.work = WORK_PREPARE, .waiter = group->unprepared};
    group->unprepared = group->unprepared->next;
    task.moment = cella_vault_moment_hold(moment);
    return task;
}

static struct cella_vault_group *first_with_waiters(struct cella_vault *vault) {
    if (vault->calm.first != NULL)
        return &vault->calm;
    struct cella_vault_group *lists[] = {vault->safe.first, vault->written.first, vault->flight,
                                         vault->queue.first};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (struct cella_vault_group *group = lists[i]; group != NULL;
             group = lists[i] == vault->flight ? NULL : group->next)
            if (group->first != NULL)
                return group;
    return NULL;
}

bool cella_vault_waiting(struct cella_vault *vault) {
    return first_with_waiters(vault) != NULL;
}

/* Nothing leaves any more, in whatever order it was to come. */
static struct cella_vault_task pick_ended(struct cella_vault *vault) {
    if (vault->lost_due) {
        vault->lost_due = false;
        return (struct cella_vault_task){.work = WORK_LOST, .status = vault->ended};
    }
    struct cella_vault_group *group = first_with_waiters(vault);
    return group == NULL ? (struct cella_vault_task){0} : release_first(group, vault->ended);
}

/* Answers that change nothing tell of the durable state, and only an owner may: the register is asked after
 * they came, once for all that are there. */
static struct cella_vault_task confirm(const struct cella_vault *vault) {
    const struct cella_vault_moment *newest =
        vault->written.first != NULL ? vault->written.last->moment : vault->durable;
    return (struct cella_vault_task){
        .work = WORK_ADVANCE, .head = newest->head.head, .cleared = vault->calm.waiting};
}

static struct cella_vault_task pick_safe(struct cella_vault *vault) {
    for (;;) {
        struct cella_vault_group *group = vault->calm.first != NULL ? &vault->calm : vault->safe.first;
        if (group == NULL)
            return (struct cella_vault_task){0};
        if (group->unprepared != NULL)
            return prepare_next(group, group == &vault->calm ? vault->durable : group->moment);
        if (group == &vault->calm && vault->calm_cleared == 0)
            return confirm(vault);
        if (group == &vault->calm)
            vault->calm_cleared--;
        if (group->first != NULL)
            return release_first(group, CELLA_OK);
        cella_vault_group_free(vault, cella_vault_queue_pop(&vault->safe));
    }
}

static struct cella_vault_task pick_prepare(struct cella_vault *vault) {
    for (struct cella_vault_group *group = vault->written.first; group != NULL; group = group->next)
        if (group->unprepared != NULL)
            return prepare_next(group, group->moment);
    if (vault->flight != NULL && vault->flight->unprepared != NULL)
        return prepare_next(vault->flight, vault->flight->moment);
    return (struct cella_vault_task){0};
}

/* While the store cannot write, each answer that is not durable is told so once. */
static struct cella_vault_task pick_pending(struct cella_vault *vault) {
    struct cella_vault_group *group = vault->flight;
    if (group == NULL || group->untold == NULL)
        for (group = vault->queue.first; group != NULL && group->untold == NULL;)
            group = group->next;
    if (vault->storage == CELLA_OK || group == NULL)
        return (struct cella_vault_task){0};
    struct cella_vault_task task = {
        .work = WORK_RELEASE, .waiter = group->untold, .status = CELLA_COMMIT_PENDING};
    group->untold = group->untold->next;
    return task;
}

struct cella_vault_task cella_vault_pick_answer(struct cella_vault *vault) {
    if (vault->ended != CELLA_OK)
        return pick_ended(vault);
    struct cella_vault_task task = pick_safe(vault);
    if (task.work == WORK_NONE && vault->written.first != NULL)
        task =
            (struct cella_vault_task){.work = WORK_ADVANCE, .head = vault->written.last->moment->head.head};
    if (task.work == WORK_NONE)
        task = pick_pending(vault);
    return task.work == WORK_NONE ? pick_prepare(vault) : task;
}

void cella_vault_perform_answer(struct cella_vault *vault, const struct cella_vault_task *task) {
    switch (task->work) {
    case WORK_LOST:
        if (vault->options.lost != NULL)
            vault->options.lost(vault->options.lost_context, task->status, vault->ended_message);
        break;
    case WORK_PREPARE:
        if (task->waiter->prepare != NULL)
            task->waiter->prepare(task->waiter, task->moment);
        break;
    case WORK_RELEASE:
        task->waiter->release(task->waiter, task->status);
        break;
    default:
        break;
    }
}

/* Everything up to the head that the register knows may be told. */
static void publish(struct cella_vault *vault, uint64_t version) {
    while (vault->written.first != NULL && vault->written.first->moment->head.head.version <= version) {
        struct cella_vault_group *group = cella_vault_queue_pop(&vault->written);
        if (group->view != NULL) {
            cella_map_view_release(vault->durable_view);
            vault->durable_view = group->view;
            group->view = NULL;
        }
        cella_vault_moment_drop(vault->durable);
        vault->durable = cella_vault_moment_hold(group->moment);
        vault->counts.head = group->moment->head.head;
        if (group->kind == CELLA_RECORD_SNAPSHOT)
            cella_vault_snapshot_safe(vault);
        cella_vault_queue_push(&vault->safe, group);
    }
}

static void end_unowned(struct cella_vault *vault, enum cella_status status) {
    cella_vault_end(vault, status,
                    status == CELLA_FENCED ? "another instance owns the vault now"
                                           : "the vault's register does not answer");
}

void cella_vault_finish_answer(struct cella_vault *vault, const struct cella_vault_task *task) {
    cella_vault_moment_drop(task->moment);
    if (task->work != WORK_ADVANCE || vault->ended != CELLA_OK)
        return;
    if (task->status != CELLA_OK) {
        end_unowned(vault, task->status);
        return;
    }
    publish(vault, task->head.version);
    vault->calm_cleared = task->cleared;
}

enum cella_status cella_vault_confirm(struct cella_vault *vault) {
    const struct cella_freshness_source *freshness = vault->options.freshness;
    cella_vault_enter(vault);
    struct cella_head head = vault->durable->head.head;
    enum cella_status status = vault->ended;
    cella_vault_leave(vault);
    if (status != CELLA_OK)
        return status;
    status = freshness->advance(freshness->context, vault->id, &head, NULL);
    if (status != CELLA_OK) {
        cella_vault_enter(vault);
        end_unowned(vault, status);
        cella_vault_leave(vault);
    }
    return status;
}

static void remember_issued(struct cella_vault *vault, const struct cella_signed_head *head) {
    vault->issued[head->head.version % VAULT_ISSUED] = *head;
}

/* Signing takes long and is done without `lock`; whoever comes at the same time makes the same signature. */
enum cella_status cella_vault_moment_head(struct cella_vault *vault, struct cella_vault_moment *moment,
                                          struct cella_signed_head *ret_head) {
    cella_vault_enter(vault);
    struct cella_signed_head head = moment->head;
    bool is_signed = moment->is_signed;
    cella_vault_leave(vault);
    if (!is_signed) {
        pthread_mutex_lock(&vault->signing);
        enum cella_status status = vault->signing_key.prepared == NULL
                                       ? CELLA_FENCED
                                       : cella_signed_head_sign(&head, &vault->signing_key);
        pthread_mutex_unlock(&vault->signing);
        if (status != CELLA_OK)
            return status;
        cella_vault_enter(vault);
        moment->head = head;
        moment->is_signed = true;
        remember_issued(vault, &head);
        cella_vault_leave(vault);
    }
    *ret_head = head;
    return CELLA_OK;
}
