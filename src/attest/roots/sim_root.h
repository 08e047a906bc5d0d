/* The root certificate of the default simulated vendor, whose private key everyone can derive
 * (formats/sim-machine.md). What chains to it is INSECURE, whatever else holds. */
#ifndef CELLA_ATTEST_ROOTS_SIM_ROOT_H
#define CELLA_ATTEST_ROOTS_SIM_ROOT_H

#include <stddef.h>
#include <stdint.h>

#define CELLA_SIM_ROOT_SIZE 600

/* DER; "CN=INSECURE Cella Simulated SGX Root CA". The key is the anchor: the same key may come in a
 * certificate with another signature. */
extern const uint8_t cella_sim_root[CELLA_SIM_ROOT_SIZE];
/* The same key, X||Y. */
extern const uint8_t cella_sim_root_key[64];

#endif
