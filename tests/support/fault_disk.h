/* A disk in memory that fails, lies and forgets, for storage that must bear it. Everything that it does
 * follows from its seed and from the order of the calls. It keeps what was written apart from what is
 * durable, and loses the difference, in part, at a crash. Safe to use from several threads. */
#ifndef CELLA_TEST_FAULT_DISK_H
#define CELLA_TEST_FAULT_DISK_H

#include "host/disk.h"

/* What a crash does with writes that were not flushed; without any of them it loses all of them. */
enum fault_disk_crash {
    FAULT_KEEP = 1,      /* keeps some, in order */
    FAULT_TEAR = 2,      /* keeps some of their 512-byte sectors, whatever the order */
    FAULT_REORDER = 4,   /* applies what it keeps in another order */
    FAULT_DUPLICATE = 8, /* applies some of the last writes, also flushed ones, a second time */
};

/* What an operation does instead of its work. */
enum fault_disk_fault {
    FAULT_NONE,
    FAULT_CRASH,      /* the power is cut before it */
    FAULT_CRASH_HALF, /* after a part of it: a write of some sectors */
    FAULT_CRASH_DONE, /* after it, before its caller knows */
    FAULT_IO,         /* fails; a flush that fails forgets what it should have flushed */
    FAULT_FULL,       /* fails for lack of space, after a part of a write */
    FAULT_LIE,        /* a flush or durable write says that it is done and is not */
    FAULT_SHORT,      /* a read gives less than there is */
    FAULT_COUNT,
};

struct fault_disk;

/* `crash` is of enum fault_disk_crash. Freed by fault_disk_free; NULL is allowed there. */
struct fault_disk *fault_disk_new(uint64_t seed, unsigned crash);
void fault_disk_free(struct fault_disk *disk);
const struct cella_disk *fault_disk_disk(struct fault_disk *disk);
/* Another disk with what this one holds, durable and not; handles are not taken over. */
struct fault_disk *fault_disk_copy(struct fault_disk *disk, uint64_t seed);

/* Operations so far: each is a point where a fault may strike. Opening, listing and closing are none. */
uint64_t fault_disk_points(struct fault_disk *disk);
/* The operation number `point` (counted from 1) meets `fault`. Up to 4 may wait; 0 for `point` removes all.
 */
void fault_disk_strike(struct fault_disk *disk, uint64_t point, enum fault_disk_fault fault);
/* Every operation that writes fails so from now on; FAULT_NONE: no more. FAULT_FULL lets removals and what
 * needs no new space through, FAULT_IO nothing. `read_only`: like a disk that was mounted so. */
void fault_disk_fail_all(struct fault_disk *disk, enum fault_disk_fault fault);
void fault_disk_set_read_only(struct fault_disk *disk, bool read_only);
/* Flushes lie from now on. */
void fault_disk_set_lying(struct fault_disk *disk, bool lying);

/* Cuts the power: everything fails until fault_disk_restart, which brings back what a crash left over and
 * removes strikes that wait. */
void fault_disk_crash(struct fault_disk *disk);
bool fault_disk_crashed(struct fault_disk *disk);
void fault_disk_restart(struct fault_disk *disk);

/* The hand of whoever owns the disk: reads (memory that lives until the program ends), replaces and removes
 * files, at once and durably. get: data NULL if there is none. */
struct cella_bytes fault_disk_get(struct fault_disk *disk, const char *name);
void fault_disk_put(struct fault_disk *disk, const char *name, struct cella_bytes bytes);
void fault_disk_drop(struct fault_disk *disk, const char *name);
/* The names, in alphabetical order; returns how many (at most `limit` are given). */
size_t fault_disk_names(struct fault_disk *disk, char names[][64], size_t limit);

#endif
