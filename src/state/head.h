/* Heads of a vault, and heads that the vault signed: what clients keep, what proves a fork. Compiled for
 * enclaves, clients and whoever judges evidence. Formats: formats/head.md. */
#ifndef CELLA_STATE_HEAD_H
#define CELLA_STATE_HEAD_H

#include "crypto/ed25519.h"
#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_VAULT_ID_SIZE    32
#define CELLA_DIGEST_SIZE      32
#define CELLA_SIGNED_HEAD_SIZE 224 /* bytes of the encoded form, always */
/* No vault gets there; sums over versions and nodes of the history tree never overflow below it. */
#define CELLA_VERSION_MAX (UINT64_C(1) << 62)

/* (epoch, version, digest). Version v is the v-th record; (0, 0, zeros) is the head of a vault that is only a
 * genesis. */
struct cella_head {
    uint64_t epoch;
    uint64_t version;
    uint8_t digest[CELLA_DIGEST_SIZE];
};

/* A head with the root of the history tree over records 1 to `head.version` (the tree's size is the version),
 * signed by the vault's key.
 *
 * `epoch_start` is the digest of the INTENT record with which the signing instance took `head.epoch`: the
 * mark that the register of the vault's owner keeps beside that epoch. No two instances share one. Heads with
 * the same epoch and start come from one instance, whose memory nobody can set back: they lie in one history
 * without any proof. The same epoch with two starts is a fork by itself: it takes a machine that was set
 * back. */
struct cella_signed_head {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;
    struct cella_head head;                 /* its version is from 1 to CELLA_VERSION_MAX */
    uint8_t epoch_start[CELLA_DIGEST_SIZE]; /* never zeros */
    uint8_t root[CELLA_DIGEST_SIZE];
    uint8_t signature[CELLA_ED25519_SIGNATURE_SIZE];
};

/* Fills the signature. CELLA_ARGUMENT: a version or start that no head has. CELLA_CRYPTO. */
enum cella_status cella_signed_head_sign(struct cella_signed_head *head, const struct cella_ed25519_key *key);
/* CELLA_SIGNATURE_INVALID. */
enum cella_status cella_signed_head_verify(const struct cella_signed_head *head,
                                           const uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE]);
void cella_signed_head_write(const struct cella_signed_head *head, uint8_t out[CELLA_SIGNED_HEAD_SIZE]);
/* CELLA_DAMAGED, CELLA_NEWER_FORMAT. Does not verify. */
enum cella_status cella_signed_head_parse(struct cella_bytes bytes, struct cella_signed_head *ret_head,
                                          struct cella_error *error);

/* The same inside of a larger format. The writer must have room. */
struct cella_reader;
struct cella_writer;
void cella_signed_head_append(struct cella_writer *writer, const struct cella_signed_head *head);
enum cella_status cella_signed_head_read(struct cella_reader *reader, struct cella_signed_head *ret_head,
                                         struct cella_error *error);

/* What two verified heads of one vault say about each other. */
enum cella_head_relation {
    CELLA_HEADS_EQUAL,        /* the same head */
    CELLA_HEADS_OLDER,        /* the first may come before the second: a consistency proof decides */
    CELLA_HEADS_NEWER,        /* the other way round */
    CELLA_HEADS_CONTRADICT,   /* one history cannot hold both: a fork or a rollback, by themselves a proof */
    CELLA_HEADS_INCOMPARABLE, /* another vault, or another lineage: a restore lies between them */
};
/* In one history a larger version never has a smaller epoch, an epoch is never begun twice, and one version
 * has one root, digest and epoch. Looks at everything but the signatures. */
enum cella_head_relation cella_heads_compare(const struct cella_signed_head *first,
                                             const struct cella_signed_head *second);
/* Whether one instance, in one epoch, signed both: then the older one is in the history of the newer one. */
bool cella_heads_same_owner(const struct cella_signed_head *first, const struct cella_signed_head *second);

#endif
