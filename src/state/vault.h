/* A vault: an enclave's lasting state. Opens it from sealed bytes, runs transactions on it, makes them
 * durable in groups, takes snapshots beside, and knows its history. Must not: know doors, mail or handlers,
 * or release anything that is not durable and its owner's.
 *
 * One writer at a time: begin … commit or abort, by one thread. Commits of several transactions that come
 * while a record is being written go into the next record together. Whatever tells of a commit to anyone
 * outside waits in a cella_vault_waiter. Safe to use from several threads. */
#ifndef CELLA_STATE_VAULT_H
#define CELLA_STATE_VAULT_H

#include "state/context.h"
#include "state/genesis.h"
#include "state/map.h"
#include "state/source.h"
#include "state/store.h"

struct cella_vault;

/* Keys of one vault live in spaces that cannot see each other. Numbers are part of the format. */
enum cella_vault_space {
    CELLA_SPACE_SYSTEM = 0, /* the vault's own: signing key, restores */
    CELLA_SPACE_MAIL = 1,   /* senders, topics, stored replies, outbox */
    CELLA_SPACE_USER = 2,   /* the program's */
};

/* Zero takes the default. */
struct cella_vault_limits {
    uint32_t max_key_size;         /* bytes; default and most 4096 */
    uint64_t max_value_size;       /* default 1 MiB, most 16 MiB */
    uint64_t max_transaction_size; /* keys and values that one transaction changes; default 64 MiB */
    uint64_t max_state_size;       /* keys and values of all; default no limit but memory */
    uint64_t snapshot_after;       /* journal bytes, default 64 MiB; never less than the state's own size */
};

struct cella_vault_options {
    const struct cella_store *store; /* these three outlive the vault */
    const struct cella_key_source *keys;
    const struct cella_freshness_source *freshness;
    struct cella_vault_limits limits;
    /* The caller says whenever it has nothing else to do (cella_vault_gathered). A record then waits a moment
     * for as many answers as the one before it had: clients that were just answered come again, and share its
     * flush. */
    bool gathers;
    /* Called once when the vault is no longer this instance's, or its sealing fails: no answer may leave any
     * more. The keys are wiped when it is called, and no lock of the vault is held. It may end the process;
     * if it returns, every waiter is released with the status. May be NULL. */
    void (*lost)(void *context, enum cella_status status, const char *message);
    void *lost_context;
};

/* What opening found and did: for status, logs and `cella vault check`. */
struct cella_vault_report {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;
    struct cella_head found;               /* the newest head that the bytes hold */
    uint8_t found_root[CELLA_DIGEST_SIZE]; /* of the history tree there */
    uint64_t register_epoch;   /* what the register held before this start; 0 also if there is none */
    struct cella_head now;     /* after the own records of this start */
    uint64_t snapshot_version; /* 0: none */
    uint64_t records;          /* replayed from the journal */
    uint64_t dropped_records;  /* of earlier owners, past the head that was adopted, and intents that came to
                                  nothing */
    uint64_t torn_bytes;       /* of a write that a crash cut short, at the end */
    uint64_t keys;             /* of the program */
    uint64_t state_size;
    bool freshness_known; /* the source says that this is the newest head; else only that the epoch is */
    bool outdated_keys;   /* sealed by an older platform or security version; is being sealed anew */
    bool restored;        /* this start carried out a restore */
    bool stopped;         /* by proof of a fork; and nobody has restored it since */
    uint64_t evidence;    /* the number of that proof's file; 0: none could be stored */
};

/* Makes a new vault: register, genesis, first records. The store must hold nothing (CELLA_EXISTS). Of
 * `genesis` kind, owners, warden group and policy are the caller's; random and signing_key are filled here.
 * CELLA_STORAGE_…, and what the sources say. */
enum cella_status cella_vault_create(const struct cella_vault_options *options,
                                     const struct cella_genesis *genesis, struct cella_vault **ret_vault,
                                     struct cella_vault_report *ret_report, struct cella_error *error);

