/* A disk, a machine and clients in memory, for attacks on a vault's files: all of them can be copied and set
 * back at any time. Calls that must succeed fail the running test if they do not. */
#ifndef CELLA_TEST_VAULT_WORLD_H
#define CELLA_TEST_VAULT_WORLD_H

#include "state/vault.h"
#include "support/test.h"

/* --- a disk: the files of one vault --- */

struct world_file {
    struct cella_store_file file;
    bool finished; /* it has its name */
    uint8_t *bytes;
    size_t size;
};
struct world_disk {
    struct world_file *files; /* ascending by kind and number */
    size_t count;
    bool keeps; /* what the vault removes stays there */
};
void world_disk_copy(struct world_disk *to, const struct world_disk *from);
void world_disk_free(struct world_disk *disk);
/* NULL: there is none. */
struct world_file *world_find(struct world_disk *disk, enum cella_store_kind kind, uint64_t number);
/* The one with the greatest number. */
struct world_file *world_newest(struct world_disk *disk, enum cella_store_kind kind);
/* Puts a file there, in place of one that may be there. */
void world_put_file(struct world_disk *disk, enum cella_store_kind kind, uint64_t number,
                    struct cella_bytes bytes);
/* The file of another disk, under its own number or another. */
void world_take_file(struct world_disk *to, const struct world_disk *from, enum cella_store_kind kind,
                     uint64_t number, uint64_t new_number);
void world_remove_file(struct world_disk *disk, enum cella_store_kind kind, uint64_t number);
void world_cut_file(struct world_file *file, size_t size);

/* --- a machine: gives keys, counts; copying it with `=` and back sets it back --- */

enum { WORLD_REGISTERS = 8 };

struct world_register {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t epoch;
    uint8_t mark[CELLA_MARK_SIZE];
};
struct world_machine {
    uint8_t secret[32];
    bool fails; /* taking an epoch, before anything has changed */
    unsigned register_count;
    struct world_register registers[WORLD_REGISTERS];
};
void world_machine_init(struct world_machine *machine, uint8_t name);

/* --- an instance: a vault that is open on a disk and a machine, which outlive it --- */

struct world_instance {
    struct world_disk *disk;
    struct world_machine *machine;
    struct cella_store store;
    struct cella_key_source keys;
    struct cella_freshness_source freshness;
    struct cella_vault_options options;
    struct cella_vault *vault;
    struct cella_vault_report report;
    struct cella_error error;
    uint64_t told[64]; /* writes that are done and were not told of */
    size_t told_count;
    enum cella_status lost;
    /* A host that changes its mind: after so many reads (0: never) they are served from another disk. */
    struct world_disk *swap;
    unsigned swap_after, reads;
};
/* Everything of an instance but its vault. */
void world_prepare(struct world_instance *instance, struct world_disk *disk, struct world_machine *machine);
/* A new vault with three owners, two of whom can restore it; takes snapshots after `snapshot_after` bytes of
 * journal (0: never). */
void world_create(struct world_instance *instance, struct world_disk *disk, struct world_machine *machine,
                  uint64_t snapshot_after);
/* One of the owners of each vault here, for the caller to deinit. */
struct cella_ed25519_key world_owner(unsigned index);
enum cella_status world_open(struct world_instance *instance, struct world_disk *disk,
                             struct world_machine *machine);
/* The same, with snapshots after so many bytes of journal. */
enum cella_status world_open_with(struct world_instance *instance, struct world_disk *disk,
                                  struct world_machine *machine, uint64_t snapshot_after);
/* The instance dies; what it wrote stays. NULL vault is allowed. */
void world_kill(struct world_instance *instance);
/* Reads everything and changes nothing: what a start would say. `ret_report` may be NULL. */
enum cella_status world_check(struct world_disk *disk, struct world_machine *machine,
                              struct cella_vault_report *ret_report);
/* Commits key = value; what became of the answer. */
enum cella_status world_put(struct world_instance *instance, const char *key, const char *value);
/* The program's value, or NULL. */
const char *world_get(struct world_instance *instance, const char *key);
/* Lets everything that is under way finish. */
void world_settle(struct world_instance *instance);
/* Commits until one more snapshot is durable. */
void world_snapshot(struct world_instance *instance);

/* --- a client --- */

struct world_client {
    struct cella_vault_known known;
    struct cella_fork_evidence evidence; /* with CELLA_VAULT_FORK of its own finding */
    bool found_fork;
};
void world_client_init(struct world_client *client, const struct world_instance *instance);
/* A request that puts key = value: what the vault said to it, and if it was answered what the client thinks
 * of the answer. */
enum cella_status world_request(struct world_client *client, struct world_instance *instance, const char *key,
                                const char *value);
/* Whether the newest evidence file of the disk proves a fork to anyone. */
bool world_evidence_proves(struct world_disk *disk);

#endif
