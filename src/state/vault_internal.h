/* The parts of a vault among themselves. Must not be included outside src/state/vault*.c.
 *
 * Locks, in the order in which one thread may take them; whoever has a later one never waits for an earlier:
 *   place     the writer's place, from begin to the end of the outermost level: map, log, marks
 *   fetching  reading old nodes of the history from the store; held across store->read
 *   lock      everything else, for moments; never across a callback, a read, or a question to the register.
 *             store->write and store->remove are called under it.
 *   signing   the signing key
 *   news_lock what the store told; the innermost, because a store may tell of a write from inside it
 * Roles are flags under `lock`, each held by one thread at a time without any lock: `answering` (prepare and
 * release of waiters, the register's advance, `lost`) and snapshot.working (making a snapshot's next piece).
 */
#ifndef CELLA_STATE_VAULT_INTERNAL_H
#define CELLA_STATE_VAULT_INTERNAL_H

#include "state/journal.h"
#include "state/snapshot.h"
#include "state/tree.h"
#include "state/vault.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    VAULT_DEPTH_MAX = 64,         /* levels of nested transactions */
    VAULT_RESTORES_MAX = 64,      /* restores that are remembered, the newest */
    VAULT_ISSUED = 256,           /* heads signed lately, by version */
    VAULT_SPARE_GROUPS = 4,       /* groups kept for the next commits */
    VAULT_SEGMENTS_SOON = 32,     /* segments at a start, beyond which a snapshot is soon taken */
    VAULT_HISTORY_EVERY = 256,    /* records, after which their nodes go to the store */
    VAULT_GROUP_FULL = 4 << 20,   /* content bytes at which a group takes no further transaction */
    VAULT_BUFFER_KEEP = 1 << 20,  /* larger buffers are given back after use */
    VAULT_READ_PIECE = 1 << 20,   /* bytes of one read while opening */
    VAULT_PAGE_NODES = 128,       /* nodes of the history that are read at once */
    VAULT_PAGES = 64,             /* such pages that are kept */
    VAULT_LOG_SLACK = 32 << 20,   /* bytes by which the mail's part of a transaction may exceed its limit */
    VAULT_EPOCHS_AHEAD_MAX = 4096 /* steps that a restore may have to move a register that was set back */
};

/* Writes of which the store tells. The number is part of a write's id. */
enum cella_vault_slot { SLOT_NONE, SLOT_JOURNAL, SLOT_SNAPSHOT, SLOT_HISTORY, SLOT_COUNT };

struct cella_vault_moment {
    unsigned references;           /* under `lock` */
    bool is_signed;                /* under `lock` */
    struct cella_signed_head head; /* all but the signature from the beginning on */
};

/* Transactions that become one record, and who waits for it. */
struct cella_vault_group {
    struct cella_vault_group *next;
    enum cella_record_kind kind;
    uint8_t *record; /* the content at CELLA_RECORD_CONTENT_OFFSET; there is room to seal it in place */
    size_t content_size, capacity;
    uint64_t commits;
    struct cella_vault_waiter *first, *last;
    struct cella_vault_waiter *unprepared; /* the first that has not been prepared, NULL: none */
    struct cella_vault_waiter *untold;     /* the first that has not been told that it is pending */
    unsigned waiting;
    struct cella_map_view *view;       /* the state with these changes; NULL: no memory, or no changes */
    struct cella_vault_moment *moment; /* filled when the record is sealed */
};

/* First in, first out. */
struct cella_vault_queue {
    struct cella_vault_group *first, *last;
};

/* The changes of the transaction of now, encoded. */
struct cella_vault_log {
    uint8_t *data;
    size_t size, capacity;
    uint64_t user_bytes; /* of the program's own changes */
};

struct cella_vault_told {
    uint64_t id; /* 0: nothing is expected */
    bool fresh;
    enum cella_status status;
};

