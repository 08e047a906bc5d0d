/* AES-128-CMAC (NIST SP 800-38B), the code over an SGX REPORT. */
#ifndef CELLA_CRYPTO_CMAC_H
#define CELLA_CRYPTO_CMAC_H

#include <cella/bytes.h>

#define CELLA_CMAC_SIZE     16
#define CELLA_CMAC_KEY_SIZE 16

/* One message, one call. Cannot fail: a libcrypto without AES-CMAC is broken and traps. Compare codes with
 * cella_equal_secret. */
void cella_cmac(const uint8_t key[CELLA_CMAC_KEY_SIZE], struct cella_bytes message,
                uint8_t out[CELLA_CMAC_SIZE]);

#endif
