/* Randomness. Inside an image it comes from the CPU (RDRAND) alone, never from the host. */
#ifndef CELLA_CRYPTO_RANDOM_H
#define CELLA_CRYPTO_RANDOM_H

#include <cella/status.h>
#include <stdint.h>

/* Fills `out` with `size` bytes fit for keys. CELLA_NO_RANDOM if the source fails: use nothing then. */
enum cella_status cella_random(void *out, size_t size);

#endif
