/* The two things that a vault takes from outside itself: keys, and knowledge of what is newest. Two small
 * interfaces, so that a machine and a group of wardens can both stand behind them. */
#ifndef CELLA_STATE_SOURCE_H
#define CELLA_STATE_SOURCE_H

#include "state/head.h"
#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_ROOT_KEY_SIZE     32
#define CELLA_KEY_INFO_SIZE_MAX 256
#define CELLA_MARK_SIZE         32

/* Whatever finds a key again; stored in the clear beside what the key sealed. */
struct cella_key_info {
    size_t size;
    uint8_t data[CELLA_KEY_INFO_SIZE_MAX];
};

/* Root keys, from which the keys of segments and snapshots are derived. The caller wipes them. */
struct cella_key_source {
    void *context;
    const char *name; /* "machine", … */
    /* A key to seal with from now on. Each call may give another one. */
    enum cella_status (*make)(void *context, struct cella_key_info *ret_info,
                              uint8_t ret_key[CELLA_ROOT_KEY_SIZE], struct cella_error *error);
    /* The key that `info` names. `*ret_outdated`: it is of an older platform or security version than `make`
     * gives; what it seals should be sealed again. CELLA_KEY_CPU_SVN, CELLA_KEY_ISV_SVN: of a newer one.
     * CELLA_VAULT_OTHER_SIGNER: it is for another image. CELLA_DAMAGED: not an info of this source. A key of
     * another machine, or of an image that the source cannot tell apart, comes out as another key: then
     * nothing opens with it. */
    enum cella_status (*open)(void *context, struct cella_bytes info, uint8_t ret_key[CELLA_ROOT_KEY_SIZE],
                              bool *ret_outdated, struct cella_error *error);
};

/* The register of a vault's owner: one number, the epoch, that only grows, with the mark of whoever took it
 * (the digest of its INTENT record, which tells the copy of the state in which it was intended from all
 * others), and where the source can do it the newest head. Epoch and mark change together or not at all, and
 * what was read once is durable. */
struct cella_freshness_source {
    void *context;
    const char *name;
    bool guards_heads; /* true: an old head within an epoch is prevented, too, not only detected by clients */
    /* A register for a new vault, at epoch 0 with a mark of zeros. */
    enum cella_status (*create)(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                struct cella_error *error);
    /* Epoch and mark now. CELLA_NO_COUNTER: this vault has no register here (it was made on another machine).
     */
    enum cella_status (*read)(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE], uint64_t *ret_epoch,
                              uint8_t ret_mark[CELLA_MARK_SIZE], struct cella_error *error);
    /* Makes the caller the owner: the register goes to `epoch`, which is what it held plus one, and to
     * `mark`. CELLA_FENCED: somebody else was faster, nothing has changed. Others: it may or may not have
     * changed. */
    enum cella_status (*acquire)(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE], uint64_t epoch,
                                 const uint8_t mark[CELLA_MARK_SIZE], struct cella_error *error);
    /* `head` is durable: is its epoch still the owner's? Asked before anything that tells of the head leaves.
     * CELLA_FENCED: no; stop, wipe, release nothing. */
    enum cella_status (*advance)(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                 const struct cella_head *head, struct cella_error *error);
};

#endif
