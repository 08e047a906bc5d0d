/* What a start reads from the store and learns from it, before anything is decided or written. Must not be
 * included outside src/state/vault*.c. */
#ifndef CELLA_STATE_VAULT_LOAD_H
#define CELLA_STATE_VAULT_LOAD_H

#include "state/vault_internal.h"

enum {
    VAULT_FILES_MAX = 1 << 16,         /* of one kind; a store that lists more lies */
    VAULT_PROBED_MAX = 512 << 20,      /* bytes of records that are tried behind the end of a journal */
    VAULT_SEGMENT_NUMBER_MAX = 1 << 30 /* far from where numbers could run out */
};

enum cella_vault_segment_state {
    SEGMENT_UNREADABLE, /* no header: its creation was cut short */
    SEGMENT_FOREIGN,    /* a header, made with another key, or by nobody with a key */
    SEGMENT_VOID,       /* an intent alone, of a start that never became the owner */
    SEGMENT_EMPTY,      /* a genuine header and no whole record */
    SEGMENT_GENUINE     /* its first record opens */
};

struct cella_vault_found_segment {
    uint64_t number, size;
    enum cella_vault_segment_state state;
    bool outdated; /* its key */
    struct cella_segment segment;
    bool intent_alone; /* its first record is an intent, and no whole record follows it there */
    uint64_t intended;
    struct cella_head intent; /* the head that the intent makes */
    uint64_t end; /* the version from which on a later segment goes another way; UINT64_MAX: none does */
};

struct cella_vault_found_file {
    uint64_t number, size;
};

/* Reads a file from one end to the other through a window. */
struct cella_vault_stream {
    const struct cella_store *store;
    struct cella_store_file file;
    uint64_t size; /* as the store lists it */
    uint64_t base; /* where the window begins */
    uint8_t *window;
    size_t filled, capacity;
};

struct cella_vault_load {
    struct cella_vault *vault;
    struct cella_vault_report *report;
    struct cella_error *error;
    /* The list. */
    bool has_genesis, has_restore;
    uint64_t genesis_size, restore_size, history_size;
    struct cella_vault_found_segment *segments;
    size_t segment_count, segment_capacity;
    struct cella_vault_found_file *snapshots;
    size_t snapshot_count, snapshot_capacity;
    enum cella_status list_status;
    struct cella_store_file last;
    /* The register. */
    bool has_register;
    uint64_t registered;
    uint8_t registered_mark[CELLA_MARK_SIZE];
    /* A restore that lies in the store. */
    struct cella_restore restore;
    uint8_t restore_bytes[CELLA_RESTORE_SIZE_MAX];
    bool restore_done;     /* a leftover: it was carried out before */
    bool restore_fits;     /* the state ends where it goes on from */
    uint64_t intent_there; /* the last intent at that point */
    uint8_t restore_digest[CELLA_DIGEST_SIZE];
    /* The state so far. */
    struct cella_head head;
    uint64_t lineage;
    uint64_t intent;                           /* the last one: the epoch it names, which was taken */
    uint8_t mark[CELLA_MARK_SIZE];             /* its digest; zeros: there was none */
    uint8_t intent_restore[CELLA_DIGEST_SIZE]; /* of the restore that it is for; zeros: none */
    bool intent_just_now;                      /* by the record before */
    bool stopped;
    struct cella_head base; /* the snapshot, or the beginning */
    uint8_t base_digest[CELLA_DIGEST_SIZE];
    uint64_t base_size;
    uint64_t replayed_bytes;
    bool outdated;
    uint8_t *scratch; /* for records */
    size_t scratch_size;
    /* Nodes of the history from the base on. */
    uint8_t *nodes;
    size_t node_count, node_capacity;
    uint64_t first_node;
};

/* vault_scan.c: list, genesis, register, restore file, headers, and how segments cut each other. */
enum cella_status cella_vault_scan(struct cella_vault_load *load);
/* The segment's journal, at its first record. CELLA_AUTHENTICATION: not with this key. CELLA_STORAGE_IO: it
 * is not the one any more whose header was found. */
enum cella_status cella_vault_open_segment(struct cella_vault_load *load,
                                           struct cella_vault_found_segment *found,
                                           struct cella_vault_stream *stream, struct cella_journal *journal);
/* The next record; CELLA_NOT_FOUND: there is none. Others as cella_journal_open. */
enum cella_status cella_vault_next_record(struct cella_vault_load *load, struct cella_vault_stream *stream,
                                          struct cella_journal *journal,
                                          struct cella_record_header *ret_header,
                                          struct cella_bytes *ret_content);

/* vault_stream.c */
enum cella_status cella_vault_stream_open(struct cella_vault_stream *stream, const struct cella_store *store,
                                          struct cella_store_file file, uint64_t size);
/* A view of `wanted` bytes at `offset`, fewer at the end of the file; offsets only grow. */
enum cella_status cella_vault_stream_view(struct cella_vault_stream *stream, uint64_t offset, size_t wanted,
                                          struct cella_bytes *ret_view, struct cella_error *error);
void cella_vault_stream_close(struct cella_vault_stream *stream);

/* vault_replay.c: snapshot and records become map, tree and the fields above. */
enum cella_status cella_vault_replay(struct cella_vault_load *load);
/* vault_base.c: the snapshot to begin with, loaded; or the beginning. Gives the first segment after it. */
enum cella_status cella_vault_load_base(struct cella_vault_load *load, size_t *ret_first);

/* vault_verify.c. CELLA_HISTORY_DAMAGED: the stored history is not that of what was replayed. */
enum cella_status cella_vault_verify_history(struct cella_vault_load *load);

/* vault_open.c */
enum cella_status cella_vault_load_all(struct cella_vault_load *load); /* and judges it */
void cella_vault_load_deinit(struct cella_vault_load *load);
/* The next record of this start, written and durable before it returns. */
enum cella_status cella_vault_write_own(struct cella_vault *vault, enum cella_record_kind kind,
                                        uint64_t epoch, struct cella_bytes content,
                                        struct cella_error *error);
/* How an epoch is taken. */
struct cella_vault_taking {
    uint64_t segment; /* the new one */
    struct cella_head after;
    uint64_t registered; /* what the register holds */
    uint64_t epoch;
    uint8_t restore[CELLA_DIGEST_SIZE]; /* that is carried out by it; zeros: none */
};
/* A segment with the intent to take the epoch; takes it; says that it is taken. */
enum cella_status cella_vault_take_epoch(struct cella_vault *vault, const struct cella_vault_taking *taking,
                                         struct cella_error *error);

#endif
