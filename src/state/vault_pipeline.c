/* The way of commits to the store: one record is written at a time, and what was committed meanwhile becomes
 * the next one. Also what drives everything else: whoever gives `lock` back does what has become due. Must
 * not: call back while `lock` is held.
 *
 * The store may tell of a write from inside store->write, from another thread, more than once, or of a write
 * that never was. What it tells goes into a slot; whoever holds `lock` takes it from there, so that no call
 * ever nests deeper than one. */
#include "base/error.h"
#include "state/vault_internal.h"
#include <string.h>

enum { SLOT_BITS = 2, GATHER_PAUSE = 16 };

void cella_vault_end(struct cella_vault *vault, enum cella_status status, const char *message) {
    if (vault->ended != CELLA_OK && vault->ended != CELLA_VAULT_STOPPED)
        return;
    vault->ended = status;
    vault->ended_message = message;
    vault->lost_due = true;
    cella_journal_deinit(&vault->journal);
    cella_journal_deinit(&vault->next_journal);
    cella_vault_snapshot_drop(vault);
    pthread_mutex_lock(&vault->signing);
    cella_ed25519_deinit(&vault->signing_key);
    vault->signing_key = (struct cella_ed25519_key){0};
    pthread_mutex_unlock(&vault->signing);
}

uint64_t cella_vault_expect(struct cella_vault *vault, enum cella_vault_slot slot) {
    pthread_mutex_lock(&vault->news_lock);
    uint64_t id = ++vault->write_count << SLOT_BITS | slot;
    vault->told[slot] = (struct cella_vault_told){.id = id};
    pthread_mutex_unlock(&vault->news_lock);
    return id;
}

void cella_vault_write(struct cella_vault *vault, enum cella_vault_slot slot,
                       const struct cella_store_write *write) {
    const struct cella_store *store = vault->options.store;
    store->write(store->context, slot == SLOT_NONE ? 0 : cella_vault_expect(vault, slot), write);
}

static bool take_news(struct cella_vault *vault, enum cella_vault_slot *ret_slot,
                      enum cella_status *ret_status) {
    bool found = false;
    pthread_mutex_lock(&vault->news_lock);
    atomic_store(&vault->news, false);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        struct cella_vault_told *told = &vault->told[slot];
        if (!told->fresh)
            continue;
        if (found) {
            atomic_store(&vault->news, true);
            break;
        }
        found = true;
        *ret_slot = (enum cella_vault_slot)slot;
        *ret_status = told->status;
        told->fresh = false;
        if (told->status == CELLA_OK)
            told->id = 0;
    }
    pthread_mutex_unlock(&vault->news_lock);
    return found;
}

static void journal_told(struct cella_vault *vault, enum cella_status status) {
    if (vault->ended != CELLA_OK && vault->ended != CELLA_VAULT_STOPPED)
        return;
    vault->storage = status;
    if (status != CELLA_OK)
        return;
    if (vault->flight != NULL) {
        /* All that are here now: those who will be answered and come again, and those who came meanwhile. */
        unsigned here =
            vault->flight->waiting + (vault->queue.first != NULL ? vault->queue.first->waiting : 0);
        vault->gather_target = vault->gather_pause == 0 ? here : 0;
        if (vault->gather_pause > 0)
            vault->gather_pause--;
        cella_vault_queue_push(&vault->written, vault->flight);
        vault->flight = NULL;
    } else if (vault->snapshot.phase == SNAPSHOT_ROTATING) {
        cella_vault_snapshot_rotated(vault);
    }
}

static void handle_news(struct cella_vault *vault) {
    enum cella_vault_slot slot;
    enum cella_status status;
    while (take_news(vault, &slot, &status)) {
        if (slot == SLOT_JOURNAL)
            journal_told(vault, status);
        else if (slot == SLOT_SNAPSHOT)
            cella_vault_snapshot_told(vault, status);
        else
            cella_vault_snapshot_history_told(vault, status);
    }
}

static void note_sealed(struct cella_vault *vault, struct cella_vault_group *group, uint64_t bytes) {
    struct cella_signed_head *head = &group->moment->head;
    cella_tree_append(vault->tree, vault->journal.head.digest);
    memcpy(head->vault_id, vault->id, sizeof head->vault_id);
    head->lineage = vault->lineage;
    head->head = vault->journal.head;
    memcpy(head->epoch_start, vault->epoch_start, sizeof head->epoch_start);
    cella_tree_root(vault->tree, head->root);
    vault->counts.records++;
    vault->counts.journal_bytes += bytes;
    vault->counts.journal_since_snapshot += bytes;
    if (group->view != NULL) {
        cella_map_view_release(vault->sealed_view);
        vault->sealed_view = cella_map_view_hold(group->view);
        vault->sealed_view_exact = true;
    } else if (group->kind == CELLA_RECORD_CHANGES) {
        vault->sealed_view_exact = false;
    }
}

