/* Noise revision 34, sections 5 and 7. Must not branch on secrets or release a payload before its tag is
 * checked.
 */
#include "mail/noise.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "mail/fixed.h"
#include <string.h>

enum token { END, E, S, EE, ES, SE, SS };

/* Message patterns of section 7. All four have the responder's static key as pre-message. */
struct pattern {
    const char *protocol_name;
    bool initiator_static;
    unsigned message_count;
    enum token messages[2][5];
};

static const struct pattern patterns[] = {
    [CELLA_NOISE_N] = {"Noise_N_25519_AESGCM_SHA256", false, 1, {{E, ES, END}}},
    [CELLA_NOISE_X] = {"Noise_X_25519_AESGCM_SHA256", true, 1, {{E, ES, S, SS, END}}},
    [CELLA_NOISE_NK] = {"Noise_NK_25519_AESGCM_SHA256", false, 2, {{E, ES, END}, {E, EE, END}}},
    [CELLA_NOISE_IK] = {"Noise_IK_25519_AESGCM_SHA256", true, 2, {{E, ES, S, SS, END}, {E, EE, SE, END}}},
};

enum cella_status cella_noise_initialize_key(struct cella_noise_cipher *cipher,
                                             const uint8_t key[CELLA_AEAD_KEY_SIZE]) {
    cipher->has_key = false;
    enum cella_status status = cella_aead_init(&cipher->k, key);
    if (status != CELLA_OK)
        return status;
    cipher->n = 0;
    cipher->has_key = true;
    return CELLA_OK;
}

/* Section 12.4: 32 zero bits, then n in big endian. */
static void nonce_bytes(uint64_t n, uint8_t nonce[CELLA_AEAD_NONCE_SIZE]) {
    memset(nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(n >> (56 - 8 * i));
}

enum cella_status cella_noise_encrypt_at(struct cella_noise_cipher *cipher, uint64_t n,
                                         const struct cella_bytes ad[2], struct cella_bytes plain,
                                         uint8_t *out) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    if (!cipher->has_key)
        return CELLA_ARGUMENT;
    if (n == UINT64_MAX)
        return CELLA_LIMIT;
    nonce_bytes(n, nonce);
    return cella_aead_seal_two(&cipher->k, nonce, ad, plain, out);
}

enum cella_status cella_noise_decrypt_at(struct cella_noise_cipher *cipher, uint64_t n,
                                         const struct cella_bytes ad[2], struct cella_bytes sealed,
                                         uint8_t *out) {
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
    if (!cipher->has_key)
        return CELLA_ARGUMENT;
    if (n == UINT64_MAX)
        return CELLA_LIMIT;
    nonce_bytes(n, nonce);
    return cella_aead_open_two(&cipher->k, nonce, ad, sealed, out);
}

enum cella_status cella_noise_encrypt_with_ad(struct cella_noise_cipher *cipher, struct cella_bytes ad,
                                              struct cella_bytes plain, uint8_t *out) {
    if (!cipher->has_key) {
        if (plain.size > 0)
            memmove(out, plain.data, plain.size);
        return CELLA_OK;
    }
    const struct cella_bytes parts[2] = {ad, {0}};
    enum cella_status status = cella_noise_encrypt_at(cipher, cipher->n, parts, plain, out);
    if (status == CELLA_OK)
        cipher->n++;
    return status;
}

enum cella_status cella_noise_decrypt_with_ad(struct cella_noise_cipher *cipher, struct cella_bytes ad,
                                              struct cella_bytes sealed, uint8_t *out) {
    if (!cipher->has_key) {
        if (sealed.size > 0)
            memmove(out, sealed.data, sealed.size);
        return CELLA_OK;
    }
    const struct cella_bytes parts[2] = {ad, {0}};
    enum cella_status status = cella_noise_decrypt_at(cipher, cipher->n, parts, sealed, out);
    if (status == CELLA_OK)
        cipher->n++;
    return status;
}

void cella_noise_cipher_deinit(struct cella_noise_cipher *cipher) {
    cella_aead_deinit(&cipher->k);
    *cipher = (struct cella_noise_cipher){0};
}

