/* The key of Intel's SGX root (production). The key is the anchor: Intel has reissued the certificate. */
#ifndef CELLA_ATTEST_ROOTS_INTEL_ROOT_H
#define CELLA_ATTEST_ROOTS_INTEL_ROOT_H

#include <stdint.h>

/* X||Y; SHA-256 of the SubjectPublicKeyInfo is
 * a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e. */
extern const uint8_t cella_intel_root_key[64];

#endif
