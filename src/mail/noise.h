/* The Noise protocol framework, revision 34: the patterns N, X, NK and IK with 25519, AESGCM and SHA256.
 * Names are the specification's. One object serves one thread at a time. Must not: know the mail format. */
#ifndef CELLA_MAIL_NOISE_H
#define CELLA_MAIL_NOISE_H

#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "crypto/x25519.h"
#include <cella/bytes.h>
#include <stdbool.h>

#define CELLA_NOISE_MESSAGE_MAX 65535
#define CELLA_NOISE_HASH_SIZE   32
#define CELLA_NOISE_DH_SIZE     32

/* CipherState. n is the next nonce; 2^64-1 is reserved and refused. Zeroed: no key. */
struct cella_noise_cipher {
    struct cella_aead k;
    uint64_t n;
    bool has_key;
};

enum cella_status cella_noise_initialize_key(struct cella_noise_cipher *cipher,
                                             const uint8_t key[CELLA_AEAD_KEY_SIZE]);
/* Without a key the text passes unchanged, as the specification says. `out` gets plain.size bytes and, with a
 * key, a tag. n advances on success only. */
enum cella_status cella_noise_encrypt_with_ad(struct cella_noise_cipher *cipher, struct cella_bytes ad,
                                              struct cella_bytes plain, uint8_t *out);
/* CELLA_AUTHENTICATION: n stays and nothing is released. */
enum cella_status cella_noise_decrypt_with_ad(struct cella_noise_cipher *cipher, struct cella_bytes ad,
                                              struct cella_bytes sealed, uint8_t *out);
/* The same with a stated n and an ad in two parts, for transport messages that carry their own n
 * (section 11.4). Whoever seals sees to it that no n is used twice. */
enum cella_status cella_noise_encrypt_at(struct cella_noise_cipher *cipher, uint64_t n,
                                         const struct cella_bytes ad[2], struct cella_bytes plain,
                                         uint8_t *out);
enum cella_status cella_noise_decrypt_at(struct cella_noise_cipher *cipher, uint64_t n,
                                         const struct cella_bytes ad[2], struct cella_bytes sealed,
                                         uint8_t *out);
/* Wipes and frees; accepts a zeroed object. */
void cella_noise_cipher_deinit(struct cella_noise_cipher *cipher);

/* SymmetricState. */
struct cella_noise_symmetric {
    struct cella_noise_cipher cipher;
    struct cella_hmac hmac;
    uint8_t ck[CELLA_NOISE_HASH_SIZE];
    uint8_t h[CELLA_NOISE_HASH_SIZE];
};

enum cella_noise_pattern {
    CELLA_NOISE_N,
    CELLA_NOISE_X,
    CELLA_NOISE_NK,
    CELLA_NOISE_IK,
};

/* HandshakeState. Made by initialize, ended by deinit; after any failure only deinit is allowed, everything
 * else gives CELLA_ARGUMENT. `s` is borrowed, the rest is owned. */
struct cella_noise_handshake {
    struct cella_noise_symmetric symmetric;
    enum cella_noise_pattern pattern;
    bool initiator;
    bool failed;
    unsigned message; /* index of the next message */
    const struct cella_x25519_key *s;
    struct cella_x25519_key e;
    uint8_t rs[CELLA_NOISE_DH_SIZE];
    uint8_t re[CELLA_NOISE_DH_SIZE];
    /* What cella_noise_prepare has computed beforehand: the key of each DH, and the one of the split. */
    bool prepared;
    unsigned ahead_used;
    struct cella_noise_cipher ahead[2];
    struct cella_noise_cipher ahead_split;
};

struct cella_noise_setup {
    enum cella_noise_pattern pattern;
    bool initiator;
    struct cella_bytes prologue[2];   /* one prologue in two parts; the second may be empty */
    const struct cella_x25519_key *s; /* own static key; NULL where the pattern has none */
    const uint8_t *rs;                /* the peer's static public key, for initiators */
};

/* CELLA_ARGUMENT: a key that the pattern needs is missing. */
enum cella_status cella_noise_handshake_initialize(struct cella_noise_handshake *handshake,
                                                   const struct cella_noise_setup *setup);

/* For the initiator of a one-way pattern, before its message: does whatever of write_message and split can
 * fail. The keys depend on e, s and rs only; the prologue enters the hash. So the prologue may be stated
 * afterwards by bind, which replaces the setup's, and then write_message and split neither fail nor allocate.
 * CELLA_ARGUMENT: another pattern or moment. CELLA_KEY_INVALID, CELLA_NO_RANDOM, CELLA_NO_MEMORY. */
enum cella_status cella_noise_prepare(struct cella_noise_handshake *handshake);
void cella_noise_bind(struct cella_noise_handshake *handshake, const struct cella_bytes prologue[2]);

/* Bytes that the next message has besides its payload. */
size_t cella_noise_overhead(const struct cella_noise_handshake *handshake);

/* Writes payload.size + overhead bytes to `out`. CELLA_ARGUMENT: not this side's turn, or over
 * CELLA_NOISE_MESSAGE_MAX. CELLA_KEY_INVALID: the peer's key has small order. CELLA_NO_RANDOM. */
enum cella_status cella_noise_write_message(struct cella_noise_handshake *handshake,
                                            struct cella_bytes payload, uint8_t *out);
/* Writes message.size - overhead bytes to `payload`. CELLA_AUTHENTICATION: not a message of this handshake
 * (also: too short, or with a key of small order). */
enum cella_status cella_noise_read_message(struct cella_noise_handshake *handshake,
                                           struct cella_bytes message, uint8_t *payload);

/* True when all handshake messages are done. */
bool cella_noise_complete(const struct cella_noise_handshake *handshake);
/* c1 is for messages from the initiator, c2 for those from the responder; in one-way patterns c2 stays unused
 * and may be NULL. Both must be zeroed or in use before. */
enum cella_status cella_noise_split(struct cella_noise_handshake *handshake, struct cella_noise_cipher *c1,
                                    struct cella_noise_cipher *c2);

/* The same as bytes, for a holder that stores them. Secret. */
struct cella_noise_keys {
    uint8_t initiator[CELLA_AEAD_KEY_SIZE];
    uint8_t responder[CELLA_AEAD_KEY_SIZE];
};
enum cella_status cella_noise_split_keys(struct cella_noise_handshake *handshake,
                                         struct cella_noise_keys *ret_keys);

/* A copy to try the next message on, so that a false message does not end the handshake. The copy has no
 * cipher key: the next message must mix one before it encrypts, as the second messages of NK and IK do
 * (CELLA_ARGUMENT else, and for a prepared one). */
enum cella_status cella_noise_handshake_copy(struct cella_noise_handshake *ret_handshake,
                                             const struct cella_noise_handshake *handshake);

/* Wipes and frees; accepts a zeroed object. */
void cella_noise_handshake_deinit(struct cella_noise_handshake *handshake);

#endif