static void mix_hash(struct cella_noise_symmetric *symmetric, struct cella_bytes first,
                     struct cella_bytes second) {
    uint8_t small[CELLA_NOISE_HASH_SIZE + 128];
    if (first.size + second.size <= 128) {
        memcpy(small, symmetric->h, sizeof symmetric->h);
        if (first.size > 0)
            memcpy(small + sizeof symmetric->h, first.data, first.size);
        if (second.size > 0)
            memcpy(small + sizeof symmetric->h + first.size, second.data, second.size);
        cella_sha256(small, sizeof symmetric->h + first.size + second.size, symmetric->h);
        return;
    }
    struct cella_sha256 hash;
    cella_sha256_init(&hash);
    cella_sha256_update(&hash, symmetric->h, sizeof symmetric->h);
    cella_sha256_update(&hash, first.data, first.size);
    cella_sha256_update(&hash, second.data, second.size);
    cella_sha256_digest(&hash, symmetric->h);
    cella_sha256_deinit(&hash);
}

static void mix_hash_one(struct cella_noise_symmetric *symmetric, const void *data, size_t size) {
    mix_hash(symmetric, CELLA_BYTES(data, size), (struct cella_bytes){0});
}

/* Section 4.3: HKDF with two outputs. */
static enum cella_status hkdf_two(struct cella_hmac *hmac, const uint8_t ck[CELLA_NOISE_HASH_SIZE],
                                  struct cella_bytes material, uint8_t out[2][CELLA_NOISE_HASH_SIZE]) {
    static const uint8_t one = 1, two = 2;
    uint8_t temp_key[CELLA_HMAC_SIZE];
    struct cella_bytes none = {0}, key = CELLA_BYTES(temp_key, sizeof temp_key);
    enum cella_status status =
        cella_hmac_compute(hmac, CELLA_BYTES(ck, CELLA_NOISE_HASH_SIZE), material, none, temp_key);
    if (status == CELLA_OK)
        status = cella_hmac_compute(hmac, key, CELLA_BYTES(&one, 1), none, out[0]);
    if (status == CELLA_OK)
        status =
            cella_hmac_compute(hmac, key, CELLA_BYTES(out[0], CELLA_HMAC_SIZE), CELLA_BYTES(&two, 1), out[1]);
    cella_wipe(temp_key, sizeof temp_key);
    return status;
}

static enum cella_status mix_key(struct cella_noise_symmetric *symmetric, struct cella_bytes material) {
    uint8_t out[2][CELLA_NOISE_HASH_SIZE];
    enum cella_status status = hkdf_two(&symmetric->hmac, symmetric->ck, material, out);
    if (status == CELLA_OK) {
        memcpy(symmetric->ck, out[0], sizeof symmetric->ck);
        status = cella_noise_initialize_key(&symmetric->cipher, out[1]);
    }
    cella_wipe(out, sizeof out);
    return status;
}

static size_t tag_size(const struct cella_noise_symmetric *symmetric) {
    return symmetric->cipher.has_key ? CELLA_AEAD_TAG_SIZE : 0;
}

static enum cella_status encrypt_and_hash(struct cella_noise_symmetric *symmetric, struct cella_bytes plain,
                                          uint8_t *out) {
    size_t size = plain.size + tag_size(symmetric);
    enum cella_status status = cella_noise_encrypt_with_ad(
        &symmetric->cipher, CELLA_BYTES(symmetric->h, sizeof symmetric->h), plain, out);
    if (status == CELLA_OK)
        mix_hash_one(symmetric, out, size);
    return status;
}

static enum cella_status decrypt_and_hash(struct cella_noise_symmetric *symmetric, struct cella_bytes sealed,
                                          uint8_t *out) {
    /* The hash of the ciphertext comes first, because `out` may be where it lies. */
    struct cella_noise_symmetric next = {0};
    memcpy(next.h, symmetric->h, sizeof next.h);
    mix_hash_one(&next, sealed.data, sealed.size);
    enum cella_status status = cella_noise_decrypt_with_ad(
        &symmetric->cipher, CELLA_BYTES(symmetric->h, sizeof symmetric->h), sealed, out);
    if (status == CELLA_OK)
        memcpy(symmetric->h, next.h, sizeof symmetric->h);
    return status;
}

