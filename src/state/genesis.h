/* What a vault is from its first moment on. Its id is the SHA-256 of these bytes, so nothing in it can
 * change. Format: formats/genesis.md. */
#ifndef CELLA_STATE_GENESIS_H
#define CELLA_STATE_GENESIS_H

#include "state/head.h"

#define CELLA_VAULT_OWNERS_MAX 16
#define CELLA_GENESIS_SIZE_MAX 768

/* Where a vault's keys and its owner register come from. Numbers are part of formats. */
enum cella_vault_kind {
    CELLA_VAULT_NONE = 0,    /* in settings only: the enclave has no vault */
    CELLA_VAULT_MACHINE = 1, /* bound to one machine */
};

struct cella_genesis {
    enum cella_vault_kind kind;
    uint8_t random[32];
    uint8_t
        signing_key[CELLA_ED25519_PUBLIC_SIZE]; /* public; signs heads; only instances of the vault hold it */
    uint8_t warden_group[32];                   /* zeros: no wardens */
    uint8_t policy_digest[32];                  /* of the vault's policy; zeros: none */
    unsigned owner_count;                       /* 0: nobody can ever authorise a restore */
    unsigned owner_threshold;                   /* signatures that a restore needs; 0 only without owners */
    uint8_t owners[CELLA_VAULT_OWNERS_MAX][CELLA_ED25519_PUBLIC_SIZE]; /* ascending, none twice */
};

/* CELLA_ARGUMENT: fields that contradict each other. `out` has CELLA_GENESIS_SIZE_MAX bytes. */
enum cella_status cella_genesis_write(const struct cella_genesis *genesis, uint8_t *out, size_t *ret_size,
                                      struct cella_error *error);
/* CELLA_DAMAGED, CELLA_NEWER_FORMAT; accepts exactly what cella_genesis_write writes. */
enum cella_status cella_genesis_parse(struct cella_bytes bytes, struct cella_genesis *ret_genesis,
                                      struct cella_error *error);
void cella_genesis_vault_id(struct cella_bytes bytes, uint8_t ret_vault_id[CELLA_VAULT_ID_SIZE]);

#endif
