/* A vault's history in memory, which can be copied and set back, so that tests can fork it. Signs heads and
 * answers as an instance would; with `answer_blindly`, as one would that does not look at what it was asked.
 */
#ifndef TEST_STATE_COPY_H
#define TEST_STATE_COPY_H

#include "state/context.h"

enum { COPY_RECORDS_MAX = 600, COPY_OWNERS = 3 };

/* What all copies of one vault share. */
struct copy_vault {
    struct cella_ed25519_key key;
    struct cella_ed25519_key owners[COPY_OWNERS]; /* a restore needs two */
    struct cella_genesis genesis;
    uint8_t genesis_bytes[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    uint8_t id[CELLA_VAULT_ID_SIZE];
};

/* Plain data: copied with `=`. */
struct copy {
    struct copy_vault *vault;
    uint8_t name; /* makes its records differ from those of other copies */
    uint64_t lineage;
    uint64_t epoch;
    uint64_t version;
    uint8_t start[CELLA_DIGEST_SIZE];
    uint8_t records[COPY_RECORDS_MAX][CELLA_DIGEST_SIZE];
    unsigned restore_count;
    struct cella_restore restores[8];
};

void copy_vault_init(struct copy_vault *vault, uint8_t seed);
void copy_vault_deinit(struct copy_vault *vault);

/* A new vault, in epoch 1 at version 2. */
void copy_create(struct copy *copy, struct copy_vault *vault);
void copy_append(struct copy *copy, unsigned records);
/* A restart: two records, the intent of the next epoch and its begin. */
void copy_restart(struct copy *copy);
/* Back to an older version, as if those bytes had been brought back; goes on under another name. */
void copy_set_back(struct copy *copy, uint64_t version);
/* The same with the word of two owners, and a restart. */
void copy_restore(struct copy *copy, uint64_t version, uint64_t lost_to);

struct cella_signed_head copy_head(const struct copy *copy);
/* The restore that copy_restore would carry out, with `signatures` of the owners'. */
void copy_restore_make(const struct copy *copy, uint64_t version, uint64_t lost_to, unsigned signatures,
                       struct cella_restore *ret_restore);
/* Proof of the copy's own history. */
size_t copy_prove(const struct copy *copy, uint64_t from, uint8_t *out);
/* An answer to a client that asked with `asked` (NULL: a post). */
void copy_answer_blindly(const struct copy *copy, const struct cella_client_context *asked,
                         struct cella_vault_context *ret_context);
/* The same, and fails the test if the instance would have refused the request. */
void copy_answer(const struct copy *copy, const struct cella_client_context *asked,
                 struct cella_vault_context *ret_context);
/* Whether the head is of this copy's history. */
bool copy_holds(const struct copy *copy, const struct cella_signed_head *head);

#endif