void cella_noise_bind(struct cella_noise_handshake *handshake, const struct cella_bytes prologue[2]) {
    const char *name = patterns[handshake->pattern].protocol_name;
    struct cella_noise_symmetric *symmetric = &handshake->symmetric;
    /* Every name is at most 32 bytes long, so h is the name itself, filled up with zeros. */
    memset(symmetric->h, 0, sizeof symmetric->h);
    memcpy(symmetric->h, name, strlen(name));
    mix_hash(symmetric, prologue[0], prologue[1]);
    mix_hash_one(symmetric, handshake->initiator ? handshake->rs : handshake->s->public_key,
                 CELLA_NOISE_DH_SIZE);
}

enum cella_status cella_noise_handshake_initialize(struct cella_noise_handshake *handshake,
                                                   const struct cella_noise_setup *setup) {
    const struct pattern *pattern = &patterns[setup->pattern];
    bool needs_s = setup->initiator ? pattern->initiator_static : true;
    if ((needs_s && setup->s == NULL) || (setup->initiator && setup->rs == NULL))
        return CELLA_ARGUMENT;
    *handshake = (struct cella_noise_handshake){
        .pattern = setup->pattern, .initiator = setup->initiator, .s = setup->s};
    struct cella_noise_symmetric *symmetric = &handshake->symmetric;
    enum cella_status status = cella_hmac_init(&symmetric->hmac);
    if (status != CELLA_OK)
        return status;
    memcpy(symmetric->ck, pattern->protocol_name, strlen(pattern->protocol_name));
    if (setup->initiator)
        memcpy(handshake->rs, setup->rs, CELLA_NOISE_DH_SIZE);
    cella_noise_bind(handshake, setup->prologue);
    return CELLA_OK;
}

enum cella_status cella_noise_fix_ephemeral(struct cella_noise_handshake *handshake,
                                            const uint8_t ephemeral[CELLA_X25519_SIZE]) {
    cella_x25519_deinit(&handshake->e);
    return cella_x25519_from_private(&handshake->e, ephemeral);
}

size_t cella_noise_overhead(const struct cella_noise_handshake *handshake) {
    bool key = handshake->symmetric.cipher.has_key;
    size_t size = 0;
    if (cella_noise_complete(handshake))
        return 0;
    for (const enum token *token = patterns[handshake->pattern].messages[handshake->message]; *token != END;
         token++) {
        if (*token == E)
            size += CELLA_NOISE_DH_SIZE;
        else if (*token == S)
            size += key ? CELLA_NOISE_DH_SIZE + CELLA_AEAD_TAG_SIZE : CELLA_NOISE_DH_SIZE;
        else
            key = true;
    }
    return size + (key ? CELLA_AEAD_TAG_SIZE : 0);
}

bool cella_noise_complete(const struct cella_noise_handshake *handshake) {
    return handshake->message >= patterns[handshake->pattern].message_count;
}

static void move_cipher(struct cella_noise_cipher *to, struct cella_noise_cipher *from) {
    cella_noise_cipher_deinit(to);
    *to = *from;
    *from = (struct cella_noise_cipher){0};
}

/* The four DH tokens: the first letter is the initiator's key, the second the responder's. */
static enum cella_status mix_dh(struct cella_noise_handshake *handshake, enum token token) {
    if (handshake->prepared) {
        move_cipher(&handshake->symmetric.cipher, &handshake->ahead[handshake->ahead_used++]);
        return CELLA_OK;
    }
    bool own_e = token == EE || token == (handshake->initiator ? ES : SE);
    bool peer_e = token == EE || token == (handshake->initiator ? SE : ES);
    const struct cella_x25519_key *own = own_e ? &handshake->e : handshake->s;
    struct cella_x25519_secret secret;
    enum cella_status status = cella_x25519_shared(own, peer_e ? handshake->re : handshake->rs, &secret);
    if (status == CELLA_OK)
        status = mix_key(&handshake->symmetric, CELLA_BYTES(secret.bytes, sizeof secret.bytes));
    cella_wipe(&secret, sizeof secret);
    return status;
}

