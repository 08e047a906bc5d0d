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

/* What a handler does that takes effect only if it returns CELLA_OK: its reply and its posts. Valid until the
 * handler returns; belongs to the thread that runs the handler. */
struct cella_transaction;

/* The program's handlers. Every member but `mail` may be NULL. A handler that returns another status than
 * CELLA_OK leaves nothing behind: no reply, no post, now or later. The host learns the status, in release
 * images not the text. */
struct cella_enclave {
    /* Once, before the first mail. A failure ends the instance. */
    enum cella_status (*start)(void);
    /* Once, on an orderly close only. */
    void (*stop)(void);
    enum cella_status (*mail)(struct cella_transaction *transaction, const struct cella_mail *mail);
    /* A call by the host, which is not trusted: `request` is whatever it likes. */
    enum cella_status (*call)(struct cella_transaction *transaction, struct cella_bytes request);
    /* true: handlers run in parallel on the image's threads; false: one at a time. */
    bool thread_safe;
};

/* Runs until the host closes the instance; call it from main() and return its result. */
int cella_enclave_run(const struct cella_enclave *enclave);

/* Sets the reply to the mail or call that is being handled; the bytes are copied. A second reply in one
 * transaction is CELLA_ARGUMENT. CELLA_LIMIT: larger than max_mail_size of enclave.conf. */
enum cella_status cella_reply(struct cella_transaction *transaction, struct cella_bytes body);

/* Queues mail to a client that has written to this instance before, now or in a later transaction. It is sent
 * when the handler returns CELLA_OK. CELLA_NOT_FOUND: that client is not known to this instance. */
enum cella_status cella_post(struct cella_transaction *transaction, const uint8_t recipient[CELLA_KEY_SIZE],
                             const char *topic, struct cella_bytes body);

/* Calls the host and waits. Outside the transaction: the bytes leave at once. The reply is valid until the
 * handler returns. The host may call the enclave again meanwhile, to the depth max_call_depth of
 * enclave.conf. CELLA_NO_HANDLER: the host has none; CELLA_CALL_DEPTH; or the status that the host's handler
 * returned. */
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
