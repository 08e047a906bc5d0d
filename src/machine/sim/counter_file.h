/* The file that holds all counters of a simulated machine: finding, changing and adding slots under its lock.
 * Knows bytes and places (formats/sim-machine.md); must not know what makes a slot genuine. */
#ifndef CELLA_MACHINE_SIM_COUNTER_FILE_H
#define CELLA_MACHINE_SIM_COUNTER_FILE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <limits.h>
#include <stdint.h>

#define CELLA_SIM_SLOT_SIZE     256
#define CELLA_SIM_SLOTS         65536 /* the first one is the file's header */
#define CELLA_SIM_COUNTERS_SIZE ((size_t)CELLA_SIM_SLOTS * CELLA_SIM_SLOT_SIZE)
#define CELLA_SIM_SLOT_VALUE    8 /* offset of the value in a slot */
#define CELLA_SIM_ID_SIZE       32
#define CELLA_SIM_OWNER_SIZE    16
#define CELLA_SIM_MARK_SIZE     32
#define CELLA_SIM_CHECK_SIZE    16
#define CELLA_SIM_VALUE_GONE    UINT64_MAX /* of a counter whose CPU is no longer in the folder */

/* One counter. `value` is what readers of the mapped file see; `entries[v & 1]` proves the value v and its
 * mark, so that a write of the next one never touches the proof of the one in force. */
struct cella_sim_slot {
    uint64_t value;
    uint8_t id[CELLA_SIM_ID_SIZE];
    uint8_t owner[CELLA_SIM_OWNER_SIZE];
    struct cella_sim_entry {
        uint64_t value;
        uint8_t mark[CELLA_SIM_MARK_SIZE];
        uint8_t check[CELLA_SIM_CHECK_SIZE];
    } entries[2];
};

/* The open file, under its exclusive lock. */
struct cella_sim_counters {
    int fd;
    char path[PATH_MAX];
};

/* Puts a file without counters in the folder; one that is there is replaced, and whoever has it mapped sees
 * CELLA_SIM_VALUE_GONE in all of its counters. CELLA_IO, CELLA_PERMISSION. */
enum cella_status cella_sim_counters_renew(const char *folder, struct cella_error *error);

/* Waits for the lock on the file as it is in the folder now. CELLA_MACHINE_DAMAGED (missing or malformed),
 * CELLA_PERMISSION, CELLA_IO. Unlock closes it. */
enum cella_status cella_sim_counters_lock(const char *folder, struct cella_sim_counters *ret_counters,
                                          struct cella_error *error);
void cella_sim_counters_unlock(struct cella_sim_counters *counters);

/* What a walk over all slots finds. */
struct cella_sim_find {
    uint32_t index; /* of the slot with this id; 0: there is none */
    uint32_t free;  /* the first free slot; 0: all are taken */
    uint32_t owned; /* slots of this owner */
    uint32_t used;
};
/* `id` and `owner` may be NULL. CELLA_MACHINE_DAMAGED, CELLA_IO. */
enum cella_status cella_sim_counters_find(const struct cella_sim_counters *counters, const uint8_t *id,
                                          const uint8_t *owner, struct cella_sim_find *ret_find,
                                          struct cella_sim_slot *ret_slot, struct cella_error *error);

/* Fills a free slot, durably. CELLA_IO. */
enum cella_status cella_sim_counters_add(const struct cella_sim_counters *counters, uint32_t index,
                                         const struct cella_sim_slot *slot, struct cella_error *error);
/* Goes on to the value of `entry`: makes the entry durable first, and then visible. CELLA_IO: it may or may
 * not have happened; the next look at the slot decides. */
enum cella_status cella_sim_counters_advance(const struct cella_sim_counters *counters, uint32_t index,
                                             const struct cella_sim_entry *entry, struct cella_error *error);

/* The whole file of a machine as read-only memory. */
enum cella_status cella_sim_counters_map(const char *folder, struct cella_bytes *ret_memory,
                                         struct cella_error *error);

#endif
