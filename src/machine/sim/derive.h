/* Everything that a simulated CPU or vendor derives from its one secret. Must not invent: the same secret
 * always gives the same values. */
#ifndef CELLA_MACHINE_SIM_DERIVE_H
#define CELLA_MACHINE_SIM_DERIVE_H

#include "crypto/ecdsa.h"

#define CELLA_SIM_SECRET_SIZE 32

/* HKDF-SHA-256 over `secret`, info = "cella sim 1 " || label || zero byte || context. `context` has at most
 * 512 bytes. CELLA_ARGUMENT, CELLA_CRYPTO. */
enum cella_status cella_sim_derive(const uint8_t secret[CELLA_SIM_SECRET_SIZE], const char *label,
                                   struct cella_bytes context, uint8_t *out, size_t size);

/* A P-256 key pair from the same function. Owned by the caller. */
enum cella_status cella_sim_derive_key(const uint8_t secret[CELLA_SIM_SECRET_SIZE], const char *label,
                                       struct cella_bytes context, struct cella_ecdsa_key **ret_key);

#endif