static enum cella_status write_token(struct cella_noise_handshake *handshake, enum token token,
                                     uint8_t **out) {
    enum cella_status status = CELLA_OK;
    if (token == E) {
        if (handshake->e.prepared == NULL)
            status = cella_x25519_generate(&handshake->e);
        if (status != CELLA_OK)
            return status;
        memcpy(*out, handshake->e.public_key, CELLA_NOISE_DH_SIZE);
        mix_hash_one(&handshake->symmetric, *out, CELLA_NOISE_DH_SIZE);
        *out += CELLA_NOISE_DH_SIZE;
        return CELLA_OK;
    }
    if (token != S)
        return mix_dh(handshake, token);
    size_t size = CELLA_NOISE_DH_SIZE + tag_size(&handshake->symmetric);
    status = encrypt_and_hash(&handshake->symmetric,
                              CELLA_BYTES(handshake->s->public_key, CELLA_NOISE_DH_SIZE), *out);
    *out += size;
    return status;
}

static enum cella_status read_token(struct cella_noise_handshake *handshake, enum token token,
                                    const uint8_t **in) {
    if (token == E) {
        memcpy(handshake->re, *in, CELLA_NOISE_DH_SIZE);
        mix_hash_one(&handshake->symmetric, *in, CELLA_NOISE_DH_SIZE);
        *in += CELLA_NOISE_DH_SIZE;
        return CELLA_OK;
    }
    if (token != S)
        return mix_dh(handshake, token);
    size_t size = CELLA_NOISE_DH_SIZE + tag_size(&handshake->symmetric);
    enum cella_status status = decrypt_and_hash(&handshake->symmetric, CELLA_BYTES(*in, size), handshake->rs);
    *in += size;
    return status;
}

static bool turn_is(const struct cella_noise_handshake *handshake, bool writer) {
    bool initiator_writes = handshake->message % 2 == 0;
    return !handshake->failed && !cella_noise_complete(handshake) &&
           (writer ? handshake->initiator == initiator_writes : handshake->initiator != initiator_writes);
}

enum cella_status cella_noise_prepare(struct cella_noise_handshake *handshake) {
    const struct pattern *pattern = &patterns[handshake->pattern];
    uint8_t out[2][CELLA_NOISE_HASH_SIZE];
    if (!turn_is(handshake, true) || pattern->message_count != 1 || handshake->prepared)
        return CELLA_ARGUMENT;
    enum cella_status status =
        handshake->e.prepared == NULL ? cella_x25519_generate(&handshake->e) : CELLA_OK;
    unsigned count = 0;
    for (const enum token *token = pattern->messages[0]; *token != END && status == CELLA_OK; token++)
        if (*token != E && *token != S) {
            status = mix_dh(handshake, *token);
            move_cipher(&handshake->ahead[count++], &handshake->symmetric.cipher);
        }
    if (status == CELLA_OK)
        status = hkdf_two(&handshake->symmetric.hmac, handshake->symmetric.ck, (struct cella_bytes){0}, out);
    if (status == CELLA_OK)
        status = cella_noise_initialize_key(&handshake->ahead_split, out[0]);
    cella_wipe(out, sizeof out);
    handshake->prepared = status == CELLA_OK;
    handshake->failed = status != CELLA_OK;
    return status;
}

enum cella_status cella_noise_write_message(struct cella_noise_handshake *handshake,
                                            struct cella_bytes payload, uint8_t *out) {
    if (!turn_is(handshake, true) || payload.size > CELLA_NOISE_MESSAGE_MAX - cella_noise_overhead(handshake))
        return CELLA_ARGUMENT;
    enum cella_status status = CELLA_OK;
    for (const enum token *token = patterns[handshake->pattern].messages[handshake->message];
         *token != END && status == CELLA_OK; token++)
        status = write_token(handshake, *token, &out);
    if (status == CELLA_OK)
        status = encrypt_and_hash(&handshake->symmetric, payload, out);
    handshake->failed = status != CELLA_OK;
    handshake->message++;
    return status;
}

