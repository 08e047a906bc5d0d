/* One folder as storage sees it: the few operations on files that a vault needs, so that tests can put a disk
 * there that fails, lies and forgets. Must not: know what the files hold. */
#ifndef CELLA_HOST_DISK_H
#define CELLA_HOST_DISK_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

/* An open file; the disk's own. */
struct cella_disk_file;

/* Where a read goes. */
struct cella_disk_span {
    uint8_t *out;
    size_t size; /* bytes of room */
    size_t got;  /* of them filled; set on success */
};

enum cella_disk_open {
    CELLA_DISK_READ,   /* an existing file, for reading */
    CELLA_DISK_WRITE,  /* an existing file, for reading and writing */
    CELLA_DISK_CREATE, /* a new one, CELLA_EXISTS if it is there */
};

/* Names are plain file names of the folder. Every operation that can fail gives one of CELLA_NOT_FOUND,
 * CELLA_EXISTS, CELLA_STORAGE_FULL (no space, no quota), CELLA_STORAGE_READ_ONLY (may not be written) and
 * CELLA_STORAGE_IO. After a failed write or flush nothing is known of the bytes since the last good flush.
 * Safe to use from several threads, for different files. */
struct cella_disk {
    void *context;
    enum cella_status (*open)(void *context, const char *name, enum cella_disk_open how,
                              struct cella_disk_file **ret_file, struct cella_error *error);
    void (*close)(void *context, struct cella_disk_file *file);
    enum cella_status (*size)(void *context, struct cella_disk_file *file, uint64_t *ret_size,
                              struct cella_error *error);
    /* Fills the span; less only at the end of the file. */
    enum cella_status (*read)(void *context, struct cella_disk_file *file, uint64_t offset,
                              struct cella_disk_span *span, struct cella_error *error);
    /* All bytes or a failure. `durable`: they, and the file's size, outlive a crash when this returns;
     * nothing is said of earlier writes that were not. */
    enum cella_status (*write)(void *context, struct cella_disk_file *file, uint64_t offset,
                               struct cella_bytes bytes, bool durable, struct cella_error *error);
    /* Makes all earlier writes to the file durable. */
    enum cella_status (*flush)(void *context, struct cella_disk_file *file, struct cella_error *error);
    enum cella_status (*truncate)(void *context, struct cella_disk_file *file, uint64_t size,
                                  struct cella_error *error);
    /* CELLA_EXISTS: `to` is there, and was left. */
    enum cella_status (*rename)(void *context, const char *from, const char *to, struct cella_error *error);
    enum cella_status (*remove)(void *context, const char *name, struct cella_error *error);
    /* Makes earlier creations, renames and removals durable. */
    enum cella_status (*flush_folder)(void *context, struct cella_error *error);
    /* Calls `visit` for each regular file, in no order. */
    enum cella_status (*list)(void *context, void (*visit)(void *visitor, const char *name, uint64_t size),
                              void *visitor, struct cella_error *error);
};

/* The real thing. */
struct cella_disk_posix;

enum cella_disk_folder {
    CELLA_DISK_FOLDER_LOOK, /* an existing folder, not locked: for whoever only looks */
    CELLA_DISK_FOLDER_OPEN, /* an existing folder, for its one owner */
    CELLA_DISK_FOLDER_MAKE, /* a new one (mode 0700), for its one owner; CELLA_EXISTS */
};

/* Opens the folder, never through a symbolic link, and locks it until it is closed. CELLA_VAULT_BUSY: another
 * process has it locked. CELLA_NOT_FOUND, CELLA_EXISTS, CELLA_STORAGE_…. Files get mode 0600. */
enum cella_status cella_disk_posix_open(const char *path, enum cella_disk_folder how,
                                        struct cella_disk_posix **ret_posix, struct cella_error *error);
/* Valid until it is closed. */
const struct cella_disk *cella_disk_posix_disk(const struct cella_disk_posix *posix);
/* Gives the folder, which stays open and locked, another name, durably. CELLA_EXISTS: something has it. */
enum cella_status cella_disk_posix_move(struct cella_disk_posix *posix, const char *to,
                                        struct cella_error *error);
/* NULL is allowed. */
void cella_disk_posix_close(struct cella_disk_posix *posix);

#endif
