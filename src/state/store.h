/* Where a vault's sealed bytes lie: the host's disk, reached over the door; in tests anything. Nothing that
 * it says or gives back is trusted. Must not: interpret what is stored. */
#ifndef CELLA_STATE_STORE_H
#define CELLA_STATE_STORE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

/* The files of one vault. Numbers are part of the door's format. */
enum cella_store_kind {
    CELLA_STORE_GENESIS = 1,  /* number 0: written once */
    CELLA_STORE_SEGMENT = 2,  /* journal; the number counts up from 1 and is never used again */
    CELLA_STORE_SNAPSHOT = 3, /* the number is the version that it holds */
    CELLA_STORE_HISTORY = 4,  /* number 0: nodes of the history tree, 32 bytes each */
    CELLA_STORE_EVIDENCE = 5, /* proofs of a fork; the number counts up from 1 */
    CELLA_STORE_RESTORE =
        6, /* number 0: what the owners signed for the next start; taken away by that start */
};

struct cella_store_file {
    enum cella_store_kind kind;
    uint64_t number;
};

enum {
    CELLA_STORE_FLUSH = 1,  /* durable before it is reported as done, with all earlier writes to that file */
    CELLA_STORE_FINISH = 2, /* snapshots, genesis and evidence: the file is whole; it takes its name now,
                               durably. Until then it is not in the list. Implies FLUSH */
};

struct cella_store_write {
    struct cella_store_file file;
    uint64_t offset;
    unsigned flags;
    unsigned waiting; /* answers that wait for this write and for nothing else: a hint for the host */
    const struct cella_bytes *parts;
    size_t part_count;
};

/* One file as the store lists it. */
struct cella_store_entry {
    struct cella_store_file file;
    uint64_t size; /* bytes; a segment may go on with zeros or old bytes */
};

/* All calls are made by one thread at a time, or, for `write` and `remove`, under the vault's own lock. */
struct cella_store {
    void *context;
    /* Calls `visit` for each file, in ascending order of kind and number. */
    enum cella_status (*list)(void *context,
                              void (*visit)(void *visitor, const struct cella_store_entry *entry),
                              void *visitor, struct cella_error *error);
    /* Reads up to `size` bytes; fewer only at the end of the file. CELLA_NOT_FOUND, CELLA_STORAGE_IO. */
    enum cella_status (*read)(void *context, struct cella_store_file file, uint64_t offset, uint8_t *out,
                              size_t size, size_t *ret_size);
    /* Writes and waits. CELLA_STORAGE_FULL, CELLA_STORAGE_READ_ONLY, CELLA_STORAGE_IO. For the time before a
     * vault serves. */
    enum cella_status (*write_now)(void *context, const struct cella_store_write *write,
                                   struct cella_error *error);
    /* Takes the bytes (they are copied before it returns) and returns at once. What became of them is told by
     * cella_vault_written(id, status), for `id` 0 by nobody. A status other than CELLA_OK says "not yet": the
     * store goes on trying with the same bytes, and tells again when they are written; only for a
     * SNAPSHOT it gives up. Writes to one file are done in order. */
    void (*write)(void *context, uint64_t id, const struct cella_store_write *write);
    /* Removes a file, some time; of SEGMENT all with a number up to this one, of SNAPSHOT all below it. */
    void (*remove)(void *context, struct cella_store_file file);
};

#endif
