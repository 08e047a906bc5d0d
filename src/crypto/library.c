/* The library context. Must not read configuration files or load providers from disk. */
#include "crypto/library.h"
#include "base/error.h"
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <pthread.h>

static struct cella_crypto_library library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) {
    /* NO_LOAD_CONFIG concerns the default context, which other libraries of the process may use; our own
     * context reads no configuration because nothing asks it to. */
    CELLA_ASSERT(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1);
    library.context = OSSL_LIB_CTX_new();
    CELLA_ASSERT(library.context != NULL);
    CELLA_ASSERT(OSSL_PROVIDER_load(library.context, "default") != NULL);
    library.sha256 = EVP_MD_fetch(library.context, "SHA2-256", NULL);
    library.sha384 = EVP_MD_fetch(library.context, "SHA2-384", NULL);
    library.aes_256_gcm = EVP_CIPHER_fetch(library.context, "AES-256-GCM", NULL);
    library.aes_128_ecb = EVP_CIPHER_fetch(library.context, "AES-128-ECB", NULL);
    library.hmac = EVP_MAC_fetch(library.context, "HMAC", NULL);
    library.hkdf = EVP_KDF_fetch(library.context, "HKDF", NULL);
    CELLA_ASSERT(library.sha256 != NULL && library.sha384 != NULL && library.aes_256_gcm != NULL &&
                 library.aes_128_ecb != NULL && library.hmac != NULL && library.hkdf != NULL);
}

const struct cella_crypto_library *cella_crypto_library(void) {
    CELLA_ASSERT(pthread_once(&once, start) == 0);
    return &library;
}