/* Opens an existing vault as its next owner: snapshot, journal, verification, intent, next epoch. Overwrites
 * nothing and mints nothing anew, whatever is missing. `ret_report` is filled as far as it came also on
 * failure. CELLA_VAULT_MISSING: genesis or journal are not there. CELLA_VAULT_OTHER_MACHINE,
 * CELLA_VAULT_OTHER_SIGNER: sealed on another machine, for another image. CELLA_VAULT_OTHER: a file of
 * another vault lies here. CELLA_VAULT_STALE: the register was taken with newer bytes or another copy.
 * CELLA_VAULT_REWOUND: the register is behind the state. CELLA_VAULT_DAMAGED: bytes were changed or are
 * missing in the middle. CELLA_VAULT_SPLICED: records that are genuine do not belong together.
 * CELLA_VAULT_STOPPED: it was stopped by proof of a fork. CELLA_VAULT_RESTORE: a restore file is there and
 * not acceptable. CELLA_KEY_CPU_SVN, CELLA_KEY_ISV_SVN: sealed by a newer platform or image.
 * CELLA_NEWER_FORMAT. CELLA_FENCED: another instance took it in the same moment. */
enum cella_status cella_vault_open(const struct cella_vault_options *options, struct cella_vault **ret_vault,
                                   struct cella_vault_report *ret_report, struct cella_error *error);
/* Reads and verifies everything as open does, and the stored history besides (CELLA_HISTORY_DAMAGED: the
 * vault opens, but clients that were away for long get no proofs), and changes nothing: no epoch is taken. */
enum cella_status cella_vault_check(const struct cella_vault_options *options,
                                    struct cella_vault_report *ret_report, struct cella_error *error);

/* All waiters must have been released. Wipes everything; NULL is allowed. */
void cella_vault_free(struct cella_vault *vault);

/* Constant from open to free. */
struct cella_bytes cella_vault_genesis(const struct cella_vault *vault);
const uint8_t *cella_vault_id(const struct cella_vault *vault);
uint64_t cella_vault_epoch(const struct cella_vault *vault);
uint64_t cella_vault_lineage(const struct cella_vault *vault);
bool cella_vault_guards_heads(const struct cella_vault *vault);

/* Takes the writer's place (waits for it) or, in the thread that has it, a level deeper. On the outermost
 * level: CELLA_STORAGE_FULL and the like while the store cannot write; CELLA_VAULT_STOPPED; CELLA_FENCED. */
enum cella_status cella_vault_begin(struct cella_vault *vault, struct cella_error *error);
/* Keys without the space's prefix. CELLA_ARGUMENT (empty key), CELLA_KEY_SIZE, CELLA_VALUE_SIZE,
 * CELLA_TRANSACTION_SIZE, CELLA_STATE_SIZE: over a limit; the transaction goes on without that change.
 * CELLA_NO_MEMORY. delete: CELLA_NOT_FOUND. */
enum cella_status cella_vault_put(struct cella_vault *vault, enum cella_vault_space space,
                                  struct cella_bytes key, struct cella_bytes value);
enum cella_status cella_vault_delete(struct cella_vault *vault, enum cella_vault_space space,
                                     struct cella_bytes key);
/* In the writer's thread: the newest state with the changes of now. */
bool cella_vault_get(struct cella_vault *vault, enum cella_vault_space space, struct cella_bytes key,
                     struct cella_bytes *ret_value);
struct cella_map *cella_vault_map(struct cella_vault *vault);
void cella_vault_abort(struct cella_vault *vault);

/* The moment that an answer tells of: a head that is, or is about to be, durable. */
struct cella_vault_moment;
/* Its head, signed when it is first asked for. */
enum cella_status cella_vault_moment_head(struct cella_vault *vault, struct cella_vault_moment *moment,
                                          struct cella_signed_head *ret_head);

/* An answer that waits until everything it tells of is durable and still its owner's. Embedded in an object
 * of the caller's, which stays until release. Both calls come in the order of commits, one at a time, from
 * any thread that calls the vault, not while it has the writer's place, and with no lock of the vault held.
 */
struct cella_vault_waiter {
    struct cella_vault_waiter *next; /* the vault's */
    /* Make the answer ready; it must not leave yet. Called once at most, and not before release with
     * CELLA_COMMIT_PENDING has returned if that is called. May be NULL. May call
     * cella_vault_moment_head and cella_vault_write_context, and nothing else of the vault. */
    void (*prepare)(struct cella_vault_waiter *waiter, struct cella_vault_moment *moment);
    /* CELLA_OK: let it go. CELLA_COMMIT_PENDING: the store cannot write now; say so instead of the answer,
     * but keep the waiter: the change stands, and release comes once more when it is durable (posts leave
     * then). Others: nothing may leave. Any status but CELLA_COMMIT_PENDING is the last call for this waiter.
     * May call whatever it likes but cella_vault_free, transactions included; the answers behind it wait. */
    void (*release)(struct cella_vault_waiter *waiter, enum cella_status status);
};