enum cella_status cella_noise_read_message(struct cella_noise_handshake *handshake,
                                           struct cella_bytes message, uint8_t *payload) {
    if (!turn_is(handshake, false))
        return CELLA_ARGUMENT;
    enum cella_status status = CELLA_OK;
    if (message.size < cella_noise_overhead(handshake) || message.size > CELLA_NOISE_MESSAGE_MAX)
        status = CELLA_AUTHENTICATION;
    const uint8_t *in = message.data;
    for (const enum token *token = patterns[handshake->pattern].messages[handshake->message];
         *token != END && status == CELLA_OK; token++)
        status = read_token(handshake, *token, &in);
    if (status == CELLA_OK)
        status = decrypt_and_hash(&handshake->symmetric,
                                  CELLA_BYTES(in, message.size - (size_t)(in - message.data)), payload);
    /* A peer key of small order is the sender's doing, like any other byte that does not belong here. */
    if (status == CELLA_KEY_INVALID)
        status = CELLA_AUTHENTICATION;
    handshake->failed = status != CELLA_OK;
    handshake->message++;
    return status;
}

enum cella_status cella_noise_split_keys(struct cella_noise_handshake *handshake,
                                         struct cella_noise_keys *ret_keys) {
    uint8_t out[2][CELLA_NOISE_HASH_SIZE];
    if (handshake->failed || !cella_noise_complete(handshake))
        return CELLA_ARGUMENT;
    enum cella_status status =
        hkdf_two(&handshake->symmetric.hmac, handshake->symmetric.ck, (struct cella_bytes){0}, out);
    if (status == CELLA_OK) {
        memcpy(ret_keys->initiator, out[0], sizeof ret_keys->initiator);
        memcpy(ret_keys->responder, out[1], sizeof ret_keys->responder);
    }
    cella_wipe(out, sizeof out);
    return status;
}

enum cella_status cella_noise_split(struct cella_noise_handshake *handshake, struct cella_noise_cipher *c1,
                                    struct cella_noise_cipher *c2) {
    struct cella_noise_keys keys;
    if (handshake->prepared && c2 == NULL && !handshake->failed && cella_noise_complete(handshake)) {
        move_cipher(c1, &handshake->ahead_split);
        return CELLA_OK;
    }
    enum cella_status status = cella_noise_split_keys(handshake, &keys);
    if (status == CELLA_OK)
        status = cella_noise_initialize_key(c1, keys.initiator);
    if (status == CELLA_OK && c2 != NULL)
        status = cella_noise_initialize_key(c2, keys.responder);
    cella_wipe(&keys, sizeof keys);
    return status;
}

enum cella_status cella_noise_handshake_copy(struct cella_noise_handshake *ret_handshake,
                                             const struct cella_noise_handshake *handshake) {
    if (handshake->prepared)
        return CELLA_ARGUMENT;
    struct cella_noise_handshake copy = *handshake;
    copy.symmetric.hmac = (struct cella_hmac){0};
    copy.symmetric.cipher.k = (struct cella_aead){0};
    copy.e = (struct cella_x25519_key){0};
    enum cella_status status = cella_hmac_init(&copy.symmetric.hmac);
    if (status == CELLA_OK && handshake->e.prepared != NULL)
        status = cella_x25519_copy(&copy.e, &handshake->e);
    if (status == CELLA_OK)
        *ret_handshake = copy;
    else
        cella_hmac_deinit(&copy.symmetric.hmac);
    cella_wipe(&copy, sizeof copy);
    return status;
}

void cella_noise_handshake_deinit(struct cella_noise_handshake *handshake) {
    cella_noise_cipher_deinit(&handshake->symmetric.cipher);
    cella_noise_cipher_deinit(&handshake->ahead[0]);
    cella_noise_cipher_deinit(&handshake->ahead[1]);
    cella_noise_cipher_deinit(&handshake->ahead_split);
    cella_hmac_deinit(&handshake->symmetric.hmac);
    cella_x25519_deinit(&handshake->e);
    cella_wipe(handshake, sizeof *handshake);
}
