/* A restore: the owners' word that a vault goes on from an older head, and which range is lost by it. Format:
 * formats/restore.md. */
#ifndef CELLA_STATE_RESTORE_H
#define CELLA_STATE_RESTORE_H

#include "state/genesis.h"

#define CELLA_RESTORE_SIZE_MAX 2048

struct cella_restore {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;                     /* the new one: the old plus one */
    struct cella_head from;               /* the fork point: the head that the restored bytes end with */
    uint8_t from_root[CELLA_DIGEST_SIZE]; /* of the history tree there */
    uint64_t lost_to; /* greatest version of the old lineage that is known to be lost; from.version: none */
    uint64_t epoch;   /* greatest epoch of the old lineage that is known */
    int64_t time;     /* when it was authorised, seconds of Unix time, by the owners' clock */
    char reason[256]; /* printable ASCII, for people */
    unsigned signature_count;
    struct {
        uint8_t owner[CELLA_ED25519_PUBLIC_SIZE];
        uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE];
    } signatures[CELLA_VAULT_OWNERS_MAX]; /* ascending by owner, none twice */
};

/* `out` has CELLA_RESTORE_SIZE_MAX bytes. CELLA_ARGUMENT: fields that contradict each other. */
enum cella_status cella_restore_write(const struct cella_restore *restore, uint8_t *out, size_t *ret_size,
                                      struct cella_error *error);
/* CELLA_DAMAGED, CELLA_NEWER_FORMAT. Does not verify; as many signatures as there are are accepted, so that
 * owners can pass it on and add theirs. */
enum cella_status cella_restore_parse(struct cella_bytes bytes, struct cella_restore *ret_restore,
                                      struct cella_error *error);
/* Adds one owner's signature (under a label of its own, over everything but the signatures). CELLA_EXISTS:
 * this owner has signed. CELLA_LIMIT: as many signatures as a vault can have owners. CELLA_ARGUMENT,
 * CELLA_CRYPTO. */
enum cella_status cella_restore_sign(struct cella_restore *restore, const struct cella_ed25519_key *owner,
                                     struct cella_error *error);
/* It is for the vault of this genesis, every signature is of an owner and verifies, and there are enough of
 * them. Says nothing about whether the vault should do it now: its lineage and epoch must follow what the
 * vault has. CELLA_VAULT_RESTORE. */
enum cella_status cella_restore_verify(const struct cella_restore *restore,
                                       const struct cella_genesis *genesis, struct cella_error *error);

#endif
