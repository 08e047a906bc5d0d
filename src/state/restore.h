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

enum cella_status cella_restore_write(const struct cella_restore *restore, uint8_t *out, size_t *ret_size,
                                      struct cella_error *error);
enum cella_status cella_restore_parse(struct cella_bytes bytes, struct cella_restore *ret_restore,
                                      struct cella_error *error);
/* Adds one owner's signature (under the label of its own, over everything but the signatures). CELLA_EXISTS.
 */
enum cella_status cella_restore_sign(struct cella_restore *restore, const struct cella_ed25519_key *owner,
                                     struct cella_error *error);
/* Every signature is of an owner of the genesis and verifies, and there are enough of them.
 * CELLA_VAULT_RESTORE. */
enum cella_status cella_restore_verify(const struct cella_restore *restore,
                                       const struct cella_genesis *genesis, struct cella_error *error);

#endif
