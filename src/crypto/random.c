/* Randomness of the host side, from libcrypto's generator. Images have their own: src/enclave/random.c. */
#include "crypto/random.h"
#include "base/secret.h"
#include "crypto/library.h"
#include <openssl/rand.h>

enum cella_status cella_random(void *out, size_t size) {
    if (size == 0)
        return CELLA_OK;
    if (RAND_priv_bytes_ex(cella_crypto_library()->context, out, size, 256) == 1)
        return CELLA_OK;
    cella_wipe(out, size);
    return CELLA_NO_RANDOM;
}