enum cella_snapshot_phase {
    SNAPSHOT_IDLE,
    SNAPSHOT_ROTATING, /* the header of the next segment is on its way */
    SNAPSHOT_PIECE,    /* the next piece may be made */
    SNAPSHOT_WRITING,  /* a piece is on its way */
    SNAPSHOT_RECORD    /* the file is whole; its record is on its way */
};

struct cella_vault_snapshot {
    enum cella_snapshot_phase phase;
    bool working;   /* a thread makes a piece */
    bool cancelled; /* the piece that is being made is for nothing */
    bool wanted;    /* at the next opportunity, whatever the journal's size */
    struct cella_snapshot_writer *writer;
    struct cella_snapshot_info info;
    uint64_t segment; /* the first that is not replaced by it */
    uint64_t offset;
    bool last;               /* the piece that is on its way, or held back, is the last */
    struct cella_bytes held; /* the last piece, until the history is safe */
    bool history_safe;
    uint64_t grown; /* journal bytes that it replaces */
    uint64_t after; /* journal bytes since the last snapshot at which the next one begins */
};

/* What has to be done without locks, by whichever thread comes by. */
enum cella_vault_work { WORK_NONE, WORK_LOST, WORK_PREPARE, WORK_RELEASE, WORK_ADVANCE, WORK_PIECE };

struct cella_vault_task {
    enum cella_vault_work work;
    struct cella_vault_waiter *waiter;
    struct cella_vault_moment *moment;
    enum cella_status status;
    struct cella_head head; /* to advance to */
    unsigned cleared;       /* calm answers that it clears */
};

struct cella_vault_page {
    uint64_t first; /* position of its first node */
    size_t count;   /* 0: the page holds nothing */
    uint8_t nodes[VAULT_PAGE_NODES * CELLA_DIGEST_SIZE];
};

