/* A client of one enclave: checks what runs before it speaks, sends encrypted mail, takes replies, goes on by
 * itself when the instance was restarted, and notices when the enclave's state is not the newest. Trusts no
 * host. Must not: send anything to an instance that does not satisfy the constraint.
 *
 * What holds with an enclave that has a vault, over any number of restarts, kills and crashes on both sides:
 *
 * A request is done once or not at all. It is asked again under its name until it is answered; the enclave
 * knows by the name that it was done, and gives the stored reply.
 *
 * Posts wait in the vault until this client says that they arrived, and are taken once, in order.
 *
 * Every answer and post shows a state that the vault signed. This client keeps the newest it has seen, on
 * disk before the caller gets what showed it, and accepts nothing that does not go on from there: a state
 * that was rolled back or forked is CELLA_VAULT_FORK, whoever else it has served since.
 *
 * A client without a state_path knows this as long as it lives. With an enclave without a vault each instance
 * begins anew: requests under way when it ends are CELLA_CLIENT_UNKNOWN_OUTCOME, posts that wait are lost. */
#ifndef CELLA_CLIENT_H
#define CELLA_CLIENT_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_CLIENT_KEY_SIZE   32
#define CELLA_CLIENT_ROUTE_SIZE 16
#define CELLA_CLIENT_NONCE_SIZE 32

/* One thread at a time uses a client. */
struct cella_client;

/* Asks for the next post, as cella_host_poll in cella/host.h does. */
struct cella_client_poll_request {
    const uint8_t *route; /* CELLA_CLIENT_ROUTE_SIZE bytes */
    const uint8_t *have;  /* names the post that arrived last, or NULL */
    unsigned wait_ms;
};

/* How bytes reach the host: HTTP by default, or anything that does these three. Each blocks; each reply is
 * memory from malloc that the client frees. CELLA_UNAVAILABLE means that the request may or may not have
 * arrived; every other failure that the host reports comes as its own status with its message. */
struct cella_client_transport {
    void *context;
    enum cella_status (*attestation)(void *context, const uint8_t nonce[CELLA_CLIENT_NONCE_SIZE],
                                     uint8_t **ret_data, size_t *ret_size, struct cella_error *error);
    enum cella_status (*mail)(void *context, const uint8_t route[CELLA_CLIENT_ROUTE_SIZE],
                              struct cella_bytes mail, uint8_t **ret_reply, size_t *ret_reply_size,
                              struct cella_error *error);
    /* No post in time: CELLA_OK with size 0. */
    enum cella_status (*poll)(void *context, const struct cella_client_poll_request *request,
                              uint8_t **ret_mail, size_t *ret_mail_size, struct cella_error *error);
};

struct cella_host_enclave;
/* A transport to an enclave of a host in this same program (cella/host.h). The enclave must outlive it. */
struct cella_client_transport cella_client_transport_host(struct cella_host_enclave *enclave);

/* Every NULL and 0 takes the default that is named beside it. Strings are copied. */
struct cella_client_options {
    const char *state_path; /* NULL: nothing is kept; a client that is freed is forgotten */
    const char *url;        /* of the host, "https://host:7700"; not needed with a transport */
    const char *enclave;    /* name at that host; not needed with a transport */
    const char
        *constraint; /* which instances are acceptable; with cella_client_open NULL keeps the stored one */
    const struct cella_client_transport *transport; /* NULL: HTTP; copied, its context is borrowed */
    const char *ca_path;      /* certificates (PEM) that a https host must chain to; NULL: the system's */
    unsigned timeout_ms;      /* 30,000: of one exchange with the host */
    unsigned attempt_limit;   /* 5: attempts of one request, with growing pauses between them */
    size_t mail_limit;        /* 64 MiB: of one reply or post */
    bool no_padding;          /* bodies are not rounded up to size classes: their sizes show */
    bool empty_first_message; /* sends nothing of a request before the enclave has proven its fresh key */
    bool look_only; /* cella_client_open for cella_client_attest alone: no file is written or locked, and
                       what would have to be kept (mail, polls) is CELLA_ARGUMENT */
    int64_t (*now)(void *context);             /* seconds of Unix time; NULL: the system clock */
    void (*pause)(void *context, unsigned ms); /* between attempts; NULL: sleeps */
    void *time_context;                        /* of both */
};

