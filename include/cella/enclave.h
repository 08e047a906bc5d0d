/* What an enclave program is written against. An enclave is an ordinary C program whose main() calls
 * cella_enclave_run(). It has no files, sockets, environment or trusted clock; mail and calls are its only
 * way out. */
#ifndef CELLA_ENCLAVE_H
#define CELLA_ENCLAVE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>

#define CELLA_KEY_SIZE       32
#define CELLA_SIGNATURE_SIZE 64

/* One opened mail. All pointers are valid until the handler returns. Whoever holds the private key of
 * `sender` wrote topic, sequence, envelope and body; the host could read topic, sequence and envelope, but
 * not change them. */
struct cella_mail {
    uint8_t sender[CELLA_KEY_SIZE]; /* the sender's static X25519 public key */
    const char *topic;              /* 1 to 255 letters, digits and '-' */
    uint64_t sequence;              /* counts from 0 per sender and topic */
    struct cella_bytes envelope;
    struct cella_bytes body;
};

/* What a handler does that takes effect only if it returns CELLA_OK: its changes of state, its reply and its
 * posts. With a vault all of it is durable before anything of it is seen outside. Valid until the handler
 * returns; belongs to the thread that runs the handler. */
struct cella_transaction;

/* The program's handlers. Every member but `mail` may be NULL. A handler that returns another status than
 * CELLA_OK leaves nothing behind: no change, no reply, no post, now or later. The host learns the status, in
 * release images not the text. An image without a vault (kind = none in enclave.conf) has the same handlers;
 * what reads and changes state is CELLA_NO_VAULT there. */
struct cella_enclave {
    /* Once at each start, when the state is loaded and before the first mail. A failure ends the instance. */
    enum cella_status (*start)(struct cella_transaction *transaction);
    /* Once, on an orderly close only. */
    void (*stop)(void);
    /* With a vault: one at a time, whatever thread_safe says. */
    enum cella_status (*mail)(struct cella_transaction *transaction, const struct cella_mail *mail);
    /* A query: mail that changes nothing and has no sequence; sequence is 0. Sees the last state that is
     * durable. A failing change or post is CELLA_READ_ONLY. */
    enum cella_status (*query)(struct cella_transaction *transaction, const struct cella_mail *mail);
    /* A call by the host, which is not trusted: `request` is whatever it likes. As mail. */
    enum cella_status (*call)(struct cella_transaction *transaction, struct cella_bytes request);
    /* true: handlers run in parallel on the image's threads, with a vault the query handlers; false: one at a
     * time. */
    bool thread_safe;
};

/* Runs until the host closes the instance; call it from main() and return its result. */
int cella_enclave_run(const struct cella_enclave *enclave);

/* Sets the reply to the mail or call that is being handled; the bytes are copied. A second reply in one
 * transaction is CELLA_ARGUMENT. CELLA_LIMIT: larger than max_mail_size of enclave.conf. */
enum cella_status cella_reply(struct cella_transaction *transaction, struct cella_bytes body);

/* Queues mail to a client that has written to this enclave before (with a vault: in whatever instance). It is
 * sent when the handler returns CELLA_OK; with a vault it is kept until the client says that it arrived.
 * CELLA_NOT_FOUND: that client is not known. CELLA_OUTBOX_LIMIT: too much waits for it already. */
enum cella_status cella_post(struct cella_transaction *transaction, const uint8_t recipient[CELLA_KEY_SIZE],
                             const char *topic, struct cella_bytes body);

/* The state: an ordered map from keys to values, both any bytes. Limits are those of enclave.conf. A handler
 * sees its own changes. All are CELLA_NO_VAULT without a vault, and changes CELLA_READ_ONLY in a query. */

/* CELLA_NOT_FOUND. The value is valid until the key is changed or the handler returns. */
enum cella_status cella_get(struct cella_transaction *transaction, struct cella_bytes key,
                            struct cella_bytes *ret_value);
