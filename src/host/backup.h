/* Backups of vaults: one file with all of a vault's files as they were at one moment, also while it serves.
 * They are sealed as on the disk; whoever holds a backup learns nothing from it and can change nothing in it
 * unseen. Must not: overwrite anything, or call a backup good without having read it back. Format:
 * formats/backup.md. */
#ifndef CELLA_HOST_BACKUP_H
#define CELLA_HOST_BACKUP_H

#include "crypto/hash.h"
#include "host/storage.h"

/* What a backup holds, or would. */
struct cella_backup_facts {
    uint8_t vault_id[CELLA_SHA256_SIZE]; /* of its genesis */
    uint64_t files;
    uint64_t bytes;
    uint64_t segments;
    uint64_t snapshot; /* version of the newest one, 0: none */
};

/* Writes a consistent copy of the vault in the folder at `vault_path` to a new file; `dry_run`: only looks.
 * The vault may serve meanwhile: what it acknowledges until the call begins is in the copy. CELLA_EXISTS:
 * there is a file. CELLA_VAULT_MISSING: there is no vault. CELLA_INTERRUPTED: files were taken away faster
 * than they could be opened. */
enum cella_status cella_backup_make(const char *vault_path, const char *file, bool dry_run,
                                    struct cella_backup_facts *ret_facts, struct cella_error *error);

/* Reads all of it: CELLA_OK says that it is whole and unchanged since it was made. CELLA_DAMAGED. */
enum cella_status cella_backup_check(const char *file, struct cella_backup_facts *ret_facts,
                                     struct cella_error *error);

/* Makes the folder `path`, which must not exist (CELLA_EXISTS), with what the backup holds, durably. The
 * backup is checked meanwhile; if it is damaged nothing is left. */
enum cella_status cella_backup_unpack(const char *file, const char *path, struct cella_error *error);

#endif
