/* The one OpenSSL library context of the process, private to src/crypto. It never reads a configuration file
 * and uses only the provider that is compiled into libcrypto. */
#ifndef CELLA_CRYPTO_LIBRARY_H
#define CELLA_CRYPTO_LIBRARY_H

#include <openssl/evp.h>

/* Fetched once, lives as long as the process, safe from every thread. A libcrypto that cannot give these is
 * broken beyond use: the first call traps then. */
struct cella_crypto_library {
    OSSL_LIB_CTX *context;
    EVP_MD *sha256;
    EVP_MD *sha384;
    EVP_CIPHER *aes_256_gcm;
    EVP_CIPHER *aes_128_ecb;
    EVP_MAC *hmac;
    EVP_KDF *hkdf;
};

const struct cella_crypto_library *cella_crypto_library(void);

#endif
