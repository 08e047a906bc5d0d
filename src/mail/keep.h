/* What the mailbox keeps in a vault so that mail is handled exactly once for as long as the vault lives:
 * senders, the order of their topics, the last replies, posts that were not collected. The interface to an
 * ordered map, and the form of its entries (formats/vault-mail.md). Must not: know vaults, or decide
 * anything. */
#ifndef CELLA_MAIL_KEEP_H
#define CELLA_MAIL_KEEP_H

#include "crypto/fingerprint.h"
#include "mail/format.h"

/* A part of the vault's state: keys in the order of their bytes. All calls are made in the transaction, by
 * its thread, and stand or fall with it; they are made under the mailbox's lock and must not call the
 * mailbox. What they give is valid until the next put or delete. Values have at most CELLA_KEEP_VALUE_MAX
 * bytes, and the program's own limits for keys and values do not hold for them. */
struct cella_mail_keep {
    void *context;
    bool (*get)(void *context, struct cella_bytes key, struct cella_bytes *ret_value);
    /* Adds or replaces. CELLA_NO_MEMORY, CELLA_STATE_SIZE, CELLA_TRANSACTION_SIZE. */
    enum cella_status (*put)(void *context, struct cella_bytes key, struct cella_bytes value);
    /* CELLA_NOT_FOUND, CELLA_NO_MEMORY. */
    enum cella_status (*delete)(void *context, struct cella_bytes key);
    /* The first entry whose key is not before `from`. CELLA_NOT_FOUND: there is none; CELLA_NO_MEMORY. */
    enum cella_status (*seek)(void *context, struct cella_bytes from, struct cella_bytes *ret_key,
                              struct cella_bytes *ret_value);
};

#endif
