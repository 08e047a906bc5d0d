/* The enclave's end of mail: opens what clients send, checks order, seals replies and posts. Safe to use from
 * several threads. Must not: know sockets, files or a clock, or run handlers.
 *
 * One mail's way: cella_mailbox_mail_new, …_feed for each chunk as it arrives, …_begin (order check), then by
 * its verdict the handler, then …_commit or …_abort, then …_reply_seal, then …_mail_free.
 *
 * Without `keep` the mailbox remembers senders in memory, as long as it lives. With it they are kept in a
 * vault (mail/keep.h), and the calls that are marked "in the transaction" are made by the one thread that has
 * the writer's place, between the vault's begin and its commit or abort; what they changed stands or falls
 * with that. If any of them fails, the caller aborts the vault's transaction. The order for a mail that is
 * not a query: vault begin, …_begin, …_collected, handler, …_commit, …_again until there is no more, vault
 * commit, then at any time, outside, …_reply_seal, …_post_seal and …_mail_free. If the handler or the vault's
 * commit fails: …_abort. A query needs no writer's place: …_begin, the handler, …_reply_seal.
 */
#ifndef CELLA_MAIL_MAILBOX_H
#define CELLA_MAIL_MAILBOX_H

#include "crypto/x25519.h"
#include "mail/format.h"
#include <cella/enclave.h>

struct cella_mailbox;
struct cella_mailbox_mail;

/* Zero takes the default. */
struct cella_mailbox_limits {
    uint64_t max_mail_size;    /* body bytes of one mail, in or out; default 64 MiB */
    uint32_t max_senders;      /* remembered senders; the least recently heard is forgotten; default 1024 */
    uint32_t max_sessions;     /* live sessions; the least recently used is closed; default 1024 */
    uint32_t max_topics;       /* topics of one sender; default 64 */
    uint64_t max_stored_reply; /* a larger reply is not kept for a repeated request; default 64 KiB */
    uint64_t max_stored_bytes; /* stored replies of all senders; default 16 MiB */
    uint64_t max_outbox;       /* with `keep`: bytes of posts that wait for one client; default 1 MiB */
};

struct cella_mail_keep;

/* Keys are copied. `mailbox_key` may be NULL, then mail to the mailbox key is refused; its generation is not
 * 0. */
struct cella_mailbox_options {
    const struct cella_x25519_key *session_key;
    const struct cella_x25519_key *mailbox_key;
    uint64_t mailbox_generation;
    struct cella_mailbox_limits limits;
    /* NULL: in memory only. Borrowed; cannot be had together with a mailbox key. */
    const struct cella_mail_keep *keep;
    /* With `keep`: where the clock begins, above all that earlier instances of the vault gave. */
    uint64_t first_clock;
};

/* In the transaction. CELLA_ARGUMENT, CELLA_NO_MEMORY, CELLA_NO_RANDOM; with `keep` CELLA_DAMAGED,
 * CELLA_NEWER_FORMAT: what is kept is not well formed, or of a later release; and what its put says. */
enum cella_status cella_mailbox_new(const struct cella_mailbox_options *options,
                                    struct cella_mailbox **ret_mailbox, struct cella_error *error);
/* All mails must have been freed. NULL is allowed. */
void cella_mailbox_free(struct cella_mailbox *mailbox);

/* Starts one incoming mail. `route` is the host's word where posts to this sender go: nothing authenticates
 * it. It is kept from a sender's first mail, then from mail that cannot be a replay. One thread at a time
 * uses a mail; the mailbox must outlive it. */
enum cella_status cella_mailbox_mail_new(struct cella_mailbox *mailbox,
                                         const uint8_t route[CELLA_MAIL_ROUTE_SIZE],
                                         struct cella_mailbox_mail **ret_mail);

/* How many bytes the whole mail has, by the host's word; optional. Saves copies of large mail: when the first
 * packet has proven to be authentic, memory for so much is taken at once, within max_mail_size. */
void cella_mailbox_mail_expect(struct cella_mailbox_mail *mail, uint64_t size);

/* The next bytes of the mail, in chunks of any size. `chunk` must be private to the enclave and must not
 * change during the call; it is not needed afterwards. A packet that lies whole in one chunk is decrypted
 * straight from it. After a failure the mail can only be freed; the mailbox is as it was. CELLA_MAIL_REFUSED:
 * changed, cut, or for another key; it does not tell which. CELLA_MAIL_MALFORMED, CELLA_NEWER_FORMAT: the
 * clear header or a frame is wrong. CELLA_MAIL_SESSION_UNKNOWN: the session is not (or no longer) known, the
 * client handshakes again. CELLA_MAIL_GENERATION: sealed to a mailbox key that is not held.
 * CELLA_MAIL_TOO_LARGE: over max_mail_size. CELLA_MAIL_REPLAY: this very session mail was opened before. */