/* Makes a client with a new key. With a state_path the file is created (mode 0600); CELLA_EXISTS if there is
 * one: it is never overwritten. Talks to nobody. url and enclave, and constraint, may be left out until it is
 * opened to speak: so a key can be known before the image that names it. CELLA_CLIENT_URL, and what the
 * constraint's parser says. */
enum cella_status cella_client_new(const struct cella_client_options *options,
                                   struct cella_client **ret_client, struct cella_error *error);

/* Opens the client in state_path. url, enclave and constraint may be given to replace the stored ones: in the
 * file they do after the first instance that was attested under them, so a wrong one spoils no client.
 * CELLA_NOT_FOUND, CELLA_PERMISSION (others may read the file), CELLA_CLIENT_STATE (damaged: it is kept as it
 * is), CELLA_CLIENT_BUSY (another process has it open). */
enum cella_status cella_client_open(const struct cella_client_options *options,
                                    struct cella_client **ret_client, struct cella_error *error);

/* Writes what was received since the last call. Whatever must be on disk before mail leaves, or before a
 * result is given, is written by the calls below on their own. A result counts as received with the next call
 * or with this one: after a crash before that, a post is returned once more, and a request is in doubt (the
 * same one again gets its reply once more, and is not done twice). */
enum cella_status cella_client_save(struct cella_client *client, struct cella_error *error);

/* Saves if it can, frees and wipes; NULL is allowed. */
void cella_client_free(struct cella_client *client);

/* The client's static X25519 public key: what an enclave sees as `sender`. */
void cella_client_public_key(const struct cella_client *client, uint8_t ret_key[CELLA_CLIENT_KEY_SIZE]);

/* Asks for fresh evidence under a nonce of this client's own and checks all of it at the current time.
 * Requests do it by themselves when needed; call it to look before sending. `*ret_attestation` (may be NULL)
 * is valid until the next call: a file for cella/verify.h. A constraint that does not hold is the
 * constraint's own status with the rule in the message. */
enum cella_status cella_client_attest(struct cella_client *client, struct cella_bytes *ret_attestation,
                                      struct cella_error *error);

/* One mail that was received. */
struct cella_client_mail {
    char *topic;
    uint64_t sequence;
    uint8_t *envelope;
    size_t envelope_size;
    uint8_t *body;
    size_t body_size;
};

/* Wipes and frees what is inside; accepts a zeroed one. */
void cella_client_mail_deinit(struct cella_client_mail *mail);

/* Which of the enclave's keys a one-shot mail is sealed to. */
enum cella_client_key {
    CELLA_CLIENT_KEY_SESSION, /* dies with the instance */
    CELLA_CLIENT_KEY_MAILBOX, /* outlives it if the enclave has a vault; CELLA_NOT_FOUND if it has none */
};

/* What is sent: topic 1 to 255 letters, digits and '-'; NULL is "default". The host can read topic and
 * envelope, not the body. */
struct cella_client_request {
    const char *topic;
    struct cella_bytes envelope;
    struct cella_bytes body;
};

