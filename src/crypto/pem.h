/* Certificates in PEM text, one after the other. */
#ifndef CELLA_CRYPTO_PEM_H
#define CELLA_CRYPTO_PEM_H

#include "crypto/x509.h"

/* Decodes the next certificate of `rest` and moves `rest` behind it. CELLA_NOT_FOUND: nothing but white space
 * and zero bytes is left; CELLA_DAMAGED: anything else than certificates, or one larger than
 * CELLA_CERTIFICATE_SIZE_MAX. */
enum cella_status cella_pem_next(struct cella_bytes *rest, uint8_t ret_der[CELLA_CERTIFICATE_SIZE_MAX],
                                 size_t *ret_size);

/* Decodes a self-contained base64 text; white space inside it is skipped. CELLA_DAMAGED; CELLA_TOO_SMALL. */
enum cella_status cella_base64_decode(struct cella_bytes text, uint8_t *out, size_t capacity,
                                      size_t *ret_size);

#endif