struct cella_vault {
    /* Constant from open to free. */
    struct cella_vault_options options;
    uint8_t genesis_bytes[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    struct cella_genesis genesis;
    uint8_t id[CELLA_VAULT_ID_SIZE];
    uint64_t epoch, lineage;
    uint8_t epoch_start[CELLA_DIGEST_SIZE]; /* the owner's mark */
    struct cella_restore *restores;         /* ascending by lineage */
    unsigned restore_count;

    /* Of the writer's place. */
    pthread_mutex_t place;
    atomic_uintptr_t writer; /* the thread that has the place; 0: none */
    struct cella_map *map;
    struct cella_vault_log log;
    struct {
        size_t size;
        uint64_t user_bytes;
    } marks[VAULT_DEPTH_MAX];
    unsigned depth;

    pthread_mutex_t lock; /* everything from here to `signing` */
    struct cella_journal journal;
    struct cella_journal next_journal; /* while rotating */
    struct cella_tree *tree;
    struct cella_vault_queue queue;   /* not sealed */
    struct cella_vault_group *flight; /* sealed, being written */
    unsigned gather_target;           /* answers that the next record waits for, if they come at once */
    bool gathered;                    /* the next one need not wait for as many */
    unsigned gather_pause;            /* records that do not wait, because waiting was in vain lately */
    atomic_bool gathering;            /* a record waits */
    struct cella_vault_queue written; /* durable; the register has not been asked */
    struct cella_vault_queue safe;    /* durable and this owner's; answers leave */
    struct cella_vault_group calm;    /* those that wait for nothing but the register */
    unsigned calm_cleared;            /* of them, the first, for whom the register has been asked */
    struct cella_vault_group *spare;
    unsigned spare_count;
    bool answering;
    bool lost_due;           /* `lost` is to be called */
    enum cella_status ended; /* why nothing is done any more, or CELLA_OK */
    const char *ended_message;
    enum cella_status storage;          /* why the store cannot write, or CELLA_OK */
    struct cella_map_view *sealed_view; /* the state of the last sealed record, if sealed_view_exact */
    bool sealed_view_exact;
    struct cella_map_view *durable_view;
    struct cella_vault_moment *durable;
    struct cella_vault_snapshot snapshot;
    uint64_t history_nodes; /* of the tree that the store was given */
    bool history_broken;    /* the store's file lacks nodes that nobody has any more */
    uint64_t evidence_number;
    struct cella_vault_counts counts;
    struct cella_signed_head *issued; /* VAULT_ISSUED of them */

    pthread_mutex_t signing;
    struct cella_ed25519_key signing_key;

    pthread_mutex_t fetching;
    struct cella_vault_page *pages; /* VAULT_PAGES of them, from the first use on */
    unsigned next_page;

    pthread_mutex_t news_lock;
    struct cella_vault_told told[SLOT_COUNT];
    uint64_t write_count;
    atomic_bool news; /* some told[].fresh */
};

/* vault.c */
enum cella_status cella_vault_new(const struct cella_vault_options *options, struct cella_vault **ret_vault);
/* After everything was loaded: the first moment, view, and what readers see. */
enum cella_status cella_vault_settle(struct cella_vault *vault);
void cella_vault_fill_report(struct cella_vault *vault, struct cella_vault_report *report);

/* vault_pipeline.c. leave: does what is due and gives the lock back; may call callbacks, but not while this
 * thread has the writer's place. */
void cella_vault_enter(struct cella_vault *vault);
void cella_vault_leave(struct cella_vault *vault);
bool cella_vault_is_writer(struct cella_vault *vault);
/* The following are called under `lock`. */
void cella_vault_end(struct cella_vault *vault, enum cella_status status, const char *message);
uint64_t cella_vault_expect(struct cella_vault *vault, enum cella_vault_slot slot);
void cella_vault_write(struct cella_vault *vault, enum cella_vault_slot slot,
                       const struct cella_store_write *write);
/* A record of the vault's own joins the queue. */
enum cella_status cella_vault_queue_record(struct cella_vault *vault, enum cella_record_kind kind,
                                           struct cella_bytes content);

/* vault_group.c, all under `lock`. The group that takes `size` more bytes of changes. */
enum cella_status cella_vault_group_for(struct cella_vault *vault, size_t size,
                                        struct cella_vault_group **ret_group);
enum cella_status cella_vault_group_new(struct cella_vault *vault, struct cella_vault_group **ret_group);
enum cella_status cella_vault_group_reserve(struct cella_vault_group *group, size_t content_size);
void cella_vault_group_free(struct cella_vault *vault, struct cella_vault_group *group);
void cella_vault_queue_push(struct cella_vault_queue *queue, struct cella_vault_group *group);
struct cella_vault_group *cella_vault_queue_pop(struct cella_vault_queue *queue);
struct cella_vault_moment *cella_vault_moment_hold(struct cella_vault_moment *moment);
void cella_vault_moment_drop(struct cella_vault_moment *moment);

/* vault_answer.c, all under `lock`. */
void cella_vault_join(struct cella_vault *vault, struct cella_vault_waiter *waiter);
bool cella_vault_waiting(struct cella_vault *vault); /* whether any waiter is not released */
struct cella_vault_task cella_vault_pick_answer(struct cella_vault *vault);
void cella_vault_perform_answer(struct cella_vault *vault,
                                const struct cella_vault_task *task); /* unlocked */
void cella_vault_finish_answer(struct cella_vault *vault, const struct cella_vault_task *task);

/* vault_snapshot.c, all under `lock` but `work`. */
bool cella_vault_snapshot_due(const struct cella_vault *vault);
void cella_vault_snapshot_rotate(struct cella_vault *vault);
void cella_vault_snapshot_rotated(struct cella_vault *vault);
void cella_vault_snapshot_work(struct cella_vault *vault); /* unlocked, in its role */
void cella_vault_snapshot_worked(struct cella_vault *vault);
void cella_vault_snapshot_told(struct cella_vault *vault, enum cella_status status);
void cella_vault_snapshot_history_told(struct cella_vault *vault, enum cella_status status);
void cella_vault_snapshot_safe(struct cella_vault *vault);
void cella_vault_snapshot_drop(struct cella_vault *vault);
/* A new segment with this number and epoch after this head, with a key of now. */
enum cella_status cella_vault_segment_make(struct cella_vault *vault, const struct cella_segment *wanted,
                                           struct cella_journal *journal,
                                           uint8_t ret_header[CELLA_SEGMENT_HEADER_SIZE],
                                           struct cella_error *error);

/* vault_history.c. flush under `lock`: gives the store what it does not have. prove takes locks itself. */
void cella_vault_history_flush(struct cella_vault *vault, bool durably);
enum cella_status cella_vault_history_prove(struct cella_vault *vault, uint64_t from, uint64_t to,
                                            uint8_t *out, size_t *ret_count, struct cella_error *error);

/* vault_stop.c */
void cella_vault_stop(struct cella_vault *vault, const struct cella_signed_head *seen,
                      struct cella_fork_evidence *evidence);

/* vault_record.c: contents of the vault's own records, and the keys of its own space. */
enum {
    VAULT_EPOCH_CONTENT = 8,
    VAULT_INTENT_CONTENT_MAX = 40,
    VAULT_SNAPSHOT_CONTENT = 48,
    VAULT_STOPPED_CONTENT = 232
};
void cella_vault_epoch_write(uint64_t epoch, uint8_t out[VAULT_EPOCH_CONTENT]);
enum cella_status cella_vault_epoch_parse(struct cella_bytes content, uint64_t *ret_epoch);
/* `restore` is the digest of the restore that the start carries out, zeros: none. Returns the size. */
size_t cella_vault_intent_write(uint64_t epoch, const uint8_t restore[CELLA_DIGEST_SIZE],
                                uint8_t out[VAULT_INTENT_CONTENT_MAX]);
enum cella_status cella_vault_intent_parse(struct cella_bytes content, uint64_t *ret_epoch,
                                           uint8_t ret_restore[CELLA_DIGEST_SIZE]);
struct cella_vault_snapshot_name {
    uint64_t version, size;
    uint8_t digest[CELLA_DIGEST_SIZE];
};
void cella_vault_snapshot_name_write(const struct cella_vault_snapshot_name *name,
                                     uint8_t out[VAULT_SNAPSHOT_CONTENT]);
enum cella_status cella_vault_snapshot_name_parse(struct cella_bytes content,
                                                  struct cella_vault_snapshot_name *ret_name);
void cella_vault_stopped_write(const struct cella_signed_head *seen, uint64_t evidence,
                               uint8_t out[VAULT_STOPPED_CONTENT]);
enum cella_status cella_vault_stopped_parse(struct cella_bytes content, struct cella_signed_head *ret_seen,
                                            uint64_t *ret_evidence);
/* Views of static bytes, or of `buffer`; with the space's prefix. */
struct cella_bytes cella_vault_signing_key_name(void);
struct cella_bytes cella_vault_mark_name(void);
struct cella_bytes cella_vault_restore_name(uint64_t lineage, uint8_t buffer[16]);
/* Applies a record's content to the map, between begin and commit of it. */
enum cella_status cella_vault_apply(struct cella_map *map, struct cella_bytes changes);
/* The mark of the owner whose EPOCH record this is. */
enum cella_status cella_vault_apply_epoch(struct cella_map *map, const uint8_t mark[CELLA_MARK_SIZE]);
enum cella_status cella_vault_apply_restore(struct cella_map *map, uint64_t lineage,
                                            struct cella_bytes restore);
/* What the space of the vault's own holds becomes fields. */
enum cella_status cella_vault_load_system(struct cella_vault *vault, struct cella_error *error);

#endif