/* Ends the current level well. A nested level: gives its changes to the one above; `waiter` must be NULL. The
 * outermost: the changes go into the next record (if there are none and nothing is on its way, the waiter is
 * released before this returns, or by the thread that is just giving answers), and the writer's place is
 * free. CELLA_NO_MEMORY, CELLA_VAULT_STOPPED, CELLA_FENCED: as abort; the waiter is not used. */
enum cella_status cella_vault_commit(struct cella_vault *vault, struct cella_vault_waiter *waiter);
/* For an answer that changes nothing but tells of the newest state: it waits for what it may have seen. */
void cella_vault_wait(struct cella_vault *vault, struct cella_vault_waiter *waiter);
/* True while any waiter is not released or a write of the journal is not done. */
bool cella_vault_busy(const struct cella_vault *vault);

/* Nothing more comes now: a record that waits for more answers waits no longer. Only with `gathers`. */
void cella_vault_gathered(struct cella_vault *vault);
/* Whether a record waits so. */
bool cella_vault_is_gathering(const struct cella_vault *vault);

/* The store tells what became of a write: from any thread, also from inside store->write, late, twice, or
 * wrongly. Goes on with whatever waits for it: the next record, the next piece
 * of a snapshot, answers. */
void cella_vault_written(struct cella_vault *vault, uint64_t id, enum cella_status status);

/* Readers: the last state that is durable, and its moment. Release both with the one call. */
struct cella_vault_reading {
    struct cella_map_view *view;
    struct cella_vault_moment *moment;
};
enum cella_status cella_vault_read(struct cella_vault *vault, struct cella_vault_reading *ret_reading);
/* After a reader's answer is made and before it leaves: is this still the owner? CELLA_FENCED: it must not
 * leave. Asks the register; one question may serve all answers that were made before it. */
enum cella_status cella_vault_confirm(struct cella_vault *vault);
void cella_vault_reading_release(struct cella_vault *vault, struct cella_vault_reading *reading);
/* Keys in a space's [from, to), as cella_map_count; helper for spaces: the prefixed key, in `buffer` of
 * CELLA_MAP_KEY_MAX bytes. */
struct cella_bytes cella_vault_key(enum cella_vault_space space, struct cella_bytes key, uint8_t *buffer);

/* What a client claims to have seen, after its context was checked. */
struct cella_vault_claim {
    bool has_head;
    uint64_t version;
    uint64_t lineage;
    bool own;        /* signed by this very instance: nothing has to be proven to this client */
    bool in_history; /* false: of a range, or of a copy, that a restore took away */
    bool has_doubts; /* all were found in this history */
    uint8_t doubts[CELLA_DIGEST_SIZE]; /* cella_client_context_doubts */
};
/* Before a mail's handler. CELLA_VAULT_CONTEXT: a head in the context is not signed by this vault; refuse
 * this mail alone. CELLA_VAULT_FORK: the client has seen a newer or another history: this state was rolled
 * back or forked. The vault has then stopped: evidence is stored, and everything from now on is
 * CELLA_VAULT_STOPPED. CELLA_FENCED: a newer owner signed it, and this instance is over.
 * CELLA_HISTORY_DAMAGED, CELLA_STORAGE_IO: the store's nodes do not verify; refuse this mail alone. A head of
 * the lost range of a restore is no fork: the answer tells the client of the restore. May read from the store
 * (in the calling thread). */
enum cella_status cella_vault_check_context(struct cella_vault *vault,
                                            const struct cella_client_context *context,
                                            struct cella_vault_claim *ret_claim, struct cella_error *error);
/* The vault's context for an answer at `moment` to a client with this claim (NULL: a post, or a client
 * without one: no proof). `out` has CELLA_CONTEXT_SIZE_MAX bytes. Does not fail for lack of old nodes: it
 * then has no proof. May read from the store. CELLA_FENCED, CELLA_CRYPTO. */
enum cella_status cella_vault_write_context(struct cella_vault *vault, struct cella_vault_moment *moment,
                                            const struct cella_vault_claim *claim, uint8_t *out,
                                            size_t *ret_size);

/* For status and metrics. */
struct cella_vault_counts {
    struct cella_head head; /* durable */
    uint64_t keys, state_size, memory;
    uint64_t commits, records, journal_bytes, snapshot_bytes, snapshots;
    uint64_t journal_since_snapshot;
    enum cella_status storage; /* CELLA_OK, or why the store cannot write */
    bool stopped, snapshot_running;
};
void cella_vault_count(struct cella_vault *vault, struct cella_vault_counts *ret_counts);

#endif
