/* The end of a vault that was proven to be rolled back or forked: evidence is kept, the journal says so, and
 * nothing is done any more until its owners restore it. Must not: act on anything that is not proven. */
#include "base/error.h"
#include "state/vault_internal.h"
#include <string.h>

/* Proves it to others, if it can: heads of two lineages contradict nothing by themselves, and two that do not
 * contradict each other need the vault's own word. */
static bool complete_evidence(struct cella_vault *vault, struct cella_fork_evidence *evidence) {
    bool contradict = cella_heads_compare(&evidence->first, &evidence->second) == CELLA_HEADS_CONTRADICT;
    if (evidence->reason == CELLA_FORK_BY_HEADS && !contradict) {
        pthread_mutex_lock(&vault->signing);
        bool testified = vault->signing_key.prepared != NULL &&
                         cella_fork_evidence_testify(evidence, &vault->signing_key) == CELLA_OK;
        pthread_mutex_unlock(&vault->signing);
        if (!testified)
            return false;
    }
    return cella_fork_evidence_verify(evidence, NULL, 0, NULL) == CELLA_OK;
}

static void write_evidence(struct cella_vault *vault, const struct cella_fork_evidence *evidence) {
    uint8_t bytes[CELLA_FORK_EVIDENCE_SIZE_MAX];
    const struct cella_bytes part = CELLA_BYTES(bytes, cella_fork_evidence_write(evidence, bytes));
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_EVIDENCE, .number = vault->evidence_number},
        .flags = CELLA_STORE_FLUSH | CELLA_STORE_FINISH,
        .parts = &part,
        .part_count = 1,
    };
    cella_vault_write(vault, SLOT_NONE, &write);
}

/* Changes that were not sealed are dropped with everything else: nobody was told of them. */
static void drop_queue(struct cella_vault *vault) {
    struct cella_vault_queue queue = vault->queue;
    struct cella_vault_group *group;
    vault->queue = (struct cella_vault_queue){0};
    while ((group = cella_vault_queue_pop(&queue)) != NULL) {
        while (group->first != NULL) {
            struct cella_vault_waiter *waiter = group->first;
            group->first = waiter->next;
            waiter->next = NULL;
            cella_vault_join(vault, waiter);
        }
        cella_vault_group_free(vault, group);
    }
}

void cella_vault_stop(struct cella_vault *vault, const struct cella_signed_head *seen,
                      struct cella_fork_evidence *evidence) {
    uint8_t content[VAULT_STOPPED_CONTENT];
    bool proves = complete_evidence(vault, evidence);
    cella_vault_enter(vault);
    if (vault->ended == CELLA_OK) {
        vault->ended = CELLA_VAULT_STOPPED;
        cella_vault_snapshot_drop(vault);
        drop_queue(vault);
        if (proves) {
            vault->evidence_number++;
            write_evidence(vault, evidence);
        }
        cella_vault_stopped_write(seen, proves ? vault->evidence_number : 0, content);
        /* Without memory for it the record is missing, and the next start learns of the fork from the next
         * client that has seen it. */
        (void)cella_vault_queue_record(vault, CELLA_RECORD_STOPPED, CELLA_BYTES(content, sizeof content));
    }
    cella_vault_leave(vault);
}