static void seal_next(struct cella_vault *vault) {
    struct cella_vault_group *group = cella_vault_queue_pop(&vault->queue);
    size_t size = cella_record_size(group->content_size);
    uint64_t offset = vault->journal.offset;
    vault->flight = group;
    enum cella_status status = cella_journal_seal(
        &vault->journal, group->kind, vault->epoch,
        CELLA_BYTES(group->record + CELLA_RECORD_CONTENT_OFFSET, group->content_size), group->record);
    if (status != CELLA_OK) {
        cella_vault_end(vault, status, "a record could not be sealed");
        return;
    }
    note_sealed(vault, group, size);
    const struct cella_bytes part = CELLA_BYTES(group->record, size);
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_SEGMENT, .number = vault->journal.segment.number},
        .offset = offset,
        .flags = CELLA_STORE_FLUSH,
        .waiting = group->waiting,
        .parts = &part,
        .part_count = 1,
    };
    cella_vault_write(vault, SLOT_JOURNAL, &write);
    cella_vault_history_flush(vault, false);
}

/* Clients in a closed loop would otherwise split in two halves that wait for each other's flush. */
static bool must_gather(struct cella_vault *vault) {
    const struct cella_vault_group *group = vault->queue.first;
    bool more =
        group->kind == CELLA_RECORD_CHANGES && group->next == NULL && group->waiting < vault->gather_target;
    if (more && vault->gathered)
        vault->gather_pause = GATHER_PAUSE;
    more = more && vault->options.gathers && !vault->gathered;
    atomic_store(&vault->gathering, more);
    return more;
}

/* One record, or one header of a segment, at a time. A vault that was stopped still writes why. */
static bool start_next(struct cella_vault *vault) {
    if (vault->flight != NULL || vault->snapshot.phase == SNAPSHOT_ROTATING)
        return false;
    if (vault->ended == CELLA_OK && cella_vault_snapshot_due(vault)) {
        cella_vault_snapshot_rotate(vault);
        return true;
    }
    bool may = vault->ended == CELLA_OK || vault->ended == CELLA_VAULT_STOPPED;
    if (!may || vault->queue.first == NULL || must_gather(vault))
        return false;
    vault->gathered = false;
    seal_next(vault);
    return true;
}

static void step(struct cella_vault *vault) {
    do {
        handle_news(vault);
    } while (start_next(vault));
}

static struct cella_vault_task pick(struct cella_vault *vault) {
    struct cella_vault_task task = {0};
    if (cella_vault_is_writer(vault))
        return task;
    if (!vault->answering) {
        task = cella_vault_pick_answer(vault);
        vault->answering = task.work != WORK_NONE;
    }
    if (task.work == WORK_NONE && vault->snapshot.phase == SNAPSHOT_PIECE && !vault->snapshot.working) {
        task.work = WORK_PIECE;
        vault->snapshot.working = true;
    }
    return task;
}

static void perform(struct cella_vault *vault, struct cella_vault_task *task) {
    const struct cella_freshness_source *freshness = vault->options.freshness;
    if (task->work == WORK_PIECE)
        cella_vault_snapshot_work(vault);
    else if (task->work == WORK_ADVANCE)
        task->status = freshness->advance(freshness->context, vault->id, &task->head, NULL);
    else
        cella_vault_perform_answer(vault, task);
}

static void finish(struct cella_vault *vault, const struct cella_vault_task *task) {
    if (task->work == WORK_PIECE) {
        vault->snapshot.working = false;
        cella_vault_snapshot_worked(vault);
    } else {
        cella_vault_finish_answer(vault, task);
        vault->answering = false;
    }
}

void cella_vault_enter(struct cella_vault *vault) {
    pthread_mutex_lock(&vault->lock);
}

void cella_vault_leave(struct cella_vault *vault) {
    for (;;) {
        step(vault);
        struct cella_vault_task task = pick(vault);
        pthread_mutex_unlock(&vault->lock);
        if (task.work != WORK_NONE) {
            perform(vault, &task);
            pthread_mutex_lock(&vault->lock);
            finish(vault, &task);
            continue;
        }
        /* News that came while the lock was held are ours; later ones are the next holder's. */
        atomic_thread_fence(memory_order_seq_cst);
        if (!atomic_load(&vault->news) || pthread_mutex_trylock(&vault->lock) != 0)
            return;
    }
}

bool cella_vault_is_gathering(const struct cella_vault *vault) {
    return atomic_load(&vault->gathering);
}

void cella_vault_gathered(struct cella_vault *vault) {
    cella_vault_enter(vault);
    vault->gathered = vault->queue.first != NULL;
    cella_vault_leave(vault);
}

void cella_vault_written(struct cella_vault *vault, uint64_t id, enum cella_status status) {
    unsigned slot = (unsigned)(id & ((1u << SLOT_BITS) - 1));
    pthread_mutex_lock(&vault->news_lock);
    bool expected = slot != SLOT_NONE && slot < SLOT_COUNT && vault->told[slot].id == id;
    if (expected) {
        vault->told[slot].status = status;
        vault->told[slot].fresh = true;
        atomic_store(&vault->news, true);
    }
    pthread_mutex_unlock(&vault->news_lock);
    if (pthread_mutex_trylock(&vault->lock) == 0)
        cella_vault_leave(vault);
}
