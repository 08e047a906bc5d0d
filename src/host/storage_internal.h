/* What the files of the storage share. Must not: be seen outside of them.
 *
 * Two lanes, each with a thread: what commits wait for, and the rest. A file belongs to one lane. Work on a
 * lane's files is done by whoever set `running`: its thread, or a caller that wants it done in its own. */
#ifndef CELLA_HOST_STORAGE_INTERNAL_H
#define CELLA_HOST_STORAGE_INTERNAL_H

#include "host/storage.h"
#include <pthread.h>

enum {
    STORAGE_RETRY_MS = 200,
    STORAGE_STEP = 1 << 20, /* zeros written at a time */
    STORAGE_AHEAD_LEAST =
        256 << 10, /* zeros kept ahead of a segment's end: as many as it has bytes, within */
    STORAGE_AHEAD_MOST = 4 << 20,
    STORAGE_SPARE_FROM = 1 << 20, /* a segment of this size will be followed by another one */
    STORAGE_UNFLUSHED = 4 << 20,  /* bytes written to a file before it is flushed without being asked */
    STORAGE_FILES = 6,            /* files of one lane that are being written */
};
#define STORAGE_QUEUE_LIMIT ((size_t)512 << 20)
#define STORAGE_SPARE       "spare"

/* Bytes that are not written, or not known to be durable. */
struct storage_pending {
    struct storage_pending *next;
    uint64_t offset;
    unsigned flags;
    struct cella_storage_ticket ticket;
    bool told; /* somebody is still to be told that it is done */
    bool once;
    bool failure_told;
    bool written; /* handed to the disk since the last failure */
    size_t size;
    uint8_t data[];
};

/* A file that is being written. */
struct storage_file {
    struct cella_store_file file;
    struct cella_disk_file *handle; /* NULL: not made or opened yet */
    struct cella_disk_file *filler; /* segments: a handle of their own for zeros, so that neither end's flush
                                       hides a failure of the other's */
    char part[CELLA_STORAGE_NAME_MAX]; /* its name until it is named */
    bool named;
    bool folder_dirty;        /* a creation or rename is not durable yet */
    bool finished;            /* whole; nothing more may come */
    bool gave_up;             /* what comes is refused with `failed` */
    enum cella_status failed; /* CELLA_OK, or why the last try went wrong */
    int64_t retry_at;         /* when it failed: milliseconds of the monotonic clock */
    uint64_t end;             /* of what was taken */
    uint64_t written_end;     /* of what was handed to the disk */
    uint64_t prepared;        /* segments: zeros may be written from here on; nothing else lies there */
    bool preparing;           /* they are being written */
    size_t unflushed;         /* bytes written since the last flush */
    struct storage_pending *first, **last;
};

struct storage_lane {
    struct cella_storage *storage;
    pthread_t thread;
    bool has_thread;
    bool background;
    pthread_mutex_t lock; /* everything below, and the files' members but `handle`'s insides */
    pthread_cond_t changed;
    struct storage_file *running; /* what somebody works on, NULL: nobody does */
    bool closing;
    size_t queued_bytes;
    struct storage_file *files[STORAGE_FILES]; /* in the order of their first writes */
    size_t file_count;
};

struct storage_removal {
    struct storage_removal *next;
    struct cella_store_file file;
};

struct cella_storage {
    struct cella_storage_options options;
    const struct cella_disk *disk;
    struct storage_lane journal;    /* genesis and segments */
    struct storage_lane background; /* the rest, removals, zeros for segments to come */
    uint64_t last_segment;          /* journal.lock: greatest number that there is or was asked for */

    struct storage_removal *removals, **removals_end; /* background.lock */
    bool prepare_wanted;                              /* background.lock */
    int64_t prepare_at;                               /* background thread: not before, after a failure */

    pthread_mutex_t spare_lock; /* the next segment's file */
    struct cella_disk_file *spare;
    uint64_t spare_size;

    pthread_mutex_t read_lock; /* the file that was read last and is not being written */
    struct cella_disk_file *reading;
    struct cella_store_file reading_file;

    pthread_mutex_t state_lock; /* the counts and what was told of failures */
    struct cella_storage_counts counts;
    bool silent;      /* it is being closed: nobody is told any more */
    unsigned failing; /* files that are waiting to be tried again */
};

/* storage.c */
struct storage_lane *cella_storage_lane(struct cella_storage *storage, enum cella_store_kind kind);
/* The caller holds the lane's lock. */
struct storage_file *cella_storage_find(struct storage_lane *lane, struct cella_store_file file);
int64_t cella_storage_now_ms(void);
/* Lets go of the file that was read last: a removed one would keep its space. */
void cella_storage_stop_reading(struct cella_storage *storage);

/* storage_write.c */
/* Does what is queued for one file, as far as it goes. The caller has set `running` and does not hold the
 * lock.
 */
void cella_storage_run(struct storage_lane *lane, struct storage_file *file);
/* The next file with work that may be done now; the caller holds the lock. `*ret_retry_at` is lowered to the
 * time of the next retry. */
struct storage_file *cella_storage_runnable(struct storage_lane *lane, int64_t *ret_retry_at);
/* Closes and forgets a file; the caller holds the lock. */
void cella_storage_forget(struct storage_lane *lane, struct storage_file *file);

/* storage_files.c: steps that make a file. For whoever set `running`, without the lock. */
/* Opens or makes it. */
enum cella_status cella_storage_make(struct cella_storage *storage, struct storage_file *file,
                                     struct cella_error *error);
/* Writes one piece, into prepared zeros where there are some. */
enum cella_status cella_storage_put(struct cella_storage *storage, struct storage_file *file,
                                    const struct storage_pending *pending, bool durable,
                                    struct cella_error *error);
/* Gives it its own name if `rename`, and makes names durable. */
enum cella_status cella_storage_settle(struct cella_storage *storage, struct storage_file *file, bool rename,
                                       struct cella_error *error);
/* How many zeros should lie ahead of a segment that ends here. */
uint64_t cella_storage_ahead(uint64_t end);
/* Closes it; a `.part` is removed. The caller holds the lock and no zeros are being written. */
void cella_storage_unmake(struct cella_storage *storage, struct storage_file *file);

/* storage_background.c */
/* Asks for zeros ahead of the newest segment. */
void cella_storage_want_preparing(struct cella_storage *storage);
/* One step of that; false: there is nothing more to do. After a failure `prepare_at` says when to go on. */
bool cella_storage_prepare(struct cella_storage *storage);
/* Takes the file that was prepared for the next segment; NULL: there is none. */
struct cella_disk_file *cella_storage_take_spare(struct cella_storage *storage, uint64_t *ret_size);
void cella_storage_drop_spare(struct cella_storage *storage);
/* Does the oldest removal; false: there was none. */
bool cella_storage_remove_one(struct cella_storage *storage);

#endif
