/* Randomness inside an image: the CPU's own generator (RDRAND, SP 800-90A conditioned), asked directly.
 * libcrypto's generator would seed itself from it and then make system calls, each of which is a trap, for
 * every number. */
#include "crypto/random.h"
#include "enclave/inside.h"

enum cella_status cella_random(void *out, size_t size) {
    cella_rdrand_fill(out, size);
    return CELLA_OK;
}