/* Adds or replaces. Over a limit this call alone fails and changes nothing: CELLA_ARGUMENT (empty key),
 * CELLA_KEY_SIZE, CELLA_VALUE_SIZE, CELLA_TRANSACTION_SIZE, CELLA_STATE_SIZE; CELLA_NO_MEMORY. */
enum cella_status cella_put(struct cella_transaction *transaction, struct cella_bytes key,
                            struct cella_bytes value);
/* CELLA_NOT_FOUND. */
enum cella_status cella_delete(struct cella_transaction *transaction, struct cella_bytes key);

/* Keys from `from` on and below `to`, in the order of their bytes; empty ends are open. */
struct cella_range {
    struct cella_bytes from;
    struct cella_bytes to;
    bool backwards;
};
/* How many keys there are in the range; quick also for many. */
enum cella_status cella_count(struct cella_transaction *transaction, const struct cella_range *range,
                              uint64_t *ret_count);

/* Walks a range. Changes made while it walks are allowed; it goes on behind the key that it gave last. */
struct cella_scan;
enum cella_status cella_scan_range(struct cella_transaction *transaction, const struct cella_range *range,
                                   struct cella_scan **ret_scan);
/* All keys that begin with `prefix`. */
enum cella_status cella_scan_prefix(struct cella_transaction *transaction, struct cella_bytes prefix,
                                    struct cella_scan **ret_scan);
/* False: no more keys, or no memory, which cella_scan_free then returns. Key and value are valid until the
 * next call, or as cella_get says. */
bool cella_scan_next(struct cella_scan *scan, struct cella_bytes *ret_key, struct cella_bytes *ret_value);
/* A scan that is not freed lives until the handler returns. NULL is allowed. CELLA_OK or CELLA_NO_MEMORY. */
enum cella_status cella_scan_free(struct cella_scan *scan);

/* Runs `work` once when this transaction is durable, on a thread of the enclave, with a transaction that
 * reads the durable state and may call the host, but changes nothing. If the instance ends before, it never
 * runs: for work that must happen, keep a note of it in the state. `data` is copied. CELLA_NO_MEMORY;
 * CELLA_READ_ONLY. */
enum cella_status cella_after_commit(struct cella_transaction *transaction,
                                     void (*work)(struct cella_transaction *after, struct cella_bytes data),
                                     struct cella_bytes data);

/* Calls the host and waits. Outside the transaction: the bytes leave at once. The reply is valid until the
 * handler returns. The host may call the enclave again meanwhile, to the depth max_call_depth of
 * enclave.conf. CELLA_NO_HANDLER: the host has none; CELLA_CALL_DEPTH; CELLA_NO_MEMORY; CELLA_NOT_STARTED: in
 * the start handler; or the status that the host's handler returned. */
enum cella_status cella_call_host(struct cella_transaction *transaction, struct cella_bytes request,
                                  struct cella_bytes *ret_reply);

/* Randomness of the CPU. CELLA_NO_RANDOM: stop what you are doing. */
enum cella_status cella_random(void *out, size_t size);

/* This instance's own attestation, as clients get it, in memory that the caller frees. It comes through the
 * host, who may withhold it or give an old one: CELLA_UNAVAILABLE. */
enum cella_status cella_attestation(struct cella_transaction *transaction, uint8_t **ret_data,
                                    size_t *ret_size);

/* Signs with the instance's Ed25519 signing key, which the attestation names. The label (1 to 64 printable
 * characters) separates purposes: what is signed is "cella/sign/1", 0, label, 0, message. */
enum cella_status cella_sign(const char *label, struct cella_bytes message,
                             uint8_t ret_signature[CELLA_SIGNATURE_SIZE]);

/* The value of a key of the [application] section of enclave.conf, which is measured; NULL if it is not
 * there. */
const char *cella_setting(const char *key);

/* One line to the host's log; nothing in a release image (debug = false). Never log secrets. */
void cella_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