/* Sends a request in the session and waits for its reply; makes the session first if there is none. A reply
 * that is lost is asked for again under the same name, with growing pauses, also of another instance, which
 * is attested first. `*ret_replied` (may be NULL) false: the handler sent no reply.
 *
 * Not done: CELLA_HANDLER_FAILED (the handler refused, nothing of it took effect), CELLA_STORAGE_FULL and the
 * like (the enclave's disk cannot write), and other refusals on the way. A refusal is the host's word: if it
 * lied and the request was done, the next one on this topic ends with CELLA_MAIL_NAME_USED.
 *
 * In doubt: CELLA_UNAVAILABLE (no answer after all attempts), CELLA_COMMIT_PENDING (done, but not yet safe on
 * disk), CELLA_VAULT_PROOF (an answer came and does not show that it goes on from what this client knows),
 * and whatever this client's own disk reports. Calling again with the same request asks again under the same
 * name; until that is answered another request on this topic is CELLA_CLIENT_PENDING (cella_client_give_up
 * ends that).
 *
 * CELLA_CLIENT_UNKNOWN_OUTCOME, once: what was in doubt on this topic went down with an instance without a
 * vault, or by a restore. CELLA_VAULT_FORK: the vault was rolled back or forked. If this client has found it,
 * the evidence is in the file that the message names (STATE_PATH.fork-N), and nothing but a hello is said to
 * the vault until it shows the right history again; else it is the host's word, as CELLA_VAULT_STOPPED is,
 * and changes nothing here. CELLA_VAULT_RESTORED, once: the owners brought the vault back to an older state;
 * the message names the lost range. This request was not sent (one to the mailbox key is in doubt); the next
 * ones are, to the restored vault. CELLA_VAULT_RESTORE: a restore that the owners did not sign.
 * CELLA_CLIENT_OTHER_VAULT: the instance has another vault or other wardens than the one that this client
 * began with. CELLA_MAIL_UNKNOWN_HISTORY: the enclave has forgotten this client, or this client's memory was
 * lost; it begins anew with the next call. */
enum cella_status cella_client_request(struct cella_client *client,
                                       const struct cella_client_request *request, bool *ret_replied,
                                       struct cella_client_mail *ret_reply, struct cella_error *error);

/* One-shot mail: no session, weaker forward secrecy. Otherwise as a request. */
enum cella_status cella_client_send(struct cella_client *client, enum cella_client_key key,
                                    const struct cella_client_request *request, bool *ret_replied,
                                    struct cella_client_mail *ret_reply, struct cella_error *error);

/* Gives up the unanswered request of a topic: the next one there may be another, and copes with the enclave
 * having done the first. CELLA_NOT_FOUND: all are answered. */
enum cella_status cella_client_give_up(struct cella_client *client, const char *topic,
                                       struct cella_error *error);

/* Asks a question that changes nothing: it is answered from the last durable state, beside whatever else
 * runs, and has no name, so it can be asked as often as one likes. In a session only; says hello first if
 * there is none. Statuses as of a request; nothing of it is ever in doubt. CELLA_NO_HANDLER: the enclave
 * answers no queries. */
enum cella_status cella_client_query(struct cella_client *client, const struct cella_client_request *request,
                                     bool *ret_replied, struct cella_client_mail *ret_reply,
                                     struct cella_error *error);

/* The next post to this client; waits up to `wait_ms`, and little longer. `*ret_arrived` false: none came. A
 * new instance is met on the way, and tells again what did not arrive. CELLA_MAIL_POST_MISSING: one is held
 * back, also after it was asked for again; the next poll goes on behind it. What a post shows of the vault is
 * judged as with a request. */
enum cella_status cella_client_poll(struct cella_client *client, unsigned wait_ms, bool *ret_arrived,
                                    struct cella_client_mail *ret_mail, struct cella_error *error);

/* The newest state of the vault that this client has seen, signed by the vault, as a file that anyone can
 * check (formats/head-file.md): two clients that never spoke to each other compare theirs with `cella vault
 * explain`. The caller frees with free(). CELLA_NO_VAULT; CELLA_NOT_FOUND: nothing was seen yet. */
enum cella_status cella_client_head(const struct cella_client *client, uint8_t **ret_data, size_t *ret_size,
                                    struct cella_error *error);

/* The evidence of the newest fork that this client found since it was opened, as the file beside its state
 * holds it. Valid until the next call. CELLA_NOT_FOUND. */
enum cella_status cella_client_fork_evidence(const struct cella_client *client,
                                             struct cella_bytes *ret_evidence, struct cella_error *error);

#endif
