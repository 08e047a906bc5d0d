/* libcrypto's view of an ECDSA key, for the other files of src/crypto only. */
#ifndef CELLA_CRYPTO_ECDSA_PKEY_H
#define CELLA_CRYPTO_ECDSA_PKEY_H

#include "crypto/ecdsa.h"
#include <openssl/evp.h>

/* The pair as libcrypto holds it; valid as long as `key`. */
EVP_PKEY *cella_ecdsa_key_pkey(const struct cella_ecdsa_key *key);

/* The public key X||Y for libcrypto; the caller frees it with EVP_PKEY_free. CELLA_KEY_INVALID. */
enum cella_status cella_ecdsa_public_pkey(const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                          EVP_PKEY **ret_pkey);

#endif