enum cella_status cella_mailbox_mail_feed(struct cella_mailbox_mail *mail, struct cella_bytes chunk,
                                          struct cella_error *error);

/* What to do with a mail that begin accepted. */
enum cella_mailbox_verdict {
    CELLA_MAILBOX_RUN,    /* a new request: run the handler, then commit or abort */
    CELLA_MAILBOX_REPEAT, /* done before: do not run it; seal the reply (the stored one is sent again) */
    CELLA_MAILBOX_HELLO,  /* opens a session only: do not run anything; seal the reply */
    CELLA_MAILBOX_QUERY,  /* run the query handler; nothing to commit or abort; seal the reply */
    CELLA_MAILBOX_ACK,    /* carries a context only: do not run anything; seal the reply */
};

/* Both only when the mail has been fed whole. A query touches nothing that is kept, and begins without the
 * writer's place, beside anything else. The context is the client's, authentic, valid until the mail is
 * freed. */
bool cella_mailbox_mail_is_query(const struct cella_mailbox_mail *mail);
struct cella_bytes cella_mailbox_mail_context(const struct cella_mailbox_mail *mail);

/* The mail is complete: checks its order, and with RUN takes its place in (sender, topic) until commit or
 * abort, so that the next one of that topic is not begun meanwhile. The caller provides no lock. In the
 * transaction, but for a query. A reply that is not durable yet is repeated like any other; the caller sends
 * it when it is. CELLA_MAIL_REFUSED: bytes are missing. CELLA_MAIL_REPLAY, CELLA_MAIL_GAP, CELLA_MAIL_FIRST:
 * order. CELLA_MAIL_BUSY: the mail before it, or the same one, is being handled; try again when that is done.
 * CELLA_MAIL_NAME_USED: a request with this topic and sequence but other bytes was handled.
 * CELLA_MAIL_UNKNOWN_HISTORY: the sender was forgotten, or its birth lies before senders that were forgotten.
 * CELLA_MAIL_REPLY_GONE: handled before, but the reply is no longer kept. CELLA_MAIL_TOPIC_LIMIT.
 * CELLA_MAIL_ATTEMPTS_USED: outside a session, and so many attempts of this request failed that no more can
 * be told from replays. CELLA_LIMIT: all remembered senders are busy. CELLA_NO_MEMORY. */
enum cella_status cella_mailbox_mail_begin(struct cella_mailbox_mail *mail,
                                           enum cella_mailbox_verdict *ret_verdict,
                                           struct cella_error *error);

/* The request for its handler; only after begin gave RUN or QUERY. Valid until the mail is freed. */
const struct cella_mail *cella_mailbox_mail_view(const struct cella_mailbox_mail *mail);

/* What a begun mail's context says has arrived of the posts to its sender: those up to `number` are kept no
 * longer. Ignored where it may come from another life of the sender, and beyond what was posted; removes a
 * bounded number per call, the rest with the sender's next mail. Without `keep` nothing. In the transaction.
 * CELLA_NO_MEMORY, CELLA_DAMAGED. */
enum cella_status cella_mailbox_collected(struct cella_mailbox_mail *mail, uint64_t number,
                                          struct cella_error *error);

/* The handler succeeded and its effects hold: advances the sequence and keeps `reply` (NULL: none) for
 * repeats of this request. A reply over max_stored_reply is not kept. In the transaction. CELLA_NO_MEMORY, or
 * what the keep's put says: nothing was advanced; abort. */
enum cella_status cella_mailbox_mail_commit(struct cella_mailbox_mail *mail, const struct cella_bytes *reply);
/* The handler failed: the sequence is not consumed. With `keep` also after commit and with every verdict, as
 * long as the answer is not sealed: the vault's transaction was aborted, there is no answer. */
void cella_mailbox_mail_abort(struct cella_mailbox_mail *mail);

/* Bytes of the sealed answer to this mail. `reply` and the size of `context` as in the call below. */
uint64_t cella_mailbox_reply_size(const struct cella_mailbox_mail *mail, const struct cella_bytes *reply,
                                  size_t context_size);

