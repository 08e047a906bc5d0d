/* The primitives of libcrypto as a program uses them that does nothing else: what the figures are measured
 * against. Keys and contexts are prepared once, outside the measured time. */
#ifndef CELLA_BENCH_RAW_H
#define CELLA_BENCH_RAW_H

#include <stddef.h>
#include <stdint.h>

/* One X25519 key pair and a peer's public key. */
struct raw_x25519 {
    void *own;
    void *peer;
};
void raw_x25519_init(struct raw_x25519 *raw);
void raw_x25519_run(struct raw_x25519 *raw);
void raw_x25519_deinit(struct raw_x25519 *raw);

/* AES-256-GCM with one key: sets a nonce, encrypts (or decrypts and checks) `size` bytes with 16 bytes of
 * associated data. `out` of seal has room for a tag behind the text. */
struct raw_aead {
    void *seal;
    void *open;
    uint64_t nonce;
};
void raw_aead_init(struct raw_aead *raw);
void raw_aead_seal(struct raw_aead *raw, const uint8_t *plain, size_t size, uint8_t *out);
/* Opens what the last seal made. */
void raw_aead_open(struct raw_aead *raw, const uint8_t *sealed, size_t size, uint8_t *out);
void raw_aead_deinit(struct raw_aead *raw);

/* One ECDSA P-256 signature of SHA-256 over `size` bytes, and its verification. */
struct raw_ecdsa {
    void *key;
    uint8_t message[2048];
    size_t size;
    uint8_t signature[80];
    size_t signature_size;
};
void raw_ecdsa_init(struct raw_ecdsa *raw, size_t size);
void raw_ecdsa_verify(struct raw_ecdsa *raw);
void raw_ecdsa_deinit(struct raw_ecdsa *raw);

#endif
