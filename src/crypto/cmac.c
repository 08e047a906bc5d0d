/* AES-128-CMAC over libcrypto. Must not keep a key after the call. */
#include "crypto/cmac.h"
#include "base/error.h"
#include "crypto/library.h"
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>

static EVP_MAC *mac;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void) {
    mac = EVP_MAC_fetch(cella_crypto_library()->context, "CMAC", NULL);
    CELLA_ASSERT(mac != NULL);
}

void cella_cmac(const uint8_t key[CELLA_CMAC_KEY_SIZE], struct cella_bytes message,
                uint8_t out[CELLA_CMAC_SIZE]) {
    CELLA_ASSERT(pthread_once(&once, fetch) == 0);
    char cipher[] = "AES-128-CBC";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                               OSSL_PARAM_construct_end()};
    size_t size = 0;
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    CELLA_ASSERT(context != NULL);
    CELLA_ASSERT(EVP_MAC_init(context, key, CELLA_CMAC_KEY_SIZE, parameters) == 1);
    CELLA_ASSERT(message.size == 0 || EVP_MAC_update(context, message.data, message.size) == 1);
    CELLA_ASSERT(EVP_MAC_final(context, out, &size, CELLA_CMAC_SIZE) == 1 && size == CELLA_CMAC_SIZE);
    EVP_MAC_CTX_free(context);
}
