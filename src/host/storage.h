/* The sealed bytes of one vault on a disk: lists and reads its files, writes them in order, makes them
 * durable, and keeps what could not be written until it can. Must not: interpret what is stored.
 *
 * One folder holds `genesis`, `history`, `restore`, and for each number in 16 hexadecimal digits
 * `segment-NUMBER`, `snapshot-NUMBER`, `evidence-NUMBER`. What is not whole yet ends in `.part`; `spare` is
 * the next segment's file in the making. Both mean nothing after a restart and are removed then. */
#ifndef CELLA_HOST_STORAGE_H
#define CELLA_HOST_STORAGE_H

#include "host/disk.h"
#include "state/store.h"

/* What a write that waits counts beside its bytes. */
#define CELLA_STORAGE_WRITE_COST ((size_t)128)
#define CELLA_STORAGE_READ_MAX   ((size_t)1 << 20) /* bytes of one read, and of one write */
#define CELLA_STORAGE_NAME_MAX   32

struct cella_storage;

/* Whom to tell of a write; storage only carries it. */
struct cella_storage_ticket {
    uint64_t id;
    uint32_t where;
};

struct cella_storage_options {
    const struct cella_disk *disk; /* outlives the storage */
    bool read_only;                /* nothing may be written or removed, and nothing is */
    void *context;
    /* A write is done, or (not CELLA_OK) cannot be done now: then it is tried again and told once more when
     * it is done, unless it was one that gives up. From the storage's threads, or inside cella_storage_write.
     */
    void (*written)(void *context, struct cella_storage_ticket ticket, enum cella_status status);
    /* The storage began to fail (`message` says what the disk says) or works again (CELLA_OK, ""). May be
     * NULL. */
    void (*changed)(void *context, enum cella_status status, const char *message);
    unsigned retry_ms;  /* 0: 200 */
    size_t queue_limit; /* bytes that wait to be written; 0: 512 MiB */
};

/* Removes what an earlier end left half-made, unless read_only. CELLA_STORAGE_…, CELLA_NO_MEMORY. */
enum cella_status cella_storage_open(const struct cella_storage_options *options,
                                     struct cella_storage **ret_storage, struct cella_error *error);
/* Tries once what is still queued, tells nobody any more, and frees; NULL is allowed. */
void cella_storage_close(struct cella_storage *storage);

/* The vault's files in ascending order of kind and number. */
enum cella_status cella_storage_list(struct cella_storage *storage,
                                     void (*visit)(void *visitor, const struct cella_store_entry *entry),
                                     void *visitor, struct cella_error *error);
/* Reads what was written, also what is still queued; less than the span only at the end of the file.
 * CELLA_NOT_FOUND, CELLA_STORAGE_IO. */
enum cella_status cella_storage_read(struct cella_storage *storage, struct cella_store_file file,
                                     uint64_t offset, struct cella_disk_span *span,
                                     struct cella_error *error);

struct cella_storage_write {
    struct cella_store_file file;
    uint64_t offset;
    unsigned flags; /* CELLA_STORE_FLUSH, CELLA_STORE_FINISH */
    struct cella_bytes bytes;
    struct cella_storage_ticket ticket;
    bool told; /* `written` is called for it */
    bool once; /* a failure is final: it is told and not tried again */
    bool here; /* do it in this thread, if nothing else is queued before it */
};

/* Takes the bytes (copied where needed). CELLA_ARGUMENT: no vault writes this: a gap, a file that it may not
 * write, a write into a finished file, flags that do not fit. CELLA_LIMIT: queue_limit. CELLA_NO_MEMORY. */
enum cella_status cella_storage_write(struct cella_storage *storage, const struct cella_storage_write *write,
                                      struct cella_error *error);
/* As struct cella_store says, some time later. CELLA_ARGUMENT: a file that is not removed so. */
enum cella_status cella_storage_remove(struct cella_storage *storage, struct cella_store_file file,
                                       struct cella_error *error);

/* For status. */
struct cella_storage_counts {
    enum cella_status status; /* CELLA_OK, or why it cannot write now */
    uint64_t writes, bytes, flushes, failures;
    uint64_t queued_bytes;
};
void cella_storage_count(struct cella_storage *storage, struct cella_storage_counts *ret_counts);

/* The name of a file, and back; false: no file of a vault has this name. */
void cella_storage_name(struct cella_store_file file, char ret_name[CELLA_STORAGE_NAME_MAX]);
bool cella_storage_parse_name(const char *name, struct cella_store_file *ret_file);
/* Is it the name of a vault's file, whole or half-made? */
bool cella_storage_owns(const char *name);

/* A vault in the making lies beside its own name, with ".new" behind it, and gets its name when it is whole
 * (cella_disk_posix_move): so nothing was ever acknowledged from it before. make: removes first what an
 * earlier try left there. CELLA_EXISTS: something else lies there. */
enum cella_status cella_storage_make_new(const char *path, struct cella_disk_posix **ret_posix,
                                         struct cella_error *error);
enum cella_status cella_storage_remove_new(const char *path, struct cella_error *error);

#endif