/* Seals the answer to a begun mail, once: after RUN and commit, or QUERY, the handler's reply (NULL: none,
 * the client gets a "done"); after the other verdicts `reply` is ignored, pass NULL. `context` is the vault's
 * (at most CELLA_MAIL_CONTEXT_MAX bytes, may be empty). Every request is answered, so that clients notice
 * what the host withholds. `out` has exactly the size that cella_mailbox_reply_size says and is private
 * memory: bytes are copied to the host only when the call has returned, because the tag is computed over
 * `out`. CELLA_LIMIT: the reply is over max_mail_size. */
enum cella_status cella_mailbox_reply_seal(struct cella_mailbox_mail *mail, const struct cella_bytes *reply,
                                           struct cella_bytes context, uint8_t *out, uint64_t out_size,
                                           struct cella_error *error);

/* Aborts if it is begun and not committed; wipes and frees. NULL is allowed. */
void cella_mailbox_mail_free(struct cella_mailbox_mail *mail);

/* Whether a post to this client is possible: it has written to this instance (with `keep`: to any instance of
 * the vault) and was not forgotten. In the transaction. */
bool cella_mailbox_knows(struct cella_mailbox *mailbox, const uint8_t recipient[CELLA_MAIL_KEY_SIZE]);

/* A sealed post. The caller frees `bytes.data` with free(). */
struct cella_mailbox_post {
    uint8_t route[CELLA_MAIL_ROUTE_SIZE];
    struct cella_bytes bytes;
};

/* A post that waits to be sealed. */
struct cella_mailbox_prepared;

/* Takes whatever the post needs: a copy of `body`, memory for the sealed mail, keys. The caller ends each
 * prepared post with exactly one of the two calls below, before the mailbox is freed. CELLA_NOT_FOUND: the
 * recipient is not known. CELLA_MAIL_TOPIC, CELLA_MAIL_TOPIC_LIMIT, CELLA_LIMIT (over max_mail_size),
 * CELLA_NO_MEMORY, CELLA_NO_RANDOM.
 *
 * In memory: until seal or cancel the recipient is not forgotten, and mail with which it would start anew is
 * CELLA_MAIL_BUSY.
 *
 * With `keep`, in the transaction: the post gets number and sequence and lies in the outbox; cancel it if the
 * transaction is aborted. `*ret_prepared` is NULL if earlier posts to this client are not sent yet: it then
 * follows them (cella_mailbox_again). CELLA_OUTBOX_LIMIT: too much waits for the client already; what the
 * keep's put says. */
enum cella_status cella_mailbox_post_prepare(struct cella_mailbox *mailbox,
                                             const uint8_t recipient[CELLA_MAIL_KEY_SIZE], const char *topic,
                                             struct cella_bytes body,
                                             struct cella_mailbox_prepared **ret_prepared,
                                             struct cella_error *error);
/* With `keep`, in the transaction, after the handler: the next post to the sender of `mail` that was not
 * collected and is now to be sent. A hello and an opening request begin again with the oldest, other mail
 * goes on where the last ended; none gets more than a bounded number, so a client goes on by collecting what
 * it got. Ended as any prepared post. CELLA_NOT_FOUND: no more, also always without `keep`; CELLA_NO_MEMORY,
 * CELLA_DAMAGED, and what the keep's put says: abort. */
enum cella_status cella_mailbox_again(struct cella_mailbox_mail *mail,
                                      struct cella_mailbox_prepared **ret_prepared,
                                      struct cella_error *error);
/* The transaction is committed (with `keep`: durable): seals the post with the vault's context and frees
 * `prepared`, also on failure. In the recipient's live session if the client has used it, else one-shot to
 * its static key. Posts to one recipient must be sealed, and reach the host, in the order in which they were
 * prepared (with `keep`) or of these calls (in memory: they give the sequences). In memory and without a
 * context it cannot fail; with `keep` a post that fails (CELLA_NO_MEMORY, CELLA_NO_RANDOM) stays in the
 * outbox. */
enum cella_status cella_mailbox_post_seal(struct cella_mailbox_prepared *prepared, struct cella_bytes context,
                                          struct cella_mailbox_post *ret_post);
/* The transaction failed: frees `prepared`; no sequence is used up. NULL is allowed. */
void cella_mailbox_post_cancel(struct cella_mailbox_prepared *prepared);

struct cella_mailbox_counts {
    uint32_t senders;
    uint32_t sessions;
    uint64_t stored_bytes;
    uint64_t forgotten_senders; /* with `keep`: ever */
};
/* With `keep` as of the last transaction that touched mail. */
void cella_mailbox_count(struct cella_mailbox *mailbox, struct cella_mailbox_counts *ret_counts);

#endif
